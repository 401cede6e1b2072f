/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: a raw device that gets content.
 *
 * It has no superblock that could be written last. Of one that gets all of its content
 * the beginning is held back until the rest is durable.
 */
#ifndef CHAINSETUP_RAW_TARGET_H
#define CHAINSETUP_RAW_TARGET_H

#include "held.h"

/**
 * struct raw_target - the device
 * @dev: nobody else uses it
 * @whole: it gets all of its content
 * @size: so much of it
 * @held: of @whole: its beginning
 */
struct raw_target {
	struct device dev;
	bool whole;
	u64 size;
	struct held held;
};

/**
 * raw_open() - look whether a device can be written
 * @t: raw_close() it, also after an error
 * @size: that it needs
 * @whole: it gets all of its content
 * @force: of @whole: ignore what is there
 *
 * Nothing is written.
 */
int raw_open(struct raw_target *t, const char *path, u64 size, bool whole,
	     bool force, struct dm_chain_why *why);
void raw_close(struct raw_target *t);

/* From here on it is not what it was before. */
int raw_start(struct raw_target *t, struct dm_chain_why *why);

/* Write bytes; zeros if @data is NULL. */
int raw_write(struct raw_target *t, u64 offset, u64 len, const void *data,
	      struct dm_chain_why *why);

/* All but what is held back, durable. */
int raw_settle(struct raw_target *t, struct dm_chain_why *why);

/* Let it be what it is, after raw_settle(). */
int raw_finish(struct raw_target *t, struct dm_chain_why *why);

#endif
