/* SPDX-License-Identifier: MIT */
#include "collector/feed_walk_tell.h"

#include <stdio.h>
#include <string.h>

#include "collector/walker_proc.h"
#include "pgobolt/base/text.h"

void walk_tell_left_alone(struct walk_tell *tell, pid_t pid, enum pgb_visit how)
{
	static const char *const reasons[PGB_VISITS] = {
		[PGB_VISIT_TRACED] = "somebody else traces it",
		[PGB_VISIT_FORBIDDEN] = "it gained privileges when it was executed (setuid, "
					"capabilities), or is another user's",
		[PGB_VISIT_FOREIGN] = "it is a 32-bit program",
	};
	char path[64], name[64];

	if (reasons[how] == NULL || tell->told[how])
		return;
	tell->told[how] = true;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	walker_read_text(path, name, sizeof(name));
	name[strcspn(name, "\n")] = '\0';
	pgb_log(tell->log, PGB_LOG_WARNING, "walk: process %d (%s) is left alone: %s", pid, name,
		reasons[how]);
}

void walk_tell_privileged(struct walk_tell *tell, pid_t pid)
{
	unsigned long flags = pid != 0 ? walker_task_flags(pid) : 0;

	/* one that really ends says the same */
	if (flags != 0 && (flags & WALKER_FLAG_EXITING) == 0)
		walk_tell_left_alone(tell, pid, PGB_VISIT_FORBIDDEN);
}

void walk_tell_visits(const struct walk_tell *tell, const struct pgb_feed_walk_stats *stats)
{
	uint64_t walked = stats->visits[PGB_VISIT_WALKED];
	struct pgb_text text = {0};

	for (unsigned int i = 0; i < PGB_VISITS; i++)
		if (stats->visits[i] > 0)
			pgb_text_addf(&text, ", %llu %s", (unsigned long long)stats->visits[i],
				      pgb_visit_name(i));
	pgb_log(tell->log, PGB_LOG_DETAIL, "walk: %llu tickets%s",
		(unsigned long long)stats->tickets, pgb_text_string(&text));
	pgb_text_release(&text);
	if (stats->program_ns > 0)
		pgb_log(tell->log, PGB_LOG_DETAIL,
			"walk: cost %.1f ms, %.1f %% of the %.1f ms of CPU time of the program",
			(double)stats->cost_ns / 1e6,
			100 * (double)stats->cost_ns / (double)stats->program_ns,
			(double)stats->program_ns / 1e6);
	if (walked == 0)
		return;
	for (unsigned int i = 0; i < PGB_LOOKAHEAD_ENDS; i++)
		if (stats->ends[i] > 0)
			pgb_text_addf(&text, "%s%llu by %s", text.length ? ", " : "",
				      (unsigned long long)stats->ends[i],
				      pgb_lookahead_end_name(i));
	pgb_log(tell->log, PGB_LOG_DETAIL, "walk: visits ended: %s", pgb_text_string(&text));
	pgb_text_release(&text);
	pgb_log(tell->log, PGB_LOG_DETAIL,
		"walk: %llu branch decisions, %.1f per stop, %.2f us each, all costs included",
		(unsigned long long)stats->decisions, (double)stats->decisions / (double)walked,
		(double)stats->cost_ns / 1000 / (double)(stats->decisions ? stats->decisions : 1));
}
