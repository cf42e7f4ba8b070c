/* SPDX-License-Identifier: MIT */
/*
 * Messages from the libraries to whoever shows them. Nothing below pgo/cli prints.
 * A zeroed pgb_log swallows everything, which is what unit tests want.
 */
#ifndef PGOBOLT_BASE_LOG_H
#define PGOBOLT_BASE_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

enum pgb_log_level {
	PGB_LOG_DETAIL,	 /* shown with -v */
	PGB_LOG_INFO,	 /* a line of the normal output */
	PGB_LOG_WARNING, /* something the user should know; the work goes on */
};

struct pgb_log {
	void (*write)(void *context, enum pgb_log_level level, const char *message);
	void *context;
};

/* `log` may be NULL. Messages are cut at 2 KiB. No newline at the end. */
__attribute__((format(printf, 3, 4))) static inline void
pgb_log(const struct pgb_log *log, enum pgb_log_level level, const char *format, ...)
{
	char message[2048];
	va_list arguments;

	if (log == NULL || log->write == NULL)
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	log->write(log->context, level, message);
}

#endif
