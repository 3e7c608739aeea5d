/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The ways to search a node.
 */
#include "search.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && !VMSET_SHARED_WATCHED
#define HAS_X86 1
#include <immintrin.h>
#elif defined(__aarch64__) && !VMSET_SHARED_WATCHED
#define HAS_NEON 1
#include <arm_neon.h>
#endif

static unsigned plain(const uintptr_t *keys, uintptr_t addr)
{
	return vmset__search_plain(keys, VMSET__SEARCH_KEYS, addr);
}

static bool always(void)
{
	return true;
}

#ifdef HAS_X86
/* Keys are compared as signed numbers, so both sides are moved. */
__attribute__((target("avx2"))) static unsigned
avx2(const uintptr_t *keys, uintptr_t addr)
{
	const __m256i move = _mm256_set1_epi64x(INT64_MIN);
	const __m256i wanted = _mm256_xor_si256(
		_mm256_set1_epi64x((long long)addr), move);
	__m256i greater = _mm256_setzero_si256();
	__m128i sum;

	for (unsigned i = 0; i < VMSET__SEARCH_KEYS; i += 4) {
		__m256i four = _mm256_loadu_si256(
			(const __m256i *)(const void *)&keys[i]);

		four = _mm256_cmpgt_epi64(_mm256_xor_si256(four, move),
					  wanted);
		greater = _mm256_add_epi64(greater, four);
	}
	sum = _mm_add_epi64(_mm256_castsi256_si128(greater),
			    _mm256_extracti128_si256(greater, 1));
	return VMSET__SEARCH_KEYS +
	       (unsigned)(_mm_cvtsi128_si64(sum) +
			  _mm_extract_epi64(sum, 1));
}

__attribute__((target("avx512f,popcnt"))) static unsigned
avx512(const uintptr_t *keys, uintptr_t addr)
{
	const __m512i wanted = _mm512_set1_epi64((long long)addr);
	unsigned n = 0;

	for (unsigned i = 0; i < VMSET__SEARCH_KEYS; i += 8)
		n |= (unsigned)_mm512_cmple_epu64_mask(
			     _mm512_loadu_si512(&keys[i]), wanted) << i;
	return (unsigned)__builtin_popcount(n);
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("popcnt");
}
#endif

#ifdef HAS_NEON
/* A comparison that holds yields -1.  Four sums, so that none waits. */
static unsigned neon(const uintptr_t *keys, uintptr_t addr)
{
	const uint64x2_t wanted = vdupq_n_u64(addr);
	uint64x2_t sum[4] = { 0 };

	for (unsigned i = 0; i < VMSET__SEARCH_KEYS; i += 8)
		for (unsigned k = 0; k < 4; k++)
			sum[k] = vsubq_u64(
				sum[k],
				vcleq_u64(vld1q_u64(&keys[i + 2 * k]), wanted));
	return (unsigned)vaddvq_u64(vaddq_u64(vaddq_u64(sum[0], sum[1]),
					      vaddq_u64(sum[2], sum[3])));
}
#endif

/*
 * The later, the better.  SSE2, which every x86-64 has, cannot compare words of
 * 64 bits; what it takes to do so is slower than plain C.
 */
const struct vmset__search_way vmset__search_ways[] = {
	{ "plain", plain, always },
#ifdef HAS_X86
	{ "avx2", avx2, has_avx2 },
	{ "avx512", avx512, has_avx512 },
#endif
#ifdef HAS_NEON
	{ "neon", neon, always },
#endif
	{ NULL, NULL, NULL },
};

vmset__search_fn *vmset__search = plain;

bool vmset__search_choose(const char *name)
{
	const struct vmset__search_way *way, *chosen = NULL;

#ifdef HAS_X86
	__builtin_cpu_init();
#endif
	for (way = vmset__search_ways; way->name; way++)
		if ((!name || !strcmp(name, way->name)) && way->works())
			chosen = way;
	if (!chosen)
		return false;
	vmset__search = chosen->search;
	return true;
}

/* VMSET_SEARCH in the environment is for measuring, and for trying all ways. */
__attribute__((constructor)) static void choose(void)
{
	const char *name = getenv("VMSET_SEARCH");

	if (!name || !vmset__search_choose(name))
		vmset__search_choose(NULL);
}
