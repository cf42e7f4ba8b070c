/* SPDX-License-Identifier: MIT */
/*
 * Puts one fault into a 64-bit ELF file: what llvm-bolt, a linker or a strip might do wrong.
 *
 * usage: fault KIND FILE [SYMBOL]
 * Exit status: 0 done, 1 it does not apply (the function was not moved, there is no such part),
 * 2 usage. `fault --list` names the kinds.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	uint8_t *bytes;
	size_t size;
	int fd;
	Elf64_Ehdr *head;
	Elf64_Phdr *segments;
	Elf64_Shdr *sections;
	const char *symbol; /* of the command line */
};

/* Written into the immediate operands of the program under test, and changed there. */
#define MAGIC 0x5eed1234u

static void *at_offset(const struct file *file, uint64_t offset, uint64_t size)
{
	return offset <= file->size && size <= file->size - offset ? file->bytes + offset : NULL;
}

static void *at_address(const struct file *file, uint64_t address)
{
	for (int i = 0; i < file->head->e_phnum; i++) {
		const Elf64_Phdr *segment = &file->segments[i];

		if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
		    address - segment->p_vaddr < segment->p_filesz)
			return at_offset(file, segment->p_offset + address - segment->p_vaddr, 1);
	}
	return NULL;
}

static Elf64_Phdr *segment_of(const struct file *file, uint32_t type)
{
	for (int i = 0; i < file->head->e_phnum; i++)
		if (file->segments[i].p_type == type)
			return &file->segments[i];
	return NULL;
}

static const char *section_name(const struct file *file, const Elf64_Shdr *section)
{
	const Elf64_Shdr *names = &file->sections[file->head->e_shstrndx];

	return (const char *)file->bytes + names->sh_offset + section->sh_name;
}

static Elf64_Shdr *section_of(const struct file *file, const char *name)
{
	for (int i = 1; i < file->head->e_shnum; i++)
		if (strcmp(section_name(file, &file->sections[i]), name) == 0)
			return &file->sections[i];
	return NULL;
}

static Elf64_Dyn *dynamic_of(const struct file *file, int64_t tag)
{
	const Elf64_Phdr *segment = segment_of(file, PT_DYNAMIC);
	Elf64_Dyn *entry = segment ? at_address(file, segment->p_vaddr) : NULL;

	for (; entry != NULL && entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == tag)
			return entry;
	return NULL;
}

static Elf64_Sym *symbol_in(const struct file *file, const char *table, const char *name)
{
	Elf64_Shdr *section = section_of(file, table);
	Elf64_Sym *symbols;
	const char *names;

	if (section == NULL)
		return NULL;
	symbols = at_offset(file, section->sh_offset, section->sh_size);
	names = (const char *)file->bytes + file->sections[section->sh_link].sh_offset;
	for (size_t i = 1; i < section->sh_size / sizeof(*symbols); i++)
		if (strcmp(names + symbols[i].st_name, name) == 0)
			return &symbols[i];
	return NULL;
}

/* The code of the symbol, if llvm-bolt has moved it. */
static uint8_t *moved_code(const struct file *file, const char *name, uint64_t *size)
{
	const Elf64_Sym *symbol = symbol_in(file, ".symtab", name);
	const char *section;

	if (symbol == NULL || section_of(file, ".bolt.org.text") == NULL ||
	    symbol->st_shndx >= file->head->e_shnum)
		return NULL;
	section = section_name(file, &file->sections[symbol->st_shndx]);
	if (strcmp(section, ".text") != 0 && strcmp(section, ".text.cold") != 0)
		return NULL;
	*size = symbol->st_size;
	return at_address(file, symbol->st_value);
}

/* ---- code */

#define ENDBR64 "\xf3\x0f\x1e\xfa"

