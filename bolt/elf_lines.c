/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/elf_lines.h"
#include "pgobolt/base/search.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgobolt/base/array.h"

/* What a file may nest, and hold of pieces of code. */
enum { SCOPES_DEEPEST = 64, INLINED_DEEPEST = 512, PIECES_MOST = 16 << 20 };

/* LLVM's: of the call that was inlined. libdw's header does not list it. */
#define DW_AT_GNU_discriminator 0x2136

/* A function that was inlined; its parent is an index here, or OUTERMOST: the function itself. */
#define OUTERMOST UINT32_MAX

struct inlined {
	const char *name;
	uint32_t declared_line;
	uint32_t call_line, discriminator;
	uint32_t parent, depth;
};

/* Code of one inlined function. */
struct piece {
	uint64_t start, end;
	uint32_t depth, inlined;
};

/* Its inlined functions are read when first asked for. */
struct function {
	struct pgb_line_function shown;
	Dwarf_Die die;
	uint32_t unit;
	bool read;
	PGB_ARRAY(struct inlined) inlined;
	PGB_ARRAY(struct piece) pieces; /* ascending by depth, then start */
};

struct pgb_elf_lines {
	const struct pgb_elf_image *image;
	int fd;
	Dwarf *dwarf;
	const char *producer;
	PGB_ARRAY(Dwarf_Die) units;
	PGB_ARRAY(struct function) functions;
	PGB_ARRAY(struct pgb_line_range) ranges;
	size_t pieces; /* in all functions together */
};

/* ---- attributes, through abstract origins and specifications */

static uint32_t number_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (dwarf_attr_integrate(die, name, &attribute) == NULL ||
	    dwarf_formudata(&attribute, &value) != 0 || value > UINT32_MAX)
		return 0;
	return (uint32_t)value;
}

static const char *name_of(Dwarf_Die *die)
{
	static const unsigned int names[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name,
					     DW_AT_name};
	Dwarf_Attribute attribute;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = dwarf_attr_integrate(die, names[i], &attribute) != NULL
					   ? dwarf_formstring(&attribute)
					   : NULL;

		if (name != NULL && name[0] != '\0')
			return name;
	}
	return NULL;
}

/* ---- functions */

/* The linker leaves 0 or all ones where it dropped a function's code. */
static bool is_code(const struct pgb_elf_lines *lines, uint64_t start, uint64_t end)
{
	for (size_t i = 1; i < pgb_elf_image_section_count(lines->image); i++) {
		const struct pgb_elf_section *section = pgb_elf_image_section(lines->image, i);

		if ((section->flags & SHF_EXECINSTR) && start >= section->address &&
		    start - section->address < section->size_bytes &&
		    end - section->address <= section->size_bytes)
			return true;
	}
	return false;
}

static void add_function(struct pgb_elf_lines *lines, Dwarf_Die *die)
{
	struct function function = {.die = *die, .unit = (uint32_t)lines->units.count - 1};
	ptrdiff_t offset = 0;
	Dwarf_Addr base, start, end;

	function.shown.name = name_of(die);
	if (function.shown.name == NULL || lines->functions.count >= UINT32_MAX)
		return;
	while ((offset = dwarf_ranges(die, offset, &base, &start, &end)) > 0) {
		if (end <= start || !is_code(lines, start, end) ||
		    lines->ranges.count >= PIECES_MOST)
			continue;
		pgb_array_push(
			&lines->ranges,
			((struct pgb_line_range){start, end, (uint32_t)lines->functions.count}));
		function.shown.range_count++;
	}
	if (function.shown.range_count == 0)
		return;
	function.shown.declared_line = number_of(die, DW_AT_decl_line);
	pgb_array_push(&lines->functions, function);
}

/* References to siblings lead forward, or nowhere. */
static bool next_die(Dwarf_Die *die)
{
	Dwarf_Off before = dwarf_dieoffset(die);

	return dwarf_siblingof(die, die) == 0 && dwarf_dieoffset(die) > before;
}

static void add_functions(struct pgb_elf_lines *lines, Dwarf_Die *parent, unsigned int depth)
{
	Dwarf_Die die;

	if (depth > SCOPES_DEEPEST || dwarf_child(parent, &die) != 0)
		return;
	do {
		switch (dwarf_tag(&die)) {
		case DW_TAG_subprogram:
			add_function(lines, &die);
			break;
		case DW_TAG_namespace:
		case DW_TAG_module:
		case DW_TAG_class_type:
		case DW_TAG_structure_type:
		case DW_TAG_union_type:
		case DW_TAG_enumeration_type:
			add_functions(lines, &die, depth + 1);
			break;
		}
	} while (next_die(&die));
}

