/* SPDX-License-Identifier: GPL-2.0 */
/* User-space stand-in for the kernel's header, on top of the exported one. */
#ifndef SHIM_LINUX_KERNEL_H
#define SHIM_LINUX_KERNEL_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include_next <linux/kernel.h>
#include <asm/byteorder.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/types.h>

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define DIV_ROUND_UP_ULL(n, d)	DIV_ROUND_UP((unsigned long long)(n), (d))

/* @to is a power of two. */
#define round_up(x, to)		((((x) - 1) | ((typeof(x))(to) - 1)) + 1)
#define round_down(x, to)	((x) & ~((typeof(x))(to) - 1))

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/* Like snprintf(), but returns what was written, without the NUL. */
static inline __printf(3, 4)
int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(buf, size, fmt, args);
	va_end(args);

	if (len < (int)size)
		return len;
	return size ? size - 1 : 0;
}

static inline int hex_to_bin(unsigned char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	return -1;
}

/*
 * Base 0 takes 0x and 0 prefixes; an optional '+' before and one newline after
 * the digits are accepted, nothing else.
 */
static inline int kstrtou64(const char *s, unsigned int base, u64 *res)
{
	u64 val = 0;
	int digit;

	if (*s == '+')
		s++;
	if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 0x20) == 'x' &&
	    hex_to_bin(s[2]) >= 0) {
		s += 2;
		base = 16;
	} else if (base == 0) {
		base = *s == '0' ? 8 : 10;
	}

	digit = hex_to_bin(*s);
	if (digit < 0 || digit >= (int)base)
		return -EINVAL;
	for (; digit >= 0 && digit < (int)base; digit = hex_to_bin(*++s)) {
		if (__builtin_mul_overflow(val, base, &val) ||
		    __builtin_add_overflow(val, digit, &val))
			return -ERANGE;
	}
	if (*s == '\n')
		s++;
	if (*s)
		return -EINVAL;

	*res = val;
	return 0;
}

static inline int kstrtoull(const char *s, unsigned int base,
			    unsigned long long *res)
{
	u64 val;
	int r = kstrtou64(s, base, &val);

	if (!r)
		*res = val;
	return r;
}

static inline int kstrtou32(const char *s, unsigned int base, u32 *res)
{
	u64 val;
	int r = kstrtou64(s, base, &val);

	if (r)
		return r;
	if (val > U32_MAX)
		return -ERANGE;
	*res = val;
	return 0;
}

static inline int kstrtouint(const char *s, unsigned int base,
			     unsigned int *res)
{
	return kstrtou32(s, base, res);
}

#endif
