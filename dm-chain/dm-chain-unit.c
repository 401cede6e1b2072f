// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the copy units of a job.
 *
 * A unit is a run of blocks, held by any layers of the job. It reads them, looks
 * for blocks that are nothing but zeros, writes the others and says in core that
 * the top holds them. What lies in one layer is read in one piece, and all that
 * has to be written and lies side by side is written in one piece, whoever held
 * it: a chain that is cut up small needs more reads, not more of the rest.
 *
 * Into the active layer a unit holds an exclusive range lock from before it
 * looks the blocks up until they are the top's: every write of blocks that the
 * active layer does not hold waits for that, or came first and is seen. The
 * lock is waited for without a thread: who releases it queues the unit.
 *
 * Into a layer below no lock is needed. The guest does not write there, and
 * whoever reads the block through the view reads the same bytes before and
 * after its owner map entry moves from the source to the top. It is moved by
 * compare and exchange, so that a layer above that took the block keeps it.
 *
 * Either way a block becomes the top's only when its data is written, and the
 * memory for that was taken before. With verify on, it has been read back, too.
 *
 * What fails is tried again block by block, so that it is known which ones do.
 */
#include <linux/slab.h>

#include "dm-chain-job.h"
#include "dm-chain-trace.h"

/* Return: true if the job goes on behind the block. */
static bool unit_fail(struct dm_chain_unit *u, struct dm_chain_fault *fault,
		      u8 id, u64 block)
{
	struct dm_chain_job *job = u->job;
	bool goes_on;

	fault->at = block << (job->chain->block_shift + SECTOR_SHIFT);
	fault->bytes = dm_chain_walk_bytes(&job->walk, block, 1);
	spin_lock(&job->lock);
	goes_on = dm_chain_job_fail(job, fault, id);
	spin_unlock(&job->lock);
	return goes_on;
}

static void unit_no_memory(struct dm_chain_unit *u)
{
	struct dm_chain_job *job = u->job;
	struct dm_chain_fault fault = {
		.error = -ENOMEM,
		.write = true,
		.at = u->block << (job->chain->block_shift + SECTOR_SHIFT),
	};

	spin_lock(&job->lock);
	dm_chain_job_fail(job, &fault, job->walk.top_id);
	spin_unlock(&job->lock);
}

/* Only so that what the device is asked for is whole sectors of its own. */
static size_t unit_round(struct block_device *bdev, size_t bytes, size_t max)
{
	return min_t(size_t, round_up(bytes, bdev_logical_block_size(bdev)), max);
}

/* ---- what a unit does with its blocks: see struct dm_chain_unit ---- */

static bool unit_is_data(const struct dm_chain_unit *u, u32 n)
{
	u8 what = u->what[n];

	return !(what & DM_CHAIN_OWNER_ZERO) && what != u->job->walk.top_id;
}

/* Blocks from @n on, before @end, that one read or write takes in. */
static u32 unit_run(const struct dm_chain_unit *u, enum req_op op, u32 n,
		    u32 end)
{
	bool together = op == REQ_OP_WRITE && unit_is_data(u, n);
	u32 next = n;
	const u8 *other;

	do {
		other = memchr_inv(u->what + next, u->what[next], end - next);
		next = other ? other - u->what : end;
	} while (other && together && unit_is_data(u, next));
	return next - n;
}

/* ---- reading and writing ---- */

/* Bytes of a run of data that its layer shows, or that the top has room for. */
static size_t unit_bytes(const struct dm_chain_unit *u, enum req_op op, u32 n,
			 u32 run)
{
	const struct dm_chain_walk *w = &u->job->walk;
	unsigned int shift = w->chain->block_shift;
	sector_t first = (u->block + n) << shift;
	sector_t end = min(first + ((sector_t)run << shift), w->size);

	if (op == REQ_OP_READ)
		end = min(end, w->limit[u->what[n]]);
	return end > first ? (end - first) << SECTOR_SHIFT : 0;
}

static void unit_io_put(struct dm_chain_unit *u)
{
	if (atomic_dec_and_test(&u->left))
		complete(&u->done);
}

static void unit_endio(struct bio *bio)
{
	struct dm_chain_unit *u = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(u->error, blk_status_to_errno(bio->bi_status));
	bio_put(bio);
	unit_io_put(u);
}

