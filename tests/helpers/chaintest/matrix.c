// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: a stream for every (top, base) pair of chains of 2 to 5 layers,
 * with what each layer then holds, and the chain after it was closed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"

#define SIZE	MIB

static const char * const names[] = { "A", "B", "C", "D", "E" };

static struct chain *build(unsigned int nr, u32 block_size, bool raw)
{
	struct chain *c = chain_new("chain", block_size);
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!i && raw) {
			chain_push(c, layer_raw_new(names[i], SIZE, block_size));
			continue;
		}
		/* Inline and separate metadata in turn. */
		chain_push(c, layer_new(names[i], SIZE, block_size,
					(i + nr) % 2 ? LAYER_INLINE :
					LAYER_SEPARATE));
		chain_fill(c, 30);
	}
	verify_all(c);
	return c;
}

/*
 * Overwrite what was dropped, metadata included: nobody may need it. With a tag of 0
 * all of it becomes zeros.
 */
static void scrub(struct chain *c, u32 tag)
{
	unsigned int i;

	for (i = 0; i < c->nr_dropped; i++) {
		struct layer *l = c->dropped[i];

		slice_put(l->data, 0, l->data->size, tag);
		if (l->meta && l->meta != l->data)
			slice_put(l->meta, 0, l->meta->size, tag);
	}
}

/*
 * Close and open: with the dropped layers in the line, with them being garbage, with
 * them zeroed, with them gone, and without them.
 */
static void reopen(struct chain *c, const char *full_line)
{
	struct dm_seg seg = { c->size / SECTOR, "chain", full_line };
	unsigned int i;
	int r;

	for (i = 0; i < 4; i++) {
		chain_close(c);
		verify_closed(c);
		if (i == 1)
			scrub(c, GARBAGE);
		if (i == 2)
			scrub(c, 0);
		if (i == 3)
			while (c->nr_dropped) {
				struct layer *l = c->dropped[--c->nr_dropped];

				if (l->meta && l->meta != l->data)
					slice_drop(l->meta);
				slice_drop(l->data);
			}
		kmsg_mark();
		r = dmd_try_create(c->dev, &seg, 1, false);
		ct_check(!r, "the old table (%s) is refused in round %u: %s: %s",
			 full_line, i, strerror(-r), kmsg_read());
		c->fd = dmd_open(c->dev, O_RDWR | O_DIRECT);
		ct_check(c->fd >= 0, "%s: %m", c->dev);
		verify_view(c);
		verify_disk(c);
		verify_map(c);
	}
	chain_close(c);
	chain_open(c);
	verify_all(c);
}

/* Does the job stop where it can be looked at? Counted: most have to. */
static unsigned int looked;

static void one(unsigned int nr, unsigned int top, int base, u32 block_size,
		bool raw, bool full)
{
	struct layer *all[ARRAY_SIZE(names)];
	u64 hash[ARRAY_SIZE(names)];
	struct chain *c;
	char *line;
	unsigned int i;

	ct_seed(nr * 100 + top * 10 + base + 1);
	ct_note("%u layers, blocks of %u, %s base: stream top %s base %s", nr,
		block_size, raw ? "raw" : "formatted", names[top],
		base < 0 ? "-" : names[base]);
	c = build(nr, block_size, raw);
	line = chain_line(c);
	/* A discard on its way down would change the data of the active layer. */
	ct_check(!dmd_suspend(c->dev, 0) && !dmd_resume(c->dev),
		 "suspend and resume");
	for (i = 0; i < nr; i++) {
		all[i] = c->layer[i];
		hash[i] = slice_hash(all[i]->data, all[i]->data_offset, SIZE);
	}

	/* One unit, then it waits for its budget for a day. */
	stream_start(c, top, base, "speed 8");
	verify_view(c);
	if (job_live(c, names[top])) {
		looked++;
		free(msg(c, "job %s set-speed 0", names[top]));
	}
	stream_done(c, top, base);
	verify_all(c);
	for (i = 0; i < nr; i++)
		ct_check(i == top || hash[i] ==
			 slice_hash(all[i]->data, all[i]->data_offset, SIZE),
			 "the data of layer %s changed", names[i]);
	if (full) {
		reopen(c, line);
	} else {
		chain_release(c);
		verify_all(c);
	}
	/* It is a chain like any other: write to it and close it. */
	chain_fill(c, 10);
	verify_all(c);
	chain_close(c);
	verify_closed(c);
	/* Of the last pair the chain has kept most layers. */
	if (top == nr - 1 && base == (int)top - 1)
		verify_tool(c);
	free(line);
}

static void all_pairs(unsigned int nr)
{
	unsigned int top, n = 0;
	int base;

	for (top = 1; top < nr; top++) {
		for (base = -1; base < (int)top; base++) {
			n++;
			one(nr, top, base, n % 3 ? 4096 : 65536,
			    n % 2, base < (int)top - 1 && n % 4 == 1);
			pool_reset();
		}
	}
	ct_note("%u jobs of %u were looked at while they ran", looked, n);
	ct_check(looked, "no job was seen running");
}

static void two(void)
{
	all_pairs(2);
}

static void three(void)
{
	all_pairs(3);
}

static void four(void)
{
	all_pairs(4);
}

static void five(void)
{
	all_pairs(5);
}

const struct scenario matrix_scenarios[] = {
	{ "matrix", "two-layers", two },
	{ "matrix", "three-layers", three },
	{ "matrix", "four-layers", four },
	{ "matrix", "five-layers", five },
	{ }
};
