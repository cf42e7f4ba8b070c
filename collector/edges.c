/* SPDX-License-Identifier: MIT */
/*
 * Edges lie densely in the order of first sight, so hot ones share cache lines; beside them a
 * table of slots, half full at most, each a piece of the hash and the edge's number: a look-up
 * reads one slot and one edge.
 */
#include "pgobolt/collector/edges.h"
#include "pgobolt/base/search.h"

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/limits.h"

enum {
	FIRST_SLOTS = 2048,
	/* Edges whose memory is fetched ahead together. */
	BATCH = 32,
};

/* number is one more than the edge's index; 0: the slot is free. */
struct slot {
	uint32_t tag;
	uint32_t number;
};

struct pgb_edges {
	struct pgb_edge *items;
	size_t count, capacity;
	struct slot *slots;
	size_t slot_mask; /* number of slots, a power of two, less 1 */
	size_t limit;
	uint64_t overflow;
	bool sorted; /* items are in order; the slots do not know */
};

struct pgb_edges *pgb_edges_new(void)
{
	return pgb_edges_new_limited(PGB_LIMIT_EDGES);
}

struct pgb_edges *pgb_edges_new_limited(size_t limit_edges)
{
	struct pgb_edges *edges = pgb_calloc(1, sizeof(*edges));

	pgb_assert(limit_edges > 0 && limit_edges < UINT32_MAX);
	edges->limit = limit_edges;
	edges->slots = pgb_calloc(FIRST_SLOTS, sizeof(*edges->slots));
	edges->slot_mask = FIRST_SLOTS - 1;
	edges->capacity = FIRST_SLOTS / 2;
	edges->items = pgb_realloc_array(NULL, edges->capacity, sizeof(*edges->items));
	return edges;
}

void pgb_edges_free(struct pgb_edges *edges)
{
	if (edges == NULL)
		return;
	free(edges->items);
	free(edges->slots);
	free(edges);
}

