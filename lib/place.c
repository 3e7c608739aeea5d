/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Placement.  What is searched for is a block: the area with its guards.
 */
#include "place.h"

#include <errno.h>
#include <sys/random.h>

#include "range.h"

static size_t block_size(const struct vmset__wish *wish)
{
	return wish->guard_before + wish->size + wish->guard_after;
}

int vmset__wish_check(const struct vmset *set, struct vmset__wish *wish)
{
	if (!wish->align)
		wish->align = set->granule;
	if (!wish->size || wish->policy > VMSET_RANDOM ||
	    !vmset__is_power_of_two(wish->align) ||
	    wish->align < set->granule ||
	    wish->limit.start > wish->limit.end ||
	    wish->guard_before > SIZE_MAX - wish->size ||
	    wish->guard_after > SIZE_MAX - wish->size - wish->guard_before)
		return -EINVAL;
	if (!wish->limit.end)
		wish->limit = set->bounds;
	wish->limit = vmset__range_clip(wish->limit, set->bounds);
	return 0;
}

/* First in a direction inside the window: the gap, and the block in it. */
static bool first_fit(struct vmset *set, const struct vmset__fit *fit,
		      enum vmset__direction direction, struct vmset_range *gap,
		      uintptr_t *block)
{
	if (!vmset__tree_find_gap(&set->tree, fit, direction, gap))
		return false;
	vmset__fit_in(fit, *gap, direction, block);
	return true;
}

static bool lowest(struct vmset *set, const struct vmset__wish *wish,
		   struct vmset__fit fit, uintptr_t *block)
{
	struct vmset_range gap;

	fit.window.start =
		vmset__max(fit.window.start,
			   vmset__sub_sat(wish->hint, wish->guard_before));
	return first_fit(set, &fit, VMSET__UP, &gap, block);
}

static bool highest(struct vmset *set, const struct vmset__wish *wish,
		    struct vmset__fit fit, uintptr_t *block)
{
	size_t rest = wish->size + wish->guard_after;
	struct vmset_range gap;

	fit.window.end = vmset__min(fit.window.end,
				    vmset__add_sat(wish->hint, rest));
	return first_fit(set, &fit, VMSET__DOWN, &gap, block);
}

static bool nearest(struct vmset *set, const struct vmset__wish *wish,
		    struct vmset__fit fit, uintptr_t *block)
{
	uintptr_t above, below;
	bool is_above = lowest(set, wish, fit, &above);
	bool is_below = highest(set, wish, fit, &below);

	if (is_above && is_below)
		is_below = wish->hint - (below + wish->guard_before) <=
			   above + wish->guard_before - wish->hint;
	*block = is_below ? below : is_above ? above : 0;
	return is_above || is_below;
}

static bool best_fit(struct vmset *set, struct vmset__fit fit,
		     uintptr_t *block)
{
	size_t best = SIZE_MAX;
	struct vmset_range gap;
	uintptr_t at;
	bool found = false;

	while (best > fit.size &&
	       first_fit(set, &fit, VMSET__UP, &gap, &at)) {
		if (!found || vmset__range_size(gap) < best) {
			best = vmset__range_size(gap);
			*block = at;
			found = true;
		}
		fit.window.start = gap.end;
	}
	return found;
}

/*
 * A number from 0 to greatest, which is not all that there are.  false: the
 * kernel has no random numbers.
 */
static bool draw(uintptr_t greatest, uintptr_t *number)
{
	if (getrandom(number, sizeof *number, 0) != sizeof *number)
		return false;
	*number %= greatest + 1;
	return true;
}

/*
 * Drop a pin, take the first gap from there on that is large enough (or the
 * last of all), and any place in it.
 */
static int at_random(struct vmset *set, struct vmset__fit fit,
		     uintptr_t *block)
{
	struct vmset__fit from_pin = fit;
	struct vmset_range gap;
	uintptr_t pin, low, high, step;

	if (vmset__range_is_empty(fit.window) ||
	    vmset__range_size(fit.window) < fit.size)
		return -ENOSPC;
	if (!draw(vmset__range_size(fit.window) - fit.size, &pin))
		return -ENOSYS;
	from_pin.window.start += pin;
	if (first_fit(set, &from_pin, VMSET__UP, &gap, &low))
		fit.window.end = gap.end;
	/* The whole of the gap, also what is below the pin. */
	if (!first_fit(set, &fit, VMSET__DOWN, &gap, &high))
		return -ENOSPC;
	vmset__fit_in(&fit, gap, VMSET__UP, &low);
	if (!draw((high - low) / fit.align, &step))
		return -ENOSYS;
	*block = low + step * fit.align;
	return 0;
}

int vmset__place(struct vmset *set, const struct vmset__wish *wish,
		 uintptr_t *start, struct vmset__cursor *below)
{
	struct vmset__fit fit = {
		.window = wish->limit, .size = block_size(wish),
		.align = wish->align, .lead = wish->guard_before,
		.grain = set->granule,
	};
	struct vmset__wish top;
	uintptr_t block = 0;
	int rc = 0;

	if (below)
		below->leaf = NULL;
	if (wish->policy == VMSET_LOWEST || wish->policy == VMSET_HIGHEST)
		fit.below = below;
	switch (wish->policy) {
	case VMSET_LOWEST:
		rc = lowest(set, wish, fit, &block) ? 0 : -ENOSPC;
		break;
	case VMSET_HIGHEST:
		top = *wish;
		if (!top.hint)
			top.hint = UINTPTR_MAX;
		rc = highest(set, &top, fit, &block) ? 0 : -ENOSPC;
		break;
	case VMSET_NEAREST:
		rc = nearest(set, wish, fit, &block) ? 0 : -ENOSPC;
		break;
	case VMSET_BEST_FIT:
		rc = best_fit(set, fit, &block) ? 0 : -ENOSPC;
		break;
	default:
		rc = at_random(set, fit, &block);
	}
	if (!rc)
		*start = block + wish->guard_before;
	return rc;
}
