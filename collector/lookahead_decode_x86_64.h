/* SPDX-License-Identifier: MIT */
/* Look-ahead on x86-64: what the files that decode share; Zydis stays among them. */
#ifndef PGOBOLT_COLLECTOR_LOOKAHEAD_DECODE_X86_64_H
#define PGOBOLT_COLLECTOR_LOOKAHEAD_DECODE_X86_64_H

#include <Zydis/Zydis.h>

#include "collector/lookahead_x86_64.h"

struct look_x86_decoded {
	ZydisDecodedInstruction instruction;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/* 0..15, or LOOK_X86_NO_REGISTER for what is no general register. */
unsigned int look_x86_general_number(ZydisRegister reg);
/* false: an addressing form that look_x86_address() does not know. */
bool look_x86_set_memory(struct look_x86_op *op, const ZydisDecodedOperand *operand,
			 uint64_t address);
bool look_x86_set_operand(struct look_x86_op *op, const ZydisDecodedOperand *operand,
			  uint64_t address, uint8_t *type, uint8_t *reg);

/* Make the operation native if it only computes; else it is LOOK_X86_UNSUPPORTED. */
void look_x86_decode_native(struct look_machine *machine, const struct look_x86_decoded *decoded,
			    const uint8_t *bytes, uint64_t address, struct look_x86_op *op);

#endif
