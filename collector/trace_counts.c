/* SPDX-License-Identifier: MIT */
/*
 * A set-associative cache of counts. Real programs go round in few of their branches at a time,
 * so nearly every one finds its slot; a slot is half a cache line.
 */
#include "pgobolt/collector/trace_counts.h"

#include "pgobolt/base/alloc.h"

enum {
	SET_BITS = 13,
	SETS = 1 << SET_BITS,
	WAYS = 2,
	ADDRESS_BITS = 48,
	BATCH = 32, /* sets that are fetched ahead */
};

#define ADDRESS_MASK ((UINT64_C(1) << ADDRESS_BITS) - 1)
#define IN_USE	     (UINT64_C(1) << 63)

/*
 * The low bits of each word are one more than an address, 0 for NONE; the high ones the pid's two
 * halves, and the flags with IN_USE. All 0: the slot is free.
 */
struct key {
	uint64_t words[3];
};

struct slot {
	struct key key;
	uint32_t counts[2]; /* of the even and of the odd half */
};

struct set {
	struct slot ways[WAYS];
};

struct pgb_trace_counts {
	struct pgb_trace_receiver receiver;
	uint32_t flags; /* those that count */
	uint64_t added; /* since the last flush: no slot can hold more */
	size_t used_count;
	uint16_t used[SETS * WAYS]; /* slots that are not free */
	_Alignas(64) struct set sets[SETS];
};

struct pgb_trace_counts *pgb_trace_counts_new(const struct pgb_trace_receiver *receiver,
					      uint32_t flags)
{
	struct pgb_trace_counts *counts = aligned_alloc(64, sizeof(*counts));

	pgb_assert(counts != NULL);
	memset(counts, 0, sizeof(*counts));
	counts->receiver = *receiver;
	counts->flags = flags;
	return counts;
}

void pgb_trace_counts_free(struct pgb_trace_counts *counts)
{
	free(counts);
}

static inline uint64_t address_of(uint64_t word)
{
	return (word & ADDRESS_MASK) - 1;
}
_Static_assert(PGB_ADDRESS_NONE == UINT64_MAX, "0 - 1 is NONE");

static void give(struct pgb_trace_counts *counts, const struct slot *slot)
{
	const uint64_t *words = slot->key.words;

	counts->receiver.take(counts->receiver.context,
			      &(struct pgb_edge){
				      .binary = (uint32_t)(words[0] >> ADDRESS_BITS |
							   words[1] >> ADDRESS_BITS << 16),
				      .kind = (words[2] & ~IN_USE) >> ADDRESS_BITS,
				      .branch = address_of(words[0]),
				      .from = address_of(words[1]),
				      .to = address_of(words[2]),
				      .count = (uint64_t)slot->counts[0] + slot->counts[1],
				      .count_odd = slot->counts[1],
			      });
}

void pgb_trace_counts_flush(struct pgb_trace_counts *counts)
{
	for (size_t i = 0; i < counts->used_count; i++) {
		size_t number = counts->used[i];
		struct slot *slot = &counts->sets[number / WAYS].ways[number % WAYS];

		give(counts, slot);
		*slot = (struct slot){0};
	}
	counts->used_count = 0;
	counts->added = 0;
}

static void give_wide(struct pgb_trace_counts *counts, const struct pgb_trace *trace, uint32_t pid,
		      bool odd)
{
	counts->receiver.take(counts->receiver.context,
			      &(struct pgb_edge){
				      .binary = pid,
				      .kind = trace->flags & counts->flags,
				      .branch = trace->branch,
				      .from = trace->from,
				      .to = trace->to,
				      .count = 1,
				      .count_odd = odd,
			      });
}

/* The top bits of a product depend on all bits of both factors below them. */
static inline size_t set_of(const struct key *key)
{
	return (key->words[0] * 0x9e3779b97f4a7c15u + key->words[1] * 0xbf58476d1ce4e5b9u +
		key->words[2] * 0x94d049bb133111ebu) >>
	       (64 - SET_BITS);
}

static inline bool same_key(const struct key *a, const struct key *b)
{
	return ((a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1]) |
		(a->words[2] ^ b->words[2])) == 0;
}

/* A key that is not there: it takes the place of the one that came less often. */
static __attribute__((noinline)) void replace(struct pgb_trace_counts *counts, size_t at,
					      const struct key *key, bool odd)
{
	struct slot *ways = counts->sets[at].ways;
	uint64_t sums[WAYS];
	struct slot *victim;

	for (size_t i = 0; i < WAYS; i++)
		sums[i] = (uint64_t)ways[i].counts[0] + ways[i].counts[1];
	victim = &ways[sums[1] < sums[0]];
	if (victim->key.words[2] & IN_USE)
		give(counts, victim);
	else
		counts->used[counts->used_count++] =
			(uint16_t)(at * WAYS + (size_t)(victim - ways));
	*victim = (struct slot){.key = *key};
	victim->counts[odd]++;
}

/* Beyond what user space has anywhere but on the largest machines. */
static inline bool is_wide(const struct pgb_trace *trace)
{
	return (((trace->branch + 1) | (trace->from + 1) | (trace->to + 1)) >> ADDRESS_BITS) != 0;
}

static inline void add_key(struct pgb_trace_counts *counts, size_t at, const struct key *key,
			   bool odd)
{
	struct slot *ways = counts->sets[at].ways;
	bool second = same_key(&ways[1].key, key);

	if (__builtin_expect(second || same_key(&ways[0].key, key), true))
		ways[second].counts[odd]++;
	else
		replace(counts, at, key, odd);
}

void pgb_trace_counts_add(struct pgb_trace_counts *counts, uint32_t pid, bool odd,
			  const struct pgb_trace *traces, size_t count)
{
	uint64_t pid_low = (uint64_t)(pid & 0xffff) << ADDRESS_BITS;
	uint64_t pid_high = (uint64_t)(pid >> 16) << ADDRESS_BITS;
	struct key keys[BATCH];
	uint16_t at[BATCH];

	if (counts->added + count > UINT32_MAX)
		pgb_trace_counts_flush(counts);
	counts->added += count;
	while (count > 0) {
		size_t step = count < BATCH ? count : BATCH, used = 0;

		for (size_t i = 0; i < step; i++) {
			const struct pgb_trace *trace = &traces[i];
			uint64_t flags = trace->flags & counts->flags;

			if (__builtin_expect(is_wide(trace), false)) {
				give_wide(counts, trace, pid, odd);
				continue;
			}
			keys[used] = (struct key){
				{(trace->branch + 1) | pid_low, (trace->from + 1) | pid_high,
				 (trace->to + 1) | flags << ADDRESS_BITS | IN_USE}};
			at[used] = (uint16_t)set_of(&keys[used]);
			__builtin_prefetch(&counts->sets[at[used]], 1);
			used++;
		}
		for (size_t i = 0; i < used; i++)
			add_key(counts, at[i], &keys[i], odd);
		traces += step;
		count -= step;
	}
}
