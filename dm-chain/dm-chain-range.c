// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: locks on ranges of blocks.
 *
 * A bucket's tree has the held ranges and the waiting ones alike. A range that
 * comes counts the conflicting ranges it finds; one that goes takes itself off
 * the counts of those that conflict with it. The latter are all younger: an
 * older one that waited would have kept this one from being held. So no order
 * has to be recorded, and an unlock looks only at ranges that overlap.
 *
 * The commonest range by far, a shared one that finds no exclusive range in its
 * bucket, is not put into the tree: it is one of a number, and an exclusive
 * range that comes then waits for all of that number as for one more range in
 * its way. From there on shared ranges go into the tree, so the number falls.
 *
 * So a copy, a merge or a discard may wait for the first write of another block
 * near it, and as long as that hangs in the device. It would wait as well if it
 * had come to that block; no write waits for more than before; and every first
 * write is spared a tree that all CPUs write to.
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
	spinlock_t lock;	/* of all below, and of the counts in the tree */
	unsigned int counted;	/* shared ranges that are held, not in the tree */
	unsigned int exclusive;	/* ranges in the tree that are exclusive */
	struct rb_root_cached root;
	struct list_head draining;	/* those of them that wait for @counted */
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
		locks->bucket[i].counted = 0;
		locks->bucket[i].exclusive = 0;
		locks->bucket[i].root = RB_ROOT_CACHED;
		INIT_LIST_HEAD(&locks->bucket[i].draining);
	}
	return locks;
}

void dm_chain_range_locks_destroy(struct dm_chain_range_locks *locks)
{
	kvfree(locks);
}

static void bucket_insert(struct bucket *b, struct dm_chain_range *r)
{
	r->counted = false;
	r->granted = !r->blockers;
	b->exclusive += r->exclusive;
	range_tree_insert(&r->node, &b->root);
}

/* Out of line, as is its like below: the common case is short without it. */
static noinline bool bucket_trylock(struct bucket *b, struct dm_chain_range *r)
{
	struct dm_chain_range *other;

	if (r->exclusive && b->counted)
		return false;
	for (other = overlap_first(b, r); other; other = overlap_next(other, r))
		if (ranges_conflict(r, other))
			return false;
	bucket_insert(b, r);
	return true;
}

bool dm_chain_range_trylock(struct dm_chain_range_locks *locks,
			    struct dm_chain_range *r)
{
	struct bucket *b = range_bucket(locks, r);
	unsigned long flags;
	bool held = true;

	spin_lock_irqsave(&b->lock, flags);
	if (!r->exclusive && !b->exclusive) {
		b->counted++;
		r->counted = true;
		r->granted = true;
	} else {
		held = bucket_trylock(b, r);
	}
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
	if (r->exclusive && b->counted) {
		r->blockers++;
		list_add_tail(&r->list, &b->draining);
	}
	bucket_insert(b, r);
	held = r->granted;
	spin_unlock_irqrestore(&b->lock, flags);
	return held;
}

/* Whoever waited for the number that is none now has one less to wait for. */
static void bucket_drained(struct bucket *b, struct list_head *granted)
{
	struct dm_chain_range *r;

	while (!list_empty(&b->draining)) {
		r = list_first_entry(&b->draining, struct dm_chain_range, list);
		list_del_init(&r->list);
		if (!--r->blockers)
			list_add_tail(&r->list, granted);
	}
}

static void bucket_remove(struct bucket *b, struct dm_chain_range *r,
			  struct list_head *granted)
{
	struct dm_chain_range *other;

	range_tree_remove(&r->node, &b->root);
	b->exclusive -= r->exclusive;
	for (other = overlap_first(b, r); other; other = overlap_next(other, r)) {
		if (!ranges_conflict(r, other) || --other->blockers)
			continue;
		list_add_tail(&other->list, granted);
	}
}

/* The bucket is locked, and unlocked before the grants. */
static noinline void bucket_unlock(struct bucket *b, struct dm_chain_range *r,
				   unsigned long flags)
	__releases(&b->lock)
{
	struct dm_chain_range *other;
	LIST_HEAD(granted);

	if (r->counted)
		bucket_drained(b, &granted);
	else
		bucket_remove(b, r, &granted);
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

void dm_chain_range_unlock(struct dm_chain_range_locks *locks,
			   struct dm_chain_range *r)
{
	struct bucket *b = range_bucket(locks, r);
	unsigned long flags;

	spin_lock_irqsave(&b->lock, flags);
	WARN_ON_ONCE(!r->granted);
	r->granted = false;
	if (r->counted && (--b->counted || !b->exclusive))
		spin_unlock_irqrestore(&b->lock, flags);
	else
		bucket_unlock(b, r, flags);
}
