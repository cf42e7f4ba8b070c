/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/host.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

#define PMU_FOLDER "/sys/bus/event_source/devices"

enum {
	TEXT_BYTES_MAX = 64 * 1024,	     /* any one file of sysfs or /proc/sys */
	CPUINFO_BYTES_MAX = 4 * 1024 * 1024, /* the first CPU is enough, but files are read whole */
	CPU_NUMBER_MAX = 64 * 1024,	     /* larger than any kernel's NR_CPUS */
	CAPABILITY_SYS_ADMIN = 21,
	CAPABILITY_PERFMON = 38,
};

/* The text of a file without its last newline; NULL where it cannot be read. */
static char *read_text(const struct pgb_host *host, const char *path, size_t most)
{
	char *full = pgb_format("%s%s", host->root, path);
	struct pgb_text text = {0};
	struct pgb_error ignored = {0};
	int result = pgb_file_read(&text, full, most, &ignored);

	free(full);
	if (result < 0) {
		pgb_text_release(&text);
		return NULL;
	}
	while (text.length > 0 && text.data[text.length - 1] == '\n')
		text.data[--text.length] = '\0';
	return pgb_text_detach(&text);
}

/* A decimal or 0x number; `absent` where the file is not there or is none. */
static int64_t read_number(const struct pgb_host *host, const char *path, int64_t absent)
{
	char *text = read_text(host, path, TEXT_BYTES_MAX);
	int64_t value = absent;
	char *end;

	if (text && *text) {
		long long parsed = strtoll(text, &end, 0);

		if (*end == '\0')
			value = parsed;
	}
	free(text);
	return value;
}

static bool exists(const struct pgb_host *host, const char *path)
{
	char *full = pgb_format("%s%s", host->root, path);
	bool there = access(full, F_OK) == 0;

	free(full);
	return there;
}

/* "0-3,8": the kernel's way to write sets of CPUs. Stops at what it does not understand. */
static void parse_cpu_list(const char *text, struct pgb_cpu_list *cpus)
{
	while (isdigit((unsigned char)*text)) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoul(end + 1, &end, 10);
		if (first > last || last >= CPU_NUMBER_MAX)
			return;
		for (unsigned long cpu = first; cpu <= last; cpu++)
			pgb_array_push(cpus, (unsigned int)cpu);
		if (*end != ',')
			return;
		text = end + 1;
	}
}

/* What stands behind "key :" in the first block of /proc/cpuinfo, in a copy; NULL. */
static char *cpuinfo_value(const char *cpuinfo, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = cpuinfo; line && *line; line = strchr(line, '\n')) {
		const char *value;

		line += *line == '\n';
		if (strncmp(line, key, length) != 0)
			continue;
		value = line + length;
		value += strspn(value, " \t");
		if (*value != ':')
			continue;
		value += 1 + strspn(value + 1, " \t");
		return pgb_dup_bytes(value, strcspn(value, "\n"));
	}
	return NULL;
}

static unsigned int cpuinfo_number(const char *cpuinfo, const char *key)
{
	char *value = cpuinfo_value(cpuinfo, key);
	unsigned int number = value ? (unsigned int)strtoul(value, NULL, 0) : 0;

	free(value);
	return number;
}

/* Is `word` one of the blank-separated words of `list`? */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; at && (at = strstr(at, word)); at += length) {
		bool starts = at == list || at[-1] == ' ';

		if (starts && (at[length] == ' ' || at[length] == '\0'))
			return true;
	}
	return false;
}

static void read_x86(struct pgb_host *host, const char *cpuinfo, const char *vendor)
{
	char *flags = cpuinfo_value(cpuinfo, "flags");

	host->vendor = strcmp(vendor, "GenuineIntel") == 0   ? PGB_VENDOR_INTEL
		       : strcmp(vendor, "AuthenticAMD") == 0 ? PGB_VENDOR_AMD
		       : strcmp(vendor, "HygonGenuine") == 0 ? PGB_VENDOR_AMD
							     : PGB_VENDOR_UNKNOWN;
	host->family = cpuinfo_number(cpuinfo, "cpu family");
	host->model = cpuinfo_number(cpuinfo, "model");
	host->is_virtual = has_word(flags, "hypervisor");
	host->flag_brs = has_word(flags, "brs");
	host->flag_lbr_v2 = has_word(flags, "amd_lbr_v2");
	free(flags);
}

