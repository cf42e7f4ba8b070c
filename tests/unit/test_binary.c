/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pgobolt/collector/binary.h"
#include "pgobolt/collector/file.h"

/* A small ELF: header, three program headers (R, RX, note), a note, code. */
struct small_elf {
	Elf64_Ehdr head;
	Elf64_Phdr segments[3];
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint8_t id[20];
	} note;
	uint8_t code[77];
};

static struct small_elf make_elf(uint16_t type)
{
	struct small_elf elf = {
		.head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			 .e_type = type,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_phoff = sizeof(Elf64_Ehdr),
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 3},
		.note = {.head = {4, 20, NT_GNU_BUILD_ID}, .name = "GNU"},
	};

	elf.segments[0] = (Elf64_Phdr){.p_type = PT_LOAD,
				       .p_flags = PF_R,
				       .p_filesz = offsetof(struct small_elf, code),
				       .p_memsz = offsetof(struct small_elf, code),
				       .p_align = 0x1000};
	elf.segments[1] = (Elf64_Phdr){.p_type = PT_LOAD,
				       .p_flags = PF_R | PF_X,
				       .p_offset = offsetof(struct small_elf, code),
				       .p_vaddr = 0x1000 + offsetof(struct small_elf, code),
				       .p_filesz = sizeof(elf.code),
				       .p_memsz = sizeof(elf.code),
				       .p_align = 0x1000};
	elf.segments[2] = (Elf64_Phdr){.p_type = PT_NOTE,
				       .p_flags = PF_R,
				       .p_offset = offsetof(struct small_elf, note),
				       .p_filesz = sizeof(elf.note),
				       .p_align = 4};
	for (unsigned int i = 0; i < 20; i++)
		elf.note.id[i] = (uint8_t)(0xa0 + i);
	memset(elf.code, 0x90, sizeof(elf.code));
	return elf;
}

static int parse(struct pgb_binary *binary, const struct small_elf *elf)
{
	*binary = (struct pgb_binary){0};
	return pgb_binary_parse(binary, pgb_cursor_of(elf, sizeof(*elf)));
}

static void reads_the_head(void **state)
{
	struct small_elf elf = make_elf(ET_DYN);
	struct pgb_binary binary;
	char *id;

	(void)state;
	assert_int_equal(parse(&binary, &elf), 0);
	assert_int_equal(binary.kind, PGB_BINARY_ELF);
	assert_int_equal(binary.machine, EM_X86_64);
	assert_false(binary.fixed_address);
	assert_int_equal(binary.segments.count, 2);
	assert_int_equal(binary.segments.items[1].flags, PF_R | PF_X);
	assert_int_equal(binary.segments.items[1].address,
			 0x1000 + offsetof(struct small_elf, code));
	id = pgb_binary_id(&binary);
	assert_string_equal(id, "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3");
	free(id);
	pgb_binary_release(&binary);
	pgb_binary_release(&binary);
	elf = make_elf(ET_EXEC);
	assert_int_equal(parse(&binary, &elf), 0);
	assert_true(binary.fixed_address);
	pgb_binary_release(&binary);
}

static void a_cut_file_is_never_read_past_its_end(void **state)
{
	struct small_elf elf = make_elf(ET_DYN);
	size_t needed = offsetof(struct small_elf, note);

	(void)state;
	for (size_t size = 0; size < sizeof(elf); size++) {
		uint8_t *exact = malloc(size ? size : 1);
		struct pgb_binary binary = {0};
		int code;

		assert_non_null(exact);
		memcpy(exact, &elf, size);
		code = pgb_binary_parse(&binary, pgb_cursor_of(exact, size));
		assert_int_equal(code, size < needed ? PGB_E_TRUNCATED : 0);
		assert_int_equal(binary.kind, size < needed ? PGB_BINARY_NOT_ELF : PGB_BINARY_ELF);
		assert_int_equal(binary.build_id.size_bytes,
				 size >= offsetof(struct small_elf, code) ? 20 : 0);
		pgb_binary_release(&binary);
		free(exact);
	}
}

