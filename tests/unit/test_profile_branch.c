/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "pgobolt/bolt/fdata_write.h"
#include "pgobolt/bolt/profile.h"
#include "pgobolt/collector/edges.h"

#if defined(__x86_64__)
/*
 * A small program: caller calls work, which calls leaf in a loop.
 */
__asm__(".text\n"
	".globl leaf\n"
	".type leaf,@function\n"
	"leaf:	nop\n" /* 0 */
	"	ret\n" /* 1 */
	".size leaf,.-leaf\n"
	".globl work\n"
	".type work,@function\n"
	"work:	testl %edi,%edi\n" /* 0 */
	"	je 1f\n"	   /* 2 */
	"	call leaf\n"	   /* 4 */
	"1:	nop\n"		   /* 9 */
	"	jg 2f\n"	   /* a */
	"	jmp 1b\n"	   /* c */
	"2:	call leaf\n"	   /* e */
	"	ret\n"		   /* 13 */
	".size work,.-work\n"
	".globl caller\n"
	".type caller,@function\n"
	"caller: nop\n"	      /* 0 */
	"	call work\n"  /* 1 */
	"	call *%rax\n" /* 6 */
	"	jmp *%rax\n"  /* 8 */
	".size caller,.-caller\n");

#define NONE	  NULL, 0
#define EXTERNAL  "outside", 0
#define LEAF(x)	  "leaf", x
#define WORK(x)	  "work", x
#define CALLER(x) "caller", x

struct row {
	int line;
	uint32_t kind;
	const char *branch_function;
	uint64_t branch;
	const char *from_function;
	uint64_t from;
	const char *to_function;
	uint64_t to;
	/* Lines with count 5 and mispredictions 1, except in ranges; NULL: as perf2bolt has them */
	const char *perf2bolt, *checked;
	int reason; /* of a drop; -1: none */
};

