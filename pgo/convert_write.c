/* SPDX-License-Identifier: MIT */
/* Edges to profiles, and profiles to files. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pgo/convert_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/preagg.h"

/* ---- edges to profiles */

static int add_branches(struct pgb_conversion *conversion, size_t index, struct pgb_error *error)
{
	struct pgb_convert_target *target = &conversion->targets[index];
	int code = pgb_elf_image_discover(target->image, error);

	if (code == 0)
		code = pgb_cfgs_new(&target->cfgs, target->image, error);
	if (code == 0)
		code = pgb_profile_add_branch_edges(
			target->profile, target->cfgs, conversion->edges, (uint32_t)index,
			conversion->job->compat_perf2bolt,
			&conversion->result->binaries.items[index].stats, error);
	return code;
}

static int add_edges(struct pgb_conversion *conversion, size_t index, struct pgb_error *error)
{
	struct pgb_convert_target *target = &conversion->targets[index];
	struct pgb_converted *converted = &conversion->result->binaries.items[index];
	bool samples = false, branches = false;
	size_t count;
	const struct pgb_edge *edges =
		pgb_edges_of_binary(conversion->edges, (uint32_t)index, &count);

	for (size_t i = 0; i < count; i++) {
		samples |= edges[i].kind == PGB_EDGE_IP;
		branches |= edges[i].kind != PGB_EDGE_IP;
	}
	if (samples && branches) {
		pgb_fail(error, PGB_E_MISMATCH,
			 "the inputs hold branches of %s, and samples of addresses: these do not "
			 "add up",
			 target->path);
		return pgb_remedy(error, "convert each kind alone, and keep the branches");
	}
	if (branches)
		return add_branches(conversion, index, error);
	if (!samples)
		return 0;
	for (size_t i = 0; i < conversion->events.list.count; i++)
		pgb_profile_add_event(target->profile, conversion->events.list.items[i]);
	return pgb_profile_add_ip_edges(target->profile, target->image, conversion->edges,
					(uint32_t)index, &converted->stats, error);
}

/* "; 3: the source is not a branch": why branches were dropped. */
static void list_drops(const struct pgb_profile_stats *stats, struct pgb_text *text)
{
	for (enum pgb_drop drop = 0; drop < PGB_DROP_COUNT; drop++)
		if (stats->by_reason[drop] > 0)
			pgb_text_addf(text, "; %" PRIu64 ": %s", stats->by_reason[drop],
				      pgb_drop_text(drop));
}

static int explain_nothing(const struct pgb_converted *converted, struct pgb_error *error)
{
	struct pgb_text drops = {0};

	list_drops(&converted->stats, &drops);
	pgb_fail(error, PGB_E_EMPTY,
		 "nothing of %s can be written: of %" PRIu64 " counts %" PRIu64
		 " are in no function, %" PRIu64 " were dropped%s",
		 converted->path, converted->count, converted->stats.no_function,
		 converted->stats.dropped, pgb_text_string(&drops));
	pgb_text_release(&drops);
	if (converted->stats.dropped > converted->stats.no_function)
		return pgb_remedy(error, "is it the binary that ran? Its code does not fit");
	return pgb_remedy(error, "is it stripped? See: pgobolt verify %s", converted->path);
}

static uint64_t count_lines(struct pgb_profile *profile)
{
	size_t branches, samples, memories;

	pgb_profile_branches(profile, &branches);
	pgb_profile_samples(profile, &samples);
	pgb_profile_memories(profile, &memories);
	return branches + samples + memories;
}

/* ---- files */

/* OUT with another suffix; for one format OUT itself. */
static char *file_name(const struct pgb_convert_job *job, const char *suffix)
{
	static const char *const known[] = {".fdata", ".preagg"};
	size_t length = strlen(job->output);

	if (job->formats != (PGB_CONVERT_FDATA | PGB_CONVERT_PREAGG))
		return pgb_dup(job->output);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t cut = strlen(known[i]);

		if (length > cut && strcmp(job->output + length - cut, known[i]) == 0)
			return pgb_format("%.*s%s", (int)(length - cut), job->output, suffix);
	}
	return pgb_format("%s%s", job->output, suffix);
}

/* FILE.json beside an fdata file, which cannot itself say what it is of. */
static int write_note(const struct pgb_conversion *conversion,
		      const struct pgb_converted *converted, struct pgb_error *error)
{
	char *path = pgb_format("%s.json", converted->fdata_file);
	struct pgb_out_file out = {0};
	int code = pgb_out_open(&out, path, error);

	if (code == 0) {
		json_t *note = pgb_convert_note(conversion, converted);

		json_dumpf(note, out.stream, JSON_INDENT(2) | JSON_SORT_KEYS);
		fputc('\n', out.stream);
		json_decref(note);
		code = pgb_out_commit(&out, error);
	}
	pgb_out_discard(&out);
	free(path);
	return code;
}

