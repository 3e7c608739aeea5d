#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Shows how much of each source of the library the tests reach, and which branches
# none of them takes: coverage.sh FILE.gcda...
#
# A branch is one way out of a condition. Functions in headers count once,
# whichever source takes their branches. tests/coverage-exceptions says why a
# branch is not taken; a branch that is missing there is an error, and so is one
# that stands there and is taken, unless it may be either.
set -eu

[ -e "$1" ] || { echo "coverage: no counts: $1" >&2; exit 1; }

# gcov shows each source, the system's headers included, as
#         -:    0:Source:../lib/tree.c
#       12*:   34:	if (a || b)
# branch  0 taken 80% (fallthrough)
# branch  1 never executed
for counts; do
	"${GCOV:-gcov}" -t -b "$counts"
done | awk -v list="$(dirname "$0")/coverage-exceptions" '
function trimmed(text) {
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}
# A branch is known by its file and the text of its line, which outlives the
# number.
function key_of(file, text) {
	return file ": " trimmed(text)
}
function read_list(    line, nr, from, told, i, key, range) {
	told = 1
	while ((getline line < list) > 0) {
		if (line ~ /^#/ || line == "")
			continue
		if (line ~ /^\t/) {
			for (i = from; i <= nr; i++)
				reason[entry[i]] = reason[entry[i]] "\001\t" \
					trimmed(line)
			told = 1
			continue
		}
		if (told)
			from = nr + 1
		told = 0
		split(line, word, " ")
		sub(/^[^ ]+ [^ ]+ /, "", line)
		key = key_of(word[1], line)
		entry[++nr] = key
		split(word[2], range, "-")
		least[key] = range[1] + 0
		most[key] = range[word[2] ~ /-/ ? 2 : 1] + 0
	}
}

BEGIN { read_list() }

/^ *-: *0:Source:/ {
	ours = /[:\/]lib\/[a-z-]+[.][ch]$/ && !/:\/usr\//
	file = $0
	sub(/.*\//, "", file)
	next
}
!ours || /^(function|call|unconditional) / {
	next
}
/^branch / {
	branch = file SUBSEP line SUBSEP $2
	branches[branch] = 1
	if (!/never executed/ && !/ taken 0%/)
		taken[branch] = 1
	next
}
{
	count = trimmed(substr($0, 1, index($0, ":") - 1))
	line = substr($0, index($0, ":") + 1)
	text[file, line + 0] = substr(line, index(line, ":") + 1)
	line += 0
	if (count != "-")
		lines[file, line] = 1
	if (count ~ /^[0-9]/)
		run[file, line] = 1
}

function row(name) {
	return sprintf("%-18s %5d of %5d lines  %5d of %5d branches", name,
		nr_run[name], nr_lines[name], nr_taken[name],
		nr_branches[name])
}
END {
	for (at in lines) {
		split(at, part, SUBSEP)
		nr_lines[part[1]]++; nr_lines["all"]++
		if (at in run) {
			nr_run[part[1]]++; nr_run["all"]++
		}
	}
	for (at in branches) {
		split(at, part, SUBSEP)
		nr_branches[part[1]]++; nr_branches["all"]++
		if (at in taken) {
			nr_taken[part[1]]++; nr_taken["all"]++
			continue
		}
		key = key_of(part[1], text[part[1], part[2]])
		missed[key]++
		where[key] = part[1] ":" part[2]
	}
	sort = "LC_ALL=C sort"
	for (name in nr_lines)
		if (name != "all")
			print row(name) | sort
	close(sort)
	print row("all")
	print ""
	sort = "LC_ALL=C sort -t: -k1,1 -k2,2n | tr \"\\001\" \"\\n\""
	for (key in missed) {
		said = sprintf("%s: %d not taken: %s", where[key], missed[key],
			       substr(key, index(key, ": ") + 2))
		if (missed[key] < least[key] || missed[key] > most[key] ||
		    reason[key] == "") {
			reason[key] = "\001\tNOT EXCUSED: the list has " \
				most[key] + 0
			failed = 1
		}
		print said reason[key] | sort
	}
	close(sort)
	for (key in least)
		if (least[key] && !(key in missed)) {
			print "listed, but taken: " key
			failed = 1
		}
	exit failed
}'
