/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: what the files of the job engine share.
 *
 *	dm-chain-walk.c		what a job has to copy, block by block; also estimates
 *	dm-chain-unit.c		the copy units
 *	dm-chain-copy.c		the dispatcher's walk: which unit next, and when
 *	dm-chain-job.c		the dispatcher, suspend and resume
 *	dm-chain-end.c		stop, wait to be finalized, end
 *	dm-chain-claim.c	which device drives it
 *	dm-chain-record.c	what the superblock says of a job; coming back
 *	dm-chain-start.c	the messages "stream" and "job"
 *	dm-chain-report.c	replies and the status line
 *	dm-chain-event.c	uevents
 *
 * A job is driven by one work item, the dispatcher, which never waits for a
 * unit: it fills those that are idle and returns. Whatever changes what it
 * should do (a unit that is through, a verb, the device that resumes) kicks it.
 * So verbs take effect at once, and presuspend waits for the units in flight
 * and nothing else.
 */
#ifndef DM_CHAIN_JOB_H
#define DM_CHAIN_JOB_H

#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/sizes.h>
#include <linux/wait.h>

#include "dm-chain.h"
#include "dm-chain-event.h"
#include "dm-chain-fault.h"
#include "dm-chain-pace.h"

/*
 * Units in flight, and the most that one copies; less while a speed is set or
 * the guest is at work.
 */
#define DM_CHAIN_UNITS		4
#define DM_CHAIN_UNIT_BYTES	SZ_1M
#define DM_CHAIN_SLOW_BYTES	SZ_512K
#define DM_CHAIN_UNIT_BLOCKS	(DM_CHAIN_UNIT_BYTES / DM_CHAIN_MIN_BLOCK)

/* With verify on: the others' buffers take what is read back. */
#define DM_CHAIN_VERIFY_UNITS	(DM_CHAIN_UNITS / 2)

/*
 * Map pages of an intermediate top that are kept in core before they are
 * committed.
 */
#define DM_CHAIN_JOB_PAGES	256

/*
 * Memory that a job takes at most, whatever the size of the chain: the buffers
 * of its units, the pages in core, and the rest: itself, its plan of a page, and
 * a page for each unit in flight. Nodes of the owner map are the view's; those of
 * the index of the pages in core, a few KiB, are not counted.
 */
#define DM_CHAIN_JOB_REST	SZ_128K
#define DM_CHAIN_JOB_MEMORY	(DM_CHAIN_UNITS * DM_CHAIN_UNIT_BYTES + \
				 DM_CHAIN_JOB_PAGES * DM_CHAIN_PAGE_SIZE + \
				 DM_CHAIN_JOB_REST)

/**
 * struct dm_chain_walk - what has to be copied into a layer, and from where
 * @chain: the view
 * @top: the destination
 * @active: it is the active layer: the owner map says what has to be copied.
 *	Otherwise the map pages of the layers do, because layers above the top
 *	hide some of it from the owner map
 * @top_id: its id
 * @nr: layers below it
 * @bottom: position of the lowest whose blocks are copied, less than @nr
 * @id: ids of the layers below @top, base first
 * @limit: by id, where what the layer shows to @top ends, sectors
 * @held: by id, where the layer ends, sectors
 * @range: ids of the layers that are copied
 * @below: those of all layers below the top, and nobody's: whom the view may
 *	take a block from that the top comes to hold
 * @size: of the top, sectors
 * @blocks: of the top, the last may be partial
 * @cut: a layer that is copied ends before the top, and something lies below
 *	them all: see dm_chain_walk_look()
 * @cut_inside: it ends inside a block
 * @cut_block: the first block that it does not show whole
 * @page: first map page that is looked up now or DM_CHAIN_NO_PAGE
 * @next: the first behind them
 * @idle: there is nothing to do in any of them; else it is one, which @plan
 *	describes
 * @plan: an entry for each block of the page: the top's id if there is nothing
 *	to do, else what has to be copied
 * @own: the top's states of the page
 * @states: scratch
 * @bad: id of the layer whose states could not be read
 */
