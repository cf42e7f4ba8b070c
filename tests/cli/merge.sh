#!/bin/sh
# SPDX-License-Identifier: MIT
. "$SRCDIR/tests/cli/lib.sh"

cat >one.fdata <<'END'
1 main 2a 1 main 10 0 60
1 main 10 1 leaf/1 0 3 30
0 [unknown] 0 1 main 0 0 1
END
cat >two.fdata <<'END'
1 main 2a 1 main 10 1 7
1 we\ ird e 1 loc1/1 c 0 6
END
cat >samples.fdata <<'END'
no_lbr cpu-clock:
1 main 10 5
END
cat >more-samples.fdata <<'END'
no_lbr cycles:u:
1 main 10 5
1 main 2a 15
END
printf 'boltedcollection\n1 main 2a 1 main 10 1 7\n' >bolted.fdata

# equal FILE: OUT holds these lines
equal() {
	diff -u "$1" OUT || fail "$last: not $1"
	rm -f OUT
}
cat >sum <<'END'
0 [unknown] 0 1 main 0 0 1
1 main 10 1 leaf/1 0 3 30
1 main 2a 1 main 10 1 67
1 we\ ird e 1 loc1/1 c 0 6
END
run 0 merge one.fdata two.fdata -o OUT
sort OUT | diff sum - || fail 'sum of two'
golden two
cp OUT forward
run 0 merge -o OUT two.fdata one.fdata
equal forward
run 0 merge -q one.fdata two.fdata -o OUT
stdout_empty
equal forward
run 0 merge --json one.fdata two.fdata -o OUT
golden two-json
stdout_is_json
equal forward

# behind -- even a name with a dash is an input
cp two.fdata -- -two.fdata
run 0 merge -o OUT -- one.fdata -two.fdata
equal forward
rm -- -two.fdata

# a weight holds for the inputs after it
cat >weighted <<'END'
1 main 2a 1 main 10 3 21
1 we\ ird e 1 loc1/1 c 0 18
END
run 0 merge --weight 3 two.fdata -o OUT
equal weighted
run 2 merge two.fdata -w 1 -o OUT
stderr_has '--weight 1 stands behind all inputs'
run 0 merge two.fdata -w2 two.fdata -o OUT
stderr_has 'two.fdata is given more than once'
equal weighted

# samples add up, their events are united
printf 'no_lbr cpu-clock: cycles:u:\n1 main 10 10\n1 main 2a 15\n' >samples
run 0 merge samples.fdata more-samples.fdata -o OUT
equal samples

# counts stop at the largest number instead of turning negative
printf '1 main 2a 1 main 10 0 9223372036854775807\n' >huge.fdata
run 0 merge -w 1000 huge.fdata huge.fdata -o OUT
equal huge.fdata

# pre-aggregated text
cat >one.preagg <<'END'
E cycles:u
B 401136 401120 17 2
T 401136 401120 401134 5
S 401122 4
END
printf 'E cycles:u\nB 401136 401120 3 1\n' >two.preagg
printf 'E cycles:u\nT 401136 401120 401134 5\nB 401136 401120 23 4\nS 401122 4\n' >sum
run 0 merge one.preagg -w 2 two.preagg -o OUT
stdout_has 'OUT: 3 lines from 2 inputs'
stdout_lacks 'Next'
equal sum
run 0 merge --json one.preagg two.preagg -o OUT
stdout_has '"lost": 0'
rm OUT
printf 'B 401136 zzz 17 2\n' >corrupt.preagg
run 1 merge one.preagg corrupt.preagg -o OUT
stderr_has 'corrupt.preagg'
no_leftovers
run 1 merge one.preagg one.fdata -o OUT
stderr_has 'do not add up'
no_leftovers

