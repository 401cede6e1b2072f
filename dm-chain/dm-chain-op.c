// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: guest bios that the map path hands on.
 *
 * A worker takes such a bio piece by piece: a run of blocks that are data in
 * the active layer, a run of whole blocks that are not, one partial block. It
 * may sleep for I/O and memory, but never for a range: if one is not free it
 * leaves, and the grant queues it again at the same piece. So a worker never
 * waits for another one that has not begun, and one thread is enough for all.
 *
 * On a block that is not data in the active layer, a partial write, a discard
 * and a write-zeroes hold the range exclusively, a write of whole blocks shares
 * it. Who waited looks the block up again: another write may have made it data.
 *
 * The bio that FUA was asked of waits for a commit at the end.
 */
#include "dm-chain.h"
#include "dm-chain-trace.h"

static void dm_chain_op_work(struct work_struct *work);

int dm_chain_defer(struct dm_chain *chain, struct dm_chain_bio *pb,
		   struct bio *bio)
{
	pb->flags = 0;
	pb->chain = chain;
	pb->pos = bio->bi_iter.bi_sector;
	pb->end = bio_end_sector(bio);
	pb->held = false;
	INIT_WORK(&pb->work, dm_chain_op_work);
	queue_work(chain->io_wq, &pb->work);
	return DM_MAPIO_SUBMITTED;
}

void dm_chain_op_grant(struct dm_chain_range *range)
{
	struct dm_chain_bio *pb = container_of(range, struct dm_chain_bio,
					       range);

	queue_work(pb->chain->io_wq, &pb->work);
}

/*
 * Raise the content generation, durably, before the first write after each
 * preresume. An overlay that this layer had no longer fits from here on.
 */
static int dm_chain_raise(struct dm_chain *chain)
{
	struct dm_chain_layer *layer = dm_chain_active(chain);
	int r = 0;

	mutex_lock(&layer->meta_lock);
	if (chain->raised)
		goto out;
	layer->next = layer->sb;
	if (++layer->next.generation == DM_CHAIN_GENERATION_END) {
		DMERR_LIMIT("layer %s: generation %llu leaves no room for others",
			    layer->sb.name, layer->sb.generation);
		r = -EUCLEAN;
		goto out;
	}
	layer->next.flags &= ~(DM_CHAIN_F_CLEAN | DM_CHAIN_F_HAS_OVERLAY);
	memset(layer->next.overlay_uuid, 0, DM_CHAIN_UUID_LEN);
	r = dm_chain_meta_write_sb(layer);
	if (!r)
		WRITE_ONCE(chain->raised, true);
out:
	mutex_unlock(&layer->meta_lock);
	return r;
}

/*
 * Lock the blocks of a piece. Return: true if they are locked now; false if the
 * worker has to leave, @pb may be running elsewhere already.
 */
static bool dm_chain_op_lock(struct dm_chain_bio *pb, bool exclusive)
{
	if (pb->held)
		return true;
	dm_chain_range_init(&pb->range, pb->block, pb->block + pb->count - 1,
			    exclusive, dm_chain_op_grant);
	/* True for whoever runs next, here or from the grant. */
	pb->held = true;
	return dm_chain_range_lock(pb->chain->ranges, &pb->range);
}

static void dm_chain_op_unlock(struct dm_chain_bio *pb)
{
	pb->held = false;
	dm_chain_range_unlock(pb->chain->ranges, &pb->range);
}

static u8 dm_chain_op_owner(struct dm_chain *chain, u64 block, u64 max, u64 *run)
{
	u8 entry;

	rcu_read_lock();
	entry = dm_chain_owner_lookup(chain->map, block, max, run);
	rcu_read_unlock();
	return entry;
}

/* First sector behind @block, not past the end of the device. */
static sector_t dm_chain_block_end(struct dm_chain *chain, u64 block)
{
	return min_t(sector_t, (block + 1) << chain->block_shift, chain->size);
}

