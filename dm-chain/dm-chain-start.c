// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the messages that start a job and control it.
 *
 * Checks come in the order of the documentation, so that the same wrong message
 * always gets the same error: first what can be said of the words alone, then
 * of the names, then of the state things are in.
 */
#include <linux/slab.h>

#include "dm-chain-job.h"

int dm_chain_scope(struct dm_chain *chain, const struct dm_chain_msg *msg,
		   unsigned int *top, unsigned int *bottom,
		   struct dm_chain_why *why)
{
	const char *low = msg->base ? msg->base : msg->bottom;
	int t = msg->top ? dm_chain_find_name(chain, msg->top) : chain->nr - 1;
	int l = low ? dm_chain_find_name(chain, low) : 0;

	lockdep_assert_held(&chain->lock);
	if (t >= 0 && l >= 0) {
		const char *name = chain->slot[chain->order[t]].name;

		if (msg->base && l >= t)
			return dm_chain_refuse(why, -EINVAL,
					       "base '%s' is not below top '%s'",
					       low, name);
		if (l > t)
			return dm_chain_refuse(why, -EINVAL,
					       "bottom '%s' is above top '%s'",
					       low, name);
	}
	if (t < 0)
		return dm_chain_refuse(why, -ENOENT, "top: there is no layer '%s'",
				       msg->top);
	if (l < 0)
		return dm_chain_refuse(why, -ENOENT, "%s: there is no layer '%s'",
				       msg->base ? "base" : "bottom", low);
	*top = t;
	*bottom = msg->base ? l + 1 : l;
	return 0;
}

static int job_check_writable(struct dm_chain *chain,
			      const struct dm_chain_slot *slot,
			      struct dm_chain_why *why)
{
	const struct dm_chain_layer *top = slot->layer;

	if (!chain->writable)
		return dm_chain_refuse(why, -EROFS, "the device is read-only");
	if (dm_chain_layer_raw(top))
		return dm_chain_refuse(why, -EROFS,
				       "top '%s' is a raw device without metadata",
				       slot->name);
	if (!top->writable)
		return dm_chain_refuse(why, -EROFS,
				       "top '%s' is on a read-only device",
				       slot->name);
	if (top->sb.flags & DM_CHAIN_F_NEEDS_CHECK && !top->failed)
		return dm_chain_refuse(why, -EROFS, "top '%s' needs a check first",
				       slot->name);
	return 0;
}

int dm_chain_job_check_overlap(struct dm_chain *chain,
			       const struct dm_chain_job *except,
			       unsigned int top, unsigned int bottom,
			       struct dm_chain_why *why)
{
	unsigned int i;

	for (i = 0; i < chain->nr; i++) {
		const struct dm_chain_job *job = dm_chain_job_adopt_at(chain, i);
		unsigned int t, b;

		if (!job || job == except)
			continue;
		/* One whose bottom is gone will end, but still writes its top. */
		if (!dm_chain_job_positions(job, &t, &b)) {
			t = i;
			b = i;
		}
		if (dm_chain_jobs_overlap(b, t, bottom, top))
			return dm_chain_refuse(why, -EBUSY,
					       "layer '%s' is in use by job '%s'",
					       chain->slot[chain->order[max(b, bottom)]].name,
					       job->id);
	}
	return 0;
}

/* What Documentation/dm-chain.rst says. */
static_assert(DM_CHAIN_JOB_MEMORY <= 5248 * SZ_1K);

/* See DM_CHAIN_JOB_MEMORY. */
static_assert(sizeof(struct dm_chain_job) + DM_CHAIN_BLOCKS_PER_PAGE +
	      (2 + DM_CHAIN_UNITS + 1) * DM_CHAIN_PAGE_SIZE +
	      DM_CHAIN_UNITS * DM_CHAIN_UNIT_BLOCKS * sizeof(void *) <=
	      DM_CHAIN_JOB_REST);

static struct dm_chain_job *job_create(struct dm_chain *chain, const char *id,
				       unsigned int top, unsigned int bottom,
				       const struct dm_chain_msg *msg)
{
	struct dm_chain_layer *low = chain->slot[chain->order[bottom]].layer;
	struct dm_chain_job *job;
	u64 zero;

	job = dm_chain_job_alloc(chain, id,
				 chain->slot[chain->order[top]].layer);
	if (!job)
		return NULL;
	job->bottom_raw = dm_chain_layer_raw(low);
	if (!job->bottom_raw)
		memcpy(job->bottom_uuid, low->sb.uuid, DM_CHAIN_UUID_LEN);
	job->on_error = msg->on_error;
	job->auto_finalize = msg->auto_finalize;
	job->auto_dismiss = msg->auto_dismiss;
	job->verify = msg->verify;
	job->started = ktime_get_real_seconds();
	job->speed = msg->speed;
	dm_chain_walk_aim(&job->walk, chain, top, bottom);
	if (dm_chain_job_prepare(job) || dm_chain_layer_prepare(job->top)) {
		dm_chain_job_put(job);
		return NULL;
	}
	if (job->walk.active)
		dm_chain_walk_count(&job->walk, &job->remaining, &zero);
	return job;
}

