/* SPDX-License-Identifier: GPL-2.0 */
/* User-space stand-in for the kernel's header. */
#ifndef SHIM_LINUX_HASH_H
#define SHIM_LINUX_HASH_H

#include <linux/types.h>

/* The upper @bits of @val times 2^64 over the golden ratio. */
static inline u32 hash_64(u64 val, unsigned int bits)
{
	return val * 0x9e3779b97f4a7c15ULL >> (64 - bits);
}

#endif
