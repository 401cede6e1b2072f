/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: events of jobs.
 */
#ifndef DM_CHAIN_EVENT_H
#define DM_CHAIN_EVENT_H

#include "dm-chain.h"

/**
 * struct dm_chain_event_info - what an event says
 * @id: of the job
 * @state: of the job, after the event
 * @len: bytes
 * @offset: bytes; of an error the first byte that was not copied
 * @speed: bytes per second
 * @error: positive errno or 0
 * @write: an error's operation
 * @layer: name of the layer it happened on
 * @action: taken because of it
 */
struct dm_chain_event_info {
	const char *id;
	enum dm_chain_job_state state;
	u64 len;
	u64 offset;
	u64 speed;
	int error;
	bool write;
	const char *layer;
	enum dm_chain_on_error action;
};

/**
 * dm_chain_event_send() - wake "dmsetup wait" and send a uevent
 * @chain: the view
 * @event: which one
 * @info: copied
 *
 * What it says must be durable.
 *
 * Context: process, GFP_NOIO, chain->lock held.
 */
void dm_chain_event_send(struct dm_chain *chain, enum dm_chain_event event,
			 const struct dm_chain_event_info *info);

/* Of the module. Exit after the target is gone. Return: 0 or -ENOMEM. */
int dm_chain_event_init(void);
void dm_chain_event_exit(void);

#endif
