/* SPDX-License-Identifier: MIT */
/*
 * Look-ahead on small pieces of code with known results, and against the processor itself: a
 * child is stopped at random, followed on the copy, and then really stepped through the same code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pgobolt/collector/lookahead.h"

enum { CODE = 0x10000, STACK = 0x20000, DATA = 0x30000, PAGE = 4096, DEPTH = 64 };

/* Three pages of memory of a thread that is not there. */
struct memory {
	uint8_t code[PAGE], stack[PAGE], data[PAGE];
};

static int read_memory(void *context, uint64_t address, void *bytes, size_t size_bytes)
{
	struct memory *memory = context;
	uint8_t *page = address >= CODE && address < CODE + PAGE     ? memory->code
			: address >= STACK && address < STACK + PAGE ? memory->stack
			: address >= DATA && address < DATA + PAGE   ? memory->data
								     : NULL;

	if (page == NULL || address % PAGE + size_bytes > PAGE)
		return -1;
	memcpy(bytes, page + address % PAGE, size_bytes);
	return 0;
}

struct row {
	const char *what;
	const char *code;
	size_t code_bytes;
	uint64_t rax, rcx; /* before */
	enum pgb_lookahead_end end;
	uint64_t rax_after;
	size_t branches;
	uint64_t first_to; /* target of the first branch, from CODE; 0: none */
	int line;
};

#define CODE_OF(string) string, sizeof(string) - 1

static const struct row rows[] = {
	{"dec and jnz", CODE_OF("\x48\xff\xc8\x75\xfb\x0f\x05"), 5, 0, PGB_LOOKAHEAD_SYSCALL, 0, 4,
	 0, __LINE__},
	{"add with carry out, jc", CODE_OF("\x48\x83\xc0\x01\x72\x02\x0f\x0b\x0f\x05"), UINT64_MAX,
	 0, PGB_LOOKAHEAD_SYSCALL, 0, 1, 8, __LINE__},
	{"signed compare", CODE_OF("\x48\x39\xc8\x7c\x02\x0f\x0b\x0f\x05"), (uint64_t)-3, 2,
	 PGB_LOOKAHEAD_SYSCALL, (uint64_t)-3, 1, 7, __LINE__},
	{"unsigned compare does not jump", CODE_OF("\x48\x39\xc8\x72\x02\x0f\x0b\x0f\x05"),
	 (uint64_t)-3, 2, PGB_LOOKAHEAD_TRAP, (uint64_t)-3, 0, 0, __LINE__},
	{"call and return", CODE_OF("\xe8\x02\x00\x00\x00\x0f\x05\xb0\x07\xc3"), 0, 0,
	 PGB_LOOKAHEAD_SYSCALL, 7, 2, 7, __LINE__},
	{"32-bit result clears the upper half", CODE_OF("\xb8\xff\xff\xff\xff\xff\xc0\x0f\x05"),
	 UINT64_MAX, 0, PGB_LOOKAHEAD_SYSCALL, 0, 0, 0, __LINE__},
	{"16-bit result keeps it", CODE_OF("\x66\xff\xc0\x0f\x05"), 0x1234ffff, 0,
	 PGB_LOOKAHEAD_SYSCALL, 0x12340000, 0, 0, __LINE__},
	{"ah", CODE_OF("\xb4\x12\x00\xe0\x0f\x05"), 0x3f, 0, PGB_LOOKAHEAD_SYSCALL, 0x1251, 0, 0,
	 __LINE__},
	{"native: imul and popcnt", CODE_OF("\x48\x0f\xaf\xc1\xf3\x48\x0f\xb8\xc0\x0f\x05"), 0xff,
	 0x11, PGB_LOOKAHEAD_SYSCALL, 8, 0, 0, __LINE__},
	{"native: division", CODE_OF("\x31\xd2\x48\xf7\xf1\x0f\x05"), 1000, 7,
	 PGB_LOOKAHEAD_SYSCALL, 142, 0, 0, __LINE__},
	{"division by zero ends the run", CODE_OF("\x31\xd2\x48\xf7\xf1\x0f\x05"), 1000, 0,
	 PGB_LOOKAHEAD_TRAP, 1000, 0, 0, __LINE__},
	{"signed division that overflows", CODE_OF("\x48\x99\x48\xf7\xf9\x0f\x05"),
	 UINT64_C(1) << 63, UINT64_MAX, PGB_LOOKAHEAD_TRAP, UINT64_C(1) << 63, 0, 0, __LINE__},
	{"rep stosb then a load", /* mov edi,DATA; mov ecx,9; mov al,5; rep stosb; mov rax,[DATA+1]
				   */
	 CODE_OF("\xbf\x00\x00\x03\x00\xb9\x09\x00\x00\x00\xb0\x05\xf3\xaa"
		 "\x48\x8b\x04\x25\x01\x00\x03\x00\x0f\x05"),
	 0, 0, PGB_LOOKAHEAD_SYSCALL, 0x0505050505050505, 0, 0, __LINE__},
	{"push and pop", CODE_OF("\x51\x58\x0f\x05"), 0, 77, PGB_LOOKAHEAD_SYSCALL, 77, 0, 0,
	 __LINE__},
	{"memory that is not there", CODE_OF("\x48\x8b\x00"), 0x999000, 0, PGB_LOOKAHEAD_UNREADABLE,
	 0x999000, 0, 0, __LINE__},
	{"jump to where nothing is", CODE_OF("\xff\xe0"), 0x999000, 0, PGB_LOOKAHEAD_UNREADABLE,
	 0x999000, 1, 0x999000 - CODE, __LINE__},
	{"no instruction", CODE_OF("\x06"), 0, 0, PGB_LOOKAHEAD_UNDECODABLE, 0, 0, 0, __LINE__},
	{"not ours to execute", CODE_OF("\x0f\x01\xf8"), 0, 0, PGB_LOOKAHEAD_UNSUPPORTED, 0, 0, 0,
	 __LINE__},
	{"endless loop", CODE_OF("\xeb\xfe"), 0, 0, PGB_LOOKAHEAD_DEPTH, 0, DEPTH, 0, __LINE__},
	{"cmov and setcc", CODE_OF("\x48\x39\xc8\x48\x0f\x44\xc1\x0f\x95\xc0\x0f\x05"), 5, 6,
	 PGB_LOOKAHEAD_SYSCALL, 1, 0, 0, __LINE__},
};

