// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: requests that meet: reads of layers that leave, partial and whole
 * writes of a block that nobody wrote yet. The target's reads are held by
 * suspending the device below a layer.
 */
#include <stdlib.h>
#include <string.h>

#include "ct.h"

/*
 * A <- C <- E, where the first 64 KiB of C can be held; all of them hold
 * something else at every place.
 */
static struct chain *with_held_c(u32 block_size, struct slice **held)
{
	struct chain *c = chain_new("chain", block_size);
	struct slice *sub[2];

	chain_push(c, layer_raw_new("A", MIB, block_size));
	sub[0] = slice_new(0, 64 * KIB);
	sub[1] = slice_new(0, MIB - 64 * KIB);
	chain_push(c, layer_on("C", MIB, block_size, slice_compose(2, sub),
			       slice_new(MIB, 0)));
	chain_write(c, 0, 512 * KIB);
	chain_push(c, layer_new("E", MIB, block_size, LAYER_INLINE));
	chain_write(c, 768 * KIB, 4096);
	verify_all(c);
	*held = sub[0];
	return c;
}

/*
 * A guest's read went to C and hangs there. The job has nothing to copy from
 * that place, because the guest overwrote it, and comes to its end; but C must
 * not be given up before the read has ended.
 */
static void read_of_dropped(void)
{
	struct slice *held;
	struct chain *c = with_held_c(4096, &held);
	struct layer *layer_c = c->layer[1];
	int fd = uevent_open();
	struct aio *io;
	char *reply;
	u32 tag;

	tag = c->view[0];
	slice_hold(held);
	io = aio_start(c->fd, IO_READ, 0, 64 * KIB, 0);
	ct_sleep_ms(50);
	chain_write(c, 0, 64 * KIB);
	stream_start(c, 2, 0, "");
	free(uevent_next(fd, "JOB_STATUS_CHANGE", 1000));
	ct_check(!uevent_next(fd, "BLOCK_JOB_COMPLETED", 2 * CT_MUST_NOT_MS),
		 "the job completed before a read of a layer that it drops");
	reply = msg(c, "layers");
	ct_check(!strstr(reply, "releasable"),
		 "C is releasable while it is read: %s", reply);
	ct_check(job_live(c, "E"), "the job is over while C is read");
	free(reply);
	/* Who saw it concluded would take C to be free. */
	reply = msg(c, "jobs");
	ct_check(strstr(reply, "status=running"),
		 "the job says that it is over while C is read: %s", reply);
	ct_check(!aio_done(io), "the read is not held");

	slice_release(held);
	stream_done(c, 2, 0);
	ct_check(uevent_next(fd, "BLOCK_JOB_COMPLETED", 10000),
		 "no BLOCK_JOB_COMPLETED");
	/* Now it may hold anything. */
	ct_check(!aio_wait(io), "the read fails");
	ct_check(pattern_is(io->buf, tag, 0), "the read shows %s, expected write %u",
		 pattern_describe(io->buf), tag);
	pattern_fill(io->buf, GARBAGE, 0, 128);
	slice_write(layer_c->data, 0, io->buf, 64 * KIB);
	verify_all(c);
	chain_release(c);
	verify_end(c);
}

/*
 * A guest that always waits for something holds a job back, but not up: all is
 * copied while a read of a layer below the job's hangs. Only its end waits.
 */
static void stream_beside_a_read(void)
{
	struct slice *held;
	struct chain *c = with_held_c(4096, &held);
	struct aio *io;
	u32 tag;

	chain_write(c, 64 * KIB, MIB - 64 * KIB);
	chain_push(c, layer_new("F", MIB, 4096, LAYER_INLINE));
	tag = c->view[0];
	slice_hold(held);
	io = aio_start(c->fd, IO_READ, 0, 64 * KIB, 0);
	ct_sleep_ms(50);
	stream_start(c, 3, 1, "");
	ct_wait(job_num(c, "F", "copied=") == MIB - 64 * KIB,
		"the job does not copy while the guest waits");
	ct_check(job_live(c, "F"), "the job is over while C is read");
	ct_check(!aio_done(io), "the read is not held");

	slice_release(held);
	stream_done(c, 3, 1);
	ct_check(!aio_wait(io), "the read fails");
	ct_check(pattern_is(io->buf, tag, 0), "the read shows %s, expected write %u",
		 pattern_describe(io->buf), tag);
	verify_end(c);
}

