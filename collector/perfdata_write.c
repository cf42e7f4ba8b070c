/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/perfdata_write.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/proc_maps.h"

enum {
	HEADER_BYTES = 104,
	FEATURES_MAX = 32,
	NAME_ALIGNMENT = 64,
	MAPS_BYTES_MAX = 16 * 1024 * 1024,
	BUILD_ID_BYTES = 20,
	/* perf's own records */
	TYPE_BUILD_ID = 67,
	TYPE_FINISHED_ROUND = 68,
	TYPE_AUXTRACE_INFO = 70,
	TYPE_AUXTRACE = 71,
	TYPE_TIME_CONV = 79,
	AUXTRACE_ARM_SPE = 4,
	MISC_BUILD_ID_SIZE = 1 << 15,
};

enum feature {
	FEATURE_BUILD_ID = 2,
	FEATURE_HOSTNAME = 3,
	FEATURE_OSRELEASE = 4,
	FEATURE_ARCH = 6,
	FEATURE_NRCPUS = 7,
	FEATURE_CPUDESC = 8,
	FEATURE_CPUID = 9,
	FEATURE_CMDLINE = 11,
	FEATURE_EVENT_DESC = 12,
	FEATURE_BRANCH_STACK = 15,
	FEATURE_PMU_MAPPINGS = 16,
};

struct pgb_perfdata_writer {
	struct pgb_out_file out;
	const struct pgb_host *host;
	struct pgb_text head;	      /* header, ids and attrs; the header's end is written last */
	struct pgb_text descriptions; /* EVENT_DESC */
	struct perf_event_attr side_band;
	uint64_t id; /* of that event */
	size_t event_count;
	uint64_t data_bytes;
	bool has_stacks;
};

static void put(struct pgb_text *out, uint64_t value, size_t size_bytes)
{
	pgb_text_add_bytes(out, &value, size_bytes);
}

static void put_u32(struct pgb_text *out, uint64_t value)
{
	put(out, value, 4);
}

static void put_u64(struct pgb_text *out, uint64_t value)
{
	put(out, value, 8);
}

static void put_zeros(struct pgb_text *out, size_t count)
{
	while (count-- > 0)
		put(out, 0, 1);
}

static void put_padded(struct pgb_text *out, const char *string, size_t alignment)
{
	size_t length = strlen(string) + 1;

	pgb_text_add_bytes(out, string, length);
	put_zeros(out, (alignment - length % alignment) % alignment);
}

/* With its length in front, as in the features. */
static void put_string(struct pgb_text *out, const char *string)
{
	put_u32(out, (strlen(string) + NAME_ALIGNMENT) / NAME_ALIGNMENT * NAME_ALIGNMENT);
	put_padded(out, string, NAME_ALIGNMENT);
}

static void write_out(struct pgb_perfdata_writer *writer, const void *bytes, size_t size_bytes)
{
	fwrite(bytes, 1, size_bytes, writer->out.stream);
	writer->data_bytes += size_bytes;
}

/* A record whose body is `body`; frees that. */
static void write_record(struct pgb_perfdata_writer *writer, uint32_t type, unsigned int misc,
			 struct pgb_text *body)
{
	struct perf_event_header header = {.type = type,
					   .misc = (uint16_t)misc,
					   .size = (uint16_t)(sizeof(header) + body->length)};

	write_out(writer, &header, sizeof(header));
	write_out(writer, pgb_text_string(body), body->length);
	pgb_text_release(body);
}

/* ---- begin */

static void put_events(struct pgb_perfdata_writer *writer,
		       const struct pgb_perfdata_written_event *events, size_t count)
{
	struct pgb_text *head = &writer->head;
	uint64_t ids = HEADER_BYTES;

	for (size_t i = 0; i < count; i++)
		pgb_text_add_bytes(head, events[i].ids, events[i].id_count * sizeof(uint64_t));
	for (size_t i = 0; i < count; i++) {
		struct perf_event_attr attr = events[i].attr;

		attr.size = sizeof(attr);
		pgb_text_add_bytes(head, &attr, sizeof(attr));
		put_u64(head, ids);
		put_u64(head, events[i].id_count * sizeof(uint64_t));
		ids += events[i].id_count * sizeof(uint64_t);
	}
}

