// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the messages that start a job and control it.
 *
 * Checks come in the order of the documentation, so that the same wrong message
 * always gets the same error: first what can be said of the words alone, then
 * of the names, then of the state things are in.
 */
#include <linux/slab.h>

#include "dm-chain-event.h"
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

/* Words that a later version brings. */
static int job_check_words(const struct dm_chain_msg *msg,
			   struct dm_chain_why *why)
{
	if (msg->on_error != DM_CHAIN_ON_ERROR_REPORT)
		return dm_chain_refuse(why, -EINVAL,
				       "'on-error %s' is not supported by this version",
				       dm_chain_on_error_name(msg->on_error));
	if (!msg->auto_finalize)
		return dm_chain_refuse(why, -EINVAL,
				       "'auto-finalize off' is not supported by this version");
	if (!msg->auto_dismiss)
		return dm_chain_refuse(why, -EINVAL,
				       "'auto-dismiss off' is not supported by this version");
	if (msg->verify)
		return dm_chain_refuse(why, -EINVAL,
				       "'verify on' is not supported by this version");
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

static int job_check_users(struct dm_chain *chain,
			   const struct dm_chain_slot *slot,
			   struct dm_chain_why *why)
{
	struct dm_chain_table *t;

	lockdep_assert_held(&dm_chain_registry);
	list_for_each_entry(t, &dm_chain_tables, list) {
		if (t->md != chain->md && dm_chain_table_uses(t, slot->layer))
			return dm_chain_refuse(why, -EBUSY,
					       "top '%s' is in use by device %s too",
					       slot->name,
					       dm_device_name(t->md));
	}
	return 0;
}

static int job_check_busy(struct dm_chain *chain, unsigned int top,
			  unsigned int bottom, struct dm_chain_why *why)
{
	unsigned int i;

	for (i = 0; i < chain->nr; i++) {
		const struct dm_chain_job *job = dm_chain_job_at(chain, i);
		unsigned int t, b;

		if (!job)
			continue;
		if (dm_chain_job_positions(job, &t, &b) &&
		    dm_chain_jobs_overlap(b, t, bottom, top))
			return dm_chain_refuse(why, -EBUSY,
					       "layers '%s' to '%s' overlap those of job '%s'",
					       chain->slot[chain->order[bottom]].name,
					       chain->slot[chain->order[top]].name,
					       job->id);
		return dm_chain_refuse(why, -EBUSY,
				       "job '%s' is live: this version runs one job at a time",
				       job->id);
	}
	return job_check_users(chain, &chain->slot[chain->order[top]], why);
}

/* What the layers above the base hold, hidden or not: the most there can be. */
static u64 job_upper_bound(struct dm_chain_job *job)
{
	const struct dm_chain_walk *w = &job->walk;
	u64 bytes = 0, data, zero;
	unsigned int i;

	for (i = w->bottom; i < w->nr; i++) {
		struct dm_chain_layer *layer = w->chain->slot[w->id[i]].layer;

		if (dm_chain_layer_raw(layer)) {
			bytes += layer->size;
			continue;
		}
		dm_chain_layer_counts(layer, &data, &zero);
		bytes += data * dm_chain_block_size(w->chain);
	}
	return min(bytes, dm_chain_job_len(job));
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
				       u64 speed)
{
	struct dm_chain_layer *low = chain->slot[chain->order[bottom]].layer;
	struct dm_chain_job *job = kzalloc(sizeof(*job), GFP_KERNEL);
	u64 zero;

	if (!job)
		return NULL;
	kref_init(&job->ref);
	spin_lock_init(&job->lock);
	init_waitqueue_head(&job->idle);
	INIT_DELAYED_WORK(&job->work, dm_chain_job_work);
	if (dm_chain_walk_init(&job->walk) || dm_chain_units_init(job)) {
		dm_chain_job_put(job);
		return NULL;
	}
	job->chain = chain;
	job->top = chain->slot[chain->order[top]].layer;
	strscpy(job->id, id, sizeof(job->id));
	job->bottom_raw = dm_chain_layer_raw(low);
	if (!job->bottom_raw)
		memcpy(job->bottom_uuid, low->sb.uuid, DM_CHAIN_UUID_LEN);
	job->started = ktime_get_real_seconds();
	job->begin = ktime_get();
	job->due = job->begin;
	job->rate_since = job->begin;
	job->speed = speed;
	job->found = true;
	job->state = DM_CHAIN_JOB_NULL;
	dm_chain_copy_begin(job);
	dm_chain_walk_aim(&job->walk, chain, top, bottom);
	if (job->walk.active)
		dm_chain_walk_count(&job->walk, &job->remaining, &zero);
	else
		job->remaining = job_upper_bound(job);
	return job;
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
	r = job_check_words(msg, why);
	if (!r)
		r = dm_chain_scope(chain, msg, &top, &bottom, why);
	if (r)
		return r;
	slot = &chain->slot[chain->order[top]];
	id = msg->job ? msg->job : slot->name;
	if (dm_chain_job_find(chain, id))
		return dm_chain_refuse(why, -EEXIST, "job '%s' exists already", id);
	r = job_check_writable(chain, slot, why);
	if (!r)
		r = job_check_busy(chain, top, bottom, why);
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

	job = job_create(chain, id, top, bottom, msg->speed);
	if (!job || dm_chain_layer_prepare(job->top)) {
		if (job)
			dm_chain_job_put(job);
		return dm_chain_refuse(why, -ENOMEM, "out of memory");
	}
	mutex_lock(&job->top->meta_lock);
	job->top->job = job;
	mutex_unlock(&job->top->meta_lock);
	dm_chain_job_set_state(job, DM_CHAIN_JOB_CREATED);
	dm_chain_job_set_state(job, DM_CHAIN_JOB_RUNNING);
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	spin_lock(&job->lock);
	dm_chain_job_kick(job);
	spin_unlock(&job->lock);
	return 0;
}

/* What was copied at the old speed is paid for at the new one: the product of
 * time left and speed is at most that of one unit.
 */
static void job_set_speed(struct dm_chain_job *job, u64 speed)
{
	ktime_t now = ktime_get();
	s64 left;

	spin_lock(&job->lock);
	left = ktime_to_ns(ktime_sub(job->due, now));
	if (!speed || !job->speed || left < 0)
		left = 0;
	else
		left = div64_u64(left * job->speed, speed);
	job->due = ktime_add_ns(now, left);
	job->speed = speed;
	dm_chain_job_kick(job);
	spin_unlock(&job->lock);
}

static void job_change_state(struct dm_chain_job *job,
			     enum dm_chain_job_state state)
{
	dm_chain_job_set_state(job, state);
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	spin_lock(&job->lock);
	if (state == DM_CHAIN_JOB_RUNNING) {
		/* A pause does not count as a time of slow copying. */
		job->rate_since = ktime_get();
		job->rate_bytes = 0;
	}
	dm_chain_job_kick(job);
	spin_unlock(&job->lock);
}

int dm_chain_job_control(struct dm_chain *chain,
			 const struct dm_chain_msg *msg,
			 struct dm_chain_why *why)
{
	struct dm_chain_job *job;

