/* SPDX-License-Identifier: MIT */
#include "tests/support/fake_perf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/base/alloc.h"
#include "tests/support/perf_encode.h"

enum {
	EVENTS_MAX = 65536,
	FIRST_FD = 1000, /* so that a mix-up with a real descriptor shows */
};

struct ring {
	struct perf_event_mmap_page *page;
	size_t map_bytes;
	uint64_t head, lost;
	uint8_t *aux;
	size_t aux_bytes;
	uint64_t aux_head;
};

struct event {
	struct fake_event public; /* first */
	struct ring ring;
};

struct fake_perf {
	struct pgb_perf_sys sys;
	struct event **events;
	size_t count, open_count;
	fake_refuse refuse;
	void *refuse_context;
	size_t descriptors_max, locked_bytes_max, locked_bytes;
	uint64_t now_ns;
	uint64_t ticks; /* 0: there is no counter */
	uint32_t ticks_multiplier;
	uint16_t ticks_shift;
	unsigned int polls;
};

static struct event *event_of(struct fake_perf *perf, int fd)
{
	size_t index = (size_t)(fd - FIRST_FD);

	if (fd < FIRST_FD || index >= perf->count || perf->events[index]->public.closed)
		return NULL;
	return perf->events[index];
}

static int check_attr(const struct perf_event_attr *attr, pid_t pid, int cpu)
{
	if (attr->size < PERF_ATTR_SIZE_VER0)
		return -E2BIG;
	if (pid == -1 && cpu == -1)
		return -EINVAL;
	if (attr->enable_on_exec && attr->remove_on_exec)
		return -EINVAL;
	if (attr->sample_type & PERF_SAMPLE_BRANCH_STACK &&
	    (attr->branch_sample_type & ~(uint64_t)PERF_SAMPLE_BRANCH_PLM_ALL) == 0)
		return -EINVAL;
	if (attr->type == PERF_TYPE_SOFTWARE && attr->sample_type & PERF_SAMPLE_BRANCH_STACK)
		return -EOPNOTSUPP;
	return 0;
}

static int fake_open(void *context, struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd,
		     unsigned long flags)
{
	struct fake_perf *perf = context;
	int code = check_attr(attr, pid, cpu);
	struct event *event;

	pgb_assert(group_fd == -1);
	if (code == 0 && perf->refuse)
		code = perf->refuse(perf->refuse_context, attr, pid, cpu);
	if (code == 0 && perf->descriptors_max && perf->open_count >= perf->descriptors_max)
		code = -EMFILE;
	if (code < 0)
		return code;
	pgb_assert(perf->count < EVENTS_MAX);
	event = pgb_calloc(1, sizeof(*event));
	event->public = (struct fake_event){
		.fd = FIRST_FD + (int)perf->count,
		.attr = *attr,
		.pid = pid,
		.cpu = cpu,
		.flags = flags,
		.id = 100 + perf->count,
		.enabled = !attr->disabled,
	};
	perf->events = pgb_realloc_array(perf->events, perf->count + 1, sizeof(event));
	perf->events[perf->count++] = event;
	perf->open_count++;
	return event->public.fd;
}

static bool is_power_of_two(size_t value)
{
	return value && (value & (value - 1)) == 0;
}

/* Behind the ring, whose first page says where and how much; whole powers of two. */
static int map_aux(struct fake_perf *perf, struct event *event, size_t size_bytes, off_t offset,
		   void **address)
{
	struct ring *ring = &event->ring;
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

	if (ring->page == NULL || ring->aux || event->public.attr.type == PERF_TYPE_SOFTWARE ||
	    (uint64_t)offset != ring->page->aux_offset || size_bytes != ring->page->aux_size ||
	    (size_t)offset < ring->map_bytes || size_bytes < 2 * page_bytes ||
	    !is_power_of_two(size_bytes / page_bytes))
		return -EINVAL;
	if (perf->locked_bytes_max && perf->locked_bytes + size_bytes > perf->locked_bytes_max)
		return -EPERM;
	*address =
		mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pgb_assert(*address != MAP_FAILED);
	perf->locked_bytes += size_bytes;
	ring->aux = *address;
	ring->aux_bytes = size_bytes;
	return 0;
}

