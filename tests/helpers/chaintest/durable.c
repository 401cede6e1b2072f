// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: what is durable when, and what failed metadata and data devices
 * leave behind. What a power cut would find is read from the devices.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"

#define BS	4096

/* A raw base and E with devices of its own; block 1 of E is committed. */
static struct chain *raw_and_e(void)
{
	struct chain *c = chain_new("chain", BS);

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_new("E", MIB, BS, LAYER_SEPARATE));
	chain_write(c, 1 * BS, BS);
	verify_all(c);
	return c;
}

static unsigned int state_on_disk(const struct layer *l, u64 block)
{
	struct on_disk *d = disk_load(l);
	unsigned int state = d->state[block];

	disk_free(d);
	return state;
}

/*
 * A flush that comes while a commit is on its way must neither pass by it, when
 * nothing is dirty any more, nor share it, when something is again.
 */
static void flush_during_commit(void)
{
	struct chain *c = raw_and_e();
	struct layer *e = chain_active(c);
	struct aio *flush[3];
	unsigned int i;

	chain_write(c, 2 * BS, BS);
	slice_hold(e->meta);
	flush[0] = aio_start(c->fd, IO_FLUSH, 0, 0, 0);
	ct_sleep_ms(CT_MUST_NOT_MS);
	flush[1] = aio_start(c->fd, IO_FLUSH, 0, 0, 0);
	ct_sleep_ms(CT_MUST_NOT_MS);
	chain_write(c, 3 * BS, BS);
	flush[2] = aio_start(c->fd, IO_FLUSH, 0, 0, 0);
	ct_sleep_ms(CT_MUST_NOT_MS);
	for (i = 0; i < ARRAY_SIZE(flush); i++)
		ct_check(!aio_done(flush[i]), "flush %u ends before its commit",
			 i);
	slice_release(e->meta);
	ct_check(!aio_wait(flush[2]), "flush: %s", strerror(-flush[2]->err));
	ct_check(state_on_disk(e, 3) == DM_CHAIN_DATA,
		 "flushed, but block 3 is not in the map on disk");
	for (i = 0; i < 2; i++)
		ct_check(!aio_wait(flush[i]), "flush: %s",
			 strerror(-flush[i]->err));
	ct_check(state_on_disk(e, 2) == DM_CHAIN_DATA,
		 "flushed, but block 2 is not in the map on disk");
	verify_reopened(c);
}

static void timed_commit(void)
{
	struct chain *c = raw_and_e();
	struct layer *e = chain_active(c);

	chain_write(c, 2 * BS, BS);
	chain_discard(c, 3 * BS, BS);
	ct_wait(state_on_disk(e, 2) == DM_CHAIN_DATA &&
		state_on_disk(e, 3) == DM_CHAIN_ZERO,
		"no commit starts by itself");
	verify_reopened(c);
}

static void check_mode(const struct chain *c, const char *mode)
{
	char *status = dmd_status(c->dev);
	char *p = strchr(status, ' ');

	ct_check(p && !strncmp(p + 1, mode, strlen(mode)) &&
		 p[1 + strlen(mode)] == ' ', "mode is not %s: \"%s\"", mode,
		 status);
	free(status);
}

static void must_fail(struct chain *c, enum io_op op, u64 offset, u64 len,
		      const char *what)
{
	void *buf = io_buf(len + 1);
	int r = io_do(c->fd, op, offset, len, buf);

	ct_check(r, "%s does not fail", what);
	free(buf);
}

/* After a commit that failed by itself, in the background, it may be refused. */
static void try_write(struct chain *c, u64 offset)
{
	u32 tag = pattern_new_tag();
	void *buf = io_buf(BS);

	pattern_fill(buf, tag, offset / SECTOR, BS / SECTOR);
	if (!io_do(c->fd, IO_WRITE, offset, BS, buf))
		model_write(c, offset, BS, tag);
	free(buf);
}

/*
 * Allocations and flushes fail, nothing that was acknowledged goes back. Here
 * and below a device breaks first, while nothing is dirty: a commit may begin
 * by itself at any time.
 */
