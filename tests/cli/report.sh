#!/bin/sh
# SPDX-License-Identifier: MIT
# report: whatever names and numbers its inputs hold, a page of text and pictures comes out.
. "$SRCDIR/tests/cli/lib.sh"

fixture=$SRCDIR/tests/cli/report_fixture
page() {
	command -v python3 >/dev/null || return 0
	python3 "$SRCDIR/tests/cli/report_check.py" "$@" || fail "$1: not a page as it should be"
}

# ---- a run: three builds, hostile names in every place that takes one
cp -r "$fixture" run
chmod -R u+w run
run 0 report run
stdout_has 'Report: run/report.html, and run/report.md'
page run/report.html 'app: 1.25 times as fast' 'PGO + BOLT' 'Step by step' \
	'f<script>alert(1)</script>&"' 'against baseline' 'The hottest functions' \
	'What llvm-bolt expects' 'Of the result' 'To do it again' 'pgobolt build --plain -- make <script>'
grep -q '<script' run/report.html && fail 'markup came through'
for word in '# app: 1.25 times as fast' '## Speed' '| PGO |' '## The hottest functions' \
	'&lt;script&gt;alert(1)' '### After'; do
	grep -qF -e "$(printf '%s' "$word" | sed 's/(1)/\\(1\\)/')" run/report.md ||
		grep -qF -e "$word" run/report.md || fail "report.md does not say: $word"
done
# only in indented blocks of code, which are literal
grep -v '^    ' run/report.md | grep -q '<script' && fail 'markup came through into report.md'

# the same files, the same bytes; other names for the output
cp run/report.html first.html
cp run/report.md first.md
run 0 report -o named.page run
cmp named.page first.html && cmp named.md first.md || fail 'not the same bytes'
run 0 --json report -o plain run
stdout_is_json
[ -f plain ] && [ -f plain.md ] || fail 'not plain and plain.md'
run 2 report -o report.md run
stderr_has 'is the name of the Markdown file'

# ---- a recording alone says what is missing
mkdir recording
cp "$fixture/recording/recording.json" recording
run 0 report recording
stdout_has 'Next: pgobolt optimize'
page recording/report.html 'app, recorded' 'No benchmark was run' 'Nothing was optimized'
cp "$fixture/recording/optimize.json" recording
run 0 report recording
stdout_has 'Next: pgobolt bench --save recording/bench.json'
page recording/report.html 'app, laid out anew' 'This is not known'
cp "$fixture/bench.json" "$fixture/recording/layout.json" recording
run 0 report recording
page recording/report.html 'app: 1.25 times as fast' 'Wall time, C against A'

# three runs are neither a gain nor a proof that there is none
sed 's/"verdict": "faster"/"verdict": "too few runs to tell"/' "$fixture/bench.json" \
	>recording/bench.json
run 0 report recording
page recording/report.html 'app: too few runs to tell its speed'

# an empty file is none
: >recording/bench.json
run 0 report recording
page recording/report.html 'app, laid out anew'

# ---- bad input
run 1 report missing
stderr_has 'missing'
for file in optimize layout; do
	head -c 100 "$fixture/recording/$file.json" >recording/$file.json
	run 1 report -o out.html recording
	stderr_has "$file.json: line"
	no_leftovers
	cp "$fixture/recording/$file.json" recording
done
# numbers where text should be, text where numbers should be, and lists that are none
if command -v python3 >/dev/null; then
	cat >twist.py <<'END'
import json, sys
kind, path = sys.argv[1:]
def twist(value, key=""):
    if isinstance(value, dict):
        return {k: twist(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return {"0": twist(value[0])} if kind == "lists" and value else [twist(v) for v in value]
    if isinstance(value, str):
        return 7 if kind == "text" and key not in ("format", "build_id", "name") else value
    if isinstance(value, bool) or value is None:
        return value
    return {"numbers": "x", "huge": 9e300, "negative": -abs(value) - 1, "zero": 0}.get(kind, value)
document = json.load(open(path))
json.dump(twist(document), open(path, "w"))
END
	for kind in lists text numbers huge negative zero; do
		rm -rf twisted
		cp -r "$fixture" twisted
		chmod -R u+w twisted
		for file in bench.json recording/optimize.json recording/layout.json run.json; do
			python3 twist.py $kind twisted/$file
		done
		run 0 report twisted
		page twisted/report.html
	done
fi
mkdir read-only
run_denied 3 report -o read-only/x.html run
