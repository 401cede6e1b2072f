/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: the module's own structures.
 *
 * Objects
 *	struct dm_chain_layer	one for each layer in use on this host, keyed by
 *				its metadata device (its data device if raw);
 *				shared by all tables that name it
 *	struct dm_chain		one for each mapped device: the view, shared by
 *				the tables of that device
 *	struct dm_chain_table	one for each dm table: the line, its devices and
 *				references to the layers
 *	struct dm_chain_job	belongs to the layer that is its top
 *
 * Locking
 *	In this order, outermost first:
 *
 *	dm_chain_registry	mutex. The lists of layers and chains, their
 *				reference counts, who uses a layer in which role.
 *				Process context; no I/O of a guest waits for it.
 *	chain->lock		mutex. The order of the chain and its slots, the
 *				life cycle of jobs, the last refusal. Messages,
 *				status, preresume, postsuspend, end of a job.
 *	layer->meta_lock	mutex. All metadata writes of one layer and what
 *				they depend on: the superblock copy, slots,
 *				sequence number, commit buffer. Commits sleep for
 *				I/O under it, so nothing that a commit waits for
 *				may take it.
 *	job->lock		spinlock, process context. Progress counters and
 *				requests to a job.
 *	range lock buckets	spinlock, irqsave; completion handlers. Never
 *				held across anything else.
 *	chain->defer_lock	spinlock, irqsave. Lists of bios that wait for a
 *				commit, pending pass-downs.
 *
 *	RCU protects owner map nodes and the epoch pointer. Layer state bitmaps
 *	(dirty, committing) are atomic bits, see dm-chain-commit.c.
 *
 * The map path takes no lock that other CPUs write to, except that a write to
 * blocks that the active layer does not hold takes a range lock and a pin.
 */
#ifndef DM_CHAIN_H
#define DM_CHAIN_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "compat.h"
#include "dm-chain-codec.h"
#include "dm-chain-jobstate.h"
#include "dm-chain-owner.h"
#include "dm-chain-parse.h"
#include "dm-chain-range.h"
#include "dm-chain-resolve.h"

#define DM_MSG_PREFIX "chain"

struct dm_chain;
struct dm_chain_job;
struct dm_chain_table;

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
 * @data_start: sector of block 0 on @data_bdev
 * @nr_pages: map pages
 * @geo: where the metadata lies
 * @meta_lock: see "Locking"
 * @sb: superblock as last written or read
 * @next: scratch for the next one
 * @page: scratch for encoding it, 4 KiB
 * @loaded: the fields below were read from the device
 * @sb_slot: the slot that holds @sb durably
 * @seq: number of the next metadata write
 * @meta_flushed: @meta_bdev was flushed since the claim
 * @written: map pages that the directory names
 * @slot_b: map pages whose durable slot is B
 * @torn: map pages whose other slot was torn when read; written again first
 * @dir_slot_b: directory pages whose durable slot is B
 * @dir_torn: like @torn, of directory pages
 * @dirty: map pages whose entries changed since they were last taken
 * @committing: map pages taken by a commit that is not durable yet
 * @uncommitted: bits set in @dirty and @committing together
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
 * @commit_buf: DM_CHAIN_BATCH pages; NULL unless it may be committed
 * @commit_index: which pages they are
 * @bios: for metadata I/O
 * @job: the live or concluded job whose top this is (chain->lock)
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
	sector_t data_start;
	u32 nr_pages;
	struct dm_chain_geometry geo;

	struct mutex meta_lock;
	struct dm_chain_sb sb;
	struct dm_chain_sb next;
	void *page;
	unsigned int sb_slot;
	u64 seq;
	bool loaded;
	bool meta_flushed;
	unsigned long *written;
	unsigned long *slot_b;
	unsigned long *torn;
	unsigned long *dir_slot_b;
	unsigned long *dir_torn;

	unsigned long *dirty;
	unsigned long *committing;
	atomic_t uncommitted;
	u32 *counts;
	u64 allocated;
	u64 zeroes;

	struct dm_chain *owner;
	u8 owner_id;
	struct xarray pages;
	bool debt;
	bool failed;
	unsigned long changes;
	void **commit_buf;
	u32 *commit_index;
	struct bio_set bios;

	struct dm_chain_job *job;
};

static inline bool dm_chain_layer_raw(const struct dm_chain_layer *layer)
{
	return !layer->meta_bdev;
}

/**
 * struct dm_chain_slot - what an owner id stands for
 * @layer: the layer, NULL if the id is free
 * @bdev: its data device
 * @start: sector of block 0 on @bdev
 * @limit: sector at which what it shows ends
 * @name: as the table calls it
 */
