/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * libvmset: own a range of your address space, carve it into areas, and never
 * disagree with the kernel about it.
 *
 * A virtual memory set, struct vmset, is an ordered set of areas that do not
 * overlap, inside bounds.  An area is a half-open range [start, end) with
 * flags, a backend that does the mapping work, an offset in the backend's
 * object and a pointer of the caller's.  The set plans what an operation
 * needs, has the backend do it, undoes it when a part fails, and only then
 * changes its list.
 *
 * The design (set, area, mapping backend, a mock page table to test with)
 * follows the memory_set crate of ArceOS; struct vmset is its MemorySet,
 * struct vmset_area its MemoryArea, struct vmset_backend_ops its
 * MappingBackend.
 *
 *
 * Units
 * -----
 * Addresses, sizes, offsets and alignments are in bytes.  All of them are
 * multiples of the set's granule, unless a function says otherwise.  A range
 * is half-open: start belongs to it, end does not.
 *
 *
 * Results
 * -------
 * A function that returns int returns 0, or a negative errno value.  errno
 * itself is not part of the interface.  Nothing is printed and nothing aborts
 * because of a caller.
 *
 *   -EINVAL  a NULL that is not allowed, an empty range where one is needed,
 *            start or size not a multiple of the granule, start + size beyond
 *            the address space, a range outside the bounds, unknown bits, an
 *            alignment that is no power of two
 *   -EEXIST  a map without VMSET_REPLACE over something that is there
 *   -ENOENT  no area there
 *   -ENOSPC  no free room for the request
 *   -ENOMEM  no memory for the set's own records, or the backend's
 *   -EMFILE  too many mappings: the process has about as many as the kernel
 *            allows it (vm.max_map_count).  The kernel says ENOMEM here too;
 *            but other than with memory, it helps to unmap anything, or to give
 *            neighbours the same flags.  Any call that can return -ENOMEM can
 *            return it.
 *   -EPERM   the area is sealed (returned by a backend)
 *   -EDEADLK a writing function was called for a set that the same thread is
 *            changing: from a backend, an update function or a signal handler
 *   -ENOTSUP the backend cannot do what was asked
 *   -ENOTRECOVERABLE
 *            undoing a half-done operation failed, or the range is lost since
 *            an earlier failure of that kind
 *
 * Any other value is what the backend returned, unchanged.
 *
 *
 * Whole or not at all
 * -------------------
 * A call that returns an error has changed nothing, in the set or under it.
 * Memory for the set's records is had before the backend is called; what the
 * backend did is undone in reverse order if a later step fails.
 *
 * The one exception is -ENOTRECOVERABLE from a changing call.  Then an undo
 * failed too, and nobody knows what holds in that part of the range.  The
 * part becomes *lost*: it is in no area, every placement avoids it, mapping,
 * protecting or updating it fails with -ENOTRECOVERABLE, and vmset_dump and
 * vmset_verify show it.  All else is as it was before the call.  Unmapping the
 * range, if the backend now agrees, makes it free again.
 *
 *
 * Threads, signals, fork
 * ----------------------
 * Readers are vmset_find, vmset_next…, vmset_iter_…, vmset_overlaps, vmset_len,
 * vmset_is_empty, vmset_explain, vmset_bounds and vmset_granule.  They take no
 * lock, store nothing that others see and call nothing, so any thread may call
 * them at any time, and so may a signal handler, also one that interrupted a
 * writer of the same set.  Each answer is the state of the set at one moment of
 * the call: an operation is seen whole or not at all.
 *
 * All other functions that take a set are writers, or take the writers' lock
 * for the length of the call: vmset_find_free_area, vmset_verify and vmset_stats.
 * Writers of one set wait for each other, asleep; different sets never wait for
 * each other.  The lock is held across the backend's calls and the bookkeeping,
 * so that the two cannot be seen apart.  A backend operation, an update function
 * or a signal handler that calls such a function for a set that its own
 * thread is changing gets -EDEADLK.
 *
 * vmset_dump takes no lock.  vmset_create, vmset_reserve and vmset_destroy
 * need what any constructor and destructor need: nobody else uses the set.
 *
 * Function by function, without the vmset_:
 *
 *                         beside      in a        inside a      in the
 *                         other       signal      change of     child of
 *                         threads     handler     the set       a fork
 *   find, next,           yes         yes         yes           yes
 *     next_ranges, iter_init, iter_fill, iter_next, overlaps, len, is_empty,
 *     explain, bounds, granule
 *   map, map_area, alloc, in turn     yes (1)     -EDEADLK      yes (2)
 *     unmap, protect, update, clear, find_free_area, verify, stats, on_fault
 *   create, reserve       yes         yes         yes           yes
 *   destroy               alone       alone (1)   -EDEADLK      yes (2)
 *   dump                  yes         no          yes           yes
 *   fault_install,        in turn     yes (3)     yes           yes (2)
 *     fault_remove
 *   fault_stack           its own     yes (4)     yes           yes
 *   fault_text,           yes         yes         yes           yes
 *     fault_pass
 *
 *   in turn  waits, asleep, until another thread's call is over
 *   alone    nobody else uses the set
 *   (1)      -EDEADLK if its own thread was changing the set; it waits for
 *            other threads
 *   (2)      -ENOTRECOVERABLE if a fork inside a change left it half changed
 *   (3)      -EDEADLK if its own thread was in one of these two or in on_fault
 *   (4)      -EBUSY on the alternate stack
 *
 * A backend operation, an update function or a signal handler may change
 * other sets than the one that its thread is changing.  Then the thread holds
 * both, and the rule for locks is yours to keep: if anything changes B while
 * its thread changes A, nothing may change A while its thread changes B, or
 * both wait for ever.  -EDEADLK tells of the thread's own sets only.  That goes
 * for fault functions, too, if what faulted was inside a change.
 *
 * What all sets share: a list of them, which is locked for a moment when one is
 * made or destroyed; the dispatcher of faults, which has a lock for
 * vmset_fault_install, vmset_fault_remove, vmset_on_fault, and vmset_destroy of
 * a set that has a fault function; and forks.  No function of yours is called
 * under the first two.  While a fork waits for a change of one set, no change
 * of another begins.
 *
 * The child of a fork has the parent's sets and may use all of them at once,
 * whichever thread forked and whatever the others were doing.  A fork waits
 * until no set is being changed by another thread; until it is done, changes
 * wait.  A backend, an update function or a signal handler may fork while its own
 * thread changes a set: that goes on, in the parent and in the child.  But as
 * others may be waiting for that set, such a fork waits for them a second at
 * most.  A set that is still being changed then can be read in the child, and
 * changing it is -ENOTRECOVERABLE.
 * Memory in areas is copied, shared or left out as the backend's mappings are; see
 * VMSET_DONTFORK.  vfork, _Fork and clone make children that must not change sets.
 *
 * Between the library's fork handlers the thread's signals are blocked, but for
 * those of faults.  Fork handlers of others that run there may use all sets,
 * make some and destroy them; and a handler that forks never finds a fork of
 * its own thread half done.
 *
 * Who uses the library under locks of its own and installs fork handlers that
 * take them (pthread_atfork) may rely on the order: the library's own are
 * installed when it is loaded.
 *
 *
 * Memory
 * ------
 * The library never calls malloc, nor anything in libc that does, so it can
 * be used under malloc.  Its records live in pages from mmap, and so does what
 * a call notes that meets more than 32 areas at once, while it lasts; up to
 * 64 KiB of that a set keeps for the next such call.  The exception is the FILE
 * that a caller hands to vmset_dump.
 */
