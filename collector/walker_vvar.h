/* SPDX-License-Identifier: MIT */
/*
 * The vDSO's data pages ([vvar]) cannot be read through ptrace, but they are the same in every
 * process of a time namespace: clock_gettime() in the stopped thread is followed with ours.
 */
#ifndef PGOBOLT_COLLECTOR_WALKER_VVAR_H
#define PGOBOLT_COLLECTOR_WALKER_VVAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct walker_vvar {
	uint64_t start, end; /* in our own memory: [vvar] and what follows it, up to the vDSO */
	uint64_t vdso;
	uint64_t readable; /* bit per page: clocks that this machine has not give SIGBUS */
};

/* Zeroed where we have none. */
void walker_vvar_init(struct walker_vvar *vvar);

/* Where the vDSO of another process is (AT_SYSINFO_EHDR); 0: none, or not ours to know. */
uint64_t walker_vvar_find(pid_t pid);

/* Copy from the data pages of a process whose vDSO is at `vdso`; false: not such an address. */
bool walker_vvar_read(const struct walker_vvar *vvar, uint64_t vdso, uint64_t address, void *bytes,
		      size_t size_bytes);

#endif
