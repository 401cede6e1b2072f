// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the chain of a mapped device: which layers, in which order, and
 * the owner map over them.
 *
 * Built once from the maps of all layers, it is then handed from table to
 * table: layers put on top or dropped change a few slots and nothing else, so
 * the pause of a live snapshot grows neither with size nor with depth.
 *
 * Reads of layers below the active one are counted in an epoch from the look-up
 * to their completion. Who shortens the chain starts a new epoch and waits for
 * the old one. A reader takes the epoch pointer before it looks the owner up
 * and the reference before it leaves the RCU section, so either it finds the
 * new owner or the drain waits for it.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "dm-chain.h"

/* ---- epochs ---- */

static void dm_chain_epoch_release(struct percpu_ref *ref)
{
	struct dm_chain_epoch *epoch = container_of(ref, struct dm_chain_epoch,
						    ref);

	complete(&epoch->drained);
}

struct dm_chain_epoch *dm_chain_epoch_get(struct dm_chain *chain)
{
	struct dm_chain_epoch *epoch;

	rcu_read_lock();
	epoch = rcu_dereference(chain->epoch);
	/* Pairs with rcu_assign_pointer() in dm_chain_drain(). */
	smp_rmb();
	percpu_ref_get(&epoch->ref);
	rcu_read_unlock();
	return epoch;
}

void dm_chain_epoch_put(struct dm_chain_epoch *epoch)
{
	percpu_ref_put(&epoch->ref);
}

static void dm_chain_drain(struct dm_chain *chain)
{
	struct dm_chain_epoch *old, *new;

	mutex_lock(&chain->drain_lock);
	old = rcu_dereference_protected(chain->epoch,
					lockdep_is_held(&chain->drain_lock));
	new = &chain->epochs[old == &chain->epochs[0]];
	/*
	 * The owner map was changed before this. Pairs with smp_rmb() in
	 * dm_chain_map_read() and dm_chain_epoch_get().
	 */
	rcu_assign_pointer(chain->epoch, new);
	/*
	 * The count cannot reach zero before a grace period has passed, so a
	 * reader that still sees the old epoch has its reference by then.
	 */
	percpu_ref_kill(&old->ref);
	wait_for_completion(&old->drained);
	reinit_completion(&old->drained);
	percpu_ref_reinit(&old->ref);
	mutex_unlock(&chain->drain_lock);
}

/* ---- life ---- */

static void *dm_chain_unit_alloc(gfp_t gfp, void *data)
{
	return dm_chain_buf_alloc((size_t)data, gfp);
}

static void dm_chain_unit_free(void *unit, void *data)
{
	dm_chain_buf_free(unit);
}

static void dm_chain_destroy(struct dm_chain *chain)
{
	unsigned int i;

	if (chain->io_wq)
		destroy_workqueue(chain->io_wq);
	if (chain->commit_wq) {
		cancel_delayed_work_sync(&chain->timed_work);
		destroy_workqueue(chain->commit_wq);
	}
	if (chain->job_wq)
		destroy_workqueue(chain->job_wq);
	for (i = 0; i < ARRAY_SIZE(chain->epochs); i++)
		percpu_ref_exit(&chain->epochs[i].ref);
	mempool_exit(&chain->units);
	bioset_exit(&chain->job_bios);
	bioset_exit(&chain->bios);
	if (chain->ranges)
		dm_chain_range_locks_destroy(chain->ranges);
	dm_chain_owner_destroy(chain->map);
	dm_chain_jobs_forget(chain);
	mutex_destroy(&chain->end_lock);
	mutex_destroy(&chain->drain_lock);
	mutex_destroy(&chain->lock);
	kfree(chain);
}

