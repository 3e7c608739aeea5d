/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Whole or not at all: each call of a backend in each operation is made to
 * fail, and then the calls that should undo it as well.  Small spaces are
 * gone through completely: every arrangement of areas of two backends, every
 * range, every operation, every combination of promises.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "assert.h"
#include "internal.h"
#include "layers.h"
#include "maps.h"
#include "suites.h"
#include "syscalls.h"
#include "tools.h"

/* ---- small spaces, completely ---- */

/*
 * Cells of two addresses, each free or mapped in one of three ways.  Ranges
 * begin and end at any address, so they cut cells in the middle too.
 */
#define CELLS 4
#define UNITS (2 * CELLS)
#define ORIGIN 0x100u
#define LAYOUTS 256             /* 4 ways for each cell */
#define RANGES (UNITS * (UNITS + 1) / 2)

struct space {
	struct layers layers;
	struct snapshot before;
	unsigned int layout, op;
	uintptr_t start, end;           /* of the operation's range */
};

/* How a cell is mapped: by which backend, with which flags. */
static const struct {
	unsigned int backend;
	uint32_t flags;
} ways[] = { { 0, 0 }, { 0, 1 }, { 0, 2 }, { 1, 1 } };

static int map_by(struct space *space, unsigned int backend, uintptr_t start,
		  uintptr_t end, uint32_t flags)
{
	return vmset_map_area(space->layers.set, &(struct vmset_area){
		.start = start, .end = end, .flags = flags,
		.backend = mock_backend(&space->layers.mock, backend),
		.offset = start,
	}, VMSET_REPLACE);
}

/* Flags 1 and 2 become each other; other areas stay. */
static bool exchange(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	(void)arg;
	*new_flags = 3 - old_flags;
	return old_flags == 1 || old_flags == 2;
}

#define OPS 6

static int operate(struct space *space)
{
	struct vmset *set = space->layers.set;
	uintptr_t start = space->start;
	size_t size = space->end - start;

	switch (space->op) {
	case 0:
		return map_by(space, 0, start, space->end, 1);
	case 1:
		return map_by(space, 1, start, space->end, 3);
	case 2:
		return vmset_unmap(set, start, size);
	case 3:
		return vmset_protect(set, start, size, 2);
	case 4:
		/* Flags that no area has: neighbours may go in one call. */
		return vmset_protect(set, start, size, 3);
	default:
		return vmset_update(set, start, size, exchange, NULL);
	}
}

/* Make the layout, whatever there was. */
static void arrange(struct space *space)
{
	mock_heal(&space->layers.mock);
	assert_ok(vmset_unmap(space->layers.set, ORIGIN, UNITS));
	for (unsigned int i = 0; i < CELLS; i++) {
		unsigned int way = space->layout >> 2 * i & 3;
		uintptr_t start = ORIGIN + 2 * i;

		if (way)
			assert_ok(map_by(space, ways[way].backend, start,
					 start + 2, ways[way].flags));
	}
	snapshot_free(&space->before);
	snapshot_take(&space->before, &space->layers);
}

/* What became of the calls of an operation that failed. */
struct outcome {
	bool lost[UNITS];
	bool any_lost;
};

static void lose(struct outcome *outcome, uintptr_t start, uintptr_t end)
{
	outcome->any_lost = true;
	for (uintptr_t at = start; at < end; at++)
		outcome->lost[at - ORIGIN] = true;
}

/* A call that was done before another failed, and may not be undoable. */
static void judge_done(const struct space *space, const struct mock_call *call,
		       struct outcome *outcome)
{
	const struct mock *mock = &space->layers.mock;
	const struct mock_backend *backend = &mock->backends[call->backend - 1];

	if (call->op != MOCK_UNMAP ||
	    !(backend->ops.promises & VMSET_BACKEND_DISCARDS))
		return;
	for (uintptr_t at = call->start; at < call->end; at++) {
		if (space->before.entries[at - ORIGIN].owner == call->backend)
			lose(outcome, at, at + 1);
	}
}

/*
 * Which ranges must be lost, from the record of calls: those whose undo failed,
 * those that cannot be undone, and that of a call that says so.
 */
static struct outcome judge(const struct space *space, unsigned int failed)
{
	const struct mock *mock = &space->layers.mock;
	struct outcome outcome = { 0 };

