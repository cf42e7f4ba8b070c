#!/bin/sh
# SPDX-License-Identifier: MIT
# The laboratory on a program whose branches were counted on paper: the trace, the counts, and
# what perf2bolt and perf make of the recordings that are encoded from the trace.
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
perf=$(command -v perf)
[ -n "$perf" ] || perf2bolt=

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

# perf's dump of SPE packets, as the lines of --truth.
spe_dump() {
	perf report -D -i "$1" 2>/dev/null | awk '
		/ PC 0x/ { pc = address(); taken = "B"; missed = 0; previous = "" }
		/ EV / { if (/NOT-TAKEN/) taken = "N"; if (/MISPRED/) missed = 1 }
		/ TGT 0x/ { target = address() }
		/ ADDR 0x80.* \(4\)/ { previous = substr(address(), 3); sub(/^0*/, "", previous) }
		/ TS / {
			key = taken " " pc " " target
			count[key]++
			wrong[key] += missed
			if (previous != "")
				run["F " previous " " pc]++
		}
		END {
			for (key in count)
				print key, count[key], wrong[key]
			for (key in run)
				print key, run[key]
		}
		function address() {
			match($0, /0x[0-9a-f]+/)
			return substr($0, RSTART + 2, RLENGTH - 2)
		}' | sort
}

# perf's dump of IBS registers, likewise; where a branch that was not taken leads is not in them.
ibs_dump() {
	perf report -D -i "$1" 2>/dev/null | awk '
		/^ibs_op_ctl:/ { add(); target = 0 }
		/^IbsOpRip:/ { rip = number($2) }
		/^IbsBrTarget:/ { target = number($2) }
		/^ibs_op_data:/ {
			kind = !/BrnRet 1/ ? "S" : /OpBrnTaken 1/ ? "B" : "N"
			missed = /OpBrnMisp 1/
			valid = /RipInvalid 0/
		}
		END {
			add()
			for (key in count)
				print key, count[key] (key ~ /^S/ ? "" : " " wrong[key])
		}
		function add(key) {
			if (!valid)
				return
			key = kind " " rip (kind == "S" ? "" : " " target)
			count[key]++
			wrong[key] += missed
			valid = 0
		}
		function number(digits) {
			sub(/^0+/, "", digits)
			return digits == "" ? 0 : digits
		}' | sort
}

check_spe() {
	for options in "--align 64 --branch-kinds" "--align 1 --previous-target --chunk 4096" \
		"--context --collisions 3 --chunk 4096"; do
		# shellcheck disable=SC2086
		"$lab" spe -o "$work/spe.data" -b "$work/plain" --truth "$work/truth" \
			--period 17 --random 3 $options "$work/trace" || fail "lab spe $options"
		spe_dump "$work/spe.data" >"$work/dump"
		sort "$work/truth" >"$work/expected"
		compare "$work/expected" "$work/dump" "SPE packets as perf dumps them: $options"
	done
}

# All packets in words: what perf 6.1 has no name for is left out, and alignment, which it
# counts from where its own buffer happens to be.
known_packets() {
	grep -vE '^(PAD.*|ADDR .*|PBT .*|LAT [0-9]+( counter [0-9]+)?|Bad packet!)$' |
		sed 's/ INSN-OTHER//'
}

check_dump_of_spe() {
	"$lab" spe -o "$work/spe.data" -b "$work/plain" --period 17 --random 3 --every-packet \
		--all-operations --previous-target --kernel-every 5 --squashed 7 \
		"$work/trace" || fail "lab spe --every-packet"
	perf report -D -i "$work/spe.data" 2>/dev/null |
		sed -nE 's/^\.  [0-9a-f]{8}: +([0-9a-f]{2} )+ *([^ ](.*[^ ])?) *$/\2/p' |
		known_packets >"$work/expected"
	"$BUILDDIR/pgobolt" dump --limit 0 "$work/spe.data" |
		sed '1,/AUX OFFSET/d; s/^ *[0-9a-f]*  //' | known_packets >"$work/dump"
	[ "$(wc -l <"$work/dump")" -gt 1000 ] || fail "dump shows no packets of SPE"
	compare "$work/expected" "$work/dump" "SPE packets as perf and dump have them"
}

check_ibs() {
	"$lab" ibs -o "$work/ibs.data" -b "$work/plain" --truth "$work/truth" --period 128 \
		--random 3 --rip-invalid 10 "$work/trace" || fail "lab ibs"
	ibs_dump "$work/ibs.data" >"$work/dump"
	sed 's/^\(N [0-9a-f]*\) [0-9a-f]*/\1 0/' "$work/truth" | sort >"$work/expected"
	compare "$work/expected" "$work/dump" "IBS registers as perf dumps them"
	# register by register, as dump has them; perf 6.1 does not show all, invalid addresses neither
	perf report -D -i "$work/ibs.data" 2>/dev/null |
		sed -nE 's/^(ibs_op_|Ibs)([A-Za-z0-9_]*):\t([0-9a-f]{16}).*/\1\2 \3/p' |
		grep -v ^IbsOpRip | sort >"$work/expected"
	"$BUILDDIR/pgobolt" dump --limit 0 "$work/ibs.data" |
		sed -nE 's/^ *[0-9a-f]+  (ibs_op_|Ibs)([A-Za-z0-9_]*)( \([^)]*\))? ([0-9a-f]{16}).*/\1\2 \4/p' |
		grep -vE '^(IbsOpRip|ibs_op_data4)|^Ibs(BrTarget|DC[A-Za-z]*) 0{16}' | sort >"$work/dump"
	[ "$(wc -l <"$work/dump")" -gt 1000 ] || fail "dump shows no registers of IBS"
	compare "$work/expected" "$work/dump" "IBS registers as perf and dump have them"
}

# check MACHINE
check() {
	if [ "$(uname -m)" = "$1" ]; then
		compiler=$CC
		objcopy=objcopy
	else
		compiler=$1-linux-gnu-gcc
		objcopy=$1-linux-gnu-objcopy
	fi
	if ! command -v "qemu-$1" >/dev/null || ! command -v ${compiler%% *} >/dev/null; then
		echo "$1: not tested, qemu-$1 or $compiler is not installed"
		return
	fi
	$compiler -nostdlib -static -no-pie -Wl,--emit-relocs,--build-id -o "$work/known" \
		"$programs/known.S" || { fail "cannot build known.S for $1"; return; }
	# perf2bolt takes labels for entry points: the program that runs is without them
	"$objcopy" -K _start -K work -K even -K odd -K tail "$work/known" "$work/plain"
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
	[ -n "$perf" ] || return
	case $1 in
	aarch64)
		check_spe
		check_dump_of_spe
		;;
	x86_64) check_ibs ;;
	esac
}

check x86_64
check aarch64
[ -n "$perf" ] || echo "not compared with perf: it is not installed"
[ -n "$perf2bolt" ] || echo "not compared with perf2bolt: it or perf is not installed"
if [ $tested = 0 ]; then
	echo "qemu user-mode emulation with plugins is not installed"
	exit 77
fi
exit $failed
