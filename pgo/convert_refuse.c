/* SPDX-License-Identifier: MIT */
/* Recordings that hold what nobody here decodes. */
#include <string.h>

#include "pgo/convert_private.h"

int pgb_convert_refuse_aux(const char *name, const char *kind, struct pgb_error *error)
{
	static const struct {
		const char *kind, *words, *options;
	} kinds[] = {
		{"intel_pt", "an Intel PT trace", "i100usle"},
		{"intel_bts", "an Intel BTS trace", "b"},
		{"cs_etm", "an Arm CoreSight trace", "i1000il"},
	};

	if (strcmp(kind, "arm_spe") == 0)
		return pgb_fail(error, PGB_E_EMPTY, "%s: there are no SPE records in it", name);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kind, kinds[i].kind) != 0)
			continue;
		pgb_fail(error, PGB_E_UNSUPPORTED, "%s holds %s (%s), which is not decoded here",
			 name, kinds[i].words, kind);
		return pgb_remedy(
			error,
			"let perf make branch stacks of it: perf inject --itrace=%s --strip "
			"-i %s -o with-stacks.data",
			kinds[i].options, name);
	}
	pgb_fail(error, PGB_E_UNSUPPORTED,
		 "%s holds the data of a trace unit (%s), which is not decoded here", name, kind);
	return pgb_remedy(error, "record with branch stacks, or: pgobolt record -- PROGRAM");
}
