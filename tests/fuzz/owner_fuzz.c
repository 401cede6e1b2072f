// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the owner map: operations in any order, some of them without memory,
 * against an array with one entry for each block.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/rcupdate.h>
#include <stdlib.h>
#include <string.h>

#include "dm-chain-codec.h"
#include "dm-chain-owner.h"
#include "fuzz.h"

#define REGION	DM_CHAIN_REGION_BLOCKS
#define MOST	(5 * REGION)
#define PINS	4

/**
 * struct pair - the map and what it should hold
 * @node: pinned, NULL if not
 * @region: the first block of the region of each of @node
 */
struct pair {
	struct dm_chain_owner_map *map;
	u32 blocks;
	struct dm_chain_owner_node *node[PINS];
	u32 region[PINS];
	u8 model[MOST];
	u8 payload[DM_CHAIN_PAYLOAD];
};

/* A few layers, so that runs come together. */
static u8 take_entry(struct input *in)
{
	static const u8 entries[] = {
		0, 1, 2, DM_CHAIN_OWNER_ZERO, 1 | DM_CHAIN_OWNER_ZERO, 63, 126,
		DM_CHAIN_NOBODY,
	};

	return entries[take_below(in, ARRAY_SIZE(entries))];
}

/* Half of all ends lie where a region ends. */
static u32 take_block(struct input *in, u32 limit)
{
	u32 block = take_below(in, 2 * limit);

	if (block >= limit) {
		block -= limit;
		block -= block % REGION;
	}
	return block;
}

static PLAIN u32 model_run(const struct pair *p, u32 block, u32 max)
{
	u32 run;

	max = min(max, p->blocks - block);
	for (run = 1; run < max && p->model[block + run] == p->model[block]; run++)
		;
	return run;
}

static void check_lookup(const struct pair *p, u32 block, u32 max)
{
	u32 expected = model_run(p, block, max);
	u64 run = 0;
	u8 entry;

	rcu_read_lock();
	entry = dm_chain_owner_lookup(p->map, block, max, &run);
	rcu_read_unlock();
	must(entry == p->model[block], "block %u: %#x, not %#x", block, entry,
	     p->model[block]);
	must(run && run <= max, "block %u: a run of %llu, at most %u", block, run, max);
	must(run == expected || (run < expected && (block + run) % REGION == 0),
	     "block %u: a run of %llu, not %u", block, run, expected);
}

static PLAIN void check_states(struct pair *p, u32 block, u32 count, u8 id)
{
	enum dm_chain_state state, expected;
	u32 n;

	if (id == DM_CHAIN_ID_NOBODY)
		return;
	memset(p->payload, 0, sizeof(p->payload));
	rcu_read_lock();
	dm_chain_owner_states(p->map, block, count, id, p->payload);
	rcu_read_unlock();
	for (n = 0; n < DM_CHAIN_BLOCKS_PER_PAGE; n++) {
		u8 entry = n < count ? p->model[block + n] : DM_CHAIN_NOBODY;

		expected = DM_CHAIN_UNALLOCATED;
		if (dm_chain_owner_id(entry) == id)
			expected = entry & DM_CHAIN_OWNER_ZERO ? DM_CHAIN_ZERO : DM_CHAIN_DATA;
		state = dm_chain_state_get(p->payload, n);
		must(state == expected, "block %u: %u, not %u", block + n, state, expected);
	}
}

static void do_fill(struct input *in, struct pair *p)
{
	u32 block = take_block(in, p->blocks), end = block, stop, i;
	u32 count = 1 + take_block(in, p->blocks - block);
	u8 entry = take_entry(in);
	int err;

	err = dm_chain_owner_fill(p->map, block, count, entry, GFP_NOIO);
	must(!err || (err == -ENOMEM && shim_no_pages), "error %d", err);
	/* Region by region; none is filled behind the first that was not. */
	while (end < block + count) {
		stop = min(block + count, (end / REGION + 1) * REGION);
		if (err) {
			u64 run;

			for (i = end; i < stop; i++)
				if (dm_chain_owner_lookup(p->map, i, 1, &run) != entry)
					return;
		}
		memset(p->model + end, entry, stop - end);
		end = stop;
	}
}

static void do_overlay(struct input *in, struct pair *p)
{
	u32 block = take_block(in, p->blocks) / 8 * 8, n, from, run, nr;
	u32 count = min_t(u32, p->blocks - block, DM_CHAIN_BLOCKS_PER_PAGE);
	u8 id = take_below(in, 4);
	int err;

	count = 1 + take_below(in, count);
	memset(p->payload, 0, sizeof(p->payload));
	for (nr = take_below(in, 8); nr; nr--) {
		from = take_below(in, count);
		run = 1 + take_below(in, count - from);
		dm_chain_state_fill(p->payload, from, run, take_below(in, 3));
	}
	/* Without memory a part may be done, and the map is thrown away. */
	if (shim_no_pages)
		return;
	err = dm_chain_owner_overlay(p->map, block, count, id, p->payload, GFP_NOIO);
	must(!err, "error %d", err);
	for (n = 0; n < count; n++) {
		switch (dm_chain_state_get(p->payload, n)) {
		case DM_CHAIN_DATA:
			p->model[block + n] = id;
			break;
		case DM_CHAIN_ZERO:
			p->model[block + n] = id | DM_CHAIN_OWNER_ZERO;
			break;
		default:
			break;
		}
	}
}

