#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Replays all recorded runs and logs, by a set and by bare calls, and checks what
# the program says of those that are damaged, wrong or not there.
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

# Logs of strace: recorded ones, by both targets, shortened and not.
for options in '' --bare --keep '--every 1' '--every 0'; do
	# shellcheck disable=SC2086
	run 0 $options "$traces"/strace/*.xz
	cat "$scratch/out"
	[ "$(grep -c '^  compared .* states  ok$' "$scratch/out")" -eq 5 ] ||
		fail 'not 5 logs that agree'
	[ ! -s "$scratch/err" ] || fail 'there are complaints'
done

# Who lived where in them: without clone and execve, and with.
run 0 "$traces/strace/python3.strace.xz"
says out ' 2, of 6 threads and processes: 1 by fork, 0 by execve, 1 from'
says out '     4  new pid without clone: taken as a thread'
run 0 "$traces/strace/pipeline.strace.xz"
says out ' 8, of 5 threads and processes: 4 by fork, 3 by execve, 1 from'
run 0 "$traces/strace/gcc.strace.xz"
says out ' 3, of 3 threads and processes: 0 by fork, 2 by execve, 1 from'
says out '     9  failed for the program, too'
run 0 "$traces/strace/node.strace.xz"
says out ' 1, of 8 threads and processes: 0 by fork, 0 by execve, 1 from'
run 0 "$traces/strace/realloc.strace.xz"
says out ', mremap 40,'
says out '    16  mremap to another place: as map and unmap'

# A log made by hand: nothing is counted wrong.
flags='MAP_PRIVATE|MAP_ANONYMOUS'
cat > "$scratch/log" << EOF
7 mmap(NULL, 40960, PROT_READ|PROT_WRITE, $flags, -1, 0) = 0x10000
7 mprotect(0x11000, 4096, PROT_READ) = 0
7 mprotect(0x11000, 4096, PROT_READ) = 0
7 madvise(0x11000, 4096, MADV_DONTNEED) = 0
7 getpid() = 7
7 fork() = 8
8 munmap(0x10000, 40960) = 0
8 munmap(0x10000, 40960) = 0
8 munmap(0x10001, 40960) = -1 EINVAL (Invalid argument)
8 +++ exited with 0 +++
7 +++ exited with 0 +++
EOF
run 0 --spaces "$scratch/log"
says out 'log: 11 lines of strace'
says out ' mmap 1, munmap 3, mprotect 2, madvise 1, fork 1, others 1'
says out ' 2, of 2 threads and processes: 1 by fork, 0 by execve, 1 from'
says out ' 8 operations: maps 4, unmaps 2, protects 2; 3 of the maps copy'
# The second mprotect has nothing to do.
says out ', munmap 0, mprotect 1, others 0; 0.'
says out ' most 3, 3; at the end, all spaces together, 3, 4'
says out ' 6 pages; the longest stretch that was shortened had 8'
says out '         1  failed for the program, too'
says out '         1  leave all areas as they are'
says out '  7 1                        1      0        2      1 '
says out '  8 6 fork                   3      2        0      1 '
says out 'compared      2 states  ok'
run 0 --bare "$scratch/log"
says out ' 8 calls: mmap 4, munmap 2, mprotect 2, others 0; 1.00 an operation'
run 0 --keep "$scratch/log"
says out ' 10 pages'
run 0 --time "$scratch/log"
says out ' ms in the operations'
run 0 --quiet "$scratch/log"
[ ! -s "$scratch/out" ] || fail '--quiet is not quiet'
run 0 --progress "$scratch/log"
says err "$scratch/log: bytes read "
says err "$scratch/log: calls taken in 10 of 10"
says err "$scratch/log: operations replayed 4 of 4"

# Kinds may be mixed; a damaged one does not keep the next from its turn.
printf '7 munmap(0x1000, 4096) = 0\n7 munmap(0x1000\n' > "$scratch/bad"
printf 'what is this\n' > "$scratch/other"
run 1 "$scratch/bad" "$scratch/other" "$scratch/plain" "$scratch/log"
says err "$scratch/bad: line 2: call: it is cut off: it has no result"
says err "$scratch/other: line 1: neither a recorded run nor the output of strace"
says out 'plain'
says out 'log: 11 lines of strace'
printf '\n\nwhat is this\n' > "$scratch/other"
: > "$scratch/empty"
run 1 "$scratch/other" "$scratch/empty"
says err "$scratch/other: line 3: neither a recorded run"
says err "$scratch/empty: line 1: neither a recorded run"

# Options.
run 0 --help
says out 'usage: replay'
run 2
says err 'usage: replay'
run 2 --unknown "$scratch/plain"
says err 'usage: replay'
run 2 --every x "$scratch/log"
run 2 --every -1 "$scratch/log"
says err 'usage: replay'
