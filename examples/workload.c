/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Random calls to a malloc: see workload.h. */
#include "workload.h"

#include <string.h>

/* xorshift64*: the same numbers on every machine. */
static uint64_t draw(struct work *w, uint64_t below)
{
	w->seed ^= w->seed >> 12;
	w->seed ^= w->seed << 25;
	w->seed ^= w->seed >> 27;
	return (w->seed * UINT64_C(0x2545f4914f6cdd1d) >> 32) % below;
}

/* Most blocks are small; one of a hundred has up to 256 KiB. */
static size_t draw_size(struct work *w)
{
	const uint64_t kind = draw(w, 100);

	if (kind < 80)
		return draw(w, 257);
	if (kind < 95)
		return 257 + draw(w, 1792);
	if (kind < 99 || w->small)
		return 2049 + draw(w, 6144);
	return 8193 + draw(w, 253952);
}

static const char *hold(struct work *w, struct held *h, void *p, size_t size)
{
	if (p == NULL)
		return "no room";
	h->p = p;
	h->size = size;
	h->fill = (unsigned char)draw(w, 256);
	w->bytes += size;
	if (w->peak < w->bytes)
		w->peak = w->bytes;
	if (w->checked)
		memset(p, h->fill, size);
	else if (size > 0)
		h->p[0] = h->p[size - 1] = h->fill;
	return NULL;
}

/* Are the first size bytes what was put there? */
static bool is_whole(const struct work *w, const struct held *h, size_t size)
{
	if (size > h->size)
		size = h->size;
	if (size == 0)
		return true;
	if (!w->checked)
		return h->p[0] == h->fill;
	return h->p[0] == h->fill && memcmp(h->p, h->p + 1, size - 1) == 0;
}

static const char *drop(struct work *w, struct held *h)
{
	if (!is_whole(w, h, h->size))
		return "a block does not hold what was put there";
	if (w->heap->free(w->heap->arena, h->p) != 0)
		return "a block in use was not freed";
	w->frees++;
	w->bytes -= h->size;
	h->p = NULL;
	return NULL;
}

static const char *resize(struct work *w, struct held *h, size_t size)
{
	unsigned char *const p = w->heap->realloc(w->heap->arena, h->p, size);

	if (p == NULL)
		return "no room";
	h->p = p;
	if (!is_whole(w, h, size))
		return "a resized block does not hold what was put there";
	w->reallocs++;
	w->bytes -= h->size;
	return hold(w, h, p, size);
}

static const char *step(struct work *w)
{
	struct held *const h = &w->held[draw(w, WORK_HELD)];
	const size_t size = draw_size(w);

	if (h->p == NULL) {
		w->mallocs++;
		return hold(w, h, w->heap->malloc(w->heap->arena, size), size);
	}
	/* No size 0: what realloc does with it, libc chooses. */
	return draw(w, 4) == 0 ? resize(w, h, size + 1) : drop(w, h);
}

const char *work_run(struct work *w, size_t calls)
{
	const char *wrong = NULL;

	while (calls-- > 0 && wrong == NULL)
		wrong = step(w);
	return wrong;
}

const char *work_drop(struct work *w, size_t keep)
{
	const char *wrong = NULL;
	size_t i;

	for (i = keep; i < WORK_HELD && wrong == NULL; i++)
		if (w->held[i].p != NULL)
			wrong = drop(w, &w->held[i]);
	return wrong;
}
