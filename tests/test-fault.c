/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The dispatcher: whom it asks, whom it passes a signal on to, and how it comes
 * into and out of the chain of handlers.
 */
#define _GNU_SOURCE                     /* names of what signals tell */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assert.h"
#include "poke.h"
#include "suites.h"
#include "tools.h"
#include "vmset.h"

#define PAGES 8
#define RW    (VMSET_READ | VMSET_WRITE)

/* Pages 0 and 1 are an area that may be read, the others are free. */
static struct vmset *set;
static uintptr_t start;
static size_t page;

/* What the fault function was told, and how often; */
static struct vmset_fault last;
static atomic_uint calls;

/* the backend's fault operation, and what it shall answer; */
static struct {
	unsigned int calls;
	struct vmset_area area;
	uintptr_t addr;
	uint32_t access;
	int result;
} filled;

/* the handler from before; */
static struct {
	unsigned int calls;
	int signal, code;
	uintptr_t addr;
	bool has_context, blocked, other_blocked;
} before;

/* and one that was put over ours, and what that one found. */
static struct {
	unsigned int calls;
	bool mask_changed;
	struct sigaction found;
} later;

/* Without fork there may be something left of an earlier test. */
static void be_alone(void)
{
	while (!vmset_fault_remove())
		;
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
}

static void setup(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	calls = 0;
	memset(&filled, 0, sizeof(filled));
	memset(&before, 0, sizeof(before));
	memset(&later, 0, sizeof(later));
	be_alone();
	assert_ok(vmset_reserve(&set, PAGES * page, 0));
	start = vmset_bounds(set).start;
	assert_ok(vmset_map(set, start, 2 * page, VMSET_READ, 0));
}

static void teardown(void)
{
	be_alone();
	assert_ok(vmset_destroy(set));
}

/* ---- fault functions ---- */

static uint32_t note(const struct vmset_fault *fault, void *arg)
{
	(void)arg;
	last = *fault;
	calls++;
	return VMSET_FAULT_PASS;
}

/* Open the page for everything. */
static uint32_t open_page(const struct vmset_fault *fault, void *arg)
{
	const uintptr_t at = fault->addr & ~(page - 1);

	note(fault, arg);
	errno = EDOM;
	if (vmset_map(fault->set, at, page, RW, VMSET_REPLACE))
		return VMSET_FAULT_PASS;
	return VMSET_FAULT_RETRY;
}

START_TEST(is_told_and_mends)
{
	assert_ok(vmset_on_fault(set, open_page, NULL));
	assert_ok(vmset_fault_install(0));
	errno = 12345;
	poke_write(start + 5, 7);
	assert_eq(errno, 12345);
	assert_eq(poke_read(start + 5), 7);
	assert_eq(calls, 1);
	assert_that(last.set == set);
	assert_eq(last.addr, start + 5);
	assert_eq(last.access, POKE_ACCESS(VMSET_WRITE));
	assert_eq(last.cause, VMSET_CAUSE_PROTECTED);
	assert_eq(last.area.start, start);
	assert_eq(last.signal, SIGSEGV);
	assert_eq(last.code, SEGV_ACCERR);
	assert_that(last.context);

	assert_eq(poke_read(start + 3 * page + 1), 0);
	assert_eq(calls, 2);
	assert_eq(last.access, POKE_ACCESS(VMSET_READ));
	assert_eq(last.cause, VMSET_CAUSE_FREE);
	assert_eq(last.range.start, start + 2 * page);
	assert_eq(last.to_below, page + 1);
}
END_TEST

static sigjmp_buf back;

static uint32_t jump_back(const struct vmset_fault *fault, void *arg)
{
	note(fault, arg);
	siglongjmp(back, 1);
}

/* What faults on the way ends there. */
static void try(void (*fn)(void *arg), void *arg)
{
	VALGRIND_DISABLE_ERROR_REPORTING;
	if (sigsetjmp(back, 1) == 0)
		fn(arg);
	VALGRIND_ENABLE_ERROR_REPORTING;
}

static void go_to(void *arg)
{
	((void (*)(void))(uintptr_t)arg)();
}

START_TEST(is_told_of_a_fetch)
{
	assert_ok(vmset_on_fault(set, jump_back, NULL));
	assert_ok(vmset_fault_install(0));
	try(go_to, (void *)start);
	assert_eq(calls, 1);
	assert_eq(last.addr, start);
	/* Valgrind fetches by itself, and tells nothing of that. */
	if (!ON_VALGRIND)
		assert_eq(last.access, POKE_ACCESS(VMSET_EXEC));
}
END_TEST

static void read_at(void *arg)
{
	*(volatile uint8_t *)&last.code = *(volatile uint8_t *)arg;
}

