// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: tables that are too long, and layers that fail to grow: the old
 * size stays recorded, its table goes on, and another try succeeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ct.h"

#define BS	65536
#define SIZE	(MIB + SECTOR)
#define ROOM	(3 * MIB)

/* The parts of E's metadata device that can be broken one by one. */
#define META	(2 * MIB)
#define SUPERS	(192 * KIB)

struct parts {
	struct slice *supers;	/* the superblocks */
	struct slice *pages;	/* the map */
};

/* A <- E; A would show behind E's end, also in the block that this cuts. */
static struct chain *a_and_e(struct parts *p)
{
	struct chain *c = chain_new("chain", BS);
	struct slice *sub[2] = { slice_new(SUPERS, 0), slice_new(META, 0) };

	chain_push(c, layer_raw_new("A", 3 * MIB, BS));
	chain_push(c, layer_on("E", SIZE, BS, slice_new(0, ROOM),
			       slice_compose(2, sub)));
	chain_write(c, BS, 3 * SECTOR);
	verify_all(c);
	p->supers = sub[0];
	p->pages = sub[1];
	return c;
}

static void end(struct chain *c)
{
	verify_all(c);
	must_be_zero(c, SIZE, c->size);
	chain_write(c, 2 * MIB + SECTOR, SECTOR);
	verify_reopened(c);
	chain_close(c);
}

static int load(struct chain *c, u64 size)
{
	char *line = chain_line(c);
	struct dm_seg seg = { size / SECTOR, "chain", line };
	int r = dmd_load(c->dev, &seg, 1, false);

	free(line);
	return r;
}

static void must_load(struct chain *c, u64 size)
{
	int r;

	kmsg_mark();
	r = load(c, size);
	ct_check(!r, "load %llu: %s: %s", size, strerror(-r), kmsg_read());
}

static void must_not_resume(struct chain *c, const char *text)
{
	char *log;

	kmsg_mark();
	ct_check(dmd_resume(c->dev), "the device resumes");
	log = kmsg_read();
	ct_check(strstr(log, text), "the log does not say \"%s\": %s", text, log);
	free(log);
}

static void must_resume(struct chain *c)
{
	int r;

	kmsg_mark();
	r = dmd_resume(c->dev);
	ct_check(!r, "resume: %s: %s", strerror(-r), kmsg_read());
}

static void recorded(struct chain *c, u64 size)
{
	struct dm_chain_sb sb;

	disk_read_sb(chain_active(c), &sb);
	ct_check(sb.size == size, "E's superblock says %llu, not %llu", sb.size,
		 size);
}

/* What became E's because a growth was tried is right all the same. */
static void adopt_end(struct chain *c)
{
	chain_active(c)->may[SIZE / BS] |= MAY_DATA;
}

/*
 * @broken fails: resume does, too. Then by another resume, or by the old table
 * and a new one.
 */
static void fails_at(struct chain *c, struct slice *broken, bool retry)
{
	int r;

	must_load(c, ROOM);
	r = dmd_suspend(c->dev, DMD_NOLOCKFS);
	ct_check(!r, "suspend: %s", strerror(-r));
	slice_break(broken);
	must_not_resume(c, "growing layer E");
	must_not_resume(c, "growing layer E");
	slice_mend(broken);
	recorded(c, SIZE);

	if (retry) {
		must_resume(c);
		model_grow(c, ROOM);
		recorded(c, ROOM);
		end(c);
		return;
	}
	must_load(c, SIZE);
	must_resume(c);
	recorded(c, SIZE);
	adopt_end(c);
	chain_write(c, 5 * BS, BS);
	chain_discard(c, 7 * BS, BS);
	verify_reopened(c);
	chain_grow(c, ROOM);
	recorded(c, ROOM);
	end(c);
}

static void supers_fail(void)
{
	struct parts p;
	struct chain *c;
	int retry;

	for (retry = 0; retry < 2; retry++) {
		c = a_and_e(&p);
		fails_at(c, p.supers, retry);
		pool_reset();
	}
}

static void pages_fail(void)
{
	struct parts p;
	struct chain *c;
	int retry;

	for (retry = 0; retry < 2; retry++) {
		c = a_and_e(&p);
		fails_at(c, p.pages, retry);
		pool_reset();
	}
}

static void data_fails(void)
{
	struct parts p;
	struct chain *c;
	int retry;

	for (retry = 0; retry < 2; retry++) {
		c = a_and_e(&p);
		fails_at(c, chain_active(c)->data, retry);
		pool_reset();
	}
}

/* The block that the end cuts cannot be copied up. */
static void base_fails(void)
{
	struct parts p;
	struct chain *c;
	int retry;

	for (retry = 0; retry < 2; retry++) {
		c = a_and_e(&p);
		fails_at(c, c->layer[0]->data, retry);
		pool_reset();
	}
}

static int resume_it(struct chain *c)
{
	return dmd_resume(c->dev);
}

/*
 * All but the last write succeeds, that of the size: while the map's pages are
 * held the superblocks break. Until they can be written no table goes on.
 */
static void size_fails(void)
{
	struct parts p;
	struct chain *c;
	pid_t resume;
	int retry;

	for (retry = 0; retry < 2; retry++) {
		c = a_and_e(&p);
		must_load(c, ROOM);
		ct_check(!dmd_suspend(c->dev, DMD_NOLOCKFS), "suspend");
		slice_hold(p.pages);
		resume = aside_start(resume_it, c);
		aside_hangs(resume);
		slice_break(p.supers);
		slice_release(p.pages);
		ct_check(aside_end(resume), "the device resumes");
		slice_mend(p.supers);
		recorded(c, SIZE);
		if (retry) {
			must_resume(c);
			model_grow(c, ROOM);
		} else {
			slice_break(p.supers);
			must_load(c, SIZE);
			must_not_resume(c, "growing layer E");
			slice_mend(p.supers);
			must_resume(c);
			recorded(c, SIZE);
			adopt_end(c);
			chain_write(c, 5 * BS, BS);
			verify_all(c);
			chain_grow(c, ROOM);
		}
		end(c);
		pool_reset();
	}
}

