/* SPDX-License-Identifier: MIT */
/* What a compiler is asked to do, by the rules of gcc's and clang's driver. */
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/text.h"
#include "pgobolt/pgo/shim.h"

static const char *const mode_words[] = {
	[PGB_BUILD_NONE] = "none",
	[PGB_BUILD_INSTRUMENT] = "instrument",
	[PGB_BUILD_USE] = "use",
	[PGB_BUILD_SAMPLING] = "sampling",
	[PGB_BUILD_INSTRUMENT_CS] = "instrument-cs",
};

const char *pgb_build_mode_word(enum pgb_build_mode mode)
{
	return mode_words[mode];
}

enum pgb_build_mode pgb_build_mode_of(const char *word)
{
	for (size_t i = 0; i < sizeof(mode_words) / sizeof(mode_words[0]); i++)
		if (strcmp(word, mode_words[i]) == 0)
			return (enum pgb_build_mode)i;
	return PGB_BUILD_NONE;
}

bool pgb_build_mode_is_final(enum pgb_build_mode mode)
{
	return mode == PGB_BUILD_USE || mode == PGB_BUILD_SAMPLING;
}

enum input_kind { INPUT_SOURCE, INPUT_ASSEMBLER, INPUT_OBJECT };

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

/* Options whose value is the next word. */
static const char *const with_value[] = {
	"-o",
	"-x",
	"-I",
	"-D",
	"-U",
	"-L",
	"-l",
	"-include",
	"-imacros",
	"-isystem",
	"-iquote",
	"-idirafter",
	"-iprefix",
	"-isysroot",
	"-iwithprefix",
	"-iwithprefixbefore",
	"-imultilib",
	"-imultiarch",
	"-T",
	"-u",
	"-z",
	"-e",
	"-A",
	"-B",
	"-G",
	"-MF",
	"-MT",
	"-MQ",
	"-MJ",
	"-Xlinker",
	"-Xassembler",
	"-Xpreprocessor",
	"-Xclang",
	"-Xarch_host",
	"-mllvm",
	"-arch",
	"-target",
	"--param",
	"-aux-info",
	"-wrapper",
	"-dumpbase",
	"-dumpdir",
	"-dumpbase-ext",
	"-framework",
	"--sysroot",
	"-gcc-toolchain",
	"--config",
	"--serialize-diagnostics",
	"-specs",
	"-rpath",
	NULL,
};

/* Nothing is compiled or linked: the compiler is asked about itself, or only preprocesses. */
static const char *const asks[] = {
	"-E",
	"-M",
	"-MM",
	"-fsyntax-only",
	"-###",
	"--version",
	"-dumpversion",
	"-dumpfullversion",
	"-dumpmachine",
	"-dumpspecs",
	"--help",
	"--target-help",
	"-cc1",
	"-cc1as",
	"-emit-ast",
	"--analyze",
	"-ffreestanding",
	NULL,
};

static bool is_question(const char *word)
{
	return is_one_of(word, asks) || pgb_begins_with(word, "-print-") ||
	       pgb_begins_with(word, "--print-") || pgb_begins_with(word, "--help=");
}

static const char *const extensions_assembler[] = {"s", "S", "sx", "asm", NULL};
static const char *const extensions_source[] = {
	"c",   "i",   "ii",  "C",   "cc",  "cp", "cxx",	 "cpp", "CPP", "c++", "m",
	"mm",  "M",   "mi",  "mii", "h",   "hh", "H",	 "hp",	"hxx", "hpp", "HPP",
	"h++", "tcc", "f",   "for", "ftn", "F",	 "FOR",	 "f90", "f95", "f03", "f08",
	"F90", "F95", "F03", "F08", "d",   "ll", "cppm", "ixx", NULL,
};