	lockdep_assert_held(&chain->lock);
	if (msg->verb == DM_CHAIN_VERB_SET_FLOOR ||
	    msg->verb == DM_CHAIN_VERB_SET_CEILING)
		return dm_chain_refuse(why, -EINVAL,
				       "'%s' is not supported by this version",
				       dm_chain_verb_name(msg->verb));
	job = dm_chain_job_find(chain, msg->job);
	if (!job)
		return dm_chain_refuse(why, -ENOENT, "there is no job '%s'",
				       msg->job);
	if (!dm_chain_verb_allowed(job->state, msg->verb))
		return dm_chain_refuse(why, -EINVAL,
				       "job '%s' in state '%s' does not accept '%s'",
				       job->id,
				       dm_chain_job_state_name(job->state),
				       dm_chain_verb_name(msg->verb));

	/* It could not even end: its result could not be recorded. */
	if (job->stopped)
		return dm_chain_refuse(why, -EROFS,
				       "job '%s' rests while the device is read-only",
				       job->id);

	switch (msg->verb) {
	case DM_CHAIN_VERB_PAUSE:
		job_change_state(job, DM_CHAIN_JOB_PAUSED);
		break;
	case DM_CHAIN_VERB_RESUME:
		job_change_state(job, DM_CHAIN_JOB_RUNNING);
		break;
	case DM_CHAIN_VERB_CANCEL:
		job_change_state(job, DM_CHAIN_JOB_ABORTING);
		break;
	case DM_CHAIN_VERB_SET_SPEED:
		job_set_speed(job, msg->value);
		break;
	default:
		return dm_chain_refuse(why, -EINVAL,
				       "'%s' is not supported by this version",
				       dm_chain_verb_name(msg->verb));
	}
	return 0;
}
