# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Measurements. Nothing here is built but on request, and none fails a test run.

EXTRA_PROGRAMS += bench/quick
CLEANFILES += bench/quick$(EXEEXT)
bench_quick_SOURCES = bench/quick.c
bench_quick_LDADD = lib/libvmset.la -lm

bench-quick: bench/quick$(EXEEXT)
	bench/quick$(EXEEXT)

.PHONY: bench-quick
