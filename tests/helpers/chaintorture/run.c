// SPDX-License-Identifier: GPL-2.0
/* chaintorture: a list, done: reads and writes, and the threads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "torture.h"

#define PIECES	8

static u32 tag_of(const struct op *op)
{
	return TORTURE_TAG + op->nr;
}

/*
 * The memory of a read or write: @cut says where in a page it begins, in sectors,
 * and of how many pieces of unequal size it is made.
 */
static unsigned int cut_up(struct iovec *iov, u8 *buf, const struct op *op)
{
	u64 cut = op->arg[IO_CUT], left = op->arg[IO_LEN], len;
	unsigned int nr = 1 + cut / 8 % PIECES, n = 0;

	while (left) {
		len = left;
		if (n + 1 < nr)
			len = min(left, (1 + (cut / 8 + 3 * n) % 11) * SECTOR);
		iov[n].iov_base = buf;
		iov[n++].iov_len = len;
		buf += len;
		left -= len;
	}
	return n;
}

static u8 *op_buf(const struct op *op, void **to_free)
{
	u64 shift = op->arg[IO_CUT] % 8 * SECTOR;

	*to_free = io_buf(op->arg[IO_LEN] + shift);
	return (u8 *)*to_free + shift;
}

static void must_be_all(const struct op *op, ssize_t n)
{
	ct_check(n == op->arg[IO_LEN], "operation %u: %s of %lld at %lld: %s",
		 op->nr, op_name[op->kind], op->arg[IO_LEN], op->arg[IO_AT],
		 n < 0 ? strerror(errno) : "short");
}

static void compare(const struct run *r, const struct op *op, const u8 *buf)
{
	u64 s = op->arg[IO_AT] / SECTOR;
	u64 end = s + op->arg[IO_LEN] / SECTOR;

	for (; s < end; s++, buf += SECTOR)
		ct_check(pattern_is(buf, r->c->view[s], s),
			 "operation %u: read of %lld at %lld: sector %llu (block %llu) shows %s, expected write %u",
			 op->nr, op->arg[IO_LEN], op->arg[IO_AT], s,
			 s * SECTOR / r->c->block_size, pattern_describe(buf),
			 r->c->view[s]);
}

static void do_read(struct run *r, const struct op *op)
{
	u64 at = op->arg[IO_AT], len = op->arg[IO_LEN];
	u32 *before = run_threaded(r) ? seen_before(r, at, len) : NULL;
	struct iovec iov[PIECES];
	void *to_free;
	u8 *buf = op_buf(op, &to_free);
	unsigned int n = cut_up(iov, buf, op);
	char *wrong = NULL;

	must_be_all(op, preadv(r->c->fd, iov, n, at));
	if (before)
		wrong = seen_compare(r, at, len, buf, before);
	else
		compare(r, op, buf);
	ct_check(!wrong, "operation %u, thread %u: read of %llu at %llu: %s",
		 op->nr, op->thread, len, at, wrong);
	free(before);
	free(to_free);
}

/* Several threads: which layer has got it is open, what may be seen is not. */
static void will_write(struct run *r, u64 from, u64 to, u32 tag)
{
	if (run_threaded(r))
		seen_begin(r, from, to, tag);
}

static void wrote(struct run *r, u64 from, u64 to, u32 tag)
{
	u64 at;

	if (!run_threaded(r)) {
		model_write(r->c, from, to - from, tag);
		return;
	}
	for (at = from; at < to; at += SECTOR)
		r->c->view[at / SECTOR] = tag;
	seen_end(r, from, to);
}

static void do_write(struct run *r, const struct op *op)
{
	u64 at = op->arg[IO_AT], len = op->arg[IO_LEN];
	struct iovec iov[PIECES];
	void *to_free;
	u8 *buf = op_buf(op, &to_free);
	unsigned int n = cut_up(iov, buf, op);

	pattern_fill(buf, tag_of(op), at / SECTOR, len / SECTOR);
	will_write(r, at, at + len, tag_of(op));
	must_be_all(op, pwritev2(r->c->fd, iov, n, at,
				 op->kind == OP_FUA ? RWF_DSYNC : 0));
	wrote(r, at, at + len, tag_of(op));
	free(to_free);
}

static void do_discard(struct run *r, const struct op *op)
{
	u64 at = op->arg[IO_AT], len = op->arg[IO_LEN];
	u64 bs = r->c->block_size, from = round_up(at, bs), to = at + len;

	if (!run_threaded(r)) {
		chain_discard(r->c, at, len);
		return;
	}
	/* Whole blocks, and the last one may be shorter. */
	if (to < r->c->size)
		to = round_down(to, bs);
	will_write(r, from, to, 0);
	must_be_all(op, io_do(r->c->fd, IO_DISCARD, at, len, NULL) ? -1 :
			(ssize_t)len);
	wrote(r, from, to, 0);
}

