/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_live_open.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "pgobolt/base/text.h"

enum {
	RING_BYTES = 512 * 1024, /* of each CPU, where locked memory allows */
	RING_BYTES_STACKS = 2 * 1024 * 1024,
	AUX_BYTES = 4 * 1024 * 1024,
	AUX_PAGES_MIN = 2,
	LISTINGS_MAX = 8, /* of the threads of what we attach to, until no new ones appear */
};

#define READ_FORMAT_BASIC (PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING)
#ifndef PERF_FORMAT_LOST
#define PERF_FORMAT_LOST (1u << 4) /* Linux 6.0 */
#endif

/* What stays the same while a set is opened. */
struct opening {
	struct pgb_live_set *set;
	const struct pgb_feed_live_config *config;
	struct perf_event_attr attrs[PGB_FEED_LIVE_ATTRS_MAX];
	struct perf_event_attr side_band; /* for CPUs that none of attrs counts on */
	size_t ring_pages, aux_pages;
	bool raised_limit, first_listing;
	bool memory_short; /* a ring could not get ring_pages */
};

static size_t ring_bytes(const struct opening *opening)
{
	return opening->ring_pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The smallest size a kernel may know that holds everything that is set. */
static uint32_t attr_size(const struct perf_event_attr *attr)
{
	static const uint32_t sizes[] = {PERF_ATTR_SIZE_VER3, PERF_ATTR_SIZE_VER4,
					 PERF_ATTR_SIZE_VER5, PERF_ATTR_SIZE_VER6};
	static const struct perf_event_attr zero;
	const uint8_t *bytes = (const uint8_t *)attr;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (memcmp(bytes + sizes[i], &zero, sizeof(*attr) - sizes[i]) == 0)
			return sizes[i];
	return sizeof(*attr);
}

static int open_once(const struct pgb_perf_sys *sys, struct perf_event_attr *attr, pid_t pid,
		     int cpu)
{
	attr->size = attr_size(attr);
	return sys->event_open(sys->context, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Give up one thing that we can do without. false: nothing is left. */
static bool step_down(struct perf_event_attr *attr, int negative_errno)
{
	if (negative_errno != -EINVAL && negative_errno != -EOPNOTSUPP && negative_errno != -ENOENT)
		return false;
	if (attr->read_format & PERF_FORMAT_LOST)
		attr->read_format &= ~(uint64_t)PERF_FORMAT_LOST;
	else if (attr->exclude_guest)
		attr->exclude_guest = 0;
	else if (attr->precise_ip)
		attr->precise_ip--;
	else
		return false;
	return true;
}

/* Does this attr count on this CPU? Each kind of core of a hybrid machine has a PMU of its own. */
static bool covers(const struct pgb_host *host, const struct perf_event_attr *attr,
		   unsigned int cpu)
{
	bool generic = attr->type == PERF_TYPE_HARDWARE || attr->type == PERF_TYPE_HW_CACHE;
	uint32_t type = generic ? (uint32_t)(attr->config >> 32) : attr->type;
	const struct pgb_pmu *pmu =
		generic && type == 0 ? NULL : pgb_host_find_pmu_type(host, type);

	return pmu == NULL || pgb_pmu_covers(pmu, cpu);
}

/* On ourselves, or on a CPU: some events of old kernels count for no single task. */
static int open_trial(const struct pgb_perf_sys *sys, const struct pgb_host *host,
		      struct perf_event_attr *attr, bool system_wide)
{
	size_t i = 0;

	if (!system_wide)
		return open_once(sys, attr, 0, -1);
	while (i + 1 < host->cpus_online.count && !covers(host, attr, host->cpus_online.items[i]))
		i++;
	return open_once(sys, attr, -1, (int)host->cpus_online.items[i]);
}

static int settle(const struct pgb_perf_sys *sys, const struct pgb_host *host,
		  struct perf_event_attr *attrs, size_t count, bool system_wide,
		  struct pgb_error *error)
{
	for (size_t i = 0; i < count; i++) {
		struct perf_event_attr attr = attrs[i];
		int fd;

		attr.disabled = 1;
		attr.read_format = READ_FORMAT_BASIC | PERF_FORMAT_LOST;
		while ((fd = open_trial(sys, host, &attr, system_wide)) < 0)
			if (!step_down(&attr, fd))
				return pgb_feed_live_explain(host, &attrs[i], fd, system_wide,
							     error);
		sys->close(sys->context, fd);
		attrs[i].read_format = attr.read_format;
		attrs[i].exclude_guest = attr.exclude_guest;
		attrs[i].precise_ip = attr.precise_ip;
		attrs[i].size = attr.size;
	}
	return PGB_OK;
}

int pgb_feed_live_settle(const struct pgb_perf_sys *sys, const struct pgb_host *host,
			 struct perf_event_attr *attrs, size_t count, struct pgb_error *error)
{
	return settle(sys, host, attrs, count, false, error);
}

static bool raise_descriptor_limit(struct opening *opening)
{
	struct rlimit limit;

	if (opening->raised_limit || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	opening->raised_limit = true;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static int open_ring(struct opening *opening, int fd, unsigned int cpu, bool is_aux,
		     struct pgb_error *error)
{
	struct pgb_live_set *set = opening->set;
	struct pgb_live_ring live = {.cpu = cpu, .polled = set->events.count};
	int result = pgb_ring_open(&live.ring, set->sys, fd, opening->ring_pages, error);

	if (result == PGB_OK && is_aux) {
		result = pgb_ring_aux_open(&live.aux, &live.ring, opening->aux_pages, error);
		if (result < 0)
			pgb_ring_close(&live.ring);
	}
	if (result == PGB_OK)
		pgb_array_push(&set->rings, live);
	opening->memory_short = result == PGB_E_RESOURCE ||
				(result == PGB_OK && live.ring.size_bytes < ring_bytes(opening));
	if (result == PGB_OK && opening->memory_short)
		result = PGB_E_RESOURCE; /* all rings are tried again with half the size */
	return result;
}

/* Into the ring of the CPU; the first event there maps it. Takes fd over. */
static int add_event(struct opening *opening, struct pgb_live_event event, unsigned int cpu,
		     struct pgb_error *error)
{
	struct pgb_live_set *set = opening->set;
	const struct pgb_perf_sys *sys = set->sys;
	int result = PGB_OK;

	while (event.ring < set->rings.count && set->rings.items[event.ring].cpu != cpu)
		event.ring++;
	if (event.ring == set->rings.count) {
		result = open_ring(opening, event.fd, cpu, event.is_aux, error);
	} else {
		int code = sys->control(sys->context, event.fd, PERF_EVENT_IOC_SET_OUTPUT,
					(uintptr_t)set->rings.items[event.ring].ring.fd);

		if (code < 0)
			result = pgb_fail(error, pgb_code_from_errno(-code),
					  "sharing the ring of CPU %u failed: %s", cpu,
					  strerror(-code));
	}
	if (result < 0)
		sys->close(sys->context, event.fd);
	else
		pgb_array_push(&set->events, event);
	return result;
}

/* 1 opened, 0 no such thread (any more) or CPU, or an error. */
static int open_event(struct opening *opening, uint32_t index, pid_t tid, unsigned int cpu,
		      struct pgb_error *error)
{
	const struct pgb_feed_live_config *config = opening->config;
	struct perf_event_attr attr = opening->set->attrs[index];
	bool is_aux = config->aux && index < config->attr_count;
	int fd = open_once(config->sys, &attr, tid, (int)cpu), result;

	if (fd == -EMFILE && raise_descriptor_limit(opening))
		fd = open_once(config->sys, &attr, tid, (int)cpu);
	if (fd == -ESRCH || (fd == -ENODEV && opening->set->rings.count > 0))
		return 0;
	/* Of such hardware a task has one event alone: this thread inherited one meanwhile. */
	if (fd == -EBUSY && is_aux && !opening->first_listing)
		return 0;
	if (fd < 0)
		return pgb_feed_live_explain(config->host, &attr, fd, config->system_wide, error);
	result = add_event(
		opening,
		(struct pgb_live_event){.fd = fd, .tid = tid, .attr = index, .is_aux = is_aux}, cpu,
		error);
	if (result < 0)
		return result;
	if (!opening->first_listing) {
		struct pgb_live_late_id late = {.tid = tid};

		config->sys->control(config->sys->context, fd, PERF_EVENT_IOC_ID,
				     (uintptr_t)&late.id);
		pgb_array_push(&opening->set->late_ids, late);
	}
	return 1;
}

/* Number of events opened for one thread (-1: all), or an error. */
static int open_thread(struct opening *opening, pid_t tid, struct pgb_error *error)
{
	const struct pgb_host *host = opening->config->host;
	int opened = 0;

	for (size_t i = 0; i < host->cpus_online.count; i++) {
		unsigned int cpu = host->cpus_online.items[i];
		bool covered = false;

		for (uint32_t j = 0; j < opening->config->attr_count; j++) {
			int result;

			if (!covers(host, &opening->attrs[j], cpu))
				continue;
			result = open_event(opening, j, tid, cpu, error);
			if (result < 0)
				return result;
			covered = true;
			opened += result;
		}
		if (!covered || opening->config->aux) {
			int result = open_event(opening, (uint32_t)opening->config->attr_count, tid,
						cpu, error);

			if (result < 0)
				return result;
		}
	}
	return opened;
}

static bool is_open(const struct pgb_live_set *set, pid_t tid)
{
	for (size_t i = set->events.count; i-- > 0;)
		if (set->events.items[i].tid == tid)
			return true;
	return false;
}

typedef PGB_ARRAY(pid_t) tid_list;

/* The threads of `pid` that we have no events for yet; false: there is no such process. */
static bool list_new_threads(const struct opening *opening, pid_t pid, tid_list *tids)
{
	char *path = pgb_format("%s/proc/%d/task", opening->config->host->root, (int)pid);
	DIR *folder = opendir(path);
	struct dirent *entry;

	free(path);
	if (folder == NULL)
		return false;
	while ((entry = readdir(folder)) != NULL) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid > 0 && !is_open(opening->set, tid))
			pgb_array_push(tids, tid);
	}
	closedir(folder);
	return true;
}

static void add_late(struct pgb_live_set *set, pid_t tid)
{
	struct pgb_live_late late = {.tid = tid, .opened_tid = tid};

	pgb_array_push(&set->late, late);
}

/*
 * All threads there are, then those that appeared meanwhile, until there are none: each listing
 * is complete before the first event of it is opened, so that what the first one holds cannot
 * have inherited anything.
 */
static int attach(struct opening *opening, struct pgb_error *error)
{
	const struct pgb_feed_live_config *config = opening->config;
	int result = PGB_OK;
	tid_list tids = {0};

	for (int listing = 0; listing < LISTINGS_MAX; listing++) {
		opening->first_listing = listing == 0;
		tids.count = 0;
		for (size_t i = 0; i < config->pid_count; i++)
			if (!list_new_threads(opening, config->pids[i], &tids) && listing == 0) {
				pgb_fail(error, PGB_E_GONE, "there is no process %d",
					 (int)config->pids[i]);
				result = pgb_remedy(error, "see what runs: ps -e");
			}
		for (size_t i = 0; i < tids.count && result >= 0; i++) {
			result = open_thread(opening, tids.items[i], error);
			if (result > 0 && listing > 0)
				add_late(opening->set, tids.items[i]);
		}
		if (tids.count == 0 || result < 0)
			break;
	}
	pgb_array_release(&tids);
	if (result >= 0 && opening->set->events.count == 0)
		result = pgb_fail(error, PGB_E_GONE, "every process to attach to has ended");
	return result < 0 ? result : PGB_OK;
}

static void close_all(struct pgb_live_set *set)
{
	for (size_t i = 0; i < set->rings.count; i++) {
		pgb_ring_aux_close(&set->rings.items[i].aux);
		pgb_ring_close(&set->rings.items[i].ring);
	}
	for (size_t i = 0; i < set->events.count; i++)
		set->sys->close(set->sys->context, set->events.items[i].fd);
	set->rings.count = 0;
	set->events.count = 0;
	set->late.count = 0;
	set->late_ids.count = 0;
}

static void complete_attr(const struct pgb_feed_live_config *config, struct perf_event_attr *attr)
{
	attr->disabled = 1;
	attr->enable_on_exec = config->enable_on_exec;
	attr->inherit = !config->system_wide;
	attr->sample_id_all = 1;
	/* An event that is stopped tells of no mappings: with AUX areas another one does. */
	if (!config->aux || attr->type == PERF_TYPE_SOFTWARE) {
		attr->mmap = 1;
		attr->mmap2 = 1;
		attr->comm = 1;
		attr->comm_exec = 1;
		attr->task = 1;
	}
	attr->use_clockid = 1;
	attr->clockid = pgb_live_uses_ticks(config) ? CLOCK_MONOTONIC_RAW : CLOCK_MONOTONIC;
	attr->watermark = 1; /* of 0 bytes: half the ring, whatever size it gets */
}

/*
 * Ordinary users share perf_event_mlock_kb for each CPU: ask for no more, so that the first CPUs
 * do not take what the last ones need.
 */
static size_t default_ring_pages(const struct pgb_feed_live_config *config)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	bool stacks = config->attrs[0].sample_type & PERF_SAMPLE_BRANCH_STACK;
	size_t pages = (stacks ? RING_BYTES_STACKS : RING_BYTES) / page_bytes;
	uint64_t allowed = config->host->mlock_kib * 1024 / page_bytes;

	if (config->aux && !config->host->has_perfmon)
		allowed /= 3; /* the rest is for the AUX area */
	while (pages > 1 && !config->host->has_perfmon && pages + 1 > allowed)
		pages /= 2;
	return pages;
}

/* Likewise, of what the ring leaves. */
static size_t default_aux_pages(const struct pgb_feed_live_config *config, size_t ring_pages)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), pages = AUX_BYTES / page_bytes;
	uint64_t allowed = config->host->mlock_kib * 1024 / page_bytes;

	while (pages > AUX_PAGES_MIN && !config->host->has_perfmon &&
	       pages + ring_pages + 1 > allowed)
		pages /= 2;
	return pages < AUX_PAGES_MIN ? AUX_PAGES_MIN : pages;
}

