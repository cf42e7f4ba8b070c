/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/insn_x86_64.h"

#include <Zydis/Zydis.h>

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

int pgb_insn_x86_64_decode(const uint8_t *bytes, size_t size_bytes, uint64_t address,
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
