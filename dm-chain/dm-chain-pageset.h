/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: sets of map pages that are cheap to walk when they are small.
 *
 * One bit for each page, and one for each group of pages that may have a member:
 * a set of a few pages among a million is found by reading a few cache lines.
 */
#ifndef DM_CHAIN_PAGESET_H
#define DM_CHAIN_PAGESET_H

#include <linux/types.h>

/**
 * struct dm_chain_pageset - a set of map pages
 * @nr: pages that there are; members are below
 * @bits: members
 * @groups: groups that have had a member since the last tidy
 */
struct dm_chain_pageset {
	u32 nr;
	unsigned long *bits;
	unsigned long *groups;
};

/* An empty set. Context: process. Return: 0 or -ENOMEM. */
int dm_chain_pageset_init(struct dm_chain_pageset *set, u32 nr);

/* One that was never initialized but zeroed is fine. */
void dm_chain_pageset_exit(struct dm_chain_pageset *set);

/* Memory that it takes, bytes. */
u64 dm_chain_pageset_memory(const struct dm_chain_pageset *set);

/*
 * Add a page. A full barrier, whether it was a member or not, and whoever
 * walks afterwards finds it. Context: any. Return: true if it was none.
 */
bool dm_chain_pageset_add(struct dm_chain_pageset *set, u32 page);

/* Remove a page. A full barrier. Context: any. Return: true if it was one. */
bool dm_chain_pageset_del(struct dm_chain_pageset *set, u32 page);

/* Is it a member? No barrier. Context: any. */
bool dm_chain_pageset_has(const struct dm_chain_pageset *set, u32 page);

/* The first member from @from on, or set->nr. Context: any. */
u32 dm_chain_pageset_next(const struct dm_chain_pageset *set, u32 from);

/*
 * Forget groups that have no member any more. One at a time, and nobody walks
 * meanwhile; members may be added. Context: any.
 */
void dm_chain_pageset_tidy(struct dm_chain_pageset *set);

#endif
