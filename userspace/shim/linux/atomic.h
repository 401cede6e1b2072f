/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space stand-in for the kernel's header, on the compiler's builtins. As
 * in the kernel what returns a value is fully ordered, the rest is relaxed.
 */
#ifndef SHIM_LINUX_ATOMIC_H
#define SHIM_LINUX_ATOMIC_H

#include <linux/types.h>
#include <shim-race.h>

#define ATOMIC_INIT(i)	{ (i) }

/* Any of atomic_t, atomic64_t and atomic_long_t. */
#define __shim_add_return(v, i) \
	__atomic_add_fetch(&(v)->counter, i, __ATOMIC_SEQ_CST)

#define atomic_read(v)			__atomic_load_n(&(v)->counter, __ATOMIC_RELAXED)
#define atomic_read_acquire(v)		__atomic_load_n(&(v)->counter, __ATOMIC_ACQUIRE)
#define atomic_set(v, i)		__atomic_store_n(&(v)->counter, i, __ATOMIC_RELAXED)
#define atomic_set_release(v, i)	__atomic_store_n(&(v)->counter, i, __ATOMIC_RELEASE)
#define atomic_add(i, v)		((void)__shim_add_return(v, i))
#define atomic_sub(i, v)		((void)__shim_add_return(v, -(i)))
#define atomic_inc(v)			((void)__shim_add_return(v, 1))
#define atomic_dec(v)			((void)__shim_add_return(v, -1))
#define atomic_add_return(i, v)		__shim_add_return(v, i)
#define atomic_sub_return(i, v)		__shim_add_return(v, -(i))
#define atomic_inc_return(v)		__shim_add_return(v, 1)
#define atomic_dec_return(v)		__shim_add_return(v, -1)
#define atomic_dec_and_test(v)		(__shim_add_return(v, -1) == 0)
#define atomic_cmpxchg(v, old, new)	cmpxchg(&(v)->counter, old, new)
#define atomic_try_cmpxchg(v, old, new)	try_cmpxchg(&(v)->counter, old, new)

static inline bool atomic_inc_unless_negative(atomic_t *v)
{
	int old;

	shim_race_now();
	old = atomic_read(v);
	while (old >= 0 && !__atomic_compare_exchange_n(&v->counter, &old,
							old + 1, false,
							__ATOMIC_SEQ_CST,
							__ATOMIC_RELAXED))
		;
	return old >= 0;
}

static inline bool atomic_inc_not_zero(atomic_t *v)
{
	int old = atomic_read(v);

	while (old && !__atomic_compare_exchange_n(&v->counter, &old, old + 1,
						   false, __ATOMIC_SEQ_CST,
						   __ATOMIC_RELAXED))
		;
	return old;
}

#define atomic64_read(v)		atomic_read(v)
#define atomic64_set(v, i)		atomic_set(v, i)
#define atomic64_add(i, v)		atomic_add(i, v)
#define atomic64_sub(i, v)		atomic_sub(i, v)
#define atomic64_inc(v)			atomic_inc(v)
#define atomic64_dec(v)			atomic_dec(v)
#define atomic64_xchg(v, new)		xchg(&(v)->counter, new)

#define atomic_long_read(v)		atomic_read(v)
#define atomic_long_set(v, i)		atomic_set(v, i)
#define atomic_long_add(i, v)		atomic_add(i, v)
#define atomic_long_sub(i, v)		atomic_sub(i, v)
#define atomic_long_inc(v)		atomic_inc(v)
#define atomic_long_dec(v)		atomic_dec(v)

/* Returns what was there before; equal to @old if exchanged. */
#define cmpxchg(ptr, old, new) \
	({ \
		typeof(*(ptr)) __old = (old); \
		shim_race_now(); \
		__atomic_compare_exchange_n(ptr, &__old, new, false, \
					    __ATOMIC_SEQ_CST, \
					    __ATOMIC_SEQ_CST); \
		__old; \
	})

/* True if exchanged; *@oldp gets what was there otherwise. */
#define try_cmpxchg(ptr, oldp, new) \
	({ \
		shim_race_now(); \
		__atomic_compare_exchange_n(ptr, oldp, new, false, \
					    __ATOMIC_SEQ_CST, \
					    __ATOMIC_SEQ_CST); \
	})

#define xchg(ptr, new)	__atomic_exchange_n(ptr, new, __ATOMIC_SEQ_CST)

#endif
