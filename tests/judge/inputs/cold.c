/* SPDX-License-Identifier: MIT */
/*
 * Functions that GCC splits: what is marked as unlikely goes to NAME.cold, far from the rest. It is
 * executed all the same, now and then, and comes back.
 */
#include <stdio.h>
#include <stdlib.h>

static unsigned int failures;

static __attribute__((noinline, cold)) void fail(unsigned int value)
{
	failures += value & 1;
}

static __attribute__((noinline)) unsigned int check(unsigned int value)
{
	unsigned int sum = value;

	for (unsigned int i = 0; i < 8; i++) {
		if (__builtin_expect(value % 11 == i, 0)) {
			fail(i);
			sum ^= failures * 3;
			if (failures % 5 == 0)
				fail(sum);
		}
		sum = sum * 31 + i;
	}
	return sum;
}

/* One with a jump table, whose unlikely cases are elsewhere. */
__attribute__((noinline)) unsigned int step(unsigned int kind, unsigned int value)
{
	switch (kind) {
	case 0:
		return value + 1;
	case 1:
		return value * 3;
	case 2:
		return check(value);
	case 3:
		fail(value);
		fail(value + 1);
		return failures;
	case 4:
		return value >> 2;
	case 5:
		return value ^ 0x5555;
	case 6:
		fail(kind);
		return value - failures;
	default:
		return check(value + 7);
	}
}

int main(int argc, char **argv)
{
	unsigned int value = (unsigned int)argc + (argv[0] != NULL);

	for (unsigned int i = 0; i < 3000; i++)
		value = step((value + i) % 9, value);
	printf("%u %u\n", value, failures);
	return 0;
}
