// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: how a job stops for an error, waits to be finalized, and ends.
 *
 * The end of a job that copied everything
 *	1. A whole pass found nothing to do, so in core the top holds all that
 *	   the layers to be dropped hold.
 *	2. Commit: data flushed, map written. Only now the top can do without
 *	   them after a power cut, too; what the guest wrote meanwhile instead of
 *	   the job is included.
 *	3. With auto-finalize off the record says pending, and the job waits. From
 *	   here on nothing can be missing: no block comes back to a layer below.
 *	   The pass and the commit are repeated nevertheless when it goes on.
 *	4. One superblock write gives the top its new backing and replaces the
 *	   record by the result.
 *	5. The layers leave the chain in core, and reads of them complete. A
 *	   suspend waits for the dispatcher meanwhile.
 *	6. Events.
 * If 2 to 4 fail, the chain stays as it was, and what was copied stays copied.
 *
 * Jobs end one at a time: what layers show must not reach farther before the
 * reads of all that have left are through.
 */
#include "dm-chain-job.h"

/* ---- stopping for an error ---- */

/* The job can go on where it failed, once somebody has seen to it. */
static void job_stop(struct dm_chain_job *job,
		     const struct dm_chain_fault *fault)
{
	unsigned int shift = job->chain->block_shift + SECTOR_SHIFT;
	int r;

	spin_lock(&job->lock);
	memset(&job->fault, 0, sizeof(job->fault));
	job->error = -fault->error;
	job->io_status = fault->error == -ENOSPC ? DM_CHAIN_IO_NOSPACE :
						   DM_CHAIN_IO_FAILED;
	if (!job->finalize) {
		job->now.cursor = min(job->now.cursor, fault->at >> shift);
		job->pass = 0;
		/* It may have been read, for nothing. */
		job->remaining = dm_chain_job_len(job);
	}
	job->found = true;
	/* The plan at hand does not know what was copied behind the failure. */
	WRITE_ONCE(job->reaim, true);
	job->finalize = false;
	spin_unlock(&job->lock);

	if (job->state == DM_CHAIN_JOB_RUNNING)
		r = dm_chain_job_enter(job, DM_CHAIN_JOB_PAUSED);
	else
		r = dm_chain_job_record(job);
	if (r)
		DMERR_LIMIT("%s: job %s: that it has stopped was not recorded: error %d",
			    dm_device_name(job->chain->md), job->id, r);
	/* It cannot go on for that. */
	if (job->state == DM_CHAIN_JOB_RUNNING)
		dm_chain_job_set_state(job, DM_CHAIN_JOB_PAUSED);
	dm_chain_job_event_error(job, fault, DM_CHAIN_ON_ERROR_STOP);
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
}

/* ---- ending ---- */

static void job_detach(struct dm_chain_job *job)
{
	struct dm_chain *chain = job->chain;

	mutex_lock(&job->top->meta_lock);
	job->top->job = NULL;
	mutex_unlock(&job->top->meta_lock);
	dm_chain_job_unclaim(job->top);

	spin_lock(&job->lock);
	job->gone = true;
	spin_unlock(&job->lock);
	/* Nobody kicks it any more; a kick that came before is taken back. */
	cancel_delayed_work(&job->work);

	if (job->auto_dismiss) {
		dm_chain_job_set_state(job, DM_CHAIN_JOB_NULL);
		dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
		dm_chain_job_put(job);
		return;
	}
	dm_chain_units_exit(job);
	list_add_tail(&job->list, &chain->concluded);
}

/* Say that it is over. The job may be freed then. */
static void job_conclude(struct dm_chain_job *job, enum dm_chain_event event)
{
	spin_lock(&job->lock);
	if (job->fault.error) {
		job->error = -job->fault.error;
		job->io_status = job->error == ENOSPC ? DM_CHAIN_IO_NOSPACE :
							DM_CHAIN_IO_FAILED;
	} else {
		job->error = event == DM_CHAIN_EVENT_CANCELLED ? ECANCELED : 0;
		job->io_status = DM_CHAIN_IO_OK;
	}
	job->ended = ktime_get();
	spin_unlock(&job->lock);
	dm_chain_job_event(job, event);
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	job_detach(job);
}

/* The copied blocks stay; that they are not durable yet loses nothing. */
static void job_abort(struct dm_chain_job *job)
{
	enum dm_chain_event event = DM_CHAIN_EVENT_CANCELLED;
	enum dm_chain_result_status status = DM_CHAIN_RESULT_CANCELLED;

	strscpy(job->top_name,
		job->chain->slot[dm_chain_job_top_id(job)].name,
		sizeof(job->top_name));
	strscpy(job->base, dm_chain_job_base(job), sizeof(job->base));
	if (job->fault.error) {
		event = DM_CHAIN_EVENT_COMPLETED;
		status = DM_CHAIN_RESULT_FAILED;
	}
	/* Of those that were ignored there was an event. */
	if (job->fault.error && !job->fault.ignored)
		dm_chain_job_event_error(job, &job->fault,
					 DM_CHAIN_ON_ERROR_REPORT);
	if (job->state != DM_CHAIN_JOB_ABORTING)
		dm_chain_job_set_state(job, DM_CHAIN_JOB_ABORTING);
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	dm_chain_job_record_result(job, status, NULL);
	dm_chain_job_set_state(job, DM_CHAIN_JOB_CONCLUDED);
	job_conclude(job, event);
}

