/* SPDX-License-Identifier: MIT */
/* Run to the end with the output gathered; command names and command lines. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pgobolt/collector/process.h"

enum {
	OUTPUT_BYTES_MAX = 64 * 1024 * 1024,
	CHUNK_BYTES = 65536,
	POLL_MS = 50, /* how late the end of a child that keeps its pipe open is seen */
	GRACE_MS = 2000,
};

/* One gathered stream: our end of its pipe and where its bytes go. */
struct stream {
	int fd; /* -1: inherited, or ended */
	struct pgb_text *text;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int open_pipe(struct stream *stream, int *fd_child, struct pgb_error *error)
{
	int fds[2], low[2] = {-1, -1};

	if (pipe2(fds, O_CLOEXEC) != 0)
		return pgb_fail(error, PGB_E_RESOURCE, "cannot make a pipe: %s", strerror(errno));
	/* Ends at 0..2 (ours are closed) would be taken for the standard streams. */
	for (int i = 0; i < 2; i++) {
		if (fds[i] <= 2) {
			low[i] = fds[i];
			fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		}
	}
	for (int i = 0; i < 2; i++) {
		if (low[i] >= 0)
			close(low[i]);
	}
	stream->fd = fds[0];
	*fd_child = fds[1];
	if (fds[0] < 0 || fds[1] < 0)
		return pgb_fail(error, PGB_E_RESOURCE, "cannot make a pipe: %s", strerror(errno));
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static void end_stream(struct stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

/* Take what is there now. */
static void drain(struct stream *stream)
{
	char chunk[CHUNK_BYTES];

	while (stream->fd >= 0) {
		ssize_t length = read(stream->fd, chunk, sizeof(chunk));
		size_t space = OUTPUT_BYTES_MAX - stream->text->length;

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (length <= 0)
			end_stream(stream);
		else if (stream->text->length < OUTPUT_BYTES_MAX)
			pgb_text_add_bytes(stream->text, chunk,
					   (size_t)length < space ? (size_t)length : space);
	}
}

/*
 * The end is the end of the child itself: one that it left behind with our pipe open is not
 * waited for. 0, or PGB_E_TOOL at the time-out (child stopped).
 */
static int gather(struct pgb_process *process, struct stream streams[2], unsigned int timeout_s,
		  int *wait_status)
{
	int64_t deadline = now_ms() + (int64_t)timeout_s * 1000;
	int ended;

	do {
		struct pollfd waiting[2];
		nfds_t count = 0;

		for (int i = 0; i < 2; i++) {
			if (streams[i].fd >= 0)
				waiting[count++] = (struct pollfd){streams[i].fd, POLLIN, 0};
		}
		if (timeout_s > 0 && now_ms() >= deadline) {
			pgb_process_stop(process, GRACE_MS);
			return PGB_E_TOOL;
		}
		if (count > 0)
			poll(waiting, count, POLL_MS);
		/* Asked before the last drain: nothing of the child's comes after it. */
		ended = pgb_process_wait(process, count > 0 ? 0 : POLL_MS, wait_status, NULL);
		drain(&streams[0]);
		drain(&streams[1]);
	} while (ended == 0);
	return 0;
}

int pgb_process_run(const struct pgb_spawn *spawn, unsigned int timeout_s, struct pgb_text *out,
		    struct pgb_text *err, int *wait_status, struct pgb_error *error)
{
	struct stream streams[2] = {{-1, out}, {-1, err}};
	struct pgb_spawn piped = *spawn;
	struct pgb_process process = {0};
	bool same = out != NULL && out == err;
	int status = 0;

	if (out != NULL)
		status = open_pipe(&streams[0], &piped.fd_stdout, error);
	if (status == 0 && err != NULL && !same)
		status = open_pipe(&streams[1], &piped.fd_stderr, error);
	if (same)
		piped.fd_stderr = piped.fd_stdout;
	/* A time-out has to end whatever the command started as well. */
	piped.own_group |= timeout_s > 0;
	piped.held = false;
	if (status == 0)
		status = pgb_process_spawn(&process, &piped, error);
	if (out != NULL && piped.fd_stdout > 0)
		close(piped.fd_stdout);
	if (err != NULL && !same && piped.fd_stderr > 0)
		close(piped.fd_stderr);
	if (status == 0 && gather(&process, streams, timeout_s, wait_status) != 0) {
		char *line = pgb_process_command_line(spawn->argv);

		status = pgb_fail(error, PGB_E_TOOL, "no end after %u s, so it was stopped: %s",
				  timeout_s, line);
		free(line);
	}
	end_stream(&streams[0]);
	end_stream(&streams[1]);
	return status;
}

static bool is_command(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

char *pgb_process_find_command(const char *name)
{
	const char *path = getenv("PATH");

	if (name[0] == '\0')
		return NULL;
	if (strchr(name, '/') != NULL)
		return is_command(name) ? pgb_dup(name) : NULL;
	if (path == NULL)
		path = PGB_PROCESS_PATH_DEFAULT;
	for (;;) {
		size_t length = strcspn(path, ":");
		char *candidate =
			pgb_format("%.*s%s%s", (int)length, path, length ? "/" : "./", name);

		if (is_command(candidate))
			return candidate;
		free(candidate);
		if (path[length] == '\0')
			return NULL;
		path += length + 1;
	}
}

int pgb_process_try_bind(const struct pgb_bind *bind, struct pgb_error *error)
{
	static const char *const nothing[] = {"true", NULL};
	const struct pgb_spawn spawn = {
		.argv = nothing, .binds = bind, .bind_count = 1, .die_with_parent = true};
	int status;

	return pgb_process_run(&spawn, 0, NULL, NULL, &status, error);
}

static bool is_plain(const char *word, bool first)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_@%+:,./-=";

	/* NAME=value in front would be an assignment. */
	if (first && strchr(word, '='))
		return false;
	return word[0] != '\0' && word[strspn(word, plain)] == '\0';
}

char *pgb_process_command_line(const char *const *argv)
{
	struct pgb_text line = {0};

	for (size_t i = 0; argv[i] != NULL; i++) {
		if (i > 0)
			pgb_text_add(&line, " ");
		if (is_plain(argv[i], i == 0)) {
			pgb_text_add(&line, argv[i]);
			continue;
		}
		pgb_text_add(&line, "'");
		for (const char *at = argv[i]; *at != '\0'; at++) {
			if (*at == '\'')
				pgb_text_add(&line, "'\\''");
			else
				pgb_text_add_bytes(&line, at, 1);
		}
		pgb_text_add(&line, "'");
	}
	return pgb_text_detach(&line);
}
