/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Recorded runs: read a trace of the map, unmap and protect calls of a real
 * program into memory, from plain text or from xz.  tests/traces/README says
 * what the text looks like.  Reading checks everything that can be wrong with
 * a file, so that who replays it need not.
 */
#ifndef TESTS_TRACE_H
#define TESTS_TRACE_H

#include <stddef.h>
#include <stdint.h>

enum trace_kind {
	TRACE_MAP,
	TRACE_UNMAP,
	TRACE_PROTECT,
	TRACE_STATE,
	TRACE_KINDS,
};

struct trace_op {
	enum trace_kind kind;
	uint32_t prot;          /* map, protect: as PROT_READ and so on */
	/* in pages; a state: the first of its areas in trace.areas */
	uint32_t start;
	/* in pages; a state: the number of its areas */
	uint32_t len;
	uint32_t line;          /* where in the text, from 1 */
};

/* What an expected state says of the pages from start up to, without, end. */
struct trace_area {
	uint32_t start, end;
	uint32_t prot;
	uint32_t line;
};

struct trace {
	uint32_t pages;         /* size of the range that a replay needs */
	struct trace_op *ops;
	size_t nr_ops;
	struct trace_area *areas;
	size_t nr_areas;
};

/* What is wrong with a trace, or with what came of it. */
struct trace_error {
	size_t line;            /* of the text, from 1; 0: the whole of it */
	char reason[240];
};

__attribute__((format(printf, 3, 4)))
void trace_explain(struct trace_error *error, size_t line, const char *format,
		   ...);

/* Fill in *error and return -1.  A macro, so that analyzers see the -1, too. */
#define trace_fail(...) (trace_explain(__VA_ARGS__), -1)

/* Read a file.  0, or -1 and the reason in *error. */
int trace_read(struct trace *trace, const char *path,
	       struct trace_error *error);

/* The same for bytes in memory: plain text or xz. */
int trace_parse(struct trace *trace, const void *bytes, size_t size,
		struct trace_error *error);

void trace_free(struct trace *trace);

/* Write prot as the kernel does, like "rw-", into buf and return it. */
const char *trace_prot(uint32_t prot, char buf[4]);

#endif /* TESTS_TRACE_H */
