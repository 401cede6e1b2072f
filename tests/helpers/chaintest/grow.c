// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: a table that is longer than its active layer. What is new must be
 * zeros, whatever lies below and whatever the devices hold, and stay so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"

#define ROOM	(4 * MIB)

/* What the layer holds of the block that its end cuts. */
enum last { LAST_NOTHING, LAST_DATA, LAST_PART, LAST_ZERO, NR_LAST };

static void write_last(struct chain *c, enum last last)
{
	u64 begin = round_down(c->size - 1, c->block_size);

	switch (last) {
	case LAST_DATA:
		chain_write(c, begin, c->size - begin);
		break;
	case LAST_PART:
		chain_write(c, c->size - SECTOR, SECTOR);
		break;
	case LAST_ZERO:
		chain_write(c, begin, c->size - begin);
		chain_discard(c, begin, c->size - begin);
		break;
	default:
		break;
	}
}

/* Some data and zeros, but nothing in the last block. */
static void fill_before(struct chain *c, u64 end)
{
	u64 bs = c->block_size, blocks = (end - 1) / bs, offset;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		offset = ct_random(blocks - 1) * bs;
		if (i % 4 == 3)
			chain_discard(c, offset, bs);
		else
			chain_write(c, offset + (i % 2) * SECTOR, SECTOR * 5);
	}
}

/* A <- B <- E of @size, with data in all of them. */
static struct chain *three(u32 block_size, u64 below, u64 size, bool raw,
			   enum last last)
{
	struct chain *c = chain_new("chain", block_size);

	if (raw) {
		chain_push(c, layer_raw_new("A", 3 * MIB, block_size));
	} else {
		chain_push(c, layer_new("A", 3 * MIB, block_size, LAYER_INLINE));
		chain_write(c, 0, MIB);
		chain_write(c, MIB, 2 * MIB);
	}
	chain_push(c, layer_new("B", below, block_size, raw ? LAYER_INLINE :
				LAYER_SEPARATE));
	chain_write(c, 0, below / 4 * 3 / SECTOR * SECTOR);
	chain_fill(c, 5);
	chain_push(c, layer_new_room("E", size, ROOM, block_size,
				     raw ? LAYER_SEPARATE : LAYER_INLINE));
	fill_before(c, size);
	write_last(c, last);
	verify_all(c);
	return c;
}

static void reopen(struct chain *c)
{
	verify_all(c);
	chain_close(c);
	verify_closed(c);
	chain_open(c);
	verify_all(c);
}

static void end(struct chain *c)
{
	reopen(c);
	chain_close(c);
	verify_closed(c);
	verify_tool(c);
}

/* Twice, with writes between; what lies below is taken away in the end. */
static void grow_one(u32 block_size, u64 below, u64 size, bool raw,
		     enum last last)
{
	struct chain *c;
	u64 more[2];

	ct_note("blocks of %u, %s base, %llu on %llu, last block: %u",
		block_size, raw ? "raw" : "formatted", size, below, last);
	c = three(block_size, below, size, raw, last);
	/* The first to within the block that the end cuts, if it does. */
	more[0] = size % block_size ? size + SECTOR : size + 5 * SECTOR;
	more[1] = 2 * MIB + MIB / 2 + 3 * SECTOR;
	chain_grow(c, more[0]);
	verify_all(c);
	must_be_zero(c, size, more[0]);
	chain_grow(c, more[1]);
	must_be_zero(c, size, more[1]);
	reopen(c);
	must_be_zero(c, size, more[1]);

	chain_write(c, more[1] - SECTOR, SECTOR);
	chain_write(c, size, SECTOR);
	chain_write(c, 2 * MIB + SECTOR, SECTOR);
	must_be_zero(c, size + SECTOR, 2 * MIB);
	verify_all(c);
	chain_stream(c, 2, 0);
	verify_all(c);
	must_be_zero(c, size + SECTOR, 2 * MIB);
	chain_fill(c, 5);
	chain_grow(c, 3 * MIB + MIB / 2);
	must_be_zero(c, more[1], c->size);
	verify_all(c);
	if (last % 2) {
		chain_stream(c, 1, -1);
		must_be_zero(c, more[1], c->size);
	}
	end(c);
	pool_reset();
}

