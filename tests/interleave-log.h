/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Everything that a writer stores where readers look, store by store.
 *
 * Readers store nothing, so what a writer does never depends on them: it is
 * run once, and what a reader could see at any moment of it, or could see late,
 * is in the log.
 */
#ifndef TESTS_INTERLEAVE_LOG_H
#define TESTS_INTERLEAVE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a word held from one store to it until the next. */
struct version {
	uint64_t value;         /* as it lies in memory */
	size_t at;              /* the number of the store; 0: from the start */
	/*
	 * Who reads it and heeds the order, by an acquire, has all stores up to
	 * this one: itself after a release, else those before the last
	 * release fence.
	 */
	size_t view;
};

/* A word that was stored to. */
struct word {
	const void *addr;
	size_t size;
	struct version *versions;
	size_t n, room;
	/* For who reads: the newest version seen in this run. */
	unsigned long run;
	size_t seen;
};

/* Log the stores from now on, until log_stop. */
void log_start(void);
void log_stop(void);
void log_free(void);

/* A release fence of the writer's. */
void log_fence(void);

/* Stores so far. */
size_t log_length(void);

/* NULL if there was no store to it. */
struct word *log_word(const void *addr);

/* The last version that is there after so many stores. */
size_t log_version_at(const struct word *word, size_t stores);

/* Whether the address is in the library's memory, where all nodes are. */
bool log_owns(const void *addr);

#endif /* TESTS_INTERLEAVE_LOG_H */
