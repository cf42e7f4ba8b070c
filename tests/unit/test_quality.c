/* SPDX-License-Identifier: MIT */
/* Figures against what can be counted by hand, on a program compiled here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bolt/quality.h"
#include "tests/support/workshop.h"

static const char program[] =
	"__attribute__((noinline)) int hot(int n) { int s = 0; for (int i = 0; i < n; i++) "
	"s += i * n; return s; }\n"
	"__attribute__((noinline)) int warm(int n) { return n > 2 ? hot(n) : n; }\n"
	"__attribute__((noinline)) int cold(int n) { return warm(n) * 3; }\n"
	"int getpid(void);\n"
	"int main(void) { return cold(getpid()); }\n"
	"__asm__(\".globl thunk\\n.type thunk, %function\\n.size thunk, 4\\nthunk: "
#ifdef __aarch64__
	"b hot\\n"
#else
	"jmp .+2\\nud2\\n"
#endif
	"\");\n";

static struct workshop workshop;
static struct pgb_elf_image *image;

static int set_up(void **state)
{
	char *path;

	(void)state;
	workshop_open(&workshop);
	workshop_compile(&workshop, "app", "-O1 -fno-inline -fplt -Wl,-z,lazy", program);
	path = workshop_path(&workshop, "app");
	assert_int_equal(pgb_elf_image_open(&image, path, NULL), 0);
	assert_int_equal(pgb_elf_image_discover(image, NULL), 0);
	free(path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pgb_elf_image_close(image);
	workshop_close(&workshop);
	return 0;
}

static const struct pgb_elf_function *function(const char *name)
{
	const struct pgb_elf_function *found = pgb_elf_image_function_named(image, name);

	assert_non_null(found);
	return found;
}

static void add_branch(struct pgb_profile *profile, const char *from, const char *to,
		       uint64_t count)
{
	pgb_profile_add_branch(
		profile, &(struct pgb_profile_branch){
				 .from = {from[0] ? pgb_profile_intern(profile, from, strlen(from))
						  : PGB_NAME_UNKNOWN,
					  from[0] ? 4 : 0},
				 .to = {pgb_profile_intern(profile, to, strlen(to)), 0},
				 .count = count,
			 });
}

/* All of a function but its last byte ran `times` times. */
static void add_range(struct pgb_edges *edges, const char *name, uint64_t times)
{
	const struct pgb_elf_function *f = function(name);

	pgb_edges_add(edges, &(struct pgb_edge){.kind = PGB_EDGE_TRACE,
						.branch = f->address,
						.from = f->address,
						.to = f->address + f->size_bytes - 1,
						.count = times,
						.count_odd = times / 2});
}

static double density(const char *name, double times)
{
	double size_bytes = (double)function(name)->size_bytes;

	return times * (size_bytes - 1) / size_bytes;
}

static void expect_near(double value, double wanted)
{
	if (value < wanted * 0.999999 || value > wanted * 1.000001)
		fail_msg("%f, not %f", value, wanted);
}

static void counts_functions(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_quality quality = {0};

	(void)state;
	add_branch(profile, "hot", "hot", 9000);
	add_branch(profile, "warm", "hot", 950);
	add_branch(profile, "cold", "warm", 49);
	add_branch(profile, "", "main", 1);
	pgb_quality_compute(&quality,
			    &(struct pgb_quality_input){.profile = profile, .image = image});
	assert_true(quality.branches);
	assert_int_equal(quality.count, 10000);
	assert_int_equal(quality.count_unmatched, 0);
	assert_int_equal(quality.functions, 4);
	assert_true(quality.functions_in_binary >= 4);
	assert_int_equal(quality.functions_90, 1);
	assert_int_equal(quality.bytes_90, function("hot")->size_bytes);
	assert_int_equal(quality.functions_99, 2);
	assert_int_equal(quality.bytes_99,
			 function("hot")->size_bytes + function("warm")->size_bytes);
	assert_true(quality.density < 0 && quality.flow < 0 && quality.agreement < 0);
	assert_true(quality.dropped < 0 && quality.lost < 0);
	assert_int_equal(quality.grade, 'A');
	assert_int_equal(quality.reasons.count, 0);
	pgb_quality_release(&quality);
	pgb_profile_free(profile);
}