# recordings: the same binaries by build-id, in a folder or as one profile
record() {
	mkdir "$1"
	cat >"$1/app-aa.edges" <<END
pgobolt-edges 1
build-id aa
name app
source ip
event cpu-clock
edges 1
I 401122 $2
END
	printf 'no_lbr cpu-clock:\n1 main 2a %d\n' "$2" >"$1/app-aa.fdata"
	sed -e "s|\"a-aa\.|\"app-aa.|" -e 's|"name": "a"|"name": "app"|' \
		-e "0,/\"count\": 9/s//\"count\": $2/" \
		"$SRCDIR/tests/fuzz/corpus/recording/two-binaries.json" >"$1/recording.json"
}
record first.data 5
record second.data 7
run 0 merge first.data second.data -o all.data
stdout_has 'all.data: 2 binaries from 2 inputs'
stdout_has 'Next: pgobolt optimize --profile all.data'
run 0 dump all.data
golden recordings
run 0 dump all.data/app-aa.edges
stdout_has 'place      1     12'
grep -qx '1 main 2a 12' all.data/app-aa.fdata || fail 'fdata of merged recordings'
run 0 merge second.data -w 2 first.data -o weighted.data
grep -qx '1 main 2a 17' weighted.data/app-aa.fdata || fail 'weights of recordings'
run 0 merge first.data second.data -o all.data
[ -d all.data.old ] || fail 'the former recording was not kept'
run 0 merge all.data first.data -o again.data
run 0 dump --json again.data
stdout_has '"runs": 3'
run 0 merge first.data second.data -o OUT.fdata
grep -qx '1 main 2a 12' OUT.fdata || fail 'recordings into one fdata file'
cp -r second.data other.data
sed -i 's|"aa"|"ac"|' other.data/recording.json
run 1 merge first.data other.data -o bad.data
stderr_has 'another build of app'
no_leftovers
cp -r second.data lbr.data
sed -i 's|"source": "ip"|"source": "lbr"|' lbr.data/recording.json
run 1 merge first.data lbr.data -o bad.data
stderr_has 'their counts mean'
no_leftovers
cp -r second.data two.data
sed -i -e 's|"fdata_file": null|"fdata_file": "libc-bb.fdata"|' two.data/recording.json
cp two.data/app-aa.fdata two.data/libc-bb.fdata
run 1 merge first.data two.data -o bad.fdata
stderr_has 'several binaries'
no_leftovers
rm second.data/app-aa.edges
run 1 merge first.data second.data -o bad.data
stderr_has 'second.data/app-aa.edges'
no_leftovers
run 1 merge first.data one.fdata -o bad.data
stderr_has "of the kind 'recording'"
run 1 merge first.data all.data -o all.data
stderr_has 'all.data is an input and the output'

# kinds are not mixed, nothing is written
run 1 merge one.fdata samples.fdata -o OUT
stderr_has 'samples.fdata: '
no_leftovers
run 1 merge samples.fdata one.fdata -o OUT
no_leftovers
run 1 merge one.fdata bolted.fdata -o OUT
no_leftovers

# bad input: named, the right status, no output
refused() {
	run "$@"
	stdout_empty
	no_leftovers
	[ ! -e OUT ] || fail "$last: wrote OUT"
}
refused 2 merge
refused 2 merge one.fdata
stderr_has '-o OUT'
refused 2 merge -o OUT
stderr_has 'merge needs INPUT'
refused 2 merge -w 0 one.fdata -o OUT
refused 2 merge -w x one.fdata -o OUT
refused 2 merge -w 99999999999 one.fdata -o OUT
refused 1 merge missing.fdata -o OUT
stderr_has 'missing.fdata: No such file'
: >empty.fdata
refused 1 merge one.fdata empty.fdata -o OUT
stderr_has 'empty.fdata is empty'
printf 'no_lbr\n' >nothing.fdata
refused 1 merge nothing.fdata -o OUT
printf '1 main 2a 1 main 10 0 60\n1 main 2a 1 main\n' >corrupt.fdata
refused 1 merge one.fdata corrupt.fdata -o OUT
stderr_has 'corrupt.fdata'
stderr_has '2'
run 1 merge --json corrupt.fdata -o OUT
stdout_is_json
stdout_has '"CORRUPT"'
printf '1 main 2a 1 main 10 0 60' >cut.fdata
refused 1 merge cut.fdata -o OUT
printf '1 main 2a 1 main 10 0 60\r\n' >dos.fdata
refused 1 merge dos.fdata -o OUT
printf 'hello\n' >unknown
refused 1 merge one.fdata unknown -o OUT
printf '\201rforpl\377' >raw.profraw
refused 1 merge raw.profraw -o OUT
stderr_has 'llvm-profdata'
mkdir folder
refused 1 merge folder -o OUT
stderr_has 'folder is a folder without a recording'
refused 1 merge one.fdata /dev/null -o OUT
mkfifo fifo
refused 1 merge one.fdata fifo -o OUT