static bool is_native(const struct row *row)
{
	return strstr(row->what, "native") || strstr(row->what, "division");
}

static void small_pieces(void **state)
{
	struct pgb_lookahead *look = pgb_lookahead_new(PGB_INSN_X86_64);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct memory memory = {0};
		struct pgb_lookahead_thread thread = {.read = read_memory, .context = &memory};
		struct pgb_lookahead_registers registers = {.pc = CODE}, after;
		struct pgb_lookahead_branch branches[DEPTH];
		struct pgb_lookahead_result result;
		struct pgb_lookahead_code *code = pgb_lookahead_code_new();

#ifndef __x86_64__
		if (is_native(row))
			continue;
#else
		(void)is_native;
#endif
		memcpy(memory.code, row->code, row->code_bytes);
		registers.general[0] = row->rax;
		registers.general[1] = row->rcx;
		registers.general[4] = STACK + 2048;
		pgb_lookahead_run(look, code, &registers, &thread, branches, DEPTH, &result);
		pgb_lookahead_registers(look, &after);
		if (result.end != row->end || after.general[0] != row->rax_after ||
		    result.branch_count != row->branches ||
		    (row->first_to && branches[0].to != CODE + row->first_to))
			fail_msg("line %d, %s: %s, rax %lx, %zu branches", row->line, row->what,
				 pgb_lookahead_end_name(result.end),
				 (unsigned long)after.general[0], result.branch_count);
		for (size_t byte = 0; byte < PAGE; byte++)
			assert_int_equal(memory.data[byte] | memory.stack[byte], 0);
		pgb_lookahead_code_free(code);
	}
	pgb_lookahead_free(look);
}

#ifdef __x86_64__
/* ---- against the processor */

struct record {
	double key;
	char name[24];
};

static int by_key(const void *a, const void *b)
{
	const struct record *left = a, *right = b;

	return left->key < right->key ? -1 : left->key > right->key;
}

/* Floating point, x87, strings, sorting, division, printf: until killed. */
static void child_work(void)
{
	static struct record records[200];
	unsigned int seed = 1;

	for (unsigned int round = 1;; round++) {
		for (unsigned int i = 0; i < 200; i++) {
			long double slow = sqrtl((long double)rand_r(&seed) / (round % 97 + 1));

			records[i].key = sin((double)slow) * (i % 13 ? 1.5 : -2.25);
			snprintf(records[i].name, sizeof(records[i].name), "%x/%.3f", seed,
				 records[i].key);
			if (memchr(records[i].name, '7', strlen(records[i].name)))
				memmove(records[i].name, records[i].name + 1, 8);
		}
		qsort(records, 200, sizeof(records[0]), by_key);
	}
}

