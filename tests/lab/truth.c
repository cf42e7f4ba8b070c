/* SPDX-License-Identifier: MIT */
#include "tests/lab/truth.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/hash.h"

static bool same(const struct lab_fact *one, const struct lab_fact *other)
{
	return one->kind == other->kind && one->from == other->from && one->to == other->to &&
	       one->run_end == other->run_end;
}

static struct lab_fact *slot_of(struct lab_fact *slots, size_t slot_count,
				const struct lab_fact *fact)
{
	uint64_t hash = pgb_hash_combine(pgb_hash_combine(fact->from, fact->to), fact->run_end);
	size_t at = pgb_hash_combine(hash, fact->kind) & (slot_count - 1);

	while (slots[at].count != 0 && !same(&slots[at], fact))
		at = (at + 1) & (slot_count - 1);
	return &slots[at];
}

static void grow(struct lab_truth *truth)
{
	size_t slot_count = truth->slot_count ? truth->slot_count * 2 : 1024;
	struct lab_fact *slots = pgb_calloc(slot_count, sizeof(*slots));

	for (size_t i = 0; i < truth->slot_count; i++) {
		if (truth->slots[i].count != 0)
			*slot_of(slots, slot_count, &truth->slots[i]) = truth->slots[i];
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

void lab_truth_add(struct lab_truth *truth, const struct lab_image *image,
		   const struct lab_fact *fact)
{
	struct lab_fact wanted = *fact, *slot;

	if (image != NULL) {
		wanted.from = translate(image, fact->from);
		wanted.to = translate(image, fact->to);
		if (wanted.from == 0 && wanted.to == 0)
			return;
		wanted.run_end = translate(image, fact->run_end);
		if (wanted.to == 0) /* a run that begins outside is none of ours */
			wanted.run_end = LAB_NO_RUN;
	}
	if (fact->count == 0)
		return;
	if (truth->used * 2 >= truth->slot_count)
		grow(truth);
	slot = slot_of(truth->slots, truth->slot_count, &wanted);
	if (slot->count == 0) {
		*slot = wanted;
		truth->used++;
		return;
	}
	slot->count += fact->count;
	slot->mispredicts += fact->mispredicts;
}

static int compare(const void *left, const void *right)
{
	const struct lab_fact *one = left, *other = right;

	if (one->kind != other->kind)
		return one->kind < other->kind ? -1 : 1;
	if (one->from != other->from)
		return one->from < other->from ? -1 : 1;
	if (one->to != other->to)
		return one->to < other->to ? -1 : 1;
	if (one->run_end != other->run_end)
		return one->run_end < other->run_end ? -1 : 1;
	return 0;
}

static void write_fact(const struct lab_fact *fact, FILE *file)
{
	switch (fact->kind) {
	case LAB_FACT_TRACE:
		fprintf(file, "T %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIu64 "\n", fact->from,
			fact->to, fact->run_end, fact->count);
		break;
	case LAB_FACT_BRANCH:
	case LAB_FACT_NOT_TAKEN:
		fprintf(file, "%c %" PRIx64 " %" PRIx64 " %" PRIu64 " %" PRIu64 "\n",
			fact->kind == LAB_FACT_BRANCH ? 'B' : 'N', fact->from, fact->to,
			fact->count, fact->mispredicts);
		break;
	case LAB_FACT_RUN:
		fprintf(file, "F %" PRIx64 " %" PRIx64 " %" PRIu64 "\n", fact->from, fact->to,
			fact->count);
		break;
	case LAB_FACT_IP:
		fprintf(file, "S %" PRIx64 " %" PRIu64 "\n", fact->from, fact->count);
		break;
	}
}

int lab_truth_write(struct lab_truth *truth, FILE *file, struct pgb_error *error)
{
	struct lab_fact *sorted = pgb_calloc(truth->used, sizeof(*sorted));
	size_t count = 0;

	for (size_t i = 0; i < truth->slot_count; i++) {
		if (truth->slots[i].count != 0)
			sorted[count++] = truth->slots[i];
	}
	qsort(sorted, count, sizeof(*sorted), compare);
	for (size_t i = 0; i < count; i++)
		write_fact(&sorted[i], file);
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
