// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: what jobs say of themselves: replies and the status line.
 *
 * DMEMIT() wants locals named sz, result and maxlen.
 */
#include <linux/slab.h>

#include "dm-chain-job.h"

static const char *const result_names[] = {
	[DM_CHAIN_RESULT_NONE] = "none",
	[DM_CHAIN_RESULT_COMPLETED] = "completed",
	[DM_CHAIN_RESULT_CANCELLED] = "cancelled",
	[DM_CHAIN_RESULT_FAILED] = "failed",
};

/* A moment of a job. */
struct snapshot {
	enum dm_chain_job_state state;
	bool paused;
	u64 offset;
	u64 copied;
	u64 zeroed;
	u64 skipped;
	u64 remaining;
	u64 speed;
	u64 rate;
	int error;
};

/*
 * The rate is that of the last whole window of a second or more, unless the
 * current one has grown long since: a job that stands still says so.
 */
static u64 job_rate(const struct dm_chain_job *job)
{
	u64 ms = ktime_ms_delta(ktime_get(), job->rate_since);

	lockdep_assert_held(&job->lock);
	if (job->rate && ms < 2 * MSEC_PER_SEC)
		return job->rate;
	return div64_u64(job->rate_bytes * MSEC_PER_SEC, max_t(u64, ms, 1));
}

static void job_snapshot(struct dm_chain_job *job, struct snapshot *now)
{
	spin_lock(&job->lock);
	now->state = dm_chain_job_shown(job);
	now->paused = job->state == DM_CHAIN_JOB_PAUSED;
	now->offset = dm_chain_job_offset(job);
	now->copied = job->copied;
	now->zeroed = job->zeroed;
	now->skipped = job->skipped;
	/*
	 * An upper bound: blocks that the guest took meanwhile are noticed when
	 * the cursor comes to them only if a unit was on its way.
	 */
	now->remaining = min(job->remaining,
			     dm_chain_job_len(job) - now->offset);
	now->speed = job->speed;
	now->rate = now->paused ? 0 : job_rate(job);
	now->error = -job->fault.error;
	spin_unlock(&job->lock);
}

static const char *io_status(int error)
{
	if (!error)
		return "ok";
	return error == ENOSPC ? "nospace" : "failed";
}

/* As the table calls the layer at a position of the chain. */
static const char *layer_name(struct dm_chain *chain, unsigned int pos)
{
	return chain->slot[chain->order[pos]].name;
}

void dm_chain_jobs_reply(struct dm_chain *chain, char *result,
			 unsigned int maxlen, unsigned int *pos)
{
	unsigned int sz = *pos, i;

	lockdep_assert_held(&chain->lock);
	for (i = 0; i < chain->nr; i++) {
		struct dm_chain_job *job = dm_chain_job_at(chain, i);
		struct snapshot now;
		u64 left = 0;

		if (!job)
			continue;
		job_snapshot(job, &now);
		if (now.rate)
			left = div64_u64(now.remaining + now.rate - 1, now.rate);
		DMEMIT("%sid=%s type=stream status=%s top=%s base=%s", sz ? "\n" : "",
		       job->id, dm_chain_job_state_name(now.state),
		       layer_name(chain, i), dm_chain_job_base(job));
		DMEMIT(" offset=%llu len=%llu copied=%llu zeroed=%llu skipped=%llu remaining=%llu",
		       now.offset, dm_chain_job_len(job), now.copied,
		       now.zeroed, now.skipped, now.remaining);
		DMEMIT(" speed=%llu rate=%llu seconds-left=%llu elapsed-ms=%lld",
		       now.speed, now.rate, left,
		       ktime_ms_delta(ktime_get(), job->begin));
		DMEMIT(" paused=%d io-status=%s", now.paused,
		       io_status(now.error));
		DMEMIT(" auto-finalize=on auto-dismiss=on failed=0 error=%d",
		       now.error);
	}
	*pos = sz;
}

