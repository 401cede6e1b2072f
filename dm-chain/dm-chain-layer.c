// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the registry of layers.
 *
 * Two tables can name one layer: the live and the inactive table of a device
 * (LVM loads before it suspends), and the tables of several devices on one
 * golden base. There is one object for it, so that nobody trusts a copy of a
 * map that somebody else changes.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>

#include "dm-chain.h"

/* See "Locking" in dm-chain.h. */
DEFINE_MUTEX(dm_chain_registry);
/* See "Locking" in dm-chain.h. */
DEFINE_MUTEX(dm_chains_lock);
LIST_HEAD(dm_chain_tables);
LIST_HEAD(dm_chains);
static LIST_HEAD(dm_chain_layers);

struct dm_chain_layer *dm_chain_layer_find(dev_t key)
{
	struct dm_chain_layer *layer;

	lockdep_assert_held(&dm_chain_registry);
	list_for_each_entry(layer, &dm_chain_layers, list)
		if (layer->key == key)
			return layer;
	return NULL;
}

static void dm_chain_layer_free(struct dm_chain_layer *layer)
{
	unsigned long p;
	void *page;
	int i;

	xa_for_each(&layer->pages, p, page)
		kfree(page);
	xa_destroy(&layer->pages);
	for (i = 0; layer->commit_buf && i < DM_CHAIN_BATCH; i++)
		kfree(layer->commit_buf[i]);
	kfree(layer->commit_buf);
	kfree(layer->commit_index);
	kvfree(layer->written);
	kvfree(layer->slot_b);
	dm_chain_pageset_exit(&layer->torn);
	dm_chain_pageset_exit(&layer->dirty);
	dm_chain_pageset_exit(&layer->committing);
	bitmap_free(layer->dir_slot_b);
	bitmap_free(layer->dir_torn);
	kvfree(layer->counts);
	kfree(layer->page);
	bioset_exit(&layer->bios);
	mutex_destroy(&layer->meta_lock);
	kfree(layer);
}

/* Freed by kvfree(): large layers have bitmaps of more than a few pages. */
static unsigned long *dm_chain_bitmap(u32 bits)
{
	return kvcalloc(BITS_TO_LONGS(bits), sizeof(long),
			GFP_KERNEL | __GFP_NOWARN);
}

static int dm_chain_layer_init_meta(struct dm_chain_layer *layer,
				    const struct dm_chain_sb *sb,
				    struct dm_chain_why *why)
{
	u32 pages, dirs;
	int r;

	layer->sb = *sb;
	r = dm_chain_geometry_init(&layer->geo, sb->block_size, sb->max_size,
				   why);
	if (r)
		return r;

	layer->size = sb->size;
	layer->data_start = sb->data_offset >> SECTOR_SHIFT;
	layer->seq = sb->seq + 1;
	layer->nr_pages = layer->geo.map_pages;
	pages = layer->nr_pages;
	dirs = layer->geo.dir_pages;

	layer->page = kmalloc(DM_CHAIN_PAGE_SIZE, GFP_KERNEL);
	layer->written = dm_chain_bitmap(pages);
	layer->slot_b = dm_chain_bitmap(pages);
	layer->dir_slot_b = bitmap_zalloc(dirs, GFP_KERNEL);
	layer->dir_torn = bitmap_zalloc(dirs, GFP_KERNEL);
	layer->counts = kvcalloc(pages, sizeof(*layer->counts),
				 GFP_KERNEL | __GFP_NOWARN);
	if (!layer->page || !layer->written || !layer->slot_b ||
	    !layer->dir_slot_b || !layer->dir_torn || !layer->counts ||
	    dm_chain_pageset_init(&layer->torn, pages) ||
	    dm_chain_pageset_init(&layer->dirty, pages) ||
	    dm_chain_pageset_init(&layer->committing, pages))
		return dm_chain_refuse(why, -ENOMEM, "out of memory");
	return 0;
}

void dm_chain_layer_upgrade(struct dm_chain_layer *layer)
{
	layer->writable = !dm_chain_layer_raw(layer) &&
			  !(layer->sb.flags & DM_CHAIN_F_NEEDS_CHECK) &&
			  !(layer->sb.ro_compat & ~DM_CHAIN_KNOWN_RO_COMPAT);
}

static bool dm_chain_layer_uses(const struct dm_chain_layer *layer,
				const struct block_device *bdev)
{
	return layer->data_bdev->bd_dev == bdev->bd_dev ||
	       (layer->meta_bdev && layer->meta_bdev->bd_dev == bdev->bd_dev);
}

struct dm_chain_layer *dm_chain_layer_create(struct block_device *data,
					     struct block_device *meta,
					     const struct dm_chain_sb *sb,
					     bool writable,
					     struct dm_chain_why *why)
{
	struct dm_chain_layer *layer, *other;
	int r;

	lockdep_assert_held(&dm_chain_registry);
	list_for_each_entry(other, &dm_chain_layers, list) {
		struct block_device *both = dm_chain_layer_uses(other, data) ?
					    data : meta;

		if (both && dm_chain_layer_uses(other, both))
			return ERR_PTR(dm_chain_refuse(why, -EBUSY,
						       "%pg is in use as part of another layer",
						       both));
	}

	layer = kzalloc(sizeof(*layer), GFP_KERNEL);
	if (!layer)
		return ERR_PTR(dm_chain_refuse(why, -ENOMEM, "out of memory"));

