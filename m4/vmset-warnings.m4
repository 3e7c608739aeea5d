# SPDX-License-Identifier: MIT OR Apache-2.0

# VMSET_WARNINGS
# --------------
# Put the warnings that the sources are free of into WARNING_CFLAGS, some for C++
# into WARNING_CXXFLAGS, and with --enable-werror make them errors. Not on by
# default: the next compiler will find something new, and whoever builds a
# release cannot help it.
AC_DEFUN([VMSET_WARNINGS], [
AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [treat warnings as errors])],
    [], [enable_werror=no])
WARNING_CFLAGS="-Wall -Wextra -Wshadow -Wstrict-prototypes \
-Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wundef -Wvla \
-Wcast-qual -Wformat=2"
WARNING_CXXFLAGS="-Wall -Wextra"
vmset_warnings='shown'
AS_VAR_IF([enable_werror], [no], [],
    [WARNING_CFLAGS="$WARNING_CFLAGS -Werror"
     WARNING_CXXFLAGS="$WARNING_CXXFLAGS -Werror"
     vmset_warnings='errors'])
AC_SUBST([WARNING_CFLAGS])
AC_SUBST([WARNING_CXXFLAGS])
])
