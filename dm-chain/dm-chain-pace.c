// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: how a job that has no speed shares the devices with the guest.
 */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>

#include "dm-chain-pace.h"

#define SECOND	(1000 * 1000 * 1000ULL)

void dm_chain_pace_init(struct dm_chain_pace *pace, u64 now, u64 ios)
{
	pace->floor = DM_CHAIN_PACE_FLOOR;
	pace->ceiling = DM_CHAIN_PACE_CEILING;
	pace->ios = ios;
	pace->looked = now;
	pace->seen = 0;
	pace->due = now;
	pace->busy = false;
}

void dm_chain_pace_set(struct dm_chain_pace *pace, u64 floor, u64 ceiling)
{
	pace->floor = floor;
	pace->ceiling = ceiling;
	pace->due = 0;
}

void dm_chain_pace_look(struct dm_chain_pace *pace, u64 now, u64 ios,
			bool in_flight)
{
	bool was = pace->busy;

	pace->busy = in_flight || ios != pace->ios;
	if (pace->busy)
		pace->seen = now;
	else
		pace->busy = was && now - pace->seen < DM_CHAIN_PACE_HOLD;
	/* What the job did while nobody minded is neither owed nor a credit. */
	if (!was)
		pace->due = now;
	pace->ios = ios;
	pace->looked = now;
}

u64 dm_chain_pace_wait(const struct dm_chain_pace *pace, u64 now)
{
	return pace->due > now ? pace->due - now : 0;
}

void dm_chain_pace_pay(struct dm_chain_pace *pace, u64 start, u64 now,
		       u64 bytes)
{
	u64 cost = (now - start) * (DM_CHAIN_PACE_REST + 1);

	if (pace->floor)
		cost = min(cost, div64_u64(bytes * SECOND, pace->floor));
	if (pace->ceiling)
		cost = max(cost, div64_u64(bytes * SECOND, pace->ceiling));
	if (start > DM_CHAIN_PACE_CREDIT)
		pace->due = max(pace->due, start - DM_CHAIN_PACE_CREDIT);
	pace->due += cost;
}
