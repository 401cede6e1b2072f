/* SPDX-License-Identifier: GPL-2.0 */
/* User-space stand-in for the kernel's header. */
#ifndef SHIM_LINUX_STRING_H
#define SHIM_LINUX_STRING_H

#include <string.h>
#include <strings.h>
#include <linux/errno.h>
#include <linux/types.h>

/* The first byte of @size that is not @c, NULL if there is none. */
static inline void *memchr_inv(const void *start, int c, size_t size)
{
	const u8 *p = start;

	for (; size; size--, p++)
		if (*p != (u8)c)
			return (void *)p;
	return NULL;
}

/* The length copied, or -E2BIG if @src was cut; always ends in a NUL. */
static inline ssize_t strscpy(char *dst, const char *src, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		dst[i] = src[i];
		if (!src[i])
			return i;
	}
	if (size)
		dst[size - 1] = '\0';
	return -E2BIG;
}

#endif
