// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the life cycle of a job.
 *
 * A job belongs to the layer that is its top and to the view that drives it.
 * It is made by a message, lives under chain->lock and is ended by its own
 * dispatcher; in between a reload may change the chain around it, which shows
 * when the device resumes and the walk is aimed anew.
 *
 * The end of a job that copied everything
 *	1. A whole pass found nothing to do, so in core the top holds all that
 *	   the layers to be dropped hold.
 *	2. Commit: data flushed, map written. Only now the top can do without
 *	   them after a power cut, too; what the guest wrote meanwhile instead of
 *	   the job is included.
 *	3. One superblock write gives the top its new backing and the job its
 *	   result.
 *	4. The layers leave the chain in core, and reads of them complete. A
 *	   suspend waits for the dispatcher meanwhile.
 *	5. Events.
 * If 2 or 3 fails, the chain stays as it was.
 */
#include <linux/slab.h>

#include "dm-chain-event.h"
#include "dm-chain-job.h"

static void job_release(struct kref *ref)
{
	struct dm_chain_job *job = container_of(ref, struct dm_chain_job, ref);

	dm_chain_units_exit(job);
	dm_chain_walk_exit(&job->walk);
	kfree(job);
}

void dm_chain_job_put(struct dm_chain_job *job)
{
	kref_put(&job->ref, job_release);
}

void dm_chain_job_kick(struct dm_chain_job *job)
{
	lockdep_assert_held(&job->lock);
	if (!job->gone)
		mod_delayed_work(job->chain->job_wq, &job->work, 0);
}

void dm_chain_job_fail(struct dm_chain_job *job, int error, bool write, u8 id,
		       u64 at)
{
	struct dm_chain_fault *fault = &job->fault;
	const char *layer = job->chain->slot[id].name;

	lockdep_assert_held(&job->lock);
	DMERR_LIMIT("%s: job %s: %s error %d on layer %s at byte %llu",
		    dm_device_name(job->chain->md), job->id,
		    write ? "write" : "read", error, layer, at);
	/* A job that was cancelled first is cancelled. */
	if (job->state == DM_CHAIN_JOB_ABORTING ||
	    (fault->error && fault->at <= at))
		return;
	fault->error = error;
	fault->write = write;
	fault->at = at;
	strscpy(fault->layer, layer, sizeof(fault->layer));
}

u64 dm_chain_job_offset(const struct dm_chain_job *job)
{
	u64 block = job->cursor;
	unsigned int i;

	lockdep_assert_held(&job->lock);
	if (job->fault.error)
		return job->fault.at;
	if (job->pass)
		return dm_chain_job_len(job);
	for (i = 0; i < DM_CHAIN_UNITS; i++)
		if (job->unit[i].busy)
			block = min(block, job->unit[i].block);
	return min(block << (job->chain->block_shift + SECTOR_SHIFT),
		   dm_chain_job_len(job));
}

enum dm_chain_job_state dm_chain_job_shown(const struct dm_chain_job *job)
{
	lockdep_assert_held(&job->lock);
	if (job->state == DM_CHAIN_JOB_PAUSED && job->in_flight)
		return DM_CHAIN_JOB_RUNNING;
	/* Who sees it concluded may have the dropped layers. */
	if (job->state == DM_CHAIN_JOB_CONCLUDED && job->draining)
		return DM_CHAIN_JOB_RUNNING;
	return job->state;
}

void dm_chain_job_set_state(struct dm_chain_job *job,
			    enum dm_chain_job_state state)
{
	lockdep_assert_held(&job->chain->lock);
	WARN_ON_ONCE(!dm_chain_job_transition_allowed(job->state, state));
	spin_lock(&job->lock);
	job->state = state;
	spin_unlock(&job->lock);
}

void dm_chain_job_event(struct dm_chain_job *job, enum dm_chain_event event)
{
	struct dm_chain_event_info info = {
		.id = job->id,
		.len = dm_chain_job_len(job),
		.layer = job->fault.layer,
		.action = DM_CHAIN_ON_ERROR_REPORT,
	};

	spin_lock(&job->lock);
	info.state = dm_chain_job_shown(job);
	info.offset = dm_chain_job_offset(job);
	info.speed = job->speed;
	info.error = -job->fault.error;
	info.write = job->fault.write;
	spin_unlock(&job->lock);

	if (event == DM_CHAIN_EVENT_STATUS) {
		if (info.state == job->announced)
			return;
		job->announced = info.state;
	}
	dm_chain_event_send(job->chain, event, &info);
}

