/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/bolt/profile.h"
#include "tests/support/workshop.h"

#if !defined(__x86_64__)
int main(void)
{
	puts("x86-64 alone");
	return 77;
}
#else

static const char program[] =
	"__asm__(\".globl gotos\\n.type gotos,@function\\n\"\n"
	"\"gotos: jmp *table(%rip)\\n\"\n" /* 0 */
	"\"one: jmp *(%rdi)\\n\"\n"	   /* 6 */
	"\"two: je one\\n\"\n"		   /* 8 */
	"\"ret\\n.size gotos,.-gotos\\n\"\n"
	"\".section .data.rel.ro,\\\"aw\\\"\\n.p2align 3\\ntable: .quad one,two\\n.text\\n\");\n"
	"void gotos(void *);\nint main(int c, char **v) { if (c > 9) gotos(v); return 0; }\n";

static char *fdata_of(struct pgb_profile *profile)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	pgb_fdata_write(stream, profile);
	assert_int_equal(fclose(stream), 0);
	return text;
}

static void add(struct pgb_profile *profile, const char *name, uint64_t from, uint64_t to,
		uint64_t count)
{
	uint32_t function = pgb_profile_intern(profile, name, strlen(name));

	pgb_profile_add_branch(profile, &(struct pgb_profile_branch){.from = {function, from},
								     .to = {function, to},
								     .mispredicts = 1,
								     .count = count});
}

static void check(struct pgb_profile *profile, struct pgb_cfgs *cfgs, const char *expected)
{
	char *text;

	pgb_profile_add_goto_entries(profile, cfgs);
	text = fdata_of(profile);
	assert_string_equal(text, expected);
	free(text);
}

#define REST                                                                                       \
	"1 gotos 0 1 gotos 8 1 7\n1 gotos 6 1 gotos 0 1 9\n1 gotos 6 1 gotos 6 1 3\n"              \
	"1 gotos 8 1 gotos 6 1 11\n"

static void enters_at_targets(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_error error = {0};
	struct pgb_elf_image *image;
	struct pgb_cfgs *cfgs;
	struct workshop workshop;
	char *path;

	(void)state;
	workshop_open(&workshop);
	path = workshop_path(&workshop, "program");
	workshop_compile(&workshop, "program", "-O2 -fPIE -pie -Wl,-q", program);
	assert_int_equal(pgb_elf_image_open(&image, path, &error), 0);
	assert_int_equal(pgb_cfgs_new(&cfgs, image, &error), 0);
	add(profile, "gotos", 0, 6, 5);
	add(profile, "gotos", 0, 8, 7);
	add(profile, "gotos", 6, 6, 3);
	/* the function's start, a direct branch, an unknown function */
	add(profile, "gotos", 6, 0, 9);
	add(profile, "gotos", 8, 6, 11);
	add(profile, "strange", 0, 6, 2);
	for (int times = 0; times < 2; times++)
		check(profile, cfgs,
		      "1 gotos 0 1 gotos 6 1 5\n" REST "0 [unknown] 0 1 gotos 6 0 8\n"
		      "0 [unknown] 0 1 gotos 8 0 7\n1 strange 0 1 strange 6 1 2\n");
	/* of what is added later, the rest */
	add(profile, "gotos", 0, 6, 4);
	check(profile, cfgs,
	      "1 gotos 0 1 gotos 6 2 9\n" REST "0 [unknown] 0 1 gotos 6 0 12\n"
	      "0 [unknown] 0 1 gotos 8 0 7\n1 strange 0 1 strange 6 1 2\n");
	pgb_profile_free(profile);
	pgb_cfgs_free(cfgs);
	pgb_elf_image_close(image);
	free(path);
	workshop_close(&workshop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(enters_at_targets)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
