/* SPDX-License-Identifier: MIT */
#include "pgo/cli/quality_report.h"

#include <inttypes.h>

#include "pgobolt/pgo/cli/table.h"

static enum pgb_style style_of(char grade)
{
	if (grade <= 'B')
		return PGB_STYLE_GREEN;
	return grade <= 'D' ? PGB_STYLE_YELLOW : PGB_STYLE_RED;
}

static void share_row(struct pgb_table *table, const char *key, double share, const char *of_what)
{
	if (share >= 0)
		pgb_table_pair(table, key, "%s %s", PGB_PERCENT(100 * share), of_what);
}

static void figure_rows(struct pgb_table *table, const struct pgb_quality *quality)
{
	pgb_table_pair(table, "functions",
		       "%" PRIu64 " of %" PRIu64 "; %" PRIu64
		       " hold 90%% of the counts (%s of code), %" PRIu64 " hold 99%% (%s)",
		       quality->functions, quality->functions_in_binary, quality->functions_90,
		       PGB_SIZE(quality->bytes_90), quality->functions_99,
		       PGB_SIZE(quality->bytes_99));
	if (quality->density >= 0)
		pgb_table_pair(table, "density", "%.1f runs of each hot byte; 60 are enough",
			       quality->density);
	share_row(table, "flow", quality->flow, "of what enters a block leaves it");
	share_row(table, "agreement", quality->agreement, "shared by two halves of the recording");
	share_row(table, "branches", quality->dropped, "do not fit the code");
	share_row(table, "ranges", quality->mismatching, "do not fit the code");
	share_row(table, "inferred", quality->inferred, "from the code: no sample shows them");
	if (quality->lost > 0)
		share_row(table, "lost", quality->lost, "of the samples");
}

void pgb_quality_print(struct pgb_output *output, const struct pgb_quality *quality)
{
	struct pgb_table table = {.columns = 2, .indent = 2};

	if (quality->grade == 0)
		return;
	pgb_output_note(output, "Quality: %s%c%s",
			pgb_output_style(output, style_of(quality->grade)), quality->grade,
			pgb_output_style(output, PGB_STYLE_PLAIN));
	if (output->quiet)
		return;
	for (size_t i = 0; i < quality->reasons.count; i++) {
		char first[] = "  ?: ";

		first[2] = quality->reasons.items[i].grade;
		pgb_output_wrapped(output, first, sizeof(first) - 1,
				   quality->reasons.items[i].text);
	}
	figure_rows(&table, quality);
	pgb_table_print(&table, output);
	pgb_table_release(&table);
}
