/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bolt/strict.h"
#include "tests/support/workshop.h"

#if !defined(__x86_64__)
int main(void)
{
	puts("x86-64 alone");
	return 77;
}
#else

/* A machine of three instructions; each row's way from one to the next comes between these. */
#define MACHINE_BEGIN                                                                              \
	"__attribute__((noinline)) int f(const unsigned char *p, int a, void *const *q) {\n"       \
	"(void)q;\n"
#define MACHINE_END                                                                                \
	"one: a += 1; NEXT;\n"                                                                     \
	"two: a *= 3; NEXT;\n"                                                                     \
	"stop: return a;\n}\n"                                                                     \
	"int main(int c, char **v) { (void)v; static const unsigned char code[] = {0, 1, 0, 2};\n" \
	"return f(code, c, 0) & 1; }\n"

/* Assembly: f is the function that is judged. */
#define ASM(body, data)                                                                            \
	"__asm__(\".globl f\\n.type f,@function\\nf:\\n" body "\\n.size f,.-f\\n"                  \
	".section .data.rel.ro,\\\"aw\\\"\\n.p2align 3\\n" data "\\n.text\\n\");\n"                \
	"void f(void *, void *);\nint main(int c, char **v) { (void)v; return c > 9 ? f(v, v), 0 " \
	": 0; }\n"

struct row {
	const char *what;
	const char *source;
	enum pgb_strict_kind kind;
	const char *why; /* a part of it; NULL: -strict makes no difference, or it is proven */
	bool same;	 /* llvm-bolt needs no -strict */
};

static const struct row rows[] = {
	{"computed gotos through a table",
	 "#define NEXT goto *t[*p++]\n" MACHINE_BEGIN
	 "static const void *const table[] = {&&one, &&two, &&stop};\n"
	 "const void *const *volatile t = table; NEXT;\n" MACHINE_END,
	 PGB_STRICT_GOTOS, NULL, false},
	{"differences of labels",
	 "#define NEXT goto *(&&one + table[*p++])\n" MACHINE_BEGIN
	 "static const int table[] = {&&one - &&one, &&two - &&one, &&stop - &&one}; "
	 "NEXT;\n" MACHINE_END,
	 PGB_STRICT_COMPUTED, "name addresses inside", false},
	{"differences of labels, to a label in data",
	 "#define NEXT goto *((const char *)*base + table[*p++])\n" MACHINE_BEGIN
	 "static const void *volatile base[] = {&&one};\n"
	 "static const int table[] = {&&one - &&one, &&two - &&one, &&stop - &&one}; "
	 "NEXT;\n" MACHINE_END,
	 PGB_STRICT_COMPUTED, "may compute", false},
	{"tail calls without a frame",
	 "__attribute__((noinline)) int f(int (*const *p)(int), int a)\n"
	 "{ if (a > 3) return p[1](a); if (a < 2) return p[2](a + 7); return a; }\n"
	 "static int g(int a) { return a; }\nstatic int (*volatile const t[])(int) = {g, g, g};\n"
	 "int main(int c, char **v) { (void)v; return f((void *)t, c) != c; }\n",
	 PGB_STRICT_TAIL_CALLS, NULL, false},
	{"a switch",
	 "__attribute__((noinline)) int f(int a) { switch (a) { case 0: return 7; case 1: return "
	 "a * 5; case 2: __builtin_trap(); case 3: return a ^ 9; case 4: return a / 3; case 5: "
	 "return 1 << a; case 6: return a % 5; } return a; }\n"
	 "int main(int c, char **v) { (void)v; return f(c) == 8; }\n",
	 PGB_STRICT_UNPROVEN, NULL, true},
	{"computed from an instruction's address",
	 ASM("lea 1f(%rip), %rax\\nlea (%rax,%rdi,2), %rax\\njmp *%rax\\n1: ret\\nnop\\nret\\nnop",
	     ""),
	 PGB_STRICT_COMPUTED, "name addresses inside", false},
	{"computed from its own start",
	 ASM("test %edi, %edi\\nje 1f\\nlea f(%rip), %rax\\nadd $16, %rax\\njmp *%rax\\n1: ret",
	     ""),
	 PGB_STRICT_COMPUTED, "may compute", false},
	{"computed and kept on the stack",
	 ASM("test %edi, %edi\\nje 1f\\njmp *8(%rsp)\\n1: ret", ".quad 1b"), PGB_STRICT_COMPUTED,
	 "may compute", false},
	{"computed by who calls it",
	 ASM("test %edi, %edi\\nje 1f\\njmp *%rsi\\n1: ret", ".quad 1b"), PGB_STRICT_COMPUTED,
	 "may compute", false},
	{"handed over by who calls it, who knows no label",
	 ASM("test %edi, %edi\\nje 1f\\njmp *%rsi\\n1: ret", ""), PGB_STRICT_TAIL_CALLS, NULL,
	 false},
	{"chosen by a conditional move",
	 ASM("mov (%rdi), %rax\\nmov %rsi, %rcx\\ntest %edi, %edi\\ncmove %rcx, %rax\\nje 1f\\n"
	     "jmp *%rax\\n1: ret",
	     ""),
	 PGB_STRICT_TAIL_CALLS, NULL, false},
	{"one way loads it, one computes it",
	 ASM("mov (%rdi), %rax\\ntest %edi, %edi\\nje 2f\\nadd $2, %rax\\n2: jmp *%rax\\n1: ret",
	     ".quad 1b"),
	 PGB_STRICT_COMPUTED, "may compute", false},
	{"both ways load it",
	 ASM("test %edi, %edi\\nje 3f\\nmov (%rdi), %rax\\njmp 2f\\n3: mov 8(%rdi), %rax\\n"
	     "2: jmp *%rax\\n1: ret",
	     ".quad 1b"),
	 PGB_STRICT_GOTOS, NULL, false},
	{"data leads in, but no jump is there",
	 ASM("test %edi, %edi\\nje 1f\\nnop\\n1: ret", ".quad 1b"), PGB_STRICT_UNPROVEN,
	 "does not jump there", false},
	{"several entries",
	 ASM("test %edi, %edi\\nje 1f\\nmov (%rdi), %rax\\njmp *%rax\\n"
	     ".globl f_inside\\n.type f_inside,@function\\nf_inside:\\n1: ret",
	     ""),
	 PGB_STRICT_UNPROVEN, "several entries", false},
	{"distances of no table",
	 ASM("test %edi, %edi\\nje 1f\\nmov (%rdi), %rax\\njmp *%rax\\n1: ret", ".long 1b - ."),
	 PGB_STRICT_COMPUTED, "distances", false},
	{"a table far from its jump",
	 ASM("lea 5f(%rip), %rcx\\n2: movslq (%rcx,%rdi,4), %rax\\nadd %rcx, %rax\\n"
	     "test %esi, %esi\\nje 1f\\njmp *%rax\\n1: js 6f\\nret\\n6: jmp *%rax\\n3: inc "
	     "%edi\\njmp 2b\\n4: dec "
	     "%esi\\njmp 2b",
	     "5: .long 1b - 5b, 3b - 5b, 4b - 5b"),
	 PGB_STRICT_TABLES, NULL, false},
	{"it cannot be decoded", ASM(".byte 0x06, 0x06\\njmp *%rax\\nret", ""), PGB_STRICT_UNPROVEN,
	 "cannot be read", false},
};

