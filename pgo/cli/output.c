/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/cli/output.h"

#include <jansson.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/process.h"
#include "pgobolt/pgo/cli/progress.h"
#include "pgobolt/pgo/cli/table.h"

#define WIDTH_WITHOUT_TERMINAL 80
#define TEXT_WIDTH_MOST	       100

static bool wants_color(const struct pgb_output *output, FILE *stream)
{
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	if (output->color != PGB_COLOR_AUTO)
		return output->color == PGB_COLOR_ALWAYS;
	if (no_color && no_color[0])
		return false;
	return terminal && strcmp(terminal, "dumb") != 0 && isatty(fileno(stream));
}

static unsigned int terminal_width(void)
{
	struct winsize size = {0};

	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
			return size.ws_col;
	return WIDTH_WITHOUT_TERMINAL;
}

static void write_log(void *context, enum pgb_log_level level, const char *message)
{
	struct pgb_output *output = context;
	char *printable = pgb_dup(message);

	pgb_text_printable(printable);
	switch (level) {
	case PGB_LOG_DETAIL:
		if (!output->verbose)
			break;
		if (output->progress)
			pgb_progress_erase(output->progress);
		fprintf(output->stderr_stream, "%s\n", printable);
		break;
	case PGB_LOG_INFO:
		pgb_output_note(output, "%s", printable);
		break;
	case PGB_LOG_WARNING:
		pgb_output_warning(output, "%s", printable);
		break;
	}
	free(printable);
}

void pgb_output_init(struct pgb_output *output)
{
	output->stdout_stream = stdout;
	output->stderr_stream = stderr;
	output->people = stdout;
	output->unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	output->width = terminal_width();
	output->log = (struct pgb_log){.write = write_log, .context = output};
}

void pgb_output_use_stderr(struct pgb_output *output)
{
	output->people = output->stderr_stream;
}

/* One line on a stream, whatever was in progress. */
__attribute__((format(printf, 3, 0))) static void
print_line(struct pgb_output *output, FILE *stream, const char *format, va_list arguments)
{
	if (output->progress)
		pgb_progress_erase(output->progress);
	vfprintf(stream, format, arguments);
	fputc('\n', stream);
}

void pgb_output_line(struct pgb_output *output, const char *format, ...)
{
	va_list arguments;

	if (output->json)
		return;
	va_start(arguments, format);
	print_line(output, output->people, format, arguments);
	va_end(arguments);
	output->printed = true;
}

void pgb_output_note(struct pgb_output *output, const char *format, ...)
{
	va_list arguments;

	if (output->json || output->quiet)
		return;
	va_start(arguments, format);
	print_line(output, output->people, format, arguments);
	va_end(arguments);
	output->printed = true;
}

static size_t text_width(const struct pgb_output *output)
{
	return output->width < TEXT_WIDTH_MOST ? output->width : TEXT_WIDTH_MOST;
}

void pgb_output_wrapped(struct pgb_output *output, const char *first, size_t indent,
			const char *text)
{
	size_t width = text_width(output), column = pgb_text_columns(first);
	struct pgb_text line = {0};
	bool empty = true;

	pgb_text_add(&line, first);
	for (; column < indent; column++)
		pgb_text_add(&line, " ");
	while (*text) {
		size_t length = strcspn(text, " \n");

		if (!empty && column + 1 + length > width) {
			pgb_output_line(output, "%s", pgb_text_string(&line));
			line.length = 0;
			for (column = 0; column < indent; column++)
				pgb_text_add(&line, " ");
			empty = true;
		}
		if (!empty)
			pgb_text_add(&line, " ");
		pgb_text_add_bytes(&line, text, length);
		column += length + !empty;
		empty = false;
		text += length;
		text += strspn(text, " \n");
	}
	pgb_output_line(output, "%s", pgb_text_string(&line));
	pgb_text_release(&line);
}

void pgb_output_heading(struct pgb_output *output, const char *heading)
{
	pgb_output_line(output, "%s%s%s%s", output->printed ? "\n" : "",
			pgb_output_style(output, PGB_STYLE_BOLD), heading,
			pgb_output_style(output, PGB_STYLE_PLAIN));
}

