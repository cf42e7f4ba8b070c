/* SPDX-License-Identifier: MIT */
/* Samples of a loop whose counts are known, from this test's own code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "pgobolt/bolt/infer.h"
#include "pgobolt/bolt/quality.h"

#if defined(__x86_64__)
/*
 * spin is called 10 times and goes round 1000 times: 300 times over the short way, which no branch
 * tells of.
 */
__asm__(".text\n"
	".globl spin\n"
	".type spin,@function\n"
	"spin:	nop\n"		   /* 0 */
	"1:	testl %edi,%edi\n" /* 1 */
	"	je 2f\n"	   /* 3 */
	"	nop\n"		   /* 5 */
	"	nop\n"		   /* 6 */
	"	jmp 3f\n"	   /* 7 */
	"2:	nop\n"		   /* 9 */
	"3:	decl %esi\n"	   /* a */
	"	jne 1b\n"	   /* c */
	"	ret\n"		   /* e */
	".size spin,.-spin\n"
	".globl spinner\n"
	".type spinner,@function\n"
	"spinner:\n"
	"6:	call spin\n" /* 0 */
	"	jmp *%rax\n" /* 5 */
	"4:	nop\n"	     /* 7 */
	"	jmp 6b\n"    /* 8 */
	"5:	ret\n"	     /* a */
	".size spinner,.-spinner\n"
	/* what sanitizers put in front of functions is no padding, and would be spinner's */
	".globl spinner_end\n"
	".type spinner_end,@function\n"
	"spinner_end: ret\n"
	".size spinner_end,.-spinner_end\n"
	".section .data.rel,\"aw\"\n"
	".globl spinner_places\n"
	"spinner_places: .quad 4b, 5b\n"
	".text\n");

static struct pgb_elf_image *image;
static struct pgb_cfgs *cfgs;

struct fact {
	uint32_t kind;
	const char *function;
	uint64_t branch, from, to; /* NONE: no such end */
	uint64_t count;
};

#define NONE PGB_ADDRESS_NONE

static int set_up(void **state)
{
	struct pgb_error error = {0};

	(void)state;
	assert_int_equal(pgb_elf_image_open(&image, "/proc/self/exe", &error), 0);
	assert_int_equal(pgb_cfgs_new(&cfgs, image, &error), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pgb_cfgs_free(cfgs);
	pgb_elf_image_close(image);
	return 0;
}

static uint64_t address(const char *function, uint64_t offset)
{
	const struct pgb_elf_function *found = pgb_elf_image_function_named(image, function);

	assert_non_null(found);
	return offset >= PGB_ADDRESS_EXTERNAL ? offset : found->address + offset;
}

static void add_facts(struct pgb_edges *edges, const struct fact *facts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pgb_edges_add(edges, &(struct pgb_edge){
					     .kind = facts[i].kind,
					     .branch = address(facts[i].function, facts[i].branch),
					     .from = address(facts[i].function, facts[i].from),
					     .to = address(facts[i].function, facts[i].to),
					     .count = facts[i].count,
				     });
}

/* `percent` 0: there is no such line. */
static void assert_line(struct pgb_profile *profile, const char *function, uint64_t from,
			uint64_t to, double count, double percent)
{
	size_t lines;
	const struct pgb_profile_branch *line = pgb_profile_branches(profile, &lines);
	double found = 0;

	for (; lines > 0; lines--, line++)
		if (strcmp(pgb_profile_name(profile, line->from.name), function) == 0 &&
		    line->to.name == line->from.name && line->from.offset == from &&
		    line->to.offset == to)
			found = (double)line->count / PGB_INFER_SCALE;
	if (fabs(found - count) > count * percent / 100)
		fail_msg("%s %x -> %x: %g, not %g", function, (unsigned int)from, (unsigned int)to,
			 found, count);
}

static void assert_conserved(struct pgb_profile *profile, double least)
{
	struct pgb_quality quality = {0};

	pgb_quality_compute(&quality, &(struct pgb_quality_input){
					      .profile = profile, .image = image, .cfgs = cfgs});
	if (quality.flow < least)
		fail_msg("flow is conserved to %g only", quality.flow);
	pgb_quality_release(&quality);
}

static struct pgb_profile *infer(const struct fact *facts, size_t count,
				 struct pgb_profile_stats *stats, struct pgb_infer_stats *inferred)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_error error = {0};

	add_facts(edges, facts, count);
	assert_int_equal(pgb_infer_edges(profile, cfgs, edges, 0, stats, inferred, &error), 0);
	assert_int_equal(stats->seen, stats->written + stats->returns + stats->no_function +
					      stats->external + stats->dropped);
	assert_int_equal(inferred->functions_unsolved, 0);
	pgb_edges_free(edges);
	return profile;
}

