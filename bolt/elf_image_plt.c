/* SPDX-License-Identifier: MIT */
/*
 * Procedure linkage tables: each entry jumps through a slot that a dynamic relocation fills, and
 * llvm-bolt makes a function SYMBOL@PLT of it (RewriteInstance::disassemblePLT). Lazily bound
 * (.plt), bound at start (.plt.got), and with branch tracking (.plt.sec).
 */
#include <inttypes.h>
#include <string.h>

#include "bolt/elf_image_private.h"
#include "pgobolt/base/search.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/insn.h"

#define ENDBR64		  0xfa1e0ff3u
#define JUMP_MEMORY_BYTES 6 /* ff 25 disp32: jmp *disp32(%rip) */

struct plt {
	struct pgb_elf_discovery *discovery;
	size_t known; /* functions from symbols */
	struct pgb_elf_slots slots;
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

static const struct pgb_elf_slot *find_slot(const struct plt *plt, uint64_t address)
{
	size_t at = pgb_search(plt->slots.count, i, plt->slots.items[i].address < address);

	return at < plt->slots.count && plt->slots.items[at].address == address
		       ? &plt->slots.items[at]
		       : NULL;
}

static const struct pgb_elf_found *find_function(const struct plt *plt, uint64_t address)
{
	size_t at = pgb_search(plt->known, i,
			       plt->discovery->found.items[i].function.address < address);

	return at < plt->known && plt->discovery->found.items[at].function.address == address
		       ? &plt->discovery->found.items[at]
		       : NULL;
}

/* The first name at the address of a symbol that this file defines; else the name itself. */
static const char *first_name(struct pgb_elf_discovery *discovery, const char *name)
{
	const struct pgb_elf_name *global = pgb_elf_names_find(&discovery->globals, name);
	size_t at;

	if (global == NULL)
		return name;
	at = pgb_search(discovery->registered.count, i,
			discovery->registered.items[i].address < global->value);
	return at < discovery->registered.count &&
			       discovery->registered.items[at].address == global->value
		       ? discovery->registered.items[at].name
		       : name;
}

/* What the slot is filled with, or NULL. */
static const char *slot_name(struct plt *plt, const struct pgb_elf_slot *slot)
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
	const struct pgb_elf_slot *slot = find_slot(plt, slot_address);
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

/* What each register holds, as far as adrp and ldr tell. */
struct registers {
	uint64_t page[32], slot[32];
	uint32_t has_page, has_slot; /* bit per register */
};

static void track_registers(struct registers *registers, uint32_t word, uint64_t address)
{
	uint32_t to = word & 31, from = word >> 5 & 31;

	if ((word & 0x9f000000) == 0x90000000) { /* adrp */
		uint64_t pages = (uint64_t)(word >> 5 & 0x7ffff) << 2 | (word >> 29 & 3);

		registers->page[to] =
			(address & ~0xfffull) + (uint64_t)((int64_t)(pages << 43) >> 31);
		registers->has_page |= 1u << to;
	} else if ((word & 0xffc00000) == 0xf9400000 && (registers->has_page >> from & 1)) {
		/* ldr, 64 bits, unsigned offset */
		registers->slot[to] = registers->page[from] + (word >> 10 & 0xfff) * 8;
		registers->has_slot |= 1u << to;
	}
}

/* adrp xA, PAGE; ldr xT, [xA, #OFF]; ..; br xT. */
static void read_aarch64_section(struct plt *plt, const struct pgb_elf_section *section,
				 const uint8_t *bytes)
{
	struct registers registers = {0};
	uint64_t entry = 0;
	bool started = false;

	for (uint64_t at = 0; at + 4 <= section->size_bytes; at += 4) {
		uint32_t word = read_u32(bytes + at), from = word >> 5 & 31;
		struct pgb_insn insn;

		if (pgb_insn_decode(PGB_INSN_AARCH64, bytes + at, 4, section->address + at,
				    &insn) != 0)
			return;
		if (!started && insn.nop)
			continue;
		if (!started) {
			registers = (struct registers){.has_page = 0};
			entry = at;
			started = true;
		}
		track_registers(&registers, word, section->address + at);
		if (insn.kind != PGB_INSN_JUMP_INDIRECT)
			continue;
		if (registers.has_slot >> from & 1)
			add_entry(plt, section, registers.slot[from], section->address + entry);
		started = false;
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

	pgb_elf_image_read_slots(image, &plt.slots);
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
