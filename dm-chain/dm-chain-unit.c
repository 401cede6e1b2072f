// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the copy units of a job.
 *
 * A unit is a run of blocks that one layer holds. It reads them, looks for
 * blocks that are nothing but zeros, writes the others and says in core that
 * the top holds them.
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
 * memory for that was taken before.
 */
#include <linux/slab.h>

#include "dm-chain-job.h"

static void unit_fail(struct dm_chain_unit *u, int error, bool write, u8 id,
		      u64 block)
{
	struct dm_chain_job *job = u->job;
	u64 at = block << (job->chain->block_shift + SECTOR_SHIFT);

	spin_lock(&job->lock);
	dm_chain_job_fail(job, error, write, id, at);
	spin_unlock(&job->lock);
}

/* Only so that what the device is asked for is whole sectors of its own. */
static size_t unit_round(struct block_device *bdev, size_t bytes, size_t max)
{
	return min_t(size_t, round_up(bytes, bdev_logical_block_size(bdev)), max);
}

static int unit_read(struct dm_chain_unit *u, u64 block, u32 count, u8 id)
{
	const struct dm_chain_walk *w = &u->job->walk;
	struct dm_chain *chain = w->chain;
	const struct dm_chain_slot *slot = &chain->slot[id];
	size_t all = (size_t)count * dm_chain_block_size(chain);
	sector_t first = block << chain->block_shift;
	sector_t end = min_t(sector_t, first + (all >> SECTOR_SHIFT), w->size);
	size_t shown = 0;
	int r;

	end = min(end, w->limit[id]);
	if (end > first) {
		shown = (end - first) << SECTOR_SHIFT;
		r = dm_chain_rw(&chain->job_bios, slot->bdev, REQ_OP_READ,
				slot->start + first, u->buf, 0,
				unit_round(slot->bdev, shown, all));
		if (r) {
			unit_fail(u, r, false, id, block);
			return r;
		}
	}
	dm_chain_buf_zero(u->buf, shown, all - shown);
	return 0;
}

static int unit_write(struct dm_chain_unit *u, u64 block, u32 count,
		      size_t offset)
{
	const struct dm_chain_walk *w = &u->job->walk;
	struct dm_chain *chain = w->chain;
	const struct dm_chain_slot *slot = &chain->slot[w->top_id];
	size_t all = (size_t)count * dm_chain_block_size(chain);
	size_t bytes = dm_chain_walk_bytes(w, block, count);
	int r;

	r = dm_chain_rw(&chain->job_bios, slot->bdev, REQ_OP_WRITE,
			slot->start + (block << chain->block_shift), u->buf,
			offset, unit_round(slot->bdev, bytes, all));
	if (r)
		unit_fail(u, r, true, w->top_id, block);
	return r;
}

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
		for (n = 0; n < run; n++)
			dm_chain_owner_move(u->node, block + n, old, entry);
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
	if (!w->active)
		unit_set_states(u, block, count, state);
	if (state == DM_CHAIN_ZERO) {
		job->zeroed += bytes;
	} else {
		job->copied += bytes;
		job->unsaved_bytes += bytes;
	}
	spin_unlock(&job->lock);

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

/* The guest came first. */
static void unit_leave(struct dm_chain_unit *u, u64 bytes)
{
	struct dm_chain_job *job = u->job;

	spin_lock(&job->lock);
	if (!(u->entry & DM_CHAIN_OWNER_ZERO))
		job->remaining -= min(job->remaining, bytes);
	if (!job->pass)
		job->skipped += bytes;
	spin_unlock(&job->lock);
}

/* Write what was read, without the blocks that are nothing but zeros. */
static int unit_put(struct dm_chain_unit *u, u64 block, u32 count)
{
	size_t bs = dm_chain_block_size(u->job->chain);
	bool zero = dm_chain_buf_is_zero(u->buf, 0, bs), next = zero;
	u32 n, run;
	int r;

	for (n = 0; n < count; n += run, zero = next) {
		for (run = 1; n + run < count; run++) {
			next = dm_chain_buf_is_zero(u->buf, (n + run) * bs, bs);
			if (next != zero)
				break;
		}
		if (!zero) {
			r = unit_write(u, block + n, run, n * bs);
			if (r)
				return r;
		}
		unit_settle(u, block + n, run,
			    zero ? DM_CHAIN_ZERO : DM_CHAIN_DATA);
	}
	unit_account(u, dm_chain_walk_bytes(&u->job->walk, block, count));
	return 0;
}

/*
 * What the guest does to the blocks of an active top shows when they are looked
 * up under the range lock.
 */
static int unit_copy_active(struct dm_chain_unit *u)
{
	const struct dm_chain_walk *w = &u->job->walk;
	struct dm_chain *chain = w->chain;
	u64 block, end = u->block + u->count, count;
	int r = 0;

	u->node = dm_chain_owner_pin(chain->map, u->block, GFP_NOIO);
	if (!u->node) {
		unit_fail(u, -ENOMEM, true, w->top_id, u->block);
		return -ENOMEM;
	}
	for (block = u->block; block < end && !r; block += count) {
		struct dm_chain_epoch *epoch = dm_chain_epoch_get(chain);
		bool wanted, data;
		u8 entry;

		wanted = dm_chain_walk_look(w, block, end - block, &count,
					    &entry);
		data = wanted && !(entry & DM_CHAIN_OWNER_ZERO);
		if (data) {
			count = min_t(u64, count,
				      dm_chain_unit_blocks(chain, DM_CHAIN_UNIT_BYTES));
			r = unit_read(u, block, count, dm_chain_owner_id(entry));
		}
		dm_chain_epoch_put(epoch);

		if (data && !r)
			r = unit_put(u, block, count);
		else if (!wanted)
			unit_leave(u, dm_chain_walk_bytes(w, block, count));
		else if (!data)
			unit_settle(u, block, count, DM_CHAIN_ZERO);
	}
	return r;
}

/* Pin the region's node if the view takes any block of the unit from a layer
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

static int unit_copy_below(struct dm_chain_unit *u)
{
	struct dm_chain_epoch *epoch;
	int r;

	r = unit_pin_below(u);
	if (r) {
		unit_fail(u, r, true, u->job->walk.top_id, u->block);
		return r;
	}
	if (u->entry & DM_CHAIN_OWNER_ZERO) {
		unit_settle(u, u->block, u->count, DM_CHAIN_ZERO);
		return 0;
	}
	epoch = dm_chain_epoch_get(u->job->chain);
	r = unit_read(u, u->block, u->count, u->entry);
	dm_chain_epoch_put(epoch);
	return r ? r : unit_put(u, u->block, u->count);
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

		u->job = job;
		INIT_WORK(&u->work, unit_work);
		u->buf = dm_chain_buf_alloc(DM_CHAIN_UNIT_BYTES, GFP_KERNEL);
		if (!u->buf)
			return -ENOMEM;
	}
	return 0;
}

void dm_chain_units_exit(struct dm_chain_job *job)
{
	unsigned int i;

	for (i = 0; i < DM_CHAIN_UNITS; i++)
		dm_chain_buf_free(job->unit[i].buf);
}
