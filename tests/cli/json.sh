#!/bin/sh
# SPDX-License-Identifier: MIT
# What every command prints with --json is what doc/json.md says.
. "$SRCDIR/tests/cli/lib.sh"

command -v python3 >/dev/null || skip_all 'python3 is not installed'
check=$SRCDIR/tests/cli/json_check.py
doc=$SRCDIR/doc/json.md
shapes_held=

# shape NAME: stdout of the last run has this shape
shape() {
	shapes_held="$shapes_held $1 "
	python3 "$check" "$doc" "$1" <"$scratch/stdout" && return
	fail "$last: not as doc/json.md says"
	show
}

run 2 --json
shape error
run 1 --json dump missing
shape error
run 0 --json --version
shape version
run 0 --json help
shape help
run 0 --json help record
shape command
run 0 --json help --format man
shape file
run 0 --json explain
shape explain
run 0 --json explain IO
shape code
"$PGOBOLT" --json doctor >"$scratch/stdout" 2>/dev/null </dev/null
last='pgobolt --json doctor'
shape doctor

# ---- what needs no binary
mkdir recording
cp "$SRCDIR/tests/fuzz/corpus/recording/two-binaries.json" recording/recording.json
printf '1 main 10 1 main 20 0 67\n' >branches.fdata
printf '1 main 10 1 main 20 0 67\n' >app.fdata
printf 'no_lbr cycles:u\n1 main 10 5\n' >samples.fdata
printf 'B 401136 401120 17 2\nT 401136 401120 401134 5\n' >x.preagg
cp "$SRCDIR/tests/fuzz/corpus/dump/pipe" perf.data
for file in recording branches.fdata samples.fdata x.preagg perf.data; do
	run 0 --json dump "$file"
	shape dump
done
run 0 --json merge branches.fdata -w 2 app.fdata -o merged.fdata
shape merge
run 0 --json bench --no-compare -n 2 --save bench.json true true
shape bench
cmp "$scratch/stdout" bench.json || fail '--save writes something else'
run 0 --json bench --no-compare -n 6 --min-gain 0 --metric-from cat 'echo 4' 'echo 2'
shape bench
run 0 --json report -o report.html recording
shape report
run 1 --json bench -n 2 --save missing/bench.json true
shape error

# ---- a binary
cat >app.c <<'END'
#include <stdio.h>
volatile int sum;
__attribute__((noinline)) int step(int i) { return i % 3 ? i : i * 7; }
int main(void) { for (int i = 0; i < 300000000; i++) sum += step(i); return 0; }
END
if $CC -O1 -Wl,-q -Wl,--build-id=sha1 -o app app.c 2>/dev/null; then
	run 0 --json dump app
	shape dump
	run 0 --json verify app
	shape verify
	"$PGOBOLT" --json doctor app >"$scratch/stdout" 2>/dev/null </dev/null
	last='pgobolt --json doctor app'
	shape doctor
	printf '1 main 0 1 step 0 0 9\n' >app.fdata
	run 0 --json convert -b app app.fdata -o again.fdata
	shape convert
	for state in '--instrument' '--use'; do
		"$PGOBOLT" --json build $state -- $CC -O1 -o trained app.c >"$scratch/stdout" \
			2>"$scratch/stderr" </dev/null || { skip "build: $(cat "$scratch/stderr")"; break; }
		last="pgobolt build $state"
		shape build
		[ "$state" = --instrument ] || break
		"$PGOBOLT" --json train -- ./trained >"$scratch/stdout" 2>"$scratch/stderr" </dev/null ||
			{ skip "train: $(cat "$scratch/stderr")"; break; }
		last='pgobolt train'
		shape train
	done
	if "$PGOBOLT" --json record -- ./app >"$scratch/stdout" 2>"$scratch/stderr" </dev/null; then
		last='pgobolt record'
		shape record
		run 0 --json dump pgobolt.data
		shape dump
		for edges in pgobolt.data/*.edges; do
			[ -f "$edges" ] || continue
			run 0 --json dump "$edges"
			shape dump
		done
		if "$PGOBOLT" --json optimize app >"$scratch/stdout" 2>"$scratch/stderr" </dev/null; then
			last='pgobolt optimize'
			shape optimize
			if [ -f pgobolt.data/layout.json ]; then
				cp pgobolt.data/layout.json "$scratch/stdout"
				shape layout
				python3 "$SRCDIR/tests/cli/layout_check.py" <pgobolt.data/layout.json ||
					fail 'the layout contradicts itself'
			else
				run 0 -v optimize app
				stderr_has 'no layout.json for report: '
				skip "layout: $(grep 'no layout' "$scratch/stderr")"
			fi
			run 0 --json verify app.bolt app
			shape verify
		else
			skip "optimize: $(cat "$scratch/stderr")"
		fi
	else
		skip "record: $(cat "$scratch/stderr")"
	fi
else
	skip 'no C compiler'
fi

# a documented document that no command prints any more, or one that this test forgot
python3 "$check" "$doc" --shapes >shapes
for command in $("$PGOBOLT" help | sed -n '/^COMMANDS/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
	grep -qx "$command" shapes || fail "doc/json.md has nothing on $command"
	case $shapes_held in
	*" $command "*) ;;
	*) skip "no document of $command was looked at" ;;
	esac
done
