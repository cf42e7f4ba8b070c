/* SPDX-License-Identifier: MIT */
/*
 * Counters and addresses by name, while functions are discovered. Open addressing; the names are
 * borrowed from the image.
 */
#include <string.h>

#include "bolt/elf_image_private.h"
#include "pgobolt/base/alloc.h"
#include "pgobolt/base/hash.h"

static void grow(struct pgb_elf_names *names)
{
	size_t count = names->slot_count ? names->slot_count * 2 : 1024;
	struct pgb_elf_name *slots = pgb_calloc(count, sizeof(*slots));

	for (size_t i = 0; i < names->slot_count; i++) {
		size_t at = names->slots[i].hash & (count - 1);

		if (names->slots[i].name == NULL)
			continue;
		while (slots[at].name != NULL)
			at = (at + 1) & (count - 1);
		slots[at] = names->slots[i];
	}
	free(names->slots);
	names->slots = slots;
	names->slot_count = count;
}

struct pgb_elf_name *pgb_elf_names_find(const struct pgb_elf_names *names, const char *name)
{
	uint64_t hash = pgb_hash_bytes(name, strlen(name));
	size_t at = hash & (names->slot_count - 1);

	if (names->slot_count == 0)
		return NULL;
	for (; names->slots[at].name != NULL; at = (at + 1) & (names->slot_count - 1)) {
		if (names->slots[at].hash == hash && strcmp(names->slots[at].name, name) == 0)
			return &names->slots[at];
	}
	return NULL;
}

struct pgb_elf_name *pgb_elf_names_add(struct pgb_elf_names *names, const char *name)
{
	struct pgb_elf_name *known = pgb_elf_names_find(names, name);
	uint64_t hash;
	size_t at;

	if (known != NULL)
		return known;
	if (names->used * 2 >= names->slot_count)
		grow(names);
	hash = pgb_hash_bytes(name, strlen(name));
	at = hash & (names->slot_count - 1);
	while (names->slots[at].name != NULL)
		at = (at + 1) & (names->slot_count - 1);
	names->slots[at] = (struct pgb_elf_name){.name = name, .hash = hash};
	names->used++;
	return &names->slots[at];
}

void pgb_elf_names_release(struct pgb_elf_names *names)
{
	free(names->slots);
	*names = (struct pgb_elf_names){0};
}
