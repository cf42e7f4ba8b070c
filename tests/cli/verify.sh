#!/bin/sh
# SPDX-License-Identifier: MIT
. "$SRCDIR/tests/cli/lib.sh"

cat >app.c <<'END'
#include <stdio.h>
int offered(int a) { return a < 3 ? 2 * a : a; }
int main(int c, char **v) { (void)v; printf("%d\n", offered(c)); return 0; }
END
build() {
	$CC -O2 -o "$@" app.c || { echo "cannot compile"; exit 1; }
}
build app -Wl,-q
build plain
build stripped -s
printf 'hello\n' >text
head -c 2000 app >cut
: >empty
cp app 'with space'

run 0 verify app
stdout_has 'Fit for llvm-bolt'
stdout_has 'pgobolt record -- ./app'
run 0 verify 'with space'
run 0 -q verify app
stdout_lacks 'symbol table'
run 0 --json verify app
stdout_is_json
stdout_has '"good": true'

run 1 verify plain
stdout_has 'Not fit'
stdout_has 'LDFLAGS=-Wl,-q'
stdout_has "RUSTFLAGS='-Clink-arg=-Wl,-q'"
stderr_empty
run 1 --json verify plain
stdout_is_json
stdout_has '"check": "relocations"'
run 1 verify stripped
stdout_has 'stripped'

for bad in text empty; do
	run 1 verify $bad
	stderr_has "$bad"
done
run 1 verify cut
stdout_has 'cut short'
run 1 verify missing
stderr_has 'missing'
run 1 verify .
run 2 verify
run 2 verify a b c
run 2 verify --nonsense app

# the same file twice is the same program
run 0 verify app app
stdout_has 'The same program'
stdout_has 'segments, in order'
# another program is not
cat >app.c <<'END'
int elsewhere(int a) { return a; }
int main(int c, char **v) { (void)v; return elsewhere(c); }
END
build other -Wl,-q -rdynamic
run 1 verify other app
stdout_has 'Not fit to run'
run 1 verify app text
stderr_has 'text'

# profiles
echo '1 main 0 1 offered 0 0 5' >app.fdata
run 0 verify --profile app.fdata app
stdout_has 'cannot be checked'
echo '{"build_id": "00112233"}' >app.fdata.json
run 1 verify --profile app.fdata app
stdout_has 'build-id 00112233'
echo '{"build_id": 5' >app.fdata.json
run 1 verify --profile app.fdata app
stderr_has 'app.fdata.json'
rm app.fdata.json
run 0 verify --profile app.fdata app app
stdout_has 'functions of the profile present'
run 1 verify --profile missing app