/* Both halves of a product: each bit of either factor reaches the result. */
static inline uint64_t fold_product(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_key(const struct pgb_edge *edge)
{
	uint64_t head = (uint64_t)edge->kind << 32 | edge->binary;

	return fold_product(edge->branch ^ 0x9e3779b97f4a7c15u, edge->from ^ 0xbf58476d1ce4e5b9u) +
	       fold_product(edge->to ^ 0x94d049bb133111ebu, head ^ 0xd6e8feb86659fd93u);
}

static inline bool same_key(const struct pgb_edge *a, const struct pgb_edge *b)
{
	return ((a->branch ^ b->branch) | (a->from ^ b->from) | (a->to ^ b->to) |
		(a->binary ^ b->binary) | (a->kind ^ b->kind)) == 0;
}

/* Number the items anew in `slot_count` free slots. */
static void fill_slots(struct pgb_edges *edges, size_t slot_count)
{
	size_t mask = slot_count - 1;

	if (mask != edges->slot_mask) {
		free(edges->slots);
		edges->slots = pgb_calloc(slot_count, sizeof(*edges->slots));
		edges->slot_mask = mask;
	} else {
		memset(edges->slots, 0, slot_count * sizeof(*edges->slots));
	}
	for (size_t i = 0; i < edges->count; i++) {
		uint64_t hash = hash_key(&edges->items[i]);
		size_t at = hash & mask;

		while (edges->slots[at].number != 0)
			at = (at + 1) & mask;
		edges->slots[at] = (struct slot){(uint32_t)(hash >> 32), (uint32_t)i + 1};
	}
	edges->sorted = false;
}

/* The key is not there: take the free slot `at`. */
static __attribute__((noinline)) void add_new(struct pgb_edges *edges, const struct pgb_edge *edge,
					      size_t at, uint64_t hash)
{
	if (edges->count == edges->limit) {
		edges->overflow = pgb_count_add(edges->overflow, edge->count);
		return;
	}
	if (edges->count == edges->capacity) {
		edges->capacity *= 2;
		edges->items =
			pgb_realloc_array(edges->items, edges->capacity, sizeof(*edges->items));
	}
	edges->items[edges->count++] = *edge;
	edges->slots[at] = (struct slot){(uint32_t)(hash >> 32), (uint32_t)edges->count};
	if (edges->count > (edges->slot_mask + 1) / 2)
		fill_slots(edges, (edges->slot_mask + 1) * 2);
}

/* NULL: the key is not there, and `*at` is the slot to take. */
static inline struct pgb_edge *find(const struct pgb_edges *edges, const struct pgb_edge *edge,
				    uint64_t hash, size_t *at)
{
	uint32_t tag = (uint32_t)(hash >> 32);

	for (*at = hash & edges->slot_mask;; *at = (*at + 1) & edges->slot_mask) {
		struct slot slot = edges->slots[*at];

		if (slot.number == 0)
			return NULL;
		if (slot.tag == tag && same_key(&edges->items[slot.number - 1], edge))
			return &edges->items[slot.number - 1];
	}
}

static inline void add_hashed(struct pgb_edges *edges, const struct pgb_edge *edge, uint64_t hash)
{
	size_t at;
	struct pgb_edge *item = find(edges, edge, hash, &at);

	if (item == NULL) {
		add_new(edges, edge, at, hash);
		return;
	}
	item->count = pgb_count_add(item->count, edge->count);
	item->mispredicts = pgb_count_add(item->mispredicts, edge->mispredicts);
	item->count_odd = pgb_count_add(item->count_odd, edge->count_odd);
}

uint32_t pgb_edges_number(struct pgb_edges *edges, const struct pgb_edge *edge)
{
	uint64_t hash = hash_key(edge);
	const struct pgb_edge *item;
	struct pgb_edge key = *edge;
	size_t at;

	if (__builtin_expect(edges->sorted, false))
		fill_slots(edges, edges->slot_mask + 1);
	item = find(edges, edge, hash, &at);
	if (item != NULL)
		return (uint32_t)(item - edges->items);
	key.count = key.mispredicts = key.count_odd = 0;
	if (edges->count == edges->limit)
		return PGB_EDGES_NO_NUMBER;
	add_new(edges, &key, at, hash);
	return (uint32_t)edges->count - 1;
}

void pgb_edges_add(struct pgb_edges *edges, const struct pgb_edge *edge)
{
	if (__builtin_expect(edges->sorted, false))
		fill_slots(edges, edges->slot_mask + 1);
	add_hashed(edges, edge, hash_key(edge));
}

/* In steps, so that the cache misses of a whole branch stack overlap. */
void pgb_edges_add_many(struct pgb_edges *edges, const struct pgb_edge *many, size_t count)
{
	if (__builtin_expect(edges->sorted, false))
		fill_slots(edges, edges->slot_mask + 1);
	while (count > 0) {
		size_t step = count < BATCH ? count : BATCH;
		uint64_t hashes[BATCH];

		for (size_t i = 0; i < step; i++) {
			hashes[i] = hash_key(&many[i]);
			__builtin_prefetch(&edges->slots[hashes[i] & edges->slot_mask]);
		}
		for (size_t i = 0; i < step; i++) {
			uint32_t number = edges->slots[hashes[i] & edges->slot_mask].number;

			__builtin_prefetch(&edges->items[number ? number - 1 : 0], 1);
		}
		for (size_t i = 0; i < step; i++)
			add_hashed(edges, &many[i], hashes[i]);
		many += step;
		count -= step;
	}
}

void pgb_edges_clear(struct pgb_edges *edges)
{
	size_t mask = edges->slot_mask;
	bool few = !edges->sorted && edges->count < mask / 16;

	if (!few)
		memset(edges->slots, 0, (mask + 1) * sizeof(*edges->slots));
	for (size_t i = 0; few && i < edges->count; i++) {
		size_t at = hash_key(&edges->items[i]) & mask;

		while (edges->slots[at].number != i + 1)
			at = (at + 1) & mask;
		edges->slots[at].number = 0;
	}
	edges->count = 0;
	edges->sorted = false;
}

size_t pgb_edges_count(const struct pgb_edges *edges)
{
	return edges->count;
}

uint64_t pgb_edges_overflow(const struct pgb_edges *edges)
{
	return edges->overflow;
}

size_t pgb_edges_size_bytes(const struct pgb_edges *edges)
{
	return sizeof(*edges) + edges->capacity * sizeof(*edges->items) +
	       (edges->slot_mask + 1) * sizeof(*edges->slots);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_keys(const void *left, const void *right)
{
	const struct pgb_edge *a = left, *b = right;

	if (a->binary != b->binary)
		return compare_numbers(a->binary, b->binary);
	if (a->kind != b->kind)
		return compare_numbers(a->kind, b->kind);
	if (a->branch != b->branch)
		return compare_numbers(a->branch, b->branch);
	if (a->from != b->from)
		return compare_numbers(a->from, b->from);
	return compare_numbers(a->to, b->to);
}

const struct pgb_edge *pgb_edges_sorted(struct pgb_edges *edges, size_t *count)
{
	if (!edges->sorted)
		qsort(edges->items, edges->count, sizeof(*edges->items), compare_keys);
	edges->sorted = true;
	*count = edges->count;
	return edges->items;
}

const struct pgb_edge *pgb_edges_unsorted(const struct pgb_edges *edges, size_t *count)
{
	*count = edges->count;
	return edges->items;
}

/* Index of the first edge of a binary not below `binary`. */
static size_t first_of_binary(const struct pgb_edge *items, size_t count, uint64_t binary)
{
	return pgb_search(count, i, items[i].binary < binary);
}

const struct pgb_edge *pgb_edges_of_binary(struct pgb_edges *edges, uint32_t binary, size_t *count)
{
	const struct pgb_edge *items = pgb_edges_sorted(edges, count);
	size_t first = first_of_binary(items, *count, binary);

	*count = first_of_binary(items, *count, (uint64_t)binary + 1) - first;
	return items + first;
}

void pgb_edges_merge(struct pgb_edges *edges, struct pgb_edges *other, const uint32_t *binary_of,
		     uint64_t weight)
{
	pgb_assert(edges != other);
	edges->overflow =
		pgb_count_add(edges->overflow, pgb_count_multiply(other->overflow, weight));
	for (size_t i = 0; i < other->count; i++) {
		struct pgb_edge edge = other->items[i];

		if (binary_of)
			edge.binary = binary_of[edge.binary];
		if (edge.binary == UINT32_MAX && binary_of)
			continue;
		edge.count = pgb_count_multiply(edge.count, weight);
		edge.mispredicts = pgb_count_multiply(edge.mispredicts, weight);
		edge.count_odd = pgb_count_multiply(edge.count_odd, weight);
		pgb_edges_add(edges, &edge);
	}
}
