/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: the owner map. Which layer holds a block, and how far does the run
 * go, in constant time whatever the length of the chain.
 *
 * Two levels. A region of DM_CHAIN_REGION_BLOCKS blocks is either wholly owned
 * (one tagged word in the table) or has a node: an array with one byte for
 * each block. So memory follows fragmentation: 8 bytes for a region, one page
 * and a header more for a region that is mixed.
 *
 * An entry is a layer id and a zero bit. Ids are stable: they name a slot of
 * the chain, not a position, so that dropping or adding layers rewrites
 * nothing.
 *
 * Concurrency
 *	Readers (dm_chain_owner_lookup) take no lock; they run under RCU.
 *	Writers pin the node of a region first (dm_chain_owner_pin, the only
 *	one that allocates) and change entries afterwards, from any context.
 *	A node that anybody has pinned is never replaced; an unpinned one whose
 *	entries are all equal may be collapsed into a tagged word at any time,
 *	and is freed by RCU.
 *	Who may change which entry is not decided here but by the range locks:
 *	dm_chain_owner_set() overwrites, dm_chain_owner_move() compares and
 *	exchanges.
 */
#ifndef DM_CHAIN_OWNER_H
#define DM_CHAIN_OWNER_H

#include <linux/types.h>

#define DM_CHAIN_REGION_SHIFT	12
#define DM_CHAIN_REGION_BLOCKS	(1U << DM_CHAIN_REGION_SHIFT)

#define DM_CHAIN_OWNER_ZERO	0x80	/* reads as zeros */
#define DM_CHAIN_OWNER_ID	0x7f
#define DM_CHAIN_ID_NOBODY	127
#define DM_CHAIN_NOBODY		(DM_CHAIN_ID_NOBODY | DM_CHAIN_OWNER_ZERO)

struct dm_chain_owner_map;
struct dm_chain_owner_node;

static inline unsigned int dm_chain_owner_id(u8 entry)
{
	return entry & DM_CHAIN_OWNER_ID;
}

/**
 * dm_chain_owner_create() - a map in which nobody owns anything
 * @blocks: size
 *
 * Context: process, may sleep (GFP_KERNEL, so call under memalloc_noio).
 * Return: the map or NULL.
 */
struct dm_chain_owner_map *dm_chain_owner_create(u64 blocks);

/*
 * Nodes that were collapsed before may still wait for RCU: a module calls
 * rcu_barrier() behind its last map.
 *
 * Context: process; nobody uses the map any more. NULL is fine.
 */
void dm_chain_owner_destroy(struct dm_chain_owner_map *map);

/**
 * dm_chain_owner_adopt() - move everything into a larger map
 * @map: fresh from dm_chain_owner_create()
 * @from: the old map, not larger; nobody owns anything in it afterwards
 *
 * What @from's last region says beyond its end may show in @map: the caller
 * clips by the layers' limits.
 *
 * Context: any; nobody uses either map.
 */
void dm_chain_owner_adopt(struct dm_chain_owner_map *map,
			  struct dm_chain_owner_map *from);

u64 dm_chain_owner_blocks(const struct dm_chain_owner_map *map);

/**
 * dm_chain_owner_lookup() - who owns a block, and how far
 * @map: the map
 * @block: first block, below the map's size
 * @max: how many blocks the caller cares for, at least 1
 * @run: gets the number of blocks from @block on that share the entry, at
 *	least 1, at most @max; may stop short of a run's true end only at a
 *	region boundary where that saves time
 *
 * Context: any, in an RCU read-side section of any kind.
 * Return: the entry.
 */
u8 dm_chain_owner_lookup(const struct dm_chain_owner_map *map, u64 block,
			 u64 max, u64 *run);

/**
 * dm_chain_owner_states() - what one layer holds, as a map page says it
 * @map: the map
 * @block: first block, a multiple of 8 as the first of every map page is
 * @count: blocks, not passing the map's end
 * @id: the layer's
 * @payload: gets two bits for each block, all of them unallocated before
 *
 * Context: any, in an RCU read-side section of any kind.
 */
void dm_chain_owner_states(const struct dm_chain_owner_map *map, u64 block,
			   u32 count, u8 id, u8 *payload);

/**
 * dm_chain_owner_pin() - make a region's entries writable one by one
 * @map: the map
 * @block: any block of the region
 * @gfp: for the node, if there is none yet (order-0 page plus a small object)
 *
 * Context: any, as @gfp allows.
 * Return: the pinned node or NULL (no memory).
 */
struct dm_chain_owner_node *dm_chain_owner_pin(struct dm_chain_owner_map *map,
					       u64 block, gfp_t gfp);

/* Context: any. */
void dm_chain_owner_unpin(struct dm_chain_owner_node *node);

/**
 * dm_chain_owner_set() - give a run of blocks within one region to an owner
 * @node: pinned node of the region
 * @block: first block
 * @count: blocks, not passing the region's end
 * @entry: their new entry
 *
 * Context: any (completion handlers).
 */
void dm_chain_owner_set(struct dm_chain_owner_node *node, u64 block,
			u32 count, u8 entry);

/**
 * dm_chain_owner_move() - exchange the entry of one block if it is still @old
 * @node: pinned node of the region
 * @block: the block
 * @old: expected entry
 * @entry: new entry
 *
 * Context: any. Return: true if exchanged.
 */
bool dm_chain_owner_move(struct dm_chain_owner_node *node, u64 block,
			 u8 old, u8 entry);

/**
 * dm_chain_owner_fill() - give any run of blocks to an owner
 * @map: the map
 * @block: first block
 * @count: blocks, not passing the map's end
 * @entry: their new entry
 * @gfp: for nodes at both ends; whole regions without a node need none
 *
 * Regions that are covered whole and have no pinned node become one tagged
 * word. Not atomic over more than one block. Two fills or a fill and a set of
 * the same block need an outer lock; readers do not.
 *
 * Context: as @gfp allows. Return: 0 or -ENOMEM; what came before the region
 * that failed is filled then.
 */
int dm_chain_owner_fill(struct dm_chain_owner_map *map, u64 block, u64 count,
			u8 entry, gfp_t gfp);

/**
 * dm_chain_owner_overlay() - put what a map page says over the map
 * @map: the map; nobody else changes it or reads it
 * @block: first block, a multiple of 8 as the first of every map page is
 * @count: blocks, not passing the map's end
 * @id: the layer whose page it is; unallocated blocks keep their owner
 * @payload: two bits for each block
 * @gfp: for nodes
 *
 * Context: as @gfp allows. Return: 0 or -ENOMEM; a part is done then.
 */
int dm_chain_owner_overlay(struct dm_chain_owner_map *map, u64 block, u32 count,
			   u8 id, const u8 *payload, gfp_t gfp);

/**
 * dm_chain_owner_collapse() - turn an even node back into a tagged word
 * @map: the map
 * @block: any block of the region
 *
 * Does nothing if the region has no node, a pinned one or a mixed one.
 * Context: any.
 */
void dm_chain_owner_collapse(struct dm_chain_owner_map *map, u64 block);

/* Memory that the map takes, bytes. Context: any. */
u64 dm_chain_owner_memory(const struct dm_chain_owner_map *map);

#endif
