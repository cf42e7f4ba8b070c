/* SPDX-License-Identifier: MIT */
/*
 * Packets of Arm's Statistical Profiling Extension, and the records that they make up. Pure: bytes
 * in, fields out, on any host. A record is one sampled operation: its packets, in any order, up to
 * a timestamp or an end packet; padding may stand anywhere.
 *
 * Source: Arm Architecture Reference Manual, D17 "Statistical Profiling Extension Sample Record
 * Specification".
 */
#ifndef PGOBOLT_COLLECTOR_SPE_PACKET_H
#define PGOBOLT_COLLECTOR_SPE_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/text.h"

enum pgb_spe_kind {
	PGB_SPE_PADDING,   /* any number of padding bytes and alignment packets in a row */
	PGB_SPE_END,	   /* of the record */
	PGB_SPE_TIMESTAMP, /* ends the record, too */
	PGB_SPE_EVENTS,
	PGB_SPE_DATA_SOURCE,
	PGB_SPE_CONTEXT,   /* index: enum pgb_spe_context */
	PGB_SPE_OPERATION, /* index: enum pgb_spe_class */
	PGB_SPE_ADDRESS,   /* index: enum pgb_spe_address */
	PGB_SPE_COUNTER,   /* index: enum pgb_spe_counter */
};

enum pgb_spe_context { PGB_SPE_CONTEXT_EL1 = 0, PGB_SPE_CONTEXT_EL2 = 1 };

enum pgb_spe_class { PGB_SPE_OTHER = 0, PGB_SPE_LOAD_STORE = 1, PGB_SPE_BRANCH = 2 };

enum pgb_spe_address {
	PGB_SPE_PC = 0,
	PGB_SPE_TARGET = 1,
	PGB_SPE_DATA_VIRTUAL = 2,
	PGB_SPE_DATA_PHYSICAL = 3,
	PGB_SPE_PREVIOUS_TARGET = 4, /* of the last branch that was taken before */
};

enum pgb_spe_counter { PGB_SPE_TOTAL = 0, PGB_SPE_ISSUE = 1, PGB_SPE_TRANSLATION = 2 };

/* Bits of an events packet. */
enum pgb_spe_event {
	PGB_SPE_EVENT_EXCEPTION = 1 << 0,
	PGB_SPE_EVENT_RETIRED = 1 << 1,
	PGB_SPE_EVENT_NOT_TAKEN = 1 << 6,
	PGB_SPE_EVENT_MISPREDICTED = 1 << 7,
};

/* Bits of an operation packet of class PGB_SPE_BRANCH. */
enum pgb_spe_branch {
	PGB_SPE_BRANCH_CONDITIONAL = 1 << 0,
	PGB_SPE_BRANCH_INDIRECT = 1 << 1,
	PGB_SPE_BRANCH_KIND_SHIFT = 3, /* two bits, 0: this CPU does not tell */
	PGB_SPE_BRANCH_CALL = 1,
	PGB_SPE_BRANCH_RETURN = 2,
	PGB_SPE_BRANCH_NEITHER = 3,
};

struct pgb_spe_packet {
	enum pgb_spe_kind kind;
	unsigned int index;
	uint64_t payload;
	uint64_t offset; /* of its first byte */
	size_t size_bytes;
};

/*
 * The next packet. Alignment packets count by bytes->offset, which the caller sets to where the
 * bytes stand in the AUX area. 1; 0 no bytes left; PGB_E_TRUNCATED the last packet is cut (advanced
 * to the end); PGB_E_CORRUPT no packet starts here (advanced by one byte).
 */
int pgb_spe_packet_next(struct pgb_cursor *bytes, struct pgb_spe_packet *packet);

/* As perf's dumps say it: "PC 0x4005d8 el0 ns=1", "EV RETIRED NOT-TAKEN", "B COND". */
void pgb_spe_packet_describe(const struct pgb_spe_packet *packet, struct pgb_text *text);

enum pgb_spe_part {
	PGB_SPE_HAS_PC = 1,
	PGB_SPE_HAS_TARGET = 2,
	PGB_SPE_HAS_PREVIOUS_TARGET = 4,
	PGB_SPE_HAS_EVENTS = 8,
	PGB_SPE_HAS_OPERATION = 16,
	PGB_SPE_HAS_CONTEXT = 32,
	PGB_SPE_HAS_TIME = 64,
};

/* One sampled operation; what `parts` does not name is 0. Addresses with their top byte. */
struct pgb_spe_record {
	unsigned int parts; /* enum pgb_spe_part */
	unsigned int operation_class, operation;
	uint64_t pc, target, previous_target;
	uint64_t events;
	uint32_t context; /* a thread, as the kernel numbers it */
	uint64_t time;	  /* in ticks of the CPU's clock */
};

/* What was not read. */
struct pgb_spe_damage {
	uint64_t bytes;	  /* that start no packet */
	uint64_t records; /* dropped: such bytes in them, or their end is missing */
};

/*
 * The next whole record: 1, or 0 where none is left. After bytes that are no packet everything is
 * dropped up to the end of that record; after a cut one nothing follows.
 */
int pgb_spe_record_next(struct pgb_cursor *bytes, struct pgb_spe_record *record,
			struct pgb_spe_damage *damage);

/* The exception level that an instruction's address is of, 0 to 3; 0 is user space. */
static inline unsigned int pgb_spe_level(uint64_t address)
{
	return address >> 61 & 3;
}

/* The address alone, as user space has it. */
static inline uint64_t pgb_spe_plain_address(uint64_t address)
{
	return address & ((UINT64_C(1) << 56) - 1);
}

#endif
