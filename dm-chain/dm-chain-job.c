// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: a job and its dispatcher.
 *
 * A job belongs to the layer that is its top and to the view that drives it.
 * It is made by a message (dm-chain-start.c) or from the record in the top's
 * superblock (dm-chain-record.c), lives under chain->lock and is ended by its
 * own dispatcher (dm-chain-end.c); in between a reload may change the chain
 * around it, which shows when the device resumes and the walk is aimed anew.
 *
 * Any number run side by side as long as they share no layer. One that ends
 * takes layers away that those above it may be about to read, if such a layer
 * lies below their bottom and the end of a short layer cuts a block. So it first
 * tells the others to aim anew. A unit or a plan that does not see that yet holds
 * the epoch, and the drain waits for it; one that takes the new epoch sees it.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "dm-chain-job.h"
#include "dm-chain-trace.h"

/* How long to wait for memory, if there is none for the units. */
#define MEMORY_PERIOD	HZ

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

struct dm_chain_job *dm_chain_job_alloc(struct dm_chain *chain, const char *id,
					struct dm_chain_layer *top)
{
	struct dm_chain_job *job = kzalloc(sizeof(*job), GFP_KERNEL);

	lockdep_assert_held(&chain->lock);
	if (!job)
		return NULL;
	kref_init(&job->ref);
	spin_lock_init(&job->lock);
	init_waitqueue_head(&job->idle);
	INIT_LIST_HEAD(&job->list);
	INIT_DELAYED_WORK(&job->work, dm_chain_job_work);
	if (dm_chain_walk_init(&job->walk)) {
		dm_chain_job_put(job);
		return NULL;
	}
	job->chain = chain;
	job->top = top;
	strscpy(job->id, id, sizeof(job->id));
	job->begin = ktime_get();
	job->due = job->begin;
	job->rate_since = job->begin;
	job->recorded = jiffies;
	job->found = true;
	job->rewind = U64_MAX;
	job->state = DM_CHAIN_JOB_NULL;
	dm_chain_copy_begin(job);
	return job;
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

int dm_chain_job_prepare(struct dm_chain_job *job)
{
	u64 bytes;

	if (dm_chain_units_init(job))
		return -ENOMEM;
	bytes = job_upper_bound(job);
	spin_lock(&job->lock);
	job->remaining = bytes;
	spin_unlock(&job->lock);
	job->ready = true;
	return 0;
}

void dm_chain_job_kick(struct dm_chain_job *job)
{
	lockdep_assert_held(&job->lock);
	if (!job->gone)
		mod_delayed_work(job->chain->job_wq, &job->work, 0);
}

/* ---- failures ---- */

enum dm_chain_on_error dm_chain_job_action(const struct dm_chain_job *job,
					   const struct dm_chain_fault *fault)
{
	enum dm_chain_on_error action;

	if (fault->fatal)
		return DM_CHAIN_ON_ERROR_REPORT;
	action = dm_chain_error_action(job->on_error, -fault->error);
	/* Without a place to pass over, it would fail for ever. */
	if (action == DM_CHAIN_ON_ERROR_IGNORE && !fault->bytes)
		return DM_CHAIN_ON_ERROR_REPORT;
	return action;
}

bool dm_chain_job_fail(struct dm_chain_job *job,
		       const struct dm_chain_fault *fault, u8 id)
{
	const char *layer = job->chain->slot[id].name;
	bool goes_on = dm_chain_job_action(job, fault) ==
		       DM_CHAIN_ON_ERROR_IGNORE;
	struct dm_chain_fault *first = goes_on ? &job->ignored : &job->fault;

	lockdep_assert_held(&job->lock);
	DMERR_LIMIT("%s: job %s: %s error %d on layer %s at byte %llu",
		    dm_device_name(job->chain->md), job->id,
		    fault->write ? "write" : "read", fault->error, layer,
		    fault->at);
	/* A job that was cancelled first is cancelled, unless that fails. */
	if (job->state == DM_CHAIN_JOB_ABORTING) {
		job->found = true;
		return false;
	}
	if (fault->bytes)
		dm_chain_faults_add(&job->faults, layer, fault->at,
				    fault->bytes, -fault->error);
	if (goes_on) {
		job->told = *fault;
		strscpy(job->told.layer, layer, sizeof(job->told.layer));
	}
	if (first->error && first->fatal >= fault->fatal &&
	    (first->at <= fault->at || first->fatal > fault->fatal))
		return goes_on;
	*first = *fault;
	strscpy(first->layer, layer, sizeof(first->layer));
	return goes_on;
}

/* ---- numbers ---- */

u64 dm_chain_job_low(const struct dm_chain_job *job)
{
	u64 low = min(job->now.cursor, job->rewind);
	unsigned int i;

	lockdep_assert_held(&job->lock);
	for (i = 0; i < DM_CHAIN_UNITS; i++)
		if (job->unit[i].busy)
			low = min(low, job->unit[i].block);
	if (job->fault.error)
		low = min(low, job->fault.at >> (job->chain->block_shift +
						 SECTOR_SHIFT));
	return low;
}

u64 dm_chain_job_offset(const struct dm_chain_job *job)
{
	u64 low;

	lockdep_assert_held(&job->lock);
	if (job->fault.error)
		return job->fault.at;
	if (job->pass)
		return dm_chain_job_len(job);
	low = dm_chain_job_low(job);
	return min(low << (job->chain->block_shift + SECTOR_SHIFT),
		   dm_chain_job_len(job));
}

/*
 * Whatever the cursor came past was copied, became zero, is in a unit, was in one
 * that failed, or there was nothing to do with it: it is the top's, or no layer of
 * the job holds it.
 */
u64 dm_chain_job_skipped(const struct dm_chain_job *job)
{
	unsigned int shift = job->chain->block_shift + SECTOR_SHIFT;
	u64 past = dm_chain_job_len(job);
	u64 known = job->now.copied + job->now.zeroed + job->open + job->undone;

	lockdep_assert_held(&job->lock);
	if (!job->pass)
		past = min(past, job->seen << shift);
	return past - min(past, known);
}

/* ---- states and events ---- */

enum dm_chain_job_state dm_chain_job_shown(const struct dm_chain_job *job)
{
	lockdep_assert_held(&job->lock);
	if (job->state == DM_CHAIN_JOB_PAUSED && job->in_flight)
		return DM_CHAIN_JOB_RUNNING;
	/* Who sees it concluded may have the dropped layers. */
	if (job->state == DM_CHAIN_JOB_CONCLUDED && job->draining)
		return job->finalize ? DM_CHAIN_JOB_PENDING :
				       DM_CHAIN_JOB_RUNNING;
	return job->state;
}

void dm_chain_job_become(struct dm_chain_job *job,
			 enum dm_chain_job_state state)
{
	enum dm_chain_job_state from = job->state;