struct dm_chain *dm_chain_create(struct mapped_device *md, u32 block_size,
				 sector_t size)
{
	const char *name = dm_device_name(md);
	struct dm_chain *chain;
	unsigned int i;

	chain = kzalloc(sizeof(*chain), GFP_KERNEL);
	if (!chain)
		return NULL;

	chain->refs = 1;
	chain->md = md;
	chain->block_shift = ilog2(block_size) - SECTOR_SHIFT;
	chain->size = size;
	INIT_LIST_HEAD(&chain->list);
	mutex_init(&chain->lock);
	mutex_init(&chain->drain_lock);
	mutex_init(&chain->end_lock);
	chain->jobs_stopped = true;
	INIT_LIST_HEAD(&chain->concluded);
	spin_lock_init(&chain->defer_lock);
	bio_list_init(&chain->waiting);
	INIT_LIST_HEAD(&chain->passdown);
	INIT_WORK(&chain->commit_work, dm_chain_commit_work);
	INIT_DELAYED_WORK(&chain->timed_work, dm_chain_timed_work);
	INIT_WORK(&chain->passdown_work, dm_chain_passdown_work);

	chain->map = dm_chain_owner_create(dm_chain_nr_blocks(chain, size));
	chain->ranges = dm_chain_range_locks_create();
	if (!chain->map || !chain->ranges)
		goto bad;
	if (bioset_init(&chain->bios, BIO_POOL_SIZE, 0, BIOSET_NEED_BVECS) ||
	    bioset_init(&chain->job_bios, BIO_POOL_SIZE, 0, BIOSET_NEED_BVECS))
		goto bad;
	if (mempool_init(&chain->units, 2, dm_chain_unit_alloc,
			 dm_chain_unit_free, (void *)(size_t)block_size))
		goto bad;
	for (i = 0; i < ARRAY_SIZE(chain->epochs); i++) {
		init_completion(&chain->epochs[i].drained);
		if (percpu_ref_init(&chain->epochs[i].ref,
				    dm_chain_epoch_release,
				    PERCPU_REF_ALLOW_REINIT, GFP_KERNEL))
			goto bad;
	}
	RCU_INIT_POINTER(chain->epoch, &chain->epochs[0]);

	chain->io_wq = alloc_workqueue("dm-chain-io/%s",
				       WQ_MEM_RECLAIM | WQ_UNBOUND, 0, name);
	chain->commit_wq = alloc_workqueue("dm-chain-commit/%s",
					   WQ_MEM_RECLAIM | WQ_UNBOUND, 0,
					   name);
	chain->job_wq = alloc_workqueue("dm-chain-job/%s",
					WQ_MEM_RECLAIM | WQ_UNBOUND, 0, name);
	if (!chain->io_wq || !chain->commit_wq || !chain->job_wq)
		goto bad;
	return chain;
bad:
	dm_chain_destroy(chain);
	return NULL;
}

void dm_chain_put(struct dm_chain *chain)
{
	lockdep_assert_held(&dm_chain_registry);
	if (--chain->refs)
		return;
	mutex_lock(&dm_chains_lock);
	list_del(&chain->list);
	mutex_unlock(&dm_chains_lock);
	dm_chain_destroy(chain);
}

void dm_chain_forget(struct dm_chain *chain, struct dm_chain_layer *layer)
{
	unsigned int id;

	/* The last table of such a chain is gone, so nobody adds it now. */
	for (id = 0; id < DM_CHAIN_ID_NOBODY; id++)
		if (READ_ONCE(chain->slot[id].layer) == layer)
			break;
	if (id == DM_CHAIN_ID_NOBODY)
		return;

	mutex_lock(&chain->lock);
	/* Another chain that becomes the device's looks at this one's layers. */
	mutex_lock(&dm_chains_lock);
	for (id = 0; id < DM_CHAIN_ID_NOBODY; id++) {
		if (chain->slot[id].layer != layer)
			continue;
		chain->slot[id].layer = NULL;
		chain->is_current = false;
	}
	mutex_unlock(&dm_chains_lock);
	mutex_unlock(&chain->lock);
}

/* ---- building ---- */

static u8 dm_chain_free_id(struct dm_chain *chain)
{
	u8 id;

	/* At most 64 layers and 64 that are being replaced: never full. */
	for (id = 0; id < DM_CHAIN_ID_NOBODY - 1; id++)
		if (!chain->slot[id].layer)
			break;
	return id;
}

static void dm_chain_slot_fill(struct dm_chain_slot *slot,
			       struct dm_chain_entry *entry)
{
	slot->layer = entry->layer;
	slot->bdev = entry->layer->data_bdev;
	slot->start = entry->layer->data_start;
	strscpy(slot->name, entry->name, sizeof(slot->name));
}

