/* SPDX-License-Identifier: MIT */
/* pgobolt.ini: keys and values come without blanks around them, keys are never empty. */
#include "pgobolt/base/assert.h"
#include "pgobolt/pgo/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct pgb_error error = {0};
	struct pgb_ini ini;
	int code = pgb_ini_parse(&ini, pgb_cursor_of(bytes, size_bytes), "fuzz", &error);

	pgb_assert(code == 0 || error.message[0] != '\0');
	for (size_t i = 0; i < ini.entries.count; i++) {
		const struct pgb_ini_entry *entry = &ini.entries.items[i];
		size_t length = strlen(entry->key);

		pgb_assert(length > 0 && entry->line > 0);
		pgb_assert(entry->key[0] != ' ' && entry->key[length - 1] != '\t');
		pgb_assert(strpbrk(entry->key, "=\n") == NULL);
	}
	pgb_ini_release(&ini);
	return 0;
}