static void job_changed(struct dm_chain_job *job)
{
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	spin_lock(&job->lock);
	dm_chain_job_kick(job);
	spin_unlock(&job->lock);
}

/* Make it the layer's, on disk too, and let it run. */
static int job_begin(struct dm_chain_job *job, struct dm_chain_why *why)
{
	int r;

	dm_chain_job_set_state(job, DM_CHAIN_JOB_CREATED);
	r = dm_chain_job_record(job);
	if (r) {
		dm_chain_job_unrecord(job);
		dm_chain_refuse(why, -EIO,
				"job '%s' could not be recorded in its top's superblock: error %d",
				job->id, r);
		dm_chain_job_put(job);
		return -EIO;
	}
	mutex_lock(&job->top->meta_lock);
	job->top->job = job;
	WRITE_ONCE(job->top->unversioned, true);
	mutex_unlock(&job->top->meta_lock);
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	dm_chain_job_set_state(job, DM_CHAIN_JOB_RUNNING);
	job_changed(job);
	return 0;
}

int dm_chain_job_start(struct dm_chain *chain, const struct dm_chain_msg *msg,
		       struct dm_chain_why *why)
{
	struct dm_chain_slot *slot;
	struct dm_chain_job *job;
	unsigned int top, bottom;
	const char *id;
	int r;

	lockdep_assert_held(&chain->lock);
	r = dm_chain_scope(chain, msg, &top, &bottom, why);
	if (r)
		return r;
	slot = &chain->slot[chain->order[top]];
	id = msg->job ? msg->job : slot->name;
	if (dm_chain_job_find(chain, id))
		return dm_chain_refuse(why, -EEXIST, "job '%s' exists already", id);
	r = job_check_writable(chain, slot, why);
	if (!r)
		r = dm_chain_job_check_overlap(chain, NULL, top, bottom, why);
	if (!r && bottom < top)
		r = dm_chain_job_claim(chain, slot, why);
	if (r)
		return r;

	if (bottom == top) {
		struct dm_chain_event_info info = {
			.id = id,
			.state = DM_CHAIN_JOB_CONCLUDED,
			.speed = msg->speed,
		};

		dm_chain_event_send(chain, DM_CHAIN_EVENT_COMPLETED, &info);
		return 0;
	}

	job = job_create(chain, id, top, bottom, msg);
	r = job ? job_begin(job, why) :
		  dm_chain_refuse(why, -ENOMEM, "out of memory");
	if (r)
		dm_chain_job_unclaim(slot->layer);
	return r;
}

/* ---- verbs ---- */

/*
 * What was copied at the old speed is paid for at the new one: the product of
 * time left and speed is at most that of one unit.
 */
static void job_set_speed(struct dm_chain_job *job, u64 speed)
{
	ktime_t now = ktime_get();
	s64 left;

	lockdep_assert_held(&job->lock);
	left = ktime_to_ns(ktime_sub(job->due, now));
	if (!speed || !job->speed || left < 0)
		left = 0;
	else
		left = div64_u64(left * job->speed, speed);
	job->due = ktime_add_ns(now, left);
	/* Pairs with READ_ONCE() in copy_look(). */
	WRITE_ONCE(job->speed, speed);
}

/*
 * It takes effect at once. The dispatcher records it, soon: who slows a job
 * down because the disk is busy should not wait for the disk.
 */
static int job_set_rate(struct dm_chain_job *job,
			const struct dm_chain_msg *msg)
{
	spin_lock(&job->lock);
	if (msg->verb == DM_CHAIN_VERB_SET_SPEED)
		job_set_speed(job, msg->value);
	else if (msg->verb == DM_CHAIN_VERB_SET_FLOOR)
		dm_chain_pace_set(&job->pace, msg->value, job->pace.ceiling);
	else
		dm_chain_pace_set(&job->pace, job->pace.floor, msg->value);
	/* Pairs with READ_ONCE() in job_rest(). */
	WRITE_ONCE(job->unrecorded, true);
	dm_chain_job_kick(job);
	spin_unlock(&job->lock);
	return 0;
}

static int job_not_recorded(const struct dm_chain_job *job, int error,
			    struct dm_chain_why *why)
{
	return dm_chain_refuse(why, -EIO,
			       "that could not be recorded in the superblock of the top of job '%s': error %d",
			       job->id, error);
}

static int job_pause(struct dm_chain_job *job, struct dm_chain_why *why)
{
	int r = dm_chain_job_enter(job, DM_CHAIN_JOB_PAUSED);

	job_changed(job);
	return r ? job_not_recorded(job, r, why) : 0;
}

