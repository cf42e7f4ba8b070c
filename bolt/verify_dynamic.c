/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "bolt/verify_private.h"
#include "pgobolt/base/number.h"

/* Entries whose value is an address; those that are called must be in executable memory. */
static const struct address_entry {
	int64_t tag;
	const char *name;
	bool called;
} address_entries[] = {
	{DT_HASH, "DT_HASH", false},
	{DT_GNU_HASH, "DT_GNU_HASH", false},
	{DT_STRTAB, "DT_STRTAB", false},
	{DT_SYMTAB, "DT_SYMTAB", false},
	{DT_RELA, "DT_RELA", false},
	{DT_RELR, "DT_RELR", false},
	{DT_JMPREL, "DT_JMPREL", false},
	{DT_PLTGOT, "DT_PLTGOT", false},
	{DT_VERSYM, "DT_VERSYM", false},
	{DT_VERDEF, "DT_VERDEF", false},
	{DT_VERNEED, "DT_VERNEED", false},
	{DT_PREINIT_ARRAY, "DT_PREINIT_ARRAY", false},
	{DT_INIT_ARRAY, "DT_INIT_ARRAY", false},
	{DT_FINI_ARRAY, "DT_FINI_ARRAY", false},
	{DT_INIT, "DT_INIT", true},
	{DT_FINI, "DT_FINI", true},
};

static void bad(struct pgb_comparison *comparison, const char *check, const char *what,
		const char *detail)
{
	pgb_findings_add(comparison->findings, PGB_FINDING_ERROR, PGB_E_CHECK, check, NULL, "%s%s",
			 what, detail);
}

static size_t count_tag(const struct pgb_elf_dynamic *dynamic, int64_t tag)
{
	size_t count = 0;

	for (size_t i = 0; i < dynamic->entries.count; i++)
		count += dynamic->entries.items[i].tag == tag;
	return count;
}

/* Each tag as often as before; NULL or a static text that names the first difference. */
static bool same_tags(const struct pgb_elf_dynamic *a, const struct pgb_elf_dynamic *b,
		      int64_t *different)
{
	for (size_t i = 0; i < a->entries.count; i++) {
		*different = a->entries.items[i].tag;
		if (count_tag(a, *different) != count_tag(b, *different))
			return false;
	}
	return true;
}

/* Names of libraries and folders: the same ones in the same order. */
static const char *different_string(const struct pgb_elf_dynamic *a,
				    const struct pgb_elf_dynamic *b)
{
	size_t k = 0;

	for (size_t i = 0; i < a->entries.count; i++) {
		const struct pgb_elf_dynamic_entry *entry = &a->entries.items[i];

		if (entry->string == NULL)
			continue;
		while (k < b->entries.count && b->entries.items[k].string == NULL)
			k++;
		if (k == b->entries.count || b->entries.items[k].tag != entry->tag ||
		    strcmp(b->entries.items[k].string, entry->string) != 0)
			return entry->string;
		k++;
	}
	return NULL;
}

static bool check_addresses(struct pgb_comparison *comparison)
{
	const struct pgb_elf_dynamic *after = &comparison->after;

	for (size_t i = 0; i < sizeof(address_entries) / sizeof(address_entries[0]); i++) {
		const struct address_entry *row = &address_entries[i];
		const struct pgb_elf_dynamic_entry *entry = pgb_elf_dynamic_find(after, row->tag);
		const struct pgb_elf_program_header *segment;

		if (entry == NULL)
			continue;
		segment = pgb_elf_dynamic_segment_at(after, entry->value);
		if (segment == NULL) {
			bad(comparison, "dynamic", row->name, " points outside every segment");
			return false;
		}
		if (row->called && (segment->flags & PF_X) == 0) {
			bad(comparison, "dynamic", row->name, " is not in executable memory");
			return false;
		}
	}
	return true;
}

void pgb_verify_dynamic(struct pgb_comparison *comparison)
{
	const struct pgb_elf_dynamic *before = &comparison->before, *after = &comparison->after;
	const char *string = different_string(before, after);
	int64_t tag = 0;

	if (before->entries.count == 0 && after->entries.count == 0)
		return;
	if (!same_tags(before, after, &tag) || !same_tags(after, before, &tag)) {
		pgb_findings_add(comparison->findings, PGB_FINDING_ERROR, PGB_E_CHECK, "dynamic",
				 NULL, "dynamic entry %#llx is there %s, and was %s",
				 (unsigned long long)tag, PGB_PLURAL(count_tag(after, tag), "time"),
				 PGB_PLURAL(count_tag(before, tag), "time"));
		return;
	}
	if (string != NULL) {
		bad(comparison, "dynamic", "a library or search path has changed: ", string);
		return;
	}
	if (!check_addresses(comparison))
		return;
	pgb_findings_add(comparison->findings, PGB_FINDING_GOOD, 0, "dynamic", NULL,
			 "dynamic section: %s kept, addresses inside segments",
			 PGB_PLURAL(after->entries.count, "entry"));
	if (pgb_elf_dynamic_binds_now(before) && !pgb_elf_dynamic_binds_now(after))
		bad(comparison, "bind-now",
		    "functions were bound when the program starts, and are bound at their first "
		    "call: ",
		    "the table of their addresses stays writable");
	else if (pgb_elf_dynamic_binds_now(before) != pgb_elf_dynamic_binds_now(after))
		pgb_findings_add(comparison->findings, PGB_FINDING_NOTE, 0, "bind-now", NULL,
				 "functions are now bound when the program starts");
}