static void describe_events(struct pgb_text *out, const struct pgb_perfdata_written_event *events,
			    size_t count)
{
	put_u32(out, count);
	put_u32(out, sizeof(struct perf_event_attr));
	for (size_t i = 0; i < count; i++) {
		struct perf_event_attr attr = events[i].attr;

		attr.size = sizeof(attr);
		pgb_text_add_bytes(out, &attr, sizeof(attr));
		put_u32(out, events[i].id_count);
		put_string(out, events[i].name);
		pgb_text_add_bytes(out, events[i].ids, events[i].id_count * sizeof(uint64_t));
	}
}

/* How ticks become times (the zero counts); which PMU the AUX areas are of, one for each CPU. */
static void write_aux_info(struct pgb_perfdata_writer *writer,
			   const struct pgb_perfdata_written_event *event)
{
	const struct pgb_ticks as_they_are = {.multiplier = 1};
	const struct pgb_ticks *ticks = event->ticks ? event->ticks : &as_they_are;
	const uint64_t time[] = {ticks->shift, ticks->multiplier, ticks->zero_ns, 0, UINT64_MAX, 1};
	const uint64_t info[] = {AUXTRACE_ARM_SPE, event->attr.type, 1};
	struct pgb_text body = {0};

	pgb_text_add_bytes(&body, time, sizeof(time));
	write_record(writer, TYPE_TIME_CONV, 0, &body);
	pgb_text_add_bytes(&body, info, sizeof(info));
	write_record(writer, TYPE_AUXTRACE_INFO, 0, &body);
}

int pgb_perfdata_writer_new(struct pgb_perfdata_writer **result, const char *path,
			    const struct pgb_host *host,
			    const struct pgb_perfdata_written_event *events, size_t count,
			    struct pgb_error *error)
{
	struct pgb_perfdata_writer *writer = pgb_calloc(1, sizeof(*writer));
	int code = pgb_out_open(&writer->out, path, error);

	pgb_assert(count > 0 && events[count - 1].id_count > 0);
	*result = NULL;
	if (code < 0) {
		free(writer);
		return code;
	}
	writer->host = host;
	writer->event_count = count;
	writer->side_band = events[count - 1].attr;
	writer->id = events[count - 1].ids[0];
	put_zeros(&writer->head, HEADER_BYTES);
	put_events(writer, events, count);
	describe_events(&writer->descriptions, events, count);
	fwrite(writer->head.data, 1, writer->head.length, writer->out.stream);
	for (size_t i = 0; i < count; i++) {
		const struct pgb_pmu *pmu = pgb_host_find_pmu_type(host, events[i].attr.type);

		writer->has_stacks |= (events[i].attr.sample_type & PERF_SAMPLE_BRANCH_STACK) != 0;
		if (pmu && strncmp(pmu->name, "arm_spe_", strlen("arm_spe_")) == 0)
			write_aux_info(writer, &events[i]);
	}
	*result = writer;
	return PGB_OK;
}

/* ---- records */

void pgb_perfdata_writer_record(struct pgb_perfdata_writer *writer, struct pgb_cursor bytes)
{
	write_out(writer, bytes.at, pgb_cursor_left(&bytes));
}

void pgb_perfdata_writer_aux(struct pgb_perfdata_writer *writer, const struct pgb_record *record,
			     unsigned int cpu)
{
	size_t count = pgb_cursor_left(&record->aux_bytes);
	struct pgb_text body = {0};

	if (count == 0)
		return;
	put_u64(&body, (count + 7) & ~(size_t)7);
	put_u64(&body, record->aux.offset);
	put_u64(&body, 0);
	put_u32(&body, cpu);
	put_u32(&body, UINT32_MAX); /* of no single thread */
	put_u32(&body, cpu);
	put_u32(&body, 0);
	write_record(writer, TYPE_AUXTRACE, 0, &body);
	write_out(writer, record->aux_bytes.at, count);
	write_out(writer, "\0\0\0\0\0\0\0", -count & 7);
}

