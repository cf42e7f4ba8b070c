#!/bin/sh
# SPDX-License-Identifier: MIT
# Live sessions fed from exact traces, through the stand-in for the kernel: what is in the recording
# comes out of rings and AUX areas that wrap around, of several CPUs; where the reader is too slow,
# what came is right and the rest is counted; what record --raw keeps gives the same edges again,
# and perf reads it.
lab=$BUILDDIR/tests/lab/lab
live=$BUILDDIR/tests/lab/live
decode=$BUILDDIR/tests/lab/decode
plugin=$BUILDDIR/tests/lab/trace_plugin.so
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
tested=0
failed=0
perf=$(command -v perf)

fail() {
	echo "FAILED: $*"
	failed=1
}

counter() {
	awk -v name="$1" '$1 == name { n = $2 } END { print n + 0 }' "$work/counters"
}

# replay OPTIONS..: edges to live.edges, counters to counters
replay() {
	"$live" "$@" "$source" "$program" "$work/data" 2>"$work/counters" | sort >"$work/live.edges"
	# a pipe's status is that of sort: what failed was said
	! grep '^live:' "$work/counters" || fail "live $* $source"
	[ -z "$VERBOSE" ] || echo "$source $*: $(tr '\n' ' ' <"$work/counters")"
}

same() {
	diff -u "$1" "$2" >"$work/diff" || {
		head -n 10 "$work/diff"
		fail "$3"
	}
}

# How many records of this type perf finds in what was kept, and does it read it without complaint?
perf_count() {
	"$perf" script -D -i "$work/kept" 2>"$work/complaints" | grep -c "PERF_RECORD_$1\>[^_]"
	! grep -qiE 'error|corrupt|incompatible|invalid|failed' "$work/complaints" || {
		cat "$work/complaints" >&2
		echo complaints
	}
}

check_kept() {
	"$decode" "$source" "$program" "$work/kept" 2>"$work/again" | sort >"$work/kept.edges"
	same "$work/live.edges" "$work/kept.edges" "$source $*: kept and read again"
	for name in samples branches operations dropped lost aux_truncated throttled; do
		[ "$(counter $name)" = "$(awk -v name=$name '$1 == name { n = $2 }
			END { print n + 0 }' "$work/again")" ] || fail "$source $*: $name of what was kept"
	done
	[ -n "$perf" ] || return
	type=SAMPLE count=$(counter samples)
	if [ "$source" = spe ]; then type=AUXTRACE count=$(counter pieces); fi
	[ "$(perf_count $type)" = "$count" ] || fail "$source $*: perf reads $(perf_count $type)" \
		"$type records of $count"
}

# check SOURCE PROGRAM FILTER STRETCH "LAB OPTIONS" LIVE OPTIONS..
check() {
	source=$1 program=$2 filter=$3 stretch=$4 recording=$5
	shift 5
	# shellcheck disable=SC2086
	"$lab" "$source" -o "$work/data" -b "$program" --truth "$work/truth" --random 3 $recording \
		"$work/trace" || fail "lab $source $recording"
	sed "$filter" "$work/truth" | sort >"$work/expected"
	replay "$@"
	same "$work/expected" "$work/live.edges" "$source $recording: live"
	[ "$(counter lost)" = 0 ] || fail "$source $*: lost without need"
	replay --ring-pages 1 --aux-pages 2 --stretch "$stretch" --keep "$work/kept" "$@"
	same "$work/expected" "$work/live.edges" "$source $recording: rings of a page"
	if [ "$source" = spe ]; then around=rounds_of_areas; else around=rounds_of_rings; fi
	[ "$(counter $around)" -ge 1 ] || fail "$source $*: nothing went around"
	[ "$(counter wake_ups)" -ge 2 ] || fail "$source $*: the reader was not woken"
	check_kept "$recording"
	replay --ring-pages 1 --aux-pages 2 --stretch 1 --every 20 --take 3 --stay 5 \
		--throttle 10 --keep "$work/kept" "$@"
	[ "$(counter lost)" -gt 0 ] || [ "$(counter while_stopped)" -gt 0 ] ||
		fail "$source $*: a slow reader lost nothing"
	check_kept "$recording, slowly"
}

check_machine() {
	if [ "$1" = aarch64 ]; then
		check spe "$2" "" 300000 "--period 3 --random 0 --previous-target --chunk 700"
		check spe "$2" "" 300000 "--period 3 --random 0 --every-packet --context --chunk 900" \
			--all-processes
		# who ran is in no packet: what tells it comes by the same CPU, and in its order
		check spe "$2" "" 300000 "--period 7 --random 0 --switches 3 --chunk 900" \
			--all-processes --stay 1000000000 --stretch 300000
		check lbr "$2" "" 100000 "--period 37 --hardware brbe-32" --machine neoverse
		return
	fi
	check lbr "$2" "" 100000 "--period 17 --hardware skylake"
	check lbr "$2" "" 100000 "--period 17 --hardware lbr-v2" --machine zen4 --all-processes
	check lbr "$2" "" 100000 "--period 17 --hardware brs" --machine zen3
	check ibs "$2" 's/^\(N [0-9a-f]*\) [0-9a-f]*/\1 0/' 100000 "--period 128"
	check ibs "$2" 's/^\(N [0-9a-f]*\) [0-9a-f]*/\1 0/' 100000 "--period 128 --kernel-every 4" \
		--all-processes
}

# test_machine MACHINE
test_machine() {
	compiler=$1-linux-gnu-gcc
	[ "$(uname -m)" != "$1" ] || compiler=$CC
	if ! command -v "qemu-$1" >/dev/null || ! command -v ${compiler%% *} >/dev/null; then
		echo "$1: not tested, qemu-$1 or $compiler is not installed"
		return
	fi
	$compiler -nostdlib -static -no-pie -Wl,--build-id -o "$work/known" \
		"$SRCDIR/tests/lab/programs/known.S" || return
	if ! "qemu-$1" -plugin "$plugin,out=$work/trace" "$work/known" >"$work/log" 2>&1; then
		grep -q 'lugin' "$work/log" && echo "$1: this qemu has no plugins" && return
		cat "$work/log"
		fail "qemu-$1"
		return
	fi
	tested=$((tested + 1))
	check_machine "$1" "$work/known"
}

test_machine x86_64
test_machine aarch64
[ -n "$perf" ] || echo "not read by perf: it is not installed"
if [ $tested = 0 ]; then
	echo "qemu user-mode emulation with plugins is not installed"
	exit 77
fi
exit $failed
