/* SPDX-License-Identifier: MIT */
/*
 * Functions as llvm-bolt 22 finds them (RewriteInstance::discoverFileObjects and
 * adjustFunctionBoundaries): symbols first, then PLT entries, then FDEs that no symbol explains.
 */
#include <inttypes.h>
#include <string.h>

#include "bolt/elf_image_private.h"
#include "pgobolt/base/alloc.h"
#include "pgobolt/base/search.h"
#include "pgobolt/base/text.h"

static bool contains(const struct pgb_elf_function *function, uint64_t address)
{
	return address >= function->address && address - function->address < function->size_bytes;
}

static bool section_contains(const struct pgb_elf_section *section, uint64_t address)
{
	return address >= section->address && address - section->address < section->size_bytes;
}

/* May this symbol stand inside the function without being a function itself? */
static bool valid_in_scope(const struct pgb_elf_found *found, const struct pgb_elf_symbol *symbol)
{
	if (!section_contains(found->section, symbol->address))
		return false;
	if (symbol->marker)
		return true;
	if (symbol->size_bytes == 0 && contains(&found->function, symbol->address))
		return true;
	return symbol->type == STT_NOTYPE && !symbol->global;
}

static const char *count_name(struct pgb_elf_discovery *discovery, const char *name)
{
	struct pgb_elf_name *counted = pgb_elf_names_add(&discovery->local_counts, name);
	struct pgb_text text = {0};
	const char *unique;

	counted->value++;
	pgb_text_addf(&text, "%s/%" PRIu64, name, counted->value);
	unique = pgb_elf_image_own_string(discovery->image, text.data, text.length);
	pgb_text_release(&text);
	return unique;
}

/* "A/B", kept by the image. */
static const char *join(struct pgb_elf_image *image, const char *first, const char *separator,
			const char *second)
{
	struct pgb_text text = {0};
	const char *joined;

	pgb_text_addf(&text, "%s%s%s", first, separator, second);
	joined = pgb_elf_image_own_string(image, text.data, text.length);
	pgb_text_release(&text);
	return joined;
}

struct symbol_names {
	const char *unique;
	const char *alternative; /* NAME/FILE/K; NULL: none */
};

/* false: a global symbol that was seen already. */
static bool name_symbol(struct pgb_elf_discovery *discovery, const struct pgb_elf_symbol *symbol,
			struct symbol_names *names)
{
	const char *name = symbol->name;
	struct pgb_elf_name *global;

	*names = (struct symbol_names){0};
	/* What the assembler would take for a private label. */
	if (strncmp(name, ".L", 2) == 0)
		name = join(discovery->image, "PG", "", name);
	if (name[0] == '\0') {
		char number[32];

		snprintf(number, sizeof(number), "%" PRIu64, discovery->anonymous_count++);
		names->unique = join(discovery->image, "ANONYMOUS", ".", number);
		return true;
	}
	if (symbol->global) {
		size_t used = discovery->globals.used;

		global = pgb_elf_names_add(&discovery->globals, name);
		if (used == discovery->globals.used && global->value == symbol->address)
			return false;
		if (used != discovery->globals.used)
			global->value = symbol->address;
		names->unique = name;
		return true;
	}
	names->unique = count_name(discovery, name);
	if (symbol->type == STT_FUNC && symbol->file != NULL)
		names->alternative =
			count_name(discovery, join(discovery->image, name, "/", symbol->file));
	return true;
}

static void register_names(struct pgb_elf_discovery *discovery, uint64_t address,
			   const struct symbol_names *names)
{
	pgb_array_push(&discovery->registered,
		       ((struct pgb_elf_registered){address, names->unique}));
}

static void add_alias(struct pgb_elf_discovery *discovery, uint64_t function, const char *name)
{
	pgb_array_push(
		&discovery->aliases,
		((struct pgb_elf_alias){function, name, (uint32_t)discovery->aliases.count}));
}