	for (unsigned int i = 1; i <= mock->calls; i++) {
		const struct mock_call *call = &mock->log[i - 1];

		if (i < failed)
			judge_done(space, call, &outcome);
		else if (call->result && (i > failed ||
					  call->result == -ENOTRECOVERABLE))
			lose(&outcome, call->start, call->end);
	}
	return outcome;
}

static bool same_place(const struct vmset_area *a, const struct vmset_area *b,
		       uintptr_t addr)
{
	return a->flags == b->flags && a->backend == b->backend &&
	       a->data == b->data &&
	       a->offset + (addr - a->start) == b->offset + (addr - b->start);
}

/* The area that was at the address, or NULL. */
static const struct vmset_area *was_at(const struct snapshot *before,
				       uintptr_t addr)
{
	for (size_t i = 0; i < before->len; i++) {
		if (addr >= before->areas[i].start &&
		    addr < before->areas[i].end)
			return &before->areas[i];
	}
	return NULL;
}

/* Exactly what must be lost is, and all else is as it was. */
static void check_lost(const struct space *space,
		       const struct outcome *outcome)
{
	const struct layers *layers = &space->layers;
	struct vmset_mismatch first;
	bool any = false;

	layers_check_lost(layers);
	assert_eq(vmset_verify(layers->set, &first), 1);
	for (uintptr_t at = ORIGIN; at < ORIGIN + UNITS; at++) {
		const struct vmset_area *old = was_at(&space->before, at);
		bool lost = outcome->lost[at - ORIGIN];
		struct vmset_area now;

		assert_eq(layers_fenced(layers, at), lost);
		if (lost) {
			if (!any)
				assert_eq(first.addr, at);
			any = true;
			continue;
		}
		assert_eq(vmset_find(layers->set, at, &now) == 0, old != NULL);
		if (old)
			assert_that(same_place(old, &now, at));
		assert_that(memcmp(mock_at(&layers->mock, at),
				   &space->before.entries[at - ORIGIN],
				   sizeof(struct mock_entry)) == 0);
	}
}

/* Unmapping makes what was lost free again, as soon as the backend agrees. */
static void recover(struct space *space)
{
	struct mock *mock = &space->layers.mock;

	mock->forgiving = true;
	mock_fail(mock, MOCK_FROM(1), -EBUSY);
	assert_err(vmset_unmap(space->layers.set, ORIGIN, UNITS));
	mock_heal(mock);
	assert_ok(vmset_unmap(space->layers.set, ORIGIN, UNITS));
	mock->forgiving = false;
	layers_expect_empty(&space->layers);
	arrange(space);
}

/*
 * Run the operation with the calls in failing made to fail.  The first of them
 * is the one with the number failed.  Returns the number of calls.
 */
static unsigned int run(struct space *space, unsigned int failed,
			uint64_t failing, int error)
{
	struct mock *mock = &space->layers.mock;
	struct outcome outcome;
	unsigned int calls;
	int result;

	mock_fail(mock, failing, error);
	result = operate(space);
	calls = mock->calls;
	if (calls < failed) {
		assert_that(result == 0 || result == -ENOENT);
		return calls;
	}
	outcome = judge(space, failed);
	assert_err(result, outcome.any_lost ? -ENOTRECOVERABLE : error);
	mock_heal(mock);
	if (outcome.any_lost) {
		check_lost(space, &outcome);
		recover(space);
	} else {
		snapshot_check(&space->before, &space->layers);
	}
	return calls;
}

/* Call number failed fails, and then undo calls in every way. */
static void fail_undo(struct space *space, unsigned int failed,
		      unsigned int calls)
{
	for (unsigned int undo = failed + 1; undo <= calls; undo++)
		run(space, failed, MOCK_CALL(failed) | MOCK_CALL(undo), -EIO);
	if (calls > failed + 1)
		run(space, failed, MOCK_FROM(failed), -EIO);
	run(space, failed, MOCK_CALL(failed), -ENOTRECOVERABLE);
}

/* Every call of one operation. */
static void fail_each(struct space *space)
{
	unsigned int calls;

	for (unsigned int failed = 1;; failed++) {
		calls = run(space, failed, MOCK_CALL(failed), -EIO);
		if (calls < failed)
			break;
		fail_undo(space, failed, calls);
	}
	/* It was done after all. */
	layers_check(&space->layers);
	arrange(space);
}

