/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "pgo/cli/cmd_record_summary.h"
#include "pgobolt/base/limits.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/source_cost.h"
#include "pgobolt/pgo/cli/commands.h"
#include "pgobolt/pgo/cli/progress.h"
#include "pgobolt/pgo/cli/table.h"
#include "pgobolt/pgo/recorder.h"

struct record_options {
	const char *output, *source, *event, *llvm_bolt, *raw;
	uint64_t period_events, frequency_hz, duration_ns, depth, seed;
	double max_overhead_percent;
	struct pgb_option_list pids, files;
	bool system_wide, add, server;
};

static const struct record_options defaults = {.output = PGB_RECORDING_DEFAULT, .source = "auto"};

static const struct pgb_option options[] = {
	{.letter = 'o',
	 .name = "output",
	 .kind = PGB_OPTION_STRING,
	 .argument = "DIR",
	 .offset = offsetof(struct record_options, output),
	 .help = "write the recording to DIR (" PGB_RECORDING_DEFAULT
		 "); a former one becomes DIR.old"},
	{.letter = 's',
	 .name = "source",
	 .kind = PGB_OPTION_STRING,
	 .argument = "SOURCE",
	 .offset = offsetof(struct record_options, source),
	 .help = "where branches come from: lbr, spe, walk, ibs, instrument, ip, or auto, the "
		 "first of "
		 "these that works here (auto)"},
	{.letter = 'e',
	 .name = "event",
	 .kind = PGB_OPTION_STRING,
	 .argument = "EVENT",
	 .offset = offsetof(struct record_options, event),
	 .help = "sample on this event, as perf names it (what suits the source)"},
	{.letter = 'c',
	 .name = "count",
	 .kind = PGB_OPTION_UNSIGNED,
	 .argument = "N",
	 .minimum = 1,
	 .offset = offsetof(struct record_options, period_events),
	 .help = "sample every N events (a prime number that suits the event)"},
	{.letter = 'F',
	 .name = "frequency",
	 .kind = PGB_OPTION_UNSIGNED,
	 .argument = "HZ",
	 .minimum = 1,
	 .offset = offsetof(struct record_options, frequency_hz),
	 .help = "sample HZ times a second instead"},
	{.letter = 'p',
	 .name = "pid",
	 .kind = PGB_OPTION_COMMA_LIST,
	 .argument = "PID,..",
	 .offset = offsetof(struct record_options, pids),
	 .help = "record running processes, all their threads and what they start"},
	{.letter = 'a',
	 .name = "all",
	 .offset = offsetof(struct record_options, system_wide),
	 .help = "record the whole system"},
	{.letter = 'd',
	 .name = "duration",
	 .kind = PGB_OPTION_DURATION,
	 .argument = "SECONDS",
	 .minimum = 1,
	 .offset = offsetof(struct record_options, duration_ns),
	 .help = "end after this time; a program that was started for it gets SIGTERM then, and "
		 "its status is not passed on"},
	{.name = "max-overhead",
	 .kind = PGB_OPTION_PERCENT,
	 .argument = "PCT",
	 .offset = offsetof(struct record_options, max_overhead_percent),
	 .help = "with -s walk: slow the program by no more than this (10)"},
	{.name = "depth",
	 .kind = PGB_OPTION_UNSIGNED,
	 .argument = "N",
	 .minimum = 1,
	 .maximum = PGB_LIMIT_STACK_ENTRIES / 4,
	 .offset = offsetof(struct record_options, depth),
	 .help = "with -s walk: branches to follow at each stop, on average (512)"},
	{.name = "seed",
	 .kind = PGB_OPTION_UNSIGNED,
	 .argument = "N",
	 .offset = offsetof(struct record_options, seed),
	 .help = "with -s walk: where its choices begin (0)"},
	{.name = "add",
	 .offset = offsetof(struct record_options, add),
	 .help = "add to the recording that is there: same source, same builds"},
	{.name = "raw",
	 .kind = PGB_OPTION_STRING,
	 .argument = "FILE",
	 .offset = offsetof(struct record_options, raw),
	 .help = "with -s lbr, spe, ibs or ip: also keep what the kernel delivers, as a perf.data "
		 "file that perf and pgobolt convert read"},
	{.name = "for",
	 .kind = PGB_OPTION_LIST,
	 .argument = "FILE",
	 .offset = offsetof(struct record_options, files),
	 .help = "the program or library to optimize, if it is not what COMMAND names; may be "
		 "repeated: -s instrument counts in each"},
	{.name = "server",
	 .offset = offsetof(struct record_options, server),
	 .help = "with -s instrument: keep the counts of a program that is killed (implied by -d)"},
	{.name = "llvm-bolt",
	 .kind = PGB_OPTION_STRING,
	 .argument = "PATH",
	 .offset = offsetof(struct record_options, llvm_bolt),
	 .help = "with -s instrument: the llvm-bolt to use (the newest)"},
	{.name = NULL},
};

