// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: copy on read beside all the rest: devices that hang, fail or are
 * full, writes of the same block, jobs, suspends.
 *
 * E's data device is composed of one that can be held and the rest, so that its
 * counters tell when a copy hangs in there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "readcopy.h"

#define BS	4096
#define SIZE	(2 * MIB)

/* A <- B <- E; the first @held bytes of E's data can be held. */
static struct chain *with_held_e(u32 bs, u64 held, struct slice **sub)
{
	struct chain *c = readcopy_chain("B", SIZE, bs);
	struct slice *data;

	/* What the first blocks are is known. */
	chain_write(c, 0, 16ULL * bs);
	sub[0] = slice_new(0, held);
	sub[1] = slice_new(0, SIZE - held);
	data = slice_compose(2, sub);
	chain_push(c, layer_on("E", SIZE, bs, data, slice_new(MIB, 0)));
	verify_all(c);
	readcopy_table(c, "2 copy_on_read no_discard_passdown");
	return c;
}

static unsigned int writes_in_flight(const struct slice *s)
{
	char *devno = dmd_devno(s->name);
	char *path = ct_str("/sys/dev/block/%s/stat", devno);
	FILE *f = fopen(path, "r");
	unsigned int n;

	/* The ninth number. Nobody reads from it. */
	ct_check(f && fscanf(f, "%*u %*u %*u %*u %*u %*u %*u %*u %u", &n) == 1,
		 "%s: %m", path);
	fclose(f);
	free(path);
	free(devno);
	return n;
}

/* Block 0 is read, and its copy hangs in E's device. */
static void copy_hangs(struct chain *c, const struct slice *held)
{
	slice_hold(held);
	readcopy_read(c, 512, 512);
	readcopy_model(c, 0, 512, 512);
	ct_wait(writes_in_flight(chain_active(c)->data) == 1,
		"block 0 is not copied");
}

static void end(struct chain *c)
{
	readcopy_end(c, 0);
}

/* More reads than anybody would take note of, none of which waits. */
static void reads_never_wait(void)
{
	struct slice *sub[2];
	struct chain *c = with_held_e(BS, SIZE - BS, sub);
	struct aio *io;
	unsigned int i;

	copy_hangs(c, sub[0]);
	/* Of what is being copied, and of other blocks. */
	io = aio_start(c->fd, IO_READ, 0, 4 * BS, 0);
	ct_check(!aio_wait(io), "the read fails");
	for (i = 0; i < 3; i++) {
		u64 b;

		verify_view(c);
		for (b = 0; b < SIZE / BS; b += 2)
			readcopy_read(c, b * BS + 1024, 512);
	}
	ct_check(writes_in_flight(chain_active(c)->data), "the copies do not hang");
	slice_release(sub[0]);
	readcopy_copies(c, 0, 0, SIZE);
	end(c);
}

/* A write that meets a copy on its way: it waits, and comes last. */
static void write_meets_copy(u32 bs, enum io_op op, u64 offset, u64 len)
{
	struct slice *sub[2];
	struct chain *c = with_held_e(bs, 4 * bs, sub);
	u32 tag = op == IO_DISCARD || op == IO_ZERO ? 0 : pattern_new_tag();
	struct aio *io;

	copy_hangs(c, sub[0]);
	io = aio_start(c->fd, op, offset, len, tag);
	ct_sleep_ms(CT_MUST_NOT_MS);
	ct_check(!aio_done(io), "the request passes the copy");
	readcopy_read(c, 0, bs);
	slice_release(sub[0]);
	ct_check(!aio_wait(io), "the request fails: %s", strerror(-io->err));
	if (op == IO_DISCARD)
		model_discard(c, offset, len);
	else if (op == IO_ZERO)
		model_zero(c, offset, len);
	else
		model_write(c, offset, len, tag);
	verify_disk(c);
	end(c);
}

static void whole_write(void)
{
	write_meets_copy(BS, IO_WRITE, 0, BS);
}

static void whole_fua(void)
{
	write_meets_copy(65536, IO_WRITE_FUA, 0, 65536);
}

static void partial_write(void)
{
	write_meets_copy(65536, IO_WRITE, 1536, 4096);
}

static void discard(void)
{
	write_meets_copy(65536, IO_DISCARD, 0, 65536);
}

static void write_zeroes(void)
{
	write_meets_copy(65536, IO_ZERO, 0, 65536);
}

