/* SPDX-License-Identifier: MIT */
/*
 * The compilers: their flags to instrument and to use a profile, as constant tables, and the tools
 * that merge what instrumented programs write.
 *
 * A profile belongs to the compilers that share a key: "llvm-22" is read by clang 22 and by a rustc
 * with LLVM 22, "gcc-12" by all gcc 12. In the state folder:
 *
 *	profile/llvm-22.profdata	a link to llvm-22-HASH.profdata: a new profile has a new
 *name, so that no compiler cache takes it for the old one
 *	profile/gcc-12/			.gcda files, named after the objects' paths
 */
#ifndef PGOBOLT_PGO_TOOLCHAIN_H
#define PGOBOLT_PGO_TOOLCHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"
#include "pgobolt/base/text.h"

enum pgb_tool_kind {
	PGB_TOOL_NONE,
	PGB_TOOL_COMPILER, /* a C or C++ compiler; which one, it says itself */
	PGB_TOOL_RUSTC,
	PGB_TOOL_CARGO,
	PGB_TOOL_LAUNCHER, /* the compiler's name follows: ccache gcc .. */
	PGB_TOOL_STRIP,
};

enum pgb_build_mode {
	PGB_BUILD_NONE,
	PGB_BUILD_INSTRUMENT,
	PGB_BUILD_USE,
	PGB_BUILD_SAMPLING,	 /* as it is, but with lines and relocations: to be recorded */
	PGB_BUILD_INSTRUMENT_CS, /* with the profile, and counting again behind its inlining */
};

/* When a flag is added. */
enum pgb_flag_when {
	PGB_FLAG_INSTRUMENT = 1 << 0,
	PGB_FLAG_USE = 1 << 1,
	PGB_FLAG_COMPILE = 1 << 2,
	PGB_FLAG_LINK = 1 << 3,
	PGB_FLAG_PROFILE = 1 << 4,	    /* only where there is a profile to use */
	PGB_FLAG_PARTIAL_TRAINING = 1 << 5, /* only when asked for */
	PGB_FLAG_SAMPLING = 1 << 6,
	PGB_FLAG_INSTRUMENT_CS = 1 << 7,
	PGB_FLAG_SAMPLE = 1 << 8, /* only where there is a sample profile to use */
};

/* In `text` %r stands for the folder of raw profiles, %p for the profile, %s for the sample
 * profile. */
struct pgb_flag {
	const char *text; /* NULL ends a table */
	unsigned int when;
};

/* One raw profile, or a folder of .gcda files, with the weight of its training run. */
struct pgb_raw_profile {
	char *path;
	unsigned long weight;
};

struct pgb_raw_profiles {
	PGB_ARRAY(struct pgb_raw_profile) items;
};

struct pgb_merge_counts {
	unsigned long functions, functions_run; /* 0 where the tool does not say */
	struct pgb_text unreached; /* names of those that did not run, a line each; of LLVM only */
	unsigned long raw_damaged; /* that could not be read */
};

struct pgb_toolchain {
	const char *name;	/* "clang" */
	const char *key;	/* "llvm": its profiles' name, before the version */
	const char *merger;	/* "llvm-profdata" */
	bool profile_is_folder; /* a folder of files, one per object; else one .profdata */
	bool reads_samples;	/* LLVM's sample profiles */
	const struct pgb_flag *flags;
	/* Beginnings of flags by which a build does profiling of its own; NULL-ended. */
	const char *const *own_flags;
	/* Merge into `output`, which is not there yet, with this tool. Errors: PGB_E_TOOL. */
	int (*merge)(const char *tool, const struct pgb_raw_profiles *raw, const char *output,
		     struct pgb_merge_counts *counts, struct pgb_error *error);
};

extern const struct pgb_toolchain pgb_toolchain_clang;
extern const struct pgb_toolchain pgb_toolchain_gcc;
extern const struct pgb_toolchain pgb_toolchain_rustc;
extern const struct pgb_toolchain *const pgb_toolchains[]; /* NULL-terminated */

/* A compiler found on this machine. */
struct pgb_compiler {
	const struct pgb_toolchain *toolchain;
	unsigned int major; /* of LLVM for rustc */
	char host[64];	    /* rustc: the triple it runs on; else "" */
};

/* By the name alone: gcc, x86_64-linux-gnu-gcc-12, clang++-22, ccache; a path's last part counts.
 */
enum pgb_tool_kind pgb_tool_kind(const char *name);

/* path-HASH-gcc: a shim's name for a compiler that was named by its path. */
#define PGB_TOOL_BY_PATH "path-"
bool pgb_tool_is_by_path(const char *name);

/*
 * What `--version` said, as a compiler; false: none that is known. Pure.
 * `kind` is COMPILER or RUSTC (the text of rustc -vV).
 */
bool pgb_compiler_parse(struct pgb_compiler *compiler, enum pgb_tool_kind kind, const char *said);

/* Ask the program at `path`. false: it does not answer as a compiler does. */
bool pgb_compiler_ask(struct pgb_compiler *compiler, enum pgb_tool_kind kind, const char *path);

/* "llvm-22"; the caller frees it. */
char *pgb_compiler_key(const struct pgb_compiler *compiler);

/* The toolchain and version of such a key; false: it is none. */
bool pgb_compiler_from_key(struct pgb_compiler *compiler, const char *key);

/*
 * The tool that merges this compiler's profiles, of the same major version, in the folder of the
 * compiler at `path`, or of the file that this leads to. NULL: none. The caller frees it.
 */
char *pgb_toolchain_merger_beside(const struct pgb_compiler *compiler, const char *path);

/*
 * The same elsewhere: by version in PATH (llvm-profdata-22, gcov-tool-12), in /usr/lib/llvm-NN/bin,
 * in rustc's sysroot (NULL: none), or by plain name. PGB_E_UNSUPPORTED names what to install.
 */
int pgb_toolchain_find_merger(const struct pgb_compiler *compiler, const char *rustc, char **path,
			      struct pgb_error *error);

/*
 * NULL: this rustc can make programs that count, or it does not answer. Else it was built without
 * the runtime that this needs: how to use clang's, of the same LLVM, or how to get that. The caller
 * frees it.
 */
char *pgb_rustc_runtime_remedy(const char *rustc);

void pgb_raw_profiles_release(struct pgb_raw_profiles *raw);

#endif
