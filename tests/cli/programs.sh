#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs of different kinds are recorded, optimized, and behave as before: C++ with exceptions, a
# static binary, a static PIE, 64 threads, a shared library opened by a driver, a shell pipeline.
set -eu
programs=$SRCDIR/tests/programs
work=$(mktemp -d "${TMPDIR:-/tmp}/pgobolt programs.XXXXXX")
trap 'rm -rf "$work"' EXIT
cc=gcc
command -v gcc >/dev/null || cc=cc
command -v g++ >/dev/null || { echo "no C++ compiler"; exit 77; }
ls /usr/lib/llvm-*/bin/llvm-bolt >/dev/null 2>&1 || command -v llvm-bolt >/dev/null ||
	{ echo "no llvm-bolt"; exit 77; }
cd "$work"

fail() {
	echo "FAILED: $*"
	exit 1
}

# quietly COMMAND..: its output only when it fails
quietly() {
	"$@" >quiet.log 2>&1 || { cat quiet.log; fail "$*"; }
}

# recorded NAME SOURCE BINARY COMMAND..: false where this llvm-bolt cannot count in such a program,
# and no other one that is installed can.
recorded() {
	name=$1 source=$2 binary=$3
	shift 3
	for bolt in "" /usr/lib/llvm-*/bin/llvm-bolt; do
		PGOBOLT_LLVM_BOLT=$bolt "$PGOBOLT" record -s "$source" -o "$name $source" \
			--for "$binary" -- "$@" >quiet.log 2>&1 && return 0
		[ $? -eq 3 ] || { cat quiet.log; fail "record -s $source: $name"; }
	done
	echo "skipped: $name, profile from $source: $(head -n 1 quiet.log)"
	return 1
}

# same NAME BINARY COMMAND..: record COMMAND with every source, optimize BINARY, and compare what
# COMMAND prints when the optimized file stands in BINARY's place.
same() {
	name=$1 binary=$2
	shift 2
	expected=$("$@") || fail "$name does not run"
	for source in instrument ip; do
		recorded "$name" "$source" "$binary" "$@" || continue
		quietly "$PGOBOLT" optimize --profile "$name $source" -o "$binary.bolt" "$binary"
		cp "$binary" kept
		mv "$binary.bolt" "$binary"
		got=$("$@") || fail "$name, $source: the optimized program exits with $?"
		mv kept "$binary"
		[ "$expected" = "$got" ] || fail "$name, $source: '$expected' became '$got'"
		echo "good: $name, profile from $source"
	done
}

g++ -O2 -Wl,-q -o exceptions "$programs/exceptions.cpp"
same exceptions "$work/exceptions" "$work/exceptions" 4000000
$cc -O2 -static -Wl,-q -o "static binary" "$programs/stage.c"
same static "$work/static binary" "$work/static binary" make 600000
$cc -O2 -static-pie -fPIE -Wl,-q -o static-pie "$programs/stage.c"
same static-pie "$work/static-pie" "$work/static-pie" make 600000
$cc -O2 -no-pie -Wl,-q -o threads "$programs/threads.c" -lpthread
same threads "$work/threads" "$work/threads" 200000
$cc -O2 -fPIC -shared -Wl,-q -o library.so "$programs/library.c"
$cc -O2 -o driver "$programs/driver.c" -ldl
same library "$work/library.so" "$work/driver" "$work/library.so" 40000000
# with jump tables llvm-bolt may find nothing that it can optimize in so small a program
$cc -O2 -fno-jump-tables -Wl,-q -o stage "$programs/stage.c"
same pipeline "$work/stage" sh -c './stage make 500000 | ./stage change | ./stage sum'