static void measures_density(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_quality quality = {0};
	struct pgb_quality_input input = {.profile = profile, .image = image, .edges = edges};
	char *text;

	(void)state;
	add_branch(profile, "hot", "hot", 9000);
	add_branch(profile, "warm", "hot", 950);
	add_branch(profile, "cold", "warm", 50);
	add_range(edges, "hot", 500);
	add_range(edges, "warm", 15);
	add_range(edges, "cold", 1);
	pgb_quality_compute(&quality, &input);
	/* hot and warm hold 99% */
	expect_near(quality.density, density("warm", 15));
	expect_near(quality.more_samples, 60 / density("warm", 15));
	assert_int_equal(quality.grade, 'C');
	assert_int_equal(quality.reasons.count, 1);
	text = pgb_format("run %.1f times at least; 60 times are enough: record %.1f times as long",
			  quality.density, quality.more_samples);
	assert_non_null(strstr(quality.reasons.items[0].text, text));
	free(text);

	/* what is but one jump has no bytes before its branch */
	add_branch(profile, "thunk", "hot", 1000);
	pgb_edges_add(edges, &(struct pgb_edge){.kind = PGB_EDGE_TRACE,
						.branch = function("hot")->address,
						.from = function("thunk")->address,
						.to = function("thunk")->address,
						.count = 7});
	pgb_quality_compute(&quality, &input);
	expect_near(quality.density, 7);

	/* with less in the others, hot alone does, and it is dense enough */
	add_branch(profile, "hot", "hot", 1000000);
	pgb_quality_compute(&quality, &input);
	expect_near(quality.density, density("hot", 500));
	expect_near(quality.more_samples, 1);
	assert_int_equal(quality.grade, 'A');

	input.single_branches = true;
	pgb_quality_compute(&quality, &input);
	assert_true(quality.density < 0);
	assert_int_equal(quality.grade, 'B');
	pgb_quality_release(&quality);
	pgb_edges_free(edges);
	pgb_profile_free(profile);
}

/* What no range can be is no reason to crash, nor does it count. */
static void ignores_odd_ranges(void **state)
{
	static const struct pgb_edge odd[] = {
		{.kind = PGB_EDGE_TRACE, .from = 8, .to = 4},
		{.kind = PGB_EDGE_TRACE, .from = PGB_ADDRESS_EXTERNAL, .to = PGB_ADDRESS_NONE},
		{.kind = PGB_EDGE_RANGE, .from = 0, .to = PGB_ADDRESS_EXTERNAL},
		{.kind = PGB_EDGE_BRANCH, .from = 4, .to = PGB_ADDRESS_NONE},
		{.kind = PGB_EDGE_NOT_TAKEN, .branch = 4, .from = 6, .to = PGB_ADDRESS_NONE},
	};
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_quality quality = {0};
	const struct pgb_elf_function *hot = function("hot");

	(void)state;
	add_branch(profile, "hot", "hot", 9000);
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		struct pgb_edge edge = odd[i];

		edge.count = UINT64_MAX;
		if (edge.from < PGB_ADDRESS_EXTERNAL)
			edge.from += hot->address;
		if (edge.to < PGB_ADDRESS_EXTERNAL)
			edge.to += hot->address;
		pgb_edges_add(edges, &edge);
	}
	pgb_edges_add(edges, &(struct pgb_edge){.kind = PGB_EDGE_TRACE,
						.from = hot->address,
						.to = hot->address + hot->max_size_bytes,
						.count = 1});
	pgb_quality_compute(&quality, &(struct pgb_quality_input){
					      .profile = profile,
					      .image = image,
					      .edges = edges,
					      .halves = true,
				      });
	assert_true(quality.density == 0);
	expect_near(quality.more_samples, 60);
	assert_true(quality.agreement < 0);
	assert_int_equal(quality.grade, 'F');
	pgb_quality_release(&quality);
	pgb_edges_free(edges);
	pgb_profile_free(profile);
}

