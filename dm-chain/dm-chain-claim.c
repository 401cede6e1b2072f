// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: which device drives the job of a layer.
 *
 * A layer that several devices use has one job at most, driven by one of them.
 * Whose it is, and whether it runs, is asked by the constructors of other
 * devices, too: under dm_chains_lock they look at the layer, never at the job.
 * A device that goes, or loads a table without the layer, leaves the job behind;
 * the next that can drive it takes it over.
 */
#include "dm-chain-job.h"

/* Has the device a job of this id? */
static bool claim_id_used(struct dm_chain *chain, const char *id)
{
	const struct dm_chain_job *job;
	unsigned int i;

	lockdep_assert_held(&chain->lock);
	for (i = 0; i < chain->nr; i++) {
		const struct dm_chain_layer *layer;

		layer = chain->slot[chain->order[i]].layer;
		if (layer->job && layer->job_md == chain->md &&
		    !strcmp(layer->job->id, id))
			return true;
	}
	list_for_each_entry(job, &chain->concluded, list)
		if (!strcmp(job->id, id))
			return true;
	return false;
}

void dm_chain_job_adopt(struct dm_chain *chain, struct dm_chain_layer *layer)
{
	if (!chain->writable || !layer->writable)
		return;
	mutex_lock(&dm_chains_lock);
	/* A job that nobody drives stays as long as the layer. */
	if (layer->job && !layer->job_md &&
	    !claim_id_used(chain, layer->job->id))
		WRITE_ONCE(layer->job_md, chain->md);
	mutex_unlock(&dm_chains_lock);
}

int dm_chain_job_claim(struct dm_chain *chain, const struct dm_chain_slot *slot,
		       struct dm_chain_why *why)
{
	struct dm_chain_table *other;
	int r = 0;

	lockdep_assert_held(&chain->lock);
	mutex_lock(&dm_chains_lock);
	other = dm_chain_other_user(slot->layer, chain->md);
	if (other) {
		r = dm_chain_refuse(why, -EBUSY,
				    "top '%s' is in use by device %s too",
				    slot->name, dm_device_name(other->md));
	} else if (slot->layer->job && slot->layer->job_md != chain->md) {
		r = dm_chain_refuse(why, -EBUSY,
				    "top '%s' has a job of another device",
				    slot->name);
	} else {
		/* Devices that share the layer ask with READ_ONCE() whose job it is. */
		WRITE_ONCE(slot->layer->job_md, chain->md);
		slot->layer->job_live = true;
	}
	mutex_unlock(&dm_chains_lock);
	return r;
}

void dm_chain_job_unclaim(struct dm_chain_layer *layer)
{
	mutex_lock(&dm_chains_lock);
	layer->job_live = false;
	if (!layer->job)
		WRITE_ONCE(layer->job_md, NULL);
	mutex_unlock(&dm_chains_lock);
}

void dm_chain_job_free(struct dm_chain_layer *layer)
{
	struct dm_chain_job *job = layer->job;

	if (!job)
		return;
	/* Its device was suspended, so neither it nor a unit runs. */
	WRITE_ONCE(layer->job, NULL);
	dm_chain_job_put(job);
}

static bool chain_has(const struct dm_chain *chain,
		      const struct dm_chain_layer *layer)
{
	unsigned int i;

	for (i = 0; chain && i < chain->nr; i++)
		if (chain->slot[chain->order[i]].layer == layer)
			return true;
	return false;
}

void dm_chain_jobs_leave(struct dm_chain *chain, const struct dm_chain *next)
{
	unsigned int id;

	lockdep_assert_held(&dm_chains_lock);
	for (id = 0; id < DM_CHAIN_ID_NOBODY; id++) {
		struct dm_chain_layer *layer = chain->slot[id].layer;

		if (layer && layer->job_md == chain->md &&
		    !chain_has(next, layer))
			WRITE_ONCE(layer->job_md, NULL);
	}
}

/* Has the device another view, which has the jobs since? */
static bool claim_replaced(const struct dm_chain *chain)
{
	const struct dm_chain *other;

	lockdep_assert_held(&dm_chains_lock);
	list_for_each_entry(other, &dm_chains, list)
		if (other != chain && other->md == chain->md &&
		    other->is_current)
			return true;
	return false;
}

void dm_chain_jobs_forget(struct dm_chain *chain)
{
	struct dm_chain_job *job, *next;

	mutex_lock(&dm_chains_lock);
	/* Of one that is not current there may be none: see dm_chain_forget(). */
	if (!claim_replaced(chain))
		dm_chain_jobs_leave(chain, NULL);
	mutex_unlock(&dm_chains_lock);

	list_for_each_entry_safe(job, next, &chain->concluded, list) {
		list_del(&job->list);
		dm_chain_job_put(job);
	}
}
