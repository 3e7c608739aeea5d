/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The reader of recorded runs.  The input is read as it is; and then packed,
 * which must come to the same.  What was read and is small is replayed.
 */
#include "../trace.h"

#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "../assert.h"
#include "../replay.h"
#include "fuzz.h"

/* What is replayed: a state costs reading /proc/self/maps. */
#define SMALL_PAGES 0x100
#define SMALL_OPS   32

/* What the reader checked, so that who replays the run need not. */
static void check_ops(const struct trace *trace)
{
	size_t areas = 0;

	for (size_t i = 0; i < trace->nr_ops; i++) {
		const struct trace_op *op = &trace->ops[i];

		assert_that(op->kind < TRACE_KINDS);
		assert_that(i == 0 || op->line > op[-1].line);
		if (op->kind == TRACE_STATE) {
			assert_eq(op->start, areas);
			areas += op->len;
			continue;
		}
		assert_that(op->len > 0 && op->len <= trace->pages &&
			    op->start <= trace->pages - op->len);
	}
	assert_eq(areas, trace->nr_areas);
	assert_that(trace->nr_ops > 0 &&
		    trace->ops[trace->nr_ops - 1].kind == TRACE_STATE);
}

static void check_areas(const struct trace *trace)
{
	for (size_t i = 0; i < trace->nr_areas; i++) {
		const struct trace_area *area = &trace->areas[i];

		assert_that(area->start < area->end);
		assert_that(area->end <= trace->pages);
		assert_that(area->prot < 8);
	}
}

static void check_same(const struct trace *a, const struct trace *b)
{
	assert_eq(a->pages, b->pages);
	assert_eq(a->nr_ops, b->nr_ops);
	assert_eq(a->nr_areas, b->nr_areas);
	assert_that(!memcmp(a->ops, b->ops, a->nr_ops * sizeof(*a->ops)));
	assert_that(!memcmp(a->areas, b->areas,
			    a->nr_areas * sizeof(*a->areas)));
}

/* A run that the kernel does as recorded, the set does so, too. */
static void replay(const struct trace *trace)
{
	struct replay_report report;

	if (trace->pages > SMALL_PAGES || trace->nr_ops > SMALL_OPS)
		return;
	if (replay_run(trace, REPLAY_BARE, 0, &report))
		reason_check(report.error.reason);
	else
		assert_ok(replay_run(trace, REPLAY_SET, 0, &report));
}

/* With the least memory that xz takes, as that is most of the time. */
static size_t pack(uint8_t *packed, size_t room, const uint8_t *bytes,
		   size_t size)
{
	lzma_options_lzma options;
	lzma_filter filters[] = {
		{ LZMA_FILTER_LZMA2, &options },
		{ LZMA_VLI_UNKNOWN, NULL },
	};
	size_t used = 0;

	assert_that(!lzma_lzma_preset(&options, 0));
	options.dict_size = LZMA_DICT_SIZE_MIN;
	assert_that(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL,
					      bytes, size, packed, &used,
					      room) == LZMA_OK);
	return used;
}

static void read_packed(const struct trace *trace, int wanted,
			const struct trace_error *why, const uint8_t *bytes,
			size_t size)
{
	const size_t room = lzma_stream_buffer_bound(size);
	uint8_t *packed = malloc(room);
	struct trace_error error;
	struct trace again;
	size_t used;

	assert_that(packed);
	used = pack(packed, room, bytes, size);
	assert_that(trace_parse(&again, packed, used, &error) == wanted);
	free(packed);
	if (wanted)
		assert_that(error.line == why->line &&
			    !strcmp(error.reason, why->reason));
	else
		check_same(trace, &again);
	trace_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const int is_xz = size && bytes[0] == 0xfd;
	struct trace_error error;
	struct trace trace;
	const int err = trace_parse(&trace, bytes, size, &error);

	if (err) {
		reason_check(error.reason);
		assert_that(!trace.ops && !trace.areas);
	} else {
		check_ops(&trace);
		check_areas(&trace);
		replay(&trace);
	}
	if (!is_xz)
		read_packed(&trace, err, &error, bytes, size);
	trace_free(&trace);
	return 0;
}
