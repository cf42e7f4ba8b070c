/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/recorder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bolt/instrument.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/collector/source.h"

/* What one attempt with one source works with. */
struct attempt {
	const struct pgb_recorder_config *config;
	struct pgb_recording *recording;
	struct pgb_recording_writer *writer;
	const char *name;
};

const struct pgb_recorder_source pgb_recorder_sources[] = {
	{"lbr", "branch records of the CPU (LBR, BRS, BRBE)", NULL},
	{"spe", "single branches that the CPU samples (Arm SPE)", NULL},
	{"walk", "branches followed in software, on a copy of the running program", NULL},
	{"ibs", "single branches and ops that the CPU samples (AMD IBS)", NULL},
	{"instrument", "counters that llvm-bolt puts into the program",
	 "only the instrumented files are counted, and they run slower meanwhile"},
	{"ip", "samples of the instruction pointer",
	 "samples tell where time goes, not which way branches go: expect less gain"},
	{NULL, NULL, NULL},
};

static bool attaches(const struct pgb_recorder_config *config)
{
	return config->pid_count > 0 || config->system_wide;
}

static bool wants_sampling(const struct pgb_recorder_config *config)
{
	return attaches(config) || config->event || config->rate.period_events ||
	       config->rate.frequency_hz;
}

static bool is_instrument(const char *name)
{
	return strcmp(name, "instrument") == 0;
}

static bool is_walk(const char *name)
{
	return strcmp(name, "walk") == 0;
}

/* ---- what was asked for */

static int check_source(const struct pgb_recorder_config *config, struct pgb_error *error)
{
	const char *name = config->source;

	for (const struct pgb_recorder_source *source = pgb_recorder_sources; source->name;
	     source++) {
		if (strcmp(source->name, name) != 0)
			continue;
		if (is_walk(name) && config->system_wide) {
			pgb_fail(error, PGB_E_USAGE,
				 "-s walk has no -a: it stops threads now and then, and does so to "
				 "no process that it was not told of");
			return pgb_remedy(error, "name the processes: -p PID,..");
		}
		if (!is_instrument(name) && config->server)
			return pgb_fail(
				error, PGB_E_USAGE,
				"--server is for -s instrument; samples need no such thing");
		if (config->raw_path && (is_instrument(name) || is_walk(name))) {
			pgb_fail(error, PGB_E_USAGE,
				 "--raw keeps what the kernel delivers, and with -s %s it delivers "
				 "no records",
				 name);
			return pgb_remedy(error, "use --raw with -s lbr, spe, ibs or ip");
		}
		if (!is_instrument(name) || !wants_sampling(config))
			return 0;
		pgb_fail(error, PGB_E_USAGE, "-s instrument has no %s",
			 attaches(config)
				 ? "-p and -a: counters are put into a file before it runs"
				 : "events, periods and frequencies: it counts every branch");
		return PGB_E_USAGE;
	}
	pgb_fail(error, PGB_E_USAGE, "there is no source '%s'", name);
	pgb_remedy(error, "see: pgobolt help record");
	return PGB_E_USAGE;
}

static int check_wishes(const struct pgb_recorder_config *config, struct pgb_error *error)
{
	bool has_command = config->argv && config->argv[0];

	if (!has_command && !attaches(config)) {
		pgb_fail(error, PGB_E_USAGE, "nothing to record");
		pgb_remedy(error,
			   "give a command: pgobolt record -- COMMAND ARGS, or a process: -p "
			   "PID, or -a for all");
		return PGB_E_USAGE;
	}
	if (config->pid_count > 0 && config->system_wide)
		return pgb_fail(error, PGB_E_USAGE, "-p and -a exclude each other");
	return config->source ? check_source(config, error) : 0;
}

