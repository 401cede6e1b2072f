// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: the life cycle of a job: every verb in every state, as the table
 * of the shared core has it; finalize and dismiss by hand; events.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"
#include "dm-chain-jobstate.h"

#define BS	4096
#define SIZE	(4 * MIB)

/*
 * A raw base, B, whose device can be held, and E. At speed 8 a job of it copies
 * a part and then stands still.
 */
static struct chain *raw_b_e(void)
{
	struct chain *c = chain_new("chain", BS);

	chain_push(c, layer_raw_new("A", SIZE, BS));
	chain_push(c, layer_on("B", SIZE, BS, slice_new(0, SIZE),
			       slice_new(MIB, 0)));
	chain_write(c, 0, SIZE);
	chain_discard(c, 8 * BS, 4 * BS);
	chain_push(c, layer_new("E", SIZE, BS, LAYER_INLINE));
	chain_write(c, 3 * BS, 2 * BS);
	verify_all(c);
	return c;
}

/* More of them, for several jobs. */
static struct chain *raw_to_e(void)
{
	struct chain *c = chain_new("chain", BS);
	char name[2] = "B";

	chain_push(c, layer_raw_new("A", MIB, BS));
	for (; *name <= 'E'; ++*name) {
		chain_push(c, layer_new(name, MIB, BS, *name % 2 ?
					LAYER_SEPARATE : LAYER_INLINE));
		chain_fill(c, 20);
		verify_all(c);
	}
	return c;
}

/* Verbs that were accepted, by state. */
static unsigned long accepted[DM_CHAIN_NR_JOB_STATES];

static void accept(struct chain *c, const char *id,
		   enum dm_chain_job_state state, enum dm_chain_verb verb)
{
	ct_check(dm_chain_verb_allowed(state, verb), "the table forbids %s in %s",
		 dm_chain_verb_name(verb), dm_chain_job_state_name(state));
	free(msg(c, "job %s %s", id, dm_chain_verb_name(verb)));
	ct_check(!*msg(c, "error"), "an accepted verb leaves the error: %s",
		 msg(c, "error"));
	accepted[state] |= BIT(verb);
}

static void accept_value(struct chain *c, const char *id,
			 enum dm_chain_job_state state, enum dm_chain_verb verb,
			 const char *key, u64 value)
{
	free(msg(c, "job %s %s %llu", id, dm_chain_verb_name(verb), value));
	ct_check(job_num(c, id, key) == value, "%s %llu: %s",
		 dm_chain_verb_name(verb), value, job_line(c, id));
	accepted[state] |= BIT(verb);
}

static bool takes_value(enum dm_chain_verb verb)
{
	return verb == DM_CHAIN_VERB_SET_SPEED ||
	       verb == DM_CHAIN_VERB_SET_FLOOR ||
	       verb == DM_CHAIN_VERB_SET_CEILING;
}

static void refuse(struct chain *c, const char *id,
		   enum dm_chain_job_state state, enum dm_chain_verb verb)
{
	int err = state == DM_CHAIN_JOB_NULL ? ENOENT : EINVAL;
	char *why = must_refuse(c, err, id, "job %s %s%s", id,
				dm_chain_verb_name(verb),
				takes_value(verb) ? " 16" : "");

	ct_check(err == ENOENT ||
		 (strstr(why, dm_chain_verb_name(verb)) &&
		  strstr(why, dm_chain_job_state_name(state))),
		 "the reason does not name %s and %s: \"%s\"",
		 dm_chain_verb_name(verb), dm_chain_job_state_name(state), why);
	free(why);
}

/* Everything that leaves the job in its state. */
static void try_state(struct chain *c, const char *id,
		      enum dm_chain_job_state state)
{
	static const char * const keys[DM_CHAIN_NR_VERBS] = {
		[DM_CHAIN_VERB_SET_SPEED] = "speed=",
		[DM_CHAIN_VERB_SET_FLOOR] = "floor=",
		[DM_CHAIN_VERB_SET_CEILING] = "ceiling=",
	};
	enum dm_chain_verb verb;
	char *before, *after;