static void prepare(struct opening *opening)
{
	const struct pgb_feed_live_config *config = opening->config;

	for (size_t i = 0; i < config->attr_count; i++)
		complete_attr(config, &opening->attrs[i]);
	opening->side_band = (struct perf_event_attr){
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = opening->attrs[0].sample_type & ~(uint64_t)PERF_SAMPLE_BRANCH_STACK,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.read_format = opening->attrs[0].read_format,
	};
	complete_attr(config, &opening->side_band);
	opening->side_band.context_switch = pgb_live_uses_ticks(config);
	opening->set->attr_count = config->attr_count + 1;
	memcpy(opening->set->attrs, opening->attrs, config->attr_count * sizeof(opening->attrs[0]));
	opening->set->attrs[config->attr_count] = opening->side_band;
	opening->set->format = pgb_record_format_of(&opening->attrs[0]);
	opening->ring_pages = config->ring_pages ? config->ring_pages : default_ring_pages(config);
	while (opening->ring_pages & (opening->ring_pages - 1))
		opening->ring_pages &= opening->ring_pages - 1; /* a power of two, not above it */
	opening->aux_pages = config->aux_pages ? config->aux_pages
					       : default_aux_pages(config, opening->ring_pages);
}

static bool is_least(const struct opening *opening)
{
	return opening->ring_pages == 1 &&
	       (!opening->config->aux || opening->aux_pages <= AUX_PAGES_MIN);
}

