#!/bin/sh
# SPDX-License-Identifier: MIT
. "$SRCDIR/tests/cli/lib.sh"

cat >branches.fdata <<'END'
0 [unknown] 0 1 main 0 0 1
1 leaf/1 4 0 [unknown] 0 0 2
1 main 10 1 leaf/1 0 3 30
1 main 2a 1 main 10 0 67
END
cat >samples.fdata <<'END'
no_lbr cpu-clock: cycles:u:
1 main 10 5
1 main 2a 15
END
run 0 dump branches.fdata
golden branches
run 0 dump -n 2 branches.fdata
golden branches-limit
run 0 dump -n 2 -q branches.fdata
stdout_lacks '--limit 0'
run 0 --json dump -n 2 branches.fdata
golden branches-json
stdout_is_json
run 0 dump samples.fdata
golden samples

mkdir recording
cp "$SRCDIR/tests/fuzz/corpus/recording/two-binaries.json" recording/recording.json
run 0 dump recording
golden recording
run 0 dump recording --json
stdout_is_json
stdout_has '"source_reason"'

printf 'E cycles:u\nB 401136 401120 17 2\nT 401136 401120 401134 5\n' >x.preagg
run 0 dump x.preagg
golden preagg
run 0 dump --json x.preagg
golden preagg-json

# perf.data: whole, big-endian, from a pipe, cut
corpus=$SRCDIR/tests/fuzz/corpus/dump
for kind in file file-big-endian pipe; do
	run 0 dump "$corpus/$kind"
	stdout_has 'period 1000003  branch stacks'
	stdout_has 'app (exec)'
	stdout_has '400000+1000 offset 0 /app'
	stdout_has '2 branches: 400020>400000'
	stdout_lacks 'cut'
done
run 0 dump "$corpus/cut"
stdout_has 'cut: it ends inside a record'
# what the hardware wrote, in words
run 0 dump --limit 0 "$corpus/spe"
stdout_has '240  PC 0x4001a0 el0 ns=1'
stdout_has 'EV RETIRED MISPRED'
stdout_has 'PBT 0x40014c el0 ns=1'
run 0 dump -n 3 "$corpus/spe"
stdout_has '3 of '
run 0 --json dump "$corpus/spe"
stdout_is_json
stdout_has '"packets"'
run 0 dump "$corpus/ibs"
stdout_has 'IbsOpRip 0000000000401037'
stdout_has 'BrnTaken 0'
run 0 --json dump "$corpus/ibs"
stdout_is_json
stdout_has '"registers"'
cp "$corpus/pipe" pipe
run 0 dump -n 3 --json pipe
golden perf-json
stdout_is_json
head -c 50 "$corpus/file" >head
run 1 dump head
stderr_has 'the file ends inside its head'

# a name cannot reach the terminal as a command
printf '1 evil\033[2J 0 1 main 0 0 1\n' >evil.fdata
run 0 dump evil.fdata
stdout_lacks "$(printf '\033')"
stdout_has 'evil?[2J+0'

if printf 'int leaf(int x) { return x; } int main(void) { return leaf(0); }\n' >program.c &&
	${CC:-cc} -O0 -Wl,-q program.c -o program 2>/dev/null; then
	run 0 dump --limit 0 program
	stdout_has 'ELF file'
	stdout_has 'relocations of code  kept'
	stdout_has '  leaf'
	run 0 dump --json --limit 1 program
	stdout_is_json
	strip program
	run 0 dump program
	stdout_has 'it was stripped'
	head -c 1000 program >cut
	run 0 dump cut
	stdout_has 'cut: segments lie beyond its end'
	head -c 50 program >cut
	run 1 dump cut
	stdout_empty
else
	skip 'no C compiler that links with -Wl,-q'
fi

# bad input
run 2 dump
stderr_has 'dump needs FILE'
run 2 dump a b
run 2 dump -n x branches.fdata
run 1 dump missing
stderr_has 'missing: No such file'
mkdir empty-folder
run 1 dump empty-folder
stderr_has 'a folder without a recording'
: >empty
run 1 dump empty
golden empty
printf 'hello\n' >unknown
run 1 dump unknown
golden unknown
printf '1 main 2a 1 main 10 zero 67\n' >corrupt.fdata
run 1 dump corrupt.fdata
stderr_has 'corrupt.fdata'
stdout_empty
run 1 dump --json corrupt.fdata
stdout_is_json
stdout_has '"CORRUPT"'
printf '1 main 2a 1 main 10 0 67' >cut.fdata
run 1 dump cut.fdata
printf '{\n' >recording/recording.json
run 1 dump recording
stdout_empty
run 1 dump recording/recording.json
stderr_has "name the recording's folder"
run 1 dump /dev/null
mkfifo fifo
run 1 dump fifo
chmod 0 branches.fdata
if run_denied 3 dump branches.fdata; then
	stderr_has 'Permission denied'
fi
if [ -c /dev/full ]; then
	"$PGOBOLT" dump samples.fdata >/dev/full 2>"$scratch/stderr"
	[ $? -eq 3 ] || fail 'dump to a full device: not exit status 3'
fi
