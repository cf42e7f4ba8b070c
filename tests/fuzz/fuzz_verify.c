/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pgobolt/bolt/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static struct pgb_elf_image *open_bytes(const uint8_t *bytes, size_t size_bytes, int *file)
{
	struct pgb_elf_image *image;
	char path[64];

	*file = memfd_create("elf", MFD_CLOEXEC);
	if (*file < 0 || write(*file, bytes, size_bytes) != (ssize_t)size_bytes)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *file);
	return pgb_elf_image_open(&image, path, NULL) == 0 ? image : NULL;
}

/* The same bytes are the original, and, with one of them flipped, what llvm-bolt made of it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_elf_image *original, *optimized;
	struct pgb_findings findings = {0};
	int file_original, file_optimized;
	uint8_t *copy;

	if (size_bytes < 4)
		return 0;
	copy = malloc(size_bytes);
	if (copy == NULL)
		abort();
	for (size_t i = 0; i < size_bytes; i++)
		copy[i] = bytes[i];
	copy[(bytes[size_bytes - 1] | bytes[size_bytes - 2] << 8) % size_bytes] ^=
		bytes[size_bytes - 3];
	original = open_bytes(bytes, size_bytes, &file_original);
	optimized = open_bytes(copy, size_bytes, &file_optimized);
	if (original != NULL)
		(void)pgb_verify_before(original, &pgb_elf_image_binary(original)->build_id,
					&findings, NULL);
	if (original != NULL && optimized != NULL)
		(void)pgb_verify_after(original, optimized, NULL, &findings, NULL);
	for (size_t i = 0; i < findings.list.count; i++)
		if (findings.list.items[i].message[0] == '\0')
			abort();
	pgb_findings_release(&findings);
	pgb_elf_image_close(original);
	pgb_elf_image_close(optimized);
	close(file_original);
	close(file_optimized);
	free(copy);
	return 0;
}
