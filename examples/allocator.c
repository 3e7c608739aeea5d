/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * allocator [CALLS [SEED]]: put the arena of arena.c to work.
 *
 * CALLS random mallocs, reallocs and frees whose blocks are filled and checked;
 * what that took, as the set shows it; every kind of misuse and what the arena
 * says to it; and the time beside the malloc of this process.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <vmset.h>

#include "arena.h"
#include "under-valgrind.h"
#include "workload.h"

#define RANGE  ((size_t)1 << 30)
#define KEPT   24u              /* blocks left for the dump */
#define ROUNDS 7u

static void *libc_malloc(struct arena *none, size_t size)
{
	(void)none;
	return malloc(size);
}

static void *libc_realloc(struct arena *none, void *block, size_t size)
{
	(void)none;
	return realloc(block, size);
}

static int libc_free(struct arena *none, void *block)
{
	(void)none;
	free(block);
	return 0;
}

/* End the program if wrong is not NULL. */
static void must(const char *what, const char *wrong)
{
	if (wrong == NULL)
		return;
	fprintf(stderr, "allocator: %s: %s\n", what, wrong);
	exit(EXIT_FAILURE);
}

static const char *result(int r)
{
	return r > 0 ? "they differ" : r < 0 ? strerror(-r) : NULL;
}

/* The checked run, and what it leaves of the range. */
static void show_work(const struct heap *heap, size_t calls, uint64_t seed)
{
	static struct work w;
	const struct vmset *const set = arena_set(heap->arena);
	struct arena_usage usage;
	void *large;

	w.heap = heap;
	w.seed = seed;
	w.checked = true;
	must("work", work_run(&w, calls));
	usage = arena_usage(heap->arena);
	printf("%zu calls: %zu malloc, %zu realloc, %zu free; "
	       "all blocks filled and checked\n",
	       calls, w.mallocs, w.reallocs, w.frees);
	printf("peak: %zu KiB asked for, %zu KiB in areas; "
	       "records: %zu KiB, touched as needed\n",
	       w.peak >> 10, usage.peak >> 10, usage.records >> 10);

	must("free", work_drop(&w, KEPT));
	must("purge", result(arena_purge(heap->arena)));
	large = arena_malloc(heap->arena, 100000);
	must("malloc", large == NULL ? "no room" : NULL);
	printf("\nThe set after a purge, with at most %u blocks left, "
	       "and one of 100000 bytes:\n", KEPT);
	must("dump", result(vmset_dump(set, stdout)));
	must("set and kernel", result(vmset_verify(set, NULL)));
	printf("The kernel agrees with the set.\n");

	must("free", result(arena_free(heap->arena, large)));
	must("free", work_drop(&w, 0));
	must("purge", result(arena_purge(heap->arena)));
	usage = arena_usage(heap->arena);
	must("end", usage.mapped != 0 || vmset_len(set) != 1 ?
	     "memory is left" : NULL);
}

static void show(const char *what)
{
	printf("%s:\n", what);
	fflush(stdout);         /* the arena's own line follows, on stderr */
}

static void refused(int yes)
{
	must("misuse", yes ? NULL : "not refused");
}

static void write_to(unsigned char *p)
{
	*(volatile unsigned char *)p = 1;
}

static void jump_to(unsigned char *p)
{
	((void (*)(void))(uintptr_t)p)();
}

