/* SPDX-License-Identifier: MIT */
#include "pgobolt/bench/simulate.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"

enum {
	/* Its files grow with the functions of a program; the line that counts is the last. */
	FILE_BYTES_MOST = 256 * 1024 * 1024,
	EVENTS_MOST = 32,
};

/* What cachegrind calls them: its manual, 5.2.3. */
static const struct figure {
	const char *event, *name;
} figures[PGB_SIMULATED_COUNT] = {
	[PGB_SIMULATED_INSTRUCTIONS] = {"Ir", "instructions"},
	[PGB_SIMULATED_L1I_MISSES] = {"I1mr", "L1-icache misses"},
	[PGB_SIMULATED_LLI_MISSES] = {"ILmr", "LL instruction misses"},
	[PGB_SIMULATED_BRANCHES] = {"Bc", "conditional branches"},
	[PGB_SIMULATED_BRANCH_MISSES] = {"Bcm", "mispredicted"},
	[PGB_SIMULATED_INDIRECT] = {"Bi", "indirect branches"},
	[PGB_SIMULATED_INDIRECT_MISSES] = {"Bim", "mispredicted (indirect)"},
};

const char *pgb_simulated_name(enum pgb_simulated figure)
{
	return figures[figure].name;
}

char *pgb_simulate_find(struct pgb_error *error)
{
	char *path = pgb_process_find_command("valgrind");

	if (path == NULL) {
		pgb_fail(error, PGB_E_NOT_FOUND, "not simulated: valgrind is not installed");
		pgb_remedy(error, "Debian, Ubuntu: apt-get install valgrind");
	}
	return path;
}

/* The line that begins so; NULL: there is none. Behind its beginning. */
static const char *find_line(const char *text, const char *beginning)
{
	size_t length = strlen(beginning);

	while (text != NULL) {
		if (strncmp(text, beginning, length) == 0)
			return text + length;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

static void add_value(struct pgb_simulation *simulation, const char *event, size_t length,
		      uint64_t value)
{
	for (int k = 0; k < PGB_SIMULATED_COUNT; k++)
		if (strlen(figures[k].event) == length &&
		    memcmp(figures[k].event, event, length) == 0)
			simulation->values[k] = value > UINT64_MAX - simulation->values[k]
							? UINT64_MAX
							: simulation->values[k] + value;
}

/* "events: Ir I1mr .." names the columns of "summary: 123 4 ..". */
bool pgb_simulate_parse(struct pgb_simulation *simulation, const char *text)
{
	const char *events = find_line(text, "events:"), *summary;
	struct pgb_simulation sum = *simulation;

	summary = events ? find_line(events, "summary:") : NULL;
	/* without its end, the last number may be cut */
	if (summary == NULL || strchr(summary, '\n') == NULL)
		return false;
	for (int i = 0; i < EVENTS_MOST; i++) {
		size_t length;
		uint64_t value;
		char *end;

		events += strspn(events, " ");
		summary += strspn(summary, " ");
		length = strcspn(events, " \n");
		if (length == 0)
			break;
		if (*summary < '0' || *summary > '9')
			return false;
		value = strtoull(summary, &end, 10);
		add_value(&sum, events, length, value);
		events += length;
		summary = end;
	}
	sum.processes++;
	*simulation = sum;
	return true;
}

static int read_files(struct pgb_simulation *simulation, const char *folder,
		      struct pgb_error *error)
{
	DIR *listing = opendir(folder);
	struct dirent *entry;
	int code = 0;

	while (listing != NULL && code == 0 && (entry = readdir(listing)) != NULL) {
		char *path = pgb_format("%s/%s", folder, entry->d_name);
		struct pgb_text text = {0};

		if (entry->d_name[0] != '.') {
			code = pgb_file_read(&text, path, FILE_BYTES_MOST, error);
			if (code == 0 && !pgb_simulate_parse(simulation, pgb_text_string(&text)))
				code = pgb_fail(error, PGB_E_CORRUPT,
						"cachegrind's file has no summary: %s", path);
		}
		pgb_text_release(&text);
		free(path);
	}
	if (listing != NULL)
		closedir(listing);
	if (code == 0 && simulation->processes == 0)
		code = pgb_fail(error, PGB_E_TOOL, "cachegrind wrote no figures");
	return code;
}

static int run(const char *valgrind, const char *shell, const char *const *environment,
	       const char *folder, unsigned int timeout_s, struct pgb_error *error)
{
	char *file = pgb_format("--cachegrind-out-file=%s/%%p", folder);
	const char *const argv[] = {valgrind,
				    "--tool=cachegrind",
				    "--quiet",
				    "--trace-children=yes",
				    "--cache-sim=yes",
				    "--branch-sim=yes",
				    "--I1=32768,8,64",
				    "--D1=32768,8,64",
				    "--LL=8388608,16,64",
				    file,
				    "/bin/sh",
				    "-c",
				    shell,
				    NULL};
	const struct pgb_spawn spawn = {.argv = argv,
					.environment = environment,
					.quiet_stdin = true,
					.own_group = true,
					.die_with_parent = true};
	struct pgb_text output = {0}, complaints = {0};
	int wait_status = 0;
	int code = pgb_process_run(&spawn, timeout_s, &output, &complaints, &wait_status, error);

	if (code == 0 && wait_status != 0)
		code = pgb_fail(error, PGB_E_TOOL,
				"under cachegrind the command ended with status %d: %s: %.200s",
				pgb_process_exit_status(wait_status), shell,
				pgb_text_string(&complaints));
	pgb_text_release(&output);
	pgb_text_release(&complaints);
	free(file);
	return code;
}

int pgb_simulate(struct pgb_simulation *simulation, const char *valgrind, const char *shell,
		 const char *const *environment, unsigned int timeout_s, struct pgb_error *error)
{
	const char *temporary = getenv("TMPDIR");
	char *folder = pgb_format("%s/pgobolt-simulate.XXXXXX",
				  temporary && *temporary ? temporary : "/tmp");
	int code;

	*simulation = (struct pgb_simulation){0};
	if (mkdtemp(folder) == NULL) {
		code = pgb_fail(error, pgb_code_from_errno(errno), "cannot create %s: %s", folder,
				strerror(errno));
		free(folder);
		return code;
	}
	code = run(valgrind, shell, environment, folder, timeout_s, error);
	if (code == 0)
		code = read_files(simulation, folder, error);
	pgb_file_remove_tree(folder, NULL);
	free(folder);
	return code;
}
