/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "bolt/llvm_bolt_private.h"
#include "pgobolt/collector/process.h"

#define KEEP_RELOCATIONS                                                                           \
	"link the program with -Wl,-q (cargo: RUSTFLAGS='-Clink-arg=-Wl,-q'); "                    \
	"`pgobolt verify BINARY` lists the flags for each build system"

/* What llvm-bolt says, and what it means for whoever ran pgobolt. */
static const struct known_message {
	const char *text;
	int code;
	const char *meaning; /* NULL: its own words are clear */
	const char *remedy;  /* NULL: none */
} known_messages[] = {
	{"No space left on device", PGB_E_RESOURCE, "the disk of the output is full",
	 "free some space, or write elsewhere with -o"},
	{"was processed by BOLT", PGB_E_NOT_SUITABLE, "the input is llvm-bolt's output already",
	 "give the binary that the linker made"},
	{"function reordering only works when", PGB_E_NOT_SUITABLE,
	 "the input was linked without keeping its relocations", KEEP_RELOCATIONS},
	{"relocations against code are missing", PGB_E_NOT_SUITABLE,
	 "the input was linked without keeping its relocations", KEEP_RELOCATIONS},
	{"built without relocations", PGB_E_NOT_SUITABLE,
	 "the input was linked without keeping its relocations", KEEP_RELOCATIONS},
	{"stripped binaries are not supported", PGB_E_NOT_SUITABLE, "the input has no symbol table",
	 "use the binary as the linker left it, before `strip` or `install -s`"},
	{"sanitizer support", PGB_E_NOT_SUITABLE, NULL, "build without -fsanitize"},
	{"coverage support", PGB_E_NOT_SUITABLE, NULL,
	 "build without -fcoverage-mapping, -fprofile-instr-generate and --coverage"},
	{"re-link the binary with -znow", PGB_E_NOT_SUITABLE, NULL,
	 "link with -Wl,-z,now, or leave out -plt"},
	{"no valid profile data found", PGB_E_EMPTY, "the profile holds no line llvm-bolt takes",
	 "record again: `pgobolt record -- COMMAND`; or look at it with `pgobolt dump FILE`"},
	{"Error reading BOLT data", PGB_E_CORRUPT, "the profile is damaged",
	 "record again, or convert again from the recording"},
	{"syntax error parsing profile", PGB_E_CORRUPT, "the profile is damaged",
	 "record again, or convert again from the recording"},
	{"pre-process profile", PGB_E_CORRUPT, "the profile cannot be read",
	 "record again, or convert again from the recording"},
	{"stale functions exceed", PGB_E_MISMATCH, "the profile is of another build",
	 "record again with this binary"},
	{"Unknown command line argument", PGB_E_USAGE, NULL,
	 "see `llvm-bolt --help-hidden` for the options of this release"},
	{"Cannot find option named", PGB_E_USAGE, NULL,
	 "see `llvm-bolt --help-hidden` for the values of this release"},
	{"may only occur zero or one times", PGB_E_USAGE, NULL, "leave one of them out"},
	{"value invalid for", PGB_E_USAGE, NULL, NULL},
	{"library not found", PGB_E_NOT_FOUND, "the instrumentation library is not installed",
	 "install it: Debian and Ubuntu have it in libbolt-NN-dev"},
	{"not recognized as a valid object file", PGB_E_NOT_SUITABLE, "the input is no ELF file",
	 NULL},
	{"goes past the end of the file", PGB_E_TRUNCATED, "the input is cut short",
	 "build or copy it again"},
	/* also what updating debug information ends with: PGB_E_TOOL lets it be tried without */
	{"Cannot allocate memory", PGB_E_TOOL, "memory ran out", NULL},
	{"out of memory", PGB_E_TOOL, "memory ran out", NULL},
};

static const struct known_message *find_message(const char *line)
{
	for (size_t i = 0; i < sizeof(known_messages) / sizeof(known_messages[0]); i++)
		if (strstr(line, known_messages[i].text) != NULL)
			return &known_messages[i];
	return NULL;
}

bool pgb_llvm_bolt_lacked_memory(const struct pgb_llvm_bolt_result *result, int wait_status)
{
	const char *output = pgb_text_string(&result->output);

	return (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL) ||
	       strstr(output, "Cannot allocate memory") != NULL ||
	       strstr(output, "out of memory") != NULL;
}

enum { SUSPECTS_NAMED = 5, SUSPECTS_MOST = 100 };

struct suspects {
	struct {
		const char *name;
		size_t length;
	} items[SUSPECTS_MOST];
	size_t count;
};

