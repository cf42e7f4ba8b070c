#!/bin/sh
# SPDX-License-Identifier: MIT
# build and train: instrument, train, use, with make, a configure script, CMake and cargo.
. "$SRCDIR/tests/cli/lib.sh"

unset CC CXX MAKEFLAGS MFLAGS LLVM_PROFILE_FILE GCOV_PREFIX CCACHE_DIR
mkdir "a project" && cd "a project" || exit 1
cat >main.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

long work(long n);

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	printf("%ld\n", work(argc > 2 ? atol(argv[2]) : 1000));
	if (strcmp(mode, "abort") == 0)
		abort();
	if (strcmp(mode, "quick") == 0)
		_exit(0);
	if (strcmp(mode, "parallel") == 0) {
		for (int i = 0; i < 3; i++)
			if (fork() == 0)
				exit(work(100) == 0);
		if (fork() == 0)
			abort();
	}
	return atoi(mode);
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
CFLAGS = -O2 -DNAME='"a b"'
app: main.o work.o
	$(CC) -s -Wl,-O1,-s -o $@ main.o work.o
%.o: %.c
	$(CC) $(CFLAGS) -c -o $@ $<
clean:
	rm -f app *.o
END
command -v make >/dev/null || skip_all "no make"

### the command line
run 2 build -- make
stderr_has "needs --instrument or --use"
run 2 build --instrument --use -- make
stderr_has "not both"
run 2 build --instrument
stderr_has "needs a command behind --"
run 2 build --instrument --partial-training -- make
run 2 train --weight 0 -- ./app
run 2 train
run 125 train -- ./app
stderr_has "pgobolt build --instrument"
no_leftovers

has_relocations() {
	readelf -SW "$1" | grep -q '\.rela\.text' || fail "$last: $1 has no .rela.text"
	readelf -sW "$1" | grep -q ' work$' || fail "$last: $1 has no symbols"
}

# whole_round KEY MAKE-ARGUMENTS..: everything, by one compiler
whole_round() {
	key=$1
	shift
	make -s clean
	make -s "$@" >make.log 2>&1 || { cat make.log; fail "plain make $*"; return; }
	rm -rf .pgobolt make.log
	expected=$(./app 0 5000)
	run 1 build --instrument -- make "$@"
	stderr_has "nothing was compiled by: make"
	stderr_has "make clean"
	stderr_has "make CC=gcc"
	run 1 build --use -- make "$@"
	stderr_has "there is no profile to use"
	make -s clean
	run 0 build --instrument -- make -j2 "$@"
	stderr_has "Instrumented: 2 files compiled, 1 linked"
	[ "$(cat .pgobolt/.gitignore)" = "*" ] || fail "git would see .pgobolt"

	run 3 train -- ./app 3 5000
	[ "$(cat "$scratch/stdout")" = "$expected" ] || fail "the program's output is not as it was"
	stderr_has "$key: "
	stderr_has "merged over 1 run:"
	first=$(cat .pgobolt/profile/id)
	# parallel processes, one of which dies: the others count
	run 0 train --weight 3 -- ./app parallel
	stderr_has "merged over 2 runs:"
	[ "$first" != "$(cat .pgobolt/profile/id)" ] || fail "the profile did not change"
	run 134 train -- sh -c './app 0; exec ./app abort'
	stderr_has "merged over 3 runs:"
	run 0 train -- env -i ./app 0
	stderr_has "merged over 4 runs:"
	run 125 train -- ./app abort
	stderr_has "no profile was written by ./app abort: it was killed by signal 6"
	stderr_has "does it crash as it was, too?"
	run 125 train -- sh -c './app abort; exit $?'
	stderr_has "status 134, as of a program killed by signal 6"
	run 125 train -- sh -c 'kill -TERM $$'
	stderr_has "its own stop command"
	run 125 train -- sh -c 'kill -SYS $$'
	stderr_has "train it without the sandbox"
	run 125 train -- ./app quick
	stderr_has "./app counts, but it left by _exit, or could not write to $PWD/.pgobolt/runs/"
	run 125 train -- false
	stderr_has "ended with status 1; false counts nothing itself"
	stderr_has "programs that count: $PWD/app"
	cp app app.counts
	make -s clean
	make -s "$@"
	run 125 train -- ./app 0
	stderr_has "./app counts nothing: its objects were compiled without pgobolt, or"
	mv app.counts app && touch app
	run 127 train -- ./nothing
	run 126 train -- ./main.c
	run 0 --json train --new -- ./app 0
	stdout_is_json_part
	[ -z "$(ls -- *.gcda *.profraw 2>/dev/null)" ] || fail "$last: counts lie in the project"

	run 1 build --use -- make "$@"
	stderr_has "nothing was compiled by: make"
	make -s clean
	make -s main.o "$@"
	rm .pgobolt/mode
	run 0 build --use -- make "$@"
	stderr_has "linked, but compiled before, without these flags"
	stderr_has "main.o"
	stderr_lacks "work.o"
	make -s clean
	run 0 build --use -- make -j2 "$@"
	stderr_has "With the profile: 2 files compiled, 1 linked"
	stderr_lacks "warning"
	has_relocations app
	[ "$(./app 0 5000)" = "$expected" ] || fail "the optimized program gives another result"
	run 0 build --use -- make "$@"
	stderr_has "With the profile: 0 files compiled, 0 linked"
	run 125 train -- ./app 0
	stderr_has "the last build was with --use"
}

