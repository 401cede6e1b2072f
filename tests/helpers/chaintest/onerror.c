// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: what a job does about errors: every policy against errors of every
 * device that it reads or writes. Whatever happens, the view does not change,
 * and what was copied is not copied again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"

#define BS	4096
#define SIZE	(2 * MIB)
#define BAD	(64 * KIB)
/* Of the metadata: the superblocks lie before, all else behind. */
#define SUPERS	DM_CHAIN_AREA_A

enum where { BASE, MIDDLE, TOP, COMMIT, FINAL };

/* What breaks: bytes of a data device, or a part of the top's metadata. */
static const struct {
	const char *layer;
	const char *operation;
	u64 at;
} places[] = {
	[BASE] = { "A", "read", 256 * KIB },
	[MIDDLE] = { "B", "read", MIB },
	[TOP] = { "E", "write", MIB + 256 * KIB },
	[COMMIT] = { "E", "write", 0 },
	[FINAL] = { "E", "write", SIZE },
};

static const char * const policies[] = { "report", "ignore", "stop", "enospc" };

/* The chain, and what of it can break. B holds [512 KiB, 1.5 MiB), E little. */
struct stage {
	struct chain *c;
	enum where where;
	struct slice *part[FINAL + 1];
	const struct slice *held;
	u64 total;	/* bytes that a stream of all has to copy */
	int fd;		/* uevents */
};

static struct slice *breakable(u64 at, struct slice **part)
{
	struct slice *sub[3];

	sub[0] = slice_new(0, at);
	sub[1] = slice_new(0, BAD);
	sub[2] = slice_new(0, SIZE - at - BAD);
	*part = sub[1];
	return slice_compose(3, sub);
}

static struct stage *stage_new(enum where where)
{
	struct stage *s = ct_alloc(sizeof(*s));
	struct chain *c = chain_new("chain", BS);
	struct slice *data, *meta[2];

	s->c = c;
	s->where = where;
	data = breakable(places[BASE].at, &s->part[BASE]);
	chain_push(c, layer_raw_on("A", BS, data));
	data = breakable(places[MIDDLE].at, &s->part[MIDDLE]);
	s->held = data;
	chain_push(c, layer_on("B", SIZE, BS, data, slice_new(MIB, 0)));
	chain_write(c, 512 * KIB, MIB);
	chain_discard(c, 640 * KIB, 4 * BS);
	verify_all(c);
	data = breakable(places[TOP].at, &s->part[TOP]);
	meta[0] = slice_new(SUPERS, 0);
	meta[1] = slice_new(MIB, 0);
	s->part[FINAL] = meta[0];
	s->part[COMMIT] = meta[1];
	chain_push(c, layer_on("E", SIZE, BS, data, slice_compose(2, meta)));
	chain_write(c, 3 * BS, 512);
	chain_write(c, 768 * KIB, 4 * BS);
	verify_all(c);
	s->total = model_missing(c, 2, -1);
	s->fd = uevent_open();
	return s;
}

static void break_it(struct stage *s)
{
	slice_break(s->part[s->where]);
}

static void mend_it(struct stage *s)
{
	slice_mend(s->part[s->where]);
}

/*
 * The view, but for what lies on a source that is broken now: that cannot be
 * read, and must not be answered with anything else.
 */
static void verify_broken(struct stage *s)
{
	struct chain *c = s->c;
	u64 offset;
	u8 *buf;
	int r;

	if (s->where > MIDDLE) {
		verify_view(c);
		return;
	}
	buf = io_buf(BAD);
	for (offset = 0; offset < SIZE; offset += BAD) {
		r = io_do(c->fd, IO_READ, offset, BAD, buf);
		if (offset == places[s->where].at) {
			ct_check(r, "a read of what is broken succeeds");
			continue;
		}
		ct_check(!r, "read at %llu: %s", offset, strerror(-r));
		for (u64 i = 0; i < BAD / SECTOR; i++)
			ct_check(pattern_is(buf + i * SECTOR,
					    c->view[offset / SECTOR + i],
					    offset / SECTOR + i),
				 "sector %llu shows %s", offset / SECTOR + i,
				 pattern_describe(buf + i * SECTOR));
	}
	free(buf);
}