/* Write a part of the guest's bio to the active layer. */
static int dm_chain_op_pass(struct dm_chain *chain, struct bio *bio,
			    sector_t from, sector_t to)
{
	struct dm_chain_slot *slot = &chain->slot[chain->active];
	struct bio *part = bio_alloc_clone(slot->bdev, bio, GFP_NOIO,
					   &chain->bios);
	int r;

	bio_trim(part, from - bio->bi_iter.bi_sector, to - from);
	/* Nobody polls for a bio that this waits for. */
	part->bi_opf &= ~(REQ_FUA | REQ_POLLED);
	part->bi_iter.bi_sector = slot->start + from;
	r = submit_bio_wait(part);
	bio_put(part);
	return r;
}

/*
 * Memory for a node
 *
 * The first write to a region takes a page for as long as the region's owners
 * differ: a reserve that is to be given back, as a mempool is, would be used up
 * once. GFP_NOIO waits for a single page rather than fail, so what matters is
 * that others can free memory meanwhile. Who does so by writing to this device,
 * as kswapd does to swap on it, runs with PF_MEMALLOC: dm_chain_map_first_write()
 * gets its node from the emergency reserves then. Only what the map path hands on
 * is without them here, which is the first write after a resume and parts of
 * blocks: clean pages, or writes to regions that have a node, have to make room
 * for that. Swap should lie on chains whose blocks are no larger than a page.
 */

/* Blocks that were written become the active layer's. */
static int dm_chain_op_own(struct dm_chain *chain, u64 block, u64 count,
			   u8 entry)
{
	int r = dm_chain_owner_fill(chain->map, block, count, entry, GFP_NOIO);

	dm_chain_mark_dirty(dm_chain_active(chain), block, count);
	return r;
}

/* Whole blocks, with the range shared. */
static int dm_chain_op_write_whole(struct dm_chain *chain,
				   struct dm_chain_bio *pb, struct bio *bio)
{
	sector_t to = min_t(sector_t, dm_chain_block_end(chain, pb->block +
							 pb->count - 1), pb->end);
	struct dm_chain_owner_node *node;
	int r;

	/* Memory first: once the data is written nothing may fail. */
	node = dm_chain_owner_pin(chain->map, pb->block, GFP_NOIO);
	if (!node)
		return -ENOMEM;
	trace_dm_chain_work(bio, pb->pos, to, DM_CHAIN_HOW_FIRST,
			    &chain->slot[chain->active]);
	r = dm_chain_op_pass(chain, bio, pb->pos, to);
	if (!r) {
		dm_chain_own(dm_chain_active(chain), node, pb->block,
			     pb->count, chain->active);
		pb->pos = to;
	}
	dm_chain_owner_unpin(node);
	return r;
}

int dm_chain_read_block(struct dm_chain *chain, u64 block,
			struct dm_chain_buf *unit)
{
	sector_t start = block << chain->block_shift;
	sector_t end = dm_chain_block_end(chain, block);
	struct dm_chain_epoch *epoch = dm_chain_epoch_get(chain);
	struct dm_chain_slot *slot;
	sector_t limit;
	u64 run;
	u8 entry;
	int r = 0;

	entry = dm_chain_op_owner(chain, block, 1, &run);
	slot = &chain->slot[dm_chain_owner_id(entry)];
	limit = entry & DM_CHAIN_OWNER_ZERO ? 0 : dm_chain_slot_limit(slot);
	limit = clamp(limit, start, end);
	if (limit > start)
		r = dm_chain_rw(&chain->bios, slot->bdev, REQ_OP_READ,
				slot->start + start, unit, 0,
				(limit - start) << SECTOR_SHIFT);
	dm_chain_epoch_put(epoch);
	dm_chain_buf_zero(unit, (limit - start) << SECTOR_SHIFT,
			  (end - limit) << SECTOR_SHIFT);
	return r;
}

