/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata_events.h"

#include <endian.h>
#include <string.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/base/limits.h"
#include "pgobolt/base/text.h"

enum {
	HEADER_BYTES = 8,
	NOWHERE = UINT8_MAX,
	SAMPLES_AHEAD = 4, /* on their way to the processor's cache */
};

/* Bit `bit` of the flags, which big-endian compilers count from the top. */
static unsigned int flag(uint64_t flags, bool big_endian, unsigned int bit)
{
	return (flags >> (big_endian ? 63 - bit : bit)) & 1;
}

/* The flags that say something about the records or their meaning. */
static void read_flags(struct perf_event_attr *attr, uint64_t flags, bool big_endian)
{
#define FLAG(bit) flag(flags, big_endian, bit)
	attr->inherit = FLAG(1);
	attr->exclude_user = FLAG(4);
	attr->exclude_kernel = FLAG(5);
	attr->exclude_hv = FLAG(6);
	attr->mmap = FLAG(8);
	attr->comm = FLAG(9);
	attr->freq = FLAG(10);
	attr->enable_on_exec = FLAG(12);
	attr->task = FLAG(13);
	attr->precise_ip = big_endian ? FLAG(15) << 1 | FLAG(16) : FLAG(16) << 1 | FLAG(15);
	attr->mmap_data = FLAG(17);
	attr->sample_id_all = FLAG(18);
	attr->exclude_host = FLAG(19);
	attr->exclude_guest = FLAG(20);
	attr->mmap2 = FLAG(23);
	attr->comm_exec = FLAG(24);
	attr->use_clockid = FLAG(25);
	attr->context_switch = FLAG(26);
	attr->write_backward = FLAG(27);
	attr->build_id = FLAG(34);
#undef FLAG
}

/* What an older, shorter attr does not have reads as 0; what a newer one has more is left. */
static struct perf_event_attr read_attr(struct pgb_cursor bytes)
{
	struct pgb_cursor sized = bytes;
	struct perf_event_attr attr = {0};
	uint64_t flags;

	attr.type = pgb_cursor_u32(&bytes);
	attr.size = pgb_cursor_u32(&bytes);
	if (attr.size >= PERF_ATTR_SIZE_VER0 && attr.size < pgb_cursor_left(&sized))
		bytes.end = sized.at + attr.size;
	attr.config = pgb_cursor_u64(&bytes);
	attr.sample_period = pgb_cursor_u64(&bytes);
	attr.sample_type = pgb_cursor_u64(&bytes);
	attr.read_format = pgb_cursor_u64(&bytes);
	flags = pgb_cursor_u64(&bytes);
	read_flags(&attr, flags, bytes.big_endian);
	attr.wakeup_events = pgb_cursor_u32(&bytes);
	attr.bp_type = pgb_cursor_u32(&bytes);
	attr.config1 = pgb_cursor_u64(&bytes);
	attr.config2 = pgb_cursor_u64(&bytes);
	attr.branch_sample_type = pgb_cursor_u64(&bytes);
	attr.sample_regs_user = pgb_cursor_u64(&bytes);
	attr.sample_stack_user = pgb_cursor_u32(&bytes);
	attr.clockid = (int32_t)pgb_cursor_u32(&bytes);
	attr.sample_regs_intr = pgb_cursor_u64(&bytes);
	attr.aux_watermark = pgb_cursor_u32(&bytes);
	attr.sample_max_stack = pgb_cursor_u16(&bytes);
	return attr;
}

