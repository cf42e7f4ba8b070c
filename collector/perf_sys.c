/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/perf_sys.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int kernel_event_open(void *context, struct perf_event_attr *attr, pid_t pid, int cpu,
			     int group_fd, unsigned long flags)
{
	long fd = syscall(SYS_perf_event_open, attr, pid, cpu, group_fd, flags);

	(void)context;
	return fd < 0 ? -errno : (int)fd;
}

static int kernel_map(void *context, int fd, size_t size_bytes, int protection, off_t offset,
		      void **address)
{
	void *mapped = mmap(NULL, size_bytes, protection, MAP_SHARED, fd, offset);

	(void)context;
	if (mapped == MAP_FAILED)
		return -errno;
	*address = mapped;
	return 0;
}

static int kernel_unmap(void *context, void *address, size_t size_bytes)
{
	(void)context;
	return munmap(address, size_bytes) < 0 ? -errno : 0;
}

static int kernel_control(void *context, int fd, unsigned long request, uintptr_t argument)
{
	int result = ioctl(fd, request, argument);

	(void)context;
	return result < 0 ? -errno : result;
}

static int kernel_poll(void *context, struct pollfd *descriptors, size_t count, int timeout_ms)
{
	int ready = poll(descriptors, count, timeout_ms);

	(void)context;
	return ready < 0 ? -errno : ready;
}

static ssize_t kernel_read(void *context, int fd, void *buffer, size_t size_bytes)
{
	ssize_t got = read(fd, buffer, size_bytes);

	(void)context;
	return got < 0 ? -errno : got;
}

static int kernel_close(void *context, int fd)
{
	(void)context;
	return close(fd) < 0 ? -errno : 0;
}

static uint64_t kernel_clock_ns(void *context)
{
	struct timespec now;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint64_t read_ticks(void)
{
	uint64_t ticks = 0;

#if defined(__aarch64__)
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
#endif
	return ticks;
}

static uint64_t kernel_raw_clock_ns(void *context, uint64_t *ticks)
{
	struct timespec now;

	(void)context;
	*ticks = read_ticks();
	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

const struct pgb_perf_sys pgb_perf_sys_kernel = {
	.event_open = kernel_event_open,
	.map = kernel_map,
	.unmap = kernel_unmap,
	.control = kernel_control,
	.poll = kernel_poll,
	.read = kernel_read,
	.close = kernel_close,
	.clock_ns = kernel_clock_ns,
	.raw_clock_ns = kernel_raw_clock_ns,
};
