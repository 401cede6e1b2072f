// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: events of jobs.
 *
 * Who waits with "dmsetup wait" is woken at once. The uevent is sent from a
 * work item, because sending allocates memory, and a job must not wait for
 * that. If there is none left, the uevent is lost; what it says can be asked
 * for. The work holds the mapped device, not open, so its removal is not
 * refused but waits for the uevent.
 */
#include <linux/kobject.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "dm-chain-event.h"
#include "dm-chain-trace.h"

/* Three fixed words of the error event, seven of all, the end. */
#define EVENT_WORDS	12
#define EVENT_TEXT	512

static const char *const event_names[] = {
	[DM_CHAIN_EVENT_COMPLETED] = "BLOCK_JOB_COMPLETED",
	[DM_CHAIN_EVENT_CANCELLED] = "BLOCK_JOB_CANCELLED",
	[DM_CHAIN_EVENT_ERROR] = "BLOCK_JOB_ERROR",
	[DM_CHAIN_EVENT_PENDING] = "BLOCK_JOB_PENDING",
	[DM_CHAIN_EVENT_STATUS] = "JOB_STATUS_CHANGE",
};

struct event {
	struct work_struct work;
	struct mapped_device *md;
	unsigned int words;
	unsigned int used;
	char *env[EVENT_WORDS];
	char text[EVENT_TEXT];
};

static struct workqueue_struct *event_wq;

static void event_work(struct work_struct *work)
{
	struct event *e = container_of(work, struct event, work);
	struct kobject *kobj = &disk_to_dev(dm_disk(e->md))->kobj;
	/* The device whose memory reclaim needs may be suspended. */
	unsigned int noio = memalloc_noio_save();
	int r;

	r = kobject_uevent_env(kobj, KOBJ_CHANGE, e->env);
	if (r)
		DMWARN_LIMIT("%s: %s was not sent: error %d",
			     dm_device_name(e->md), e->env[0], r);
	memalloc_noio_restore(noio);
	dm_put(e->md);
	kfree(e);
}

__printf(2, 3)
static void event_add(struct event *e, const char *fmt, ...)
{
	unsigned int room = EVENT_TEXT - e->used;
	va_list args;
	int n;

	/* The last pointer stays NULL. */
	if (e->words == EVENT_WORDS - 1)
		return;
	va_start(args, fmt);
	n = vscnprintf(e->text + e->used, room, fmt, args);
	va_end(args);
	if (!n)
		return;
	e->env[e->words++] = e->text + e->used;
	e->used += n + 1;
}

void dm_chain_event_send(struct dm_chain *chain, enum dm_chain_event event,
			 const struct dm_chain_event_info *info)
{
	struct event *e;

	lockdep_assert_held(&chain->lock);
	trace_dm_chain_event(chain, event, info);
	e = kzalloc(sizeof(*e), GFP_NOIO | __GFP_NOWARN);
	if (e && dm_hold(chain->md)) {
		kfree(e);
		e = NULL;
	}
	if (e) {
		INIT_WORK(&e->work, event_work);
		e->md = chain->md;
		event_add(e, "DM_CHAIN_EVENT=%s", event_names[event]);
		event_add(e, "DM_CHAIN_JOB=%s", info->id);
		event_add(e, "DM_CHAIN_TYPE=stream");
		event_add(e, "DM_CHAIN_STATUS=%s",
			  dm_chain_job_state_name(info->state));
		event_add(e, "DM_CHAIN_LEN=%llu", info->len);
		event_add(e, "DM_CHAIN_OFFSET=%llu", info->offset);
		event_add(e, "DM_CHAIN_SPEED=%llu", info->speed);
		event_add(e, "DM_CHAIN_ERROR=%d", info->error);
		if (event == DM_CHAIN_EVENT_ERROR) {
			event_add(e, "DM_CHAIN_OPERATION=%s",
				  info->write ? "write" : "read");
			event_add(e, "DM_CHAIN_LAYER=%s", info->layer);
			event_add(e, "DM_CHAIN_ACTION=%s",
				  dm_chain_on_error_name(info->action));
		}
		queue_work(event_wq, &e->work);
	}
	if (chain->live)
		dm_table_event(chain->live->ti->table);
}

int dm_chain_event_init(void)
{
	event_wq = alloc_ordered_workqueue("dm-chain-event", WQ_MEM_RECLAIM);
	return event_wq ? 0 : -ENOMEM;
}

void dm_chain_event_exit(void)
{
	destroy_workqueue(event_wq);
}
