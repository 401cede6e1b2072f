/* SPDX-License-Identifier: GPL-2.0 */
/* User-space stand-in for the kernel's header: searching for bits. */
#ifndef SHIM_LINUX_BITMAP_H
#define SHIM_LINUX_BITMAP_H

#include <linux/bitops.h>

/* Return: @size if there is none. */
static inline unsigned long find_next_bit(const unsigned long *addr,
					  unsigned long size,
					  unsigned long start)
{
	while (start < size) {
		unsigned long word = addr[BIT_WORD(start)];

		word &= ~0UL << start % BITS_PER_LONG;
		start -= start % BITS_PER_LONG;
		if (word) {
			start += __builtin_ctzl(word);
			break;
		}
		start += BITS_PER_LONG;
	}
	return start < size ? start : size;
}

static inline unsigned long find_first_bit(const unsigned long *addr,
					   unsigned long size)
{
	return find_next_bit(addr, size, 0);
}

#endif
