// SPDX-License-Identifier: GPL-2.0
/*
 * chaintorture: who does which operation when.
 *
 * The first thread does all that is no I/O. What the others do in the list after such
 * an operation they do once that has begun, while it goes on and perhaps during the
 * next two, but not later: the third waits for them. So a list says what meets what,
 * however long each takes.
 */
#include <stdlib.h>

#include "torture.h"

/**
 * struct steps - how far everybody is
 * @lock: of all that follows
 * @moved: somebody went on
 * @first: the first thread has begun, or is through with, those before this one
 * @at: by thread: those before this one are done
 */
struct steps {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned int first;
	unsigned int at[TORTURE_THREADS + 1];
};

struct worker {
	struct run *r;
	unsigned int id;
	pthread_t thread;
};

/* What everybody waits for, and it for all. */
static bool alone(const struct op *op)
{
	return op->kind == OP_CHECK || op->kind == OP_REOPEN ||
	       op->kind == OP_GROW;
}

/* Return when all others are done with what comes before that operation. */
static void wait_for_others(struct run *r, unsigned int op)
{
	struct steps *s = r->steps;
	unsigned int t;

	pthread_mutex_lock(&s->lock);
	for (t = 1; t <= r->list->setup.threads; t++)
		while (s->at[t] < op)
			pthread_cond_wait(&s->moved, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void go_on(struct steps *s, unsigned int *where, unsigned int to)
{
	pthread_mutex_lock(&s->lock);
	*where = to;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

static void wait_for_first(struct steps *s, unsigned int begun)
{
	pthread_mutex_lock(&s->lock);
	while (s->first < begun)
		pthread_cond_wait(&s->moved, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void *work(void *data)
{
	struct worker *w = data;
	const struct list *l = w->r->list;
	struct steps *s = w->r->steps;
	unsigned int i, begun = 0;

	for (i = 0; i < l->nr; i++) {
		if (!op_is_io(&l->op[i]))
			begun = i + 1;
		if (l->op[i].thread != w->id)
			continue;
		go_on(s, &s->at[w->id], i);
		wait_for_first(s, begun);
		do_op(w->r, i);
	}
	go_on(s, &s->at[w->id], l->nr);
	return NULL;
}

static void work_first(struct run *r)
{
	const struct list *l = r->list;
	struct steps *s = r->steps;
	unsigned int i, last = 0, before = 0;

	for (i = 0; i < l->nr; i++) {
		if (l->op[i].thread)
			continue;
		progress->at = i;
		if (!op_is_io(&l->op[i])) {
			wait_for_others(r, alone(&l->op[i]) ? i : before);
			before = last;
			last = i;
		}
		if (!alone(&l->op[i]))
			go_on(s, &s->first, i + 1);
		do_op(r, i);
		go_on(s, &s->first, i + 1);
	}
}

/**
 * steps_run() - all operations of the list
 */
void steps_run(struct run *r)
{
	struct worker w[TORTURE_THREADS];
	unsigned int i, nr = r->list->setup.threads;

	r->steps = ct_alloc(sizeof(*r->steps));
	pthread_mutex_init(&r->steps->lock, NULL);
	pthread_cond_init(&r->steps->moved, NULL);
	for (i = 0; i < nr; i++) {
		w[i].r = r;
		w[i].id = i + 1;
		ct_check(!pthread_create(&w[i].thread, NULL, work, &w[i]),
			 "no thread");
	}
	work_first(r);
	for (i = 0; i < nr; i++)
		pthread_join(w[i].thread, NULL);
	pthread_cond_destroy(&r->steps->moved);
	pthread_mutex_destroy(&r->steps->lock);
	free(r->steps);
}
