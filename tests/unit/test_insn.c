/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/collector/insn.h"
#include "pgobolt/collector/insn_x86_64.h"

#define ADDRESS UINT64_C(0x401000)
#define NONE	UINT64_MAX

enum mark { PLAIN, NOP, REPEATED };

struct row {
	int line;
	const char *bytes; /* in hex */
	enum pgb_insn_kind kind;
	uint64_t target;
	enum mark mark;
};

struct bad_row {
	int line;
	const char *bytes;
	int code;
};

static size_t bytes_of(const char *hex, uint8_t bytes[32])
{
	size_t count = 0;

	for (; *hex != '\0'; hex++) {
		static const char digits[] = "0123456789abcdef";
		const char *high = strchr(digits, hex[0]);

		if (*hex == ' ')
			continue;
		bytes[count++] =
			(uint8_t)((high - digits) << 4 | (strchr(digits, hex[1]) - digits));
		hex++;
	}
	return count;
}

static void check_row(enum pgb_insn_set set, const struct row *row)
{
	struct pgb_insn insn = {.kind = PGB_INSN_KINDS};
	uint8_t bytes[64];
	size_t size = bytes_of(row->bytes, bytes);

	for (size_t cut = 0; cut < size; cut++) {
		int code = pgb_insn_decode(set, bytes, cut, ADDRESS, &insn);

		if (code != PGB_E_TRUNCATED || insn.kind != PGB_INSN_KINDS)
			fail_msg("row of line %d, first %zu bytes: %s", row->line, cut,
				 pgb_code_name(code));
	}
	memset(bytes + size, 0xcc, sizeof(bytes) - size);
	for (size_t extra = 0; extra <= 16; extra += 16) {
		int code = pgb_insn_decode(set, bytes, size + extra, ADDRESS, &insn);

		if (code != 0)
			fail_msg("row of line %d: %s", row->line, pgb_code_name(code));
		if (insn.kind != row->kind || insn.length_bytes != size ||
		    insn.target != row->target || insn.nop != (row->mark == NOP) ||
		    insn.repeated != (row->mark == REPEATED))
			fail_msg("row of line %d: %s length %u target %llx%s%s", row->line,
				 pgb_insn_kind_name(insn.kind), insn.length_bytes,
				 (unsigned long long)insn.target, insn.nop ? " nop" : "",
				 insn.repeated ? " repeated" : "");
	}
}

static void check_bad_row(enum pgb_insn_set set, const struct bad_row *row)
{
	struct pgb_insn insn;
	uint8_t bytes[32];
	size_t size = bytes_of(row->bytes, bytes);
	int code = pgb_insn_decode(set, bytes, size, ADDRESS, &insn);

	if (code != row->code)
		fail_msg("row of line %d: %s", row->line, pgb_code_name(code));
}

#define LINEAR(hex)                                                                                \
	{                                                                                          \
		__LINE__, hex, PGB_INSN_LINEAR, NONE, PLAIN                                        \
	}
#define ANY_NOP(hex)                                                                               \
	{                                                                                          \
		__LINE__, hex, PGB_INSN_LINEAR, NONE, NOP                                          \
	}
#define REPEAT(hex)                                                                                \
	{                                                                                          \
		__LINE__, hex, PGB_INSN_LINEAR, NONE, REPEATED                                     \
	}
#define DIRECT(hex, kind, target)                                                                  \
	{                                                                                          \
		__LINE__, hex, PGB_INSN_##kind, target, PLAIN                                      \
	}
#define OF_KIND(hex, kind)                                                                         \
	{                                                                                          \
		__LINE__, hex, PGB_INSN_##kind, NONE, PLAIN                                        \
	}