static void compares_halves(void **state)
{
	static const struct {
		uint64_t counts[2], odd[2];
		double agreement;
		char grade;
	} rows[] = {
		{{1000, 1000}, {500, 500}, 1, 'A'},
		{{2000, 200}, {1000, 100}, 1, 'A'},
		{{1000, 1000}, {1000, 0}, 0, 'F'},
		/* odd 3:1, even 1:3 */
		{{4000, 4000}, {3000, 1000}, 0.5, 'E'},
		{{4000, 4000}, {2200, 1800}, 0.9, 'A'},
		{{4000, 4000}, {2400, 1600}, 0.8, 'B'},
		/* one sample: there are no halves */
		{{1000, 1000}, {1000, 1000}, -1, 'A'},
		{{1000, 1000}, {0, 0}, -1, 'A'},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct pgb_profile *profile = pgb_profile_new();
		struct pgb_edges *edges = pgb_edges_new();
		struct pgb_quality quality = {0};
		struct pgb_quality_input input = {.profile = profile,
						  .image = image,
						  .edges = edges,
						  .binary = 3,
						  .halves = true,
						  .single_branches = true};

		add_branch(profile, "hot", "hot", 9000);
		for (uint64_t j = 0; j < 2; j++)
			pgb_edges_add(edges, &(struct pgb_edge){.binary = 3,
								.kind = PGB_EDGE_BRANCH,
								.branch = j,
								.count = rows[i].counts[j],
								.count_odd = rows[i].odd[j]});
		/* of another binary */
		pgb_edges_add(edges, &(struct pgb_edge){.branch = 9, .count = 5, .count_odd = 5});
		pgb_quality_compute(&quality, &input);
		if (rows[i].agreement < 0)
			assert_true(quality.agreement < 0);
		else
			expect_near(quality.agreement + 1, rows[i].agreement + 1);
		assert_int_equal(quality.grade, rows[i].grade == 'A' ? 'B' : rows[i].grade);
		input.halves = false;
		pgb_quality_compute(&quality, &input);
		assert_true(quality.agreement < 0);
		pgb_quality_release(&quality);
		pgb_edges_free(edges);
		pgb_profile_free(profile);
	}
}

/* A block that loops to itself, and the branch that does it; false: the compiler made none. */
static bool find_loop(const struct pgb_cfg *cfg, const struct pgb_cfg_block **block,
		      const struct pgb_cfg_transfer **branch)
{
	for (size_t i = 0; i < cfg->transfer_count; i++) {
		*branch = &cfg->transfers[i];
		*block = pgb_cfg_block_at(cfg, (*branch)->offset);
		if ((*branch)->kind == PGB_INSN_CONDITIONAL && *block > cfg->blocks &&
		    (*block)->falls_through &&
		    (*branch)->target == cfg->function->address + (*block)->offset)
			return true;
	}
	return false;
}

static void add_inner(struct pgb_profile *profile, uint64_t from, uint64_t to, uint64_t count)
{
	uint32_t hot = pgb_profile_intern(profile, "hot", 3);

	pgb_profile_add_branch(profile,
			       &(struct pgb_profile_branch){{hot, from}, {hot, to}, 0, count});
}

static void measures_flow(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_quality quality = {0};
	struct pgb_quality_input input = {.profile = profile, .image = image};
	const struct pgb_cfg_block *block = NULL;
	const struct pgb_cfg_transfer *branch = NULL;

	(void)state;
	assert_int_equal(pgb_cfgs_new(&input.cfgs, image, NULL), 0);
	if (!find_loop(pgb_cfgs_find(input.cfgs, function("hot")), &block, &branch)) {
		pgb_cfgs_free(input.cfgs);
		pgb_profile_free(profile);
		print_message("the compiler made no loop of one block\n");
		skip();
	}
	/* round and round, as much in as out */
	add_inner(profile, branch->offset, block->offset, 1000);
	pgb_quality_compute(&quality, &input);
	expect_near(quality.flow, 1);
	assert_int_equal(quality.grade, 'A');
	/* out of it, but nothing into it */
	add_inner(profile, branch->offset, block[1].offset, 250);
	pgb_quality_compute(&quality, &input);
	expect_near(quality.flow, 0.8);
	assert_int_equal(quality.grade, 'B');
	/* into it, from the function's first block: no one knows how much came there */
	add_inner(profile, 0, block->offset, 250);
	/* calls come back, lines from outside say nothing of the way inside */
	add_branch(profile, "warm", "hot", 9);
	pgb_profile_add_branch(
		profile,
		&(struct pgb_profile_branch){
			.to = {pgb_profile_intern(profile, "hot", 3), block->offset}, .count = 77});
	pgb_quality_compute(&quality, &input);
	expect_near(quality.flow, 1);
	pgb_quality_release(&quality);
	pgb_cfgs_free(input.cfgs);
	pgb_profile_free(profile);
}

