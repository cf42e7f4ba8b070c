/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/binary.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgobolt/base/hash.h"
#include "pgobolt/base/text.h"

enum {
	/* Program headers and notes are small; more than this of a PT_NOTE is not looked at. */
	NOTE_BYTES = 1024 * 1024,
	HASH_STEP_BYTES = 65536,
	HEADER_BYTES = sizeof(Elf64_Ehdr),
	PROGRAM_HEADER_BYTES = sizeof(Elf64_Phdr),
	SECTION_HEADER_BYTES = sizeof(Elf64_Shdr),
};

/* A file of which only pieces are read: in memory, or behind a descriptor. */
struct image {
	struct pgb_cursor whole; /* used where fd is -1 */
	int fd;
	uint64_t size_bytes;
	uint8_t *buffer; /* the last piece read from fd */
	int error_number;
};

static ssize_t read_at(int fd, void *bytes, size_t size_bytes, uint64_t offset)
{
	size_t done = 0;

	while (done < size_bytes) {
		ssize_t got =
			pread(fd, (char *)bytes + done, size_bytes - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* `size_bytes` is bounded by the caller. Valid until the next piece. */
static int image_piece(struct image *image, uint64_t offset, uint64_t size_bytes,
		       struct pgb_cursor *piece)
{
	ssize_t got;

	if (offset > image->size_bytes || size_bytes > image->size_bytes - offset)
		return PGB_E_TRUNCATED;
	if (image->fd < 0) {
		struct pgb_cursor rest = image->whole;

		pgb_cursor_skip(&rest, offset);
		*piece = pgb_cursor_sub(&rest, size_bytes);
		return 0;
	}
	image->buffer = pgb_realloc_array(image->buffer, size_bytes, 1);
	got = read_at(image->fd, image->buffer, size_bytes, offset);
	if (got < 0) {
		image->error_number = errno;
		return PGB_E_IO;
	}
	if ((uint64_t)got < size_bytes)
		return PGB_E_TRUNCATED;
	*piece = pgb_cursor_of(image->buffer, size_bytes);
	return 0;
}

/* What of the ELF header is needed further on. */
struct head {
	uint64_t program_headers_offset, section_headers_offset;
	uint64_t program_header_count;
};

static int parse_head(struct pgb_binary *binary, struct image *image, struct head *head)
{
	struct pgb_cursor at;
	const uint8_t *identity;
	uint16_t type, program_header_bytes;
	int code = image_piece(image, 0, HEADER_BYTES, &at);

	if (code == PGB_E_TRUNCATED) {
		/* Too short for a header; is it the beginning of one? */
		if (image_piece(image, 0, SELFMAG, &at) == 0 && memcmp(at.at, ELFMAG, SELFMAG) != 0)
			return PGB_E_CORRUPT;
		return PGB_E_TRUNCATED;
	}
	if (code != 0)
		return code;
	identity = pgb_cursor_bytes(&at, EI_NIDENT);
	if (memcmp(identity, ELFMAG, SELFMAG) != 0)
		return PGB_E_CORRUPT;
	if (identity[EI_CLASS] != ELFCLASS64 || identity[EI_DATA] != ELFDATA2LSB)
		return PGB_E_UNSUPPORTED;
	type = pgb_cursor_u16(&at);
	binary->machine = pgb_cursor_u16(&at);
	binary->fixed_address = type == ET_EXEC;
	pgb_cursor_skip(&at, 4 + 8); /* e_version, e_entry */
	head->program_headers_offset = pgb_cursor_u64(&at);
	head->section_headers_offset = pgb_cursor_u64(&at);
	pgb_cursor_skip(&at, 4 + 2); /* e_flags, e_ehsize */
	program_header_bytes = pgb_cursor_u16(&at);
	head->program_header_count = pgb_cursor_u16(&at);
	if (head->program_header_count > 0 && program_header_bytes != PROGRAM_HEADER_BYTES)
		return PGB_E_CORRUPT;
	return 0;
}

/* PN_XNUM: the true number of program headers stands in sh_info of section header 0. */
static int extended_count(struct image *image, struct head *head)
{
	struct pgb_cursor at;
	int code;

	if (head->program_header_count != PN_XNUM)
		return 0;
	code = image_piece(image, head->section_headers_offset, SECTION_HEADER_BYTES, &at);
	if (code != 0)
		return code;
	pgb_cursor_skip(&at, offsetof(Elf64_Shdr, sh_info));
	head->program_header_count = pgb_cursor_u32(&at);
	return 0;
}

struct note_place {
	uint64_t offset, size_bytes, align;
};

typedef PGB_ARRAY(struct note_place) note_places;

static int parse_program_headers(struct pgb_binary *binary, struct image *image,
				 const struct head *head, note_places *notes)
{
	struct pgb_cursor at;
	int code;

	if (head->program_header_count > PGB_LIMIT_SEGMENTS)
		return PGB_E_CORRUPT;
	code = image_piece(image, head->program_headers_offset,
			   head->program_header_count * PROGRAM_HEADER_BYTES, &at);
	if (code != 0)
		return code;
	for (uint64_t i = 0; i < head->program_header_count; i++) {
		uint32_t type = pgb_cursor_u32(&at);
		struct pgb_segment segment = {.flags = pgb_cursor_u32(&at)};

		segment.offset_file = pgb_cursor_u64(&at);
		segment.address = pgb_cursor_u64(&at);
		pgb_cursor_skip(&at, 8); /* p_paddr */
		segment.size_file = pgb_cursor_u64(&at);
		segment.size_memory = pgb_cursor_u64(&at);
		segment.align = pgb_cursor_u64(&at);
		if (type == PT_LOAD) {
			pgb_array_push(&binary->segments, segment);
		} else if (type == PT_NOTE) {
			struct note_place place = {segment.offset_file, segment.size_file,
						   segment.align};

			pgb_array_push(notes, place);
		}
	}
	return 0;
}

/* Move to the next multiple of `align` in the note segment; its end may lack the padding. */
static void skip_padding(struct pgb_cursor *at, const uint8_t *start, uint64_t align)
{
	uint64_t over = (uint64_t)(at->at - start) % align;

	if (over != 0)
		pgb_cursor_skip(at, align - over);
}

/* The NT_GNU_BUILD_ID of one PT_NOTE; size 0 where there is none. */
static void find_build_id(struct pgb_cursor at, uint64_t align, struct pgb_build_id *id)
{
	const uint8_t *start = at.at;

	/* Only notes of alignment 8 pad to 8 (gABI); 0 and 1 are written for 4. */
	align = align == 8 ? 8 : 4;
	while (pgb_cursor_left(&at) > 0) {
		uint32_t name_bytes = pgb_cursor_u32(&at);
		uint32_t value_bytes = pgb_cursor_u32(&at);
		uint32_t type = pgb_cursor_u32(&at);
		const uint8_t *name = pgb_cursor_bytes(&at, name_bytes);
		const uint8_t *value;

		skip_padding(&at, start, align);
		value = pgb_cursor_bytes(&at, value_bytes);
		if (name == NULL || value == NULL)
			return;
		if (type == NT_GNU_BUILD_ID && name_bytes == sizeof(ELF_NOTE_GNU) &&
		    memcmp(name, ELF_NOTE_GNU, name_bytes) == 0 && value_bytes > 0 &&
		    value_bytes <= PGB_LIMIT_BUILD_ID_BYTES) {
			id->size_bytes = (uint8_t)value_bytes;
			memcpy(id->bytes, value, value_bytes);
			return;
		}
		skip_padding(&at, start, align);
	}
}

static void parse_notes(struct pgb_binary *binary, struct image *image, const note_places *notes)
{
	for (size_t i = 0; i < notes->count && binary->build_id.size_bytes == 0; i++) {
		const struct note_place *place = &notes->items[i];
		uint64_t size = place->size_bytes < NOTE_BYTES ? place->size_bytes : NOTE_BYTES;
		struct pgb_cursor at;

		if (image_piece(image, place->offset, size, &at) == 0)
			find_build_id(at, place->align, &binary->build_id);
	}
}

static int parse_image(struct pgb_binary *binary, struct image *image)
{
	note_places notes = {0};
	struct head head;
	int code;

	binary->kind = PGB_BINARY_NOT_ELF;
	code = parse_head(binary, image, &head);
	if (code == 0)
		code = extended_count(image, &head);
	if (code == 0)
		code = parse_program_headers(binary, image, &head, &notes);
	if (code == 0) {
		binary->kind = PGB_BINARY_ELF;
		parse_notes(binary, image, &notes);
	}
	pgb_array_release(&notes);
	return code;
}

int pgb_binary_parse(struct pgb_binary *binary, struct pgb_cursor bytes)
{
	struct image image = {.whole = bytes, .fd = -1, .size_bytes = pgb_cursor_left(&bytes)};

	return parse_image(binary, &image);
}

static int fail_read(struct pgb_error *error, int number, const char *path)
{
	return pgb_fail(error, pgb_code_from_errno(number), "cannot read %s: %s", path,
			strerror(number));
}

/* One executable segment into the hash. */
static int hash_segment(int fd, const struct pgb_segment *segment, uint64_t *state)
{
	uint64_t offset = segment->offset_file, left = segment->size_file;
	uint8_t *buffer;
	int code = 0;

	*state = pgb_hash_combine(pgb_hash_combine(*state, segment->address), left);
	if (offset < HEADER_BYTES && left > HEADER_BYTES - offset) {
		left -= HEADER_BYTES - offset;
		offset = HEADER_BYTES;
	}
	buffer = pgb_calloc(HASH_STEP_BYTES, 1);
	while (left > 0 && code == 0) {
		size_t step = left < HASH_STEP_BYTES ? (size_t)left : HASH_STEP_BYTES;
		ssize_t got = read_at(fd, buffer, step, offset);

		if (got < 0)
			code = PGB_E_IO;
		else if ((size_t)got < step)
			code = PGB_E_TRUNCATED;
		else
			*state = pgb_hash_stream(*state, buffer, step);
		offset += step;
		left -= step;
	}
	free(buffer);
	return code;
}

static int hash_code(struct pgb_binary *binary, int fd, struct pgb_error *error)
{
	uint64_t state = PGB_HASH_SEED, total = 0;

	for (size_t i = 0; i < binary->segments.count; i++) {
		const struct pgb_segment *segment = &binary->segments.items[i];
		int code;

		if (!(segment->flags & PF_X))
			continue;
		/* Also keeps a lying size from reading for ever. */
		if (segment->offset_file > binary->size_bytes ||
		    segment->size_file > binary->size_bytes - segment->offset_file)
			code = PGB_E_TRUNCATED;
		else
			code = hash_segment(fd, segment, &state);
		if (code == PGB_E_TRUNCATED)
			return pgb_fail(error, code, "cannot read %s: it ends inside its code",
					binary->path_open);
		if (code != 0)
			return fail_read(error, errno, binary->path_open);
		total += segment->size_file;
	}
	binary->code_hash = pgb_hash_combine(state, total);
	return 0;
}

int pgb_binary_hash_code(struct pgb_binary *binary, struct pgb_error *error)
{
	int fd, code;

	if (binary->code_hash != 0)
		return 0;
	if (binary->kind != PGB_BINARY_ELF)
		return pgb_fail(error, PGB_E_NOT_SUITABLE, "%s is not a 64-bit ELF file",
				binary->path);
	fd = open(binary->path_open, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail_read(error, errno, binary->path_open);
	code = hash_code(binary, fd, error);
	close(fd);
	return code;
}

int pgb_binary_read_descriptor(struct pgb_binary *binary, const char *path, const char *path_open,
			       int fd, struct pgb_error *error)
{
	struct image image = {.fd = fd};
	struct stat status;
	int code;

	*binary = (struct pgb_binary){.path = pgb_dup(path),
				      .path_open = pgb_dup(path_open),
				      .kind = PGB_BINARY_UNREADABLE};
	if (fstat(fd, &status) != 0)
		return fail_read(error, errno, path_open);
	if (!S_ISREG(status.st_mode))
		return pgb_fail(error, PGB_E_IO, "cannot read %s: it is not a regular file",
				path_open);
	binary->device = status.st_dev;
	binary->inode = status.st_ino;
	binary->size_bytes = image.size_bytes = (uint64_t)status.st_size;
	binary->modified_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
	code = parse_image(binary, &image);
	free(image.buffer);
	if (code == PGB_E_IO) {
		binary->kind = PGB_BINARY_UNREADABLE;
		return fail_read(error, image.error_number, path_open);
	}
	/* A file cut inside its code has no hash: it stays what can be told of it. */
	if (binary->kind == PGB_BINARY_ELF && binary->build_id.size_bytes == 0)
		(void)hash_code(binary, fd, NULL);
	return 0;
}

int pgb_binary_read(struct pgb_binary *binary, const char *path, const char *path_open,
		    struct pgb_error *error)
{
	int fd = open(path_open, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int code;

	if (fd < 0) {
		*binary = (struct pgb_binary){.path = pgb_dup(path),
					      .path_open = pgb_dup(path_open),
					      .kind = PGB_BINARY_UNREADABLE};
		return fail_read(error, errno, path_open);
	}
	code = pgb_binary_read_descriptor(binary, path, path_open, fd, error);
	close(fd);
	return code;
}

void pgb_binary_release(struct pgb_binary *binary)
{
	if (binary->fd_held > 0)
		close(binary->fd_held);
	free(binary->path);
	free(binary->path_open);
	pgb_array_release(&binary->segments);
	*binary = (struct pgb_binary){0};
}

/* Bytes that two ranges, given by start and size, have in common; ends may lie beyond 2^64. */
static uint64_t common_bytes(uint64_t start_a, uint64_t size_a, uint64_t start_b, uint64_t size_b)
{
	uint64_t apart;

	if (start_a > start_b)
		return common_bytes(start_b, size_b, start_a, size_a);
	apart = start_b - start_a;
	if (size_a <= apart)
		return 0;
	return size_a - apart < size_b ? size_a - apart : size_b;
}

static bool same_aligned_offset(const struct pgb_segment *segment, uint64_t offset_file)
{
	uint64_t align = segment->align ? segment->align : 1;

	return segment->offset_file - segment->offset_file % align ==
	       offset_file - offset_file % align;
}

bool pgb_binary_bias(const struct pgb_binary *binary, uint64_t start, uint64_t length,
		     uint64_t offset_file, uint64_t *bias)
{
	const struct pgb_segment *best = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < binary->segments.count; i++) {
		const struct pgb_segment *segment = &binary->segments.items[i];
		uint64_t common =
			common_bytes(segment->offset_file, segment->size_file, offset_file, length);

		if (!(segment->flags & PF_X))
			continue;
		if (common > most || (best == NULL && same_aligned_offset(segment, offset_file))) {
			best = segment;
			most = common;
		}
	}
	if (best == NULL)
		return false;
	*bias = start - (best->address - best->offset_file + offset_file);
	return true;
}

char *pgb_binary_id(const struct pgb_binary *binary)
{
	if (binary->build_id.size_bytes > 0)
		return pgb_build_id_string(&binary->build_id);
	return pgb_format("h%016llx", (unsigned long long)binary->code_hash);
}

bool pgb_build_id_equal(const struct pgb_build_id *a, const struct pgb_build_id *b)
{
	if (a->size_bytes > b->size_bytes)
		return pgb_build_id_equal(b, a);
	if (a->size_bytes == 0 || memcmp(a->bytes, b->bytes, a->size_bytes) != 0)
		return false;
	for (unsigned int i = a->size_bytes; i < b->size_bytes; i++)
		if (b->bytes[i] != 0)
			return false;
	return true;
}

char *pgb_build_id_string(const struct pgb_build_id *id)
{
	static const char digits[] = "0123456789abcdef";
	char *text = pgb_calloc(2 * (size_t)id->size_bytes + 1, 1);

	for (unsigned int i = 0; i < id->size_bytes; i++) {
		text[2 * i] = digits[id->bytes[i] >> 4];
		text[2 * i + 1] = digits[id->bytes[i] & 15];
	}
	return text;
}
