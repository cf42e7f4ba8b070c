/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_walk.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "collector/feed_walk_tell.h"
#include "collector/walk_budget.h"
#include "collector/walk_calibrate.h"
#include "collector/walk_process.h"
#include "collector/walk_target.h"
#include "collector/walk_tickets.h"
#include "collector/walker_proc.h"
#include "pgobolt/base/array.h"
#include "pgobolt/base/hash.h"

enum {
	/* Programs take a branch every five to eight instructions; no visit has room for all. */
	INSTRUCTIONS_PER_BRANCH = 6,
	DEPTH_ROOM = 4,
	PROCESSES = 4096,	    /* remembered; power of two. Older ones are learned again */
	VARY_NS = 20 * 1000 * 1000, /* also: between two looks whether all have ended */
	/* A process whose code is nowhere mapped is not asked again before this time. */
	RESCAN_NS = 20 * 1000 * 1000,
	/* A shorter rest is none: going to sleep costs, too. */
	REST_LEAST_NS = 200 * 1000,
	YOUNG_TRIES = 3,
	/*
	 * A cache line of data takes as long as so many instructions, when it is accessed all the
	 * time and when it is not: chosen on recordings of CPython, SQLite and Lua, which differ in
	 * what fits best.
	 */
	NEAR_LINE_INSTRUCTIONS = 2,
	FAR_LINE_INSTRUCTIONS = 40,
};

struct feed_walk {
	struct pgb_feed base;
	const struct pgb_perf_sys *sys;
	struct pgb_walker *walker;
	struct walk_tickets *tickets;
	struct walk_process processes[PROCESSES];
	struct walk_budget budget;
	uint64_t period_ns; /* of tickets, now */
	uint64_t random, varied_ns, looked_ns, counted_ns;
	uint64_t young_ns; /* when to ask the next young task */
	/* what next() still has to hand out */
	PGB_ARRAY(struct pgb_record) queue;
	PGB_ARRAY(char *) strings;
	size_t queue_at;
	struct perf_branch_entry *stack; /* newest first, as the kernel has it */
	struct pgb_feed_walk_stats stats;
	PGB_ARRAY(pid_t) pids;
	bool own_child, finished, is_period_given;
	bool may_collect; /* one may have stopped since the last look */
	struct walk_tell tell;
	bool worked;  /* since the last payment: not for nothing */
	bool resting; /* without money: tickets do not wake us */
};

static uint64_t now_ns(struct feed_walk *walk)
{
	return walk->sys->clock_ns(walk->sys->context);
}

static uint64_t own_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t draw(struct feed_walk *walk)
{
	walk->random += 0x9e3779b97f4a7c15u;
	return pgb_hash_u64(walk->random);
}

/* ---- records */

static struct pgb_record *add_record(struct feed_walk *walk, uint32_t type, pid_t pid, pid_t tid)
{
	struct pgb_record record = {.type = type,
				    .pid = (uint32_t)pid,
				    .tid = (uint32_t)tid,
				    .subject_pid = (uint32_t)pid,
				    .subject_tid = (uint32_t)tid,
				    .time_ns = now_ns(walk),
				    .has_time = true};

	pgb_array_push(&walk->queue, record);
	return &walk->queue.items[walk->queue.count - 1];
}

static const char *keep(struct feed_walk *walk, const char *string)
{
	char *copy = pgb_dup(string);

	pgb_array_push(&walk->strings, copy);
	return copy;
}

static void clear_queue(struct feed_walk *walk)
{
	for (size_t i = 0; i < walk->strings.count; i++)
		free(walk->strings.items[i]);
	walk->strings.count = 0;
	walk->queue.count = 0;
	walk->queue_at = 0;
}

static void add_mapping(struct feed_walk *walk, pid_t pid, const struct pgb_proc_map *map)
{
	struct pgb_record *record = add_record(walk, PERF_RECORD_MMAP2, pid, pid);

	record->mmap = (struct pgb_record_mmap){
		.address = map->start,
		.length = map->end - map->start,
		.offset_file = map->offset_file,
		.major = major(map->device),
		.minor = minor(map->device),
		.inode = map->inode,
		.protection = PROT_READ | PROT_EXEC,
		.path = map->path[0] ? keep(walk, map->path) : "//anon",
	};
}

/* ---- processes */

