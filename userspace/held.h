/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: the beginning of a device that gets its content, which is held back.
 *
 * What tells a file system, a partition table or a layer is there. Until all else is
 * durable a mark is in its place: nobody takes the device for what it is not yet,
 * and every command that looks for a superblock says what has happened.
 */
#ifndef CHAINSETUP_HELD_H
#define CHAINSETUP_HELD_H

#include "chainsetup.h"

/* So much is held back. */
#define HELD_MOST (1024 * 1024)

/**
 * struct held - what a device will begin with
 * @dev: the device; NULL if nothing is held back
 * @bytes: its beginning
 * @len: how many
 */
struct held {
	const struct device *dev;
	u8 *bytes;
	size_t len;
};

/* A page that says that its device is not complete. */
void held_mark(u8 page[DM_CHAIN_PAGE_SIZE]);
bool held_is_mark(const u8 page[DM_CHAIN_PAGE_SIZE]);

/**
 * held_start() - put the mark there, and zeros behind it; a layer is none any more
 * @held: held_free() it, also after an error
 * @size: bytes that the device will get
 *
 * Durable when it returns.
 */
int held_start(struct held *held, const struct device *dev, u64 size,
	       struct dm_chain_why *why);
void held_free(struct held *held);

/**
 * held_take() - keep what is written to the beginning
 * @data: NULL: zeros
 *
 * Return: how many of the @len bytes; the others are to be written.
 */
u64 held_take(struct held *held, u64 offset, u64 len, const void *data);

/* Write it. All else is durable; this is when it returns. */
int held_finish(struct held *held, struct dm_chain_why *why);

#endif
