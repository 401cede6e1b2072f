// SPDX-License-Identifier: GPL-2.0
/*
 * chaintorture: which layers and jobs there are, after a list's first operations.
 * Whoever draws a list and whoever does it look here, so both skip the same.
 */
#include <string.h>

#include "torture.h"

void shape_init(struct shape *s, const struct setup *setup)
{
	memset(s, 0, sizeof(*s));
	if (setup->raw) {
		s->size[s->nr] = setup->raw;
		s->layer[s->nr++] = 0;
	}
	s->copy_bottom = -1;
	s->made[0] = true;
	s->made[1] = true;
	s->layer[s->nr] = 1;
	s->size[s->nr] = setup->size;
	s->most[s->nr] = min(4 * setup->size, setup->room);
	s->nr++;
}

/* Return: its position, or -1. */
int shape_find(const struct shape *s, int layer)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		if (s->layer[i] == layer)
			return i;
	return -1;
}

struct shape_job *shape_job(struct shape *s, int id)
{
	unsigned int i;

	for (i = 0; i < s->nr_jobs; i++)
		if (s->job[i].id == id)
			return &s->job[i];
	return NULL;
}

/* May the thread write all of it? It is cut at the device's end. */
static bool apply_io(struct shape *s, const struct setup *setup, bool write,
		     unsigned int thread, s64 at, s64 *len)
{
	/* The threads do not look at what changes beside them. */
	u64 size = setup->threads ? setup->size : shape_size(s);

	if (at < 0 || *len <= 0 || at % SECTOR || *len % SECTOR ||
	    (u64)at >= size)
		return false;
	*len = min((u64)*len, size - at);
	if (!setup->threads || !write)
		return true;
	return at / setup->chunk == (at + *len - 1) / setup->chunk &&
	       at / setup->chunk % (setup->threads + 1) == thread;
}

static bool apply_snapshot(struct shape *s, const struct setup *setup,
			   const struct op *op)
{
	s64 layer = op->arg[SNAP_LAYER];
	u64 size = op->arg[SNAP_SIZE];

	if (s->nr >= setup->layers || layer < 1 || layer >= TORTURE_MADE ||
	    s->made[layer] || size < SECTOR || size % SECTOR ||
	    size > setup->room)
		return false;
	if (setup->threads && size != shape_size(s))
		return false;
	s->made[layer] = true;
	s->layer[s->nr] = layer;
	s->size[s->nr] = size;
	s->most[s->nr++] = min(4 * size, setup->room);
	return true;
}

static bool apply_stream(struct shape *s, const struct op *op)
{
	int top = shape_find(s, op->arg[JOB_TOP]);
	int base = op->arg[JOB_BASE] < 0 ? -1 : shape_find(s, op->arg[JOB_BASE]);
	struct shape_job *job = &s->job[s->nr_jobs];
	unsigned int i;

	if (top < 0 || (base < 0 && op->arg[JOB_BASE] >= 0) ||
	    base + 1 >= top || s->nr_jobs == TORTURE_JOBS ||
	    shape_job(s, op->arg[JOB_ID]))
		return false;
	for (i = 0; i < s->nr_jobs; i++)
		if (shape_find(s, s->job[i].bottom) <= top &&
		    base < shape_find(s, s->job[i].top))
			return false;
	job->id = op->arg[JOB_ID];
	job->top = s->layer[top];
	job->bottom = s->layer[base + 1];
	job->options = op->arg[JOB_OPTIONS];
	job->finalized = false;
	s->nr_jobs++;
	return true;
}

static void drop_job(struct shape *s, struct shape_job *job)
{
	s->nr_jobs--;
	memmove(job, job + 1, (&s->job[s->nr_jobs] - job) * sizeof(*job));
}

