#!/bin/sh
# SPDX-License-Identifier: MIT
# run, status and clean: a whole round, what is kept of it, and what can go wrong.
. "$SRCDIR/tests/cli/lib.sh"

unset CC CXX CFLAGS LDFLAGS MAKEFLAGS MFLAGS LLVM_PROFILE_FILE GCOV_PREFIX PGOBOLT_BINARY
mkdir "a project" && cd "a project" || exit 1
cat >main.c <<'END'
#include <stdio.h>
#include <stdlib.h>

long work(long n);

int main(int argc, char **argv)
{
	printf("%ld\n", work(argc > 1 ? atol(argv[1]) : 1000));
	return argc > 2 ? atoi(argv[2]) : 0;
}
END
cat >work.c <<'END'
long never(long n)
{
	return n * 3;
}

long work(long n)
{
	long sum = 0;

	for (long i = 0; i < n; i++)
		sum += i % 16 == 5 ? never(i) : i % 3 ? i : 2 * i;
	return sum;
}
END
cat >Makefile <<'END'
CC = gcc
app: main.o work.o
	$(CC) -s -o $@ main.o work.o
%.o: %.c
	$(CC) -O2 -c -o $@ $<
libwork.so: work.c
	$(CC) -O2 -fPIC -shared -o $@ work.c
clean:
	rm -f app *.o
END

### the command line and pgobolt.ini
run 2 run
stderr_has "run needs the binary to optimize"
run 2 run app
stderr_has "run needs --build"
run 2 run --build make app
stderr_has "run needs --train"
run 1 run --build make --train ./app libwork.a
stderr_has "libwork.a is a static library"
run 2 run --build make --train ./app --weight 2 --weight 3 app
stderr_has "more --weight than --train"
printf 'build = make\ntrian = ./app\n' >pgobolt.ini
run 2 run app
stderr_has "pgobolt.ini:2: trian: there is no such option"
stderr_has "did you mean: train"
printf 'build\n' >pgobolt.ini
run 1 run app
stderr_has "pgobolt.ini:1: there is no = in this line"
printf 'no-compare = perhaps\n' >pgobolt.ini
run 2 run app
stderr_has "pgobolt.ini:1: no-compare: is yes or no"
rm pgobolt.ini
run 1 run --config nothing.ini app
no_leftovers
[ ! -e .pgobolt ] || fail "a command line that is wrong left .pgobolt"
run 0 clean
stdout_has "Nothing to remove"
run 1 status
stderr_has "pgobolt run --build CMD"
mkdir .other && touch .other/precious
run 1 clean --state .other
stderr_has "no state folder of pgobolt"
[ -e .other/precious ] || fail "clean removed a folder that is not pgobolt's"

"$PGOBOLT" doctor --json >"$scratch/doctor.json"
command -v make >/dev/null || skip_all "no make"
command -v gcc >/dev/null || skip_all "no gcc"
"$PGOBOLT" run --dry-run --build make --train ./app app >/dev/null 2>&1 ||
	skip_all "no llvm-bolt here"

cat >pgobolt.ini <<'END'
# what never changes
[run]
build = make
clean = make clean
train = {} 20000000
train = {} 1000000
weight = 3
source = ip
record-time = 0.1s
bench-runs = 2
binary = ./app
END

### what would be done
run 0 run --dry-run
stdout_has "pgobolt build --plain --strict -- make"
stdout_has "pgobolt train --new --weight 3 -- "
stdout_has "pgobolt record --source ip -o .pgobolt/run/recording --for ./app -- "
stdout_has "20000000 ) && ( "
run 0 run --dry-run --source walk
stdout_has "pgobolt record --source walk --max-overhead 40 -o "
run 0 run --dry-run --record-time 7s --record '{} 3'
stdout_has " 3 ) || exit; [ "
stdout_lacks "kept from before"
run 0 run --dry-run --train './app 7 | cat' --check 'test -x {}'
stdout_has "pgobolt train --new -- /bin/sh -c './app 7 | cat'"
stdout_has "test -x '$PWD/app'"
stdout_lacks "--weight"
run 0 run --dry-run --optimize '--preset max -- -strict'
stdout_has ".pgobolt/run/pgo/app --preset max -- -strict"
run 0 run --dry-run --sample
stdout_has "pgobolt build --sampling --strict -- make"
stdout_has "pgobolt convert --format autofdo -b ./app -o .pgobolt/run/sample.afdo"
stdout_has "pgobolt build --use --sample .pgobolt/run/sample.afdo --strict -- make"
[ ! -e .pgobolt ] || fail "--dry-run left .pgobolt"
run 0 --json run --dry-run
stdout_is_json

