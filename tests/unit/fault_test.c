// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the list of ranges that failed, in the end against an array with a
 * flag for each byte, layer and error.
 */
#include <kunit/test.h>

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dm-chain-fault.h"
#include "random.h"

#define SPACE	700

static const struct {
	const char *layer;
	int error;
} kinds[] = { { "E", EIO }, { "E", ENOSPC }, { "B", EIO }, { "golden", EILSEQ } };

struct pair {
	struct dm_chain_faults faults;
	u64 lost;
	bool model[ARRAY_SIZE(kinds)][SPACE];
};

static int setup(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct pair), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void expect(struct kunit *test, const struct dm_chain_faults *f, unsigned int i,
		   const char *layer, u64 offset, u64 length, int error)
{
	KUNIT_ASSERT_GT(test, f->nr, i);
	KUNIT_EXPECT_STREQ(test, f->range[i].layer, layer);
	KUNIT_EXPECT_EQ(test, f->range[i].offset, offset);
	KUNIT_EXPECT_EQ(test, f->range[i].length, length);
	KUNIT_EXPECT_EQ(test, f->range[i].error, error);
}

static void sorted(struct kunit *test)
{
	struct dm_chain_faults *f = &((struct pair *)test->priv)->faults;

	dm_chain_faults_add(f, "E", 8192, 4096, EIO);
	dm_chain_faults_add(f, "E", 65536, 512, EIO);
	dm_chain_faults_add(f, "E", 0, 4096, EIO);
	KUNIT_ASSERT_EQ(test, f->nr, 3U);
	expect(test, f, 0, "E", 0, 4096, EIO);
	expect(test, f, 1, "E", 8192, 4096, EIO);
	expect(test, f, 2, "E", 65536, 512, EIO);

	dm_chain_faults_clear(f);
	KUNIT_EXPECT_EQ(test, f->nr, 0U);
	KUNIT_EXPECT_EQ(test, f->lost, 0ULL);
}

static void neighbours_are_one(struct kunit *test)
{
	struct dm_chain_faults *f = &((struct pair *)test->priv)->faults;

	dm_chain_faults_add(f, "E", 4096, 4096, EIO);
	dm_chain_faults_add(f, "E", 8192, 4096, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, 1U);
	expect(test, f, 0, "E", 4096, 8192, EIO);
	dm_chain_faults_add(f, "E", 0, 4096, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, 1U);
	expect(test, f, 0, "E", 0, 12288, EIO);

	/* Almost is not enough; the byte between makes one of two. */
	dm_chain_faults_add(f, "E", 12289, 4095, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, 2U);
	dm_chain_faults_add(f, "E", 12288, 1, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, 1U);
	expect(test, f, 0, "E", 0, 16384, EIO);

	/* One that covers several, and reaches beyond. */
	dm_chain_faults_add(f, "E", 20480, 512, EIO);
	dm_chain_faults_add(f, "E", 24576, 512, EIO);
	dm_chain_faults_add(f, "E", 12288, 65536, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, 1U);
	expect(test, f, 0, "E", 0, 12288 + 65536, EIO);
}

static void known_ranges_change_nothing(struct kunit *test)
{
	struct dm_chain_faults *f = &((struct pair *)test->priv)->faults;
	unsigned int round;

	for (round = 0; round < 2; round++) {
		dm_chain_faults_add(f, "E", 4096, 8192, EIO);
		dm_chain_faults_add(f, "E", 4096, 8192, EIO);
		dm_chain_faults_add(f, "E", 8192, 512, EIO);
		dm_chain_faults_add(f, "E", 11776, 512, EIO);
		dm_chain_faults_add(f, "E", 70000, 0, EIO);
		KUNIT_EXPECT_EQ(test, f->nr, 1U);
		KUNIT_EXPECT_EQ(test, f->lost, 0ULL);
		expect(test, f, 0, "E", 4096, 8192, EIO);
	}
}

/* Two layers, or two errors, are two stories, wherever they lie. */
static void kinds_are_apart(struct kunit *test)
{
	struct dm_chain_faults *f = &((struct pair *)test->priv)->faults;

	dm_chain_faults_add(f, "E", 4096, 4096, EIO);
	dm_chain_faults_add(f, "E", 4096, 4096, ENOSPC);
	dm_chain_faults_add(f, "B", 4096, 4096, EIO);
	dm_chain_faults_add(f, "BE", 8192, 4096, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, 4U);

	/* What grows downwards passes the others. */
	dm_chain_faults_add(f, "BE", 0, 8192, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, 4U);
	expect(test, f, 0, "BE", 0, 12288, EIO);
	expect(test, f, 1, "E", 4096, 4096, EIO);
	expect(test, f, 2, "E", 4096, 4096, ENOSPC);
	expect(test, f, 3, "B", 4096, 4096, EIO);
}

static void the_end_of_the_world(struct kunit *test)
{
	struct dm_chain_faults *f = &((struct pair *)test->priv)->faults;

	dm_chain_faults_add(f, "E", U64_MAX - 10, 100, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, 1U);
	expect(test, f, 0, "E", U64_MAX - 10, 10, EIO);
	dm_chain_faults_add(f, "E", 0, U64_MAX, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, 1U);
	expect(test, f, 0, "E", 0, U64_MAX, EIO);
}

