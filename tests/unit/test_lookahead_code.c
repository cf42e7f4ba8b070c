/* SPDX-License-Identifier: MIT */
/* Decoded code: kept by content, for all address spaces and at any address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "pgobolt/collector/lookahead.h"

enum { CODE = 0x10000, STACK = 0x20000, PAGE = 4096, DEPTH = 16 };

/* Memory of a thread that is not there. */
struct memory {
	uint8_t code[PAGE], behind[PAGE], stack[PAGE];
	uint64_t moved;	 /* of the code, from CODE */
	bool has_behind; /* a page behind the code */
};

static int read_memory(void *context, uint64_t address, void *bytes, size_t size_bytes)
{
	struct memory *memory = context;
	uint64_t number = address / PAGE * PAGE;
	const uint8_t *page = NULL;

	if (number == CODE + memory->moved)
		page = memory->code;
	else if (number == CODE + memory->moved + PAGE && memory->has_behind)
		page = memory->behind;
	else if (number == STACK)
		page = memory->stack;
	if (page == NULL || address % PAGE + size_bytes > PAGE)
		return -1;
	memcpy(bytes, page + address % PAGE, size_bytes);
	return 0;
}

struct outcome {
	struct pgb_lookahead_result result;
	struct pgb_lookahead_registers after;
	struct pgb_lookahead_branch branches[DEPTH];
};

static void run(struct pgb_lookahead *look, struct pgb_lookahead_code *code, struct memory *memory,
		uint64_t offset, struct outcome *outcome)
{
	const struct pgb_lookahead_thread thread = {.read = read_memory, .context = memory};
	struct pgb_lookahead_registers registers = {.pc = CODE + memory->moved + offset,
						    .general[4] = STACK + PAGE / 2};

	pgb_lookahead_run(look, code, &registers, &thread, outcome->branches, DEPTH,
			  &outcome->result);
	pgb_lookahead_registers(look, &outcome->after);
	assert_true(outcome->result.branch_count <= DEPTH);
}

/* .. in an address space that was never seen before */
static void run_fresh(struct pgb_lookahead *look, struct memory *memory, uint64_t offset,
		      struct outcome *outcome)
{
	struct pgb_lookahead_code *code = pgb_lookahead_code_new();

	run(look, code, memory, offset, outcome);
	pgb_lookahead_code_free(code);
}

/* Code that changed since it was decoded is decoded anew once it is said to be stale. */
static void changed_code(void **state)
{
	struct pgb_lookahead *look = pgb_lookahead_new(PGB_INSN_X86_64);
	struct pgb_lookahead_code *code = pgb_lookahead_code_new();
	struct memory memory = {.code = {0xb0, 1, 0x0f, 0x05}}; /* mov al,1; syscall */
	struct outcome outcome;

	(void)state;
	run(look, code, &memory, 0, &outcome);
	assert_int_equal(outcome.after.general[0], 1);
	assert_false(outcome.result.code_changed);
	memory.code[1] = 2;
	pgb_lookahead_code_stale(code);
	run(look, code, &memory, 0, &outcome);
	assert_int_equal(outcome.after.general[0], 2);
	assert_true(outcome.result.code_changed);
	pgb_lookahead_code_free(code);
	pgb_lookahead_free(look);
}

/* Many pages, each with bytes of its own: each keeps its meaning. */
static void many_pages(void **state)
{
	enum { PAGES = 1000 };
	struct pgb_lookahead *look = pgb_lookahead_new(PGB_INSN_X86_64);
	struct pgb_lookahead_code *code = pgb_lookahead_code_new();

	(void)state;
	for (unsigned int i = 0; i < 2 * PAGES; i++) {
		uint32_t value = i % PAGES;
		struct memory memory = {.code = {0xb8}, .moved = (uint64_t)value * PAGE};
		struct outcome outcome;

		memcpy(memory.code + 1, &value, sizeof(value)); /* mov eax,value; syscall */
		memcpy(memory.code + 5, "\x0f\x05", 2);
		run(look, code, &memory, 0, &outcome);
		assert_int_equal(outcome.after.general[0], value);
		/* its code, read once */
		assert_int_equal(outcome.result.pages_read, i < PAGES ? 1 : 0);
	}
	pgb_lookahead_code_free(code);
	pgb_lookahead_free(look);
}

