/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is compared: the set, and ordered containers of areas as one would write
 * them without it.  None of them calls the system for an area.
 *
 * An area has start, end, flags and offset; equal neighbours are joined, and
 * areas are cut where an operation ends inside one.  Peers other than the set
 * leave backend and data of what they find alone.
 *
 * Functions return whether it worked.  What a peer does not do is NULL.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmset.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bench_peer {
	const char *name;
	void *(*create)(struct vmset_range bounds);
	void (*destroy)(void *self);
	/* The room must be free.  The offset is that of start in the bounds. */
	bool (*map)(void *self, uintptr_t start, size_t size, uint32_t flags);
	bool (*unmap)(void *self, uintptr_t start, size_t size);
	bool (*protect)(void *self, uintptr_t start, size_t size,
			uint32_t flags);
	bool (*find)(const void *self, uintptr_t addr,
		     struct vmset_area *area);
	/* The lowest free room at or above hint. */
	bool (*find_free)(const void *self, uintptr_t hint, size_t size,
			  uintptr_t *start);
	/* Map there. */
	bool (*alloc)(void *self, uintptr_t hint, size_t size, uint32_t flags,
		      uintptr_t *start);
	/* Go through all areas and add up their sizes. */
	size_t (*walk)(const void *self);
	/* The same in another way, if there is one. */
	size_t (*walk_areas)(const void *self);
	size_t (*len)(const void *self);
	/* What it takes of memory; 0 where malloc does not tell. */
	size_t (*bytes)(const void *self);
};

extern const struct bench_peer bench_vmset;
extern const struct bench_peer bench_linear;
extern const struct bench_peer bench_std_map;
extern const struct bench_peer bench_absl;
extern const struct bench_peer bench_icl;

/* Those that were built, the set first, and NULL. */
extern const struct bench_peer *const bench_peers[];

/* Whether the peer is one of those named, with commas between; NULL: all are. */
bool bench_peer_is_named(const struct bench_peer *peer, const char *names);

/* What malloc has given out, overhead included; 0 where it does not tell. */
size_t bench_malloced(void);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_PEER_H */
