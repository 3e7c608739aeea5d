/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Each change cuts a run of intervals out of the array and puts at most three
 * in its place: what is left of the first, the new one, what is left of the
 * last.
 */
#include "intervals.h"

#include <stdlib.h>
#include <string.h>

#include "vector.h"

size_t intervals_find(const struct intervals *map, uint64_t page)
{
	size_t low = 0;
	size_t high = map->nr;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (map->at[middle].end <= page)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool intervals_meet(const struct intervals *map, uint64_t start, uint64_t end)
{
	const size_t i = intervals_find(map, start);

	return i < map->nr && map->at[i].start < end;
}

/* Put nr pieces in place of those from first up to, without, last. */
static int splice(struct intervals *map, size_t first, size_t last,
		  const struct interval *pieces, size_t nr)
{
	const size_t behind = map->nr - last;
	struct interval *at = vector_room(map->at, map->nr + nr, &map->room,
					  sizeof(*at));

	if (!at)
		return -1;
	map->at = at;
	memmove(at + first + nr, at + last, behind * sizeof(*at));
	memcpy(at + first, pieces, nr * sizeof(*at));
	map->nr = first + nr + behind;
	return 0;
}

static bool touches(const struct intervals *map, size_t i,
		    const struct interval *new)
{
	return i < map->nr && map->at[i].prot == new->prot &&
	       map->at[i].start <= new->end && map->at[i].end >= new->start;
}

int intervals_set(struct intervals *map, struct interval new)
{
	size_t first = intervals_find(map, new.start);
	size_t last = first;
	struct interval pieces[3];
	size_t nr = 0;

	if (first && touches(map, first - 1, &new))
		last = first--;
	while (last < map->nr && map->at[last].start < new.end)
		last++;
	if (touches(map, last, &new))
		last++;
	if (first < last && map->at[first].start < new.start) {
		if (map->at[first].prot == new.prot)
			new.start = map->at[first].start;
		else
			pieces[nr++] = (struct interval){ map->at[first].start,
							  new.start,
							  map->at[first].prot };
	}
	pieces[nr++] = new;
	if (first < last && map->at[last - 1].end > new.end) {
		if (map->at[last - 1].prot == new.prot)
			pieces[nr - 1].end = map->at[last - 1].end;
		else
			pieces[nr++] = (struct interval){
				new.end, map->at[last - 1].end,
				map->at[last - 1].prot
			};
	}
	return splice(map, first, last, pieces, nr);
}

int intervals_clear(struct intervals *map, uint64_t start, uint64_t end)
{
	const size_t first = intervals_find(map, start);
	size_t last = first;
	struct interval pieces[2];
	size_t nr = 0;

	while (last < map->nr && map->at[last].start < end)
		last++;
	if (first == last)
		return 0;
	if (map->at[first].start < start)
		pieces[nr++] = (struct interval){ map->at[first].start, start,
						  map->at[first].prot };
	if (map->at[last - 1].end > end)
		pieces[nr++] = (struct interval){ end, map->at[last - 1].end,
						  map->at[last - 1].prot };
	return splice(map, first, last, pieces, nr);
}

int intervals_copy(struct intervals *to, const struct intervals *from)
{
	return from->nr ? splice(to, 0, 0, from->at, from->nr) : 0;
}

void intervals_free(struct intervals *map)
{
	free(map->at);
	*map = (struct intervals){ 0 };
}
