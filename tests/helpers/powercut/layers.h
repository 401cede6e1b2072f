/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A chain as a reader finds it on disks that lost power: the pure core's codec
 * and its rules for slots and references, nothing else.
 */
#ifndef POWERCUT_LAYERS_H
#define POWERCUT_LAYERS_H

#include "dm-chain-codec.h"
#include "dm-chain-resolve.h"

#include "image.h"

#define LAYERS_MAX	16

/**
 * struct layer - a layer on disk
 * @name: its name
 * @data: its data device
 * @meta: its metadata device, the same if inline, NULL if raw
 * @gone: its devices are not to be looked at
 * @present: raw, or with a superblock that can be used
 * @sb: its superblock
 * @geo: where its map lies
 * @payload: the states of each map page, NULL if it was never written
 */
struct layer {
	char name[DM_CHAIN_NAME_LEN];
	const struct image *data;
	const struct image *meta;
	bool gone;
	bool present;
	struct dm_chain_sb sb;
	struct dm_chain_geometry geo;
	u8 **payload;
};

/**
 * layer_load() - read the superblock and the map of a layer
 * @layer: its names and devices filled in
 * @why: gets the reason of a refusal
 *
 * Return: 0; -ENODATA if it was never formatted (@present is not set); an
 * error of the codec if its metadata is damaged.
 */
int layer_load(struct layer *layer, struct dm_chain_why *why);
void layer_unload(struct layer *layer);

/* Size of a layer, bytes. */
u64 layer_size(const struct layer *layer);

enum dm_chain_state layer_state(const struct layer *layer, u64 block);

/**
 * struct chain - layers that make up a view
 * @layer: the layers, base first
 * @nr: how many
 * @limit: where what each shows ends, sectors
 * @block: block size in sectors
 */
struct chain {
	const struct layer *layer[LAYERS_MAX];
	unsigned int nr;
	u64 limit[LAYERS_MAX];
	u64 block;
};

/**
 * chain_resolve() - the chain whose active layer is the last of some
 * @chain: filled in
 * @layer: candidates, base first; the last is present
 * @n: how many
 * @why: gets the reason of a refusal
 *
 * Return: 0 or an error of dm_chain_resolve().
 */
int chain_resolve(struct chain *chain, const struct layer *layer,
		  unsigned int n, struct dm_chain_why *why);

/**
 * chain_without() - the chain once some layers are not in it any more
 * @left: filled in
 * @chain: the chain
 * @from: the first that leaves
 * @to: the first above it that stays; both in the chain
 */
void chain_without(struct chain *left, const struct chain *chain,
		   const struct layer *from, const struct layer *to);

/**
 * chain_read() - read one sector of the view
 * @chain: the chain
 * @sector: of the view
 * @data: gets 512 bytes
 *
 * Return: the layer that it came from, NULL if none holds it.
 */
const struct layer *chain_read(const struct chain *chain, u64 sector,
			       void *data);

#endif
