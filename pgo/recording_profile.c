/* SPDX-License-Identifier: MIT */
/* The edges of one binary to its profile in a recording. */
#include <stdlib.h>
#include <string.h>

#include "pgo/recording_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/cfg.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/bolt/infer.h"

/* NAME-ID.fdata has to fit into 255 bytes, with an ID of up to 128. */
#define NAME_BYTES_MAX 96

/* Any name as a file name: no control characters, no leading dot, valid in JSON. */
char *pgb_recording_file_name(const struct pgb_recorded_binary *recorded, const char *suffix)
{
	char *name = pgb_format("%.*s", NAME_BYTES_MAX, recorded->name);
	char *result;

	for (unsigned char *at = (unsigned char *)name; *at != '\0'; at++)
		if (*at <= ' ' || *at >= 0x7f || *at == '/')
			*at = '_';
	if (name[0] == '.')
		name[0] = '_';
	result = pgb_format("%s-%s.%s", name, recorded->id, suffix);
	free(name);
	return result;
}

char *pgb_recording_temporary(const struct pgb_recording_writer *writer, const char *file)
{
	return pgb_format("%s/%s", writer->temporary, file);
}

/* Is this file still the one that ran? */
static bool is_same_file(const struct pgb_recording_item *item, const char *path)
{
	struct pgb_binary binary;
	bool same = false;

	if (pgb_binary_read(&binary, path, path, NULL) == 0 && binary.kind == PGB_BINARY_ELF) {
		char *id = pgb_binary_id(&binary);

		same = strcmp(id, item->recorded->id) == 0;
		free(id);
	}
	pgb_binary_release(&binary);
	return same;
}

static int open_path(const struct pgb_recording_item *item, const char *path,
		     struct pgb_elf_image **image, struct pgb_error *error)
{
	int code = pgb_elf_image_open(image, path, error);

	if (code != 0 || is_same_file(item, path))
		return code;
	pgb_elf_image_close(*image);
	*image = NULL;
	return pgb_fail(error, PGB_E_MISMATCH, "it was replaced while it was recorded");
}

/* By its own name where that still is the file that ran: messages show it. */
static int open_image(const struct pgb_recording_item *item, struct pgb_elf_image **image,
		      struct pgb_error *error)
{
	int code = open_path(item, item->binary->path, image, error);

	if (code == 0 || strcmp(item->binary->path, item->binary->path_open) == 0)
		return code;
	return open_path(item, item->binary->path_open, image, NULL) == 0 ? 0 : code;
}

/* What is made of one binary's edges. */
struct made {
	struct pgb_profile *profile;
	struct pgb_cfgs *cfgs; /* the control-flow graphs, where there are branches */
	bool is_inferred;
	struct pgb_infer_stats inferred;
};

static int add_branches(const struct pgb_recording_item *item, struct pgb_elf_image *image,
			struct made *made, struct pgb_error *error)
{
	int code = pgb_cfgs_new(&made->cfgs, image, error);
	size_t count;
	const struct pgb_edge *edges = pgb_edges_of_binary(item->edges, item->index, &count);

	made->is_inferred = !item->recording->branches || pgb_infer_applies(edges, count);
	if (code == 0 && made->is_inferred)
		return pgb_infer_edges(made->profile, made->cfgs, item->edges, item->index,
				       &item->recorded->stats, &made->inferred, error);
	if (code == 0)
		code = pgb_profile_add_branch_edges(made->profile, made->cfgs, item->edges,
						    item->index, false, &item->recorded->stats,
						    error);
	return code;
}

static int edges_to_profile(const struct pgb_recording_item *item, struct pgb_elf_image *image,
			    struct made *made, struct pgb_error *error)
{
	/* also where it was stripped afterwards */
	if (pgb_elf_image_is_optimized(image)) {
		pgb_fail(error, PGB_E_NOT_SUITABLE, "llvm-bolt made it, and does not do so twice");
		return pgb_remedy(error, "record the original, which the linker made");
	}
	/* llvm-bolt refuses it; and the libraries of a distribution are many and large. */
	if (!pgb_elf_image_has_symbols(image))
		return pgb_fail(error, PGB_E_NOT_SUITABLE, "it is stripped (no .symtab)");
	return add_branches(item, image, made, error);
}

static void judge(const struct pgb_recording_item *item, struct pgb_elf_image *image,
		  const struct made *made)
{
	const struct pgb_session_stats *stats = &item->recording->stats;

	if (pgb_elf_image_discover(image, NULL) != 0)
		return;
	pgb_quality_compute(&item->recorded->quality,
			    &(struct pgb_quality_input){
				    .profile = made->profile,
				    .image = image,
				    .cfgs = made->cfgs,
				    .edges = item->edges,
				    .binary = item->index,
				    /* Stored edges do not tell which half they came from. */
				    .halves = item->former == NULL,
				    .stats = &item->recorded->stats,
				    .samples = stats->source.samples,
				    .lost_samples = stats->feed.lost_records,
				    .inferred = made->is_inferred ? &made->inferred : NULL,
			    });
}

int pgb_recording_write_fdata(const struct pgb_recording_writer *writer,
			      struct pgb_recorded_binary *recorded, struct pgb_profile *profile,
			      struct pgb_error *error)
{
	char *file = pgb_recording_file_name(recorded, "fdata");
	char *path = pgb_recording_temporary(writer, file);
	int code = pgb_fdata_write_file(path, profile, error);

	if (code == 0) {
		recorded->fdata_file = file;
		recorded->functions = pgb_profile_function_count(profile);
	} else {
		free(file);
	}
	free(path);
	return code;
}

/* What cannot be converted is no error: the reason is kept. What cannot be written is one. */
int pgb_recording_convert(const struct pgb_recording_item *item, struct pgb_error *error)
{
	struct pgb_elf_image *image = NULL;
	struct made made = {.profile = pgb_profile_new()};
	struct pgb_error why = {0};
	int code = open_image(item, &image, &why);

	if (code == 0)
		code = edges_to_profile(item, image, &made, &why);
	if (code != 0) {
		item->recorded->reason = pgb_dup(why.message);
		item->recorded->remedy = why.remedy[0] ? pgb_dup(why.remedy) : NULL;
		code = 0;
	} else if (pgb_profile_total(made.profile) == 0) {
		item->recorded->reason =
			pgb_dup("nothing of it fell into a function that is understood");
	} else {
		judge(item, image, &made);
		pgb_profile_add_goto_entries(made.profile, made.cfgs);
		code = pgb_recording_write_fdata(item->writer, item->recorded, made.profile, error);
	}
	pgb_profile_free(made.profile);
	pgb_cfgs_free(made.cfgs);
	pgb_elf_image_close(image);
	return code;
}

void pgb_recording_judge_counts(struct pgb_recorded_binary *recorded, struct pgb_profile *profile)
{
	struct pgb_elf_image *image = NULL;

	if (pgb_elf_image_open(&image, recorded->path, NULL) == 0 &&
	    pgb_elf_image_discover(image, NULL) == 0)
		pgb_quality_compute(
			&recorded->quality,
			&(struct pgb_quality_input){.profile = profile, .image = image});
	pgb_elf_image_close(image);
}