static void describe(const struct pgb_recorder_config *config, struct pgb_recording *recording)
{
	struct utsname names;

	*recording = (struct pgb_recording){
		.program = pgb_dup(config->program),
		.command = config->argv ? pgb_process_command_line(config->argv) : pgb_dup(""),
		.machine = pgb_dup(uname(&names) == 0 ? names.machine : ""),
		.cpu = pgb_dup(config->host->cpu_name ? config->host->cpu_name : ""),
		.kernel = pgb_dup(config->host->kernel_release ? config->host->kernel_release : ""),
		.is_virtual = config->host->is_virtual,
		.main = PGB_BINARY_NONE,
	};
}

static void set_text(char **place, const char *text)
{
	free(*place);
	*place = pgb_dup(text);
}

/* Interrupted while nothing runs yet: llvm-bolt may take a while. */
static int check_interrupted(const struct pgb_recorder_config *config, struct pgb_error *error)
{
	if (config->signals == NULL || config->signals->count == 0)
		return 0;
	return pgb_fail(error, PGB_E_INTERRUPTED, "interrupted before the program was started");
}

/* ---- --add and --for */

static bool command_exists(const struct pgb_recorder_config *config)
{
	char *found = config->argv ? pgb_process_find_command(config->argv[0]) : NULL;

	free(found);
	return found != NULL;
}

/* The file that the command stands for; false: not found, or not to be read. */
static bool read_command(const struct pgb_recorder_config *config, struct pgb_binary *binary)
{
	char *found, *path = NULL;
	bool is_read = false;

	*binary = (struct pgb_binary){0};
	if (config->argv == NULL || attaches(config))
		return false;
	found = pgb_process_find_command(config->argv[0]);
	if (found != NULL)
		path = realpath(found, NULL);
	if (path != NULL)
		is_read = pgb_binary_read(binary, path, path, NULL) == 0 &&
			  binary->kind == PGB_BINARY_ELF;
	free(found);
	free(path);
	return is_read;
}

static int check_addition(const struct attempt *attempt, struct pgb_error *error)
{
	struct pgb_binary binary;
	bool known;
	int code;

	if (!attempt->config->add)
		return 0;
	known = read_command(attempt->config, &binary);
	code = pgb_recording_writer_check(attempt->writer, attempt->name, known ? &binary : NULL,
					  error);
	pgb_binary_release(&binary);
	return code;
}

/* The first of --for shall be the main binary. */
static int choose_main(const struct attempt *attempt, struct pgb_error *error)
{
	const char *const *files = attempt->config->files;
	struct pgb_binary binary;
	int code;

	if (files == NULL || files[0] == NULL)
		return 0;
	code = pgb_binary_read(&binary, files[0], files[0], error);
	if (code == 0 && binary.kind != PGB_BINARY_ELF)
		code = pgb_fail(error, PGB_E_NOT_SUITABLE, "%s is not a 64-bit ELF file", files[0]);
	if (code == 0) {
		free(attempt->recording->wanted);
		attempt->recording->wanted = pgb_binary_id(&binary);
	}
	pgb_binary_release(&binary);
	return code;
}

static void warn_unseen(const struct attempt *attempt)
{
	const struct pgb_recording *recording = attempt->recording;

	if (recording->wanted == NULL)
		return;
	for (size_t i = 0; i < recording->binaries.count; i++)
		if (strcmp(recording->binaries.items[i].id, recording->wanted) == 0)
			return;
	pgb_log(attempt->config->log, PGB_LOG_WARNING, "%s was not seen to run",
		attempt->config->files[0]);
}

/* The source stands. */
static void tell(const struct attempt *attempt)
{
	if (attempt->config->chosen)
		attempt->config->chosen(attempt->config->context, attempt->recording);
}

/* ---- sampling */

static int write_session(const struct attempt *attempt, struct pgb_session *session,
			 struct pgb_error *error)
{
	struct pgb_recording *recording = attempt->recording;
	int code;

