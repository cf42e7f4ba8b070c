/* SPDX-License-Identifier: MIT */
/*
 * Look-ahead on AArch64: single instructions, whose results an emulator gave, and small pieces of
 * code. tests/lab/lookahead_aarch64.sh holds random instructions and programs against qemu.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "collector/lookahead_private.h"
#include "pgobolt/collector/lookahead.h"

enum { CODE = 0x10000, STACK = 0x20000, DATA = 0x30000, PAGE = 4096, DEPTH = 16 };
enum { SVC = 0xd4000001, RET = 0xd65f03c0, NOP = 0xd503201f, BRK = 0xd4200000 };

/* Three pages of memory of a thread that is not there. */
struct memory {
	uint32_t code[PAGE / 4];
	uint8_t stack[PAGE];
	uint64_t data[PAGE / 8];
	bool has_vectors;
	struct {
		uint64_t vectors[32][2];
		uint32_t fpsr, fpcr, reserved[2];
	} vectors;
};

static int read_memory(void *context, uint64_t address, void *bytes, size_t size_bytes)
{
	struct memory *memory = context;
	const uint8_t *page = address >= CODE && address < CODE + PAGE	   ? (uint8_t *)memory->code
			      : address >= STACK && address < STACK + PAGE ? memory->stack
			      : address >= DATA && address < DATA + PAGE   ? (uint8_t *)memory->data
									   : NULL;

	if (page == NULL || address % PAGE + size_bytes > PAGE)
		return -1;
	memcpy(bytes, page + address % PAGE, size_bytes);
	return 0;
}

static ssize_t read_vectors(void *context, void *bytes, size_t size_bytes)
{
	struct memory *memory = context;

	if (!memory->has_vectors || size_bytes < sizeof(memory->vectors))
		return -1;
	memcpy(bytes, &memory->vectors, sizeof(memory->vectors));
	return sizeof(memory->vectors);
}

struct outcome {
	struct pgb_lookahead_result result;
	struct pgb_lookahead_registers after;
	struct pgb_lookahead_branch branches[DEPTH];
	uint64_t vectors[32][2];
};

static void run(struct memory *memory, struct pgb_lookahead_registers *registers,
		struct outcome *outcome)
{
	const struct pgb_lookahead_thread thread = {
		.read = read_memory, .vectors = read_vectors, .context = memory};
	struct pgb_lookahead *look = pgb_lookahead_new(PGB_INSN_AARCH64);
	struct pgb_lookahead_code *code = pgb_lookahead_code_new();

	registers->pc = CODE;
	registers->general[31] = STACK + PAGE / 2;
	pgb_lookahead_run(look, code, registers, &thread, outcome->branches, DEPTH,
			  &outcome->result);
	pgb_lookahead_registers(look, &outcome->after);
	look_arm_vectors(look, outcome->vectors);
	pgb_lookahead_code_free(code);
	pgb_lookahead_free(look);
}

/* One instruction on x1, x2, x3 and the flags (N 8, Z 4, C 2, V 1), then a system call. */
struct row {
	const char *what;
	uint32_t word;
	uint64_t x1, x2, x3;
	unsigned int flags;
	uint64_t x0_after; /* x0 is 0x1122334455667788 before */
	unsigned int flags_after;
};

