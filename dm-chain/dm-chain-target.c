// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: one block device over a chain of layers, and jobs that shorten it.
 *
 * The target's face to device mapper. The chain itself is in dm-chain-view.c,
 * what happens to a bio in dm-chain-map.c and dm-chain-op.c, what is durable
 * when in dm-chain-commit.c, the locks in dm-chain.h.
 */
#include <linux/module.h>

#include "dm-chain.h"
#include "dm-chain-event.h"
#include "dm-chain-readcopy.h"

static void dm_chain_presuspend(struct dm_target *ti)
{
	struct dm_chain_table *t = ti->private;

	dm_chain_readcopy_stop(t->readcopy);
	dm_chain_jobs_stop(t->chain);
}

static void dm_chain_presuspend_undo(struct dm_target *ti)
{
	struct dm_chain_table *t = ti->private;

	dm_chain_jobs_go(t->chain);
	dm_chain_readcopy_go(t->readcopy);
}

static void dm_chain_resume(struct dm_target *ti)
{
	struct dm_chain_table *t = ti->private;

	dm_chain_jobs_go(t->chain);
	dm_chain_readcopy_go(t->readcopy);
}

static u64 dm_chain_total(struct dm_chain *chain, struct dm_chain_layer *layer)
{
	return dm_chain_nr_blocks(chain, layer->size >> SECTOR_SHIFT);
}

static u64 dm_chain_allocated(struct dm_chain *chain,
			      struct dm_chain_layer *layer)
{
	u64 data, zero;

	if (dm_chain_layer_raw(layer))
		return dm_chain_total(chain, layer);
	dm_chain_layer_counts(layer, &data, &zero);
	return data;
}

static const char *dm_chain_mode(struct dm_chain_table *t,
				 struct dm_chain_layer *active)
{
	if (READ_ONCE(active->failed))
		return "fail";
	return active->writable && !t->read_only ? "rw" : "ro";
}

static void dm_chain_status_info(struct dm_chain_table *t, char *result,
				 unsigned int maxlen)
{
	struct dm_chain_layer *active = t->entry[t->nr - 1].layer;
	struct dm_chain *chain = t->chain;
	unsigned int i, sz = 0, nr = 0;

	for (i = 0; i < t->nr; i++)
		nr += !t->entry[i].dropped;
	DMEMIT("%llu/%llu %s %s %u %u", dm_chain_allocated(chain, active),
	       dm_chain_total(chain, active), dm_chain_mode(t, active),
	       active->sb.flags & DM_CHAIN_F_NEEDS_CHECK ? "needs_check" : "-",
	       1 << chain->block_shift, nr);
	for (i = 0; i < t->nr; i++)
		if (!t->entry[i].dropped)
			DMEMIT(" %s %llu/%llu", t->entry[i].name,
			       dm_chain_allocated(chain, t->entry[i].layer),
			       dm_chain_total(chain, t->entry[i].layer));
	dm_chain_jobs_status(chain, result, maxlen, &sz);
}

static void dm_chain_status_table(struct dm_chain_table *t, char *result,
				  unsigned int maxlen)
{
	unsigned int i, sz = 0, nr = 0, words;

	for (i = 0; i < t->nr; i++)
		nr += !t->entry[i].dropped;
	DMEMIT("%u", nr);
	for (i = 0; i < t->nr; i++)
		if (!t->entry[i].dropped)
			DMEMIT(" %s %s %s", t->entry[i].name,
			       t->entry[i].data->name,
			       t->entry[i].meta ? t->entry[i].meta->name : "-");

	words = 2 * !!t->block_size + t->read_word + t->no_passdown +
		2 * t->jobs_paused + t->copy_on_read + t->copy_bottom_word;
	if (!words)
		return;
	DMEMIT(" %u", words);
	if (t->block_size)
		DMEMIT(" block_size %u", t->block_size);
	if (t->read_word)
		DMEMIT(" read_only");
	if (t->copy_bottom_word)
		DMEMIT(" copy_on_read_bottom %s",
		       t->entry[dm_chain_readcopy_bottom(t)].name);
	else if (t->copy_on_read)
		DMEMIT(" copy_on_read");
	if (t->no_passdown)
		DMEMIT(" no_discard_passdown");
	if (t->jobs_paused)
		DMEMIT(" jobs paused");
}

