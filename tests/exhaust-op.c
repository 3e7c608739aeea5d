/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Operations of exhaustive tests.
 */
#include "exhaust-op.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- update functions ---- */

/* What an update function works on. */
struct asked {
	const struct op *op;
	unsigned int flags;             /* how many of world_flags there are */
	struct answer *answer;
};

static uint8_t next_flags(uint8_t old, unsigned int n)
{
	unsigned int i = 0;

	while (i < n && world_flags[i] != old)
		i++;
	return world_flags[(i + 1) % n];
}

static bool update(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	const struct asked *asked = arg;
	unsigned int number = asked->answer->asked++, way = asked->op->names;
	uint8_t old = (uint8_t)old_flags, known = world_named(way, old);

	asked->answer->old[number % UNITS_MAX] = old;
	switch (asked->op->update) {
	case 0:
		*new_flags = world_name(way, next_flags(known, asked->flags));
		return true;
	case 1:
		*new_flags = world_name(way, world_flags[asked->flags - 1]);
		return known == world_flags[0];
	case 2:
		*new_flags = world_name(way, world_flags[0]);
		return number % 2;
	case 3:
		*new_flags = old_flags;
		return true;
	default:
		*new_flags = ~old_flags;
		return false;
	}
}

/* What vmset_protect does, said with vmset_update. */
static bool protect(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	const struct asked *asked = arg;

	(void)old_flags;
	*new_flags = asked->op->like.flags;
	return true;
}

/* ---- on a set, and on the model ---- */

static int map_area(const struct op *op, const struct world *world)
{
	struct vmset_area area = world_area(world, &op->like, op->start,
					    op->size);

	if (!op->like.backend)
		area.backend = NULL;
	return vmset_map_area(world->set, &area, op->how);
}

static void start_answer(struct answer *answer)
{
	answer->start = OP_NO_START;
	answer->asked = 0;
}

void op_on_set(const struct op *op, const struct world *world,
	       struct answer *got)
{
	struct asked asked = { op, world->space->flags, got };
	struct vmset *set = world->set;

	start_answer(got);
	switch (op->call) {
	case OP_MAP:
		got->rc = vmset_map(set, op->start, op->size, op->like.flags,
				    op->how);
		break;
	case OP_MAP_AREA:
		got->rc = map_area(op, world);
		break;
	case OP_UNMAP:
		got->rc = vmset_unmap(set, op->start, op->size);
		break;
	case OP_PROTECT:
		got->rc = vmset_protect(set, op->start, op->size,
					op->like.flags);
		break;
	case OP_UPDATE:
		got->rc = vmset_update(set, op->start, op->size, update,
				       &asked);
		break;
	case OP_ALLOC:
		got->rc = vmset_alloc(set, op->size, op->like.flags,
				      op->where.size ? &op->where : NULL,
				      &got->start);
		break;
	case OP_FIND_FREE:
		got->rc = vmset_find_free_area(set, op->where.hint, op->size,
					       op->where.limit,
					       op->where.align, &got->start);
		break;
	case OP_CLEAR:
		got->rc = vmset_clear(set);
		break;
	}
}

static int place_in_model(const struct op *op, struct units *model,
			  const struct answer *got, uintptr_t *start)
{
	struct vmset_placement where = op->where;

	/* A random place is right if it is the lowest from itself on. */
	if (where.policy == VMSET_RANDOM && !got->rc) {
		where.policy = VMSET_LOWEST;
		where.hint = got->start;
	}
	return units_place(model, &where, op->size, start);
}

static int alloc_in_model(const struct op *op, struct units *model,
			  const struct answer *got, uintptr_t *start)
{
	int rc = place_in_model(op, model, got, start);

	if (rc)
		return rc;
	return units_map(model, *start, op->size, op->like, false,
			 op->where.guard_before, op->where.guard_after);
}

void op_on_model(const struct op *op, const struct world *world,
		 struct units *model, const struct answer *got,
		 struct answer *want)
{
	struct asked asked = { op, world->space->flags, want };

	start_answer(want);
	switch (op->call) {
	case OP_MAP:
	case OP_MAP_AREA:
		want->rc = op->how & ~VMSET_REPLACE ? -EINVAL :
			units_map(model, op->start, op->size, op->like,
				  op->how, false, false);
		break;
	case OP_UNMAP:
		want->rc = units_unmap(model, op->start, op->size);
		break;
	case OP_PROTECT:
		want->rc = units_update(model, op->start, op->size, protect,
					&asked);
		break;
	case OP_UPDATE:
		want->rc = units_update(model, op->start, op->size, update,
					&asked);
		break;
	case OP_ALLOC:
		want->rc = alloc_in_model(op, model, got, &want->start);
		break;
	case OP_FIND_FREE:
		want->rc = place_in_model(op, model, got, &want->start);
		break;
	case OP_CLEAR:
		want->rc = units_unmap(model, model->origin, model->count);
		break;
	}
}