/* As the device is made: there is no live chain to be taken over. */
static void activation_fails(void)
{
	struct parts p;
	struct chain *c = a_and_e(&p);
	int r;

	chain_close(c);
	verify_closed(c);
	r = dmd_try_create(c->dev, NULL, 0, false);
	ct_check(!r, "create: %s", strerror(-r));
	must_load(c, ROOM);
	slice_break(p.pages);
	must_not_resume(c, "growing layer E");
	slice_mend(p.pages);
	must_resume(c);
	c->fd = dmd_open(c->dev, O_RDWR | O_DIRECT);
	ct_check(c->fd >= 0, "%s: %m", c->dev);
	model_grow(c, ROOM);
	recorded(c, ROOM);
	end(c);
}

/* The job goes on with the old table, and again with a longer one. */
static void job_goes_on(void)
{
	struct parts p;
	struct chain *c = a_and_e(&p);

	stream_start(c, 1, -1, "speed 4096");
	ct_wait(job_num(c, "E", "offset="), "the job does not begin");
	must_load(c, ROOM);
	ct_check(!dmd_suspend(c->dev, DMD_NOLOCKFS), "suspend");
	slice_break(p.pages);
	must_not_resume(c, "growing layer E");
	slice_mend(p.pages);
	must_load(c, SIZE);
	must_resume(c);
	ct_check(job_num(c, "E", "len=") == SIZE, "the job's length is wrong");
	verify_view(c);
	chain_grow(c, ROOM);
	ct_check(job_num(c, "E", "len=") == ROOM, "the job's length is wrong");
	free(msg(c, "job E set-speed 0"));
	stream_done(c, 1, -1);
	end(c);
}

static int load_old(struct chain *c)
{
	return load(c, SIZE);
}

/*
 * The old table, loaded again while the new one grows the layer: it was looked
 * at before, and must not go live after.
 */
static void outgrown(void)
{
	struct parts p;
	struct chain *c = a_and_e(&p);
	pid_t resume, loader;
	int loaded;

	must_load(c, ROOM);
	ct_check(!dmd_suspend(c->dev, DMD_NOLOCKFS), "suspend");
	slice_hold(chain_active(c)->data);
	resume = aside_start(resume_it, c);
	aside_hangs(resume);
	loader = aside_start(load_old, c);
	ct_sleep_ms(CT_MUST_NOT_MS);
	slice_release(chain_active(c)->data);
	ct_check(!aside_end(resume), "resume fails");
	loaded = aside_end(loader);
	model_grow(c, ROOM);
	if (loaded) {
		ct_note("the old table was too late: %s", strerror(-loaded));
	} else {
		ct_check(!dmd_suspend(c->dev, DMD_NOLOCKFS), "suspend");
		must_not_resume(c, "has grown");
		must_load(c, ROOM);
		must_resume(c);
	}
	verify_all(c);
	end(c);
}

static void growth_refused(struct chain *c, u64 size, const char *words,
			   const char *text)
{
	char *params = chain_params(c->layer, c->nr, words);

	ct_check(load_refused(params, size / SECTOR, text), "%llu sectors \"%s\"",
		 size / SECTOR, words);
	free(params);
}

static void refusals(void)
{
	struct parts p;
	struct chain *c = a_and_e(&p);
	struct layer *e = chain_active(c);
	struct dm_chain_sb sb;
	int on = 1;

	chain_close(c);
	growth_refused(c, SIZE - SECTOR, "", "layer E has 2049: a layer cannot be shortened");
	growth_refused(c, ROOM + SECTOR, "", "has room for 6144");
	growth_refused(c, 4 * SIZE + SECTOR, "", "at most 8196");
	growth_refused(c, ROOM, "1 read_only", "the table is read-only");

	ct_check(!ioctl(e->data->fd, BLKROSET, &on), "BLKROSET: %m");
	growth_refused(c, ROOM, "", "it cannot be written");
	on = 0;
	ct_check(!ioctl(e->data->fd, BLKROSET, &on), "BLKROSET: %m");

	disk_read_sb(e, &sb);
	sb.flags |= DM_CHAIN_F_NEEDS_CHECK;
	disk_write_sb(e, &sb);
	growth_refused(c, ROOM, "", "it needs a check first");
	sb.flags &= ~DM_CHAIN_F_NEEDS_CHECK;
	sb.seq++;
	disk_write_sb(e, &sb);

	/* Nothing of this has changed it. */
	recorded(c, SIZE);
	chain_open(c);
	chain_grow(c, ROOM);
	verify_all(c);
	end(c);
}

const struct scenario growfail_scenarios[] = {
	{ "grow", "growth-refused", refusals },
	{ "grow", "growth-without-superblocks", supers_fail },
	{ "grow", "growth-without-map-pages", pages_fail },
	{ "grow", "growth-without-data-device", data_fails },
	{ "grow", "growth-without-base", base_fails },
	{ "grow", "growth-not-recorded", size_fails },
	{ "grow", "growth-at-activation-fails", activation_fails },
	{ "grow", "growth-fails-under-a-job", job_goes_on },
	{ "grow", "table-outgrown-while-loading", outgrown },
	{ }
};
