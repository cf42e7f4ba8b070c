/* SPDX-License-Identifier: MIT */
/* A second static function of one name, and aliases. */
static int helper(int value)
{
	return value * 5 + 1;
}

int other(int value)
{
	return helper(value) + helper(value + 1);
}

int strong_alias(int value) __attribute__((alias("other")));
int weak_alias(int value) __attribute__((weak, alias("other")));
