/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sets from vmset_reserve, held against the kernel: what it maps, what memory
 * reads as, how often it is called, what vmset_verify finds when somebody else
 * was there, and what vmset_dump says.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assert.h"
#include "filemap.h"
#include "internal.h"
#include "layers.h"
#include "maps.h"
#include "suites.h"
#include "syscalls.h"
#include "tools.h"
#include "touch.h"
#include "verify.h"

#define R VMSET_READ
#define W VMSET_WRITE
#define X VMSET_EXEC

#define PAGES 32

/* The set of most tests: PAGES pages. */
static struct vmset *set;
static uintptr_t base;
static size_t page;

static void open_pages(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	assert_ok(vmset_reserve(&set, PAGES * page, 0));
	assert_about(set);
	base = vmset_bounds(set).start;
}

static void close_pages(void)
{
	assert_ok(vmset_destroy(set));
	assert_about(NULL);
	assert_that(maps_is_hole((struct vmset_range){
		base, base + PAGES * page }));
}

static uintptr_t at(size_t number)
{
	return base + number * page;
}

/* Areas and ranges in pages: from the first up to, and without, the last. */
static int map(size_t from, size_t to, uint32_t flags, uint32_t how)
{
	return vmset_map(set, at(from), (to - from) * page, flags, how);
}

static int unmap(size_t from, size_t to)
{
	return vmset_unmap(set, at(from), (to - from) * page);
}

static int protect(size_t from, size_t to, uint32_t flags)
{
	return vmset_protect(set, at(from), (to - from) * page, flags);
}

/* The kernel and the set agree, and the set's own records are sound. */
static void check(void)
{
	const char *wrong = vmset__check(set);

	if (wrong)
		ck_abort_msg("%s", wrong);
	maps_check(set);
	assert_ok(vmset_verify(set, NULL));
}

static void fill(size_t from, size_t to, int byte)
{
	memset((void *)at(from), byte, (to - from) * page);
}

/* Every byte of the pages is the one. */
static bool holds(size_t from, size_t to, unsigned char byte)
{
	const unsigned char *memory = (const unsigned char *)at(from);

	for (size_t i = 0; i < (to - from) * page; i++) {
		if (memory[i] != byte)
			return false;
	}
	return true;
}

/* ---- the reservation ---- */

/* As large as whoever watches allows. */
static bool too_large(size_t size)
{
	if (ON_VALGRIND)
		return size > (size_t)32 << 30;
	if (ON_TSAN)
		return size > (size_t)512 << 30;
	return false;
}

/* Page faults of the process so far. */
static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static const size_t sizes[] = {
	0x1000, 0x10000, (size_t)1 << 20, (size_t)1 << 30, (size_t)32 << 30,
	(size_t)512 << 30, (size_t)64 << 40,
};

#define SIZES ((int)(sizeof(sizes) / sizeof(*sizes)))

/* Map, use and unmap a page somewhere in a reservation of any size. */
static void use_page(struct vmset *large, uintptr_t addr)
{
	size_t granule = vmset_granule(large);

	assert_ok(vmset_map(large, addr, granule, R | W, 0));
	*(volatile char *)(addr + granule - 1) = 1;
	maps_check(large);
	assert_ok(vmset_unmap(large, addr, granule));
	maps_check_lines(large);
	assert_ok(vmset_verify(large, NULL));
}

START_TEST(any_size_is_as_cheap)
{
	size_t size = sizes[_i] < page ? page : sizes[_i];
	struct vmset_range bounds;
	struct vmset *large;
	long before;

	if (too_large(size))
		return;
	before = faults();
	assert_ok(vmset_reserve(&large, size, 0));
	bounds = vmset_bounds(large);
	assert_eq(bounds.end - bounds.start, size);
	assert_eq(bounds.start % page, 0);
	assert_eq(vmset_granule(large), page);
	assert_that(vmset_is_empty(large));
	maps_check_lines(large);
	use_page(large, bounds.start);
	use_page(large, bounds.start + size / 2 / page * page);
	use_page(large, bounds.end - page);
	/* A watcher touches memory of its own. */
	assert_that(tools_slow() || faults() - before < 200);
	assert_ok(vmset_destroy(large));
	assert_that(maps_is_hole(bounds));
}
END_TEST

