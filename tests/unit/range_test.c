// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the range locks, at last against a model that looks at every range.
 */
#include <kunit/test.h>

#include <linux/errno.h>
#include <linux/hash.h>

#include "dm-chain-owner.h"
#include "dm-chain-range.h"
#include "random.h"

#define NR_RANGES	24

/* A range and where it stands in the order of grants. */
struct tracked {
	struct dm_chain_range range;
	struct bench *bench;
	u64 first, last;
	bool exclusive;
	unsigned int grants;	/* calls of the grant function */
	unsigned int turn;	/* of the last one */
	u64 arrival;		/* 0: neither held nor waiting */
	bool waiting;
	bool counted;		/* shared, and came when nothing was exclusive */
	bool unlock_when_granted;
	struct tracked *watched;	/* another range, and whether it was */
	bool watched_granted;		/* granted when this one was */
};

struct bench {
	struct dm_chain_range_locks *locks;
	unsigned int turns;
	u64 arrivals;
	struct tracked range[NR_RANGES];
};

static void granted(struct dm_chain_range *r)
{
	struct tracked *t = container_of(r, struct tracked, range);

	t->grants++;
	t->turn = ++t->bench->turns;
	t->waiting = false;
	if (t->watched)
		t->watched_granted = t->watched->range.granted;
	if (t->unlock_when_granted)
		dm_chain_range_unlock(t->bench->locks, r);
}

static int setup(struct kunit *test)
{
	struct bench *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);

	if (!b)
		return -ENOMEM;
	test->priv = b;
	b->locks = dm_chain_range_locks_create();
	return b->locks ? 0 : -ENOMEM;
}

static void teardown(struct kunit *test)
{
	struct bench *b = test->priv;

	if (b)
		dm_chain_range_locks_destroy(b->locks);
}

static struct tracked *range(struct kunit *test, unsigned int n, u64 first, u64 last,
			     bool exclusive)
{
	struct bench *b = test->priv;
	struct tracked *t = &b->range[n];

	memset(t, 0, sizeof(*t));
	t->bench = b;
	t->first = first;
	t->last = last;
	t->exclusive = exclusive;
	dm_chain_range_init(&t->range, first, last, exclusive, granted);
	return t;
}

static bool lock(struct tracked *t)
{
	return dm_chain_range_lock(t->bench->locks, &t->range);
}

static bool trylock(struct tracked *t)
{
	return dm_chain_range_trylock(t->bench->locks, &t->range);
}

static void unlock(struct tracked *t)
{
	dm_chain_range_unlock(t->bench->locks, &t->range);
}

static void shared_ranges_overlap(struct kunit *test)
{
	struct tracked *a = range(test, 0, 0, 10, false);
	struct tracked *b = range(test, 1, 0, 10, false);
	struct tracked *c = range(test, 2, 10, 20, false);

	KUNIT_EXPECT_TRUE(test, lock(a));
	KUNIT_EXPECT_TRUE(test, lock(b));
	KUNIT_EXPECT_TRUE(test, trylock(c));
	unlock(a);
	unlock(c);
	unlock(b);
	KUNIT_EXPECT_EQ(test, a->grants + b->grants + c->grants, 0U);
}

static void exclusive_ranges_do_not(struct kunit *test)
{
	static const struct {
		u64 first, last;
		bool free;
	} others[] = {
		{ 0, 9, true }, { 0, 10, false }, { 0, 100, false }, { 10, 10, false },
		{ 15, 15, false }, { 10, 20, false }, { 20, 20, false }, { 20, 30, false },
		{ 21, 30, true },
	};
	struct tracked *held = range(test, 0, 10, 20, true);
	unsigned int i, exclusive;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		for (exclusive = 0; exclusive < 2; exclusive++) {
			struct tracked *t;

			KUNIT_ASSERT_TRUE(test, lock(held));
			t = range(test, 1, others[i].first, others[i].last, exclusive);
			KUNIT_EXPECT_EQ(test, trylock(t), others[i].free);
			if (others[i].free)
				unlock(t);
			unlock(held);

			/* The same the other way round. */
			KUNIT_ASSERT_TRUE(test, lock(t));
			KUNIT_EXPECT_EQ(test, trylock(held), others[i].free);
			if (others[i].free)
				unlock(held);
			unlock(t);
		}
	}
}

