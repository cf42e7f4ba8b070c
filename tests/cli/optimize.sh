#!/bin/sh
# SPDX-License-Identifier: MIT
# optimize, with every installed release of llvm-bolt and with scripts in its place.
. "$SRCDIR/tests/cli/lib.sh"

cat >app.c <<'END'
#include <stdio.h>
static unsigned seed = 1;
static unsigned next(void) { return (seed = seed * 1103515245u + 12345u) >> 16; }
__attribute__((noinline)) static int rare(int a) { fprintf(stderr, "r"); return a; }
__attribute__((noinline)) int step(int op, int a)
{
	switch (op) {
	case 0: return a + 1;
	case 1: return a > 9999 ? a % 77 : a * 3;
	case 2: return a ^ 21;
	case 3: return a < 5 ? 5 : a;
	default: return rare(a);
	}
}
int main(void)
{
	int a = 0;

	for (int i = 0; i < 200000; i++)
		a = step(next() & 3, a);
	printf("%d\n", a);
	return 0;
}
END
$CC -O2 -g -Wl,-q -Wl,--build-id=sha1 -o app app.c || exit 1
$CC -O2 -o plain app.c || exit 1
printf '0 [unknown] 0 1 main 0 0 1\n1 main 5 1 step 0 0 100\n' >app.fdata
./app >expected
sum=$(cksum <app)

untouched() {
	[ "$sum" = "$(cksum <app)" ] || fail "$last: the input has changed"
}

# fails STATUS TEXT ARGS..: it fails so, says that, and leaves nothing
fails() {
	status=$1 text=$2
	shift 2
	run "$status" optimize "$@"
	stderr_has "$text"
	no_leftovers
	untouched
}

# ---- what is wrong before llvm-bolt runs
run 1 optimize
stderr_has 'no recording pgobolt.data'
stderr_has 'pgobolt record'
fails 2 'which binary' --profile app.fdata
fails 1 'missing' --profile missing app
fails 2 "preset" --preset fastest app
fails 1 'missing/llvm-bolt' --llvm-bolt missing/llvm-bolt --profile app.fdata app
printf 'hello\n' >text
: >empty
head -c 2000 app >cut

real=
for release in 22 19 16; do
	[ -x /usr/lib/llvm-$release/bin/llvm-bolt ] && real=/usr/lib/llvm-$release/bin/llvm-bolt
done
[ -n "$real" ] || real=$(command -v llvm-bolt)
[ -n "$real" ] || { [ "$failures" -eq 0 ] && skip_all "llvm-bolt is not installed"; exit 1; }

fails 1 'text' --profile app.fdata text
fails 1 'cut short' --profile app.fdata cut
fails 1 'missing' --profile app.fdata missing
fails 1 'relocations' --profile app.fdata plain
stderr_has 'LDFLAGS=-Wl,-q'
fails 1 'one file' --profile app.fdata -o app app
ln app hard && ln -s app soft
fails 1 'one file' --profile app.fdata -o hard app
fails 1 'one file' --profile app.fdata -o soft app
fails 1 'no regular file' --profile app.fdata -o /dev/null app
fails 1 'folder of the output' --profile app.fdata -o no/such/folder/x app
fails 1 'empty' --profile empty app
printf '1 main 5 1 step\n' >bad.fdata
fails 1 'bad.fdata' --profile bad.fdata app
fails 1 'ELF' --profile app app
echo '{"build_id": "0011223344556677889900112233445566778899"}' >app.fdata.json
fails 1 'another build' --profile app.fdata app
stderr_has '0011223344556677889900112233445566778899'
rm app.fdata.json
printf '1 nobody 5 1 none 0 0 100\n' >other.fdata
fails 1 'matches none' --profile other.fdata app
fails 3 'stack' --profile app.fdata app -- -use-gnu-stack
fails 2 'is pgobolt' --profile app.fdata app -- -o y
fails 2 'no-such-option' --profile app.fdata app -- -no-such-option

