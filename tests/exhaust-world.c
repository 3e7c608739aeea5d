/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Building, checking and restoring small worlds.
 */
#include "exhaust-world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "internal.h"

/* How far a shifted offset is from that of vmset_map. */
#define SHIFT 0x1000u

const uint8_t world_flags[MAX_FLAGS] = { 1, 0, 3 };

/* By way, and by the place in world_flags. */
static const uint8_t names[WORLD_NAMES_ALL][MAX_FLAGS] = {
	{ 1, 0, 3 }, { 3, 0, 1 }, { 0, 1, 3 }, { 1, 3, 0 }, { 0, 3, 1 },
	{ 3, 1, 0 },
};

static uint8_t translate(const uint8_t *from, const uint8_t *to, uint8_t what)
{
	unsigned int i = 0;

	while (i < MAX_FLAGS - 1 && from[i] != what)
		i++;
	return to[i];
}

uint8_t world_name(unsigned int way, uint8_t flags)
{
	return translate(world_flags, names[way], flags);
}

uint8_t world_named(unsigned int way, uint8_t name)
{
	return translate(names[way], world_flags, name);
}

/* What the data of areas points to. */
static char pointed_to;

void world_open(struct world *world, const struct space *space)
{
	struct vmset_range bounds = { space->origin,
				      space->origin + space->units };

	*world = (struct world){ .space = space };
	mock_init(&world->mock, bounds, 1);
	for (unsigned int i = 0; i < MOCK_BACKENDS; i++)
		world->mock.backends[i].ops.promises = space->promises[i];
}

const char *world_close(struct world *world)
{
	mock_heal(&world->mock);
	world->mock.forgiving = true;
	if (vmset_destroy(world->set))
		return "vmset_destroy fails";
	if (arena_live())
		return "vmset_destroy leaves memory behind";
	mock_free(&world->mock);
	free(world->image.bytes);
	return NULL;
}

/* ---- checking ---- */

/* The entries that the model stands for. */
struct listing {
	struct vmset_area entry[UNITS_MAX];
	enum vmset__kind kind[UNITS_MAX];
	unsigned int n;
	size_t areas;
};

static enum vmset__kind kind_of(const struct unit *unit)
{
	switch (unit->kind) {
	case GUARD_BEFORE:
		return VMSET__GUARD_BEFORE;
	case GUARD_AFTER:
		return VMSET__GUARD_AFTER;
	case LOST:
		return VMSET__LOST;
	default:
		return VMSET__AREA;
	}
}

struct vmset_area world_area(const struct world *world,
			     const struct unit *unit, uintptr_t start,
			     size_t size)
{
	return (struct vmset_area){
		.start = start,
		.end = start + size,
		.flags = unit->flags,
		.backend = mock_backend(&world->mock, unit->backend),
		.offset = start - world->space->origin + unit->shift * SHIFT,
		.data = unit->data ? &pointed_to : NULL,
	};
}

/* The area that begins with unit s. */
static struct vmset_area area_at(const struct world *world,
				 const struct units *model, unsigned int s)
{
	return world_area(world, &model->unit[s], model->origin + s,
			  units_end(model, s) - s);
}

static void list(struct listing *list, const struct world *world,
		 const struct units *model)
{
	list->n = 0;
	list->areas = 0;
	for (unsigned int i = 0; i < model->count; i++) {
		if (!model->unit[i].first)
			continue;
		list->entry[list->n] = area_at(world, model, i);
		list->kind[list->n++] = kind_of(&model->unit[i]);
		list->areas += model->unit[i].kind == AREA;
	}
}

static bool same_area(const struct vmset_area *a, const struct vmset_area *b)
{
	return a->start == b->start && a->end == b->end &&
	       a->flags == b->flags && a->backend == b->backend &&
	       a->offset == b->offset && a->data == b->data;
}

static bool same_entry(const struct vmset_area *wanted, enum vmset__kind kind,
		       const struct vmset_area *is)
{
	if (kind == VMSET__AREA)
		return same_area(wanted, is);
	return vmset__kind(is) == kind && wanted->start == is->start &&
	       wanted->end == is->end &&
	       (kind != VMSET__LOST ||
		vmset__entry_backend(is) == wanted->backend);
}

/* The tree's entries, with what no reader shows. */
static const char *check_entries(struct world *world,
				 const struct listing *list)
{
	struct vmset__cursor cursor;
	struct vmset_area entry;

	vmset__cursor_seek(&cursor, &world->set->tree, 0);
	if (world->depth < cursor.level + 1)
		world->depth = cursor.level + 1;
	for (unsigned int i = 0; i < list->n; i++) {
		if (!vmset__cursor_get(&cursor, &entry) ||
		    !same_entry(&list->entry[i], list->kind[i], &entry))
			return "an entry is not as the model has it";
		vmset__cursor_advance(&cursor);
	}
	if (vmset__cursor_get(&cursor, &entry))
		return "there is an entry too many";
	return NULL;
}

