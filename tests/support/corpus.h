/* SPDX-License-Identifier: MIT */
/* Recordings from real hardware, which are not part of the project. */
#ifndef TESTS_SUPPORT_CORPUS_H
#define TESTS_SUPPORT_CORPUS_H

/*
 * A file below $PGOBOLT_CORPUS, else below $SRCDIR/../shared/corpus; the caller frees it. NULL
 * where it cannot be read.
 */
char *corpus_path(const char *name);

#endif
