/* SPDX-License-Identifier: MIT */
/*
 * Threads that decode and count branch stacks while the session reads on. Between two changes of
 * mappings the order of samples does not matter, and counts are summed: the result is the same
 * whoever counted what.
 *
 * Stacks are copied into batches. When all of these wait to be decoded the session decodes one
 * itself, so one helper keeps two processors busy.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "collector/session_private.h"
#include "pgobolt/base/alloc.h"

enum {
	BATCH_BYTES = 256 * 1024,
	BATCHES = 6,
	HELPERS_MOST = 3, /* reading keeps no more of them busy */
	ENTRY_BYTES = sizeof(struct pgb_record_entry),
};

/* In front of its entries. */
struct stack {
	uint32_t pid, count;
	bool odd, big_endian;
	uint8_t filler[6];
};

struct batch {
	size_t used;
	_Alignas(8) uint8_t bytes[BATCH_BYTES];
};

struct helper {
	struct pgb_session_helpers *helpers;
	struct pgb_session_counter counter;
	struct pgb_source_stats stats;
	pthread_t thread;
};

struct pgb_session_helpers {
	struct pgb_session *session;
	struct batch *open; /* is filled; the session's alone */
	pthread_mutex_t lock;
	pthread_cond_t work, spare; /* there is some */
	/* Under the lock. */
	struct batch *waiting[BATCHES], *unused[BATCHES];
	size_t waiting_count, unused_count;
	bool ending;

	struct helper items[HELPERS_MOST];
	size_t count;
};

static void decode_batch(struct pgb_session_counter *counter, const struct batch *batch)
{
	for (size_t at = 0; at < batch->used;) {
		struct pgb_record record = {.type = PERF_RECORD_SAMPLE};
		struct stack stack;

		memcpy(&stack, batch->bytes + at, sizeof(stack));
		at += sizeof(stack);
		record.pid = stack.pid;
		record.stack.count = stack.count;
		record.stack.entries =
			pgb_cursor_of(batch->bytes + at, (size_t)stack.count * ENTRY_BYTES);
		record.stack.entries.big_endian = stack.big_endian;
		at += (size_t)stack.count * ENTRY_BYTES;
		pgb_session_decode(counter, &record, stack.odd);
	}
}

/* The batch that waits longest. Under the lock. */
static struct batch *take_waiting(struct pgb_session_helpers *helpers)
{
	struct batch *batch = helpers->waiting[0];

	helpers->waiting_count--;
	memmove(helpers->waiting, helpers->waiting + 1,
		helpers->waiting_count * sizeof(helpers->waiting[0]));
	return batch;
}

/* Decode a batch. Called and left with the lock held. */
static void work(struct pgb_session_helpers *helpers, struct pgb_session_counter *counter)
{
	struct batch *batch = take_waiting(helpers);

	pthread_mutex_unlock(&helpers->lock);
	decode_batch(counter, batch);
	batch->used = 0;
	pthread_mutex_lock(&helpers->lock);
	helpers->unused[helpers->unused_count++] = batch;
	pthread_cond_signal(&helpers->spare);
}

static void *help(void *argument)
{
	struct helper *helper = argument;
	struct pgb_session_helpers *helpers = helper->helpers;

	pthread_mutex_lock(&helpers->lock);
	for (;;) {
		while (helpers->waiting_count == 0 && !helpers->ending)
			pthread_cond_wait(&helpers->work, &helpers->lock);
		if (helpers->waiting_count == 0)
			break;
		work(helpers, &helper->counter);
	}
	pthread_mutex_unlock(&helpers->lock);
	return NULL;
}

static size_t processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

/* Signals are for the thread that the program began with. */
static void start(struct pgb_session_helpers *helpers)
{
	size_t wanted = processors() - 1;
	sigset_t all, before;

	sigfillset(&all);
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
	pthread_cond_init(&helpers->spare, NULL);
	helpers->open = pgb_calloc(1, sizeof(*helpers->open));
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
	for (size_t i = 0; i < helpers->unused_count; i++)
		free(helpers->unused[i]);
	free(helpers->open);
	pthread_cond_destroy(&helpers->spare);
	pthread_cond_destroy(&helpers->work);
	pthread_mutex_destroy(&helpers->lock);
	free(helpers);
}

/* The open batch is full: hand it over and get another. */
static void hand_over(struct pgb_session_helpers *helpers)
{
	if (helpers->count == 0) {
		/* A file of some size: now threads pay. */
		for (size_t i = 0; i < BATCHES - 1; i++)
			helpers->unused[helpers->unused_count++] =
				pgb_calloc(1, sizeof(*helpers->open));
		start(helpers);
	}
	pthread_mutex_lock(&helpers->lock);
	helpers->waiting[helpers->waiting_count++] = helpers->open;
	pthread_cond_signal(&helpers->work);
	while (helpers->unused_count == 0) {
		if (helpers->waiting_count > 0)
			work(helpers, &helpers->session->counter);
		else
			pthread_cond_wait(&helpers->spare, &helpers->lock);
	}
	helpers->open = helpers->unused[--helpers->unused_count];
	pthread_mutex_unlock(&helpers->lock);
}

void pgb_session_helpers_take(struct pgb_session_helpers *helpers, const struct pgb_record *record,
			      bool odd)
{
	const struct pgb_cursor *entries = &record->stack.entries;
	struct stack stack = {.pid = record->pid,
			      .count = (uint32_t)record->stack.count,
			      .odd = odd,
			      .big_endian = entries->big_endian};
	size_t size_bytes = (size_t)stack.count * ENTRY_BYTES;
	uint8_t *at;

	pgb_assert(size_bytes <= pgb_cursor_left(entries));
	if (helpers->open->used + sizeof(stack) + size_bytes > BATCH_BYTES)
		hand_over(helpers);
	at = helpers->open->bytes + helpers->open->used;
	memcpy(at, &stack, sizeof(stack));
	memcpy(at + sizeof(stack), entries->at, size_bytes);
	helpers->open->used += sizeof(stack) + size_bytes;
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

	decode_batch(&session->counter, helpers->open);
	helpers->open->used = 0;
	if (helpers->unused_count == 0 && helpers->count == 0)
		return; /* nothing was handed over */
	pthread_mutex_lock(&helpers->lock);
	while (helpers->unused_count < BATCHES - 1) {
		if (helpers->waiting_count > 0)
			work(helpers, &session->counter);
		else
			pthread_cond_wait(&helpers->spare, &helpers->lock);
	}
	pthread_mutex_unlock(&helpers->lock);
	for (size_t i = 0; i < helpers->count; i++) {
		pgb_session_counter_flush(&helpers->items[i].counter);
		move_stats(&session->stats.source, &helpers->items[i].stats);
	}
}
