/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/feed_perfdata_zstd.h"

#include <zstd.h>

#include "pgobolt/base/alloc.h"
#include "pgobolt/base/code.h"

struct pgb_perfdata_zstd {
	ZSTD_DStream *stream;
};

struct pgb_perfdata_zstd *pgb_perfdata_zstd_new(void)
{
	struct pgb_perfdata_zstd *zstd = pgb_calloc(1, sizeof(*zstd));

	zstd->stream = ZSTD_createDStream();
	pgb_assert(zstd->stream != NULL);
	ZSTD_initDStream(zstd->stream);
	return zstd;
}

void pgb_perfdata_zstd_free(struct pgb_perfdata_zstd *zstd)
{
	if (zstd == NULL)
		return;
	ZSTD_freeDStream(zstd->stream);
	free(zstd);
}

int pgb_perfdata_zstd_expand(struct pgb_perfdata_zstd *zstd, const uint8_t *in, size_t in_bytes,
			     size_t *in_used, uint8_t *out, size_t out_bytes, size_t *out_used)
{
	ZSTD_inBuffer input = {.src = in, .size = in_bytes};
	ZSTD_outBuffer output = {.dst = out, .size = out_bytes};
	size_t result = ZSTD_decompressStream(zstd->stream, &output, &input);

	*in_used = input.pos;
	*out_used = output.pos;
	return ZSTD_isError(result) ? PGB_E_CORRUPT : PGB_OK;
}