# the program's own line stands before the document
stdout_is_json_part() {
	sed -i 1d "$scratch/stdout"
	stdout_is_json
}

have_gcc=
if gcc --version >/dev/null 2>&1 && gcov-tool --version >/dev/null 2>&1; then
	have_gcc=1
	key=gcc-$(gcc -dumpversion | sed 's/\..*//')
	whole_round "$key"
	whole_round "$key" CC=/usr/bin/gcc
	stdout_lacks "/usr/bin/gcc"
else
	skip "no gcc with gcov-tool"
fi

# A clang of which all parts are here: its runtime library and its llvm-profdata.
clang=
for major in 22 21 20 19 18 17 16 15 14; do
	command -v "clang-$major" >/dev/null && [ -x "/usr/lib/llvm-$major/bin/llvm-profdata" ] &&
		"clang-$major" -fprofile-generate -o probe main.c work.c 2>/dev/null &&
		clang=clang-$major && break
done
rm -f probe
if [ -n "$clang" ]; then
	whole_round "llvm-$major" CC="$clang"
	whole_round "llvm-$major" CC="/usr/lib/llvm-$major/bin/clang"
else
	skip "no clang with its runtime library and llvm-profdata"
fi
[ -n "$have_gcc$clang" ] || skip_all "no compiler that can be trained"
CC=gcc
[ -n "$have_gcc" ] || CC=$clang

### the environment names the compiler; the build fails
make -s clean
rm -rf .pgobolt
CC=$(command -v "$CC") run 0 build --instrument -- make -e
stderr_has "2 files compiled"
echo 'broken' >broken.c
run 1 build --instrument -- "$CC" -c broken.c
echo '-O2 "-DNAME=a b" main.c work.c' >words
run 0 build --instrument -- "$CC" -o app @words
stderr_has "2 files compiled, 1 linked"
run 0 --json build --instrument -- "$CC" -o app @words
stdout_has '"mode": "instrument"'
stdout_is_json
rm -f words broken.c

### a build that profiles itself is left alone
run 0 build --instrument -- "$CC" --coverage -c main.c
stderr_has "their own profiling flags: 1 compiler call"
rm -f main.o main.gcno

### without pgobolt build a shim only is the compiler
.pgobolt/bin/"$CC" -c work.c || fail "the shim does not work alone"
nm work.o | grep -qE 'prof|gcov' && fail "the shim added flags without a mode"
rm -f work.o
ln -s "$PGOBOLT" gcc
./gcc -c work.c 2>"$scratch/stderr" && fail "a shim of nothing compiled"
stderr_has "nothing says for which one"
rm -f gcc
# a build's own folder of tools, with links to what is in PATH
mkdir tools
cat >link-tools <<'END'
ln -sf "$(command -v "$1")" tools/cc && ln -sf cc tools/c99 &&
	tools/c99 -c work.c && PATH=$PWD/tools:$PATH && cc -c main.c
