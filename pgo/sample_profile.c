/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/sample_profile.h"
#include "pgobolt/base/search.h"

#include <stdlib.h>
#include <string.h>

#include "pgo/sample_private.h"
#include "pgobolt/bolt/elf_lines.h"
#include "pgobolt/collector/insn.h"
#include "pgobolt/pgo/toolchain.h"

/* Inlining nested deeper than this is not counted. */
enum { FRAMES_MOST = 128 };
/* Line offsets are 16 bits in the compiler, too. */
#define OFFSET_MASK 0xffffu

/* Code that ran from one instruction to another. */
struct span {
	uint64_t from, to, count;
};

/* An instruction of the piece of code at hand. */
struct place {
	uint64_t address;
	uint64_t starts, ends; /* counts of spans that start here; that end before here */
	uint32_t barriers;     /* calls, jumps and returns before it, in this piece */
	uint8_t length_bytes;
};

struct counting {
	struct pgb_sample_profile *profile;
	struct pgb_elf_image *image;
	struct pgb_elf_lines *lines;
	struct pgb_sample_stats *stats;
	enum pgb_insn_set set;
	PGB_ARRAY(struct span) spans; /* ascending by from */
	PGB_ARRAY(struct place) places;
	struct pgb_line_frame frames[FRAMES_MOST];
};

/* ---- contexts */

static bool add_name(struct counting *counting, const char *name, uint32_t *index)
{
	if (!pgb_sample_name_is_usable(name))
		return false;
	*index =
		pgb_sample_names_add(&counting->profile->names, name, pgb_sample_name_length(name));
	return true;
}

static uint32_t add_context(struct pgb_sample_profile *profile, const uint32_t key[4])
{
	uint32_t context = pgb_sample_table_add(&profile->contexts, key);

	while (profile->heads.count < profile->contexts.items.count)
		pgb_array_push(&profile->heads, 0);
	return context;
}

/* What an instruction belongs to. */
struct where {
	uint32_t context, offset, discriminator;
	uint32_t copies;
};

static void set_place(struct where *where, const struct pgb_line_frame *frame)
{
	where->offset = (frame->line - frame->declared_line) & OFFSET_MASK;
	where->discriminator = pgb_discriminator_base(frame->discriminator);
	where->copies = pgb_discriminator_copies(frame->discriminator);
}

/* Adds `total` to the context there and to all around it. false: nothing is known of it. */
static bool find_where(struct counting *counting, uint64_t address, uint64_t total,
		       struct where *where)
{
	struct pgb_sample_profile *profile = counting->profile;
	size_t count =
		pgb_elf_lines_frames(counting->lines, address, counting->frames, FRAMES_MOST);
	uint32_t key[4] = {0};

	/* all of them, before anything is counted */
	for (size_t i = 0; i < count; i++)
		if (!add_name(counting, counting->frames[i].function, &key[3]))
			return false;
	for (size_t i = 0; i < count; i++) {
		struct pgb_sample_count *item;

		key[0] = i > 0 ? where->context + 1 : 0;
		key[1] = i > 0 ? where->offset : 0;
		key[2] = i > 0 ? where->discriminator : 0;
		add_name(counting, counting->frames[i].function, &key[3]);
		where->context = add_context(profile, key);
		item = &profile->contexts.items.items[where->context];
		item->count = pgb_count_add(item->count, total);
		set_place(where, &counting->frames[i]);
	}
	return count > 0;
}

static void count_place(struct counting *counting, const struct place *place, uint64_t count)
{
	struct pgb_sample_table *places = &counting->profile->places;
	struct where where;
	uint64_t most;
	uint32_t index;

	if (!find_where(counting, place->address, pgb_count_multiply(count, place->length_bytes),
			&where))
		return;
	most = pgb_count_multiply(count, where.copies);
	index = pgb_sample_table_add(
		places, (const uint32_t[4]){where.context, where.offset, where.discriminator, 0});
	if (places->items.items[index].count < most)
		places->items.items[index].count = most;
}

/* ---- one piece of code */

