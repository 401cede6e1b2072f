// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the constructor and the destructor of a table.
 *
 * The constructor opens every device of the line, finds out what lies there,
 * resolves the chain, closes what is not part of it and takes the layer objects
 * of the rest. All checks that can refuse are here. It writes nothing: the old
 * table may be live and writing.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uuid.h>

#include "dm-chain.h"
#include "dm-chain-readcopy.h"

/* What was found behind one entry of the line. */
struct dm_chain_found {
	struct dm_dev *data;
	struct dm_dev *meta;
	struct dm_chain_sb sb;
	unsigned int slot;
	bool writable;
	bool has_sb;		/* of a raw entry: it carries a superblock */
	bool zeroed;
	bool to_format;
	struct dm_chain_why why;	/* why it is absent */
};

struct dm_chain_ctor {
	struct dm_target *ti;
	struct dm_chain_table *t;
	struct dm_chain_line line;
	struct dm_chain_found found[DM_CHAIN_MAX_LAYERS];
	struct dm_chain_candidate c[DM_CHAIN_MAX_LAYERS];
	unsigned int chain[DM_CHAIN_MAX_LAYERS];
	unsigned int nr;
	struct dm_chain_why why;
};

static struct block_device *dm_chain_meta_bdev(const struct dm_chain_found *f)
{
	return f->meta ? f->meta->bdev : NULL;
}

/* Has an entry above, or the data of this one, opened it? */
static bool dm_chain_opened(const struct dm_chain_ctor *x,
			    const struct dm_dev *dev)
{
	unsigned int i;

	for (i = 0; i < x->line.nr_layers; i++)
		if (x->found[i].data == dev || x->found[i].meta == dev)
			return true;
	return false;
}

/*
 * A dm_dev that was got for reading is freed under who has it when it is asked for
 * once more, for writing as well. So that is asked only of a device that nobody here
 * has yet: raw bases, which are only read, come last.
 */
static struct dm_dev *dm_chain_open(struct dm_chain_ctor *x, const char *path,
				    bool *writable, struct dm_chain_why *why)
{
	struct dm_dev *dev;
	int r;

	r = dm_get_device(x->ti, path, BLK_OPEN_READ, &dev);
	/* That a device is read-only may show only when it is written. */
	if (!r && *writable && bdev_read_only(dev->bdev)) {
		*writable = false;
	} else if (!r && *writable && dm_chain_opened(x, dev)) {
		*writable = dev->mode & BLK_OPEN_WRITE;
	} else if (!r && *writable) {
		dm_put_device(x->ti, dev);
		r = dm_get_device(x->ti, path, BLK_OPEN_READ | BLK_OPEN_WRITE,
				  &dev);
		if (r == -EACCES || r == -EROFS || r == -EPERM) {
			*writable = false;
			r = dm_get_device(x->ti, path, BLK_OPEN_READ, &dev);
		}
	}
	if (r)
		return ERR_PTR(dm_chain_refuse(why, r,
					       "%s cannot be opened: error %d",
					       path, r));
	return dev;
}

static void dm_chain_close(struct dm_chain_ctor *x, struct dm_chain_found *f)
{
	if (f->meta && f->meta != f->data)
		dm_put_device(x->ti, f->meta);
	if (f->data)
		dm_put_device(x->ti, f->data);
	f->meta = NULL;
	f->data = NULL;
}

/*
 * An entry whose devices are not there may belong to a chain that was cut
 * short. Of one that there was no memory to look at nothing is known: the load
 * fails with that, not with a layer that is missing.
 */
static int dm_chain_entry_error(struct dm_chain_ctor *x, unsigned int i, int r)
{
	if (r != -ENOMEM)
		return 0;
	return dm_chain_refuse(&x->why, r, "layer %s: out of memory",
			       x->line.layer[i].name);
}