static void read_cpu(struct pgb_host *host)
{
	char *cpuinfo = read_text(host, "/proc/cpuinfo", CPUINFO_BYTES_MAX);
	char *vendor = cpuinfo_value(cpuinfo, "vendor_id");

	host->cpu_name = cpuinfo_value(cpuinfo, "model name");
	if (vendor) {
		read_x86(host, cpuinfo, vendor);
	} else if ((vendor = cpuinfo_value(cpuinfo, "CPU implementer")) != NULL) {
		host->vendor = PGB_VENDOR_ARM;
		host->family = cpuinfo_number(cpuinfo, "CPU implementer");
		host->model = cpuinfo_number(cpuinfo, "CPU part");
		if (host->cpu_name == NULL)
			host->cpu_name = pgb_format("Arm implementer 0x%x part 0x%03x",
						    host->family, host->model);
	}
	if (host->cpu_name == NULL)
		host->cpu_name = pgb_dup("unknown");
	free(vendor);
	free(cpuinfo);
}

/* Arm has no CPU flag for it: the firmware's names must do. */
static bool firmware_is_virtual(const struct pgb_host *host)
{
	static const char *const makers[] = {"QEMU",
					     "KVM",
					     "VMware",
					     "VirtualBox",
					     "Xen",
					     "innotek",
					     "Bochs",
					     "Virtual Machine",
					     "Parallels",
					     "OpenStack",
					     "Google Compute Engine"};
	char *vendor = read_text(host, "/sys/class/dmi/id/sys_vendor", TEXT_BYTES_MAX);
	char *product = read_text(host, "/sys/class/dmi/id/product_name", TEXT_BYTES_MAX);
	bool found = exists(host, "/sys/hypervisor/type") ||
		     exists(host, "/proc/device-tree/hypervisor");

	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		found = found || (vendor && strstr(vendor, makers[i])) ||
			(product && strstr(product, makers[i]));
	/* Amazon's bare-metal machines say so in the name of their type. */
	found = found ||
		(vendor && strstr(vendor, "Amazon EC2") && !(product && strstr(product, ".metal")));
	free(vendor);
	free(product);
	return found;
}

static bool is_container(const struct pgb_host *host)
{
	static const char *const managers[] = {"docker", "kubepods", "containerd", "libpod", "lxc"};
	char *groups = read_text(host, "/proc/self/cgroup", TEXT_BYTES_MAX);
	bool found = exists(host, "/.dockerenv") || exists(host, "/run/.containerenv") ||
		     exists(host, "/run/systemd/container");

	for (size_t i = 0; groups && i < sizeof(managers) / sizeof(managers[0]); i++)
		found = found || strstr(groups, managers[i]);
	free(groups);
	return found;
}

/*
 * The kernel asks for capabilities of the initial user namespace: root in a namespace of its own
 * (rootless containers) has none of them, whatever CapEff says.
 */
static bool has_perfmon(const struct pgb_host *host)
{
	char *status = read_text(host, "/proc/self/status", TEXT_BYTES_MAX);
	char *users = read_text(host, "/proc/self/uid_map", TEXT_BYTES_MAX);
	char *effective = cpuinfo_value(status, "CapEff");
	uint64_t capabilities = effective ? strtoull(effective, NULL, 16) : 0;
	unsigned long long count = UINT32_MAX;

	if (users) /* first id inside, first id outside, number of ids */
		sscanf(users, "%*u %*u %llu", &count);
	free(status);
	free(users);
	free(effective);
	if (count != UINT32_MAX) /* only the initial namespace has all of them */
		return false;
	return capabilities >> CAPABILITY_SYS_ADMIN & 1 || capabilities >> CAPABILITY_PERFMON & 1;
}