/* ---- as text ---- */

static void print_placement(const struct op *op, FILE *out)
{
	static const char *const policies[] = { "LOWEST", "HIGHEST", "NEAREST",
						"BEST_FIT", "RANDOM" };
	const struct vmset_placement *where = &op->where;

	fprintf(out, "vmset_alloc(set, %zu, %u, ", op->size, op->like.flags);
	if (!where->size) {
		fprintf(out, "NULL, &start)");
		return;
	}
	fprintf(out, "{ .policy = ");
	if (where->policy <= VMSET_RANDOM)
		fprintf(out, "VMSET_%s", policies[where->policy]);
	else
		fprintf(out, "%" PRIu32, where->policy);
	fprintf(out, ", .hint = %#" PRIxPTR ", .limit = { %#" PRIxPTR ", %#"
		PRIxPTR " }, .align = %zu, .guard_before = %zu, "
		".guard_after = %zu }, &start)", where->hint,
		where->limit.start, where->limit.end, where->align,
		where->guard_before, where->guard_after);
}

static void print_update(const struct op *op, const struct space *space,
			 FILE *out)
{
	static const char *const updates[OP_UPDATES] = {
		"the next flags", "the last flags for the first",
		"the first flags for every second area", "the old flags",
		"false",
	};

	fprintf(out, "vmset_update(set, %#" PRIxPTR ", %zu, …) to %s, of",
		op->start, op->size, updates[op->update]);
	for (unsigned int i = 0; i < space->flags; i++)
		fprintf(out, " %u", world_name(op->names, world_flags[i]));
}

void op_print(const struct op *op, const struct space *space, FILE *out)
{
	switch (op->call) {
	case OP_MAP:
		fprintf(out, "vmset_map(set, %#" PRIxPTR ", %zu, %u, %" PRIu32
			")", op->start, op->size, op->like.flags, op->how);
		break;
	case OP_MAP_AREA:
		fprintf(out, "vmset_map_area(set, { %#" PRIxPTR ", %#" PRIxPTR
			", flags %u, backend %u, offset class %u, data %u }, %"
			PRIu32 ")", op->start, op->start + op->size,
			op->like.flags, op->like.backend, op->like.shift,
			op->like.data, op->how);
		break;
	case OP_UNMAP:
		fprintf(out, "vmset_unmap(set, %#" PRIxPTR ", %zu)", op->start,
			op->size);
		break;
	case OP_PROTECT:
		fprintf(out, "vmset_protect(set, %#" PRIxPTR ", %zu, %u)",
			op->start, op->size, op->like.flags);
		break;
	case OP_UPDATE:
		print_update(op, space, out);
		break;
	case OP_ALLOC:
		print_placement(op, out);
		break;
	case OP_FIND_FREE:
		fprintf(out, "vmset_find_free_area(set, %#" PRIxPTR ", %zu, "
			"{ %#" PRIxPTR ", %#" PRIxPTR " }, %zu, &start)",
			op->where.hint, op->size, op->where.limit.start,
			op->where.limit.end, op->where.align);
		break;
	case OP_CLEAR:
		fprintf(out, "vmset_clear(set)");
		break;
	}
}

/* ---- all of them ---- */

struct each {
	const struct space *space;
	op_fn *fn;
	void *arg;
	struct op op;
};

static void emit(struct each *each)
{
	each->fn(&each->op, each->arg);
}

static void each_update(struct each *each)
{
	each->op.call = OP_PROTECT;
	for (unsigned int f = 0; f < each->space->flags; f++) {
		each->op.like.flags = world_flags[f];
		emit(each);
	}
	each->op.call = OP_UPDATE;
	for (unsigned int u = 0; u < OP_UPDATES; u++) {
		each->op.update = u;
		for (unsigned int way = 0; way < each->space->names; way++) {
			each->op.names = way;
			emit(each);
		}
	}
}

/* With each flag for how, and one that is unknown. */
static void each_map(struct each *each)
{
	const struct unit *like = &each->op.like;
	bool plain = !like->backend && !like->shift && !like->data;

	for (each->op.how = 0; each->op.how <= 2; each->op.how++) {
		each->op.call = OP_MAP_AREA;
		emit(each);
		each->op.call = OP_MAP;
		if (plain)
			emit(each);
	}
}

/* What an area can be, by number. */
static bool like_number(const struct space *space, unsigned int number,
			struct unit *like)
{
	*like = (struct unit){ .kind = AREA };
	like->flags = world_flags[number % space->flags];
	number /= space->flags;
	like->backend = (uint8_t)(number % space->backends);
	number /= space->backends;
	like->shift = space->shifts && number % 2;
	number /= 1u + space->shifts;
	like->data = space->datas && number % 2;
	return number < 1u + space->datas;
}

