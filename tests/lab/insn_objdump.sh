#!/bin/sh
# SPDX-License-Identifier: MIT
# Our instruction decoder against llvm-objdump over the whole text of real programs.
# PGOBOLT_INSN_FILES='FILE...' replaces the list, for larger programs.
objdump=
for candidate in llvm-objdump-22 llvm-objdump-21 llvm-objdump-20 llvm-objdump-19 llvm-objdump; do
	command -v "$candidate" >/dev/null && objdump=$candidate && break
done
if [ -z "$objdump" ]; then
	echo "llvm-objdump is not installed"
	exit 77
fi

cross=/usr/aarch64-linux-gnu/lib
files=${PGOBOLT_INSN_FILES-"/usr/bin/gdb /usr/bin/python3 /bin/bash $cross/libc.so.6 \
$cross/libstdc++.so.6"}
compared=0
status=0
for file in $files; do
	[ -f "$file" ] || continue
	case $($objdump -f "$file" | grep architecture) in
	*x86_64*) set=x86_64 ;;
	*aarch64*) set=aarch64 ;;
	*) continue ;;
	esac
	echo "$file:"
	"$objdump" -d --mattr=+all "$file" 2>/dev/null |
		"$BUILDDIR/tests/lab/compare_insn" "$set" || status=1
	compared=$((compared + 1))
done
if [ "$compared" = 0 ]; then
	echo "none of the programs to compare is there: $files"
	exit 77
fi
exit $status
