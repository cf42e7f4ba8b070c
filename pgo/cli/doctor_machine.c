/* SPDX-License-Identifier: MIT */
/* The machine, and the permissions and limits between a user and a recording. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "pgo/cli/doctor.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/cli/table.h"

enum {
	CAPABILITY_IPC_LOCK = 14,
	CAPABILITY_SYS_PTRACE = 19,
	CAPABILITY_SYS_ADMIN = 21,
	CAPABILITY_PERFMON = 38,
	RING_BYTES_WANTED = 128 * 1024,
	STATUS_BYTES_MAX = 65536,
	THREADS_WANTED = 1000, /* a large server's, to be followed with -p */
	DESCRIPTORS_OWN = 32,
};

static void add_kernel(struct doctor *doctor)
{
	const struct pgb_host *host = &doctor->host;

	pgb_doctor_add(&doctor->machine, PGB_FINDING_NOTE, "kernel", NULL,
		       "Linux %s, %zu CPUs (%s)%s%s", host->kernel_release, host->cpus_online.count,
		       host->cpu_name, host->is_virtual ? ", virtual machine" : "",
		       host->in_container ? ", container" : "");
}

static void add_pmus(struct doctor *doctor)
{
	const struct pgb_host *host = &doctor->host;
	struct pgb_text names = {0};

	for (size_t i = 0; i < host->pmus.count; i++) {
		const struct pgb_pmu *pmu = &host->pmus.items[i];

		if (pmu->is_core && pmu->branches)
			pgb_text_addf(&names, "%s%s (branch stack of %u)", names.length ? ", " : "",
				      pmu->name, pmu->branches);
		else if (pmu->is_core)
			pgb_text_addf(&names, "%s%s", names.length ? ", " : "", pmu->name);
	}
	if (names.length)
		pgb_doctor_add(&doctor->machine, PGB_FINDING_GOOD, "pmu", NULL,
			       "counters of the CPU: %s", pgb_text_string(&names));
	pgb_text_release(&names);
}

/* CapEff of this process; 0 where /proc does not tell. */
static uint64_t effective_capabilities(void)
{
	struct pgb_text status = {0};
	struct pgb_error ignored = {0};
	uint64_t set = 0;

	if (pgb_file_read(&status, "/proc/self/status", STATUS_BYTES_MAX, &ignored) == 0) {
		const char *line = strstr(pgb_text_string(&status), "CapEff:");

		if (line)
			set = strtoull(line + strlen("CapEff:"), NULL, 16);
	}
	pgb_text_release(&status);
	return set;
}

static bool has_capability(uint64_t set, unsigned int number)
{
	return set >> number & 1;
}

static void add_capabilities(struct doctor *doctor, uint64_t set)
{
	static const struct {
		unsigned int number;
		const char *name;
	} rows[] = {
		{CAPABILITY_PERFMON, "perfmon"},
		{CAPABILITY_SYS_ADMIN, "sys_admin"},
		{CAPABILITY_SYS_PTRACE, "sys_ptrace"},
		{CAPABILITY_IPC_LOCK, "ipc_lock"},
	};
	struct pgb_text names = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (has_capability(set, rows[i].number))
			pgb_text_addf(&names, " %s", rows[i].name);
	if (names.length)
		pgb_doctor_add(&doctor->machine, PGB_FINDING_NOTE, "capabilities", NULL,
			       "capabilities:%s", pgb_text_string(&names));
	else
		pgb_doctor_add(&doctor->machine, PGB_FINDING_NOTE, "capabilities", NULL,
			       "capabilities: none, which is enough for one's own programs");
	pgb_text_release(&names);
}

static void add_paranoid(struct doctor *doctor)
{
	static const char remedy[] =
		"as root: sysctl kernel.perf_event_paranoid=2 (for good: a line in "
		"/etc/sysctl.d/50-perf.conf)\nor give the capability: setcap cap_perfmon+ep "
		"$(command -v pgobolt); in a container: --cap-add PERFMON";
	const struct pgb_host *host = &doctor->host;
	int level = host->perf_paranoid;

	if (level == INT_MAX)
		return; /* no perf events at all: said already */
	if (host->has_perfmon)
		pgb_doctor_add(&doctor->machine, PGB_FINDING_GOOD, "paranoid", NULL,
			       "perf_event_paranoid is %d; CAP_PERFMON lifts it: -a works too",
			       level);
	else if (level <= 0)
		pgb_doctor_add(&doctor->machine, PGB_FINDING_GOOD, "paranoid", NULL,
			       "perf_event_paranoid is %d: -a works too", level);
	else if (level <= 2)
		pgb_doctor_add(&doctor->machine, PGB_FINDING_GOOD, "paranoid", NULL,
			       "perf_event_paranoid is %d: one's own programs; -a needs 0 or "
			       "CAP_PERFMON",
			       level);
	else
		pgb_doctor_add(&doctor->machine, PGB_FINDING_WARNING, "paranoid", remedy,
			       "perf_event_paranoid is %d: this kernel may refuse perf events to "
			       "ordinary users",
			       level);
}

