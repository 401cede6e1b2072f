// SPDX-License-Identifier: GPL-2.0
/* chaintorture: lists drawn at random. The same seed draws the same list. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static u32 draw_block_size(void)
{
	static const u32 other[] = { 8192, 16384, 262144 };
	u64 n = ct_random(20);

	if (n < 12)
		return 4096;
	if (n < 17)
		return 65536;
	if (n < 19)
		return 1048576;
	return other[ct_random(ARRAY_SIZE(other))];
}

/* Most chains are small, so that what may meet does. */
static void draw_sizes(struct setup *s)
{
	u32 bs = s->block_size;
	u64 blocks = bs == 4096 ? 64 + ct_random(400) :
		     bs < 262144 ? 16 + ct_random(50) : 3 + ct_random(6);

	s->size = blocks * bs;
	/* Over a border of the owner map, or of a map page. */
	if (bs == 4096 && one_in(12))
		s->size = 17 * MIB;
	if (bs == 4096 && one_in(40))
		s->size = 64 * MIB;
	if (one_in(3))
		s->size += (1 + ct_random(bs / SECTOR - 1)) * SECTOR;
	s->room = s->size + (s->size > 8 * MIB ? MIB : sectors(s->size / 2));
	s->layers = s->size > 32 * MIB ? 3 : s->size > 8 * MIB ? 5 :
		    TORTURE_LAYERS;
	s->raw = 0;
	if (ct_random(10) < 7) {
		s->raw = s->size;
		if (one_in(4))
			s->raw = sectors(s->size / 4 + ct_random(s->size / 2));
		else if (one_in(3))
			s->raw = s->room;
	}
	s->separate = ct_random(2);
}

static void draw_threads(struct setup *s, int threads)
{
	static const u64 chunk[] = {
		512, 512, 1024, 1024, 2048, 4096, 16384, 65536, 262144, MIB
	};

	s->threads = threads >= 0 ? threads :
		     one_in(2) ? 2 + ct_random(TORTURE_THREADS - 1) : 0;
	if (!s->threads)
		return;
	do
		s->chunk = chunk[ct_random(ARRAY_SIZE(chunk))];
	while ((s->threads + 1) * s->chunk > s->size);
}

static void draw_weights(struct plan *p)
{
	static const unsigned int usual[OP_KINDS] = {
		[OP_READ] = 20, [OP_WRITE] = 26, [OP_FUA] = 5,
		[OP_DISCARD] = 8, [OP_ZERO] = 7, [OP_FLUSH] = 3,
		[OP_SNAPSHOT] = 9, [OP_STREAM] = 24, [OP_PAUSE] = 2,
		[OP_RESUME] = 2, [OP_SPEED] = 2, [OP_FLOOR] = 1,
		[OP_CEILING] = 1, [OP_FINALIZE] = 3, [OP_CANCEL] = 2,
		[OP_END] = 9, [OP_SUSPEND] = 2, [OP_RELOAD] = 3,
		[OP_REOPEN] = 1, [OP_GROW] = 2, [OP_COPY] = 1, [OP_MOVE] = 2,
		[OP_CHECK] = 2, [OP_SLOW] = 1, [OP_IDLE] = 2,
	};
	unsigned int i;

	/* Each list has its own likes and dislikes. */
	for (i = 0; i < OP_KINDS; i++)
		p->weight[i] = 4 * usual[i] * (1 + ct_random(4)) / 2;
	/* What takes long is the rest. */
	for (i = 0; i <= OP_FLUSH; i++)
		p->weight[i] *= p->list->setup.threads ? 5 : 2;
}

static enum op_kind draw_kind(const struct plan *p)
{
	unsigned int i, sum = 0;
	u64 n;

	for (i = 0; i < OP_KINDS; i++)
		sum += p->weight[i];
	n = ct_random(sum);
	for (i = 0; n >= p->weight[i]; i++)
		n -= p->weight[i];
	return i;
}

