// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: guest I/O against a running stream: on blocks that are copied, to
 * be copied and being copied, one by one and from several threads.
 */
#include <stdlib.h>
#include <string.h>

#include "ct.h"

/* B alone holds the first MiB, in one run. */
static struct chain *three_layers(u64 size, u32 block_size)
{
	struct chain *c = chain_new("chain", block_size);
	unsigned int i;

	chain_push(c, layer_raw_new("A", size, block_size));
	chain_push(c, layer_new("B", size, block_size, LAYER_SEPARATE));
	chain_fill(c, 30);
	chain_write(c, 0, MIB);
	chain_push(c, layer_new("C", size, block_size, LAYER_INLINE));
	for (i = 0; i < 20; i++)
		chain_write(c, MIB + ct_random((size - MIB) / 8192) * 4096, 4096);
	chain_push(c, layer_new("D", size, block_size, LAYER_INLINE));
	verify_all(c);
	return c;
}

static void finish(struct chain *c, int top, int base)
{
	stream_done(c, top, base);
	verify_all(c);
	chain_release(c);
	chain_close(c);
	verify_closed(c);
	verify_tool(c);
	chain_open(c);
	verify_all(c);
}

/*
 * The job copies a unit and then waits for its budget for a day: what lies
 * below its offset is copied, what lies behind is not.
 */
static void around_the_cursor(u32 block_size, int top, int base)
{
	struct chain *c = three_layers(2 * MIB, block_size);
	const char *id = c->layer[top]->name;
	u64 bs = block_size;
	u64 offset;
	unsigned int i;

	stream_start(c, top, base, "speed 8");
	ct_wait(job_num(c, id, "offset="), "the job does not begin");
	offset = round_down(job_num(c, id, "offset="), bs);
	ct_check(offset && offset < MIB, "the first unit ends at %llu", offset);

	chain_write(c, offset - bs, 512);
	chain_write(c, offset - 512, 1024);
	chain_write(c, offset, bs);
	chain_write(c, offset + 2 * bs + 1536, 512);
	chain_discard(c, offset / 2, 2 * bs);
	chain_discard(c, offset + 4 * bs, 2 * bs);
	chain_zero(c, 512, bs);
	chain_zero(c, offset + 7 * bs + 512, bs + 512);
	verify_view(c);
	for (i = 0; i < 60; i++)
		chain_random_op(c);
	verify_view(c);
	ct_check(job_num(c, id, "offset=") < c->size, "the job did not wait");
	free(msg(c, "job %s set-speed 0", id));
	for (i = 0; i < 20; i++)
		chain_random_op(c);
	finish(c, top, base);
}

static void cursor_4k(void)
{
	around_the_cursor(4096, 3, 0);
}

static void cursor_64k(void)
{
	around_the_cursor(65536, 3, -1);
}

static void cursor_below(void)
{
	around_the_cursor(4096, 2, 0);
}

/*
 * The device below B is held, so that the job's unit stays in flight. What the
 * guest does to its blocks must not be lost, what it does elsewhere not wait.
 */