/* With a source held, the device breaks while the job is on its way. */
static void start(struct stage *s, const char *words)
{
	bool later = s->where >= COMMIT;

	if (later)
		slice_hold(s->held);
	else
		break_it(s);
	free(msg(s->c, "stream auto-dismiss off %s", words));
	if (later) {
		break_it(s);
		slice_release(s->held);
	}
}

/* An error event, and what it must say. */
static void error_event(struct stage *s, const char *action)
{
	char *text = uevent_next(s->fd, "BLOCK_JOB_ERROR", 20000);

	ct_check(text, "no BLOCK_JOB_ERROR");
	ct_check(!strcmp(field(text, "DM_CHAIN_JOB="), "E") &&
		 !strcmp(field(text, "DM_CHAIN_OPERATION="),
			 places[s->where].operation) &&
		 !strcmp(field(text, "DM_CHAIN_LAYER="), places[s->where].layer) &&
		 !strcmp(field(text, "DM_CHAIN_ACTION="), action) &&
		 field_num(text, "DM_CHAIN_ERROR=") == EIO, "event: %s", text);
	if (s->where < COMMIT)
		ct_check(field_num(text, "DM_CHAIN_OFFSET=") <=
			 places[s->where].at + BAD, "event: %s", text);
	free(text);
}

/* Sum of the ranges of "failed"; each must be of the right place. */
static u64 failed_bytes(struct stage *s)
{
	char *text = msg(s->c, "job E failed");
	u64 at = places[s->where].at;
	u64 sum = 0, nr = 0, last = 0;
	char *line, *p;

	for (p = text; *p; p += strlen(line), p += *p == '\n') {
		u64 offset, len;

		line = ct_str("%.*s", (int)strcspn(p, "\n"), p);
		offset = field_num(line, "offset=");
		len = field_num(line, "length=");
		ct_check(!strncmp(line, "layer=", 6) &&
			 !strcmp(field(line, "layer="), places[s->where].layer) &&
			 field_num(line, "error=") == EIO && len &&
			 offset % BS == 0 && len % BS == 0 && offset >= last,
			 "failed: %s", text);
		if (s->where < COMMIT)
			ct_check(offset < at + BAD && at < offset + len,
				 "[%llu, %llu) did not fail: %s", at, at + BAD,
				 text);
		last = offset + len;
		sum += len;
		nr++;
	}
	ct_check(job_num(s->c, "E", "failed=") == nr, "%llu ranges: %s", nr,
		 job_line(s->c, "E"));
	free(text);
	return sum;
}

/* All below the offset is in the top, what lies there is not. */
static void check_offset(struct stage *s, u64 offset)
{
	struct on_disk *d;
	u64 b;

	if (s->where >= COMMIT)
		return;
	ct_check(offset % BS == 0 && offset <= places[s->where].at,
		 "offset %llu is behind the failure at %llu", offset,
		 places[s->where].at);
	chain_flush(s->c);
	d = disk_load(s->c->layer[2]);
	for (b = 0; b < offset / BS; b++)
		ct_check(d->state[b] != DM_CHAIN_UNALLOCATED,
			 "offset is %llu, but block %llu was not copied", offset,
			 b);
	ct_check(d->state[b] == DM_CHAIN_UNALLOCATED,
		 "offset is %llu, but block %llu was copied", offset, b);
	disk_free(d);
}

