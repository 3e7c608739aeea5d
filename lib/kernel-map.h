/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the kernel says about the process's own address space.
 */
#ifndef VMSET_KERNEL_MAP_H
#define VMSET_KERNEL_MAP_H

#include "vmset.h"

enum vmset__kernel_source {
	VMSET__BEST_SOURCE,     /* PROCMAP_QUERY if there is one, else the text */
	VMSET__PROCMAP_QUERY,
	VMSET__MAPS_TEXT
};

/* A run of addresses that are alike to the kernel. */
struct vmset__kernel_area {
	struct vmset_range range;
	bool mapped;            /* else: between two mappings */
	bool anonymous;         /* private anonymous memory */
	uint32_t flags;         /* VMSET_READ, … */
};

struct vmset__kernel_map {
	int fd;
	bool by_query;
	/* Reading the text: what is in the buffer, and the mapping read last. */
	size_t at, filled;
	struct vmset__kernel_area last;
	char buffer[4096];
};

/* 0 or a negative errno. */
int vmset__kernel_map_open(struct vmset__kernel_map *map,
			   enum vmset__kernel_source source);
void vmset__kernel_map_close(struct vmset__kernel_map *map);

/*
 * The run that addr is in.  Addresses have to ascend from call to call.  0 or a
 * negative errno.
 */
int vmset__kernel_map_at(struct vmset__kernel_map *map, uintptr_t addr,
			 struct vmset__kernel_area *area);

#endif /* VMSET_KERNEL_MAP_H */
