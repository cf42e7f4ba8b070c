/* SPDX-License-Identifier: MIT */
/*
 * perf.data into edges. Which binary a mapping is of: build-ids tell (of the mapping itself, else
 * of perf's table), wherever the file lay when it ran; where there is none, the file's name does.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pgo/convert_private.h"
#include "pgo/recording_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_perfdata.h"

enum {
	RECORDS_PER_PROGRESS = 8192,
	PREPARE_BYTES_LEAST = 4 * 1024 * 1024,
};

/* One file on its way; also the feed that the session sees: it yields only what is wanted. */
struct reading {
	struct pgb_feed base;
	struct pgb_conversion *conversion;
	const struct pgb_merge_input *input;
	size_t index;
	const char *name;
	struct pgb_feed *feed; /* the file */
	const struct pgb_perfdata_info *info;
	const struct pgb_source *source; /* what is converted */
	bool some_cycles; /* addresses: an event counts cycles, so only such events are taken */
	uint64_t size_bytes;
	uint64_t records;  /* since progress was told last */
	uint64_t filtered; /* samples whose stacks hold a choice of branches only */
};

/* ---- events */

/* With a filter, what lies between two entries of a stack is no straight line. */
static bool has_whole_stacks(const struct reading *reading, const struct pgb_perfdata_event *event)
{
	if (!(event->format.sample_type & PERF_SAMPLE_BRANCH_STACK))
		return false;
	return reading->conversion->job->compat_perf2bolt ||
	       (event->format.branch_sample_type & PERF_SAMPLE_BRANCH_ANY);
}

static bool has_addresses(const struct pgb_perfdata_event *event)
{
	return event->format.sample_type & PERF_SAMPLE_IP;
}

static bool counts_cycles(const struct pgb_perfdata_event *event)
{
	return strstr(event->name, "cycles") != NULL || strstr(event->name, "cpu-clock") != NULL ||
	       strstr(event->name, "task-clock") != NULL;
}

/* Is it an event of this PMU, or of one of several that begin so? */
static bool is_of_pmu(const struct reading *reading, const struct pgb_perfdata_event *event,
		      const char *name)
{
	const struct pgb_perfdata_info *info = reading->info;

	for (size_t i = 0; i < info->pmus.count; i++)
		if (info->pmus.items[i].type == event->attr.type)
			return strncmp(info->pmus.items[i].name, name, strlen(name)) == 0;
	return strncmp(event->name, name, strlen(name)) == 0;
}

static bool has_spe(const struct reading *reading, const struct pgb_perfdata_event *event)
{
	return is_of_pmu(reading, event, "arm_spe_");
}

static bool has_ibs(const struct reading *reading, const struct pgb_perfdata_event *event)
{
	return event->format.sample_type & PERF_SAMPLE_RAW && is_of_pmu(reading, event, "ibs_op");
}

static bool is_wanted(const struct reading *reading, uint32_t index)
{
	const struct pgb_perfdata_event *event = &reading->info->events.items[index];

	if (reading->source == &pgb_source_lbr)
		return has_whole_stacks(reading, event);
	if (reading->source == &pgb_source_spe)
		return has_spe(reading, event);
	if (reading->source == &pgb_source_ibs)
		return has_ibs(reading, event);
	/* Addresses of cache misses beside those of cycles would count for time spent. */
	return has_addresses(event) && (!reading->some_cycles || counts_cycles(event));
}

static void choose_events(struct reading *reading)
{
	const struct pgb_convert_job *job = reading->conversion->job;
	bool stacks = false, spe = false, ibs = false;

	for (size_t i = 0; i < reading->info->events.count; i++) {
		const struct pgb_perfdata_event *event = &reading->info->events.items[i];

		stacks |= has_whole_stacks(reading, event);
		spe |= has_spe(reading, event);
		ibs |= has_ibs(reading, event);
		if (has_addresses(event) && counts_cycles(event) && !job->compat_perf2bolt)
			reading->some_cycles = true;
	}
	reading->source = job->basic ? &pgb_source_ip
			  : stacks   ? &pgb_source_lbr
			  : spe	     ? &pgb_source_spe
			  : ibs	     ? &pgb_source_ibs
				     : &pgb_source_ip;
}

/* ---- the feed that the session sees */

static void tell_progress(struct reading *reading, uint64_t records)
{
	const struct pgb_convert_job *job = reading->conversion->job;

	reading->records += records;
	if (job->progress == NULL || reading->records < RECORDS_PER_PROGRESS)
		return;
	reading->records = 0;
	job->progress(job->progress_context, reading->index, reading->info->end_offset,
		      reading->size_bytes);
}

