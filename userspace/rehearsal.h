/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: writes that are tried before they are made, and can be undone.
 */
#ifndef CHAINSETUP_REHEARSAL_H
#define CHAINSETUP_REHEARSAL_H

#include "chainsetup.h"

/**
 * struct rehearsed_write - a page that is to be written
 * @offset: on the device, bytes
 * @lost: what is there now cannot be read; @old is zeros
 * @old: what is there before this write
 * @new: what is there after it
 */
struct rehearsed_write {
	u64 offset;
	bool lost;
	u8 old[DM_CHAIN_PAGE_SIZE];
	u8 new[DM_CHAIN_PAGE_SIZE];
};

/**
 * struct rehearsal - writes to one device, in their order
 *
 * While a device has one, what is written to it in whole pages is only kept
 * here, and read back from here.
 */
struct rehearsal {
	struct rehearsed_write **write;
	unsigned int nr;
};

/* The last write of a page, NULL if there is none. */
const struct rehearsed_write *rehearsal_find(const struct rehearsal *rehearsal,
					     u64 offset);
int rehearsal_add(struct rehearsal *rehearsal, const struct device *dev,
		  const void *page, u64 offset, struct dm_chain_why *why);

/**
 * rehearsal_perform() - make the writes
 * @dev: the device; it has no rehearsal any more
 *
 * One after the other, each durable before the next. Stops at the first
 * failure, or where the device does not hold what it did.
 */
int rehearsal_perform(const struct rehearsal *rehearsal,
		      const struct device *dev, struct dm_chain_why *why);
void rehearsal_free(struct rehearsal *rehearsal);

/**
 * undo_save() - keep what the writes will replace
 * @path: of a file that does not exist yet
 * @uuid: of the layer, for people
 *
 * Durable when it returns.
 */
int undo_save(const struct rehearsal *rehearsal, const char *path,
	      const struct device *dev, const u8 *uuid,
	      struct dm_chain_why *why);

/* Read such a file. */
int undo_load(struct rehearsal *rehearsal, const char *path,
	      const struct device *dev, struct dm_chain_why *why);

/**
 * undo_plan() - what restores the device
 * @plan: gets the writes
 * @done: what was loaded; done in whole, in part, or not at all
 * @dev: the device
 *
 * Refused where the device holds, in any sector, something that is neither
 * from before nor from after.
 */
int undo_plan(struct rehearsal *plan, const struct rehearsal *done,
	      const struct device *dev, struct dm_chain_why *why);

#endif
