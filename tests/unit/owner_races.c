// SPDX-License-Identifier: GPL-2.0
/*
 * What only user space can test of the owner map: two threads of control that
 * meet at a given moment, and several threads that meet anywhere.
 */
#include <pthread.h>

#include <kunit/test.h>

#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/rcupdate.h>
#include <shim-race.h>

#include "dm-chain-owner.h"
#include "random.h"

#define NR_THREADS	4
#define REGIONS		2
#define BLOCKS		(REGIONS * DM_CHAIN_REGION_BLOCKS)
#define ROUNDS		3000
#define COMMON		0x7e	/* what all threads write now and then */

/* The map of the case, and what the moment left behind. */
static struct dm_chain_owner_map *race_map;
static struct dm_chain_owner_node *race_node;

static int race_init(struct kunit *test)
{
	race_map = dm_chain_owner_create(BLOCKS);
	return race_map ? 0 : -ENOMEM;
}

static void race_exit(struct kunit *test)
{
	dm_chain_owner_destroy(race_map);
	rcu_barrier();
}

/* A node whose entries are all equal, not pinned. */
static void even_node(struct kunit *test)
{
	struct dm_chain_owner_node *node = dm_chain_owner_pin(race_map, 0, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, node);
	dm_chain_owner_unpin(node);
}

static u8 entry_of(u64 block)
{
	u64 run;

	return dm_chain_owner_lookup(race_map, block, 1, &run);
}

static void race_pin(void)
{
	race_node = dm_chain_owner_pin(race_map, 0, GFP_KERNEL);
}

/* Somebody pins the node when the collapse has seen it unpinned. */
static void pin_amid_collapse(struct kunit *test)
{
	even_node(test);
	shim_race = race_pin;
	dm_chain_owner_collapse(race_map, 0);
	KUNIT_ASSERT_TRUE(test, !shim_race);
	KUNIT_ASSERT_NOT_NULL(test, race_node);
	dm_chain_owner_set(race_node, 3, 1, 5);
	dm_chain_owner_unpin(race_node);
	KUNIT_EXPECT_EQ(test, entry_of(3), 5);
	KUNIT_EXPECT_EQ(test, entry_of(4), DM_CHAIN_NOBODY);
}

static void race_set(void)
{
	race_pin();
	dm_chain_owner_set(race_node, 7, 1, 6);
	dm_chain_owner_unpin(race_node);
}

/* Somebody changes an entry when the collapse has seen them all equal. */
static void set_amid_collapse(struct kunit *test)
{
	even_node(test);
	shim_race = race_set;
	dm_chain_owner_collapse(race_map, 0);
	KUNIT_ASSERT_TRUE(test, !shim_race);
	KUNIT_EXPECT_EQ(test, entry_of(7), 6);
	KUNIT_EXPECT_EQ(test, entry_of(8), DM_CHAIN_NOBODY);
	/* The node was thawed. */
	race_pin();
	KUNIT_ASSERT_NOT_NULL(test, race_node);
	dm_chain_owner_unpin(race_node);
}

static void race_collapse(void)
{
	dm_chain_owner_collapse(race_map, 0);
}

/* The node goes when somebody who wants to pin it has its address. */
static void collapse_amid_pin(struct kunit *test)
{
	u64 empty = dm_chain_owner_memory(race_map);
	struct dm_chain_owner_node *node;

	even_node(test);
	shim_race = race_collapse;
	node = dm_chain_owner_pin(race_map, 0, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, !shim_race);
	KUNIT_ASSERT_NOT_NULL(test, node);
	KUNIT_EXPECT_GT(test, dm_chain_owner_memory(race_map), empty);
	dm_chain_owner_set(node, 9, 1, 4);
	KUNIT_EXPECT_EQ(test, entry_of(9), 4);
	dm_chain_owner_unpin(node);
}

