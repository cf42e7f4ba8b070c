/* SPDX-License-Identifier: MIT */
/*
 * Processes and mappings with files that are made up; test_binary_open.c has real ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/base/limits.h"
#include "pgobolt/collector/addrspace.h"

/*
 * Code at file offset 0x1000, address 0x401000, 16 MiB of it. "/none" cannot be read, "/text" is
 * no ELF. The build-id is the name.
 */
static int open_made_up(void *context, struct pgb_binary *binary, const struct pgb_map_event *event)
{
	const struct pgb_segment code = {.address = 0x401000,
					 .offset_file = 0x1000,
					 .size_file = 16 << 20,
					 .size_memory = 16 << 20,
					 .align = 0x1000,
					 .flags = 5};
	unsigned int *opened = context;

	if (opened)
		++*opened;
	if (strcmp(event->path, "/none") == 0)
		return PGB_E_NOT_FOUND;
	if (strcmp(event->path, "/text") == 0) {
		binary->kind = PGB_BINARY_NOT_ELF;
		return 0;
	}
	binary->kind = PGB_BINARY_ELF;
	pgb_array_push(&binary->segments, code);
	binary->build_id.size_bytes = 16;
	strncpy((char *)binary->build_id.bytes, event->path, 16);
	return 0;
}

static const struct pgb_binary_opener made_up = {.open = open_made_up};

static void map(struct pgb_addrspace *space, uint32_t pid, uint64_t start, uint64_t length,
		uint64_t offset_file, const char *path)
{
	const struct pgb_map_event event = {.pid = pid,
					    .start = start,
					    .length = length,
					    .offset_file = offset_file,
					    .device = 1,
					    .inode = pgb_hash_bytes(path, strlen(path)),
					    .path = path};

	pgb_addrspace_map(space, &event);
}

static void assert_at(struct pgb_addrspace *space, uint32_t pid, uint64_t address, uint32_t binary,
		      uint64_t translated)
{
	struct pgb_location location = pgb_addrspace_find(space, pid, address);

	if (location.binary != binary || location.address != translated)
		fail_msg("pid %u address %llx: binary %u address %llx", pid,
			 (unsigned long long)address, location.binary,
			 (unsigned long long)location.address);
}

static void assert_none(struct pgb_addrspace *space, uint32_t pid, uint64_t address)
{
	assert_at(space, pid, address, PGB_BINARY_NONE, address);
}

static void addresses_become_the_files(void **state)
{
	struct pgb_addrspace *space = pgb_addrspace_new(&made_up);

	(void)state;
	map(space, 7, 0x7f0000001000, 0x3000, 0x1000, "/a");
	map(space, 7, 0x7f0000100000, 0x1000, 0x2000, "/b");
	map(space, 8, 0x7f0000001000, 0x3000, 0x1000, "/b");
	assert_at(space, 7, 0x7f0000001000, 0, 0x401000);
	assert_at(space, 7, 0x7f0000003fff, 0, 0x403fff);
	assert_at(space, 7, 0x7f0000100010, 1, 0x402010);
	assert_at(space, 8, 0x7f0000001000, 1, 0x401000);
	assert_none(space, 7, 0x7f0000000fff);
	assert_none(space, 7, 0x7f0000004000);
	assert_none(space, 7, 0);
	assert_none(space, 7, UINT64_MAX);
	assert_none(space, 9, 0x7f0000001000);
	assert_int_equal(pgb_addrspace_binary_count(space), 2);
	assert_string_equal(pgb_addrspace_binary(space, 1)->path, "/b");
	assert_true(pgb_addrspace_knows(space, 8));
	assert_false(pgb_addrspace_knows(space, 9));
	pgb_addrspace_free(space);
	pgb_addrspace_free(NULL);
}