/* ---- signals */

static struct pgb_session_signals signals;

static void note_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	signals.number = number;
	signals.from_terminal = info->si_code == SI_KERNEL;
	signals.count++;
}

static void ignore_signal(int number)
{
	(void)number;
}

/*
 * Each ends the recording and keeps it. What the caller ignores (nohup, a background job) stays
 * ignored. SIGPIPE gets a handler and is not ignored: an ignored signal would stay so in the
 * program.
 */
static void catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_sigaction = note_signal, .sa_flags = SA_SIGINFO}, former;
	struct sigaction nothing = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART};

	sigfillset(&action.sa_mask); /* one at a time: they share a counter */
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (sigaction(numbers[i], NULL, &former) == 0 && former.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	if (sigaction(SIGPIPE, NULL, &former) == 0 && former.sa_handler == SIG_DFL)
		sigaction(SIGPIPE, &nothing, NULL);
}

/* ---- while it runs */

struct watch {
	struct pgb_output *output;
	struct pgb_progress progress;
	struct pgb_recorder_config config;
};

static const struct pgb_recorder_source *source_of(const char *name)
{
	for (const struct pgb_recorder_source *source = pgb_recorder_sources; source->name;
	     source++)
		if (strcmp(source->name, name) == 0)
			return source;
	return NULL;
}

/* Sources that bring their own feed keep to --max-overhead. */
static void show_cost(struct watch *watch, const struct pgb_recording *recording)
{
	const struct pgb_source *source = pgb_source_find(recording->source);
	struct pgb_source_cost cost;
	struct pgb_text text = {0};

	if (source == NULL || source->open)
		return;
	cost = pgb_source_cost(source, recording->event, recording->rate);
	pgb_source_cost_describe(&cost, &text);
	pgb_output_note(watch->output, "  cost: %s (estimated)", pgb_text_string(&text));
	pgb_text_release(&text);
}

static void show_choice(void *context, const struct pgb_recording *recording)
{
	struct watch *watch = context;
	const struct pgb_recorder_source *source = source_of(recording->source);

	pgb_output_note(watch->output, "Source: %s, %s", source->name, source->summary);
	/* the kernel's clocks count nanoseconds */
	if (recording->rate.period_events && strstr(recording->event, "-clock"))
		pgb_output_note(watch->output, "  event: %s, every %s", recording->event,
				PGB_DURATION(recording->rate.period_events));
	else if (recording->rate.period_events)
		pgb_output_note(watch->output, "  event: %s, every %" PRIu64, recording->event,
				recording->rate.period_events);
	else if (recording->rate.frequency_hz)
		pgb_output_note(watch->output, "  event: %s, %" PRIu64 " times a second",
				recording->event, recording->rate.frequency_hz);
	show_cost(watch, recording);
	if (watch->config.source != NULL)
		return;
	if (recording->reason[0] != '\0')
		pgb_output_note(watch->output, "  not %s", recording->reason);
	if (source->lost != NULL)
		pgb_output_note(watch->output, "  mind: %s", source->lost);
}

static void show_progress(void *context, const struct pgb_session *session)
{
	struct watch *watch = context;
	const struct pgb_session_stats *stats = pgb_session_stats(session);

	pgb_progress_update(&watch->progress, "%s, %s, %s lost", PGB_DURATION(stats->duration_ns),
			    PGB_COUNT_OF(stats->source.samples, "sample"),
			    PGB_COUNT(stats->feed.lost_records));
}

/* ---- the command */

static int read_pids(const struct pgb_option_list *list, pid_t *pids, struct pgb_error *error)
{
	for (size_t i = 0; i < list->items.count; i++) {
		const char *text = list->items.items[i].value;
		char *end;
		long pid = strtol(text, &end, 10);

		if (*end != '\0' || text[0] < '0' || text[0] > '9' || pid <= 0 || pid > INT_MAX)
			return pgb_fail(error, PGB_E_USAGE, "-p: '%s' is not a process number",
					text);
		pids[i] = (pid_t)pid;
		if (kill(pids[i], 0) != 0 && errno == ESRCH)
			return pgb_fail(error, PGB_E_GONE, "there is no process %s", text);
	}
	return 0;
}

