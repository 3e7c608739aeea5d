#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Rebuilds the sandbox's guests: they must be the ones in the tree, byte for
# byte.  Needs Debian 12's cross compiler.
#
# Environment: top_srcdir; RISCV64_CC.
set -eu

guests=${top_srcdir:-.}/examples/sandbox/guests
cc=${RISCV64_CC:-riscv64-linux-gnu-gcc}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

if ! version=$("$cc" -dumpfullversion 2> "$scratch/log"); then
	echo "skipped: there is no $cc (Debian: gcc-riscv64-linux-gnu)"
	exit 77
fi
# From another folder and another copy: no path may get into them.
cp -r "$guests" "$scratch/copy"
# The original may be read-only, and with it the copy, which is to be removed.
chmod -R u+w "$scratch/copy"
(cd "$scratch" && sh copy/build built "$cc")
if [ "$version" != 12.2.0 ]; then
	echo "skipped: they build, but with gcc $version, not 12.2.0"
	exit 77
fi
diff -r "$guests/prebuilt" "$scratch/built"
