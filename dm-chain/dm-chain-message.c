// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: messages.
 *
 * Those that change something are refused while the device is suspended and
 * reply nothing, because libdevmapper sends a message again if the reply did
 * not fit. Queries are answered at any time and leave nothing behind.
 *
 * All of this runs with the live table held, and the device may be the one that
 * memory reclaim writes to: nothing here allocates in a way that waits for I/O.
 */
#include <linux/bitmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "dm-chain-job.h"

/* Runs of one reply to "map". */
#define MAP_RUNS	4096

/* ---- map ---- */

/*
 * What the view shows from @sector on, as an owner map entry: a layer, a
 * layer's zeros, or nobody's. Gets the run's length in sectors.
 */
static u8 map_look(struct dm_chain *chain, sector_t sector, sector_t end,
		   sector_t *len)
{
	unsigned int shift = chain->block_shift;
	u64 block = sector >> shift, run;
	sector_t limit, stop;
	u8 entry;

	rcu_read_lock();
	entry = dm_chain_owner_lookup(chain->map, block,
				      dm_chain_nr_blocks(chain, end) - block,
				      &run);
	rcu_read_unlock();
	stop = min_t(sector_t, (block + run) << shift, end);
	if (dm_chain_owner_id(entry) != DM_CHAIN_ID_NOBODY) {
		limit = dm_chain_slot_limit(&chain->slot[dm_chain_owner_id(entry)]);
		if (sector >= limit)
			entry = DM_CHAIN_NOBODY;
		else
			stop = min(stop, limit);
	}
	*len = stop - sector;
	return entry;
}

static unsigned int map_emit(struct dm_chain *chain, u8 entry, sector_t start,
			     sector_t len, char *result, unsigned int maxlen,
			     unsigned int sz)
{
	u8 id = dm_chain_owner_id(entry);

	DMEMIT("%s%llu %llu %s%s", sz ? "\n" : "", (u64)start, (u64)len,
	       entry & DM_CHAIN_OWNER_ZERO ? "zero" : "",
	       entry & DM_CHAIN_OWNER_ZERO && id != DM_CHAIN_ID_NOBODY ? ":" : "");
	if (id != DM_CHAIN_ID_NOBODY)
		DMEMIT("%s", chain->slot[id].name);
	return sz;
}

static int message_map(struct dm_chain *chain, const struct dm_chain_msg *msg,
		       char *result, unsigned int maxlen,
		       struct dm_chain_why *why)
{
	sector_t start, end, len, pos;
	unsigned int sz = 0, runs = 0;
	u8 entry, next = 0;

	if (msg->start >= chain->size)
		return dm_chain_refuse(why, -EINVAL,
				       "map: sector %llu is behind the end of the device, %llu",
				       msg->start, (u64)chain->size);
	if (!msg->len)
		return dm_chain_refuse(why, -EINVAL,
				       "map: '0' is not a number of sectors");
	start = msg->start;
	end = start + min_t(u64, msg->len, chain->size - start);

	entry = map_look(chain, start, end, &len);
	for (pos = start + len; start < end; pos += len) {
		if (pos < end) {
			next = map_look(chain, pos, end, &len);
			cond_resched();
			if (next == entry)
				continue;
		}
		sz = map_emit(chain, entry, start, pos - start, result, maxlen,
			      sz);
		/* The reply does not fit: the caller sends a longer buffer. */
		if (sz + 1 >= maxlen)
			break;
		if (++runs == MAP_RUNS && pos < end) {
			DMEMIT("\nmore %llu", (u64)pos);
			break;
		}
		start = pos;
		entry = next;
	}
	return 0;
}

/* ---- layers ---- */

/* The owner map is the view's, and counts as the active layer's. */
static u64 layer_map_memory(struct dm_chain *chain, struct dm_chain_layer *layer)
{
	return layer == dm_chain_active(chain) ?
	       dm_chain_owner_memory(chain->map) : 0;
}

static u64 layer_memory(struct dm_chain *chain, struct dm_chain_layer *layer)
{
	u64 bytes = 0;
	unsigned long index;
	void *page;

	if (dm_chain_layer_raw(layer))
		return 0;
	/* written, slot_b; torn, dirty, committing; and the counts */
	bytes += 2 * BITS_TO_LONGS(layer->nr_pages) * sizeof(long);
	bytes += dm_chain_pageset_memory(&layer->torn) +
		 dm_chain_pageset_memory(&layer->dirty) +
		 dm_chain_pageset_memory(&layer->committing);
	bytes += 2 * BITS_TO_LONGS(layer->geo.dir_pages) * sizeof(long);
	bytes += (u64)layer->nr_pages * sizeof(*layer->counts);
	if (layer->commit_buf)
		bytes += DM_CHAIN_BATCH * DM_CHAIN_PAGE_SIZE;
	if (dm_chain_meta_lock_patiently(layer)) {
		xa_for_each(&layer->pages, index, page)
			bytes += DM_CHAIN_PAGE_SIZE;
		mutex_unlock(&layer->meta_lock);
	}
	return bytes + layer_map_memory(chain, layer);
}

/* Position in the chain, or -1 if a job dropped it. */
static int layer_position(struct dm_chain *chain,
			  const struct dm_chain_layer *layer)
{
	unsigned int i;

	for (i = 0; i < chain->nr; i++)
		if (chain->slot[chain->order[i]].layer == layer)
			return i;
	return -1;
}

