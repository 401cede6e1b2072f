/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chaintorture: random operations on a chain, compared with a model.
 *
 * A list of operations is all there is to a run: what one of them does depends
 * on nothing but those before it. One that does not apply, because another was
 * left out, is skipped. That a job ended the model hears only from the operation
 * that waits for it, however early it was.
 *
 * Layers are numbers: 0 is the raw base, the others count from 1. Sizes and
 * offsets are bytes.
 */
#ifndef CHAINTORTURE_H
#define CHAINTORTURE_H

#include "../chaintest/ct.h"

#define TORTURE_LAYERS	12	/* in a chain at a time */
#define TORTURE_MADE	512	/* in a run */
#define TORTURE_JOBS	6
#define TORTURE_ARGS	5
#define TORTURE_THREADS	4	/* besides the one that does all but I/O */

/* Operation N writes this more than N into its sectors: the base has the others. */
#define TORTURE_TAG	1000000

enum op_kind {
	OP_READ,
	OP_WRITE,
	OP_FUA,
	OP_DISCARD,
	OP_ZERO,
	OP_FLUSH,
	OP_SNAPSHOT,
	OP_STREAM,
	OP_PAUSE,
	OP_RESUME,
	OP_SPEED,
	OP_FLOOR,
	OP_CEILING,
	OP_FINALIZE,
	OP_CANCEL,
	OP_END,
	OP_SUSPEND,
	OP_RELOAD,
	OP_REOPEN,
	OP_GROW,
	OP_COPY,
	OP_MOVE,
	OP_CHECK,
	OP_SLOW,
	OP_IDLE,
	OP_KINDS
};

/* args of what reads and writes */
enum { IO_AT, IO_LEN, IO_CUT };
/* of OP_SNAPSHOT */
enum { SNAP_LAYER, SNAP_SIZE, SNAP_SEPARATE, SNAP_HOW };
/* of OP_STREAM */
enum { JOB_ID, JOB_TOP, JOB_BASE, JOB_OPTIONS, JOB_SPEED };
/* of OP_COPY; the bottom is a layer and one more, or 0 */
enum { COPY_ON, COPY_HOW, COPY_BOTTOM };
/* of OP_MOVE: the layer goes on as a copy on other devices */
enum { MOVE_LAYER, MOVE_HOW };
/* of OP_SLOW: each request of the layer's data device takes so much longer */
enum { SLOW_LAYER, SLOW_MS };
/* of OP_SUSPEND: a write meanwhile */
enum { SUSPEND_HOW, SUSPEND_AT, SUSPEND_LEN };

/* JOB_OPTIONS */
#define JOB_MANUAL	1	/* auto-finalize off */
#define JOB_KEEP	2	/* auto-dismiss off */
#define JOB_VERIFY	4
#define JOB_BOTTOM	8	/* "bottom" instead of "base" */
#define JOB_OWN_ID	16
#define JOB_POLICY	32	/* times 0 to 4: on-error */

/* How a table takes the place of another: DMD_NOFLUSH, DMD_NOLOCKFS, and these */
#define HOW_CLEAR	4	/* load, clear, load */
#define HOW_HELD	8	/* jobs paused */

/**
 * struct op - an operation
 * @nr: in the list as it was drawn
 * @thread: who does it; 0 does all that is no I/O
 * @arg: see op_text for their names
 */
struct op {
	enum op_kind kind;
	unsigned int nr;
	unsigned int thread;
	s64 arg[TORTURE_ARGS];
};

static inline bool op_is_io(const struct op *op)
{
	return op->kind <= OP_FLUSH;
}

/**
 * struct setup - what there is at first
 * @raw: size of the raw base, 0 for none
 * @size: of the first layer above it
 * @room: how long layers may become
 * @layers: as many at a time
 * @chunk: with several threads: who may touch which, in turn
 */
struct setup {
	u64 seed;
	u32 block_size;
	u64 raw;
	u64 size;
	u64 room;
	u32 layers;
	u32 separate;
	u32 threads;
	u64 chunk;
};

