/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>

#include "pgo/cli/bench_measure.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/interrupt.h"
#include "pgobolt/pgo/cli/progress.h"

#define TIME_DEFAULT_NS	  (UINT64_C(60) * 1000000000)
#define PRECISION_DEFAULT 1.0
#define CPU_NUMBER_MAX	  4095
#define UNSET		  (-1.0)

struct bench_options {
	uint64_t rounds, time_ns, warmup, timeout_ns, seed;
	double precision, failures, min_gain;
	int metric;
	const char *metric_from, *save;
	bool higher_is_better, no_compare, simulate;
	struct pgb_option_list cpus;
};

static const struct bench_options defaults = {
	.warmup = 1,
	.timeout_ns = UINT64_C(600) * 1000000000,
	.seed = 1,
	.precision = UNSET,
	.failures = 10,
	.min_gain = UNSET,
};

static const char *const metric_words[] = {"wall", "cpu", NULL};

#define AT(field) .offset = offsetof(struct bench_options, field)
static const struct pgb_option table[] = {
	{.letter = 'n',
	 .name = "runs",
	 .kind = PGB_OPTION_UNSIGNED,
	 .argument = "N",
	 AT(rounds),
	 .minimum = 1,
	 .maximum = 1000000,
	 .help = "run each command N times; default: as often as --precision needs"},
	{.name = "precision",
	 .kind = PGB_OPTION_PERCENT,
	 .argument = "PCT",
	 AT(precision),
	 .help = "go on until the ratio is known to +-PCT; default: 1%; with --min-gain until that "
		 "is decided; with -n not at all"},
	{.name = "time",
	 .kind = PGB_OPTION_DURATION,
	 .argument = "S",
	 AT(time_ns),
	 .minimum = 1,
	 .help = "begin no new round after S; default: 60s, with -n no limit"},
	{.name = "metric",
	 .kind = PGB_OPTION_CHOICE,
	 .choices = metric_words,
	 AT(metric),
	 .help = "compare wall-clock time or CPU time (user and system); default: wall"},
	{.name = "metric-from",
	 .kind = PGB_OPTION_STRING,
	 .argument = "CMD",
	 AT(metric_from),
	 .help = "compare the number that CMD prints when it is given a run's output"},
	{.name = "higher-is-better",
	 AT(higher_is_better),
	 .help = "of the numbers of --metric-from"},
	{.name = "min-gain",
	 .kind = PGB_OPTION_PERCENT,
	 .argument = "PCT",
	 AT(min_gain),
	 .help = "exit with 1 unless every other command is shown to be PCT faster than the first"},
	{.name = "no-compare",
	 AT(no_compare),
	 .help = "commands may print different things; their output goes to /dev/null"},
	{.name = "save",
	 .kind = PGB_OPTION_STRING,
	 .argument = "FILE",
	 AT(save),
	 .help = "write what --json prints to FILE, too; report takes it from bench.json in its "
		 "folder"},
	{.name = "simulate",
	 AT(simulate),
	 .help = "run each command once more under valgrind's cachegrind, for instruction cache "
		 "and "
		 "branch figures; takes some fifty times as long"},
	{.name = "warmup",
	 .kind = PGB_OPTION_UNSIGNED,
	 .argument = "N",
	 AT(warmup),
	 .maximum = 1000000,
	 .help = "rounds that do not count, before the others; default: 1"},
	{.name = "failures",
	 .kind = PGB_OPTION_PERCENT,
	 .argument = "PCT",
	 AT(failures),
	 .help = "give up when more runs of a command fail; default: 10%"},
	{.name = "timeout",
	 .kind = PGB_OPTION_DURATION,
	 .argument = "S",
	 AT(timeout_ns),
	 .minimum = 1,
	 .help = "give up when one run takes longer; default: 10m"},
	{.name = "cpu",
	 .kind = PGB_OPTION_COMMA_LIST,
	 .argument = "LIST",
	 AT(cpus),
	 .help = "run on these CPUs only: 3 or 0-3,8"},
	{.name = "seed",
	 .kind = PGB_OPTION_UNSIGNED,
	 .argument = "N",
	 AT(seed),
	 .help = "of the random order and the intervals; default: 1"},
	{.name = NULL},
};

static bool parse_cpu(const char **at, unsigned long *cpu)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	*cpu = strtoul(*at, &end, 10);
	*at = end;
	return *cpu <= CPU_NUMBER_MAX;
}

/* "3", "0-3" for each item. */
static int parse_cpus(const struct pgb_option_list *list, struct pgb_cpu_list *cpus,
		      struct pgb_error *error)
{
	for (size_t i = 0; i < list->items.count; i++) {
		const char *text = list->items.items[i].value, *at = text;
		unsigned long first = 0, last;
		bool good = parse_cpu(&at, &first);

		last = first;
		if (good && *at == '-') {
			at++;
			good = parse_cpu(&at, &last);
		}
		if (!good || *at != '\0' || last < first)
			return pgb_fail(error, PGB_E_USAGE,
					"--cpu: '%s' is not a CPU or range such as 3 or 0-3", text);
		for (; first <= last; first++)
			pgb_array_push(cpus, (unsigned int)first);
	}
	return 0;
}