struct dm_chain_slot {
	struct dm_chain_layer *layer;
	struct block_device *bdev;
	sector_t start;
	sector_t limit;
	char name[DM_CHAIN_NAME_LEN];
};

/**
 * struct dm_chain_epoch - reads of layers below the active one, in flight
 * @ref: one for each read, and one while the epoch is current
 * @drained: all of them completed
 */
struct dm_chain_epoch {
	struct percpu_ref ref;
	struct completion drained;
};

/**
 * struct dm_chain - the view of one mapped device
 * @list: in the registry
 * @refs: tables that hold it (registry lock)
 * @md: the mapped device
 * @block_shift: log2 of the block size in sectors
 * @size: of the active layer, sectors
 * @map: owner map
 * @ranges: range locks
 * @lock: see "Locking"
 * @slot: by id; nobody's stays empty
 * @order: ids, base first, the active layer last
 * @nr: how many are in @order
 * @active: id of the active layer
 * @live: table that owns the chain now, NULL while suspended
 * @jobs_stopped: from presuspend to resume (@lock)
 * @is_current: it is the view of its device, live or suspended
 * @writable: guest writes are taken
 * @raised: the content generation was raised since preresume
 * @no_passdown: discards stay in the map
 * @epoch: current one; RCU
 * @epochs: the two that take turns
 * @drain_lock: one drain at a time (inside @lock)
 * @bios: for the target's own data I/O
 * @units: buffers of one block for merges
 * @io_wq: deferred guest bios
 * @commit_wq: commits that guests wait for
 * @job_wq: jobs and pass-downs: nothing a guest waits for
 * @defer_lock: see "Locking"
 * @waiting: flushes and completed FUA writes that wait for a commit
 * @commit_work: commits for @waiting
 * @timed_work: commits by itself after a second
 * @debtor: layers with a debt; set in preresume, NULL again once paid
 * @nr_debtors: entries there
 * @passdown: ranges to discard below, see dm-chain-discard.c (defer_lock)
 * @nr_passdown: entries there
 * @passdown_work: issues them
 * @passdown_range: the range it has or waits for
 * @passdown_held: it has or waits for one
 * @passdown_stop: drop what is in the list
 * @why: the last refusal of a message (@lock)
 */
struct dm_chain {
	struct list_head list;
	unsigned int refs;
	struct mapped_device *md;
	unsigned int block_shift;
	sector_t size;
	struct dm_chain_owner_map *map;
	struct dm_chain_range_locks *ranges;

	struct mutex lock;
	struct dm_chain_slot slot[DM_CHAIN_ID_NOBODY + 1];
	u8 order[DM_CHAIN_MAX_LAYERS];
	unsigned int nr;
	u8 active;
	struct dm_chain_table *live;
	bool jobs_stopped;
	bool is_current;
	bool writable;
	bool raised;
	bool no_passdown;

	struct dm_chain_epoch __rcu *epoch;
	struct dm_chain_epoch epochs[2];
	struct mutex drain_lock;

	struct bio_set bios;
	mempool_t units;
	struct workqueue_struct *io_wq;
	struct workqueue_struct *commit_wq;
	struct workqueue_struct *job_wq;

	spinlock_t defer_lock;
	struct bio_list waiting;
	struct work_struct commit_work;
	struct delayed_work timed_work;
	struct dm_chain_layer *debtor[DM_CHAIN_MAX_LAYERS];
	unsigned int nr_debtors;

	struct list_head passdown;
	unsigned int nr_passdown;
	struct work_struct passdown_work;
	struct dm_chain_range passdown_range;
	bool passdown_held;
	bool passdown_stop;

	struct dm_chain_why why;
};

static inline struct dm_chain_layer *dm_chain_active(struct dm_chain *chain)
{
	return chain->slot[chain->active].layer;
}

static inline u32 dm_chain_block_size(const struct dm_chain *chain)
{
	return SECTOR_SIZE << chain->block_shift;
}

/* Blocks of a view or layer of @sectors; the last may be partial. */
static inline u64 dm_chain_nr_blocks(const struct dm_chain *chain,
				     sector_t sectors)
{
	return (sectors + (1 << chain->block_shift) - 1) >> chain->block_shift;
}

/**
 * struct dm_chain_entry - one layer of a table line that is in use
 * @layer: the layer (a reference)
 * @data: its data device
 * @meta: its metadata device, NULL if raw, equal to @data if inline
 * @name: as the line calls it
 * @changes: layer->changes when the constructor read its map
 * @dropped: a job took it out of the chain
 */
