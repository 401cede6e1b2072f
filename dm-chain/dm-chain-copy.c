// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the dispatcher of a job: walks over the blocks of the top, starts
 * units, keeps to the speed and commits.
 *
 * The cursor is only for progress. A job is through when a whole pass from the
 * first block to the last, begun with no unit in flight, found nothing to do.
 */
#include <linux/part_stat.h>
#include <linux/slab.h>

#include "dm-chain-job.h"

/* A job commits its intermediate top this often: bytes, and time. */
#define SAVE_BYTES	SZ_64M
#define SAVE_PERIOD	HZ

/* That the guest has nothing to do any more is seen so soon. */
#define LOOK_PERIOD	(HZ / 10)

/*
 * Its progress goes into the record this often. It costs a commit of the active
 * layer; a power cut costs nothing but so much of what the counters say.
 */
#define RECORD_PERIOD	(5 * HZ)

/* How late a unit may start without its time being lost to the next. */
#define LATE_NS		(20 * NSEC_PER_MSEC)

static bool copy_allowed(const struct dm_chain_job *job)
{
	lockdep_assert_held(&job->lock);
	return (job->state == DM_CHAIN_JOB_RUNNING ||
		(job->state == DM_CHAIN_JOB_PENDING && job->finalize)) &&
	       !job->stopped && !job->reaim && !job->fault.error;
}

/* Free the states in core of pages that are durable and not needed. */
static void copy_trim(struct dm_chain_job *job)
{
	struct dm_chain_layer *top = job->top;
	unsigned long index;
	void *payload;
	u64 low;

	mutex_lock(&top->meta_lock);
	spin_lock(&job->lock);
	low = dm_chain_job_low(job);
	if (!job->in_flight && (job->state != DM_CHAIN_JOB_RUNNING ||
				low == job->walk.blocks))
		low = U64_MAX;
	spin_unlock(&job->lock);
	low = div_u64(low, DM_CHAIN_BLOCKS_PER_PAGE);

	xa_for_each(&top->pages, index, payload) {
		if (index >= low)
			break;
		if (dm_chain_pageset_has(&top->dirty, index) ||
		    dm_chain_pageset_has(&top->committing, index))
			continue;
		xa_erase(&top->pages, index);
		kfree(payload);
		/* The plan's copy of its states is older. */
		if (index == job->walk.page)
			job->walk.page = DM_CHAIN_NO_PAGE;
	}
	mutex_unlock(&top->meta_lock);
}

int dm_chain_copy_save(struct dm_chain_job *job)
{
	struct dm_chain_progress progress;
	int r;

	/* What is settled from here on counts for the next time. */
	spin_lock(&job->lock);
	job->unsaved = false;
	job->unsaved_bytes = 0;
	progress = job->now;
	/* In a later pass all below the end was seen before. */
	progress.cursor = job->pass ? job->walk.blocks : dm_chain_job_low(job);
	spin_unlock(&job->lock);
	job->core_pages = 0;

	r = dm_chain_commit(job->top);
	if (r)
		return r;
	spin_lock(&job->lock);
	job->durable = progress;
	spin_unlock(&job->lock);
	if (!job->walk.active)
		copy_trim(job);
	return 0;
}

/*
 * Write down what is durable by now. If it is not noted how far that is, a power
 * cut costs a look, nothing more.
 */
static int copy_record(struct dm_chain_job *job)
{
	int r = dm_chain_copy_save(job);

	if (!r)
		dm_chain_job_record(job);
	return r;
}

static bool copy_record_due(struct dm_chain_job *job)
{
	unsigned long due;

	spin_lock(&job->lock);
	due = job->recorded + (job->unrecorded ? SAVE_PERIOD : RECORD_PERIOD);
	spin_unlock(&job->lock);
	return time_after_eq(jiffies, due);
}

/*
 * The guest's flushes and the timer commit the active layer; nobody but the
 * job commits another one. After a failed commit nothing is allocated until one
 * succeeds.
 */
static bool copy_save_due(struct dm_chain_job *job)
{
	bool due;

	if (READ_ONCE(job->top->failed))
		return true;
	spin_lock(&job->lock);
	due = !job->walk.active &&
	      (job->unsaved_bytes >= SAVE_BYTES ||
	       job->core_pages >= DM_CHAIN_JOB_PAGES ||
	       (job->unsaved &&
		time_after_eq(jiffies, job->unsaved_since + SAVE_PERIOD)));
	spin_unlock(&job->lock);
	return due;
}

