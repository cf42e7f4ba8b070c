# SPDX-License-Identifier: MIT
# Shared by the comparisons with perf2bolt: find it, build binaries of many kinds, count. Sourced;
# the script defines compare FILE, which sets failed=1 where the two differ.
inputs=$SRCDIR/tests/judge/inputs
compared=0
failed=0
uncomparable=
accepted=

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
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# convert BINARY RECORDS OPTIONS..: perf2bolt's profile of the records, in $work/theirs.
convert() {
	binary=$1
	records=$2
	shift 2
	"$perf2bolt" -allow-stripped "$binary" -p "$records" -pa -o "$work/theirs" "$@" \
		>"$work/perf2bolt.log" 2>&1 && compared=$((compared + 1)) && return
	uncomparable="$uncomparable $(basename "$binary")"
	return 1
}

# differ BINARY OURS: the same bytes as $work/theirs?
differ() {
	diff "$work/theirs" "$2" >"$work/diff" && return
	echo "$1: $(grep -c '^[<>]' "$work/diff") lines differ (< perf2bolt, > pgobolt)"
	head -n 20 "$work/diff"
	failed=1
}

# accept BINARY PROFILE: llvm-bolt 16 and later must use the profile whole. (15 silently uses none
# of one without branches.)
accept() {
	for bolt in /usr/lib/llvm-*/bin/llvm-bolt; do
		version=$("$bolt" --version 2>/dev/null | sed -n 's/.*LLVM version \([0-9]*\).*/\1/p')
		[ "${version:-0}" -ge 16 ] || continue
		"$bolt" "$1" -data "$2" -o "$work/bolted" -reorder-blocks=ext-tsp \
			>"$work/bolt.log" 2>&1 || continue
		accepted="$accepted $version"
		grep -qE 'possibly stale|[^0-9]0 out of .* have non-empty' "$work/bolt.log" || continue
		echo "$1: llvm-bolt $version refuses part of the profile:"
		grep -E 'possibly stale|non-empty' "$work/bolt.log"
		failed=1
	done
}

# build NAME COMMAND..: passed over where the compiler is missing or refuses.
build() {
	name=$1
	shift
	if "$@" -o "$work/$name" 2>"$work/build.log"; then
		compare "$work/$name"
	fi
}

# Compilers, linkers and kinds of linking; PGOBOLT_JUDGE_BINARIES="FILE.." adds to them.
compare_all() {
	c="$inputs/calls.c $inputs/calls_other.c"
	cxx=$inputs/exceptions.cpp
	clang=$(ls /usr/lib/llvm-*/bin/clang 2>/dev/null | sort -V | tail -n 1)
	for options in "-O2" "-O0 -fcf-protection -no-pie" "-O2 -fcf-protection -Wl,-z,now" \
		"-O2 -fno-plt -static-pie" "-O2 -static" "-O2 -shared -fPIC"; do
		build c gcc $options -Wl,-q $c
		build c_aarch64 aarch64-linux-gnu-gcc $options -Wl,-q $c
		[ -z "$clang" ] || build c_lld "$clang" -fuse-ld=lld $options -Wl,-q $c
	done
	for options in "-O2" "-O2 -flto -no-pie"; do
		build cxx g++ $options -Wl,-q "$cxx"
		[ -z "$clang" ] || build cxx_lld "$clang++" -fuse-ld=lld $options -Wl,-q "$cxx"
	done
	build no_relocations gcc -O2 $c
	build cxx_no_relocations g++ -O2 "$cxx"
	build stripped gcc -O2 -s $c
	case $(uname -m) in
	x86_64)
		build symbols gcc "$inputs/symbols.s" "$inputs/symbols_other.s" -Wl,-q
		build constants gcc "$inputs/constants.s" -Wl,-q
		build constants_plain gcc "$inputs/constants.s"
		build symbols_plain gcc -no-pie "$inputs/symbols.s" "$inputs/symbols_other.s"
		;;
	esac
	for file in ${PGOBOLT_JUDGE_BINARIES:-}; do
		compare "$file"
	done
}

finish() {
	[ "$compared" -gt 0 ] || skip "no compiler made a binary that perf2bolt takes"
	[ -z "$uncomparable" ] || echo "perf2bolt failed on:$uncomparable"
	[ -z "$accepted" ] || echo "accepted by llvm-bolt$accepted"
	echo "$compared binaries compared"
	exit $failed
}
