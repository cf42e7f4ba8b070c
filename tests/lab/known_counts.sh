#!/bin/sh
# SPDX-License-Identifier: MIT
# The laboratory on a program whose branches were counted on paper: the trace, the counts, and
# perf2bolt's view of the branch stacks made from the trace.
lab=$BUILDDIR/tests/lab/lab
plugin=$BUILDDIR/tests/lab/trace_plugin.so
programs=$SRCDIR/tests/lab/programs
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
tested=0
failed=0

fail() {
	echo "FAILED: $*"
	failed=1
}

# The table known.edges with addresses instead of labels, as `lab edges` prints it.
expected_edges() {
	nm "$1" | awk '
		FNR == NR { sub(/^0+/, "", $1); address[$3] = $1; next }
		{ print $1, $2, address[$3], address[$4], $5 }' - "$programs/known.edges" | sort
}

# The fdata lines that the taken branches of known.edges make, returns left out.
expected_fdata() {
	nm "$1" | sort | awk '
		FNR == NR {
			if ($3 ~ /^(_start|work|even|odd|tail)$/) {
				name = $3 == "_start" ? $3 : $3 "/1"
				start = $1
			}
			place[$3] = name " " offset($1, start)
			next
		}
		$1 == "taken" && $2 != "return" {
			print "1", place[$3], "1", place[$4], "0", $5
		}
		function offset(one, other) {
			return sprintf("%x", number(one) - number(other))
		}
		function number(hex, i, value) {
			for (i = 1; i <= length(hex); i++)
				value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
			return value
		}' - "$programs/known.edges" | sort
}

perf2bolt=
for candidate in /usr/lib/llvm-22/bin/perf2bolt perf2bolt-22 perf2bolt; do
	command -v "$candidate" >/dev/null && perf2bolt=$candidate && break
done
command -v perf >/dev/null || perf2bolt=

# convert NAME INPUT [-pa]: sorted fdata of NAME.plain in NAME.fdata
convert() {
	name=$1
	input=$2
	shift 2
	"$perf2bolt" "$work/plain" -p "$input" "$@" -o "$work/$name.fdata" >"$work/log" 2>&1 ||
		{ cat "$work/log"; fail "perf2bolt on $input"; }
	sort -o "$work/$name.fdata" "$work/$name.fdata"
}

compare() {
	diff -u "$1" "$2" || fail "$3"
}

check_perf2bolt() {
	# stacks of one entry at every branch: nothing but exact counts of branches
	"$lab" lbr -o "$work/one.data" -b "$work/plain" --depth 1 --period 1 "$work/trace" ||
		fail "lab lbr"
	convert one "$work/one.data"
	expected_fdata "$work/known" >"$work/expected"
	compare "$work/expected" "$work/one.fdata" "$1: exact branch counts through perf2bolt"
	for depth in 8 16 32; do
		"$lab" lbr -o "$work/lbr.data" -b "$work/plain" --truth "$work/windows" \
			--depth $depth --period 97 --random 7 --types --hw-index "$work/trace" ||
			fail "lab lbr --depth $depth"
		convert lbr "$work/lbr.data"
		convert windows "$work/windows" -pa
		compare "$work/windows.fdata" "$work/lbr.fdata" "$1: stacks of $depth entries"
	done
	# kernel entries change nothing for perf2bolt
	"$lab" lbr -o "$work/lbr.data" -b "$work/plain" --truth "$work/windows" --kernel both \
		--period 31 --build-id-maps "$work/trace" || fail "lab lbr --kernel"
	convert lbr "$work/lbr.data"
	convert windows "$work/windows" -pa
	compare "$work/windows.fdata" "$work/lbr.fdata" "$1: stacks with kernel entries"
}

# check MACHINE COMPILER OBJCOPY
check() {
	if ! command -v "qemu-$1" >/dev/null || ! command -v "$2" >/dev/null; then
		echo "$1: not tested, qemu-$1 or $2 is not installed"
		return
	fi
	"$2" -nostdlib -static -no-pie -Wl,--emit-relocs,--build-id -o "$work/known" \
		"$programs/known.S" || { fail "cannot build known.S for $1"; return; }
	# perf2bolt takes labels for entry points: the program that runs is without them
	"$3" -K _start -K work -K even -K odd -K tail "$work/known" "$work/plain"
	if ! "qemu-$1" -plugin "$plugin,out=$work/trace" "$work/plain" 2>"$work/log"; then
		grep -q 'lugin' "$work/log" && echo "$1: this qemu has no plugins" && return
		cat "$work/log"
		fail "qemu-$1"
		return
	fi
	"qemu-$1" -plugin "$plugin,out=$work/counts,mode=count,inside=main" "$work/plain" ||
		fail "qemu-$1 with counts"
	tested=$((tested + 1))
	expected_edges "$work/known" >"$work/expected"
	for input in trace counts; do
		"$lab" edges -b "$work/plain" "$work/$input" | grep -v '^falls' | sort >"$work/edges"
		compare "$work/expected" "$work/edges" "$1: edges of the $input"
	done
	[ -z "$perf2bolt" ] || check_perf2bolt "$1"
}

check x86_64 "${CC%% *}" objcopy
check aarch64 aarch64-linux-gnu-gcc aarch64-linux-gnu-objcopy
[ -n "$perf2bolt" ] || echo "not compared with perf2bolt: it or perf is not installed"
if [ $tested = 0 ]; then
	echo "qemu user-mode emulation with plugins is not installed"
	exit 77
fi
exit $failed