if [ "$(id -u)" -ne 0 ]; then
	mkdir locked && chmod 500 locked
	fails 3 'folder of the output' --profile app.fdata -o locked/x app
fi

# ---- llvm-bolt misbehaves: a script that answers as it does, then does something else
fake() {
	{
		echo '#!/bin/sh'
		echo 'case $1 in --version) echo "LLVM version 22.1.8"; exit;;'
		echo '--help-hidden) echo "  --reorder-blocks=<value> - x"; exit;; esac'
		echo "$1"
	} >fake-bolt
	chmod +x fake-bolt
}
fake 'echo half >"$3"; kill -SEGV $$'
fails 1 'crashed' --llvm-bolt ./fake-bolt --profile app.fdata app
fake 'for f in "K_XX/1: an" K512/1\(*2\) K512/1; do
	echo "BOLT-WARNING: unable to disassemble instruction at offset 0x1 (address 0x2) in function $f"
done
echo "BOLT-INFO: fixed PIC indirect branch detected in function main"
kill -SEGV $$'
fails 1 'cannot read the code of K_XX/1, K512/1' --llvm-bolt ./fake-bolt --profile app.fdata app
stderr_lacks 'main'
fake 'echo half >"$3"; sleep 60'
fails 1 'not done after 1 seconds' --llvm-bolt ./fake-bolt --timeout 1 --profile app.fdata app
# it claims success and writes something that is no program
fake 'echo half >"$3"; echo "BOLT-INFO: 2 out of 9 functions in the binary (2.0%) have non-empty"'
fails 1 'cannot be read' --llvm-bolt ./fake-bolt --profile app.fdata app
# .. or a program that is another one
fake "cp '$PWD/static' \"\$3\"; echo 'BOLT-INFO: 2 out of 9 functions in the binary (2.0%) have'"
$CC -O2 -static -o static app.c && {
	fails 1 'thrown away' --llvm-bolt ./fake-bolt --profile app.fdata app
	run 0 optimize --llvm-bolt ./fake-bolt --no-verify --profile app.fdata -o kept app
	stdout_has 'interpreter'
	[ -f kept ] || fail "--no-verify kept nothing"
}

# what it cannot do is left out, step by step, and said
fake 'case " $* " in *" -split-functions "*|*" -update-debug-sections "*) kill -SEGV $$;; esac
exec "$REAL" "$@"'
sed -i 's|echo "  --reorder-blocks=<value> - x"|exec "$REAL" --help-hidden|' fake-bolt
REAL=$real run 0 optimize --llvm-bolt ./fake-bolt --max-stale 100 --profile app.fdata -o x app
stderr_has 'without: debug information'
stderr_has 'without: splitting of exception handlers'
stderr_has 'without: splitting of functions'
stderr_lacks 'without: order of blocks'
stdout_has 'splitting of functions'
./x | cmp - expected || fail "stepped down: wrong output"
rm x

# updating debug information takes too long: half of the time is for that, then it is left out
fake 'case " $* " in *" -update-debug-sections "*) sleep 60;; esac
exec "$REAL" "$@"'
sed -i 's|echo "  --reorder-blocks=<value> - x"|exec "$REAL" --help-hidden|' fake-bolt
REAL=$real run 0 --json optimize --llvm-bolt ./fake-bolt --timeout 30 --max-stale 100 \
	--profile app.fdata -o x app
stderr_has 'not done after 15 seconds; trying again without: debug information'
stdout_has '"debug_dropped": true'
./x | cmp - expected || fail "out of time: wrong output"
rm x

# Ctrl-C: llvm-bolt is stopped and nothing is left
fake 'echo half >"$3"; touch "$STARTED"; sleep 60'
ls -A1 >"$scratch/before"
STARTED=$PWD/started "$PGOBOLT" optimize --llvm-bolt ./fake-bolt --profile app.fdata app \
	>"$scratch/stdout" 2>"$scratch/stderr" &
