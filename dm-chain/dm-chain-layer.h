/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: one layer: its object, its metadata, its commits. The locks are
 * described in dm-chain.h.
 */
#ifndef DM_CHAIN_LAYER_H
#define DM_CHAIN_LAYER_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

#include "dm-chain-codec.h"
#include "dm-chain-pageset.h"

struct dm_chain;
struct dm_chain_entry;
struct dm_chain_job;
struct dm_chain_owner_node;
struct dm_chain_table;

/* No map page: more than there can be. */
#define DM_CHAIN_NO_PAGE	U32_MAX

/* Map pages that one commit batch takes: its buffer is allocated beforehand. */
#define DM_CHAIN_BATCH		64

/**
 * struct dm_chain_layer - one layer in use on this host
 * @list: in the registry
 * @refs: tables that hold it (registry lock)
 * @key: device number of @meta_bdev, or of @data_bdev if raw
 * @data_bdev: holds the blocks
 * @meta_bdev: holds the map, equal to @data_bdev if inline, NULL if raw
 * @writable: may be written: its devices were opened for that, and it neither
 *	needs a check nor has features that forbid it
 * @to_format: its superblock exists in core only, preresume writes it
 * @size: bytes
 * @size_unsure: a superblock with a larger size may be on the device although
 *	its write failed (meta_lock)
 * @data_start: sector of block 0 on @data_bdev
 * @nr_pages: map pages
 * @geo: where the metadata lies
 * @meta_lock: see "Locking"
 * @sb: superblock as last written or read
 * @next: scratch for the next one
 * @doubtful_flags: those of @sb that may be otherwise on the device, because a
 *	write that changed them failed: it may have been done all the same.
 *	has-overlay is one of them if the overlay's UUID may be another
 * @page: scratch for encoding it and a directory page, 4 KiB
 * @loaded: the fields below were read from the device
 * @sb_slot: the slot that holds @sb durably
 * @seq: number of the next metadata write
 * @meta_flushed: @meta_bdev was flushed since the claim
 * @written: map pages that the directory names
 * @slot_b: map pages whose durable slot is B
 * @torn: map pages whose other slot was torn when read; written again first
 * @dir_slot_b: directory pages whose durable slot is B
 * @dir_torn: like @torn, of directory pages
 * @dir_doubtful: a directory page was written with an error, and no commit since:
 *	pages that are not in @written may be named on the device
 * @change_lock: see dm-chain-commit.c
 * @dirty: map pages whose entries changed since they were last taken
 * @committing: map pages taken by a commit that is not durable yet
 * @uncommitted: members of @dirty and @committing together
 * @kept_page: map page that @commit_buf's first has the states of, or
 *	DM_CHAIN_NO_PAGE
 * @kept_parts: those of its parts that have changed since
 * @counts: blocks of state data (low half) and zero (high half) of each map
 *	page as of its last commit
 * @allocated: sum of the low halves
 * @zeroes: sum of the high halves
 * @owner: chain in which it is the claimed active layer; its states are then
 *	the owner map's. Written under meta_lock
 * @owner_id: its id there
 * @pages: states in core, by map page: of a job's intermediate top, and of a
 *	layer that left a debt; payloads of one 4 KiB page each
 * @debt: its data or map could not be made durable when it stopped being
 *	written
 * @failed: the last commit failed: nothing is allocated until one succeeds
 * @changes: counts changes of the map, so that a table that loaded the map
 *	earlier can tell
 * @unversioned: something changed its map since it was loaded that does not
 *	raise the content generation: a job, copy-on-read
 * @commit_buf: DM_CHAIN_BATCH pages; NULL unless it may be committed
 * @commit_index: which pages they are
 * @bios: for metadata I/O
 * @owed_result: of a job whose record it could not replace
 * @owes_result: there is one
 * @job: the live job whose top this is (chain->lock of the device that drives
 *	it)
 * @job_md: that device, NULL if it is gone (dm_chains_lock)
 * @job_live: the job runs, or may be told to (dm_chains_lock)
 */
