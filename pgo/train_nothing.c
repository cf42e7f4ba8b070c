/* SPDX-License-Identifier: MIT */
/* Why a training run left no counts, and what to do about it. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pgo/train_private.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/build.h"

enum {
	SHELL_SIGNAL = 128, /* and the number of the signal */
	TIMEOUT_STATUS = 124,
	OUTPUTS_SHOWN = 3,
};

/* What is known of the run. */
struct evidence {
	const struct train *train;
	struct pgb_build_result built;
	const char *command; /* argv[0] */
	char *program;	     /* its file; NULL: none */
	bool counts;	     /* it holds the place where its counts go */
	bool was_linked;     /* by the instrumented build */
	char *option;	     /* that names the state folder */
};

/* Compilers write the folder of raw profiles into what they instrument. */
static bool counts_for(const char *path, const char *state)
{
	struct pgb_file_map map;
	char *raw;
	bool found;

	if (pgb_file_map_open(&map, path, NULL) != 0)
		return false;
	raw = pgb_format("%s/raw/", state);
	found = memmem(map.bytes, map.size_bytes, raw, strlen(raw)) != NULL;
	free(raw);
	pgb_file_map_close(&map);
	return found;
}

static void gather(struct evidence *evidence, const struct train *train)
{
	char *log = pgb_build_log(train->state);

	*evidence = (struct evidence){.train = train,
				      .command = train->config->argv[0],
				      .option = pgb_build_state_option(train->config->state)};
	pgb_build_read_log(&evidence->built, log);
	free(log);
	evidence->program = pgb_process_find_command(evidence->command);
	if (evidence->program == NULL)
		return;
	evidence->counts = counts_for(evidence->program, train->state);
	for (size_t i = 0; i < evidence->built.outputs.items.count; i++)
		evidence->was_linked |=
			pgb_file_same(evidence->built.outputs.items.items[i], evidence->program);
}

/* The signal that ended the command, or a program of a command that is a shell; 0: none. */
static int signal_of(int wait_status)
{
	int signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status)
					      : WEXITSTATUS(wait_status) - SHELL_SIGNAL;

	return signal > 0 && signal < NSIG ? signal : 0;
}

static bool is_crash(int signal)
{
	return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGILL ||
	       signal == SIGFPE || signal == SIGTRAP;
}

static void explain_signal(struct pgb_text *why, struct pgb_text *remedy, int wait_status)
{
	int signal = signal_of(wait_status);

	if (WIFSIGNALED(wait_status))
		pgb_text_addf(why, "it was killed by signal %d (%s)", signal, strsignal(signal));
	else
		pgb_text_addf(why,
			      "it ended with status %d, as of a program killed by signal %d (%s)",
			      WEXITSTATUS(wait_status), signal, strsignal(signal));
	pgb_text_add(why, ", and counts are written when a program exits");
	if (is_crash(signal))
		pgb_text_add(remedy,
			     "does it crash as it was, too? then train it with an input that it "
			     "survives; else -fsanitize=address,undefined finds the fault");
	else if (signal == SIGSYS)
		pgb_text_add(remedy, "a sandbox ended it for a system call, perhaps for writing "
				     "its counts: train it without the sandbox, or let that allow "
				     "what opens, makes, locks and writes files");
	else
		pgb_text_add(remedy, "let it end by itself, or end it in the way that it is meant "
				     "to be ended (a server: its own stop command)");
}

/* gcc names counts after the object's whole path; the longest that is no name any more, or NULL. */
static const char *find_too_long(const struct pgb_build_result *built)
{
	enum { ENDING_MORE = 3 }; /* .o becomes .gcda */
	const char *longest = NULL;
	bool gcc = false;

	for (size_t i = 0; i < built->compiled_by.items.count; i++)
		gcc |= strncmp(built->compiled_by.items.items[i], "gcc-", 4) == 0;
	for (size_t i = 0; gcc && i < built->compiled_files.items.count; i++) {
		const char *path = built->compiled_files.items.items[i];

		if (strlen(path) > strlen(longest ? longest : ""))
			longest = path;
	}
	return longest && strlen(longest) + ENDING_MORE > NAME_MAX ? longest : NULL;
}

/* Programs that the build linked and that still count. */
static bool show_outputs(const struct evidence *evidence, struct pgb_text *text)
{
	size_t shown = 0;

	for (size_t i = 0; i < evidence->built.outputs.items.count && shown < OUTPUTS_SHOWN; i++) {
		const char *path = evidence->built.outputs.items.items[i];

		if (counts_for(path, evidence->train->state))
			pgb_text_addf(text, "%s%s", shown++ ? ", " : "", path);
	}
	return shown > 0;
}

