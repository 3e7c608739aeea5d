#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Runs the sandbox: the demo's guests, whose transcript must be the one in
# sandbox.transcript, the map, and every kind of bad input, which gets one line
# and exit status 1.
#
# Environment: top_srcdir, top_builddir; TEST_WRAPPER, words to put before the
# program.
set -eu

top=${top_srcdir:-.}
sandbox=${top_builddir:-.}/examples/sandbox/sandbox
guests=$top/examples/sandbox/guests/prebuilt
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

fail()
{
	echo "test-sandbox.sh: $*" >&2
	cat "$scratch/out" "$scratch/err" >&2
	exit 1
}

# run STATUS ARGUMENT...: what the sandbox prints goes to out and err.
run()
{
	wanted=$1
	shift
	status=0
	# TEST_WRAPPER holds several words, or none.
	# shellcheck disable=SC2086
	${TEST_WRAPPER:-} "$sandbox" "$@" > "$scratch/out" 2> "$scratch/err" ||
		status=$?
	[ "$status" -eq "$wanted" ] ||
		fail "sandbox $*: status $status, not $wanted"
}

# says FILE COUNT REGEX: so many lines of out or err match.
says()
{
	count=$(grep -cE -e "$3" "$scratch/$1") || :
	[ "$count" -eq "$2" ] ||
		fail "$1 has $count lines, not $2, that match: $3"
}

# refused FILE REGEX: the one line that is said about it; nothing of it runs.
refused()
{
	run 1 "$1"
	says err 1 ''
	says err 1 "^sandbox: $1: $2\$"
	says out 0 ''
}

# patched OFFSET BYTES REGEX: the same for hello with other bytes there.
patched()
{
	cp "$guests/hello.elf" "$scratch/patched"
	chmod u+w "$scratch/patched"
	printf '%b' "$2" | dd of="$scratch/patched" bs=1 seek="$1" \
		conv=notrunc 2> "$scratch/dd"
	refused "$scratch/patched" "$3"
}

# The demo, in its order.
set --
for name in hello pack null-pointer wild-pointer far-pointer text-write \
	jump-to-data use-after-unmap stack-overflow wx-request memory; do
	set -- "$@" "$guests/$name.elf"
done
run 0 --map "$@"
says err 0 ''
says out 4 '^    exits with 0 after [0-9]+ instructions$'
says out 7 '^    FAULT  '
says out 7 '^    killed after [0-9]+ instructions$'
says out 3 '^    REFUSED  .*rwx.: writable and executable at once$'
says out 0 'WRONG|That worked|There is '
# Addresses and sizes in reports are those of pages of 4 KiB.
if [ "$(getconf PAGESIZE)" -eq 4096 ]; then
	sed '/^The range as/,$d' "$scratch/out" > "$scratch/transcript"
	diff "$top/tests/sandbox.transcript" "$scratch/transcript" >&2 ||
		fail 'not the transcript in sandbox.transcript'
fi

# The map: the kernel's lines have no hole, and what the dump has is there.
# Under valgrind one of them may have a name.
says out 1 '^vmset_verify: the set and the kernel agree on every page\.$'
says out 1 '^vmset 0x[0-9a-f]+-0x[0-9a-f]+  4 GiB '
says out 1 ' guard$'
kernel='^  ([0-9a-f]+)-([0-9a-f]+) (...)p 0+ 00:00 0( .*)?$'
[ "$(sed -nE "s/$kernel/\\3/p" "$scratch/out" | sort -u | tr '\n' ' ')" = \
	'--- r-- r-x rw- ' ] || fail 'not the rights that are in the map'
sed -nE "s/$kernel/\\1 \\2/p" "$scratch/out" |
	awk 'NR > 1 && $1 != end { exit 1 } { end = $2 }' ||
	fail 'the kernel has a hole in the range'

# Without --map there is none.
run 0 "$guests/hello.elf"
says out 1 '^    \| Hello from hello\.elf!$'
says out 0 'vmset'

# No programs.
refused "$scratch/nothing" 'No such file or directory'
refused "$scratch" 'Is a directory'
refused /dev/null 'not an ELF file'
refused "$0" 'not an ELF file'
patched 4 '\01' 'not a 64-bit ELF file'
patched 18 '\076\00' 'made for machine 62, not RISC-V \(243\)'
patched 48 '\01' 'has compressed instructions: compile with -march=rv64im'
patched 68 '\07' 'segment 0 is both writable and executable'

# Segments: the first one's address is at 80, its size in memory at 104.
patched 80 '\00\00\00\00' 'segment 0 is at 0x0, below 0x10000'
patched 82 '\02' 'segments overlap in the page at 0x20000'
patched 108 '\01' 'segment 0 does not end below 4 GiB'
patched 111 '\0200' 'segment 0 does not end below 4 GiB'
# The third one, data, leaves no room for the stack.
patched 218 '\0374\0377' 'no room for it and its stack: No space left on device'

# Cut off at every length: refused with a line each, or, if only the sections
# are missing, run as ever.
size=$(wc -c < "$guests/hello.elf")
set --
length=0
while [ "$length" -lt "$size" ]; do
	name=$(printf '%s/%05d' "$scratch" "$length")
	head -c "$length" "$guests/hello.elf" > "$name"
	set -- "$@" "$name"
	length=$((length + 1))
done
run 1 "$@"
says err "$((size - $(grep -c 'exits with 0' "$scratch/out")))" ''
says err 4 ': not an ELF file$'
says out 0 'FAULT'
[ "$(grep -c ': truncated: ' "$scratch/err")" -gt 1000 ] ||
	fail 'less than 1000 lengths were found to be truncated'

# What there is not: the guest ends there, and the next one runs.
at='at pc 0x[0-9a-f]+ is'
run 1 "$guests/unknown-call.elf" "$guests/hello.elf"
says err 1 ''
says err 1 "^sandbox: .*/unknown-call\.elf: system call 172 $at not served here\$"
says out 1 'exits with 0'
says out 0 'Number'
run 1 "$guests/compressed.elf" "$guests/hello.elf"
says err 1 ''
says err 1 "^sandbox: .*/compressed\.elf: 0x00010001 $at no instruction of "
says err 1 ' of RV64IM \(compressed, extension C\)$'
says out 1 'exits with 0'
says out 0 'That worked'

# The command line, and an output that does not take the text.
run 0 --help
says out 1 '^Usage: sandbox '
run 1
says err 1 '^Usage: sandbox '
run 1 --unknown "$guests/hello.elf"
says out 0 ''
status=0
# shellcheck disable=SC2086
${TEST_WRAPPER:-} "$sandbox" "$guests/hello.elf" > /dev/full \
	2> "$scratch/err" || status=$?
[ "$status" -eq 1 ] || fail "status $status when the output is full"
says err 1 '^sandbox: at the end: No space left on device$'
