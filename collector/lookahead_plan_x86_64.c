/* SPDX-License-Identifier: MIT */
/* Look-ahead on x86-64: which instructions the processor may execute for us, and with what. */
#include "collector/lookahead_decode_x86_64.h"

/* Categories whose instructions only compute. */
static bool category_computes(ZydisInstructionCategory category)
{
	switch (category) {
	case ZYDIS_CATEGORY_ADOX_ADCX:
	case ZYDIS_CATEGORY_AES:
	case ZYDIS_CATEGORY_AVX:
	case ZYDIS_CATEGORY_AVX2:
	case ZYDIS_CATEGORY_AVX512:
	case ZYDIS_CATEGORY_AVX512_BITALG:
	case ZYDIS_CATEGORY_AVX512_VBMI:
	case ZYDIS_CATEGORY_BINARY:
	case ZYDIS_CATEGORY_BITBYTE:
	case ZYDIS_CATEGORY_BLEND:
	case ZYDIS_CATEGORY_BMI1:
	case ZYDIS_CATEGORY_BMI2:
	case ZYDIS_CATEGORY_BROADCAST:
	case ZYDIS_CATEGORY_CMOV:
	case ZYDIS_CATEGORY_COMPRESS:
	case ZYDIS_CATEGORY_CONFLICT:
	case ZYDIS_CATEGORY_CONVERT:
	case ZYDIS_CATEGORY_DATAXFER:
	case ZYDIS_CATEGORY_EXPAND:
	case ZYDIS_CATEGORY_FCMOV:
	case ZYDIS_CATEGORY_FP16:
	case ZYDIS_CATEGORY_GFNI:
	case ZYDIS_CATEGORY_IFMA:
	case ZYDIS_CATEGORY_KMASK:
	case ZYDIS_CATEGORY_LOGICAL:
	case ZYDIS_CATEGORY_LOGICAL_FP:
	case ZYDIS_CATEGORY_LZCNT:
	case ZYDIS_CATEGORY_PCLMULQDQ:
	case ZYDIS_CATEGORY_ROTATE:
	case ZYDIS_CATEGORY_SEMAPHORE:
	case ZYDIS_CATEGORY_SHA:
	case ZYDIS_CATEGORY_SHIFT:
	case ZYDIS_CATEGORY_SSE:
	case ZYDIS_CATEGORY_STTNI:
	case ZYDIS_CATEGORY_VAES:
	case ZYDIS_CATEGORY_VBMI2:
	case ZYDIS_CATEGORY_VFMA:
	case ZYDIS_CATEGORY_VPCLMULQDQ:
	case ZYDIS_CATEGORY_X87_ALU:
		return true;
	default:
		return false;
	}
}

static bool may_run_natively(const struct look_x86_decoded *decoded)
{
	const ZydisDecodedInstruction *instruction = &decoded->instruction;

	switch (instruction->mnemonic) {
	case ZYDIS_MNEMONIC_CPUID:
	case ZYDIS_MNEMONIC_RDTSC:
	case ZYDIS_MNEMONIC_RDTSCP:
	case ZYDIS_MNEMONIC_XGETBV:
	case ZYDIS_MNEMONIC_RDRAND:
	case ZYDIS_MNEMONIC_RDSEED:
	case ZYDIS_MNEMONIC_CLC:
	case ZYDIS_MNEMONIC_STC:
	case ZYDIS_MNEMONIC_CMC:
	case ZYDIS_MNEMONIC_LAHF:
	case ZYDIS_MNEMONIC_SAHF:
		return true;
	/* would let x87 exceptions through, or move more than a scratch buffer */
	case ZYDIS_MNEMONIC_FLDCW:
	case ZYDIS_MNEMONIC_FLDENV:
	case ZYDIS_MNEMONIC_FNSTENV:
	case ZYDIS_MNEMONIC_FRSTOR:
	case ZYDIS_MNEMONIC_FNSAVE:
	case ZYDIS_MNEMONIC_FXSAVE:
	case ZYDIS_MNEMONIC_FXSAVE64:
	case ZYDIS_MNEMONIC_FXRSTOR:
	case ZYDIS_MNEMONIC_FXRSTOR64:
	case ZYDIS_MNEMONIC_MASKMOVDQU:
	case ZYDIS_MNEMONIC_VMASKMOVDQU:
		return false;
	default:
		break;
	}
	return category_computes(instruction->meta.category) &&
	       !(instruction->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED);
}

