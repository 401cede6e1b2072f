// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: who waits for a commit.
 *
 * Flushes, and FUA writes whose data is written but whose map page is not
 * durable, wait in one list. A run of the worker takes the whole list first and
 * commits afterwards, so everything that it completes arrived before the commit
 * began, and what arrives during a commit waits for the next; all that wait
 * share one.
 */
#include "dm-chain.h"

void dm_chain_wait_commit(struct dm_chain *chain, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&chain->defer_lock, flags);
	bio_list_add(&chain->waiting, bio);
	/*
	 * Before anybody can end the bio: nothing else keeps the chain from being
	 * destroyed under an end_io that was preempted here.
	 */
	queue_work(chain->commit_wq, &chain->commit_work);
	spin_unlock_irqrestore(&chain->defer_lock, flags);
}

/* What layers of earlier tables still owe: paid by this table's flushes. */
static int dm_chain_pay_debts(struct dm_chain *chain)
{
	unsigned int i, left = 0;
	int r = 0;

	for (i = 0; i < chain->nr_debtors; i++) {
		struct dm_chain_layer *layer = chain->debtor[i];
		int e = dm_chain_pay_debt(layer);

		if (e) {
			r = e;
			chain->debtor[left++] = layer;
		}
	}
	WRITE_ONCE(chain->nr_debtors, left);
	return r;
}

void dm_chain_commit_work(struct work_struct *work)
{
	struct dm_chain *chain = container_of(work, struct dm_chain,
					      commit_work);
	struct bio_list bios;
	struct bio *bio;
	int r, e;

	spin_lock_irq(&chain->defer_lock);
	bios = chain->waiting;
	bio_list_init(&chain->waiting);
	spin_unlock_irq(&chain->defer_lock);
	if (bio_list_empty(&bios))
		return;

	r = chain->writable ? dm_chain_commit(dm_chain_active(chain)) : 0;
	e = dm_chain_pay_debts(chain);
	while ((bio = bio_list_pop(&bios))) {
		bio->bi_status = errno_to_blk_status(r ? r : e);
		bio_endio(bio);
	}
	/* After a failure what became zero is not durable. */
	if (!r)
		dm_chain_passdown_kick(chain);
}

void dm_chain_timed_work(struct work_struct *work)
{
	struct dm_chain *chain = container_of(to_delayed_work(work),
					      struct dm_chain, timed_work);
	struct dm_chain_layer *active = dm_chain_active(chain);

	/* A commit that failed is tried again by the next flush. */
	if (READ_ONCE(active->failed) ||
	    (atomic_read(&active->uncommitted) && dm_chain_commit(active)))
		return;
	dm_chain_passdown_kick(chain);
}
