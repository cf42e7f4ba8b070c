/* SPDX-License-Identifier: MIT */
/* Look-ahead on x86-64: what an instruction is, once per address. */
#include "collector/lookahead_decode_x86_64.h"

/* Instructions that leave nothing behind that a later branch could see. */
static bool is_nothing(const struct look_x86_decoded *decoded)
{
	switch (decoded->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_PAUSE:
	case ZYDIS_MNEMONIC_MFENCE:
	case ZYDIS_MNEMONIC_LFENCE:
	case ZYDIS_MNEMONIC_SFENCE:
	case ZYDIS_MNEMONIC_CLFLUSH:
	case ZYDIS_MNEMONIC_CLFLUSHOPT:
	case ZYDIS_MNEMONIC_CLWB:
	case ZYDIS_MNEMONIC_ENDBR64:
	case ZYDIS_MNEMONIC_ENDBR32:
	case ZYDIS_MNEMONIC_CLD:
	case ZYDIS_MNEMONIC_FWAIT:
	/* no-ops where user shadow stacks are off; where they are on, a run may differ */
	case ZYDIS_MNEMONIC_RDSSPD:
	case ZYDIS_MNEMONIC_RDSSPQ:
		return true;
	default:
		break;
	}
	return decoded->instruction.meta.category == ZYDIS_CATEGORY_NOP ||
	       decoded->instruction.meta.category == ZYDIS_CATEGORY_WIDENOP ||
	       decoded->instruction.meta.category == ZYDIS_CATEGORY_PREFETCH ||
	       decoded->instruction.meta.category == ZYDIS_CATEGORY_PREFETCHWT1;
}

unsigned int look_x86_general_number(ZydisRegister reg)
{
	ZydisRegister wide = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	if (ZydisRegisterGetClass(wide) != ZYDIS_REGCLASS_GPR64)
		return LOOK_X86_NO_REGISTER;
	return (unsigned int)ZydisRegisterGetId(wide);
}

static bool is_high_byte(ZydisRegister reg)
{
	return reg == ZYDIS_REGISTER_AH || reg == ZYDIS_REGISTER_BH || reg == ZYDIS_REGISTER_CH ||
	       reg == ZYDIS_REGISTER_DH;
}

/* false: an addressing form that look_x86_address() does not know */
bool look_x86_set_memory(struct look_x86_op *op, const ZydisDecodedOperand *operand,
			 uint64_t address)
{
	op->displacement = operand->mem.disp.has_displacement ? operand->mem.disp.value : 0;
	op->base = LOOK_X86_NO_REGISTER;
	op->index = LOOK_X86_NO_REGISTER;
	op->scale = operand->mem.scale;
	if (operand->mem.base == ZYDIS_REGISTER_RIP) {
		op->displacement += (int64_t)(address + op->length_bytes);
		op->base = LOOK_X86_MOVED;
	} else if (operand->mem.base != ZYDIS_REGISTER_NONE) {
		op->base = (uint8_t)look_x86_general_number(operand->mem.base);
	}
	if (operand->mem.index != ZYDIS_REGISTER_NONE) {
		op->index = (uint8_t)look_x86_general_number(operand->mem.index);
		if (op->index == LOOK_X86_NO_REGISTER)
			return false;
	}
	if (operand->mem.segment == ZYDIS_REGISTER_FS)
		op->segment = 1;
	else if (operand->mem.segment == ZYDIS_REGISTER_GS)
		op->segment = 2;
	return true;
}

bool look_x86_set_operand(struct look_x86_op *op, const ZydisDecodedOperand *operand,
			  uint64_t address, uint8_t *type, uint8_t *reg)
{
	switch (operand->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		*type = is_high_byte(operand->reg.value) ? LOOK_X86_REGISTER_HIGH
							 : LOOK_X86_REGISTER;
		*reg = (uint8_t)look_x86_general_number(operand->reg.value);
		return *reg != LOOK_X86_NO_REGISTER;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		*type = LOOK_X86_MEMORY;
		return look_x86_set_memory(op, operand, address);
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		*type = LOOK_X86_IMMEDIATE;
		op->immediate = operand->imm.value.s;
		return true;
	default:
		return false;
	}
}

