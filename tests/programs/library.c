/* SPDX-License-Identifier: MIT */
/* A shared library with branchy exported and local functions; driver.c loads it. */
#include <stdint.h>

uint64_t library_run(uint64_t seed, unsigned long rounds);

static uint64_t odd(uint64_t value)
{
	if (value % 5 == 0)
		return value / 5;
	return value * 3 + 1;
}

static uint64_t even(uint64_t value)
{
	if (value % 7 == 3)
		return value ^ 0x55aa;
	return value / 2 + (value << 40);
}

uint64_t library_run(uint64_t seed, unsigned long rounds)
{
	uint64_t sum = 0;

	for (unsigned long i = 0; i < rounds; i++) {
		seed = (seed & 1 ? odd(seed) : even(seed)) + i;
		if (seed % 1013 == 7)
			sum += i;
		sum = sum * 31 + seed;
	}
	return sum;
}
