/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The public functions: check the arguments, plan, prepare the records, make
 * the calls, publish.
 */
/* These, and nothing else, are seen from outside the library. */
#pragma GCC visibility push(default)
#include "vmset.h"
#pragma GCC visibility pop

#include <errno.h>

#include "apply.h"
#include "backend.h"
#include "dump.h"
#include "entry.h"
#include "fault.h"
#include "internal.h"
#include "place.h"
#include "plan.h"
#include "range.h"
#include "reservation.h"
#include "stats.h"
#include "tree-find.h"
#include "verify.h"

/* ---- arguments ---- */

/* The library's own set behind a const one: for the lock, and for notes. */
static struct vmset *own(const struct vmset *set)
{
	return (struct vmset *)(uintptr_t)set;
}

/*
 * A structure of the caller's that begins with its size may be of a later
 * version, as long as it uses nothing that this one does not know.
 */
static bool fits(const void *given, size_t size, size_t least, size_t known)
{
	const unsigned char *byte = given;

	if (size < least)
		return false;
	for (size_t i = known; i < size; i++)
		if (byte[i])
			return false;
	return true;
}

static bool usable(const struct vmset_backend *backend)
{
	const struct vmset_backend_ops *ops = backend->ops;

	return ops &&
	       fits(ops, ops->size,
		    offsetof(struct vmset_backend_ops, promises),
		    sizeof *ops) &&
	       ops->map && ops->unmap && ops->protect &&
	       !(vmset__promises(backend) & ~VMSET_PROMISES);
}

/* [start, start + size), neither empty nor misaligned. */
static bool make_range(const struct vmset *set, uintptr_t start, size_t size,
		       struct vmset_range *range)
{
	return size && vmset__is_aligned(start | size, set->granule) &&
	       vmset__range_make(start, size, range);
}

/* The same for unmap and protect, which clip a range except in a reservation. */
static bool make_range_clipped(const struct vmset *set, uintptr_t start,
			       size_t size, struct vmset_range *range)
{
	if (!make_range(set, start, size, range))
		return false;
	if (set->reserved)
		return vmset__range_contains(set->bounds, *range);
	*range = vmset__range_clip(*range, set->bounds);
	return true;
}

/* ---- an operation ---- */

#define FEW 32

struct op {
	struct vmset *set;
	struct vmset__plan plan;
	struct vmset__change change;
	/* The left cursor is at the first entry that concerns it, or before. */
	bool sought;
	/* Arrays of the plan: here if few entries are concerned, else there. */
	void *scratch;
	size_t scratch_size;
	struct vmset_area old[FEW];
	struct vmset_area fresh[FEW + VMSET__PLAN_MORE_FRESH];
	struct vmset__step steps[FEW + VMSET__PLAN_MORE_STEPS];
	uint32_t flags[FEW];
};

static inline void op_init(struct op *op, struct vmset *set)
{
	op->set = set;
	op->plan.old = op->old;
	op->plan.old_n = 0;
	op->plan.merge = !(set->options & VMSET_NO_MERGE);
	op->plan.flags = op->flags;
	op->plan.steps = op->steps;
	op->plan.fresh = op->fresh;
	op->change.routed = false;
	op->sought = false;
	op->scratch = NULL;
}

/* Room for more than FEW. */
static bool op_grow(struct op *op, size_t n)
{
	struct vmset__plan *plan = &op->plan;
	size_t fresh = n + VMSET__PLAN_MORE_FRESH;
	size_t steps = n + VMSET__PLAN_MORE_STEPS;
	char *at;

	op->scratch_size = n * sizeof *plan->old + fresh * sizeof *plan->fresh +
			   steps * sizeof *plan->steps +
			   n * sizeof *plan->flags;
	at = op->scratch = vmset__scratch_get(&op->set->tree.slab,
					      &op->scratch_size);
	if (!at)
		return false;
	plan->old = (void *)at;
	at += n * sizeof *plan->old;
	plan->fresh = (void *)at;
	at += fresh * sizeof *plan->fresh;
	plan->steps = (void *)at;
	at += steps * sizeof *plan->steps;
	plan->flags = (void *)at;
	return true;
}