static void grow_all(u32 block_size)
{
	const u64 size = MIB + SECTOR, odd = MIB + 3 * SECTOR;
	unsigned int last;

	grow_one(block_size, 3 * MIB, MIB, false, LAST_NOTHING);
	grow_one(block_size, MIB, MIB, true, LAST_DATA);
	for (last = 0; last < NR_LAST; last++)
		grow_one(block_size, last % 2 ? 2 * MIB + SECTOR : 3 * MIB,
			 size, true, last);
	grow_one(block_size, 3 * MIB, odd, false, LAST_NOTHING);
	grow_one(block_size, odd, odd, false, LAST_NOTHING);
	grow_one(block_size, MIB / 2 + SECTOR, odd, false, LAST_DATA);
}

static void grow_4k(void)
{
	grow_all(4096);
}

static void grow_64k(void)
{
	grow_all(65536);
}

/* Without anything below. */
static void grow_alone(void)
{
	struct chain *c = chain_new("chain", 65536);

	chain_push(c, layer_new_room("E", MIB + SECTOR, ROOM, 65536,
				     LAYER_INLINE));
	chain_fill(c, 30);
	chain_write(c, MIB, SECTOR);
	verify_all(c);
	chain_grow(c, 2 * MIB - SECTOR);
	must_be_zero(c, MIB + SECTOR, c->size);
	verify_all(c);
	chain_grow(c, ROOM);
	must_be_zero(c, MIB + SECTOR, c->size);
	end(c);
}

/* The base's blocks that nobody shows are many: whole map pages and regions. */
static void grow_pages(void)
{
	const u64 page = (u64)DM_CHAIN_BLOCKS_PER_PAGE * 4096;
	u64 size = 20 * MIB + SECTOR, more = page + 3 * MIB + SECTOR;
	struct chain *c = chain_new("chain", 4096);

	chain_push(c, layer_raw_new("A", page + 2 * MIB, 4096));
	chain_push(c, layer_new_room("E", size, more, 4096, LAYER_SEPARATE));
	chain_write(c, 4096, 4096);
	verify_disk(c);
	chain_grow(c, more);
	must_be_zero(c, size, more);
	chain_write(c, page - SECTOR, 2 * SECTOR);
	end(c);
}

/* Growth and the activation in one: no live chain is taken over. */
static void grow_create(void)
{
	struct chain *c = three(65536, 3 * MIB, MIB + SECTOR, true, LAST_NOTHING);

	chain_close(c);
	verify_closed(c);
	model_grow(c, 2 * MIB + 5 * SECTOR);
	chain_open(c);
	verify_all(c);
	must_be_zero(c, MIB + SECTOR, c->size);
	chain_fill(c, 10);
	end(c);
}

/*
 * A <- E with E ending early, then a snapshot F that is longer than E: nothing
 * of A shows behind E. F grows, and E, as the active layer of A <- E alone.
 */
static void grow_snapshot(void)
{
	struct chain *c = chain_new("chain", 4096);
	u64 size = MIB + SECTOR;

	chain_push(c, layer_raw_new("A", 3 * MIB, 4096));
	chain_push(c, layer_new_room("E", size, ROOM, 4096, LAYER_INLINE));
	fill_before(c, size);
	verify_all(c);
	chain_push(c, layer_new_room("F", 2 * MIB + SECTOR, ROOM, 4096,
				     LAYER_SEPARATE));
	chain_write(c, 2 * MIB, SECTOR);
	verify_all(c);
	chain_grow(c, 3 * MIB);
	must_be_zero(c, size, 2 * MIB);
	verify_all(c);
	chain_stream(c, 2, 0);
	must_be_zero(c, size, 2 * MIB);
	must_be_zero(c, 2 * MIB + SECTOR, 3 * MIB);
	verify_all(c);
	chain_grow(c, ROOM);
	verify_all(c);
	chain_push(c, layer_new("G", MIB, 4096, LAYER_INLINE));
	verify_all(c);
	end(c);
}

/*
 * A layer that has an overlay grows: its generation stays, the overlay goes on
 * to show zeros there, and takes it for the one that it was made on.
 */
