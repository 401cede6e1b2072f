/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: blocks on their way from whatever holds them into a layer or a
 * stream.
 */
#ifndef CHAINSETUP_BLOCKS_H
#define CHAINSETUP_BLOCKS_H

#include "new-layer.h"

/**
 * struct block_source - something with a size that holds some of its bytes, and
 *	rests on something else
 * @size: bytes, a multiple of 512
 * @block_size: of the blocks that are to be made of it, bytes
 * @run: who holds the byte at @offset, DM_CHAIN_UNALLOCATED if it does not, and
 *	how far that goes, at most @max. The run can be shorter than it might
 * @read: bytes as they are seen, whoever holds them; multiples of 512
 */
struct block_source {
	u64 size;
	u32 block_size;
	int (*run)(struct block_source *source, u64 offset, u64 max,
		   enum dm_chain_state *state, u64 *run,
		   struct dm_chain_why *why);
	int (*read)(struct block_source *source, void *buf, size_t len,
		    u64 offset, struct dm_chain_why *why);
};

/**
 * typedef block_sink - gets all blocks, in their order
 * @context: its own
 * @state: of all of them
 * @block: the first
 * @count: how many
 * @data: of DM_CHAIN_DATA: at most 1 MiB; the last one may be partial
 */
typedef int (*block_sink)(void *context, enum dm_chain_state state, u64 block,
			  u64 count, const void *data, struct dm_chain_why *why);

/**
 * blocks_copy() - all blocks of a source
 *
 * A block of which only a part is held becomes data, with what is seen of the rest;
 * one that holds nothing but zeros becomes zero.
 */
int blocks_copy(struct block_source *source, block_sink sink, void *context,
		struct dm_chain_why *why);

/* Into a struct fill that was started. */
int fill_sink(void *fill, enum dm_chain_state state, u64 block, u64 count,
	      const void *data, struct dm_chain_why *why);

#endif