# Recording needs an event; what comes after it is another matter.
can_record=yes
gcc -O2 -Wl,-q -o "$scratch/probe" main.c work.c || skip_all "gcc does not work"
"$PGOBOLT" record -s ip -o "$scratch/probe.data" -- "$scratch/probe" 20000000 >/dev/null 2>&1 ||
	can_record=

### steps that fail, one after the other
run 1 run --train '{} 10 3'
stderr_has "training failed: exit status 3 of: pgobolt train"
stderr_has "all that it printed: .pgobolt/run/logs/training.log"
run 0 status
stdout_has "training"
stdout_has "failed"
stdout_has "todo"
echo 'int broken' >>work.c
run 1 run --train '{} 10 3'
stdout_has "Built anew: ./work.c changed"
stderr_has "baseline build failed"
stderr_has "work.c:"
sed -i '/broken/d' work.c
CFLAGS=-O1 run 1 run --train 'true'
run 1 run --train 'true'
stdout_has "Built anew: the compilers in PATH or CC, CFLAGS and such changed"
run 1 run --train 'true'
stderr_has "training failed: exit status 125"
stderr_has "no profile was written by true"
run 1 run --build 'touch main.c; make; rm app'
stderr_has "the build made no ./app"
printf '#!/bin/sh\n' >script && chmod +x script
run 1 run script
stderr_has "script is a script, no program"
ln -s app link
run 1 run link
stderr_has "link is a link"
stderr_has "name the file itself: $PWD/app"
rm script link

### without cleaning objects of another build are linked
rm -rf .pgobolt && make -s clean && make -s >/dev/null 2>&1
sed -i '/^clean/d' pgobolt.ini
run 1 run
stderr_has "nothing was compiled by: make"
stderr_has "configure it again by pgobolt build --plain -- .."
make -s clean
run 1 run --build 'touch main.c && make'
stderr_has "compiled by an earlier build with other flags: $PWD/work.o"
stderr_has "--clean 'make clean'"
echo 'clean = make clean' >>pgobolt.ini

### interrupted: what runs is stopped, what is done stays
make -s clean
train="touch started; timeout 90 sleep 87.$$"
"$PGOBOLT" run --train "$train" >"$scratch/stdout" 2>"$scratch/stderr" &
pid=$!
last="pgobolt run, interrupted"
seconds=0
while [ ! -e started ] && [ $seconds -lt 180 ]; do
	sleep 1
	seconds=$((seconds + 1))
done
run 1 run --train "$train"
stderr_has "another pgobolt run is at work in .pgobolt"
run 0 status
stdout_has "running"
kill -TERM $pid
wait $pid && fail "an interrupted run ended well"
training_ended() { ! ps -e -o args | grep "^sleep 87[.]$$\$"; }
await training_ended
[ -e started ] || fail "the training never began"
run 0 status
stdout_has "interrupted"
stdout_has "done"
[ -n "$can_record" ] || { skip "no sampling: recording and what follows it"; exit; }

### what is recorded does not run it
run 1 run --record "$scratch/probe 20000000"
stderr_has "./app was not seen to run while it was recorded"
stderr_has "--record '{} ARGS'"

### to the end
# and no build is taken for outdated beside the objects of another
check="make -q app && [ \$({} 100) = $("$scratch/probe" 100) ]"
run 0 run --check "$check"
stdout_has "instrumented build   kept from before"
stdout_has "PGO+BOLT"
stdout_has "profile of grade "
stdout_has "too few runs to tell"
stdout_has "The optimized program: .pgobolt/run/bolt/app"
[ -x .pgobolt/run/bolt/app ] || fail "there is no optimized program"
[ "$(.pgobolt/run/bolt/app 5000)" = "$(./app 5000)" ] || fail "it does not compute the same"
cmp app .pgobolt/run/pgo/app || fail "the PGO build does not lie in its place"
[ "$(stat -c %h app)" = 1 ] || fail "what lies in its place is a link"
readelf -SW app | grep -q '\.rela\.text' || fail "the PGO build has no relocations"
# again, from here and from elsewhere: nothing is left to do
run 0 run --check "$check"
[ "$(grep -c 'kept from before' "$scratch/stdout")" -ge 8 ] || fail "something was done again"
run 0 run --dry-run
stdout_has "benchmark: kept from before"
# a change of words in a comment is one of content; the same again is none
touch work.c
run 0 run --dry-run
stdout_has "# baseline build: kept from before"
# another training: what depends on it, and the build it needs
run 0 run --dry-run --train './app 5'
stdout_has "# baseline build: kept from before"
stdout_lacks "# instrumented build: kept from before"
stdout_lacks "# training: kept"
run 0 status
stdout_has "./app: the steps of pgobolt run"
run 0 --json status
stdout_is_json
# a check that fails names the build that it failed with
run 1 run --check 'cmp -s {} .pgobolt/run/baseline/app'
stderr_has "check failed: exit status 1 of: ln -f .pgobolt/run/pgo/app"
cmp app .pgobolt/run/pgo/app || fail "after a failed check another build lies in its place"
# what is timed does not print the same with each build
run 1 run --bench 'stat -c %s {}; {} 100'
stderr_has "benchmark failed"
stderr_has "do not print the same"
stderr_has "--no-compare"