/* The size by the FDE that starts here, if it is larger; clears `simple` on a contradiction. */
static uint64_t size_with_frame(const struct pgb_elf_discovery *discovery,
				const struct pgb_elf_symbol *symbol, bool *simple)
{
	const struct pgb_elf_frames *frames = &discovery->image->frames;
	size_t at = pgb_search(frames->count, i, frames->items[i].address < symbol->address);

	if (at == frames->count)
		return symbol->size_bytes;
	if (frames->items[at].address == symbol->address)
		return frames->items[at].size_bytes > symbol->size_bytes
			       ? frames->items[at].size_bytes
			       : symbol->size_bytes;
	if (at > 0 &&
	    symbol->address - frames->items[at - 1].address < frames->items[at - 1].size_bytes)
		*simple = false;
	return symbol->size_bytes;
}

/* Names that GCC and llvm-bolt give to the rarely executed part of a function. */
static bool is_fragment_name(const char *name)
{
	return strstr(name, ".cold") != NULL || strstr(name, ".warm") != NULL;
}

static void add_function(struct pgb_elf_discovery *discovery, const struct pgb_elf_symbol *symbol,
			 const struct symbol_names *names)
{
	struct pgb_elf_found *last =
		discovery->found.count ? &discovery->found.items[discovery->found.count - 1] : NULL;
	bool simple = true;
	uint64_t size_bytes = size_with_frame(discovery, symbol, &simple);

	if (last != NULL && last->function.address == symbol->address) {
		if (size_bytes > last->function.size_bytes)
			last->function.size_bytes = size_bytes;
		add_alias(discovery, symbol->address, names->unique);
	} else {
		struct pgb_elf_found found = {
			.function = {.address = symbol->address,
				     .size_bytes = size_bytes,
				     .name = names->unique,
				     .from_symbol = true},
			.section = &discovery->image->sections.items[symbol->section],
			.simple = simple,
		};

		pgb_array_push(&discovery->found, found);
		last = &discovery->found.items[discovery->found.count - 1];
	}
	if (is_fragment_name(symbol->name))
		last->function.is_fragment = true;
	if (names->alternative != NULL)
		add_alias(discovery, symbol->address, names->alternative);
}

/* Does the symbol belong to the function before it? Then a secondary entry may come of it. */
static bool inside_previous(struct pgb_elf_discovery *discovery, struct pgb_elf_symbol *symbol)
{
	struct pgb_elf_found *previous;

	if (discovery->found.count == 0)
		return false;
	previous = &discovery->found.items[discovery->found.count - 1];
	if (symbol->type != STT_FUNC) {
		if (contains(&previous->function, symbol->address))
			return true;
		if (previous->function.size_bytes == 0 && valid_in_scope(previous, symbol))
			return true;
	}
	if (!contains(&previous->function, symbol->address) ||
	    previous->function.address == symbol->address)
		return false;
	if (!valid_in_scope(previous, symbol)) {
		pgb_array_push(
			&discovery->entries,
			((struct pgb_elf_entry){previous->function.address,
						symbol->address - previous->function.address}));
		symbol->bounds = false;
	}
	return true;
}

static void consider_symbol(struct pgb_elf_discovery *discovery, struct pgb_elf_symbol *symbol)
{
	const struct pgb_elf_section *section = &discovery->image->sections.items[symbol->section];
	struct symbol_names names;

	if (symbol->marker)
		pgb_array_push(&discovery->image->markers,
			       ((struct pgb_elf_marker){symbol->address, symbol->name[1] == 'd'}));
	if (symbol->marker || symbol->address == 0 || strcmp(symbol->name, "__hot_start") == 0 ||
	    strcmp(symbol->name, "__hot_end") == 0)
		return;
	symbol->bounds = true;
	if (symbol->type == STT_SECTION && pgb_elf_image_is_plt_section(discovery->image, section))
		return;
	if (!name_symbol(discovery, symbol, &names))
		return;
	register_names(discovery, symbol->address, &names);
	if (symbol->section == 0 || symbol->address - section->address >= section->size_bytes ||
	    !(section->flags & SHF_EXECINSTR) || inside_previous(discovery, symbol))
		return;
	add_function(discovery, symbol, &names);
}

