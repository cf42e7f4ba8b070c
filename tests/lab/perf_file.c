/* SPDX-License-Identifier: MIT */
#include "tests/lab/perf_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_BYTES   104
#define FLUSH_BYTES    (1u << 20)
#define NAME_ALIGNMENT 64

static int fail_io(struct lab_perf_file *out, struct pgb_error *error)
{
	return pgb_fail(error, PGB_E_IO, "cannot write %s: %s", out->path, strerror(errno));
}

static int write_out(struct lab_perf_file *out, const struct perf_bytes *bytes,
		     struct pgb_error *error)
{
	if (bytes->length > 0 && fwrite(bytes->data, 1, bytes->length, out->file) != bytes->length)
		return fail_io(out, error);
	return 0;
}

static int flush_records(struct lab_perf_file *out, struct pgb_error *error)
{
	int code = write_out(out, &out->records, error);

	out->data_bytes += out->records.length;
	out->records.length = 0;
	return code;
}

static void put_section(struct perf_bytes *bytes, uint64_t offset, uint64_t size_bytes)
{
	perf_put_u64(bytes, offset);
	perf_put_u64(bytes, size_bytes);
}

static uint64_t events_offset(const struct lab_perf_file *out)
{
	return HEADER_BYTES + 8 * out->event_count;
}

static uint64_t event_bytes(void)
{
	return sizeof(struct perf_event_attr) + 16;
}

static int write_header(struct lab_perf_file *out, struct pgb_error *error)
{
	struct perf_bytes head = {.length = 0};
	uint64_t map = 0;
	int code;

	for (unsigned int i = 0; i < 32; i++)
		map |= out->features[i].length > 0 ? UINT64_C(1) << i : 0;
	perf_put(&head, "PERFILE2", 8);
	perf_put_u64(&head, HEADER_BYTES);
	perf_put_u64(&head, event_bytes());
	put_section(&head, events_offset(out), out->event_count * event_bytes());
	put_section(&head, out->data_offset, out->data_bytes);
	put_section(&head, 0, 0);
	perf_put_u64(&head, map);
	perf_put(&head, NULL, 24);
	for (size_t i = 0; i < out->event_count; i++)
		perf_put_u64(&head, out->events[i].id);
	for (size_t i = 0; i < out->event_count; i++) {
		perf_put(&head, &out->events[i].attr, sizeof(out->events[i].attr));
		put_section(&head, HEADER_BYTES + 8 * i, 8);
	}
	rewind(out->file);
	code = write_out(out, &head, error);
	perf_bytes_release(&head);
	return code;
}

int lab_perf_open(struct lab_perf_file *out, const char *path, struct lab_event *events,
		  size_t event_count, struct pgb_error *error)
{
	*out = (struct lab_perf_file){.events = events, .event_count = event_count};
	out->path = pgb_dup(path);
	out->file = fopen(path, "wb");
	if (out->file == NULL) {
		int code = fail_io(out, error);

		free(out->path);
		return code;
	}
	for (size_t i = 0; i < event_count; i++)
		events[i].attr.size = sizeof(events[i].attr);
	out->data_offset = events_offset(out) + event_count * event_bytes();
	return write_header(out, error);
}

int lab_perf_flush_some(struct lab_perf_file *out, struct pgb_error *error)
{
	return out->records.length < FLUSH_BYTES ? 0 : flush_records(out, error);
}

uint64_t lab_perf_position(const struct lab_perf_file *out)
{
	return out->data_offset + out->data_bytes + out->records.length;
}

/* Length, then the string with NULs up to a multiple of 64. */
static void put_header_string(struct perf_bytes *bytes, const char *string)
{
	size_t size = (strlen(string) + NAME_ALIGNMENT) / NAME_ALIGNMENT * NAME_ALIGNMENT;

	perf_put_u32(bytes, size);
	perf_put_string(bytes, string, NAME_ALIGNMENT);
}

void lab_perf_feature_string(struct lab_perf_file *out, enum lab_feature feature,
			     const char *string)
{
	out->features[feature].length = 0;
	put_header_string(&out->features[feature], string);
}

void lab_perf_feature_build_id(struct lab_perf_file *out, const char *path, const uint8_t *build_id,
			       size_t build_id_bytes)
{
	struct perf_bytes *bytes = &out->features[LAB_FEATURE_BUILD_ID];
	size_t start = perf_record_begin(bytes, 67, /* user mode, the size byte is valid */
					 PERF_RECORD_MISC_USER | 1u << 15);

	perf_put_u32(bytes, UINT32_MAX); /* any pid */
	perf_put(bytes, build_id, build_id_bytes);
	perf_put(bytes, NULL, 20 - build_id_bytes);
	perf_put_u32(bytes, build_id_bytes);
	perf_put_string(bytes, path, NAME_ALIGNMENT);
	perf_record_end(bytes, start);
}

void lab_perf_feature_pmu(struct lab_perf_file *out, uint32_t type, const char *name)
{
	struct perf_bytes *bytes = &out->features[LAB_FEATURE_PMU_MAPPINGS];
	uint32_t count = 0;

	if (bytes->length == 0)
		perf_put_u32(bytes, 0);
	memcpy(&count, bytes->data, sizeof(count));
	count++;
	memcpy(bytes->data, &count, sizeof(count));
	perf_put_u32(bytes, type);
	put_header_string(bytes, name);
}

static void put_event_names(struct lab_perf_file *out)
{
	struct perf_bytes *bytes = &out->features[LAB_FEATURE_EVENT_DESC];

	perf_put_u32(bytes, out->event_count);
	perf_put_u32(bytes, sizeof(struct perf_event_attr));
	for (size_t i = 0; i < out->event_count; i++) {
		perf_put(bytes, &out->events[i].attr, sizeof(out->events[i].attr));
		perf_put_u32(bytes, 1);
		put_header_string(bytes, out->events[i].name);
		perf_put_u64(bytes, out->events[i].id);
	}
}

static int write_features(struct lab_perf_file *out, struct pgb_error *error)
{
	uint64_t offset = out->data_offset + out->data_bytes;
	struct perf_bytes sections = {.length = 0};
	unsigned int count = 0;
	int code;

	for (unsigned int i = 0; i < 32; i++)
		count += out->features[i].length > 0;
	offset += 16 * count;
	for (unsigned int i = 0; i < 32; i++) {
		if (out->features[i].length == 0)
			continue;
		put_section(&sections, offset, out->features[i].length);
		offset += out->features[i].length;
	}
	code = write_out(out, &sections, error);
	for (unsigned int i = 0; i < 32 && code == 0; i++)
		code = write_out(out, &out->features[i], error);
	perf_bytes_release(&sections);
	return code;
}

static void release(struct lab_perf_file *out)
{
	for (unsigned int i = 0; i < 32; i++)
		perf_bytes_release(&out->features[i]);
	perf_bytes_release(&out->records);
	free(out->path);
	*out = (struct lab_perf_file){.file = NULL};
}

int lab_perf_close(struct lab_perf_file *out, struct pgb_error *error)
{
	int code = flush_records(out, error);

	put_event_names(out);
	if (code == 0)
		code = write_features(out, error);
	if (code == 0)
		code = write_header(out, error);
	if (code == 0 && fflush(out->file) != 0)
		code = fail_io(out, error);
	if (code != 0) {
		lab_perf_abandon(out);
		return code;
	}
	fclose(out->file);
	release(out);
	return 0;
}

void lab_perf_abandon(struct lab_perf_file *out)
{
	fclose(out->file);
	unlink(out->path);
	release(out);
}
