#!/bin/sh
# SPDX-License-Identifier: MIT
. "$SRCDIR/tests/cli/lib.sh"

# times are what they are: what is judged here are numbers that the commands print
run 0 bench -n 6 true true
stdout_has 'A  true'
stdout_has 'wall time, '
stdout_has '1.000x'
stdout_has '6 rounds in'
run 0 bench -n 7 --metric-from cat 'echo 10' 'echo 20' 'echo 5'
# without the times, and blanks squeezed
tr -s ' ' <"$scratch/stdout" | sed -e 's/ in [0-9.]* m*s,/ in TIME,/' -e 's/CPU, [mu]*s/CPU/' \
	-e 's/^\([ABC] [0-9.]* [0-9.]* \.\. [0-9.]*\) [0-9.]*/\1 CPU/' -e '/^counters/d' >"$scratch/plain"
diff -u - "$scratch/plain" <<'END' || fail "$last: not the table expected"
A echo 10
B echo 20
C echo 5

 metric 95% interval CPU ratio 95% interval
A 10.00 10.00 .. 10.00 CPU 1.000x
B 20.00 20.00 .. 20.00 CPU 0.500x 0.500 .. 0.500 50.0% to 50.0% slower
C 5.000 5.000 .. 5.000 CPU 2.000x 2.000 .. 2.000 100% to 100% faster
7 rounds in TIME, ratio known to +-0%
END

# a gate that is passed or not
run 0 bench -n 6 --min-gain 10 --metric-from cat 'echo 20' 'echo 10'
stdout_has 'gate: a gain of at least 10.0% is shown'
run 0 bench --time 10s --min-gain 10 --metric-from cat "sleep 0.005; echo 20" "echo 10"
stdout_has "is shown"
run 1 bench --time 2s --min-gain 0 --metric-from cat "echo 10" "echo 10"
run 1 bench -n 6 --min-gain 10 --metric-from cat 'echo 10' 'echo 20'
stdout_has 'gate: a gain of at least 10.0% is NOT shown'
run 1 bench -n 3 --min-gain 10 --metric-from cat 'echo 20' 'echo 10'
stdout_has 'too few runs to tell'
stdout_has 'Next: 6 rounds at least can show a difference: -n 6'

run 0 bench --json -n 6 true true
stdout_is_json
stdout_has '"ended_by": "rounds"'
stdout_has '"verdict": "'
stderr_empty
run 0 bench -q -n 1 true
stdout_lacks 'A  true'
stdout_has 'wall time, '

# the clock ends it
run 0 bench --time 3s --precision 0.0001 'sleep 0.02'
stdout_has 'Next: for +-'

# what the programs say about themselves
run 0 bench -n 6 --metric-from 'cut -d" " -f2' --higher-is-better 'echo speed 10' 'echo speed 20'
stdout_has '2.000x'
stdout_has '100% to 100% faster'
run 0 bench -n 6 --metric cpu true true
stdout_has 'CPU time, '

# commands that fail, print other things, or do not end
run 1 bench true 'exit 3'
stderr_has 'ended with status 3 (2 of 2 runs failed): exit 3'
run 1 bench --failures 0 true 'exit 3'
stderr_has 'ended with status 3 (1 of 1 runs failed): exit 3'
echo 0 >count
run 0 bench -n 10 --failures 30 true 'n=$(cat count); echo $((n + 1)) >count; [ $((n % 5)) -ne 4 ]'
stderr_has 'B: 2 of 11 runs failed'
stdout_has '8 rounds in'
run 1 bench 'echo a' 'echo b'
stderr_has "'echo a' and 'echo b' do not print the same"
run 0 bench -n 1 --no-compare 'echo a' 'echo b'
run 0 bench -n 2 'cat /proc/sys/kernel/random/uuid' true
stderr_has 'A does not always print the same'
run 1 bench --timeout 50ms 'sleep 1000'
stderr_has 'no end after 0.05 s'
run 1 bench --json true 'exit 3'
stdout_is_json

# wrong usage
run 2 bench
stderr_has 'bench needs a command'
run 2 bench --min-gain 1 true
run 2 bench --higher-is-better true true
run 2 bench --cpu x true
stderr_has "'x' is not a CPU or range"
run 2 bench --cpu 3-1 true
run 2 bench --cpu 0-99999 true
run 2 bench -n 0 true
run 3 bench --cpu 4095 -n 1 true

# interrupted: what there is, and a status that is not success
rm -f ran
"$PGOBOLT" bench --time 1h --precision 0.0001 'echo >>ran; sleep 0.01' >"$scratch/stdout" 2>"$scratch/stderr" &
bench=$!
until [ -f ran ] && [ "$(wc -l <ran)" -ge 4 ]; do
	sleep 0.05
done
kill -TERM $bench
wait $bench
got=$?
last='pgobolt bench, terminated'
[ "$got" -eq 1 ] || fail "$last: exit status $got, not 1"
stdout_has 'ended early, as asked'

# figures of a simulated CPU, or why there are none
run 0 bench -n 1 --no-compare --simulate 'exec /bin/true' 'exec /bin/true'
if command -v valgrind >/dev/null; then
	stdout_has 'L1-icache misses'
	run 0 --json bench -n 1 --simulate 'exec /bin/true'
	stdout_has '"simulated"'
fi
mkdir -p path && ln -sf "$(command -v sh)" "$(command -v true)" path
last='pgobolt bench --simulate, without valgrind'
PATH=$PWD/path "$PGOBOLT" bench -n 1 --simulate true >"$scratch/stdout" 2>"$scratch/stderr" ||
	fail "$last: exit status $?"
stderr_has 'apt-get install valgrind'
