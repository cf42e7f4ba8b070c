/* SPDX-License-Identifier: MIT */
/*
 * A folder for one test, and binaries compiled in it with $CC (cc where it is not set).
 * Everything asserts: a test that cannot build its input fails.
 */
#ifndef PGOBOLT_TESTS_SUPPORT_WORKSHOP_H
#define PGOBOLT_TESTS_SUPPORT_WORKSHOP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct workshop {
	char folder[64];
};

void workshop_open(struct workshop *workshop);
/* Removes the folder and all in it. */
void workshop_close(struct workshop *workshop);

/* FOLDER/name; the caller frees it. */
char *workshop_path(const struct workshop *workshop, const char *name);
void workshop_write(const struct workshop *workshop, const char *name, const char *text);
/* An executable script: text behind "#!/bin/sh". */
void workshop_script(const struct workshop *workshop, const char *name, const char *text);
/* Compile C text into FOLDER/name with these flags. */
void workshop_compile(const struct workshop *workshop, const char *name, const char *flags,
		      const char *source);
/* Run a shell command in the folder; its exit status. Output is thrown away. */
__attribute__((format(printf, 2, 3))) int workshop_shell(const struct workshop *workshop,
							 const char *format, ...);
bool workshop_has(const struct workshop *workshop, const char *name);
/* Names in the folder, sorted, a blank behind each; the caller frees it. */
char *workshop_list(const struct workshop *workshop);

#endif
