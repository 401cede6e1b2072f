/* SPDX-License-Identifier: GPL-2.0 */
/* User-space stand-in for the kernel's header: single pages. */
#ifndef SHIM_LINUX_GFP_H
#define SHIM_LINUX_GFP_H

#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

/* Only __GFP_ZERO makes a difference. */
#define __GFP_ZERO	(1U << 0)
#define __GFP_NOWARN	(1U << 1)
#define GFP_KERNEL	(1U << 2)
#define GFP_NOIO	(1U << 3)
#define GFP_NOWAIT	(1U << 4)
#define GFP_ATOMIC	(1U << 5)

#ifndef PAGE_SIZE
#define PAGE_SIZE	4096UL
#endif

/* A test sets this to see what happens without memory. */
__weak bool shim_no_pages;

static inline unsigned long __get_free_page(gfp_t gfp)
{
	void *page = shim_no_pages ? NULL : aligned_alloc(PAGE_SIZE, PAGE_SIZE);

	if (page && (gfp & __GFP_ZERO))
		memset(page, 0, PAGE_SIZE);
	return (unsigned long)page;
}

static inline unsigned long get_zeroed_page(gfp_t gfp)
{
	return __get_free_page(gfp | __GFP_ZERO);
}

static inline void free_page(unsigned long addr)
{
	free((void *)addr);
}

#endif
