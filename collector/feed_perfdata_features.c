/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata_features.h"

#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/limits.h"
#include "pgobolt/base/text.h"

enum {
	RECORD_HEADER_BYTES = 8,
	BUILD_ID_BYTES = 20,
	SHORT_BUILD_ID_BYTES = 16,
	BUILD_IDS_MAX = 256 * 1024,
	PMUS_MAX = 65536,
};

/* What PERF_RECORD_MISC_BUILD_ID_SIZE of newer headers is. */
#define MISC_BUILD_ID_SIZE (1u << 15)

bool pgb_perfdata_feature_wanted(unsigned int feature)
{
	switch (feature) {
	case PGB_PERFDATA_BUILD_ID:
	case PGB_PERFDATA_HOSTNAME:
	case PGB_PERFDATA_OSRELEASE:
	case PGB_PERFDATA_VERSION:
	case PGB_PERFDATA_ARCH:
	case PGB_PERFDATA_CPUDESC:
	case PGB_PERFDATA_CPUID:
	case PGB_PERFDATA_CMDLINE:
	case PGB_PERFDATA_EVENT_DESC:
	case PGB_PERFDATA_PMU_MAPPINGS:
	case PGB_PERFDATA_META_INFO:
		return true;
	}
	return false;
}

/*
 * A u32 length, which counts padding, and that many bytes. NULL once the input is used up, so
 * that a hostile count ends with it.
 */
static char *read_string(struct pgb_cursor *bytes)
{
	uint32_t length = pgb_cursor_u32(bytes);
	const uint8_t *string = pgb_cursor_bytes(bytes, length);

	if (string == NULL || bytes->truncated)
		return NULL;
	return pgb_dup_bytes(string, strnlen((const char *)string, length));
}

static void replace(char **place, char *string)
{
	if (string == NULL)
		return;
	free(*place);
	*place = string;
}

static void read_command_line(struct pgb_perfdata_info *info, struct pgb_cursor bytes)
{
	uint32_t count = pgb_cursor_u32(&bytes);
	struct pgb_text text = {0};

	for (uint32_t i = 0; i < count; i++) {
		char *word = read_string(&bytes);

		if (word == NULL)
			break;
		if (i > 0)
			pgb_text_add(&text, " ");
		pgb_text_add(&text, word);
		free(word);
	}
	replace(&info->command_line, pgb_text_detach(&text));
}

void pgb_perfdata_feature_name(struct pgb_perfdata_info *info, size_t event, const char *name)
{
	if (event < info->events.count && name[0] != '\0')
		replace(&info->events.items[event].name, pgb_dup(name));
}

/* The events once more, in the same order, with their names. */
static void read_event_names(struct pgb_perfdata_info *info, struct pgb_cursor bytes)
{
	uint32_t count = pgb_cursor_u32(&bytes);
	uint32_t attr_bytes = pgb_cursor_u32(&bytes);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t ids;
		char *name;

		pgb_cursor_skip(&bytes, attr_bytes);
		ids = pgb_cursor_u32(&bytes);
		name = read_string(&bytes);
		if (name == NULL)
			return;
		pgb_perfdata_feature_name(info, i, name);
		free(name);
		pgb_cursor_skip(&bytes, (uint64_t)ids * 8);
	}
}

static void read_pmus(struct pgb_perfdata_info *info, struct pgb_cursor bytes)
{
	uint32_t count = pgb_cursor_u32(&bytes);

	for (uint32_t i = 0; i < count && info->pmus.count < PMUS_MAX; i++) {
		struct pgb_perfdata_pmu pmu;

		pmu.type = pgb_cursor_u32(&bytes);
		pmu.name = read_string(&bytes);
		if (pmu.name == NULL)
			return;
		pgb_array_push(&info->pmus, pmu);
	}
}

/* Before there was a size byte, ids of 16 bytes were written with zeros behind them. */
static uint8_t build_id_size(uint16_t misc, const uint8_t *bytes)
{
	static const uint8_t zeros[BUILD_ID_BYTES - SHORT_BUILD_ID_BYTES];

	if (misc & MISC_BUILD_ID_SIZE)
		return bytes[BUILD_ID_BYTES] <= BUILD_ID_BYTES ? bytes[BUILD_ID_BYTES] : 0;
	if (memcmp(bytes + SHORT_BUILD_ID_BYTES, zeros, sizeof(zeros)) == 0)
		return SHORT_BUILD_ID_BYTES;
	return BUILD_ID_BYTES;
}

void pgb_perfdata_feature_build_id(struct pgb_perfdata_info *info, uint16_t misc,
				   struct pgb_cursor body)
{
	struct pgb_perfdata_build_id entry = {0};
	const uint8_t *bytes;
	const char *path;