/* The page of an intermediate top that a unit is going to change. */
static int copy_core_page(struct dm_chain_job *job)
{
	struct dm_chain_walk *w = &job->walk;
	void *payload;
	int r;

	if (w->active || xa_load(&w->top->pages, w->page))
		return 0;
	payload = kmalloc(DM_CHAIN_PAGE_SIZE, GFP_NOIO);
	if (!payload)
		return -ENOMEM;
	memcpy(payload, w->own, DM_CHAIN_PAYLOAD);
	r = xa_insert(&w->top->pages, w->page, payload, GFP_NOIO);
	if (r)
		kfree(payload);
	else
		job->core_pages++;
	return r;
}

static void copy_skip(struct dm_chain_job *job, u64 count)
{
	spin_lock(&job->lock);
	/* After a pause was accepted the offset stands still. */
	if (copy_allowed(job)) {
		job->now.cursor += count;
		job->seen = max(job->seen, job->now.cursor);
	}
	spin_unlock(&job->lock);
}

/*
 * Sleep until the speed, or the pace, allows the next unit, or a commit is due.
 * The pace is for a guest at work: it has to be seen when that is through.
 */
static void copy_sleep(struct dm_chain_job *job, u64 ns)
{
	unsigned long delay = min_t(u64, nsecs_to_jiffies64(ns) + 1,
				    MAX_JIFFY_OFFSET);

	if ((!job->walk.active && job->unsaved) || job->unrecorded)
		delay = min_t(unsigned long, delay, SAVE_PERIOD);
	if (!job->speed)
		delay = min_t(unsigned long, delay, LOOK_PERIOD);
	queue_delayed_work(job->chain->job_wq, &job->work, delay);
}

/* Requests of the guest that completed, ever. */
static u64 copy_guest_ios(struct block_device *disk)
{
	/* The block layer counts on meanwhile, and any sum on the way will do. */
	return data_race(part_stat_read_accum(disk, ios));
}

/*
 * The block layer counts what goes through the device, and nothing of the job
 * does. Does the guest wait for anything? If nobody counts, it may.
 */
static bool copy_guest_waits(struct block_device *disk)
{
	long in_flight = 0;
	int cpu;

	if (!dm_chain_counts_io(disk))
		return true;
	for_each_possible_cpu(cpu)
		in_flight += part_stat_local_read_cpu(disk, in_flight[READ], cpu) +
			     part_stat_local_read_cpu(disk, in_flight[WRITE], cpu);
	return in_flight > 0;
}

void dm_chain_copy_begin(struct dm_chain_job *job)
{
	struct block_device *disk = dm_disk(job->chain->md)->part0;

	dm_chain_pace_init(&job->pace, ktime_get_ns(), copy_guest_ios(disk));
}

/*
 * See from time to time whether the guest is at work. The dispatcher alone comes
 * here; the lock is for those that pay.
 */
static void copy_look(struct dm_chain_job *job)
{
	struct block_device *disk = dm_disk(job->chain->md)->part0;
	u64 ios, now = ktime_get_ns();
	bool waits;

	if (READ_ONCE(job->speed) || !dm_chain_pace_stale(&job->pace, now))
		return;
	ios = copy_guest_ios(disk);
	waits = copy_guest_waits(disk);
	spin_lock(&job->lock);
	dm_chain_pace_look(&job->pace, now, ios, waits);
	spin_unlock(&job->lock);
}

/* Nanoseconds until what was copied before is paid for. */
static u64 copy_owed(struct dm_chain_job *job)
{
	s64 early;

	if (!job->speed)
		return dm_chain_pace_wait(&job->pace, ktime_get_ns());
	early = ktime_to_ns(ktime_sub(job->due, ktime_get()));
	return max_t(s64, early, 0);
}

/*
 * May a unit start? With a speed, or with a guest at work, one at a time, and
 * what the last one copied has to be paid for. Blocks that only become zero cost
 * nothing.
 */
static struct dm_chain_unit *copy_idle_unit(struct dm_chain_job *job, bool data,
					    bool slow, u64 *wait)
{
	unsigned int i, nr = job->verify ? DM_CHAIN_VERIFY_UNITS : DM_CHAIN_UNITS;

	lockdep_assert_held(&job->lock);
	*wait = 0;
	if (slow && job->in_flight)
		return NULL;
	if (slow && data)
		*wait = copy_owed(job);
	if (*wait)
		return NULL;
	for (i = 0; i < nr; i++)
		if (!job->unit[i].busy)
			return &job->unit[i];
	return NULL;
}