sector_t dm_chain_layer_size(struct dm_chain *chain, unsigned int pos)
{
	const struct dm_chain_layer *layer = chain->slot[chain->order[pos]].layer;
	u64 size = layer->size;

	if (dm_chain_layer_raw(layer) && pos + 1 < chain->nr)
		size = dm_chain_raw_shown(size,
					  &chain->slot[chain->order[pos + 1]].layer->sb.backing);
	return size >> SECTOR_SHIFT;
}

void dm_chain_set_limits(struct dm_chain *chain)
{
	u64 size[DM_CHAIN_MAX_LAYERS], limit[DM_CHAIN_MAX_LAYERS];
	unsigned int i;

	for (i = 0; i < chain->nr; i++)
		size[i] = dm_chain_layer_size(chain, i);
	dm_chain_limits(size, chain->nr, limit);
	for (i = 0; i < chain->nr; i++)
		atomic64_set(&chain->slot[chain->order[i]].limit, limit[i]);
}

static void dm_chain_push(struct dm_chain *chain, struct dm_chain_entry *entry)
{
	u8 id = dm_chain_free_id(chain);

	dm_chain_slot_fill(&chain->slot[id], entry);
	chain->order[chain->nr++] = id;
	chain->active = id;
	chain->size = entry->layer->size >> SECTOR_SHIFT;
}

/* Blocks of the view that a layer may show. */
static u64 dm_chain_shown_blocks(struct dm_chain *chain, u8 id)
{
	sector_t limit = dm_chain_slot_limit(&chain->slot[id]);

	return min(dm_chain_nr_blocks(chain, limit),
		   dm_chain_owner_blocks(chain->map));
}

struct dm_chain_apply {
	struct dm_chain *chain;
	u8 id;
};

/* Put one map page of a layer over what lower layers own. */
static int dm_chain_apply_page(void *data, u32 page, const u8 *payload)
{
	struct dm_chain_apply *apply = data;
	struct dm_chain *chain = apply->chain;
	u64 end = dm_chain_shown_blocks(chain, apply->id);
	u64 block = (u64)page * DM_CHAIN_BLOCKS_PER_PAGE;

	if (block >= end)
		return 0;
	return dm_chain_owner_overlay(chain->map, block,
				      min_t(u64, end - block,
					    DM_CHAIN_BLOCKS_PER_PAGE),
				      apply->id, payload, GFP_NOIO);
}

/* Before the layer's states are read, see dm_chain_count_change(). */
static long dm_chain_changes(struct dm_chain_layer *layer)
{
	long changes = atomic_long_read(&layer->changes);

	/* Pairs with smp_mb__before_atomic() in dm_chain_count_change(). */
	smp_rmb();
	return changes;
}

int dm_chain_build(struct dm_chain *chain, struct dm_chain_table *t,
		   struct dm_chain_why *why)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < t->nr; i++)
		dm_chain_push(chain, &t->entry[i]);
	dm_chain_set_limits(chain);

	for (i = 0; i < t->nr && !r; i++) {
		struct dm_chain_layer *layer = t->entry[i].layer;
		struct dm_chain_apply apply = { chain, chain->order[i] };

		t->entry[i].changes = dm_chain_changes(layer);
		if (dm_chain_layer_raw(layer)) {
			u64 end = dm_chain_shown_blocks(chain, apply.id);

			if (end)
				r = dm_chain_owner_fill(chain->map, 0, end,
							apply.id, GFP_KERNEL);
		} else if (!layer->to_format) {
			r = dm_chain_meta_load(layer, dm_chain_apply_page,
					       &apply, why);
		}
	}
	if (r == -ENOMEM)
		dm_chain_refuse(why, r, "out of memory");
	return r;
}

struct dm_chain_stage_arg {
	struct dm_chain_table *t;
	unsigned int entry;
};

static int dm_chain_stage_page(void *data, u32 page, const u8 *payload)
{
	struct dm_chain_stage_arg *arg = data;
	struct dm_chain_staged *staged = kmalloc(sizeof(*staged), GFP_KERNEL);

	if (!staged)
		return -ENOMEM;
	staged->entry = arg->entry;
	staged->page = page;
	memcpy(staged->payload, payload, DM_CHAIN_PAYLOAD);
	list_add_tail(&staged->list, &arg->t->staged);
	return 0;
}

