/* SPDX-License-Identifier: MIT */
/*
 * perf.data, to look at: which events, how many records of each kind, and the first records in
 * words. Source: tools/perf/Documentation/perf.data-file-format.txt.
 */
#include <inttypes.h>
#include <linux/perf_event.h>

#include "pgo/cli/dump_hardware.h"
#include "pgobolt/base/number.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/event.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/record.h"

enum {
	HEADER_BYTES_PIPE = 16,
	ATTR_BYTES_LEAST = 64, /* PERF_ATTR_SIZE_VER0 */
	FLAG_SAMPLE_ID_ALL = 18,
	TYPES_KNOWN = 88,
	ENTRIES_SHOWN = 4,
	/* perf's own records, which hold what stands behind them */
	TYPE_ATTR = 64,
	TYPE_TRACING_DATA = 66,
	TYPE_AUXTRACE_INFO = 70,
	TYPE_AUXTRACE = 71,
};

static const char *const type_names[TYPES_KNOWN] = {
	[PERF_RECORD_MMAP] = "MMAP",
	[PERF_RECORD_LOST] = "LOST",
	[PERF_RECORD_COMM] = "COMM",
	[PERF_RECORD_EXIT] = "EXIT",
	[PERF_RECORD_THROTTLE] = "THROTTLE",
	[PERF_RECORD_UNTHROTTLE] = "UNTHROTTLE",
	[PERF_RECORD_FORK] = "FORK",
	[PERF_RECORD_READ] = "READ",
	[PERF_RECORD_SAMPLE] = "SAMPLE",
	[PERF_RECORD_MMAP2] = "MMAP2",
	[PERF_RECORD_AUX] = "AUX",
	[PERF_RECORD_ITRACE_START] = "ITRACE_START",
	[PERF_RECORD_LOST_SAMPLES] = "LOST_SAMPLES",
	[PERF_RECORD_SWITCH] = "SWITCH",
	[PERF_RECORD_SWITCH_CPU_WIDE] = "SWITCH_CPU_WIDE",
	[PERF_RECORD_NAMESPACES] = "NAMESPACES",
	[PERF_RECORD_KSYMBOL] = "KSYMBOL",
	[PERF_RECORD_BPF_EVENT] = "BPF_EVENT",
	[PERF_RECORD_CGROUP] = "CGROUP",
	[PERF_RECORD_TEXT_POKE] = "TEXT_POKE",
	[PERF_RECORD_AUX_OUTPUT_HW_ID] = "AUX_OUTPUT_HW_ID",
	[TYPE_ATTR] = "HEADER_ATTR",
	[65] = "HEADER_EVENT_TYPE",
	[TYPE_TRACING_DATA] = "HEADER_TRACING_DATA",
	[67] = "HEADER_BUILD_ID",
	[68] = "FINISHED_ROUND",
	[69] = "ID_INDEX",
	[TYPE_AUXTRACE_INFO] = "AUXTRACE_INFO",
	[TYPE_AUXTRACE] = "AUXTRACE",
	[72] = "AUXTRACE_ERROR",
	[73] = "THREAD_MAP",
	[74] = "CPU_MAP",
	[75] = "STAT_CONFIG",
	[76] = "STAT",
	[77] = "STAT_ROUND",
	[78] = "EVENT_UPDATE",
	[79] = "TIME_CONV",
	[80] = "HEADER_FEATURE",
	[81] = "COMPRESSED",
	[82] = "FINISHED_INIT",
	[83] = "COMPRESSED2",
	[84] = "BPF_METADATA",
	[85] = "SCHEDSTAT_CPU",
	[86] = "SCHEDSTAT_DOMAIN",
};

/* A file on its way to paper. */
struct reader {
	const struct dump *dump;
	struct pgb_cursor whole, data;
	struct pgb_record_format format;
	bool has_format, formats_differ, has_tracepoints;
	struct pgb_table events, records;
	json_t *events_json, *records_json;
	uint64_t counts[TYPES_KNOWN], others, total, corrupt, shown;
	struct pgb_dump_hardware hardware;
	bool is_cut;
};

