#!/bin/sh
# SPDX-License-Identifier: MIT
# Every function of many kinds of binaries, and places inside and between them, must get the name
# and offset that perf2bolt gives it.
. "$SRCDIR/tests/judge/perf2bolt.sh"

# perf2bolt writes the samples of a function in no order.
compare() {
	"$BUILDDIR/tests/judge/name_addresses" "$1" "$work/addresses" "$work/ours" || exit 1
	convert "$1" "$work/addresses" -ba || return
	LC_ALL=C sort "$work/theirs" >"$work/sorted"
	mv "$work/sorted" "$work/theirs"
	LC_ALL=C sort "$work/ours" >"$work/sorted"
	differ "$1" "$work/sorted"
	case $1$options in */cxx-O2) accept "$1" "$work/ours" ;; esac
}

compare_all
finish
