/* SPDX-License-Identifier: MIT */
/*
 * Threads that decode and count runs of samples while the session reads on. Between two changes of
 * mappings the order of samples does not matter, and counts are summed: the result is the same
 * whoever counted what.
 *
 * When enough runs wait the session decodes the next one itself, which it has just read, so one
 * helper keeps two processors busy. Nothing is copied: a run's bytes are the feed's until it is
 * given back, by the session.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "collector/session_private.h"
#include "pgobolt/base/alloc.h"
#include "pgobolt/collector/parallel.h"

enum {
	WAITING_MOST = 8,
	HELPERS_MOST = 3, /* reading keeps no more of them busy */
	/* Smaller runs are not worth waking a thread for, smaller files not worth having one. */
	RUN_BYTES_LEAST = 16 * 1024,
	FILE_BYTES_LEAST = 1024 * 1024,
	/* The next run is read in less time than it takes to wake a thread. */
	LOOKS_BEFORE_SLEEP = 300,
};

struct job {
	struct pgb_feed_run run;
	uint64_t samples_before;
};

struct helper {
	struct pgb_session_helpers *helpers;
	struct pgb_session_counter counter;
	struct pgb_source_stats stats;
	pthread_t thread;
};

struct pgb_session_helpers {
	struct pgb_session *session;
	uint64_t bytes; /* taken so far */
	pthread_mutex_t lock;
	pthread_cond_t work, idle; /* there is some; a helper has none */
	/* Under the lock. */
	struct job waiting[WAITING_MOST];
	struct pgb_feed_run done[WAITING_MOST + HELPERS_MOST]; /* to be given back */
	atomic_size_t waiting_count;			       /* looked at without it, too */
	size_t done_count, busy;
	bool ending;

	struct helper items[HELPERS_MOST];
	size_t count;
};

/* Decode the run that waits longest. Called and left with the lock held. */
static void work(struct pgb_session_helpers *helpers, struct pgb_session_counter *counter)
{
	struct job job = helpers->waiting[0];

	helpers->waiting_count--;
	memmove(helpers->waiting, helpers->waiting + 1,
		helpers->waiting_count * sizeof(helpers->waiting[0]));
	helpers->busy++;
	pthread_mutex_unlock(&helpers->lock);
	pgb_session_decode_run(counter, &job.run, job.samples_before);
	pthread_mutex_lock(&helpers->lock);
	helpers->busy--;
	helpers->done[helpers->done_count++] = job.run;
}

static void look_for_work(struct pgb_session_helpers *helpers)
{
	for (int i = 0; i < LOOKS_BEFORE_SLEEP && helpers->waiting_count == 0; i++)
		sched_yield();
}

static void *help(void *argument)
{
	struct helper *helper = argument;
	struct pgb_session_helpers *helpers = helper->helpers;

	pthread_mutex_lock(&helpers->lock);
	for (;;) {
		while (helpers->waiting_count == 0 && !helpers->ending) {
			pthread_cond_signal(&helpers->idle);
			pthread_mutex_unlock(&helpers->lock);
			look_for_work(helpers);
			pthread_mutex_lock(&helpers->lock);
			if (helpers->waiting_count == 0 && !helpers->ending)
				pthread_cond_wait(&helpers->work, &helpers->lock);
		}
		if (helpers->waiting_count == 0)
			break;
		work(helpers, &helper->counter);
	}
	pthread_mutex_unlock(&helpers->lock);
	return NULL;
}

