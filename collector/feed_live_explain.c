/* SPDX-License-Identifier: MIT */
/* Why perf_event_open failed, in words, and what to do about it. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/collector/event.h"
#include "pgobolt/collector/feed_live.h"

#define WITHOUT_BRANCHES "use -s instrument, or -s ip"
#define GIVE_CAPABILITY                                                                            \
	"give the tool the capability: sudo setcap cap_perfmon+ep \"$(command -v pgobolt)\""

static int explain_blocked(const struct pgb_host *host, const char *event, struct pgb_error *error)
{
	if (host->in_container) {
		pgb_fail(error, PGB_E_PERMISSION,
			 "event '%s': perf_event_open is blocked in this container (EPERM): its "
			 "seccomp profile forbids the call",
			 event);
		return pgb_remedy(
			error, "docker run --cap-add PERFMON (before Docker 20.10: SYS_ADMIN), or "
			       "--security-opt seccomp=PROFILE with perf_event_open allowed");
	}
	pgb_fail(error, PGB_E_PERMISSION,
		 "event '%s': perf_event_open is blocked (EPERM) by a seccomp filter or a security "
		 "module",
		 event);
	return pgb_remedy(error, "see which: sudo dmesg | grep -i -e avc -e lockdown -e apparmor; "
				 "in a container, allow perf_event_open in its seccomp profile");
}

static int explain_access(const struct pgb_host *host, const char *event, bool system_wide,
			  struct pgb_error *error)
{
	const char *where = host->in_container ? " (on the host, not in the container)" : "";

	if (system_wide && host->perf_paranoid >= 1 && !host->has_perfmon) {
		pgb_fail(error, PGB_E_PERMISSION,
			 "event '%s': recording the whole system needs kernel.perf_event_paranoid "
			 "at 0 or below, and it is %d",
			 event, host->perf_paranoid);
		return pgb_remedy(error,
				  "sudo sysctl kernel.perf_event_paranoid=0%s; or " GIVE_CAPABILITY
				  "; or record one program: pgobolt record -- COMMAND",
				  where);
	}
	if (host->perf_paranoid > 2 && !host->has_perfmon) {
		pgb_fail(error, PGB_E_PERMISSION,
			 "event '%s': kernel.perf_event_paranoid is %d, which forbids perf events "
			 "to ordinary users",
			 event, host->perf_paranoid);
		return pgb_remedy(error,
				  "sudo sysctl kernel.perf_event_paranoid=2%s; or " GIVE_CAPABILITY,
				  where);
	}
	pgb_fail(error, PGB_E_PERMISSION,
		 "event '%s': this user may not observe that process (EACCES): it belongs to "
		 "another user, has more privileges, or has made itself undumpable",
		 event);
	return pgb_remedy(error, "run as its owner, or: sudo setcap cap_perfmon,cap_sys_ptrace+ep "
				 "\"$(command -v pgobolt)\"");
}

static int explain_no_event(const struct pgb_host *host, const char *event, struct pgb_error *error)
{
	if (!pgb_host_has_core_pmu(host)) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "event '%s': this %s has no CPU performance counters (ENOENT)", event,
			 host->is_virtual ? "virtual machine" : "machine");
		return pgb_remedy(error, "use -e cpu-clock%s",
				  host->is_virtual
					  ? ", or give the guest a PMU (KVM: -cpu host,pmu=on)"
					  : "");
	}
	pgb_fail(error, PGB_E_UNSUPPORTED, "event '%s': this CPU does not have it (ENOENT)", event);
	return pgb_remedy(error, "use -e cycles, or -e cpu-clock; `perf list` shows what there is");
}

static int explain_not_supported(const struct pgb_host *host, const char *event,
				 const struct perf_event_attr *attr, struct pgb_error *error)
{
	if ((attr->sample_type & PERF_SAMPLE_BRANCH_STACK) == 0) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "event '%s': its PMU cannot sample it (EOPNOTSUPP)", event);
		return pgb_remedy(error, "use -e cycles, or -e cpu-clock");
	}
	if (attr->type == PERF_TYPE_SOFTWARE) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "event '%s' is the kernel's, and has no branch stack", event);
		return pgb_remedy(error, "use -e cycles with a branch source, or -s ip");
	}
	if (host->vendor == PGB_VENDOR_ARM) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "event '%s': this CPU or kernel has no branch records (BRBE, EOPNOTSUPP)",
			 event);
		return pgb_remedy(error,
				  "BRBE needs an Armv9.2 CPU that has it and Linux 6.17 with "
				  "CONFIG_ARM64_BRBE=y; " WITHOUT_BRANCHES);
	}
	pgb_fail(error, PGB_E_UNSUPPORTED, "event '%s': %s offers no branch stack (EOPNOTSUPP)",
		 event, host->is_virtual ? "the hypervisor" : "this CPU's PMU");
	return pgb_remedy(error, host->is_virtual ? "record on bare metal, or " WITHOUT_BRANCHES
						  : WITHOUT_BRANCHES);
}

static int explain_invalid(const struct pgb_host *host, const char *event,
			   const struct perf_event_attr *attr, struct pgb_error *error)
{
	if (attr->freq && attr->sample_freq > host->max_sample_rate) {
		pgb_fail(error, PGB_E_USAGE,
			 "event '%s': %llu samples a second are above the kernel's limit", event,
			 (unsigned long long)attr->sample_freq);
		return pgb_remedy(error, "use -F %llu", (unsigned long long)host->max_sample_rate);
	}
	pgb_fail(error, PGB_E_UNSUPPORTED,
		 "event '%s': Linux %s does not take these settings (EINVAL)%s", event,
		 host->kernel_release,
		 attr->sample_type & PERF_SAMPLE_BRANCH_STACK ? ", branch stack included" : "");
	return pgb_remedy(error, attr->sample_type & PERF_SAMPLE_BRANCH_STACK
					 ? "try without -e, -c and -F; or " WITHOUT_BRANCHES
					 : "try without -e, -c and -F");
}

static int explain_descriptors(const struct pgb_host *host, int number, struct pgb_error *error)
{
	pgb_fail(error, PGB_E_RESOURCE,
		 "too many open files (%s): one event is needed for each thread and each of %zu "
		 "CPUs",
		 number == EMFILE ? "EMFILE" : "ENFILE", host->cpus_online.count);
	return pgb_remedy(error,
			  number == EMFILE
				  ? "raise the limit: ulimit -n 65536 (hard limit: "
				    "/etc/security/limits.conf), or record system-wide with -a"
				  : "sudo sysctl fs.file-max=1000000");
}

static int explain_rest(const char *event, int number, struct pgb_error *error)
{
	switch (number) {
	case ESRCH:
		pgb_fail(error, PGB_E_GONE, "event '%s': the process has ended", event);
		return pgb_remedy(error, "see what runs: ps -e");
	case EBUSY:
		pgb_fail(error, PGB_E_RESOURCE,
			 "event '%s': another program has the counter for itself (EBUSY)", event);
		return pgb_remedy(error, "end other profilers; sudo sysctl kernel.nmi_watchdog=0 "
					 "frees the counter of the NMI watchdog");
	case ENOSYS:
		pgb_fail(error, PGB_E_UNSUPPORTED, "this kernel has no perf_event_open");
		return pgb_remedy(error, "a kernel with CONFIG_PERF_EVENTS, or -s instrument");
	case E2BIG:
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "event '%s': this kernel is too old for its settings (E2BIG)", event);
		return pgb_remedy(error, "use -e cycles, or -e cpu-clock");
	}
	pgb_fail(error, number == ENOSPC ? PGB_E_RESOURCE : pgb_code_from_errno(number),
		 "event '%s': perf_event_open failed: %s", event, strerror(number));
	return pgb_remedy(error, "see the kernel's log: dmesg | tail");
}

/* Arm's SPE. 0: nothing to say that is not true of all events. */
static int explain_spe(const struct pgb_host *host, const char *event, int number,
		       struct pgb_error *error)
{
	switch (number) {
	case EBUSY:
		pgb_fail(error, PGB_E_RESOURCE,
			 "event '%s': another recording has the statistical profiling (SPE) of "
			 "these CPUs (EBUSY)",
			 event);
		return pgb_remedy(error, "end it: ps -e | grep perf; or use -s walk");
	case ENOENT:
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "event '%s': not every CPU of this machine has statistical profiling "
			 "(SPE, ENOENT)",
			 event);
		return pgb_remedy(error, "use -s walk, or record on those that have it: "
					 "ls /sys/bus/event_source/devices/arm_spe_*/cpumask");
	case EOPNOTSUPP:
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "event '%s': this CPU's statistical profiling (SPE) cannot filter so "
			 "(EOPNOTSUPP)",
			 event);
		return pgb_remedy(error, "use -e arm_spe_0/ts_enable=1,jitter=1/, or -s walk");
	case EINVAL:
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "event '%s': Linux %s does not take these settings of statistical "
			 "profiling (SPE, EINVAL)",
			 event, host->kernel_release);
		return pgb_remedy(error, "try without -e and -c, or use -s walk");
	}
	return PGB_OK;
}

