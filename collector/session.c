/* SPDX-License-Identifier: MIT */
/* Records on their way to edges: what a session does with each, live or from a file. */
#include "pgobolt/collector/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "collector/session_private.h"
#include "pgobolt/collector/record_stack.h"

/* ---- samples */

/*
 * A sample's branches are counted by the addresses that the process ran at, which is quick; what
 * these are in binaries is looked up once for each distinct one, before any mapping changes.
 */
enum fresh_kind {
	FRESH_IP = 1 << 8, /* else a trace, with these flags .. */
	FRESH_FLAGS = PGB_BRANCH_MISPREDICTED | PGB_BRANCH_NOT_TAKEN | PGB_BRANCH_RETURN,
};

static bool is_binary(struct pgb_location location)
{
	return location.binary != PGB_BINARY_NONE && location.binary != PGB_BINARY_ANONYMOUS;
}

static void count_outside(struct pgb_session *session, bool anonymous, uint64_t count)
{
	if (anonymous)
		session->stats.anonymous += count;
	else
		session->stats.unmapped += count;
}

void pgb_session_place_waiting(struct pgb_session *session)
{
	pgb_edges_add_many(session->edges, session->waiting, session->waiting_count);
	session->waiting_count = 0;
}

static void add_waiting(struct pgb_session *session, const struct pgb_edge *edge)
{
	if (session->waiting_count == PGB_SESSION_WAITING)
		pgb_session_place_waiting(session);
	session->waiting[session->waiting_count++] = *edge;
}

static void place_ip(struct pgb_session *session, const struct pgb_edge *fresh)
{
	struct pgb_location at = pgb_addrspace_find(session->space, fresh->binary, fresh->branch);
	struct pgb_edge edge = *fresh;

	if (!is_binary(at)) {
		count_outside(session, at.binary == PGB_BINARY_ANONYMOUS, fresh->count);
		return;
	}
	session->stats.mapped += fresh->count;
	edge.binary = at.binary;
	edge.kind = PGB_EDGE_IP;
	edge.branch = at.address;
	add_waiting(session, &edge);
}

/* The end of the range that starts at `from`, in the same binary; NONE where there is none. */
static uint64_t range_end(struct pgb_session *session, const struct pgb_edge *fresh,
			  struct pgb_location from)
{
	struct pgb_location end;

	if (fresh->to == PGB_ADDRESS_NONE || !is_binary(from))
		return PGB_ADDRESS_NONE;
	end = pgb_addrspace_find(session->space, fresh->binary, fresh->to);
	return end.binary == from.binary ? end.address : PGB_ADDRESS_NONE;
}

/* Straight on, from nobody knows where; no branch, and not counted as one. */
static void place_range(struct pgb_session *session, const struct pgb_edge *fresh)
{
	struct pgb_location start = pgb_addrspace_find(session->space, fresh->binary, fresh->from);
	struct pgb_edge edge = *fresh;

	edge.to = range_end(session, fresh, start);
	if (edge.to == PGB_ADDRESS_NONE)
		return;
	edge.binary = start.binary;
	edge.kind = PGB_EDGE_TRACE;
	edge.from = start.address;
	add_waiting(session, &edge);
}