static int compare_found(const void *a, const void *b)
{
	const struct pgb_elf_found *x = a, *y = b;

	return (x->function.address > y->function.address) -
	       (x->function.address < y->function.address);
}

/* Functions that were put behind those from symbols take their places. */
static void sort_found(struct pgb_elf_discovery *discovery)
{
	if (discovery->found.count > 1)
		qsort(discovery->found.items, discovery->found.count,
		      sizeof(discovery->found.items[0]), compare_found);
}

static void add_frame_functions(struct pgb_elf_discovery *discovery)
{
	size_t known = discovery->found.count, next = 0;
	uint64_t end_of_last = 0;

	for (size_t i = 0; i < discovery->image->frames.count; i++) {
		const struct pgb_elf_frame *frame = &discovery->image->frames.items[i];
		const struct pgb_elf_section *section;
		char number[32];

		while (next < known &&
		       discovery->found.items[next].function.address <= frame->address)
			next++;
		if (next > 0) {
			struct pgb_elf_function *before =
				&discovery->found.items[next - 1].function;

			if (before->address == frame->address || contains(before, frame->address))
				continue;
		}
		section = pgb_elf_image_section_at(discovery->image, frame->address);
		if (frame->address < end_of_last || section == NULL)
			continue;
		snprintf(number, sizeof(number), "%" PRIx64, frame->address);
		pgb_array_push(&discovery->found,
			       ((struct pgb_elf_found){
				       .function = {.address = frame->address,
						    .size_bytes = frame->size_bytes,
						    .name = join(discovery->image,
								 "__BOLT_FDE_FUNC", "at", number)},
				       .section = section,
				       .simple = true,
			       }));
		end_of_last = frame->address + frame->size_bytes;
	}
	sort_found(discovery);
}

/* How far does the function at `index` reach, at most? Labels on the way become entries. */
static void set_bounds(struct pgb_elf_discovery *discovery, size_t index, size_t symbol)
{
	struct pgb_elf_found *found = &discovery->found.items[index];
	struct pgb_elf_function *function = &found->function;
	uint64_t end = found->section->address + found->section->size_bytes;
	uint64_t next = UINT64_MAX;

	if (index + 1 < discovery->found.count)
		next = discovery->found.items[index + 1].function.address;
	for (; symbol < discovery->symbols.count; symbol++) {
		const struct pgb_elf_symbol *at = &discovery->symbols.items[symbol];

		if (!at->bounds)
			continue;
		if (at->address >= next || !valid_in_scope(found, at)) {
			end = at->address < end ? at->address : end;
			break;
		}
		/* Assembler labels are no entries. */
		if (strncmp(at->name, ".L", 2) != 0)
			pgb_array_push(&discovery->entries,
				       ((struct pgb_elf_entry){function->address,
							       at->address - function->address}));
	}
	if (next < end)
		end = next;
	function->max_size_bytes = end - function->address;
	if (function->max_size_bytes < function->size_bytes) {
		function->max_size_bytes = function->size_bytes;
		found->simple = false;
	} else if (function->size_bytes == 0 && found->simple) {
		function->size_bytes = function->max_size_bytes;
	}
}

static void set_all_bounds(struct pgb_elf_discovery *discovery)
{
	size_t symbol = 0;

	for (size_t i = 0; i < discovery->found.count; i++) {
		uint64_t address = discovery->found.items[i].function.address;

		while (symbol < discovery->symbols.count &&
		       discovery->symbols.items[symbol].address <= address)
			symbol++;
		set_bounds(discovery, i, symbol);
	}
}

