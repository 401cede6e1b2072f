// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: a table that is longer than its active layer makes that layer grow.
 *
 * What is new reads as zeros, whatever lies below: layers below may be longer
 * than the active one was, and its data device holds anything behind the old
 * end. In preresume, when nobody uses the chain and the layer is claimed:
 *
 *	1. The rest of the block that the old end cuts becomes zeros on the data
 *	   device. If the layer does not hold that block and one below would show
 *	   something of it behind the old end, it is copied up as well.
 *	2. New blocks that something below would show through are zero in core.
 *	3. Commit: what 1 wrote is durable, then the states of 2 are.
 *	4. The superblock records the new size.
 *	5. In core the layer is larger, and so are the limits.
 *
 * Why it is safe
 *	Up to 4 nothing of it shows. What 1 writes lies behind the end or is a
 *	copy of what the view has there. Blocks behind the end that are zero are
 *	no error, on the device or in core, and nobody looks at them.
 *	Power cut before 4: the old size. After it: the new one, and 3 came before.
 *	Failure of 1, 2 or 3: the size stays, and what was done may stay. A later
 *	try does all of it again, and zeros are what that one wants, too.
 *	Failure of 4: the device may have the new superblock all the same. The old
 *	one is written again before any table becomes live, lest what is written
 *	then, for a shorter layer, be read one day as part of the longer one.
 *
 * What "would show through" follows from sizes alone: blocks up to the end of the
 * layer right below, which no other one exceeds. Which of them the layers hold is
 * not asked, so the states are whole map pages but for both ends, one word for a
 * region of the owner map, and there is nothing to read.
 *
 * Behind that nothing is done, although layers further down may be longer: they
 * are cut off by a shorter one. A job that drops that one makes zero what it
 * uncovers, see dm_chain_walk_look().
 *
 * The content generation stays. To an overlay this layer was zeros behind its
 * end, and now it has zeros there.
 */
#include "dm-chain.h"

int dm_chain_grow_check(struct dm_chain_table *t, struct dm_chain_why *why)
{
	const struct dm_chain_entry *e = &t->entry[t->nr - 1];
	const struct dm_chain_layer *layer = e->layer;
	u64 len = t->ti->len, room;

	if (len <= layer->size >> SECTOR_SHIFT)
		return 0;

	if (t->read_only)
		return dm_chain_refuse(why, -EROFS,
				       "layer %s cannot grow from %llu to %llu sectors: the table is read-only",
				       e->name, layer->size >> SECTOR_SHIFT, len);
	if (!layer->writable)
		return dm_chain_refuse(why, -EROFS,
				       "layer %s cannot grow from %llu to %llu sectors: %s",
				       e->name, layer->size >> SECTOR_SHIFT, len,
				       layer->sb.flags & DM_CHAIN_F_NEEDS_CHECK ?
				       "it needs a check first" :
				       "it cannot be written");
	room = layer->sb.max_size >> SECTOR_SHIFT;
	if (len > room)
		return dm_chain_refuse(why, -ENOSPC,
				       "layer %s cannot grow to %llu sectors: it was formatted to have at most %llu",
				       e->name, len, room);
	room = bdev_nr_sectors(layer->data_bdev) - layer->data_start;
	if (len > room)
		return dm_chain_refuse(why, -ENOSPC,
				       "layer %s cannot grow to %llu sectors: %s has room for %llu",
				       e->name, len, e->data->name, room);
	return 0;
}

static u8 grow_owner(struct dm_chain *chain, u64 block)
{
	u64 run;
	u8 entry;

	rcu_read_lock();
	entry = dm_chain_owner_lookup(chain->map, block, 1, &run);
	rcu_read_unlock();
	return entry;
}

/* Does a layer below the active one show anything of @block from @sector on? */
static bool grow_shows(struct dm_chain *chain, u64 block, sector_t sector)
{
	u8 entry = grow_owner(chain, block);

	return !(entry & DM_CHAIN_OWNER_ZERO) && entry != chain->active &&
	       dm_chain_slot_limit(&chain->slot[entry]) > sector;
}

