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
llvm_bolt=$(dirname "$(realpath "$perf2bolt")")/llvm-bolt
runs=0
measured=0

# trace FILE [PROGRAM ARGS..]: run it, or what uses it; false where that cannot be done here
trace() {
	case $(LC_ALL=C readelf -h "$1") in
	*X86-64*) emulator=qemu-x86_64 ;;
	*AArch64*) emulator="qemu-aarch64 -L /usr/aarch64-linux-gnu" ;;
	*) return 1 ;;
	esac
	[ $# -gt 1 ] && shift || set -- "$1" some words
	rm -f "$work/trace"
	# some of them end by abort(): that is no news
	{ LD_BIND_NOW=1 timeout 60 $emulator -plugin "$plugin,out=$work/trace" "$@"; } \
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

# taken_branches BINARY PROFILE: how many percent of them llvm-bolt saves by it, in tenths
taken_branches() {
	"$llvm_bolt" "$1" -data "$2" -o "$work/bolted" -reorder-blocks=ext-tsp -dyno-stats \
		>"$work/bolt.log" 2>&1 || { tail -n 5 "$work/bolt.log" >&2; return 1; }
	sed -n 's/.* : taken branches (\([-+=]\)\([0-9]*\)\.*\([0-9]\).*/\1\2\3/p
		s/.* : taken branches (=)/0/p' "$work/bolt.log" | tail -n 1
}

# no_worse BINARY: what --compat leaves as perf2bolt has it must not be what llvm-bolt gains by.
# $work/theirs and $work/ours are the two profiles. One percent of difference is noise.
no_worse() {
	accept "$1" "$work/ours"
	[ -x "$llvm_bolt" ] || return
	with=$(taken_branches "$1" "$work/theirs") && without=$(taken_branches "$1" "$work/ours") &&
		[ -n "$with" ] && [ -n "$without" ] || {
		echo "$1: no dyno-stats from $llvm_bolt"
		failed=1
		return
	}
	measured=$((measured + 1))
	[ "$without" -gt $((with + 10)) ] || return
	echo "$1: taken branches, tenths of a percent: $without, with --compat perf2bolt $with"
	failed=1
}

compare() {
	case $1$options in
	*-shared*) return ;; # see compare_library
	*/stripped*) return ;; # nothing to write
	esac
	trace "$@" || return
	compare_recording "$1"
}

# The recording of $work/trace, of this binary.
compare_recording() {
	runs=$((runs + 1))
	mispredicts=${perf:+--mispredicts}
	"$lab" lbr -o "$work/perf.data" -b "$1" --depth 16 --period 11 --random $runs \
		--kernel both $mispredicts --truth "$work/truth" "$work/trace" || exit 1
	theirs "$1" || return
	compared=$((compared + 1))
	ours "$1" --compat perf2bolt "$work/perf.data" && differ "$1" "$work/ours"
	ours "$1" "$work/perf.data" || return
	case $1$options in
	*/c-O2 | */cxx-O2 | */c_aarch64-O2 | */cold* | */rust* | */library.so*) no_worse "$1" ;;
	esac
	# through BOLT's own text format, which loses mispredictions only
	mv "$work/ours" "$work/direct"
	"$PGOBOLT" convert -q -b "$1" --format preagg "$work/perf.data" -o "$work/text" \
		2>"$work/convert.log" && ours "$1" "$work/text" || { failed=1; return; }
	without_mispredicts "$work/direct" >"$work/theirs"
	without_mispredicts "$work/ours" >"$work/sorted"
	differ "$1 (as text)" "$work/sorted"
}

# A library, in a program that opens it.
compare_library() {
	options=
	gcc -O2 -shared -fPIC -Wl,-q -o "$work/library.so" "$SRCDIR/tests/programs/library.c" &&
		gcc -O2 -o "$work/driver" "$SRCDIR/tests/programs/driver.c" -ldl &&
		trace "$work/library.so" "$work/driver" "$work/library.so" 20000 &&
		compare_recording "$work/library.so" && return
	echo "skipped: a shared library: no compiler or no emulator for it"
}

# Parts of functions that GCC puts elsewhere, executed now and then: must be there, and be recorded.
compare_cold() {
	options=
	for compiler in gcc aarch64-linux-gnu-gcc; do
		rm -f "$work/cold" "$work/theirs"
		build cold $compiler -O2 -freorder-blocks-and-partition -Wl,-q "$inputs/cold.c"
		[ -f "$work/cold" ] || continue
		LC_ALL=C readelf -Ws "$work/cold" | grep -q 'FUNC.*step\.cold' || {
			echo "$compiler made no .cold fragments"
			failed=1
		}
		[ ! -f "$work/theirs" ] || grep -q '\.cold' "$work/theirs" || {
			echo "$compiler: nothing of .cold fragments in the profile"
			failed=1
		}
	done
}

compare_rust() {
	options=
	command -v rustc >/dev/null || { echo "skipped: Rust: there is no rustc"; return; }
	build rust rustc -O -C link-arg=-Wl,-q -C codegen-units=1 "$inputs/program.rs"
	[ -f "$work/rust" ] || { echo "skipped: Rust: rustc failed"; head -n 3 "$work/build.log"; }
}

# "1 main 2a 1 main 30 MISPREDICTS COUNT"
without_mispredicts() {
	sed 's/ [0-9]* \([0-9]*\)$/ \1/' "$1"
}

compare_all
compare_cold
compare_library
compare_rust
echo "$measured profiles without --compat: dyno-stats no worse"
finish
