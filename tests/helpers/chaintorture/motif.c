// SPDX-License-Identifier: GPL-2.0
/*
 * chaintorture: motifs: operations that are of interest together, with everything
 * about them drawn, and others drawn in between. By themselves they would hardly
 * ever follow each other.
 */
#include "plan.h"

enum flurry { READS, WRITES, ANY };

static struct op *later(struct plan *p, enum op_kind kind)
{
	struct op *op;

	ct_check(p->queued < PLAN_QUEUE, "a motif is too long");
	op = &p->queue[p->queued++];
	*op = (struct op){ .kind = kind };
	return op;
}

static void later_io(struct plan *p, enum op_kind kind, u64 at, u64 len)
{
	struct op *op = later(p, kind);

	op->arg[IO_AT] = at;
	op->arg[IO_LEN] = len;
	op->arg[IO_CUT] = one_in(2) ? 0 : ct_random(64);
}

static int later_snapshot(struct plan *p, u64 size)
{
	struct op *op = later(p, OP_SNAPSHOT);

	op->arg[SNAP_LAYER] = ++p->layers;
	op->arg[SNAP_SIZE] = size;
	op->arg[SNAP_SEPARATE] = ct_random(2);
	op->arg[SNAP_HOW] = ct_random(4);
	return p->layers;
}

static int later_stream(struct plan *p, int top, int base, s64 speed)
{
	struct op *op = later(p, OP_STREAM);

	op->arg[JOB_ID] = ++p->jobs;
	op->arg[JOB_TOP] = top;
	op->arg[JOB_BASE] = base;
	op->arg[JOB_OPTIONS] = JOB_POLICY * ct_random(5) + ct_random(JOB_POLICY);
	op->arg[JOB_SPEED] = speed;
	return p->jobs;
}

static void later_job(struct plan *p, enum op_kind kind, int job)
{
	later(p, kind)->arg[JOB_ID] = job;
}

static void later_slow(struct plan *p, int layer, s64 ms)
{
	struct op *op = later(p, OP_SLOW);

	op->arg[SLOW_LAYER] = layer;
	op->arg[SLOW_MS] = ms;
}

static int active(const struct plan *p)
{
	return p->shape.layer[p->shape.nr - 1];
}

/* A layer below the position, or -1: none. */
static int any_below(const struct plan *p, unsigned int position)
{
	int at = (int)ct_random(position + 1) - 1;

	return at < 0 ? -1 : p->shape.layer[at];
}

static enum op_kind draw_kind(enum flurry what)
{
	static const enum op_kind any[] = {
		OP_WRITE, OP_WRITE, OP_WRITE, OP_FUA, OP_DISCARD, OP_ZERO,
		OP_READ, OP_READ,
	};

	return what == READS ? OP_READ : what == WRITES ? OP_WRITE :
	       any[ct_random(ARRAY_SIZE(any))];
}

/* By all threads, in few blocks from the focus on. */
static void flurry(struct plan *p, enum flurry what, unsigned int nr,
		   unsigned int blocks)
{
	const struct setup *s = &p->list->setup;
	u64 first = p->focus / s->block_size * s->block_size;

	while (nr--) {
		struct op *op;

		p->focus = first + ct_random(blocks * s->block_size / SECTOR) *
				   SECTOR;
		op = later(p, OP_READ);
		draw_io(p, draw_kind(what), op);
	}
	p->focus = first;
}

/* A few sectors at a time of one block, or two, so that all of them meet there. */
static void hammer(struct plan *p, enum flurry what, unsigned int nr,
		   unsigned int blocks)
{
	const struct setup *s = &p->list->setup;
	u64 first = p->focus / s->block_size * s->block_size;

	while (nr--) {
		struct op *op = later(p, draw_kind(what));

		/* The first thread has other things to do. */
		op->thread = s->threads ? 1 + ct_random(s->threads) : 0;
		op->arg[IO_AT] = first + ct_random(blocks * s->block_size / SECTOR) *
					 SECTOR;
		op->arg[IO_LEN] = (1 + ct_random(4)) * SECTOR;
		if (op->kind != OP_READ)
			draw_own(p, op->thread, &op->arg[IO_AT],
				 &op->arg[IO_LEN]);
	}
}

static void much(struct plan *p, enum flurry what, unsigned int nr,
		 unsigned int blocks)
{
	if (blocks <= 2)
		hammer(p, what, 3 * nr, blocks);
	else
		flurry(p, what, nr, blocks);
}

/*
 * A layer is put on another and streamed into while its blocks are read and written.
 * One of the two may be slow, so that much is under way at a time: writes when the job
 * comes to their blocks, or reads when it ends. Of 50 ms and less dm-delay makes a
 * thread that does not sleep, so there are few of them.
 */