static const char *type_name(uint32_t type)
{
	return type < TYPES_KNOWN && type_names[type] ? type_names[type] : "unknown";
}

/* ---- head */

static struct perf_event_attr read_attr(struct pgb_cursor *bytes, bool *sample_id_all)
{
	struct perf_event_attr attr = {0};
	struct pgb_cursor start = *bytes;
	uint64_t flags;

	attr.type = pgb_cursor_u32(bytes);
	attr.size = pgb_cursor_u32(bytes);
	attr.config = pgb_cursor_u64(bytes);
	attr.sample_period = pgb_cursor_u64(bytes);
	attr.sample_type = pgb_cursor_u64(bytes);
	attr.read_format = pgb_cursor_u64(bytes);
	flags = pgb_cursor_u64(bytes);
	*sample_id_all =
		flags >> (bytes->big_endian ? 63 - FLAG_SAMPLE_ID_ALL : FLAG_SAMPLE_ID_ALL) & 1;
	attr.freq = flags >> (bytes->big_endian ? 63 - 10 : 10) & 1;
	pgb_cursor_skip(bytes, 24); /* wakeup, bp_type, config1, config2 */
	if (attr.size < 104 || bytes->truncated) {
		*bytes = start;
		return attr;
	}
	attr.branch_sample_type = pgb_cursor_u64(bytes);
	attr.sample_regs_user = pgb_cursor_u64(bytes);
	pgb_cursor_skip(bytes, 8); /* sample_stack_user, clockid */
	attr.sample_regs_intr = pgb_cursor_u64(bytes);
	*bytes = start;
	return attr;
}

static void add_event(struct reader *reader, struct pgb_cursor bytes)
{
	bool sample_id_all;
	struct perf_event_attr attr = read_attr(&bytes, &sample_id_all);
	struct pgb_record_format format = {.sample_type = attr.sample_type,
					   .read_format = attr.read_format,
					   .branch_sample_type = attr.branch_sample_type,
					   .sample_regs_user = attr.sample_regs_user,
					   .sample_regs_intr = attr.sample_regs_intr,
					   .sample_id_all = sample_id_all,
					   .big_endian = bytes.big_endian};
	char *name = pgb_event_describe(&attr);

	if (!reader->has_format)
		reader->format = format;
	else if (reader->format.sample_type != format.sample_type)
		reader->formats_differ = true;
	reader->has_format = true;
	reader->has_tracepoints |= attr.type == PERF_TYPE_TRACEPOINT;
	pgb_table_cell(&reader->events, "%s", name);
	pgb_table_cell(&reader->events, "%s %" PRIu64, attr.freq ? "frequency" : "period",
		       (uint64_t)attr.sample_period);
	pgb_table_cell(&reader->events, "%s",
		       attr.sample_type & PERF_SAMPLE_BRANCH_STACK ? "branch stacks"
		       : attr.sample_type & PERF_SAMPLE_RAW	   ? "raw data"
								   : "no branch stacks");
	json_array_append_new(reader->events_json,
			      json_pack("{s:s, s:i, s:o, s:o, s:o, s:b}", "name", name, "type",
					(int)attr.type, "config", pgb_dump_address(attr.config),
					"sample_type", pgb_dump_address(attr.sample_type),
					"period_or_frequency", pgb_dump_count(attr.sample_period),
					"frequency", (int)attr.freq));
	free(name);
}

/* `size_bytes` bytes of the file from `offset`; empty where they are not in it. */
static struct pgb_cursor part_of(const struct pgb_cursor *whole, uint64_t offset,
				 uint64_t size_bytes)
{
	struct pgb_cursor part = *whole;

	pgb_cursor_skip(&part, offset);
	if (size_bytes > pgb_cursor_left(&part))
		size_bytes = pgb_cursor_left(&part);
	return pgb_cursor_sub(&part, size_bytes);
}