/*
 * What lies around an address, by index into the listing; n: nothing.  Areas
 * may be the one that the address is in, and those beside it.
 */
struct around {
	unsigned int entry;             /* the first that ends above it */
	unsigned int next, below, above;
	bool taken, area;               /* it is in the entry; in an area */
};

static void look_around(const struct listing *list, uintptr_t addr,
			struct around *around)
{
	unsigned int n = list->n;

	*around = (struct around){ n, n, n, n, false, false };
	for (unsigned int i = n; i-- > 0;) {
		const struct vmset_area *entry = &list->entry[i];
		bool area = list->kind[i] == VMSET__AREA;

		if (entry->end > addr)
			around->entry = i;
		if (area && entry->end > addr)
			around->next = i;
		if (area && entry->start > addr)
			around->above = i;
		if (area && entry->end <= addr && around->below == n)
			around->below = i;
	}
	around->taken = around->entry < n &&
			list->entry[around->entry].start <= addr;
	around->area = around->taken &&
		       list->kind[around->entry] == VMSET__AREA;
}

/* What vmset_find, vmset_next and vmset_overlaps say. */
static bool read_right(const struct vmset *set, const struct listing *list,
		       const struct around *around, uintptr_t addr)
{
	bool next = around->next < list->n;
	struct vmset_area area;

	if (vmset_find(set, addr, &area) != (around->area ? 0 : -ENOENT) ||
	    (around->area && !same_area(&list->entry[around->entry], &area)))
		return false;
	if (vmset_next(set, addr, &area) != (next ? 0 : -ENOENT) ||
	    (next && !same_area(&list->entry[around->next], &area)))
		return false;
	return vmset_overlaps(set, addr, 1) == around->taken;
}

/* A walk has all areas from the next one on, and ends. */
static bool walk_right(const struct vmset *set, const struct listing *list,
		       const struct around *around, uintptr_t addr)
{
	const struct vmset_area *area;
	struct vmset_iter iter;

	if (vmset_iter_init(&iter, set, addr))
		return false;
	for (unsigned int i = around->next; i < list->n; i++) {
		if (list->kind[i] != VMSET__AREA)
			continue;
		area = vmset_iter_next(&iter);
		if (!area || !same_area(&list->entry[i], area))
			return false;
	}
	return !vmset_iter_next(&iter);
}

/* The same for their ranges, a few at a time. */
static bool ranges_right(const struct vmset *set, const struct listing *list,
			 const struct around *around, uintptr_t addr)
{
	struct vmset_range ranges[3];
	size_t at = 0, n = 0;

	for (unsigned int i = around->next; i < list->n; i++) {
		if (list->kind[i] != VMSET__AREA)
			continue;
		if (at == n) {
			n = vmset_next_ranges(set, &addr, ranges, 3);
			at = 0;
		}
		if (at == n || ranges[at].start != list->entry[i].start ||
		    ranges[at].end != list->entry[i].end)
			return false;
		at++;
	}
	return at == n && !vmset_next_ranges(set, &addr, ranges, 3);
}

static uint32_t cause_at(const struct listing *list,
			 const struct around *around, uint32_t access)
{
	enum vmset__kind kind;

	if (!around->taken)
		return VMSET_CAUSE_FREE;
	kind = list->kind[around->entry];
	if (kind == VMSET__LOST)
		return VMSET_CAUSE_LOST;
	if (kind != VMSET__AREA)
		return VMSET_CAUSE_GUARD;
	return access & ~list->entry[around->entry].flags ?
		       VMSET_CAUSE_PROTECTED : VMSET_CAUSE_ALLOWED;
}

/* The entry, or what is free between its neighbours. */
static struct vmset_range range_at(const struct units *model,
				   const struct listing *list,
				   const struct around *around)
{
	unsigned int i = around->entry;
	struct vmset_range range = { model->origin,
				     model->origin + model->count };

	if (around->taken)
		return (struct vmset_range){ list->entry[i].start,
					     list->entry[i].end };
	if (i)
		range.start = list->entry[i - 1].end;
	if (i < list->n)
		range.end = list->entry[i].start;
	return range;
}

/* Whether it is the area with the number, or zeros where there is none. */
static bool is_entry(const struct listing *list, unsigned int number,
		     const struct vmset_area *is)
{
	const struct vmset_area none = { 0 };

	return same_area(number < list->n ? &list->entry[number] : &none, is);
}

