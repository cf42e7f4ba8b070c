/* SPDX-License-Identifier: MIT */
/*
 * Between fork and exec only async-signal-safe calls are made: everything that allocates is
 * prepared in struct pgb_launch before.
 */
#include "pgobolt/collector/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/process_private.h"
#include "pgobolt/base/array.h"

extern char **environ;

enum stage { STAGE_DIRECTORY, STAGE_NAMESPACE, STAGE_BIND, STAGE_STREAMS, STAGE_EXEC };

/* What the child writes into fd_exec when it cannot become the program. */
struct failure {
	int32_t stage;
	int32_t number; /* errno */
};

/* All that the child needs, allocated before the fork. */
struct pgb_launch {
	const struct pgb_spawn *spawn; /* valid during pgb_process_spawn() only */
	/* For messages, also when a held child fails later; owned. */
	char *name, *directory;
	PGB_ARRAY(char *) candidates; /* files to try, in PATH order; owned */
	PGB_ARRAY(char *) variables;  /* NULL-terminated; borrowed */
	PGB_ARRAY(char *) shell_argv; /* for scripts without #!; borrowed */
	char uid_map[64], gid_map[64];
	int fd_go, fd_exec;
	pid_t parent;
	sigset_t mask;
};

/* ---- before the fork */

static void add_path_candidates(struct pgb_launch *launch)
{
	const char *path = getenv("PATH");

	if (path == NULL)
		path = PGB_PROCESS_PATH_DEFAULT;
	for (;;) {
		size_t length = strcspn(path, ":");
		const char *slash = length == 0 ? "./" : "/"; /* empty: the current folder */

		pgb_array_push(&launch->candidates,
			       pgb_format("%.*s%s%s", (int)length, path, slash, launch->name));
		if (path[length] == '\0')
			return;
		path += length + 1;
	}
}

static bool same_variable(const char *assignment, const char *wanted)
{
	size_t length = strcspn(wanted, "=");

	return strncmp(assignment, wanted, length) == 0 &&
	       (assignment[length] == '=' || assignment[length] == '\0');
}

static void add_variables(struct pgb_launch *launch, const char *const *changes)
{
	for (char **old = environ; *old != NULL; old++) {
		bool changed = false;

		for (const char *const *change = changes; change && *change; change++)
			changed |= same_variable(*old, *change);
		if (!changed)
			pgb_array_push(&launch->variables, *old);
	}
	for (const char *const *change = changes; change && *change; change++) {
		if (strchr(*change, '='))
			pgb_array_push(&launch->variables, (char *)(uintptr_t)*change);
	}
	pgb_array_push(&launch->variables, NULL);
}

static struct pgb_launch *launch_new(const struct pgb_spawn *spawn)
{
	struct pgb_launch *launch = pgb_calloc(1, sizeof(*launch));

	*launch = (struct pgb_launch){
		.spawn = spawn,
		.name = pgb_dup(spawn->file ? spawn->file : spawn->argv[0]),
		.directory = pgb_dup(spawn->directory),
		.fd_go = -1,
		.parent = getpid(),
	};
	if (spawn->file || strchr(launch->name, '/') || launch->name[0] == '\0')
		pgb_array_push(&launch->candidates, pgb_dup(launch->name));
	else
		add_path_candidates(launch);
	add_variables(launch, spawn->environment);
	pgb_array_push(&launch->shell_argv, (char *)(uintptr_t) "/bin/sh");
	pgb_array_push(&launch->shell_argv, NULL); /* the script's name */
	for (size_t i = 1; spawn->argv[0] != NULL && spawn->argv[i] != NULL; i++)
		pgb_array_push(&launch->shell_argv, (char *)(uintptr_t)spawn->argv[i]);
	pgb_array_push(&launch->shell_argv, NULL);
	snprintf(launch->uid_map, sizeof(launch->uid_map), "%u %u 1", geteuid(), geteuid());
	snprintf(launch->gid_map, sizeof(launch->gid_map), "%u %u 1", getegid(), getegid());
	return launch;
}