static void trylock_leaves_no_trace(struct kunit *test)
{
	struct tracked *held = range(test, 0, 5, 5, true);
	struct tracked *failed = range(test, 1, 0, 9, true);
	struct tracked *other = range(test, 2, 9, 9, true);

	KUNIT_ASSERT_TRUE(test, trylock(held));
	KUNIT_EXPECT_FALSE(test, trylock(failed));
	KUNIT_EXPECT_TRUE(test, trylock(other));
	unlock(held);
	unlock(other);
	KUNIT_EXPECT_EQ(test, failed->grants, 0U);
	KUNIT_EXPECT_TRUE(test, trylock(failed));
	unlock(failed);
}

static void nobody_overtakes(struct kunit *test)
{
	struct tracked *reader = range(test, 0, 0, 7, false);
	struct tracked *writer = range(test, 1, 4, 11, true);
	struct tracked *late = range(test, 2, 4, 4, false);
	struct tracked *later = range(test, 3, 8, 15, false);
	struct tracked *beside = range(test, 4, 12, 15, false);

	KUNIT_ASSERT_TRUE(test, lock(reader));
	KUNIT_ASSERT_FALSE(test, lock(writer));
	/* These would fit with the reader, or with nobody, but are later. */
	KUNIT_EXPECT_FALSE(test, trylock(late));
	KUNIT_EXPECT_FALSE(test, lock(late));
	KUNIT_EXPECT_FALSE(test, trylock(later));
	KUNIT_EXPECT_FALSE(test, lock(later));
	KUNIT_EXPECT_TRUE(test, trylock(beside));

	unlock(reader);
	KUNIT_EXPECT_EQ(test, writer->turn, 1U);
	KUNIT_EXPECT_EQ(test, late->grants + later->grants, 0U);
	unlock(writer);
	KUNIT_EXPECT_EQ(test, late->turn, 2U);
	KUNIT_EXPECT_EQ(test, later->turn, 3U);
	unlock(late);
	unlock(later);
	unlock(beside);
	KUNIT_EXPECT_EQ(test, writer->grants, 1U);
	KUNIT_EXPECT_EQ(test, late->grants, 1U);
	KUNIT_EXPECT_EQ(test, later->grants, 1U);
}

/* Shared ranges that are only counted hold an exclusive one up, and it them. */
static void counted_ranges(struct kunit *test)
{
	struct tracked *a = range(test, 0, 0, 7, false);
	struct tracked *b = range(test, 1, 4, 11, false);
	struct tracked *writer = range(test, 2, 6, 6, true);
	struct tracked *apart = range(test, 3, 100, 100, true);
	struct tracked *late = range(test, 4, 6, 9, false);
	struct tracked *beside = range(test, 5, 50, 60, false);
	struct tracked *elsewhere = range(test, 6, 1 << DM_CHAIN_REGION_SHIFT,
					  1 << DM_CHAIN_REGION_SHIFT, true);

	KUNIT_ASSERT_TRUE(test, trylock(a));
	KUNIT_ASSERT_TRUE(test, trylock(b));
	KUNIT_EXPECT_FALSE(test, trylock(apart));
	KUNIT_EXPECT_FALSE(test, lock(writer));
	KUNIT_EXPECT_FALSE(test, lock(apart));
	KUNIT_EXPECT_TRUE(test, lock(elsewhere));
	/* Those that come now are not counted: they neither wait nor hold up. */
	KUNIT_EXPECT_TRUE(test, trylock(beside));
	KUNIT_EXPECT_FALSE(test, lock(late));

	unlock(a);
	KUNIT_EXPECT_EQ(test, writer->grants + apart->grants, 0U);
	unlock(b);
	KUNIT_EXPECT_EQ(test, writer->turn, 1U);
	KUNIT_EXPECT_EQ(test, apart->turn, 2U);
	KUNIT_EXPECT_EQ(test, late->grants, 0U);
	unlock(writer);
	KUNIT_EXPECT_EQ(test, late->turn, 3U);
	unlock(apart);
	unlock(elsewhere);
	unlock(late);
	unlock(beside);

	/* Nothing is exclusive any more. */
	a = range(test, 0, 0, 7, false);
	KUNIT_EXPECT_TRUE(test, trylock(a));
	unlock(a);
	writer = range(test, 2, 0, 7, true);
	KUNIT_EXPECT_TRUE(test, trylock(writer));
	unlock(writer);
}

