/* SPDX-License-Identifier: MIT */
/*
 * Procedure linkage tables: each entry jumps through a slot that a dynamic relocation fills, and
 * llvm-bolt makes a function SYMBOL@PLT of it (RewriteInstance::disassemblePLT). Lazily bound
 * (.plt), bound at start (.plt.got), and with branch tracking (.plt.sec).
 */
#include <inttypes.h>
#include <string.h>

#include "bolt/elf_image_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/insn.h"

#define ENDBR64		  0xfa1e0ff3u
#define JUMP_MEMORY_BYTES 6 /* ff 25 disp32: jmp *disp32(%rip) */

/* One dynamic relocation of a slot. */
struct slot {
	uint64_t address;
	const char *symbol; /* NULL: none */
	uint64_t addend;
	uint32_t type;
};

struct plt {
	struct pgb_elf_discovery *discovery;
	size_t known; /* functions from symbols */
	struct {
		struct slot *items;
		size_t count, capacity;
	} slots;
};

static const struct {
	uint16_t machine;
	const char *name;
	unsigned int entry_bytes;
} plt_sections[] = {
	{EM_X86_64, ".iplt", 16},    {EM_AARCH64, ".iplt", 0},	 {EM_X86_64, ".plt", 16},
	{EM_X86_64, ".plt.got", 8},  {EM_X86_64, ".plt.sec", 8}, {EM_AARCH64, ".plt", 0},
	{EM_AARCH64, ".plt.got", 0},
};

bool pgb_elf_image_is_plt_section(const struct pgb_elf_image *image,
				  const struct pgb_elf_section *section)
{
	for (size_t i = 0; i < sizeof(plt_sections) / sizeof(plt_sections[0]); i++) {
		if (plt_sections[i].machine == image->arch->machine &&
		    strcmp(plt_sections[i].name, section->name) == 0)
			return true;
	}
	return false;
}

/* The relocations of one dynamic relocation section (NULL: none). */
static void read_slots(struct plt *plt, const struct pgb_elf_section *section)
{
	struct pgb_elf_image *image = plt->discovery->image;
	const struct pgb_elf_section *symbols;
	Elf_Data *data, *symbol_data = NULL;
	size_t count;

	if (section == NULL || section->type != SHT_RELA)
		return;
	data = elf_getdata(elf_getscn(image->elf, section->index), NULL);
	count = data && data->d_buf ? data->d_size / sizeof(Elf64_Rela) : 0;
	symbols = pgb_elf_image_section(image, section->link);
	if (symbols != NULL && symbols->type == SHT_DYNSYM)
		symbol_data = elf_getdata(elf_getscn(image->elf, symbols->index), NULL);
	for (size_t i = 0; i < count && i < INT32_MAX; i++) {
		struct slot slot;
		GElf_Rela rela;
		GElf_Sym sym;

		if (gelf_getrela(data, (int)i, &rela) == NULL)
			break;
		slot = (struct slot){.address = rela.r_offset,
				     .addend = (uint64_t)rela.r_addend,
				     .type = (uint32_t)GELF_R_TYPE(rela.r_info)};
		if (GELF_R_SYM(rela.r_info) != 0 && symbol_data != NULL &&
		    GELF_R_SYM(rela.r_info) < INT32_MAX &&
		    gelf_getsym(symbol_data, (int)GELF_R_SYM(rela.r_info), &sym) != NULL)
			slot.symbol = elf_strptr(image->elf, symbols->link, sym.st_name);
		pgb_array_push(&plt->slots, slot);
	}
}

