#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Shows how much of each source of the library the tests reach:
# coverage.sh FILE.gcda...
#
# A branch counts as reached if it was taken. Functions in headers count once
# for each source that has them. What exactly was not reached is in the .gcov
# file that "gcov -b FILE.gcda" writes.
set -eu

[ -e "$1" ] || { echo "coverage: no counts: $1" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for counts; do
	counts=$PWD/$counts
	(cd "$scratch" && "${GCOV:-gcov}" -n -b "$counts")
done > "$scratch/all"

# gcov says, for each file with code in it, the system's headers included:
#     File '../lib/tree.c'
#     Lines executed:97.50% of 40
#     Branches executed:100.00% of 20
#     Taken at least once:85.00% of 20
awk '
/^File / {
	name = $2
	gsub("\047", "", name)
	ours = name ~ "(^|/)lib/[a-z-]*[.][ch]$" && name !~ "^/usr/"
	sub(".*/", "", name)
}
function add(count, of, file) {
	percent = $0
	sub(".*:", "", percent)
	sub("%.*", "", percent)
	count[file] += percent * $NF / 100
	of[file] += $NF
}
ours && /^Lines executed:/ {
	add(lines, of_lines, name)
	add(lines, of_lines, "total")
}
ours && /^Taken at least once:/ {
	add(branches, of_branches, name)
	add(branches, of_branches, "total")
}
function percent_of(count, of) {
	return of ? 100 * count / of : 100
}
END {
	for (name in of_lines)
		printf "%-20s %6.1f %% of %5d lines %6.1f %% of %5d branches\n",
			name, percent_of(lines[name], of_lines[name]),
			of_lines[name],
			percent_of(branches[name], of_branches[name]),
			of_branches[name]
}
' "$scratch/all" | LC_ALL=C sort