int dm_chain_stage(struct dm_chain_table *t, unsigned int first,
		   struct dm_chain_why *why)
{
	u64 blocks = dm_chain_nr_blocks(t->chain, t->ti->len);
	struct dm_chain_stage_arg arg = { t };
	int r = 0;

	if (blocks > dm_chain_owner_blocks(t->chain->map)) {
		t->bigger = dm_chain_owner_create(blocks);
		if (!t->bigger)
			r = -ENOMEM;
	}
	for (arg.entry = 0; arg.entry < t->nr && !r; arg.entry++) {
		struct dm_chain_layer *layer = t->entry[arg.entry].layer;

		t->entry[arg.entry].changes = dm_chain_changes(layer);
		if (dm_chain_layer_raw(layer) || layer->to_format)
			continue;
		/* The map of a layer that moved to another device is known. */
		r = dm_chain_meta_load(layer, arg.entry < first ? NULL :
				       dm_chain_stage_page, &arg, why);
	}
	if (r == -ENOMEM)
		dm_chain_refuse(why, r, "out of memory");
	return r;
}

/* ---- binding to a table ---- */

static bool dm_chain_same_layer(const struct dm_chain_layer *a,
				const struct dm_chain_layer *b)
{
	if (a == b)
		return true;
	if (dm_chain_layer_raw(a) || dm_chain_layer_raw(b))
		return dm_chain_layer_raw(a) && dm_chain_layer_raw(b) &&
		       a->size == b->size;
	/* A copy of the same generation may be older than what these wrote. */
	return !READ_ONCE(a->unversioned) && !a->debt &&
	       dm_chain_uuid_equal(a->sb.uuid, b->sb.uuid) &&
	       a->sb.generation == b->sb.generation;
}

/*
 * Match the layers of the chain with the entries of a table, from the base up.
 * An entry between them that the chain does not have was dropped by a job: the
 * constructor may have read the superblocks just before. Return: how many
 * entries it took to match all layers, 0 if that is not possible.
 */
static unsigned int dm_chain_match(struct dm_chain *chain,
				   struct dm_chain_table *t, bool *matches)
{
	unsigned int i, pos = 0;

	for (i = 0; i < t->nr && pos < chain->nr; i++) {
		struct dm_chain_slot *slot = &chain->slot[chain->order[pos]];

		matches[i] = dm_chain_same_layer(slot->layer, t->entry[i].layer);
		pos += matches[i];
	}
	return pos == chain->nr ? i : 0;
}

unsigned int dm_chain_prefix(struct dm_chain *chain, struct dm_chain_table *t)
{
	bool matches[DM_CHAIN_MAX_LAYERS];
	unsigned int n = dm_chain_match(chain, t, matches);

	/* The one that is written must be the very same object. */
	return n && dm_chain_active(chain) == t->entry[n - 1].layer ? n : 0;
}

static int dm_chain_apply_staged(struct dm_chain *chain,
				 struct dm_chain_table *t,
				 const u8 *id_of_entry)
{
	struct dm_chain_staged *staged;
	int r;

	list_for_each_entry(staged, &t->staged, list) {
		struct dm_chain_apply apply = {
			chain, id_of_entry[staged->entry]
		};

		r = dm_chain_apply_page(&apply, staged->page, staged->payload);
		if (r)
			return r;
	}
	return 0;
}

void dm_chain_unstage(struct dm_chain_table *t)
{
	struct dm_chain_staged *staged, *next;

	list_for_each_entry_safe(staged, next, &t->staged, list) {
		list_del(&staged->list);
		kfree(staged);
	}
	dm_chain_owner_destroy(t->bigger);
	t->bigger = NULL;
}

/*
 * The view may become larger, by new layers or by growth. Beyond its end the map holds
 * leftovers: of regions that the end cut, of layers that were larger. Ids are
 * used again, so they must not be taken for something.
 */
