/* SPDX-License-Identifier: MIT */
#include "tests/lab/reencode.h"

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/limits.h"

static void write_sample(struct perf_bytes *out, const struct perf_event_attr *attr,
			 const struct perf_identity *who, const struct pgb_record *record)
{
	static struct perf_entry entries[PGB_LIMIT_STACK_ENTRIES];
	struct pgb_cursor stack = record->stack.entries;
	struct perf_sample sample = {.who = *who,
				     .misc = record->misc,
				     .ip = record->ip,
				     .address = record->address,
				     .period_events = record->period_events,
				     .raw = record->raw.at,
				     .raw_bytes = pgb_cursor_left(&record->raw),
				     .entries = entries,
				     .entry_count = record->stack.count,
				     .hw_index = record->stack.hw_index,
				     .weight = record->weight};

	for (uint64_t i = 0; i < record->stack.count; i++) {
		struct pgb_record_entry entry = pgb_record_entry(&stack);

		entries[i] = (struct perf_entry){entry.from, entry.to, entry.bits};
	}
	perf_encode_sample(out, attr, &sample);
}

static void write_map(struct perf_bytes *out, const struct perf_event_attr *attr,
		      const struct perf_identity *who, const struct pgb_record *record)
{
	const struct pgb_record_mmap *mmap = &record->mmap;
	struct perf_map map = {.pid = record->subject_pid,
			       .tid = record->subject_tid,
			       .address = mmap->address,
			       .length = mmap->length,
			       .offset_file = mmap->offset_file,
			       .major = mmap->major,
			       .minor = mmap->minor,
			       .inode = mmap->inode,
			       .inode_generation = mmap->inode_generation,
			       .protection = mmap->protection,
			       .flags = mmap->flags,
			       .path = mmap->path};

	if (mmap->build_id.size_bytes > 0) {
		map.build_id = mmap->build_id.bytes;
		map.build_id_bytes = mmap->build_id.size_bytes;
	}
	perf_encode_map(out, attr, who, &map);
}

bool lab_reencode(struct perf_bytes *out, const struct perf_event_attr *attr,
		  const struct perf_identity *who, const struct pgb_record *record)
{
	struct perf_identity subject = *who;

	subject.pid = record->subject_pid;
	subject.tid = record->subject_tid;
	switch (record->type) {
	case PERF_RECORD_SAMPLE:
		write_sample(out, attr, who, record);
		return true;
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
		write_map(out, attr, who, record);
		return true;
	case PERF_RECORD_COMM:
		perf_encode_comm(out, attr, &subject, record->comm,
				 record->misc & PERF_RECORD_MISC_COMM_EXEC);
		return true;
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		perf_encode_task(out, attr, record->type, &subject, record->task.parent_pid,
				 record->task.parent_tid);
		return true;
	case PERF_RECORD_SWITCH:
		perf_encode_switch(out, attr, who, record->misc);
		return true;
	case PERF_RECORD_SWITCH_CPU_WIDE:
		perf_encode_switch_cpu_wide(out, attr, who, record->misc, record->other.pid,
					    record->other.tid);
		return true;
	default:
		return false;
	}
}