pid=$!
last='optimize, interrupted'
await [ -e started ]
kill -TERM $pid
wait $pid
[ $? -eq 1 ] || fail "interrupted: exit status $?"
stderr_has 'stopped'
rm -f started
no_leftovers
rm -f fake-bolt

# ---- the real ones
for release in 22 19 16; do
	bolt=/usr/lib/llvm-$release/bin/llvm-bolt
	[ -x $bolt ] || { skip "llvm-bolt $release is not installed"; continue; }
	for preset in safe default max; do
		run 0 optimize --llvm-bolt $bolt --preset $preset --max-stale 100 \
			--profile app.fdata -o app.new app
		stdout_has "$release."
		stdout_has "preset $preset"
		stdout_has 'checks of the result good'
		stdout_has 'cannot be checked'
		./app.new | cmp - expected || fail "llvm-bolt $release, $preset: wrong output"
		run 0 verify app.new app
		run 1 optimize --llvm-bolt $bolt --profile app.fdata -o again app.new
		stderr_has 'went through llvm-bolt before'
		rm app.new
	done
	run 0 optimize --llvm-bolt $bolt --in-place --max-stale 100 --profile app.fdata \
		-o app.new plain
	stdout_has 'inside their functions'
	./app.new | cmp - expected || fail "llvm-bolt $release, in place: wrong output"
	untouched
done
run 0 optimize --max-stale 100 --profile app.fdata app
[ -x app.bolt ] || fail 'no app.bolt'
run 2 verify app.bolt
run 0 verify app.bolt app
mkdir out
run 0 --json optimize --max-stale 100 --profile app.fdata -o out app
stdout_is_json
stdout_has '"dyno_stats"'
[ -x out/app.bolt ] || fail 'no out/app.bolt'
# the same bytes from another folder, under other names
mkdir -p elsewhere/deep && cp app elsewhere/deep/other && cp app.fdata elsewhere/deep/profile.txt
(cd elsewhere/deep && "$PGOBOLT" -q optimize --max-stale 100 --profile profile.txt other) \
	>log 2>&1 || fail 'elsewhere'
cmp app.bolt elsewhere/deep/other.bolt || fail 'other bytes in another folder'
run 0 -v optimize --max-stale 100 --drop-debug --skip step --profile app.fdata -o x app
stderr_has '-skip-funcs=step'
stderr_lacks '-update-debug-sections'
run 0 -v optimize --max-stale 100 --profile app.fdata -o x app -- -align-functions=64
stderr_has '-align-functions=64'
stderr_has '-update-debug-sections'
stderr_has '-no-huge-pages'
run 0 optimize --max-stale 100 --log log --profile app.fdata -o x app
grep -q BOLT-INFO log || fail 'no log'

# ---- a program and its library at once
cat >work.c <<'END'
int work(int a) { return a % 5 == 1 ? a * 7 : a + 3; }
END
cat >user.c <<'END'
#include <stdio.h>
int work(int);
__attribute__((noinline)) static int turn(int a) { return a & 1 ? work(a) : a / 2; }
int main(void)
{
	int a = 1;
	for (int i = 0; i < 1000; i++)
		a = turn(a) + i;
	printf("%d\n", a);
	return 0;
}
END
mkdir both
if $CC -O2 -fPIC -shared -Wl,-q -o libwork.so work.c &&
	$CC -O2 -Wl,-q -o user user.c -L. -lwork -Wl,-rpath,'$ORIGIN'; then
	printf '1 main 0 1 turn 0 0 100\n1 turn 0 1 work 0 0 100\n' >both.fdata
	run 0 --json optimize --max-stale 100 --profile both.fdata -o both user libwork.so
	stdout_is_json
	for file in user libwork.so; do
		run 0 verify both/$file.bolt $file
		mv both/$file.bolt both/$file
	done
	./user >alone
	both/user | cmp - alone || fail 'a program and its library: wrong output'
