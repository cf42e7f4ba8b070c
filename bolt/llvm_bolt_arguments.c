/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <string.h>

#include "bolt/llvm_bolt_private.h"
#include "pgobolt/bolt/elf_dynamic.h"

enum {
	SAFE = 1u << PGB_PRESET_SAFE,
	DEFAULT = 1u << PGB_PRESET_DEFAULT,
	MAX = 1u << PGB_PRESET_MAX,
};

enum {
	NEEDS_RELOCATIONS = 1u << 0,
	/* Optimized PLT calls make llvm-bolt ask for immediate binding in the output. */
	NEEDS_BIND_NOW = 1u << 1,
	NEEDS_PROOF = 1u << 2,
};

/*
 * What a preset asks for. A row is used where llvm-bolt lists the option and the value, where the
 * binary has what it needs, where no known fault forbids it and where the user did not give
 * the option. The first usable row of an option wins: the best spelling stands first.
 */
static const struct preset_row {
	const char *option;
	const char *value; /* NULL: bare */
	unsigned int presets;
	unsigned int needs;
} preset_rows[] = {
	{"reorder-blocks", "ext-tsp", SAFE | DEFAULT | MAX, 0},
	/* one algorithm, three names: hfsort+ up to 16, cds in 17, cdsort since */
	{"reorder-functions", "cdsort", SAFE | DEFAULT | MAX, NEEDS_RELOCATIONS},
	{"reorder-functions", "cds", SAFE | DEFAULT | MAX, NEEDS_RELOCATIONS},
	{"reorder-functions", "hfsort+", SAFE | DEFAULT | MAX, NEEDS_RELOCATIONS},
	{"reorder-functions", "hfsort", SAFE | DEFAULT | MAX, NEEDS_RELOCATIONS},
	{"reorder-functions-use-hot-size", NULL, MAX, NEEDS_RELOCATIONS},
	{"split-functions", NULL, SAFE | DEFAULT | MAX, 0},
	{"split-all-cold", NULL, SAFE | DEFAULT | MAX, 0},
	{"split-eh", NULL, DEFAULT | MAX, 0},
	{"split-strategy", "cdsplit", MAX, NEEDS_RELOCATIONS},
	/*
	 * Folding of all equal functions gives two of them one address, which a program may
	 * compare. Releases before 20 have no other kind, so only `max` asks for it.
	 */
	{"icf", NULL, MAX, NEEDS_RELOCATIONS},
	{"icf", "safe", SAFE | DEFAULT, NEEDS_RELOCATIONS},
	{"jump-tables", "move", DEFAULT | MAX, 0},
	{"plt", "hot", DEFAULT | MAX, NEEDS_RELOCATIONS | NEEDS_BIND_NOW},
	{"indirect-call-promotion", "all", MAX, 0},
	{"inline-small-functions", NULL, DEFAULT | MAX, NEEDS_RELOCATIONS},
	{"simplify-rodata-loads", NULL, MAX, 0},
	{"peepholes", "all", MAX, 0},
	{"strict", NULL, DEFAULT | MAX, NEEDS_RELOCATIONS | NEEDS_PROOF},
	{"dyno-stats", NULL, SAFE | DEFAULT | MAX, 0},
};

/* Combinations that llvm-bolt accepts and gets wrong. */
static const struct known_fault {
	const char *option;
	const char *value;    /* NULL: any */
	uint16_t machine;     /* 0: any */
	unsigned int through; /* the last release that has it; 0: all so far */
	const char *what;
} known_faults[] = {
	{"split-strategy", "cdsplit", EM_AARCH64, 0, "its output does not work on AArch64"},
	{"hugify", NULL, 0, 15, "position-independent programs crash when they start"},
	{"use-gnu-stack", NULL, 0, 0,
	 "it removes PT_GNU_STACK, and every thread's stack becomes "
	 "executable"},
};

/* The user's "-name", "--name" or "-name=value": is it this option? *value: behind '=', or NULL. */
static bool is_option(const char *argument, const char *option, const char **value)
{
	size_t length = strlen(option);

	if (*argument != '-')
		return false;
	argument += argument[1] == '-' ? 2 : 1;
	if (strncmp(argument, option, length) != 0)
		return false;
	*value = argument[length] == '=' ? argument + length + 1 : NULL;
	return argument[length] == '\0' || argument[length] == '=';
}

