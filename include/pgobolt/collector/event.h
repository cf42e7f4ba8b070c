/* SPDX-License-Identifier: MIT */
/*
 * Event names: "cycles", "cpu-clock", "BR_INST_RETIRED:NEAR_TAKEN", "r20c4",
 * "cpu/event=0xc4,umask=0x20/", "cpu_core/cycles/". libpfm4 for the CPU's own names, sysfs for
 * the kernel's; the only user of libpfm4.
 */
#ifndef PGOBOLT_COLLECTOR_EVENT_H
#define PGOBOLT_COLLECTOR_EVENT_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/error.h"

struct pgb_host;

/* How often: exactly one of the two is non-zero. */
struct pgb_rate {
	uint64_t period_events;
	uint64_t frequency_hz;
};

/*
 * Fill type and config (and config1, config2) of a zeroed attr from a name. Modifiers behind a
 * colon: u (user only; always set by us anyway), p..ppp (precise).
 * Errors: PGB_E_USAGE (no such event; near names are suggested), PGB_E_UNSUPPORTED (known, but
 * not on this machine).
 */
int pgb_event_parse(const struct pgb_host *host, const char *name, struct perf_event_attr *attr,
		    struct pgb_error *error);

/* The name perf script would print, for fdata's no_lbr line: "cycles:u", "cpu-clock". */
char *pgb_event_canonical_name(const char *name);

/* What an attr counts, for messages: "cycles", or "type 4 config 0x20c4"; the caller frees it. */
char *pgb_event_describe(const struct perf_event_attr *attr);

/* The largest prime not above `period`: no resonance with loops. Periods below 3 stay. */
uint64_t pgb_event_prime_period(uint64_t period);

#endif