struct dm_chain_entry {
	struct dm_chain_layer *layer;
	struct dm_dev *data;
	struct dm_dev *meta;
	char name[DM_CHAIN_NAME_LEN];
	unsigned long changes;
	bool dropped;
};

/**
 * struct dm_chain_staged - a map page of a layer put on top of a live chain
 * @list: in table->staged
 * @entry: position of the layer in the table
 * @page: index
 * @payload: its states
 */
struct dm_chain_staged {
	struct list_head list;
	unsigned int entry;
	u32 page;
	u8 payload[DM_CHAIN_PAYLOAD];
};

/**
 * struct dm_chain_table - one dm table
 * @ti: the target
 * @md: its mapped device
 * @list: in the registry
 * @chain: the view (a reference)
 * @nr: how many entries
 * @entry: base first
 * @takeover: the chain is the live one; layers are put on top in preresume
 * @staged: maps of those
 * @bigger: owner map for them if they are larger
 * @bound: preresume of this table has succeeded once
 * @read_only: nothing is written
 * @read_word: because the line says so, not the mode of the table
 * @no_passdown: feature word
 * @jobs_paused: feature word
 * @block_size: feature word, sectors, 0 if not given
 */
struct dm_chain_table {
	struct dm_target *ti;
	struct mapped_device *md;
	struct list_head list;
	struct dm_chain *chain;
	unsigned int nr;
	struct dm_chain_entry entry[DM_CHAIN_MAX_LAYERS];
	bool takeover;
	struct list_head staged;
	struct dm_chain_owner_map *bigger;
	bool bound;
	bool read_only;
	bool read_word;
	bool no_passdown;
	bool jobs_paused;
	u32 block_size;
};

/* dm-chain-layer.c: registry of layers. All hold dm_chain_registry. */
extern struct mutex dm_chain_registry;
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

bool dm_chain_table_uses(const struct dm_chain_table *t,
			 const struct dm_chain_layer *layer);

/* Number of mapped devices whose tables use it. */
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

/* Count the first @blocks states: data in the low half, zero in the high. */
void dm_chain_payload_count(const u8 *payload, u32 blocks, u32 *counts);

/* dm-chain-commit.c */

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

/* Copy the states of a map page that are in core, if any. meta_lock held.
 * Return: false if they are not in core.
 */
bool dm_chain_core_states(struct dm_chain_layer *layer, u32 page, u8 *payload);

/* Set and clear superblock flags durably, if that changes any. meta_lock held.
 * Return: 0 or a negative errno.
 */
int dm_chain_flag(struct dm_chain_layer *layer, u32 set, u32 clear);

/* Current numbers of blocks, dirty pages counted afresh; those of the last
 * commit if the one in progress hangs. Context: process.
 */
void dm_chain_layer_counts(struct dm_chain_layer *layer, u64 *data, u64 *zero);

/* dm-chain-view.c: the chain of a mapped device */

/* A chain object with one reference, not in the registry. NULL: no memory. */
struct dm_chain *dm_chain_create(struct mapped_device *md, u32 block_size,
				 sector_t size);

/* Drop a reference. Registry lock held. */
void dm_chain_put(struct dm_chain *chain);

/* A layer goes away that a released chain may still name. Registry lock held. */
void dm_chain_forget(struct dm_chain *chain, struct dm_chain_layer *layer);

/**
 * dm_chain_build() - read the maps of all layers of a table into a new chain
 *
 * Context: process, under memalloc_noio; registry lock held.
 * Return: 0 or a negative errno with the reason in @why.
 */
int dm_chain_build(struct dm_chain *chain, struct dm_chain_table *t,
		   struct dm_chain_why *why);

/**
 * dm_chain_stage() - read the maps of the layers that a table adds on top
 *
 * As dm_chain_build(), for a table that takes the live chain over.
 */
int dm_chain_stage(struct dm_chain_table *t, unsigned int first,
		   struct dm_chain_why *why);

/* Is the live chain a lower part of the table's? Registry lock held. */
bool dm_chain_is_prefix(struct dm_chain *chain, struct dm_chain_table *t);

/**
 * dm_chain_bind() - make a chain what a table says
 *
 * Marks the entries that jobs dropped since the constructor ran, puts new
 * layers on top, computes the limits. No I/O.
 *
 * Context: process, GFP_NOIO, nobody uses the chain; chain->lock held.
 * Return: 0, -ENOMEM, -ESTALE.
 */