/* Where its counts must be let through. */
static void add_places(struct pgb_text *remedy, const struct evidence *evidence)
{
	pgb_text_addf(remedy,
		      "in a sandbox or a container: let it write to %s, by this name\n"
		      "as another user: (umask 0; pgobolt train%s -- ..)",
		      evidence->train->state, evidence->option);
}

static void explain_ending(const struct evidence *evidence, struct pgb_text *why,
			   struct pgb_text *remedy)
{
	int status = WEXITSTATUS(evidence->train->result->wait_status);
	const char *one, *other, *long_path = find_too_long(&evidence->built);
	struct pgb_text outputs = {0};

	if (status != 0)
		pgb_text_addf(why, "it ended with status %d%s; ", status,
			      status == TIMEOUT_STATUS ? ", as when timeout ends a program" : "");
	if (long_path) {
		pgb_text_addf(why,
			      "gcc names counts after the whole path of the object, and there are "
			      "paths of %zu characters, where a file's name may have %d: %s",
			      strlen(long_path), NAME_MAX, long_path);
		pgb_text_add(remedy, "build it in a folder with a shorter path");
	} else if (evidence->counts) {
		pgb_text_addf(why,
			      "%s counts, but it left by _exit, or could not write to %s (another "
			      "user, a sandbox, a container: it says so itself, mostly)",
			      evidence->command, evidence->train->run);
		pgb_text_add(remedy, "let it return from main or call exit\n");
		add_places(remedy, evidence);
		if (pgb_build_is_mixed(&evidence->built, &one, &other)) {
			pgb_text_addf(why,
				      ", or %s and %s both compiled it: their counts do not mix",
				      one, other);
			pgb_text_add(remedy,
				     "\nhave one compiler, of one version, compile all of it "
				     "(CC, CXX)");
		}
	} else if (evidence->was_linked) {
		pgb_text_addf(why,
			      "%s counts nothing: its objects were compiled without pgobolt, or it "
			      "was linked again since",
			      evidence->command);
		pgb_text_addf(remedy, "pgobolt build --instrument%s -- make clean all",
			      evidence->option);
	} else if (show_outputs(evidence, &outputs)) {
		pgb_text_addf(why,
			      "%s counts nothing itself, and what it may have started crashed, was "
			      "killed, left by _exit, or could not write to %s (another user, a "
			      "sandbox, a container); programs that count: %s",
			      evidence->command, evidence->train->run, pgb_text_string(&outputs));
		pgb_text_add(remedy,
			     "have it start one of them, which ends by itself: counts are written "
			     "when a program exits\n");
		add_places(remedy, evidence);
	} else {
		pgb_text_addf(why,
			      "%s counts nothing itself; did it start a program that was built "
			      "with --instrument, which came to its end and may write to %s (not "
			      "as another user, in a sandbox or a container)?",
			      evidence->command, evidence->train->run);
		pgb_text_addf(remedy,
			      "try it on a program that is known to be new: "
			      "pgobolt build --instrument%s -- make clean all",
			      evidence->option);
	}
	pgb_text_release(&outputs);
}

int pgb_train_nothing(const struct train *train, struct pgb_error *error)
{
	char *line = pgb_process_command_line(train->config->argv);
	enum pgb_build_mode mode = pgb_build_last_mode(train->state);
	struct pgb_text why = {0}, remedy = {0};
	struct evidence evidence;

	gather(&evidence, train);
	if (access(train->run, W_OK) != 0) {
		pgb_text_addf(&why, "%s cannot be written: %s", train->run, strerror(errno));
		pgb_text_addf(&remedy, "see who may: ls -ld %s", train->run);
	} else if (pgb_build_mode_is_final(mode)) {
		pgb_text_addf(&why, "the last build was with --%s: its programs count nothing",
			      pgb_build_mode_word(mode));
		pgb_text_addf(&remedy, "pgobolt build --instrument%s -- BUILD COMMAND",
			      evidence.option);
	} else if (signal_of(train->result->wait_status) != 0) {
		explain_signal(&why, &remedy, train->result->wait_status);
	} else {
		explain_ending(&evidence, &why, &remedy);
	}
	pgb_fail(error, PGB_E_EMPTY, "no profile was written by %s: %s", line,
		 pgb_text_string(&why));
	pgb_remedy(error, "%s", pgb_text_string(&remedy));
	pgb_build_result_release(&evidence.built);
	free(evidence.program);
	free(evidence.option);
	free(line);
	pgb_text_release(&why);
	pgb_text_release(&remedy);
	return PGB_E_EMPTY;
}
