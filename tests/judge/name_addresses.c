/* SPDX-License-Identifier: MIT */
/*
 * What does pgobolt call the addresses that perf2bolt is asked about?
 *
 *	name_addresses BINARY ADDRESSES FDATA
 *
 * Writes to ADDRESSES one pre-aggregated line "S address number" for the start of each function,
 * two places inside it and the byte behind it, and to FDATA the line "1 name offset number" that
 * perf2bolt -ba should make of it, unsorted; nothing for an address in no function.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pgobolt/base/array.h"
#include "pgobolt/bolt/elf_image.h"

static struct {
	uint64_t *items;
	size_t count, capacity;
} asked;

static void put_name(FILE *fdata, const char *name)
{
	for (; *name != '\0'; name++) {
		if (*name == ' ' || *name == '\\')
			fputc('\\', fdata);
		fputc(*name, fdata);
	}
}

static void ask(uint64_t address)
{
	pgb_array_push(&asked, address);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void answer(const struct pgb_elf_image *image, uint64_t address, uint64_t number,
		   FILE *addresses, FILE *fdata)
{
	const struct pgb_elf_function *function = pgb_elf_image_find_function(image, address);

	fprintf(addresses, "S %" PRIx64 " %" PRIu64 "\n", address, number);
	if (function == NULL)
		return;
	fprintf(fdata, "1 ");
	put_name(fdata, function->name);
	fprintf(fdata, " %" PRIx64 " %" PRIu64 "\n", address - function->address, number);
}

static void ask_all(const struct pgb_elf_image *image)
{
	for (size_t i = 0; i < pgb_elf_image_function_count(image); i++) {
		const struct pgb_elf_function *function = pgb_elf_image_function(image, i);

		ask(function->address);
		ask(function->address + function->size_bytes / 2);
		ask(function->address + function->max_size_bytes - 1);
		ask(function->address + function->max_size_bytes);
	}
	for (size_t i = 1; i < pgb_elf_image_section_count(image); i++) {
		const struct pgb_elf_section *section = pgb_elf_image_section(image, i);
		uint64_t step = section->size_bytes / 64 + 1;

		for (uint64_t at = 0; (section->flags & 4) && at < section->size_bytes; at += step)
			ask(section->address + at);
	}
}

int main(int argc, char **argv)
{
	struct pgb_error error = {0};
	struct pgb_elf_image *image;
	FILE *addresses, *fdata;

	if (argc != 4)
		return 2;
	addresses = fopen(argv[2], "w");
	fdata = fopen(argv[3], "w");
	if (addresses == NULL || fdata == NULL)
		return 1;
	if (pgb_elf_image_open(&image, argv[1], &error) != 0 ||
	    pgb_elf_image_discover(image, &error) != 0) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	ask_all(image);
	qsort(asked.items, asked.count, sizeof(asked.items[0]), compare);
	for (size_t i = 0; i < asked.count; i++) {
		if (i == 0 || asked.items[i] != asked.items[i - 1])
			answer(image, asked.items[i], i + 1, addresses, fdata);
	}
	pgb_array_release(&asked);
	pgb_elf_image_close(image);
	return fclose(addresses) != 0 || fclose(fdata) != 0;
}
