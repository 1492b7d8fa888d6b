/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random streams: xoshiro256** seeded by splitmix64 (both public domain, David
 * Blackman and Sebastiano Vigna). Every thread has its own, derived from the
 * seed and a stream number, so that one thread's choices do not depend on how
 * far another one came.
 */
#ifndef SELFTESTS_LIB_RNG_H
#define SELFTESTS_LIB_RNG_H

#include "types.h"

struct rng {
	u64 s[4];
};

static inline u64 rng_splitmix(u64 *x)
{
	u64 z = (*x += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline void rng_init(struct rng *r, u64 seed, u64 stream)
{
	u64 x = seed;
	int i;

	x = rng_splitmix(&x) ^ stream;
	for (i = 0; i < 4; i++)
		r->s[i] = rng_splitmix(&x);
}

static inline u64 rng_rotl(u64 x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline u64 rng_next(struct rng *r)
{
	u64 result = rng_rotl(r->s[1] * 5, 7) * 9;
	u64 t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rng_rotl(r->s[3], 45);
	return result;
}

/* 0 to n - 1; n > 0. The bias of n / 2^64 does not matter here. */
static inline u64 rng_below(struct rng *r, u64 n)
{
	return (unsigned __int128)rng_next(r) * n >> 64;
}

static inline bool rng_one_in(struct rng *r, u64 n)
{
	return !rng_below(r, n);
}

#endif
