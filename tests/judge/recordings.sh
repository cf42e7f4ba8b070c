#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs of many kinds, traced by an emulator and encoded as perf.data with branch stacks: the
# command convert must write what perf2bolt writes, line by line; without --compat what llvm-bolt
# takes whole.
. "$SRCDIR/tests/judge/perf2bolt.sh"

lab=$BUILDDIR/tests/lab/lab
plugin=$BUILDDIR/tests/lab/trace_plugin.so
[ -f "$plugin" ] || skip "no qemu plugin was built"
perf=$(command -v perf) || echo "no perf: perf2bolt reads the samples as text"
runs=0

# trace FILE: false where it cannot be run here
trace() {
	case $(LC_ALL=C readelf -h "$1") in
	*X86-64*) emulator=qemu-x86_64 ;;
	*AArch64*) emulator="qemu-aarch64 -L /usr/aarch64-linux-gnu" ;;
	*) return 1 ;;
	esac
	rm -f "$work/trace"
	# some of them end by abort(): that is no news
	{ LD_BIND_NOW=1 timeout 60 $emulator -plugin "$plugin,out=$work/trace" "$1" some words; } \
		>"$work/output" 2>&1
	[ -s "$work/trace" ]
}

# theirs FILE: perf2bolt's profile of the recording, in $work/theirs
theirs() {
	if [ -n "$perf" ]; then
		"$perf2bolt" -allow-stripped "$1" -p "$work/perf.data" -o "$work/theirs" \
			>"$work/perf2bolt.log" 2>&1 && return
	else
		"$perf2bolt" -allow-stripped "$1" -p "$work/truth" -pa -o "$work/theirs" \
			>"$work/perf2bolt.log" 2>&1 && return
	fi
	uncomparable="$uncomparable $(basename "$1")"
	return 1
}

ours() {
	rm -f "$work/ours"
	"$PGOBOLT" convert -q -b "$@" -o "$work/ours" 2>"$work/convert.log" && return
	echo "convert -b $*:"
	cat "$work/convert.log"
	failed=1
	return 1
}

compare() {
	case $1$options in
	*-shared*) return ;;
	*/stripped*) return ;; # nothing to write
	esac
	trace "$1" || return
	runs=$((runs + 1))
	mispredicts=${perf:+--mispredicts}
	"$lab" lbr -o "$work/perf.data" -b "$1" --depth 16 --period 11 --random $runs \
		--kernel both $mispredicts --truth "$work/truth" "$work/trace" || exit 1
	theirs "$1" || return
	compared=$((compared + 1))
	ours "$1" --compat perf2bolt "$work/perf.data" && differ "$1" "$work/ours"
	ours "$1" "$work/perf.data" || return
	case $1$options in */c-O2 | */cxx-O2 | */c_aarch64-O2) accept "$1" "$work/ours" ;; esac
	# through BOLT's own text format, which loses mispredictions only
	mv "$work/ours" "$work/direct"
	"$PGOBOLT" convert -q -b "$1" --format preagg "$work/perf.data" -o "$work/text" \
		2>"$work/convert.log" && ours "$1" "$work/text" || { failed=1; return; }
	without_mispredicts "$work/direct" >"$work/theirs"
	without_mispredicts "$work/ours" >"$work/sorted"
	differ "$1 (as text)" "$work/sorted"
}

# "1 main 2a 1 main 30 MISPREDICTS COUNT"
without_mispredicts() {
	sed 's/ [0-9]* \([0-9]*\)$/ \1/' "$1"
}

compare_all
finish