void pgb_perfdata_writer_round(struct pgb_perfdata_writer *writer)
{
	write_record(writer, TYPE_FINISHED_ROUND, 0, &(struct pgb_text){0});
}

/* ---- processes that run already */

/* The fields behind the body of a record that is no sample; of no time. */
static void put_trailer(const struct pgb_perfdata_writer *writer, struct pgb_text *body,
			uint32_t pid, uint32_t tid)
{
	uint64_t type = writer->side_band.sample_type;

	if (type & PERF_SAMPLE_TID)
		put_u64(body, (uint64_t)tid << 32 | pid);
	if (type & PERF_SAMPLE_TIME)
		put_u64(body, 0);
	if (type & PERF_SAMPLE_ID)
		put_u64(body, writer->id);
	if (type & PERF_SAMPLE_STREAM_ID)
		put_u64(body, writer->id);
	if (type & PERF_SAMPLE_CPU)
		put_u64(body, 0);
	if (type & PERF_SAMPLE_IDENTIFIER)
		put_u64(body, writer->id);
}

static void write_map(struct pgb_perfdata_writer *writer, uint32_t pid,
		      const struct pgb_proc_map *map)
{
	struct pgb_text body = {0};

	put_u32(&body, pid);
	put_u32(&body, pid);
	put_u64(&body, map->start);
	put_u64(&body, map->end - map->start);
	put_u64(&body, map->offset_file);
	put_u32(&body, major(map->device));
	put_u32(&body, minor(map->device));
	put_u64(&body, map->inode);
	put_u64(&body, 0);
	put_u32(&body,
		PROT_EXEC | (map->readable ? PROT_READ : 0) | (map->writable ? PROT_WRITE : 0));
	put_u32(&body, map->shared ? MAP_SHARED : MAP_PRIVATE);
	put_padded(&body, map->path[0] ? map->path : "//anon", 8);
	put_trailer(writer, &body, pid, pid);
	write_record(writer, PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER, &body);
}

static void write_maps(struct pgb_perfdata_writer *writer, uint32_t pid)
{
	char *path = pgb_format("/proc/%u/maps", pid);
	struct pgb_text text = {0};
	struct pgb_proc_map *map = pgb_calloc(1, sizeof(*map));
	struct pgb_cursor lines;
	int code;

	(void)pgb_file_read(&text, path, MAPS_BYTES_MAX, NULL);
	lines = pgb_cursor_of(text.data, text.length);
	while ((code = pgb_proc_maps_next(&lines, map)) != 0 && code != PGB_E_TRUNCATED)
		if (code == 1 && map->executable)
			write_map(writer, pid, map);
	pgb_text_release(&text);
	free(map);
	free(path);
}

void pgb_perfdata_writer_lost(struct pgb_perfdata_writer *writer, uint64_t lost)
{
	struct pgb_text body = {0};

	put_u64(&body, lost);
	put_trailer(writer, &body, 0, 0);
	write_record(writer, PERF_RECORD_LOST_SAMPLES, 0, &body);
}

/* As if it had been started by its process just now. */
static void write_thread(struct pgb_perfdata_writer *writer, uint32_t pid, uint32_t tid)
{
	struct pgb_text body = {0};

	put_u32(&body, pid);
	put_u32(&body, tid == pid ? 1 : pid);
	put_u32(&body, tid);
	put_u32(&body, tid == pid ? 1 : pid);
	put_u64(&body, 0);
	put_trailer(writer, &body, pid, tid);
	write_record(writer, PERF_RECORD_FORK, 0, &body);
}