/* One sector of block @block has tag @one, the others @rest; what was found. */
static bool block_is(struct chain *c, u64 block, u64 sector, u32 one, u32 rest)
{
	u64 n = c->block_size / SECTOR;
	u8 *buf = io_buf(c->block_size);
	bool is = true;
	u64 i;

	ct_check(!io_do(c->fd, IO_READ, block * c->block_size, c->block_size,
			buf), "read");
	for (i = 0; i < n; i++)
		is = is && pattern_is(buf + i * SECTOR, i == sector ? one : rest,
				      block * n + i);
	free(buf);
	return is;
}

/* A merge that reads an old block must not be written over a whole write. */
static void partial_and_whole(u32 block_size, enum io_op op)
{
	struct slice *held;
	struct chain *c = with_held_c(block_size, &held);
	u32 part = pattern_new_tag();
	u32 whole = op == IO_DISCARD || op == IO_ZERO ? 0 : pattern_new_tag();
	struct aio *io[2];

	slice_hold(held);
	io[0] = aio_start(c->fd, IO_WRITE, 3 * SECTOR, SECTOR, part);
	ct_sleep_ms(100);
	io[1] = aio_start(c->fd, op, 0, block_size, whole);
	ct_sleep_ms(100);
	slice_release(held);
	ct_check(!aio_wait(io[0]) && !aio_wait(io[1]), "a write fails");
	ct_check(block_is(c, 0, 3, part, whole) || block_is(c, 0, 3, whole, whole),
		 "the block holds something older than both writes");
	if (block_is(c, 0, 3, part, whole)) {
		model_write(c, 0, block_size, whole);
		model_write(c, 3 * SECTOR, SECTOR, part);
	} else if (op == IO_DISCARD) {
		model_discard(c, 0, block_size);
	} else if (op == IO_ZERO) {
		model_zero(c, 0, block_size);
	} else {
		model_write(c, 0, block_size, whole);
	}
	verify_end(c);
}

static void whole_4k(void)
{
	partial_and_whole(4096, IO_WRITE);
}

static void whole_64k(void)
{
	partial_and_whole(65536, IO_WRITE);
}

static void whole_fua(void)
{
	partial_and_whole(65536, IO_WRITE_FUA);
}

static void discard_64k(void)
{
	partial_and_whole(65536, IO_DISCARD);
}

static void zero_64k(void)
{
	partial_and_whole(65536, IO_ZERO);
}

/* Two merges of one block: neither may write the other's old half. */
static void partial_and_partial(void)
{
	struct slice *held;
	struct chain *c = with_held_c(65536, &held);
	struct aio *io[6];
	u32 tag[6];
	unsigned int i;

	slice_hold(held);
	for (i = 0; i < 6; i++) {
		tag[i] = pattern_new_tag();
		io[i] = aio_start(c->fd, IO_WRITE, (i * 7 + 1) * SECTOR, 3 * SECTOR,
				  tag[i]);
	}
	ct_sleep_ms(100);
	slice_release(held);
	for (i = 0; i < 6; i++) {
		ct_check(!aio_wait(io[i]), "a write fails");
		model_write(c, (i * 7 + 1) * SECTOR, 3 * SECTOR, tag[i]);
	}
	verify_end(c);
}

