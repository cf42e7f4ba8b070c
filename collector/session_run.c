/* SPDX-License-Identifier: MIT */
/* The live run: the program or the processes, the rings, the clock and the signals. */
#include <dirent.h>
#include <elf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "collector/session_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_live.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/perfdata_write.h"
#include "pgobolt/collector/process_tree.h"

enum {
	/* Records between two looks at the clock and the program. */
	DRAIN_RECORDS = 8192,
	/* The longest sleep: rings wake us when they fill, SIGCHLD when the program ends. */
	WAIT_MS = 200,
	/* Shorter at first: a file can be deleted soon after its start, and must be open then. */
	WAIT_FIRST_MS = 10,
	PROGRESS_NS = 200 * 1000 * 1000,
	SIGNALS_TO_KILL = 3,
	/* A program that still runs this long after the recording ended is told of. */
	PATIENCE_MS = 2000,
	AUXV_BYTES = 4096,
};

static uint64_t now_ns(const struct pgb_session *session)
{
	return session->sys->clock_ns(session->sys->context);
}

static uint64_t own_cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

/* ---- processes that run already */

static uint64_t entry_address(uint32_t pid)
{
	char *path = pgb_format("/proc/%u/auxv", pid);
	struct pgb_text text = {0};
	uint64_t entry = 0;
	struct pgb_cursor at;

	(void)pgb_file_read(&text, path, AUXV_BYTES, NULL);
	at = pgb_cursor_of(text.data, text.length);
	while (entry == 0 && pgb_cursor_holds(&at, 2, 8)) {
		uint64_t type = pgb_cursor_u64(&at);
		uint64_t value = pgb_cursor_u64(&at);

		if (type == AT_ENTRY)
			entry = value;
	}
	pgb_text_release(&text);
	free(path);
	return entry;
}

/* Call `each` for every number in a folder of /proc. */
static void for_numbers(struct pgb_session *session, const char *folder, uint32_t pid,
			void (*each)(struct pgb_session *session, uint32_t pid, uint32_t number))
{
	DIR *listing = opendir(folder);
	struct dirent *entry;

	while (listing && (entry = readdir(listing)) != NULL) {
		char *end;
		unsigned long number = strtoul(entry->d_name, &end, 10);

		if (end != entry->d_name && *end == '\0')
			each(session, pid, (uint32_t)number);
	}
	if (listing)
		closedir(listing);
}

static void learn_thread(struct pgb_session *session, uint32_t pid, uint32_t tid)
{
	pgb_tasks_add(&session->tasks, pid, tid);
}

static int learn(struct pgb_session *session, uint32_t pid, struct pgb_error *error)
{
	char *folder = pgb_format("/proc/%u/task", pid);
	int code = pgb_addrspace_scan(session->space, pid, error);

	for_numbers(session, folder, pid, learn_thread);
	free(folder);
	if (code == 0 && session->raw)
		pgb_perfdata_writer_process(session->raw, pid);
	if (code == 0)
		pgb_session_add_executable(
			session,
			pgb_addrspace_find(session->space, pid, entry_address(pid)).binary);
	return code;
}

static void learn_process(struct pgb_session *session, uint32_t unused, uint32_t pid)
{
	(void)unused;
	/* Kernel threads have no mappings; others may have ended, or not be ours to see. */
	(void)learn(session, pid, NULL);
}

/* Enabled first and learned then: what is mapped in between is in the rings, and told twice. */
static int learn_targets(struct pgb_session *session, struct pgb_error *error)
{
	const struct pgb_session_config *config = &session->config;

	if (config->system_wide)
		for_numbers(session, "/proc", 0, learn_process);
	for (size_t i = 0; i < config->pid_count; i++) {
		struct pgb_error why = {0};
		int code = learn(session, (uint32_t)config->pids[i], &why);

		if (code == PGB_E_GONE)
			pgb_log(config->log, PGB_LOG_WARNING, "%s", why.message);
		else if (code != 0)
			return pgb_fail(error, code, "%s", why.message);
	}
	return 0;
}

/* ---- start */

static bool records_program(const struct pgb_session *session)
{
	return session->config.pid_count == 0 && !session->config.system_wide;
}

static int hold_program(struct pgb_session *session, struct pgb_error *error)
{
	const struct pgb_spawn spawn = {.argv = session->config.argv, .held = true};

	if (session->config.argv == NULL)
		return 0;
	return pgb_process_spawn(&session->process, &spawn, error);
}

