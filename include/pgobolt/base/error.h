/* SPDX-License-Identifier: MIT */
/*
 * Operating errors: a negative code and, on the control path, a message for people.
 *
 * Control path: int f(..., struct pgb_error *error), 0 or a negative enum pgb_code.
 * Data path: int f(...), the code alone, counted per record.
 *
 * A message says what failed, on what and why; the remedy is the next thing to type or change.
 * A filled error is never overwritten by a later, lesser one: clear it first.
 */
#ifndef PGOBOLT_BASE_ERROR_H
#define PGOBOLT_BASE_ERROR_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "pgobolt/base/code.h"

struct pgb_error {
	int code; /* 0 or a negative enum pgb_code */
	char message[1024];
	char remedy[1024]; /* "" where there is none; may hold several lines */
};

static inline void pgb_error_clear(struct pgb_error *error)
{
	error->code = PGB_OK;
	error->message[0] = '\0';
	error->remedy[0] = '\0';
}

/* Fill `error` (NULL is legal) and return `code`, so that callers write: return pgb_fail(...). */
__attribute__((format(printf, 3, 4))) static inline int pgb_fail(struct pgb_error *error, int code,
								 const char *format, ...)
{
	va_list arguments;

	if (error == NULL || error->code != PGB_OK)
		return code;
	error->code = code;
	error->remedy[0] = '\0';
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return code;
}

/* Add what to do about it, and return the code that `error` holds (of a failure in any case). */
__attribute__((format(printf, 2, 3))) static inline int pgb_remedy(struct pgb_error *error,
								   const char *format, ...)
{
	va_list arguments;

	if (error == NULL)
		return PGB_E_UNSUPPORTED; /* which one is lost, but not that it failed */
	if (error->remedy[0] == '\0') {
		va_start(arguments, format);
		vsnprintf(error->remedy, sizeof(error->remedy), format, arguments);
		va_end(arguments);
	}
	return error->code;
}

/* The code for an errno of a file operation. */
static inline int pgb_code_from_errno(int number)
{
	switch (number) {
	case ENOENT:
	case ENOTDIR:
	case ESRCH:
		return PGB_E_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return PGB_E_PERMISSION;
	case EMFILE:
	case ENFILE:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case ENOMEM:
		return PGB_E_RESOURCE;
	case EEXIST:
		return PGB_E_EXISTS;
	case EOPNOTSUPP:
	case ENOSYS:
	case ENODEV:
		return PGB_E_UNSUPPORTED;
	case EINTR:
		return PGB_E_INTERRUPTED;
	}
	return PGB_E_IO;
}

#endif
