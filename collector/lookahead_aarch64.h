/* SPDX-License-Identifier: MIT */
/*
 * Look-ahead on AArch64: the decoded operation and the machine's state. All of it is plain C, so
 * that every host compiles and tests it.
 * Source: Arm Architecture Reference Manual for A-profile (DDI 0487), chapters C4, C6, C7.
 *
 * Pointer authentication: the keys are not ours, so that no code is ever made. PAC* leaves the
 * pointer as it is, AUT*, XPAC* and the branches and loads that authenticate remove the code and
 * believe it. A run goes where the thread goes unless the thread looks at a signed pointer as a
 * number, or authentication would fail.
 */
#ifndef PGOBOLT_COLLECTOR_LOOKAHEAD_AARCH64_H
#define PGOBOLT_COLLECTOR_LOOKAHEAD_AARCH64_H

#include "collector/lookahead_private.h"

/*
 * Register numbers of an operation: 31 is sp, and what the encoding means by xzr has its own. MOVED
 * is what a pc-relative address, which is decoded for one place, is to be moved by.
 */
enum {
	LOOK_ARM_LINK = 30,
	LOOK_ARM_SP = 31,
	LOOK_ARM_ZERO = 32,
	LOOK_ARM_MOVED = 33,
	LOOK_ARM_REGISTERS
};

/* The condition flags as they stand in bits 3..0 of an immediate, 31..28 of pstate. */
enum { LOOK_ARM_N = 8, LOOK_ARM_Z = 4, LOOK_ARM_C = 2, LOOK_ARM_V = 1 };

/* How the second operand is made. The shifts and the extensions are in encoding order. */
enum look_arm_operand {
	LOOK_ARM_LSL,
	LOOK_ARM_LSR,
	LOOK_ARM_ASR,
	LOOK_ARM_ROR,
	LOOK_ARM_UXTB,
	LOOK_ARM_UXTH,
	LOOK_ARM_UXTW,
	LOOK_ARM_UXTX,
	LOOK_ARM_SXTB,
	LOOK_ARM_SXTH,
	LOOK_ARM_SXTW,
	LOOK_ARM_SXTX,
	LOOK_ARM_IMMEDIATE,
};

/* What an operation needs besides the integer registers. */
enum {
	LOOK_ARM_VECTORS = 1,
	LOOK_ARM_ARITHMETIC = 2, /* floating point: FPCR decides, FPSR learns */
};

/* How an operation ends; 0: the run goes on. */
enum {
	LOOK_ARM_DEPTH = 1 + PGB_LOOKAHEAD_DEPTH,
	LOOK_ARM_SYSCALL = 1 + PGB_LOOKAHEAD_SYSCALL,
	LOOK_ARM_TRAP = 1 + PGB_LOOKAHEAD_TRAP,
	LOOK_ARM_UNSUPPORTED = 1 + PGB_LOOKAHEAD_UNSUPPORTED,
	LOOK_ARM_UNREADABLE = 1 + PGB_LOOKAHEAD_UNREADABLE,
	LOOK_ARM_UNDECODABLE = 1 + PGB_LOOKAHEAD_UNDECODABLE,
	LOOK_ARM_LIMIT = 1 + PGB_LOOKAHEAD_LIMIT,
};

struct look_arm_op {
	int (*execute)(struct look_machine *machine, const struct look_arm_op *op);
	uint64_t immediate; /* until a decoder sets it, the address of the instruction */
	uint8_t d, n, m, a; /* destination or transferred, first, second, third register */
	uint8_t operation;  /* which of those that execute() knows */
	uint8_t size;	    /* log2 of the bytes of an access or of an element */
	uint8_t operand;    /* enum look_arm_operand */
	uint8_t amount;	    /* of a shift; a bit's number; an element's index */
	uint8_t condition;
	uint8_t uses;	 /* LOOK_ARM_VECTORS, LOOK_ARM_ARITHMETIC */
	bool wide;	 /* 64-bit registers, 16-byte vectors */
	bool sets_flags; /* or: the result is signed */
	bool invert;	 /* the second operand, or the condition */
	bool write_back; /* of the address, to register n */
	bool post;	 /* .. and the access is made without the offset */
	bool scalar;	 /* one element of a vector */
	uint8_t form;	 /* of the elements: lookahead_aarch64_vector.h */
};

