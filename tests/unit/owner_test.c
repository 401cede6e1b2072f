// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the owner map against a plain array with one entry for each block.
 */
#include <kunit/test.h>

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "dm-chain-codec.h"
#include "dm-chain-owner.h"
#include "random.h"

#define REGION		DM_CHAIN_REGION_BLOCKS
#define MAX_BLOCKS	(16 * REGION)

/* The map under test and what it should hold. */
struct pair {
	struct dm_chain_owner_map *map;
	u64 empty;		/* memory of the empty map */
	u32 blocks;
	u8 *model;
	u8 *payload;		/* of a map page */
};

static int setup(struct kunit *test)
{
	struct pair *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	test->priv = p;
	p->model = kvmalloc(MAX_BLOCKS, GFP_KERNEL);
	p->payload = kunit_kzalloc(test, DM_CHAIN_PAYLOAD, GFP_KERNEL);
	return p->model && p->payload ? 0 : -ENOMEM;
}

static void teardown(struct kunit *test)
{
	struct pair *p = test->priv;

	if (!p)
		return;
	dm_chain_owner_destroy(p->map);
	kvfree(p->model);
	rcu_barrier();
}

static struct pair *start(struct kunit *test, u32 blocks)
{
	struct pair *p = test->priv;

	dm_chain_owner_destroy(p->map);
	p->map = dm_chain_owner_create(blocks);
	KUNIT_ASSERT_NOT_NULL(test, p->map);
	p->empty = dm_chain_owner_memory(p->map);
	p->blocks = blocks;
	memset(p->model, DM_CHAIN_NOBODY, blocks);
	return p;
}

static u8 lookup(const struct pair *p, u64 block, u64 max, u64 *run)
{
	u8 entry;

	rcu_read_lock();
	entry = dm_chain_owner_lookup(p->map, block, max, run);
	rcu_read_unlock();
	return entry;
}

/* The entry is right, the run too; it may be short only at a region's end. */
static void check_lookup(struct kunit *test, u64 block, u64 max)
{
	const struct pair *p = test->priv;
	u64 run, n, limit = min_t(u64, max, p->blocks - block);
	u8 entry;

	entry = lookup(p, block, max, &run);
	KUNIT_ASSERT_EQ_MSG(test, entry, p->model[block], "block %llu", (unsigned long long)block);
	KUNIT_ASSERT_GE(test, run, 1ULL);
	KUNIT_ASSERT_LE(test, run, limit);
	for (n = 1; n < run; n++)
		if (p->model[block + n] != entry)
			break;
	KUNIT_ASSERT_EQ_MSG(test, n, run, "from %llu", (unsigned long long)block);
	if (run < limit && (block + run) % REGION)
		KUNIT_ASSERT_NE(test, p->model[block + run], entry);
}

static void check_all(struct kunit *test)
{
	const struct pair *p = test->priv;
	u64 block = 0, run;

	while (block < p->blocks) {
		check_lookup(test, block, U64_MAX);
		lookup(p, block, U64_MAX, &run);
		block += run;
	}
	KUNIT_ASSERT_EQ(test, block, (u64)p->blocks);
}

static void fill(struct kunit *test, u64 block, u64 count, u8 entry)
{
	struct pair *p = test->priv;

	KUNIT_ASSERT_EQ(test, dm_chain_owner_fill(p->map, block, count, entry, GFP_KERNEL), 0);
	memset(p->model + block, entry, count);
}

static struct dm_chain_owner_node *pin(struct kunit *test, u64 block)
{
	struct pair *p = test->priv;
	struct dm_chain_owner_node *node;

	node = dm_chain_owner_pin(p->map, block, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, node);
	return node;
}

static void set(struct kunit *test, u64 block, u32 count, u8 entry)
{
	struct pair *p = test->priv;
	struct dm_chain_owner_node *node = pin(test, block);

	dm_chain_owner_set(node, block, count, entry);
	dm_chain_owner_unpin(node);
	memset(p->model + block, entry, count);
}

static u64 memory(const struct kunit *test)
{
	const struct pair *p = test->priv;

	return dm_chain_owner_memory(p->map);
}