static void commit_fails(void)
{
	struct chain *c = raw_and_e();
	struct layer *e = chain_active(c);

	slice_break(e->meta);
	try_write(c, 2 * BS);
	if (!io_do(c->fd, IO_DISCARD, 1 * BS, BS, NULL))
		model_discard(c, 1 * BS, BS);
	must_fail(c, IO_FLUSH, 0, 0, "a flush without metadata");
	check_mode(c, "fail");
	must_fail(c, IO_WRITE, 9 * BS, BS, "an allocation without metadata");
	must_fail(c, IO_FLUSH, 0, 0, "the next flush");
	verify_view(c);
	slice_mend(e->meta);
	chain_flush(c);
	check_mode(c, "rw");
	verify_all(c);
	chain_write(c, 9 * BS, BS);
	verify_reopened(c);
}

static u64 map_seq(const struct slice *s, u64 offset)
{
	struct dm_chain_disk_page *page = io_buf(4096);
	u64 seq;

	slice_read(s, offset, page, 4096);
	seq = dm_chain_page_seq(page);
	free(page);
	return seq;
}

/*
 * The first directory page that names the map page is written with an error, but
 * may be there all the same: the map page's two slots are not written at once then.
 */
static void directory_fails(void)
{
	struct chain *c = chain_new("chain", BS);
	struct dm_chain_geometry geo;
	struct slice *part[3];
	struct layer *e;
	struct aio *flush;
	u64 b;

	dm_chain_geometry_init(&geo, BS, 4 * MIB, NULL);
	ct_check(dm_chain_map_offset(&geo, 1, 0) == geo.area[1] + 4096, "geometry");
	part[0] = slice_new(geo.area[1], 0);
	part[1] = slice_new(4096, 0);
	part[2] = slice_new(MIB, 0);
	chain_push(c, layer_raw_new("A", MIB, BS));
	e = layer_on("E", MIB, BS, slice_new(0, MIB), slice_compose(3, part));
	chain_push(c, e);
	slice_break(part[1]);
	try_write(c, 2 * BS);
	must_fail(c, IO_FLUSH, 0, 0, "a flush without a directory");
	ct_check(map_seq(part[2], 0), "slot B was not written");

	slice_hold(part[0]);
	slice_mend(part[1]);
	flush = aio_start(c->fd, IO_FLUSH, 0, 0, 0);
	ct_sleep_ms(CT_MUST_NOT_MS);
	b = map_seq(part[2], 0);
	slice_release(part[0]);
	ct_check(!aio_wait(flush), "flush: %s", strerror(-flush->err));
	ct_check(b < map_seq(part[0], dm_chain_map_offset(&geo, 0, 0)),
		 "slot B was written before slot A was there");
	ct_check(state_on_disk(e, 2) == DM_CHAIN_DATA,
		 "flushed, but block 2 is not in the map on disk");
	verify_reopened(c);
}

/* What is held already can be overwritten; nothing new is to be committed. */
static void overwrite_after_failure(void)
{
	struct chain *c = raw_and_e();
	struct layer *e = chain_active(c);

	slice_break(e->meta);
	try_write(c, 2 * BS);
	must_fail(c, IO_FLUSH, 0, 0, "a flush without metadata");
	chain_write(c, 1 * BS, BS);
	chain_write(c, 1 * BS + 512, 512);
	verify_view(c);
	slice_mend(e->meta);
	verify_reopened(c);
}

/* The page that the last durable commit wrote, byte for byte. */
static void durable_page(const struct layer *l, void *copy)
{
	struct on_disk *d = disk_load(l);
	struct dm_chain_disk_page *page[2];
	unsigned int slot;

	for (slot = 0; slot < 2; slot++) {
		page[slot] = io_buf(DM_CHAIN_PAGE_SIZE);
		slice_read(l->meta, dm_chain_map_offset(&d->geo, slot, 0),
			   page[slot], DM_CHAIN_PAGE_SIZE);
	}
	slot = le64_to_cpu(page[1]->head.seq) > le64_to_cpu(page[0]->head.seq);
	memcpy(copy, page[slot], DM_CHAIN_PAGE_SIZE);
	free(page[0]);
	free(page[1]);
	disk_free(d);
}