/* Out of the function, from both kinds of stack, and again. */
START_TEST(may_be_left_by_a_jump)
{
	assert_ok(vmset_on_fault(set, jump_back, NULL));
	assert_ok(vmset_fault_install(_i ? VMSET_FAULT_ALTSTACK : 0));
	assert_ok(vmset_fault_stack(0x4000));
	for (unsigned int i = 1; i <= 100; i++) {
		try(read_at, (void *)(start + 4 * page));
		assert_eq(calls, i);
	}
	assert_ok(vmset_fault_stack(0));
}
END_TEST

/* ---- sets ---- */

START_TEST(overlapping_bounds_are_refused)
{
	struct vmset_area area;
	struct vmset *other;

	assert_ok(vmset_find(set, start, &area));
	for (unsigned int i = 0; i < 2; i++) {
		const struct vmset_config config = {
			.size = sizeof(config), .granule = page,
			.bounds = { start + (PAGES - 1) * page,
				    start + (PAGES + 1) * page },
			.backend = area.backend,
		};

		assert_ok(vmset_create(&other, &config));
		assert_ok(vmset_on_fault(set, note, NULL));
		assert_err(vmset_on_fault(other, note, NULL), -EEXIST);
		assert_ok(vmset_on_fault(other, NULL, NULL));
		/* It is still there. */
		assert_err(vmset_on_fault(other, note, NULL), -EEXIST);
		assert_ok(vmset_on_fault(set, NULL, NULL));
		assert_ok(vmset_on_fault(other, note, NULL));
		assert_err(vmset_on_fault(set, note, NULL), -EEXIST);
		/* Destroying takes it out. */
		assert_ok(vmset_destroy(other));
		assert_ok(vmset_on_fault(set, note, NULL));
	}
}
END_TEST

static uint32_t count_and_open(const struct vmset_fault *fault, void *arg)
{
	++*(unsigned int *)arg;
	return open_page(fault, NULL);
}

START_TEST(functions_are_replaced_and_taken_out)
{
	unsigned int first = 0, second = 0;

	assert_ok(vmset_on_fault(set, count_and_open, &first));
	assert_ok(vmset_fault_install(0));
	poke_write(start, 1);
	assert_ok(vmset_on_fault(set, count_and_open, &second));
	poke_write(start + page, 1);
	assert_eq(first, 1);
	assert_eq(second, 1);
	assert_err(vmset_on_fault(NULL, note, NULL), -EINVAL);
	assert_eq(vmset_fault_pass(&last, NULL), VMSET_FAULT_PASS);
}
END_TEST

/* ---- a backend's fault operation ---- */

