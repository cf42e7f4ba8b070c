#!/bin/sh
# SPDX-License-Identifier: MIT
# optimize gives llvm-bolt's -strict where all jumps that it does not understand are proven: computed
# gotos are laid out. A difference of labels or a computed jump anywhere, and it is not given.
. "$SRCDIR/tests/cli/lib.sh"

[ "$(uname -m)" = x86_64 ] || skip_all "x86-64 alone"
bolt=$(ls -d /usr/lib/llvm-2[2-9]/bin/llvm-bolt 2>/dev/null | tail -n 1)
[ -n "$bolt" ] || skip_all "llvm-bolt 22 is not installed"

# body NAME DATA NEXT: a machine that goes from one instruction to the next as NEXT says
body() {
	cat <<-END_C
	#undef NEXT
	#define NEXT $3
	__attribute__((noinline)) long $1(const byte *p, long a) {
		$2;
		NEXT;
		add: a += 1; NEXT;
		mul: a *= 3; NEXT;
		odd: if (a & 1) p++; NEXT;
		cut: a &= 0xfffffff; NEXT;
		rare: a = labs(a) ^ printf("rare\n"); NEXT;
		loop: if (++a % 977) { p -= 9; NEXT; }
		stop: return a;
	}
	END_C
}

labels='&&add, &&mul, &&odd, &&cut, &&rare, &&loop, &&stop'
differences=$(printf %s "$labels" | sed 's/&&[a-z]*/& - \&\&add/g')

# program WITH: gotos and tail calls, and what WITH names
program() {
	printf '#include <stdio.h>\n#include <stdlib.h>\ntypedef unsigned char byte;\n'
	body gotos "static const void *const table[] = {$labels}; const void *const *volatile t = table" \
		'goto *t[*p++]'
	[ "$1" != distances ] || body distances "static const int table[] = {$differences}" 'goto *(&&add + table[*p++])'
	[ "$1" != mixed ] || body mixed "static const void *volatile base[] = {&&add}; static const int table[] = {$differences}" \
		'goto *((const char *)*base + table[*p++])'
	[ "$1" != written ] || cat <<'END_C'
/* Four bytes for each case, counted from a label. */
long written(const byte *, long);
__asm__(".text\n.globl written\n.type written,@function\nwritten:\n"
	"test %rsi, %rsi\njs 2f\nand $2, %edi\nlea 1f(%rip), %rax\nlea (%rax,%rdi,2), %rdx\n"
	"mov %rsi, %rax\njmp *%rdx\n.p2align 2\n1:\ninc %rax\nret\nnot %rax\nret\n"
	"2: mov %rsi, %rax\nret\n.size written,.-written\n");
END_C
	cat <<END_C
#define OTHER $1
END_C
	cat <<'END_C'
static long (*volatile thunks[3])(long);
static long half(long a) { return a / 2; }
static long twice(long a) { return a * 2; }
__attribute__((noinline)) long tail(long a)
{
	if (a > 100000)
		return thunks[0](a);
	if (a < 10)
		return thunks[1](a + 5);
	return a;
}

int main(int count, char **words)
{
	static const byte code[] = {0, 1, 2, 0, 0, 3, 0, 0, 5, 6};
	long a = count, rounds = count > 1 ? atol(words[1]) : 3;

	(void)words;
	thunks[0] = half, thunks[1] = twice;
	for (long i = 0; i < rounds; i++) {
		a = gotos(code, a & 0xffff) + OTHER(code, a & 0xfff);
		a = tail(a & 0xfffff);
	}
	printf("%ld\n", a);
	return 0;
}
END_C
}

# moved FILE NAME: does the function lie in the new code, or where it was?
moved() {
	first=$(readelf -SW "$1" | sed -n 's/^ *\[ *[0-9]*\] \.text  *PROGBITS *\([0-9a-f]*\).*/\1/p')
	nm "$1" | awk -v name="$2" -v first="$first" '$3 == name { exit !($1 >= first) }'
}

record() {
	rm -rf data
	"$PGOBOLT" record -q -s ip -F 2000 -o data -- ./app 9000 >/dev/null 2>"$scratch/record" || {
		cat "$scratch/record"
		skip_all "nothing can be recorded here"
	}
	# enough of each function for llvm-bolt to look at it
	printf '0 [unknown] 0 1 %s 0 0 100\n' main tail gotos >>"$(echo data/app*.fdata)"
}

# try WHAT OTHER
try() {
	rm -f app.bolt
	./app 300 >expected
	record
	run 0 optimize --llvm-bolt "$bolt" --profile data -o app.bolt ./app
	./app.bolt 300 >got
	cmp -s expected got || fail "$1: the result prints something else"
	if [ "$2" = gotos ]; then
		stdout_has '1 with computed gotos, proven: gotos'
		stdout_has '1 with tail calls, proven: tail'
		grep -q '"command": ".* -strict' data/optimize.json || fail "$1: no -strict"
		moved app.bolt gotos || fail "$1: the computed gotos were left alone"
	else
		stdout_has "jumps that llvm-bolt does not understand stay as they are, for 1 unproven function: $2"
		! grep -q '"command": ".* -strict' data/optimize.json || fail "$1: -strict"
		! moved app.bolt "$2" || fail "$1: $2 was moved"
	fi
}

for compiler in gcc clang-22; do
	command -v $compiler >/dev/null || { skip "no $compiler"; continue; }
	for mode in "-fPIE -pie" "-fno-pie -no-pie"; do
		for other in gotos distances mixed written; do
			# shellcheck disable=SC2086  # a list of words
			program $other >app.c && $compiler -O2 $mode -Wl,-q -Wl,--build-id=sha1 -o app app.c ||
				exit 1
			try "$compiler $mode $other" $other
		done
	done
done

# who decides for himself gets what he asked for; so does who leaves a function alone
program gotos >app.c && $CC -O2 -Wl,-q -Wl,--build-id=sha1 -o app app.c || exit 1
./app 300 >expected
record
for options in '--preset safe' '--skip tail' '--skip-funcs-file /dev/null' '-- -strict=0'; do
	# shellcheck disable=SC2086  # a list of words
	"$PGOBOLT" optimize --json --llvm-bolt "$bolt" --profile data -o app.own ./app $options \
		>"$scratch/stdout" 2>&1
	stdout_lacks ' -strict '
	stdout_lacks '"proven"'
done

# what fails with it is done without
cat >fails-when-strict <<END
#!/bin/sh
case " \$* " in *" -strict "*) echo 'BOLT-ERROR: no' >&2; exit 1 ;; esac
exec $bolt "\$@"
END
chmod +x fails-when-strict
run 0 optimize --llvm-bolt ./fails-when-strict --profile data -o app.without ./app
stderr_has 'trying without -strict'
stdout_lacks 'proven'
./app.without 300 >got
cmp -s expected got || fail "without -strict the result prints something else"

# older releases get it wrong
old=$(ls -d /usr/lib/llvm-1[6-9]/bin/llvm-bolt 2>/dev/null | tail -n 1)
if [ -n "$old" ]; then
	run 0 optimize --json --llvm-bolt "$old" --profile data -o app.old ./app
	stdout_lacks ' -strict '
	./app.old 300 >got
	cmp -s expected got || fail "$old: the result prints something else"
else
	skip "no older llvm-bolt"
fi
