// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: guest reads populate the active layer ("copy_on_read").
 *
 * A read of a layer below that has completed leaves a note which blocks it was,
 * and that is all it has to do with the rest: a few copiers take these notes up
 * on a workqueue of their own and read the blocks again. The guest's pages are
 * no source, because they are the guest's again once the read has completed, and
 * the read may have been of a part of a block.
 *
 * All of it is a favour. What does not fit into the list is forgotten, as is
 * what fails; the next read of the block is another chance. The first failure
 * since a resume is logged, and their number at the next suspend. Only a device
 * without room ends all copying until the next resume: a pool that is full has
 * better things to do.
 *
 * A copier works as a job's unit does (dm-chain-unit.c): the range exclusive, an
 * epoch, the owner looked up under both, memory taken, data written, and only
 * then is the block the active layer's. The view stays the same, so neither the
 * content generation nor the mark that the layer has an overlay changes; commits
 * clear the flag `clean` themselves.
 *
 * It belongs to the table, and copies from its resume to its suspend. Memory: a
 * buffer for each copier, of 128 KiB or a block if that is more.
 */
#include <linux/bitmap.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "dm-chain.h"
#include "dm-chain-readcopy.h"
#include "dm-chain-trace.h"

#define READCOPY_COPIERS	4
#define READCOPY_BYTES		SZ_128K
/* Runs of blocks that wait to be copied. */
#define READCOPY_WANTED		32

struct readcopy_want {
	u64 first;
	u64 end;
};

/**
 * struct readcopy_copier - copies one run of blocks after the other
 * @rc: whose it is
 * @busy: at work, or queued (rc->lock)
 * @held: @range is held or waited for
 * @block: first block of the run in hand
 * @count: blocks, all in one region
 * @range: over them
 * @node: of their region, pinned once there is something to write
 * @buf: memory
 * @work: on rc->wq
 */
struct readcopy_copier {
	struct dm_chain_readcopy *rc;
	bool busy;
	bool held;
	u64 block;
	u32 count;
	struct dm_chain_range range;
	struct dm_chain_owner_node *node;
	struct dm_chain_buf *buf;
	struct work_struct work;
};

/**
 * struct dm_chain_readcopy - copy on read of one table
 * @chain: its view
 * @from: ids of the layers that may be copied from. What leaves the chain owns
 *	nothing any more, so this holds while the table is live
 * @lock: spinlock, irqsave; see "Locking" in dm-chain.h
 * @stopped: nothing is begun
 * @full: the active layer's device had no room
 * @nr_wanted: entries in @want
 * @nr_busy: copiers that are
 * @want: what waits, oldest first
 * @failures: copies that failed since the last resume
 * @idle: woken when the last copier stops
 * @wq: for the copiers only: no guest waits for it
 * @copier: the copiers
 */
struct dm_chain_readcopy {
	struct dm_chain *chain;
	DECLARE_BITMAP(from, DM_CHAIN_ID_NOBODY + 1);

	/* The list of what is wanted, and which copiers are busy. */
	spinlock_t lock;
	bool stopped;
	bool full;
	unsigned int nr_wanted;
	unsigned int nr_busy;
	struct readcopy_want want[READCOPY_WANTED];
	atomic64_t failures;
	wait_queue_head_t idle;
	struct workqueue_struct *wq;
	struct readcopy_copier copier[READCOPY_COPIERS];
};

/* Is what this entry of the owner map stands for to be copied? */
static bool readcopy_takes(const struct dm_chain_readcopy *rc, u8 entry)
{
	return !(entry & DM_CHAIN_OWNER_ZERO) && test_bit(entry, rc->from);
}

static u8 readcopy_owner(const struct dm_chain_readcopy *rc, u64 block, u64 max,
			 u64 *run)
{
	u8 entry;

	rcu_read_lock();
	entry = dm_chain_owner_lookup(rc->chain->map, block, max, run);
	rcu_read_unlock();
	return entry;
}

/* ---- what waits to be copied; rc->lock is held ---- */