/* What is said of f; NULL: nothing. */
static const struct pgb_strict_function *find(const struct pgb_strict *strict)
{
	for (size_t i = 0; i < strict->functions.count; i++) {
		if (strcmp(strict->functions.items[i].function->name, "f") == 0)
			return &strict->functions.items[i];
	}
	return NULL;
}

static void judge(const struct workshop *workshop, const struct row *row, const char *flags)
{
	char *path = workshop_path(workshop, "program");
	const struct pgb_strict_function *found;
	struct pgb_elf_image *image;
	struct pgb_strict strict;
	struct pgb_error error = {0};

	workshop_compile(workshop, "program", flags, row->source);
	if (pgb_elf_image_open(&image, path, &error) != 0 ||
	    pgb_strict_prove(&strict, image, &error) != 0)
		fail_msg("%s: %s", row->what, error.message);
	found = find(&strict);
	if (row->same) {
		if (found != NULL)
			fail_msg("%s (%s): not understood", row->what, flags);
	} else if (found == NULL) {
		fail_msg("%s (%s): nothing is said", row->what, flags);
	} else if (found->kind != row->kind || (found->why == NULL) != (row->why == NULL) ||
		   (row->why != NULL && strstr(found->why, row->why) == NULL)) {
		fail_msg("%s (%s): %d, %s", row->what, flags, (int)found->kind,
			 found->why ? found->why : "proven");
	}
	pgb_strict_release(&strict);
	pgb_elf_image_close(image);
	free(path);
}

static void proves_what_holds(void **state)
{
	static const char *const flags[] = {"-O2 -fPIE -pie -Wl,-q", "-O2 -fno-pie -no-pie -Wl,-q"};
	struct workshop workshop;

	(void)state;
	workshop_open(&workshop);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < 2; k++)
			judge(&workshop, &rows[i], flags[k]);
	}
	workshop_close(&workshop);
}

static void expect_none(const struct workshop *workshop, const char *flags)
{
	char *path = workshop_path(workshop, "program");
	struct pgb_elf_image *image;
	struct pgb_strict strict;

	workshop_compile(workshop, "program", flags, rows[0].source);
	assert_int_equal(pgb_elf_image_open(&image, path, NULL), 0);
	assert_int_equal(pgb_strict_prove(&strict, image, NULL), 0);
	assert_int_equal(strict.functions.count, 0);
	pgb_strict_release(&strict);
	pgb_elf_image_close(image);
	free(path);
}

/* Where the loader's work is packed, llvm-bolt misses labels. */
static void proves_nothing_without_plain_relocations(void **state)
{
	struct workshop workshop;

	(void)state;
	workshop_open(&workshop);
	expect_none(&workshop, "-O2");
	workshop_write(&workshop, "try.c", "void *p = &p; int main(void) { return 0; }\n");
	if (workshop_shell(&workshop, "${CC:-cc} -fPIE -pie -Wl,-z,pack-relative-relocs -o try "
				      "try.c && readelf -SW try | grep RELR") == 0)
		expect_none(&workshop, "-O2 -fPIE -pie -Wl,-q -Wl,-z,pack-relative-relocs");
	else
		puts("this linker packs no relocations");
	workshop_close(&workshop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proves_what_holds),
		cmocka_unit_test(proves_nothing_without_plain_relocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