static const struct row rows[] = {
	{"adds x0, x1, x2", 0xab020020, UINT64_C(0x7fffffffffffffff), 1, 0, 0,
	 UINT64_C(0x8000000000000000), 9},
	{"adds x0, x1, x2", 0xab020020, UINT64_C(0xffffffffffffffff), 1, 0, 0, 0, 6},
	{"adds w0, w1, w2", 0x2b020020, UINT64_C(0xffffffff7fffffff), UINT64_C(0x100000001), 0, 0,
	 0x80000000, 9},
	{"subs x0, x1, x2", 0xeb020020, 0, 1, 0, 0, UINT64_C(0xffffffffffffffff), 8},
	{"subs x0, x1, x2", 0xeb020020, 5, 5, 0, 9, 0, 6},
	{"subs w0, w1, w2", 0x6b020020, 0x80000000, 1, 0, 0, 0x7fffffff, 3},
	{"subs x0, x1, x2", 0xeb020020, UINT64_C(0x8000000000000000), 1, 0, 0,
	 UINT64_C(0x7fffffffffffffff), 3},
	{"adc x0, x1, x2", 0x9a020020, 1, 2, 0, 2, 4, 2},
	{"adcs x0, x1, x2", 0xba020020, UINT64_C(0xffffffffffffffff), 0, 0, 2, 0, 6},
	{"sbcs x0, x1, x2", 0xfa020020, 0, 0, 0, 0, UINT64_C(0xffffffffffffffff), 8},
	{"sbcs w0, w1, w2", 0x7a020020, 3, 2, 0, 2, 1, 2},
	{"sub x0, x1, x2, asr #3", 0xcb820c20, 0x64, UINT64_C(0xffffffffffffffc0), 0, 15, 0x6c, 15},
	{"add x0, x1, w2, sxth #2", 0x8b22a820, 0x3e8, 0x18000, 0, 0, UINT64_C(0xfffffffffffe03e8),
	 0},
	{"add x0, x1, w2, uxtb #1", 0x8b220420, 1, 0x1ff, 0, 0, 0x1ff, 0},
	{"add w0, w1, #0xabc, lsl #12", 0x116af020, UINT64_C(0xffffffffffffffff), 0, 0, 0, 0xabbfff,
	 0},
	{"neg w0, w2, lsl #31", 0x4b027fe0, 0, 1, 0, 0, 0x80000000, 0},
	{"ands x0, x1, x2", 0xea020020, UINT64_C(0x8000000000000001), UINT64_C(0x8000000000000000),
	 0, 3, UINT64_C(0x8000000000000000), 8},
	{"bics w0, w1, w2", 0x6a220020, 0xf0, 0xff, 0, 3, 0, 4},
	{"orn x0, x1, x2, ror #4", 0xaae21020, 0, 0x1f, 0, 0, UINT64_C(0xffffffffffffffe), 0},
	{"eon w0, w1, w2, lsr #1", 0x4a620420, 0xffff, 0x80000000, 0, 0, 0xbfff0000, 0},
	{"and x0, x1, #0x0f0f0f0f0f0f0f0f", 0x9200cc20, UINT64_C(0xffffffffffffffff), 0, 0, 0,
	 UINT64_C(0xf0f0f0f0f0f0f0f), 0},
	{"orr w0, w1, #0x80000001", 0x32010420, 0, 0, 0, 0, 0x80000001, 0},
	{"eor x0, x1, #0xfffffffffffffffe", 0xd27ff820, 0, 0, 0, 0, UINT64_C(0xfffffffffffffffe),
	 0},
	{"movn w0, #1", 0x12800020, 0, 0, 0, 0, 0xfffffffe, 0},
	{"movk x0, #0xbeef, lsl #32", 0xf2d7dde0, 0, 0, 0, 0, UINT64_C(0x1122beef55667788), 0},
	{"ubfx x0, x1, #60, #4", 0xd37cfc20, UINT64_C(0xa000000000000000), 0, 0, 0, 0xa, 0},
	{"sbfx w0, w1, #4, #4", 0x13041c20, 0x80, 0, 0, 0, 0xfffffff8, 0},
	{"sbfiz x0, x1, #60, #3", 0x93440820, 7, 0, 0, 0, UINT64_C(0xf000000000000000), 0},
	{"sxtw x0, w1", 0x93407c20, 0x80000000, 0, 0, 0, UINT64_C(0xffffffff80000000), 0},
	{"bfi x0, x1, #8, #16", 0xb3783c20, 0xabcd, 0, 0, 0, UINT64_C(0x1122334455abcd88), 0},
	{"bfxil w0, w1, #28, #4", 0x331c7c20, 0x50000000, 0, 0, 0, 0x55667785, 0},
	{"lsl x0, x1, #63", 0xd3410020, 3, 0, 0, 0, UINT64_C(0x8000000000000000), 0},
	{"asr w0, w1, #31", 0x131f7c20, 0x80000000, 0, 0, 0, 0xffffffff, 0},
	{"extr x0, x1, x2, #4", 0x93c21020, 0xf, 0x123, 0, 0, UINT64_C(0xf000000000000012), 0},
	{"ror w0, w1, #8", 0x13812020, 0x12345678, 0, 0, 0, 0x78123456, 0},
	{"csel x0, x1, x2, hi", 0x9a828020, 1, 2, 0, 2, 1, 2},
	{"csinc x0, x1, x2, ls", 0x9a829420, 1, UINT64_C(0xffffffffffffffff), 0, 2, 0, 2},
	{"csinv w0, w1, w2, lt", 0x5a82b020, 1, 0, 0, 9, 0xffffffff, 9},
	{"csneg x0, x1, x2, ge", 0xda82a420, 1, 5, 0, 8, UINT64_C(0xfffffffffffffffb), 8},
	{"ccmp x1, x2, #5, eq", 0xfa420025, 1, 2, 0, 0, UINT64_C(0x1122334455667788), 5},
	{"ccmp x1, x2, #5, eq", 0xfa420025, 1, 2, 0, 4, UINT64_C(0x1122334455667788), 8},
	{"ccmn w1, #1, #0, ne", 0x3a411820, 0xffffffff, 0, 0, 0, UINT64_C(0x1122334455667788), 6},
	{"udiv x0, x1, x2", 0x9ac20820, 0x64, 0, 0, 0, 0, 0},
	{"udiv w0, w1, w2", 0x1ac20820, UINT64_C(0x1ffffffff), 0x10, 0, 0, 0xfffffff, 0},
	{"sdiv x0, x1, x2", 0x9ac20c20, UINT64_C(0x8000000000000000), UINT64_C(0xffffffffffffffff),
	 0, 0, UINT64_C(0x8000000000000000), 0},
	{"sdiv w0, w1, w2", 0x1ac20c20, 0x80000000, 0xffffffff, 0, 0, 0x80000000, 0},
	{"sdiv x0, x1, x2", 0x9ac20c20, UINT64_C(0xfffffffffffffff9), 2, 0, 0,
	 UINT64_C(0xfffffffffffffffd), 0},
	{"lsl w0, w1, w2", 0x1ac22020, 1, 0x21, 0, 0, 2, 0},
	{"asr x0, x1, x2", 0x9ac22820, UINT64_C(0x8000000000000000), 0x7f, 0, 0,
	 UINT64_C(0xffffffffffffffff), 0},
	{"ror w0, w1, w2", 0x1ac22c20, 1, 0x21, 0, 0, 0x80000000, 0},
	{"crc32b w0, w1, w2", 0x1ac24020, 0xffffffff, 0x61, 0, 0, 0x174841bc, 0},
	{"crc32x w0, w1, x2", 0x9ac24c20, 0xffffffff, UINT64_C(0x123456789abcdef), 0, 0, 0xbbc41db8,
	 0},
	{"crc32cw w0, w1, w2", 0x1ac25820, 0, 0xdeadbeef, 0, 0, 0x9991d14, 0},
	{"rbit w0, w1", 0x5ac00020, 1, 0, 0, 0, 0x80000000, 0},
	{"rev16 x0, x1", 0xdac00420, UINT64_C(0x102030405060708), 0, 0, 0,
	 UINT64_C(0x201040306050807), 0},
	{"rev w0, w1", 0x5ac00820, UINT64_C(0x102030405060708), 0, 0, 0, 0x8070605, 0},
	{"rev32 x0, x1", 0xdac00820, UINT64_C(0x102030405060708), 0, 0, 0,
	 UINT64_C(0x403020108070605), 0},
	{"rev x0, x1", 0xdac00c20, UINT64_C(0x102030405060708), 0, 0, 0,
	 UINT64_C(0x807060504030201), 0},
	{"clz w0, w1", 0x5ac01020, 0, 0, 0, 0, 0x20, 0},
	{"clz x0, x1", 0xdac01020, 0x10000, 0, 0, 0, 0x2f, 0},
	{"cls w0, w1", 0x5ac01420, 0xfffffff0, 0, 0, 0, 0x1b, 0},
	{"cls x0, x1", 0xdac01420, UINT64_C(0x4000000000000000), 0, 0, 0, 0, 0},
	{"madd x0, x1, x2, x3", 0x9b020c20, 3, UINT64_C(0xfffffffffffffffc), 0x64, 0, 0x58, 0},
	{"msub w0, w1, w2, w3", 0x1b028c20, 0x10001, 0x10001, 1, 0, 0xfffe0000, 0},
	{"smaddl x0, w1, w2, x3", 0x9b220c20, 0xffffffff, 2, 1, 0, UINT64_C(0xffffffffffffffff), 0},
	{"umsubl x0, w1, w2, x3", 0x9ba28c20, 0xffffffff, 2, 1, 0, UINT64_C(0xfffffffe00000003), 0},
	{"smulh x0, x1, x2", 0x9b427c20, UINT64_C(0xffffffffffffffff), UINT64_C(0xffffffffffffffff),
	 0, 0, 0, 0},
	{"umulh x0, x1, x2", 0x9bc27c20, UINT64_C(0xffffffffffffffff), UINT64_C(0xffffffffffffffff),
	 0, 0, UINT64_C(0xfffffffffffffffe), 0},
	{"cfinv", 0xd500401f, 0, 0, 0, 2, UINT64_C(0x1122334455667788), 0},
	{"mrs x0, nzcv", 0xd53b4200, 0, 0, 0, 10, 0xa0000000, 10},
};

