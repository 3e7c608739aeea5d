# SPDX-License-Identifier: MIT OR Apache-2.0

# VMSET_TRY_FLAGS(WHAT, FLAGS, IF-WORKS, IF-NOT)
# ----------------------------------------------
# See whether the compiler builds and links a program with FLAGS.
AC_DEFUN([VMSET_TRY_FLAGS], [
AC_MSG_CHECKING([whether $CC takes $1])
vmset_save_CFLAGS=$CFLAGS
CFLAGS="$CFLAGS $2"
AC_LINK_IFELSE([AC_LANG_PROGRAM], [vmset_works=yes], [vmset_works=no])
CFLAGS=$vmset_save_CFLAGS
AC_MSG_RESULT([$vmset_works])
AS_VAR_IF([vmset_works], [yes], [$3], [$4])
])

# VMSET_LINKER_FLAGS
# ------------------
# What the shared library is linked with, in SHARED_LDFLAGS: a version script
# where the linker knows such a thing, and no symbol left undefined. (With
# sanitizers some are, for the program to fill in.)
AC_DEFUN([VMSET_LINKER_FLAGS], [
SHARED_LDFLAGS=
echo 'TEST { global: main; local: *; };' > conftest.map
VMSET_TRY_FLAGS([-Wl,--version-script],
    [-Wl,--version-script=$PWD/conftest.map],
    [have_version_script=yes], [have_version_script=no])
rm -f conftest.map
AM_CONDITIONAL([HAVE_VERSION_SCRIPT], [test "$have_version_script" = yes])
AM_COND_IF([SANITIZERS], [],
    [VMSET_TRY_FLAGS([-Wl,-z,defs], [-Wl,-z,defs],
        [SHARED_LDFLAGS="-Wl,-z,defs"], [])])
AC_SUBST([SHARED_LDFLAGS])
])
