/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/check.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/process.h"

enum {
	CHUNK_BYTES = 65536,
	CHUNKS_MOST = 32,
	POLL_MS = 50, /* how late a time-out, or a request to stop, is seen */
	GRACE_MS = 15000,
	TAIL_BYTES = 4096,
	TAIL_LINES = 12,
};

#define OUTPUT_MAX_BYTES (UINT64_C(1) << 30)

/* What is read as something else in the output: the binary's path and name, as the original's. */
struct alias {
	char *from, *to; /* owned */
	size_t length;	 /* of `from` */
};

struct check_run {
	const struct pgb_check_job *job;
	struct pgb_check_outcome *outcome;
	char *original, *binary; /* absolute, without links; original may be NULL */
	struct alias aliases[2];
	size_t alias_count, alias_longest;
	int fd_out, fd_error;	 /* our ends; -1: ended */
	int fd_notify;		 /* inotify on the binary; -1: not known */
	struct pgb_text pending; /* output that is not hashed yet: an alias may begin in it */
	uint64_t hash;
	char tail[TAIL_BYTES]; /* a ring */
	size_t tail_bytes;     /* all that went through it */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- what it prints */

static void hash_output(struct check_run *run, const char *bytes, size_t length)
{
	uint64_t most = run->job->output_max_bytes ? run->job->output_max_bytes : OUTPUT_MAX_BYTES;
	uint64_t space = most > run->outcome->output_bytes ? most - run->outcome->output_bytes : 0;

	run->outcome->output_bytes += length;
	if (length > space) {
		run->outcome->output_truncated = true;
		length = (size_t)space;
	}
	run->hash = pgb_hash_fnv(run->hash, bytes, length);
}

static const struct alias *alias_at(const struct check_run *run, const char *at, size_t length)
{
	for (size_t i = 0; i < run->alias_count; i++) {
		const struct alias *alias = &run->aliases[i];

		if (alias->length <= length && memcmp(at, alias->from, alias->length) == 0)
			return alias;
	}
	return NULL;
}

/* Hash what is pending, up to where an alias may have begun but not ended; with `all`, all of it.
 */
static void settle(struct check_run *run, bool all)
{
	struct pgb_text *pending = &run->pending;
	size_t kept = all || run->alias_count == 0 ? 0 : run->alias_longest - 1;
	size_t done = 0, plain = 0;

	if (run->alias_count == 0)
		done = pending->length;
	while (done + kept < pending->length) {
		const struct alias *alias =
			alias_at(run, pending->data + done, pending->length - done);

		if (alias == NULL) {
			done++;
			continue;
		}
		hash_output(run, pending->data + plain, done - plain);
		hash_output(run, alias->to, strlen(alias->to));
		done += alias->length;
		plain = done;
	}
	if (done > plain)
		hash_output(run, pending->data + plain, done - plain);
	if (done > 0)
		memmove(pending->data, pending->data + done, pending->length - done);
	pending->length -= done;
}

static void add_tail(struct check_run *run, const char *bytes, size_t length)
{
	for (size_t i = length > TAIL_BYTES ? length - TAIL_BYTES : 0; i < length; i++)
		run->tail[(run->tail_bytes + i) % TAIL_BYTES] = bytes[i];
	run->tail_bytes += length;
}

/*
 * Take what is there now, which is more than a pipe holds; but who prints without end must not keep
 * us from the clock.
 */
static void drain(struct check_run *run, int *fd, bool compared)
{
	char chunk[CHUNK_BYTES];

	for (int i = 0; i < CHUNKS_MOST && *fd >= 0; i++) {
		ssize_t length = read(*fd, chunk, sizeof(chunk));

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && errno == EAGAIN)
			return;
		if (length <= 0) {
			close_fd(fd);
			return;
		}
		add_tail(run, chunk, (size_t)length);
		if (compared) {
			pgb_text_add_bytes(&run->pending, chunk, (size_t)length);
			settle(run, false);
		}
	}
}