static void read_kernel(struct pgb_host *host)
{
	char *online = read_text(host, "/sys/devices/system/cpu/online", TEXT_BYTES_MAX);

	host->kernel_release = read_text(host, "/proc/sys/kernel/osrelease", TEXT_BYTES_MAX);
	if (host->kernel_release == NULL)
		host->kernel_release = pgb_dup("unknown");
	sscanf(host->kernel_release, "%u.%u", &host->kernel_major, &host->kernel_minor);
	host->perf_paranoid =
		(int)read_number(host, "/proc/sys/kernel/perf_event_paranoid", INT_MAX);
	host->max_sample_rate =
		(uint64_t)read_number(host, "/proc/sys/kernel/perf_event_max_sample_rate", 100000);
	host->mlock_kib = (uint64_t)read_number(host, "/proc/sys/kernel/perf_event_mlock_kb", 516);
	host->yama_scope = (int)read_number(host, "/proc/sys/kernel/yama/ptrace_scope", -1);
	if (online)
		parse_cpu_list(online, &host->cpus_online);
	if (host->cpus_online.count == 0)
		pgb_array_push(&host->cpus_online, 0);
	free(online);
}

static int64_t pmu_number(const struct pgb_host *host, const char *pmu, const char *file,
			  int64_t absent)
{
	char *path = pgb_format(PMU_FOLDER "/%s/%s", pmu, file);
	int64_t value = read_number(host, path, absent);

	free(path);
	return value;
}

static bool counts_cycles(const struct pgb_host *host, const char *name)
{
	static const char *const events[] = {"cpu-cycles", "cpu_cycles"};
	bool found = strcmp(name, "cpu") == 0 || strcmp(name, "cpu_core") == 0 ||
		     strcmp(name, "cpu_atom") == 0;

	for (size_t i = 0; !found && i < 2; i++) {
		char *path = pgb_format(PMU_FOLDER "/%s/events/%s", name, events[i]);

		found = exists(host, path);
		free(path);
	}
	return found;
}

static void read_pmu(struct pgb_host *host, const char *name)
{
	int64_t type = pmu_number(host, name, "type", -1);
	static const char *const masks[] = {"cpus", "cpumask"};
	struct pgb_pmu pmu = {0};

	if (type < 0 || type > UINT32_MAX)
		return;
	pmu.name = pgb_dup(name);
	pmu.type = (uint32_t)type;
	pmu.branches = (unsigned int)pmu_number(host, name, "caps/branches", 0);
	pmu.max_precise = (unsigned int)pmu_number(host, name, "caps/max_precise", 0);
	pmu.is_core = counts_cycles(host, name);
	for (size_t i = 0; pmu.cpus.count == 0 && i < 2; i++) {
		char *mask = pgb_host_pmu_text(host, &pmu, masks[i]);

		if (mask)
			parse_cpu_list(mask, &pmu.cpus);
		free(mask);
	}
	pgb_array_push(&host->pmus, pmu);
}

static int compare_pmus(const void *a, const void *b)
{
	return strcmp(((const struct pgb_pmu *)a)->name, ((const struct pgb_pmu *)b)->name);
}

static void read_pmus(struct pgb_host *host)
{
	char *path = pgb_format("%s" PMU_FOLDER, host->root);
	DIR *folder = opendir(path);
	struct dirent *entry;

	free(path);
	if (folder == NULL)
		return;
	while ((entry = readdir(folder)) != NULL)
		if (entry->d_name[0] != '.')
			read_pmu(host, entry->d_name);
	closedir(folder);
	if (host->pmus.count > 0)
		qsort(host->pmus.items, host->pmus.count, sizeof(host->pmus.items[0]),
		      compare_pmus);
}