static void longest_name(struct kunit *test)
{
	struct dm_chain_faults *f = &((struct pair *)test->priv)->faults;
	char name[DM_CHAIN_NAME_LEN] = "";

	memset(name, 'n', sizeof(name) - 1);
	dm_chain_faults_add(f, name, 0, 512, EIO);
	dm_chain_faults_add(f, name, 512, 512, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, 1U);
	expect(test, f, 0, name, 0, 1024, EIO);
}

static void no_room(struct kunit *test)
{
	struct dm_chain_faults *f = &((struct pair *)test->priv)->faults;
	unsigned int i;

	for (i = 0; i < DM_CHAIN_FAULTS; i++)
		dm_chain_faults_add(f, "E", 8192ULL * i, 4096, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, (unsigned int)DM_CHAIN_FAULTS);
	KUNIT_EXPECT_EQ(test, f->lost, 0ULL);

	dm_chain_faults_add(f, "E", 8192ULL * i, 4096, EIO);
	dm_chain_faults_add(f, "B", 0, 4096, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, (unsigned int)DM_CHAIN_FAULTS);
	KUNIT_EXPECT_EQ(test, f->lost, 2ULL);

	/* What belongs to one that is there finds room, and then makes some. */
	dm_chain_faults_add(f, "E", 8192ULL * (i - 1) + 4096, 512, EIO);
	expect(test, f, i - 1, "E", 8192ULL * (i - 1), 4608, EIO);
	dm_chain_faults_add(f, "E", 4096, 4096, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, DM_CHAIN_FAULTS - 1U);
	expect(test, f, 0, "E", 0, 12288, EIO);
	dm_chain_faults_add(f, "B", 4096, 4096, EIO);
	expect(test, f, 1, "B", 4096, 4096, EIO);
	KUNIT_EXPECT_EQ(test, f->nr, (unsigned int)DM_CHAIN_FAULTS);
	KUNIT_EXPECT_EQ(test, f->lost, 2ULL);
}

/* Runs of bytes of one kind, all kinds together. */
static unsigned int model_runs(const struct pair *p)
{
	unsigned int k, i, runs = 0;

	for (k = 0; k < ARRAY_SIZE(kinds); k++)
		for (i = 0; i < SPACE; i++)
			runs += p->model[k][i] && (!i || !p->model[k][i - 1]);
	return runs;
}

static void model_add(struct pair *p, unsigned int k, u32 offset, u32 length)
{
	u32 from = offset ? offset - 1 : 0;
	u32 to = offset + length < SPACE ? offset + length : SPACE - 1;
	bool touches = false;

	for (; from <= to; from++)
		touches |= p->model[k][from];
	if (!touches && model_runs(p) == DM_CHAIN_FAULTS)
		p->lost++;
	else
		memset(&p->model[k][offset], true, length);
}

static int kind_of(const struct dm_chain_fault_range *r)
{
	unsigned int k;

	for (k = 0; k < ARRAY_SIZE(kinds); k++)
		if (!strcmp(r->layer, kinds[k].layer) && r->error == kinds[k].error)
			return k;
	return -1;
}

static void compare(struct kunit *test, const struct pair *p)
{
	const struct dm_chain_faults *f = &p->faults;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, f->nr, model_runs(p));
	KUNIT_ASSERT_EQ(test, f->lost, p->lost);
	for (i = 0; i < f->nr; i++) {
		u64 at = f->range[i].offset, end = at + f->range[i].length;
		int k = kind_of(&f->range[i]);

		KUNIT_ASSERT_GE(test, k, 0);
		KUNIT_ASSERT_LT(test, at, end);
		KUNIT_ASSERT_LE(test, end, (u64)SPACE);
		KUNIT_ASSERT_TRUE(test, !i || f->range[i - 1].offset <= at);
		/* A whole run, and nothing but it */
		KUNIT_ASSERT_TRUE(test, !at || !p->model[k][at - 1]);
		KUNIT_ASSERT_TRUE(test, end == SPACE || !p->model[k][end]);
		for (; at < end; at++)
			KUNIT_ASSERT_TRUE(test, p->model[k][at]);
	}
}

static void random_ranges(struct kunit *test)
{
	struct pair *p = test->priv;
	unsigned int round, i, full = 0, lost = 0;
	u64 random = 20;

	for (round = 0; round < 30; round++) {
		u32 longest = 1 + random_below(&random, 24);

		dm_chain_faults_clear(&p->faults);
		memset(p->model, 0, sizeof(p->model));
		p->lost = 0;
		for (i = 0; i < 400; i++) {
			u32 k = random_below(&random, ARRAY_SIZE(kinds));
			u32 length = random_below(&random, longest + 1);
			u32 offset = random_below(&random, SPACE - length + 1);

			if (length)
				model_add(p, k, offset, length);
			dm_chain_faults_add(&p->faults, kinds[k].layer, offset, length,
					    kinds[k].error);
			full += p->faults.nr == DM_CHAIN_FAULTS;
			compare(test, p);
		}
		lost += !!p->lost;
	}
	/* The random numbers came to what they are for. */
	KUNIT_EXPECT_GT(test, full, 100U);
	KUNIT_EXPECT_GT(test, lost, 5U);
	KUNIT_EXPECT_LT(test, lost, 30U);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(sorted),
	KUNIT_CASE(neighbours_are_one),
	KUNIT_CASE(known_ranges_change_nothing),
	KUNIT_CASE(kinds_are_apart),
	KUNIT_CASE(the_end_of_the_world),
	KUNIT_CASE(longest_name),
	KUNIT_CASE(no_room),
	KUNIT_CASE(random_ranges),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "dm-chain-fault",
	.init = setup,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
