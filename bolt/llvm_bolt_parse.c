/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "bolt/llvm_bolt_private.h"

enum {
	/* 22 has 18 of them. */
	DYNO_STATS_MOST = 100,
	/* It ends at the first one or soon after. */
	ADVISED_MOST = 100,
};

/* One line of the output, without its newline. */
struct line {
	const char *at, *end;
};

/* Move behind `text` where the line goes on with it. */
static bool skip(struct line *line, const char *text)
{
	size_t length = strlen(text);

	if ((size_t)(line->end - line->at) < length || memcmp(line->at, text, length) != 0)
		return false;
	line->at += length;
	return true;
}

static bool contains(struct line line, const char *text)
{
	return memmem(line.at, (size_t)(line.end - line.at), text, strlen(text)) != NULL;
}

/* Move behind the first `text` of the line. */
static bool skip_past(struct line *line, const char *text)
{
	const char *found = memmem(line->at, (size_t)(line->end - line->at), text, strlen(text));

	if (found == NULL)
		return false;
	line->at = found + strlen(text);
	return true;
}

/* Decimal digits; saturates. */
static bool read_count(struct line *line, uint64_t *count)
{
	const char *start = line->at;
	uint64_t value = 0;

	for (; line->at < line->end && *line->at >= '0' && *line->at <= '9'; line->at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*line->at - '0'), &value))
			value = UINT64_MAX;
	if (line->at == start)
		return false;
	*count = value;
	return true;
}

/* "(96.9%": digits and at most one dot. */
static bool read_percent(struct line *line, double *percent)
{
	uint64_t whole;
	double scale = 0.1;

	if (!skip(line, "(") || !read_count(line, &whole))
		return false;
	*percent = (double)whole;
	if (!skip(line, "."))
		return true;
	for (; line->at < line->end && *line->at >= '0' && *line->at <= '9'; line->at++) {
		*percent += scale * (*line->at - '0');
		scale /= 10;
	}
	return true;
}

/* "function ", "functions ", as 16 to 22 say it for one and for many. */
static bool skip_functions_word(struct line *line)
{
	return skip(line, " functions ") || skip(line, " function ");
}

/* Lines behind "BOLT-INFO: ". */
static void parse_info(struct line line, struct pgb_llvm_bolt_result *result)
{
	struct line start = line;
	uint64_t first, second;

	if (skip(&line, "basic block reordering modified layout of ")) {
		if (read_count(&line, &first))
			result->functions_reordered = first;
	} else if (skip(&line, "profile for ")) {
		if (read_count(&line, &first) && skip(&line, " object"))
			result->objects_ignored = first;
	} else if (skip(&line, "splitting separates ")) {
		if (read_count(&line, &first) && skip(&line, " hot bytes from ") &&
		    read_count(&line, &second)) {
			result->bytes_hot = first;
			result->bytes_cold = second;
		}
	} else if (read_count(&line, &first)) {
		start = line;
		if (skip(&line, " out of ") && read_count(&line, &second) &&
		    skip(&line, " functions in the binary")) {
			result->functions_profiled = first;
			result->functions = second;
		}
		line = start;
		if (skip_functions_word(&line) &&
		    skip(&line, "with profile could not be optimized"))
			result->functions_not_optimized = first;
	}
}

/* Lines behind "BOLT-WARNING: ". */
static void parse_warning(struct line line, struct pgb_llvm_bolt_result *result)
{
	uint64_t count, total;
	double percent;
	struct line start;

	if (!read_count(&line, &count))
		return;
	start = line;
	if (skip(&line, " ") && read_percent(&line, &percent) &&
	    skip(&line, "% of all profiled)") && contains(line, "have invalid")) {
		result->functions_stale = count;
		if (result->samples_total == 0)
			result->stale_percent = percent;
	}
	line = start;
	if (skip(&line, " out of ") && read_count(&line, &total) &&
	    skip(&line, " samples in the binary ") && read_percent(&line, &percent) &&
	    contains(line, "invalid")) {
		result->samples_stale = count;
		result->samples_total = total;
		result->stale_percent = percent;
	}
}

