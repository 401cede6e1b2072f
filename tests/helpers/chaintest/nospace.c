// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: jobs whose top runs out of space: a thin device whose pool is full,
 * and a loop device on a full file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ct.h"

#define BS	4096
#define SIZE	(2 * MIB)
#define ROOM	MIB
#define THIN_BS	"128"		/* sectors */

#define POOL	PREFIX "pool"
#define THIN	PREFIX "thin"

static char *pool_line;

static struct slice *slice_on(const char *name, u64 size)
{
	struct slice *s = ct_alloc(sizeof(*s));

	strscpy(s->name, name, sizeof(s->name));
	s->size = size;
	s->fd = dmd_open(name, O_RDWR | O_DIRECT);
	ct_check(s->fd >= 0, "%s: %m", name);
	return s;
}

/* A thin device of SIZE in a pool of ROOM, which fails what does not fit. */
static struct slice *thin_new(void)
{
	struct slice *meta = slice_new(4 * MIB, 0);
	struct slice *data = slice_new(0, 4 * SIZE);
	struct dm_seg seg = { ROOM / SECTOR, "thin-pool", NULL };
	int r;

	pool_line = ct_str("%s %s " THIN_BS " 0 1 error_if_no_space",
			   dmd_devno(meta->name), dmd_devno(data->name));
	seg.params = pool_line;
	r = dmd_try_create(POOL, &seg, 1, false);
	if (r == -EINVAL)
		ct_skip("no thin pools here");
	ct_check(!r, "thin pool: %s", strerror(-r));
	r = dmd_message(POOL, "create_thin 0", NULL);
	ct_check(!r, "create_thin: %s", strerror(-r));
	seg.sectors = SIZE / SECTOR;
	seg.target = "thin";
	seg.params = ct_str("%s 0", dmd_devno(POOL));
	dmd_create(THIN, &seg, 1);
	return slice_on(THIN, SIZE);
}

static void thin_grow(void)
{
	struct dm_seg seg = { 2 * SIZE / SECTOR, "thin-pool", pool_line };
	int r = dmd_load(POOL, &seg, 1, false);

	if (!r)
		r = dmd_suspend(POOL, 0);
	if (!r)
		r = dmd_resume(POOL);
	ct_check(!r, "the pool does not grow: %s", strerror(-r));
}

/* A raw base, B with much in it, E on @top. */
static struct chain *chain_onto(struct slice *top)
{
	struct chain *c = chain_new("chain", BS);

	chain_push(c, layer_raw_new("A", SIZE, BS));
	chain_push(c, layer_new("B", SIZE, BS, LAYER_SEPARATE));
	chain_write(c, 0, SIZE);
	verify_all(c);
	chain_push(c, layer_on("E", SIZE, BS, top, slice_new(MIB, 0)));
	chain_write(c, 7 * BS, 512);
	verify_all(c);
	return c;
}

static void end(struct chain *c)
{
	verify_reopened(c);
	chain_close(c);
}

/* Bytes in the list of what failed, all of them writes to E. */
static u64 failed_bytes(struct chain *c, int error)
{
	char *text = msg(c, "job E failed");
	u64 sum = 0;
	char *line, *p;

	for (p = text; *p; p += strlen(line), p += *p == '\n') {
		line = ct_str("%.*s", (int)strcspn(p, "\n"), p);
		ct_check(!strcmp(field(line, "layer="), "E") &&
			 field_num(line, "error=") == (u64)error, "failed: %s",
			 text);
		sum += field_num(line, "length=");
	}
	return sum;
}

static void error_event(int fd, const char *action, int error)
{
	char *text = uevent_next(fd, "BLOCK_JOB_ERROR", 20000);

	ct_check(text && !strcmp(field(text, "DM_CHAIN_OPERATION="), "write") &&
		 !strcmp(field(text, "DM_CHAIN_LAYER="), "E") &&
		 !strcmp(field(text, "DM_CHAIN_ACTION="), action) &&
		 field_num(text, "DM_CHAIN_ERROR=") == (u64)error,
		 "event: %s", text);
	free(text);
}

static void check_paused(struct chain *c, u64 *offset)
{
	u64 missing = model_missing(c, 2, 0);
	char *line;

	job_wait_status(c, "E", "paused");
	line = job_line(c, "E");
	ct_check(!strcmp(field(line, "io-status="), "nospace") &&
		 field_num(line, "error=") == ENOSPC, "paused: %s", line);
	/* B is full, so nothing but what E held before was skipped. */
	missing -= field_num(line, "copied=") + field_num(line, "zeroed=");
	ct_check(field_num(line, "skipped=") == BS &&
		 field_num(line, "remaining=") >= missing, "%llu are missing: %s",
		 missing, line);
	ct_check(!*offset || field_num(line, "offset=") == *offset,
		 "offset was %llu: %s", *offset, line);
	*offset = field_num(line, "offset=");
	free(line);
	verify_view(c);
}

