/* SPDX-License-Identifier: MIT */
#include "pgobolt/bench/noise.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

#define CPU_FOLDER "/sys/devices/system/cpu/"

enum { FILE_BYTES_MAX = 4 * 1024 * 1024, STAT_COLUMNS = 8, STAT_STEAL = 7 };

void pgb_noise_add(struct pgb_noise *noise, const char *remedy, const char *format, ...)
{
	struct pgb_text message = {0};
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(&message, format, arguments);
	va_end(arguments);
	pgb_array_push(&noise->remarks,
		       ((struct pgb_noise_remark){pgb_text_detach(&message), pgb_dup(remedy)}));
}

/* Up to the first newline; NULL where it cannot be read. The caller frees it. */
static char *read_line(const struct pgb_noise *noise, const char *path)
{
	char *full = pgb_format("%s%s", noise->root, path);
	struct pgb_text text = {0};
	int status = pgb_file_read(&text, full, FILE_BYTES_MAX, NULL);
	char *line = NULL;

	free(full);
	if (status == 0)
		line = pgb_dup_bytes(pgb_text_string(&text), strcspn(pgb_text_string(&text), "\n"));
	pgb_text_release(&text);
	return line;
}

static void check_governor(struct pgb_noise *noise)
{
	char *governor = read_line(noise, CPU_FOLDER "cpu0/cpufreq/scaling_governor");

	if (governor && strcmp(governor, "performance") != 0)
		pgb_noise_add(noise, "for a steady one: cpupower frequency-set -g performance",
			      "the CPU's clock follows the load (governor '%s')", governor);
	free(governor);
}

static void check_turbo(struct pgb_noise *noise)
{
	static const struct {
		const char *path, *on, *remedy;
	} switches[] = {
		{CPU_FOLDER "intel_pstate/no_turbo", "0",
		 "to switch it off: echo 1 >" CPU_FOLDER "intel_pstate/no_turbo"},
		{CPU_FOLDER "cpufreq/boost", "1",
		 "to switch it off: echo 0 >" CPU_FOLDER "cpufreq/boost"},
	};

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		char *state = read_line(noise, switches[i].path);

		if (state && strcmp(state, switches[i].on) == 0)
			pgb_noise_add(noise, switches[i].remedy,
				      "turbo is on: the CPU's clock depends on its temperature and "
				      "on what other cores do");
		free(state);
	}
}

static void check_load(struct pgb_noise *noise)
{
	char *load = read_line(noise, "/proc/loadavg");
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	double average = load ? strtod(load, NULL) : 0;

	/* one busy program disturbs a machine of two CPUs, not one of sixty-four */
	if (average > 0.5 && average > (double)cpus / 4)
		pgb_noise_add(noise, "wait until they are done, or pin the commands: --cpu",
			      "other programs are running: load average %.2f on %ld CPU%s", average,
			      cpus, cpus == 1 ? "" : "s");
	free(load);
}

/* The sum of the first line of /proc/stat and its column "steal"; see proc(5). */
static void read_ticks(const struct pgb_noise *noise, uint64_t *all, uint64_t *stolen)
{
	char *line = read_line(noise, "/proc/stat");
	char *at = line ? line + strcspn(line, " ") : NULL;

	*all = *stolen = 0;
	for (int column = 0; at && column < STAT_COLUMNS; column++) {
		char *end;
		uint64_t ticks = strtoull(at, &end, 10);

		if (end == at)
			break;
		*all += ticks;
		if (column == STAT_STEAL)
			*stolen = ticks;
		at = end;
	}
	free(line);
}

void pgb_noise_begin(struct pgb_noise *noise, const char *root)
{
	*noise = (struct pgb_noise){.root = pgb_dup(root ? root : "")};
	check_governor(noise);
	check_turbo(noise);
	check_load(noise);
	read_ticks(noise, &noise->ticks, &noise->ticks_stolen);
}

void pgb_noise_end(struct pgb_noise *noise)
{
	uint64_t all, stolen;
	double share;

	read_ticks(noise, &all, &stolen);
	if (all <= noise->ticks || stolen <= noise->ticks_stolen)
		return;
	share = 100 * (double)(stolen - noise->ticks_stolen) / (double)(all - noise->ticks);
	if (share >= 0.5)
		pgb_noise_add(noise,
			      "compare CPU time instead: --metric cpu; or a machine of its own",
			      "the hypervisor gave %.1f %% of the CPU time to other guests (steal)",
			      share);
}

void pgb_noise_release(struct pgb_noise *noise)
{
	for (size_t i = 0; i < noise->remarks.count; i++) {
		free(noise->remarks.items[i].message);
		free(noise->remarks.items[i].remedy);
	}
	pgb_array_release(&noise->remarks);
	free(noise->root);
	noise->root = NULL;
}