static void assert_lines(const struct outcome *outcome, uint64_t near, uint64_t far)
{
	assert_int_equal(outcome->result.end, PGB_LOOKAHEAD_SYSCALL);
	assert_int_equal(outcome->result.near_lines, near);
	assert_int_equal(outcome->result.far_lines, far);
}

/* Data, not code: the stack in one line, the page behind the code in two. */
static void accessed_lines(void **state)
{
	/* push rax; mov al,[rip+0xff9]; mov al,[rip+0xff3]; mov al,[rip+0x102d]; syscall */
	static const char bytes[] = "\x50\x8a\x05\xf9\x0f\x00\x00\x8a\x05\xf3\x0f\x00\x00"
				    "\x8a\x05\x2d\x10\x00\x00\x0f\x05";
	struct pgb_lookahead *look = pgb_lookahead_new(PGB_INSN_X86_64);
	struct pgb_lookahead_code *code = pgb_lookahead_code_new();
	struct memory memory = {.has_behind = true},
		      other = {.code = {0x0f, 0x05}, .moved = 16 * PAGE};
	struct outcome outcome;

	(void)state;
	memcpy(memory.code, bytes, sizeof(bytes));
	run(look, code, &memory, 0, &outcome);
	assert_lines(&outcome, 0, 3);
	for (unsigned int i = 0; i < 30; i++)
		run(look, code, &other, 0, &outcome);
	assert_lines(&outcome, 0, 0);
	run(look, code, &memory, 0, &outcome);
	assert_lines(&outcome, 3, 0);
	for (unsigned int i = 0; i < 31; i++)
		run(look, code, &other, 0, &outcome);
	run(look, code, &memory, 0, &outcome);
	assert_lines(&outcome, 0, 3);
	/* the same addresses of another */
	run_fresh(look, &memory, 0, &outcome);
	assert_lines(&outcome, 0, 3);
	pgb_lookahead_code_free(code);
	pgb_lookahead_free(look);
}