struct dm_chain_layer {
	struct list_head list;
	unsigned int refs;
	dev_t key;
	struct block_device *data_bdev;
	struct block_device *meta_bdev;
	bool writable;
	bool to_format;
	u64 size;
	bool size_unsure;
	sector_t data_start;
	u32 nr_pages;
	struct dm_chain_geometry geo;

	/* See "Locking" in dm-chain.h. */
	struct mutex meta_lock;
	struct dm_chain_sb sb;
	struct dm_chain_sb next;
	u32 doubtful_flags;
	void *page;
	unsigned int sb_slot;
	u64 seq;
	bool loaded;
	bool meta_flushed;
	unsigned long *written;
	unsigned long *slot_b;
	struct dm_chain_pageset torn;
	unsigned long *dir_slot_b;
	unsigned long *dir_torn;
	bool dir_doubtful;

	/* Innermost of all; see dm-chain-commit.c. */
	spinlock_t change_lock;
	struct dm_chain_pageset dirty;
	struct dm_chain_pageset committing;
	atomic_t uncommitted;
	u32 kept_page;
	u64 kept_parts;
	u32 *counts;
	u64 allocated;
	u64 zeroes;

	struct dm_chain *owner;
	u8 owner_id;
	struct xarray pages;
	bool debt;
	bool failed;
	atomic_long_t changes;
	bool unversioned;
	void **commit_buf;
	u32 *commit_index;
	struct bio_set bios;

	struct dm_chain_job_result owed_result;
	bool owes_result;
	struct dm_chain_job *job;
	struct mapped_device *job_md;
	bool job_live;
};

static inline bool dm_chain_layer_raw(const struct dm_chain_layer *layer)
{
	return !layer->meta_bdev;
}

/* dm-chain-layer.c: registry of layers. All hold dm_chain_registry. */
extern struct mutex dm_chain_registry;
extern struct mutex dm_chains_lock;
extern struct list_head dm_chain_tables;
extern struct list_head dm_chains;

/* The layer with this key (see struct dm_chain_layer), or NULL. */
struct dm_chain_layer *dm_chain_layer_find(dev_t key);

/**
 * dm_chain_layer_create() - a new layer object, with one reference
 * @data: data device
 * @meta: metadata device, NULL if raw
 * @sb: its superblock, NULL if raw
 * @writable: opened for writing
 * @why: gets the reason of a refusal
 *
 * Return: the layer or an ERR_PTR(): -ENOMEM, -EINVAL, -EBUSY (another layer
 * has the same data device).
 */
struct dm_chain_layer *dm_chain_layer_create(struct block_device *data,
					     struct block_device *meta,
					     const struct dm_chain_sb *sb,
					     bool writable,
					     struct dm_chain_why *why);

void dm_chain_layer_put(struct dm_chain_layer *layer);

/* Its devices were opened for writing now, if they were not before. */
void dm_chain_layer_upgrade(struct dm_chain_layer *layer);

/* Allocate what commits need. Context: process, GFP_NOIO. 0 or -ENOMEM. */
int dm_chain_layer_prepare(struct dm_chain_layer *layer);

/* The entry of a table that names a layer, or NULL. */
struct dm_chain_entry *dm_chain_table_entry(struct dm_chain_table *t,
					    const struct dm_chain_layer *layer);

/**
 * dm_chain_table_register() - a table is going to use its layers
 * @t: the table, with all its entries
 * @why: gets the reason of a refusal
 *
 * A layer that is active, or a live job's top, in one device is used by no
 * other. Live and inactive tables count.
 *
 * Context: process, registry lock held. Takes dm_chains_lock. Return: 0 or
 * -EBUSY.
 */
int dm_chain_table_register(struct dm_chain_table *t, struct dm_chain_why *why);

/* It is not, or not any more. Registered or not. Registry lock held. */
void dm_chain_table_unregister(struct dm_chain_table *t);

/* A table of another device than @md that names it, or NULL. dm_chains_lock held. */
struct dm_chain_table *dm_chain_other_user(const struct dm_chain_layer *layer,
					   const struct mapped_device *md);

/* Is there one? Takes dm_chains_lock. */
bool dm_chain_layer_shared(const struct dm_chain_layer *layer,
			   const struct mapped_device *md);

