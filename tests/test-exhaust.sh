#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Runs tests/exhaust with arguments that make sense, and with such that do not.
#
# Environment, from the Makefile: top_builddir.
set -eu

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

exhaust=${top_builddir:-.}/tests/exhaust

# run STATUS ARGUMENT...: what exhaust prints goes to out and err.
run()
{
	wanted=$1
	shift
	status=0
	"$exhaust" "$@" > "$scratch/out" 2> "$scratch/err" || status=$?
	[ "$status" -eq "$wanted" ] ||
		die "exhaust $*: status $status, not $wanted"
}

# One world alone, and the sum of it.
run 0 2 'lost, apart'
[ "$(wc -l < "$scratch/out")" -eq 2 ] || die 'not one world and the sum'
grep -q '^lost, apart  *2 units, [1-9][0-9]* states' "$scratch/out" ||
	die 'the world is not told of'
grep -q ' 0 failures$' "$scratch/out" || die 'there is no sum'

# Neither a number that is none nor a world that is none is passed over.
for units in 0 11 -1 x 3x '3 ' '' 99999999999999999999; do
	run 2 "$units"
	grep -q '^usage: ' "$scratch/err" || die "no usage for UNITS '$units'"
	[ ! -s "$scratch/out" ] || die "UNITS '$units' runs something"
done
for name in area 'areas ' ''; do
	run 2 1 "$name"
	grep -q 'lost, apart' "$scratch/err" || die 'the worlds are not named'
	[ ! -s "$scratch/out" ] || die "NAME '$name' runs something"
done
run 2 1 areas more
