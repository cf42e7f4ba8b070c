/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgobolt/bolt/verify.h"
#include "tests/support/workshop.h"

static const char program[] =
	"int shared_value = 3;\n"
	"__asm__(\".section .note.early,\\\"a\\\",@note\\n.type early,@object\\n\"\n"
	"\"early: .long 0, 0, 0\\n.size early,12\\n.text\");\n"
	"__attribute__((noinline)) static int twice(int a) { return 2 * a; }\n"
	"int offered(int a) { return a < 3 ? twice(a) : a; }\n"
	"int main(int c, char **v) { return offered(c) == 99; }\n";

static int set_up(void **state)
{
	static struct workshop workshop;

	workshop_open(&workshop);
	*state = &workshop;
	return 0;
}

static int tear_down(void **state)
{
	workshop_close(*state);
	return 0;
}

static struct pgb_elf_image *open_image(const struct workshop *workshop, const char *name)
{
	char *path = workshop_path(workshop, name);
	struct pgb_elf_image *image;
	struct pgb_error error = {0};

	if (pgb_elf_image_open(&image, path, &error) != 0)
		fail_msg("%s", error.message);
	free(path);
	return image;
}

static const struct pgb_finding *find(const struct pgb_findings *findings, const char *check)
{
	for (size_t i = 0; i < findings->list.count; i++)
		if (strcmp(findings->list.items[i].check, check) == 0)
			return &findings->list.items[i];
	return NULL;
}

static const struct pgb_finding *expect(const struct pgb_findings *findings, const char *what,
					const char *check, enum pgb_severity severity)
{
	const struct pgb_finding *finding = find(findings, check);

	if (finding == NULL)
		fail_msg("%s: no finding '%s'", what, check);
	if (finding->severity != severity)
		fail_msg("%s: '%s' is of severity %d, not %d: %s", what, check, finding->severity,
			 severity, finding->message);
	return finding;
}

/* ---- before */

static void judges_how_it_was_built(void **state)
{
	static const struct {
		const char *flags, *source, *check;
		enum pgb_severity severity;
		const char *remedy; /* part of it; NULL: none */
	} rows[] = {
		{"-O2 -Wl,-q", program, "relocations", PGB_FINDING_GOOD, NULL},
		{"-O2 -Wl,-q", program, "symbols", PGB_FINDING_GOOD, NULL},
		{"-O2 -Wl,-q", program, "elf", PGB_FINDING_GOOD, NULL},
		{"-O2", program, "relocations", PGB_FINDING_ERROR, "LDFLAGS=-Wl,-q"},
		{"-O2 -s", program, "symbols", PGB_FINDING_ERROR, "strip -g"},
		{"-O2 -g -Wl,-q", program, "debug-info", PGB_FINDING_NOTE, NULL},
		{"-O2 -Wl,-q",
		 "__attribute__((section(\".note.bolt_info\"), used)) static int n;"
		 "int main(void) { return 0; }",
		 "already-optimized", PGB_FINDING_ERROR, "linker"},
		{"-O2",
		 "__attribute__((section(\".go.buildinfo\"), used)) static int n;"
		 "int main(void) { return 0; }",
		 "go", PGB_FINDING_ERROR, "-pgo="},
		{"-O2",
		 "__attribute__((section(\"__ksymtab\"), used)) static int n;"
		 "int main(void) { return 0; }",
		 "kernel", PGB_FINDING_ERROR, "CONFIG"},
		{"-O2 -Wl,-q", "void __asan_init(void) {} int main(void) { return 0; }",
		 "instrumented", PGB_FINDING_ERROR, "-fsanitize"},
		{"-O2 -Wl,-q", "void __gcov_init(void) {} int main(void) { return 0; }",
		 "instrumented", PGB_FINDING_WARNING, "-fprofile-use"},
		{"-O2 -Wl,-q",
		 "__asm__(\".text\\n.type work.cold,@function\\nwork.cold: ret\\n"
		 ".size work.cold,.-work.cold\\n\"); int work(void) { return 1; }"
		 "int main(void) { return work(); }",
		 "cold-fragments", PGB_FINDING_WARNING, "-fno-reorder-blocks-and-partition"},
		{"-O2 -Wl,-q -shared -fPIC", "int f(int a) { return a; }", "relocations",
		 PGB_FINDING_GOOD, NULL},
		{"-O2 -Wl,-q -static", program, "relocations", PGB_FINDING_GOOD, NULL},
		{"-O2 -Wl,-q", program, "relocation-audit", PGB_FINDING_GOOD, NULL},
#if defined(__x86_64__)
		{"-O2 -nostdlib -static -fcf-protection=full -Wl,-q",
		 "void _start(void) { for (;;) ; }", "branch-protection", PGB_FINDING_GOOD, NULL},
#endif
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_findings findings = {0};
		const struct pgb_finding *finding;
		struct pgb_elf_image *image;
		struct pgb_error error = {0};

		workshop_compile(*state, "a", rows[i].flags, rows[i].source);
		image = open_image(*state, "a");
		assert_int_equal(pgb_verify_before(image, NULL, &findings, &error), 0);
		finding = expect(&findings, rows[i].flags, rows[i].check, rows[i].severity);
		if (rows[i].remedy != NULL) {
			assert_non_null(finding->remedy);
			assert_non_null(strstr(finding->remedy, rows[i].remedy));
		}
		assert_int_equal(pgb_findings_worst(&findings) == PGB_FINDING_ERROR,
				 pgb_findings_error(&findings, &error) != 0);
		assert_null(find(&findings, "build"));
		pgb_findings_release(&findings);
		pgb_elf_image_close(image);
	}
}

