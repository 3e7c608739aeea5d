/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What faults are for: areas that are filled on first touch, a stack that grows
 * down to its guard, and a list of the pages that were written.
 */
#define _GNU_SOURCE                     /* memfd_create */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "assert.h"
#include "poke.h"
#include "suites.h"
#include "tools.h"
#include "vmset.h"

#define PAGES   64
#define THREADS 4
#define RW      (VMSET_READ | VMSET_WRITE)

static struct vmset *set;
static uintptr_t start;
static size_t page;

static void setup(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	/* Neither a sanitizer's handler nor, without fork, an earlier test's. */
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	assert_ok(vmset_reserve(&set, PAGES * page, 0));
	start = vmset_bounds(set).start;
}

static void teardown(void)
{
	assert_ok(vmset_fault_remove());
	assert_ok(vmset_destroy(set));
}

/* The same work in several threads, each with its number. */
struct worker {
	pthread_t thread;
	unsigned int number;
};

static void work(void *(*fn)(void *arg))
{
	struct worker workers[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i].number = i;
		assert_ok(pthread_create(&workers[i].thread, NULL, fn,
					 &workers[i]));
	}
	for (unsigned int i = 0; i < THREADS; i++)
		assert_ok(pthread_join(workers[i].thread, NULL));
}

/* ---- filled on first touch ---- */

/*
 * A file in memory is mapped without rights.  The first touch of a page writes
 * it and opens it.  It is shared, so that it can be written before it is open.
 */
static struct {
	int fd;
	atomic_uint state[PAGES];       /* EMPTY, FILLING, FILLED */
	atomic_uint fills;
} pager;

enum { EMPTY, FILLING, FILLED };

static int unmap_lazily(void *ctx, uintptr_t at, size_t size)
{
	(void)ctx;
	return mmap((void *)at, size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		    0) == MAP_FAILED ? -errno : 0;
}

static int map_lazily(void *ctx, uintptr_t at, size_t size, uint32_t flags,
		      uint64_t offset)
{
	(void)ctx, (void)flags;
	return mmap((void *)at, size, PROT_NONE, MAP_SHARED | MAP_FIXED,
		    pager.fd, (off_t)offset) == MAP_FAILED ? -errno : 0;
}

static int refuse_protect(void *ctx, uintptr_t at, size_t size, uint32_t flags)
{
	(void)ctx, (void)at, (void)size, (void)flags;
	return -ENOTSUP;
}

/* What page n holds, byte by byte. */
static uint8_t content(unsigned int n, size_t at)
{
	return (uint8_t)(n * 7 + at / 64 + 1);
}

static int write_page(unsigned int n)
{
	uint8_t bytes[64];

	for (size_t at = 0; at < page; at += sizeof(bytes)) {
		memset(bytes, content(n, at), sizeof(bytes));
		if (pwrite(pager.fd, bytes, sizeof(bytes),
			   (off_t)(n * page + at)) != sizeof(bytes))
			return -EIO;
	}
	return 0;
}

/* Whoever comes second waits until it is there. */
static int fill(void *ctx, const struct vmset_area *area, uintptr_t addr,
		uint32_t access)
{
	const uintptr_t at = addr & ~(page - 1);
	const unsigned int n = (unsigned int)
		((area->offset + (at - area->start)) / page);
	unsigned int state = EMPTY;

	(void)ctx, (void)access;
	if (!atomic_compare_exchange_strong(&pager.state[n], &state, FILLING)) {
		while (atomic_load(&pager.state[n]) != FILLED)
			sched_yield();
		return 0;
	}
	if (write_page(n) || mprotect((void *)at, page, PROT_READ | PROT_WRITE))
		return -EIO;
	atomic_fetch_add(&pager.fills, 1);
	atomic_store(&pager.state[n], FILLED);
	return 0;
}

static const struct vmset_backend_ops lazy_ops = {
	.size = sizeof(lazy_ops),
	.map = map_lazily, .unmap = unmap_lazily, .protect = refuse_protect,
	.fault = fill,
};
static const struct vmset_backend lazy = { .ops = &lazy_ops };

static void open_pager(void)
{
	const struct vmset_area area = {
		.start = start, .end = start + PAGES * page, .flags = RW,
		.backend = &lazy,
	};

	memset(&pager, 0, sizeof(pager));
	pager.fd = memfd_create("pager", 0);
	ck_assert_int_ge(pager.fd, 0);
	ck_assert_int_eq(ftruncate(pager.fd, (off_t)(PAGES * page)), 0);
	assert_ok(vmset_map_area(set, &area, 0));
	assert_ok(vmset_on_fault(set, vmset_fault_pass, NULL));
	assert_ok(vmset_fault_install(0));
}

