/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/collector/process.h"

static char folder[] = "/tmp/pgobolt-test-process-XXXXXX";

static char *in_folder(const char *name)
{
	return pgb_format("%s/%s", folder, name);
}

static char *write_file(const char *name, const void *content, size_t length, mode_t mode)
{
	char *path = in_folder(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, length), length);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static char *write_script(const char *name, const char *content, mode_t mode)
{
	return write_file(name, content, strlen(content), mode);
}

/* Append what the file holds; false: not there. */
static bool read_file(struct pgb_text *text, const char *path)
{
	FILE *stream = fopen(path, "re");
	char chunk[4096];
	size_t length;

	if (stream == NULL)
		return false;
	while ((length = fread(chunk, 1, sizeof(chunk), stream)) > 0)
		pgb_text_add_bytes(text, chunk, length);
	fclose(stream);
	return true;
}

static size_t open_descriptors(void)
{
	DIR *listing = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(listing);
	while (readdir(listing) != NULL)
		count++;
	closedir(listing);
	return count;
}

static bool is_running(pid_t pid)
{
	char *path = pgb_format("/proc/%d/stat", (int)pid);
	struct pgb_text text = {0};
	bool running = read_file(&text, path) && strstr(pgb_text_string(&text), ") Z ") == NULL;

	free(path);
	pgb_text_release(&text);
	return running;
}

/* Within a minute: who was killed may have to wait for a CPU. */
static bool disappears(pid_t pid)
{
	for (int i = 0; i < 6000 && is_running(pid); i++)
		usleep(10000);
	return !is_running(pid);
}

static char *output_of_spawn(struct pgb_spawn spawn)
{
	struct pgb_text out = {0};
	struct pgb_error error = {0};
	int status = -1;

	assert_int_equal(pgb_process_run(&spawn, 0, &out, NULL, &status, &error), 0);
	assert_int_equal(status, 0);
	return pgb_text_detach(&out);
}

static void assert_output(struct pgb_spawn spawn, const char *expected)
{
	char *out = output_of_spawn(spawn);

	assert_string_equal(out, expected);
	free(out);
}

static const struct status_row {
	const char *script;
	int exit_status;
} status_rows[] = {
	{"exit 0", 0},
	{"exit 1", 1},
	{"exit 255", 255},
	{"kill -TERM $$", 128 + SIGTERM},
	{"kill -SEGV $$", 128 + SIGSEGV},
	{"kill -KILL $$", 128 + SIGKILL},
};

static void statuses_are_a_shells(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++) {
		const char *argv[] = {"sh", "-c", status_rows[i].script, NULL};
		struct pgb_spawn spawn = {.argv = argv};
		struct pgb_error error = {0};
		int status = -1;

		assert_int_equal(pgb_process_run(&spawn, 0, NULL, NULL, &status, &error), 0);
		assert_int_equal(pgb_process_exit_status(status), status_rows[i].exit_status);
	}
}

static void output_is_gathered(void **state)
{
	const char *argv[] = {"sh", "-c", "echo out; echo err >&2", NULL};
	struct pgb_spawn spawn = {.argv = argv};
	struct pgb_text out = {0}, err = {0}, both = {0};
	int status;

	(void)state;
	assert_int_equal(pgb_process_run(&spawn, 0, &out, &err, &status, NULL), 0);
	assert_string_equal(pgb_text_string(&out), "out\n");
	assert_string_equal(pgb_text_string(&err), "err\n");
	assert_int_equal(pgb_process_run(&spawn, 0, &both, &both, &status, NULL), 0);
	assert_string_equal(pgb_text_string(&both), "out\nerr\n");
	pgb_text_release(&out);
	pgb_text_release(&err);
	pgb_text_release(&both);
}

