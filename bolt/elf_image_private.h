/* SPDX-License-Identifier: MIT */
/*
 * What the files bolt/elf_image*.c share. The only header outside them that knows libelf.
 */
#ifndef PGOBOLT_BOLT_ELF_IMAGE_PRIVATE_H
#define PGOBOLT_BOLT_ELF_IMAGE_PRIVATE_H

#include <gelf.h>
#include <libelf.h>

#include "pgobolt/base/array.h"
#include "pgobolt/bolt/arch.h"
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/bolt/elf_image_code.h"
#include "pgobolt/collector/file.h"

/* A secondary entry, before it is sorted into its function. */
struct pgb_elf_entry {
	uint64_t function, offset;
};

/* One FDE. */
struct pgb_elf_frame {
	uint64_t address, size_bytes;
	uint64_t lsda; /* its exception table; 0: none */
	uint32_t order;
};

struct pgb_elf_frames {
	struct pgb_elf_frame *items;
	size_t count, capacity;
};

/* A mapping symbol: from here on there is data, or code. */
struct pgb_elf_marker {
	uint64_t address;
	bool data;
};

/* A symbol with a size outside code. */
struct pgb_elf_object {
	uint64_t address, size_bytes;
};

/* A table from names to numbers. */
struct pgb_elf_name {
	const char *name; /* NULL: free; borrowed */
	uint64_t hash;
	uint64_t value;
};

struct pgb_elf_names {
	struct pgb_elf_name *slots;
	size_t slot_count, used;
};

/* NULL: not there. Valid until the next add. */
struct pgb_elf_name *pgb_elf_names_find(const struct pgb_elf_names *names, const char *name);
/* What is there, or a new one with value 0. */
struct pgb_elf_name *pgb_elf_names_add(struct pgb_elf_names *names, const char *name);
void pgb_elf_names_release(struct pgb_elf_names *names);

struct pgb_elf_image {
	struct pgb_file_map map;
	struct pgb_binary binary;
	const struct pgb_arch *arch;
	Elf *elf;
	uint16_t type;
	uint64_t entry;
	PGB_ARRAY(struct pgb_elf_section) sections;
	PGB_ARRAY(uint32_t) loaded; /* indexes of those in memory, ascending by address */

	bool discovered;
	PGB_ARRAY(struct pgb_elf_function) functions; /* ascending by address */
	PGB_ARRAY(const char *) aliases;
	PGB_ARRAY(uint64_t) entries;
	struct pgb_elf_names by_name; /* names and aliases -> index of the function */
	struct pgb_elf_frames frames; /* kept from the discovery */
	PGB_ARRAY(struct pgb_elf_marker) markers;
	PGB_ARRAY(struct pgb_elf_object) objects;

	bool code_loaded;
	PGB_ARRAY(struct pgb_elf_reference) references; /* ascending */
	PGB_ARRAY(uint64_t) code_pointers;		/* absolute relocations in data */
	PGB_ARRAY(struct pgb_elf_distance) distances;	/* PC-relative relocations in data */
	PGB_ARRAY(uint64_t) dynamic_places;		/* what the loader fills in */
	PGB_ARRAY(uint64_t) dynamic_targets;		/* with addresses: with these */
	PGB_ARRAY(uint64_t) code_addresses;		/* see pgb_elf_image_code_addresses() */

	PGB_ARRAY(char *) strings; /* blocks of the names that were made here */
	size_t strings_used, strings_size;
};

/* Fill by_name. */
void pgb_elf_image_index_names(struct pgb_elf_image *image);

/* A name of ours that lives as long as the image. */
const char *pgb_elf_image_own_string(struct pgb_elf_image *image, const char *bytes, size_t length);

/* One symbol of .symtab that lies in memory, in the order of the table. */
struct pgb_elf_symbol {
	uint64_t address, size_bytes;
	const char *name; /* of a section symbol without one: the section's */
	const char *file; /* of the FILE symbol before it; NULL: none; locals only */
	uint32_t section; /* index; 0: absolute */
	uint32_t index;	  /* in .symtab */
	uint8_t type;	  /* STT_* */
	bool global;	  /* not STB_LOCAL */
	bool marker;	  /* mapping symbol $x or $d */
	bool bounds;	  /* it may bound the function before it */
};

