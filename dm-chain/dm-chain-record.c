// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: what the superblock of a job's top says of the job.
 *
 * While it lives, the record: enough to go on after a power cut, a reboot, or on
 * another machine. It is written before the message that starts, pauses, resumes
 * or cancels the job returns, when the job stops for an error or waits to be
 * finalized, and now and then with the progress. Nothing rests on the cursor, the
 * map says what is copied; but it must not lie, so it is the one of the last
 * commit.
 *
 * Afterwards, the result, written in place of the record at once.
 */
#include "dm-chain-job.h"
#include "dm-chain-trace.h"

static u32 record_flags(const struct dm_chain_job *job,
			enum dm_chain_job_state state)
{
	u32 flags = 0;

	if (job->bottom_raw)
		flags |= DM_CHAIN_JOB_F_RAW_BOTTOM;
	if (state == DM_CHAIN_JOB_PAUSED && !job->held)
		flags |= DM_CHAIN_JOB_F_PAUSED;
	if (state == DM_CHAIN_JOB_PENDING)
		flags |= DM_CHAIN_JOB_F_PENDING;
	if (!job->auto_finalize)
		flags |= DM_CHAIN_JOB_F_MANUAL_FINALIZE;
	if (!job->auto_dismiss)
		flags |= DM_CHAIN_JOB_F_MANUAL_DISMISS;
	if (job->verify)
		flags |= DM_CHAIN_JOB_F_VERIFY;
	return flags;
}

static void record_fill(struct dm_chain_job *job, enum dm_chain_job_state state,
			struct dm_chain_job_record *record)
{
	unsigned int shift = job->chain->block_shift + SECTOR_SHIFT;
	struct dm_chain_layer *top = job->top;

	memset(record, 0, sizeof(*record));
	record->type = DM_CHAIN_JOB_STREAM;
	strscpy(record->id, job->id, sizeof(record->id));
	memcpy(record->top_uuid, top->sb.uuid, DM_CHAIN_UUID_LEN);
	memcpy(record->bottom_uuid, job->bottom_uuid, DM_CHAIN_UUID_LEN);
	record->on_error = job->on_error;
	record->started = job->started;

	lockdep_assert_held(&job->lock);
	record->flags = record_flags(job, state);
	record->speed = job->speed;
	record->floor = job->pace.floor;
	record->ceiling = job->pace.ceiling;
	record->cursor = min(job->durable.cursor << shift, top->sb.size);
	record->copied = job->durable.copied;
	record->zeroed = job->durable.zeroed;
	record->skipped = record->cursor -
		min(record->cursor, record->copied + record->zeroed);
	if (state == DM_CHAIN_JOB_RUNNING)
		return;
	record->error = job->error;
	record->io_status = job->io_status;
}

/* meta_lock held. */
static int record_write(struct dm_chain_job *job, enum dm_chain_job_state state)
{
	struct dm_chain_layer *top = job->top;
	int r;

	lockdep_assert_held(&top->meta_lock);
	top->next = top->sb;
	spin_lock(&job->lock);
	record_fill(job, state, &top->next.job);
	/* Pairs, here and below, with READ_ONCE() in job_rest(). */
	WRITE_ONCE(job->unrecorded, false);
	job->recorded = jiffies;
	spin_unlock(&job->lock);
	r = dm_chain_meta_write_sb(top);
	if (!r)
		top->owes_result = false;
	spin_lock(&job->lock);
	/* What failed may have been written nevertheless. */
	if (r)
		WRITE_ONCE(job->unrecorded, true);
	if (!r)
		dm_chain_job_become(job, state);
	spin_unlock(&job->lock);
	return r;
}

int dm_chain_job_record(struct dm_chain_job *job)
{
	struct dm_chain_layer *top = job->top;
	enum dm_chain_job_state state;
	int r = 0;

	mutex_lock(&top->meta_lock);
	/* It changes under meta_lock, too, as long as there is a record. */
	state = READ_ONCE(job->state);
	/* The result has replaced it, or is about to. */
	if (state != DM_CHAIN_JOB_ABORTING && state != DM_CHAIN_JOB_CONCLUDED)
		r = record_write(job, state);
	mutex_unlock(&top->meta_lock);
	return r;
}