/* Open one entry's devices, an inline one once. */
static int dm_chain_open_entry(struct dm_chain_ctor *x, unsigned int i)
{
	const struct dm_chain_line_layer *l = &x->line.layer[i];
	struct dm_chain_found *f = &x->found[i];
	struct dm_dev *dev;
	bool data_writable;

	f->writable = l->meta && !x->t->read_only;
	data_writable = f->writable;
	dev = dm_chain_open(x, l->data, &data_writable, &f->why);
	if (IS_ERR(dev))
		return dm_chain_entry_error(x, i, PTR_ERR(dev));
	f->data = dev;
	if (!l->meta)
		return 0;
	if (!strcmp(l->data, l->meta)) {
		f->meta = f->data;
		f->writable = data_writable;
		return 0;
	}
	dev = dm_chain_open(x, l->meta, &f->writable, &f->why);
	f->writable &= data_writable;
	if (IS_ERR(dev)) {
		dm_chain_close(x, f);
		return dm_chain_entry_error(x, i, PTR_ERR(dev));
	}
	f->meta = dev;
	if (f->meta->bdev == f->data->bdev) {
		/* Two names of one device: a second count on one dm_dev. */
		dm_put_device(x->ti, f->meta);
		f->meta = f->data;
	}
	return 0;
}

static int dm_chain_check_self(struct dm_chain_ctor *x, unsigned int i)
{
	dev_t self = disk_devt(dm_disk(x->t->md));
	struct dm_chain_found *f = &x->found[i];

	if ((f->data && f->data->bdev->bd_dev == self) ||
	    (f->meta && f->meta->bdev->bd_dev == self))
		return dm_chain_refuse(&x->why, -EINVAL,
				       "layer %s is the device itself",
				       x->line.layer[i].name);
	return 0;
}

/* Take the superblock from core if the layer is in use, else read it. */
static int dm_chain_find_sb(struct dm_chain_ctor *x, struct dm_chain_found *f,
			    struct block_device *bdev)
{
	struct dm_chain_layer *layer = dm_chain_layer_find(bdev->bd_dev);

	if (!layer || dm_chain_layer_raw(layer))
		return dm_chain_meta_read_sb(bdev, &f->sb, &f->slot, &f->zeroed,
					     &f->why);
	mutex_lock(&layer->meta_lock);
	f->sb = layer->sb;
	f->slot = layer->sb_slot;
	f->to_format = layer->to_format;
	mutex_unlock(&layer->meta_lock);
	return 0;
}

static int dm_chain_look(struct dm_chain_ctor *x, unsigned int i)
{
	const struct dm_chain_line_layer *l = &x->line.layer[i];
	struct dm_chain_candidate *c = &x->c[i];
	struct dm_chain_found *f = &x->found[i];
	int r;

	c->name = l->name;
	c->absent_why = f->why.text;
	c->raw = !l->meta;
	c->absent = !f->data;
	if (c->absent)
		return 0;

	if (c->raw) {
		c->size = bdev_nr_bytes(f->data->bdev);
		r = dm_chain_find_sb(x, f, f->data->bdev);
		/* Damaged or from the future, it is still a layer's. */
		f->has_sb = !r || r == -EBADMSG || r == -EINVAL ||
			    r == -EOPNOTSUPP;
		return dm_chain_entry_error(x, i, r);
	}
	r = dm_chain_find_sb(x, f, f->meta->bdev);
	if (!r) {
		c->sb = &f->sb;
		return 0;
	}
	c->absent = true;
	if (f->zeroed)
		dm_chain_refuse(&f->why, 0,
				"%s holds nothing but zeros; the word 'format' in the table line formats it",
				f->meta->name);
	return dm_chain_entry_error(x, i, r);
}

/* ---- formatting: in core here, on the device in preresume ---- */

static u32 dm_chain_format_block_size(struct dm_chain_ctor *x)
{
	unsigned int i;

	if (x->line.block_size)
		return x->line.block_size << SECTOR_SHIFT;
	for (i = 0; i < x->line.nr_layers; i++)
		if (x->c[i].sb)
			return x->c[i].sb->block_size;
	return DM_CHAIN_MIN_BLOCK;
}

