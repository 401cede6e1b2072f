// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the map path.
 *
 * What can be answered at once is: reads, writes of blocks that the active
 * layer holds as data, and first writes of whole blocks. Everything else
 * (partial writes of other blocks, discards, write-zeroes, whoever meets a
 * held range) goes to a worker, see dm-chain-op.c.
 *
 * RCU is taken in its sched form here: the sections are short, and it is a few
 * instructions in line instead of two calls for each bio.
 *
 * A bio is cut where the owner changes, where what the owner shows ends, and,
 * for first writes, at the end of a region; never at block size.
 */
#include "dm-chain.h"
#include "dm-chain-readcopy.h"
#include "dm-chain-trace.h"

static noinline void dm_chain_tell_map(struct bio *bio, enum dm_chain_how how,
				       const struct dm_chain_slot *slot)
{
	trace_dm_chain_map(bio, bio->bi_iter.bi_sector, bio_end_sector(bio), how,
			   slot);
}

/*
 * Before the bio is another device's or is let go of. A branch that is not taken
 * while nobody traces.
 */
static __always_inline void dm_chain_trace_map(struct bio *bio,
					       enum dm_chain_how how,
					       const struct dm_chain_slot *slot)
{
	if (trace_dm_chain_map_enabled())
		dm_chain_tell_map(bio, how, slot);
}

static u64 dm_chain_sector_block(struct dm_chain *chain, sector_t sector)
{
	return sector >> chain->block_shift;
}

/*
 * Cut @bio to the @run blocks that lie where its first one does, if it is
 * longer. Return: its sectors then.
 */
static unsigned int dm_chain_cut(struct dm_chain *chain, struct bio *bio,
				 u64 run)
{
	sector_t offset = bio->bi_iter.bi_sector &
			  ((1 << chain->block_shift) - 1);
	unsigned int sectors = bio_sectors(bio);
	u64 fit = (run << chain->block_shift) - offset;

	if (fit < sectors) {
		sectors = fit;
		dm_accept_partial_bio(bio, sectors);
	}
	return sectors;
}

static int dm_chain_remap(struct dm_chain_slot *slot, struct bio *bio,
			  sector_t sector)
{
	bio_set_dev(bio, slot->bdev);
	bio->bi_iter.bi_sector = slot->start + sector;
	return DM_MAPIO_REMAPPED;
}

static int dm_chain_map_refuse(struct bio *bio)
{
	dm_chain_trace_map(bio, DM_CHAIN_HOW_REFUSE, NULL);
	return DM_MAPIO_KILL;
}

static int dm_chain_map_defer(struct dm_chain *chain, struct dm_chain_bio *pb,
			      struct bio *bio)
{
	dm_chain_trace_map(bio, DM_CHAIN_HOW_DEFER, NULL);
	return dm_chain_defer(chain, pb, bio);
}