/* Lay the guest's part, data or zeros, over a buffer that begins at @start. */
static void dm_chain_op_overlay(struct dm_chain_bio *pb, struct bio *bio,
				struct dm_chain_buf *unit, sector_t start,
				sector_t to)
{
	size_t offset = (pb->pos - start) << SECTOR_SHIFT;
	size_t bytes = (to - pb->pos) << SECTOR_SHIFT;

	if (bio_op(bio) == REQ_OP_WRITE) {
		struct bvec_iter iter = bio->bi_iter;

		bio_advance_iter(bio, &iter,
				 (pb->pos - iter.bi_sector) << SECTOR_SHIFT);
		iter.bi_size = bytes;
		dm_chain_buf_fill(unit, offset, bio, iter);
	} else {
		dm_chain_buf_zero(unit, offset, bytes);
	}
}

/* Part of one block, with the range exclusive: read, merge, write the block. */
static int dm_chain_op_merge(struct dm_chain *chain, struct dm_chain_bio *pb,
			     struct bio *bio)
{
	struct dm_chain_slot *slot = &chain->slot[chain->active];
	sector_t start = pb->block << chain->block_shift;
	sector_t end = dm_chain_block_end(chain, pb->block);
	sector_t to = min(end, pb->end);
	struct dm_chain_owner_node *node;
	struct dm_chain_buf *unit;
	int r = -ENOMEM;

	unit = mempool_alloc(&chain->units, GFP_NOIO);
	node = dm_chain_owner_pin(chain->map, pb->block, GFP_NOIO);
	if (!node)
		goto out;
	trace_dm_chain_work(bio, pb->pos, to, DM_CHAIN_HOW_MERGE, slot);
	r = dm_chain_read_block(chain, pb->block, unit);
	if (!r) {
		dm_chain_op_overlay(pb, bio, unit, start, to);
		r = dm_chain_rw(&chain->bios, slot->bdev, REQ_OP_WRITE,
				slot->start + start, unit, 0,
				(end - start) << SECTOR_SHIFT);
	}
	if (!r) {
		dm_chain_own(slot->layer, node, pb->block, 1, chain->active);
		pb->pos = to;
	}
	dm_chain_owner_unpin(node);
out:
	mempool_free(unit, &chain->units);
	return r;
}

/* A partial write-zeroes of a block that is data: zeros are written. */
static int dm_chain_op_zero_part(struct dm_chain *chain,
				 struct dm_chain_bio *pb, sector_t to)
{
	struct dm_chain_slot *slot = &chain->slot[chain->active];
	struct dm_chain_buf *unit = mempool_alloc(&chain->units, GFP_NOIO);
	size_t bytes = (to - pb->pos) << SECTOR_SHIFT;
	int r;

	dm_chain_buf_zero(unit, 0, bytes);
	r = dm_chain_rw(&chain->bios, slot->bdev, REQ_OP_WRITE,
			slot->start + pb->pos, unit, 0, bytes);
	mempool_free(unit, &chain->units);
	if (!r)
		pb->pos = to;
	return r;
}

/*
 * The next piece of a write, of a write-zeroes or of a discard's rest. Sets up
 * pb->block and pb->count.
 */
static void dm_chain_op_piece(struct dm_chain *chain, struct dm_chain_bio *pb,
			      struct bio *bio)
{
	sector_t sector = pb->pos;
	u64 region_end, end;

	pb->block = sector >> chain->block_shift;
	if (bio_op(bio) == REQ_OP_WRITE) {
		pb->count = dm_chain_whole_blocks(chain, sector,
						  pb->end - sector, 0);
	} else if (sector & ((1 << chain->block_shift) - 1)) {
		pb->count = 0;
	} else {
		end = pb->end == chain->size ?
		      dm_chain_nr_blocks(chain, pb->end) :
		      pb->end >> chain->block_shift;
		region_end = (pb->block | (DM_CHAIN_REGION_BLOCKS - 1)) + 1;
		pb->count = min(end, region_end) - min(end, pb->block);
	}
	pb->whole = pb->count;
	if (!pb->whole)
		pb->count = 1;
}

