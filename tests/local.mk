# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The tests. A suite has a line in suite_sources and one in tests/suites.h;
# programs and scripts that are tests by themselves stand in TESTS.

suite_sources = \
	tests/test-apply.c \
	tests/test-backend.c \
	tests/test-calls.c \
	tests/test-chain.c \
	tests/test-check.c \
	tests/test-elf.c \
	tests/test-errors.c \
	tests/test-explain.c \
	tests/test-failures.c \
	tests/test-fault.c \
	tests/test-fork.c \
	tests/test-free.c \
	tests/test-kernel.c \
	tests/test-limits.c \
	tests/test-lock.c \
	tests/test-merge.c \
	tests/test-model.c \
	tests/test-pager.c \
	tests/test-peers.c \
	tests/test-plan.c \
	tests/test-range.c \
	tests/test-replay.c \
	tests/test-rv64.c \
	tests/test-scenarios.c \
	tests/test-search.c \
	tests/test-slab.c \
	tests/test-stats.c \
	tests/test-strace.c \
	tests/test-threads.c \
	tests/test-toggle.c \
	tests/test-trap.c \
	tests/test-tree.c \
	tests/test-wait.c

# What tests share.
support_sources = \
	tests/assert.c \
	tests/assert.h \
	tests/deeds.c \
	tests/deeds.h \
	tests/elf-check.c \
	tests/elf-check.h \
	tests/filemap.c \
	tests/filemap.h \
	tests/layers.c \
	tests/layers.h \
	tests/maps.c \
	tests/maps.h \
	tests/mock.c \
	tests/mock.h \
	tests/model.c \
	tests/model.h \
	tests/pages.c \
	tests/pages.h \
	tests/poke.c \
	tests/poke.h \
	tests/rng.h \
	tests/rv64-known.c \
	tests/rv64-known.h \
	tests/steps.c \
	tests/steps.h \
	tests/tools.h \
	tests/touch.c \
	tests/touch.h

replay_sources = \
	tests/calls.h \
	tests/intervals.c \
	tests/intervals.h \
	tests/kernelmap.c \
	tests/kernelmap.h \
	tests/progress.c \
	tests/progress.h \
	tests/replay.c \
	tests/replay.h \
	tests/replay-log.c \
	tests/replay-log.h \
	tests/shorten.c \
	tests/shorten.h \
	tests/space.c \
	tests/space.h \
	tests/spaces.c \
	tests/spaces.h \
	tests/strace.c \
	tests/strace.h \
	tests/strace-call.c \
	tests/strace-call.h \
	tests/trace.c \
	tests/trace.h \
	tests/unxz.c \
	tests/unxz.h \
	tests/vector.h

dist_noinst_DATA += \
	tests/traces/README \
	$(small_traces) \
	$(large_traces) \
	$(strace_logs)

strace_logs = \
	tests/traces/strace/gcc.strace.xz \
	tests/traces/strace/node.strace.xz \
	tests/traces/strace/pipeline.strace.xz \
	tests/traces/strace/python3.strace.xz \
	tests/traces/strace/realloc.strace.xz

# Those that memcheck replays, too: each system call takes it very long.
small_traces = \
	tests/traces/go.sq.xz \
	tests/traces/luajit.sq.xz \
	tests/traces/qemu-luajit.sq.xz \
	tests/traces/redis.sq.xz \
	tests/traces/rustc.sq.xz

large_traces = \
	tests/traces/boehmgc.sq.xz \
	tests/traces/chromium-renderer.sq.xz \
	tests/traces/gcc.sq.xz \
	tests/traces/java-g1.sq.xz \
	tests/traces/jemalloc.sq.xz \
	tests/traces/mimalloc.sq.xz \
	tests/traces/node.sq.xz \
	tests/traces/python3.sq.xz \
	tests/traces/stress-mmap.sq.xz

# The replay program is part of the demo, and needs no libcheck.
if HAVE_LZMA
noinst_LTLIBRARIES += tests/libreplay.la
tests_libreplay_la_SOURCES = $(replay_sources)
tests_libreplay_la_CPPFLAGS = $(AM_CPPFLAGS) $(LZMA_CFLAGS)
tests_libreplay_la_LIBADD = $(LZMA_LIBS)

noinst_PROGRAMS += tests/replay
tests_replay_SOURCES = \
	tests/calls.c \
	tests/replay-main.c \
	tests/replay-print.c \
	tests/replay-print.h
tests_replay_CPPFLAGS = $(AM_CPPFLAGS) $(LZMA_CFLAGS)
tests_replay_LDADD = tests/libreplay.la lib/libvmset-core.la
# tests/calls.c counts these.
tests_replay_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=mmap -Wl,--wrap=munmap -Wl,--wrap=mprotect \
	-Wl,--wrap=madvise -Wl,--wrap=msync
else
tests/replay$(EXEEXT):
	@echo 'tests/replay needs liblzma (Debian: liblzma-dev);' \
		'install it and run configure again' >&2
	@exit 1
endif

