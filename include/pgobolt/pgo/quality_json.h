/* SPDX-License-Identifier: MIT */
/*
 * Quality figures as they stand in recording.json and in the note beside an fdata file. What is
 * not known is null.
 */
#ifndef PGOBOLT_PGO_QUALITY_JSON_H
#define PGOBOLT_PGO_QUALITY_JSON_H

#include <stdbool.h>

#include "pgobolt/bolt/quality.h"

struct json_t; /* jansson's */

/* null for one that was not computed; the caller owns it. */
struct json_t *pgb_quality_json(const struct pgb_quality *quality);
/*
 * Read it back into a zeroed `quality`, to be released either way. null and NULL: nothing was
 * computed. false: it is not what the other one writes.
 */
bool pgb_quality_from_json(struct pgb_quality *quality, const struct json_t *json);

#endif
