#!/bin/sh
# SPDX-License-Identifier: MIT
# Look-ahead on AArch64 against the emulator: random instructions, one at a time.
programs=$SRCDIR/tests/lab/programs
compare=$BUILDDIR/tests/lab/compare_lookahead
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
	"$compare" ask "$seed" "${COUNT:-20000}" >"$work/questions" &&
		qemu-aarch64 -cpu max,pauth=off "$work/execute" <"$work/questions" >"$work/answers" &&
		"$compare" check "$work/questions" "$work/answers" || exit 1
done
