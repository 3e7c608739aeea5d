# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Measurements. Nothing here is built but on request, and none fails a test run.
# Peers in C++ are there if a compiler and their headers are.

EXTRA_PROGRAMS += bench/bench bench/readers
CLEANFILES += bench/bench$(EXEEXT) bench/bench.csv bench/bench.svg \
	bench/readers$(EXEEXT) bench/readers.csv
EXTRA_DIST += bench/plot.gp

bench_bench_SOURCES = \
	bench/bench.c \
	bench/bench.h \
	bench/kernel.c \
	bench/kernel.h \
	bench/layout.c \
	bench/layout.h \
	bench/main.c \
	bench/ordered-map.hh \
	bench/peer.c \
	bench/peer.h \
	bench/peer-linear.c \
	bench/peer-vmset.c \
	bench/results.c \
	bench/results.h \
	bench/work.c \
	bench/work.h
# For "…" only: there is an assert.h in tests.
bench_bench_CPPFLAGS = $(AM_CPPFLAGS) -iquote $(top_srcdir)/tests
bench_bench_LDADD =
if HAVE_LZMA
bench_bench_SOURCES += bench/traces.c bench/traces.h
bench_bench_CPPFLAGS += -DHAVE_LZMA
bench_bench_LDADD += tests/libreplay.la
bench_runs = $(srcdir)/tests/traces/*.sq.xz
endif
if BENCH_CXX
bench_bench_SOURCES += bench/peer-std-map.cc
bench_bench_CPPFLAGS += -DBENCH_CXX
bench_bench_LINK = $(CXXLINK)
else
bench_bench_LINK = $(LINK)
endif
if BENCH_ABSL
bench_bench_SOURCES += bench/peer-absl.cc
bench_bench_CPPFLAGS += -DBENCH_ABSL $(ABSL_CFLAGS)
bench_bench_LDADD += $(ABSL_LIBS)
endif
if BENCH_ICL
bench_bench_SOURCES += bench/peer-icl.cc
bench_bench_CPPFLAGS += -DBENCH_ICL
endif
bench_bench_LDADD += lib/libvmset-core.la

bench_readers_SOURCES = \
	bench/bench.c \
	bench/bench.h \
	bench/layout.c \
	bench/layout.h \
	bench/ordered-map.hh \
	bench/peer.h \
	bench/peer-vmset.c \
	bench/readers.c \
	bench/results.c \
	bench/results.h
bench_readers_CPPFLAGS = $(AM_CPPFLAGS) -iquote $(top_srcdir)/tests
if BENCH_CXX
bench_readers_SOURCES += bench/peer-std-map.cc
bench_readers_CPPFLAGS += -DBENCH_CXX
bench_readers_LINK = $(CXXLINK)
else
bench_readers_LINK = $(LINK)
endif
bench_readers_LDADD = lib/libvmset-core.la

# Numbers of areas, with commas between, and of rounds.
BENCH_N = 1000,10000,100000,1000000
BENCH_ROUNDS = 5

bench: bench/bench$(EXEEXT) bench/readers$(EXEEXT)
	bench/bench$(EXEEXT) --areas $(BENCH_N) --rounds $(BENCH_ROUNDS) \
		--csv bench/bench.csv $(bench_runs)
	@echo 'All medians are in bench/bench.csv.'
	@if command -v gnuplot > /dev/null; then \
		gnuplot -e "csv='bench/bench.csv'; svg='bench/bench.svg'" \
			$(srcdir)/bench/plot.gp && \
		echo 'The plot is bench/bench.svg.'; \
	else \
		echo 'No plot: gnuplot is not here (Debian: gnuplot-nox).'; \
	fi
	@$(MAKE) $(AM_MAKEFLAGS) bench-readers

bench-quick: bench/bench$(EXEEXT)
	bench/bench$(EXEEXT) --areas 1000,10000,100000 --rounds 3

# Ten million areas; peers without summaries would take hours to find room.
bench-large: bench/bench$(EXEEXT)
	bench/bench$(EXEEXT) --areas 10000000 --rounds 3 --no-kernel \
		--peers 'vmset'

bench-readers: bench/readers$(EXEEXT)
	bench/readers$(EXEEXT) $(BENCH_ROUNDS) bench/readers.csv
	@echo 'All medians are in bench/readers.csv.'

.PHONY: bench bench-large bench-quick bench-readers