/* ---- where it is in the chain ---- */

bool dm_chain_job_positions(const struct dm_chain_job *job, unsigned int *top,
			    unsigned int *bottom)
{
	struct dm_chain *chain = job->chain;
	bool found = false;
	unsigned int i;

	lockdep_assert_held(&chain->lock);
	for (i = 0; i < chain->nr; i++) {
		struct dm_chain_layer *layer = chain->slot[chain->order[i]].layer;
		bool raw = dm_chain_layer_raw(layer);

		if (layer == job->top) {
			*top = i;
			return found;
		}
		if (raw == job->bottom_raw &&
		    (raw || !memcmp(layer->sb.uuid, job->bottom_uuid,
				    DM_CHAIN_UUID_LEN))) {
			*bottom = i;
			found = true;
		}
	}
	return false;
}

const char *dm_chain_job_base(const struct dm_chain_job *job)
{
	struct dm_chain *chain = job->chain;
	unsigned int top, bottom;

	if (job->base[0])
		return job->base;
	if (!dm_chain_job_positions(job, &top, &bottom) || !bottom)
		return "-";
	return chain->slot[chain->order[bottom - 1]].name;
}

struct dm_chain_job *dm_chain_job_at(struct dm_chain *chain, unsigned int pos)
{
	struct dm_chain_job *job = chain->slot[chain->order[pos]].layer->job;

	lockdep_assert_held(&chain->lock);
	/* A reload may have made a new view; the job goes with its layer. */
	if (job && job->stopped && chain->is_current)
		job->chain = chain;
	return job;
}

struct dm_chain_job *dm_chain_job_find(struct dm_chain *chain, const char *id)
{
	unsigned int i;

	lockdep_assert_held(&chain->lock);
	for (i = 0; i < chain->nr; i++) {
		struct dm_chain_job *job = dm_chain_job_at(chain, i);

		if (job && !strcmp(job->id, id))
			return job;
	}
	return NULL;
}

/* ---- end ---- */

/*
 * Record how the job ended; with @backing, that the layers below it left. The
 * job record of the superblock, if there is one, ends with that, too.
 */
static int job_write_result(struct dm_chain_job *job,
			    enum dm_chain_result_status status,
			    const struct dm_chain_backing *backing)
{
	struct dm_chain_layer *top = job->top;
	struct dm_chain_job_result *result = &top->next.result;
	const char *base = dm_chain_job_base(job);
	int r;

	mutex_lock(&top->meta_lock);
	top->next = top->sb;
	memset(&top->next.job, 0, sizeof(top->next.job));
	memset(result, 0, sizeof(*result));
	result->type = DM_CHAIN_JOB_STREAM;
	result->status = status;
	strscpy(result->id, job->id, sizeof(result->id));
	if (strcmp(base, "-"))
		strscpy(result->base, base, sizeof(result->base));
	result->len = dm_chain_job_len(job);
	result->started = job->started;
	result->finished = ktime_get_real_seconds();
	spin_lock(&job->lock);
	result->offset = dm_chain_job_offset(job);
	result->copied = job->copied;
	result->zeroed = job->zeroed;
	result->skipped = job->skipped;
	result->speed = job->speed;
	result->error = -job->fault.error;
	spin_unlock(&job->lock);
	if (backing)
		top->next.backing = *backing;
	r = dm_chain_meta_write_sb(top);
	mutex_unlock(&top->meta_lock);
	if (r)
		DMERR("%s: job %s: its result was not recorded: error %d",
		      dm_device_name(job->chain->md), job->id, r);
	return r;
}