struct dm_chain_walk {
	struct dm_chain *chain;
	struct dm_chain_layer *top;
	bool active;
	u8 top_id;
	unsigned int nr;
	unsigned int bottom;
	u8 id[DM_CHAIN_MAX_LAYERS];
	sector_t limit[DM_CHAIN_ID_NOBODY + 1];
	sector_t held[DM_CHAIN_ID_NOBODY + 1];
	DECLARE_BITMAP(range, DM_CHAIN_ID_NOBODY + 1);
	DECLARE_BITMAP(below, DM_CHAIN_ID_NOBODY + 1);
	sector_t size;
	u64 blocks;
	bool cut;
	bool cut_inside;
	u64 cut_block;
	u32 page;
	u32 next;
	bool idle;
	u8 *plan;
	u8 *own;
	u8 *states;
	u8 bad;
};

/* Allocate and free what a walk needs. Context: process. 0 or -ENOMEM. */
int dm_chain_walk_init(struct dm_chain_walk *w);
void dm_chain_walk_exit(struct dm_chain_walk *w);

/**
 * dm_chain_walk_aim() - set a walk up for the chain as it is now
 * @w: the walk; nobody uses it meanwhile
 * @chain: the view
 * @top: position of the destination in chain->order
 * @bottom: position of the lowest layer that is copied, below @top
 *
 * Context: chain->lock held.
 */
void dm_chain_walk_aim(struct dm_chain_walk *w, struct dm_chain *chain,
		       unsigned int top, unsigned int bottom);

/**
 * dm_chain_walk_load() - make dm_chain_walk_look() work at a block
 * @w: the walk
 * @block: below @w->blocks
 *
 * Reads map pages if the top is not the active layer.
 *
 * Context: process, GFP_NOIO. Takes meta_lock of one layer after the other.
 * Return: 0, or -EIO or -EBADMSG with @w->bad set.
 */
int dm_chain_walk_load(struct dm_chain_walk *w, u64 block);

/**
 * dm_chain_walk_look() - has a block to be copied, and how far does that go
 * @w: the walk, loaded for @block
 * @block: below @w->blocks
 * @max: how many blocks the caller cares for, at least 1
 * @count: gets the length of the run, at least 1. What has to be copied ends
 *	where a region or, if the top is not the active layer, a map page does
 * @entry: gets what has to be copied: the id of the layer to read, or any id
 *	with DM_CHAIN_OWNER_ZERO if there is nothing to read
 *
 * Copied is what the layers from the bottom up to the top hold and the top
 * does not. If one of them ends before the top does, what lies below them all
 * would show through once they are gone: then the block that the end cuts is
 * copied too, whoever holds it, and the blocks after it become zero.
 *
 * Context: any. Return: true if the run has to be copied.
 */
bool dm_chain_walk_look(const struct dm_chain_walk *w, u64 block, u64 max,
			u64 *count, u8 *entry);

/**
 * dm_chain_walk_owner() - whom does the view take a block from, and how far
 * @w: the walk
 * @block: below the owner map's size
 * @max: how many blocks the caller cares for, at least 1
 * @count: gets the length of the run, at least 1; it goes on behind the region
 *	only if there is nothing to do with it
 *
 * Context: any. Return: the entry.
 */
u8 dm_chain_walk_owner(const struct dm_chain_walk *w, u64 block, u64 max,
		       u64 *count);

/**
 * dm_chain_walk_extent() - how far goes what a unit takes in
 * @w: the walk, loaded for @block
 * @block: one that has to be read and copied
 * @max: blocks that a unit may take
 * @what: gets for each block what struct dm_chain_unit says of it
 * @data: gets how many of them have to be read
 * @holes: gets how many of them there is nothing to do with
 *
 * The last one is not a hole.
 *
 * Context: any. Return: how many blocks.
 */
u32 dm_chain_walk_extent(const struct dm_chain_walk *w, u64 block, u32 max,
			 u8 *what, u32 *data, u32 *holes);

/**
 * dm_chain_walk_count() - how much there is to copy
 * @w: the walk
 * @data: gets bytes that have to be read
 * @zero: gets bytes that only become zero
 *
 * Context: process, GFP_NOIO. Return: as dm_chain_walk_load().
 */
int dm_chain_walk_count(struct dm_chain_walk *w, u64 *data, u64 *zero);

/* Bytes of a run of blocks of the top; the last block may be partial. */
u64 dm_chain_walk_bytes(const struct dm_chain_walk *w, u64 block, u64 count);

static inline bool dm_chain_walk_in_range(const struct dm_chain_walk *w,
					  u8 entry)
{
	return test_bit(dm_chain_owner_id(entry), w->range);
}

