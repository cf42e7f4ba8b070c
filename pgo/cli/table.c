/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/cli/table.h"

#include "pgobolt/base/text.h"

static void add_cell(struct pgb_table *table, const char *format, va_list arguments)
{
	struct pgb_text text = {0};

	pgb_text_addv(&text, format, arguments);
	pgb_text_printable(text.data);
	pgb_array_push(&table->cells, pgb_text_detach(&text));
}

void pgb_table_cell(struct pgb_table *table, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_cell(table, format, arguments);
	va_end(arguments);
}

void pgb_table_pair(struct pgb_table *table, const char *key, const char *format, ...)
{
	va_list arguments;

	pgb_table_cell(table, "%s", key);
	va_start(arguments, format);
	add_cell(table, format, arguments);
	va_end(arguments);
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

struct pgb_bar pgb_bar(const struct pgb_output *output, double share)
{
	double columns = PGB_BAR_COLUMNS * (share < 0 ? 0 : share > 1 ? 1 : share);
	struct pgb_bar bar = {""};
	int eighths = (int)(columns * 8 + 0.5), length = 0;

	if (eighths == 0 && share > 0)
		eighths = 1;
	if (!output->unicode)
		eighths = (eighths + 7) / 8 * 8;
	for (; eighths > 0; eighths -= 8) {
		/* U+2588 is a full block, U+2589 to U+258F are seven eighths to one */
		char low = (char)(eighths >= 8 ? 0x88 : 0x90 - eighths);

		if (output->unicode)
			length += snprintf(bar.text + length, sizeof(bar.text) - (size_t)length,
					   "\xe2\x96%c", low);
		else
			bar.text[length++] = '#';
	}
	bar.text[length] = '\0';
	return bar;
}