/* Give the top its new backing and take the layers between out of the chain. */
static int job_replace_backing(struct dm_chain_job *job)
{
	struct dm_chain_backing backing = { .kind = DM_CHAIN_BACKING_NONE };
	struct dm_chain *chain = job->chain;
	struct dm_chain_layer *lowest;
	unsigned int top, bottom;
	int r;

	if (!dm_chain_job_positions(job, &top, &bottom))
		return -ENODEV;
	strscpy(job->base, dm_chain_job_base(job), sizeof(job->base));
	lowest = chain->slot[chain->order[bottom]].layer;
	if (!dm_chain_layer_raw(lowest)) {
		mutex_lock(&lowest->meta_lock);
		backing = lowest->sb.backing;
		mutex_unlock(&lowest->meta_lock);
		/* A layer that could not be written may not be bound yet. */
		dm_chain_bind_reference(&backing, bottom ?
			chain->slot[chain->order[bottom - 1]].layer : NULL);
	}
	r = job_write_result(job, DM_CHAIN_RESULT_COMPLETED, &backing);
	if (r)
		return r;
	/* The lock is released until reads are through: no verb from here on. */
	spin_lock(&job->lock);
	job->draining = true;
	spin_unlock(&job->lock);
	dm_chain_job_set_state(job, DM_CHAIN_JOB_CONCLUDED);
	dm_chain_drop(chain, bottom, top - bottom);
	spin_lock(&job->lock);
	job->draining = false;
	spin_unlock(&job->lock);
	return 0;
}

/* The copied blocks stay; that they are not durable yet loses nothing. */
static void job_abort(struct dm_chain_job *job)
{
	if (job->fault.error)
		dm_chain_job_event(job, DM_CHAIN_EVENT_ERROR);
	if (job->state != DM_CHAIN_JOB_ABORTING)
		dm_chain_job_set_state(job, DM_CHAIN_JOB_ABORTING);
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	job_write_result(job, job->fault.error ? DM_CHAIN_RESULT_FAILED :
						 DM_CHAIN_RESULT_CANCELLED,
			 NULL);
}

static void job_detach(struct dm_chain_job *job)
{
	mutex_lock(&job->top->meta_lock);
	job->top->job = NULL;
	mutex_unlock(&job->top->meta_lock);

	spin_lock(&job->lock);
	job->gone = true;
	spin_unlock(&job->lock);
	/* Nobody kicks it any more; a kick that came before is taken back. */
	cancel_delayed_work(&job->work);
}

/*
 * The dispatcher's last act, with no unit in flight: everything is copied, or a
 * unit failed, or the job was cancelled. If the device is suspended or the job
 * paused first, it stays.
 *
 * Return: true if the job ended.
 */
static bool job_end(struct dm_chain_job *job)
{
	struct dm_chain *chain = job->chain;
	enum dm_chain_event event = DM_CHAIN_EVENT_COMPLETED;
	bool stays;
	int r, saved;

	saved = dm_chain_copy_save(job);

	mutex_lock(&chain->lock);
	spin_lock(&job->lock);
	stays = job->stopped ||
		(job->state == DM_CHAIN_JOB_PAUSED && !job->fault.error);
	if (saved && job->state == DM_CHAIN_JOB_RUNNING && !job->fault.error)
		dm_chain_job_fail(job, saved, true, job->walk.top_id,
				  dm_chain_job_offset(job));
	spin_unlock(&job->lock);
	if (stays) {
		mutex_unlock(&chain->lock);
		return false;
	}

	if (job->state == DM_CHAIN_JOB_RUNNING && !job->fault.error) {
		r = job_replace_backing(job);
		if (r) {
			spin_lock(&job->lock);
			dm_chain_job_fail(job, r, true, job->walk.top_id,
					  dm_chain_job_offset(job));
			spin_unlock(&job->lock);
		}
	}
	if (job->state == DM_CHAIN_JOB_ABORTING || job->fault.error) {
		if (!job->fault.error)
			event = DM_CHAIN_EVENT_CANCELLED;
		job_abort(job);
		dm_chain_job_set_state(job, DM_CHAIN_JOB_CONCLUDED);
	}
	dm_chain_job_event(job, event);
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	dm_chain_job_set_state(job, DM_CHAIN_JOB_NULL);
	job_detach(job);
	mutex_unlock(&chain->lock);
	return true;
}

/* ---- the dispatcher ---- */

enum job_next {
	JOB_WAIT,	/* for a kick */
	JOB_COPY,
	JOB_REST,	/* it was paused, and no unit is in flight any more */
	JOB_END,
};

static enum job_next job_next(struct dm_chain_job *job)
{
	enum job_next next = JOB_COPY;