static void compares_build_ids(void **state)
{
	struct pgb_build_id id;
	struct pgb_elf_image *image;
	static const struct {
		size_t byte; /* to flip; SIZE_MAX: none */
		uint8_t bits;
		enum pgb_severity severity;
		int code;
		const char *says;
	} rows[] = {
		{SIZE_MAX, 0, PGB_FINDING_GOOD, 0, "of this build"},
		{19, 1, PGB_FINDING_ERROR, PGB_E_MISMATCH, "after llvm-bolt"},
		{19, 2, PGB_FINDING_ERROR, PGB_E_MISMATCH, "another build"},
		{0, 1, PGB_FINDING_ERROR, PGB_E_MISMATCH, "another build"},
	};

	workshop_compile(*state, "a", "-Wl,-q -Wl,--build-id=sha1", program);
	image = open_image(*state, "a");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_findings findings = {0};
		const struct pgb_finding *finding;

		id = pgb_elf_image_binary(image)->build_id;
		assert_int_equal(id.size_bytes, 20);
		if (rows[i].byte != SIZE_MAX)
			id.bytes[rows[i].byte] ^= rows[i].bits;
		assert_int_equal(pgb_verify_before(image, &id, &findings, NULL), 0);
		finding = expect(&findings, rows[i].says, "build", rows[i].severity);
		assert_int_equal(finding->code, rows[i].code);
		assert_non_null(strstr(finding->message, rows[i].says));
		pgb_findings_release(&findings);
	}
	{
		struct pgb_findings findings = {0};

		id = (struct pgb_build_id){0};
		assert_int_equal(pgb_verify_before(image, &id, &findings, NULL), 0);
		expect(&findings, "unknown id", "build", PGB_FINDING_WARNING);
		pgb_findings_release(&findings);
	}
	pgb_elf_image_close(image);
}

/* ---- after: a copy of the binary, with one thing broken in it */

struct copy {
	uint8_t *bytes;
	size_t size_bytes;
};

static Elf64_Phdr *header_of(struct copy *copy, uint32_t type, uint32_t flags)
{
	Elf64_Ehdr *head = (Elf64_Ehdr *)copy->bytes;
	Elf64_Phdr *headers = (Elf64_Phdr *)(copy->bytes + head->e_phoff);

	for (int i = 0; i < head->e_phnum; i++)
		if (headers[i].p_type == type && (flags == 0 || headers[i].p_flags == flags))
			return &headers[i];
	fail_msg("no program header of type %#x", type);
	return NULL;
}

static Elf64_Dyn *entry_of(struct copy *copy, int64_t tag)
{
	Elf64_Dyn *entry = (Elf64_Dyn *)(copy->bytes + header_of(copy, PT_DYNAMIC, 0)->p_offset);

	for (; entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == tag)
			return entry;
	fail_msg("no dynamic entry %#llx", (long long)tag);
	return NULL;
}

static Elf64_Shdr *section_of(struct copy *copy, uint32_t type)
{
	Elf64_Ehdr *head = (Elf64_Ehdr *)copy->bytes;
	Elf64_Shdr *sections = (Elf64_Shdr *)(copy->bytes + head->e_shoff);

	for (int i = 0; i < head->e_shnum; i++)
		if (sections[i].sh_type == type)
			return &sections[i];
	fail_msg("no section of type %#x", type);
	return NULL;
}