static void single_instructions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct memory memory = {.code = {row->word, SVC}};
		struct pgb_lookahead_registers registers = {
			.general = {UINT64_C(0x1122334455667788), row->x1, row->x2, row->x3},
			.flags = (uint64_t)row->flags << 28 | 0x1000};
		struct outcome outcome;

		run(&memory, &registers, &outcome);
		if (outcome.result.end != PGB_LOOKAHEAD_SYSCALL ||
		    outcome.after.general[0] != row->x0_after ||
		    outcome.after.flags != ((uint64_t)row->flags_after << 28 | 0x1000))
			fail_msg("%s: %s, x0 %lx, flags %lx", row->what,
				 pgb_lookahead_end_name(outcome.result.end),
				 (unsigned long)outcome.after.general[0],
				 (unsigned long)outcome.after.flags);
		assert_int_equal(outcome.result.instructions, 1);
		assert_int_equal(outcome.after.general[1], row->x1);
	}
}

/* Pieces of code on x0 and x1; x2 points to DATA, x3 behind the code's start by 64 bytes. */
struct piece {
	const char *what;
	uint32_t words[12];
	uint64_t x0, x1;
	enum pgb_lookahead_end end;
	uint64_t x0_after;
	size_t branches;
	uint64_t last_from, last_to; /* from CODE; 0: not looked at */
	uint64_t decisions;
};

