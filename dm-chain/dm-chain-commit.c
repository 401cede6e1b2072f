// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: commits.
 *
 * What a commit promises
 *	Everything that had completed when it began is durable when it returns:
 *	first the data, then the map pages that name it. The order inside is
 *
 *	1. take dirty pages and their content		(core)
 *	2. flush the data device
 *	3. write the pages, each to the slot that does not hold the last
 *	   durable one; a page never written before to both
 *	   (1 to 3 again until no dirty page is left that was when it began)
 *	4. flush the metadata device
 *	5. name new pages in the directory, flush again
 *	6. slots change hands					(core)
 *
 *	4 is the flush that goes before the write of 5 if there are new pages.
 *	If 3 is one page that is not new, 2 and 4 are asked for by its write.
 *
 * Why it is safe
 *	1 before 2: a block that became `data` after its page was taken is not in
 *	what 3 writes, so nothing is named that 2 did not flush.
 *	Power cut in 3: at most one slot of a page is torn or new; the other is
 *	the last durable one, and no flush was acknowledged for the newer. A new
 *	page is not named yet, so whatever lies there is not read.
 *	Power cut in 5: the directory has two slots as well.
 *	Failure anywhere: slots have not changed hands, so the next commit writes
 *	to the same ones again and the last durable ones are untouched.
 *
 * A page has a dirty bit and a committing bit. Who changes a state sets dirty
 * afterwards; the commit sets committing, clears dirty and then reads the
 * states. So a page with neither bit is durable, and a FUA write need only look
 * at the bits, a flush at the number of them, layer->uncommitted.
 *
 * A block that a write makes `data` goes the other way round: its page is dirty
 * first and the owner changes then, because a write to other sectors of the
 * block needs no lock once the owner is seen, and must not be acknowledged as
 * durable before the page is. Both steps are under layer->change_lock, through
 * which a commit passes after it has cleared dirty and before it reads the
 * states: if a page that it takes was marked for an owner that is still to
 * change, it waits for that. So whoever sees the owner and asks afterwards, and
 * whoever was told of a write, finds the page dirty or in a commit that has it,
 * or durable, without a lock.
 *
 * That number is never too small: a page is counted, under change_lock, before
 * an owner in it changes; it is counted off when its commit is durable, or, as
 * it goes from a commit that failed back to the dirty ones, if it is one of them
 * already, under the lock again.
 *
 * A block that becomes `zero` needs none of this: a write to it waits for the
 * range lock, which is held until the page is dirty.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/slab.h>

#include "dm-chain.h"
#include "dm-chain-trace.h"

/*
 * A page's blocks in 63 parts: what changed in the page that a commit still has
 * in its first buffer, so that the next one looks only at that.
 */
#define PART_SHIFT	8
#define PART_BLOCKS	(1U << PART_SHIFT)
#define PART_BYTES	(PART_BLOCKS / 4)
#define ALL_PARTS	GENMASK_ULL(DM_CHAIN_BLOCKS_PER_PAGE / PART_BLOCKS - 1, 0)

static_assert(DM_CHAIN_BLOCKS_PER_PAGE % PART_BLOCKS == 0);
static_assert(DM_CHAIN_REGION_BLOCKS % PART_BLOCKS == 0);

static void dm_chain_pages_of(u64 block, u64 count, u32 *first, u32 *last)
{
	u32 rest;

	*first = div_u64_rem(block, DM_CHAIN_BLOCKS_PER_PAGE, &rest);
	*last = *first;
	if (count > DM_CHAIN_BLOCKS_PER_PAGE - rest)
		*last += div_u64(rest + count - 1, DM_CHAIN_BLOCKS_PER_PAGE);
}

/* Return: true if a page was not dirty before. */
static inline bool dm_chain_set_dirty(struct dm_chain_layer *layer, u64 block,
				      u64 count)
{
	bool fresh = false;
	u32 page, first;

	lockdep_assert_held(&layer->change_lock);
	page = div_u64_rem(block, DM_CHAIN_BLOCKS_PER_PAGE, &first);
	for (; count; page++, first = 0) {
		u32 n = min_t(u64, count, DM_CHAIN_BLOCKS_PER_PAGE - first);

		count -= n;
		if (page == layer->kept_page)
			layer->kept_parts |= GENMASK_ULL((first + n - 1) >> PART_SHIFT,
							 first >> PART_SHIFT);
		/*
		 * A full barrier: states that changed before are in core before
		 * the page is dirty. Pairs with dm_chain_pageset_del() in
		 * dm_chain_take().
		 */
		if (!dm_chain_pageset_add(&layer->dirty, page))
			continue;
		atomic_inc(&layer->uncommitted);
		fresh = true;
	}
	return fresh;
}

