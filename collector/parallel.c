/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>

#include "pgobolt/base/alloc.h"

struct share {
	void (*work)(void *context, size_t index);
	void *context;
	size_t index;
	pthread_t thread;
	bool started;
};

size_t pgb_parallel_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

static void *do_share(void *argument)
{
	const struct share *share = argument;

	share->work(share->context, share->index);
	return NULL;
}

void pgb_parallel_run(size_t count, void (*work)(void *context, size_t index), void *context)
{
	struct share *shares = pgb_calloc(count, sizeof(*shares));
	sigset_t all, before;

	/* SIGBUS comes to the thread whose access failed, or kills. */
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (size_t i = 0; i < count; i++) {
		shares[i] = (struct share){.work = work, .context = context, .index = i};
		if (i > 0)
			shares[i].started =
				pthread_create(&shares[i].thread, NULL, do_share, &shares[i]) == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	for (size_t i = 0; i < count; i++)
		if (!shares[i].started)
			do_share(&shares[i]);
	for (size_t i = 0; i < count; i++)
		if (shares[i].started)
			pthread_join(shares[i].thread, NULL);
	free(shares);
}
