/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/record.h"

#include <string.h>
#include <sys/mman.h>

#include "pgobolt/base/limits.h"

enum {
	HEADER_BYTES = 8,
	ENTRY_BYTES = 24,
	KERNEL_BUILD_ID_BYTES = 20,
	CALLCHAIN_DEFERRED = 22, /* PERF_RECORD_CALLCHAIN_DEFERRED of newer headers */
};

/* The fields of the sample_id trailer, one word each; IDENTIFIER is last there. */
#define TRAILER_FIELDS                                                                             \
	(PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID | PERF_SAMPLE_STREAM_ID |             \
	 PERF_SAMPLE_CPU | PERF_SAMPLE_IDENTIFIER)

struct pgb_record_format pgb_record_format_of(const struct perf_event_attr *attr)
{
	return (struct pgb_record_format){
		.sample_type = attr->sample_type,
		.read_format = attr->read_format,
		.branch_sample_type = attr->branch_sample_type,
		.sample_regs_user = attr->sample_regs_user,
		.sample_regs_intr = attr->sample_regs_intr,
		.sample_id_all = attr->sample_id_all,
	};
}

bool pgb_record_known(uint32_t type)
{
	return type >= PERF_RECORD_MMAP && type <= CALLCHAIN_DEFERRED;
}

/* Bit fields start at the other end there; within a field the order of bits is the same. */
uint64_t pgb_record_entry_swap(uint64_t bits)
{
	/* mispred, predicted, in_tx, abort, cycles, type, spec, new_type, priv */
	static const uint8_t widths[] = {1, 1, 1, 1, 16, 4, 2, 4, 3};
	uint64_t swapped = 0;
	unsigned int place = 0;

	for (size_t i = 0; i < sizeof(widths); i++) {
		uint64_t mask = (UINT64_C(1) << widths[i]) - 1;

		swapped |= ((bits >> (64 - place - widths[i])) & mask) << place;
		place += widths[i];
	}
	return swapped;
}

static void read_tid(struct pgb_cursor *body, struct pgb_record *record)
{
	record->pid = pgb_cursor_u32(body);
	record->tid = pgb_cursor_u32(body);
}

static void read_time(struct pgb_cursor *body, struct pgb_record *record)
{
	record->time_ns = pgb_cursor_u64(body);
	record->has_time = true;
}

static void read_cpu(struct pgb_cursor *body, struct pgb_record *record)
{
	record->cpu = pgb_cursor_u32(body);
	pgb_cursor_skip(body, 4);
}

static void skip_words(struct pgb_cursor *body, uint64_t count)
{
	if (pgb_cursor_holds(body, count, 8))
		pgb_cursor_skip(body, count * 8);
	else
		body->truncated = true;
}

/* PERF_SAMPLE_READ: one value, or nr of them in a group, each with its id and losses. */
static void skip_read(struct pgb_cursor *body, uint64_t read_format)
{
	unsigned int times = !!(read_format & PERF_FORMAT_TOTAL_TIME_ENABLED) +
			     !!(read_format & PERF_FORMAT_TOTAL_TIME_RUNNING);
	unsigned int per_value =
		1 + !!(read_format & PERF_FORMAT_ID) + !!(read_format & PERF_FORMAT_LOST);
	uint64_t count = 1;

	if (read_format & PERF_FORMAT_GROUP)
		count = pgb_cursor_u64(body);
	skip_words(body, times);
	if (pgb_cursor_holds(body, count, 8 * per_value))
		skip_words(body, count * per_value);
	else
		body->truncated = true;
}

static void skip_registers(struct pgb_cursor *body, uint64_t mask)
{
	uint64_t abi = pgb_cursor_u64(body);

	if (abi != PERF_SAMPLE_REGS_ABI_NONE)
		skip_words(body, (uint64_t)__builtin_popcountll(mask));
}

static void skip_user_stack(struct pgb_cursor *body)
{
	uint64_t size_bytes = pgb_cursor_u64(body);

	if (size_bytes == 0)
		return;
	pgb_cursor_skip(body, size_bytes);
	pgb_cursor_skip(body, 8); /* how much of it is stack */
}

static void read_stack(struct pgb_cursor *body, uint64_t branch_sample_type,
		       struct pgb_record_stack *stack)
{
	uint64_t count = pgb_cursor_u64(body);

	if (branch_sample_type & PERF_SAMPLE_BRANCH_HW_INDEX)
		stack->hw_index = pgb_cursor_u64(body);
	if (count > PGB_LIMIT_STACK_ENTRIES || !pgb_cursor_holds(body, count, ENTRY_BYTES)) {
		body->truncated = true;
		return;
	}
	stack->count = count;
	stack->entries = pgb_cursor_sub(body, count * ENTRY_BYTES);
	if (branch_sample_type & PGB_SAMPLE_BRANCH_COUNTERS)
		skip_words(body, count);
}

