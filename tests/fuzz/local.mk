# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Fuzzing. A target NAME is tests/fuzz/NAME.c, and its inputs are the files in
# tests/fuzz/corpus/NAME/: one for each thing worth keeping, and each that ever
# failed. It is built twice: as tests/fuzz/NAME, which make check runs on those
# inputs, and by make fuzz as tests/fuzz/fuzz-NAME, which goes on from there.

fuzz_targets = elf kernel mock rv64 strace trace

# Of a whole make fuzz; and what else libFuzzer shall be told.
FUZZ_SECONDS = 60
FUZZ_TARGETS = $(fuzz_targets)
FUZZ_FLAGS =
FUZZ_CC = clang

fuzz_scripts = tests/fuzz/test-inputs.sh
AM_TESTS_ENVIRONMENT += fuzz_targets='$(fuzz_targets)'; export fuzz_targets;

EXTRA_DIST += \
	$(fuzz_scripts) \
	tests/fuzz/corpus \
	tests/fuzz/fuzz.sh

if HAVE_CHECK
TESTS += $(fuzz_scripts)
wrapped_scripts += $(fuzz_scripts)
noinst_PROGRAMS += \
	tests/fuzz/elf \
	tests/fuzz/kernel \
	tests/fuzz/mock \
	tests/fuzz/rv64 \
	tests/fuzz/strace \
	tests/fuzz/trace
endif

fuzz_shared = \
	tests/fuzz/choices.c \
	tests/fuzz/fail.c \
	tests/fuzz/fuzz.h \
	tests/fuzz/reason.c

# ---- on the inputs alone, by the compiler of all the rest ----

fuzz_replay = $(fuzz_shared) tests/fuzz/main.c
fuzz_libraries = \
	tests/libsupport.la \
	tests/libreplay.la \
	examples/sandbox/libsandbox.la \
	lib/libvmset-core.la

tests_fuzz_elf_SOURCES = tests/fuzz/elf.c $(fuzz_replay)
tests_fuzz_elf_CPPFLAGS = $(test_cppflags)
tests_fuzz_elf_LDADD = $(fuzz_libraries)

tests_fuzz_kernel_SOURCES = tests/fuzz/kernel.c $(fuzz_replay)
tests_fuzz_kernel_CPPFLAGS = $(test_cppflags)
tests_fuzz_kernel_LDADD = $(fuzz_libraries)

tests_fuzz_mock_SOURCES = tests/fuzz/mock.c $(fuzz_replay)
tests_fuzz_mock_CPPFLAGS = $(test_cppflags)
tests_fuzz_mock_LDADD = $(fuzz_libraries)

tests_fuzz_rv64_SOURCES = tests/fuzz/rv64.c $(fuzz_replay)
tests_fuzz_rv64_CPPFLAGS = $(test_cppflags)
tests_fuzz_rv64_LDADD = $(fuzz_libraries)

tests_fuzz_strace_SOURCES = tests/fuzz/strace.c $(fuzz_replay)
tests_fuzz_strace_CPPFLAGS = $(test_cppflags)
tests_fuzz_strace_LDADD = $(fuzz_libraries)

tests_fuzz_trace_SOURCES = tests/fuzz/trace.c $(fuzz_replay)
tests_fuzz_trace_CPPFLAGS = $(test_cppflags) $(LZMA_CFLAGS)
tests_fuzz_trace_LDADD = $(fuzz_libraries) $(LZMA_LIBS)

# ---- with libFuzzer, which only clang has ----

# Small nodes make deep trees of few areas.
fuzz_cppflags = $(test_cppflags) $(LZMA_CFLAGS) \
	-DVMSET_LEAF_SLOTS=4 -DVMSET_INNER_SLOTS=4
fuzz_cflags = -std=gnu11 $(WARNING_CFLAGS) -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz_ldflags = -fsanitize=fuzzer,address,undefined
fuzz_ldadd = tests/fuzz/libfuzzed.a $(LZMA_LIBS)

