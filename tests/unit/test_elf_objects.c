/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/elf_objects.h"
#include "tests/support/workshop.h"

static void describe(void *context, const struct pgb_elf_object *object)
{
	pgb_text_addf(context, "%s:%s:%s%s ", object->member ? object->member : "",
		      object->source ? object->source : "", object->compiled ? "compiled" : "",
		      object->counts ? ",counts" : "");
}

/* Of a file in the workshop; the caller frees it. */
static char *objects_of(const struct workshop *workshop, const char *name, int expected)
{
	char *path = workshop_path(workshop, name);
	struct pgb_text text = {0};

	assert_int_equal(pgb_elf_objects_read(path, describe, &text, NULL), expected);
	free(path);
	return pgb_text_detach(&text);
}

static void make_objects(struct workshop *workshop)
{
	workshop_open(workshop);
	workshop_write(workshop, "one_of_a_long_name.c", "int one(int n) { return n ? 2 : 3; }\n");
	workshop_write(workshop, "two.c", "int two(void) { return 1; }\n");
	workshop_write(workshop, "data.c", "int data = 1;\n");
	workshop_write(workshop, "by_hand.s", ".globl by_hand\nby_hand: nop\n");
	workshop_write(workshop, "text", "no object\n");
	assert_int_equal(workshop_shell(workshop, "${CC:-cc} -c one_of_a_long_name.c two.c data.c "
						  "by_hand.s"),
			 0);
	assert_int_equal(
		workshop_shell(workshop, "${CC:-cc} -fprofile-generate -c two.c -o counts.o"), 0);
	assert_int_equal(workshop_shell(workshop, "ld -r -o both.o one_of_a_long_name.o counts.o"),
			 0);
	assert_int_equal(workshop_shell(workshop, "ar rcs whole.a one_of_a_long_name.o counts.o "
						  "text && ar rcsT thin.a one_of_a_long_name.o "
						  "counts.o text && rm text && "
						  "head -c 1000 whole.a >cut.a"),
			 0);
}

static void test_objects(void **state)
{
	static const struct {
		const char *name, *objects;
		int code;
	} rows[] = {
		{"two.o", ":two.c:compiled ", 0},
		{"counts.o", ":two.c:compiled,counts ", 0},
		{"data.o", ":data.c: ", 0}, /* no code */
		{"both.o", "::compiled,counts ", 0},
		{"two.c", "", 0},
		{"whole.a",
		 "one_of_a_long_name.o:one_of_a_long_name.c:compiled "
		 "counts.o:two.c:compiled,counts ",
		 0},
		{"thin.a",
		 "one_of_a_long_name.o:one_of_a_long_name.c:compiled "
		 "counts.o:two.c:compiled,counts ",
		 0},
		{"cut.a", "", PGB_E_CORRUPT},
	};
	struct workshop workshop;

	(void)state;
	make_objects(&workshop);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *objects = objects_of(&workshop, rows[i].name, rows[i].code);

		assert_string_equal(objects, rows[i].objects);
		free(objects);
	}
	workshop_close(&workshop);
}

/* Where a symbol table names the source depends on the assembler; who wrote the code does not. */
static void test_assembler(void **state)
{
	struct workshop workshop;
	char *objects;

	(void)state;
	make_objects(&workshop);
	objects = objects_of(&workshop, "by_hand.o", 0);
	assert_non_null(strchr(objects, ':'));
	assert_null(strstr(objects, "compiled"));
	free(objects);
	workshop_close(&workshop);
}

static void test_nothing(void **state)
{
	(void)state;
	assert_int_equal(pgb_elf_objects_read("/nowhere/a.o", describe, NULL, NULL),
			 PGB_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_assembler),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
