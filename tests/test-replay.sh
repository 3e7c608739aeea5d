#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Replays all recorded runs, by a set and by bare calls, and checks what the
# program says of runs that are damaged, wrong or not there.
#
# Environment, from the Makefile: top_builddir, top_srcdir.
set -eu

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

replay=${top_builddir:-.}/tests/replay
traces=${top_srcdir:-.}/tests/traces

# What replay printed last is worth seeing then.
fail()
{
	cat "$scratch/out" "$scratch/err" >&2
	die "$*"
}

# run STATUS ARGUMENT...: what replay prints goes to out and err.
run()
{
	wanted=$1
	shift
	status=0
	"$replay" "$@" > "$scratch/out" 2> "$scratch/err" || status=$?
	[ "$status" -eq "$wanted" ] ||
		fail "replay $*: status $status, not $wanted"
}

# says FILE TEXT: there is a line in out or err that has the text.
says()
{
	grep -qF -e "$2" "$scratch/$1" || fail "$1 does not say: $2"
}

# Every recorded run, by both targets.
for target in '' --bare; do
	# No word at all where there is no option.
	run 0 ${target:+"$target"} "$traces"/*.sq.xz
	cat "$scratch/out"
	[ "$(grep -c '[.]sq[.]xz .* ok$' "$scratch/out")" -eq 14 ] ||
		fail 'not 14 runs that agree'
	[ ! -s "$scratch/err" ] || fail 'there are complaints'
done

# Plain text, and what to leave out.
printf '# pages 10\nm 1 2 rw-\ns 1\n= 1 3 rw-\n' > "$scratch/plain"
run 0 "$scratch/plain"
says out 'recorded run              maps unmaps protects states most areas'
says out 'plain                        1      0        0      1          1'
run 0 --quiet --no-areas --no-maps --no-verify "$scratch/plain"
[ ! -s "$scratch/out" ] || fail '--quiet is not quiet'
run 0 --time "$scratch/plain"
says out ' ns a call'

if [ -c /dev/full ]; then
	status=0
	"$replay" "$scratch/plain" > /dev/full 2> "$scratch/err" || status=$?
	[ "$status" -eq 1 ] || fail "output that is lost: status $status"
	says err 'standard output: No space left on device'
fi

# A run that comes out otherwise than its state says; the next one is done.
printf '# pages 10\nm 1 2 rw-\ns 1\n= 1 3 r--\n' > "$scratch/wrong"
run 1 "$scratch/wrong" "$scratch/plain"
says err "$scratch/wrong: line 3: the set has pages 1 to 3 rw-, expected are"
says out 'plain'
run 1 --bare "$scratch/wrong"
says err "$scratch/wrong: line 3: /proc/self/maps has pages 1 to 3 rw-"

# Damaged files.
head -c 500 "$traces/go.sq.xz" > "$scratch/cut.xz"
run 1 "$scratch/cut.xz"
says err "$scratch/cut.xz: xz data is cut off"
printf '# pages 10\nm 1 20 rw-\ns 0\n' > "$scratch/beyond"
run 1 "$scratch/beyond"
says err "$scratch/beyond: line 2: pages 1 to 21 are not in the range"
run 1 "$scratch/nothing"
says err "$scratch/nothing: No such file or directory"

# Options.
run 0 --help
says out 'usage: replay'
run 2
says err 'usage: replay'
run 2 --unknown "$scratch/plain"
says err 'usage: replay'
