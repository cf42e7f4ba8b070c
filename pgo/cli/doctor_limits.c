/* SPDX-License-Identifier: MIT */
/* Permissions and limits that stand between a user and a recording. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pgo/cli/doctor.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/perf_sys.h"
#include "pgobolt/pgo/cli/table.h"

enum {
	CAPABILITY_IPC_LOCK = 14,
	CAPABILITY_SYS_PTRACE = 19,
	CAPABILITY_SYS_ADMIN = 21,
	CAPABILITY_PERFMON = 38,
	RING_DATA_PAGES = 128, /* a ring like those of `record` */
	STATUS_BYTES_MAX = 65536,
	THREADS_WANTED = 1000, /* a large server's, to be followed with -p */
	DESCRIPTORS_OWN = 32,
};

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
		pgb_doctor_add(&doctor->sampling, PGB_FINDING_NOTE, "capabilities", NULL,
			       "capabilities:%s", pgb_text_string(&names));
	else
		pgb_doctor_add(&doctor->sampling, PGB_FINDING_NOTE, "capabilities", NULL,
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
		pgb_doctor_add(&doctor->sampling, PGB_FINDING_GOOD, "paranoid", NULL,
			       "perf_event_paranoid is %d; CAP_PERFMON lifts it: -a works too",
			       level);
	else if (level <= 0)
		pgb_doctor_add(&doctor->sampling, PGB_FINDING_GOOD, "paranoid", NULL,
			       "perf_event_paranoid is %d: -a works too", level);
	else if (level <= 2)
		pgb_doctor_add(&doctor->sampling, PGB_FINDING_GOOD, "paranoid", NULL,
			       "perf_event_paranoid is %d: one's own programs; -a needs 0 or "
			       "CAP_PERFMON",
			       level);
	else
		pgb_doctor_add(&doctor->sampling,
			       doctor->can_sample ? PGB_FINDING_WARNING : PGB_FINDING_ERROR,
			       "paranoid", remedy,
			       "perf_event_paranoid is %d: this kernel may refuse perf events to "
			       "ordinary users",
			       level);
}

/* Can one ring be mapped? What the budget is only tells when it is too small. */
static int try_ring(unsigned int cpu)
{
	const struct pgb_perf_sys *sys = &pgb_perf_sys_kernel;
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .config = PERF_COUNT_SW_DUMMY,
				       .size = sizeof(attr),
				       .disabled = 1,
				       .exclude_kernel = 1,
				       .exclude_hv = 1};
	size_t size_bytes = (size_t)(1 + RING_DATA_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
	void *address;
	int fd = sys->event_open(sys->context, &attr, 0, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
	int code;

	if (fd < 0)
		return fd;
	code = sys->map(sys->context, fd, size_bytes, PROT_READ | PROT_WRITE, 0, &address);
	if (code == 0)
		sys->unmap(sys->context, address, size_bytes);
	sys->close(sys->context, fd);
	return code;
}

static void add_locked_memory(struct doctor *doctor)
{
	const struct pgb_host *host = &doctor->host;
	uint64_t ring_kib = RING_DATA_PAGES * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
	struct rlimit limit = {0};
	int code;

	if (!doctor->can_sample || host->cpus_online.count == 0)
		return;
	code = try_ring(host->cpus_online.items[0]);
	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (code == 0)
		pgb_doctor_add(&doctor->sampling, PGB_FINDING_GOOD, "locked-memory", NULL,
			       "a ring of %" PRIu64 " KiB could be mapped; the budget is %" PRIu64
			       " KiB a CPU, and %s more",
			       ring_kib, host->mlock_kib,
			       limit.rlim_cur == RLIM_INFINITY ? "any amount"
							       : PGB_SIZE(limit.rlim_cur));
	else
		pgb_doctor_add(&doctor->sampling, PGB_FINDING_WARNING, "locked-memory",
			       "as root: sysctl kernel.perf_event_mlock_kb=2048\nor a higher "
			       "ulimit -l; until then smaller rings are used and more may be lost",
			       "a ring of %" PRIu64
			       " KiB could not be mapped: %s; the budget is %" PRIu64 " KiB a CPU",
			       ring_kib, strerror(-code), host->mlock_kib);
}

static void add_open_files(struct doctor *doctor)
{
	size_t cpus = doctor->host.cpus_online.count ? doctor->host.cpus_online.count : 1;
	struct rlimit limit = {0};
	uint64_t threads;

	getrlimit(RLIMIT_NOFILE, &limit);
	threads = limit.rlim_cur > DESCRIPTORS_OWN ? (limit.rlim_cur - DESCRIPTORS_OWN) / cpus : 0;
	if (threads >= THREADS_WANTED)
		pgb_doctor_add(&doctor->sampling, PGB_FINDING_GOOD, "open-files", NULL,
			       "open files: %" PRIu64 ", enough to attach to %" PRIu64 " threads",
			       (uint64_t)limit.rlim_cur, threads);
	else
		pgb_doctor_add(&doctor->sampling, threads ? PGB_FINDING_NOTE : PGB_FINDING_WARNING,
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
		pgb_doctor_add(&doctor->sampling, PGB_FINDING_GOOD, "ptrace", NULL,
			       scope == 1 && !may
				       ? "ptrace: allowed on programs that pgobolt starts (yama "
					 "ptrace_scope 1)"
				       : "ptrace: allowed");
	else
		pgb_doctor_add(
			&doctor->sampling, PGB_FINDING_NOTE, "ptrace",
			scope == 2 ? "as root: sysctl kernel.yama.ptrace_scope=1"
				   : "it stays so until the next boot: set "
				     "kernel.yama.ptrace_scope=1 in /etc/sysctl.d",
			"ptrace: forbidden (yama ptrace_scope %d); sampling does not need it",
			scope);
}

void pgb_doctor_limits(struct doctor *doctor)
{
	uint64_t capabilities = effective_capabilities();

	add_paranoid(doctor);
	add_capabilities(doctor, capabilities);
	add_locked_memory(doctor);
	add_open_files(doctor);
	add_ptrace(doctor, capabilities);
}