static void place_trace(struct pgb_session *session, const struct pgb_edge *fresh)
{
	struct pgb_location source =
		pgb_addrspace_find(session->space, fresh->binary, fresh->branch);
	struct pgb_location target = source;
	struct pgb_edge edge = *fresh;

	edge.branch = is_binary(source) ? source.address : PGB_ADDRESS_EXTERNAL;
	if (fresh->from != PGB_ADDRESS_NONE) {
		target = pgb_addrspace_find(session->space, fresh->binary, fresh->from);
		edge.from = is_binary(target) ? target.address : PGB_ADDRESS_EXTERNAL;
	}
	edge.to = range_end(session, fresh, target);
	if (!is_binary(source) && !is_binary(target)) {
		count_outside(session,
			      source.binary == PGB_BINARY_ANONYMOUS ||
				      target.binary == PGB_BINARY_ANONYMOUS,
			      fresh->count);
		return;
	}
	session->stats.mapped += fresh->count;
	edge.kind = edge.to == PGB_ADDRESS_NONE ? PGB_EDGE_BRANCH : PGB_EDGE_TRACE;
	if (fresh->kind & PGB_BRANCH_RETURN)
		edge.kind = PGB_EDGE_RETURN;
	if (fresh->kind & PGB_BRANCH_NOT_TAKEN) {
		edge.kind = PGB_EDGE_NOT_TAKEN;
		edge.to = PGB_ADDRESS_NONE;
	}
	if (source.binary == target.binary) {
		edge.binary = target.binary;
		add_waiting(session, &edge);
		return;
	}
	/* Two binaries, or one and the outside: each gets its own end of it. */
	if (is_binary(target)) {
		edge.binary = target.binary;
		edge.branch = PGB_ADDRESS_EXTERNAL;
		add_waiting(session, &edge);
	}
	if (is_binary(source)) {
		edge.binary = source.binary;
		edge.kind = fresh->kind & PGB_BRANCH_RETURN ? PGB_EDGE_RETURN : PGB_EDGE_BRANCH;
		edge.branch = source.address;
		edge.from = PGB_ADDRESS_EXTERNAL;
		edge.to = PGB_ADDRESS_NONE;
		add_waiting(session, &edge);
	}
}

void pgb_session_place(struct pgb_session *session, const struct pgb_edge *fresh)
{
	struct pgb_edge edge = *fresh;

	if (edge.kind & PGB_BRANCH_MISPREDICTED)
		edge.mispredicts = edge.count;
	if (edge.kind & FRESH_IP)
		place_ip(session, &edge);
	else if (edge.branch == PGB_ADDRESS_NONE)
		place_range(session, &edge);
	else
		place_trace(session, &edge);
}

static void place_spilled(struct pgb_session_counter *counter)
{
	struct pgb_session *session = counter->session;
	size_t count;
	const struct pgb_edge *edges = pgb_edges_unsorted(counter->spilled, &count);

	pthread_mutex_lock(&session->place_lock);
	for (size_t i = 0; i < count; i++)
		pgb_session_place(session, &edges[i]);
	pthread_mutex_unlock(&session->place_lock);
	pgb_edges_clear(counter->spilled);
}

/* What was counted since the last change of a mapping, or a part of it. */
static void take_counted(void *context, const struct pgb_edge *edge)
{
	struct pgb_session_counter *counter = context;

	pgb_edges_add(counter->spilled, edge);
	if (pgb_edges_count(counter->spilled) == PGB_SESSION_SPILLED)
		place_spilled(counter);
}

void pgb_session_counter_flush(struct pgb_session_counter *counter)
{
	pgb_trace_counts_flush(counter->fresh);
	place_spilled(counter);
}

static void place_fresh(struct pgb_session *session)
{
	if (session->helpers)
		pgb_session_helpers_finish(session->helpers);
	pgb_session_counter_flush(&session->counter);
	pgb_session_place_waiting(session);
}

/* Of an AUX area many samples come at once; else it is told with each. */
static bool is_odd(const struct pgb_session_counter *counter)
{
	if (counter->session->config.source->reads_aux)
		return counter->stats->samples & 1;
	return counter->odd;
}

static struct pgb_trace_stage *begin_traces(void *context, const struct pgb_record *record)
{
	struct pgb_session_counter *counter = context;

	return pgb_trace_counts_begin(counter->fresh, record->pid, is_odd(counter));
}

static void take_trace(void *context, const struct pgb_record *record, uint64_t branch,
		       uint64_t from, uint64_t to, unsigned int flags)
{
	const struct pgb_session_counter *counter = context;
	const struct pgb_trace trace = {branch, from, to, flags};

	pgb_trace_counts_add(counter->fresh, record->pid, is_odd(counter), &trace, 1);
}

static void take_ip(void *context, const struct pgb_record *record, uint64_t address)
{
	take_trace(context, record, address, PGB_ADDRESS_NONE, PGB_ADDRESS_NONE, FRESH_IP);
}

