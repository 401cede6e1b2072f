// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: reading and writing the metadata of one layer.
 *
 * What the pages hold is the codec's business (dm-chain-codec.c), when they
 * are written is the commit's (dm-chain-commit.c).
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "dm-chain.h"

void dm_chain_batch_init(struct dm_chain_meta_batch *batch)
{
	atomic_set(&batch->left, 1);
	batch->bad = -1;
	batch->error = 0;
	init_completion(&batch->done);
}

static void dm_chain_batch_put(struct dm_chain_meta_batch *batch)
{
	if (atomic_dec_and_test(&batch->left))
		complete(&batch->done);
}

static void dm_chain_batch_endio(struct bio *bio)
{
	struct dm_chain_meta_io *io = container_of(bio, struct dm_chain_meta_io,
						   bio);
	struct dm_chain_meta_batch *batch = io->batch;

	if (bio->bi_status && cmpxchg(&batch->bad, -1, io->index) == -1)
		WRITE_ONCE(batch->error, blk_status_to_errno(bio->bi_status));
	bio_put(bio);
	dm_chain_batch_put(batch);
}

void dm_chain_batch_submit(struct dm_chain_meta_batch *batch,
			   struct dm_chain_layer *layer, blk_opf_t opf,
			   u64 offset, void *page, u32 index)
{
	struct bio *bio = bio_alloc_bioset(layer->meta_bdev, 1, opf, GFP_NOIO,
					   &layer->bios);
	struct dm_chain_meta_io *io = container_of(bio, struct dm_chain_meta_io,
						   bio);

	io->batch = batch;
	io->index = index;
	bio->bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	bio->bi_end_io = dm_chain_batch_endio;
	__bio_add_page(bio, virt_to_page(page), DM_CHAIN_PAGE_SIZE,
		       offset_in_page(page));
	atomic_inc(&batch->left);
	submit_bio(bio);
}

int dm_chain_batch_wait(struct dm_chain_meta_batch *batch)
{
	dm_chain_batch_put(batch);
	wait_for_completion_io(&batch->done);
	return batch->error;
}

int dm_chain_meta_rw(struct block_device *bdev, blk_opf_t opf, u64 offset,
		     void *page)
{
	struct bio_vec bv;
	struct bio bio;
	int r;

	bio_init(&bio, bdev, &bv, 1, opf);
	bio.bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	__bio_add_page(&bio, virt_to_page(page), DM_CHAIN_PAGE_SIZE,
		       offset_in_page(page));
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return r;
}

int dm_chain_meta_zeroed(struct block_device *bdev, u64 offset, u64 bytes)
{
	struct dm_chain_buf *buf = dm_chain_buf_alloc(SZ_1M, GFP_NOIO);
	int r = 1;

	if (!buf)
		return -ENOMEM;

	while (bytes && r > 0) {
		size_t n = min_t(u64, bytes, SZ_1M);
		int e;

		/* A constructor holds no bio of its own yet. */
		e = dm_chain_rw(&fs_bio_set, bdev, REQ_OP_READ,
				offset >> SECTOR_SHIFT, buf, 0, n);
		if (e) {
			r = e;
			break;
		}
		r = dm_chain_buf_is_zero(buf, 0, n);
		offset += n;
		bytes -= n;
	}
	dm_chain_buf_free(buf);
	return r;
}

int dm_chain_meta_read_sb(struct block_device *bdev, struct dm_chain_sb *sb,
			  unsigned int *slot, bool *zeroed,
			  struct dm_chain_why *why)
{
	void *page[2] = {};
	unsigned int i;
	int r = 0;

	*zeroed = false;
	if (bdev_nr_bytes(bdev) < DM_CHAIN_SB_OFFSET_B + DM_CHAIN_PAGE_SIZE)
		return dm_chain_refuse(why, -ENODATA,
				       "%pg is too small to hold a layer's metadata",
				       bdev);

	for (i = 0; i < 2; i++) {
		page[i] = kmalloc(DM_CHAIN_PAGE_SIZE, GFP_NOIO);
		if (!page[i]) {
			r = -ENOMEM;
			goto out;
		}
		r = dm_chain_meta_rw(bdev, REQ_OP_READ, dm_chain_sb_offset(i),
				     page[i]);
		if (r) {
			r = dm_chain_refuse(why, r,
					    "%pg: superblock slot %c cannot be read: error %d",
					    bdev, 'A' + i, r);
			goto out;
		}
	}
	*zeroed = !memchr_inv(page[0], 0, DM_CHAIN_PAGE_SIZE) &&
		  !memchr_inv(page[1], 0, DM_CHAIN_PAGE_SIZE);
	r = dm_chain_sb_pick((const void **)page, sb, slot, why);
	if (!r)
		r = dm_chain_seq_check(DM_CHAIN_SB_MAGIC, 0, sb->seq, why);
out:
	kfree(page[0]);
	kfree(page[1]);
	return r;
}

