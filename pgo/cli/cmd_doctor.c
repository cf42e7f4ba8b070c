/* SPDX-License-Identifier: MIT */
#include <jansson.h>

#include "pgo/cli/doctor.h"
#include "pgobolt/base/text.h"
#include "pgobolt/pgo/cli/commands.h"

struct doctor_options {
	const char *llvm_bolt;
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

/* What `record` takes when it is not told, for a program it starts. */
static const char *automatic_source(const struct doctor *doctor, const char **why)
{
	if (doctor->branch_source) {
		*why = "the CPU records branches";
		return doctor->branch_source->name;
	}
	if (doctor->bolt.runtime_library) {
		*why = "no branch records here; counts that llvm-bolt puts into a copy, where the "
		       "program keeps its relocations, else ip";
		return "instrument";
	}
	if (doctor->can_sample) {
		*why = "no branch records here, and no runtime library of llvm-bolt; plain samples "
		       "are of little use to llvm-bolt";
		return "ip";
	}
	*why = "neither perf events nor llvm-bolt's runtime library are here";
	return NULL;
}

static void print_group(struct pgb_output *output, const char *title,
			const struct pgb_findings *findings)
{
	if (findings->list.count == 0)
		return;
	pgb_output_heading(output, title);
	pgb_output_findings(output, findings);
}

static void print_verdict(struct pgb_output *output, const struct doctor *doctor,
			  const struct pgb_findings *binary, bool ready)
{
	const char *why;
	const char *source = automatic_source(doctor, &why);

	pgb_output_heading(output, "Here");
	pgb_output_wrapped(output, "", 0,
			   ready ? "record, optimize and verify can run on this machine."
			   : !doctor->can_optimize
				   ? "Nothing can be optimized here: llvm-bolt is missing."
				   : "Nothing can be recorded here.");
	if (source) {
		char *line = pgb_format("record takes the source %s: %s.", source, why);

		pgb_output_wrapped(output, "", 0, line);
		free(line);
	}
	if (ready && pgb_findings_worst(binary) < PGB_FINDING_ERROR)
		pgb_output_next(output, "pgobolt record -- PROGRAM ARGS");
}

static json_t *report_json(const struct doctor *doctor, const struct pgb_findings *binary,
			   bool ready)
{
	const char *why;
	const char *source = automatic_source(doctor, &why);
	json_t *document =
		json_pack("{s:b, s:s?, s:s, s:o, s:o}", "ready", ready, "source", source,
			  "source_reason", why, "sampling", pgb_findings_json(&doctor->sampling),
			  "tools", pgb_findings_json(&doctor->tools));

	if (binary->list.count)
		json_object_set_new(document, "binary", pgb_findings_json(binary));
	return document;
}

static int check_binary(const char *path, struct pgb_findings *findings, struct pgb_error *error)
{
	struct pgb_elf_image *image;
	int code = pgb_elf_image_open(&image, path, error);

	if (code)
		return code;
	code = pgb_verify_before(image, NULL, findings, error);
	pgb_elf_image_close(image);
	return code;
}

/* Exit status: the binary's trouble is told apart from the machine's. */
static int examine(struct pgb_cli *cli, struct doctor *doctor, struct pgb_findings *binary,
		   struct pgb_error *error)
{
	const struct doctor_options *options = cli->options;
	struct pgb_error unfit = {0};
	bool ready;
	int code = 0;

	if (cli->arguments.operands.count)
		code = check_binary(cli->arguments.operands.items[0], binary, error);
	if (code == 0)
		code = pgb_host_init(&doctor->host, options->root, error);
	if (code)
		return code;
	doctor->is_elsewhere = options->root != NULL;
	pgb_doctor_sampling(doctor);
	pgb_doctor_tools(doctor, options->llvm_bolt);
	ready = doctor->can_optimize && (doctor->can_sample || doctor->bolt.runtime_library);
	print_group(&cli->output, "Sampling", &doctor->sampling);
	print_group(&cli->output, "Tools", &doctor->tools);
	if (binary->list.count)
		print_group(&cli->output, cli->arguments.operands.items[0], binary);
	print_verdict(&cli->output, doctor, binary, ready);
	pgb_output_json(&cli->output, report_json(doctor, binary, ready));
	if (!ready)
		return pgb_code_exit_status(PGB_E_UNSUPPORTED);
	code = pgb_findings_error(binary, &unfit);
	return code ? pgb_code_exit_status(code) : 0;
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	struct doctor doctor = {0};
	struct pgb_findings binary = {0};
	int status = examine(cli, &doctor, &binary, error);

	pgb_findings_release(&binary);
	pgb_findings_release(&doctor.sampling);
	pgb_findings_release(&doctor.tools);
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
		"install. Perf events and branch records are tried, not guessed.\n\nExit status: 0 "
		"when the main job can run here, 3 when not, 1 when BINARY cannot be optimized as "
		"it was built.",
	.options = options,
	.options_size = sizeof(struct doctor_options),
	.examples = examples,
	.operands_max = 1,
	.operand_name = "BINARY",
	.run = run,
};