static void do_zero(struct run *r, const struct op *op)
{
	u64 at = op->arg[IO_AT], len = op->arg[IO_LEN];

	if (!run_threaded(r)) {
		chain_zero(r->c, at, len);
		return;
	}
	will_write(r, at, at + len, 0);
	must_be_all(op, io_do(r->c->fd, IO_ZERO, at, len, NULL) ? -1 :
			(ssize_t)len);
	wrote(r, at, at + len, 0);
}

/* With a write that comes while nothing gets through. */
static void do_suspend(struct run *r, const struct op *op)
{
	u64 at = op->arg[SUSPEND_AT], len = op->arg[SUSPEND_LEN];
	struct aio *io = NULL;
	int err;

	err = dmd_suspend(r->c->dev, op->arg[SUSPEND_HOW] &
			  (DMD_NOFLUSH | DMD_NOLOCKFS));
	ct_check(!err, "operation %u: suspend: %s", op->nr, strerror(-err));
	if (len) {
		will_write(r, at, at + len, tag_of(op));
		io = aio_start(r->c->fd, IO_WRITE, at, len, tag_of(op));
		ct_sleep_ms(1);
		ct_check(!aio_done(io), "operation %u: a write ends while the device is suspended",
			 op->nr);
	}
	err = dmd_resume(r->c->dev);
	ct_check(!err, "operation %u: resume: %s", op->nr, strerror(-err));
	if (len) {
		err = aio_wait(io);
		ct_check(!err, "operation %u: write: %s", op->nr,
			 strerror(-err));
		wrote(r, at, at + len, tag_of(op));
		free(io->buf);
		free(io);
	}
}

static void do_io(struct run *r, const struct op *op)
{
	switch (op->kind) {
	case OP_READ:
		do_read(r, op);
		break;
	case OP_WRITE:
	case OP_FUA:
		do_write(r, op);
		break;
	case OP_DISCARD:
		do_discard(r, op);
		break;
	case OP_ZERO:
		do_zero(r, op);
		break;
	default:
		chain_flush(r->c);
	}
}

static void do_other(struct run *r, const struct op *op,
		     const struct shape_job *before)
{
	const s64 *arg = op->arg;

	switch (op->kind) {
	case OP_SNAPSHOT:
		table_snapshot(r, op);
		break;
	case OP_END:
		job_end(r, before);
		break;
	case OP_SUSPEND:
		do_suspend(r, op);
		break;
	case OP_RELOAD:
		table_swap(r, arg[0]);
		break;
	case OP_REOPEN:
		table_reopen(r, arg[0]);
		break;
	case OP_GROW:
		table_grow(r, arg[0]);
		break;
	case OP_COPY:
		table_copy(r, arg[COPY_HOW]);
		break;
	case OP_MOVE:
		table_move(r, arg[MOVE_LAYER], arg[MOVE_HOW]);
		break;
	case OP_CHECK:
		look(r, arg[0]);
		break;
	case OP_SLOW:
		table_slow(r, arg[SLOW_LAYER], arg[SLOW_MS]);
		break;
	case OP_IDLE:
		ct_sleep_ms(arg[0]);
		break;
	default:
		job_op(r, op, before);
	}
}

/* An operation, unless it does not apply. */
void do_op(struct run *r, unsigned int i)
{
	struct op op = r->list->op[i];
	struct shape_job before = { }, *job;

	if (op.kind >= OP_PAUSE && op.kind <= OP_END) {
		job = shape_job(&r->shape, op.arg[JOB_ID]);
		if (job)
			before = *job;
	}
	if (!shape_apply(&r->shape, &r->list->setup, &op))
		return;
	__atomic_add_fetch(&progress->began[op.kind], 1, __ATOMIC_RELAXED);
	if (op_is_io(&op))
		do_io(r, &op);
	else
		do_other(r, &op, &before);
}

/* What is left of the jobs, and all that can be looked at. */
static void finish(struct run *r)
{
	struct shape_job job;
	struct op end = { .kind = OP_END }, copy = { .kind = OP_COPY };

	progress->at = r->list->nr;
	while (r->shape.nr_jobs) {
		job = r->shape.job[0];
		end.arg[JOB_ID] = job.id;
		shape_apply(&r->shape, &r->list->setup, &end);
		job_end(r, &job);
	}
	if (shape_apply(&r->shape, &r->list->setup, &copy))
		table_copy(r, 0);
	look(r, false);
	table_swap(r, 0);
	look_closed(r);
}

/**
 * run_list() - do it all on new devices
 *
 * Context: a process of its own, ended by ct_fail() if anything is wrong.
 */
void run_list(const struct list *l)
{
	struct run *r = ct_alloc(sizeof(*r));

	r->list = l;
	ct_seed(l->setup.seed);
	shape_init(&r->shape, &l->setup);
	table_first(r);
	if (run_threaded(r))
		seen_init(r);
	steps_run(r);
	finish(r);
}
