/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/bolt/cfg.h"
#include "pgobolt/bolt/elf_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

/* Everything that is read out of a file must be usable, whatever the file. */
static void use_image(struct pgb_elf_image *image)
{
	volatile char sink = 0;

	for (size_t i = 0; i < pgb_elf_image_section_count(image); i++) {
		const struct pgb_elf_section *section = pgb_elf_image_section(image, i);
		const uint8_t *bytes = pgb_elf_image_section_bytes(image, section);

		sink = sink + section->name[0];
		if (bytes != NULL)
			sink = sink + (char)bytes[section->size_bytes - 1];
	}
	if (pgb_elf_image_discover(image, NULL) != 0)
		return;
	for (size_t i = 0; i < pgb_elf_image_function_count(image); i++) {
		const struct pgb_elf_function *function = pgb_elf_image_function(image, i);
		size_t left;
		const uint8_t *bytes = pgb_elf_image_bytes_at(image, function->address, &left);

		sink = sink + function->name[0];
		if (bytes != NULL)
			sink = sink + (char)bytes[left - 1];
		if (pgb_elf_image_function_named(image, function->name) == NULL)
			abort();
		if (function->max_size_bytes > 0 &&
		    pgb_elf_image_find_function(image, function->address) == NULL)
			abort();
		for (uint32_t a = 0; a < function->alias_count; a++)
			sink = sink + pgb_elf_image_alias(image, function->alias_first + a)[0];
		for (uint32_t e = 0; e < function->entry_count; e++)
			pgb_elf_image_secondary_entry(image, function->entry_first + e);
	}
}

static void use_graphs(struct pgb_elf_image *image)
{
	struct pgb_cfgs *cfgs;

	if (pgb_cfgs_new(&cfgs, image, NULL) != 0)
		return;
	for (size_t i = 0; i < pgb_elf_image_function_count(image); i++) {
		const struct pgb_cfg *cfg = pgb_cfgs_find(cfgs, pgb_elf_image_function(image, i));

		for (size_t b = 0; cfg != NULL && b < cfg->block_count; b++) {
			if (cfg->blocks[b].offset > cfg->blocks[b].offset_last ||
			    (b > 0 && cfg->blocks[b].offset <= cfg->blocks[b - 1].offset_last))
				abort();
		}
	}
	pgb_cfgs_free(cfgs);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_elf_image *image;
	char path[64];
	int file = memfd_create("elf", MFD_CLOEXEC);

	if (file < 0 || write(file, bytes, size_bytes) != (ssize_t)size_bytes)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (pgb_elf_image_open(&image, path, NULL) == 0) {
		use_image(image);
		use_graphs(image);
	}
	pgb_elf_image_close(image);
	close(file);
	return 0;
}
