/* SPDX-License-Identifier: MIT */
/* A sample profile of whatever the file says about its lines. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/bolt/elf_lines.h"
#include "pgobolt/pgo/sample_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

enum { RANGES_MOST = 64 };

/* Everything ran, from end to end and into what comes next. */
static struct pgb_edges *edges_of(const struct pgb_elf_image *image)
{
	struct pgb_edges *edges = pgb_edges_new();
	const struct pgb_line_range *ranges;
	struct pgb_elf_lines *lines;
	size_t count;

	if (pgb_elf_lines_open(&lines, image, NULL) != 0)
		return edges;
	ranges = pgb_elf_lines_ranges(lines, &count);
	for (size_t i = 0; i < count && i < RANGES_MOST; i++) {
		struct pgb_edge edge = {.kind = PGB_EDGE_TRACE,
					.branch = ranges[i / 2].start,
					.from = ranges[i].start,
					.to = ranges[i].end - 1,
					.count = UINT64_MAX / 2};

		pgb_edges_add(edges, &edge);
		edge.to = ranges[i].start;
		edge.branch = PGB_ADDRESS_EXTERNAL;
		pgb_edges_add(edges, &edge);
	}
	pgb_elf_lines_close(lines);
	return edges;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_sample_profile *profile = NULL;
	struct pgb_sample_stats stats;
	struct pgb_elf_image *image;
	struct pgb_edges *edges;
	char path[64];
	int file = memfd_create("elf", MFD_CLOEXEC);
	FILE *nothing = fopen("/dev/null", "w");

	if (nothing == NULL || file < 0 || write(file, bytes, size_bytes) != (ssize_t)size_bytes)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (pgb_elf_image_open(&image, path, NULL) == 0 &&
	    pgb_elf_image_discover(image, NULL) == 0) {
		edges = edges_of(image);
		if (pgb_sample_profile_new(&profile, image, edges, 0, &stats, NULL) == 0)
			pgb_sample_profile_write(profile, nothing);
		pgb_sample_profile_free(profile);
		pgb_edges_free(edges);
	}
	pgb_elf_image_close(image);
	fclose(nothing);
	close(file);
	return 0;
}
