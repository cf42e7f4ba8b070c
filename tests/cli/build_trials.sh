#!/bin/sh
# SPDX-License-Identifier: MIT
# build and train where something is in the way: compiler caches and farms, other build systems,
# builds that strip, libraries alone, folders that cannot be written.
. "$SRCDIR/tests/cli/lib.sh"

unset CC CXX MAKEFLAGS MFLAGS LLVM_PROFILE_FILE GCOV_PREFIX CCACHE_PREFIX RUSTFLAGS
RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
HOME=$scratch/home
CCACHE_DIR=$scratch/ccache
DISTCC_DIR=$scratch/distcc
DISTCC_HOSTS=localhost
export RUSTUP_HOME HOME CCACHE_DIR DISTCC_DIR DISTCC_HOSTS
mkdir -p "$HOME" "$CCACHE_DIR" "$DISTCC_DIR" "it's a project" && cd "it's a project" || exit 1
gcc --version >/dev/null 2>&1 && gcov-tool --version >/dev/null 2>&1 ||
	skip_all "no gcc with gcov-tool"
command -v make >/dev/null || skip_all "no make"

cat >main.c <<'END'
#include <stdio.h>
#include <stdlib.h>

long work(long n, int which);

int main(int argc, char **argv)
{
	printf("%ld %s\n", work(20000, argc > 1 ? atoi(argv[1]) : 0), NAME);
	return 0;
}
END
cat >work.c <<'END'
long work(long n, int which)
{
	long sum = 0;

	for (long i = 0; i < n; i++)
		if (which == 1)
			sum = sum * 5 + i;
		else if (which == 2)
			sum ^= i << 3;
		else
			sum += i % 7 == 3 ? 2 * i : i;
	return sum;
}
END
cat >Makefile <<'END'
CC = gcc
CFLAGS = -O2 '-DNAME="it'"'"'s a \"name\""'
app: main.o work.o
	$(CC) -o $@ main.o work.o
%.o: %.c
	$(CC) $(CFLAGS) -c -o $@ $<
libwork.a: work.o
	ar rcs $@ work.o
clean:
	rm -f app *.o *.a
END

counts() { nm "$1" | grep -qE 'gcov|__prof'; }
has_counters() { counts "$1" || fail "$last: $1 counts nothing"; }
has_no_counters() { ! counts "$1" || fail "$last: $1 counts"; }
relocated() { readelf -SW "$1" | grep -q '\.rela\.text'; }
has_relocations() { relocated "$1" || fail "$last: $1 has no .rela.text"; }

# round MAKE-ARGUMENTS..: instrumented, trained, used; then the other way round
round() {
	make -s clean
	rm -rf .pgobolt
	run 0 build --instrument -- make "$@" app
	stderr_has "2 files compiled, 1 linked"
	has_counters work.o
	run 0 train -- ./app 1
	make -s clean
	run 0 build --use -- make "$@" app
	stderr_has "2 files compiled, 1 linked"
	stderr_lacks "warning"
	has_no_counters work.o
	has_relocations app
	cp work.o one.o
	make -s clean
	run 0 build --instrument -- make "$@" app
	has_counters work.o
	run 0 train -- ./app 2
	make -s clean
	run 0 build --use -- make "$@" app
	has_no_counters work.o
	! cmp -s one.o work.o || fail "$last: the object of another profile"
	make -s clean
	make -s "$@" app
	has_no_counters work.o
	! relocated app || fail "pgobolt's flags without pgobolt"
}

### compiler caches and farms: named, by name in PATH, and one behind the other
if command -v ccache >/dev/null; then
	round CC='ccache gcc'
	round CC="$(command -v ccache) $(command -v gcc)"
	if [ -x /usr/lib/ccache/gcc ]; then
		path=$PATH
		PATH=/usr/lib/ccache:$PATH
		round
		PATH=$path
	fi
else
	skip "no ccache"
fi
if command -v distcc >/dev/null; then
	round CC='distcc gcc'
	if command -v ccache >/dev/null; then
		round CC='ccache distcc gcc'
		CCACHE_PREFIX=distcc
		export CCACHE_PREFIX
		round CC='ccache gcc'
		unset CCACHE_PREFIX
	fi
else
	skip "no distcc"
fi