static bool want_add(struct dm_chain_readcopy *rc, u64 first, u64 end)
{
	struct readcopy_want *w;

	for (w = rc->want; w < rc->want + rc->nr_wanted; w++) {
		if (first > w->end || end < w->first)
			continue;
		w->first = min(w->first, first);
		w->end = max(w->end, end);
		return true;
	}
	if (rc->nr_wanted == READCOPY_WANTED)
		return false;
	w->first = first;
	w->end = end;
	rc->nr_wanted++;
	return true;
}

/* As much of the oldest as a copier takes at once. Return: false if none is. */
static bool want_take(struct readcopy_copier *c)
{
	struct dm_chain_readcopy *rc = c->rc;
	struct readcopy_want *w = rc->want;
	u64 region_end, end;

	if (!rc->nr_wanted)
		return false;
	region_end = (w->first | (DM_CHAIN_REGION_BLOCKS - 1)) + 1;
	end = w->first + max_t(u32, 1, READCOPY_BYTES /
			       dm_chain_block_size(rc->chain));
	end = min3(w->end, end, region_end);
	c->block = w->first;
	c->count = end - w->first;
	w->first = end;
	if (end == w->end)
		memmove(w, w + 1, --rc->nr_wanted * sizeof(*w));
	return true;
}

/* ---- one run of blocks ---- */

/* Only the first says so: a broken device would fill the log. */
static void copy_failed(struct dm_chain_readcopy *rc, const char *what, u8 id,
			u64 block, int error)
{
	struct dm_chain *chain = rc->chain;

	if (atomic64_inc_return(&rc->failures) == 1)
		DMWARN("%s: copy on read: layer %s cannot be %s at sector %llu: error %d",
		       dm_device_name(chain->md), chain->slot[id].name, what,
		       block << chain->block_shift, error);
}

/* The last block may be partial. */
static sector_t blocks_end(const struct dm_chain *chain, u64 block, u32 count)
{
	return min_t(sector_t, (block + count) << chain->block_shift,
		     chain->size);
}

/* Read a run from the layer that holds it. An epoch is held. */
static int copy_read(struct readcopy_copier *c, u8 id, u64 block, u32 count)
{
	struct dm_chain *chain = c->rc->chain;
	const struct dm_chain_slot *slot = &chain->slot[id];
	size_t all = (size_t)count * dm_chain_block_size(chain), shown;
	sector_t start = block << chain->block_shift;
	sector_t end = min(blocks_end(chain, block, count),
			   dm_chain_slot_limit(slot));
	int r = 0;

	shown = end > start ? (end - start) << SECTOR_SHIFT : 0;
	if (shown)
		r = dm_chain_rw(&chain->job_bios, slot->bdev, REQ_OP_READ,
				slot->start + start, c->buf, 0, shown);
	if (r)
		copy_failed(c->rc, "read", id, block, r);
	else
		dm_chain_buf_zero(c->buf, shown, all - shown);
	return r;
}

static int copy_write(struct readcopy_copier *c, u32 n, u64 block, u32 count)
{
	struct dm_chain *chain = c->rc->chain;
	const struct dm_chain_slot *slot = &chain->slot[chain->active];
	sector_t start = block << chain->block_shift;
	size_t bytes = (blocks_end(chain, block, count) - start) << SECTOR_SHIFT;
	int r;

	r = dm_chain_rw(&chain->job_bios, slot->bdev, REQ_OP_WRITE,
			slot->start + start, c->buf,
			(size_t)n * dm_chain_block_size(chain), bytes);
	if (!r)
		return 0;
	copy_failed(c->rc, "written", chain->active, block, r);
	if (r == -ENOSPC) {
		WRITE_ONCE(c->rc->full, true);
		dm_chain_readcopy_stop(c->rc);
	}
	return r;
}

static bool copy_is_zero(struct readcopy_copier *c, u32 n)
{
	size_t bs = dm_chain_block_size(c->rc->chain);

	return dm_chain_buf_is_zero(c->buf, n * bs, bs);
}

