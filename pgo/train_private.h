/* SPDX-License-Identifier: MIT */
/* One training run while it lasts. */
#ifndef PGOBOLT_PGO_TRAIN_PRIVATE_H
#define PGOBOLT_PGO_TRAIN_PRIVATE_H

#include "pgobolt/pgo/train.h"

struct train {
	const struct pgb_train_config *config;
	struct pgb_train_result *result;
	char *state; /* absolute */
	char *run;   /* STATE/runs/N */
	int at_work; /* locks `run` until it is merged; -1: none */
	bool cs;     /* the build is a context-sensitive one */
};

/* Merge all runs that are not at work into the profiles. PGB_E_EMPTY: this run wrote nothing. */
int pgb_train_merge(struct train *train, struct pgb_error *error);

/* train_nothing.c: the error of a run that wrote nothing. */
int pgb_train_nothing(const struct train *train, struct pgb_error *error);

#endif
