/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: tracepoints. Documentation/observability.rst says what they tell.
 *
 * Off, each is a branch that is not taken: what one has to say is put together
 * behind it. A name is copied, because layers and jobs may be gone when somebody
 * reads the buffer; a job is "-" if there is none.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dm_chain

#if !defined(DM_CHAIN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DM_CHAIN_TRACE_H

#include <linux/blktrace_api.h>
#include <linux/tracepoint.h>

#include "dm-chain-event.h"
#include "dm-chain-job.h"

TRACE_DEFINE_ENUM(DM_CHAIN_HOW_PASS);
TRACE_DEFINE_ENUM(DM_CHAIN_HOW_FIRST);
TRACE_DEFINE_ENUM(DM_CHAIN_HOW_ZERO);
TRACE_DEFINE_ENUM(DM_CHAIN_HOW_DEFER);
TRACE_DEFINE_ENUM(DM_CHAIN_HOW_COMMIT);
TRACE_DEFINE_ENUM(DM_CHAIN_HOW_REFUSE);
TRACE_DEFINE_ENUM(DM_CHAIN_HOW_MERGE);
TRACE_DEFINE_ENUM(DM_CHAIN_HOW_FILL);
TRACE_DEFINE_ENUM(DM_CHAIN_HOW_SKIP);

TRACE_DEFINE_ENUM(DM_CHAIN_JOB_NULL);
TRACE_DEFINE_ENUM(DM_CHAIN_JOB_CREATED);
TRACE_DEFINE_ENUM(DM_CHAIN_JOB_RUNNING);
TRACE_DEFINE_ENUM(DM_CHAIN_JOB_PAUSED);
TRACE_DEFINE_ENUM(DM_CHAIN_JOB_PENDING);
TRACE_DEFINE_ENUM(DM_CHAIN_JOB_ABORTING);
TRACE_DEFINE_ENUM(DM_CHAIN_JOB_CONCLUDED);

TRACE_DEFINE_ENUM(DM_CHAIN_EVENT_COMPLETED);
TRACE_DEFINE_ENUM(DM_CHAIN_EVENT_CANCELLED);
TRACE_DEFINE_ENUM(DM_CHAIN_EVENT_ERROR);
TRACE_DEFINE_ENUM(DM_CHAIN_EVENT_PENDING);
TRACE_DEFINE_ENUM(DM_CHAIN_EVENT_STATUS);

#define dm_chain_show_how(how)					\
	__print_symbolic(how,					\
			 { DM_CHAIN_HOW_PASS, "pass" },		\
			 { DM_CHAIN_HOW_FIRST, "first" },	\
			 { DM_CHAIN_HOW_ZERO, "zero" },		\
			 { DM_CHAIN_HOW_DEFER, "defer" },	\
			 { DM_CHAIN_HOW_COMMIT, "commit" },	\
			 { DM_CHAIN_HOW_REFUSE, "refuse" },	\
			 { DM_CHAIN_HOW_MERGE, "merge" },	\
			 { DM_CHAIN_HOW_FILL, "fill" },		\
			 { DM_CHAIN_HOW_SKIP, "skip" })

#define dm_chain_show_job_state(state)					\
	__print_symbolic(state,						\
			 { DM_CHAIN_JOB_NULL, "null" },			\
			 { DM_CHAIN_JOB_CREATED, "created" },		\
			 { DM_CHAIN_JOB_RUNNING, "running" },		\
			 { DM_CHAIN_JOB_PAUSED, "paused" },		\
			 { DM_CHAIN_JOB_PENDING, "pending" },		\
			 { DM_CHAIN_JOB_ABORTING, "aborting" },		\
			 { DM_CHAIN_JOB_CONCLUDED, "concluded" })

