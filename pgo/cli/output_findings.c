/* SPDX-License-Identifier: MIT */
/* Findings of doctor, verify and optimize: printed alike everywhere. */
#include "pgobolt/pgo/cli/output.h"
#include "pgobolt/pgo/cli/table.h"

struct mark {
	const char *unicode, *ascii;
	enum pgb_style style;
};

static const struct mark marks[] = {
	[PGB_FINDING_GOOD] = {"✓ ", "ok   ", PGB_STYLE_GREEN},
	[PGB_FINDING_NOTE] = {"· ", "note ", PGB_STYLE_CYAN},
	[PGB_FINDING_WARNING] = {"! ", "warn ", PGB_STYLE_YELLOW},
	[PGB_FINDING_ERROR] = {"✗ ", "BAD  ", PGB_STYLE_RED},
};

static const struct mark *mark_of(enum pgb_severity severity)
{
	pgb_assert((size_t)severity < sizeof(marks) / sizeof(*marks));
	return &marks[severity];
}

static void print_remedy(struct pgb_output *output, const char *remedy)
{
	const char *indent = output->unicode ? "  " : "     ";

	while (*remedy) {
		size_t length = strcspn(remedy, "\n");
		char *line = pgb_dup_bytes(remedy, length);

		pgb_text_printable(line);
		pgb_output_line(output, "%s%s%s%s", indent, pgb_output_style(output, PGB_STYLE_DIM),
				line, pgb_output_style(output, PGB_STYLE_PLAIN));
		free(line);
		remedy += length;
		remedy += *remedy == '\n';
	}
}

void pgb_output_finding(struct pgb_output *output, const struct pgb_finding *finding)
{
	const struct mark *mark = mark_of(finding->severity);
	char *message;

	if (output->quiet && finding->severity <= PGB_FINDING_NOTE)
		return;
	message = pgb_dup(finding->message);
	pgb_text_printable(message);
	pgb_output_line(output, "%s%s%s%s", pgb_output_style(output, mark->style),
			output->unicode ? mark->unicode : mark->ascii,
			pgb_output_style(output, PGB_STYLE_PLAIN), message);
	free(message);
	if (finding->remedy)
		print_remedy(output, finding->remedy);
}

void pgb_output_findings(struct pgb_output *output, const struct pgb_findings *findings)
{
	for (size_t i = 0; i < findings->list.count; i++)
		pgb_output_finding(output, &findings->list.items[i]);
}