static void nobody_owns_anything(struct kunit *test)
{
	static const u32 sizes[] = { 1, 7, REGION - 1, REGION, REGION + 1, MAX_BLOCKS };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pair *p = start(test, sizes[i]);
		u64 run;

		KUNIT_EXPECT_EQ(test, dm_chain_owner_blocks(p->map), (u64)sizes[i]);
		KUNIT_EXPECT_EQ(test, lookup(p, 0, U64_MAX, &run), DM_CHAIN_NOBODY);
		KUNIT_EXPECT_EQ(test, run, (u64)sizes[i]);
		KUNIT_EXPECT_EQ(test, lookup(p, sizes[i] - 1, 5, &run), DM_CHAIN_NOBODY);
		KUNIT_EXPECT_EQ(test, run, 1ULL);
		check_all(test);
	}
	KUNIT_EXPECT_EQ(test, dm_chain_owner_id(DM_CHAIN_NOBODY),
			(unsigned int)DM_CHAIN_ID_NOBODY);
	KUNIT_EXPECT_EQ(test, dm_chain_owner_id(5 | DM_CHAIN_OWNER_ZERO), 5U);
}

static void empty_map(struct kunit *test)
{
	struct dm_chain_owner_map *map = dm_chain_owner_create(0);

	KUNIT_ASSERT_NOT_NULL(test, map);
	KUNIT_EXPECT_EQ(test, dm_chain_owner_blocks(map), 0ULL);
	dm_chain_owner_destroy(map);
	dm_chain_owner_destroy(NULL);
}

/* Every start and end within a word and around the ends of a region. */
static void runs_to_the_block(struct kunit *test)
{
	u32 from, to;

	for (from = 0; from < 20; from++) {
		for (to = from + 1; to < 20; to++) {
			start(test, 2 * REGION);
			set(test, REGION + from, to - from, 3);
			check_lookup(test, REGION + from, U64_MAX);
			check_lookup(test, REGION + to, U64_MAX);
			check_lookup(test, REGION - 5, U64_MAX);
			check_lookup(test, REGION + from, 3);
			check_all(test);
			set(test, REGION - to, to - from, 4);
			check_all(test);
		}
	}
}

/* All values that an entry can have survive both forms of a region. */
static void every_entry(struct kunit *test)
{
	unsigned int entry;

	start(test, 2 * REGION);
	for (entry = 0; entry <= U8_MAX; entry++) {
		fill(test, 0, REGION, entry);
		check_lookup(test, 17, 1);
		set(test, 17, 1, entry ^ 1);
		check_all(test);
		set(test, 17, 1, entry);
		check_all(test);
	}
}

static void move_compares(struct kunit *test)
{
	struct pair *p = start(test, REGION + 100);
	u64 block;

	set(test, REGION, 50, 1);
	for (block = REGION; block < REGION + 60; block++) {
		struct dm_chain_owner_node *node = pin(test, block);
		bool was_one = p->model[block] == 1;

		KUNIT_EXPECT_FALSE(test, dm_chain_owner_move(node, block, 9, 2));
		KUNIT_EXPECT_EQ(test, dm_chain_owner_move(node, block, 1, 2), was_one);
		if (was_one)
			p->model[block] = 2;
		KUNIT_EXPECT_FALSE(test, dm_chain_owner_move(node, block, 1, 2));
		check_all(test);
		dm_chain_owner_unpin(node);
	}
}

static void collapse_gives_memory_back(struct kunit *test)
{
	struct pair *p = start(test, 3 * REGION + 5);
	u64 with_node;

	set(test, REGION, 1, 7);
	with_node = memory(test);
	KUNIT_EXPECT_GT(test, with_node, p->empty);

	/* A mixed node stays, whichever block is the odd one. */
	dm_chain_owner_collapse(p->map, REGION);
	KUNIT_EXPECT_EQ(test, memory(test), with_node);
	set(test, REGION, REGION - 1, 7);
	dm_chain_owner_collapse(p->map, REGION + 77);
	KUNIT_EXPECT_EQ(test, memory(test), with_node);

	/* An even one does not, but waits to be asked. */
	set(test, 2 * REGION - 1, 1, 7);
	KUNIT_EXPECT_EQ(test, memory(test), with_node);
	dm_chain_owner_collapse(p->map, REGION + 77);
	KUNIT_EXPECT_EQ(test, memory(test), p->empty);
	check_all(test);

	/* In the last region only the blocks that exist count. */
	set(test, 3 * REGION, 5, 9);
	KUNIT_EXPECT_EQ(test, memory(test), with_node);
	dm_chain_owner_collapse(p->map, 3 * REGION);
	KUNIT_EXPECT_EQ(test, memory(test), p->empty);
	check_all(test);

	/* Nothing to do. */
	dm_chain_owner_collapse(p->map, 0);
	KUNIT_EXPECT_EQ(test, memory(test), p->empty);
}

