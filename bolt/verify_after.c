/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "bolt/verify_private.h"
#include "pgobolt/base/number.h"

__attribute__((format(printf, 3, 4))) static void bad(struct pgb_comparison *comparison,
						      const char *check, const char *format, ...)
{
	struct pgb_text text = {0};
	va_list arguments;

	va_start(arguments, format);
	pgb_text_addv(&text, format, arguments);
	va_end(arguments);
	pgb_findings_add(comparison->findings, PGB_FINDING_ERROR, PGB_E_CHECK, check, NULL, "%s",
			 text.data);
	pgb_text_release(&text);
}

static void good(struct pgb_comparison *comparison, const char *check, const char *message)
{
	pgb_findings_add(comparison->findings, PGB_FINDING_GOOD, 0, check, NULL, "%s", message);
}

static void check_kind(struct pgb_comparison *comparison)
{
	if (pgb_elf_image_binary(comparison->original)->machine !=
	    pgb_elf_image_binary(comparison->optimized)->machine)
		bad(comparison, "elf", "it is for another machine now");
	if (pgb_elf_image_type(comparison->original) != pgb_elf_image_type(comparison->optimized))
		bad(comparison, "elf", "the ELF type was %u and is %u",
		    pgb_elf_image_type(comparison->original),
		    pgb_elf_image_type(comparison->optimized));
}

/* Would the kernel map one PT_LOAD? NULL or what is wrong. */
static const char *load_fault(const struct pgb_elf_dynamic *dynamic,
			      const struct pgb_elf_program_header *header)
{
	if (header->size_file > header->size_memory)
		return "larger in the file than in memory";
	if (header->offset_file > dynamic->map.size_bytes ||
	    header->size_file > dynamic->map.size_bytes - header->offset_file)
		return "beyond the end of the file";
	if (header->address + header->size_memory < header->address)
		return "wraps around the address space";
	if (header->align > 1 && (header->align & (header->align - 1)) != 0)
		return "aligned to no power of two";
	if (header->align > 1 &&
	    header->address % header->align != header->offset_file % header->align)
		return "address and file offset disagree in their page";
	return NULL;
}

static void check_segments(struct pgb_comparison *comparison)
{
	const struct pgb_elf_dynamic *after = &comparison->after;
	uint64_t end = 0;
	size_t count = 0;

	for (size_t i = 0; i < after->headers.count; i++) {
		const struct pgb_elf_program_header *header = &after->headers.items[i];
		const char *fault;

		if (header->type != PT_LOAD)
			continue;
		fault = load_fault(after, header);
		if (fault == NULL && header->address < end)
			fault = "before the end of the one in front of it";
		if (fault != NULL) {
			pgb_findings_add(comparison->findings, PGB_FINDING_ERROR, PGB_E_CHECK,
					 "segments",
					 "GNU strip and objcopy break what llvm-bolt writes: use "
					 "llvm-strip, on a fresh output",
					 "segment %zu at %#llx: %s", i,
					 (unsigned long long)header->address, fault);
			return;
		}
		end = header->address + header->size_memory;
		count++;
	}
	if (count == 0)
		bad(comparison, "segments", "there is no segment to load");
	else
		pgb_findings_add(comparison->findings, PGB_FINDING_GOOD, 0, "segments", NULL,
				 "%s, in order and inside the file", PGB_PLURAL(count, "segment"));
}

static bool is_executable(const struct pgb_elf_dynamic *dynamic, uint64_t address)
{
	const struct pgb_elf_program_header *segment = pgb_elf_dynamic_segment_at(dynamic, address);

	return segment != NULL && (segment->flags & PF_X) != 0;
}

static void check_entry(struct pgb_comparison *comparison)
{
	uint64_t before = pgb_elf_image_entry(comparison->original);
	uint64_t after = pgb_elf_image_entry(comparison->optimized);

	if ((before == 0) != (after == 0))
		bad(comparison, "entry", "the entry point was %#llx and is %#llx",
		    (unsigned long long)before, (unsigned long long)after);
	else if (after != 0 && !is_executable(&comparison->after, after) &&
		 is_executable(&comparison->before, before))
		bad(comparison, "entry", "the entry point %#llx is not in executable memory",
		    (unsigned long long)after);
	else if (after != 0)
		good(comparison, "entry", "entry point in executable memory");
}

static void check_interpreter(struct pgb_comparison *comparison)
{
	const char *before = comparison->before.interpreter;
	const char *after = comparison->after.interpreter;

	if (before == NULL && after == NULL)
		return;
	if (before == NULL || after == NULL || strcmp(before, after) != 0)
		bad(comparison, "interpreter", "the interpreter was %s and is %s",
		    before ? before : "none", after ? after : "none");
	else
		pgb_findings_add(comparison->findings, PGB_FINDING_GOOD, 0, "interpreter", NULL,
				 "interpreter %s", after);
}