/* The last lines of what went through the ring, printable. */
static char *tail_of(const struct check_run *run)
{
	size_t length = run->tail_bytes < TAIL_BYTES ? run->tail_bytes : TAIL_BYTES;
	size_t first = run->tail_bytes - length, lines = 0, start;
	struct pgb_text text = {0};

	for (size_t i = 0; i < length; i++) {
		char letter = run->tail[(first + i) % TAIL_BYTES];
		bool plain = (unsigned char)letter >= ' ' || letter == '\n' || letter == '\t';

		pgb_text_add_bytes(&text, plain && letter != '\177' ? &letter : "?", 1);
	}
	while (text.length > 0 && text.data[text.length - 1] == '\n')
		text.data[--text.length] = '\0';
	for (start = text.length; start > 0; start--)
		if (text.data[start - 1] == '\n' && ++lines == TAIL_LINES)
			break;
	if (start > 0)
		memmove(text.data, text.data + start, text.length - start + 1);
	return pgb_text_detach(&text);
}

/* ---- the process */

char *pgb_check_command(const char *command, const char *path)
{
	const char *const words[] = {path, NULL};
	char *quoted = pgb_process_command_line(words);
	struct pgb_text text = {0};
	const char *at;

	while ((at = strstr(command, "{}")) != NULL) {
		pgb_text_add_bytes(&text, command, (size_t)(at - command));
		pgb_text_add(&text, quoted);
		command = at + 2;
	}
	pgb_text_add(&text, command);
	free(quoted);
	return pgb_text_detach(&text);
}

static int open_pipe(int *fd_ours, int *fd_child, struct pgb_error *error)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return pgb_fail(error, PGB_E_RESOURCE, "cannot make a pipe: %s", strerror(errno));
	/* ends at 0..2 (ours are closed) would be taken for the standard streams */
	for (int i = 0; i < 2; i++)
		if (fds[i] <= 2) {
			int low = fds[i];

			fds[i] = fcntl(low, F_DUPFD_CLOEXEC, 3);
			close(low);
		}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	*fd_ours = fds[0];
	*fd_child = fds[1];
	return 0;
}

static int spawn_once(struct check_run *run, struct pgb_process *process, bool in_place,
		      struct pgb_error *error)
{
	const char *path = in_place ? run->original : run->binary;
	char *command = pgb_check_command(run->job->command, path);
	char *variable = pgb_format("PGOBOLT_BINARY=%s", path);
	const char *const argv[] = {"/bin/sh", "-c", command, NULL};
	const char *const environment[] = {variable, NULL};
	const struct pgb_bind bind = {.from = run->binary, .to = run->original};
	struct pgb_spawn spawn = {.argv = argv,
				  .environment = environment,
				  .directory = run->job->folder,
				  .quiet_stdin = true,
				  .die_with_parent = true,
				  .whole_tree = true,
				  .binds = &bind,
				  .bind_count = in_place ? 1 : 0};
	int code = open_pipe(&run->fd_out, &spawn.fd_stdout, error);

	if (code == 0)
		code = open_pipe(&run->fd_error, &spawn.fd_stderr, error);
	if (code == 0)
		code = pgb_process_spawn(process, &spawn, error);
	close_fd(&spawn.fd_stdout);
	close_fd(&spawn.fd_stderr);
	if (code != 0) {
		close_fd(&run->fd_out);
		close_fd(&run->fd_error);
	}
	run->outcome->in_place = in_place && code == 0;
	free(command);
	free(variable);
	return code;
}

static int spawn(struct check_run *run, struct pgb_process *process, struct pgb_error *error)
{
	struct pgb_error refused = {0};
	int code;

	if (run->original != NULL && !run->job->never_in_place) {
		code = spawn_once(run, process, true, &refused);
		if (code != PGB_E_UNSUPPORTED) {
			if (code != 0)
				pgb_fail(error, code, "%s", refused.message);
			return code;
		}
	}
	return spawn_once(run, process, false, error);
}