void pgb_session_counter_init(struct pgb_session_counter *counter, struct pgb_session *session,
			      struct pgb_source_stats *stats)
{
	const struct pgb_trace_receiver receiver = {.take = take_counted, .context = counter};
	uint32_t flags = FRESH_IP | FRESH_FLAGS;

	/* perf2bolt believes the code alone. */
	if (session->decode.compat_perf2bolt)
		flags &= ~(uint32_t)PGB_BRANCH_RETURN;
	counter->session = session;
	counter->fresh = pgb_trace_counts_new(&receiver, flags);
	counter->spilled = pgb_edges_new();
	counter->stats = stats;
	counter->sink = (struct pgb_sink){.trace = take_trace,
					  .begin = begin_traces,
					  .ip = take_ip,
					  .process_of = pgb_session_process_of,
					  .thread_at = pgb_session_thread_at,
					  .context = counter};
}

void pgb_session_counter_release(struct pgb_session_counter *counter)
{
	pgb_trace_counts_free(counter->fresh);
	pgb_edges_free(counter->spilled);
}

static void decode(struct pgb_session_counter *counter, const struct pgb_record *record, bool odd)
{
	const struct pgb_session *session = counter->session;

	counter->odd = odd;
	/* What it could not decode it has counted. */
	(void)session->config.source->decode(record, &session->decode, &counter->sink,
					     counter->stats);
}

void pgb_session_decode_run(struct pgb_session_counter *counter, struct pgb_feed_run *run,
			    uint64_t samples_before)
{
	struct pgb_cursor bytes = pgb_cursor_of(run->bytes, run->size_bytes);
	bool stacks = counter->session->config.source == &pgb_source_lbr;
	struct pgb_record_way way = pgb_record_way_of(&run->format);
	struct pgb_record record = {0};

	while (pgb_cursor_left(&bytes) > 0) {
		bool taken = stacks && pgb_record_take_stack(&way, &bytes, &record);
		int code = taken ? 1 : pgb_record_parse(&bytes, &run->format, &record);

		if (code == PGB_E_TRUNCATED) { /* it was whole: somebody changes the file */
			run->malformed++;
			break;
		}
		record.event = run->event;
		if (code == 1) {
			decode(counter, &record, ++samples_before & 1);
		} else {
			run->malformed++;
			run->malformed_bytes += record.size_bytes;
		}
	}
}

/* Every other sample: two halves whose counts are kept apart as well. */
static void take_sample(struct pgb_session *session, const struct pgb_record *record)
{
	if (session->config.source->by_time)
		pgb_session_take_visit(session, record);
	else if (!session->config.source->reads_aux)
		decode(&session->counter, record, ++session->samples & 1);
}

/* ---- processes and mappings */

/* true: it waited; not any more. */
static bool stop_awaiting(struct pgb_session *session, uint32_t pid)
{
	for (size_t i = 0; i < session->awaiting.count; i++) {
		if (session->awaiting.items[i] != pid)
			continue;
		session->awaiting.items[i] = session->awaiting.items[--session->awaiting.count];
		return true;
	}
	return false;
}

static void take_map(struct pgb_session *session, const struct pgb_record *record)
{
	const struct pgb_record_mmap *map = &record->mmap;
	const struct pgb_map_event event = {
		.pid = record->subject_pid,
		.start = map->address,
		.length = map->length,
		.offset_file = map->offset_file,
		.device = makedev(map->major, map->minor),
		.inode = map->inode,
		.inode_generation = map->inode_generation,
		.build_id = map->build_id,
		.path = map->path,
	};

	/* The kernel's own mappings have no process. */
	if (!(map->protection & PROT_EXEC) || record->subject_pid == UINT32_MAX)
		return;
	place_fresh(session);
	pgb_addrspace_map(session->space, &event);
	/* The loader maps the program before its interpreter. */
	if (stop_awaiting(session, event.pid))
		pgb_session_add_executable(
			session, pgb_addrspace_find(session->space, event.pid, event.start).binary);
}