	before = job_line(c, id);
	ct_check(!before == (state == DM_CHAIN_JOB_NULL), "job %s: %s", id,
		 before);
	for (verb = 0; verb < DM_CHAIN_NR_VERBS; verb++) {
		if (!dm_chain_verb_allowed(state, verb))
			refuse(c, id, state, verb);
		else if (keys[verb])
			accept_value(c, id, state, verb, keys[verb],
				     verb == DM_CHAIN_VERB_SET_SPEED ? 4 :
				     9000000 + verb);
	}
	if (!before)
		return;
	after = field(job_line(c, id), "status=");
	ct_check(!strcmp(after, dm_chain_job_state_name(state)),
		 "%s is not %s any more: %s", id, dm_chain_job_state_name(state),
		 job_line(c, id));
	free(before);
	free(after);
}

/* Cancelled, with a unit held: it stays aborting. */
static void abort_held(struct chain *c, const struct slice *held)
{
	unsigned int i;

	slice_hold(held);
	for (i = 0; i < 50; i++) {
		free(msg(c, "stream base A"));
		ct_sleep_ms(20);
		accept(c, "E", DM_CHAIN_JOB_RUNNING, DM_CHAIN_VERB_CANCEL);
		ct_sleep_ms(20);
		if (job_live(c, "E"))
			return;
	}
	ct_fail("a cancelled job does not wait for its units");
}

static void matrix(void)
{
	struct chain *c = raw_b_e();
	struct slice *held = c->layer[1]->data;
	enum dm_chain_job_state state;
	enum dm_chain_verb verb;
	int fd = uevent_open();
	u64 offset;

	free(msg(c, "stream base A speed 8"));
	ct_wait(job_num(c, "E", "offset="), "the job does not begin");
	try_state(c, "E", DM_CHAIN_JOB_RUNNING);
	accept(c, "E", DM_CHAIN_JOB_RUNNING, DM_CHAIN_VERB_PAUSE);
	job_wait_status(c, "E", "paused");
	offset = job_num(c, "E", "offset=");
	try_state(c, "E", DM_CHAIN_JOB_PAUSED);
	ct_check(job_num(c, "E", "paused=") == 1 &&
		 job_num(c, "E", "offset=") == offset, "paused: %s",
		 job_line(c, "E"));
	accept(c, "E", DM_CHAIN_JOB_PAUSED, DM_CHAIN_VERB_RESUME);
	job_wait_status(c, "E", "running");
	accept(c, "E", DM_CHAIN_JOB_RUNNING, DM_CHAIN_VERB_CANCEL);
	job_wait(c, "E");
	uevent_history(fd, "E", "created running paused running aborting ");
	uevent_history(fd, "E", "BLOCK_JOB_CANCELLED concluded null ");
	last_check(c, "E", "E", "cancelled", 0);
	try_state(c, "E", DM_CHAIN_JOB_NULL);

	free(msg(c, "stream base A speed 8"));
	job_pause(c, "E");
	accept(c, "E", DM_CHAIN_JOB_PAUSED, DM_CHAIN_VERB_CANCEL);
	job_wait(c, "E");
	uevent_history(fd, "E", "created running paused aborting ");
	uevent_history(fd, "E", "BLOCK_JOB_CANCELLED concluded null ");

	abort_held(c, held);
	try_state(c, "E", DM_CHAIN_JOB_ABORTING);
	slice_release(held);
	job_wait(c, "E");
	last_check(c, "E", "E", "cancelled", 0);
	verify_view(c);

	free(msg(c, "stream base A auto-finalize off"));
	job_wait_status(c, "E", "pending");
	try_state(c, "E", DM_CHAIN_JOB_PENDING);
	accept(c, "E", DM_CHAIN_JOB_PENDING, DM_CHAIN_VERB_CANCEL);
	job_wait(c, "E");
	last_check(c, "E", "E", "cancelled", 0);
	/* Nothing was dropped, everything is copied. */
	model_copied(c, 2, 0);
	verify_all(c);

	free(msg(c, "stream base A auto-finalize off auto-dismiss off"));
	job_wait_status(c, "E", "pending");
	accept(c, "E", DM_CHAIN_JOB_PENDING, DM_CHAIN_VERB_FINALIZE);
	job_wait_status(c, "E", "concluded");
	model_stream(c, 2, 0);
	try_state(c, "E", DM_CHAIN_JOB_CONCLUDED);
	accept(c, "E", DM_CHAIN_JOB_CONCLUDED, DM_CHAIN_VERB_DISMISS);
	try_state(c, "E", DM_CHAIN_JOB_NULL);
	last_check(c, "E", "E", "completed", 0);

	for (state = DM_CHAIN_JOB_RUNNING; state < DM_CHAIN_NR_JOB_STATES; state++)
		for (verb = 0; verb < DM_CHAIN_NR_VERBS; verb++)
			ct_check(dm_chain_verb_allowed(state, verb) ==
				 !!(accepted[state] & BIT(verb)),
				 "%s was not tried in %s",
				 dm_chain_verb_name(verb),
				 dm_chain_job_state_name(state));
	verify_reopened(c);
}