static void refuses_other_files(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int code;
	} rows[] = {
		{0, 'E', PGB_E_CORRUPT},
		{EI_CLASS, ELFCLASS32, PGB_E_UNSUPPORTED},
		{EI_DATA, ELFDATA2MSB, PGB_E_UNSUPPORTED},
		{offsetof(Elf64_Ehdr, e_phentsize), 32, PGB_E_CORRUPT},
		/* 12 MB of program headers, then 65535 that ask section header 0 */
		{offsetof(Elf64_Ehdr, e_phnum) + 1, 0xff, PGB_E_CORRUPT},
		{offsetof(Elf64_Ehdr, e_phoff) + 7, 0xff, PGB_E_TRUNCATED},
		{offsetof(Elf64_Ehdr, e_phoff) + 1, 0x10, PGB_E_TRUNCATED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct small_elf elf = make_elf(ET_DYN);
		struct pgb_binary binary;

		((uint8_t *)&elf)[rows[i].at] = rows[i].value;
		assert_int_equal(parse(&binary, &elf), rows[i].code);
		assert_int_equal(binary.kind, PGB_BINARY_NOT_ELF);
		pgb_binary_release(&binary);
	}
}

static void a_count_beyond_16_bits_is_in_section_zero(void **state)
{
	struct {
		struct small_elf elf;
		Elf64_Shdr section;
	} file = {.elf = make_elf(ET_DYN)};
	struct pgb_binary binary = {0};

	(void)state;
	file.elf.head.e_phnum = PN_XNUM;
	file.elf.head.e_shoff = offsetof(typeof(file), section);
	file.section.sh_info = 3;
	assert_int_equal(pgb_binary_parse(&binary, pgb_cursor_of(&file, sizeof(file))), 0);
	assert_int_equal(binary.segments.count, 2);
	assert_int_equal(binary.build_id.size_bytes, 20);
	pgb_binary_release(&binary);
	file.section.sh_info = UINT32_MAX;
	assert_int_equal(pgb_binary_parse(&binary, pgb_cursor_of(&file, sizeof(file))),
			 PGB_E_CORRUPT);
	pgb_binary_release(&binary);
}

