#!/bin/sh
# SPDX-License-Identifier: MIT
# Time two or more commands in turn and print the ratio of their medians to the first one's.
#
#	bench/compare.sh RUNS 'COMMAND A' 'COMMAND B' ['COMMAND C'...]
#
# Runs alternate (A B C A B C ..), so that a slow minute of the machine hits all alike. One
# round is a warm-up and is not counted. Wall-clock time of the whole command; output is dropped.
set -eu
[ $# -ge 3 ] || { sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
runs=$1
shift
times=$(mktemp)
trap 'rm -f "$times"' EXIT
trap 'exit 130' INT TERM

round=0
while [ "$round" -le "$runs" ]; do
	index=0
	for command in "$@"; do
		before=$(date +%s%N)
		sh -c "$command" >/dev/null 2>&1 || {
			echo "compare: command failed with status $?: $command" >&2
			exit 1
		}
		after=$(date +%s%N)
		[ "$round" -eq 0 ] || echo "$index $((after - before))" >>"$times"
		index=$((index + 1))
	done
	round=$((round + 1))
done

index=0
base=
for command in "$@"; do
	set -- $(awk -v i="$index" '$1 == i { print $2 }' "$times" | sort -n |
		awk '{ t[NR] = $1 } END {
			m = NR % 2 ? t[(NR + 1) / 2] : (t[NR / 2] + t[NR / 2 + 1]) / 2
			printf "%.0f %.0f %.0f", m, t[1], t[NR] }')
	[ -n "$base" ] || base=$1
	awk -v base="$base" -v median="$1" -v low="$2" -v high="$3" -v name="$command" 'BEGIN {
		printf "%8.3f s  (%.3f to %.3f)  %.3fx  %s\n", median / 1e9, low / 1e9, high / 1e9,
			base / median, name }'
	index=$((index + 1))
done
