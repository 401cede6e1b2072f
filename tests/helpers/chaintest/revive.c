// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: jobs that outlive tables, suspends and the device: in whatever
 * state they were they come back, and go on where they were.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ct.h"

#define BS	4096
#define SIZE	(4 * MIB)
#define BAD_AT	(3 * MIB)
#define BAD	(64 * KIB)

enum state { RUNS, RESTS, WAITS, FAILED };

/* A raw base, B, of which a part can break, and E: all to be copied is in B. */
struct stage {
	struct chain *c;
	enum state state;
	struct layer *b;
	struct slice *part;
	u64 total;
	u64 offset;
	u64 copied;
};

static struct stage *stage_new(void)
{
	struct stage *s = ct_alloc(sizeof(*s));
	struct chain *c = chain_new("chain", BS);
	struct slice *sub[3];

	sub[0] = slice_new(0, BAD_AT);
	sub[1] = slice_new(0, BAD);
	sub[2] = slice_new(0, SIZE - BAD_AT - BAD);
	s->part = sub[1];
	s->c = c;
	chain_push(c, layer_raw_new("A", SIZE, BS));
	s->b = layer_on("B", SIZE, BS, slice_compose(3, sub), slice_new(MIB, 0));
	chain_push(c, s->b);
	chain_write(c, 64 * KIB, SIZE - 64 * KIB);
	chain_discard(c, 128 * KIB, 64 * KIB);
	verify_all(c);
	chain_push(c, layer_new("E", SIZE, BS, LAYER_SEPARATE));
	chain_write(c, 80 * KIB, 512);
	verify_all(c);
	s->total = model_missing(c, 2, 0);
	return s;
}

static u64 done(const struct chain *c)
{
	return job_num(c, "E", "copied=") + job_num(c, "E", "zeroed=");
}

/* Start a job and bring it into a state. */
static void start(struct stage *s, enum state state)
{
	struct chain *c = s->c;

	s->state = state;
	if (state == FAILED)
		slice_break(s->part);
	free(msg(c, "stream base A %s%s",
		 state == RUNS || state == RESTS ? "speed 8 " : "",
		 state == WAITS ? "auto-finalize off" : "on-error stop"));
	if (state == RUNS || state == RESTS)
		ct_wait(done(c), "the job does not begin");
	if (state == RESTS)
		job_pause(c, "E");
	else if (state == WAITS)
		job_wait_status(c, "E", "pending");
	else if (state == FAILED)
		job_wait_status(c, "E", "paused");
	s->offset = job_num(c, "E", "offset=");
	s->copied = done(c);
	ct_check(s->offset && s->copied, "nothing was copied: %s",
		 job_line(c, "E"));
}

/* It is as it was, or has gone on. */
static void check(struct stage *s, const char *after)
{
	static const char * const shown[] = {
		[RUNS] = "running", [RESTS] = "paused", [WAITS] = "pending",
		[FAILED] = "paused",
	};
	struct chain *c = s->c;
	u64 offset, copied;
	char *line;

	line = job_line(c, "E");
	ct_check(line, "the job is gone after %s", after);
	ct_check(!strcmp(field(line, "status="), shown[s->state]),
		 "not %s after %s: %s", shown[s->state], after, line);
	offset = field_num(line, "offset=");
	copied = field_num(line, "copied=") + field_num(line, "zeroed=");
	if (s->state == RUNS)
		ct_check(offset >= s->offset && copied >= s->copied,
			 "offset was %llu, copied %llu before %s: %s", s->offset,
			 s->copied, after, line);
	else
		ct_check(offset == s->offset && copied == s->copied,
			 "offset was %llu, copied %llu before %s: %s", s->offset,
			 s->copied, after, line);
	ct_check(!strcmp(field(line, "io-status="),
			 s->state == FAILED ? "failed" : "ok") &&
		 field_num(line, "error=") == (s->state == FAILED ? EIO : 0) &&
		 field_num(line, "speed=") ==
		 (s->state == RUNS || s->state == RESTS ? 8 : 0) &&
		 !strcmp(field(line, "on-error="),
			 s->state == WAITS ? "report" : "stop") &&
		 !strcmp(field(line, "auto-finalize="),
			 s->state == WAITS ? "off" : "on"),
		 "after %s: %s", after, line);
	s->offset = offset;
	s->copied = copied;
	free(line);
}

