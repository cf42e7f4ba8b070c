/* SPDX-License-Identifier: MIT */
/* One candidate: llvm-bolt with less to do; is what it makes right? */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgo/optimize_private.h"
#include "pgobolt/base/hash.h"
#include "pgobolt/collector/file.h"

enum {
	TRIALS_AT_ONCE_MOST = 16,
	JOURNAL_BYTES_MOST = 16 * 1024 * 1024,
};

#define JOURNAL_HEAD "pgobolt-search 2\n"

/* A user's test may use a fixed port or file: never two at a time. llvm-bolt may run beside it. */
static pthread_mutex_t check_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- one trial */

struct trial {
	struct pgb_trials *trials;
	struct pgb_llvm_bolt_job job;
	char *only; /* file with names; NULL: all functions */
	PGB_ARRAY(const char *) without;
	uint64_t key;
	size_t slot;
	bool known, passed;
	int code;
	struct pgb_error error;
};

static int accept_trial(void *context, const char *path, struct pgb_error *error)
{
	struct trial *trial = context;
	const struct pgb_optimize_run *run = trial->trials->run;
	struct pgb_elf_image *optimized = NULL;
	struct pgb_findings findings = {0};
	bool good = true;
	int code;

	if (pgb_elf_image_open(&optimized, path, NULL) != 0)
		return 0;
	if (!run->job->keep_unverified) {
		/* what verifying reads is not made for several threads */
		pthread_mutex_lock(&check_lock);
		code = pgb_verify_after(run->image, optimized, run->profile, &findings, error);
		pthread_mutex_unlock(&check_lock);
		good = pgb_findings_worst(&findings) < PGB_FINDING_ERROR;
		pgb_findings_release(&findings);
		if (code != 0)
			good = false;
	}
	pgb_elf_image_close(optimized);
	code = 0;
	if (good && run->job->check != NULL) {
		pthread_mutex_lock(&check_lock);
		code = pgb_check_passes(&run->check, path, &good, error);
		pthread_mutex_unlock(&check_lock);
	}
	trial->passed = code == 0 && good;
	return code;
}

/* What goes wrong with the machine is an error; what goes wrong with the candidate is its fault. */
static bool is_fault(int code)
{
	return code == PGB_E_TOOL || code == PGB_E_CHECK || code == PGB_E_NOT_SUITABLE ||
	       code == PGB_E_EMPTY || code == PGB_E_MISMATCH || code == PGB_E_CORRUPT;
}

static void *make(void *context)
{
	struct trial *trial = context;
	const struct pgb_optimize_run *run = trial->trials->run;
	struct pgb_llvm_bolt_result result = {0};
	char *output = pgb_format("%s/candidate-%zu", trial->trials->folder, trial->slot);

	trial->job.output = output;
	if (trial->only != NULL)
		trial->job.only_functions_file = trial->only;
	pgb_array_push(&trial->without, NULL);
	trial->job.without = trial->without.items;
	trial->job.crashed = NULL;
	trial->job.accept = trial->trials->of_crash ? NULL : accept_trial;
	trial->job.accept_context = trial;
	trial->job.no_steps = true;
	if (trial->slot > 0)
		trial->job.waiting = NULL; /* it shows one only */
	trial->code =
		pgb_llvm_bolt_run(run->bolt, run->image, &trial->job, &result, NULL, &trial->error);
	if (trial->trials->of_crash)
		trial->passed = trial->code == 0;
	if (is_fault(trial->code)) {
		trial->passed = false;
		trial->code = 0;
	}
	pgb_llvm_bolt_result_release(&result);
	unlink(output);
	free(output);
	return NULL;
}

/* ---- memory */

static bool has_key(const uint64_t *keys, size_t count, uint64_t key)
{
	for (size_t i = 0; i < count; i++)
		if (keys[i] == key)
			return true;
	return false;
}

static void recall(struct trial *trial)
{
	struct pgb_trials *trials = trial->trials;

	if (has_key(trials->passed.items, trials->passed.count, trial->key))
		trial->known = trial->passed = true;
	else if (has_key(trials->failed.items, trials->failed.count, trial->key))
		trial->known = true;
	trials->remembered += trial->known;
}

