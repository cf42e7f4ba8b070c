/* SPDX-License-Identifier: MIT */
#include "tests/support/perf_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "pgobolt/base/alloc.h"

enum feature {
	BUILD_ID = 2,
	HOSTNAME = 3,
	OSRELEASE = 4,
	VERSION = 5,
	ARCH = 6,
	CPUDESC = 8,
	CPUID = 9,
	CMDLINE = 11,
	EVENT_DESC = 12,
	DIR_FORMAT = 24,
	META_INFO = 129,
	INIT_MAP = 134,
	FEATURE_END = 256,
};

enum {
	HEADER_ATTR = 64,
	HEADER_BUILD_ID = 67,
	FINISHED_ROUND = 68,
	AUXTRACE_INFO = 70,
	AUXTRACE = 71,
	HEADER_FEATURE = 80,
	COMPRESSED2 = 83,
	ATTR_FLAGS_OFFSET = 40,
	DATA_SIZE_OFFSET = 48,
};

static size_t attr_bytes_of(const struct perf_file *file)
{
	return file->attr_bytes ? file->attr_bytes : sizeof(struct perf_event_attr);
}

/* The flags' bit fields; big-endian compilers put the first at the top. */
static uint64_t attr_flags(const struct perf_event_attr *attr, bool big_endian)
{
	uint64_t flags, swapped = 0;

	memcpy(&flags, (const char *)attr + ATTR_FLAGS_OFFSET, sizeof(flags));
	if (!big_endian)
		return flags;
	for (unsigned int bit = 0; bit < 64; bit++)
		swapped |= ((flags >> bit) & 1) << (63 - bit);
	swapped &= ~(UINT64_C(3) << 47); /* precise_ip is two bits wide */
	return swapped | (uint64_t)attr->precise_ip << 47;
}

static void put_attr(struct perf_bytes *out, const struct perf_event_attr *attr, size_t size_bytes)
{
	size_t start = out->length;

	perf_put_u32(out, attr->type);
	perf_put_u32(out, size_bytes);
	perf_put_u64(out, attr->config);
	perf_put_u64(out, attr->sample_period);
	perf_put_u64(out, attr->sample_type);
	perf_put_u64(out, attr->read_format);
	perf_put_u64(out, attr_flags(attr, out->big_endian));
	perf_put_u32(out, attr->wakeup_events);
	perf_put_u32(out, attr->bp_type);
	perf_put_u64(out, attr->config1);
	perf_put_u64(out, attr->config2);
	perf_put_u64(out, attr->branch_sample_type);
	perf_put_u64(out, attr->sample_regs_user);
	perf_put_u32(out, attr->sample_stack_user);
	perf_put_u32(out, (uint32_t)attr->clockid);
	perf_put_u64(out, attr->sample_regs_intr);
	perf_put(out, NULL, 512);
	out->length = start + size_bytes;
}

static void put_ids(struct perf_bytes *out, const struct perf_file_event *event)
{
	for (size_t i = 0; i < event->id_count; i++)
		perf_put_u64(out, event->ids[i]);
}

static void put_text(struct perf_bytes *out, const char *text)
{
	size_t padded = (strlen(text) + 1 + 63) / 64 * 64;

	perf_put_u32(out, padded);
	perf_put_string(out, text, 64);
}

static void put_build_ids(struct perf_bytes *out, const struct perf_file *file)
{
	for (size_t i = 0; i < file->build_id_count; i++) {
		const struct perf_file_build_id *entry = &file->build_ids[i];
		uint16_t misc = entry->kernel ? PERF_RECORD_MISC_KERNEL : PERF_RECORD_MISC_USER;
		size_t start;

		if (entry->id_bytes > 0)
			misc |= 1u << 15;
		start = perf_record_begin(out, HEADER_BUILD_ID, misc);
		perf_put_u32(out, UINT32_MAX);
		perf_put(out, entry->id, entry->id_bytes ? entry->id_bytes : 20);
		perf_put(out, NULL, entry->id_bytes ? 20u - entry->id_bytes : 0);
		perf_put_u32(out, 0);
		if (entry->id_bytes > 0)
			out->data[out->length - 4] = entry->id_bytes;
		perf_put_string(out, entry->path, 64);
		perf_record_end(out, start);
	}
}