static void dm_chain_count_change(struct dm_chain_layer *layer)
{
	/*
	 * A constructor that reads the count first and states then finds new
	 * states or, at its resume, another count. Pairs with smp_rmb() in
	 * dm_chain_changes().
	 */
	smp_mb__before_atomic();
	atomic_long_inc(&layer->changes);
}

static void dm_chain_start_timer(struct dm_chain_layer *layer)
{
	if (layer->owner)
		queue_delayed_work(layer->owner->commit_wq,
				   &layer->owner->timed_work, HZ);
}

void dm_chain_mark_dirty(struct dm_chain_layer *layer, u64 block, u64 count)
{
	unsigned long flags;
	bool fresh;

	dm_chain_count_change(layer);
	spin_lock_irqsave(&layer->change_lock, flags);
	fresh = dm_chain_set_dirty(layer, block, count);
	spin_unlock_irqrestore(&layer->change_lock, flags);
	if (fresh)
		dm_chain_start_timer(layer);
}

void dm_chain_own(struct dm_chain_layer *layer,
		  struct dm_chain_owner_node *node, u64 block, u32 count,
		  u8 entry)
{
	unsigned long flags;
	bool fresh;

	spin_lock_irqsave(&layer->change_lock, flags);
	fresh = dm_chain_set_dirty(layer, block, count);
	/* Its barrier pairs with smp_rmb() in dm_chain_any_uncommitted(). */
	dm_chain_owner_set(node, block, count, entry);
	spin_unlock_irqrestore(&layer->change_lock, flags);
	dm_chain_count_change(layer);
	if (fresh)
		dm_chain_start_timer(layer);
}

/*
 * Whoever has marked a page for an owner has changed that when this returns.
 * @page is about to go into the commit's first buffer. Return: those of its
 * parts that may differ from what is there.
 */
static u64 dm_chain_keep_page(struct dm_chain_layer *layer, u32 page)
{
	unsigned long flags;
	u64 parts;

	spin_lock_irqsave(&layer->change_lock, flags);
	parts = page == layer->kept_page ? layer->kept_parts : ALL_PARTS;
	layer->kept_page = page;
	layer->kept_parts = 0;
	spin_unlock_irqrestore(&layer->change_lock, flags);
	return parts;
}

bool dm_chain_any_uncommitted(struct dm_chain_layer *layer)
{
	/* Pairs with the barrier in dm_chain_owner_set(). */
	smp_rmb();
	return atomic_read(&layer->uncommitted);
}

bool dm_chain_uncommitted(struct dm_chain_layer *layer, u64 block, u64 count)
{
	u32 page, last;

	if (!dm_chain_any_uncommitted(layer))
		return false;
	dm_chain_pages_of(block, count, &page, &last);
	for (; page <= last; page++) {
		/*
		 * A page enters a commit by committing first and dirty off then,
		 * and may leave it by dirty first and committing off then: it is
		 * in neither only if dirty, committing, dirty, read in this
		 * order, say so.
		 */
		if (dm_chain_pageset_has(&layer->dirty, page))
			return true;
		/* Pairs with dm_chain_pageset_del() in dm_chain_take(). */
		smp_rmb();
		if (dm_chain_pageset_has(&layer->committing, page))
			return true;
		/* Pairs with dm_chain_pageset_add() in dm_chain_commit_undo(). */
		smp_rmb();
		if (dm_chain_pageset_has(&layer->dirty, page))
			return true;
	}
	/*
	 * Over two commits that is not so: one fails, its page is dirty and in
	 * the next. But that shows, until one has made everything durable. Pairs
	 * with the barriers in dm_chain_commit_undo().
	 */
	smp_rmb();
	return READ_ONCE(layer->failed);
}