else
	fail 'cannot compile a library'
fi

# ---- --check, --bench, --strip, --locked
run 0 --json optimize --max-stale 100 --profile app.fdata -o x --check '{} | grep .' app
stdout_has '"output_bytes"'
version=$(sed -n 's/.*"version": "\([0-9.]*\)".*/\1/p' "$scratch/stdout")
fails 1 'fails on the original' --profile app.fdata -o no --check '{}; exit 3' app
fails 1 'never runs' --profile app.fdata -o no --check true app
fails 2 'needs --bench' --profile app.fdata --min-gain 2 app
fails 2 'must name the binary' --profile app.fdata --bench ./app app
fails 1 'a gain of 90% is not shown' --max-stale 100 --profile app.fdata -o no \
	--bench '{}; sleep 0.05' --bench-time 1s --min-gain 90 app
run 0 optimize --max-stale 100 --profile app.fdata -o x --bench '{}' --bench-time 500ms app
stdout_has 'ratio'
fails 2 '--locked needs' --locked --profile app.fdata app
fails 1 'is asked for' --locked --llvm-bolt-version 1.2.3 --profile app.fdata app
run 0 optimize --locked --llvm-bolt-version "$version" --max-stale 100 --profile app.fdata app
cp app.bolt locked.bolt
fails 2 'number is written' --locked --llvm-bolt-version "$version" -j 1 --profile app.fdata app
one_cpu=$(command -v taskset >/dev/null && echo taskset -c 0)
(cd elsewhere/deep && $one_cpu "$PGOBOLT" -q optimize --locked --llvm-bolt-version "$version" \
	--max-stale 100 --profile profile.txt other) >log 2>&1 || fail 'locked elsewhere'
cmp locked.bolt elsewhere/deep/other.bolt || fail 'locked, other bytes in another folder'
# .. with another umask, language, time zone and home
rm elsewhere/deep/other.bolt
(cd elsewhere/deep && umask 077 && env -i PATH="$PATH" TZ=Asia/Tokyo LANG=C HOME=/nonexistent \
	TMPDIR="$PWD" "$PGOBOLT" -q optimize --locked --llvm-bolt-version "$version" \
	--max-stale 100 --profile profile.txt other) >log 2>&1 || fail 'locked, other environment'
cmp locked.bolt elsewhere/deep/other.bolt || fail 'locked, other bytes in another environment'
[ "$(stat -c %a locked.bolt)" = "$(stat -c %a elsewhere/deep/other.bolt)" ] ||
	fail 'locked, another mode with another umask'
# .. and as another user
mkdir nobody && cp app nobody/other && cp app.fdata nobody/profile.txt
chmod 755 . && chmod 777 nobody && chmod 644 nobody/profile.txt && chmod 755 nobody/other
if run_denied 0 optimize --locked --llvm-bolt-version "$version" --max-stale 100 \
	--profile nobody/profile.txt nobody/other && [ -e nobody/other.bolt ]; then
	cmp locked.bolt nobody/other.bolt || fail 'locked, other bytes for another user'
fi
if [ -x "${real%/*}/llvm-strip" ]; then
	run 0 optimize --max-stale 100 --profile app.fdata -o x --strip --check '{}' app
	stdout_has 'llvm-strip'
	nm x 2>&1 | grep -q ' main' && fail 'it still has symbols'
	run 0 verify x app
fi

# it keeps the build ID, but a profile of it fits nothing
run 1 convert -b app.bolt app.fdata
stderr_has 'llvm-bolt made it'

# GNU strip breaks it, and verify sees that
if command -v strip >/dev/null && strip --version 2>/dev/null | grep -q GNU; then
	cp app.bolt broken
	strip -g broken 2>/dev/null
	run 1 verify broken app
	stdout_has 'llvm-strip'
fi
