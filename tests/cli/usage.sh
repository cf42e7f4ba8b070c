#!/bin/sh
# SPDX-License-Identifier: MIT
# Names, help, global options and their errors.
. "$SRCDIR/tests/cli/lib.sh"

run 2
stdout_empty
stderr_has 'pgobolt COMMAND'
run 2 --json
stdout_has 'no command was given'
stdout_is_json
run 0 help
cp "$scratch/stdout" overview
stderr_empty
run 0 --help
cmp "$scratch/stdout" overview || fail 'help and --help differ'
run 0 help explain
golden help-explain
run 0 explain --help
golden help-explain
run 0 explain --help --no-such-option
golden help-explain
run 0 --version
stdout_has 'pgobolt '

# every command has its page: usage, a description and examples
for command in $("$PGOBOLT" help | sed -n '/^COMMANDS/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
	run 0 help "$command"
	stdout_has "pgobolt $command: "
	stdout_has 'EXAMPLES'
	stderr_empty
done

run 0 help --json
stdout_is_json
stdout_has '"global_options"'

run 2 recrod
golden unknown-command
run 2 xyzzy
golden unknown-far
run 2 help --jsn
golden unknown-option
run 2 -x help
stderr_has 'there is no option -x'
run 2 help --color
stderr_has '--color needs a value'
run 2 help --color purple
stderr_has "'purple' is none of: auto, always, never"
run 2 help --quiet=yes
stderr_has '--quiet takes no value'
run 2 help explain record
stderr_has "help does not expect 'record'"
run 2 help -- -v
stderr_has "no command '-v'"

# global options before and after; values in every spelling
mkdir sub
for place in '-C sub explain' 'explain -C sub' '-Csub explain' 'explain --directory=sub' \
	'explain --directory sub'; do
	run 0 $place USAGE
done
run 1 -C missing help
stderr_has 'missing: No such file or directory'
stderr_has 'pgobolt explain NOT_FOUND'

# an error is a JSON document wherever --json stands, but not behind --
run 2 --json recrod
golden unknown-command-json
stderr_empty
run 2 recrod --json
golden unknown-command-json
run 2 recrod -- --json
golden unknown-command
run 2 --bad --json
stdout_is_json

# colour: asked for, and not
run 0 --color always help
stdout_has "$(printf '\033[1m')"
run 0 help
stdout_lacks "$(printf '\033')"
run 2 --color=always recrod
stderr_has "$(printf '\033[31m')"

# on a terminal: colour, unless NO_COLOR says no; as wide as the terminal, at most 100
if command -v script >/dev/null && TERM=xterm script -qec true /dev/null >/dev/null 2>&1; then
	on_terminal() {
		TERM=xterm script -qec "stty cols $1; $2 '$PGOBOLT' help explain" /dev/null \
			</dev/null >"$scratch/stdout"
		last="help on a terminal of $1 columns"
		# behind the first line; \r and colours take no column
		widest=$(sed -e 1d -e 's/\r//g' -e "s/$(printf '\033')\[[0-9]*m//g" "$scratch/stdout" |
			awk 'length > widest { widest = length } END { print widest }')
	}
	on_terminal 60 ''
	stdout_has "$(printf '\033[1m')"
	[ "$widest" -le 60 ] || fail "$last: a line of $widest"
	on_terminal 300 ''
	[ "$widest" -gt 80 ] && [ "$widest" -le 100 ] || fail "$last: a line of $widest"
	on_terminal 80 'NO_COLOR=1'
	stdout_lacks "$(printf '\033[1m')"
	on_terminal 80 'TERM=dumb'
	stdout_lacks "$(printf '\033[1m')"
else
	skip 'no script(1) to make a terminal'
fi

# a result that cannot be written is a failure, in text and in JSON
if [ -c /dev/full ]; then
	for option in '' --json; do
		"$PGOBOLT" help $option >/dev/full 2>"$scratch/stderr"
		[ $? -eq 3 ] || fail 'help to a full device: not exit status 3'
		grep -q 'cannot write to standard output: No space left' "$scratch/stderr" ||
			fail 'help to a full device: not said'
	done
else
	skip 'no /dev/full'
fi
if "$PGOBOLT" help >&- 2>"$scratch/stderr"; then
	fail 'help to a closed stdout: success'
fi
