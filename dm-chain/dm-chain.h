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
 *	dm_chain_registry	mutex. The lists of layers, chains and tables, their
 *				reference counts. Constructors and destructors,
 *				which read metadata under it. Neither a guest's
 *				I/O nor a suspend waits for it, nor does a message,
 *				which a suspend waits for, nor what resumes the
 *				guest's I/O; but with that done, the ioctl that put
 *				another table in the place of the old one does.
 *	chain->end_lock		mutex. Jobs end one at a time: it is held while the
 *				layers that one drops are drained, which chain->lock
 *				is not. Dispatchers only.
 *	chain->lock		mutex. The order of the chain and its slots, the
 *				life cycle of jobs, the last refusal. Messages,
 *				status, preresume, postsuspend, end of a job.
 *	dm_chains_lock		mutex. The lists of chains and tables, together
 *				with the registry for who changes them; which
 *				chain is its device's current one; which device
 *				drives the job of a layer, and who else uses that.
 *				Nothing sleeps for I/O under it: preresume takes
 *				it, and must not wait for a constructor that waits
 *				for a device which only that resume brings back.
 *	layer->meta_lock	mutex. All metadata writes of one layer and what
 *				they depend on: the superblock copy, slots,
 *				sequence number, commit buffer. Commits sleep for
 *				I/O under it, so nothing that a commit waits for
 *				may take it.
 *	job->lock		spinlock, process context. Progress counters,
 *				requests to a job, and its pace.
 *	range lock buckets	spinlock, irqsave; completion handlers. Never
 *				held across anything else.
 *	layer->change_lock	spinlock, irqsave; completion handlers. A map page
 *				becoming dirty and a block in it the active
 *				layer's: one step for a commit; and what has
 *				changed of the page that a commit keeps.
 *	chain->defer_lock	spinlock, irqsave. Lists of bios that wait for a
 *				commit, pending pass-downs.
 *	readcopy->lock		spinlock, irqsave; completion handlers. What copy on
 *				read has yet to copy, and who is at it.
 *	None of the last four is held while another is taken.
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
#include "dm-chain-bio.h"
#include "dm-chain-jobstate.h"
#include "dm-chain-layer.h"
#include "dm-chain-owner.h"
#include "dm-chain-parse.h"
#include "dm-chain-range.h"
#include "dm-chain-resolve.h"

#define DM_MSG_PREFIX "chain"

/**
 * struct dm_chain_slot - what an owner id stands for
 * @layer: the layer, NULL if the id is free
 * @bdev: its data device
 * @start: sector of block 0 on @bdev
 * @limit: sector at which what it shows ends. It grows under reads, which must not
 *	see half of it on 32-bit machines either
 * @name: as the table calls it
 */
struct dm_chain_slot {
	struct dm_chain_layer *layer;
	struct block_device *bdev;
	sector_t start;
	atomic64_t limit;
	char name[DM_CHAIN_NAME_LEN];
};

static inline sector_t dm_chain_slot_limit(const struct dm_chain_slot *slot)
{
	return atomic64_read(&slot->limit);
}

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
 * @drain_lock: one drain at a time (inside @end_lock)
 * @bios: for the target's own data I/O that guests wait for
 * @job_bios: for that of jobs
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
 * @passdown_granted: it waited and has it now
 * @passdown_stop: drop what is in the list
 * @end_lock: see "Locking"
 * @concluded: jobs that wait for "dismiss" (@lock)
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

	/* See "Locking" above, also for defer_lock. */
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
	/* Only one epoch at a time may be drained. */
	struct mutex drain_lock;

	struct bio_set bios;
	struct bio_set job_bios;
	mempool_t units;
	struct workqueue_struct *io_wq;
	struct workqueue_struct *commit_wq;
	struct workqueue_struct *job_wq;

	/* Lists that completion handlers add to. */
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
	bool passdown_granted;
	bool passdown_stop;

	/* See "Locking" above. */
	struct mutex end_lock;
	struct list_head concluded;
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
	long changes;
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
 * @bigger: owner map if the view becomes larger
 * @bound: the chain is what this table says: preresume has claimed it once
 * @read_only: nothing is written
 * @read_word: because the line says so, not the mode of the table
 * @no_passdown: feature word
 * @jobs_paused: feature word
 * @copy_on_read: feature word, with or without the one for the bottom
 * @copy_bottom_word: the line names the lowest layer to be copied from
 * @copy_bottom: index of that layer, 0 if none was named. If it was dropped, the
 *	next one above that was not counts: dm_chain_readcopy_bottom()
 * @readcopy: NULL unless something may be copied
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
	bool copy_on_read;
	bool copy_bottom_word;
	unsigned int copy_bottom;
	struct dm_chain_readcopy *readcopy;
	u32 block_size;
};