# Tests that are scripts.
test_scripts = \
	tests/test-examples.sh \
	tests/test-exhaust.sh \
	tests/test-guests.sh \
	tests/test-install.sh \
	tests/test-man.sh \
	tests/test-mutate.sh \
	tests/test-readme.sh \
	tests/test-replay.sh \
	tests/test-sandbox.sh

# Those of them that put TEST_WRAPPER before each program, for memcheck.
wrapped_scripts = \
	tests/test-examples.sh \
	tests/test-sandbox.sh

# Programs with libcheck or other tests. Not check_PROGRAMS: with make -j
# "check" and "check-valgrind" would both build them at once.
if HAVE_CHECK
test_programs = \
	tests/exhaust \
	tests/interleave \
	tests/test-malloc \
	tests/test-so \
	tests/vmset-tests
noinst_LTLIBRARIES += \
	tests/libsupport.la \
	tests/libsyscalls.la \
	tests/libvmset-tiny.la \
	tests/libvmset-watched.la
noinst_PROGRAMS += $(test_programs)
TESTS += $(test_programs) $(test_scripts)
else
check-local:
	@echo 'make check needs libcheck 0.15 and liblzma (Debian: check,' \
		'liblzma-dev); install them and run configure again' >&2
	@exit 1
endif

EXTRA_DIST += \
	$(test_scripts) \
	tests/analyze-exceptions \
	tests/analyze.sh \
	tests/coverage-exceptions \
	tests/coverage.sh \
	tests/lib.sh \
	tests/memcheck.sh \
	tests/mutate \
	tests/mutations \
	tests/sandbox.transcript

test_cppflags = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
test_libraries = \
	tests/libsupport.la \
	tests/libreplay.la \
	tests/libsyscalls.la \
	examples/sandbox/libsandbox.la \
	lib/libvmset-core.la \
	$(CHECK_LIBS)

tests_vmset_tests_SOURCES = \
	$(suite_sources) \
	tests/suites.h \
	tests/test-main.c
tests_vmset_tests_CPPFLAGS = $(test_cppflags)
tests_vmset_tests_LDADD = $(test_libraries)

# Its malloc stands before libc's, so it cannot be a suite.
tests_test_malloc_SOURCES = tests/test-malloc.c
tests_test_malloc_CPPFLAGS = $(test_cppflags)
tests_test_malloc_LDADD = $(test_libraries)

# The one that has the library from outside.
tests_test_so_SOURCES = tests/test-so.c
tests_test_so_LDADD = lib/libvmset.la

# The library in the smallest nodes there can be, and what exhausts it. All that it
# asks of the system is answered by tests/exhaust-system.c.
tests_libvmset_tiny_la_SOURCES = $(vmset_sources)
tests_libvmset_tiny_la_CPPFLAGS = $(AM_CPPFLAGS) \
	-DVMSET_LEAF_SLOTS=4 -DVMSET_INNER_SLOTS=4 -DVMSET_CHUNK_MIN=4096
tests_libvmset_tiny_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden

tests_exhaust_SOURCES = \
	tests/exhaust.c \
	tests/exhaust-deep.c \
	tests/exhaust-deep.h \
	tests/exhaust-expect.c \
	tests/exhaust-expect.h \
	tests/exhaust-model.c \
	tests/exhaust-model.h \
	tests/exhaust-op.c \
	tests/exhaust-op.h \
	tests/exhaust-report.c \
	tests/exhaust-report.h \
	tests/exhaust-scarce.c \
	tests/exhaust-scarce.h \
	tests/exhaust-space.c \
	tests/exhaust-space.h \
	tests/exhaust-states.c \
	tests/exhaust-states.h \
	tests/exhaust-system.c \
	tests/exhaust-system.h \
	tests/exhaust-trial.c \
	tests/exhaust-trial.h \
	tests/exhaust-world.c \
	tests/exhaust-world.h
tests_exhaust_CPPFLAGS = $(test_cppflags)
tests_exhaust_LDADD = tests/libsupport.la tests/libvmset-tiny.la
tests_exhaust_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=mmap -Wl,--wrap=munmap -Wl,--wrap=getrandom \
	-Wl,--wrap=vmset__why_no_memory

# The same, but each access of readers and writers to what they share is seen by
# tests/interleave.
tests_libvmset_watched_la_SOURCES = $(vmset_sources) tests/shared-hooks.h
tests_libvmset_watched_la_CPPFLAGS = $(tests_libvmset_tiny_la_CPPFLAGS) \
	-iquote $(top_srcdir)/tests -DVMSET_SHARED_HOOKS='"shared-hooks.h"'
tests_libvmset_watched_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden
tests_interleave_SOURCES = \
	tests/interleave.c \
	tests/interleave-explore.c \
	tests/interleave-explore.h \
	tests/interleave-log.c \
	tests/interleave-log.h \
	tests/interleave-script.c \
	tests/interleave-script.h
tests_interleave_CPPFLAGS = $(tests_libvmset_watched_la_CPPFLAGS) \
	$(test_cppflags)
tests_interleave_LDADD = tests/libsupport.la tests/libvmset-watched.la
tests_interleave_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=mmap -Wl,--wrap=munmap

tests_libsupport_la_SOURCES = $(support_sources)
tests_libsupport_la_CPPFLAGS = $(test_cppflags)

