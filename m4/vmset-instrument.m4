# SPDX-License-Identifier: MIT OR Apache-2.0

# VMSET_SANITIZERS
# ----------------
# --enable-sanitizers=LIST builds everything with -fsanitize=LIST. The flags
# come in SANITIZER_FLAGS, for the compiler and the linker, and the conditional
# SANITIZERS tells that there are some.
AC_DEFUN([VMSET_SANITIZERS], [
AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers@<:@=LIST@:>@],
        [instrument everything with the compiler's sanitizers, such as
         address,undefined (LIST left out) or thread])],
    [], [enable_sanitizers=no])
AS_CASE([$enable_sanitizers],
    [yes], [vmset_sanitizers=address,undefined],
    [no | ''], [vmset_sanitizers=no],
    [vmset_sanitizers=$enable_sanitizers])
SANITIZER_FLAGS=
AS_VAR_IF([vmset_sanitizers], [no], [],
    [SANITIZER_FLAGS="-fsanitize=$vmset_sanitizers \
-fno-sanitize-recover=all -fno-omit-frame-pointer"
     VMSET_TRY_FLAGS([-fsanitize=$vmset_sanitizers], [$SANITIZER_FLAGS], [],
        [AC_MSG_ERROR([--enable-sanitizers=$vmset_sanitizers: $CC cannot build a
program with that. Either it does not know one of these sanitizers, or two of
them exclude each other, or their run-time library is not installed;
config.log has its words.])])])
AC_SUBST([SANITIZER_FLAGS])
AM_CONDITIONAL([SANITIZERS], [test "$vmset_sanitizers" != no])
])

# VMSET_COVERAGE
# --------------
# --enable-coverage counts, for make coverage, what runs. COVERAGE_FLAGS are
# for the compiler and the linker. CFLAGS, which stand behind them, end in -O0, so
# that no optimisation blurs the counts.  Without always_inline a function has its
# branches once, not once for each caller.  Threads count, too.  gcc's own fork
# would forget what the handlers of fork did in the child.
AC_DEFUN([VMSET_COVERAGE], [
AC_ARG_ENABLE([coverage],
    [AS_HELP_STRING([--enable-coverage],
        [count the lines and branches that run, for make coverage])],
    [], [enable_coverage=no])
COVERAGE_FLAGS=
vmset_coverage=no
AS_VAR_IF([enable_coverage], [no], [],
    [COVERAGE_FLAGS='--coverage -fprofile-update=atomic -Dalways_inline= -fno-builtin-fork'
     COVERAGE_FLAGS="$COVERAGE_FLAGS -DVMSET_COVERAGE"
     CFLAGS="$CFLAGS -O0"
     vmset_coverage=yes
     VMSET_TRY_FLAGS([--coverage], [$COVERAGE_FLAGS], [],
        [AC_MSG_ERROR([--enable-coverage: $CC cannot build a program
with --coverage; config.log has its words.])])
     AC_PATH_PROG([GCOV], [gcov])
     AS_VAR_IF([GCOV], [],
        [AC_MSG_ERROR([--enable-coverage: gcov is needed; GCOV= may name it])])])
AC_SUBST([COVERAGE_FLAGS])
AM_CONDITIONAL([COVERAGE], [test "$vmset_coverage" = yes])
])