static void check_stack(struct pgb_comparison *comparison)
{
	const struct pgb_elf_program_header *before =
		pgb_elf_dynamic_find_header(&comparison->before, PT_GNU_STACK);
	const struct pgb_elf_program_header *after =
		pgb_elf_dynamic_find_header(&comparison->after, PT_GNU_STACK);
	bool was_executable = before == NULL || (before->flags & PF_X) != 0;

	if (after != NULL && (after->flags & PF_X) == 0)
		good(comparison, "stack-executable", "stack not executable");
	else if (was_executable)
		pgb_findings_add(comparison->findings, PGB_FINDING_WARNING, 0, "stack-executable",
				 "link with -Wl,-z,noexecstack",
				 "the stack is executable, as it was before");
	else
		bad(comparison, "stack-executable",
		    after ? "the stack has become executable"
			  : "PT_GNU_STACK is gone: every thread's stack would be executable");
}

/* A header that must stay as it was: data does not move. */
static void check_same_header(struct pgb_comparison *comparison, uint32_t type, const char *check,
			      const char *name)
{
	const struct pgb_elf_program_header *before =
		pgb_elf_dynamic_find_header(&comparison->before, type);
	const struct pgb_elf_program_header *after =
		pgb_elf_dynamic_find_header(&comparison->after, type);

	if (before == NULL && after == NULL)
		return;
	if (before == NULL || after == NULL)
		bad(comparison, check, "%s is %s", name, after ? "new" : "gone");
	else if (before->address != after->address || before->size_memory != after->size_memory)
		bad(comparison, check, "%s covered %#llx+%#llx and covers %#llx+%#llx", name,
		    (unsigned long long)before->address, (unsigned long long)before->size_memory,
		    (unsigned long long)after->address, (unsigned long long)after->size_memory);
	else
		pgb_findings_add(comparison->findings, PGB_FINDING_GOOD, 0, check, NULL,
				 "%s as before", name);
}

static bool writes_and_executes(const struct pgb_elf_dynamic *dynamic)
{
	for (size_t i = 0; i < dynamic->headers.count; i++) {
		const struct pgb_elf_program_header *header = &dynamic->headers.items[i];

		if (header->type == PT_LOAD && (header->flags & PF_W) && (header->flags & PF_X))
			return true;
	}
	return false;
}

static void check_write_execute(struct pgb_comparison *comparison)
{
	if (!writes_and_executes(&comparison->after))
		good(comparison, "write-execute", "no segment is writable and executable");
	else if (writes_and_executes(&comparison->before))
		pgb_findings_add(comparison->findings, PGB_FINDING_WARNING, 0, "write-execute",
				 "link without -N (--omagic)",
				 "a segment is writable and executable, as it was before");
	else
		bad(comparison, "write-execute", "a segment has become writable and executable");
}

/* CET, BTI and the like: what the kernel turns on must be what the code was built for. */
static void check_properties(struct pgb_comparison *comparison)
{
	static const char name[] = ".note.gnu.property";
	const struct pgb_elf_section *a = pgb_elf_image_find_section(comparison->original, name);
	const struct pgb_elf_section *b = pgb_elf_image_find_section(comparison->optimized, name);
	const uint8_t *bytes_a = a ? pgb_elf_image_section_bytes(comparison->original, a) : NULL;
	const uint8_t *bytes_b = b ? pgb_elf_image_section_bytes(comparison->optimized, b) : NULL;

	if (bytes_a == NULL)
		return;
	if (bytes_b == NULL || a->size_bytes != b->size_bytes ||
	    memcmp(bytes_a, bytes_b, a->size_bytes) != 0)
		bad(comparison, "properties", "its GNU properties (%s) have changed", name);
	else
		good(comparison, "properties", "GNU properties (CET, BTI) as before");
}

static void check_optimized(struct pgb_comparison *comparison)
{
	struct pgb_build_id twin = pgb_elf_image_binary(comparison->original)->build_id;

	if (pgb_elf_image_find_section(comparison->optimized, ".note.bolt_info") == NULL)
		pgb_findings_add(comparison->findings, PGB_FINDING_WARNING, 0, "origin", NULL,
				 "it does not say that llvm-bolt made it (no .note.bolt_info)");
	if (twin.size_bytes == 0)
		return;
	twin.bytes[twin.size_bytes - 1] ^= 1;
	if (!pgb_build_id_equal(&twin, &pgb_elf_image_binary(comparison->optimized)->build_id))
		pgb_findings_add(
			comparison->findings, PGB_FINDING_WARNING, 0, "origin", NULL,
			"its build-id is not the original's with the last bit flipped: it may "
			"be of another build");
}

