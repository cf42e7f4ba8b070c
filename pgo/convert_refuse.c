/* SPDX-License-Identifier: MIT */
/* Recordings that hold what nobody here decodes, or were made elsewhere. */
#include <string.h>

#include "pgo/convert_private.h"
#include "pgobolt/collector/feed_perfdata.h"

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

int pgb_convert_check_machine(const struct pgb_conversion *conversion,
			      const struct pgb_perfdata_info *info, const char *name,
			      struct pgb_error *error)
{
	static const struct {
		const char *name;
		uint16_t machine;
	} machines[] = {{"x86_64", 62}, {"aarch64", 183}, {"arm64", 183}};
	const char *arch = info->arch;
	uint16_t recorded = 0;

	if (arch == NULL && !info->big_endian)
		return 0;
	for (size_t i = 0; arch && i < sizeof(machines) / sizeof(*machines); i++)
		if (strcmp(arch, machines[i].name) == 0)
			recorded = machines[i].machine;
	for (size_t i = 0; i < conversion->job->binary_count; i++) {
		if (conversion->targets[i].binary.machine == recorded)
			continue;
		pgb_fail(error, PGB_E_MISMATCH,
			 "%s was recorded on another machine (%s), %s is for %s", name,
			 arch ? arch : "a big-endian one", conversion->targets[i].path,
			 conversion->targets[i].binary.machine == 62 ? "x86-64" : "AArch64");
		return pgb_remedy(error, "convert it with the binary that ran there");
	}
	return 0;
}