static void a_pinned_node_stays(struct kunit *test)
{
	struct pair *p = start(test, REGION);
	struct dm_chain_owner_node *first = pin(test, 5), *second = pin(test, 6);
	u64 with_node = memory(test);

	KUNIT_EXPECT_PTR_EQ(test, first, second);
	dm_chain_owner_collapse(p->map, 0);
	KUNIT_EXPECT_EQ(test, memory(test), with_node);
	fill(test, 0, REGION, 8);
	KUNIT_EXPECT_EQ(test, memory(test), with_node);
	check_all(test);

	dm_chain_owner_unpin(first);
	dm_chain_owner_collapse(p->map, 0);
	KUNIT_EXPECT_EQ(test, memory(test), with_node);

	/* What a pinned node is told holds. */
	dm_chain_owner_set(second, 10, 20, 3);
	memset(p->model + 10, 3, 20);
	check_all(test);
	dm_chain_owner_set(second, 10, 20, 8);
	memset(p->model + 10, 8, 20);
	dm_chain_owner_unpin(second);
	dm_chain_owner_collapse(p->map, 0);
	KUNIT_EXPECT_EQ(test, memory(test), p->empty);
	check_all(test);
}

static void fill_takes_no_node_it_does_not_need(struct kunit *test)
{
	struct pair *p = start(test, 4 * REGION + 9);

	/* Whole regions, the cut one at the end included. */
	fill(test, REGION, REGION, 1);
	fill(test, 3 * REGION, REGION + 9, 2);
	KUNIT_EXPECT_EQ(test, memory(test), p->empty);
	/* What is so already. */
	fill(test, REGION + 5, 17, 1);
	KUNIT_EXPECT_EQ(test, memory(test), p->empty);
	/* Both ends are nodes, the middle none. */
	fill(test, 1, 4 * REGION, 3);
	KUNIT_EXPECT_GT(test, memory(test), p->empty + 2 * REGION);
	KUNIT_EXPECT_LT(test, memory(test), p->empty + 3 * REGION);
	check_all(test);
	/* Nodes that become even go by themselves. */
	fill(test, 0, 10, 3);
	fill(test, 4 * REGION, 9, 3);
	KUNIT_EXPECT_EQ(test, memory(test), p->empty);
	check_all(test);
	/* Nothing at all. */
	fill(test, 3, 0, 5);
	check_all(test);
}

/* Everything moves, nodes and all; beyond the old end there may be anything. */
static void a_larger_map_adopts(struct kunit *test)
{
	struct pair *p = start(test, 2 * REGION + 100);
	struct dm_chain_owner_map *old = p->map, *map;
	u64 empty = p->empty, with_node, run;

	map = dm_chain_owner_create(4 * REGION);
	KUNIT_ASSERT_NOT_NULL(test, map);
	p->empty = dm_chain_owner_memory(map);
	fill(test, 0, REGION, 3);
	set(test, REGION + 7, 9, 4);
	set(test, 2 * REGION + 90, 10, 5);
	with_node = memory(test) - empty;

	dm_chain_owner_adopt(map, old);
	KUNIT_EXPECT_EQ(test, memory(test), empty);
	KUNIT_EXPECT_EQ(test, lookup(p, 0, U64_MAX, &run), DM_CHAIN_NOBODY);
	KUNIT_EXPECT_EQ(test, run, (u64)p->blocks);
	dm_chain_owner_destroy(old);

	p->map = map;
	p->blocks = 4 * REGION;
	KUNIT_EXPECT_EQ(test, memory(test) - p->empty, with_node);
	fill(test, 2 * REGION + 100, 2 * REGION - 100, DM_CHAIN_NOBODY);
	check_all(test);
}

/* At most 2 % above a byte for each block, whatever the pattern. */
static void memory_at_worst(struct kunit *test)
{
	struct pair *p = start(test, MAX_BLOCKS);
	u32 block;

	KUNIT_EXPECT_LE(test, p->empty, 16ULL * MAX_BLOCKS / REGION + 64);
	for (block = 0; block < MAX_BLOCKS; block += 2)
		set(test, block, 1, 1);
	KUNIT_EXPECT_LE(test, memory(test), MAX_BLOCKS + MAX_BLOCKS / 50ULL);
	check_all(test);
	for (block = 0; block < MAX_BLOCKS; block += 2)
		set(test, block, 1, DM_CHAIN_NOBODY);
	for (block = 0; block < MAX_BLOCKS; block += REGION)
		dm_chain_owner_collapse(p->map, block);
	KUNIT_EXPECT_EQ(test, memory(test), p->empty);
}

