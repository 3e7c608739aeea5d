/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * /proc/self/maps, line by line, through a small buffer on the stack.
 *
 *     7f0c31a00000-7f0c31a04000 rw-p 00000000 00:00 0      [name or path]
 */
#include "kernelmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* The file, and the part of it that is read but not used yet. */
struct stream {
	int fd;
	int err;                /* why reading ended, 0 at the file's end */
	const char *at, *end;
	char buf[4096];
};

/* The next character, or -1 at the end or on an error. */
static int next(struct stream *s)
{
	ssize_t got;

	if (s->at < s->end)
		return (unsigned char)*s->at++;
	do
		got = read(s->fd, s->buf, sizeof(s->buf));
	while (got < 0 && errno == EINTR);
	if (got <= 0) {
		s->err = got < 0 ? -errno : 0;
		return -1;
	}
	s->at = s->buf;
	s->end = s->buf + got;
	return (unsigned char)*s->at++;
}

/* Read a hex number and the character behind it, which must be stop. */
static int read_number(struct stream *s, int stop, uintptr_t *number)
{
	int c;

	*number = 0;
	while ((c = next(s)) != stop) {
		if (c >= '0' && c <= '9')
			*number = *number * 16 + (uintptr_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*number = *number * 16 + (uintptr_t)(c - 'a' + 10);
		else
			return -EPROTO;
	}
	return 0;
}

/* Skip to the line's end.  Whether there is a file: an inode that is not 0. */
static bool skip_to_end(struct stream *s)
{
	bool file = false;
	int field = 0;
	int c;

	/* From behind the protection: offset, device, inode, name. */
	while ((c = next(s)) != '\n' && c != -1) {
		if (c == ' ')
			field++;
		else if (field == 3 && c != '0')
			file = true;
	}
	return file;
}

/* 1 and a line, 0 at the end of the file, or a negative errno value. */
static int read_line(struct stream *s, struct kernelmap_line *line)
{
	int c = next(s);

	if (c == -1)
		return s->err;
	s->at--;
	if (read_number(s, '-', &line->start) ||
	    read_number(s, ' ', &line->end))
		return -EPROTO;
	line->prot = next(s) == 'r' ? PROT_READ : PROT_NONE;
	line->prot |= next(s) == 'w' ? PROT_WRITE : PROT_NONE;
	line->prot |= next(s) == 'x' ? PROT_EXEC : PROT_NONE;
	line->anonymous = next(s) == 'p';
	if (skip_to_end(s))
		line->anonymous = false;
	return s->err ? s->err : 1;
}

static int walk(struct stream *s, struct vmset_range range, kernelmap_fn *fn,
		void *arg)
{
	struct kernelmap_line line = { 0 };
	int ret;

	while ((ret = read_line(s, &line)) > 0) {
		if (line.end <= range.start)
			continue;
		if (line.start >= range.end)
			return 0;
		if (line.start < range.start)
			line.start = range.start;
		if (line.end > range.end)
			line.end = range.end;
		ret = fn(&line, arg);
		if (ret)
			return ret;
	}
	return ret;
}

int kernelmap_walk(struct vmset_range range, kernelmap_fn *fn, void *arg)
{
	struct stream s = { .fd = open("/proc/self/maps",
				       O_RDONLY | O_CLOEXEC) };
	int ret;

	if (s.fd < 0)
		return -errno;
	ret = walk(&s, range, fn, arg);
	close(s.fd);
	return ret;
}