/* AMD's IBS, likewise. */
static int explain_ibs(const struct pgb_host *host, const char *event,
		       const struct perf_event_attr *attr, int number, bool system_wide,
		       struct pgb_error *error)
{
	if (number == EACCES && !attr->exclude_kernel && !system_wide) {
		pgb_fail(error, PGB_E_PERMISSION,
			 "event '%s': it sees the kernel, too (before Linux 6.14 always), and that "
			 "needs kernel.perf_event_paranoid at 1 or below; it is %d (EACCES)",
			 event, host->perf_paranoid);
		return pgb_remedy(error, "sudo sysctl kernel.perf_event_paranoid=1; "
					 "or " GIVE_CAPABILITY);
	}
	if (number == EINVAL && !system_wide && !pgb_host_kernel_since(host, 6, 2)) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "event '%s': before Linux 6.2 instruction-based sampling (IBS) is of "
			 "whole CPUs only, and this is %s (EINVAL)",
			 event, host->kernel_release);
		return pgb_remedy(error, "record the whole machine while the program runs: "
					 "pgobolt record -a -s ibs -- COMMAND; or use -s walk");
	}
	if (number == EINVAL || number == EOPNOTSUPP) {
		pgb_fail(error, PGB_E_UNSUPPORTED,
			 "event '%s': Linux %s does not take these settings of instruction-based "
			 "sampling (IBS)",
			 event, host->kernel_release);
		return pgb_remedy(error, "try without -e, -c and -F; or use -s walk");
	}
	if (number == EBUSY || number == ENOSPC) {
		pgb_fail(error, PGB_E_RESOURCE,
			 "event '%s': another recording has the instruction-based sampling (IBS) "
			 "of these CPUs",
			 event);
		return pgb_remedy(error, "end it: ps -e | grep perf; or use -s walk");
	}
	return PGB_OK;
}