/* Until it has ended, with all that it started. */
static int await(struct check_run *run, struct pgb_process *process, struct pgb_error *error)
{
	const struct pgb_check_job *job = run->job;
	struct pgb_check_outcome *outcome = run->outcome;
	uint64_t began_ns = now_ns();
	int ended;

	do {
		struct pollfd waiting[2] = {{run->fd_out, POLLIN, 0}, {run->fd_error, POLLIN, 0}};
		bool silent = run->fd_out < 0 && run->fd_error < 0;

		if (job->stop != NULL && *job->stop) {
			pgb_process_stop(process, GRACE_MS);
			return pgb_fail(error, PGB_E_INTERRUPTED, "stopped during a check");
		}
		if (job->timeout_ns > 0 && now_ns() - began_ns > job->timeout_ns) {
			outcome->timed_out = true;
			pgb_process_stop(process, GRACE_MS);
			break;
		}
		if (!silent)
			poll(waiting, 2, POLL_MS);
		/* asked before the pipes are emptied: nothing of the command's comes after it */
		ended = pgb_process_wait(process, silent ? POLL_MS : 0, &outcome->wait_status,
					 error);
		drain(run, &run->fd_out, true);
		drain(run, &run->fd_error, false);
	} while (ended == 0);
	outcome->elapsed_ns = now_ns() - began_ns;
	return 0;
}

/* ---- the names of things */

static int resolve(struct check_run *run, const char *binary, struct pgb_error *error)
{
	run->binary = realpath(binary, NULL);
	if (run->binary == NULL)
		return pgb_fail(error, pgb_code_from_errno(errno), "cannot check %s: %s", binary,
				strerror(errno));
	if (run->job->original == NULL)
		return 0;
	run->original = realpath(run->job->original, NULL);
	if (run->original == NULL)
		return pgb_fail(error, pgb_code_from_errno(errno),
				"cannot check in place of %s: %s", run->job->original,
				strerror(errno));
	return 0;
}

static void add_alias(struct check_run *run, const char *from, const char *to)
{
	struct alias *alias = &run->aliases[run->alias_count];

	if (strcmp(from, to) == 0)
		return;
	*alias = (struct alias){.from = pgb_dup(from), .to = pgb_dup(to), .length = strlen(from)};
	if (alias->length > run->alias_longest)
		run->alias_longest = alias->length;
	run->alias_count++;
}

/* Path first: a name is a part of it. */
static void add_aliases(struct check_run *run)
{
	if (run->original == NULL || run->outcome->in_place)
		return;
	add_alias(run, run->binary, run->original);
	add_alias(run, base_name(run->binary), base_name(run->original));
}

static void watch(struct check_run *run)
{
	run->fd_notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (run->fd_notify >= 0 && inotify_add_watch(run->fd_notify, run->binary, IN_OPEN) < 0)
		close_fd(&run->fd_notify);
}

static bool was_opened(const struct check_run *run)
{
	char events[1024];

	return run->fd_notify < 0 || read(run->fd_notify, events, sizeof(events)) > 0;
}

int pgb_check_run(const struct pgb_check_job *job, const char *binary,
		  struct pgb_check_outcome *outcome, struct pgb_error *error)
{
	struct check_run run = {.job = job,
				.outcome = outcome,
				.fd_out = -1,
				.fd_error = -1,
				.fd_notify = -1,
				.hash = PGB_HASH_SEED};
	struct pgb_process process = {0};
	int code;

	*outcome = (struct pgb_check_outcome){0};
	code = resolve(&run, binary, error);
	if (code == 0) {
		watch(&run);
		code = spawn(&run, &process, error);
	}
	if (code == 0) {
		add_aliases(&run);
		code = await(&run, &process, error);
		settle(&run, true);
		outcome->output_hash = run.hash;
		outcome->opened = was_opened(&run);
		outcome->tail = tail_of(&run);
	}
	close_fd(&run.fd_out);
	close_fd(&run.fd_error);
	close_fd(&run.fd_notify);
	for (size_t i = 0; i < run.alias_count; i++) {
		free(run.aliases[i].from);
		free(run.aliases[i].to);
	}
	pgb_text_release(&run.pending);
	free(run.original);
	free(run.binary);
	return code;
}

void pgb_check_outcome_release(struct pgb_check_outcome *outcome)
{
	free(outcome->tail);
	*outcome = (struct pgb_check_outcome){0};
}