	spin_lock(&job->lock);
	if (job->stopped || job->gone)
		next = JOB_WAIT;
	else if (job->fault.error || job->state == DM_CHAIN_JOB_ABORTING)
		next = job->in_flight ? JOB_WAIT : JOB_END;
	else if (job->state == DM_CHAIN_JOB_PAUSED)
		next = job->in_flight ? JOB_WAIT : JOB_REST;
	spin_unlock(&job->lock);
	return next;
}

/* Tell that the offset stands still, and leave nothing uncommitted meanwhile. */
static void job_rest(struct dm_chain_job *job)
{
	mutex_lock(&job->chain->lock);
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	mutex_unlock(&job->chain->lock);
	if (job->unsaved && dm_chain_copy_save(job))
		DMERR_LIMIT("%s: job %s: the commit of a pause failed",
			    dm_device_name(job->chain->md), job->id);
}

void dm_chain_job_work(struct work_struct *work)
{
	struct dm_chain_job *job = container_of(to_delayed_work(work),
						struct dm_chain_job, work);

	for (;;) {
		switch (job_next(job)) {
		case JOB_WAIT:
			return;
		case JOB_REST:
			job_rest(job);
			return;
		case JOB_COPY:
			switch (dm_chain_copy(job)) {
			case DM_CHAIN_COPY_WAIT:
				return;
			case DM_CHAIN_COPY_AGAIN:
				continue;
			case DM_CHAIN_COPY_DONE:
				break;
			}
			fallthrough;
		case JOB_END:
			if (!job_end(job))
				continue;
			dm_chain_job_put(job);
			return;
		}
	}
}

/* ---- suspend and resume ---- */

static struct dm_chain_job *job_stop_one(struct dm_chain *chain)
{
	struct dm_chain_job *job = NULL;
	unsigned int i;

	mutex_lock(&chain->lock);
	/* No message starts one from here on. */
	chain->jobs_stopped = true;
	for (i = 0; i < chain->nr; i++) {
		job = dm_chain_job_at(chain, i);
		if (job && job->chain == chain && !job->stopped)
			break;
		job = NULL;
	}
	if (job) {
		kref_get(&job->ref);
		spin_lock(&job->lock);
		job->stopped = true;
		spin_unlock(&job->lock);
	}
	mutex_unlock(&chain->lock);
	return job;
}

static bool job_is_idle(struct dm_chain_job *job)
{
	bool idle;

	spin_lock(&job->lock);
	idle = !job->in_flight;
	spin_unlock(&job->lock);
	return idle;
}

void dm_chain_jobs_stop(struct dm_chain *chain)
{
	struct dm_chain_job *job;

	while ((job = job_stop_one(chain))) {
		/* The last unit kicks the dispatcher before it lets go. */
		wait_event(job->idle, job_is_idle(job));
		cancel_delayed_work_sync(&job->work);
		dm_chain_job_put(job);
	}
}

static void job_go(struct dm_chain *chain, struct dm_chain_job *job)
{
	unsigned int top, bottom;

	if (!chain->writable || !job->top->writable)
		return;
	spin_lock(&job->lock);
	if (dm_chain_job_positions(job, &top, &bottom)) {
		dm_chain_walk_aim(&job->walk, chain, top, bottom);
	} else {
		job->walk.active = job->top == dm_chain_active(chain);
		dm_chain_job_fail(job, -ENODEV, false, chain->active,
				  dm_chain_job_offset(job));
	}
	if (job->pass) {
		job->cursor = 0;
		job->found = true;
	}
	job->stopped = false;
	job->rate_since = ktime_get();
	job->rate_bytes = 0;
	dm_chain_job_kick(job);
	spin_unlock(&job->lock);
}

void dm_chain_jobs_go(struct dm_chain *chain)
{
	unsigned int i;

	mutex_lock(&chain->lock);
	chain->jobs_stopped = false;
	for (i = 0; i < chain->nr; i++) {
		struct dm_chain_job *job = dm_chain_job_at(chain, i);

		if (job && job->stopped)
			job_go(chain, job);
	}
	mutex_unlock(&chain->lock);
}

void dm_chain_job_free(struct dm_chain_layer *layer)
{
	struct dm_chain_job *job = layer->job;

	if (!job)
		return;
	/* Its device was suspended, so neither it nor a unit runs. */
	layer->job = NULL;
	dm_chain_job_put(job);
}