static void copy_charge(struct dm_chain_job *job, u64 bytes)
{
	ktime_t late = ktime_sub_ns(ktime_get(), LATE_NS);

	if (!job->speed)
		return;
	if (ktime_before(job->due, late))
		job->due = late;
	/* At most 1 MiB, so the product fits. */
	job->due = ktime_add_ns(job->due,
				div64_u64(bytes * NSEC_PER_SEC, job->speed));
}

/*
 * Return: a unit to start, or NULL if none may be now: it may not copy any more,
 * or something will kick it or the timer is set.
 */
static struct dm_chain_unit *copy_admit(struct dm_chain_job *job, bool data,
					u32 *max)
{
	struct dm_chain_unit *u = NULL;
	bool slow;
	u64 wait;

	copy_look(job);
	spin_lock(&job->lock);
	slow = job->speed || job->pace.busy;
	*max = dm_chain_unit_blocks(job->chain, slow ? DM_CHAIN_SLOW_BYTES :
						       DM_CHAIN_UNIT_BYTES);
	if (copy_allowed(job)) {
		u = copy_idle_unit(job, data, slow, &wait);
		if (!u && wait)
			copy_sleep(job, wait);
	}
	spin_unlock(&job->lock);
	return u;
}

/*
 * Start a unit at the cursor, where @count blocks are @entry.
 *
 * Return: true if one was started.
 */
static bool copy_start(struct dm_chain_job *job, u64 count, u8 entry)
{
	bool data = !(entry & DM_CHAIN_OWNER_ZERO);
	u32 max, read = 0, holes = 0;
	u64 cursor = job->now.cursor;
	struct dm_chain_unit *u = copy_admit(job, data, &max);
	bool go;

	if (!u)
		return false;
	if (data)
		count = dm_chain_walk_extent(&job->walk, cursor, max,
					     u->what, &read, &holes);
	/* The guest was faster. */
	if (!count)
		return true;
	spin_lock(&job->lock);
	/* After a pause was accepted the offset stands still. */
	go = copy_allowed(job);
	if (go) {
		u->bytes = dm_chain_walk_bytes(&job->walk, cursor, read);
		u->began = job->pace.busy && !job->speed ? ktime_get_ns() : 0;
		copy_charge(job, u->bytes);
		u->open = dm_chain_walk_bytes(&job->walk, cursor, count) -
			  ((u64)holes << (job->chain->block_shift + SECTOR_SHIFT));
		job->open += u->open;
		/* What there still is to do here was in a unit before. */
		if (cursor < job->seen || job->pass)
			job->undone -= min(job->undone, u->open);
		u->busy = true;
		u->block = cursor;
		u->count = count;
		u->entry = entry;
		u->node = NULL;
		job->in_flight++;
		job->now.cursor = cursor + count;
		job->seen = max(job->seen, job->now.cursor);
	}
	spin_unlock(&job->lock);

	if (go)
		dm_chain_unit_start(u);
	return go;
}

/*
 * The top holds all it should, by the plans of all pages. So what the owner map
 * still gives to a layer that will be dropped lies behind the end of the top,
 * where the view is zeros and will be.
 */
static int copy_sweep(struct dm_chain_job *job)
{
	const struct dm_chain_walk *w = &job->walk;
	struct dm_chain_owner_map *map = w->chain->map;
	u64 block, run, n, blocks = dm_chain_owner_blocks(map);
	struct dm_chain_owner_node *node;
	u8 entry;

	for (block = 0; block < blocks; block += run) {
		cond_resched();
		entry = dm_chain_walk_owner(w, block, blocks - block, &run);
		if (!dm_chain_walk_in_range(w, entry))
			continue;
		if (block < w->blocks) {
			DMERR("%s: job %s: block %llu is still layer %s's",
			      dm_device_name(w->chain->md), job->id, block,
			      w->chain->slot[dm_chain_owner_id(entry)].name);
			return -EUCLEAN;
		}
		node = dm_chain_owner_pin(map, block, GFP_NOIO);
		if (!node)
			return -ENOMEM;
		for (n = 0; n < run; n++)
			dm_chain_owner_move(node, block + n, entry,
					    DM_CHAIN_NOBODY);
		dm_chain_owner_unpin(node);
		dm_chain_owner_collapse(map, block);
	}
	return 0;
}

/*
 * The cursor is at the end. Another pass follows until one finds nothing: then
 * every block of the job's layers was seen to be held by the top, in core, and
 * none comes back to a layer of the job.
 */