static int dm_chain_bind_end(struct dm_chain *chain, struct dm_chain_table *t)
{
	u64 end = dm_chain_nr_blocks(chain, chain->size), blocks;

	if (t->bigger) {
		dm_chain_owner_adopt(t->bigger, chain->map);
		swap(t->bigger, chain->map);
		dm_chain_owner_destroy(t->bigger);
		t->bigger = NULL;
	}
	blocks = dm_chain_owner_blocks(chain->map);
	if (end >= blocks)
		return 0;
	return dm_chain_owner_fill(chain->map, end, blocks - end,
				   DM_CHAIN_NOBODY, GFP_NOIO);
}

int dm_chain_bind(struct dm_chain *chain, struct dm_chain_table *t)
{
	bool matches[DM_CHAIN_MAX_LAYERS];
	u8 id_of_entry[DM_CHAIN_MAX_LAYERS] = {};
	unsigned int i, n, pos = 0;
	int r;

	lockdep_assert_held(&chain->lock);

	n = chain->is_current ? dm_chain_match(chain, t, matches) : 0;
	if (!n) {
		DMERR("%s: the chain has changed: load the table again",
		      dm_device_name(chain->md));
		return -ESTALE;
	}
	for (i = n; i < t->nr; i++)
		if (atomic_long_read(&t->entry[i].layer->changes) !=
		    t->entry[i].changes) {
			DMERR("%s: layer %s was written: load the table again",
			      dm_device_name(chain->md), t->entry[i].name);
			return -ESTALE;
		}
	if (n < t->nr || t->bigger) {
		r = dm_chain_bind_end(chain, t);
		if (r)
			return r;
	}

	for (i = 0; i < n; i++) {
		t->entry[i].dropped = !matches[i];
		if (!matches[i])
			continue;
		id_of_entry[i] = chain->order[pos];
		dm_chain_slot_fill(&chain->slot[chain->order[pos++]],
				   &t->entry[i]);
	}
	for (; i < t->nr; i++) {
		dm_chain_push(chain, &t->entry[i]);
		id_of_entry[i] = chain->active;
	}
	dm_chain_set_limits(chain);
	r = dm_chain_apply_staged(chain, t, id_of_entry);
	if (!r)
		dm_chain_unstage(t);
	return r;
}

/* ---- writing ---- */

static void dm_chain_rewrite_torn(struct dm_chain_layer *layer)
{
	u32 p;

	for (p = dm_chain_pageset_next(&layer->torn, 0); p < layer->nr_pages;
	     p = dm_chain_pageset_next(&layer->torn, p + 1))
		if (dm_chain_pageset_add(&layer->dirty, p))
			atomic_inc(&layer->uncommitted);
}

/*
 * It is written again, and the owner map is the truth. Nothing is forgotten for a
 * read-only table, which commits nothing.
 */
static void dm_chain_take_back(struct dm_chain_layer *layer)
{
	unsigned long p;
	void *page;

	lockdep_assert_held(&layer->meta_lock);
	xa_for_each(&layer->pages, p, page) {
		xa_erase(&layer->pages, p);
		kfree(page);
	}
	layer->debt = false;
	dm_chain_rewrite_torn(layer);
}

int dm_chain_claim(struct dm_chain *chain, struct dm_chain_table *t)
{
	struct dm_chain_layer *active = dm_chain_active(chain);
	unsigned int i;
	int r;

	lockdep_assert_held(&chain->lock);
	chain->writable = active->writable && !t->read_only;
	chain->raised = false;
	chain->no_passdown = t->no_passdown;
	chain->nr_debtors = 0;

	if (chain->writable) {
		r = dm_chain_layer_prepare(active);
		if (r)
			return r;
	}
	mutex_lock(&active->meta_lock);
	if (active->owner && active->owner != chain) {
		mutex_unlock(&active->meta_lock);
		return -EBUSY;
	}
	active->owner = chain;
	active->owner_id = chain->active;
	active->kept_page = DM_CHAIN_NO_PAGE;
	active->meta_flushed = false;
	if (chain->writable)
		dm_chain_take_back(active);
	mutex_unlock(&active->meta_lock);

	for (i = 0; i + 1 < chain->nr && !t->read_only; i++) {
		struct dm_chain_layer *layer = chain->slot[chain->order[i]].layer;

		if (layer->debt)
			chain->debtor[chain->nr_debtors++] = layer;
	}
	chain->live = t;
	return 0;
}

