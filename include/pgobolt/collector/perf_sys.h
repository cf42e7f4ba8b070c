/* SPDX-License-Identifier: MIT */
/*
 * The system calls of perf events behind one ops struct: the kernel's, or a stand-in's in tests.
 * Every call returns a negative errno on failure. Source: perf_event_open(2),
 * include/uapi/linux/perf_event.h.
 */
#ifndef PGOBOLT_COLLECTOR_PERF_SYS_H
#define PGOBOLT_COLLECTOR_PERF_SYS_H

#include <linux/perf_event.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pgb_perf_sys {
	/* perf_event_open(2). attr->size is set by the caller. Returns the descriptor. */
	int (*event_open)(void *context, struct perf_event_attr *attr, pid_t pid, int cpu,
			  int group_fd, unsigned long flags);
	int (*map)(void *context, int fd, size_t size_bytes, int protection, off_t offset,
		   void **address);
	int (*unmap)(void *context, void *address, size_t size_bytes);
	/* ioctl(2) with an integer or pointer argument. */
	int (*control)(void *context, int fd, unsigned long request, uintptr_t argument);
	/* poll(2): number of ready descriptors, 0 at the time-out. */
	int (*poll)(void *context, struct pollfd *descriptors, size_t count, int timeout_ms);
	ssize_t (*read)(void *context, int fd, void *buffer, size_t size_bytes);
	int (*close)(void *context, int fd);
	/* The clock that samples are stamped with (CLOCK_MONOTONIC), in ns. */
	uint64_t (*clock_ns)(void *context);
	/*
	 * CLOCK_MONOTONIC_RAW, which goes as evenly as the CPU's counter, in ns; and what that
	 * counter said just before: what Arm's hardware puts into its traces. 0: it has none.
	 */
	uint64_t (*raw_clock_ns)(void *context, uint64_t *ticks);
	void *context;
};

extern const struct pgb_perf_sys pgb_perf_sys_kernel;

#endif
