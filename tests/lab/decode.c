/* SPDX-License-Identifier: MIT */
/*
 * What the project's own decoders make of a recording, as `lab --truth` writes what is in it:
 *
 *	decode lbr|spe|ibs|ip BINARY PERF.DATA
 *
 * prints the edges of one binary and, to standard error, the counters that are not zero.
 */
#include <stdio.h>

#include "pgobolt/collector/feed_perfdata.h"
#include "tests/lab/facts.h"

static int fail(const struct pgb_error *error)
{
	fprintf(stderr, "decode: %s\n", error->message);
	return 1;
}

int main(int argc, char **argv)
{
	struct pgb_feed_perfdata_config feed_config = {.path = argc > 3 ? argv[3] : NULL};
	struct pgb_binary_opener opener = {.open = lab_open_binary,
					   .context = argc > 2 ? argv[2] : NULL};
	struct pgb_session_config config = {.opener = &opener};
	struct pgb_error error = {0};
	struct pgb_session *session;
	struct pgb_feed *feed;

	config.source = argc == 4 ? pgb_source_find(argv[1]) : NULL;
	if (config.source == NULL) {
		fputs("usage: decode lbr|spe|ibs|ip BINARY PERF.DATA\n", stderr);
		return 2;
	}
	if (pgb_feed_perfdata_new(&feed, &feed_config, &error) < 0)
		return fail(&error);
	if (config.source->reads_aux)
		pgb_feed_perfdata_attach_aux(feed);
	if (pgb_session_new(&session, &config, &error) < 0 ||
	    pgb_session_consume(session, feed, &error) < 0)
		return fail(&error);
	lab_print_edges(session, argv[2], !config.source->is_sparse, stdout);
	lab_print_counters(pgb_session_stats(session), stderr);
	pgb_session_free(session);
	pgb_feed_free(feed);
	return 0;
}
