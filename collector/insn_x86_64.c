/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/insn_x86_64.h"

#include <Zydis/Zydis.h>

/*
 * Nearly all code consists of instructions whose form follows from the opcode alone: those are
 * decoded here, six times as fast as by the full decoder. What has exceptions, or a prefix that
 * changes the meaning, is left to that.
 */
enum form {
	LEFT = 0, /* to the full decoder */
	PLAIN = 1,
	MODRM = 2,
	IMM8 = 4,
	IMM32 = 8, /* 16 bits with the operand-size prefix */
	REL8 = 16,
	REL32 = 32,
	GROUP = 64 /* the ModRM byte decides: see form_of_group() */
};

#define ARITHMETIC(base) [base... base + 3] = MODRM, [base + 4] = IMM8, [base + 5] = IMM32

static const uint8_t one_byte_forms[256] = {
	ARITHMETIC(0x00),
	ARITHMETIC(0x08),
	ARITHMETIC(0x10),
	ARITHMETIC(0x18),
	ARITHMETIC(0x20),
	ARITHMETIC(0x28),
	ARITHMETIC(0x30),
	ARITHMETIC(0x38),
	[0x50 ... 0x5f] = PLAIN, /* push, pop */
	[0x63] = MODRM,		 /* movslq */
	[0x68] = IMM32,
	[0x69] = MODRM | IMM32,
	[0x6a] = IMM8,
	[0x6b] = MODRM | IMM8,
	[0x70 ... 0x7f] = REL8,
	[0x80] = MODRM | IMM8,
	[0x81] = MODRM | IMM32,
	[0x83] = MODRM | IMM8,
	[0x84 ... 0x8b] = MODRM, /* test, xchg, mov */
	[0x8d] = GROUP,
	[0x90 ... 0x99] = PLAIN, /* nop, xchg, cltq, cqto */
	[0xa4 ... 0xa7] = PLAIN, /* string instructions that are not repeated */
	[0xa8] = IMM8,
	[0xa9] = IMM32,
	[0xaa ... 0xaf] = PLAIN,
	[0xb0 ... 0xb7] = IMM8,
	[0xb8 ... 0xbf] = IMM32, /* 64 bits with REX.W */
	[0xc0 ... 0xc1] = MODRM | IMM8,
	[0xc3] = PLAIN,
	[0xc6 ... 0xc7] = GROUP,
	[0xc9] = PLAIN,
	[0xd0 ... 0xd3] = MODRM,
	[0xe8 ... 0xe9] = REL32,
	[0xeb] = REL8,
	[0xf6 ... 0xf7] = GROUP,
	[0xfe ... 0xff] = GROUP,
};

/* Behind 0f. */
static const uint8_t two_byte_forms[256] = {
	[0x10 ... 0x11] = MODRM,			  /* movups and the like */
	[0x14 ... 0x15] = MODRM, [0x1f] = MODRM,	  /* nop */
	[0x28 ... 0x29] = MODRM,			  /* movaps */
	[0x2e ... 0x2f] = MODRM, [0x40 ... 0x4f] = MODRM, /* cmov */
	[0x51] = MODRM,		 [0x54 ... 0x59] = MODRM, [0x5c ... 0x6b] = MODRM,
	[0x6e ... 0x6f] = MODRM, [0x70] = MODRM | IMM8,	  [0x74 ... 0x76] = MODRM,
	[0x7e ... 0x7f] = MODRM, [0x80 ... 0x8f] = REL32, [0x90 ... 0x9f] = MODRM, /* set */
	[0xa3] = MODRM,		 [0xa4] = MODRM | IMM8,	  [0xa5] = MODRM,
	[0xab] = MODRM,		 [0xac] = MODRM | IMM8,	  [0xad] = MODRM,
	[0xaf ... 0xb1] = MODRM,			  /* imul, cmpxchg */
	[0xb3] = MODRM,		 [0xb6 ... 0xb7] = MODRM, /* movz */
	[0xba] = GROUP,		 [0xbb ... 0xc1] = MODRM, /* bsf, bsr, movs, xadd */
	[0xc2] = MODRM | IMM8,	 [0xc6] = MODRM | IMM8,	  [0xc8 ... 0xcf] = PLAIN, /* bswap */
	[0xd1 ... 0xd5] = MODRM, [0xd8 ... 0xe5] = MODRM, [0xe8 ... 0xef] = MODRM,
	[0xf1 ... 0xf6] = MODRM, [0xf8 ... 0xfe] = MODRM,
};

struct quick {
	const uint8_t *at, *end;
	uint8_t opcode;
	uint8_t rex;
	bool two_bytes;
	bool operand_size_16;
};

