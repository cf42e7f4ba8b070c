#!/bin/sh
# SPDX-License-Identifier: MIT
# record -s instrument as users run it: whose counts are there, and what is said where none are.
. "$SRCDIR/tests/cli/lib.sh"

bolt=$("$PGOBOLT" --json doctor 2>/dev/null | grep -c '"llvm-bolt"')
[ "$bolt" -gt 0 ] || ls /usr/lib/llvm-*/bin/llvm-bolt >/dev/null 2>&1 ||
	command -v llvm-bolt >/dev/null || skip_all "no llvm-bolt"

cat >life.c <<'END'
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

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "exit";

	work(100000);
	if (strcmp(mode, "beside") == 0) {
		char path[4096], *slash;
		ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 10);

		path[length] = 0;
		slash = strrchr(path, '/');
		strcpy(slash + 1, "data");
		return access(path, R_OK) == 0 ? 0 : 9;
	}
	if (strcmp(mode, "name") == 0)
		puts(argv[0]);
	if (strcmp(mode, "quick-exit") == 0)
		_exit(3);
	if (strcmp(mode, "term") == 0)
		raise(SIGTERM);
	if (strcmp(mode, "kill") == 0)
		raise(SIGKILL);
	if (strcmp(mode, "long") == 0)
		for (;;)
			work(100000);
	if (strcmp(mode, "again") == 0) {
		for (int i = 0; i < 3; i++)
			if (fork() == 0)
				execl(argv[0], argv[0], "exit", NULL);
		while (wait(NULL) > 0)
			;
	}
	return argc > 2 ? atoi(argv[2]) : 0;
}
END
"${CC:-cc}" -O1 -Wl,-q -o life life.c || skip_all "no C compiler that works"
"$PGOBOLT" record -s instrument -o probe -- ./life >probe.log 2>&1 ||
	skip_all "$(sed -n 's/^pgobolt: //p' probe.log | head -n 1)"
# without, processes that run the program by its own path are not counted
in_place=yes
if grep -q "cannot take the original's place" probe.log; then
	in_place=
	skip "no private mount namespace here"
fi
rm -rf probe probe.log
echo here >data

# loop_count: how often the loop of work went round, by the fdata
loop_count() {
	awk '$2 == "work" && $5 == "work" && $8 > most { most = $8 } END { print most + 0 }' \
		"$1"/life-*.fdata
}

# counted LEAST: the last recording has at least so many rounds
counted() {
	[ "$(loop_count pgobolt.data)" -ge "$1" ] && return 0
	fail "$last: $(loop_count pgobolt.data) rounds, not $1"
	show
}

### ends of all kinds
run 5 record -s instrument -- ./life exit 5
counted 50000
stderr_has "of 1 process"
[ "$(ls -A pgobolt.data | wc -l)" -eq 2 ] || fail "$last: more than a profile is left: $(ls -A pgobolt.data)"
if [ "$in_place" ]; then
	run 0 record -s instrument -- ./life again
	stderr_has "of 4 processes"
	counted 200000
	run 0 record -s instrument --add -- ./life exit
	counted 250000
else
	run 0 record -s instrument --add -- ./life exit
	stderr_has "cannot take the original's place"
	counted 100000
fi
rm -rf pgobolt.data pgobolt.data.old
run 125 record -s instrument -- ./life term
stderr_has "ended by signal 15"
stderr_has "--server"
no_leftovers
run 125 record -s instrument -- ./life quick-exit
stderr_has "_exit"
no_leftovers
run 143 record -s instrument --server -- ./life term
counted 50000
run 137 record -s instrument --server -- ./life kill
counted 50000
run 3 record -s instrument --server -- ./life quick-exit
counted 50000
run 0 record -s instrument -d 3 -- ./life long
counted 50000
rm -rf pgobolt.data pgobolt.data.old

### the copy is where the original was, under its name
run 0 record -q -s instrument -- ./life name
stdout_has "./life"
if [ "$in_place" ]; then
	run 0 record -s instrument -- ./life beside
	PATH=$PWD:$PATH
	run 0 record -s instrument -- life beside
fi

### what the command runs, and what it does not
cat >script <<'END'
#!/bin/sh
./life exit
./life exit
END
chmod +x script
if [ "$in_place" ]; then
	run 0 record -s instrument --for ./life -- ./script
	stderr_has "of 2 processes"
	run 125 record -s instrument --for ./life -- true
	stderr_has "wrote no counts"
else
	run 3 record -s instrument --for ./life -- ./script
	stderr_has "cannot take the place"
fi
run 127 record -s instrument -- ./no-such-file
run 125 record -s instrument --for ./no-such-file -- true
stderr_has "No such file"
cp life stripped
strip stripped
run 125 record -s instrument -- ./stripped
stderr_has "stripped"
"${CC:-cc}" -O1 -o plain life.c
run 125 record -s instrument -- ./plain
stderr_has "-Wl,-q"
stderr_has "--for FILE"
run 0 record -d 3 -- ./plain long
stderr_has "Source: "

### a shared library, counted in whoever loads it
cat >lib.c <<'END'
__attribute__((noinline)) long work(long rounds)
{
	volatile long sum = 0;

	for (long i = 0; i < rounds; i++)
		sum += i % 7 == 3 ? i : -1;
	return sum;
}
END
echo 'long work(long); int main(void) { return work(100000) == 1; }' >main.c
"${CC:-cc}" -O1 -fPIC -shared -Wl,-q -o liblife.so lib.c
"${CC:-cc}" -O1 -o user main.c -L. -llife -Wl,-rpath,"$PWD"
mv liblife.so life.keep && mv life.keep liblife.so
if "$PGOBOLT" record -s instrument -o lib --for ./liblife.so -- ./user >lib.log 2>&1; then
	grep -q "^1 work " lib/liblife.so-*.fdata || fail "the library was not counted"
else
	grep -q "cannot take the place" lib.log || fail "a library: $(cat lib.log)"
	skip "$(head -n 1 lib.log)"
fi
