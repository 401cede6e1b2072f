// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the pace: who is held back when, and that a model of a job keeps to
 * its share and to its floor.
 */
#include <kunit/test.h>

#include <linux/kernel.h>
#include <linux/limits.h>

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

	/* A ceiling holds fast units back, */
	dm_chain_pace_init(&pace, S, 0);
	dm_chain_pace_set(&pace, DM_CHAIN_PACE_FLOOR, 8 << 20);
	dm_chain_pace_look(&pace, 2 * S, 1, true);
	dm_chain_pace_pay(&pace, 2 * S, 2 * S, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 2 * S), UNIT * S / (8 << 20));
	/* slow ones as well, and whatever the floor. */
	dm_chain_pace_init(&pace, S, 0);
	dm_chain_pace_set(&pace, DM_CHAIN_PACE_FLOOR, 1 << 20);
	dm_chain_pace_look(&pace, 2 * S, 1, true);
	dm_chain_pace_pay(&pace, 2 * S, 2 * S + most, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 2 * S), UNIT * S / (1 << 20));
}

/* The smallest and the largest that a message may ask for. */
static void extreme_limits(struct kunit *test)
{
	struct dm_chain_pace pace;

	dm_chain_pace_init(&pace, S, 0);
	dm_chain_pace_set(&pace, 0, 1);
	dm_chain_pace_look(&pace, 2 * S, 1, true);
	dm_chain_pace_pay(&pace, 2 * S, 2 * S + MS, 2 * UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 2 * S), 2 * UNIT * S);

	dm_chain_pace_set(&pace, U64_MAX, 0);
	dm_chain_pace_look(&pace, 3 * S, 2, true);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 3 * S), 0ULL);
	dm_chain_pace_pay(&pace, 3 * S, 3 * S + MS, 2 * UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 3 * S), 0ULL);

	dm_chain_pace_set(&pace, 0, U64_MAX);
	dm_chain_pace_look(&pace, 4 * S, 3, true);
	dm_chain_pace_pay(&pace, 4 * S, 4 * S + 50 * MS, 2 * UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 4 * S + 50 * MS),
			DM_CHAIN_PACE_REST * 50 * MS - DM_CHAIN_PACE_CREDIT);
}

/* What is owed ends with the limits that it came from; nothing is given away. */
static void limits_that_change(struct kunit *test)
{
	struct dm_chain_pace pace;

	dm_chain_pace_init(&pace, S, 0);
	dm_chain_pace_set(&pace, 0, 512);
	dm_chain_pace_look(&pace, 2 * S, 1, true);
	dm_chain_pace_pay(&pace, 2 * S, 2 * S + MS, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 2 * S), 1024 * S);

	dm_chain_pace_set(&pace, 0, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 3 * S), 0ULL);
	dm_chain_pace_look(&pace, 3 * S, 2, true);
	dm_chain_pace_pay(&pace, 3 * S, 3 * S + MS, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 3 * S),
			S - DM_CHAIN_PACE_CREDIT);

	/* The unit that is in flight then is paid for by the new limit. */
	dm_chain_pace_set(&pace, 0, 0);
	dm_chain_pace_look(&pace, 9 * S, 3, true);
	dm_chain_pace_set(&pace, 0, 2 * UNIT);
	dm_chain_pace_pay(&pace, 9 * S, 9 * S + MS, UNIT);
	KUNIT_EXPECT_EQ(test, dm_chain_pace_wait(&pace, 9 * S),
			S / 2 - DM_CHAIN_PACE_CREDIT);
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

/*
 * A job whose timer is late by @slack and whose units take @took, for ten
 * seconds with the limits and the last look of @pace: bytes copied. With
 * @guest the guest is at work all the time.
 */
static u64 run(struct dm_chain_pace *pace, bool guest, u64 took, u64 slack,
	       u64 *worked)
{
	u64 now = pace->looked, end = now + 10 * S, ios = pace->ios, bytes = 0;

	*worked = 0;
	while (now < end) {
		u64 wait = 0;

		ios += guest;
		dm_chain_pace_look(pace, now, ios, guest);
		if (pace->busy)
			wait = dm_chain_pace_wait(pace, now);
		if (wait) {
			now += wait + slack;
			continue;
		}
		if (pace->busy)
			dm_chain_pace_pay(pace, now, now + took, UNIT);
		now += took;
		*worked += took;
		bytes += UNIT;
	}
	return bytes;
}

