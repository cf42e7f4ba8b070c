/* SPDX-License-Identifier: MIT */
#include <jansson.h>

#include "pgo/cli/doctor.h"
#include "pgobolt/base/text.h"
#include "pgobolt/pgo/cli/commands.h"

struct doctor_options {
	const char *llvm_bolt, *profile;
	const char *root;
};

void pgb_doctor_add(struct pgb_findings *findings, enum pgb_severity severity, const char *check,
		    const char *remedy, const char *format, ...)
{
	struct pgb_finding finding = {
		.severity = severity, .check = check, .remedy = pgb_dup(remedy)};
	struct pgb_text message = {0};
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(&message, format, arguments);
	va_end(arguments);
	finding.message = pgb_text_detach(&message);
	if (severity == PGB_FINDING_ERROR)
		finding.code = PGB_E_UNSUPPORTED;
	pgb_array_push(&findings->list, finding);
}

void pgb_doctor_add_error(struct pgb_findings *findings, enum pgb_severity severity,
			  const char *check, const struct pgb_error *error)
{
	pgb_doctor_add(findings, severity, check, error->remedy[0] ? error->remedy : NULL, "%s",
		       error->message);
	if (severity == PGB_FINDING_ERROR)
		findings->list.items[findings->list.count - 1].code = error->code;
}

static void print_group(struct pgb_output *output, const char *title,
			const struct pgb_findings *findings)
{
	if (findings->list.count == 0)
		return;
	pgb_output_heading(output, title);
	pgb_output_findings(output, findings);
}

static bool is_ready(const struct doctor *doctor)
{
	return doctor->bolt.path && doctor->automatic;
}

static void print_verdict(struct pgb_output *output, const struct doctor *doctor)
{
	pgb_output_heading(output, "In short");
	if (doctor->bolt.path == NULL)
		pgb_output_wrapped(output, "", 0,
				   "Nothing can be optimized: llvm-bolt is missing.");
	if (doctor->automatic == NULL) {
		pgb_output_wrapped(output, "", 0, "Nothing can be recorded: no source works.");
		return;
	}
	if (doctor->bolt.path)
		pgb_output_wrapped(output, "", 0,
				   "record, optimize and verify can run on this machine.");
	pgb_output_line(output, "record takes the source %s, the first that works%s%s",
			doctor->automatic->name, doctor->automatic->lost ? ";" : ".",
			doctor->automatic->lost ? " mind:" : "");
	if (doctor->automatic->lost)
		pgb_output_wrapped(output, " ", 2, doctor->automatic->lost);
	if (is_ready(doctor) && !doctor->binary_is_unfit)
		pgb_output_next(output, "pgobolt record -- PROGRAM ARGS");
}

static void print_text(const struct pgb_cli *cli, struct pgb_output *output,
		       const struct doctor *doctor)
{
	print_group(output, "Machine", &doctor->machine);
	print_group(output, "Sources, best first", &doctor->sources);
	print_group(output, "Tools", &doctor->tools);
	if (cli->arguments.operands.count)
		print_group(output, cli->arguments.operands.items[0], &doctor->binary);
	print_verdict(output, doctor);
}

static json_t *report_json(const struct doctor *doctor)
{
	json_t *document = json_pack("{s:b, s:s?, s:o, s:o, s:o}", "ready", is_ready(doctor),
				     "source", doctor->automatic ? doctor->automatic->name : NULL,
				     "machine", pgb_findings_json(&doctor->machine), "sources",
				     pgb_findings_json(&doctor->sources), "tools",
				     pgb_findings_json(&doctor->tools));

	if (doctor->binary.list.count)
		json_object_set_new(document, "binary", pgb_findings_json(&doctor->binary));
	return document;
}

static int check_binary(const char *path, struct doctor *doctor, struct pgb_error *error)
{
	struct pgb_elf_image *image;
	int code = pgb_elf_image_open(&image, path, error);

	if (code)
		return code;
	code = pgb_verify_before(image, NULL, &doctor->binary, error);
	pgb_elf_image_close(image);
	doctor->binary_is_unfit = pgb_findings_worst(&doctor->binary) == PGB_FINDING_ERROR;
	return code;
}

