# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Programs whose exact traces are taken in qemu's user-mode emulation, for scripts here: cpython
# sqlite lua (built by bench/cpython etc.) mixed, lua-aarch64 sqlite-aarch64 mixed-aarch64.
# They set $bench, $lab (folder of the laboratory's programs), $folder (of sources), $work.
die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# need FILE..: of the laboratory
need() {
	mkdir -p "$work"
	for file; do
		[ -e "$lab/$file" ] || die "no $lab/$file: make check builds it"
	done
}

source_folder() { find "$folder" -maxdepth 1 -type d -name "$1" | head -n 1; }

# cross NAME COMMAND..: build $work/NAME once; the command's words stand before -o
cross() {
	name=$1
	shift
	[ -x "$work/$name" ] || "$@" -o "$work/$name" >"$work/$name.log" 2>&1 ||
		die "cannot build $name: see $work/$name.log"
}

# build NAME: sets $binary, $emulator and the program's arguments in $workload
prepare() {
	emulator=qemu-x86_64 workload="$bench/workloads/mixed.lua" binary=
	arm=aarch64-linux-gnu
	case $1 in
	*-aarch64)
		emulator="qemu-aarch64 -L /usr/$arm"
		command -v $arm-gcc >/dev/null || die "no $arm-gcc: apt-get install gcc-$arm"
		;;
	esac
	case $1 in
	cpython)
		binary=$(ls -d "$folder"/python3.11-*/python 2>/dev/null | head -n 1)
		workload="$bench/workloads/mixed.py 1"
		;;
	sqlite) binary=$(ls -d "$folder"/sqlite3-*/sqlite3-bench 2>/dev/null | head -n 1) ;;
	lua) binary=$(ls -d "$folder"/lua5.4-*/src/lua-bench 2>/dev/null | head -n 1) ;;
	mixed)
		cross mixed "${CXX:-g++}" -O2 -std=c++17 -Wl,-q "$bench/workloads/mixed.cpp"
		binary=$work/mixed workload=12
		;;
	lua-aarch64)
		sources=$(source_folder 'lua5.4-*')
		[ -d "$sources" ] || die "no sources: run bench/lua first"
		# shellcheck disable=SC2046  # names without spaces
		cross lua-aarch64 $arm-gcc -O2 -Wl,-q -DLUA_USE_POSIX \
			$(find "$sources/src" -name '*.c' ! -name luac.c) -lm
		;;
	sqlite-aarch64)
		sources=$(source_folder 'sqlite3-*')
		[ -d "$sources" ] || die "no sources: run bench/sqlite first"
		cross sqlite-aarch64 $arm-gcc -O2 -Wl,-q -DSQLITE_THREADSAFE=0 \
			-DSQLITE_OMIT_LOAD_EXTENSION "$sources/sqlite3.c" "$sources/shell.c" -lm
		;;
	mixed-aarch64)
		# the headers of the host's libstdc++ do: they hardly differ between machines
		clang=$(ls /usr/lib/llvm-*/bin/clang++ 2>/dev/null | sort -V | tail -n 1)
		headers=$(g++ -print-file-name=include/../../../../../include/c++/12)
		cross mixed-aarch64 "${clang:-clang++}" --target=$arm -w -O2 -std=c++17 -nostdlib++ \
			-nostdinc++ -fuse-ld=lld -Wl,-q -isystem "$headers" \
			-isystem /usr/include/x86_64-linux-gnu/c++/12 -isystem /usr/$arm/include \
			"$bench/workloads/mixed.cpp" -L/usr/$arm/lib \
			-L"$(dirname "$($arm-gcc -print-libgcc-file-name)")" /usr/$arm/lib/libstdc++.so.6
		workload=12
		;;
	*) die "unknown program: $1" ;;
	esac
	: "${binary:=$work/$1}"
	[ -x "$binary" ] || die "no $1: build it with bench/$1"
}

# trace NAME: the exact trace, and the true profile
trace() {
	[ -s "$work/$1.truth" ] && return
	echo "tracing $1" >&2
	plugin=$lab/trace_plugin.so,out=$work/$1.trace,inside=main
	# shellcheck disable=SC2086  # $emulator and $workload are words
	case $1 in
	sqlite*) $emulator -plugin "$plugin" "$binary" :memory: ".read $bench/workloads/mixed.sql" ;;
	*) PYTHONHASHSEED=0 $emulator -plugin "$plugin" "$binary" $workload ;;
	esac >/dev/null
	"$lab/lab" truth -b "$binary" "$work/$1.trace" >"$work/$1.new"
	mv "$work/$1.new" "$work/$1.truth"
}

