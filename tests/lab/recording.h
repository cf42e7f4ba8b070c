/* SPDX-License-Identifier: MIT */
/*
 * The part of a perf.data file that all encoders share: who ran, what was mapped where, the
 * build-ids, when it ended.
 */
#ifndef TESTS_LAB_RECORDING_H
#define TESTS_LAB_RECORDING_H

#include "tests/lab/image.h"
#include "tests/lab/perf_file.h"

struct lab_recording {
	struct lab_perf_file out;
	struct lab_event *event; /* the one that mappings and tasks belong to */
	struct perf_identity who;
	uint32_t parent_pid;
	bool build_id_maps; /* MMAP2 with build-id instead of device and inode */
	bool started;
	size_t maps_seen; /* of the trace that is read now */
	PGB_ARRAY(struct lab_image) images;
};

/*
 * Fills an attr with what every recording has: period, user mode, mappings, comm, time, CPU and
 * identifier. The caller adds type, config and sample_type.
 */
void lab_recording_defaults(struct lab_event *event, uint64_t period_events);

/* The last one of `events` gets the mappings and tasks. */
int lab_recording_open(struct lab_recording *recording, const char *path, struct lab_event *events,
		       size_t event_count, struct pgb_error *error);

/*
 * A thread begins, with the trace that is read next; the first one is the start of the program
 * `name`. Times must not go backwards.
 */
void lab_recording_thread(struct lab_recording *recording, const char *name, uint32_t pid,
			  uint32_t tid);
/* Call it before each sample: writes the mappings that are new in `trace`. */
int lab_recording_maps(struct lab_recording *recording, const struct lab_trace *trace,
		       struct pgb_error *error);
/*
 * The address of the instruction number `index` of a block, from 0; 0 where its code is not at
 * hand.
 */
uint64_t lab_recording_instruction(struct lab_recording *recording, enum pgb_insn_set set,
				   const struct lab_block *block, uint64_t index);
/* The code at an address, of the image it is in, or NULL. */
const uint8_t *lab_recording_code(struct lab_recording *recording, uint64_t address,
				  uint64_t *left_bytes);
/* Exit, features, end of file. The file is removed where that fails. */
int lab_recording_close(struct lab_recording *recording, struct pgb_error *error);
void lab_recording_abandon(struct lab_recording *recording);

#endif
