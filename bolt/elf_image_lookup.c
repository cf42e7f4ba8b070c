/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "bolt/elf_image_private.h"
#include "pgobolt/base/search.h"

size_t pgb_elf_image_function_count(const struct pgb_elf_image *image)
{
	return image->functions.count;
}

const struct pgb_elf_function *pgb_elf_image_function(const struct pgb_elf_image *image,
						      size_t index)
{
	return index < image->functions.count ? &image->functions.items[index] : NULL;
}

const struct pgb_elf_function *pgb_elf_image_find_function(const struct pgb_elf_image *image,
							   uint64_t address)
{
	const struct pgb_elf_function *function;
	size_t behind;

	/* The last one that starts at or before the address. */
	behind =
		pgb_search(image->functions.count, i, image->functions.items[i].address <= address);
	if (behind == 0)
		return NULL;
	function = &image->functions.items[behind - 1];
	return address - function->address < function->max_size_bytes ? function : NULL;
}

const struct pgb_elf_function *pgb_elf_image_function_named(const struct pgb_elf_image *image,
							    const char *name)
{
	const struct pgb_elf_name *found =
		image->by_name.slots ? pgb_elf_names_find(&image->by_name, name) : NULL;

	return found ? &image->functions.items[found->value] : NULL;
}

const char *pgb_elf_image_alias(const struct pgb_elf_image *image, uint32_t index)
{
	return index < image->aliases.count ? image->aliases.items[index] : NULL;
}

uint64_t pgb_elf_image_secondary_entry(const struct pgb_elf_image *image, uint32_t index)
{
	return index < image->entries.count ? image->entries.items[index] : UINT64_MAX;
}

/* An earlier function keeps its name. */
static void add_name(struct pgb_elf_image *image, const char *name, size_t function)
{
	size_t used = image->by_name.used;
	struct pgb_elf_name *slot = pgb_elf_names_add(&image->by_name, name);

	if (image->by_name.used != used)
		slot->value = function;
}

void pgb_elf_image_index_names(struct pgb_elf_image *image)
{
	for (size_t i = 0; i < image->functions.count; i++) {
		const struct pgb_elf_function *function = &image->functions.items[i];

		add_name(image, function->name, i);
		for (uint32_t a = 0; a < function->alias_count; a++)
			add_name(image, image->aliases.items[function->alias_first + a], i);
	}
}
