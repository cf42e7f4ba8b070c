/* SPDX-License-Identifier: MIT */
/*
 * A bytecode interpreter as a test of code layout: 256 handlers, each with a short common path
 * between long rare ones. Built without a profile the compiler cannot tell them apart, so the hot
 * path jumps over cold code all the time and the hot code is spread over the whole text.
 *
 * Usage: interpreter [ROUNDS [SEED]]
 * Prints a checksum that depends on every instruction executed; the same for any correct build.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { REGISTERS = 64, PROGRAM_LENGTH = 4096, HANDLERS = 256, STACK_DEPTH = 32 };

struct machine {
	uint64_t registers[REGISTERS];
	uint64_t stack[STACK_DEPTH];
	uint64_t checksum;
	uint64_t steps;
	unsigned int depth;
	unsigned int faults, refills, overflows;
};

struct instruction {
	uint8_t operation, a, b, c;
};

typedef void handler(struct machine *machine, const struct instruction *instruction);

static inline uint64_t mix(uint64_t value)
{
	value ^= value >> 31;
	value *= 0x7fb5d329728ea185u;
	value ^= value >> 27;
	return value;
}

/* What a rare path does: enough code that jumping over it crosses cache lines. */
#define RARE_WORK(machine, x, y, N)                                                                \
	do {                                                                                       \
		(machine)->registers[(N) % REGISTERS] ^= (x) * (2 * (N) + 1);                      \
		(machine)->registers[((N) + 7) % REGISTERS] += (y) >> ((N) % 13);                  \
		(machine)->registers[((N) + 11) % REGISTERS] -= (x) ^ (y);                         \
		(machine)->checksum = (machine)->checksum * 31 + (x);                              \
		(machine)->checksum ^= (machine)->checksum >> ((N) % 7 + 3);                       \
		(machine)->registers[((N) + 3) % REGISTERS] |= (x) & (y);                          \
	} while (0)

/*
 * One handler. The tests look alike to a compiler; the data makes each of them true about once
 * in several thousand times.
 */
#define HANDLER(N)                                                                                 \
	static __attribute__((noinline)) void operation_##N(struct machine *machine,               \
							    const struct instruction *at)          \
	{                                                                                          \
		uint64_t x = machine->registers[at->a % REGISTERS];                                \
		uint64_t y = machine->registers[at->b % REGISTERS];                                \
		uint64_t z = x + y * (2 * (N) + 1);                                                \
                                                                                                   \
		if ((x & 0x1fff) == ((N)*31 & 0x1fff)) {                                           \
			machine->faults++;                                                         \
			RARE_WORK(machine, x, y, N);                                               \
			RARE_WORK(machine, y, z, (N) + 5);                                         \
		}                                                                                  \
		if ((N) % 3 == 0)                                                                  \
			z ^= x >> ((N) % 17 + 1);                                                  \
		if ((y & 0x3fff) == ((N)*17 & 0x3fff)) {                                           \
			machine->refills++;                                                        \
			RARE_WORK(machine, z, y, (N) + 1);                                         \
			RARE_WORK(machine, x, z, (N) + 9);                                         \
		}                                                                                  \
		z = z * 0x9e3779b97f4a7c15u + (N);                                                 \
		if (((z >> 20) & 0xfff) == ((N)*7 & 0xfff)) {                                      \
			machine->overflows++;                                                      \
			if (machine->depth < STACK_DEPTH)                                          \
				machine->stack[machine->depth++] = z;                              \
			else                                                                       \
				machine->depth = 0;                                                \
			RARE_WORK(machine, z, x, (N) + 2);                                         \
		}                                                                                  \
		machine->registers[at->c % REGISTERS] = mix(z);                                    \
		if (machine->depth > 0 && (z >> 40 & 0x7ff) == 1) {                                \
			RARE_WORK(machine, machine->stack[machine->depth - 1], z, (N) + 4);        \
			machine->depth--;                                                          \
		}                                                                                  \
		machine->checksum += z;                                                            \
	}

/* 256 numbers, 0x10000 to 0x13333: four digits of base four behind a leading 1. */
#define TIMES_4(M, N)  M(N##0) M(N##1) M(N##2) M(N##3)
#define TIMES_16(M, N) TIMES_4(M, N##0) TIMES_4(M, N##1) TIMES_4(M, N##2) TIMES_4(M, N##3)
#define TIMES_64(M, N) TIMES_16(M, N##0) TIMES_16(M, N##1) TIMES_16(M, N##2) TIMES_16(M, N##3)
#define TIMES_256(M)   TIMES_64(M, 0x10) TIMES_64(M, 0x11) TIMES_64(M, 0x12) TIMES_64(M, 0x13)
#define INDEX(N)       (((N) >> 12 & 3) * 64 + ((N) >> 8 & 3) * 16 + ((N) >> 4 & 3) * 4 + ((N)&3))

TIMES_256(HANDLER)

static __attribute__((noinline)) void run(struct machine *machine,
					  const struct instruction *program)
{
	for (unsigned int i = 0; i < PROGRAM_LENGTH; i++) {
		const struct instruction *at = &program[i];

		machine->steps++;
		switch (at->operation) {
#define CASE(N)                                                                                    \
	case INDEX(N):                                                                             \
		operation_##N(machine, at);                                                        \
		break;
			TIMES_256(CASE)
		}
	}
}

/* A program of all handlers, some more often than others; the same for the same seed. */
static void write_program(struct instruction *program, uint64_t seed)
{
	for (unsigned int i = 0; i < PROGRAM_LENGTH; i++) {
		uint64_t draw;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		draw = seed >> 16;
		/* the smaller of two draws: low numbers are likelier, none is left out */
		program[i].operation =
			(draw & 255) < (draw >> 8 & 255) ? draw & 255 : draw >> 8 & 255;
		program[i].operation = program[i].operation * 37 & 255;
		program[i].a = draw >> 16;
		program[i].b = draw >> 24;
		program[i].c = draw >> 32;
	}
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	uint64_t seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	static struct instruction program[PROGRAM_LENGTH];
	static struct machine machine;

	write_program(program, seed);
	for (unsigned int i = 0; i < REGISTERS; i++)
		machine.registers[i] = mix(seed + i);
	for (unsigned long round = 0; round < rounds; round++)
		run(&machine, program);
	printf("%lu steps, checksum %016lx, %u faults, %u refills, %u overflows\n",
	       (unsigned long)machine.steps, (unsigned long)machine.checksum, machine.faults,
	       machine.refills, machine.overflows);
	return 0;
}
