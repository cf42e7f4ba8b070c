/* SPDX-License-Identifier: MIT */
/*
 * Symbolic counts, as fdata holds them: branches between (function, offset) pairs, or samples
 * at them. Names are interned; equal lines are summed as they come.
 */
#ifndef PGOBOLT_BOLT_PROFILE_H
#define PGOBOLT_BOLT_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/error.h"
#include "pgobolt/bolt/cfg.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/collector/edges.h"

enum pgb_profile_kind {
	PGB_PROFILE_UNKNOWN,  /* nothing was added yet */
	PGB_PROFILE_BRANCHES, /* LBR-like: branch lines */
	PGB_PROFILE_SAMPLES,  /* no_lbr: sample lines */
};

/* One end. `name` is interned; PGB_NAME_UNKNOWN means outside ("0 [unknown] 0"). */
#define PGB_NAME_UNKNOWN 0u

struct pgb_place {
	uint32_t name;
	uint64_t offset;
};

struct pgb_profile_branch {
	struct pgb_place from, to;
	uint64_t mispredicts, count;
};

struct pgb_profile_sample {
	struct pgb_place at;
	uint64_t count;
};

/* An instruction and the data address it touched. */
struct pgb_profile_memory {
	struct pgb_place at, data; /* data.name UNKNOWN: data.offset is an address */
	uint64_t count;
};

struct pgb_profile;

struct pgb_profile *pgb_profile_new(void);
void pgb_profile_free(struct pgb_profile *profile);

/* `name` is the plain name, not escaped. */
uint32_t pgb_profile_intern(struct pgb_profile *profile, const char *name, size_t length);
const char *pgb_profile_name(const struct pgb_profile *profile, uint32_t name);

/* Counts saturate at INT64_MAX: fdata's are signed. */
void pgb_profile_add_branch(struct pgb_profile *profile, const struct pgb_profile_branch *branch);
void pgb_profile_add_sample(struct pgb_profile *profile, const struct pgb_profile_sample *sample);
void pgb_profile_add_memory(struct pgb_profile *profile, const struct pgb_profile_memory *memory);

enum pgb_profile_kind pgb_profile_kind(const struct pgb_profile *profile);
/* PGB_E_MISMATCH: it has the other kind, or `boltedcollection` and plain ones would be mixed. */
int pgb_profile_set_kind(struct pgb_profile *profile, enum pgb_profile_kind kind, bool bolted,
			 struct pgb_error *error);
bool pgb_profile_bolted(const struct pgb_profile *profile);
/* Event names of a no_lbr profile; each once, in byte order when read back. */
void pgb_profile_add_event(struct pgb_profile *profile, const char *event);
size_t pgb_profile_event_count(const struct pgb_profile *profile);
const char *pgb_profile_event(const struct pgb_profile *profile, size_t index);

/* perf2bolt's order (facts in fdata_write.h): sorts in place; borrowed until the next add. */
const struct pgb_profile_branch *pgb_profile_branches(struct pgb_profile *profile, size_t *count);
const struct pgb_profile_sample *pgb_profile_samples(struct pgb_profile *profile, size_t *count);
const struct pgb_profile_memory *pgb_profile_memories(struct pgb_profile *profile, size_t *count);
/*
 * The same, function by function and without a copy: those with lines of their own, and those
 * entered from outside only.
 */
size_t pgb_profile_branch_functions(struct pgb_profile *profile);
const struct pgb_profile_branch *pgb_profile_function_branches(struct pgb_profile *profile,
							       size_t index, size_t *count);
size_t pgb_profile_line_count(struct pgb_profile *profile);
/* Not a single line. */
bool pgb_profile_is_empty(const struct pgb_profile *profile);
/* Distinct function names that have counts; sum of all counts. */
size_t pgb_profile_function_count(struct pgb_profile *profile);
uint64_t pgb_profile_total(const struct pgb_profile *profile);

/* Why a branch or a range was not written. */
#define PGB_DROPS(X)                                                                               \
	X(NO_SOURCE, "the source is not a branch")                                                 \
	X(WRONG_TARGET, "a direct branch that goes elsewhere")                                     \
	X(NO_TARGET, "the target is not an instruction")                                           \
	X(NO_EDGE, "the function has no such edge")                                                \
	X(NO_GRAPH, "the function cannot be understood")                                           \
	X(BACKWARDS, "a range that runs backwards")                                                \
	X(TWO_FUNCTIONS, "a range from one function into another")                                 \
	X(CROSSES_JUMP, "a range that runs over a jump")                                           \
	X(NOT_A_BRANCH_EDGE, "samples have no place among branches")                               \
	X(NOT_TOLD, "the hardware does not tell where the branch went")

enum pgb_drop {
#define PGB_DROP_ENUM(name, text) PGB_DROP_##name,
	PGB_DROPS(PGB_DROP_ENUM)
#undef PGB_DROP_ENUM
		PGB_DROP_COUNT
};

const char *pgb_drop_text(enum pgb_drop drop);

/*
 * Where the edges of a binary went: seen = written + returns + no_function + external + dropped.
 * Ranges between branches are counted apart: ranges = ranges_written + ranges_outside +
 * ranges_dropped. by_reason holds what is in dropped and ranges_dropped.
 */
struct pgb_profile_stats {
	uint64_t seen;
	uint64_t written;
	uint64_t returns;     /* seen in the ranges behind them, not as lines */
	uint64_t no_function; /* inside the binary, in no function */
	uint64_t external;    /* both ends outside */
	uint64_t dropped;     /* not convertible: counted, never silent */
	uint64_t ranges, ranges_written;
	uint64_t ranges_outside; /* an end in no function: "out of range" */
	uint64_t ranges_dropped; /* "mismatching" */
	uint64_t by_reason[PGB_DROP_COUNT];
};

/* IP edges of one binary to samples (no_lbr). */
int pgb_profile_add_ip_edges(struct pgb_profile *profile, struct pgb_elf_image *image,
			     struct pgb_edges *edges, uint32_t binary,
			     struct pgb_profile_stats *stats, struct pgb_error *error);

/*
 * TRACE, BRANCH, NOT_TAKEN, RETURN and RANGE edges of one binary to branches
 * (DataAggregator::processBranchEvents). Nothing is written that the function's graph does not
 * have, for one impossible line costs the function its profile; with `as_perf2bolt` what perf2bolt
 * writes is written, impossible or not.
 */
int pgb_profile_add_branch_edges(struct pgb_profile *profile, struct pgb_cfgs *cfgs,
				 struct pgb_edges *edges, uint32_t binary, bool as_perf2bolt,
				 struct pgb_profile_stats *stats, struct pgb_error *error);

/* Tell llvm-bolt how often targets of computed gotos ran: as if entered from outside. */
void pgb_profile_add_goto_entries(struct pgb_profile *profile, struct pgb_cfgs *cfgs);

#endif