/*
 * A kernel name would be no hint, it may be another device's next time; nor would
 * a part of a path that does not fit.
 */
static void dm_chain_format_hint(char hint[DM_CHAIN_PATH_LEN], const char *path)
{
	if (path[0] == '/' && dm_chain_path_valid(path))
		strscpy(hint, path, DM_CHAIN_PATH_LEN);
}

static void dm_chain_format_backing(struct dm_chain_ctor *x, unsigned int i,
				    struct dm_chain_backing *backing)
{
	const struct dm_chain_candidate *below = i ? &x->c[i - 1] : NULL;

	if (!below) {
		backing->kind = DM_CHAIN_BACKING_NONE;
	} else if (below->raw) {
		backing->kind = DM_CHAIN_BACKING_RAW;
		backing->size = below->size;
	} else {
		/* Generation 0: bound in preresume. */
		backing->kind = DM_CHAIN_BACKING_LAYER;
		memcpy(backing->uuid, below->sb->uuid, DM_CHAIN_UUID_LEN);
		backing->size = below->sb->size;
	}
	if (below)
		dm_chain_format_hint(backing->path, below->raw ?
				     x->line.layer[i - 1].data :
				     x->line.layer[i - 1].meta);
}

static int dm_chain_format_core(struct dm_chain_ctor *x, unsigned int i,
				u32 block_size)
{
	struct dm_chain_found *f = &x->found[i];
	struct dm_chain_sb *sb = &f->sb;
	struct dm_chain_geometry geo;
	u64 room;
	int r;

	memset(sb, 0, sizeof(*sb));
	generate_random_uuid(sb->uuid);
	strscpy(sb->name, x->line.layer[i].name, sizeof(sb->name));
	sb->block_size = block_size;
	sb->size = (u64)x->ti->len << SECTOR_SHIFT;
	sb->max_size = 4 * sb->size;
	sb->generation = 1;
	sb->flags = DM_CHAIN_F_CLEAN;
	sb->data_size = bdev_nr_bytes(f->data->bdev);
	if (f->meta != f->data)
		dm_chain_format_hint(sb->data_path, x->line.layer[i].data);
	dm_chain_format_backing(x, i, &sb->backing);

	r = dm_chain_geometry_init(&geo, block_size, sb->max_size, &x->why);
	if (r)
		return r;
	sb->data_offset = f->meta == f->data ? geo.data_offset : 0;
	room = sb->data_offset ? sb->data_offset : geo.end;
	if (bdev_nr_bytes(f->meta->bdev) < room)
		return dm_chain_refuse(&x->why, -ENOSPC,
				       "layer %s: %s has no room for %llu bytes of metadata",
				       sb->name, f->meta->name, room);
	r = dm_chain_meta_zeroed(f->meta->bdev, 0, room);
	if (r < 0)
		return dm_chain_refuse(&x->why, r,
				       "layer %s: the metadata area cannot be read: error %d",
				       sb->name, r);
	if (!r)
		return dm_chain_refuse(&x->why, -EINVAL,
				       "layer %s is not formatted: its superblock is zeros, but not the whole metadata area of %llu bytes on %s; \"chainsetup format\" formats it all the same",
				       sb->name, room, f->meta->name);
	f->to_format = true;
	x->c[i].sb = sb;
	x->c[i].absent = false;
	return 0;
}

/*
 * Without the word a zeroed layer is one that is absent: a job may have dropped it,
 * and what was dropped may be wiped.
 */