static void check_loop(struct pgb_profile *profile, double percent)
{
	assert_line(profile, "spin", 3, 9, 30, percent);
	assert_line(profile, "spin", 3, 5, 70, percent);
	assert_line(profile, "spin", 7, 0xa, 70, percent);
	assert_line(profile, "spin", 9, 0xa, 30, percent);
	assert_line(profile, "spin", 0xc, 1, 99, percent);
	assert_conserved(profile, 0.999);
}

/* Every branch, one time in ten. */
static const struct fact branches[] = {
	{PGB_EDGE_BRANCH, "spin", 3, 9, NONE, 30},
	{PGB_EDGE_BRANCH, "spin", 7, 0xa, NONE, 70},
	{PGB_EDGE_BRANCH, "spin", 0xc, 1, NONE, 99},
	{PGB_EDGE_NOT_TAKEN, "spin", 3, 5, NONE, 70},
	{PGB_EDGE_NOT_TAKEN, "spin", 0xc, 0xe, NONE, 1},
	{PGB_EDGE_BRANCH, "spin", 0xe, PGB_ADDRESS_EXTERNAL, NONE, 1},
};

static void test_branches(void **state)
{
	struct pgb_profile_stats stats = {0};
	struct pgb_infer_stats inferred;
	struct pgb_profile *profile = infer(branches, 6, &stats, &inferred);

	(void)state;
	check_loop(profile, 3);
	assert_line(profile, "spin", 0, 1, 1, 30);
	assert_int_equal(inferred.functions, 1);
	assert_true(inferred.counts_filled > 0 && inferred.counts_filled < inferred.counts_seen);
	assert_int_equal(stats.returns, 1);
	pgb_profile_free(profile);
}

/* Taken branches alone: the rest follows. */
static void test_taken_branches(void **state)
{
	struct pgb_profile_stats stats = {0};
	struct pgb_infer_stats inferred;
	struct pgb_profile *profile = infer(branches, 3, &stats, &inferred);

	(void)state;
	check_loop(profile, 3);
	pgb_profile_free(profile);
}

/* Branches say one in ten over the short way, the ranges to the branch behind it: one in two. */
static void test_ranges(void **state)
{
	static const struct fact facts[] = {
		{PGB_EDGE_BRANCH, "spin", 3, 9, NONE, 10},
		{PGB_EDGE_BRANCH, "spin", 7, 0xa, NONE, 90},
		{PGB_EDGE_BRANCH, "spin", 0xc, 1, NONE, 99},
		{PGB_EDGE_TRACE, "spin", NONE, 9, 0xc, 50},
		{PGB_EDGE_TRACE, "spin", NONE, 0xa, 0xc, 50},
		{PGB_EDGE_TRACE, "spin", NONE, 1, 3, 99},
	};
	struct pgb_profile_stats stats = {0};
	struct pgb_infer_stats inferred;
	struct pgb_profile *profile = infer(facts, 6, &stats, &inferred);

	(void)state;
	assert_line(profile, "spin", 9, 0xa, 36, 10);
	assert_line(profile, "spin", 0xc, 1, 92, 5);
	assert_conserved(profile, 0.999);
	pgb_profile_free(profile);
}

