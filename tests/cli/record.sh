#!/bin/sh
# SPDX-License-Identifier: MIT
# record as users run it: exit statuses, signals, what is kept, what is refused.
. "$SRCDIR/tests/cli/lib.sh"

cat >busy.c <<'END'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) long work(long rounds)
{
	volatile long sum = 0;

	for (long i = 0; i < rounds; i++)
		sum += i % 7 == 3 ? i : -1;
	return sum;
}

static void *thread(void *unused)
{
	work(20000000);
	return unused;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "exit";
	pthread_t threads[4];

	if (strcmp(mode, "long") == 0)
		for (;;)
			work(1000000);
	if (strcmp(mode, "threads") == 0) {
		for (int i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, thread, NULL);
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		return 0;
	}
	work(30000000);
	if (strcmp(mode, "segv") == 0)
		raise(SIGSEGV);
	if (strcmp(mode, "quick-exit") == 0)
		_exit(3);
	if (strcmp(mode, "fork") == 0 && fork() == 0)
		work(30000000);
	while (wait(NULL) > 0)
		;
	return argc > 2 ? atoi(argv[2]) : 0;
}
END
"${CC:-cc}" -O1 -pthread -o busy busy.c || skip_all "no C compiler that works"
# Shared objects of sanitizers and the like must not be in the way of counting.
"$PGOBOLT" record -q -s ip -o probe -- ./busy >probe.log 2>&1 || skip_all "$(head -n 1 probe.log)"
rm -rf probe probe.log

# has_key KEY VALUE: in pgobolt.data/recording.json
has_key() {
	grep -qF "\"$1\": $2" "${3:-pgobolt.data}/recording.json" ||
		fail "$last: recording.json lacks $1 $2: $(grep "\"$1\"" "${3:-pgobolt.data}/recording.json")"
}

### the program's own life passes through
run 0 record -s ip -- ./busy exit 0
stderr_has "(main)"
stderr_has "Next: pgobolt optimize"
stdout_empty
[ -s pgobolt.data/busy-*.fdata ] || fail "no fdata"
head -n 1 pgobolt.data/busy-*.fdata | grep -q "^no_lbr" && fail "no branches were inferred"
grep -q "^1 work " pgobolt.data/busy-*.fdata || fail "work was not seen"
[ -s pgobolt.data/busy-*.edges ] || fail "no edges"
run 7 record -s ip -- ./busy exit 7
has_key exit_status 7
[ -f pgobolt.data.old/recording.json ] || fail "the former recording was not kept"
run 139 record -s ip -- ./busy segv
stderr_has "signal 11"
has_key exit_signal 11
run 0 record -q -s ip -- sh -c 'echo "  through  "; ./busy'
[ "$(cat "$scratch/stdout")" = "  through  " ] || fail "$last: stdout is not the program's"

### what cannot run
run 127 record -s ip -- ./no-such-file
stderr_has "no such file"
run 127 record -s ip -- pgobolt-no-such-command
stderr_has "command not found"
run 126 record -s ip -- ./busy.c
stderr_has "cannot execute"
run 3 record -s spe -- ./busy
run 2 record
stderr_has "nothing to record"
run 2 record -s ip
run 2 record -s no-such-source -- ./busy
run 2 record ./busy
stderr_has "record -- ./busy"
run 2 record -s instrument -F 99 -- ./busy
run 2 record -s ip -F 99 -c 99 -- ./busy
run 2 record -s ip -e no-such-event -- ./busy
run 2 record -p 1 -a
run 2 record -p nobody
run 1 record -p 4194304
stderr_has "no process"
# what llvm-bolt made keeps the original's build ID, but a profile of it fits nothing
echo '__attribute__((section(".bolt.org.text"), used)) static int original;' >bolt.c
"${CC:-cc}" -O1 -pthread -o busy.bolt busy.c bolt.c || fail "cannot build busy.bolt"
run 125 record -s ip -- ./busy.bolt
stderr_has "busy.bolt: llvm-bolt made it, and does not do so twice"
stderr_has "record the original, which the linker made"
stderr_lacks "Wl,-q"
rm -rf pgobolt.data pgobolt.data.old
run 125 record -s ip -o missing/there -- ./busy
stderr_has "mkdir -p"
no_leftovers
mkdir mine && echo precious >mine/file
run 125 record -s ip -o mine -- ./busy
stderr_has "is no recording"
[ "$(cat mine/file)" = precious ] || fail "$last: it touched what is not its own"
no_leftovers
run 125 record -s ip --add -o nothing -- ./busy
stderr_has "leave out --add"
no_leftovers
run 125 record -s ip -c 1000G -o empty -- ./busy
stderr_has "no samples"
no_leftovers
if [ -w /dev/full ] && run_denied 3 record -s ip -o /pgobolt-not-allowed -- ./busy; then
	stderr_has "-o DIR"
