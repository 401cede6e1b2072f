/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space stand-in for the kernel's header: callbacks run as soon as nobody
 * is in a read-side critical section, at once with a single thread, so that a
 * pointer used after that is found by the sanitizers.
 */
#ifndef SHIM_LINUX_RCUPDATE_H
#define SHIM_LINUX_RCUPDATE_H

#include <stdlib.h>
#include <linux/kernel.h>
#include <linux/processor.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/* One for the program, whichever files include this. */
struct shim_rcu {
	spinlock_t lock;		/* of the other two */
	unsigned int readers;
	struct rcu_head *waiting;
};

__weak struct shim_rcu shim_rcu;

static inline void rcu_read_lock(void)
{
	spin_lock(&shim_rcu.lock);
	shim_rcu.readers++;
	spin_unlock(&shim_rcu.lock);
}

static inline void rcu_read_unlock(void)
{
	struct rcu_head *head, *next = NULL;

	spin_lock(&shim_rcu.lock);
	if (--shim_rcu.readers == 0) {
		next = shim_rcu.waiting;
		shim_rcu.waiting = NULL;
	}
	spin_unlock(&shim_rcu.lock);

	while (next) {
		head = next;
		next = head->next;
		head->func(head);
	}
}

#define rcu_read_lock_sched()	rcu_read_lock()
#define rcu_read_unlock_sched()	rcu_read_unlock()

static inline void call_rcu(struct rcu_head *head,
			    void (*func)(struct rcu_head *head))
{
	rcu_read_lock();
	spin_lock(&shim_rcu.lock);
	head->func = func;
	head->next = shim_rcu.waiting;
	shim_rcu.waiting = head;
	spin_unlock(&shim_rcu.lock);
	rcu_read_unlock();
}

static inline void rcu_barrier(void)
{
	bool busy;

	do {
		rcu_read_lock();
		rcu_read_unlock();
		spin_lock(&shim_rcu.lock);
		busy = shim_rcu.waiting;
		spin_unlock(&shim_rcu.lock);
	} while (busy);
}

#endif