/*
 * The commit at the end failed. The states of dirty pages stay with the layer,
 * since the owner map may soon say who covers them.
 */
static void dm_chain_leave_debt(struct dm_chain_layer *layer)
{
	u32 p;

	lockdep_assert_held(&layer->meta_lock);
	layer->debt = true;
	for (p = dm_chain_pageset_next(&layer->dirty, 0); p < layer->nr_pages;
	     p = dm_chain_pageset_next(&layer->dirty, p + 1)) {
		void *payload;

		if (xa_load(&layer->pages, p))
			continue;
		payload = kmalloc(DM_CHAIN_PAGE_SIZE, GFP_NOIO | __GFP_NOFAIL);
		if (WARN_ON_ONCE(!dm_chain_core_states(layer, p, payload))) {
			kfree(payload);
			continue;
		}
		xa_store(&layer->pages, p, payload, GFP_NOIO | __GFP_NOFAIL);
	}
}

/* Commit what was written, whatever the kind of suspend, and say so on disk. */
static void dm_chain_settle(struct dm_chain *chain,
			    struct dm_chain_layer *layer)
{
	int r = dm_chain_commit(layer);

	mutex_lock(&layer->meta_lock);
	if (r && (layer->owner || atomic_read(&layer->uncommitted)))
		dm_chain_leave_debt(layer);
	if (!r && dm_chain_pageset_next(&layer->torn, 0) == layer->nr_pages)
		dm_chain_flag(layer, DM_CHAIN_F_CLEAN, 0);
	mutex_unlock(&layer->meta_lock);
	dm_chain_job_settle(chain, layer, !r);
}

void dm_chain_release(struct dm_chain *chain)
{
	struct dm_chain_layer *active = dm_chain_active(chain);
	struct dm_chain_table *t = chain->live;
	unsigned int i;

	lockdep_assert_held(&chain->lock);
	if (!t)
		return;

	for (i = 0; i < t->nr && !t->read_only; i++) {
		struct dm_chain_layer *layer = t->entry[i].layer;

		/* Its device may be gone. What it had is in the top. */
		if (t->entry[i].dropped)
			continue;
		/* A layer without a buffer was not written by anybody. */
		if (layer == active ? chain->writable :
		    layer->writable && layer->commit_buf)
			dm_chain_settle(chain, layer);
	}
	mutex_lock(&active->meta_lock);
	active->owner = NULL;
	mutex_unlock(&active->meta_lock);
	chain->live = NULL;
}

/* ---- order ---- */

int dm_chain_find_name(struct dm_chain *chain, const char *name)
{
	unsigned int i;

	lockdep_assert_held(&chain->lock);
	for (i = 0; i < chain->nr; i++)
		if (!strcmp(chain->slot[chain->order[i]].name, name))
			return i;
	return -1;
}

void dm_chain_drop(struct dm_chain *chain, unsigned int first,
		   unsigned int count)
{
	u8 dropped[DM_CHAIN_MAX_LAYERS];
	unsigned int i, j;

	lockdep_assert_held(&chain->lock);
	memcpy(dropped, chain->order + first, count);
	memmove(chain->order + first, chain->order + first + count,
		chain->nr - first - count);
	chain->nr -= count;

	mutex_unlock(&chain->lock);
	dm_chain_drain(chain);
	/* What they owe is in the top, and durable there. */
	for (i = 0; i < count; i++) {
		struct dm_chain_layer *layer = chain->slot[dropped[i]].layer;

		if (!dm_chain_layer_shared(layer, chain->md))
			dm_chain_cancel_debt(layer);
	}
	mutex_lock(&chain->lock);

	/*
	 * Limits only grow here. A reader that found an owner below the dropped
	 * layers before its block became the top's must not meet the new limit.
	 */
	dm_chain_set_limits(chain);

	for (i = 0; i < count; i++) {
		struct dm_chain_layer *layer = chain->slot[dropped[i]].layer;

		for (j = 0; chain->live && j < chain->live->nr; j++)
			if (chain->live->entry[j].layer == layer)
				chain->live->entry[j].dropped = true;
		memset(&chain->slot[dropped[i]], 0, sizeof(chain->slot[0]));
	}
}
