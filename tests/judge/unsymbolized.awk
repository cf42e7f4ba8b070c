# SPDX-License-Identifier: MIT
# Pre-aggregated text as llvm-profgen reads counts: ranges, then branches.
$1 == "T" || $1 == "R" { ranges[$3 "-" $4] += $5; branches[$2 "->" $3] += $5 }
$1 == "F" || $1 == "f" || $1 == "r" { ranges[$2 "-" $3] += $4 }
$1 == "B" && $3 != 0 { branches[$2 "->" $3] += $4 }
END {
	count = 0
	for (key in ranges)
		count++
	print count
	for (key in ranges)
		printf "%s:%.0f\n", key, ranges[key]
	count = 0
	for (key in branches)
		count++
	print count
	for (key in branches)
		printf "%s:%.0f\n", key, branches[key]
}