static void output_is_bounded(void **state)
{
	const char *argv[] = {"head", "-c", "70000000", "/dev/zero", NULL};
	struct pgb_spawn spawn = {.argv = argv};
	struct pgb_text out = {0};
	int status = -1;

	(void)state;
	assert_int_equal(pgb_process_run(&spawn, 0, &out, NULL, &status, NULL), 0);
	assert_int_equal(status, 0);
	assert_int_equal(out.length, 64 * 1024 * 1024);
	pgb_text_release(&out);
}

/* A child left behind with the pipe open does not hold us up. */
static void a_daemon_is_not_waited_for(void **state)
{
	const char *argv[] = {"sh", "-c", "sleep 1000 & echo $!", NULL};
	char *out = output_of_spawn((struct pgb_spawn){.argv = argv});
	pid_t pid = atoi(out);

	(void)state;
	assert_true(pid > 0);
	assert_true(is_running(pid));
	kill(pid, SIGKILL);
	free(out);
}

static void a_time_out_ends_the_whole_group(void **state)
{
	const char *argv[] = {"sh", "-c", "trap '' TERM; sleep 1000 & echo $!; wait; wait", NULL};
	struct pgb_spawn spawn = {.argv = argv};
	struct pgb_text out = {0};
	struct pgb_error error = {0};
	int status;

	(void)state;
	assert_int_equal(pgb_process_run(&spawn, 1, &out, NULL, &status, &error), PGB_E_TOOL);
	assert_non_null(strstr(error.message, "1 s"));
	assert_non_null(strstr(error.message, "sh -c"));
	assert_true(disappears(atoi(pgb_text_string(&out))));
	pgb_text_release(&out);
}

static const char foreign_elf[] = "\177ELF\2\1\1\0garbage";

static const struct fault_row {
	const char *name; /* in our folder, unless it has no file */
	const char *content;
	size_t length;
	mode_t mode;
	int code;
	const char *says;
} fault_rows[] = {
	{"no-such-file", NULL, 0, 0, PGB_E_NOT_FOUND, "no such file"},
	{"not-executable", "#!/bin/sh\n", 10, 0644, PGB_E_PERMISSION, "cannot execute"},
	{"no-interpreter", "#!/no/such\n", 11, 0755, PGB_E_NOT_FOUND, "interpreter"},
	{"foreign", foreign_elf, sizeof(foreign_elf), 0755, PGB_E_PERMISSION, "this machine"},
};

static void exec_faults_are_told_apart(void **state)
{
	size_t descriptors = open_descriptors();

	(void)state;
	for (size_t i = 0; i < sizeof(fault_rows) / sizeof(fault_rows[0]); i++) {
		const struct fault_row *row = &fault_rows[i];
		char *path = row->content
				     ? write_file(row->name, row->content, row->length, row->mode)
				     : in_folder(row->name);

		for (int held = 0; held < 2; held++) {
			const char *argv[] = {path, NULL};
			struct pgb_spawn spawn = {.argv = argv, .held = held};
			struct pgb_process process;
			struct pgb_error error = {0};
			int status = pgb_process_spawn(&process, &spawn, &error);

			if (held) {
				assert_int_equal(status, 0);
				status = pgb_process_start(&process, &error);
			}
			assert_int_equal(status, row->code);
			assert_int_equal(error.code, row->code);
			assert_non_null(strstr(error.message, path));
			assert_non_null(strstr(error.message, row->says));
			assert_int_equal(process.pid, 0);
			pgb_process_stop(&process, 0);
		}
		free(path);
	}
	assert_int_equal(open_descriptors(), descriptors);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombies */
}