#ifndef VMSET_H
#define VMSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Flags of an area in a set over the kernel.  They have the values of PROT_READ,
 * PROT_WRITE and PROT_EXEC.  Other backends give flags a meaning of their own:
 * the set only compares them.
 */
#define VMSET_READ  1u
#define VMSET_WRITE 2u
#define VMSET_EXEC  4u

/*
 * Two more flags of areas in a set from vmset_reserve: what the child of a fork
 * finds there.  VMSET_DONTFORK: no area; the range is free in the child's set.
 * VMSET_WIPEONFORK: the same area, which reads as zeros.  Without them it has a
 * copy.  If there is no memory in the child to drop an area, it is wiped.
 *
 * The library does this in the child before fork returns there; in a set that
 * the thread was changing when it forked, when that change ends.  In a set that
 * cannot be changed in the child (see Threads, signals, fork, above), areas
 * with either flag are there and read as zeros.  It has no effect on the
 * parent, nor on a child that is not made by fork.
 */
#define VMSET_DONTFORK   0x100u
#define VMSET_WIPEONFORK 0x200u

/* A virtual memory set.  Opaque. */
struct vmset;

/* The addresses from start up to, and without, end.  Empty if they are equal. */
struct vmset_range {
	uintptr_t start, end;
};

struct vmset_area;

/*
 * Promises of a backend, in vmset_backend_ops.promises.  Each allows the set to
 * make fewer calls.  A promise that does not hold breaks the rule "whole or not
 * at all"; a promise that is not made only costs calls.
 */

/*
 * map may be called for a range that holds areas of the same backend, whole or
 * in part, and free room.  It replaces all of it, or fails and changes nothing.
 * Without this promise the old areas are unmapped first, and mapped again
 * if the map fails.
 */
#define VMSET_BACKEND_REPLACES 1u

/*
 * unmap may be called for a range that holds any number of areas of the same
 * backend, whole or in part, and free room.  It unmaps all of it, or fails and
 * changes nothing.
 */
#define VMSET_BACKEND_SPANS 2u

/*
 * protect may be called for several neighbouring areas of the same backend at
 * once.  If it fails, any part may have changed: the set puts each piece back.
 */
#define VMSET_BACKEND_JOINS 4u

/*
 * unmap, and a map that replaces, throw the contents away, so that mapping
 * again does not undo them.  The set makes such a call last.  Where it needs
 * more than one of them (areas of different backends between each other)
 * and a later one fails, what an earlier one threw away is lost.
 */
#define VMSET_BACKEND_DISCARDS 8u

/* What a backend's query operation tells about a run of addresses. */
struct vmset_query {
	uintptr_t end;          /* the run is [addr, end), all of it alike */
	bool mapped;            /* something is mapped there */
	uint32_t flags;         /* and with which flags; 0 where not mapped */
};