static void add_units(struct pgb_elf_lines *lines)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;

	while (dwarf_get_units(lines->dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0) {
		Dwarf_Attribute attribute;

		if (dwarf_tag(&die) != DW_TAG_compile_unit)
			continue;
		if (lines->producer == NULL && dwarf_attr(&die, DW_AT_producer, &attribute) != NULL)
			lines->producer = dwarf_formstring(&attribute);
		pgb_array_push(&lines->units, die);
		add_functions(lines, &die, 0);
	}
}

static int compare_ranges(const void *a, const void *b)
{
	const struct pgb_line_range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->function > y->function) - (x->function < y->function);
}

/* Folded functions share their code: the first one stands for it. */
static void sort_ranges(struct pgb_elf_lines *lines)
{
	size_t kept = 0;

	if (lines->ranges.count > 1)
		qsort(lines->ranges.items, lines->ranges.count, sizeof(lines->ranges.items[0]),
		      compare_ranges);
	for (size_t i = 0; i < lines->ranges.count; i++) {
		struct pgb_line_range range = lines->ranges.items[i];

		if (kept > 0 && range.start < lines->ranges.items[kept - 1].end) {
			if (range.end <= lines->ranges.items[kept - 1].end)
				continue;
			range.start = lines->ranges.items[kept - 1].end;
		}
		lines->ranges.items[kept++] = range;
	}
	lines->ranges.count = kept;
}

/* ---- open and close */

static int fail_without(const struct pgb_elf_image *image, const char *what,
			struct pgb_error *error)
{
	pgb_fail(error, PGB_E_NOT_SUITABLE, "%s has no %s: no instruction's line is known",
		 pgb_elf_image_path(image), what);
	return pgb_remedy(error,
			  "pgobolt build --sampling -- BUILD COMMAND, and record that program; "
			  "the flags are -gline-tables-only -fdebug-info-for-profiling "
			  "-funique-internal-linkage-names");
}

/*
 * By a descriptor of its own: libdw writes into what it is given where sections are compressed,
 * and the image's file is mapped read-only.
 */
static int open_dwarf(struct pgb_elf_lines *lines, struct pgb_error *error)
{
	const char *path = pgb_elf_image_path(lines->image);

	if (pgb_elf_image_find_section(lines->image, ".debug_info") == NULL ||
	    pgb_elf_image_find_section(lines->image, ".debug_line") == NULL)
		return fail_without(lines->image, "debug information", error);
	lines->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (lines->fd < 0)
		return pgb_fail(error, pgb_code_from_errno(errno), "cannot open %s: %s", path,
				strerror(errno));
	lines->dwarf = dwarf_begin(lines->fd, DWARF_C_READ);
	if (lines->dwarf == NULL)
		return pgb_fail(error, PGB_E_CORRUPT, "%s: its debug information: %s", path,
				dwarf_errmsg(-1));
	return 0;
}

int pgb_elf_lines_open(struct pgb_elf_lines **lines_out, const struct pgb_elf_image *image,
		       struct pgb_error *error)
{
	struct pgb_elf_lines *lines = pgb_calloc(1, sizeof(*lines));
	int code;

	lines->image = image;
	lines->fd = -1;
	*lines_out = NULL;
	code = open_dwarf(lines, error);
	if (code == 0) {
		add_units(lines);
		sort_ranges(lines);
		if (lines->ranges.count == 0)
			code = fail_without(image, "functions in its debug information", error);
	}
	if (code != 0) {
		pgb_elf_lines_close(lines);
		return code;
	}
	*lines_out = lines;
	return 0;
}

void pgb_elf_lines_close(struct pgb_elf_lines *lines)
{
	if (lines == NULL)
		return;
	for (size_t i = 0; i < lines->functions.count; i++) {
		pgb_array_release(&lines->functions.items[i].inlined);
		pgb_array_release(&lines->functions.items[i].pieces);
	}
	pgb_array_release(&lines->functions);
	pgb_array_release(&lines->ranges);
	pgb_array_release(&lines->units);
	if (lines->dwarf)
		dwarf_end(lines->dwarf);
	if (lines->fd >= 0)
		close(lines->fd);
	free(lines);
}

const char *pgb_elf_lines_producer(const struct pgb_elf_lines *lines)
{
	return lines->producer ? lines->producer : "";
}

const struct pgb_line_range *pgb_elf_lines_ranges(const struct pgb_elf_lines *lines, size_t *count)
{
	*count = lines->ranges.count;
	return lines->ranges.items;
}

const struct pgb_line_function *pgb_elf_lines_function(const struct pgb_elf_lines *lines,
						       uint32_t function)
{
	return &lines->functions.items[function].shown;
}

