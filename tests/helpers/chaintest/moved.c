// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: a layer below the active one is given to the chain on another
 * device, as a copy, while the chain is in use. What was copied up into the old
 * one after the copy was made is not in the new one.
 */
#include <errno.h>
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

static void load(struct chain *c)
{
	char *line = chain_line(c);
	int r;

	kmsg_mark();
	r = chain_load(c, line);
	ct_check(!r, "load %s: %s: %s", line, strerror(-r), kmsg_read());
	free(line);
}

static void suspend(struct chain *c)
{
	int r = dmd_suspend(c->dev, DMD_NOLOCKFS);

	ct_check(!r, "suspend: %s", strerror(-r));
}

static void resume(struct chain *c)
{
	int r = dmd_resume(c->dev);

	ct_check(!r, "resume: %s: %s", strerror(-r), kmsg_read());
	c->nr_dropped = 0;
}

/* The layer is the copy from now on, and that gets what the layer was. */
static void replace(struct layer *l, struct slice **data, struct slice **meta)
{
	swap(l->data, *data);
	swap(l->meta, *meta);
}

/* Old devices get another use. */
static void spoil(struct slice *data, struct slice *meta)
{
	slice_fill(data, 0xd5);
	if (meta)
		slice_fill(meta, 0xd5);
}

static void move(struct chain *c, struct layer *l, struct slice *data,
		 struct slice *meta)
{
	replace(l, &data, &meta);
	load(c);
	suspend(c);
	resume(c);
	spoil(data, meta);
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

/* The device is suspended, with a table that the resume has refused. */
static void refused_table(struct chain *c)
{
	free(dmd_status(c->dev));
	free(dmd_table(c->dev));
	free(msg(c, "jobs"));
	free(msg(c, "layers"));
	free(msg(c, "map 0 %llu", c->size / SECTOR));
	last_check(c, "D", "D", "completed", 0);
	ct_check(msg_try(c, "job B failed") == -ENOENT, "there is a job B");
	ct_check(msg_try(c, "estimate") == -ESTALE, "there is an estimate");
	ct_check(msg_try(c, "estimate top B") == -ESTALE,
		 "there is an estimate of B");
	free(must_refuse(c, EAGAIN, "suspended", "stream"));
}

/*
 * A job begins when the table with the copy of its top is loaded already. That is
 * refused at the resume, but the old table is gone then, and with it its B.
 */
static void job_after_load(void)
{
	struct chain *c = raw_b_c_d_e();
	struct slice *data, *meta;
	unsigned int i;
	char *log;

	chain_stream(c, 3, 1);
	layer_copy(c->layer[1], &data, &meta);
	replace(c->layer[1], &data, &meta);
	load(c);
	free(msg(c, "stream top B auto-finalize off"));
	job_wait_status(c, "B", "pending");
	suspend(c);
	for (i = 0; i < 2; i++) {
		kmsg_mark();
		ct_check(dmd_resume(c->dev) == -ESTALE, "the device resumes");
		log = kmsg_read();
		ct_check(strstr(log, "the chain has changed"),
			 "the log does not say so: %s", log);
		free(log);
		refused_table(c);
	}
	load(c);
	refused_table(c);
	resume(c);
	spoil(data, meta);
	free(msg(c, "estimate"));
	end(c);
}

/*
 * D's job goes on under a chain that was built anew, because a job has filled C
 * and that moves. It has something to record, but cannot, whenever the layers are
 * let go: once for the suspend and for each resume that fails. After the first of
 * these the old chain is gone.
 */
static void job_of_a_chain_in_vain(void)
{
	struct chain *c = chain_new("chain", BS);
	struct slice *data, *meta, *record;
	char name[2] = "B", *log;
	unsigned int i;

	chain_push(c, layer_raw_new("A", SIZE, BS));
	for (; *name <= 'D'; ++*name) {
		chain_push(c, layer_new(name, SIZE, BS, LAYER_SEPARATE));
		chain_fill(c, 20);
	}
	chain_push(c, layer_new_room("E", SIZE, 2 * SIZE, BS, LAYER_SEPARATE));
	chain_fill(c, 20);
	chain_stream(c, 2, 0);
	verify_all(c);
	free(msg(c, "stream top D speed 4096"));
	job_pause(c, "D");

	layer_copy(c->layer[1], &data, &meta);
	replace(c->layer[1], &data, &meta);
	c->size = 2 * SIZE;
	load(c);
	c->size = SIZE;
	record = c->layer[2]->meta;
	slice_break(record);
	free(msg(c, "job D set-speed 0"));
	suspend(c);
	slice_break(chain_active(c)->meta);
	for (i = 0; i < 3; i++) {
		kmsg_mark();
		ct_check(dmd_resume(c->dev), "the device resumes");
		log = kmsg_read();
		ct_check(strstr(log, "growing layer E"),
			 "the log does not say so: %s", log);
		free(log);
	}
	slice_mend(record);
	slice_mend(chain_active(c)->meta);
	resume(c);
	model_grow(c, 2 * SIZE);
	spoil(data, meta);
	free(msg(c, "job D resume"));
	stream_done(c, 2, -1);
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
	{ "order", "job-after-load-of-copy", job_after_load },
	{ "order", "job-of-a-chain-in-vain", job_of_a_chain_in_vain },
	{ "order", "longer-raw-base", longer_raw_base },
	{ }
};