static int read_head(struct reader *reader, struct pgb_error *error)
{
	struct pgb_cursor head = reader->whole, attrs;
	uint64_t size_bytes, attr_bytes, offset, length;

	pgb_cursor_skip(&head, 8);
	size_bytes = pgb_cursor_u64(&head);
	if (!head.truncated && size_bytes == HEADER_BYTES_PIPE) {
		reader->data = part_of(&reader->whole, HEADER_BYTES_PIPE, UINT64_MAX);
		return 0;
	}
	attr_bytes = pgb_cursor_u64(&head);
	offset = pgb_cursor_u64(&head);
	length = pgb_cursor_u64(&head);
	attrs = part_of(&reader->whole, offset, length);
	offset = pgb_cursor_u64(&head);
	length = pgb_cursor_u64(&head);
	if (head.truncated)
		return pgb_fail(error, PGB_E_TRUNCATED, "%s: the file ends inside its head",
				reader->dump->path);
	if (attr_bytes < ATTR_BYTES_LEAST)
		return pgb_fail(error, PGB_E_CORRUPT, "%s: event descriptions of %" PRIu64 " bytes",
				reader->dump->path, attr_bytes);
	reader->data = part_of(&reader->whole, offset, length);
	reader->is_cut = pgb_cursor_left(&reader->data) < length;
	while (pgb_cursor_holds(&attrs, 1, attr_bytes))
		add_event(reader, pgb_cursor_sub(&attrs, attr_bytes));
	return 0;
}

/* ---- records in words */

static void describe_stack(struct pgb_text *text, struct pgb_record_stack stack)
{
	pgb_text_addf(text, ", %s", PGB_PLURAL(stack.count, "branch"));
	for (uint64_t i = 0; i < stack.count && i < ENTRIES_SHOWN; i++) {
		struct pgb_record_entry entry = pgb_record_entry(&stack.entries);

		pgb_text_addf(text, "%s %" PRIx64 ">%" PRIx64 "%s", i ? "," : ":", entry.from,
			      entry.to, entry.bits & PGB_ENTRY_MISPREDICTED ? " mispredicted" : "");
	}
	if (stack.count > ENTRIES_SHOWN)
		pgb_text_add(text, " ..");
}

static void describe_sample(struct pgb_text *text, const struct pgb_record *record,
			    uint64_t sample_type)
{
	pgb_text_addf(text, "at %" PRIx64, record->ip);
	if (record->period_events)
		pgb_text_addf(text, ", period %" PRIu64, record->period_events);
	if (sample_type & PERF_SAMPLE_BRANCH_STACK)
		describe_stack(text, record->stack);
	if (pgb_cursor_left(&record->raw))
		pgb_text_addf(text, ", %zu raw bytes", pgb_cursor_left(&record->raw));
}

static void describe_mmap(struct pgb_text *text, const struct pgb_record_mmap *mmap)
{
	char *build_id = pgb_build_id_string(&mmap->build_id);

	pgb_text_addf(text, "%" PRIx64 "+%" PRIx64 " offset %" PRIx64 " %s%s%s", mmap->address,
		      mmap->length, mmap->offset_file, mmap->path ? mmap->path : "",
		      build_id[0] ? " build-id " : "", build_id);
	free(build_id);
}

