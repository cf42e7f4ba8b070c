/* SPDX-License-Identifier: MIT */
/* Instructions of x86-64, as far as graphs and jump tables need them. */
#ifndef PGOBOLT_BOLT_CFG_X86_64_H
#define PGOBOLT_BOLT_CFG_X86_64_H

#include <stdbool.h>
#include <stdint.h>

/* Of the one-byte map. */
#define PGB_X86_ADD_TO_RM  0x01
#define PGB_X86_ADD_TO_REG 0x03
#define PGB_X86_MOVSLQ	   0x63
#define PGB_X86_MOV_TO_RM  0x89
#define PGB_X86_MOV_TO_REG 0x8b
#define PGB_X86_LEA	   0x8d
#define PGB_X86_MOV_NUMBER 0xb8 /* to bf */
/* Of the map behind 0f. */
#define PGB_X86_CMOV 0x40 /* to 4f */

struct pgb_cfg_operands {
	uint8_t map; /* 0 one byte, 1 0f, 2 0f38, 3 0f3a; 4: VEX, EVEX, XOP */
	uint8_t opcode;
	bool wide;   /* REX.W */
	uint8_t low; /* register in the opcode's low bits, 0..15 */
	uint8_t reg; /* of ModRM, 0..15; 0 without one */
	bool has_memory;
	uint8_t rm;	    /* the register, where has_memory is false */
	int8_t base, index; /* -1: none */
	uint8_t scale;
	bool has_segment;
	int32_t displacement;
	bool rip_relative;
	uint64_t address; /* of a RIP-relative operand */
};

/* false: no operand that we understand. `address` is the instruction's. */
bool pgb_cfg_x86_operands(const uint8_t *bytes, uint8_t length_bytes, uint64_t address,
			  struct pgb_cfg_operands *operands);
/* Bits 0..15: general registers that the instruction writes, as far as compilers' code goes. */
uint16_t pgb_cfg_x86_writes(const struct pgb_cfg_operands *operands);

static inline bool pgb_cfg_x86_is(const struct pgb_cfg_operands *operands, uint8_t opcode)
{
	return operands->map == 0 && operands->opcode == opcode;
}

/* movslq (%base,%index,4), %reg: a distance from the start of its own table. */
static inline bool pgb_cfg_x86_is_table_load(const struct pgb_cfg_operands *operands, uint8_t base)
{
	return pgb_cfg_x86_is(operands, PGB_X86_MOVSLQ) && operands->wide && operands->has_memory &&
	       operands->base == (int8_t)base && operands->index >= 0 && operands->scale == 4 &&
	       operands->displacement == 0 && !operands->has_segment;
}

#endif
