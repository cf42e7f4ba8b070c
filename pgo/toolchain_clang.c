/* SPDX-License-Identifier: MIT */
/* clang, and what it shares with every compiler that is built on LLVM. */
#include <stdlib.h>
#include <string.h>

#include "pgo/toolchain_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/process.h"

enum { MERGE_TIMEOUT_S = 3600 };

/*
 * -Wbackend-plugin is how functions without a profile are reported: a remark for each function
 * that training did not reach, and an error under -Werror.
 *
 * A sample profile tells functions by name and places in them by lines: static functions need
 * names of their own, in the program that was recorded and in the one that is built from it.
 */
#define USES (PGB_FLAG_USE | PGB_FLAG_INSTRUMENT_CS)

static const struct pgb_flag flags[] = {
	{"-fprofile-generate=%r", PGB_FLAG_INSTRUMENT | PGB_FLAG_COMPILE | PGB_FLAG_LINK},
	{"-fcs-profile-generate=%r", PGB_FLAG_INSTRUMENT_CS | PGB_FLAG_COMPILE | PGB_FLAG_LINK},
	{"-fprofile-use=%p", USES | PGB_FLAG_COMPILE | PGB_FLAG_LINK | PGB_FLAG_PROFILE},
	{"-Wno-profile-instr-unprofiled", USES | PGB_FLAG_COMPILE | PGB_FLAG_PROFILE},
	{"-Wno-profile-instr-out-of-date", USES | PGB_FLAG_COMPILE | PGB_FLAG_PROFILE},
	{"-fprofile-sample-use=%s",
	 PGB_FLAG_USE | PGB_FLAG_COMPILE | PGB_FLAG_LINK | PGB_FLAG_SAMPLE},
	{"-funique-internal-linkage-names", PGB_FLAG_USE | PGB_FLAG_COMPILE | PGB_FLAG_SAMPLE},
	{"-Wno-backend-plugin", USES | PGB_FLAG_COMPILE | PGB_FLAG_PROFILE | PGB_FLAG_SAMPLE},
	/* before the build's own -g, which may ask for more */
	{"-gline-tables-only", PGB_FLAG_SAMPLING | PGB_FLAG_COMPILE},
	{"-fdebug-info-for-profiling", PGB_FLAG_SAMPLING | PGB_FLAG_COMPILE},
	{"-funique-internal-linkage-names", PGB_FLAG_SAMPLING | PGB_FLAG_COMPILE},
	{"-Wl,--emit-relocs", PGB_FLAG_USE | PGB_FLAG_SAMPLING | PGB_FLAG_LINK},
	{NULL, 0},
};

static const char *const own_flags[] = {
	"-fprofile-generate",
	"-fprofile-use",
	"-fno-profile-generate",
	"-fprofile-instr-",
	"-fno-profile-instr-",
	"-fcs-profile-generate",
	"-fprofile-sample-use",
	"-fauto-profile",
	"-fprofile-arcs",
	"-ftest-coverage",
	"--coverage",
	"-coverage",
	"-fcoverage-mapping",
	NULL,
};

/* The last lines are what went wrong; its own advice is not ours. */
static int merge_failed(const char *tool, const char *said, struct pgb_error *error)
{
	size_t length = strlen(said);
	const char *from = length > 500 ? said + length - 500 : said;
	struct pgb_text lines = {0};

	for (; *from; from += strspn(from, "\n")) {
		length = strcspn(from, "\n");
		if (strncmp(from, "PLEASE ", 7) != 0)
			pgb_text_addf(&lines, "%s%.*s", lines.length ? "; " : "", (int)length,
				      from);
		from += length;
	}
	pgb_fail(error, PGB_E_TOOL, "%s could not merge the profiles: %s", tool,
		 lines.length ? pgb_text_string(&lines) : "it said nothing");
	pgb_text_release(&lines);
	return pgb_remedy(error, "were they written by programs of this compiler's version? "
				 "Build again: pgobolt build --instrument -- ..");
}