static void dm_chain_status_ima(struct dm_chain_table *t, char *result,
				unsigned int maxlen)
{
	unsigned int i, sz = 0, nr = 0;

	DMEMIT_TARGET_NAME_VERSION(t->ti->type);
	for (i = 0; i < t->nr; i++) {
		struct dm_chain_entry *e = &t->entry[i];

		if (e->dropped)
			continue;
		DMEMIT(",layer_%u_name=%s,layer_%u_data=%s", nr, e->name, nr,
		       e->data->name);
		if (e->meta)
			DMEMIT(",layer_%u_metadata=%s,layer_%u_uuid=%pUb", nr,
			       e->meta->name, nr, e->layer->sb.uuid);
		nr++;
	}
	DMEMIT(",read_only=%c;", t->read_only ? 'y' : 'n');
}

static void dm_chain_status(struct dm_target *ti, status_type_t type,
			    unsigned int flags, char *result,
			    unsigned int maxlen)
{
	struct dm_chain_table *t = ti->private;

	mutex_lock(&t->chain->lock);
	switch (type) {
	case STATUSTYPE_INFO:
		dm_chain_status_info(t, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		dm_chain_status_table(t, result, maxlen);
		break;
	case STATUSTYPE_IMA:
		dm_chain_status_ima(t, result, maxlen);
		break;
	}
	mutex_unlock(&t->chain->lock);
}

/*
 * The active layer comes first: of a reservation, device mapper is content with the
 * first device that takes it.
 */
static int dm_chain_iterate_devices(struct dm_target *ti,
				    iterate_devices_callout_fn fn, void *data)
{
	struct dm_chain_table *t = ti->private;
	unsigned int i;
	int r = 0;

	for (i = t->nr; i-- && !r;) {
		struct dm_chain_layer *layer = t->entry[i].layer;

		r = fn(ti, t->entry[i].data, layer->data_start,
		       layer->size >> SECTOR_SHIFT, data);
	}
	return r;
}

static void dm_chain_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct dm_chain_table *t = ti->private;
	u32 block_size = dm_chain_block_size(t->chain);

	/*
	 * A discard costs no I/O, so its size has no limit but the bio's, and it
	 * works whatever the devices can do.
	 */
	dm_chain_set_max_discard(limits, round_down(UINT_MAX, block_size) >> SECTOR_SHIFT);
	limits->discard_granularity = block_size;
	limits->discard_alignment = 0;
}

static struct target_type chain_target = {
	.name = "chain",
	.version = {1, 0, 0},
	.module = THIS_MODULE,
	.features = DM_TARGET_SINGLETON,
	.ctr = dm_chain_ctr,
	.dtr = dm_chain_dtr,
	.map = dm_chain_map,
	.end_io = dm_chain_end_io,
	.presuspend = dm_chain_presuspend,
	.presuspend_undo = dm_chain_presuspend_undo,
	.postsuspend = dm_chain_postsuspend,
	.preresume = dm_chain_preresume,
	.resume = dm_chain_resume,
	.status = dm_chain_status,
	.message = dm_chain_message,
	.iterate_devices = dm_chain_iterate_devices,
	.io_hints = dm_chain_io_hints,
};

static int __init dm_chain_init(void)
{
	int r = dm_chain_event_init();

	if (r)
		return r;
	r = dm_register_target(&chain_target);
	if (r < 0)
		dm_chain_event_exit();
	return r;
}

static void __exit dm_chain_exit(void)
{
	dm_unregister_target(&chain_target);
	dm_chain_event_exit();
	/* Owner map nodes are freed by RCU, with a function of this module. */
	rcu_barrier();
}

module_init(dm_chain_init);
module_exit(dm_chain_exit);

MODULE_DESCRIPTION(DM_NAME " chain target");
MODULE_AUTHOR("The dm-chain developers");
MODULE_LICENSE("GPL");