static void decode(struct counting *counting, const struct pgb_line_range *range)
{
	uint64_t address = range->start;
	uint32_t barriers = 0;

	counting->places.count = 0;
	while (address < range->end) {
		size_t left = 0;
		const uint8_t *bytes = pgb_elf_image_bytes_at(counting->image, address, &left);
		struct pgb_insn insn;

		if (bytes == NULL)
			break;
		if (pgb_insn_decode(counting->set, bytes, left, address, &insn) != 0) {
			address += counting->set == PGB_INSN_AARCH64 ? 4 : 1; /* data */
			continue;
		}
		pgb_array_push(&counting->places,
			       ((struct place){.address = address,
					       .barriers = barriers,
					       .length_bytes = insn.length_bytes}));
		barriers += insn.kind != PGB_INSN_LINEAR && insn.kind != PGB_INSN_CONDITIONAL &&
			    insn.kind != PGB_INSN_SYSCALL;
		address += insn.length_bytes;
	}
}

static struct place *place_at(struct counting *counting, uint64_t address)
{
	size_t at =
		pgb_search(counting->places.count, i, counting->places.items[i].address < address);

	return at < counting->places.count && counting->places.items[at].address == address
		       ? &counting->places.items[at]
		       : NULL;
}

/* -1, or why it cannot have run. */
static int mark_span(struct counting *counting, const struct span *span,
		     const struct pgb_line_range *range)
{
	struct place *from = place_at(counting, span->from), *to = place_at(counting, span->to);

	if (span->to < span->from)
		return PGB_DROP_BACKWARDS;
	if (span->to >= range->end)
		return PGB_DROP_TWO_FUNCTIONS;
	if (from == NULL || to == NULL)
		return PGB_DROP_NO_TARGET;
	if (from->barriers != to->barriers)
		return PGB_DROP_CROSSES_JUMP;
	from->starts = pgb_count_add(from->starts, span->count);
	if (to + 1 < counting->places.items + counting->places.count)
		to[1].ends = pgb_count_add(to[1].ends, span->count);
	return -1;
}

static size_t first_span(const struct counting *counting, uint64_t address)
{
	return pgb_search(counting->spans.count, i, counting->spans.items[i].from < address);
}

/* What did not run counts 0: the compiler takes it for cold, not for unknown. */
static void count_range(struct counting *counting, const struct pgb_line_range *range)
{
	struct pgb_sample_stats *stats = counting->stats;
	uint64_t count = 0;

	decode(counting, range);
	for (size_t i = first_span(counting, range->start);
	     i < counting->spans.count && counting->spans.items[i].from < range->end; i++) {
		const struct span *span = &counting->spans.items[i];
		int reason = mark_span(counting, span, range);
		uint64_t *sum = reason < 0 ? &stats->ranges_written : &stats->ranges_dropped;

		*sum = pgb_count_add(*sum, span->count);
		if (reason >= 0)
			stats->by_reason[reason] =
				pgb_count_add(stats->by_reason[reason], span->count);
	}
	for (size_t i = 0; i < counting->places.count; i++) {
		const struct place *place = &counting->places.items[i];

		count = pgb_count_add(count, place->starts);
		count = count > place->ends ? count - place->ends : 0;
		count_place(counting, place, count);
	}
}

/* ---- all that ran */

static int compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return (x->to > y->to) - (x->to < y->to);
}

static void add_span(struct counting *counting, uint64_t from, uint64_t to, uint64_t count)
{
	if (from < PGB_ADDRESS_EXTERNAL && to < PGB_ADDRESS_EXTERNAL)
		pgb_array_push(&counting->spans, ((struct span){from, to, count}));
}

static bool has_range(const struct pgb_edge *edge)
{
	return edge->to != PGB_ADDRESS_NONE &&
	       (edge->kind == PGB_EDGE_TRACE || edge->kind == PGB_EDGE_RETURN ||
		edge->kind == PGB_EDGE_RANGE);
}

static void add_spans(struct counting *counting, const struct pgb_edge *edges, size_t count)
{
	bool ranges = false;

	for (size_t i = 0; i < count; i++)
		ranges |= has_range(&edges[i]);
	for (size_t i = 0; i < count; i++) {
		const struct pgb_edge *edge = &edges[i];

		if (has_range(edge)) {
			add_span(counting, edge->from, edge->to, edge->count);
		} else if (!ranges) {
			add_span(counting, edge->branch, edge->branch, edge->count);
			if (edge->kind == PGB_EDGE_BRANCH || edge->kind == PGB_EDGE_TRACE)
				add_span(counting, edge->from, edge->from, edge->count);
		}
	}
	if (counting->spans.count > 1)
		qsort(counting->spans.items, counting->spans.count,
		      sizeof(counting->spans.items[0]), compare_spans);
}

