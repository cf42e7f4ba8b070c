/* SPDX-License-Identifier: MIT */
/*
 * Executes single AArch64 instructions: reads questions from standard input (execute_aarch64.h),
 * writes what the processor, or the emulator, makes of each. Not for branches, and not for what
 * writes TPIDR_EL0, which is used to come back.
 */
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/lab/programs/execute_aarch64.h"

_Static_assert(offsetof(struct execute_state, sp) == 248, "in the assembly");
_Static_assert(offsetof(struct execute_state, nzcv) == 256, "in the assembly");
_Static_assert(offsetof(struct execute_state, vectors) == 272, "in the assembly");

struct execute_state now __asm__("now");
uint64_t kept[16] __asm__("kept");

/* The instruction goes to `slot`; all of it is copied to memory that may be written. */
__asm__(".text\n"
	".global piece, slot, piece_end\n"
	"piece:\n"
	"	ldr x0, 2f\n"
	"	ldr x1, 1f\n"
	"	mov x2, sp\n"
	"	mrs x3, tpidr_el0\n"
	"	stp x2, x3, [x1]\n"
	"	stp x19, x20, [x1, #16]\n"
	"	stp x21, x22, [x1, #32]\n"
	"	stp x23, x24, [x1, #48]\n"
	"	stp x25, x26, [x1, #64]\n"
	"	stp x27, x28, [x1, #80]\n"
	"	stp x29, x30, [x1, #96]\n"
	"	ldr x1, [x0, #248]\n"
	"	mov sp, x1\n"
	"	ldp x1, x2, [x0, #256]\n"
	"	msr nzcv, x1\n"
	"	msr fpsr, x2\n"
	"	add x1, x0, #272\n"
	"	ldp q0, q1, [x1], #32\n	ldp q2, q3, [x1], #32\n"
	"	ldp q4, q5, [x1], #32\n	ldp q6, q7, [x1], #32\n"
	"	ldp q8, q9, [x1], #32\n	ldp q10, q11, [x1], #32\n"
	"	ldp q12, q13, [x1], #32\n	ldp q14, q15, [x1], #32\n"
	"	ldp q16, q17, [x1], #32\n	ldp q18, q19, [x1], #32\n"
	"	ldp q20, q21, [x1], #32\n	ldp q22, q23, [x1], #32\n"
	"	ldp q24, q25, [x1], #32\n	ldp q26, q27, [x1], #32\n"
	"	ldp q28, q29, [x1], #32\n	ldp q30, q31, [x1], #32\n"
	"	ldp x2, x3, [x0, #16]\n"
	"	ldp x4, x5, [x0, #32]\n"
	"	ldp x6, x7, [x0, #48]\n"
	"	ldp x8, x9, [x0, #64]\n"
	"	ldp x10, x11, [x0, #80]\n"
	"	ldp x12, x13, [x0, #96]\n"
	"	ldp x14, x15, [x0, #112]\n"
	"	ldp x16, x17, [x0, #128]\n"
	"	ldp x18, x19, [x0, #144]\n"
	"	ldp x20, x21, [x0, #160]\n"
	"	ldp x22, x23, [x0, #176]\n"
	"	ldp x24, x25, [x0, #192]\n"
	"	ldp x26, x27, [x0, #208]\n"
	"	ldp x28, x29, [x0, #224]\n"
	"	ldr x30, [x0, #240]\n"
	"	ldp x0, x1, [x0]\n"
	"slot:\n"
	"	nop\n"
	"	msr tpidr_el0, x0\n"
	"	ldr x0, 2f\n"
	"	stp x1, x2, [x0, #8]\n"
	"	mrs x1, tpidr_el0\n"
	"	str x1, [x0]\n"
	"	stp x3, x4, [x0, #24]\n"
	"	stp x5, x6, [x0, #40]\n"
	"	stp x7, x8, [x0, #56]\n"
	"	stp x9, x10, [x0, #72]\n"
	"	stp x11, x12, [x0, #88]\n"
	"	stp x13, x14, [x0, #104]\n"
	"	stp x15, x16, [x0, #120]\n"
	"	stp x17, x18, [x0, #136]\n"
	"	stp x19, x20, [x0, #152]\n"
	"	stp x21, x22, [x0, #168]\n"
	"	stp x23, x24, [x0, #184]\n"
	"	stp x25, x26, [x0, #200]\n"
	"	stp x27, x28, [x0, #216]\n"
	"	stp x29, x30, [x0, #232]\n"
	"	mov x1, sp\n"
	"	mrs x2, nzcv\n"
	"	mrs x3, fpsr\n"
	"	stp x1, x2, [x0, #248]\n"
	"	str x3, [x0, #264]\n"
	"	add x1, x0, #272\n"
	"	stp q0, q1, [x1], #32\n	stp q2, q3, [x1], #32\n"
	"	stp q4, q5, [x1], #32\n	stp q6, q7, [x1], #32\n"
	"	stp q8, q9, [x1], #32\n	stp q10, q11, [x1], #32\n"
	"	stp q12, q13, [x1], #32\n	stp q14, q15, [x1], #32\n"
	"	stp q16, q17, [x1], #32\n	stp q18, q19, [x1], #32\n"
	"	stp q20, q21, [x1], #32\n	stp q22, q23, [x1], #32\n"
	"	stp q24, q25, [x1], #32\n	stp q26, q27, [x1], #32\n"
	"	stp q28, q29, [x1], #32\n	stp q30, q31, [x1], #32\n"
	"	ldr x1, 1f\n"
	"	ldp x2, x3, [x1]\n"
	"	mov sp, x2\n"
	"	msr tpidr_el0, x3\n"
	"	ldp x19, x20, [x1, #16]\n"
	"	ldp x21, x22, [x1, #32]\n"
	"	ldp x23, x24, [x1, #48]\n"
	"	ldp x25, x26, [x1, #64]\n"
	"	ldp x27, x28, [x1, #80]\n"
	"	ldp x29, x30, [x1, #96]\n"
	"	ret\n"
	"	.balign 8\n"
	"1:	.xword kept\n"
	"2:	.xword now\n"
	"piece_end:\n");

