# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The sandbox, and the demo that runs it.

# What has nothing to do with the library, for the tests as well.
noinst_LTLIBRARIES += examples/sandbox/libsandbox.la
examples_sandbox_libsandbox_la_SOURCES = \
	examples/sandbox/elf.c \
	examples/sandbox/elf.h \
	examples/sandbox/rv64.c \
	examples/sandbox/rv64.h \
	examples/sandbox/trap.c \
	examples/sandbox/trap.h

noinst_PROGRAMS += examples/sandbox/sandbox
examples_sandbox_sandbox_SOURCES = \
	examples/sandbox/calls.c \
	examples/sandbox/report.c \
	examples/sandbox/report.h \
	examples/sandbox/sandbox.c \
	examples/sandbox/sandbox.h
examples_sandbox_sandbox_LDADD = \
	examples/sandbox/libsandbox.la \
	lib/libvmset.la

# The guests, in the order of the demo: the last one's map is shown.
demo_guests = \
	examples/sandbox/guests/prebuilt/hello.elf \
	examples/sandbox/guests/prebuilt/pack.elf \
	examples/sandbox/guests/prebuilt/null-pointer.elf \
	examples/sandbox/guests/prebuilt/wild-pointer.elf \
	examples/sandbox/guests/prebuilt/far-pointer.elf \
	examples/sandbox/guests/prebuilt/text-write.elf \
	examples/sandbox/guests/prebuilt/jump-to-data.elf \
	examples/sandbox/guests/prebuilt/use-after-unmap.elf \
	examples/sandbox/guests/prebuilt/stack-overflow.elf \
	examples/sandbox/guests/prebuilt/wx-request.elf \
	examples/sandbox/guests/prebuilt/memory.elf

EXTRA_DIST += \
	$(demo_guests) \
	examples/sandbox/guests/build \
	examples/sandbox/guests/compressed.c \
	examples/sandbox/guests/far-pointer.c \
	examples/sandbox/guests/guest.c \
	examples/sandbox/guests/guest.h \
	examples/sandbox/guests/guest.ld \
	examples/sandbox/guests/hello.c \
	examples/sandbox/guests/jump-to-data.c \
	examples/sandbox/guests/memory.c \
	examples/sandbox/guests/null-pointer.c \
	examples/sandbox/guests/pack.c \
	examples/sandbox/guests/prebuilt/compressed.elf \
	examples/sandbox/guests/prebuilt/unknown-call.elf \
	examples/sandbox/guests/stack-overflow.c \
	examples/sandbox/guests/start.S \
	examples/sandbox/guests/text-write.c \
	examples/sandbox/guests/unknown-call.c \
	examples/sandbox/guests/use-after-unmap.c \
	examples/sandbox/guests/wild-pointer.c \
	examples/sandbox/guests/wx-request.c

demo: examples/sandbox/sandbox$(EXEEXT) tests/replay$(EXEEXT)
	@echo
	@echo 'Programs in the sandbox'
	@echo '======================='
	@echo
	@guests=; \
	for guest in $(demo_guests); do \
		guests="$$guests $(srcdir)/$$guest"; \
	done; \
	examples/sandbox/sandbox --map $$guests
	@echo
	@echo 'What node.js did to its memory, done again by a set'
	@echo '==================================================='
	@echo
	@tests/replay $(srcdir)/tests/traces/node.sq.xz

# Debian 12's compiler for the guests; their copies in the tree come from it.
RISCV64_CC = riscv64-linux-gnu-gcc

update-guests:
	$(srcdir)/examples/sandbox/guests/build \
		$(srcdir)/examples/sandbox/guests/prebuilt '$(RISCV64_CC)'

.PHONY: demo update-guests