static int next_wanted(struct pgb_feed *base, struct pgb_record *record, struct pgb_feed_run *run,
		       struct pgb_error *error)
{
	struct reading *reading = (struct reading *)base;
	uint64_t *left_out = &reading->conversion->result->left_out;
	int status;

	while ((status = pgb_feed_next_run(reading->feed, record, run, error)) > 0) {
		tell_progress(reading, status == PGB_FEED_RUN ? run->count : 1);
		if (status == PGB_FEED_RUN) {
			if (is_wanted(reading, run->event))
				return status;
			*left_out += run->count;
			pgb_feed_give_back(reading->feed, run);
		} else {
			if (record->type != PERF_RECORD_SAMPLE || is_wanted(reading, record->event))
				return status;
			++*left_out;
		}
	}
	base->stats = reading->feed->stats;
	return status;
}

static void give_back(struct pgb_feed *base, const struct pgb_feed_run *run)
{
	struct reading *reading = (struct reading *)base;

	pgb_feed_give_back(reading->feed, run);
	base->stats = reading->feed->stats;
}

static const struct pgb_feed_ops reading_ops = {.next_run = next_wanted, .give_back = give_back};

/* ---- binaries */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] != '\0' ? slash + 1 : path;
}

/* What is known of a mapped file's build; size 0: nothing. */
static struct pgb_build_id build_id_of(const struct reading *reading,
				       const struct pgb_map_event *event)
{
	const struct pgb_build_id *id = &event->build_id;

	if (id->size_bytes == 0)
		id = pgb_feed_perfdata_build_id(reading->feed, event->path);
	if (id == NULL) {
		/* perf keeps what the kernel says of a file that was deleted. */
		char *deleted = pgb_format("%s (deleted)", event->path);

		id = pgb_feed_perfdata_build_id(reading->feed, deleted);
		free(deleted);
	}
	return id ? *id : (struct pgb_build_id){0};
}

/* NULL: none of the given binaries. */
static struct pgb_convert_target *find_target(const struct reading *reading,
					      const struct pgb_map_event *event,
					      const struct pgb_build_id *id)
{
	const struct pgb_conversion *conversion = reading->conversion;
	const struct pgb_convert_job *job = conversion->job;
	struct pgb_convert_target *named = NULL;
	char *other;

	for (size_t i = 0; i < job->binary_count; i++) {
		struct pgb_convert_target *target = &conversion->targets[i];

		if (pgb_build_id_equal(&target->binary.build_id, id))
			return target;
		if (strcmp(base_name(target->path), base_name(event->path)) == 0 &&
		    (named == NULL || strcmp(target->path, event->path) == 0))
			named = target;
	}
	if (named && id->size_bytes == 0)
		named->by_name = true;
	if (named == NULL || job->ignore_build_id || id->size_bytes == 0)
		return named;
	other = pgb_build_id_string(id);
	pgb_convert_set_other_build(named, other);
	free(other);
	return NULL;
}

static int open_binary(void *context, struct pgb_binary *binary, const struct pgb_map_event *event)
{
	const struct reading *reading = context;
	struct pgb_build_id id = build_id_of(reading, event);
	const struct pgb_convert_target *target = find_target(reading, event, &id);
	int code;

	if (target == NULL) {
		binary->build_id = id;
		binary->path = pgb_dup(event->path);
		binary->path_open = pgb_dup(event->path);
		binary->kind = PGB_BINARY_NOT_ELF; /* not to be opened: offsets in it will do */
		return 0;
	}
	code = pgb_binary_read(binary, event->path, target->path, NULL);
	if (code == 0 && reading->conversion->job->ignore_build_id && id.size_bytes > 0)
		binary->build_id = id;
	return code;
}

static uint32_t target_of(const struct pgb_conversion *conversion, const struct pgb_binary *binary)
{
	for (size_t i = 0; i < conversion->job->binary_count; i++)
		if (binary->kind == PGB_BINARY_ELF &&
		    strcmp(binary->path_open, conversion->targets[i].path) == 0)
			return (uint32_t)i;
	return UINT32_MAX;
}

/* By binary. The caller frees it. */
static uint64_t *sum_counts(const struct pgb_edges *edges, uint32_t binary_count)
{
	uint64_t *sums = pgb_calloc(binary_count, sizeof(*sums));
	size_t count;
	const struct pgb_edge *list = pgb_edges_unsorted(edges, &count);

	for (size_t i = 0; i < count; i++)
		sums[list[i].binary] = pgb_count_add(sums[list[i].binary], list[i].count);
	return sums;
}