	layer->refs = 1;
	layer->data_bdev = data;
	layer->meta_bdev = meta;
	layer->key = meta ? meta->bd_dev : data->bd_dev;
	layer->size = bdev_nr_bytes(data);
	mutex_init(&layer->meta_lock);
	spin_lock_init(&layer->change_lock);
	xa_init(&layer->pages);
	atomic_set(&layer->uncommitted, 0);
	layer->kept_page = DM_CHAIN_NO_PAGE;
	atomic_long_set(&layer->changes, 0);

	r = bioset_init(&layer->bios, BIO_POOL_SIZE, DM_CHAIN_META_PAD,
			BIOSET_NEED_BVECS);
	if (r)
		dm_chain_refuse(why, r, "out of memory");
	else if (meta)
		r = dm_chain_layer_init_meta(layer, sb, why);
	if (r) {
		dm_chain_layer_free(layer);
		return ERR_PTR(r);
	}
	if (writable)
		dm_chain_layer_upgrade(layer);
	list_add(&layer->list, &dm_chain_layers);
	return layer;
}

void dm_chain_layer_put(struct dm_chain_layer *layer)
{
	struct dm_chain *chain;

	lockdep_assert_held(&dm_chain_registry);
	if (--layer->refs)
		return;
	/* A chain that no table could take over is of no use any more. */
	list_for_each_entry(chain, &dm_chains, list)
		dm_chain_forget(chain, layer);
	dm_chain_job_free(layer);
	list_del(&layer->list);
	dm_chain_layer_free(layer);
}

int dm_chain_layer_prepare(struct dm_chain_layer *layer)
{
	void **buf = NULL;
	u32 *index = NULL;
	int i, r = 0;

	mutex_lock(&layer->meta_lock);
	if (layer->commit_buf)
		goto out;

	r = -ENOMEM;
	buf = kcalloc(DM_CHAIN_BATCH, sizeof(*buf), GFP_NOIO);
	index = kcalloc(DM_CHAIN_BATCH, sizeof(*index), GFP_NOIO);
	if (!buf || !index)
		goto free;
	for (i = 0; i < DM_CHAIN_BATCH; i++) {
		buf[i] = kzalloc(DM_CHAIN_PAGE_SIZE, GFP_NOIO);
		if (!buf[i])
			goto free;
	}
	layer->commit_buf = buf;
	layer->commit_index = index;
	r = 0;
out:
	mutex_unlock(&layer->meta_lock);
	return r;
free:
	for (i = 0; buf && i < DM_CHAIN_BATCH; i++)
		kfree(buf[i]);
	kfree(buf);
	kfree(index);
	goto out;
}

struct dm_chain_entry *dm_chain_table_entry(struct dm_chain_table *t,
					    const struct dm_chain_layer *layer)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (t->entry[i].layer == layer)
			return &t->entry[i];
	return NULL;
}

static int dm_chain_check_other(struct dm_chain_table *t,
				struct dm_chain_table *other,
				struct dm_chain_why *why)
{
	unsigned int i;

	for (i = 0; i < t->nr && other->md != t->md; i++) {
		struct dm_chain_layer *layer = t->entry[i].layer;

		if (!dm_chain_table_entry(other, layer))
			continue;
		if (i == t->nr - 1 || layer->job_live ||
		    other->entry[other->nr - 1].layer == layer)
			return dm_chain_refuse(why, -EBUSY,
					       "layer %s is in use by device %s",
					       t->entry[i].name,
					       dm_device_name(other->md));
	}
	return 0;
}

struct dm_chain_table *dm_chain_other_user(const struct dm_chain_layer *layer,
					   const struct mapped_device *md)
{
	struct dm_chain_table *t;

	lockdep_assert_held(&dm_chains_lock);
	list_for_each_entry(t, &dm_chain_tables, list)
		if (t->md != md && dm_chain_table_entry(t, layer))
			return t;
	return NULL;
}

int dm_chain_table_register(struct dm_chain_table *t, struct dm_chain_why *why)
{
	struct dm_chain_table *other;
	int r = 0;

	lockdep_assert_held(&dm_chain_registry);
	/*
	 * A job comes back, or begins, under this lock: it sees this table, or is
	 * seen.
	 */
	mutex_lock(&dm_chains_lock);
	list_for_each_entry(other, &dm_chain_tables, list) {
		r = dm_chain_check_other(t, other, why);
		if (r)
			break;
	}
	if (!r)
		list_add(&t->list, &dm_chain_tables);
	mutex_unlock(&dm_chains_lock);
	return r;
}

void dm_chain_table_unregister(struct dm_chain_table *t)
{
	lockdep_assert_held(&dm_chain_registry);
	mutex_lock(&dm_chains_lock);
	list_del_init(&t->list);
	mutex_unlock(&dm_chains_lock);
}

bool dm_chain_layer_shared(const struct dm_chain_layer *layer,
			   const struct mapped_device *md)
{
	bool shared;

	mutex_lock(&dm_chains_lock);
	shared = dm_chain_other_user(layer, md);
	mutex_unlock(&dm_chains_lock);
	return shared;
}

unsigned int dm_chain_layer_users(struct dm_chain_layer *layer)
{
	struct dm_chain_table *t, *earlier;
	unsigned int n = 0;

	mutex_lock(&dm_chains_lock);
	list_for_each_entry(t, &dm_chain_tables, list) {
		bool counted = !dm_chain_table_entry(t, layer);

		list_for_each_entry(earlier, &dm_chain_tables, list) {
			if (counted || earlier == t)
				break;
			counted = earlier->md == t->md &&
				  dm_chain_table_entry(earlier, layer);
		}
		n += !counted;
	}
	mutex_unlock(&dm_chains_lock);
	return n;
}
