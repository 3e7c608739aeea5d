/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The dispatcher of faults: a handler of SIGSEGV and SIGBUS.
 *
 * A signal handler belongs to the process and has no argument of anybody's, so
 * here is what the library has nowhere else: a static variable.
 *
 * Which set an address is in, a set tells: its areas are the bounds of the
 * sets that have a fault function.  So the handler asks it as it asks any
 * set, without a lock, and bounds that overlap are refused.
 *
 * The handler is in the chain of a signal while it is installed: it is either on
 * top, as sigaction says, or somebody put a handler over it, who has its
 * address.  Then it cannot be taken out without losing who was before.
 */
#pragma GCC visibility push(default)
#include "vmset.h"
#pragma GCC visibility pop

#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "backend.h"
#include "explain.h"
#include "fault-chain.h"
#include "internal.h"
#include "range.h"

#define SIGNALS 2

static const int signals[SIGNALS] = { SIGSEGV, SIGBUS };

static struct {
	/* Made when needed, and then it stays: its lock is for the rest, too. */
	struct vmset *sets;
	size_t installed;               /* how often */
	uint32_t options;
	struct vmset__before before[SIGNALS];   /* read without the lock */
} dispatcher;

/* ---- the set of sets ---- */

/* There is nothing under it. */
static int no_map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		  uint64_t offset)
{
	(void)ctx, (void)start, (void)size, (void)flags, (void)offset;
	return 0;
}

static int no_unmap(void *ctx, uintptr_t start, size_t size)
{
	(void)ctx, (void)start, (void)size;
	return 0;
}

static int no_protect(void *ctx, uintptr_t start, size_t size, uint32_t flags)
{
	(void)ctx, (void)start, (void)size, (void)flags;
	return 0;
}

static const struct vmset_backend_ops nothing_ops = {
	.size = sizeof nothing_ops,
	.map = no_map, .unmap = no_unmap, .protect = no_protect,
};

static const struct vmset_backend nothing = { .ops = &nothing_ops };

static struct vmset *all_sets(void)
{
	return vmset__load_acquire(&dispatcher.sets);
}

