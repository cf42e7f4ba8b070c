/* SPDX-License-Identifier: MIT */
#include "tests/lab/truth.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/hash.h"

static struct lab_traversal *slot_of(struct lab_traversal *slots, size_t slot_count, uint64_t from,
				     uint64_t to, uint64_t run_end)
{
	uint64_t hash = pgb_hash_combine(pgb_hash_combine(from, to), run_end);
	size_t at = hash & (slot_count - 1);

	while (slots[at].count != 0 &&
	       (slots[at].from != from || slots[at].to != to || slots[at].run_end != run_end))
		at = (at + 1) & (slot_count - 1);
	return &slots[at];
}

static void grow(struct lab_truth *truth)
{
	size_t slot_count = truth->slot_count ? truth->slot_count * 2 : 1024;
	struct lab_traversal *slots = pgb_calloc(slot_count, sizeof(*slots));

	for (size_t i = 0; i < truth->slot_count; i++) {
		struct lab_traversal *old = &truth->slots[i];

		if (old->count != 0)
			*slot_of(slots, slot_count, old->from, old->to, old->run_end) = *old;
	}
	free(truth->slots);
	truth->slots = slots;
	truth->slot_count = slot_count;
}

static uint64_t translate(const struct lab_image *image, uint64_t address)
{
	uint64_t file_address;

	if (address == LAB_NO_RUN)
		return address;
	return lab_image_address(image, address, &file_address) ? file_address : 0;
}

void lab_truth_count(struct lab_truth *truth, uint64_t from, uint64_t to, uint64_t run_end,
		     uint64_t count)
{
	struct lab_traversal *slot;

	if (count == 0)
		return;
	if (truth->used * 2 >= truth->slot_count)
		grow(truth);
	slot = slot_of(truth->slots, truth->slot_count, from, to, run_end);
	if (slot->count == 0) {
		*slot = (struct lab_traversal){.from = from, .to = to, .run_end = run_end};
		truth->used++;
	}
	slot->count += count;
}

void lab_truth_add(struct lab_truth *truth, const struct lab_image *image, uint64_t from,
		   uint64_t to, uint64_t run_end, uint64_t count)
{
	from = translate(image, from);
	to = translate(image, to);
	if (from != 0 || to != 0)
		lab_truth_count(truth, from, to, translate(image, run_end), count);
}

static int compare(const void *left, const void *right)
{
	const struct lab_traversal *one = left, *other = right;

	if (one->from != other->from)
		return one->from < other->from ? -1 : 1;
	if (one->to != other->to)
		return one->to < other->to ? -1 : 1;
	if (one->run_end != other->run_end)
		return one->run_end < other->run_end ? -1 : 1;
	return 0;
}

int lab_truth_write(struct lab_truth *truth, FILE *file, struct pgb_error *error)
{
	struct lab_traversal *sorted = pgb_calloc(truth->used, sizeof(*sorted));
	size_t count = 0;

	for (size_t i = 0; i < truth->slot_count; i++) {
		if (truth->slots[i].count != 0)
			sorted[count++] = truth->slots[i];
	}
	qsort(sorted, count, sizeof(*sorted), compare);
	for (size_t i = 0; i < count; i++)
		fprintf(file, "T %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIu64 "\n", sorted[i].from,
			sorted[i].to, sorted[i].run_end, sorted[i].count);
	free(sorted);
	if (fflush(file) != 0)
		return pgb_fail(error, PGB_E_IO, "cannot write the truth: %s", strerror(errno));
	return 0;
}

void lab_truth_release(struct lab_truth *truth)
{
	free(truth->slots);
	*truth = (struct lab_truth){.slots = NULL};
}
