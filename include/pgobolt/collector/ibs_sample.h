/* SPDX-License-Identifier: MIT */
/*
 * One sample of AMD's Instruction Based Sampling, op flavour, as PERF_SAMPLE_RAW has it: a word of
 * capabilities, then the registers that a CPU with these has. Pure.
 *
 * Source: arch/x86/events/amd/ibs.c, arch/x86/include/asm/amd-ibs.h; AMD64 Architecture
 * Programmer's Manual volume 2, 13.3.
 */
#ifndef PGOBOLT_COLLECTOR_IBS_SAMPLE_H
#define PGOBOLT_COLLECTOR_IBS_SAMPLE_H

#include <stdint.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/base/text.h"

/* CPUID 0x8000001b EAX, as the kernel passes it on. */
enum pgb_ibs_capability {
	PGB_IBS_CAP_VALID = 1 << 0,
	PGB_IBS_CAP_OP_COUNT = 1 << 4,
	PGB_IBS_CAP_BRANCH_TARGET = 1 << 5,
	PGB_IBS_CAP_RIP_INVALID = 1 << 7,
	PGB_IBS_CAP_FUSED = 1 << 8,
	PGB_IBS_CAP_DATA_4 = 1 << 10,
};

/* Bits of the register IbsOpData. */
#define PGB_IBS_RETURN	       (UINT64_C(1) << 34)
#define PGB_IBS_TAKEN	       (UINT64_C(1) << 35)
#define PGB_IBS_MISPREDICTED   (UINT64_C(1) << 36)
#define PGB_IBS_BRANCH_RETIRED (UINT64_C(1) << 37)
#define PGB_IBS_RIP_INVALID    (UINT64_C(1) << 38)
#define PGB_IBS_FUSED	       (UINT64_C(1) << 39)
#define PGB_IBS_MICROCODE      (UINT64_C(1) << 40)

struct pgb_ibs_sample {
	uint32_t capabilities;
	uint64_t control;
	uint64_t rip;
	uint64_t data, data_2, data_3;
	uint64_t linear_address, physical_address;
	uint64_t branch_target; /* 0: not told */
	uint64_t data_4;
};

/*
 * Read what stands behind the u32 size of the raw data. 0, or PGB_E_CORRUPT: too short for what
 * its capabilities promise, or capabilities that say that there is no IBS. More than they promise
 * is of a newer CPU, and ignored.
 */
int pgb_ibs_sample_read(struct pgb_cursor raw, struct pgb_ibs_sample *sample);

/* As perf's dumps say it: "ibs_op_ctl 0000004500070008 MaxCnt 128 L3MissOnly 1 ..", in lines. */
void pgb_ibs_sample_describe(const struct pgb_ibs_sample *sample, struct pgb_text *text);

#endif
