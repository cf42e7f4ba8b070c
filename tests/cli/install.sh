#!/bin/sh
# SPDX-License-Identifier: MIT
# The man page and the completion scripts: what they hold, what shells make of them, and that
# `make install` puts them where they belong.
. "$SRCDIR/tests/cli/lib.sh"

for format in man bash zsh fish; do
	run 0 help --format $format
	stderr_empty
	cp "$scratch/stdout" "of-$format"
done
run 2 help --format man record
stderr_has 'without COMMAND'

# ---- the man page: every command, option and error code, and nothing that its readers refuse
words() {
	"$PGOBOLT" help --json | tr ',{}' '\n\n\n' | sed -n "s/^ *\"$1\": \"\([a-zA-Z-]*\)\"$/\1/p" | sort -u
}
for word in $(words name); do
	grep -q -e "$(printf '%s' "$word" | sed 's/-/\\\\-/g')" of-man || fail "man page: no $word"
done
for code in $("$PGOBOLT" explain | sed -n 's/^\([A-Z_]*\)  *[0-9] .*/\1/p'); do
	grep -q "$code" of-man || fail "man page: no $code"
done
if command -v groff >/dev/null; then
	groff -ww -man -Tutf8 of-man 2>complaints >/dev/null
	[ -s complaints ] && { fail 'groff complains:'; cat complaints; }
else
	skip 'no groff'
fi
if command -v mandoc >/dev/null; then
	# no date: what is the same is the same on every day
	mandoc -T lint -W warning of-man | grep -v 'missing date' >complaints
	[ -s complaints ] && { fail 'mandoc complains:'; cat complaints; }
else
	skip 'no mandoc'
fi

# ---- completion
if command -v bash >/dev/null; then
	cat >complete.bash <<'END'
# complete.bash SCRIPT WORDS..: what completes the last word
source "$1"
shift
COMP_WORDS=(pgobolt "$@")
COMP_CWORD=$#
_pgobolt
printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' '
END
	completes() {
		wanted=$1
		shift
		got=$(bash complete.bash of-bash "$@")
		[ "$got" = "$wanted" ] || fail "bash, $*: '$got', not '$wanted'"
	}
	mkdir -p folder/sub
	: >folder/file
	completes 'record ' rec
	completes 'bench build ' b
	completes '--preset --profile ' optimize --pr
	completes 'default ' optimize --preset d
	completes 'default max safe ' optimize --preset ''
	completes 'default ' optimize --preset = d
	completes 'always auto ' --color a
	completes 'optimize ' --color never opt
	completes 'optimize ' -C folder opt
	completes 'folder/sub ' -C folder/
	completes 'folder/file folder/sub ' optimize -o folder/
	completes 'MISMATCH ' explain MIS
	completes 'doctor dump ' help d
	completes ' ' bench -n 1
	completes '--instrument ' build --in
else
	skip 'no bash'
fi
for shell in zsh fish; do
	command -v $shell >/dev/null || { skip "no $shell"; continue; }
	$shell -n of-$shell || fail "$shell does not read its script"
done
if command -v fish >/dev/null; then
	got=$(HOME=$PWD fish -N -c 'source of-fish; complete -C "pgobolt optimize --preset d"' 2>/dev/null |
		cut -f 1)
	[ "$got" = default ] || fail "fish: '$got'"
fi

# ---- make install
if [ -f "$BUILDDIR/Makefile" ] && command -v make >/dev/null; then
	if (cd "$BUILDDIR" && make -s install DESTDIR="$scratch/tree" prefix=/usr) >log 2>&1; then
		:
	else
		fail 'make install'
		cat log
	fi
	root=$scratch/tree
	for file in bin/pgobolt share/man/man1/pgobolt.1 share/bash-completion/completions/pgobolt \
		share/zsh/site-functions/_pgobolt share/fish/vendor_completions.d/pgobolt.fish; do
		[ -s "$root/usr/$file" ] || fail "make install: no /usr/$file"
	done
	cmp of-man "$root/usr/share/man/man1/pgobolt.1" || fail 'another man page is installed'
fi