/* dm-chain-view.c: the chain of a mapped device */

/* A chain object with one reference, not in the registry. NULL: no memory. */
struct dm_chain *dm_chain_create(struct mapped_device *md, u32 block_size,
				 sector_t size);

/* Drop a reference. Registry lock held. */
void dm_chain_put(struct dm_chain *chain);

/*
 * A layer goes away that a released chain may still name. That cannot become
 * current again, and its slots may be empty: what a live table's message or
 * status asks of it must not need them. Registry lock held.
 */
void dm_chain_forget(struct dm_chain *chain, struct dm_chain_layer *layer);

/**
 * dm_chain_build() - read the maps of all layers of a table into a new chain
 * @chain: the chain, which nobody else knows of
 * @t: the table, its layers resolved
 * @why: the reason of a refusal
 *
 * Context: process, under memalloc_noio; registry lock held.
 * Return: 0 or a negative errno with the reason in @why.
 */
int dm_chain_build(struct dm_chain *chain, struct dm_chain_table *t,
		   struct dm_chain_why *why);

/**
 * dm_chain_stage() - read the maps of the layers that a table adds on top
 * @t: the table
 * @first: the position in it of the lowest layer that is new
 * @why: the reason of a refusal
 *
 * As dm_chain_build(), for a table that takes the live chain over.
 */
int dm_chain_stage(struct dm_chain_table *t, unsigned int first,
		   struct dm_chain_why *why);

/*
 * Is the live chain a lower part of the table's, but for layers that a job has
 * dropped? chain->lock held. Return: how many entries of the table that takes,
 * 0 if it is not.
 */
unsigned int dm_chain_prefix(struct dm_chain *chain, struct dm_chain_table *t);

/**
 * dm_chain_bind() - make a chain what a table says
 * @chain: the chain
 * @t: the table that will be live
 *
 * Marks the entries that jobs dropped since the constructor ran, puts new
 * layers on top, computes the limits. No I/O.
 *
 * Context: process, GFP_NOIO, nobody uses the chain; chain->lock held.
 * Return: 0, -ENOMEM, -ESTALE.
 */
int dm_chain_bind(struct dm_chain *chain, struct dm_chain_table *t);

/*
 * Start and end of a table's writing. chain->lock held, from preresume and
 * postsuspend. Claim returns 0, -EBUSY or -ENOMEM.
 */
int dm_chain_claim(struct dm_chain *chain, struct dm_chain_table *t);
void dm_chain_release(struct dm_chain *chain);

/*
 * Size of the layer at a position of chain->order, sectors. A raw base that has
 * grown counts as large as the layer above it recorded it. chain->lock held, or
 * nobody uses the chain.
 */
sector_t dm_chain_layer_size(struct dm_chain *chain, unsigned int pos);

/* Where what each layer shows ends. Context: as above. */
void dm_chain_set_limits(struct dm_chain *chain);

/**
 * dm_chain_find_name() - the slot of a layer by its name
 * @chain: the chain
 * @name: the name, as it is in the table
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

/*
 * Take part in the current epoch: a read of a layer below the active one by
 * the target itself. Take it before looking the owner up. Context: any.
 */
struct dm_chain_epoch *dm_chain_epoch_get(struct dm_chain *chain);
void dm_chain_epoch_put(struct dm_chain_epoch *epoch);

/* Throw away what dm_chain_stage() read. Context: process. */
void dm_chain_unstage(struct dm_chain_table *t);

/* dm-chain-table.c: called by device mapper */
int dm_chain_ctr(struct dm_target *ti, unsigned int argc, char **argv);
void dm_chain_dtr(struct dm_target *ti);