static inline bool dm_chain_walk_is_below(const struct dm_chain_walk *w,
					  u8 entry)
{
	return test_bit(dm_chain_owner_id(entry), w->below);
}

/**
 * struct dm_chain_fault - what went wrong with a job
 * @error: negative errno, 0 if nothing did
 * @write: what failed was a write
 * @fatal: the job ends, whatever it was told to do about errors
 * @ignored: the job went on behind it
 * @at: first byte that was not copied
 * @bytes: how many could not be; 0 if it is not a matter of one place, so that
 *	there is nothing to pass over
 * @layer: name of the layer that was read or written
 */
struct dm_chain_fault {
	int error;
	bool write;
	bool fatal;
	bool ignored;
	u64 at;
	u64 bytes;
	char layer[DM_CHAIN_NAME_LEN];
};

/**
 * struct dm_chain_unit - one copy in flight
 * @work: copies
 * @job: its job
 * @busy: in flight (job->lock)
 * @block: first block
 * @count: blocks, within one region
 * @bytes: that have to be read
 * @open: bytes of which it is not known yet what becomes of them (job->lock)
 * @began: when it started, ns, if that was with a guest at work; else 0
 * @entry: what the dispatcher found in the first
 * @what: unless they only become zero, what has to be done with each block: the
 *	top's id if nothing, the id of the layer to read, or any id with
 *	DM_CHAIN_OWNER_ZERO if it becomes zero
 * @range: lock on the blocks, if the top is the active layer
 * @node: pinned node of the region, NULL if no entry of it has to change
 * @buf: DM_CHAIN_UNIT_BYTES
 * @left: bios in flight, and one while submitting
 * @error: of one of them
 * @done: all completed
 */
struct dm_chain_unit {
	struct work_struct work;
	struct dm_chain_job *job;
	bool busy;
	u64 block;
	u32 count;
	u64 bytes;
	u64 open;
	u64 began;
	u8 entry;
	u8 what[DM_CHAIN_UNIT_BLOCKS];
	struct dm_chain_range range;
	struct dm_chain_owner_node *node;
	struct dm_chain_buf *buf;
	atomic_t left;
	int error;
	struct completion done;
};

/**
 * struct dm_chain_progress - how far a job has come
 * @cursor: block that the next look begins at
 * @copied: bytes
 * @zeroed: bytes that became zero, those read first included
 */
struct dm_chain_progress {
	u64 cursor;
	u64 copied;
	u64 zeroed;
};

/**
 * struct dm_chain_job - a stream job
 * @ref: the layer's, or the chain's of a concluded one, and one of each
 *	presuspend that waits
 * @list: in chain->concluded (chain->lock)
 * @chain: the view that drives it, or did before it was stopped
 * @top: the layer it belongs to
 * @top_name: its name at its end (chain->lock)
 * @id: as given by the user
 * @base: its base's name at its end, "" before (chain->lock)
 * @bottom_uuid: of the lowest layer that is copied; ids and positions change
 *	with a reload, this does not
 * @bottom_raw: that layer is a raw base and has none
 * @on_error: what to do about errors
 * @auto_finalize: it does not wait for a verb before it changes the chain
 * @auto_dismiss: it does not wait for one after that
 * @verify: what was written is read back
 * @started: seconds since the epoch
 * @begin: when it started, or came back
 * @ended: when it was through
 * @ready: it has its memory, and has counted what there is to do (dispatcher)
 * @lock: protects what follows, up to @walk
 * @state: as verbs see it: paused as soon as a pause was accepted. Changes
 *	under chain->lock too
 * @announced: state of the last event
 * @held: paused by the table, not by the user: the record does not say so
 * @finalize: the verb was given
 * @draining: it waits for reads of the layers that it has dropped
 * @reaim: the chain below it has changed: no unit begins before the walk is
 *	aimed anew
 * @stopped: the device is suspended
 * @gone: not kicked any more
 * @in_flight: busy units
 * @idle: woken when that is 0
 * @fault: the failure with the lowest offset that it has to stop or end for
 * @ignored: the one with the lowest offset that it went on after
 * @told: the latest of those, until its event is sent
 * @faults: all that failed in this pass, or since it was resumed
 * @io_status: why it is paused or pending
 * @error: that goes with it, positive errno
 * @speed: bytes per second, 0 = unlimited
 * @due: when the speed allows the next unit
 * @pace: without a speed
 * @now: progress; the cursor is changed by the dispatcher only
 * @durable: what a power cut leaves of it
 * @seen: highest cursor ever, blocks
 * @rewind: lowest block of a unit that was given up (units)
 * @pass: 0 until the cursor has reached the end once
 * @found: there was something to do in this pass
 * @open: sum over the units in flight
 * @undone: bytes that units did not get to before they failed or gave up; they
 *	lie below @seen
 * @remaining: bytes still to be read and copied, not exact: see report.c
 * @rate_since: begin of the current window
 * @rate_bytes: copied in it
 * @rate: of the window before, bytes per second
 * @unsaved: states of an intermediate top changed since its last commit
 * @unsaved_bytes: how much
 * @unsaved_since: since when, jiffies
 * @unrecorded: the record does not have the speed and the like
 * @recorded: when it was written, jiffies
 * @core_pages: pages of an intermediate top that came into core since then
 *	(dispatcher)
 * @walk: what to copy. Written only while no unit is in flight, but for the
 *	plan, which is the dispatcher's
 * @unit: the units
 * @work: the dispatcher, on chain->job_wq
 */
