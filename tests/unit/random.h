/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers that look random and are the same in each run, for any test. */
#ifndef DM_CHAIN_TEST_RANDOM_H
#define DM_CHAIN_TEST_RANDOM_H

#include <linux/types.h>

/* Xorshift; *@state is the seed, not 0. */
static inline u32 random_next(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 32;
}

/* Return: a number below @limit. */
static inline u32 random_below(u64 *state, u32 limit)
{
	return random_next(state) % limit;
}

#endif
