// SPDX-License-Identifier: GPL-2.0
/* chaintest: threads that read and write a chain all the time. */
#include <stdlib.h>
#include <string.h>

#include "ct.h"

#define THREADS	3

/*
 * Each thread owns blocks of its own, and its sectors of every fourth block,
 * which several of them write in parts at the same time.
 */
struct writer {
	pthread_t thread;
	struct chain *c;
	unsigned int id;
	unsigned int ops;
	int stop;
};

struct writers {
	struct writer w[THREADS];
};

static void check_sectors(struct chain *c, u64 block, unsigned int step,
			  unsigned int first, u8 *buf)
{
	u64 offset = block * c->block_size;
	u64 len = min(c->size - offset, (u64)c->block_size);
	int r = io_do(c->fd, IO_READ, offset, len, buf);
	u64 i, s;

	ct_check(!r, "read: %s", strerror(-r));
	for (i = first; i < len / SECTOR; i += step) {
		s = offset / SECTOR + i;
		ct_check(pattern_is(buf + i * SECTOR, c->view[s], s),
			 "sector %llu (block %llu) shows %s, expected write %u",
			 s, block, pattern_describe(buf + i * SECTOR),
			 c->view[s]);
	}
}

static void one_op(struct writer *w, u8 *buf)
{
	struct chain *c = w->c;
	u64 bs = c->block_size;
	u64 block = ct_random(c->size / bs);
	u64 offset = block * bs;
	u64 n = bs / SECTOR;

	if (block % 4 == 0) {
		if (ct_random(3)) {
			n = ct_random(n / THREADS) * THREADS + w->id;
			chain_write(c, offset + n * SECTOR, SECTOR);
		} else {
			check_sectors(c, block, THREADS, w->id, buf);
		}
		return;
	}
	if (block % THREADS != w->id)
		return;
	w->ops++;
	switch (ct_random(8)) {
	case 0:
		chain_discard(c, offset, bs);
		break;
	case 1:
		chain_zero(c, offset, bs);
		break;
	case 2:
	case 3:
		chain_write(c, offset, bs);
		break;
	case 4:
	case 5:
		n = ct_random(n);
		chain_write(c, offset + n * SECTOR,
			    (1 + ct_random(bs / SECTOR - n)) * SECTOR);
		break;
	default:
		check_sectors(c, block, 1, 0, buf);
	}
}

static void *writer(void *data)
{
	struct writer *w = data;
	u8 *buf = io_buf(w->c->block_size);

	ct_seed(w->id + 1);
	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED))
		one_op(w, buf);
	free(buf);
	return NULL;
}

/**
 * writers_start() - let threads read and write
 * @c: its layers and its view must stay the same objects until they stop
 */
struct writers *writers_start(struct chain *c)
{
	struct writers *ws = ct_alloc(sizeof(*ws));
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		ws->w[i].c = c;
		ws->w[i].id = i;
		ct_check(!pthread_create(&ws->w[i].thread, NULL, writer,
					 &ws->w[i]), "no thread");
	}
	writers_more(ws);
	return ws;
}

/* Wait until each has done some more. */
void writers_more(struct writers *ws)
{
	unsigned int i, ops[THREADS];

	for (i = 0; i < THREADS; i++)
		ops[i] = __atomic_load_n(&ws->w[i].ops, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		ct_wait(__atomic_load_n(&ws->w[i].ops, __ATOMIC_RELAXED) >
			ops[i] + 10, "thread %u makes no progress", i);
}

void writers_stop(struct writers *ws)
{
	unsigned int i;

	writers_more(ws);
	for (i = 0; i < THREADS; i++)
		__atomic_store_n(&ws->w[i].stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++) {
		pthread_join(ws->w[i].thread, NULL);
		ct_note("thread %u: %u operations", i, ws->w[i].ops);
	}
	free(ws);
}