static int compare_aliases(const void *a, const void *b)
{
	const struct pgb_elf_alias *x = a, *y = b;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static int compare_entries(const void *a, const void *b)
{
	const struct pgb_elf_entry *x = a, *y = b;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Hand the result over to the image. */
static void store_functions(struct pgb_elf_discovery *discovery)
{
	struct pgb_elf_image *image = discovery->image;
	size_t alias = 0, entry = 0;

	if (discovery->aliases.count > 1)
		qsort(discovery->aliases.items, discovery->aliases.count,
		      sizeof(discovery->aliases.items[0]), compare_aliases);
	if (discovery->entries.count > 1)
		qsort(discovery->entries.items, discovery->entries.count,
		      sizeof(discovery->entries.items[0]), compare_entries);
	for (size_t i = 0; i < discovery->found.count; i++) {
		struct pgb_elf_function function = discovery->found.items[i].function;

		function.is_simple = discovery->found.items[i].simple;

		function.alias_first = (uint32_t)image->aliases.count;
		function.entry_first = (uint32_t)image->entries.count;
		for (; alias < discovery->aliases.count &&
		       discovery->aliases.items[alias].function == function.address;
		     alias++)
			pgb_array_push(&image->aliases, discovery->aliases.items[alias].name);
		for (; entry < discovery->entries.count &&
		       discovery->entries.items[entry].function == function.address;
		     entry++) {
			uint64_t offset = discovery->entries.items[entry].offset;

			if (image->entries.count > function.entry_first &&
			    image->entries.items[image->entries.count - 1] == offset)
				continue;
			pgb_array_push(&image->entries, offset);
		}
		function.alias_count = (uint32_t)image->aliases.count - function.alias_first;
		function.entry_count = (uint32_t)image->entries.count - function.entry_first;
		pgb_array_push(&image->functions, function);
	}
}

/*
 * Code or data that no symbol names behind a function. Where the function refers to it, or there
 * are no relocations, llvm-bolt leaves it alone; else it leaves the whole function alone.
 */
static void check_padding(struct pgb_elf_discovery *discovery)
{
	bool relocations = pgb_elf_image_has_code_relocations(discovery->image);

	for (size_t i = 0; i < discovery->found.count; i++) {
		struct pgb_elf_found *found = &discovery->found.items[i];

		if (pgb_elf_image_has_good_padding(discovery->image, &found->function))
			continue;
		if (relocations && !pgb_elf_image_refers_behind(discovery->image, &found->function))
			found->simple = false;
		else
			found->function.max_size_bytes = found->function.size_bytes;
	}
}

static void discover(struct pgb_elf_discovery *discovery)
{
	for (size_t i = 0; i < discovery->symbols.count; i++)
		consider_symbol(discovery, &discovery->symbols.items[i]);
	pgb_elf_image_add_plt(discovery);
	sort_found(discovery);
	add_frame_functions(discovery);
	set_all_bounds(discovery);
	check_padding(discovery);
	store_functions(discovery);
}

int pgb_elf_image_discover(struct pgb_elf_image *image, struct pgb_error *error)
{
	struct pgb_elf_discovery discovery = {.image = image};
	int code;

	if (image->discovered)
		return 0;
	code = pgb_elf_image_read_symbols(image, &discovery.symbols, error);
	if (code == 0)
		code = pgb_elf_image_read_frames(image, &image->frames, error);
	if (code == 0) {
		discover(&discovery);
		pgb_elf_image_index_names(image);
		image->discovered = true;
	}
	pgb_array_release(&discovery.symbols);
	pgb_array_release(&discovery.found);
	pgb_array_release(&discovery.aliases);
	pgb_array_release(&discovery.entries);
	pgb_array_release(&discovery.registered);
	pgb_elf_names_release(&discovery.local_counts);
	pgb_elf_names_release(&discovery.globals);
	return code;
}
