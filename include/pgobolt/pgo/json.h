/* SPDX-License-Identifier: MIT */
/* Pieces of the JSON documents that commands print and recordings keep; doc/json.md has the keys.
 */
#ifndef PGOBOLT_PGO_JSON_H
#define PGOBOLT_PGO_JSON_H

#include <stdint.h>

#include "pgobolt/bolt/verify.h"

struct json_t; /* jansson's; the caller owns what these return */

/* Text as JSON: bytes that are not UTF-8 become question marks. */
struct json_t *pgb_json_text(const char *text);
/* Counts saturate where JSON's integers end. */
struct json_t *pgb_json_count(uint64_t count);
/* "good", "note", "warning", "error". */
const char *pgb_severity_name(enum pgb_severity severity);
/* [{"check","severity","message","remedy"}] */
struct json_t *pgb_findings_json(const struct pgb_findings *findings);

/* A whole document to a file, as --json prints it. Errors: as pgb_out_commit(). */
int pgb_json_write(const struct json_t *document, const char *path, struct pgb_error *error);

#endif
