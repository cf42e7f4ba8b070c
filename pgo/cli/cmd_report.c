/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/bench/stats.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/report.h"

enum {
	ROUNDS_MOST = 100000,
};

struct report_options {
	const char *output;
};

static const struct pgb_option table[] = {
	{.letter = 'o',
	 .name = "output",
	 .kind = PGB_OPTION_STRING,
	 .argument = "FILE",
	 .offset = offsetof(struct report_options, output),
	 .help = "write to FILE and, as Markdown, to the same name with .md; default: "
		 "DIR/report.html"},
	{.name = NULL},
};

/* The same rounds of PGO and PGO+BOLT, times of both side by side; NULL: not as expected. */
static double *last_two(const json_t *commands, const char *key, size_t *rounds)
{
	const json_t *runs[2];
	double *values;

	for (size_t c = 0; c < 2; c++)
		runs[c] = json_object_get(json_array_get(commands, c + 1), "runs");
	*rounds = json_array_size(runs[0]);
	if (*rounds == 0 || *rounds != json_array_size(runs[1]) || *rounds > ROUNDS_MOST)
		return NULL;
	values = pgb_calloc(*rounds * 2, sizeof(*values));
	for (size_t i = 0; i < *rounds * 2; i++) {
		const json_t *run = json_array_get(runs[i % 2], i / 2);

		values[i] = json_number_value(json_object_get(run, key));
		if (values[i] <= 0) {
			free(values);
			return NULL;
		}
	}
	return values;
}

/* bench compares with the first command only: what BOLT adds to PGO is worked out here. */
static void compare_last_two(struct pgb_report *report)
{
	const json_t *commands = json_object_get(report->bench, "commands");
	const char *metric = json_string_value(json_object_get(report->bench, "metric"));
	bool is_time = metric && strcmp(metric, "command") != 0;
	struct pgb_estimate medians[2], ratios[2];
	size_t rounds;
	double *values;

	if (report->run == NULL || json_array_size(commands) != 3 || !is_time)
		return;
	values = last_two(commands, strcmp(metric, "cpu") == 0 ? "cpu_seconds" : "wall_seconds",
			  &rounds);
	if (values == NULL)
		return;
	pgb_stats_bootstrap(&(const struct pgb_samples){values, 2, rounds, false}, 0.05, 1, medians,
			    ratios);
	report->last_step =
		(struct pgb_report_ratio){ratios[1].value, ratios[1].low, ratios[1].high};
	free(values);
}

/* All but committed. */
static int prepare_file(struct pgb_out_file *out, const char *path, const char *text,
			struct pgb_error *error)
{
	int code = pgb_out_open(out, path, error);

	if (code != 0)
		return code;
	fputs(text, out->stream);
	return pgb_out_finish(out, error);
}

/* The same with another ending. */
static char *markdown_path(const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');

	if (dot == NULL || (slash && dot < slash) || dot == (slash ? slash + 1 : path))
		dot = path + strlen(path);
	return pgb_format("%.*s.md", (int)(dot - path), path);
}

static int write_both(struct pgb_cli *cli, const struct pgb_report *report, const char *path,
		      struct pgb_error *error)
{
	char *twin = markdown_path(path), *html = pgb_report_html(report);
	char *markdown = pgb_report_markdown(report);
	struct pgb_out_file page = {0}, text = {0};
	int code;

	if (strcmp(twin, path) == 0) {
		code = pgb_fail(error, PGB_E_USAGE, "%s is the name of the Markdown file", path);
		pgb_remedy(error, "name the HTML file: -o report.html");
	} else {
		code = prepare_file(&page, path, html, error);
		if (code == 0)
			code = prepare_file(&text, twin, markdown, error);
		if (code == 0)
			code = pgb_out_commit(&page, error);
		if (code == 0)
			code = pgb_out_commit(&text, error);
		pgb_out_discard(&page);
		pgb_out_discard(&text);
	}
	if (code == 0) {
		pgb_output_line(&cli->output, "Report: %s, and %s", path, twin);
		pgb_output_json(&cli->output,
				json_pack("{s:o, s:o, s:b, s:b, s:b}", "html", pgb_json_text(path),
					  "markdown", pgb_json_text(twin), "optimized",
					  report->optimized != NULL, "layout",
					  report->layout != NULL, "bench", report->bench != NULL));
	}
	free(markdown);
	free(html);
	free(twin);
	return code;
}

/* The folder of a run where there is one, else the recording. */
static const char *default_directory(void)
{
	return access(PGB_RECORDING_DEFAULT, F_OK) != 0 && access(".pgobolt/run", F_OK) == 0
		       ? ".pgobolt/run"
		       : PGB_RECORDING_DEFAULT;
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct report_options *options = cli->options;
	const char *directory = cli->arguments.operands.count ? cli->arguments.operands.items[0]
							      : default_directory();
	char *path = options->output ? pgb_dup(options->output)
				     : pgb_format("%s/report.html", directory);
	struct pgb_report report;
	int code = pgb_report_read(&report, directory, error);

	if (code == 0) {
		compare_last_two(&report);
		code = write_both(cli, &report, path, error);
	}
	if (code == 0 && report.optimized == NULL)
		pgb_output_next(&cli->output, "pgobolt optimize, then report again: nothing was "
					      "optimized from this recording yet");
	else if (code == 0 && report.bench == NULL)
		pgb_output_next(&cli->output,
				"pgobolt bench --save %s/bench.json './app work' './app.bolt "
				"work', then report again",
				directory);
	pgb_report_release(&report);
	free(path);
	return code;
}

static const struct pgb_example examples[] = {
	{"pgobolt report", "of pgobolt.data, or of .pgobolt/run where there is no recording"},
	{"pgobolt report -o app.html app.data", "another recording, to another place"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_report = {
	.name = "report",
	.summary = "make a page of what was recorded, optimized and measured",
	.synopsis = "[DIR]",
	.description =
		"Writes one HTML page that needs nothing else, and the same as Markdown: how fast "
		"it became, where the hot code was and is, blocks of the hottest functions, how "
		"good the profile is, every check, and the commands that do it all again. What is "
		"missing is said there.\n\n"
		"DIR is a recording, with what optimize put into it and bench.json from bench "
		"--save, or the folder of a run.",
	.options = table,
	.options_size = sizeof(struct report_options),
	.examples = examples,
	.operands_max = 1,
	.operand_name = "DIR",
	.run = run,
};