/* Writes of other blocks do not wait for it. */
static void other_writes(void)
{
	struct slice *sub[2];
	struct chain *c = with_held_e(BS, 4 * BS, sub);
	u32 tag = pattern_new_tag();
	struct aio *io;

	copy_hangs(c, sub[0]);
	io = aio_start(c->fd, IO_WRITE, 4 * BS, 2 * BS, tag);
	ct_check(!aio_wait(io), "the write fails");
	model_write(c, 4 * BS, 2 * BS, tag);
	chain_write(c, 8 * BS + 512, 512);
	chain_discard(c, 12 * BS, BS);
	ct_check(writes_in_flight(chain_active(c)->data) == 1,
		 "the copy does not hang");
	slice_release(sub[0]);
	end(c);
}

/* ---- suspend, reload, remove: they wait for what has begun ---- */

static int suspend_it(struct chain *c)
{
	return dmd_suspend(c->dev, DMD_NOLOCKFS | DMD_NOFLUSH);
}

static int remove_it(struct chain *c)
{
	return dmd_remove(c->dev);
}

static void suspend_meets_copy(bool reload)
{
	struct slice *sub[2];
	struct chain *c = with_held_e(BS, SIZE - BS, sub);
	pid_t suspend;
	char *line;
	int r;

	copy_hangs(c, sub[0]);
	line = dmd_table(c->dev);
	if (reload)
		ct_check(!chain_load(c, line), "load of %s", line);
	free(line);
	suspend = aside_start(suspend_it, c);
	ct_sleep_ms(CT_MUST_NOT_MS);
	ct_check(!aside_ended(suspend), "suspended, but a copy is on its way");
	slice_release(sub[0]);
	r = aside_end(suspend);
	ct_check(!r, "suspend: %s", strerror(-r));
	ct_check(!dmd_resume(c->dev), "resume");
	readcopy_verify(c);
	end(c);
}

static void suspends(void)
{
	suspend_meets_copy(false);
}

static void reloads(void)
{
	suspend_meets_copy(true);
}

static void removes(void)
{
	struct slice *sub[2];
	struct chain *c = with_held_e(BS, SIZE - BS, sub);
	pid_t remove;
	int r;

	copy_hangs(c, sub[0]);
	model_freeze(c);
	close(c->fd);
	c->fd = -1;
	remove = aside_start(remove_it, c);
	ct_sleep_ms(CT_MUST_NOT_MS);
	ct_check(!aside_ended(remove), "removed, but a copy is on its way");
	slice_release(sub[0]);
	r = aside_end(remove);
	ct_check(!r, "remove: %s", strerror(-r));
	verify_closed(c);
	verify_tool(c);
	chain_open(c);
	end(c);
}

/* ---- failures: the reads know nothing of them ---- */

static bool log_says(const char *text)
{
	char *log = kmsg_read();
	bool found = strstr(log, text);

	free(log);
	return found;
}

/* A line of the kernel's log, since the mark. */
static void wait_for_log(const char *text)
{
	ct_wait(log_says(text), "the kernel's log does not say \"%s\"", text);
}

/* What was read may have been copied or not, as data only if it can be. */
static void copied_perhaps(struct chain *c, bool data)
{
	struct layer *e = chain_active(c);
	u8 *before = ct_alloc(layer_blocks(e));
	u64 b;

	memcpy(before, e->may, layer_blocks(e));
	readcopy_model(c, 0, 0, c->size);
	for (b = 0; b < layer_blocks(e); b++)
		if (e->may[b] == MAY_DATA && before[b] != MAY_DATA && !data)
			e->may[b] = before[b];
		else
			e->may[b] |= before[b];
	free(before);
}

static void write_errors(void)
{
	struct chain *c = readcopy_chain("BC", SIZE, BS);
	struct layer *e = layer_new("E", SIZE, BS, LAYER_SEPARATE);

	chain_push(c, e);
	readcopy_table(c, "1 copy_on_read");
	slice_break(e->data);
	kmsg_mark();
	verify_view(c);
	wait_for_log("copy on read: layer E cannot be written");
	verify_view(c);
	ct_check(!dmd_suspend(c->dev, 0), "suspend");
	slice_mend(e->data);
	ct_check(!dmd_resume(c->dev), "resume");
	copied_perhaps(c, false);
	readcopy_verify(c);
	end(c);
}

/* The copiers hang in E; what waits for them meets a layer that is broken. */
static void read_errors(void)
{
	struct slice *sub[2];
	struct chain *c = with_held_e(BS, SIZE - BS, sub);
	unsigned int b, n;

	slice_hold(sub[0]);
	for (b = 0; b < 6; b++)
		readcopy_read(c, 2ULL * b * BS, BS);
	ct_wait(writes_in_flight(chain_active(c)->data) == 4,
		"four blocks are not copied at the same time");
	slice_break(c->layer[1]->data);
	kmsg_mark();
	slice_release(sub[0]);
	wait_for_log("copy on read: layer B cannot be read");
	readcopy_settle(c);
	slice_mend(c->layer[1]->data);
	for (b = 0; b < 4; b++)
		readcopy_model(c, 0, 2ULL * b * BS, BS);
	readcopy_verify(c);
	for (n = 0, b = 0; b < 32; b++)
		n += chain_active(c)->may[b] == MAY_DATA;
	ct_check(n == 4, "%u blocks were copied", n);
	end(c);
}