static void put_event_desc(struct perf_bytes *out, const struct perf_file *file)
{
	perf_put_u32(out, file->event_count);
	perf_put_u32(out, attr_bytes_of(file));
	for (size_t i = 0; i < file->event_count; i++) {
		put_attr(out, &file->events[i].attr, attr_bytes_of(file));
		perf_put_u32(out, file->events[i].id_count);
		put_text(out, file->events[i].name);
		put_ids(out, &file->events[i]);
	}
}

static const char *feature_text(const struct perf_file *file, int feature)
{
	switch (feature) {
	case HOSTNAME:
		return file->host_name;
	case OSRELEASE:
		return file->os_release;
	case VERSION:
		return file->version;
	case ARCH:
		return file->arch;
	case CPUDESC:
		return file->cpu_description;
	case CPUID:
		return file->cpu_id;
	}
	return NULL;
}

static bool has_feature(const struct perf_file *file, int feature)
{
	switch (feature) {
	case BUILD_ID:
		return file->build_id_count > 0;
	case CMDLINE:
		return file->command_line != NULL;
	case EVENT_DESC:
		return file->event_count > 0 && file->events[0].name != NULL;
	case DIR_FORMAT:
		return file->directory;
	case META_INFO:
		return file->meta_info_bytes > 0;
	case INIT_MAP:
		return file->init_map_bytes > 0;
	}
	return feature_text(file, feature) != NULL;
}

static void put_feature(struct perf_bytes *out, const struct perf_file *file, int feature)
{
	size_t count = 0;

	switch (feature) {
	case BUILD_ID:
		put_build_ids(out, file);
		return;
	case CMDLINE:
		while (file->command_line[count])
			count++;
		perf_put_u32(out, count);
		for (size_t i = 0; i < count; i++)
			put_text(out, file->command_line[i]);
		return;
	case EVENT_DESC:
		put_event_desc(out, file);
		return;
	case DIR_FORMAT:
		perf_put_u64(out, 1); /* version */
		return;
	case META_INFO:
		perf_put(out, file->meta_info, file->meta_info_bytes);
		return;
	case INIT_MAP:
		perf_put(out, file->init_map, file->init_map_bytes);
		return;
	}
	put_text(out, feature_text(file, feature));
}

static void begin_pipe(struct perf_bytes *out, const struct perf_file *file)
{
	perf_put_u64(out, 16);
	for (size_t i = 0; i < file->event_count; i++) {
		size_t start = perf_record_begin(out, HEADER_ATTR, 0);

		put_attr(out, &file->events[i].attr, attr_bytes_of(file));
		put_ids(out, &file->events[i]);
		perf_record_end(out, start);
	}
	for (int feature = 0; feature < META_INFO; feature++) {
		size_t start;

		if (!has_feature(file, feature))
			continue;
		start = perf_record_begin(out, HEADER_FEATURE, 0);
		perf_put_u64(out, (uint64_t)feature);
		put_feature(out, file, feature);
		perf_put_padding(out, start, 8);
		perf_record_end(out, start);
	}
}

void perf_file_begin(struct perf_bytes *out, const struct perf_file *file)
{
	size_t ids = PERF_FILE_HEADER_BYTES, attrs = ids, place;
	size_t entry_bytes = attr_bytes_of(file) + 16;
	uint64_t features[4] = {0};

	perf_put(out, out->big_endian ? "2ELIFREP" : "PERFILE2", 8);
	if (file->pipe_mode) {
		begin_pipe(out, file);
		return;
	}
	for (size_t i = 0; i < file->event_count; i++)
		attrs += 8 * file->events[i].id_count;
	for (int feature = 0; feature < FEATURE_END; feature++)
		if (has_feature(file, feature))
			features[feature / 64] |= UINT64_C(1) << feature % 64;
	perf_put_u64(out, PERF_FILE_HEADER_BYTES);
	perf_put_u64(out, entry_bytes);
	perf_put_u64(out, attrs);
	perf_put_u64(out, file->event_count * entry_bytes);
	perf_put_u64(out, attrs + file->event_count * entry_bytes);
	perf_put_u64(out, 0); /* the data's size: known at the end */
	perf_put(out, NULL, 16);
	for (size_t i = 0; i < 4; i++)
		perf_put_u64(out, features[i]);
	for (size_t i = 0; i < file->event_count; i++)
		put_ids(out, &file->events[i]);
	place = ids;
	for (size_t i = 0; i < file->event_count; i++) {
		put_attr(out, &file->events[i].attr, attr_bytes_of(file));
		perf_put_u64(out, place);
		perf_put_u64(out, 8 * file->events[i].id_count);
		place += 8 * file->events[i].id_count;
	}
}