static const struct row rows[] = {
	/* A call and the straight line behind it. */
	{__LINE__, PGB_EDGE_TRACE, CALLER(1), WORK(0), WORK(4),
	 "1 caller 1 1 work 0 1 5\n1 work 2 1 work 4 0 5\n", NULL, -1},
	/* Calls end no block: one line from the call to behind it, where a block starts. */
	{__LINE__, PGB_EDGE_TRACE, NONE, WORK(0), WORK(0xc),
	 "1 work 2 1 work 4 0 5\n1 work 4 1 work 9 0 5\n", NULL, -1},
	{__LINE__, PGB_EDGE_TRACE, NONE, WORK(0xa), WORK(0xe), "1 work c 1 work e 0 5\n", NULL, -1},
	/* A return vanishes, and says that its call ran on. */
	{__LINE__, PGB_EDGE_TRACE, LEAF(1), WORK(9), WORK(0xa), "1 work 4 1 work 9 0 5\n", NULL,
	 -1},
	{__LINE__, PGB_EDGE_BRANCH, LEAF(1), WORK(9), NONE, "", NULL, -1},
	/* Returns of others: an entry, and the same. */
	{__LINE__, PGB_EDGE_TRACE, EXTERNAL, WORK(9), WORK(0xa),
	 "1 work 4 1 work 9 0 5\n0 [unknown] 0 1 work 9 1 5\n", NULL, -1},
	{__LINE__, PGB_EDGE_RETURN, EXTERNAL, WORK(9), WORK(0xa), "1 work 4 1 work 9 0 5\n", NULL,
	 -1},
	{__LINE__, PGB_EDGE_RANGE, EXTERNAL, WORK(9), WORK(0xa), "1 work 4 1 work 9 0 5\n", NULL,
	 -1},
	/* Of unknown origin: no more than the range. */
	{__LINE__, PGB_EDGE_TRACE, NONE, WORK(9), WORK(0xa), "", NULL, -1},
	/* Declared a return: only the range is left. */
	{__LINE__, PGB_EDGE_RETURN, CALLER(8), WORK(9), WORK(9), "1 work 4 1 work 9 0 5\n", NULL,
	 -1},
	/* From and to outside. */
	{__LINE__, PGB_EDGE_BRANCH, EXTERNAL, WORK(0), NONE, "0 [unknown] 0 1 work 0 1 5\n", NULL,
	 -1},
	{__LINE__, PGB_EDGE_BRANCH, CALLER(6), EXTERNAL, NONE, "1 caller 6 0 [unknown] 0 1 5\n",
	 NULL, -1},
	{__LINE__, PGB_EDGE_BRANCH, EXTERNAL, EXTERNAL, NONE, "", NULL, -1},
	/* Within the function. */
	{__LINE__, PGB_EDGE_BRANCH, WORK(2), WORK(9), NONE, "1 work 2 1 work 9 1 5\n", NULL, -1},
	{__LINE__, PGB_EDGE_BRANCH, WORK(0xc), WORK(9), NONE, "1 work c 1 work 9 1 5\n", NULL, -1},
	/* What cannot be. */
	{__LINE__, PGB_EDGE_BRANCH, WORK(3), WORK(9), NONE, "1 work 3 1 work 9 1 5\n", "",
	 PGB_DROP_NO_SOURCE},
	{__LINE__, PGB_EDGE_BRANCH, WORK(2), WORK(0xe), NONE, "1 work 2 1 work e 1 5\n", "",
	 PGB_DROP_WRONG_TARGET},
	{__LINE__, PGB_EDGE_BRANCH, WORK(4), WORK(9), NONE, "1 work 4 1 work 9 1 5\n", "",
	 PGB_DROP_WRONG_TARGET},
	{__LINE__, PGB_EDGE_BRANCH, CALLER(1), LEAF(0), NONE, "1 caller 1 1 leaf 0 1 5\n", "",
	 PGB_DROP_WRONG_TARGET},
	{__LINE__, PGB_EDGE_BRANCH, CALLER(1), EXTERNAL, NONE, "1 caller 1 0 [unknown] 0 1 5\n", "",
	 PGB_DROP_WRONG_TARGET},
	{__LINE__, PGB_EDGE_BRANCH, CALLER(6), WORK(5), NONE, "1 caller 6 1 work 5 1 5\n", "",
	 PGB_DROP_NO_TARGET},
	{__LINE__, PGB_EDGE_BRANCH, CALLER(6), CALLER(8), NONE, "1 caller 6 1 caller 8 1 5\n", "",
	 PGB_DROP_NO_EDGE},
	{__LINE__, PGB_EDGE_TRACE, NONE, WORK(9), WORK(4), "", NULL, PGB_DROP_BACKWARDS},
	{__LINE__, PGB_EDGE_TRACE, NONE, LEAF(0), WORK(4), "", NULL, PGB_DROP_TWO_FUNCTIONS},
	{__LINE__, PGB_EDGE_TRACE, NONE, WORK(5), WORK(9), "1 work 4 1 work 9 0 5\n", "",
	 PGB_DROP_NO_TARGET},
	{__LINE__, PGB_EDGE_TRACE, NONE, LEAF(0), EXTERNAL, "", NULL, -1},
	/* A compare fused with the branch behind it, taken and not: the branch. */
	{__LINE__, PGB_EDGE_BRANCH, WORK(0), WORK(9), NONE, "1 work 0 1 work 9 1 5\n",
	 "1 work 2 1 work 9 1 5\n", -1},
	{__LINE__, PGB_EDGE_BRANCH, WORK(0), NONE, NONE, "", "1 work 2 1 work 9 1 5\n", -1},
	{__LINE__, PGB_EDGE_NOT_TAKEN, WORK(0), NONE, NONE, "", "1 work 2 1 work 4 1 5\n", -1},
	{__LINE__, PGB_EDGE_BRANCH, WORK(0), WORK(4), NONE, "1 work 0 1 work 4 1 5\n", "",
	 PGB_DROP_NO_SOURCE},
	{__LINE__, PGB_EDGE_NOT_TAKEN, WORK(1), NONE, NONE, "", "", PGB_DROP_NO_SOURCE},
	/* Where it went is in the code, or nobody knows. */
	{__LINE__, PGB_EDGE_BRANCH, WORK(2), NONE, NONE, "", "1 work 2 1 work 9 1 5\n", -1},
	{__LINE__, PGB_EDGE_BRANCH, CALLER(1), NONE, NONE, "", "1 caller 1 1 work 0 1 5\n", -1},
	{__LINE__, PGB_EDGE_BRANCH, CALLER(6), NONE, NONE, "", NULL, PGB_DROP_NOT_TOLD},
	{__LINE__, PGB_EDGE_BRANCH, LEAF(1), NONE, NONE, "", NULL, -1},
	{__LINE__, PGB_EDGE_NOT_TAKEN, WORK(2), NONE, NONE, "1 work 2 1 work 4 1 5\n", NULL, -1},
	/* Single branches that fell through. */
	{__LINE__, PGB_EDGE_NOT_TAKEN, WORK(2), WORK(4), NONE, "1 work 2 1 work 4 1 5\n", NULL, -1},
	{__LINE__, PGB_EDGE_NOT_TAKEN, WORK(0xa), WORK(0xc), NONE, "", NULL, PGB_DROP_NO_EDGE},
	{__LINE__, PGB_EDGE_NOT_TAKEN, WORK(4), WORK(9), NONE, "", NULL, PGB_DROP_NO_SOURCE},
	{__LINE__, PGB_EDGE_IP, WORK(4), NONE, NONE, "", NULL, PGB_DROP_NOT_A_BRANCH_EDGE},
};

