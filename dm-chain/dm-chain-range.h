/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: locks on ranges of blocks.
 *
 * A shared range excludes exclusive ones that overlap it, an exclusive range
 * excludes every range that overlaps it. Whoever came first goes first: a
 * range waits for each earlier one that conflicts with it, whether that is
 * held or waits itself, so nobody starves. Ranges that do not conflict do not
 * wait for each other, with one exception: an exclusive range may also wait for
 * shared ones that dm_chain_range_trylock() took before in the same region, or
 * in another that comes to the same lock, though they do not overlap.
 */
#ifndef DM_CHAIN_RANGE_H
#define DM_CHAIN_RANGE_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

struct dm_chain_range_locks;

/* Blocks are 64 bits wide on 32-bit machines too, unlike interval_tree_node. */
struct dm_chain_range_node {
	struct rb_node rb;
	u64 start;		/* first block */
	u64 last;		/* last block, inclusive */
	u64 subtree_last;
};

/**
 * struct dm_chain_range - a range of blocks that is held or waited for
 * @node: the range, in the tree of its bucket while held or waiting
 * @list: among those that one unlock granted, or that wait for counted ones
 * @blockers: earlier ranges in the way; changes under the bucket's lock
 * @exclusive: excludes shared ranges too
 * @counted: held, and not in the tree
 * @granted: held. Set right before @grant is called; an owner that may look
 *	earlier does so with smp_load_acquire(), and keeps the range's memory
 *	until @grant has returned
 * @grant: see dm_chain_range_lock(); NULL if only dm_chain_range_trylock() is used
 *
 * Its memory belongs to the caller and must stay until it is unlocked.
 */
struct dm_chain_range {
	struct dm_chain_range_node node;
	struct list_head list;
	unsigned int blockers;
	bool exclusive;
	bool counted;
	bool granted;
	void (*grant)(struct dm_chain_range *r);
};

/* Context: process, GFP_KERNEL. Return: the locks, none held, or NULL. */
struct dm_chain_range_locks *dm_chain_range_locks_create(void);

/* Context: process; no range is held or waits. NULL is fine. */
void dm_chain_range_locks_destroy(struct dm_chain_range_locks *locks);

/**
 * dm_chain_range_init() - prepare a range
 * @r: the range, neither held nor waiting
 * @first: first block
 * @last: last block, inclusive, in the same region (DM_CHAIN_REGION_BLOCKS)
 * @exclusive: excludes everybody else
 * @grant: called when a range that had to wait is held
 */
static inline void dm_chain_range_init(struct dm_chain_range *r, u64 first,
				       u64 last, bool exclusive,
				       void (*grant)(struct dm_chain_range *r))
{
	r->node.start = first;
	r->node.last = last;
	r->blockers = 0;
	r->exclusive = exclusive;
	r->granted = false;
	r->grant = grant;
}

/**
 * dm_chain_range_trylock() - lock a range if nobody is in the way
 * @locks: the chain's locks
 * @r: the range
 *
 * Somebody who waits for a conflicting range is in the way too.
 *
 * Context: any. Return: true if @r is held now; false if it is neither held
 * nor waiting.
 */
bool dm_chain_range_trylock(struct dm_chain_range_locks *locks,
			    struct dm_chain_range *r);

/**
 * dm_chain_range_lock() - lock a range or wait in line for it
 * @locks: the chain's locks
 * @r: the range, with a grant function
 *
 * Context: any. Return: true if @r is held now and @r->grant is not called;
 * false if it waits. Then @r->grant(@r) is called exactly once, when it is
 * held, possibly before this function returns: by whoever unlocks the last
 * range in the way, in any context (interrupts may be off), without a lock of
 * @locks. It may unlock @r.
 */
bool dm_chain_range_lock(struct dm_chain_range_locks *locks,
			 struct dm_chain_range *r);

/**
 * dm_chain_range_unlock() - release a range and grant those that waited for it
 * @locks: the chain's locks
 * @r: the range, held
 *
 * Those that have nothing earlier in their way any more are granted, in the
 * order of their first blocks.
 *
 * Context: any.
 */
void dm_chain_range_unlock(struct dm_chain_range_locks *locks,
			   struct dm_chain_range *r);

#endif
