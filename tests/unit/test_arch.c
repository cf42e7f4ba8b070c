/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <elf.h>

#include "pgobolt/bolt/arch.h"

static const uint16_t machines[] = {EM_X86_64, EM_AARCH64};

/* Ascending, named after the type, sizes that exist. */
static void test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		const struct pgb_arch *arch = pgb_arch_find(machines[i]);

		assert_non_null(arch);
		assert_int_equal(arch->machine, machines[i]);
		for (unsigned int r = 0; r < arch->relocation_count; r++) {
			const struct pgb_arch_relocation *relocation = &arch->relocations[r];
			uint8_t size = relocation->size_bytes;

			assert_true(r == 0 || relocation[-1].type < relocation->type);
			assert_memory_equal(relocation->name, "R_", 2);
			assert_true((size & (size - 1)) == 0 && size <= 16);
			assert_ptr_equal(pgb_arch_find_relocation(arch, relocation->type),
					 relocation);
		}
		assert_non_null(pgb_arch_find_relocation(arch, arch->relocation_none));
		assert_non_null(pgb_arch_find_relocation(arch, arch->relocation_relative));
		assert_non_null(pgb_arch_find_relocation(arch, arch->relocation_jump_slot));
		assert_non_null(pgb_arch_find_relocation(arch, arch->relocation_irelative));
		assert_null(pgb_arch_find_relocation(arch, 65535));
	}
}

static void test_rows(void **state)
{
	const struct pgb_arch *x86 = pgb_arch_find(EM_X86_64), *arm = pgb_arch_find(EM_AARCH64);

	(void)state;
	assert_string_equal(pgb_arch_find_relocation(x86, R_X86_64_PLT32)->name, "R_X86_64_PLT32");
	assert_true(pgb_arch_find_relocation(x86, R_X86_64_PLT32)->pc_relative);
	assert_false(pgb_arch_find_relocation(x86, R_X86_64_64)->pc_relative);
	assert_int_equal(pgb_arch_find_relocation(x86, R_X86_64_64)->size_bytes, 8);
	assert_true(pgb_arch_find_relocation(arm, R_AARCH64_CALL26)->pc_relative);
	assert_false(pgb_arch_find_relocation(arm, R_AARCH64_ADD_ABS_LO12_NC)->pc_relative);
	assert_true(arm->has_mapping_symbols && !x86->has_mapping_symbols);
	assert_null(pgb_arch_find(EM_386));
	assert_null(pgb_arch_find(EM_RISCV));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
