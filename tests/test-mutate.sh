#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Has tests/mutate damage something small, of which it is known what notices it.
#
# Environment, from the Makefile: top_srcdir.
set -eu

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

mutate=$(cd "${top_srcdir:-.}" && pwd)/tests/mutate
command -v perl > /dev/null || skip 'tests/mutate needs perl'

# A library of three lines.  What does not have "sound" in it is no program, and
# a suite and a program see one of its lines each.
mkdir "$scratch/tree" "$scratch/tree/lib" "$scratch/tree/tests"
cd "$scratch/tree"
printf 'sound\nseen by a suite\nseen by a program\nseen by none\n' > lib/a.c
cat > Makefile << 'END'
all: tests/vmset-tests tests/exhaust tests/interleave
tests/vmset-tests tests/exhaust tests/interleave: always
	grep -q '^sound$$' lib/a.c
always:
END
cat > tests/vmset-tests << 'END'
#!/bin/sh
[ "$1" != slab ] || grep -q suite lib/a.c
END
printf '#!/bin/sh\ngrep -q program lib/a.c\n' > tests/exhaust
printf '#!/bin/sh\n' > tests/interleave
chmod +x tests/vmset-tests tests/exhaust tests/interleave
cp lib/a.c "$scratch/a.c"

# mutation TEXT REPLACEMENT: one more in the list, named as the text.
mutation()
{
	printf '@ lib/a.c: %s\n- %s\n+ %s\n' "$1" "$1" "$2" >> "$scratch/list"
}

# run STATUS ARGUMENT...: what mutate prints goes to out and err.  2 stands for
# all that perl's die may make of it.
run()
{
	wanted=$1
	shift
	status=0
	"$mutate" "$@" "$scratch/list" . > "$scratch/out" 2> "$scratch/err" ||
		status=$?
	[ "$status" -le 2 ] || status=2
	[ "$status" -eq "$wanted" ] ||
		die "mutate $*: status $status, not $wanted"
	cmp -s lib/a.c "$scratch/a.c" || die 'the damage was left there'
}

says()
{
	grep -q -e "$2" "$scratch/$1" || {
		cat "$scratch/out" "$scratch/err" >&2
		die "$1 does not say: $2"
	}
}

mutation 'seen by a suite' 'damage'
mutation 'seen by a program' 'damage'
run 0
says out '^a[.]c  *seen by a suite  *slab$'
says out '^a[.]c  *seen by a program  *tests/exhaust$'
says out '^2 killed, 0 survived, 0 do not compile$'

# Nothing that the tests do not see, or that is no library any more, will do.
mutation 'sound' 'damage'
run 1
says out '^a[.]c  *sound  *DOES NOT COMPILE$'
says out '^2 killed, 0 survived, 1 do not compile$'
mutation 'seen by none' 'damage'
run 1
says out '^a[.]c  *seen by none  *SURVIVED$'
says out '^2 killed, 1 survived, 1 do not compile$'
run 0 -n 'by a program'
says out '^1 killed, 0 survived, 0 do not compile$'
run 1 -n 'seen by none'
says out '^0 killed, 1 survived, 0 do not compile$'

# Neither a list that does not fit, nor a name that is none.
run 2 -n 'by nobody'
says err 'no mutation is named by nobody'
mutation 'what is not there' 'damage'
run 2
says err 'what is not there: the text stands there 0 times'
