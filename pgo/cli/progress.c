/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/cli/progress.h"

#include <time.h>
#include <unistd.h>

#include "pgobolt/base/text.h"
#include "pgobolt/pgo/cli/table.h"

#define PERIOD_NS 100000000 /* ten times a second */

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void pgb_progress_init(struct pgb_progress *progress, struct pgb_output *output)
{
	const char *terminal = getenv("TERM");

	*progress = (struct pgb_progress){
		.stream = output->stderr_stream,
		.active = !output->quiet && !output->json && terminal &&
			  strcmp(terminal, "dumb") != 0 && isatty(fileno(output->stderr_stream)),
		.width = output->width,
		.clock_ns = monotonic_ns,
		.output = output,
	};
	output->progress = progress;
}

void pgb_progress_update(struct pgb_progress *progress, const char *format, ...)
{
	struct pgb_text text = {0};
	va_list arguments;
	uint64_t now_ns;

	if (!progress->active)
		return;
	now_ns = progress->clock_ns();
	if (progress->last_ns && now_ns - progress->last_ns < PERIOD_NS)
		return;
	progress->last_ns = now_ns;
	va_start(arguments, format);
	pgb_text_addv(&text, format, arguments);
	va_end(arguments);
	/* a line that wraps could not be taken back */
	while (text.length > 0 && pgb_text_columns(text.data) >= progress->width)
		text.data[--text.length] = '\0';
	fprintf(progress->stream, "\r\033[K%s", pgb_text_string(&text));
	fflush(progress->stream);
	progress->shown = true;
	pgb_text_release(&text);
}

void pgb_progress_erase(struct pgb_progress *progress)
{
	if (!progress->shown)
		return;
	fputs("\r\033[K", progress->stream);
	fflush(progress->stream);
	progress->shown = false;
	progress->last_ns = 0;
}

void pgb_progress_done(struct pgb_progress *progress)
{
	pgb_progress_erase(progress);
	if (progress->output)
		progress->output->progress = NULL;
	progress->active = false;
}
