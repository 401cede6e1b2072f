/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space stand-in for the kernel's header. As in the kernel what returns a
 * value is fully ordered, the rest is relaxed.
 */
#ifndef SHIM_LINUX_BITOPS_H
#define SHIM_LINUX_BITOPS_H

#include <linux/types.h>
#include <shim-race.h>

#define BITS_PER_BYTE	8
#define BITS_PER_LONG	(8 * (int)sizeof(long))
#define BIT(n)		(1UL << (n))
#define BIT_ULL(n)	(1ULL << (n))
#define BIT_MASK(n)	BIT((n) % BITS_PER_LONG)
#define BIT_WORD(n)	((n) / BITS_PER_LONG)
#define BITS_TO_LONGS(n) (((n) + (unsigned long)BITS_PER_LONG - 1) / BITS_PER_LONG)

static inline bool test_bit(long n, const unsigned long *addr)
{
	return __atomic_load_n(&addr[BIT_WORD(n)], __ATOMIC_RELAXED) & BIT_MASK(n);
}

static inline void set_bit(long n, unsigned long *addr)
{
	shim_race_now();
	__atomic_fetch_or(&addr[BIT_WORD(n)], BIT_MASK(n), __ATOMIC_RELAXED);
}

static inline void clear_bit(long n, unsigned long *addr)
{
	__atomic_fetch_and(&addr[BIT_WORD(n)], ~BIT_MASK(n), __ATOMIC_RELAXED);
}

static inline bool test_and_set_bit(long n, unsigned long *addr)
{
	return __atomic_fetch_or(&addr[BIT_WORD(n)], BIT_MASK(n),
				 __ATOMIC_SEQ_CST) & BIT_MASK(n);
}

static inline bool test_and_clear_bit(long n, unsigned long *addr)
{
	shim_race_now();
	return __atomic_fetch_and(&addr[BIT_WORD(n)], ~BIT_MASK(n),
				  __ATOMIC_SEQ_CST) & BIT_MASK(n);
}

static inline unsigned int hweight64(u64 w)
{
	return __builtin_popcountll(w);
}

#endif