static inline void op_fini(struct op *op)
{
	if (op->scratch)
		vmset__scratch_put(&op->set->tree.slab, op->scratch,
				   op->scratch_size);
}

/* Go to the first entry that meets or touches what begins at start. */
static inline void seek_touching(struct vmset__cursor *cursor,
				 struct vmset *set, uintptr_t start)
{
	vmset__cursor_seek(cursor, &set->tree, vmset__sub_sat(start, 1));
}

/* As gather, when there are n of them, more than FEW. */
__attribute__((noinline)) static int gather_many(struct op *op,
						 struct vmset_range range,
						 size_t n)
{
	if (!op_grow(op, n))
		return vmset__why_no_memory();
	seek_touching(&op->change.left, op->set, range.start);
	vmset__cursor_take(&op->change.left, range.end, op->plan.old, n);
	return 0;
}

/* Give the plan all that meets or touches the range. */
static inline int gather(struct op *op, struct vmset_range range)
{
	struct vmset__cursor *cursor = &op->change.left;
	size_t n;

	if (!op->sought)
		seek_touching(cursor, op->set, range.start);
	n = vmset__cursor_take(cursor, range.end, op->old, FEW);
	op->plan.old_n = n;
	op->change.routed = !cursor->moved;
	return n <= FEW ? 0 : gather_many(op, range, n);
}

/* ---- what cannot be undone ---- */

/*
 * Mark a range as lost.  Needs no memory for what is inside it: the plan gets
 * only the entries at its ends.
 */
static void mark_lost(struct vmset *set, struct vmset_range range,
		      const struct vmset_backend *backend)
{
	struct vmset__splice splice, inside = { .low_end = UINTPTR_MAX };
	struct vmset_area entry;
	struct op op;

	op_init(&op, set);
	seek_touching(&op.change.left, set, range.start);
	while (vmset__cursor_get(&op.change.left, &entry) &&
	       entry.start <= range.end) {
		vmset__cursor_advance(&op.change.left);
		if (!vmset__range_contains(range, vmset__entry_range(&entry))) {
			op.plan.old[op.plan.old_n++] = entry;
			continue;
		}
		if (inside.high_end == 0) {
			inside.cut.start = entry.start;
			inside.low_end = entry.end;
		}
		inside.cut.end = inside.high_end = entry.end;
		inside.len_change -= vmset__is_area(&entry);
	}
	vmset__plan_lost(&op.plan, range, backend);
	splice = op.plan.splice;
	if (inside.high_end) {
		splice.cut.start = vmset__min(splice.cut.start,
					      inside.cut.start);
		splice.cut.end = vmset__max(splice.cut.end, inside.cut.end);
		splice.low_end = vmset__min(splice.low_end, inside.low_end);
		splice.high_end = vmset__max(splice.high_end,
					     inside.high_end);
		splice.len_change += inside.len_change;
	}
	/* With the nodes that were kept this cannot fail. */
	if (!vmset__tree_prepare(&set->tree, &op.change, &splice,
				 VMSET__URGENT))
		vmset__tree_publish(&set->tree, &op.change);
}

static void on_lost(struct vmset_range range,
		    const struct vmset_backend *backend, void *arg)
{
	struct op *op = arg;

	vmset__tree_discard(&op->set->tree, &op->change);
	mark_lost(op->set, range, backend);
}

/* ---- from plan to publication ---- */

static inline int carry_out(struct op *op)
{
	struct vmset__tree *tree = &op->set->tree;
	const struct vmset__splice *splice = &op->plan.splice;
	enum vmset__need need = op->plan.grows ? VMSET__GROWING :
						 VMSET__FREEING;
	bool change = splice->high_end;
	int rc;

	vmset__change_init(&op->change);
	if (change ? vmset__tree_prepare(tree, &op->change, splice, need) :
		     op->plan.steps_n && !vmset__tree_keep(tree))
		return vmset__why_no_memory();
	rc = vmset__apply(&op->plan, &op->set->tally, on_lost, op);
	if (rc)
		vmset__tree_discard(tree, &op->change);
	else if (change)
		vmset__tree_publish(tree, &op->change);
	return rc;
}

