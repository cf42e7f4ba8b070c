/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>

uint64_t engine_digest(const uint8_t *bytes, size_t length)
{
	uint64_t digest = 14695981039346656037u;

	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == ' ')
			digest = digest << 1 | digest >> 63;
		else if (bytes[i] >= '0' && bytes[i] <= '9')
			digest = digest * 10 + (bytes[i] - '0');
		else
			digest = (digest ^ bytes[i]) * 1099511628211u;
	}
	return digest;
}
