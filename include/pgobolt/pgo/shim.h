/* SPDX-License-Identifier: MIT */
/*
 * A compiler's stand-in: pgobolt under the compiler's name, in a folder that is first in PATH. It
 * adds the flags of the build's mode and becomes the real compiler. Without a mode in the
 * environment it only becomes the compiler: what a build system remembers stays usable.
 *
 * FOLDER/NAME is a link to pgobolt; FOLDER/.real/NAME says in four lines which file NAME stands
 * for, its toolchain ("-": none), its major version and, for rustc and cargo, the host's triple.
 */
#ifndef PGOBOLT_PGO_SHIM_H
#define PGOBOLT_PGO_SHIM_H

#include <stdbool.h>
#include <stddef.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/base/text.h"
#include "pgobolt/pgo/toolchain.h"

#define PGB_SHIM_MODE_VARIABLE	  "PGOBOLT_SHIM_MODE"	 /* pgb_build_mode_word() */
#define PGB_SHIM_STATE_VARIABLE	  "PGOBOLT_SHIM_STATE"	 /* absolute path of the state folder */
#define PGB_SHIM_SAMPLE_VARIABLE  "PGOBOLT_SHIM_SAMPLE"	 /* absolute path of a sample profile */
#define PGB_SHIM_LINES_VARIABLE	  "PGOBOLT_SHIM_LINES"	 /* set: lines, too */
#define PGB_SHIM_PARTIAL_VARIABLE "PGOBOLT_SHIM_PARTIAL" /* set: -fprofile-partial-training */
#define PGB_SHIM_CARGO_VARIABLE	  "PGOBOLT_SHIM_CARGO"	 /* set: cargo gives rustc its flags */

#define PGB_SHIM_REAL_FOLDER ".real"
#define PGB_SHIM_LOG	     "compiled" /* in the state folder; see pgo/build.h */

struct pgb_cargo_config;

/* Words of a command line; the strings are owned. */
struct pgb_shim_words {
	PGB_ARRAY(char *) items; /* NULL-terminated where it is an argv */
};
void pgb_shim_words_add(struct pgb_shim_words *words, const char *word);
void pgb_shim_words_release(struct pgb_shim_words *words);
/* Ascending, each word once; then whether a word is one of them. */
void pgb_shim_words_sort(struct pgb_shim_words *words);
bool pgb_shim_words_find(const struct pgb_shim_words *words, const char *word);
/* "a, b, c, d, e and 3 more"; the caller frees it. */
char *pgb_shim_words_name(const struct pgb_shim_words *words);

/* What one call of a compiler does. Strings are borrowed from the words. */
struct pgb_shim_step {
	bool compiles, links; /* both false: nothing is added */
	bool objects;	      /* compiles into object files (-c) */
	bool rust;	      /* links what rustc compiled */
	bool own_profile;     /* the build does profiling of its own: leave that alone */
	bool strips;	      /* the linker is told to drop symbols */
	const char *output;   /* of -o; NULL */
	PGB_ARRAY(const char *) sources;
	PGB_ARRAY(const char *) inputs; /* of the linker: objects and archives */
};

struct pgb_shim_settings {
	enum pgb_build_mode mode;
	const char *raw;     /* folder of raw profiles */
	const char *profile; /* NULL: there is none for this compiler */
	const char *sample;  /* instead of the profile; NULL */
	bool lines;	     /* USE: with what a recording of it needs, too */
	bool partial_training;
};

/*
 * The words behind argv[0], with response files (@FILE, as gcc reads them) in their places. One
 * that cannot be read stays a word. At most 8 deep, 4 MiB each, 16 MiB in all.
 */
void pgb_shim_expand(struct pgb_shim_words *words, const char *const *arguments);

/* Pure. `words` without the compiler's name, NULL-terminated. */
void pgb_shim_step_read(struct pgb_shim_step *step, const struct pgb_toolchain *toolchain,
			const char *const *words);
void pgb_shim_step_release(struct pgb_shim_step *step);

/* Append the flags for this step to `words`. Pure. */
void pgb_shim_flags(const struct pgb_shim_settings *settings, const struct pgb_toolchain *toolchain,
		    const struct pgb_shim_step *step, struct pgb_shim_words *words);

/* Append `arguments` as they are, but with strip flags left out where a binary is linked to be
 * optimized. Pure. */
void pgb_shim_arguments(const struct pgb_shim_settings *settings, const struct pgb_shim_step *step,
			const char *const *arguments, struct pgb_shim_words *words);

/* strip's arguments, to drop debug information and no symbols. Pure. */
void pgb_shim_strip(const char *const *arguments, struct pgb_shim_words *words);

/*
 * cargo's arguments: --release where no profile is chosen, --target (so that build scripts stay
 * out), the linker and the flags for rustc. `flags_encoded` is CARGO_ENCODED_RUSTFLAGS,
 * `flags_plain` RUSTFLAGS; NULL where not set. Where one of these is set cargo reads nothing else:
 * *variable becomes the assignment that extends it (the caller frees it), else NULL.
 */
struct pgb_shim_cargo {
	const char *host, *target; /* target: CARGO_BUILD_TARGET; NULL */
	const char *flags_encoded, *flags_plain;
	const struct pgb_cargo_config *config; /* pgo/cargo_config.h; NULL: not known */
	const char *linker;		       /* a shim to link with; NULL: as it is */
};
void pgb_shim_cargo(const struct pgb_shim_cargo *cargo, const struct pgb_shim_words *rust_flags,
		    const char *const *arguments, struct pgb_shim_words *words, char **variable);

/* Is it a subcommand that compiles? */
bool pgb_shim_cargo_builds(const char *const *arguments);

/* The triple that it compiles for; *chosen: the project or its user says so. Borrowed. */
const char *pgb_shim_cargo_target(const struct pgb_shim_cargo *cargo, const char *const *arguments,
				  bool *chosen);

/* A linker that the project names by a path gets a shim; NULL. The caller frees the name. */
char *pgb_shim_linker(const struct pgb_shim_cargo *cargo, const char *state,
		      const char *const *arguments);

/* Where clang links a Rust program: what objects in it need that gcc made count. */
void pgb_shim_add_runtime(const char *folder, const struct pgb_toolchain *linker,
			  struct pgb_shim_words *words);

/* "instrument", "use" ..; the mode of such a word, NONE for others. */
const char *pgb_build_mode_word(enum pgb_build_mode mode);
enum pgb_build_mode pgb_build_mode_of(const char *word);
/* Is what such a build links for llvm-bolt: with relocations and symbols? */
bool pgb_build_mode_is_final(enum pgb_build_mode mode);

/* Was pgobolt started under a compiler's name? */
bool pgb_shim_is_one(const char *argv0);

/*
 * Is `path`, with a slash in it, a shim, or a link to one, as builds with tool folders of their own
 * make them? *folder and *name are its: owned by the caller, and *name's former text is freed.
 */
bool pgb_shim_find(const char *path, char **folder, char **name);

/* Become the real compiler; returns only when that fails. */
int pgb_shim_run(const char *const *argv, struct pgb_error *error);

/* PATH's value without folders of shims; the caller frees it. */
char *pgb_shim_path_without(const char *path);

/* One entry of FOLDER/.real; `path` is owned. */
struct pgb_shim_real {
	char *path;
	struct pgb_compiler compiler; /* toolchain NULL: no compiler */
};
int pgb_shim_real_write(const char *folder, const char *name, const struct pgb_shim_real *real,
			struct pgb_error *error);
int pgb_shim_real_read(struct pgb_shim_real *real, const char *folder, const char *name,
		       struct pgb_error *error);

#endif
