/* SPDX-License-Identifier: MIT */
/* The command with the copies in place, and what its processes leave behind. */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bolt/instrument_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/collector/process_tree.h"

enum {
	WAIT_MS = 200,
	/* A command of very many processes must not fill the disk with their profiles. */
	WAITING_MAX = 256,
	/* After the end: watchers look once a second, and large programs take a while to write. */
	LEFTOVER_MS = 10000,
	/* After the end of a recording's time: whoever runs a copy then does not watch. */
	WATCHER_MS = 5000,
	/* What was written so long ago is not being written any more. */
	SETTLED_S = 3,
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t own_cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

/* ---- raw profiles */

/* "3.1234.fdata": target 3, process 1234; "3": target 3, all processes. */
static bool parse_name(const struct pgb_instrument *instrument, const char *name, size_t *index,
		       pid_t *pid)
{
	char *end;

	*index = strtoul(name, &end, 10);
	if (end == name || *index >= instrument->targets.count)
		return false;
	*pid = 0;
	if (*end == '\0')
		return true;
	if (*end != '.' || end[1] < '0' || end[1] > '9')
		return false;
	*pid = (pid_t)strtol(end + 1, &end, 10);
	return strcmp(end, ".fdata") == 0;
}

/* Is it surely whole? The process has gone, and a while ago. */
static bool is_settled(const char *path, pid_t pid)
{
	struct stat status;

	return pid > 0 && kill(pid, 0) != 0 && errno == ESRCH && stat(path, &status) == 0 &&
	       time(NULL) - status.st_mtime >= SETTLED_S;
}

static void take_file(const struct pgb_instrument *instrument, struct pgb_instrument_target *target,
		      const char *path)
{
	struct pgb_error why = {0};
	int code;

	if (target->profile == NULL)
		target->profile = pgb_profile_new();
	code = pgb_fdata_read_file(path, 1, target->profile, &why);
	unlink(path);
	target->files++;
	if (code == PGB_E_EMPTY) {
		target->files_empty++;
	} else if (code != 0) {
		target->files_bad++;
		pgb_log(instrument->config.log, PGB_LOG_WARNING,
			"the counts of one process were cut short: %s", why.message);
	}
}

/* What one pass over the raw profiles does with each. */
typedef void raw_visitor(struct pgb_instrument *instrument, const char *path, size_t index,
			 pid_t pid, void *context);

static void for_raw(struct pgb_instrument *instrument, raw_visitor *visit, void *context)
{
	DIR *listing = opendir(instrument->raw);
	struct dirent *entry;

	while (listing && (entry = readdir(listing)) != NULL) {
		size_t index;
		pid_t pid;
		char *path;

		if (!parse_name(instrument, entry->d_name, &index, &pid))
			continue;
		path = pgb_format("%s/%s", instrument->raw, entry->d_name);
		visit(instrument, path, index, pid, context);
		free(path);
	}
	if (listing)
		closedir(listing);
}

static void collect_one(struct pgb_instrument *instrument, const char *path, size_t index,
			pid_t pid, void *context)
{
	const bool *all = context;

	if (*all || is_settled(path, pid))
		take_file(instrument, &instrument->targets.items[index], path);
}

static void collect(struct pgb_instrument *instrument, bool all)
{
	for_raw(instrument, collect_one, &all);
}

static void count_one(struct pgb_instrument *instrument, const char *path, size_t index, pid_t pid,
		      void *context)
{
	(void)instrument;
	(void)path;
	(void)index;
	(void)pid;
	++*(size_t *)context;
}

/* ---- the run */

static int start(struct pgb_instrument *instrument, struct pgb_error *error)
{
	const struct pgb_spawn spawn = {
		.argv = instrument->config.argv,
		.file = instrument->binds.count == 0 ? instrument->targets.items[0].copy : NULL,
		.binds = instrument->binds.items,
		.bind_count = instrument->binds.count,
	};
	int code;

	instrument->stats.starting = true;
	code = pgb_process_spawn(&instrument->process, &spawn, error);
	instrument->stats.started = code == 0;
	return code;
}

static bool is_copy(const struct pgb_instrument *instrument, const struct stat *status)
{
	for (size_t i = 0; i < instrument->targets.count; i++)
		if (instrument->targets.items[i].device == status->st_dev &&
		    instrument->targets.items[i].inode == status->st_ino)
			return true;
	return false;
}

static bool runs_copy(const struct pgb_instrument *instrument, pid_t pid)
{
	char *path = pgb_format("/proc/%d/exe", (int)pid);
	struct stat status;
	bool is = stat(path, &status) == 0 && is_copy(instrument, &status);

	free(path);
	return is;
}

/*
 * A copy's child that runs the copy too may be the watcher that writes its counts, which it does
 * once more when it sees its parent gone.
 */
static bool may_watch(const struct pgb_process_relative *member, const void *context)
{
	return runs_copy(context, member->pid) && runs_copy(context, member->parent);
}

/* Ends with the command, or with what the duration or a signal makes of it. */
static void follow(struct pgb_instrument *instrument)
{
	const struct pgb_instrument_config *config = &instrument->config;
	struct pgb_session_stats *stats = &instrument->stats;
	uint64_t begin_ns = now_ns();
	int wait_status = 0;

	while (pgb_process_wait(&instrument->process, WAIT_MS, &wait_status, NULL) == 0) {
		size_t waiting = 0;

		if (pgb_session_signals_pass(config->signals, &instrument->signals_seen,
					     instrument->process.pid))
			stats->interrupted = true;
		if (config->duration_ns && !stats->stopped &&
		    now_ns() - begin_ns >= config->duration_ns) {
			stats->stopped = true;
			pgb_process_tree_kill_but(instrument->process.pid, SIGTERM, may_watch,
						  instrument);
		}
		for_raw(instrument, count_one, &waiting);
		if (waiting > WAITING_MAX)
			collect(instrument, false);
	}
	stats->duration_ns = now_ns() - begin_ns;
	stats->has_exit_status = true;
	stats->exit_status = pgb_process_exit_status(wait_status);
	stats->exit_signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
}

/* `number` to processes that run a copy: programs that went on in the background, watchers. */
static size_t signal_running(const struct pgb_instrument *instrument, int number)
{
	DIR *listing = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (listing && (entry = readdir(listing)) != NULL) {
		pid_t pid = (pid_t)atoi(entry->d_name);
		int pidfd;

		if (pid <= 0 || !runs_copy(instrument, pid))
			continue;
		count++;
		if (number == 0)
			continue;
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (pidfd < 0)
			continue;
		/* the number may have been given away since */
		if (runs_copy(instrument, pid))
			syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
		close(pidfd);
	}
	if (listing)
		closedir(listing);
	return count;
}

static void await_leftovers(struct pgb_instrument *instrument)
{
	const struct pgb_session_signals *signals = instrument->config.signals;
	const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
	uint64_t begin_ns = now_ns();
	bool ending = !instrument->stats.stopped;
	size_t count;

	while ((count = signal_running(instrument, 0)) > 0) {
		bool impatient = signals && signals->count > instrument->signals_seen;
		uint64_t waited_ns = now_ns() - begin_ns;

		if (!ending && waited_ns > (uint64_t)WATCHER_MS * 1000000) {
			signal_running(instrument, SIGTERM);
			ending = true;
		}
		if (impatient || waited_ns > (uint64_t)LEFTOVER_MS * 1000000) {
			pgb_log(instrument->config.log, PGB_LOG_WARNING,
				"%zu processes with counters still run: what they count is lost",
				count);
			return;
		}
		nanosleep(&pause, NULL);
	}
}

int pgb_instrument_run(struct pgb_instrument *instrument, struct pgb_session_stats *stats,
		       struct pgb_error *error)
{
	uint64_t cpu_start_ns = own_cpu_ns();
	int code = start(instrument, error);

