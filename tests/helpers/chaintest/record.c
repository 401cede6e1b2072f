// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: the record of a job in the superblock of its top, and the result
 * of the last one: what is in them when, records that cannot be written, and
 * records of which nothing can be made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"
#include "dm-chain-jobstate.h"

#define BS	4096
#define SIZE	(4 * MIB)

/*
 * A raw base or another layer, B, full but for its start, and E, whose
 * superblocks can break.
 */
static struct chain *three(bool raw, struct slice **supers)
{
	struct chain *c = chain_new("chain", BS);
	struct slice *meta[2];

	if (raw)
		chain_push(c, layer_raw_new("A", SIZE, BS));
	else
		chain_push(c, layer_new("A", SIZE, BS, LAYER_INLINE));
	chain_push(c, layer_new("B", SIZE, BS, LAYER_SEPARATE));
	chain_write(c, MIB, SIZE - MIB);
	verify_all(c);
	meta[0] = slice_new(DM_CHAIN_AREA_A, 0);
	meta[1] = slice_new(MIB, 0);
	*supers = meta[0];
	chain_push(c, layer_on("E", SIZE, BS, slice_new(0, SIZE),
			       slice_compose(2, meta)));
	chain_write(c, 5 * BS, 512);
	verify_all(c);
	return c;
}

/* Without chainsetup, which would find E's superblock on two devices. */
static void end(struct chain *c)
{
	verify_all(c);
	chain_close(c);
	verify_closed(c);
	chain_open(c);
	verify_all(c);
}

static struct dm_chain_job_record on_disk(const struct chain *c)
{
	struct dm_chain_sb sb;

	disk_read_sb(chain_active(c), &sb);
	return sb.job;
}

static void must_have_flags(const struct chain *c, u32 flags, const char *when)
{
	struct dm_chain_job_record job = on_disk(c);

	ct_check(job.type == DM_CHAIN_JOB_STREAM, "no record %s", when);
	ct_check(job.flags == flags, "the record's flags are %x %s, expected %x",
		 job.flags, when, flags);
}

/* What is on disk when a message returns. */
static void written(void)
{
	struct slice *supers;
	struct chain *c = three(true, &supers);
	struct dm_chain_sb b, e;
	struct dm_chain_job_record *job = &e.job;
	const u32 flags = DM_CHAIN_JOB_F_MANUAL_FINALIZE |
			  DM_CHAIN_JOB_F_MANUAL_DISMISS;

	free(msg(c, "stream base A job j1 speed 8 on-error stop %s",
		 "auto-finalize off auto-dismiss off"));
	disk_read_sb(c->layer[1], &b);
	disk_read_sb(c->layer[2], &e);
	ct_check(job->type == DM_CHAIN_JOB_STREAM && !strcmp(job->id, "j1") &&
		 dm_chain_uuid_equal(job->top_uuid, e.uuid) &&
		 dm_chain_uuid_equal(job->bottom_uuid, b.uuid) &&
		 job->speed == 8 && job->on_error == DM_CHAIN_ON_ERROR_STOP &&
		 job->flags == flags && job->started && !job->error &&
		 job->io_status == DM_CHAIN_IO_OK,
		 "type %u, id %s, speed %llu, on-error %u, flags %x, error %u",
		 job->type, job->id, job->speed, job->on_error, job->flags,
		 job->error);
	free(msg(c, "job j1 pause"));
	must_have_flags(c, flags | DM_CHAIN_JOB_F_PAUSED, "after pause");
	job_wait_status(c, "j1", "paused");
	free(msg(c, "job j1 set-speed 0"));
	free(msg(c, "job j1 set-floor 5000000"));
	free(msg(c, "job j1 set-ceiling 7000000"));
	free(msg(c, "job j1 resume"));
	ct_check(!(on_disk(c).flags & DM_CHAIN_JOB_F_PAUSED),
		 "paused on disk after resume");
	job_wait_status(c, "j1", "pending");
	must_have_flags(c, flags | DM_CHAIN_JOB_F_PENDING, "in pending");
	disk_read_sb(c->layer[2], &e);
	ct_check(!job->speed && job->floor == 5000000 && job->ceiling == 7000000,
		 "speed %llu, floor %llu, ceiling %llu", job->speed, job->floor,
		 job->ceiling);
	ct_check(e.backing.kind == DM_CHAIN_BACKING_LAYER &&
		 e.result.type == DM_CHAIN_JOB_NONE,
		 "a pending job has changed the backing or left a result");
	free(msg(c, "job j1 finalize"));
	job_wait_status(c, "j1", "concluded");
	disk_read_sb(c->layer[2], &e);
	ct_check(e.job.type == DM_CHAIN_JOB_NONE &&
		 e.result.status == DM_CHAIN_RESULT_COMPLETED &&
		 e.backing.kind == DM_CHAIN_BACKING_RAW,
		 "concluded: record %u, result %u, backing %u", e.job.type,
		 e.result.status, e.backing.kind);
	free(msg(c, "job j1 dismiss"));
	model_stream(c, 2, 0);

	free(msg(c, "stream job j2 speed 8 verify on on-error ignore"));
	must_have_flags(c, DM_CHAIN_JOB_F_RAW_BOTTOM | DM_CHAIN_JOB_F_VERIFY,
			"after stream");
	free(msg(c, "job j2 cancel"));
	/* It must not come back, whatever happens from here on. */
	job_wait(c, "j2");
	disk_read_sb(c->layer[1], &e);
	ct_check(e.job.type == DM_CHAIN_JOB_NONE &&
		 e.result.status == DM_CHAIN_RESULT_CANCELLED,
		 "cancelled: record %u, result %u", e.job.type, e.result.status);
	chain_flush(c);
	disk_adopt(c->layer[1]);
	end(c);
}

