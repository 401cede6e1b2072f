/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: guest reads populate the active layer: see dm-chain-readcopy.c.
 */
#ifndef DM_CHAIN_READCOPY_H
#define DM_CHAIN_READCOPY_H

#include <linux/types.h>

struct dm_chain;
struct dm_chain_readcopy;
struct dm_chain_table;

/**
 * dm_chain_readcopy_create() - what a table with "copy_on_read" needs
 * @chain: the table's view
 *
 * Stopped until dm_chain_readcopy_bind() and dm_chain_readcopy_go().
 *
 * Context: process, under memalloc_noio. Return: NULL if there is no memory.
 */
struct dm_chain_readcopy *dm_chain_readcopy_create(struct dm_chain *chain);

/* Nothing is being copied. NULL is fine. Context: process. */
void dm_chain_readcopy_destroy(struct dm_chain_readcopy *rc);

/*
 * The table becomes live: which layers may be copied from. Nothing is being
 * copied. Context: preresume, chain->lock held.
 */
void dm_chain_readcopy_bind(struct dm_chain_table *t);

/*
 * The lowest layer that is copied from: its index in the table now. Context:
 * chain->lock held.
 */
unsigned int dm_chain_readcopy_bottom(const struct dm_chain_table *t);

/* Copies may begin, from resume and presuspend_undo. NULL is fine. */
void dm_chain_readcopy_go(struct dm_chain_readcopy *rc);

/* None begins any more; what was not begun is forgotten. NULL is fine. */
void dm_chain_readcopy_stop(struct dm_chain_readcopy *rc);

/* Stopped: wait for those that have begun. NULL is fine. Context: process. */
void dm_chain_readcopy_wait(struct dm_chain_readcopy *rc);

/**
 * dm_chain_readcopy_add() - a guest has read from a layer below the active one
 * @rc: of the table
 * @from: first sector of the view
 * @to: end; from one run of the owner map
 *
 * What is not copied already will be soon, or is forgotten if too much waits.
 *
 * Context: any; allocates nothing.
 */
void dm_chain_readcopy_add(struct dm_chain_readcopy *rc, sector_t from,
			   sector_t to);

#endif
