/* SPDX-License-Identifier: MIT */
/* The other file of lines.cpp: C, with a static function of the same name. */
static long helper(long value)
{
	if (value > 500)
		return value - 3;
	return value + 5;
}

long lines_other(long value);

long lines_other(long value)
{
	long sum = 0;

	for (long i = 0; i < value % 5; i++)
		sum += helper(value * i);
	return sum;
}

#ifdef ALONE
int main(int count, char **arguments)
{
	long sum = 0;

	(void)arguments;
	for (long i = 0; i < 3000; i++)
		sum += lines_other(i * count) % 3 ? helper(i) : i;
	return (int)(sum & 1);
}
#endif