void pgb_output_next(struct pgb_output *output, const char *format, ...)
{
	struct pgb_text text = {0};
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(&text, format, arguments);
	va_end(arguments);
	pgb_output_note(output, "%sNext: %s%s%s", output->printed ? "\n" : "",
			pgb_output_style(output, PGB_STYLE_BOLD), pgb_text_string(&text),
			pgb_output_style(output, PGB_STYLE_PLAIN));
	pgb_text_release(&text);
}

void pgb_output_next_command(struct pgb_output *output, const char *const *argv)
{
	char *line = pgb_process_command_line(argv);

	pgb_output_next(output, "%s", line);
	free(line);
}

/* "pgobolt: " before an error or warning, with its colour on stderr. */
static void print_complaint(struct pgb_output *output, const char *color, const char *kind,
			    const char *message)
{
	bool colored = wants_color(output, output->stderr_stream);
	char *printable = pgb_dup(message);

	pgb_text_printable(printable);
	if (output->progress)
		pgb_progress_erase(output->progress);
	fflush(output->stdout_stream);
	fprintf(output->stderr_stream, "%spgobolt: %s%s%s\n", colored ? color : "", kind,
		colored ? "\033[0m" : "", printable);
	free(printable);
}

void pgb_output_warning(struct pgb_output *output, const char *format, ...)
{
	struct pgb_text text = {0};
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(&text, format, arguments);
	va_end(arguments);
	print_complaint(output, "\033[33m", "warning: ", pgb_text_string(&text));
	pgb_text_release(&text);
}

static void print_indented(FILE *stream, const char *indent, const char *lines)
{
	while (*lines) {
		size_t length = strcspn(lines, "\n");
		char *line = pgb_dup_bytes(lines, length);

		pgb_text_printable(line);
		fprintf(stream, "%s%s\n", indent, line);
		free(line);
		lines += length + (lines[length] == '\n');
	}
}

void pgb_output_error(struct pgb_output *output, const struct pgb_error *error)
{
	if (!output->json || output->document_written) {
		print_complaint(output, "\033[31m", "", error->message);
		print_indented(output->stderr_stream, "  ", error->remedy);
		if (error->remedy[0] == '\0')
			fprintf(output->stderr_stream, "  see: pgobolt explain %s\n",
				pgb_code_name(error->code));
		return;
	}
	pgb_output_json(output, json_pack("{s:{s:s, s:o, s:o?}}", "error", "code",
					  pgb_code_name(error->code), "message",
					  pgb_json_text(error->message), "remedy",
					  error->remedy[0] ? pgb_json_text(error->remedy) : NULL));
}

void pgb_output_json(struct pgb_output *output, json_t *document)
{
	pgb_assert(document != NULL);
	if (output->json) {
		pgb_assert(!output->document_written);
		json_dumpf(document, output->stdout_stream, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		fputc('\n', output->stdout_stream);
		output->document_written = true;
	}
	json_decref(document);
}

int pgb_output_finish(struct pgb_output *output, struct pgb_error *error)
{
	bool failed;

	if (output->progress)
		pgb_progress_done(output->progress);
	failed = ferror(output->stdout_stream) != 0;
	errno = EIO;
	if (fflush(output->stdout_stream) == 0 && !failed)
		return 0;
	return pgb_fail(error, pgb_code_from_errno(errno), "cannot write to standard output: %s",
			strerror(errno));
}

const char *pgb_output_style(const struct pgb_output *output, enum pgb_style style)
{
	static const char *const sequences[] = {
		[PGB_STYLE_PLAIN] = "\033[0m",	 [PGB_STYLE_BOLD] = "\033[1m",
		[PGB_STYLE_DIM] = "\033[2m",	 [PGB_STYLE_GREEN] = "\033[32m",
		[PGB_STYLE_YELLOW] = "\033[33m", [PGB_STYLE_RED] = "\033[31m",
		[PGB_STYLE_CYAN] = "\033[36m",
	};

	return wants_color(output, output->people) ? sequences[style] : "";
}