struct pgb_elf_symbols {
	struct pgb_elf_symbol *items;
	size_t count, capacity;
};

/*
 * llvm-bolt's choice of symbols (facts in elf_image_symbols.c), stable-sorted by address.
 * PGB_E_CORRUPT, PGB_E_LIMIT.
 */
int pgb_elf_image_read_symbols(struct pgb_elf_image *image, struct pgb_elf_symbols *symbols,
			       struct pgb_error *error);

/* FDEs of .eh_frame, ascending, one per address. PGB_E_CORRUPT. */
int pgb_elf_image_read_frames(struct pgb_elf_image *image, struct pgb_elf_frames *list,
			      struct pgb_error *error);

uint64_t pgb_elf_read_uleb128(struct pgb_cursor *cursor);
/* Two's complement. */
uint64_t pgb_elf_read_sleb128(struct pgb_cursor *cursor);
/*
 * A pointer in a DW_EH_PE_* encoding; the cursor's offset is the address it stands at. Unknown
 * encodings make the cursor truncated. Indirect ones give the address of the pointer.
 */
uint64_t pgb_elf_read_encoded(struct pgb_cursor *cursor, uint8_t encoding);

/* A function while functions are discovered. */
struct pgb_elf_found {
	struct pgb_elf_function function; /* names and entries are put in at the end */
	const struct pgb_elf_section *section;
	bool simple; /* false: symbol and FDE contradict each other */
};

/* `count` numbers or names that belong to the function at `function`. */
struct pgb_elf_alias {
	uint64_t function;
	const char *name;
	uint32_t order;
};

/* A name at an address, functions or not; the first at an address stands for it. */
struct pgb_elf_registered {
	uint64_t address;
	const char *name;
};

struct pgb_elf_discovery {
	struct pgb_elf_image *image;
	struct pgb_elf_symbols symbols;
	struct pgb_elf_names local_counts; /* NAME or NAME/FILE -> how many so far */
	struct pgb_elf_names globals;	   /* NAME -> address */
	PGB_ARRAY(struct pgb_elf_found) found;
	PGB_ARRAY(struct pgb_elf_alias) aliases;
	PGB_ARRAY(struct pgb_elf_entry) entries;
	PGB_ARRAY(struct pgb_elf_registered) registered; /* ascending */
	uint64_t anonymous_count;
};

bool pgb_elf_image_is_plt_section(const struct pgb_elf_image *image,
				  const struct pgb_elf_section *section);
/* Put the pseudo functions of the procedure linkage tables behind `found`, which is sorted. */
void pgb_elf_image_add_plt(struct pgb_elf_discovery *discovery);

/* One dynamic relocation. */
struct pgb_elf_slot {
	uint64_t address;
	const char *symbol; /* NULL: none */
	uint64_t addend;
	uint32_t type;
};

struct pgb_elf_slots {
	struct pgb_elf_slot *items;
	size_t count, capacity;
};

/* Those that llvm-bolt looks at, ascending; released by the caller. */
void pgb_elf_image_read_slots(struct pgb_elf_image *image, struct pgb_elf_slots *slots);
/* Fill dynamic_places and dynamic_targets, unsorted. */
void pgb_elf_image_read_dynamic_places(struct pgb_elf_image *image);

/* Is there nothing but padding between size_bytes and max_size_bytes? */
bool pgb_elf_image_has_good_padding(const struct pgb_elf_image *image,
				    const struct pgb_elf_function *function);

/* x86-64: does the function name an address between size_bytes and max_size_bytes? */
bool pgb_elf_image_refers_behind(const struct pgb_elf_image *image,
				 const struct pgb_elf_function *function);

/* The allocated section with bytes at this address; NULL: none. */
const struct pgb_elf_section *pgb_elf_image_section_at(const struct pgb_elf_image *image,
						       uint64_t address);

#endif
