// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the pace: who is held back when, and that a model of a job keeps to
 * its share and to its floor.
 */
#include <kunit/test.h>

#include "dm-chain-pace.h"

#define MS	(1000 * 1000ULL)
#define S	(1000 * MS)
#define UNIT	(512ULL << 10)

static void idle_guest(struct kunit *test)
{
	struct dm_chain_pace pace;

	dm_chain_pace_init(&pace, 7 * S, 42);
	KUNIT_EXPECT_FALSE(test, pace.busy);
	dm_chain_pace_look(&pace, 8 * S, 42, false);
	KUNIT_EXPECT_FALSE(test, pace.busy);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 8 * S), 0ULL);
}

static void signs_of_work(struct kunit *test)
{
	struct dm_chain_pace pace;

	/* A request completed since, and it lasts for a while. */
	dm_chain_pace_init(&pace, S, 42);
	dm_chain_pace_look(&pace, 2 * S, 43, false);
	KUNIT_EXPECT_TRUE(test, pace.busy);
	dm_chain_pace_look(&pace, 2 * S + DM_CHAIN_PACE_HOLD - 1, 43, false);
	KUNIT_EXPECT_TRUE(test, pace.busy);
	dm_chain_pace_look(&pace, 2 * S + DM_CHAIN_PACE_HOLD, 43, false);
	KUNIT_EXPECT_FALSE(test, pace.busy);

	/* One is in flight, for as long as it likes. */
	dm_chain_pace_look(&pace, 3 * S, 43, true);
	KUNIT_EXPECT_TRUE(test, pace.busy);
	dm_chain_pace_look(&pace, 9 * S, 43, true);
	KUNIT_EXPECT_TRUE(test, pace.busy);
	dm_chain_pace_look(&pace, 9 * S + DM_CHAIN_PACE_HOLD, 43, false);
	KUNIT_EXPECT_FALSE(test, pace.busy);

	/* A counter that was set back is work, too. */
	dm_chain_pace_look(&pace, 10 * S, 0, false);
	KUNIT_EXPECT_TRUE(test, pace.busy);
}

static void looks_are_rare(struct kunit *test)
{
	struct dm_chain_pace pace;

	dm_chain_pace_init(&pace, S, 0);
	KUNIT_EXPECT_FALSE(test, dm_chain_pace_stale(&pace, S + DM_CHAIN_PACE_LOOK - 1));
	KUNIT_EXPECT_TRUE(test, dm_chain_pace_stale(&pace, S + DM_CHAIN_PACE_LOOK));
	dm_chain_pace_look(&pace, S + DM_CHAIN_PACE_LOOK, 0, false);
	KUNIT_EXPECT_FALSE(test, dm_chain_pace_stale(&pace, S + DM_CHAIN_PACE_LOOK));
}

static void a_unit_is_paid_for(struct kunit *test)
{
	struct dm_chain_pace pace;

	dm_chain_pace_init(&pace, S, 0);
	dm_chain_pace_look(&pace, 2 * S, 1, false);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 2 * S), 0ULL);
	dm_chain_pace_pay(&pace, 2 * S, 2 * S + 3 * MS, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 2 * S + 3 * MS),
			DM_CHAIN_PACE_REST * 3 * MS);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 3 * S), 0ULL);
}

static void floor_and_ceiling(struct kunit *test)
{
	u64 most = UNIT * S / DM_CHAIN_PACE_FLOOR;
	struct dm_chain_pace pace;

	/* A slow unit costs what the floor says, */
	dm_chain_pace_init(&pace, S, 0);
	dm_chain_pace_look(&pace, 2 * S, 1, true);
	dm_chain_pace_pay(&pace, 2 * S, 2 * S + most - 1, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 2 * S + most - 1), 1ULL);
	/* and one slower than that nothing. */
	dm_chain_pace_pay(&pace, 3 * S, 3 * S + most, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 3 * S + most), 0ULL);

	/* Without a floor it is the share. */
	dm_chain_pace_init(&pace, S, 0);
	pace.floor = 0;
	dm_chain_pace_look(&pace, 2 * S, 1, true);
	dm_chain_pace_pay(&pace, 2 * S, 3 * S, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 3 * S), DM_CHAIN_PACE_REST * S);

	/* A ceiling holds fast units back; the floor counts more. */
	dm_chain_pace_init(&pace, S, 0);
	pace.ceiling = 8 << 20;
	dm_chain_pace_look(&pace, 2 * S, 1, true);
	dm_chain_pace_pay(&pace, 2 * S, 2 * S, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 2 * S), UNIT * S / pace.ceiling);
	dm_chain_pace_init(&pace, S, 0);
	pace.ceiling = 1 << 20;
	dm_chain_pace_look(&pace, 2 * S, 1, true);
	dm_chain_pace_pay(&pace, 2 * S, 2 * S, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 2 * S), most);
}

