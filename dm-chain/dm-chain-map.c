// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the map path.
 *
 * What can be answered at once is: reads, writes of blocks that the active
 * layer holds as data, and first writes of whole blocks. Everything else
 * (partial writes of other blocks, discards, write-zeroes, whoever meets a
 * held range) goes to a worker, see dm-chain-op.c.
 *
 * A bio is cut where the owner changes, where what the owner shows ends, and,
 * for first writes, at the end of a region; never at block size.
 */
#include "dm-chain.h"

static u64 dm_chain_sector_block(struct dm_chain *chain, sector_t sector)
{
	return sector >> chain->block_shift;
}

/* Sectors from @sector to the end of a run of @run blocks, at most @max. */
static unsigned int dm_chain_run_sectors(struct dm_chain *chain,
					 sector_t sector, u64 run,
					 unsigned int max)
{
	sector_t offset = sector & ((1 << chain->block_shift) - 1);

	return min_t(u64, (run << chain->block_shift) - offset, max);
}

static void dm_chain_accept(struct bio *bio, unsigned int sectors)
{
	if (sectors < bio_sectors(bio))
		dm_accept_partial_bio(bio, sectors);
}

static int dm_chain_remap(struct dm_chain_slot *slot, struct bio *bio,
			  sector_t sector)
{
	bio_set_dev(bio, slot->bdev);
	bio->bi_iter.bi_sector = slot->start + sector;
	return DM_MAPIO_REMAPPED;
}

static int dm_chain_map_read(struct dm_chain *chain, struct dm_chain_bio *pb,
			     struct bio *bio)
{
	sector_t sector = bio->bi_iter.bi_sector;
	unsigned int sectors = bio_sectors(bio);
	u64 block = dm_chain_sector_block(chain, sector);
	u64 last = dm_chain_sector_block(chain, sector + sectors - 1);
	struct dm_chain_epoch *epoch;
	struct dm_chain_slot *slot;
	bool zero;
	u8 entry;
	u64 run;

	rcu_read_lock();
	epoch = rcu_dereference(chain->epoch);
	/*
	 * Whoever sees the new epoch sees the owners that came before it. Pairs
	 * with rcu_assign_pointer() in dm_chain_drain().
	 */
	smp_rmb();
	entry = dm_chain_owner_lookup(chain->map, block, last - block + 1, &run);
	sectors = dm_chain_run_sectors(chain, sector, run, sectors);
	slot = &chain->slot[dm_chain_owner_id(entry)];
	zero = entry & DM_CHAIN_OWNER_ZERO;
	if (!zero && entry != chain->active) {
		sector_t limit = READ_ONCE(slot->limit);

		zero = sector >= limit;
		if (!zero) {
			sectors = min_t(sector_t, sectors, limit - sector);
			percpu_ref_get(&epoch->ref);
			pb->epoch = epoch;
			pb->kind = DM_CHAIN_BIO_READ_BELOW;
		}
	}
	rcu_read_unlock();

	dm_chain_accept(bio, sectors);
	if (zero) {
		zero_fill_bio(bio);
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	return dm_chain_remap(slot, bio, sector);
}

/* The first of several blocks that is data in the active layer, or @end. */
static u64 dm_chain_next_data(struct dm_chain *chain, u64 block, u64 end)
{
	u64 run;

	rcu_read_lock();
	for (; block < end; block += run)
		if (dm_chain_owner_lookup(chain->map, block, end - block,
					  &run) == chain->active)
			break;
	rcu_read_unlock();
	return min(block, end);
}

u64 dm_chain_whole_blocks(struct dm_chain *chain, sector_t sector,
			  sector_t sectors)
{
	u64 block = dm_chain_sector_block(chain, sector);
	u64 end = sector + sectors;

	if (sector & ((1 << chain->block_shift) - 1))
		return 0;
	/* The last block of the device may be partial, and is whole then. */
	end = end == chain->size ? dm_chain_nr_blocks(chain, end) :
				   dm_chain_sector_block(chain, end);
	if (end <= block)
		return 0;
	end = min(end, (block | (DM_CHAIN_REGION_BLOCKS - 1)) + 1);
	return dm_chain_next_data(chain, block, end) - block;
}

static int dm_chain_map_write(struct dm_chain *chain, struct dm_chain_bio *pb,
			      struct bio *bio)
{
	sector_t sector = bio->bi_iter.bi_sector;
	unsigned int sectors = bio_sectors(bio);
	u64 block = dm_chain_sector_block(chain, sector);
	u64 last = dm_chain_sector_block(chain, sector + sectors - 1);
	struct dm_chain_slot *slot = &chain->slot[chain->active];
	struct dm_chain_layer *layer = slot->layer;
	u64 run;
	u8 entry;