/* Read parts of the active layer's states of a map page off the owner map. */
static void dm_chain_page_states(struct dm_chain_layer *layer, u32 page,
				 u8 *payload, u64 parts)
{
	struct dm_chain_owner_map *map = layer->owner->map;
	u64 blocks = dm_chain_owner_blocks(map);
	unsigned int part;

	for (; parts; parts &= parts - 1) {
		u8 *states;
		u64 block;

		part = __ffs64(parts);
		states = payload + part * PART_BYTES;
		block = (u64)page * DM_CHAIN_BLOCKS_PER_PAGE + part * PART_BLOCKS;
		memset(states, 0, PART_BYTES);
		if (block >= blocks)
			continue;
		rcu_read_lock();
		dm_chain_owner_states(map, block,
				      min_t(u64, PART_BLOCKS, blocks - block),
				      layer->owner_id, states);
		rcu_read_unlock();
		/* A region that writes have filled needs no node any more. */
		dm_chain_owner_collapse(map, block);
	}
}

/* As dm_chain_core_states(), but only @parts have to be looked at. */
static bool dm_chain_core_parts(struct dm_chain_layer *layer, u32 page,
				u8 *payload, u64 parts)
{
	void *core;

	lockdep_assert_held(&layer->meta_lock);
	core = xa_load(&layer->pages, page);
	if (core)
		memcpy(payload, core, DM_CHAIN_PAYLOAD);
	else if (layer->owner)
		dm_chain_page_states(layer, page, payload, parts);
	else
		return false;
	return true;
}

bool dm_chain_core_states(struct dm_chain_layer *layer, u32 page, u8 *payload)
{
	return dm_chain_core_parts(layer, page, payload, ALL_PARTS);
}

/* The states of a page that is in the commit now, ready to be written. */
static int dm_chain_fill_page(struct dm_chain_layer *layer,
			      struct dm_chain_disk_page *page, u32 p, u64 seq,
			      u64 parts)
{
	if (!dm_chain_core_parts(layer, p, page->payload, parts)) {
		DMERR("layer %s: map page %u is dirty but not in core",
		      layer->sb.name, p);
		WARN_ON_ONCE(1);
		dm_chain_keep_page(layer, DM_CHAIN_NO_PAGE);
		dm_chain_pageset_del(&layer->committing, p);
		atomic_dec(&layer->uncommitted);
		return -EUCLEAN;
	}
	dm_chain_page_seal(page, DM_CHAIN_MAP_MAGIC, layer->sb.uuid, p, seq);
	return 0;
}

/*
 * Take up to a batch of dirty pages, beginning at *@next, and their content.
 * Return: how many, or -EUCLEAN if one has no content; that one is forgotten.
 */
static int dm_chain_take(struct dm_chain_layer *layer, u32 *next, u32 *index,
			 u64 seq)
{
	int i, nr = 0, r = 0;
	u64 parts = 0;

	while (nr < DM_CHAIN_BATCH) {
		u32 p = dm_chain_pageset_next(&layer->dirty, *next);

		if (p >= layer->nr_pages)
			break;
		*next = p + 1;
		dm_chain_pageset_add(&layer->committing, p);
		/* Pairs with dm_chain_pageset_add() in dm_chain_set_dirty(). */
		dm_chain_pageset_del(&layer->dirty, p);
		index[nr++] = p;
	}
	if (nr)
		parts = dm_chain_keep_page(layer, index[0]);
	for (i = 0; i < nr && !r; i++) {
		r = dm_chain_fill_page(layer, layer->commit_buf[i], index[i],
				       seq, parts);
		parts = ALL_PARTS;
	}
	return r ? r : nr;
}

static void dm_chain_submit_page(struct dm_chain_meta_batch *batch,
				 struct dm_chain_layer *layer, unsigned int i,
				 unsigned int slot)
{
	u32 p = layer->commit_index[i];

	dm_chain_batch_submit(batch, layer, REQ_OP_WRITE | REQ_SYNC | REQ_META,
			      dm_chain_map_offset(&layer->geo, slot, p),
			      layer->commit_buf[i], p);
}

/*
 * Write the pages that were taken: to the slot that is free, and to both if the
 * directory does not name the page. That it does not is not known after a
 * directory write that failed, for it may have reached the device: then slot B
 * stays as it is until A is durable, so that never both are torn.
 */