/*
 * What a backend does.  Each operation returns 0 or a negative errno value and
 * gets ctx of its struct vmset_backend.  Ranges are never empty, lie inside the
 * set's bounds and are multiples of the granule.
 *
 * What the set expects without a promise: map gets free room, unmap and
 * protect get a range inside one area, and a call that fails has changed
 * nothing.  A backend that failed and could not keep that rule returns
 * -ENOTRECOVERABLE, and the set marks the range of the call as lost.
 *
 * Operations are called with the set's lock held.  They may read the set (they
 * see it as it was before the operation) and must not change it: -EDEADLK.
 *
 * Set size to sizeof (struct vmset_backend_ops) and leave what you do not use
 * zero.  The table and the struct vmset_backend must live as long as a set
 * that has an area with them.
 */
struct vmset_backend_ops {
	size_t size;

	/*
	 * Map [start, start + size) with flags.  offset is that of start in
	 * the backend's object: what was given for the area, carried on by the
	 * distance when an area is cut.
	 */
	int (*map)(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		   uint64_t offset);

	/* Unmap [start, start + size). */
	int (*unmap)(void *ctx, uintptr_t start, size_t size);

	/* Give [start, start + size), which is mapped, new flags. */
	int (*protect)(void *ctx, uintptr_t start, size_t size,
		       uint32_t flags);

	/* Optional from here on: zero or NULL where the backend has none. */

	/* VMSET_BACKEND_… that hold for this backend. */
	uint32_t promises;

	/*
	 * The flags that the backend understands.  Others are refused with
	 * -EINVAL before anything happens.  0: all flags.
	 */
	uint32_t flags_mask;

	/*
	 * Tell what is at addr, for vmset_verify.  Sets out->end to the end of
	 * the run of addresses from addr on that are alike, at most limit.  Must
	 * not change anything.
	 */
	int (*query)(void *ctx, uintptr_t addr, uintptr_t limit,
		     struct vmset_query *out);

	/* A short name for vmset_dump. */
	const char *name;

	/*
	 * Fill what is missing at addr, in an area that is filled on first
	 * touch; see Faults, below.  Called for an access that the area's flags
	 * allow and that faulted all the same.  0: the access may be tried
	 * again; anything else: it is not for this backend.
	 *
	 * area is a copy from the moment of the fault.  access is one of
	 * VMSET_READ, VMSET_WRITE and VMSET_EXEC, or 0 where the machine does
	 * not tell, and the area allows something; then refuse what is there
	 * already, or a write to what may only be read faults for ever.
	 *
	 * Called in a signal handler, without the set's lock, and by several
	 * threads at once, also for the same page: whoever comes second returns
	 * 0 when it is there.
	 */
	int (*fault)(void *ctx, const struct vmset_area *area, uintptr_t addr,
		     uint32_t access);
};

/* An instance of a backend: its operations and what they work on. */
struct vmset_backend {
	const struct vmset_backend_ops *ops;
	void *ctx;
};

/*
 * An area.  Always a copy: nothing in the set changes when you write to it, and
 * it stays as it is when the set changes.
 */
struct vmset_area {
	uintptr_t start, end;
	uint32_t flags;
	const struct vmset_backend *backend;    /* on input NULL: the set's */
	uint64_t offset;                        /* of start, in the backend's object */
	void *data;                             /* the caller's, never looked at */
};

/* Do not join neighbouring areas that could be one. */
#define VMSET_NO_MERGE 1u

/* How to make a set with vmset_create. */
struct vmset_config {
	size_t size;                            /* sizeof (struct vmset_config) */
	struct vmset_range bounds;              /* all that the set manages */
	size_t granule;                         /* a power of two, 1 allowed */
	const struct vmset_backend *backend;    /* of areas that name none */
	uint32_t options;                       /* VMSET_NO_MERGE or 0 */
};

/*
 * vmset_create: make an empty set over a backend of your own.
 *
 * Nothing may be mapped inside the bounds, as the backend sees it.  Bounds
 * up to the whole address space cost nothing: what a set needs depends
 * on the number of its areas only.
 *
 * 0, and the set in *set; or
 *   -EINVAL  a NULL; size too small for this version of the library, or the
 *            structure is of a later one and uses what this one does not know;
 *            empty bounds, or not multiples of the granule; granule not a power
 *            of two; unknown options; a backend without map, unmap, protect or
 *            with promises that this version does not know
 *   -ENOMEM
 */
int vmset_create(struct vmset **set, const struct vmset_config *config);

/*
 * vmset_reserve: reserve size bytes of the process's address space and make a
 * set whose areas are anonymous private memory in it.
 *
 * The granule is the page size, and size a multiple of it.  The range is
 * where vmset_bounds says.  It is inaccessible where there is no area.  No hole
 * ever opens in it, so that no other mmap of the process can fall into it;
 * nothing but the set may map, unmap or protect inside it.  The reservation
 * takes no memory and no commit charge, but counts toward RLIMIT_AS.
 *
 * Flags of its areas are VMSET_READ, VMSET_WRITE, VMSET_EXEC, VMSET_DONTFORK
 * and VMSET_WIPEONFORK; others are -EINVAL.  Contents: a fresh area reads as
 * zeros; replaced and unmapped memory is given back to the kernel at once.
 *
 * options are those of struct vmset_config.
 *
 * 0, and the set in *set; or
 *   -EINVAL  set is NULL, size 0, not a multiple of the page size, or unknown
 *            options
 *   -ENOMEM  no such stretch of address space is free, or no memory
 */
int vmset_reserve(struct vmset **set, size_t size, uint32_t options);