/* The session numbers what it saw, the conversion what was asked for. */
static void take_edges(struct reading *reading, struct pgb_session *session)
{
	struct pgb_conversion *conversion = reading->conversion;
	struct pgb_addrspace *space = pgb_session_addrspace(session);
	struct pgb_edges *edges = pgb_session_edges(session);
	uint32_t count = pgb_addrspace_binary_count(space);
	uint32_t *targets = pgb_calloc(count, sizeof(*targets));
	uint64_t *sums = sum_counts(edges, count);

	for (uint32_t i = 0; i < count; i++) {
		const struct pgb_binary *binary = pgb_addrspace_binary(space, i);
		char *id = NULL;

		targets[i] = target_of(conversion, binary);
		if (targets[i] != UINT32_MAX && pgb_session_is_executable(session, i))
			conversion->targets[targets[i]].executable = true;
		if (targets[i] != UINT32_MAX || sums[i] == 0)
			continue;
		if (binary->build_id.size_bytes > 0)
			id = pgb_build_id_string(&binary->build_id);
		pgb_convert_add_other(conversion, binary->path, id,
				      pgb_count_multiply(sums[i], reading->input->weight));
		free(id);
	}
	pgb_edges_merge(conversion->edges, edges, targets, reading->input->weight);
	free(targets);
	free(sums);
}

/* ---- what a file may be, instead of what was hoped for */

/* Before anything is read. In a pipe some of it is known only at the end. */
static int check_before(struct reading *reading, struct pgb_error *error)
{
	const struct pgb_convert_job *job = reading->conversion->job;
	bool addresses = false, stacks = false;
	int code =
		pgb_convert_check_machine(reading->conversion, reading->info, reading->name, error);

	if (code != 0)
		return code;
	choose_events(reading);
	if (reading->source->reads_aux)
		pgb_feed_perfdata_attach_aux(reading->feed);
	for (size_t i = 0; i < reading->info->events.count; i++) {
		const struct pgb_perfdata_event *event = &reading->info->events.items[i];

		addresses |= has_addresses(event);
		stacks |= (event->format.sample_type & PERF_SAMPLE_BRANCH_STACK) != 0;
	}
	if (reading->source->has_branches || job->basic)
		return 0;
	if (!addresses)
		return pgb_fail(error, PGB_E_EMPTY, "%s holds samples without addresses",
				reading->name);
	pgb_log(job->log, PGB_LOG_WARNING,
		stacks ? "%s: its branch stacks hold some kinds of branches only (recorded with a "
			 "filter): the samples' addresses are converted instead, and llvm-bolt "
			 "gains less from these. Record with: perf record -j any,u"
		       : "%s has no branch stacks: the samples' addresses are converted instead, "
			 "and llvm-bolt gains less from these. Record with perf record -j any,u, "
			 "or with pgobolt record",
		reading->name);
	return 0;
}

static void report_end(const struct reading *reading)
{
	const struct pgb_perfdata_info *info = reading->info;
	const struct pgb_log *log = reading->conversion->job->log;
	const char *what = NULL;

	if (info->end == PGB_PERFDATA_UNFINISHED) {
		pgb_log(log, PGB_LOG_WARNING,
			"%s was not finished by perf record: it has no build-ids", reading->name);
		return;
	}
	if (info->end == PGB_PERFDATA_CUT)
		what = "is cut";
	else if (info->end == PGB_PERFDATA_DAMAGED)
		what = "is damaged";
	if (what == NULL)
		return;
	reading->conversion->result->incomplete = true;
	pgb_log(log, PGB_LOG_WARNING, "%s %s at byte %" PRIu64 ": converted up to there",
		reading->name, what, info->end_offset);
}

/* In a pipe perf tells build-ids of files only after it told of their mappings. */
static void check_late_build_ids(struct reading *reading, struct pgb_session *session)
{
	struct pgb_conversion *conversion = reading->conversion;
	struct pgb_addrspace *space = pgb_session_addrspace(session);

	if (!reading->info->pipe_mode || conversion->job->ignore_build_id)
		return;
	for (uint32_t i = 0; i < pgb_addrspace_binary_count(space); i++) {
		const struct pgb_binary *binary = pgb_addrspace_binary(space, i);
		uint32_t target = target_of(conversion, binary);
		const struct pgb_build_id *id =
			pgb_feed_perfdata_build_id(reading->feed, binary->path);
		char *text;

		if (target == UINT32_MAX || id == NULL)
			continue;
		conversion->targets[target].by_name = false;
		if (pgb_build_id_equal(id, &binary->build_id))
			continue;
		text = pgb_build_id_string(id);
		pgb_convert_set_other_build(&conversion->targets[target], text);
		conversion->targets[target].mistaken = true;
		free(text);
	}
}