/* A write over two blocks, one of which another merge is busy with. */
static void across_blocks(void)
{
	struct slice *held;
	struct chain *c = with_held_c(4096, &held);
	u32 tag[2] = { pattern_new_tag(), pattern_new_tag() };
	struct aio *io[2];

	slice_hold(held);
	io[0] = aio_start(c->fd, IO_WRITE, 4096 + 512, 512, tag[0]);
	ct_sleep_ms(50);
	io[1] = aio_start(c->fd, IO_WRITE, 4096 + 2048, 4 * 4096, tag[1]);
	ct_sleep_ms(50);
	slice_release(held);
	ct_check(!aio_wait(io[0]) && !aio_wait(io[1]), "a write fails");
	model_write(c, 4096 + 512, 512, tag[0]);
	model_write(c, 4096 + 2048, 4 * 4096, tag[1]);
	verify_end(c);
}

/* What E hides must get into D all the same: D may be used without E. */
static void hidden_by_e(void)
{
	struct chain *c = chain_new("chain", 4096);
	struct chain *d;

	chain_push(c, layer_raw_new("A", MIB, 4096));
	chain_push(c, layer_new("B", MIB, 4096, LAYER_INLINE));
	chain_write(c, 0, 16 * 4096);
	chain_discard(c, 16 * 4096, 4 * 4096);
	chain_push(c, layer_new("D", MIB, 4096, LAYER_SEPARATE));
	chain_write(c, 2 * 4096, 4096);
	chain_push(c, layer_new("E", MIB, 4096, LAYER_INLINE));
	chain_write(c, 0, 8 * 4096);
	chain_discard(c, 8 * 4096, 2 * 4096);
	chain_write(c, 17 * 4096, 4096);
	verify_all(c);
	chain_stream(c, 2, 0);
	verify_all(c);
	chain_close(c);
	verify_closed(c);

	/* A <- D by itself. */
	d = chain_new("rollback", 4096);
	d->layer[0] = c->layer[0];
	d->layer[1] = c->layer[1];
	d->nr = 2;
	d->size = MIB;
	d->view = ct_alloc(MIB / SECTOR * sizeof(u32));
	model_view(d->layer, d->nr, d->view);
	chain_open(d);
	verify_all(d);
	chain_close(d);
}

/* Suspend has to wait for a merge, and the merge must not be lost. */
static int suspend_it(struct chain *c)
{
	return dmd_suspend(c->dev, DMD_NOLOCKFS);
}

static void suspend_during_merge(void)
{
	struct slice *held;
	struct chain *c = with_held_c(4096, &held);
	u32 tag = pattern_new_tag();
	struct aio *io;
	pid_t suspend;
	int r;

	slice_hold(held);
	io = aio_start(c->fd, IO_WRITE, 512, 512, tag);
	ct_sleep_ms(50);
	suspend = aside_start(suspend_it, c);
	ct_sleep_ms(CT_MUST_NOT_MS);
	ct_check(!aio_done(io), "the merge is not held");
	slice_release(held);
	r = aside_end(suspend);
	ct_check(!r, "suspend: %s", strerror(-r));
	ct_check(!aio_wait(io), "the write fails");
	ct_check(!dmd_resume(c->dev), "resume");
	model_write(c, 512, 512, tag);
	verify_end(c);
}

const struct scenario race_scenarios[] = {
	{ "holes", "read-in-flight-of-a-dropped-layer", read_of_dropped },
	{ "holes", "stream-beside-a-read-that-hangs", stream_beside_a_read },
	{ "holes", "partial-and-whole-write", whole_4k },
	{ "holes", "partial-and-whole-write-64k", whole_64k },
	{ "holes", "partial-and-whole-fua-write-64k", whole_fua },
	{ "holes", "partial-write-and-discard-64k", discard_64k },
	{ "holes", "partial-write-and-write-zeroes-64k", zero_64k },
	{ "holes", "partial-and-partial-writes-64k", partial_and_partial },
	{ "holes", "partial-write-across-blocks", across_blocks },
	{ "holes", "blocks-that-e-hides", hidden_by_e },
	{ "holes", "suspend-during-a-merge", suspend_during_merge },
	{ }
};