	pgb_cursor_skip(&body, 4); /* pid */
	bytes = pgb_cursor_bytes(&body, BUILD_ID_BYTES + 4);
	path = pgb_cursor_string(&body);
	if (body.truncated || info->build_ids.count >= BUILD_IDS_MAX)
		return;
	entry.id.size_bytes = build_id_size(misc, bytes);
	if (entry.id.size_bytes == 0)
		return;
	memcpy(entry.id.bytes, bytes, entry.id.size_bytes);
	entry.kernel = (misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
	entry.path = pgb_dup(path);
	pgb_array_push(&info->build_ids, entry);
}

static void read_build_ids(struct pgb_perfdata_info *info, struct pgb_cursor bytes)
{
	while (pgb_cursor_left(&bytes) >= RECORD_HEADER_BYTES) {
		uint16_t misc, size_bytes;

		pgb_cursor_skip(&bytes, 4); /* type */
		misc = pgb_cursor_u16(&bytes);
		size_bytes = pgb_cursor_u16(&bytes);
		if (size_bytes < RECORD_HEADER_BYTES)
			return;
		pgb_perfdata_feature_build_id(
			info, misc, pgb_cursor_sub(&bytes, size_bytes - RECORD_HEADER_BYTES));
	}
}

/* simpleperf: lines of "name,type,config". */
static void read_event_types(struct pgb_perfdata_info *info, const char *lines)
{
	char *copy = pgb_dup(lines);
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		char *config = strrchr(line, ',');
		char *type;

		if (config == NULL)
			continue;
		*config++ = '\0';
		type = strrchr(line, ',');
		if (type == NULL)
			continue;
		*type++ = '\0';
		for (size_t i = 0; i < info->events.count; i++) {
			const struct perf_event_attr *attr = &info->events.items[i].attr;

			if (strtoull(type, NULL, 0) == attr->type &&
			    strtoull(config, NULL, 0) == attr->config)
				pgb_perfdata_feature_name(info, i, line);
		}
	}
	free(copy);
}

static void read_meta_info(struct pgb_perfdata_info *info, struct pgb_cursor bytes)
{
	info->simpleperf = true;
	for (;;) {
		const char *key = pgb_cursor_string(&bytes);
		const char *value = pgb_cursor_string(&bytes);

		if (key == NULL || value == NULL)
			return;
		if (strcmp(key, "event_type_info") == 0)
			read_event_types(info, value);
		else if (strcmp(key, "simpleperf_version") == 0)
			replace(&info->perf_version, pgb_format("simpleperf %s", value));
	}
}

void pgb_perfdata_feature_read(struct pgb_perfdata_info *info, unsigned int feature,
			       struct pgb_cursor bytes)
{
	switch (feature) {
	case PGB_PERFDATA_BUILD_ID:
		read_build_ids(info, bytes);
		break;
	case PGB_PERFDATA_HOSTNAME:
		replace(&info->host_name, read_string(&bytes));
		break;
	case PGB_PERFDATA_OSRELEASE:
		replace(&info->os_release, read_string(&bytes));
		break;
	case PGB_PERFDATA_VERSION:
		replace(&info->perf_version, read_string(&bytes));
		break;
	case PGB_PERFDATA_ARCH:
		replace(&info->arch, read_string(&bytes));
		break;
	case PGB_PERFDATA_CPUDESC:
		replace(&info->cpu_description, read_string(&bytes));
		break;
	case PGB_PERFDATA_CPUID:
		replace(&info->cpu_id, read_string(&bytes));
		break;
	case PGB_PERFDATA_CMDLINE:
		read_command_line(info, bytes);
		break;
	case PGB_PERFDATA_EVENT_DESC:
		read_event_names(info, bytes);
		break;
	case PGB_PERFDATA_PMU_MAPPINGS:
		read_pmus(info, bytes);
		break;
	case PGB_PERFDATA_META_INFO:
		read_meta_info(info, bytes);
		break;
	}
}

void pgb_perfdata_info_release(struct pgb_perfdata_info *info)
{
	for (size_t i = 0; i < info->events.count; i++)
		free(info->events.items[i].name);
	for (size_t i = 0; i < info->build_ids.count; i++)
		free(info->build_ids.items[i].path);
	for (size_t i = 0; i < info->pmus.count; i++)
		free(info->pmus.items[i].name);
	pgb_array_release(&info->events);
	pgb_array_release(&info->build_ids);
	pgb_array_release(&info->pmus);
	free(info->host_name);
	free(info->os_release);
	free(info->perf_version);
	free(info->arch);
	free(info->cpu_description);
	free(info->cpu_id);
	free(info->command_line);
	*info = (struct pgb_perfdata_info){0};
}

bool pgb_feed_perfdata_has_branch_stacks(const struct pgb_feed *base)
{
	const struct pgb_perfdata_info *info = pgb_feed_perfdata_info(base);

	for (size_t i = 0; i < info->events.count; i++)
		if (info->events.items[i].attr.sample_type & PERF_SAMPLE_BRANCH_STACK)
			return true;
	return false;
}

const struct pgb_build_id *pgb_feed_perfdata_build_id(const struct pgb_feed *feed, const char *path)
{
	const struct pgb_perfdata_info *info = pgb_feed_perfdata_info(feed);

	for (size_t i = 0; i < info->build_ids.count; i++)
		if (strcmp(info->build_ids.items[i].path, path) == 0)
			return &info->build_ids.items[i].id;
	return NULL;
}
