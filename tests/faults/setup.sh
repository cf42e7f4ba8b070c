# SPDX-License-Identifier: MIT
# For tests that run a faulty llvm-bolt, after lib.sh: ./bolt (the wrapper), ./fault, ./victim, its
# profile, `optimize` to begin a command with, RUNS (a line for each run of llvm-bolt).
REAL=
for release in 22 19 16; do
	[ -n "$REAL" ] || [ ! -x /usr/lib/llvm-$release/bin/llvm-bolt ] ||
		REAL=/usr/lib/llvm-$release/bin/llvm-bolt
done
[ -n "$REAL" ] || REAL=$(command -v llvm-bolt)
[ -n "$REAL" ] || skip_all 'llvm-bolt is not installed'
faults=$SRCDIR/tests/faults
FAULT=$PWD/fault
RUNS=$PWD/runs
export REAL FAULT RUNS
cp "$faults/faulty-llvm-bolt" bolt && chmod +x bolt
$CC -O1 -o fault "$faults/fault.c" || skip_all 'no C compiler'
$CC -O2 -Wl,-q -Wl,-z,now -Wl,-z,ibt -Wl,-E -Wl,--build-id=sha1 -fcf-protection=full \
	-fno-reorder-blocks-and-partition -o victim "$faults/victim.c" 2>/dev/null ||
	$CC -O2 -Wl,-q -Wl,-z,now -Wl,-E -Wl,--build-id=sha1 -o victim "$faults/victim.c" || exit 1
"$PGOBOLT" -q record -s instrument -o profile -- ./victim 60000 >log 2>&1 ||
	skip_all "no profile: $(tail -n 1 log)"
optimize="optimize --llvm-bolt ./bolt --profile profile"

# runs_most FUNCTIONS GUILTY: of a search, GUILTY * (log2(FUNCTIONS) + 5)
runs_most() {
	awk "BEGIN { print int($2 * (log($1) / log(2) + 5)) }"
}