static uint64_t address(const struct pgb_elf_image *image, const char *function, uint64_t offset)
{
	const struct pgb_elf_function *found;

	if (function == NULL)
		return PGB_ADDRESS_NONE;
	if (strcmp(function, "outside") == 0)
		return PGB_ADDRESS_EXTERNAL;
	found = pgb_elf_image_function_named(image, function);
	assert_non_null(found);
	return found->address + offset;
}

static void check_sums(const struct pgb_profile_stats *stats)
{
	uint64_t reasons = 0;

	for (int i = 0; i < PGB_DROP_COUNT; i++)
		reasons += stats->by_reason[i];
	assert_int_equal(stats->seen, stats->written + stats->returns + stats->no_function +
					      stats->external + stats->dropped);
	assert_int_equal(stats->ranges,
			 stats->ranges_written + stats->ranges_outside + stats->ranges_dropped);
	assert_int_equal(reasons, stats->dropped + stats->ranges_dropped);
}

static void check_row(struct pgb_cfgs *cfgs, const struct row *row, bool as_perf2bolt)
{
	const struct pgb_elf_image *image = pgb_cfgs_image(cfgs);
	struct pgb_edge edge = {
		.kind = row->kind,
		.branch = address(image, row->branch_function, row->branch),
		.from = address(image, row->from_function, row->from),
		.to = address(image, row->to_function, row->to),
		.count = 5,
		.mispredicts = 1,
	};
	const char *expected = as_perf2bolt || row->checked == NULL ? row->perf2bolt : row->checked;
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_profile_stats stats = {0};
	struct pgb_error error = {0};
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	pgb_edges_add(edges, &edge);
	assert_int_equal(
		pgb_profile_add_branch_edges(profile, cfgs, edges, 0, as_perf2bolt, &stats, &error),
		0);
	pgb_fdata_write(stream, profile);
	assert_int_equal(fclose(stream), 0);
	if (strcmp(text, expected) != 0)
		fail_msg("row of line %d%s: wrote\n%s", row->line,
			 as_perf2bolt ? " as perf2bolt" : "", text);
	check_sums(&stats);
	if (row->reason >= 0 && (!as_perf2bolt || row->checked == NULL) &&
	    stats.by_reason[row->reason] != 5)
		fail_msg("row of line %d: not dropped because %s", row->line,
			 pgb_drop_text((enum pgb_drop)row->reason));
	free(text);
	pgb_edges_free(edges);
	pgb_profile_free(profile);
}

static void test_rows(void **state)
{
	struct pgb_error error = {0};
	struct pgb_elf_image *image;
	struct pgb_cfgs *cfgs;

	(void)state;
	assert_int_equal(pgb_elf_image_open(&image, "/proc/self/exe", &error), 0);
	assert_int_equal(pgb_cfgs_new(&cfgs, image, &error), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(cfgs, &rows[i], true);
		check_row(cfgs, &rows[i], false);
	}
	pgb_cfgs_free(cfgs);
	pgb_elf_image_close(image);
}
#else
static void test_rows(void **state)
{
	(void)state;
	skip();
}
#endif

static void test_kind(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_profile_stats stats = {0};
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_error error = {0};
	struct pgb_elf_image *image;
	struct pgb_cfgs *cfgs;

	(void)state;
	assert_int_equal(pgb_elf_image_open(&image, "/proc/self/exe", &error), 0);
	assert_int_equal(pgb_cfgs_new(&cfgs, image, &error), 0);
	assert_int_equal(pgb_profile_set_kind(profile, PGB_PROFILE_SAMPLES, false, &error), 0);
	assert_int_equal(
		pgb_profile_add_branch_edges(profile, cfgs, edges, 0, false, &stats, &error),
		PGB_E_MISMATCH);
	pgb_edges_free(edges);
	pgb_profile_free(profile);
	pgb_cfgs_free(cfgs);
	pgb_elf_image_close(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