int dm_chain_bind(struct dm_chain *chain, struct dm_chain_table *t);

/* Start and end of a table's writing. chain->lock held, from preresume and
 * postsuspend. Claim returns 0, -EBUSY or -ENOMEM.
 */
int dm_chain_claim(struct dm_chain *chain, struct dm_chain_table *t);
void dm_chain_release(struct dm_chain *chain);

/**
 * dm_chain_find_name() - the slot of a layer by its name
 *
 * Context: chain->lock held. Return: position in chain->order or -1.
 */
int dm_chain_find_name(struct dm_chain *chain, const char *name);

/**
 * dm_chain_drop() - take layers out of the chain in core
 * @chain: the chain
 * @first: position in chain->order of the lowest layer to drop
 * @count: how many, up to the one below the new owner of their blocks
 *
 * The owner map must not name them any more. On return every read of them, the
 * guest's or the target's own, has completed.
 *
 * Context: process, chain->lock held; it is released while waiting for the
 * reads, which may take as long as a device does. The caller keeps a suspend
 * away meanwhile.
 */
void dm_chain_drop(struct dm_chain *chain, unsigned int first,
		   unsigned int count);

/* Take part in the current epoch: a read of a layer below the active one by
 * the target itself. Take it before looking the owner up. Context: any.
 */
struct dm_chain_epoch *dm_chain_epoch_get(struct dm_chain *chain);
void dm_chain_epoch_put(struct dm_chain_epoch *epoch);

/* Throw away what dm_chain_stage() read. Context: process. */
void dm_chain_unstage(struct dm_chain_table *t);

/* What end_io has to undo. */
enum dm_chain_bio_kind {
	DM_CHAIN_BIO_PASS,		/* nothing */
	DM_CHAIN_BIO_READ_BELOW,	/* holds an epoch */
	DM_CHAIN_BIO_FIRST_WRITE,	/* holds a range and a node */
};

/**
 * struct dm_chain_bio - what the target keeps with each bio
 * @kind: what end_io has to undo
 * @commit: its completion waits for a commit (FUA)
 * @whole: the piece in hand is whole blocks (worker)
 * @held: the range of the piece in hand is held or waited for (worker)
 * @chain: (worker)
 * @epoch: (READ_BELOW)
 * @node: (FIRST_WRITE)
 * @range: (FIRST_WRITE, worker)
 * @block: first block
 * @count: blocks
 * @pos: sector of the view up to which it is done (worker)
 * @end: sector of the view where it ends (worker)
 * @work: (worker)
 */
struct dm_chain_bio {
	enum dm_chain_bio_kind kind;
	bool commit;
	bool whole;
	bool held;
	struct dm_chain *chain;
	union {
		struct dm_chain_epoch *epoch;
		struct dm_chain_owner_node *node;
	};
	struct dm_chain_range range;
	u64 block;
	u64 count;
	sector_t pos;
	sector_t end;
	struct work_struct work;
};

/* dm-chain-table.c: called by device mapper */
int dm_chain_ctr(struct dm_target *ti, unsigned int argc, char **argv);
void dm_chain_dtr(struct dm_target *ti);

/* dm-chain-bind.c: called by device mapper */
int dm_chain_preresume(struct dm_target *ti);
void dm_chain_postsuspend(struct dm_target *ti);

/* dm-chain-map.c: called by device mapper */
int dm_chain_map(struct dm_target *ti, struct bio *bio);
int dm_chain_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error);

/*
 * How many whole blocks, none of them data in the active layer, begin at
 * @sector, lie within @sectors and within one region? Context: any.
 */
u64 dm_chain_whole_blocks(struct dm_chain *chain, sector_t sector,
			  sector_t sectors);

/* dm-chain-op.c: bios that the map path hands on */

/* Hand a bio, cut already, to a worker. Return: DM_MAPIO_SUBMITTED. */
int dm_chain_defer(struct dm_chain *chain, struct dm_chain_bio *pb,
		   struct bio *bio);
void dm_chain_op_grant(struct dm_chain_range *range);

/* dm-chain-flush.c */

/* End @bio when a commit that begins after this has ended. Context: any. */
void dm_chain_wait_commit(struct dm_chain *chain, struct bio *bio);
void dm_chain_commit_work(struct work_struct *work);
void dm_chain_timed_work(struct work_struct *work);

/* dm-chain-discard.c */

/* These blocks became zero. Context: process, GFP_NOIO, range held. */
void dm_chain_passdown_add(struct dm_chain *chain, u64 block, u64 count);

