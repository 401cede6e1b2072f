// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: locks on ranges of blocks.
 *
 * A bucket's tree has the held ranges and the waiting ones alike. A range that
 * comes counts the conflicting ranges it finds; one that goes takes itself off
 * the counts of those that conflict with it. The latter are all younger: an
 * older one that waited would have kept this one from being held. So no order
 * has to be recorded, and an unlock looks only at ranges that overlap.
 */
#include <linux/bug.h>
#include <linux/cache.h>
#include <linux/hash.h>
#include <linux/interval_tree_generic.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "dm-chain-owner.h"
#include "dm-chain-range.h"

#define BUCKET_BITS	6

struct bucket {
	spinlock_t lock;	/* of the tree and of the counts in it */
	struct rb_root_cached root;
} ____cacheline_aligned_in_smp;

struct dm_chain_range_locks {
	struct bucket bucket[1 << BUCKET_BITS];
};

#define NODE_START(n)	((n)->start)
#define NODE_LAST(n)	((n)->last)

INTERVAL_TREE_DEFINE(struct dm_chain_range_node, rb, u64, subtree_last,
		     NODE_START, NODE_LAST, static, range_tree)

static struct bucket *range_bucket(struct dm_chain_range_locks *locks,
				   const struct dm_chain_range *r)
{
	u64 region = r->node.start >> DM_CHAIN_REGION_SHIFT;

	return &locks->bucket[hash_64(region, BUCKET_BITS)];
}

static struct dm_chain_range *range_of(struct dm_chain_range_node *node)
{
	return container_of(node, struct dm_chain_range, node);
}

static bool ranges_conflict(const struct dm_chain_range *a,
			    const struct dm_chain_range *b)
{
	return a->exclusive || b->exclusive;
}

static struct dm_chain_range *overlap_first(struct bucket *b,
					    const struct dm_chain_range *r)
{
	struct dm_chain_range_node *n;

	n = range_tree_iter_first(&b->root, r->node.start, r->node.last);
	return n ? range_of(n) : NULL;
}

static struct dm_chain_range *overlap_next(struct dm_chain_range *other,
					   const struct dm_chain_range *r)
{
	struct dm_chain_range_node *n;

	n = range_tree_iter_next(&other->node, r->node.start, r->node.last);
	return n ? range_of(n) : NULL;
}

struct dm_chain_range_locks *dm_chain_range_locks_create(void)
{
	struct dm_chain_range_locks *locks;
	unsigned int i;

	locks = kvmalloc(sizeof(*locks), GFP_KERNEL);
	if (!locks)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(locks->bucket); i++) {
		spin_lock_init(&locks->bucket[i].lock);
		locks->bucket[i].root = RB_ROOT_CACHED;
	}
	return locks;
}

void dm_chain_range_locks_destroy(struct dm_chain_range_locks *locks)
{
	kvfree(locks);
}

void dm_chain_range_init(struct dm_chain_range *r, u64 first, u64 last,
			 bool exclusive,
			 void (*grant)(struct dm_chain_range *r))
{
	WARN_ON_ONCE(first > last || first >> DM_CHAIN_REGION_SHIFT !=
				     last >> DM_CHAIN_REGION_SHIFT);
	RB_CLEAR_NODE(&r->node.rb);
	r->node.start = first;
	r->node.last = last;
	INIT_LIST_HEAD(&r->list);
	r->blockers = 0;
	r->exclusive = exclusive;
	r->granted = false;
	r->grant = grant;
}

bool dm_chain_range_trylock(struct dm_chain_range_locks *locks,
			    struct dm_chain_range *r)
{
	struct bucket *b = range_bucket(locks, r);
	struct dm_chain_range *other;
	unsigned long flags;
	bool held = false;

	spin_lock_irqsave(&b->lock, flags);
	for (other = overlap_first(b, r); other; other = overlap_next(other, r))
		if (ranges_conflict(r, other))
			goto out;
	r->granted = true;
	range_tree_insert(&r->node, &b->root);
	held = true;
out:
	spin_unlock_irqrestore(&b->lock, flags);
	return held;
}

bool dm_chain_range_lock(struct dm_chain_range_locks *locks,
			 struct dm_chain_range *r)
{
	struct bucket *b = range_bucket(locks, r);
	struct dm_chain_range *other;
	unsigned long flags;
	bool held;

	spin_lock_irqsave(&b->lock, flags);
	for (other = overlap_first(b, r); other; other = overlap_next(other, r))
		r->blockers += ranges_conflict(r, other);
	held = !r->blockers;
	r->granted = held;
	range_tree_insert(&r->node, &b->root);
	spin_unlock_irqrestore(&b->lock, flags);
	return held;
}

void dm_chain_range_unlock(struct dm_chain_range_locks *locks,
			   struct dm_chain_range *r)
{
	struct bucket *b = range_bucket(locks, r);
	struct dm_chain_range *other;
	unsigned long flags;
	LIST_HEAD(granted);

	spin_lock_irqsave(&b->lock, flags);
	WARN_ON_ONCE(!r->granted);
	range_tree_remove(&r->node, &b->root);
	r->granted = false;
	for (other = overlap_first(b, r); other; other = overlap_next(other, r)) {
		if (!ranges_conflict(r, other) || --other->blockers)
			continue;
		list_add_tail(&other->list, &granted);
	}
	spin_unlock_irqrestore(&b->lock, flags);

	/*
	 * Once it is marked granted, its owner may unlock a range and use it
	 * again: it is off the list by then.
	 */
	while (!list_empty(&granted)) {
		other = list_first_entry(&granted, struct dm_chain_range, list);
		list_del_init(&other->list);
		/* Pairs with smp_load_acquire() of an owner that looks early. */
		smp_store_release(&other->granted, true);
		other->grant(other);
	}
}
