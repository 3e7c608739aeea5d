#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Runs the allocator and the JIT, and checks what they print: results, and what
# they say to every kind of bad input.
#
# Environment: top_builddir; TEST_WRAPPER, words to put before each program.
set -eu

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

examples=${top_builddir:-.}/examples
checks=0

# What the program printed last is worth seeing then.
fail()
{
	cat "$scratch/out" "$scratch/err" >&2
	die "$*"
}

# run STATUS PROGRAM ARGUMENT...: what it prints goes to out and err.
run()
{
	wanted=$1
	program=$2
	shift 2
	status=0
	# TEST_WRAPPER holds several words, or none.
	# shellcheck disable=SC2086
	${TEST_WRAPPER:-} "$examples/$program" "$@" > "$scratch/out" \
		2> "$scratch/err" || status=$?
	[ "$status" -eq "$wanted" ] ||
		fail "$program $*: status $status, not $wanted"
	checks=$((checks + 1))
}

# says FILE COUNT REGEX: so many lines of out or err match.
says()
{
	count=$(grep -cE -e "$3" "$scratch/$1") || :
	[ "$count" -eq "$2" ] ||
		fail "$1 has $count lines, not $2, that match: $3"
	checks=$((checks + 1))
}

# gives EXPRESSION VALUE [SETTING...]: the JIT's last result.
gives()
{
	text=$1
	value=$2
	shift 2
	run 0 jit "$@" "$text"
	tail -n 2 "$scratch/out" | grep -qxF "  set r-x, kernel r-xp: $value" ||
		fail "$text $*: not $value"
	says out 1 'states seen, nothing was writable and executable$'
	says err 0 '^jit:'
}

# complains COLUMN ERROR ARGUMENT...: about a bad expression, with a caret.
complains()
{
	column=$1
	error=$2
	shift 2
	run 1 jit "$@"
	grep -qxF "jit: column $column: $error" "$scratch/err" ||
		fail "jit $*: not: column $column: $error"
	[ "$(grep -xE ' +\^' "$scratch/err" | wc -m)" -eq $((column + 3)) ] ||
		fail "jit $*: the caret is not at column $column"
}

# refuses ERROR PROGRAM ARGUMENT...: something else is wrong.
refuses()
{
	error=$1
	shift
	run 1 "$@"
	grep -qxF "$error" "$scratch/err" || fail "$*: not: $error"
}

allocator_works()
{
	address='0x[0-9a-f]+'
	unused='which is not in use: freed before\?$'

	run 0 allocator 20000 "$1"
	says out 1 '^20000 calls: [0-9]+ malloc, [0-9]+ realloc, [0-9]+ free; all blocks filled and checked$'
	awk '/ calls: / && $3 + $5 + $7 != $1 { exit 1 }' "$scratch/out" ||
		fail 'the calls do not add up'
	awk '/^peak: / && ($2 < 1000 || $6 < $2) { exit 1 }' "$scratch/out" ||
		fail 'the areas hold less than was asked for'
	says out 2 '^0x.* KiB  ---  .*  guard$'
	says out 1 '^The kernel agrees with the set\.$'

	# Every misuse, in the order in which it is shown.
	says err 1 "^free $address: byte 8 of the block $address of 48 bytes$"
	says err 1 "^free $address: byte 90000 of the block $address of 100000 bytes$"
	says err 2 "^free $address: in no block of this arena$"
	says err 1 "^free $address: byte 0 of the block $address of 20000 bytes, $unused"
	says err 1 "^fault at $address: byte 123 of the block $address of 20000 bytes, $unused"
	says err 1 "^fault at $address: byte 1 behind the end of the block $address of 100000 bytes$"
	says err 1 "^fault at $address: in no block of this arena$"
	says err 1 "^fault at $address: byte 80000 of the block $address of 100000 bytes$"
	says err 2 "^free $address: byte 0 of the block $address of 48 bytes, $unused"
	says err 1 "^realloc $address: byte 0 of the block $address of 48 bytes, $unused"
	[ "$(grep -cE '^(free|realloc|fault at) 0x' "$scratch/err")" -eq 12 ] ||
		fail 'the arena complains of something else'
}

allocator_arguments()
{
	for bad in 0 -1 +1 12x '' 1e3 4294967296 99999999999999999999999; do
		refuses "allocator: '$bad' is not a number from 1 to 4294967295" \
			allocator "$bad"
		refuses "allocator: '$bad' is not a number from 1 to 4294967295" \
			allocator 100 "$bad"
	done
	refuses 'allocator: usage: allocator [CALLS [SEED]]' allocator 1 2 3
}

