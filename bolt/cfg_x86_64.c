/* SPDX-License-Identifier: MIT */
/*
 * Operands of x86-64 instructions whose length is known already.
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2 and
 * appendix A.
 */
#include <string.h>

#include "bolt/cfg_private.h"
#include "pgobolt/base/cursor.h"

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

#define MAP_ONE_BYTE 0
#define MAP_0F	     1
#define MAP_0F38     2
#define MAP_0F3A     3
#define MAP_VECTOR   4

#define RAX 0
#define RCX 1
#define RDX 2
#define RBX 3
#define RSP 4
#define RBP 5
#define RSI 6
#define RDI 7

static bool is_prefix(uint8_t byte)
{
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
					   0x66, 0x67, 0xf0, 0xf2, 0xf3};

	return memchr(prefixes, byte, sizeof(prefixes)) != NULL;
}

/* Opcodes of the one-byte map with a ModRM byte. */
static bool one_byte_has_modrm(uint8_t opcode)
{
	if (opcode < 0x40)
		return (opcode & 7) < 4;
	if (opcode >= 0x80 && opcode <= 0x8f)
		return true;
	if (opcode >= 0xd0 && opcode <= 0xdf)
		return opcode < 0xd4 || opcode > 0xd7;
	switch (opcode) {
	case 0x63:
	case 0x69:
	case 0x6b:
	case 0xc0:
	case 0xc1:
	case 0xc6:
	case 0xc7:
	case 0xf6:
	case 0xf7:
	case 0xfe:
	case 0xff:
		return true;
	}
	return false;
}

static bool two_byte_has_modrm(uint8_t opcode)
{
	if ((opcode >= 0x04 && opcode <= 0x0b && opcode != 0x0a) ||
	    (opcode >= 0x30 && opcode <= 0x37) || (opcode >= 0x80 && opcode <= 0x8f) ||
	    (opcode >= 0xc8 && opcode <= 0xcf))
		return false;
	switch (opcode) {
	case 0x0e:
	case 0x77:
	case 0xa0:
	case 0xa1:
	case 0xa2:
	case 0xa8:
	case 0xa9:
	case 0xaa:
		return false;
	}
	return true;
}

/* VEX and EVEX: the fields of the extended prefix stand inverted. */
static void read_vector_prefix(struct pgb_cursor *cursor, uint8_t first, uint8_t *rex)
{
	uint8_t bits = pgb_cursor_u8(cursor);

	*rex = (uint8_t)(bits & 0x80 ? 0 : REX_R);
	if (first == 0xc5)
		return;
	*rex |= (uint8_t)((bits & 0x40 ? 0 : REX_X) | (bits & 0x20 ? 0 : REX_B));
	*rex |= (uint8_t)(pgb_cursor_u8(cursor) & 0x80 ? REX_W : 0);
	if (first == 0x62)
		pgb_cursor_u8(cursor);
}

static void read_memory(struct pgb_cursor *cursor, uint8_t modrm, uint8_t rex,
			struct pgb_cfg_operands *operands)
{
	uint8_t mode = modrm >> 6, low = modrm & 7, sib;

	operands->has_memory = true;
	operands->scale = 1;
	operands->base = (int8_t)(low | (rex & REX_B ? 8 : 0));
	operands->index = -1;
	if (low == 4) {
		sib = pgb_cursor_u8(cursor);
		low = sib & 7;
		operands->base = (int8_t)(low | (rex & REX_B ? 8 : 0));
		operands->index = (int8_t)((sib >> 3 & 7) | (rex & REX_X ? 8 : 0));
		operands->scale = (uint8_t)(1u << (sib >> 6));
		if (operands->index == RSP)
			operands->index = -1;
		if (low == 5 && mode == 0)
			operands->base = -1;
	} else if (low == 5 && mode == 0) {
		operands->base = -1;
		operands->rip_relative = true;
	}
	if (mode == 1)
		operands->displacement = (int8_t)pgb_cursor_u8(cursor);
	else if (mode == 2 || operands->base < 0)
		operands->displacement = (int32_t)pgb_cursor_u32(cursor);
}