static void grow_below(void)
{
	struct chain *c = three(4096, 3 * MIB, MIB + SECTOR, true, LAST_NOTHING);
	struct chain *f = chain_new("overlay", 4096);
	struct layer *e = chain_active(c);
	struct dm_chain_sb sb;
	u64 before;

	chain_close(c);
	memcpy(f->layer, c->layer, c->nr * sizeof(*c->layer));
	f->nr = c->nr;
	f->size = e->size;
	f->view = ct_alloc(f->size / SECTOR * sizeof(u32));
	model_view(f->layer, f->nr, f->view);
	chain_push(f, layer_new("F", 2 * MIB, 4096, LAYER_SEPARATE));
	chain_fill(f, 5);
	must_be_zero(f, MIB + 4096, MIB + 8192);
	verify_all(f);
	chain_close(f);

	disk_read_sb(e, &sb);
	before = sb.generation;
	model_grow(c, 3 * MIB);
	chain_open(c);
	verify_all(c);
	chain_close(c);
	disk_read_sb(e, &sb);
	ct_check(sb.generation == before && sb.flags & DM_CHAIN_F_HAS_OVERLAY,
		 "growth invalidates the overlay: generation %llu, not %llu, flags %x",
		 sb.generation, before, sb.flags);
	chain_open(f);
	verify_all(f);
	chain_stream(f, 3, 0);
	end(f);
}

static void grow_under_io(void)
{
	struct chain *c = three(4096, 3 * MIB, MIB + SECTOR, false, LAST_NOTHING);
	u64 size[] = { MIB + MIB / 2 + SECTOR, 2 * MIB + 3 * SECTOR, 3 * MIB };
	struct writers *ws;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		ws = writers_start(c);
		chain_grow_device(c, size[i]);
		writers_stop(ws);
		model_grow(c, size[i]);
		verify_view(c);
		verify_disk_view(c);
	}
	must_be_zero(c, size[1], size[2]);
	end(c);
}

/* A job that has copied something and is not through with it. */
static void start_slowly(struct chain *c, unsigned int top, int base)
{
	const char *id = c->layer[top]->name;

	stream_start(c, top, base, "speed 4096");
	ct_wait(job_num(c, id, "offset="), "job %s does not begin", id);
}

static void stream_faster(struct chain *c, unsigned int top, int base)
{
	const char *id = c->layer[top]->name;

	ct_check(job_live(c, id), "job %s is over", id);
	ct_check(job_num(c, id, "len=") == c->layer[top]->size,
		 "job %s does not know that its top has grown", id);
	free(msg(c, "job %s set-speed 0", id));
	stream_done(c, top, base);
}

/* B, which leaves, is @below long, and hides A behind its end. */
static void grow_job(u32 block_size, u64 below, bool raw, enum last last,
		     bool reload)
{
	u64 size = 2 * MIB + SECTOR;
	struct chain *c = three(block_size, below, size, raw, last);

	start_slowly(c, 2, 0);
	chain_grow(c, 3 * MIB + SECTOR);
	verify_view(c);
	must_be_zero(c, size, c->size);
	if (reload)
		chain_grow(c, 3 * MIB + MIB / 2);
	stream_faster(c, 2, 0);
	must_be_zero(c, size, c->size);
	verify_all(c);
	chain_release(c);
	end(c);
	pool_reset();
}

static void grow_jobs(void)
{
	grow_job(4096, 3 * MIB, true, LAST_NOTHING, true);
	grow_job(65536, 3 * MIB, false, LAST_PART, false);
	/* The end of B cuts the block that E's does, or one before it. */
	grow_job(65536, 2 * MIB + 2 * SECTOR, true, LAST_NOTHING, false);
	grow_job(65536, MIB + 5 * SECTOR, true, LAST_DATA, true);
}

static void grow_paused_job(void)
{
	struct chain *c = three(65536, MIB + SECTOR, 2 * MIB + SECTOR, true,
				LAST_DATA);

	start_slowly(c, 2, 0);
	free(msg(c, "job E pause"));
	chain_grow(c, 3 * MIB);
	verify_view(c);
	free(msg(c, "job E set-speed 0"));
	free(msg(c, "job E resume"));
	stream_done(c, 2, 0);
	must_be_zero(c, 2 * MIB + SECTOR, c->size);
	end(c);
}

static bool is_pending(struct chain *c)
{
	char *jobs = msg(c, "jobs");
	bool pending = strstr(jobs, " status=pending ");

	free(jobs);
	return pending;
}