static void broken_notes_are_no_build_id(void **state)
{
	static const struct {
		uint32_t name_bytes, value_bytes, type;
		char owner;
		unsigned int found;
	} rows[] = {
		{4, 20, NT_GNU_BUILD_ID, 'G', 20},
		{4, 16, NT_GNU_BUILD_ID, 'G', 16},
		{4, 20, NT_GNU_ABI_TAG, 'G', 0},
		{4, 20, NT_GNU_BUILD_ID, 'X', 0},
		{3, 20, NT_GNU_BUILD_ID, 'G', 0},
		{4, 0, NT_GNU_BUILD_ID, 'G', 0},
		{4, 21, NT_GNU_BUILD_ID, 'G', 0},
		{UINT32_MAX, 20, NT_GNU_BUILD_ID, 'G', 0},
		{4, UINT32_MAX, NT_GNU_BUILD_ID, 'G', 0},
		{UINT32_MAX, UINT32_MAX, NT_GNU_BUILD_ID, 'G', 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct small_elf elf = make_elf(ET_DYN);
		struct pgb_binary binary;

		elf.note.head.n_namesz = rows[i].name_bytes;
		elf.note.head.n_descsz = rows[i].value_bytes;
		elf.note.head.n_type = rows[i].type;
		elf.note.name[0] = rows[i].owner;
		assert_int_equal(parse(&binary, &elf), 0);
		assert_int_equal(binary.build_id.size_bytes, rows[i].found);
		pgb_binary_release(&binary);
	}
}

/* Notes of alignment 8 (.note.gnu.property) come before the build-id in the same segment. */
static void notes_are_padded_to_their_alignment(void **state)
{
	struct {
		struct small_elf elf;
		Elf64_Nhdr first;
		char first_name[4];
		uint8_t first_value[4];
		uint8_t padding[4];
		Elf64_Nhdr second;
		char second_name[4];
		uint8_t second_value[8];
	} file = {.elf = make_elf(ET_DYN),
		  .first = {4, 4, 5},
		  .first_name = "GNU",
		  .second = {4, 8, NT_GNU_BUILD_ID},
		  .second_name = "GNU",
		  .second_value = {'1', '2', '3', '4', '5', '6', '7', '8'}};
	struct pgb_binary binary = {0};

	(void)state;
	file.elf.segments[2].p_offset = offsetof(typeof(file), first);
	file.elf.segments[2].p_filesz = sizeof(file) - offsetof(typeof(file), first);
	file.elf.segments[2].p_align = 8;
	assert_int_equal(pgb_binary_parse(&binary, pgb_cursor_of(&file, sizeof(file))), 0);
	assert_int_equal(binary.build_id.size_bytes, 8);
	assert_memory_equal(binary.build_id.bytes, "12345678", 8);
	pgb_binary_release(&binary);
}

enum { X = PF_R | PF_X, R = PF_R };

/* Segments: address, offset, size in file and in memory, align, flags. */
static const struct bias_row {
	int line;
	struct pgb_segment segments[3];
	uint64_t start, length, offset_file;
	bool found;
	uint64_t bias;
} bias_rows[] = {
	/* PIE: p_vaddr 0x17b0, p_offset 0x7b0 */
	{__LINE__,
	 {{0, 0, 0x7ac, 0x7ac, 0x1000, R}, {0x17b0, 0x7b0, 0x200, 0x200, 0x1000, X}},
	 0x555555555000,
	 0x1000,
	 0,
	 true,
	 0x555555554000},
	/* not PIE: no bias */
	{__LINE__,
	 {{0x200000, 0, 0x7ac, 0x7ac, 0x1000, R}, {0x2017b0, 0x7b0, 0x200, 0x200, 0x1000, X}},
	 0x201000,
	 0x1000,
	 0,
	 true,
	 0},
	/* p_align of 2 MiB and of 64 KiB, mapped by 4 KiB */
	{__LINE__,
	 {{0x401000, 0x201000, 0x5000, 0x5000, 0x200000, X}},
	 0x7f0000201000,
	 0x5000,
	 0x201000,
	 true,
	 0x7effffe00000},
	{__LINE__,
	 {{0x12340, 0x2340, 0x9000, 0x9000, 0x10000, X}},
	 0xffff80012000,
	 0xa000,
	 0x2000,
	 true,
	 0xffff80000000},
	/* the first PT_LOAD of a PIE at another address than 0 */
	{__LINE__,
	 {{0x10000, 0, 0x1000, 0x1000, 0x1000, R}, {0x11000, 0x1000, 0x800, 0x800, 0x1000, X}},
	 0x7f1000001000,
	 0x1000,
	 0x1000,
	 true,
	 0x7f0fffff0000},
	/* two executable segments: each mapping finds its own */
	{__LINE__,
	 {{0x1000, 0x1000, 0x500, 0x500, 0x1000, X}, {0x600000, 0x2000, 0x3000, 0x3000, 0x1000, X}},
	 0x7f0000600000,
	 0x3000,
	 0x2000,
	 true,
	 0x7f0000000000},
	/* .. also where their offsets share one unit of p_align */
	{__LINE__,
	 {{0x201000, 0x1000, 0x500, 0x500, 0x200000, X},
	  {0x405000, 0x5000, 0x3000, 0x3000, 0x200000, X}},
	 0x7f0000405000,
	 0x3000,
	 0x5000,
	 true,
	 0x7f0000000000},
	/* the last page of one segment holds the first bytes of the next */
	{__LINE__,
	 {{0x1000, 0x1000, 0x1804, 0x1804, 0x1000, X}, {0x3804, 0x2804, 0x100, 0x100, 0x1000, X}},
	 0x7f0000001000,
	 0x2000,
	 0x1000,
	 true,
	 0x7f0000000000},
	/* a later part of a segment, split off by mprotect */
	{__LINE__,
	 {{0x1000, 0x1000, 0x9000, 0x9000, 0x1000, X}},
	 0x7f0000004000,
	 0x2000,
	 0x4000,
	 true,
	 0x7f0000000000},
	/* data mapped executable, and a file offset that nothing covers */
	{__LINE__,
	 {{0, 0, 0x1000, 0x1000, 0x1000, R}, {0x1000, 0x1000, 0x500, 0x500, 0x1000, X}},
	 0x7f0000000000,
	 0x1000,
	 0,
	 false,
	 0},
	{__LINE__,
	 {{0x1000, 0x1000, 0x500, 0x500, 0x1000, X}},
	 0x7f0000000000,
	 0x1000,
	 0x9000,
	 false,
	 0},
	/* align 0 and sizes at the end of the number range */
	{__LINE__,
	 {{0x1000, 0x1000, UINT64_MAX, UINT64_MAX, 0, X}},
	 0x7f0000001000,
	 UINT64_MAX,
	 0x1000,
	 true,
	 0x7f0000000000},
};

static void bias_of_mappings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bias_rows) / sizeof(bias_rows[0]); i++) {
		const struct bias_row *row = &bias_rows[i];
		struct pgb_binary binary = {.kind = PGB_BINARY_ELF};
		uint64_t bias = 0;
		bool found;

		for (unsigned int s = 0; s < 3 && row->segments[s].size_file > 0; s++)
			pgb_array_push(&binary.segments, row->segments[s]);
		found = pgb_binary_bias(&binary, row->start, row->length, row->offset_file, &bias);
		if (found != row->found || bias != row->bias)
			fail_msg("row of line %d: found %d, bias %llx", row->line, found,
				 (unsigned long long)bias);
		pgb_binary_release(&binary);
	}
}

