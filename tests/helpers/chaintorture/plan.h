/* SPDX-License-Identifier: GPL-2.0 */
/* chaintorture: drawing lists, shared by plan.c and motif.c. */
#ifndef CHAINTORTURE_PLAN_H
#define CHAINTORTURE_PLAN_H

#include "torture.h"

#define PLAN_QUEUE	512

/**
 * struct plan - a list that is being drawn
 * @shape: what the operations drawn so far make of the chain
 * @weight: how often each kind is drawn in this list
 * @focus: where much happens for a while
 * @queue: operations of a motif that are still to come, from @next to @queued
 */
struct plan {
	struct list *list;
	struct shape shape;
	unsigned int weight[OP_KINDS];
	u64 focus;
	int layers;
	int jobs;
	struct op queue[PLAN_QUEUE];
	unsigned int next;
	unsigned int queued;
};

static inline bool one_in(unsigned int n)
{
	return !ct_random(n);
}

static inline u64 sectors(u64 bytes)
{
	return bytes / SECTOR * SECTOR;
}

/* plan.c */
void draw_own(const struct plan *p, unsigned int thread, s64 *at, s64 *len);
void draw_io(struct plan *p, enum op_kind kind, struct op *op);

/* motif.c */
void draw_motif(struct plan *p);

#endif