/* The words of a job as "jobs" shows them. */
static void words(void)
{
	static const char * const policy[] = {
		"report", "ignore", "stop", "enospc", "auto",
	};
	struct chain *c = raw_b_e();
	unsigned int i;
	char *more;

	for (i = 0; i < ARRAY_SIZE(policy); i++) {
		/* A part more would be copied by each. */
		slice_hold(c->layer[1]->data);
		more = ct_str("auto-finalize %s auto-dismiss %s verify %s",
			      i & 1 ? "off" : "on", i & 2 ? "off" : "on",
			      i & 4 ? "on" : "off");
		free(msg(c, "stream base A job j%u speed 8 on-error %s %s", i,
			 policy[i], more));
		free(more);
		ct_check(job_is(c, ct_str("j%u", i), "on-error=",
				i == 4 ? "enospc" : policy[i]) &&
			 job_is(c, ct_str("j%u", i), "auto-finalize=",
				i & 1 ? "off" : "on") &&
			 job_is(c, ct_str("j%u", i), "auto-dismiss=",
				i & 2 ? "off" : "on") &&
			 job_is(c, ct_str("j%u", i), "verify=",
				i & 4 ? "on" : "off") &&
			 job_is(c, ct_str("j%u", i), "speed=", "8") &&
			 job_is(c, ct_str("j%u", i), "io-status=", "ok") &&
			 job_is(c, ct_str("j%u", i), "failed=", "0"),
			 "job j%u: %s", i, msg(c, "jobs"));
		ct_check(!*msg(c, "job j%u failed", i), "failed ranges: %s",
			 msg(c, "job j%u failed", i));
		free(msg(c, "job j%u cancel", i));
		slice_release(c->layer[1]->data);
		if (i & 2) {
			job_wait_status(c, ct_str("j%u", i), "concluded");
			free(msg(c, "job j%u dismiss", i));
		}
		ct_wait(!*msg(c, "jobs"), "job j%u does not end", i);
	}
	verify_view(c);
	chain_flush(c);
	disk_adopt(c->layer[2]);
	chain_stream(c, 2, 0);
	verify_reopened(c);
}

/*
 * With auto-finalize off a job stops when all is copied and durable. Nothing
 * shows of it until it is finalized, and the guest goes on writing.
 */
static void pending(int top, int base)
{
	struct chain *c = raw_to_e();
	const char *id = c->layer[top]->name;
	int fd = uevent_open();
	u32 events = dmd_events(c->dev);
	char *table = dmd_table(c->dev);
	char *text;
	int flushing;

	stream_start(c, top, base, "auto-finalize off");
	job_wait_status(c, id, "pending");
	uevent_history(fd, id, "created running pending BLOCK_JOB_PENDING ");
	ct_check(dmd_events(c->dev) > events, "no dm event");
	model_copied(c, top, base);
	/* What is on disk by now, without a flush. */
	flushing = c->fd;
	c->fd = -1;
	verify_disk(c);
	c->fd = flushing;
	verify_beside_jobs(c);
	ct_check(!strcmp(table, dmd_table(c->dev)), "the chain changed: %s",
		 dmd_table(c->dev));
	ct_check(!strstr(msg(c, "layers"), "releasable"), "layers: %s",
		 msg(c, "layers"));
	text = job_line(c, id);
	ct_check(field_num(text, "offset=") == field_num(text, "len=") &&
		 !field_num(text, "remaining="), "not at its end: %s", text);
	ct_check(!last_line(c, id), "a result before the end: %s",
		 msg(c, "jobs last"));

	chain_fill(c, 20);
	chain_reload(c, 0);
	ct_check(job_is(c, id, "status=", "pending"), "after a reload: %s",
		 job_line(c, id));
	chain_fill(c, 20);
	verify_disk(c);
	verify_beside_jobs(c);
	verify_map(c);
	free(msg(c, "job %s finalize", id));
	stream_done(c, top, base);
	uevent_history(fd, id, "BLOCK_JOB_COMPLETED concluded null ");
	verify_reopened(c);
}

