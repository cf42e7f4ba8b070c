/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/cli/table.h"

#include <inttypes.h>

#include "pgobolt/base/text.h"

void pgb_table_cell(struct pgb_table *table, const char *format, ...)
{
	struct pgb_text text = {0};
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(&text, format, arguments);
	va_end(arguments);
	pgb_text_printable(text.data);
	pgb_array_push(&table->cells, pgb_text_detach(&text));
}

void pgb_text_printable(char *text)
{
	for (unsigned char *at = (unsigned char *)text; at && *at; at++) {
		if (*at < ' ' || *at == 0x7f)
			*at = '?';
		else if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) /* C1 in UTF-8 */
			*at = at[1] = '?';
	}
}

size_t pgb_text_columns(const char *text)
{
	size_t columns = 0;

	/* a continuation byte adds nothing; names in profiles have no wide characters */
	for (const unsigned char *at = (const unsigned char *)text; *at; at++)
		if ((*at & 0xc0) != 0x80)
			columns++;
	return columns;
}

static void add_padding(struct pgb_text *line, size_t columns)
{
	for (size_t i = 0; i < columns; i++)
		pgb_text_add_bytes(line, " ", 1);
}

static void print_row(const struct pgb_table *table, size_t row, const size_t *widths,
		      struct pgb_output *output)
{
	bool heading = table->header && row == 0;
	struct pgb_text line = {0};

	add_padding(&line, table->indent);
	if (heading)
		pgb_text_add(&line, pgb_output_style(output, PGB_STYLE_BOLD));
	for (unsigned int i = 0; i < table->columns; i++) {
		const char *cell = table->cells.items[row * table->columns + i];
		size_t padding = widths[i] - pgb_text_columns(cell);
		bool right = table->right && table->right[i] == 'r';

		if (right)
			add_padding(&line, padding);
		pgb_text_add(&line, cell);
		if (i + 1 == table->columns)
			break;
		add_padding(&line, (right ? 0 : padding) + 2);
	}
	while (line.length > 0 && line.data[line.length - 1] == ' ')
		line.data[--line.length] = '\0';
	if (heading)
		pgb_text_add(&line, pgb_output_style(output, PGB_STYLE_PLAIN));
	pgb_output_line(output, "%s", pgb_text_string(&line));
	pgb_text_release(&line);
}

void pgb_table_print(const struct pgb_table *table, struct pgb_output *output)
{
	size_t rows, *widths;

	pgb_assert(table->columns > 0 && table->cells.count % table->columns == 0);
	pgb_assert(table->right == NULL || strlen(table->right) == table->columns);
	rows = table->cells.count / table->columns;
	widths = pgb_calloc(table->columns, sizeof(*widths));
	for (size_t i = 0; i < table->cells.count; i++) {
		size_t columns = pgb_text_columns(table->cells.items[i]);

		if (columns > widths[i % table->columns])
			widths[i % table->columns] = columns;
	}
	for (size_t row = 0; row < rows; row++)
		print_row(table, row, widths, output);
	free(widths);
}

void pgb_table_release(struct pgb_table *table)
{
	for (size_t i = 0; i < table->cells.count; i++)
		free(table->cells.items[i]);
	pgb_array_release(&table->cells);
}

/* Three significant digits: 1.23, 12.3, 123. */
static struct pgb_number scaled(double value, const char *unit)
{
	struct pgb_number number;
	int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

	snprintf(number.text, sizeof(number.text), "%.*f %s", decimals, value, unit);
	return number;
}

struct pgb_number pgb_number_count(uint64_t count)
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
	return scaled(value, units[unit]);
}

struct pgb_number pgb_number_size(uint64_t size_bytes)
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
	return scaled(value, units[unit]);
}

struct pgb_number pgb_number_percent(double percent)
{
	struct pgb_number number;
	int decimals = percent < 0.995 && percent > 0 ? 2 : percent < 99.95 && percent > 0 ? 1 : 0;

	snprintf(number.text, sizeof(number.text), "%.*f%%", decimals, percent);
	return number;
}

struct pgb_number pgb_number_duration(uint64_t time_ns)
{
	uint64_t seconds = time_ns / 1000000000;
	struct pgb_number number;

	if (time_ns < 1000)
		snprintf(number.text, sizeof(number.text), "%" PRIu64 " ns", time_ns);
	else if (time_ns < 999500)
		return scaled((double)time_ns / 1e3, "us");
	else if (time_ns < 999500000)
		return scaled((double)time_ns / 1e6, "ms");
	else if (time_ns < 99950000000)
		return scaled((double)time_ns / 1e9, "s");
	else if (seconds < 3600)
		snprintf(number.text, sizeof(number.text), "%" PRIu64 " min %" PRIu64 " s",
			 seconds / 60, seconds % 60);
	else
		snprintf(number.text, sizeof(number.text), "%" PRIu64 " h %" PRIu64 " min",
			 seconds / 3600, seconds / 60 % 60);
	return number;
}