/* Prefixes, map and opcode; the REX bits that go with them. */
static void read_opcode(struct pgb_cursor *cursor, struct pgb_cfg_operands *operands, uint8_t *rex)
{
	uint8_t byte = pgb_cursor_u8(cursor);

	for (; is_prefix(byte); byte = pgb_cursor_u8(cursor))
		operands->has_segment |= byte == 0x64 || byte == 0x65;
	if ((byte & 0xf0) == 0x40) {
		*rex = byte;
		byte = pgb_cursor_u8(cursor);
	}
	if (byte == 0xc4 || byte == 0xc5 || byte == 0x62) {
		operands->map = MAP_VECTOR;
		read_vector_prefix(cursor, byte, rex);
		byte = pgb_cursor_u8(cursor);
	} else if (byte == 0x0f) {
		operands->map = MAP_0F;
		byte = pgb_cursor_u8(cursor);
		if (byte == 0x38 || byte == 0x3a) {
			operands->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
			byte = pgb_cursor_u8(cursor);
		}
	}
	operands->opcode = byte;
	operands->low = (uint8_t)((byte & 7) | (*rex & REX_B ? 8 : 0));
	operands->wide = *rex & REX_W;
}

static bool has_modrm(const struct pgb_cfg_operands *operands)
{
	if (operands->map == MAP_ONE_BYTE)
		return one_byte_has_modrm(operands->opcode);
	if (operands->map == MAP_0F)
		return two_byte_has_modrm(operands->opcode);
	return operands->map != MAP_VECTOR || operands->opcode != 0x77; /* vzeroupper */
}

bool pgb_cfg_x86_operands(const uint8_t *bytes, uint8_t length_bytes, uint64_t address,
			  struct pgb_cfg_operands *operands)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes, length_bytes);
	uint8_t rex = 0, modrm;

	*operands = (struct pgb_cfg_operands){.base = -1, .index = -1};
	if (length_bytes == 1 && is_prefix(bytes[0])) { /* a lock prefix on its own */
		operands->opcode = bytes[0];
		return true;
	}
	read_opcode(&cursor, operands, &rex);
	if (has_modrm(operands)) {
		modrm = pgb_cursor_u8(&cursor);
		operands->reg = (uint8_t)((modrm >> 3 & 7) | (rex & REX_R ? 8 : 0));
		operands->rm = (uint8_t)((modrm & 7) | (rex & REX_B ? 8 : 0));
		if (modrm >> 6 != 3)
			read_memory(&cursor, modrm, rex, operands);
	}
	if (operands->rip_relative)
		operands->address =
			address + length_bytes + (uint64_t)(int64_t)operands->displacement;
	return !cursor.truncated;
}

/* Which operands an opcode writes. */
#define WRITES_REG   1 /* the register in ModRM.reg */
#define WRITES_RM    2 /* the one in ModRM.rm, if it is no memory */
#define WRITES_LOW   4 /* the one in the opcode's low bits */
#define WRITES_GROUP 8 /* ModRM.reg tells: see group_writes() */

#define BIT(reg) (1u << (reg))

struct writes {
	uint8_t operands;
	uint16_t fixed; /* registers that the opcode implies */
};

#define ALU(base) /* to rm, to reg, to al and rax */                                               \
	[(base) + 0 ...(base) + 1] = {WRITES_RM, 0}, [(base) + 2 ...(base) + 3] = {WRITES_REG, 0}, \
				[(base) + 4 ...(base) + 5] = {0, BIT(RAX)}

static const struct writes one_byte_writes[256] = {
	ALU(0x00), /* add, or, adc, sbb, and, sub, xor; cmp writes nothing */
	ALU(0x08),
	ALU(0x10),
	ALU(0x18),
	ALU(0x20),
	ALU(0x28),
	ALU(0x30),
	[0x50 ... 0x57] = {0, BIT(RSP)},
	[0x58 ... 0x5f] = {WRITES_LOW, BIT(RSP)},
	[0x63] = {WRITES_REG, 0},
	[0x68] = {0, BIT(RSP)},
	[0x69] = {WRITES_REG, 0},
	[0x6a] = {0, BIT(RSP)},
	[0x6b] = {WRITES_REG, 0},
	[0x80 ... 0x83] = {WRITES_GROUP, 0},
	[0x86 ... 0x87] = {WRITES_REG | WRITES_RM, 0},
	[0x88 ... 0x89] = {WRITES_RM, 0},
	[0x8a ... 0x8b] = {WRITES_REG, 0},
	[0x8c] = {WRITES_RM, 0},
	[0x8d] = {WRITES_REG, 0},
	[0x8f] = {WRITES_RM, BIT(RSP)},
	[0x91 ... 0x97] = {WRITES_LOW, BIT(RAX)},
	[0x98] = {0, BIT(RAX)},
	[0x99] = {0, BIT(RDX)},
	[0xa4 ... 0xa7] = {0, BIT(RSI) | BIT(RDI) | BIT(RCX)},
	[0xaa ... 0xab] = {0, BIT(RDI) | BIT(RCX)},
	[0xac ... 0xad] = {0, BIT(RAX) | BIT(RSI) | BIT(RCX)},
	[0xae ... 0xaf] = {0, BIT(RDI) | BIT(RCX)},
	[0xb0 ... 0xbf] = {WRITES_LOW, 0},
	[0xc0 ... 0xc1] = {WRITES_RM, 0},
	[0xc6 ... 0xc7] = {WRITES_RM, 0},
	[0xc9] = {0, BIT(RSP) | BIT(RBP)},
	[0xd0 ... 0xd3] = {WRITES_RM, 0},
	[0xf6 ... 0xf7] = {WRITES_GROUP, 0},
	[0xfe ... 0xff] = {WRITES_GROUP, 0},
};

