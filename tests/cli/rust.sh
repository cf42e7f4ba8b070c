#!/bin/sh
# SPDX-License-Identifier: MIT
# Rust: what README's table says of each of cargo-pgo's commands, on a workspace of a program, a
# library with C in it, tests and a benchmark; and a cdylib from its source to the optimized file.
. "$SRCDIR/tests/cli/lib.sh"

unset CC CXX CFLAGS LDFLAGS MAKEFLAGS MFLAGS LLVM_PROFILE_FILE GCOV_PREFIX PGOBOLT_BINARY
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_TARGET_DIR
CARGO_NET_OFFLINE=true
export CARGO_NET_OFFLINE
host=$(rustc -vV 2>/dev/null | sed -n 's/^host: //p')
major=$(rustc -vV 2>/dev/null | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
cp -R "$SRCDIR/bench/workloads/cargo" "it's a workspace"
chmod -R u+w "it's a workspace" && cd "it's a workspace" || exit 1
rm -rf target
[ -n "$host" ] && cargo build --release -q 2>/dev/null || skip_all "no cargo and rustc that work"
[ -x "/usr/lib/llvm-$major/bin/llvm-profdata" ] || skip_all "no llvm-profdata of LLVM $major"
program=target/$host/release/app
expected=$(target/release/app 20)
expected_of() { [ "$("$@")" = "$expected" ] || fail "$last: $1 computes something else"; }
relocated() { readelf -SW "$1" | grep -q '\.rela\.text' || fail "$last: $1 has no .rela.text"; }

### build, run, test, bench: runs add up
run 0 build --instrument -- cargo build
[ -x "$program" ] || fail "no $program"
run 0 train -- cargo run -q -- 20
grep -qx "$expected" "$scratch/stdout" || fail "the instrumented program computes something else"
stderr_has "llvm-$major: 1 raw profile"
stderr_has "merged over 1 run"
compilers=$(grep -c 'raw profile' "$scratch/stderr")
run 0 train -- cargo test -q
stderr_has "merged over 2 runs"
run 0 train -- cargo bench -q
stderr_has "merged over 3 runs"
stderr_has "functions, "
stderr_lacks "warning"

### --keep-profiles: they stay until the program is built with counters again
run 0 clean --keep-profiles
[ -e ".pgobolt/profile/llvm-$major.profdata" ] || fail "clean --keep-profiles removed the profile"

### optimize: build, test, bench
run 0 build --use -- cargo build
stderr_lacks "warning"
expected_of "$program" 20
relocated "$program"
run 0 build --use -- cargo test -q
run 0 build --use -- cargo bench -q

### bolt build, bolt optimize, with PGO before them
cp "$program" final
if "$PGOBOLT" -q record -s instrument -o counted -- ./final 30 >"$scratch/stdout" 2>"$scratch/stderr"; then
	run 0 optimize --profile counted -o final.counted final
	expected_of ./final.counted 20
else
	skip "no instrumentation by llvm-bolt: $(tail -n 1 "$scratch/stderr")"
fi
if "$PGOBOLT" -q record -o sampled -- ./final 4000 >"$scratch/stdout" 2>"$scratch/stderr"; then
	run 0 optimize --profile sampled -o final.sampled final
	expected_of ./final.sampled 20
else
	skip "nothing can be recorded here: $(tail -n 1 "$scratch/stderr")"
	[ "$failures" -eq 0 ]
	exit
fi

### a cdylib, loaded by a program that is no part of the workspace
if command -v cc >/dev/null && [ -x final.counted ]; then
	cat >host.c <<'END'
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	void *library = dlopen(argv[1], RTLD_NOW);
	uint64_t (*work)(uint64_t) = library ? dlsym(library, "plugin_work") : NULL;

	if (work == NULL || argc < 3)
		return 2;
	printf("%llu\n", (unsigned long long)work(strtoull(argv[2], NULL, 10)));
	return 0;
}
END
	cc -O1 -o host host.c -ldl || fail "the program that loads the library cannot be built"
	run_plugin() {
		run 0 run --cargo --state .plugin --record-time 0.1s --bench-runs 1 \
			--train './host {} 4000' --check "[ \$(./host {} 20) = $expected ]" "$@" plugin
	}
	run_plugin
	stdout_has "PGO+BOLT"
	expected_of ./host .plugin/run/pgo/libplugin.so 20
	expected_of ./host .plugin/run/bolt/libplugin.so 20
	! cmp -s .plugin/run/pgo/libplugin.so .plugin/run/bolt/libplugin.so ||
		fail "the library is as it was"

	### the same again is kept, until what cargo is told changes
	run_plugin --dry-run --json
	stdout_lacks '"todo": true'
	mkdir .cargo && : >.cargo/config.toml
	run_plugin --dry-run --json
	stdout_has '"todo": true'
	rm -r .cargo
	CARGO_PROFILE_RELEASE_OPT_LEVEL=s
	export CARGO_PROFILE_RELEASE_OPT_LEVEL
	run_plugin --dry-run --json
	stdout_has '"todo": true'
	unset CARGO_PROFILE_RELEASE_OPT_LEVEL
	echo "// another" >>engine/src/lib.rs
	run_plugin --dry-run --json
	stdout_has '"todo": true'
else
	skip "no C compiler, or no llvm-bolt"
fi

### clean
run 0 clean
[ ! -e .pgobolt ] || fail "clean left .pgobolt"

### what cargo made with counters before is used again, the C in it as well
run 0 build --instrument -- cargo build
run 0 clean
run 0 build --instrument -- cargo build
run 0 train -- cargo run -q -- 20
[ "$(grep -c 'raw profile' "$scratch/stderr")" -eq "$compilers" ] ||
	fail "$last: not the compilers of the first time: $(cat "$scratch/stderr")"

### what cargo's configuration says of flags and linkers stays, and no linker goes by unseen
mkdir .cargo
configured() {
	rm -rf target
	run 0 build --instrument -- cargo build -v
	stderr_has "$1"
	stderr_has "-Cprofile-generate="
	run 0 train --new -- cargo run -q -- 20
	[ "$(grep -c 'raw profile' "$scratch/stderr")" -eq "$compilers" ] ||
		fail "$last, linker $2: not all compilers: $(cat "$scratch/stderr")"
	run 0 build --use -- cargo build -v
	stderr_has "$1"
	stderr_has "-Cprofile-use="
	expected_of "$program" 20
	relocated "$program"
	readelf -SW "$program" | grep -q "\.symtab" || fail "$last: $program is stripped"
}
if linker=$(command -v cc); then
	cat >.cargo/config.toml <<END
[build]
rustflags = ["--cfg", 'words="a b"']
[target.'cfg(windows)']
rustflags = ["--cfg", "elsewhere"]
[target.$host]
linker = "$linker"
END
	configured "--cfg 'words=" "$linker"
	stderr_lacks "elsewhere"
fi
if command -v clang >/dev/null; then
	printf '[target.%s]\nlinker = "clang"\nrustflags = "--cfg words"\n' "$host" >.cargo/config.toml
	if cargo build --release -q --target "$host" 2>/dev/null; then
		configured "--cfg words" clang
	else
		skip "clang cannot link Rust programs here"
	fi
else
	skip "no clang"
fi
[ "$failures" -eq 0 ]
