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
	u64 left;
	u64 elapsed_ms;
	enum dm_chain_io_status io_status;
	u64 failed;
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
	now->copied = job->now.copied;
	now->zeroed = job->now.zeroed;
	now->skipped = dm_chain_job_skipped(job);
	/*
	 * An upper bound: blocks that the guest took meanwhile are noticed when
	 * the cursor comes to them only if a unit was on its way.
	 */
	now->remaining = min(job->remaining,
			     dm_chain_job_len(job) - now->offset);
	now->speed = job->speed;
	now->rate = now->state == DM_CHAIN_JOB_RUNNING ? job_rate(job) : 0;
	now->left = 0;
	if (now->rate)
		now->left = div64_u64(now->remaining + now->rate - 1, now->rate);
	now->elapsed_ms = ktime_ms_delta(job->ended ? job->ended : ktime_get(),
					 job->begin);
	now->io_status = job->io_status;
	now->failed = job->faults.nr + job->faults.lost;
	now->error = job->error;
	spin_unlock(&job->lock);
}

static const char *const io_status_names[] = {
	[DM_CHAIN_IO_OK] = "ok",
	[DM_CHAIN_IO_FAILED] = "failed",
	[DM_CHAIN_IO_NOSPACE] = "nospace",
};

static const char *on_off(bool on)
{
	return on ? "on" : "off";
}

/*
 * The jobs of a chain, one after the other: the live ones from the base up, then
 * those that wait for "dismiss". *@name gets what the top is called. NULL: that
 * was the last.
 */
static struct dm_chain_job *next_job(struct dm_chain *chain, unsigned int *pos,
				     struct dm_chain_job *job, const char **name)
{
	lockdep_assert_held(&chain->lock);
	while (*pos < chain->nr) {
		*name = chain->slot[chain->order[*pos]].name;
		job = dm_chain_job_adopt_at(chain, (*pos)++);
		if (job)
			return job;
	}
	if (*pos == chain->nr) {
		(*pos)++;
		job = list_first_entry_or_null(&chain->concluded,
					       struct dm_chain_job, list);
	} else {
		job = list_is_last(&job->list, &chain->concluded) ?
		      NULL : list_next_entry(job, list);
	}
	if (job)
		*name = job->top_name;
	return job;
}

static unsigned int job_emit(struct dm_chain_job *job, const char *top,
			     char *result, unsigned int maxlen, unsigned int sz)
{
	struct snapshot now;

	job_snapshot(job, &now);
	DMEMIT("%sid=%s type=stream status=%s top=%s base=%s", sz ? "\n" : "",
	       job->id, dm_chain_job_state_name(now.state), top,
	       dm_chain_job_base(job));
	DMEMIT(" offset=%llu len=%llu copied=%llu zeroed=%llu skipped=%llu remaining=%llu",
	       now.offset, dm_chain_job_len(job), now.copied, now.zeroed,
	       now.skipped, now.remaining);
	DMEMIT(" speed=%llu rate=%llu seconds-left=%llu elapsed-ms=%llu",
	       now.speed, now.rate, now.left, now.elapsed_ms);
	DMEMIT(" paused=%d io-status=%s auto-finalize=%s auto-dismiss=%s",
	       now.paused, io_status_names[now.io_status],
	       on_off(job->auto_finalize), on_off(job->auto_dismiss));
	DMEMIT(" failed=%llu error=%d", now.failed, now.error);
	DMEMIT(" floor=%llu ceiling=%llu verify=%s on-error=%s",
	       job->pace.floor, job->pace.ceiling, on_off(job->verify),
	       dm_chain_on_error_name(job->on_error));
	return sz;
}

void dm_chain_jobs_reply(struct dm_chain *chain, char *result,
			 unsigned int maxlen, unsigned int *pos)
{
	unsigned int sz = *pos, i = 0;
	struct dm_chain_job *job = NULL;
	const char *top;

	while ((job = next_job(chain, &i, job, &top)))
		sz = job_emit(job, top, result, maxlen, sz);
	*pos = sz;
}

int dm_chain_job_failed_reply(struct dm_chain *chain, const char *id,
			      char *result, unsigned int maxlen,
			      unsigned int *pos, struct dm_chain_why *why)
{
	struct dm_chain_job *job = dm_chain_job_find(chain, id);
	struct dm_chain_fault_range *ranges;
	unsigned int sz = *pos, i, nr;

	if (!job)
		return dm_chain_refuse(why, -ENOENT, "there is no job '%s'", id);
	ranges = kmalloc(sizeof(job->faults.range), GFP_KERNEL);
	if (!ranges)
		return dm_chain_refuse(why, -ENOMEM, "out of memory");
	spin_lock(&job->lock);
	nr = job->faults.nr;
	memcpy(ranges, job->faults.range, nr * sizeof(*ranges));
	spin_unlock(&job->lock);
	for (i = 0; i < nr; i++)
		DMEMIT("%slayer=%s offset=%llu length=%llu error=%d",
		       sz ? "\n" : "", ranges[i].layer, ranges[i].offset,
		       ranges[i].length, ranges[i].error);
	kfree(ranges);
	*pos = sz;
	return 0;
}

/* The table's layers, which stay whatever becomes of the chain. */
void dm_chain_jobs_last_reply(struct dm_chain_table *t, char *result,
			      unsigned int maxlen, unsigned int *pos)
{
	unsigned int sz = *pos, i;

	lockdep_assert_held(&t->chain->lock);
	for (i = 0; i < t->nr; i++) {
		struct dm_chain_layer *layer = t->entry[i].layer;
		const struct dm_chain_job_result *last = &layer->sb.result;
		bool locked;

		if (t->entry[i].dropped || dm_chain_layer_raw(layer))
			continue;
		locked = dm_chain_meta_lock_patiently(layer);
		if (last->status != DM_CHAIN_RESULT_NONE &&
		    last->status < ARRAY_SIZE(result_names)) {
			DMEMIT("%slayer=%s id=%s type=stream status=%s base=%s",
			       sz ? "\n" : "", t->entry[i].name, last->id,
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
	/* Then the map is not that of the table's layers, and some may be gone. */
	if (!chain->is_current)
		return dm_chain_refuse(why, -ESTALE,
				       "the chain has changed: load the table again");
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
	unsigned int sz = *pos, i = 0, nr = 0;
	struct dm_chain_job *job = NULL;
	const char *top;

	lockdep_assert_held(&chain->lock);
	/* Of an inactive table: the jobs live under the lock of another chain. */
	if (!chain->is_current) {
		DMEMIT(" 0");
		*pos = sz;
		return;
	}
	while ((job = next_job(chain, &i, job, &top)))
		nr++;
	DMEMIT(" %u", nr);
	i = 0;
	while ((job = next_job(chain, &i, job, &top))) {
		struct snapshot now;

		job_snapshot(job, &now);
		DMEMIT(" %s stream %s %s %s %llu/%llu", job->id,
		       dm_chain_job_state_name(now.state), top,
		       dm_chain_job_base(job), now.offset,
		       dm_chain_job_len(job));
	}
	*pos = sz;
}