/* While the last commit has failed nothing is allocated. */
static void failed_commit(void)
{
	struct chain *c = readcopy_chain("BE", SIZE, BS);
	struct layer *e = chain_active(c);

	readcopy_table(c, "1 copy_on_read");
	/* The first write after a resume needs the metadata itself. */
	chain_write(c, 0, BS);
	chain_flush(c);
	slice_break(e->meta);
	chain_discard(c, 0, BS);
	ct_check(io_do(c->fd, IO_FLUSH, 0, 0, NULL), "the flush does not fail");
	verify_view(c);
	ct_check(!dmd_suspend(c->dev, 0), "suspend");
	slice_mend(e->meta);
	ct_check(!dmd_resume(c->dev), "resume");
	readcopy_verify(c);
	end(c);
}

/* A thin volume of SIZE that has room for half of it. */
static struct slice *thin_new(struct slice *meta, struct slice *room)
{
	struct slice *s = ct_alloc(sizeof(*s));
	char *m = dmd_devno(meta->name), *d = dmd_devno(room->name);
	struct dm_seg seg = { SIZE / 2 / SECTOR, "thin-pool", NULL };

	seg.params = ct_str("%s %s 128 0 1 error_if_no_space", m, d);
	dmd_create(PREFIX "thinpool", &seg, 1);
	ct_check(!dmd_message(PREFIX "thinpool", "create_thin 0", NULL),
		 "create_thin");
	strscpy(s->name, PREFIX "thin", sizeof(s->name));
	s->size = SIZE;
	seg.sectors = SIZE / SECTOR;
	seg.target = "thin";
	seg.params = ct_str("%s 0", dmd_devno(PREFIX "thinpool"));
	dmd_create(s->name, &seg, 1);
	s->fd = dmd_open(s->name, O_RDWR | O_DIRECT);
	ct_check(s->fd >= 0, "%s: %m", s->name);
	return s;
}

/* Give it all the room that it needs. */
static void thin_grow(struct slice *meta, struct slice *room)
{
	char *m = dmd_devno(meta->name), *d = dmd_devno(room->name);
	struct dm_seg seg = { SIZE / SECTOR, "thin-pool", NULL };

	seg.params = ct_str("%s %s 128 0 1 error_if_no_space", m, d);
	dmd_swap(PREFIX "thinpool", &seg, 1);
}

/* A device that is full: no more copies until the next resume. */
static void no_space(void)
{
	struct slice *meta = slice_new(4 * MIB, 0), *room = slice_new(0, SIZE);
	struct chain *c = chain_new("chain", BS);
	struct layer *e;

	chain_push(c, layer_new("A", SIZE, BS, LAYER_INLINE));
	chain_write(c, 0, MIB);
	chain_write(c, MIB, MIB);
	e = layer_on("E", SIZE, BS, thin_new(meta, room), slice_new(MIB, 0));
	chain_push(c, e);
	verify_all(c);
	readcopy_table(c, "1 copy_on_read");
	kmsg_mark();
	verify_view(c);
	wait_for_log("error -28");
	readcopy_settle(c);
	copied_perhaps(c, true);
	readcopy_verify(c);
	/* Copying has begun again, and is refused again. */
	kmsg_mark();
	verify_view(c);
	wait_for_log("error -28");
	thin_grow(meta, room);
	/* There is room now, but until a resume nobody looks. */
	verify_view(c);
	readcopy_settle(c);
	copied_perhaps(c, false);
	readcopy_verify(c);
	readcopy_copies(c, 0, 0, SIZE);
	end(c);
}

/* ---- writers, jobs, reloads ---- */

static void under_load(u32 bs, int top, const char *after)
{
	struct chain *c = readcopy_chain("BCE", SIZE, bs);
	struct writers *w;
	unsigned int i;

	readcopy_table(c, "2 copy_on_read_bottom B");
	w = writers_start(c);
	for (i = 0; i < 4; i++) {
		chain_reload(c, i % 2 ? DMD_NOFLUSH : 0);
		writers_more(w);
	}
	stream_start(c, top, 0, "");
	writers_more(w);
	job_wait(c, c->layer[top]->name);
	writers_stop(w);
	ct_check(strstr(dmd_table(c->dev), after), "table: %s", dmd_table(c->dev));

	model_stream(c, top, 0);
	readcopy_table(c, "");
	/* What a read made E's and what a write did is open; the view is not. */
	verify_disk_view(c);
	verify_reopened(c);
}