/* Regions that come to the same lock count together. */
static void counted_ranges_of_two_regions(struct kunit *test)
{
	const unsigned int bits = 6;	/* as dm-chain-range.c's buckets */
	u64 other = 1, first;
	struct tracked *counted, *writer;

	while (hash_64(other, bits) != hash_64(0, bits))
		other++;
	first = other << DM_CHAIN_REGION_SHIFT;
	counted = range(test, 0, 0, 7, false);
	writer = range(test, 1, first, first, true);
	KUNIT_ASSERT_TRUE(test, trylock(counted));
	KUNIT_EXPECT_FALSE(test, lock(writer));
	unlock(counted);
	KUNIT_EXPECT_EQ(test, writer->grants, 1U);
	unlock(writer);
}

static void first_come_first_served(struct kunit *test)
{
	struct bench *b = test->priv;
	unsigned int i;

	for (i = 0; i < NR_RANGES; i++)
		KUNIT_ASSERT_EQ(test, lock(range(test, i, 3, 3, true)), i == 0);
	for (i = 0; i < NR_RANGES; i++) {
		KUNIT_EXPECT_EQ(test, b->range[i].turn, i);
		KUNIT_EXPECT_EQ(test, b->turns, i);
		unlock(&b->range[i]);
	}
}

/* A grant function may be done with its range already. */
static void unlock_when_granted(struct kunit *test)
{
	struct bench *b = test->priv;
	unsigned int i;

	for (i = 0; i < NR_RANGES; i++) {
		KUNIT_ASSERT_EQ(test, lock(range(test, i, 3, 3 + i % 3, i % 2 == 0)), i == 0);
		b->range[i].unlock_when_granted = true;
	}
	unlock(&b->range[0]);
	KUNIT_EXPECT_EQ(test, b->turns, NR_RANGES - 1U);
	for (i = 0; i < NR_RANGES; i++)
		KUNIT_EXPECT_EQ(test, b->range[i].grants, (unsigned int)(i > 0));
	KUNIT_EXPECT_TRUE(test, trylock(range(test, 0, 0, 10, true)));
	unlock(&b->range[0]);
}

/* One unlock lets two in: nobody looks granted before it is its turn. */
static void granted_in_turn(struct kunit *test)
{
	struct tracked *held = range(test, 0, 0, 10, true);
	struct tracked *first = range(test, 1, 0, 1, true);
	struct tracked *second = range(test, 2, 5, 6, true);

	KUNIT_ASSERT_TRUE(test, lock(held));
	KUNIT_ASSERT_FALSE(test, lock(first));
	KUNIT_ASSERT_FALSE(test, lock(second));
	first->watched = second;
	second->watched = first;
	unlock(held);
	KUNIT_EXPECT_EQ(test, first->turn, 1U);
	KUNIT_EXPECT_FALSE(test, first->watched_granted);
	KUNIT_EXPECT_EQ(test, second->turn, 2U);
	KUNIT_EXPECT_TRUE(test, second->watched_granted);
	unlock(first);
	unlock(second);
}

static void regions_are_apart(struct kunit *test)
{
	static const u64 regions[] = { 0, 1, 63, 64, 1ULL << 20, 1ULL << 32, 1ULL << 51 };
	struct bench *b = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regions); i++) {
		u64 first = regions[i] << DM_CHAIN_REGION_SHIFT;

		KUNIT_EXPECT_TRUE(test, trylock(range(test, i, first,
						      first + DM_CHAIN_REGION_BLOCKS - 1, true)));
	}
	for (i = 0; i < ARRAY_SIZE(regions); i++)
		unlock(&b->range[i]);
}

/*
 * All in the same region. Exclusive ones wait for those that are only counted,
 * wherever these are.
 */
