/* SPDX-License-Identifier: MIT */
/*
 * Numbers for people, three significant digits; PGB_COUNT(n) in the arguments of a call:
 *	count 999, 1.20 k, 34.5 M	size 512 B, 3.40 MiB
 *	percent 0.04%, 12.3%		duration 120 ns, 3.40 ms, 12.3 s, 2 min 5 s, 3 h 20 min
 *	PGB_PLURAL(n, "branch")		1 branch, 0 branches, 12345 branches
 *	PGB_COUNT_OF(n, "branch")	1 branch, 12.3 k branches
 */
#ifndef PGOBOLT_BASE_NUMBER_H
#define PGOBOLT_BASE_NUMBER_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct pgb_number {
	char text[32];
};
#define PGB_COUNT(value)    (pgb_number_count(value).text)
#define PGB_SIZE(value)	    (pgb_number_size(value).text)
#define PGB_PERCENT(value)  (pgb_number_percent(value).text)
#define PGB_DURATION(value) (pgb_number_duration(value).text)

/* Three significant digits: 1.23, 12.3, 123. */
static inline struct pgb_number pgb_number_scaled(double value, const char *unit)
{
	struct pgb_number number;
	int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

	snprintf(number.text, sizeof(number.text), "%.*f %s", decimals, value, unit);
	return number;
}

static inline struct pgb_number pgb_number_count(uint64_t count)
{
	static const char *const units[] = {"k", "M", "G", "T"};
	struct pgb_number number;
	double value = (double)count;
	size_t unit = 0;

	if (count < 1000) {
		snprintf(number.text, sizeof(number.text), "%" PRIu64, count);
		return number;
	}
	for (value /= 1000; value >= 999.5 && unit + 1 < sizeof(units) / sizeof(*units); unit++)
		value /= 1000;
	return pgb_number_scaled(value, units[unit]);
}

static inline struct pgb_number pgb_number_size(uint64_t size_bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	struct pgb_number number;
	double value = (double)size_bytes;
	size_t unit = 0;

	if (size_bytes < 1024) {
		snprintf(number.text, sizeof(number.text), "%" PRIu64 " B", size_bytes);
		return number;
	}
	for (value /= 1024; value >= 1023.5 && unit + 1 < sizeof(units) / sizeof(*units); unit++)
		value /= 1024;
	return pgb_number_scaled(value, units[unit]);
}

static inline struct pgb_number pgb_number_percent(double percent)
{
	struct pgb_number number;
	int decimals = percent < 0.995 && percent > 0 ? 2 : percent < 99.95 && percent > 0 ? 1 : 0;

	snprintf(number.text, sizeof(number.text), "%.*f%%", decimals, percent);
	return number;
}

static inline struct pgb_number pgb_number_duration(uint64_t time_ns)
{
	uint64_t seconds = time_ns / 1000000000;
	struct pgb_number number;

	if (time_ns < 1000)
		snprintf(number.text, sizeof(number.text), "%" PRIu64 " ns", time_ns);
	else if (time_ns < 999500)
		return pgb_number_scaled((double)time_ns / 1e3, "us");
	else if (time_ns < 999500000)
		return pgb_number_scaled((double)time_ns / 1e6, "ms");
	else if (time_ns < 99950000000)
		return pgb_number_scaled((double)time_ns / 1e9, "s");
	else if (seconds < 3600)
		snprintf(number.text, sizeof(number.text), "%" PRIu64 " min %" PRIu64 " s",
			 seconds / 60, seconds % 60);
	else
		snprintf(number.text, sizeof(number.text), "%" PRIu64 " h %" PRIu64 " min",
			 seconds / 3600, seconds / 60 % 60);
	return number;
}

struct pgb_plural {
	char text[96];
};
#define PGB_PLURAL(count, noun) (pgb_plural(count, noun).text)

/* The ending is that of branch, class, box; of entry, but not of key; else s. */
static inline struct pgb_plural pgb_plural(uint64_t count, const char *noun)
{
	size_t length = strlen(noun);
	char last = length > 0 ? noun[length - 1] : ' ',
	     before = length > 1 ? noun[length - 2] : ' ';
	bool y = last == 'y' && strchr("aeiou", before) == NULL;
	bool hiss = last == 's' || last == 'x' || (last == 'h' && (before == 'c' || before == 's'));
	struct pgb_plural plural;

	if (count == 1)
		y = hiss = false;
	snprintf(plural.text, sizeof(plural.text), "%" PRIu64 " %.*s%s", count,
		 (int)(length < 64 ? length : 64) - y, noun,
		 count == 1 ? ""
		 : y	    ? "ies"
		 : hiss	    ? "es"
			    : "s");
	return plural;
}

#define PGB_COUNT_OF(count, noun) (pgb_count_of(count, noun).text)

/* As pgb_plural(), but with three significant digits: 1.20 k branches. */
static inline struct pgb_plural pgb_count_of(uint64_t count, const char *noun)
{
	struct pgb_plural plural = pgb_plural(count, noun);
	char *rest = strchr(plural.text, ' ');
	struct pgb_plural scaled;

	snprintf(scaled.text, sizeof(scaled.text), "%.24s%.64s", PGB_COUNT(count), rest);
	return scaled;
}

#endif