/* The range with a number: by start, and for each by end. */
static void set_range(struct space *space, unsigned int number)
{
	unsigned int start = 0;

	while (number >= UNITS - start)
		number -= UNITS - start++;
	space->start = ORIGIN + start;
	space->end = space->start + 1 + number;
}

#define CASES ((unsigned long)LAYOUTS * OPS * RANGES)

/* How far to go from case to case, and yet meet each layout, op and range. */
static unsigned long stride(void)
{
	unsigned long wanted = tools_rounds(8000);
	unsigned long step = wanted < CASES ? CASES / wanted : 1;

	while (step % 2 == 0 || step % 3 == 0 || step % 5 == 0)
		step++;
	return step;
}

/* Each combination of promises, with and without joining of areas. */
START_TEST(every_call_of_every_operation)
{
	struct space space = { 0 };
	unsigned int arranged = LAYOUTS;

	layers_open(&space.layers, (struct layers_config){
		.bounds = { ORIGIN, ORIGIN + UNITS },
		.promises = (uint32_t)_i % (MOCK_PROMISES + 1),
		.options = _i > (int)MOCK_PROMISES ? VMSET_NO_MERGE : 0,
	});
	for (unsigned long i = 0; i < CASES; i += stride()) {
		space.layout = (unsigned int)(i / (OPS * RANGES));
		space.op = i / RANGES % OPS;
		set_range(&space, i % RANGES);
		if (space.layout != arranged)
			arrange(&space);
		arranged = space.layout;
		fail_each(&space);
	}
	snapshot_free(&space.before);
	layers_close(&space.layers);
}
END_TEST

/* ---- more areas than an operation has room for ---- */

#define MANY 40

static int operate_on_many(struct vmset *set, unsigned int op)
{
	switch (op) {
	case 0:
		return vmset_map(set, 0x4, 4 * MANY - 8, 9, VMSET_REPLACE);
	case 1:
		return vmset_unmap(set, 0x5, 4 * MANY - 10);
	case 2:
		return vmset_protect(set, 0x5, 4 * MANY - 10, 9);
	default:
		return vmset_clear(set);
	}
}

/* The backend's promises but DISCARDS, of which more than one call is lost. */
START_TEST(operations_over_many_areas)
{
	struct layers layers;
	struct snapshot before;
	unsigned int call = 0;
	int result;

	layers_open(&layers, (struct layers_config){
		.bounds = { 0, 4 * MANY }, .promises = (uint32_t)_i / 3,
	});
	for (unsigned int i = 0; i < MANY; i++)
		assert_ok(vmset_map(layers.set, 4 * i, 3, 1 + i % 3, 0));
	snapshot_take(&before, &layers);
	do {
		mock_fail(&layers.mock, MOCK_CALL(++call), -ENOMEM);
		result = operate_on_many(layers.set, (unsigned int)_i % 3);
		mock_heal(&layers.mock);
		if (result)
			snapshot_check(&before, &layers);
	} while (result == -ENOMEM);
	assert_ok(result);
	assert_that(call > 1);
	layers_check(&layers);
	snapshot_free(&before);
	layers_close(&layers);
}
END_TEST

/* ---- placing ---- */

START_TEST(alloc_leaves_nothing_behind)
{
	struct vmset_placement where = {
		.size = sizeof(where), .policy = (uint32_t)_i,
		.guard_before = 0x10, .guard_after = 0x20,
	};
	uintptr_t start = 0x123;
	struct layers layers;
	struct snapshot before;

	layers_open(&layers, (struct layers_config){ .bounds = { 0, 0x100 } });
	assert_ok(vmset_map(layers.set, 0, 0x10, 1, 0));
	snapshot_take(&before, &layers);
	mock_fail(&layers.mock, MOCK_CALL(1), -EAGAIN);
	assert_err(vmset_alloc(layers.set, 0x10, 1, &where, &start), -EAGAIN);
	assert_eq(start, 0x123);
	assert_eq(layers.mock.calls, 1);
	snapshot_check(&before, &layers);
	mock_fail(&layers.mock, MOCK_CALL(1), -ENOTRECOVERABLE);
	assert_err(vmset_alloc(layers.set, 0x10, 1, &where, &start),
		   -ENOTRECOVERABLE);
	assert_eq(start, 0x123);
	for (uintptr_t at = 0; at < 0x100; at++) {
		uintptr_t lost = layers.mock.log[0].start;

		assert_eq(layers_fenced(&layers, at),
			  at >= lost && at < lost + 0x10);
	}
	snapshot_free(&before);
	mock_heal(&layers.mock);
	layers.mock.forgiving = true;
	layers_close(&layers);
}
END_TEST