static void write_name(struct pgb_perfdata_writer *writer, uint32_t pid)
{
	char *path = pgb_format("/proc/%u/comm", pid);
	struct pgb_text name = {0}, body = {0};

	if (pgb_file_read(&name, path, 64, NULL) == 0 && name.length > 0) {
		name.data[strcspn(name.data, "\n")] = '\0';
		put_u32(&body, pid);
		put_u32(&body, pid);
		put_padded(&body, name.data, 8);
		put_trailer(writer, &body, pid, pid);
		write_record(writer, PERF_RECORD_COMM, 0, &body);
	}
	pgb_text_release(&name);
	free(path);
}

void pgb_perfdata_writer_process(struct pgb_perfdata_writer *writer, uint32_t pid)
{
	char *path = pgb_format("/proc/%u/task", pid);
	DIR *folder = opendir(path);
	struct dirent *entry;

	free(path);
	if (folder == NULL)
		return;
	write_thread(writer, pid, pid);
	while ((entry = readdir(folder)) != NULL) {
		uint32_t tid = (uint32_t)strtoul(entry->d_name, NULL, 10);

		if (tid != 0 && tid != pid)
			write_thread(writer, pid, tid);
	}
	closedir(folder);
	write_name(writer, pid);
	write_maps(writer, pid);
}

/* ---- end */

static void put_build_ids(struct pgb_text *out, struct pgb_addrspace *space)
{
	for (uint32_t i = 0; i < pgb_addrspace_binary_count(space); i++) {
		const struct pgb_binary *binary = pgb_addrspace_binary(space, i);
		struct perf_event_header header = {
			.type = TYPE_BUILD_ID, .misc = PERF_RECORD_MISC_USER | MISC_BUILD_ID_SIZE};
		size_t path_bytes;

		if (binary->build_id.size_bytes == 0 ||
		    binary->build_id.size_bytes > BUILD_ID_BYTES)
			continue;
		path_bytes =
			(strlen(binary->path) + NAME_ALIGNMENT) / NAME_ALIGNMENT * NAME_ALIGNMENT;
		header.size = (uint16_t)(sizeof(header) + 4 + BUILD_ID_BYTES + 4 + path_bytes);
		pgb_text_add_bytes(out, &header, sizeof(header));
		put_u32(out, UINT32_MAX); /* of any process */
		pgb_text_add_bytes(out, binary->build_id.bytes, binary->build_id.size_bytes);
		put_zeros(out, BUILD_ID_BYTES - binary->build_id.size_bytes);
		put_u32(out, binary->build_id.size_bytes);
		put_padded(out, binary->path, NAME_ALIGNMENT);
	}
}

static void put_pmus(struct pgb_text *out, const struct pgb_host *host)
{
	put_u32(out, host->pmus.count);
	for (size_t i = 0; i < host->pmus.count; i++) {
		put_u32(out, host->pmus.items[i].type);
		put_string(out, host->pmus.items[i].name);
	}
}

/* "AuthenticAMD,25,97,2", where perf looks before it explains IBS; Arm's is a register. */
static void put_cpu_id(struct pgb_text *out, const struct pgb_host *host)
{
	const char *maker = host->vendor == PGB_VENDOR_AMD ? "AuthenticAMD" : "GenuineIntel";
	char *id = pgb_format("%s,%u,%u,0", maker, host->family, host->model);

	if (host->vendor == PGB_VENDOR_AMD || host->vendor == PGB_VENDOR_INTEL)
		put_string(out, id);
	free(id);
}

