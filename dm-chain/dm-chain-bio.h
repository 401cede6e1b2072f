/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: what happens to a bio, and the target's own data I/O.
 */
#ifndef DM_CHAIN_BIO_H
#define DM_CHAIN_BIO_H

#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/workqueue.h>

#include "dm-chain-range.h"

struct dm_chain;
struct dm_chain_buf;
struct dm_chain_epoch;
struct dm_chain_owner_node;

/* What end_io has to do; nothing for most bios. */
#define DM_CHAIN_BIO_READ_BELOW		0x01	/* holds an epoch */
#define DM_CHAIN_BIO_FIRST_WRITE	0x02	/* holds a range and a node */
#define DM_CHAIN_BIO_COMMIT		0x04	/* FUA: waits for a commit */

/* Room for what blk_fill_rwbs() writes, in any kernel. */
#define DM_CHAIN_RWBS_LEN	16

/* What becomes of a bio or a part of it, for tracepoints. */
enum dm_chain_how {
	/* by the map path */
	DM_CHAIN_HOW_PASS,	/* to the layer that holds it; by a worker as well */
	DM_CHAIN_HOW_FIRST,	/* whole blocks that become the layer's, as well */
	DM_CHAIN_HOW_ZERO,	/* answered with zeros; worker: becomes zero */
	DM_CHAIN_HOW_DEFER,	/* to a worker */
	DM_CHAIN_HOW_COMMIT,	/* a flush that waits for a commit */
	DM_CHAIN_HOW_REFUSE,	/* fails */
	/* by a worker only */
	DM_CHAIN_HOW_MERGE,	/* a part of a block, laid over the rest of it */
	DM_CHAIN_HOW_FILL,	/* zeros are written */
	DM_CHAIN_HOW_SKIP,	/* part of a block that a discard leaves alone */
};

/**
 * struct dm_chain_bio - what the target keeps with each bio
 * @flags: what end_io has to do
 * @whole: the piece in hand is whole blocks (worker)
 * @held: the range of the piece in hand is held or waited for (worker)
 * @chain: (worker)
 * @epoch: (READ_BELOW)
 * @node: (FIRST_WRITE)
 * @range: (FIRST_WRITE, worker)
 * @block: first block
 * @count: blocks
 * @pos: sector of the view up to which it is done (worker); where it begins
 *	(READ_BELOW)
 * @end: sector of the view where it ends (worker, READ_BELOW)
 * @work: (worker)
 */
struct dm_chain_bio {
	u8 flags;
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

/* dm-chain-map.c: called by device mapper */
int dm_chain_map(struct dm_target *ti, struct bio *bio);
int dm_chain_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error);

/*
 * How many whole blocks, none of them data in the active layer, begin at
 * @sector, lie within @sectors and within one region? The first @known are not
 * data, says who has looked. Context: any.
 */
u64 dm_chain_whole_blocks(struct dm_chain *chain, sector_t sector,
			  sector_t sectors, u64 known);

/* dm-chain-op.c: bios that the map path hands on */

/* Hand a bio, cut already, to a worker. Return: DM_MAPIO_SUBMITTED. */
int dm_chain_defer(struct dm_chain *chain, struct dm_chain_bio *pb,
		   struct bio *bio);
void dm_chain_op_grant(struct dm_chain_range *range);

/**
 * dm_chain_read_block() - what the view shows of one block
 * @chain: the view
 * @block: one that is not data in the active layer, and cannot become so
 * @unit: gets it, up to the end of the device
 *
 * Context: process, GFP_NOIO. Return: 0 or a negative errno.
 */
int dm_chain_read_block(struct dm_chain *chain, u64 block,
			struct dm_chain_buf *unit);

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
 * @order: of each chunk
 * @nr: chunks
 * @chunk: each one's address
 */
struct dm_chain_buf {
	unsigned int order;
	unsigned int nr;
	void *chunk[];
};

/*
 * In chunks as large as there are without an effort, because a bio over them is
 * the shorter then; in single pages if need be. Context: as @gfp allows.
 */
struct dm_chain_buf *dm_chain_buf_alloc(size_t bytes, gfp_t gfp);
void dm_chain_buf_free(struct dm_chain_buf *buf);

/* Of these, @offset and @bytes are multiples of 512. Context: any. */
void dm_chain_buf_zero(struct dm_chain_buf *buf, size_t offset, size_t bytes);
bool dm_chain_buf_is_zero(const struct dm_chain_buf *buf, size_t offset,
			  size_t bytes);
/* Is a part of two buffers, at the same place, the same? */
bool dm_chain_buf_equal(const struct dm_chain_buf *a,
			const struct dm_chain_buf *b, size_t offset,
			size_t bytes);
/* How many vectors a bio over part of a buffer needs. */
unsigned int dm_chain_buf_vecs(const struct dm_chain_buf *buf, size_t offset,
			       size_t bytes);

/* Add part of a buffer to a bio that has room for it. Context: any. */
void dm_chain_bio_add(struct bio *bio, struct dm_chain_buf *buf, size_t offset,
		      size_t bytes);

/* Copy what @iter covers of @bio into @buf at @offset bytes. */
void dm_chain_buf_fill(struct dm_chain_buf *buf, size_t offset,
		       struct bio *bio, struct bvec_iter iter);

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

#endif