static const char *const hardware_names[] = {
	"cycles",
	"instructions",
	"cache-references",
	"cache-misses",
	"branches",
	"branch-misses",
	"bus-cycles",
	"stalled-cycles-frontend",
	"stalled-cycles-backend",
	"ref-cycles",
};
static const char *const software_names[] = {
	"cpu-clock",	    "task-clock",   "page-faults",  "context-switches",
	"cpu-migrations",   "minor-faults", "major-faults", "alignment-faults",
	"emulation-faults", "dummy",	    "bpf-output",   "cgroup-switches",
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char *make_name(const struct perf_event_attr *attr)
{
	const char *modifier = attr->exclude_kernel && !attr->exclude_user ? ":u" : "";
	uint64_t low = attr->config & UINT32_MAX; /* above: which PMU of a hybrid */

	if (attr->type == PERF_TYPE_HARDWARE && low < COUNT(hardware_names))
		return pgb_format("%s%s", hardware_names[low], modifier);
	if (attr->type == PERF_TYPE_SOFTWARE && low < COUNT(software_names))
		return pgb_format("%s%s", software_names[low], modifier);
	if (attr->type == PERF_TYPE_RAW)
		return pgb_format("r%llx%s", (unsigned long long)attr->config, modifier);
	return pgb_format("type=%u,config=0x%llx%s", attr->type, (unsigned long long)attr->config,
			  modifier);
}

static struct pgb_perfdata_places places_of(const struct perf_event_attr *attr)
{
	uint64_t type = attr->sample_type;
	struct pgb_perfdata_places places = {.sample_time = NOWHERE};

	if (!(type & PERF_SAMPLE_TIME))
		return places;
	places.sample_time = (uint8_t)__builtin_popcountll(
		type & (PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID));
	if (attr->sample_id_all)
		places.trailer_time =
			(uint8_t)(1 + __builtin_popcountll(
					      type & (PERF_SAMPLE_ID | PERF_SAMPLE_STREAM_ID |
						      PERF_SAMPLE_CPU | PERF_SAMPLE_IDENTIFIER)));
	return places;
}

static struct pgb_perfdata_id *slot_of(const struct pgb_perfdata_events *events, uint64_t id)
{
	size_t at = (size_t)pgb_hash_u64(id) & (events->id_capacity - 1);

	while (events->ids[at].event_plus_one != 0 && events->ids[at].id != id)
		at = (at + 1) & (events->id_capacity - 1);
	return &events->ids[at];
}

static void grow_ids(struct pgb_perfdata_events *events)
{
	struct pgb_perfdata_events grown = *events;

	grown.id_capacity = events->id_capacity ? events->id_capacity * 2 : 64;
	grown.ids = pgb_calloc(grown.id_capacity, sizeof(*grown.ids));
	for (size_t i = 0; i < events->id_capacity; i++)
		if (events->ids[i].event_plus_one != 0)
			*slot_of(&grown, events->ids[i].id) = events->ids[i];
	free(events->ids);
	*events = grown;
}

int pgb_perfdata_events_add(struct pgb_perfdata_events *events, struct pgb_cursor attr,
			    struct pgb_cursor ids)
{
	struct pgb_perfdata_event event = {0};
	uint32_t index = (uint32_t)events->info->events.count;

	if (index >= PGB_LIMIT_EVENTS ||
	    pgb_cursor_left(&ids) / 8 > PGB_LIMIT_EVENT_IDS - events->ids_seen)
		return PGB_E_LIMIT;
	event.attr = read_attr(attr);
	event.format = pgb_record_format_of(&event.attr);
	event.format.big_endian = attr.big_endian;
	event.name = make_name(&event.attr);
	pgb_array_push(&events->info->events, event);
	pgb_array_push(&events->places, places_of(&event.attr));
	while (pgb_cursor_left(&ids) >= 8) {
		uint64_t id = pgb_cursor_u64(&ids);
		struct pgb_perfdata_id *slot;

		events->ids_seen++;
		if (events->id_count >= events->id_capacity / 2)
			grow_ids(events);
		slot = slot_of(events, id);
		events->id_count += slot->event_plus_one == 0;
		*slot = (struct pgb_perfdata_id){.id = id, .event_plus_one = index + 1};
	}
	return PGB_OK;
}

void pgb_perfdata_events_release(struct pgb_perfdata_events *events)
{
	pgb_array_release(&events->places);
	free(events->ids);
	*events = (struct pgb_perfdata_events){0};
}

size_t pgb_perfdata_events_index(const struct pgb_perfdata_events *events, uint64_t id)
{
	if (events->id_capacity == 0)
		return SIZE_MAX;
	return (size_t)slot_of(events, id)->event_plus_one - 1;
}

/* Words before the id of a sample, and words from the id to the end of other records. */
static void id_places(const struct perf_event_attr *attr, uint8_t *sample, uint8_t *trailer)
{
	uint64_t type = attr->sample_type;

	*sample = *trailer = NOWHERE;
	if (type & PERF_SAMPLE_IDENTIFIER) {
		*sample = 0;
		*trailer = 1;
	} else if (type & PERF_SAMPLE_ID) {
		*sample =
			(uint8_t)__builtin_popcountll(type & (PERF_SAMPLE_IP | PERF_SAMPLE_TID |
							      PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR));
		*trailer = (uint8_t)(1 + __builtin_popcountll(
						 type & (PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU)));
	}
	if (!attr->sample_id_all)
		*trailer = 0;
}

static bool same_format(const struct pgb_record_format *a, const struct pgb_record_format *b)
{
	return a->sample_type == b->sample_type && a->read_format == b->read_format &&
	       a->branch_sample_type == b->branch_sample_type &&
	       a->sample_regs_user == b->sample_regs_user &&
	       a->sample_regs_intr == b->sample_regs_intr && a->sample_id_all == b->sample_id_all;
}

int pgb_perfdata_events_prepare(struct pgb_perfdata_events *events, const char *path,
				struct pgb_error *error)
{
	struct pgb_perfdata_info *info = events->info;
	bool alike = true, same_places = true;

	if (info->events.count == 0)
		return pgb_fail(error, PGB_E_CORRUPT, "%s names no events", path);
	id_places(&info->events.items[0].attr, &events->sample_id, &events->trailer_id);
	for (size_t i = 0; i < info->events.count; i++) {
		struct pgb_perfdata_event *event = &info->events.items[i];
		uint8_t sample, trailer;

		id_places(&event->attr, &sample, &trailer);
		if (sample != events->sample_id || trailer != events->trailer_id)
			same_places = false;
		if (!same_format(&event->format, &info->events.items[0].format))
			alike = false;
	}
	events->told_apart = info->events.count > 1 && events->id_count > 0 && same_places &&
			     events->sample_id != NOWHERE;
	if (!events->told_apart && !alike)
		return pgb_fail(error, PGB_E_CORRUPT,
				"%s has %zu events whose records cannot be told apart", path,
				info->events.count);
	events->prepared = true;
	return PGB_OK;
}

static uint64_t word(const struct pgb_perfdata_events *events, const uint8_t *at)
{
	struct pgb_cursor cursor = pgb_cursor_of(at, 8);

	cursor.big_endian = events->info->big_endian;
	return pgb_cursor_u64(&cursor);
}

bool pgb_perfdata_events_find(const struct pgb_perfdata_events *events, uint32_t type,
			      const uint8_t *bytes, size_t size_bytes, uint16_t *event,
			      uint64_t *time_ns)
{
	size_t words = (size_bytes - HEADER_BYTES) / 8;
	const uint8_t *body = bytes + HEADER_BYTES;
	const uint8_t *end = bytes + size_bytes;
	bool sample = type == PERF_RECORD_SAMPLE;
	uint8_t place;

	*event = 0;
	*time_ns = 0;
	if (events->told_apart) {
		uint64_t id = 0;
		uint32_t found;

		if (sample && events->sample_id < words)
			id = word(events, body + 8 * (size_t)events->sample_id);
		else if (!sample && events->trailer_id != 0 && events->trailer_id <= words)
			id = word(events, end - 8 * (size_t)events->trailer_id);
		found = slot_of(events, id)->event_plus_one;
		if (found == 0 && id != 0 && sample)
			return false;
		*event = (uint16_t)(found ? found - 1 : 0);
	}
	if (sample) {
		place = events->places.items[*event].sample_time;
		if (place != NOWHERE && place < words)
			*time_ns = word(events, body + 8 * (size_t)place);
	} else {
		place = events->places.items[*event].trailer_time;
		if (place != 0 && place <= words)
			*time_ns = word(events, end - 8 * (size_t)place);
	}
	if (*time_ns == UINT64_MAX)
		*time_ns = 0;
	return true;
}

static size_t size_of(const struct pgb_perfdata_events *events, const uint8_t *bytes)
{
	struct perf_event_header header;

	memcpy(&header, bytes, sizeof(header));
	return events->info->big_endian ? be16toh(header.size) : le16toh(header.size);
}

static bool is_sample(const struct pgb_perfdata_events *events, const uint8_t *bytes)
{
	struct perf_event_header header;

	memcpy(&header, bytes, sizeof(header));
	return (events->info->big_endian ? be32toh(header.type) : le32toh(header.type)) ==
	       PERF_RECORD_SAMPLE;
}

void pgb_perfdata_events_extend(const struct pgb_perfdata_events *events, struct pgb_cursor bytes,
				uint64_t most, struct pgb_perfdata_entry *entry)
{
	while (entry->count < most && pgb_cursor_left(&bytes) >= HEADER_BYTES) {
		size_t size_bytes = size_of(events, bytes.at);
		uint64_t time_ns;
		uint16_t event;

		/* Where one of those behind begins, if they are of one size: they mostly are. */
		__builtin_prefetch(bytes.at + SAMPLES_AHEAD * size_bytes);
		if (!is_sample(events, bytes.at) || size_bytes < HEADER_BYTES ||
		    size_bytes > pgb_cursor_left(&bytes) ||
		    !pgb_perfdata_events_find(events, PERF_RECORD_SAMPLE, bytes.at, size_bytes,
					      &event, &time_ns) ||
		    event != entry->event || time_ns < entry->last_ns)
			return;
		entry->last_ns = time_ns;
		entry->size_bytes += (uint32_t)size_bytes;
		entry->count++;
		pgb_cursor_skip(&bytes, size_bytes);
	}
}

void pgb_perfdata_events_cut(const void *context, struct pgb_perfdata_entry *entry,
			     struct pgb_perfdata_entry *first)
{
	const struct pgb_perfdata_events *events = context;
	size_t size_bytes = size_of(events, entry->bytes);
	uint16_t event;

	*first = *entry;
	first->size_bytes = (uint32_t)size_bytes;
	first->count = 1;
	first->last_ns = first->time_ns;
	entry->bytes += size_bytes;
	entry->size_bytes -= (uint32_t)size_bytes;
	entry->count--;
	(void)pgb_perfdata_events_find(events, PERF_RECORD_SAMPLE, entry->bytes,
				       size_of(events, entry->bytes), &event, &entry->time_ns);
}
