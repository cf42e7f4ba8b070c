/* SPDX-License-Identifier: MIT */
/* What the files convert*.c share. */
#ifndef PGOBOLT_PGO_CONVERT_PRIVATE_H
#define PGOBOLT_PGO_CONVERT_PRIVATE_H

#include <pthread.h>

#include "pgobolt/bolt/cfg.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/pgo/convert.h"
#include "pgobolt/pgo/recording.h"

/* One of the given binaries, and what was read of it so far. */
struct pgb_convert_target {
	const char *path;
	struct pgb_elf_image *image;
	struct pgb_cfgs *cfgs;	   /* NULL until there are branches */
	struct pgb_cfgs *prepared; /* convert_prepare.c; will be `cfgs`, or NULL */
	pthread_t thread;
	bool preparing; /* the image is the thread's */
	struct pgb_binary binary;
	bool executable;	     /* was started as a program */
	bool single_branches;	     /* the edges are (infer.h) */
	struct pgb_profile *profile; /* from fdata; the edges are added in the end */
	/* The build-id of a file of this name, but of another build; NULL: none was seen. */
	char *other_build;
	bool mistaken; /* .. whose samples were taken for the target's before it was told */
	bool by_name;  /* what ran had its name, and no build-id is known of it */
};

/* A set of strings, in the order in which they came. */
struct pgb_convert_names {
	PGB_ARRAY(char *) list;
};

struct pgb_conversion {
	const struct pgb_convert_job *job;
	struct pgb_convert_result *result;
	struct pgb_convert_target *targets; /* as the job has them */
	struct pgb_edges *edges;	    /* binary numbers are indexes of targets */
	struct pgb_convert_names sources;
	struct pgb_convert_names events; /* as a no_lbr line names them */
	bool halves_unknown;		 /* some counts are not told by halves of a recording */
	struct pgb_recording origin;	 /* host and command of the first input that tells them */
	const char *from_fdata;		 /* an input whose counts have no addresses; NULL: none */
};

/* Empty names are none. */
void pgb_convert_add_name(struct pgb_convert_names *names, const char *name);
/* Count for a file that was not asked for; its build-id as text, or NULL. */
void pgb_convert_add_other(struct pgb_conversion *conversion, const char *path,
			   const char *build_id, uint64_t count);
/* Remember the build-id of another build of a target's program. */
void pgb_convert_set_other_build(struct pgb_convert_target *target, const char *build_id);

/* One input of its kind into edges and profiles. */
int pgb_convert_read_perf_data(struct pgb_conversion *conversion, size_t index,
			       struct pgb_error *error);
int pgb_convert_read_recording(struct pgb_conversion *conversion, size_t index,
			       struct pgb_error *error);

/* Begin to look at the binaries, unless that was done; until it is over, images are not touched. */
void pgb_convert_prepare(struct pgb_conversion *conversion);
void pgb_convert_prepare_wait(struct pgb_conversion *conversion);

/* The name of an event without the colon that perf script puts behind it; "" where there is none.
 */
char *pgb_convert_event(const struct pgb_conversion *conversion, size_t index);

/* Edges of one binary to its profile. Errors: PGB_E_EMPTY, PGB_E_CHECK (min_grade). */
int pgb_convert_make_profile(struct pgb_conversion *conversion, size_t index,
			     struct pgb_error *error);
/* The text or the binary of a sample profile: PGB_CONVERT_AUTOFDO.. */
int pgb_convert_write_samples(struct pgb_conversion *conversion, size_t index,
			      enum pgb_convert_format format, const char *path,
			      struct pgb_error *error);
int pgb_convert_write_preagg(struct pgb_conversion *conversion, size_t index, const char *path,
			     struct pgb_error *error);
/* Everything to a recording's folder. */
int pgb_convert_write_folder(struct pgb_conversion *conversion, struct pgb_error *error);
/* The profile of the one binary to a file. */
int pgb_convert_write(struct pgb_conversion *conversion, struct pgb_error *error);

struct pgb_perfdata_info;
/*
 * Was it recorded where such binaries run, as far as the file tells? PGB_E_MISMATCH. `name` is
 * that of the file.
 */
int pgb_convert_check_machine(const struct pgb_conversion *conversion,
			      const struct pgb_perfdata_info *info, const char *name,
			      struct pgb_error *error);

struct json_t;
/* What stands in FILE.json beside an fdata file; the caller owns it. */
struct json_t *pgb_convert_note(const struct pgb_conversion *conversion,
				const struct pgb_converted *converted);

/*
 * A recording whose AUX areas are of `kind` ("intel_pt", ..) gave no samples: say why, and what
 * to do instead.
 */
int pgb_convert_refuse_aux(const char *name, const char *kind, struct pgb_error *error);

#endif