static void commands_are_looked_up_in_path(void **state)
{
	char *shadow = write_script("pgobolt-probe", "not for execution", 0644);
	char *below = in_folder("below");
	char *former = pgb_dup(getenv("PATH"));
	/* not all of PATH: a folder in it may be closed to who runs this */
	char *path = pgb_format("%s:%s:/usr/bin:/bin", folder, below);
	char *tool, *found;
	const char *argv[] = {"pgobolt-probe", NULL};
	const char *missing[] = {"pgobolt-no-such-command", NULL};
	struct pgb_process process;
	struct pgb_error error = {0};

	(void)state;
	mkdir(below, 0755);
	tool = write_script("below/pgobolt-probe", "echo $0", 0755); /* no #!: the shell's */
	setenv("PATH", path, 1);
	found = pgb_process_find_command("pgobolt-probe");
	assert_string_equal(found, tool);
	free(found);
	found = pgb_format("%s\n", tool);
	assert_output((struct pgb_spawn){.argv = argv}, found);
	free(found);
	assert_null(pgb_process_find_command("pgobolt-no-such-command"));
	assert_int_equal(pgb_process_spawn(&process, &(struct pgb_spawn){.argv = missing}, &error),
			 PGB_E_NOT_FOUND);
	assert_non_null(strstr(error.message, "command not found"));

	/* What is there but forbidden says more than what is missing. */
	unlink(tool);
	pgb_error_clear(&error);
	assert_int_equal(pgb_process_spawn(&process, &(struct pgb_spawn){.argv = argv}, &error),
			 PGB_E_PERMISSION);
	setenv("PATH", former, 1);
	free(shadow);
	free(below);
	free(former);
	free(path);
	free(tool);
}

static void the_environment_is_changed(void **state)
{
	const char *argv[] = {"sh", "-c", "echo ${A-none} ${B-none} ${C-none}", NULL};
	const char *const changes[] = {"A=one two", "B", NULL};

	(void)state;
	setenv("A", "old", 1);
	setenv("B", "old", 1);
	setenv("C", "old", 1);
	assert_output((struct pgb_spawn){.argv = argv, .environment = changes},
		      "one two none old\n");
}

static void file_and_folder_are_chosen(void **state)
{
	const char *argv[] = {"another name", "-c", "echo $0; pwd; cat", NULL};
	struct pgb_spawn spawn = {
		.argv = argv, .file = "/bin/sh", .directory = "/usr/bin", .quiet_stdin = true};
	struct pgb_process process;
	struct pgb_error error = {0};

	(void)state;
	assert_output(spawn, "another name\n/usr/bin\n");
	spawn.directory = "/no/such/folder";
	assert_int_equal(pgb_process_spawn(&process, &spawn, &error), PGB_E_NOT_FOUND);
	assert_non_null(strstr(error.message, "/no/such/folder"));
}

static void streams_may_be_swapped(void **state)
{
	const char *argv[] = {"sh", "-c", "echo out; echo err >&2", NULL};
	char *path_1 = in_folder("stream-1"), *path_2 = in_folder("stream-2");
	int saved[2] = {dup(1), dup(2)};
	struct pgb_process process;
	struct pgb_text text = {0};
	int status;

	(void)state;
	dup2(open(path_1, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), 1);
	dup2(open(path_2, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), 2);
	status = pgb_process_spawn(
		&process, &(struct pgb_spawn){.argv = argv, .fd_stdout = 2, .fd_stderr = 1}, NULL);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	close(saved[0]);
	close(saved[1]);
	assert_int_equal(status, 0);
	assert_int_equal(pgb_process_wait(&process, -1, &status, NULL), 1);
	assert_true(read_file(&text, path_1));
	assert_true(read_file(&text, path_2));
	assert_string_equal(pgb_text_string(&text), "err\nout\n");
	pgb_text_release(&text);
	free(path_1);
	free(path_2);
}

