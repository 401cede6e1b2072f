// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: sets of map pages.
 *
 * A group's bit may be set though the group is empty, never the other way round
 * once dm_chain_pageset_add() has returned.
 *
 * Who adds sets the member's bit first and looks at the group's then; who tidies
 * clears the group's first and looks at the members' then. Both have a full
 * barrier between: so either who adds sees the group's bit gone and sets it, or
 * who tidies sees the member and sets it.
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#include "dm-chain-pageset.h"

/* A cache line's worth of members. */
#define GROUP_SHIFT	9
#define GROUP_PAGES	(1U << GROUP_SHIFT)

static u32 set_groups(const struct dm_chain_pageset *set)
{
	return DIV_ROUND_UP(set->nr, GROUP_PAGES);
}

int dm_chain_pageset_init(struct dm_chain_pageset *set, u32 nr)
{
	set->nr = nr;
	/* A superblock may want more than there is: no reason for a warning. */
	set->bits = kvcalloc(BITS_TO_LONGS(nr), sizeof(long),
			     GFP_KERNEL | __GFP_NOWARN);
	set->groups = kvcalloc(BITS_TO_LONGS(set_groups(set)), sizeof(long),
			       GFP_KERNEL | __GFP_NOWARN);
	return set->bits && set->groups ? 0 : -ENOMEM;
}

void dm_chain_pageset_exit(struct dm_chain_pageset *set)
{
	kvfree(set->bits);
	kvfree(set->groups);
	set->bits = NULL;
	set->groups = NULL;
	set->nr = 0;
}

u64 dm_chain_pageset_memory(const struct dm_chain_pageset *set)
{
	return (BITS_TO_LONGS(set->nr) + BITS_TO_LONGS(set_groups(set))) *
	       sizeof(long);
}

bool dm_chain_pageset_add(struct dm_chain_pageset *set, u32 page)
{
	/* Pairs with test_and_clear_bit() in dm_chain_pageset_tidy(). */
	bool fresh = !test_and_set_bit(page, set->bits);

	/* Also if it was a member: who made it one may not be there yet. */
	if (!test_bit(page >> GROUP_SHIFT, set->groups))
		set_bit(page >> GROUP_SHIFT, set->groups);
	return fresh;
}

bool dm_chain_pageset_del(struct dm_chain_pageset *set, u32 page)
{
	return test_and_clear_bit(page, set->bits);
}

bool dm_chain_pageset_has(const struct dm_chain_pageset *set, u32 page)
{
	return test_bit(page, set->bits);
}

/* Where the group of @page ends. */
static u32 group_end(const struct dm_chain_pageset *set, u32 page)
{
	return min_t(u64, set->nr, ((u64)page | (GROUP_PAGES - 1)) + 1);
}

/* The first member of the group of @from, from there on, or the group's end. */
static u32 group_next(const struct dm_chain_pageset *set, u32 from)
{
	return find_next_bit(set->bits, group_end(set, from), from);
}

u32 dm_chain_pageset_next(const struct dm_chain_pageset *set, u32 from)
{
	u32 groups = set_groups(set);
	u32 group = from >> GROUP_SHIFT;

	while (from < set->nr) {
		if (test_bit(group, set->groups)) {
			u32 page = group_next(set, from);

			if (page < group_end(set, from))
				return page;
		}
		group = find_next_bit(set->groups, groups, group + 1);
		if (group >= groups)
			break;
		from = group << GROUP_SHIFT;
	}
	return set->nr;
}

void dm_chain_pageset_tidy(struct dm_chain_pageset *set)
{
	u32 groups = set_groups(set);
	u32 group;

	for (group = find_first_bit(set->groups, groups); group < groups;
	     group = find_next_bit(set->groups, groups, group + 1)) {
		u32 first = group << GROUP_SHIFT;

		/* Pairs with test_and_set_bit() in dm_chain_pageset_add(). */
		test_and_clear_bit(group, set->groups);
		if (group_next(set, first) < group_end(set, first))
			set_bit(group, set->groups);
	}
}