/*
 * vmset_destroy: unmap every area and free the set.  A set from vmset_reserve
 * gives its whole range back to the kernel with one call.
 *
 * A lost range whose backend still refuses is given up.  The set's fault
 * function is taken out first, and stays out if the call then fails.
 *
 * 0, also for NULL; or
 *   what the backend returned when it refused to unmap an area.  The set
 *   lives on, with the areas that are left; the error is that of the first.
 *   -EDEADLK
 */
int vmset_destroy(struct vmset *set);

/*
 * For the argument how: replace what is in the range.
 */
#define VMSET_REPLACE 1u

/*
 * vmset_map: map [start, start + size) with flags, by the set's backend.
 *
 * The offset of the area is start - bounds.start and its data NULL, so that
 * equal neighbours made by this function always join.
 *
 * With VMSET_REPLACE in how, all that is in the range is replaced, areas that
 * stick out are cut, and their contents inside the range are gone.  Without it
 * the range must be free.
 *
 * 0, or
 *   -EINVAL  range empty, misaligned or not inside the bounds; unknown bits in
 *            how; flags that the backend does not know
 *   -EEXIST  without VMSET_REPLACE: an area or a guard is in the range
 *   -ENOMEM, -EDEADLK, -ENOTRECOVERABLE, or what the backend returned
 */
int vmset_map(struct vmset *set, uintptr_t start, size_t size, uint32_t flags,
	      uint32_t how);

/*
 * vmset_map_area: the same with everything about the area said by the caller.
 * area->backend NULL stands for the set's own backend.
 *
 * A backend of another set's, or of your own, may be used for single areas:
 * each piece is unmapped and protected by the backend that mapped it.  In a
 * set from vmset_reserve such a backend must leave its range inaccessible, not
 * a hole, when it unmaps.
 *
 * Results as for vmset_map, and
 *   -EINVAL  area is NULL; its backend is not usable (see vmset_create);
 *            offset + size is more than 64 bits hold
 */
int vmset_map_area(struct vmset *set, const struct vmset_area *area,
		   uint32_t how);

/*
 * vmset_unmap: unmap all that is in [start, start + size).
 *
 * Areas inside go, areas over an edge shrink, an area around the range becomes
 * two.  Free room is skipped, and a range with nothing in it is no error.  In
 * a set from vmset_create the range is clipped to the bounds.
 *
 * A set over the kernel makes one system call, whatever the number of areas.
 *
 * Guards in the range, and guards of areas whose end beside the guard goes, are
 * dropped.  Lost ranges are tried again, and free if the backend agrees.
 *
 * 0, also for size 0; or
 *   -EINVAL  misaligned, start + size beyond the address space; in a set from
 *            vmset_reserve: not inside the bounds
 *   -ENOMEM, -EDEADLK, -ENOTRECOVERABLE, or what the backend returned
 */
int vmset_unmap(struct vmset *set, uintptr_t start, size_t size);

/*
 * vmset_protect: give all areas in [start, start + size) the flags.
 *
 * Areas over an edge are cut there.  Free room is skipped.  What has the flags
 * already is left as it is, with no call to the backend.
 *
 * 0, or
 *   -EINVAL  size 0, misaligned, not inside the bounds (a set from
 *            vmset_create clips to them instead), flags that a backend in the
 *            range does not know
 *   -ENOENT  no area is in the range
 *   -ENOMEM, -EDEADLK, -ENOTRECOVERABLE, or what the backend returned
 */
int vmset_protect(struct vmset *set, uintptr_t start, size_t size,
		  uint32_t flags);

/*
 * The function that vmset_update asks for an area's new flags.  It gets the
 * old ones and arg.  It stores the new ones and returns true, or returns
 * false to leave the area as it is.
 */
typedef bool vmset_update_fn(uint32_t old_flags, uint32_t *new_flags,
			     void *arg);

/*
 * vmset_update: give the areas in [start, start + size) new flags, each by
 * what fn says.
 *
 * fn is called once for each area that meets the range, in address order, for
 * nothing outside it, and before anything changes.  An area for which it
 * returns false, or gives the flags that the area has, is left whole.  fn may
 * read the set; a call that writes to it gets -EDEADLK.
 *
 * Results as for vmset_protect, and -EINVAL for fn NULL.
 */
int vmset_update(struct vmset *set, uintptr_t start, size_t size,
		 vmset_update_fn *fn, void *arg);

/*
 * vmset_clear: unmap everything.  The set is as if new.
 *
 * Unlike vmset_unmap this goes on when the backend refuses: what can be unmapped
 * is, what is left stays listed, and the first error is returned.
 *
 * 0, or -EINVAL for NULL, -ENOMEM, -EDEADLK, or what the backend returned
 */
int vmset_clear(struct vmset *set);

/* Where to place, in struct vmset_placement.policy. */

/* The lowest place that starts at or above hint. */
#define VMSET_LOWEST   0u
/* The highest place that starts at or below hint; hint 0: the highest of all. */
#define VMSET_HIGHEST  1u
/* The place whose start is nearest to hint; of two, the lower. */
#define VMSET_NEAREST  2u
/* The smallest gap that is large enough; of equal ones, the lowest. */
#define VMSET_BEST_FIT 3u
/* Anywhere, by the kernel's random numbers; -ENOSYS if it has none. */
#define VMSET_RANDOM   4u

