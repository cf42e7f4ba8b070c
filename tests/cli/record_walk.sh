#!/bin/sh
# SPDX-License-Identifier: MIT
# record -s walk: what it follows, whom it leaves alone and why, and that it does no harm.
. "$SRCDIR/tests/cli/lib.sh"

cat >busy.c <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile long sum;

/* branches for so many milliseconds; a busy machine preempts where it asks the clock, in the kernel */
static void *work(void *milliseconds)
{
	clock_t end = clock() + (long)milliseconds * (CLOCKS_PER_SEC / 1000);

	while (clock() < end)
		for (long i = 0; i < 200000; i++)
			sum += i % 7 == 3 ? i : -1;
	return NULL;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	pthread_t thread;

	if (strcmp(mode, "zombie") == 0) {
		if (fork() == 0)
			_exit(0);
		sleep(100);
		return 0;
	}
	if (strcmp(mode, "later") == 0) { /* nothing of its own: a thread and a child that come later */
		while (access("recorded", F_OK) != 0)
			usleep(1000);
		usleep(200000);
		pthread_create(&thread, NULL, work, (void *)300L);
		pthread_join(thread, NULL);
		if (fork() == 0) {
			execl("./child", "./child", (char *)NULL);
			_exit(1);
		}
		wait(NULL);
		return 5;
	}
	work((void *)(argc > 1 ? atol(mode) : 600L));
	return 0;
}
END
"${CC:-cc}" -O1 -pthread -o busy busy.c || skip_all "no C compiler that works"
"$PGOBOLT" record -s walk -o probe -- ./busy 900 >probe.log 2>&1 || skip_all "$(head -n 1 probe.log)"
rm -rf probe probe.log
"${CC:-cc}" -O0 -pthread -o child busy.c # another build: files are told apart by what is in them

### programs that it starts
run 0 record -v -s walk -- ./busy
stderr_has "busy (main)"
stderr_has "branch decisions"
stderr_has "us each"
run 0 record -q -s walk --max-overhead 30 --depth 32 --seed 7 -F 2000 -- ./busy
run 0 record -s walk -- sh -c './busy & ./child; wait'
stderr_has "child"

# processes that end before their first ticket, if there are perf events to tell of them
run 0 record -v -s walk --max-overhead 30 -- \
	sh -c 'i=0; while [ $i -lt 150 ]; do ./busy 2 || exit; i=$((i + 1)); done'
grep -q "found through /proc" "$scratch/stderr" || stderr_has "busy (main)"

### auto prefers it to counting and to samples of addresses; -F is no obstacle, other events are
if "$PGOBOLT" doctor 2>/dev/null | grep -q "no branch"; then
	run 0 record -v -- ./busy
	stderr_has "Source: walk"
	run 0 record -v -F 900 -- ./busy
	stderr_has "Source: walk"
	run 0 record -v -e cpu-clock -- ./busy
	stderr_has "Source: walk"
fi
run 2 record -s walk -e cycles -- ./busy
stderr_has "no other event"
run 2 record -s walk -a
stderr_has "-p PID"
run 2 record -s walk --max-overhead 101 -- ./busy

### running processes, with threads and children that come later
./busy later &
busy=$!
await runs_as "$busy" busy
"$PGOBOLT" record -s walk --max-overhead 30 -p "$busy" >"$scratch/stdout" 2>"$scratch/stderr" &
recorder=$!
last="record -s walk -p"
await has_open "$recorder" signalfd # visits are about to begin
touch recorded
wait "$recorder" || { fail "$last: exit status $?"; show; }
stdout_has "busy"
stdout_has "child"
wait "$busy"
[ $? -eq 5 ] || fail "$last: the process did not survive it"

### whom it cannot visit
./busy zombie &
parent=$!
# child_has_ended: of the program just started, which does not wait for it
child_has_ended() {
	zombie=$(cat "/proc/$parent/task/$parent/children") &&
		grep -qs '^State:.Z' "/proc/${zombie% }/status"
}
if [ ! -e "/proc/$parent/task/$parent/children" ]; then
	skip "no list of children in /proc"
elif await child_has_ended; then
	run 1 record -s walk -p "${zombie% }"
	stderr_has "has ended"
fi
kill "$parent"
if grep -qs '^Kthread:.1' /proc/2/status || [ "$(cat /proc/2/comm 2>/dev/null)" = kthreadd ]; then
	run 3 record -s walk -p 2
	stderr_has "thread of the kernel"
else
	skip "no kernel thread to be seen"
fi
run 1 record -s walk -p 4194304

cat >tracer.c <<'END'
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <unistd.h>

