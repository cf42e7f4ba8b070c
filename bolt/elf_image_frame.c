/* SPDX-License-Identifier: MIT */
/*
 * .eh_frame: which address ranges are functions, and where their exception tables are.
 * Sources: LSB 5.0 core, chapter 10.6 (exception frames); DWARF 5, section 6.4.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <inttypes.h>

#include "bolt/elf_image_private.h"
#include "pgobolt/base/search.h"

/* The bits of a LEB128 number; `sign_bits` becomes those above them, all ones if it is negative. */
static uint64_t read_leb128(struct pgb_cursor *cursor, uint64_t *sign_bits)
{
	uint64_t value = 0;
	uint8_t byte;
	unsigned int shift = 0;

	do {
		byte = pgb_cursor_u8(cursor);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) && !cursor->truncated);
	*sign_bits = (byte & 0x40) && shift < 64 ? ~(uint64_t)0 << shift : 0;
	return value;
}

uint64_t pgb_elf_read_uleb128(struct pgb_cursor *cursor)
{
	uint64_t sign_bits;

	return read_leb128(cursor, &sign_bits);
}

uint64_t pgb_elf_read_sleb128(struct pgb_cursor *cursor)
{
	uint64_t sign_bits, value = read_leb128(cursor, &sign_bits);

	return value | sign_bits;
}

uint64_t pgb_elf_read_encoded(struct pgb_cursor *cursor, uint8_t encoding)
{
	uint64_t place = cursor->offset, value;

	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		value = pgb_cursor_u64(cursor);
		break;
	case DW_EH_PE_udata4:
		value = pgb_cursor_u32(cursor);
		break;
	case DW_EH_PE_sdata4:
		value = (uint64_t)(int64_t)(int32_t)pgb_cursor_u32(cursor);
		break;
	case DW_EH_PE_udata2:
		value = pgb_cursor_u16(cursor);
		break;
	case DW_EH_PE_sdata2:
		value = (uint64_t)(int64_t)(int16_t)pgb_cursor_u16(cursor);
		break;
	case DW_EH_PE_uleb128:
		value = pgb_elf_read_uleb128(cursor);
		break;
	case DW_EH_PE_sleb128:
		value = pgb_elf_read_sleb128(cursor);
		break;
	default:
		cursor->truncated = true;
		return 0;
	}
	if (value != 0 && (encoding & 0x70) == DW_EH_PE_pcrel)
		value += place;
	return value;
}

/* What the FDEs of one CIE need to be read. */
struct cie {
	uint64_t offset;
	uint8_t pointer_encoding, lsda_encoding;
	bool sized; /* 'z': augmentation data has a length */
};

struct frames {
	struct pgb_elf_image *image;
	const struct pgb_elf_section *section;
	Elf_Data *data;
	PGB_ARRAY(struct cie) cies; /* ascending: an FDE refers to one before it */
};

static struct pgb_cursor cursor_at(const struct frames *frames, const uint8_t *start,
				   const uint8_t *end)
{
	struct pgb_cursor cursor = pgb_cursor_of(start, (size_t)(end - start));

	/* Pointers are relative to where they are in memory. */
	cursor.offset =
		frames->section->address + (uint64_t)(start - (const uint8_t *)frames->data->d_buf);
	return cursor;
}

static bool read_augmentation(const struct frames *frames, const Dwarf_CIE *dwarf, struct cie *cie)
{
	struct pgb_cursor data;
	const char *augmentation = dwarf->augmentation;

	cie->pointer_encoding = DW_EH_PE_absptr;
	cie->lsda_encoding = DW_EH_PE_omit;
	cie->sized = augmentation[0] == 'z';
	if (!cie->sized)
		return augmentation[0] == '\0';
	if (dwarf->augmentation_data == NULL)
		return augmentation[1] == '\0';
	data = cursor_at(frames, dwarf->augmentation_data,
			 dwarf->augmentation_data + dwarf->augmentation_data_size);
	for (augmentation++; *augmentation != '\0'; augmentation++) {
		if (*augmentation == 'R')
			cie->pointer_encoding = pgb_cursor_u8(&data);
		else if (*augmentation == 'L')
			cie->lsda_encoding = pgb_cursor_u8(&data);
		else if (*augmentation == 'P')
			pgb_elf_read_encoded(&data, pgb_cursor_u8(&data));
		else if (*augmentation != 'S' && *augmentation != 'B' && *augmentation != 'G')
			break;
	}
	return !data.truncated;
}