static enum input_kind kind_of_file(const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *dot = strrchr(slash ? slash : name, '.');

	if (dot && is_one_of(dot + 1, extensions_assembler))
		return INPUT_ASSEMBLER;
	if (dot && is_one_of(dot + 1, extensions_source))
		return INPUT_SOURCE;
	return INPUT_OBJECT;
}

/* While the words are read. */
struct reading {
	struct pgb_shim_step *step;
	const char *language; /* of -x; NULL: by the name */
	bool asked, only_compiles, relocatable;
};

static void read_input(struct reading *reading, const char *name)
{
	enum input_kind kind = kind_of_file(name);

	if (reading->language)
		kind = pgb_begins_with(reading->language, "assembler") ? INPUT_ASSEMBLER
								       : INPUT_SOURCE;
	if (kind == INPUT_SOURCE) {
		pgb_array_push(&reading->step->sources, name);
	} else if (kind == INPUT_OBJECT) {
		pgb_array_push(&reading->step->inputs, name);
		reading->step->rust |= pgb_ends_with(name, ".rcgu.o");
	} else {
		reading->step->links = true; /* if anything is: -c is seen below */
	}
}

static void set_language(struct reading *reading, const char *language)
{
	reading->language = strcmp(language, "none") == 0 ? NULL : language;
}

/* What the linker is told, alone or as an item of -Wl,A,B: not ended. */
enum linker_item { LINKER_OTHER, LINKER_STRIPS, LINKER_RELOCATES };

static enum linker_item linker_item(const char *item, size_t length)
{
	static const struct {
		const char *name;
		enum linker_item item;
	} rows[] = {
		{"-s", LINKER_STRIPS},
		{"-strip-all", LINKER_STRIPS},
		{"--strip-all", LINKER_STRIPS},
		{"-x", LINKER_STRIPS},
		{"--discard-all", LINKER_STRIPS},
		{"-r", LINKER_RELOCATES},
		{"--relocatable", LINKER_RELOCATES},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].name) == length && strncmp(rows[i].name, item, length) == 0)
			return rows[i].item;
	return LINKER_OTHER;
}

static void read_linker_item(struct reading *reading, const char *item, size_t length)
{
	enum linker_item kind = linker_item(item, length);

	reading->step->strips |= kind == LINKER_STRIPS;
	reading->relocatable |= kind == LINKER_RELOCATES;
}

static void read_linker_items(struct reading *reading, const char *word)
{
	for (const char *at = word + 3; *at == ',';) {
		size_t length = strcspn(at + 1, ",");

		read_linker_item(reading, at + 1, length);
		at += length + 1;
	}
}

/* -Wl,A,B without the items that strip; NULL: nothing is left. The caller frees it. */
static char *without_strip_items(const char *word)
{
	struct pgb_text kept = {0};

	for (const char *at = word + 3; *at == ',';) {
		size_t length = strcspn(at + 1, ",");

		if (linker_item(at + 1, length) != LINKER_STRIPS) {
			pgb_text_add(&kept, kept.length ? "" : "-Wl");
			pgb_text_add_bytes(&kept, at, length + 1);
		}
		at += length + 1;
	}
	return kept.length ? pgb_text_detach(&kept) : NULL;
}

static void read_option(struct reading *reading, const struct pgb_toolchain *toolchain,
			const char *word)
{
	struct pgb_shim_step *step = reading->step;

	if (is_question(word))
		reading->asked = true;
	else if (strcmp(word, "-c") == 0)
		reading->only_compiles = step->objects = true;
	else if (strcmp(word, "-S") == 0)
		reading->only_compiles = true;
	else if (strcmp(word, "-r") == 0)
		reading->relocatable = true;
	else if (pgb_begins_with(word, "-Wl,"))
		read_linker_items(reading, word);
	else if (strcmp(word, "-s") == 0)
		step->strips = true;
	else if (pgb_begins_with(word, "-x"))
		set_language(reading, word + 2);
	else if (pgb_begins_with(word, "-o") && word[2])
		step->output = word + 2;
	for (const char *const *own = toolchain->own_flags; *own; own++)
		step->own_profile |= pgb_begins_with(word, *own);
}

