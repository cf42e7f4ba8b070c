/* SPDX-License-Identifier: MIT */
/* How compilers name functions and places in a line. */
#include <string.h>

#include "pgo/sample_private.h"

/* NAME.llvm.123: a static function that ThinLTO made global; NAME.part.0: split off by gcc. */
size_t pgb_sample_name_length(const char *name)
{
	static const char *const suffixes[] = {".llvm.", ".part."};
	size_t length = strlen(name);

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t suffix = strlen(suffixes[i]), at = length;

		/* what is behind the suffix has no further dot */
		while (at > 0 && name[at - 1] != '.')
			at--;
		if (at > suffix && memcmp(name + at - suffix, suffixes[i], suffix) == 0)
			length = at - suffix;
	}
	return length;
}

/* A component: 0, five bits, or twelve of them; the lowest bit set means 0. */
static uint32_t component(uint32_t discriminator)
{
	uint32_t value = discriminator >> 1;

	if (discriminator & 1)
		return 0;
	return value & 0x20 ? ((value >> 1) & 0xfe0) | (value & 0x1f) : value & 0x1f;
}

uint32_t pgb_discriminator_base(uint32_t discriminator)
{
	return component(discriminator);
}

uint32_t pgb_discriminator_copies(uint32_t discriminator)
{
	uint32_t rest, copies;

	if (discriminator & 1)
		rest = discriminator >> 1;
	else
		rest = discriminator >> (discriminator & 0x40 ? 14 : 7);
	copies = component(rest);
	return copies ? copies : 1;
}

/* One for each source file that has such a thing, all under one name: they say nothing. */
static bool is_ambiguous(const char *name)
{
	static const char *const made_by_compilers[] = {"__cxx_global_var_init", "__tls_init"};

	for (size_t i = 0; i < sizeof(made_by_compilers) / sizeof(made_by_compilers[0]); i++)
		if (strncmp(name, made_by_compilers[i], strlen(made_by_compilers[i])) == 0)
			return true;
	return false;
}

/* A line of the text could not hold others. */
static bool is_writable(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || *name == 127)
			return false;
	return true;
}

bool pgb_sample_name_is_usable(const char *name)
{
	return !is_ambiguous(name) && is_writable(name);
}