static void a_held_child_waits(void **state)
{
	char *mark = in_folder("mark");
	const char *argv[] = {"touch", mark, NULL};
	struct pgb_spawn spawn = {.argv = argv, .held = true};
	struct pgb_process process;
	size_t descriptors = open_descriptors();
	int status = -1;

	(void)state;
	assert_int_equal(pgb_process_spawn(&process, &spawn, NULL), 0);
	assert_int_equal(pgb_process_wait(&process, 50, &status, NULL), 0);
	assert_int_equal(access(mark, F_OK), -1);
	assert_int_equal(pgb_process_start(&process, NULL), 0);
	assert_int_equal(pgb_process_wait(&process, -1, &status, NULL), 1);
	assert_int_equal(status, 0);
	assert_int_equal(access(mark, F_OK), 0);
	assert_int_equal(pgb_process_wait(&process, 0, &status, NULL), PGB_E_GONE);

	/* One that is never started leaves nothing; one that died first is no SIGPIPE. */
	assert_int_equal(pgb_process_spawn(&process, &spawn, NULL), 0);
	pgb_process_stop(&process, 1000);
	assert_int_equal(pgb_process_spawn(&process, &spawn, NULL), 0);
	kill(process.pid, SIGKILL);
	usleep(20000);
	assert_int_equal(pgb_process_start(&process, NULL), 0);
	assert_int_equal(pgb_process_wait(&process, -1, &status, NULL), 1);
	assert_int_equal(pgb_process_exit_status(status), 128 + SIGKILL);
	assert_int_equal(open_descriptors(), descriptors);
	free(mark);
}

static void stop_ends_a_stopped_group(void **state)
{
	const char *argv[] = {"sh", "-c", "kill -STOP $$; exit 0", NULL};
	struct pgb_spawn spawn = {.argv = argv, .own_group = true};
	struct pgb_process process;
	pid_t pid;

	(void)state;
	assert_int_equal(pgb_process_spawn(&process, &spawn, NULL), 0);
	pid = process.pid;
	assert_int_equal(getpgid(pid), pid);
	usleep(20000);
	pgb_process_stop(&process, 5000);
	assert_int_equal(process.pid, 0);
	assert_int_equal(kill(pid, 0), -1);
	pgb_process_stop(&process, 0);
}

static void a_child_dies_with_its_parent(void **state)
{
	int channel[2];
	pid_t middle, child = 0;

	(void)state;
	assert_int_equal(pipe(channel), 0);
	middle = fork();
	if (middle == 0) {
		const char *argv[] = {"sleep", "1000", NULL};
		struct pgb_spawn spawn = {.argv = argv, .die_with_parent = true};
		struct pgb_process process;

		pgb_process_spawn(&process, &spawn, NULL);
		(void)!write(channel[1], &process.pid, sizeof(process.pid));
		_exit(0);
	}
	assert_int_equal(read(channel[0], &child, sizeof(child)), sizeof(child));
	waitpid(middle, NULL, 0);
	assert_true(child > 0);
	assert_true(disappears(child));
	close(channel[0]);
	close(channel[1]);
}

static void on_signal(int number)
{
	(void)number;
}

/* Handlers are reset, ignored signals stay ignored, the mask is the caller's. */
static void signals_are_as_the_caller_had_them(void **state)
{
	const char *argv[] = {"grep", "^Sig[BI]", "/proc/self/status", NULL};
	sigset_t mask, former;
	char *out, *expected;
	uint64_t ignored_before;
	struct pgb_text text = {0};

	(void)state;
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, &former);
	out = output_of_spawn((struct pgb_spawn){.argv = argv});
	sigprocmask(SIG_SETMASK, &former, NULL);
	assert_true(read_file(&text, "/proc/self/status"));
	ignored_before = strtoull(strstr(pgb_text_string(&text), "SigIgn:") + 7, NULL, 16);
	assert_true(ignored_before & (1u << (SIGUSR2 - 1)));
	expected = pgb_format("SigBlk:\t%016x\nSigIgn:\t%016lx\n", 1u << (SIGHUP - 1),
			      (unsigned long)ignored_before);
	assert_string_equal(out, expected);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	pgb_text_release(&text);
	free(expected);
	free(out);
}