/* What vmset_explain says of an address inside the bounds. */
static bool explain_right(const struct vmset *set, const struct units *model,
			  const struct listing *list,
			  const struct around *around, uintptr_t addr)
{
	uint32_t access = 1u << addr % 2;       /* to read, or to write */
	struct vmset_range range = range_at(model, list, around);
	struct vmset_fault fault = { .size = sizeof(fault) };
	uintptr_t below = 0, above = 0;

	if (around->below < list->n)
		below = addr - list->entry[around->below].end;
	if (around->above < list->n)
		above = list->entry[around->above].start - addr;
	return vmset_explain(set, addr, access, &fault) == 0 &&
	       fault.set == set && fault.addr == addr &&
	       fault.access == access &&
	       fault.cause == cause_at(list, around, access) &&
	       fault.range.start == range.start &&
	       fault.range.end == range.end &&
	       is_entry(list, around->area ? around->entry : list->n,
			&fault.area) &&
	       is_entry(list, around->below, &fault.below) &&
	       is_entry(list, around->above, &fault.above) &&
	       fault.to_below == below && fault.to_above == above;
}

static const char *check_readers(const struct world *world,
				 const struct listing *list,
				 const struct units *model)
{
	struct around around;

	if (vmset_len(world->set) != list->areas ||
	    vmset_is_empty(world->set) != !list->areas)
		return "vmset_len or vmset_is_empty";
	for (unsigned int i = 0; i < model->count; i++) {
		uintptr_t addr = model->origin + i;

		look_around(list, addr, &around);
		if (!read_right(world->set, list, &around, addr))
			return "vmset_find, vmset_next or vmset_overlaps";
		if (!walk_right(world->set, list, &around, addr))
			return "vmset_iter_next";
		if (!ranges_right(world->set, list, &around, addr))
			return "vmset_next_ranges";
		if (!explain_right(world->set, model, list, &around, addr))
			return "vmset_explain";
	}
	return NULL;
}

static const char *check_page_table(const struct world *world,
				    const struct units *model)
{
	for (unsigned int i = 0; i < model->count; i++) {
		const struct unit *unit = &model->unit[i];
		const struct mock_entry *entry = &world->mock.entries[i];

		if (unit->kind == LOST && entry->owner &&
		    entry->owner != unit->backend + 1)
			return "a lost range has what no call would unmap";
		if (unit->kind != AREA && unit->kind != LOST && entry->owner)
			return "something is mapped where no area is";
		if (unit->kind == AREA &&
		    (entry->owner != unit->backend + 1 ||
		     entry->flags != unit->flags ||
		     entry->base != unit->shift * SHIFT - model->origin))
			return "the page table is not as the area";
	}
	return NULL;
}

static const char *check_verify(const struct world *world,
				const struct units *model)
{
	struct vmset_mismatch first;
	unsigned int i = 0;

	while (i < model->count && model->unit[i].kind != LOST)
		i++;
	if (vmset_verify(world->set, &first) != (i < model->count))
		return "vmset_verify";
	if (i < model->count && first.addr != model->origin + i)
		return "vmset_verify: the first mismatch";
	return NULL;
}

const char *world_check(struct world *world, const struct units *model)
{
	const char *wrong = vmset__check(world->set);
	struct listing listing;

	list(&listing, world, model);
	if (!wrong)
		wrong = check_entries(world, &listing);
	if (!wrong)
		wrong = check_readers(world, &listing, model);
	if (!wrong)
		wrong = check_page_table(world, model);
	if (!wrong)
		wrong = check_verify(world, model);
	return wrong ? wrong : world->mock.violation;
}

/* vmset_overlaps for every range, also beyond the bounds. */
static const char *check_ranges(const struct world *world)
{
	const struct units *model = &world->base;

	for (unsigned int s = 0; s < model->count; s++) {
		bool taken = false;

		for (unsigned int e = s; e <= model->count + 1; e++) {
			if (vmset_overlaps(world->set, model->origin + s,
					   e - s) != taken)
				return "vmset_overlaps";
			taken |= e < model->count &&
				 model->unit[e].kind != FREE;
		}
	}
	return NULL;
}

/* ---- building ---- */

enum { ORDER = 3, DENSE_BEFORE = 4, WITH_NOTES = 8 };

/* The i-th of the units from which to build: up, down, or here and there. */
static unsigned int in_order(const struct units *model, unsigned int shape,
			     unsigned int i)
{
	unsigned int units = model->count, half = (units + 1) / 2;

	switch (shape & ORDER) {
	case 0:
		return i;
	case 1:
		return units - 1 - i;
	case 2:
		return i < half ? 2 * i : 2 * (i - half) + 1;
	default:
		return i % 2 ? half + i / 2 : half - 1 - i / 2;
	}
}

