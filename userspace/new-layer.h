/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: a layer that is being made: by "format", and by what fills it with
 * blocks before anybody can open it.
 */
#ifndef CHAINSETUP_NEW_LAYER_H
#define CHAINSETUP_NEW_LAYER_H

#include "held.h"

/**
 * struct new_layer - a layer that does not exist yet
 * @data: its data device, which nobody else uses
 * @meta: its metadata device; fd -1: inline
 * @backing: open if a path to it was given
 * @sb: what will be its superblock
 * @geo: where its map lies
 */
struct new_layer {
	struct device data;
	struct device meta;
	struct layer backing;
	struct dm_chain_sb sb;
	struct dm_chain_geometry geo;
};

/* Refuse a device that is a layer or carries a signature of other software. */
int device_check_unused(const struct device *dev, struct dm_chain_why *why);

/**
 * device_wipe_super() - what is a layer ceases to be one
 *
 * For a device that gets other content. Overlays of the old layer would still
 * find its superblock, in either slot, and take the new content for the old
 * layer's. So this comes before any other write, and is durable when it returns.
 */
int device_wipe_super(const struct device *dev, struct dm_chain_why *why);

/* The device with the superblock. */
static inline const struct device *new_layer_meta(const struct new_layer *t)
{
	return t->meta.fd < 0 ? &t->data : &t->meta;
}

/**
 * new_layer_open() - look whether a layer can be made
 * @t: new_layer_close() it, also after an error
 * @options: of the user
 *
 * Nothing is written. @t->sb can be changed afterwards, but for sizes and places.
 */
int new_layer_open(struct new_layer *t, const struct format_options *options,
		   struct dm_chain_why *why);
void new_layer_close(struct new_layer *t);

/**
 * new_layer_write_map() - write the directory, and map pages
 * @page: payload of every map page, NULL if it is empty; NULL if all are
 *
 * Durable when it returns.
 */
int new_layer_write_map(const struct new_layer *t, u8 **page,
			struct dm_chain_why *why);

/* Make it a layer. All else is durable. */
int new_layer_write_super(const struct new_layer *t, struct dm_chain_why *why);

/* ------------------------------------------------------------------ fill */

/**
 * struct fill - a new layer that gets its blocks before its superblock
 * @new: the layer
 * @page: payload of every map page, NULL if it is empty
 * @held: the beginning of a data device of its own
 * @blocks: how many are in each state
 */
struct fill {
	struct new_layer new;
	u8 **page;
	struct held held;
	u64 blocks[DM_CHAIN_BAD_STATE];
};

/* One that was not opened can be closed. */
void fill_init(struct fill *fill);

/* Look whether it can be made. fill_close() it, also after an error. */
int fill_open(struct fill *fill, const struct format_options *options,
	      struct dm_chain_why *why);
void fill_close(struct fill *fill);

/* From here on it is no layer, whatever it was before, until fill_finish(). */
int fill_start(struct fill *fill, struct dm_chain_why *why);

/* Set the state of blocks that are unallocated. */
void fill_state(struct fill *fill, u64 block, u64 count,
		enum dm_chain_state state);

/**
 * fill_data() - write blocks that are unallocated
 * @count: blocks; the last one ends where the layer does
 */
int fill_data(struct fill *fill, u64 block, u64 count, const void *data,
	      struct dm_chain_why *why);

/* All but the superblock and what is held back, durable. */
int fill_settle(struct fill *fill, struct dm_chain_why *why);

/* Make it a layer, after fill_settle(). */
int fill_finish(struct fill *fill, struct dm_chain_why *why);

#endif
