/* SPDX-License-Identifier: MIT */
/*
 * The decoder of one instruction set; callers use insn.h.
 */
#ifndef PGOBOLT_COLLECTOR_INSN_X86_64_H
#define PGOBOLT_COLLECTOR_INSN_X86_64_H

#include "pgobolt/collector/insn.h"

int pgb_insn_x86_64_decode(const uint8_t *bytes, size_t size_bytes, uint64_t address,
			   struct pgb_insn *insn);
/* The same without the quick decoder in front: what that is tested against. */
int pgb_insn_x86_64_decode_full(const uint8_t *bytes, size_t size_bytes, uint64_t address,
				struct pgb_insn *insn);

#endif