/* With guards beside it in what else there is of all. */
static int put_area(struct op *op, const struct vmset_area *area,
		    struct vmset_range all, bool replace)
{
	int rc = gather(op, all);

	if (!rc)
		rc = vmset__plan_map(&op->plan, area, all, replace);
	if (!rc)
		rc = carry_out(op);
	op_fini(op);
	return rc;
}

static int unmap_locked(struct vmset *set, struct vmset_range range)
{
	struct op op;
	int rc;

	op_init(&op, set);
	rc = gather(&op, range);
	if (!rc) {
		vmset__plan_unmap(&op.plan, range);
		rc = carry_out(&op);
	}
	op_fini(&op);
	return rc;
}

/*
 * Whether a protect is of one area that the kernel has apart from all others:
 * nothing has to be cut, so that their number is no reason to refuse.
 */
static bool cuts_nothing(const struct vmset__plan *plan)
{
	const struct vmset__step *step = plan->steps;

	return plan->steps_n == 1 && step->to - step->from == 1 &&
	       !vmset__step_splits(plan, step);
}

static bool joins_any(const struct vmset__plan *plan)
{
	for (size_t i = 0; i < plan->steps_n; i++)
		if (vmset__step_joins(plan, &plan->steps[i]))
			return true;
	return false;
}

/*
 * Where mmap has made one mapping more than the kernel cuts any for, it does not
 * cut those again that a protect has joined.  Whether that is so takes a system
 * call, so it comes last.
 */
static bool cannot_undo(const struct op *op)
{
	return op->set->reserved && !cuts_nothing(&op->plan) &&
	       joins_any(&op->plan) && vmset__no_mmap_fits();
}

static int update_locked(struct vmset *set, struct vmset_range range,
			 vmset_update_fn *fn, void *arg)
{
	struct op op;
	int rc;

	op_init(&op, set);
	rc = gather(&op, range);
	if (!rc)
		rc = vmset__plan_protect(&op.plan, range, fn, arg);
	if (!rc && op.plan.steps_n)
		rc = cannot_undo(&op) ? -EMFILE : carry_out(&op);
	op_fini(&op);
	return rc;
}

/*
 * The next areas and lost ranges, from addr on, that one call can unmap, but
 * none of the backend except.  Returns how many; at most is the most wanted.
 */
static size_t next_run(struct vmset *set, uintptr_t addr, size_t at_most,
		       const struct vmset_backend *except,
		       struct vmset_range *run)
{
	const struct vmset_backend *backend = NULL, *its;
	struct vmset__cursor cursor;
	struct vmset_area entry;
	size_t n = 0;

	vmset__cursor_seek(&cursor, &set->tree, addr);
	for (; n < at_most && vmset__cursor_get(&cursor, &entry);
	     vmset__cursor_advance(&cursor)) {
		if (vmset__is_guard(&entry))
			continue;
		its = vmset__entry_backend(&entry);
		if (n && (its != backend || !(vmset__promises(its) &
					      VMSET_BACKEND_SPANS)))
			break;
		if (its == except)
			continue;
		backend = its;
		if (!n++)
			run->start = entry.start;
		run->end = entry.end;
	}
	return n;
}

/*
 * Unmap all in limit but what is of the backend except, in runs of at most so
 * many areas.  A run that is refused is tried area by area.  Returns the first
 * error that left something behind.
 */
static int clear_range(struct vmset *set, struct vmset_range limit,
		       size_t at_most, const struct vmset_backend *except)
{
	struct vmset_range run = { 0, limit.start };
	int first = 0;
	size_t n;

	while ((n = next_run(set, run.end, at_most, except, &run)) &&
	       run.start < limit.end) {
		int rc = unmap_locked(set, run);

		if (rc && n > 1)
			rc = clear_range(set, run, 1, except);
		if (!first)
			first = rc;
	}
	return first;
}

static int clear_locked(struct vmset *set, const struct vmset_backend *except)
{
	return clear_range(set, set->bounds, SIZE_MAX, except);
}

/* ---- sets ---- */