static bool same_name(const struct pgb_elf_export *a, const struct pgb_elf_export *b)
{
	if (strcmp(a->name, b->name) != 0 || (a->version == NULL) != (b->version == NULL))
		return false;
	return a->version == NULL || strcmp(a->version, b->version) == 0;
}

/* What an importer may rely on; objects are copied by size, so that must stay. */
static const char *difference(const struct pgb_elf_export *a, const struct pgb_elf_export *b)
{
	if (a->type != b->type)
		return "its type";
	if (a->binding != b->binding)
		return "its binding";
	if (a->visibility != b->visibility)
		return "its visibility";
	if (a->version_default != b->version_default)
		return "its default version";
	if (a->type == STT_OBJECT && a->size_bytes != b->size_bytes)
		return "its size";
	return NULL;
}

/* A function must be where it can run, data where it can be read. */
static bool is_placed(const struct pgb_elf_dynamic *dynamic, const struct pgb_elf_export *export)
{
	const struct pgb_elf_program_header *segment;

	if (export->type == STT_TLS || export->type == STT_NOTYPE || export->address == 0)
		return true;
	segment = pgb_elf_dynamic_segment_at(dynamic, export->address);
	if (segment == NULL)
		return export->type == STT_OBJECT && export->size_bytes == 0;
	return (export->type != STT_FUNC && export->type != STT_GNU_IFUNC) ||
	       (segment->flags & PF_X) != 0;
}

void pgb_verify_exports(struct pgb_comparison *comparison)
{
	const struct pgb_elf_dynamic *before = &comparison->before, *after = &comparison->after;
	struct pgb_findings *findings = comparison->findings;

	if (before->exports.count == 0 && after->exports.count == 0)
		return;
	for (size_t i = 0; i < before->exports.count || i < after->exports.count; i++) {
		const struct pgb_elf_export *a =
			i < before->exports.count ? &before->exports.items[i] : NULL;
		const struct pgb_elf_export *b =
			i < after->exports.count ? &after->exports.items[i] : NULL;

		if (a == NULL || b == NULL || !same_name(a, b)) {
			bool gone = b == NULL || (a != NULL && strcmp(a->name, b->name) < 0);

			pgb_findings_add(findings, PGB_FINDING_ERROR, PGB_E_CHECK, "exports", NULL,
					 "exported symbols have changed: %s is %s",
					 gone ? a->name : b->name,
					 gone ? "gone" : "new or renamed");
			return;
		}
		if (difference(a, b) != NULL) {
			pgb_findings_add(findings, PGB_FINDING_ERROR, PGB_E_CHECK, "exports", NULL,
					 "exported symbol %s has changed %s", a->name,
					 difference(a, b));
			return;
		}
		if (is_placed(before, a) && !is_placed(after, b)) {
			pgb_findings_add(findings, PGB_FINDING_ERROR, PGB_E_CHECK, "exports", NULL,
					 "exported symbol %s points to %#llx, where %s", b->name,
					 (unsigned long long)b->address,
					 b->type == STT_OBJECT ? "nothing is loaded"
							       : "no code is loaded");
			return;
		}
	}
	pgb_findings_add(findings, PGB_FINDING_GOOD, 0, "exports", NULL,
			 "%s, the same names, versions and types",
			 PGB_PLURAL(after->exports.count, "exported symbol"));
}

static const uint8_t *section_bytes(const struct pgb_elf_image *image, const char *name,
				    size_t *size_bytes)
{
	const struct pgb_elf_section *section = pgb_elf_image_find_section(image, name);
	const uint8_t *bytes = section ? pgb_elf_image_section_bytes(image, section) : NULL;

	*size_bytes = bytes ? section->size_bytes : 0;
	return bytes;
}

/* Symbols keep their numbers: relocations go by these. */
void pgb_verify_imports(struct pgb_comparison *comparison)
{
	/* names, then versions, then what versions are called */
	static const char *const tables[] = {".dynstr", ".gnu.version", ".gnu.version_r",
					     ".gnu.version_d"};
	size_t sizes[2];

	if (section_bytes(comparison->original, ".dynsym", &sizes[0]) == NULL)
		return;
	section_bytes(comparison->optimized, ".dynsym", &sizes[1]);
	if (sizes[0] != sizes[1]) {
		bad(comparison, "imports", "the table of dynamic symbols has another size", "");
		return;
	}
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const uint8_t *a = section_bytes(comparison->original, tables[i], &sizes[0]);
		const uint8_t *b = section_bytes(comparison->optimized, tables[i], &sizes[1]);

		if (a == NULL && b == NULL)
			continue;
		if (sizes[0] != sizes[1] || memcmp(a, b, sizes[0]) != 0) {
			bad(comparison, "imports",
			    "names or versions of dynamic symbols have changed: ", tables[i]);
			return;
		}
	}
	pgb_findings_add(comparison->findings, PGB_FINDING_GOOD, 0, "imports", NULL,
			 "imported symbols and their versions as before");
}