static struct walk_process *find_process(struct feed_walk *walk, pid_t pid)
{
	uint32_t slot = (uint32_t)pgb_hash_u64((uint64_t)pid) & (PROCESSES - 1);

	/* a collision forgets the older one: it is learned again when it is next met */
	return &walk->processes[slot];
}

static void on_mapping(void *context, pid_t pid, const struct pgb_proc_map *map)
{
	add_mapping(context, pid, map);
}

/* The process is stopped: what /proc says is what the walk saw. */
static void scan(struct feed_walk *walk, struct walk_process *process, bool anew)
{
	if (anew) {
		struct pgb_record *record =
			add_record(walk, PERF_RECORD_COMM, process->pid, process->pid);

		record->misc = PERF_RECORD_MISC_COMM_EXEC;
		record->comm = "";
	}
	walk_process_scan(process, on_mapping, walk);
	walk->stats.scans++;
	process->scanned_ns = now_ns(walk);
}

/* Called by the walker while the thread is stopped. */
static void on_stopped(void *context, const struct pgb_walk *visit)
{
	struct feed_walk *walk = context;
	struct walk_process *process = find_process(walk, visit->pid);
	bool anew = process->pid != visit->pid ||
		    process->identity.start_time != visit->identity.start_time ||
		    process->identity.start_stack != visit->identity.start_stack;

	if (anew) {
		process->pid = visit->pid;
		process->identity = visit->identity;
		scan(walk, process, true);
	} else if ((visit->result.code_changed || !walk_process_maps(process, visit)) &&
		   now_ns(walk) - process->scanned_ns > RESCAN_NS) {
		scan(walk, process, false);
	}
}

/* ---- visits */

/* How long its instructions take, in percent of those that find all data at hand. */
static uint64_t slowness(const struct pgb_lookahead_result *result)
{
	uint64_t waits = NEAR_LINE_INSTRUCTIONS * result->near_lines +
			 FAR_LINE_INSTRUCTIONS * result->far_lines;

	return 100 + 100 * waits / (result->instructions + 1);
}

/* The walk as the kernel would write it: newest first. */
static void add_sample(struct feed_walk *walk, const struct pgb_walk *visit)
{
	size_t count = visit->result.branch_count;
	struct pgb_record *record = add_record(walk, PERF_RECORD_SAMPLE, visit->pid, visit->tid);

	record->misc = PERF_RECORD_MISC_USER;
	record->ip = visit->pc;
	record->weight = slowness(&visit->result);
	for (size_t i = 0; i < count; i++) {
		const struct pgb_lookahead_branch *branch = &visit->branches[count - 1 - i];

		walk->stack[i] = (struct perf_branch_entry){.from = branch->from, .to = branch->to};
	}
	record->stack.count = count;
	record->stack.hw_index = UINT64_MAX;
	record->stack.entries = pgb_cursor_of(walk->stack, count * sizeof(*walk->stack));
}

static void account(struct feed_walk *walk, const struct pgb_walk *visit)
{
	walk->stats.ends[visit->result.end]++;
	walk->stats.branches += visit->result.branch_count;
	walk->stats.decisions += visit->result.decisions;
	walk->stats.instructions += visit->result.instructions;
	walk->stats.pages_read += visit->result.pages_read;
}

/* One that has stopped; false: there is none. */
static bool collect(struct feed_walk *walk)
{
	struct pgb_walk result;
	enum pgb_visit how;

	clear_queue(walk);
	if (!walk->may_collect)
		return false;
	how = pgb_walker_collect(walk->walker, &result);
	walk->may_collect = how != PGB_VISITS && how != PGB_VISIT_PENDING;
	if (!walk->may_collect)
		return false;
	walk->stats.visits[how]++;
	walk_tell_left_alone(&walk->tell, result.pid, how);
	walk->worked = true;
	if (how == PGB_VISIT_WALKED) {
		account(walk, &result);
		if (result.result.branch_count > 0)
			add_sample(walk, &result);
	}
	walk_budget_visit(&walk->budget);
	return true;
}

/* What we do while the program waits, or before it begins, is not on the bill. */
static void pay(struct feed_walk *walk)
{
	walk_budget_own(&walk->budget, own_cpu_ns(), !walk->worked);
	walk->worked = false;
}

