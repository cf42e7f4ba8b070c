/* SPDX-License-Identifier: MIT */
/* What to send to llvm-bolt's authors, and to run again when they have answered. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgo/optimize_private.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"

static void add_word(FILE *stream, const char *word)
{
	const char *const words[] = {word, NULL};
	char *quoted = pgb_process_command_line(words);

	fprintf(stream, "%s", quoted);
	free(quoted);
}

static int write_file(const char *folder, const char *name,
		      void (*fill)(FILE *stream, const struct pgb_trials *trials),
		      const struct pgb_trials *trials, mode_t mode, struct pgb_error *error)
{
	char *path = pgb_format("%s/%s", folder, name);
	struct pgb_out_file out;
	int code = pgb_out_open(&out, path, error);

	if (code == 0) {
		fill(out.stream, trials);
		code = pgb_out_commit(&out, error);
	}
	if (code == 0 && mode != 0)
		chmod(path, mode);
	free(path);
	return code;
}

static bool has_functions(const struct pgb_trials *trials)
{
	return trials->search->functions.count > 0;
}

static bool has_test(const struct pgb_trials *trials)
{
	return trials->run->job->check != NULL && !trials->of_crash;
}

/* llvm-bolt on the guilty functions alone, and the test; run from the folder itself. */
static void fill_script(FILE *stream, const struct pgb_trials *trials)
{
	const struct pgb_optimize_run *run = trials->run;
	struct pgb_llvm_bolt_job job = trials->base;
	char *input = realpath(job.input, NULL);
	char **argv;

	job.input = "$INPUT";
	job.output = "optimized";
	job.profile = "profile.fdata";
	job.only_functions_file = has_functions(trials) ? "functions" : NULL;
	argv = pgb_llvm_bolt_arguments(run->bolt, run->image, &job);
	fprintf(stream, "#!/bin/sh\n# INPUT and LLVM_BOLT may be set to others.\n"
			"cd \"$(dirname \"$0\")\" || exit 2\n: \"${INPUT:=");
	fprintf(stream, "%s}\" \"${LLVM_BOLT:=%s}\"\n", input ? input : trials->base.input,
		run->bolt->path);
	fprintf(stream, "\"$LLVM_BOLT\" \"$INPUT\"");
	for (size_t i = 2; argv[i] != NULL; i++) {
		fprintf(stream, " \\\n\t");
		add_word(stream, argv[i]);
	}
	fprintf(stream, " || {\n\techo \"== llvm-bolt's exit status $?\"\n\texit 2\n}\n");
	pgb_llvm_bolt_arguments_free(argv);
	free(input);
	if (!has_test(trials))
		return;
	fprintf(stream, "for PGOBOLT_BINARY in \"$INPUT\" \"$PWD/optimized\"; do\n"
			"\texport PGOBOLT_BINARY\n\techo \"== $PGOBOLT_BINARY\"\n\t(cd ");
	{
		char *here =
			realpath(run->job->check->folder ? run->job->check->folder : ".", NULL);

		add_word(stream, here ? here : ".");
		free(here);
	}
	fprintf(stream, " && /bin/sh -c ");
	{
		struct pgb_text command = {0};
		const char *from = run->job->check->command, *at;

		while ((at = strstr(from, "{}")) != NULL) {
			pgb_text_add_bytes(&command, from, (size_t)(at - from));
			pgb_text_add(&command, "\"$PGOBOLT_BINARY\"");
			from = at + 2;
		}
		pgb_text_add(&command, from);
		add_word(stream, pgb_text_string(&command));
		pgb_text_release(&command);
	}
	fprintf(stream, ")\n\techo \"== exit status $?\"\ndone\n");
}

static void fill_readme(FILE *stream, const struct pgb_trials *trials)
{
	const struct pgb_optimize_run *run = trials->run;
	const struct pgb_optimize_search *search = trials->search;

	fprintf(stream, "# llvm-bolt %s: %s\n\n", run->bolt->version,
		trials->of_crash ? "a crash" : "a wrong result");
	fprintf(stream, "- what is wrong: %s\n", search->failure);
	fprintf(stream, "- binary: %s, build-id %s\n", run->job->profile->binary,
		run->result->build_id[0] ? run->result->build_id : "none");
	if (has_test(trials))
		fprintf(stream, "- test: `%s` ({}: the binary)\n", run->job->check->command);
	for (size_t i = 0; i < search->functions.count; i++)
		fprintf(stream, "- function: `%s`\n", search->functions.items[i]);
	for (size_t i = 0; i < search->options.count; i++)
		fprintf(stream, "- option: `-%s`\n", search->options.items[i]);
	fprintf(stream,
		"\nFound in %zu trials among %zu functions. `./reproduce.sh` runs llvm-bolt%s%s.\n",
		search->runs, search->candidates,
		has_functions(trials) ? " on these functions alone (file `functions`)" : "",
		has_test(trials) ? " and then the test, on the original and on the result" : "");
	fprintf(stream, "\nThe last command that pgobolt ran:\n\n    %s\n",
		run->result->bolt.command_line ? run->result->bolt.command_line : "");
}

static int copy_profile(const struct pgb_trials *trials, const char *folder,
			struct pgb_error *error)
{
	char *path = pgb_format("%s/profile.fdata", folder);
	struct pgb_file_map map;
	struct pgb_out_file out;
	int code = pgb_file_map_open(&map, trials->base.profile, error);

	if (code == 0) {
		code = pgb_out_open(&out, path, error);
		if (code == 0) {
			fwrite(map.bytes, 1, map.size_bytes, out.stream);
			code = pgb_out_commit(&out, error);
		}
		pgb_file_map_close(&map);
	}
	free(path);
	return code;
}

static int write_functions(struct pgb_trials *trials, const char *folder, struct pgb_error *error)
{
	const struct pgb_optimize_search *search = trials->search;
	PGB_ARRAY(const struct pgb_elf_function *) functions = {0};
	char *path = pgb_format("%s/functions", folder);
	int code;

	for (size_t i = 0; i < search->functions.count; i++)
		pgb_array_push(&functions, pgb_elf_image_function_named(
						   trials->run->image, search->functions.items[i]));
	code = pgb_trials_write_names(trials, path, functions.items, functions.count, error);
	pgb_array_release(&functions);
	free(path);
	return code;
}

int pgb_reproducer_write(struct pgb_trials *trials, const char *folder, struct pgb_error *error)
{
	int code = pgb_file_make_directories(folder, error);

	if (code == 0)
		code = copy_profile(trials, folder, error);
	if (code == 0 && has_functions(trials))
		code = write_functions(trials, folder, error);
	if (code == 0)
		code = write_file(folder, "README.md", fill_readme, trials, 0, error);
	if (code == 0)
		code = write_file(folder, "reproduce.sh", fill_script, trials, 0755, error);
	return code;
}