static void decodes_x86_64(void **state)
{
	static const struct row rows[] = {
		LINEAR("55"),				 /* push %rbp */
		LINEAR("48 89 e5"),			 /* mov %rsp,%rbp */
		LINEAR("f3 0f 1e fa"),			 /* endbr64 */
		LINEAR("f3 90"),			 /* pause */
		LINEAR("48 b8 01 02 03 04 05 06 07 08"), /* movabs */
		LINEAR("62 f1 7c 48 10 00"),		 /* vmovups (%rax),%zmm0 */
		LINEAR("f0 48 0f b1 0d 10 00 00 00"),	 /* lock cmpxchg %rcx,0x10(%rip) */
		LINEAR("c6 f8 05"),			 /* xabort $5 */
		LINEAR("0f 01 d5"),			 /* xend */
		/* the recommended nops */
		ANY_NOP("90"), ANY_NOP("66 90"), ANY_NOP("0f 1f 00"), ANY_NOP("0f 1f 40 00"),
		ANY_NOP("0f 1f 44 00 00"), ANY_NOP("66 0f 1f 44 00 00"),
		ANY_NOP("0f 1f 80 00 00 00 00"), ANY_NOP("0f 1f 84 00 00 00 00 00"),
		ANY_NOP("66 0f 1f 84 00 00 00 00 00"), ANY_NOP("2e 0f 1f 84 00 00 00 00 00"),
		ANY_NOP("66 2e 0f 1f 84 00 00 00 00 00"),
		ANY_NOP("66 66 2e 0f 1f 84 00 00 00 00 00"),
		ANY_NOP("66 66 66 66 66 66 2e 0f 1f 84 00 00 00 00 00"),
		DIRECT("eb fe", JUMP, 0x401000), DIRECT("e9 00 01 00 00", JUMP, 0x401105),
		DIRECT("e9 00 00 00 80", JUMP, 0xffffffff80401005),
		DIRECT("f2 e9 fb ff ff ff", JUMP, 0x401001), /* bnd */
		DIRECT("66 e9 00 01 00 00", JUMP, 0x401106),
		DIRECT("e8 fb ff ff ff", CALL, 0x401000),
		DIRECT("66 66 48 e8 00 00 00 00", CALL, 0x401008), /* __tls_get_addr */
		DIRECT("67 e8 00 00 00 00", CALL, 0x401006), DIRECT("74 02", CONDITIONAL, 0x401004),
		DIRECT("2e 74 02", CONDITIONAL, 0x401005),
		DIRECT("f2 0f 84 00 00 00 00", CONDITIONAL, 0x401007),
		DIRECT("0f 8f f0 ff ff ff", CONDITIONAL, 0x400ff6),
		DIRECT("e0 fe", CONDITIONAL, 0x401000), /* loopne */
		DIRECT("e1 fe", CONDITIONAL, 0x401000), DIRECT("e2 fe", CONDITIONAL, 0x401000),
		DIRECT("e3 10", CONDITIONAL, 0x401012),		    /* jrcxz */
		DIRECT("67 e3 10", CONDITIONAL, 0x401013),	    /* jecxz */
		DIRECT("c7 f8 20 00 00 00", CONDITIONAL, 0x401026), /* xbegin */
		OF_KIND("ff e0", JUMP_INDIRECT), OF_KIND("41 ff e3", JUMP_INDIRECT),
		OF_KIND("3e ff e0", JUMP_INDIRECT),		/* notrack */
		OF_KIND("f2 ff 25 10 00 00 00", JUMP_INDIRECT), /* bnd jmp *0x10(%rip) */
		OF_KIND("ff 24 c5 00 20 40 00", JUMP_INDIRECT),
		OF_KIND("ff 2d 00 00 00 00", JUMP_INDIRECT), /* far */
		OF_KIND("48 ff 28", JUMP_INDIRECT),	     /* far */
		OF_KIND("ff d0", CALL_INDIRECT), OF_KIND("ff 15 10 00 00 00", CALL_INDIRECT),
		OF_KIND("67 ff 10", CALL_INDIRECT),
		OF_KIND("ff 1d 00 00 00 00", CALL_INDIRECT), /* far */
		OF_KIND("c3", RETURN), OF_KIND("f3 c3", RETURN), OF_KIND("f2 c3", RETURN),
		OF_KIND("c2 08 00", RETURN), OF_KIND("cb", RETURN), OF_KIND("ca 08 00", RETURN),
		OF_KIND("cf", RETURN), OF_KIND("48 cf", RETURN),
		OF_KIND("0f 07", RETURN),			       /* sysret */
		OF_KIND("48 0f 07", RETURN), OF_KIND("0f 35", RETURN), /* sysexit */
		OF_KIND("f3 0f 01 ec", RETURN),			       /* uiret */
		OF_KIND("0f 05", SYSCALL), OF_KIND("0f 34", SYSCALL), OF_KIND("cd 80", SYSCALL),
		OF_KIND("cc", TRAP), OF_KIND("f1", TRAP), OF_KIND("f4", TRAP),
		OF_KIND("0f 0b", TRAP),
		OF_KIND("67 0f b9 40 02", TRAP), /* ud1, as clang's sanitizers write it */
		OF_KIND("0f ff c0", TRAP),	 /* ud0 */
		REPEAT("f3 a4"), REPEAT("f3 48 a5"), REPEAT("f2 a4"), REPEAT("f3 48 ab"),
		REPEAT("f3 48 a7"), REPEAT("f2 ae"), REPEAT("f3 ac"), REPEAT("f3 6c"),
		REPEAT("f3 6f"), REPEAT("f3 0f a7 c8"), /* rep xcryptecb */
		LINEAR("48 a5"),
		LINEAR("f3 0f 10 00"), /* movss: the prefix is part of the opcode */
		LINEAR("f3 a8 01"),    /* test: between the string instructions */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(PGB_INSN_X86_64, &rows[i]);
}

static void rejects_what_is_no_x86_64(void **state)
{
	static const struct bad_row rows[] = {
		{__LINE__, "06", PGB_E_CORRUPT},
		{__LINE__, "ea 00 00 00 00 00 00", PGB_E_CORRUPT},
		{__LINE__, "9a 00 00 00 00 00 00", PGB_E_CORRUPT},
		{__LINE__, "ff ff", PGB_E_CORRUPT},
		{__LINE__, "f0 89 c0", PGB_E_CORRUPT},
		{__LINE__, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", PGB_E_CORRUPT},
		{__LINE__, "", PGB_E_TRUNCATED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_bad_row(PGB_INSN_X86_64, &rows[i]);
}

static bool decoders_agree(const uint8_t *bytes, size_t size)
{
	struct pgb_insn quick = {.kind = PGB_INSN_KINDS}, full = quick;
	int code = pgb_insn_x86_64_decode(bytes, size, ADDRESS, &quick);

	return code == pgb_insn_x86_64_decode_full(bytes, size, ADDRESS, &full) &&
	       quick.kind == full.kind && quick.length_bytes == full.length_bytes &&
	       quick.nop == full.nop && quick.repeated == full.repeated &&
	       quick.target == full.target;
}

/* Every opcode of the first two maps with every ModRM byte, behind prefixes of each kind. */
static void the_quick_decoder_agrees(void **state)
{
	static const char *const prefixes[] = {"",   "66", "2e",    "64",	"48",	 "40",
					       "41", "44", "66 48", "66 66 2e", "3e 4f", "65 66 41",
					       "f2", "f3", "f0",    "67",	"48 66"};

	(void)state;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		uint8_t bytes[32] = {0};
		size_t start = bytes_of(prefixes[i], bytes);

		memset(bytes + start, 0x5a, sizeof(bytes) - start);
		for (unsigned int code = 0; code < 0x20000; code++) {
			size_t at = start;

			if (code & 0x10000)
				bytes[at++] = 0x0f;
			bytes[at] = (uint8_t)(code >> 8);
			bytes[at + 1] = (uint8_t)code;
			bytes[at + 2] = (uint8_t)(code * 37); /* some SIB byte */
			if (!decoders_agree(bytes, sizeof(bytes)) ||
			    !decoders_agree(bytes, at + 1 + code % 5))
				fail_msg("%s %x", prefixes[i], code);
		}
	}
}

static void decodes_aarch64(void **state)
{
	static const struct row rows[] = {
		LINEAR("fd 7b bf a9"), /* stp x29, x30, [sp, #-16]! */
		LINEAR("5f 24 03 d5"), /* bti c */
		LINEAR("3f 23 03 d5"), /* paciasp */
		LINEAR("3f 20 03 d5"), /* yield */
		LINEAR("41 d0 3b d5"), /* mrs x1, tpidr_el0 */
		LINEAR("00 04 00 1d"), /* read as cpyfp: no transfer */
		ANY_NOP("1f 20 03 d5"),
		DIRECT("00 00 00 14", JUMP, 0x401000),
		DIRECT("ff ff ff 17", JUMP, 0x400ffc),
		DIRECT("00 00 00 16", JUMP, 0xfffffffff8401000),
		DIRECT("01 00 00 94", CALL, 0x401004),
		DIRECT("ff ff ff 95", CALL, 0x8400ffc),
		DIRECT("40 00 00 54", CONDITIONAL, 0x401008), /* b.eq */
		DIRECT("ee ff ff 54", CONDITIONAL, 0x400ffc), /* b.al */
		DIRECT("50 00 00 54", CONDITIONAL, 0x401008), /* bc.eq */
		DIRECT("40 00 00 34", CONDITIONAL, 0x401008), /* cbz w0 */
		DIRECT("e0 ff ff b5", CONDITIONAL, 0x400ffc), /* cbnz x0 */
		DIRECT("40 00 00 36", CONDITIONAL, 0x401008), /* tbz w0, #0 */
		DIRECT("00 00 fc b7", CONDITIONAL, 0x3f9000), /* tbnz x0, #63 */
		DIRECT("01 00 02 f4", CONDITIONAL, 0x401000), /* cbgt x1, x2 */
		DIRECT("e1 3f 22 74", CONDITIONAL, 0x400ffc), /* cbge w1, w2 */
		DIRECT("81 3f c2 f4", CONDITIONAL, 0x400ff0), /* cbeq x1, x2 */
		DIRECT("e1 be 7f 75", CONDITIONAL, 0x400fdc), /* cblo w1, #63 */
		DIRECT("41 bf 02 f5", CONDITIONAL, 0x400fe8), /* cbgt x1, #5 */
		DIRECT("a1 be e2 f5", CONDITIONAL, 0x400fd4), /* cbne x1, #5 */
		DIRECT("81 be 02 74", CONDITIONAL, 0x400fd0), /* cbbgt w1, w2 */
		DIRECT("a1 fd e2 74", CONDITIONAL, 0x400fb4), /* cbhne w1, w2 */
		OF_KIND("20 00 1f d6", JUMP_INDIRECT),
		OF_KIND("22 08 1f d7", JUMP_INDIRECT), /* braa x1, x2 */
		OF_KIND("3f 0c 1f d7", JUMP_INDIRECT), /* brab x1, sp */
		OF_KIND("3f 08 1f d6", JUMP_INDIRECT), /* braaz */
		OF_KIND("3f 0c 1f d6", JUMP_INDIRECT), /* brabz */
		OF_KIND("20 00 3f d6", CALL_INDIRECT),
		OF_KIND("22 08 3f d7", CALL_INDIRECT),
		OF_KIND("3f 0c 3f d7", CALL_INDIRECT),
		OF_KIND("3f 08 3f d6", CALL_INDIRECT),
		OF_KIND("3f 0c 3f d6", CALL_INDIRECT),
		OF_KIND("c0 03 5f d6", RETURN),
		OF_KIND("60 00 5f d6", RETURN), /* ret x3 */
		OF_KIND("ff 0b 5f d6", RETURN), /* retaa */
		OF_KIND("ff 0f 5f d6", RETURN), /* retab */
		OF_KIND("df 02 00 55", RETURN), /* retaasppc label */
		OF_KIND("ff 02 20 55", RETURN), /* retabsppc label */
		OF_KIND("e3 0b 5f d6", RETURN), /* retaasppcr x3 */
		OF_KIND("e3 0f 5f d6", RETURN),
		OF_KIND("e0 03 9f d6", RETURN), /* eret */
		OF_KIND("ff 0b 9f d6", RETURN),
		OF_KIND("ff 0f 9f d6", RETURN),
		OF_KIND("e0 03 bf d6", RETURN), /* drps */
		OF_KIND("01 00 00 d4", SYSCALL),
		OF_KIND("22 00 00 d4", SYSCALL),
		OF_KIND("23 00 00 d4", SYSCALL),
		OF_KIND("20 00 20 d4", TRAP), /* brk #1 */
		OF_KIND("20 00 40 d4", TRAP), /* hlt #1 */
		OF_KIND("01 00 a0 d4", TRAP), /* dcps1 */
		OF_KIND("a3 00 a0 d4", TRAP), /* dcps3 #5 */
		OF_KIND("04 00 00 00", TRAP), /* udf #4 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(PGB_INSN_AARCH64, &rows[i]);
}

static void rejects_what_is_no_aarch64(void **state)
{
	static const struct bad_row rows[] = {
		{__LINE__, "00 00 01 00", PGB_E_CORRUPT}, /* reserved, behind udf */
		{__LINE__, "00 00 00 02", PGB_E_CORRUPT}, /* unallocated group 1 */
		{__LINE__, "00 00 00 06", PGB_E_CORRUPT}, /* unallocated group 3 */
		{__LINE__, "00 00 9f 74", PGB_E_CORRUPT}, /* compare-branch, condition 4 */
		{__LINE__, "1f 00 1f d6", PGB_E_CORRUPT}, /* br with low bits set */
		{__LINE__, "00 00 00 d4", PGB_E_CORRUPT}, /* exception without a level */
		{__LINE__, "00 00 00", PGB_E_TRUNCATED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_bad_row(PGB_INSN_AARCH64, &rows[i]);
}

static void knows_the_machines(void **state)
{
	enum pgb_insn_set set = PGB_INSN_AARCH64;

	(void)state;
	assert_true(pgb_insn_set_of_machine(62, &set));
	assert_int_equal(set, PGB_INSN_X86_64);
	assert_true(pgb_insn_set_of_machine(183, &set));
	assert_int_equal(set, PGB_INSN_AARCH64);
	assert_false(pgb_insn_set_of_machine(3, &set));
	for (int kind = 0; kind < PGB_INSN_KINDS; kind++)
		assert_non_null(pgb_insn_kind_name(kind));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_x86_64),
		cmocka_unit_test(rejects_what_is_no_x86_64),
		cmocka_unit_test(the_quick_decoder_agrees),
		cmocka_unit_test(decodes_aarch64),
		cmocka_unit_test(rejects_what_is_no_aarch64),
		cmocka_unit_test(knows_the_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
