/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chance that can be had again: numbers that follow from a seed (splitmix64, so that every seed is as good as another,
 * 0 too), and the bytes of records made from them.  A test that begins anywhere prints its seed.
 */
#ifndef TEST_CHANCE_H
#define TEST_CHANCE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint64_t chance_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* The next number; @state is a seed at first. */
static inline uint64_t chance_next(uint64_t *state)
{
	return chance_mix(*state += 0x9e3779b97f4a7c15u);
}

/* One of 0..@n-1; 0 if there is nothing to choose from. */
static inline uint64_t chance_below(uint64_t *state, uint64_t n)
{
	return n ? chance_next(state) % n : 0;
}

/* The next bytes; they do not compress, and no two stretches of them are the same. */
static inline void chance_bytes(uint64_t *state, void *p, size_t n)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t x = chance_next(state);

		memcpy((uint8_t *)p + i, &x, n - i < 8 ? n - i : 8);
	}
}

/* The bytes that follow from @seed. */
static inline void chance_fill(void *p, size_t n, uint64_t seed)
{
	uint64_t state = chance_mix(seed);

	chance_bytes(&state, p, n);
}

/* The seed that was @given as a word, or a new one if that is NULL; printed, so that a failure can be had again. */
static inline uint64_t chance_seed(const char *given)
{
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

#endif