static void launch_free(struct pgb_launch *launch)
{
	if (launch == NULL)
		return;
	for (size_t i = 0; i < launch->candidates.count; i++)
		free(launch->candidates.items[i]);
	pgb_array_release(&launch->candidates);
	pgb_array_release(&launch->variables);
	pgb_array_release(&launch->shell_argv);
	free(launch->name);
	free(launch->directory);
	free(launch);
}

/* ---- in the child */

static _Noreturn void child_fails(const struct pgb_launch *launch, enum stage stage, int number)
{
	struct failure failure = {.stage = stage, .number = number};

	(void)!write(launch->fd_exec, &failure, sizeof(failure));
	_exit(127);
}

static int write_small_file(const char *path, const char *content)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write(fd, content, strlen(content));
	close(fd);
	return written < 0 ? -1 : 0;
}

static void child_bind(const struct pgb_launch *launch)
{
	const struct pgb_spawn *spawn = launch->spawn;

	if (unshare(CLONE_NEWNS) != 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
			child_fails(launch, STAGE_NAMESPACE, errno);
		/* Before gid_map may be written without privilege; old kernels lack the file. */
		(void)write_small_file("/proc/self/setgroups", "deny");
		if (write_small_file("/proc/self/uid_map", launch->uid_map) != 0 ||
		    write_small_file("/proc/self/gid_map", launch->gid_map) != 0)
			child_fails(launch, STAGE_NAMESPACE, errno);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		child_fails(launch, STAGE_NAMESPACE, errno);
	for (size_t i = 0; i < spawn->bind_count; i++)
		if (mount(spawn->binds[i].from, spawn->binds[i].to, NULL, MS_BIND, NULL) != 0)
			child_fails(launch, STAGE_BIND, errno);
}

static void child_streams(const struct pgb_launch *launch)
{
	const struct pgb_spawn *spawn = launch->spawn;
	int fds[3] = {-1, -1, -1};

	if (spawn->quiet_stdin)
		fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	else if (spawn->fd_stdin > 0)
		fds[0] = fcntl(spawn->fd_stdin, F_DUPFD_CLOEXEC, 3);
	/* Above 2 first: stdout may be given the caller's 2 and stderr its 1. */
	if (spawn->fd_stdout > 0)
		fds[1] = fcntl(spawn->fd_stdout, F_DUPFD_CLOEXEC, 3);
	if (spawn->fd_stderr > 0)
		fds[2] = fcntl(spawn->fd_stderr, F_DUPFD_CLOEXEC, 3);
	if (((spawn->quiet_stdin || spawn->fd_stdin > 0) && fds[0] < 0) ||
	    (spawn->fd_stdout > 0 && fds[1] < 0) || (spawn->fd_stderr > 0 && fds[2] < 0))
		child_fails(launch, STAGE_STREAMS, errno);
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0 && dup2(fds[i], i) < 0)
			child_fails(launch, STAGE_STREAMS, errno);
	}
}

static void child_signals(const struct pgb_launch *launch)
{
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;

		if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN &&
		    action.sa_handler != SIG_DFL)
			signal(number, SIG_DFL);
	}
	sigprocmask(SIG_SETMASK, &launch->mask, NULL);
}

/* ENOEXEC: a script without #! is the shell's, as with execvp(3); a foreign ELF file is not. */
static bool is_elf(const char *path)
{
	char magic[4] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	(void)!read(fd, magic, sizeof(magic));
	close(fd);
	return memcmp(magic, "\177ELF", 4) == 0;
}

/* Returns only when it could not: why, an errno. */
static int try_exec(struct pgb_launch *launch)
{
	char *const *argv = (char *const *)(uintptr_t)launch->spawn->argv;
	int number = ENOENT;

	for (size_t i = 0; i < launch->candidates.count; i++) {
		char *path = launch->candidates.items[i];

		execve(path, argv, launch->variables.items);
		if (errno == ENOEXEC && !is_elf(path)) {
			launch->shell_argv.items[1] = path;
			execve("/bin/sh", launch->shell_argv.items, launch->variables.items);
			errno = ENOEXEC;
		}
		/* What is forbidden says more than what is missing. */
		if (errno != ENOENT && errno != ENOTDIR)
			number = errno;
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			break;
	}
	return number;
}

