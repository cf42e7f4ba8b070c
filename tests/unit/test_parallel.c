/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "pgobolt/collector/parallel.h"

enum { SHARES = 5 };

struct seen {
	atomic_uint times[SHARES];
	atomic_bool blocked[SHARES];
	pthread_t caller;
	atomic_bool first_elsewhere;
};

static void work(void *context, size_t index)
{
	struct seen *seen = context;
	sigset_t now;

	pthread_sigmask(SIG_SETMASK, NULL, &now);
	seen->times[index]++;
	seen->blocked[index] = sigismember(&now, SIGINT) && !sigismember(&now, SIGBUS);
	if (index == 0 && !pthread_equal(pthread_self(), seen->caller))
		seen->first_elsewhere = true;
}

static void does_each_share_once(void **state)
{
	(void)state;
	for (size_t count = 1; count <= SHARES; count++) {
		struct seen seen = {.caller = pthread_self()};

		pgb_parallel_run(count, work, &seen);
		for (size_t i = 0; i < SHARES; i++) {
			assert_int_equal(seen.times[i], i < count);
			assert_int_equal(seen.blocked[i], i > 0 && i < count);
		}
		assert_false(seen.first_elsewhere);
	}
	assert_true(pgb_parallel_processors() >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(does_each_share_once)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