/* Whoever reads layers below its bottom must know that some of them leave. */
static void job_warn_others(struct dm_chain_job *job)
{
	struct dm_chain *chain = job->chain;
	unsigned int i;

	for (i = 0; i < chain->nr; i++) {
		struct dm_chain_job *other = dm_chain_job_adopt_at(chain, i);

		if (!other || other == job)
			continue;
		spin_lock(&other->lock);
		/* Pairs with smp_rmb() in dm_chain_epoch_get(). */
		WRITE_ONCE(other->reaim, true);
		dm_chain_job_kick(other);
		spin_unlock(&other->lock);
	}
}

/*
 * Give the top its new backing and take the layers between out of the chain.
 * What lies below the bottom now, not when the job began, is the new backing.
 */
static int job_replace_backing(struct dm_chain_job *job)
{
	struct dm_chain_backing backing = { .kind = DM_CHAIN_BACKING_NONE };
	struct dm_chain *chain = job->chain;
	struct dm_chain_layer *lowest;
	unsigned int top, bottom;
	int r;

	if (!dm_chain_job_positions(job, &top, &bottom))
		return -ENODEV;
	lowest = chain->slot[chain->order[bottom]].layer;
	if (!dm_chain_layer_raw(lowest)) {
		mutex_lock(&lowest->meta_lock);
		backing = lowest->sb.backing;
		mutex_unlock(&lowest->meta_lock);
		/* A layer that could not be written may not be bound yet. */
		dm_chain_bind_reference(&backing, bottom ?
			chain->slot[chain->order[bottom - 1]].layer : NULL);
	}
	r = dm_chain_job_record_result(job, DM_CHAIN_RESULT_COMPLETED, &backing);
	if (r)
		return r;
	strscpy(job->top_name, chain->slot[chain->order[top]].name,
		sizeof(job->top_name));
	strscpy(job->base, dm_chain_job_base(job), sizeof(job->base));

	/* The lock is released until reads are through: no verb from here on. */
	spin_lock(&job->lock);
	job->draining = true;
	spin_unlock(&job->lock);
	dm_chain_job_set_state(job, DM_CHAIN_JOB_CONCLUDED);
	job_warn_others(job);
	dm_chain_drop(chain, bottom, top - bottom);
	spin_lock(&job->lock);
	job->draining = false;
	spin_unlock(&job->lock);
	return 0;
}

/* Everything is copied and durable: wait for "finalize". */
static int job_pend(struct dm_chain_job *job)
{
	int r = dm_chain_job_enter(job, DM_CHAIN_JOB_PENDING);

	if (r)
		return r;
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	dm_chain_job_event(job, DM_CHAIN_EVENT_PENDING);
	return 0;
}

/* What failed has no place but the job's own. */
static void job_fail_here(struct dm_chain_job *job, int error)
{
	struct dm_chain_fault fault = { .error = error, .write = true };

	spin_lock(&job->lock);
	fault.at = dm_chain_job_offset(job);
	dm_chain_job_fail(job, &fault, dm_chain_job_top_id(job));
	spin_unlock(&job->lock);
}

bool dm_chain_job_fault(struct dm_chain_job *job)
{
	struct dm_chain *chain = job->chain;
	struct dm_chain_fault fault;
	bool stays, ended = false;

	mutex_lock(&chain->lock);
	spin_lock(&job->lock);
	fault = job->fault;
	stays = job->stopped || job->state == DM_CHAIN_JOB_ABORTING;
	spin_unlock(&job->lock);
	if (!stays && dm_chain_job_action(job, &fault) == DM_CHAIN_ON_ERROR_STOP) {
		job_stop(job, &fault);
	} else if (!stays) {
		/* The first byte that was not copied may lie before it. */
		spin_lock(&job->lock);
		if (job->ignored.error)
			job->fault.at = min(job->fault.at, job->ignored.at);
		spin_unlock(&job->lock);
		job_abort(job);
		ended = true;
	}
	mutex_unlock(&chain->lock);
	return ended;
}

/*
 * If the device is suspended or the job paused first, or the chain below it
 * has changed, or it was cancelled and that could not be recorded, it stays.
 */
static bool job_stays(struct dm_chain_job *job, bool copied)
{
	bool stays;

	spin_lock(&job->lock);
	stays = job->stopped || (job->state != DM_CHAIN_JOB_ABORTING &&
				 (!copied || job->reaim || job->fault.error ||
				  job->state == DM_CHAIN_JOB_PAUSED));
	spin_unlock(&job->lock);
	return stays;
}

/* Return: true if the job ended. chain->lock is held. */
static bool job_finish(struct dm_chain_job *job)
{
	int r;

	if (job->ignored.error && job->state != DM_CHAIN_JOB_ABORTING) {
		spin_lock(&job->lock);
		job->fault = job->ignored;
		job->fault.ignored = true;
		spin_unlock(&job->lock);
	}
	if (job->state == DM_CHAIN_JOB_ABORTING || job->fault.error) {
		job_abort(job);
		return true;
	}
	if (!job->auto_finalize && job->state == DM_CHAIN_JOB_RUNNING) {
		r = job_pend(job);
	} else {
		r = job_replace_backing(job);
		if (!r) {
			job_conclude(job, DM_CHAIN_EVENT_COMPLETED);
			return true;
		}
	}
	if (r)
		job_fail_here(job, r);
	return false;
}

bool dm_chain_job_end(struct dm_chain_job *job, bool copied)
{
	struct dm_chain *chain = job->chain;
	bool ended = false;
	int saved;

	saved = dm_chain_copy_save(job);
	mutex_lock(&chain->end_lock);
	mutex_lock(&chain->lock);
	if (!job_stays(job, copied)) {
		if (saved && job->state != DM_CHAIN_JOB_ABORTING)
			job_fail_here(job, saved);
		else
			ended = job_finish(job);
	}
	mutex_unlock(&chain->lock);
	mutex_unlock(&chain->end_lock);
	return ended;
}