/* A verb whose record cannot be written is refused, and nothing has changed. */
static void unwritable(void)
{
	struct slice *supers;
	struct chain *c = three(true, &supers);
	char *table = dmd_table(c->dev);

	slice_break(supers);
	free(must_refuse(c, EIO, NULL, "stream base A"));
	ct_check(!*msg(c, "jobs") && !*msg(c, "jobs last"),
		 "a refused stream: %s", msg(c, "jobs"));
	verify_view(c);
	slice_mend(supers);
	ct_check(on_disk(c).type == DM_CHAIN_JOB_NONE, "a record on disk");

	free(msg(c, "stream base A speed 8"));
	ct_wait(job_num(c, "E", "offset="), "the job does not begin");
	slice_break(supers);
	free(must_refuse(c, EIO, "E", "job E pause"));
	ct_check(job_is(c, "E", "status=", "running"), "after pause: %s",
		 job_line(c, "E"));
	free(must_refuse(c, EIO, "E", "job E cancel"));
	ct_check(job_is(c, "E", "status=", "running"), "after cancel: %s",
		 job_line(c, "E"));
	slice_mend(supers);
	job_pause(c, "E");
	slice_break(supers);
	free(must_refuse(c, EIO, "E", "job E resume"));
	ct_check(job_is(c, "E", "status=", "paused"), "after resume: %s",
		 job_line(c, "E"));
	free(must_refuse(c, EIO, "E", "job E cancel"));
	ct_check(job_is(c, "E", "status=", "paused"), "after cancel: %s",
		 job_line(c, "E"));
	slice_mend(supers);
	ct_check(!strcmp(table, dmd_table(c->dev)), "the chain changed: %s",
		 dmd_table(c->dev));
	verify_view(c);
	free(msg(c, "job E set-speed 0"));
	free(msg(c, "job E resume"));
	stream_done(c, 2, 0);
	end(c);
}

/* A job that ended is over, even while its result cannot be written. */
static void owed(void)
{
	struct slice *supers;
	struct chain *c = three(true, &supers);

	free(msg(c, "stream base A speed 8"));
	ct_wait(job_num(c, "E", "offset="), "the job does not begin");
	slice_break(supers);
	free(msg(c, "job E set-speed 0"));
	job_wait(c, "E");
	ct_check(!dmd_suspend(c->dev, 0) && !dmd_resume(c->dev), "suspend");
	ct_check(!*msg(c, "jobs"), "a job that has ended runs again: %s",
		 msg(c, "jobs"));
	slice_mend(supers);
	chain_reload(c, 0);
	last_check(c, "E", "E", "failed", EIO);
	model_copied(c, 2, 0);
	verify_all(c);
	chain_stream(c, 2, 0);
	end(c);
}

/*
 * Everything as a power cut might leave it, but the record names a layer that
 * is not there.
 */
