#!/bin/sh
# SPDX-License-Identifier: MIT
# The decoders against exact traces: what is encoded from one is decoded to exactly the branches
# that were sampled, not one more or less. PROGRAM... for other programs than known.S: each is
# taken for the machine it is of; linked statically, and it has to end by itself.
lab=$BUILDDIR/tests/lab/lab
decode=$BUILDDIR/tests/lab/decode
plugin=$BUILDDIR/tests/lab/trace_plugin.so
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
tested=0
failed=0
period=${PERIOD:-17}
ibs_period=${IBS_PERIOD:-128}

fail() {
	echo "FAILED: $*"
	failed=1
}

# What has become the same by the filter is counted as one.
sum_up() {
	awk '$1 == "B" || $1 == "N" { n[$1 " " $2 " " $3] += $4; m[$1 " " $2 " " $3] += $5; next }
		{ print }
		END { for (key in n) print key, n[key], m[key] }'
}

# check SOURCE PROGRAM FILTER OPTIONS..: FILTER is a sed script for what the hardware does not tell
check() {
	source=$1
	program=$2
	filter=$3
	shift 3
	"$lab" "$source" -o "$work/data" -b "$program" --truth "$work/truth" --random 3 "$@" \
		"$work/trace" || fail "lab $source $*"
	"$decode" "$source" "$program" "$work/data" 2>"$work/counters" | sort >"$work/decoded" ||
		fail "decode $source"
	sed "$filter" "$work/truth" | sum_up | sort >"$work/expected"
	[ -s "$work/expected" ] || fail "$source $*: nothing was sampled"
	diff -u "$work/expected" "$work/decoded" >"$work/diff" || {
		head -n 20 "$work/diff"
		fail "$program: $source $*"
	}
	case " $* " in
	*" --damage "* | *" --cut "*)
		grep -qE '^(aux_bad|aux_trunc)' "$work/counters" || fail "$source $*: not counted"
		;;
	*)
		grep -qE '^(malformed|lost|aux_gaps|aux_bad|aux_trunc)' "$work/counters" && {
			cat "$work/counters"
			fail "$program: $source $*: something was lost"
		}
		;;
	esac
	[ -z "$VERBOSE" ] || echo "$source $*: $(wc -l <"$work/decoded") facts," \
		"$(tr '\n' ' ' <"$work/counters")"
}

check_lbr() {
	for options in "--depth 8" "--depth 16 --types --hw-index --mispredicts" \
		"--kernel both --build-id-maps" "--depth 16 --kernel returns" \
		"--holes 50 --aborts 71 --wrong-path 37" "--hardware lbr-8 --by-instructions" \
		"--hardware lbr-16" "--hardware lbr-32" "--hardware skylake" \
		"--hardware arch-lbr" "--hardware arch-lbr-counters" "--hardware brs" \
		"--hardware lbr-v2" "--hardware brbe-8" "--hardware brbe-16" \
		"--hardware brbe-32" "--hardware brbe-64"; do
		# shellcheck disable=SC2086
		check lbr "$1" "" --period 97 $options
	done
}

check_spe() {
	for options in "--branch-kinds" "--previous-target --align 1 --chunk 4096" \
		"--context --collisions 3 --chunk 4096 --all-operations" "--no-timestamps" \
		"--every-packet --all-operations --previous-target" \
		"--every-packet --align 1 --context --kernel-every 3 --squashed 5" \
		"--switches 4 --chunk 1000" "--switches 1 --previous-target --align 1" \
		"--damage 7 --chunk 1000" "--damage 3 --every-packet --align 1" \
		"--cut 2 --chunk 500 --previous-target" "--cut 1 --align 1 --chunk 300"; do
		# shellcheck disable=SC2086
		check spe "$1" "" --period "$period" $options
	done
}

# Where a branch that was not taken leads is not in the registers.
check_ibs() {
	for options in "" "--rip-invalid 10" "--capabilities 0xbff" "--capabilities 0x81bff" \
		"--capabilities 0x81fff --kernel-every 2" "--kernel-every 3 --rip-invalid 7"; do
		# shellcheck disable=SC2086
		check ibs "$1" 's/^\(N [0-9a-f]*\) [0-9a-f]*/\1 0/' --period "$ibs_period" $options
	done
	# the first ones do not tell targets at all
	check ibs "$1" 's/^\([BN] [0-9a-f]*\) [0-9a-f]*/\1 0/' --period "$ibs_period" \
		--capabilities 0x1f
}

trace() {
	"qemu-$1" -plugin "$plugin,out=$work/trace" "$2" >/dev/null 2>"$work/log" && return
	grep -q 'lugin' "$work/log" && echo "$1: this qemu has no plugins" && return 1
	cat "$work/log"
	fail "qemu-$1"
	return 1
}

# check_program MACHINE PROGRAM
check_program() {
	trace "$1" "$2" || return
	tested=$((tested + 1))
	check_lbr "$2"
	if [ "$1" = aarch64 ]; then check_spe "$2"; else check_ibs "$2"; fi
}

# check_known MACHINE
check_known() {
	compiler=$1-linux-gnu-gcc
	[ "$(uname -m)" != "$1" ] || compiler=$CC
	if ! command -v "qemu-$1" >/dev/null || ! command -v ${compiler%% *} >/dev/null; then
		echo "$1: not tested, qemu-$1 or $compiler is not installed"
		return
	fi
	$compiler -nostdlib -static -no-pie -Wl,--emit-relocs,--build-id -o "$work/known.$1" \
		"$SRCDIR/tests/lab/programs/known.S" && check_program "$1" "$work/known.$1"
}

for program in "$@"; do
	case $(readelf -h "$program") in
	*AArch64*) check_program aarch64 "$program" ;;
	*X86-64*) check_program x86_64 "$program" ;;
	esac
done
if [ $# = 0 ]; then
	check_known x86_64
	check_known aarch64
fi
if [ $tested = 0 ]; then
	echo "qemu user-mode emulation with plugins is not installed"
	exit 77
fi
exit $failed