static int dm_chain_format_all(struct dm_chain_ctor *x)
{
	unsigned int i, n = x->line.nr_layers;
	bool zeroed = false;
	u32 block_size = dm_chain_format_block_size(x);
	int r = 0;

	for (i = 0; i < n && !r; i++) {
		struct dm_chain_found *f = &x->found[i];

		if (x->c[i].raw || !f->data)
			continue;
		if (!f->zeroed) {
			if (zeroed && x->c[i].sb && !f->to_format)
				return dm_chain_refuse(&x->why, -EINVAL,
						       "layer %s is formatted but a layer below it holds nothing but zeros",
						       x->line.layer[i].name);
			continue;
		}
		zeroed = true;
		if (x->t->read_only)
			return dm_chain_refuse(&x->why, -EROFS,
					       "layer %s cannot be formatted under read_only",
					       x->line.layer[i].name);
		if (i && x->c[i - 1].absent)
			return dm_chain_refuse(&x->why, -EINVAL,
					       "layer %s cannot be formatted: the layer below it is missing: %s",
					       x->line.layer[i].name,
					       x->found[i - 1].why.text);
		r = dm_chain_format_core(x, i, block_size);
	}
	return r;
}

/* ---- checks of the effective chain ---- */

/* Bios are cut where a layer ends, and the rest may go to any other one. */
static unsigned int dm_chain_max_lbs(struct dm_chain_ctor *x)
{
	unsigned int i, lbs = SECTOR_SIZE;

	for (i = 0; i < x->nr; i++)
		lbs = max_t(unsigned int, lbs,
			    bdev_logical_block_size(x->found[x->chain[i]].data->bdev));
	return lbs;
}

static int dm_chain_check_devices(struct dm_chain_ctor *x, unsigned int i)
{
	struct dm_chain_found *f = &x->found[i];
	const char *name = x->line.layer[i].name;
	struct block_device *meta = dm_chain_meta_bdev(f);
	unsigned int lbs = dm_chain_max_lbs(x);
	struct dm_chain_geometry geo;
	u64 end;

	if (bdev_is_zoned(f->data->bdev) || (meta && bdev_is_zoned(meta)))
		return dm_chain_refuse(&x->why, -EINVAL,
				       "layer %s is on a zoned device", name);
	if (f->has_sb)
		return dm_chain_refuse(&x->why, -EINVAL,
				       "layer %s is named as a raw base, but %s carries the superblock of a layer",
				       name, f->data->name);
	if (!meta)
		return 0;

	dm_chain_geometry_init(&geo, f->sb.block_size, f->sb.max_size, NULL);
	if (bdev_nr_bytes(meta) < geo.end)
		return dm_chain_refuse(&x->why, -EINVAL,
				       "layer %s needs %llu bytes of metadata device %s, which has %llu",
				       name, geo.end, f->meta->name,
				       bdev_nr_bytes(meta));
	end = f->sb.data_offset + f->sb.size;
	if (bdev_nr_bytes(f->data->bdev) < end)
		return dm_chain_refuse(&x->why, -EINVAL,
				       "layer %s needs %llu bytes of %s, which has %llu",
				       name, end, f->data->name,
				       bdev_nr_bytes(f->data->bdev));
	if (!f->sb.data_offset && meta == f->data->bdev)
		return dm_chain_refuse(&x->why, -EINVAL,
				       "layer %s was formatted with a metadata device of its own, the line names one device twice",
				       name);
	if (f->sb.data_offset && meta != f->data->bdev)
		return dm_chain_refuse(&x->why, -EINVAL,
				       "layer %s has its metadata inline, the line names two devices",
				       name);
	if (f->sb.block_size < lbs || f->sb.size & (lbs - 1) ||
	    bdev_logical_block_size(meta) > DM_CHAIN_PAGE_SIZE)
		return dm_chain_refuse(&x->why, -EINVAL,
				       "layer %s does not fit logical blocks of %u bytes",
				       name, lbs);
	if (x->line.block_size &&
	    f->sb.block_size != x->line.block_size << SECTOR_SHIFT)
		return dm_chain_refuse(&x->why, -EINVAL,
				       "layer %s has blocks of %u sectors, the line says block_size %u",
				       name, f->sb.block_size >> SECTOR_SHIFT,
				       x->line.block_size);
	return 0;
}