/* A job that was held may go on: nothing may have come in its way. */
static int job_check_free(struct dm_chain_job *job, struct dm_chain_why *why)
{
	struct dm_chain *chain = job->chain;
	unsigned int top, bottom;
	int r;

	/* If it has no bottom any more, it will say so and end. */
	if (!dm_chain_job_positions(job, &top, &bottom))
		return 0;
	r = dm_chain_job_check_overlap(chain, job, top, bottom, why);
	if (!r)
		r = dm_chain_job_claim(chain, &chain->slot[chain->order[top]],
				       why);
	return r;
}

static int job_resume(struct dm_chain_job *job, struct dm_chain_why *why)
{
	int r = job_check_free(job, why);

	if (r)
		return r;
	spin_lock(&job->lock);
	/* One that was held may have found no bottom. */
	job->reaim |= job->held;
	/* A pause does not count as a time of slow copying. */
	job->rate_since = ktime_get();
	job->rate_bytes = 0;
	spin_unlock(&job->lock);
	r = dm_chain_job_enter(job, DM_CHAIN_JOB_RUNNING);
	if (r) {
		if (job->held)
			dm_chain_job_unclaim(job->top);
		return job_not_recorded(job, r, why);
	}
	spin_lock(&job->lock);
	if (job->io_status != DM_CHAIN_IO_OK)
		dm_chain_faults_clear(&job->faults);
	job->held = false;
	job->io_status = DM_CHAIN_IO_OK;
	job->error = 0;
	spin_unlock(&job->lock);
	job_changed(job);
	return 0;
}

static int job_cancel(struct dm_chain_job *job, struct dm_chain_why *why)
{
	int r = dm_chain_job_record_result(job, DM_CHAIN_RESULT_CANCELLED, NULL);

	spin_lock(&job->lock);
	/* A job that is cancelled is cancelled, whatever went wrong before. */
	if (!r)
		memset(&job->fault, 0, sizeof(job->fault));
	spin_unlock(&job->lock);
	job_changed(job);
	return r ? job_not_recorded(job, r, why) : 0;
}

static int job_finalize(struct dm_chain_job *job, struct dm_chain_why *why)
{
	int r;

	if (job->finalize)
		return dm_chain_refuse(why, -EINVAL,
				       "job '%s' is being finalized already",
				       job->id);
	r = job_check_free(job, why);
	if (r)
		return r;
	spin_lock(&job->lock);
	job->finalize = true;
	job->io_status = DM_CHAIN_IO_OK;
	job->error = 0;
	/* Once more over the map: a job ends behind a pass that found nothing. */
	WRITE_ONCE(job->reaim, true);
	dm_chain_job_kick(job);
	spin_unlock(&job->lock);
	return 0;
}

static int job_dismiss(struct dm_chain_job *job)
{
	list_del(&job->list);
	dm_chain_job_set_state(job, DM_CHAIN_JOB_NULL);
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	dm_chain_job_put(job);
	return 0;
}

static int job_verb(struct dm_chain_job *job, const struct dm_chain_msg *msg,
		    struct dm_chain_why *why)
{
	switch (msg->verb) {
	case DM_CHAIN_VERB_PAUSE:
		return job_pause(job, why);
	case DM_CHAIN_VERB_RESUME:
		return job_resume(job, why);
	case DM_CHAIN_VERB_CANCEL:
		return job_cancel(job, why);
	case DM_CHAIN_VERB_FINALIZE:
		return job_finalize(job, why);
	case DM_CHAIN_VERB_DISMISS:
		return job_dismiss(job);
	default:
		return job_set_rate(job, msg);
	}
}

int dm_chain_job_control(struct dm_chain *chain,
			 const struct dm_chain_msg *msg,
			 struct dm_chain_why *why)
{
	struct dm_chain_job *job;

	lockdep_assert_held(&chain->lock);
	job = dm_chain_job_find(chain, msg->job);
	if (!job)
		return dm_chain_refuse(why, -ENOENT, "there is no job '%s'",
				       msg->job);
	if (job->draining)
		return dm_chain_refuse(why, -EINVAL,
				       "job '%s' has changed the chain and is about to end",
				       job->id);
	if (!dm_chain_verb_allowed(job->state, msg->verb))
		return dm_chain_refuse(why, -EINVAL,
				       "job '%s' in state '%s' does not accept '%s'",
				       job->id,
				       dm_chain_job_state_name(job->state),
				       dm_chain_verb_name(msg->verb));

	/* Taken over from a device that is gone, after this one was resumed. */
	if (job->state != DM_CHAIN_JOB_CONCLUDED && job->stopped)
		dm_chain_job_go(chain, job);
	/* It could not even end: its result could not be recorded. */
	if (job->state != DM_CHAIN_JOB_CONCLUDED && job->stopped)
		return dm_chain_refuse(why, -EROFS,
				       "job '%s' rests while the device or its top is read-only",
				       job->id);
	/* What "jobs" shows already is told before it changes again. */
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	return job_verb(job, msg, why);
}
