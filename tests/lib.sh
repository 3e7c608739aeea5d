# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=sh
#
# For tests in shell, to be read by them with ".": words for what goes wrong, a
# scratch folder that goes away, and the library installed into that folder.
#
# Environment, from the Makefile: MAKE, PKG_CONFIG, top_builddir, libdir;
# INSTRUMENTED is not empty with sanitizers or coverage.

: "${MAKE:=make}" "${PKG_CONFIG:=pkg-config}"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
root=$scratch/root

skip()
{
	echo "skipped: $*"
	exit 77
}

die()
{
	echo "$(basename "$0" .sh): $*" >&2
	exit 1
}

# Runs a command and says which one it was if it fails.
must()
{
	"$@" || die "failed: $*"
}

# Installs the library below $root.
install_here()
{
	[ -z "${INSTRUMENTED:-}" ] ||
		skip 'an instrumented library is not installed'
	"$MAKE" -C "${top_builddir:?}" install DESTDIR="$root" \
		> "$scratch/log" 2>&1 && return
	cat "$scratch/log" >&2
	die 'make install failed'
}

# What pkg-config says of that library.
ask_pkg_config()
{
	PKG_CONFIG_PATH=$root${libdir:?}/pkgconfig \
	PKG_CONFIG_SYSROOT_DIR=$root \
	PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
		$PKG_CONFIG "$@" vmset
}