static void pending_active(void)
{
	pending(4, 1);
}

static void pending_intermediate(void)
{
	pending(3, 0);
}

static void pending_no_base(void)
{
	pending(4, -1);
}

/* A concluded job keeps its id, not its layers. */
static void concluded(void)
{
	struct chain *c = raw_to_e();
	struct layer *f = layer_new("F", MIB, BS, LAYER_SEPARATE);
	int fd = uevent_open();
	char *text;

	free(msg(c, "stream top C base A job x auto-dismiss off"));
	job_wait_status(c, "x", "concluded");
	model_stream(c, 2, 0);
	uevent_history(fd, "x", "created running BLOCK_JOB_COMPLETED concluded ");
	text = job_line(c, "x");
	ct_check(field_num(text, "offset=") == MIB && !field_num(text, "error=") &&
		 !strcmp(field(text, "top="), "C") &&
		 !strcmp(field(text, "base="), "A"), "concluded: %s", text);
	free(must_refuse(c, EEXIST, "x", "stream job x"));
	free(must_refuse(c, EEXIST, "x", "stream top C job x"));

	/* Its top once more, and other layers. */
	free(msg(c, "stream top C job y auto-dismiss off"));
	job_wait_status(c, "y", "concluded");
	model_stream(c, 1, -1);
	free(msg(c, "stream base C job z auto-dismiss off"));
	job_wait_status(c, "z", "concluded");
	model_stream(c, 2, 0);
	ct_check(job_is(c, "x", "status=", "concluded") &&
		 job_is(c, "y", "status=", "concluded"), "jobs: %s",
		 msg(c, "jobs"));
	last_check(c, "C", "y", "completed", 0);
	last_check(c, "E", "z", "completed", 0);

	chain_reload(c, 0);
	c->nr_dropped = 0;
	chain_push(c, f);
	chain_fill(c, 20);
	ct_check(job_is(c, "x", "status=", "concluded") &&
		 job_is(c, "y", "status=", "concluded") &&
		 job_is(c, "z", "status=", "concluded"), "after a snapshot: %s",
		 msg(c, "jobs"));
	/* Nor does it keep them from others. */
	stream_start(c, 2, 0, "");
	stream_done(c, 2, 0);
	free(msg(c, "job y dismiss"));
	ct_check(!job_live(c, "y") && job_live(c, "x") && job_live(c, "z"),
		 "jobs: %s", msg(c, "jobs"));
	free(must_refuse(c, ENOENT, "y", "job y dismiss"));
	free(msg(c, "job x dismiss"));
	free(msg(c, "job z dismiss"));
	ct_check(!*msg(c, "jobs"), "jobs: %s", msg(c, "jobs"));
	verify_reopened(c);
}

/* A cancelled job waits for dismiss as well. */
static void concluded_cancelled(void)
{
	struct chain *c = raw_b_e();
	u64 offset;

	free(msg(c, "stream base A speed 8 auto-dismiss off"));
	ct_wait(job_num(c, "E", "offset="), "the job does not begin");
	offset = job_num(c, "E", "offset=");
	free(msg(c, "job E cancel"));
	job_wait_status(c, "E", "concluded");
	ct_check(job_num(c, "E", "offset=") >= offset &&
		 job_num(c, "E", "offset=") < SIZE, "cancelled: %s",
		 job_line(c, "E"));
	last_check(c, "E", "E", "cancelled", 0);
	free(must_refuse(c, EEXIST, "E", "stream base A"));
	chain_flush(c);
	disk_adopt(c->layer[2]);
	free(msg(c, "stream base A job again"));
	job_wait(c, "again");
	model_stream(c, 2, 0);
	free(msg(c, "job E dismiss"));
	verify_reopened(c);
}