/* An option and its value in two words. */
static void read_pair(struct reading *reading, const char *option, const char *value)
{
	if (strcmp(option, "-o") == 0)
		reading->step->output = value;
	else if (strcmp(option, "-x") == 0)
		set_language(reading, value);
	else if (strcmp(option, "-Xlinker") == 0)
		read_linker_item(reading, value, strlen(value));
}

static void read_c(struct pgb_shim_step *step, const struct pgb_toolchain *toolchain,
		   const char *const *words)
{
	struct reading reading = {.step = step};

	for (; *words; words++) {
		if (is_one_of(*words, with_value) && words[1]) {
			read_pair(&reading, words[0], words[1]);
			words++;
		} else if (words[0][0] == '-' && words[0][1] != '\0') {
			read_option(&reading, toolchain, *words);
		} else {
			read_input(&reading, *words);
		}
	}
	step->compiles = step->sources.count > 0;
	/* What is linked into one object only is linked for good later. */
	step->links = !reading.only_compiles && !reading.relocatable &&
		      (step->links || step->compiles || step->inputs.count > 0);
	if (reading.asked)
		step->compiles = step->links = false;
}

/* A crate for the machine that builds: nobody trains those. */
static bool is_for_build(const char *option, const char *value)
{
	if (strcmp(option, "--crate-name") == 0)
		return pgb_begins_with(value, "build_script_");
	return strcmp(option, "--crate-type") == 0 && strcmp(value, "proc-macro") == 0;
}

static void read_rust(struct pgb_shim_step *step, const struct pgb_toolchain *toolchain,
		      const char *const *words)
{
	bool asked = false;

	for (; *words; words++) {
		const char *word = *words;
		char *joined = NULL;

		if ((strcmp(word, "-C") == 0 || strcmp(word, "-Z") == 0) && words[1])
			joined = pgb_format("%s%s", word, *++words);
		else if (pgb_begins_with(word, "--print") || strcmp(word, "-vV") == 0 ||
			 strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0 ||
			 strcmp(word, "--help") == 0)
			asked = true;
		else if (pgb_begins_with(word, "--crate-") && words[1] && !strchr(word, '=')) {
			asked |= is_for_build(word, words[1]);
			words++;
		} else if (strcmp(word, "--crate-type=proc-macro") == 0)
			asked = true;
		else if (strcmp(word, "-o") == 0 && words[1])
			step->output = *++words;
		else if (word[0] != '-' && pgb_ends_with(word, ".rs"))
			pgb_array_push(&step->sources, word);
		for (const char *const *own = toolchain->own_flags; *own; own++)
			step->own_profile |= pgb_begins_with(joined ? joined : word, *own);
		free(joined);
	}
	step->compiles = !asked && step->sources.count > 0;
}

void pgb_shim_step_read(struct pgb_shim_step *step, const struct pgb_toolchain *toolchain,
			const char *const *words)
{
	*step = (struct pgb_shim_step){0};
	if (toolchain == &pgb_toolchain_rustc)
		read_rust(step, toolchain, words);
	else
		read_c(step, toolchain, words);
}

void pgb_shim_step_release(struct pgb_shim_step *step)
{
	pgb_array_release(&step->sources);
	pgb_array_release(&step->inputs);
}

/* ---- what is added, what is left out */

static char *fill_in(const char *text, const struct pgb_shim_settings *settings)
{
	const char *at = strchr(text, '%');

	if (at == NULL)
		return pgb_dup(text);
	return pgb_format("%.*s%s%s", (int)(at - text), text,
			  at[1] == 'r'	 ? settings->raw
			  : at[1] == 's' ? settings->sample
					 : settings->profile,
			  at + 2);
}