struct dm_chain_job {
	struct kref ref;
	struct list_head list;
	struct dm_chain *chain;
	struct dm_chain_layer *top;
	char top_name[DM_CHAIN_NAME_LEN];
	char id[DM_CHAIN_NAME_LEN];
	char base[DM_CHAIN_NAME_LEN];
	u8 bottom_uuid[DM_CHAIN_UUID_LEN];
	bool bottom_raw;
	enum dm_chain_on_error on_error;
	bool auto_finalize;
	bool auto_dismiss;
	bool verify;
	time64_t started;
	ktime_t begin;
	ktime_t ended;
	bool ready;

	spinlock_t lock;	/* see "Locking" in dm-chain.h */
	enum dm_chain_job_state state;
	enum dm_chain_job_state announced;
	bool held;
	bool finalize;
	bool draining;
	bool reaim;
	bool stopped;
	bool gone;
	unsigned int in_flight;
	wait_queue_head_t idle;
	struct dm_chain_fault fault;
	struct dm_chain_fault ignored;
	struct dm_chain_fault told;
	struct dm_chain_faults faults;
	enum dm_chain_io_status io_status;
	int error;
	u64 speed;
	ktime_t due;
	struct dm_chain_pace pace;
	struct dm_chain_progress now;
	struct dm_chain_progress durable;
	u64 seen;
	u64 rewind;
	unsigned int pass;
	bool found;
	u64 open;
	u64 undone;
	u64 remaining;
	ktime_t rate_since;
	u64 rate_bytes;
	u64 rate;
	bool unsaved;
	u64 unsaved_bytes;
	unsigned long unsaved_since;
	bool unrecorded;
	unsigned long recorded;
	unsigned int core_pages;

	struct dm_chain_walk walk;
	struct dm_chain_unit unit[DM_CHAIN_UNITS];
	struct delayed_work work;
};

static inline u64 dm_chain_job_len(const struct dm_chain_job *job)
{
	return (u64)job->walk.size << SECTOR_SHIFT;
}

/* dm-chain-unit.c */

/*
 * Allocate the units' buffers, if they are not there, and free them. Context:
 * process, GFP_NOIO. 0 or -ENOMEM.
 */
int dm_chain_units_init(struct dm_chain_job *job);
void dm_chain_units_exit(struct dm_chain_job *job);

/* Blocks that fit in so many bytes, at least one. */
static inline u32 dm_chain_unit_blocks(const struct dm_chain *chain, u32 bytes)
{
	return max_t(u32, 1, bytes / dm_chain_block_size(chain));
}

/**
 * dm_chain_unit_start() - copy
 * @u: busy, with block, count, entry and what set
 *
 * Kicks the dispatcher when it is through.
 *
 * Context: the dispatcher.
 */
void dm_chain_unit_start(struct dm_chain_unit *u);

/* dm-chain-copy.c */

enum dm_chain_copy {
	DM_CHAIN_COPY_WAIT,	/* will be kicked or has set the timer */
	DM_CHAIN_COPY_AGAIN,	/* it may not copy any more */
	DM_CHAIN_COPY_DONE,	/* the top holds everything, in core */
};

/* Nothing is owed, and the guest counts as idle. No unit is in flight. */
void dm_chain_copy_begin(struct dm_chain_job *job);

