/* SPDX-License-Identifier: MIT */
/*
 * What this machine can sample: PMUs in sysfs, their capabilities and formats, permission,
 * limits, and hints about virtual machines. Read once; the rest of the tool asks this.
 */
#ifndef PGOBOLT_COLLECTOR_HOST_H
#define PGOBOLT_COLLECTOR_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/array.h"
#include "pgobolt/base/error.h"

struct perf_event_attr;

enum pgb_cpu_vendor { PGB_VENDOR_UNKNOWN, PGB_VENDOR_INTEL, PGB_VENDOR_AMD, PGB_VENDOR_ARM };

/* Ascending. */
struct pgb_cpu_list {
	unsigned int *items;
	size_t count, capacity;
};

/* One folder of /sys/bus/event_source/devices. */
struct pgb_pmu {
	char *name; /* "cpu", "cpu_core", "armv8_pmuv3_0", "ibs_op", "arm_spe_0" */
	uint32_t type;
	unsigned int branches;	  /* caps/branches, depth of the stack; Arm: not told, 0 */
	unsigned int max_precise; /* caps/max_precise */
	bool is_core;		  /* counts cycles of a CPU */
	struct pgb_cpu_list cpus; /* cpumask or cpus; empty: all */
};

struct pgb_host {
	char *root; /* prefix of /sys and /proc: "" here, a folder in tests */
	enum pgb_cpu_vendor vendor;
	unsigned int family, model; /* Arm: implementer and part */
	char *cpu_name;
	char *kernel_release;
	unsigned int kernel_major, kernel_minor;
	bool is_virtual; /* the hypervisor CPU flag or DMI says so */
	bool in_container;
	bool flag_brs, flag_lbr_v2; /* /proc/cpuinfo flags of AMD branch sampling */
	int perf_paranoid;	    /* INT_MAX: no perf_event_open in this kernel */
	uint64_t max_sample_rate;
	uint64_t mlock_kib; /* perf_event_mlock_kb */
	bool has_perfmon;   /* CAP_PERFMON or CAP_SYS_ADMIN, effective on the whole machine */
	int yama_scope;	    /* kernel.yama.ptrace_scope; -1: not built in */
	struct pgb_cpu_list cpus_online;
	PGB_ARRAY(struct pgb_pmu) pmus;
};

/* `root` NULL: this machine. Missing files are no errors: their fields say unknown. */
int pgb_host_init(struct pgb_host *host, const char *root, struct pgb_error *error);
void pgb_host_release(struct pgb_host *host);

/* Borrowed; NULL where there is none. */
const struct pgb_pmu *pgb_host_find_pmu(const struct pgb_host *host, const char *name);
/* By its number, as perf_event_attr.type has it. Borrowed; NULL where there is none. */
const struct pgb_pmu *pgb_host_find_pmu_type(const struct pgb_host *host, uint32_t type);
/* Does this PMU count on that CPU? */
bool pgb_pmu_covers(const struct pgb_pmu *pmu, unsigned int cpu);
/* Is there any PMU that counts CPU cycles? */
bool pgb_host_has_core_pmu(const struct pgb_host *host);

/*
 * A text of sysfs, e.g. pgb_host_pmu_text(host, pmu, "format/cnt_ctl"); the caller frees it; NULL
 * where it is not there.
 */
char *pgb_host_pmu_text(const struct pgb_host *host, const struct pgb_pmu *pmu, const char *path);

/* Is the running kernel this version or a later one? */
bool pgb_host_kernel_since(const struct pgb_host *host, unsigned int major, unsigned int minor);

/*
 * Set a field of an attr by its sysfs format ("config:19", "config1:0-11,32"). false: this PMU
 * has no such field, or the value does not fit.
 */
bool pgb_host_set_format(const struct pgb_host *host, const struct pgb_pmu *pmu,
			 struct perf_event_attr *attr, const char *field, uint64_t value);

#endif