void dm_chain_jobs_last_reply(struct dm_chain *chain, char *result,
			      unsigned int maxlen, unsigned int *pos)
{
	unsigned int sz = *pos, i;

	lockdep_assert_held(&chain->lock);
	for (i = 0; i < chain->nr; i++) {
		struct dm_chain_slot *slot = &chain->slot[chain->order[i]];
		struct dm_chain_layer *layer = slot->layer;
		const struct dm_chain_job_result *last = &layer->sb.result;
		bool locked;

		if (dm_chain_layer_raw(layer))
			continue;
		locked = dm_chain_meta_lock_patiently(layer);
		if (last->status != DM_CHAIN_RESULT_NONE &&
		    last->status < ARRAY_SIZE(result_names)) {
			DMEMIT("%slayer=%s id=%s type=stream status=%s base=%s",
			       sz ? "\n" : "", slot->name, last->id,
			       result_names[last->status],
			       last->base[0] ? last->base : "-");
			DMEMIT(" offset=%llu len=%llu copied=%llu zeroed=%llu skipped=%llu",
			       last->offset, last->len, last->copied,
			       last->zeroed, last->skipped);
			DMEMIT(" speed=%llu started=%llu finished=%llu error=%u",
			       last->speed, last->started, last->finished,
			       last->error);
		}
		if (locked)
			mutex_unlock(&layer->meta_lock);
	}
	*pos = sz;
}

/*
 * What the data device of the top has room for behind its offset, less what the
 * top holds already. Of a thin device that is what it may grow to, not what its
 * pool has left.
 */
static u64 top_free(const struct dm_chain_walk *w)
{
	struct dm_chain_layer *top = w->top;
	u64 room = bdev_nr_bytes(top->data_bdev);
	u64 used = (u64)top->data_start << SECTOR_SHIFT;
	u64 data, zero;

	dm_chain_layer_counts(top, &data, &zero);
	used += data * dm_chain_block_size(w->chain);
	return room - min(room, used);
}

int dm_chain_estimate_reply(struct dm_chain *chain,
			    const struct dm_chain_msg *msg, char *result,
			    unsigned int maxlen, unsigned int *pos,
			    struct dm_chain_why *why)
{
	unsigned int sz = *pos, top, bottom;
	struct dm_chain_walk *w;
	u64 data = 0, zero = 0;
	int r;

	lockdep_assert_held(&chain->lock);
	r = dm_chain_scope(chain, msg, &top, &bottom, why);
	if (r)
		return r;
	if (dm_chain_layer_raw(chain->slot[chain->order[top]].layer))
		return dm_chain_refuse(why, -EROFS,
				       "top '%s' is a raw device without metadata",
				       chain->slot[chain->order[top]].name);

	w = kzalloc(sizeof(*w), GFP_KERNEL);
	if (!w)
		return dm_chain_refuse(why, -ENOMEM, "out of memory");
	r = dm_chain_walk_init(w);
	if (r) {
		dm_chain_refuse(why, r, "out of memory");
		goto out;
	}
	dm_chain_walk_aim(w, chain, top, bottom);
	if (bottom < top)
		r = dm_chain_walk_count(w, &data, &zero);
	if (r) {
		dm_chain_refuse(why, r, "the map of layer '%s' cannot be read: error %d",
				chain->slot[w->bad].name, r);
		goto out;
	}
	DMEMIT("data=%llu zero=%llu need=%llu free=%llu", data, zero, data,
	       top_free(w));
	*pos = sz;
out:
	dm_chain_walk_exit(w);
	kfree(w);
	return r;
}

void dm_chain_jobs_status(struct dm_chain *chain, char *result,
			  unsigned int maxlen, unsigned int *pos)
{
	unsigned int sz = *pos, i, nr = 0;

	lockdep_assert_held(&chain->lock);
	/* Of an inactive table: the jobs live under the lock of another chain. */
	if (!chain->is_current) {
		DMEMIT(" 0");
		*pos = sz;
		return;
	}
	for (i = 0; i < chain->nr; i++)
		nr += !!dm_chain_job_at(chain, i);
	DMEMIT(" %u", nr);
	for (i = 0; i < chain->nr; i++) {
		struct dm_chain_job *job = dm_chain_job_at(chain, i);
		struct snapshot now;

		if (!job)
			continue;
		job_snapshot(job, &now);
		DMEMIT(" %s stream %s %s %s %llu/%llu", job->id,
		       dm_chain_job_state_name(now.state),
		       layer_name(chain, i), dm_chain_job_base(job), now.offset,
		       dm_chain_job_len(job));
	}
	*pos = sz;
}