static bool page_is_there(const struct layer *l, const void *copy)
{
	struct on_disk *d = disk_load(l);
	void *page = io_buf(DM_CHAIN_PAGE_SIZE);
	bool found = false;
	unsigned int slot;

	for (slot = 0; slot < 2; slot++) {
		slice_read(l->meta, dm_chain_map_offset(&d->geo, slot, 0), page,
			   DM_CHAIN_PAGE_SIZE);
		found = found || !memcmp(page, copy, DM_CHAIN_PAGE_SIZE);
	}
	free(page);
	disk_free(d);
	return found;
}

/*
 * The pages are written, but their flush fails: until one succeeded the old
 * ones must stay, however often it is tried. Two pages, because the write of a
 * single one needs no flush behind it.
 */
static void metadata_flush_fails(void)
{
	const u64 second = (u64)DM_CHAIN_BLOCKS_PER_PAGE * BS;
	struct chain *c = chain_new("chain", BS);
	void *copy = io_buf(DM_CHAIN_PAGE_SIZE);
	struct layer *e;
	unsigned int i;

	chain_push(c, layer_raw_new("A", MIB, BS));
	e = layer_new("E", 64 * MIB, BS, LAYER_SEPARATE);
	chain_push(c, e);
	/* The second commit: the first writes both slots. */
	chain_write(c, 2 * BS, BS);
	chain_write(c, second + 2 * BS, BS);
	chain_flush(c);
	slice_flush_fails(e->meta, true);
	durable_page(e, copy);
	try_write(c, 3 * BS);
	try_write(c, second + 3 * BS);
	for (i = 0; i < 3; i++) {
		must_fail(c, IO_FLUSH, 0, 0, "a flush whose metadata flush fails");
		ct_check(page_is_there(e, copy),
			 "try %u overwrote the last durable map page", i);
	}
	check_mode(c, "fail");
	verify_view(c);
	slice_flush_fails(e->meta, false);
	chain_flush(c);
	check_mode(c, "rw");
	chain_write(c, 4 * BS, BS);
	verify_reopened(c);
}

/* Without its data on the medium no block may get into the map. */
static void data_flush_fails(void)
{
	struct chain *c = raw_and_e();
	struct layer *e = chain_active(c);

	slice_flush_fails(e->data, true);
	try_write(c, 2 * BS);
	must_fail(c, IO_FLUSH, 0, 0, "a flush whose data flush fails");
	must_fail(c, IO_FLUSH, 0, 0, "a second flush whose data flush fails");
	ct_check(state_on_disk(e, 2) == DM_CHAIN_UNALLOCATED,
		 "block 2 is in the map on disk, its data may not be");
	verify_view(c);
	slice_flush_fails(e->data, false);
	chain_flush(c);
	check_mode(c, "rw");
	verify_reopened(c);
}

static void load_line(struct chain *c, const char *words, unsigned int flags)
{
	char *line = chain_params(c->layer, c->nr, words);
	int r = chain_load(c, line);

	ct_check(!r, "load %s: %s", line, strerror(-r));
	r = dmd_suspend(c->dev, flags | DMD_NOLOCKFS);
	ct_check(!r, "suspend: %s", strerror(-r));
	r = dmd_resume(c->dev);
	ct_check(!r, "resume: %s", strerror(-r));
	free(line);
}

/*
 * A live snapshot without any flush of dm's: E's data is not flushed by
 * anybody but the target; if it cannot, the next flush of F has to.
 */
static void snapshot_debt(void)
{
	struct chain *c = raw_and_e();
	struct layer *e = chain_active(c);
	struct layer *f = layer_new("F", MIB, BS, LAYER_SEPARATE);

	/* Held and committed: nothing dirty but in the device's cache. */
	slice_flush_fails(e->data, true);
	chain_write(c, 1 * BS, BS);
	model_push(c, f);
	load_line(c, "3 format block_size 8", DMD_NOFLUSH);
	must_fail(c, IO_FLUSH, 0, 0, "a flush of F while E's write is not flushed");
	verify_view(c);
	slice_flush_fails(e->data, false);
	chain_flush(c);
	chain_write(c, 5 * BS, BS);
	verify_reopened(c);
}