jit_table()
{
	cat > "$scratch/table" << 'END'
	# Binding, and from left to right.
	2 - 3 - 4 = -5
	2 * 3 + 4 * 5 = 26
	2 + 3 * 4 - 5 = 9
	100 / 7 / 2 = 7
	100 % 7 * 2 = 4
	100 - (7 - 2) = 95
	2 * (3 + 4) * 5 = 70
	( ( 1 ) ) = 1
	--3 = 3
	x=42
	((((((((x))))))))-1 = 41
	-(2+3)*-x = 210
	x=6
	1-(2-(3-(4-(5-x)))) = -3

	# Towards zero, and the remainder with the sign of the left side.
	-7 / 2 = -3
	-7 % 3 = -1
	7 % -3 = 1
	0 / 5 = 0

	# All 64 bits, and beyond them.
	9223372036854775807 = 9223372036854775807
	9223372036854775807 + 1 = -9223372036854775808
	x=-9223372036854775808
	x - 1 = 9223372036854775807
	-x = -9223372036854775808
	x / -1 = -9223372036854775808
	x % -1 = 0
	x / 3 = -3074457345618258602
	x=9223372036854775807
	x * x = 1
	x=6148914691236517206
	x * 3 = 2
	x=-5
	x / -1 = 5
	x % -1 = 0

	# Constants with a bit in each quarter.
	81985529216486895 - 1 = 81985529216486894
	65536 * 65536 * 65536 = 281474976710656
END
}

jit_calculates()
{
	jit_table
	run 0 jit
	says out 1 '^  set r-x, kernel r-xp: 21$'
	says out 1 '^  set r-x, kernel r-xp: 13$'
	says out 1 '^  set r-x, kernel r-xp: 31$'
	says out 1 '^  set r-x, kernel r-xp: -49$'
	says out 3 '^  set rw-, kernel rw-p: [0-9]+ bytes of code, '
	says out 1 '^8 states seen, nothing was writable and executable$'

	# One run for the whole table: EXPRESSION = VALUE, or x=N.
	set --
	while read -r line; do
		case $line in
		'' | '#'*) ;;
		x=*) set -- "$@" "$line" ;;
		*) set -- "$@" "${line% = *}"
		   echo "${line#* = }" ;;
		esac
	done > "$scratch/wanted" < "$scratch/table"
	run 0 jit "$@"
	sed -n 's/^  set r-x, kernel r-xp: //p' "$scratch/out" > "$scratch/got"
	diff "$scratch/wanted" "$scratch/got" > "$scratch/err" ||
		fail 'the results are not those of the table'
	says out 1 "^$((2 * $(wc -l < "$scratch/wanted"))) states seen, "
}

jit_patches()
{
	gives 'x * 3 + 1' 51 x=10 patch=5
	says out 1 '^  set r-x, kernel r-xp: 31$'
	says out 1 '^  set rw-, kernel rw-p: the first constant is now 5$'
	says out 1 '^4 states seen'
	gives '1 + 2' -9223372036854775806 patch=-9223372036854775808
	gives 'x / 2' -5 x=5 patch=-1
	complains 3 'division by zero' patch=0 'x / 2'
	says out 1 '^  set r-x, kernel r-xp: no result$'
	complains 1 'there is no constant to patch' patch=1 x
}

jit_places()
{
	# Of two places as near, the lower; then the other one.
	page=$(getconf PAGESIZE)
	run 0 jit 1 2 3
	for step in "[-]$page" "[+]$page" "[-]$((2 * page))"; do
		says out 1 "bytes of code, $step from the place wanted, $step from the exit$"
	done
	run 0 jit near=0 1
	says out 1 ', \+0 from the place wanted, -33554432 from the exit$'
	run 0 jit near=67108863 1
	says out 1 ", -$((page - 1)) from the place wanted, \\+$((33554432 - page)) from the exit$"
	refuses 'jit: near=-1: outside the range of 64 MiB' jit near=-1 1
	refuses 'jit: near=67108864: outside the range of 64 MiB' \
		jit near=67108864 1
}

jit_complains()
{
	operand='a number, x, - or ( is missing here'
	after='an operator or the end is missing here'

	complains 1 "$operand" ''
	complains 3 "$operand" '  '
	complains 3 "$operand" '1+'
	complains 5 "$operand" '1 + * 2'
	complains 1 "$operand" 'y'
	complains 2 "$operand" '()'
	complains 2 "$operand" '-'
	complains 4 'an operator or ) is missing here' '(1 2)'
	complains 3 'an operator or ) is missing here' '(1'
	complains 2 "$after" '1)'
	complains 3 "$after" '1 x'
	complains 3 "$after" '12y'
	complains 2 "$after" 'x=1' 'xx'
	complains 5 'this number is above 2^63 - 1' '1 + 9223372036854775808'
	complains 1 'this number is above 2^63 - 1' 92233720368547758070
	complains 3 'division by zero' '1 / (2 - 2)'
	complains 7 'division by zero' '1 + (x%0) * 2' x=1
	deep=$(printf '%0501d' 0 | tr 0 '(')
	complains 501 'this is nested too deeply' "$deep"

	# The expressions after a bad one are done all the same.
	complains 1 "$operand" '+' '1 + 1'
	says out 1 '^  set r-x, kernel r-xp: 2$'
}

settings_complain()
{
	for bad in x= x=1x x=y x=9223372036854775808 patch= near=; do
		refuses "jit: $bad: not a 64-bit number" jit "$bad" 1
	done
}

allocator_works 1
allocator_works 2
allocator_arguments
status=0
# shellcheck disable=SC2086
${TEST_WRAPPER:-} "$examples/jit" 1 > "$scratch/out" \
	2> "$scratch/err" || status=$?
if [ "$status" -eq 77 ]; then
	says err 1 '^jit: makes code for x86-64 and aarch64 only$'
else
	jit_calculates
	jit_patches
	jit_places
	jit_complains
	settings_complain
fi
echo "$checks checks of the examples"
