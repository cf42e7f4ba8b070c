/* SPDX-License-Identifier: MIT */
/*
 * What optimizing came to, as a document: printed by `optimize --json`, and kept in the recording's
 * folder as optimize.json.
 */
#ifndef PGOBOLT_PGO_OPTIMIZE_JSON_H
#define PGOBOLT_PGO_OPTIMIZE_JSON_H

#include "pgobolt/pgo/optimize.h"

struct json_t; /* jansson's */

/* "safe", "default", "max". */
const char *pgb_preset_name(enum pgb_preset preset);

/* One binary; doc/json.md has the keys. The caller owns it. */
struct json_t *pgb_optimize_json(const struct pgb_llvm_bolt *bolt,
				 const struct pgb_optimize_job *job,
				 const struct pgb_optimize_result *result);

/* Write the document of a whole command to FOLDER/optimize.json. Errors: as pgb_out_commit(). */
int pgb_optimize_json_write(const struct json_t *document, const char *folder,
			    struct pgb_error *error);

#endif