extern const uint8_t piece[], slot[], piece_end[];

static sigjmp_buf back;

static void caught(int number)
{
	siglongjmp(back, number);
}

static void catch_signals(void)
{
	static const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE, SIGSYS};
	static uint8_t stack[65536];
	const stack_t alternative = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_handler = caught, .sa_flags = SA_ONSTACK};

	sigaltstack(&alternative, NULL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

int main(void)
{
	static struct execute_question question;
	static struct execute_answer answer;
	size_t size = (size_t)(piece_end - piece);
	uint8_t *code = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *memory = mmap((void *)EXECUTE_MEMORY, EXECUTE_MEMORY_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	uint8_t *window = memory + (EXECUTE_MEMORY_BYTES - EXECUTE_WINDOW_BYTES) / 2;

	if (code == MAP_FAILED || memory != (void *)EXECUTE_MEMORY)
		return 1;
	memcpy(code, piece, size);
	catch_signals();
	answer.pc = (uint64_t)(code + (slot - piece));
	__asm__("mrs %0, dczid_el0" : "=r"(answer.dczid));
	while (fread(&question, sizeof(question), 1, stdin) == 1) {
		uint32_t word = (uint32_t)question.word;
		uint64_t float_control = 0;

		now = question.state;
		memset(memory, 0, EXECUTE_MEMORY_BYTES);
		memcpy(window, now.window, sizeof(now.window));
		memcpy(code + (slot - piece), &word, sizeof(word));
		__builtin___clear_cache((char *)code, (char *)code + size);
		answer.signal = (uint64_t)sigsetjmp(back, 1);
		if (answer.signal == 0)
			((void (*)(void))code)();
		else
			__asm__ volatile("msr tpidr_el0, %0" : : "r"(kept[1]));
		__asm__ volatile("msr fpcr, %0" : : "r"(float_control));
		answer.state = now;
		memcpy(answer.state.window, window, sizeof(now.window));
		if (fwrite(&answer, sizeof(answer), 1, stdout) != 1 || fflush(stdout) != 0)
			return 1;
	}
	return 0;
}