/**
 * dm_chain_copy() - start units until there is something to wait for
 * @job: the job
 *
 * Context: the dispatcher.
 */
enum dm_chain_copy dm_chain_copy(struct dm_chain_job *job);

/**
 * dm_chain_copy_save() - commit what a job wrote
 * @job: the job
 *
 * And let go of the states in core that nobody needs any more.
 *
 * Context: the dispatcher, or no unit is in flight. Return: 0 or an errno.
 */
int dm_chain_copy_save(struct dm_chain_job *job);

/* dm-chain-job.c */

/*
 * A job of the layer at @top, in state null, with what it needs but its units.
 * Context: process, GFP_NOIO, chain->lock held. NULL: no memory.
 */
struct dm_chain_job *dm_chain_job_alloc(struct dm_chain *chain, const char *id,
					struct dm_chain_layer *top);

/*
 * Its units' memory, and how much there is to do at most. Context: process,
 * GFP_NOIO; the walk is aimed. 0 or -ENOMEM.
 */
int dm_chain_job_prepare(struct dm_chain_job *job);

void dm_chain_job_put(struct dm_chain_job *job);

/* Change the state, if the table of states allows it. chain->lock held. */
void dm_chain_job_set_state(struct dm_chain_job *job,
			    enum dm_chain_job_state state);

/* The same for who knows that it does, and holds job->lock. */
void dm_chain_job_become(struct dm_chain_job *job,
			 enum dm_chain_job_state state);

/*
 * Send an event that is not of an error; that of a state only once. chain->lock
 * held.
 */
void dm_chain_job_event(struct dm_chain_job *job, enum dm_chain_event event);

/* Send the event of an error. chain->lock held. */
void dm_chain_job_event_error(struct dm_chain_job *job,
			      const struct dm_chain_fault *fault,
			      enum dm_chain_on_error action);

/* Run the dispatcher now. job->lock held. */
void dm_chain_job_kick(struct dm_chain_job *job);

/* What is done about a failure of this job. */
enum dm_chain_on_error dm_chain_job_action(const struct dm_chain_job *job,
					   const struct dm_chain_fault *fault);

/**
 * dm_chain_job_fail() - note a failure; that with the lowest offset counts
 * @job: the job
 * @fault: what failed, but for the layer's name
 * @id: of the layer that was read or written
 *
 * Context: process, job->lock held. Return: true if the job goes on behind it.
 */
bool dm_chain_job_fail(struct dm_chain_job *job,
		       const struct dm_chain_fault *fault, u8 id);

/*
 * First byte that was not looked at yet, of a failed job not copied. job->lock
 * held.
 */
u64 dm_chain_job_offset(const struct dm_chain_job *job);

/* Bytes that there was nothing to do with. job->lock held. */
u64 dm_chain_job_skipped(const struct dm_chain_job *job);

/*
 * First block that a unit in flight or the dispatcher may still come to.
 * job->lock held.
 */
u64 dm_chain_job_low(const struct dm_chain_job *job);

/*
 * State as users see it: paused only when the offset stands still, concluded
 * only when layers can be released. job->lock held.
 */
enum dm_chain_job_state dm_chain_job_shown(const struct dm_chain_job *job);

/*
 * Positions of top and bottom in chain->order now. chain->lock held. Return:
 * false if they are not there.
 */
bool dm_chain_job_positions(const struct dm_chain_job *job, unsigned int *top,
			    unsigned int *bottom);

/* Id of the top, also of a job that never aimed its walk. chain->lock held. */
u8 dm_chain_job_top_id(const struct dm_chain_job *job);

/* Name of the layer below the bottom, "-" without one. chain->lock held. */
const char *dm_chain_job_base(const struct dm_chain_job *job);

/*
 * Live job of the layer at a position of the chain or NULL: one that another
 * device drives does not count. One that no device drives any more is taken over,
 * if this one can, and one that was stopped belongs to this view from here on.
 * chain->lock held.
 */
struct dm_chain_job *dm_chain_job_adopt_at(struct dm_chain *chain,
					   unsigned int pos);

/* Job with this id, live or concluded, or NULL. chain->lock held. */
struct dm_chain_job *dm_chain_job_find(struct dm_chain *chain, const char *id);