/* No memory of others falls into what is reserved, where it is free or not. */
START_TEST(nobody_falls_in)
{
	void *foreign;

	assert_ok(map(0, PAGES, R, 0));
	assert_ok(unmap(8, 16));
	for (size_t i = 0; i < PAGES; i++) {
		foreign = mmap((void *)at(i), page, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_that(foreign != MAP_FAILED);
		assert_that((uintptr_t)foreign + page <= base ||
			    (uintptr_t)foreign >= base + PAGES * page);
		munmap(foreign, page);
	}
	check();
}
END_TEST

/* Each operation in turn, in a small range, with no hole after any. */
START_TEST(there_is_never_a_hole)
{
	static const uint32_t rights[] = { 0, R, R | W, R | X, W, X };

	for (size_t i = 0; i < 60; i++) {
		size_t from = i * 7 % PAGES, to = from + 1 + i * 5 % 9;

		if (to > PAGES)
			to = PAGES;
		if (i % 5 == 3)
			assert_ok(unmap(from, to));
		else if (i % 5 == 4 && !vmset_is_empty(set))
			protect(from, to, rights[i % 6]);
		else
			assert_ok(map(from, to, rights[i % 6], VMSET_REPLACE));
		check();
	}
	assert_ok(vmset_clear(set));
	maps_check_lines(set);
}
END_TEST

/* ---- contents ---- */

/* How many of the pages are in memory. */
static size_t resident(size_t from, size_t to)
{
	unsigned char pages[PAGES];
	size_t count = 0;

	assert_ok(mincore((void *)at(from), (to - from) * page, pages));
	for (size_t i = 0; i < to - from; i++)
		count += pages[i] & 1;
	return count;
}

/* What is unmapped or replaced goes back to the kernel at once. */
START_TEST(memory_goes_back)
{
	assert_ok(map(2, 10, R | W, 0));
	fill(2, 10, 0xaa);
	assert_eq(resident(0, PAGES), 8);
	assert_ok(unmap(2, 5));
	assert_eq(resident(0, PAGES), 5);
	assert_ok(map(5, 7, R | W, VMSET_REPLACE));
	assert_eq(resident(0, PAGES), 3);
	assert_ok(protect(8, 9, 0));
	assert_eq(resident(0, PAGES), 3);
	assert_ok(vmset_clear(set));
	assert_eq(resident(0, PAGES), 0);
}
END_TEST

START_TEST(fresh_memory_is_zero)
{
	assert_ok(map(2, 6, R | W, 0));
	assert_that(holds(2, 6, 0));
	fill(2, 6, 0xaa);
	assert_ok(unmap(2, 6));
	assert_ok(map(2, 6, R | W, 0));
	assert_that(holds(2, 6, 0));
	fill(2, 6, 0xaa);
	assert_ok(map(3, 5, R | W, VMSET_REPLACE));
	assert_that(holds(2, 3, 0xaa));
	assert_that(holds(3, 5, 0));
	assert_that(holds(5, 6, 0xaa));
	assert_ok(unmap(0, 3));
	assert_that(holds(5, 6, 0xaa));
	check();
}
END_TEST

START_TEST(protect_keeps_contents)
{
	static const uint32_t steps[] = { R, 0, R | X, W, 0, R | W };

	assert_ok(map(2, 8, R | W, 0));
	fill(2, 8, 0x77);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		assert_ok(protect(3, 7, steps[i]));
		check();
	}
	assert_that(holds(2, 8, 0x77));
	assert_eq(vmset_len(set), 1);
}
END_TEST

/* ---- rights, by touching ---- */