static void finish(struct stage *s)
{
	struct chain *c = s->c;
	char *line;

	if (s->state == FAILED)
		slice_mend(s->part);
	if (s->state == WAITS)
		free(msg(c, "job E finalize"));
	else
		free(msg(c, "job E set-speed 0"));
	if (s->state == RESTS || s->state == FAILED)
		free(msg(c, "job E resume"));
	job_wait(c, "E");
	last_check(c, "E", "E", "completed", 0);
	line = last_line(c, "E");
	ct_check(field_num(line, "copied=") + field_num(line, "zeroed=") ==
		 s->total, "%llu bytes to copy: %s", s->total, line);
	free(line);
	model_stream(c, chain_find(c, "E"), chain_find(c, "A"));
}

static void suspend_resume(struct chain *c, unsigned int flags)
{
	ct_check(!dmd_suspend(c->dev, flags), "suspend");
	ct_check(!dmd_resume(c->dev), "resume");
}

/* All that can happen to the tables of a device with a job. */
static void tables(enum state state)
{
	struct stage *s = stage_new();
	struct chain *c = s->c;
	unsigned int i;

	start(s, state);
	for (i = 0; i < 2; i++) {
		chain_reload(c, 0);
		check(s, "a reload");
		chain_reload(c, DMD_NOFLUSH);
		check(s, "a reload without flush");
		suspend_resume(c, 0);
		check(s, "a suspend");
		suspend_resume(c, DMD_NOFLUSH | DMD_NOLOCKFS);
		check(s, "a suspend without flush");
		chain_push(c, layer_new(i ? "G" : "F", SIZE, BS, i ?
					LAYER_SEPARATE : LAYER_INLINE));
		check(s, "a snapshot");
		/* They keep what comes now. */
		if (state != FAILED)
			chain_fill(c, 5);
		chain_close(c);
		chain_open(c);
		check(s, "remove and create");
		if (state != FAILED)
			verify_view(c);
	}
	finish(s);
	verify_reopened(s->c);
}

static void tables_running(void)
{
	tables(RUNS);
}

static void tables_paused(void)
{
	tables(RESTS);
}

static void tables_pending(void)
{
	tables(WAITS);
}

static void tables_failed(void)
{
	tables(FAILED);
}

/*
 * After remove and create it goes on by itself where it was: what was copied is
 * not even read again.
 */
static void where_it_was(void)
{
	struct stage *s = stage_new();
	struct chain *c = s->c;
	u64 read, missing;

	start(s, RUNS);
	job_pause(c, "E");
	free(msg(c, "job E resume"));
	chain_close(c);
	disk_adopt(c->layer[2]);
	verify_closed(c);
	missing = model_missing(c, 2, 0);
	ct_check(missing && missing < s->total, "%llu of %llu bytes are missing",
		 missing, s->total);
	read = slice_sectors_read(s->b->data);
	chain_open(c);
	check(s, "remove and create");
	finish(s);
	read = slice_sectors_read(s->b->data) - read;
	ct_check(read * SECTOR <= missing,
		 "%llu bytes were missing, %llu were read", missing,
		 read * SECTOR);
	verify_reopened(s->c);
}

/* An intermediate top, and guests that hide some of what is copied. */
static void intermediate(void)
{
	struct stage *s = stage_new();
	struct chain *c = s->c;

	chain_push(c, layer_new("F", SIZE, BS, LAYER_INLINE));
	chain_fill(c, 10);
	free(msg(c, "stream top E base A speed 8 on-error stop"));
	ct_wait(done(c), "the job does not begin");
	s->state = RUNS;
	s->copied = done(c);
	/* Meanwhile the job commits what it did, and has not recorded it yet. */
	ct_sleep_ms(2000);
	chain_close(c);
	chain_open(c);
	check(s, "remove and create");
	chain_fill(c, 10);
	chain_close(c);
	chain_open(c);
	check(s, "remove and create");
	finish(s);
	verify_reopened(s->c);
}