/* Nothing to do: a success that does nothing, but not before the checks. */
static void nothing(void)
{
	struct chain *c = raw_to_e();
	int fd = uevent_open();
	char *text;

	free(msg(c, "stream base D auto-finalize off auto-dismiss off"));
	ct_wait(!*msg(c, "jobs"), "a job of nothing: %s", msg(c, "jobs"));
	text = uevent_next(fd, "BLOCK_JOB_COMPLETED", 10000);
	ct_check(text && !field_num(text, "DM_CHAIN_LEN=") &&
		 !field_num(text, "DM_CHAIN_ERROR="), "event: %s", text);
	ct_check(!last_line(c, "E"), "a result of nothing: %s",
		 msg(c, "jobs last"));
	free(msg(c, "stream top D base A speed 8 job d"));
	free(must_refuse(c, EBUSY, "'d'", "stream top C base B"));
	free(must_refuse(c, EBUSY, "'d'", "stream top D base C"));
	free(must_refuse(c, EEXIST, "'d'", "stream base D job d"));
	free(must_refuse(c, EROFS, "A", "stream top A"));
	free(msg(c, "stream base D"));
	free(msg(c, "job d set-speed 0"));
	job_wait(c, "d");
	model_stream(c, 3, 0);
	verify_reopened(c);
}

/* While the device is suspended verbs wait, in any state; queries answer. */
static void suspended(void)
{
	static const char * const jobs[] = { "runs", "rests", "waits", "over" };
	struct chain *c = raw_to_e();
	enum dm_chain_verb verb;
	unsigned int i;
	char *before;

	chain_push(c, layer_new("F", MIB, BS, LAYER_INLINE));
	chain_fill(c, 20);
	verify_all(c);
	chain_push(c, layer_new("G", MIB, BS, LAYER_SEPARATE));
	free(msg(c, "stream top B job over auto-dismiss off"));
	job_wait_status(c, "over", "concluded");
	model_stream(c, 1, -1);
	free(msg(c, "stream top C job waits auto-finalize off"));
	free(msg(c, "stream top E base C job rests speed 8"));
	free(msg(c, "stream base E job runs speed 8"));
	job_wait_status(c, "waits", "pending");
	job_pause(c, "rests");
	before = msg(c, "jobs");
	ct_check(!dmd_suspend(c->dev, 0), "suspend");
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		for (verb = 0; verb < DM_CHAIN_NR_VERBS; verb++) {
			char *text = ct_str("job %s %s%s", jobs[i],
					    dm_chain_verb_name(verb),
					    takes_value(verb) ? " 16" : "");

			ct_check(msg_try(c, "%s", text) == -EAGAIN,
				 "\"%s\" while suspended: %s", text,
				 strerror(-msg_try(c, "%s", text)));
			free(text);
		}
	}
	free(msg(c, "jobs"));
	free(msg(c, "jobs last"));
	free(msg(c, "job runs failed"));
	free(dmd_status(c->dev));
	ct_check(!dmd_resume(c->dev), "resume");
	ct_check(job_is(c, "over", "status=", "concluded") &&
		 job_is(c, "waits", "status=", "pending") &&
		 job_is(c, "rests", "status=", "paused") &&
		 job_is(c, "runs", "status=", "running"), "before: %s, now: %s",
		 before, msg(c, "jobs"));
	free(msg(c, "job over dismiss"));
	free(msg(c, "job waits finalize"));
	job_wait(c, "waits");
	model_stream(c, chain_find(c, "C"), -1);
	free(msg(c, "job runs set-speed 0"));
	job_wait(c, "runs");
	model_stream(c, chain_find(c, "G"), chain_find(c, "E"));
	free(msg(c, "job rests set-speed 0"));
	free(msg(c, "job rests resume"));
	job_wait(c, "rests");
	model_stream(c, chain_find(c, "E"), chain_find(c, "C"));
	verify_reopened(c);
}

const struct scenario lifecycle_scenarios[] = {
	{ "lifecycle", "every-verb-in-every-state", matrix },
	{ "lifecycle", "words", words },
	{ "lifecycle", "pending", pending_active },
	{ "lifecycle", "pending-into-an-intermediate", pending_intermediate },
	{ "lifecycle", "pending-no-base", pending_no_base },
	{ "lifecycle", "concluded", concluded },
	{ "lifecycle", "concluded-cancelled", concluded_cancelled },
	{ "lifecycle", "nothing-to-do", nothing },
	{ "lifecycle", "verbs-while-suspended", suspended },
	{ }
};
