/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/benefit.h"

#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/collector/file.h"

enum {
	PAGE_BYTES = 4096,
	L1I_BYTES = 32 * 1024, /* of most cores of the last fifteen years */
	L1I_TIMES_MUCH = 4,
	ITLB_PAGES = 64,
	TIMEOUT_S = 600,
};

#define HOT_SHARE 0.99
/* Of the instructions executed: above it, fetching breaks off at every second line of the cache. */
#define TAKEN_OFTEN 0.08
#define SAVED_SOME  0.15

struct function_count {
	const struct pgb_elf_function *function;
	uint64_t count;
};

struct counting {
	const struct pgb_elf_image *image;
	const struct pgb_profile *profile;
	struct function_count *functions; /* by index in the image; unsorted first */
	size_t function_count;
	uint64_t total;
};

static void add(struct counting *counting, uint32_t name, uint64_t count)
{
	const struct pgb_elf_function *first = pgb_elf_image_function(counting->image, 0);
	const struct pgb_elf_function *function;

	if (name == PGB_NAME_UNKNOWN)
		return;
	function = pgb_elf_image_function_named(counting->image,
						pgb_profile_name(counting->profile, name));
	if (function == NULL || function->is_plt)
		return;
	counting->functions[function - first].function = function;
	counting->functions[function - first].count += count;
	counting->total += count;
}

static int by_count(const void *a, const void *b)
{
	const struct function_count *left = a, *right = b;

	if (left->count != right->count)
		return left->count > right->count ? -1 : 1;
	if (left->function == NULL || right->function == NULL)
		return (left->function == NULL) - (right->function == NULL);
	return (left->function->address > right->function->address) -
	       (left->function->address < right->function->address);
}

static int by_page(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Pages that the hot functions lie in, each once. */
static uint64_t count_pages(const struct function_count *functions, size_t count)
{
	PGB_ARRAY(uint64_t) pages = {0};
	uint64_t distinct = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t address = functions[i].function->address;
		uint64_t end = address + functions[i].function->size_bytes;

		for (address /= PAGE_BYTES; address * PAGE_BYTES < end; address++)
			pgb_array_push(&pages, address);
	}
	if (pages.count > 0)
		qsort(pages.items, pages.count, sizeof(pages.items[0]), by_page);
	for (size_t i = 0; i < pages.count; i++)
		distinct += i == 0 || pages.items[i] != pages.items[i - 1];
	pgb_array_release(&pages);
	return distinct;
}

static void measure_hot(struct pgb_benefit *benefit, struct counting *counting)
{
	uint64_t sum = 0;

	qsort(counting->functions, counting->function_count, sizeof(counting->functions[0]),
	      by_count);
	for (size_t i = 0; i < counting->function_count && counting->functions[i].count > 0; i++) {
		benefit->functions++;
		if ((double)sum >= HOT_SHARE * (double)counting->total)
			continue;
		sum += counting->functions[i].count;
		benefit->hot_bytes += counting->functions[i].function->size_bytes;
		benefit->functions_hot++;
	}
	benefit->hot_pages = count_pages(counting->functions, benefit->functions_hot);
}

static int read_counts(struct pgb_benefit *benefit, const struct pgb_chosen_profile *chosen,
		       struct pgb_error *error)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct counting counting = {.profile = profile};
	const struct pgb_profile_branch *branches;
	const struct pgb_profile_sample *samples;
	struct pgb_elf_image *image = NULL;
	size_t count;
	int code = pgb_fdata_read_file(chosen->fdata, 1, profile, error);

	if (code == 0)
		code = pgb_elf_image_open(&image, chosen->binary, error);
	if (code == 0)
		code = pgb_elf_image_discover(image, error);
	if (code == 0) {
		counting.image = image;
		counting.function_count = pgb_elf_image_function_count(image);
		counting.functions =
			pgb_calloc(counting.function_count + 1, sizeof(*counting.functions));
		branches = pgb_profile_branches(profile, &count);
		for (size_t i = 0; i < count; i++)
			add(&counting, branches[i].from.name, branches[i].count);
		samples = pgb_profile_samples(profile, &count);
		for (size_t i = 0; i < count; i++)
			add(&counting, samples[i].at.name, samples[i].count);
		measure_hot(benefit, &counting);
	}
	free(counting.functions);
	if (image != NULL)
		pgb_elf_image_close(image);
	pgb_profile_free(profile);
	return code;
}

static uint64_t dyno(const struct pgb_llvm_bolt_result *bolt, const char *name, bool after)
{
	for (size_t i = 0; i < bolt->dyno_stats.count; i++)
		if (strcmp(bolt->dyno_stats.items[i].name, name) == 0)
			return after ? bolt->dyno_stats.items[i].after
				     : bolt->dyno_stats.items[i].before;
	return 0;
}

/* What llvm-bolt says of its own work, whose result is thrown away. */
static void ask_llvm_bolt(struct pgb_benefit *benefit, const struct pgb_chosen_profile *profile,
			  const struct pgb_llvm_bolt *bolt)
{
	const char *temporary = getenv("TMPDIR");
	char *folder = pgb_format("%s/pgobolt-benefit.XXXXXX",
				  temporary && *temporary ? temporary : "/tmp");
	char *output = NULL;
	struct pgb_optimize_result result = {0};
	struct pgb_optimize_job job = {
		.profile = profile,
		.drop_debug = true,
		.keep_unverified = true,
		.no_search = true,
		.bolt = {.preset = PGB_PRESET_DEFAULT, .timeout_s = TIMEOUT_S},
	};

	if (mkdtemp(folder) != NULL) {
		job.output = output = pgb_format("%s/out", folder);
		if (pgb_optimize(&job, bolt, &result, NULL, NULL) == 0) {
			benefit->instructions = dyno(&result.bolt, "executed instructions", false);
			benefit->taken_before = dyno(&result.bolt, "taken branches", false);
			benefit->taken_after = dyno(&result.bolt, "taken branches", true);
		}
		pgb_optimize_result_release(&result);
		pgb_file_remove_tree(folder, NULL);
	}
	free(output);
	free(folder);
}

enum pgb_benefit_verdict pgb_benefit_judge(const struct pgb_benefit *benefit)
{
	double often = benefit->instructions
			       ? (double)benefit->taken_before / (double)benefit->instructions
			       : 0;
	double saved = benefit->taken_before
			       ? 1 - (double)benefit->taken_after / (double)benefit->taken_before
			       : 0;

	if (benefit->hot_bytes >= (uint64_t)L1I_TIMES_MUCH * L1I_BYTES)
		return PGB_BENEFIT_MUCH;
	if (benefit->hot_bytes >= L1I_BYTES || benefit->hot_pages >= ITLB_PAGES ||
	    (often >= TAKEN_OFTEN && saved >= SAVED_SOME))
		return PGB_BENEFIT_SOME;
	return PGB_BENEFIT_LITTLE;
}

int pgb_benefit_estimate(struct pgb_benefit *benefit, const struct pgb_chosen_profile *profile,
			 const struct pgb_llvm_bolt *bolt, struct pgb_error *error)
{
	int code;

	*benefit = (struct pgb_benefit){0};
	code = read_counts(benefit, profile, error);
	if (code != 0)
		return code;
	if (bolt != NULL)
		ask_llvm_bolt(benefit, profile, bolt);
	benefit->verdict = pgb_benefit_judge(benefit);
	return 0;
}
