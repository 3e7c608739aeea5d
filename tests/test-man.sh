#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Holds the manual against the header: every exported function has a page, with
# the header's prototype and every error that the header names for it; the
# programs on the pages compile; and the formatters here have no complaint.
#
# Environment: top_srcdir, CC.
set -eu

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

top=${top_srcdir:-.}
checks=0

# The text of a page, without fonts and escapes.
plain()
{
	sed 's/\\f[BIPR]//g; s/\\%//g; s/\\-/-/g; s/\\e/\\/g' "$1"
}

# One line, with one blank between words.
squeeze()
{
	tr -s ' \t\n' '   ' | sed 's/^ //; s/ $//'
}

# header_prototype FUNCTION
header_prototype()
{
	awk -v name="$1" '
		$0 ~ "^[a-z].*[ *]" name "\\(" { found = 1 }
		found { print }
		found && /;$/ { exit }' "$top/lib/vmset.h" | squeeze
}

# page_prototype FUNCTION PAGE
page_prototype()
{
	plain "$2" | awk -v name="$1" '
		$0 ~ "^[a-z].*[ *]" name "\\(" { found = 1 }
		found { print }
		found && /;$/ { exit }' | squeeze
}

# The errors in the comment that starts with the function and a colon.
header_errors()
{
	awk -v name="$1" '
		index($0, " * " name ":") == 1 { found = 1 }
		found && /\*\// { exit }
		found { print }' "$top/lib/vmset.h" |
		grep -oE -e '-E[A-Z]+' | sort -u
}

check_function()
{
	page=$top/man/$1.3
	[ -f "$page" ] || die "$1 has no page"
	wanted=$(header_prototype "$1")
	[ -n "$wanted" ] || die "$1 is not in vmset.h"
	found=$(page_prototype "$1" "$page")
	[ "$wanted" = "$found" ] ||
		die "$1.3 has '$found', vmset.h has '$wanted'"
	plain "$page" > "$scratch/page"
	for section in NAME LIBRARY SYNOPSIS DESCRIPTION 'RETURN VALUE' \
			ERRORS NOTES 'SEE ALSO'; do
		grep -qxF ".SH $section" "$scratch/page" ||
			die "$1.3 has no section $section"
	done
	for error in $(header_errors "$1"); do
		grep -qxF -e "$error" "$scratch/page" ||
			die "$1.3 does not tell of $error"
	done
	plain "$top/man/vmset.7" | grep -qF ".BR $1 (3)" ||
		die "vmset.7 does not point to $1"
	plain "$top/man/vmset.7" | grep -qxF "$1(3)" ||
		die "vmset.7 does not list $1"
	checks=$((checks + 1))
}

# The programs on a page compile without a warning.
check_examples()
{
	plain "$1" | sed -n '/^\.SH EXAMPLES/,/^\.SH SEE/p' |
		sed -n '/^\.EX/,/^\.EE/p' | grep -vE '^\.E[XE]' \
		> "$scratch/example.c" || return 0
	${CC:-cc} -std=gnu11 -Wall -Wextra -Werror -fsyntax-only \
		-I"$top/lib" "$scratch/example.c" ||
		die "the example of $1 does not compile"
	checks=$((checks + 1))
}

# Every page that is pointed to is there.
check_links()
{
	plain "$1" | sed -n 's/^\.BR \(vmset[a-z_]*\) (\([0-9]\)).*/\1.\2/p' |
		while read -r target; do
			[ -f "$top/man/$target" ] || echo "$target"
		done > "$scratch/missing"
	[ ! -s "$scratch/missing" ] ||
		die "$1 points to $(cat "$scratch/missing")"
}

check_format()
{
	if command -v groff > /dev/null; then
		groff -man -ww -z -Tutf8 "$1" 2> "$scratch/groff"
		[ ! -s "$scratch/groff" ] ||
			die "groff: $(cat "$scratch/groff")"
	fi
	if command -v mandoc > /dev/null; then
		mandoc -Tlint -Wwarning "$1" > "$scratch/mandoc" ||
			die "mandoc: $(cat "$scratch/mandoc")"
	fi
}

functions=$(sed -n 's/^	\(vmset_[a-z_]*\);$/\1/p' "$top/lib/vmset.map")
[ -n "$functions" ] || die 'vmset.map names no function'
for function in $functions; do
	check_function "$function"
done
for page in "$top"/man/*.[37]; do
	check_examples "$page"
	check_links "$page"
	check_format "$page"
	name=$(basename "$page" .3)
	case $name in
	vmset.7) ;;
	*) echo "$functions" | grep -qx "$name" ||
		die "$name is not a function of the library" ;;
	esac
done
echo "$checks pages and examples of the manual"