static int check_after(struct reading *reading, struct pgb_session *session,
		       struct pgb_error *error)
{
	const struct pgb_session_stats *stats = pgb_session_stats(session);

	report_end(reading);
	check_late_build_ids(reading, session);
	if (stats->source.samples == 0 && reading->info->aux_kind)
		return pgb_convert_refuse_aux(reading->name, reading->info->aux_kind, error);
	if (reading->source->has_branches && stats->source.samples > 0 &&
	    stats->source.samples == stats->source.samples_empty) {
		pgb_fail(error, PGB_E_EMPTY, "%s: all %" PRIu64 " branch stacks are empty",
			 reading->name, stats->source.samples);
		return pgb_remedy(error, "take the samples' addresses: --basic");
	}
	return pgb_convert_check_machine(reading->conversion, reading->info, reading->name, error);
}

/* ---- all of it */

static void add_event_names(struct reading *reading)
{
	for (size_t i = 0; i < reading->info->events.count; i++) {
		const struct pgb_perfdata_event *event = &reading->info->events.items[i];
		char *name;

		if (event->samples == 0 || !is_wanted(reading, (uint32_t)i))
			continue;
		name = pgb_format("%s:", event->name);
		pgb_convert_add_name(&reading->conversion->events, name);
		free(name);
	}
}

/* Where and how it was recorded. */
static void note_origin(struct reading *reading)
{
	const struct pgb_perfdata_info *info = reading->info;
	struct pgb_recording *origin = &reading->conversion->origin;

	if (origin->machine || info->arch == NULL)
		return;
	origin->machine = pgb_dup(info->arch);
	origin->command = pgb_dup(info->command_line ? info->command_line : "");
	origin->cpu = pgb_dup(info->cpu_description ? info->cpu_description : "");
	origin->kernel = pgb_dup(info->os_release ? info->os_release : "");
	for (size_t i = 0; i < info->events.count; i++) {
		const struct perf_event_attr *attr = &info->events.items[i].attr;

		if (!is_wanted(reading, (uint32_t)i))
			continue;
		origin->rate = (struct pgb_rate){0};
		if (attr->freq)
			origin->rate.frequency_hz = attr->sample_freq;
		else
			origin->rate.period_events = attr->sample_period;
	}
}

static int consume(struct reading *reading, struct pgb_error *error)
{
	struct pgb_conversion *conversion = reading->conversion;
	const struct pgb_decode_options decode = {
		.compat_perf2bolt = conversion->job->compat_perf2bolt,
	};
	const struct pgb_binary_opener opener = {.open = open_binary, .context = reading};
	const struct pgb_session_config config = {
		.log = conversion->job->log,
		.source = reading->source,
		.decode = &decode,
		.opener = &opener,
	};
	struct pgb_session *session;
	int code = pgb_session_new(&session, &config, error);

	if (code != 0)
		return code;
	code = pgb_session_consume(session, &reading->base, error);
	pgb_recording_add_counters(&conversion->result->stats, pgb_session_stats(session));
	if (code == 0)
		code = check_after(reading, session, error);
	if (code == 0) {
		pgb_convert_add_name(&conversion->sources, config.source->name);
		add_event_names(reading);
		note_origin(reading);
		take_edges(reading, session);
	}
	pgb_session_free(session);
	return code;
}

int pgb_convert_read_perf_data(struct pgb_conversion *conversion, size_t index,
			       struct pgb_error *error)
{
	const struct pgb_merge_input *input = &conversion->job->inputs[index];
	const struct pgb_feed_perfdata_config config = {.path = input->path};
	struct reading reading = {
		.base = {.ops = &reading_ops},
		.conversion = conversion,
		.input = input,
		.index = index,
		.name = strcmp(input->path, "-") == 0 ? "standard input" : input->path,
	};
	struct stat status;
	int code;

	if (stat(input->path, &status) == 0 && S_ISREG(status.st_mode))
		reading.size_bytes = (uint64_t)status.st_size;
	code = pgb_feed_perfdata_new(&reading.feed, &config, error);
	if (code != 0)
		return code;
	reading.info = pgb_feed_perfdata_info(reading.feed);
	code = check_before(&reading, error);
	/* Small ones are over before it would pay. */
	if (code == 0 && reading.source->has_branches && reading.size_bytes >= PREPARE_BYTES_LEAST)
		pgb_convert_prepare(conversion);
	if (code == 0)
		code = consume(&reading, error);
	pgb_feed_free(reading.feed);
	return code;
}
