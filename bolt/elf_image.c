/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/elf_image.h"
#include "pgobolt/base/search.h"

#include <inttypes.h>
#include <string.h>

#include "bolt/elf_image_private.h"
#include "pgobolt/base/alloc.h"

#define STRINGS_BLOCK_BYTES (64 * 1024)

static int not_suitable(struct pgb_error *error, const char *path, const char *why)
{
	return pgb_fail(error, PGB_E_NOT_SUITABLE, "%s: %s", path, why);
}

/* Class, byte order, type and machine: what llvm-bolt takes. */
static int check_header(struct pgb_elf_image *image, const char *path, struct pgb_error *error)
{
	const uint8_t *bytes = image->map.bytes;
	GElf_Ehdr header;

	if (image->map.size_bytes >= 8 && memcmp(bytes, "!<arch>\n", 8) == 0)
		return not_suitable(error, path, "is an archive of object files");
	if (image->map.size_bytes < EI_NIDENT || memcmp(bytes, ELFMAG, SELFMAG) != 0)
		return not_suitable(error, path, "is not an ELF file");
	if (bytes[EI_CLASS] != ELFCLASS64)
		return not_suitable(error, path, "is a 32-bit ELF file; llvm-bolt takes 64-bit");
	if (bytes[EI_DATA] != ELFDATA2LSB)
		return not_suitable(error, path, "is a big-endian ELF file");
	if (image->map.size_bytes < sizeof(Elf64_Ehdr))
		return pgb_fail(error, PGB_E_TRUNCATED, "%s: the ELF header is cut off", path);
	image->elf = elf_memory((char *)bytes, image->map.size_bytes);
	if (image->elf == NULL || gelf_getehdr(image->elf, &header) == NULL)
		return pgb_fail(error, PGB_E_CORRUPT, "%s: %s", path, elf_errmsg(-1));
	if (header.e_type == ET_REL)
		return not_suitable(error, path, "is an object file, not a linked program");
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return not_suitable(error, path, "is neither an executable nor a shared library");
	image->arch = pgb_arch_find(header.e_machine);
	if (image->arch == NULL)
		return pgb_fail(error, PGB_E_NOT_SUITABLE,
				"%s: is for machine %u; x86-64 and AArch64 are supported", path,
				header.e_machine);
	image->type = header.e_type;
	image->entry = header.e_entry;
	return 0;
}

static int compare_loaded(const void *a, const void *b, void *context)
{
	const struct pgb_elf_section *sections = context;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (sections[x].address != sections[y].address)
		return sections[x].address < sections[y].address ? -1 : 1;
	return (x > y) - (x < y);
}

static void index_loaded(struct pgb_elf_image *image)
{
	for (size_t i = 1; i < image->sections.count; i++) {
		const struct pgb_elf_section *section = &image->sections.items[i];

		if ((section->flags & SHF_ALLOC) && !(section->flags & SHF_TLS) &&
		    section->size_bytes > 0)
			pgb_array_push(&image->loaded, (uint32_t)i);
	}
	if (image->loaded.count > 1)
		qsort_r(image->loaded.items, image->loaded.count, sizeof(image->loaded.items[0]),
			compare_loaded, image->sections.items);
}