/* Entries of the PLT hold counts, but have no code that could be laid out. */
static void leaves_the_plt_out(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_quality quality = {0};

	(void)state;
	add_branch(profile, "hot", "hot", 2000);
	add_branch(profile, "getpid@PLT", "hot", 1000000);
	pgb_quality_compute(&quality,
			    &(struct pgb_quality_input){.profile = profile, .image = image});
	assert_int_equal(quality.count_unmatched, 0);
	assert_int_equal(quality.functions, 1);
	assert_int_equal(quality.functions_99, 1);
	assert_int_equal(quality.bytes_99, function("hot")->size_bytes);
	pgb_quality_release(&quality);
	pgb_profile_free(profile);
}

static void grades_samples(void **state)
{
	struct pgb_profile *profile = pgb_profile_new();
	struct pgb_quality quality = {0};
	struct pgb_quality_input input = {.profile = profile, .image = image, .samples = 50};

	(void)state;
	pgb_profile_add_sample(profile, &(struct pgb_profile_sample){
						{pgb_profile_intern(profile, "hot", 3), 4}, 20});
	pgb_profile_add_sample(profile, &(struct pgb_profile_sample){
						{pgb_profile_intern(profile, "gone", 4), 0}, 5});
	input.lost_samples = 50;
	pgb_quality_compute(&quality, &input);
	assert_false(quality.branches);
	assert_int_equal(quality.functions, 1);
	assert_int_equal(quality.count_unmatched, 5);
	expect_near(quality.lost, 0.5);
	assert_int_equal(quality.grade, 'E');
	assert_int_equal(quality.reasons.count, 4);
	for (size_t i = 1; i < quality.reasons.count; i++)
		assert_true(quality.reasons.items[i - 1].grade >= quality.reasons.items[i].grade);
	assert_non_null(strstr(quality.reasons.items[0].text, "25 samples in all are few"));
	assert_non_null(strstr(quality.reasons.items[1].text, "20.0% of the counts"));
	assert_non_null(strstr(quality.reasons.items[2].text, "50% of the samples were lost"));
	assert_non_null(strstr(quality.reasons.items[3].text, "single addresses"));
	pgb_quality_release(&quality);
	assert_int_equal(quality.grade, 0);
	pgb_profile_free(profile);
}

static void reads_grades(void **state)
{
	(void)state;
	assert_int_equal(pgb_quality_grade("A"), 'A');
	assert_int_equal(pgb_quality_grade("f"), 'F');
	assert_int_equal(pgb_quality_grade("G"), 0);
	assert_int_equal(pgb_quality_grade(""), 0);
	assert_int_equal(pgb_quality_grade("AB"), 0);
	assert_int_equal(pgb_quality_grade("@"), 0);
	assert_true(pgb_quality_reaches('A', 'C'));
	assert_true(pgb_quality_reaches('C', 'C'));
	assert_false(pgb_quality_reaches('D', 'C'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_functions),   cmocka_unit_test(measures_density),
		cmocka_unit_test(ignores_odd_ranges), cmocka_unit_test(compares_halves),
		cmocka_unit_test(measures_flow),      cmocka_unit_test(leaves_the_plt_out),
		cmocka_unit_test(grades_samples),     cmocka_unit_test(reads_grades),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