static bool overwrite(const struct file *file, const char *name, const void *x86, size_t x86_size,
		      uint32_t aarch64)
{
	uint64_t size;
	uint8_t *code = moved_code(file, name, &size);

	if (code == NULL || size < x86_size + 4)
		return false;
	/* the first instruction of each function is one to land on: a fault of its own */
	if (file->head->e_machine == EM_AARCH64 || memcmp(code, ENDBR64, 4) == 0)
		code += 4;
	if (file->head->e_machine == EM_AARCH64)
		memcpy(code, &aarch64, sizeof(aarch64));
	else
		memcpy(code, x86, x86_size);
	return true;
}

static bool crash(const struct file *file)
{
	return overwrite(file, file->symbol, "\x0f\x0b", 2, 0);
}

static bool hang(const struct file *file)
{
	return overwrite(file, file->symbol, "\xeb\xfe", 2, 0x14000000);
}

static bool return_at_once(const struct file *file)
{
	return overwrite(file, file->symbol, "\xc3", 1, 0xd65f03c0);
}

/* Only in the part that llvm-bolt has split off. */
static bool crash_cold(const struct file *file)
{
	char name[256];

	snprintf(name, sizeof(name), "%s.cold.0", file->symbol);
	return overwrite(file, name, "\x0f\x0b", 2, 0);
}

/* One wrong byte: a constant. */
static bool wrong_byte(const struct file *file)
{
	const uint32_t magic = MAGIC;
	uint64_t size;
	uint8_t *code = moved_code(file, file->symbol, &size);

	for (uint64_t i = 0; code != NULL && i + sizeof(magic) <= size; i++)
		if (memcmp(code + i, &magic, sizeof(magic)) == 0) {
			code[i] ^= 1;
			return true;
		}
	return false;
}

static bool lose_landing_pad(const struct file *file)
{
	uint64_t size;
	uint8_t *code = moved_code(file, file->symbol, &size);

	if (code == NULL || size < 4)
		return false;
	if (file->head->e_machine == EM_AARCH64)
		memcpy(code, "\x1f\x20\x03\xd5", 4); /* nop */
	else if (memcmp(code, ENDBR64, 4) == 0)
		memcpy(code, "\x0f\x1f\x40", 4); /* nop, too */
	else
		return false;
	return true;
}

/* ---- segments */

static bool set_flags(const struct file *file, uint32_t type, uint32_t flags)
{
	Elf64_Phdr *segment = segment_of(file, type);

	if (segment == NULL)
		return false;
	segment->p_flags |= flags;
	return true;
}

static bool stack_executable(const struct file *file)
{
	return set_flags(file, PT_GNU_STACK, PF_X);
}

static bool lose(const struct file *file, uint32_t type)
{
	Elf64_Phdr *segment = segment_of(file, type);

	if (segment == NULL)
		return false;
	segment->p_type = PT_NULL;
	return true;
}

static bool lose_stack(const struct file *file)
{
	return lose(file, PT_GNU_STACK);
}

static bool lose_relro(const struct file *file)
{
	return lose(file, PT_GNU_RELRO);
}

static bool lose_unwind(const struct file *file)
{
	return lose(file, PT_GNU_EH_FRAME);
}

static bool lose_interpreter(const struct file *file)
{
	return lose(file, PT_INTERP);
}

static bool other_interpreter(const struct file *file)
{
	const Elf64_Phdr *segment = segment_of(file, PT_INTERP);

	if (segment == NULL)
		return false;
	file->bytes[segment->p_offset + 1] ^= 1;
	return true;
}

static bool short_tls(const struct file *file)
{
	Elf64_Phdr *segment = segment_of(file, PT_TLS);

	if (segment == NULL)
		return false;
	segment->p_memsz -= 4;
	return true;
}

static bool write_execute(const struct file *file)
{
	for (int i = 0; i < file->head->e_phnum; i++)
		if (file->segments[i].p_type == PT_LOAD && (file->segments[i].p_flags & PF_X)) {
			file->segments[i].p_flags |= PF_W;
			return true;
		}
	return false;
}