/*
 * What areas of the kernel's are to be in the child of a fork.  Where memory is
 * missing to drop one, its contents go at least, and so they do in a set that
 * can only be read.
 */
static void in_child(struct vmset *set)
{
	struct vmset_range range = { 0, set->bounds.start };
	struct vmset_area area;

	if (!set->reserved || !vmset__kernel_knows_forks())
		return;
	while (vmset__tree_read(&set->tree, range.end, NULL, &area)) {
		range = vmset__entry_range(&area);
		if (area.backend != set->backend ||
		    !(area.flags & VMSET_FORK_FLAGS) ||
		    (area.flags & VMSET_DONTFORK && !set->member.abandoned &&
		     !unmap_locked(set, range)))
			continue;
		vmset__kernel_wipe(range);
	}
}

static int make(struct vmset **set, const struct vmset_config *config,
		bool reserved)
{
	struct vmset__slab slab;
	struct vmset *made = vmset__slab_init(&slab, sizeof *made,
					      vmset__tree_node_size);

	if (!made)
		return vmset__why_no_memory();
	made->tree.slab = slab;
	made->bounds = config->bounds;
	made->granule = config->granule;
	made->backend = config->backend;
	made->options = config->options;
	made->reserved = reserved;
	if (!vmset__tree_init(&made->tree, (struct vmset__plain){
		    config->backend, config->bounds.start }) ||
	    !vmset__enrol(made, in_child)) {
		slab = made->tree.slab;
		vmset__slab_fini(&slab);
		return vmset__why_no_memory();
	}
	*set = made;
	return 0;
}

int vmset_create(struct vmset **set, const struct vmset_config *config)
{
	if (!set || !config ||
	    !fits(config, config->size, sizeof *config, sizeof *config) ||
	    vmset__range_is_empty(config->bounds) ||
	    !vmset__is_power_of_two(config->granule) ||
	    !vmset__is_aligned(config->bounds.start | config->bounds.end,
			       config->granule) ||
	    !config->backend || !usable(config->backend) ||
	    config->options & ~VMSET_NO_MERGE)
		return -EINVAL;
	return make(set, config, false);
}

int vmset_reserve(struct vmset **set, size_t size, uint32_t options)
{
	struct vmset_config config = {
		.size = sizeof config, .granule = vmset__page_size(),
		.backend = &vmset__kernel_backend, .options = options,
	};
	int rc;

	if (!set || !size || !vmset__is_aligned(size, config.granule) ||
	    options & ~VMSET_NO_MERGE)
		return -EINVAL;
	rc = vmset__reservation_get(size, &config.bounds);
	if (rc)
		return rc;
	rc = make(set, &config, true);
	if (rc)
		vmset__reservation_put(config.bounds);
	return rc;
}

/* Take down what is mapped, at one stroke where that is possible. */
static int tear_down(struct vmset *set)
{
	int rc;

	if (set->reserved) {
		rc = clear_locked(set, set->backend);
		return rc ? rc : vmset__reservation_put(set->bounds);
	}
	rc = clear_locked(set, NULL);
	return vmset_is_empty(set) ? 0 : rc;
}

int vmset_destroy(struct vmset *set)
{
	struct vmset__slab slab;
	int rc;

	if (!set)
		return 0;
	rc = vmset__hold(set);
	if (rc)
		return rc;
	rc = vmset__fault_forget(set);
	if (!rc)
		rc = tear_down(set);
	if (rc) {
		vmset__release(set);
		return rc;
	}
	vmset__withdraw(set);
	/* The set lives in the slab. */
	slab = set->tree.slab;
	vmset__slab_fini(&slab);
	return 0;
}

/* ---- changing a set ---- */

static int map_checked(struct vmset *set, const struct vmset_area *area,
		       uint32_t how)
{
	struct op op;
	int rc;

	if (how & ~VMSET_REPLACE || !vmset__knows_flags(area->backend,
							area->flags))
		return -EINVAL;
	rc = vmset__hold(set);
	if (rc)
		return rc;
	op_init(&op, set);
	rc = put_area(&op, area, vmset__entry_range(area),
		      how & VMSET_REPLACE);
	vmset__release(set);
	return rc;
}