static Elf64_Sym *symbol_of(struct copy *copy, uint32_t table, const char *name)
{
	Elf64_Ehdr *head = (Elf64_Ehdr *)copy->bytes;
	Elf64_Shdr *sections = (Elf64_Shdr *)(copy->bytes + head->e_shoff);
	Elf64_Shdr *section = section_of(copy, table);
	Elf64_Sym *symbols = (Elf64_Sym *)(copy->bytes + section->sh_offset);
	const char *names = (const char *)copy->bytes + sections[section->sh_link].sh_offset;

	for (size_t i = 0; i < section->sh_size / sizeof(*symbols); i++)
		if (strcmp(names + symbols[i].st_name, name) == 0)
			return &symbols[i];
	fail_msg("no symbol %s", name);
	return NULL;
}

static void leave(struct copy *copy)
{
	(void)copy;
}

static void stack_executable(struct copy *copy)
{
	header_of(copy, PT_GNU_STACK, 0)->p_flags |= PF_X;
}

static void stack_gone(struct copy *copy)
{
	header_of(copy, PT_GNU_STACK, 0)->p_type = PT_NULL;
}

static void relro_gone(struct copy *copy)
{
	header_of(copy, PT_GNU_RELRO, 0)->p_type = PT_NULL;
}

static void relro_shrunk(struct copy *copy)
{
	header_of(copy, PT_GNU_RELRO, 0)->p_memsz -= 8;
}

static void write_execute(struct copy *copy)
{
	header_of(copy, PT_LOAD, PF_R | PF_X)->p_flags |= PF_W;
}

static void entry_in_data(struct copy *copy)
{
	((Elf64_Ehdr *)copy->bytes)->e_entry = header_of(copy, PT_LOAD, PF_R | PF_W)->p_vaddr;
}

static void entry_gone(struct copy *copy)
{
	((Elf64_Ehdr *)copy->bytes)->e_entry = 0;
}

static void segment_too_long(struct copy *copy)
{
	Elf64_Phdr *header = header_of(copy, PT_LOAD, PF_R | PF_W);

	header->p_filesz = copy->size_bytes;
	header->p_memsz = copy->size_bytes;
}

static void segment_shifted(struct copy *copy)
{
	header_of(copy, PT_LOAD, PF_R | PF_W)->p_vaddr += 16;
}

static void segments_overlap(struct copy *copy)
{
	Elf64_Phdr *header = header_of(copy, PT_LOAD, PF_R | PF_X);

	header->p_memsz += 1 << 20;
}

static void interpreter_changed(struct copy *copy)
{
	copy->bytes[header_of(copy, PT_INTERP, 0)->p_offset + 1] ^= 1;
}

static void tag_changed(struct copy *copy)
{
	entry_of(copy, DT_INIT)->d_tag = DT_DEBUG;
}

static void init_in_data(struct copy *copy)
{
	entry_of(copy, DT_INIT)->d_un.d_ptr = header_of(copy, PT_LOAD, PF_R | PF_W)->p_vaddr;
}

static void init_nowhere(struct copy *copy)
{
	entry_of(copy, DT_INIT_ARRAY)->d_un.d_ptr = UINT64_C(1) << 40;
}

static void library_changed(struct copy *copy)
{
	entry_of(copy, DT_NEEDED)->d_un.d_val++;
}

static void export_renamed(struct copy *copy)
{
	symbol_of(copy, SHT_DYNSYM, "offered")->st_name++;
}

static void export_in_data(struct copy *copy)
{
	symbol_of(copy, SHT_DYNSYM, "offered")->st_value =
		header_of(copy, PT_LOAD, PF_R | PF_W)->p_vaddr;
}

static void export_resized(struct copy *copy)
{
	symbol_of(copy, SHT_DYNSYM, "shared_value")->st_size++;
}

static void export_retyped(struct copy *copy)
{
	symbol_of(copy, SHT_DYNSYM, "offered")->st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
}

static void unwind_unsorted(struct copy *copy)
{
	uint32_t *table = (uint32_t *)(copy->bytes + header_of(copy, PT_GNU_EH_FRAME, 0)->p_offset);
	uint32_t first = table[3];

	table[3] = table[5];
	table[5] = first;
}

static void unwind_too_many(struct copy *copy)
{
	uint32_t *table = (uint32_t *)(copy->bytes + header_of(copy, PT_GNU_EH_FRAME, 0)->p_offset);

	table[2] = UINT32_MAX;
}

