/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgo/report_private.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/layout_file.h"

enum {
	FILE_BYTES_MOST = 64 << 20,
};

/* ---- reading */

/* *json stays NULL where there is no such file, or nothing in it. */
static int read_json(json_t **json, const char *directory, const char *name,
		     struct pgb_error *error)
{
	char *path = pgb_format("%s/%s", directory, name);
	struct pgb_text text = {0};
	json_error_t why;
	int code = 0;

	if (access(path, F_OK) == 0)
		code = pgb_file_read(&text, path, FILE_BYTES_MOST, error);
	if (code == 0 && text.length >= FILE_BYTES_MOST)
		code = pgb_fail(error, PGB_E_LIMIT, "%s is larger than %d bytes", path,
				FILE_BYTES_MOST);
	if (code == 0 && text.length > 0) {
		*json = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, &why);
		if (*json == NULL) {
			code = pgb_fail(error, PGB_E_CORRUPT, "%s: line %d: %s", path, why.line,
					why.text);
			pgb_remedy(error, "remove it, or make it again");
		}
	}
	pgb_text_release(&text);
	free(path);
	return code;
}

static const json_t *find_by(const json_t *list, const char *key, const char *value)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(pgb_report_text(json_array_get(list, i), key), value) == 0)
			return json_array_get(list, i);
	return NULL;
}

static const struct pgb_recorded_binary *recorded_as(const struct pgb_recording *recording,
						     const char *build_id)
{
	for (size_t i = 0; build_id[0] && i < recording->binaries.count; i++) {
		const struct pgb_recorded_binary *binary = &recording->binaries.items[i];

		if (binary->build_id && strcmp(binary->build_id, build_id) == 0)
			return binary;
	}
	return NULL;
}

/* The main binary where it was optimized, else the first that was. */
static void choose_binary(struct pgb_report *report)
{
	const json_t *optimized = json_object_get(report->optimize, "optimized");
	const struct pgb_recorded_binary *other;

	report->binary = pgb_recording_main(&report->recording);
	if (report->binary && report->binary->build_id)
		report->optimized = find_by(optimized, "build_id", report->binary->build_id);
	if (report->optimized == NULL && json_array_size(optimized) > 0) {
		report->optimized = json_array_get(optimized, 0);
		other = recorded_as(&report->recording,
				    pgb_report_text(report->optimized, "build_id"));
		if (other)
			report->binary = other;
	}
	if (report->binary) {
		const char *id = report->binary->build_id ? report->binary->build_id : "";
		const json_t *layouts = json_object_get(report->layouts, "binaries");

		report->layout = id[0] ? find_by(layouts, "build_id", id)
				       : find_by(layouts, "name", report->binary->name);
	}
}

int pgb_report_read(struct pgb_report *report, const char *directory, struct pgb_error *error)
{
	char *run_file = pgb_format("%s/run.json", directory);
	bool is_run = access(run_file, F_OK) == 0;
	char *recording = is_run ? pgb_format("%s/recording", directory) : pgb_dup(directory);
	const json_t *bench;
	int code;

	*report = (struct pgb_report){.directory = pgb_dup(directory)};
	code = pgb_recording_read(&report->recording, recording, error);
	if (code == 0)
		code = read_json(&report->optimize, recording, "optimize.json", error);
	if (code == 0)
		code = read_json(&report->layouts, recording, PGB_LAYOUT_FILE, error);
	if (code == 0)
		code = read_json(&report->bench, directory, "bench.json", error);
	if (code == 0 && is_run)
		code = read_json(&report->run, directory, "run.json", error);
	if (code == 0 && is_run)
		code = read_json(&report->check, directory, "check.json", error);
	if (code == 0)
		choose_binary(report);
	bench = json_object_get(report->optimized, "bench");
	if (report->bench == NULL && json_is_object(bench))
		report->bench = json_incref((json_t *)bench);
	free(recording);
	free(run_file);
	return code;
}

void pgb_report_release(struct pgb_report *report)
{
	json_t *documents[] = {report->optimize, report->layouts, report->bench, report->run,
			       report->check};

	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
		json_decref(documents[i]);
	pgb_recording_release(&report->recording);
	free(report->directory);
	*report = (struct pgb_report){0};
}

const char *pgb_report_text(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

double pgb_report_number(const json_t *json, const char *key)
{
	return json_number_value(json_object_get(json, key));
}

uint64_t pgb_report_whole(double value)
{
	static const double most = 9007199254740992.0;

	return value >= most ? UINT64_C(1) << 53 : value > 0 ? (uint64_t)value : 0;
}

uint64_t pgb_report_count(const json_t *json, const char *key)
{
	return pgb_report_whole(pgb_report_number(json, key));
}

size_t pgb_report_size(const json_t *list)
{
	size_t size = json_array_size(list);

	return size < PGB_REPORT_ITEMS_MOST ? size : PGB_REPORT_ITEMS_MOST;
}
