// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: load, suspend, resume in every way, while I/O and jobs go on;
 * read-only tables, long chains, events, what jobs say and do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"

#define BS	4096

static const unsigned int ways[] = {
	0, DMD_NOFLUSH, DMD_NOLOCKFS, DMD_NOFLUSH | DMD_NOLOCKFS,
};

static struct chain *chain_of(const char *names, u64 size, u32 block_size)
{
	struct chain *c = chain_new("chain", block_size);
	char name[2] = "";
	const char *p;

	chain_push(c, layer_raw_new("raw", size, block_size));
	for (p = names; *p; p++) {
		name[0] = *p;
		chain_push(c, layer_new(name, size, block_size, (p - names) % 2 ?
					LAYER_SEPARATE : LAYER_INLINE));
		if (p[1])
			chain_fill(c, 20);
	}
	return c;
}

static void end(struct chain *c)
{
	verify_all(c);
	chain_close(c);
	verify_closed(c);
	if (c->nr < 4)
		verify_tool(c);
	chain_open(c);
	verify_all(c);
}

/* Its own table again, while threads write. */
static void reloads(void)
{
	struct chain *c = chain_of("BE", 2 * MIB, BS);
	struct writers *w = writers_start(c);
	unsigned int i;

	for (i = 0; i < 3 * ARRAY_SIZE(ways); i++) {
		chain_reload(c, ways[i % ARRAY_SIZE(ways)]);
		writers_more(w);
	}
	writers_stop(w);
	end(c);
}

static void suspends(void)
{
	struct chain *c = chain_of("BE", 2 * MIB, 65536);
	struct writers *w = writers_start(c);
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(ways); i++) {
		ct_check(!dmd_suspend(c->dev, ways[i % ARRAY_SIZE(ways)]),
			 "suspend");
		ct_sleep_ms(5);
		ct_check(!dmd_resume(c->dev), "resume");
		writers_more(w);
	}
	writers_stop(w);
	end(c);
}

/* Which layer gets a write is open; the view is not. */
static void snapshots(bool stream)
{
	struct chain *c = chain_of("BE", 2 * MIB, BS);
	static const char *const names[] = { "F", "G", "H" };
	struct layer *all[DM_CHAIN_MAX_LAYERS];
	unsigned int i, nr = c->nr;
	struct writers *w;
	char *line;

	memcpy(all, c->layer, nr * sizeof(*all));
	w = writers_start(c);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		all[nr++] = layer_new(names[i], 2 * MIB, BS, i % 2 ?
				      LAYER_SEPARATE : LAYER_INLINE);
		line = chain_params(all, nr, "3 format block_size 8");
		ct_check(!chain_load(c, line), "load of %s", line);
		free(line);
		writers_more(w);
		ct_check(!dmd_suspend(c->dev, ways[i % ARRAY_SIZE(ways)]),
			 "suspend");
		ct_check(!dmd_resume(c->dev), "resume");
		writers_more(w);
		if (stream && i == 1) {
			free(msg(c, "stream base E"));
			job_wait(c, "G");
		}
	}
	writers_stop(w);
	if (stream) {
		/* raw B E G H */
		memmove(&all[3], &all[4], 2 * sizeof(*all));
		nr--;
	}
	memcpy(c->layer, all, nr * sizeof(*all));
	c->nr = nr;
	verify_disk_view(c);
	verify_view(c);
	verify_map(c);
	chain_close(c);
	verify_closed(c);
	c->nr_dropped = 0;
	chain_open(c);
	verify_all(c);
}

static void snapshots_under_load(void)
{
	snapshots(false);
}

static void snapshots_and_stream_under_load(void)
{
	snapshots(true);
}

/* A job survives suspends and reloads, and a layer put on top of it. */
static void job_survives(void)
{
	struct chain *c = chain_of("BCE", 4 * MIB, BS);
	struct layer *f = layer_new("F", 4 * MIB, BS, LAYER_INLINE);
	unsigned int i;
	u64 offset;

	verify_all(c);
	stream_start(c, 3, 0, "speed 8");
	ct_wait(job_num(c, "E", "offset="), "the job does not begin");
	for (i = 0; i < 2 * ARRAY_SIZE(ways); i++) {
		offset = job_num(c, "E", "offset=");
		ct_check(!dmd_suspend(c->dev, ways[i % ARRAY_SIZE(ways)]),
			 "suspend");
		ct_check(job_num(c, "E", "offset=") >= offset,
			 "the job goes back");
		ct_check(!dmd_resume(c->dev), "resume");
		verify_view(c);
		chain_reload(c, ways[i % ARRAY_SIZE(ways)]);
		ct_check(job_live(c, "E"), "the job is gone after reload %u", i);
	}
	chain_push(c, f);
	ct_check(job_live(c, "E"), "the job is gone after a snapshot");
	verify_view(c);
	/* F keeps what comes now; E is an intermediate layer. */
	chain_fill(c, 10);
	free(msg(c, "job E set-speed 0"));
	stream_done(c, 3, 0);
	end(c);
}

