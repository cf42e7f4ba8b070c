# SPDX-License-Identifier: MIT
# For tests/cli/*.sh:	. "$SRCDIR/tests/cli/lib.sh"
#
#	run STATUS ARGS..	run pgobolt; its exit status must be STATUS
#	stdout_has TEXT		the last run's stdout holds this text (also: stderr_has, .._lacks)
#	stdout_empty		(also: stderr_empty)
#	golden NAME		stdout and stderr equal tests/cli/golden/TEST/NAME.{stdout,stderr}
#	run_denied STATUS ARGS..	as `run`, as a user who has no rights on root's files
#	await COMMAND..		until it succeeds: a minute at most, which a busy machine may need
#	no_leftovers		the last run left no new file in the current folder
#	skip_all REASON		exit 77
#	skip REASON		one part of the test cannot run here; said in the log
#
# Each test has a folder of its own, removed at the end. To rewrite the golden files after a
# change that is meant:	PGOBOLT_REWRITE=1 make check TESTS=tests/cli/NAME.sh
test_name=$(basename "$0" .sh)
golden_dir=$SRCDIR/tests/cli/golden/$test_name
failures=0
scratch=$(mktemp -d) || exit 1

finish() {
	status=$?
	cd /
	chmod -R u+rwx "$scratch" 2>/dev/null
	rm -rf "$scratch"
	[ "$failures" -eq 0 ] || echo "$failures failed"
	[ "$status" -ne 0 ] || [ "$failures" -eq 0 ] || exit 1
	exit "$status"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
# Results must not depend on who runs the test, or where.
LC_ALL=C.UTF-8
TERM=dumb
export LC_ALL TERM
unset NO_COLOR PGOBOLT_LLVM_BOLT
mkdir "$scratch/work" && cd "$scratch/work" || exit 1

fail() {
	failures=$((failures + 1))
	echo "FAIL: $*"
}

show() {
	sed 's/^/	stdout: /' "$scratch/stdout"
	sed 's/^/	stderr: /' "$scratch/stderr"
}

run() {
	wanted=$1
	shift
	last="pgobolt $*"
	(ls -A1 . | sort) >"$scratch/before"
	"$PGOBOLT" "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null
	got=$?
	[ "$got" -eq "$wanted" ] && return 0
	fail "$last: exit status $got, not $wanted"
	show
}

# Root may read everything: file modes mean something to nobody only.
run_denied() {
	if [ "$(id -u)" -ne 0 ]; then
		run "$@"
		return
	fi
	command -v setpriv >/dev/null || { skip "no setpriv to give up root's rights"; return 1; }
	wanted=$1
	shift
	last="pgobolt $* (as nobody)"
	chmod 755 "$scratch"
	cp "$PGOBOLT" "$scratch/pgobolt"
	chmod 755 "$scratch/pgobolt"
	(ls -A1 . | sort) >"$scratch/before"
	setpriv --reuid=65534 --regid=65534 --clear-groups "$scratch/pgobolt" "$@" \
		>"$scratch/stdout" 2>"$scratch/stderr" </dev/null
	got=$?
	[ "$got" -eq "$wanted" ] && return 0
	fail "$last: exit status $got, not $wanted"
	show
}

has() {
	grep -qF -e "$2" "$scratch/$1" && return 0
	fail "$last: $1 lacks '$2'"
	show
}

lacks() {
	grep -qF -e "$2" "$scratch/$1" || return 0
	fail "$last: $1 has '$2'"
	show
}

empty() {
	[ -s "$scratch/$1" ] || return 0
	fail "$last: $1 is not empty"
	show
}

stdout_has() { has stdout "$1"; }
stderr_has() { has stderr "$1"; }
stdout_lacks() { lacks stdout "$1"; }
stderr_lacks() { lacks stderr "$1"; }
stdout_empty() { empty stdout; }
stderr_empty() { empty stderr; }

# What differs from one machine or version to the next.
normalize() {
	version=$("$PGOBOLT" --version)
	sed -e "s|$scratch/work|@DIR@|g" -e "s|$version|pgobolt @VERSION@|g" "$1"
}

golden() {
	for stream in stdout stderr; do
		expected=$golden_dir/$1.$stream
		normalize "$scratch/$stream" >"$scratch/normalized"
		if [ -n "$PGOBOLT_REWRITE" ]; then
			mkdir -p "$golden_dir"
			rm -f "$expected"
			[ ! -s "$scratch/normalized" ] || cp "$scratch/normalized" "$expected"
			continue
		fi
		[ -f "$expected" ] || expected=/dev/null
		diff -u "$expected" "$scratch/normalized" || fail "$last: $stream is not $1.$stream"
	done
}

# Only a process that hangs takes this long: to wait for less would fail on a busy machine.
await() {
	for _ in $(seq 600); do
		"$@" && return 0
		sleep 0.1
	done
	fail "$last: waited in vain until $*"
	return 1
}

# runs_as PID FILE: it has executed the file; before that it is a copy of this shell
runs_as() { [ "/proc/$1/exe" -ef "$2" ]; }

# has_open PID WHAT: one of its descriptors is one of these: perf_event, signalfd
has_open() { ls -l "/proc/$1/fd" 2>/dev/null | grep -q -e "$2"; }

# has_lines COUNT FILE: so many at least
has_lines() { [ -s "$2" ] && [ "$(wc -l <"$2")" -ge "$1" ]; }

# After a failure no output and no temporary file may be left in the current folder.
no_leftovers() {
	(ls -A1 . | sort) >"$scratch/after"
	diff "$scratch/before" "$scratch/after" || fail "$last: left files behind"
}

skip() {
	echo "skipped here: $*"
}

skip_all() {
	echo "$*"
	exit 77
}

# JSON on stdout: one document, read by an independent reader where there is one.
stdout_is_json() {
	command -v python3 >/dev/null || return 0
	python3 -c 'import json, sys; json.load(sys.stdin)' <"$scratch/stdout" && return 0
	fail "$last: stdout is not one JSON document"
	show
}
