/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Plain bytes from files that may be packed, by liblzma.  What comes out has a
 * limit, so that a small damaged file cannot take all memory.
 */
#include "unxz.h"

#include <errno.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROOM_FIRST ((size_t)64 << 10)
#define ROOM_MAX   ((size_t)256 << 20)
/* What unpacking may take; xz -9 needs 65 MiB. */
#define MEMORY_MAX ((uint64_t)128 << 20)

/* Make at least one byte of room behind bytes->size. */
static const char *make_room(struct unxz_bytes *bytes, size_t *room)
{
	size_t wanted = *room ? *room * 2 : ROOM_FIRST;
	char *at;

	if (bytes->size < *room)
		return NULL;
	if (wanted > ROOM_MAX)
		return "too large";
	at = realloc(bytes->at, wanted);
	if (!at)
		return strerror(ENOMEM);
	bytes->at = at;
	*room = wanted;
	return NULL;
}

static const char *read_all(FILE *file, struct unxz_bytes *out)
{
	struct stat status;

	if (fstat(fileno(file), &status))
		return strerror(errno);
	if (!S_ISREG(status.st_mode))
		return "not a regular file";
	if ((uintmax_t)status.st_size > ROOM_MAX)
		return "too large";
	out->size = (size_t)status.st_size;
	out->at = malloc(out->size + 1);
	if (!out->at)
		return strerror(ENOMEM);
	if (fread(out->at, 1, out->size, file) != out->size)
		return "cannot be read";
	return NULL;
}

static const char *reason(lzma_ret ret)
{
	switch (ret) {
	case LZMA_BUF_ERROR:
		return "xz data is cut off";
	case LZMA_DATA_ERROR:
		return "xz data is damaged, or something follows it";
	case LZMA_OPTIONS_ERROR:
		return "xz data uses what liblzma does not know";
	case LZMA_MEMLIMIT_ERROR:
		return "xz data needs too much memory to unpack";
	case LZMA_MEM_ERROR:
		return strerror(ENOMEM);
	default:
		return "xz data cannot be unpacked";
	}
}

static const char *decode_all(lzma_stream *stream, struct unxz_bytes *out)
{
	size_t room = 0;

	for (;;) {
		const char *why = make_room(out, &room);
		lzma_ret ret;

		if (why)
			return why;
		stream->next_out = (uint8_t *)out->at + out->size;
		stream->avail_out = room - out->size;
		ret = lzma_code(stream, LZMA_FINISH);
		out->size = room - stream->avail_out;
		if (ret == LZMA_STREAM_END)
			return NULL;
		if (ret != LZMA_OK)
			return reason(ret);
	}
}

static const char *unpack(const void *in, size_t size, struct unxz_bytes *out)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	const char *why;
	lzma_ret ret;

	ret = lzma_stream_decoder(&stream, MEMORY_MAX, LZMA_CONCATENATED);
	if (ret != LZMA_OK)
		return reason(ret);
	stream.next_in = in;
	stream.avail_in = size;
	why = decode_all(&stream, out);
	lzma_end(&stream);
	return why;
}

static const char *copy(const void *in, size_t size, struct unxz_bytes *out)
{
	out->at = malloc(size ? size : 1);
	if (!out->at)
		return strerror(ENOMEM);
	if (size)
		memcpy(out->at, in, size);
	out->size = size;
	return NULL;
}

static bool is_xz(const void *bytes, size_t size)
{
	static const uint8_t magic[] = { 0xfd, '7', 'z', 'X', 'Z', 0 };

	return size >= sizeof(magic) &&
	       memcmp(bytes, magic, sizeof(magic)) == 0;
}

const char *unxz_bytes(const void *in, size_t size, struct unxz_bytes *out)
{
	const char *why;

	*out = (struct unxz_bytes){ NULL, 0 };
	if (!is_xz(in, size))
		return copy(in, size, out);
	why = unpack(in, size, out);
	if (why)
		unxz_free(out);
	return why;
}

const char *unxz_file(const char *path, struct unxz_bytes *out)
{
	struct unxz_bytes packed = { NULL, 0 };
	FILE *file = fopen(path, "re");
	const char *why;

	*out = packed;
	if (!file)
		return strerror(errno);
	why = read_all(file, &packed);
	fclose(file);
	if (!why)
		why = unxz_bytes(packed.at, packed.size, out);
	unxz_free(&packed);
	return why;
}

void unxz_free(struct unxz_bytes *bytes)
{
	free(bytes->at);
	*bytes = (struct unxz_bytes){ NULL, 0 };
}