/* What is on its way to a layer ends before a job gives the layer away. */
static void debt_of_dropped(void)
{
	struct chain *c = chain_new("chain", BS);
	int fd = uevent_open();
	struct layer *e;
	struct aio *io;

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_fill(c, 10);
	e = layer_new("E", MIB, BS, LAYER_SEPARATE);
	chain_push(c, e);
	chain_write(c, BS, 2 * BS);
	verify_all(c);
	slice_flush_fails(e->data, true);
	chain_write(c, 9 * BS, BS);
	model_push(c, layer_new("F", MIB, BS, LAYER_SEPARATE));
	load_line(c, "3 format block_size 8", DMD_NOFLUSH);
	stream_start(c, 3, 0, "auto-finalize off");
	job_wait_status(c, "F", "pending");

	slice_hold(e->meta);
	slice_flush_fails(e->data, false);
	io = aio_start(c->fd, IO_FLUSH, 0, 0, 0);
	ct_sleep_ms(CT_MUST_NOT_MS);
	ct_check(!aio_done(io), "the flush does not pay what E owes");
	free(msg(c, "job F finalize"));
	ct_check(!uevent_next(fd, "BLOCK_JOB_COMPLETED", CT_MUST_NOT_MS),
		 "E is given away while its map is being written");
	slice_release(e->meta);
	ct_check(!aio_wait(io), "flush: %s", strerror(-io->err));
	ct_check(uevent_next(fd, "BLOCK_JOB_COMPLETED", 60000), "no end");
	stream_done(c, 3, 0);
	verify_reopened(c);
}

/* What E owes outlives a read-only table, which pays nothing. */
static void debt_over_read_only(void)
{
	struct chain *c = raw_and_e();
	struct layer *e = chain_active(c);

	slice_flush_fails(e->data, true);
	chain_write(c, 2 * BS, BS);
	load_line(c, "1 read_only", DMD_NOFLUSH);
	verify_view(c);
	load_line(c, "1 read_only", DMD_NOFLUSH);
	ct_check(state_on_disk(e, 2) == DM_CHAIN_UNALLOCATED,
		 "E owes nothing, there is nothing to see here");
	slice_flush_fails(e->data, false);
	model_push(c, layer_new("F", MIB, BS, LAYER_SEPARATE));
	load_line(c, "3 format block_size 8", 0);
	verify_view(c);
	chain_write(c, 5 * BS, BS);
	chain_flush(c);
	ct_check(state_on_disk(e, 2) == DM_CHAIN_DATA,
		 "block 2 of E is not in its map after a flush");
	verify_reopened(c);
}

static bool device_zero(const struct slice *s, u64 offset)
{
	u8 *buf = io_buf(BS);
	bool zero;

	slice_read(s, offset, buf, BS);
	zero = !memchr_inv(buf, 0, BS);
	free(buf);
	return zero;
}

/* Discards that show as zeros: what these tests can see. */
static void need_discard(void)
{
	struct slice *s = slice_new(0, 64 * KIB);

	if (io_do(s->fd, IO_DISCARD, 0, 64 * KIB, NULL) || !device_zero(s, 0))
		ct_skip("the pool's discards cannot be seen");
}

static void discard_order(void)
{
	struct chain *c;
	struct layer *e;

	need_discard();
	c = raw_and_e();
	e = chain_active(c);
	slice_hold(e->meta);
	chain_discard(c, 1 * BS, BS);
	ct_sleep_ms(CT_MUST_NOT_MS);
	ct_check(!device_zero(e->data, 1 * BS),
		 "a discard is passed down before the map says so");
	verify_view(c);
	slice_release(e->meta);
	chain_flush(c);
	ct_wait(device_zero(e->data, 1 * BS), "a discard is not passed down");
	verify_reopened(c);
}

/* A write of a block whose discard is on its way down. */
static void discard_then_write(void)
{
	struct chain *c;
	struct aio *flush, *io;
	struct layer *e;
	u32 tag;

	need_discard();
	c = raw_and_e();
	e = chain_active(c);
	slice_hold(e->data);
	chain_discard(c, 1 * BS, BS);
	flush = aio_start(c->fd, IO_FLUSH, 0, 0, 0);
	ct_sleep_ms(CT_MUST_NOT_MS);
	tag = pattern_new_tag();
	io = aio_start(c->fd, IO_WRITE, 1 * BS, BS, tag);
	ct_sleep_ms(50);
	slice_release(e->data);
	ct_check(!aio_wait(io) && !aio_wait(flush), "write or flush fails");
	model_write(c, 1 * BS, BS, tag);
	verify_view(c);
	ct_sleep_ms(50);
	verify_reopened(c);
}

