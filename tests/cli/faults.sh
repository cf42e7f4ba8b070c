#!/bin/sh
# SPDX-License-Identifier: MIT
# Faults that llvm-bolt, linkers and strip make, put in by a wrapper around llvm-bolt, so that every
# run of it has them: verify or the user's check finds each, and the search finds the functions.
. "$SRCDIR/tests/cli/lib.sh"

. "$SRCDIR/tests/faults/setup.sh"

# hold VICTIM CHECK [LEAST]: each of the faults is found in what llvm-bolt makes of the program
# KIND SYMBOL WHAT VERIFY SAYS (-: the check finds it)
hold() {
	victim=$1 check=$2
	FAULTS='' run 0 $optimize -o good --check "$check" "$victim"
	stdout_has 'passed'
	found=0
	while read -r kind symbol words; do
		cp good broken
		./fault "$kind" broken "$symbol"
		case $? in
		0) ;;
		1) echo "$kind does not apply to $victim"; continue ;;
		*) fail "$kind"; continue ;;
		esac
		found=$((found + 1))
		if [ "$words" != - ]; then
			run 1 verify broken "$victim"
			grep -qF -e "$words" "$scratch/stdout" "$scratch/stderr" ||
				{ fail "$kind: verify does not say '$words'"; show; }
			continue
		fi
		limit=60s # only a program that hangs needs it
		[ "$kind" != hang ] || limit=5s
		FAULTS=$kind:$symbol run 1 $optimize -o bad --no-search --check-timeout $limit \
			--check "$check rare" "$victim"
		stderr_has 'the result fails the check'
		[ ! -e bad ] || fail "$kind: it was kept"
	done <"$scratch/faults"
	cp good broken
	./fault build-id broken -
	run 0 verify broken "$victim"
	stdout_has 'another build'
	echo "$victim: $found faults"
	[ "$found" -ge "${3:-30}" ] || fail "only $found faults apply to $victim"
}

cat >"$scratch/faults" <<'END'
crash step_f -
hang step_f -
return step_f -
crash-cold step_e -
wrong-byte step_f -
landing-pad step_f indirect calls may land
stack-executable - stack has become executable
stack-gone - PT_GNU_STACK is gone
relro-gone - RELRO is gone
unwind-gone - PT_GNU_EH_FRAME
interpreter-gone - interpreter
interpreter-other - interpreter
tls-short - thread-local storage
write-execute - writable and executable
segment-beyond-end - beyond the end of the file
segment-misplaced - disagree in their page
entry - entry point
symbol-gone step_f exported symbols have changed
symbol-misplaced step_f step_f points to
symbol-type frames has changed its type
function-gone step_f pointers to functions go astray
needed-gone - dynamic entry
needed-other - a library or search path has changed
bind-now-gone - bound at their first call
init - DT_INIT is not in executable memory
relocation-dropped step_f dynamic relocations: 1 are gone
relocation-shifted step_f pointers to functions go astray
relocation-stale step_f pointers to functions go astray
version-gone - versions of dynamic symbols
unwind-unsorted - not sorted
unwind-entry-gone step_f can no longer be unwound
unwind-entry-wrong step_f of another function
unwind-entry-short step_f can no longer be unwound
property - GNU properties
sections-cut - cut short
machine - another machine
END
hold victim '{} 6000'
./victim >expected
./good | cmp - expected || fail 'the good result differs'

# ---- exceptions, really thrown through moved code
cp "$scratch/faults" "$scratch/faults-of-c"
cat >"$scratch/faults" <<'END'
crash _Z10catch_somej -
crash _Z7pass_onj -
exception-table-gone _Z10catch_somej handlers of exceptions have none any more
exception-table-gone _Z7pass_onj handlers of exceptions have none any more
handler-misplaced _Z12catch_othersj of exceptions outside the function
handler-blind _Z10catch_somej -
handler-blind _Z12catch_othersj -
unwind-unsorted - not sorted
unwind-entry-gone _Z7pass_onj can no longer be unwound
unwind-entry-wrong _Z10catch_somej of another function
unwind-entry-short _Z10throw_somej can no longer be unwound
END
# thrown COMPILER PROGRAM
thrown() {
	$1 -O2 -Wl,-q -Wl,-z,now -Wl,-E -Wl,--build-id=sha1 -fno-reorder-blocks-and-partition \
		-o "$2" "$faults/thrower.cpp" 2>/dev/null
}
# hold_thrown PROGRAM RUN..: RUN runs it, before and after
hold_thrown() {
	program=$1
	shift
	hold "$program" "$* {} 60000" 11
	nm good | awk '$3 ~ /catch_some|pass_on|throw_some/ && $3 !~ /cold/ { print $1 }' >after
	nm "$program" | awk '$3 ~ /catch_some|pass_on|throw_some/ { print $1 }' >before
	[ -s after ] && ! grep -qFf before after || fail "$program: nothing was moved"
	"$@" ./"$program" 60000 >thrown.expected
	grep -q 'sum f75b3745' thrown.expected || fail "$program: $(cat thrown.expected)"
	"$@" ./good 60000 | cmp - thrown.expected || fail "$program: exceptions differ"
}
optimize_here=$optimize
cxx=
for compiler in "$CXX" g++ clang++ c++; do
	[ -n "$cxx" ] || [ -z "$compiler" ] || ! thrown $compiler thrower || cxx=$compiler
done
if [ -z "$cxx" ]; then
	skip 'exceptions: no C++ compiler'
