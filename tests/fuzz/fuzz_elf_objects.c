/* SPDX-License-Identifier: MIT */
/* An object file, or an archive of any kind. */
#include <string.h>

#include "pgobolt/bolt/elf_objects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void take(void *context, const struct pgb_elf_object *object)
{
	size_t *length = context;

	*length += object->member ? strlen(object->member) : 0;
	*length += object->source ? strlen(object->source) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	size_t length = 0;

	(void)pgb_elf_objects_parse("/nowhere/of.a", bytes, size_bytes, take, &length, NULL);
	return 0;
}