/*
 * Everything was copied, and would be enough for the old size: what A shows
 * behind the end of B is found when the job goes on.
 */
static void grow_pending_job(u64 below)
{
	struct chain *c = three(65536, below, 2 * MIB + SECTOR, true,
				LAST_NOTHING);

	stream_start(c, 2, 0, "auto-finalize off");
	ct_wait(is_pending(c), "the job is not pending");
	chain_grow(c, 3 * MIB);
	verify_view(c);
	ct_check(is_pending(c), "the job is not pending any more");
	free(msg(c, "job E finalize"));
	stream_done(c, 2, 0);
	must_be_zero(c, 2 * MIB + SECTOR, c->size);
	end(c);
	pool_reset();
}

static void grow_pending_jobs(void)
{
	grow_pending_job(MIB + SECTOR);
	grow_pending_job(3 * MIB);
}

/* The job comes back from its record, after its top has grown. */
static void grow_recorded_job(void)
{
	struct chain *c = three(4096, 3 * MIB, 2 * MIB + SECTOR, true,
				LAST_NOTHING);

	start_slowly(c, 2, 0);
	free(msg(c, "job E pause"));
	chain_close(c);
	disk_adopt(chain_active(c));
	model_grow(c, 3 * MIB);
	chain_open(c);
	verify_view(c);
	free(msg(c, "job E resume"));
	stream_faster(c, 2, 0);
	must_be_zero(c, 2 * MIB + SECTOR, c->size);
	end(c);
}

/* The job is below, in B, which is longer or shorter than E. */
static void grow_above_job(u64 b_size)
{
	u64 size = 2 * MIB + SECTOR;
	struct chain *c = chain_new("chain", 4096);

	chain_push(c, layer_raw_new("A", 3 * MIB, 4096));
	chain_push(c, layer_new("B", b_size, 4096, LAYER_INLINE));
	chain_fill(c, 10);
	chain_push(c, layer_new("C", 3 * MIB, 4096, LAYER_SEPARATE));
	chain_fill(c, 5);
	chain_push(c, layer_new_room("E", size, ROOM, 4096, LAYER_INLINE));
	fill_before(c, size);
	verify_all(c);
	start_slowly(c, 2, -1);
	chain_grow(c, 3 * MIB + MIB / 2 + SECTOR);
	verify_view(c);
	must_be_zero(c, size, c->size);
	stream_faster(c, 2, -1);
	must_be_zero(c, size, c->size);
	verify_all(c);
	chain_stream(c, 1, -1);
	must_be_zero(c, size, c->size);
	end(c);
	pool_reset();
}

static void grow_above_jobs(void)
{
	grow_above_job(3 * MIB);
	grow_above_job(MIB + SECTOR);
}

/* After removal the job's layers are what they are: nothing shows through. */
static void grow_removed(void)
{
	struct chain *c = three(65536, 3 * MIB, MIB + SECTOR, false, LAST_NOTHING);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		chain_grow(c, c->size + MIB / 2 + SECTOR);
		chain_close(c);
		verify_closed(c);
		chain_open(c);
		must_be_zero(c, MIB + SECTOR, c->size);
	}
	chain_stream(c, 2, -1);
	must_be_zero(c, MIB + SECTOR, c->size);
	end(c);
}

const struct scenario grow_scenarios[] = {
	{ "grow", "grow", grow_4k },
	{ "grow", "grow-64k", grow_64k },
	{ "grow", "grow-alone", grow_alone },
	{ "grow", "grow-over-map-pages", grow_pages },
	{ "grow", "grow-at-activation", grow_create },
	{ "grow", "grow-a-snapshot", grow_snapshot },
	{ "grow", "grow-a-layer-with-an-overlay", grow_below },
	{ "grow", "grow-under-io", grow_under_io },
	{ "grow", "grow-the-top-of-a-job", grow_jobs },
	{ "grow", "grow-the-top-of-a-paused-job", grow_paused_job },
	{ "grow", "grow-the-top-of-a-pending-job", grow_pending_jobs },
	{ "grow", "grow-the-top-of-a-recorded-job", grow_recorded_job },
	{ "grow", "grow-above-a-job", grow_above_jobs },
	{ "grow", "grow-and-activate-again", grow_removed },
	{ }
};