/* A read that the active layer does not answer. RCU is held, and let go of. */
static int dm_chain_map_read_below(struct dm_chain *chain,
				   struct dm_chain_bio *pb, struct bio *bio,
				   struct dm_chain_epoch *epoch, u8 entry,
				   u64 run)
	__releases(RCU_SCHED)
{
	struct dm_chain_slot *slot = &chain->slot[dm_chain_owner_id(entry)];
	sector_t limit = entry & DM_CHAIN_OWNER_ZERO ? 0 : dm_chain_slot_limit(slot);
	sector_t sector = bio->bi_iter.bi_sector;
	bool zero = sector >= limit;
	unsigned int sectors;

	if (!zero) {
		percpu_ref_get(&epoch->ref);
		pb->epoch = epoch;
		pb->flags = DM_CHAIN_BIO_READ_BELOW;
	}
	rcu_read_unlock_sched();

	sectors = dm_chain_cut(chain, bio, run);
	if (zero) {
		dm_chain_trace_map(bio, DM_CHAIN_HOW_ZERO, NULL);
		zero_fill_bio(bio);
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (sectors > limit - sector) {
		sectors = limit - sector;
		dm_accept_partial_bio(bio, sectors);
	}
	pb->pos = sector;
	pb->end = sector + sectors;
	dm_chain_trace_map(bio, DM_CHAIN_HOW_PASS, slot);
	return dm_chain_remap(slot, bio, sector);
}

static int dm_chain_map_read(struct dm_chain *chain, struct dm_chain_bio *pb,
			     struct bio *bio)
{
	sector_t sector = bio->bi_iter.bi_sector;
	u64 block = dm_chain_sector_block(chain, sector);
	u64 last = dm_chain_sector_block(chain, bio_end_sector(bio) - 1);
	struct dm_chain_epoch *epoch;
	u8 entry;
	u64 run;

	rcu_read_lock_sched();
	epoch = rcu_dereference_sched(chain->epoch);
	/*
	 * Whoever sees the new epoch sees the owners that came before it. Pairs
	 * with rcu_assign_pointer() in dm_chain_drain().
	 */
	smp_rmb();
	entry = dm_chain_owner_lookup(chain->map, block, last - block + 1, &run);
	if (entry != chain->active)
		return dm_chain_map_read_below(chain, pb, bio, epoch, entry,
					       run);
	rcu_read_unlock_sched();

	if (run <= last - block)
		dm_chain_cut(chain, bio, run);
	dm_chain_trace_map(bio, DM_CHAIN_HOW_PASS, &chain->slot[entry]);
	return dm_chain_remap(&chain->slot[entry], bio, sector);
}

/* The first of several blocks that is data in the active layer, or @end. */
static u64 dm_chain_next_data(struct dm_chain *chain, u64 block, u64 end)
{
	u64 run;

	rcu_read_lock_sched();
	for (; block < end; block += run)
		if (dm_chain_owner_lookup(chain->map, block, end - block,
					  &run) == chain->active)
			break;
	rcu_read_unlock_sched();
	return min(block, end);
}

u64 dm_chain_whole_blocks(struct dm_chain *chain, sector_t sector,
			  sector_t sectors, u64 known)
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
	if (block + known < end)
		end = dm_chain_next_data(chain, block + known, end);
	return end - block;
}

static bool dm_chain_one_region(u64 first, u64 last)
{
	return first >> DM_CHAIN_REGION_SHIFT == last >> DM_CHAIN_REGION_SHIFT;
}

/*
 * Whole blocks that are not data in the active layer, or a part of one; the
 * first @known are not.
 */
static int dm_chain_map_first_write(struct dm_chain *chain,
				    struct dm_chain_bio *pb, struct bio *bio,
				    u64 known)
{
	sector_t sector = bio->bi_iter.bi_sector;
	u64 block = dm_chain_sector_block(chain, sector);
	u64 last = dm_chain_sector_block(chain, bio_end_sector(bio) - 1);
	struct dm_chain_slot *slot = &chain->slot[chain->active];
	u64 run = last - block + 1;

	if ((sector | bio_end_sector(bio)) & ((1 << chain->block_shift) - 1) ||
	    run > known || !dm_chain_one_region(block, last)) {
		run = dm_chain_whole_blocks(chain, sector, bio_sectors(bio),
					    known);
		dm_chain_cut(chain, bio, max(run, 1ULL));
	}
	if (!run)
		return dm_chain_map_defer(chain, pb, bio);
	if (READ_ONCE(slot->layer->failed))
		return dm_chain_map_refuse(bio);

	dm_chain_range_init(&pb->range, block, block + run - 1, false,
			    dm_chain_op_grant);
	if (!dm_chain_range_trylock(chain->ranges, &pb->range))
		return dm_chain_map_defer(chain, pb, bio);
	/* From the reserves if this write is to free memory, see dm-chain-op.c. */
	pb->node = dm_chain_owner_pin(chain->map, block,
				      GFP_NOWAIT | __GFP_NOWARN);
	if (!pb->node) {
		dm_chain_range_unlock(chain->ranges, &pb->range);
		return dm_chain_map_defer(chain, pb, bio);
	}
	pb->flags = DM_CHAIN_BIO_FIRST_WRITE;
	pb->block = block;
	pb->count = run;
	dm_chain_trace_map(bio, DM_CHAIN_HOW_FIRST, slot);
	if (bio->bi_opf & REQ_FUA) {
		bio->bi_opf &= ~REQ_FUA;
		pb->flags |= DM_CHAIN_BIO_COMMIT;
	}
	return dm_chain_remap(slot, bio, sector);
}