static void unknown_bottom(bool raw)
{
	struct slice *supers;
	struct chain *c = three(false, &supers);
	struct dm_chain_sb sb;
	char *log;

	free(msg(c, "stream base A speed 8"));
	ct_wait(job_num(c, "E", "offset="), "the job does not begin");
	chain_close(c);
	disk_adopt(c->layer[2]);
	disk_read_sb(c->layer[2], &sb);
	ct_check(sb.job.type == DM_CHAIN_JOB_STREAM, "no record");
	if (raw) {
		sb.job.flags |= DM_CHAIN_JOB_F_RAW_BOTTOM;
		memset(sb.job.bottom_uuid, 0, DM_CHAIN_UUID_LEN);
	} else {
		sb.job.bottom_uuid[3] ^= 0x5a;
	}
	sb.job.flags |= DM_CHAIN_JOB_F_MANUAL_DISMISS;
	disk_write_sb(c->layer[2], &sb);
	kmsg_mark();
	chain_open(c);
	job_wait_status(c, "E", "concluded");
	ct_check(job_is(c, "E", "top=", "E"), "its top: %s", job_line(c, "E"));
	free(msg(c, "job E dismiss"));
	log = kmsg_read();
	ct_check(strstr(log, "job E") || strstr(log, "job 'E'"),
		 "nothing about the job in the log: %s", log);
	ct_check(!strcmp(field(last_line(c, "E"), "status="), "failed"),
		 "the result: %s", last_line(c, "E"));
	ct_check(on_disk(c).type == DM_CHAIN_JOB_NONE, "the record is still there");
	verify_all(c);
	chain_stream(c, 2, 0);
	end(c);
}

static void unknown_bottom_layer(void)
{
	unknown_bottom(false);
}

static void unknown_bottom_raw(void)
{
	unknown_bottom(true);
}

/* "jobs paused" in the line holds them back, and leaves the record as it is. */
static void jobs_paused(void)
{
	struct slice *supers;
	struct chain *c = three(true, &supers);
	unsigned int i;
	u64 offset;

	free(msg(c, "stream base A speed 8 on-error stop"));
	ct_wait(job_num(c, "E", "offset="), "the job does not begin");
	for (i = 0; i < 2; i++) {
		chain_close(c);
		c->words = "2 jobs paused";
		chain_open(c);
		ct_check(job_is(c, "E", "status=", "paused"), "the job: %s",
			 job_line(c, "E"));
		must_have_flags(c, 0, "held back");
		offset = job_num(c, "E", "offset=");
		free(msg(c, "job E set-speed 0"));
		ct_sleep_ms(CT_MUST_NOT_MS);
		ct_check(job_num(c, "E", "offset=") == offset &&
			 job_is(c, "E", "status=", "paused"), "held back: %s",
			 job_line(c, "E"));
		free(msg(c, "job E set-speed 8"));
		ct_check(strstr(dmd_table(c->dev), "jobs paused"), "table: %s",
			 dmd_table(c->dev));
		chain_reload(c, 0);
		ct_check(job_is(c, "E", "status=", "paused"), "the job: %s",
			 job_line(c, "E"));
		chain_close(c);
		c->words = "";
		chain_open(c);
		ct_check(job_is(c, "E", "status=", "running"),
			 "without the word: %s", job_line(c, "E"));
	}
	/* One that the user paused rests with and without. */
	job_pause(c, "E");
	chain_close(c);
	c->words = "2 jobs paused";
	chain_open(c);
	ct_check(job_is(c, "E", "status=", "paused"), "the job: %s",
		 job_line(c, "E"));
	must_have_flags(c, DM_CHAIN_JOB_F_PAUSED, "held back");
	chain_close(c);
	c->words = "";
	chain_open(c);
	ct_check(job_is(c, "E", "status=", "paused"), "the job: %s",
		 job_line(c, "E"));
	chain_close(c);
	c->words = "2 jobs paused";
	chain_open(c);
	free(msg(c, "job E set-speed 0"));
	free(msg(c, "job E resume"));
	stream_done(c, 2, 0);
	c->words = "";
	end(c);
}

static void jobs_paused_pending(void)
{
	struct slice *supers;
	struct chain *c = three(true, &supers);

	free(msg(c, "stream base A auto-finalize off"));
	job_wait_status(c, "E", "pending");
	model_copied(c, 2, 0);
	chain_close(c);
	verify_closed(c);
	c->words = "2 jobs paused";
	chain_open(c);
	must_have_flags(c, DM_CHAIN_JOB_F_PENDING |
			DM_CHAIN_JOB_F_MANUAL_FINALIZE, "held back");
	verify_view(c);
	chain_close(c);
	c->words = "";
	chain_open(c);
	job_wait_status(c, "E", "pending");
	free(msg(c, "job E finalize"));
	stream_done(c, 2, 0);
	end(c);
}