/* Do it in a child, which must die of it and tell why. */
static void show_fault(const char *what, struct arena *arena,
		       void (*misuse)(unsigned char *p), unsigned char *p)
{
	pid_t child;
	int status;

	show(what);
	child = fork();
	if (child == 0) {
		VALGRIND_DISABLE_ERROR_REPORTING;
		signal(SIGSEGV, SIG_DFL);
		must("watch", result(arena_watch(arena)));
		misuse(p);
		_exit(EXIT_SUCCESS);
	}
	must("fork", child < 0 ? strerror(errno) : NULL);
	must("wait", waitpid(child, &status, 0) < 0 ? strerror(errno) : NULL);
	refused(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void show_misuse(struct arena *a)
{
	unsigned char *const small = arena_malloc(a, 40);
	unsigned char *const large = arena_malloc(a, 100000);
	unsigned char *const freed = arena_malloc(a, 20000);
	unsigned char foreign[64];

	must("malloc", small && large && freed ? NULL : "no room");
	must("free", result(arena_free(a, freed)));
	printf("\nMisuse, and what the arena says to it.\n");
	show("Free inside a block");
	refused(arena_free(a, small + 8) == -EINVAL);
	show("Free far inside a large block");
	refused(arena_free(a, large + 90000) == -EINVAL);
	show("Free of what is not the arena's");
	refused(arena_free(a, foreign) == -EINVAL);
	show("Free of the arena's own records");
	refused(arena_free(a, a) == -EINVAL);
	show("Free of a large block, again");
	refused(arena_free(a, freed) == -EINVAL);
	show_fault("Write to a large block after free", a, write_to,
		   freed + 123);
	show_fault("Write past the end of a large block", a, write_to,
		   large + 100000);
	show_fault("Write past the end of the arena's records", a, write_to,
		   (unsigned char *)a + arena_usage(a).records);
	show_fault("Jump far into a large block", a, jump_to, large + 80000);

	must("free", result(arena_free(a, small)));
	show("Free again");
	refused(arena_free(a, small) == -EINVAL);
	show("Realloc after free");
	refused(arena_realloc(a, small, 80) == NULL);
	must("purge", result(arena_purge(a)));
	show("Free again, after a purge");
	refused(arena_free(a, small) == -EINVAL);
	must("free", result(arena_free(a, large)));
}

/* Run the same calls on a heap: nanoseconds a call. */
static double timed(const struct heap *heap, int small, size_t calls,
		    uint64_t seed)
{
	struct work *const w = calloc(1, sizeof *w);
	struct timespec from, to;

	must("calloc", w == NULL ? "no memory" : NULL);
	w->heap = heap;
	w->seed = seed;
	w->small = small;
	clock_gettime(CLOCK_MONOTONIC, &from);
	must("timed work", work_run(w, calls));
	must("timed free", work_drop(w, 0));
	clock_gettime(CLOCK_MONOTONIC, &to);
	free(w);
	return ((double)(to.tv_sec - from.tv_sec) * 1e9 +
		(double)(to.tv_nsec - from.tv_nsec)) / (double)calls;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void show_time(const char *what, const struct heap *arena, int small,
		      size_t calls, uint64_t seed)
{
	const struct heap libc = { NULL, libc_malloc, libc_realloc, libc_free };
	double ours[ROUNDS], theirs[ROUNDS];
	size_t i;

	for (i = 0; i < ROUNDS; i++) {
		ours[i] = timed(arena, small, calls, seed);
		theirs[i] = timed(&libc, small, calls, seed);
	}
	qsort(ours, ROUNDS, sizeof *ours, by_value);
	qsort(theirs, ROUNDS, sizeof *theirs, by_value);
	printf("%s: arena %.0f ns, malloc %.0f ns, ratio %.2f\n", what,
	       ours[ROUNDS / 2], theirs[ROUNDS / 2],
	       ours[ROUNDS / 2] / theirs[ROUNDS / 2]);
}

static uint64_t number(const char *text)
{
	char *end;
	const uintmax_t value = strtoumax(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value == 0 ||
	    value > UINT32_MAX) {
		fprintf(stderr, "allocator: '%s' is not a number from 1 to %"
			PRIu32 "\n", text, UINT32_MAX);
		exit(EXIT_FAILURE);
	}
	return value;
}

int main(int argc, char **argv)
{
	struct heap heap = { NULL, arena_malloc, arena_realloc, arena_free };
	size_t calls = RUNNING_ON_VALGRIND ? 20000 : 300000;
	uint64_t seed = 1;

	must("usage", argc > 3 ? "allocator [CALLS [SEED]]" : NULL);
	if (argc > 1)
		calls = number(argv[1]);
	if (argc > 2)
		seed = number(argv[2]);
	must("reserve", result(arena_create(&heap.arena, RANGE)));
	show_work(&heap, calls, seed);
	show_misuse(heap.arena);
	if (!RUNNING_ON_VALGRIND) {
		printf("\nTime a call, touching a block's first and last byte; "
		       "medians of %u rounds in turn.\n"
		       "The arena takes no lock, and keeps no large block "
		       "for later.\n", ROUNDS);
		show_time("Up to 8 KiB", &heap, 1, calls, seed);
		show_time("1 of 100 up to 256 KiB", &heap, 0, calls, seed);
	}
	must("destroy", result(arena_destroy(heap.arena)));
	return EXIT_SUCCESS;
}
