// SPDX-License-Identifier: MIT
/*
 * Exceptions thrown, passed on with clean-up, and caught, in functions that are called often; and a
 * backtrace from the deepest one. What it prints depends on each of them.
 */
#include <cstdio>
#include <cstdlib>
#include <execinfo.h>
#include <stdexcept>

#define NOINLINE __attribute__((noinline))

volatile unsigned int sink;
static int frames;

struct Guard {
	explicit Guard(unsigned int a) : value(a) {}
	NOINLINE ~Guard() { sink = sink + value; }
	unsigned int value;
};

NOINLINE unsigned int throw_some(unsigned int a)
{
	if (a % 1000 == 7) {
		void *addresses[32];

		frames = backtrace(addresses, 32);
		throw std::out_of_range("seven");
	}
	if (a % 1000 == 11)
		throw a;
	return a & 1 ? a * 3 + 1 : a / 2;
}

NOINLINE unsigned int pass_on(unsigned int a)
{
	Guard guard(a & 7);

	if (a % 5 == 3)
		a ^= 0x1234;
	return throw_some(a) + 1;
}

NOINLINE unsigned int catch_some(unsigned int a)
{
	try {
		return pass_on(a);
	} catch (const std::out_of_range &error) {
		return (unsigned int)error.what()[0];
	}
}

NOINLINE unsigned int catch_others(unsigned int a)
{
	try {
		return catch_some(a);
	} catch (unsigned int thrown) {
		return thrown ^ 0x55;
	}
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)std::strtoul(argv[1], nullptr, 10) : 300000;
	unsigned int sum = 0;

	for (unsigned int i = 0; i < rounds; i++)
		sum = sum * 31 + catch_others(i);
	std::printf("sum %08x, sink %08x, frames %d\n", sum, sink, frames);
	return 0;
}
