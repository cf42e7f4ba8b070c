# SPDX-License-Identifier: MIT
# Shared by bench/cpython, bench/sqlite and bench/lua: fetch a Debian source package without touching
# the system's configuration, record, optimize, check and time. Sourced, not run.
#
# Environment: BENCH_WORK (default: bench-work in this folder's build), SOURCES (record sources to
# try, default "instrument ip"), RUNS (default 9), CC (default: newest clang), PGOBOLT.
set -eu
bench=$(cd "$(dirname "$0")" && pwd)
tool=${PGOBOLT:-$(cd "$bench/.." && pwd)/build/pgobolt}
work=${BENCH_WORK:-$(cd "$bench/.." && pwd)/build/bench-work}
runs=${RUNS:-9}
sources=${SOURCES:-instrument ip}
jobs=$(nproc)
: "${CC:=$(ls /usr/lib/llvm-*/bin/clang 2>/dev/null | sort -V | tail -n 1)}"
: "${CC:=cc}"
export CC

die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}
say() { printf '\n== %s\n' "$*"; }

[ -x "$tool" ] || die "no $tool: build first (./quickstart build) or set PGOBOLT"
mkdir -p "$work"

# fetch PACKAGE: unpack its source below $work and print the folder.
fetch() {
	found=$(find "$work" -maxdepth 1 -type d -name "$1-[0-9]*" | head -n 1)
	if [ -z "$found" ]; then
		apt=$work/apt
		mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts"
		for file in /etc/apt/sources.list.d/*.sources; do
			[ -f "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" \
				>"$apt/parts/$(basename "$file")"
		done
		for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
			[ -f "$file" ] && sed -n 's/^deb /deb-src /p' "$file" \
				>"$apt/parts/$(basename "$file" .list).list"
		done
		set -- "$1" -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$apt/parts" \
			-o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root
		package=$1
		shift
		apt-get "$@" update -qq >&2 || die "cannot read the source package lists"
		# a mirror may list a security update whose files it does not carry: older is good too
		for version in $(apt-cache "$@" showsrc "$package" | sed -n 's/^Version: //p' | sort -rV); do
			(cd "$work" && apt-get "$@" source -qq --download-only "$package=$version" >&2) &&
				break
			version=
		done
		[ -n "${version:-}" ] || die "cannot fetch the source of $package"
		command -v dpkg-source >/dev/null || die "dpkg-source is missing: apt-get install dpkg-dev"
		(cd "$work" && dpkg-source ${unpack_options:-} -x "$package"_*.dsc >/dev/null) || die "cannot unpack $package"
		found=$(find "$work" -maxdepth 1 -type d -name "$package-[0-9]*" | head -n 1)
	fi
	[ -n "$found" ] || die "no source folder for $1"
	echo "$found"
}

# measure NAME BINARY WORKLOAD-ARGUMENTS..: for each source record, optimize, then time all.
# $check, if set, is a command in which {} stands for the binary.
measure() {
	name=$1 binary=$2
	shift 2
	timed="'$binary'"
	for word in "$@"; do
		timed="$timed '$word'"
	done
	for source in $sources; do
		say "$name: record -s $source"
		"$tool" record -s "$source" -o "$work/$name.$source.data" -- "$binary" "$@" >/dev/null
		say "$name: optimize"
		"$tool" optimize -o "$binary.$source" --profile "$work/$name.$source.data" "$binary"
		if [ -n "${check:-}" ]; then
			say "$name: check"
			for candidate in "$binary" "$binary.$source"; do
				command=$(printf '%s' "$check" | sed "s|{}|$candidate|g")
				sh -c "$command" >"$work/$name.check.log" 2>&1 ||
					{ tail -n 20 "$work/$name.check.log"; die "check failed: $command"; }
				echo "passed: $command"
			done
		fi
	done
	say "$name: $runs runs of each, in turn"
	set -- "$timed"
	for source in $sources; do
		set -- "$@" "$(printf '%s' "$timed" | sed "s|'$binary'|'$binary.$source'|")"
	done
	"$tool" bench -n "$runs" "$@"
}
