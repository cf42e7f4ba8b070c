/* SPDX-License-Identifier: MIT */
/* What the files bolt/strict*.c share. */
#ifndef PGOBOLT_BOLT_STRICT_PRIVATE_H
#define PGOBOLT_BOLT_STRICT_PRIVATE_H

#include "bolt/cfg_private.h"

/*
 * Was the target of each indirect jump that llvm-bolt does not understand loaded from memory, or
 * handed over by the caller, as it is? `has_labels`: words of data hold addresses inside the
 * function, so that what calls return may be computed from them.
 */
bool pgb_strict_targets_are_plain(struct pgb_cfg_builder *builder, bool has_labels);

#endif