#define dm_chain_show_event(event)					      \
	__print_symbolic(event,						      \
			 { DM_CHAIN_EVENT_COMPLETED, "BLOCK_JOB_COMPLETED" }, \
			 { DM_CHAIN_EVENT_CANCELLED, "BLOCK_JOB_CANCELLED" }, \
			 { DM_CHAIN_EVENT_ERROR, "BLOCK_JOB_ERROR" },	      \
			 { DM_CHAIN_EVENT_PENDING, "BLOCK_JOB_PENDING" },     \
			 { DM_CHAIN_EVENT_STATUS, "JOB_STATUS_CHANGE" })

/*
 * What becomes of a part of a bio, which is the chain device's still; @slot is NULL if
 * that is no layer's.
 */
DECLARE_EVENT_CLASS(dm_chain_bio,
		    TP_PROTO(struct bio *bio, sector_t from, sector_t to,
			     enum dm_chain_how how, const struct dm_chain_slot *slot),
		    TP_ARGS(bio, from, to, how, slot),
		    TP_STRUCT__entry(__field(dev_t, dev)
				     __field(u64, sector)
				     __field(u32, nr_sector)
				     __field(int, how)
				     __array(char, rwbs, DM_CHAIN_RWBS_LEN)
				     __array(char, layer, DM_CHAIN_NAME_LEN)),
		    TP_fast_assign(__entry->dev = bio_dev(bio);
				   __entry->sector = from;
				   __entry->nr_sector = to - from;
				   __entry->how = how;
				   blk_fill_rwbs(__entry->rwbs, bio->bi_opf);
				   strscpy(__entry->layer, slot ? slot->name : "-",
					   DM_CHAIN_NAME_LEN);),
		    TP_printk("%d,%d %s %llu + %u how=%s layer=%s",
			      MAJOR(__entry->dev), MINOR(__entry->dev), __entry->rwbs,
			      __entry->sector, __entry->nr_sector,
			      dm_chain_show_how(__entry->how), __entry->layer)
);

/* The map path has decided. */
DEFINE_EVENT(dm_chain_bio, dm_chain_map,
	     TP_PROTO(struct bio *bio, sector_t from, sector_t to,
		      enum dm_chain_how how, const struct dm_chain_slot *slot),
	     TP_ARGS(bio, from, to, how, slot)
);

/* A worker begins with a piece of what was deferred to it. */
DEFINE_EVENT(dm_chain_bio, dm_chain_work,
	     TP_PROTO(struct bio *bio, sector_t from, sector_t to,
		      enum dm_chain_how how, const struct dm_chain_slot *slot),
	     TP_ARGS(bio, from, to, how, slot)
);

/* meta_lock is held, for both. @dev is the layer's data device. */
TRACE_EVENT(dm_chain_commit_start,
	    TP_PROTO(struct dm_chain_layer *layer),
	    TP_ARGS(layer),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(u64, generation)
			     __field(u32, dirty)
			     __array(char, layer, DM_CHAIN_NAME_LEN)),
	    TP_fast_assign(__entry->dev = layer->data_bdev->bd_dev;
			   __entry->generation = layer->sb.generation;
			   __entry->dirty = atomic_read(&layer->uncommitted);
			   strscpy(__entry->layer, layer->sb.name,
				   DM_CHAIN_NAME_LEN);),
	    TP_printk("%d,%d layer=%s generation=%llu dirty=%u",
		      MAJOR(__entry->dev), MINOR(__entry->dev), __entry->layer,
		      __entry->generation, __entry->dirty)
);

TRACE_EVENT(dm_chain_commit_end,
	    TP_PROTO(struct dm_chain_layer *layer, unsigned int pages, int error),
	    TP_ARGS(layer, pages, error),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(u64, generation)
			     __field(u32, pages)
			     __field(int, error)
			     __array(char, layer, DM_CHAIN_NAME_LEN)),
	    TP_fast_assign(__entry->dev = layer->data_bdev->bd_dev;
			   __entry->generation = layer->sb.generation;
			   __entry->pages = pages;
			   __entry->error = -error;
			   strscpy(__entry->layer, layer->sb.name,
				   DM_CHAIN_NAME_LEN);),
	    TP_printk("%d,%d layer=%s generation=%llu pages=%u error=%d",
		      MAJOR(__entry->dev), MINOR(__entry->dev), __entry->layer,
		      __entry->generation, __entry->pages, __entry->error)
);