static Elf64_Phdr *last_load(const struct file *file)
{
	for (int i = file->head->e_phnum; i > 0; i--)
		if (file->segments[i - 1].p_type == PT_LOAD)
			return &file->segments[i - 1];
	return NULL;
}

static bool beyond_end(const struct file *file)
{
	Elf64_Phdr *segment = last_load(file);

	segment->p_filesz = segment->p_memsz = file->size + 1;
	return true;
}

static bool misplaced(const struct file *file)
{
	last_load(file)->p_offset += 16;
	return true;
}

static bool bad_entry(const struct file *file)
{
	const Elf64_Dyn *data = dynamic_of(file, DT_PLTGOT);

	if (data == NULL)
		return false;
	file->head->e_entry = data->d_un.d_val;
	return true;
}

/* ---- what the dynamic loader reads */

static bool lose_symbol(const struct file *file)
{
	Elf64_Sym *symbol = symbol_in(file, ".dynsym", file->symbol);
	Elf64_Shdr *names = section_of(file, ".dynstr");

	if (symbol == NULL)
		return false;
	file->bytes[names->sh_offset + symbol->st_name] ^= 1;
	return true;
}

static bool misplace_symbol(const struct file *file)
{
	Elf64_Sym *symbol = symbol_in(file, ".dynsym", file->symbol);
	const Elf64_Dyn *data = dynamic_of(file, DT_PLTGOT);

	if (symbol == NULL || data == NULL)
		return false;
	symbol->st_value = data->d_un.d_val;
	return true;
}

static bool other_symbol_type(const struct file *file)
{
	Elf64_Sym *symbol = symbol_in(file, ".dynsym", file->symbol);

	if (symbol == NULL)
		return false;
	symbol->st_info = ELF64_ST_INFO(STB_WEAK, STT_FUNC);
	return true;
}

static bool lose_function(const struct file *file)
{
	Elf64_Sym *symbol = symbol_in(file, ".symtab", file->symbol);

	if (symbol == NULL)
		return false;
	symbol->st_info = ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE);
	symbol->st_value = 8;
	return true;
}

static bool lose_needed(const struct file *file)
{
	Elf64_Dyn *entry = dynamic_of(file, DT_NEEDED);

	if (entry == NULL)
		return false;
	entry->d_tag = DT_DEBUG;
	return true;
}

static bool other_needed(const struct file *file)
{
	Elf64_Dyn *entry = dynamic_of(file, DT_NEEDED);

	if (entry == NULL)
		return false;
	entry->d_un.d_val++;
	return true;
}

static bool lose_bind_now(const struct file *file)
{
	Elf64_Dyn *flags = dynamic_of(file, DT_FLAGS), *more = dynamic_of(file, DT_FLAGS_1);

	if (flags != NULL)
		flags->d_un.d_val &= ~(uint64_t)DF_BIND_NOW;
	if (more != NULL)
		more->d_un.d_val &= ~(uint64_t)DF_1_NOW;
	return flags != NULL || more != NULL;
}

static bool bad_init(const struct file *file)
{
	Elf64_Dyn *entry = dynamic_of(file, DT_INIT), *data = dynamic_of(file, DT_PLTGOT);

	if (entry == NULL || data == NULL)
		return false;
	entry->d_un.d_val = data->d_un.d_val;
	return true;
}

/* A relocation for a pointer to code; `nth` of them. */
static Elf64_Rela *code_pointer(const struct file *file, int nth)
{
	const Elf64_Dyn *table = dynamic_of(file, DT_RELA), *size = dynamic_of(file, DT_RELASZ);
	Elf64_Rela *relocation = table ? at_address(file, table->d_un.d_val) : NULL;
	uint32_t relative =
		file->head->e_machine == EM_AARCH64 ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;

	for (uint64_t i = 0; relocation != NULL && i < size->d_un.d_val / sizeof(*relocation);
	     i++) {
		const Elf64_Sym *symbol = symbol_in(file, ".symtab", file->symbol);

		if (ELF64_R_TYPE(relocation[i].r_info) == relative && symbol != NULL &&
		    (uint64_t)relocation[i].r_addend == symbol->st_value && nth-- == 0)
			return &relocation[i];
	}
	return NULL;
}