/* It pauses where there is no room, and goes on from there when there is. */
static void pauses(struct chain *c, int fd, const char *policy,
		   void (*room)(void))
{
	u64 total = model_missing(c, 2, 0);
	u64 offset = 0;
	char *line;

	free(msg(c, "stream base A auto-dismiss off on-error %s", policy));
	error_event(fd, "stop", ENOSPC);
	check_paused(c, &offset);
	ct_check(offset && offset < SIZE, "offset %llu", offset);
	free(msg(c, "job E resume"));
	error_event(fd, "stop", ENOSPC);
	check_paused(c, &offset);
	room();
	free(msg(c, "job E resume"));
	job_wait_status(c, "E", "concluded");
	line = job_line(c, "E");
	ct_check(!field_num(line, "error=") &&
		 !strcmp(field(line, "io-status="), "ok") &&
		 field_num(line, "copied=") + field_num(line, "zeroed=") == total,
		 "%llu bytes to copy: %s", total, line);
	free(msg(c, "job E dismiss"));
	model_stream(c, 2, 0);
	end(c);
}

/* It ends; started again it copies what did not fit. */
static void ends(struct chain *c, int fd, const char *policy,
		 void (*room)(void))
{
	u64 total = model_missing(c, 2, 0);
	u64 failed, missing;
	char *line;

	free(msg(c, "stream base A auto-dismiss off on-error %s", policy));
	error_event(fd, policy, ENOSPC);
	job_wait_status(c, "E", "concluded");
	last_check(c, "E", "E", "failed", ENOSPC);
	failed = failed_bytes(c, ENOSPC);
	line = job_line(c, "E");
	verify_view(c);
	room();
	chain_flush(c);
	disk_adopt(c->layer[2]);
	missing = model_missing(c, 2, 0);
	ct_note("failed %llu, missing %llu of %llu", failed, missing, total);
	ct_check(missing && missing < total &&
		 field_num(line, "copied=") + field_num(line, "zeroed=") +
		 missing == total, "%llu of %llu bytes are missing: %s", missing,
		 total, line);
	ct_check(strcmp(policy, "ignore") || failed == missing,
		 "%llu bytes failed, %llu are missing", failed, missing);
	free(msg(c, "job E dismiss"));
	verify_all(c);
	free(msg(c, "stream base A"));
	job_wait(c, "E");
	line = last_line(c, "E");
	ct_check(field_num(line, "copied=") + field_num(line, "zeroed=") ==
		 missing, "%llu bytes were missing: %s", missing, line);
	stream_done(c, 2, 0);
	end(c);
}

static void thin(const char *policy)
{
	struct chain *c = chain_onto(thin_new());
	int fd = uevent_open();

	if (!strcmp(policy, "report") || !strcmp(policy, "ignore"))
		ends(c, fd, policy, thin_grow);
	else
		pauses(c, fd, policy, thin_grow);
}

static void thin_report(void)
{
	thin("report");
}

static void thin_ignore(void)
{
	thin("ignore");
}

static void thin_stop(void)
{
	thin("stop");
}

static void thin_enospc(void)
{
	thin("enospc");
}

static void thin_auto(void)
{
	thin("auto");
}

/* A guest's write that does not fit fails; the job pauses beside it. */
static void thin_guest(void)
{
	struct chain *c = chain_onto(thin_new());
	void *buf = io_buf(BS);
	u64 offset = 0;

	free(msg(c, "stream base A on-error enospc"));
	check_paused(c, &offset);
	ct_check(io_do(c->fd, IO_WRITE, SIZE - BS, BS, buf),
		 "a write fits, although the pool is full");
	verify_view(c);
	thin_grow();
	chain_write(c, SIZE - BS, BS);
	free(msg(c, "job E resume"));
	stream_done(c, 2, 0);
	end(c);
}

/* ---- a loop device on a full file system, made by the script ---- */

static void delete_filler(void)
{
	const char *path = getenv("CHAINTEST_FULL_FILLER");

	ct_check(path && !unlink(path), "%s: %m", path);
	sync();
}

static struct slice *full_device(const char *variable)
{
	const char *path = getenv(variable);
	struct dm_seg seg = { SIZE / SECTOR, "linear", NULL };
	struct stat st;

	if (!path || stat(path, &st))
		ct_skip("no %s", variable);
	seg.params = ct_str("%u:%u 0", major(st.st_rdev), minor(st.st_rdev));
	dmd_create(PREFIX "full", &seg, 1);
	return slice_on(PREFIX "full", SIZE);
}

/*
 * Direct I/O tells what is wrong. Without it the page cache takes more than fits,
 * and loses it later: then there is nothing to test.
 */
static void loop_direct(void)
{
	struct chain *c = chain_onto(full_device("CHAINTEST_FULL_DIRECT"));

	pauses(c, uevent_open(), "enospc", delete_filler);
}

const struct scenario nospace_scenarios[] = {
	{ "nospace", "thin-report", thin_report },
	{ "nospace", "thin-ignore", thin_ignore },
	{ "nospace", "thin-stop", thin_stop },
	{ "nospace", "thin-enospc", thin_enospc },
	{ "nospace", "thin-auto", thin_auto },
	{ "nospace", "thin-and-a-guest", thin_guest },
	{ "nospace-direct", "loop-direct", loop_direct },
	{ }
};
