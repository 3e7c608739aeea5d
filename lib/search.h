/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Searching the short keys of a node: one cache line, which every vector unit
 * compares in a few instructions.
 *
 * SSE2 and NEON are there on every x86-64 and every aarch64; on other machines
 * plain C does it.  That is what this header has, inline, for everybody.  The wider
 * units of some machines are for finding an area, where it pays to ask which
 * there are (tree-find.c).
 *
 * A vector load reads the keys not at one moment but each of them whole, as the
 * machines in question do.  Keys that a reader is entitled to do not change, and
 * what others show is forgotten (tree.c).
 */
#ifndef VMSET_SEARCH_H
#define VMSET_SEARCH_H

#include <stdint.h>

#include "shared.h"

#if defined(__SSE2__) && !VMSET_SHARED_WATCHED
#define VMSET__SEARCH_SSE2 1
#define VMSET__SEARCH_NEON 0
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON) && !VMSET_SHARED_WATCHED
#define VMSET__SEARCH_SSE2 0
#define VMSET__SEARCH_NEON 1
#include <arm_neon.h>
#else
#define VMSET__SEARCH_SSE2 0
#define VMSET__SEARCH_NEON 0
#endif

/* Keys are compared as signed numbers: SSE2 knows no others. */
#define VMSET__KEY_MAX 0x7fff

/* So many keys are compared at once; others by plain C. */
#define VMSET__SEARCH_KEYS 32

/* The power of two that has room for so many keys. */
#define VMSET__SEARCH_ROOM(n) \
	((n) <= 4 ? 4 : (n) <= 8 ? 8 : (n) <= 16 ? 16 : VMSET__SEARCH_KEYS)

/* Without a branch that could be mispredicted; slots is a power of two. */
static inline unsigned vmset__keys_below_plain(const uint16_t *keys,
					       unsigned slots, uint16_t key)
{
	unsigned n = 0;

	for (unsigned half = slots / 2; half; half /= 2)
		n += vmset__load(&keys[n + half - 1]) < key ? half : 0;
	return n + (vmset__load(&keys[n]) < key);
}

#if VMSET__SEARCH_SSE2
static inline unsigned vmset__keys_below_vector(const uint16_t *keys,
						uint16_t key)
{
	const __m128i *eight = (const __m128i *)(const void *)keys;
	const __m128i wanted = _mm_set1_epi16((short)key);
	__m128i low = _mm_packs_epi16(_mm_cmpgt_epi16(wanted, eight[0]),
				      _mm_cmpgt_epi16(wanted, eight[1]));
	__m128i high = _mm_packs_epi16(_mm_cmpgt_epi16(wanted, eight[2]),
				       _mm_cmpgt_epi16(wanted, eight[3]));
	uint64_t below = (unsigned)_mm_movemask_epi8(low) |
			 (uint64_t)_mm_movemask_epi8(high) << 16;

	return (unsigned)__builtin_ctzll(~below);
}
#elif VMSET__SEARCH_NEON
/* A comparison that holds yields -1. */
static inline unsigned vmset__keys_below_vector(const uint16_t *keys,
						uint16_t key)
{
	const uint16x8_t wanted = vdupq_n_u16(key);
	uint16x8_t low = vaddq_u16(vcltq_u16(vld1q_u16(keys), wanted),
				   vcltq_u16(vld1q_u16(keys + 8), wanted));
	uint16x8_t high = vaddq_u16(vcltq_u16(vld1q_u16(keys + 16), wanted),
				    vcltq_u16(vld1q_u16(keys + 24), wanted));

	return (uint16_t)-vaddvq_u16(vaddq_u16(low, high));
}
#endif

/* How many of the ascending keys are less than key. */
typedef unsigned vmset__keys_below_fn(const uint16_t *keys, unsigned slots,
				      uint16_t key);

static inline unsigned vmset__keys_below(const uint16_t *keys, unsigned slots,
					 uint16_t key)
{
#if VMSET__SEARCH_SSE2 || VMSET__SEARCH_NEON
	if (slots == VMSET__SEARCH_KEYS)
		return vmset__keys_below_vector(keys, key);
#endif
	return vmset__keys_below_plain(keys, slots, key);
}

/*
 * A byte for a size, so that of two sizes the larger one's is not less: where the
 * highest bit is, and the two below it.
 */
static inline uint8_t vmset__width(uint64_t size)
{
	unsigned shift = (unsigned)__builtin_clzll(size | 1);

	return (uint8_t)((63 - shift) << 2 | ((size << shift) >> 61 & 3));
}

#define VMSET__WIDTHS 32

/* Bit i: width i is not less than this one. */
static inline uint32_t vmset__as_wide(const uint8_t *widths, uint8_t width)
{
#if VMSET__SEARCH_SSE2
	const __m128i *w = (const __m128i *)(const void *)widths;
	const __m128i wanted = _mm_set1_epi8((char)width);

	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(
			_mm_max_epu8(w[0], wanted), w[0])) |
	       (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(
			_mm_max_epu8(w[1], wanted), w[1])) << 16;
#else
	uint32_t mask = 0;

	for (unsigned i = 0; i < VMSET__WIDTHS; i++)
		mask |= (uint32_t)(widths[i] >= width) << i;
	return mask;
#endif
}

#endif /* VMSET_SEARCH_H */