static void check_page(unsigned int n)
{
	const size_t at = n * 97 % page;

	assert_eq(poke_read(start + n * page + at), content(n, at));
}

START_TEST(filled_page_by_page)
{
	open_pager();
	for (unsigned int n = 0; n < PAGES; n += 3) {
		check_page(n);
		check_page(n);
		assert_eq(atomic_load(&pager.fills), n / 3 + 1);
	}
	/* Cut in two, each part still knows where it is in the file. */
	assert_ok(vmset_unmap(set, start + 10 * page, page));
	check_page(11);
	check_page(8);
	poke_write(start + 13 * page, 200);
	assert_eq(poke_read(start + 13 * page), 200);
	close(pager.fd);
}
END_TEST

/* The system calls: they do not fault, but say that they cannot. */
START_TEST(filled_once_whoever_comes)
{
	unsigned int fills = 0;

	open_pager();
	for (unsigned int n = 1; n < PAGES; n++) {
		const unsigned int access = n % 2;

		if (access)
			check_page(n);
		else
			poke_write(start + n * page, 1);
		assert_eq(atomic_load(&pager.fills), ++fills);
	}
	close(pager.fd);
}
END_TEST

static pthread_barrier_t barrier;

/* All at the same page at once, page after page. */
static void *touch_all(void *arg)
{
	(void)arg;
	for (unsigned int n = 0; n < PAGES; n++) {
		pthread_barrier_wait(&barrier);
		check_page(n);
	}
	return NULL;
}

START_TEST(filled_once_by_several_threads)
{
	open_pager();
	assert_ok(pthread_barrier_init(&barrier, NULL, THREADS));
	work(touch_all);
	assert_eq(atomic_load(&pager.fills), PAGES);
	pthread_barrier_destroy(&barrier);
	close(pager.fd);
}
END_TEST

/* ---- a stack that grows down to its guard ---- */

#define STACK_PAGES 32
#define GUARD_PAGES 4

static struct {
	uintptr_t low;                  /* what is mapped begins there */
	unsigned int grown;
	struct vmset_fault overflow;
	sigjmp_buf back;
	volatile unsigned int depth;
} growing;

/*
 * The stack has all of its room from the start, without rights but for the top
 * page.  A touch opens all from there to what is open.
 */
static uint32_t grow(const struct vmset_fault *fault, void *arg)
{
	const uintptr_t at = fault->addr & ~(page - 1);

	(void)arg;
	if (fault->cause == VMSET_CAUSE_GUARD) {
		growing.overflow = *fault;
		siglongjmp(growing.back, 1);
	}
	if (fault->cause != VMSET_CAUSE_PROTECTED || at >= growing.low ||
	    vmset_protect(fault->set, at, growing.low - at, RW))
		return VMSET_FAULT_PASS;
	growing.low = at;
	growing.grown++;
	return VMSET_FAULT_RETRY;
}

__attribute__((noinline, no_sanitize("address")))
static unsigned int dig(unsigned int levels)
{
	volatile uint8_t room[512];

	room[0] = (uint8_t)levels;
	growing.depth++;
	if (levels == 0)
		return room[0];
	return dig(levels - 1) + room[0];
}

/* 0: some pages down and up again, and then without end. */
static void *run_on_stack(void *arg)
{
	assert_ok(vmset_fault_stack(0x8000));
	VALGRIND_DISABLE_ERROR_REPORTING;
	dig(10);
	if (sigsetjmp(growing.back, 1) == 0)
		dig(UINT32_MAX);
	VALGRIND_ENABLE_ERROR_REPORTING;
	assert_ok(vmset_fault_stack(0));
	return arg;
}