	lockdep_assert_held(&job->lock);
	/* Pairs with READ_ONCE() in dm_chain_job_record(). */
	WRITE_ONCE(job->state, state);
	if (from != state)
		trace_dm_chain_job(job, from);
}

void dm_chain_job_set_state(struct dm_chain_job *job,
			    enum dm_chain_job_state state)
{
	lockdep_assert_held(&job->chain->lock);
	WARN_ON_ONCE(!dm_chain_job_transition_allowed(job->state, state));
	spin_lock(&job->lock);
	dm_chain_job_become(job, state);
	spin_unlock(&job->lock);
}

static void job_event_info(struct dm_chain_job *job,
			   struct dm_chain_event_info *info)
{
	info->id = job->id;
	info->len = dm_chain_job_len(job);
	spin_lock(&job->lock);
	info->state = dm_chain_job_shown(job);
	info->offset = dm_chain_job_offset(job);
	info->speed = job->speed;
	info->error = job->fault.error ? -job->fault.error : job->error;
	spin_unlock(&job->lock);
}

void dm_chain_job_event(struct dm_chain_job *job, enum dm_chain_event event)
{
	struct dm_chain_event_info info = {};

	job_event_info(job, &info);
	if (event == DM_CHAIN_EVENT_STATUS) {
		if (info.state == job->announced)
			return;
		job->announced = info.state;
	}
	dm_chain_event_send(job->chain, event, &info);
}

void dm_chain_job_event_error(struct dm_chain_job *job,
			      const struct dm_chain_fault *fault,
			      enum dm_chain_on_error action)
{
	struct dm_chain_event_info info = {};