/* The rings were mapped for real; with too little they are smaller, and more is lost. */
static void add_locked_memory(struct doctor *doctor)
{
	size_t cpus = doctor->host.cpus_online.count;
	struct rlimit limit = {0};
	bool enough;

	if (doctor->ring_bytes == 0 || cpus == 0)
		return;
	getrlimit(RLIMIT_MEMLOCK, &limit);
	enough = doctor->ring_bytes / cpus >= RING_BYTES_WANTED;
	pgb_doctor_add(
		&doctor->machine, enough ? PGB_FINDING_GOOD : PGB_FINDING_WARNING, "locked-memory",
		enough ? NULL
		       : "as root: sysctl kernel.perf_event_mlock_kb=2048\nor a higher ulimit "
			 "-l; with small rings more samples may be lost",
		"rings of %s for each CPU could be mapped (perf_event_mlock_kb %" PRIu64
		", ulimit -l %s)",
		PGB_SIZE(doctor->ring_bytes / cpus), doctor->host.mlock_kib,
		limit.rlim_cur == RLIM_INFINITY ? "unlimited" : PGB_SIZE(limit.rlim_cur));
}

static void add_open_files(struct doctor *doctor)
{
	size_t cpus = doctor->host.cpus_online.count ? doctor->host.cpus_online.count : 1;
	struct rlimit limit = {0};
	uint64_t threads;

	getrlimit(RLIMIT_NOFILE, &limit);
	threads = limit.rlim_cur > DESCRIPTORS_OWN ? (limit.rlim_cur - DESCRIPTORS_OWN) / cpus : 0;
	if (threads >= THREADS_WANTED)
		pgb_doctor_add(&doctor->machine, PGB_FINDING_GOOD, "open-files", NULL,
			       "open files: %" PRIu64 ", enough to attach to %" PRIu64 " threads",
			       (uint64_t)limit.rlim_cur, threads);
	else
		pgb_doctor_add(&doctor->machine, threads ? PGB_FINDING_NOTE : PGB_FINDING_WARNING,
			       "open-files", "for programs with more threads: ulimit -n 65536",
			       "open files: %" PRIu64 ", enough to attach (-p) to %" PRIu64
			       " threads; programs that pgobolt starts may have any number",
			       (uint64_t)limit.rlim_cur, threads);
}

static void add_ptrace(struct doctor *doctor, uint64_t capabilities)
{
	int scope = doctor->host.yama_scope;
	bool may = has_capability(capabilities, CAPABILITY_SYS_PTRACE);

	if (scope < 3 && (scope < 2 || may))
		pgb_doctor_add(&doctor->machine, PGB_FINDING_GOOD, "ptrace", NULL,
			       scope == 1 && !may
				       ? "ptrace: allowed on programs that pgobolt starts (yama "
					 "ptrace_scope 1)"
				       : "ptrace: allowed");
	else
		pgb_doctor_add(&doctor->machine, PGB_FINDING_NOTE, "ptrace",
			       scope == 2 ? "as root: sysctl kernel.yama.ptrace_scope=1"
					  : "it stays so until the next boot: set "
					    "kernel.yama.ptrace_scope=1 in /etc/sysctl.d",
			       "ptrace: forbidden (yama ptrace_scope %d): the source walk needs it",
			       scope);
}

void pgb_doctor_machine(struct doctor *doctor)
{
	uint64_t capabilities = effective_capabilities();

	add_kernel(doctor);
	add_pmus(doctor);
	add_paranoid(doctor);
	add_capabilities(doctor, capabilities);
	add_locked_memory(doctor);
	add_open_files(doctor);
	add_ptrace(doctor, capabilities);
}
