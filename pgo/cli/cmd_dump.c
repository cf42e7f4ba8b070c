/* SPDX-License-Identifier: MIT */
#include "pgo/cli/dump.h"

#include <inttypes.h>

#include "pgobolt/pgo/cli/commands.h"

struct dump_options {
	uint64_t limit;
};

size_t pgb_dump_rows(const struct dump *dump, size_t count)
{
	return dump->limit && dump->limit < count ? (size_t)dump->limit : count;
}

void pgb_dump_left_out(const struct dump *dump, size_t count)
{
	size_t rows = pgb_dump_rows(dump, count);

	if (rows < count)
		pgb_output_note(dump->output, "%zu of %zu; --limit 0 shows all", rows, count);
}

void pgb_dump_title(const struct dump *dump, const char *more)
{
	pgb_output_line(dump->output, "%s%s%s: %s%s",
			pgb_output_style(dump->output, PGB_STYLE_BOLD), dump->path,
			pgb_output_style(dump->output, PGB_STYLE_PLAIN),
			pgb_input_kind_name(dump->kind), more);
}

json_t *pgb_dump_document(const struct dump *dump)
{
	return json_pack("{s:o, s:s}", "file", pgb_json_text(dump->path), "kind",
			 pgb_input_kind_name(dump->kind));
}

void pgb_dump_heads(struct pgb_table *table, const char *const *heads)
{
	for (unsigned int i = 0; i < table->columns; i++)
		pgb_table_cell(table, "%s", heads[i]);
}

struct pgb_number pgb_dump_share(uint64_t part, uint64_t whole)
{
	if (whole == 0)
		return (struct pgb_number){"-"};
	return pgb_number_percent(100.0 * (double)part / (double)whole);
}

json_t *pgb_dump_address(uint64_t address)
{
	return json_sprintf("0x%" PRIx64, address);
}

json_t *pgb_dump_count(uint64_t count)
{
	return json_integer(count > INT64_MAX ? INT64_MAX : (json_int_t)count);
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	static int (*const dumpers[PGB_INPUT_KINDS])(const struct dump *, struct pgb_error *) = {
		[PGB_INPUT_EDGES] = pgb_dump_edges,   [PGB_INPUT_ELF] = pgb_dump_elf,
		[PGB_INPUT_FDATA] = pgb_dump_fdata,   [PGB_INPUT_PERF_DATA] = pgb_dump_perf_data,
		[PGB_INPUT_PREAGG] = pgb_dump_preagg, [PGB_INPUT_RECORDING] = pgb_dump_recording,
	};
	const struct dump_options *options = cli->options;
	struct dump dump = {.output = &cli->output,
			    .path = cli->arguments.operands.items[0],
			    .limit = options->limit};
	int code = pgb_input_identify(dump.path, &dump.kind, error);

	if (code)
		return code;
	if (dumpers[dump.kind] == NULL)
		return pgb_input_refuse(dump.path, dump.kind, "a file that dump can describe",
					error);
	return dumpers[dump.kind](&dump, error);
}

static const struct pgb_option options[] = {
	{.letter = 'n',
	 .name = "limit",
	 .kind = PGB_OPTION_UNSIGNED,
	 .argument = "N",
	 .offset = offsetof(struct dump_options, limit),
	 .help = "show at most N rows of each list, 0: all; default: 20"},
	{.name = NULL},
};

static const struct pgb_example examples[] = {
	{"pgobolt dump pgobolt.data", "what was recorded, and of which binaries"},
	{"pgobolt dump ./app", "build-id, segments, functions, relocations"},
	{"pgobolt dump -n 50 app.fdata", "the 50 hottest branches of a profile"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_dump = {
	.name = "dump",
	.summary = "describe a recording, a profile or a binary",
	.synopsis = "FILE",
	.description =
		"Says what FILE is and what it holds: the folder of a recording, an ELF file, "
		"fdata, pre-aggregated branches, the edge file of a recording, or perf.data. "
		"Nothing is changed.",
	.options = options,
	.options_size = sizeof(struct dump_options),
	.defaults = &(const struct dump_options){.limit = 20},
	.examples = examples,
	.operands_min = 1,
	.operands_max = 1,
	.operand_name = "FILE",
	.run = run,
};
