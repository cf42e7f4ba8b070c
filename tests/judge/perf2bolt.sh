# SPDX-License-Identifier: MIT
# Shared by the comparisons with perf2bolt: find it, or skip. Sourced.
skip() {
	echo "skipped: $*"
	exit 77
}

# The judged version: names and blocks changed between releases.
find_perf2bolt() {
	for found in "${PERF2BOLT:-}" /usr/lib/llvm-22/bin/perf2bolt perf2bolt-22 perf2bolt; do
		[ -n "$found" ] && command -v "$found" >/dev/null || continue
		"$found" --version 2>/dev/null | grep -q 'LLVM version 22' || continue
		command -v "$found"
		return
	done
}

perf2bolt=$(find_perf2bolt)
[ -n "$perf2bolt" ] || skip "perf2bolt of LLVM 22 is not installed (bolt-22)"

# convert ARGUMENTS...: strict first, as users run it; some inputs only pass without.
convert() {
	"$perf2bolt" "$@" >"$work/perf2bolt.log" 2>&1 ||
		"$perf2bolt" -strict=0 "$@" >"$work/perf2bolt.log" 2>&1
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