static const struct piece pieces[] = {
	{"sub and cbnz: loop",
	 {0xd1000400, 0xb5ffffe0, SVC},
	 5,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 0,
	 4,
	 4,
	 0,
	 5},
	{"cbz w0 looks at 32 bits",
	 {0x34000040, BRK, SVC},
	 UINT64_C(1) << 32,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 UINT64_C(1) << 32,
	 1,
	 0,
	 8,
	 1},
	{"tbz bit 63, not taken",
	 {0xb6f80040, SVC, BRK},
	 UINT64_C(1) << 63,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 UINT64_C(1) << 63,
	 0,
	 0,
	 0,
	 1},
	{"tbnz bit 33",
	 {0xb7080040, BRK, SVC},
	 UINT64_C(1) << 33,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 UINT64_C(1) << 33,
	 1,
	 0,
	 8,
	 1},
	{"cmp and b.lo",
	 {0xeb01001f, 0x54000043, BRK, SVC},
	 3,
	 (uint64_t)-2,
	 PGB_LOOKAHEAD_SYSCALL,
	 3,
	 1,
	 4,
	 12,
	 1},
	{"cmp and b.lt",
	 {0xeb01001f, 0x5400004b, SVC, BRK},
	 3,
	 (uint64_t)-2,
	 PGB_LOOKAHEAD_SYSCALL,
	 3,
	 0,
	 0,
	 0,
	 1},
	{"bl and ret",
	 {0x94000003, SVC, BRK, 0x91000400, RET},
	 1,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 2,
	 2,
	 16,
	 4,
	 1},
	{"br with a tag: the top byte is ignored",
	 {0xd61f0000, BRK, SVC},
	 UINT64_C(0x7f00000000000000) + CODE + 8,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 UINT64_C(0x7f00000000000000) + CODE + 8,
	 1,
	 0,
	 8,
	 1},
	{"blraa: the code is removed",
	 {0xd73f0801, BRK, 0xaa1e03e0, SVC},
	 UINT64_C(0x0055000000000000) + CODE + 8,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 CODE + 4,
	 1,
	 0,
	 8,
	 1},
	{"blr: it is not",
	 {0xd63f0000, BRK, SVC},
	 UINT64_C(0x0055000000000000) + CODE + 8,
	 0,
	 PGB_LOOKAHEAD_UNREADABLE,
	 UINT64_C(0x0055000000000000) + CODE + 8,
	 1,
	 0,
	 UINT64_C(0x0055000000000000) + 8,
	 1},
	{"paciasp, bl, autiasp, retaa",
	 {0x94000003, SVC, BRK, 0xd503233f, 0xa9bf7bfd, 0xa8c17bfd, 0xd50323bf, RET},
	 7,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 7,
	 2,
	 28,
	 4,
	 1},
	{"a signed return address from before the run, retab",
	 {0xaa0003fe, 0xd65f0fff, SVC},
	 UINT64_C(0x002a000000000000) + CODE + 8,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 UINT64_C(0x002a000000000000) + CODE + 8,
	 1,
	 4,
	 8,
	 1},
	{"xpaci",
	 {0xdac143e0, SVC},
	 UINT64_C(0x007f000000001234),
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 0x1234,
	 0,
	 0,
	 0,
	 0},
	{"adr", {0x10000080, SVC}, 0, 0, PGB_LOOKAHEAD_SYSCALL, CODE + 16, 0, 0, 0, 0},
	{"adrp", {0xb0ffffe0, SVC}, 0, 0, PGB_LOOKAHEAD_SYSCALL, CODE - 3 * PAGE, 0, 0, 0, 0},
	{"ldr literal",
	 {0x58000040, SVC, 0x89abcdef, 0x01234567},
	 0,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 UINT64_C(0x0123456789abcdef),
	 0,
	 0,
	 0,
	 0},
	{"ldrsw literal",
	 {0x98000040, SVC, 0x89abcdef},
	 0,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 UINT64_C(0xffffffff89abcdef),
	 0,
	 0,
	 0,
	 0},
	{"stp pre-index, ldp post-index: swapped",
	 {0xa9bf07e0, 0xa8c103e1, SVC},
	 5,
	 9,
	 PGB_LOOKAHEAD_SYSCALL,
	 9,
	 0,
	 0,
	 0,
	 0},
	{"a store is seen by the next load",
	 {0xb9000440, 0x79400840, SVC},
	 0x11112222,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 0x2222,
	 0,
	 0,
	 0,
	 0},
	{"ldrsb to 32 bits",
	 {0x38001041, 0x39c00440, SVC},
	 0,
	 0x80,
	 PGB_LOOKAHEAD_SYSCALL,
	 0xffffff80,
	 0,
	 0,
	 0,
	 0},
	{"exclusive increment: ldxr, add, stxr, cbnz",
	 {0xc85f7c40, 0x91000400, 0xc8017c40, 0xb5ffffa1, SVC},
	 0,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 1,
	 0,
	 0,
	 0,
	 1},
	{"stxr without ldxr fails", {0xc8007c41, SVC}, 7, 7, PGB_LOOKAHEAD_SYSCALL, 1, 0, 0, 0, 0},
	{"clrex: stxr fails",
	 {0xc85f7c43, 0xd5033f5f, 0xc8007c41, SVC},
	 7,
	 7,
	 PGB_LOOKAHEAD_SYSCALL,
	 1,
	 0,
	 0,
	 0,
	 0},
	{"ldadd, then cas that finds it",
	 {0xf8200041, 0xc8a07c43, SVC},
	 0,
	 0,
	 PGB_LOOKAHEAD_SYSCALL,
	 0,
	 0,
	 0,
	 0,
	 0},
	{"udf", {0x00000000}, 0, 0, PGB_LOOKAHEAD_TRAP, 0, 0, 0, 0, 0},
	{"brk", {BRK}, 0, 0, PGB_LOOKAHEAD_TRAP, 0, 0, 0, 0, 0},
	{"reserved", {0x02000000}, 0, 0, PGB_LOOKAHEAD_UNDECODABLE, 0, 0, 0, 0, 0},
	{"sve is not ours", {0x04a00000}, 0, 0, PGB_LOOKAHEAD_UNSUPPORTED, 0, 0, 0, 0, 0},
	{"the counter is not ours", {0xd53be040}, 0, 0, PGB_LOOKAHEAD_UNSUPPORTED, 0, 0, 0, 0, 0},
	{"vectors that cannot be had",
	 {0x3dc00040},
	 0,
	 0,
	 PGB_LOOKAHEAD_UNSUPPORTED,
	 0,
	 0,
	 0,
	 0,
	 0},
	{"load from nowhere", {0xf9400000}, 8, 0, PGB_LOOKAHEAD_UNREADABLE, 8, 0, 0, 0, 0},
	{"endless loop", {0x14000000}, 0, 0, PGB_LOOKAHEAD_DEPTH, 0, DEPTH, 0, 0, 0},
	{"jump between instructions",
	 {0xd61f0000, SVC, SVC},
	 CODE + 6,
	 0,
	 PGB_LOOKAHEAD_UNDECODABLE,
	 CODE + 6,
	 1,
	 0,
	 6,
	 1},
};

