/* SPDX-License-Identifier: MIT */
/*
 * From figures to a grade: each figure has the bounds of A to E, beyond which it is F; the worst
 * one decides.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bolt/quality_private.h"
#include "pgobolt/base/text.h"

enum { BOUNDS = 5 };

/* Ascending where less is better, else descending. */
static const double density_bounds[BOUNDS] = {PGB_QUALITY_DENSITY_ENOUGH, 20, 6, 2, 0.5};
static const double count_bounds[BOUNDS] = {1000, 300, 100, 30, 10};
static const double agreement_bounds[BOUNDS] = {0.9, 0.8, 0.7, 0.55, 0.4};
static const double flow_bounds[BOUNDS] = {0.9, 0.8, 0.7, 0.55, 0.4};
static const double misfit_bounds[BOUNDS] = {0.01, 0.05, 0.1, 0.25, 0.5};
static const double lost_bounds[BOUNDS] = {0.05, 0.15, 0.3, 0.5, 0.8};

static char grade_of(double value, const double *bounds)
{
	bool less_is_better = bounds[0] < bounds[BOUNDS - 1];
	int index = 0;

	while (index < BOUNDS && (less_is_better ? value > bounds[index] : value < bounds[index]))
		index++;
	return (char)('A' + index);
}

/* Worst first, equals in the order in which they came. */
__attribute__((format(printf, 3, 4))) static void add_reason(struct pgb_quality *quality,
							     char grade, const char *format, ...)
{
	struct pgb_text text = {0};
	struct pgb_quality_reason reason = {.grade = grade};
	va_list arguments;
	size_t at;

	if (grade == 'A')
		return;
	va_start(arguments, format);
	pgb_text_addv(&text, format, arguments);
	va_end(arguments);
	reason.text = pgb_text_detach(&text);
	pgb_array_push(&quality->reasons, reason);
	for (at = quality->reasons.count - 1; at > 0; at--) {
		if (quality->reasons.items[at - 1].grade >= grade)
			break;
		quality->reasons.items[at] = quality->reasons.items[at - 1];
	}
	quality->reasons.items[at] = reason;
}

static void judge_source(struct pgb_quality *quality, const struct pgb_quality_input *input)
{
	if (!quality->branches)
		add_reason(quality, 'C',
			   "samples of single addresses: how often blocks ran is estimated from "
			   "them, and which way branches went is not known. Branch stacks show it "
			   "(record -s lbr or walk), so do counters (record -s instrument)");
	else if (input->inferred && quality->inferred >= 0.999)
		add_reason(
			quality, 'C',
			"samples of single addresses: how often blocks ran, and which way branches "
			"went, is inferred from them. Branch stacks show it (record -s lbr or "
			"walk), so do counters (record -s instrument)");
	else if (input->inferred)
		add_reason(quality, 'B',
			   "the source sees single branches: what runs between them is inferred, "
			   "%.0f%% of the counts from the code alone",
			   100 * quality->inferred);
	else if (input->single_branches)
		add_reason(quality, 'B',
			   "the source sees single branches: what runs between them is not known");
}

static void judge_size(struct pgb_quality *quality)
{
	add_reason(quality, grade_of((double)quality->count, count_bounds),
		   "%" PRIu64 " %s in all are few: record longer, or a busier program",
		   quality->count, quality->branches ? "branches" : "samples");
	if (quality->density >= 0)
		add_reason(
			quality, grade_of(quality->density, density_bounds),
			"each byte of the hot functions was seen to run %.1f times at least; %.0f "
			"times are enough: record %.*f times as long, or sample that much "
			"more often",
			quality->density, PGB_QUALITY_DENSITY_ENOUGH,
			quality->more_samples < 10 ? 1 : 0, quality->more_samples);
	if (quality->agreement >= 0)
		add_reason(quality, grade_of(quality->agreement, agreement_bounds),
			   "two halves of the recording share %.0f%% of their counts only: record "
			   "longer",
			   100 * quality->agreement);
}

static void judge_fit(struct pgb_quality *quality)
{
	double unmatched =
		quality->count > 0 ? (double)quality->count_unmatched / (double)quality->count : 0;

	add_reason(quality, grade_of(unmatched, misfit_bounds),
		   "%.1f%% of the counts are of functions that the binary does not have: the "
		   "profile is of another build",
		   100 * unmatched);
	if (quality->dropped >= 0)
		add_reason(quality, grade_of(quality->dropped, misfit_bounds),
			   "%.1f%% of the branches do not fit the binary's code: it is another "
			   "build, or changes its own code",
			   100 * quality->dropped);
	if (quality->mismatching >= 0)
		add_reason(quality, grade_of(quality->mismatching, misfit_bounds),
			   "%.1f%% of the ranges between branches do not fit the binary's code",
			   100 * quality->mismatching);
	if (quality->flow >= 0)
		add_reason(
			quality, grade_of(quality->flow, flow_bounds),
			"of what enters the blocks of functions %.0f%% only is seen to leave them",
			100 * quality->flow);
	if (quality->lost >= 0)
		add_reason(quality, grade_of(quality->lost, lost_bounds),
			   "%.0f%% of the samples were lost: sample less often",
			   100 * quality->lost);
}

void pgb_quality_judge(struct pgb_quality *quality, const struct pgb_quality_input *input)
{
	judge_source(quality, input);
	judge_size(quality);
	judge_fit(quality);
	quality->grade = quality->reasons.count > 0 ? quality->reasons.items[0].grade : 'A';
}

char pgb_quality_grade(const char *text)
{
	char letter = (char)(text[0] & ~0x20);

	if (letter < 'A' || letter > 'F' || text[1] != '\0')
		return 0;
	return letter;
}

bool pgb_quality_reaches(char grade, char wanted)
{
	return grade <= wanted;
}
