/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/insn_aarch64.h"

/* Where the branch offset sits in the word, in units of four bytes. */
struct offset_field {
	uint8_t width_bits; /* 0: no target in the word */
	uint8_t shift;
};

#define NO_TARGET                                                                                  \
	{                                                                                          \
		0, 0                                                                               \
	}

struct pattern {
	uint32_t mask;
	uint32_t value;
	enum pgb_insn_kind kind;
	struct offset_field offset;
};

/* All of the group "branches, exception generation and system", the most frequent first. */
static const struct pattern patterns[] = {
	{0xfc000000, 0x94000000, PGB_INSN_CALL, {26, 0}},	     /* BL */
	{0xff000010, 0x54000000, PGB_INSN_CONDITIONAL, {19, 5}},     /* B.cond */
	{0x7e000000, 0x34000000, PGB_INSN_CONDITIONAL, {19, 5}},     /* CBZ CBNZ */
	{0xfc000000, 0x14000000, PGB_INSN_JUMP, {26, 0}},	     /* B */
	{0x7e000000, 0x36000000, PGB_INSN_CONDITIONAL, {14, 5}},     /* TBZ TBNZ */
	{0xfffffc1f, 0xd65f0000, PGB_INSN_RETURN, NO_TARGET},	     /* RET */
	{0xfffffc1f, 0xd63f0000, PGB_INSN_CALL_INDIRECT, NO_TARGET}, /* BLR */
	{0xfffffc1f, 0xd61f0000, PGB_INSN_JUMP_INDIRECT, NO_TARGET}, /* BR */
	{0xff000000, 0xd5000000, PGB_INSN_LINEAR, NO_TARGET},	     /* hints, barriers, MSR, SYS */
	{0xff000010, 0x54000010, PGB_INSN_CONDITIONAL, {19, 5}},     /* BC.cond */
	/* with pointer authentication */
	{0xfffffbe0, 0xd65f0be0, PGB_INSN_RETURN, NO_TARGET},	     /* RETAA RETAB RETAxSPPCR */
	{0xffc0001f, 0x5500001f, PGB_INSN_RETURN, NO_TARGET},	     /* RETAASPPC RETABSPPC */
	{0xfffff81f, 0xd63f081f, PGB_INSN_CALL_INDIRECT, NO_TARGET}, /* BLRAAZ BLRABZ */
	{0xfffff81f, 0xd61f081f, PGB_INSN_JUMP_INDIRECT, NO_TARGET}, /* BRAAZ BRABZ */
	{0xfffff800, 0xd73f0800, PGB_INSN_CALL_INDIRECT, NO_TARGET}, /* BLRAA BLRAB */
	{0xfffff800, 0xd71f0800, PGB_INSN_JUMP_INDIRECT, NO_TARGET}, /* BRAA BRAB */
	/* compare and branch; condition codes 4 and 5 are unallocated: two rows each */
	{0x7f80c000, 0x74000000, PGB_INSN_CONDITIONAL, {9, 5}}, /* CBcc register */
	{0x7fc0c000, 0x74c00000, PGB_INSN_CONDITIONAL, {9, 5}},
	{0xff808000, 0x74008000, PGB_INSN_CONDITIONAL, {9, 5}}, /* CBBcc CBHcc */
	{0xffc08000, 0x74c08000, PGB_INSN_CONDITIONAL, {9, 5}},
	{0x7f804000, 0x75000000, PGB_INSN_CONDITIONAL, {9, 5}}, /* CBcc immediate */
	{0x7fc04000, 0x75c00000, PGB_INSN_CONDITIONAL, {9, 5}},
	/* exceptions */
	{0xffe0001f, 0xd4000001, PGB_INSN_SYSCALL, NO_TARGET}, /* SVC */
	{0xffe0001f, 0xd4000002, PGB_INSN_SYSCALL, NO_TARGET}, /* HVC */
	{0xffe0001f, 0xd4000003, PGB_INSN_SYSCALL, NO_TARGET}, /* SMC */
	{0xffe0001f, 0xd4200000, PGB_INSN_TRAP, NO_TARGET},    /* BRK */
	{0xffe0001f, 0xd4400000, PGB_INSN_TRAP, NO_TARGET},    /* HLT */
	{0xffe0001f, 0xd4a00001, PGB_INSN_TRAP, NO_TARGET},    /* DCPS1 */
	{0xffe0001e, 0xd4a00002, PGB_INSN_TRAP, NO_TARGET},    /* DCPS2 DCPS3 */
	{0xffffffff, 0xd69f03e0, PGB_INSN_RETURN, NO_TARGET},  /* ERET */
	{0xfffffbff, 0xd69f0bff, PGB_INSN_RETURN, NO_TARGET},  /* ERETAA ERETAB */
	{0xffffffff, 0xd6bf03e0, PGB_INSN_RETURN, NO_TARGET},  /* DRPS */
};

#define NOP_WORD 0xd503201fu

static uint64_t target_of(uint32_t word, struct offset_field field, uint64_t address)
{
	uint64_t sign = UINT64_C(1) << (field.width_bits - 1);
	uint64_t offset = (word >> field.shift) & ((sign << 1) - 1);

	return address + 4 * ((offset ^ sign) - sign);
}

static int decode_branch_group(uint32_t word, uint64_t address, struct pgb_insn *insn)
{
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		const struct pattern *pattern = &patterns[i];

		if ((word & pattern->mask) != pattern->value)
			continue;
		insn->kind = pattern->kind;
		if (pattern->offset.width_bits > 0)
			insn->target = target_of(word, pattern->offset, address);
		insn->nop = word == NOP_WORD;
		return 0;
	}
	return PGB_E_CORRUPT;
}

/* Bits 28..25 select the main group: 0 reserved (or SME with bit 31), 1 and 3 unallocated. */
static int decode_other_groups(uint32_t word, struct pgb_insn *insn)
{
	unsigned int group = (word >> 25) & 15;

	if (group == 0 && word >> 31 == 0) {
		if (word >> 16 != 0)
			return PGB_E_CORRUPT;
		insn->kind = PGB_INSN_TRAP; /* UDF */
		return 0;
	}
	return group == 1 || group == 3 ? PGB_E_CORRUPT : 0;
}

int pgb_insn_aarch64_decode(const uint8_t *bytes, size_t size_bytes, uint64_t address,
			    struct pgb_insn *insn)
{
	struct pgb_insn decoded = {
		.kind = PGB_INSN_LINEAR, .length_bytes = 4, .target = UINT64_MAX};
	uint32_t word;
	int code;

	if (size_bytes < 4)
		return PGB_E_TRUNCATED;
	word = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
	if (((word >> 26) & 7) == 5)
		code = decode_branch_group(word, address, &decoded);
	else
		code = decode_other_groups(word, &decoded);
	if (code == 0)
		*insn = decoded;
	return code;
}