/* traces a busy child until it is killed, for a while at most; prints its number */
int main(void)
{
	pid_t child = fork();

	alarm(100);
	if (child == 0)
		for (;;)
			;
	/* refused while somebody else visits the child */
	while (ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_EXITKILL) != 0)
		usleep(500);
	printf("%d\n", child);
	fflush(stdout);
	pause();
	return 0;
}
END
"${CC:-cc}" -O1 -o tracer tracer.c
./tracer >traced &
tracer=$!
await [ -s traced ]
run 3 record -s walk -p "$(cat traced)"
stderr_has "traced already, by process $tracer (tracer)"
kill "$tracer"
# a child that debugs another one goes on as it was
run 0 record -s walk -- sh -c './tracer >/dev/null & ./busy 700; kill $!'
stderr_has "is left alone: somebody else traces it"

cat >small.c <<'END'
void _start(void)
{
	for (volatile int i = 0;; i++)
		;
}
END
if "${CC:-cc}" -m32 -O1 -nostdlib -static -fno-pie -no-pie -o small small.c 2>/dev/null &&
	{ timeout 0.2 ./small; [ $? -eq 124 ]; }; then
	./small &
	small=$!
	await runs_as "$small" small
	run 1 record -s walk -p "$small"
	stderr_has "is a 32-bit program"
	kill "$small"
	run 0 record -s walk -d 1 -- sh -c './busy 700 & exec ./small'
	stderr_has "is left alone: it is a 32-bit program"
else
	skip "no 32-bit programs here"
fi

### another user's processes and setuid programs; nobody cannot write to our folder
mkdir -m 777 "$scratch/nobody"
./busy 5000 &
busy=$!
if run_denied 3 record -s walk -o "$scratch/nobody/data" -p "$busy" && [ "$(id -u)" -eq 0 ]; then
	stderr_has "belongs to user 0"
	stderr_has "cap_sys_ptrace"
	cp busy "$scratch/nobody/privileged"
	chmod 4755 "$scratch/nobody/privileged"
	cp busy "$scratch/nobody/busy"
	run_denied 0 record -s walk -o "$scratch/nobody/data" -- \
		sh -c "$scratch/nobody/busy 700; $scratch/nobody/privileged 300"
	stderr_has "(privileged) is left alone: it gained privileges"
	stderr_lacks "(busy) is left alone"
fi
kill "$busy"
wait

### where a filter forbids ptrace, as containers do, or perf events
cat >deny.c <<'END'
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* deny ptrace|perf|none COMMAND..: the system call fails with EPERM */
int main(int argc, char **argv)
{
	char kind = argc > 1 ? argv[1][1] : 0;
	int number = kind == 't' ? SYS_ptrace : kind == 'e' ? SYS_perf_event_open : -1;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (argc < 3 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return 77;
	execv(argv[2], argv + 2);
	return 1;
}
END
if "${CC:-cc}" -o deny deny.c 2>/dev/null && ./deny none /bin/true; then
	# the search for leaks of a build with sanitizers uses ptrace, too
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 \
		./deny ptrace "$PGOBOLT" record -s walk -- ./busy >"$scratch/stdout" 2>"$scratch/stderr"
	got=$?
	[ "$got" -eq 3 ] || fail "without ptrace: exit status $got, not 3"
	last="without ptrace"
	stderr_has "tracing a program of our own is refused"
	stderr_has "cap-add=SYS_PTRACE"
	./deny perf "$PGOBOLT" record -s walk -- ./busy >"$scratch/stdout" 2>"$scratch/stderr" ||
		fail "without perf events: failed"
	last="without perf events"
	stderr_has "threads are found through /proc"
	stderr_has "busy (main)"
	./busy 1500 &
	busy=$!
	timeout 30 ./deny perf "$PGOBOLT" record -s walk -p "$busy" >"$scratch/stdout" \
		2>"$scratch/stderr" || fail "without perf events, -p: failed, or did not end"
	wait
else
	skip "no seccomp filters"
fi

### no harm: a program that checks itself, under visits and under recorders that are killed
if ! "${CC:-cc}" -O1 -g -pthread -o delicate "$SRCDIR/tests/programs/delicate.c"; then
	skip "delicate.c does not build"
else
	run 0 record -q -s walk --max-overhead 40 -- ./delicate 2
	# text that does not decode, code that it changes, no debug register left
	for part in illegal jit registers; do
		run 0 record -v -s walk --max-overhead 40 -- ./delicate 1 "$part"
		stderr_has " walked"
		if grep -q "no debug register" "$scratch/stderr"; then
			skip "no debug registers here"
		else
			stdout_has "$part "
		fi
	done
	./delicate 100 >delicate.out 2>delicate.err &
	delicate=$!
	for pause in 0.05 0.11 0.17 0.23 0.08; do
		rm -rf killed*
		"$PGOBOLT" record -q -s walk --max-overhead 40 -o killed -p "$delicate" >killed.log 2>&1 &
		recorder=$!
		sleep "$pause"
		kill -KILL "$recorder" || { fail "the recorder ended by itself"; cat killed.log; }
		wait "$recorder" 2>/dev/null
	done
	kill "$delicate"
	wait "$delicate" || { fail "delicate broke under killed recorders"; cat delicate.err; }
fi
