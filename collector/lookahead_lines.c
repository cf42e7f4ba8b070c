/* SPDX-License-Identifier: MIT */
/* Look-ahead: which cache lines of data a program has at hand. */
#include "collector/lookahead_private.h"
#include "pgobolt/base/hash.h"

enum {
	/*
	 * Runs, some milliseconds apart: a line that none of so many came across is one of more
	 * than the nearest caches hold. Half and twice as many do as well.
	 */
	LATELY_RUNS = 31,
	ROW_LINES = 9, /* in a row: a stream */
	LINES_PER_PAGE = LOOK_PAGE / LOOK_LINE,
};

/* Was it accessed lately? From now on it was. */
static bool is_near(struct look_lines *lines, const struct pgb_lookahead_code *code, uint64_t line)
{
	uint64_t hash = pgb_hash_u64(line ^ pgb_hash_u64(code->space));
	size_t slot = hash & (LOOK_SEEN_LINES - 1);
	uint32_t tag = (uint32_t)(hash >> 32) | 1;
	bool near =
		lines->seen[slot].tag == tag && code->runs - lines->seen[slot].run <= LATELY_RUNS;

	lines->seen[slot].tag = tag;
	lines->seen[slot].run = code->runs;
	return near;
}

/* A row goes on until a line of the page was not accessed, or the page ends. */
static void count_page(struct pgb_lookahead *look, uint64_t page, uint64_t accessed)
{
	struct pgb_lookahead_result *result = look->result;
	unsigned int row = 0, far = 0;

	for (unsigned int i = 0; i <= LINES_PER_PAGE; i++) {
		if (i < LINES_PER_PAGE && (accessed >> i & 1)) {
			bool near = is_near(&look->lines, look->code, page * LINES_PER_PAGE + i);

			row++;
			far += !near;
			result->near_lines += near;
		} else {
			result->far_lines += row < ROW_LINES ? far : 0;
			row = 0;
			far = 0;
		}
	}
}

void look_count_lines(struct pgb_lookahead *look)
{
	const struct look_memory *memory = &look->memory;

	if (look->code->space == 0)
		look->code->space = ++look->lines.spaces;
	look->code->runs++;
	for (uint32_t i = 0; i < memory->used; i++)
		count_page(look, memory->accessed[i].number, memory->accessed[i].lines);
}
