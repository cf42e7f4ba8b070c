#!/bin/sh
# SPDX-License-Identifier: MIT
. "$SRCDIR/tests/cli/lib.sh"

cat >app.c <<'END'
volatile int sum;
__attribute__((noinline)) void work(int n) { for (int i = 0; i < n; i++) sum += i; }
int main(void) { work(1000); return 0; }
END
${CC:-cc} -O1 -fno-inline -Wl,--build-id=sha1 -o app app.c || skip_all "no C compiler"
work=$(${NM:-nm} app | sed -n 's/^0*\([0-9a-f]*\) T work$/\1/p')
[ -n "$work" ] || skip_all "no nm"
printf 'E cycles:u\nS %s 1200\n' "$work" >samples.preagg
printf 'no_lbr cycles:u\n1 work 4 300\n' >samples.fdata
printf '1 work 8 1 work 4 1 5000\n' >branches.fdata

# sums, weights, and the note beside an fdata file
cat >sum <<'END'
no_lbr cycles:u
1 work 0 1200
1 work 4 900
END
run 0 convert -b app samples.preagg --weight 3 samples.fdata -o OUT
diff -u sum OUT || fail 'sum of text and fdata'
stdout_has 'OUT: 2 lines, 2.10 k samples in 1 function'
stdout_has 'Quality: C'
stdout_has 'Next: pgobolt optimize app --profile OUT'
[ -f OUT.json ] || fail 'no note beside the fdata file'
rm -f OUT OUT.json

# by default here, under the binary's name; both formats beside each other
run 0 convert -q -b ./app samples.preagg
stdout_empty
[ -f app.fdata ] || fail 'not app.fdata'
run 0 convert -b app samples.preagg --format fdata,preagg -o two.fdata
[ -f two.fdata ] && [ -f two.preagg ] || fail 'not two.fdata and two.preagg'
run 0 convert -b app two.preagg -o again
cmp again two.fdata || fail 'not the same through text'
run 0 convert --json -b app samples.preagg -o OUT
stdout_is_json
stdout_has '"grade"'
"$PGOBOLT" convert -b app samples.preagg -o - 2>/dev/null | cmp - app.fdata || fail 'not on stdout'
ln -s /dev/stdout link
"$PGOBOLT" convert -b app samples.preagg -o link 2>/dev/null | cmp - app.fdata || fail 'not there'
[ ! -e link.json ] || fail 'a note beside standard output'
rm link
run 2 convert --json -b app samples.preagg -o -
stdout_is_json
rm -f OUT OUT.json

# a grade can be asked for
run 1 convert -b app samples.preagg --min-grade B -o OUT
stderr_has 'grade C, B is wanted'
stderr_has 'single addresses'
no_leftovers
run 0 convert -b app samples.preagg --min-grade c -o OUT
run 0 convert -b app branches.fdata --min-grade A -o OUT
run 2 convert -b app samples.preagg --min-grade Z -o OUT
rm -f OUT OUT.json

# a recording's folder, for one binary as well
run 0 convert -b app samples.preagg -o folder.data/ --format fdata,preagg
stdout_has 'Next: pgobolt optimize app --profile folder.data/'
for suffix in fdata edges preagg; do
	ls folder.data/app-*.$suffix >/dev/null || fail "no $suffix in the folder"
done
run 0 convert -q -b app folder.data -o OUT
cmp OUT app.fdata || fail 'not the same through a recording'
run 0 convert -q -b app samples.preagg -o folder.data
[ -d folder.data.old ] || fail 'a former recording is not kept'
run 1 convert -b app folder.data -o folder.data
stderr_has 'is an input and the output'
rm -rf OUT OUT.json folder.data folder.data.old

# what to type next can be typed
mkdir 'a b'
cp app 'a b/app'
run 0 convert -b 'a b/app' samples.preagg -o 'a b/OUT'
stdout_has "Next: pgobolt optimize 'a b/app' --profile 'a b/OUT'"
rm -r 'a b'

# bad input: named, the right status, no output
refused() {
	run "$@"
	stdout_empty
	no_leftovers
	[ ! -e OUT ] || fail "$last: wrote OUT"
}
refused 2 convert
refused 2 convert samples.preagg -o OUT
stderr_has '-b BINARY'
refused 2 convert -b app -o OUT
stderr_has 'convert needs INPUT'
refused 2 convert -b app samples.preagg --format yaml -o OUT
stderr_has 'there are: fdata, preagg'
refused 2 convert -b app samples.preagg --weight 0 samples.fdata -o OUT
refused 2 convert -b app samples.fdata --format preagg -o OUT
stderr_has 'samples.fdata holds names'
refused 1 convert -b app samples.preagg branches.fdata -o OUT
refused 1 convert -b missing samples.preagg -o OUT
refused 1 convert -b app.c samples.preagg -o OUT
stderr_has 'app.c'
refused 1 convert -b app missing -o OUT
refused 1 convert -b app app.c -o OUT
refused 1 convert -b app app -o OUT
stderr_has 'ELF file'
: >empty
refused 1 convert -b app empty -o OUT
printf 'PERFILE2' >cut.data
refused 1 convert -b app cut.data -o OUT
stderr_has 'cut.data'
printf 'S 10 5\n' >outside.preagg
refused 1 convert -b app outside.preagg -o OUT
stderr_has 'nothing of app can be written'
refused 1 convert -b app samples.preagg -o samples.preagg
refused 1 convert -b app samples.preagg -o app
stderr_has 'app is an input and the output'
refused 1 convert -b app samples.preagg -o no/such/folder
mkdir folder
chmod 555 folder
run_denied 3 convert -b app samples.preagg -o folder/out
chmod 0 samples.fdata
run_denied 3 convert -b app samples.fdata -o OUT
chmod 644 samples.fdata
[ ! -c /dev/full ] || run 3 convert -b app samples.preagg --format preagg -o /dev/full

# real recordings, of processors that are not here
corpus=${PGOBOLT_CORPUS:-$SRCDIR/../shared/corpus}
if [ ! -d "$corpus/lbr" ]; then
	skip 'no real recordings'
	exit 0
fi
loop=$corpus/lbr/haswell_loop
run 0 convert -b "$loop" "$loop.perf.data" --format preagg -o OUT
run 0 convert -b "$loop" "$loop.perf.data" -o OUT
diff -u "$loop.perf2bolt22.fdata" OUT || fail 'not what perf2bolt writes'
stdout_has 'density    2.8'
run 0 convert --compat perf2bolt -b "$loop" "$loop.perf.data" -o OUT
diff -u "$loop.perf2bolt22.fdata" OUT || fail 'not what perf2bolt writes, with --compat'
run 0 convert -b "$loop" "$loop.perf.data" --basic -o OUT
stdout_has '127 samples'
refused_real() {
	wanted_text=$1
	shift
	rm -f OUT OUT.json
	refused "$@" -o OUT
	stderr_has "$wanted_text"
}
refused_real 'ld-2.23.so 95.5%' 1 convert -b "$loop" "$corpus/lbr/skylake_branch-4.14.perf.data"
refused_real 'another machine (aarch64)' 1 convert -b "$loop" "$corpus/arm/etm_auxtrace.perf.data"
refused_real 'in the kernel' 1 convert -b "$loop" "$corpus/amd/zen4_branch_stack.perf.data"
refused_real 'is damaged at byte' 1 convert -b "$loop" "$corpus/bad/zero_size_record.perf.data"
refused_real 'is not perf.data' 1 convert -b "$loop" "$corpus/bad/invalid.perf.data"