/* Once more after a failure: what is missing, and nothing else. */
static void again(struct stage *s, u64 missing)
{
	char *line;

	free(msg(s->c, "stream job again"));
	job_wait(s->c, "again");
	last_check(s->c, "E", "again", "completed", 0);
	line = last_line(s->c, "E");
	ct_check(field_num(line, "copied=") + field_num(line, "zeroed=") ==
		 missing, "%llu bytes were missing: %s", missing, line);
	model_stream(s->c, 2, -1);
	verify_reopened(s->c);
}

/* The job ends with an error: at once, or with all done that can be done. */
static void ends(struct stage *s, const char *action)
{
	bool ignore = !strcmp(action, "ignore");
	struct chain *c = s->c;
	char *table = dmd_table(c->dev);
	u64 offset, missing, failed;
	char *line;

	job_wait_status(c, "E", "concluded");
	error_event(s, s->where >= COMMIT ? "report" : action);
	verify_broken(s);
	ct_check(!strcmp(table, dmd_table(c->dev)), "the chain changed: %s",
		 dmd_table(c->dev));
	line = job_line(c, "E");
	ct_check(field_num(line, "error=") == EIO, "no error: %s", line);
	offset = field_num(line, "offset=");
	failed = failed_bytes(s);
	if (s->where != COMMIT)
		check_offset(s, offset);
	if (s->where != FINAL) {
		last_check(c, "E", "E", "failed", EIO);
		ct_check(field_num(last_line(c, "E"), "offset=") == offset,
			 "offset %llu: %s", offset, last_line(c, "E"));
	}
	mend_it(s);
	verify_view(c);
	/* A debt of metadata is paid by the next flush. */
	chain_flush(c);
	disk_adopt(c->layer[2]);
	missing = model_missing(c, 2, -1);
	ct_note("offset %llu, failed %llu, missing %llu of %llu", offset, failed,
		missing, s->total);
	if (ignore && s->where < COMMIT)
		ct_check(missing == BAD && failed == BAD &&
			 offset == places[s->where].at,
			 "%llu bytes failed, %llu are missing, offset %llu: %s",
			 failed, missing, offset, line);
	ct_check(field_num(line, "copied=") + field_num(line, "zeroed=") +
		 missing == s->total, "%llu of %llu bytes are missing: %s",
		 missing, s->total, line);
	free(msg(c, "job E dismiss"));
	ct_check(!*msg(c, "jobs"), "jobs: %s", msg(c, "jobs"));
	again(s, missing);
}

/* It pauses, and resume tries the same place again. */
static void pauses(struct stage *s)
{
	struct chain *c = s->c;
	u64 offset;
	char *line;

	error_event(s, "stop");
	job_wait_status(c, "E", "paused");
	line = job_line(c, "E");
	ct_check(!strcmp(field(line, "io-status="), "failed") &&
		 field_num(line, "error=") == EIO &&
		 field_num(line, "paused=") == 1, "paused: %s", line);
	offset = field_num(line, "offset=");
	failed_bytes(s);
	if (s->where != COMMIT)
		check_offset(s, offset);
	verify_broken(s);
	ct_check(!last_line(c, "E"), "a result before the end: %s",
		 msg(c, "jobs last"));

	/* Nothing is better yet. */
	if (s->where != FINAL) {
		free(msg(c, "job E resume"));
		error_event(s, "stop");
		job_wait_status(c, "E", "paused");
		ct_check(s->where == COMMIT || job_num(c, "E", "offset=") == offset,
			 "offset was %llu: %s", offset, job_line(c, "E"));
		verify_broken(s);
	} else {
		/* What cannot be recorded is not done. */
		free(must_refuse(c, EIO, "E", "job E resume"));
	}
	ct_check(job_is(c, "E", "status=", "paused"), "not paused: %s",
		 job_line(c, "E"));

	mend_it(s);
	free(msg(c, "job E resume"));
	job_wait_status(c, "E", "concluded");
	line = job_line(c, "E");
	ct_check(!strcmp(field(line, "io-status="), "ok") &&
		 !field_num(line, "error=") &&
		 field_num(line, "copied=") + field_num(line, "zeroed=") ==
		 s->total, "%llu bytes to copy: %s", s->total, line);
	last_check(c, "E", "E", "completed", 0);
	free(msg(c, "job E dismiss"));
	model_stream(c, 2, -1);
	verify_reopened(s->c);
}