/*
 * One piece of a write or a write-zeroes. Return: 0 and pb->pos moved on (or
 * not, if the block has to be looked at again), 1 if the worker has to leave,
 * or a negative errno.
 */
static int dm_chain_op_write(struct dm_chain *chain, struct dm_chain_bio *pb,
			     struct bio *bio)
{
	bool write = bio_op(bio) == REQ_OP_WRITE;
	u64 run, last = (pb->end - 1) >> chain->block_shift;
	sector_t to;
	u8 entry;
	int r;

	if (!pb->held)
		dm_chain_op_piece(chain, pb, bio);
	if (write || !pb->whole) {
		entry = dm_chain_op_owner(chain, pb->block,
					  last - pb->block + 1, &run);
		if (entry == chain->active && (!pb->held || !pb->whole)) {
			if (pb->held)
				dm_chain_op_unlock(pb);
			to = min(dm_chain_block_end(chain, pb->block +
						    (write ? run - 1 : 0)),
				 pb->end);
			trace_dm_chain_work(bio, pb->pos, to,
					    write ? DM_CHAIN_HOW_PASS :
						    DM_CHAIN_HOW_FILL,
					    &chain->slot[entry]);
			if (!write)
				return dm_chain_op_zero_part(chain, pb, to);
			r = dm_chain_op_pass(chain, bio, pb->pos, to);
			if (!r)
				pb->pos = to;
			return r;
		}
	}

	if (!dm_chain_op_lock(pb, !write || !pb->whole))
		return 1;
	if (READ_ONCE(dm_chain_active(chain)->failed)) {
		r = -EIO;
	} else if (!pb->whole) {
		/* Only now nobody else can change its owner. */
		entry = dm_chain_op_owner(chain, pb->block, 1, &run);
		r = entry == chain->active ? 0 : dm_chain_op_merge(chain, pb, bio);
	} else if (write) {
		r = dm_chain_op_write_whole(chain, pb, bio);
	} else {
		to = min(dm_chain_block_end(chain, pb->block + pb->count - 1),
			 pb->end);
		trace_dm_chain_work(bio, pb->pos, to, DM_CHAIN_HOW_ZERO,
				    &chain->slot[chain->active]);
		r = dm_chain_op_own(chain, pb->block, pb->count,
				    chain->active | DM_CHAIN_OWNER_ZERO);
		pb->pos = to;
		if (!(bio->bi_opf & REQ_NOUNMAP))
			dm_chain_passdown_add(chain, pb->block, pb->count);
	}
	dm_chain_op_unlock(pb);
	return r;
}

/* One piece of a discard: parts of blocks are left alone. */
static int dm_chain_op_discard(struct dm_chain *chain, struct dm_chain_bio *pb,
			       struct bio *bio)
{
	if (!pb->held) {
		dm_chain_op_piece(chain, pb, bio);
		if (!pb->whole) {
			sector_t to = min(dm_chain_block_end(chain, pb->block),
					  pb->end);

			trace_dm_chain_work(bio, pb->pos, to,
					    DM_CHAIN_HOW_SKIP, NULL);
			pb->pos = to;
			return 0;
		}
	}
	return dm_chain_op_write(chain, pb, bio);
}

static void dm_chain_op_work(struct work_struct *work)
{
	struct dm_chain_bio *pb = container_of(work, struct dm_chain_bio, work);
	struct bio *bio = dm_bio_from_per_bio_data(pb, sizeof(*pb));
	struct dm_chain *chain = pb->chain;
	int r = 0;

	if (!READ_ONCE(chain->raised))
		r = dm_chain_raise(chain);

	while (!r && pb->pos < pb->end)
		r = bio_op(bio) == REQ_OP_DISCARD ?
		    dm_chain_op_discard(chain, pb, bio) :
		    dm_chain_op_write(chain, pb, bio);
	if (r > 0)
		return;

	if (!r && bio->bi_opf & REQ_FUA) {
		dm_chain_wait_commit(chain, bio);
		return;
	}
	bio->bi_status = errno_to_blk_status(r);
	bio_endio(bio);
}