static void small_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		const struct piece *piece = &pieces[i];
		struct memory memory = {0};
		struct pgb_lookahead_registers registers = {
			.general = {piece->x0, piece->x1, DATA, CODE + 64}};
		const struct pgb_lookahead_branch *last;
		struct outcome outcome;

		memcpy(memory.code, piece->words, sizeof(piece->words));
		run(&memory, &registers, &outcome);
		last = &outcome.branches[piece->branches ? piece->branches - 1 : 0];
		if (outcome.result.end != piece->end ||
		    outcome.after.general[0] != piece->x0_after ||
		    outcome.result.branch_count != piece->branches ||
		    outcome.result.decisions != piece->decisions ||
		    (piece->last_to &&
		     (last->from != CODE + piece->last_from || last->to != CODE + piece->last_to)))
			fail_msg("%s: %s, x0 %lx, %zu branches, %lu decisions", piece->what,
				 pgb_lookahead_end_name(outcome.result.end),
				 (unsigned long)outcome.after.general[0],
				 outcome.result.branch_count,
				 (unsigned long)outcome.result.decisions);
		/* the thread itself was only read */
		for (size_t at = 0; at < PAGE / 8; at++)
			assert_int_equal(memory.data[at], 0);
	}
}

/* DC ZVA asks for the size of its block, which only the walker knows. */
static void zero_block(void **state)
{
	struct memory memory = {.code = {0xd53b00e0, 0xd50b7422, 0xf9400440, SVC}};
	struct pgb_lookahead_registers registers = {.general = {0, 0, DATA + 24}};
	struct outcome outcome;

	(void)state;
	memset(memory.data, 0xff, sizeof(memory.data));
	run(&memory, &registers, &outcome);
	assert_int_equal(outcome.result.end, PGB_LOOKAHEAD_UNSUPPORTED);
	registers.dczid = 4;
	run(&memory, &registers, &outcome);
	assert_int_equal(outcome.result.end, PGB_LOOKAHEAD_SYSCALL);
	assert_int_equal(outcome.after.general[0], 0);
	memory.code[2] = 0xf9401440; /* ldr x0, [x2, #40]: the next block */
	run(&memory, &registers, &outcome);
	assert_int_equal(outcome.after.general[0], UINT64_MAX);
	registers.dczid = 4 | 16; /* prohibited */
	run(&memory, &registers, &outcome);
	assert_int_equal(outcome.result.end, PGB_LOOKAHEAD_UNSUPPORTED);
}

/* One vector instruction on v1 and v2; v0 is 0x99aabbccddeeff00 1122334455667788 before. */
struct vector_row {
	const char *what;
	uint32_t word;
	uint64_t v1[2], v2[2], v0_after[2]; /* lower half first */
};

