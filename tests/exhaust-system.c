/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The stand-ins.  Mappings lie one behind the other in the arena, as in a
 * stack.
 */
#include "exhaust-system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "rng.h"

#define ARENA_SIZE ((size_t)1 << 20)
#define PAGE       ((size_t)4096)

/* mmap belongs to the process, and so does this. */
static struct {
	size_t used, live;
	unsigned int granted, refused;
	_Alignas(1 << 16) unsigned char bytes[ARENA_SIZE];
} arena;

void arena_reset(void)
{
	arena.used = arena.live = 0;
	arena_grant(ARENA_ALL);
}

size_t arena_live(void)
{
	return arena.live;
}

void arena_grant(unsigned int requests)
{
	arena.granted = requests;
	arena.refused = 0;
}

unsigned int arena_refused(void)
{
	return arena.refused;
}

void arena_save(struct arena_image *image, const void *top)
{
	image->size = (size_t)((const unsigned char *)top - arena.bytes);
	image->used = arena.used;
	image->live = arena.live;
	image->bytes = realloc(image->bytes, image->size);
	if (!image->bytes || image->size > ARENA_SIZE)
		abort();
	memcpy(image->bytes, arena.bytes, image->size);
}

void arena_restore(const struct arena_image *image)
{
	memcpy(arena.bytes, image->bytes, image->size);
	arena.used = image->used;
	arena.live = image->live;
}

_Bool arena_is(const struct arena_image *image)
{
	return arena.used == image->used && arena.live == image->live &&
	       memcmp(arena.bytes, image->bytes, image->size) == 0;
}

/* The linker leads calls here: there is no header that could declare them. */
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset);
int __wrap_munmap(void *addr, size_t len);
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned int flags);
int __wrap_vmset__why_no_memory(void);

static size_t whole_pages(size_t len)
{
	return (len + PAGE - 1) & ~(PAGE - 1);
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
		  off_t offset)
{
	unsigned char *bytes = &arena.bytes[arena.used];

	(void)addr, (void)prot, (void)flags, (void)fd, (void)offset;
	len = whole_pages(len);
	if (!arena.granted || len > ARENA_SIZE - arena.used) {
		arena.refused++;
		errno = ENOMEM;
		return MAP_FAILED;
	}
	if (arena.granted != ARENA_ALL)
		arena.granted--;
	arena.used += len;
	arena.live += len;
	return memset(bytes, 0, len);
}

/* Only the last mapping can be used again. */
int __wrap_munmap(void *addr, size_t len)
{
	size_t at = (size_t)((unsigned char *)addr - arena.bytes);

	len = whole_pages(len);
	arena.live -= len;
	if (at + len == arena.used)
		arena.used = at;
	return 0;
}

ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned int flags)
{
	static struct rng rng = { 1 };
	uint64_t number = rng_next(&rng);

	(void)flags;
	memcpy(bytes, &number, size < sizeof(number) ? size : sizeof(number));
	return (ssize_t)size;
}

/* The library reads files in /proc to tell.  Here it is known. */
int __wrap_vmset__why_no_memory(void)
{
	return -ENOMEM;
}