static void load_4k(void)
{
	under_load(BS, 3, " 2 copy_on_read_bottom E");
}

static void load_64k(void)
{
	under_load(65536, 3, " 2 copy_on_read_bottom E");
}

static void load_intermediate(void)
{
	under_load(BS, 2, " 2 copy_on_read_bottom C");
}

struct reader {
	pthread_t thread;
	struct chain *c;
	int stop;
	unsigned int passes;
};

/* Reads all of the device again and again: nobody looks at what. */
static void *reader(void *data)
{
	struct reader *r = data;
	void *buf = io_buf(64 * KIB);
	u64 offset;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		for (offset = 0; offset < SIZE; offset += 64 * KIB)
			ct_check(!io_do(r->c->fd, IO_READ, offset, 64 * KIB, buf),
				 "a read fails");
		__atomic_fetch_add(&r->passes, 1, __ATOMIC_RELAXED);
	}
	free(buf);
	return NULL;
}

/*
 * Snapshots, with each of which everything is to be copied anew, while threads
 * write and one reads all.
 */
static void snapshots(u32 bs)
{
	struct chain *c = readcopy_chain("BE", SIZE, bs);
	char *words = ct_str("4 format copy_on_read block_size %u", bs / SECTOR);
	struct layer *all[DM_CHAIN_MAX_LAYERS];
	unsigned int nr = c->nr, passes;
	struct reader r = { .c = c };
	char name[2] = "F", *line;
	struct writers *w;

	memcpy(all, c->layer, nr * sizeof(*all));
	readcopy_table(c, "1 copy_on_read");
	w = writers_start(c);
	ct_check(!pthread_create(&r.thread, NULL, reader, &r), "no thread");
	for (; name[0] < 'L'; name[0]++) {
		all[nr] = layer_new(name, SIZE, bs, nr % 2 ? LAYER_INLINE :
				    LAYER_SEPARATE);
		nr++;
		line = chain_params(all, nr, words);
		ct_check(!chain_load(c, line), "load of %s", line);
		free(line);
		ct_check(!dmd_suspend(c->dev, DMD_NOLOCKFS) &&
			 !dmd_resume(c->dev), "snapshot");
		passes = __atomic_load_n(&r.passes, __ATOMIC_RELAXED);
		ct_wait(__atomic_load_n(&r.passes, __ATOMIC_RELAXED) > passes + 1,
			"no reads");
		writers_more(w);
	}
	writers_stop(w);
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELAXED);
	pthread_join(r.thread, NULL);
	memcpy(c->layer, all, nr * sizeof(*all));
	c->nr = nr;
	readcopy_table(c, "");
	verify_disk_view(c);
	verify_all(c);
	chain_close(c);
	verify_closed(c);
	chain_open(c);
	verify_all(c);
	free(words);
}

static void snapshots_4k(void)
{
	snapshots(BS);
}

static void snapshots_64k(void)
{
	snapshots(65536);
}

const struct scenario readrace_scenarios[] = {
	{ "readcopy", "reads-never-wait", reads_never_wait },
	{ "readcopy", "whole-write-meets-a-copy", whole_write },
	{ "readcopy", "whole-fua-write-meets-a-copy", whole_fua },
	{ "readcopy", "partial-write-meets-a-copy", partial_write },
	{ "readcopy", "discard-meets-a-copy", discard },
	{ "readcopy", "write-zeroes-meets-a-copy", write_zeroes },
	{ "readcopy", "other-writes-do-not-wait", other_writes },
	{ "readcopy", "suspend-during-a-copy", suspends },
	{ "readcopy", "reload-during-a-copy", reloads },
	{ "readcopy", "remove-during-a-copy", removes },
	{ "readcopy", "write-errors", write_errors },
	{ "readcopy", "read-errors", read_errors },
	{ "readcopy", "failed-commit", failed_commit },
	{ "readcopy", "no-space", no_space },
	{ "readcopy", "writers-reloads-and-a-stream", load_4k },
	{ "readcopy", "writers-reloads-and-a-stream-64k", load_64k },
	{ "readcopy", "writers-and-a-stream-into-an-intermediate",
	  load_intermediate },
	{ "readcopy", "snapshots-under-load", snapshots_4k },
	{ "readcopy", "snapshots-under-load-64k", snapshots_64k },
	{ }
};