/* Write what was read, but for blocks that are nothing but zeros. */
static int copy_out(struct readcopy_copier *c, u64 block, u32 count)
{
	struct dm_chain *chain = c->rc->chain;
	u32 n, next;
	int r;

	for (n = 0; n < count; n = next) {
		bool zero = copy_is_zero(c, n);
		u8 entry = chain->active;
		sector_t sector;

		next = n + 1;
		while (next < count && copy_is_zero(c, next) == zero)
			next++;
		if (zero) {
			entry |= DM_CHAIN_OWNER_ZERO;
		} else {
			r = copy_write(c, n, block + n, next - n);
			if (r)
				return r;
		}
		WRITE_ONCE(dm_chain_active(chain)->unversioned, true);
		dm_chain_own(dm_chain_active(chain), c->node, block + n,
			     next - n, entry);
		sector = (block + n) << chain->block_shift;
		trace_dm_chain_copy(chain, "-", &chain->slot[chain->active],
				    sector, blocks_end(chain, block + n, next - n) -
					    sector, zero);
	}
	return 0;
}

/*
 * The first blocks of a run, as far as one layer holds them, unless there is
 * nothing to copy. Return: how many were looked after, 0 after an error.
 */
static u64 copy_some(struct readcopy_copier *c, u64 block, u64 max)
{
	struct dm_chain_readcopy *rc = c->rc;
	struct dm_chain *chain = rc->chain;
	struct dm_chain_epoch *epoch = dm_chain_epoch_get(chain);
	bool takes;
	u8 entry;
	u64 run;
	int r = 0;

	entry = readcopy_owner(rc, block, max, &run);
	takes = readcopy_takes(rc, entry);
	if (takes) {
		/* Memory first: once the data is written nothing may fail. */
		if (!c->node)
			c->node = dm_chain_owner_pin(chain->map, block,
						     GFP_NOIO | __GFP_NORETRY |
						     __GFP_NOWARN);
		r = c->node ? copy_read(c, entry, block, run) : -ENOMEM;
	}
	dm_chain_epoch_put(epoch);
	if (takes && !r)
		r = copy_out(c, block, run);
	return r ? 0 : run;
}

static void copy_run(struct readcopy_copier *c)
{
	struct dm_chain_readcopy *rc = c->rc;
	struct dm_chain *chain = rc->chain;
	u64 block, end = c->block + c->count, done;

	for (block = c->block; block < end; block += done) {
		if (READ_ONCE(rc->stopped) ||
		    READ_ONCE(dm_chain_active(chain)->failed))
			break;
		done = copy_some(c, block, end - block);
		if (!done)
			break;
	}
	if (!c->node)
		return;
	dm_chain_owner_unpin(c->node);
	c->node = NULL;
	dm_chain_owner_collapse(chain->map, c->block);
}

/* ---- the copiers ---- */

static void copier_granted(struct dm_chain_range *range)
{
	struct readcopy_copier *c = container_of(range, struct readcopy_copier,
						 range);

	queue_work(c->rc->wq, &c->work);
}

/*
 * Take up the next run. Return: false if there is none, or its range is not free:
 * the grant queues the copier again, who may be at work already then.
 */
static bool copier_next(struct readcopy_copier *c)
{
	struct dm_chain_readcopy *rc = c->rc;
	bool found;

	spin_lock_irq(&rc->lock);
	found = want_take(c);
	if (!found) {
		c->busy = false;
		if (!--rc->nr_busy)
			wake_up_all(&rc->idle);
	}
	spin_unlock_irq(&rc->lock);
	if (!found)
		return false;

	dm_chain_range_init(&c->range, c->block, c->block + c->count - 1, true,
			    copier_granted);
	c->held = true;
	return dm_chain_range_lock(rc->chain->ranges, &c->range);
}

static void copier_work(struct work_struct *work)
{
	struct readcopy_copier *c = container_of(work, struct readcopy_copier,
						 work);

	while (c->held || copier_next(c)) {
		copy_run(c);
		c->held = false;
		dm_chain_range_unlock(c->rc->chain->ranges, &c->range);
	}
}

void dm_chain_readcopy_add(struct dm_chain_readcopy *rc, sector_t from,
			   sector_t to)
{
	unsigned int shift = rc->chain->block_shift, i;
	u64 first = from >> shift, end = ((to - 1) >> shift) + 1, run;
	unsigned long flags;

	if (READ_ONCE(rc->stopped) ||
	    !readcopy_takes(rc, readcopy_owner(rc, first, 1, &run)))
		return;

	spin_lock_irqsave(&rc->lock, flags);
	if (!rc->stopped && want_add(rc, first, end)) {
		for (i = 0; i < READCOPY_COPIERS; i++)
			if (!rc->copier[i].busy)
				break;
		if (i < READCOPY_COPIERS) {
			rc->copier[i].busy = true;
			rc->nr_busy++;
			queue_work(rc->wq, &rc->copier[i].work);
		}
	}
	spin_unlock_irqrestore(&rc->lock, flags);
}

