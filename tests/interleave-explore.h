/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * All ways in which one call of a reader can fall among the stores of a log.
 *
 * Each load of the reader may be overtaken by the writer: it sees the word as
 * it is, or as any later store makes it.  What comes before a store that
 * was seen has happened, too.  That is in order.  Out of order, a load may also
 * miss stores that happened, as long as nothing promises that it sees them:
 *   - a load never sees less than an earlier load of the same word,
 *   - an acquire load that sees a release store sees all before it,
 *   - after an acquire fence all is seen that comes before a release store, or
 *     before a release fence before a store, that was seen before the fence.
 * For one thread that only stores and one that only loads that is all that the
 * memory model of C11 promises, and all that it allows.
 *
 * Versions of a word that hold the same are one choice, the oldest, if it makes
 * no more promises: who sees a newer one goes on in fewer ways, and has more
 * answers to choose from.
 *
 * A reader that starts again, by an acquire load of the word that it loaded
 * first, has forgotten what it saw.  So that way ends there: the call that
 * begins at that moment is one of those that are explored.
 */
#ifndef TESTS_INTERLEAVE_EXPLORE_H
#define TESTS_INTERLEAVE_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>

struct exploration {
	/* The call, and whether it gave an answer of some moment in between. */
	void (*call)(void *arg);
	bool (*right)(void *arg, size_t from, size_t to);
	void *arg;

	size_t from;            /* the stores that the reader has to see */
	bool out_of_order;
	bool go_through;        /* follow readers that start again */
	/* So many loads of a call, at most, see more than they have to. */
	unsigned int switches;
	unsigned long most;     /* give up after so many loads; 0: never */

	unsigned long calls;    /* that came to an end */
	unsigned long restarts; /* calls that would have started again */
	unsigned long loads;    /* the nodes of the tree of ways */
	bool more;              /* there are ways with more switches */
	bool given_up;
	const char *wrong;      /* what is wrong, if anything */
};

/* false, and what is wrong, when an answer was not right. */
bool explore(struct exploration *exploration);

/*
 * Repeat the call that went wrong and print its loads.  name writes the name of
 * the word.
 */
void explore_show(struct exploration *exploration,
		  void (*name)(const void *addr, char *text, size_t size));

#endif /* TESTS_INTERLEAVE_EXPLORE_H */
