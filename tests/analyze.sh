#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Has gcc -fanalyzer, clang-tidy and cppcheck read the sources, those of them that
# are installed, and shows what they find: analyze.sh [gcc|clang-tidy|cppcheck]...
#
# .clang-tidy chooses clang-tidy's checks.  What a tool finds and the sources
# keep stands with its reason in tests/analyze-exceptions; an exception that
# nothing needs any more is an error, too.
#
# Environment, from the Makefile: CC, and CPPFLAGS and CFLAGS, what the sources
# are built with; top_srcdir. JOBS says how many run at once.
set -eu

: "${CC:=cc}" "${CPPFLAGS=}" "${CFLAGS=}"
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}"
: "${JOBS:=$(getconf _NPROCESSORS_ONLN)}"

# The flags are several words each.
# shellcheck disable=SC2086
read_by()
{
	case $1 in
	gcc)
		"$gcc" $CPPFLAGS $CFLAGS -Wno-error -fanalyzer \
			-c -o /dev/null "$2" 2>&1
		;;
	clang-tidy)
		# One source a run: with more of them clang-tidy 14 takes every
		# va_list for one that was never started.
		clang-tidy --quiet "$2" -- $CPPFLAGS $CFLAGS \
			-Wno-unknown-warning-option 2> "$3.err" ||
			{ cat "$3.err"; false; }
		;;
	esac
}

# In a process of its own, for each source.
if [ "${1-}" = one ]; then
	log=$scratch/said/$(echo "$3" | tr / _)
	read_by "$2" "$3" "$log" > "$log" || {
		echo "$3" >> "$scratch/failed"
		tail -n 20 "$log" >&2
	}
	exit
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
export scratch top_srcdir CC CPPFLAGS CFLAGS

# The one that builds the library, or another that has an analyzer.
for gcc in $CC gcc; do
	"$gcc" -fanalyzer -fsyntax-only -x c /dev/null 2> /dev/null && break
	gcc=
done
export gcc

is_there()
{
	case $1 in
	gcc) [ "$gcc" ] ;;
	*) command -v "$1" > /dev/null ;;
	esac
}

list_sources()
{
	(cd "$top_srcdir" && find bench examples lib tests -name '*.c') |
		LC_ALL=C sort
}

# The guests are for another machine; only cppcheck needs no compiler for them.
list_for()
{
	case $1 in
	cppcheck) list_sources ;;
	*) list_sources | grep -v '/guests/' ;;
	esac
}

# What the tool says, in the files of $scratch/said.
ask()
{
	mkdir "$scratch/said"
	if [ "$1" = cppcheck ]; then
		(cd "$top_srcdir" && cppcheck --quiet -j "$JOBS" --std=c11 \
			--enable=warning,performance,portability \
			--template='{file}:{line}:{column}: {severity}: {message} [{id}]' \
			-D__x86_64__ -D_GNU_SOURCE -Ilib \
			bench examples lib tests) > "$scratch/said/all" 2>&1 ||
			echo cppcheck >> "$scratch/failed"
		return
	fi
	list_for "$1" | sed "s|^|$top_srcdir/|" |
		xargs -P "$JOBS" -n 1 sh "$0" one "$1"
}

# A finding is, from each tool,
#     FILE:LINE:COLUMN: KIND: text [check,its other name]
# and an exception
#     TOOL FILE CHECK
# Prints those that no exception is for, and how many there are.
judge()
{
	cat "$scratch"/said/* | sort -u |
	awk -v tool="$1" -v top="$top_srcdir/" -v sources="$2" \
		-v list="$top_srcdir/tests/analyze-exceptions" '
	BEGIN {
		while ((getline line < list) > 0)
			if (split(line, word) == 3 && word[1] == tool &&
			    line !~ /^[ \t#]/)
				excused[word[2] " " word[3]] = line
	}
	# Whether an exception is for the check, which has several names at times.
	function is_excused(file, check, name, n, i, key) {
		n = split(check, name, ",")
		for (i = 1; i <= n; i++)
			for (key in excused)
				if (key == file " " name[i] ||
				    key == "* " name[i]) {
					used[key] = 1
					return 1
				}
		return 0
	}
	/^[^ ]+:[0-9]+:[0-9]+: (fatal error|[a-z]+): / && !/: note: / {
		if (index($0, top) == 1)
			$0 = substr($0, length(top) + 1)
		file = $0
		sub(/:.*/, "", file)
		check = "error"
		if (match($0, /\[[^][ ]*\]$/))
			check = substr($0, RSTART + 1, RLENGTH - 2)
		if (is_excused(file, check))
			kept++
		else {
			print
			found++
		}
	}
	END {
		for (key in excused)
			if (!(key in used)) {
				print "tests/analyze-exceptions: needless: " \
					excused[key]
				found++
			}
		printf "%-12s %d sources, %d findings, %d more excused\n",
			tool, sources, found, kept
		exit found > 0
	}'
}

[ $# -gt 0 ] || set -- gcc clang-tidy cppcheck
status=0
for tool; do
	if ! is_there "$tool"; then
		printf '%-12s not installed\n' "$tool"
		continue
	fi
	ask "$tool"
	judge "$tool" "$(list_for "$tool" | grep -c .)" || status=1
	if [ -e "$scratch/failed" ]; then
		printf '%-12s failed\n' "$tool"
		status=1
	fi
	rm -rf "$scratch/said" "$scratch/failed"
done
exit "$status"
