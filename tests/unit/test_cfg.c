/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bolt/cfg.h"

struct row {
	const char *function;
	/* "START-LAST:" for each block; behind it f: falls through, c: a call ends it, e: entry,
	 * l: landing pad; "": no graph */
	const char *blocks;
};

#if defined(__x86_64__)
/* Functions whose layout is known to the byte. */
__asm__(".text\n"
	".globl cfg_leaf\n"
	".type cfg_leaf,@function\n"
	"cfg_leaf:	ret\n"
	".size cfg_leaf,.-cfg_leaf\n"

	/* A conditional branch with its jump is one block, ud2 ends one. */
	".type cfg_sample,@function\n"
	"cfg_sample:\n"
	"	testl %edi,%edi\n" /* 0 */
	"	je 1f\n"	   /* 2 */
	"	call cfg_leaf\n"   /* 4 */
	"	nop\n"		   /* 9 */
	"1:	cmpl $3,%edi\n"	   /* a */
	"	jg 2f\n"	   /* d */
	"	jmp 3f\n"	   /* f */
	"2:	ud2\n"		   /* 11 */
	"	nop\n"		   /* 13 */
	"3:	ret\n"		   /* 14 */
	".size cfg_sample,.-cfg_sample\n"

	/* Calls end no block, unless the next one starts behind them. */
	".type cfg_calls,@function\n"
	"cfg_calls:\n"
	"	call cfg_leaf\n"   /* 0 */
	"	testl %edi,%edi\n" /* 5 */
	"	je 1f\n"	   /* 7 */
	"	call cfg_leaf\n"   /* 9 */
	"1:	jne cfg_sample\n"  /* e: conditional tail call */
	"	int3\n"		   /* 10: no end */
	"	jmp cfg_leaf\n"	   /* 11: tail call */
	".size cfg_calls,.-cfg_calls\n"

	/* A table of distances. */
	".type cfg_switch,@function\n"
	"cfg_switch:\n"
	"	lea .Ltable(%rip),%rcx\n"    /* 0 */
	"	movslq (%rcx,%rdi,4),%rax\n" /* 7 */
	"	add %rcx,%rax\n"	     /* b */
	"	jmp *%rax\n"		     /* e */
	".Lcase0:	inc %eax\n"	     /* 10 */
	".Lcase1:	ret\n"		     /* 12 */
	"	nop\n"			     /* 13 */
	"	ret\n"			     /* 14 */
	".size cfg_switch,.-cfg_switch\n"
	".section .rodata\n"
	".p2align 2\n"
	".Ltable: .long .Lcase1-.Ltable, .Lcase0-.Ltable, .Lcase1-.Ltable\n"
	"	.long 0x7fffffff\n"
	".text\n"

	/* A landing pad for the call, and one that no call leads to. */
	".type cfg_throws,@function\n"
	"cfg_throws:\n"
	"	.cfi_startproc\n"
	"	.cfi_lsda 0x1b,.Lexceptions\n"
	"	call cfg_leaf\n" /* 0 */
	"	nop\n"		 /* 5 */
	"	nop\n"		 /* 6 */
	"	nop\n"		 /* 7 */
	"	ret\n"		 /* 8 */
	"	.cfi_endproc\n"
	".size cfg_throws,.-cfg_throws\n"
	".section .gcc_except_table,\"a\",@progbits\n"
	".Lexceptions:\n"
	"	.byte 0xff, 0xff, 0x01, 8\n"
	"	.byte 0, 5, 7, 0\n" /* start, length, landing pad, action */
	"	.byte 5, 1, 6, 0\n"
	".text\n"

	/* Left alone: it cannot be made longer. */
	".type cfg_short,@function\n"
	"cfg_short:	jrcxz cfg_short\n"
	"	ret\n"
	".size cfg_short,.-cfg_short\n"

	/* Jumped over: the lock prefix is an instruction. */
	".type cfg_lock,@function\n"
	"cfg_lock:\n"
	"	je 1f\n"       /* 0 */
	"	.byte 0xf0\n"  /* 2 */
	"1:	incl (%rdi)\n" /* 3 */
	"	ret\n"	       /* 5 */
	".size cfg_lock,.-cfg_lock\n"

	/* Another function jumps in. */
	".type cfg_entered,@function\n"
	"cfg_entered:	nop\n"
	"cfg_inside:	nop\n"
	"	ret\n"
	".size cfg_entered,.-cfg_entered\n"
	".type cfg_enters,@function\n"
	"cfg_enters:	jmp cfg_inside\n"
	".size cfg_enters,.-cfg_enters\n");

static const struct row own_rows[] = {
	{"cfg_sample/1", "0-2:fe 4-9:f a-f:f 11-11: 13-13:f 14-14:"},
	{"cfg_calls/1", "0-7:fe 9-9:fc e-e:fc 10-11:"},
	{"cfg_switch/1", "0-e:fe 10-10:f 12-12: 13-14:"},
	{"cfg_throws/1", "0-5:fe 6-6:f 7-8:l"},
	{"cfg_short/1", ""},
	{"cfg_lock/1", "0-0:fe 2-2:f 3-5:"},
	{"cfg_entered/1", "0-0:fe 1-2:e"},
	{"cfg_enters/1", "0-0:e"},
};
#else
static const struct row own_rows[] = {{"main", NULL}};
#endif