static void put_features(struct pgb_perfdata_writer *writer, struct pgb_addrspace *space,
			 const char *command, struct pgb_text *features)
{
	const struct pgb_host *host = writer->host;
	struct utsname names;

	put_build_ids(&features[FEATURE_BUILD_ID], space);
	if (uname(&names) == 0) {
		put_string(&features[FEATURE_HOSTNAME], names.nodename);
		put_string(&features[FEATURE_ARCH], names.machine);
	}
	put_string(&features[FEATURE_OSRELEASE], host->kernel_release);
	put_u32(&features[FEATURE_NRCPUS], host->cpus_online.count);
	put_u32(&features[FEATURE_NRCPUS], host->cpus_online.count);
	if (host->cpu_name)
		put_string(&features[FEATURE_CPUDESC], host->cpu_name);
	put_cpu_id(&features[FEATURE_CPUID], host);
	put_u32(&features[FEATURE_CMDLINE], 1);
	put_string(&features[FEATURE_CMDLINE], command);
	features[FEATURE_EVENT_DESC] = writer->descriptions;
	writer->descriptions = (struct pgb_text){0};
	put_pmus(&features[FEATURE_PMU_MAPPINGS], host);
}

static void write_features(struct pgb_perfdata_writer *writer, struct pgb_text *features,
			   uint64_t map)
{
	uint64_t offset =
		writer->head.length + writer->data_bytes + 16 * (uint64_t)__builtin_popcountll(map);
	struct pgb_text sections = {0};

	for (unsigned int i = 0; i < FEATURES_MAX; i++) {
		if (!(map >> i & 1))
			continue;
		put_u64(&sections, offset);
		put_u64(&sections, features[i].length);
		offset += features[i].length;
	}
	fwrite(pgb_text_string(&sections), 1, sections.length, writer->out.stream);
	for (unsigned int i = 0; i < FEATURES_MAX; i++)
		fwrite(pgb_text_string(&features[i]), 1, features[i].length, writer->out.stream);
	pgb_text_release(&sections);
}

static int write_header(struct pgb_perfdata_writer *writer, uint64_t map, struct pgb_error *error)
{
	uint64_t attr_bytes = sizeof(struct perf_event_attr) + 16;
	uint64_t ids_bytes = writer->head.length - HEADER_BYTES - writer->event_count * attr_bytes;
	/* its size, attrs, data, event types (none), features */
	const uint64_t fields[12] = {HEADER_BYTES,
				     attr_bytes,
				     HEADER_BYTES + ids_bytes,
				     writer->event_count * attr_bytes,
				     writer->head.length,
				     writer->data_bytes,
				     0,
				     0,
				     map};
	struct pgb_text header = {0};
	int code = PGB_OK;

	pgb_text_add(&header, "PERFILE2");
	pgb_text_add_bytes(&header, fields, sizeof(fields));
	if (fseek(writer->out.stream, 0, SEEK_SET) == 0)
		fwrite(header.data, 1, header.length, writer->out.stream);
	else if (errno == ESPIPE) /* else the commit tells */
		code = pgb_fail(error, PGB_E_USAGE, "%s: a recording has to be written to a file",
				writer->out.path);
	pgb_text_release(&header);
	return code;
}

int pgb_perfdata_writer_finish(struct pgb_perfdata_writer *writer, struct pgb_addrspace *space,
			       const char *command, struct pgb_error *error)
{
	struct pgb_text features[FEATURES_MAX] = {{0}};
	uint64_t map = 0;
	int code;

	put_features(writer, space, command, features);
	for (unsigned int i = 0; i < FEATURES_MAX; i++)
		map |= features[i].length ? UINT64_C(1) << i : 0;
	map |= writer->has_stacks ? UINT64_C(1) << FEATURE_BRANCH_STACK : 0;
	write_features(writer, features, map);
	for (unsigned int i = 0; i < FEATURES_MAX; i++)
		pgb_text_release(&features[i]);
	code = write_header(writer, map, error);
	if (code == PGB_OK)
		code = pgb_out_commit(&writer->out, error);
	pgb_perfdata_writer_free(writer);
	return code;
}

void pgb_perfdata_writer_free(struct pgb_perfdata_writer *writer)
{
	if (writer == NULL)
		return;
	pgb_out_discard(&writer->out);
	pgb_text_release(&writer->head);
	pgb_text_release(&writer->descriptions);
	free(writer);
}