/* The part of a sample from the weight on, all of it rare. */
static void read_sample_tail(struct pgb_cursor *body, const struct pgb_record_format *format,
			     struct pgb_record *record)
{
	uint64_t type = format->sample_type;

	if (type & PERF_SAMPLE_WEIGHT_TYPE)
		record->weight = pgb_cursor_u64(body);
	if (type & PERF_SAMPLE_DATA_SRC)
		skip_words(body, 1);
	if (type & PERF_SAMPLE_TRANSACTION)
		skip_words(body, 1);
	if (type & PERF_SAMPLE_REGS_INTR)
		skip_registers(body, format->sample_regs_intr);
	if (type & PERF_SAMPLE_PHYS_ADDR)
		skip_words(body, 1);
	if (type & PERF_SAMPLE_CGROUP)
		skip_words(body, 1);
	if (type & PERF_SAMPLE_DATA_PAGE_SIZE)
		skip_words(body, 1);
	if (type & PERF_SAMPLE_CODE_PAGE_SIZE)
		skip_words(body, 1);
	if (type & PERF_SAMPLE_AUX)
		record->aux_bytes = pgb_cursor_sub(body, pgb_cursor_u64(body));
}

static void read_sample(struct pgb_cursor *body, const struct pgb_record_format *format,
			struct pgb_record *record)
{
	uint64_t type = format->sample_type;

	if (type & PERF_SAMPLE_IDENTIFIER)
		record->id = pgb_cursor_u64(body);
	if (type & PERF_SAMPLE_IP)
		record->ip = pgb_cursor_u64(body);
	if (type & PERF_SAMPLE_TID)
		read_tid(body, record);
	if (type & PERF_SAMPLE_TIME)
		read_time(body, record);
	if (type & PERF_SAMPLE_ADDR)
		record->address = pgb_cursor_u64(body);
	if (type & PERF_SAMPLE_ID)
		record->id = pgb_cursor_u64(body);
	if (type & PERF_SAMPLE_STREAM_ID)
		record->stream_id = pgb_cursor_u64(body);
	if (type & PERF_SAMPLE_CPU)
		read_cpu(body, record);
	if (type & PERF_SAMPLE_PERIOD)
		record->period_events = pgb_cursor_u64(body);
	if (type & PERF_SAMPLE_READ)
		skip_read(body, format->read_format);
	if (type & PERF_SAMPLE_CALLCHAIN)
		skip_words(body, pgb_cursor_u64(body));
	if (type & PERF_SAMPLE_RAW)
		record->raw = pgb_cursor_sub(body, pgb_cursor_u32(body));
	if (type & PERF_SAMPLE_BRANCH_STACK)
		read_stack(body, format->branch_sample_type, &record->stack);
	if (type & PERF_SAMPLE_REGS_USER)
		skip_registers(body, format->sample_regs_user);
	if (type & PERF_SAMPLE_STACK_USER)
		skip_user_stack(body);
	if (type >= PERF_SAMPLE_WEIGHT)
		read_sample_tail(body, format, record);
}

static void read_subject(struct pgb_cursor *body, struct pgb_record *record)
{
	record->subject_pid = pgb_cursor_u32(body);
	record->subject_tid = pgb_cursor_u32(body);
}

static void read_build_id(struct pgb_cursor *body, struct pgb_build_id *id)
{
	const uint8_t *bytes;

	id->size_bytes = pgb_cursor_u8(body);
	pgb_cursor_skip(body, 3);
	bytes = pgb_cursor_bytes(body, KERNEL_BUILD_ID_BYTES);
	if (id->size_bytes > KERNEL_BUILD_ID_BYTES)
		body->truncated = true;
	else if (bytes)
		memcpy(id->bytes, bytes, id->size_bytes);
}

static void read_mmap(struct pgb_cursor *body, struct pgb_record *record)
{
	struct pgb_record_mmap *mmap = &record->mmap;

	*mmap = (struct pgb_record_mmap){0};
	read_subject(body, record);
	mmap->address = pgb_cursor_u64(body);
	mmap->length = pgb_cursor_u64(body);
	mmap->offset_file = pgb_cursor_u64(body);
	if (record->type == PERF_RECORD_MMAP) {
		if (!(record->misc & PERF_RECORD_MISC_MMAP_DATA))
			mmap->protection = PROT_EXEC;
	} else {
		if (record->misc & PERF_RECORD_MISC_MMAP_BUILD_ID) {
			read_build_id(body, &mmap->build_id);
		} else {
			mmap->major = pgb_cursor_u32(body);
			mmap->minor = pgb_cursor_u32(body);
			mmap->inode = pgb_cursor_u64(body);
			mmap->inode_generation = pgb_cursor_u64(body);
		}
		mmap->protection = pgb_cursor_u32(body);
		mmap->flags = pgb_cursor_u32(body);
	}
	mmap->path = pgb_cursor_string(body);
}