/* What the kernel calls memory, and what find() says of an address in it. */
static void kinds_of_memory(void **state)
{
	static const struct {
		const char *path;
		uint32_t binary;
		uint64_t address;
	} rows[] = {
		{"", PGB_BINARY_ANONYMOUS, 0x7f0000001234},
		{"//anon", PGB_BINARY_ANONYMOUS, 0x7f0000001234},
		{"[vdso]", PGB_BINARY_ANONYMOUS, 0x7f0000001234},
		{"[vsyscall]", PGB_BINARY_ANONYMOUS, 0x7f0000001234},
		{"[stack]", PGB_BINARY_ANONYMOUS, 0x7f0000001234},
		{"[anon:v8]", PGB_BINARY_ANONYMOUS, 0x7f0000001234},
		{"anon_inode:[perf_event]", PGB_BINARY_ANONYMOUS, 0x7f0000001234},
		{"/dev/zero (deleted)", PGB_BINARY_ANONYMOUS, 0x7f0000001234},
		{"/SYSV00000000 (deleted)", PGB_BINARY_ANONYMOUS, 0x7f0000001234},
		{"/anon_hugepage (deleted)", PGB_BINARY_ANONYMOUS, 0x7f0000001234},
		{"/memfd:program (deleted)", 0, 0x403234},
		{"/a name (deleted)", 1, 0x403234},
		{"/none", 2, 0x3234},
		{"/text", 3, 0x3234},
	};
	struct pgb_addrspace *space = pgb_addrspace_new(&made_up);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		map(space, 1, 0x7f0000001000, 0x1000, 0x3000, rows[i].path);
		assert_at(space, 1, 0x7f0000001234, rows[i].binary, rows[i].address);
	}
	assert_string_equal(pgb_addrspace_binary(space, 1)->path, "/a name");
	assert_true(pgb_addrspace_binary(space, 1)->deleted);
	assert_false(pgb_addrspace_binary(space, 2)->deleted);
	assert_int_equal(pgb_addrspace_stats(space)->binaries_unreadable, 1);
	pgb_addrspace_free(space);
}

/* Nothing can be said of addresses there, least of all what was there before. */
static void a_mapping_that_fits_no_segment(void **state)
{
	struct pgb_addrspace *space = pgb_addrspace_new(&made_up);

	(void)state;
	map(space, 1, 0x7f0000000000, 0x4000, 0x1000, "/a");
	map(space, 1, 0x7f0000001000, 0x1000, UINT64_C(1) << 40, "/b");
	assert_at(space, 1, 0x7f0000000fff, 0, 0x401fff);
	assert_none(space, 1, 0x7f0000001000);
	assert_none(space, 1, 0x7f0000001fff);
	assert_at(space, 1, 0x7f0000002000, 0, 0x403000);
	assert_int_equal(pgb_addrspace_stats(space)->mappings_unplaced, 1);
	/* sizes that lead nowhere change nothing */
	map(space, 1, 0x7f0000000000, 0, 0x1000, "/b");
	map(space, 1, 0x7f0000000000, UINT64_MAX, 0x1000, "/b");
	assert_at(space, 1, 0x7f0000000000, 0, 0x401000);
	assert_int_equal(pgb_addrspace_stats(space)->mappings_unplaced, 3);
	/* the kernel's own modules */
	map(space, UINT32_MAX, 0xffffffffc0000000, 0x1000, 0, "/module.ko");
	assert_false(pgb_addrspace_knows(space, UINT32_MAX));
	assert_int_equal(pgb_addrspace_binary_count(space), 2);
	pgb_addrspace_free(space);
}