START_TEST(stack_grows_down_to_its_guard)
{
	const struct vmset_placement where = {
		.size = sizeof(where), .policy = VMSET_HIGHEST,
		.guard_before = GUARD_PAGES * page,
	};
	const size_t size = STACK_PAGES * page;
	pthread_attr_t attr;
	pthread_t thread;
	uintptr_t low;

	/* Its instructions are not run again with all registers as they were. */
	if (ON_VALGRIND || ON_ASAN || ON_TSAN) {
		assert_ok(vmset_fault_install(0));
		return;
	}
	assert_ok(vmset_alloc(set, size, 0, &where, &low));
	/* libc's own part is at the top, and larger than a page. */
	growing.low = low + size - 6 * page;
	assert_ok(vmset_protect(set, growing.low, 6 * page, RW));
	assert_ok(vmset_on_fault(set, grow, NULL));
	assert_ok(vmset_fault_install(VMSET_FAULT_ALTSTACK));
	assert_ok(pthread_attr_init(&attr));
	assert_ok(pthread_attr_setstack(&attr, (void *)low, size));
	assert_ok(pthread_create(&thread, &attr, run_on_stack, NULL));
	assert_ok(pthread_join(thread, NULL));
	pthread_attr_destroy(&attr);

	assert_eq(growing.low, low);
	assert_that(growing.grown > 10);
	assert_that(growing.depth > 100);
	assert_eq(growing.overflow.range.end, low);
	assert_eq(growing.overflow.range.start, low - GUARD_PAGES * page);
	assert_eq(growing.overflow.above.start, low);
	assert_that(growing.overflow.to_above <= page);
	assert_eq(vmset_len(set), 1);
}
END_TEST

/* ---- which pages were written ---- */

/* The set tells it by itself: what may be written was written. */
static size_t dirty(bool *is_dirty)
{
	struct vmset_area area = { .end = start };
	size_t n = 0;

	memset(is_dirty, 0, PAGES * sizeof(*is_dirty));
	while (!vmset_next(set, area.end, &area)) {
		if (!(area.flags & VMSET_WRITE))
			continue;
		for (uintptr_t at = area.start; at < area.end; at += page, n++)
			is_dirty[(at - start) / page] = true;
	}
	return n;
}

static atomic_uint recorded, retried;

static uint32_t record(const struct vmset_fault *fault, void *arg)
{
	(void)arg;
	/* Another thread was faster. */
	if (fault->cause == VMSET_CAUSE_ALLOWED) {
		atomic_fetch_add(&retried, 1);
		return VMSET_FAULT_RETRY;
	}
	if (fault->cause != VMSET_CAUSE_PROTECTED ||
	    vmset_protect(fault->set, fault->addr & ~(page - 1), page, RW))
		return VMSET_FAULT_PASS;
	atomic_fetch_add(&recorded, 1);
	return VMSET_FAULT_RETRY;
}

static bool is_wanted(unsigned int n)
{
	return n % 5 == 1 || n % 7 == 3;
}

static void *write_some(void *arg)
{
	const struct worker *worker = arg;

	for (unsigned int n = 0; n < PAGES; n++) {
		pthread_barrier_wait(&barrier);
		if (is_wanted(n))
			poke_write(start + n * page + worker->number, 1);
		else
			poke_read(start + n * page + worker->number);
	}
	return NULL;
}

START_TEST(written_pages_are_listed)
{
	bool is_dirty[PAGES];
	size_t wanted = 0;

	assert_ok(vmset_map(set, start, PAGES * page, RW, 0));
	assert_ok(vmset_on_fault(set, record, NULL));
	assert_ok(vmset_fault_install(0));
	assert_ok(pthread_barrier_init(&barrier, NULL, THREADS));
	for (unsigned int n = 0; n < PAGES; n++)
		wanted += is_wanted(n);
	/* Round after round: all is closed, some is written, that is listed. */
	for (unsigned int round = 0; round < 3; round++) {
		assert_ok(vmset_protect(set, start, PAGES * page, VMSET_READ));
		assert_eq(dirty(is_dirty), 0);
		work(write_some);
		assert_eq(dirty(is_dirty), wanted);
		for (unsigned int n = 0; n < PAGES; n++)
			assert_eq(is_dirty[n], is_wanted(n));
	}
	assert_that(atomic_load(&recorded) >= 3 * wanted);
	assert_eq(poke_read(start + page + THREADS - 1), 1);
	assert_ok(vmset_verify(set, NULL));
	pthread_barrier_destroy(&barrier);
}
END_TEST

Suite *suite_pager(void)
{
	Suite *suite = suite_create("pager");
	TCase *tests = tcase_create("pager");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, filled_page_by_page);
	tcase_add_test(tests, filled_once_whoever_comes);
	tcase_add_test(tests, filled_once_by_several_threads);
	tcase_add_test(tests, stack_grows_down_to_its_guard);
	tcase_add_test(tests, written_pages_are_listed);
	suite_add_tcase(suite, tests);
	return suite;
}