# It stands in for mmap and others before a sanitizer is ready, so none may look
# into it.
tests_libsyscalls_la_SOURCES = tests/syscalls.c tests/syscalls.h
tests_libsyscalls_la_CFLAGS = -std=gnu11 $(WARNING_CFLAGS)

TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(SHELL)

# libcheck ends a test that takes longer than this many seconds: far more than
# any should, however loaded the machine. A sanitizer's own handler for bad
# accesses stays out of the way of tests that make some on purpose.
AM_TESTS_ENVIRONMENT = \
	CK_DEFAULT_TIMEOUT=$${CK_DEFAULT_TIMEOUT-120}; \
	ASAN_OPTIONS=$(own_faults):detect_stack_use_after_return=1:$$ASAN_OPTIONS; \
	UBSAN_OPTIONS=$(own_faults):print_stacktrace=1:$$UBSAN_OPTIONS; \
	TSAN_OPTIONS=$(own_faults):halt_on_error=1:$$TSAN_OPTIONS; \
	CC='$(CC)'; CXX='$(CXX)'; MAKE='$(MAKE)'; NM='$(NM)'; \
	PKG_CONFIG='$(PKG_CONFIG)'; RISCV64_CC='$(RISCV64_CC)'; \
	INSTRUMENTED='$(SANITIZER_FLAGS)$(COVERAGE_FLAGS)'; \
	VERSION='$(PACKAGE_VERSION)'; \
	includedir='$(includedir)'; libdir='$(libdir)'; \
	top_builddir='$(abs_top_builddir)'; top_srcdir='$(abs_top_srcdir)'; \
	export CK_DEFAULT_TIMEOUT ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS \
		CC CXX MAKE NM PKG_CONFIG RISCV64_CC INSTRUMENTED VERSION \
		includedir libdir top_builddir top_srcdir;
own_faults = handle_segv=0:handle_sigbus=0:handle_sigill=0

check-valgrind: all
if HAVE_CHECK
	@$(AM_TESTS_ENVIRONMENT) \
	VALGRIND='$(VALGRIND)'; LIBTOOL='$(SHELL) $(abs_top_builddir)/libtool'; \
	VALGRIND_FLAGS='$(VALGRIND_FLAGS)'; \
	export VALGRIND LIBTOOL VALGRIND_FLAGS; \
	set --; \
	for file in $(wrapped_scripts); do set -- "$$@" $(srcdir)/$$file; done; \
	set -- "$$@" -- tests/replay$(EXEEXT); \
	for file in $(small_traces) $(strace_logs); do \
		set -- "$$@" $(srcdir)/$$file; done; \
	$(SHELL) $(srcdir)/tests/memcheck.sh $(test_programs) "$$@"
else
	@$(MAKE) $(AM_MAKEFLAGS) check-local
endif

# Hangs must still end: an hour for one test of libcheck's.
check-long:
	VMSET_TEST_LONG=1 CK_DEFAULT_TIMEOUT=3600 \
		$(MAKE) $(AM_MAKEFLAGS) check

# Damages a copy of the library in many ways; the tests must notice each.
mutation-check:
	rm -rf mutation-tree
	$(MAKE) $(AM_MAKEFLAGS) distdir distdir=mutation-tree
	cd mutation-tree && ./configure --quiet CC='$(CC)' && $(MAKE)
	$(srcdir)/tests/mutate $(srcdir)/tests/mutations mutation-tree
	rm -rf mutation-tree

# ANALYZE_TOOLS may name some of gcc, clang-tidy and cppcheck. What gcc sees
# depends on how it optimises.
analyze_cppflags = $(DEFS) $(DEFAULT_INCLUDES) $(test_cppflags) \
	$(LZMA_CFLAGS) -iquote $(abs_top_srcdir)/tests $(CPPFLAGS)
analyze:
	@CC='$(CC)' top_srcdir='$(abs_top_srcdir)' \
	CPPFLAGS='$(analyze_cppflags)' \
	CFLAGS='-std=gnu11 $(WARNING_CFLAGS) $(CFLAGS) -O2' \
		$(SHELL) $(srcdir)/tests/analyze.sh $(ANALYZE_TOOLS)

if COVERAGE
coverage: clean-coverage
	$(MAKE) $(AM_MAKEFLAGS) check
	@GCOV='$(GCOV)' $(SHELL) $(srcdir)/tests/coverage.sh \
		lib/.libs/libvmset_core_la-*.gcda
else
coverage:
	@echo 'make coverage needs ./configure --enable-coverage' >&2; exit 1
endif

# Where objects lie. Named, not found: a find stumbles over the folders that
# make clean removes beside it.
object_folders = */ */.libs/ */*/ */*/.libs/

# Counts of an earlier run would be added to.
clean-coverage:
	for folder in $(object_folders); do rm -f $$folder*.gcda; done

clean-local: clean-coverage clean-fuzz
	for folder in $(object_folders); do rm -f $$folder*.gcno; done
	rm -rf tests/memcheck

.PHONY: analyze check-long check-valgrind clean-coverage coverage mutation-check