/* Somewhere: mostly where others were, or at a border of something. */
static u64 draw_place(struct plan *p, u64 size)
{
	u64 bs = p->list->setup.block_size;
	u64 at;

	switch (ct_random(9)) {
	case 0:
		at = ct_random(size / SECTOR) * SECTOR;
		break;
	case 1:
		at = p->shape.size[ct_random(p->shape.nr)];
		at -= min(at, ct_random(12) * SECTOR);
		return at < size ? at : p->focus;
	case 8:
		at = p->shape.size[ct_random(p->shape.nr)];
		break;
	case 2:
		at = (1 + ct_random(4)) * DM_CHAIN_BLOCKS_PER_PAGE / 4 * bs;
		break;
	case 3:
		p->focus = ct_random(size / SECTOR) * SECTOR;
		fallthrough;
	default:
		at = p->focus;
	}
	at = (at / bs + ct_random(3)) * bs;
	at -= min(at, bs);
	if (one_in(2))
		at += ct_random(bs / SECTOR) * SECTOR;
	return at < size ? at : p->focus;
}

static u64 draw_len(const struct plan *p)
{
	u32 bs = p->list->setup.block_size;

	switch (ct_random(8)) {
	case 0:
		return SECTOR;
	case 1:
	case 2:
		return (1 + ct_random(bs / SECTOR + 4)) * SECTOR;
	case 3:
	case 4:
		return bs;
	case 5:
		return (1 + ct_random(4)) * bs;
	case 6:
		return (1 + ct_random(128)) * SECTOR;
	default:
		return (1 + ct_random(MIB / SECTOR)) * SECTOR;
	}
}

void draw_own(const struct plan *p, unsigned int thread, s64 *at, s64 *len)
{
	const struct setup *s = &p->list->setup;
	s64 chunk, rest;

	if (!s->threads)
		return;
	chunk = *at / s->chunk;
	chunk += thread - chunk % (s->threads + 1);
	*at = chunk * s->chunk + *at % s->chunk;
	rest = s->chunk - *at % s->chunk;
	*len = min(*len, rest);
}

/* Something that the thread may read, or write. */
static void draw_range(struct plan *p, unsigned int thread, bool write, s64 *at,
		       s64 *len)
{
	const struct setup *s = &p->list->setup;

	*at = draw_place(p, s->threads ? s->size : shape_size(&p->shape));
	*len = draw_len(p);
	if (!s->threads || !write)
		return;
	draw_own(p, thread, at, len);
	/* Whole ones now and then: it takes them to make a block zero. */
	if (one_in(3)) {
		*at -= *at % s->chunk;
		*len = s->chunk;
	}
}

void draw_io(struct plan *p, enum op_kind kind, struct op *op)
{
	op->kind = kind;
	op->thread = ct_random(p->list->setup.threads + 1);
	draw_range(p, op->thread, kind != OP_READ, &op->arg[IO_AT],
		   &op->arg[IO_LEN]);
	if (kind <= OP_FUA)
		op->arg[IO_CUT] = one_in(2) ? 0 : ct_random(64);
}

static void draw_snapshot(struct plan *p, s64 *arg)
{
	const struct setup *s = &p->list->setup;
	u64 size = shape_size(&p->shape);

	if (!s->threads && one_in(4)) {
		size = s->size / 2 + ct_random(s->room - s->size / 2 + 1);
		size = one_in(2) ? round_up(size, s->block_size) : sectors(size);
		size = min(size, s->room);
	}
	arg[SNAP_LAYER] = ++p->layers;
	arg[SNAP_SIZE] = size;
	arg[SNAP_SEPARATE] = ct_random(2);
	arg[SNAP_HOW] = ct_random(4);
}

static u64 draw_speed(void)
{
	static const u64 speed[] = { 8, 200000, 1000000, 8000000 };

	return one_in(2) ? 0 : speed[ct_random(ARRAY_SIZE(speed))];
}

static void draw_stream(struct plan *p, s64 *arg)
{
	const struct shape *s = &p->shape;
	unsigned int top = one_in(2) ? s->nr - 1 : ct_random(s->nr);
	int base = (int)ct_random(top + 1) - 1;

	arg[JOB_ID] = ++p->jobs;
	arg[JOB_TOP] = s->layer[top];
	arg[JOB_BASE] = base < 0 ? -1 : s->layer[base];
	arg[JOB_OPTIONS] = JOB_POLICY * ct_random(5) + ct_random(JOB_POLICY);
	arg[JOB_SPEED] = draw_speed();
}

