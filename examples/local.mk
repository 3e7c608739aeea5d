# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The examples. They use the library as any program does: its header, and what
# the shared library exports.

noinst_PROGRAMS += \
	examples/allocator \
	examples/jit

examples_allocator_SOURCES = \
	examples/allocator.c \
	examples/arena-check.c \
	examples/arena-internal.h \
	examples/arena.c \
	examples/arena.h \
	examples/say.c \
	examples/say.h \
	examples/under-valgrind.h \
	examples/workload.c \
	examples/workload.h
examples_allocator_LDADD = lib/libvmset.la

examples_jit_SOURCES = \
	examples/codespace.c \
	examples/codespace.h \
	examples/compile.c \
	examples/compile.h \
	examples/emit.c \
	examples/emit.h \
	examples/jit.c \
	examples/under-valgrind.h
examples_jit_LDADD = lib/libvmset.la

include examples/sandbox/local.mk
