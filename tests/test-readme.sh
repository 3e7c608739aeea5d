#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What README says is true: its two commands are there word for word, the demo
# prints what it shows, the files that it names exist, and its program is short,
# builds against an installed library and prints what README shows.
#
# Environment, from the Makefile: CC, MAKE, PKG_CONFIG, top_builddir,
# top_srcdir, libdir, INSTRUMENTED.
set -eu
# Lower-case names come from the Makefile and from lib.sh.
# shellcheck disable=SC2154

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

: "${CC:=cc}" "${top_srcdir:?}" "${top_builddir:?}"
readme=$top_srcdir/README

# block NAME NUMBER: what is inside the NUMBERth fence that opens with ```NAME.
block()
{
	awk -v open="\`\`\`$1" -v number="$2" '
		$0 == "```" { inside = 0 }
		inside && seen == number { print }
		$0 == open { inside = 1; seen++ }
	' "$readme"
}

# section TITLE: the lines below a title, up to the next title's underline.
section()
{
	awk -v title="$1" '
		/^--+$|^==+$/ { inside = last == title }
		inside { print }
		{ last = $0 }
	' "$readme"
}

# Addresses are others in every run.
without_addresses()
{
	sed 's/\(0x\)\{0,1\}[0-9a-f]\{8,\}/ADDRESS/g'
}

check_commands()
{
	for goal in demo 'check check-valgrind'; do
		line="    ./bootstrap --install-deps && ./configure && make $goal"
		must grep -qxF -e "$line" "$readme"
	done
	echo 'commands: both are there'
}

check_files()
{
	section 'Where things are' | grep -oE '^    [^ ]+' |
		tr -d ' ' > "$scratch/files"
	must test -s "$scratch/files"
	while read -r file; do
		must test -e "$top_srcdir/$file"
	done < "$scratch/files"
	echo "files: $(wc -l < "$scratch/files"), all exist"
}

# What README shows of the demo, which may leave lines out at [...].
check_demo()
{
	"$MAKE" -s -C "$top_builddir" demo > "$scratch/out" 2> "$scratch/err" ||
		die "make demo failed: $(cat "$scratch/err")"
	without_addresses < "$scratch/out" | sed 's/ *$//' > "$scratch/got"
	block text 2 | without_addresses > "$scratch/wanted"
	must test -s "$scratch/wanted"
	# Each stretch between two [...] must be there, one after the other.
	# shellcheck disable=SC2016
	awk '
		function matches(from, i) {
			for (i = 0; i < size && got[from + i] == part[i]; i++)
				;
			return i == size
		}
		function find_part() {
			while (at + size <= count && !matches(at))
				at++
			if (at + size > count) {
				print "not in the demo: " part[0] "\n" part[1]
				exit failed = 1
			}
			at += size
			size = 0
		}
		FNR == NR { got[count++] = $0; next }
		$0 == "[...]" { find_part(); next }
		{ part[size++] = $0 }
		END { if (!failed) find_part() }
	' "$scratch/got" "$scratch/wanted" || {
		diff "$scratch/wanted" "$scratch/got" || :
		die 'README shows of the demo what it does not print'
	}
	echo "demo: prints the $(wc -l < "$scratch/wanted") lines of README"
}

# The compiler's and pkg-config's words are several.
# shellcheck disable=SC2046,SC2086
check_program()
{
	block c 1 > "$scratch/first.c"
	must test -s "$scratch/first.c"
	must test "$(wc -l < "$scratch/first.c")" -le 25
	must $CC -Wall -Wextra -Werror $(ask_pkg_config --cflags) \
		-o "$scratch/first" "$scratch/first.c" \
		$(ask_pkg_config --libs)
	LD_LIBRARY_PATH=$root$libdir must "$scratch/first" > "$scratch/out"
	block text 1 | without_addresses > "$scratch/wanted"
	without_addresses < "$scratch/out" > "$scratch/got"
	must test -s "$scratch/wanted"
	must diff -u "$scratch/wanted" "$scratch/got"
	echo "program: $(wc -l < "$scratch/first.c") lines, prints what it should"
}

check_commands
check_files
check_demo
install_here
check_program
