/* SPDX-License-Identifier: MIT */
/* What the files bolt/quality*.c share. */
#ifndef PGOBOLT_BOLT_QUALITY_PRIVATE_H
#define PGOBOLT_BOLT_QUALITY_PRIVATE_H

#include "pgobolt/bolt/quality.h"

/* llvm-bolt's -profile-density-threshold. */
#define PGB_QUALITY_DENSITY_ENOUGH 60.0

/* See quality.h; below 0: there is no block to compare. Needs input->cfgs. */
double pgb_quality_flow(const struct pgb_quality_input *input);
/* Grade and reasons from the figures. */
void pgb_quality_judge(struct pgb_quality *quality, const struct pgb_quality_input *input);

#endif