/* Idle time before the guest came is no credit, and units of then cost nothing. */
static void a_fresh_start(struct kunit *test)
{
	struct dm_chain_pace pace;

	dm_chain_pace_init(&pace, S, 0);
	dm_chain_pace_look(&pace, 100 * S, 0, false);
	dm_chain_pace_look(&pace, 200 * S, 1, false);
	KUNIT_EXPECT_EQ(test, pace.due, 200 * S);

	/* Nor is more than the credit of a time of rest that was not used. */
	dm_chain_pace_look(&pace, 300 * S, 2, false);
	dm_chain_pace_pay(&pace, 300 * S, 300 * S + MS, UNIT);
	KUNIT_EXPECT_EQ(test, pace.due, 300 * S - DM_CHAIN_PACE_CREDIT +
			(DM_CHAIN_PACE_REST + 1) * MS);
}

/* A job whose timer is late by up to @slack, for ten seconds: bytes copied. */
static u64 model(struct dm_chain_pace *pace, u64 took, u64 slack, u64 *worked)
{
	u64 now = S, ios = 0, bytes = 0;

	dm_chain_pace_init(pace, now, ios);
	*worked = 0;
	while (now < 11 * S) {
		u64 wait;

		dm_chain_pace_look(pace, now, ++ios, true);
		wait = dm_chain_pace_wait(pace, now);
		if (wait) {
			now += wait + slack;
			continue;
		}
		dm_chain_pace_pay(pace, now, now + took, UNIT);
		now += took;
		*worked += took;
		bytes += UNIT;
	}
	return bytes;
}

static void keeps_its_share(struct kunit *test)
{
	static const u64 slack[] = { 0, 4 * MS, 8 * MS };
	static const u64 took[] = { MS / 8, MS, 20 * MS };
	struct dm_chain_pace pace;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(slack); i++)
		for (j = 0; j < ARRAY_SIZE(took); j++) {
			u64 worked;

			model(&pace, took[j], slack[i], &worked);
			KUNIT_EXPECT_LE_MSG(test, worked, 2 * S + 100 * MS,
					    "slack %u, unit %u", i, j);
			KUNIT_EXPECT_GE_MSG(test, worked, 2 * S - 100 * MS,
					    "slack %u, unit %u", i, j);
		}
}

static void keeps_to_its_floor(struct kunit *test)
{
	struct dm_chain_pace pace;
	u64 worked, bytes;

	/* A disk that has nothing left for a fifth. */
	bytes = model(&pace, 100 * MS, 4 * MS, &worked);
	KUNIT_EXPECT_GE(test, bytes, 10ULL * DM_CHAIN_PACE_FLOOR - UNIT);
	/* One that is slower than the floor is not held back at all. */
	bytes = model(&pace, 200 * MS, 4 * MS, &worked);
	KUNIT_EXPECT_GE(test, worked, 10 * S);
}

static struct kunit_case pace_cases[] = {
	KUNIT_CASE(idle_guest),
	KUNIT_CASE(signs_of_work),
	KUNIT_CASE(looks_are_rare),
	KUNIT_CASE(a_unit_is_paid_for),
	KUNIT_CASE(floor_and_ceiling),
	KUNIT_CASE(a_fresh_start),
	KUNIT_CASE(keeps_its_share),
	KUNIT_CASE(keeps_to_its_floor),
	{}
};

static struct kunit_suite pace_suite = {
	.name = "dm-chain-pace",
	.test_cases = pace_cases,
};

kunit_test_suite(pace_suite);
