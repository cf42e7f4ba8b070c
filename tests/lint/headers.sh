#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone.
status=0
find "$SRCDIR/include" -name '*.h' | sort | while read -r header; do
	if ! echo "#include \"${header#"$SRCDIR"/include/}\"" |
		${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only \
			-I"$SRCDIR/include" -x c -; then
		echo "not self-contained: $header"
		exit 1
	fi
done || status=1
exit $status