/* Step 1, of the block that begins at @start. @old and @end lie in it. */
static int grow_write_rest(struct dm_chain *chain, sector_t start, sector_t old,
			   sector_t end)
{
	const struct dm_chain_slot *slot = &chain->slot[chain->active];
	struct dm_chain_buf *unit = mempool_alloc(&chain->units, GFP_NOIO);
	u64 block = start >> chain->block_shift;
	struct dm_chain_owner_node *node = NULL;
	sector_t from = old;
	int r = 0;

	if (grow_shows(chain, block, old)) {
		from = start;
		node = dm_chain_owner_pin(chain->map, block, GFP_NOIO);
		r = node ? dm_chain_read_block(chain, block, unit) : -ENOMEM;
	}
	if (!r) {
		dm_chain_buf_zero(unit, (old - start) << SECTOR_SHIFT,
				  (end - old) << SECTOR_SHIFT);
		r = dm_chain_rw(&chain->bios, slot->bdev, REQ_OP_WRITE,
				slot->start + from, unit,
				(from - start) << SECTOR_SHIFT,
				(end - from) << SECTOR_SHIFT);
	}
	if (!r && node)
		dm_chain_own(slot->layer, node, block, 1, chain->active);
	if (node)
		dm_chain_owner_unpin(node);
	mempool_free(unit, &chain->units);
	return r;
}

static int grow_end_block(struct dm_chain *chain, sector_t old, sector_t new)
{
	sector_t start = round_down(old, 1 << chain->block_shift);
	sector_t end = min_t(sector_t, start + (1 << chain->block_shift), new);

	return start == old ? 0 : grow_write_rest(chain, start, old, end);
}

/* Step 2. What lies in the map behind the old end is not to be relied on. */
static int grow_map(struct dm_chain *chain, sector_t old, sector_t new)
{
	u64 block = dm_chain_nr_blocks(chain, old);
	u64 end = dm_chain_nr_blocks(chain, new);
	u64 shown = block;
	int r = 0;

	if (chain->nr > 1)
		shown = dm_chain_nr_blocks(chain,
					   dm_chain_layer_size(chain, chain->nr - 2));
	shown = clamp(shown, block, end);
	if (shown > block) {
		r = dm_chain_owner_fill(chain->map, block, shown - block,
					chain->active | DM_CHAIN_OWNER_ZERO,
					GFP_NOIO);
		dm_chain_mark_dirty(dm_chain_active(chain), block, shown - block);
	}
	if (!r && end > shown)
		r = dm_chain_owner_fill(chain->map, shown, end - shown,
					DM_CHAIN_NOBODY, GFP_NOIO);
	return r;
}

/* Steps 4 and 5; with the size that the layer has already, 4 alone. */
static int grow_record(struct dm_chain_layer *layer, sector_t new)
{
	int r;

	mutex_lock(&layer->meta_lock);
	layer->next = layer->sb;
	layer->next.size = (u64)new << SECTOR_SHIFT;
	layer->next.data_size = bdev_nr_bytes(layer->data_bdev);
	r = dm_chain_meta_write_sb(layer);
	if (!r)
		layer->size = layer->sb.size;
	layer->size_unsure = r;
	mutex_unlock(&layer->meta_lock);
	return r;
}

static int grow_layer(struct dm_chain *chain, struct dm_chain_layer *layer,
		      sector_t old, sector_t new)
{
	int r = grow_end_block(chain, old, new);

	if (!r)
		r = grow_map(chain, old, new);
	if (!r)
		r = dm_chain_commit(layer);
	if (r)
		return r;
	r = grow_record(layer, new);
	/* Most likely in vain, and then the next resume does it. */
	if (r)
		grow_record(layer, old);
	return r;
}

int dm_chain_grow(struct dm_chain *chain, struct dm_chain_table *t)
{
	struct dm_chain_layer *layer = dm_chain_active(chain);
	const char *name = t->entry[t->nr - 1].name;
	sector_t old = layer->size >> SECTOR_SHIFT, new = t->ti->len;
	int r = 0;

	lockdep_assert_held(&chain->lock);
	if (new < old) {
		DMERR("%s: layer %s has grown to %llu sectors meanwhile: load the table again",
		      dm_device_name(t->md), name, (u64)old);
		return -ESTALE;
	}
	if (!chain->writable)
		return 0;
	/* It may have failed because of a growth that was given up. */
	if (new == old && layer->failed)
		dm_chain_commit(layer);
	if (new > old)
		r = grow_layer(chain, layer, old, new);
	else if (layer->size_unsure)
		r = grow_record(layer, old);
	if (r) {
		DMERR("%s: growing layer %s from %llu to %llu sectors: error %d",
		      dm_device_name(t->md), name, (u64)old, (u64)new, r);
		return r;
	}
	chain->size = new;
	dm_chain_set_limits(chain);
	return 0;
}