static void remove_with_job(void)
{
	struct chain *c = chain_of("BE", 4 * MIB, BS);

	verify_all(c);
	stream_start(c, 2, 0, "speed 8");
	ct_wait(job_num(c, "E", "offset="), "the job does not begin");
	chain_close(c);
	disk_adopt(c->layer[2]);
	verify_closed(c);
	chain_open(c);
	verify_view(c);
	if (job_live(c, "E"))
		free(msg(c, "job E set-speed 0"));
	else
		stream_start(c, 2, 0, "");
	stream_done(c, 2, 0);
	end(c);
}

/* pause, resume, cancel, and what jobs says meanwhile. */
static void verbs(void)
{
	struct chain *c = chain_of("BE", 4 * MIB, BS);
	int fd = uevent_open();
	char *reply;
	u64 offset;

	verify_all(c);
	free(msg(c, "STREAM Job j1 Speed 8 BASE raw"));
	ct_wait(job_num(c, "j1", "offset="), "the job does not begin");
	free(msg(c, "job j1 pause"));
	ct_wait(strstr(msg(c, "jobs"), "status=paused"), "pause: %s",
		msg(c, "jobs"));
	offset = job_num(c, "j1", "offset=");
	free(msg(c, "job j1 set-speed 0"));
	ct_sleep_ms(CT_MUST_NOT_MS);
	reply = msg(c, "jobs");
	ct_check(job_num(c, "j1", "offset=") == offset && strstr(reply, "paused=1"),
		 "a paused job goes on: %s", reply);
	free(reply);
	free(msg(c, "job j1 set-speed 8"));
	free(msg(c, "job j1 resume"));
	ct_wait(strstr(msg(c, "jobs"), "status=running"), "resume: %s",
		msg(c, "jobs"));
	reply = dmd_status(c->dev);
	ct_check(strstr(reply, " 1 j1 stream running E raw "), "status: %s", reply);
	free(msg(c, "job j1 cancel"));
	job_wait(c, "j1");
	ct_check(uevent_next(fd, "BLOCK_JOB_CANCELLED", 10000),
		 "no BLOCK_JOB_CANCELLED");
	/* The chain stays, and what was copied. */
	verify_view(c);
	disk_adopt(c->layer[2]);
	verify_all(c);
	chain_stream(c, 2, 0);
	end(c);
}

static void events(void)
{
	struct chain *c = chain_of("BE", MIB, BS);
	int fd = uevent_open();
	u32 before = dmd_events(c->dev);
	char *text, *last;

	chain_stream(c, 2, 0);
	text = uevent_next(fd, "BLOCK_JOB_COMPLETED", 10000);
	ct_check(text, "no BLOCK_JOB_COMPLETED");
	ct_check(!strcmp(field(text, "DM_CHAIN_JOB="), "E") &&
		 !strcmp(field(text, "DM_CHAIN_TYPE="), "stream") &&
		 field_num(text, "DM_CHAIN_LEN=") == MIB &&
		 field_num(text, "DM_CHAIN_OFFSET=") == MIB &&
		 !field_num(text, "DM_CHAIN_ERROR=") &&
		 field(text, "DM_CHAIN_SPEED="), "event: %s", text);
	ct_check(dmd_events(c->dev) > before, "no dm event");
	last = msg(c, "jobs last");
	ct_check(field_num(last, "finished="), "jobs last: %s", last);
	/* Nothing to do is a success with nothing done. */
	chain_stream(c, 1, 0);
	end(c);
}