static void exit_statuses_survive_ignored_sigchld(void **state)
{
	const char *argv[] = {"sh", "-c", "exit 7", NULL};
	struct pgb_spawn spawn = {.argv = argv};
	int status = -1;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(pgb_process_run(&spawn, 0, NULL, NULL, &status, NULL), 0);
	assert_int_equal(pgb_process_exit_status(status), 7);
}

static void descriptors_do_not_leak_into_the_child(void **state)
{
	const char *argv[] = {"ls", "/proc/self/fd", NULL};
	const char *other_argv[] = {"true", NULL};
	char *before = output_of_spawn((struct pgb_spawn){.argv = argv});
	struct pgb_process other;

	(void)state;
	assert_int_equal(pgb_process_spawn(&other,
					   &(struct pgb_spawn){.argv = other_argv, .held = true},
					   NULL),
			 0);
	assert_output((struct pgb_spawn){.argv = argv}, before);
	pgb_process_stop(&other, 0);
	free(before);
}

static void a_copy_takes_the_place_of_a_file(void **state)
{
	char *original = write_script("original", "#!/bin/sh\necho original\n", 0755);
	char *copy = write_script("copy", "#!/bin/sh\necho copy from $0\n", 0755);
	const char *argv[] = {original, NULL};
	struct pgb_error error = {0};
	char *expected = pgb_format("copy from %s\n", original);
	const struct pgb_bind bind = {copy, original}, missing = {"/no/such", original};

	(void)state;
	if (pgb_process_try_bind(&bind, &error) != 0) {
		assert_int_equal(error.code, PGB_E_UNSUPPORTED);
		print_message("not tested here: %s\n", error.message);
	} else {
		struct pgb_spawn spawn = {.argv = argv, .binds = &bind, .bind_count = 1};

		assert_output(spawn, expected);
		assert_output((struct pgb_spawn){.argv = argv}, "original\n");
		assert_int_equal(pgb_process_try_bind(&missing, &error), PGB_E_UNSUPPORTED);
	}
	free(expected);
	free(original);
	free(copy);
}

static const struct line_row {
	const char *argv[4];
	const char *line;
} line_rows[] = {
	{{"ls", "-l", "/tmp", NULL}, "ls -l /tmp"},
	{{"a b", "it's", "", NULL}, "'a b' 'it'\\''s' ''"},
	{{"A=b", "c=d", "$x", NULL}, "'A=b' c=d '$x'"},
	{{"~", "*", "#", NULL}, "'~' '*' '#'"},
	{{NULL}, ""},
};

static void command_lines_can_be_typed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(line_rows) / sizeof(line_rows[0]); i++) {
		char *line = pgb_process_command_line(line_rows[i].argv);

		assert_string_equal(line, line_rows[i].line);
		free(line);
	}
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
	(void)state;
	return pgb_process_run(
		&(struct pgb_spawn){.argv = (const char *[]){"rm", "-r", folder, NULL}}, 0, NULL,
		NULL, &(int){0}, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses_are_a_shells),
		cmocka_unit_test(output_is_gathered),
		cmocka_unit_test(output_is_bounded),
		cmocka_unit_test(a_daemon_is_not_waited_for),
		cmocka_unit_test(a_time_out_ends_the_whole_group),
		cmocka_unit_test(exec_faults_are_told_apart),
		cmocka_unit_test(commands_are_looked_up_in_path),
		cmocka_unit_test(the_environment_is_changed),
		cmocka_unit_test(file_and_folder_are_chosen),
		cmocka_unit_test(streams_may_be_swapped),
		cmocka_unit_test(a_held_child_waits),
		cmocka_unit_test(stop_ends_a_stopped_group),
		cmocka_unit_test(a_child_dies_with_its_parent),
		cmocka_unit_test(signals_are_as_the_caller_had_them),
		cmocka_unit_test(exit_statuses_survive_ignored_sigchld),
		cmocka_unit_test(descriptors_do_not_leak_into_the_child),
		cmocka_unit_test(a_copy_takes_the_place_of_a_file),
		cmocka_unit_test(command_lines_can_be_typed),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
