/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <link.h>

#include <cmocka.h>

#include "pgo/sample_private.h"
#include "pgobolt/collector/insn.h"
#include "pgobolt/pgo/sample_profile.h"

static void test_names(void **state)
{
	static const struct {
		const char *name;
		size_t length;
	} rows[] = {
		{"main", 4},
		{"helper.llvm.1234567890", 6},
		{"helper.part.0", 6},
		{"helper.part.0.llvm.12", 6},
		{"helper.llvm.12.part.0", 14},
		{"_ZL6helperl.__uniq.247", 22},
		{"helper.llvm.1.cold", 18},
		{"helper.constprop.0", 18},
		{".llvm.1", 7},
		{"a.llvm.", 1},
		{"a.llvm", 6},
		{"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (pgb_sample_name_length(rows[i].name) != rows[i].length)
			fail_msg("%s: %zu", rows[i].name, pgb_sample_name_length(rows[i].name));
	assert_true(pgb_sample_name_is_usable("main"));
	assert_false(pgb_sample_name_is_usable("operator-<long *, int>"));
	assert_false(pgb_sample_name_is_usable("a\nb"));
	assert_false(pgb_sample_name_is_usable("__cxx_global_var_init.3"));
}

/* As LLVM's DILocation::encodeDiscriminator packs them. */
static void test_discriminators(void **state)
{
	static const struct {
		uint32_t packed, base, copies;
	} rows[] = {
		{0, 0, 1},
		{2, 1, 1},
		{31 << 1, 31, 1},
		/* 12 bits: five, a mark, seven; here of 32 and of 4095 */
		{1 << 6 | 1 << 7, 32, 1},
		{0x3ffe, 4095, 1},
		/* no base: one bit; then the copies */
		{1 | 4 << 2, 0, 4},
		{2 | 8 << 8, 1, 8},
		{1 | 1 << 1, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (pgb_discriminator_base(rows[i].packed) != rows[i].base ||
		    pgb_discriminator_copies(rows[i].packed) != rows[i].copies)
			fail_msg("%#x: %u, %u", rows[i].packed,
				 pgb_discriminator_base(rows[i].packed),
				 pgb_discriminator_copies(rows[i].packed));
}

static void test_tables(void **state)
{
	struct pgb_sample_table table = {0};
	struct pgb_sample_names names = {0};

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		const uint32_t key[4] = {i % 7, i, 3, 0};
		char name[32];

		assert_int_equal(pgb_sample_table_add(&table, key), i);
		snprintf(name, sizeof(name), "name%u and more", i);
		assert_int_equal(pgb_sample_names_add(&names, name, strlen(name) - 9), i);
	}
	for (uint32_t i = 0; i < 5000; i += 13)
		assert_int_equal(pgb_sample_table_add(&table, (const uint32_t[4]){i % 7, i, 3, 0}),
				 i);
	assert_int_equal(table.items.count, 5000);
	assert_int_equal(pgb_sample_names_add(&names, "name77", 6), 77);
	assert_string_equal(names.list.items[77], "name77");
	pgb_sample_table_release(&table);
	pgb_sample_names_release(&names);
}

static char *written(const struct pgb_sample_profile *profile)
{
	char *text = NULL;
	size_t size_bytes;
	FILE *stream = open_memstream(&text, &size_bytes);

	assert_non_null(stream);
	pgb_sample_profile_write(profile, stream);
	fclose(stream);
	return text;
}

static void add(struct pgb_sample_table *table, uint32_t a, uint32_t b, uint32_t c, uint32_t d,
		uint64_t count)
{
	uint32_t index = pgb_sample_table_add(table, (const uint32_t[4]){a, b, c, d});

	table->items.items[index].count = count;
}

/* Functions by total, places by line, targets by count; inlined ones behind, one blank deeper. */
static void test_order(void **state)
{
	struct pgb_sample_profile profile = {0};
	static const char *const names[] = {"cold", "hot", "inlined", "callee"};
	char *text;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		pgb_sample_names_add(&profile.names, names[i], strlen(names[i]));
	add(&profile.contexts, 0, 0, 0, 0, 10);	  /* 0: cold */
	add(&profile.contexts, 0, 0, 0, 1, 1000); /* 1: hot */
	add(&profile.contexts, 2, 5, 1, 2, 400);  /* 2: in hot, line 5 */
	add(&profile.contexts, 3, 2, 0, 0, 4);	  /* 3: in that */
	for (uint64_t i = 0; i < 4; i++)
		pgb_array_push(&profile.heads, i + 1);
	add(&profile.places, 1, 10, 0, 0, 70);
	add(&profile.places, 1, 2, 3, 0, 20);
	add(&profile.places, 1, 2, 0, 0, 60);
	add(&profile.places, 2, 0, 0, 0, 400);
	add(&profile.places, 3, 1, 0, 0, 0);
	add(&profile.targets, 1, 10, 0, 0, 30);
	add(&profile.targets, 1, 10, 0, 3, 40);
	add(&profile.targets, 1, 10, 0, 2, 40);
	text = written(&profile);
	assert_string_equal(text, "hot:1000:2\n"
				  " 2: 60\n"
				  " 2.3: 20\n"
				  " 10: 70 callee:40 inlined:40 cold:30\n"
				  " 5.1: inlined:400\n"
				  "  0: 400\n"
				  "  2: cold:4\n"
				  "   1: 0\n"
				  "cold:10:1\n");
	free(text);
	pgb_sample_names_release(&profile.names);
	pgb_sample_table_release(&profile.contexts);
	pgb_sample_table_release(&profile.places);
	pgb_sample_table_release(&profile.targets);
	pgb_array_release(&profile.heads);
}

/* ---- of this very program */

__attribute__((noinline)) static long sampled(volatile long *value)
{
	*value += 3;
	return *value > 100 ? *value * 5 : *value;
}

static int note_base(struct dl_phdr_info *info, size_t size, void *base)
{
	(void)size;
	*(uint64_t *)base = info->dlpi_addr;
	return 1; /* the first is the program */
}

/* The first branch of the function. */
static uint64_t first_branch(const struct pgb_elf_image *image, uint64_t address)
{
	enum pgb_insn_set set;

	assert_true(pgb_insn_set_of_machine(pgb_elf_image_binary(image)->machine, &set));
	for (;;) {
		size_t left = 0;
		const uint8_t *bytes = pgb_elf_image_bytes_at(image, address, &left);
		struct pgb_insn insn;

		assert_non_null(bytes);
		assert_int_equal(pgb_insn_decode(set, bytes, left, address, &insn), 0);
		if (insn.kind != PGB_INSN_LINEAR)
			return address;
		address += insn.length_bytes;
	}
}

static void test_edges(void **state)
{
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_sample_profile *profile = NULL;
	struct pgb_sample_stats stats;
	struct pgb_error error = {0};
	struct pgb_elf_image *image;
	volatile long value = 1;
	uint64_t base = 0, start;
	char *text;
	int code;

	(void)state;
	assert_int_equal(sampled(&value), 4);
	dl_iterate_phdr(note_base, &base);
	start = (uint64_t)(uintptr_t)sampled - base;
	assert_int_equal(pgb_elf_image_open(&image, "/proc/self/exe", NULL), 0);
	assert_int_equal(pgb_elf_image_discover(image, NULL), 0);
	pgb_edges_add(edges, &(struct pgb_edge){.kind = PGB_EDGE_TRACE,
						.branch = PGB_ADDRESS_EXTERNAL,
						.from = start,
						.to = first_branch(image, start),
						.count = 17});
	/* backwards; into another function; where no code is */
	pgb_edges_add(edges, &(struct pgb_edge){.kind = PGB_EDGE_RANGE,
						.branch = PGB_ADDRESS_EXTERNAL,
						.from = first_branch(image, start),
						.to = start,
						.count = 2});
	pgb_edges_add(edges, &(struct pgb_edge){.kind = PGB_EDGE_RANGE,
						.branch = PGB_ADDRESS_EXTERNAL,
						.from = start,
						.to = start + (1 << 20),
						.count = 3});
	pgb_edges_add(edges, &(struct pgb_edge){.kind = PGB_EDGE_RANGE,
						.branch = PGB_ADDRESS_EXTERNAL,
						.from = 1,
						.to = 2,
						.count = 5});
	code = pgb_sample_profile_new(&profile, image, edges, 0, &stats, &error);
	if (code == 0) {
		text = written(profile);
		assert_non_null(strstr(text, "sampled:"));
		assert_non_null(strstr(text, ":17\n"));
		assert_non_null(strstr(text, ": 17\n"));
		free(text);
		assert_int_equal(stats.entries, 17);
		assert_int_equal(stats.ranges, 17 + 2 + 3 + 5);
		assert_int_equal(stats.ranges_written, 17);
		assert_int_equal(stats.ranges_dropped, 2 + 3);
		assert_int_equal(stats.ranges_outside, 5);
		assert_int_equal(stats.by_reason[PGB_DROP_BACKWARDS], 2);
		assert_int_equal(stats.by_reason[PGB_DROP_TWO_FUNCTIONS], 3);
	} else {
		assert_int_equal(code, PGB_E_NOT_SUITABLE); /* CFLAGS without -g */
	}
	pgb_sample_profile_free(profile);
	pgb_elf_image_close(image);
	pgb_edges_free(edges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),  cmocka_unit_test(test_discriminators),
		cmocka_unit_test(test_tables), cmocka_unit_test(test_order),
		cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