/* Few values and few starts, so that regions become even now and then. */
static void random_step(struct kunit *test, u64 *seed)
{
	struct pair *p = test->priv;
	u32 block = random_below(seed, p->blocks);
	u8 entry = random_below(seed, 3) | (random_below(seed, 2) ? DM_CHAIN_OWNER_ZERO : 0);
	u32 count = 1 + random_below(seed, random_below(seed, 2) ? 40 : 3 * REGION);
	struct dm_chain_owner_node *node;
	u8 old;

	switch (random_below(seed, 6)) {
	case 0:
		block &= random_below(seed, 2) ? ~(REGION - 1) : ~0U;
		fill(test, block, min(count, p->blocks - block), entry);
		break;
	case 1:
		count = min(count, min(p->blocks - block, REGION - block % REGION));
		set(test, block, count, entry);
		break;
	case 2:
		old = random_below(seed, 3);
		node = pin(test, block);
		KUNIT_ASSERT_EQ(test, dm_chain_owner_move(node, block, old, entry),
				p->model[block] == old);
		if (p->model[block] == old)
			p->model[block] = entry;
		dm_chain_owner_unpin(node);
		break;
	case 3:
		dm_chain_owner_collapse(p->map, block);
		break;
	default:
		check_lookup(test, block, count);
		break;
	}
}

static void random_operations(struct kunit *test)
{
	static const u32 sizes[] = { 1, 9, REGION - 3, REGION, REGION + 1, 3 * REGION + 1234,
				     MAX_BLOCKS };
	u64 seed = 4096;
	unsigned int i, step;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pair *p = start(test, sizes[i]);

		for (step = 0; step < 4000; step++) {
			random_step(test, &seed);
			if (step % 256 == 0)
				check_all(test);
		}
		check_all(test);
		fill(test, 0, p->blocks, 1);
		KUNIT_EXPECT_EQ(test, memory(test), p->empty);
		check_all(test);
	}
}

#ifndef __KERNEL__
static void without_memory(struct kunit *test)
{
	struct pair *p = start(test, 3 * REGION);
	struct dm_chain_owner_node *node = pin(test, REGION);

	dm_chain_owner_set(node, REGION, 1, 5);
	p->model[REGION] = 5;

	shim_no_pages = true;
	KUNIT_EXPECT_NULL(test, dm_chain_owner_pin(p->map, 0, GFP_NOWAIT));
	/* A node that is there and whole regions need no memory. */
	KUNIT_EXPECT_PTR_EQ(test, dm_chain_owner_pin(p->map, REGION, GFP_NOWAIT), node);
	dm_chain_owner_unpin(node);
	fill(test, 0, 3 * REGION, 6);
	check_all(test);
	/* So does what is there already. */
	fill(test, 5, REGION - 5, 6);
	/* What comes before the region that failed is filled. */
	KUNIT_EXPECT_EQ(test, dm_chain_owner_fill(p->map, 0, 2 * REGION + 1, 7, GFP_NOWAIT),
			-ENOMEM);
	shim_no_pages = false;
	memset(p->model, 7, 2 * REGION);
	check_all(test);
	dm_chain_owner_unpin(node);
}
#endif

static enum dm_chain_state model_state(const struct pair *p, u64 block, u8 id)
{
	if (dm_chain_owner_id(p->model[block]) != id)
		return DM_CHAIN_UNALLOCATED;
	return p->model[block] & DM_CHAIN_OWNER_ZERO ? DM_CHAIN_ZERO : DM_CHAIN_DATA;
}

static void check_states(struct kunit *test, u64 block, u32 count, u8 id)
{
	const struct pair *p = test->priv;
	u8 *payload = p->payload;
	u32 n;

	memset(payload, 0, DM_CHAIN_PAYLOAD);
	rcu_read_lock();
	dm_chain_owner_states(p->map, block, count, id, payload);
	rcu_read_unlock();
	for (n = 0; n < count; n++)
		KUNIT_ASSERT_EQ_MSG(test, dm_chain_state_get(payload, n),
				    model_state(p, block + n, id), "id %u block %llu",
				    id, (unsigned long long)(block + n));
	for (; n < DM_CHAIN_BLOCKS_PER_PAGE; n++)
		KUNIT_ASSERT_EQ(test, dm_chain_state_get(payload, n),
				DM_CHAIN_UNALLOCATED);
}