static int dm_chain_write_pages(struct dm_chain_layer *layer, unsigned int nr)
{
	const u32 *index = layer->commit_index;
	struct dm_chain_meta_batch batch;
	struct blk_plug plug;
	unsigned int i;
	int r;

	dm_chain_batch_init(&batch);
	blk_start_plug(&plug);
	for (i = 0; i < nr; i++) {
		bool both = !test_bit(index[i], layer->written);

		dm_chain_submit_page(&batch, layer, i, !both &&
				     !test_bit(index[i], layer->slot_b));
		if (both && !layer->dir_doubtful)
			dm_chain_submit_page(&batch, layer, i, 1);
	}
	blk_finish_plug(&plug);
	r = dm_chain_batch_wait(&batch);
	if (r || !layer->dir_doubtful)
		return r;

	r = blkdev_issue_flush(layer->meta_bdev);
	if (r)
		return r;
	dm_chain_batch_init(&batch);
	for (i = 0; i < nr; i++)
		if (!test_bit(index[i], layer->written))
			dm_chain_submit_page(&batch, layer, i, 1);
	return dm_chain_batch_wait(&batch);
}

/*
 * What directory page @d has to say: the pages that it names already, and those
 * in the commit. A directory page begins at a word of the bitmaps.
 */
static void dm_chain_dir_payload(struct dm_chain_layer *layer, u32 d,
				 u8 *payload)
{
	u32 first = d * DM_CHAIN_PAGES_PER_DIR;
	u32 nr = min_t(u32, layer->nr_pages - first, DM_CHAIN_PAGES_PER_DIR);
	__le64 *word = (__le64 *)payload;
	u32 i, p;

	static_assert(DM_CHAIN_PAGES_PER_DIR % 64 == 0);
	memset(payload, 0, DM_CHAIN_PAYLOAD);
	bitmap_to_arr64((u64 *)payload, layer->written + BIT_WORD(first), nr);
	for (i = 0; i < DM_CHAIN_PAYLOAD / sizeof(*word); i++)
		word[i] = cpu_to_le64((__force u64)word[i]);

	for (p = dm_chain_pageset_next(&layer->committing, first);
	     p < first + nr; p = dm_chain_pageset_next(&layer->committing, p + 1))
		dm_chain_dir_set(payload, p - first);
}

/*
 * Write directory page @d. The flush before it is the one that makes the map pages
 * durable.
 */
static int dm_chain_write_dir_page(struct dm_chain_layer *layer, u32 d, u64 seq)
{
	struct dm_chain_disk_page *page = layer->page;
	unsigned int slot = !test_bit(d, layer->dir_slot_b);
	u32 first = d * DM_CHAIN_PAGES_PER_DIR;
	u32 p;
	int r;

	dm_chain_dir_payload(layer, d, page->payload);
	dm_chain_page_seal(page, DM_CHAIN_DIR_MAGIC, layer->sb.uuid, d, seq);
	r = dm_chain_meta_rw(layer->meta_bdev,
			     REQ_OP_WRITE | REQ_SYNC | REQ_META |
			     REQ_PREFLUSH | REQ_FUA,
			     dm_chain_dir_offset(&layer->geo, slot, d), page);
	if (r) {
		layer->dir_doubtful = true;
		return r;
	}
	change_bit(d, layer->dir_slot_b);
	clear_bit(d, layer->dir_torn);
	/*
	 * Named durably from here on, with both slots alike. If a later step
	 * fails their content is written again, to slot A.
	 */
	for (p = dm_chain_pageset_next(&layer->committing, first);
	     p < layer->nr_pages && p / DM_CHAIN_PAGES_PER_DIR == d;
	     p = dm_chain_pageset_next(&layer->committing, p + 1)) {
		if (test_and_set_bit(p, layer->written))
			continue;
		set_bit(p, layer->slot_b);
	}
	return 0;
}

/*
 * Write the directory pages that change: those that get a new map page and
 * those whose other slot was torn.
 */
static int dm_chain_write_dir(struct dm_chain_layer *layer, u64 seq)
{
	u32 d, p;
	int r;

	for_each_set_bit(d, layer->dir_torn, layer->geo.dir_pages) {
		r = dm_chain_write_dir_page(layer, d, seq);
		if (r)
			return r;
	}
	for (p = dm_chain_pageset_next(&layer->committing, 0); p < layer->nr_pages;
	     p = dm_chain_pageset_next(&layer->committing, p + 1)) {
		if (test_bit(p, layer->written))
			continue;
		r = dm_chain_write_dir_page(layer, p / DM_CHAIN_PAGES_PER_DIR,
					    seq);
		if (r)
			return r;
	}
	return 0;
}

