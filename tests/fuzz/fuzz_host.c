/* SPDX-License-Identifier: MIT */
/*
 * A machine as /proc and /sys describe it: an event's name, then the contents of the files below,
 * divided by NULs. A file without content is not there.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/base/assert.h"
#include "pgobolt/bench/noise.h"
#include "pgobolt/collector/event.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

#define CPU "/sys/bus/event_source/devices/cpu/"
#define IBS "/sys/bus/event_source/devices/ibs_op/"

static const char *const files[] = {
	CPU "type",
	CPU "cpus",
	CPU "caps/branches",
	CPU "format/event",
	CPU "format/umask",
	CPU "events/mem-loads",
	IBS "type",
	IBS "cpumask",
	IBS "format/cnt_ctl",
	"/proc/cpuinfo",
	"/proc/self/status",
	"/proc/self/uid_map",
	"/proc/self/cgroup",
	"/proc/sys/kernel/osrelease",
	"/proc/sys/kernel/perf_event_paranoid",
	"/proc/stat",
	"/proc/loadavg",
	"/sys/devices/system/cpu/online",
	"/sys/class/dmi/id/sys_vendor",
};
enum { FILES = sizeof(files) / sizeof(files[0]) };

static char root[] = "/tmp/pgobolt-fuzz-host.XXXXXX";

static void remove_root(void)
{
	pgb_file_remove_tree(root, NULL);
}

static char *path_of(size_t index)
{
	return pgb_format("%s%s", root, files[index]);
}

static void make_root(void)
{
	pgb_assert(mkdtemp(root) != NULL);
	atexit(remove_root);
	for (size_t i = 0; i < FILES; i++) {
		char *path = path_of(i);

		*strrchr(path, '/') = '\0';
		pgb_assert(pgb_file_make_directories(path, NULL) == 0);
		free(path);
	}
}

/* Up to a NUL; the caller frees it. */
static char *take(const uint8_t **bytes, size_t *size_bytes)
{
	const uint8_t *end = *size_bytes ? memchr(*bytes, 0, *size_bytes) : NULL;
	size_t length = end ? (size_t)(end - *bytes) : *size_bytes;
	char *text = pgb_dup_bytes(*bytes, length);

	*bytes += length + (end != NULL);
	*size_bytes -= length + (end != NULL);
	return text;
}

static void write_file(size_t index, const char *text)
{
	static char *written[FILES];
	char *path;
	FILE *file;

	if (written[index] && strcmp(written[index], text) == 0)
		return;
	path = path_of(index);
	unlink(path);
	file = *text ? fopen(path, "w") : NULL;
	if (file) {
		fputs(text, file);
		fclose(file);
	}
	free(path);
	free(written[index]);
	written[index] = pgb_dup(text);
}

static void use(const char *event)
{
	struct perf_event_attr attr = {0};
	struct pgb_error error = {0};
	struct pgb_noise noise;
	struct pgb_host host;

	pgb_assert(pgb_host_init(&host, root, &error) == 0);
	pgb_assert(host.cpus_online.count > 0 && host.cpu_name && host.kernel_release);
	if (pgb_event_parse(&host, event, &attr, &error) < 0)
		pgb_assert(error.message[0] != '\0');
	pgb_host_release(&host);
	pgb_noise_begin(&noise, root);
	noise.ticks /= 2;
	noise.ticks_stolen /= 2;
	pgb_noise_end(&noise);
	pgb_noise_release(&noise);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	char *event;

	if (strstr(root, "XXXXXX") != NULL)
		make_root();
	event = take(&bytes, &size_bytes);
	for (size_t i = 0; i < FILES; i++) {
		char *text = take(&bytes, &size_bytes);

		write_file(i, text);
		free(text);
	}
	use(event);
	free(event);
	return 0;
}