static void halve_pages(struct opening *opening)
{
	if (opening->ring_pages > 1)
		opening->ring_pages /= 2;
	if (opening->aux_pages > AUX_PAGES_MIN)
		opening->aux_pages /= 2;
}

/* All events and rings, with rings of one size: the largest that there is locked memory for. */
static int open_all(struct opening *opening, struct pgb_error *error)
{
	const struct pgb_feed_live_config *config = opening->config;
	size_t wanted_bytes = ring_bytes(opening);
	int result;

	for (;; halve_pages(opening)) {
		result = config->system_wide ? open_thread(opening, -1, error)
					     : attach(opening, error);
		if (!opening->memory_short || is_least(opening))
			break;
		close_all(opening->set);
		if (error)
			pgb_error_clear(error);
	}
	if (result >= 0 && ring_bytes(opening) < wanted_bytes)
		pgb_log(config->log, PGB_LOG_WARNING,
			"locked memory is short: each CPU's ring has %zu KiB instead of %zu. More "
			"with: sudo sysctl kernel.perf_event_mlock_kb=4096, or ulimit -l",
			ring_bytes(opening) / 1024, wanted_bytes / 1024);
	return result;
}

int pgb_feed_live_open(struct pgb_live_set *set, const struct pgb_feed_live_config *config,
		       struct pgb_error *error)
{
	struct opening opening = {.set = set, .config = config, .first_listing = true};
	int result;

	pgb_assert(config->attr_count > 0 && config->attr_count <= PGB_FEED_LIVE_ATTRS_MAX);
	pgb_assert(config->system_wide ? config->pid_count == 0 : config->pid_count > 0);
	*set = (struct pgb_live_set){.sys = config->sys,
				     .system_wide = config->system_wide,
				     .uses_ticks = pgb_live_uses_ticks(config)};
	memcpy(opening.attrs, config->attrs, config->attr_count * sizeof(opening.attrs[0]));
	result = settle(config->sys, config->host, opening.attrs, config->attr_count,
			config->system_wide, error);
	if (result < 0)
		return result;
	prepare(&opening);
	result = open_all(&opening, error);
	if (result >= 0) {
		pgb_live_set_ticks(set);
		return PGB_OK;
	}
	pgb_feed_live_close(set);
	return result;
}

void pgb_feed_live_close(struct pgb_live_set *set)
{
	close_all(set);
	pgb_array_release(&set->rings);
	pgb_array_release(&set->events);
	pgb_array_release(&set->late);
	pgb_array_release(&set->late_ids);
	*set = (struct pgb_live_set){0};
}