/*
 * What a raw base shows ends where it does, or where the layer on it recorded its end;
 * bios are cut there.
 */
static int dm_chain_check_raw(struct dm_chain_ctor *x)
{
	const struct dm_chain_found *f = &x->found[x->chain[0]];
	const char *name = x->line.layer[x->chain[0]].name;
	u64 size = bdev_nr_bytes(f->data->bdev), shown = size;
	unsigned int lbs = dm_chain_max_lbs(x);

	if (!x->c[x->chain[0]].raw)
		return 0;
	if (!size)
		return dm_chain_refuse(&x->why, -EINVAL, "layer %s: %s is empty",
				       name, f->data->name);
	if (x->nr > 1)
		shown = dm_chain_raw_shown(size, &x->found[x->chain[1]].sb.backing);
	if ((size | shown) & (lbs - 1))
		return dm_chain_refuse(&x->why, -EINVAL,
				       "layer %s: %s has %llu bytes, of which %llu are shown, and does not fit logical blocks of %u bytes",
				       name, f->data->name, size, shown, lbs);
	return 0;
}

static bool dm_chain_share(const struct dm_chain_found *a,
			   const struct dm_chain_found *b)
{
	return a->data->bdev == b->data->bdev ||
	       dm_chain_meta_bdev(a) == b->data->bdev ||
	       dm_chain_meta_bdev(b) == a->data->bdev ||
	       (a->meta && dm_chain_meta_bdev(a) == dm_chain_meta_bdev(b));
}

/* Of the whole line: that only one of the two may be in use is no excuse. */
static int dm_chain_check_twice(struct dm_chain_ctor *x)
{
	unsigned int i, j;

	for (i = 0; i < x->line.nr_layers; i++)
		for (j = 0; j < i; j++)
			if (x->found[i].data && x->found[j].data &&
			    dm_chain_share(&x->found[i], &x->found[j]))
				return dm_chain_refuse(&x->why, -EINVAL,
						       "layers %s and %s are on the same device",
						       x->line.layer[j].name,
						       x->line.layer[i].name);
	return 0;
}

static int dm_chain_check_all(struct dm_chain_ctor *x)
{
	struct gendisk *disk = dm_disk(x->t->md);
	unsigned int live = queue_logical_block_size(disk->queue);
	u64 size;
	unsigned int i;
	int r = dm_chain_check_raw(x);

	if (r)
		return r;
	for (i = 0; i < x->nr; i++) {
		struct dm_chain_found *f = &x->found[x->chain[i]];
		unsigned int lbs = bdev_logical_block_size(f->data->bdev);

		r = dm_chain_check_devices(x, x->chain[i]);
		if (r)
			return r;
		if (get_capacity(disk) && lbs > live)
			return dm_chain_refuse(&x->why, -EINVAL,
					       "layer %s would raise the logical block size from %u to %u bytes under a live device",
					       x->c[x->chain[i]].name, live, lbs);
	}

	size = x->found[x->chain[x->nr - 1]].sb.size >> SECTOR_SHIFT;
	if (x->ti->len < size)
		return dm_chain_refuse(&x->why, -EINVAL,
				       "the line is %llu sectors long, layer %s has %llu: a layer cannot be shortened",
				       (u64)x->ti->len,
				       x->c[x->chain[x->nr - 1]].name, size);
	/* dm itself looks when the old table is suspended already. */
	if (x->ti->len & ((dm_chain_max_lbs(x) >> SECTOR_SHIFT) - 1))
		return dm_chain_refuse(&x->why, -EINVAL,
				       "the line is %llu sectors long, which does not fit logical blocks of %u bytes",
				       (u64)x->ti->len, dm_chain_max_lbs(x));
	return 0;
}

/* ---- taking the objects ---- */