static void write_elf(const char *path, const struct small_elf *elf, size_t size_bytes)
{
	struct pgb_out_file out;

	assert_int_equal(pgb_out_open(&out, path, NULL), 0);
	assert_int_equal(fwrite(elf, 1, size_bytes, out.stream), size_bytes);
	assert_int_equal(pgb_out_commit(&out, NULL), 0);
}

static uint64_t hash_of(const char *path)
{
	struct pgb_binary binary;
	uint64_t hash;

	assert_int_equal(pgb_binary_read(&binary, path, path, NULL), 0);
	assert_int_equal(binary.kind, PGB_BINARY_ELF);
	hash = binary.code_hash;
	pgb_binary_release(&binary);
	return hash;
}

static void code_is_hashed_where_there_is_no_build_id(void **state)
{
	struct small_elf elf = make_elf(ET_DYN);
	char path[] = "/tmp/pgobolt-test-binary.XXXXXX";
	struct pgb_binary binary;
	uint64_t hash;
	char *id, wanted[32];

	(void)state;
	close(mkstemp(path));
	write_elf(path, &elf, sizeof(elf));
	assert_true(hash_of(path) == 0);
	elf.note.head.n_type = 0;
	write_elf(path, &elf, sizeof(elf));
	hash = hash_of(path);
	assert_true(hash != 0);
	assert_int_equal(pgb_binary_read(&binary, "/other/name", path, NULL), 0);
	assert_string_equal(binary.path, "/other/name");
	assert_string_equal(binary.path_open, path);
	id = pgb_binary_id(&binary);
	snprintf(wanted, sizeof(wanted), "h%016llx", (unsigned long long)hash);
	assert_string_equal(id, wanted);
	free(id);
	pgb_binary_release(&binary);
	/* data does not count, each byte of code does */
	elf.note.id[3]++;
	write_elf(path, &elf, sizeof(elf));
	assert_true(hash_of(path) == hash);
	elf.code[76]++;
	write_elf(path, &elf, sizeof(elf));
	assert_true(hash_of(path) != hash);
	elf.code[76]--;
	elf.segments[1].p_vaddr += 0x1000;
	write_elf(path, &elf, sizeof(elf));
	assert_true(hash_of(path) != hash);
	/* the ELF header lies in the code of many: what strip changes there does not count */
	elf.segments[1].p_filesz += elf.segments[1].p_offset;
	elf.segments[1].p_offset = 0;
	write_elf(path, &elf, sizeof(elf));
	hash = hash_of(path);
	elf.head.e_shoff = 12345;
	write_elf(path, &elf, sizeof(elf));
	assert_true(hash_of(path) == hash);
	elf.segments[0].p_memsz++;
	write_elf(path, &elf, sizeof(elf));
	assert_true(hash_of(path) != hash);
	/* cut in its code: no hash, no crash */
	write_elf(path, &elf, sizeof(elf) - 10);
	assert_true(hash_of(path) == 0);
	unlink(path);
}

