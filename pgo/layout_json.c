/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <jansson.h>

#include "pgobolt/pgo/layout_file.h"

/* JSON's numbers are read as doubles by some: whole numbers below 2^53. */
static json_t *number(uint64_t value)
{
	return json_integer(value >> 53 ? (json_int_t)1 << 53 : (json_int_t)value);
}

static json_t *text(const char *string)
{
	json_t *json = json_string(string);
	char *copy;

	if (json)
		return json;
	copy = pgb_dup(string);
	for (unsigned char *at = (unsigned char *)copy; *at; at++)
		if (*at >= 0x80)
			*at = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

static json_t *section_json(const struct pgb_layout_section *section)
{
	json_t *heat = json_array();

	for (size_t i = 0; i < section->buckets.count; i++)
		json_array_append_new(heat, number(section->buckets.items[i]));
	return json_pack("{s:o, s:o, s:o, s:o}", "name", text(section->name), "address",
			 number(section->address), "size_bytes", number(section->size_bytes),
			 "heat", heat);
}

static json_t *side_json(const struct pgb_layout_side *side)
{
	json_t *sections = json_array();

	for (size_t i = 0; i < side->sections.count; i++)
		json_array_append_new(sections, section_json(&side->sections.items[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "lines", number(side->spread.lines),
			 "lines_99", number(side->spread.lines_99), "pages",
			 number(side->spread.pages), "pages_99", number(side->spread.pages_99),
			 "sections", sections);
}

/* Which fragment a block went to, and where in it. */
static json_t *block_json(const struct pgb_layout_function *function,
			  const struct pgb_layout_block *block)
{
	json_t *json = json_pack("{s:o, s:o, s:o, s:o}", "offset", number(block->offset),
				 "size_bytes", number(block->size_bytes), "count",
				 number(block->count), "weight", number(block->weight));

	for (size_t i = 0; i < function->fragments.count; i++) {
		const struct pgb_layout_fragment *fragment = &function->fragments.items[i];
		uint64_t offset = block->address_after - fragment->address;

		if (block->address_after == PGB_LAYOUT_GONE || offset >= fragment->size_bytes)
			continue;
		json_object_set_new(json, "fragment", number(i));
		json_object_set_new(json, "offset_after", number(offset));
		json_object_set_new(json, "size_after_bytes", number(block->size_after_bytes));
		break;
	}
	return json;
}

static json_t *function_json(const struct pgb_layout_function *function)
{
	json_t *blocks = json_array(), *fragments = json_array();

	for (size_t i = 0; i < function->blocks.count; i++)
		json_array_append_new(blocks, block_json(function, &function->blocks.items[i]));
	for (size_t i = 0; i < function->fragments.count; i++)
		json_array_append_new(fragments,
				      json_pack("{s:o, s:o}", "address",
						number(function->fragments.items[i].address),
						"size_bytes",
						number(function->fragments.items[i].size_bytes)));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "name",
			 text(function->name), "address", number(function->address), "size_bytes",
			 number(function->size_bytes), "weight", number(function->weight),
			 "blocks_all", number(function->blocks_all), "blocks_run",
			 number(function->blocks_run), "moved", function->moved, "fragments",
			 fragments, "blocks", blocks);
}

json_t *pgb_layout_file_json(const struct pgb_layout *layout, const char *name, const char *id)
{
	json_t *functions = json_array();

	for (size_t i = 0; i < layout->functions.count; i++)
		json_array_append_new(functions, function_json(&layout->functions.items[i]));
	return json_pack("{s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "name", text(name), "build_id",
			 id, "samples", layout->samples, "bucket_bytes",
			 number(layout->bucket_bytes), "weight", number(layout->weight), "before",
			 side_json(&layout->before), "after", side_json(&layout->after),
			 "functions", functions);
}
