/* SPDX-License-Identifier: MIT */
/*
 * Look-ahead on x86-64: the decoded operation, the machine's state, and native execution.
 * Sources: Intel SDM volumes 1 and 2, AMD APM volume 3.
 */
#ifndef PGOBOLT_COLLECTOR_LOOKAHEAD_X86_64_H
#define PGOBOLT_COLLECTOR_LOOKAHEAD_X86_64_H

#include "collector/lookahead_private.h"

enum look_x86_kind {
	LOOK_X86_NOTHING, /* nops, hints, prefetches, fences */
	/* control */
	LOOK_X86_JUMP,
	LOOK_X86_JUMP_IF,
	LOOK_X86_JUMP_RCX, /* jrcxz, jecxz */
	LOOK_X86_LOOP,
	LOOK_X86_JUMP_TO, /* indirect: operand a */
	LOOK_X86_CALL,
	LOOK_X86_CALL_TO,
	LOOK_X86_RETURN, /* immediate: bytes to pop besides */
	/* stack */
	LOOK_X86_PUSH,
	LOOK_X86_POP,
	LOOK_X86_LEAVE,
	/* integer, in C: the most frequent, and all that may name rsp */
	LOOK_X86_MOV,
	LOOK_X86_MOVZX,
	LOOK_X86_MOVSX,
	LOOK_X86_LEA,
	LOOK_X86_ADD,
	LOOK_X86_SUB,
	LOOK_X86_CMP,
	LOOK_X86_AND,
	LOOK_X86_OR,
	LOOK_X86_XOR,
	LOOK_X86_TEST,
	LOOK_X86_INC,
	LOOK_X86_DEC,
	LOOK_X86_CMOV,
	LOOK_X86_SET,
	/* string instructions */
	LOOK_X86_MOVS,
	LOOK_X86_STOS,
	LOOK_X86_CMPS,
	LOOK_X86_SCAS,
	LOOK_X86_LODS,
	/* executed by the processor on the copied registers */
	LOOK_X86_NATIVE,
	LOOK_X86_VZEROUPPER,
	LOOK_X86_LDMXCSR,
	LOOK_X86_STMXCSR,
	/* the run ends before it */
	LOOK_X86_SYSCALL,
	LOOK_X86_TRAP,
	LOOK_X86_UNSUPPORTED,
	LOOK_X86_UNDECODABLE,
};

enum look_x86_operand_type {
	LOOK_X86_NONE,
	LOOK_X86_REGISTER,
	LOOK_X86_REGISTER_HIGH, /* ah, ch, dh, bh */
	LOOK_X86_MEMORY,
	LOOK_X86_IMMEDIATE,
};

/* What a rip-relative address, which is decoded for one place, is to be moved by: no real register.
 */
enum { LOOK_X86_MOVED = 16, LOOK_X86_REGISTERS, LOOK_X86_NO_REGISTER = 0xff };

/* Flag bits of rflags. */
enum {
	LOOK_X86_CF = 0x001,
	LOOK_X86_PF = 0x004,
	LOOK_X86_AF = 0x010,
	LOOK_X86_ZF = 0x040,
	LOOK_X86_SF = 0x080,
	LOOK_X86_DF = 0x400,
	LOOK_X86_OF = 0x800,
	LOOK_X86_STATUS = 0x8d5,
};

struct look_x86_op {
	uint8_t kind; /* enum look_x86_kind */
	uint8_t length_bytes;
	uint8_t size_bytes;	   /* of the operation; of a string element */
	uint8_t source_size_bytes; /* of movzx, movsx */
	uint8_t condition;	   /* low four bits of the opcode */
	uint8_t a_type, a_register;
	uint8_t b_type, b_register;
	uint8_t base, index, scale; /* memory: base + index * scale + displacement */
	uint8_t segment;	    /* 0 none, 1 fs, 2 gs */
	uint8_t memory_bytes;	    /* of a native operation's operand; 0: none */
	bool memory_read, memory_write;
	bool repeat, repeat_while_equal; /* rep/repe; else repne where repeat is set */
	bool uses_vectors;
	uint8_t divide; /* native: 1 div, 2 idiv by operand a: checked first */
	int64_t displacement;
	union {
		uint64_t target;
		int64_t immediate;
		void (*native)(void);
	};
};