static bool is_named(const struct counting *counting, const struct pgb_line_range *range)
{
	return pgb_sample_name_is_usable(
		pgb_elf_lines_function(counting->lines, range->function)->name);
}

static void count_spans(struct counting *counting)
{
	struct pgb_sample_stats *stats = counting->stats;
	size_t count;
	const struct pgb_line_range *ranges = pgb_elf_lines_ranges(counting->lines, &count);
	uint32_t functions = 0;
	bool *ran;

	for (size_t i = 0; i < count; i++)
		if (ranges[i].function >= functions)
			functions = ranges[i].function + 1;
	ran = pgb_calloc(functions, sizeof(*ran));
	for (size_t i = 0; i < counting->spans.count; i++) {
		const struct span *span = &counting->spans.items[i];
		const struct pgb_line_range *range =
			pgb_elf_lines_range_at(counting->lines, span->from);

		stats->ranges = pgb_count_add(stats->ranges, span->count);
		if (range == NULL || !is_named(counting, range))
			stats->ranges_outside = pgb_count_add(stats->ranges_outside, span->count);
		else
			ran[range->function] = true;
	}
	for (size_t i = 0; i < count; i++)
		if (ran[ranges[i].function])
			count_range(counting, &ranges[i]);
	free(ran);
}

/* ---- calls */

/*
 * The function that starts there; NULL: none does. Of one in several pieces, a piece is its start
 * if the symbol table calls it by the function's name.
 */
static const char *function_entered(const struct counting *counting, uint64_t address)
{
	const struct pgb_line_range *range = pgb_elf_lines_range_at(counting->lines, address);
	const struct pgb_line_function *function;
	const struct pgb_elf_function *symbol;
	size_t length;

	if (range == NULL || range->start != address)
		return NULL;
	function = pgb_elf_lines_function(counting->lines, range->function);
	if (function->range_count == 1)
		return function->name;
	symbol = pgb_elf_image_find_function(counting->image, address);
	length = pgb_sample_name_length(function->name);
	/* local symbols are NAME/1 */
	if (symbol == NULL || symbol->address != address ||
	    strncmp(symbol->name, function->name, length) != 0 ||
	    (symbol->name[length] != '\0' && symbol->name[length] != '/'))
		return NULL;
	return function->name;
}

/* A jump of a function to its own start is a loop. */
static bool is_loop(const struct counting *counting, const struct pgb_edge *edge)
{
	const struct pgb_line_range *from = pgb_elf_lines_range_at(counting->lines, edge->branch);
	const struct pgb_line_range *to = pgb_elf_lines_range_at(counting->lines, edge->from);
	struct pgb_insn insn;
	size_t left = 0;
	const uint8_t *bytes = pgb_elf_image_bytes_at(counting->image, edge->branch, &left);

	return from != NULL && to != NULL && from->function == to->function && bytes != NULL &&
	       pgb_insn_decode(counting->set, bytes, left, edge->branch, &insn) == 0 &&
	       insn.kind != PGB_INSN_CALL && insn.kind != PGB_INSN_CALL_INDIRECT;
}

static void count_call(struct counting *counting, const struct pgb_edge *edge)
{
	struct pgb_sample_profile *profile = counting->profile;
	const char *callee = function_entered(counting, edge->from);
	uint32_t name, context;
	struct where where;

	if (callee == NULL || is_loop(counting, edge) || !add_name(counting, callee, &name))
		return;
	counting->stats->entries = pgb_count_add(counting->stats->entries, edge->count);
	context = add_context(profile, (const uint32_t[4]){0, 0, 0, name});
	profile->heads.items[context] = pgb_count_add(profile->heads.items[context], edge->count);
	if (edge->branch < PGB_ADDRESS_EXTERNAL && find_where(counting, edge->branch, 0, &where)) {
		const uint32_t key[4] = {where.context, where.offset, where.discriminator, name};
		const uint32_t place[4] = {where.context, where.offset, where.discriminator, 0};
		uint32_t index = pgb_sample_table_add(&profile->targets, key);

		profile->targets.items.items[index].count =
			pgb_count_add(profile->targets.items.items[index].count, edge->count);
		(void)pgb_sample_table_add(&profile->places, place);
	}
}

