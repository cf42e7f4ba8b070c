/* SPDX-License-Identifier: MIT */
/* What the feed of visits has to say: whom it left alone, and its figures. */
#ifndef PGOBOLT_COLLECTOR_FEED_WALK_TELL_H
#define PGOBOLT_COLLECTOR_FEED_WALK_TELL_H

#include "pgobolt/collector/feed_walk.h"

struct walk_tell {
	const struct pgb_log *log;
	bool told[PGB_VISITS];
};

/* A warning for the first process of each reason; nothing where `how` is no such reason. */
void walk_tell_left_alone(struct walk_tell *tell, pid_t pid, enum pgb_visit how);
/* It may have gained privileges in an exec, or have ended. 0: none. */
void walk_tell_privileged(struct walk_tell *tell, pid_t pid);
void walk_tell_visits(const struct walk_tell *tell, const struct pgb_feed_walk_stats *stats);

#endif