### a compiler that the build names is another one now, under the same name
mkdir "$scratch/bin" && ln -s "$(command -v gcc)" "$scratch/bin/x-y-gcc"
path=$PATH
PATH=$scratch/bin:$PATH
run 1 run --build 'make CC=x-y-gcc' --train false
run 0 run --dry-run --build 'make CC=x-y-gcc' --train false
stdout_has "# baseline build: kept from before"
rm "$scratch/bin/x-y-gcc"
printf '#!/bin/sh\nexec gcc "$@"\n' >"$scratch/bin/x-y-gcc" && chmod +x "$scratch/bin/x-y-gcc"
run 0 run --dry-run --build 'make CC=x-y-gcc' --train false
stdout_lacks "kept from before"
PATH=$path

### trained anew, with the same profile: the PGO build is kept, and lies in its place again
again() {
	run 0 run --build "make CC='gcc -frandom-seed=1'" --bench '{} 9' "$@"
}
again --record '{} 20000000'
again --record '{} 20000000' --train '{}  20000000' --train '{}  1000000' --weight 3
stdout_lacks "instrumented build   kept from before"
stdout_has "PGO build            kept from before"
stdout_has "benchmark            kept from before"
cmp app .pgobolt/run/pgo/app || fail "the instrumented build was left behind"
# .. with all its files, where it is recorded
again --record '{} 20000001'
grep -q '"tree": "pgo"' .pgobolt/run/run.json || fail "recorded beside another build's files"
# a training by hand takes the profile's place
cp .pgobolt/profile/id "$scratch/id"
echo another >.pgobolt/profile/id
again --dry-run
stdout_lacks "# training: kept from before"
cp "$scratch/id" .pgobolt/profile/id

### the same by hand
make -s clean
sed -i -e '/cmp -s/d' -e '/^pgobolt bench/d' .pgobolt/run/replay.sh
mv .pgobolt/run/bolt/app "$scratch/optimized"
last=replay.sh
sh .pgobolt/run/replay.sh >"$scratch/stdout" 2>"$scratch/stderr" || { fail "it failed"; show; }
[ -x .pgobolt/run/bolt/app ] || fail "replay.sh made no optimized program"

### cargo: a program whose build script compiles C, a cdylib, what can be meant by a name
if command -v cargo >/dev/null && cargo --version >/dev/null 2>&1; then
	cp -R "$SRCDIR/bench/workloads/cargo" "$scratch/work/crates"
	chmod -R u+w "$scratch/work/crates"
	cd "$scratch/work/crates" || exit 1
	rm -rf target
	run 2 run --cargo --build make --train true app
	stderr_has "--cargo builds by itself"
	run 1 run --cargo --train true nothing
	stderr_has "there are: app, plugin"
	run 1 run --cargo --train true engine
	stderr_has "engine is a library that becomes part of programs"
	run 0 run --cargo --dry-run --train true plugin
	stdout_has "pgobolt build --use --strict -- cargo build --release -p plugin --lib"
	stdout_has "/release/libplugin.so .pgobolt/run/pgo/libplugin.so"
	run 0 run --cargo --source ip --record-time 0.1s --bench-runs 1 --train '{} 4000'
	stdout_has "PGO+BOLT"
	grep -q '^gcc-\|^llvm-.*' .pgobolt/run/logs/training.log || fail "no profile of cargo's build"
	[ "$(grep -c 'raw profile' .pgobolt/run/logs/training.log)" = 2 ] ||
		fail "the C of the build script was not trained"
	cd "$scratch/work/a project" || exit 1
else
	skip "no cargo"
fi

run 0 clean --run
[ -d .pgobolt/profile ] && [ ! -d .pgobolt/run ] || fail "clean --run"
run 0 clean --keep-profiles
[ -d .pgobolt/profile ] && [ ! -d .pgobolt/bin ] || fail "clean --keep-profiles"
touch .pgobolt/mode
run 0 clean
[ ! -e .pgobolt ] || fail "clean left .pgobolt"
