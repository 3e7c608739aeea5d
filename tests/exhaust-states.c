/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The set of states: keys in a list, and a hash table of their places.
 */
#include "exhaust-states.h"

#include <stdlib.h>

#include "exhaust-world.h"

#define UNIT_BITS 6
#define FIRST     32u           /* of the bits of a unit */
#define AREAS     5u            /* what is lower is not an area */

/* Flags are 0, 1 or 3, and all else of an area is a bit. */
static unsigned int encode(const struct unit *unit)
{
	unsigned int code = unit->kind, number = unit->flags - unit->flags / 2u;

	if (unit->kind == AREA)
		code = AREAS + number * 8 + unit->backend * 4u +
		       unit->shift * 2u + unit->data;
	else if (unit->kind != FREE)
		code = unit->kind - 1u + unit->backend;
	return code | (unit->first ? FIRST : 0);
}

static struct unit decode(unsigned int bits)
{
	unsigned int code = bits % FIRST, area = code - AREAS;
	struct unit unit = { .first = bits / FIRST % 2 };

	if (code >= AREAS) {
		unit.kind = AREA;
		unit.flags = (uint8_t)(area / 8 + area / 16);
		unit.backend = area / 4 % 2;
		unit.shift = area / 2 % 2;
		unit.data = area % 2;
	} else if (code >= LOST - 1) {
		unit.kind = LOST;
		unit.backend = (uint8_t)(code - (LOST - 1));
	} else if (code) {
		unit.kind = (uint8_t)(code + 1);
	}
	return unit;
}

static uint32_t *find(const struct states *states, uint64_t key)
{
	size_t at = key * UINT64_C(0x9e3779b97f4a7c15) >> 20;
	uint32_t *slot;

	for (;; at++) {
		slot = &states->slot[at & (states->slots - 1)];
		if (!*slot || states->key[*slot - 1] == key)
			return slot;
	}
}

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static void grow(struct states *states)
{
	states->room = states->room ? 2 * states->room : 1024;
	states->slots = 2 * states->room;
	states->key = must(realloc(states->key,
				   states->room * sizeof(*states->key)));
	free(states->slot);
	states->slot = must(calloc(states->slots, sizeof(*states->slot)));
	for (size_t i = 0; i < states->n; i++)
		*find(states, states->key[i]) = (uint32_t)i + 1;
}

/* With other names for the flags. */
static uint64_t key_of(const struct units *model, unsigned int way)
{
	uint64_t key = 0;

	for (unsigned int i = 0; i < model->count; i++) {
		struct unit unit = model->unit[i];

		if (unit.kind == AREA)
			unit.flags = world_name(way, unit.flags);
		key = key << UNIT_BITS | encode(&unit);
	}
	return key;
}

void states_add(struct states *states, const struct units *model)
{
	uint64_t own = key_of(model, 0), least = own;
	unsigned int same = 1;          /* ways that change nothing */
	uint32_t *slot;

	for (unsigned int way = 1; way < states->names; way++) {
		uint64_t key = key_of(model, way);

		if (key < least)
			least = key;
		same += key == own;
	}
	if (states->n == states->room)
		grow(states);
	slot = find(states, least);
	if (*slot)
		return;
	states->key[states->n++] = least;
	*slot = (uint32_t)states->n;
	states->all += states->names / same;
}

void states_get(const struct states *states, size_t i, struct units *model)
{
	uint64_t key = states->key[i];

	for (unsigned int u = model->count; u-- > 0; key >>= UNIT_BITS)
		model->unit[u] = decode(key % (1u << UNIT_BITS));
}

void states_free(struct states *states)
{
	free(states->key);
	free(states->slot);
	*states = (struct states){ 0 };
}