static struct pgb_cfgs *open_graphs(const char *path, struct pgb_elf_image **image)
{
	struct pgb_error error = {0};
	struct pgb_cfgs *cfgs = NULL;

	if (pgb_elf_image_open(image, path, &error) != 0 ||
	    pgb_cfgs_new(&cfgs, *image, &error) != 0)
		fail_msg("%s", error.message);
	return cfgs;
}

static void describe(const struct pgb_cfg *cfg, struct pgb_text *text)
{
	for (size_t i = 0; i < cfg->block_count; i++) {
		const struct pgb_cfg_block *block = &cfg->blocks[i];

		pgb_text_addf(text, "%s%x-%x:%s%s%s%s", i ? " " : "", block->offset,
			      block->offset_last, block->falls_through ? "f" : "",
			      block->ends_in_call ? "c" : "", block->is_entry ? "e" : "",
			      block->is_landing_pad ? "l" : "");
	}
}

static void check_rows(const char *path, const struct row *rows, size_t count)
{
	struct pgb_elf_image *image;
	struct pgb_cfgs *cfgs = open_graphs(path, &image);

	for (size_t i = 0; i < count && rows[i].blocks != NULL; i++) {
		const struct pgb_elf_function *function =
			pgb_elf_image_function_named(image, rows[i].function);
		const struct pgb_cfg *cfg;
		struct pgb_text text = {0};

		if (function == NULL)
			fail_msg("%s: no function %s", path, rows[i].function);
		cfg = pgb_cfgs_find(cfgs, function);
		if (cfg != NULL)
			describe(cfg, &text);
		assert_string_equal(pgb_text_string(&text), rows[i].blocks);
		assert_ptr_equal(pgb_cfgs_find(cfgs, function), cfg);
		pgb_text_release(&text);
	}
	pgb_cfgs_free(cfgs);
	pgb_elf_image_close(image);
}

static void test_own_functions(void **state)
{
	(void)state;
	check_rows("/proc/self/exe", own_rows, sizeof(own_rows) / sizeof(own_rows[0]));
}

/* Every graph of this program is consistent with itself. */
static void test_all_graphs(void **state)
{
	struct pgb_elf_image *image;
	struct pgb_cfgs *cfgs = open_graphs("/proc/self/exe", &image);
	size_t graphs = 0;

	(void)state;
	for (size_t i = 0; i < pgb_elf_image_function_count(image); i++) {
		const struct pgb_cfg *cfg = pgb_cfgs_find(cfgs, pgb_elf_image_function(image, i));

		if (cfg == NULL)
			continue;
		graphs++;
		assert_true(cfg->block_count > 0);
		for (size_t b = 0; b < cfg->block_count; b++) {
			const struct pgb_cfg_block *block = &cfg->blocks[b];

			assert_true(block->offset <= block->offset_last);
			assert_true(b == 0 || block[-1].offset_last < block->offset);
			assert_true(pgb_cfg_is_instruction(cfg, block->offset));
			assert_true(pgb_cfg_is_instruction(cfg, block->offset_last));
			assert_ptr_equal(pgb_cfg_block_at(cfg, block->offset), block);
			assert_ptr_equal(pgb_cfg_block_at(cfg, block->offset_last), block);
		}
		for (size_t t = 0; t < cfg->transfer_count; t++)
			assert_ptr_equal(pgb_cfg_transfer_at(cfg, cfg->transfers[t].offset),
					 &cfg->transfers[t]);
		assert_null(pgb_cfg_block_at(cfg, cfg->function->size_bytes));
		assert_false(pgb_cfg_is_instruction(cfg, cfg->function->size_bytes));
	}
	assert_true(graphs > 10);
	pgb_cfgs_free(cfgs);
	pgb_elf_image_close(image);
}

/* Small files of both machines; tests/fuzz/elf_corpus.txt tells how they were made. */
static void test_small_files(void **state)
{
	static const struct row x86_64[] = {
		{"_start", "0-b:e"},
		{"loc/1", "0-0:fe 1-1:e"},
		{"g@PLT", ""},
	};
	static const struct row aarch64[] = {
		{"_start", "0-8:e"},
		{"g@PLT", ""},
	};
	const char *source = getenv("SRCDIR") ? getenv("SRCDIR") : ".";
	char *path = pgb_format("%s/tests/fuzz/corpus/elf/x86_64", source);

	(void)state;
	check_rows(path, x86_64, sizeof(x86_64) / sizeof(x86_64[0]));
	free(path);
	path = pgb_format("%s/tests/fuzz/corpus/elf/aarch64", source);
	check_rows(path, aarch64, sizeof(aarch64) / sizeof(aarch64[0]));
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_functions),
		cmocka_unit_test(test_all_graphs),
		cmocka_unit_test(test_small_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