union look_arm_vector {
	uint8_t b[16];
	uint16_t h[8];
	uint32_t s[4];
	uint64_t d[2];
};

struct look_machine {
	struct pgb_lookahead *look;
	uint64_t general[LOOK_ARM_REGISTERS];
	uint64_t pc, next;
	uint64_t pstate; /* without the condition flags */
	uint32_t flags;	 /* LOOK_ARM_N .. */
	uint64_t thread_pointer;
	uint64_t zero_block; /* DCZID_EL0; 0: not known */
	/* what the last load-exclusive marked; 0 bytes: nothing */
	uint64_t exclusive_address;
	uint32_t exclusive_bytes;
	bool vectors_loaded;
	bool fpsr_known; /* nothing has been computed since it was read */
	uint32_t fpsr, fpcr;
	union look_arm_vector vectors[32];
};

static inline uint32_t look_arm_bits(uint32_t word, unsigned int high, unsigned int low)
{
	return word >> low & ((UINT32_C(2) << (high - low)) - 1);
}

static inline bool look_arm_bit(uint32_t word, unsigned int bit)
{
	return word >> bit & 1;
}

/* The lowest `bits` bits set; 0..64. */
static inline uint64_t look_arm_ones(unsigned int bits)
{
	return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static inline uint64_t look_arm_sign_extend(uint64_t value, unsigned int bits)
{
	return (uint64_t)((int64_t)(value << (64 - bits)) >> (64 - bits));
}

/* A register of the encoding where 31 is the zero register. */
static inline uint8_t look_arm_register(uint32_t word, unsigned int low)
{
	uint8_t number = (uint8_t)look_arm_bits(word, low + 4, low);

	return number == 31 ? LOOK_ARM_ZERO : number;
}

/* .. and where it is sp. */
static inline uint8_t look_arm_register_sp(uint32_t word, unsigned int low)
{
	return (uint8_t)look_arm_bits(word, low + 4, low);
}

/* Where the thread branches to; 0 or LOOK_ARM_DEPTH. */
static inline int look_arm_jump(struct look_machine *machine, uint64_t target)
{
	machine->next = target;
	return look_branch(machine->look, machine->pc, target) ? 0 : LOOK_ARM_DEPTH;
}

/* Linux ignores the top byte of user addresses (TBI), for data and for instructions. */
static inline uint64_t look_arm_untag(uint64_t address)
{
	return address & UINT64_C(0x00ffffffffffffff);
}

/*
 * A user pointer without its authentication code, which sits between the 48 address bits and
 * bit 55. (Addresses above 48 bits come only to those who ask mmap for them.)
 */
static inline uint64_t look_arm_strip(uint64_t pointer)
{
	return pointer & ~(UINT64_C(0x7f) << 48);
}

bool look_arm_load(struct look_machine *machine, uint64_t address, void *bytes, size_t size_bytes);
bool look_arm_store(struct look_machine *machine, uint64_t address, const void *bytes,
		    size_t size_bytes);
bool look_arm_condition(uint32_t flags, unsigned int condition);
/* The second operand: immediate, or register m shifted or extended. */
uint64_t look_arm_operand(const struct look_machine *machine, const struct look_arm_op *op);
/* For decoders of several files. */
int look_arm_nothing(struct look_machine *machine, const struct look_arm_op *op);
int look_arm_trap(struct look_machine *machine, const struct look_arm_op *op);
int look_arm_strip_register(struct look_machine *machine, const struct look_arm_op *op);

/* One row of an encoding table: the first whose masked bits match decodes. */
struct look_arm_pattern {
	uint32_t mask, value;
	bool (*decode)(uint32_t word, struct look_arm_op *op);
};

/* false: not an instruction that we execute. */
bool look_arm_match(const struct look_arm_pattern *patterns, size_t count, uint32_t word,
		    struct look_arm_op *op);
#define LOOK_ARM_MATCH(patterns, word, op)                                                         \
	look_arm_match(patterns, sizeof(patterns) / sizeof((patterns)[0]), word, op)

bool look_arm_decode_immediate(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_register(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_multiply(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_branch(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_memory(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_system(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_exclusive(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_atomic(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_structure(uint32_t word, struct look_arm_op *op);
bool look_arm_decode_vector(uint32_t word, struct look_arm_op *op);

#endif