static int open_feed(struct pgb_session *session, struct pgb_error *error)
{
	const struct pgb_session_config *config = &session->config;
	const struct pgb_source_request request = {
		.event = config->event,
		.rate = config->rate,
		.max_overhead_percent = config->max_overhead_percent,
		.depth = config->depth,
		.seed = config->seed,
	};
	struct pgb_feed_live_config live = {
		.sys = session->sys,
		.host = config->host,
		.log = config->log,
		.attrs = session->plan.attrs,
		.pids = config->pids,
		.pid_count = config->pid_count,
		.system_wide = config->system_wide,
		.aux = config->source->reads_aux,
	};
	int code = config->source->plan(config->host, &request, &session->plan, error);

	if (code != 0)
		return code;
	live.attr_count = session->plan.attr_count;
	if (records_program(session)) {
		live.pids = &session->process.pid;
		live.pid_count = 1;
		live.enable_on_exec = true;
	}
	if (config->source->open) {
		const struct pgb_source_target target = {
			.sys = session->sys,
			.host = config->host,
			.log = config->log,
			.pids = live.pids,
			.pid_count = live.pid_count,
			.own_child = live.enable_on_exec,
		};

		return config->source->open(&target, &request, &session->feed, error);
	}
	code = pgb_feed_live_new(&session->feed, &live, error);
	if (code != 0)
		return code;
	session->stats.ring_bytes = pgb_feed_live_ring_bytes(session->feed);
	if (config->raw_path)
		code = pgb_feed_live_keep(session->feed, config->raw_path, config->host,
					  session->plan.event_name, &session->raw, error);
	return code;
}

static int begin(struct pgb_session *session, struct pgb_error *error)
{
	int code = 0;

	session->start_ns = now_ns(session);
	if (records_program(session)) {
		uint32_t pid = (uint32_t)session->process.pid;

		pgb_tasks_add(&session->tasks, pid, pid);
	} else {
		code = pgb_feed_enable(session->feed, error);
		if (code == 0)
			code = learn_targets(session, error);
	}
	if (code != 0 || session->process.pid <= 0)
		return code;
	session->stats.starting = true;
	code = pgb_process_start(&session->process, error);
	session->stats.started = code == 0;
	return code;
}

/* ---- the run */

/* 1 there may be more, 0 nothing for now, or what the feed says. */
static int drain(struct pgb_session *session, struct pgb_error *error)
{
	struct pgb_record record;
	int status = 1;

	for (int i = 0; i < DRAIN_RECORDS && status > 0; i++) {
		status = pgb_feed_next(session->feed, &record, error);
		if (status > 0)
			pgb_session_dispatch(session, &record);
	}
	return status;
}

static bool program_ended(struct pgb_session *session, int timeout_ms)
{
	struct pgb_session_stats *stats = &session->stats;
	int wait_status;

	if (session->process.pid <= 0)
		return false;
	if (pgb_process_wait(&session->process, timeout_ms, &wait_status, NULL) != 1)
		return false;
	stats->has_exit_status = true;
	stats->exit_status = pgb_process_exit_status(wait_status);
	stats->exit_signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	return true;
}

bool pgb_session_signals_pass(const struct pgb_session_signals *signals, int *seen, pid_t program)
{
	if (signals == NULL || signals->count == *seen)
		return false;
	*seen = signals->count;
	if (program > 0 && signals->count >= SIGNALS_TO_KILL)
		pgb_process_tree_kill(program, SIGKILL);
	else if (program > 0 && !signals->from_terminal)
		kill(program, signals->number);
	return true;
}

static bool attend_signals(struct pgb_session *session)
{
	if (!pgb_session_signals_pass(session->config.signals, &session->signals_seen,
				      session->process.pid))
		return false;
	session->stats.interrupted = true;
	return true;
}

static void report_progress(struct pgb_session *session, uint64_t now)
{
	if (session->config.progress == NULL || now - session->progress_ns < PROGRESS_NS)
		return;
	session->progress_ns = now;
	session->stats.feed = session->feed->stats;
	session->stats.duration_ns = now - session->start_ns;
	session->config.progress(session->config.context, session);
}

static int sleep_ms(uint64_t passed_ns, uint64_t limit_ns)
{
	uint64_t wait_ms = WAIT_FIRST_MS + passed_ns / 1000000 / 10;

	if (wait_ms > WAIT_MS)
		wait_ms = WAIT_MS;
	if (limit_ns != 0 && (limit_ns - passed_ns) / 1000000 < wait_ms)
		wait_ms = (limit_ns - passed_ns) / 1000000 + 1;
	return (int)wait_ms;
}