int dm_chain_job_enter(struct dm_chain_job *job, enum dm_chain_job_state state)
{
	struct dm_chain_layer *top = job->top;
	int r;

	lockdep_assert_held(&job->chain->lock);
	WARN_ON_ONCE(!dm_chain_job_transition_allowed(job->state, state));
	mutex_lock(&top->meta_lock);
	r = record_write(job, state);
	mutex_unlock(&top->meta_lock);
	return r;
}

int dm_chain_job_record_result(struct dm_chain_job *job,
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
	result->offset = min(dm_chain_job_offset(job), result->len);
	result->copied = job->now.copied;
	result->zeroed = job->now.zeroed;
	result->skipped = dm_chain_job_skipped(job);
	result->speed = job->speed;
	result->error = -job->fault.error;
	spin_unlock(&job->lock);
	if (backing)
		top->next.backing = *backing;
	top->owed_result = *result;
	r = dm_chain_meta_write_sb(top);
	/* Of a job that did not change the chain it is written later. */
	top->owes_result = r && !backing;
	spin_lock(&job->lock);
	if (r)
		WRITE_ONCE(job->unrecorded, true);
	else if (status == DM_CHAIN_RESULT_CANCELLED)
		dm_chain_job_become(job, DM_CHAIN_JOB_ABORTING);
	spin_unlock(&job->lock);
	mutex_unlock(&top->meta_lock);
	if (r)
		DMERR("%s: job %s: its result was not recorded: error %d",
		      dm_device_name(job->chain->md), job->id, r);
	return r;
}

void dm_chain_job_unrecord(struct dm_chain_job *job)
{
	struct dm_chain_layer *top = job->top;

	mutex_lock(&top->meta_lock);
	top->next = top->sb;
	top->owed_result = top->sb.result;
	top->owes_result = dm_chain_meta_write_sb(top);
	mutex_unlock(&top->meta_lock);
}

/*
 * A job ended because metadata could not be written, or while it could not. Its
 * record is still there, and it would come back.
 */
static void record_owed_result(struct dm_chain_layer *layer)
{
	mutex_lock(&layer->meta_lock);
	if (layer->owes_result) {
		layer->next = layer->sb;
		memset(&layer->next.job, 0, sizeof(layer->next.job));
		layer->next.result = layer->owed_result;
		layer->owes_result = dm_chain_meta_write_sb(layer);
	}
	mutex_unlock(&layer->meta_lock);
}

void dm_chain_job_settle(struct dm_chain *chain, struct dm_chain_layer *layer,
			 bool durable)
{
	struct dm_chain_job *job;
	bool moved;

	lockdep_assert_held(&chain->lock);
	if (!layer->job && durable)
		record_owed_result(layer);
	if (READ_ONCE(layer->job_md) != chain->md)
		return;
	job = layer->job;
	if (!job || !job->stopped)
		return;
	/*
	 * As in dm_chain_job_adopt_at(): if the resume to a new chain failed, nobody has
	 * asked for the job since, and the old one may be gone.
	 */
	job->chain = chain;
	/* For the record, which whoever shares the layer may be writing anew. */
	mutex_lock(&layer->meta_lock);
	spin_lock(&job->lock);
	/* What was saved lately is not in the record. */
	moved = durable && (job->durable.cursor != job->now.cursor ||
			    job->durable.copied != layer->sb.job.copied ||
			    job->durable.zeroed != layer->sb.job.zeroed);
	if (moved && !job->pass) {
		job->durable = job->now;
		job->durable.cursor = dm_chain_job_low(job);
	}
	moved |= job->unrecorded;
	spin_unlock(&job->lock);
	mutex_unlock(&layer->meta_lock);
	/* That it is not known how far it came costs a look, nothing more. */
	if (moved)
		dm_chain_job_record(job);
}

/* ---- coming back ---- */

static void revive_state(struct dm_chain_job *job,
			 const struct dm_chain_job_record *record, bool hold)
{
	job->state = DM_CHAIN_JOB_RUNNING;
	if (record->flags & DM_CHAIN_JOB_F_PENDING) {
		job->state = DM_CHAIN_JOB_PENDING;
		job->pass = 1;
	} else if (record->flags & DM_CHAIN_JOB_F_PAUSED) {
		job->state = DM_CHAIN_JOB_PAUSED;
	} else if (hold) {
		job->state = DM_CHAIN_JOB_PAUSED;
		job->held = true;
	}
	job->announced = job->state;
}

