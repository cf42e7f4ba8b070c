/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/bus_guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/base/assert.h"

enum { GUARDS_MOST = 16 };

/* Read by the handler: `end` 0 means that there is none. */
static struct {
	atomic_uintptr_t start, end;
	atomic_bool hit;
} guards[GUARDS_MOST];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t guard_count;
static uintptr_t page_bytes;
static struct sigaction action_before;

/* The page becomes one of zeros, which lasts as long as the mapping. */
static bool replace_page(uintptr_t address)
{
	void *page = (void *)(address & ~(page_bytes - 1));

	return mmap(page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
	       MAP_FAILED;
}

static void take_signal(int number, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	int errno_before = errno;

	(void)context;
	for (size_t i = 0; info->si_code == BUS_ADRERR && i < GUARDS_MOST; i++) {
		if (address < guards[i].start || address >= guards[i].end || !replace_page(address))
			continue;
		guards[i].hit = true;
		errno = errno_before;
		return;
	}
	/* Nothing of ours: it happens again at once, or is sent again. */
	sigaction(SIGBUS, &action_before, NULL);
	if (info->si_code <= 0)
		raise(number);
	errno = errno_before;
}

int pgb_bus_guard_add(const void *start, size_t size_bytes)
{
	struct sigaction action = {.sa_sigaction = take_signal, .sa_flags = SA_SIGINFO};
	int guard = 0;

	pthread_mutex_lock(&lock);
	while (guard < GUARDS_MOST && guards[guard].end != 0)
		guard++;
	if (guard == GUARDS_MOST) {
		guard = -1;
	} else {
		if (guard_count++ == 0) {
			page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
			sigaction(SIGBUS, &action, &action_before);
		}
		guards[guard].hit = false;
		guards[guard].start = (uintptr_t)start;
		guards[guard].end = (uintptr_t)start + size_bytes;
	}
	pthread_mutex_unlock(&lock);
	return guard;
}

void pgb_bus_guard_remove(int guard)
{
	pthread_mutex_lock(&lock);
	pgb_assert(guards[guard].end != 0);
	guards[guard].end = 0;
	if (--guard_count == 0)
		sigaction(SIGBUS, &action_before, NULL);
	pthread_mutex_unlock(&lock);
}

bool pgb_bus_guard_was_hit(int guard)
{
	return guards[guard].hit;
}