static int dm_chain_meta_put_sb(struct dm_chain_layer *layer, unsigned int slot,
				blk_opf_t flags)
{
	int r;

	lockdep_assert_held(&layer->meta_lock);
	/* What the format rules out could never be read again. */
	r = dm_chain_sb_check(&layer->next, NULL);
	if (WARN_ON_ONCE(r))
		return r;
	dm_chain_sb_encode(layer->page, &layer->next);
	r = dm_chain_meta_rw(layer->meta_bdev,
			     REQ_OP_WRITE | REQ_SYNC | REQ_META | flags,
			     dm_chain_sb_offset(slot), layer->page);
	if (r)
		DMERR_LIMIT("%pg: writing the superblock failed: error %d",
			    layer->meta_bdev, r);
	return r;
}

int dm_chain_meta_write_sb(struct dm_chain_layer *layer)
{
	unsigned int slot = !layer->sb_slot;
	int r;

	layer->next.seq = layer->seq++;
	r = dm_chain_meta_put_sb(layer, slot, REQ_PREFLUSH | REQ_FUA);
	if (r) {
		layer->doubtful_flags |= layer->next.flags ^ layer->sb.flags;
		if (!dm_chain_uuid_equal(layer->next.overlay_uuid,
					 layer->sb.overlay_uuid))
			layer->doubtful_flags |= DM_CHAIN_F_HAS_OVERLAY;
		return r;
	}

	layer->sb_slot = slot;
	/*
	 * Who does not hold the lock looks at what never changes; at the backing, which
	 * is another only under the chain->lock of the one device that may change it;
	 * and, for what is shown or refused, at flags and generation of a moment ago.
	 */
	data_race(memcpy(&layer->sb, &layer->next, sizeof(layer->sb)));
	layer->doubtful_flags = 0;
	layer->meta_flushed = true;
	return 0;
}

int dm_chain_meta_format(struct dm_chain_layer *layer)
{
	struct dm_chain_disk_page *page;
	unsigned int slot;
	u32 i;
	int r = 0;

	lockdep_assert_held(&layer->meta_lock);
	page = kzalloc(sizeof(*page), GFP_NOIO);
	if (!page)
		return -ENOMEM;

	for (i = 0; i < layer->geo.dir_pages && !r; i++) {
		dm_chain_page_seal(page, DM_CHAIN_DIR_MAGIC, layer->sb.uuid, i,
				   layer->seq);
		for (slot = 0; slot < 2 && !r; slot++)
			r = dm_chain_meta_rw(layer->meta_bdev, REQ_OP_WRITE,
					     dm_chain_dir_offset(&layer->geo,
								 slot, i),
					     page);
	}
	kfree(page);
	if (r)
		return r;

	layer->seq++;
	layer->next = layer->sb;
	layer->next.seq = layer->seq++;
	for (slot = 0; slot < 2; slot++) {
		r = dm_chain_meta_put_sb(layer, slot, REQ_PREFLUSH | REQ_FUA);
		if (r)
			return r;
	}
	layer->sb = layer->next;
	layer->sb_slot = 1;
	layer->to_format = false;
	layer->loaded = true;
	layer->meta_flushed = true;
	return 0;
}

/* The two slots of up to DM_CHAIN_BATCH pages, while loading. */
struct dm_chain_load {
	struct dm_chain_layer *layer;
	struct dm_chain_disk_page *page[2][DM_CHAIN_BATCH];
	u32 index[DM_CHAIN_BATCH];
	unsigned int nr;
};

static void dm_chain_load_free(struct dm_chain_load *load)
{
	unsigned int i;

	for (i = 0; i < DM_CHAIN_BATCH; i++) {
		kfree(load->page[0][i]);
		kfree(load->page[1][i]);
	}
	kfree(load);
}

static struct dm_chain_load *dm_chain_load_alloc(struct dm_chain_layer *layer)
{
	struct dm_chain_load *load = kzalloc(sizeof(*load), GFP_KERNEL);
	unsigned int i;

	if (!load)
		return NULL;
	load->layer = layer;
	for (i = 0; i < DM_CHAIN_BATCH; i++) {
		load->page[0][i] = kmalloc(DM_CHAIN_PAGE_SIZE, GFP_KERNEL);
		load->page[1][i] = kmalloc(DM_CHAIN_PAGE_SIZE, GFP_KERNEL);
		if (!load->page[0][i] || !load->page[1][i]) {
			dm_chain_load_free(load);
			return NULL;
		}
	}
	return load;
}

