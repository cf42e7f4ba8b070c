/* SPDX-License-Identifier: MIT */
/*
 * Processes and their executable mappings: (pid, run-time address) -> (binary, file virtual
 * address). Events must arrive in time order; then pid reuse, exec and munmap by overlay are
 * right by construction. Only executable mappings are kept.
 *
 * Binaries are numbered from 0 in order of first sight and live as long as the addrspace: see
 * binaries.h for what makes two files the same one.
 */
#ifndef PGOBOLT_COLLECTOR_ADDRSPACE_H
#define PGOBOLT_COLLECTOR_ADDRSPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/collector/binary.h"

#define PGB_BINARY_NONE	     UINT32_MAX	      /* no mapping there */
#define PGB_BINARY_ANONYMOUS (UINT32_MAX - 1) /* executable memory of no file: JIT, vDSO, stack */

struct pgb_addrspace;

/* One executable mapping as MMAP2 or /proc/PID/maps tells it. Nothing is kept by reference. */
struct pgb_map_event {
	uint32_t pid;
	uint64_t start, length;
	uint64_t offset_file;
	uint64_t device;		  /* as st_dev: makedev(major, minor) */
	uint64_t inode, inode_generation; /* 0 where unknown */
	struct pgb_build_id build_id;	  /* size 0 where unknown */
	const char *path;		  /* as the kernel gives it, also with " (deleted)" */
	uint32_t parent_pid;		  /* filled by the addrspace for openers; 0 where unknown */
};

struct pgb_location {
	uint32_t binary; /* index, or PGB_BINARY_NONE / PGB_BINARY_ANONYMOUS */
	/*
	 * File virtual address; in a binary whose kind is not PGB_BINARY_ELF the offset in the
	 * file; where there is no binary, the run-time address.
	 */
	uint64_t address;
};

/* How a mapped file is found and read; tests and perf.data readers have their own. */
struct pgb_binary_opener {
	/*
	 * Fill `binary` (zeroed) for the event, whose path has no " (deleted)". It is kept
	 * whatever is returned: on an error as unreadable.
	 */
	int (*open)(void *context, struct pgb_binary *binary, const struct pgb_map_event *event);
	/* Is what was read still what the file holds? false: open it again. NULL: it is. */
	bool (*fresh)(void *context, const struct pgb_binary *binary);
	void *context;
};

struct pgb_addrspace_stats {
	uint64_t mappings_seen;
	uint64_t mappings_unplaced; /* no segment of the file fits the mapping */
	uint64_t binaries_unreadable;
	uint64_t processes_over_limit, mappings_over_limit, binaries_over_limit;
};

/* `opener` NULL: this machine's files, see binary_open.h. It is copied. */
struct pgb_addrspace *pgb_addrspace_new(const struct pgb_binary_opener *opener);
void pgb_addrspace_free(struct pgb_addrspace *space);

/* Events of pid UINT32_MAX are the kernel's own and ignored. */
void pgb_addrspace_map(struct pgb_addrspace *space, const struct pgb_map_event *event);
/* The child gets the parent's mappings. Equal pids (a new thread) are ignored. */
void pgb_addrspace_fork(struct pgb_addrspace *space, uint32_t parent_pid, uint32_t child_pid);
void pgb_addrspace_exec(struct pgb_addrspace *space, uint32_t pid);
/* The whole process ended: its main thread's EXIT does not mean that. */
void pgb_addrspace_exit(struct pgb_addrspace *space, uint32_t pid);

/*
 * Learn a running process from /proc/PID/maps; what was known of it is forgotten. Errors:
 * PGB_E_GONE (also a kernel thread), PGB_E_PERMISSION, PGB_E_RESOURCE, PGB_E_CORRUPT.
 */
int pgb_addrspace_scan(struct pgb_addrspace *space, uint32_t pid, struct pgb_error *error);

/* Is any mapping known of this process? Not behind an exec, nor where only its fork was seen. */
bool pgb_addrspace_knows(struct pgb_addrspace *space, uint32_t pid);

/* The hot path: a few nanoseconds while one process stays in few mappings. */
struct pgb_location pgb_addrspace_find(struct pgb_addrspace *space, uint32_t pid, uint64_t address);

uint32_t pgb_addrspace_binary_count(const struct pgb_addrspace *space);
/* Borrowed; at the same place until the addrspace is freed. */
const struct pgb_binary *pgb_addrspace_binary(const struct pgb_addrspace *space, uint32_t index);
uint32_t pgb_addrspace_process_count(const struct pgb_addrspace *space);
const struct pgb_addrspace_stats *pgb_addrspace_stats(const struct pgb_addrspace *space);

#endif