/* False: not for the quick decoder, or the bytes end. */
static bool read_prefixes(struct quick *quick)
{
	for (;; quick->at++) {
		if (quick->end - quick->at < 3)
			return false;
		switch (*quick->at) {
		case 0x66:
			quick->operand_size_16 = true;
			continue;
		case 0x26: /* segments */
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
			continue;
		}
		break;
	}
	if ((*quick->at & 0xf0) == 0x40)
		quick->rex = *quick->at++;
	quick->opcode = *quick->at++;
	if (quick->opcode == 0x0f) {
		quick->two_bytes = true;
		quick->opcode = *quick->at++;
	}
	return true;
}

static unsigned int form_of_group(const struct quick *quick, uint8_t modrm,
				  enum pgb_insn_kind *kind)
{
	unsigned int group = (modrm >> 3) & 7;
	bool in_memory = modrm < 0xc0;

	if (quick->two_bytes)
		return group >= 4 ? MODRM | IMM8 : LEFT; /* 0f ba: bt and the like */
	switch (quick->opcode) {
	case 0x8d: /* lea */
		return in_memory ? MODRM : LEFT;
	case 0xc6: /* mov */
		return group == 0 ? MODRM | IMM8 : LEFT;
	case 0xc7:
		return group == 0 ? MODRM | IMM32 : LEFT;
	case 0xf6: /* test, not, neg, mul, div */
		return group < 2 ? MODRM | IMM8 : MODRM;
	case 0xf7:
		return group < 2 ? MODRM | IMM32 : MODRM;
	case 0xfe: /* inc, dec */
		return group < 2 ? MODRM : LEFT;
	}
	/* 0xff: inc, dec, call, far call, jmp, far jmp, push */
	if (group == 3 || group == 5 || group == 7)
		return LEFT;
	if (group == 2)
		*kind = PGB_INSN_CALL_INDIRECT;
	if (group == 4)
		*kind = PGB_INSN_JUMP_INDIRECT;
	return MODRM;
}

/* ModRM, SIB and displacement. `at` is at the ModRM byte, which is there. */
static size_t address_bytes(const struct quick *quick)
{
	unsigned int mode = quick->at[0] >> 6, base = quick->at[0] & 7;
	size_t bytes = 1;

	if (mode == 3)
		return 1;
	if (base == 4) {
		bytes = 2;
		if (quick->end - quick->at < 2)
			return 2;
		base = quick->at[1] & 7;
	}
	if (mode == 1)
		return bytes + 1;
	return mode == 2 || base == 5 ? bytes + 4 : bytes;
}

static size_t immediate_bytes(const struct quick *quick, unsigned int form)
{
	if (form & (IMM8 | REL8))
		return 1;
	if (form & REL32)
		return 4;
	if (!(form & IMM32))
		return 0;
	if (quick->rex & 8)
		return !quick->two_bytes && (quick->opcode & 0xf8) == 0xb8 ? 8 : 4;
	return quick->operand_size_16 ? 2 : 4;
}

static enum pgb_insn_kind quick_kind(const struct quick *quick, unsigned int form)
{
	if (form & (REL8 | REL32)) {
		if (quick->two_bytes || quick->opcode < 0x80)
			return PGB_INSN_CONDITIONAL;
		return quick->opcode == 0xe8 ? PGB_INSN_CALL : PGB_INSN_JUMP;
	}
	return !quick->two_bytes && quick->opcode == 0xc3 ? PGB_INSN_RETURN : PGB_INSN_LINEAR;
}

static uint64_t quick_target(const uint8_t *end, unsigned int form, uint64_t address)
{
	uint32_t offset;

	if (form & REL8)
		return address + (uint64_t)(int8_t)end[-1];
	offset = (uint32_t)end[-4] | (uint32_t)end[-3] << 8 | (uint32_t)end[-2] << 16 |
		 (uint32_t)end[-1] << 24;
	return address + (uint64_t)(int32_t)offset;
}

/* False: ask the full decoder. */
static bool decode_quickly(const uint8_t *bytes, size_t size_bytes, uint64_t address,
			   struct pgb_insn *insn)
{
	struct quick quick = {.at = bytes, .end = bytes + size_bytes};
	enum pgb_insn_kind kind;
	unsigned int form;
	size_t length;

