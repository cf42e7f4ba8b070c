/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "bolt/verify_private.h"
#include "pgobolt/base/cursor.h"
#include "pgobolt/base/number.h"
#include "pgobolt/base/text.h"
#include "pgobolt/bolt/arch.h"

#define RELOCATIONS_C                                                                              \
	"gcc, clang:  -Wl,-q (that is --emit-relocs) in the link flags, e.g. make "                \
	"LDFLAGS=-Wl,-q\n"                                                                         \
	"autotools:   ./configure LDFLAGS=-Wl,-q\n"                                                \
	"CMake:       -DCMAKE_EXE_LINKER_FLAGS=-Wl,-q -DCMAKE_SHARED_LINKER_FLAGS=-Wl,-q\n"        \
	"Meson:       -Dc_link_args=-Wl,-q -Dcpp_link_args=-Wl,-q\n"
#define RELOCATIONS_RUST                                                                           \
	"cargo:       RUSTFLAGS='-Clink-arg=-Wl,-q' cargo build --release\n"                       \
	"             and no `strip = true` in the profile of Cargo.toml"

static bool has_section(const struct pgb_elf_image *image, const char *name)
{
	return pgb_elf_image_find_section(image, name) != NULL;
}

/* Does .comment, where compilers sign, hold the text? */
static bool compiled_by(const struct pgb_elf_image *image, const char *text)
{
	const struct pgb_elf_section *section = pgb_elf_image_find_section(image, ".comment");
	const uint8_t *bytes = section ? pgb_elf_image_section_bytes(image, section) : NULL;

	return bytes != NULL && memmem(bytes, section->size_bytes, text, strlen(text)) != NULL;
}

static void check_kind(const struct pgb_elf_image *image, struct pgb_findings *findings)
{
	const struct pgb_binary *binary = pgb_elf_image_binary(image);
	const struct pgb_arch *arch = pgb_arch_find(binary->machine);
	bool interpreted = has_section(image, ".interp");
	const char *kind = "static program";

	if (pgb_elf_image_type(image) == ET_DYN)
		kind = interpreted ? "position-independent program" : "shared library";
	else if (interpreted)
		kind = "program at a fixed address";
	pgb_findings_add(findings, PGB_FINDING_GOOD, 0, "elf", NULL, "64-bit ELF for %s, %s",
			 arch ? arch->name : "an unknown machine", kind);
}

/* A copy that stopped half-way: the section table, at the end of the file, is gone too. */
static bool check_whole(const struct pgb_elf_image *image, struct pgb_findings *findings)
{
	const struct pgb_binary *binary = pgb_elf_image_binary(image);

	for (size_t i = 0; i < binary->segments.count; i++) {
		const struct pgb_segment *segment = &binary->segments.items[i];

		if (segment->size_file <= binary->size_bytes &&
		    segment->offset_file <= binary->size_bytes - segment->size_file)
			continue;
		pgb_findings_add(
			findings, PGB_FINDING_ERROR, PGB_E_TRUNCATED, "elf",
			"build or copy it again",
			"it is cut short: %llu bytes, but a segment of %llu bytes starts at "
			"%llu",
			(unsigned long long)binary->size_bytes,
			(unsigned long long)segment->size_file,
			(unsigned long long)segment->offset_file);
		return false;
	}
	if (!pgb_elf_image_is_cut(image))
		return true;
	pgb_findings_add(findings, PGB_FINDING_ERROR, PGB_E_TRUNCATED, "elf",
			 "build or copy it again",
			 "it is cut short: %llu bytes, and its section table lies behind them",
			 (unsigned long long)binary->size_bytes);
	return false;
}