/* Integer instructions that run in C, by mnemonic. */
static enum look_x86_kind simple_kind(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return LOOK_X86_MOV;
	case ZYDIS_MNEMONIC_MOVZX:
		return LOOK_X86_MOVZX;
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
		return LOOK_X86_MOVSX;
	case ZYDIS_MNEMONIC_LEA:
		return LOOK_X86_LEA;
	case ZYDIS_MNEMONIC_ADD:
		return LOOK_X86_ADD;
	case ZYDIS_MNEMONIC_SUB:
		return LOOK_X86_SUB;
	case ZYDIS_MNEMONIC_CMP:
		return LOOK_X86_CMP;
	case ZYDIS_MNEMONIC_AND:
		return LOOK_X86_AND;
	case ZYDIS_MNEMONIC_OR:
		return LOOK_X86_OR;
	case ZYDIS_MNEMONIC_XOR:
		return LOOK_X86_XOR;
	case ZYDIS_MNEMONIC_TEST:
		return LOOK_X86_TEST;
	case ZYDIS_MNEMONIC_INC:
		return LOOK_X86_INC;
	case ZYDIS_MNEMONIC_DEC:
		return LOOK_X86_DEC;
	default:
		return LOOK_X86_UNSUPPORTED;
	}
}

static bool decode_simple(const struct look_x86_decoded *decoded, uint64_t address,
			  struct look_x86_op *op)
{
	const ZydisDecodedInstruction *instruction = &decoded->instruction;
	enum look_x86_kind kind = simple_kind(instruction->mnemonic);

	if (instruction->meta.category == ZYDIS_CATEGORY_CMOV)
		kind = LOOK_X86_CMOV;
	else if (instruction->meta.category == ZYDIS_CATEGORY_SETCC)
		kind = LOOK_X86_SET;
	if (kind == LOOK_X86_UNSUPPORTED || instruction->operand_count_visible < 1 ||
	    instruction->operand_count_visible > 2)
		return false;
	if (!look_x86_set_operand(op, &decoded->operands[0], address, &op->a_type, &op->a_register))
		return false;
	op->size_bytes = (uint8_t)(decoded->operands[0].size / 8);
	if (instruction->operand_count_visible == 2) {
		if (!look_x86_set_operand(op, &decoded->operands[1], address, &op->b_type,
					  &op->b_register))
			return false;
		op->source_size_bytes = (uint8_t)(decoded->operands[1].size / 8);
	}
	if (op->size_bytes > 8)
		return false;
	op->condition = instruction->opcode & 15;
	op->kind = (uint8_t)kind;
	return true;
}

/* jmp, call, ret, jcc and their kind; false: none of them */
static bool decode_control(const struct look_x86_decoded *decoded, uint64_t address,
			   struct look_x86_op *op)
{
	const ZydisDecodedInstruction *instruction = &decoded->instruction;
	bool direct = instruction->raw.imm[0].is_relative;
	bool known = true;

	op->condition = instruction->opcode & 15;
	if (direct)
		op->target = address + op->length_bytes + (uint64_t)instruction->raw.imm[0].value.s;
	switch (instruction->mnemonic) {
	case ZYDIS_MNEMONIC_JMP:
		op->kind = direct ? LOOK_X86_JUMP : LOOK_X86_JUMP_TO;
		break;
	case ZYDIS_MNEMONIC_CALL:
		op->kind = direct ? LOOK_X86_CALL : LOOK_X86_CALL_TO;
		break;
	case ZYDIS_MNEMONIC_RET:
		op->kind = LOOK_X86_RETURN;
		op->immediate = instruction->raw.imm[0].size ? instruction->raw.imm[0].value.s : 0;
		break;
	case ZYDIS_MNEMONIC_JRCXZ:
		op->kind = LOOK_X86_JUMP_RCX;
		break;
	case ZYDIS_MNEMONIC_LOOP:
		op->kind = LOOK_X86_LOOP;
		break;
	default:
		if (instruction->meta.category != ZYDIS_CATEGORY_COND_BR || !direct)
			return false;
		known = instruction->mnemonic != ZYDIS_MNEMONIC_LOOPE &&
			instruction->mnemonic != ZYDIS_MNEMONIC_LOOPNE &&
			instruction->mnemonic != ZYDIS_MNEMONIC_JECXZ;
		op->kind = LOOK_X86_JUMP_IF;
	}
	/* far transfers, 16-bit operands, 32-bit counters */
	known = known && instruction->meta.branch_type != ZYDIS_BRANCH_TYPE_FAR &&
		instruction->operand_width != 16 && instruction->address_width == 64;
	if (known && (op->kind == LOOK_X86_JUMP_TO || op->kind == LOOK_X86_CALL_TO))
		known = look_x86_set_operand(op, &decoded->operands[0], address, &op->a_type,
					     &op->a_register);
	if (!known)
		op->kind = LOOK_X86_UNSUPPORTED;
	return true;
}

static bool decode_stack(const struct look_x86_decoded *decoded, uint64_t address,
			 struct look_x86_op *op)
{
	const ZydisDecodedInstruction *instruction = &decoded->instruction;