/* Number of mapped devices whose tables use it. Takes dm_chains_lock. */
unsigned int dm_chain_layer_users(struct dm_chain_layer *layer);

/* dm-chain-meta.c: metadata I/O of one layer */

/**
 * struct dm_chain_meta_batch - metadata pages in flight together
 * @left: how many, and one while submitting
 * @bad: index of a page that failed, or -1
 * @error: what it failed with
 * @done: all completed
 */
struct dm_chain_meta_batch {
	atomic_t left;
	int bad;
	int error;
	struct completion done;
};

/* A metadata bio; @index is for the error message. */
struct dm_chain_meta_io {
	struct dm_chain_meta_batch *batch;
	u32 index;
	struct bio bio;
};

/* Front padding of layer->bios. */
#define DM_CHAIN_META_PAD	offsetof(struct dm_chain_meta_io, bio)

/* Context of all three: process, GFP_NOIO. @offset in bytes. */
void dm_chain_batch_init(struct dm_chain_meta_batch *batch);
void dm_chain_batch_submit(struct dm_chain_meta_batch *batch,
			   struct dm_chain_layer *layer, blk_opf_t opf,
			   u64 offset, void *page, u32 index);
/* Return: 0 or the errno of a page that failed, batch->bad being its index. */
int dm_chain_batch_wait(struct dm_chain_meta_batch *batch);

/**
 * dm_chain_meta_read_sb() - find the superblock of a device
 * @bdev: metadata device
 * @sb: filled in
 * @slot: gets the slot it was in
 * @zeroed: both slots are nothing but zeros
 * @why: gets the reason of a refusal
 *
 * Context: process. Return: as dm_chain_sb_pick(), -EIO or -ENOMEM.
 */
int dm_chain_meta_read_sb(struct block_device *bdev, struct dm_chain_sb *sb,
			  unsigned int *slot, bool *zeroed,
			  struct dm_chain_why *why);

/* Do the @bytes from @offset on of @bdev read as zeros? 1, 0 or an errno. */
int dm_chain_meta_zeroed(struct block_device *bdev, u64 offset, u64 bytes);

/**
 * dm_chain_meta_format() - write a new layer's metadata
 * @layer: with sb set up; nothing of it is on the device
 *
 * Directory, both slots; flush; superblock, both slots, FUA.
 *
 * Context: process, GFP_NOIO, meta_lock held. Return: 0 or a negative errno.
 */
int dm_chain_meta_format(struct dm_chain_layer *layer);

/**
 * dm_chain_meta_load() - read and verify the map of a layer
 * @layer: nobody's active layer
 * @apply: called for each map page that was ever written, in order, with the
 *	payload; may be NULL. An error from it ends the load
 * @data: for @apply
 * @why: gets the reason of a refusal
 *
 * Context: process, under memalloc_noio. Return: 0, -EIO, -EBADMSG, -ENOMEM.
 */
int dm_chain_meta_load(struct dm_chain_layer *layer,
		       int (*apply)(void *data, u32 page, const u8 *payload),
		       void *data, struct dm_chain_why *why);

/**
 * dm_chain_meta_read_states() - the states of one map page
 * @layer: any layer with metadata
 * @page: index
 * @payload: gets DM_CHAIN_PAYLOAD bytes
 *
 * From core if they are there, else the durable slot is read. Zeros for a page
 * never written.
 *
 * Context: process, GFP_NOIO. Takes meta_lock. Return: 0, -EIO, -EBADMSG.
 */
int dm_chain_meta_read_states(struct dm_chain_layer *layer, u32 page,
			      u8 *payload);

/*
 * The first map page from @page on that says anything, in core or on the device;
 * layer->nr_pages or more if there is none. Context: process. Takes meta_lock.
 */
u32 dm_chain_meta_next_states(struct dm_chain_layer *layer, u32 page);

/**
 * dm_chain_meta_write_sb() - make changes of the superblock durable
 * @layer: the layer, writable; layer->next holds the new contents. layer->sb
 *	becomes that on success and is unchanged otherwise
 *
 * One FUA write behind a flush of the device, to the slot that does not hold
 * the last durable one:
 *
 *	mutex_lock(&layer->meta_lock);
 *	layer->next = layer->sb;
 *	(change layer->next)
 *	r = dm_chain_meta_write_sb(layer);
 *	mutex_unlock(&layer->meta_lock);
 *
 * Context: process, GFP_NOIO, meta_lock held. Return: 0 or a negative errno.
 */