static void patch_u64(struct perf_bytes *out, size_t place, uint64_t value)
{
	size_t length = out->length;

	out->length = place;
	perf_put_u64(out, value);
	out->length = length;
}

void perf_file_finish(struct perf_bytes *header, struct perf_bytes *out,
		      const struct perf_file *file, uint64_t data_end)
{
	struct perf_bytes table = {.big_endian = out->big_endian};
	struct perf_bytes bodies = {.big_endian = out->big_endian};
	size_t entries = file->event_count * (attr_bytes_of(file) + 16);
	uint64_t data_start = PERF_FILE_HEADER_BYTES + entries;
	uint64_t place = data_end;

	if (file->pipe_mode || file->unfinished)
		return;
	for (size_t i = 0; i < file->event_count; i++)
		data_start += 8 * file->events[i].id_count;
	patch_u64(header, DATA_SIZE_OFFSET, data_end - data_start);
	for (int feature = 0; feature < FEATURE_END; feature++)
		place += has_feature(file, feature) ? 16 : 0;
	for (int feature = 0; feature < FEATURE_END; feature++) {
		size_t start = bodies.length;

		if (!has_feature(file, feature))
			continue;
		put_feature(&bodies, file, feature);
		perf_put_u64(&table, place + start);
		perf_put_u64(&table, bodies.length - start);
	}
	perf_put(out, table.data, table.length);
	perf_put(out, bodies.data, bodies.length);
	perf_bytes_release(&table);
	perf_bytes_release(&bodies);
}

void perf_file_end(struct perf_bytes *out, const struct perf_file *file)
{
	perf_file_finish(out, out, file, out->length);
}

void perf_file_round(struct perf_bytes *out)
{
	perf_record_end(out, perf_record_begin(out, FINISHED_ROUND, 0));
}

void perf_file_aux_info(struct perf_bytes *out, uint32_t type)
{
	size_t start = perf_record_begin(out, AUXTRACE_INFO, 0);

	perf_put_u32(out, type);
	perf_put_u32(out, 0);
	perf_record_end(out, start);
}

void perf_file_aux(struct perf_bytes *out, uint32_t cpu, uint32_t tid, const void *aux,
		   size_t aux_bytes)
{
	size_t start = perf_record_begin(out, AUXTRACE, 0);

	perf_put_u64(out, aux_bytes);
	perf_put_u64(out, 0x1000);
	perf_put_u64(out, 0x77);
	perf_put_u32(out, 1);
	perf_put_u32(out, tid);
	perf_put_u32(out, cpu);
	perf_put_u32(out, 0);
	perf_record_end(out, start);
	perf_put(out, aux, aux_bytes);
}

struct perf_file_zstd {
	ZSTD_CStream *stream;
	uint32_t type;
};

struct perf_file_zstd *perf_file_zstd_new(uint32_t type)
{
	struct perf_file_zstd *zstd = pgb_calloc(1, sizeof(*zstd));

	zstd->stream = ZSTD_createCStream();
	zstd->type = type;
	pgb_assert(zstd->stream && !ZSTD_isError(ZSTD_initCStream(zstd->stream, 1)));
	return zstd;
}

void perf_file_zstd_free(struct perf_file_zstd *zstd)
{
	ZSTD_freeCStream(zstd->stream);
	free(zstd);
}

void perf_file_compress(struct perf_bytes *out, struct perf_file_zstd *zstd, const void *plain,
			size_t length)
{
	uint8_t buffer[60000];
	ZSTD_inBuffer input = {.src = plain, .size = length};
	ZSTD_outBuffer output = {.dst = buffer, .size = sizeof(buffer)};
	size_t start;

	pgb_assert(ZSTD_compressStream2(zstd->stream, &output, &input, ZSTD_e_flush) == 0);
	start = perf_record_begin(out, zstd->type, 0);
	if (zstd->type == COMPRESSED2)
		perf_put_u64(out, output.pos);
	perf_put(out, buffer, output.pos);
	if (zstd->type == COMPRESSED2)
		perf_put_padding(out, start, 8);
	perf_record_end(out, start);
}

int perf_file_open(char *path, const struct perf_bytes *bytes)
{
	int fd = memfd_create("perf.data", MFD_CLOEXEC);

	pgb_assert(fd >= 0 && write(fd, bytes->data, bytes->length) == (ssize_t)bytes->length);
	snprintf(path, PERF_FILE_PATH_BYTES, "/proc/self/fd/%d", fd);
	return fd;
}