fuzz_programs = \
	tests/fuzz/fuzz-elf$(EXEEXT) \
	tests/fuzz/fuzz-kernel$(EXEEXT) \
	tests/fuzz/fuzz-mock$(EXEEXT) \
	tests/fuzz/fuzz-rv64$(EXEEXT) \
	tests/fuzz/fuzz-strace$(EXEEXT) \
	tests/fuzz/fuzz-trace$(EXEEXT)
CLEANFILES += $(fuzz_programs) tests/fuzz/libfuzzed.a

EXTRA_PROGRAMS += \
	tests/fuzz/fuzz-elf \
	tests/fuzz/fuzz-kernel \
	tests/fuzz/fuzz-mock \
	tests/fuzz/fuzz-rv64 \
	tests/fuzz/fuzz-strace \
	tests/fuzz/fuzz-trace
EXTRA_LIBRARIES = tests/fuzz/libfuzzed.a

# All that is fuzzed or helps, in objects of its own.
tests_fuzz_libfuzzed_a_SOURCES = \
	$(examples_sandbox_libsandbox_la_SOURCES) \
	$(fuzz_shared) \
	$(replay_sources) \
	$(support_sources) \
	$(vmset_sources)
tests_fuzz_libfuzzed_a_AR = $(AR) cr
tests_fuzz_libfuzzed_a_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_libfuzzed_a_CFLAGS = $(fuzz_cflags)

tests_fuzz_fuzz_elf_SOURCES = tests/fuzz/elf.c
tests_fuzz_fuzz_elf_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_elf_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_elf_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_elf_LDADD = $(fuzz_ldadd)

tests_fuzz_fuzz_kernel_SOURCES = tests/fuzz/kernel.c
tests_fuzz_fuzz_kernel_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_kernel_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_kernel_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_kernel_LDADD = $(fuzz_ldadd)

tests_fuzz_fuzz_mock_SOURCES = tests/fuzz/mock.c
tests_fuzz_fuzz_mock_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_mock_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_mock_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_mock_LDADD = $(fuzz_ldadd)

tests_fuzz_fuzz_rv64_SOURCES = tests/fuzz/rv64.c
tests_fuzz_fuzz_rv64_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_rv64_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_rv64_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_rv64_LDADD = $(fuzz_ldadd)

tests_fuzz_fuzz_strace_SOURCES = tests/fuzz/strace.c
tests_fuzz_fuzz_strace_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_strace_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_strace_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_strace_LDADD = $(fuzz_ldadd)

tests_fuzz_fuzz_trace_SOURCES = tests/fuzz/trace.c
tests_fuzz_fuzz_trace_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_trace_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_trace_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_trace_LDADD = $(fuzz_ldadd)

# The sources are the same as in all other builds, only the compiler is another:
# so is this a make in the make, with flags that any clang knows.
fuzz:
if HAVE_CHECK
	@FUZZ_CC='$(FUZZ_CC)' FUZZ_LDFLAGS='$(fuzz_ldflags)' \
		$(SHELL) $(srcdir)/tests/fuzz/fuzz.sh --check
	@$(MAKE) $(AM_MAKEFLAGS) CC='$(FUZZ_CC)' CFLAGS='-g -O1' \
		$(fuzz_programs)
	@FUZZ_FLAGS='$(FUZZ_FLAGS)' corpus='$(srcdir)/tests/fuzz/corpus' \
		$(SHELL) $(srcdir)/tests/fuzz/fuzz.sh '$(FUZZ_SECONDS)' \
		$(FUZZ_TARGETS)
else
	@$(MAKE) $(AM_MAKEFLAGS) check-local
endif

clean-fuzz:
	rm -rf tests/fuzz/found tests/fuzz/failed tests/fuzz/logs

.PHONY: clean-fuzz fuzz
