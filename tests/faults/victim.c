/* SPDX-License-Identifier: MIT */
/*
 * A program of many small functions, with all that a binary can lose when it is laid out anew:
 * exported symbols, pointers to functions in data, thread-local storage, a constructor, cold paths,
 * calls that are unwound. What it prints depends on each of them.
 */
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))
#define MAGIC	 0x5eed1234u

static __thread unsigned int per_thread[4] = {1, 2, 3, 4};
static unsigned int constructed;
volatile unsigned int sink;
int frames;

__attribute__((constructor)) static void construct(void)
{
	constructed = 7;
}

/* How deep are we? Counts frames through moved code. */
NOINLINE void count_frames(void)
{
	void *addresses[64];

	frames = backtrace(addresses, 64);
}

#define STEP(name, more)                                                                           \
	NOINLINE unsigned int name(unsigned int a)                                                 \
	{                                                                                          \
		if (__builtin_expect(a == 0xffffffff, 0)) {                                        \
			fprintf(stderr, "rare in " #name "\n");                                    \
			sink = a;                                                                  \
		}                                                                                  \
		if (a & 1)                                                                         \
			a = a * 3 + 1;                                                             \
		else                                                                               \
			a = a / 2 + MAGIC;                                                         \
		more;                                                                              \
		return a;                                                                          \
	}
STEP(step_a, sink += 1)
STEP(step_b, a ^= per_thread[a & 3]++)
STEP(step_c, a += constructed)
STEP(step_d, a ^= a >> 7)
STEP(step_e, a = a * 5 + 3)
STEP(step_f, a ^= a << 3)
STEP(step_g, a += sink & 1)
STEP(step_h, a ^= 0x55)
STEP(step_i, a -= 11)
STEP(step_j, a = (a << 5) | (a >> 27))
STEP(step_k, a ^= a >> 3)
STEP(step_l, a += 12345)

NOINLINE unsigned int deep(unsigned int a)
{
	count_frames();
	sink = a;
	return a + (unsigned int)frames;
}

static unsigned int (*const table[])(unsigned int) = {step_a, step_b, step_c, step_d,
						      step_e, step_f, step_g, step_h,
						      step_i, step_j, step_k, step_l};

NOINLINE unsigned int run(unsigned long count)
{
	unsigned int a = 1;

	for (unsigned long i = 0; i < count; i++)
		a = table[i % 12](a);
	return a;
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 600000;

	printf("result %08x\n", run(count));
	printf("frames %u\n", deep(0));
	if (argc > 2 && strcmp(argv[2], "rare") == 0)
		printf("rare %08x\n", table[4](0xffffffff));
	return 0;
}