/* ---- clearing and destroying ---- */

#define REFUSING 5

/* Areas that touch and areas that do not, and which of them refuse. */
static void map_refusing(struct layers *layers)
{
	static const struct layers_area areas[REFUSING] = {
		{ 0x10, 0x20, 1 }, { 0x20, 0x30, 2 }, { 0x40, 0x50, 2 },
		{ 0x60, 0x70, 1 }, { 0x70, 0x80, 3 },
	};

	for (size_t i = 0; i < REFUSING; i++)
		assert_ok(vmset_map(layers->set, areas[i].start,
				    areas[i].end - areas[i].start,
				    areas[i].flags, 0));
	mock_heal(&layers->mock);
}

/* Only what the backend refused to unmap is left, in both layers. */
static void check_refused(const struct layers *layers, unsigned int mask)
{
	unsigned int left = 0;

	layers_check(layers);
	for (unsigned int i = 0; i < REFUSING; i++) {
		const struct mock_call *call = &layers->mock.log[i];
		bool refused = mask >> i & 1;

		assert_eq(call->op, MOCK_UNMAP);
		assert_eq(vmset_overlaps(layers->set, call->start,
					 call->end - call->start), refused);
		left += refused;
	}
	assert_eq(vmset_len(layers->set), left);
}

static int clear_or_destroy(struct vmset *set, bool destroy)
{
	return destroy ? vmset_destroy(set) : vmset_clear(set);
}

/* Every choice of areas that refuse, for clear and for destroy. */
START_TEST(clear_and_destroy_go_on)
{
	unsigned int mask = (unsigned int)_i % (1 << REFUSING);
	bool destroy = _i >> REFUSING;
	struct layers layers;

	layers_open(&layers, (struct layers_config){ .bounds = { 0, 0x100 } });
	map_refusing(&layers);
	mock_fail(&layers.mock, mask, -EBUSY);
	if (mask) {
		assert_err(clear_or_destroy(layers.set, destroy), -EBUSY);
		assert_eq(layers.mock.calls, REFUSING);
		check_refused(&layers, mask);
		/* The set lives on. */
		mock_heal(&layers.mock);
		assert_ok(vmset_map(layers.set, 0x90, 0x10, 1, 0));
	}
	assert_ok(vmset_clear(layers.set));
	layers_expect_empty(&layers);
	layers_close(&layers);
}
END_TEST

/* A run that is refused is tried area by area: its own, not those behind it. */
START_TEST(a_refused_run_ends_where_it_ends)
{
	struct vmset_area other = { .start = 0x30, .end = 0x40, .flags = 1 };
	struct layers layers;

	layers_open(&layers, (struct layers_config){
		.bounds = { 0, 0x100 }, .promises = VMSET_BACKEND_SPANS,
	});
	other.backend = mock_backend(&layers.mock, 1);
	assert_ok(vmset_map(layers.set, 0x10, 8, 1, 0));
	assert_ok(vmset_map(layers.set, 0x20, 8, 1, 0));
	assert_ok(vmset_map_area(layers.set, &other, 0));
	mock_fail(&layers.mock, MOCK_CALL(1), -EBUSY);
	/* The run, its two areas, and what is behind: each once. */
	assert_ok(vmset_clear(layers.set));
	assert_eq(layers.mock.calls, 4);
	layers_expect_empty(&layers);
	layers_close(&layers);
}
END_TEST

/*
 * One area can never be unmapped.  Whatever the backend promises, the others
 * go, and that one stays.
 */
