/* SPDX-License-Identifier: MIT */
#include "tests/support/fake_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"

struct fake_file {
	const char *path, *text;
};

#define PMU    "/sys/bus/event_source/devices/"
#define ONLINE "/sys/devices/system/cpu/online"
#define KERNEL "/proc/sys/kernel/"

#define X86_CORE_FORMATS(pmu)                                                                      \
	{PMU pmu "/format/event", "config:0-7"}, {PMU pmu "/format/umask", "config:8-15"},         \
		{PMU pmu "/format/inv", "config:23"}, {PMU pmu "/format/cmask", "config:24-31"},   \
	{                                                                                          \
		PMU pmu "/events/cpu-cycles", "event=0x3c"                                         \
	}
#define AMD_CORE                                                                                   \
	{PMU "cpu/type", "4"}, {PMU "cpu/format/event", "config:0-7,32-35"},                       \
		{PMU "cpu/format/umask", "config:8-15"},                                           \
	{                                                                                          \
		PMU "cpu/events/cpu-cycles", "event=0x76"                                          \
	}

static const struct fake_file every_machine[] = {
	{KERNEL "perf_event_paranoid", "2"},
	{KERNEL "perf_event_max_sample_rate", "100000"},
	{KERNEL "perf_event_mlock_kb", "516"},
	{KERNEL "yama/ptrace_scope", "1"},
	{KERNEL "osrelease", "6.12.9-generic"},
	{"/proc/self/status", "Name:\ttest\nCapEff:\t0000000000000000"},
	{"/proc/self/uid_map", "         0          0 4294967295"},
	{PMU "software/type", "1"},
	{ONLINE, "0-3"},
	{NULL, NULL},
};

static const struct fake_file skylake[] = {
	{"/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n"
			  "model\t\t: 94\nmodel name\t: Intel(R) Core(TM) i7-6700 CPU @ 3.40GHz\n"
			  "flags\t\t: fpu vme arch_perfmon pebs\n\nprocessor\t: 1\n"},
	{PMU "cpu/type", "4"},
	{PMU "cpu/caps/branches", "32"},
	{PMU "cpu/caps/max_precise", "3"},
	{PMU "cpu/events/branch-instructions", "event=0xc4"},
	{PMU "cpu/events/mem-loads", "event=0xcd,umask=0x1,ldlat=3"},
	{PMU "cpu/format/ldlat", "config1:0-15"},
	{PMU "cpu/format/any", "config:21"},
	X86_CORE_FORMATS("cpu"),
	{NULL, NULL},
};

static const struct fake_file alderlake[] = {
	{"/proc/cpuinfo", "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 151\n"
			  "model name\t: 12th Gen Intel(R) Core(TM) i9-12900K\n"
			  "flags\t\t: fpu arch_lbr\n"},
	{ONLINE, "0-7"},
	{PMU "cpu_core/type", "4"},
	{PMU "cpu_core/cpus", "0-3"},
	{PMU "cpu_core/caps/branches", "32"},
	{PMU "cpu_core/caps/max_precise", "3"},
	X86_CORE_FORMATS("cpu_core"),
	{PMU "cpu_atom/type", "10"},
	{PMU "cpu_atom/cpus", "4-7"},
	{PMU "cpu_atom/caps/branches", "32"},
	{PMU "cpu_atom/caps/max_precise", "3"},
	X86_CORE_FORMATS("cpu_atom"),
	{NULL, NULL},
};

static const struct fake_file zen2[] = {
	{"/proc/cpuinfo", "vendor_id\t: AuthenticAMD\ncpu family\t: 23\nmodel\t\t: 49\n"
			  "model name\t: AMD EPYC 7702\nflags\t\t: fpu ibs\n"},
	AMD_CORE,
	{PMU "ibs_op/type", "11"},
	{PMU "ibs_op/format/cnt_ctl", "config:19"},
	{NULL, NULL},
};

static const struct fake_file zen3[] = {
	{"/proc/cpuinfo", "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\n"
			  "model name\t: AMD EPYC 7713\nflags\t\t: fpu ibs brs\n"},
	AMD_CORE,
	{PMU "cpu/caps/branches", "16"},
	{PMU "cpu/events/branch-brs", "event=0xc4"},
	{NULL, NULL},
};

static const struct fake_file zen4[] = {
	{"/proc/cpuinfo", "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n"
			  "model name\t: AMD EPYC 9654\nflags\t\t: fpu ibs amd_lbr_v2\n"},
	AMD_CORE,
	{PMU "cpu/caps/branches", "16"},
	{NULL, NULL},
};