static void add_suspect(struct suspects *suspects, const char *name)
{
	size_t length = strcspn(name, "\n(: ");

	for (size_t i = 0; i < suspects->count; i++)
		if (suspects->items[i].length == length &&
		    memcmp(suspects->items[i].name, name, length) == 0)
			return;
	if (length == 0 || suspects->count == SUSPECTS_MOST)
		return;
	suspects->items[suspects->count].name = name;
	suspects->items[suspects->count++].length = length;
}

/*
 * "; it cannot read the code of K256/1, K512/1": what it complained of before it failed, which is
 * often what it failed on. The caller frees it.
 */
static char *name_suspects(const char *output)
{
	static const char *const marks[] = {"Offending function: ", " in function ",
					    "control flow detected in function "};
	struct suspects suspects = {0};
	struct pgb_text text = {0};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		for (const char *at = output; (at = strstr(at, marks[i])) != NULL;) {
			const char *line = at;

			at += strlen(marks[i]);
			while (line > output && line[-1] != '\n')
				line--;
			/* "fixed PIC indirect branch detected in function" and others are none */
			if (i != 1 || strncmp(line, "BOLT-WARNING: unable to disassemble", 35) == 0)
				add_suspect(&suspects, at);
		}
	for (size_t i = 0; i < suspects.count && i < SUSPECTS_NAMED; i++)
		pgb_text_addf(&text, "%s%.*s", i ? ", " : "; it cannot read the code of ",
			      (int)suspects.items[i].length, suspects.items[i].name);
	if (suspects.count > SUSPECTS_NAMED)
		pgb_text_addf(&text, " and %zu other functions", suspects.count - SUSPECTS_NAMED);
	return pgb_text_detach(&text);
}

static int explain_signal(const struct pgb_llvm_bolt *bolt, const struct pgb_llvm_bolt_job *job,
			  const struct pgb_llvm_bolt_result *result, int number,
			  struct pgb_error *error)
{
	char *suspects;

	if (number == SIGKILL) {
		pgb_fail(error, PGB_E_TOOL, "llvm-bolt %s was killed on %s: probably out of memory",
			 bolt->version, job->input);
		return pgb_remedy(error, "give it more memory, or less to do: -- -thread-count=1%s",
				  job->update_debug ? ", --drop-debug" : "");
	}
	suspects = name_suspects(pgb_text_string(&result->output));
	pgb_fail(error, PGB_E_TOOL, "llvm-bolt %s crashed on %s (%s)%s%s%s", bolt->version,
		 job->input, strsignal(number), result->error_line ? ": " : "",
		 result->error_line ? result->error_line : "", suspects);
	free(suspects);
	return pgb_remedy(error, "try --preset safe, or another release with --llvm-bolt PATH%s%s",
			  job->log_path ? "; all it said is in " : "",
			  job->log_path ? job->log_path : "");
}

int pgb_llvm_bolt_explain(const struct pgb_llvm_bolt *bolt, const struct pgb_llvm_bolt_job *job,
			  const struct pgb_llvm_bolt_result *result, int wait_status,
			  struct pgb_error *error)
{
	const char *line = result->error_line;
	const struct known_message *message = find_message(pgb_text_string(&result->output));
	const char *advised = result->skip_advised.count ? result->skip_advised.items[0] : NULL;

	if (line != NULL && find_message(line) != NULL)
		message = find_message(line);
	if (message == NULL && WIFSIGNALED(wait_status))
		return explain_signal(bolt, job, result, WTERMSIG(wait_status), error);
	if (message != NULL && message->meaning != NULL)
		pgb_fail(error, message->code, "%s: %s (llvm-bolt %s: %s)", job->input,
			 message->meaning, bolt->version, line ? line : message->text);
	else if (line != NULL) {
		char *suspects = name_suspects(pgb_text_string(&result->output));

		pgb_fail(error, message ? message->code : PGB_E_TOOL, "llvm-bolt %s on %s: %s%s",
			 bolt->version, job->input, line, message ? "" : suspects);
		free(suspects);
	} else
		pgb_fail(error, message ? message->code : PGB_E_TOOL,
			 "llvm-bolt %s on %s ended with status %d and gave no reason",
			 bolt->version, job->input, pgb_process_exit_status(wait_status));
	if (message != NULL && message->remedy != NULL)
		return pgb_remedy(error, "%s", message->remedy);
	if (advised != NULL)
		return pgb_remedy(error, "leave the function alone: --skip '%s'", advised);
	return pgb_remedy(error, "try --preset safe, or another release with --llvm-bolt PATH%s%s",
			  job->log_path ? "; all it said is in " : "",
			  job->log_path ? job->log_path : "");
}