static _Noreturn void child_main(struct pgb_launch *launch)
{
	const struct pgb_spawn *spawn = launch->spawn;
	char go;

	if (spawn->own_group)
		setpgid(0, 0);
	if (spawn->die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != launch->parent)
			_exit(127);
	}
	if (spawn->whole_tree)
		pgb_process_supervise(spawn->die_with_parent);
	if (spawn->bind_count > 0)
		child_bind(launch);
	if (spawn->directory != NULL && chdir(spawn->directory) != 0)
		child_fails(launch, STAGE_DIRECTORY, errno);
	child_streams(launch);
	child_signals(launch);
	if (launch->fd_go >= 0 && read(launch->fd_go, &go, 1) != 1)
		_exit(127); /* who held us is gone */
	child_fails(launch, STAGE_EXEC, try_exec(launch));
}

/* ---- in the parent */

static int explain_exec(const struct pgb_launch *launch, int number, struct pgb_error *error)
{
	const char *name = launch->name;
	bool missing = number == ENOENT || number == ENOTDIR;

	if (missing && strchr(name, '/') == NULL) {
		pgb_fail(error, PGB_E_NOT_FOUND, "cannot run %s: command not found", name);
		pgb_remedy(error, "give its path, or put its folder into PATH");
		return PGB_E_NOT_FOUND;
	}
	if (missing && launch->directory == NULL && access(name, F_OK) == 0)
		return pgb_fail(error, PGB_E_NOT_FOUND,
				"cannot run %s: its interpreter (#! line or ELF loader) is missing",
				name);
	if (missing)
		return pgb_fail(error, PGB_E_NOT_FOUND, "cannot run %s: no such file", name);
	if (number == ENOEXEC)
		return pgb_fail(error, PGB_E_PERMISSION,
				"cannot execute %s: not a program for this machine", name);
	if (number != EACCES && number != EPERM)
		return pgb_fail(error, PGB_E_RESOURCE, "cannot run %s: %s", name, strerror(number));
	pgb_fail(error, PGB_E_PERMISSION, "cannot execute %s: %s", name, strerror(number));
	pgb_remedy(error, "chmod +x %s (folders, and files on noexec mounts, cannot be executed)",
		   name);
	return PGB_E_PERMISSION;
}

static int explain_failure(const struct pgb_launch *launch, const struct failure *failure,
			   struct pgb_error *error)
{
	const char *reason = strerror(failure->number);

	switch ((enum stage)failure->stage) {
	case STAGE_DIRECTORY:
		return pgb_fail(error, pgb_code_from_errno(failure->number),
				"cannot enter folder %s: %s", launch->directory, reason);
	case STAGE_NAMESPACE:
		/* ENOSPC is what too many user namespaces, or none allowed, are called. */
		pgb_fail(error, PGB_E_UNSUPPORTED, "no private mount namespace here: %s",
			 failure->number == ENOSPC ? "user namespaces are not allowed" : reason);
		pgb_remedy(error, "run as root, or allow user namespaces: "
				  "sysctl user.max_user_namespaces=10000");
		return PGB_E_UNSUPPORTED;
	case STAGE_BIND:
		return pgb_fail(error, PGB_E_UNSUPPORTED,
				"cannot mount a copy in its original's place for %s: %s",
				launch->name, reason);
	case STAGE_STREAMS:
		return pgb_fail(error, PGB_E_RESOURCE, "cannot redirect the output of %s: %s",
				launch->name, reason);
	case STAGE_EXEC:
		break;
	}
	return explain_exec(launch, failure->number, error);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void pgb_process_release(struct pgb_process *process)
{
	close_fd(&process->fd_go);
	close_fd(&process->fd_exec);
	launch_free(process->launch);
	process->launch = NULL;
}

/* Waits until the exec happened or failed. */
static int await_exec(struct pgb_process *process, struct pgb_error *error)
{
	struct failure failure = {0};
	ssize_t length;
	int status = 0;

	do
		length = read(process->fd_exec, &failure, sizeof(failure));
	while (length < 0 && errno == EINTR);
	if (length == (ssize_t)sizeof(failure)) {
		while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
			;
		process->pid = 0;
		status = explain_failure(process->launch, &failure, error);
	}
	pgb_process_release(process);
	return status;
}

/* A descriptor above 2, so that our own closed stdin or stdout is not mistaken for it. */
static void raise_fd(int *fd)
{
	int raised = fcntl(*fd, F_DUPFD_CLOEXEC, 3);

	close(*fd);
	*fd = raised;
}

/* go[0] and exec[0] stay here, go[1] and exec[1] go into the child. */
static int open_channels(const struct pgb_spawn *spawn, int go[2], int exec[2],
			 struct pgb_error *error)
{
	bool opened = pipe2(exec, O_CLOEXEC) == 0 &&
		      (!spawn->held || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go) == 0);
	int number = errno;

