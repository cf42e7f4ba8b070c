/* SPDX-License-Identifier: MIT */
#include "pgo/cli/run_options.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "pgobolt/base/text.h"
#include "pgobolt/pgo/build.h"

const struct pgb_run_options pgb_run_defaults = {.state = PGB_STATE_DEFAULT};

#define AT(field) .offset = offsetof(struct pgb_run_options, field)

const struct pgb_option pgb_run_table[] = {
	{.name = "build",
	 .kind = PGB_OPTION_STRING,
	 .argument = "CMD",
	 AT(build),
	 .help = "build the program, all of it: 'make clean all'"},
	{.name = "train",
	 .kind = PGB_OPTION_LIST,
	 .argument = "CMD",
	 AT(train),
	 .help = "run it on typical work; may be repeated"},
	{.name = "weight",
	 .kind = PGB_OPTION_LIST,
	 .argument = "N",
	 AT(weights),
	 .help = "let the counts of a --train count N times (1); the first --weight is for the "
		 "first --train"},
	{.name = "check",
	 .kind = PGB_OPTION_STRING,
	 .argument = "CMD",
	 AT(check),
	 .help = "test it: must end with status 0 with each of the three builds"},
	{.name = "bench",
	 .kind = PGB_OPTION_STRING,
	 .argument = "CMD",
	 AT(bench),
	 .help = "what to time; default: the training"},
	{.name = "clean",
	 .kind = PGB_OPTION_STRING,
	 .argument = "CMD",
	 AT(clean),
	 .help = "before each build, so that nothing of the former one is used again: "
		 "'make clean'"},
	{.name = "record",
	 .kind = PGB_OPTION_STRING,
	 .argument = "CMD",
	 AT(record),
	 .help = "what to record for llvm-bolt; default: the training, which must then run BINARY"},
	{.letter = 's',
	 .name = "source",
	 .kind = PGB_OPTION_STRING,
	 .argument = "SOURCE",
	 AT(source),
	 .help = "of that recording, as in pgobolt record; default: auto"},
	{.name = "record-time",
	 .kind = PGB_OPTION_DURATION,
	 .argument = "S",
	 .minimum = 1,
	 .maximum = UINT64_C(1000000) * 1000000000,
	 AT(record_time_ns),
	 .help = "repeat what is recorded until it took S (30s); below 1s: once"},
	{.name = "sample",
	 AT(sample),
	 .help = "compile with a profile from a recording; no instrumented build (clang)"},
	{.name = "cargo",
	 AT(cargo),
	 .help = "a cargo project: BINARY is a target's name, and --build is not needed"},
	{.name = "partial-training",
	 AT(partial_training),
	 .help = "gcc: optimize what training did not reach as usual, not for size"},
	{.name = "bench-runs",
	 .kind = PGB_OPTION_UNSIGNED,
	 .argument = "N",
	 .minimum = 1,
	 .maximum = 1000000,
	 AT(bench_runs),
	 .help = "time N runs of each build; default: until the ratios are known to 1%, or 60s"},
	{.name = "bench-time",
	 .kind = PGB_OPTION_DURATION,
	 .argument = "S",
	 .minimum = 1,
	 .maximum = UINT64_C(1000000) * 1000000000,
	 AT(bench_time_ns),
	 .help = "begin no new round of runs after S"},
	{.name = "no-compare",
	 AT(no_compare),
	 .help = "what is timed may print different things in each build"},
	{.name = "allow-stale",
	 AT(allow_stale),
	 .help = "let builds link objects that an earlier build made"},
	{.name = "no-report", AT(no_report), .help = "write no report in the end"},
	{.name = "llvm-bolt",
	 .kind = PGB_OPTION_STRING,
	 .argument = "PATH",
	 AT(llvm_bolt),
	 .help = "this llvm-bolt; default: the newest"},
	{.name = "optimize",
	 .kind = PGB_OPTION_STRING,
	 .argument = "OPTIONS",
	 AT(optimize),
	 .help = "more options of pgobolt optimize, as a shell reads them: "
		 "'--preset max -- -strict'"},
	{.name = "state",
	 .kind = PGB_OPTION_STRING,
	 .argument = "DIR",
	 AT(state),
	 .help = "keep everything in DIR (" PGB_STATE_DEFAULT ")"},
	{.name = "binary",
	 .kind = PGB_OPTION_STRING,
	 .argument = "FILE",
	 .hidden = true,
	 AT(binary),
	 .help = "BINARY, for " PGB_INI_DEFAULT},
	{.name = "config",
	 .kind = PGB_OPTION_STRING,
	 .argument = "FILE",
	 AT(config),
	 .help = "read options from FILE; default: " PGB_INI_DEFAULT " where there is one"},
	{.letter = 'n',
	 .name = "dry-run",
	 AT(dry_run),
	 .help = "print the exact commands, and which of them are to be run; do nothing"},
	{.name = "fresh", AT(fresh), .help = "do every step again, whatever was done before"},
	{.name = NULL},
};

