#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Installs into a folder of its own and uses what is there as a program
# elsewhere would: the header alone in strict C and C++, the pkg-config file,
# the shared library and its symbols, the static one.
#
# Environment, from the Makefile: CC, CXX, NM, includedir, VERSION, and what
# lib.sh needs.

# The lower-case names that are set nowhere here.
# shellcheck disable=SC2154
set -eu

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

: "${CC:=cc}" "${CXX:=c++}" "${NM:=nm}"

# $1: compiler, which may be several words, $2: language, $3: standard
# shellcheck disable=SC2086
compile_header()
{
	echo '#include "vmset.h"' > "$scratch/header.c"
	must $1 -x "$2" "-std=$3" -pedantic -Wall -Wextra -Wundef -Werror \
		-I "$root$includedir" -c -o "$scratch/header.o" \
		"$scratch/header.c"
	echo "header: $1 -std=$3"
}

check_header()
{
	for std in c99 c11 c17; do
		compile_header "$CC" c "$std"
	done
	if ! command -v "${CXX%% *}" > /dev/null; then
		echo "header: $CXX is not here, C++ left out"
		return
	fi
	for std in c++11 c++17 c++20; do
		compile_header "$CXX" c++ "$std"
	done
}

# The functions that vmset.h declares.
declared()
{
	$CC -E -P -x c "$root$includedir/vmset.h" |
		sed '/^ *typedef/d; /^static inline/d' |
		grep -oE '\bvmset_[a-z0-9_]+ *\(' | tr -d '( ' | sort -u
}

# The symbols of the shared library, without those of versions.
exported()
{
	$NM -D --defined-only "$1" | awk '$2 != "A" { print $3 }' |
		sed 's/@.*//' | sort -u
}

check_symbols()
{
	declared > "$scratch/declared"
	exported "$1" > "$scratch/exported"
	must test -s "$scratch/declared"
	must diff -u "$scratch/declared" "$scratch/exported"
	echo "symbols: $(wc -l < "$scratch/exported"), as vmset.h declares them"
}

write_program()
{
	cat > "$scratch/program.c" <<'END'
#include <stdio.h>
#include <vmset.h>

int main(void)
{
	struct vmset *set;
	uintptr_t start;

	if (vmset_reserve(&set, 1 << 20, 0))
		return 1;
	if (vmset_alloc(set, 1 << 16, VMSET_READ | VMSET_WRITE, NULL, &start))
		return 2;
	*(char *)start = 1;
	if (vmset_len(set) != 1 || vmset_verify(set, NULL))
		return 3;
	if (vmset_destroy(set))
		return 4;
	return puts("works") < 0;
}
END
}

# The compiler's and pkg-config's words are several.
# shellcheck disable=SC2046,SC2086
check_shared()
{
	must $CC -Wall -Werror $(ask_pkg_config --cflags) \
		-o "$scratch/shared" "$scratch/program.c" \
		$(ask_pkg_config --libs)
	LD_LIBRARY_PATH=$root$libdir must "$scratch/shared" > "$scratch/out"
	must grep -qx works "$scratch/out"
	LD_LIBRARY_PATH='' "$scratch/shared" > /dev/null 2>&1 &&
		die 'the program runs without the shared library'
	echo 'shared: works'
}

# shellcheck disable=SC2046,SC2086
check_static()
{
	must $CC -Wall -Werror -static $(ask_pkg_config --static --cflags) \
		-o "$scratch/static" "$scratch/program.c" \
		$(ask_pkg_config --static --libs)
	must "$scratch/static" > "$scratch/out"
	must grep -qx works "$scratch/out"
	echo 'static: works'
}

install_here
check_header
write_program
must test "$(ask_pkg_config --modversion)" = "${VERSION:?}"
if [ -e "$root$libdir/libvmset.so" ]; then
	check_symbols "$root$libdir/libvmset.so"
	check_shared
fi
if [ -e "$root$libdir/libvmset.a" ]; then
	check_static
fi