static int remember(struct trial *trial, struct pgb_error *error)
{
	struct pgb_trials *trials = trial->trials;
	char *line = pgb_format("%016" PRIx64 " %s\n", trial->key, trial->passed ? "good" : "bad");
	size_t length = strlen(line);
	int fd = open(trials->journal, O_WRONLY | O_APPEND | O_CLOEXEC), code = 0;

	if (fd < 0 || write(fd, line, length) != (ssize_t)length)
		code = pgb_fail(error, pgb_code_from_errno(errno), "cannot write %s: %s",
				trials->journal, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(line);
	trials->made++;
	if (trial->passed)
		pgb_array_push(&trials->passed, trial->key);
	else
		pgb_array_push(&trials->failed, trial->key);
	return code;
}

static uint64_t hash_text(uint64_t seed, const char *text)
{
	return pgb_hash_combine(seed, pgb_hash_bytes(text ? text : "", text ? strlen(text) : 0));
}

static uint64_t hash_file(uint64_t seed, const char *path)
{
	struct pgb_file_map map;

	if (pgb_file_map_open(&map, path, NULL) != 0)
		return seed;
	seed = pgb_hash_combine(seed, pgb_hash_stream(PGB_HASH_SEED, map.bytes, map.size_bytes));
	pgb_file_map_close(&map);
	return seed;
}

/* All that a trial's outcome depends on, but for its own items. */
static uint64_t hash_setting(const struct pgb_trials *trials)
{
	const struct pgb_optimize_run *run = trials->run;
	struct pgb_llvm_bolt_job job = trials->base;
	uint64_t hash = PGB_HASH_SEED;
	char **argv;

	job.output = "output";
	job.only_functions_file = NULL;
	argv = pgb_llvm_bolt_arguments(run->bolt, run->image, &job);
	for (size_t i = 0; argv[i] != NULL; i++)
		hash = hash_text(hash, argv[i]);
	pgb_llvm_bolt_arguments_free(argv);
	hash = hash_text(hash, run->bolt->version);
	hash = hash_file(hash, job.input);
	hash = hash_file(hash, job.profile);
	if (run->job->check != NULL && !trials->of_crash)
		hash = hash_text(hash, run->job->check->command);
	return hash;
}

void pgb_trials_read_journal(struct pgb_trials *trials, const char *text, const char *head)
{
	enum { DIGITS = 16 };

	if (strncmp(text, head, strlen(head)) != 0)
		return;
	text += strlen(head);
	for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
		uint64_t key;

		if (strspn(text, "0123456789abcdef") != DIGITS)
			continue;
		key = strtoull(text, NULL, 16);
		if (end - text == DIGITS + 5 && strncmp(text + DIGITS, " good", 5) == 0)
			pgb_array_push(&trials->passed, key);
		else if (end - text == DIGITS + 4 && strncmp(text + DIGITS, " bad", 4) == 0)
			pgb_array_push(&trials->failed, key);
	}
}

static int open_journal(struct pgb_trials *trials, struct pgb_error *error)
{
	struct pgb_text text = {0};
	struct pgb_out_file out;
	int code;

	if (pgb_file_read(&text, trials->journal, JOURNAL_BYTES_MOST, NULL) == 0)
		pgb_trials_read_journal(trials, pgb_text_string(&text), JOURNAL_HEAD);
	pgb_text_release(&text);
	/* written anew: what was cut short goes; trials of another search do no harm */
	code = pgb_out_open(&out, trials->journal, error);
	if (code == 0) {
		fprintf(out.stream, JOURNAL_HEAD);
		for (size_t i = 0; i < trials->passed.count; i++)
			fprintf(out.stream, "%016" PRIx64 " good\n", trials->passed.items[i]);
		for (size_t i = 0; i < trials->failed.count; i++)
			fprintf(out.stream, "%016" PRIx64 " bad\n", trials->failed.items[i]);
		code = pgb_out_commit(&out, error);
	}
	return code;
}

/* ---- rounds */

