/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A small real job: makes a text, packs it with a dictionary coder, unpacks
 * that, and compares.  The text comes from mmap, tables and results from brk.
 *
 * Packed: a byte n below 128 and n + 1 bytes as they are; or 128 + n, and
 * n + MATCH_MIN bytes again from the distance in the next two bytes.
 */
#include "guest.h"

#define TEXT_SIZE (256ul << 10)
#define HASH_BITS 13
#define MATCH_MIN 4ul
#define MATCH_MAX (127 + MATCH_MIN)
#define RUN_MAX   128ul

/* A growing output. */
struct out {
	unsigned char *bytes;
	size_t size;
};

static void make_text(unsigned char *to, size_t size)
{
	static const char *const words[] = {
		"the ", "set ", "never ", "disagrees ", "with ", "the ",
		"kernel ", "about ", "a ", "page, ", "an ", "area ", "or ",
		"a ", "gap.\n", "neighbours ",
	};
	uint32_t random = 1;
	const char *word = "";

	while (size--) {
		if (!*word) {
			random = random * 1664525 + 1013904223;
			word = words[random >> 28];
		}
		*to++ = (unsigned char)*word++;
	}
}

static uint32_t load32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static uint32_t hash(uint32_t four_bytes)
{
	return four_bytes * 2654435761u >> (32 - HASH_BITS);
}

static void put_run(struct out *out, const unsigned char *from, size_t size)
{
	while (size) {
		const size_t now = size < RUN_MAX ? size : RUN_MAX;

		out->bytes[out->size++] = (unsigned char)(now - 1);
		memcpy(out->bytes + out->size, from, now);
		out->size += now;
		from += now;
		size -= now;
	}
}

static void put_match(struct out *out, size_t size, size_t distance)
{
	out->bytes[out->size++] = (unsigned char)(128 + size - MATCH_MIN);
	out->bytes[out->size++] = (unsigned char)distance;
	out->bytes[out->size++] = (unsigned char)(distance >> 8);
}

static size_t match_size(const unsigned char *a, const unsigned char *b,
			 size_t limit)
{
	size_t size = 0;

	if (limit > MATCH_MAX)
		limit = MATCH_MAX;
	while (size < limit && a[size] == b[size])
		size++;
	return size;
}

/* last: for each hash the position behind the four bytes last seen with it. */
static void pack(struct out *out, const unsigned char *text, size_t size,
		 uint32_t *last)
{
	size_t at = 0, run = 0;

	while (at + MATCH_MIN <= size) {
		uint32_t *const slot = &last[hash(load32(text + at))];
		const size_t distance = at + 1 - *slot;
		size_t match = 0;

		if (*slot && distance < 65536)
			match = match_size(text + at - distance, text + at,
					   size - at);
		*slot = (uint32_t)at + 1;
		if (match < MATCH_MIN) {
			at++;
			continue;
		}
		put_run(out, text + run, at - run);
		put_match(out, match, distance);
		at += match;
		run = at;
	}
	put_run(out, text + run, size - run);
}

static void unpack(struct out *out, const unsigned char *from, size_t size)
{
	const unsigned char *const end = from + size;

	while (from < end) {
		size_t count = *from++;
		const unsigned char *source = from;

		if (count < 128) {
			count++;
			from += count;
		} else {
			count = count - 128 + MATCH_MIN;
			source = out->bytes + out->size -
				 (from[0] | (size_t)from[1] << 8);
			from += 2;
		}
		memcpy(out->bytes + out->size, source, count);
		out->size += count;
	}
}

int main(void)
{
	const long text = sys_mmap(0, TEXT_SIZE, PROT_READ | PROT_WRITE, 0);
	uint32_t *last = more_heap(sizeof(*last) << HASH_BITS);
	struct out packed = { more_heap(TEXT_SIZE + TEXT_SIZE / RUN_MAX), 0 };
	struct out again = { more_heap(TEXT_SIZE), 0 };
	const unsigned char *bytes = (const unsigned char *)text;
	size_t i;

	if (text < 0 || !last || !packed.bytes || !again.bytes) {
		say("No memory.\n");
		return 1;
	}
	make_text((unsigned char *)text, TEXT_SIZE);
	pack(&packed, bytes, TEXT_SIZE, last);
	unpack(&again, packed.bytes, packed.size);
	for (i = 0; i < TEXT_SIZE && bytes[i] == again.bytes[i]; i++)
		;
	say("Packed %ld bytes of text into %ld, and unpacked %ld.\n", TEXT_SIZE,
	    packed.size, again.size);
	if (i < TEXT_SIZE || again.size != TEXT_SIZE) {
		say("Byte %ld differs!\n", i);
		return 1;
	}
	say("All bytes are the same.\n");
	return 0;
}