/* The state has changed; job->lock is held, or nobody else knows the job. */
TRACE_EVENT(dm_chain_job,
	    TP_PROTO(struct dm_chain_job *job, enum dm_chain_job_state from),
	    TP_ARGS(job, from),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(int, from)
			     __field(int, to)
			     __field(u64, copied)
			     __field(u64, zeroed)
			     __field(int, error)
			     __array(char, job, DM_CHAIN_NAME_LEN)),
	    TP_fast_assign(__entry->dev = disk_devt(dm_disk(job->chain->md));
			   __entry->from = from;
			   __entry->to = job->state;
			   __entry->copied = job->now.copied;
			   __entry->zeroed = job->now.zeroed;
			   __entry->error = job->fault.error ? -job->fault.error :
							       job->error;
			   strscpy(__entry->job, job->id, DM_CHAIN_NAME_LEN);),
	    TP_printk("%d,%d job=%s from=%s to=%s copied=%llu zeroed=%llu error=%d",
		      MAJOR(__entry->dev), MINOR(__entry->dev), __entry->job,
		      dm_chain_show_job_state(__entry->from),
		      dm_chain_show_job_state(__entry->to), __entry->copied,
		      __entry->zeroed, __entry->error)
);

/* A layer holds blocks from now on that lower ones have held. */
TRACE_EVENT(dm_chain_copy,
	    TP_PROTO(struct dm_chain *chain, const char *job,
		     const struct dm_chain_slot *slot, sector_t sector,
		     sector_t sectors, bool zero),
	    TP_ARGS(chain, job, slot, sector, sectors, zero),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(u64, sector)
			     __field(u64, nr_sector)
			     __field(bool, zero)
			     __array(char, job, DM_CHAIN_NAME_LEN)
			     __array(char, layer, DM_CHAIN_NAME_LEN)),
	    TP_fast_assign(__entry->dev = disk_devt(dm_disk(chain->md));
			   __entry->sector = sector;
			   __entry->nr_sector = sectors;
			   __entry->zero = zero;
			   strscpy(__entry->job, job, DM_CHAIN_NAME_LEN);
			   strscpy(__entry->layer, slot->name, DM_CHAIN_NAME_LEN);),
	    TP_printk("%d,%d %llu + %llu job=%s layer=%s state=%s",
		      MAJOR(__entry->dev), MINOR(__entry->dev), __entry->sector,
		      __entry->nr_sector, __entry->job, __entry->layer,
		      __entry->zero ? "zero" : "data")
);

/* What "dmsetup wait" and the uevent tell of. */
TRACE_EVENT(dm_chain_event,
	    TP_PROTO(struct dm_chain *chain, enum dm_chain_event event,
		     const struct dm_chain_event_info *info),
	    TP_ARGS(chain, event, info),
	    TP_STRUCT__entry(__field(dev_t, dev)
			     __field(int, event)
			     __field(int, state)
			     __field(u64, offset)
			     __field(u64, len)
			     __field(int, error)
			     __array(char, job, DM_CHAIN_NAME_LEN)),
	    TP_fast_assign(__entry->dev = disk_devt(dm_disk(chain->md));
			   __entry->event = event;
			   __entry->state = info->state;
			   __entry->offset = info->offset;
			   __entry->len = info->len;
			   __entry->error = info->error;
			   strscpy(__entry->job, info->id, DM_CHAIN_NAME_LEN);),
	    TP_printk("%d,%d %s job=%s status=%s offset=%llu len=%llu error=%d",
		      MAJOR(__entry->dev), MINOR(__entry->dev),
		      dm_chain_show_event(__entry->event), __entry->job,
		      dm_chain_show_job_state(__entry->state), __entry->offset,
		      __entry->len, __entry->error)
);

#endif

/* This directory is on the path of what includes it: see the makefile. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE dm-chain-trace
#include <trace/define_trace.h>