static void read_cie(struct frames *frames, uint64_t offset, const Dwarf_CIE *dwarf)
{
	struct cie cie = {.offset = offset};

	if (read_augmentation(frames, dwarf, &cie))
		pgb_array_push(&frames->cies, cie);
}

static const struct cie *find_cie(const struct frames *frames, uint64_t offset)
{
	size_t at = pgb_search(frames->cies.count, i, frames->cies.items[i].offset < offset);

	return at < frames->cies.count && frames->cies.items[at].offset == offset
		       ? &frames->cies.items[at]
		       : NULL;
}

static bool read_fde(const struct frames *frames, const Dwarf_FDE *dwarf,
		     struct pgb_elf_frame *frame)
{
	struct pgb_cursor data = cursor_at(frames, dwarf->start, dwarf->end);
	const struct cie *cie = find_cie(frames, dwarf->CIE_pointer);

	if (cie == NULL)
		return false;
	frame->address = pgb_elf_read_encoded(&data, cie->pointer_encoding);
	frame->size_bytes = pgb_elf_read_encoded(&data, cie->pointer_encoding & 0x0f);
	frame->lsda = 0;
	if (cie->sized && pgb_elf_read_uleb128(&data) > 0 && cie->lsda_encoding != DW_EH_PE_omit)
		frame->lsda = pgb_elf_read_encoded(&data, cie->lsda_encoding);
	return !data.truncated;
}

/* At one address the first with a size stands, as in llvm-bolt (CFIReaderWriter). */
static int compare_frames(const void *a, const void *b)
{
	const struct pgb_elf_frame *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if ((x->size_bytes == 0) != (y->size_bytes == 0))
		return x->size_bytes == 0 ? 1 : -1;
	return (x->order > y->order) - (x->order < y->order);
}

static void keep_first_of_each(struct pgb_elf_frames *list)
{
	size_t kept = 0;

	if (list->count > 1)
		qsort(list->items, list->count, sizeof(list->items[0]), compare_frames);
	for (size_t i = 0; i < list->count; i++) {
		if (kept > 0 && list->items[kept - 1].address == list->items[i].address)
			continue;
		list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

int pgb_elf_image_read_frames(struct pgb_elf_image *image, struct pgb_elf_frames *list,
			      struct pgb_error *error)
{
	struct frames frames = {.image = image};
	Dwarf_Off offset = 0, next;
	Dwarf_CFI_Entry entry;
	int status;

	frames.section = pgb_elf_image_find_section(image, ".eh_frame");
	if (frames.section == NULL || frames.section->type == SHT_NOBITS ||
	    frames.section->size_bytes == 0)
		return 0;
	frames.data = elf_rawdata(elf_getscn(image->elf, frames.section->index), NULL);
	if (frames.data == NULL || frames.data->d_buf == NULL)
		return pgb_fail(error, PGB_E_CORRUPT, "%s: .eh_frame: %s", image->binary.path,
				elf_errmsg(-1));
	for (;; offset = next) {
		struct pgb_elf_frame frame = {.order = (uint32_t)list->count};

		next = offset;
		status = dwarf_next_cfi((const unsigned char *)image->map.bytes, frames.data, true,
					offset, &next, &entry);
		if (status > 0 || (status < 0 && next <= offset))
			break;
		if (status < 0)
			continue;
		if (dwarf_cfi_cie_p(&entry))
			read_cie(&frames, offset, &entry.cie);
		else if (read_fde(&frames, &entry.fde, &frame))
			pgb_array_push(list, frame);
	}
	pgb_array_release(&frames.cies);
	if (status < 0)
		return pgb_fail(error, PGB_E_CORRUPT,
				"%s: .eh_frame is broken at offset 0x%" PRIx64, image->binary.path,
				(uint64_t)offset);
	keep_first_of_each(list);
	return 0;
}