static int dm_chain_take_layer(struct dm_chain_ctor *x, unsigned int i)
{
	struct dm_chain_found *f = &x->found[i];
	struct dm_chain_entry *e = &x->t->entry[x->t->nr];
	struct block_device *meta = dm_chain_meta_bdev(f);
	struct dm_chain_layer *layer;

	layer = dm_chain_layer_find(meta ? meta->bd_dev : f->data->bdev->bd_dev);
	if (layer && (layer->meta_bdev != meta ||
		      layer->data_bdev != f->data->bdev))
		return dm_chain_refuse(&x->why, -EBUSY,
				       "layer %s: %s is in use as part of another layer",
				       x->c[i].name, f->data->name);
	if (layer) {
		layer->refs++;
		if (f->writable && !layer->writable)
			dm_chain_layer_upgrade(layer);
	} else {
		layer = dm_chain_layer_create(f->data->bdev, meta, x->c[i].sb,
					      f->writable, &x->why);
		if (IS_ERR(layer))
			return PTR_ERR(layer);
		layer->sb_slot = f->slot;
		layer->to_format = f->to_format;
	}
	e->layer = layer;
	e->data = f->data;
	e->meta = f->meta;
	strscpy(e->name, x->c[i].name, sizeof(e->name));
	f->data = NULL;
	f->meta = NULL;
	x->t->nr++;
	return 0;
}

static struct dm_chain *dm_chain_current(struct mapped_device *md)
{
	struct dm_chain *chain;

	list_for_each_entry(chain, &dm_chains, list)
		if (chain->md == md && chain->is_current)
			return chain;
	return NULL;
}

/* Take the live chain over, or build a new one. */
static int dm_chain_take_chain(struct dm_chain_ctor *x)
{
	struct dm_chain_table *t = x->t;
	struct dm_chain_layer *active = t->entry[t->nr - 1].layer;
	struct dm_chain *chain = dm_chain_current(t->md);
	unsigned int first;

	if (chain) {
		mutex_lock(&chain->lock);
		first = dm_chain_prefix(chain, t);
		mutex_unlock(&chain->lock);
		if (first) {
			t->takeover = true;
			t->chain = chain;
			chain->refs++;
			return dm_chain_stage(t, first, &x->why);
		}
	}

	t->chain = dm_chain_create(t->md, active->sb.block_size, x->ti->len);
	if (!t->chain)
		return dm_chain_refuse(&x->why, -ENOMEM, "out of memory");
	mutex_lock(&dm_chains_lock);
	list_add(&t->chain->list, &dm_chains);
	mutex_unlock(&dm_chains_lock);
	return dm_chain_build(t->chain, t, &x->why);
}

static void dm_chain_table_free(struct dm_chain_table *t)
{
	unsigned int i;

	lockdep_assert_held(&dm_chain_registry);
	dm_chain_table_unregister(t);
	dm_chain_readcopy_destroy(t->readcopy);
	if (t->chain) {
		dm_chain_unstage(t);
		dm_chain_put(t->chain);
	}
	for (i = 0; i < t->nr; i++) {
		struct dm_chain_entry *e = &t->entry[i];

		dm_chain_layer_put(e->layer);
		if (e->meta && e->meta != e->data)
			dm_put_device(t->ti, e->meta);
		dm_put_device(t->ti, e->data);
	}
	kfree(t);
}

/*
 * What "copy_on_read" needs. A bottom that the chain does not have any more, says
 * the superblock, was dropped by a job: the layer above counts.
 */
static int dm_chain_take_readcopy(struct dm_chain_ctor *x)
{
	const char *bottom = x->line.copy_on_read_bottom;
	struct dm_chain_table *t = x->t;
	unsigned int i = 0;

	t->copy_on_read = x->line.copy_on_read;
	t->copy_bottom_word = bottom;
	while (bottom && strcmp(x->line.layer[i].name, bottom))
		i++;
	while (x->chain[t->copy_bottom] < i)
		t->copy_bottom++;
	if (!t->copy_on_read || t->read_only)
		return 0;
	t->readcopy = dm_chain_readcopy_create(t->chain);
	return t->readcopy ? 0 :
	       dm_chain_refuse(&x->why, -ENOMEM, "out of memory");
}

