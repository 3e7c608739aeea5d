/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The log: the words in a hash table, each with its versions.
 */
#include "interleave-log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "shared-hooks.h"

#define SLOTS  ((size_t)1 << 14)
#define CHUNKS 64

static struct {
	bool on;
	size_t stores, fence;           /* stores before the last fence */
	size_t words;
	struct word word[SLOTS];
} list;

static struct {
	const char *start, *end;
} chunks[CHUNKS];

static size_t chunks_n;

static void fail(const char *what)
{
	fprintf(stderr, "interleave: %s\n", what);
	exit(EXIT_FAILURE);
}

/* ---- the library's memory ---- */

void *__real_mmap(void *addr, size_t size, int prot, int flags, int fd,
		  off_t offset);
void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd,
		  off_t offset);
int __real_munmap(void *addr, size_t size);
int __wrap_munmap(void *addr, size_t size);

void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd,
		  off_t offset)
{
	char *start = __real_mmap(addr, size, prot, flags, fd, offset);

	if (chunks_n == CHUNKS)
		fail("more chunks than there is room to note");
	chunks[chunks_n].start = start;
	chunks[chunks_n++].end = start + size;
	return start;
}

int __wrap_munmap(void *addr, size_t size)
{
	for (size_t i = 0; i < chunks_n; i++)
		if (chunks[i].start == addr)
			chunks[i] = chunks[--chunks_n];
	return __real_munmap(addr, size);
}

bool log_owns(const void *addr)
{
	for (size_t i = 0; i < chunks_n; i++)
		if (chunks[i].start <= (const char *)addr &&
		    (const char *)addr < chunks[i].end)
			return true;
	return false;
}

/* ---- words ---- */

static struct word *slot_of(const void *addr)
{
	uint64_t hash = (uintptr_t)addr * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(hash >> 50) % SLOTS;

	while (list.word[i].addr && list.word[i].addr != addr)
		i = (i + 1) % SLOTS;
	return &list.word[i];
}

struct word *log_word(const void *addr)
{
	struct word *word = slot_of(addr);

	return word->addr ? word : NULL;
}

static uint64_t value_of(const struct word *word)
{
	uint64_t value = 0;

	memcpy(&value, word->addr, word->size);
	return value;
}

static void add_version(struct word *word, struct version version)
{
	if (word->n == word->room) {
		word->room = word->room ? 2 * word->room : 4;
		word->versions = realloc(word->versions, word->room *
						sizeof(*word->versions));
		if (!word->versions)
			fail("no memory");
	}
	word->versions[word->n++] = version;
}

size_t log_version_at(const struct word *word, size_t stores)
{
	size_t low = 0, high = word->n;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (word->versions[middle].at <= stores)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* ---- the writer ---- */

void hook_storing(const void *addr, size_t size)
{
	struct word *word = slot_of(addr);

	if (!list.on)
		return;
	if (!word->addr) {
		if (++list.words == SLOTS / 2)
			fail("more words than there is room for");
		word->addr = addr;
		word->size = size;
		add_version(word, (struct version){ .value = value_of(word) });
	}
	if (word->size != size ||
	    value_of(word) != word->versions[word->n - 1].value)
		fail("a store that readers can see went past lib/shared.h");
}

void hook_stored(const void *addr, enum hook_order order)
{
	struct word *word = slot_of(addr);

	if (!list.on)
		return;
	list.stores++;
	add_version(word, (struct version){
		.value = value_of(word), .at = list.stores,
		.view = order == HOOK_RELEASE ? list.stores : list.fence,
	});
}

void log_fence(void)
{
	list.fence = list.stores;
}

void log_start(void)
{
	log_free();
	list.on = true;
}

void log_stop(void)
{
	list.on = false;
}

void log_free(void)
{
	for (size_t i = 0; i < SLOTS; i++)
		free(list.word[i].versions);
	memset(&list, 0, sizeof(list));
}

size_t log_length(void)
{
	return list.stores;
}