/* A line ran at least as often as it called; llvm-profgen says so of functions in no other. */
static void raise_to_calls(struct pgb_sample_profile *profile)
{
	struct pgb_sample_table sums = {0};

	for (size_t i = 0; i < profile->targets.items.count; i++) {
		const struct pgb_sample_count *target = &profile->targets.items.items[i];
		uint32_t sum;

		if (profile->contexts.items.items[target->key[0]].key[0] != 0)
			continue;
		sum = pgb_sample_table_add(
			&sums,
			(const uint32_t[4]){target->key[0], target->key[1], target->key[2], 0});

		sums.items.items[sum].count =
			pgb_count_add(sums.items.items[sum].count, target->count);
	}
	for (size_t i = 0; i < sums.items.count; i++) {
		uint32_t place = pgb_sample_table_add(&profile->places, sums.items.items[i].key);

		if (profile->places.items.items[place].count < sums.items.items[i].count)
			profile->places.items.items[place].count = sums.items.items[i].count;
	}
	pgb_sample_table_release(&sums);
}

static void count_calls(struct counting *counting, const struct pgb_edge *edges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if ((edges[i].kind == PGB_EDGE_TRACE || edges[i].kind == PGB_EDGE_BRANCH) &&
		    edges[i].branch != PGB_ADDRESS_NONE && edges[i].from < PGB_ADDRESS_EXTERNAL)
			count_call(counting, &edges[i]);
	raise_to_calls(counting->profile);
}

/* ---- all of it */

static void sum_up(struct counting *counting)
{
	const struct pgb_sample_table *contexts = &counting->profile->contexts;

	for (size_t i = 0; i < contexts->items.count; i++) {
		counting->stats->functions += contexts->items.items[i].key[0] == 0;
		counting->stats->inlined += contexts->items.items[i].key[0] != 0;
	}
	counting->stats->lines = counting->profile->places.items.count;
}

static int check(const struct counting *counting, struct pgb_error *error)
{
	if (counting->profile->contexts.items.count > 0)
		return 0;
	pgb_fail(error, PGB_E_EMPTY,
		 "nothing of %s ran that its debug information tells of: no sample profile",
		 pgb_elf_image_path(counting->image));
	return pgb_remedy(error, "build all of it with pgobolt build --sampling");
}

int pgb_sample_profile_new(struct pgb_sample_profile **profile, struct pgb_elf_image *image,
			   struct pgb_edges *edges, uint32_t binary, struct pgb_sample_stats *stats,
			   struct pgb_error *error)
{
	struct counting counting = {.image = image, .stats = stats};
	struct pgb_compiler compiler;
	const struct pgb_edge *list;
	size_t count;
	int code = pgb_elf_lines_open(&counting.lines, image, error);

	*profile = NULL;
	*stats = (struct pgb_sample_stats){0};
	if (code != 0)
		return code;
	pgb_assert(pgb_insn_set_of_machine(pgb_elf_image_binary(image)->machine, &counting.set));
	counting.profile = pgb_calloc(1, sizeof(*counting.profile));
	stats->from_clang = pgb_compiler_parse(&compiler, PGB_TOOL_COMPILER,
					       pgb_elf_lines_producer(counting.lines));
	counting.profile->producer_major = compiler.major;
	list = pgb_edges_of_binary(edges, binary, &count);
	add_spans(&counting, list, count);
	count_spans(&counting);
	count_calls(&counting, list, count);
	sum_up(&counting);
	code = check(&counting, error);
	pgb_elf_lines_close(counting.lines);
	pgb_array_release(&counting.spans);
	pgb_array_release(&counting.places);
	if (code != 0) {
		pgb_sample_profile_free(counting.profile);
		return code;
	}
	*profile = counting.profile;
	return 0;
}

void pgb_sample_profile_free(struct pgb_sample_profile *profile)
{
	if (profile == NULL)
		return;
	pgb_sample_names_release(&profile->names);
	pgb_sample_table_release(&profile->contexts);
	pgb_sample_table_release(&profile->places);
	pgb_sample_table_release(&profile->targets);
	pgb_array_release(&profile->heads);
	free(profile);
}
