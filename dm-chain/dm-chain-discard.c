// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: passing discards down to the active layer's data device.
 *
 * A discard is done when its blocks are `zero` in the map; giving the space
 * back comes later and only costs space if it is lost. The device may be told
 * only when `zero` is durable: told before, a power cut would leave a map that
 * says `data` over what the device then returns.
 *
 * So ranges wait in a list until a commit has ended. Then, region by region and
 * with the range locked against every write, those blocks are told to the
 * device that still are `zero` and whose map page is neither dirty nor in a
 * commit. A block written meanwhile is `data` and left alone; a write that
 * comes during the discard waits for the range.
 */
#include <linux/slab.h>

#include "dm-chain.h"

#define DM_CHAIN_MAX_PASSDOWN	4096

struct dm_chain_passdown {
	struct list_head list;
	u64 block;
	u64 end;
};

void dm_chain_passdown_add(struct dm_chain *chain, u64 block, u64 count)
{
	struct dm_chain_passdown *pd, *last;

	if (chain->no_passdown ||
	    !bdev_max_discard_sectors(dm_chain_active(chain)->data_bdev))
		return;

	pd = kmalloc(sizeof(*pd), GFP_NOIO | __GFP_NOWARN);
	spin_lock_irq(&chain->defer_lock);
	last = list_empty(&chain->passdown) ? NULL :
	       list_last_entry(&chain->passdown, struct dm_chain_passdown, list);
	if (last && last->end == block) {
		/* The work has it in hand, perhaps. */
		WRITE_ONCE(last->end, last->end + count);
	} else if (pd && chain->nr_passdown < DM_CHAIN_MAX_PASSDOWN) {
		pd->block = block;
		pd->end = block + count;
		list_add_tail(&pd->list, &chain->passdown);
		WRITE_ONCE(chain->nr_passdown, chain->nr_passdown + 1);
		pd = NULL;
	}
	spin_unlock_irq(&chain->defer_lock);
	kfree(pd);
}

void dm_chain_passdown_kick(struct dm_chain *chain)
{
	if (READ_ONCE(chain->nr_passdown))
		queue_work(chain->job_wq, &chain->passdown_work);
}

static void dm_chain_passdown_grant(struct dm_chain_range *range)
{
	struct dm_chain *chain = container_of(range, struct dm_chain,
					      passdown_range);

	/* Pairs with smp_load_acquire() in dm_chain_passdown_work(). */
	smp_store_release(&chain->passdown_granted, true);
	queue_work(chain->job_wq, &chain->passdown_work);
}

/* With the range locked. Return: false if some page is not durable yet. */
static bool dm_chain_passdown_range(struct dm_chain *chain, u64 block, u64 end)
{
	struct dm_chain_slot *slot = &chain->slot[chain->active];
	bool all = true;

	while (block < end) {
		u64 page_end, run;
		sector_t sector, stop;
		u8 entry;

		page_end = (div_u64(block, DM_CHAIN_BLOCKS_PER_PAGE) + 1) *
			   DM_CHAIN_BLOCKS_PER_PAGE;
		rcu_read_lock();
		entry = dm_chain_owner_lookup(chain->map, block,
					      min(end, page_end) - block, &run);
		rcu_read_unlock();
		sector = block << chain->block_shift;
		block += run;
		if (entry != (chain->active | DM_CHAIN_OWNER_ZERO))
			continue;
		if (dm_chain_uncommitted(slot->layer, block - run, run)) {
			all = false;
			continue;
		}
		stop = min_t(sector_t, block << chain->block_shift, chain->size);
		/* Losing it only costs space. */
		blkdev_issue_discard(slot->bdev, slot->start + sector,
				     stop - sector, GFP_NOIO);
	}
	return all;
}

static struct dm_chain_passdown *dm_chain_passdown_first(struct dm_chain *chain)
{
	struct dm_chain_passdown *pd;

	spin_lock_irq(&chain->defer_lock);
	pd = list_first_entry_or_null(&chain->passdown,
				      struct dm_chain_passdown, list);
	spin_unlock_irq(&chain->defer_lock);
	return pd;
}

/* The first @count blocks of the first range are done, or to be tried later. */
static void dm_chain_passdown_next(struct dm_chain *chain, u64 count)
{
	struct dm_chain_passdown *pd;

	spin_lock_irq(&chain->defer_lock);
	pd = list_first_entry(&chain->passdown, struct dm_chain_passdown, list);
	pd->block += count;
	if (pd->block < pd->end) {
		pd = NULL;
	} else {
		list_del(&pd->list);
		WRITE_ONCE(chain->nr_passdown, chain->nr_passdown - 1);
	}
	spin_unlock_irq(&chain->defer_lock);
	kfree(pd);
}

void dm_chain_passdown_work(struct work_struct *work)
{
	struct dm_chain *chain = container_of(work, struct dm_chain,
					      passdown_work);
	struct dm_chain_range *range = &chain->passdown_range;
	unsigned int budget = READ_ONCE(chain->nr_passdown);
	struct dm_chain_passdown *pd;

	/*
	 * Called for a commit, while it waits for its range. Pairs with
	 * smp_store_release() in dm_chain_passdown_grant().
	 */
	if (chain->passdown_held && !smp_load_acquire(&chain->passdown_granted))
		return;

	while ((pd = dm_chain_passdown_first(chain))) {
		bool stop = READ_ONCE(chain->passdown_stop);
		u64 block, end;

		if (!chain->passdown_held) {
			if (stop) {
				dm_chain_passdown_next(chain, READ_ONCE(pd->end) - pd->block);
				continue;
			}
			block = pd->block;
			end = min(READ_ONCE(pd->end),
				  (block | (DM_CHAIN_REGION_BLOCKS - 1)) + 1);
			dm_chain_range_init(range, block, end - 1, true,
					    dm_chain_passdown_grant);
			chain->passdown_held = true;
			chain->passdown_granted = false;
			if (!dm_chain_range_lock(chain->ranges, range))
				return;
		}
		block = range->node.start;
		end = range->node.last + 1;
		if (!stop && !dm_chain_passdown_range(chain, block, end)) {
			dm_chain_passdown_add(chain, block, end - block);
			stop = !budget--;
		}
		chain->passdown_held = false;
		dm_chain_range_unlock(chain->ranges, range);
		dm_chain_passdown_next(chain, end - block);
		/* What is left was seen before: the next commit brings it back. */
		if (stop && !READ_ONCE(chain->passdown_stop))
			return;
	}
}

void dm_chain_passdown_cancel(struct dm_chain *chain)
{
	WRITE_ONCE(chain->passdown_stop, true);
	queue_work(chain->job_wq, &chain->passdown_work);
	flush_work(&chain->passdown_work);
	WRITE_ONCE(chain->passdown_stop, false);
}