static void unit_io_begin(struct dm_chain_unit *u)
{
	atomic_set(&u->left, 1);
	u->error = 0;
	reinit_completion(&u->done);
}

static int unit_io_end(struct dm_chain_unit *u)
{
	unit_io_put(u);
	wait_for_completion_io(&u->done);
	return u->error;
}

/* Read a run from the layer that holds it, or write one to the top. */
static void unit_submit(struct dm_chain_unit *u, enum req_op op, u32 n, u32 run)
{
	const struct dm_chain_walk *w = &u->job->walk;
	struct dm_chain *chain = w->chain;
	size_t bs = dm_chain_block_size(chain), bytes = unit_bytes(u, op, n, run);
	const struct dm_chain_slot *slot;
	struct bio *bio;

	if (!bytes)
		return;
	slot = &chain->slot[op == REQ_OP_READ ? u->what[n] : w->top_id];
	bytes = unit_round(slot->bdev, bytes, run * bs);
	bio = bio_alloc_bioset(slot->bdev, dm_chain_buf_vecs(u->buf, n * bs, bytes),
			       op, GFP_NOIO, &chain->job_bios);
	bio->bi_iter.bi_sector = slot->start +
				 ((u->block + n) << chain->block_shift);
	dm_chain_bio_add(bio, u->buf, n * bs, bytes);
	bio->bi_private = u;
	bio->bi_end_io = unit_endio;
	atomic_inc(&u->left);
	submit_bio(bio);
}

/* One block failed. Return: true if there is nothing more to do with it. */
static bool unit_io_failed(struct dm_chain_unit *u, enum req_op op, u32 n, int r)
{
	struct dm_chain_fault fault = { .error = r, .write = op == REQ_OP_WRITE };
	u8 top = u->job->walk.top_id;

	if (!unit_fail(u, &fault, fault.write ? top : u->what[n], u->block + n))
		return false;
	u->what[n] = top;
	return true;
}

/* One after the other, to learn which of them fail. */
static u32 unit_io_again(struct dm_chain_unit *u, enum req_op op, u32 end)
{
	u32 n;
	int r;

	for (n = 0; n < end; n++) {
		if (!unit_is_data(u, n))
			continue;
		unit_io_begin(u);
		unit_submit(u, op, n, 1);
		r = unit_io_end(u);
		if (r && !unit_io_failed(u, op, n, r))
			return n;
	}
	return end;
}

/*
 * Read or write all data before @end. Return: how many blocks are through: @end,
 * or the first that failed, if the job does not go on behind that.
 */
static u32 unit_io(struct dm_chain_unit *u, enum req_op op, u32 end)
{
	struct blk_plug plug;
	u32 n, run;

	unit_io_begin(u);
	blk_start_plug(&plug);
	for (n = 0; n < end; n += run) {
		run = unit_run(u, op, n, end);
		if (!unit_is_data(u, n))
			continue;
		unit_submit(u, op, n, run);
	}
	blk_finish_plug(&plug);
	return unit_io_end(u) ? unit_io_again(u, op, end) : end;
}

/*
 * Read a run back from the top. Return: how many of its blocks are what was
 * written; less than @run if the job does not go on behind the next.
 */
static u32 unit_verify_run(struct dm_chain_unit *u, u32 n, u32 run)
{
	const struct dm_chain_walk *w = &u->job->walk;
	struct dm_chain *chain = w->chain;
	const struct dm_chain_slot *slot = &chain->slot[w->top_id];
	struct dm_chain_buf *back = (u + DM_CHAIN_VERIFY_UNITS)->buf;
	size_t bs = dm_chain_block_size(chain), bytes;
	sector_t sector = (u->block + n) << chain->block_shift;
	struct dm_chain_fault fault = {};
	u32 i;

	bytes = unit_bytes(u, REQ_OP_WRITE, n, run);
	bytes = unit_round(slot->bdev, bytes, run * bs);
	fault.error = dm_chain_rw(&chain->job_bios, slot->bdev, REQ_OP_READ,
				  slot->start + sector, back, n * bs, bytes);
	if (fault.error && run > 1) {
		for (i = 0; i < run; i++)
			if (!unit_verify_run(u, n + i, 1))
				break;
		return i;
	}
	for (i = 0; i < run && !fault.error; i++) {
		size_t part = min(bs, bytes - i * bs);

		if (dm_chain_buf_equal(u->buf, back, (n + i) * bs, part))
			continue;
		fault.error = -EILSEQ;
		fault.fatal = true;
		break;
	}
	if (!fault.error)
		return run;
	if (!unit_fail(u, &fault, w->top_id, u->block + n + i))
		return i;
	u->what[n + i] = w->top_id;
	return run;
}

