// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: a table becomes live, and stops being so.
 *
 * preresume takes the chain over from the last table, formats, binds layers to
 * what they rest on, claims the active layer and makes it as long as the table
 * (dm-chain-grow.c). It may fail on I/O errors and on what changed since the
 * constructor looked; it can be repeated.
 *
 * Binding, in this order, so that a power cut in between leaves an overlay that
 * knows its backing and at worst a backing that does not know its overlay:
 *	1. the overlay's superblock records the backing's UUID and generation
 *	2. the backing's says that it has an overlay, and which
 */
#include <linux/sched/mm.h>

#include "dm-chain-job.h"
#include "dm-chain-readcopy.h"

/* A job may have ended since the constructor resolved the chain. */
static bool dm_chain_rests_on(const struct dm_chain_backing *b,
			      const struct dm_chain_layer *below)
{
	switch (b->kind) {
	case DM_CHAIN_BACKING_NONE:
		return false;
	case DM_CHAIN_BACKING_RAW:
		return dm_chain_layer_raw(below);
	case DM_CHAIN_BACKING_LAYER:
		return dm_chain_uuid_equal(b->uuid, below->sb.uuid);
	default:
		return true;
	}
}

/* Layers whose content changed behind their overlay's back. No I/O. */
static int dm_chain_check_generations(struct dm_chain_table *t)
{
	struct dm_chain_layer *above = NULL;
	unsigned int i;

	for (i = t->nr; i--;) {
		struct dm_chain_layer *layer = t->entry[i].layer;
		const struct dm_chain_backing *b;

		if (t->entry[i].dropped)
			continue;
		b = above ? &above->sb.backing : NULL;
		if (b && !dm_chain_rests_on(b, layer)) {
			DMERR("%s: layer %s does not rest on %s any more: load the table again",
			      dm_device_name(t->md), above->sb.name,
			      t->entry[i].name);
			return -ESTALE;
		}
		if (b && b->kind == DM_CHAIN_BACKING_LAYER && b->generation &&
		    b->generation != layer->sb.generation) {
			DMERR("%s: layer %s changed behind overlay %s: generation %llu, not %llu",
			      dm_device_name(t->md), t->entry[i].name,
			      above->sb.name, layer->sb.generation,
			      b->generation);
			return -ESTALE;
		}
		above = layer;
	}
	return 0;
}

static int dm_chain_format(struct dm_chain_table *t)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < t->nr && !r; i++) {
		struct dm_chain_layer *layer = t->entry[i].layer;

		mutex_lock(&layer->meta_lock);
		if (layer->to_format) {
			r = dm_chain_meta_format(layer);
			if (r)
				DMERR("%s: formatting layer %s failed: error %d",
				      dm_device_name(t->md), t->entry[i].name, r);
		}
		mutex_unlock(&layer->meta_lock);
	}
	return r;
}

static bool dm_chain_unbound(const struct dm_chain_backing *b)
{
	return b->kind == DM_CHAIN_BACKING_UNSET ||
	       (b->kind == DM_CHAIN_BACKING_LAYER && !b->generation);
}

void dm_chain_bind_reference(struct dm_chain_backing *b,
			     const struct dm_chain_layer *below)
{
	if (!dm_chain_unbound(b))
		return;
	if (!below) {
		b->kind = DM_CHAIN_BACKING_NONE;
		return;
	}
	b->size = below->size;
	if (dm_chain_layer_raw(below)) {
		b->kind = DM_CHAIN_BACKING_RAW;
	} else {
		b->kind = DM_CHAIN_BACKING_LAYER;
		memcpy(b->uuid, below->sb.uuid, DM_CHAIN_UUID_LEN);
		b->generation = below->sb.generation;
	}
}

/* Step 1. @below is NULL for the lowest layer. */
static int dm_chain_bind_overlay(struct dm_chain_layer *layer,
				 struct dm_chain_layer *below)
{
	int r = 0;

	mutex_lock(&layer->meta_lock);
	if (!dm_chain_unbound(&layer->sb.backing))
		goto out;
	layer->next = layer->sb;
	dm_chain_bind_reference(&layer->next.backing, below);
	r = dm_chain_meta_write_sb(layer);
out:
	mutex_unlock(&layer->meta_lock);
	return r;
}

/* Step 2. */
static int dm_chain_mark_overlay(struct dm_chain_layer *below,
				 const struct dm_chain_layer *overlay)
{
	int r = 0;

	mutex_lock(&below->meta_lock);
	if (!(below->sb.flags & DM_CHAIN_F_HAS_OVERLAY) ||
	    below->doubtful_flags & DM_CHAIN_F_HAS_OVERLAY ||
	    !dm_chain_uuid_equal(below->sb.overlay_uuid, overlay->sb.uuid)) {
		below->next = below->sb;
		below->next.flags |= DM_CHAIN_F_HAS_OVERLAY;
		memcpy(below->next.overlay_uuid, overlay->sb.uuid,
		       DM_CHAIN_UUID_LEN);
		r = dm_chain_meta_write_sb(below);
	}
	mutex_unlock(&below->meta_lock);
	return r;
}

