/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: a raw device that gets content.
 *
 * It has no superblock that could be written last. One that gets all of its
 * content begins with zeros until the rest is durable, so that nobody takes it
 * for what it is not yet.
 */
#ifndef CHAINSETUP_RAW_TARGET_H
#define CHAINSETUP_RAW_TARGET_H

#include "chainsetup.h"

/* So much is held back. What tells a file system or a partition table is there. */
#define RAW_HEAD	(1024 * 1024)

/**
 * struct raw_target - the device
 * @dev: nobody else uses it
 * @whole: it gets all of its content
 * @head: of @whole: what it will begin with
 * @head_len: bytes of @head
 */
struct raw_target {
	struct device dev;
	bool whole;
	u8 *head;
	size_t head_len;
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

/* Make all durable, and let it be what it is. */
int raw_finish(struct raw_target *t, struct dm_chain_why *why);

#endif
