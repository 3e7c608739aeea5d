#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Runs programs under memcheck:  memcheck.sh PROGRAM... [-- PROGRAM ARG...]
# A PROGRAM that ends in .sh is a script that runs others, with the words in
# TEST_WRAPPER before each.
#
# Every process writes a log of its own, and each of them must end without an
# error. That counts the children of tests that die on purpose, too: what the
# parent sees of such a child is only the signal that it waits for.
#
# Environment: VALGRIND, LIBTOOL, VALGRIND_FLAGS; logs go to tests/memcheck/.
set -eu

if [ -z "${VALGRIND:-}" ] && ! VALGRIND=$(command -v valgrind); then
	echo 'check-valgrind: valgrind is missing: install it (Debian:' \
		'valgrind)' >&2
	exit 1
fi

logs=tests/memcheck
passed=0
failed=0
broken=

# Everything slow is given time: libcheck ends a test after 4 s otherwise.
export CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-50}"

# The words to put before a program.
wrapper()
{
	echo "${LIBTOOL:-env} ${LIBTOOL:+--mode=execute} $VALGRIND" \
		--tool=memcheck --error-exitcode=99 --leak-check=full \
		--errors-for-leak-kinds=definite,possible \
		--num-callers=30 --trace-children=no \
		"--log-file=$PWD/$logs/$name.%p.log" "${VALGRIND_FLAGS:-}"
}

# A script puts the words before the programs that it runs.
# shellcheck disable=SC2046
memcheck()
{
	case $1 in
	*.sh)
		TEST_WRAPPER=$(wrapper) sh "$@"
		;;
	*)
		$(wrapper) "$@"
		;;
	esac
}

# The logs of this run that tell of errors, or are cut off.
bad_logs()
{
	for log in "$logs/$name".*.log; do
		grep -q 'ERROR SUMMARY: 0 errors' "$log" || echo "$log"
	done
}

run()
{
	name=$(basename "$1")
	while [ -e "$logs/$name.out" ]; do
		name=$name+
	done
	status=0
	memcheck "$@" > "$logs/$name.out" 2>&1 < /dev/null || status=$?
	bad=$(bad_logs)
	# What libcheck counts is worth seeing when all is well, too.
	grep -E '^[0-9]+%: Checks' "$logs/$name.out" || :
	if [ "$status" -eq 0 ] && [ -z "$bad" ]; then
		echo "PASS: $* (memcheck, $(processes) processes)"
		passed=$((passed + 1))
		return
	fi
	echo "FAIL: $* (memcheck, exit status $status)"
	failed=$((failed + 1))
	broken="$broken $logs/$name.out $bad"
}

processes()
{
	set -- "$logs/$name".*.log
	echo $#
}

rm -rf "$logs"
mkdir -p "$logs"

while [ $# -gt 0 ] && [ "$1" != -- ]; do
	run "$1"
	shift
done
if [ $# -gt 1 ]; then
	shift
	run "$@"
fi

for file in $broken; do
	echo "== $file"
	cat "$file"
done
echo '# memcheck'
echo "# TOTAL: $((passed + failed))"
echo "# PASS:  $passed"
echo "# FAIL:  $failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