START_TEST(faults_are_deadly)
{
	struct vmset_placement guarded = {
		.size = sizeof(guarded), .hint = at(20), .guard_before = page,
		.guard_after = 2 * page,
	};
	uintptr_t start;

	assert_ok(map(0, 1, R | W, 0));
	assert_ok(map(1, 2, R, 0));
	assert_ok(vmset_alloc(set, page, R | W, &guarded, &start));
	touch_fill(at(0), page);
	touch_works(at(0), TOUCH_READ);
	touch_works(at(0), TOUCH_WRITE);
	touch_kills(at(0), TOUCH_JUMP, SEGV_ACCERR);
	touch_works(at(1) + 17, TOUCH_READ);
	touch_kills(at(1) + 17, TOUCH_WRITE, SEGV_ACCERR);
	touch_kills(at(2), TOUCH_READ, SEGV_ACCERR);
	touch_kills(at(PAGES) - 1, TOUCH_WRITE, SEGV_ACCERR);
	touch_kills(start - 1, TOUCH_WRITE, SEGV_ACCERR);
	touch_kills(start + page, TOUCH_READ, SEGV_ACCERR);
	assert_ok(protect(0, 1, R | X));
	touch_works(at(0), TOUCH_JUMP);
	touch_kills(at(0), TOUCH_WRITE, SEGV_ACCERR);
	assert_ok(unmap(0, 1));
	touch_kills(at(0), TOUCH_READ, SEGV_ACCERR);
	touch_check(set);
}
END_TEST

START_TEST(nothing_is_left_after_destroy)
{
	size_t size = 4096 * page;
	struct vmset_range bounds;
	struct vmset *gone;
	uintptr_t start, middle;

	assert_ok(vmset_reserve(&gone, size, 0));
	start = vmset_bounds(gone).start;
	/* Others may map something new at the ends. */
	middle = start + size / 2;
	assert_ok(vmset_map(gone, start, size, R | W, 0));
	touch_works(middle, TOUCH_WRITE);
	bounds = vmset_bounds(gone);
	bounds.start -= page;           /* its page in front */
	syscalls_watch(bounds);
	assert_ok(vmset_destroy(gone));
	assert_eq(syscalls_count(), 1);
	syscalls_stop();
	touch_kills(middle, TOUCH_READ, SEGV_MAPERR);
	touch_kills(middle - 1, TOUCH_WRITE, SEGV_MAPERR);
}
END_TEST