/* Some flags go with a profile, of one kind or of either. */
static bool has_profile(const struct pgb_shim_settings *settings, unsigned int when)
{
	if (!(when & (PGB_FLAG_PROFILE | PGB_FLAG_SAMPLE)))
		return true;
	if (settings->sample)
		return when & PGB_FLAG_SAMPLE;
	return settings->profile && (when & PGB_FLAG_PROFILE);
}

void pgb_shim_flags(const struct pgb_shim_settings *settings, const struct pgb_toolchain *toolchain,
		    const struct pgb_shim_step *step, struct pgb_shim_words *words)
{
	static const unsigned int modes[] = {
		[PGB_BUILD_NONE] = 0,
		[PGB_BUILD_INSTRUMENT] = PGB_FLAG_INSTRUMENT,
		[PGB_BUILD_USE] = PGB_FLAG_USE,
		[PGB_BUILD_SAMPLING] = PGB_FLAG_SAMPLING,
		[PGB_BUILD_INSTRUMENT_CS] = PGB_FLAG_INSTRUMENT_CS,
	};
	const unsigned int counting = PGB_FLAG_INSTRUMENT | PGB_FLAG_INSTRUMENT_CS;
	const unsigned int of_profiles = counting | PGB_FLAG_PROFILE | PGB_FLAG_SAMPLE;
	unsigned int mode = modes[settings->mode] | (settings->lines ? PGB_FLAG_SAMPLING : 0);

	for (const struct pgb_flag *flag = toolchain->flags; flag->text; flag++) {
		bool wanted = ((flag->when & PGB_FLAG_COMPILE) && step->compiles) ||
			      ((flag->when & PGB_FLAG_LINK) && step->links);

		if (!(flag->when & mode) || !wanted)
			continue;
		if (step->own_profile && (flag->when & of_profiles))
			continue;
		/* rustc brings LLVM's runtime; clang's would come behind the libraries it needs */
		if (step->rust && toolchain == &pgb_toolchain_clang && (flag->when & counting) &&
		    !(flag->when & PGB_FLAG_USE))
			continue;
		if (!has_profile(settings, flag->when))
			continue;
		if ((flag->when & PGB_FLAG_PARTIAL_TRAINING) && !settings->partial_training)
			continue;
		pgb_array_push(&words->items, fill_in(flag->text, settings));
	}
}

void pgb_shim_arguments(const struct pgb_shim_settings *settings, const struct pgb_shim_step *step,
			const char *const *arguments, struct pgb_shim_words *words)
{
	bool keep_symbols = pgb_build_mode_is_final(settings->mode) && step->links;

	for (; *arguments; arguments++) {
		const char *word = *arguments;
		char *kept;

		if (!keep_symbols) {
			pgb_shim_words_add(words, word);
		} else if (strcmp(word, "-Xlinker") == 0 && arguments[1] &&
			   linker_item(arguments[1], strlen(arguments[1])) == LINKER_STRIPS) {
			arguments++;
		} else if (pgb_begins_with(word, "-Wl,")) {
			kept = without_strip_items(word);
			if (kept)
				pgb_array_push(&words->items, kept);
		} else if (is_one_of(word, with_value) && arguments[1]) {
			pgb_shim_words_add(words, word);
			pgb_shim_words_add(words, *++arguments);
		} else if (strcmp(word, "-s") != 0) {
			pgb_shim_words_add(words, word);
		}
	}
}

void pgb_shim_strip(const char *const *arguments, struct pgb_shim_words *words)
{
	static const char *const symbols[] = {
		"-s",
		"--strip-all",
		"--strip-unneeded",
		"-x",
		"--discard-all",
		"-X",
		"--discard-locals",
		NULL,
	};

	pgb_shim_words_add(words, "--strip-debug");
	for (; *arguments; arguments++) {
		if (is_one_of(*arguments, symbols))
			continue;
		pgb_shim_words_add(words, *arguments);
		if (strcmp(*arguments, "-o") == 0 && arguments[1])
			pgb_shim_words_add(words, *++arguments);
	}
}
