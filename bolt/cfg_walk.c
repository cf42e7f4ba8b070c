/* SPDX-License-Identifier: MIT */
#include "bolt/cfg_private.h"

void pgb_cfg_walk_start(struct pgb_cfg_walk *walk, const struct pgb_elf_image *image,
			enum pgb_insn_set set, const struct pgb_elf_function *function)
{
	size_t left = 0;

	*walk = (struct pgb_cfg_walk){.image = image, .function = function, .set = set};
	walk->bytes = pgb_elf_image_bytes_at(image, function->address, &left);
	if (walk->bytes != NULL)
		walk->size_bytes = function->size_bytes < left ? function->size_bytes : left;
}

/*
 * llvm-bolt's decoder takes a lock prefix for an instruction of its own, and those who jump behind
 * it agree.
 */
static bool is_lone_prefix(const struct pgb_cfg_walk *walk, const uint8_t *bytes)
{
	return walk->set == PGB_INSN_X86_64 && walk->insn.length_bytes > 1 &&
	       (bytes[0] == 0xf0 || ((bytes[0] == 0xf2 || bytes[0] == 0xf3) && bytes[1] == 0xf0));
}

static uint64_t data_bytes(const struct pgb_cfg_walk *walk)
{
	return walk->set == PGB_INSN_AARCH64
		       ? pgb_elf_image_data_bytes_at(walk->image, walk->function,
						     walk->function->address + walk->offset)
		       : 0;
}

bool pgb_cfg_walk_next(struct pgb_cfg_walk *walk, bool *bad)
{
	uint64_t data;

	*bad = false;
	walk->offset += walk->insn.length_bytes;
	while (walk->offset < walk->size_bytes && (data = data_bytes(walk)) > 0)
		walk->offset += data;
	if (walk->offset >= walk->size_bytes)
		return false;
	*bad = pgb_insn_decode(walk->set, walk->bytes + walk->offset,
			       walk->size_bytes - walk->offset,
			       walk->function->address + walk->offset, &walk->insn) != 0;
	if (*bad)
		return false;
	if (is_lone_prefix(walk, walk->bytes + walk->offset))
		walk->insn = (struct pgb_insn){.length_bytes = 1, .target = UINT64_MAX};
	return true;
}