static int dm_chain_map_write(struct dm_chain *chain, struct dm_chain_bio *pb,
			      struct bio *bio)
{
	sector_t sector = bio->bi_iter.bi_sector;
	u64 block = dm_chain_sector_block(chain, sector);
	u64 last = dm_chain_sector_block(chain, bio_end_sector(bio) - 1);
	struct dm_chain_slot *slot;
	u64 run;
	u8 entry;

	if (!READ_ONCE(chain->raised))
		return dm_chain_map_defer(chain, pb, bio);

	rcu_read_lock_sched();
	entry = dm_chain_owner_lookup(chain->map, block, last - block + 1, &run);
	rcu_read_unlock_sched();
	if (entry != chain->active)
		return dm_chain_map_first_write(chain, pb, bio, run);

	if (run <= last - block)
		dm_chain_cut(chain, bio, run);
	slot = &chain->slot[entry];
	dm_chain_trace_map(bio, DM_CHAIN_HOW_PASS, slot);
	if (bio->bi_opf & REQ_FUA &&
	    dm_chain_uncommitted(slot->layer, block, run)) {
		bio->bi_opf &= ~REQ_FUA;
		pb->flags = DM_CHAIN_BIO_COMMIT;
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
		dm_chain_trace_map(bio, DM_CHAIN_HOW_COMMIT, NULL);
		dm_chain_wait_commit(chain, bio);
		return DM_MAPIO_SUBMITTED;
	}
	dm_chain_trace_map(bio, DM_CHAIN_HOW_PASS, slot);
	bio_set_dev(bio, slot->bdev);
	return DM_MAPIO_REMAPPED;
}

int dm_chain_map(struct dm_target *ti, struct bio *bio)
{
	struct dm_chain_bio *pb = dm_per_bio_data(bio, sizeof(*pb));
	struct dm_chain_table *t = ti->private;
	struct dm_chain *chain = t->chain;

	pb->flags = 0;
	if (bio_op(bio) == REQ_OP_READ)
		return dm_chain_map_read(chain, pb, bio);
	if (bio->bi_opf & REQ_PREFLUSH)
		return dm_chain_map_flush(chain, bio);
	if (!chain->writable)
		return dm_chain_map_refuse(bio);

	switch (bio_op(bio)) {
	case REQ_OP_WRITE:
		return dm_chain_map_write(chain, pb, bio);
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		return dm_chain_map_defer(chain, pb, bio);
	default:
		return dm_chain_map_refuse(bio);
	}
}

/*
 * The order matters: the data is written, then the map page is dirty and the
 * owner changes, then the range is free, then the guest hears of it.
 */
static void dm_chain_first_write_done(struct dm_chain *chain,
				      struct dm_chain_bio *pb, bool good)
{
	if (good)
		dm_chain_own(dm_chain_active(chain), pb->node, pb->block,
			     pb->count, chain->active);
	dm_chain_owner_unpin(pb->node);
	dm_chain_range_unlock(chain->ranges, &pb->range);
}

static void dm_chain_read_below_done(struct dm_chain_table *t,
				     struct dm_chain_bio *pb, bool good)
{
	dm_chain_epoch_put(pb->epoch);
	if (t->readcopy && good)
		dm_chain_readcopy_add(t->readcopy, pb->pos, pb->end);
}

static int dm_chain_end_io_slow(struct dm_chain_table *t,
				struct dm_chain_bio *pb, struct bio *bio,
				bool good)
{
	struct dm_chain *chain = t->chain;
	u8 flags = pb->flags;

	pb->flags = 0;
	if (flags & DM_CHAIN_BIO_READ_BELOW)
		dm_chain_read_below_done(t, pb, good);
	else if (flags & DM_CHAIN_BIO_FIRST_WRITE)
		dm_chain_first_write_done(chain, pb, good);

	if (flags & DM_CHAIN_BIO_COMMIT && good) {
		dm_chain_wait_commit(chain, bio);
		return DM_ENDIO_INCOMPLETE;
	}
	return DM_ENDIO_DONE;
}

int dm_chain_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct dm_chain_bio *pb = dm_per_bio_data(bio, sizeof(*pb));
	struct dm_chain_table *t = ti->private;

	if (!pb->flags)
		return DM_ENDIO_DONE;
	return dm_chain_end_io_slow(t, pb, bio, !*error);
}