static int compare_slots(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* The value of an entry of the dynamic section; 0 where there is none. */
static uint64_t dynamic_value(struct pgb_elf_image *image, const struct pgb_elf_section *dynamic,
			      int64_t tag)
{
	Elf_Data *data = elf_getdata(elf_getscn(image->elf, dynamic->index), NULL);
	size_t count = data && data->d_buf ? data->d_size / sizeof(Elf64_Dyn) : 0;
	GElf_Dyn entry;

	for (size_t i = 0; i < count && i < INT32_MAX; i++) {
		if (gelf_getdyn(data, (int)i, &entry) == NULL || entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == tag)
			return entry.d_un.d_val;
	}
	return 0;
}

/*
 * The sections that the dynamic section names. A static executable has none: there llvm-bolt looks
 * at .rela.dyn alone, and slots that ld.bfd puts into .rela.plt stay without a name.
 */
static void read_all_slots(struct plt *plt)
{
	struct pgb_elf_image *image = plt->discovery->image;
	const struct pgb_elf_section *dynamic = pgb_elf_image_find_section(image, ".dynamic");
	uint64_t lazy = dynamic ? dynamic_value(image, dynamic, DT_JMPREL) : 0;
	uint64_t bound = dynamic ? dynamic_value(image, dynamic, DT_RELA) : 0;

	if (dynamic == NULL) {
		read_slots(plt, pgb_elf_image_find_section(image, ".rela.dyn"));
	} else {
		read_slots(plt, pgb_elf_image_section_at(image, lazy));
		if (bound != lazy)
			read_slots(plt, pgb_elf_image_section_at(image, bound));
	}
	if (plt->slots.count > 1)
		qsort(plt->slots.items, plt->slots.count, sizeof(plt->slots.items[0]),
		      compare_slots);
}

static const struct slot *find_slot(const struct plt *plt, uint64_t address)
{
	size_t low = 0, high = plt->slots.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (plt->slots.items[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < plt->slots.count && plt->slots.items[low].address == address
		       ? &plt->slots.items[low]
		       : NULL;
}

static const struct pgb_elf_found *find_function(const struct plt *plt, uint64_t address)
{
	size_t low = 0, high = plt->known;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (plt->discovery->found.items[middle].function.address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < plt->known && plt->discovery->found.items[low].function.address == address
		       ? &plt->discovery->found.items[low]
		       : NULL;
}

/* The first name at the address of a symbol that this file defines; else the name itself. */
static const char *first_name(struct pgb_elf_discovery *discovery, const char *name)
{
	const struct pgb_elf_name *global = pgb_elf_names_find(&discovery->globals, name);
	size_t low = 0, high = discovery->registered.count;

	if (global == NULL)
		return name;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (discovery->registered.items[middle].address < global->value)
			low = middle + 1;
		else
			high = middle;
	}
	return low < discovery->registered.count &&
			       discovery->registered.items[low].address == global->value
		       ? discovery->registered.items[low].name
		       : name;
}

/* What the slot is filled with, or NULL. */
static const char *slot_name(struct plt *plt, const struct slot *slot)
{
	const struct pgb_elf_found *target;

	if (slot->symbol != NULL)
		return first_name(plt->discovery, slot->symbol);
	if (slot->addend == 0 || slot->type != plt->discovery->image->arch->relocation_irelative)
		return NULL;
	target = find_function(plt, slot->addend);
	return target ? target->function.name : NULL;
}

static void add_entry(struct plt *plt, const struct pgb_elf_section *section, uint64_t slot_address,
		      uint64_t entry_address)
{
	const struct pgb_elf_found *known = find_function(plt, entry_address);
	const struct slot *slot = find_slot(plt, slot_address);
	const char *symbol = slot ? slot_name(plt, slot) : NULL;
	struct pgb_text name = {0};
	const char *owned;

	if (symbol == NULL || (known != NULL && plt->discovery->image->arch->has_mapping_symbols))
		return;
	pgb_text_addf(&name, "%s@PLT", symbol);
	owned = pgb_elf_image_own_string(plt->discovery->image, name.data, name.length);
	pgb_text_release(&name);
	if (known != NULL)
		pgb_array_push(&plt->discovery->aliases,
			       ((struct pgb_elf_alias){entry_address, owned,
						       (uint32_t)plt->discovery->aliases.count}));
	else
		pgb_array_push(&plt->discovery->found,
			       ((struct pgb_elf_found){.function = {.address = entry_address,
								    .name = owned,
								    .is_plt = true},
						       .section = section,
						       .simple = true}));
}

static uint32_t read_u32(const uint8_t *bytes)
{
	struct pgb_cursor cursor = pgb_cursor_of(bytes, sizeof(uint32_t));

	return pgb_cursor_u32(&cursor);
}

/* The slot of jmp *disp32(%rip), with or without a prefix; 0 for another indirect jump. */
static uint64_t x86_slot(const uint8_t *bytes, uint8_t length, uint64_t address)
{
	const uint8_t *jump = bytes + length - JUMP_MEMORY_BYTES;

	if (length < JUMP_MEMORY_BYTES || jump[0] != 0xff || jump[1] != 0x25)
		return 0;
	return address + length + (uint64_t)(int64_t)(int32_t)read_u32(jump + 2);
}

static void read_x86_section(struct plt *plt, const struct pgb_elf_section *section,
			     const uint8_t *bytes, uint64_t entry_bytes)
{
	for (uint64_t entry = 0; entry + entry_bytes <= section->size_bytes; entry += entry_bytes) {
		struct pgb_insn insn = {.length_bytes = 1};
		uint64_t at = entry, slot;

		for (; at < entry + entry_bytes; at += insn.length_bytes) {
			if (pgb_insn_decode(PGB_INSN_X86_64, bytes + at, section->size_bytes - at,
					    section->address + at, &insn) != 0)
				return;
			if (entry == 0 && entry_bytes == 8 && insn.length_bytes == 4 &&
			    read_u32(bytes + at) == ENDBR64)
				entry_bytes = 16;
			if (insn.kind == PGB_INSN_JUMP_INDIRECT)
				break;
		}
		if (at + insn.length_bytes > entry + entry_bytes)
			continue;
		slot = x86_slot(bytes + at, insn.length_bytes, section->address + at);
		if (slot != 0)
			add_entry(plt, section, slot, section->address + entry);
	}
}

/* adrp xA, PAGE; ldr xT, [xA, #OFF]; ..; br xT. */
static void read_aarch64_section(struct plt *plt, const struct pgb_elf_section *section,
				 const uint8_t *bytes)
{
	uint64_t page[32] = {0}, slot[32] = {0}; /* what each register holds, in this entry */
	uint64_t entry = 0;
	bool started = false;

	for (uint64_t at = 0; at + 4 <= section->size_bytes; at += 4) {
		uint32_t word = read_u32(bytes + at);
		uint32_t to = word & 31, from = word >> 5 & 31;
		struct pgb_insn insn;

		if (pgb_insn_decode(PGB_INSN_AARCH64, bytes + at, 4, section->address + at,
				    &insn) != 0)
			return;
		if (!started && insn.nop)
			continue;
		if (!started) {
			memset(page, 0, sizeof(page));
			memset(slot, 0, sizeof(slot));
			entry = at;
			started = true;
		}
		if ((word & 0x9f000000) == 0x90000000) { /* adrp */
			uint64_t pages = (uint64_t)(word >> 5 & 0x7ffff) << 2 | (word >> 29 & 3);

			page[to] = ((section->address + at) & ~0xfffull) +
				   (uint64_t)((int64_t)(pages << 43) >> 31);
		} else if ((word & 0xffc00000) == 0xf9400000) { /* ldr, 64 bits, unsigned offset */
			slot[to] = page[from] ? page[from] + (word >> 10 & 0xfff) * 8 : 0;
		} else if (insn.kind == PGB_INSN_JUMP_INDIRECT) {
			if (slot[from] != 0)
				add_entry(plt, section, slot[from], section->address + entry);
			started = false;
		}
	}
}

/* The head of the section, where the entries jump to be resolved. */
static void add_head(struct plt *plt, const struct pgb_elf_section *section)
{
	struct pgb_elf_discovery *discovery = plt->discovery;
	struct pgb_text name = {0};

	if (find_function(plt, section->address) != NULL)
		return;
	for (size_t i = plt->known; i < discovery->found.count; i++) {
		if (discovery->found.items[i].function.address == section->address)
			return;
	}
	pgb_text_addf(&name, "__BOLT_PSEUDO_%s", section->name);
	pgb_array_push(&discovery->found,
		       ((struct pgb_elf_found){
			       .function = {.address = section->address,
					    .name = pgb_elf_image_own_string(
						    discovery->image, name.data, name.length),
					    .is_plt = true},
			       .section = section,
			       .simple = true}));
	pgb_text_release(&name);
}

void pgb_elf_image_add_plt(struct pgb_elf_discovery *discovery)
{
	struct plt plt = {.discovery = discovery, .known = discovery->found.count};
	struct pgb_elf_image *image = discovery->image;

	read_all_slots(&plt);
	for (size_t i = 0; i < sizeof(plt_sections) / sizeof(plt_sections[0]); i++) {
		const struct pgb_elf_section *section =
			pgb_elf_image_find_section(image, plt_sections[i].name);
		const uint8_t *bytes = section ? pgb_elf_image_section_bytes(image, section) : NULL;

		if (plt_sections[i].machine != image->arch->machine || bytes == NULL)
			continue;
		if (image->arch->machine == EM_AARCH64)
			read_aarch64_section(&plt, section, bytes);
		else
			read_x86_section(&plt, section, bytes, plt_sections[i].entry_bytes);
		add_head(&plt, section);
	}
	pgb_array_release(&plt.slots);
}