	if (!read_prefixes(&quick))
		return false;
	form = quick.two_bytes ? two_byte_forms[quick.opcode] : one_byte_forms[quick.opcode];
	kind = quick_kind(&quick, form);
	if (form & (MODRM | GROUP)) {
		if (quick.at == quick.end)
			return false;
		if (form & GROUP)
			form = form_of_group(&quick, quick.at[0], &kind);
		quick.at += address_bytes(&quick);
	}
	quick.at += immediate_bytes(&quick, form);
	length = (size_t)(quick.at - bytes);
	if (form == LEFT || length > size_bytes || length > ZYDIS_MAX_INSTRUCTION_LENGTH)
		return false;
	*insn = (struct pgb_insn){.kind = kind, .length_bytes = (uint8_t)length};
	insn->nop =
		quick.two_bytes ? quick.opcode == 0x1f : quick.opcode == 0x90 && !(quick.rex & 1);
	insn->target =
		form & (REL8 | REL32) ? quick_target(quick.at, form, address + length) : UINT64_MAX;
	return true;
}

static bool has_repeat_prefix(const ZydisDecodedInstruction *decoded)
{
	for (unsigned int i = 0; i < decoded->raw.prefix_count; i++) {
		uint8_t prefix = decoded->raw.prefixes[i].value;

		if (prefix == 0xf2 || prefix == 0xf3)
			return true;
	}
	return false;
}

/* Does the processor stay on this instruction while it repeats? */
static bool is_repeated(const ZydisDecodedInstruction *decoded)
{
	uint8_t opcode = decoded->opcode;
	bool repeatable = false;

	if (decoded->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return false;
	if (decoded->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT) {
		/* ins outs; movs cmps; stos lods scas (a8 and a9 are test) */
		repeatable = (opcode >= 0x6c && opcode <= 0x6f) ||
			     (opcode >= 0xa4 && opcode <= 0xa7) ||
			     (opcode >= 0xaa && opcode <= 0xaf);
	} else if (decoded->opcode_map == ZYDIS_OPCODE_MAP_0F) {
		/* the VIA cipher instructions */
		repeatable = opcode == 0xa6 || opcode == 0xa7;
	}
	return repeatable && has_repeat_prefix(decoded);
}

static enum pgb_insn_kind kind_of(const ZydisDecodedInstruction *decoded)
{
	bool direct = decoded->raw.imm[0].is_relative;

	switch (decoded->mnemonic) {
	case ZYDIS_MNEMONIC_JMP:
		return direct ? PGB_INSN_JUMP : PGB_INSN_JUMP_INDIRECT;
	case ZYDIS_MNEMONIC_CALL:
		return direct ? PGB_INSN_CALL : PGB_INSN_CALL_INDIRECT;
	case ZYDIS_MNEMONIC_RET:
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ:
	case ZYDIS_MNEMONIC_SYSRET:
	case ZYDIS_MNEMONIC_SYSEXIT:
	case ZYDIS_MNEMONIC_UIRET:
	case ZYDIS_MNEMONIC_RSM:
		return PGB_INSN_RETURN;
	case ZYDIS_MNEMONIC_SYSCALL:
	case ZYDIS_MNEMONIC_SYSENTER:
	case ZYDIS_MNEMONIC_INT:
		return PGB_INSN_SYSCALL;
	case ZYDIS_MNEMONIC_INT1:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
		return PGB_INSN_TRAP;
	default:
		/* what is left with a relative operand: jcc, loop, jrcxz, xbegin */
		return direct ? PGB_INSN_CONDITIONAL : PGB_INSN_LINEAR;
	}
}

int pgb_insn_x86_64_decode_full(const uint8_t *bytes, size_t size_bytes, uint64_t address,
				struct pgb_insn *insn)
{
	ZydisDecodedInstruction decoded;
	ZydisDecoder decoder;
	ZyanStatus status;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
	if (size_bytes > ZYDIS_MAX_INSTRUCTION_LENGTH)
		size_bytes = ZYDIS_MAX_INSTRUCTION_LENGTH;
	status = ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, size_bytes, &decoded);
	if (status == ZYDIS_STATUS_NO_MORE_DATA)
		return PGB_E_TRUNCATED;
	if (ZYAN_FAILED(status))
		return PGB_E_CORRUPT;
	*insn = (struct pgb_insn){
		.kind = kind_of(&decoded),
		.length_bytes = decoded.length,
		.nop = decoded.mnemonic == ZYDIS_MNEMONIC_NOP,
		.repeated = is_repeated(&decoded),
		.target = UINT64_MAX,
	};
	if (decoded.raw.imm[0].is_relative)
		insn->target = address + decoded.length + decoded.raw.imm[0].value.u;
	return 0;
}

int pgb_insn_x86_64_decode(const uint8_t *bytes, size_t size_bytes, uint64_t address,
			   struct pgb_insn *insn)
{
	if (decode_quickly(bytes, size_bytes, address, insn))
		return 0;
	return pgb_insn_x86_64_decode_full(bytes, size_bytes, address, insn);
}
