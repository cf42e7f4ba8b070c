/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/bolt/fdata_read.h"
#include "pgobolt/bolt/verify.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/optimize.h"

struct verify_options {
	const char *profile;
};

static const struct pgb_option table[] = {
	{.name = "profile",
	 .kind = PGB_OPTION_STRING,
	 .argument = "PATH",
	 .offset = offsetof(struct verify_options, profile),
	 .help = "also check that this recording or fdata file is of the same build, and that its "
		 "functions are there afterwards"},
	{.name = NULL},
};

/* One binary: is it fit? With a profile: does that belong to it? */
static int verify_before(const struct verify_options *options, const char *path,
			 struct pgb_elf_image *image, struct pgb_findings *findings,
			 struct pgb_error *error)
{
	struct pgb_chosen_profile chosen = {0};
	int code = 0;

	if (options->profile != NULL)
		code = pgb_profile_choose(&chosen, path, options->profile, error);
	if (code == 0)
		code = pgb_verify_before(image, options->profile ? &chosen.build_id : NULL,
					 findings, error);
	pgb_chosen_profile_release(&chosen);
	return code;
}

static int verify_after(const struct verify_options *options, const char *path_original,
			struct pgb_elf_image *optimized, struct pgb_findings *findings,
			struct pgb_error *error)
{
	struct pgb_chosen_profile chosen = {0};
	struct pgb_profile *profile = NULL;
	struct pgb_elf_image *original = NULL;
	int code = pgb_elf_image_open(&original, path_original, error);

	if (code == 0 && options->profile != NULL) {
		profile = pgb_profile_new();
		code = pgb_profile_choose(&chosen, path_original, options->profile, error);
		if (code == 0)
			code = pgb_fdata_read_file(chosen.fdata, 1, profile, error);
	}
	if (code == 0)
		code = pgb_verify_after(original, optimized, profile, findings, error);
	if (original != NULL)
		pgb_elf_image_close(original);
	pgb_profile_free(profile);
	pgb_chosen_profile_release(&chosen);
	return code;
}

static void print_next(struct pgb_output *output, const char *path)
{
	char *program = strchr(path, '/') ? pgb_dup(path) : pgb_format("./%s", path);
	const char *const argv[] = {"pgobolt", "record", "--", program, "ARGS", NULL};

	pgb_output_next_command(output, argv);
	free(program);
}

static void print(struct pgb_cli *cli, const char *path, const char *original,
		  const struct pgb_findings *findings)
{
	struct pgb_output *output = &cli->output;
	bool fit = pgb_findings_worst(findings) != PGB_FINDING_ERROR;
	json_t *document = json_pack("{s:o, s:b, s:o}", "binary", pgb_json_text(path), "good", fit,
				     "findings", pgb_findings_json(findings));

	if (original != NULL)
		json_object_set_new(document, "original", pgb_json_text(original));
	pgb_output_json(output, document);
	if (original != NULL)
		pgb_output_heading(output, fit ? "The same program, as far as an ELF file shows"
					       : "Not fit to run");
	else
		pgb_output_heading(output, fit ? "Fit for llvm-bolt" : "Not fit for llvm-bolt");
	pgb_output_findings(output, findings);
	if (!fit)
		return;
	if (original != NULL)
		pgb_output_next(output, "run its tests; then put it in the place of %s", original);
	else
		print_next(output, path);
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct verify_options *options = cli->options;
	const char *path = cli->arguments.operands.items[0];
	const char *original =
		cli->arguments.operands.count > 1 ? cli->arguments.operands.items[1] : NULL;
	struct pgb_findings findings = {0};
	struct pgb_elf_image *image = NULL;
	struct pgb_error failure = {0};
	int code = pgb_elf_image_open(&image, path, error);

	if (code != 0)
		return code;
	if (original == NULL && pgb_elf_image_is_optimized(image)) {
		pgb_fail(error, PGB_E_USAGE,
			 "%s is llvm-bolt's output: to check it takes the original", path);
		code = pgb_remedy(error, "pgobolt verify %s ORIGINAL", path);
	} else if (original == NULL) {
		code = verify_before(options, path, image, &findings, error);
	} else {
		code = verify_after(options, original, image, &findings, error);
	}
	if (code == 0)
		print(cli, path, original, &findings);
	/* the findings were printed: the status alone is left to tell */
	if (code == 0 && pgb_findings_error(&findings, &failure) != 0)
		code = pgb_code_exit_status(failure.code);
	pgb_findings_release(&findings);
	pgb_elf_image_close(image);
	return code;
}

static const struct pgb_example examples[] = {
	{"pgobolt verify ./app", "was it built so that llvm-bolt can work on it?"},
	{"pgobolt verify ./app.bolt ./app", "is the optimized file still the same program?"},
	{"pgobolt verify --profile pgobolt.data ./app", "is the recording of this build?"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_verify = {
	.name = "verify",
	.summary = "check a binary before or after optimization",
	.synopsis = "BINARY [ORIGINAL]",
	.description =
		"With one binary: whether llvm-bolt can take it. Relocations, symbol table, "
		"functions "
		"split by the compiler, and what must not be touched (Go, kernel images, "
		"llvm-bolt's "
		"own output). Each finding names the flag that mends it.\n\n"
		"With its original: whether the optimized file can stand in for it. Segments, "
		"entry "
		"point, dynamic section, exported symbols and their versions, stack and RELRO "
		"protection, unwind table.\n\n"
		"The exit status is 0 where nothing stands against it, else 1.",
	.options = table,
	.options_size = sizeof(struct verify_options),
	.examples = examples,
	.operands_min = 1,
	.operands_max = 2,
	.operand_name = "BINARY",
	.run = run,
};
