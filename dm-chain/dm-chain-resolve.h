/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: which of the layers that were named make up the chain. Pure.
 *
 * The superblocks are the truth: from the active layer down, each layer's
 * backing reference says what must lie below it.
 */
#ifndef DM_CHAIN_RESOLVE_H
#define DM_CHAIN_RESOLVE_H

#include "dm-chain-codec.h"

/**
 * struct dm_chain_candidate - one layer of a table line
 * @name: as the line calls it
 * @sb: its decoded superblock; NULL for a raw device and for an entry that
 *	could not be opened or is something else
 * @raw: the line says it has no metadata
 * @absent: could not be opened or is something else; @absent_why says why
 * @absent_why: text, may be NULL
 * @size: of a raw device, bytes
 */
struct dm_chain_candidate {
	const char *name;
	const struct dm_chain_sb *sb;
	bool raw;
	bool absent;
	const char *absent_why;
	u64 size;
};

/**
 * dm_chain_resolve() - find the effective chain
 * @c: the candidates, base first, the active layer last
 * @n: how many, at least 1
 * @chain: gets indices into @c, base first
 * @nr: gets their number
 * @why: gets the reason of a refusal; a wrong layer is named with both UUIDs
 *
 * Entries are tried downwards until one carries the UUID sought; others are
 * skipped. A reference that is unset takes the entry right below (none if the
 * entry is the lowest). Generations must match, unless 0 says that the reference
 * is not bound yet; nothing must be shorter than recorded; the block size is one
 * for the whole chain.
 *
 * Return: 0; -ENODEV if a layer is missing, -ESTALE if the one found has
 * changed since, -EINVAL if it does not fit.
 */
int dm_chain_resolve(const struct dm_chain_candidate *c, unsigned int n,
		     unsigned int *chain, unsigned int *nr,
		     struct dm_chain_why *why);

/**
 * dm_chain_raw_shown() - how much of a layer's raw backing shows, bytes
 * @size: of the device now, bytes
 * @backing: what the layer recorded of it: what it has grown by since is hidden
 */
static inline u64 dm_chain_raw_shown(u64 size,
				     const struct dm_chain_backing *backing)
{
	return backing->kind == DM_CHAIN_BACKING_RAW ?
	       min_t(u64, size, backing->size) : size;
}

/**
 * dm_chain_limits() - where what each layer shows ends
 * @size: sizes, base first, the active layer last, any unit
 * @n: how many
 * @limit: gets the limits, same unit: the smallest size among a layer and the
 *	layers above it below the active one; for the active layer its size
 */
void dm_chain_limits(const u64 *size, unsigned int n, u64 *limit);

#endif