/* Until something ends it. What the feed fails with, or 0. */
static int gather(struct pgb_session *session, struct pgb_error *error)
{
	uint64_t limit_ns = session->config.duration_ns;
	bool hung_up = false;

	for (;;) {
		int status = drain(session, error);
		uint64_t now = now_ns(session), passed = now - session->start_ns;

		if (status < 0)
			return status;
		if (attend_signals(session) || program_ended(session, hung_up ? WAIT_MS : 0))
			return 0;
		if (limit_ns != 0 && passed >= limit_ns) {
			session->stats.stopped = session->process.pid > 0;
			return 0;
		}
		report_progress(session, now);
		if (status > 0 || hung_up)
			continue;
		hung_up = pgb_feed_wait(session->feed, sleep_ms(passed, limit_ns)) < 0;
		/* Nobody is left to record; our program, if it is one of them, is ending. */
		if (hung_up && (session->process.pid <= 0 || !records_program(session)))
			return 0;
	}
}

/* Stop counting and take what is still in the rings. */
static int end_feed(struct pgb_session *session, struct pgb_error *error)
{
	int status;

	pgb_feed_disable(session->feed);
	session->stats.duration_ns = now_ns(session) - session->start_ns;
	pgb_feed_finish(session->feed);
	do
		status = drain(session, error);
	while (status > 0);
	session->stats.feed = session->feed->stats;
	session->stats.edges_overflow = pgb_edges_overflow(pgb_session_edges(session));
	return status;
}

static void await_program(struct pgb_session *session)
{
	int waited_ms = 0;

	if (session->stats.stopped)
		pgb_process_tree_kill(session->process.pid, SIGTERM);
	while (session->process.pid > 0 && !program_ended(session, WAIT_MS)) {
		attend_signals(session);
		waited_ms += WAIT_MS;
		if (waited_ms == PATIENCE_MS)
			pgb_log(session->config.log, PGB_LOG_WARNING,
				"the recording has ended, the program still runs; to kill it, "
				"interrupt until it was %d times",
				SIGNALS_TO_KILL);
	}
}

/* What was gathered until then is evidence, too; but nothing that is not whole. */
static int finish_raw(struct pgb_session *session, int code, struct pgb_error *error)
{
	const struct pgb_session_config *config = &session->config;
	struct pgb_perfdata_writer *writer = session->raw;
	struct pgb_error why = {0};
	char *command;

	session->raw = NULL;
	if (writer == NULL)
		return code;
	if (!session->stats.started && session->stats.feed.records == 0) {
		pgb_perfdata_writer_free(writer);
		return code;
	}
	command = config->argv ? pgb_process_command_line(config->argv) : pgb_dup("pgobolt record");
	if (pgb_perfdata_writer_finish(writer, session->space, command, &why) < 0 && code == 0) {
		code = why.code;
		if (error)
			*error = why;
	}
	free(command);
	return code;
}

static void wake_up(int number)
{
	(void)number;
}

int pgb_session_run(struct pgb_session *session, struct pgb_error *error)
{
	/* Not to be restarted: the end of the program has to end poll(2). */
	struct sigaction former, action = {.sa_handler = wake_up};
	int code, status;

	pgb_assert(session->feed == NULL);
	session->cpu_start_ns = own_cpu_ns();
	code = hold_program(session, error);
	if (code == 0)
		code = open_feed(session, error);
	sigaction(SIGCHLD, &action, &former);
	if (code == 0 && session->config.opened)
		session->config.opened(session->config.context, session);
	if (code == 0)
		code = begin(session, error);
	if (code == 0) {
		code = gather(session, error);
		status = end_feed(session, error);
		code = code ? code : status;
		await_program(session);
	}
	pgb_process_stop(&session->process, 0);
	code = finish_raw(session, code, error);
	sigaction(SIGCHLD, &former, NULL);
	pgb_feed_free(session->feed);
	session->feed = NULL;
	session->stats.cpu_ns = own_cpu_ns() - session->cpu_start_ns;
	return code;
}

const char *pgb_session_event_name(const struct pgb_session *session)
{
	if (session->plan.event_name[0] != '\0')
		return session->plan.event_name;
	return session->config.event ? session->config.event : "";
}

struct pgb_rate pgb_session_rate(const struct pgb_session *session)
{
	return session->plan.attr_count > 0 ? session->plan.rate : session->config.rate;
}