static int report(struct pgb_cli *cli, const struct pgb_bench_report *report,
		  struct pgb_error *error)
{
	const struct bench_options *options = cli->options;
	json_t *document = pgb_bench_json(report);
	int code = options->save ? pgb_json_write(document, options->save, error) : 0;

	pgb_bench_print(&cli->output, report);
	if (code != 0) {
		json_decref(document);
		return code;
	}
	pgb_output_json(&cli->output, document);
	if (report->result->end == PGB_BENCH_END_STOPPED)
		return pgb_code_exit_status(PGB_E_INTERRUPTED);
	return pgb_bench_gate_met(report) ? 0 : pgb_code_exit_status(PGB_E_CHECK);
}

static int measure(struct pgb_cli *cli, struct pgb_bench_job *job, struct pgb_error *error)
{
	const struct bench_options *options = cli->options;
	struct pgb_bench_measured measured;
	struct pgb_progress progress;
	int code;

	pgb_bench_print_commands(&cli->output, job);
	pgb_progress_init(&progress, &cli->output);
	pgb_interrupt_catch(true);
	code = pgb_bench_measure(&measured, job, options->min_gain, &progress, error);
	if (code == 0 && options->simulate)
		code = pgb_bench_measure_simulated(&measured, &progress, error);
	pgb_interrupt_catch(false);
	pgb_progress_done(&progress);
	if (code == 0)
		code = report(cli, &measured.report, error);
	pgb_bench_measured_release(&measured);
	return code;
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct bench_options *options = cli->options;
	size_t count = cli->arguments.operands.count;
	struct pgb_bench_command *commands = pgb_calloc(count, sizeof(*commands));
	bool fixed = options->rounds > 0;
	double precision = options->precision >= 0	     ? options->precision
			   : fixed || options->min_gain >= 0 ? 0
							     : PRECISION_DEFAULT;
	struct pgb_bench_job job = {
		.commands = commands,
		.command_count = count,
		.rounds_max = options->rounds,
		.time_ns = options->time_ns ? options->time_ns
			   : fixed	    ? 0
					    : TIME_DEFAULT_NS,
		.precision = precision / 100,
		.gated = options->min_gain >= 0 && !fixed,
		.gain_min = options->min_gain / 100,
		.warmup_rounds = (unsigned int)options->warmup,
		.failures_share_max = options->failures / 100,
		.run_timeout_ns = options->timeout_ns,
		/* a run that prints its own figures prints others each time */
		.compare_outputs = !options->no_compare && options->metric_from == NULL,
		.metric = options->metric_from ? PGB_BENCH_COMMAND
					       : (enum pgb_bench_metric)options->metric,
		.metric_from = options->metric_from,
		.higher_is_better = options->higher_is_better,
		.seed = options->seed,
		.stop = &pgb_interrupted, /* report what there is */
	};
	int code = 0;

	for (size_t i = 0; i < count; i++)
		commands[i].shell = cli->arguments.operands.items[i];
	if (options->min_gain >= 0 && count < 2)
		code = pgb_fail(error, PGB_E_USAGE, "--min-gain needs two commands to compare");
	else if (options->higher_is_better && options->metric_from == NULL)
		code = pgb_fail(error, PGB_E_USAGE, "--higher-is-better goes with --metric-from");
	if (code == 0)
		code = parse_cpus(&options->cpus, &job.cpus, error);
	if (code == 0)
		code = measure(cli, &job, error);
	pgb_array_release(&job.cpus);
	free(commands);
	return code;
}

static const struct pgb_example examples[] = {
	{"pgobolt bench './app work' './app.bolt work'", "is the optimized program faster?"},
	{"pgobolt bench --min-gain 2 --time 5m './app work' './app.bolt work'",
	 "a gate: exit with 1 unless a gain of 2% is shown"},
	{"pgobolt bench --metric-from \"awk '/req.s/ {print \\$2}'\" --higher-is-better './load "
	 "old' "
	 "'./load new'",
	 "compare what the programs report about themselves"},
	{"pgobolt bench -n 20 --cpu 2 ./old ./new", "twenty runs of each on one CPU"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_bench = {
	.name = "bench",
	.summary = "time commands against each other",
	.synopsis = "'CMD A' ['CMD B'..]",
	.description =
		"Each CMD is one string for /bin/sh -c. They run in turn, in random order within "
		"each round, so that a slow minute of the machine hits all alike; all must print "
		"the same. The ratio says how many times as fast as the first command another is: "
		"medians of all rounds, with an interval that holds the true ratio with 95% "
		"confidence.\n\n"
		"A difference is only claimed when Wilcoxon's exact signed-rank test and the "
		"interval (bootstrap over rounds) both show it. Looking at the data several times "
		"while they are gathered, and comparing several commands, is paid for in the level "
		"of each look: equal commands are told different in at most 5% of cases. 'No "
		"difference shown' means what it says: a smaller one than the interval there may "
		"be.\n\n"
		"A run that fails does not count, nor does the rest of its round. Ctrl-C ends "
		"early and reports what there is, with exit status 1. Wall-clock time includes "
		"starting the shell, about a millisecond.\n\n"
		"What --json prints is described in doc/json.md.",
	.options = table,
	.options_size = sizeof(struct bench_options),
	.defaults = &defaults,
	.examples = examples,
	.operands_min = 1,
	.operands_max = UINT_MAX,
	.operand_name = "a command",
	.run = run,
};
