/* SPDX-License-Identifier: MIT */
/* Library calls through every sort of linkage table, a cold part, an indirect function. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int helper(int value)
{
	return value * 3 + 1;
}

int (*volatile pointer)(int) = helper;
size_t (*volatile length)(const char *) = strlen;
int other(int value);

__attribute__((noinline)) int work(int value)
{
	if (__builtin_expect(value > 100000, 0)) {
		fprintf(stderr, "large: %d\n", value);
		abort();
	}
	return helper(value) + other(value);
}

static int implementation(int value)
{
	return value + 1;
}

static int (*resolve(void))(int)
{
	return implementation;
}

__attribute__((ifunc("resolve"))) int indirect(int value);

int main(int count, char **arguments)
{
	char bytes[100];

	memset(bytes, count, sizeof(bytes));
	qsort(bytes, sizeof(bytes), 1, (int (*)(const void *, const void *))strcmp);
	printf("%d %s\n", work(count), arguments[0]);
	return indirect(pointer(count)) + (int)length(arguments[0]);
}
