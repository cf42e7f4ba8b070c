/* SPDX-License-Identifier: MIT */
/*
 * A set-associative cache of counts. Real programs go round in few of their branches at a time,
 * so nearly every one finds its slot; a slot is half a cache line.
 */
#include "pgobolt/collector/trace_counts.h"

#include "pgobolt/base/alloc.h"

enum {
	SETS = 1 << PGB_TRACE_SET_BITS,
	WAYS = 2,
};

#define ADDRESS_MASK ((UINT64_C(1) << PGB_TRACE_ADDRESS_BITS) - 1)

struct slot {
	struct pgb_trace_key key;
	uint32_t counts[2]; /* of the even and of the odd half */
};

struct set {
	struct slot ways[WAYS];
};
_Static_assert(sizeof(struct set) == PGB_TRACE_SET_BYTES, "_put finds sets by their size");

struct pgb_trace_counts {
	struct pgb_trace_receiver receiver;
	uint64_t added; /* since the last flush: no slot can hold more */
	size_t used_count;
	uint16_t used[SETS * WAYS]; /* slots that are not free */
	struct pgb_trace_stage stage;
	_Alignas(64) struct set sets[SETS];
};

struct pgb_trace_counts *pgb_trace_counts_new(const struct pgb_trace_receiver *receiver,
					      uint32_t flags)
{
	struct pgb_trace_counts *counts = aligned_alloc(64, sizeof(*counts));

	pgb_assert(counts != NULL);
	memset(counts, 0, sizeof(*counts));
	counts->receiver = *receiver;
	counts->stage.flags = flags;
	counts->stage.table = (uint8_t *)counts->sets;
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

	counts->receiver.take(
		counts->receiver.context,
		&(struct pgb_edge){
			.binary = (uint32_t)(words[0] >> PGB_TRACE_ADDRESS_BITS |
					     words[1] >> PGB_TRACE_ADDRESS_BITS << 16),
			.kind = (words[2] & ~PGB_TRACE_IN_USE) >> PGB_TRACE_ADDRESS_BITS,
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

static inline struct pgb_trace_counts *counts_of(struct pgb_trace_stage *stage)
{
	return (struct pgb_trace_counts *)((uint8_t *)stage -
					   offsetof(struct pgb_trace_counts, stage));
}

void pgb_trace_row_put(struct pgb_trace_row *row, uint64_t branch, uint64_t from, uint64_t to,
		       uint32_t flags)
{
	const struct pgb_trace_stage *stage = row->stage;
	const struct pgb_trace_receiver *receiver = &counts_of(row->stage)->receiver;

	if (((branch + 1) | (from + 1) | (to + 1)) >> PGB_TRACE_ADDRESS_BITS == 0) {
		pgb_trace_row_put_plain(row, branch, from, to + 1, flags);
		return;
	}
	/* User space has such addresses nowhere but on the largest machines. */
	receiver->take(receiver->context, &(struct pgb_edge){
						  .binary = stage->pid,
						  .kind = flags & stage->flags,
						  .branch = branch,
						  .from = from,
						  .to = to,
						  .count = 1,
						  .count_odd = stage->odd,
					  });
}

/* 0: none */
static inline uint64_t difference(const struct pgb_trace_key *a, const struct pgb_trace_key *b)
{
	return (a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1]) |
	       (a->words[2] ^ b->words[2]);
}

/* A key that is not there: it takes the place of the one that came less often. */
static __attribute__((noinline)) void replace(struct pgb_trace_counts *counts, struct set *set,
					      const struct pgb_trace_key *key, bool odd)
{
	struct slot *ways = set->ways;
	uint64_t sums[WAYS];
	struct slot *victim;

	for (size_t i = 0; i < WAYS; i++)
		sums[i] = (uint64_t)ways[i].counts[0] + ways[i].counts[1];
	victim = &ways[sums[1] < sums[0]];
	if (victim->key.words[2] & PGB_TRACE_IN_USE)
		give(counts, victim);
	else
		counts->used[counts->used_count++] = (uint16_t)(victim - counts->sets[0].ways);
	*victim = (struct slot){.key = *key};
	victim->counts[odd]++;
}

struct pgb_trace_stage *pgb_trace_counts_begin(struct pgb_trace_counts *counts, uint32_t pid,
					       bool odd)
{
	struct pgb_trace_stage *stage = &counts->stage;

	stage->pid = pid;
	stage->pid_low = (uint64_t)(pid & 0xffff) << PGB_TRACE_ADDRESS_BITS;
	stage->pid_high = (uint64_t)(pid >> 16) << PGB_TRACE_ADDRESS_BITS;
	stage->odd = odd;
	return stage;
}

void pgb_trace_counts_settle(struct pgb_trace_stage *stage)
{
	struct pgb_trace_counts *counts = counts_of(stage);
	bool odd = stage->odd;
	size_t count = stage->count;

	if (counts->added + count > UINT32_MAX)
		pgb_trace_counts_flush(counts);
	counts->added += count;
	for (size_t i = 0; i < count; i++) {
		const struct pgb_trace_key *key = &stage->keys[i];
		struct set *set = (struct set *)(void *)stage->sets[i];
		bool second = difference(&set->ways[1].key, key) == 0;
		/* No branch decides which way it is: nobody could predict it. */
		uint64_t neither = difference(&set->ways[0].key, key) & ((uint64_t)second - 1);

		if (__builtin_expect(neither == 0, true))
			set->ways[second].counts[odd]++;
		else
			replace(counts, set, key, odd);
	}
	stage->count = 0;
}

void pgb_trace_counts_add(struct pgb_trace_counts *counts, uint32_t pid, bool odd,
			  const struct pgb_trace *traces, size_t count)
{
	struct pgb_trace_stage *stage = pgb_trace_counts_begin(counts, pid, odd);
	struct pgb_trace_row row = pgb_trace_row_begin(stage);

	for (size_t i = 0; i < count; i++)
		pgb_trace_row_put(&row, traces[i].branch, traces[i].from, traces[i].to,
				  traces[i].flags);
	pgb_trace_row_end(&row);
	pgb_trace_counts_settle(stage);
}