fi

### threads, children, and what a shell starts
run 0 record -s ip -o threads -- ./busy threads
grep -q '"threads": 4' threads/recording.json || fail "$last: four threads were not seen"
run 0 record -s ip -o fork -- ./busy fork
grep -q '"processes": 1' fork/recording.json || fail "$last: the child was not seen"
run 0 record -s ip -o shell -- sh -c './busy exit 0; ./busy exit 0; true'
stderr_has "busy (main)"
cp busy "a name with spaces"
run 0 record -s ip -o spaces -- "./a name with spaces"
stderr_has "a name with spaces (main)"
ls spaces/a_name_with_spaces-*.fdata >/dev/null || fail "$last: no fdata"
run 0 record -s ip -o gone -d 1.5 -- sh -c 'cp busy gone-busy
	(until [ /proc/$$/exe -ef gone-busy ]; do sleep 0.1; done; sleep 0.5; rm gone-busy) &
	exec ./gone-busy long'
stderr_has "gone-busy (main)"
ls gone/gone-busy-*.fdata >/dev/null || fail "$last: nothing of a deleted file"
rm -rf threads fork shell spaces gone

### --add: the same build only
run 0 record -s ip -o sum -- ./busy
once=$(sed -n 's/.*"samples": \([0-9]*\).*/\1/p' sum/recording.json)
run 0 record -s ip -o sum --add -- ./busy
twice=$(sed -n 's/.*"samples": \([0-9]*\).*/\1/p' sum/recording.json)
has_key runs 2 sum
[ "$twice" -gt "$once" ] || fail "$last: $once samples became $twice"
cp busy kept-busy
"${CC:-cc}" -O2 -pthread -o busy busy.c
run 125 record -s ip -o sum --add -- ./busy
stderr_has "another build"
has_key runs 2 sum
cp kept-busy busy
run 125 record -s walk -o sum --add -- ./busy
stderr_has "with source ip"
rm -rf sum sum.old

### the end comes from outside
run 0 record -s ip -d 1 -o short -- ./busy long $$
stderr_has "stopped when the time was over"
busy_ended() { ! pgrep -x -f "./busy long $$" >/dev/null 2>&1; }
await busy_ended

# interrupted STATUS SIGNAL ARGS..: pgobolt gets SIGNAL once it has recorded for a second
interrupted() {
	wanted=$1 signal=$2
	shift 2
	last="pgobolt $* (SIG$signal)"
	env --default-signal="$signal" "$PGOBOLT" "$@" >"$scratch/stdout" 2>"$scratch/stderr" &
	pid=$!
	await has_open "$pid" perf_event
	sleep 1
	kill -"$signal" "$pid"
	wait "$pid"
	got=$?
	[ "$got" -eq "$wanted" ] || { fail "$last: exit status $got, not $wanted"; show; }
	cat "$scratch/stdout" >>"$scratch/stderr"
	stderr_has "what there was is kept"
}
if env --default-signal=INT true 2>/dev/null; then
	interrupted 130 INT record -s ip -o int -- ./busy long
	interrupted 143 TERM record -s ip -o term -- ./busy long
	interrupted 129 HUP record -s ip -o hup -- ./busy long
	for kept in int term hup; do
		ls $kept/busy-*.fdata >/dev/null || fail "SIG$kept: no fdata"
	done
	./busy long &
	busy=$!
	interrupted 0 INT record -s ip -o attached -p "$busy"
	kill -0 "$busy" || fail "$last: ended the process it was attached to"
	run 0 record -s ip -d 1 -o attached -p "$busy"
	stdout_has "busy (main)"
	"$PGOBOLT" record -s ip -o attached -p "$busy" >"$scratch/stdout" 2>"$scratch/stderr" &
	pid=$!
	last="pgobolt record -p, of a program that ends"
	await has_open "$pid" perf_event
	sleep 1
	kill "$busy"
	wait "$pid" || { fail "$last: exit status $?"; show; }
else
	skip "no env --default-signal"
fi
rm -rf short int term hup attached attached.old

### JSON
run 4 --json record -s ip -o json -- ./busy exit 4
stdout_is_json
stdout_has '"directory": "json"'
run 127 --json record -s ip -o json -- ./no-such-file
stdout_is_json
stdout_has '"NOT_FOUND"'