/*
 * What device mapper is told of a refusal has to be a constant: which part of it
 * failed. x->why has the names and the numbers.
 */
static int dm_chain_construct(struct dm_chain_ctor *x)
{
	unsigned int i;
	int r;

	lockdep_assert_held(&dm_chain_registry);
	x->ti->error = "a device is named twice, or is the chain's own";
	for (i = x->line.nr_layers; i--;) {
		r = dm_chain_open_entry(x, i);
		if (!r)
			r = dm_chain_check_self(x, i);
		if (!r)
			r = dm_chain_look(x, i);
		if (r)
			return r;
	}
	r = dm_chain_check_twice(x);
	if (r)
		return r;
	if (x->line.format) {
		x->ti->error = "a layer cannot be formatted";
		r = dm_chain_format_all(x);
		if (r)
			return r;
	}
	x->ti->error = "a layer is missing, or not the one that was there";
	r = dm_chain_resolve(x->c, x->line.nr_layers, x->chain, &x->nr, &x->why);
	if (r)
		return r;
	x->ti->error = "a layer does not fit its devices or the table";
	r = dm_chain_check_all(x);
	if (r)
		return r;
	x->ti->error = "a device belongs to another layer";
	for (i = 0; i < x->nr && !r; i++)
		r = dm_chain_take_layer(x, x->chain[i]);
	if (r)
		return r;
	x->ti->error = "the active layer cannot become as long as the table";
	r = dm_chain_grow_check(x->t, &x->why);
	if (r)
		return r;
	x->ti->error = "a layer is in use by another device";
	r = dm_chain_table_register(x->t, &x->why);
	if (r)
		return r;
	x->ti->error = "the map of a layer cannot be read";
	r = dm_chain_take_chain(x);
	return r ? r : dm_chain_take_readcopy(x);
}

int dm_chain_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	unsigned int noio = memalloc_noio_save(), i;
	struct dm_chain_ctor *x;
	struct dm_chain_table *t;
	int r = -ENOMEM;

	x = kvzalloc(sizeof(*x), GFP_KERNEL);
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!x || !t) {
		kfree(t);
		ti->error = "out of memory";
		goto out;
	}
	x->ti = ti;
	x->t = t;
	t->ti = ti;
	t->md = dm_table_get_md(ti->table);
	INIT_LIST_HEAD(&t->list);
	INIT_LIST_HEAD(&t->staged);

	ti->error = "the line cannot be understood";
	r = dm_chain_parse_line(argc, argv, &x->line, &x->why);
	t->read_word = x->line.read_only;
	t->read_only = t->read_word ||
		       !(dm_table_get_mode(ti->table) & BLK_OPEN_WRITE);
	t->no_passdown = x->line.no_discard_passdown;
	t->jobs_paused = x->line.jobs_paused;
	t->block_size = x->line.block_size;

	mutex_lock(&dm_chain_registry);
	if (!r)
		r = dm_chain_construct(x);
	for (i = 0; i < x->line.nr_layers; i++)
		dm_chain_close(x, &x->found[i]);
	if (r)
		dm_chain_table_free(t);
	mutex_unlock(&dm_chain_registry);

	if (r) {
		DMERR("%s: %s", dm_device_name(dm_table_get_md(ti->table)),
		      x->why.text);
		if (r == -ENOMEM)
			ti->error = "out of memory";
		goto out;
	}
	ti->private = t;
	ti->per_io_data_size = sizeof(struct dm_chain_bio);
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	ti->flush_supported = true;
	ti->discards_supported = true;
	ti->limit_swap_bios = true;
out:
	kvfree(x);
	memalloc_noio_restore(noio);
	return r;
}

void dm_chain_dtr(struct dm_target *ti)
{
	struct dm_chain_table *t = ti->private;

	mutex_lock(&dm_chain_registry);
	dm_chain_table_free(t);
	mutex_unlock(&dm_chain_registry);
}