/* What a job would copy, from estimate, and what it then copied. */
static void estimate(void)
{
	struct chain *c = chain_new("chain", BS);
	char *line;

	chain_push(c, layer_new("A", MIB, BS, LAYER_INLINE));
	chain_write(c, 0, 10 * BS);
	chain_push(c, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_write(c, 0, 4 * BS);
	chain_discard(c, 4 * BS, 3 * BS);
	chain_push(c, layer_new("E", MIB, BS, LAYER_SEPARATE));
	chain_write(c, 2 * BS, BS);
	line = msg(c, "estimate base A");
	ct_check(field_num(line, "data=") == 3 * BS &&
		 field_num(line, "zero=") == 3 * BS &&
		 field_num(line, "need=") && field_num(line, "free="),
		 "estimate: %s", line);
	line = msg(c, "estimate");
	ct_check(field_num(line, "data=") == 6 * BS &&
		 field_num(line, "zero=") == 3 * BS, "estimate: %s", line);
	line = msg(c, "estimate top B base A");
	ct_check(!field_num(line, "data=") && !field_num(line, "zero="),
		 "estimate of nothing: %s", line);
	chain_stream(c, 2, -1);
	end(c);
}

/* Suspended: what changes something has to wait, what asks is answered. */
static void suspended(void)
{
	struct chain *c = chain_of("BE", MIB, BS);

	verify_all(c);
	ct_check(!dmd_suspend(c->dev, 0), "suspend");
	ct_check(msg_try(c, "stream base raw") == -EAGAIN,
		 "stream while suspended: %s",
		 strerror(-msg_try(c, "stream base raw")));
	free(msg(c, "jobs"));
	free(msg(c, "jobs last"));
	free(msg(c, "layers"));
	free(msg(c, "estimate"));
	free(msg(c, "error"));
	verify_map(c);
	verify_info(c);
	ct_check(!dmd_resume(c->dev), "resume");
	chain_stream(c, 2, 0);
	end(c);
}

static void read_only(void)
{
	struct chain *c = chain_of("BE", MIB, BS);
	u64 *hash;
	void *buf = io_buf(BS);

	verify_all(c);
	chain_close(c);
	hash = devices_hash(c);
	c->words = "1 read_only";
	chain_open(c);
	verify_view(c);
	verify_map(c);
	ct_check(io_do(c->fd, IO_WRITE, 0, BS, buf), "a write is taken");
	ct_check(io_do(c->fd, IO_DISCARD, 0, BS, NULL),
		 "a discard is taken");
	ct_check(msg_try(c, "stream base raw") == -EROFS, "stream: %s",
		 strerror(-msg_try(c, "stream base raw")));
	ct_check(strstr(dmd_table(c->dev), "read_only"), "table: %s",
		 dmd_table(c->dev));
	ct_check(strstr(dmd_status(c->dev), " ro "), "status: %s",
		 dmd_status(c->dev));
	chain_reload(c, 0);
	verify_view(c);
	chain_close(c);
	verify_untouched(c, hash);
	free(hash);
	c->words = "";
	chain_open(c);
	chain_fill(c, 10);
	end(c);
}

/* Tables that are loaded and never become live, and are taken back. */
static void cleared(void)
{
	struct chain *c = chain_of("BE", MIB, BS);
	char *line = dmd_table(c->dev);
	unsigned int i;

	for (i = 0; i < 4; i++) {
		ct_check(!chain_load(c, line), "load");
		chain_fill(c, 5);
		if (i % 2)
			ct_check(!dmd_clear(c->dev), "clear");
	}
	verify_all(c);
	chain_close(c);
	verify_closed(c);
	chain_open(c);
	verify_all(c);
}

#define LONG	64

static void long_chain(void)
{
	struct chain *c = chain_new("chain", BS);
	u64 size = 256 * KIB;
	struct slice *meta;
	char name[8];
	unsigned int i;

	for (i = 0; i < LONG; i++) {
		snprintf(name, sizeof(name), "L%02u", i);
		if (!i) {
			chain_push(c, layer_raw_new(name, size, BS));
			continue;
		}
		meta = slice_new(512 * KIB, 0);
		chain_push(c, layer_on(name, size, BS, slice_new(0, size), meta));
		chain_write(c, ct_random(size / BS - 2) * BS + 512, BS);
		if (i % 16 == 15)
			verify_all(c);
	}
	chain_reload(c, 0);
	verify_all(c);
	chain_stream(c, 40, 20);
	verify_all(c);
	chain_stream(c, c->nr - 1, 0);
	chain_release(c);
	end(c);
}

static void huge_blocks(void)
{
	struct chain *c = chain_of("BE", 4 * MIB, MIB);

	chain_write(c, 512, 512);
	chain_discard(c, MIB, MIB);
	chain_zero(c, 2 * MIB + 512, MIB - 512);
	verify_all(c);
	chain_stream(c, 2, 0);
	end(c);
}

const struct scenario order_scenarios[] = {
	{ "order", "reloads-under-load", reloads },
	{ "order", "suspends-under-load", suspends },
	{ "order", "snapshots-under-load", snapshots_under_load },
	{ "order", "snapshots-and-a-stream-under-load",
	  snapshots_and_stream_under_load },
	{ "order", "job-survives-reloads-and-a-snapshot", job_survives },
	{ "order", "remove-with-a-job", remove_with_job },
	{ "order", "job-verbs", verbs },
	{ "order", "events", events },
	{ "order", "estimate", estimate },
	{ "order", "messages-while-suspended", suspended },
	{ "order", "read-only-table", read_only },
	{ "order", "cleared-tables", cleared },
	{ "order", "64-layers", long_chain },
	{ "order", "1-mib-blocks", huge_blocks },
	{ }
};