/* What llvm-bolt must not be let loose on, whatever flags it was built with. */
static bool check_refused(const struct pgb_elf_image *image, struct pgb_findings *findings)
{
	static const struct refused {
		const char *section, *check, *message, *remedy;
	} rows[] = {
		{".go.buildinfo", "go",
		 "it is a Go program: its runtime keeps tables of code addresses that llvm-bolt "
		 "breaks",
		 "use Go's own profile-guided optimization: go build -pgo=FILE"},
		{".gopclntab", "go",
		 "it is a Go program: its runtime keeps tables of code addresses that llvm-bolt "
		 "breaks",
		 "use Go's own profile-guided optimization: go build -pgo=FILE"},
		{"__ksymtab", "kernel",
		 "it is a Linux kernel image, which pgobolt does not optimize",
		 "build the kernel with CONFIG_AUTOFDO_CLANG instead"},
		{".modinfo", "kernel",
		 "it is a Linux kernel module, which pgobolt does not optimize", NULL},
	};

	if (pgb_elf_image_is_optimized(image)) {
		pgb_findings_add(findings, PGB_FINDING_ERROR, PGB_E_NOT_SUITABLE,
				 "already-optimized", "give the binary that the linker made",
				 "it went through llvm-bolt before, which cannot be done twice");
		return true;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!has_section(image, rows[i].section))
			continue;
		pgb_findings_add(findings, PGB_FINDING_ERROR, PGB_E_NOT_SUITABLE, rows[i].check,
				 rows[i].remedy, "%s (it has a section %s)", rows[i].message,
				 rows[i].section);
		return true;
	}
	return false;
}

static void check_instrumented(const struct pgb_elf_image *image, struct pgb_findings *findings)
{
	static const struct instrumented {
		const char *symbol;
		enum pgb_severity severity;
		const char *what, *remedy;
	} rows[] = {
		{"__asan_init", PGB_FINDING_ERROR,
		 "built with AddressSanitizer, which llvm-bolt refuses",
		 "build without -fsanitize"},
		{"__llvm_coverage_mapping", PGB_FINDING_ERROR,
		 "built for coverage, which llvm-bolt refuses", "build without -fcoverage-mapping"},
		{"__tsan_init", PGB_FINDING_WARNING, "built with ThreadSanitizer",
		 "optimize the build that is shipped: without -fsanitize"},
		{"__msan_init", PGB_FINDING_WARNING, "built with MemorySanitizer",
		 "optimize the build that is shipped: without -fsanitize"},
		{"__llvm_profile_runtime", PGB_FINDING_WARNING, "built to write PGO profiles",
		 "optimize the build that uses them: -fprofile-use instead of -fprofile-generate"},
		{"__gcov_init", PGB_FINDING_WARNING, "built to write PGO or coverage profiles",
		 "optimize the build that uses them: -fprofile-use instead of -fprofile-generate"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!pgb_elf_has_symbol_prefix(image, rows[i].symbol))
			continue;
		pgb_findings_add(findings, rows[i].severity,
				 rows[i].severity == PGB_FINDING_ERROR ? PGB_E_NOT_SUITABLE : 0,
				 "instrumented", rows[i].remedy, "%s (symbol %s)", rows[i].what,
				 rows[i].symbol);
		return;
	}
}

static void check_symbols(const struct pgb_elf_image *image, struct pgb_findings *findings)
{
	if (pgb_elf_image_has_symbols(image)) {
		pgb_findings_add(findings, PGB_FINDING_GOOD, 0, "symbols", NULL,
				 "symbol table present");
		return;
	}
	pgb_findings_add(findings, PGB_FINDING_ERROR, PGB_E_NOT_SUITABLE, "symbols",
			 compiled_by(image, "rustc")
				 ? "build without `strip = true`: CARGO_PROFILE_RELEASE_STRIP=false"
				 : "take the binary as the linker left it: no -s, no `strip`, no "
				   "`install -s` (`strip -g` is fine)",
			 "it is stripped: no symbol table (.symtab)");
}

static void check_relocations(const struct pgb_elf_image *image, struct pgb_findings *findings)
{
	bool rust = compiled_by(image, "rustc");

	if (pgb_elf_image_has_code_relocations(image))
		pgb_findings_add(findings, PGB_FINDING_GOOD, 0, "relocations", NULL,
				 "relocations kept by the linker");
	else
		pgb_findings_add(
			findings, PGB_FINDING_ERROR, PGB_E_NOT_SUITABLE, "relocations",
			rust ? RELOCATIONS_RUST : RELOCATIONS_C RELOCATIONS_RUST,
			"its relocations were not kept (no .rela.text): link it again, with "
			"one flag more");
}