/* Map pages begin at any multiple of 8 and end where the map does. */
static void states_of_a_layer(struct kunit *test)
{
	static const u8 ids[] = { 0, 1, 2, 63, 126 };
	u64 seed = 11;
	u32 i, id, step;

	start(test, 5 * REGION + 13);
	for (step = 0; step < 200; step++) {
		u32 from = random_below(&seed, 5 * REGION);
		u8 entry = ids[random_below(&seed, ARRAY_SIZE(ids))];

		if (random_below(&seed, 2))
			entry |= DM_CHAIN_OWNER_ZERO;
		fill(test, from, 1 + random_below(&seed, step % 3 ? 13 : 2000), entry);
		if (step % 10)
			continue;
		for (i = 0; i < ARRAY_SIZE(ids); i++) {
			id = ids[i];
			check_states(test, 0, DM_CHAIN_BLOCKS_PER_PAGE, id);
			check_states(test, DM_CHAIN_BLOCKS_PER_PAGE,
				     5 * REGION + 13 - DM_CHAIN_BLOCKS_PER_PAGE, id);
			check_states(test, 8 * random_below(&seed, 100),
				     random_below(&seed, 3000), id);
		}
	}
}

/* Each entry that there can be, for each id. */
static void states_of_every_entry(struct kunit *test)
{
	unsigned int entry, id;

	start(test, REGION);
	for (entry = 0; entry < 256; entry++)
		fill(test, 8 * entry, 8, entry ^ (entry >> 3));
	for (entry = 0; entry < 256; entry++)
		fill(test, 2048 + entry, 1, entry);
	for (id = 0; id < DM_CHAIN_ID_NOBODY; id++)
		check_states(test, 0, 2400, id);
}

/* Pages of layers laid over one another, whose states come in runs or singly. */
static void pages_over_the_map(struct kunit *test)
{
	static const u32 sizes[] = { 13, REGION, 4 * REGION - 3, 5 * REGION + 13 };
	u32 i, layer, n;
	u64 seed = 23;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pair *p = start(test, sizes[i]);

		for (layer = 0; layer < 12; layer++) {
			u64 page = random_below(&seed, 2) * DM_CHAIN_BLOCKS_PER_PAGE;
			u32 longest = layer % 3 ? 9 : 6000, run = 0, nr;
			enum dm_chain_state state = DM_CHAIN_UNALLOCATED;

			if (page >= sizes[i])
				page = 0;
			nr = min_t(u32, sizes[i] - page, DM_CHAIN_BLOCKS_PER_PAGE);
			memset(p->payload, 0, DM_CHAIN_PAYLOAD);
			/* What lies behind the end must not matter. */
			for (n = 0; n < DM_CHAIN_BLOCKS_PER_PAGE; n++, run--) {
				if (!run) {
					run = 1 + random_below(&seed, longest);
					state = random_below(&seed, 3);
				}
				dm_chain_state_set(p->payload, n, state);
				if (n >= nr || state == DM_CHAIN_UNALLOCATED)
					continue;
				p->model[page + n] = state == DM_CHAIN_ZERO ?
						     layer | DM_CHAIN_OWNER_ZERO : layer;
			}
			KUNIT_ASSERT_EQ(test, dm_chain_owner_overlay(p->map, page, nr, layer,
								     p->payload, GFP_KERNEL), 0);
			check_all(test);
		}
	}
}

/* A page that makes a region even leaves no node. */
static void an_even_page_needs_no_node(struct kunit *test)
{
	struct pair *p = start(test, 3 * REGION);

	set(test, 5, 1, 3);
	memset(p->payload, DM_CHAIN_DATA * 0x55, DM_CHAIN_PAYLOAD);
	KUNIT_ASSERT_EQ(test, dm_chain_owner_overlay(p->map, 0, 3 * REGION, 4, p->payload,
						     GFP_KERNEL), 0);
	memset(p->model, 4, 3 * REGION);
	check_all(test);
	KUNIT_EXPECT_EQ(test, memory(test), p->empty);
}

static struct kunit_case owner_cases[] = {
	KUNIT_CASE(nobody_owns_anything),
	KUNIT_CASE(empty_map),
	KUNIT_CASE(runs_to_the_block),
	KUNIT_CASE(every_entry),
	KUNIT_CASE(move_compares),
	KUNIT_CASE(collapse_gives_memory_back),
	KUNIT_CASE(a_pinned_node_stays),
	KUNIT_CASE(fill_takes_no_node_it_does_not_need),
	KUNIT_CASE(a_larger_map_adopts),
	KUNIT_CASE(memory_at_worst),
	KUNIT_CASE(random_operations),
	KUNIT_CASE(states_of_a_layer),
	KUNIT_CASE(states_of_every_entry),
	KUNIT_CASE(pages_over_the_map),
	KUNIT_CASE(an_even_page_needs_no_node),
#ifndef __KERNEL__
	KUNIT_CASE(without_memory),
#endif
	{}
};

static struct kunit_suite owner_suite = {
	.name = "dm-chain-owner",
	.init = setup,
	.exit = teardown,
	.test_cases = owner_cases,
};

kunit_test_suite(owner_suite);