static void being_copied(u32 block_size, int top)
{
	struct chain *c = chain_new("chain", block_size);
	u64 size = 2 * MIB, bs = block_size;
	struct slice *sub[2], *b;
	struct aio *io[8];
	unsigned int i;
	u32 tag[8];

	chain_push(c, layer_new("A", size, block_size, LAYER_INLINE));
	chain_fill(c, 30);
	sub[0] = slice_new(0, MIB);
	sub[1] = slice_new(0, MIB);
	b = slice_compose(2, sub);
	chain_push(c, layer_on("B", size, block_size, b, slice_new(MIB, 0)));
	chain_write(c, 0, MIB);
	chain_push(c, layer_new("C", size, block_size, LAYER_INLINE));
	chain_push(c, layer_new("D", size, block_size, LAYER_INLINE));
	verify_all(c);

	slice_hold(sub[0]);
	stream_start(c, top, 0, "");
	ct_sleep_ms(50);
	/* Not later: a discard of the same file waits for one that is held. */
	chain_discard(c, MIB + 7 * bs, bs);
	for (i = 0; i < ARRAY_SIZE(tag); i++)
		tag[i] = pattern_new_tag();
	io[0] = aio_start(c->fd, IO_WRITE, 0, bs, tag[0]);
	io[1] = aio_start(c->fd, IO_WRITE, bs + 512, 512, tag[1]);
	io[2] = aio_start(c->fd, IO_READ, 2 * bs, bs, 0);
	io[3] = aio_start(c->fd, IO_DISCARD, 3 * bs, bs, 0);
	io[4] = aio_start(c->fd, IO_ZERO, 4 * bs, bs, 0);
	io[5] = aio_start(c->fd, IO_WRITE, 5 * bs, 2 * bs, tag[5]);
	io[6] = aio_start(c->fd, IO_WRITE_FUA, 8 * bs, bs, tag[6]);
	io[7] = aio_start(c->fd, IO_WRITE, 9 * bs + 1024, bs, tag[7]);

	/* Elsewhere nothing waits, not even a flush. */
	chain_write(c, MIB + 3 * bs, bs);
	chain_write(c, MIB + 5 * bs + 512, 512);
	chain_flush(c);
	ct_check(job_live(c, c->layer[top]->name),
		 "the job is over although its source is held");

	slice_release(sub[0]);
	for (i = 0; i < ARRAY_SIZE(io); i++)
		ct_check(!aio_wait(io[i]), "request %u: %s", i,
			 strerror(-io[i]->err));
	ct_check(pattern_is(io[2]->buf, c->view[2 * bs / SECTOR],
			    2 * bs / SECTOR), "the read shows %s",
		 pattern_describe(io[2]->buf));
	model_write(c, 0, bs, tag[0]);
	model_write(c, bs + 512, 512, tag[1]);
	model_discard(c, 3 * bs, bs);
	model_zero(c, 4 * bs, bs);
	model_write(c, 5 * bs, 2 * bs, tag[5]);
	model_write(c, 8 * bs, bs, tag[6]);
	model_write(c, 9 * bs + 1024, bs, tag[7]);
	finish(c, top, 0);
}

static void being_copied_4k(void)
{
	being_copied(4096, 3);
}

static void being_copied_64k(void)
{
	being_copied(65536, 3);
}

static void being_copied_below(void)
{
	being_copied(4096, 2);
}

/* Several threads that write all the time. */
static void threads(u32 block_size, int top, int base, const char *words)
{
	struct chain *c = three_layers(4 * MIB, block_size);
	const char *id = c->layer[top]->name;
	struct writers *w = writers_start(c);

	stream_start(c, top, base, words);
	job_wait(c, id);
	writers_stop(w);
	finish(c, top, base);
}

static void threads_4k(void)
{
	threads(4096, 3, 0, "");
}

static void threads_slow(void)
{
	threads(4096, 3, -1, "speed 4000000");
}

static void threads_64k(void)
{
	threads(65536, 3, 0, "speed 8000000");
}

static void threads_below(void)
{
	threads(4096, 2, -1, "speed 8000000");
}

const struct scenario guestio_scenarios[] = {
	{ "guestio", "around-the-cursor", cursor_4k },
	{ "guestio", "around-the-cursor-64k-no-base", cursor_64k },
	{ "guestio", "around-the-cursor-of-an-intermediate", cursor_below },
	{ "guestio", "being-copied", being_copied_4k },
	{ "guestio", "being-copied-64k", being_copied_64k },
	{ "guestio", "being-copied-to-an-intermediate", being_copied_below },
	{ "guestio", "threads", threads_4k },
	{ "guestio", "threads-slow-no-base", threads_slow },
	{ "guestio", "threads-64k", threads_64k },
	{ "guestio", "threads-above-an-intermediate", threads_below },
	{ }
};
