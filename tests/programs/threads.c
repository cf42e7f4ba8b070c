/* SPDX-License-Identifier: MIT */
/* 64 threads that come and go in waves, with branchy work. Prints a checksum. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 64 };

struct task {
	uint64_t seed, result;
	unsigned long rounds;
};

/* Inlined, its jump table would be out of llvm-bolt's reach. */
__attribute__((noinline)) static uint64_t step(uint64_t value)
{
	switch (value % 7) {
	case 0:
		return value * 3 + 1;
	case 1:
		return value ^ value >> 5;
	case 2:
		return value + 0x9e3779b9;
	case 3:
		return value % 1000003 ? value * 5 : value + 17;
	case 4:
		return value - (value >> 3);
	case 5:
		return ~value;
	default:
		return value << 1 | value >> 63;
	}
}

static void *work(void *argument)
{
	struct task *task = argument;
	uint64_t value = task->seed;

	for (unsigned long i = 0; i < task->rounds; i++) {
		value = step(value);
		if (value & 64)
			value += i;
	}
	task->result = value;
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	struct task tasks[THREADS];
	pthread_t threads[THREADS];
	uint64_t checksum = 0;

	for (int wave = 0; wave < 3; wave++) {
		for (int i = 0; i < THREADS; i++) {
			tasks[i] = (struct task){.seed = checksum + i + 1, .rounds = rounds};
			if (pthread_create(&threads[i], NULL, work, &tasks[i]) != 0)
				return 1;
		}
		for (int i = 0; i < THREADS; i++) {
			pthread_join(threads[i], NULL);
			checksum = checksum * 31 + tasks[i].result;
		}
	}
	printf("checksum %016lx\n", (unsigned long)checksum);
	return 0;
}
