// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: a job's ceiling. How fast it is the benchmark tells; here is what
 * does not depend on time: a job that rests for days, by its ceiling, goes on when
 * the guest is through, or when the ceiling is taken back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"

#define BS	4096
#define UNIT	(512 * KIB)
#define TOP	1

static bool shows(const struct chain *c, const char *status)
{
	char *jobs = msg(c, "jobs");
	char *is = field(jobs, "status=");
	bool same = !strcmp(is, status);

	free(is);
	free(jobs);
	return same;
}

/*
 * A stream of the raw base into B has a ceiling of a byte a second, and the guest
 * waits for a read that is held in E: one unit, and then nothing for days.
 */
static struct aio *resting_job(struct chain *c, struct layer *e)
{
	struct aio *read;
	u64 copied;

	chain_push(c, layer_raw_new("raw", 4 * MIB, BS));
	chain_push(c, layer_new("B", 4 * MIB, BS, LAYER_INLINE));
	chain_push(c, e);
	chain_write(c, 0, BS);
	chain_flush(c);
	verify_disk(c);

	stream_start(c, TOP, -1, "speed 1 auto-finalize off");
	free(msg(c, "job B set-ceiling 1"));
	ct_wait(job_num(c, "B", "copied="), "nothing is copied");
	copied = job_num(c, "B", "copied=");

	slice_hold(e->data);
	read = aio_start(c->fd, IO_READ, 0, BS, 0);
	ct_wait(dmd_in_flight(c->dev), "the read does not come");
	free(msg(c, "job B set-speed 0"));
	ct_wait(job_num(c, "B", "copied=") > copied, "no unit by the ceiling");
	ct_sleep_ms(CT_MUST_NOT_MS);
	/* That of the speed, and that of the ceiling. */
	ct_check(job_num(c, "B", "copied=") <= 2 * UNIT,
		 "the ceiling does not hold: %s", msg(c, "jobs"));
	ct_check(!aio_done(read), "the read was not held");
	return read;
}

static void finish(struct chain *c, struct layer *e, struct aio *read)
{
	slice_release(e->data);
	ct_check(!aio_wait(read), "the read failed");
	ct_wait(shows(c, "pending"), "it rests on: %s", msg(c, "jobs"));
	free(msg(c, "job B finalize"));
	stream_done(c, TOP, -1);
	verify_all(c);
}

static void ceiling_ends_with_the_guest(void)
{
	struct chain *c = chain_new("chain", BS);
	struct layer *e = layer_new("E", 4 * MIB, BS, LAYER_SEPARATE);
	struct aio *read = resting_job(c, e);

	finish(c, e, read);
}

static void ceiling_taken_back(void)
{
	struct chain *c = chain_new("chain", BS);
	struct layer *e = layer_new("E", 4 * MIB, BS, LAYER_SEPARATE);
	struct aio *read = resting_job(c, e);

	free(msg(c, "job B set-ceiling 0"));
	ct_wait(shows(c, "pending"), "it rests on: %s", msg(c, "jobs"));
	ct_check(!aio_done(read), "the read was not held");
	finish(c, e, read);
}

const struct scenario pace_scenarios[] = {
	{ "order", "ceiling-ends-with-the-guest", ceiling_ends_with_the_guest },
	{ "order", "ceiling-taken-back", ceiling_taken_back },
	{}
};