/* The same with nothing to make another node of: a whole region needs none. */
static void collapse_amid_fill(struct kunit *test)
{
	u64 empty = dm_chain_owner_memory(race_map);

	even_node(test);
	shim_race = race_collapse;
	shim_no_pages = true;
	KUNIT_EXPECT_EQ(test, dm_chain_owner_fill(race_map, 0, DM_CHAIN_REGION_BLOCKS, 3,
						  GFP_NOWAIT), 0);
	shim_no_pages = false;
	KUNIT_ASSERT_TRUE(test, !shim_race);
	KUNIT_EXPECT_EQ(test, entry_of(DM_CHAIN_REGION_BLOCKS - 1), 3);
	KUNIT_EXPECT_EQ(test, entry_of(DM_CHAIN_REGION_BLOCKS), DM_CHAIN_NOBODY);
	KUNIT_EXPECT_EQ(test, dm_chain_owner_memory(race_map), empty);
}

/* Two make a node for the same region: one of the nodes stays. */
static void pin_amid_pin(struct kunit *test)
{
	u64 empty = dm_chain_owner_memory(race_map), with_node;
	struct dm_chain_owner_node *node;

	shim_race = race_pin;
	node = dm_chain_owner_pin(race_map, 0, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, !shim_race);
	KUNIT_EXPECT_PTR_EQ(test, node, race_node);
	with_node = dm_chain_owner_memory(race_map);
	KUNIT_EXPECT_LT(test, with_node, empty + 2 * DM_CHAIN_REGION_BLOCKS);

	/* It is pinned twice. */
	dm_chain_owner_unpin(node);
	dm_chain_owner_collapse(race_map, 0);
	KUNIT_EXPECT_EQ(test, dm_chain_owner_memory(race_map), with_node);
	dm_chain_owner_unpin(race_node);
	dm_chain_owner_collapse(race_map, 0);
	KUNIT_EXPECT_EQ(test, dm_chain_owner_memory(race_map), empty);
}

/* A neighbour in the same word changes while a block is moved. */
static void set_amid_move(struct kunit *test)
{
	struct dm_chain_owner_node *node;

	node = dm_chain_owner_pin(race_map, 0, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, node);
	shim_race = race_set;
	KUNIT_EXPECT_TRUE(test, dm_chain_owner_move(node, 6, DM_CHAIN_NOBODY, 2));
	KUNIT_ASSERT_TRUE(test, !shim_race);
	KUNIT_EXPECT_EQ(test, entry_of(6), 2);
	KUNIT_EXPECT_EQ(test, entry_of(7), 6);

	/* The block itself does: whoever was first wins. */
	shim_race = race_set;
	KUNIT_EXPECT_FALSE(test, dm_chain_owner_move(node, 8, 6, 2));
	dm_chain_owner_set(node, 7, 1, 1);
	KUNIT_EXPECT_FALSE(test, dm_chain_owner_move(node, 7, 1, 2));
	KUNIT_ASSERT_TRUE(test, !shim_race);
	KUNIT_EXPECT_EQ(test, entry_of(7), 6);
	dm_chain_owner_unpin(node);
}

/* A node appears while a whole region is filled. */
static void set_amid_fill(struct kunit *test)
{
	shim_race = race_set;
	KUNIT_EXPECT_EQ(test, dm_chain_owner_fill(race_map, 0, DM_CHAIN_REGION_BLOCKS, 3,
						  GFP_KERNEL), 0);
	KUNIT_ASSERT_TRUE(test, !shim_race);
	KUNIT_EXPECT_EQ(test, entry_of(7), 3);
	KUNIT_EXPECT_EQ(test, entry_of(8), 3);
}

/*
 * A thread. Each block has one thread that writes it, as the range locks see
 * to in the module; all threads read all blocks and collapse all regions.
 */
struct worker {
	pthread_t thread;
	struct dm_chain_owner_map *map;
	unsigned int id;
	u8 mine[BLOCKS];	/* own blocks only */
	const char *wrong;	/* the first thing that was */
};

/* An entry of this worker's own, which no other worker writes. */
static u8 own_entry(const struct worker *w, u32 n)
{
	return w->id << 4 | (n & 7);
}

static bool entry_possible(u8 entry, u64 block)
{
	return entry == DM_CHAIN_NOBODY || entry == COMMON || entry >> 4 == block % NR_THREADS;
}