static void run(enum where where)
{
	const char *action;
	struct stage *s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		ct_note("on-error %s", policies[i]);
		s = stage_new(where);
		/* EIO is not what enospc waits for. */
		action = strcmp(policies[i], "enospc") ? policies[i] : "report";
		start(s, ct_str("on-error %s", policies[i]));
		if (!strcmp(action, "stop"))
			pauses(s);
		else
			ends(s, action);
		chain_close(s->c);
		pool_reset();
	}
}

static void read_base(void)
{
	run(BASE);
}

static void read_middle(void)
{
	run(MIDDLE);
}

static void write_top(void)
{
	run(TOP);
}

static void commit_top(void)
{
	run(COMMIT);
}

static void final_superblock(void)
{
	run(FINAL);
}

/* Several places fail, of two layers; all of them are listed. */
static void several(void)
{
	struct stage *s = stage_new(MIDDLE);
	struct chain *c = s->c;
	char *text, *expected;
	unsigned int i;

	slice_break(s->part[BASE]);
	slice_break(s->part[MIDDLE]);
	slice_break(s->part[TOP]);
	free(msg(c, "stream on-error ignore auto-dismiss off"));
	job_wait_status(c, "E", "concluded");
	text = msg(c, "job E failed");
	for (i = BASE; i <= TOP; i++) {
		expected = ct_str("layer=%s offset=%llu length=%llu error=5",
				  places[i].layer, places[i].at, BAD);
		ct_check(!strncmp(text, expected, strlen(expected)),
			 "\"%s\" is expected next: \"%s\"", expected, text);
		text += strlen(expected);
		text += *text == '\n';
		free(expected);
	}
	ct_check(!*text, "more failed: \"%s\"", text);
	ct_check(job_num(c, "E", "failed=") == 3 &&
		 job_num(c, "E", "offset=") == places[BASE].at, "failed: %s",
		 job_line(c, "E"));
	slice_mend(s->part[BASE]);
	slice_mend(s->part[MIDDLE]);
	slice_mend(s->part[TOP]);
	free(msg(c, "job E dismiss"));
	free(must_refuse(c, ENOENT, NULL, "job E dismiss"));
	ct_check(msg_try(c, "job E failed") == -ENOENT, "failed after dismiss");
	chain_flush(c);
	disk_adopt(c->layer[2]);
	ct_check(model_missing(c, 2, -1) == 3 * BAD, "%llu bytes are missing",
		 model_missing(c, 2, -1));
	again(s, 3 * BAD);
}

/* The guest may do to the failing place what it likes, meanwhile. */
static void guest_mends(void)
{
	struct stage *s = stage_new(MIDDLE);
	struct chain *c = s->c;

	start(s, "on-error stop");
	job_wait_status(c, "E", "paused");
	chain_write(c, places[MIDDLE].at, BAD / 2);
	chain_discard(c, places[MIDDLE].at + BAD / 2, BAD / 2);
	verify_view(c);
	/* Nothing is left there to be read. */
	free(msg(c, "job E resume"));
	job_wait_status(c, "E", "concluded");
	mend_it(s);
	ct_check(!job_num(c, "E", "error="), "job: %s", job_line(c, "E"));
	free(msg(c, "job E dismiss"));
	model_stream(c, 2, -1);
	verify_reopened(s->c);
}

/*
 * Paused by an error: cancel keeps the chain, and set-speed and pause do what
 * they do in any paused job.
 */