# the output
cp one.fdata copy.fdata
refused 1 merge one.fdata two.fdata -o one.fdata
stderr_has 'one.fdata is an input and the output'
ln one.fdata hard.fdata
refused 1 merge one.fdata two.fdata -o hard.fdata
ln -s one.fdata soft.fdata
refused 1 merge one.fdata two.fdata -o soft.fdata
refused 1 merge one.fdata two.fdata -o ./folder/../one.fdata
cmp one.fdata copy.fdata || fail 'an input was changed'
refused 1 merge one.fdata -o no/such/folder/out
refused 1 merge one.fdata -o folder
chmod 555 folder
if run_denied 3 merge one.fdata -o folder/out; then
	stderr_has 'folder'
	[ ! -e folder/out ] || fail 'wrote into a folder that is not writable'
fi
chmod 0 two.fdata
run_denied 3 merge one.fdata two.fdata -o /nonexistent/out
chmod 644 two.fdata

# what was there stays when the new one cannot be written whole
echo old >OUT
run 1 merge one.fdata corrupt.fdata -o OUT
[ "$(cat OUT)" = old ] || fail 'a failed merge touched its output'
i=0
while [ $i -lt 200 ]; do
	printf '1 function_%d 2a 1 main 10 0 60\n' $i
	i=$((i + 1))
done >long.fdata
cp OUT before
(ls -A1 . | sort) >"$scratch/before"
(
	trap '' XFSZ
	ulimit -f 1
	"$PGOBOLT" merge long.fdata -o OUT 2>"$scratch/stderr"
)
[ $? -ne 0 ] || fail 'no room for the output: success'
last='merge without room'
stderr_has 'OUT'
cmp OUT before || fail 'no room: the old output is gone'
no_leftovers
if [ -c /dev/full ]; then
	run 3 merge one.fdata -o /dev/full
	stderr_has 'No space left'
	[ -c /dev/full ] || fail '/dev/full is gone'
fi
for name in - /dev/stdout; do
	"$PGOBOLT" merge one.fdata -o $name 2>/dev/null | grep -qF '1 main 2a 1 main 10 0 60' ||
		fail "merge -o $name: not on stdout"
	"$PGOBOLT" merge one.fdata -o $name 2>/dev/null | wc -l | grep -qx ' *3' ||
		fail "merge -o $name: more than the profile on stdout"
done
{
	echo before
	"$PGOBOLT" merge -q two.fdata -o -
	echo after
} >shared
printf 'before\n1 main 2a 1 main 10 1 7\n1 we\\ ird e 1 loc1/1 c 0 6\nafter\n' >expected
diff expected shared || fail 'merge -o -: a file that stdout leads to was overwritten'
run 2 merge --json one.fdata -o -
stdout_is_json

# a limit on the size of files: said, survived, and nothing is left
mkdir limited
(ulimit -f 0 && exec "$PGOBOLT" merge one.fdata two.fdata -o limited/OUT >/dev/null 2>&1)
status=$?
[ $status -eq 3 ] || fail "ulimit -f 0: exit status $status, not 3"
[ -z "$(ls -A limited)" ] || fail "ulimit -f 0: left $(ls -A limited)"
