/* SPDX-License-Identifier: MIT */
/*
 * What a kernel and perf would know of an ELF file: its loadable segments and its build-id.
 */
#ifndef TESTS_LAB_IMAGE_H
#define TESTS_LAB_IMAGE_H

#include <elf.h>

#include "tests/lab/trace.h"

#define LAB_BUILD_ID_BYTES_MAX 20

struct lab_image {
	char *path;
	uint64_t device, inode;
	PGB_ARRAY(Elf64_Phdr) segments; /* PT_LOAD */
	uint8_t build_id[LAB_BUILD_ID_BYTES_MAX];
	size_t build_id_bytes;
	bool placed;
	uint64_t bias;	  /* run-time address - address in the file, where `placed` */
	uint8_t *content; /* of the whole file, once it was asked for */
	uint64_t content_bytes;
};

int lab_image_open(struct lab_image *image, const char *path, struct pgb_error *error);
void lab_image_close(struct lab_image *image);

/* Is `map` a mapping of this file? Then its bias is known. */
bool lab_image_place(struct lab_image *image, const struct lab_map *map);

/* The address in the file of a run-time address of the image's code; false: it has no such. */
bool lab_image_address(const struct lab_image *image, uint64_t address, uint64_t *file_address);

/* The code at a run-time address and how many bytes follow, or NULL. Borrowed. */
const uint8_t *lab_image_code(struct lab_image *image, uint64_t address, uint64_t *left_bytes);

#endif