else
	"$PGOBOLT" -q record -s instrument -o thrown -- ./thrower 60000 >log 2>&1 ||
		{ cat log; fail 'thrower: no profile'; }
	optimize="optimize --llvm-bolt ./bolt --profile thrown"
	hold_thrown thrower env
fi
if ! command -v qemu-aarch64 >/dev/null || ! thrown aarch64-linux-gnu-g++ thrower64; then
	skip 'exceptions on AArch64: no cross compiler or no qemu-aarch64'
elif ! "$REAL" --version | grep -qi aarch64; then
	skip "exceptions on AArch64: not known to $REAL"
else
	for function in _Z10catch_somej _Z7pass_onj _Z12catch_othersj _Z10throw_somej; do
		printf '1 main 0 1 %s 0 0 5000\n' $function
	done >thrown64.fdata
	optimize="optimize --max-stale 100 --llvm-bolt ./bolt --profile thrown64.fdata"
	hold_thrown thrower64 qemu-aarch64 -L /usr/aarch64-linux-gnu
fi
optimize=$optimize_here
cp "$scratch/faults-of-c" "$scratch/faults"

# ---- the same for AArch64, run by an emulator
cross=aarch64-linux-gnu-gcc
if ! command -v $cross >/dev/null || ! command -v qemu-aarch64 >/dev/null; then
	skip 'AArch64: no cross compiler or no qemu-aarch64'
elif ! "$REAL" --version | grep -qi aarch64; then
	skip "AArch64: not known to $REAL"
else
	for step in a b c d e f g h i j k l; do
		printf '1 run 3c 1 step_%s 0 0 5000\n1 step_%s 8 1 step_%s c 0 100\n' $step $step $step
	done >aarch64.fdata
	$cross -O2 -mbranch-protection=standard -Wl,-q -Wl,-z,now -Wl,-E \
		-Wl,--build-id=sha1 -o victim64 "$faults/victim.c" 2>/dev/null || exit 1
	optimize_here=$optimize
	optimize="optimize --max-stale 100 --llvm-bolt ./bolt --profile aarch64.fdata"
	sed -i '/^landing-pad/d' "$scratch/faults"
	hold victim64 'qemu-aarch64 -L /usr/aarch64-linux-gnu {} 6000'
	# its C library is not built for BTI, so a program that is would not run
	$cross -O2 -mbranch-protection=standard -Wl,-q -Wl,-z,now -Wl,-E -Wl,-z,force-bti \
		-o strict "$faults/victim.c" 2>/dev/null || exit 1
	FAULTS='' run 0 $optimize -o strict.bolt strict
	run 0 verify strict.bolt strict
	# signed return addresses, which it reports and releases before 22 cannot process
	echo 'void _start(void) { for (;;) ; }' >pac.c
	$cross -O2 -nostdlib -static -mbranch-protection=standard -Wl,-q -o pac pac.c || exit 1
	run 1 verify pac
	stdout_has 'return addresses are signed'
	./fault landing-pad strict.bolt step_f
	run 1 verify strict.bolt strict
	stdout_has 'indirect calls may land'
	optimize=$optimize_here
fi

# ---- the search
: >runs
FAULTS='crash:step_k wrong-byte:step_f' run 0 $optimize -o found --check '{} 6000' victim
stdout_has 'step_f: left as it is'
stdout_has 'step_k: left as it is'
stdout_has 'functions make the result wrong'
./found | cmp - expected || fail 'the repaired result differs'
[ ! -e found.search ] || fail 'found.search is left'
trials=$(sed -n 's/.* in \([0-9]*\) trials:$/\1/p' "$scratch/stdout")
[ "$trials" -le "$(runs_most 24 2)" ] || fail "$trials trials for 2 of 24 functions"
for file in README.md reproduce.sh profile.fdata functions; do
	[ -s "found.reproducer/$file" ] || fail "no found.reproducer/$file"
done
grep -q step_f found.reproducer/README.md || fail 'README.md does not name step_f'
FAULTS='crash:step_k wrong-byte:step_f' sh found.reproducer/reproduce.sh >log 2>&1
grep -q '== exit status 132' log || { cat log; fail 'the reproducer does not reproduce'; }

# what verify alone finds is searched for, too
FAULTS='unwind-entry-gone:step_c' run 0 --json $optimize -o found victim
stdout_has '"step_c"'
run 0 verify found victim
# a fault of no function: which option does not matter either, so there is no result
rm -rf found*
FAULTS='stack-executable:-' run 1 $optimize -o found victim
stderr_has 'moves nothing'
[ ! -e found ] || fail 'a broken result was kept'
[ ! -e found.search ] || fail 'found.search is left'

# interrupted in the middle, the next run goes on
cat >slow <<'END'
#!/bin/sh
"$PGOBOLT_BINARY" 6000 || exit
sleep 0.3
END
chmod +x slow
FAULTS='crash:step_k wrong-byte:step_f' "$PGOBOLT" $optimize -o found --check ./slow victim \
	>/dev/null 2>"$scratch/stderr" </dev/null &
pid=$!
last='optimize, interrupted'
await has_lines 4 found.search/journal
kill -INT $pid
wait $pid
[ $? -eq 1 ] || fail "interrupted: exit status $?"
if [ -s found.search/journal ]; then
	known=$(($(wc -l <found.search/journal) - 1))
	: >runs
	FAULTS='crash:step_k wrong-byte:step_f' run 0 $optimize -o found --check ./slow victim
	stdout_has 'step_f: left as it is'
	again=$(wc -l <runs)
	[ $((again + known)) -le 26 ] || fail "$known known trials, and $again runs again"
	[ ! -e found.search ] || fail 'found.search is left'
else
	fail 'the interrupted search left no journal'
fi