static bool user_gave(const struct pgb_llvm_bolt_job *job, const char *option)
{
	const char *value;

	for (size_t i = 0; job->extra != NULL && job->extra[i] != NULL; i++)
		if (is_option(job->extra[i], option, &value))
			return true;
	return false;
}

static bool is_left_out(const struct pgb_llvm_bolt_job *job, const char *option)
{
	for (size_t i = 0; job->without != NULL && job->without[i] != NULL; i++)
		if (strcmp(job->without[i], option) == 0)
			return true;
	return false;
}

static const struct known_fault *find_fault(const struct pgb_llvm_bolt *bolt, uint16_t machine,
					    const char *option, const char *value)
{
	for (size_t i = 0; i < sizeof(known_faults) / sizeof(known_faults[0]); i++) {
		const struct known_fault *fault = &known_faults[i];

		if (strcmp(fault->option, option) != 0 ||
		    (fault->machine != 0 && fault->machine != machine) ||
		    (fault->through != 0 && bolt->major > fault->through))
			continue;
		if (fault->value == NULL || (value != NULL && strcmp(fault->value, value) == 0))
			return fault;
	}
	return NULL;
}

int pgb_llvm_bolt_check_extra(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
			      const struct pgb_llvm_bolt_job *job, struct pgb_error *error)
{
	static const char *const ours[] = {"o", "data", "b", "p", "perfdata", "instrument"};
	uint16_t machine = pgb_elf_image_binary(image)->machine;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (!user_gave(job, ours[i]))
			continue;
		pgb_fail(error, PGB_E_USAGE, "llvm-bolt's option -%s is pgobolt's to give",
			 ours[i]);
		return pgb_remedy(error, "name input, output and profile before the --");
	}
	for (size_t i = 0; job->extra != NULL && job->extra[i] != NULL; i++) {
		for (size_t k = 0; k < sizeof(known_faults) / sizeof(known_faults[0]); k++) {
			const char *option = known_faults[k].option;
			const struct known_fault *fault;
			const char *value;

			if (!is_option(job->extra[i], option, &value))
				continue;
			fault = find_fault(bolt, machine, option, value);
			if (fault == NULL)
				continue;
			pgb_fail(error, PGB_E_UNSUPPORTED, "llvm-bolt %s, option %s: %s",
				 bolt->version, job->extra[i], fault->what);
			return pgb_remedy(error, "leave the option out%s",
					  fault->through ? ", or use a newer llvm-bolt" : "");
		}
	}
	return 0;
}

typedef PGB_ARRAY(char *) argument_array;

__attribute__((format(printf, 2, 3))) static void add(argument_array *arguments, const char *format,
						      ...)
{
	struct pgb_text text = {0};
	va_list list;

	va_start(list, format);
	pgb_text_addv(&text, format, list);
	va_end(list);
	pgb_array_push(arguments, pgb_text_detach(&text));
}

static bool binds_now(const struct pgb_elf_image *image)
{
	struct pgb_elf_dynamic dynamic;
	bool now = pgb_elf_dynamic_read(&dynamic, image, NULL) == 0 &&
		   pgb_elf_dynamic_binds_now(&dynamic);

	pgb_elf_dynamic_release(&dynamic);
	return now;
}

/* It moves also those functions that it is told to skip, but does not look after them. */
static bool may_be_strict(const struct pgb_llvm_bolt *bolt, const struct pgb_llvm_bolt_job *job)
{
	return job->strict && bolt->major >= PGB_LLVM_BOLT_STRICT_SINCE &&
	       (job->skip_functions == NULL || job->skip_functions[0] == NULL) &&
	       job->skip_functions_file == NULL && job->only_functions_file == NULL;
}

