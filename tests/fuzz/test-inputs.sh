#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Runs each fuzz target on its inputs in the tree: those that a fuzzer starts
# from, and those that once failed.
#
# Environment, from the Makefile: top_builddir, top_srcdir, fuzz_targets; from
# memcheck.sh: TEST_WRAPPER, the words to put before each program.
set -eu

programs=${top_builddir:-.}/tests/fuzz
corpus=${top_srcdir:-.}/tests/fuzz/corpus

for target in ${fuzz_targets:?}; do
	# shellcheck disable=SC2086
	${TEST_WRAPPER:-} "$programs/$target" "$corpus/$target"/*
done