static unsigned int layer_emit(struct dm_chain_table *t,
			       const struct dm_chain_entry *entry, char *result,
			       unsigned int maxlen, unsigned int sz)
{
	struct dm_chain *chain = t->chain;
	struct dm_chain_layer *layer = entry->layer;
	int pos = layer_position(chain, layer);
	bool raw = dm_chain_layer_raw(layer);
	char uuid[DM_CHAIN_UUID_TEXT] = "-";
	const char *backing = "-", *state;
	u64 data = 0, zero = 0;

	/* Not before the last read of it has completed. */
	if (entry->dropped)
		state = "releasable";
	else
		state = pos + 1 == (int)chain->nr ? "active" : "backing";
	if (pos > 0)
		backing = chain->slot[chain->order[pos - 1]].name;
	if (raw) {
		data = layer->size;
	} else {
		dm_chain_layer_counts(layer, &data, &zero);
		data = min(data * dm_chain_block_size(chain), layer->size);
		zero = min(zero * dm_chain_block_size(chain), layer->size);
		dm_chain_uuid_format(layer->sb.uuid, uuid);
	}

	DMEMIT("%sname=%s data=%u:%u", sz ? "\n" : "", entry->name,
	       MAJOR(layer->data_bdev->bd_dev), MINOR(layer->data_bdev->bd_dev));
	if (raw)
		DMEMIT(" metadata=-");
	else
		DMEMIT(" metadata=%u:%u", MAJOR(layer->meta_bdev->bd_dev),
		       MINOR(layer->meta_bdev->bd_dev));
	DMEMIT(" size=%llu data-offset=%llu allocated=%llu zero=%llu state=%s backing=%s",
	       layer->size, (u64)layer->data_start << SECTOR_SHIFT, data, zero,
	       state, backing);
	DMEMIT(" uuid=%s generation=%llu users=%u read-only=%d memory=%llu map-memory=%llu",
	       uuid, raw ? 0 : layer->sb.generation, dm_chain_layer_users(layer),
	       raw || !layer->writable || t->read_only,
	       layer_memory(chain, layer), layer_map_memory(chain, layer));
	return sz;
}

static int message_layers(struct dm_chain_table *t, char *result,
			  unsigned int maxlen)
{
	unsigned int sz = 0, i;

	for (i = 0; i < t->nr; i++)
		sz = layer_emit(t, &t->entry[i], result, maxlen, sz);
	return 0;
}

/* ---- dispatch ---- */

static int message_query(struct dm_chain_table *t,
			 const struct dm_chain_msg *msg, char *result,
			 unsigned int maxlen, struct dm_chain_why *why)
{
	struct dm_chain *chain = t->chain;
	unsigned int sz = 0;

	switch (msg->kind) {
	case DM_CHAIN_MSG_JOB_FAILED:
		return dm_chain_job_failed_reply(chain, msg->job, result,
						 maxlen, &sz, why);
	case DM_CHAIN_MSG_ESTIMATE:
		return dm_chain_estimate_reply(chain, msg, result, maxlen, &sz,
					       why);
	case DM_CHAIN_MSG_JOBS:
		dm_chain_jobs_reply(chain, result, maxlen, &sz);
		return 0;
	case DM_CHAIN_MSG_JOBS_LAST:
		dm_chain_jobs_last_reply(t, result, maxlen, &sz);
		return 0;
	case DM_CHAIN_MSG_LAYERS:
		return message_layers(t, result, maxlen);
	case DM_CHAIN_MSG_MAP:
		return message_map(chain, msg, result, maxlen, why);
	default:
		DMEMIT("%s", chain->why.text);
		return 0;
	}
}

static int message_change(struct dm_chain_table *t,
			  const struct dm_chain_msg *msg,
			  struct dm_chain_why *why)
{
	struct dm_chain *chain = t->chain;

	if (chain->live != t || chain->jobs_stopped)
		return dm_chain_refuse(why, -EAGAIN, "the device is suspended");
	if (msg->kind == DM_CHAIN_MSG_STREAM)
		return dm_chain_job_start(chain, msg, why);
	return dm_chain_job_control(chain, msg, why);
}

/* Words that could not be parsed: would they have changed something? */
static bool message_was_query(unsigned int argc, char **argv)
{
	static const char *const names[] = {
		"estimate", "jobs", "layers", "map", "error"
	};
	unsigned int i;

	for (i = 0; argc && i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(argv[0], names[i]))
			return true;
	return false;
}

static int message_run(struct dm_chain_table *t, unsigned int argc, char **argv,
		       char *result, unsigned int maxlen)
{
	struct dm_chain *chain = t->chain;
	struct dm_chain_why why = { };
	struct dm_chain_msg msg;
	bool query;
	int r;

	r = dm_chain_parse_message(argc, argv, &msg, &why);
	query = r ? message_was_query(argc, argv) : dm_chain_msg_is_query(&msg);

	mutex_lock(&chain->lock);
	if (!r && query)
		r = message_query(t, &msg, result, maxlen, &why);
	else if (!r)
		r = message_change(t, &msg, &why);
	if (!query)
		chain->why = why;
	mutex_unlock(&chain->lock);

	if (r)
		DMWARN_LIMIT("%s: message refused: %s: error %d",
			     dm_device_name(chain->md), why.text, r);
	return r ? r : query;
}

int dm_chain_message(struct dm_target *ti, unsigned int argc, char **argv,
		     char *result, unsigned int maxlen)
{
	unsigned int noio = memalloc_noio_save();
	int r;

	if (maxlen)
		*result = '\0';
	r = message_run(ti->private, argc, argv, result, maxlen);
	memalloc_noio_restore(noio);
	return r;
}