static const struct vector_row vector_rows[] = {
	{"add v0.16b, v1.16b, v2.16b",
	 0x4e228420,
	 {UINT64_C(0xff01ff01ff01ff01), 1},
	 {UINT64_C(0x101010101010101), 0xff},
	 {UINT64_C(0x2000200020002), 0}},
	{"add v0.8b, v1.8b, v2.8b",
	 0x0e228420,
	 {UINT64_C(0xff01ff01ff01ff01), 1},
	 {UINT64_C(0x101010101010101), 0xff},
	 {UINT64_C(0x2000200020002), 0}},
	{"cmeq v0.16b, v1.16b, v2.16b",
	 0x6e228c20,
	 {UINT64_C(0x6162636465666768), 0},
	 {UINT64_C(0x6100636400666700), 0},
	 {UINT64_C(0xff00ffff00ffff00), UINT64_MAX}},
	{"cmeq v0.8b, v1.8b, #0",
	 0x0e209820,
	 {UINT64_C(0x6100636400666700), 0},
	 {0, 0},
	 {UINT64_C(0xff0000ff0000ff), 0}},
	{"cmhi v0.4s, v1.4s, v2.4s",
	 0x6ea23420,
	 {UINT64_C(0x8000000000000001), 0},
	 {UINT64_C(0x7fffffff00000001), 0},
	 {UINT64_C(0xffffffff00000000), 0}},
	{"cmgt v0.4s, v1.4s, v2.4s",
	 0x4ea23420,
	 {UINT64_C(0x8000000000000001), 0},
	 {UINT64_C(0x7fffffff00000001), 0xffffffff},
	 {0, 0xffffffff}},
	{"umaxp v0.16b, v1.16b, v2.16b",
	 0x6e22a420,
	 {UINT64_C(0x102030405060708), 0xff00},
	 {0x1020, UINT64_C(0x8000000000000000)},
	 {UINT64_C(0xff02040608), UINT64_C(0x8000000000000020)}},
	{"addp v0.2d, v1.2d, v2.2d", 0x4ee2bc20, {1, 2}, {UINT64_MAX, 3}, {3, 2}},
	{"addp d0, v1.2d", 0x5ef1b820, {5, 6}, {0, 0}, {0xb, 0}},
	{"shrn v0.8b, v1.8h, #4",
	 0x0f0c8420,
	 {UINT64_C(0xff00ff0ffff0000), 0x1234},
	 {0, 0},
	 {UINT64_C(0x23ffffff00), 0}},
	{"shrn2 v0.16b, v1.8h, #4",
	 0x4f0c8420,
	 {UINT64_C(0xff00ff0ffff0000), 0x1234},
	 {0, 0},
	 {UINT64_C(0x1122334455667788), UINT64_C(0x23ffffff00)}},
	{"bit v0.16b, v1.16b, v2.16b",
	 0x6ea21c20,
	 {UINT64_MAX, 0},
	 {0xff00ff, UINT64_MAX},
	 {UINT64_C(0x1122334455ff77ff), 0}},
	{"bsl v0.16b, v1.16b, v2.16b",
	 0x6e621c20,
	 {UINT64_MAX, 0},
	 {0xff00ff, UINT64_MAX},
	 {UINT64_C(0x1122334455ff77ff), UINT64_C(0x66554433221100ff)}},
	{"orn v0.16b, v1.16b, v2.16b",
	 0x4ee21c20,
	 {1, 2},
	 {0xff, UINT64_MAX},
	 {UINT64_C(0xffffffffffffff01), 2}},
	{"dup v0.8h, v1.h[5]",
	 0x4e160420,
	 {0, 0x12345678},
	 {0, 0},
	 {UINT64_C(0x1234123412341234), UINT64_C(0x1234123412341234)}},
	{"ins v0.s[3], v1.s[1]",
	 0x6e1c2420,
	 {UINT64_C(0xaabbccdd00000000), 0},
	 {0, 0},
	 {UINT64_C(0x1122334455667788), UINT64_C(0xaabbccddddeeff00)}},
	{"ext v0.16b, v1.16b, v2.16b, #3",
	 0x6e021820,
	 {UINT64_C(0x706050403020100), UINT64_C(0xf0e0d0c0b0a0908)},
	 {UINT64_C(0x1716151413121110), 0},
	 {UINT64_C(0xa09080706050403), UINT64_C(0x1211100f0e0d0c0b)}},
	{"rev64 v0.16b, v1.16b",
	 0x4e200820,
	 {UINT64_C(0x706050403020100), UINT64_C(0xf0e0d0c0b0a0908)},
	 {0, 0},
	 {UINT64_C(0x1020304050607), UINT64_C(0x8090a0b0c0d0e0f)}},
	{"rev32 v0.8h, v1.8h",
	 0x6e600820,
	 {UINT64_C(0x706050403020100), UINT64_C(0xf0e0d0c0b0a0908)},
	 {0, 0},
	 {UINT64_C(0x504070601000302), UINT64_C(0xd0c0f0e09080b0a)}},
	{"addv b0, v1.16b", 0x4e31b820, {UINT64_C(0x101010101010101), 0x80}, {0, 0}, {0x88, 0}},
	{"umaxv b0, v1.16b", 0x6e30a820, {UINT64_C(0x1ff030405060708), 0x80}, {0, 0}, {0xff, 0}},
	{"uaddlv h0, v1.16b", 0x6e303820, {UINT64_MAX, UINT64_MAX}, {0, 0}, {0xff0, 0}},
	{"cnt v0.16b, v1.16b",
	 0x4e205820,
	 {UINT64_C(0xff01037f00aa5580), UINT64_MAX},
	 {0, 0},
	 {UINT64_C(0x801020700040401), UINT64_C(0x808080808080808)}},
	{"ushr v0.2d, v1.2d, #63",
	 0x6f410420,
	 {UINT64_C(0x8000000000000000), UINT64_MAX},
	 {0, 0},
	 {1, 1}},
	{"sshr v0.4s, v1.4s, #31",
	 0x4f210420,
	 {UINT64_C(0x8000000000000001), 0x7fffffff},
	 {0, 0},
	 {UINT64_C(0xffffffff00000000), 0}},
	{"ushl v0.4s, v1.4s, v2.4s",
	 0x6ea24420,
	 {UINT64_C(0x8000000080000000), UINT64_C(0x100000001)},
	 {UINT64_C(0xffffffe1ffffffff), UINT64_C(0x1f00000020)},
	 {UINT64_C(0x140000000), UINT64_C(0x8000000000000000)}},
	{"sli v0.8b, v1.8b, #4",
	 0x2f0c5420,
	 {UINT64_C(0x1234567812345678), 0},
	 {0, 0},
	 {UINT64_C(0x2142638425466788), 0}},
	{"xtn v0.4h, v1.4s",
	 0x0e612820,
	 {UINT64_C(0x1234567889abcdef), UINT64_C(0xffffffff0000)},
	 {0, 0},
	 {UINT64_C(0xffff00005678cdef), 0}},
	{"uxtl2 v0.8h, v1.16b", 0x6f08a420, {0, 0x80ff01}, {0, 0}, {UINT64_C(0x8000ff0001), 0}},
	{"smull v0.4s, v1.4h, v2.4h",
	 0x0e62c020,
	 {UINT64_C(0x8000ffff00027fff), 0},
	 {UINT64_C(0x8000ffff00027fff), 0},
	 {UINT64_C(0x43fff0001), UINT64_C(0x4000000000000001)}},
	{"umlal2 v0.2d, v1.4s, v2.4s",
	 0x6ea28020,
	 {0, UINT64_C(0xffffffff00000002)},
	 {0, UINT64_C(0xffffffff00000003)},
	 {UINT64_C(0x112233445566778e), UINT64_C(0x99aabbcaddeeff01)}},
	{"mla v0.4s, v1.4s, v2.s[3]",
	 0x6fa20820,
	 {UINT64_C(0x300000002), UINT64_C(0x500000004)},
	 {0, UINT64_C(0x700000000)},
	 {UINT64_C(0x1122335955667796), UINT64_C(0x99aabbefddeeff1c)}},
	{"tbl v0.16b, {v1.16b, v2.16b}, v2.16b",
	 0x4e022020,
	 {UINT64_C(0x706050403020100), UINT64_C(0xf0e0d0c0b0a0908)},
	 {UINT64_C(0x1f100f40050201), 0xff},
	 {UINT64_C(0x10f00050201), 0}},
	{"zip1 v0.16b, v1.16b, v2.16b",
	 0x4e023820,
	 {UINT64_C(0x706050403020100), 0},
	 {UINT64_C(0x1716151413121110), 0},
	 {UINT64_C(0x1303120211011000), UINT64_C(0x1707160615051404)}},
	{"uzp2 v0.8h, v1.8h, v2.8h",
	 0x4e425820,
	 {UINT64_C(0x706050403020100), UINT64_C(0xf0e0d0c0b0a0908)},
	 {UINT64_C(0x1716151413121110), 0},
	 {UINT64_C(0xf0e0b0a07060302), 0x17161312}},
	{"trn1 v0.4s, v1.4s, v2.4s",
	 0x4e822820,
	 {UINT64_C(0x706050403020100), UINT64_C(0xf0e0d0c0b0a0908)},
	 {UINT64_C(0x1716151413121110), 0},
	 {UINT64_C(0x1312111003020100), 0xb0a0908}},
	{"pmull v0.1q, v1.1d, v2.1d",
	 0x0ee2e020,
	 {UINT64_C(0x8000000000000001), 0},
	 {3, 0},
	 {UINT64_C(0x8000000000000003), 1}},
	{"movi v0.2d, #0xff00ff00ff00ff00",
	 0x6f05e540,
	 {0, 0},
	 {0, 0},
	 {UINT64_C(0xff00ff00ff00ff00), UINT64_C(0xff00ff00ff00ff00)}},
	{"mvni v0.4s, #0x12, msl #8",
	 0x6f00c640,
	 {0, 0},
	 {0, 0},
	 {UINT64_C(0xffffed00ffffed00), UINT64_C(0xffffed00ffffed00)}},
	{"fmov v0.2d, #-1.5",
	 0x6f07f700,
	 {0, 0},
	 {0, 0},
	 {UINT64_C(0xbff8000000000000), UINT64_C(0xbff8000000000000)}},
	{"fadd d0, d1, d2",
	 0x1e622820,
	 {UINT64_C(0x3ff0000000000000), 0},
	 {UINT64_C(0x3fb999999999999a), 0},
	 {UINT64_C(0x3ff199999999999a), 0}},
	{"fadd d0, d1, d2",
	 0x1e622820,
	 {UINT64_C(0x7ff0000000000000), 0},
	 {UINT64_C(0xfff0000000000000), 0},
	 {UINT64_C(0x7ff8000000000000), 0}},
	{"fadd d0, d1, d2",
	 0x1e622820,
	 {UINT64_C(0x7ff8000000000001), 0},
	 {UINT64_C(0x7ff4000000000002), 0},
	 {UINT64_C(0x7ffc000000000002), 0}},
	{"fsub s0, s1, s2", 0x1e223820, {0x3f800000, 0}, {0x33800000, 0}, {0x3f7fffff, 0}},
	{"fmul s0, s1, s2", 0x1e220820, {0x800000, 0}, {0x3f000000, 0}, {0x400000, 0}},
	{"fdiv d0, d1, d2",
	 0x1e621820,
	 {UINT64_C(0x3ff0000000000000), 0},
	 {UINT64_C(0x4008000000000000), 0},
	 {UINT64_C(0x3fd5555555555555), 0}},
	{"fsqrt d0, d1",
	 0x1e61c020,
	 {UINT64_C(0x4000000000000000), 0},
	 {0, 0},
	 {UINT64_C(0x3ff6a09e667f3bcd), 0}},
	{"fsqrt d0, d1",
	 0x1e61c020,
	 {UINT64_C(0xbff0000000000000), 0},
	 {0, 0},
	 {UINT64_C(0x7ff8000000000000), 0}},
	{"fnmul d0, d1, d2",
	 0x1e628820,
	 {UINT64_C(0x7ff8000000000000), 0},
	 {UINT64_C(0x3ff0000000000000), 0},
	 {UINT64_C(0xfff8000000000000), 0}},
	{"fmadd d0, d1, d2, d1",
	 0x1f420420,
	 {UINT64_C(0x3ff0000000000001), 0},
	 {UINT64_C(0x3ff0000000000001), 0},
	 {UINT64_C(0x4000000000000002), 0}},
	{"fnmsub s0, s1, s2, s1", 0x1f228420, {0x7f800000, 0}, {0, 0}, {0x7fc00000, 0}},
	{"fmax d0, d1, d2", 0x1e624820, {UINT64_C(0x8000000000000000), 0}, {0, 0}, {0, 0}},
	{"fminnm d0, d1, d2",
	 0x1e627820,
	 {UINT64_C(0x7ff8000000000000), 0},
	 {UINT64_C(0x4000000000000000), 0},
	 {UINT64_C(0x4000000000000000), 0}},
	{"fcvt s0, d1", 0x1e624020, {UINT64_C(0x7ff4000000000001), 0}, {0, 0}, {0x7fe00000, 0}},
	{"fcvt d0, s1", 0x1e22c020, {1, 0}, {0, 0}, {UINT64_C(0x36a0000000000000), 0}},
	{"frinta d0, d1",
	 0x1e664020,
	 {UINT64_C(0xc004000000000000), 0},
	 {0, 0},
	 {UINT64_C(0xc008000000000000), 0}},
	{"frintn d0, d1",
	 0x1e644020,
	 {UINT64_C(0xc004000000000000), 0},
	 {0, 0},
	 {UINT64_C(0xc000000000000000), 0}},
	{"fcvtzs d0, d1",
	 0x5ee1b820,
	 {UINT64_C(0x43e0000000000000), 0},
	 {0, 0},
	 {UINT64_C(0x7fffffffffffffff), 0}},
	{"fcvtnu s0, s1", 0x7e21a820, {0x40200000, 0}, {0, 0}, {2, 0}},
	{"scvtf v0.4s, v1.4s",
	 0x4e21d820,
	 {UINT64_C(0x7fffffff80000000), UINT64_C(0x300000001)},
	 {0, 0},
	 {UINT64_C(0x4f000000cf000000), UINT64_C(0x404000003f800000)}},
	{"ucvtf d0, d1, #4", 0x7f7ce420, {0x19, 0}, {0, 0}, {UINT64_C(0x3ff9000000000000), 0}},
	{"fcmge v0.2d, v1.2d, v2.2d",
	 0x6e62e420,
	 {UINT64_C(0x7ff8000000000000), UINT64_C(0x3ff0000000000000)},
	 {0, UINT64_C(0x3ff0000000000000)},
	 {0, UINT64_MAX}},
	{"fmla v0.2d, v1.2d, v2.2d",
	 0x4e62cc20,
	 {UINT64_C(0x4000000000000000), UINT64_C(0x4008000000000000)},
	 {UINT64_C(0x4008000000000000), UINT64_C(0xc000000000000000)},
	 {UINT64_C(0x4018000000000000), UINT64_C(0xc018000000000000)}},
	{"faddp v0.4s, v1.4s, v2.4s",
	 0x6e22d420,
	 {UINT64_C(0x3f8000003f800000), UINT64_C(0x4000000040000000)},
	 {UINT64_C(0x4040000040400000), 0},
	 {UINT64_C(0x4080000040000000), 0x40c00000}},
	{"fabs d0, d1",
	 0x1e60c020,
	 {UINT64_C(0xfff0000000000001), 0},
	 {0, 0},
	 {UINT64_C(0x7ff0000000000001), 0}},
	{"sqadd v0.16b, v1.16b, v2.16b",
	 0x4e220c20,
	 {0x7f8040ff, 0x80},
	 {0x1ff4001, 0x80},
	 {0x7f807f00, 0x80}},
	{"uqsub v0.8h, v1.8h, v2.8h",
	 0x6e622c20,
	 {UINT64_C(0x1000200030004), 0xffff},
	 {UINT64_C(0x2000200020002), 1},
	 {0x10002, 0xfffe}},
	{"uqxtn v0.8b, v1.8h",
	 0x2e214820,
	 {UINT64_C(0x10000ff7fff0080), 0xffff},
	 {0, 0},
	 {UINT64_C(0xffffffff80), 0}},
	{"sqxtun2 v0.16b, v1.8h",
	 0x6e212820,
	 {UINT64_C(0x10000ff7fff8080), 0xffff},
	 {0, 0},
	 {UINT64_C(0x1122334455667788), 0xffffff00}},
	{"sqrshrn v0.4h, v1.4s, #4",
	 0x0f1c9c20,
	 {UINT64_C(0x7fff800000018), UINT64_C(0x80000000fffffff8)},
	 {0, 0},
	 {UINT64_C(0x800000007fff0002), 0}},
	{"sqrdmulh v0.4s, v1.4s, v2.4s",
	 0x6ea2b420,
	 {UINT64_C(0x8000000040000000), 3},
	 {UINT64_C(0x8000000040000001), 0x20000000},
	 {UINT64_C(0x7fffffff20000001), 1}},
};

