/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Depth-first: each way repeats the call from its beginning, takes the choices
 * that it shares with the last way, and makes the next one differently.
 */
#include "interleave-explore.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "interleave-log.h"
#include "shared-hooks.h"

#define CHOICES    4096
#define LOADS_MOST 100000

/* A load that could see more than one version. */
struct choice {
	const struct word *word;
	size_t least, taken;
	unsigned int switches;          /* so far, without this */
};

static struct {
	struct exploration *how;
	bool reading;                   /* else loads are the writer's */
	jmp_buf out;
	struct choice choice[CHOICES];
	size_t choices;                 /* that are laid down */
	/* This way. */
	unsigned long number;
	size_t passed;                  /* choices */
	size_t shared;                  /* choices, with the way before */
	unsigned long loads;
	unsigned long old;              /* loads, as in the way before */
	const void *first;
	unsigned int switches;
	size_t now;                     /* stores that have to be seen */
	size_t fenced;                  /* and after the next fence */
	size_t latest;                  /* store that was seen */
	void (*name)(const void *addr, char *text, size_t size);
} way;

enum { ENDED, RESTARTED, BROKEN };

static _Noreturn void broken(const char *what)
{
	way.how->wrong = what;
	longjmp(way.out, BROKEN);
}

/* ---- one load ---- */

/* The version before which none may be seen. */
static size_t least(const struct word *word)
{
	size_t v = log_version_at(word, way.now);

	if (way.how->out_of_order && word->run == way.number &&
	    word->seen > v)
		v = word->seen;
	return v;
}

/* Whether an older version, holds the same and promises less. */
static bool is_repeated(const struct word *word, size_t from, size_t v)
{
	const struct version *this = &word->versions[v];

	for (size_t i = from; i < v; i++) {
		const struct version *older = &word->versions[i];

		if (older->value == this->value &&
		    (!way.how->out_of_order || older->view <= this->view))
			return true;
	}
	return false;
}

/* The next choice after version v, or word->n. */
static size_t next_version(const struct word *word, size_t from, size_t v)
{
	do {
		v++;
	} while (v < word->n && is_repeated(word, from, v));
	return v;
}

static size_t choose(struct word *word)
{
	struct choice *choice = &way.choice[way.passed];
	size_t from = least(word);

	if (from + 1 == word->n)
		return from;
	if (way.passed == CHOICES)
		broken("more choices than there is room for");
	if (way.passed++ == way.choices) {
		way.choices++;
		*choice = (struct choice){ word, from, from, way.switches };
	}
	if (way.passed == way.shared)
		way.old = way.loads - 1;
	way.switches += choice->taken != choice->least;
	return choice->taken;
}

static void see(struct word *word, size_t v, enum hook_order order)
{
	const struct version *version = &word->versions[v];

	word->run = way.number;
	word->seen = v;
	if (way.latest < version->at)
		way.latest = version->at;
	if (!way.how->out_of_order) {
		way.now = way.latest;
		return;
	}
	if (way.fenced < version->view)
		way.fenced = version->view;
	if (order == HOOK_ACQUIRE && way.now < version->view)
		way.now = version->view;
}

static void show(const void *addr, const struct word *word, size_t v)
{
	char name[80];

	if (!way.name)
		return;
	way.name(addr, name, sizeof(name));
	if (!word)
		printf("  %-40s\n", name);
	else
		printf("  %-40s %#18" PRIx64 "  store %zu%s\n", name,
		       word->versions[v].value, word->versions[v].at,
		       v == least(word) ? "" : ", ahead");
}

static void begin_load(const void *addr, enum hook_order order)
{
	if (way.first == addr && order == HOOK_ACQUIRE &&
	    !way.how->go_through)
		longjmp(way.out, RESTARTED);
	if (!way.first)
		way.first = addr;
	if (way.loads++ == LOADS_MOST)
		broken("the reader does not come to an end");
	if (!log_owns(addr))
		broken("the reader follows what is no pointer");
}

void *hook_load(const void *addr, enum hook_order order)
{
	void *plain = (void *)(uintptr_t)addr;
	struct word *word;
	size_t v;

	if (!way.reading)
		return plain;
	begin_load(addr, order);
	word = log_word(addr);
	if (!word) {
		show(addr, NULL, 0);
		return plain;
	}
	v = choose(word);
	show(addr, word, v);
	see(word, v, order);
	return &word->versions[v].value;
}

void hook_fence(enum hook_order order)
{
	if (order == HOOK_RELEASE)
		log_fence();
	else if (way.now < way.fenced)
		way.now = way.fenced;
}

/* ---- all ways ---- */

/* Make the last choice that can be made differently so.  false: none. */
static bool next_way(struct exploration *how)
{
	while (way.choices) {
		struct choice *last = &way.choice[way.choices - 1];
		size_t next = next_version(last->word, last->least,
					   last->taken);

		if (next == last->word->n) {
			way.choices--;
		} else if (last->switches >= how->switches) {
			how->more = true;
			way.choices--;
		} else {
			last->taken = next;
			return true;
		}
	}
	return false;
}

static void begin_way(struct exploration *how)
{
	way.how = how;
	way.reading = true;
	way.number++;
	way.passed = 0;
	way.shared = way.choices;
	way.loads = way.old = 0;
	way.first = NULL;
	way.switches = 0;
	way.now = way.latest = how->from;
	way.fenced = 0;
}

/* One call, with the choices that are laid down and the first ones after. */
static bool go(struct exploration *how)
{
	int end;

	begin_way(how);
	end = setjmp(way.out);
	if (!end)
		how->call(how->arg);
	way.reading = false;
	if (end == BROKEN)
		return false;
	how->loads += way.loads - way.old;
	if (end == RESTARTED) {
		how->restarts++;
		return true;
	}
	how->calls++;
	if (how->right(how->arg, how->from, way.latest))
		return true;
	how->wrong = "the answer is that of no moment of the call";
	return false;
}

bool explore(struct exploration *how)
{
	way.choices = 0;
	do {
		if (!go(how))
			return false;
		how->given_up = how->most && how->loads > how->most;
	} while (!how->given_up && next_way(how));
	return true;
}

void explore_show(struct exploration *how,
		  void (*name)(const void *addr, char *text, size_t size))
{
	way.name = name;
	printf("  after store %zu the reader loads\n", how->from);
	go(how);
	way.name = NULL;
}