### a compiler that is not in PATH: its own tool merges
mkdir "$scratch/opt"
printf '#!/bin/sh\nexec gcc "$@"\n' >"$scratch/opt/gcc"
printf '#!/bin/sh\ntouch "%s"\nexec gcov-tool "$@"\n' "$scratch/opt/asked" >"$scratch/opt/gcov-tool"
chmod +x "$scratch/opt/gcc" "$scratch/opt/gcov-tool"
round CC="$scratch/opt/gcc"
[ -e "$scratch/opt/asked" ] || fail "$last: not merged by the compiler's own gcov-tool"

### Meson and Ninja
cat >meson.build <<'END'
project('example', 'c', default_options: ['buildtype=release', 'strip=true'])
executable('app', 'main.c', 'work.c', install: true, c_args: ['-DNAME="a b"'])
END
if command -v meson >/dev/null && command -v ninja >/dev/null; then
	rm -rf .pgobolt
	run 0 build --instrument -- sh -c 'meson setup "m 1" >/dev/null && ninja -C "m 1"'
	stderr_has "2 files compiled, 1 linked"
	run 0 train -- "m 1/app" 1
	run 1 build --use -- ninja -C "m 1"
	stderr_has "nothing was compiled"
	run 0 build --use -- sh -c \
		'ninja -C "m 1" clean && DESTDIR=$PWD/i meson install -C "m 1" --quiet'
	stderr_has "2 files compiled, 1 linked"
	has_relocations i/usr/local/bin/app
	rm -rf "m 1" i
else
	skip "no meson and ninja"
fi

### autoconf and automake, out of the source tree, installed stripped
if command -v autoreconf >/dev/null && command -v automake >/dev/null; then
	# configure refuses folders with a quote in their names
	mkdir ../auto ../auto/source && cp main.c work.c ../auto/source
	cd ../auto || exit 1
	cat >source/configure.ac <<'END'
AC_INIT([example], [1])
AM_INIT_AUTOMAKE([foreign])
AC_PROG_CC
AC_CHECK_FUNCS([strtol])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
END
	cat >source/Makefile.am <<'END'
bin_PROGRAMS = app
app_SOURCES = main.c work.c
AM_CPPFLAGS = -DNAME='"x"'
END
	(cd source && autoreconf -fi >"$scratch/autoreconf.log" 2>&1) || fail "autoreconf failed"
	mkdir out
	run 0 build --instrument -- sh -c 'cd out && ../source/configure -q && make -s -j2'
	stderr_has "2 files compiled, 1 linked"
	run 0 train -- out/app 1
	run 0 build --use -- sh -c 'cd out && make -s clean && make -s -j2 &&
		make -s install-strip bindir="$PWD/../in"'
	has_relocations out/app
	has_relocations in/app
	cd "../it's a project" || exit 1
	rm -rf ../auto
else
	skip "no autoconf and automake"
fi

### a build that drops what llvm-bolt needs, by a tool that is not ours
make -s clean
rm -rf .pgobolt
run 0 build --instrument -- make app
run 0 train -- ./app
make -s clean
run 0 build --use -- sh -c 'make app && "$(command -v objcopy)" --strip-all app'
stderr_has "app has no relocations"
make -s clean
run 0 build --use -- sh -c "make app LDFLAGS= 'CC=gcc -Wl,--discard-all' &&
	'$(command -v objcopy)' -R .rela.text app"
stderr_has "app has no relocations"
make -s clean
run 0 build --use -- make app
stderr_lacks "relocations"

### training at the same time
make -s clean
rm -rf .pgobolt
run 0 build --instrument -- make app
for i in 1 2 3 4 5 6; do
	"$PGOBOLT" train -- ./app 1 >"train.$i" 2>&1 || touch "failed.$i" &