static void vector_instructions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vector_rows) / sizeof(vector_rows[0]); i++) {
		const struct vector_row *row = &vector_rows[i];
		struct memory memory = {.code = {row->word, SVC},
					.has_vectors = true,
					.vectors.vectors = {{UINT64_C(0x1122334455667788),
							     UINT64_C(0x99aabbccddeeff00)},
							    {row->v1[0], row->v1[1]},
							    {row->v2[0], row->v2[1]}}};
		struct pgb_lookahead_registers registers = {0};
		struct outcome outcome;

		run(&memory, &registers, &outcome);
		if (outcome.result.end != PGB_LOOKAHEAD_SYSCALL ||
		    memcmp(outcome.vectors[0], row->v0_after, 16) != 0)
			fail_msg("%s: %s, v0 %016lx %016lx", row->what,
				 pgb_lookahead_end_name(outcome.result.end),
				 (unsigned long)outcome.vectors[0][1],
				 (unsigned long)outcome.vectors[0][0]);
		assert_memory_equal(outcome.vectors[1], row->v1, 16);
	}
}

/* Another rounding mode ends the run where it would matter; the flags of FPSR are not kept. */
static void float_environment(void **state)
{
	struct memory memory = {.code = {0x1e622820, SVC}, .has_vectors = true};
	struct pgb_lookahead_registers registers = {0};
	struct outcome outcome;

	(void)state;
	memory.vectors.fpcr = 1u << 22;
	run(&memory, &registers, &outcome); /* fadd d0, d1, d2 */
	assert_int_equal(outcome.result.end, PGB_LOOKAHEAD_UNSUPPORTED);
	memory.code[0] = 0x4e228420; /* add v0.16b, v1.16b, v2.16b */
	run(&memory, &registers, &outcome);
	assert_int_equal(outcome.result.end, PGB_LOOKAHEAD_SYSCALL);
	memory.code[0] = 0xd53b4400; /* mrs x0, fpcr */
	run(&memory, &registers, &outcome);
	assert_int_equal(outcome.after.general[0], 1u << 22);
	memory.vectors.fpcr = 0;
	memory.vectors.fpsr = 16;
	memory.code[0] = 0xd53b4420; /* mrs x0, fpsr */
	run(&memory, &registers, &outcome);
	assert_int_equal(outcome.after.general[0], 16);
	memory.code[0] = 0x1e622820;
	memory.code[1] = 0xd53b4420;
	run(&memory, &registers, &outcome);
	assert_int_equal(outcome.result.end, PGB_LOOKAHEAD_UNSUPPORTED);
	assert_int_equal(outcome.result.instructions, 1);
	memory.code[0] = 0x4e220c20; /* sqadd v0.16b, v1.16b, v2.16b: QC */
	memory.code[2] = SVC;
	memory.vectors.vectors[1][0] = 0x7f;
	memory.vectors.vectors[2][0] = 1;
	run(&memory, &registers, &outcome);
	assert_int_equal(outcome.result.end, PGB_LOOKAHEAD_SYSCALL);
	assert_int_equal(outcome.after.general[0], 1u << 27 | 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_instructions), cmocka_unit_test(small_pieces),
		cmocka_unit_test(zero_block),	       cmocka_unit_test(vector_instructions),
		cmocka_unit_test(float_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