static char *describe(const struct reader *reader, const struct pgb_record *record)
{
	struct pgb_text text = {0};

	switch (record->type) {
	case PERF_RECORD_SAMPLE:
		describe_sample(&text, record, reader->format.sample_type);
		break;
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
		describe_mmap(&text, &record->mmap);
		break;
	case PERF_RECORD_COMM:
		pgb_text_addf(&text, "%s%s", record->comm ? record->comm : "",
			      record->misc & PERF_RECORD_MISC_COMM_EXEC ? " (exec)" : "");
		break;
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		pgb_text_addf(&text, "parent %" PRIu32 "/%" PRIu32, record->task.parent_pid,
			      record->task.parent_tid);
		break;
	case PERF_RECORD_LOST:
	case PERF_RECORD_LOST_SAMPLES:
		pgb_text_addf(&text, "%" PRIu64 " lost", record->lost);
		break;
	case PERF_RECORD_AUX:
		pgb_text_addf(&text, "%" PRIu64 " bytes at %" PRIu64 ", flags %" PRIx64,
			      record->aux.size_bytes, record->aux.offset, record->aux.flags);
		break;
	default:
		break;
	}
	return pgb_text_detach(&text);
}

static void add_record(struct reader *reader, const struct pgb_record *record, uint64_t offset)
{
	bool is_about = record->subject_pid || record->subject_tid;
	int32_t pid = (int32_t)(is_about ? record->subject_pid : record->pid);
	int32_t tid = (int32_t)(is_about ? record->subject_tid : record->tid);
	char *text = describe(reader, record);

	if (reader->dump->output->json) {
		json_array_append_new(reader->records_json,
				      json_pack("{s:o, s:o, s:I, s:I, s:s, s:o}", "offset",
						pgb_dump_count(offset), "time_ns",
						pgb_dump_count(record->time_ns), "pid",
						(json_int_t)pid, "tid", (json_int_t)tid, "type",
						type_name(record->type), "text",
						pgb_json_text(text)));
		free(text);
		return;
	}
	pgb_table_cell(&reader->records, "%" PRIx64, offset);
	if (record->has_time)
		pgb_table_cell(&reader->records, "%" PRIu64 ".%06" PRIu64,
			       record->time_ns / 1000000000, record->time_ns / 1000 % 1000000);
	else
		pgb_table_cell(&reader->records, "-");
	pgb_table_cell(&reader->records, "%" PRId32 "/%" PRId32, pid, tid);
	pgb_table_cell(&reader->records, "%s", type_name(record->type));
	pgb_table_cell(&reader->records, "%s", text);
	free(text);
}

/* Some of perf's own records have bytes behind them that their size leaves out. */
static void pass_behind(struct reader *reader, struct pgb_cursor record)
{
	struct pgb_cursor behind;
	uint64_t size_bytes;

	switch (pgb_cursor_u32(&record)) {
	case TYPE_AUXTRACE_INFO:
		pgb_cursor_skip(&record, 4);
		pgb_dump_hardware_info(&reader->hardware, record);
		break;
	case TYPE_TRACING_DATA:
		pgb_cursor_skip(&record, 4);
		pgb_cursor_skip(&reader->data, pgb_cursor_u32(&record));
		break;
	case TYPE_AUXTRACE:
		pgb_cursor_skip(&record, 4);
		size_bytes = pgb_cursor_u64(&record);
		behind = part_of(&reader->data, 0, size_bytes);
		behind.offset = pgb_cursor_u64(&record);
		pgb_dump_hardware_aux(&reader->hardware, behind);
		pgb_cursor_skip(&reader->data, size_bytes);
		break;
	default:
		break;
	}
}

static void read_records(struct reader *reader)
{
	struct pgb_cursor *data = &reader->data;

	while (pgb_cursor_left(data) > 0) {
		struct pgb_cursor start = *data;
		struct pgb_record record;
		int code = pgb_record_parse(data, &reader->format, &record);

		if (code == PGB_E_TRUNCATED) {
			reader->is_cut = true;
			return;
		}
		reader->total++;
		if (code < 0) {
			reader->corrupt++;
			continue;
		}
		if (record.type == TYPE_ATTR) {
			pgb_cursor_skip(&start, 8);
			add_event(reader, start);
		}
		pass_behind(reader, start);
		if (record.type == PERF_RECORD_SAMPLE && !reader->has_tracepoints)
			pgb_dump_hardware_raw(&reader->hardware, record.raw, start.offset);
		if (record.type < TYPES_KNOWN)
			reader->counts[record.type]++;
		else
			reader->others++;
		if (reader->dump->limit == 0 || reader->shown++ < reader->dump->limit)
			add_record(reader, &record, start.offset);
	}
}