END
run 0 build --instrument -- sh link-tools "$CC"
stderr_has "2 files compiled"
nm work.o | grep -qE 'prof|gcov' || fail "a link to a shim added no flags"
nm main.o | grep -qE 'prof|gcov' || fail "a link in PATH to a shim added no flags"
rm -rf tools link-tools ./*.o

### a state folder elsewhere
run 0 build --state "$scratch/other state" --instrument -- "$CC" -o app main.c work.c
run 0 train --state "$scratch/other state" -- ./app 0
stderr_has "Next: pgobolt build --use --state '$scratch/other state' -- BUILD COMMAND"
[ -s "$scratch/other state/profile/id" ] || fail "no profile in --state"
rm -rf .pgobolt

### strip in the build keeps what llvm-bolt needs
run 0 build --instrument -- sh -c "$CC -O2 -o app main.c work.c"
run 0 train -- ./app 0
run 0 build --use -- sh -c "$CC -O2 -o app main.c work.c && strip -s app"
has_relocations app

### a configure script
cat >configure <<'END'
#!/bin/sh
: "${CC:=cc}"
echo 'int main(void) { return 0; }' >conftest.c
$CC -o conftest conftest.c && ./conftest || exit 1
rm -f conftest conftest.c
printf 'all:\n\t%s -O2 -o app main.c work.c\n' "$CC" >made.mk
END
chmod +x configure
rm -rf .pgobolt app
export CC
run 0 build --instrument -- sh -c './configure && make -f made.mk'
stderr_has "2 files compiled, 1 linked"
[ ! -e .pgobolt/raw ] && [ ! -e .pgobolt/discarded ] || fail "counts of configure's tests were kept"
run 0 train -- ./app 0
run 0 build --use -- sh -c './configure && make -f made.mk'
has_relocations app
unset CC

### CMake, in a folder with a blank
if command -v cmake >/dev/null && command -v cc >/dev/null && [ -n "$have_gcc" ]; then
	cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.10)
project(example C)
add_library(work STATIC work.c)
add_executable(app main.c)
target_link_libraries(app work)
enable_testing()
add_test(one app 0 100)
add_test(two app 0 5000)
END
	rm -rf .pgobolt
	run 0 build --instrument -- \
		sh -c 'cmake -DCMAKE_BUILD_TYPE=Release -S . -B "b 1" && cmake --build "b 1"'
	stderr_has "2 files compiled, 1 linked"
	run 0 train -- "b 1/app" 0
	if command -v ctest >/dev/null; then
		(cd "b 1" && run 0 train --state ../.pgobolt -- ctest -j2 &&
			stderr_has "2 raw profiles" && stderr_has "merged over 2 runs" &&
			exit "$failures") || failures=$((failures + 1))
	else
		skip "no ctest"
	fi
	run 1 build --use -- cmake --build "b 1"
	stderr_has "nothing was compiled"
	run 0 build --use -- cmake --build "b 1" --clean-first
	stderr_has "2 files compiled, 1 linked"
	has_relocations "b 1/app"
	rm -rf "b 1"
	run 0 build --use -- sh -c \
		'cmake -DCMAKE_C_COMPILER="$(command -v gcc)" -S . -B "b 1" && cmake --build "b 1"'
	has_relocations "b 1/app"
else
	skip "no cmake"
fi
### Rust: cargo's strip, a build script, tests as training
cd .. && mkdir -p "crate/src" && cd crate || exit 1
cat >Cargo.toml <<'END'
[package]
name = "app"
version = "0.1.0"
edition = "2021"
build = "build.rs"
[profile.release]
strip = true
END
echo 'fn main() { println!("cargo:rerun-if-changed=build.rs"); }' >build.rs
cat >src/main.rs <<'END'
fn work(n: u64) -> u64 {
	(0..n).map(|i| if i % 3 == 0 { i } else { 2 * i }).sum()
}
fn main() {
	println!("{}", work(std::env::args().count() as u64 * 1000));
}
#[test]
fn works() {
	assert_eq!(work(3), 6);
}
END
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_TARGET_DIR
host=$(rustc -vV 2>/dev/null | sed -n 's/^host: //p')
major=$(rustc -vV 2>/dev/null | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
app=target/$host/release/app
if [ -z "$host" ] || ! cargo build --release -q --offline 2>/dev/null; then
	skip "no cargo and rustc that work"
elif ! [ -x "/usr/lib/llvm-$major/bin/llvm-profdata" ]; then
	skip "no llvm-profdata of rustc's LLVM $major"
else
	run 0 build --instrument -- cargo build --offline
	stderr_has "besides what cargo compiled"
	run 0 train -- "$app"
	[ "$(cat "$scratch/stdout")" = "$("target/release/app")" ] || fail "not the same output"
	stderr_has "llvm-$major: 1 raw profile"
	run 0 train --weight 2 -- cargo test --offline
	stderr_has "merged over 2 runs"
	run 0 build --use -- cargo build --offline
	stderr_lacks "warning"
	readelf -SW "$app" | grep -q '\.rela\.text' || fail "no .rela.text in the Rust program"
	RUSTFLAGS="-Cforce-frame-pointers=yes" run 0 build --use -- cargo build --offline -v
	stderr_has "force-frame-pointers=yes"
	stderr_has "profile-use="
	run 0 build --instrument -- rustc -O -o plain src/main.rs
	run 0 train -- ./plain
fi
[ "$failures" -eq 0 ]
