/* SPDX-License-Identifier: MIT */
#include "tests/lab/image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE_BYTES	UINT64_C(4096)
#define HEADERS_MAX	256
#define NOTES_BYTES_MAX 65536

static bool read_at(FILE *file, uint64_t offset, void *bytes, size_t size_bytes)
{
	return fseeko(file, (off_t)offset, SEEK_SET) == 0 &&
	       fread(bytes, 1, size_bytes, file) == size_bytes;
}

static void find_build_id(struct lab_image *image, const uint8_t *notes, size_t size_bytes)
{
	size_t at = 0;

	while (at + sizeof(Elf64_Nhdr) <= size_bytes) {
		size_t name, content;
		Elf64_Nhdr head;

		memcpy(&head, notes + at, sizeof(head));
		name = at + sizeof(head);
		content = name + ((size_t)head.n_namesz + 3) / 4 * 4;
		at = content + ((size_t)head.n_descsz + 3) / 4 * 4;
		if (at > size_bytes)
			return;
		if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 &&
		    memcmp(notes + name, "GNU", 4) == 0 &&
		    head.n_descsz <= LAB_BUILD_ID_BYTES_MAX) {
			memcpy(image->build_id, notes + content, head.n_descsz);
			image->build_id_bytes = head.n_descsz;
			return;
		}
	}
}

static bool read_headers(struct lab_image *image, FILE *file)
{
	Elf64_Ehdr head;

	if (!read_at(file, 0, &head, sizeof(head)) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phnum > HEADERS_MAX)
		return false;
	for (unsigned int i = 0; i < head.e_phnum; i++) {
		Elf64_Phdr segment;

		if (!read_at(file, head.e_phoff + i * sizeof(segment), &segment, sizeof(segment)))
			return false;
		if (segment.p_type == PT_LOAD)
			pgb_array_push(&image->segments, segment);
		if (segment.p_type == PT_NOTE && image->build_id_bytes == 0 &&
		    segment.p_filesz <= NOTES_BYTES_MAX) {
			uint8_t *notes = pgb_calloc(segment.p_filesz, 1);

			if (read_at(file, segment.p_offset, notes, segment.p_filesz))
				find_build_id(image, notes, segment.p_filesz);
			free(notes);
		}
	}
	return true;
}

int lab_image_open(struct lab_image *image, const char *path, struct pgb_error *error)
{
	FILE *file = fopen(path, "rb");
	struct stat status;
	int code = 0;

	*image = (struct lab_image){.placed = false};
	if (file == NULL || fstat(fileno(file), &status) != 0)
		code = pgb_fail(error, pgb_code_from_errno(errno), "cannot open %s: %s", path,
				strerror(errno));
	else if (!read_headers(image, file))
		code = pgb_fail(error, PGB_E_CORRUPT, "%s is not a 64-bit ELF file", path);
	if (file != NULL)
		fclose(file);
	if (code != 0) {
		lab_image_close(image);
		return code;
	}
	image->path = pgb_dup(path);
	image->device = status.st_dev;
	image->inode = status.st_ino;
	return 0;
}

void lab_image_close(struct lab_image *image)
{
	free(image->path);
	free(image->content);
	pgb_array_release(&image->segments);
	*image = (struct lab_image){.placed = false};
}

bool lab_image_place(struct lab_image *image, const struct lab_map *map)
{
	struct stat status;

	if (stat(map->path, &status) != 0 || status.st_dev != image->device ||
	    status.st_ino != image->inode)
		return false;
	for (size_t i = 0; i < image->segments.count; i++) {
		const Elf64_Phdr *segment = &image->segments.items[i];
		uint64_t page_offset = segment->p_offset & ~(PAGE_BYTES - 1);
		uint64_t page_address = segment->p_vaddr & ~(PAGE_BYTES - 1);

		/* what ran was in this mapping, which may begin with a segment before the code */
		if (!(segment->p_flags & PF_X) || page_offset - map->offset_file >= map->size_bytes)
			continue;
		image->bias = map->start + (page_offset - map->offset_file) - page_address;
		image->placed = true;
		return true;
	}
	return false;
}

bool lab_image_address(const struct lab_image *image, uint64_t address, uint64_t *file_address)
{
	uint64_t found = address - image->bias;

	for (size_t i = 0; image->placed && i < image->segments.count; i++) {
		const Elf64_Phdr *segment = &image->segments.items[i];

		if ((segment->p_flags & PF_X) && found - segment->p_vaddr < segment->p_memsz) {
			*file_address = found;
			return true;
		}
	}
	return false;
}

static bool load_content(struct lab_image *image)
{
	FILE *file = fopen(image->path, "rb");
	struct stat status;

	if (file != NULL && fstat(fileno(file), &status) == 0) {
		image->content_bytes = (uint64_t)status.st_size;
		image->content = pgb_calloc(image->content_bytes, 1);
		if (!read_at(file, 0, image->content, image->content_bytes))
			image->content_bytes = 0;
	}
	if (file != NULL)
		fclose(file);
	return image->content != NULL;
}

const uint8_t *lab_image_code(struct lab_image *image, uint64_t address, uint64_t *left_bytes)
{
	uint64_t file_address;

	if (!lab_image_address(image, address, &file_address) ||
	    (image->content == NULL && !load_content(image)))
		return NULL;
	for (size_t i = 0; i < image->segments.count; i++) {
		const Elf64_Phdr *segment = &image->segments.items[i];
		uint64_t inside = file_address - segment->p_vaddr;

		if (!(segment->p_flags & PF_X) || inside >= segment->p_filesz ||
		    segment->p_offset + segment->p_filesz > image->content_bytes)
			continue;
		*left_bytes = segment->p_filesz - inside;
		return image->content + segment->p_offset + inside;
	}
	return NULL;
}
