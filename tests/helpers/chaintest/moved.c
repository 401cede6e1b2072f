// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: a layer below the active one is given to the chain on another
 * device, as a copy, while the chain is in use. What was copied up into the old
 * one after the copy was made is not in the new one.
 */
#include <stdlib.h>
#include <string.h>

#include "ct.h"

#define BS	4096
#define SIZE	(2 * MIB)

static struct chain *raw_b_c_d_e(void)
{
	struct chain *c = chain_new("chain", BS);
	char name[2] = "B";

	chain_push(c, layer_raw_new("A", SIZE, BS));
	for (; *name <= 'E'; ++*name) {
		chain_push(c, layer_new(name, SIZE, BS, *name % 2 ?
					LAYER_SEPARATE : LAYER_INLINE));
		chain_fill(c, 20);
		verify_all(c);
	}
	return c;
}

static struct slice *copy_of(const struct slice *s)
{
	struct slice *copy = slice_new(0, s->size);

	slice_copy(s, copy);
	return copy;
}

static void layer_copy(const struct layer *l, struct slice **data,
		       struct slice **meta)
{
	*data = copy_of(l->data);
	*meta = l->meta == l->data ? *data : copy_of(l->meta);
}

static void slice_fill(const struct slice *s, u8 byte)
{
	void *buf = io_buf(s->size);

	memset(buf, byte, s->size);
	slice_write(s, 0, buf, s->size);
	free(buf);
}

/* The layer is the copy from now on; its old devices get another use. */
static void move(struct chain *c, struct layer *l, struct slice *data,
		 struct slice *meta)
{
	struct slice *old[2] = { l->data, l->meta };
	char *line;
	int r;

	l->data = data;
	l->meta = meta;
	line = chain_line(c);
	kmsg_mark();
	r = chain_load(c, line);
	ct_check(!r, "load %s: %s: %s", line, strerror(-r), kmsg_read());
	r = dmd_suspend(c->dev, DMD_NOLOCKFS);
	ct_check(!r, "suspend: %s", strerror(-r));
	r = dmd_resume(c->dev);
	ct_check(!r, "resume: %s: %s", strerror(-r), kmsg_read());
	c->nr_dropped = 0;
	free(line);
	slice_fill(old[0], 0xd5);
	if (old[1])
		slice_fill(old[1], 0xd5);
}

static void end(struct chain *c)
{
	verify_all(c);
	chain_fill(c, 10);
	verify_reopened(c);
}

static void moved(void)
{
	struct chain *c = raw_b_c_d_e();
	struct slice *data, *meta;
	unsigned int i;

	for (i = 1; i < 4; i++) {
		layer_copy(c->layer[i], &data, &meta);
		chain_fill(c, 10);
		move(c, c->layer[i], data, meta);
		verify_all(c);
	}
	chain_stream(c, 3, 1);
	end(c);
}

/* C's blocks are in D after the copy of D was made, and not in that. */
static void older_than_a_job(void)
{
	struct chain *c = raw_b_c_d_e();
	struct layer *d = c->layer[3];
	struct slice *data, *meta;
	u64 missing = model_missing(c, 3, 1);

	layer_copy(d, &data, &meta);
	free(msg(c, "stream top D base B auto-finalize off"));
	job_wait_status(c, "D", "pending");
	ct_check(missing && job_num(c, "D", "copied=") +
			    job_num(c, "D", "zeroed=") == missing,
		 "%llu bytes are missing: %s", missing, job_line(c, "D"));
	free(msg(c, "job D cancel"));
	job_wait(c, "D");
	move(c, d, data, meta);
	end(c);
}

static void older_than_copy_on_read(void)
{
	struct chain *c = raw_b_c_d_e();
	struct layer *e = c->layer[4];
	struct slice *data, *meta;

	c->words = "1 copy_on_read";
	chain_flush(c);
	chain_close(c);
	chain_open(c);
	layer_copy(e, &data, &meta);
	verify_view(c);
	c->words = "";
	chain_push(c, layer_new("F", SIZE, BS, LAYER_INLINE));
	move(c, e, data, meta);
	verify_view(c);
	disk_adopt(e);
	end(c);
}

/*
 * A raw base of another length: the chain is built anew beside the live one, whose
 * active layer has written no map page yet.
 */
static void longer_raw_base(void)
{
	struct chain *c = chain_new("chain", BS);
	struct layer *a = layer_raw_new("A", SIZE, BS);
	struct slice *part[2] = { NULL, slice_new(0, MIB) };

	chain_push(c, a);
	chain_push(c, layer_new("E", SIZE, BS, LAYER_SEPARATE));
	part[0] = copy_of(a->data);
	chain_fill(c, 20);
	move(c, a, slice_compose(2, part), NULL);
	/* "layers" says how long A is, not how much of it shows. */
	verify_view(c);
	chain_fill(c, 20);
	verify_view(c);
	chain_close(c);
	verify_closed(c);
	verify_tool(c);
}

const struct scenario moved_scenarios[] = {
	{ "order", "layers-that-move", moved },
	{ "order", "copy-older-than-a-job", older_than_a_job },
	{ "order", "copy-older-than-copy-on-read", older_than_copy_on_read },
	{ "order", "longer-raw-base", longer_raw_base },
	{ }
};