	code = pgb_recording_write_session(attempt->writer, recording, session, error);
	if (code == 0)
		code = pgb_recording_writer_commit(attempt->writer, recording, error);
	if (code == 0)
		warn_unseen(attempt);
	return code;
}

static void on_opened(void *context, const struct pgb_session *session)
{
	const struct attempt *attempt = context;

	set_text(&attempt->recording->event, pgb_session_event_name(session));
	attempt->recording->rate = pgb_session_rate(session);
	tell(attempt);
}

static void on_progress(void *context, const struct pgb_session *session)
{
	const struct attempt *attempt = context;

	if (attempt->config->progress)
		attempt->config->progress(attempt->config->context, session);
}

static int record_samples(const struct attempt *attempt, const struct pgb_source *source,
			  struct pgb_error *error)
{
	const struct pgb_recorder_config *config = attempt->config;
	const struct pgb_session_config session_config = {
		.host = config->host,
		.log = config->log,
		.source = source,
		.event = config->event,
		.rate = config->rate,
		.max_overhead_percent = config->max_overhead_percent,
		.depth = config->depth,
		.seed = config->seed,
		.argv = config->argv,
		.raw_path = config->raw_path,
		.pids = config->pids,
		.pid_count = config->pid_count,
		.system_wide = config->system_wide,
		.duration_ns = config->duration_ns,
		.signals = config->signals,
		.opened = on_opened,
		.progress = on_progress,
		.context = (void *)(uintptr_t)attempt,
	};
	struct pgb_error why = {0};
	struct pgb_session *session;
	const struct pgb_session_stats *stats;
	int code = pgb_session_new(&session, &session_config, error);

	if (code != 0)
		return code;
	stats = pgb_session_stats(session);
	code = pgb_session_run(session, &why);
	attempt->recording->stats = *stats;
	attempt->recording->branches = source->has_branches;
	if (code != 0 && (stats->started || stats->source.samples > 0)) {
		/* What was gathered until then is kept. */
		pgb_log(config->log, PGB_LOG_WARNING, "the recording ended early: %s", why.message);
		code = 0;
	}
	if (code == 0)
		code = write_session(attempt, session, error);
	else if (error != NULL)
		*error = why;
	pgb_session_free(session);
	return code;
}

/* ---- counting */

static int write_counts(const struct attempt *attempt, struct pgb_instrument *instrument,
			struct pgb_error *error)
{
	int code = 0;

	for (size_t i = 0; i < pgb_instrument_count(instrument) && code == 0; i++) {
		struct pgb_profile *profile;

		code = pgb_instrument_merge(instrument, i, &profile, error);
		if (code == 0)
			code = pgb_recording_write_profile(
				attempt->writer, attempt->recording,
				pgb_instrument_binary(instrument, i),
				pgb_instrument_is_executable(instrument, i), profile, error);
		if (code == 0)
			attempt->recording->stats.processes +=
				pgb_instrument_processes(instrument, i);
	}
	if (code == 0)
		code = pgb_recording_writer_commit(attempt->writer, attempt->recording, error);
	return code;
}

static int record_counts(const struct attempt *attempt, struct pgb_error *error)
{
	const struct pgb_recorder_config *config = attempt->config;
	const struct pgb_instrument_config instrument_config = {
		.argv = config->argv,
		.files = config->files,
		.llvm_bolt = config->llvm_bolt,
		.directory = pgb_recording_writer_work(attempt->writer),
		/* We will end it ourselves: it must not need to end well to be counted. */
		.server = config->server || config->duration_ns > 0,
		.duration_ns = config->duration_ns,
		.signals = config->signals,
		.log = config->log,
	};
	struct pgb_instrument *instrument;
	int code = pgb_instrument_new(&instrument, &instrument_config, error);

	if (code != 0) {
		/* Then it is the command that could not be started. */
		attempt->recording->stats.starting = !command_exists(config);
		return code;
	}
	set_text(&attempt->recording->event, "");
	attempt->recording->rate = (struct pgb_rate){0};
	tell(attempt);
	code = check_interrupted(config, error);
	if (code == 0)
		code = pgb_instrument_run(instrument, &attempt->recording->stats, error);
	attempt->recording->branches = true;
	if (code == 0)
		code = write_counts(attempt, instrument, error);
	pgb_instrument_free(instrument);
	return code;
}

