#!/bin/sh
# SPDX-License-Identifier: MIT
# Profiles without an instrumented build: build --sampling, record, convert --format autofdo,
# build --use --sample. And clang's second stage: build --instrument --cs.
. "$SRCDIR/tests/cli/lib.sh"

unset CC CXX MAKEFLAGS MFLAGS LLVM_PROFILE_FILE GCOV_PREFIX
mkdir "a project" && cd "a project" || exit 1
cat >main.c <<'END'
#include <stdio.h>
#include <stdlib.h>

long work(long n);

static long helper(long value)
{
	return value % 5 ? value : value * 3;
}

int main(int argc, char **argv)
{
	long sum = 0, rounds = argc > 1 ? atol(argv[1]) : 1;

	for (long i = 0; i < rounds; i++)
		sum += work(100000) + helper(i);
	printf("%ld\n", sum);
	return 0;
}
END
cat >work.c <<'END'
static long helper(long value)
{
	return value % 3 ? value : 2 * value;
}

__attribute__((noinline)) static long seldom(long value)
{
	return value * 7 % 11;
}

long work(long n)
{
	long sum = 0;

	for (long i = 0; i < n; i++)
		sum += i % 64 == 5 ? seldom(i) : helper(sum ^ i);
	return sum;
}
END
clang=
for major in 22 21 20 19 18 17 16 15 14; do
	command -v "clang-$major" >/dev/null && [ -x "/usr/lib/llvm-$major/bin/llvm-profdata" ] &&
		"clang-$major" -fprofile-generate -o probe main.c work.c 2>/dev/null &&
		clang=clang-$major && break
done
rm -f probe
[ -n "$clang" ] || skip_all "no clang with its runtime library and llvm-profdata"
profdata=/usr/lib/llvm-$major/bin/llvm-profdata
compile="$clang -O2 -o app main.c work.c"

### the command line
run 2 build --instrument --sample x -- true
stderr_has "--sample goes with --use"
run 2 build --cs --use -- true
stderr_has "--cs goes with --instrument"
run 2 build --sampling --instrument -- true
stderr_has "not both"
run 1 build --use --sample nothing.afdo -- $compile
stderr_has "nothing.afdo"
echo '1 main 0 1 main 4 0 1' >app.fdata
run 1 build --use --sample app.fdata -- $compile
stderr_has "is not a sample profile"
: >empty
run 1 build --use --sample empty -- $compile
stderr_has "empty is empty"
rm -f app.fdata empty

### two stages
run 1 build --instrument --cs -- $compile
stderr_has "there is no profile to use"
run 0 build --instrument -- $compile
run 0 train -- ./app
expected=$(cat "$scratch/stdout")
first=$("$profdata" show --all-functions .pgobolt/profile/llvm-"$major".profdata)
run 0 build --instrument --cs -- $compile
stderr_has "Instrumented, with the profile: 2 files compiled, 1 linked"
stderr_lacks "warning"
run 0 train --weight 2 -- ./app 2
stderr_has "merged over 2 runs"
run 0 train --new -- ./app 2
stderr_has "merged over 2 runs"
"$profdata" show --showcs --all-functions .pgobolt/profile/llvm-"$major".profdata |
	grep -q '^ *work:' || fail "no context-sensitive counts were merged"
[ "$("$profdata" show --all-functions .pgobolt/profile/llvm-"$major".profdata)" = "$first" ] ||
	fail "the counts of the first stage changed"
run 0 build --use -- $compile
stderr_lacks "warning"
[ "$(./app)" = "$expected" ] || fail "the program gives another result"
run 0 build --instrument -- $compile
[ ! -e .pgobolt/runs ] || fail "counts of former programs were kept"
if command -v gcc >/dev/null; then
	run 0 train -- ./app
	run 0 build --instrument --cs -- gcc -O2 -o other main.c work.c
	stderr_has "there is no profile for gcc"
fi

### what is not there
run 0 build --sampling -- $compile
stderr_has "To be sampled: 2 files compiled, 1 linked"
readelf -SW app | grep -q '\.debug_line' || fail "no lines"
readelf -SW app | grep -q '\.rela\.text' || fail "no relocations"
run 125 train -- ./app
stderr_has "the last build was with --sampling"
$clang -O2 -Wl,-q -o bare main.c work.c
printf 'no_lbr x\n1 main 0 5\n' >samples.fdata
run 2 convert -b bare samples.fdata --format autofdo
stderr_has "no sample profile can be made of it"
rm -f samples.fdata

### recorded
if ! "$PGOBOLT" record -q -s walk -o data -- ./app 400 >/dev/null 2>"$scratch/stderr"; then
	cat "$scratch/stderr"
	skip "nothing can be recorded here"
	[ "$failures" -eq 0 ]
	exit
fi
run 1 convert -b bare data --format autofdo
run 0 convert -b app data --format autofdo
stderr_lacks "warning"
grep -q '^work:[0-9]*:[0-9]*$' app.afdo || fail "work is not in the profile"
grep -q 'helper.*\.__uniq\.' app.afdo || fail "static functions have no names of their own"
run 0 convert -b app data --format fdata,autofdo,autofdo-binary -o all.afdo
[ -s all.fdata ] && cmp -s all.afdo app.afdo || fail "two formats are not as each alone"
"$profdata" show --sample all.afdo.bin | grep -q '^Function: work' || fail "no binary profile"
run 0 --json convert -b app data --format autofdo
stdout_has '"autofdo_file": "app.afdo"'
stdout_is_json
run 0 convert -b app data --format autofdo -o folder/
ls folder/*.afdo >/dev/null || fail "no sample profile in the folder"

run 0 build --use --sample app.afdo -- $compile
stderr_has "With the sample profile: 2 files compiled, 1 linked"
stderr_lacks "warning"
[ "$(./app)" = "$expected" ] || fail "the program gives another result"
! readelf -SW app | grep -q '\.debug_line' || fail "lines that nobody asked for"
nm app | grep -q 'seldom' || fail "no symbols"
run 0 build --use --sample all.afdo.bin --sampling -- $compile
readelf -SW app | grep -q '\.debug_line' || fail "no lines with --sampling"
ls .pgobolt/profile/sample-*.afdo | wc -l | grep -qx 1 || fail "former sample profiles were kept"
# the same profile again: nothing changed for make and for caches
before=$(ls .pgobolt/profile/sample-*.afdo)
run 0 build --use --sample all.afdo.bin -- $compile
[ "$before" = "$(ls .pgobolt/profile/sample-*.afdo)" ] || fail "the profile's name changed"
if command -v gcc >/dev/null; then
	run 0 build --use --sample app.afdo -- gcc -O2 -o other main.c work.c
	stderr_has "reads no sample profiles of LLVM's kind"
fi
if command -v rustc >/dev/null && rustc -vV | grep -q "LLVM version"; then
	echo 'fn main() {}' >main.rs
	run 0 build --use --sample app.afdo -- rustc -o other main.rs
	stderr_has "in nightly builds only"
fi
[ "$failures" -eq 0 ]