/* What is not inside the bounds is refused, so one kind of area will do. */
static void each_range_at(struct each *each, uintptr_t start, size_t size,
			  bool inside)
{
	each->op = (struct op){ .start = start, .size = size };
	each->op.call = OP_UNMAP;
	emit(each);
	for (unsigned int n = 0; n == 0 || inside; n++) {
		if (!like_number(each->space, n, &each->op.like))
			break;
		each_map(each);
	}
	each_update(each);
}

/* Every range, also empty, also one unit beyond the bounds. */
static void each_range(struct each *each)
{
	unsigned int units = each->space->units;

	for (unsigned int s = 0; s <= units + 1; s++) {
		for (unsigned int e = s; e <= units + 2; e++)
			each_range_at(each, each->space->origin + s - 1, e - s,
				      s && s < e && e <= units + 1);
	}
}

static void each_hint(struct each *each)
{
	const struct space *space = each->space;

	each->op.where.hint = 0;
	emit(each);
	if (each->op.where.policy > VMSET_NEAREST)
		return;
	for (unsigned int i = 0; i <= space->units + 2; i++) {
		each->op.where.hint = space->origin + i - 1;
		emit(each);
	}
}

/* Limits that reach beyond one end of the bounds, and end anywhere inside. */
static void each_straddling_limit(struct each *each, unsigned int step)
{
	const struct space *space = each->space;
	struct vmset_range *limit = &each->op.where.limit;

	for (unsigned int i = 0; i <= space->units; i += step) {
		limit->start = space->origin - 1;
		limit->end = space->origin + i;
		each_hint(each);
		limit->start = space->origin + i;
		limit->end = space->origin + space->units + 1;
		each_hint(each);
	}
}

/*
 * One limit reaches beyond both ends of the bounds, and one is none.  In large
 * spaces there are too many.
 */
static void each_limit(struct each *each, bool all)
{
	const struct space *space = each->space;
	unsigned int step = 1 + space->units / 12;
	struct vmset_range *limit = &each->op.where.limit;

	*limit = (struct vmset_range){ 0, 0 };
	each_hint(each);
	if (!all)
		return;
	*limit = (struct vmset_range){ 0, UINTPTR_MAX };
	each_hint(each);
	for (unsigned int s = 0; s <= space->units; s += step) {
		for (unsigned int e = s; e <= space->units; e += step) {
			limit->start = space->origin + s;
			limit->end = space->origin + e;
			each_hint(each);
		}
	}
	limit->start = limit->end + 1;
	each_hint(each);
	if (space->limits)
		each_straddling_limit(each, step);
}

/* Whether half the alignment allows an address that this one does not. */
static bool differs(const struct space *space, size_t align)
{
	uintptr_t at = space->origin, end = space->origin + space->units;

	while (at < end && at % align != align / 2)
		at++;
	return at < end;
}

/* None, every alignment that makes a difference, and one that is wrong. */
static void each_align(struct each *each, bool all)
{
	const struct space *space = each->space;

	for (size_t align = 0; align <= UNITS_MAX; align++) {
		bool power = !(align & (align - 1));

		if (align > 1 && !(power && differs(space, align)) &&
		    !(align == 3 && space->limits))
			continue;
		each->op.where.align = align;
		each_limit(each, all);
	}
}

static void each_alloc(struct each *each)
{
	const struct space *space = each->space;
	struct vmset_placement *where = &each->op.where;
	unsigned int flags = space->limits ? 1 : space->flags;
	unsigned int guards = space->guards ? 4 : 1;

	where->size = sizeof(*where);
	each->op.call = OP_ALLOC;
	each->op.like.kind = AREA;
	for (unsigned int f = 0; f < flags; f++) {
		each->op.like.flags = world_flags[f];
		for (unsigned int g = 0; g < guards; g++) {
			where->guard_before = g % 2;
			where->guard_after = g / 2;
			each_align(each, space->limits);
		}
	}
}

static void each_placement(struct each *each)
{
	const struct space *space = each->space;

	for (size_t size = 0; size <= space->units + 1; size++) {
		each->op = (struct op){ .call = OP_ALLOC, .size = size,
					.like.kind = AREA };
		for (unsigned int f = 0; f < space->flags; f++) {
			each->op.like.flags = world_flags[f];
			emit(each);
		}
		each->op = (struct op){ .call = OP_FIND_FREE, .size = size };
		each_align(each, true);
		for (uint32_t policy = 0; policy <= VMSET_RANDOM + 1;
		     policy++) {
			each->op.where.policy = policy;
			each_alloc(each);
		}
	}
}

void op_for_each(const struct space *space, op_fn *fn, void *arg)
{
	struct each each = { .space = space, .fn = fn, .arg = arg };

	each_placement(&each);
	each_range(&each);
	each.op = (struct op){ .call = OP_CLEAR };
	emit(&each);
}