static void processes_in_time(void **state)
{
	struct pgb_addrspace *space = pgb_addrspace_new(&made_up);

	(void)state;
	map(space, 1, 0x1000, 0x1000, 0x1000, "/shell");
	assert_at(space, 1, 0x1000, 0, 0x401000);
	/* fork without exec: the parent's mappings, from then on its own */
	pgb_addrspace_fork(space, 1, 2);
	assert_at(space, 2, 0x1000, 0, 0x401000);
	map(space, 2, 0x1000, 0x1000, 0x1000, "/plugin");
	assert_at(space, 2, 0x1000, 1, 0x401000);
	assert_at(space, 1, 0x1000, 0, 0x401000);
	pgb_addrspace_fork(space, 1, 3);
	map(space, 1, 0x1000, 0x1000, 0x2000, "/shell");
	assert_at(space, 1, 0x1000, 0, 0x402000);
	assert_at(space, 3, 0x1000, 0, 0x401000);
	/* a thread is no process */
	pgb_addrspace_fork(space, 3, 3);
	assert_at(space, 3, 0x1000, 0, 0x401000);
	/* exec: nothing is left */
	pgb_addrspace_exec(space, 3);
	assert_none(space, 3, 0x1000);
	assert_false(pgb_addrspace_knows(space, 3));
	map(space, 3, 0x5000, 0x1000, 0x1000, "/program");
	assert_at(space, 3, 0x5000, 2, 0x401000);
	/* exit of the parent leaves the children theirs */
	pgb_addrspace_fork(space, 3, 4);
	pgb_addrspace_exit(space, 3);
	assert_none(space, 3, 0x5000);
	assert_at(space, 4, 0x5000, 2, 0x401000);
	/* a pid used again, with and without its EXIT seen */
	pgb_addrspace_fork(space, 1, 3);
	assert_at(space, 3, 0x1000, 0, 0x402000);
	assert_none(space, 3, 0x5000);
	pgb_addrspace_fork(space, 99, 4);
	assert_none(space, 4, 0x5000);
	assert_false(pgb_addrspace_knows(space, 4));
	assert_true(pgb_addrspace_knows(space, 3));
	pgb_addrspace_exit(space, 1);
	pgb_addrspace_exit(space, 1);
	pgb_addrspace_exec(space, 1);
	assert_none(space, 1, 0x1000);
	pgb_addrspace_free(space);
}

/* Many pids, gone in another order than they came. */
static void the_process_table_forgets_the_right_ones(void **state)
{
	enum { PIDS = 5000 };
	struct pgb_addrspace *space = pgb_addrspace_new(&made_up);

	(void)state;
	for (uint32_t pid = 1; pid <= PIDS; pid++)
		map(space, pid, 0x1000 * (uint64_t)pid, 0x1000, 0x1000, "/a");
	assert_int_equal(pgb_addrspace_process_count(space), PIDS);
	for (uint32_t pid = 1; pid <= PIDS; pid++)
		if (pgb_hash_u64(pid) % 3)
			pgb_addrspace_exit(space, pid);
	for (uint32_t pid = 1; pid <= PIDS; pid++) {
		if (pgb_hash_u64(pid) % 3)
			assert_none(space, pid, 0x1000 * (uint64_t)pid);
		else
			assert_at(space, pid, 0x1000 * (uint64_t)pid, 0, 0x401000);
	}
	pgb_addrspace_free(space);
}

/*
 * Random events over 64 pages of four processes, held against one number a page: binary (0 none)
 * and the page's place in it.
 */
enum { PAGES = 64, PIDS = 4 };

struct model_page {
	unsigned int binary, file_page;
};

static struct model_page model[PIDS][PAGES];

static void random_map(struct pgb_addrspace *space, uint64_t *random)
{
	static const char *const names[] = {"//anon", "/a", "/b", "/c"};
	unsigned int pid, first, length, file_page, binary;

	*random = pgb_hash_u64(*random + 1);
	pid = *random % PIDS;
	first = *random >> 8 & (PAGES - 1);
	length = (*random >> 16) % (PAGES - first) + 1;
	file_page = *random >> 24 & 127;
	binary = *random >> 32 & 3;
	map(space, pid, 0x1000 * (uint64_t)first, 0x1000 * (uint64_t)length,
	    0x1000 * (uint64_t)(file_page + 1), names[binary]);
	for (unsigned int page = first; page < first + length; page++)
		model[pid][page] = (struct model_page){binary + 1, file_page + page - first};
}