int vmset_map(struct vmset *set, uintptr_t start, size_t size, uint32_t flags,
	      uint32_t how)
{
	struct vmset_range range;
	struct vmset_area area;

	if (!set || !make_range(set, start, size, &range) ||
	    !vmset__range_contains(set->bounds, range))
		return -EINVAL;
	vmset__plain_area(&set->tree, range, flags, &area);
	return map_checked(set, &area, how);
}

int vmset_map_area(struct vmset *set, const struct vmset_area *given,
		   uint32_t how)
{
	struct vmset_range range;
	struct vmset_area area;

	if (!set || !given)
		return -EINVAL;
	area = *given;
	range = vmset__entry_range(&area);
	if (vmset__range_is_empty(range) ||
	    !vmset__is_aligned(range.start | range.end, set->granule) ||
	    !vmset__range_contains(set->bounds, range) ||
	    area.offset > UINT64_MAX - vmset__range_size(range))
		return -EINVAL;
	if (!area.backend)
		area.backend = set->backend;
	else if (!usable(area.backend))
		return -EINVAL;
	return map_checked(set, &area, how);
}

int vmset_unmap(struct vmset *set, uintptr_t start, size_t size)
{
	struct vmset_range range;
	int rc;

	if (!set)
		return -EINVAL;
	if (!size)
		return 0;
	if (!make_range_clipped(set, start, size, &range))
		return -EINVAL;
	if (vmset__range_is_empty(range))
		return 0;
	rc = vmset__hold(set);
	if (rc)
		return rc;
	rc = unmap_locked(set, range);
	vmset__release(set);
	return rc;
}

int vmset_update(struct vmset *set, uintptr_t start, size_t size,
		 vmset_update_fn *fn, void *arg)
{
	struct vmset_range range;
	int rc;

	if (!set || !fn || !make_range_clipped(set, start, size, &range))
		return -EINVAL;
	if (vmset__range_is_empty(range))
		return -ENOENT;
	rc = vmset__hold(set);
	if (rc)
		return rc;
	rc = update_locked(set, range, fn, arg);
	vmset__release(set);
	return rc;
}

static bool give_flags(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	(void)old_flags;
	*new_flags = *(const uint32_t *)arg;
	return true;
}

int vmset_protect(struct vmset *set, uintptr_t start, size_t size,
		  uint32_t flags)
{
	return vmset_update(set, start, size, give_flags, &flags);
}

int vmset_clear(struct vmset *set)
{
	int rc;

	if (!set)
		return -EINVAL;
	rc = vmset__hold(set);
	if (rc)
		return rc;
	rc = clear_locked(set, NULL);
	vmset__release(set);
	return rc;
}

/* ---- free room ---- */

static int alloc_locked(struct vmset *set, const struct vmset__wish *wish,
			uint32_t flags, uintptr_t *start)
{
	struct vmset_range range;
	struct vmset_area area;
	struct op op;
	int rc;

	op_init(&op, set);
	rc = vmset__place(set, wish, &range.start, &op.change.left);
	if (rc)
		return rc;
	range.end = range.start + wish->size;
	vmset__plain_area(&set->tree, range, flags, &area);
	op.sought = op.change.left.leaf;
	rc = put_area(&op, &area, (struct vmset_range){
		range.start - wish->guard_before, range.end + wish->guard_after,
	}, false);
	if (!rc)
		*start = range.start;
	return rc;
}

int vmset_alloc(struct vmset *set, size_t size, uint32_t flags,
		const struct vmset_placement *where, uintptr_t *start)
{
	const struct vmset_placement lowest = { .size = sizeof lowest };
	struct vmset__wish wish;
	int rc;

	if (!where)
		where = &lowest;
	if (!set || !start || !vmset__is_aligned(size, set->granule) ||
	    !vmset__knows_flags(set->backend, flags) ||
	    !fits(where, where->size, sizeof *where, sizeof *where) ||
	    !vmset__is_aligned(where->guard_before | where->guard_after,
			       set->granule))
		return -EINVAL;
	wish = (struct vmset__wish){
		.policy = where->policy, .size = size, .hint = where->hint,
		.limit = where->limit, .align = where->align,
		.guard_before = where->guard_before,
		.guard_after = where->guard_after,
	};
	rc = vmset__wish_check(set, &wish);
	if (!rc)
		rc = vmset__hold(set);
	if (rc)
		return rc;
	rc = alloc_locked(set, &wish, flags, start);
	vmset__release(set);
	return rc;
}