	for (int i = 0; i < 2; i++) {
		if (exec[i] >= 0 && exec[i] <= 2)
			raise_fd(&exec[i]);
		if (go[i] >= 0 && go[i] <= 2)
			raise_fd(&go[i]);
		opened = opened && exec[i] >= 0 && (!spawn->held || go[i] >= 0);
	}
	if (opened)
		return 0;
	pgb_fail(error, PGB_E_RESOURCE, "cannot start %s: %s", spawn->argv[0], strerror(number));
	pgb_remedy(error, "ulimit -n 4096");
	return PGB_E_RESOURCE;
}

static pid_t fork_child(struct pgb_launch *launch, int go[2], int exec[2])
{
	sigset_t all;
	pid_t pid;
	int number;

	/* No handler of ours may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &launch->mask);
	pid = fork();
	if (pid == 0) {
		launch->fd_go = go[1];
		launch->fd_exec = exec[1];
		/* The parent's ends: else the child would never see that the parent died. */
		close_fd(&go[0]);
		close_fd(&exec[0]);
		child_main(launch);
	}
	number = errno;
	sigprocmask(SIG_SETMASK, &launch->mask, NULL);
	errno = number;
	return pid;
}

/* Where SIGCHLD is ignored the kernel throws exit statuses away. */
static void keep_statuses(void)
{
	struct sigaction action;

	if (sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
}

int pgb_process_spawn(struct pgb_process *process, const struct pgb_spawn *spawn,
		      struct pgb_error *error)
{
	int go[2] = {-1, -1}, exec[2] = {-1, -1};
	int status;

	pgb_assert(spawn->argv != NULL && spawn->argv[0] != NULL);
	*process = (struct pgb_process){.fd_go = -1, .fd_exec = -1, .own_group = spawn->own_group};
	keep_statuses();
	status = open_channels(spawn, go, exec, error);
	if (status == 0) {
		process->launch = launch_new(spawn);
		process->pid = fork_child(process->launch, go, exec);
		if (process->pid < 0) {
			process->pid = 0;
			status = pgb_fail(error, PGB_E_RESOURCE, "cannot start %s: %s",
					  spawn->argv[0], strerror(errno));
			pgb_remedy(error, "fewer processes at a time, or ulimit -u");
		}
		process->launch->spawn = NULL;
	}
	process->fd_go = go[0];
	process->fd_exec = exec[0];
	close_fd(&go[1]);
	close_fd(&exec[1]);
	if (status != 0) {
		pgb_process_release(process);
		return status;
	}
	if (spawn->own_group)
		setpgid(process->pid, process->pid); /* who is first wins; both is fine */
	return spawn->held ? 0 : await_exec(process, error);
}

int pgb_process_start(struct pgb_process *process, struct pgb_error *error)
{
	pgb_assert(process->fd_go >= 0);
	(void)send(process->fd_go, "", 1, MSG_NOSIGNAL);
	close_fd(&process->fd_go);
	return await_exec(process, error);
}

int pgb_process_become(const struct pgb_spawn *spawn, struct pgb_error *error)
{
	struct pgb_launch *launch = launch_new(spawn);
	int status = explain_exec(launch, try_exec(launch), error);

	launch_free(launch);
	return status;
}