/* Each instruction of the loop, one time in ten; the jumps take part like all others. */
static void test_addresses(void **state)
{
	static const struct fact facts[] = {
		{PGB_EDGE_IP, "spin", 0, NONE, NONE, 1},
		{PGB_EDGE_IP, "spin", 1, NONE, NONE, 100},
		{PGB_EDGE_IP, "spin", 3, NONE, NONE, 100},
		{PGB_EDGE_IP, "spin", 5, NONE, NONE, 70},
		{PGB_EDGE_IP, "spin", 6, NONE, NONE, 70},
		{PGB_EDGE_IP, "spin", 7, NONE, NONE, 70},
		{PGB_EDGE_IP, "spin", 9, NONE, NONE, 30},
		{PGB_EDGE_IP, "spin", 0xa, NONE, NONE, 100},
		{PGB_EDGE_IP, "spin", 0xc, NONE, NONE, 100},
		{PGB_EDGE_IP, "spin", 0xe, NONE, NONE, 1},
	};
	struct pgb_profile_stats stats = {0};
	struct pgb_infer_stats inferred;
	struct pgb_profile *profile = infer(facts, 10, &stats, &inferred);

	(void)state;
	check_loop(profile, 10);
	assert_int_equal(stats.written, 642);
	assert_int_equal(inferred.lines_seen, 0);
	pgb_profile_free(profile);
}

/* A call and its count, which the callee enters with; and a jump of which nobody knows the ways. */
static void test_calls_and_unknown_jumps(void **state)
{
	static const struct fact facts[] = {
		{PGB_EDGE_IP, "spinner", 0, NONE, NONE, 50},
		{PGB_EDGE_IP, "spinner", 5, NONE, NONE, 50},
		{PGB_EDGE_IP, "spinner", 7, NONE, NONE, 40},
		{PGB_EDGE_IP, "spinner", 8, NONE, NONE, 40},
		{PGB_EDGE_IP, "spinner", 0xa, NONE, NONE, 10},
	};
	struct pgb_profile_stats stats = {0};
	struct pgb_infer_stats inferred;
	struct pgb_profile *profile = infer(facts, 5, &stats, &inferred);
	size_t count;
	const struct pgb_profile_branch *lines = pgb_profile_branches(profile, &count);
	bool called = false;

	(void)state;
	for (size_t i = 0; i < count; i++)
		called |= strcmp(pgb_profile_name(profile, lines[i].to.name), "spin") == 0 &&
			  lines[i].to.offset == 0 && lines[i].count >= 20 * PGB_INFER_SCALE;
	assert_true(called);
	assert_line(profile, "spinner", 5, 7, 40, 15);
	pgb_profile_free(profile);
}

/* Nothing, addresses outside of everything, and counts that cannot be. */
static void test_nonsense(void **state)
{
	static const struct fact facts[] = {
		{PGB_EDGE_IP, "spin", PGB_ADDRESS_EXTERNAL, NONE, NONE, 5},
		{PGB_EDGE_BRANCH, "spin", 2, 9, NONE, 5},
		{PGB_EDGE_NOT_TAKEN, "spin", 4, 6, NONE, 5},
		{PGB_EDGE_TRACE, "spin", NONE, 0xc, 1, 5},
		{PGB_EDGE_RANGE, "spin", PGB_ADDRESS_EXTERNAL, 2, 0xd, 5},
		{PGB_EDGE_BRANCH, "spin", 3, 9, NONE, UINT64_MAX / 2},
	};
	struct pgb_profile_stats stats = {0};
	struct pgb_infer_stats inferred;

	(void)state;
	pgb_profile_free(infer(facts, 0, &stats, &inferred));
	assert_int_equal(inferred.functions, 0);
	pgb_profile_free(infer(facts, 5, &stats, &inferred));
	pgb_profile_free(infer(facts, 6, &stats, &inferred));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_taken_branches),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_calls_and_unknown_jumps),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
#else
int main(void)
{
	puts("the test is code for x86-64");
	return 77;
}
#endif