static int check_grade(const struct pgb_conversion *conversion,
		       const struct pgb_converted *converted, struct pgb_error *error)
{
	const struct pgb_quality *quality = &converted->quality;
	char wanted = conversion->job->min_grade;
	struct pgb_text reasons = {0};

	if (wanted == 0 || pgb_quality_reaches(quality->grade, wanted))
		return 0;
	for (size_t i = 0; i < quality->reasons.count; i++)
		if (!pgb_quality_reaches(quality->reasons.items[i].grade, wanted))
			pgb_text_addf(&reasons, "%s%s", i ? "\n" : "",
				      quality->reasons.items[i].text);
	pgb_fail(error, PGB_E_CHECK, "the profile of %s has grade %c, %c is wanted",
		 converted->path, quality->grade, wanted);
	pgb_remedy(error, "%s", pgb_text_string(&reasons));
	pgb_text_release(&reasons);
	return PGB_E_CHECK;
}

static int make_profile(struct pgb_conversion *conversion, size_t index, struct pgb_error *error)
{
	struct pgb_profile *profile = conversion->targets[index].profile;
	struct pgb_converted *converted = &conversion->result->binaries.items[index];
	const struct pgb_session_stats *stats = &conversion->result->stats;
	int code = add_edges(conversion, index, error);

	if (code == 0)
		code = pgb_elf_image_discover(conversion->targets[index].image, error);
	if (code != 0)
		return code;
	if (pgb_profile_is_empty(profile))
		return explain_nothing(converted, error);
	converted->kind = pgb_profile_kind(profile);
	converted->lines = count_lines(profile);
	converted->functions = pgb_profile_function_count(profile);
	pgb_quality_compute(&converted->quality,
			    &(struct pgb_quality_input){
				    .profile = profile,
				    .image = conversion->targets[index].image,
				    .cfgs = conversion->targets[index].cfgs,
				    .edges = conversion->from_fdata ? NULL : conversion->edges,
				    .binary = (uint32_t)index,
				    .halves = !conversion->halves_unknown,
				    .stats = &converted->stats,
				    .samples = stats->source.samples,
				    .lost_samples = stats->feed.lost_records,
			    });
	return check_grade(conversion, converted, error);
}

static int write_fdata(struct pgb_conversion *conversion, size_t index, struct pgb_error *error)
{
	struct pgb_profile *profile = conversion->targets[index].profile;
	struct pgb_converted *converted = &conversion->result->binaries.items[index];
	int code;

	converted->fdata_file = file_name(conversion->job, ".fdata");
	code = pgb_fdata_write_file(converted->fdata_file, profile, error);
	return code ? code : write_note(conversion, converted, error);
}

static int write_preagg(struct pgb_conversion *conversion, size_t index, struct pgb_error *error)
{
	struct pgb_converted *converted = &conversion->result->binaries.items[index];
	struct pgb_out_file out = {0};
	char *event;
	int code;

	if (conversion->from_fdata) {
		pgb_fail(error, PGB_E_USAGE,
			 "%s holds names of functions, not addresses: no pre-aggregated text can "
			 "be made of it",
			 conversion->from_fdata);
		return pgb_remedy(error, "use --format fdata");
	}
	converted->preagg_file = file_name(conversion->job, ".preagg");
	code = pgb_out_open(&out, converted->preagg_file, error);
	if (code != 0)
		return code;
	event = pgb_dup(conversion->events.list.count > 0 ? conversion->events.list.items[0] : "");
	if (event[0] != '\0' && event[strlen(event) - 1] == ':')
		event[strlen(event) - 1] = '\0'; /* perf script puts it behind names */
	code = pgb_preagg_write(out.stream, conversion->edges, (uint32_t)index,
				event[0] ? event : NULL, &converted->preagg_lost, error);
	if (code == 0)
		code = pgb_out_commit(&out, error);
	pgb_out_discard(&out);
	free(event);
	return code;
}

int pgb_convert_write(struct pgb_conversion *conversion, struct pgb_error *error)
{
	const struct pgb_convert_job *job = conversion->job;
	int code = 0;

	for (size_t i = 0; i < job->binary_count && code == 0; i++) {
		bool fdata = job->formats == 0 || (job->formats & PGB_CONVERT_FDATA);

		if (fdata || job->min_grade)
			code = make_profile(conversion, i, error);
		if (code == 0 && fdata)
			code = write_fdata(conversion, i, error);
		if (code == 0 && (job->formats & PGB_CONVERT_PREAGG))
			code = write_preagg(conversion, i, error);
	}
	return code;
}
