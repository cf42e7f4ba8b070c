/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "pgo/cli/dump.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/bolt/profile.h"

static int hotter_branch(const void *a, const void *b)
{
	const struct pgb_profile_branch *x = *(const struct pgb_profile_branch *const *)a;
	const struct pgb_profile_branch *y = *(const struct pgb_profile_branch *const *)b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x < y ? -1 : x > y; /* the profile's own order */
}

static int hotter_sample(const void *a, const void *b)
{
	const struct pgb_profile_sample *x = *(const struct pgb_profile_sample *const *)a;
	const struct pgb_profile_sample *y = *(const struct pgb_profile_sample *const *)b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x < y ? -1 : x > y;
}

static char *place_text(const struct pgb_profile *profile, struct pgb_place place)
{
	if (place.name == PGB_NAME_UNKNOWN)
		return pgb_dup("outside");
	return pgb_format("%s+%" PRIx64, pgb_profile_name(profile, place.name), place.offset);
}

static void add_place(struct pgb_table *table, const struct pgb_profile *profile,
		      struct pgb_place place)
{
	char *text = place_text(profile, place);

	pgb_table_cell(table, "%s", text);
	free(text);
}

static json_t *place_json(const struct pgb_profile *profile, struct pgb_place place)
{
	if (place.name == PGB_NAME_UNKNOWN)
		return json_null();
	return json_pack("{s:o, s:o}", "function",
			 pgb_json_text(pgb_profile_name(profile, place.name)), "offset",
			 pgb_dump_address(place.offset));
}

/* Against the hottest row. */
static struct pgb_bar bar_of(const struct dump *dump, uint64_t count, uint64_t hottest)
{
	return pgb_bar(dump->output, hottest > 0 ? (double)count / (double)hottest : 0);
}

static json_t *list_branches(const struct dump *dump, struct pgb_profile *profile)
{
	static const char *const heads[] = {"COUNT", "SHARE", "", "MISPREDICTED", "FROM", "TO"};
	struct pgb_table table = {.columns = 6, .right = "rr-r--", .header = true, .indent = 2};
	json_t *list = json_array();
	size_t count;
	const struct pgb_profile_branch *branches = pgb_profile_branches(profile, &count);
	const struct pgb_profile_branch **order = pgb_calloc(count, sizeof(const void *));

	for (size_t i = 0; i < count; i++)
		order[i] = &branches[i];
	qsort(order, count, sizeof(*order), hotter_branch);
	pgb_dump_heads(&table, heads);
	for (size_t i = 0; i < pgb_dump_rows(dump, count); i++) {
		const struct pgb_profile_branch *branch = order[i];

		pgb_table_cell(&table, "%" PRIu64, branch->count);
		pgb_table_cell(&table, "%s",
			       pgb_dump_share(branch->count, pgb_profile_total(profile)).text);
		pgb_table_cell(&table, "%s", bar_of(dump, branch->count, order[0]->count).text);
		pgb_table_cell(&table, "%s",
			       pgb_dump_share(branch->mispredicts, branch->count).text);
		add_place(&table, profile, branch->from);
		add_place(&table, profile, branch->to);
		json_array_append_new(list, json_pack("{s:I, s:I, s:o, s:o}", "count",
						      (json_int_t)branch->count, "mispredicts",
						      (json_int_t)branch->mispredicts, "from",
						      place_json(profile, branch->from), "to",
						      place_json(profile, branch->to)));
	}
	pgb_output_heading(dump->output, "Hottest branches");
	pgb_table_print(&table, dump->output);
	pgb_dump_left_out(dump, count);
	pgb_table_release(&table);
	free(order);
	return list;
}

static json_t *list_samples(const struct dump *dump, struct pgb_profile *profile)
{
	static const char *const heads[] = {"COUNT", "SHARE", "", "AT"};
	struct pgb_table table = {.columns = 4, .right = "rr--", .header = true, .indent = 2};
	json_t *list = json_array();
	size_t count;
	const struct pgb_profile_sample *samples = pgb_profile_samples(profile, &count);
	const struct pgb_profile_sample **order = pgb_calloc(count, sizeof(const void *));

	for (size_t i = 0; i < count; i++)
		order[i] = &samples[i];
	qsort(order, count, sizeof(*order), hotter_sample);
	pgb_dump_heads(&table, heads);
	for (size_t i = 0; i < pgb_dump_rows(dump, count); i++) {
		pgb_table_cell(&table, "%" PRIu64, order[i]->count);
		pgb_table_cell(&table, "%s",
			       pgb_dump_share(order[i]->count, pgb_profile_total(profile)).text);
		pgb_table_cell(&table, "%s", bar_of(dump, order[i]->count, order[0]->count).text);
		add_place(&table, profile, order[i]->at);
		json_array_append_new(list,
				      json_pack("{s:I, s:o}", "count", (json_int_t)order[i]->count,
						"at", place_json(profile, order[i]->at)));
	}
	pgb_output_heading(dump->output, "Hottest places");
	pgb_table_print(&table, dump->output);
	pgb_dump_left_out(dump, count);
	pgb_table_release(&table);
	free(order);
	return list;
}

static void print_profile_facts(const struct dump *dump, struct pgb_profile *profile)
{
	struct pgb_table table = {.columns = 2, .indent = 2};
	bool samples = pgb_profile_kind(profile) == PGB_PROFILE_SAMPLES;
	size_t count, memories;

	if (samples)
		pgb_profile_samples(profile, &count);
	else
		pgb_profile_branches(profile, &count);
	pgb_profile_memories(profile, &memories);
	pgb_table_pair(&table, "kind", "%s%s",
		       samples ? "samples (no_lbr): less use to llvm-bolt than branches"
			       : "branches",
		       pgb_profile_bolted(profile) ? ", of a binary that llvm-bolt made" : "");
	for (size_t i = 0; i < pgb_profile_event_count(profile); i++)
		pgb_table_pair(&table, i ? "" : "events", "%s", pgb_profile_event(profile, i));
	pgb_table_pair(&table, samples ? "places" : "branches", "%zu", count);
	if (memories)
		pgb_table_pair(&table, "memory accesses", "%zu", memories);
	pgb_table_pair(&table, "counts in all", "%" PRIu64, pgb_profile_total(profile));
	pgb_table_pair(&table, "functions", "%zu", pgb_profile_function_count(profile));
	pgb_table_print(&table, dump->output);
	pgb_table_release(&table);
}

int pgb_dump_fdata(const struct dump *dump, struct pgb_error *error)
{
	struct pgb_profile *profile = pgb_profile_new();
	int code = pgb_fdata_read_file(dump->path, 1, profile, error);

	if (code == 0) {
		bool samples = pgb_profile_kind(profile) == PGB_PROFILE_SAMPLES;
		json_t *document = pgb_dump_document(dump);

		pgb_dump_title(dump, "");
		print_profile_facts(dump, profile);
		json_object_update_new(
			document, json_pack("{s:b, s:b, s:I, s:I}", "samples", samples, "bolted",
					    pgb_profile_bolted(profile), "total",
					    (json_int_t)pgb_profile_total(profile), "functions",
					    (json_int_t)pgb_profile_function_count(profile)));
		json_object_set_new(document, samples ? "places" : "branches",
				    samples ? list_samples(dump, profile)
					    : list_branches(dump, profile));
		pgb_output_json(dump->output, document);
	}
	pgb_profile_free(profile);
	return code;
}