/* The source file of a local name: "f.cold/file.c/1" gives "file.c". "" where none is known. */
static char *source_of(const struct pgb_elf_image *image, const struct pgb_elf_function *function)
{
	for (uint32_t i = 0; i < function->alias_count; i++) {
		const char *alias = pgb_elf_image_alias(image, function->alias_first + i);
		const char *first = strchr(alias, '/');
		const char *last = strrchr(alias, '/');

		if (first != NULL && first < last)
			return pgb_dup_bytes(first + 1, (size_t)(last - first - 1));
	}
	return pgb_dup("");
}

static void check_cold(const struct pgb_elf_image *image, struct pgb_findings *findings)
{
	enum { EXAMPLES = 3 };
	struct pgb_text examples = {0};
	size_t count = 0;

	for (size_t i = 0; i < pgb_elf_image_function_count(image); i++) {
		const struct pgb_elf_function *function = pgb_elf_image_function(image, i);
		char *source;

		if (!function->is_fragment || ++count > EXAMPLES)
			continue;
		source = source_of(image, function);
		pgb_text_addf(&examples, "%s%.*s%s%s", count > 1 ? ", " : "",
			      (int)strcspn(function->name, "/"), function->name,
			      *source ? " of " : "", source);
		free(source);
	}
	if (count > 0)
		pgb_findings_add(
			findings, PGB_FINDING_WARNING, 0, "cold-fragments",
			"compile with -fno-reorder-blocks-and-partition; libraries linked in "
			"(libstdc++.a, libcrypto.a) may carry such functions too",
			"the compiler split %s (%s%s): llvm-bolt moves these less "
			"freely, and releases before 19 may fail on them",
			PGB_PLURAL(count, "function"), pgb_text_string(&examples),
			count > EXAMPLES ? ", .." : "");
	pgb_text_release(&examples);
}

static void check_build(const struct pgb_elf_image *image, const struct pgb_build_id *profile_id,
			struct pgb_findings *findings)
{
	const struct pgb_build_id *id = &pgb_elf_image_binary(image)->build_id;
	struct pgb_build_id twin = *id;
	char *ours = pgb_build_id_string(id);
	char *theirs = pgb_build_id_string(profile_id);

	if (twin.size_bytes > 0)
		twin.bytes[twin.size_bytes - 1] ^= 1;
	if (profile_id->size_bytes == 0)
		pgb_findings_add(
			findings, PGB_FINDING_WARNING, 0, "build", NULL,
			"the profile names no build: whether it is of this one cannot be checked");
	else if (id->size_bytes == 0)
		pgb_findings_add(
			findings, PGB_FINDING_WARNING, 0, "build", "link with -Wl,--build-id",
			"it has no build-id: that the profile (build-id %s) is of this build "
			"cannot be checked",
			theirs);
	else if (pgb_build_id_equal(id, profile_id))
		pgb_findings_add(findings, PGB_FINDING_GOOD, 0, "build", NULL,
				 "the profile is of this build (build-id %s)", ours);
	else if (pgb_build_id_equal(&twin, profile_id))
		pgb_findings_add(
			findings, PGB_FINDING_ERROR, PGB_E_MISMATCH, "build",
			"record the original: pgobolt record -- COMMAND, with this binary in "
			"the command",
			"the profile was recorded from this binary after llvm-bolt (build-id "
			"%s; this one is %s): its addresses mean other code",
			theirs, ours);
	else
		pgb_findings_add(findings, PGB_FINDING_ERROR, PGB_E_MISMATCH, "build",
				 "record again with this binary, or give the one that was recorded",
				 "the profile is of another build: build-id %s, this binary is %s",
				 theirs, ours);
	free(ours);
	free(theirs);
}