static int fake_map(void *context, int fd, size_t size_bytes, int protection, off_t offset,
		    void **address)
{
	struct fake_perf *perf = context;
	struct event *event = event_of(perf, fd);
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	size_t data_bytes = size_bytes - page_bytes;
	void *memory;

	if (event == NULL)
		return -EBADF;
	if (offset)
		return map_aux(perf, event, size_bytes, offset, address);
	if (size_bytes <= page_bytes || data_bytes % page_bytes || offset ||
	    !is_power_of_two(data_bytes / page_bytes) || event->ring.page ||
	    (event->public.attr.inherit && event->public.cpu == -1))
		return -EINVAL;
	if (perf->locked_bytes_max && perf->locked_bytes + size_bytes > perf->locked_bytes_max)
		return -EPERM;
	memory =
		mmap(NULL, size_bytes, protection | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pgb_assert(memory != MAP_FAILED);
	perf->locked_bytes += size_bytes;
	event->ring = (struct ring){.page = memory, .map_bytes = size_bytes};
	event->ring.page->data_offset = page_bytes;
	event->ring.page->data_size = data_bytes;
	event->ring.page->cap_user_time = perf->ticks != 0;
	event->ring.page->time_mult = perf->ticks_multiplier;
	event->ring.page->time_shift = perf->ticks_shift;
	event->public.output = &event->public;
	*address = memory;
	return 0;
}

static int fake_unmap(void *context, void *address, size_t size_bytes)
{
	struct fake_perf *perf = context;

	for (size_t i = 0; i < perf->count; i++) {
		struct ring *ring = &perf->events[i]->ring;

		if (ring->aux == address) {
			pgb_assert(ring->aux_bytes == size_bytes);
			munmap(address, size_bytes);
			perf->locked_bytes -= size_bytes;
			ring->aux = NULL;
			return 0;
		}
		if (ring->page != address)
			continue;
		pgb_assert(ring->aux == NULL);
		pgb_assert(ring->map_bytes == size_bytes);
		munmap(address, size_bytes);
		perf->locked_bytes -= size_bytes;
		*ring = (struct ring){0};
		return 0;
	}
	return -EINVAL;
}

static int set_output(struct fake_event *event, struct event *target)
{
	if (target == NULL)
		return -EBADF;
	if (target->public.cpu != event->cpu || target->ring.page == NULL ||
	    target->public.attr.use_clockid != event->attr.use_clockid ||
	    target->public.attr.clockid != event->attr.clockid)
		return -EINVAL;
	event->output = &target->public;
	return 0;
}

static int fake_control(void *context, int fd, unsigned long request, uintptr_t argument)
{
	struct fake_perf *perf = context;
	struct event *event = event_of(perf, fd);

	if (event == NULL)
		return -EBADF;
	switch (request) {
	case PERF_EVENT_IOC_ENABLE:
	case PERF_EVENT_IOC_DISABLE:
		event->public.enabled = request == PERF_EVENT_IOC_ENABLE;
		return 0;
	case PERF_EVENT_IOC_SET_OUTPUT:
		return set_output(&event->public, event_of(perf, (int)argument));
	case PERF_EVENT_IOC_ID:
		*(uint64_t *)argument = event->public.id;
		return 0;
	}
	return -ENOTTY;
}

uint64_t fake_perf_waiting(const struct fake_event *event)
{
	const struct ring *ring = &((const struct event *)event->output)->ring;

	return ring->head - __atomic_load_n(&ring->page->data_tail, __ATOMIC_ACQUIRE);
}

uint64_t fake_perf_ring_bytes(const struct fake_event *event, bool aux)
{
	const struct ring *ring;

	if (event->output == NULL)
		return 0;
	ring = &((const struct event *)event->output)->ring;
	return aux ? ring->aux_bytes : ring->page->data_size;
}

uint64_t fake_perf_aux_waiting(const struct fake_event *event)
{
	const struct ring *ring = &((const struct event *)event->output)->ring;

	return ring->aux_head - __atomic_load_n(&ring->page->aux_tail, __ATOMIC_ACQUIRE);
}

/* Half of the AUX area is full: aux_watermark 0. */
static bool wants_aux_read(const struct fake_event *event)
{
	const struct ring *ring = &((const struct event *)event->output)->ring;

	return ring->aux && fake_perf_aux_waiting(event) >= ring->aux_bytes / 2;
}

static short poll_events(const struct event *event)
{
	const struct perf_event_attr *attr;
	uint64_t watermark;

	if (event == NULL)
		return POLLNVAL;
	if (event->public.hung_up)
		return POLLHUP;
	if (event->public.output == NULL)
		return POLLHUP;
	if (wants_aux_read(&event->public))
		return POLLIN;
	attr = &event->public.attr;
	watermark = attr->watermark ? attr->wakeup_watermark : 1;
	if (watermark == 0)
		watermark = ((const struct event *)event->public.output)->ring.page->data_size / 2;
	return fake_perf_waiting(&event->public) >= watermark ? POLLIN : 0;
}

static int fake_poll(void *context, struct pollfd *descriptors, size_t count, int timeout_ms)
{
	struct fake_perf *perf = context;
	int ready = 0;

	perf->polls++;
	for (size_t i = 0; i < count; i++) {
		descriptors[i].revents = 0;
		if (descriptors[i].fd >= 0)
			descriptors[i].revents = poll_events(event_of(perf, descriptors[i].fd));
		ready += descriptors[i].revents != 0;
	}
	if (ready == 0 && timeout_ms > 0)
		perf->now_ns += (uint64_t)timeout_ms * 1000000;
	return ready;
}

static ssize_t fake_read(void *context, int fd, void *buffer, size_t size_bytes)
{
	struct event *event = event_of(context, fd);
	const struct fake_event *public;
	uint64_t values[5];
	size_t count = 0;

	if (event == NULL)
		return -EBADF;
	public = &event->public;
	values[count++] = public->value;
	if (public->attr.read_format & PERF_FORMAT_TOTAL_TIME_ENABLED)
		values[count++] = public->time_enabled_ns;
	if (public->attr.read_format & PERF_FORMAT_TOTAL_TIME_RUNNING)
		values[count++] = public->time_running_ns;
	if (public->attr.read_format & PERF_FORMAT_ID)
		values[count++] = public->id;
	if (public->attr.read_format & 16 /* PERF_FORMAT_LOST */)
		values[count++] = public->lost;
	if (size_bytes < count * sizeof(values[0]))
		return -ENOSPC;
	memcpy(buffer, values, count * sizeof(values[0]));
	return (ssize_t)(count * sizeof(values[0]));
}

static int fake_close(void *context, int fd)
{
	struct fake_perf *perf = context;
	struct event *event = event_of(perf, fd);

	if (event == NULL)
		return -EBADF;
	event->public.closed = true;
	perf->open_count--;
	return 0;
}

static uint64_t fake_clock(void *context)
{
	return ((struct fake_perf *)context)->now_ns;
}

static uint64_t fake_raw_clock(void *context, uint64_t *ticks)
{
	*ticks = ((struct fake_perf *)context)->ticks;
	return fake_clock(context);
}

struct fake_perf *fake_perf_new(void)
{
	struct fake_perf *perf = pgb_calloc(1, sizeof(*perf));

	perf->now_ns = UINT64_C(1000000000000);
	perf->sys = (struct pgb_perf_sys){
		.event_open = fake_open,
		.map = fake_map,
		.unmap = fake_unmap,
		.control = fake_control,
		.poll = fake_poll,
		.read = fake_read,
		.close = fake_close,
		.clock_ns = fake_clock,
		.raw_clock_ns = fake_raw_clock,
		.context = perf,
	};
	return perf;
}

void fake_perf_free(struct fake_perf *perf)
{
	pgb_assert(perf->open_count == 0 && perf->locked_bytes == 0);
	for (size_t i = 0; i < perf->count; i++)
		free(perf->events[i]);
	free(perf->events);
	free(perf);
}

const struct pgb_perf_sys *fake_perf_sys(struct fake_perf *perf)
{
	return &perf->sys;
}

void fake_perf_refuse(struct fake_perf *perf, fake_refuse refuse, void *context)
{
	perf->refuse = refuse;
	perf->refuse_context = context;
}

void fake_perf_limit(struct fake_perf *perf, size_t descriptors_max, size_t locked_bytes_max)
{
	perf->descriptors_max = descriptors_max;
	perf->locked_bytes_max = locked_bytes_max;
}

void fake_perf_set_clock(struct fake_perf *perf, uint64_t now_ns)
{
	perf->now_ns = now_ns;
}

void fake_perf_set_ticks(struct fake_perf *perf, uint64_t now, uint32_t multiplier, uint16_t shift)
{
	perf->ticks = now;
	perf->ticks_multiplier = multiplier;
	perf->ticks_shift = shift;
}

struct fake_event *fake_perf_event(struct fake_perf *perf, size_t index)
{
	return index < perf->count ? &perf->events[index]->public : NULL;
}

struct fake_event *fake_perf_find(struct fake_perf *perf, pid_t pid, int cpu)
{
	for (size_t i = 0; i < perf->count; i++) {
		struct fake_event *event = &perf->events[i]->public;

		if (!event->closed && event->pid == pid && event->cpu == cpu)
			return event;
	}
	return NULL;
}

size_t fake_perf_open_count(const struct fake_perf *perf)
{
	return perf->open_count;
}

unsigned int fake_perf_polls(const struct fake_perf *perf)
{
	return perf->polls;
}

void fake_perf_exec(struct fake_perf *perf, pid_t pid)
{
	for (size_t i = 0; i < perf->count; i++) {
		struct fake_event *event = &perf->events[i]->public;

		if (event->pid == pid && event->attr.enable_on_exec)
			event->enabled = true;
	}
}

/* Copy behind the head, around the end where needed; the caller has looked for room. */
static void append(struct ring *ring, const void *bytes, size_t size_bytes)
{
	uint8_t *data = (uint8_t *)ring->page + ring->page->data_offset;

	for (size_t i = 0; i < size_bytes; i++)
		data[(ring->head + i) & (ring->page->data_size - 1)] = ((const uint8_t *)bytes)[i];
	ring->head += size_bytes;
}

bool fake_perf_write(struct fake_perf *perf, struct fake_event *event, const void *record,
		     size_t size_bytes)
{
	struct perf_identity who = {.time_ns = perf->now_ns, .id = event->id};
	struct perf_bytes lost = {0};
	struct ring *ring;
	uint64_t room;
	bool fits;

	if (!event->enabled || event->closed || event->output == NULL)
		return false;
	ring = &((struct event *)event->output)->ring;
	room = ring->page->data_size - fake_perf_waiting(event);
	if (ring->lost)
		perf_encode_lost(&lost, &event->attr, &who, ring->lost);
	fits = size_bytes + lost.length <= room;
	if (fits) {
		append(ring, lost.data, lost.length);
		append(ring, record, size_bytes);
		ring->lost = 0;
	} else {
		ring->lost++;
		event->lost++;
	}
	perf_bytes_release(&lost);
	__atomic_store_n(&ring->page->data_head, ring->head, __ATOMIC_RELEASE);
	return fits;
}

bool fake_perf_write_aux(struct fake_perf *perf, struct fake_event *event,
			 const struct perf_identity *who, const void *bytes, size_t size_bytes,
			 uint64_t flags)
{
	struct perf_identity identity = *who;
	struct perf_bytes record = {0};
	struct ring *ring;
	uint64_t place, head, tail;
	bool fits;

	if (!event->enabled || event->closed || event->output == NULL)
		return false;
	ring = &((struct event *)event->output)->ring;
	head = ring->aux_head;
	place = head & (ring->aux_bytes - 1);
	if (place + size_bytes > ring->aux_bytes)
		head += ring->aux_bytes - place;
	tail = __atomic_load_n(&ring->page->aux_tail, __ATOMIC_ACQUIRE);
	fits = head + size_bytes - tail <= ring->aux_bytes;
	if (fits) {
		memcpy(ring->aux + (head & (ring->aux_bytes - 1)), bytes, size_bytes);
		ring->aux_head = head + size_bytes;
	} else {
		flags |= PERF_AUX_FLAG_TRUNCATED;
	}
	identity.id = event->id;
	identity.time_ns = perf->now_ns;
	perf_encode_aux(&record, &event->attr, &identity, fits ? head : ring->aux_head,
			fits ? size_bytes : 0, flags);
	__atomic_store_n(&ring->page->aux_head, ring->aux_head, __ATOMIC_RELEASE);
	fits = fake_perf_write(perf, event, record.data, record.length) && fits;
	perf_bytes_release(&record);
	if (flags & PERF_AUX_FLAG_TRUNCATED)
		event->enabled = false;
	return fits;
}