static int read_sections(struct pgb_elf_image *image, const char *path, struct pgb_error *error)
{
	size_t count, names;
	GElf_Shdr header;

	/* A file without sections is legal; llvm-bolt cannot use it, but we can name its build. */
	if (elf_getshdrnum(image->elf, &count) != 0)
		return pgb_fail(error, PGB_E_CORRUPT, "%s: section headers: %s", path,
				elf_errmsg(-1));
	if (count == 0)
		return 0;
	if (elf_getshdrstrndx(image->elf, &names) != 0)
		return pgb_fail(error, PGB_E_CORRUPT, "%s: section names: %s", path,
				elf_errmsg(-1));
	for (size_t i = 0; i < count; i++) {
		Elf_Scn *scn = elf_getscn(image->elf, i);
		const char *name;

		if (scn == NULL || gelf_getshdr(scn, &header) == NULL)
			return pgb_fail(error, PGB_E_CORRUPT, "%s: section header %zu: %s", path, i,
					elf_errmsg(-1));
		name = elf_strptr(image->elf, names, header.sh_name);
		pgb_array_push(&image->sections, ((struct pgb_elf_section){
							 .name = name ? name : "",
							 .type = header.sh_type,
							 .flags = header.sh_flags,
							 .address = header.sh_addr,
							 .offset_file = header.sh_offset,
							 .size_bytes = header.sh_size,
							 .entry_bytes = header.sh_entsize,
							 .align = header.sh_addralign,
							 .link = header.sh_link,
							 .info = header.sh_info,
							 .index = (uint32_t)i,
						 }));
	}
	index_loaded(image);
	return 0;
}

static int read_binary(struct pgb_elf_image *image, const char *path, struct pgb_error *error)
{
	struct pgb_binary *binary = &image->binary;
	int code = pgb_binary_parse(binary, pgb_cursor_of(image->map.bytes, image->map.size_bytes));

	binary->path = pgb_dup(path);
	binary->path_open = pgb_dup(path);
	binary->device = image->map.device;
	binary->inode = image->map.inode;
	binary->size_bytes = image->map.size_bytes;
	binary->modified_ns = image->map.modified_ns;
	if (code != 0)
		return pgb_fail(error, code, "%s: the ELF program headers or notes are %s", path,
				code == PGB_E_TRUNCATED ? "cut off" : "broken");
	return 0;
}

int pgb_elf_image_open(struct pgb_elf_image **image_out, const char *path, struct pgb_error *error)
{
	struct pgb_elf_image *image = pgb_calloc(1, sizeof(*image));
	int code;

	pgb_assert(elf_version(EV_CURRENT) != EV_NONE);
	*image_out = NULL;
	code = pgb_file_map_open(&image->map, path, error);
	if (code == 0)
		code = check_header(image, path, error);
	if (code == 0)
		code = read_binary(image, path, error);
	if (code == 0)
		code = read_sections(image, path, error);
	if (code != 0) {
		pgb_elf_image_close(image);
		return code;
	}
	*image_out = image;
	return 0;
}

void pgb_elf_image_close(struct pgb_elf_image *image)
{
	if (image == NULL)
		return;
	for (size_t i = 0; i < image->strings.count; i++)
		free(image->strings.items[i]);
	pgb_array_release(&image->strings);
	pgb_array_release(&image->functions);
	pgb_array_release(&image->aliases);
	pgb_array_release(&image->entries);
	pgb_elf_names_release(&image->by_name);
	pgb_array_release(&image->sections);
	pgb_array_release(&image->loaded);
	pgb_array_release(&image->frames);
	pgb_array_release(&image->markers);
	pgb_array_release(&image->objects);
	pgb_array_release(&image->references);
	pgb_array_release(&image->distances);
	pgb_array_release(&image->code_addresses);
	pgb_array_release(&image->code_pointers);
	pgb_array_release(&image->dynamic_places);
	pgb_array_release(&image->dynamic_targets);
	if (image->elf)
		elf_end(image->elf);
	pgb_binary_release(&image->binary);
	pgb_file_map_close(&image->map);
	free(image);
}

const char *pgb_elf_image_path(const struct pgb_elf_image *image)
{
	return image->binary.path;
}

const struct pgb_binary *pgb_elf_image_binary(const struct pgb_elf_image *image)
{
	return &image->binary;
}

uint16_t pgb_elf_image_type(const struct pgb_elf_image *image)
{
	return image->type;
}

uint64_t pgb_elf_image_entry(const struct pgb_elf_image *image)
{
	return image->entry;
}

size_t pgb_elf_image_section_count(const struct pgb_elf_image *image)
{
	return image->sections.count;
}

