/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Arrays that grow: room for one element more, got in doubling steps.
 */
#ifndef TESTS_VECTOR_H
#define TESTS_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * The array at, which may have moved, with room for nr elements of size bytes;
 * or NULL, and the array is as it was.
 */
static inline void *vector_room(void *at, size_t nr, size_t *room, size_t size)
{
	size_t wanted = *room ? *room : 16;

	if (nr <= *room)
		return at;
	while (wanted < nr)
		wanted *= 2;
	if (wanted > SIZE_MAX / 2 / size)
		return NULL;
	at = realloc(at, wanted * size);
	if (at)
		*room = wanted;
	return at;
}

#endif /* TESTS_VECTOR_H */