done
wait
for i in failed.[1-6]; do
	[ ! -e "$i" ] || fail "one of six trainings failed: $(cat "train.${i#failed.}")"
done
run 0 train -- ./app 2
stderr_has "merged over 7 runs"
rm -f train.? failed.?

### a build that hides its compilers from us
make -s clean
rm -rf .pgobolt
run 1 build --instrument -- env -i PATH="$PATH" make app
stderr_has "if it clears the environment (env -i, sudo, a login shell), do that outside"

### a library alone is no program
make -s clean
rm -rf .pgobolt
run 0 build --instrument -- make libwork.a
stderr_has "1 file compiled, 0 linked"
stderr_has "link the program"
run 0 build --instrument -- gcc -DNAME='"x"' -o app main.c libwork.a
run 0 train -- ./app
rm -f work.o libwork.a
run 0 build --use -- make libwork.a
stderr_has "1 file compiled, 0 linked"

### counts that are cut short, or were not written at all: of this run and after a good one
# the shell words that train FILES end with, and what is left of their files
cut() { echo 'for f in "$GCOV_PREFIX"/*/*'"$1"'.gcda; do head -c 60 "$f" >cut && cat cut >"$f"; done'; }
make -s clean
rm -rf .pgobolt
run 0 build --instrument -- make app
for runs in 1 2; do
	run 0 train -- sh -c "./app 1; $(cut work)"
	stderr_has ": 1 raw profile, "
	stderr_has "merged over $runs run"
	stderr_has "pgobolt: warning: 1 raw profile of gcc-"
	stderr_has "could not be read, left out"
done
run 125 train -- sh -c "./app 1; $(cut '')"
stderr_has "no profile was written by sh -c"
run 125 train -- sh -c 'mkdir "$GCOV_PREFIX/gcc-$(gcc -dumpversion | sed "s/[.].*//")"'
stderr_has "no profile was written by sh -c"
stderr_has "crashed, was killed, left by _exit, or could not write to"
stderr_has "as another user: (umask 0; pgobolt train -- ..)"
run 0 train -- ./app 1
stderr_lacks "pgobolt: warning"
if command -v timeout >/dev/null; then
	run 125 train -- timeout 0.1 sleep 60
	stderr_has "it ended with status 124, as when timeout ends a program; timeout counts nothing"
fi
run 5 train -- sh -c './app 1; exit 5'
stderr_has "it ended with status 5; what it counted is in the profile all the same"
mkdir empty
run 125 train --state empty -- ./app
stderr_has "is known here: none in empty"
stderr_has "  pgobolt build --instrument --state empty -- BUILD COMMAND"
run 1 build --use --state "n o" -- make
stderr_has "  pgobolt build --instrument --state 'n o' -- BUILD COMMAND"
stderr_has "  pgobolt train --state 'n o' -- PROGRAM ARGS"
rm -rf empty cut "n o"

### programs that share objects with calls through pointers, each with a weight
cat >calls.c <<'END'
static long twice(long n) { return 2 * n; }
static long half(long n) { return n / 2; }
long (*const calls[])(long) = {twice, half};
long call(long n) { return calls[n % 3 == 0](n); }
END
echo 'long call(long n); int main(void) { return call(call(7)) != 28; }' >one.c
echo 'long call(long n); int main(void) { return call(3) + call(6) != 4; }' >two.c
gcc_calls="gcc -O1 -c calls.c && gcc -O1 -o one one.c calls.o && gcc -O1 -o two two.c calls.o"
run 0 build --instrument -- sh -c "$gcc_calls"
run 0 train --weight 3 -- ./one
run 0 train -- ./two
run 0 train --weight 2 -- ./one
stderr_has "merged over 3 runs"
# twice() ran twice in each of 3 + 2 runs, half() twice in one
if command -v gcov-dump >/dev/null; then
	gcov-dump -l .pgobolt/profile/gcc-*/*calls.gcda >"$scratch/stdout"
	for count in 10 2; do
		grep -q " 0: $count *\$" "$scratch/stdout" ||
			fail "$last: no function of calls.c ran $count times"
	done
fi
run 0 build --use -- sh -c "$gcc_calls"
stderr_lacks "arning"
rm -f one two one.c two.c calls.[co]

### another compiler than the trained one
make -s clean
other=
for major in 22 21 20 19 18 17 16 15 14; do
	[ -z "$other" ] && "clang-$major" --version >/dev/null 2>&1 && other=$major
done
if [ -n "$other" ]; then
	run 0 build --use -- make app CC="clang-$other"
	stderr_has "there is no profile for llvm-$other: compiled without one. There is one for gcc-"
	stderr_has "Without a profile: 2 files compiled"
	make -s clean
	echo 'int main(void) { return 0; }' >conftest.c
	run 0 build --use -- sh -c "clang-$other -c conftest.c && make app"
	stderr_lacks "warning"
	stderr_has "With the profile: 2 files compiled"
	rm -f conftest.[co]
	printf '\377lprofr\201garbage' >.pgobolt/runs/1/1_1.profraw
	make -s clean
	run 0 build --instrument -- make app CC="clang-$other"
	[ ! -e .pgobolt/runs/1 ] || fail "$last: counts of another build were kept"
	stderr_lacks "warning"

	# two compilers whose counts do not mix, in one program
	make -s clean
	"$PGOBOLT" build --instrument -- sh -c \
		"make main.o && make app CC=clang-$other" >/dev/null 2>"$scratch/stderr"
	stderr_has "warning: compiled by gcc-"
	stderr_has "and llvm-$other: of a program that holds objects of both, counts are lost"
	make -s clean
else
	skip "no clang"
fi

### objects that the build did not compile
bypassed="linked, but not compiled by this build"
link="gcc -DNAME='\"x\"' -o app main.c"
make -s clean
rm -rf .pgobolt
run 0 build --instrument -- make app
stderr_lacks "$bypassed"
gcc -O2 -c work.c
rm -f app
run 0 build --instrument -- make app
stderr_has "$bypassed, so they count nothing: $PWD/work.o. Clean"
for kind in rcs rcsT; do
	rm -f libwork.a && ar $kind libwork.a work.o
	run 0 build --instrument -- sh -c "$link libwork.a"
	stderr_has "$bypassed, so they count nothing: $PWD/libwork.a(work.o). Clean"
done
make -s clean
run 0 build --instrument -- sh -c "make libwork.a && ld -r -o both.o work.o && $link both.o"
stderr_lacks "pgobolt: warning"
run 0 train -- ./app 1
cp work.o counting
make -s clean
run 0 build --use -- sh -c "make libwork.a && mv work.o a.o && $link a.o && $link libwork.a &&
	ld -r -o both.o a.o && mv both.o b.o && $link b.o &&
	cp work.c unit.c && gcc -c -o c.o unit.c && mv c.o d.o && $link d.o && rm unit.c &&
	echo '.globl work; work: ret' | as -o c.o && $link c.o"
stderr_lacks "pgobolt: warning"
sed 's/work/other/' work.c >other.c && gcc -O2 -c -o "beside.o" other.c
run 0 build --use -- sh -c "$link work.c beside.o"
stderr_has "$bypassed, so without these flags: $PWD/beside.o. Clean"
run 0 --json build --use -- sh -c "$link work.c beside.o"
stdout_has "\"bypassed\": ["
cp counting work.o
run 0 build --use -- sh -c "$link work.o -lgcov"
stderr_has "linked, but compiled before, without these flags; clean and build again: $PWD/work.o"
run 1 build --use --strict -- sh -c "$link work.o -lgcov"
rm -f other.c counting
make -s clean

### what cargo's build scripts compiled is compiled anew when the mode changes
rm -rf .pgobolt
script=t/build/c-0123456789abcdef/out
mkdir -p "$script" t/.fingerprint/c-0123456789abcdef t/.fingerprint/d-0123456789abcdef
run 0 build --instrument -- gcc -c work.c -o "$script/work.o"
run 0 build --instrument -- make app
[ -d t/.fingerprint/c-0123456789abcdef ] || fail "$last: the mode is as it was"
run 0 train -- ./app
run 0 build --use -- gcc -c work.c -o "$script/work.o"
[ ! -e t/.fingerprint/c-0123456789abcdef ] || fail "$last: cargo would not run the script again"
[ -d t/.fingerprint/d-0123456789abcdef ] || fail "$last: not that script's"
mkdir t/.fingerprint/c-0123456789abcdef
run 0 clean
[ ! -e t/.fingerprint/c-0123456789abcdef ] || fail "$last: cargo would not run the script again"
rm -rf t
make -s clean

### a rustc of another LLVM, named by its path; Debian's has no runtime of its own for counting
old=/usr/bin/rustc
major=$("$old" -vV 2>/dev/null | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
runtime=$(ls /usr/lib/llvm-"$major"/lib/clang/*/lib/linux/libclang_rt.profile-"$(uname -m)".a \
	2>/dev/null | head -n 1)
