/* SPDX-License-Identifier: MIT */
#include "tests/support/corpus.h"

#include <stdlib.h>
#include <unistd.h>

#include "pgobolt/base/text.h"

char *corpus_path(const char *name)
{
	const char *corpus = getenv("PGOBOLT_CORPUS"), *source = getenv("SRCDIR");
	char *path = corpus ? pgb_format("%s/%s", corpus, name)
			    : pgb_format("%s/../shared/corpus/%s", source ? source : ".", name);

	if (access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}