static const struct fake_file neoverse[] = {
	{"/proc/cpuinfo", "processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd\n"
			  "CPU implementer\t: 0x41\nCPU part\t: 0xd83\n"},
	{KERNEL "osrelease", "6.17.0"},
	{PMU "armv8_pmuv3_0/type", "8"},
	{PMU "armv8_pmuv3_0/cpus", "0-3"},
	{PMU "armv8_pmuv3_0/events/cpu_cycles", "event=0x0011"},
	{PMU "armv8_pmuv3_0/format/event", "config:0-15"},
	{PMU "arm_spe_0/type", "9"},
	{PMU "arm_spe_0/cpumask", "0-3"},
	{PMU "arm_spe_0/format/jitter", "config:16"},
	{PMU "arm_spe_0/format/ts_enable", "config:0"},
	{PMU "arm_spe_0/format/branch_filter", "config:32"},
	{PMU "arm_spe_0/format/event_filter", "config1:0-63"},
	{NULL, NULL},
};

#define ARM_CORE(pmu, number, cpus)                                                                \
	{PMU pmu "/type", number}, {PMU pmu "/cpus", cpus},                                        \
		{PMU pmu "/format/event", "config:0-15"},                                          \
	{                                                                                          \
		PMU pmu "/events/cpu_cycles", "event=0x0011"                                       \
	}
static const struct fake_file big_little[] = {
	{"/proc/cpuinfo", "CPU implementer\t: 0x41\nCPU part\t: 0xd05\n"},
	{KERNEL "osrelease", "6.1.0-18-arm64"},
	{ONLINE, "0-7"},
	ARM_CORE("armv8_cortex_a55", "8", "0-3"),
	ARM_CORE("armv8_cortex_a76", "9", "4-7"),
	{NULL, NULL},
};

static const struct fake_file guest[] = {
	{"/proc/cpuinfo", "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 106\n"
			  "model name\t: Intel Xeon Processor (Icelake)\n"
			  "flags\t\t: fpu hypervisor\n"},
	{ONLINE, "0-1"},
	{NULL, NULL},
};

static const struct fake_file guest_pmu[] = {
	{"/proc/cpuinfo", "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 106\n"
			  "model name\t: Intel Xeon Processor (Icelake)\n"
			  "flags\t\t: fpu hypervisor arch_perfmon\n"},
	{ONLINE, "0-1"},
	{PMU "cpu/type", "4"},
	{PMU "cpu/caps/max_precise", "0"},
	X86_CORE_FORMATS("cpu"),
	{NULL, NULL},
};

static const struct fake_file *const machines[] = {
	[FAKE_SKYLAKE] = skylake,
	[FAKE_ALDERLAKE] = alderlake,
	[FAKE_ZEN2] = zen2,
	[FAKE_ZEN3] = zen3,
	[FAKE_ZEN4] = zen4,
	[FAKE_NEOVERSE] = neoverse,
	[FAKE_BIG_LITTLE] = big_little,
	[FAKE_GUEST] = guest,
	[FAKE_GUEST_PMU] = guest_pmu,
};

void fake_root_write(const char *root, const char *path, const char *text)
{
	char *full = pgb_format("%s%s", root, path);
	char *slash = strrchr(full, '/');
	struct pgb_error error = {0};
	FILE *stream;

	*slash = '\0';
	pgb_assert(pgb_file_make_directories(full, &error) == 0);
	*slash = '/';
	stream = fopen(full, "w");
	pgb_assert(stream != NULL);
	fprintf(stream, "%s\n", text);
	pgb_assert(fclose(stream) == 0);
	free(full);
}

void fake_root_delete(const char *root, const char *path)
{
	char *full = pgb_format("%s%s", root, path);

	pgb_assert(unlink(full) == 0);
	free(full);
}

static void write_all(const char *root, const struct fake_file *files)
{
	for (; files->path; files++)
		fake_root_write(root, files->path, files->text);
}

char *fake_root_new(enum fake_machine machine)
{
	const char *folder = getenv("TMPDIR");
	char *root = pgb_format("%s/pgobolt-host.XXXXXX", folder ? folder : "/tmp");

	pgb_assert(mkdtemp(root) != NULL);
	if (machine != FAKE_EMPTY) {
		write_all(root, every_machine);
		write_all(root, machines[machine]);
	}
	return root;
}

void fake_root_remove(const char *root)
{
	struct pgb_error error = {0};

	pgb_assert(pgb_file_remove_tree(root, &error) == 0);
}

void fake_host_init(struct pgb_host *host, enum fake_machine machine)
{
	char *root = fake_root_new(machine);
	struct pgb_error error = {0};

	pgb_assert(pgb_host_init(host, root, &error) == 0);
	fake_root_remove(root);
	free(root);
}