	switch (instruction->mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
		op->kind = LOOK_X86_PUSH;
		break;
	case ZYDIS_MNEMONIC_POP:
		op->kind = LOOK_X86_POP;
		break;
	case ZYDIS_MNEMONIC_LEAVE:
		op->kind = LOOK_X86_LEAVE;
		return true;
	default:
		return false;
	}
	/* pop through rsp uses the value behind the pop: rare, left out */
	if (instruction->operand_width != 64 ||
	    !look_x86_set_operand(op, &decoded->operands[0], address, &op->a_type,
				  &op->a_register) ||
	    (op->kind == LOOK_X86_POP && op->a_type == LOOK_X86_MEMORY && op->base == 4))
		op->kind = LOOK_X86_UNSUPPORTED;
	return true;
}

static bool decode_string(const struct look_x86_decoded *decoded, struct look_x86_op *op)
{
	const ZydisDecodedInstruction *instruction = &decoded->instruction;
	uint8_t opcode = instruction->opcode;

	if (instruction->meta.category != ZYDIS_CATEGORY_STRINGOP)
		return false;
	op->repeat = (instruction->attributes &
		      (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)) != 0;
	op->repeat_while_equal = (instruction->attributes & ZYDIS_ATTRIB_HAS_REPNE) == 0;
	op->size_bytes = opcode & 1 ? (uint8_t)(instruction->operand_width / 8) : 1;
	switch (opcode & 0xfe) {
	case 0xa4:
		op->kind = LOOK_X86_MOVS;
		break;
	case 0xa6:
		op->kind = LOOK_X86_CMPS;
		break;
	case 0xaa:
		op->kind = LOOK_X86_STOS;
		break;
	case 0xac:
		op->kind = LOOK_X86_LODS;
		break;
	case 0xae:
		op->kind = LOOK_X86_SCAS;
		break;
	default:
		op->kind = LOOK_X86_UNSUPPORTED;
	}
	if (instruction->address_width != 64 ||
	    (instruction->attributes & ZYDIS_ATTRIB_HAS_SEGMENT) != 0)
		op->kind = LOOK_X86_UNSUPPORTED;
	return true;
}

static bool decode_special(const struct look_x86_decoded *decoded, uint64_t address,
			   struct look_x86_op *op)
{
	bool store = false;

	switch (decoded->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_SYSCALL:
	case ZYDIS_MNEMONIC_SYSENTER:
	case ZYDIS_MNEMONIC_INT:
		op->kind = LOOK_X86_SYSCALL;
		return true;
	case ZYDIS_MNEMONIC_INT1:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
		op->kind = LOOK_X86_TRAP;
		return true;
	case ZYDIS_MNEMONIC_VZEROUPPER:
		op->kind = LOOK_X86_VZEROUPPER;
		return true;
	case ZYDIS_MNEMONIC_STMXCSR:
	case ZYDIS_MNEMONIC_VSTMXCSR:
		store = true;
		/* fall through */
	case ZYDIS_MNEMONIC_LDMXCSR:
	case ZYDIS_MNEMONIC_VLDMXCSR:
		op->kind = store ? LOOK_X86_STMXCSR : LOOK_X86_LDMXCSR;
		op->size_bytes = 4;
		if (!look_x86_set_operand(op, &decoded->operands[0], address, &op->a_type,
					  &op->a_register))
			op->kind = LOOK_X86_UNSUPPORTED;
		return true;
	default:
		return false;
	}
}

bool look_x86_decode(struct look_machine *machine, const uint8_t *bytes, size_t size_bytes,
		     uint64_t address, void *target)
{
	struct look_x86_op *op = target;
	struct look_x86_decoded decoded;
	ZydisDecoder decoder;
	ZyanStatus status;

	*op = (struct look_x86_op){.kind = LOOK_X86_UNDECODABLE};
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	status = ZydisDecoderDecodeFull(&decoder, bytes, size_bytes, &decoded.instruction,
					decoded.operands);
	if (!ZYAN_SUCCESS(status))
		return status != ZYDIS_STATUS_NO_MORE_DATA;
	op->length_bytes = decoded.instruction.length;
	if (is_nothing(&decoded))
		op->kind = LOOK_X86_NOTHING;
	else if (!decode_special(&decoded, address, op) && !decode_control(&decoded, address, op) &&
		 !decode_stack(&decoded, address, op) && !decode_string(&decoded, op)) {
		if (decoded.instruction.address_width != 64 ||
		    !decode_simple(&decoded, address, op)) {
			uint8_t length = op->length_bytes;

			*op = (struct look_x86_op){.length_bytes = length};
			look_x86_decode_native(machine, &decoded, bytes, address, op);
		}
	}
	return true;
}
