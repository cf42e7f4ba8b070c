/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "bolt/verify_private.h"
#include "pgobolt/base/text.h"

void pgb_findings_add(struct pgb_findings *findings, enum pgb_severity severity, int code,
		      const char *check, const char *remedy, const char *format, ...)
{
	struct pgb_finding finding = {
		.severity = severity, .code = code, .check = check, .remedy = pgb_dup(remedy)};
	struct pgb_text message = {0};
	va_list arguments;

	pgb_assert((severity == PGB_FINDING_ERROR) == (code != 0));
	va_start(arguments, format);
	pgb_text_addv(&message, format, arguments);
	va_end(arguments);
	finding.message = pgb_text_detach(&message);
	pgb_array_push(&findings->list, finding);
}

void pgb_findings_release(struct pgb_findings *findings)
{
	for (size_t i = 0; i < findings->list.count; i++) {
		free(findings->list.items[i].message);
		free(findings->list.items[i].remedy);
	}
	pgb_array_release(&findings->list);
}

enum pgb_severity pgb_findings_worst(const struct pgb_findings *findings)
{
	enum pgb_severity worst = PGB_FINDING_GOOD;

	for (size_t i = 0; i < findings->list.count; i++)
		if (findings->list.items[i].severity > worst)
			worst = findings->list.items[i].severity;
	return worst;
}

int pgb_findings_error(const struct pgb_findings *findings, struct pgb_error *error)
{
	for (size_t i = 0; i < findings->list.count; i++) {
		const struct pgb_finding *finding = &findings->list.items[i];

		if (finding->severity != PGB_FINDING_ERROR)
			continue;
		pgb_fail(error, finding->code, "%s", finding->message);
		if (finding->remedy != NULL)
			pgb_remedy(error, "%s", finding->remedy);
		return finding->code;
	}
	return 0;
}
