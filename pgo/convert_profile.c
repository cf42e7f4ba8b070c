/* SPDX-License-Identifier: MIT */
/* Edges to profiles, and how good these are. */
#include <inttypes.h>

#include "pgo/convert_private.h"
#include "pgobolt/base/text.h"

static int add_branches(struct pgb_conversion *conversion, size_t index, struct pgb_error *error)
{
	struct pgb_convert_target *target = &conversion->targets[index];
	struct pgb_converted *converted = &conversion->result->binaries.items[index];
	int code = pgb_elf_image_discover(target->image, error);

	target->cfgs = target->prepared;
	target->prepared = NULL;
	if (code == 0 && target->cfgs == NULL)
		code = pgb_cfgs_new(&target->cfgs, target->image, error);
	if (code == 0 && converted->is_inferred)
		return pgb_infer_edges(target->profile, target->cfgs, conversion->edges,
				       (uint32_t)index, &converted->stats, &converted->inferred,
				       error);
	if (code == 0)
		code = pgb_profile_add_branch_edges(
			target->profile, target->cfgs, conversion->edges, (uint32_t)index,
			conversion->job->compat_perf2bolt, &converted->stats, error);
	return code;
}

/* Counts from fdata are not to the scale of inferred ones. */
static bool shall_infer(const struct pgb_conversion *conversion, const struct pgb_edge *edges,
			size_t count)
{
	const struct pgb_convert_job *job = conversion->job;

	if (job->compat_perf2bolt || conversion->from_fdata || job->infer == PGB_INFER_NEVER)
		return false;
	return job->infer == PGB_INFER_ALWAYS || pgb_infer_applies(edges, count);
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
	converted->is_inferred = count > 0 && shall_infer(conversion, edges, count);
	target->single_branches = pgb_infer_applies(edges, count);
	/* IBS samples both */
	if (samples && branches && !converted->is_inferred && !pgb_infer_applies(edges, count)) {
		pgb_fail(error, PGB_E_MISMATCH,
			 "the inputs hold branches of %s, and samples of addresses: these do not "
			 "add up",
			 target->path);
		return pgb_remedy(error, "convert each kind alone, and keep the branches");
	}
	if (branches || converted->is_inferred)
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
	const struct pgb_profile_stats *stats = &converted->stats;
	struct pgb_text why = {0};

	pgb_text_addf(&why, "of %" PRIu64 " counts %" PRIu64 " are in no function",
		      converted->count, stats->no_function);
	if (stats->external > 0)
		pgb_text_addf(&why, ", %" PRIu64 " in other files at both ends", stats->external);
	pgb_text_addf(&why, ", %" PRIu64 " were dropped", stats->dropped);
	list_drops(stats, &why);
	pgb_fail(error, PGB_E_EMPTY, "nothing of %s can be written: %s", converted->path,
		 pgb_text_string(&why));
	pgb_text_release(&why);
	if (stats->dropped > stats->no_function || stats->external > stats->no_function)
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

int pgb_convert_make_profile(struct pgb_conversion *conversion, size_t index,
			     struct pgb_error *error)
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
	pgb_quality_compute(
		&converted->quality,
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
			.single_branches = conversion->targets[index].single_branches,
			.inferred = converted->is_inferred ? &converted->inferred : NULL,
		});
	if (conversion->targets[index].cfgs != NULL && !conversion->job->compat_perf2bolt)
		pgb_profile_add_goto_entries(profile, conversion->targets[index].cfgs);
	converted->kind = pgb_profile_kind(profile);
	converted->lines = count_lines(profile);
	converted->functions = pgb_profile_function_count(profile);
	return check_grade(conversion, converted, error);
}