/* ---- choice */

static int try_source(const struct attempt *attempt, const char *reason, struct pgb_error *error)
{
	const struct pgb_source *source = pgb_source_find(attempt->name);
	int code = check_addition(attempt, error);

	if (code == 0 && source != NULL)
		code = source->probe(attempt->config->host, error);
	if (code == 0)
		code = check_interrupted(attempt->config, error);
	if (code != 0)
		return code;
	set_text(&attempt->recording->source, attempt->name);
	set_text(&attempt->recording->reason, reason);
	return source ? record_samples(attempt, source, error) : record_counts(attempt, error);
}

/*
 * Without being asked for, running processes are not traced. -F means the same to all that
 * sample; an event, or so many of it, is another source's.
 */
static bool fits_walk(const struct pgb_recorder_config *config)
{
	bool clock = config->event && strcmp(config->event, "cpu-clock") == 0;

	return !attaches(config) && !config->server && (clock || config->event == NULL) &&
	       (clock || config->rate.period_events == 0);
}

static bool fits(const struct pgb_recorder_config *config, const char *name)
{
	if (is_instrument(name))
		return !wants_sampling(config) && !config->raw_path && command_exists(config);
	if (is_walk(name))
		return fits_walk(config) && !config->raw_path;
	return !config->server;
}

/* Nothing ran, and it is the source that is the matter. */
static bool may_try_another(const struct pgb_recording *recording, int code)
{
	return !recording->stats.starting &&
	       (code == PGB_E_UNSUPPORTED || code == PGB_E_PERMISSION ||
		code == PGB_E_NOT_SUITABLE || code == PGB_E_NOT_FOUND || code == PGB_E_TOOL);
}

static int try_sources(struct attempt *attempt, struct pgb_error *error)
{
	struct pgb_text reasons = {0};
	struct pgb_error why = {0};
	int code = PGB_E_UNSUPPORTED;

	for (const struct pgb_recorder_source *source = pgb_recorder_sources; source->name;
	     source++) {
		if (!fits(attempt->config, source->name))
			continue;
		pgb_error_clear(&why);
		attempt->name = source->name;
		code = try_source(attempt, pgb_text_string(&reasons), &why);
		if (code == 0 || !may_try_another(attempt->recording, code))
			break;
		pgb_text_addf(&reasons, "%s%s: %s", reasons.length ? "; " : "", source->name,
			      why.message);
	}
	if (code != 0 && may_try_another(attempt->recording, code)) {
		/* The last one is what is left for most; what it lacks is mended most easily. */
		pgb_fail(error, code, "no way to record here: %s", pgb_text_string(&reasons));
		pgb_remedy(error, "%s%ssee what is missing: pgobolt doctor", why.remedy,
			   why.remedy[0] ? "\n" : "");
	} else if (code != 0 && error != NULL) {
		*error = why;
	}
	pgb_text_release(&reasons);
	return code;
}

int pgb_recorder_run(const struct pgb_recorder_config *config, struct pgb_recording *recording,
		     struct pgb_error *error)
{
	struct attempt attempt = {.config = config, .recording = recording, .name = config->source};
	int code = check_wishes(config, error);

	describe(config, recording);
	if (code == 0)
		code = choose_main(&attempt, error);
	if (code == 0)
		code = pgb_recording_writer_open(&attempt.writer, config->directory, config->add,
						 error);
	if (code == 0)
		code = config->source ? try_source(&attempt, "asked for", error)
				      : try_sources(&attempt, error);
	pgb_recording_writer_close(attempt.writer);
	return code;
}
