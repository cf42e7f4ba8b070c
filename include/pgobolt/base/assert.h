/* SPDX-License-Identifier: MIT */
/*
 * pgb_assert: a programmer's error, checked in every build.
 *
 * Never used on input: bad input is an error code and a counter.
 */
#ifndef PGOBOLT_BASE_ASSERT_H
#define PGOBOLT_BASE_ASSERT_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* An abort is the one place below pgo/cli that writes to stderr: nobody above can report it. */
static inline _Noreturn void pgb_assert_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "pgobolt: internal error: %s:%d: %s\n", file, line, condition);
	abort();
}

#define pgb_assert(condition)                                                                      \
	((condition) ? (void)0 : pgb_assert_failed(#condition, __FILE__, __LINE__))

#endif