/* Aim a stopped job and let it run, if it may be written. chain->lock held. */
void dm_chain_job_go(struct dm_chain *chain, struct dm_chain_job *job);

/*
 * Take over the job of a layer that no device drives, if this one can and has no
 * other of that id. chain->lock held.
 */
void dm_chain_job_adopt(struct dm_chain *chain, struct dm_chain_layer *layer);

/**
 * dm_chain_job_claim() - a job is going to run into a layer
 * @chain: the view
 * @slot: of the layer
 * @why: gets the reason of a refusal
 *
 * No other device may use it from here on.
 *
 * Context: process, chain->lock held. Return: 0 or -EBUSY.
 */
int dm_chain_job_claim(struct dm_chain *chain, const struct dm_chain_slot *slot,
		       struct dm_chain_why *why);

/* It is not. chain->lock held. */
void dm_chain_job_unclaim(struct dm_chain_layer *layer);

/* The dispatcher. */
void dm_chain_job_work(struct work_struct *work);

/* dm-chain-end.c: called by the dispatcher, with no unit in flight */

/* Stop for a failure, or end because of it. Return: true if the job ended. */
bool dm_chain_job_fault(struct dm_chain_job *job);

/*
 * Everything is copied: end, or wait for "finalize". Or it is not, and the job
 * was cancelled. Return: true if the job ended; it may be freed then.
 */
bool dm_chain_job_end(struct dm_chain_job *job, bool copied);

/* dm-chain-record.c: what the top's superblock says of its job */

/**
 * dm_chain_job_record() - write the record of a live job
 * @job: the job; one that is about to end has none
 *
 * The cursor is the durable one.
 *
 * Context: process, GFP_NOIO. Takes meta_lock and job->lock. Return: 0 or a
 * negative errno.
 */
int dm_chain_job_record(struct dm_chain_job *job);

/**
 * dm_chain_job_unrecord() - take a record back that could not be written
 * @job: the job, which does not begin
 *
 * It may be on disk all the same, and would come back. If this fails as well, it
 * is tried again when the device is suspended.
 *
 * Context: process, GFP_NOIO, chain->lock held. Takes meta_lock.
 */
void dm_chain_job_unrecord(struct dm_chain_job *job);

/**
 * dm_chain_job_enter() - change the state of a live job, on disk first
 * @job: the job
 * @state: running, paused or pending; the table of states allows it
 *
 * Nobody sees the new state before the record says so.
 *
 * Context: process, GFP_NOIO, chain->lock held. Takes meta_lock and job->lock.
 * Return: 0, or a negative errno and the state is what it was.
 */
int dm_chain_job_enter(struct dm_chain_job *job, enum dm_chain_job_state state);

/**
 * dm_chain_job_record_result() - replace the record by the result
 * @job: the job; one that is cancelled is aborting when this has succeeded
 * @status: how it ended
 * @backing: if not NULL, what the top rests on from now on; the same write
 *
 * Context: process, GFP_NOIO, chain->lock held. Return: 0 or a negative errno.
 */
int dm_chain_job_record_result(struct dm_chain_job *job,
			       enum dm_chain_result_status status,
			       const struct dm_chain_backing *backing);

/* dm-chain-start.c */

/**
 * dm_chain_scope() - positions of the layers that a message names
 * @chain: the view
 * @msg: stream or estimate
 * @top: gets the position of the top in chain->order
 * @bottom: gets that of the lowest layer that is copied; @top if there is none
 * @why: gets the reason of a refusal
 *
 * Context: chain->lock held. Return: 0, -EINVAL (order), -ENOENT.
 */
int dm_chain_scope(struct dm_chain *chain, const struct dm_chain_msg *msg,
		   unsigned int *top, unsigned int *bottom,
		   struct dm_chain_why *why);

/*
 * Return: 0, or -EBUSY if a layer from @bottom to @top is in use by another job
 * than @except. Positions. chain->lock held.
 */
int dm_chain_job_check_overlap(struct dm_chain *chain,
			       const struct dm_chain_job *except,
			       unsigned int top, unsigned int bottom,
			       struct dm_chain_why *why);

/* Do two jobs share a layer? Lowest and highest position of each. */
static inline bool dm_chain_jobs_overlap(unsigned int bottom_a,
					 unsigned int top_a,
					 unsigned int bottom_b,
					 unsigned int top_b)
{
	return bottom_a <= top_b && bottom_b <= top_a;
}

#endif
