// SPDX-License-Identifier: GPL-2.0
/*
 * What only user space can test of the sets of map pages: somebody adds a page
 * at the worst moment.
 */
#include <kunit/test.h>

#include <linux/errno.h>
#include <shim-race.h>

#include "dm-chain-pageset.h"

#define NR_PAGES	2000
#define PAGE		700

static struct dm_chain_pageset race_set;
static u32 race_found;

static int race_init(struct kunit *test)
{
	return dm_chain_pageset_init(&race_set, NR_PAGES);
}

static void race_exit(struct kunit *test)
{
	dm_chain_pageset_exit(&race_set);
}

static void race_add(void)
{
	dm_chain_pageset_add(&race_set, PAGE);
	race_found = dm_chain_pageset_next(&race_set, 0);
}

/* The group is about to be found empty. */
static void tidy_meets_add(struct kunit *test)
{
	dm_chain_pageset_add(&race_set, PAGE);
	dm_chain_pageset_del(&race_set, PAGE);
	shim_race = race_add;
	dm_chain_pageset_tidy(&race_set);
	KUNIT_ASSERT_TRUE(test, !shim_race);
	KUNIT_EXPECT_EQ(test, dm_chain_pageset_next(&race_set, 0), (u32)PAGE);
}

/* Who finds it a member may rely on it as well as who has made it one. */
static void add_meets_add(struct kunit *test)
{
	shim_race = race_add;
	KUNIT_EXPECT_TRUE(test, dm_chain_pageset_add(&race_set, PAGE));
	KUNIT_ASSERT_TRUE(test, !shim_race);
	KUNIT_EXPECT_EQ(test, race_found, (u32)PAGE);
}

static struct kunit_case race_cases[] = {
	KUNIT_CASE(tidy_meets_add),
	KUNIT_CASE(add_meets_add),
	{}
};

static struct kunit_suite race_suite = {
	.name = "dm-chain-pageset-races",
	.init = race_init,
	.exit = race_exit,
	.test_cases = race_cases,
};

kunit_test_suite(race_suite);