/* Several at once, in different states. */
static void several(void)
{
	struct stage *s = stage_new();
	struct chain *c = s->c;
	struct layer *f = layer_new("F", SIZE, BS, LAYER_INLINE);
	unsigned int i;

	chain_push(c, f);
	chain_fill(c, 20);
	verify_all(c);
	chain_push(c, layer_new("G", SIZE, BS, LAYER_SEPARATE));
	chain_fill(c, 20);
	verify_all(c);
	free(msg(c, "stream top B job down auto-finalize off"));
	free(msg(c, "stream bottom F job up speed 8"));
	job_pause(c, "up");
	for (i = 0; i < 2; i++) {
		job_wait_status(c, "down", "pending");
		ct_check(job_is(c, "up", "status=", "paused"), "up: %s",
			 msg(c, "jobs"));
		free(must_refuse(c, EBUSY, "F", "stream top F base B"));
		free(must_refuse(c, EBUSY, "B", "stream top E base A"));
		chain_close(c);
		chain_open(c);
		verify_view(c);
	}
	free(msg(c, "job up set-speed 0"));
	free(msg(c, "job up resume"));
	job_wait(c, "up");
	last_check(c, "G", "up", "completed", 0);
	model_stream(c, 4, 2);
	ct_check(job_is(c, "down", "status=", "pending"), "down: %s",
		 msg(c, "jobs"));
	chain_close(c);
	chain_open(c);
	free(msg(c, "job down finalize"));
	job_wait(c, "down");
	model_stream(c, 1, -1);
	verify_reopened(s->c);
}

static int remove_it(struct chain *c)
{
	return dmd_remove(c->dev);
}

static int suspend_it(struct chain *c)
{
	return dmd_suspend(c->dev, DMD_NOLOCKFS | DMD_NOFLUSH);
}

/* Suspend the device, or remove it, while a device that units wait for is held. */
static void stop_while_held(struct stage *s, bool remove)
{
	struct chain *c = s->c;
	pid_t aside;
	int r;

	if (remove) {
		model_freeze(c);
		close(c->fd);
		c->fd = -1;
	}
	aside = aside_start(remove ? remove_it : suspend_it, c);
	ct_sleep_ms(CT_MUST_NOT_MS);
	slice_release(s->b->data);
	r = aside_end(aside);
	ct_check(!r, "%s: %s", remove ? "remove" : "suspend", strerror(-r));
	if (remove)
		chain_open(c);
	else
		ct_check(!dmd_resume(c->dev), "resume");
}

/* Units are in flight: who stops the job waits for them, for nothing else. */
static void held(bool remove)
{
	struct stage *s = stage_new();
	struct chain *c = s->c;

	slice_hold(s->b->data);
	free(msg(c, "stream base A on-error stop"));
	s->state = RUNS;
	ct_sleep_ms(50);
	stop_while_held(s, remove);
	job_wait(c, "E");
	last_check(c, "E", "E", "completed", 0);
	model_stream(c, 2, 0);
	verify_reopened(s->c);
}

/* The same, of a job that was cancelled: it does not come back. */
static void cancelled_held(bool remove)
{
	struct stage *s = stage_new();
	struct chain *c = s->c;
	unsigned int i;

	slice_hold(s->b->data);
	for (i = 0; i < 50; i++) {
		free(msg(c, "stream base A"));
		ct_sleep_ms(20);
		free(msg(c, "job E cancel"));
		ct_sleep_ms(20);
		if (job_live(c, "E"))
			break;
	}
	ct_check(job_is(c, "E", "status=", "aborting"),
		 "a cancelled job does not wait for its units");
	stop_while_held(s, remove);
	job_wait(c, "E");
	last_check(c, "E", "E", "cancelled", 0);
	chain_flush(c);
	disk_adopt(c->layer[2]);
	verify_all(c);
	chain_stream(c, 2, 0);
	verify_reopened(s->c);
}

static void remove_held(void)
{
	held(true);
}

static void suspend_held(void)
{
	held(false);
}

static void remove_cancelled(void)
{
	cancelled_held(true);
}

static void suspend_cancelled(void)
{
	cancelled_held(false);
}

