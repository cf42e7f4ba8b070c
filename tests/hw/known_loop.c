/* SPDX-License-Identifier: MIT */
/*
 * A loop whose branches are known: each time round, known_inner is taken twice and not taken once,
 * known_even is taken every other time, known_call and known_outer are taken once. Usage:
 * known_loop [MILLIONS OF ROUNDS [time]]. Prints nothing; with `time` the CPU seconds that it took.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
__asm__(".text\n"
	".globl known_leaf, known_rounds, known_inner, known_even, known_call, known_outer\n"
	".type known_leaf,@function\n"
	"known_leaf: ret\n"
	".size known_leaf,.-known_leaf\n"
	".type known_rounds,@function\n"
	"known_rounds:\n"
	"1:	movl $3, %ecx\n"
	"2:	decl %ecx\n"
	"known_inner: jne 2b\n"
	"	testl $1, %edi\n"
	"known_even: je 3f\n"
	"	nop\n"
	"3:	nop\n"
	"known_call: call known_leaf\n"
	"	decq %rdi\n"
	"known_outer: jne 1b\n"
	"	ret\n"
	".size known_rounds,.-known_rounds\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl known_leaf, known_rounds, known_inner, known_even, known_call, known_outer\n"
	".type known_leaf,%function\n"
	"known_leaf: ret\n"
	".size known_leaf,.-known_leaf\n"
	".type known_rounds,%function\n"
	"known_rounds: mov x9, x30\n"
	"1:	mov w1, #3\n"
	"2:	subs w1, w1, #1\n"
	"known_inner: b.ne 2b\n"
	"known_even: tbz w0, #0, 3f\n"
	"	nop\n"
	"3:	nop\n"
	"known_call: bl known_leaf\n"
	"	subs x0, x0, #1\n"
	"known_outer: b.ne 1b\n"
	"	ret x9\n"
	".size known_rounds,.-known_rounds\n");
#else
#error "no known loop for this machine"
#endif

void known_rounds(unsigned long rounds);

int main(int argc, char **argv)
{
	unsigned long millions = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;

	known_rounds(millions * 1000000);
	if (argc > 2)
		printf("%.6f\n", (double)clock() / CLOCKS_PER_SEC);
	return 0;
}