/* A commit has ended. Context: process. */
void dm_chain_passdown_kick(struct dm_chain *chain);

/* Forget those not begun, wait for the others. No guest bio is in flight. */
void dm_chain_passdown_cancel(struct dm_chain *chain);
void dm_chain_passdown_work(struct work_struct *work);

/* dm-chain-io.c: data I/O of the target itself */

/**
 * struct dm_chain_buf - memory for a block or more
 * @nr: pages
 * @page: each one's address
 */
struct dm_chain_buf {
	unsigned int nr;
	void *page[];
};

struct dm_chain_buf *dm_chain_buf_alloc(size_t bytes, gfp_t gfp);
void dm_chain_buf_free(struct dm_chain_buf *buf);

void dm_chain_buf_zero(struct dm_chain_buf *buf, size_t offset, size_t bytes);

/* Copy what @iter covers of @bio into @buf at @offset bytes. */
void dm_chain_buf_fill(struct dm_chain_buf *buf, size_t offset,
		       struct bio *bio, struct bvec_iter iter);

/* A bio over part of a buffer, not submitted yet; see dm_chain_rw(). */
struct bio *dm_chain_bio(struct bio_set *bios, struct block_device *bdev,
			 blk_opf_t opf, sector_t sector,
			 struct dm_chain_buf *buf, size_t offset, size_t bytes);

/**
 * dm_chain_rw() - read or write a buffer and wait
 * @bios: bio set to allocate from
 * @bdev: device
 * @opf: REQ_OP_READ or REQ_OP_WRITE and flags
 * @sector: on the device
 * @buf: memory
 * @offset: in @buf, bytes, multiple of 512
 * @bytes: multiple of 512, at most 1 MiB
 *
 * Context: process, GFP_NOIO. Return: 0 or a negative errno.
 */
int dm_chain_rw(struct bio_set *bios, struct block_device *bdev,
		blk_opf_t opf, sector_t sector, struct dm_chain_buf *buf,
		size_t offset, size_t bytes);

/* dm-chain-job.c: the stream job. chain->lock held unless said otherwise. */

/**
 * dm_chain_job_start() - the message "stream"
 * @chain: live and resumed; dm_chain_registry is held too
 * @msg: as parsed
 * @why: gets the reason of a refusal
 *
 * Return: 0, -EINVAL, -ENOENT, -EEXIST, -EROFS, -EBUSY, -ENOMEM, -EIO.
 */
int dm_chain_job_start(struct dm_chain *chain, const struct dm_chain_msg *msg,
		       struct dm_chain_why *why);

/* The message "job". Return: 0, -EINVAL, -ENOENT. */
int dm_chain_job_control(struct dm_chain *chain,
			 const struct dm_chain_msg *msg,
			 struct dm_chain_why *why);

/* Stop copying and wait until no unit is in flight; the jobs stay. Called
 * without chain->lock, from presuspend.
 */
void dm_chain_jobs_stop(struct dm_chain *chain);

/* Let jobs go on, from resume or presuspend_undo. Without chain->lock. */
void dm_chain_jobs_go(struct dm_chain *chain);

/* Forget the job of a layer whose last reference goes. Registry lock held. */
void dm_chain_job_free(struct dm_chain_layer *layer);

/* Replies, at *@sz of @result. */
void dm_chain_jobs_reply(struct dm_chain *chain, char *result,
			 unsigned int maxlen, unsigned int *sz);
void dm_chain_jobs_last_reply(struct dm_chain *chain, char *result,
			      unsigned int maxlen, unsigned int *sz);
int dm_chain_estimate_reply(struct dm_chain *chain,
			    const struct dm_chain_msg *msg, char *result,
			    unsigned int maxlen, unsigned int *sz,
			    struct dm_chain_why *why);

/* The "<#jobs> {...}" part of the status line, with a leading space. */
void dm_chain_jobs_status(struct dm_chain *chain, char *result,
			  unsigned int maxlen, unsigned int *sz);

/* dm-chain-message.c */
int dm_chain_message(struct dm_target *ti, unsigned int argc, char **argv,
		     char *result, unsigned int maxlen);

/* dm-chain-event.c: uevents, from a work item that nobody waits for */
enum dm_chain_event {
	DM_CHAIN_EVENT_COMPLETED,
	DM_CHAIN_EVENT_CANCELLED,
	DM_CHAIN_EVENT_ERROR,
	DM_CHAIN_EVENT_PENDING,
	DM_CHAIN_EVENT_STATUS,
};

#endif
