/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The dump: a line for each entry and each free gap, in address order, and the
 * totals.  It reads the set as any reader does, without the lock: a FILE may
 * allocate, and the allocator may be one that uses this set.
 *
 *     vmset 0x7f0000000000-0x7f0000100000  1 MiB  granule 4 KiB
 *     start           end                 size  perms  backend   offset  what
 *     0x7f0000000000  0x7f0000004000    16 KiB  rw-    kernel       0x0  area
 *     0x7f0000004000  0x7f0000100000  1008 KiB  ---    -              -  free
 *     1 area, 16 KiB; 1 gap, 1008 KiB free, largest 1008 KiB
 */
#include "dump.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend.h"
#include "entry.h"
#include "range.h"

struct tally {
	size_t n;
	uintptr_t bytes, largest;
};

struct table {
	const struct vmset *set;
	FILE *out;
	int digits;                     /* of an address */
	bool good;
	struct tally areas, guards, lost, gaps;
};

struct text {
	char s[32];
};

/*
 * In the largest unit that gives a whole number; where that has too many digits
 * to read, in the largest unit that there is, rounded down to a tenth.
 */
static struct text size_text(uintptr_t size)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB",
					    "PiB", "EiB" };
	unsigned u = 0;
	struct text text;

	for (; size && size % 1024 == 0; size /= 1024)
		u++;
	if (size < 10000) {
		snprintf(text.s, sizeof text.s, "%" PRIuPTR " %s", size,
			 unit[u]);
		return text;
	}
	for (; size >= (uintptr_t)1024 * 1024; size /= 1024)
		u++;
	snprintf(text.s, sizeof text.s, "%" PRIuPTR ".%u %s", size / 1024,
		 (unsigned)(size % 1024 * 10 / 1024), unit[u + 1]);
	return text;
}

/* rwx, and what else there is as a number. */
static struct text perms_text(uint32_t flags)
{
	struct text text;
	int n = snprintf(text.s, sizeof text.s, "%c%c%c",
			 flags & VMSET_READ ? 'r' : '-',
			 flags & VMSET_WRITE ? 'w' : '-',
			 flags & VMSET_EXEC ? 'x' : '-');
	uint32_t rest = flags & ~(VMSET_READ | VMSET_WRITE | VMSET_EXEC);

	if (rest)
		snprintf(text.s + n, sizeof text.s - (size_t)n,
			 "+%#" PRIx32, rest);
	return text;
}

static struct text backend_text(const struct vmset *set,
				const struct vmset_backend *backend)
{
	const char *name = vmset__name(backend);
	struct text text;

	if (name)
		snprintf(text.s, sizeof text.s, "%.20s", name);
	else if (backend == set->backend)
		snprintf(text.s, sizeof text.s, "default");
	else
		snprintf(text.s, sizeof text.s, "%p", (const void *)backend);
	return text;
}

static struct text offset_text(uint64_t offset)
{
	struct text text;

	snprintf(text.s, sizeof text.s, "0x%" PRIx64, offset);
	return text;
}

static void count(struct tally *tally, struct vmset_range range)
{
	tally->n++;
	tally->bytes += vmset__range_size(range);
	tally->largest = vmset__max(tally->largest, vmset__range_size(range));
}

static void print_row(struct table *table, struct vmset_range range,
		      const char *perms, const char *backend,
		      const char *offset, const char *what)
{
	table->good &= fprintf(table->out,
			       "0x%0*" PRIxPTR "  0x%0*" PRIxPTR
			       "  %10s  %-5s  %-9s  %12s  %s\n",
			       table->digits, range.start, table->digits,
			       range.end,
			       size_text(vmset__range_size(range)).s, perms,
			       backend, offset, what) > 0;
}

static void print_gap(struct table *table, struct vmset_range range)
{
	if (vmset__range_is_empty(range))
		return;
	count(&table->gaps, range);
	print_row(table, range, "---", "-", "-", "free");
}

static void print_entry(struct table *table, const struct vmset_area *entry)
{
	struct vmset_range range = vmset__entry_range(entry);

	if (vmset__is_area(entry)) {
		count(&table->areas, range);
		print_row(table, range, perms_text(entry->flags).s,
			  backend_text(table->set, entry->backend).s,
			  offset_text(entry->offset).s, "area");
	} else if (vmset__is_guard(entry)) {
		count(&table->guards, range);
		print_row(table, range, "---", "-", "-", "guard");
	} else {
		count(&table->lost, range);
		print_row(table, range, "???",
			  backend_text(table->set,
				       vmset__entry_backend(entry)).s,
			  "-", "LOST");
	}
}

static void print_head(struct table *table)
{
	const struct vmset *set = table->set;
	char top[32];

	/* As wide as the highest address. */
	table->digits = snprintf(top, sizeof top, "%" PRIxPTR,
				 set->bounds.end);
	table->good &= fprintf(table->out,
			       "vmset 0x%" PRIxPTR "-0x%" PRIxPTR
			       "  %s  granule %s\n",
			       set->bounds.start, set->bounds.end,
			       size_text(vmset__range_size(set->bounds)).s,
			       size_text(set->granule).s) > 0;
	table->good &= fprintf(table->out,
			       "%-*s  %-*s  %10s  %-5s  %-9s  %12s  %s\n",
			       table->digits + 2, "start",
			       table->digits + 2, "end",
			       "size", "perms", "backend", "offset",
			       "what") > 0;
}

static void print_tally(struct table *table, const char *before,
			const struct tally *tally, const char *what)
{
	table->good &= fprintf(table->out, "%s%zu %s%s, %s", before, tally->n,
			       what, tally->n == 1 ? "" : "s",
			       size_text(tally->bytes).s) > 0;
}

static void print_totals(struct table *table)
{
	print_tally(table, "", &table->areas, "area");
	if (table->guards.n)
		print_tally(table, "; ", &table->guards, "guard");
	if (table->lost.n)
		print_tally(table, "; ", &table->lost, "lost range");
	print_tally(table, "; ", &table->gaps, "gap");
	table->good &= fprintf(table->out, " free, largest %s\n",
			       size_text(table->gaps.largest).s) > 0;
}

int vmset__dump(const struct vmset *set, FILE *out)
{
	struct table table = { .set = set, .out = out, .good = true };
	uintptr_t addr = set->bounds.start;
	struct vmset_area entry;

	print_head(&table);
	while (table.good &&
	       vmset__tree_read(&set->tree, addr, NULL, &entry)) {
		/* A writer may have put it across what was printed. */
		entry.start = vmset__max(entry.start, addr);
		print_gap(&table, (struct vmset_range){ addr, entry.start });
		print_entry(&table, &entry);
		addr = entry.end;
	}
	print_gap(&table, (struct vmset_range){ addr, set->bounds.end });
	print_totals(&table);
	return table.good ? 0 : -EIO;
}