/* Now and then: what was earned, and the period that follows from it. */
static void control(struct feed_walk *walk)
{
	uint64_t now = now_ns(walk);

	if (now - walk->counted_ns >= walk_tickets_look_ns(walk->tickets)) {
		walk->counted_ns = now;
		walk_budget_program(&walk->budget, now, walk_tickets_program_ns(walk->tickets));
	}
	if (walk->is_period_given || now - walk->varied_ns < VARY_NS)
		return;
	walk->varied_ns = now;
	walk_budget_learn(&walk->budget);
	walk->period_ns = walk_budget_period_ns(&walk->budget);
	walk_tickets_vary(walk->tickets, walk->period_ns, draw(walk));
}

static bool begin_visit(struct feed_walk *walk, const struct walk_ticket *task)
{
	enum pgb_visit how = pgb_walker_begin(walk->walker, task->pid, task->tid, task->cpu);

	if (how != PGB_VISIT_PENDING)
		walk->stats.visits[how]++;
	walk_tell_left_alone(&walk->tell, task->pid, how);
	return how == PGB_VISIT_PENDING;
}

/* Once an interval, at random: whoever runs of those too young for a ticket. */
static void begin_young(struct feed_walk *walk)
{
	uint64_t now = now_ns(walk), interval = walk_budget_interval_ns(&walk->budget);
	struct walk_ticket task;

	if (now < walk->young_ns)
		return;
	walk->young_ns = now + interval / 2 + draw(walk) % interval;
	for (unsigned int i = 0; i < YOUNG_TRIES; i++) {
		if (!walk_tickets_young(walk->tickets, draw(walk), &task))
			return;
		walk->worked = true;
		if (begin_visit(walk, &task))
			return;
	}
}

static bool is_due(const struct feed_walk *walk)
{
	return walk->is_period_given ? walk_budget_affords(&walk->budget)
				     : walk_budget_is_due(&walk->budget);
}

/* Ask the winner of the tickets at hand to stop, if it is time; the others are void. */
static void begin(struct feed_walk *walk)
{
	struct walk_draw drawn;

	walk_tickets_take(walk->tickets, draw(walk), &drawn);
	walk_tell_privileged(&walk->tell, drawn.privileged);
	walk->worked |= drawn.tickets > 0;
	walk->stats.tickets += drawn.tickets;
	walk_budget_tickets(&walk->budget, drawn.tickets, drawn.cpu_ns);
	walk_budget_tasks(&walk->budget, drawn.tasks);
	pay(walk);
	control(walk);
	/* after a rest the tickets are old: the next one tells who runs now */
	if (!walk_budget_affords(&walk->budget) || walk->resting)
		return;
	if (drawn.tickets == 0)
		begin_young(walk);
	else if (is_due(walk) && begin_visit(walk, &drawn.winner))
		walk_budget_begun(&walk->budget);
}

/* ---- the feed */

static int feed_next(struct pgb_feed *feed, struct pgb_record *record, struct pgb_error *error)
{
	struct feed_walk *walk = (struct feed_walk *)feed;

	(void)error;
	while (walk->queue_at == walk->queue.count) {
		if (walk->finished)
			return 0;
		if (!collect(walk)) {
			begin(walk);
			return 0;
		}
	}
	*record = walk->queue.items[walk->queue_at++];
	feed->stats.records++;
	return 1;
}

static bool all_gone(struct feed_walk *walk)
{
	uint64_t now = now_ns(walk);

	if (now - walk->looked_ns < VARY_NS)
		return false;
	walk->looked_ns = now;
	for (size_t i = 0; i < walk->pids.count; i++)
		if (!walker_has_ended(walk->pids.items[i]))
			return false;
	return true;
}

static uint64_t sooner(uint64_t timeout_ns, uint64_t other_ns)
{
	return timeout_ns < other_ns ? timeout_ns : other_ns;
}

/* When to look again though no ticket wakes us. */
static uint64_t wait_ns(struct feed_walk *walk, int timeout_ms)
{
	uint64_t rest = walk_budget_rest_ns(&walk->budget), now = now_ns(walk);
	uint64_t timeout = timeout_ms < 0 ? VARY_NS : (uint64_t)timeout_ms * 1000000;

	walk->resting = rest >= REST_LEAST_NS;
	if (walk->resting)
		return sooner(timeout, rest);
	if (walk_tickets_has_young(walk->tickets))
		timeout = sooner(timeout, walk->young_ns > now ? walk->young_ns - now : 0);
	return walk->own_child ? sooner(timeout, VARY_NS) : timeout;
}

