/* SPDX-License-Identifier: MIT */
/* What a session made of its samples, in the words of truth.h. */
#ifndef TESTS_LAB_FACTS_H
#define TESTS_LAB_FACTS_H

#include <stdio.h>

#include "pgobolt/collector/session.h"

/* Of a pgb_binary_opener: `context` is the one binary to know, as it is now. */
int lab_open_binary(void *context, struct pgb_binary *binary, const struct pgb_map_event *event);

/* Its edges, not sorted; `chains`: those of branch stacks. */
void lab_print_edges(struct pgb_session *session, const char *path, bool chains, FILE *out);
/* Those that are not zero. */
void lab_print_counters(const struct pgb_session_stats *stats, FILE *out);

#endif