START_TEST(clear_frees_what_can_be_freed)
{
	struct layers layers;

	layers_open(&layers, (struct layers_config){
		.bounds = { 0, 0x100 }, .promises = (uint32_t)_i,
	});
	map_refusing(&layers);
	layers.mock.sealed = (struct vmset_range){ 0x48, 0x49 };
	assert_err(vmset_clear(layers.set), -EPERM);
	LAYERS_EXPECT(&layers, { 0x40, 0x50, 2 });
	assert_err(vmset_destroy(layers.set), -EPERM);
	LAYERS_EXPECT(&layers, { 0x40, 0x50, 2 });
	layers.mock.sealed = (struct vmset_range){ 0, 0 };
	layers_close(&layers);
}
END_TEST

/* ---- lost ranges ---- */

/* Two areas, the first of which is lost: [0x10, 0x20). */
static void open_lost(struct layers *layers)
{
	layers_open(layers, (struct layers_config){ .bounds = { 0, 0x100 } });
	assert_ok(vmset_map(layers->set, 0x10, 0x10, 1, 0));
	assert_ok(vmset_map(layers->set, 0x30, 0x10, 2, 0));
	mock_fail(&layers->mock, MOCK_CALL(2) | MOCK_CALL(3), -EIO);
	assert_err(vmset_unmap(layers->set, 0, 0x100), -ENOTRECOVERABLE);
	assert_eq(layers->mock.calls, 3);
	mock_heal(&layers->mock);
	layers->mock.forgiving = true;
	assert_eq(vmset_len(layers->set), 1);
	assert_that(layers_fenced(layers, 0x10));
	assert_that(layers_fenced(layers, 0x1f));
	assert_that(!layers_fenced(layers, 0x20));
}

START_TEST(lost_ranges_are_kept_out_of)
{
	struct vmset_placement near = {
		.size = sizeof(near), .policy = VMSET_NEAREST, .hint = 0x18,
	};
	struct layers layers;
	struct vmset *set;
	uintptr_t start;

	open_lost(&layers);
	set = layers.set;
	assert_err(vmset_map(set, 0x10, 0x10, 1, 0), -ENOTRECOVERABLE);
	assert_err(vmset_map(set, 0, 0x100, 1, VMSET_REPLACE),
		   -ENOTRECOVERABLE);
	assert_err(vmset_map(set, 0x1f, 1, 1, VMSET_REPLACE),
		   -ENOTRECOVERABLE);
	assert_err(vmset_protect(set, 0x1f, 0x20, 9), -ENOTRECOVERABLE);
	assert_err(vmset_protect(set, 0x10, 1, 9), -ENOTRECOVERABLE);
	assert_err(vmset_update(set, 0, 0x100, exchange, NULL),
		   -ENOTRECOVERABLE);
	assert_eq(layers.mock.calls, 0);
	assert_ok(vmset_find_free_area(set, 0x10, 1,
				       (struct vmset_range){ 0, 0 }, 0,
				       &start));
	assert_eq(start, 0x20);
	assert_ok(vmset_alloc(set, 0x10, 1, &near, &start));
	assert_eq(start, 0x20);
	assert_ok(vmset_alloc(set, 0x10, 1, NULL, &start));
	assert_eq(start, 0);
	assert_err(vmset_alloc(set, 0xc1, 1, NULL, &start), -ENOSPC);
	assert_ok(vmset_protect(set, 0x20, 0x20, 3));
	layers_check_lost(&layers);
	layers_close(&layers);
}
END_TEST

START_TEST(lost_ranges_are_shown)
{
	struct vmset_mismatch first;
	struct layers layers;
	char *text = NULL, *row, *word;
	size_t size;
	FILE *out;

	open_lost(&layers);
	assert_eq(vmset_verify(layers.set, &first), 1);
	assert_eq(first.addr, 0x10);
	out = open_memstream(&text, &size);
	assert_ok(vmset_dump(layers.set, out));
	fclose(out);
	row = strstr(text, "0x010  0x020");
	assert_that(row);
	word = strstr(row, "LOST");
	assert_that(word && word < strchr(row, '\n'));
	assert_that(strstr(text, "1 lost range"));
	free(text);
	layers_close(&layers);
}
END_TEST

