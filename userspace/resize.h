/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: how far the active layer can grow.
 */
#ifndef CHAINSETUP_RESIZE_H
#define CHAINSETUP_RESIZE_H

#include "chainsetup.h"

/**
 * struct resize - what is asked for and what limits it
 * @layer: name of the active layer
 * @device: path of its data device
 * @now: its size, bytes
 * @wanted: 0 = as far as it goes
 * @max_size: room for the map, from the superblock
 * @data_size: of the data device
 * @data_offset: where block 0 lies
 */
struct resize {
	const char *layer;
	const char *device;
	u64 now;
	u64 wanted;
	u64 max_size;
	u64 data_size;
	u64 data_offset;
};

/**
 * resize_choose() - the new size
 * @size: gets it, bytes; @now if it is that large already
 * @why: what is in the way, and what to do
 *
 * Return: 0, -EINVAL for less than it has, -ERANGE beyond the maximal size,
 * -ENOSPC beyond the data device.
 */
int resize_choose(const struct resize *resize, u64 *size,
		  struct dm_chain_why *why);

#endif
