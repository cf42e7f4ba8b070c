/* SPDX-License-Identifier: MIT */
/*
 * What does pgobolt call the addresses that perf2bolt is asked about?
 *
 *	name_addresses BINARY ADDRESSES FDATA
 *
 * Takes the start of each function, places inside it and the byte behind it, and places all over
 * the executable sections. Writes to ADDRESSES one pre-aggregated line "S address number" each,
 * and to FDATA what perf2bolt -ba should make of them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pgobolt/base/array.h"
#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/bolt/profile.h"
#include "pgobolt/collector/edges.h"

static struct {
	uint64_t *items;
	size_t count, capacity;
} asked;

static void ask(uint64_t address)
{
	pgb_array_push(&asked, address);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
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

/* The number tells the addresses apart in the profile. */
static void write_addresses(FILE *addresses, struct pgb_edges *edges)
{
	qsort(asked.items, asked.count, sizeof(asked.items[0]), compare);
	for (size_t i = 0; i < asked.count; i++) {
		struct pgb_edge edge = {.kind = PGB_EDGE_IP,
					.branch = asked.items[i],
					.from = PGB_ADDRESS_NONE,
					.to = PGB_ADDRESS_NONE,
					.count = i + 1};

		if (i > 0 && asked.items[i] == asked.items[i - 1])
			continue;
		fprintf(addresses, "S %" PRIx64 " %zu\n", asked.items[i], i + 1);
		pgb_edges_add(edges, &edge);
	}
}

static int run(char **arguments, struct pgb_error *error)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_profile_stats stats = {0};
	struct pgb_edges *edges = pgb_edges_new();
	FILE *addresses = fopen(arguments[2], "w");
	struct pgb_elf_image *image = NULL;
	int code = pgb_elf_image_open(&image, arguments[1], error);

	if (code == 0 && addresses == NULL)
		code = pgb_fail(error, PGB_E_IO, "cannot write %s", arguments[2]);
	if (code == 0)
		code = pgb_elf_image_discover(image, error);
	if (code == 0) {
		ask_all(image);
		write_addresses(addresses, edges);
		code = pgb_profile_add_ip_edges(profile, image, edges, 0, &stats, error);
	}
	if (code == 0)
		code = pgb_fdata_write_file(arguments[3], profile, error);
	if (code == 0 && stats.seen != stats.written + stats.no_function + stats.external)
		code = pgb_fail(error, PGB_E_CHECK, "samples went missing");
	if (addresses != NULL)
		fclose(addresses);
	pgb_array_release(&asked);
	pgb_elf_image_close(image);
	pgb_edges_free(edges);
	pgb_profile_free(profile);
	return code;
}

int main(int argc, char **argv)
{
	struct pgb_error error = {0};

	if (argc != 4)
		return 2;
	if (run(argv, &error) != 0) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	return 0;
}
