/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/switches.h"
#include "pgobolt/base/search.h"

#include <string.h>

enum {
	CPUS_MAX = 65536,
	SWITCHES_MAX = 1 << 18, /* of each CPU; some seconds of a busy one */
};

void pgb_switches_release(struct pgb_switches *switches)
{
	for (size_t i = 0; i < switches->cpus.count; i++)
		pgb_array_release(&switches->cpus.items[i].items);
	pgb_array_release(&switches->cpus);
}

/* NULL: there is no such CPU. */
static struct pgb_switches_cpu *cpu_of(struct pgb_switches *switches, uint32_t cpu)
{
	if (cpu >= CPUS_MAX)
		return NULL;
	while (switches->cpus.count <= cpu) {
		struct pgb_switches_cpu fresh = {0};

		pgb_array_push(&switches->cpus, fresh);
	}
	return &switches->cpus.items[cpu];
}

/* How many switches there were up to a time. */
static size_t count_until(const struct pgb_switches_cpu *cpu, uint64_t time_ns)
{
	return pgb_search(cpu->items.count, i, cpu->items.items[i].time_ns <= time_ns);
}

static void forget(struct pgb_switches_cpu *cpu, size_t count)
{
	struct pgb_switch *items = cpu->items.items;

	if (count == 0)
		return;
	cpu->items.count -= count;
	memmove(items, items + count, cpu->items.count * sizeof(items[0]));
}

static void add(struct pgb_switches_cpu *cpu, uint64_t time_ns, uint32_t pid, uint32_t tid)
{
	struct pgb_switch next = {time_ns, pid, tid};

	/* Threads that are gone have no numbers. */
	if (pid == UINT32_MAX || tid == UINT32_MAX)
		next.pid = next.tid = 0;
	if (cpu->items.count > 0 && next.time_ns < cpu->items.items[cpu->items.count - 1].time_ns)
		next.time_ns = cpu->items.items[cpu->items.count - 1].time_ns;
	if (cpu->items.count == SWITCHES_MAX)
		forget(cpu, SWITCHES_MAX / 2);
	pgb_array_push(&cpu->items, next);
}

/* Both the thread that goes and the one that comes are told of it; what matters is who comes. */
static void take_switch(struct pgb_switches_cpu *cpu, const struct pgb_record *record)
{
	if (!(record->misc & PERF_RECORD_MISC_SWITCH_OUT)) {
		add(cpu, record->time_ns, record->pid, record->tid);
		return;
	}
	if (cpu->items.count == 0)
		add(cpu, 0, record->pid, record->tid);
	add(cpu, record->time_ns, record->other.pid, record->other.tid);
}

void pgb_switches_take(struct pgb_switches *switches, const struct pgb_record *record)
{
	struct pgb_switches_cpu *cpu = cpu_of(switches, record->cpu);
	size_t known;

	if (cpu == NULL)
		return;
	if (record->type == PERF_RECORD_SWITCH_CPU_WIDE) {
		take_switch(cpu, record);
	} else if (record->type == PERF_RECORD_LOST) {
		if (cpu->items.count == 0)
			add(cpu, 0, 0, 0);
		cpu->items.items[cpu->items.count - 1].pid = 0;
	} else if (record->type == PERF_RECORD_AUX && record->time_ns != cpu->piece_ns) {
		known = count_until(cpu, cpu->piece_ns);
		forget(cpu, known > 0 ? known - 1 : 0);
		cpu->piece_ns = record->time_ns;
	}
}

bool pgb_switches_find(const struct pgb_switches *switches, uint32_t cpu, uint64_t time_ns,
		       struct pgb_switch *thread)
{
	size_t count;

	if (cpu >= switches->cpus.count)
		return false;
	count = count_until(&switches->cpus.items[cpu], time_ns);
	if (count == 0)
		return false;
	*thread = switches->cpus.items[cpu].items.items[count - 1];
	return thread->pid != 0;
}
