/* SPDX-License-Identifier: MIT */
/*
 * One stage of a shell pipeline: "stage make N" writes N lines, "stage change" rewrites lines of
 * stdin, "stage sum" adds them up.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int make(unsigned long lines)
{
	uint64_t value = 1;

	for (unsigned long i = 0; i < lines; i++) {
		value = value * 6364136223846793005u + 1442695040888963407u;
		printf("%lu %c%c\n", (unsigned long)(value >> 40), 'a' + (int)(value >> 60),
		       'k' + (int)(value >> 61));
	}
	return 0;
}

static uint64_t change_number(uint64_t number, char kind)
{
	switch (kind) {
	case 'a':
	case 'e':
		return number / 3;
	case 'b':
		return number ^ number << 7;
	case 'c':
	case 'g':
		return number % 1000 ? number + 1 : 0;
	default:
		return number * 7 % 1000003;
	}
}

static int change(void)
{
	char line[128];

	while (fgets(line, sizeof(line), stdin)) {
		char *kind = strchr(line, ' ');

		if (kind == NULL)
			return 1;
		printf("%lu\n", (unsigned long)change_number(strtoull(line, NULL, 10), kind[1]));
	}
	return 0;
}

static int sum(void)
{
	uint64_t total = 0, lines = 0;
	char line[128];

	while (fgets(line, sizeof(line), stdin)) {
		total = total * 31 + strtoull(line, NULL, 10);
		lines++;
	}
	printf("%lu lines, %016lx\n", (unsigned long)lines, (unsigned long)total);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "make") == 0)
		return make(strtoul(argv[2], NULL, 10));
	if (argc > 1 && strcmp(argv[1], "change") == 0)
		return change();
	if (argc > 1 && strcmp(argv[1], "sum") == 0)
		return sum();
	return 2;
}