/* Each distinct name of the profile, once. */
struct hot {
	struct pgb_comparison *comparison;
	PGB_ARRAY(bool) seen; /* by name */
	size_t checked, missing;
	char *first_missing;
};

/*
 * Where the function is now. llvm-bolt 16 may give a symbol a size that reaches out of its section,
 * which hides it from the discovery of functions; and where several symbols share a local name,
 * their order, which numbers them, may be another. Then the plain symbol table knows.
 */
static bool find_address(const struct pgb_elf_image *image, const char *name, uint64_t *address)
{
	const struct pgb_elf_function *function = pgb_elf_image_function_named(image, name);

	if (function == NULL)
		return pgb_elf_find_code_symbol(image, name, strcspn(name, "/"), address);
	*address = function->address;
	return true;
}

static void check_hot_name(struct hot *hot, const struct pgb_profile *profile, uint32_t index)
{
	const char *name = pgb_profile_name(profile, index);
	const struct pgb_elf_function *function;
	uint64_t address;

	while (hot->seen.count <= index)
		pgb_array_push(&hot->seen, false);
	if (index == PGB_NAME_UNKNOWN || hot->seen.items[index])
		return;
	hot->seen.items[index] = true;
	function = pgb_elf_image_function_named(hot->comparison->original, name);
	if (function == NULL || function->is_plt)
		return;
	hot->checked++;
	if (find_address(hot->comparison->optimized, name, &address) &&
	    is_executable(&hot->comparison->after, address))
		return;
	if (hot->missing++ == 0)
		hot->first_missing = pgb_dup(name);
}

static void check_hot_functions(struct pgb_comparison *comparison, struct pgb_profile *profile)
{
	struct hot hot = {.comparison = comparison};
	const struct pgb_profile_branch *branches;
	const struct pgb_profile_sample *samples;
	size_t count;

	branches = pgb_profile_branches(profile, &count);
	for (size_t i = 0; i < count; i++) {
		check_hot_name(&hot, profile, branches[i].from.name);
		check_hot_name(&hot, profile, branches[i].to.name);
	}
	samples = pgb_profile_samples(profile, &count);
	for (size_t i = 0; i < count; i++)
		check_hot_name(&hot, profile, samples[i].at.name);
	if (hot.missing > 0)
		bad(comparison, "functions",
		    "%zu of %s of the profile not in executable memory, %s first", hot.missing,
		    PGB_PLURAL(hot.checked, "function"), hot.first_missing);
	else
		pgb_findings_add(comparison->findings, PGB_FINDING_GOOD, 0, "functions", NULL,
				 "%s of the profile present and executable",
				 PGB_PLURAL(hot.checked, "function"));
	free(hot.first_missing);
	pgb_array_release(&hot.seen);
}

static int compare(struct pgb_comparison *comparison, struct pgb_profile *profile,
		   struct pgb_error *error)
{
	struct pgb_error broken = {0};
	int code;

	code = pgb_elf_dynamic_read(&comparison->before, comparison->original, error);
	if (code != 0)
		return code;
	if (pgb_elf_dynamic_read(&comparison->after, comparison->optimized, &broken) != 0) {
		bad(comparison, "headers", "%s", broken.message);
		return 0;
	}
	if (pgb_elf_image_is_cut(comparison->optimized)) {
		bad(comparison, "elf", "it is cut short: its section table lies behind its end");
		return 0;
	}
	check_kind(comparison);
	check_segments(comparison);
	check_entry(comparison);
	check_interpreter(comparison);
	pgb_verify_dynamic(comparison);
	pgb_verify_exports(comparison);
	pgb_verify_imports(comparison);
	check_stack(comparison);
	check_same_header(comparison, PT_GNU_RELRO, "relro", "RELRO");
	check_same_header(comparison, PT_TLS, "tls", "thread-local storage");
	check_write_execute(comparison);
	pgb_verify_unwind(comparison);
	check_properties(comparison);
	check_optimized(comparison);
	code = pgb_elf_image_discover(comparison->original, error);
	if (code != 0)
		return code;
	if (pgb_elf_image_discover(comparison->optimized, &broken) != 0) {
		bad(comparison, "functions", "%s", broken.message);
		return 0;
	}
	pgb_verify_functions(comparison);
	pgb_verify_exceptions(comparison);
	pgb_verify_dynamic_relocations(comparison);
	if (profile != NULL)
		check_hot_functions(comparison, profile);
	return 0;
}

int pgb_verify_after(struct pgb_elf_image *original, struct pgb_elf_image *optimized,
		     struct pgb_profile *profile, struct pgb_findings *findings,
		     struct pgb_error *error)
{
	struct pgb_comparison comparison = {
		.original = original, .optimized = optimized, .findings = findings};
	int code = compare(&comparison, profile, error);

	pgb_elf_dynamic_release(&comparison.before);
	pgb_elf_dynamic_release(&comparison.after);
	return code;
}