static void fill_config(const struct pgb_cli *cli, struct watch *watch, const struct pgb_host *host,
			const pid_t *pids, const char *const *files)
{
	const struct record_options *wanted = cli->options;

	watch->config = (struct pgb_recorder_config){
		.host = host,
		.log = &watch->output->log,
		.program = PACKAGE_NAME " " PACKAGE_VERSION,
		.directory = wanted->output,
		.add = wanted->add,
		.source = strcmp(wanted->source, "auto") == 0 ? NULL : wanted->source,
		.event = wanted->event,
		.rate = {.period_events = wanted->period_events,
			 .frequency_hz = wanted->frequency_hz},
		.max_overhead_percent = wanted->max_overhead_percent,
		.depth = wanted->depth,
		.seed = wanted->seed,
		.argv = cli->arguments.program,
		.raw_path = wanted->raw,
		.pids = pids,
		.pid_count = wanted->pids.items.count,
		.system_wide = wanted->system_wide,
		.duration_ns = wanted->duration_ns,
		.files = files,
		.llvm_bolt = wanted->llvm_bolt,
		.server = wanted->server,
		.signals = &signals,
		.chosen = show_choice,
		.progress = show_progress,
		.context = watch,
	};
	if (watch->config.argv && watch->config.argv[0] == NULL)
		watch->config.argv = NULL;
}

/* The status of the program is ours, unless we ended it or it never ran. */
static int exit_status(struct pgb_cli *cli, const struct pgb_recording *recording, int code,
		       const struct pgb_error *error)
{
	const struct pgb_session_stats *stats = &recording->stats;

	if (code == 0)
		return stats->has_exit_status && !stats->stopped ? stats->exit_status : 0;
	if (cli->arguments.program == NULL)
		return code;
	pgb_output_error(&cli->output, error);
	return pgb_exit_status_of_runner(code, stats->starting && !stats->started, stats->started);
}

static int record(struct pgb_cli *cli, struct watch *watch, struct pgb_error *error)
{
	struct pgb_recording recording = {0};
	int code, status;

	pgb_progress_init(&watch->progress, &cli->output);
	code = pgb_recorder_run(&watch->config, &recording, error);
	pgb_progress_done(&watch->progress);
	if (code == 0)
		pgb_record_summary(&cli->output, &recording);
	status = exit_status(cli, &recording, code, error);
	pgb_recording_release(&recording);
	return status;
}

static int run(struct pgb_cli *cli, struct pgb_error *error)
{
	const struct record_options *wanted = cli->options;
	struct watch watch = {.output = &cli->output};
	size_t pid_count = wanted->pids.items.count, file_count = wanted->files.items.count;
	pid_t *pids = pgb_calloc(pid_count, sizeof(*pids));
	const char **files = pgb_calloc(file_count + 1, sizeof(*files));
	struct pgb_host host;
	int code;

	for (size_t i = 0; i < file_count; i++)
		files[i] = wanted->files.items.items[i].value;
	code = read_pids(&wanted->pids, pids, error);
	if (code == 0)
		code = pgb_host_init(&host, NULL, error);
	if (code == 0) {
		fill_config(cli, &watch, &host, pids, files);
		if (watch.config.argv != NULL)
			pgb_output_use_stderr(&cli->output);
		catch_signals();
		code = record(cli, &watch, error);
		pgb_host_release(&host);
	}
	free(pids);
	free(files);
	return code;
}

static const struct pgb_example examples[] = {
	{"pgobolt record -- ./app input", "profile a program from its start to its end"},
	{"pgobolt record -p 1234 -d 30", "profile a running server for half a minute"},
	{"pgobolt record -s instrument -- ./app input", "count every branch, on any machine"},
	{"pgobolt record --add -- ./app other-input", "add a second workload"},
	{"pgobolt record --for ./lib.so -- ./tests", "the library is what matters"},
	{NULL, NULL},
};

const struct pgb_command pgb_command_record = {
	.name = "record",
	.summary = "profile a program",
	.synopsis = "[-- COMMAND ARGS..]",
	.description =
		"Runs COMMAND, or follows running processes (-p) or the whole system (-a), and "
		"writes "
		"a recording: for each binary that ran, where its branches went, as a profile that "
		"llvm-bolt reads. Threads, child processes and programs that they become are "
		"followed.\n\n"
		"The exit status is COMMAND's, or 128 and the number of the signal that ended it. "
		"Before COMMAND runs: 126 it cannot be executed, 127 it is not found, 3 this "
		"machine "
		"lacks the source; 125 when pgobolt itself fails. Ctrl-C ends the recording and "
		"keeps "
		"what was gathered; the third one kills COMMAND.",
	.options = options,
	.options_size = sizeof(struct record_options),
	.defaults = &defaults,
	.examples = examples,
	.takes_program = true,
	.run = run,
};
