/* SPDX-License-Identifier: MIT */
/* Private to dump_perf.c: what hardware wrote into AUX areas and raw samples. */
#ifndef PGOBOLT_PGO_CLI_DUMP_HARDWARE_H
#define PGOBOLT_PGO_CLI_DUMP_HARDWARE_H

#include "pgo/cli/dump.h"

struct pgb_dump_part {
	struct pgb_table rows;
	json_t *json;
	uint64_t count;
};

struct pgb_dump_hardware {
	const struct dump *dump;
	bool is_spe; /* the AUX areas */
	struct pgb_dump_part packets, registers;
};

void pgb_dump_hardware_init(struct pgb_dump_hardware *hardware, const struct dump *dump);
void pgb_dump_hardware_release(struct pgb_dump_hardware *hardware);

/* The body of AUXTRACE_INFO; before it no area is looked at. */
void pgb_dump_hardware_info(struct pgb_dump_hardware *hardware, struct pgb_cursor body);
/* A piece of an area; bytes.offset is where it stands there. */
void pgb_dump_hardware_aux(struct pgb_dump_hardware *hardware, struct pgb_cursor bytes);
/* The raw data of a sample of no tracepoint, and where in the file the sample is. */
void pgb_dump_hardware_raw(struct pgb_dump_hardware *hardware, struct pgb_cursor raw,
			   uint64_t offset);
/* What there was, under headings of its own. */
void pgb_dump_hardware_print(struct pgb_dump_hardware *hardware, json_t *document);

#endif