/* Return: as unit_io(). */
static u32 unit_verify(struct dm_chain_unit *u, u32 end)
{
	u32 n, run, good;

	if (!u->job->verify)
		return end;
	for (n = 0; n < end; n += run) {
		run = unit_run(u, REQ_OP_WRITE, n, end);
		if (!unit_is_data(u, n))
			continue;
		good = unit_verify_run(u, n, run);
		if (good < run)
			return n + good;
	}
	return end;
}

/* ---- what the top holds, and the numbers ---- */

/* Set the states of an intermediate top in core. job->lock held. */
static void unit_set_states(struct dm_chain_unit *u, u64 block, u32 count,
			    enum dm_chain_state state)
{
	struct dm_chain_job *job = u->job;
	u8 *payload;
	u32 n;

	payload = xa_load(&job->top->pages,
			  div_u64_rem(block, DM_CHAIN_BLOCKS_PER_PAGE, &n));
	if (WARN_ON_ONCE(!payload))
		return;
	while (count--)
		dm_chain_state_set(payload, n++, state);
	if (!job->unsaved) {
		job->unsaved = true;
		job->unsaved_since = jiffies;
	}
}

/*
 * Give what the view takes from a layer below the top to the top. That is a
 * layer of the job, but for blocks behind the end of a short one.
 */
static void unit_move_owners(struct dm_chain_unit *u, u64 block, u32 count,
			     u8 entry)
{
	const struct dm_chain_walk *w = &u->job->walk;
	struct dm_chain_owner_map *map = w->chain->map;
	u64 end = min(block + count, dm_chain_owner_blocks(map));
	u64 run;

	for (; block < end; block += run) {
		u64 n;
		u8 old;

		rcu_read_lock();
		old = dm_chain_owner_lookup(map, block, end - block, &run);
		rcu_read_unlock();
		if (!dm_chain_walk_is_below(w, old))
			continue;
		/* A job below may be faster: then the block is looked up again. */
		for (n = 0; n < run; n++)
			if (!dm_chain_owner_move(u->node, block + n, old, entry))
				run = n;
	}
}

/* The top holds these blocks from now on. */
static void unit_settle(struct dm_chain_unit *u, u64 block, u32 count,
			enum dm_chain_state state)
{
	struct dm_chain_job *job = u->job;
	const struct dm_chain_walk *w = &job->walk;
	u64 bytes = dm_chain_walk_bytes(w, block, count);
	u8 entry = w->top_id;

	if (state == DM_CHAIN_ZERO)
		entry |= DM_CHAIN_OWNER_ZERO;
	if (w->active)
		dm_chain_own(w->top, u->node, block, count, entry);

	spin_lock(&job->lock);
	job->found = true;
	job->open -= bytes;
	u->open -= bytes;
	if (!w->active)
		unit_set_states(u, block, count, state);
	if (state == DM_CHAIN_ZERO) {
		job->now.zeroed += bytes;
	} else {
		job->now.copied += bytes;
		job->unsaved_bytes += bytes;
	}
	spin_unlock(&job->lock);
	trace_dm_chain_copy(w->chain, job->id, &w->chain->slot[w->top_id],
			    block << w->chain->block_shift,
			    bytes >> SECTOR_SHIFT, state == DM_CHAIN_ZERO);

	if (w->active)
		return;
	dm_chain_mark_dirty(w->top, block, count);
	if (u->node)
		unit_move_owners(u, block, count, entry);
}

/* @bytes that had to be read are copied. */
static void unit_account(struct dm_chain_unit *u, u64 bytes)
{
	struct dm_chain_job *job = u->job;
	ktime_t now = ktime_get();
	u64 ms;

	spin_lock(&job->lock);
	job->remaining -= min(job->remaining, bytes);
	job->rate_bytes += bytes;
	ms = ktime_ms_delta(now, job->rate_since);
	if (ms >= MSEC_PER_SEC) {
		job->rate = div64_u64(job->rate_bytes * MSEC_PER_SEC, ms);
		job->rate_bytes = 0;
		job->rate_since = now;
	}
	spin_unlock(&job->lock);
}

