/* SPDX-License-Identifier: GPL-2.0 */
/* User-space stand-in for the kernel's header. */
#ifndef SHIM_LINUX_MINMAX_H
#define SHIM_LINUX_MINMAX_H

#define min(a, b) \
	({ \
		typeof(a) __a = (a); \
		typeof(b) __b = (b); \
		__a < __b ? __a : __b; \
	})
#define max(a, b) \
	({ \
		typeof(a) __a = (a); \
		typeof(b) __b = (b); \
		__a > __b ? __a : __b; \
	})
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define max_t(type, a, b)	max((type)(a), (type)(b))
#define clamp(val, lo, hi)	min(max(val, lo), hi)

#define swap(a, b) \
	do { \
		typeof(a) __tmp = (a); \
		(a) = (b); \
		(b) = __tmp; \
	} while (0)

#endif