static void unwind_gone(struct copy *copy)
{
	header_of(copy, PT_GNU_EH_FRAME, 0)->p_type = PT_NULL;
}

/* Found all the same, though too long for its section. */
static void function_too_long(struct copy *copy)
{
	symbol_of(copy, SHT_SYMTAB, "twice")->st_size = 1 << 20;
}

static void function_moved_to_data(struct copy *copy)
{
	symbol_of(copy, SHT_SYMTAB, "twice")->st_value = 0x10;
}

/* Symbols of one name are numbered by address: the function is twice/2 now. */
static void data_named_alike(struct copy *copy)
{
	symbol_of(copy, SHT_SYMTAB, "early")->st_name =
		symbol_of(copy, SHT_SYMTAB, "twice")->st_name;
}

static void make_copy(const struct workshop *workshop, const char *name,
		      void (*change)(struct copy *copy))
{
	char *path = workshop_path(workshop, name);
	struct copy copy;
	struct stat status;
	int fd;

	assert_int_equal(workshop_shell(workshop, "cp a '%s'", name), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	copy.size_bytes = (size_t)status.st_size;
	copy.bytes = mmap(NULL, copy.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(copy.bytes, MAP_FAILED);
	change(&copy);
	munmap(copy.bytes, copy.size_bytes);
	close(fd);
	free(path);
}

static const struct change {
	void (*change)(struct copy *copy);
	const char *check;
	enum pgb_severity severity;
	const char *says;
} changes[] = {
	{leave, "segments", PGB_FINDING_GOOD, "in order"},
	{leave, "entry", PGB_FINDING_GOOD, ""},
	{leave, "dynamic", PGB_FINDING_GOOD, ""},
	{leave, "exports", PGB_FINDING_GOOD, "same names"},
	{leave, "stack-executable", PGB_FINDING_GOOD, ""},
	{leave, "relro", PGB_FINDING_GOOD, ""},
	{leave, "write-execute", PGB_FINDING_GOOD, ""},
	{leave, "interpreter", PGB_FINDING_GOOD, ""},
	{leave, "unwind", PGB_FINDING_GOOD, "sorted"},
	{leave, "functions", PGB_FINDING_GOOD, "2 functions"},
	{leave, "origin", PGB_FINDING_WARNING, "llvm-bolt"},
	{stack_executable, "stack-executable", PGB_FINDING_ERROR, "become"},
	{stack_gone, "stack-executable", PGB_FINDING_ERROR, "gone"},
	{relro_gone, "relro", PGB_FINDING_ERROR, "gone"},
	{relro_shrunk, "relro", PGB_FINDING_ERROR, "covers"},
	{write_execute, "write-execute", PGB_FINDING_ERROR, "writable"},
	{entry_in_data, "entry", PGB_FINDING_ERROR, "executable"},
	{entry_gone, "entry", PGB_FINDING_ERROR, "is 0"},
	{segment_too_long, "segments", PGB_FINDING_ERROR, "beyond the end"},
	{segment_shifted, "segments", PGB_FINDING_ERROR, "disagree"},
	{segments_overlap, "segments", PGB_FINDING_ERROR, "before the end"},
	{interpreter_changed, "interpreter", PGB_FINDING_ERROR, "ld"},
	{tag_changed, "dynamic", PGB_FINDING_ERROR, "0xc"},
	{init_in_data, "dynamic", PGB_FINDING_ERROR, "DT_INIT is not"},
	{init_nowhere, "dynamic", PGB_FINDING_ERROR, "DT_INIT_ARRAY points"},
	{library_changed, "dynamic", PGB_FINDING_ERROR, "libc"},
	{export_renamed, "exports", PGB_FINDING_ERROR, "ffered is new"},
	{export_in_data, "exports", PGB_FINDING_ERROR, "no code"},
	{export_resized, "exports", PGB_FINDING_ERROR, "size"},
	{export_retyped, "exports", PGB_FINDING_ERROR, "type"},
	{unwind_unsorted, "unwind", PGB_FINDING_ERROR, "not sorted"},
	{unwind_too_many, "unwind", PGB_FINDING_ERROR, "cut short"},
	{unwind_gone, "unwind", PGB_FINDING_ERROR, "gone"},
	{function_too_long, "functions", PGB_FINDING_GOOD, "2 functions"},
	{data_named_alike, "functions", PGB_FINDING_GOOD, "2 functions"},
	{function_moved_to_data, "functions", PGB_FINDING_ERROR, "twice/1"},
};

static struct pgb_profile *hot_profile(void)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_profile_branch branch = {.count = 5};

	branch.from.name = pgb_profile_intern(profile, "offered", strlen("offered"));
	branch.to.name = pgb_profile_intern(profile, "twice/1", strlen("twice/1"));
	pgb_profile_add_branch(profile, &branch);
	branch.to.name = pgb_profile_intern(profile, "unheard-of", strlen("unheard-of"));
	pgb_profile_add_branch(profile, &branch);
	return profile;
}

static void finds_what_was_broken(void **state)
{
	struct pgb_elf_image *original;
	struct pgb_profile *profile = hot_profile();

	workshop_compile(*state, "a", "-O1 -Wl,-q -rdynamic -Wl,-z,relro", program);
	original = open_image(*state, "a");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct change *row = &changes[i];
		struct pgb_findings findings = {0};
		struct pgb_error error = {0};
		const struct pgb_finding *finding;
		struct pgb_elf_image *changed;

		make_copy(*state, "b", row->change);
		changed = open_image(*state, "b");
		if (pgb_verify_after(original, changed, profile, &findings, &error) != 0)
			fail_msg("%zu: %s", i, error.message);
		finding = expect(&findings, row->says, row->check, row->severity);
		if (strstr(finding->message, row->says) == NULL)
			fail_msg("%zu: '%s' lacks '%s'", i, finding->message, row->says);
		if (row->severity == PGB_FINDING_ERROR)
			assert_int_equal(pgb_findings_error(&findings, &error), PGB_E_CHECK);
		else
			assert_int_not_equal(pgb_findings_worst(&findings), PGB_FINDING_ERROR);
		pgb_findings_release(&findings);
		pgb_elf_image_close(changed);
	}
	pgb_profile_free(profile);
	pgb_elf_image_close(original);
}