static int dm_chain_bind_layers(struct dm_chain_table *t)
{
	struct dm_chain_layer *below = NULL;
	unsigned int i;
	int r = 0;

	for (i = 0; i < t->nr && !r; i++) {
		struct dm_chain_layer *layer = t->entry[i].layer;

		if (t->entry[i].dropped)
			continue;
		if (!dm_chain_layer_raw(layer) && layer->writable)
			r = dm_chain_bind_overlay(layer, below);
		if (!r && below && !dm_chain_layer_raw(below) &&
		    below->writable)
			r = dm_chain_mark_overlay(below, layer);
		if (r)
			DMERR("%s: binding layer %s failed: error %d",
			      dm_device_name(t->md), t->entry[i].name, r);
		below = layer;
	}
	return r;
}

/* The chain of this table replaces another one of the device. No I/O. */
static int dm_chain_switch(struct dm_chain_table *t)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		if (atomic_long_read(&t->entry[i].layer->changes) !=
		    t->entry[i].changes) {
			DMERR("%s: layer %s was written since the table was loaded: load it again",
			      dm_device_name(t->md), t->entry[i].name);
			return -ESTALE;
		}
	return 0;
}

/* Nobody asks the old one any more: its table is not live. */
static void dm_chain_retire(struct dm_chain *old, struct dm_chain *chain)
{
	struct dm_chain_job *job;

	old->is_current = false;
	dm_chain_jobs_leave(old, chain);
	list_for_each_entry(job, &old->concluded, list)
		job->chain = chain;
	list_splice_tail_init(&old->concluded, &chain->concluded);
}

static void dm_chain_make_current(struct dm_chain *chain)
{
	struct dm_chain *other;

	mutex_lock(&dm_chains_lock);
	list_for_each_entry(other, &dm_chains, list)
		if (other->md == chain->md && other != chain)
			dm_chain_retire(other, chain);
	chain->is_current = true;
	mutex_unlock(&dm_chains_lock);
}

static void dm_chain_warn_rollback(struct dm_chain_table *t)
{
	struct dm_chain_layer *active = t->entry[t->nr - 1].layer;

	if (active->writable && !t->read_only &&
	    active->sb.flags & DM_CHAIN_F_HAS_OVERLAY)
		DMWARN("%s: layer %s has overlay %pUb: invalid after the first write",
		       dm_device_name(t->md), t->entry[t->nr - 1].name,
		       active->sb.overlay_uuid);
}

int dm_chain_preresume(struct dm_target *ti)
{
	struct dm_chain_table *t = ti->private;
	struct dm_chain *chain = t->chain;
	unsigned int noio = memalloc_noio_save();
	int r = 0;

	mutex_lock(&chain->lock);
	if (t->takeover || t->bound)
		r = dm_chain_bind(chain, t);
	else
		r = dm_chain_switch(t);
	if (!r)
		dm_chain_make_current(chain);

	if (!r)
		r = dm_chain_check_generations(t);
	if (!r && !t->read_only) {
		r = dm_chain_format(t);
		if (!r)
			r = dm_chain_bind_layers(t);
	}
	if (!r)
		r = dm_chain_claim(chain, t);
	if (!r) {
		t->bound = true;
		r = dm_chain_grow(chain, t);
		if (!r)
			r = dm_chain_jobs_revive(chain, t);
		if (r)
			dm_chain_release(chain);
	}
	if (!r) {
		dm_chain_readcopy_bind(t);
		dm_chain_warn_rollback(t);
	}
	mutex_unlock(&chain->lock);
	/* What grew in vain has started it, and no suspend will come. */
	if (r)
		cancel_delayed_work_sync(&chain->timed_work);
	memalloc_noio_restore(noio);
	return r;
}

/*
 * All guest bios have completed and jobs have stopped. What is left is the
 * target's own: commits, and discards on their way down.
 */
void dm_chain_postsuspend(struct dm_target *ti)
{
	struct dm_chain_table *t = ti->private;
	struct dm_chain *chain = t->chain;
	unsigned int noio = memalloc_noio_save();

	if (chain->live == t) {
		dm_chain_readcopy_stop(t->readcopy);
		dm_chain_readcopy_wait(t->readcopy);
		dm_chain_passdown_cancel(chain);
		cancel_delayed_work_sync(&chain->timed_work);
		flush_work(&chain->commit_work);
		mutex_lock(&chain->lock);
		dm_chain_release(chain);
		mutex_unlock(&chain->lock);
	}
	memalloc_noio_restore(noio);
}