struct list {
	struct setup setup;
	struct op *op;
	unsigned int nr;
};

/* ops.c: lists as text */
extern const char *const op_name[OP_KINDS];
void list_save(const struct list *l, FILE *f);
struct list *list_load(const char *path);
struct list *list_copy(const struct list *l);
void list_free(struct list *l);

/* shape.c: the chain as the list says it is; no I/O, no device */
struct shape_job {
	int id;
	int top;
	int bottom;
	unsigned int options;
	bool finalized;
};

struct shape {
	unsigned int nr;
	int layer[TORTURE_LAYERS];
	u64 size[TORTURE_LAYERS];
	u64 most[TORTURE_LAYERS];	/* it may grow to */
	bool made[TORTURE_MADE];
	struct shape_job job[TORTURE_JOBS];
	unsigned int nr_jobs;
	bool copy;
	int copy_bottom;		/* -1: none is named */
};

void shape_init(struct shape *s, const struct setup *setup);
bool shape_apply(struct shape *s, const struct setup *setup, struct op *op);
int shape_find(const struct shape *s, int layer);
struct shape_job *shape_job(struct shape *s, int id);

static inline u64 shape_size(const struct shape *s)
{
	return s->size[s->nr - 1];
}

/* plan.c: lists drawn at random */
struct list *plan(u64 seed, unsigned int ops, int threads);

/* shared between the process of a run and the one that watches it */
struct progress {
	unsigned int at;	/* index of the last operation that began */
	unsigned int began[OP_KINDS];
	unsigned int layers;
	unsigned int checks;
};

extern struct progress *progress;
extern const char *unload_module;
extern bool use_tools;

/* run.c: a list, done */
struct run {
	const struct list *list;
	struct chain *c;
	struct shape shape;
	struct layer *layer[TORTURE_MADE];
	bool copied[TORTURE_MADE];	/* by a job or a read: since the last look */
	bool slow[TORTURE_MADE];
	bool moved[TORTURE_MADE];
	struct slot *free_slots;
	struct slice *free_raw;
	struct seen *seen;
	struct steps *steps;
};

void run_list(const struct list *l);
void do_op(struct run *r, unsigned int i);

/* steps.c: who does which operation when */
void steps_run(struct run *r);

/* seen.c: what a read may show while other threads write */
void seen_init(struct run *r);
void seen_begin(struct run *r, u64 from, u64 to, u32 tag);
void seen_end(struct run *r, u64 from, u64 to);
u32 *seen_before(const struct run *r, u64 at, u64 len);
char *seen_compare(const struct run *r, u64 at, u64 len, const u8 *buf,
		   const u32 *before);

/* table.c: other tables, new layers, layers that left */
void table_first(struct run *r);
void table_snapshot(struct run *r, const struct op *op);
void table_swap(struct run *r, unsigned int how);
void table_reopen(struct run *r, unsigned int how);
void table_dropped(struct run *r, struct layer *l);
void table_slow(struct run *r, int layer, unsigned int ms);
void table_all_fast(struct run *r);
int table_number(const struct run *r, const struct layer *l);
void table_grow(struct run *r, u64 size);
void table_copy(struct run *r, unsigned int how);
void table_move(struct run *r, int layer, unsigned int how);

/* jobs.c */
void job_op(struct run *r, const struct op *op, const struct shape_job *job);
void job_end(struct run *r, const struct shape_job *job);

/* look.c: everything compared */
void look(struct run *r, bool suspended);
void look_closed(struct run *r);

static inline bool run_threaded(const struct run *r)
{
	return r->list->setup.threads;
}

/* judge.c: a run in a process of its own; the shortest list that fails */
struct verdict {
	bool failed;
	bool stuck;		/* what is left cannot be cleared away */
	unsigned int at;
	char why[2048];
};

void judge(const struct list *l, const char *pool, struct verdict *v);
struct list *shrink(const struct list *l, const char *pool, struct verdict *v,
		    unsigned int seconds);

#endif
