/* SPDX-License-Identifier: MIT */
/* doctor BINARY --profile: will llvm-bolt help? */
#include "pgo/cli/doctor.h"
#include "pgobolt/pgo/benefit.h"
#include "pgobolt/pgo/cli/table.h"

static void describe(struct doctor *doctor, const struct pgb_benefit *benefit)
{
	static const char *const verdicts[] = {
		[PGB_BENEFIT_LITTLE] = "little to gain: hot code fits into the L1 cache",
		[PGB_BENEFIT_SOME] = "something to gain from a better layout",
		[PGB_BENEFIT_MUCH] = "much to gain: hot code is several times the L1 cache",
	};
	enum pgb_severity severity =
		benefit->verdict == PGB_BENEFIT_LITTLE ? PGB_FINDING_NOTE : PGB_FINDING_GOOD;

	pgb_doctor_add(&doctor->binary, severity, "hot-code", NULL,
		       "hot code: %s in %zu of %s, on %s of 4 KiB (an L1 instruction cache holds "
		       "32 KiB)",
		       PGB_SIZE(benefit->hot_bytes), benefit->functions_hot,
		       PGB_PLURAL(benefit->functions, "function"),
		       PGB_PLURAL(benefit->hot_pages, "page"));
	if (benefit->instructions > 0 && benefit->taken_before > 0)
		pgb_doctor_add(
			&doctor->binary, severity, "taken-branches", NULL,
			"taken branches: one in %.1f instructions; llvm-bolt expects to make "
			"them %+.0f%%",
			(double)benefit->instructions / (double)benefit->taken_before,
			100 * ((double)benefit->taken_after / (double)benefit->taken_before - 1));
	pgb_doctor_add(&doctor->binary, severity, "benefit",
		       "measure it: pgobolt optimize --bench 'CMD with {}'", "%s",
		       verdicts[benefit->verdict]);
}

int pgb_doctor_benefit(struct doctor *doctor, const char *binary, const char *profile,
		       struct pgb_error *error)
{
	struct pgb_chosen_profile chosen = {0};
	struct pgb_benefit benefit;
	int code = pgb_profile_choose(&chosen, binary, profile, error);

	if (code == 0)
		code = pgb_benefit_estimate(&benefit, &chosen,
					    doctor->bolt.path ? &doctor->bolt : NULL, error);
	if (code == 0)
		describe(doctor, &benefit);
	pgb_chosen_profile_release(&chosen);
	return code;
}
