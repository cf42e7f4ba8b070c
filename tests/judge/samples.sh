#!/bin/sh
# SPDX-License-Identifier: MIT
# llvm-profgen is the judge of sample profiles: programs of several kinds, traced by an emulator,
# must give the same functions, lines, discriminators and counts.
skip() {
	echo "skipped: $*"
	exit 77
}

profgen=
for llvm in /usr/lib/llvm-22 /usr/lib/llvm-23; do
	[ -x "$llvm/bin/llvm-profgen" ] && [ -x "$llvm/bin/clang" ] && profgen=$llvm/bin/llvm-profgen
done
[ -n "$profgen" ] || skip "no llvm-profgen and clang of LLVM 22 (llvm-22, clang-22)"
llvm=${profgen%/llvm-profgen}
lab=$BUILDDIR/tests/lab/lab
plugin=$BUILDDIR/tests/lab/trace_plugin.so
[ -f "$plugin" ] || skip "no qemu plugin was built"
command -v qemu-x86_64 >/dev/null || skip "no qemu-x86_64 (qemu-user)"
inputs=$SRCDIR/tests/judge/inputs
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
compared=0
failed=0

# trace FILE: a perf.data of it
trace() {
	case $(LC_ALL=C readelf -h "$1") in
	*X86-64*) emulator=qemu-x86_64 ;;
	*AArch64*) emulator="qemu-aarch64 -L /usr/aarch64-linux-gnu" ;;
	*) return 1 ;;
	esac
	rm -f "$work/trace"
	{ LD_BIND_NOW=1 timeout 60 $emulator -plugin "$plugin,out=$work/trace" "$1" some words; } \
		>"$work/output" 2>&1
	[ -s "$work/trace" ] || return 1
	"$lab" lbr -o "$work/perf.data" -b "$1" --depth 16 --period 11 --random 1 --kernel both \
		"$work/trace"
}

compare() {
	trace "$1" || return
	if ! "$PGOBOLT" convert -q -b "$1" --format preagg,autofdo "$work/perf.data" \
		-o "$work/ours" 2>"$work/convert.log"; then
		echo "$2: convert:"
		cat "$work/convert.log"
		failed=1
		return
	fi
	awk -f "$SRCDIR/tests/judge/unsymbolized.awk" "$work/ours.preagg" >"$work/counts"
	"$profgen" --binary="$1" --unsymbolized-profile="$work/counts" --use-offset=false \
		--format=text --output="$work/theirs" >"$work/profgen.log" 2>&1 || {
		echo "$2: llvm-profgen failed:"
		cat "$work/profgen.log"
		return
	}
	compared=$((compared + 1))
	"$llvm/llvm-profdata" overlap --sample "$work/theirs" "$work/ours.afdo" >"$work/overlap" 2>&1
	grep -q 'Whole program profile similarity: 100' "$work/overlap" || {
		echo "$2: $(grep -i similarity "$work/overlap")"
		failed=1
	}
	diff "$work/theirs" "$work/ours.afdo" >"$work/diff" && return
	echo "$2: $(grep -c '^[<>]' "$work/diff") lines differ (< llvm-profgen, > pgobolt)"
	head -n 20 "$work/diff"
	failed=1
}

# build COMMAND..: passed over where the compiler or linker cannot
build() {
	if "$@" -o "$work/binary" 2>"$work/build.log"; then
		compare "$work/binary" "$*"
	else
		echo "not built: $*"
		tail -n 3 "$work/build.log"
	fi
}

program="-x c++ $inputs/lines.cpp -x c $inputs/lines_other.c -x none"
sampling="-gline-tables-only -fdebug-info-for-profiling -funique-internal-linkage-names"
for options in "-O2" "-O3 -no-pie -funroll-loops" "-O1 -static" "-O2 -flto=thin -fuse-ld=lld" "-Os -g -gz" \
	"-O2 -g -gdwarf-4" "-O0"; do
	build "$llvm/clang++" $sampling $options $program
done
# plain debug information: names that are not unique
build "$llvm/clang++" -O2 -g $program
[ ! -d /usr/aarch64-linux-gnu ] ||
	build "$llvm/clang" --target=aarch64-linux-gnu -fuse-ld=lld -O2 $sampling \
		-DALONE "$inputs/lines_other.c"
[ "$compared" -gt 0 ] || skip "clang made no binary that llvm-profgen reads"
echo "$compared binaries compared"
exit $failed
