/* SPDX-License-Identifier: MIT */
/* Strings, sorting, floating point, division, conversions of the C library: until killed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct record {
	double key;
	char name[32];
};

static int by_key(const void *a, const void *b)
{
	const struct record *left = a, *right = b;

	return left->key < right->key ? -1 : left->key > right->key;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->name, ((const struct record *)b)->name);
}

static struct record records[150];
static int table[256];
static unsigned int seed = 1, total;

static __attribute__((noinline)) void fill(struct record *record, unsigned int i,
					   unsigned int round)
{
	double slow = sqrt((double)rand_r(&seed) / (round % 97 + 1));

	record->key = sin(slow) * (i % 13 ? 1.5 : -2.25) + pow(slow, 0.3);
	snprintf(record->name, sizeof(record->name), "%x/%.3f%c", seed, record->key,
		 (int)('a' + seed % 26));
	if (memchr(record->name, '7', strlen(record->name)))
		memmove(record->name, record->name + 1, 8);
	total += (unsigned int)(strtod(record->name, NULL) > 3) + seed % (i + 1) + seed / 7;
	for (unsigned int j = 0; j < 256; j++)
		table[j] += (int)(j * i) >> (total % 5);
}

static __attribute__((noinline)) void work(unsigned int round)
{
	char *copy = calloc(1, round % 3000 + 8);

	for (unsigned int i = 0; i < 150; i++)
		fill(&records[i], i, round);
	qsort(records, 150, sizeof(records[0]), round % 2 ? by_key : by_name);
	strncpy(copy, strstr(records[3].name, "/") ? "slash" : "none", round % 7 + 1);
	total += (unsigned int)table[total % 256] + (unsigned int)strlen(records[5].name);
	free(copy);
}

int main(void)
{
	for (unsigned int round = 1;; round++)
		work(round);
}