if [ -n "$major" ] && [ -n "$runtime" ] && [ -x "/usr/lib/llvm-$major/bin/llvm-profdata" ]; then
	cat >main.rs <<'END'
fn main() {
	let n = std::env::args().count() as u64 * 1000;
	println!("{}", (0..n).map(|i| if i % 3 == 0 { i } else { 2 * i }).sum::<u64>());
}
END
	rm -rf .pgobolt
	if ! ls "$("$old" --print sysroot)"/lib/rustlib/*/lib/libprofiler_builtins-*.rlib \
		>/dev/null 2>&1; then
		mkdir old && ln -s "$old" old/rustc
		path=$PATH
		PATH=$PWD/old:$PATH
		"$PGOBOLT" build --instrument -- rustc -O -o app main.rs 2>"$scratch/stderr" &&
			fail "a rustc without a runtime made a program"
		stderr_has "built without the runtime that counting needs"
		stderr_has "-Zno-profiler-runtime -Clink-arg=$runtime -Clink-arg=-lc"
		"$PGOBOLT" doctor >"$scratch/stdout"
		stdout_has "built without the runtime that counting needs"
		PATH=$path
		rm -rf old .pgobolt
	fi
	RUSTC_BOOTSTRAP=1 run 0 build --instrument -- "$old" -O -o app main.rs \
		-Zno-profiler-runtime -Clink-arg="$runtime" -Clink-arg=-lc
	run 0 train -- ./app
	stderr_has "llvm-$major: 1 raw profile"
	run 0 build --use -- "$old" -O -o app main.rs
	stderr_lacks "warning"
	has_relocations app
	rm -f app main.rs
else
	skip "no $old with llvm-profdata and libclang-rt of its LLVM"
fi

### folders: wrong, read-only, of somebody else
make -s clean
rm -rf .pgobolt
run 0 build --instrument -- make app
mkdir below
(cd below && run 125 train -- ../app && stderr_has "../.pgobolt" && exit "$failures") ||
	failures=$((failures + 1))
chmod -R go-w .pgobolt
if run_denied 3 train -- ./app; then
	stderr_has "cannot write profiles to .pgobolt"
	run_denied 3 build --state other --instrument -- make app
	stderr_has "keep it elsewhere: --state DIR"
fi
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$scratch"
	run 125 train -- setpriv --reuid=65534 --regid=65534 --clear-groups ./app
	stderr_has "no profile was written"
	stderr_has "programs that count: $PWD/app"
	stderr_has "in a sandbox or a container: let it write to $PWD/.pgobolt, by this name"
	umask 0
	run 0 train -- setpriv --reuid=65534 --regid=65534 --clear-groups ./app
	umask 022
fi

### a path that is no name for gcc's counts
part=$(printf 'folder-%050d' 1)
mkdir -p "deep/$part/$part/$part/$part" && cp main.c work.c "deep/$part/$part/$part/$part"
cd "deep/$part/$part/$part/$part" || exit 1
run 0 build --instrument -- gcc '-DNAME="deep"' -o app main.c work.c
run 125 train -- ./app
stderr_has "gcc names counts after the whole path of the object"
stderr_has "build it in a folder with a shorter path"
cd "$OLDPWD" && rm -rf deep

### a colon cannot stand in PATH
run 1 build --state a:b --instrument -- make app
stderr_has "has a colon in its path"
stderr_has "keep it where there is none: --state DIR"
no_leftovers
run 1 build --state 'a%pb' --instrument -- make app
stderr_has "has a percent sign in its path"
no_leftovers

### interrupted while compilers are asked who they are: the command does not begin
if [ $((0x$(sed -n 's/^SigIgn:[^0-9a-f]*//p' /proc/$$/status) & 2)) -eq 0 ]; then
	mkdir fake
	printf '#!/bin/sh\nkill -INT $PPID\nexec %s "$@"\n' "$(command -v gcc)" >fake/gcc
	chmod +x fake/gcc
	path=$PATH
	PATH=$PWD/fake:$PATH
	run 1 build --instrument -- touch begun
	stderr_has "interrupted before the command began"
	[ ! -e begun ] || fail "$last: the command was run"
	PATH=$path
	rm -rf fake
else
	skip "interrupts are ignored here"
fi

### nothing but the build's own output is touched
make -s clean
rm -rf .pgobolt home below
rm -rf "$HOME" && mkdir "$HOME"
mkdir "$scratch/TMP"
TMPDIR=$scratch/TMP
export TMPDIR
find . "$HOME" "$TMPDIR" -type f -exec cksum {} + | sort -k3 >"$scratch/sources"
run 0 build --instrument -- make app
run 0 train -- ./app
make -s clean
run 0 build --use -- make app
make -s clean
find . "$HOME" "$TMPDIR" -type f -not -path './.pgobolt/*' -exec cksum {} + | sort -k3 \
	>"$scratch/sources.after"
diff "$scratch/sources" "$scratch/sources.after" || fail "the build left or changed files"
[ "$failures" -eq 0 ]