/* Make a job of what its top's superblock says. */
static struct dm_chain_job *revive_job(struct dm_chain *chain,
				       struct dm_chain_layer *top, bool hold)
{
	const struct dm_chain_job_record *record = &top->sb.job;
	unsigned int shift = chain->block_shift + SECTOR_SHIFT;
	struct dm_chain_job *job;

	job = dm_chain_job_alloc(chain, record->id, top);
	if (!job)
		return NULL;
	memcpy(job->bottom_uuid, record->bottom_uuid, DM_CHAIN_UUID_LEN);
	job->bottom_raw = record->flags & DM_CHAIN_JOB_F_RAW_BOTTOM;
	job->on_error = record->on_error;
	job->auto_finalize = !(record->flags & DM_CHAIN_JOB_F_MANUAL_FINALIZE);
	job->auto_dismiss = !(record->flags & DM_CHAIN_JOB_F_MANUAL_DISMISS);
	job->verify = record->flags & DM_CHAIN_JOB_F_VERIFY;
	job->started = record->started;
	job->speed = record->speed;
	job->pace.floor = record->floor;
	job->pace.ceiling = record->ceiling;
	job->error = record->error;
	job->io_status = record->io_status;
	job->now.cursor = record->cursor >> shift;
	job->now.copied = record->copied;
	job->now.zeroed = record->zeroed;
	job->durable = job->now;
	job->seen = job->now.cursor;
	job->stopped = true;
	revive_state(job, record, hold);
	return job;
}

/* Give a layer its recorded job back. */
static int revive_entry(struct dm_chain *chain, struct dm_chain_table *t,
			struct dm_chain_entry *e, struct dm_chain_why *why)
{
	struct dm_chain_layer *layer = e->layer;
	unsigned int top, bottom;
	struct dm_chain_job *job;
	bool shared;
	int r = 0;

	if (dm_chain_job_find(chain, layer->sb.job.id))
		return dm_chain_refuse(why, -EEXIST,
				       "there is another one of that id");
	job = revive_job(chain, layer, t->jobs_paused);
	if (!job || dm_chain_layer_prepare(layer))
		r = dm_chain_refuse(why, -ENOMEM, "out of memory");
	if (!r && dm_chain_job_positions(job, &top, &bottom))
		r = dm_chain_job_check_overlap(chain, NULL, top, bottom, why);
	if (r) {
		if (job)
			dm_chain_job_put(job);
		return r;
	}
	/* Another device's constructor looks at the layer under this lock. */
	mutex_lock(&dm_chains_lock);
	shared = dm_chain_other_user(layer, chain->md);
	if (shared && job->state == DM_CHAIN_JOB_RUNNING) {
		job->state = DM_CHAIN_JOB_PAUSED;
		job->announced = job->state;
		job->held = true;
	}
	WRITE_ONCE(layer->job_md, chain->md);
	layer->job_live = !shared && !job->held;
	trace_dm_chain_job(job, DM_CHAIN_JOB_NULL);
	WRITE_ONCE(layer->job, job);
	WRITE_ONCE(layer->unversioned, true);
	mutex_unlock(&dm_chains_lock);
	return 0;
}

int dm_chain_jobs_revive(struct dm_chain *chain, struct dm_chain_table *t)
{
	struct dm_chain_why why = {};
	unsigned int i;
	int r = 0;

	lockdep_assert_held(&chain->lock);
	for (i = 0; i < t->nr && r != -ENOMEM; i++) {
		struct dm_chain_entry *e = &t->entry[i];

		/* One whose result is owed has ended. */
		if (e->dropped || !chain->writable || !e->layer->writable ||
		    e->layer->job || e->layer->owes_result ||
		    e->layer->sb.job.type != DM_CHAIN_JOB_STREAM)
			continue;
		r = revive_entry(chain, t, e, &why);
		if (r)
			DMERR("%s: layer %s: the recorded job %s does not go on: %s",
			      dm_device_name(chain->md), e->name,
			      e->layer->sb.job.id, why.text);
	}
	return r == -ENOMEM ? r : 0;
}