const struct pgb_line_range *pgb_elf_lines_range_at(const struct pgb_elf_lines *lines,
						    uint64_t address)
{
	size_t at = pgb_search(lines->ranges.count, i, lines->ranges.items[i].start <= address);

	if (at == 0 || address >= lines->ranges.items[at - 1].end)
		return NULL;
	return &lines->ranges.items[at - 1];
}

/* ---- inlined functions */

static void add_pieces(struct pgb_elf_lines *lines, struct function *function, Dwarf_Die *die,
		       uint32_t depth, uint32_t inlined)
{
	ptrdiff_t offset = 0;
	Dwarf_Addr base, start, end;

	while ((offset = dwarf_ranges(die, offset, &base, &start, &end)) > 0)
		if (start < end && lines->pieces++ < PIECES_MOST)
			pgb_array_push(&function->pieces,
				       ((struct piece){start, end, depth, inlined}));
}

static void add_inlined(struct pgb_elf_lines *lines, struct function *function, Dwarf_Die *parent,
			uint32_t parent_index, uint32_t depth, unsigned int nesting)
{
	Dwarf_Die die;

	if (nesting > INLINED_DEEPEST || dwarf_child(parent, &die) != 0)
		return;
	do {
		if (dwarf_tag(&die) == DW_TAG_inlined_subroutine) {
			uint32_t index = (uint32_t)function->inlined.count;

			pgb_array_push(
				&function->inlined,
				((struct inlined){
					.name = name_of(&die),
					.declared_line = number_of(&die, DW_AT_decl_line),
					.call_line = number_of(&die, DW_AT_call_line),
					.discriminator = number_of(&die, DW_AT_GNU_discriminator),
					.parent = parent_index,
					.depth = depth,
				}));
			add_pieces(lines, function, &die, depth, index);
			add_inlined(lines, function, &die, index, depth + 1, nesting + 1);
		} else if (dwarf_tag(&die) == DW_TAG_lexical_block) {
			add_inlined(lines, function, &die, parent_index, depth, nesting + 1);
		}
	} while (next_die(&die));
}

static int compare_pieces(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->inlined > y->inlined) - (x->inlined < y->inlined);
}

static void read_inlined(struct pgb_elf_lines *lines, struct function *function)
{
	if (function->read)
		return;
	function->read = true;
	add_inlined(lines, function, &function->die, OUTERMOST, 0, 0);
	if (function->pieces.count > 1)
		qsort(function->pieces.items, function->pieces.count,
		      sizeof(function->pieces.items[0]), compare_pieces);
}

/* What is inlined at this depth, inside `parent`, there; OUTERMOST: nothing. */
static uint32_t inlined_at(const struct function *function, uint32_t depth, uint32_t parent,
			   uint64_t address)
{
	size_t at = pgb_search(function->pieces.count, i,
			       function->pieces.items[i].depth < depth ||
				       (function->pieces.items[i].depth == depth &&
					function->pieces.items[i].start <= address));

	if (at == 0 || function->pieces.items[at - 1].depth != depth ||
	    address >= function->pieces.items[at - 1].end ||
	    function->inlined.items[function->pieces.items[at - 1].inlined].parent != parent)
		return OUTERMOST;
	return function->pieces.items[at - 1].inlined;
}

/* ---- lines */

/* false: the line table has nothing there. */
static bool find_line(struct pgb_elf_lines *lines, const struct function *function,
		      uint64_t address, struct pgb_line_frame *frame)
{
	Dwarf_Line *row = dwarf_getsrc_die(&lines->units.items[function->unit], address);
	unsigned int discriminator;
	int line;

	if (row == NULL || dwarf_lineno(row, &line) != 0 || line < 0 ||
	    dwarf_linediscriminator(row, &discriminator) != 0)
		return false;
	frame->line = (uint32_t)line;
	frame->discriminator = discriminator;
	return true;
}

size_t pgb_elf_lines_frames(struct pgb_elf_lines *lines, uint64_t address,
			    struct pgb_line_frame *frames, size_t most)
{
	const struct pgb_line_range *range = pgb_elf_lines_range_at(lines, address);
	struct function *function;
	uint32_t at = OUTERMOST;
	size_t count = 1;

	if (range == NULL || most == 0)
		return 0;
	function = &lines->functions.items[range->function];
	read_inlined(lines, function);
	frames[0].function = function->shown.name;
	frames[0].declared_line = function->shown.declared_line;
	while ((at = inlined_at(function, (uint32_t)count - 1, at, address)) != OUTERMOST) {
		const struct inlined *inlined = &function->inlined.items[at];

		if (count == most || inlined->name == NULL)
			return 0;
		frames[count - 1].line = inlined->call_line;
		frames[count - 1].discriminator = inlined->discriminator;
		frames[count].function = inlined->name;
		frames[count].declared_line = inlined->declared_line;
		count++;
	}
	return find_line(lines, function, address, &frames[count - 1]) ? count : 0;
}
