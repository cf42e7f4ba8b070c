/* SPDX-License-Identifier: MIT */
/*
 * The zstd stream that runs through the COMPRESSED records of one recording. The only user of
 * libzstd.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_ZSTD_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_ZSTD_H

#include <stddef.h>
#include <stdint.h>

struct pgb_perfdata_zstd;

struct pgb_perfdata_zstd *pgb_perfdata_zstd_new(void);
void pgb_perfdata_zstd_free(struct pgb_perfdata_zstd *zstd);

/*
 * Expand as much of `in` as fits `out`; both counts tell how far it came. Neither moving: there
 * is nothing more to get out of this input. PGB_E_CORRUPT: no zstd; the stream is lost for good.
 */
int pgb_perfdata_zstd_expand(struct pgb_perfdata_zstd *zstd, const uint8_t *in, size_t in_bytes,
			     size_t *in_used, uint8_t *out, size_t out_bytes, size_t *out_used);

#endif
