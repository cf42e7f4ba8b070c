# SPDX-License-Identifier: MIT
# Shared by bench/convert-speed and bench/convert-size: perf.data files with branch stacks of any size,
# made from the exact trace of a program (tests/lab), and medians. Sourced, not run; `name` is set.
#
# Environment: BENCH_WORK (default: bench-work in this folder's build), PGOBOLT, PERF2BOLT.
bench=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$bench/.." && pwd)/build
tool=${PGOBOLT:-$build/pgobolt}
lab=${LAB:-$build/tests/lab}
work=${BENCH_WORK:-$build/bench-work}/convert
perf2bolt=${PERF2BOLT:-$(ls /usr/lib/llvm-*/bin/perf2bolt 2>/dev/null | sort -V | tail -n 1)}

die() {
	echo "$name: $*" >&2
	exit 1
}
[ -x "$tool" ] || die "no $tool: build first"
[ -f "$lab/trace_plugin.so" ] && [ -x "$lab/lab" ] || die "no $lab/lab: make check builds it"
command -v qemu-x86_64 >/dev/null || die "no qemu-x86_64: apt-get install qemu-user"
[ -x /usr/bin/time ] || die "no /usr/bin/time: apt-get install time"
mkdir -p "$work"

# choose PROGRAM..: set `binary` and `trace`. cpython, sqlite: as bench/cpython and bench/sqlite built
# them; nothing: the interpreter beside this script; else a program and its arguments.
choose() {
	built() { find "$work/.." -maxdepth 2 -path "$1" 2>/dev/null | head -n 1; }
	case ${1:-} in
	cpython) set -- "$(built '*/python3.11-*/python')" "$bench/workloads/mixed.py" 2 ;;
	sqlite) set -- "$(built '*/sqlite3-bench')" :memory: ".read $bench/workloads/mixed.sql" ;;
	'')
		[ -x "$work/interpreter" ] || ${CC:-cc} -O2 -Wl,-q -o "$work/interpreter" \
			"$bench/workloads/interpreter/interpreter.c" || die "no C compiler"
		set -- "$work/interpreter" 20000
		;;
	esac
	[ -x "${1:-}" ] || die "no such program: ${1:-build it first with bench/cpython, bench/sqlite}"
	binary=$1
	trace=$work/$(basename "$binary").trace
	[ -f "$trace" ] && return
	PYTHONHASHSEED=0 qemu-x86_64 -plugin "$lab/trace_plugin.so,out=$trace.new" "$@" >"$work/log" ||
		die "tracing $* failed: $work/log"
	mv "$trace.new" "$trace"
}

# record MEGABYTES: a recording of about that size; `recording` is set. A sample has 32 entries and
# 832 bytes; the period follows.
record() {
	recording=$work/$(basename "$binary").$1.data
	[ -f "$recording" ] && return
	if [ ! -f "$trace.branches" ]; then
		"$lab/lab" lbr -o "$work/probe" -b "$binary" --period 100003 "$trace"
		expr $(($(stat -c %s "$work/probe") / 832)) '*' 100003 >"$trace.branches"
		rm "$work/probe"
	fi
	period=$(($(cat "$trace.branches") / ($1 * 1000000 / 832)))
	[ "$period" -ge 32 ] || die "the trace is too short for $1 MB: its samples would overlap"
	"$lab/lab" lbr -o "$recording.new" -b "$binary" --depth 32 --period "$period" --random 1 \
		--mispredicts "$trace"
	mv "$recording.new" "$recording"
}

# measure NAME COMMAND..: one run; its seconds and kilobytes go to $work/times.
measure() {
	what=$1
	shift
	/usr/bin/time -f "$what %e %M" -a -o "$work/times" "$@" >"$work/log" 2>&1 || {
		tail -n 5 "$work/log" >&2
		die "failed: $*"
	}
}

# median NAME COLUMN: of the runs so far; 1: seconds, 2: kilobytes
median() {
	awk -v name="$1" -v column=$(($2 + 1)) '$1 == name { print $column }' "$work/times" | sort -n |
		awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}