/* Put a register operand into the plan; false: not a kind that generated code loads. */
static bool plan_register(struct look_native_plan *plan, const ZydisDecodedOperand *operand)
{
	bool written = (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
	unsigned int number;

	switch (ZydisRegisterGetClass(operand->reg.value)) {
	case ZYDIS_REGCLASS_GPR8:
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR64:
		number = look_x86_general_number(operand->reg.value);
		if (number == 4 || number > 15)
			return false; /* rsp is ours while generated code runs */
		plan->general_used |= 1u << number;
		plan->general_written |= (uint32_t)written << number;
		return true;
	case ZYDIS_REGCLASS_XMM:
	case ZYDIS_REGCLASS_YMM:
	case ZYDIS_REGCLASS_ZMM:
		number = (unsigned int)ZydisRegisterGetId(operand->reg.value);
		plan->vectors_used |= 1u << number;
		plan->vectors_written |= (uint32_t)written << number;
		return true;
	case ZYDIS_REGCLASS_MASK:
		number = (unsigned int)ZydisRegisterGetId(operand->reg.value);
		plan->masks_used |= (uint8_t)(1u << number);
		plan->masks_written |= (uint8_t)((unsigned int)written << number);
		return true;
	case ZYDIS_REGCLASS_FLAGS:
		return true;
	case ZYDIS_REGCLASS_X87:
		plan->x87 = true;
		return true;
	default:
		plan->x87 |= operand->reg.value == ZYDIS_REGISTER_X87CONTROL ||
			     operand->reg.value == ZYDIS_REGISTER_X87STATUS ||
			     operand->reg.value == ZYDIS_REGISTER_X87TAG;
		return plan->x87 || operand->reg.value == ZYDIS_REGISTER_MXCSR;
	}
}

static bool plan_memory(struct look_native_plan *plan, const struct look_x86_decoded *decoded,
			const ZydisDecodedOperand *operand, uint64_t address,
			struct look_x86_op *op)
{
	const ZydisDecodedInstruction *instruction = &decoded->instruction;

	if (operand->mem.type != ZYDIS_MEMOP_TYPE_MEM || plan->has_memory ||
	    operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN || operand->size / 8 == 0 ||
	    operand->size / 8 > 64 || instruction->raw.modrm.offset == 0 ||
	    instruction->address_width != 64 || !look_x86_set_memory(op, operand, address))
		return false;
	/* bt and its kind reach beyond their operand when a register counts the bits */
	if (instruction->meta.category == ZYDIS_CATEGORY_BITBYTE &&
	    decoded->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER)
		return false;
	plan->has_memory = true;
	plan->modrm_offset = instruction->raw.modrm.offset;
	plan->tail_offset =
		(uint8_t)(instruction->raw.modrm.offset + 1 + (instruction->raw.sib.offset != 0) +
			  instruction->raw.disp.size / 8);
	op->memory_bytes = (uint8_t)(operand->size / 8);
	op->memory_write = (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
	/* a masked or partial write keeps the rest: always read what is there */
	op->memory_read = true;
	return true;
}

/* A division that faults must not run: the dividend is rdx:rax (or ax), the divisor operand a. */
static bool set_division(const struct look_x86_decoded *decoded, uint64_t address,
			 struct look_x86_op *op)
{
	ZydisMnemonic mnemonic = decoded->instruction.mnemonic;

	if (mnemonic != ZYDIS_MNEMONIC_DIV && mnemonic != ZYDIS_MNEMONIC_IDIV)
		return true;
	op->divide = mnemonic == ZYDIS_MNEMONIC_DIV ? 1 : 2;
	op->size_bytes = (uint8_t)(decoded->operands[0].size / 8);
	return look_x86_set_operand(op, &decoded->operands[0], address, &op->a_type,
				    &op->a_register);
}

static bool make_plan(const struct look_x86_decoded *decoded, uint64_t address,
		      struct look_x86_op *op, struct look_native_plan *plan)
{
	const ZydisDecodedInstruction *instruction = &decoded->instruction;
	const ZydisAccessedFlags *flags = instruction->cpu_flags;

	for (unsigned int i = 0; i < instruction->operand_count; i++) {
		const ZydisDecodedOperand *operand = &decoded->operands[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER) {
			if (!plan_register(plan, operand))
				return false;
		} else if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			if (!plan_memory(plan, decoded, operand, address, op))
				return false;
		} else if (operand->type != ZYDIS_OPERAND_TYPE_IMMEDIATE) {
			return false;
		}
	}
	if (flags) {
		plan->reads_flags = flags->tested != 0;
		plan->writes_flags =
			(flags->modified | flags->set_0 | flags->set_1 | flags->undefined) != 0;
	}
	return set_division(decoded, address, op);
}

void look_x86_decode_native(struct look_machine *machine, const struct look_x86_decoded *decoded,
			    const uint8_t *bytes, uint64_t address, struct look_x86_op *op)
{
	struct look_native_plan plan = {
		.bytes = bytes,
		.length_bytes = op->length_bytes,
		.x87 = decoded->instruction.meta.category == ZYDIS_CATEGORY_X87_ALU ||
		       decoded->instruction.meta.category == ZYDIS_CATEGORY_FCMOV,
	};

	op->kind = LOOK_X86_UNSUPPORTED;
	if (machine->native == NULL || !may_run_natively(decoded) ||
	    !make_plan(decoded, address, op, &plan))
		return;
	op->uses_vectors = (plan.vectors_used | plan.vectors_written | plan.masks_used |
			    plan.masks_written) != 0 ||
			   plan.x87;
	op->native = look_native_compile(machine->native, &plan);
	if (op->native == NULL) {
		machine->native_full = true;
		return;
	}
	op->kind = LOOK_X86_NATIVE;
}
