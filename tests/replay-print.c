/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reports: a table with a line for each recorded run, and a paragraph for each
 * log.
 */
#include "replay-print.h"

#include <string.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Those that were replayed, without states. */
static size_t operations(const struct replay_report *report)
{
	return report->done[TRACE_MAP] + report->done[TRACE_UNMAP] +
	       report->done[TRACE_PROTECT];
}

/* A figure, or a dash where it was not asked for. */
static void print_most(int width, size_t most, bool known, FILE *out)
{
	if (known)
		fprintf(out, " %*zu", width, most);
	else
		fprintf(out, " %*s", width, "-");
}

/* ---- the table ---- */

static void print_columns(const char *first, const struct replay_print *how,
			  FILE *out)
{
	fprintf(out, "%-23s %6s %6s %8s %6s %10s %9s%s\n", first, "maps",
		"unmaps", "protects", "states", "most areas", "most VMAs",
		how->timed ? "        ms  ns a call" : "");
}

void replay_print_heading(const struct replay_print *how, FILE *out)
{
	print_columns("recorded run", how, out);
}

static void print_row(const char *name, const struct replay_print *how,
		      const struct replay_report *report, FILE *out)
{
	const size_t *done = report->done;
	const size_t calls = operations(report);

	fprintf(out, "%-23s %6zu %6zu %8zu %6zu", name, done[TRACE_MAP],
		done[TRACE_UNMAP], done[TRACE_PROTECT], done[TRACE_STATE]);
	print_most(10, report->most_areas, how->areas, out);
	print_most(9, report->most_vmas, how->vmas, out);
	if (how->timed)
		fprintf(out, " %9.2f %10.0f", (double)report->ns / 1e6,
			calls ? (double)report->ns / (double)calls : 0.0);
	fputs("  ok\n", out);
}

void replay_print_run(const char *path, const struct replay_print *how,
		      const struct replay_report *report, FILE *out)
{
	print_row(base_name(path), how, report, out);
}

/* ---- logs ---- */

static void print_label(const char *label, FILE *out)
{
	fprintf(out, "  %-14s", label);
}

static void print_calls_in_log(const struct replay_log_report *report,
			       FILE *out)
{
	const char *comma = "";
	unsigned int i;

	print_label("in the log", out);
	for (i = 0; i < STRACE_CALLS; i++) {
		if (!report->spaces.calls[i])
			continue;
		fprintf(out, "%s%s %zu", comma, strace_name(i),
			report->spaces.calls[i]);
		comma = ", ";
	}
	if (report->others)
		fprintf(out, "%sothers %zu", comma, report->others);
	fputs("\n", out);
}

static size_t count_born(const struct spaces *spaces, enum space_birth birth)
{
	size_t nr = 0;
	size_t i;

	for (i = 0; i < spaces->nr; i++)
		nr += spaces->at[i].birth == birth;
	return nr;
}

static void print_spaces(const struct replay_log_report *report, FILE *out)
{
	const struct spaces *spaces = &report->spaces;

	print_label("spaces", out);
	fprintf(out,
		"%zu, of %zu threads and processes: %zu by fork, %zu by "
		"execve, %zu from the start\n",
		spaces->nr, spaces->tasks, count_born(spaces, SPACE_FORKED),
		count_born(spaces, SPACE_EXECED),
		count_born(spaces, SPACE_FIRST));
}

static void print_replayed(const struct replay_log_report *report, FILE *out)
{
	const size_t *done = report->sum.done;

	print_label("replayed", out);
	fprintf(out, "%zu operations: maps %zu, unmaps %zu, protects %zu",
		operations(&report->sum), done[TRACE_MAP], done[TRACE_UNMAP],
		done[TRACE_PROTECT]);
	if (report->copied)
		fprintf(out, "; %zu of the maps copy a space at a fork",
			report->copied);
	fputs("\n", out);
}

static void print_kernel_calls(const struct replay_report *sum, FILE *out)
{
	const struct calls *calls = &sum->calls;
	const size_t nr = calls->mmap + calls->munmap + calls->mprotect +
			  calls->other;
	const size_t done = operations(sum);

	print_label("to the kernel", out);
	fprintf(out,
		"%zu calls: mmap %zu, munmap %zu, mprotect %zu, others "
		"%zu",
		nr, calls->mmap, calls->munmap, calls->mprotect, calls->other);
	if (done)
		fprintf(out, "; %.2f an operation", (double)nr / (double)done);
	fputs("\n", out);
}

static void print_areas(const struct replay_print *how,
			const struct replay_report *sum, FILE *out)
{
	print_label("areas, VMAs", out);
	fputs("most", out);
	print_most(0, sum->most_areas, how->areas, out);
	fputs(",", out);
	print_most(0, sum->most_vmas, how->vmas, out);
	fputs("; at the end, all spaces together,", out);
	print_most(0, sum->last_areas, how->areas, out);
	fputs(",", out);
	print_most(0, sum->last_vmas, how->vmas, out);
	fputs("\n", out);
}

static void print_sizes(const struct replay_log_report *report, FILE *out)
{
	print_label("reservation", out);
	fprintf(out, "%llu pages", (unsigned long long)report->pages);
	if (report->longest)
		fprintf(out,
			"; the longest stretch that was shortened had "
			"%llu",
			(unsigned long long)report->longest);
	fputs("\n", out);
}

static void print_notes(const char *heading, enum note from, enum note to,
			const struct notes *notes, FILE *out)
{
	enum note i;

	for (i = from; i < to; i++) {
		if (!notes->nr[i])
			continue;
		fprintf(out, "  %s%8zu  %s\n", heading, notes->nr[i],
			spaces_note(i));
		heading = "";
	}
}

/* Each space in the table of recorded runs. */
static void print_each(const struct replay_print *how,
		       const struct replay_log_report *report, FILE *out)
{
	static const char *const births[] = {
		[SPACE_FIRST] = "",
		[SPACE_FORKED] = " fork",
		[SPACE_EXECED] = " execve",
	};
	const struct spaces *spaces = &report->spaces;
	char name[64];
	size_t i;

	print_columns("  pid, from line", how, out);
	for (i = 0; i < spaces->nr; i++) {
		const struct space *space = &spaces->at[i];

		snprintf(name, sizeof(name), "  %u %u%s", space->pid,
			 space->line, births[space->birth]);
		print_row(name, how, &report->each[i], out);
	}
}

void replay_print_log(const char *path, const struct replay_print *how,
		      const struct replay_log_report *report, FILE *out)
{
	const struct notes *notes = &report->spaces.notes;
	const struct replay_report *sum = &report->sum;

	fprintf(out, "%s: %zu lines of strace\n", base_name(path),
		report->lines);
	print_calls_in_log(report, out);
	print_spaces(report, out);
	print_replayed(report, out);
	print_kernel_calls(sum, out);
	print_areas(how, sum, out);
	print_sizes(report, out);
	if (how->timed) {
		print_label("time", out);
		fprintf(out, "%.2f ms in the operations\n",
			(double)sum->ns / 1e6);
	}
	print_notes("not replayed:\n  ", 0, NOTES_NOT_REPLAYED, notes, out);
	print_notes("replayed otherwise, or taken so:\n  ", NOTES_NOT_REPLAYED,
		    NOTES, notes, out);
	if (how->spaces)
		print_each(how, report, out);
	print_label("compared", out);
	fprintf(out, "%zu states  ok\n", sum->done[TRACE_STATE]);
}