static void cancelled(void)
{
	struct stage *s = stage_new(TOP);
	struct chain *c = s->c;
	u64 missing;

	start(s, "on-error stop");
	job_wait_status(c, "E", "paused");
	free(must_refuse(c, EINVAL, "pause", "job E pause"));
	free(must_refuse(c, EINVAL, "finalize", "job E finalize"));
	free(msg(c, "job E set-speed 1000000"));
	chain_fill(c, 5);
	verify_broken(s);
	free(msg(c, "job E cancel"));
	job_wait_status(c, "E", "concluded");
	last_check(c, "E", "E", "cancelled", 0);
	free(msg(c, "job E dismiss"));
	mend_it(s);
	chain_flush(c);
	disk_adopt(c->layer[2]);
	missing = model_missing(c, 2, -1);
	ct_check(missing && missing < s->total, "%llu bytes are missing",
		 missing);
	again(s, missing);
}

/* Pending, and the superblock cannot be written when it is finalized. */
static void finalize_fails(const char *policy)
{
	struct stage *s = stage_new(FINAL);
	struct chain *c = s->c;
	char *table = dmd_table(c->dev);
	bool stop = !strcmp(policy, "stop");

	free(msg(c, "stream auto-finalize off auto-dismiss off on-error %s",
		 policy));
	job_wait_status(c, "E", "pending");
	model_copied(c, 2, -1);
	break_it(s);
	free(msg(c, "job E finalize"));
	error_event(s, stop ? "stop" : "report");
	job_wait_status(c, "E", stop ? "pending" : "concluded");
	ct_check(job_num(c, "E", "error=") == EIO &&
		 job_is(c, "E", "io-status=", "failed"), "job: %s",
		 job_line(c, "E"));
	ct_check(!strcmp(table, dmd_table(c->dev)), "the chain changed: %s",
		 dmd_table(c->dev));
	verify_view(c);
	mend_it(s);
	if (!stop) {
		free(msg(c, "job E dismiss"));
		verify_disk(c);
		again(s, 0);
		return;
	}
	free(msg(c, "job E finalize"));
	job_wait_status(c, "E", "concluded");
	ct_check(!job_num(c, "E", "error=") && job_is(c, "E", "io-status=", "ok"),
		 "job: %s", job_line(c, "E"));
	free(msg(c, "job E dismiss"));
	model_stream(c, 2, -1);
	verify_reopened(s->c);
}

static void finalize_report(void)
{
	finalize_fails("report");
}

static void finalize_stop(void)
{
	finalize_fails("stop");
}

/* A job below the active layer reads the map of a middle layer as well. */
static void middle_map(const char *policy)
{
	struct chain *c = chain_new("chain", BS);
	struct slice *meta[2];
	bool stop = !strcmp(policy, "stop");

	chain_push(c, layer_raw_new("A", SIZE, BS));
	meta[0] = slice_new(SUPERS, 0);
	meta[1] = slice_new(MIB, 0);
	chain_push(c, layer_on("B", SIZE, BS, slice_new(0, SIZE),
			       slice_compose(2, meta)));
	chain_write(c, 0, MIB);
	chain_push(c, layer_new("C", SIZE, BS, LAYER_SEPARATE));
	chain_fill(c, 10);
	verify_all(c);
	chain_push(c, layer_new("E", SIZE, BS, LAYER_INLINE));
	chain_fill(c, 10);
	/* Nothing of B's map in core. */
	chain_close(c);
	chain_open(c);
	verify_all(c);
	slice_break(meta[1]);
	free(msg(c, "stream top C base A auto-dismiss off on-error %s", policy));
	job_wait_status(c, "C", stop ? "paused" : "concluded");
	ct_check(job_num(c, "C", "error=") == EIO, "job: %s", job_line(c, "C"));
	ct_check(stop || !strncmp(msg(c, "job C failed"), "layer=B ", 8),
		 "failed: %s", msg(c, "job C failed"));
	verify_view(c);
	slice_mend(meta[1]);
	if (stop) {
		free(msg(c, "job C resume"));
		job_wait_status(c, "C", "concluded");
		ct_check(!job_num(c, "C", "error="), "job: %s", job_line(c, "C"));
	}
	free(msg(c, "job C dismiss"));
	if (!stop) {
		free(msg(c, "stream top C base A"));
		job_wait(c, "C");
		last_check(c, "C", "C", "completed", 0);
	}
	model_stream(c, 2, 0);
	verify_end(c);
}

