/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/arch.h"

#include <stddef.h>

#include "bolt/arch_tables.h"

static const struct pgb_arch *const arches[] = {
	&pgb_arch_x86_64,
	&pgb_arch_aarch64,
};

const struct pgb_arch *pgb_arch_find(uint16_t machine)
{
	for (size_t i = 0; i < sizeof(arches) / sizeof(arches[0]); i++) {
		if (arches[i]->machine == machine)
			return arches[i];
	}
	return NULL;
}

const struct pgb_arch_relocation *pgb_arch_find_relocation(const struct pgb_arch *arch,
							   uint32_t type)
{
	unsigned int low = 0, high = arch->relocation_count;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (arch->relocations[middle].type == type)
			return &arch->relocations[middle];
		if (arch->relocations[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
