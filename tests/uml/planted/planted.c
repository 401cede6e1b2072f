// SPDX-License-Identifier: GPL-2.0
/*
 * One bug of each kind that the kernels with checkers have to find, named by the
 * parameter "bug". The load succeeds: it is the kernel that has to complain.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

static char *bug = "none";
module_param(bug, charp, 0444);
MODULE_PARM_DESC(bug, "which bug is made at load time");

static DEFINE_SPINLOCK(first);
static DEFINE_SPINLOCK(second);
static DEFINE_MUTEX(both);
static int table[4];
static unsigned int four = 4, forty = 40;

static void use_after_free(void)
{
	char *p = kmalloc(64, GFP_KERNEL);

	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	if (p)
		WRITE_ONCE(p[8], 1);
}

static void out_of_bounds(void)
{
	char *p = kmalloc(60, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	if (p)
		WRITE_ONCE(p[60], 1);
	kfree(p);
}

static void beyond_vmalloc(void)
{
	char *p = vmalloc(60);

	OPTIMIZER_HIDE_VAR(p);
	if (p)
		WRITE_ONCE(p[60], 1);
	vfree(p);
}

static void leak(void)
{
	char *p = kmalloc(96, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	if (p)
		strscpy(p, "lost", 96);
}

static void shift_too_far(void)
{
	pr_info("%d\n", 1 << READ_ONCE(forty));
}

static void beyond_array(void)
{
	pr_info("%d\n", table[READ_ONCE(four)]);
}

static void abba(void)
{
	spin_lock(&first);
	spin_lock(&second);
	spin_unlock(&second);
	spin_unlock(&first);

	spin_lock(&second);
	spin_lock(&first);
	spin_unlock(&first);
	spin_unlock(&second);
}

static void take_both(struct work_struct *work)
{
	mutex_lock(&both);
	mutex_unlock(&both);
}

/* There is no such work any more, but there might have been. */
static void wait_under_lock(void)
{
	static DECLARE_WORK(work, take_both);
	struct workqueue_struct *wq = alloc_workqueue("planted", 0, 0);

	if (!wq)
		return;
	queue_work(wq, &work);
	flush_workqueue(wq);
	mutex_lock(&both);
	flush_workqueue(wq);
	mutex_unlock(&both);
	destroy_workqueue(wq);
}

static void sleep_in_atomic(void)
{
	spin_lock(&first);
	msleep(20);
	spin_unlock(&first);
}

static void rcu_without_lock(void)
{
	static int __rcu *p;

	if (rcu_dereference(p))
		pr_info("there is something\n");
}

static void list_corruption(void)
{
	LIST_HEAD(list);
	LIST_HEAD(entry);

	list_add(&entry, &list);
	list.next = &list;
	list_del(&entry);
}

static void free_queued_work(void)
{
	struct delayed_work *work = kzalloc(sizeof(*work), GFP_KERNEL);

	if (!work)
		return;
	INIT_DELAYED_WORK(work, take_both);
	schedule_delayed_work(work, HZ);
	kfree(work);
}

static int count_to_a_million(void *counter)
{
	unsigned int *n = counter, i;

	for (i = 0; i < 1000000; i++) {
		(*n)++;
		barrier();
	}
	return 0;
}

/* For both a value that changes while it is looked at. */
static void unlocked_counter(void)
{
	static unsigned int counter;
	struct task_struct *other;

	other = kthread_create(count_to_a_million, &counter, "planted");
	if (IS_ERR(other))
		return;
	get_task_struct(other);
	wake_up_process(other);
	count_to_a_million(&counter);
	kthread_stop(other);
	put_task_struct(other);
}

static void panic_now(void)
{
	panic("planted");
}

static const struct {
	const char *name;
	void (*make)(void);
} bugs[] = {
	{ "use-after-free", use_after_free },
	{ "out-of-bounds", out_of_bounds },
	{ "beyond-vmalloc", beyond_vmalloc },
	{ "leak", leak },
	{ "shift", shift_too_far },
	{ "beyond-array", beyond_array },
	{ "abba", abba },
	{ "wait-under-lock", wait_under_lock },
	{ "sleep-in-atomic", sleep_in_atomic },
	{ "rcu-without-lock", rcu_without_lock },
	{ "list-corruption", list_corruption },
	{ "free-queued-work", free_queued_work },
	{ "data-race", unlocked_counter },
	{ "panic", panic_now },
};

static int __init planted_init(void)
{
	unsigned int i;

	if (!strcmp(bug, "none"))
		return 0;
	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (!strcmp(bug, bugs[i].name)) {
			bugs[i].make();
			return 0;
		}
	}
	return -EINVAL;
}
module_init(planted_init);

static void __exit planted_exit(void)
{
}
module_exit(planted_exit);

MODULE_DESCRIPTION("Bugs, for the checkers to find");
MODULE_LICENSE("GPL");