uint32_t pgb_elf_property_bits(const struct pgb_elf_image *image, uint32_t wanted)
{
	const struct pgb_elf_section *section =
		pgb_elf_image_find_section(image, ".note.gnu.property");
	const uint8_t *bytes = section ? pgb_elf_image_section_bytes(image, section) : NULL;
	struct pgb_cursor note = pgb_cursor_of(bytes, bytes ? section->size_bytes : 0);

	/* one note of the owner "GNU"; each property is padded to 8 bytes */
	pgb_cursor_skip(&note, sizeof(Elf64_Nhdr) + sizeof("GNU"));
	while (pgb_cursor_holds(&note, 1, 2 * sizeof(uint32_t))) {
		uint32_t type = pgb_cursor_u32(&note);
		uint32_t size_bytes = pgb_cursor_u32(&note);

		if (type == wanted && size_bytes == sizeof(uint32_t))
			return pgb_cursor_u32(&note);
		pgb_cursor_skip(&note, ((uint64_t)size_bytes + 7) & ~UINT64_C(7));
	}
	return 0;
}

static void check_branch_protection(const struct pgb_elf_image *image,
				    struct pgb_findings *findings)
{
	if (pgb_elf_image_binary(image)->machine == EM_AARCH64 &&
	    (pgb_elf_property_bits(image, GNU_PROPERTY_AARCH64_FEATURE_1_AND) &
	     GNU_PROPERTY_AARCH64_FEATURE_1_PAC))
		pgb_findings_add(findings, PGB_FINDING_WARNING, 0, "pointer-authentication",
				 "use llvm-bolt 22 or newer, or compile with "
				 "-mbranch-protection=none",
				 "its return addresses are signed (-mbranch-protection): llvm-bolt "
				 "before 22 cannot process such functions");
}

/* What it protects itself with, and how its relocations are packed: worth knowing when it fails. */
static void check_features(const struct pgb_elf_image *image, struct pgb_findings *findings)
{
	uint32_t x86 = pgb_elf_property_bits(image, GNU_PROPERTY_X86_FEATURE_1_AND);
	uint32_t aarch64 = pgb_elf_property_bits(image, GNU_PROPERTY_AARCH64_FEATURE_1_AND);
	const struct pgb_elf_section *packed = pgb_elf_image_find_section(image, ".relr.dyn");

	if (pgb_elf_image_binary(image)->machine == EM_X86_64 && x86 != 0)
		pgb_findings_add(findings, PGB_FINDING_GOOD, 0, "branch-protection", NULL,
				 "built for CET: %s",
				 x86 == GNU_PROPERTY_X86_FEATURE_1_IBT	   ? "indirect branches"
				 : x86 == GNU_PROPERTY_X86_FEATURE_1_SHSTK ? "shadow stack"
									   : "indirect branches, "
									     "shadow stack");
	if (pgb_elf_image_binary(image)->machine == EM_AARCH64 &&
	    (aarch64 & GNU_PROPERTY_AARCH64_FEATURE_1_BTI))
		pgb_findings_add(findings, PGB_FINDING_GOOD, 0, "branch-protection", NULL,
				 "built for BTI: indirect branches");
	if (packed != NULL)
		pgb_findings_add(
			findings, PGB_FINDING_NOTE, 0, "packed-relocations", NULL,
			"its relative relocations are packed (RELR, %llu bytes): llvm-bolt "
			"before 16 does not know them",
			(unsigned long long)packed->size_bytes);
}

int pgb_verify_before(struct pgb_elf_image *image, const struct pgb_build_id *profile_id,
		      struct pgb_findings *findings, struct pgb_error *error)
{
	int code;

	check_kind(image, findings);
	if (!check_whole(image, findings) || check_refused(image, findings))
		return 0;
	check_symbols(image, findings);
	check_relocations(image, findings);
	check_instrumented(image, findings);
	if (profile_id != NULL)
		check_build(image, profile_id, findings);
	code = pgb_elf_image_discover(image, error);
	if (code != 0)
		return code;
	check_cold(image, findings);
	pgb_verify_kept_relocations(image, findings);
	check_branch_protection(image, findings);
	check_features(image, findings);
	pgb_verify_debug(image, findings);
	return 0;
}