	job_event_info(job, &info);
	info.offset = fault->at;
	info.error = -fault->error;
	info.write = fault->write;
	info.layer = fault->layer;
	info.action = action;
	dm_chain_event_send(job->chain, DM_CHAIN_EVENT_ERROR, &info);
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
		    (raw || dm_chain_uuid_equal(layer->sb.uuid, job->bottom_uuid))) {
			*bottom = i;
			found = true;
		}
	}
	return false;
}

u8 dm_chain_job_top_id(const struct dm_chain_job *job)
{
	struct dm_chain *chain = job->chain;
	unsigned int i = chain->nr - 1;

	lockdep_assert_held(&chain->lock);
	while (i && chain->slot[chain->order[i]].layer != job->top)
		i--;
	return chain->order[i];
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

struct dm_chain_job *dm_chain_job_adopt_at(struct dm_chain *chain,
					   unsigned int pos)
{
	struct dm_chain_layer *layer = chain->slot[chain->order[pos]].layer;
	struct dm_chain_job *job;

	lockdep_assert_held(&chain->lock);
	if (!chain->is_current || !READ_ONCE(layer->job))
		return NULL;
	/* The device that drove it is gone; the job goes with its layer. */
	if (!READ_ONCE(layer->job_md))
		dm_chain_job_adopt(chain, layer);
	if (READ_ONCE(layer->job_md) != chain->md)
		return NULL;
	job = layer->job;
	/* A reload may have made a new view. */
	if (job && job->stopped)
		job->chain = chain;
	return job;
}

struct dm_chain_job *dm_chain_job_find(struct dm_chain *chain, const char *id)
{
	struct dm_chain_job *job;
	unsigned int i;

	lockdep_assert_held(&chain->lock);
	for (i = 0; i < chain->nr; i++) {
		job = dm_chain_job_adopt_at(chain, i);
		if (job && !strcmp(job->id, id))
			return job;
	}
	list_for_each_entry(job, &chain->concluded, list)
		if (!strcmp(job->id, id))
			return job;
	return NULL;
}

/* ---- the dispatcher ---- */

enum job_next {
	JOB_WAIT,	/* for a kick */
	JOB_AIM,	/* the chain below has changed */
	JOB_COPY,
	JOB_REST,	/* paused or pending, and no unit is in flight any more */
	JOB_FAULT,
	JOB_END,
};

static enum job_next job_next(struct dm_chain_job *job)
{
	enum job_next next = JOB_COPY;

	spin_lock(&job->lock);
	if (job->stopped || job->gone)
		next = JOB_WAIT;
	else if (job->state == DM_CHAIN_JOB_ABORTING)
		next = JOB_END;
	else if (job->fault.error)
		next = JOB_FAULT;
	else if (job->reaim)
		next = JOB_AIM;
	else if (job->state == DM_CHAIN_JOB_PAUSED ||
		 (job->state == DM_CHAIN_JOB_PENDING && !job->finalize))
		next = JOB_REST;
	/* All but copying is done with no unit in flight. */
	if (next != JOB_COPY && job->in_flight)
		next = JOB_WAIT;
	spin_unlock(&job->lock);
	return next;
}

/* The walk is aimed at the chain as it is now. chain->lock, job->lock held. */
static void job_aim(struct dm_chain_job *job)
{
	static const struct dm_chain_fault lost = {
		.error = -ENODEV, .fatal = true
	};
	struct dm_chain *chain = job->chain;
	unsigned int top, bottom;

	lockdep_assert_held(&chain->lock);
	lockdep_assert_held(&job->lock);
	/* Pairs with READ_ONCE() in copy_load() and unit_copy_below(). */
	WRITE_ONCE(job->reaim, false);
	if (dm_chain_job_positions(job, &top, &bottom)) {
		dm_chain_walk_aim(&job->walk, chain, top, bottom);
	} else if (!job->held) {
		job->walk.active = job->top == dm_chain_active(chain);
		dm_chain_job_fail(job, &lost, dm_chain_job_top_id(job));
	}
	job->now.cursor = min(job->now.cursor, job->rewind);
	job->rewind = U64_MAX;
	if (job->pass) {
		job->now.cursor = 0;
		job->found = true;
	}
}

static void job_aim_again(struct dm_chain_job *job)
{
	mutex_lock(&job->chain->lock);
	spin_lock(&job->lock);
	job_aim(job);
	spin_unlock(&job->lock);
	mutex_unlock(&job->chain->lock);
}

/* Tell that the offset stands still, and leave nothing uncommitted meanwhile. */
static void job_rest(struct dm_chain_job *job)
{
	struct dm_chain *chain = job->chain;
	bool moved;
	int r = 0;

	spin_lock(&job->lock);
	moved = job->unsaved ||
		(!job->pass && job->now.cursor != job->durable.cursor);
	spin_unlock(&job->lock);
	if (moved) {
		r = dm_chain_copy_save(job);
		if (r)
			DMERR_LIMIT("%s: job %s: the commit of a pause failed: error %d",
				    dm_device_name(chain->md), job->id, r);
	}
	if (!r && (moved || READ_ONCE(job->unrecorded)))
		dm_chain_job_record(job);
	mutex_lock(&chain->lock);
	dm_chain_job_event(job, DM_CHAIN_EVENT_STATUS);
	mutex_unlock(&chain->lock);
}

/* Tell of the latest failure that the job went on after. */
static void job_tell(struct dm_chain_job *job)
{
	struct dm_chain_fault fault;

	spin_lock(&job->lock);
	fault = job->told;
	memset(&job->told, 0, sizeof(job->told));
	spin_unlock(&job->lock);
	if (!fault.error)
		return;
	mutex_lock(&job->chain->lock);
	dm_chain_job_event_error(job, &fault, DM_CHAIN_ON_ERROR_IGNORE);
	mutex_unlock(&job->chain->lock);
}

static enum dm_chain_copy job_copy(struct dm_chain_job *job)
{
	job_tell(job);
	if (!job->ready && dm_chain_job_prepare(job)) {
		queue_delayed_work(job->chain->job_wq, &job->work,
				   MEMORY_PERIOD);
		return DM_CHAIN_COPY_WAIT;
	}
	return dm_chain_copy(job);
}

/* Return: true if the job is no more. */
static bool job_step(struct dm_chain_job *job, bool *wait)
{
	switch (job_next(job)) {
	case JOB_AIM:
		job_aim_again(job);
		return false;
	case JOB_COPY:
		switch (job_copy(job)) {
		case DM_CHAIN_COPY_AGAIN:
			return false;
		case DM_CHAIN_COPY_DONE:
			job_tell(job);
			return dm_chain_job_end(job, true);
		case DM_CHAIN_COPY_WAIT:
			break;
		}
		break;
	case JOB_REST:
		job_rest(job);
		break;
	case JOB_FAULT:
		return dm_chain_job_fault(job);
	case JOB_END:
		return dm_chain_job_end(job, false);
	case JOB_WAIT:
		break;
	}
	*wait = true;
	return false;
}

void dm_chain_job_work(struct work_struct *work)
{
	struct dm_chain_job *job = container_of(to_delayed_work(work),
						struct dm_chain_job, work);
	unsigned int noio = memalloc_noio_save();
	bool wait = false;

	while (!wait)
		if (job_step(job, &wait))
			break;
	memalloc_noio_restore(noio);
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
		job = dm_chain_job_adopt_at(chain, i);
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

void dm_chain_job_go(struct dm_chain *chain, struct dm_chain_job *job)
{
	unsigned int top, bottom;

	lockdep_assert_held(&chain->lock);
	spin_lock(&job->lock);
	if (chain->writable && job->top->writable) {
		job_aim(job);
		job->stopped = false;
		job->rate_since = ktime_get();
		job->rate_bytes = 0;
		dm_chain_job_kick(job);
	} else if (dm_chain_job_positions(job, &top, &bottom)) {
		dm_chain_walk_aim(&job->walk, chain, top, bottom);
	}
	/* Until it is counted: the most there can be. */
	if (!job->ready && job->state != DM_CHAIN_JOB_PENDING)
		job->remaining = dm_chain_job_len(job);
	spin_unlock(&job->lock);
}

void dm_chain_jobs_go(struct dm_chain *chain)
{
	unsigned int i;

	mutex_lock(&chain->lock);
	chain->jobs_stopped = false;
	for (i = 0; i < chain->nr; i++) {
		struct dm_chain_job *job = dm_chain_job_adopt_at(chain, i);

		if (job && job->stopped)
			dm_chain_job_go(chain, job);
	}
	mutex_unlock(&chain->lock);
}