static bool drop_relocation(const struct file *file)
{
	Elf64_Rela *relocation = code_pointer(file, 0);

	if (relocation == NULL)
		return false;
	relocation->r_info = 0;
	return true;
}

static bool shift_relocation(const struct file *file)
{
	Elf64_Rela *relocation = code_pointer(file, 0);

	if (relocation == NULL)
		return false;
	relocation->r_addend += 2;
	return true;
}

/* Where the function was before: dead code that looks alive. */
static bool stale_relocation(const struct file *file)
{
	Elf64_Rela *relocation = code_pointer(file, 0);
	const Elf64_Shdr *old = section_of(file, ".bolt.org.text");

	if (relocation == NULL || old == NULL)
		return false;
	relocation->r_addend = (int64_t)old->sh_addr + 32;
	return true;
}

static bool lose_version(const struct file *file)
{
	const Elf64_Shdr *section = section_of(file, ".gnu.version");
	const Elf64_Shdr *symbols = section_of(file, ".dynsym");
	uint16_t *versions = section ? at_offset(file, section->sh_offset, section->sh_size) : NULL;
	const Elf64_Sym *symbol;

	if (versions == NULL || symbols == NULL)
		return false;
	symbol = at_offset(file, symbols->sh_offset, symbols->sh_size);
	for (size_t i = 1; i < section->sh_size / 2; i++)
		if (symbol[i].st_shndx == SHN_UNDEF && versions[i] > 1) {
			versions[i] = 1;
			return true;
		}
	return false;
}

/* ---- unwinding */

struct unwind_entry {
	int32_t function, description;
};

static struct unwind_entry *unwind_table(const struct file *file, uint32_t **count,
					 uint64_t *address)
{
	const Elf64_Phdr *segment = segment_of(file, PT_GNU_EH_FRAME);
	uint8_t *table = segment ? at_address(file, segment->p_vaddr) : NULL;

	if (table == NULL)
		return NULL;
	*address = segment->p_vaddr;
	*count = (uint32_t *)(void *)(table + 8);
	return (struct unwind_entry *)(void *)(table + 12);
}

static bool unsorted_unwind(const struct file *file)
{
	uint64_t address;
	uint32_t *count;
	struct unwind_entry *table = unwind_table(file, &count, &address), swapped;

	if (table == NULL || *count < 4)
		return false;
	swapped = table[1];
	table[1] = table[2];
	table[2] = swapped;
	return true;
}

/* The entry of a function that was moved; -1: none. */
static int unwind_index(const struct file *file, struct unwind_entry *table, uint32_t count,
			uint64_t address)
{
	const Elf64_Sym *symbol = symbol_in(file, ".symtab", file->symbol);
	uint64_t size;

	if (moved_code(file, file->symbol, &size) == NULL)
		return -1;
	for (uint32_t i = 0; i < count; i++)
		if (address + (uint64_t)(int64_t)table[i].function == symbol->st_value)
			return (int)i;
	return -1;
}

static bool drop_unwind_entry(const struct file *file)
{
	uint64_t address;
	uint32_t *count;
	struct unwind_entry *table = unwind_table(file, &count, &address);
	int index = table ? unwind_index(file, table, *count, address) : -1;

	if (index < 0)
		return false;
	memmove(&table[index], &table[index + 1], (*count - (uint32_t)index - 1) * sizeof(*table));
	--*count;
	return true;
}