static void random_event(struct pgb_addrspace *space, uint64_t *random)
{
	unsigned int pid, other;

	*random = pgb_hash_u64(*random + 1);
	pid = *random >> 8 & (PIDS - 1);
	other = *random >> 16 & (PIDS - 1);
	switch (*random % 16) {
	case 0:
		pgb_addrspace_fork(space, pid, other);
		memmove(model[other], model[pid], sizeof(model[pid]));
		return;
	case 1:
		pgb_addrspace_exec(space, pid);
		memset(model[pid], 0, sizeof(model[pid]));
		return;
	case 2:
		pgb_addrspace_exit(space, pid);
		memset(model[pid], 0, sizeof(model[pid]));
		return;
	}
	random_map(space, random);
}

static void assert_as_model(struct pgb_addrspace *space)
{
	for (unsigned int pid = 0; pid < PIDS; pid++) {
		for (unsigned int page = 0; page < PAGES; page++) {
			const struct model_page *wanted = &model[pid][page];
			uint64_t address = 0x1000 * (uint64_t)page + page;
			uint64_t in_file = 0x401000 + 0x1000 * (uint64_t)wanted->file_page + page;
			struct pgb_location got = pgb_addrspace_find(space, pid, address);

			if (wanted->binary == 0)
				assert_int_equal(got.binary, PGB_BINARY_NONE);
			else if (wanted->binary == 1)
				assert_int_equal(got.binary, PGB_BINARY_ANONYMOUS);
			else
				assert_int_equal(pgb_addrspace_binary(space, got.binary)->path[1],
						 "?abc"[wanted->binary - 1]);
			assert_true(got.address == (wanted->binary > 1 ? in_file : address));
		}
	}
}

static void overlays_are_as_on_paper(void **state)
{
	struct pgb_addrspace *space = pgb_addrspace_new(&made_up);
	uint64_t random = 1;

	(void)state;
	memset(model, 0, sizeof(model));
	for (unsigned int i = 0; i < 5000; i++) {
		random_event(space, &random);
		assert_as_model(space);
	}
	pgb_addrspace_free(space);
}

/* A just-in-time compiler that maps page after page, either way, stays one mapping. */
static void neighbours_are_joined(void **state)
{
	struct pgb_addrspace *space = pgb_addrspace_new(&made_up);
	const uint64_t base = 0x7f0000000000;

	(void)state;
	for (uint64_t i = 0; i < 2 * PGB_LIMIT_MAPPINGS; i++) {
		map(space, 1, base + 0x1000 * i, 0x1000, 0, "");
		map(space, 1, base - 0x1000 * i, 0x1000, 0, "");
	}
	assert_int_equal(pgb_addrspace_stats(space)->mappings_over_limit, 0);
	assert_at(space, 1, base + 0x5000, PGB_BINARY_ANONYMOUS, base + 0x5000);
	/* .. but not page after next page */
	for (uint64_t i = 0; i < PGB_LIMIT_MAPPINGS + 10; i++)
		map(space, 2, base + 0x2000 * i, 0x1000, 0, "");
	assert_true(pgb_addrspace_stats(space)->mappings_over_limit > 0);
	assert_at(space, 2, base + 0x2000, PGB_BINARY_ANONYMOUS, base + 0x2000);
	pgb_addrspace_free(space);
}

static void scanning_what_is_not_there(void **state)
{
	struct pgb_addrspace *space = pgb_addrspace_new(NULL);
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(pgb_addrspace_scan(space, 0x7ffffff0, &error), PGB_E_GONE);
	assert_non_null(strstr(error.message, "2147483632"));
	pgb_addrspace_free(space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_become_the_files),
		cmocka_unit_test(kinds_of_memory),
		cmocka_unit_test(a_mapping_that_fits_no_segment),
		cmocka_unit_test(processes_in_time),
		cmocka_unit_test(the_process_table_forgets_the_right_ones),
		cmocka_unit_test(overlays_are_as_on_paper),
		cmocka_unit_test(neighbours_are_joined),
		cmocka_unit_test(scanning_what_is_not_there),
	};

	return cmocka_run_group_tests_name("addrspace", tests, NULL, NULL);
}