static const struct writes two_byte_writes[256] = {
	[0x05] = {0, BIT(RAX) | BIT(RCX) | BIT(11)}, /* syscall */
	[0x2c ... 0x2d] = {WRITES_REG, 0},
	[0x31] = {0, BIT(RAX) | BIT(RDX)}, /* rdtsc */
	[0x40 ... 0x4f] = {WRITES_REG, 0}, /* cmov */
	[0x50] = {WRITES_REG, 0},
	[0x7e] = {WRITES_RM, 0},
	[0x90 ... 0x9f] = {WRITES_RM, 0},			 /* set */
	[0xa2] = {0, BIT(RAX) | BIT(RBX) | BIT(RCX) | BIT(RDX)}, /* cpuid */
	[0xa4 ... 0xa5] = {WRITES_RM, 0},
	[0xab ... 0xad] = {WRITES_RM, 0},
	[0xaf] = {WRITES_REG, 0},
	[0xb0 ... 0xb1] = {WRITES_RM, BIT(RAX)}, /* cmpxchg */
	[0xb3] = {WRITES_RM, 0},
	[0xb6 ... 0xb8] = {WRITES_REG, 0},
	[0xba ... 0xbb] = {WRITES_RM, 0},
	[0xbc ... 0xbf] = {WRITES_REG, 0},
	[0xc0 ... 0xc1] = {WRITES_REG | WRITES_RM, 0}, /* xadd */
	[0xc5] = {WRITES_REG, 0},
	[0xc8 ... 0xcf] = {WRITES_LOW, 0}, /* bswap */
	[0xd7] = {WRITES_REG, 0},
};

static uint16_t bit(unsigned int reg)
{
	return (uint16_t)BIT(reg & 15);
}

static uint16_t rm_bit(const struct pgb_cfg_operands *operands)
{
	return operands->has_memory ? 0 : bit(operands->rm);
}

/* Groups whose operation is in the reg field of ModRM. */
static uint16_t group_writes(const struct pgb_cfg_operands *operands)
{
	uint8_t operation = operands->reg & 7;

	switch (operands->opcode) {
	case 0xf6:
	case 0xf7: /* test; not, neg; mul and div write rax and rdx */
		if (operation < 2)
			return 0;
		return operation < 4 ? rm_bit(operands) : BIT(RAX) | BIT(RDX);
	case 0xfe:
	case 0xff: /* inc, dec; push writes rsp, calls and jumps nothing else */
		return operation < 2 ? rm_bit(operands) : BIT(RSP);
	default: /* arithmetic with an immediate: all but cmp */
		return operation == 7 ? 0 : rm_bit(operands);
	}
}

uint16_t pgb_cfg_x86_writes(const struct pgb_cfg_operands *operands)
{
	struct writes writes = {0, 0};
	uint16_t mask;

	if (operands->map == MAP_ONE_BYTE)
		writes = one_byte_writes[operands->opcode];
	else if (operands->map == MAP_0F)
		writes = two_byte_writes[operands->opcode];
	else if (operands->map == MAP_0F38 && operands->opcode >= 0xf0)
		writes.operands = WRITES_REG; /* crc32, adcx, adox, movbe */
	mask = writes.fixed;
	if (writes.operands & WRITES_GROUP)
		mask |= group_writes(operands);
	if (writes.operands & WRITES_REG)
		mask |= bit(operands->reg);
	if (writes.operands & WRITES_RM)
		mask |= rm_bit(operands);
	if (writes.operands & WRITES_LOW)
		mask |= bit(operands->low);
	return mask;
}