/* A job through to its end: its layers but the top leave. */
static bool apply_end(struct shape *s, struct shape_job *job)
{
	int low, top, n, i;

	if (!job)
		return false;
	low = shape_find(s, job->bottom);
	top = shape_find(s, job->top);
	n = s->nr - top;
	i = shape_find(s, s->copy_bottom);
	if (i >= low && i < top)
		s->copy_bottom = job->top;
	memmove(&s->layer[low], &s->layer[top], n * sizeof(s->layer[0]));
	memmove(&s->size[low], &s->size[top], n * sizeof(s->size[0]));
	memmove(&s->most[low], &s->most[top], n * sizeof(s->most[0]));
	s->nr -= top - low;
	drop_job(s, job);
	return true;
}

/*
 * Whether a job is cancelled or has ended before must not be open: one that waits
 * for "finalize" can be cancelled, whatever it is doing.
 */
static bool apply_cancel(struct shape *s, struct shape_job *job)
{
	if (!job || !(job->options & JOB_MANUAL) || job->finalized)
		return false;
	drop_job(s, job);
	return true;
}

static bool apply_finalize(struct shape_job *job)
{
	if (!job || !(job->options & JOB_MANUAL))
		return false;
	job->finalized = true;
	return true;
}

static bool apply_grow(struct shape *s, u64 size)
{
	if (size <= shape_size(s) || size > s->most[s->nr - 1] || size % SECTOR)
		return false;
	s->size[s->nr - 1] = size;
	return true;
}

static bool apply_copy(struct shape *s, const s64 *arg)
{
	int bottom = arg[COPY_ON] ? (int)arg[COPY_BOTTOM] - 1 : -1;

	if (s->copy == !!arg[COPY_ON] || (bottom >= 0 && shape_find(s, bottom) < 0))
		return false;
	s->copy = arg[COPY_ON];
	s->copy_bottom = bottom;
	return true;
}

/* One below the active layer that no job has to do with. */
static bool apply_move(struct shape *s, int layer)
{
	int at = shape_find(s, layer);
	unsigned int i;

	if (at < 0 || at == (int)s->nr - 1)
		return false;
	for (i = 0; i < s->nr_jobs; i++)
		if (shape_find(s, s->job[i].bottom) <= at &&
		    at <= shape_find(s, s->job[i].top))
			return false;
	return true;
}

/**
 * shape_apply() - what an operation makes of the chain
 * @op: its length is cut at the device's end
 *
 * Return: false if it does not apply, and changes nothing.
 */
bool shape_apply(struct shape *s, const struct setup *setup, struct op *op)
{
	s64 *arg = op->arg;

	switch (op->kind) {
	case OP_READ:
	case OP_WRITE:
	case OP_FUA:
	case OP_DISCARD:
	case OP_ZERO:
		return apply_io(s, setup, op->kind != OP_READ, op->thread,
				arg[IO_AT], &arg[IO_LEN]);
	case OP_SNAPSHOT:
		return apply_snapshot(s, setup, op);
	case OP_STREAM:
		return apply_stream(s, op);
	case OP_PAUSE:
	case OP_RESUME:
	case OP_SPEED:
	case OP_FLOOR:
	case OP_CEILING:
		return shape_job(s, arg[JOB_ID]);
	case OP_FINALIZE:
		return apply_finalize(shape_job(s, arg[JOB_ID]));
	case OP_CANCEL:
		return apply_cancel(s, shape_job(s, arg[JOB_ID]));
	case OP_END:
		return apply_end(s, shape_job(s, arg[JOB_ID]));
	case OP_SUSPEND:
		return !arg[SUSPEND_LEN] ||
		       apply_io(s, setup, true, 0, arg[SUSPEND_AT],
				&arg[SUSPEND_LEN]);
	case OP_GROW:
		return apply_grow(s, arg[0]);
	case OP_COPY:
		return apply_copy(s, arg);
	case OP_MOVE:
		return apply_move(s, arg[MOVE_LAYER]);
	case OP_SLOW:
		return shape_find(s, arg[SLOW_LAYER]) >= 0;
	default:
		return true;
	}
}