int vmset_find_free_area(const struct vmset *set, uintptr_t hint, size_t size,
			 struct vmset_range limit, size_t align,
			 uintptr_t *start)
{
	struct vmset__wish wish = {
		.policy = VMSET_LOWEST, .size = size, .hint = hint,
		.limit = limit, .align = align,
	};
	int rc;

	if (!set || !start)
		return -EINVAL;
	rc = vmset__wish_check(set, &wish);
	if (!rc)
		rc = vmset__hold(own(set));
	if (rc)
		return rc;
	rc = vmset__place(own(set), &wish, start, NULL);
	vmset__release(own(set));
	return rc;
}

/* ---- reading ---- */

int vmset_next(const struct vmset *set, uintptr_t addr,
	       struct vmset_area *area)
{
	struct vmset_area entry;

	if (!set)
		return -EINVAL;
	if (!vmset__tree_read(&set->tree, addr, vmset__is_hidden, &entry))
		return -ENOENT;
	if (area)
		*area = entry;
	return 0;
}

int vmset_find(const struct vmset *set, uintptr_t addr,
	       struct vmset_area *area)
{
	if (!set)
		return -EINVAL;
	return vmset__tree_find(&set->tree, addr, area);
}

int vmset_iter_init(struct vmset_iter *iter, const struct vmset *set,
		    uintptr_t addr)
{
	if (!iter || !set)
		return -EINVAL;
	iter->set = set;
	iter->addr = addr;
	iter->at = iter->n = 0;
	return 0;
}

bool vmset_iter_fill(struct vmset_iter *iter)
{
	iter->at = 0;
	iter->n = vmset__tree_read_areas(&iter->set->tree, &iter->addr,
					 iter->areas, VMSET_ITER_AREAS);
	return iter->n;
}

size_t vmset_next_ranges(const struct vmset *set, uintptr_t *addr,
			 struct vmset_range *ranges, size_t max)
{
	if (!set || !addr || !ranges || !max)
		return 0;
	return vmset__tree_read_ranges(&set->tree, addr, ranges, max);
}

bool vmset_overlaps(const struct vmset *set, uintptr_t start, size_t size)
{
	struct vmset_area entry;

	return set && size &&
	       vmset__tree_read(&set->tree, start, NULL, &entry) &&
	       entry.start < vmset__add_sat(start, size);
}

size_t vmset_len(const struct vmset *set)
{
	return set ? vmset__tree_read_len(&set->tree) : 0;
}

bool vmset_is_empty(const struct vmset *set)
{
	return vmset_len(set) == 0;
}

struct vmset_range vmset_bounds(const struct vmset *set)
{
	return set ? set->bounds : (struct vmset_range){ 0, 0 };
}

size_t vmset_granule(const struct vmset *set)
{
	return set ? set->granule : 0;
}

int vmset_dump(const struct vmset *set, FILE *out)
{
	return set && out ? vmset__dump(set, out) : -EINVAL;
}

int vmset_verify(const struct vmset *set, struct vmset_mismatch *first)
{
	struct vmset_mismatch ignored;
	int rc;

	if (!set)
		return -EINVAL;
	rc = vmset__hold(own(set));
	if (rc)
		return rc;
	rc = vmset__verify(set, first ? first : &ignored);
	vmset__release(own(set));
	return rc;
}

int vmset_stats(const struct vmset *set, struct vmset_stats *stats,
		uint32_t how)
{
	int rc;

	if (!set || !stats || stats->size < VMSET__STATS_LEAST ||
	    how & ~VMSET_COUNT_MAPPINGS)
		return -EINVAL;
	rc = vmset__hold(own(set));
	if (rc)
		return rc;
	rc = vmset__stats(set, stats, how);
	vmset__release(own(set));
	return rc;
}