static void draw_grow(struct plan *p, s64 *arg)
{
	const struct shape *s = &p->shape;
	u64 size = shape_size(s), to = s->size[ct_random(s->nr)];

	/* Over a layer that is longer, and not. */
	if (to <= size || one_in(2))
		to = size + (1 + ct_random(4 * p->list->setup.block_size /
					   SECTOR)) * SECTOR;
	arg[0] = to;
}

/* One of a motif, if there is one on its way. */
static bool draw_queued(struct plan *p, struct op *op)
{
	if (p->next == p->queued && one_in(12))
		draw_motif(p);
	if (p->next == p->queued || one_in(8))
		return false;
	*op = p->queue[p->next++];
	return true;
}

static void draw_op(struct plan *p, struct op *op)
{
	const struct setup *s = &p->list->setup;
	s64 *arg = op->arg;

	if (draw_queued(p, op))
		return;
	memset(op, 0, sizeof(*op));
	op->kind = draw_kind(p);
	switch (op->kind) {
	case OP_READ:
	case OP_WRITE:
	case OP_FUA:
	case OP_DISCARD:
	case OP_ZERO:
		draw_io(p, op->kind, op);
		break;
	case OP_FLUSH:
		op->thread = ct_random(s->threads + 1);
		break;
	case OP_SNAPSHOT:
		draw_snapshot(p, arg);
		break;
	case OP_STREAM:
		draw_stream(p, arg);
		break;
	case OP_SUSPEND:
		arg[SUSPEND_HOW] = ct_random(4);
		if (one_in(2))
			draw_range(p, 0, true, &arg[SUSPEND_AT],
				   &arg[SUSPEND_LEN]);
		break;
	case OP_RELOAD:
		arg[0] = ct_random(8);
		break;
	case OP_REOPEN:
		arg[0] = one_in(3) ? HOW_HELD : 0;
		break;
	case OP_GROW:
		draw_grow(p, arg);
		break;
	case OP_COPY:
		arg[0] = !p->shape.copy;
		arg[COPY_HOW] = ct_random(16);
		if (arg[COPY_ON] && one_in(2))
			arg[COPY_BOTTOM] = 1 + p->shape.layer[ct_random(p->shape.nr)];
		break;
	case OP_MOVE:
		arg[MOVE_LAYER] = p->shape.layer[ct_random(p->shape.nr)];
		arg[MOVE_HOW] = ct_random(4);
		break;
	case OP_CHECK:
		arg[0] = ct_random(2);
		break;
	case OP_SLOW:
		arg[SLOW_LAYER] = p->shape.layer[ct_random(p->shape.nr)];
		arg[SLOW_MS] = one_in(2) ? 0 : one_in(2) ? 2 : 60;
		break;
	case OP_IDLE:
		arg[0] = 1 + ct_random(4);
		break;
	default:
		if (p->shape.nr_jobs)
			arg[JOB_ID] = p->shape.job[ct_random(p->shape.nr_jobs)].id;
		if (op->kind >= OP_SPEED && op->kind <= OP_CEILING)
			arg[1] = draw_speed();
	}
}

/**
 * plan() - draw a list
 * @ops: how many operations that apply; with several threads it is twice as many
 * @threads: how many besides the first one, -1 to draw that as well
 */
struct list *plan(u64 seed, unsigned int ops, int threads)
{
	struct plan p = { .layers = 1 };
	struct list *l = ct_alloc(sizeof(*l));
	struct op op;

	ct_seed(seed);
	p.list = l;
	l->setup.seed = seed;
	l->setup.block_size = draw_block_size();
	draw_sizes(&l->setup);
	draw_threads(&l->setup, threads);
	if (l->setup.threads)
		ops *= 2;
	draw_weights(&p);
	shape_init(&p.shape, &l->setup);
	l->op = ct_alloc(ops * sizeof(*l->op));
	while (l->nr < ops) {
		draw_op(&p, &op);
		if (!shape_apply(&p.shape, &l->setup, &op))
			continue;
		op.nr = l->nr + 1;
		l->op[l->nr++] = op;
	}
	return l;
}