/* A part of the lost range at a time, and only if the backend agrees. */
START_TEST(lost_ranges_can_be_unmapped)
{
	struct layers layers;

	open_lost(&layers);
	mock_fail(&layers.mock, MOCK_FROM(1), -EBUSY);
	assert_err(vmset_unmap(layers.set, 0x10, 0x8), -EBUSY);
	assert_eq(layers.mock.calls, 1);
	for (uintptr_t at = 0; at < 0x30; at++)
		assert_eq(layers_fenced(&layers, at), at >= 0x10 && at < 0x20);
	mock_heal(&layers.mock);
	assert_ok(vmset_unmap(layers.set, 0x10, 0x8));
	for (uintptr_t at = 0; at < 0x30; at++)
		assert_eq(layers_fenced(&layers, at), at >= 0x18 && at < 0x20);
	assert_ok(vmset_map(layers.set, 0x10, 0x8, 1, 0));
	assert_ok(vmset_unmap(layers.set, 0, 0x20));
	LAYERS_EXPECT(&layers, { 0x30, 0x40, 2 });
	layers_close(&layers);
}
END_TEST

/* clear tries again; destroy gives up what still refuses. */
START_TEST(lost_ranges_do_not_last)
{
	struct layers layers;

	open_lost(&layers);
	layers.mock.sealed = (struct vmset_range){ 0x10, 0x20 };
	assert_err(vmset_clear(layers.set), -EPERM);
	assert_that(vmset_is_empty(layers.set));
	assert_that(layers_fenced(&layers, 0x10));
	if (_i == 0) {
		layers.mock.sealed = (struct vmset_range){ 0, 0 };
		assert_ok(vmset_clear(layers.set));
		assert_that(!vmset_overlaps(layers.set, 0, 0x100));
		layers_expect_empty(&layers);
	}
	layers_close(&layers);
}
END_TEST

/* Small areas: some, and then as many as there is memory for. */
static size_t fill_up(struct vmset *set, size_t some)
{
	size_t count = 0;

	while (vmset_map(set, 4 * count, 3, 1 + count % 3, 0) == 0) {
		if (++count == some)
			syscalls_starve();
	}
	return count;
}

/*
 * No memory is left when undoing fails.  Still each range that nobody knows
 * about is fenced off, and nothing is listed that is not there.
 */
START_TEST(lost_ranges_need_no_memory)
{
	unsigned int times_lost = 0;
	struct layers layers;
	size_t count;

	layers_open(&layers, (struct layers_config){
		.bounds = { 0, 0x4000 },
		.promises = (uint32_t)_i & MOCK_PROMISES,
	});
	syscalls_watch((struct vmset_range){ 0, 0 });
	count = fill_up(layers.set, _i > (int)MOCK_PROMISES ? 200 : 60);
	assert_that(count >= 60 && count < 0x1000);
	layers.mock.forgiving = true;
	for (size_t first = 0; first + 12 < count; first += 7) {
		mock_fail(&layers.mock, MOCK_FROM(2 + first % 6), -EIO);
		times_lost += vmset_protect(layers.set, 4 * first,
					    4 * (2 + first % 9), 9) ==
			      -ENOTRECOVERABLE;
		layers_check_lost(&layers);
	}
	syscalls_stop();
	assert_that(times_lost > 3);
	mock_heal(&layers.mock);
	layers_close(&layers);
}
END_TEST

/*
 * The same where nothing would have changed: each area gets in its middle what
 * is there already, and the calls for that go wrong for good.  As long as
 * it is not refused for want of memory, the middle must be fenced off.
 */
START_TEST(lost_ranges_of_equal_maps_need_no_memory)
{
	struct layers layers;
	size_t count;
	int result;

	layers_open(&layers, (struct layers_config){ .bounds = { 0, 0x4000 } });
	syscalls_watch((struct vmset_range){ 0, 0 });
	count = fill_up(layers.set, 60);
	layers.mock.forgiving = true;
	for (size_t i = 0; i < count; i++) {
		mock_fail(&layers.mock, MOCK_FROM(2), -EIO);
		result = vmset_map(layers.set, 4 * i + 1, 1, 1 + i % 3,
				   VMSET_REPLACE);
		assert_err(result, layers.mock.calls ? -ENOTRECOVERABLE
						     : -ENOMEM);
		layers_check_lost(&layers);
	}
	syscalls_stop();
	mock_heal(&layers.mock);
	layers_close(&layers);
}
END_TEST

/*
 * From some moment on there is no memory, and areas are mapped until one is
 * refused.  Whenever that is, every area can be unmapped, in any order, down to
 * an empty set.
 */