/* Lines in a row, of the page behind the code. */
static void rows_of_lines(void **state)
{
	static const struct {
		unsigned int lines, far;
	} rows[] = {{1, 1}, {8, 8}, {9, 0}, {64, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_lookahead *look = pgb_lookahead_new(PGB_INSN_X86_64);
		struct memory memory = {.has_behind = true};
		uint8_t *at = memory.code;
		struct outcome outcome;

		for (unsigned int line = 0; line < rows[i].lines; line++, at += 6) {
			uint32_t away = PAGE + 64 * line - (uint32_t)(at + 6 - memory.code);

			memcpy(at, "\x8a\x05", 2); /* mov al,[rip+away] */
			memcpy(at + 2, &away, sizeof(away));
		}
		memcpy(at, "\x0f\x05", 2);
		run_fresh(look, &memory, 0, &outcome);
		assert_lines(&outcome, 0, rows[i].far);
		pgb_lookahead_free(look);
	}
}

/* mov rax,[rip+0xf9]; call +1; hlt; jmp +0; syscall */
static const uint8_t code_x86_64[] = {0x48, 0x8b, 0x05, 0xf9, 0,    0,	  0,	0xe8, 1,
				      0,    0,	  0,	0xf4, 0xeb, 0x00, 0x0f, 0x05};
/* adr x0, .+0x100; ldr x1, .+0xfc; bl .+8; brk; adrp x2, .; svc */
static const uint32_t code_aarch64[] = {0x10000800, 0x580007e1, 0x94000002,
					0xd4200000, 0x90000002, 0xd4000001};

#define LOADED 0x5a5a5a5a5a5a5a5a /* 0x100 behind the start of the code */

/* Places are relative to the start of the code, wherever that lies. */
static const struct moved_row {
	enum pgb_insn_set set;
	const void *bytes;
	size_t size_bytes;
	struct {
		bool is_place;
		uint64_t value;
	} general[3];
	size_t general_count;
	struct pgb_lookahead_branch branches[2];
	size_t branch_count;
} moved_rows[] = {
	{PGB_INSN_X86_64,
	 code_x86_64,
	 sizeof(code_x86_64),
	 {{false, LOADED}},
	 1,
	 {{7, 13}, {13, 15}},
	 2},
	{PGB_INSN_AARCH64,
	 code_aarch64,
	 sizeof(code_aarch64),
	 {{true, 0x100}, {false, LOADED}, {true, 0}},
	 3,
	 {{8, 16}},
	 1},
};

static void check_moved(const struct moved_row *row, uint64_t at, const struct outcome *outcome)
{
	assert_int_equal(outcome->result.end, PGB_LOOKAHEAD_SYSCALL);
	for (size_t i = 0; i < row->general_count; i++)
		assert_int_equal(outcome->after.general[i],
				 row->general[i].value + (row->general[i].is_place ? at : 0));
	assert_int_equal(outcome->result.branch_count, row->branch_count);
	for (size_t i = 0; i < row->branch_count; i++) {
		assert_int_equal(outcome->branches[i].from, at + row->branches[i].from);
		assert_int_equal(outcome->branches[i].to, at + row->branches[i].to);
	}
}

/* The same bytes at another address are decoded once, and still mean that address. */
static void same_code_elsewhere(void **state)
{
	static const uint64_t places[] = {0, 0x7000000, 0x5000, 0};

	(void)state;
	for (size_t r = 0; r < sizeof(moved_rows) / sizeof(moved_rows[0]); r++) {
		const struct moved_row *row = &moved_rows[r];
		struct pgb_lookahead *look = pgb_lookahead_new(row->set);

		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			struct memory memory = {.moved = places[i]};
			struct outcome outcome;

			memcpy(memory.code, row->bytes, row->size_bytes);
			memset(memory.code + 0x100, 0x5a, 8);
			run_fresh(look, &memory, 0, &outcome);
			check_moved(row, CODE + places[i], &outcome);
		}
		pgb_lookahead_free(look);
	}
}

/* An instruction that goes on in the next page is another one when that page is another one. */
static void instruction_across_pages(void **state)
{
	struct pgb_lookahead *look = pgb_lookahead_new(PGB_INSN_X86_64);
	static const struct {
		const char *behind; /* NULL: no page there */
		enum pgb_lookahead_end end;
		uint64_t rax;
	} turns[] = {
		{"\x22\x33\x44\x0f\x05", PGB_LOOKAHEAD_SYSCALL, 0x44332211},
		{"\x66\x77\x08\x0f\x05", PGB_LOOKAHEAD_SYSCALL, 0x08776611},
		{NULL, PGB_LOOKAHEAD_UNDECODABLE, 0},
		{"\x22\x33\x44\x0f\x05", PGB_LOOKAHEAD_SYSCALL, 0x44332211},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		struct memory memory = {.has_behind = turns[i].behind != NULL};
		struct outcome outcome;

		memcpy(memory.code + PAGE - 2, "\xb8\x11", 2); /* mov eax, imm32 */
		if (turns[i].behind)
			memcpy(memory.behind, turns[i].behind, 5);
		run_fresh(look, &memory, PAGE - 2, &outcome);
		assert_int_equal(outcome.result.end, turns[i].end);
		assert_int_equal(outcome.after.general[0], turns[i].rax);
	}
	pgb_lookahead_free(look);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changed_code),	       cmocka_unit_test(many_pages),
		cmocka_unit_test(accessed_lines),      cmocka_unit_test(rows_of_lines),
		cmocka_unit_test(same_code_elsewhere), cmocka_unit_test(instruction_across_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