static bool in_the_way(const struct tracked *other, const struct tracked *t)
{
	if (other != t && other->arrival && other->counted && t->exclusive)
		return true;
	return other != t && other->arrival && (other->exclusive || t->exclusive) &&
	       other->first <= t->last && t->first <= other->last;
}

/* Is anybody who came before @t in its way? */
static bool must_wait(const struct bench *b, const struct tracked *t)
{
	unsigned int i;

	for (i = 0; i < NR_RANGES; i++)
		if (in_the_way(&b->range[i], t) && b->range[i].arrival < t->arrival)
			return true;
	return false;
}

static bool any_exclusive(const struct bench *b)
{
	unsigned int i;

	for (i = 0; i < NR_RANGES; i++)
		if (b->range[i].arrival && b->range[i].exclusive)
			return true;
	return false;
}

static void arrive(struct kunit *test, unsigned int n, u64 *seed)
{
	struct bench *b = test->priv;
	u64 first = (77ULL << DM_CHAIN_REGION_SHIFT) + random_below(seed, 80);
	/* By turns many are exclusive, and few. */
	u32 one_in = b->arrivals / 500 % 2 ? 2 : 60;
	struct tracked *t = range(test, n, first, first + random_below(seed, 12),
				  random_below(seed, one_in) == 0);
	bool wait;

	t->arrival = ++b->arrivals;
	wait = must_wait(b, t);
	if (random_below(seed, 2) == 0) {
		t->counted = !t->exclusive && !any_exclusive(b);
		KUNIT_ASSERT_EQ(test, trylock(t), !wait);
		if (wait)
			t->arrival = 0;
		return;
	}
	t->waiting = wait;
	KUNIT_ASSERT_EQ(test, lock(t), !wait);
}

static void random_ranges(struct kunit *test)
{
	struct bench *b = test->priv;
	unsigned int step, i, waited = 0, counted = 0;
	u64 seed = 17;

	for (step = 0; step < 20000; step++) {
		unsigned int n = random_below(&seed, NR_RANGES);
		struct tracked *t = &b->range[n];

		if (!t->arrival) {
			arrive(test, n, &seed);
		} else if (!t->waiting) {
			t->arrival = 0;
			unlock(t);
		} else {
			waited++;
		}
		for (i = 0; i < NR_RANGES; i++) {
			t = &b->range[i];
			if (!t->arrival)
				continue;
			KUNIT_ASSERT_EQ_MSG(test, t->waiting, must_wait(b, t), "step %u", step);
			KUNIT_ASSERT_EQ(test, t->range.granted, !t->waiting);
			counted += t->counted;
			KUNIT_ASSERT_LE(test, t->grants, 1U);
		}
	}
	KUNIT_EXPECT_GT(test, waited, 1000U);
	KUNIT_EXPECT_GT(test, counted, 1000U);

	/* Everybody gets a turn. */
	for (step = 0; step < NR_RANGES; step++) {
		for (i = 0; i < NR_RANGES; i++) {
			if (b->range[i].arrival && !b->range[i].waiting) {
				b->range[i].arrival = 0;
				unlock(&b->range[i]);
			}
		}
	}
	for (i = 0; i < NR_RANGES; i++)
		KUNIT_EXPECT_EQ(test, b->range[i].arrival, 0ULL);
}

static struct kunit_case range_cases[] = {
	KUNIT_CASE(shared_ranges_overlap),
	KUNIT_CASE(exclusive_ranges_do_not),
	KUNIT_CASE(trylock_leaves_no_trace),
	KUNIT_CASE(nobody_overtakes),
	KUNIT_CASE(counted_ranges),
	KUNIT_CASE(counted_ranges_of_two_regions),
	KUNIT_CASE(first_come_first_served),
	KUNIT_CASE(unlock_when_granted),
	KUNIT_CASE(granted_in_turn),
	KUNIT_CASE(regions_are_apart),
	KUNIT_CASE(random_ranges),
	{}
};

static struct kunit_suite range_suite = {
	.name = "dm-chain-range",
	.init = setup,
	.exit = teardown,
	.test_cases = range_cases,
};

kunit_test_suite(range_suite);