static void middle_map_report(void)
{
	middle_map("report");
}

static void middle_map_stop(void)
{
	middle_map("stop");
}

/* A top that does not show what was written is noticed by those who look. */
static void verify(const char *policy, bool looks)
{
	struct stage *s = stage_new(TOP);
	struct chain *c = s->c;
	char *table = dmd_table(c->dev);

	slice_loses_writes(s->part[TOP]);
	free(msg(c, "stream auto-dismiss off on-error %s verify %s", policy,
		 looks ? "on" : "off"));
	job_wait_status(c, "E", "concluded");
	slice_mend(s->part[TOP]);
	if (!looks) {
		/* Or this would show nothing. */
		ct_check(!job_num(c, "E", "error=") &&
			 strcmp(table, dmd_table(c->dev)), "job: %s",
			 job_line(c, "E"));
		return;
	}
	ct_check(job_num(c, "E", "error=") == EILSEQ, "job: %s",
		 job_line(c, "E"));
	ct_check(!strcmp(table, dmd_table(c->dev)), "the chain changed: %s",
		 dmd_table(c->dev));
	ct_check(job_num(c, "E", "offset=") <= places[TOP].at, "job: %s",
		 job_line(c, "E"));
	last_check(c, "E", "E", "failed", EILSEQ);
	free(msg(c, "job E dismiss"));
	verify_view(c);
	chain_flush(c);
	disk_adopt(c->layer[2]);
	verify_all(c);
	free(msg(c, "stream verify on"));
	stream_done(c, 2, -1);
	verify_reopened(s->c);
}

static void verify_report(void)
{
	verify("report", true);
}

static void verify_ignore(void)
{
	verify("ignore", true);
}

static void verify_stop(void)
{
	verify("stop", true);
}

static void verify_off(void)
{
	verify("report", false);
}

/* Nothing wrong, and threads that write: what the guest wrote is no error. */
static void verify_writers(void)
{
	struct chain *c = chain_new("chain", BS);
	struct writers *w;

	chain_push(c, layer_raw_new("A", 4 * MIB, BS));
	chain_push(c, layer_new("B", 4 * MIB, BS, LAYER_INLINE));
	chain_fill(c, 40);
	verify_all(c);
	chain_push(c, layer_new("E", 4 * MIB, BS, LAYER_SEPARATE));
	w = writers_start(c);
	free(msg(c, "stream verify on"));
	job_wait(c, "E");
	writers_stop(w);
	stream_done(c, 2, -1);
	verify_end(c);
}

const struct scenario onerror_scenarios[] = {
	{ "onerror", "read-of-the-base", read_base },
	{ "onerror", "read-of-a-middle-layer", read_middle },
	{ "onerror", "write-to-the-top", write_top },
	{ "onerror", "commit-of-the-top", commit_top },
	{ "onerror", "final-superblock", final_superblock },
	{ "onerror", "several-places", several },
	{ "onerror", "guest-writes-what-failed", guest_mends },
	{ "onerror", "cancelled-after-an-error", cancelled },
	{ "onerror", "finalize-fails-report", finalize_report },
	{ "onerror", "finalize-fails-stop", finalize_stop },
	{ "onerror", "map-of-a-middle-layer-report", middle_map_report },
	{ "onerror", "map-of-a-middle-layer-stop", middle_map_stop },
	{ "onerror", "verify-report", verify_report },
	{ "onerror", "verify-ignore", verify_ignore },
	{ "onerror", "verify-stop", verify_stop },
	{ "onerror", "verify-off", verify_off },
	{ "onerror", "verify-under-load", verify_writers },
	{ }
};