/*
 * Lives in the data page of the native arena, so that generated code reaches it rip-relative.
 */
struct look_x86_state {
	uint64_t general[LOOK_X86_REGISTERS];
	uint64_t flags;
	uint64_t pc, fs_base, gs_base;
	_Alignas(64) uint8_t scratch[64];
	_Alignas(64) uint8_t vectors[32][64];
	_Alignas(16) uint8_t x87[512]; /* FXSAVE area; only its x87 part means anything */
	uint64_t masks[8];
	uint32_t mxcsr;
	uint32_t mxcsr_host;
	bool vectors_loaded;
	bool backwards; /* DF is set: string instructions count down, which we do not do */
};

struct look_native;

struct look_machine {
	struct look_x86_state *state;
	struct look_native *native; /* NULL: no native execution on this host */
	bool native_full;
};

/* The address of an operation's memory operand. */
static inline uint64_t look_x86_address(const struct look_x86_state *state,
					const struct look_x86_op *op)
{
	uint64_t address = (uint64_t)op->displacement;

	if (op->base != LOOK_X86_NO_REGISTER)
		address += state->general[op->base];
	if (op->index != LOOK_X86_NO_REGISTER)
		address += state->general[op->index] * op->scale;
	if (op->segment == 1)
		address += state->fs_base;
	else if (op->segment == 2)
		address += state->gs_base;
	return address;
}

bool look_x86_decode(struct look_machine *machine, const uint8_t *bytes, size_t size_bytes,
		     uint64_t address, void *op);
/* a - b in this size; of the status flags those in `which` become its own. */
uint64_t look_x86_subtract(struct look_x86_state *state, uint64_t a, uint64_t b,
			   unsigned int size_bytes, uint64_t which);
void look_x86_run(struct pgb_lookahead *look, struct look_machine *machine);
/* MOVS, STOS, CMPS, SCAS, LODS with their prefixes; 0 done, else the end of the run + 1. */
int look_x86_string(struct pgb_lookahead *look, struct look_x86_state *state,
		    const struct look_x86_op *op);

/*
 * Native execution. The arena holds the state and generated code; NULL where the host is no
 * x86-64 or allows no executable memory.
 */
struct look_native *look_native_new(struct look_x86_state **state);
void look_native_free(struct look_native *native);

/* What the code generator must know of an instruction. */
struct look_native_plan {
	const uint8_t *bytes;
	uint8_t length_bytes;
	uint8_t modrm_offset, tail_offset; /* tail: immediates behind the memory operand */
	bool has_memory;
	uint32_t general_used, general_written; /* bit masks by register number */
	uint32_t vectors_used, vectors_written;
	uint8_t masks_used, masks_written;
	bool reads_flags, writes_flags;
	bool x87;
};

/* NULL: the arena is full; between runs all of it can be thrown away (look_native_reset). */
void (*look_native_compile(struct look_native *native, const struct look_native_plan *plan))(void);
void look_native_reset(struct look_native *native);
/* Copy the vector registers out of an XSAVE area into the state. false: not understood. */
bool look_native_load_vectors(struct look_x86_state *state, const uint8_t *xsave,
			      size_t size_bytes);
/* Around a run that used vectors: the thread's rounding mode and ours. */
void look_native_enter_vectors(struct look_x86_state *state);
void look_native_leave_vectors(struct look_x86_state *state);
/* The thread changes its rounding mode (ldmxcsr). */
void look_native_set_mxcsr(struct look_x86_state *state, uint32_t mxcsr);

#endif
