// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the sets of map pages against a plain array with a flag for each.
 */
#include <kunit/test.h>

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#include "dm-chain-pageset.h"
#include "random.h"

#define MAX_PAGES	5000

struct pair {
	struct dm_chain_pageset set;
	bool model[MAX_PAGES];
};

static int setup(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct pair), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void teardown(struct kunit *test)
{
	struct pair *p = test->priv;

	if (p)
		dm_chain_pageset_exit(&p->set);
}

static struct pair *start(struct kunit *test, u32 nr)
{
	struct pair *p = test->priv;

	dm_chain_pageset_exit(&p->set);
	memset(p->model, 0, sizeof(p->model));
	KUNIT_ASSERT_EQ(test, dm_chain_pageset_init(&p->set, nr), 0);
	return p;
}

/* The first member of the model from @from on. */
static u32 model_next(const struct pair *p, u32 from)
{
	while (from < p->set.nr && !p->model[from])
		from++;
	return from < p->set.nr ? from : p->set.nr;
}

static void compare(struct kunit *test, struct pair *p)
{
	u32 i;

	for (i = 0; i < p->set.nr; i++) {
		KUNIT_ASSERT_EQ(test, dm_chain_pageset_has(&p->set, i),
				p->model[i]);
		KUNIT_ASSERT_EQ(test, dm_chain_pageset_next(&p->set, i),
				model_next(p, i));
	}
	KUNIT_ASSERT_EQ(test, dm_chain_pageset_next(&p->set, p->set.nr),
			p->set.nr);
}

static void empty_sets(struct kunit *test)
{
	static const u32 sizes[] = { 1, 63, 64, 65, 511, 512, 513, 4096, 4999 };
	u32 i, page, n = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pair *p = start(test, sizes[i]);

		compare(test, p);
		dm_chain_pageset_tidy(&p->set);
		compare(test, p);
		for (page = dm_chain_pageset_next(&p->set, 0); page < p->set.nr;
		     page = dm_chain_pageset_next(&p->set, page + 1))
			n++;
	}
	KUNIT_EXPECT_EQ(test, n, 0U);
}

static void says_what_it_was(struct kunit *test)
{
	struct pair *p = start(test, 700);

	KUNIT_EXPECT_TRUE(test, dm_chain_pageset_add(&p->set, 699));
	KUNIT_EXPECT_FALSE(test, dm_chain_pageset_add(&p->set, 699));
	KUNIT_EXPECT_TRUE(test, dm_chain_pageset_del(&p->set, 699));
	KUNIT_EXPECT_FALSE(test, dm_chain_pageset_del(&p->set, 699));
	KUNIT_EXPECT_FALSE(test, dm_chain_pageset_del(&p->set, 0));
	compare(test, p);
}

/* Members may go while the set is walked. */
static void emptied_on_a_walk(struct kunit *test)
{
	struct pair *p = start(test, 3000);
	u32 page, n = 0;

	for (page = 0; page < 3000; page += 7)
		dm_chain_pageset_add(&p->set, page);
	for (page = dm_chain_pageset_next(&p->set, 0); page < p->set.nr;
	     page = dm_chain_pageset_next(&p->set, page + 1)) {
		KUNIT_ASSERT_EQ(test, page, 7 * n);
		dm_chain_pageset_del(&p->set, page);
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, 429U);
	compare(test, p);
}

static void random_changes(struct kunit *test)
{
	static const u32 sizes[] = { 1, 200, 513, 1024, 4999 };
	u64 seed = 20261122;
	u32 i, step;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pair *p = start(test, sizes[i]);

		for (step = 0; step < 4000; step++) {
			u32 page = random_below(&seed, sizes[i]);
			bool was = p->model[page];

			switch (random_below(&seed, 8)) {
			case 0 ... 2:
				p->model[page] = true;
				KUNIT_ASSERT_EQ(test, dm_chain_pageset_add(&p->set, page),
						!was);
				break;
			case 3 ... 6:
				p->model[page] = false;
				KUNIT_ASSERT_EQ(test, dm_chain_pageset_del(&p->set, page),
						was);
				break;
			default:
				dm_chain_pageset_tidy(&p->set);
			}
			KUNIT_ASSERT_EQ(test, dm_chain_pageset_next(&p->set, page),
					model_next(p, page));
			if (step % 500 == 0)
				compare(test, p);
		}
		compare(test, p);
	}
}

static struct kunit_case pageset_cases[] = {
	KUNIT_CASE(empty_sets),
	KUNIT_CASE(says_what_it_was),
	KUNIT_CASE(emptied_on_a_walk),
	KUNIT_CASE(random_changes),
	{}
};

static struct kunit_suite pageset_suite = {
	.name = "dm-chain-pageset",
	.init = setup,
	.exit = teardown,
	.test_cases = pageset_cases,
};

kunit_test_suite(pageset_suite);