/* A block that was discarded and written again long before the commit. */
static void discard_cancelled(void)
{
	struct chain *c = raw_and_e();
	struct layer *e = chain_active(c);

	slice_hold(e->meta);
	chain_discard(c, 1 * BS, BS);
	chain_write(c, 1 * BS, BS);
	slice_release(e->meta);
	chain_flush(c);
	ct_sleep_ms(50);
	verify_reopened(c);
}

/*
 * The generation is raised, durably, by the first write after an activation;
 * jobs leave it alone.
 */
static void generation(void)
{
	struct chain *c = raw_and_e();
	struct layer *e = chain_active(c);
	struct dm_chain_sb sb;
	u64 before;

	chain_close(c);
	disk_read_sb(e, &sb);
	before = sb.generation;
	chain_open(c);
	verify_all(c);
	chain_close(c);
	disk_read_sb(e, &sb);
	ct_check(sb.generation == before, "reads raise the generation");
	chain_open(c);
	chain_write(c, 1 * BS, 512);
	disk_read_sb(e, &sb);
	ct_check(sb.generation > before,
		 "a write ended, but the generation on disk is still %llu",
		 before);
	before = sb.generation;
	chain_write(c, 5 * BS, BS);
	chain_flush(c);
	disk_read_sb(e, &sb);
	ct_check(sb.generation == before, "the second write raises it again");
	ct_check(!(sb.flags & DM_CHAIN_F_CLEAN),
		 "the map was written, but the superblock says clean");
	chain_stream(c, 1, -1);
	disk_read_sb(e, &sb);
	ct_check(sb.generation == before, "a job raises the generation");
	ct_check(sb.backing.kind == DM_CHAIN_BACKING_NONE,
		 "backing is of kind %u after a stream of all", sb.backing.kind);
	verify_reopened(c);
}

/* A job at its end cannot write the superblock of its top. */
static void job_end_fails(void)
{
	struct chain *c = chain_new("chain", BS);
	struct slice *b_data = slice_new(0, MIB);
	struct layer *e;
	char *last;

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_on("B", MIB, BS, b_data, slice_new(MIB, 0)));
	chain_write(c, 8 * BS, 4 * BS);
	chain_push(c, layer_new("E", MIB, BS, LAYER_SEPARATE));
	e = chain_active(c);
	chain_write(c, 1 * BS, BS);
	verify_all(c);

	slice_hold(b_data);
	stream_start(c, 2, 0, "");
	ct_sleep_ms(50);
	ct_check(job_live(c, "E"), "the job is over although its source is held");
	slice_break(e->meta);
	slice_release(b_data);
	job_wait(c, "E");
	verify_view(c);
	ct_check(strstr(dmd_status(c->dev), " 3 A "), "the chain is shorter: %s",
		 dmd_status(c->dev));
	slice_mend(e->meta);
	chain_flush(c);
	last = msg(c, "layers");
	ct_check(!strstr(last, "releasable"), "a layer was dropped: %s", last);

	/* What it copied may stay. */
	disk_adopt(e);
	verify_all(c);
	chain_stream(c, 2, 0);
	verify_reopened(c);
}

const struct scenario durable_scenarios[] = {
	{ "holes", "flush-during-commit", flush_during_commit },
	{ "holes", "commit-by-itself", timed_commit },
	{ "holes", "failed-commit-retried", commit_fails },
	{ "holes", "directory-write-fails", directory_fails },
	{ "holes", "overwrite-after-a-failed-commit", overwrite_after_failure },
	{ "holes", "failed-metadata-flush-retried", metadata_flush_fails },
	{ "holes", "failed-data-flush-retried", data_flush_fails },
	{ "holes", "snapshot-without-flush-leaves-a-debt", snapshot_debt },
	{ "holes", "debt-of-a-layer-that-is-dropped", debt_of_dropped },
	{ "holes", "debt-over-a-read-only-table", debt_over_read_only },
	{ "holes", "discard-after-commit", discard_order },
	{ "holes", "write-during-pass-down", discard_then_write },
	{ "holes", "write-after-discard", discard_cancelled },
	{ "holes", "generation-and-clean", generation },
	{ "holes", "job-cannot-end", job_end_fails },
	{ }
};