static const struct pgb_option *find(const char *name)
{
	for (const struct pgb_option *option = pgb_run_table; option->name; option++)
		if (strcmp(option->name, name) == 0)
			return option;
	return NULL;
}

static const char *near_option(const char *name)
{
	PGB_ARRAY(const char *) names = {0};
	const char *near;

	for (const struct pgb_option *option = pgb_run_table; option->name; option++)
		pgb_array_push(&names, option->name);
	near = pgb_near_name(name, names.items, names.count);
	pgb_array_release(&names);
	return near;
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static int fail_entry(const char *path, const struct pgb_ini_entry *entry, const char *why,
		      struct pgb_error *error)
{
	const char *near = find(entry->key) ? NULL : near_option(entry->key);

	pgb_fail(error, PGB_E_USAGE, "%s:%" PRIu64 ": %s: %s", path, entry->line, entry->key, why);
	if (near)
		return pgb_remedy(error, "did you mean: %s", near);
	return pgb_remedy(error, "for the options: pgobolt help run");
}

/* One entry, as if it stood on a command line. */
static int read_entry(struct pgb_run_options *values, const char *path,
		      const struct pgb_ini_entry *entry, struct pgb_error *error)
{
	static const char *const yes[] = {"yes", "true", "on", "1", NULL};
	static const char *const no[] = {"no", "false", "off", "0", NULL};
	const struct pgb_option *option = find(entry->key);
	struct pgb_option_set set = {pgb_run_table, values};
	struct pgb_arguments arguments = {0};
	struct pgb_error found = {0};
	const char *words[] = {NULL, NULL, NULL};
	char *name;

	if (option == NULL || strcmp(entry->key, "config") == 0)
		return fail_entry(path, entry, "there is no such option", error);
	if (option->kind == PGB_OPTION_FLAG && is_one_of(entry->value, no))
		return 0;
	if (option->kind == PGB_OPTION_FLAG && !is_one_of(entry->value, yes))
		return fail_entry(path, entry, "is yes or no", error);
	name = pgb_format("--%s", entry->key);
	words[0] = name;
	words[1] = option->kind == PGB_OPTION_FLAG ? NULL : entry->value;
	(void)pgb_options_parse(&set, 1, words, false, &arguments, NULL, &found);
	pgb_arguments_release(&arguments);
	free(name);
	return found.code ? fail_entry(path, entry, found.message, error) : 0;
}

/* What the command line leaves as it was by default is the file's to say. */
static void take_flag(bool *merged, bool given)
{
	*merged |= given;
}

static void take_string(const char **merged, const char *given, const char *usual)
{
	if (given != usual)
		*merged = given;
}

static void take_number(uint64_t *merged, uint64_t given)
{
	if (given != 0)
		*merged = given;
}

static void take_list(struct pgb_option_list *merged, const struct pgb_option_list *given)
{
	if (given->items.count == 0)
		return;
	for (size_t i = 0; i < merged->items.count; i++)
		free(merged->items.items[i].value);
	merged->items.count = 0;
	for (size_t i = 0; i < given->items.count; i++)
		pgb_array_push(
			&merged->items,
			((struct pgb_option_item){.value = pgb_dup(given->items.items[i].value)}));
}

static void take_command_line(struct pgb_run_options *merged, const struct pgb_run_options *given)
{
	for (const struct pgb_option *option = pgb_run_table; option->name; option++) {
		char *to = (char *)merged + option->offset;
		const char *from = (const char *)given + option->offset;
		const char *usual = (const char *)&pgb_run_defaults + option->offset;

		if (option->kind == PGB_OPTION_FLAG)
			take_flag((bool *)to, *(const bool *)from);
		else if (option->kind == PGB_OPTION_STRING)
			take_string((const char **)(void *)to,
				    *(const char *const *)(const void *)from,
				    *(const char *const *)(const void *)usual);
		else if (option->kind == PGB_OPTION_LIST)
			take_list((struct pgb_option_list *)(void *)to,
				  (const struct pgb_option_list *)(const void *)from);
		else
			take_number((uint64_t *)(void *)to, *(const uint64_t *)(const void *)from);
	}
	/* weights belong to the training commands they came with */
	if (given->train.items.count > 0 && given->weights.items.count == 0) {
		for (size_t i = 0; i < merged->weights.items.count; i++)
			free(merged->weights.items.items[i].value);
		merged->weights.items.count = 0;
	}
}

int pgb_run_options_merge(struct pgb_run_options *merged, const struct pgb_run_options *options,
			  struct pgb_ini *ini, struct pgb_error *error)
{
	const char *path = options->config ? options->config : PGB_INI_DEFAULT;
	int code = 0;

	*merged = pgb_run_defaults;
	*ini = (struct pgb_ini){0};
	if (options->config || access(path, F_OK) == 0)
		code = pgb_ini_read(ini, path, error);
	for (size_t i = 0; i < ini->entries.count && code == 0; i++)
		code = read_entry(merged, path, &ini->entries.items[i], error);
	if (code == 0)
		take_command_line(merged, options);
	return code;
}