static void the_hash_of_a_build_id_file_is_there_when_asked_for(void **state)
{
	struct small_elf elf = make_elf(ET_DYN);
	char path[] = "/tmp/pgobolt-test-binary.XXXXXX";
	struct pgb_error error = {0};
	struct pgb_binary binary;

	(void)state;
	close(mkstemp(path));
	write_elf(path, &elf, sizeof(elf));
	assert_int_equal(pgb_binary_read(&binary, path, path, NULL), 0);
	assert_int_equal(pgb_binary_hash_code(&binary, NULL), 0);
	assert_true(binary.code_hash != 0);
	binary.code_hash = 0;
	write_elf(path, &elf, sizeof(elf) - 10);
	assert_int_equal(pgb_binary_hash_code(&binary, &error), PGB_E_TRUNCATED);
	unlink(path);
	pgb_error_clear(&error);
	assert_int_equal(pgb_binary_hash_code(&binary, &error), PGB_E_NOT_FOUND);
	assert_non_null(strstr(error.message, path));
	pgb_binary_release(&binary);
}

static void reads_real_files(void **state)
{
	struct pgb_error error = {0};
	struct pgb_file_map map;
	struct pgb_binary binary, parsed = {0};

	(void)state;
	assert_int_equal(pgb_binary_read(&binary, "/proc/self/exe", "/proc/self/exe", &error), 0);
	assert_int_equal(binary.kind, PGB_BINARY_ELF);
	assert_true(binary.segments.count > 0);
	/* through pread and through memory alike */
	assert_int_equal(pgb_file_map_open(&map, "/proc/self/exe", NULL), 0);
	assert_int_equal(pgb_binary_parse(&parsed, pgb_cursor_of(map.bytes, map.size_bytes)), 0);
	assert_int_equal(parsed.segments.count, binary.segments.count);
	assert_memory_equal(parsed.segments.items, binary.segments.items,
			    parsed.segments.count * sizeof(struct pgb_segment));
	assert_memory_equal(&parsed.build_id, &binary.build_id, sizeof(parsed.build_id));
	assert_true(binary.inode == map.inode && binary.size_bytes == map.size_bytes);
	pgb_file_map_close(&map);
	pgb_binary_release(&parsed);
	pgb_binary_release(&binary);
	assert_int_equal(pgb_binary_read(&binary, "x", "/proc/self/status", &error), 0);
	assert_int_equal(binary.kind, PGB_BINARY_NOT_ELF);
	pgb_binary_release(&binary);
	assert_int_equal(pgb_binary_read(&binary, "x", "/dev/zero", &error), PGB_E_IO);
	assert_int_equal(binary.kind, PGB_BINARY_UNREADABLE);
	pgb_binary_release(&binary);
	pgb_error_clear(&error);
	assert_int_equal(pgb_binary_read(&binary, "x", "/missing", &error), PGB_E_NOT_FOUND);
	assert_int_equal(binary.kind, PGB_BINARY_UNREADABLE);
	assert_string_equal(binary.path, "x");
	pgb_binary_release(&binary);
}

static void build_ids_compare(void **state)
{
	const struct pgb_build_id none = {0}, sixteen = {16, "0123456789abcdef"},
				  padded = {20, "0123456789abcdef"},
				  other = {20, "0123456789abcdefghij"};

	(void)state;
	assert_true(pgb_build_id_equal(&sixteen, &sixteen));
	assert_true(pgb_build_id_equal(&sixteen, &padded));
	assert_true(pgb_build_id_equal(&padded, &sixteen));
	assert_false(pgb_build_id_equal(&other, &sixteen));
	assert_false(pgb_build_id_equal(&other, &padded));
	assert_false(pgb_build_id_equal(&none, &none));
	assert_false(pgb_build_id_equal(&none, &padded));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_head),
		cmocka_unit_test(a_cut_file_is_never_read_past_its_end),
		cmocka_unit_test(refuses_other_files),
		cmocka_unit_test(a_count_beyond_16_bits_is_in_section_zero),
		cmocka_unit_test(broken_notes_are_no_build_id),
		cmocka_unit_test(notes_are_padded_to_their_alignment),
		cmocka_unit_test(bias_of_mappings),
		cmocka_unit_test(code_is_hashed_where_there_is_no_build_id),
		cmocka_unit_test(the_hash_of_a_build_id_file_is_there_when_asked_for),
		cmocka_unit_test(reads_real_files),
		cmocka_unit_test(build_ids_compare),
	};

	return cmocka_run_group_tests_name("binary", tests, NULL, NULL);
}
