/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Pages that are known.
 */
#include "pages.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "assert.h"
#include "internal.h"
#include "maps.h"

#define R VMSET_READ
#define W VMSET_WRITE
#define X VMSET_EXEC

uintptr_t pages_at(const struct pages *pages, size_t number)
{
	return pages->base + number * pages->page;
}

int pages_map(const struct pages *pages, size_t from, size_t to,
	      uint32_t flags, uint32_t how)
{
	return vmset_map(pages->set, pages_at(pages, from),
			 (to - from) * pages->page, flags, how);
}

int pages_unmap(const struct pages *pages, size_t from, size_t to)
{
	return vmset_unmap(pages->set, pages_at(pages, from),
			   (to - from) * pages->page);
}

int pages_protect(const struct pages *pages, size_t from, size_t to,
		  uint32_t flags)
{
	return vmset_protect(pages->set, pages_at(pages, from),
			     (to - from) * pages->page, flags);
}

void pages_are_mapped(struct pages *pages, size_t from, size_t to,
		      const struct pages_cell *cell)
{
	for (size_t i = from; i < to; i++)
		pages->cells[i] = *cell;
}

void pages_are_free(struct pages *pages, size_t from, size_t to)
{
	pages_are_mapped(pages, from, to, &(struct pages_cell){ 0 });
}

void pages_are_protected(struct pages *pages, size_t from, size_t to,
			 uint32_t flags)
{
	for (size_t i = from; i < to; i++) {
		if (pages->cells[i].mapped)
			pages->cells[i].flags = flags;
	}
}

void pages_fill(struct pages *pages, size_t number, unsigned char content)
{
	memset((void *)pages_at(pages, number), content, pages->page);
	pages->cells[number].content = content;
}

static uint32_t flags_of(char letter)
{
	switch (letter) {
	case 'r':
		return R;
	case 'w':
		return R | W;
	case 'x':
		return R | X;
	default:
		return 0;
	}
}

void pages_adopt(struct pages *pages, struct vmset *set)
{
	*pages = (struct pages){ .set = set,
				 .page = (size_t)sysconf(_SC_PAGESIZE) };
	pages->memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	assert_that(pages->memory >= 0);
	assert_about(set);
	pages->base = vmset_bounds(set).start;
}

/* Everything is mapped by one call, so that the kernel starts with one area. */
void pages_open(struct pages *pages, const char *shape)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct vmset *set;

	assert_ok(vmset_reserve(&set, PAGES_COUNT * page, 0));
	pages_adopt(pages, set);
	assert_ok(pages_map(pages, 0, PAGES_COUNT, R | W, 0));
	for (size_t i = 0; i < PAGES_COUNT; i++) {
		pages_are_mapped(pages, i, i + 1, &(struct pages_cell){
			.mapped = true, .flags = flags_of(shape[i]) });
		pages_fill(pages, i, (unsigned char)(0x40 + i));
	}
	for (size_t i = 0; i < PAGES_COUNT; i++) {
		if (shape[i] == '.') {
			assert_ok(pages_unmap(pages, i, i + 1));
			pages_are_free(pages, i, i + 1);
			continue;
		}
		assert_ok(pages_protect(pages, i, i + 1, flags_of(shape[i])));
	}
}

void pages_leave(struct pages *pages)
{
	assert_about(NULL);
	close(pages->memory);
}

void pages_close(struct pages *pages)
{
	assert_ok(vmset_destroy(pages->set));
	pages_leave(pages);
}

/* ---- checks ---- */

static bool same_kind(const struct pages_cell *a, const struct pages_cell *b)
{
	return a->mapped == b->mapped && a->flags == b->flags &&
	       a->backend == b->backend;
}

/* How many areas there are, if all that can be one are. */
static size_t count_areas(const struct pages *pages)
{
	size_t count = 0;

	for (size_t i = 0; i < PAGES_COUNT; i++) {
		const struct pages_cell *cell = &pages->cells[i];

		count += cell->mapped &&
			 (i == 0 || !same_kind(cell - 1, cell));
	}
	return count;
}

static bool listed(const struct pages *pages, size_t number)
{
	const struct pages_cell *cell = &pages->cells[number];
	uintptr_t at = pages_at(pages, number);
	struct vmset_area area;

	if (vmset_find(pages->set, at, &area))
		return !cell->mapped &&
		       !vmset_overlaps(pages->set, at, pages->page);
	return cell->mapped && area.flags == cell->flags &&
	       (!cell->backend || area.backend == cell->backend);
}

static bool holds(const unsigned char *memory, size_t size,
		  unsigned char content)
{
	return memory[0] == content &&
	       memcmp(memory, memory + 1, size - 1) == 0;
}

const char *pages_wrong(const struct pages *pages)
{
	const char *wrong = vmset__check(pages->set);

	if (wrong)
		return wrong;
	if (vmset_len(pages->set) != count_areas(pages))
		return "the number of areas is wrong";
	if (vmset_verify(pages->set, NULL))
		return "vmset_verify does not say same";
	for (size_t i = 0; i < PAGES_COUNT; i++) {
		const struct pages_cell *cell = &pages->cells[i];

		if (!listed(pages, i))
			return "a page is not listed as it should be";
		if (cell->flags & R && !holds((void *)pages_at(pages, i),
					      pages->page, cell->content))
			return "the contents of a page are wrong";
	}
	return NULL;
}

/*
 * The page's contents, read by the kernel, which need not mind the rights.  It
 * may have been built or started to do so: then what cannot be read is right.
 */
static bool holds_hidden(const struct pages *pages, size_t number)
{
	unsigned char copy[1024];

	for (size_t at = 0; at < pages->page; at += sizeof(copy)) {
		ssize_t got = pread(pages->memory, copy, sizeof(copy),
				    (off_t)(pages_at(pages, number) + at));

		if (got != sizeof(copy))
			return got < 0;
		if (!holds(copy, sizeof(copy), pages->cells[number].content))
			return false;
	}
	return true;
}

void pages_check(const struct pages *pages)
{
	const char *wrong = pages_wrong(pages);

	if (wrong)
		ck_abort_msg("%s", wrong);
	for (size_t i = 0; i < PAGES_COUNT; i++) {
		const struct pages_cell *cell = &pages->cells[i];

		if (cell->mapped && !(cell->flags & R))
			assert_that(holds_hidden(pages, i));
	}
}

void pages_check_lines(const struct pages *pages)
{
	pages_check(pages);
	maps_check(pages->set);
}