static void draw_under_fire(struct plan *p)
{
	static const s64 slow_top[] = { 2, 2, 60 }, slow_below[] = { 60, 400, 1000 };
	unsigned int blocks = one_in(2) ? 1 + ct_random(2) : 4 + ct_random(28);
	int below = active(p), base = any_below(p, p->shape.nr - 1), top, job;
	enum flurry what = ct_random(3);
	s64 ms;

	much(p, WRITES, 2 + ct_random(6), blocks);
	top = later_snapshot(p, shape_size(&p->shape));
	if (what == READS) {
		ms = slow_below[ct_random(ARRAY_SIZE(slow_below))];
		later_slow(p, below, ms);
		/* The reads are not to be through just when those of the job are. */
		later(p, OP_IDLE)->arg[0] = ms / 2;
	} else if (!one_in(3)) {
		later_slow(p, top, slow_top[ct_random(ARRAY_SIZE(slow_top))]);
	}
	much(p, what, 4 + ct_random(12), blocks);
	job = later_stream(p, top, base, 0);
	/* One that waits before it ends has no reads under way then. */
	if (what == READS)
		p->queue[p->queued - 1].arg[JOB_OPTIONS] &= ~JOB_MANUAL;
	much(p, what, 4 + ct_random(16), blocks);
	later_job(p, OP_END, job);
	much(p, what, 2 + ct_random(6), blocks);
	later_slow(p, top, 0);
	later_slow(p, below, 0);
}

/* Reads, and perhaps a write, across a place. */
static void across(struct plan *p, u64 place)
{
	u64 before = min((1 + ct_random(12)) * SECTOR, place);

	if (one_in(3))
		later_io(p, OP_WRITE, place - before,
			 before + ct_random(3) * SECTOR);
	later_io(p, OP_READ, place - before, before + (1 + ct_random(24)) * SECTOR);
}

/* An end within a block, most often, in the last part of what all layers may have. */
static u64 draw_end(const struct plan *p)
{
	const struct setup *s = &p->list->setup;
	u64 end = s->size - ct_random(s->size / 3 / SECTOR) * SECTOR;

	return one_in(4) ? round_up(end, s->block_size) : end;
}

/* A layer that ends before those below and above it. */
static void draw_short_layer(struct plan *p)
{
	const struct setup *s = &p->list->setup;
	u64 end = min(draw_end(p), s->room);
	int below = active(p), top, job;

	later_io(p, OP_WRITE, max(end, 8 * SECTOR) - 8 * SECTOR,
		 (9 + ct_random(16)) * SECTOR);
	later_snapshot(p, end);
	if (one_in(2))
		across(p, end);
	if (one_in(2)) {
		later(p, OP_GROW)->arg[0] =
			min(end + (1 + ct_random(64)) * SECTOR, s->room);
		across(p, end);
	}
	top = later_snapshot(p, one_in(2) ? s->size : s->room);
	across(p, end);
	across(p, end);
	if (one_in(2))
		later_snapshot(p, one_in(2) ? s->size : s->room);
	job = later_stream(p, top, one_in(2) ? below : any_below(p, p->shape.nr),
			   0);
	later_job(p, OP_END, job);
	across(p, end);
	later(p, OP_CHECK)->arg[0] = ct_random(2);
}

/*
 * A job that reads layers below its own, because one of its own is short, and
 * another one that drops them meanwhile.
 */
static void draw_two_jobs(struct plan *p)
{
	const struct setup *s = &p->list->setup;
	u64 end = min(draw_end(p), s->room);
	int base = one_in(2) ? -1 : any_below(p, p->shape.nr - 1);
	int middle, top, upper, lower;

	across(p, end);
	middle = later_snapshot(p, one_in(2) ? s->size : s->room);
	later_snapshot(p, end);
	if (one_in(3))
		across(p, end);
	top = later_snapshot(p, one_in(2) ? s->size : s->room);
	if (!one_in(4))
		later_snapshot(p, one_in(2) ? s->size : s->room);
	upper = later_stream(p, top, middle, one_in(3) ? 0 : 8);
	if (one_in(2))
		later_job(p, OP_PAUSE, upper);
	lower = later_stream(p, middle, base, 0);
	later_job(p, OP_END, lower);
	later_job(p, OP_END, upper);
	across(p, end);
	later(p, OP_CHECK)->arg[0] = ct_random(2);
}

/*
 * What is not committed yet, in a layer that perhaps has no map page yet, when a copy
 * takes the place of one below it.
 */
static void draw_moved(struct plan *p)
{
	unsigned int blocks = 1 + ct_random(30);
	struct op *op;
	int layer;

	if (!one_in(3))
		later_snapshot(p, shape_size(&p->shape));
	much(p, ANY, 2 + ct_random(8), blocks);
	layer = p->shape.layer[one_in(2) ? 0 : ct_random(p->shape.nr)];
	op = later(p, OP_MOVE);
	op->arg[MOVE_LAYER] = layer;
	op->arg[MOVE_HOW] = ct_random(4);
	much(p, ANY, 4 + ct_random(8), blocks);
}

void draw_motif(struct plan *p)
{
	p->next = 0;
	p->queued = 0;
	p->focus = ct_random(p->list->setup.size / SECTOR) * SECTOR;
	if (one_in(6))
		draw_moved(p);
	/* With several threads all layers are of one size. */
	else if (p->list->setup.threads || one_in(4))
		draw_under_fire(p);
	else if (one_in(2))
		draw_short_layer(p);
	else
		draw_two_jobs(p);
}
