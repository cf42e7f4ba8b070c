#!/bin/sh
# SPDX-License-Identifier: MIT
. "$SRCDIR/tests/cli/lib.sh"

run 0 explain
golden list
run 0 explain MISMATCH
golden mismatch
run 0 explain mismatch
golden mismatch
run 0 explain PGB_E_MISMATCH
golden mismatch
run 0 --json explain MISMATCH
golden mismatch-json
stdout_is_json
run 0 --json explain
stdout_is_json
run 2 explain MISATCH
golden unknown
run 0 explain -- MISMATCH
golden mismatch

# every code says what lies behind it and what to do
run 0 explain
[ "$(grep -c '^[A-Z_]*  *[0-9] ' "$scratch/stdout")" = \
	"$(grep -c '^	X(' "$SRCDIR/include/pgobolt/base/code.h")" ] || fail 'not every code is listed'
for code in $("$PGOBOLT" explain | sed -n 's/^\([A-Z_]*\)  *[0-9] .*/\1/p'); do
	run 0 explain "$code"
	stdout_has '  - '
done