/* @bytes of what the dispatcher had found: the guest came first. */
static void unit_leave(struct dm_chain_unit *u, u8 entry, u64 bytes)
{
	struct dm_chain_job *job = u->job;

	spin_lock(&job->lock);
	if (!(entry & DM_CHAIN_OWNER_ZERO))
		job->remaining -= min(job->remaining, bytes);
	job->open -= bytes;
	u->open -= bytes;
	spin_unlock(&job->lock);
}

/* ---- copying ---- */

/*
 * What was read: nothing shows behind the end of a short layer, and blocks that
 * are nothing but zeros become zero.
 */
static void unit_scan(struct dm_chain_unit *u, u32 end)
{
	const struct dm_chain_walk *w = &u->job->walk;
	size_t bs = dm_chain_block_size(w->chain);
	u64 bytes = 0;
	u32 n, run;

	for (n = 0; n < end; n += run) {
		size_t shown;
		u32 i;

		run = unit_run(u, REQ_OP_READ, n, end);
		if (!unit_is_data(u, n))
			continue;
		bytes += dm_chain_walk_bytes(w, u->block + n, run);
		shown = unit_bytes(u, REQ_OP_READ, n, run);
		dm_chain_buf_zero(u->buf, n * bs + shown, run * bs - shown);
		for (i = n; i < n + run; i++)
			if (dm_chain_buf_is_zero(u->buf, i * bs, bs))
				u->what[i] = DM_CHAIN_NOBODY;
	}
	unit_account(u, bytes);
}

/* Copy what @u->what says. */
static void unit_copy(struct dm_chain_unit *u, struct dm_chain_epoch *epoch)
{
	u32 n, run, end = unit_io(u, REQ_OP_READ, u->count);

	dm_chain_epoch_put(epoch);
	unit_scan(u, end);
	end = unit_io(u, REQ_OP_WRITE, end);
	end = unit_verify(u, end);

	for (n = 0; n < end; n += run) {
		run = unit_run(u, REQ_OP_WRITE, n, end);
		if (unit_is_data(u, n))
			unit_settle(u, u->block + n, run, DM_CHAIN_DATA);
		else if (u->what[n] & DM_CHAIN_OWNER_ZERO)
			unit_settle(u, u->block + n, run, DM_CHAIN_ZERO);
	}
}

/*
 * What the guest did to the blocks of an active top shows when they are looked
 * up under the range lock.
 */
static void unit_look(struct dm_chain_unit *u)
{
	const struct dm_chain_walk *w = &u->job->walk;
	u64 count;
	u32 n;

	for (n = 0; n < u->count; n += count) {
		u8 entry;
		u64 i;

		if (dm_chain_walk_look(w, u->block + n, u->count - n, &count,
				       &entry)) {
			memset(u->what + n, entry, count);
			continue;
		}
		for (i = n; i < n + count; i++) {
			/* Not what there was nothing to do with before. */
			if (u->what[i] != w->top_id)
				unit_leave(u, u->what[i],
					   dm_chain_walk_bytes(w, u->block + i, 1));
			u->what[i] = w->top_id;
		}
	}
}

/* Blocks that only become zero: any number, without a buffer. */
static void unit_zero_active(struct dm_chain_unit *u)
{
	const struct dm_chain_walk *w = &u->job->walk;
	u64 block, end = u->block + u->count, count;

	for (block = u->block; block < end; block += count) {
		u8 entry;

		if (!dm_chain_walk_look(w, block, end - block, &count, &entry))
			unit_leave(u, u->entry,
				   dm_chain_walk_bytes(w, block, count));
		else if (entry & DM_CHAIN_OWNER_ZERO)
			unit_settle(u, block, count, DM_CHAIN_ZERO);
	}
}

static void unit_copy_active(struct dm_chain_unit *u)
{
	struct dm_chain *chain = u->job->chain;
	struct dm_chain_epoch *epoch;

	u->node = dm_chain_owner_pin(chain->map, u->block, GFP_NOIO);
	if (!u->node) {
		unit_no_memory(u);
		return;
	}
	if (u->entry & DM_CHAIN_OWNER_ZERO) {
		unit_zero_active(u);
		return;
	}
	epoch = dm_chain_epoch_get(chain);
	unit_look(u);
	unit_copy(u, epoch);
}

