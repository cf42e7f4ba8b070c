#!/bin/sh
# SPDX-License-Identifier: MIT
# A disk that is full, after each number of pages: what fails says so and leaves nothing behind.
if [ -z "$PGOBOLT_TEST_INSIDE" ]; then
	flags=-m
	[ "$(id -u)" -eq 0 ] || flags=-rm
	if ! unshare $flags mount -t tmpfs none /mnt 2>/dev/null; then
		echo "no private mount namespace is allowed here"
		exit 77
	fi
	PGOBOLT_TEST_INSIDE=1 exec unshare $flags sh "$0"
fi
. "$SRCDIR/tests/cli/lib.sh"

cat >app.c <<'END'
volatile long sum;
__attribute__((noinline)) void work(long n) { for (long i = 0; i < n; i++) sum += i & 3 ? i : 1; }
int main(int argc, char **argv) { (void)argv; work(argc > 1 ? 1000 : 100000000); return 0; }
END
${CC:-cc} -O1 -Wl,-q -Wl,--build-id=sha1 -o app app.c || skip_all "no C compiler"
printf 'boltedcollection\n1 work 0 1 work 4 0 300\n1 main 0 1 work 0 0 7\n' >branches.fdata
work=$(${NM:-nm} app | sed -n 's/^0*\([0-9a-f]*\) T work$/\1/p')
printf 'E cycles:u\nS %s 1200\n' "$work" >samples.preagg
folder=$PWD
mkdir "$scratch/small"
mount -t tmpfs -o size=256k none "$scratch/small" || skip_all "no small file system"
trap 'status=$?; cd /; umount "$scratch/small"; (exit $status); finish' EXIT
cd "$scratch/small" || exit 1
cp "$folder/app" .

# full WHAT ARGS..: with ever more room, until it succeeds; only then there is something new
full() {
	what=$1
	shift
	for room in 0 4 8 12 16 20 24 32 40 56 80 112 176 236; do
		rm -f fill
		free=$(df -kP . | awk 'NR == 2 { print $4 }')
		[ "$free" -le "$room" ] || head -c $(((free - room) * 1024)) /dev/zero >fill
		"$PGOBOLT" "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null
		got=$?
		last="pgobolt $* with $room KiB"
		left=$(ls -A | grep -vxE 'app|fill|first\.data' | tr '\n' ' ')
		if [ $got -eq 0 ]; then
			[ -n "$left" ] || fail "$last: wrote nothing"
			# shellcheck disable=SC2086  # words
			rm -rf fill $left
			echo "$what: done with $room KiB"
			return
		fi
		[ $got -eq 3 ] || [ $got -eq 125 ] || fail "$last: exit status $got"
		grep -qE 'No space left on device|disk of the output is full' "$scratch/stderr" ||
			fail "$last: does not say that the disk is full"
		grep -q '^  ' "$scratch/stderr" || fail "$last: no remedy"
		[ -z "$left" ] || fail "$last: left $left"
		[ "$failures" -eq 0 ] || { show; exit 1; }
	done
	fail "$what: never done"
}

full 'convert to fdata' convert -b app "$folder/samples.preagg" -o out
full 'convert to a folder' convert -b app "$folder/samples.preagg" -o out/ --format fdata,preagg
full 'convert to text' convert -b app "$folder/samples.preagg" -o out --format preagg
full merge merge "$folder/branches.fdata" "$folder/branches.fdata" -o out
if "$PGOBOLT" record -q -s ip -o first.data -- ./app >"$scratch/log" 2>&1; then
	full record record -s ip -- ./app
	cp -r first.data "$scratch/before"
	full 'a second recording' record -s ip -o second.data -- ./app
	full 'merge of recordings' merge first.data first.data -o out
	full report report first.data -o page.html
	diff -r "$scratch/before" first.data || fail 'a recording was changed'
	rm -rf first.data
else
	skip "nothing can be recorded here: $(grep -m 1 pgobolt: "$scratch/log")"
fi
full bench bench --save bench.json -n 2 true true
if "$PGOBOLT" optimize -q --profile "$folder/branches.fdata" -o "$folder/app.bolt" app \
	>/dev/null 2>&1; then
	full optimize optimize --profile "$folder/branches.fdata" -o app.bolt app
else
	skip 'llvm-bolt is not here'
fi
cmp app "$folder/app" || fail 'the input was changed'