static bool row_fits(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
		     const struct pgb_llvm_bolt_job *job, const struct preset_row *row)
{
	if ((row->presets & (1u << job->preset)) == 0 || user_gave(job, row->option) ||
	    is_left_out(job, row->option))
		return false;
	if ((row->needs & NEEDS_RELOCATIONS) && job->without_relocations)
		return false;
	if ((row->needs & NEEDS_BIND_NOW) && !binds_now(image))
		return false;
	if ((row->needs & NEEDS_PROOF) && !may_be_strict(bolt, job))
		return false;
	if (row->value ? !pgb_llvm_bolt_has_value(bolt, row->option, row->value)
		       : !pgb_llvm_bolt_has_option(bolt, row->option))
		return false;
	return find_fault(bolt, pgb_elf_image_binary(image)->machine, row->option, row->value) ==
	       NULL;
}

/* The next row to give, from *index on; NULL: no more. */
static const struct preset_row *next_row(const struct pgb_llvm_bolt *bolt,
					 const struct pgb_elf_image *image,
					 const struct pgb_llvm_bolt_job *job, size_t *index,
					 const char *done)
{
	for (; *index < sizeof(preset_rows) / sizeof(preset_rows[0]); ++*index) {
		const struct preset_row *row = &preset_rows[*index];

		if (strcmp(row->option, done) != 0 && row_fits(bolt, image, job, row))
			return row;
	}
	return NULL;
}

static void add_preset(argument_array *arguments, const struct pgb_llvm_bolt *bolt,
		       const struct pgb_elf_image *image, const struct pgb_llvm_bolt_job *job)
{
	const struct preset_row *row;
	const char *done = "";
	size_t index = 0;

	while ((row = next_row(bolt, image, job, &index, done)) != NULL) {
		if (row->value != NULL)
			add(arguments, "-%s=%s", row->option, row->value);
		else
			add(arguments, "-%s", row->option);
		done = row->option;
	}
}

size_t pgb_llvm_bolt_options(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
			     const struct pgb_llvm_bolt_job *job, const char **options, size_t most)
{
	const struct preset_row *row;
	const char *done = "";
	size_t index = 0, count = 0;

	while (count < most && (row = next_row(bolt, image, job, &index, done)) != NULL)
		options[count++] = done = row->option;
	return count;
}

bool pgb_llvm_bolt_gives(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
			 const struct pgb_llvm_bolt_job *job, const char *option)
{
	for (size_t i = 0; i < sizeof(preset_rows) / sizeof(preset_rows[0]); i++)
		if (strcmp(preset_rows[i].option, option) == 0 &&
		    row_fits(bolt, image, job, &preset_rows[i]))
			return true;
	return false;
}

/* -skip-funcs takes patterns that must match the whole name, separated by commas. */
static void add_skipped(argument_array *arguments, const char *const *names)
{
	struct pgb_text patterns = {0};

	if (names == NULL || names[0] == NULL)
		return;
	for (size_t i = 0; names[i] != NULL; i++) {
		if (i > 0)
			pgb_text_add(&patterns, ",");
		for (const char *at = names[i]; *at != '\0'; at++) {
			if (strchr("\\^$.|?*+()[]{}", *at) != NULL)
				pgb_text_add(&patterns, "\\");
			pgb_text_add_bytes(&patterns, at, 1);
		}
	}
	add(arguments, "-skip-funcs=%s", pgb_text_string(&patterns));
	pgb_text_release(&patterns);
}

/* How a program gets going; the counters' library has to hook into that. */
enum start {
	START_DYNAMIC,	  /* by a dynamic loader; also shared libraries */
	START_STATIC,	  /* by itself, at a fixed address */
	START_STATIC_PIE, /* by itself, which relocates itself first */
};

static enum start start_of(const struct pgb_elf_image *image)
{
	struct pgb_elf_dynamic dynamic;
	const struct pgb_elf_dynamic_entry *flags;
	enum start start = START_DYNAMIC;

	if (pgb_elf_dynamic_read(&dynamic, image, NULL) == 0 && dynamic.interpreter == NULL) {
		flags = pgb_elf_dynamic_find(&dynamic, DT_FLAGS_1);
		if (dynamic.entries.count == 0)
			start = START_STATIC;
		else if (flags != NULL && (flags->value & DF_1_PIE))
			start = START_STATIC_PIE;
	}
	pgb_elf_dynamic_release(&dynamic);
	return start;
}

/* This option came with a start of the library that static programs at a fixed address never run.
 */
#define HOOK_OPTION "runtime-lib-init-hook"

