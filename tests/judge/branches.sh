#!/bin/sh
# SPDX-License-Identifier: MIT
# The same records of branches and ranges, to every block of every function: the same lines as
# perf2bolt's in the same order, and without what cannot be, a profile that llvm-bolt takes whole.
. "$SRCDIR/tests/judge/perf2bolt.sh"

compare() {
	"$BUILDDIR/tests/judge/branch_records" "$1" "$work/records" "$work/ours" \
		"$work/checked" >"$work/counts" || exit 1
	convert "$1" "$work/records" || return
	differ "$1" "$work/ours"
	sed -n -e 's/.*mismatching disassembled function contents: \([0-9]*\).*/mismatching \1/p' \
		-e 's/.*involving unknown regions: \([0-9]*\).*/out of range \1/p' \
		"$work/perf2bolt.log" | tr '\n' ' ' | sed 's/ $//' >"$work/their_counts"
	if [ "$(cat "$work/counts")" != "$(cat "$work/their_counts")" ]; then
		echo "$1: $(cat "$work/counts"); perf2bolt: $(cat "$work/their_counts")"
		failed=1
	fi
	case $1$options in */cxx-O2 | */c_aarch64-O2) accept "$1" "$work/checked" ;; esac
}

compare_all
finish