/*
 * Pin the region's node if the view takes any block of the unit from a layer
 * below the top. No block comes to one later, so this holds until the end.
 */
static int unit_pin_below(struct dm_chain_unit *u)
{
	const struct dm_chain_walk *w = &u->job->walk;
	struct dm_chain_owner_map *map = w->chain->map;
	u64 block, end, run;

	u->node = NULL;
	end = min(u->block + u->count, dm_chain_owner_blocks(map));
	for (block = u->block; block < end; block += run) {
		u8 entry;

		rcu_read_lock();
		entry = dm_chain_owner_lookup(map, block, end - block, &run);
		rcu_read_unlock();
		if (!dm_chain_walk_is_below(w, entry))
			continue;
		u->node = dm_chain_owner_pin(map, block, GFP_NOIO);
		return u->node ? 0 : -ENOMEM;
	}
	return 0;
}

/* The plan names a layer that leaves: nothing is done by it. */
static void unit_give_up(struct dm_chain_unit *u)
{
	struct dm_chain_job *job = u->job;

	spin_lock(&job->lock);
	job->rewind = min(job->rewind, u->block);
	spin_unlock(&job->lock);
}

static void unit_copy_below(struct dm_chain_unit *u)
{
	struct dm_chain_epoch *epoch;

	if (unit_pin_below(u)) {
		unit_no_memory(u);
		return;
	}
	if (u->entry & DM_CHAIN_OWNER_ZERO) {
		unit_settle(u, u->block, u->count, DM_CHAIN_ZERO);
		return;
	}
	epoch = dm_chain_epoch_get(u->job->chain);
	if (READ_ONCE(u->job->reaim)) {
		dm_chain_epoch_put(epoch);
		unit_give_up(u);
		return;
	}
	unit_copy(u, epoch);
}

static void unit_work(struct work_struct *work)
{
	struct dm_chain_unit *u = container_of(work, struct dm_chain_unit, work);
	struct dm_chain_job *job = u->job;
	struct dm_chain *chain = job->chain;

	if (job->walk.active)
		unit_copy_active(u);
	else
		unit_copy_below(u);

	if (u->node) {
		dm_chain_owner_unpin(u->node);
		dm_chain_owner_collapse(chain->map, u->block);
	}
	if (job->walk.active)
		dm_chain_range_unlock(chain->ranges, &u->range);

	/* Once the lock is released, the job may be freed. */
	spin_lock(&job->lock);
	u->busy = false;
	job->open -= u->open;
	job->undone += u->open;
	if (u->began)
		dm_chain_pace_pay(&job->pace, u->began, ktime_get_ns(), u->bytes);
	if (!--job->in_flight)
		wake_up_all(&job->idle);
	dm_chain_job_kick(job);
	spin_unlock(&job->lock);
}

static void unit_granted(struct dm_chain_range *range)
{
	struct dm_chain_unit *u = container_of(range, struct dm_chain_unit,
					       range);

	queue_work(u->job->chain->job_wq, &u->work);
}

void dm_chain_unit_start(struct dm_chain_unit *u)
{
	struct dm_chain *chain = u->job->chain;
	bool active = u->job->walk.active;

	if (active)
		dm_chain_range_init(&u->range, u->block,
				    u->block + u->count - 1, true,
				    unit_granted);
	if (!active || dm_chain_range_lock(chain->ranges, &u->range))
		queue_work(chain->job_wq, &u->work);
}

int dm_chain_units_init(struct dm_chain_job *job)
{
	unsigned int i;

	for (i = 0; i < DM_CHAIN_UNITS; i++) {
		struct dm_chain_unit *u = &job->unit[i];

		if (u->buf)
			continue;
		INIT_WORK(&u->work, unit_work);
		init_completion(&u->done);
		u->job = job;
		u->buf = dm_chain_buf_alloc(DM_CHAIN_UNIT_BYTES, GFP_NOIO);
		if (!u->buf)
			return -ENOMEM;
	}
	return 0;
}

void dm_chain_units_exit(struct dm_chain_job *job)
{
	unsigned int i;

	for (i = 0; i < DM_CHAIN_UNITS; i++) {
		dm_chain_buf_free(job->unit[i].buf);
		job->unit[i].buf = NULL;
	}
}