/* dm-chain-bind.c */

/*
 * Complete a reference that is unbound; @below is what it rests on, NULL for
 * nothing. chain->lock held, so that @below stays.
 */
void dm_chain_bind_reference(struct dm_chain_backing *b,
			     const struct dm_chain_layer *below);

/* dm-chain-grow.c: a table longer than its active layer */

/**
 * dm_chain_grow_check() - can the active layer become as long as the table?
 * @t: with all its entries
 * @why: gets the reason of a refusal
 *
 * Context: process, registry lock held. Return: 0, -EROFS, -ENOSPC.
 */
int dm_chain_grow_check(struct dm_chain_table *t, struct dm_chain_why *why);

/**
 * dm_chain_grow() - make the active layer as long as the table
 * @chain: bound to @t and claimed
 * @t: becomes live
 *
 * After an error the layer has its old size, in core and, unless that error
 * came from writing the superblock, on the device. It can be called again.
 *
 * Context: process, GFP_NOIO, from preresume; chain->lock held.
 * Return: 0, -ESTALE (the table is too short by now), -ENOMEM or what an I/O
 * failed with; the reason was logged.
 */
int dm_chain_grow(struct dm_chain *chain, struct dm_chain_table *t);

/* Called by device mapper. */
int dm_chain_preresume(struct dm_target *ti);
void dm_chain_postsuspend(struct dm_target *ti);

/* dm-chain-job.c: the stream job. chain->lock held unless said otherwise. */

/**
 * dm_chain_job_start() - the message "stream"
 * @chain: live and resumed
 * @msg: as parsed
 * @why: gets the reason of a refusal
 *
 * Return: 0, -EINVAL, -ENOENT, -EEXIST, -EROFS, -EBUSY, -ENOMEM, -EIO.
 */
int dm_chain_job_start(struct dm_chain *chain, const struct dm_chain_msg *msg,
		       struct dm_chain_why *why);

/* The message "job". Return: 0, -EINVAL, -ENOENT, -EROFS, -EBUSY, -EIO. */
int dm_chain_job_control(struct dm_chain *chain,
			 const struct dm_chain_msg *msg,
			 struct dm_chain_why *why);

/*
 * Stop copying and wait until no unit is in flight; the jobs stay. Called
 * without chain->lock, from presuspend.
 */
void dm_chain_jobs_stop(struct dm_chain *chain);

/* Let jobs go on, from resume or presuspend_undo. Without chain->lock. */
void dm_chain_jobs_go(struct dm_chain *chain);

/*
 * Make jobs of the records in the superblocks of a table's layers; they run from
 * dm_chain_jobs_go() on. What cannot come back is logged, and its record stays. So
 * does that of a top which is not writable here.
 *
 * Return: 0 or -ENOMEM. Then it is for the resume to fail: that can be tried again,
 * while nobody would notice that a job is missing.
 */
int dm_chain_jobs_revive(struct dm_chain *chain, struct dm_chain_table *t);

/*
 * The layer's table has stopped writing; @durable: all of it is. Records how far
 * the layer's job came.
 */
void dm_chain_job_settle(struct dm_chain *chain, struct dm_chain_layer *layer,
			 bool durable);

/* Forget the job of a layer whose last reference goes. Registry lock held. */
void dm_chain_job_free(struct dm_chain_layer *layer);

/*
 * What drives jobs of layers does not any more, but for those of the chain that
 * takes its place, if any. dm_chains_lock held.
 */
void dm_chain_jobs_leave(struct dm_chain *chain, const struct dm_chain *next);

/* A chain goes that nobody uses any more. Its concluded jobs go, too. */
void dm_chain_jobs_forget(struct dm_chain *chain);

/* Replies, at *@sz of @result. */
void dm_chain_jobs_reply(struct dm_chain *chain, char *result,
			 unsigned int maxlen, unsigned int *sz);
void dm_chain_jobs_last_reply(struct dm_chain_table *t, char *result,
			      unsigned int maxlen, unsigned int *sz);
int dm_chain_job_failed_reply(struct dm_chain *chain, const char *id,
			      char *result, unsigned int maxlen,
			      unsigned int *sz, struct dm_chain_why *why);
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
