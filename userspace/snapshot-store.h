/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: what the kernel's target "snapshot" keeps on its COW device, if it is
 * persistent.
 */
#ifndef CHAINSETUP_SNAPSHOT_STORE_H
#define CHAINSETUP_SNAPSHOT_STORE_H

#include "blocks.h"

/* A chunk that was copied: numbers, as they lie on the origin and the COW device. */
struct exception {
	u64 old;
	u64 new;
};

/**
 * struct snapshot_store - a snapshot that nobody has open
 * @source: its own blocks; the snapshot's view is read
 * @origin: the device that it is a snapshot of
 * @cow: the other one
 * @chunk: bytes
 * @exception: sorted by @old
 * @nr: how many
 */
struct snapshot_store {
	struct block_source source;
	const struct device *origin;
	const struct device *cow;
	u64 chunk;
	struct exception *exception;
	u64 nr;
};

/**
 * snapshot_store_open() - read the exceptions
 * @store: snapshot_store_close() it, also after an error
 * @block_size: of the blocks that are to be made of it
 *
 * Return: 0; -ENODATA if there is no store; -EBADMSG if it is damaged or has become
 * invalid; the error of a read.
 */
int snapshot_store_open(struct snapshot_store *store, const struct device *origin,
			const struct device *cow, u32 block_size,
			struct dm_chain_why *why);
void snapshot_store_close(struct snapshot_store *store);

#endif