/* Read both slots of the pages in load->index. */
static int dm_chain_load_read(struct dm_chain_load *load, bool dir,
			      struct dm_chain_why *why)
{
	struct dm_chain_layer *layer = load->layer;
	struct dm_chain_meta_batch batch;
	unsigned int i, slot;
	int r;

	dm_chain_batch_init(&batch);
	for (i = 0; i < load->nr; i++) {
		u32 index = load->index[i];

		for (slot = 0; slot < 2; slot++) {
			u64 offset = dir ?
				dm_chain_dir_offset(&layer->geo, slot, index) :
				dm_chain_map_offset(&layer->geo, slot, index);

			dm_chain_batch_submit(&batch, layer, REQ_OP_READ, offset,
					      load->page[slot][i], index);
		}
	}
	r = dm_chain_batch_wait(&batch);
	if (r)
		return dm_chain_refuse(why, r,
				       "layer %s: %s page %d cannot be read: error %d",
				       layer->sb.name, dir ? "directory" : "map",
				       batch.bad, r);
	return 0;
}

/* Choose the slot of page @i of the batch; note what has to be written again. */
static int dm_chain_load_pick(struct dm_chain_load *load, unsigned int i,
			      bool dir, unsigned int *slot, bool *torn,
			      struct dm_chain_why *why)
{
	const char *magic = dir ? DM_CHAIN_DIR_MAGIC : DM_CHAIN_MAP_MAGIC;
	struct dm_chain_layer *layer = load->layer;
	const struct dm_chain_disk_page *page[2] = {
		load->page[0][i], load->page[1][i]
	};
	u64 seq;
	int r;

	r = dm_chain_page_pick(page, magic, layer->sb.uuid, load->index[i],
			       layer->sb.flags & DM_CHAIN_F_CLEAN, slot, torn,
			       why);
	if (r)
		return r;
	seq = dm_chain_page_seq(page[*slot]);
	r = dm_chain_seq_check(magic, load->index[i], seq, why);
	if (!r)
		layer->seq = max(layer->seq, seq + 1);
	return r;
}

static int dm_chain_load_dir(struct dm_chain_load *load,
			     struct dm_chain_why *why)
{
	struct dm_chain_layer *layer = load->layer;
	u32 d;

	for (d = 0; d < layer->geo.dir_pages; d++) {
		u32 first = d * DM_CHAIN_PAGES_PER_DIR, n;
		unsigned int slot;
		bool torn = false;
		int r;

		load->index[0] = d;
		load->nr = 1;
		r = dm_chain_load_read(load, true, why);
		if (!r)
			r = dm_chain_load_pick(load, 0, true, &slot, &torn, why);
		if (r)
			return r;

		if (slot)
			__set_bit(d, layer->dir_slot_b);
		if (torn)
			__set_bit(d, layer->dir_torn);
		for (n = 0; n < DM_CHAIN_PAGES_PER_DIR; n++) {
			if (!dm_chain_dir_get(load->page[slot][0]->payload, n))
				continue;
			if (n >= layer->nr_pages - first)
				return dm_chain_refuse(why, -EBADMSG,
						       "layer %s: directory page %u names map page %u of %u",
						       layer->sb.name, d,
						       first + n,
						       layer->nr_pages);
			__set_bit(first + n, layer->written);
		}
	}
	return 0;
}

void dm_chain_layer_recount(struct dm_chain_layer *layer, u32 page,
			    const u8 *payload)
{
	u32 *count = &layer->counts[page];
	u32 data, zero;

	dm_chain_state_count(payload, &data, &zero);
	/* dm_chain_layer_counts() does not always get the lock. */
	WRITE_ONCE(layer->allocated, layer->allocated + data - (*count & 0xffff));
	WRITE_ONCE(layer->zeroes, layer->zeroes + zero - (*count >> 16));
	*count = data | zero << 16;
}

static int dm_chain_load_maps(struct dm_chain_load *load,
			      int (*apply)(void *data, u32 page,
					   const u8 *payload),
			      void *data, struct dm_chain_why *why)
{
	struct dm_chain_layer *layer = load->layer;
	unsigned long next = find_first_bit(layer->written, layer->nr_pages);

	while (next < layer->nr_pages) {
		unsigned int i;
		int r;

		for (load->nr = 0;
		     load->nr < DM_CHAIN_BATCH && next < layer->nr_pages;
		     next = find_next_bit(layer->written, layer->nr_pages,
					  next + 1))
			load->index[load->nr++] = next;

		r = dm_chain_load_read(load, false, why);
		if (r)
			return r;
		for (i = 0; i < load->nr; i++) {
			const u8 *payload;
			unsigned int slot;
			bool torn = false;

			r = dm_chain_load_pick(load, i, false, &slot, &torn,
					       why);
			if (r)
				return r;
			if (slot)
				__set_bit(load->index[i], layer->slot_b);
			if (torn)
				dm_chain_pageset_add(&layer->torn,
						     load->index[i]);
			payload = load->page[slot][i]->payload;
			dm_chain_layer_recount(layer, load->index[i], payload);
			r = apply ? apply(data, load->index[i], payload) : 0;
			if (r)
				return r;
		}
		cond_resched();
	}
	return 0;
}

