/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Asking the kernel: by PROCMAP_QUERY, one ioctl a mapping, or by reading the
 * text of /proc/self/maps through a small buffer.  Neither allocates.
 */
#include "kernel-map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* As in linux/fs.h from Linux 6.11 on, which may not be what is installed. */
struct procmap_query {
	uint64_t size;
	uint64_t query_flags;
	uint64_t query_addr;
	uint64_t vma_start;
	uint64_t vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t vma_name_size;
	uint32_t build_id_size;
	uint64_t vma_name_addr;
	uint64_t build_id_addr;
};

#define QUERY_IOCTL        _IOWR('f', 17, struct procmap_query)
#define QUERY_RIGHTS       UINT64_C(0x07)       /* read, write, execute */
#define QUERY_SHARED       UINT64_C(0x08)
#define QUERY_OR_NEXT      UINT64_C(0x10)

static struct vmset__kernel_area hole(uintptr_t addr, uintptr_t end)
{
	return (struct vmset__kernel_area){ .range = { addr, end } };
}

static int query(const struct vmset__kernel_map *map, uintptr_t addr,
		 struct vmset__kernel_area *area)
{
	struct procmap_query q = { .size = sizeof q, .query_addr = addr,
				   .query_flags = QUERY_OR_NEXT };

	if (ioctl(map->fd, QUERY_IOCTL, &q)) {
		if (errno != ENOENT)
			return -errno;
		*area = hole(addr, UINTPTR_MAX);
		return 0;
	}
	if (q.vma_start > addr) {
		*area = hole(addr, (uintptr_t)q.vma_start);
		return 0;
	}
	*area = (struct vmset__kernel_area){
		.range = { (uintptr_t)q.vma_start, (uintptr_t)q.vma_end },
		.mapped = true,
		.anonymous = !(q.vma_flags & QUERY_SHARED) && !q.inode,
		.flags = (uint32_t)(q.vma_flags & QUERY_RIGHTS),
	};
	return 0;
}

/* ---- the text ---- */

/* Behind the last character.  No errno that read sets: EOF is -EPERM. */
#define AT_END (-ENODATA)

/* The next character, AT_END, or a negative errno. */
static int next_char(struct vmset__kernel_map *map)
{
	ssize_t n;

	if (map->at == map->filled) {
		do {
			n = read(map->fd, map->buffer, sizeof map->buffer);
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		if (n == 0)
			return AT_END;
		map->at = 0;
		map->filled = (size_t)n;
	}
	return (unsigned char)map->buffer[map->at++];
}

/* Read a number up to and with the character behind it, which is returned. */
static int read_number(struct vmset__kernel_map *map, unsigned base,
		       uintptr_t *number)
{
	*number = 0;
	for (;;) {
		int c = next_char(map);
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (base == 16 && c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			return c;
		*number = *number * base + digit;
	}
}

static int read_rights(struct vmset__kernel_map *map, uint32_t *flags,
		       bool *private)
{
	static const char letters[] = "rwx";
	int c;

	*flags = 0;
	for (unsigned i = 0; i < 3; i++)
		if (next_char(map) == letters[i])
			*flags |= 1u << i;
	c = next_char(map);
	*private = c == 'p';
	return c == 'p' || c == 's' ? next_char(map) : -EIO;
}

/*
 * start-end rwxp offset major:minor inode …  0 at the end of the text, 1 for a
 * line, or a negative errno; -EIO if the text is not of this form or ends early.
 */
static int read_line(struct vmset__kernel_map *map,
		     struct vmset__kernel_area *area)
{
	uintptr_t ignored, inode;
	bool private;
	int c = read_number(map, 16, &area->range.start);

	if (c < 0)
		return c == AT_END ? 0 : c;
	if (c != '-' || read_number(map, 16, &area->range.end) != ' ' ||
	    read_rights(map, &area->flags, &private) != ' ' ||
	    read_number(map, 16, &ignored) != ' ' ||
	    read_number(map, 16, &ignored) != ':' ||
	    read_number(map, 16, &ignored) != ' ')
		return -EIO;
	c = read_number(map, 10, &inode);
	while (c >= 0 && c != '\n')
		c = next_char(map);
	area->mapped = true;
	area->anonymous = private && !inode;
	return c == '\n' ? 1 : -EIO;
}

static int look_up(struct vmset__kernel_map *map, uintptr_t addr,
		   struct vmset__kernel_area *area)
{
	while (map->last.range.end <= addr) {
		int rc = read_line(map, &map->last);

		if (rc < 0)
			return rc;
		if (rc == 0)
			map->last = hole(addr, UINTPTR_MAX);
	}
	*area = map->last;
	if (area->range.start > addr)
		*area = hole(addr, area->range.start);
	return 0;
}

/* ---- both ---- */

int vmset__kernel_map_open(struct vmset__kernel_map *map,
			   enum vmset__kernel_source source)
{
	struct vmset__kernel_area area;

	map->at = map->filled = 0;
	map->last = hole(0, 0);
	map->fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (map->fd < 0)
		return -errno;
	map->by_query = source != VMSET__MAPS_TEXT && !query(map, 0, &area);
	if (map->by_query || source != VMSET__PROCMAP_QUERY)
		return 0;
	close(map->fd);
	return -ENOTSUP;
}

void vmset__kernel_map_close(struct vmset__kernel_map *map)
{
	close(map->fd);
}

int vmset__kernel_map_at(struct vmset__kernel_map *map, uintptr_t addr,
			 struct vmset__kernel_area *area)
{
	return map->by_query ? query(map, addr, area) :
			       look_up(map, addr, area);
}
