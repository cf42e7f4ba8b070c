#!/bin/sh
# SPDX-License-Identifier: MIT
# The report in a real browser: something is to be seen in light and in dark, and no width makes
# the page scroll sideways. REPORT_LOOK_DIR=DIR keeps the pictures.
. "$SRCDIR/tests/cli/lib.sh"

for browser in chromium chromium-browser google-chrome ''; do
	command -v "$browser" >/dev/null 2>&1 && break
done
[ -n "$browser" ] || skip_all 'no Chromium'
command -v python3 >/dev/null || skip_all 'python3 is not installed'
HOME=$PWD
export HOME
browse() {
	timeout 120 $browser --headless --no-sandbox --disable-gpu --hide-scrollbars "$@" 2>browser.log
}
browse --dump-dom 'data:text/html,<p>works' >dom && grep -q works dom ||
	skip_all "Chromium does not run here: $(tail -n 1 browser.log)"
# a path without a place to break it at
folder=$(printf 'long%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20)
cp -r "$SRCDIR/tests/cli/report_fixture" $folder
run 0 report -o report.html $folder

shoot() {
	browse --blink-settings=preferredColorScheme=$2 --window-size=$3 --screenshot="$PWD/$1.png" \
		"file://$PWD/report.html" >/dev/null
	[ -s $1.png ] || fail "no picture: $1"
	[ -z "$REPORT_LOOK_DIR" ] || cp $1.png "$REPORT_LOOK_DIR"
}
shoot light 1 1100,4200
shoot dark 0 1100,4200
shoot phone 1 390,6000
python3 "$SRCDIR/tests/cli/report_look.py" light.png dark.png phone.png ||
	fail 'the pictures are not as they should be'

# a frame for each width; scripts are in the frame's page, not in the report
python3 - report.html >frames.html <<'END'
import html, sys
page = html.escape(open(sys.argv[1], encoding="utf-8").read())
print("<!doctype html><meta charset=utf-8><body>")
for width in 320, 360, 390, 768, 1100:
    print(f'<iframe width={width} height=600 srcdoc="{page}"></iframe>')
print("""<script>onload = () => {
const frames = [...document.querySelectorAll("iframe")], wide = e => e.scrollWidth > e.clientWidth;
document.body.dataset.wide =
frames.filter(f => wide(f.contentDocument.documentElement)).map(f => f.width) + ".";
document.body.dataset.cut = frames.filter(f =>
[...f.contentDocument.querySelectorAll(".scroll")].some(wide)).map(f => f.width) + "." }</script>""")
END
browse --dump-dom "file://$PWD/frames.html" >dom
grep -q 'data-cut="\."' dom || fail "a table is cut: $(grep -o 'data-cut="[^"]*"' dom)"
grep -q 'data-wide="\."' dom || fail "scrolls sideways: $(grep -o 'data-wide="[^"]*"' dom)"