int dm_chain_meta_write_sb(struct dm_chain_layer *layer);

/* One page, waiting. Context: process, GFP_NOIO. @offset in bytes. */
int dm_chain_meta_rw(struct block_device *bdev, blk_opf_t opf, u64 offset,
		     void *page);

/* Count what a map page says now. Context: any, meta_lock held. */
void dm_chain_layer_recount(struct dm_chain_layer *layer, u32 page,
			    const u8 *payload);

/* dm-chain-commit.c */

/**
 * dm_chain_own() - blocks that were written become the active layer's
 * @layer: the active layer
 * @node: pinned node of their region in the owner map
 * @block: first block
 * @count: blocks, within the region
 * @entry: their new entry
 *
 * Marks the map pages dirty and sets the entries, so that nobody who sees these
 * misses the former: see dm-chain-commit.c.
 *
 * Context: any.
 */
void dm_chain_own(struct dm_chain_layer *layer,
		  struct dm_chain_owner_node *node, u64 block, u32 count,
		  u8 entry);

/* Is any map page dirty or in a commit? Context: any. */
bool dm_chain_any_uncommitted(struct dm_chain_layer *layer);

/**
 * dm_chain_mark_dirty() - the states of blocks changed
 * @layer: the layer whose states they are
 * @block: first block
 * @count: how many
 *
 * Call after the owner map (or the state page in core) was changed: the commit
 * clears the bit first and reads the states afterwards.
 *
 * Context: any. Return: nothing; starts the timer of the owning chain.
 */
void dm_chain_mark_dirty(struct dm_chain_layer *layer, u64 block, u64 count);

/* Is the map page of any of these blocks dirty or in a commit? Context: any. */
bool dm_chain_uncommitted(struct dm_chain_layer *layer, u64 block, u64 count);

/**
 * dm_chain_commit() - make a layer's data and map durable
 * @layer: claimed by a chain, or a job's top, or with a debt
 *
 * Everything that completed before the call is durable after it returned 0.
 * Flushes the data device even if no page is dirty. After an error the map in
 * core stays as it is, layer->failed is set and the next call tries again.
 *
 * Context: process, GFP_NOIO. Takes meta_lock. Return: 0 or a negative errno.
 */
int dm_chain_commit(struct dm_chain_layer *layer);

/**
 * dm_chain_pay_debt() - make durable what a layer owes, if it owes anything
 * @layer: a layer of an earlier table
 *
 * Context: process, GFP_NOIO. Takes meta_lock. Return: as dm_chain_commit().
 */
int dm_chain_pay_debt(struct dm_chain_layer *layer);

/**
 * dm_chain_cancel_debt() - what a layer owes is durable elsewhere
 * @layer: was dropped, and nobody else has it
 *
 * Nothing is written to its devices when this has returned.
 *
 * Context: process. Takes meta_lock: waits for a commit of the layer.
 */
void dm_chain_cancel_debt(struct dm_chain_layer *layer);

/*
 * Copy the states of a map page that are in core, if any. meta_lock held.
 * Return: false if they are not in core.
 */
bool dm_chain_core_states(struct dm_chain_layer *layer, u32 page, u8 *payload);

/*
 * Set and clear superblock flags durably, if that changes any on the device, as
 * far as is known. meta_lock held. Return: 0 or a negative errno.
 */
int dm_chain_flag(struct dm_chain_layer *layer, u32 set, u32 clear);

/*
 * Take meta_lock unless it stays taken for two seconds: whoever asks for numbers
 * must get an answer although a commit hangs. Context: process. Return: true if
 * it is taken.
 */
bool dm_chain_meta_lock_patiently(struct dm_chain_layer *layer);

/*
 * Current numbers of blocks, dirty pages counted afresh; those of the last
 * commit if the one in progress hangs. Context: process.
 */
void dm_chain_layer_counts(struct dm_chain_layer *layer, u64 *data, u64 *zero);

#endif