static enum dm_chain_copy copy_turn(struct dm_chain_job *job, int *error)
{
	spin_lock(&job->lock);
	/* The last unit may just have failed. */
	if (!copy_allowed(job)) {
		spin_unlock(&job->lock);
		return DM_CHAIN_COPY_AGAIN;
	}
	if (job->in_flight) {
		spin_unlock(&job->lock);
		return DM_CHAIN_COPY_WAIT;
	}
	if (job->found) {
		job->found = false;
		job->pass++;
		job->now.cursor = 0;
		/* They are tried once more, and noted again if need be. */
		dm_chain_faults_clear(&job->faults);
		memset(&job->ignored, 0, sizeof(job->ignored));
		spin_unlock(&job->lock);
		job->walk.page = DM_CHAIN_NO_PAGE;
		return DM_CHAIN_COPY_AGAIN;
	}
	spin_unlock(&job->lock);

	/* What could not be copied is still theirs. */
	if (!job->walk.active && !job->ignored.error)
		*error = copy_sweep(job);
	return DM_CHAIN_COPY_DONE;
}

static bool copy_runs(struct dm_chain_job *job)
{
	bool runs;

	spin_lock(&job->lock);
	runs = copy_allowed(job);
	spin_unlock(&job->lock);
	return runs;
}

/* What failed is not a matter of one place. */
static void copy_fail(struct dm_chain_job *job, int error)
{
	struct dm_chain_fault fault = { .error = error, .write = true };

	spin_lock(&job->lock);
	fault.at = dm_chain_job_low(job) <<
		   (job->chain->block_shift + SECTOR_SHIFT);
	/* The last block may be partial. */
	fault.at = min(fault.at, dm_chain_job_len(job));
	dm_chain_job_fail(job, &fault, job->walk.top_id);
	spin_unlock(&job->lock);
}

/* A map page of a layer cannot be read: nothing is known of its blocks. */
static void copy_fail_load(struct dm_chain_job *job, int error)
{
	const struct dm_chain_walk *w = &job->walk;
	u64 cursor = job->now.cursor;
	u64 page = div_u64(cursor, DM_CHAIN_BLOCKS_PER_PAGE);
	u64 end = min((page + 1) * DM_CHAIN_BLOCKS_PER_PAGE, w->blocks);
	struct dm_chain_fault fault = {
		.error = error,
		.at = cursor << (job->chain->block_shift + SECTOR_SHIFT),
		.bytes = dm_chain_walk_bytes(w, cursor, end - cursor),
	};

	spin_lock(&job->lock);
	if (dm_chain_job_fail(job, &fault, w->bad)) {
		job->undone += job->now.cursor < job->seen ? 0 : fault.bytes;
		job->now.cursor = end;
		job->seen = max(job->seen, end);
	}
	spin_unlock(&job->lock);
}

/*
 * Let the walk work at the cursor. Layers below the job's may be read for that,
 * and such a layer may leave meanwhile: see dm-chain-job.c.
 */
static int copy_load(struct dm_chain_job *job)
{
	struct dm_chain_epoch *epoch = dm_chain_epoch_get(job->chain);
	int r = 0;

	if (!READ_ONCE(job->reaim))
		r = dm_chain_walk_load(&job->walk, job->now.cursor);
	dm_chain_epoch_put(epoch);
	return r;
}

enum dm_chain_copy dm_chain_copy(struct dm_chain_job *job)
{
	struct dm_chain_walk *w = &job->walk;
	u64 count;
	u8 entry;
	int r = 0;

	while (copy_runs(job)) {
		if (copy_record_due(job))
			r = copy_record(job);
		else if (copy_save_due(job))
			r = dm_chain_copy_save(job);
		if (!r && job->now.cursor == w->blocks) {
			enum dm_chain_copy next = copy_turn(job, &r);

			if (!r && next != DM_CHAIN_COPY_AGAIN)
				return next;
			if (!r)
				continue;
		}
		if (r) {
			copy_fail(job, r);
			break;
		}
		r = copy_load(job);
		if (r) {
			copy_fail_load(job, r);
			r = 0;
			continue;
		}
		if (!copy_runs(job))
			break;
		if (!dm_chain_walk_look(w, job->now.cursor,
					w->blocks - job->now.cursor, &count,
					&entry)) {
			copy_skip(job, count);
			cond_resched();
			continue;
		}
		r = copy_core_page(job);
		if (r) {
			copy_fail(job, r);
			break;
		}
		if (!copy_start(job, count, entry))
			return DM_CHAIN_COPY_WAIT;
	}
	return DM_CHAIN_COPY_AGAIN;
}
