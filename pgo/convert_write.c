/* SPDX-License-Identifier: MIT */
/* Profiles of one binary to files. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pgo/convert_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/preagg.h"

/* OUT with another suffix; for one format OUT itself. */
static char *file_name(const struct pgb_convert_job *job, const char *suffix)
{
	static const char *const known[] = {".fdata", ".preagg", ".afdo", ".afdo.bin"};
	size_t length = strlen(job->output);

	if ((job->formats & (job->formats - 1)) == 0)
		return pgb_dup(job->output);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t cut = strlen(known[i]);

		if (length > cut && strcmp(job->output + length - cut, known[i]) == 0)
			return pgb_format("%.*s%s", (int)(length - cut), job->output, suffix);
	}
	return pgb_format("%s%s", job->output, suffix);
}

/*
 * FILE.json beside an fdata file, which cannot itself say what it is of: all but committed. Not
 * opened beside standard output.
 */
static int prepare_note(const struct pgb_conversion *conversion,
			const struct pgb_converted *converted, struct pgb_out_file *out,
			struct pgb_error *error)
{
	struct stat status;
	json_t *note;
	char *path;
	int code;

	if (stat(converted->fdata_file, &status) == 0 && !S_ISREG(status.st_mode))
		return 0;
	path = pgb_format("%s.json", converted->fdata_file);
	code = pgb_out_open(out, path, error);
	free(path);
	if (code != 0)
		return code;
	note = pgb_convert_note(conversion, converted);
	json_dumpf(note, out->stream, JSON_INDENT(2) | JSON_SORT_KEYS);
	fputc('\n', out->stream);
	json_decref(note);
	return pgb_out_finish(out, error);
}

static int write_fdata(struct pgb_conversion *conversion, size_t index, struct pgb_error *error)
{
	struct pgb_profile *profile = conversion->targets[index].profile;
	struct pgb_converted *converted = &conversion->result->binaries.items[index];
	struct pgb_out_file note = {0};
	int code;

	converted->fdata_file = file_name(conversion->job, ".fdata");
	code = prepare_note(conversion, converted, &note, error);
	if (code == 0)
		code = pgb_fdata_write_file(converted->fdata_file, profile, error);
	if (code == 0 && note.path != NULL)
		code = pgb_out_commit(&note, error);
	pgb_out_discard(&note);
	return code;
}

/* Text formats with addresses, or made of them. */
static int need_addresses(const struct pgb_conversion *conversion, const char *what,
			  struct pgb_error *error)
{
	if (conversion->from_fdata == NULL)
		return 0;
	pgb_fail(error, PGB_E_USAGE,
		 "%s holds names of functions, not addresses: no %s can be made of it",
		 conversion->from_fdata, what);
	return pgb_remedy(error, "use --format fdata");
}

int pgb_convert_write_preagg(struct pgb_conversion *conversion, size_t index, const char *path,
			     struct pgb_error *error)
{
	struct pgb_converted *converted = &conversion->result->binaries.items[index];
	struct pgb_out_file out = {0};
	char *event;
	int code = need_addresses(conversion, "pre-aggregated text", error);

	if (code == 0)
		code = pgb_out_open(&out, path, error);
	if (code != 0)
		return code;
	event = pgb_convert_event(conversion, 0);
	code = pgb_preagg_write(out.stream, conversion->edges, (uint32_t)index,
				event[0] ? event : NULL, &converted->preagg_lost, error);
	if (code == 0)
		code = pgb_out_commit(&out, error);
	pgb_out_discard(&out);
	free(event);
	return code;
}

static int write_preagg(struct pgb_conversion *conversion, size_t index, struct pgb_error *error)
{
	struct pgb_converted *converted = &conversion->result->binaries.items[index];

	converted->preagg_file = file_name(conversion->job, ".preagg");
	return pgb_convert_write_preagg(conversion, index, converted->preagg_file, error);
}

int pgb_convert_write_samples(struct pgb_conversion *conversion, size_t index,
			      enum pgb_convert_format format, const char *path,
			      struct pgb_error *error)
{
	struct pgb_convert_target *target = &conversion->targets[index];
	struct pgb_converted *converted = &conversion->result->binaries.items[index];
	struct pgb_sample_profile *profile = NULL;
	int code = need_addresses(conversion, "sample profile", error);

	if (code == 0)
		code = pgb_elf_image_discover(target->image, error);
	if (code == 0)
		code = pgb_sample_profile_new(&profile, target->image, conversion->edges,
					      (uint32_t)index, &converted->samples, error);
	if (code == 0 && format == PGB_CONVERT_AUTOFDO)
		code = pgb_sample_profile_write_file(profile, path, error);
	else if (code == 0)
		code = pgb_sample_profile_write_binary(profile, path, error);
	pgb_sample_profile_free(profile);
	return code;
}

static int write_samples(struct pgb_conversion *conversion, size_t index, struct pgb_error *error)
{
	struct pgb_converted *converted = &conversion->result->binaries.items[index];
	int code = 0;

	if (conversion->job->formats & PGB_CONVERT_AUTOFDO) {
		converted->autofdo_file = file_name(conversion->job, ".afdo");
		code = pgb_convert_write_samples(conversion, index, PGB_CONVERT_AUTOFDO,
						 converted->autofdo_file, error);
	}
	if (code == 0 && (conversion->job->formats & PGB_CONVERT_AUTOFDO_BINARY)) {
		converted->autofdo_binary_file = file_name(conversion->job, ".afdo.bin");
		code = pgb_convert_write_samples(conversion, index, PGB_CONVERT_AUTOFDO_BINARY,
						 converted->autofdo_binary_file, error);
	}
	return code;
}

int pgb_convert_write(struct pgb_conversion *conversion, struct pgb_error *error)
{
	const struct pgb_convert_job *job = conversion->job;
	int code = 0;

	for (size_t i = 0; i < job->binary_count && code == 0; i++) {
		bool fdata = job->formats == 0 || (job->formats & PGB_CONVERT_FDATA);

		if (fdata || job->min_grade)
			code = pgb_convert_make_profile(conversion, i, error);
		if (code == 0 && fdata)
			code = write_fdata(conversion, i, error);
		if (code == 0 && (job->formats & PGB_CONVERT_PREAGG))
			code = write_preagg(conversion, i, error);
		if (code == 0)
			code = write_samples(conversion, i, error);
	}
	return code;
}