/* A suspend that waits for the guest and is killed: nothing has happened. */
static void interrupted(enum state state)
{
	struct stage *s = stage_new();
	struct chain *c = s->c;
	unsigned int i;
	struct aio *io;
	int status;
	pid_t pid;

	start(s, state);
	/* What E does not hold yet or, if it does, the base's. */
	slice_hold(state == WAITS ? c->layer[0]->data : s->b->data);
	io = aio_start(c->fd, IO_READ, state == WAITS ? 0 : SIZE - BS, BS, 0);
	/* One that comes later would wait in dm, and the suspend for nothing. */
	ct_wait(dmd_in_flight(c->dev), "the read does not come");
	for (i = 0; i < 3; i++) {
		pid = fork();
		ct_check(pid >= 0, "fork: %m");
		if (!pid)
			_exit(!!dmd_suspend(c->dev, DMD_NOLOCKFS |
					    (i == 1 ? DMD_NOFLUSH : 0)));
		ct_sleep_ms(CT_MUST_NOT_MS);
		/* It may take back what presuspend did meanwhile. */
		kill(pid, SIGKILL);
		ct_check(waitpid(pid, &status, 0) == pid, "waitpid: %m");
		ct_check(WIFSIGNALED(status), "the suspend did not wait: %d",
			 WEXITSTATUS(status));
		ct_check(!aio_done(io), "the read is not held");
		/* Not suspended: messages that change something are taken. */
		if (state == RUNS || state == RESTS)
			free(msg(c, "job E set-speed 8"));
		else
			free(must_refuse(c, EINVAL, "dismiss", "job E dismiss"));
		if (state != RUNS)
			check(s, "a suspend that was killed");
	}
	slice_release(state == WAITS ? c->layer[0]->data : s->b->data);
	ct_check(!aio_wait(io), "the read fails");
	check(s, "a suspend that was killed");
	finish(s);
	verify_reopened(s->c);
}

static void interrupted_running(void)
{
	interrupted(RUNS);
}

static void interrupted_paused(void)
{
	interrupted(RESTS);
}

static void interrupted_pending(void)
{
	interrupted(WAITS);
}

/* Tables come and go while a job runs at full speed and threads write. */
static void under_load(void)
{
	struct stage *s = stage_new();
	struct chain *c = s->c;
	struct writers *w = writers_start(c);
	unsigned int i;

	free(msg(c, "stream base A auto-finalize off speed 3000000"));
	for (i = 0; i < 10; i++) {
		switch (i % 5) {
		case 0:
			chain_reload(c, DMD_NOFLUSH);
			break;
		case 1:
			suspend_resume(c, DMD_NOLOCKFS);
			break;
		case 2:
			msg_try(c, "job E pause");
			chain_reload(c, 0);
			break;
		case 3:
			suspend_resume(c, DMD_NOFLUSH);
			msg_try(c, "job E resume");
			break;
		default:
			chain_reload(c, DMD_NOLOCKFS);
		}
		writers_more(w);
	}
	msg_try(c, "job E set-speed 0");
	job_wait_status(c, "E", "pending");
	chain_reload(c, 0);
	writers_more(w);
	free(msg(c, "job E finalize"));
	writers_stop(w);
	stream_done(c, 2, 0);
	verify_reopened(s->c);
}

const struct scenario revive_scenarios[] = {
	{ "revive", "tables-with-a-running-job", tables_running },
	{ "revive", "tables-with-a-paused-job", tables_paused },
	{ "revive", "tables-with-a-pending-job", tables_pending },
	{ "revive", "tables-with-a-job-that-failed", tables_failed },
	{ "revive", "goes-on-where-it-was", where_it_was },
	{ "revive", "intermediate-top", intermediate },
	{ "revive", "several-jobs", several },
	{ "revive", "remove-with-units-in-flight", remove_held },
	{ "revive", "suspend-with-units-in-flight", suspend_held },
	{ "revive", "remove-of-a-cancelled-job", remove_cancelled },
	{ "revive", "suspend-of-a-cancelled-job", suspend_cancelled },
	{ "revive", "interrupted-suspend-running", interrupted_running },
	{ "revive", "interrupted-suspend-paused", interrupted_paused },
	{ "revive", "interrupted-suspend-pending", interrupted_pending },
	{ "revive", "tables-under-load", under_load },
	{ }
};