static void do_pin(struct input *in, struct pair *p)
{
	u32 n = take_below(in, PINS), block = take_block(in, p->blocks);

	if (p->node[n]) {
		dm_chain_owner_unpin(p->node[n]);
		if (block % 2)
			dm_chain_owner_collapse(p->map, p->region[n]);
		p->node[n] = NULL;
		return;
	}
	p->node[n] = dm_chain_owner_pin(p->map, block, GFP_NOWAIT);
	must(p->node[n] || shim_no_pages, "no node");
	p->region[n] = block / REGION * REGION;
}

static void do_set(struct input *in, struct pair *p)
{
	u32 n = take_below(in, PINS), in_region, block, count;
	u8 entry = take_entry(in);

	if (!p->node[n])
		return;
	in_region = min(p->blocks - p->region[n], REGION);
	block = take_below(in, in_region);
	count = 1 + take_below(in, in_region - block);
	block += p->region[n];
	dm_chain_owner_set(p->node[n], block, count, entry);
	memset(p->model + block, entry, count);
}

static void do_move(struct input *in, struct pair *p)
{
	u32 n = take_below(in, PINS), block = take_below(in, REGION);
	u8 old = take_entry(in), entry = take_entry(in);
	bool moved;

	block += p->region[n];
	if (!p->node[n] || block >= p->blocks)
		return;
	moved = dm_chain_owner_move(p->node[n], block, old, entry);
	must(moved == (p->model[block] == old), "block %u: %u", block, moved);
	if (moved)
		p->model[block] = entry;
}

static void unpin_all(struct pair *p)
{
	u32 n;

	for (n = 0; n < PINS; n++) {
		if (p->node[n])
			dm_chain_owner_unpin(p->node[n]);
		p->node[n] = NULL;
	}
}

/* The chain has grown: a larger map takes over what there is. */
static void do_adopt(struct input *in, struct pair *p)
{
	u32 blocks = p->blocks + take_below(in, MOST - p->blocks + 1), start = p->blocks;
	struct dm_chain_owner_map *map;
	u64 run;

	unpin_all(p);
	map = dm_chain_owner_create(blocks);
	must(map, "no memory");
	dm_chain_owner_adopt(map, p->map);
	must(dm_chain_owner_lookup(p->map, 0, 1, &run) == DM_CHAIN_NOBODY, "it is left behind");
	dm_chain_owner_destroy(p->map);
	p->map = map;
	p->blocks = blocks;
	/* What the old end's region says beyond is not promised: the caller clips. */
	if (start < blocks) {
		shim_no_pages = false;
		must(!dm_chain_owner_fill(map, start, blocks - start, DM_CHAIN_NOBODY,
					  GFP_KERNEL), "no memory");
	}
}

static void check_all(struct pair *p)
{
	u32 regions = DIV_ROUND_UP(p->blocks, REGION), block, run, n, mixed = 0;
	u64 empty, memory;

	shim_no_pages = false;
	for (block = 0; block < p->blocks; block += run) {
		run = model_run(p, block, p->blocks);
		check_lookup(p, block, p->blocks);
		check_lookup(p, block + run - 1, 1);
	}
	for (block = 0; block < p->blocks; block += DM_CHAIN_BLOCKS_PER_PAGE) {
		n = min_t(u32, p->blocks - block, DM_CHAIN_BLOCKS_PER_PAGE);
		check_states(p, block, n, dm_chain_owner_id(p->model[block]));
		check_states(p, block, n, dm_chain_owner_id(p->model[block + n - 1]));
	}

	/* Memory follows fragmentation. */
	unpin_all(p);
	for (n = 0; n < regions; n++) {
		dm_chain_owner_collapse(p->map, n * REGION);
		mixed += model_run(p, n * REGION, REGION) <
			 min(p->blocks - n * REGION, REGION);
	}
	memory = dm_chain_owner_memory(p->map);
	must(!dm_chain_owner_fill(p->map, 0, p->blocks, 5, GFP_KERNEL), "no memory");
	empty = dm_chain_owner_memory(p->map);
	must(memory - empty >= mixed * 4096ULL && memory - empty < mixed * 4200ULL + !mixed,
	     "%llu bytes for %u regions", memory - empty, mixed);
}

void fuzz_one(struct input *in)
{
	static struct pair p;
	u32 block;

	shim_no_pages = false;
	p.blocks = 1 + take_block(in, MOST);
	p.map = dm_chain_owner_create(p.blocks);
	must(p.map && dm_chain_owner_blocks(p.map) == p.blocks, "no map");
	memset(p.model, DM_CHAIN_NOBODY, sizeof(p.model));
	while (in->left) {
		u8 what = take(in, 1);

		shim_no_pages = what & 0x80;
		switch (what % 9) {
		case 0:
			do_fill(in, &p);
			break;
		case 1:
			do_overlay(in, &p);
			break;
		case 2:
			do_pin(in, &p);
			break;
		case 3:
		case 4:
			do_set(in, &p);
			break;
		case 5:
			do_move(in, &p);
			break;
		case 6:
			dm_chain_owner_collapse(p.map, take_block(in, p.blocks));
			break;
		case 7:
			block = take_block(in, p.blocks);
			check_lookup(&p, block, 1 + take_below(in, MOST));
			break;
		default:
			do_adopt(in, &p);
			break;
		}
	}
	check_all(&p);
	dm_chain_owner_destroy(p.map);
	rcu_barrier();
}