/* The same table with other feature words. */
static void reload_with(struct chain *c, const char *words)
{
	char *line;
	int r;

	c->words = words;
	line = chain_line(c);
	r = chain_load(c, line);
	ct_check(!r && !dmd_suspend(c->dev, 0) && !dmd_resume(c->dev),
		 "\"%s\" is not loaded: %s", line, strerror(-r));
	free(line);
}

/*
 * A device whose first table is read-only has no job, and writes nothing. One that
 * gets such a table later has it, and lets it rest.
 */
static void read_only(void)
{
	struct slice *supers;
	struct chain *c = three(true, &supers);
	struct layer *e = c->layer[2];
	u64 data, meta;

	free(msg(c, "stream base A speed 8"));
	ct_wait(job_num(c, "E", "offset="), "the job does not begin");
	chain_close(c);
	disk_adopt(e);
	data = slice_hash(e->data, 0, e->data->size);
	meta = slice_hash(e->meta, 0, e->meta->size);
	c->words = "1 read_only";
	chain_open(c);
	verify_view(c);
	free(must_refuse(c, EROFS, "read-only", "stream base A job other"));
	free(must_refuse(c, ENOENT, "'E'", "job E cancel"));
	chain_reload(c, 0);
	verify_view(c);
	chain_close(c);
	ct_check(slice_hash(e->data, 0, e->data->size) == data &&
		 slice_hash(e->meta, 0, e->meta->size) == meta,
		 "E was written by a read-only table");
	c->words = "";
	chain_open(c);
	ct_check(job_is(c, "E", "status=", "running"), "the job: %s",
		 msg(c, "jobs"));
	reload_with(c, "1 read_only");
	free(must_refuse(c, EROFS, "rests", "job E pause"));
	free(must_refuse(c, EROFS, "rests", "job E cancel"));
	free(must_refuse(c, EROFS, "rests", "job E set-speed 0"));
	free(must_refuse(c, EINVAL, "'resume'", "job E resume"));
	reload_with(c, "");
	free(msg(c, "job E set-speed 0"));
	stream_done(c, 2, 0);
	end(c);
}

/*
 * C is the top of a recorded job in a chain, and another chain rests on it: the
 * job stays paused until nobody else has C.
 */
static void shared_top(void)
{
	struct chain *c = chain_new("chain", BS), *other;
	struct layer *f;

	chain_push(c, layer_raw_new("A", SIZE, BS));
	chain_push(c, layer_new("B", SIZE, BS, LAYER_SEPARATE));
	chain_write(c, 0, SIZE);
	verify_all(c);
	chain_push(c, layer_new("C", SIZE, BS, LAYER_SEPARATE));
	chain_fill(c, 10);
	verify_all(c);
	chain_push(c, layer_new("E", SIZE, BS, LAYER_INLINE));
	chain_fill(c, 10);
	verify_all(c);
	f = layer_new("F", SIZE, BS, LAYER_INLINE);
	/* The other was there before the job was. */
	other = chain_new("other", BS);
	memcpy(other->layer, c->layer, 3 * sizeof(*c->layer));
	other->nr = 3;
	other->size = SIZE;
	other->view = ct_alloc(SIZE / SECTOR * sizeof(u32));
	model_view(other->layer, 3, other->view);
	chain_push(other, f);
	chain_fill(other, 10);
	verify_all(other);
	chain_close(other);

	free(msg(c, "stream top C base A job deep speed 8"));
	ct_wait(job_num(c, "deep", "offset="), "the job does not begin");
	/* While it lives nobody else gets its top. */
	ct_check(load_refused(chain_line(other), SIZE / SECTOR,
			      dmd_devno(c->dev)),
		 "the top of a live job was given to another device");
	chain_close(c);
	disk_adopt(c->layer[2]);

	/* It comes up there first, where both have it in mind. */
	ct_check(!dmd_try_create(PREFIX "loaded", NULL, 0, false), "create");
	ct_check(!dmd_load(PREFIX "loaded",
			   &(struct dm_seg){ SIZE / SECTOR, "chain",
					     chain_line(other) }, 1, false),
		 "load");
	chain_open(c);
	ct_check(job_is(c, "deep", "status=", "paused"), "the job: %s",
		 msg(c, "jobs"));
	free(must_refuse(c, EBUSY, "C", "job deep resume"));
	verify_view(c);
	ct_check(!dmd_remove(PREFIX "loaded"), "remove");
	/* It does not go on, so others may still have C. */
	slice_break(c->layer[2]->meta);
	free(must_refuse(c, EIO, "deep", "job deep resume"));
	slice_mend(c->layer[2]->meta);
	ct_check(!dmd_try_create(PREFIX "loaded", NULL, 0, false), "create");
	ct_check(!dmd_load(PREFIX "loaded",
			   &(struct dm_seg){ SIZE / SECTOR, "chain",
					     chain_line(other) }, 1, false),
		 "the top of a job that did not go on is not given to another device");
	ct_check(!dmd_remove(PREFIX "loaded"), "remove");
	free(msg(c, "job deep set-speed 0"));
	free(msg(c, "job deep resume"));
	job_wait(c, "deep");
	last_check(c, "C", "deep", "completed", 0);
	model_stream(c, 2, 0);
	verify_all(c);
	chain_close(c);
	verify_closed(c);
	/* The other rests on less now, too. */
	memmove(&other->layer[1], &other->layer[2], 2 * sizeof(other->layer[0]));
	other->nr--;
	chain_open(other);
	verify_all(other);
	chain_close(other);
	verify_closed(other);
}

