/* SPDX-License-Identifier: MIT */
/*
 * Every bound on what input or time may make pgobolt keep. What goes over is counted and
 * reported, never silently cut.
 */
#ifndef PGOBOLT_BASE_LIMITS_H
#define PGOBOLT_BASE_LIMITS_H

enum {
	/* A perf record's size is 16 bits. */
	PGB_LIMIT_RECORD_BYTES = 65536,
	/* Events of one recording, and their ids: one per event, CPU and thread. */
	PGB_LIMIT_EVENTS = 4096,
	PGB_LIMIT_EVENT_IDS = 4 * 1024 * 1024,
	/* What is read ahead of a recording to put its records in time order. */
	PGB_LIMIT_REORDER_BYTES = 64 * 1024 * 1024,
	PGB_LIMIT_REORDER_RECORDS = 1024 * 1024,
	/* One section of a recording's header: build-ids, event names. */
	PGB_LIMIT_SECTION_BYTES = 64 * 1024 * 1024,
	/* One record's worth of an AUX area, and what is kept of areas that come through a pipe. */
	PGB_LIMIT_AUX_BYTES = 64 * 1024 * 1024,
	PGB_LIMIT_AUX_KEPT_BYTES = 256 * 1024 * 1024,
	/* Branch stack entries in one sample; the deepest known hardware has 64. */
	PGB_LIMIT_STACK_ENTRIES = 2048,
	/* The longest path the kernel reports, with its NUL. */
	PGB_LIMIT_PATH_BYTES = 4096,
	/* Distinct edges over all binaries: 72 bytes each, so at most 1.2 GiB. */
	PGB_LIMIT_EDGES = 16 * 1024 * 1024,
	/* Live processes and mappings of one process that address translation keeps. */
	PGB_LIMIT_PROCESSES = 1024 * 1024,
	PGB_LIMIT_MAPPINGS = 65536,
	/* Distinct mapped binaries. */
	PGB_LIMIT_BINARIES = 65536,
	/* GNU build-ids are 20 bytes (SHA-1) or 16 (UUID, MD5); the perf ABI carries 20. */
	PGB_LIMIT_BUILD_ID_BYTES = 64,
	/* Program headers of one file. */
	PGB_LIMIT_SEGMENTS = 4096,
	/* Symbols of one ELF file. */
	PGB_LIMIT_SYMBOLS = 64 * 1024 * 1024,
	/* One name in a profile. */
	PGB_LIMIT_NAME_BYTES = 1024 * 1024,
};

#endif
