# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The library. Its sources are compiled into a convenience library, with all
# symbols hidden but those of vmset.h; tests link that and reach everything.
# What is installed is the same objects behind a version script.

include_HEADERS += lib/vmset.h

vmset_sources = \
	lib/apply.c \
	lib/apply.h \
	lib/backend-kernel.c \
	lib/backend.h \
	lib/check.c \
	lib/dump.c \
	lib/dump.h \
	lib/entry.h \
	lib/explain.c \
	lib/explain.h \
	lib/fault.c \
	lib/fault.h \
	lib/fault-access.c \
	lib/fault-chain.c \
	lib/fault-chain.h \
	lib/fault-stack.c \
	lib/fault-text.c \
	lib/fork.c \
	lib/fork.h \
	lib/futex.h \
	lib/internal.h \
	lib/kernel-map.c \
	lib/kernel-map.h \
	lib/latch.h \
	lib/lock.c \
	lib/lock.h \
	lib/place.c \
	lib/place.h \
	lib/plan.c \
	lib/plan.h \
	lib/range.h \
	lib/reservation.c \
	lib/reservation.h \
	lib/search.h \
	lib/shared.h \
	lib/slab.c \
	lib/slab.h \
	lib/stats.c \
	lib/stats.h \
	lib/tree-change.c \
	lib/tree-check.c \
	lib/tree-find.c \
	lib/tree-find.h \
	lib/tree-fit.c \
	lib/tree-node.h \
	lib/tree.c \
	lib/tree.h \
	lib/verify.c \
	lib/verify.h \
	lib/vmset.c

noinst_LTLIBRARIES += lib/libvmset-core.la
lib_libvmset_core_la_SOURCES = $(vmset_sources)
lib_libvmset_core_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden

lib_LTLIBRARIES += lib/libvmset.la
lib_libvmset_la_SOURCES =
lib_libvmset_la_LIBADD = lib/libvmset-core.la
lib_libvmset_la_LDFLAGS = $(AM_LDFLAGS) $(SHARED_LDFLAGS) -no-undefined \
	-version-info 0:0:0
EXTRA_lib_libvmset_la_DEPENDENCIES = $(top_srcdir)/lib/vmset.map
EXTRA_DIST += lib/vmset.map lib/.clang-tidy
if HAVE_VERSION_SCRIPT
lib_libvmset_la_LDFLAGS += \
	-Wl,--version-script=$(top_srcdir)/lib/vmset.map
endif

pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = lib/vmset.pc