/*
 * Where vmset_alloc looks.  limit {0, 0} stands for the bounds; what of it is
 * outside the bounds is ignored.  align is a power of two, at least the
 * granule; 0 stands for the granule.  BEST_FIT and RANDOM ignore the hint.
 *
 * guard_before and guard_after are sizes of stretches beside the area, inside
 * the limit as well, that nothing is placed or mapped in (but by
 * VMSET_REPLACE).  A guard is inaccessible and in no area.  It goes when the
 * part of the area that it touches is unmapped or replaced, or by
 * unmapping the guard itself.  vmset_overlaps counts it as taken.
 *
 * Cost: a search that grows with the logarithm of the number of areas, but for
 * BEST_FIT, which looks at every gap that is large enough.
 */
struct vmset_placement {
	size_t size;                            /* sizeof (struct vmset_placement) */
	uint32_t policy;
	uintptr_t hint;
	struct vmset_range limit;
	size_t align;
	size_t guard_before, guard_after;
};

/*
 * vmset_alloc: find free room for size bytes and map it with flags, in one step.
 * where NULL stands for the lowest place in the bounds.
 *
 * 0, and the address in *start; or, with *start as it was,
 *   -EINVAL  a NULL; size 0 or not a multiple of the granule; guards that are
 *            not; size and guards together beyond the address space; unknown
 *            policy; align not as above; limit.start above limit.end; flags that
 *            the backend does not know; a structure of a size that does not fit
 *            (see vmset_create)
 *   -ENOSPC  no free room for the request
 *   -ENOMEM, -EDEADLK, -ENOTRECOVERABLE, or what the backend returned
 */
int vmset_alloc(struct vmset *set, size_t size, uint32_t flags,
		const struct vmset_placement *where, uintptr_t *start);

/*
 * vmset_find: the area that addr is in.  area may be NULL, to ask only.
 *
 * 0, -ENOENT if addr is in no area, or -EINVAL for a NULL set
 */
int vmset_find(const struct vmset *set, uintptr_t addr,
	       struct vmset_area *area);

/*
 * vmset_next: the lowest area whose end is above addr, which may contain addr or
 * follow it.  To walk a set, start with the bounds' start and go on with
 * each area's end.  area may be NULL.
 *
 * 0, -ENOENT if none follows, or -EINVAL for a NULL set
 */
int vmset_next(const struct vmset *set, uintptr_t addr,
	       struct vmset_area *area);

/*
 * An iterator, for walks over many areas.  It copies as many areas at a time as
 * the set keeps together, so that most steps touch only its own memory: about
 * 1.6 KiB, on the caller's stack.  Its members are for the library.
 *
 *	struct vmset_iter iter;
 *	const struct vmset_area *area;
 *
 *	vmset_iter_init(&iter, set, vmset_bounds(set).start);
 *	while ((area = vmset_iter_next(&iter)))
 *		...
 *
 * A walk is a reader, like vmset_next, and may change the set as it goes, or be
 * given up at any time.  It goes upward and ends.  Areas that were copied together
 * are those of one moment; between copies others may change the set.
 */
#define VMSET_ITER_AREAS 32

struct vmset_iter {
	const struct vmset *set;
	uintptr_t addr;                 /* where to go on */
	size_t at, n;                   /* of the areas */
	struct vmset_area areas[VMSET_ITER_AREAS];
};

/*
 * vmset_iter_init: begin a walk with the lowest area whose end is above addr.
 *
 * 0, or -EINVAL for a NULL
 */
int vmset_iter_init(struct vmset_iter *iter, const struct vmset *set,
		    uintptr_t addr);

/* For vmset_iter_next: copy the next areas; false if none follows. */
bool vmset_iter_fill(struct vmset_iter *iter);

/*
 * vmset_iter_next: the next area, or NULL if none follows.  The copy is good
 * until the next call.  The iterator has been through vmset_iter_init.
 */
static inline const struct vmset_area *vmset_iter_next(struct vmset_iter *iter)
{
	if (iter->at == iter->n && !vmset_iter_fill(iter))
		return NULL;
	return &iter->areas[iter->at++];
}

/*
 * vmset_next_ranges: where the next areas lie, and no more, for walks over many:
 * ranges of areas whose ends are above *addr, from the lowest on, as many as can
 * be had at once, at most max.  *addr becomes where to go on; begin with the
 * bounds' start.  With room for some hundreds a walk is fastest.
 *
 *	struct vmset_range ranges[256];
 *	uintptr_t addr = vmset_bounds(set).start;
 *	size_t n;
 *
 *	while ((n = vmset_next_ranges(set, &addr, ranges, 256)))
 *		...
 *
 * A reader, like vmset_next.  The ranges of one call are those of one moment; while
 * others change the set there are fewer in a call.
 *
 * how many; 0, and *addr as it was, if no area follows, for a NULL, or for a
 * max of 0
 */
size_t vmset_next_ranges(const struct vmset *set, uintptr_t *addr,
			 struct vmset_range *ranges, size_t max);

/*
 * vmset_overlaps: whether any of [start, start + size) is taken, by an area, a
 * guard or a lost range.  start and size need not be multiples of the granule.
 * false for size 0 and for what is outside the bounds; a range that would
 * pass the end of the address space ends there.
 */
bool vmset_overlaps(const struct vmset *set, uintptr_t start, size_t size);