	if (!READ_ONCE(chain->raised))
		return dm_chain_defer(chain, pb, bio);

	rcu_read_lock();
	entry = dm_chain_owner_lookup(chain->map, block, last - block + 1, &run);
	rcu_read_unlock();

	if (entry == chain->active) {
		sectors = dm_chain_run_sectors(chain, sector, run, sectors);
		dm_chain_accept(bio, sectors);
		if (bio->bi_opf & REQ_FUA &&
		    dm_chain_uncommitted(layer, block, min(run, last - block + 1))) {
			bio->bi_opf &= ~REQ_FUA;
			pb->commit = true;
		}
		return dm_chain_remap(slot, bio, sector);
	}

	run = dm_chain_whole_blocks(chain, sector, sectors);
	dm_chain_accept(bio, dm_chain_run_sectors(chain, sector, max(run, 1ULL),
						  sectors));
	if (!run)
		return dm_chain_defer(chain, pb, bio);
	if (READ_ONCE(layer->failed))
		return DM_MAPIO_KILL;

	dm_chain_range_init(&pb->range, block, block + run - 1, false,
			    dm_chain_op_grant);
	if (!dm_chain_range_trylock(chain->ranges, &pb->range))
		return dm_chain_defer(chain, pb, bio);
	pb->node = dm_chain_owner_pin(chain->map, block,
				      GFP_NOWAIT | __GFP_NOWARN);
	if (!pb->node) {
		dm_chain_range_unlock(chain->ranges, &pb->range);
		return dm_chain_defer(chain, pb, bio);
	}
	pb->kind = DM_CHAIN_BIO_FIRST_WRITE;
	pb->block = block;
	pb->count = run;
	if (bio->bi_opf & REQ_FUA) {
		bio->bi_opf &= ~REQ_FUA;
		pb->commit = true;
	}
	return dm_chain_remap(slot, bio, sector);
}

/* A flush has no data, device mapper sends that separately. */
static int dm_chain_map_flush(struct dm_chain *chain, struct bio *bio)
{
	struct dm_chain_slot *slot = &chain->slot[chain->active];
	struct dm_chain_layer *layer = slot->layer;

	if (READ_ONCE(chain->nr_debtors) ||
	    (chain->writable && (dm_chain_any_uncommitted(layer) ||
				 READ_ONCE(layer->failed)))) {
		dm_chain_wait_commit(chain, bio);
		return DM_MAPIO_SUBMITTED;
	}
	bio_set_dev(bio, slot->bdev);
	return DM_MAPIO_REMAPPED;
}

int dm_chain_map(struct dm_target *ti, struct bio *bio)
{
	struct dm_chain_bio *pb = dm_per_bio_data(bio, sizeof(*pb));
	struct dm_chain_table *t = ti->private;
	struct dm_chain *chain = t->chain;

	pb->kind = DM_CHAIN_BIO_PASS;
	pb->commit = false;

	if (bio->bi_opf & REQ_PREFLUSH)
		return dm_chain_map_flush(chain, bio);
	if (bio_op(bio) == REQ_OP_READ)
		return dm_chain_map_read(chain, pb, bio);
	if (!chain->writable)
		return DM_MAPIO_KILL;

	switch (bio_op(bio)) {
	case REQ_OP_WRITE:
		return dm_chain_map_write(chain, pb, bio);
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		return dm_chain_defer(chain, pb, bio);
	default:
		return DM_MAPIO_KILL;
	}
}

/*
 * The order matters: the data is written, then the owner changes and the map
 * page is dirty, then the range is free, then the guest hears of it.
 */
static void dm_chain_first_write_done(struct dm_chain *chain,
				      struct dm_chain_bio *pb, bool good)
{
	if (good) {
		dm_chain_own(dm_chain_active(chain), pb->node, pb->block,
			     pb->count, chain->active);
	}
	dm_chain_owner_unpin(pb->node);
	dm_chain_range_unlock(chain->ranges, &pb->range);
}

int dm_chain_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct dm_chain_bio *pb = dm_per_bio_data(bio, sizeof(*pb));
	struct dm_chain_table *t = ti->private;
	struct dm_chain *chain = t->chain;

	if (pb->kind == DM_CHAIN_BIO_READ_BELOW)
		dm_chain_epoch_put(pb->epoch);
	else if (pb->kind == DM_CHAIN_BIO_FIRST_WRITE)
		dm_chain_first_write_done(chain, pb, !*error);
	pb->kind = DM_CHAIN_BIO_PASS;

	if (pb->commit && !*error) {
		pb->commit = false;
		dm_chain_wait_commit(chain, bio);
		return DM_ENDIO_INCOMPLETE;
	}
	return DM_ENDIO_DONE;
}