static u64 model(struct dm_chain_pace *pace, u64 took, u64 slack, u64 *worked)
{
	dm_chain_pace_init(pace, S, 0);
	return run(pace, true, took, slack, worked);
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

/* Fast units and slow ones, a floor or a ceiling above and below the share. */
static void limits_over_time(struct kunit *test)
{
	static const struct {
		u64 floor, ceiling, took;
		u64 rate;	/* bytes per second that come of it */
	} row[] = {
		/* The share of units of 1 ms is 100 MiB/s, that of 100 ms 1 MiB/s. */
		{ 0, 0, MS, 100 << 20 },
		{ 0, 0, 100 * MS, 1 << 20 },
		/* A floor below the share changes nothing, */
		{ 50 << 20, 0, MS, 100 << 20 },
		/* one above it is reached, */
		{ 200 << 20, 0, MS, 200 << 20 },
		{ 3 << 20, 0, 100 * MS, 3 << 20 },
		/* if the device can do it. */
		{ 64 << 20, 0, 100 * MS, 5 << 20 },
		/* A ceiling above the share changes nothing, one below it holds. */
		{ 0, 200 << 20, MS, 100 << 20 },
		{ 0, 10 << 20, MS, 10 << 20 },
		{ 0, 512 << 10, 100 * MS, 512 << 10 },
		/* Both: the rate is between them, */
		{ 20 << 20, 40 << 20, MS, 40 << 20 },
		{ 2 << 20, 3 << 20, 100 * MS, 2 << 20 },
		{ 8 << 20, 8 << 20, MS, 8 << 20 },
		/* and the ceiling counts more. */
		{ 40 << 20, 20 << 20, MS, 20 << 20 },
		{ DM_CHAIN_PACE_FLOOR, 1 << 20, MS, 1 << 20 },
		{ DM_CHAIN_PACE_FLOOR, 1 << 20, 100 * MS, 1 << 20 },
	};
	struct dm_chain_pace pace;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		u64 worked, bytes, want = 10 * row[i].rate;

		dm_chain_pace_init(&pace, S, 0);
		dm_chain_pace_set(&pace, row[i].floor, row[i].ceiling);
		bytes = run(&pace, true, row[i].took, 4 * MS, &worked);
		KUNIT_EXPECT_LE_MSG(test, bytes, want + want / 100 + 2 * UNIT, "row %u", i);
		KUNIT_EXPECT_GE_MSG(test, bytes, want - want / 20 - UNIT, "row %u", i);

		/* No limit is there for a guest that rests: some 500 MiB/s or 5. */
		dm_chain_pace_init(&pace, S, 0);
		dm_chain_pace_set(&pace, row[i].floor, row[i].ceiling);
		bytes = run(&pace, false, row[i].took, 4 * MS, &worked);
		KUNIT_EXPECT_EQ_MSG(test, worked, 10 * S, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, bytes, 10 * S / row[i].took * UNIT, "row %u", i);
	}
}

/* One job whose limits go down and up again, as messages may have it. */
static void limits_up_and_down(struct kunit *test)
{
	static const u64 ceilings[] = { 10 << 20, 1 << 20, 64 << 10, 20 << 20, 0, 2 << 20 };
	struct dm_chain_pace pace;
	unsigned int i;

	dm_chain_pace_init(&pace, S, 0);
	for (i = 0; i < ARRAY_SIZE(ceilings); i++) {
		u64 want = 10 * (ceilings[i] ?: 100 << 20), worked, bytes;

		dm_chain_pace_set(&pace, DM_CHAIN_PACE_FLOOR, ceilings[i]);
		bytes = run(&pace, true, MS, 4 * MS, &worked);
		KUNIT_EXPECT_LE_MSG(test, bytes, want + want / 100 + 2 * UNIT, "step %u", i);
		KUNIT_EXPECT_GE_MSG(test, bytes, want - want / 20 - UNIT, "step %u", i);
	}
}

static struct kunit_case pace_cases[] = {
	KUNIT_CASE(idle_guest),
	KUNIT_CASE(signs_of_work),
	KUNIT_CASE(looks_are_rare),
	KUNIT_CASE(a_unit_is_paid_for),
	KUNIT_CASE(floor_and_ceiling),
	KUNIT_CASE(extreme_limits),
	KUNIT_CASE(limits_that_change),
	KUNIT_CASE(a_fresh_start),
	KUNIT_CASE(keeps_its_share),
	KUNIT_CASE(keeps_to_its_floor),
	KUNIT_CASE(limits_over_time),
	KUNIT_CASE(limits_up_and_down),
	{}
};

static struct kunit_suite pace_suite = {
	.name = "dm-chain-pace",
	.test_cases = pace_cases,
};

kunit_test_suite(pace_suite);