static void take_exec(struct pgb_session *session, uint32_t pid)
{
	session->stats.execs++;
	place_fresh(session);
	pgb_addrspace_exec(session->space, pid);
	pgb_tasks_exec(&session->tasks, pid);
	stop_awaiting(session, pid);
	if (session->awaiting.count < PGB_LIMIT_PROCESSES)
		pgb_array_push(&session->awaiting, pid);
}

static void take_fork(struct pgb_session *session, const struct pgb_record *record)
{
	uint32_t pid = record->subject_pid, parent = record->task.parent_pid;

	if (!pgb_tasks_add(&session->tasks, pid, record->subject_tid))
		return; /* told twice */
	if (session->ended.count > 0) {
		place_fresh(session);
		pgb_session_begin_again(session, pid, record->subject_tid);
	}
	if (pid == parent) {
		session->stats.threads++;
		return;
	}
	session->stats.processes++;
	place_fresh(session);
	pgb_addrspace_fork(session->space, parent, pid);
}

static void take_exit(struct pgb_session *session, const struct pgb_record *record)
{
	uint32_t pid = record->subject_pid, tid = record->subject_tid;
	bool was_last = pgb_tasks_remove(&session->tasks, pid, tid);

	if (was_last)
		stop_awaiting(session, pid);
	if (!was_last && !session->config.source->reads_aux)
		return;
	place_fresh(session);
	if (session->config.source->reads_aux)
		pgb_session_end_later(session, pid, tid, was_last);
	else
		pgb_addrspace_exit(session->space, pid);
}

void pgb_session_dispatch(struct pgb_session *session, const struct pgb_record *record)
{
	switch (record->type) {
	case PERF_RECORD_SAMPLE:
		take_sample(session, record);
		break;
	case PERF_RECORD_AUX:
		if (session->config.source->reads_aux)
			decode(&session->counter, record, false);
		/* fall through */
	case PERF_RECORD_LOST:
	case PERF_RECORD_SWITCH_CPU_WIDE:
		pgb_switches_take(&session->switches, record);
		break;
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
		take_map(session, record);
		break;
	case PERF_RECORD_COMM:
		if (record->misc & PERF_RECORD_MISC_COMM_EXEC)
			take_exec(session, record->subject_pid);
		break;
	case PERF_RECORD_FORK:
		take_fork(session, record);
		break;
	case PERF_RECORD_EXIT:
		take_exit(session, record);
		break;
	default:
		break;
	}
}

/* ---- life and results */

int pgb_session_new(struct pgb_session **result, const struct pgb_session_config *config,
		    struct pgb_error *error)
{
	struct pgb_session *session;

	(void)error;
	pgb_assert(config->source != NULL);
	session = pgb_calloc(1, sizeof(*session));
	session->config = *config;
	session->sys = config->sys ? config->sys : &pgb_perf_sys_kernel;
	if (config->decode)
		session->decode = *config->decode;
	session->space = pgb_addrspace_new(config->opener);
	session->edges = pgb_edges_new();
	pgb_session_counter_init(&session->counter, session, &session->stats.source);
	pthread_mutex_init(&session->place_lock, NULL);
	*result = session;
	return 0;
}

void pgb_session_free(struct pgb_session *session)
{
	if (session == NULL)
		return;
	pgb_process_stop(&session->process, 1000);
	pgb_feed_free(session->feed);
	pgb_addrspace_free(session->space);
	pgb_edges_free(session->edges);
	pgb_session_helpers_free(session->helpers);
	pgb_session_counter_release(&session->counter);
	pgb_session_visits_release(session);
	pthread_mutex_destroy(&session->place_lock);
	pgb_tasks_release(&session->tasks);
	pgb_array_release(&session->ended);
	pgb_switches_release(&session->switches);
	pgb_array_release(&session->awaiting);
	pgb_array_release(&session->executables);
	free(session);
}

struct pgb_edges *pgb_session_edges(struct pgb_session *session)
{
	place_fresh(session);
	pgb_session_settle_visits(session);
	return session->edges;
}

struct pgb_addrspace *pgb_session_addrspace(struct pgb_session *session)
{
	return session->space;
}

const struct pgb_session_stats *pgb_session_stats(const struct pgb_session *session)
{
	return &session->stats;
}