	if (code == 0) {
		follow(instrument);
		await_leftovers(instrument);
	}
	instrument->stats.cpu_ns = own_cpu_ns() - cpu_start_ns;
	*stats = instrument->stats;
	return code;
}

/* ---- the profile */

static int explain_empty(const struct pgb_instrument *instrument,
			 const struct pgb_instrument_target *target, struct pgb_error *error)
{
	int number = instrument->stats.exit_signal;

	if (number != 0 && !instrument->config.server) {
		pgb_fail(error, PGB_E_EMPTY,
			 "%s wrote no counts: it was ended by signal %d (%s), and counts are "
			 "written when a program ends by itself",
			 target->original, number, strsignal(number));
		pgb_remedy(error, "with --server counts outlive a program that is killed; -d "
				  "SECONDS implies it");
		return PGB_E_EMPTY;
	}
	pgb_fail(error, PGB_E_EMPTY, "%s wrote no counts: %s", target->original,
		 target->files == 0
			 ? "no process that runs it came to its end by itself (exit, not _exit)"
			 : "none of its functions with counters ran");
	pgb_remedy(error, "is it what the command runs? Another file is chosen with --for FILE; "
			  "--server counts also what does not end by itself");
	return PGB_E_EMPTY;
}

int pgb_instrument_merge(struct pgb_instrument *instrument, size_t index,
			 struct pgb_profile **profile, struct pgb_error *error)
{
	struct pgb_instrument_target *target = &instrument->targets.items[index];

	collect(instrument, true);
	if (target->profile == NULL || pgb_profile_total(target->profile) == 0)
		return explain_empty(instrument, target, error);
	*profile = target->profile;
	return 0;
}

uint64_t pgb_instrument_processes(const struct pgb_instrument *instrument, size_t index)
{
	const struct pgb_instrument_target *target = &instrument->targets.items[index];

	return target->files - target->files_empty - target->files_bad;
}