/* "   129966 : taken forward branches", in the second table with " (-90.3%)" or " (=)" behind. */
static bool parse_dyno(struct line line, struct pgb_llvm_bolt_result *result)
{
	struct pgb_dyno_stat stat = {0};
	uint64_t count;
	size_t length;

	while (skip(&line, " "))
		;
	if (!read_count(&line, &count) || !skip(&line, " : ") || line.at == line.end)
		return false;
	for (const char *at = line.at; at + 1 < line.end; at++)
		if (at[0] == ' ' && at[1] == '(')
			line.end = at;
	length = (size_t)(line.end - line.at);
	if (length == 0)
		return false;
	for (size_t i = 0; i < result->dyno_stats.count; i++) {
		const char *name = result->dyno_stats.items[i].name;

		if (strlen(name) == length && memcmp(name, line.at, length) == 0) {
			result->dyno_stats.items[i].after = count;
			return true;
		}
	}
	if (result->dyno_stats.count == DYNO_STATS_MOST)
		return false;
	stat.name = pgb_dup_bytes(line.at, length);
	stat.before = count;
	pgb_array_push(&result->dyno_stats, stat);
	return true;
}

/* "interp/1(*2)", "main.": the name alone; "(*2)" counts the function's names. */
static void add_advised(struct line name, struct pgb_llvm_bolt_result *result)
{
	const char *end = name.at;

	while (end < name.end && *end != ' ' && *end != '(')
		end++;
	while (end > name.at && (end[-1] == '.' || end[-1] == ',' || end[-1] == '\''))
		end--;
	if (end == name.at || result->skip_advised.count == ADVISED_MOST)
		return;
	for (size_t i = 0; i < result->skip_advised.count; i++) {
		const char *known = result->skip_advised.items[i];

		if (strlen(known) == (size_t)(end - name.at) &&
		    memcmp(known, name.at, (size_t)(end - name.at)) == 0)
			return;
	}
	pgb_array_push(&result->skip_advised, pgb_dup_bytes(name.at, (size_t)(end - name.at)));
}

/* Lines behind "BOLT-ERROR: " that end the run and name the function that is in the way. */
static void parse_error(struct line line, struct pgb_llvm_bolt_result *result)
{
	static const char *const marks[] = {
		"parent function not found for ",
		"unable to fix CFI state for function ",
	};

	if (contains(line, "unable to get new address") || contains(line, "to --skip-funcs")) {
		if (skip_past(&line, " in function "))
			add_advised(line, result);
		return;
	}
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		struct line name = line;

		if (skip_past(&name, marks[i]))
			add_advised(name, result);
	}
}

/* Does the line tell why a run ended? "BOLT-ERROR: .. Skipping." does not. */
static bool is_fatal(struct line line)
{
	static const char *const marks[] = {"ERROR: ", "Error reading BOLT data",
					    "llvm-bolt: ", "UNREACHABLE executed"};

	if (contains(line, "Skipping"))
		return false;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (contains(line, marks[i]))
			return !contains(line, "Did you mean");
	return false;
}

static void parse_line(struct line line, struct pgb_llvm_bolt_result *result)
{
	struct line body = line;

	if (skip(&body, "BOLT-INFO: "))
		parse_info(body, result);
	else if (skip(&body, "BOLT-WARNING: "))
		parse_warning(body, result);
	else if (parse_dyno(line, result))
		return;
	if (!is_fatal(line))
		return;
	/* the reader's own words are better than the "cannot pre-process profile" behind them */
	if (result->error_line == NULL || !contains(line, "cannot pre-process profile")) {
		free(result->error_line);
		result->error_line = pgb_dup_bytes(line.at, (size_t)(line.end - line.at));
	}
	parse_error(line, result);
}

void pgb_llvm_bolt_parse_output(const char *output, struct pgb_llvm_bolt_result *result)
{
	while (*output != '\0') {
		size_t length = strcspn(output, "\n");

		parse_line((struct line){output, output + length}, result);
		output += length + (output[length] == '\n');
	}
}

void pgb_llvm_bolt_result_release(struct pgb_llvm_bolt_result *result)
{
	for (size_t i = 0; i < result->dyno_stats.count; i++)
		free(result->dyno_stats.items[i].name);
	pgb_array_release(&result->dyno_stats);
	for (size_t i = 0; i < result->skip_advised.count; i++)
		free(result->skip_advised.items[i]);
	pgb_array_release(&result->skip_advised);
	for (size_t i = 0; i < result->skipped.count; i++)
		free(result->skipped.items[i]);
	pgb_array_release(&result->skipped);
	for (size_t i = 0; i < result->steps.count; i++)
		free(result->steps.items[i].why);
	pgb_array_release(&result->steps);
	free(result->error_line);
	free(result->command_line);
	pgb_text_release(&result->output);
	*result = (struct pgb_llvm_bolt_result){0};
}
