#!/bin/sh
# SPDX-License-Identifier: MIT
# House rules a machine can check: SPDX line, tabs, 100 columns, functions of at most 70 lines,
# files of at most 500, headers of at most 150; printing and exiting only in pgo/cli; one owner
# per library.
cd "$SRCDIR" || exit 1
bad=0
complain() {
	echo "$1"
	bad=1
}
sources=$(find collector bolt pgo bench include tests -name '*.[ch]' -not -path '*/corpus/*' | sort)

for file in $sources; do
	head -n 1 "$file" | grep -q 'SPDX-License-Identifier: MIT' ||
		complain "$file: first line is not the SPDX line"
	expand -t 8 "$file" | awk -v file="$file" '
		length($0) > 100 { print file ":" NR ": longer than 100 columns"; bad = 1 }
		END { exit bad }' || bad=1
	awk -v file="$file" '
		{
			if ($0 ~ /^  +[^ *]/ && $0 !~ /\\$/) { print file ":" NR ": indented with spaces"; bad = 1 }
			if ($0 ~ /[ \t]$/) { print file ":" NR ": blanks at the end"; bad = 1 }
			if ($0 ~ /^\{/) start = NR
			if ($0 ~ /^\}/ && start) {
				if (NR - start - 1 > 70) {
					print file ":" start ": function of " NR - start - 1 " lines (70)"
					bad = 1
				}
				start = 0
			}
		}
		END {
			limit = file ~ /^include/ ? 150 : file ~ /^tests/ ? 900 : 500
			if (NR > limit) { print file ": " NR " lines (" limit ")"; bad = 1 }
			exit bad
		}' "$file" || bad=1
done

for file in $(find collector bolt pgo bench include -name '*.[ch]' -not -path 'pgo/cli/*' \
	-not -path 'bench/workloads/*' -not -path 'include/pgobolt/base/assert.h'); do
	if grep -HnE '(^|[^a-z_])(printf|puts|putchar|perror|exit|_exit|abort)\(' "$file" |
		grep -vE '^collector/(process|walk_target)\.c:'; then
		complain "$file: prints or exits below pgo/cli"
	fi
done | grep . && bad=1

# owner HEADER-PATTERN FILE-PATTERN
owner() {
	users=$(grep -lE "#include <$1" $sources | grep -vE "$2")
	[ -z "$users" ] || complain "$1 is included outside its owner: $users"
}
owner 'perfmon/' '^collector/event\.c$'
owner 'Zydis/' '^collector/(insn|lookahead|lookahead_plan|lookahead_decode)_x86_64\.[ch]$'
owner '(libelf|gelf|elfutils/|dwarf)' '^bolt/elf_(image[a-z_]*|lines|objects)\.[ch]$'
owner 'zstd' '^(collector/feed_perfdata|tests/support/perf_file)[a-z_]*\.c$'
owner 'cmocka' '^tests/'

for header in $(find include/pgobolt/collector include/pgobolt/bolt include/pgobolt/pgo \
	include/pgobolt/bench -name '*.h' 2>/dev/null); do
	stem=${header#include/pgobolt/}
	[ -f "${stem%.h}.c" ] || complain "$header: no ${stem%.h}.c"
done
exit $bad
