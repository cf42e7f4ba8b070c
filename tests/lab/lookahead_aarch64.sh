#!/bin/sh
# SPDX-License-Identifier: MIT
# Look-ahead on AArch64 against the emulator: random instructions one at a time, then programs
# that are stopped at random, followed on the copy, and really stepped the same way.
programs=$SRCDIR/tests/lab/programs
lab=$BUILDDIR/tests/lab
cross=${AARCH64_CC:-aarch64-linux-gnu-gcc}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

skip() {
	echo "$1"
	exit 77
}

command -v qemu-aarch64 >/dev/null || skip "no qemu-aarch64"
"$cross" -static -O1 -I"$SRCDIR" -o "$work/execute" "$programs/execute_aarch64.c" \
	2>"$work/errors" || skip "no cross compiler for AArch64 with a static C library: $cross"

# -cpu max executes what this emulator knows; without keys, signed pointers stay as they are
for seed in ${SEEDS:-1 2}; do
	"$lab/compare_lookahead" ask "$seed" "${COUNT:-20000}" >"$work/questions" &&
		qemu-aarch64 -cpu max,pauth=off "$work/execute" <"$work/questions" >"$work/answers" &&
		"$lab/compare_lookahead" check "$work/questions" "$work/answers" || exit 1
done

# follow CPU DCZID PROGRAM ARGS..
follow() {
	cpu=$1
	dczid=$2
	shift 2
	rm -f "$work/socket"
	"$lab/follow_lookahead" "${STOPS:-20}" 75 "$dczid" "$work/socket" \
		qemu-aarch64 -cpu "$cpu" -g "$work/socket" "$@" || exit 1
}

"$cross" -static -O2 -o "$work/plain" "$programs/work.c" -lm || exit 1
"$cross" -static -O3 -march=armv8.5-a -mbranch-protection=standard -o "$work/signed" \
	"$programs/work.c" -lm || exit 1
follow cortex-a76 4 "$work/plain"
# the emulator shows no vector registers with SVE
follow max,sve=off 7 "$work/signed"