/* The list is a file: there may be more profiles than a command line can hold. */
static int write_list(const struct pgb_raw_profiles *raw, const char *path, struct pgb_error *error)
{
	struct pgb_out_file out;
	int status = pgb_out_open(&out, path, error);

	if (status != 0)
		return status;
	for (size_t i = 0; i < raw->items.count; i++)
		fprintf(out.stream, "%lu,%s\n", raw->items.items[i].weight,
			raw->items.items[i].path);
	status = pgb_out_commit(&out, error);
	pgb_out_discard(&out);
	return status;
}

static unsigned long number_behind(const char *text, const char *words)
{
	const char *at = strstr(text, words);

	return at ? strtoul(at + strlen(words), NULL, 10) : 0;
}

void pgb_llvm_profdata_parse(struct pgb_merge_counts *counts, const char *shown)
{
	counts->functions = number_behind(shown, "Total functions: ");
	counts->functions_run = number_behind(shown, "maximum count (>= 1): ");
	for (const char *end; (end = strchr(shown, '\n')) != NULL; shown = end + 1) {
		static const char mark[] = ": (Max = 0 Sum = 0)";
		size_t length = (size_t)(end - shown), behind = strlen(mark);

		if (strncmp(shown, "  ", 2) != 0 || length < 2 + behind ||
		    memcmp(end - behind, mark, behind) != 0)
			continue;
		pgb_text_add_bytes(&counts->unreached, shown + 2, length - 2 - behind);
		pgb_text_add(&counts->unreached, "\n");
	}
}

static void ask_counts(const char *tool, const char *profile, struct pgb_merge_counts *counts)
{
	const char *argv[] = {tool,    "show", "--value-cutoff=1", "--list-below-cutoff",
			      profile, NULL};
	struct pgb_spawn spawn = {.argv = argv, .quiet_stdin = true};
	struct pgb_text shown = {0}, complaints = {0};
	int wait_status = 0;

	if (pgb_process_run(&spawn, MERGE_TIMEOUT_S, &shown, &complaints, &wait_status, NULL) == 0)
		pgb_llvm_profdata_parse(counts, pgb_text_string(&shown));
	pgb_text_release(&shown);
	pgb_text_release(&complaints);
}

static unsigned long count_warnings(const char *said)
{
	unsigned long count = 0;

	for (const char *at = said; (at = strstr(at, "warning: ")) != NULL; at++)
		count += at == said || at[-1] == '\n';
	return count;
}

int pgb_llvm_merge(const char *tool, const struct pgb_raw_profiles *raw, const char *output,
		   struct pgb_merge_counts *counts, struct pgb_error *error)
{
	char *list = pgb_format("%s.list", output);
	/* A process that was killed while it wrote leaves half a profile: the others count. */
	const char *argv[] = {tool, "merge", "--failure-mode=all", "-o", output, "-f", list, NULL};
	struct pgb_spawn spawn = {.argv = argv, .quiet_stdin = true};
	struct pgb_text said = {0};
	int wait_status = 0;
	int status = write_list(raw, list, error);

	*counts = (struct pgb_merge_counts){0};
	if (status == 0)
		status =
			pgb_process_run(&spawn, MERGE_TIMEOUT_S, &said, &said, &wait_status, error);
	if (status == 0 && wait_status != 0)
		status = merge_failed(tool, pgb_text_string(&said), error);
	if (status == 0) {
		counts->raw_damaged = count_warnings(pgb_text_string(&said));
		ask_counts(tool, output, counts);
	}
	(void)pgb_file_remove_tree(list, NULL);
	pgb_text_release(&said);
	free(list);
	return status;
}

const struct pgb_toolchain pgb_toolchain_clang = {
	.name = "clang",
	.key = "llvm",
	.merger = "llvm-profdata",
	.reads_samples = true,
	.flags = flags,
	.own_flags = own_flags,
	.merge = pgb_llvm_merge,
};
