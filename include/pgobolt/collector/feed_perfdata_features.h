/* SPDX-License-Identifier: MIT */
/*
 * The features of a recording's header: who recorded it, on what, and the files' build-ids. In
 * file mode they are sections behind the data, in pipe mode records.
 */
#ifndef PGOBOLT_COLLECTOR_FEED_PERFDATA_FEATURES_H
#define PGOBOLT_COLLECTOR_FEED_PERFDATA_FEATURES_H

#include <stdbool.h>

#include "pgobolt/base/cursor.h"
#include "pgobolt/collector/feed_perfdata.h"

enum pgb_perfdata_feature {
	PGB_PERFDATA_BUILD_ID = 2,
	PGB_PERFDATA_HOSTNAME = 3,
	PGB_PERFDATA_OSRELEASE = 4,
	PGB_PERFDATA_VERSION = 5,
	PGB_PERFDATA_ARCH = 6,
	PGB_PERFDATA_CPUDESC = 8,
	PGB_PERFDATA_CPUID = 9,
	PGB_PERFDATA_CMDLINE = 11,
	PGB_PERFDATA_EVENT_DESC = 12,
	PGB_PERFDATA_PMU_MAPPINGS = 16,
	PGB_PERFDATA_DIR_FORMAT = 24, /* the records are in files beside this one */
	/* simpleperf's own */
	PGB_PERFDATA_META_INFO = 129,
	PGB_PERFDATA_INIT_MAP = 134, /* records: mappings that were there at the start */
};

/* Does pgb_perfdata_feature_read() look at it? */
bool pgb_perfdata_feature_wanted(unsigned int feature);
/* What is impossible in it is left out; `info` gets what there is. */
void pgb_perfdata_feature_read(struct pgb_perfdata_info *info, unsigned int feature,
			       struct pgb_cursor bytes);
/* One HEADER_BUILD_ID record, behind its header. */
void pgb_perfdata_feature_build_id(struct pgb_perfdata_info *info, uint16_t misc,
				   struct pgb_cursor body);
void pgb_perfdata_feature_name(struct pgb_perfdata_info *info, size_t event, const char *name);
void pgb_perfdata_info_release(struct pgb_perfdata_info *info);

#endif