/* The last result stays until the next job of that layer ends. */
static void last(void)
{
	struct slice *supers;
	struct chain *c = three(false, &supers);
	char *before, *after;

	free(msg(c, "stream base A job first speed 8"));
	ct_wait(job_num(c, "first", "offset="), "the job does not begin");
	free(msg(c, "job first cancel"));
	job_wait(c, "first");
	before = msg(c, "jobs last");
	last_check(c, "E", "first", "cancelled", 0);
	chain_close(c);
	disk_adopt(c->layer[2]);
	chain_open(c);
	after = msg(c, "jobs last");
	ct_check(!strcmp(before, after), "\"%s\" became \"%s\"", before, after);
	/* Nothing to do leaves no result. */
	free(msg(c, "stream base B job nothing"));
	ct_wait(!*msg(c, "jobs"), "jobs");
	after = msg(c, "jobs last");
	ct_check(!strcmp(before, after), "\"%s\" became \"%s\"", before, after);
	free(msg(c, "stream base A job second"));
	job_wait(c, "second");
	last_check(c, "E", "second", "completed", 0);
	model_stream(c, 2, 0);
	before = msg(c, "jobs last");
	end(c);
	after = msg(c, "jobs last");
	ct_check(!strcmp(before, after), "\"%s\" became \"%s\"", before, after);
	/* A layer put on top has none. */
	chain_push(c, layer_new("F", SIZE, BS, LAYER_INLINE));
	after = msg(c, "jobs last");
	ct_check(!strcmp(before, after), "\"%s\" became \"%s\"", before, after);
	end(c);
}

/* A layer that a job has to do with is no other device's active layer. */
static void in_use(void)
{
	struct slice *supers;
	struct chain *c = three(true, &supers);
	struct layer *f = layer_new("F", SIZE, BS, LAYER_INLINE);
	char *devno, *line;
	bool ok;

	chain_push(c, f);
	free(msg(c, "stream top E base A speed 8"));
	ct_wait(job_num(c, "E", "offset="), "the job does not begin");
	devno = ct_str("device %s", dmd_devno(c->dev));
	line = chain_params(c->layer, 2, "");
	ok = load_refused(line, SIZE / SECTOR, devno);
	line = chain_params(c->layer, 3, "");
	ok &= load_refused(line, SIZE / SECTOR, devno);
	line = chain_params(c->layer, 3, "1 read_only");
	ok &= load_refused(line, SIZE / SECTOR, devno);
	ct_check(ok, "not all was refused");
	free(msg(c, "job E pause"));
	ct_check(load_refused(line, SIZE / SECTOR, devno), "not refused");
	free(msg(c, "job E set-speed 0"));
	free(msg(c, "job E resume"));
	stream_done(c, 2, 0);
	end(c);
}

const struct scenario record_scenarios[] = {
	{ "record", "what-is-written-when", written },
	{ "record", "record-that-cannot-be-written", unwritable },
	{ "record", "result-that-cannot-be-written", owed },
	{ "record", "bottom-is-an-unknown-layer", unknown_bottom_layer },
	{ "record", "bottom-is-a-raw-layer-that-is-not-there", unknown_bottom_raw },
	{ "record", "jobs-paused", jobs_paused },
	{ "record", "jobs-paused-and-a-pending-one", jobs_paused_pending },
	{ "record", "read-only-table", read_only },
	{ "record", "top-that-another-has", shared_top },
	{ "record", "last-result", last },
	{ "record", "layers-in-use", in_use },
	{ }
};