/*
 * vmset_find_free_area: the lowest address at or above hint and limit.start, a
 * multiple of align, such that [address, address + size) is free and inside
 * limit and bounds.  No wrapping below the hint.
 *
 * limit {0, 0} stands for the bounds.  align is any power of two that is at
 * least the granule; 0 stands for the granule.  hint and size need not be
 * multiples of anything.
 *
 * 0, and the address in *start; or, with *start as it was,
 *   -EINVAL  a NULL, size 0, align not as above, limit.start above limit.end
 *   -ENOSPC  no such place
 *   -EDEADLK
 */
int vmset_find_free_area(const struct vmset *set, uintptr_t hint, size_t size,
			 struct vmset_range limit, size_t align,
			 uintptr_t *start);

/* vmset_len: the number of areas; 0 for NULL. */
size_t vmset_len(const struct vmset *set);

/* vmset_is_empty: whether there is no area; true for NULL. */
bool vmset_is_empty(const struct vmset *set);

/* vmset_bounds: the bounds, which never change; {0, 0} for NULL. */
struct vmset_range vmset_bounds(const struct vmset *set);

/* vmset_granule: the granule, which never changes; 0 for NULL. */
size_t vmset_granule(const struct vmset *set);

/*
 * vmset_dump: print the set as a table for people: areas, guards, lost ranges
 * and the free gaps between them, in address order, and the totals.  The form
 * may change from version to version.
 *
 * Takes no lock: beside a writer, each line is right for some moment of the
 * call.  Not for signal handlers, since a FILE is not.
 *
 * 0, -EINVAL for a NULL, or -EIO if out does not take the text
 */
int vmset_dump(const struct vmset *set, FILE *out);

/*
 * The first difference that vmset_verify found: what the set says (expected)
 * and what the backend or the kernel says (actual) at addr.  The flags of what
 * is not mapped are 0.
 *
 * In a set from vmset_reserve, "not mapped" means reserved and inaccessible.
 * If the reservation itself has a hole at addr, or holds something that is
 * not private anonymous memory, then expected_mapped is true and
 * actual_mapped false.  A lost range is always a difference.
 */
struct vmset_mismatch {
	uintptr_t addr;
	uint32_t expected, actual;
	bool expected_mapped, actual_mapped;
};

/*
 * vmset_verify: hold the set against what is really there, from the start of
 * the bounds to their end.  The kernel is asked by PROCMAP_QUERY (Linux 6.11)
 * or, where that is missing, by reading /proc/self/maps; other backends by
 * their query operation.
 *
 * 0 if they are the same; 1 if they differ, and the lowest difference in *first
 * (which may be NULL); or
 *   -EINVAL  set is NULL
 *   -ENOTSUP a backend in the set has no query operation
 *   -EDEADLK, or why the kernel or the backend could not be asked
 */
int vmset_verify(const struct vmset *set, struct vmset_mismatch *first);

/* How vmset_stats counts: ask the kernel for the mappings, too. */
#define VMSET_COUNT_MAPPINGS 1u

struct vmset_stats {
	size_t size;                    /* in: sizeof (struct vmset_stats) */
	size_t areas;
	/* Bytes of the bounds, which add up to all of them. */
	size_t area_bytes, guard_bytes, lost_bytes, free_bytes;
	size_t largest_gap;             /* in bytes */
	size_t record_bytes;            /* for the set's records, notes kept */
	/*
	 * For a set from vmset_reserve, else 0: the kernel's mappings in the range,
	 * as few as the areas allow; and those that there are, if counted.
	 */
	size_t mappings_expected, mappings;
	/* Calls of backends since the set was made, those that undo included. */
	uint64_t maps, unmaps, protects;
	uint64_t undone;                /* operations in which a call failed */
};

/*
 * vmset_stats: count what the set consists of.
 *
 * Takes time in proportion to the number of areas, with VMSET_COUNT_MAPPINGS also
 * a system call a mapping (before Linux 6.11 all of /proc/self/maps is read).
 * Takes the writers' lock.
 *
 * 0; else *stats is as it was:
 *   -EINVAL  a NULL; stats->size too small for this version of the library;
 *            unknown bits in how
 *   -EDEADLK
 *   or what reading /proc/self/maps failed with
 */
int vmset_stats(const struct vmset *set, struct vmset_stats *stats,
		uint32_t how);

