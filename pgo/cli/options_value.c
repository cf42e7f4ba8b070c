/* SPDX-License-Identifier: MIT */
/* Values of options from text, and names that were almost right. */
#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "pgobolt/pgo/cli/options.h"

struct unit {
	const char *name;
	double factor;
};

static const struct unit count_units[] = {{"", 1},    {"k", 1e3}, {"K", 1e3},
					  {"M", 1e6}, {"G", 1e9}, {NULL, 0}};
static const struct unit size_units[] = {
	{"", 1},	{"B", 1},	  {"k", 1024},	     {"K", 1024},	  {"KiB", 1024},
	{"M", 1048576}, {"MiB", 1048576}, {"G", 1073741824}, {"GiB", 1073741824}, {NULL, 0}};
static const struct unit duration_units[] = {{"", 1e9},	    {"ns", 1},	   {"us", 1e3},
					     {"ms", 1e6},   {"s", 1e9},	   {"m", 60e9},
					     {"min", 60e9}, {"h", 3600e9}, {NULL, 0}};

/* Digits with at most one point, nothing else: no sign, no exponent, no hex, no "inf". */
static bool parse_number(const char *text, double *number, bool *whole, const char **rest)
{
	size_t digits = strspn(text, "0123456789");
	size_t length = digits;
	char *copy, *end;

	*whole = text[digits] != '.';
	if (!*whole)
		length += 1 + strspn(text + digits + 1, "0123456789");
	if (digits == 0 || (!*whole && length == digits + 1))
		return false;
	copy = pgb_dup_bytes(text, length);
	*number = strtod(copy, &end);
	*rest = text + length;
	free(copy);
	return true;
}

static int parse_with_unit(const char *text, const struct unit *units, const char *example,
			   uint64_t *value, struct pgb_error *error)
{
	const char *rest;
	double number;
	bool whole;

	if (!parse_number(text, &number, &whole, &rest))
		return pgb_fail(error, PGB_E_USAGE, "'%s' is not a number such as %s", text,
				example);
	for (const struct unit *unit = units; unit->name; unit++) {
		double scaled = number * unit->factor;

		if (strcmp(rest, unit->name) != 0)
			continue;
		if (scaled >= 0x1p63)
			return pgb_fail(error, PGB_E_USAGE, "'%s' is too large", text);
		if (!whole && scaled != floor(scaled) && unit->factor <= 1)
			return pgb_fail(error, PGB_E_USAGE, "'%s' is not a whole number", text);
		/* exact for whole numbers beyond a double's 53 bits */
		*value = whole && unit->factor <= 1 ? strtoull(text, NULL, 10) : (uint64_t)scaled;
		return 0;
	}
	return pgb_fail(error, PGB_E_USAGE, "'%s' has an unknown unit '%s'; %s is right", text,
			rest, example);
}

int pgb_parse_unsigned(const char *text, uint64_t *value, struct pgb_error *error)
{
	return parse_with_unit(text, count_units, "5000, 10k or 2M", value, error);
}

int pgb_parse_size(const char *text, uint64_t *size_bytes, struct pgb_error *error)
{
	return parse_with_unit(text, size_units, "4096, 64K or 2MiB", size_bytes, error);
}

int pgb_parse_duration(const char *text, uint64_t *time_ns, struct pgb_error *error)
{
	return parse_with_unit(text, duration_units, "10s, 500ms or 2m", time_ns, error);
}

int pgb_parse_percent(const char *text, double *percent, struct pgb_error *error)
{
	const char *rest;
	bool whole;

	if (!parse_number(text, percent, &whole, &rest) || (*rest && strcmp(rest, "%") != 0))
		return pgb_fail(error, PGB_E_USAGE, "'%s' is not a percentage such as 10 or 0.5%%",
				text);
	return 0;
}

/* Damerau-Levenshtein distance with adjacent transpositions, over at most 64 bytes each. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][65];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	size_t length_a = strnlen(a, 64), length_b = strnlen(b, 64);

	for (size_t j = 0; j <= length_b; j++)
		last[j] = j;
	for (size_t i = 1; i <= length_a; i++) {
		size_t *spare = before;

		now[0] = i;
		for (size_t j = 1; j <= length_b; j++) {
			size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[length_b];
}

const char *pgb_near_name(const char *wanted, const char *const *names, size_t count)
{
	size_t length = strlen(wanted);
	size_t best_distance = length / 3 + 1;
	const char *best = NULL, *beginning = NULL;
	size_t beginnings = 0;

	for (size_t i = 0; i < count; i++) {
		size_t distance = edit_distance(wanted, names[i]);

		if (distance < best_distance || (best == NULL && distance == best_distance)) {
			best = names[i];
			best_distance = distance;
		}
		if (length >= 2 && strncmp(names[i], wanted, length) == 0) {
			beginning = names[i];
			beginnings++;
		}
	}
	if (beginnings == 1)
		return beginning;
	/* one wrong letter out of one or two says nothing */
	return length > best_distance ? best : NULL;
}