/* Exit status: the binary's trouble is told apart from the machine's. */
static int examine(struct pgb_cli *cli, struct doctor *doctor, struct pgb_error *error)
{
	const struct doctor_options *options = cli->options;
	struct pgb_error unfit = {0};
	int code;

	if (options->profile != NULL && cli->arguments.operands.count == 0)
		return pgb_fail(error, PGB_E_USAGE, "--profile needs the binary that it is of");
	code = pgb_host_init(&doctor->host, options->root, error);
	if (code == 0 && cli->arguments.operands.count)
		code = check_binary(cli->arguments.operands.items[0], doctor, error);
	if (code)
		return code;
	doctor->is_elsewhere = options->root != NULL;
	pgb_doctor_tools(doctor, options->llvm_bolt);
	if (options->profile != NULL && !doctor->binary_is_unfit) {
		code = pgb_doctor_benefit(doctor, cli->arguments.operands.items[0],
					  options->profile, error);
		if (code)
			return code;
	}
	pgb_doctor_sources(doctor);
	pgb_doctor_machine(doctor);
	print_text(cli, &cli->output, doctor);
	pgb_output_json(&cli->output, report_json(doctor));
	if (!is_ready(doctor))
		return pgb_code_exit_status(PGB_E_UNSUPPORTED);
	code = pgb_findings_error(&doctor->binary, &unfit);
	return code ? pgb_code_exit_status(code) : 0;
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	struct doctor doctor = {0};
	int status = examine(cli, &doctor, error);

	pgb_findings_release(&doctor.machine);
	pgb_findings_release(&doctor.sources);
	pgb_findings_release(&doctor.tools);
	pgb_findings_release(&doctor.binary);
	pgb_llvm_bolt_release(&doctor.bolt);
	pgb_host_release(&doctor.host);
	return status;
}

static const struct pgb_option options[] = {
	{.name = "llvm-bolt",
	 .kind = PGB_OPTION_STRING,
	 .argument = "PATH",
	 .offset = offsetof(struct doctor_options, llvm_bolt),
	 .help = "look at this llvm-bolt; default: $PGOBOLT_LLVM_BOLT, PATH, the newest in "
		 "/usr/lib/llvm-*"},
	{.name = "profile",
	 .kind = PGB_OPTION_STRING,
	 .argument = "PATH",
	 .offset = offsetof(struct doctor_options, profile),
	 .help = "a recording or fdata file of BINARY: also tell whether llvm-bolt will help, from "
		 "its hot code and its branches"},
	{.name = "root",
	 .hidden = true, /* for tests: other machines' /sys and /proc */
	 .kind = PGB_OPTION_STRING,
	 .argument = "DIR",
	 .offset = offsetof(struct doctor_options, root),
	 .help = "read /sys and /proc below DIR"},
	{.name = NULL},
};

static const struct pgb_example examples[] = {
	{"pgobolt doctor", "what works on this machine, and how to mend what does not"},
	{"pgobolt doctor ./app", "also: is this binary built so that it can be optimized"},
	{"pgobolt doctor ./app --profile pgobolt.data", "also: will llvm-bolt help it"},
	{"pgobolt doctor --json", "the same for scripts"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_doctor = {
	.name = "doctor",
	.summary = "check this machine, its tools and a binary; say how to mend what is missing",
	.synopsis = "[BINARY]",
	.description =
		"One line for each requirement, good or bad, and below each bad one what to type "
		"or "
		"install. Sources of branches are tried, not guessed.\n\nExit status: 0 "
		"when the main job can run here, 3 when not, 1 when BINARY cannot be optimized as "
		"it was built.",
	.options = options,
	.options_size = sizeof(struct doctor_options),
	.examples = examples,
	.operands_max = 1,
	.operand_name = "BINARY",
	.run = run,
};