/*
 * Faults
 * ------
 * A fault is a SIGSEGV or SIGBUS that a thread gets for an access of its own.
 * The library's dispatcher is a handler of these two signals, one for the
 * process.  It finds the set that the address is in, by the bounds, tells what is
 * there, and asks in this order:
 *
 *   1. If the flags of the area allow the access, or it is not known and they
 *      allow any: the fault operation of the area's backend, where it has one.
 *   2. The set's fault function, which vmset_on_fault has given it.
 *   3. Whoever handled the signal before the dispatcher.
 *
 * The first that mends it ends this, and the instruction runs again.  If it
 * was not mended, it faults again, for ever.
 *
 * Passed on at once: a fault at an address in no set that has a fault function,
 * a signal that was sent (kill, raise, sigqueue, timers), what comes without
 * an address, such as an access to a non-canonical one on x86, and what is
 * reported late and of no access of the thread's own: BUS_MCEERR_AO,
 * SEGV_MTEAERR.
 *
 *
 * Passing on
 * ----------
 * The handler from before is called as the kernel would have called it: with
 * all three arguments if it has SA_SIGINFO, with the signals of its mask blocked
 * and the signal itself unless it has SA_NODEFER, and once only if it
 * has SA_RESETHAND.  Where it has SA_ONSTACK or SA_RESTART, so has the
 * dispatcher.
 *
 * Where there was none, or SIG_IGN, which the kernel does not honour for a
 * fault either, the default action is restored and the instruction runs again,
 * so that the process ends by the right signal, with the address of the fault
 * and the registers at the fault in the core.  A signal that was sent is sent
 * again, or dropped if it was ignored.
 *
 * A handler that is installed after the dispatcher gets the signal first.  It
 * should pass on what is not its own to the one that it found, the dispatcher,
 * with all three arguments.  The JVM does, and Go with faults outside of Go
 * code.  libsigsegv does not: it forgets whom it finds, and what its own
 * handlers decline ends the process.  Install it before the dispatcher, which
 * passes on to it.  The sanitizers' handlers are there before main, and get what
 * is passed on.
 *
 *
 * In a fault function or a fault operation
 * ----------------------------------------
 * It runs in a signal handler, on the thread that faulted, so it may do what is
 * async-signal-safe (signal-safety(7)), and no lock of the library is held for
 * it.  Of this library it may call
 *
 *   - readers, vmset_explain and vmset_fault_text, for any set and always;
 *   - everything else for sets that its own thread was not changing when it
 *     faulted.  For the others -EDEADLK.  That is so inside a backend operation
 *     or an update function; in the program's own code it never is.
 *
 * Both signals stay unblocked: a fault in there is a fault like any other, and
 * is looked after in the same way.  So a function may use memory that is itself
 * filled on first touch.  One that always faults ends when its stack does.
 *
 * It may leave by siglongjmp, if what faulted can be left at any
 * instruction: the program's own code, but no function of libc and none of this
 * library, whose lock would stay taken.  Under vmset_fault_stack that is fine,
 * too.  errno is kept for it.
 *
 * Several threads may be in it at once.  Where one has mended what another
 * faulted on just before, the other is told VMSET_CAUSE_ALLOWED and the code
 * SEGV_MAPERR or SEGV_ACCERR: answer retry.  With any other code something else
 * is in the way, and the instruction would fault for ever: pass it on.
 */

/*
 * Why an access faulted, in struct vmset_fault.cause.  The flags of areas are
 * read as VMSET_READ, VMSET_WRITE and VMSET_EXEC.
 */

/* The address is not in the bounds of the set. */
#define VMSET_CAUSE_OUTSIDE   0u
/* Nothing is there: free room. */
#define VMSET_CAUSE_FREE      1u
/* It is in a guard of the area that ends or begins where the guard does. */
#define VMSET_CAUSE_GUARD     2u
/* It is in a lost range, of which nobody knows what holds there. */
#define VMSET_CAUSE_LOST      3u
/* The flags of the area do not allow the access. */
#define VMSET_CAUSE_PROTECTED 4u
/* SIGBUS: the area allows it, but what it maps ends before (a file cut off). */
#define VMSET_CAUSE_BEYOND    5u
/*
 * The area allows it.  The page is not filled yet; or it was filled or opened
 * by another thread meanwhile; or something else than the set is in the way,
 * which code tells (a protection key, alignment, bad memory).
 */
#define VMSET_CAUSE_ALLOWED   6u

/*
 * What is at an address: the state of the set at one moment.
 *
 * Bytes are counted so: the first one behind an area is 0 above its end, and the
 * last one before an area is 1 below its start.
 */
struct vmset_fault {
	size_t size;                    /* sizeof (struct vmset_fault) */
	struct vmset *set;
	uintptr_t addr;                 /* any byte */
	uint32_t access;                /* VMSET_READ, …; 0: not known */
	uint32_t cause;                 /* VMSET_CAUSE_… */
	/*
	 * The area, guard or lost range that addr is in, or the room between
	 * such.  Outside the bounds: all on that side of them.
	 */
	struct vmset_range range;
	/* The area that addr is in; start and end are 0 if there is none. */
	struct vmset_area area;
	/* The nearest areas that end at or below addr, and begin above it. */
	struct vmset_area below, above;
	uintptr_t to_below;             /* addr - below.end, if there is one */
	uintptr_t to_above;             /* above.start - addr, if there is one */
	/* From the signal; 0 and NULL from vmset_explain. */
	int signal;                     /* SIGSEGV or SIGBUS */
	int code;                       /* si_code */
	void *context;                  /* the machine's: a ucontext_t */
};

/* What a fault function answers.  Anything else is taken for the first. */
#define VMSET_FAULT_PASS  0u            /* not mended: pass it on */
#define VMSET_FAULT_RETRY 1u            /* mended: let the instruction run */

/* A fault function.  fault is the dispatcher's own, and gone afterwards. */
typedef uint32_t vmset_fault_fn(const struct vmset_fault *fault, void *arg);

/* Let the dispatcher run on the thread's alternate signal stack, if it has one. */
#define VMSET_FAULT_ALTSTACK 1u

