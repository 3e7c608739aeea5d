/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Pages of a file as a backend, by mmap and mprotect.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "filemap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "assert.h"
#include "kernelmap.h"

static int file_map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		    uint64_t offset)
{
	const int *fd = ctx;

	return mmap((void *)start, size, (int)flags, MAP_SHARED | MAP_FIXED,
		    *fd, (off_t)offset) == MAP_FAILED ? -errno : 0;
}

static int file_unmap(void *ctx, uintptr_t start, size_t size)
{
	(void)ctx;
	return mmap((void *)start, size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
		    -1, 0) == MAP_FAILED ? -errno : 0;
}

static int file_protect(void *ctx, uintptr_t start, size_t size,
			uint32_t flags)
{
	(void)ctx;
	return mprotect((void *)start, size, (int)flags) ? -errno : 0;
}

/* Copy the first line. */
static int take(const struct kernelmap_line *line, void *arg)
{
	*(struct kernelmap_line *)arg = *line;
	return 1;
}

static int file_query(void *ctx, uintptr_t addr, uintptr_t limit,
		      struct vmset_query *out)
{
	struct kernelmap_line line = { .start = limit };
	struct vmset_range range = { addr, limit };
	int ret = kernelmap_walk(range, take, &line);

	(void)ctx;
	if (ret < 0)
		return ret;
	*out = (struct vmset_query){ .end = line.start };
	if (line.start == addr)
		*out = (struct vmset_query){
			.end = line.end, .flags = line.prot,
			.mapped = !line.anonymous,
		};
	return 0;
}

#define FILE_OPS                                                              \
	.size = sizeof(struct vmset_backend_ops),                             \
	.map = file_map,                                                      \
	.unmap = file_unmap,                                                  \
	.protect = file_protect,                                              \
	.promises = VMSET_BACKEND_REPLACES | VMSET_BACKEND_SPANS,             \
	.flags_mask = VMSET_READ | VMSET_WRITE | VMSET_EXEC,                  \
	.name = "file"

const struct vmset_backend_ops filemap_ops = { FILE_OPS };

const struct vmset_backend_ops filemap_query_ops = {
	FILE_OPS, .query = file_query,
};

int filemap_file(size_t pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	FILE *file = tmpfile();
	int fd;

	assert_that(file);
	for (size_t i = 0; i < pages; i++) {
		for (size_t n = 0; n < page; n++)
			fputc((int)i + 1, file);
	}
	assert_ok(fflush(file));
	fd = dup(fileno(file));
	assert_that(fd >= 0);
	fclose(file);
	return fd;
}

int filemap_read_only(int fd)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	assert_that(again >= 0);
	return again;
}