/* The child of a fork goes on with the set; the parent's does not change. */
START_TEST(a_child_has_its_own)
{
	int status;
	pid_t pid;

	assert_ok(map(0, 4, R | W, 0));
	fill(0, 4, 0x11);
	pid = fork();
	assert_that(pid >= 0);
	if (pid == 0) {
		bool good = unmap(1, 2) == 0 && map(8, 12, R | W, 0) == 0 &&
			    protect(2, 4, R) == 0 && holds(2, 4, 0x11) &&
			    holds(8, 12, 0) && vmset_len(set) == 3 &&
			    vmset_verify(set, NULL) == 0 &&
			    vmset_destroy(set) == 0;

		_exit(good ? 0 : 1);
	}
	assert_eq(waitpid(pid, &status, 0), pid);
	assert_that(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_eq(vmset_len(set), 1);
	assert_that(holds(0, 4, 0x11));
	check();
}
END_TEST

/* ---- the number of system calls ---- */

/* Eight areas that all differ from their neighbours, three of them apart. */
static void map_eight(void)
{
	static const unsigned char places[][3] = {
		{ 0, 2, R }, { 2, 4, R | W }, { 4, 5, R }, { 5, 8, R | X },
		{ 8, 9, R | W }, { 12, 13, R }, { 15, 18, R | W },
		{ 20, 21, R },
	};

	for (size_t i = 0; i < 8; i++)
		assert_ok(map(places[i][0], places[i][1], places[i][2], 0));
	assert_eq(vmset_len(set), 8);
}

#define CALLS(expr, number)                                                   \
	do {                                                                  \
		syscalls_watch(vmset_bounds(set));                            \
		assert_ok(expr);                                              \
		assert_eq(syscalls_count(), number);                          \
		syscalls_stop();                                              \
		check();                                                      \
	} while (0)

START_TEST(system_calls_are_few)
{
	uintptr_t start;

	CALLS(map(0, PAGES, R, 0), 1);
	CALLS(vmset_clear(set), 1);
	map_eight();
	CALLS(map(0, PAGES, R | W, VMSET_REPLACE), 1);
	CALLS(protect(0, PAGES, R | W), 0);
	CALLS(protect(3, 7, R | W), 0);
	CALLS(protect(0, PAGES, R), 1);
	CALLS(unmap(0, PAGES), 1);
	CALLS(unmap(0, PAGES), 0);
	map_eight();
	CALLS(unmap(1, 18), 1);
	CALLS(unmap(1, 18), 0);
	CALLS(vmset_clear(set), 1);
	CALLS(vmset_clear(set), 0);
	map_eight();
	/* A run of neighbours, whatever they had. */
	CALLS(protect(0, 9, X), 1);
	CALLS(vmset_alloc(set, page, R, NULL, &start), 1);
	CALLS(vmset_find_free_area(set, 0, page, (struct vmset_range){ 0, 0 },
				   0, &start), 0);
}
END_TEST

/* An unmap over k areas is one call for any k. */
START_TEST(unmap_is_one_call)
{
	const size_t count = ON_VALGRIND ? 500 : 5000;
	struct vmset *many;
	uintptr_t start;

	assert_ok(vmset_reserve(&many, 2 * count * page, 0));
	start = vmset_bounds(many).start;
	for (size_t i = 0; i < count; i++)
		assert_ok(vmset_map(many, start + 2 * i * page, page, R, 0));
	assert_eq(vmset_len(many), count);
	syscalls_watch(vmset_bounds(many));
	assert_ok(vmset_unmap(many, start + page, (2 * count - 2) * page));
	assert_eq(syscalls_count(), 1);
	syscalls_stop();
	assert_eq(vmset_len(many), 1);
	maps_check_lines(many);
	assert_ok(vmset_destroy(many));
}
END_TEST

/*
 * Let the calling process be killed when it makes a memory system call: mmap,
 * munmap, mprotect, madvise or mremap.
 */
static bool forbid_memory_calls(void)
{
	static const unsigned int forbidden[] = {
		SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_mremap,
	};
	enum { COUNT = sizeof(forbidden) / sizeof(*forbidden) };
	struct sock_filter code[COUNT + 3];
	struct sock_fprog program = { COUNT + 3, code };

	code[0] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned int i = 0; i < COUNT; i++)
		code[i + 1] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, forbidden[i],
			(unsigned char)(COUNT - i), 0);
	code[COUNT + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						       SECCOMP_RET_ALLOW);
	code[COUNT + 2] = (struct sock_filter)BPF_STMT(
		BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* How a child ends that protects some pages under the filter. */
static int protect_forbidden(size_t from, size_t to, uint32_t flags)
{
	int status;
	pid_t pid = fork();

	assert_that(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0);
		if (!forbid_memory_calls())
			_exit(77);
		_exit(protect(from, to, flags) ? 1 : 0);
	}
	assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/*
 * The kernel's own word that a protect to the flags that areas have makes no
 * system call, and that one to others does.
 */
START_TEST(same_flags_are_no_call)
{
	int status;

	/* valgrind makes such calls itself. */
	if (ON_VALGRIND)
		return;
	map_eight();
	status = protect_forbidden(0, 2, R);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return;
	assert_that(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = protect_forbidden(1, 2, R);
	assert_that(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = protect_forbidden(1, 2, R | W);
	assert_that(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
END_TEST

/* ---- what the kernel refuses ---- */

/* A call that needs one mapping more is refused, and changes nothing. */
#define TOO_MANY(expr)                                                        \
	do {                                                                  \
		size_t len_ = vmset_len(set);                                 \
		assert_err(expr, -EMFILE);                                    \
		assert_eq(vmset_len(set), len_);                              \
		assert_that(!vmset__check(set));                              \
		assert_ok(vmset_verify(set, NULL));                           \
	} while (0)

/*
 * Areas of three pages, until the process has as many mappings as it may.
 * Returns the page behind the last.
 */
static size_t map_all_there_may_be(void)
{
	size_t number = 0;

	while (map(number, number + 3, R, 0) == 0)
		number += 4;
	/* Beside the last one less is needed. */
	while (map(number - 1, number, number % 2 ? R : R | W, 0) == 0)
		number++;
	return number;
}

/*
 * With as many mappings as the kernel allows, what would need one more says so,
 * and what does not, works.  No assertion here may need memory itself.
 */
START_TEST(mappings_are_limited)
{
	size_t limit = maps_limit(), last;

	if (tools_slow() || !limit) {
		tools_not_tried(__func__, "it takes all mappings there may be");
		return;
	}
	assert_ok(vmset_destroy(set));
	assert_ok(vmset_reserve(&set, 4 * limit * page, 0));
	base = vmset_bounds(set).start;
	last = map_all_there_may_be();
	assert_that(last > limit);
	TOO_MANY(map(last, last + 1, X, 0));
	TOO_MANY(map(1, 2, R | W, VMSET_REPLACE));
	TOO_MANY(protect(5, 6, R | W));
	TOO_MANY(unmap(9, 10));
	assert_ok(protect(12, 15, R | W));
	assert_ok(unmap(16, 19));
	assert_ok(unmap(20, 23));
	assert_ok(vmset_verify(set, NULL));
	assert_ok(protect(5, 6, R | W));
	assert_eq(vmset_find(set, at(16), NULL), -ENOENT);
	assert_ok(vmset_verify(set, NULL));
	assert_ok(vmset_clear(set));
	check();
	assert_ok(vmset_destroy(set));
	open_pages();
}
END_TEST

/* No memory is not the same as too many mappings. */
START_TEST(memory_is_limited)
{
	struct rlimit before, none;
	int result[2];

	if (tools_slow()) {
		tools_not_tried(__func__, "who watches needs the memory");
		return;
	}
	assert_ok(map(0, 4, R, 0));
	getrlimit(RLIMIT_DATA, &before);
	none = before;
	none.rlim_cur = page;
	setrlimit(RLIMIT_DATA, &none);
	result[0] = map(8, 12, R | W, 0);
	result[1] = protect(0, 2, R | W);
	setrlimit(RLIMIT_DATA, &before);
	assert_err(result[0], -ENOMEM);
	assert_err(result[1], -ENOMEM);
	assert_eq(vmset_len(set), 1);
	check();
}
END_TEST

/* One page is sealed for ever.  So this set can never be given back. */
START_TEST(sealed_areas_stay)
{
	assert_ok(map(4, 8, R | W, 0));
	assert_ok(map(10, 12, R, 0));
	if (maps_seal((struct vmset_range){ at(5), at(6) }))
		return;
	assert_err(unmap(0, PAGES), -EPERM);
	assert_err(unmap(5, 6), -EPERM);
	assert_err(protect(4, 12, X), -EPERM);
	assert_err(map(2, 11, R, VMSET_REPLACE), -EPERM);
	assert_eq(vmset_len(set), 2);
	check();
	/* What is beside it can change. */
	assert_ok(protect(4, 5, R));
	assert_ok(unmap(7, 8));
	assert_eq(vmset_len(set), 3);
	check();
	assert_err(vmset_destroy(set), -EPERM);
	assert_eq(vmset_len(set), 3);
	check();
	assert_err(vmset_clear(set), -EPERM);
	assert_eq(vmset_len(set), 1);
	assert_ok(vmset_find(set, at(5), NULL));
	check();
}
END_TEST

/* ---- verify ---- */

/* What somebody does behind the set's back to a page, and what verify says. */
enum deed { PROTECT_R, PROTECT_NONE, HOLE, SHARED, FILE_BACKED };

static void do_deed(enum deed deed, uintptr_t addr)
{
	int flags = MAP_FIXED | MAP_ANONYMOUS | MAP_SHARED, fd = -1;

	if (deed == PROTECT_R || deed == PROTECT_NONE) {
		assert_ok(mprotect((void *)addr, page,
				   deed == PROTECT_R ? PROT_READ : PROT_NONE));
		return;
	}
	if (deed == HOLE) {
		assert_ok(munmap((void *)addr, page));
		return;
	}
	if (deed == FILE_BACKED) {
		flags = MAP_FIXED | MAP_PRIVATE;
		fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		assert_that(fd >= 0);
	}
	assert_that(mmap((void *)addr, page, PROT_READ | PROT_WRITE, flags, fd,
			 0) == (void *)addr);
	if (fd >= 0)
		close(fd);
}

/* Areas: 4 to 8 RW, 8 to 10 R, 10 to 12 without rights; else free. */
static const struct {
	enum deed deed;
	size_t number;
	uint32_t expected, actual;
	bool expected_mapped, actual_mapped;
} deeds[] = {
	{ PROTECT_R, 0, 0, R, false, true },
	{ PROTECT_R, PAGES - 1, 0, R, false, true },
	{ PROTECT_R, 4, R | W, R, true, true },
	{ PROTECT_R, 7, R | W, R, true, true },
	{ PROTECT_R, 11, 0, R, true, true },
	{ PROTECT_NONE, 5, R | W, 0, true, false },
	{ PROTECT_NONE, 9, R, 0, true, false },
	{ HOLE, 0, 0, 0, true, false },
	{ HOLE, 3, 0, 0, true, false },
	{ HOLE, 6, R | W, 0, true, false },
	{ HOLE, 10, 0, 0, true, false },
	{ HOLE, PAGES - 1, 0, 0, true, false },
	{ SHARED, 3, 0, 0, true, false },
	{ SHARED, 5, R | W, 0, true, false },
	{ FILE_BACKED, 0, 0, 0, true, false },
	{ FILE_BACKED, 6, R | W, 0, true, false },
};

#define DEEDS_DONE ((int)(sizeof(deeds) / sizeof(*deeds)))

/* The same however the kernel is asked. */
static void expect_deed(int number)
{
	struct vmset_mismatch first;

	assert_eq(vmset_verify(set, NULL), 1);
	assert_eq(vmset_verify(set, &first), 1);
	assert_eq(first.addr, at(deeds[number].number));
	assert_eq(first.expected, deeds[number].expected);
	assert_eq(first.actual, deeds[number].actual);
	assert_eq(first.expected_mapped, deeds[number].expected_mapped);
	assert_eq(first.actual_mapped, deeds[number].actual_mapped);
}

START_TEST(verify_finds_what_others_did)
{
	assert_ok(map(4, 8, R | W, 0));
	assert_ok(map(8, 10, R, 0));
	assert_ok(map(10, 12, 0, 0));
	check();
	do_deed(deeds[_i].deed, at(deeds[_i].number));
	/* Only the lowest difference counts. */
	if (deeds[_i].number < PAGES - 1)
		do_deed(HOLE, at(PAGES - 1));
	expect_deed(_i);
	syscalls_watch((struct vmset_range){ 0, 0 });
	syscalls_fail_ioctl(ENOTTY);
	expect_deed(_i);
	syscalls_stop();
	/* What is over the range now can be unmapped again. */
	assert_ok(unmap(0, PAGES));
	for (size_t i = 0; i < PAGES; i++)
		assert_ok(map(i, i + 1, R, 0));
	check();
}
END_TEST

/* The ioctl is used where it works, and the text gives the same answers. */
START_TEST(verify_asks_in_both_ways)
{
	unsigned int by_query;

	map_eight();
	syscalls_watch((struct vmset_range){ 0, 0 });
	assert_ok(vmset_verify(set, NULL));
	by_query = syscalls_ioctls();
	assert_that(by_query > 0);
	assert_ok(vmset__verify_by(set, &(struct vmset_mismatch){ 0 },
				   VMSET__MAPS_TEXT));
	assert_eq(syscalls_ioctls(), by_query);
	syscalls_fail_ioctl(ENOTTY);
	assert_ok(vmset_verify(set, NULL));
	assert_err(vmset__verify_by(set, &(struct vmset_mismatch){ 0 },
				    VMSET__PROCMAP_QUERY), -ENOTSUP);
	syscalls_stop();
}
END_TEST

START_TEST(verify_says_why_it_cannot_tell)
{
	struct rlimit before, none;
	int result;

	map_eight();
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	result = vmset_verify(set, NULL);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_err(result, -EMFILE);
	assert_ok(vmset_verify(set, NULL));
}
END_TEST

/* ---- dump ---- */

/* The dump as a string, which the caller frees. */
static char *dump(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_that(out);
	assert_ok(vmset_dump(set, out));
	assert_ok(fclose(out));
	return text;
}

/* One line for one stretch: range, and the words that it must have. */
static void expect_line(const char *text, size_t from, size_t to,
			const char *const words[2])
{
	char range[64];
	const char *line, *end;

	snprintf(range, sizeof(range), "%#jx  %#jx", (uintmax_t)at(from),
		 (uintmax_t)at(to));
	line = strstr(text, range);
	assert_that(line);
	end = strchr(line, '\n');
	for (unsigned int i = 0; i < 2; i++) {
		const char *word = strstr(line, words[i]);

		assert_that(word && word < end);
	}
}

/* Lines that begin with two addresses go from one end to the other. */
static unsigned int count_lines(const char *text)
{
	unsigned int count = 0;
	uintptr_t next = base;
	uintmax_t start, end;

	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		if (sscanf(line, "0x%jx 0x%jx", &start, &end) != 2)
			continue;
		assert_eq(start, next);
		next = (uintptr_t)end;
		count++;
	}
	assert_eq(next, at(PAGES));
	return count;
}

START_TEST(dump_shows_everything)
{
	struct vmset_placement guarded = {
		.size = sizeof(guarded), .hint = at(20), .guard_before = page,
	};
	uintptr_t start;
	char *text;

	text = dump();
	assert_eq(count_lines(text), 1);
	assert_that(strstr(text, "0 areas"));
	free(text);

	assert_ok(map(2, 4, R | W, 0));
	assert_ok(map(4, 5, R | X, 0));
	assert_ok(vmset_alloc(set, page, R, &guarded, &start));
	assert_eq(start, at(20));
	text = dump();
	assert_eq(count_lines(text), 7);
	expect_line(text, 0, 2, (const char *[]){ "---", "free" });
	expect_line(text, 2, 4, (const char *[]){ "rw-", "kernel" });
	expect_line(text, 4, 5, (const char *[]){ "r-x", "area" });
	expect_line(text, 5, 19, (const char *[]){ "---", "free" });
	expect_line(text, 19, 20, (const char *[]){ "---", "guard" });
	expect_line(text, 20, 21, (const char *[]){ "r--", "kernel" });
	expect_line(text, 21, PAGES, (const char *[]){ "---", "free" });
	assert_that(strstr(text, "3 areas"));
	assert_that(strstr(text, "1 guard"));
	assert_that(strstr(text, "3 gaps"));
	free(text);
}
END_TEST

/* Flags of another backend's own, no names, and sizes of every kind. */
START_TEST(dump_shows_other_backends)
{
	static const char *const wanted[] = {
		"r-x+0x50", "-w-+0x80", "0x123456789abcdef0", "default",
		"1536 B", "64 KiB", "62.4 KiB", "granule 1 B", "2 areas",
	};
	struct vmset *const kernel = set;
	struct vmset_backend nameless;
	struct layers layers;
	char other[32], *text;

	layers_open(&layers, (struct layers_config){ 0 });
	layers.mock.backends[0].ops.name = NULL;
	nameless = *mock_backend(&layers.mock, 0);
	snprintf(other, sizeof(other), "%p", (void *)&nameless);
	assert_ok(vmset_map(layers.set, 0x10, 1536, 0x55, 0));
	assert_ok(vmset_map_area(layers.set, &(struct vmset_area){
		.start = 0x800, .end = 0x801, .flags = 0x82,
		.backend = &nameless, .offset = 0x123456789abcdef0 }, 0));
	set = layers.set;
	text = dump();
	set = kernel;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		if (!strstr(text, wanted[i]))
			ck_abort_msg("no %s in the dump:\n%s", wanted[i],
				     text);
	}
	assert_that(strstr(text, other));
	free(text);
	layers_close(&layers);
	assert_about(set);
}
END_TEST

/* ---- another backend in the same range ---- */

START_TEST(other_backends_share_the_range)
{
	int fd = filemap_file(8);
	struct vmset_backend backend = { &filemap_ops, &fd };
	struct vmset_area area;

	assert_ok(map(0, 16, R | W, 0));
	fill(0, 16, 0x99);
	assert_ok(vmset_map_area(set, &(struct vmset_area){
		.start = at(4), .end = at(10), .flags = R,
		.backend = &backend, .offset = 2 * page,
	}, VMSET_REPLACE));
	assert_err(vmset_verify(set, NULL), -ENOTSUP);
	for (unsigned char i = 4; i < 10; i++)
		assert_that(holds(i, i + 1, i - 4 + 2 + 1));
	assert_that(holds(0, 4, 0x99) && holds(10, 16, 0x99));

	/* Cut in the middle, and its end replaced by a neighbour's kind. */
	assert_ok(unmap(6, 7));
	assert_ok(map(9, 11, R | W, VMSET_REPLACE));
	assert_ok(protect(4, 6, R | W));
	assert_ok(vmset_find(set, at(7), &area));
	assert_eq(area.offset, 5 * page);
	assert_eq(area.end, at(9));
	assert_that(holds(7, 8, 6) && holds(8, 9, 7) && holds(9, 11, 0));
	touch_kills(at(6), TOUCH_READ, SEGV_ACCERR);
	touch_works(at(5), TOUCH_WRITE);

	/* All gone at once, and no hole. */
	assert_ok(unmap(2, 12));
	check();
	assert_that(holds(0, 2, 0x99) && holds(12, 16, 0x99));
	assert_ok(vmset_map_area(set, &(struct vmset_area){
		.start = at(4), .end = at(10), .flags = R,
		.backend = &backend }, 0));
	close_pages();
	open_pages();
	close(fd);
}
END_TEST

static void add_memory(TCase *tcase)
{
	tcase_add_loop_test(tcase, any_size_is_as_cheap, 0, SIZES);
	tcase_add_test(tcase, nobody_falls_in);
	tcase_add_test(tcase, there_is_never_a_hole);
	tcase_add_test(tcase, memory_goes_back);
	tcase_add_test(tcase, fresh_memory_is_zero);
	tcase_add_test(tcase, protect_keeps_contents);
	tcase_add_test(tcase, faults_are_deadly);
	tcase_add_test(tcase, nothing_is_left_after_destroy);
	tcase_add_test(tcase, a_child_has_its_own);
	tcase_add_test(tcase, other_backends_share_the_range);
}

static void add_calls(TCase *tcase)
{
	tcase_add_test(tcase, system_calls_are_few);
	tcase_add_test(tcase, unmap_is_one_call);
	tcase_add_test(tcase, same_flags_are_no_call);
}

static void add_limits(TCase *tcase)
{
	tcase_add_test(tcase, mappings_are_limited);
	tcase_add_test(tcase, memory_is_limited);
}

static void add_telling(TCase *tcase)
{
	tcase_add_loop_test(tcase, verify_finds_what_others_did, 0,
			    DEEDS_DONE);
	tcase_add_test(tcase, verify_asks_in_both_ways);
	tcase_add_test(tcase, verify_says_why_it_cannot_tell);
	tcase_add_test(tcase, dump_shows_everything);
	tcase_add_test(tcase, dump_shows_other_backends);
}

Suite *suite_kernel(void)
{
	Suite *suite = suite_create("kernel");
	TCase *tcase = tcase_create("reserved sets");

	tcase_add_checked_fixture(tcase, open_pages, close_pages);
	add_memory(tcase);
	add_calls(tcase);
	add_limits(tcase);
	add_telling(tcase);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("sealed");
	tcase_add_checked_fixture(tcase, open_pages, NULL);
	tcase_add_test(tcase, sealed_areas_stay);
	suite_add_tcase(suite, tcase);
	return suite;
}