int pgb_host_init(struct pgb_host *host, const char *root, struct pgb_error *error)
{
	(void)error;
	*host = (struct pgb_host){.root = pgb_dup(root ? root : "")};
	read_cpu(host);
	read_kernel(host);
	host->is_virtual = host->is_virtual || firmware_is_virtual(host);
	host->in_container = is_container(host);
	host->has_perfmon = has_perfmon(host);
	read_pmus(host);
	return PGB_OK;
}

void pgb_host_release(struct pgb_host *host)
{
	for (size_t i = 0; i < host->pmus.count; i++) {
		free(host->pmus.items[i].name);
		pgb_array_release(&host->pmus.items[i].cpus);
	}
	pgb_array_release(&host->pmus);
	pgb_array_release(&host->cpus_online);
	free(host->root);
	free(host->cpu_name);
	free(host->kernel_release);
	*host = (struct pgb_host){0};
}

const struct pgb_pmu *pgb_host_find_pmu(const struct pgb_host *host, const char *name)
{
	for (size_t i = 0; i < host->pmus.count; i++)
		if (strcmp(host->pmus.items[i].name, name) == 0)
			return &host->pmus.items[i];
	return NULL;
}

const struct pgb_pmu *pgb_host_find_pmu_type(const struct pgb_host *host, uint32_t type)
{
	for (size_t i = 0; i < host->pmus.count; i++)
		if (host->pmus.items[i].type == type)
			return &host->pmus.items[i];
	return NULL;
}

bool pgb_pmu_covers(const struct pgb_pmu *pmu, unsigned int cpu)
{
	for (size_t i = 0; i < pmu->cpus.count; i++)
		if (pmu->cpus.items[i] == cpu)
			return true;
	return pmu->cpus.count == 0;
}

bool pgb_host_has_core_pmu(const struct pgb_host *host)
{
	for (size_t i = 0; i < host->pmus.count; i++)
		if (host->pmus.items[i].is_core)
			return true;
	return false;
}

bool pgb_host_kernel_since(const struct pgb_host *host, unsigned int major, unsigned int minor)
{
	return host->kernel_major > major ||
	       (host->kernel_major == major && host->kernel_minor >= minor);
}

char *pgb_host_pmu_text(const struct pgb_host *host, const struct pgb_pmu *pmu, const char *path)
{
	char *full = pgb_format(PMU_FOLDER "/%s/%s", pmu->name, path);
	char *text = read_text(host, full, TEXT_BYTES_MAX);

	free(full);
	return text;
}

/* The word of the attr that a format names, and what follows its name. */
static __u64 *format_word(struct perf_event_attr *attr, const char **format)
{
	static const char *const names[] = {"config:", "config1:", "config2:"};
	__u64 *const words[] = {(__u64 *)&attr->config, (__u64 *)&attr->config1,
				(__u64 *)&attr->config2};

	for (size_t i = 0; i < 3; i++) {
		size_t length = strlen(names[i]);

		if (strncmp(*format, names[i], length) == 0) {
			*format += length;
			return words[i];
		}
	}
	return NULL;
}

bool pgb_host_set_format(const struct pgb_host *host, const struct pgb_pmu *pmu,
			 struct perf_event_attr *attr, const char *field, uint64_t value)
{
	char *path = pgb_format("format/%s", field);
	char *text = strchr(field, '/') ? NULL : pgb_host_pmu_text(host, pmu, path);
	const char *format = text;
	__u64 *word = text ? format_word(attr, &format) : NULL;
	struct pgb_cpu_list bits = {0}; /* the same notation as for CPUs */
	__u64 wanted = word ? *word : 0;
	bool fits = word != NULL;

	if (word)
		parse_cpu_list(format, &bits);
	for (size_t i = 0; i < bits.count; i++) {
		fits = fits && bits.items[i] < 64;
		if (!fits)
			break;
		wanted &= ~(UINT64_C(1) << bits.items[i]);
		wanted |= (value & 1) << bits.items[i];
		value >>= 1;
	}
	fits = fits && bits.count > 0 && value == 0;
	if (fits)
		*word = wanted;
	pgb_array_release(&bits);
	free(text);
	free(path);
	return fits;
}