/* Signals are for the thread that the program began with. */
static void start(struct pgb_session_helpers *helpers)
{
	size_t wanted = pgb_parallel_processors() - 1;
	sigset_t all, before;

	sigfillset(&all);
	sigdelset(&all, SIGBUS); /* of an access of its own: see bus_guard */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (helpers->count < wanted && helpers->count < HELPERS_MOST) {
		struct helper *helper = &helpers->items[helpers->count];

		helper->helpers = helpers;
		pgb_session_counter_init(&helper->counter, helpers->session, &helper->stats);
		if (pthread_create(&helper->thread, NULL, help, helper) != 0) {
			pgb_session_counter_release(&helper->counter);
			break;
		}
		helpers->count++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct pgb_session_helpers *pgb_session_helpers_new(struct pgb_session *session)
{
	struct pgb_session_helpers *helpers = pgb_calloc(1, sizeof(*helpers));

	helpers->session = session;
	pthread_mutex_init(&helpers->lock, NULL);
	pthread_cond_init(&helpers->work, NULL);
	pthread_cond_init(&helpers->idle, NULL);
	return helpers;
}

void pgb_session_helpers_free(struct pgb_session_helpers *helpers)
{
	if (helpers == NULL)
		return;
	pthread_mutex_lock(&helpers->lock);
	helpers->ending = true;
	pthread_cond_broadcast(&helpers->work);
	pthread_mutex_unlock(&helpers->lock);
	for (size_t i = 0; i < helpers->count; i++) {
		pthread_join(helpers->items[i].thread, NULL);
		pgb_session_counter_release(&helpers->items[i].counter);
	}
	pthread_cond_destroy(&helpers->idle);
	pthread_cond_destroy(&helpers->work);
	pthread_mutex_destroy(&helpers->lock);
	free(helpers);
}

/* The feed is the session's alone. Called and left with the lock held. */
static void give_back_done(struct pgb_session_helpers *helpers)
{
	while (helpers->done_count > 0)
		pgb_feed_give_back(helpers->session->consumed,
				   &helpers->done[--helpers->done_count]);
}

/* false: enough wait already. */
static bool hand_over(struct pgb_session_helpers *helpers, const struct job *job)
{
	bool room;

	if (helpers->bytes < FILE_BYTES_LEAST || job->run.size_bytes < RUN_BYTES_LEAST)
		return false;
	if (helpers->count == 0)
		start(helpers);
	pthread_mutex_lock(&helpers->lock);
	give_back_done(helpers);
	room = helpers->waiting_count < WAITING_MOST && helpers->count > 0;
	if (room) {
		helpers->waiting[helpers->waiting_count++] = *job;
		pthread_cond_signal(&helpers->work);
	}
	pthread_mutex_unlock(&helpers->lock);
	return room;
}

void pgb_session_helpers_take(struct pgb_session_helpers *helpers, const struct pgb_feed_run *run,
			      uint64_t samples_before)
{
	struct job job = {.run = *run, .samples_before = samples_before};

	helpers->bytes += run->size_bytes;
	if (hand_over(helpers, &job))
		return;
	pgb_session_decode_run(&helpers->session->counter, &job.run, samples_before);
	pgb_feed_give_back(helpers->session->consumed, &job.run);
}

/* Both hold nothing but counts. */
static void move_stats(struct pgb_source_stats *to, struct pgb_source_stats *from)
{
	uint64_t sums[sizeof(*to) / sizeof(uint64_t)], parts[sizeof(*to) / sizeof(uint64_t)];

	_Static_assert(sizeof(*to) == sizeof(sums), "all of it is counts");
	memcpy(sums, to, sizeof(sums));
	memcpy(parts, from, sizeof(parts));
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		sums[i] += parts[i];
	memcpy(to, sums, sizeof(sums));
	memset(from, 0, sizeof(*from));
}

void pgb_session_helpers_finish(struct pgb_session_helpers *helpers)
{
	struct pgb_session *session = helpers->session;

	pthread_mutex_lock(&helpers->lock);
	while (helpers->waiting_count > 0)
		work(helpers, &session->counter);
	while (helpers->busy > 0)
		pthread_cond_wait(&helpers->idle, &helpers->lock);
	give_back_done(helpers);
	pthread_mutex_unlock(&helpers->lock);
	for (size_t i = 0; i < helpers->count; i++) {
		pgb_session_counter_flush(&helpers->items[i].counter);
		move_stats(&session->stats.source, &helpers->items[i].stats);
	}
}