static int run_trials(struct trial *trials, size_t count, bool *passed, struct pgb_error *error)
{
	pthread_t threads[TRIALS_AT_ONCE_MOST];
	bool started[TRIALS_AT_ONCE_MOST] = {false};
	int code = 0;

	for (size_t i = 0; i < count; i++) {
		trials[i].slot = i;
		recall(&trials[i]);
	}
	for (size_t i = 1; i < count; i++)
		started[i] = !trials[i].known &&
			     pthread_create(&threads[i], NULL, make, &trials[i]) == 0;
	for (size_t i = 0; i < count; i++) {
		if (started[i])
			pthread_join(threads[i], NULL);
		else if (!trials[i].known)
			make(&trials[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (trials[i].code != 0 && code == 0) {
			code = pgb_fail(error, trials[i].code, "%s", trials[i].error.message);
			if (trials[i].error.remedy[0] != '\0')
				pgb_remedy(error, "%s", trials[i].error.remedy);
		}
		if (trials[i].code == 0 && !trials[i].known && code == 0)
			code = remember(&trials[i], error);
		passed[i] = trials[i].passed;
	}
	return code;
}

static void release(struct trial *trials, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (trials[i].only != NULL)
			unlink(trials[i].only);
		free(trials[i].only);
		pgb_array_release(&trials[i].without);
	}
}

static bool leaves_out(const struct pgb_bisect_trial *wanted, size_t item)
{
	for (size_t i = 0; i < wanted->left_out_count; i++)
		if (wanted->left_out[i] == item)
			return true;
	return item >= wanted->end;
}

static struct trial begin_trial(struct pgb_trials *trials, const struct pgb_bisect_trial *wanted,
				const char *kind)
{
	struct trial trial = {.trials = trials, .job = trials->base};

	trial.key = hash_text(pgb_hash_combine(trials->setting, wanted->end), kind);
	for (size_t i = 0; i < wanted->left_out_count; i++)
		trial.key = pgb_hash_combine(trial.key, wanted->left_out[i]);
	for (size_t i = 0; trial.job.without != NULL && trial.job.without[i] != NULL; i++)
		pgb_array_push(&trial.without, trial.job.without[i]);
	return trial;
}

static int restrict_to(struct trial *trial, size_t slot,
		       const struct pgb_elf_function *const *functions, size_t count,
		       struct pgb_error *error)
{
	trial->only = pgb_format("%s/only-%zu", trial->trials->folder, slot);
	return pgb_trials_write_names(trial->trials, trial->only, functions, count, error);
}

int pgb_trials_of_functions(void *context, const struct pgb_bisect_trial *wanted, size_t count,
			    bool *passed, struct pgb_error *error)
{
	struct pgb_trials *trials = context;
	struct trial made[TRIALS_AT_ONCE_MOST];
	int code = 0;

	pgb_assert(count <= TRIALS_AT_ONCE_MOST);
	for (size_t i = 0; i < count; i++) {
		PGB_ARRAY(const struct pgb_elf_function *) used = {0};

		made[i] = begin_trial(trials, &wanted[i], "functions");
		for (size_t k = 0; k < wanted[i].end; k++)
			if (!leaves_out(&wanted[i], k))
				pgb_array_push(&used, trials->names.functions.items[k]);
		if (code == 0)
			code = restrict_to(&made[i], i, used.items, used.count, error);
		pgb_array_release(&used);
	}
	if (code == 0)
		code = run_trials(made, count, passed, error);
	release(made, count);
	return code;
}

int pgb_trials_of_options(void *context, const struct pgb_bisect_trial *wanted, size_t count,
			  bool *passed, struct pgb_error *error)
{
	struct pgb_trials *trials = context;
	struct trial made[TRIALS_AT_ONCE_MOST];
	int code = 0;

	pgb_assert(count <= TRIALS_AT_ONCE_MOST);
	for (size_t i = 0; i < count; i++) {
		made[i] = begin_trial(trials, &wanted[i], "options");
		for (size_t k = 0; k < trials->option_count; k++)
			if (leaves_out(&wanted[i], k))
				pgb_array_push(&made[i].without, trials->options[k]);
		for (size_t k = 0; k < trials->only_count; k++)
			made[i].key = hash_text(made[i].key, trials->only[k]->name);
		if (code == 0 && trials->only_count > 0)
			code = restrict_to(&made[i], i, trials->only, trials->only_count, error);
	}
	if (code == 0)
		code = run_trials(made, count, passed, error);
	release(made, count);
	return code;
}

int pgb_trials_begin(struct pgb_trials *trials, struct pgb_optimize_run *run,
		     struct pgb_error *error)
{
	int code;

	trials->run = run;
	trials->folder = pgb_format("%s.search", run->result->output);
	trials->journal = pgb_format("%s/journal", trials->folder);
	trials->setting = hash_setting(trials);
	code = pgb_trials_collect_names(trials, error);
	if (code != 0)
		return code;
	code = pgb_file_make_directories(trials->folder, error);
	return code == 0 ? open_journal(trials, error) : code;
}

void pgb_trials_end(struct pgb_trials *trials, bool keep)
{
	if (!keep && trials->folder != NULL)
		pgb_file_remove_tree(trials->folder, NULL);
	pgb_trials_release_names(trials);
	pgb_array_release(&trials->passed);
	pgb_array_release(&trials->failed);
	free(trials->folder);
	free(trials->journal);
}