/* Another thread may be making it, too. */
static int need_all_sets(void)
{
	const struct vmset_config config = {
		.size = sizeof config, .bounds = { 0, UINTPTR_MAX },
		.granule = 1, .backend = &nothing, .options = VMSET_NO_MERGE,
	};
	struct vmset *made, *none = NULL;
	int rc;

	if (all_sets())
		return 0;
	rc = vmset_create(&made, &config);
	if (!rc && !__atomic_compare_exchange_n(&dispatcher.sets, &none, made,
						false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
		rc = vmset_destroy(made);
	return rc;
}

/* ---- a fault ---- */

/*
 * Signals that are sent have no address; what SI_KERNEL stands for neither; and
 * that of a late report is not the instruction's.
 */
static bool has_address(int signo, const siginfo_t *info)
{
	return vmset__comes_again(signo, info) && info->si_code < SI_KERNEL;
}

/* Something is not there, and that is all: no key, no tag, no alignment. */
static bool is_missing(const struct vmset_fault *fault)
{
	if (fault->signal == SIGBUS)
		return fault->code == BUS_ADRERR;
	return fault->code == SEGV_MAPERR || fault->code == SEGV_ACCERR;
}

/* Whether the area allows the access; if that is not known, whether any. */
static bool is_allowed(const struct vmset_fault *fault)
{
	return fault->cause == VMSET_CAUSE_ALLOWED ||
	       (!fault->access && fault->cause == VMSET_CAUSE_PROTECTED &&
		fault->area.flags);
}

static bool fill(const struct vmset_fault *fault)
{
	const struct vmset_backend *backend = fault->area.backend;

	return is_allowed(fault) && is_missing(fault) &&
	       vmset__can_fault(backend) &&
	       backend->ops->fault(backend->ctx, &fault->area, fault->addr,
				   fault->access) == 0;
}

static bool mend_unblocked(int signo, const siginfo_t *info, void *context)
{
	const uintptr_t addr = (uintptr_t)info->si_addr;
	const struct vmset *sets = all_sets();
	struct vmset__watch watch;
	struct vmset_fault fault;
	struct vmset_area bounds;
	const struct vmset *set;

	if (!sets || vmset_find(sets, addr, &bounds))
		return false;
	set = bounds.data;
	VMSET__LATCH_READ(&set->watched.watch, &watch);
	vmset__explain(set, addr, vmset__fault_access(context), &fault);
	fault.signal = signo;
	fault.code = info->si_code;
	fault.context = context;
	if (fill(&fault))
		return true;
	if (is_allowed(&fault) && signo == SIGBUS && is_missing(&fault))
		fault.cause = VMSET_CAUSE_BEYOND;
	return watch.fn(&fault, watch.arg) == VMSET_FAULT_RETRY;
}

/*
 * The kernel leaves the signals unblocked for this handler, but one that calls it
 * may have them blocked, and then a fault would end the process.
 */
static bool mend(int signo, const siginfo_t *info, void *context)
{
	sigset_t ours, before;
	bool mended;

	sigemptyset(&ours);
	for (int i = 0; i < SIGNALS; i++)
		sigaddset(&ours, signals[i]);
	pthread_sigmask(SIG_UNBLOCK, &ours, &before);
	mended = mend_unblocked(signo, info, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return mended;
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
	const int saved = errno;

	if (!has_address(signo, info) || !mend(signo, info, context))
		vmset__before_call(&dispatcher.before[signo == SIGBUS], signo,
				   info, context);
	errno = saved;
}

/* ---- in and out of the chain ---- */

enum holder { NOBODY, DISPATCHER, ANOTHER };

static enum holder holder_of(const struct sigaction *action)
{
	if (action->sa_flags & SA_SIGINFO && action->sa_sigaction == on_signal)
		return DISPATCHER;
	return action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN ?
		       NOBODY : ANOTHER;
}

/* What the signals do now, and how many are in the hands of others. */
static unsigned ask(struct sigaction now[SIGNALS])
{
	unsigned others = 0;

	for (int i = 0; i < SIGNALS; i++) {
		sigaction(signals[i], NULL, &now[i]);
		others += holder_of(&now[i]) == ANOTHER;
	}
	return others;
}

/*
 * Go on top.  Who was there is known before the first fault comes.  That one
 * may need the alternate stack, or system calls that go on.
 */
static void take(int i, const struct sigaction *now, uint32_t options)
{
	struct sigaction action = { .sa_sigaction = on_signal }, before;

	if (holder_of(now) != DISPATCHER)
		vmset__before_set(&dispatcher.before[i], now);
	before = vmset__before_get(&dispatcher.before[i]);
	action.sa_flags = SA_SIGINFO | SA_NODEFER |
			  (before.sa_flags & (SA_ONSTACK | SA_RESTART));
	if (before.sa_handler == SIG_IGN)
		action.sa_flags |= SA_RESTART;
	if (options & VMSET_FAULT_ALTSTACK)
		action.sa_flags |= SA_ONSTACK;
	sigemptyset(&action.sa_mask);
	sigaction(signals[i], &action, NULL);
}

static int install(uint32_t options)
{
	const uint32_t all = dispatcher.options | options;
	struct sigaction now[SIGNALS];
	const unsigned others = ask(now);

	if (dispatcher.installed && others && all != dispatcher.options)
		return -EBUSY;
	for (int i = 0; i < SIGNALS; i++) {
		/* Then it is in the chain, below that one. */
		if (dispatcher.installed && holder_of(&now[i]) == ANOTHER)
			continue;
		take(i, &now[i], all);
	}
	dispatcher.options = all;
	dispatcher.installed++;
	return 0;
}

static int take_out(void)
{
	struct sigaction now[SIGNALS];

	if (!dispatcher.installed)
		return -ENOENT;
	if (dispatcher.installed > 1) {
		dispatcher.installed--;
		return 0;
	}
	if (ask(now))
		return -EBUSY;
	for (int i = 0; i < SIGNALS; i++) {
		struct sigaction before =
			vmset__before_get(&dispatcher.before[i]);

		if (holder_of(&now[i]) == DISPATCHER)
			sigaction(signals[i], &before, NULL);
	}
	dispatcher.installed = 0;
	dispatcher.options = 0;
	return 0;
}

int vmset_fault_install(uint32_t options)
{
	int rc;

	if (options & ~VMSET_FAULT_ALTSTACK)
		return -EINVAL;
	rc = need_all_sets();
	if (!rc)
		rc = vmset__hold(dispatcher.sets);
	if (rc)
		return rc;
	rc = install(options);
	vmset__release(dispatcher.sets);
	return rc;
}

int vmset_fault_remove(void)
{
	int rc;

	if (!all_sets())
		return -ENOENT;
	rc = vmset__hold(dispatcher.sets);
	if (rc)
		return rc;
	rc = take_out();
	vmset__release(dispatcher.sets);
	return rc;
}

/* ---- the sets ---- */

static int list(struct vmset *set)
{
	const struct vmset_area bounds = {
		.start = set->bounds.start, .end = set->bounds.end,
		.data = set,
	};
	int rc = need_all_sets();

	if (!rc)
		rc = vmset_map_area(all_sets(), &bounds, 0);
	set->watched.listed = !rc;
	return rc;
}

int vmset__fault_forget(struct vmset *set)
{
	int rc;

	if (!set->watched.listed)
		return 0;
	rc = vmset_unmap(all_sets(), set->bounds.start,
			 vmset__range_size(set->bounds));
	set->watched.listed = rc;
	return rc;
}

static int watch(struct vmset *set, vmset_fault_fn *fn, void *arg)
{
	const struct vmset__watch watch = { fn, arg };

	if (!fn)
		return vmset__fault_forget(set);
	/* The function is there before the set can be found. */
	VMSET__LATCH_WRITE(&set->watched.watch, &watch);
	return set->watched.listed ? 0 : list(set);
}

int vmset_on_fault(struct vmset *set, vmset_fault_fn *fn, void *arg)
{
	int rc;

	if (!set)
		return -EINVAL;
	rc = vmset__hold(set);
	if (rc)
		return rc;
	rc = watch(set, fn, arg);
	vmset__release(set);
	return rc;
}

uint32_t vmset_fault_pass(const struct vmset_fault *fault, void *arg)
{
	(void)fault, (void)arg;
	return VMSET_FAULT_PASS;
}