START_TEST(unmapping_needs_no_memory)
{
	const size_t strides[] = { 1, 7, 31, 97 };
	size_t stride = strides[_i % 4];

	for (size_t moment = 0; moment < 100; moment++) {
		struct layers layers;
		size_t count = 0;
		bool refused = false;

		layers_open(&layers, (struct layers_config){
			.bounds = { 0, 0x4000 } });
		syscalls_watch((struct vmset_range){ 0, 0 });
		for (; !refused; count += !refused) {
			if (count == moment)
				syscalls_starve();
			refused = vmset_map(layers.set, 4 * count, 3,
					    1 + count % 3, 0);
		}
		while (count % stride == 0 && stride > 1)
			count--;
		for (size_t i = 0; i < count; i++)
			assert_ok(vmset_unmap(layers.set,
					      4 * (i * stride % count), 3));
		assert_that(!vmset__check(layers.set));
		syscalls_stop();
		layers_close(&layers);
	}
}
END_TEST

/* ---- the kernel ---- */

#define PAGES 16

struct pages {
	struct vmset *set;
	struct vmset_range bounds;
	size_t page;
};

static uintptr_t page_at(const struct pages *pages, size_t number)
{
	return pages->bounds.start + number * pages->page;
}

/* A byte in each page that can be read, or 0: its contents. */
static void read_contents(const struct pages *pages, unsigned char *contents)
{
	struct vmset_area area;

	for (size_t i = 0; i < PAGES; i++) {
		uintptr_t at = page_at(pages, i);
		bool readable = vmset_find(pages->set, at, &area) == 0 &&
				area.flags & VMSET_READ;

		contents[i] = readable ? *(const unsigned char *)at : 0;
	}
}

/* Areas with and without gaps, contents in each page. */
static void open_pages(struct pages *pages)
{
	static const struct layers_area areas[] = {
		{ 1, 3, 3 }, { 3, 5, 1 }, { 5, 6, 3 }, { 6, 8, 1 },
		{ 10, 12, 3 }, { 12, 15, 1 },
	};
	struct vmset *set;

	pages->page = (size_t)sysconf(_SC_PAGESIZE);
	assert_ok(vmset_reserve(&set, PAGES * pages->page, 0));
	assert_about(set);
	pages->set = set;
	pages->bounds = vmset_bounds(set);
	for (size_t i = 0; i < sizeof(areas) / sizeof(*areas); i++) {
		uintptr_t start = page_at(pages, areas[i].start);
		size_t size = (areas[i].end - areas[i].start) * pages->page;

		assert_ok(vmset_map(set, start, size, 3, 0));
		memset((void *)start, 0x40 + (int)i, size);
		assert_ok(vmset_protect(set, start, size, areas[i].flags));
	}
	assert_eq(vmset_len(set), 6);
}

static void close_pages(struct pages *pages)
{
	assert_ok(vmset_destroy(pages->set));
	assert_about(NULL);
}

#define PAGE_OPS 4

static int operate_on_pages(const struct pages *pages, unsigned int op,
			    size_t from, size_t to)
{
	uintptr_t start = page_at(pages, from);
	size_t size = (to - from) * pages->page;

	switch (op) {
	case 0:
		return vmset_map(pages->set, start, size, 3, VMSET_REPLACE);
	case 1:
		return vmset_unmap(pages->set, start, size);
	case 2:
		return vmset_protect(pages->set, start, size, 0);
	default:
		return vmset_protect(pages->set, start, size, 3);
	}
}

static void check_pages(const struct pages *pages,
			const unsigned char *contents, size_t len)
{
	unsigned char now[PAGES];

	read_contents(pages, now);
	assert_that(memcmp(now, contents, PAGES) == 0);
	assert_eq(vmset_len(pages->set), len);
	assert_that(!vmset__check(pages->set));
	maps_check(pages->set);
	assert_ok(vmset_verify(pages->set, NULL));
}