/*
 * vmset_fault_install: have the dispatcher take SIGSEGV and SIGBUS.
 *
 * options is VMSET_FAULT_ALTSTACK or 0.  A fault on a stack that has no room
 * left can only be handled on another one: say VMSET_FAULT_ALTSTACK, and
 * vmset_fault_stack in each thread where that matters.  The handlers from
 * before then run there, too.
 *
 * Calls are counted.  While the dispatcher is in place, another call only counts,
 * and adds its option.  Where a signal has meanwhile been given SIG_DFL or
 * SIG_IGN, the dispatcher takes it again.
 *
 * Any thread, and a signal handler; the handlers are the process's.  A child
 * of fork has them too, exec takes them out.
 *
 * 0, or
 *   -EINVAL  unknown options
 *   -EBUSY   VMSET_FAULT_ALTSTACK comes too late: the dispatcher is there
 *            without it, and somebody else's handler has been put over it
 *   -ENOMEM
 *   -EDEADLK from a signal handler that interrupted one of the functions of
 *            this section
 */
int vmset_fault_install(uint32_t options);

/*
 * vmset_fault_remove: undo one vmset_fault_install.  The last one gives the
 * signals back to the handlers from before.
 *
 * If a handler of somebody else's was put over the dispatcher, that one has
 * the dispatcher's address and goes on calling it.  Then nothing is changed;
 * once the other is out, it can be tried again.  Until then the dispatcher passes
 * on all that is of no set with a fault function.  A signal that somebody has
 * given SIG_DFL or SIG_IGN is left so.
 *
 * A fault that another thread has at the same time is handled by one or the
 * other.  The library must stay loaded until it is handled.
 *
 * 0, or
 *   -ENOENT  it is not installed
 *   -EBUSY   somebody else's handler has been put over it
 *   -EDEADLK as for vmset_fault_install
 */
int vmset_fault_remove(void);

/*
 * vmset_fault_stack: give the calling thread an alternate signal stack with room
 * for size bytes, or, with size 0, take it down again.
 *
 * size is what fault functions and fault operations need, such as 16384; what
 * the kernel and the dispatcher need is added, and 256 KiB for the handlers
 * from before: with VMSET_FAULT_ALTSTACK they run on this stack also if they
 * were installed without SA_ONSTACK, for the thread's own.  Below the stack is
 * a page that nothing may touch.  It is from mmap; what is never used of it
 * takes no memory.
 *
 * Calls nest: the stack that the thread had before, also one of somebody
 * else's, is put aside and comes back.  Take it down before the thread ends:
 * nobody else does.
 *
 * 0, or
 *   -EINVAL  size is more than the address space
 *   -ENOMEM  no memory
 *   -ENOENT  size 0, and the thread's alternate stack is not from here
 *   -EBUSY   the thread is running on its alternate stack
 */
int vmset_fault_stack(size_t size);

/*
 * vmset_on_fault: give the set a fault function, which gets arg; or, with fn
 * NULL, take it out.  A set has one: another replaces it.
 *
 * This is also what has faults at addresses in the set's bounds reach the fault
 * operations of its backends; see vmset_fault_pass.  It does nothing for a
 * set over something that is no memory of the process.
 *
 * Other threads may fault meanwhile: they call the old function or the new one,
 * each with its own arg.  So what arg points to must outlive the calls that
 * are under way.  vmset_destroy takes the function out.
 *
 * 0, or
 *   -EINVAL  set is NULL
 *   -EEXIST  the bounds overlap those of another set that has a fault function
 *   -ENOMEM
 *   -EDEADLK the set is being changed by the same thread; or as for
 *            vmset_fault_install
 */
int vmset_on_fault(struct vmset *set, vmset_fault_fn *fn, void *arg);

/*
 * vmset_fault_pass: a fault function that passes everything on.  For a set whose
 * backends do all: vmset_on_fault(set, vmset_fault_pass, NULL).
 *
 * VMSET_FAULT_PASS, always.
 */
uint32_t vmset_fault_pass(const struct vmset_fault *fault, void *arg);

/*
 * vmset_explain: what is at addr, and why an access there would fault: the
 * account that a fault function gets, outside of one.
 *
 * access is made of VMSET_READ, VMSET_WRITE and VMSET_EXEC: the cause is
 * VMSET_CAUSE_PROTECTED if the area does not allow all of it.  0 stands for an
 * access that is not known, and is taken for both a read and a write.  addr need
 * not be in the bounds.
 *
 * Set fault->size before.  What a later version has behind the members above is
 * zeroed.
 *
 * Lock-free, async-signal-safe; a reader as vmset_find.  All of the answer is of
 * one moment.  While another thread publishes changes faster than it can look
 * around, it looks again.
 *
 * 0, and the account in *fault; or
 *   -EINVAL  a NULL, fault->size too small, unknown bits in access
 */
int vmset_explain(const struct vmset *set, uintptr_t addr, uint32_t access,
		  struct vmset_fault *fault);

/*
 * vmset_fault_text: the account as a line for a log, without a newline, such as
 *
 *     write to 0x7f2a40004010: in a guard, 16 bytes above area
 *     0x7f2a40000000-0x7f2a40004000 rw-
 *
 * (there on one line).  The form may change from version to version.  Stores at
 * most size bytes in text, with a 0 at the end if size is not 0.
 *
 * Async-signal-safe: neither malloc nor stdio.
 *
 * The length of the whole line, whatever of it was stored; 0 for a NULL fault.
 */
size_t vmset_fault_text(const struct vmset_fault *fault, char *text,
			size_t size);

#ifdef __cplusplus
}
#endif

#endif /* VMSET_H */
