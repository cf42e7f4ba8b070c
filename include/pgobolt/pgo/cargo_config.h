/* SPDX-License-Identifier: MIT */
/*
 * What cargo's configuration files and variables say of targets, flags and linkers. Cargo itself
 * reads the files: `cargo config get` knows where they lie and how they go together.
 */
#ifndef PGOBOLT_PGO_CARGO_CONFIG_H
#define PGOBOLT_PGO_CARGO_CONFIG_H

#include "pgobolt/pgo/shim.h"

struct json_t;

struct pgb_cargo_config {
	struct json_t *root; /* NULL: nothing is known */
};

/*
 * Ask `cargo`, a path. `arguments` are those of its call, NULL-terminated: +TOOLCHAIN, --config and
 * -C count. A cargo that does not answer (before 1.53) has a config without anything in it.
 */
void pgb_cargo_config_ask(struct pgb_cargo_config *config, const char *cargo,
			  const char *const *arguments);
void pgb_cargo_config_parse(struct pgb_cargo_config *config, const char *json);
void pgb_cargo_config_release(struct pgb_cargo_config *config);

/* build.target, or the first of them; NULL. Borrowed. */
const char *pgb_cargo_config_target(const struct pgb_cargo_config *config);

/* target.TRIPLE.linker, which $CARGO_TARGET_TRIPLE_LINKER overrides; NULL. Borrowed. */
const char *pgb_cargo_config_linker(const struct pgb_cargo_config *config, const char *triple);

/*
 * Append the flags of build.rustflags and $CARGO_BUILD_RUSTFLAGS, which cargo drops where any of
 * target.*.rustflags counts. *condition: "cfg(..)" under which none of the project's own do; NULL
 * where one does at any rate, and no flags then. The caller frees it.
 */
void pgb_cargo_config_build_flags(const struct pgb_cargo_config *config, const char *triple,
				  struct pgb_shim_words *flags, char **condition);

#endif