/* FORK and EXIT: pid, parent pid, tid, parent tid, time. */
static void read_task(struct pgb_cursor *body, struct pgb_record *record)
{
	record->subject_pid = pgb_cursor_u32(body);
	record->task.parent_pid = pgb_cursor_u32(body);
	record->subject_tid = pgb_cursor_u32(body);
	record->task.parent_tid = pgb_cursor_u32(body);
	read_time(body, record);
}

static void read_side_band(struct pgb_cursor *body, struct pgb_record *record)
{
	switch (record->type) {
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
		read_mmap(body, record);
		break;
	case PERF_RECORD_COMM:
		read_subject(body, record);
		record->comm = pgb_cursor_string(body);
		break;
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		read_task(body, record);
		break;
	case PERF_RECORD_LOST:
		record->id = pgb_cursor_u64(body);
		record->lost = pgb_cursor_u64(body);
		break;
	case PERF_RECORD_LOST_SAMPLES:
		record->lost = pgb_cursor_u64(body);
		break;
	case PERF_RECORD_THROTTLE:
	case PERF_RECORD_UNTHROTTLE:
		read_time(body, record);
		record->id = pgb_cursor_u64(body);
		record->stream_id = pgb_cursor_u64(body);
		break;
	case PERF_RECORD_AUX:
		record->aux.offset = pgb_cursor_u64(body);
		record->aux.size_bytes = pgb_cursor_u64(body);
		record->aux.flags = pgb_cursor_u64(body);
		break;
	case PERF_RECORD_ITRACE_START:
		read_subject(body, record);
		break;
	case PERF_RECORD_SWITCH_CPU_WIDE:
		record->other.pid = pgb_cursor_u32(body);
		record->other.tid = pgb_cursor_u32(body);
		break;
	}
}

/* Cut the sample_id trailer off the body's end. */
static struct pgb_cursor cut_trailer(struct pgb_cursor *body, uint64_t sample_type)
{
	size_t size_bytes = 8 * (size_t)__builtin_popcountll(sample_type & TRAILER_FIELDS);
	struct pgb_cursor trailer = *body;

	if (size_bytes > pgb_cursor_left(body)) {
		body->truncated = true;
		trailer.at = trailer.end;
		return trailer;
	}
	trailer.at = body->end - size_bytes;
	body->end = trailer.at;
	return trailer;
}

static void read_trailer(struct pgb_cursor *trailer, uint64_t sample_type,
			 struct pgb_record *record)
{
	if (sample_type & PERF_SAMPLE_TID)
		read_tid(trailer, record);
	if (sample_type & PERF_SAMPLE_TIME)
		read_time(trailer, record);
	if (sample_type & PERF_SAMPLE_ID)
		record->id = pgb_cursor_u64(trailer);
	if (sample_type & PERF_SAMPLE_STREAM_ID)
		record->stream_id = pgb_cursor_u64(trailer);
	if (sample_type & PERF_SAMPLE_CPU)
		read_cpu(trailer, record);
	if (sample_type & PERF_SAMPLE_IDENTIFIER)
		record->id = pgb_cursor_u64(trailer);
}

static void read_body(struct pgb_cursor *body, const struct pgb_record_format *format,
		      struct pgb_record *record)
{
	struct pgb_cursor trailer;

	if (record->type == PERF_RECORD_SAMPLE) {
		read_sample(body, format, record);
		return;
	}
	if (!pgb_record_known(record->type))
		return;
	if (!format->sample_id_all) {
		read_side_band(body, record);
		return;
	}
	trailer = cut_trailer(body, format->sample_type);
	read_side_band(body, record);
	if (!body->truncated)
		read_trailer(&trailer, format->sample_type, record);
}

int pgb_record_parse(struct pgb_cursor *bytes, const struct pgb_record_format *format,
		     struct pgb_record *record)
{
	struct pgb_cursor body = *bytes;

	if (pgb_cursor_left(bytes) == 0)
		return 0;
	if (pgb_cursor_left(bytes) < HEADER_BYTES)
		return PGB_E_TRUNCATED;
	body.big_endian = format->big_endian;
	body.truncated = false;
	/* Without the union, which is large: samples are many, and do not use it. */
	memset(record, 0, offsetof(struct pgb_record, mmap));
	record->stack.hw_index = UINT64_MAX;
	record->type = pgb_cursor_u32(&body);
	record->misc = pgb_cursor_u16(&body);
	record->size_bytes = pgb_cursor_u16(&body);
	if (record->size_bytes < HEADER_BYTES) {
		pgb_cursor_skip(bytes, pgb_cursor_left(bytes));
		return PGB_E_CORRUPT;
	}
	if (record->size_bytes > pgb_cursor_left(bytes))
		return PGB_E_TRUNCATED;
	body.end = bytes->at + record->size_bytes;
	pgb_cursor_skip(bytes, record->size_bytes);
	read_body(&body, format, record);
	return body.truncated ? PGB_E_CORRUPT : 1;
}