/* The system call with each number fails, until there is none with it. */
static void fail_system_calls(struct pages *pages, unsigned int op,
			      size_t from, size_t to)
{
	size_t len = vmset_len(pages->set);
	unsigned char contents[PAGES];
	unsigned int number = 0;
	int result;

	read_contents(pages, contents);
	do {
		syscalls_watch(pages->bounds);
		syscalls_fail(++number, 0, ENOMEM);
		result = operate_on_pages(pages, op, from, to);
		syscalls_stop();
		if (result && result != -ENOENT) {
			assert_err(result, -ENOMEM);
			check_pages(pages, contents, len);
		}
	} while (result == -ENOMEM);
	assert_that(result == 0 || result == -ENOENT);
	maps_check(pages->set);
	assert_ok(vmset_verify(pages->set, NULL));
}

/* Every range over areas, gaps and parts of them. */
START_TEST(every_system_call)
{
	size_t step = tools_slow() ? 3 : 1;
	struct pages pages;

	for (size_t from = 0; from < PAGES; from += step) {
		for (size_t to = from + 1; to <= PAGES; to += step) {
			open_pages(&pages);
			fail_system_calls(&pages, (unsigned int)_i, from, to);
			close_pages(&pages);
		}
	}
}
END_TEST

/* The undo of an mprotect fails as well: its range is lost, no more. */
START_TEST(kernel_ranges_can_be_lost)
{
	struct vmset_mismatch first;
	struct pages pages;
	unsigned int calls;
	struct vmset_area area;

	open_pages(&pages);
	syscalls_watch(pages.bounds);
	assert_ok(operate_on_pages(&pages, 2, 2, 14));
	calls = syscalls_count();
	assert_that(calls > 1);
	close_pages(&pages);

	open_pages(&pages);
	syscalls_watch(pages.bounds);
	syscalls_fail(calls, ~0UL, EACCES);
	assert_err(operate_on_pages(&pages, 2, 2, 14), -ENOTRECOVERABLE);
	syscalls_stop();
	assert_eq(vmset_verify(pages.set, &first), 1);
	assert_that(first.addr >= page_at(&pages, 2) &&
		    first.addr < page_at(&pages, 14));
	assert_that(!vmset__check(pages.set));
	assert_ok(vmset_find(pages.set, page_at(&pages, 1), &area));
	assert_eq(area.flags, 3);
	assert_eq(area.end, page_at(&pages, 2));
	assert_ok(vmset_find(pages.set, page_at(&pages, 14), &area));
	assert_eq(area.flags, 1);
	assert_ok(vmset_unmap(pages.set, page_at(&pages, 2), 12 * pages.page));
	assert_ok(vmset_verify(pages.set, NULL));
	maps_check(pages.set);
	close_pages(&pages);
}
END_TEST

Suite *suite_failures(void)
{
	Suite *suite = suite_create("failures");
	TCase *tcase = tcase_create("whole or not at all");

	tcase_set_timeout(tcase, 3600);
	tcase_add_loop_test(tcase, every_call_of_every_operation, 0,
			    2 * (MOCK_PROMISES + 1));
	tcase_add_loop_test(tcase, operations_over_many_areas, 0,
			    3 * VMSET_BACKEND_DISCARDS);
	tcase_add_loop_test(tcase, alloc_leaves_nothing_behind, VMSET_LOWEST,
			    VMSET_RANDOM + 1);
	tcase_add_loop_test(tcase, clear_and_destroy_go_on, 0,
			    2 << REFUSING);
	tcase_add_test(tcase, a_refused_run_ends_where_it_ends);
	tcase_add_loop_test(tcase, clear_frees_what_can_be_freed, 0,
			    MOCK_PROMISES + 1);
	tcase_add_loop_test(tcase, every_system_call, 0, PAGE_OPS);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("lost ranges");
	tcase_add_test(tcase, lost_ranges_are_kept_out_of);
	tcase_add_test(tcase, lost_ranges_are_shown);
	tcase_add_test(tcase, lost_ranges_can_be_unmapped);
	tcase_add_loop_test(tcase, lost_ranges_do_not_last, 0, 2);
	tcase_add_loop_test(tcase, lost_ranges_need_no_memory, 0,
			    2 * (MOCK_PROMISES + 1));
	tcase_add_test(tcase, lost_ranges_of_equal_maps_need_no_memory);
	tcase_add_loop_test(tcase, unmapping_needs_no_memory, 0, 4);
	tcase_add_test(tcase, kernel_ranges_can_be_lost);
	suite_add_tcase(suite, tcase);
	return suite;
}