int pgb_llvm_bolt_check_instrument(const struct pgb_llvm_bolt *bolt,
				   const struct pgb_elf_image *image, struct pgb_error *error)
{
	enum start start = start_of(image);
	bool hooks = pgb_llvm_bolt_has_option(bolt, HOOK_OPTION);

	if (bolt->runtime_library == NULL) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "%s (%s) has no instrumentation library: libbolt_rt_instr.a is not there",
			 bolt->path, bolt->version);
		return pgb_remedy(error, "Debian, Ubuntu: apt-get install libbolt-%u-dev",
				  bolt->major);
	}
	if (start == START_STATIC && hooks) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "the counters of llvm-bolt %s do not start in static programs: %s",
			 bolt->version, pgb_elf_image_path(image));
		return pgb_remedy(error, "use llvm-bolt 16 to 19 (--llvm-bolt PATH), link it with "
					 "-static-pie, or sample it: record -s ip");
	}
	if (start == START_STATIC_PIE && !hooks) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "the counters of llvm-bolt %s crash static position-independent programs: "
			 "%s",
			 bolt->version, pgb_elf_image_path(image));
		return pgb_remedy(error,
				  "use llvm-bolt 22 (--llvm-bolt PATH), link it with -static, "
				  "or sample it: record -s ip");
	}
	return 0;
}

/*
 * Without a loader nothing runs at the end, so a watching process writes the counts, as it does
 * where that is asked for. It knows no process ids: all write one file.
 */
static void add_instrumentation(argument_array *arguments, const struct pgb_elf_image *image,
				const struct pgb_llvm_bolt_job *job)
{
	enum start start = start_of(image);
	unsigned int every_s = job->instrument_every_s;

	if (start != START_DYNAMIC && every_s == 0)
		every_s = 1;
	add(arguments, "-instrument");
	add(arguments, "-instrumentation-file=%s", job->instrument_prefix);
	if (start == START_STATIC_PIE)
		add(arguments, "-" HOOK_OPTION "=init_array");
	if (every_s == 0) {
		add(arguments, "-instrumentation-file-append-pid");
		return;
	}
	add(arguments, "-instrumentation-sleep-time=%u", every_s);
	/* without it each write holds only what came since the last one, over the same file */
	add(arguments, "-instrumentation-no-counters-clear");
}

char **pgb_llvm_bolt_arguments(const struct pgb_llvm_bolt *bolt, const struct pgb_elf_image *image,
			       const struct pgb_llvm_bolt_job *job)
{
	argument_array arguments = {0};

	add(&arguments, "%s", bolt->path);
	add(&arguments, "%s%s", *job->input == '-' ? "./" : "", job->input);
	add(&arguments, "-o");
	add(&arguments, "%s", job->output);
	if (job->instrument_prefix != NULL) {
		add_instrumentation(&arguments, image, job);
	} else {
		add(&arguments, "-data=%s", job->profile);
		add_preset(&arguments, bolt, image, job);
		if (job->infer_fall_throughs && !user_gave(job, "infer-fall-throughs") &&
		    pgb_llvm_bolt_has_option(bolt, "infer-fall-throughs"))
			add(&arguments, "-infer-fall-throughs");
		if (job->update_debug && !user_gave(job, "update-debug-sections"))
			add(&arguments, "-update-debug-sections");
	}
	if (job->no_huge_pages && !user_gave(job, "no-huge-pages"))
		add(&arguments, "-no-huge-pages");
	if (job->threads > 0 && !user_gave(job, "thread-count"))
		add(&arguments, "-thread-count=%u", job->threads);
	if (job->only_functions_file != NULL) {
		add(&arguments, "-funcs-file-no-regex=%s", job->only_functions_file);
	} else {
		if (job->skip_functions_file != NULL)
			add(&arguments, "-skip-funcs-file=%s", job->skip_functions_file);
		add_skipped(&arguments, job->skip_functions);
	}
	for (size_t i = 0; job->extra != NULL && job->extra[i] != NULL; i++)
		add(&arguments, "%s", job->extra[i]);
	pgb_array_push(&arguments, NULL);
	return arguments.items;
}

void pgb_llvm_bolt_arguments_free(char **argv)
{
	for (size_t i = 0; argv != NULL && argv[i] != NULL; i++)
		free(argv[i]);
	free(argv);
}