/* ---- all of it */

static void print_counts(const struct reader *reader, json_t *document)
{
	struct pgb_table table = {.columns = 2, .right = "-r", .indent = 2};
	json_t *counts = json_object();

	for (uint32_t type = 0; type < TYPES_KNOWN; type++) {
		if (reader->counts[type] == 0)
			continue;
		pgb_table_cell(&table, "%s", type_name(type));
		pgb_table_cell(&table, "%" PRIu64, reader->counts[type]);
		json_object_set_new(counts, type_name(type), pgb_dump_count(reader->counts[type]));
	}
	if (reader->others) {
		pgb_table_cell(&table, "unknown");
		pgb_table_cell(&table, "%" PRIu64, reader->others);
	}
	if (reader->corrupt) {
		pgb_table_cell(&table, "corrupt");
		pgb_table_cell(&table, "%" PRIu64, reader->corrupt);
	}
	json_object_set_new(counts, "corrupt", pgb_dump_count(reader->corrupt));
	pgb_output_heading(reader->dump->output, "Records");
	pgb_table_print(&table, reader->dump->output);
	pgb_table_release(&table);
	json_object_set_new(document, "counts", counts);
}

static void print_all(struct reader *reader)
{
	struct pgb_output *output = reader->dump->output;
	json_t *document = pgb_dump_document(reader->dump);

	pgb_dump_title(reader->dump, reader->is_cut ? ", cut: it ends inside a record" : "");
	pgb_table_print(&reader->events, output);
	if (reader->formats_differ)
		pgb_output_note(output, "  events differ in form; samples are read as the first's");
	if (reader->counts[81] + reader->counts[83] > 0)
		pgb_output_note(output, "  most records are compressed, and not shown");
	json_object_set(document, "events", reader->events_json);
	json_object_set_new(document, "cut", json_boolean(reader->is_cut));
	print_counts(reader, document);
	pgb_output_heading(output, "First records");
	pgb_table_print(&reader->records, output);
	pgb_dump_left_out(reader->dump, (size_t)(reader->total - reader->corrupt));
	json_object_set(document, "records", reader->records_json);
	pgb_dump_hardware_print(&reader->hardware, document);
	pgb_output_json(output, document);
}

int pgb_dump_perf_bytes(const struct dump *dump, struct pgb_cursor bytes, struct pgb_error *error)
{
	struct reader reader = {
		.dump = dump,
		.whole = bytes,
		.events = {.columns = 3, .indent = 2},
		.records = {.columns = 5, .right = "rrr--", .header = true, .indent = 2},
		.events_json = json_array(),
		.records_json = json_array()};
	int code;

	reader.whole.big_endian = pgb_cursor_left(&bytes) > 0 && bytes.at[0] == '2';
	pgb_dump_hardware_init(&reader.hardware, dump);
	pgb_dump_heads(&reader.records,
		       (const char *const[]){"OFFSET", "TIME", "PID/TID", "TYPE", "CONTENT"});
	code = read_head(&reader, error);
	if (code == 0) {
		read_records(&reader);
		print_all(&reader);
	}
	pgb_table_release(&reader.events);
	pgb_table_release(&reader.records);
	pgb_dump_hardware_release(&reader.hardware);
	json_decref(reader.events_json);
	json_decref(reader.records_json);
	return code;
}

int pgb_dump_perf_data(const struct dump *dump, struct pgb_error *error)
{
	struct pgb_file_map map = {0};
	int code = pgb_file_map_open(&map, dump->path, error);

	if (code == 0)
		code = pgb_dump_perf_bytes(dump, pgb_cursor_of(map.bytes, map.size_bytes), error);
	pgb_file_map_close(&map);
	return code;
}