static void check(struct worker *w, u64 block, u64 max)
{
	u64 run, n;
	u8 entry;

	rcu_read_lock();
	entry = dm_chain_owner_lookup(w->map, block, max, &run);
	rcu_read_unlock();

	if (!run || run > max || run > BLOCKS - block)
		w->wrong = "a run is too long";
	for (n = block; n < block + run && !w->wrong; n++) {
		if (!entry_possible(entry, n))
			w->wrong = "an entry is another block's";
		if (n % NR_THREADS == w->id && w->mine[n] != entry)
			w->wrong = "an own entry is not what was written";
	}
}

/* Write own blocks of one region: all of them or a few. */
static void write_some(struct worker *w, u64 *seed)
{
	u64 start = (u64)random_below(seed, REGIONS) * DM_CHAIN_REGION_BLOCKS;
	struct dm_chain_owner_node *node;
	u32 i, n = random_below(seed, 2) ? 1 + random_below(seed, 9) : 0;
	u8 entry = n ? own_entry(w, random_next(seed)) : COMMON;
	u32 count = n ? n : DM_CHAIN_REGION_BLOCKS / NR_THREADS;
	u32 first = n ? random_below(seed, DM_CHAIN_REGION_BLOCKS / NR_THREADS - n) : 0;

	node = dm_chain_owner_pin(w->map, start, GFP_KERNEL);
	if (!node) {
		w->wrong = "no memory";
		return;
	}
	for (i = first; i < first + count; i++) {
		u64 block = start + (u64)i * NR_THREADS + w->id;

		if (i % 2)
			dm_chain_owner_set(node, block, 1, entry);
		else if (!dm_chain_owner_move(node, block, w->mine[block], entry))
			w->wrong = "a move did not find what was written";
		w->mine[block] = entry;
	}
	dm_chain_owner_unpin(node);
	dm_chain_owner_collapse(w->map, start);
}

static void *work(void *data)
{
	struct worker *w = data;
	u64 seed = 1 + w->id;
	u32 round;

	for (round = 0; round < ROUNDS && !w->wrong; round++) {
		u64 block = random_below(&seed, BLOCKS);

		write_some(w, &seed);
		check(w, block, 1 + random_below(&seed, 100));
		check(w, block / NR_THREADS * NR_THREADS + w->id, BLOCKS);
	}
	return NULL;
}

static void threads(struct kunit *test)
{
	struct dm_chain_owner_map *map = race_map;
	struct worker *w = kunit_kcalloc(test, NR_THREADS, sizeof(*w), GFP_KERNEL);
	u64 empty, block, run;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, w);
	empty = dm_chain_owner_memory(map);
	for (i = 0; i < NR_THREADS; i++) {
		w[i].map = map;
		w[i].id = i;
		memset(w[i].mine, DM_CHAIN_NOBODY, sizeof(w[i].mine));
		KUNIT_ASSERT_EQ(test, pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(w[i].thread, NULL);

	for (i = 0; i < NR_THREADS; i++)
		KUNIT_EXPECT_TRUE_MSG(test, !w[i].wrong, "thread %u: %s", i, w[i].wrong);
	for (block = 0; block < BLOCKS; block++)
		KUNIT_ASSERT_EQ(test, dm_chain_owner_lookup(map, block, 1, &run),
				w[block % NR_THREADS].mine[block]);

	KUNIT_EXPECT_EQ(test, dm_chain_owner_fill(map, 0, BLOCKS, COMMON, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, dm_chain_owner_memory(map), empty);
}

static struct kunit_case owner_races_cases[] = {
	KUNIT_CASE(pin_amid_collapse),
	KUNIT_CASE(set_amid_collapse),
	KUNIT_CASE(collapse_amid_pin),
	KUNIT_CASE(collapse_amid_fill),
	KUNIT_CASE(pin_amid_pin),
	KUNIT_CASE(set_amid_move),
	KUNIT_CASE(set_amid_fill),
	KUNIT_CASE(threads),
	{}
};

static struct kunit_suite owner_races_suite = {
	.name = "dm-chain-owner-races",
	.init = race_init,
	.exit = race_exit,
	.test_cases = owner_races_cases,
};

kunit_test_suite(owner_races_suite);