static int explain_unit(const struct pgb_host *host, const char *event,
			const struct perf_event_attr *attr, int number, bool system_wide,
			struct pgb_error *error)
{
	const struct pgb_pmu *pmu = pgb_host_find_pmu_type(host, attr->type);

	if (pmu && strncmp(pmu->name, "arm_spe_", strlen("arm_spe_")) == 0)
		return explain_spe(host, event, number, error);
	if (pmu && strcmp(pmu->name, "ibs_op") == 0)
		return explain_ibs(host, event, attr, number, system_wide, error);
	return PGB_OK;
}

int pgb_feed_live_explain(const struct pgb_host *host, const struct perf_event_attr *attr,
			  int negative_errno, bool system_wide, struct pgb_error *error)
{
	char *event = pgb_event_describe(attr);
	int result = explain_unit(host, event, attr, -negative_errno, system_wide, error);

	if (result < 0) {
		free(event);
		return result;
	}
	switch (-negative_errno) {
	case EPERM:
		result = explain_blocked(host, event, error);
		break;
	case EACCES:
		result = explain_access(host, event, system_wide, error);
		break;
	case ENOENT:
	case ENODEV:
		result = explain_no_event(host, event, error);
		break;
	case EOPNOTSUPP:
		result = explain_not_supported(host, event, attr, error);
		break;
	case EINVAL:
		result = explain_invalid(host, event, attr, error);
		break;
	case EMFILE:
	case ENFILE:
		result = explain_descriptors(host, -negative_errno, error);
		break;
	default:
		result = explain_rest(event, -negative_errno, error);
		break;
	}
	free(event);
	return result;
}