/* The pages in the commit are durable: their slots change hands. */
static void dm_chain_commit_done(struct dm_chain_layer *layer)
{
	u32 p;

	for (p = dm_chain_pageset_next(&layer->committing, 0); p < layer->nr_pages;
	     p = dm_chain_pageset_next(&layer->committing, p + 1)) {
		change_bit(p, layer->slot_b);
		dm_chain_pageset_del(&layer->torn, p);
		dm_chain_pageset_del(&layer->committing, p);
		atomic_dec(&layer->uncommitted);
	}
	layer->dir_doubtful = false;
	dm_chain_pageset_tidy(&layer->committing);
	dm_chain_pageset_tidy(&layer->dirty);
	dm_chain_pageset_tidy(&layer->torn);
}

/* They are not, or not known to be: dirty again, before they leave the commit. */
static void dm_chain_commit_undo(struct dm_chain_layer *layer)
{
	unsigned long flags;
	u32 p;

	for (p = dm_chain_pageset_next(&layer->committing, 0); p < layer->nr_pages;
	     p = dm_chain_pageset_next(&layer->committing, p + 1)) {
		/* Nobody else is between adding a page and counting it. */
		spin_lock_irqsave(&layer->change_lock, flags);
		/* A full barrier, see dm_chain_uncommitted(). */
		if (!dm_chain_pageset_add(&layer->dirty, p))
			atomic_dec(&layer->uncommitted);
		spin_unlock_irqrestore(&layer->change_lock, flags);
		dm_chain_pageset_del(&layer->committing, p);
	}
	dm_chain_pageset_tidy(&layer->committing);
}

int dm_chain_flag(struct dm_chain_layer *layer, u32 set, u32 clear)
{
	lockdep_assert_held(&layer->meta_lock);
	layer->next = layer->sb;
	layer->next.flags |= set;
	layer->next.flags &= ~clear;
	if (layer->next.flags == layer->sb.flags &&
	    !(layer->doubtful_flags & (set | clear)))
		return 0;
	return dm_chain_meta_write_sb(layer);
}

static void dm_chain_recount(struct dm_chain_layer *layer, unsigned int nr,
			     const u32 *index)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct dm_chain_disk_page *page = layer->commit_buf[i];

		dm_chain_layer_recount(layer, index[i], page->payload);
	}
}

/*
 * The commonest commit, one page that was written before: the write itself asks
 * for the flush behind it, and for the one before it if that is the same device.
 */
static int dm_chain_commit_one(struct dm_chain_layer *layer, u32 index)
{
	blk_opf_t opf = REQ_OP_WRITE | REQ_SYNC | REQ_META | REQ_FUA;
	unsigned int slot = !test_bit(index, layer->slot_b);
	int r = 0;

	if (layer->meta_bdev == layer->data_bdev)
		opf |= REQ_PREFLUSH;
	else
		r = blkdev_issue_flush(layer->data_bdev);
	if (!r)
		r = dm_chain_meta_rw(layer->meta_bdev, opf,
				     dm_chain_map_offset(&layer->geo, slot, index),
				     layer->commit_buf[0]);
	if (!r)
		dm_chain_recount(layer, 1, &index);
	return r;
}

/* @pages gets how many were taken. */
static int dm_chain_commit_pages(struct dm_chain_layer *layer,
				 unsigned int *pages)
{
	u64 seq = layer->seq++;
	u32 next = 0;
	bool fresh = !bitmap_empty(layer->dir_torn, layer->geo.dir_pages);
	bool any = false;
	int r;

	if (!layer->meta_flushed) {
		r = blkdev_issue_flush(layer->meta_bdev);
		if (r)
			return r;
		layer->meta_flushed = true;
	}
	r = dm_chain_flag(layer, 0, DM_CHAIN_F_CLEAN);
	if (r)
		return r;

	for (;;) {
		u32 *index = layer->commit_index;
		int nr = dm_chain_take(layer, &next, index, seq);
		int i;

		if (nr < 0)
			return nr;
		*pages += nr;
		if (!nr && any)
			break;
		for (i = 0; i < nr; i++)
			fresh |= !test_bit(index[i], layer->written);
		if (nr == 1 && !any && !fresh)
			return dm_chain_commit_one(layer, index[0]);
		any = true;
		r = blkdev_issue_flush(layer->data_bdev);
		if (!r && nr)
			r = dm_chain_write_pages(layer, nr);
		if (r)
			return r;
		dm_chain_recount(layer, nr, index);
		if (nr < DM_CHAIN_BATCH)
			break;
	}

	return fresh ? dm_chain_write_dir(layer, seq) :
		       blkdev_issue_flush(layer->meta_bdev);
}