static int map_guarded(const struct world *world, const struct units *model,
		       unsigned int s, bool before, bool after)
{
	struct vmset_area area = area_at(world, model, s);
	struct vmset_placement where = {
		.size = sizeof(where),
		.limit = { area.start - before, area.end + after },
		.guard_before = before, .guard_after = after,
	};
	uintptr_t start;

	if (vmset_unmap(world->set, where.limit.start,
			where.limit.end - where.limit.start))
		return -EIO;
	return vmset_alloc(world->set, area.end - area.start, area.flags,
			   &where, &start);
}

static int build_entry(struct world *world, const struct units *model,
		       unsigned int s)
{
	struct vmset_area area = area_at(world, model, s);
	unsigned int e = units_end(model, s);
	bool before = s && model->unit[s - 1].kind == GUARD_BEFORE;
	bool after = e < model->count && model->unit[e].kind == GUARD_AFTER;
	int rc;

	if (model->unit[s].kind == FREE)
		return vmset_unmap(world->set, area.start, 1);
	if (model->unit[s].kind == AREA && (before || after))
		return map_guarded(world, model, s, before, after);
	if (model->unit[s].kind == AREA)
		return vmset_map_area(world->set, &area, VMSET_REPLACE);
	if (model->unit[s].kind != LOST)
		return 0;
	rc = vmset_map_area(world->set, &area, VMSET_REPLACE);
	mock_fail(&world->mock, MOCK_CALL(1), -ENOTRECOVERABLE);
	if (vmset_unmap(world->set, area.start, area.end - area.start) !=
	    -ENOTRECOVERABLE)
		rc = -EIO;
	mock_heal(&world->mock);
	return rc;
}

/* An area for each unit, none of which can be joined. */
static int fill(struct world *world, const struct units *state)
{
	struct units model = *state;
	int rc = 0;

	for (unsigned int i = 0; i < model.count; i++)
		model.unit[i] = (struct unit){ .kind = AREA, .shift = i % 2,
					       .first = 1 };
	for (unsigned int i = 0; i < model.count && !rc; i++)
		rc = build_entry(world, &model, i);
	return rc;
}

/* Searches at alignments, for which the tree keeps notes. */
static void search(const struct world *world)
{
	struct vmset_range all = { 0, 0 };
	uintptr_t start;

	for (size_t align = 2; align <= 4; align *= 2)
		vmset_find_free_area(world->set, 0, world->base.count, all,
				     align, &start);
}

static int build(struct world *world, const struct units *state,
		 unsigned int shape)
{
	int rc = shape & DENSE_BEFORE ? fill(world, state) : 0;

	for (unsigned int i = 0; i < state->count && !rc; i++) {
		unsigned int at = in_order(state, shape, i);

		if (state->unit[at].first || state->unit[at].kind == FREE)
			rc = build_entry(world, state, at);
	}
	if (shape & WITH_NOTES)
		search(world);
	return rc;
}

/* Where the nodes end that were carved last. */
static const char *nodes_end(const struct vmset__slab *slab)
{
	const char *end = NULL;

	for (int class = 0; class < VMSET__CLASSES; class++)
		if (!end || slab->pool[class].bump > end)
			end = slab->pool[class].bump;
	return end;
}

const char *world_build(struct world *world, const struct units *state,
			unsigned int shape)
{
	const struct space *space = world->space;
	struct mock *mock = &world->mock;
	const struct vmset_config config = {
		.size = sizeof(config), .bounds = mock->bounds, .granule = 1,
		.backend = mock_backend(mock, 0), .options = space->options,
	};
	const char *wrong;

	arena_reset();
	mock_heal(mock);
	memset(mock->entries, 0, mock->count * sizeof(*mock->entries));
	world->base = *state;
	world->shape = shape;
	if (vmset_create(&world->set, &config))
		return "vmset_create fails";
	if (build(world, state, shape))
		return "the state cannot be built";
	wrong = world_check(world, state);
	if (!wrong)
		wrong = check_ranges(world);
	arena_save(&world->image, nodes_end(&world->set->tree.slab));
	world_keep_page_table(world);
	return wrong;
}

void world_keep_page_table(struct world *world)
{
	const struct mock *mock = &world->mock;

	memcpy(world->entries, mock->entries,
	       mock->count * sizeof(*mock->entries));
	world->contents = mock->contents;
}

void world_restore(struct world *world)
{
	struct mock *mock = &world->mock;

	arena_restore(&world->image);
	memcpy(mock->entries, world->entries,
	       mock->count * sizeof(*mock->entries));
	mock->contents = world->contents;
}

bool world_is_untouched(const struct world *world)
{
	const struct mock *mock = &world->mock;

	return arena_is(&world->image) && !mock->violation &&
	       memcmp(mock->entries, world->entries,
		      mock->count * sizeof(*mock->entries)) == 0;
}