const struct pgb_elf_section *pgb_elf_image_section(const struct pgb_elf_image *image, size_t index)
{
	return index < image->sections.count ? &image->sections.items[index] : NULL;
}

const struct pgb_elf_section *pgb_elf_image_find_section(const struct pgb_elf_image *image,
							 const char *name)
{
	for (size_t i = 1; i < image->sections.count; i++) {
		if (strcmp(image->sections.items[i].name, name) == 0)
			return &image->sections.items[i];
	}
	return NULL;
}

const struct pgb_elf_section *pgb_elf_image_section_at(const struct pgb_elf_image *image,
						       uint64_t address)
{
	const struct pgb_elf_section *section;
	size_t behind;

	/* The last one that starts at or before the address. */
	behind = pgb_search(image->loaded.count, i,
			    image->sections.items[image->loaded.items[i]].address <= address);
	if (behind == 0)
		return NULL;
	section = &image->sections.items[image->loaded.items[behind - 1]];
	return address - section->address < section->size_bytes ? section : NULL;
}

const uint8_t *pgb_elf_image_section_bytes(const struct pgb_elf_image *image,
					   const struct pgb_elf_section *section)
{
	if (section->type == SHT_NOBITS || section->size_bytes == 0 ||
	    section->offset_file > image->map.size_bytes ||
	    section->size_bytes > image->map.size_bytes - section->offset_file)
		return NULL;
	return image->map.bytes + section->offset_file;
}

const uint8_t *pgb_elf_image_bytes_at(const struct pgb_elf_image *image, uint64_t address,
				      size_t *left)
{
	for (size_t i = 0; i < image->binary.segments.count; i++) {
		const struct pgb_segment *segment = &image->binary.segments.items[i];
		uint64_t offset = address - segment->address;
		uint64_t end;

		if (address < segment->address || offset >= segment->size_file ||
		    segment->offset_file >= image->map.size_bytes ||
		    offset >= image->map.size_bytes - segment->offset_file)
			continue;
		end = segment->size_file;
		if (end > image->map.size_bytes - segment->offset_file)
			end = image->map.size_bytes - segment->offset_file;
		*left = (size_t)(end - offset);
		return image->map.bytes + segment->offset_file + offset;
	}
	return NULL;
}

bool pgb_elf_image_is_cut(const struct pgb_elf_image *image)
{
	Elf64_Ehdr head;
	uint64_t size_bytes;

	if (image->map.size_bytes < sizeof(head))
		return true;
	memcpy(&head, image->map.bytes, sizeof(head));
	size_bytes = (uint64_t)head.e_shnum * head.e_shentsize;
	return head.e_shoff != 0 && (head.e_shoff > image->map.size_bytes ||
				     size_bytes > image->map.size_bytes - head.e_shoff);
}

bool pgb_elf_image_has_symbols(const struct pgb_elf_image *image)
{
	return pgb_elf_image_find_section(image, ".symtab") != NULL;
}

bool pgb_elf_image_is_optimized(const struct pgb_elf_image *image)
{
	return pgb_elf_image_find_section(image, ".note.bolt_info") != NULL ||
	       pgb_elf_image_find_section(image, ".bolt.org.text") != NULL;
}

bool pgb_elf_image_has_code_relocations(const struct pgb_elf_image *image)
{
	return pgb_elf_image_find_section(image, ".rela.text") != NULL;
}

const char *pgb_elf_image_own_string(struct pgb_elf_image *image, const char *bytes, size_t length)
{
	char *copy;

	if (image->strings_size - image->strings_used < length + 1) {
		image->strings_size =
			length + 1 > STRINGS_BLOCK_BYTES ? length + 1 : STRINGS_BLOCK_BYTES;
		image->strings_used = 0;
		pgb_array_push(&image->strings, pgb_calloc(image->strings_size, 1));
	}
	copy = image->strings.items[image->strings.count - 1] + image->strings_used;
	memcpy(copy, bytes, length);
	copy[length] = '\0';
	image->strings_used += length + 1;
	return copy;
}
