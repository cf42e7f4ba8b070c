#!/bin/sh
# SPDX-License-Identifier: MIT
# llvm-bolt crashes and does not say on which function: the functions are searched for and left
# alone, with the whole preset for all others.
. "$SRCDIR/tests/cli/lib.sh"
. "$SRCDIR/tests/faults/setup.sh"
./victim >expected

# crashing CRASHES GUILTY ARGS..: it is mended, in as few trials as promised, and nothing is left out
crashing() {
	crashes=$1 guilty=$2
	shift 2
	rm -rf mended*
	CRASHES=$crashes run 0 --json $optimize --drop-debug -o mended "$@" victim
	./mended | cmp - expected || fail "$crashes: the result differs"
	[ ! -e mended.search ] || fail "$crashes: mended.search is left"
	stdout_has '"left_out": []'
	for function in $guilty; do
		stderr_has "the function $function makes llvm-bolt fail"
		grep -q "$function" mended.crash-reproducer/README.md ||
			fail "README.md does not name $function"
	done
	command -v python3 >/dev/null || return 0
	set -- $(python3 -c 'import json, sys
crash = json.load(sys.stdin)["optimized"][0]["crash"]
print(crash["candidates"], crash["runs"], *crash["functions"])' <"$scratch/stdout")
	candidates=$1 runs=$2
	shift 2
	[ "$*" = "$guilty" ] || fail "$crashes: '$*' instead of '$guilty' was found"
	[ "$runs" -le "$(runs_most "$candidates" $#)" ] ||
		fail "$crashes: $runs runs for $# of $candidates functions"
}

for kind in segv abort exit; do
	crashing $kind:step_k step_k
done
crashing 'segv:step_f abort:step_b' 'step_b step_f'
crashing 'exit:run exit:step_a exit:step_l' 'step_a step_l run'
# with functions to be skipped anyway, by name and by pattern
crashing segv:step_f step_f --skip step_d,step_e
printf '\nstep_[de]\n' >patterns
crashing segv:step_f step_f --skip-funcs-file patterns

# the reproducer crashes, too
(CRASHES=segv:step_f LLVM_BOLT=$PWD/bolt sh mended.crash-reproducer/reproduce.sh) >log 2>&1
grep -q "== llvm-bolt's exit status 139" log || { cat log; fail 'the reproducer does not crash'; }

# on functions without a profile: these are left alone; with one that has a profile, both
rm -rf mended*
CRASHES=segv:cold run 0 $optimize -o mended victim
stdout_has 'some function without a profile makes llvm-bolt fail'
./mended | cmp - expected || fail 'cold: the result differs'
rm -rf mended*
CRASHES='segv:cold abort:step_a' run 0 $optimize -o mended --check '{} 6000' victim
stdout_has 'step_a: left as it is'
stdout_has 'functions without a profile are left as they are'
# .. and what then is wrong is found, too
rm -rf mended*
CRASHES='segv:cold segv:step_a' FAULTS='crash:step_k' run 0 $optimize -o mended \
	--check '{} 6000' --skip step_d victim
# how many functions there are differs between compilers; what the first search found is left out
most=$(sed -n 's/.*found *1 of \([0-9]*\) functions makes llvm-bolt fail.*/\1/p' "$scratch/stdout")
stdout_has "1 of ${most:-20 or more} functions makes llvm-bolt fail"
stdout_has 'step_a: left as it is'
stdout_has "1 of $((${most:-0} - 1)) functions makes the result wrong"
stdout_has 'step_k: left as it is'
./mended | cmp - expected || fail 'crash and fault: the result differs'
[ ! -e mended.search ] || fail 'mended.search is left'

# it was not the debug information, so that is kept
if $CC -g -O2 -Wl,-q -Wl,-z,now -Wl,-E -Wl,--build-id=sha1 -fcf-protection=full \
	-fno-reorder-blocks-and-partition -o debugged "$SRCDIR/tests/faults/victim.c" 2>/dev/null; then
	printf '1 run 3c 1 step_f 0 0 5000\n1 run 3c 1 step_k 0 0 5000\n' >debugged.fdata
	CRASHES=segv:step_k run 0 --json optimize --max-stale 100 --llvm-bolt ./bolt \
		--profile debugged.fdata -o mended debugged
	stdout_has '"debug_dropped": false'
	CRASHES=segv:debug run 0 --json optimize --max-stale 100 --llvm-bolt ./bolt \
		--profile debugged.fdata -o mended debugged
	stdout_has '"debug_dropped": true'
	stdout_has '"crash": null'
fi

# no function at all: the ladder; it crashes at each step
rm -rf mended*
: >runs
CRASHES=segv:- run 1 $optimize -o mended victim
stderr_has 'llvm-bolt fails also when it moves no function'
stderr_has 'without: order of blocks'
ls -d mended* 2>/dev/null && fail 'a crash left something'
: >runs
CRASHES=segv:step_k run 1 $optimize --no-search -o mended victim
stderr_lacks 'looking for'
stderr_has 'without: order of blocks'

# interrupted, the next run goes on
cat >slow <<'END'
#!/bin/sh
case $1 in -*) ;; *) sleep 0.3 ;; esac
exec ./bolt "$@"
END
chmod +x slow
sed -i "s|./bolt|$PWD/bolt|" slow
rm -rf mended*
: >runs
slowly="optimize --drop-debug --llvm-bolt ./slow --profile profile -o mended victim"
CRASHES='segv:step_k segv:step_f' "$PGOBOLT" $slowly >/dev/null 2>"$scratch/stderr" </dev/null &
pid=$!
await has_lines 4 mended.search/journal
kill -INT $pid
wait $pid
[ $? -eq 1 ] || fail "interrupted: exit status $?"
if [ -s mended.search/journal ]; then
	known=$(($(wc -l <mended.search/journal) - 1))
	: >runs
	CRASHES='segv:step_k segv:step_f' run 0 $slowly
	stdout_has 'step_f: left as it is'
	stdout_has 'step_k: left as it is'
	# the crash, the trials, those of the options, the result; without those known
	most=$((2 + $(runs_most 24 2) + 9 - known))
	[ "$(wc -l <runs)" -le $most ] || fail "$(wc -l <runs) runs again, $known were known"
else
	fail 'the interrupted search left no journal'
fi
