/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <inttypes.h>

#include "pgo/cli/dump.h"
#include "pgobolt/bolt/arch.h"
#include "pgobolt/bolt/elf_image.h"

static const char *machine_name(uint16_t machine)
{
	const struct pgb_arch *arch = pgb_arch_find(machine);

	return arch ? arch->name : "unknown machine";
}

static const char *type_name(struct pgb_elf_image *image)
{
	const struct pgb_elf_section *interpreter = pgb_elf_image_find_section(image, ".interp");

	if (pgb_elf_image_type(image) == ET_EXEC)
		return interpreter ? "executable at a fixed address"
				   : "static executable at a fixed address";
	return interpreter ? "position-independent executable"
			   : "shared library or static position-independent executable";
}

static bool is_cut(const struct pgb_binary *binary)
{
	for (size_t i = 0; i < binary->segments.count; i++) {
		const struct pgb_segment *segment = &binary->segments.items[i];

		if (segment->offset_file > binary->size_bytes ||
		    segment->size_file > binary->size_bytes - segment->offset_file)
			return true;
	}
	return false;
}

static void print_facts(const struct dump *dump, struct pgb_elf_image *image)
{
	const struct pgb_binary *binary = pgb_elf_image_binary(image);
	char *build_id = pgb_build_id_string(&binary->build_id);
	struct pgb_table table = {.columns = 2, .indent = 2};

	pgb_table_pair(&table, "type", "%s, %s", machine_name(binary->machine), type_name(image));
	pgb_table_pair(&table, "size", "%" PRIu64 " bytes%s", binary->size_bytes,
		       is_cut(binary) ? ", cut: segments lie beyond its end" : "");
	pgb_table_pair(&table, "build-id", "%s", build_id[0] ? build_id : "none");
	pgb_table_pair(&table, "entry", "%" PRIx64, pgb_elf_image_entry(image));
	pgb_table_pair(&table, "symbols", "%s",
		       pgb_elf_image_has_symbols(image) ? "yes" : "none: it was stripped");
	pgb_table_pair(&table, "relocations of code", "%s",
		       pgb_elf_image_has_code_relocations(image)
			       ? "kept"
			       : "not kept: link with -Wl,--emit-relocs");
	pgb_table_pair(&table, "functions", "%zu", pgb_elf_image_function_count(image));
	pgb_table_print(&table, dump->output);
	pgb_table_release(&table);
	free(build_id);
}

static void print_segments(const struct dump *dump, const struct pgb_binary *binary)
{
	static const char *const heads[] = {"ADDRESS",	 "OFFSET", "IN FILE",
					    "IN MEMORY", "ALIGN",  "FLAGS"};
	struct pgb_table table = {.columns = 6, .right = "rrrrr-", .header = true, .indent = 2};

	pgb_output_heading(dump->output, "Segments");
	pgb_dump_heads(&table, heads);
	for (size_t i = 0; i < binary->segments.count; i++) {
		const struct pgb_segment *segment = &binary->segments.items[i];

		pgb_table_cell(&table, "%" PRIx64, segment->address);
		pgb_table_cell(&table, "%" PRIx64, segment->offset_file);
		pgb_table_cell(&table, "%" PRIx64, segment->size_file);
		pgb_table_cell(&table, "%" PRIx64, segment->size_memory);
		pgb_table_cell(&table, "%" PRIx64, segment->align);
		pgb_table_cell(&table, "%c%c%c", segment->flags & PF_R ? 'r' : '-',
			       segment->flags & PF_W ? 'w' : '-',
			       segment->flags & PF_X ? 'x' : '-');
	}
	pgb_table_print(&table, dump->output);
	pgb_table_release(&table);
}

static void print_functions(const struct dump *dump, const struct pgb_elf_image *image)
{
	size_t count = pgb_elf_image_function_count(image);
	struct pgb_table table = {.columns = 4, .right = "rr--", .header = true, .indent = 2};

	if (count == 0)
		return;
	pgb_output_heading(dump->output, "Functions, named as in profiles");
	pgb_table_cell(&table, "ADDRESS");
	pgb_table_cell(&table, "SIZE");
	pgb_table_cell(&table, "NAME");
	pgb_table_cell(&table, "%s", "");
	for (size_t i = 0; i < pgb_dump_rows(dump, count); i++) {
		const struct pgb_elf_function *function = pgb_elf_image_function(image, i);

		pgb_table_cell(&table, "%" PRIx64, function->address);
		pgb_table_cell(&table, "%" PRIu64, function->size_bytes);
		pgb_table_cell(&table, "%s", function->name);
		pgb_table_cell(&table, "%s",
			       function->is_plt		? "PLT"
			       : function->is_fragment	? "cold part"
			       : !function->from_symbol ? "unwind table only"
							: "");
	}
	pgb_table_print(&table, dump->output);
	pgb_table_release(&table);
	pgb_dump_left_out(dump, count);
}

static json_t *functions_json(const struct dump *dump, const struct pgb_elf_image *image)
{
	json_t *list = json_array();

	for (size_t i = 0; i < pgb_dump_rows(dump, pgb_elf_image_function_count(image)); i++) {
		const struct pgb_elf_function *function = pgb_elf_image_function(image, i);

		json_array_append_new(
			list, json_pack("{s:o, s:o, s:o, s:b, s:b}", "name",
					pgb_json_text(function->name), "address",
					pgb_dump_address(function->address), "size_bytes",
					pgb_dump_count(function->size_bytes), "plt",
					function->is_plt, "fragment", function->is_fragment));
	}
	return list;
}

static json_t *elf_json(const struct dump *dump, struct pgb_elf_image *image)
{
	const struct pgb_binary *binary = pgb_elf_image_binary(image);
	json_t *document = pgb_dump_document(dump), *segments = json_array();
	char *build_id = pgb_build_id_string(&binary->build_id);

	for (size_t i = 0; i < binary->segments.count; i++) {
		const struct pgb_segment *segment = &binary->segments.items[i];

		json_array_append_new(segments,
				      json_pack("{s:o, s:o, s:o, s:o, s:i}", "address",
						pgb_dump_address(segment->address), "offset_file",
						pgb_dump_address(segment->offset_file), "size_file",
						pgb_dump_count(segment->size_file), "size_memory",
						pgb_dump_count(segment->size_memory), "flags",
						(int)segment->flags));
	}
	json_object_update_new(
		document, json_pack("{s:s, s:o, s:s?, s:o, s:b, s:b, s:I, s:o, s:o}", "machine",
				    machine_name(binary->machine), "size_bytes",
				    pgb_dump_count(binary->size_bytes), "build_id",
				    build_id[0] ? build_id : NULL, "entry",
				    pgb_dump_address(pgb_elf_image_entry(image)), "symbols",
				    pgb_elf_image_has_symbols(image), "code_relocations",
				    pgb_elf_image_has_code_relocations(image), "function_count",
				    (json_int_t)pgb_elf_image_function_count(image), "segments",
				    segments, "functions", functions_json(dump, image)));
	free(build_id);
	return document;
}

int pgb_dump_elf(const struct dump *dump, struct pgb_error *error)
{
	struct pgb_elf_image *image;
	int code = pgb_elf_image_open(&image, dump->path, error);

	if (code)
		return code;
	code = pgb_elf_image_discover(image, error);
	if (code == 0) {
		pgb_dump_title(dump, "");
		print_facts(dump, image);
		print_segments(dump, pgb_elf_image_binary(image));
		print_functions(dump, image);
		pgb_output_json(dump->output, elf_json(dump, image));
	}
	pgb_elf_image_close(image);
	return code;
}
