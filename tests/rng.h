/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random numbers that are the same in every run: xorshift64*.
 */
#ifndef TESTS_RNG_H
#define TESTS_RNG_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct rng {
	uint64_t state;
};

/*
 * Start with the seed, or with VMSET_TEST_SEED from the environment, and
 * print it with the name of what it is for, if that is not NULL.
 */
static inline struct rng rng_start(const char *name, uint64_t seed)
{
	const char *wanted = getenv("VMSET_TEST_SEED");

	if (wanted)
		seed = strtoull(wanted, NULL, 0);
	if (name)
		printf("%s: VMSET_TEST_SEED=%#" PRIx64 "\n", name,
		       seed);
	fflush(stdout);
	return (struct rng){ seed * 2 + 1 };
}

static inline uint64_t rng_next(struct rng *rng)
{
	rng->state ^= rng->state >> 12;
	rng->state ^= rng->state << 25;
	rng->state ^= rng->state >> 27;
	return rng->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A number from 0 to limit - 1. */
static inline uint32_t rng_below(struct rng *rng, uint32_t limit)
{
	return (uint32_t)((rng_next(rng) >> 32) * limit >> 32);
}

#endif /* TESTS_RNG_H */
