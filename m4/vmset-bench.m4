# SPDX-License-Identifier: MIT OR Apache-2.0

# VMSET_BENCH
# -----------
# What the benchmark can compare the library with. Containers in C++ need a
# compiler for C++17, Abseil's B-tree or Boost's headers; each is left out
# where it is missing. What there is is in vmset_peers.
AC_DEFUN([VMSET_BENCH], [
vmset_peers=
AC_LANG_PUSH([C++])
AC_MSG_CHECKING([whether $CXX knows C++17])
vmset_save_CXXFLAGS=$CXXFLAGS
CXXFLAGS="$CXXFLAGS -std=c++17"
AC_LINK_IFELSE(
    [AC_LANG_PROGRAM([[#include <map>]],
        [[std::map<int, int> m; if (auto it = m.find(1); it != m.end())
          return it->second;]])],
    [vmset_cxx=yes vmset_peers='std::map'], [vmset_cxx=no])
AC_MSG_RESULT([$vmset_cxx])
vmset_icl=no
AS_VAR_IF([vmset_cxx], [yes],
    [AC_CHECK_HEADER([boost/icl/interval_map.hpp], [vmset_icl=yes])])
CXXFLAGS=$vmset_save_CXXFLAGS
AC_LANG_POP([C++])
AS_VAR_IF([vmset_icl], [yes], [vmset_peers="$vmset_peers Boost.ICL"])
vmset_absl=no
AS_VAR_IF([vmset_cxx], [yes],
    [PKG_CHECK_MODULES([ABSL], [absl_btree],
        [vmset_absl=yes vmset_peers="$vmset_peers absl::btree_map"],
        [vmset_absl=no])])
AM_CONDITIONAL([BENCH_CXX], [test "$vmset_cxx" = yes])
AM_CONDITIONAL([BENCH_ABSL], [test "$vmset_absl" = yes])
AM_CONDITIONAL([BENCH_ICL], [test "$vmset_icl" = yes])
AC_CHECK_FUNCS([mallinfo2])
])