static int feed_wait(struct pgb_feed *feed, int timeout_ms)
{
	struct feed_walk *walk = (struct feed_walk *)feed;
	uint64_t timeout_ns = wait_ns(walk, timeout_ms);
	unsigned int ready;

	ready = walk_tickets_wait(walk->tickets, pgb_walker_fd(walk->walker), timeout_ns,
				  !walk->resting);
	if (ready & WALK_READY_FD)
		walk->may_collect = true;
	else if (!walk->own_child && all_gone(walk))
		return -1;
	return ready != 0;
}

static int feed_enable(struct pgb_feed *feed, struct pgb_error *error)
{
	struct feed_walk *walk = (struct feed_walk *)feed;

	return walk_tickets_enable(walk->tickets, error);
}

static void feed_finish(struct pgb_feed *feed)
{
	struct feed_walk *walk = (struct feed_walk *)feed;

	if (walk->finished)
		return;
	walk->finished = true;
	pgb_walker_let_go(walk->walker);
	pay(walk);
	walk->stats.cost_ns = walk->budget.cost_ns;
	walk->stats.program_ns = walk_tickets_program_ns(walk->tickets);
	walk_tell_visits(&walk->tell, &walk->stats);
}

static void feed_free(struct pgb_feed *feed)
{
	struct feed_walk *walk = (struct feed_walk *)feed;

	walk_tickets_close(walk->tickets);
	pgb_walker_free(walk->walker);
	for (size_t i = 0; i < PROCESSES; i++)
		pgb_array_release(&walk->processes[i].code);
	clear_queue(walk);
	pgb_array_release(&walk->queue);
	pgb_array_release(&walk->strings);
	pgb_array_release(&walk->pids);
	free(walk->stack);
	free(walk);
}

static const struct pgb_feed_ops feed_walk_ops = {
	.next = feed_next,
	.wait = feed_wait,
	.enable = feed_enable,
	.disable = feed_finish,
	.finish = feed_finish,
	.free = feed_free,
};

int pgb_feed_walk_new(struct pgb_feed **feed, const struct pgb_feed_walk_config *config,
		      struct pgb_error *error)
{
	struct feed_walk *walk = pgb_calloc(1, sizeof(*walk));
	size_t depth = config->depth ? config->depth : PGB_WALK_DEPTH;
	double overhead = config->max_overhead_percent > 0 ? config->max_overhead_percent
							   : PGB_WALK_MAX_OVERHEAD;
	const struct pgb_walker_config walker = {
		.depth = depth * DEPTH_ROOM,
		.instructions = depth * INSTRUCTIONS_PER_BRANCH,
		.own_child = config->own_child ? config->pids[0] : 0,
		.follow_cpu = true,
		.stopped = on_stopped,
		.context = walk,
	};
	struct walk_prices prices;
	struct walk_tickets_config tickets = {
		.sys = config->sys,
		.host = config->host,
		.pids = config->pids,
		.pid_count = config->pid_count,
		.enable_on_exec = config->own_child,
		.log = config->log,
	};
	int code = 0;

	walk->base.ops = &feed_walk_ops;
	walk->sys = config->sys;
	walk->tell.log = config->log;
	walk->own_child = config->own_child;
	walk->is_period_given = config->period_ns != 0;
	walk->random = config->seed;
	walk->stack = pgb_calloc(walker.depth, sizeof(*walk->stack));
	for (size_t i = 0; i < config->pid_count; i++)
		pgb_array_push(&walk->pids, config->pids[i]);
	for (size_t i = 0; i < config->pid_count && !config->own_child && code == 0; i++)
		code = walk_target_check(config->pids[i], config->host, error);
	if (code == 0)
		code = pgb_walker_new(&walk->walker, &walker, error);
	if (code == 0) {
		walk_calibrate(&prices);
		walk_budget_begin(&walk->budget, overhead, &prices);
		walk->period_ns = config->period_ns ? config->period_ns
						    : walk_budget_period_ns(&walk->budget);
		tickets.period_ns = walk->period_ns;
		code = walk_tickets_open(&walk->tickets, &tickets, error);
	}
	if (code != 0) {
		feed_free(&walk->base);
		return code;
	}
	*feed = &walk->base;
	return 0;
}

void pgb_feed_walk_stats(const struct pgb_feed *feed, struct pgb_feed_walk_stats *stats)
{
	*stats = ((const struct feed_walk *)feed)->stats;
}
