/* SPDX-License-Identifier: MIT */
#include "tests/support/lbr_file.h"

#include "pgobolt/base/assert.h"

const struct perf_entry lbr_file_entries[LBR_FILE_ENTRIES] = {
	{0x401000, 0x402000, 1},
	{0x403000, 0x404000, 2},
	{0x405000, 0x406000, 2},
};

struct perf_file_event lbr_file_event(void)
{
	static const uint64_t ids[] = {LBR_FILE_ID, LBR_FILE_ID + 1};

	return (struct perf_file_event){
		.attr = {.type = PERF_TYPE_HARDWARE,
			 .config = PERF_COUNT_HW_CPU_CYCLES,
			 .sample_period = 1000003,
			 .sample_type = LBR_FILE_TYPE,
			 .branch_sample_type = 9,
			 .exclude_kernel = 1,
			 .precise_ip = 2,
			 .mmap2 = 1,
			 .sample_id_all = 1},
		.ids = ids,
		.id_count = 2,
	};
}

struct perf_identity lbr_file_at(uint64_t time_ns)
{
	return (struct perf_identity){
		.pid = 5, .tid = 6, .cpu = 1, .time_ns = time_ns, .id = LBR_FILE_ID};
}

void lbr_file_sample(struct perf_bytes *out, const struct perf_event_attr *attr, uint64_t time_ns,
		     size_t entry_count)
{
	pgb_assert(entry_count <= LBR_FILE_ENTRIES);
	perf_encode_sample(out, attr,
			   &(struct perf_sample){.who = lbr_file_at(time_ns),
						 .misc = PERF_RECORD_MISC_USER,
						 .ip = 0x400000 + time_ns,
						 .entries = lbr_file_entries,
						 .entry_count = entry_count});
}

void lbr_file_map(struct perf_bytes *out, const struct perf_event_attr *attr, uint64_t time_ns)
{
	struct perf_identity who = lbr_file_at(time_ns);

	perf_encode_map(out, attr, &who,
			&(struct perf_map){.pid = 5,
					   .tid = 5,
					   .address = 0x400000,
					   .length = 0x10000,
					   .protection = 5,
					   .path = "/bin/app"});
}

struct pgb_feed *lbr_file_feed(const char *path)
{
	struct pgb_feed_perfdata_config config = {.path = path};
	struct pgb_feed *feed;

	pgb_assert(pgb_feed_perfdata_new(&feed, &config, NULL) == 0);
	return feed;
}

struct pgb_feed *lbr_file_feed_of(int *fd, const struct perf_bytes *bytes)
{
	char path[PERF_FILE_PATH_BYTES];

	*fd = perf_file_open(path, bytes);
	return lbr_file_feed(path);
}

uint64_t lbr_file_samples(struct pgb_feed *feed)
{
	struct pgb_record record;
	uint64_t samples = 0;
	int code;

	while ((code = pgb_feed_next(feed, &record, NULL)) == 1)
		samples += record.type == PERF_RECORD_SAMPLE;
	pgb_assert(code == 0);
	pgb_assert(pgb_feed_next(feed, &record, NULL) == 0);
	return samples;
}