static bool wrong_unwind_entry(const struct file *file)
{
	uint64_t address;
	uint32_t *count;
	struct unwind_entry *table = unwind_table(file, &count, &address);
	int index = table ? unwind_index(file, table, *count, address) : -1;

	if (index < 1)
		return false;
	table[index].description = table[index - 1].description;
	return true;
}

static bool short_unwind_entry(const struct file *file)
{
	uint64_t address;
	uint32_t *count;
	struct unwind_entry *table = unwind_table(file, &count, &address);
	int index = table ? unwind_index(file, table, *count, address) : -1;
	uint32_t *description;

	if (index < 0)
		return false;
	/* length, CIE, start, size: pc-relative in 4 bytes each, as compilers write them */
	description = at_address(file, address + (uint64_t)(int64_t)table[index].description);
	if (description == NULL)
		return false;
	description[3] = 1;
	return true;
}

/* ---- exceptions */

/* Where the moved function's exception table is told, in *size bytes of its description. */
static uint8_t *table_field(const struct file *file, size_t *size)
{
	uint64_t address;
	uint32_t *count;
	struct unwind_entry *table = unwind_table(file, &count, &address);
	int index = table ? unwind_index(file, table, *count, address) : -1;
	uint8_t *description =
		index < 0 ? NULL
			  : at_address(file, address + (uint64_t)(int64_t)table[index].description);

	/* length, CIE, start, size, then the length of the rest, which is that */
	if (description == NULL || (description[16] != 4 && description[16] != 8))
		return NULL;
	*size = description[16];
	return description + 17;
}

static bool lose_exception_table(const struct file *file)
{
	size_t size;
	uint8_t *field = table_field(file, &size);

	if (field == NULL || memcmp(field, "\0\0\0\0", 4) == 0)
		return false;
	memset(field, 0, size);
	return true;
}

static uint8_t *skip_number(uint8_t *at)
{
	while (*at++ & 0x80)
		;
	return at;
}

/* Call change() for each call with a handler: what tells the handler, and what it catches. */
static bool each_handler(const struct file *file, void (*change)(uint8_t *pad, uint8_t *action))
{
	size_t size;
	uint8_t *field = table_field(file, &size), *at, *end;
	bool words, any = false;
	int32_t distance;
	uint64_t length = 0;

	if (field == NULL)
		return false;
	memcpy(&distance, field, sizeof(distance));
	if (distance == 0)
		return false;
	at = field + distance; /* both are in one segment */
	at += *at == 0xff ? 1 : (*at & 0x0f) == 0x04 ? 9 : 5;
	at = *at == 0xff ? at + 1 : skip_number(at + 1);
	words = *at == 0x03;
	if (!words && *at != 0x01)
		return false;
	end = skip_number(++at);
	for (int i = 0; at + i < end; i++)
		length |= (uint64_t)(at[i] & 0x7f) << (7 * i);
	at = end;
	for (end = at + length; at < end;) {
		uint8_t *pad = words ? at + 8 : skip_number(skip_number(at));
		uint8_t *action = words ? pad + 4 : skip_number(pad);

		if (words ? memcmp(pad, "\0\0\0\0", 4) != 0 : *pad != 0) {
			change(pad, action);
			any = true;
		}
		at = skip_number(action);
	}
	return any;
}

static void move_handler(uint8_t *pad, uint8_t *action)
{
	while (pad < action)
		*pad++ |= 0x7f;
}

static bool misplace_handlers(const struct file *file)
{
	return each_handler(file, move_handler);
}

static void forget_type(uint8_t *pad, uint8_t *action)
{
	(void)pad;
	*action &= 0x80;
}

/* They clean up, but catch nothing. */
static bool blind_handlers(const struct file *file)
{
	return each_handler(file, forget_type);
}

/* ---- notes, headers */

static bool other_property(const struct file *file)
{
	const Elf64_Shdr *section = section_of(file, ".note.gnu.property");

	if (section == NULL)
		return false;
	file->bytes[section->sh_offset + section->sh_size - 8] ^= 3;
	return true;
}