/* What was so before is no fault of llvm-bolt. */
static void forgives_what_was_there(void **state)
{
	struct pgb_elf_image *original, *changed;
	struct pgb_findings findings = {0};

	workshop_compile(*state, "a", "-Wl,-q -Wl,-z,execstack", program);
	make_copy(*state, "b", leave);
	original = open_image(*state, "a");
	changed = open_image(*state, "b");
	assert_int_equal(pgb_verify_after(original, changed, NULL, &findings, NULL), 0);
	expect(&findings, "execstack", "stack-executable", PGB_FINDING_WARNING);
	pgb_findings_release(&findings);
	pgb_elf_image_close(changed);
	pgb_elf_image_close(original);
}

static void knows_versions_of_exports(void **state)
{
	struct pgb_elf_image *original, *changed;
	struct pgb_findings findings = {0};
	static const char library[] =
		"__asm__(\".symver f_old,f@ONE\"); __asm__(\".symver f_new,f@@TWO\");"
		"int f_old(int a) { return a; } int f_new(int a) { return a + 1; }";

	workshop_write(*state, "map", "ONE { global: f; local: *; }; TWO { global: f; } ONE;");
	workshop_compile(*state, "a", "-shared -fPIC -Wl,-q -Wl,--version-script=map", library);
	original = open_image(*state, "a");
	workshop_write(*state, "map", "ONE { global: f; local: *; }; SIX { global: f; } ONE;");
	workshop_compile(*state, "b", "-shared -fPIC -Wl,-q -Wl,--version-script=map -DTWO=SIX",
			 "__asm__(\".symver f_old,f@ONE\"); __asm__(\".symver f_new,f@@SIX\");"
			 "int f_old(int a) { return a; } int f_new(int a) { return a + 1; }");
	changed = open_image(*state, "b");
	assert_int_equal(pgb_verify_after(original, changed, NULL, &findings, NULL), 0);
	expect(&findings, "versions", "exports", PGB_FINDING_ERROR);
	pgb_findings_release(&findings);
	assert_int_equal(pgb_verify_after(original, original, NULL, &findings, NULL), 0);
	expect(&findings, "versions", "exports", PGB_FINDING_GOOD);
	pgb_findings_release(&findings);
	pgb_elf_image_close(changed);
	pgb_elf_image_close(original);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(judges_how_it_was_built, set_up, tear_down),
		cmocka_unit_test_setup_teardown(compares_build_ids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(finds_what_was_broken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(forgives_what_was_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(knows_versions_of_exports, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
