/* SPDX-License-Identifier: MIT */
/*
 * Writes what the kernel delivers into a perf.data file, record by record: evidence that perf
 * reads, and that can be converted again. File mode; records in the order of time, with marks of
 * rounds; AUX areas; build-ids and where it was recorded at the end.
 *
 * Sources: tools/perf/Documentation/perf.data-file-format.txt.
 */
#ifndef PGOBOLT_COLLECTOR_PERFDATA_WRITE_H
#define PGOBOLT_COLLECTOR_PERFDATA_WRITE_H

#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/error.h"
#include "pgobolt/collector/addrspace.h"
#include "pgobolt/collector/host.h"
#include "pgobolt/collector/record.h"

struct pgb_perfdata_writer;

/* An event as it was opened, and the ids that its samples carry. Borrowed for the call. */
struct pgb_perfdata_written_event {
	struct perf_event_attr attr;
	const char *name;
	const uint64_t *ids;
	size_t id_count;
	const struct pgb_ticks *ticks; /* of its AUX areas; NULL: ticks are times */
};

/*
 * Begin `path`, which appears whole at the end or not at all. All events have one sample_type, but
 * for branch stacks and raw data; the last one is that of mappings. `host` and `path` are
 * borrowed. Errors: those of pgb_out_open().
 */
int pgb_perfdata_writer_new(struct pgb_perfdata_writer **writer, const char *path,
			    const struct pgb_host *host,
			    const struct pgb_perfdata_written_event *events, size_t count,
			    struct pgb_error *error);

/* One record, its bytes as the kernel wrote them. Write errors show in the end. */
void pgb_perfdata_writer_record(struct pgb_perfdata_writer *writer, struct pgb_cursor bytes);
/* Behind an AUX record: its bytes, from the area of this CPU. */
void pgb_perfdata_writer_aux(struct pgb_perfdata_writer *writer, const struct pgb_record *record,
			     unsigned int cpu);
/* So many records were lost in all, as perf writes it at the end; some are in LOST records, too. */
void pgb_perfdata_writer_lost(struct pgb_perfdata_writer *writer, uint64_t lost);
/* Nothing that comes is older than what was written. */
void pgb_perfdata_writer_round(struct pgb_perfdata_writer *writer);
/*
 * A process that runs already: its threads and what it has mapped, as /proc tells now. What has
 * ended meanwhile is left out.
 */
void pgb_perfdata_writer_process(struct pgb_perfdata_writer *writer, uint32_t pid);

/*
 * Write the rest and put the file in place; the build-ids are those of `space`. Frees the writer
 * in any case. Errors: those of pgb_out_commit().
 */
int pgb_perfdata_writer_finish(struct pgb_perfdata_writer *writer, struct pgb_addrspace *space,
			       const char *command, struct pgb_error *error);
/* Give up: nothing is left. NULL is legal. */
void pgb_perfdata_writer_free(struct pgb_perfdata_writer *writer);

#endif