static bool other_build(const struct file *file)
{
	const Elf64_Shdr *section = section_of(file, ".note.gnu.build-id");

	if (section == NULL)
		return false;
	file->bytes[section->sh_offset + 16] ^= 1;
	return true;
}

static bool cut_sections(const struct file *file)
{
	return ftruncate(file->fd, (off_t)file->head->e_shoff + 100) == 0;
}

static bool other_machine(const struct file *file)
{
	file->head->e_machine = file->head->e_machine == EM_X86_64 ? EM_AARCH64 : EM_X86_64;
	return true;
}

static const struct {
	const char *name;
	bool (*apply)(const struct file *file);
} kinds[] = {
	{"crash", crash},
	{"hang", hang},
	{"return", return_at_once},
	{"crash-cold", crash_cold},
	{"wrong-byte", wrong_byte},
	{"landing-pad", lose_landing_pad},
	{"stack-executable", stack_executable},
	{"stack-gone", lose_stack},
	{"relro-gone", lose_relro},
	{"unwind-gone", lose_unwind},
	{"interpreter-gone", lose_interpreter},
	{"interpreter-other", other_interpreter},
	{"tls-short", short_tls},
	{"write-execute", write_execute},
	{"segment-beyond-end", beyond_end},
	{"segment-misplaced", misplaced},
	{"entry", bad_entry},
	{"symbol-gone", lose_symbol},
	{"symbol-misplaced", misplace_symbol},
	{"symbol-type", other_symbol_type},
	{"function-gone", lose_function},
	{"needed-gone", lose_needed},
	{"needed-other", other_needed},
	{"bind-now-gone", lose_bind_now},
	{"init", bad_init},
	{"relocation-dropped", drop_relocation},
	{"relocation-shifted", shift_relocation},
	{"relocation-stale", stale_relocation},
	{"version-gone", lose_version},
	{"unwind-unsorted", unsorted_unwind},
	{"unwind-entry-gone", drop_unwind_entry},
	{"unwind-entry-wrong", wrong_unwind_entry},
	{"unwind-entry-short", short_unwind_entry},
	{"exception-table-gone", lose_exception_table},
	{"handler-misplaced", misplace_handlers},
	{"handler-blind", blind_handlers},
	{"property", other_property},
	{"build-id", other_build},
	{"sections-cut", cut_sections},
	{"machine", other_machine},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool open_file(struct file *file, const char *path)
{
	struct stat status;

	file->fd = open(path, O_RDWR | O_CLOEXEC);
	if (file->fd < 0 || fstat(file->fd, &status) != 0 ||
	    (size_t)status.st_size < sizeof(Elf64_Ehdr))
		return false;
	file->size = (size_t)status.st_size;
	file->bytes = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
	if (file->bytes == MAP_FAILED || memcmp(file->bytes, ELFMAG, SELFMAG) != 0)
		return false;
	file->head = (Elf64_Ehdr *)(void *)file->bytes;
	file->segments = at_offset(file, file->head->e_phoff, 1);
	file->sections = at_offset(file, file->head->e_shoff, 1);
	return file->segments != NULL && file->sections != NULL;
}

int main(int argc, char **argv)
{
	struct file file = {.symbol = argc > 3 ? argv[3] : ""};

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (size_t i = 0; i < KINDS; i++)
			puts(kinds[i].name);
		return 0;
	}
	if (argc < 3)
		return 2;
	for (size_t i = 0; i < KINDS; i++) {
		if (strcmp(kinds[i].name, argv[1]) != 0)
			continue;
		if (!open_file(&file, argv[2])) {
			fprintf(stderr, "%s: no ELF file\n", argv[2]);
			return 2;
		}
		return kinds[i].apply(&file) ? 0 : 1;
	}
	fprintf(stderr, "no such kind: %s\n", argv[1]);
	return 2;
}