static int map_closed(void *ctx, uintptr_t at, size_t size, uint32_t flags,
		      uint64_t offset)
{
	(void)ctx, (void)flags, (void)offset;
	return mmap((void *)at, size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		       MAP_FAILED ? -errno : 0;
}

static int unmap_closed(void *ctx, uintptr_t at, size_t size)
{
	return map_closed(ctx, at, size, 0, 0);
}

static int protect_closed(void *ctx, uintptr_t at, size_t size, uint32_t flags)
{
	(void)ctx, (void)at, (void)size, (void)flags;
	return 0;
}

static int fill_page(void *ctx, const struct vmset_area *area, uintptr_t addr,
		     uint32_t access)
{
	void *at = (void *)(addr & ~(page - 1));

	(void)ctx;
	filled.calls++;
	filled.area = *area;
	filled.addr = addr;
	filled.access = access;
	if (filled.result)
		return filled.result;
	return mprotect(at, page, PROT_READ | PROT_WRITE) ? -errno : 0;
}

static struct vmset_backend_ops lazy_ops = {
	.size = sizeof(lazy_ops),
	.map = map_closed, .unmap = unmap_closed, .protect = protect_closed,
	.fault = fill_page,
};
static const struct vmset_backend lazy = { .ops = &lazy_ops };

/* A set of [0, end) that has nothing. */
static struct vmset *reserve_nothing(uintptr_t end)
{
	const struct vmset_config config = {
		.size = sizeof(config), .granule = 1, .bounds = { 0, end },
		.backend = &lazy,
	};
	struct vmset *made = NULL;

	assert_ok(vmset_create(&made, &config));
	return made;
}

static void map_lazy(uint32_t flags)
{
	const struct vmset_area area = {
		.start = start + 4 * page, .end = start + 6 * page,
		.flags = flags, .backend = &lazy, .offset = 0x77000,
	};

	assert_ok(vmset_map_area(set, &area, 0));
}

START_TEST(backend_is_asked_first)
{
	const uintptr_t at = start + 4 * page;

	map_lazy(RW);
	assert_ok(vmset_on_fault(set, open_page, NULL));
	assert_ok(vmset_fault_install(0));
	poke_write(at + 9, 3);
	assert_eq(filled.calls, 1);
	assert_eq(calls, 0);
	assert_eq(filled.addr, at + 9);
	assert_eq(filled.access, POKE_ACCESS(VMSET_WRITE));
	assert_eq(filled.area.start, at);
	assert_eq(filled.area.offset, 0x77000);
	assert_that(filled.area.backend == &lazy);
	/* What it refuses goes to the function, with its cause. */
	filled.result = -ENOMEM;
	poke_write(at + page, 3);
	assert_eq(filled.calls, 2);
	assert_eq(calls, 1);
	assert_eq(last.cause, VMSET_CAUSE_ALLOWED);
}
END_TEST

/* What the area's flags do not allow is no matter of filling. */
START_TEST(backend_is_not_asked_about_rights)
{
	map_lazy(VMSET_READ);
	assert_ok(vmset_on_fault(set, open_page, NULL));
	assert_ok(vmset_fault_install(0));
	if (!POKE_TELLS)
		return;
	poke_write(start + 4 * page, 3);
	assert_eq(filled.calls, 0);
	assert_eq(calls, 1);
	assert_eq(last.cause, VMSET_CAUSE_PROTECTED);
}
END_TEST

/* A table from before there was the operation. */
START_TEST(old_tables_have_no_fault_operation)
{
	lazy_ops.size = offsetof(struct vmset_backend_ops, fault);
	map_lazy(RW);
	assert_ok(vmset_on_fault(set, open_page, NULL));
	assert_ok(vmset_fault_install(0));
	poke_write(start + 4 * page, 3);
	assert_eq(filled.calls, 0);
	assert_eq(calls, 1);
	lazy_ops.size = sizeof(lazy_ops);
}
END_TEST

START_TEST(backend_alone)
{
	map_lazy(RW);
	assert_ok(vmset_on_fault(set, vmset_fault_pass, NULL));
	assert_ok(vmset_fault_install(0));
	poke_write(start + 4 * page, 3);
	poke_write(start + 5 * page, 3);
	assert_eq(filled.calls, 2);
}
END_TEST

/* ---- whoever handled it before ---- */

static void remember(int signo)
{
	sigset_t mask;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	before.calls++;
	before.signal = signo;
	before.blocked = sigismember(&mask, signo);
	before.other_blocked = sigismember(&mask, SIGUSR1);
	mprotect((void *)start, page, PROT_READ | PROT_WRITE);
}

static void was_first(int signo, siginfo_t *info, void *context)
{
	remember(signo);
	before.code = info->si_code;
	before.addr = (uintptr_t)info->si_addr;
	before.has_context = context;
}

/* A handler for the signal with these flags, before ours or over it. */
static struct sigaction handler(int flags)
{
	struct sigaction action = { .sa_flags = flags };

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	if (flags & SA_SIGINFO)
		action.sa_sigaction = was_first;
	else
		action.sa_handler = remember;
	return action;
}

static void handle_first(int signo, int flags)
{
	const struct sigaction action = handler(flags);

	ck_assert_int_eq(sigaction(signo, &action, NULL), 0);
}

static bool blocks(int signo)
{
	sigset_t mask;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	return sigismember(&mask, signo);
}

static const int kinds[] = { SA_SIGINFO, 0, SA_SIGINFO | SA_NODEFER,
			     SA_NODEFER | SA_RESTART, SA_SIGINFO | SA_ONSTACK };

#define KINDS ((int)(sizeof(kinds) / sizeof(*kinds)))

/* _i % 2: after the fault function has passed it on; else it is of no set. */
START_TEST(handler_before_gets_what_is_passed_on)
{
	const int flags = kinds[_i / 2];
	const bool asked = _i % 2;

	handle_first(SIGSEGV, flags);
	assert_ok(vmset_fault_install(0));
	if (asked)
		assert_ok(vmset_on_fault(set, note, NULL));
	poke_write(start + 1, 9);
	assert_eq(poke_read(start + 1), 9);
	assert_eq(calls, asked);
	assert_eq(before.calls, 1);
	assert_eq(before.signal, SIGSEGV);
	assert_that(before.other_blocked);
	assert_eq(before.blocked, !(flags & SA_NODEFER));
	assert_that(!blocks(SIGSEGV) && !blocks(SIGUSR1));
	if (flags & SA_SIGINFO) {
		assert_eq(before.code, SEGV_ACCERR);
		assert_eq(before.addr, start + 1);
		assert_that(before.has_context);
	}
}
END_TEST

START_TEST(signals_that_are_sent_go_to_the_handler_before)
{
	const int signo = _i ? SIGBUS : SIGSEGV;
	struct vmset *everywhere = reserve_nothing(UINTPTR_MAX);

	handle_first(signo, SA_SIGINFO);
	assert_ok(vmset_on_fault(everywhere, note, NULL));
	assert_ok(vmset_fault_install(0));
	ck_assert_int_eq(kill(getpid(), signo), 0);
	assert_eq(before.calls, 1);
	ck_assert_int_eq(before.code, SI_USER);
	/* Valgrind loses one that is queued. */
	if (!ON_VALGRIND) {
		ck_assert_int_eq(sigqueue(getpid(), signo,
					  (union sigval){ .sival_int = 1 }),
				 0);
		assert_eq(before.calls, 2);
		ck_assert_int_eq(before.code, SI_QUEUE);
	}
	/* Whatever address siginfo may seem to hold. */
	assert_eq(calls, 0);
	assert_ok(vmset_destroy(everywhere));
}
END_TEST

/*
 * Of memory that went bad, or of a tag: the address may be of anybody's.  Beside
 * those that are of the thread's own, wherever in the set they are; here the
 * machine tells no access.
 */
static const struct {
	int signo, code;
	unsigned int at;                /* 3: may not be accessed; 4: free */
	bool late;
} reports[] = {
	{ SIGBUS, BUS_MCEERR_AO, 0, true },
	{ SIGSEGV, 8, 0, true },        /* SEGV_MTEAERR */
	{ SIGBUS, BUS_MCEERR_AR, 0, false },
	{ SIGSEGV, 9, 0, false },       /* SEGV_MTESERR */
	{ SIGSEGV, SEGV_MAPERR, 0, false },
	{ SIGSEGV, SEGV_ACCERR, 3, false },
	{ SIGSEGV, SEGV_MAPERR, 4, false },
};

#define REPORTS ((int)(sizeof(reports) / sizeof(*reports)))

START_TEST(late_reports_go_to_the_handler_before)
{
	siginfo_t info = { .si_signo = reports[_i].signo,
			   .si_code = reports[_i].code };

	if (ON_VALGRIND)
		return;
	info.si_addr = (void *)(start + reports[_i].at * page + 5);
	assert_ok(vmset_map(set, start + 3 * page, page, 0, 0));
	handle_first(info.si_signo, SA_SIGINFO);
	assert_ok(vmset_on_fault(set, open_page, NULL));
	assert_ok(vmset_fault_install(0));
	ck_assert_int_eq(syscall(SYS_rt_tgsigqueueinfo, getpid(),
				 (pid_t)syscall(SYS_gettid),
				 info.si_signo, &info), 0);
	assert_eq(before.calls, reports[_i].late);
	assert_eq(calls, !reports[_i].late);
	if (reports[_i].late)
		ck_assert_int_eq(before.code, info.si_code);
	else
		ck_assert_int_eq(last.code, info.si_code);
}
END_TEST

/* Once, and then the default action. */
static void fault_twice(void *arg)
{
	(void)arg;
	poke_write(start, 1);
	mprotect((void *)start, page, PROT_READ);
	if (before.calls != 1)
		_exit(1);
	poke_write(start, 1);
}

START_TEST(handler_before_is_called_once_if_it_wants_that)
{
	struct sigaction now;

	handle_first(SIGSEGV, SA_RESETHAND);
	assert_ok(vmset_fault_install(0));
	ck_assert_int_eq(poke_dies_of(fault_twice, NULL), SIGSEGV);
	poke_write(start, 1);
	/* It is not given back either. */
	assert_ok(vmset_fault_remove());
	sigaction(SIGSEGV, NULL, &now);
	assert_that(now.sa_handler == SIG_DFL);
	/* The next one has its call. */
	handle_first(SIGSEGV, SA_RESETHAND);
	assert_ok(vmset_fault_install(0));
	mprotect((void *)start, page, PROT_READ);
	poke_write(start, 1);
	assert_eq(before.calls, 2);
}
END_TEST

/* ---- the default action ---- */

static void write_start(void *arg)
{
	(void)arg;
	poke_write(start, 1);
}

static void send_to_self(void *arg)
{
	kill(getpid(), *(int *)arg);
}

START_TEST(faults_are_deadly_by_default)
{
	int bus = SIGBUS, segv = SIGSEGV;

	for (unsigned int i = 0; i < 2; i++) {
		signal(SIGSEGV, i ? SIG_IGN : SIG_DFL);
		signal(SIGBUS, i ? SIG_IGN : SIG_DFL);
		assert_ok(vmset_fault_install(0));
		ck_assert_int_eq(poke_dies_of(write_start, NULL), SIGSEGV);
		assert_ok(vmset_on_fault(set, note, NULL));
		ck_assert_int_eq(poke_dies_of(write_start, NULL), SIGSEGV);
		ck_assert_int_eq(poke_dies_of(send_to_self, &bus),
				 i ? 0 : SIGBUS);
		ck_assert_int_eq(poke_dies_of(send_to_self, &segv),
				 i ? 0 : SIGSEGV);
		assert_ok(vmset_fault_remove());
	}
}
END_TEST

/*
 * The kernel makes the core of what a debugger sees last: the signal, and the
 * address of the fault.
 */
static void be_traced(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	poke_write(start + 3, 1);
	_exit(0);
}

START_TEST(the_default_action_sees_the_fault)
{
	unsigned int stops = 0;
	siginfo_t info;
	pid_t child;
	int status;

	if (ON_VALGRIND)
		return;
	assert_ok(vmset_on_fault(set, note, NULL));
	assert_ok(vmset_fault_install(0));
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		be_traced();
	for (;;) {
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		if (!WIFSTOPPED(status))
			break;
		ck_assert_int_eq(WSTOPSIG(status), SIGSEGV);
		ck_assert_int_eq(ptrace(PTRACE_GETSIGINFO, child, NULL, &info),
				 0);
		assert_eq((uintptr_t)info.si_addr, start + 3);
		ck_assert_int_eq(info.si_code, SEGV_ACCERR);
		stops++;
		ptrace(PTRACE_CONT, child, NULL, SIGSEGV);
	}
	assert_that(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	assert_eq(stops, 2);
}
END_TEST

#ifdef __x86_64__
/* No page fault, so there is no address and no access. */
static void leave(int signo, siginfo_t *info, void *context)
{
	(void)context;
	tools_leave(signo == SIGSEGV && info->si_code == SI_KERNEL &&
		    calls == 0 ? 17 : 18);
}

START_TEST(an_address_that_cannot_be_is_passed_on)
{
	const struct sigaction action = { .sa_sigaction = leave,
					  .sa_flags = SA_SIGINFO };
	struct vmset *lowest;

	if (ON_VALGRIND)
		return;
	ck_assert_int_eq(sigaction(SIGSEGV, &action, NULL), 0);
	lowest = reserve_nothing(0x1000);
	assert_ok(vmset_on_fault(lowest, note, NULL));
	assert_ok(vmset_fault_install(0));
	ck_assert_int_eq(poke_dies_of(read_at, (void *)(UINTPTR_MAX / 2)),
			 -17);
	assert_ok(vmset_destroy(lowest));
}
END_TEST
#endif

/* ---- SIGBUS ---- */

static uint32_t enlarge(const struct vmset_fault *fault, void *arg)
{
	note(fault, arg);
	return ftruncate(*(int *)arg, (off_t)page) ? VMSET_FAULT_PASS :
						     VMSET_FAULT_RETRY;
}

START_TEST(beyond_the_end_of_a_file)
{
	FILE *file = tmpfile();
	int fd;

	ck_assert_ptr_nonnull(file);
	fd = fileno(file);
	ck_assert_ptr_eq(mmap((void *)start, page, PROT_READ,
			      MAP_SHARED | MAP_FIXED, fd, 0), (void *)start);
	assert_ok(vmset_on_fault(set, enlarge, &fd));
	assert_ok(vmset_fault_install(0));
	assert_eq(poke_read(start + 7), 0);
	assert_eq(calls, 1);
	assert_eq(last.cause, VMSET_CAUSE_BEYOND);
	assert_eq(last.signal, SIGBUS);
	assert_eq(last.code, BUS_ADRERR);
	assert_eq(last.addr, start + 7);
	assert_eq(last.access, POKE_ACCESS(VMSET_READ));
	fclose(file);
}
END_TEST

/* ---- in and out ---- */

/* As others do it that are installed later. */
static void came_later(int signo, siginfo_t *info, void *context)
{
	const bool blocked = blocks(SIGUSR1);

	later.calls++;
	later.found.sa_sigaction(signo, info, context);
	later.mask_changed |= blocks(SIGUSR1) != blocked;
}

static void handle_later(void)
{
	struct sigaction action = { .sa_sigaction = came_later,
				    .sa_flags = SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	ck_assert_int_eq(sigaction(SIGSEGV, &action, &later.found), 0);
}

START_TEST(handlers_over_ours_are_kept)
{
	struct sigaction now;

	handle_first(SIGSEGV, SA_SIGINFO);
	assert_ok(vmset_on_fault(set, open_page, NULL));
	assert_ok(vmset_fault_install(0));
	handle_later();
	poke_write(start, 1);
	assert_eq(later.calls, 1);
	assert_eq(calls, 1);
	assert_eq(before.calls, 0);
	/* Ours stays: it is the other's, too. */
	assert_err(vmset_fault_remove(), -EBUSY);
	assert_err(vmset_fault_install(VMSET_FAULT_ALTSTACK), -EBUSY);
	assert_ok(vmset_fault_install(0));
	assert_ok(vmset_fault_remove());
	assert_err(vmset_fault_remove(), -EBUSY);
	poke_write(start + page, 1);
	assert_eq(calls, 2);
	/* And passes on, all the way. */
	assert_ok(vmset_on_fault(set, NULL, NULL));
	mprotect((void *)start, page, PROT_READ);
	poke_write(start, 1);
	assert_eq(later.calls, 3);
	assert_eq(calls, 2);
	assert_eq(before.calls, 1);
	assert_that(!later.mask_changed);
	/* Until the other is gone. */
	ck_assert_int_eq(sigaction(SIGSEGV, &later.found, NULL), 0);
	assert_ok(vmset_fault_remove());
	sigaction(SIGSEGV, NULL, &now);
	assert_that(now.sa_sigaction == was_first);
	assert_err(vmset_fault_remove(), -ENOENT);
}
END_TEST

START_TEST(what_was_there_comes_back)
{
	static const int signals[] = { SIGSEGV, SIGBUS };
	struct sigaction was[2], now;

	for (int i = 0; i < KINDS; i++) {
		handle_first(SIGSEGV, kinds[i]);
		handle_first(SIGBUS, kinds[KINDS - 1 - i]);
		for (int s = 0; s < 2; s++)
			sigaction(signals[s], NULL, &was[s]);
		assert_ok(vmset_fault_install(0));
		assert_ok(vmset_fault_install(VMSET_FAULT_ALTSTACK));
		for (int s = 0; s < 2; s++) {
			sigaction(signals[s], NULL, &now);
			assert_that(now.sa_sigaction != was_first);
			assert_that(now.sa_flags & SA_ONSTACK);
			ck_assert_int_eq(now.sa_flags & SA_RESTART,
					 was[s].sa_flags & SA_RESTART);
		}
		assert_ok(vmset_fault_remove());
		assert_ok(vmset_fault_remove());
		assert_err(vmset_fault_remove(), -ENOENT);
		for (int s = 0; s < 2; s++) {
			sigaction(signals[s], NULL, &now);
			assert_that(now.sa_handler == was[s].sa_handler);
			ck_assert_int_eq(now.sa_flags, was[s].sa_flags);
			assert_that(sigismember(&now.sa_mask, SIGUSR1));
			assert_that(!sigismember(&now.sa_mask, SIGUSR2));
		}
	}
	assert_err(vmset_fault_install(2), -EINVAL);
}
END_TEST

/* SA_ONSTACK of the handler before is ours; and an option is no heirloom. */
START_TEST(alternate_stacks_are_used_when_wanted)
{
	struct sigaction now;

	for (unsigned int i = 0; i < 3; i++) {
		handle_first(SIGSEGV, i == 1 ? SA_ONSTACK : 0);
		assert_ok(vmset_fault_install(i == 0 ? VMSET_FAULT_ALTSTACK
						     : 0));
		sigaction(SIGSEGV, NULL, &now);
		assert_eq(!!(now.sa_flags & SA_ONSTACK), i < 2);
		assert_ok(vmset_fault_remove());
	}
}
END_TEST

/* Somebody reset the signal: there is no chain that ours could be in. */
START_TEST(a_reset_signal_is_taken_again)
{
	struct sigaction now;

	assert_ok(vmset_on_fault(set, open_page, NULL));
	handle_first(SIGSEGV, SA_SIGINFO);
	assert_ok(vmset_fault_install(0));
	signal(SIGSEGV, SIG_DFL);
	assert_ok(vmset_fault_install(0));
	poke_write(start, 1);
	assert_eq(calls, 1);
	signal(SIGSEGV, SIG_IGN);
	assert_ok(vmset_fault_remove());
	assert_ok(vmset_fault_remove());
	sigaction(SIGSEGV, NULL, &now);
	assert_that(now.sa_handler == SIG_IGN);
}
END_TEST

/* ---- while something else is going on ---- */

/* The set is being changed by the thread that faults. */
static struct {
	int writer, reader, explained;
} inside;

static uint32_t try_to_write(const struct vmset_fault *fault, void *arg)
{
	struct vmset_fault again = { .size = sizeof(again) };
	struct vmset_area area;

	note(fault, arg);
	inside.writer = vmset_protect(fault->set, start, page, RW);
	inside.reader = vmset_find(fault->set, fault->addr, &area);
	inside.explained = vmset_explain(fault->set, fault->addr, VMSET_WRITE,
					 &again);
	mprotect((void *)(fault->addr & ~(page - 1)), page,
		 PROT_READ | PROT_WRITE);
	return VMSET_FAULT_RETRY;
}

static bool fault_in_update(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	(void)arg;
	poke_write(start, 1);
	*new_flags = old_flags;
	return true;
}

START_TEST(writers_are_refused_inside_a_change)
{
	assert_ok(vmset_on_fault(set, try_to_write, NULL));
	assert_ok(vmset_fault_install(0));
	assert_ok(vmset_update(set, start, page, fault_in_update, NULL));
	assert_eq(calls, 1);
	assert_ok(inside.reader);
	assert_ok(inside.explained);
	assert_err(inside.writer, -EDEADLK);
	mprotect((void *)start, page, PROT_READ);
	poke_write(start, 1);
	assert_ok(inside.writer);
}
END_TEST

static bool register_in_update(uint32_t old_flags, uint32_t *new_flags,
			       void *arg)
{
	*new_flags = old_flags;
	*(int *)arg = vmset_on_fault(set, NULL, NULL);
	return true;
}

START_TEST(functions_are_not_changed_inside_a_change)
{
	int result = 0;

	assert_ok(vmset_on_fault(set, open_page, NULL));
	assert_ok(vmset_fault_install(0));
	assert_ok(vmset_update(set, start, page, register_in_update, &result));
	assert_err(result, -EDEADLK);
	poke_write(start, 1);
	assert_eq(calls, 1);
}
END_TEST

/* A function that uses memory which is itself filled on first touch. */
static uint32_t use_other(const struct vmset_fault *fault, void *arg)
{
	poke_write(*(uintptr_t *)arg, 1);
	return open_page(fault, NULL);
}

START_TEST(faults_in_a_fault_function_are_handled)
{
	struct vmset *other;
	uintptr_t at;

	assert_ok(vmset_reserve(&other, page, 0));
	at = vmset_bounds(other).start;
	assert_ok(vmset_on_fault(other, open_page, NULL));
	assert_ok(vmset_on_fault(set, use_other, &at));
	assert_ok(vmset_fault_install(_i ? VMSET_FAULT_ALTSTACK : 0));
	assert_ok(vmset_fault_stack(0x10000));
	/* Also below one that has the signal blocked. */
	if (_i == 2)
		handle_later();
	poke_write(start, 1);
	assert_eq(calls, 2);
	assert_eq(poke_read(at), 1);
	assert_that(!blocks(SIGSEGV));
	if (_i == 2)
		ck_assert_int_eq(sigaction(SIGSEGV, &later.found, NULL), 0);
	assert_ok(vmset_fault_stack(0));
	assert_ok(vmset_destroy(other));
}
END_TEST

/*
 * One that never stops faulting comes to the end of its stack.  If that is in a
 * function, and not where the kernel puts its frame, the kernel begins again at
 * the top, among what AddressSanitizer has marked there.
 */
START_TEST(faults_without_end_end)
{
	uintptr_t at = start + 3 * page;
	int died;

	if (ON_VALGRIND)
		return;
	assert_ok(vmset_on_fault(set, use_other, &at));
	assert_ok(vmset_fault_install(VMSET_FAULT_ALTSTACK));
	assert_ok(vmset_fault_stack(0x4000));
	died = poke_dies_of(write_start, NULL);
	if (!ON_ASAN || died == 0)
		ck_assert_int_eq(died, SIGSEGV);
	assert_ok(vmset_fault_stack(0));
}
END_TEST

/* Two handlers that both know how to open the page. */
static void toggle(void)
{
	for (unsigned long i = tools_rounds(5000); i; i--) {
		assert_ok(vmset_fault_install(i % 2 ? VMSET_FAULT_ALTSTACK
						    : 0));
		if (i % 3 == 0)
			assert_ok(vmset_on_fault(set, i % 2 ? open_page : NULL,
						 NULL));
		assert_ok(vmset_fault_remove());
	}
}

static atomic_bool stop;
static atomic_ulong mended;

static void *fault_on(void *arg)
{
	assert_ok(vmset_fault_stack(0x8000));
	while (!atomic_load(&stop)) {
		mprotect((void *)start, page, PROT_READ);
		poke_write(start, 1);
		atomic_fetch_add(&mended, 1);
	}
	assert_ok(vmset_fault_stack(0));
	return arg;
}

START_TEST(coming_and_going_while_others_fault)
{
	pthread_t thread;

	handle_first(SIGSEGV, SA_SIGINFO);
	atomic_store(&stop, false);
	assert_ok(pthread_create(&thread, NULL, fault_on, NULL));
	while (!atomic_load(&mended))
		sched_yield();
	toggle();
	atomic_store(&stop, true);
	assert_ok(pthread_join(thread, NULL));
}
END_TEST

/* ---- stacks ---- */

static uint32_t ask_for_a_stack(const struct vmset_fault *fault, void *arg)
{
	*(int *)arg = vmset_fault_stack(0x4000);
	return open_page(fault, NULL);
}

START_TEST(stacks)
{
	stack_t was, now, own = { .ss_size = 1 << 16 };
	int inner = 0;

	own.ss_sp = mmap(NULL, own.ss_size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaltstack(NULL, &was);
	assert_err(vmset_fault_stack(0), -ENOENT);
	assert_err(vmset_fault_stack(SIZE_MAX), -EINVAL);
	assert_err(vmset_fault_stack(SIZE_MAX / 2), -EINVAL);
	ck_assert_int_eq(sigaltstack(&own, NULL), 0);
	assert_err(vmset_fault_stack(0), -ENOENT);
	/* Wherever it begins in its page. */
	for (size_t at = 0; at < 256; at += 16) {
		now = own;
		now.ss_sp = (char *)own.ss_sp + at;
		now.ss_size -= at;
		ck_assert_int_eq(sigaltstack(&now, NULL), 0);
		assert_err(vmset_fault_stack(0), -ENOENT);
	}
	ck_assert_int_eq(sigaltstack(&own, NULL), 0);
	assert_ok(vmset_fault_stack(0x4000));
	sigaltstack(NULL, &now);
	assert_that(now.ss_size >= 0x4000 && now.ss_sp != own.ss_sp);
	assert_ok(vmset_fault_stack(0x40000));
	sigaltstack(NULL, &now);
	assert_that(now.ss_size >= 0x40000);
	/* All of it can be written, and the page below cannot. */
	memset(now.ss_sp, 1, now.ss_size);
	assert_ok(vmset_on_fault(set, ask_for_a_stack, &inner));
	assert_ok(vmset_fault_install(VMSET_FAULT_ALTSTACK));
	poke_write(start, 1);
	assert_err(inner, -EBUSY);
	assert_ok(vmset_fault_stack(0));
	assert_ok(vmset_fault_stack(0));
	sigaltstack(NULL, &now);
	assert_that(now.ss_sp == own.ss_sp && now.ss_size == own.ss_size);
	assert_err(vmset_fault_stack(0), -ENOENT);
	sigaltstack(&was, NULL);
	munmap(own.ss_sp, own.ss_size);
}
END_TEST

#define MUCH ((size_t)64 << 10)

static bool used_much;

/* One that was made for the thread's stack. */
static void use_much(int signo)
{
	volatile char much[MUCH];

	for (size_t i = MUCH; i > 0; i -= 1024)
		much[i - 1] = (char)signo;
	used_much = much[MUCH - 1] == (char)signo;
	remember(signo);
}

START_TEST(handlers_before_have_room_on_the_stack)
{
	const struct sigaction action = { .sa_handler = use_much };

	used_much = false;
	ck_assert_int_eq(sigaction(SIGSEGV, &action, NULL), 0);
	assert_ok(vmset_on_fault(set, vmset_fault_pass, NULL));
	assert_ok(vmset_fault_install(VMSET_FAULT_ALTSTACK));
	assert_ok(vmset_fault_stack(1));
	poke_write(start, 1);
	assert_that(used_much);
	assert_eq(before.calls, 1);
	assert_ok(vmset_fault_stack(0));
}
END_TEST

static void write_below(void *arg)
{
	const stack_t *stack = arg;

	poke_write(((uintptr_t)stack->ss_sp & ~(page - 1)) - 1, 1);
}

START_TEST(below_a_stack_nothing_may_be_touched)
{
	stack_t now;

	assert_ok(vmset_fault_stack(0x4000));
	sigaltstack(NULL, &now);
	ck_assert_int_eq(poke_dies_of(write_below, &now), SIGSEGV);
	assert_ok(vmset_fault_stack(0));
}
END_TEST

Suite *suite_fault(void)
{
	Suite *suite = suite_create("fault");
	TCase *tests = tcase_create("fault");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, is_told_and_mends);
	tcase_add_test(tests, is_told_of_a_fetch);
	tcase_add_loop_test(tests, may_be_left_by_a_jump, 0, 2);
	tcase_add_test(tests, overlapping_bounds_are_refused);
	tcase_add_test(tests, functions_are_replaced_and_taken_out);
	tcase_add_test(tests, backend_is_asked_first);
	tcase_add_test(tests, backend_is_not_asked_about_rights);
	tcase_add_test(tests, old_tables_have_no_fault_operation);
	tcase_add_test(tests, backend_alone);
	tcase_add_loop_test(tests, handler_before_gets_what_is_passed_on, 0,
			    2 * KINDS);
	tcase_add_loop_test(tests,
			    signals_that_are_sent_go_to_the_handler_before, 0,
			    2);
	tcase_add_loop_test(tests, late_reports_go_to_the_handler_before, 0,
			    REPORTS);
	tcase_add_test(tests, handler_before_is_called_once_if_it_wants_that);
	tcase_add_test(tests, faults_are_deadly_by_default);
	tcase_add_test(tests, the_default_action_sees_the_fault);
#ifdef __x86_64__
	tcase_add_test(tests, an_address_that_cannot_be_is_passed_on);
#endif
	tcase_add_test(tests, beyond_the_end_of_a_file);
	tcase_add_test(tests, handlers_over_ours_are_kept);
	tcase_add_test(tests, what_was_there_comes_back);
	tcase_add_test(tests, alternate_stacks_are_used_when_wanted);
	tcase_add_test(tests, a_reset_signal_is_taken_again);
	tcase_add_test(tests, writers_are_refused_inside_a_change);
	tcase_add_test(tests, functions_are_not_changed_inside_a_change);
	tcase_add_loop_test(tests, faults_in_a_fault_function_are_handled, 0,
			    3);
	tcase_add_test(tests, faults_without_end_end);
	tcase_add_test(tests, coming_and_going_while_others_fault);
	tcase_add_test(tests, stacks);
	tcase_add_test(tests, handlers_before_have_room_on_the_stack);
	tcase_add_test(tests, below_a_stack_nothing_may_be_touched);
	suite_add_tcase(suite, tests);
	return suite;
}