/* ---- its life ---- */

void dm_chain_readcopy_go(struct dm_chain_readcopy *rc)
{
	if (!rc)
		return;
	spin_lock_irq(&rc->lock);
	rc->stopped = rc->full || !rc->chain->writable;
	spin_unlock_irq(&rc->lock);
}

void dm_chain_readcopy_stop(struct dm_chain_readcopy *rc)
{
	if (!rc)
		return;
	spin_lock_irq(&rc->lock);
	WRITE_ONCE(rc->stopped, true);
	rc->nr_wanted = 0;
	spin_unlock_irq(&rc->lock);
}

static bool readcopy_idle(struct dm_chain_readcopy *rc)
{
	bool idle;

	spin_lock_irq(&rc->lock);
	idle = !rc->nr_busy;
	spin_unlock_irq(&rc->lock);
	return idle;
}

void dm_chain_readcopy_wait(struct dm_chain_readcopy *rc)
{
	s64 failures;

	if (!rc)
		return;
	wait_event(rc->idle, readcopy_idle(rc));
	failures = atomic64_read(&rc->failures);
	if (failures > 1)
		DMWARN("%s: copy on read: %lld copies failed",
		       dm_device_name(rc->chain->md), failures);
}

unsigned int dm_chain_readcopy_bottom(const struct dm_chain_table *t)
{
	unsigned int i = t->copy_bottom;

	/* A job's top is above what it drops, and stays. */
	while (t->entry[i].dropped)
		i++;
	return i;
}

void dm_chain_readcopy_bind(struct dm_chain_table *t)
{
	struct dm_chain_readcopy *rc = t->readcopy;
	struct dm_chain *chain = t->chain;
	const struct dm_chain_layer *bottom;
	unsigned int i;

	lockdep_assert_held(&chain->lock);
	if (!rc)
		return;
	rc->full = false;
	atomic64_set(&rc->failures, 0);
	bitmap_zero(rc->from, DM_CHAIN_ID_NOBODY + 1);
	bottom = t->entry[dm_chain_readcopy_bottom(t)].layer;
	for (i = chain->nr - 1; i; i--) {
		if (chain->slot[chain->order[i]].layer == bottom)
			break;
		__set_bit(chain->order[i - 1], rc->from);
	}
}

void dm_chain_readcopy_destroy(struct dm_chain_readcopy *rc)
{
	unsigned int i;

	if (!rc)
		return;
	if (rc->wq)
		destroy_workqueue(rc->wq);
	for (i = 0; i < READCOPY_COPIERS; i++)
		dm_chain_buf_free(rc->copier[i].buf);
	kfree(rc);
}

struct dm_chain_readcopy *dm_chain_readcopy_create(struct dm_chain *chain)
{
	size_t bytes = max_t(size_t, READCOPY_BYTES, dm_chain_block_size(chain));
	struct dm_chain_readcopy *rc = kzalloc(sizeof(*rc), GFP_KERNEL);
	unsigned int i;

	if (!rc)
		return NULL;
	rc->chain = chain;
	rc->stopped = true;
	spin_lock_init(&rc->lock);
	init_waitqueue_head(&rc->idle);
	for (i = 0; i < READCOPY_COPIERS; i++) {
		struct readcopy_copier *c = &rc->copier[i];

		c->rc = rc;
		INIT_WORK(&c->work, copier_work);
		c->buf = dm_chain_buf_alloc(bytes, GFP_KERNEL);
		if (!c->buf)
			goto bad;
	}
	rc->wq = alloc_workqueue("dm-chain-copy/%s", WQ_MEM_RECLAIM | WQ_UNBOUND,
				 0, dm_device_name(chain->md));
	if (rc->wq)
		return rc;
bad:
	dm_chain_readcopy_destroy(rc);
	return NULL;
}