static pid_t child;

static int read_child(void *context, uint64_t address, void *bytes, size_t size_bytes)
{
	struct iovec local = {bytes, size_bytes}, remote = {(void *)address, size_bytes};

	(void)context;
	return process_vm_readv(child, &local, 1, &remote, 1, 0) == (ssize_t)size_bytes ? 0 : -1;
}

static ssize_t child_vectors(void *context, void *bytes, size_t size_bytes)
{
	struct iovec area = {bytes, size_bytes};

	(void)context;
	if (ptrace(PTRACE_GETREGSET, child, NT_X86_XSTATE, &area) != 0)
		return -1;
	return (ssize_t)area.iov_len;
}

static bool child_registers(struct pgb_lookahead_registers *registers)
{
	struct user_regs_struct regs;
	struct iovec area = {&regs, sizeof(regs)};

	if (ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &area) != 0)
		return false;
	*registers = (struct pgb_lookahead_registers){
		.general = {regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi,
			    regs.rdi, regs.r8, regs.r9, regs.r10, regs.r11, regs.r12, regs.r13,
			    regs.r14, regs.r15},
		.pc = regs.rip,
		.flags = regs.eflags,
		.fs_base = regs.fs_base,
		.gs_base = regs.gs_base,
	};
	return (long)regs.orig_rax < 0;
}

/* Step the real thread along the predicted branches. */
static void follow(const struct pgb_lookahead_registers *start,
		   const struct pgb_lookahead_branch *branches, size_t count)
{
	struct pgb_lookahead_registers now = *start;
	size_t done = 0;
	int status;

	while (done < count) {
		uint64_t from = now.pc;

		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, 0, 0), 0);
		assert_int_equal(waitpid(child, &status, __WALL), child);
		assert_true(WIFSTOPPED(status));
		child_registers(&now);
		if (from == branches[done].from && now.pc == branches[done].to)
			done++;
		else if (now.pc != from && (now.pc < from || now.pc - from > 15))
			fail_msg("branch %zu: really %lx -> %lx, predicted %lx -> %lx", done,
				 (unsigned long)from, (unsigned long)now.pc,
				 (unsigned long)branches[done].from,
				 (unsigned long)branches[done].to);
	}
}

static void as_the_processor_does(void **state)
{
	struct pgb_lookahead *look = pgb_lookahead_new(PGB_INSN_X86_64);
	struct pgb_lookahead_code *code = pgb_lookahead_code_new();
	struct pgb_lookahead_thread thread = {.read = read_child, .vectors = child_vectors};
	struct pgb_lookahead_branch branches[DEPTH];
	struct pgb_lookahead_result result;
	struct pgb_lookahead_registers registers, predicted, real;
	unsigned int full = 0;
	int status;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		child_work();
	if (ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_EXITKILL) != 0) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		print_message("ptrace is not allowed here: %s\n", strerror(errno));
		skip();
	}
	for (unsigned int i = 0; i < 60; i++) {
		usleep(200 + i * 7);
		assert_int_equal(ptrace(PTRACE_INTERRUPT, child, 0, 0), 0);
		assert_int_equal(waitpid(child, &status, __WALL), child);
		if (child_registers(&registers)) {
			pgb_lookahead_run(look, code, &registers, &thread, branches, DEPTH,
					  &result);
			pgb_lookahead_registers(look, &predicted);
			follow(&registers, branches, result.branch_count);
			if (result.end == PGB_LOOKAHEAD_DEPTH) {
				full++;
				child_registers(&real);
				assert_true(real.pc == predicted.pc);
				assert_memory_equal(real.general, predicted.general, 16 * 8);
			}
		}
		assert_int_equal(ptrace(PTRACE_CONT, child, 0, 0), 0);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	/* nearly all runs go all the way: little of such code is beyond us */
	assert_true(full > 45);
	pgb_lookahead_code_free(code);
	pgb_lookahead_free(look);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_pieces),
#ifdef __x86_64__
		cmocka_unit_test(as_the_processor_does),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
