/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/json.h"

#include <jansson.h>
#include <stdlib.h>

#include "pgobolt/collector/file.h"

json_t *pgb_json_text(const char *text)
{
	json_t *string = json_string(text);
	char *copy;

	if (string)
		return string;
	/* paths and symbol names need not be UTF-8, JSON must be */
	copy = pgb_dup(text);
	for (unsigned char *at = (unsigned char *)copy; *at; at++)
		if (*at >= 0x80)
			*at = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

json_t *pgb_json_count(uint64_t count)
{
	return json_integer(count > INT64_MAX ? INT64_MAX : (json_int_t)count);
}

const char *pgb_severity_name(enum pgb_severity severity)
{
	static const char *const names[] = {
		[PGB_FINDING_GOOD] = "good",
		[PGB_FINDING_NOTE] = "note",
		[PGB_FINDING_WARNING] = "warning",
		[PGB_FINDING_ERROR] = "error",
	};

	pgb_assert((size_t)severity < sizeof(names) / sizeof(*names));
	return names[severity];
}

json_t *pgb_findings_json(const struct pgb_findings *findings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < findings->list.count; i++) {
		const struct pgb_finding *finding = &findings->list.items[i];
		json_t *row = json_pack("{s:s, s:s, s:o}", "check", finding->check, "severity",
					pgb_severity_name(finding->severity), "message",
					pgb_json_text(finding->message));

		if (finding->code)
			json_object_set_new(row, "code", json_string(pgb_code_name(finding->code)));
		if (finding->remedy)
			json_object_set_new(row, "remedy", pgb_json_text(finding->remedy));
		json_array_append_new(list, row);
	}
	return list;
}

int pgb_json_write(const json_t *document, const char *path, struct pgb_error *error)
{
	struct pgb_out_file out;
	int code = pgb_out_open(&out, path, error);

	if (code != 0)
		return code;
	json_dumpf(document, out.stream, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', out.stream);
	return pgb_out_commit(&out, error);
}
