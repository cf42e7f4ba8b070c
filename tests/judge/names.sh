#!/bin/sh
# SPDX-License-Identifier: MIT
# Every function of many kinds of binaries, and places inside and between them, must get the name
# and offset that perf2bolt gives it. More binaries: PGOBOLT_JUDGE_BINARIES="FILE..".
. "$SRCDIR/tests/judge/perf2bolt.sh"
inputs=$SRCDIR/tests/judge/inputs
compared=0
accepted=
failed=0
uncomparable=

# llvm-bolt 16 and later must use such a profile whole; 15 silently uses none of it.
accept() {
	for bolt in /usr/lib/llvm-*/bin/llvm-bolt; do
		version=$("$bolt" --version 2>/dev/null | sed -n 's/.*LLVM version \([0-9]*\).*/\1/p')
		[ "${version:-0}" -ge 16 ] || continue
		"$bolt" "$1" -data "$work/ours" -o "$work/bolted" -reorder-blocks=ext-tsp \
			>"$work/bolt.log" 2>&1 || continue
		accepted="$accepted $version"
		grep -qE 'possibly stale|[^0-9]0 out of .* have non-empty' "$work/bolt.log" || continue
		echo "$1: llvm-bolt $version refuses part of the profile:"
		grep -E 'possibly stale|non-empty' "$work/bolt.log"
		failed=1
	done
}

compare() {
	"$BUILDDIR/tests/judge/name_addresses" "$1" "$work/addresses" "$work/ours" || exit 1
	if ! convert -allow-stripped "$1" -p "$work/addresses" -pa -ba -o "$work/theirs"; then
		uncomparable="$uncomparable $(basename "$1")"
		return
	fi
	LC_ALL=C sort "$work/theirs" >"$work/theirs.sorted"
	LC_ALL=C sort "$work/ours" >"$work/ours.sorted"
	compared=$((compared + 1))
	diff "$work/theirs.sorted" "$work/ours.sorted" >"$work/diff" && return
	echo "$1: $(grep -c '^[<>]' "$work/diff") lines differ (< perf2bolt, > pgobolt)"
	head -n 20 "$work/diff"
	failed=1
}

# build NAME COMMAND...: skipped silently where the compiler is missing or refuses.
build() {
	name=$1
	shift
	"$@" -o "$work/$name" 2>"$work/build.log" && compare "$work/$name"
}

c="$inputs/calls.c $inputs/calls_other.c"
cxx=$inputs/exceptions.cpp
clang=$(ls /usr/lib/llvm-*/bin/clang 2>/dev/null | sort -V | tail -n 1)
for options in "-O2" "-O2 -no-pie" "-O0 -fcf-protection" "-O2 -fcf-protection -Wl,-z,now" \
	"-O2 -fno-plt" "-O2 -static" "-O2 -static-pie" "-O2 -flto" "-O2 -shared -fPIC"; do
	build c gcc $options -Wl,-q $c
	build c_aarch64 aarch64-linux-gnu-gcc $options -Wl,-q $c
	[ -n "$clang" ] || continue
	build c_lld "$clang" -fuse-ld=lld $options -Wl,-q $c
done
for options in "-O2" "-O2 -static" "-O2 -flto -no-pie"; do
	build cxx g++ $options -Wl,-q "$cxx"
	[ -z "$clang" ] || build cxx_lld "$clang++" -fuse-ld=lld $options -Wl,-q "$cxx"
done
build cxx g++ -O2 -Wl,-q "$cxx" && accept "$work/cxx"
build no_relocations gcc -O2 $c
build stripped gcc -O2 -s $c
case $(uname -m) in
x86_64)
	build symbols gcc "$inputs/symbols.s" "$inputs/symbols_other.s" -Wl,-q
	build symbols_plain gcc -no-pie "$inputs/symbols.s" "$inputs/symbols_other.s"
	;;
esac
for file in ${PGOBOLT_JUDGE_BINARIES:-}; do
	compare "$file"
done

[ "$compared" -gt 0 ] || skip "no compiler made a binary that perf2bolt takes"
[ -z "$uncomparable" ] || echo "perf2bolt failed on:$uncomparable"
echo "$compared binaries compared; the profile accepted by llvm-bolt$accepted"
exit $failed