/*
 * Does the map page say anything? An active layer's may be in the owner map alone,
 * until a commit has written it for the first time. No commit is between here:
 * it holds meta_lock from taking a page until that is named or dirty again.
 */
static bool dm_chain_has_states(struct dm_chain_layer *layer, u32 page)
{
	bool has;

	mutex_lock(&layer->meta_lock);
	has = test_bit(page, layer->written) || xa_load(&layer->pages, page) ||
	      (layer->owner && dm_chain_pageset_has(&layer->dirty, page));
	mutex_unlock(&layer->meta_lock);
	return has;
}

/* A layer whose bitmaps are in core already: take its states page by page. */
static int dm_chain_meta_reload(struct dm_chain_layer *layer,
				int (*apply)(void *data, u32 page,
					     const u8 *payload),
				void *data, struct dm_chain_why *why)
{
	u8 *payload = kmalloc(DM_CHAIN_PAYLOAD, GFP_KERNEL);
	u32 page;
	int r = 0;

	if (!payload)
		return -ENOMEM;
	for (page = 0; page < layer->nr_pages && !r; page++) {
		if (!dm_chain_has_states(layer, page))
			continue;
		r = dm_chain_meta_read_states(layer, page, payload);
		if (r)
			r = dm_chain_refuse(why, r,
					    "layer %s: map page %u cannot be read: error %d",
					    layer->sb.name, page, r);
		else
			r = apply(data, page, payload);
	}
	kfree(payload);
	return r;
}

int dm_chain_meta_load(struct dm_chain_layer *layer,
		       int (*apply)(void *data, u32 page, const u8 *payload),
		       void *data, struct dm_chain_why *why)
{
	struct dm_chain_load *load;
	int r;

	if (layer->loaded)
		return apply ? dm_chain_meta_reload(layer, apply, data, why) : 0;

	load = dm_chain_load_alloc(layer);
	if (!load)
		return -ENOMEM;
	mutex_lock(&layer->meta_lock);
	r = dm_chain_load_dir(load, why);
	if (!r)
		r = dm_chain_load_maps(load, apply, data, why);
	if (!r)
		layer->loaded = true;
	mutex_unlock(&layer->meta_lock);
	dm_chain_load_free(load);
	return r;
}

u32 dm_chain_meta_next_states(struct dm_chain_layer *layer, u32 page)
{
	unsigned long core = page;
	u32 next = page;

	mutex_lock(&layer->meta_lock);
	/* An active layer's are in the owner map. */
	if (!layer->owner) {
		next = find_next_bit(layer->written, layer->nr_pages, page);
		if (xa_find(&layer->pages, &core, next, XA_PRESENT))
			next = min_t(u32, next, core);
	}
	mutex_unlock(&layer->meta_lock);
	return next;
}

int dm_chain_meta_read_states(struct dm_chain_layer *layer, u32 page,
			      u8 *payload)
{
	struct dm_chain_disk_page *disk;
	unsigned int slot;
	int r = 0;

	mutex_lock(&layer->meta_lock);
	if (dm_chain_core_states(layer, page, payload))
		goto out;
	if (!test_bit(page, layer->written)) {
		memset(payload, 0, DM_CHAIN_PAYLOAD);
		goto out;
	}

	disk = kmalloc(sizeof(*disk), GFP_NOIO);
	if (!disk) {
		r = -ENOMEM;
		goto out;
	}
	slot = test_bit(page, layer->slot_b);
	r = dm_chain_meta_rw(layer->meta_bdev, REQ_OP_READ,
			     dm_chain_map_offset(&layer->geo, slot, page), disk);
	if (!r && (dm_chain_slot_classify(disk, DM_CHAIN_MAP_MAGIC) !=
		   DM_CHAIN_SLOT_GOOD || le64_to_cpu(disk->index) != page ||
		   !dm_chain_uuid_equal(disk->uuid, layer->sb.uuid))) {
		DMERR_LIMIT("layer %s: map page %u, slot %c, is damaged",
			    layer->sb.name, page, 'A' + slot);
		r = -EBADMSG;
	}
	if (!r)
		memcpy(payload, disk->payload, DM_CHAIN_PAYLOAD);
	kfree(disk);
out:
	mutex_unlock(&layer->meta_lock);
	return r;
}
