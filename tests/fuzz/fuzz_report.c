/* SPDX-License-Identifier: MIT */
/* optimize.json, layout.json, bench.json and run.json, divided by NULs: no markup comes through. */
#include <stdint.h>
#include <string.h>

#include "pgo/report_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *take_document(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, 0, *size);
	size_t length = end ? (size_t)(end - *data) : *size;
	json_t *json = json_loadb((const char *)*data, length, JSON_REJECT_DUPLICATES, NULL);

	*data += length + (end != NULL);
	*size -= length + (end != NULL);
	return json;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char empty[] = "", name[] = "app";
	struct pgb_recorded_binary binary = {.name = name};
	struct pgb_report report = {.binary = &binary, .directory = name};
	struct pgb_recording *recording = &report.recording;
	char *html, *markdown;

	if (size == 0)
		return 0;
	recording->program = recording->source = recording->reason = recording->event = empty;
	recording->command = recording->machine = recording->cpu = recording->kernel = empty;
	report.optimize = take_document(&data, &size);
	report.layouts = take_document(&data, &size);
	report.bench = take_document(&data, &size);
	report.run = take_document(&data, &size);
	report.optimized = json_array_get(json_object_get(report.optimize, "optimized"), 0);
	report.layout = json_array_get(json_object_get(report.layouts, "binaries"), 0);
	html = pgb_report_html(&report);
	markdown = pgb_report_markdown(&report);
	pgb_assert(strstr(html, "<script") == NULL && strstr(html, "</html>") != NULL);
	free(html);
	free(markdown);
	json_decref(report.optimize);
	json_decref(report.layouts);
	json_decref(report.bench);
	json_decref(report.run);
	return 0;
}