static void dm_chain_debt_paid(struct dm_chain_layer *layer)
{
	unsigned long p;
	void *page;

	if (!layer->debt)
		return;
	layer->debt = false;
	/* A job lets go of what it has in core by itself. */
	if (layer->job)
		return;
	xa_for_each(&layer->pages, p, page) {
		xa_erase(&layer->pages, p);
		kfree(page);
	}
}

static int dm_chain_commit_locked(struct dm_chain_layer *layer)
{
	unsigned int pages = 0;
	int r;

	lockdep_assert_held(&layer->meta_lock);
	if (!layer->writable)
		return -EROFS;
	trace_dm_chain_commit_start(layer);
	if (!dm_chain_any_uncommitted(layer) &&
	    bitmap_empty(layer->dir_torn, layer->geo.dir_pages))
		r = blkdev_issue_flush(layer->data_bdev);
	else
		r = dm_chain_commit_pages(layer, &pages);

	if (!r) {
		dm_chain_commit_done(layer);
		dm_chain_debt_paid(layer);
		WRITE_ONCE(layer->failed, false);
		/* If this write fails the flag stays, on the safe side. */
		dm_chain_flag(layer, 0, DM_CHAIN_F_NEEDS_CHECK);
	} else {
		if (!layer->failed)
			DMERR("layer %s: commit failed: error %d; nothing is allocated now",
			      layer->sb.name, r);
		/* Before the pages leave the commit: see dm_chain_uncommitted(). */
		WRITE_ONCE(layer->failed, true);
		dm_chain_commit_undo(layer);
		dm_chain_flag(layer, DM_CHAIN_F_NEEDS_CHECK, 0);
	}
	trace_dm_chain_commit_end(layer, pages, r);
	return r;
}

int dm_chain_commit(struct dm_chain_layer *layer)
{
	int r;

	mutex_lock(&layer->meta_lock);
	r = dm_chain_commit_locked(layer);
	mutex_unlock(&layer->meta_lock);
	return r;
}

int dm_chain_pay_debt(struct dm_chain_layer *layer)
{
	int r = 0;

	mutex_lock(&layer->meta_lock);
	if (layer->debt)
		r = dm_chain_commit_locked(layer);
	mutex_unlock(&layer->meta_lock);
	return r;
}

void dm_chain_cancel_debt(struct dm_chain_layer *layer)
{
	mutex_lock(&layer->meta_lock);
	layer->debt = false;
	mutex_unlock(&layer->meta_lock);
}

bool dm_chain_meta_lock_patiently(struct dm_chain_layer *layer)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (mutex_trylock(&layer->meta_lock))
			return true;
		msleep(20);
	}
	return false;
}

void dm_chain_layer_counts(struct dm_chain_layer *layer, u64 *data, u64 *zero)
{
	bool locked = dm_chain_meta_lock_patiently(layer);
	u8 *payload;
	u32 p;

	*data = READ_ONCE(layer->allocated);
	*zero = READ_ONCE(layer->zeroes);
	if (!locked)
		return;
	payload = layer->page;
	if (!payload || !atomic_read(&layer->uncommitted))
		goto out;
	for (p = dm_chain_pageset_next(&layer->dirty, 0); p < layer->nr_pages;
	     p = dm_chain_pageset_next(&layer->dirty, p + 1)) {
		u32 data_blocks, zero_blocks;

		if (!dm_chain_core_states(layer, p, payload))
			continue;
		dm_chain_state_count(payload, &data_blocks, &zero_blocks);
		*data += data_blocks;
		*data -= layer->counts[p] & 0xffff;
		*zero += zero_blocks;
		*zero -= layer->counts[p] >> 16;
	}
out:
	mutex_unlock(&layer->meta_lock);
}
