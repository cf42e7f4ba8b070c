/* SPDX-License-Identifier: MIT */
/*
 * Writes perf.data files and pipes: what stands around the records that perf_encode.h writes.
 *
 *	perf_file_begin(&out, &file);
 *	perf_encode_sample(&out, ...); perf_file_round(&out);
 *	perf_file_end(&out, &file);
 *
 * Large files: write out what begin gave, then the records piece by piece; end needs only `out`'s
 * header (the first PERF_FILE_HEADER_BYTES, to be written over the file's) and where the data
 * ends: perf_file_finish().
 */
#ifndef TESTS_SUPPORT_PERF_FILE_H
#define TESTS_SUPPORT_PERF_FILE_H

#include "tests/support/perf_encode.h"

enum { PERF_FILE_HEADER_BYTES = 104 };

struct perf_file_event {
	struct perf_event_attr attr;
	const uint64_t *ids;
	size_t id_count;
	const char *name; /* NULL: no EVENT_DESC for any */
};

struct perf_file_build_id {
	const char *path;
	const uint8_t *id;
	uint8_t id_bytes; /* 0: written as 20 bytes without a size, as perf before 5.8 did */
	bool kernel;
};

/* Strings may be NULL: the feature is not there. */
struct perf_file {
	const struct perf_file_event *events;
	size_t event_count;
	size_t attr_bytes; /* 0: sizeof(struct perf_event_attr) */
	const struct perf_file_build_id *build_ids;
	size_t build_id_count;
	const char *host_name, *os_release, *version, *arch, *cpu_description, *cpu_id;
	const char *const *command_line;  /* NULL-terminated */
	const void *meta_info, *init_map; /* simpleperf's; not in pipe mode */
	size_t meta_info_bytes, init_map_bytes;
	bool pipe_mode;
	bool unfinished; /* as a killed perf record leaves it */
	bool directory;	 /* perf record --threads: the records are in files beside it */
};

/* Header and attrs; in pipe mode also the feature records. */
void perf_file_begin(struct perf_bytes *out, const struct perf_file *file);
/* Features behind the data, and the data's size into the header. Nothing in pipe mode. */
void perf_file_end(struct perf_bytes *out, const struct perf_file *file);
/*
 * The same for a file that is written piece by piece: `header` holds what begin gave and is
 * patched; the features for a file whose data ends at `data_end` are appended to `out`.
 */
void perf_file_finish(struct perf_bytes *header, struct perf_bytes *out,
		      const struct perf_file *file, uint64_t data_end);

void perf_file_round(struct perf_bytes *out);
/* Trace bytes of `aux`, a multiple of 8, behind their AUXTRACE record. */
void perf_file_aux_info(struct perf_bytes *out, uint32_t type);
void perf_file_aux(struct perf_bytes *out, uint32_t cpu, uint32_t tid, const void *aux,
		   size_t aux_bytes);

/* One zstd stream through all compressed records of a file; type 81 or 83. */
struct perf_file_zstd;
struct perf_file_zstd *perf_file_zstd_new(uint32_t type);
void perf_file_zstd_free(struct perf_file_zstd *zstd);
/* One compressed record with the next `length` plain bytes. */
void perf_file_compress(struct perf_bytes *out, struct perf_file_zstd *zstd, const void *plain,
			size_t length);

/*
 * A file of these bytes, in memory only; `path` (of PERF_FILE_PATH_BYTES) names it for as long as
 * the descriptor that is returned stays open.
 */
enum { PERF_FILE_PATH_BYTES = 32 };
int perf_file_open(char *path, const struct perf_bytes *bytes);

#endif
