// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: every allocation of an operation fails once, the first one, the
 * second one and so on until the operation needs no more. Whatever fails, the
 * view stays right, nothing is taken back, and the same thing done again
 * succeeds.
 *
 * Every try begins with the same devices and the same model: it is made in a
 * process of its own, and the devices are restored afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ct.h"
#include "readcopy.h"

#define BS	16384
#define SIZE	MIB
#define LARGER	(SIZE + 2 * BS)
/* A job at this speed copies 512 KiB and then stands still. */
#define SLOW	"speed 8"

/**
 * struct op - what is done while an allocation fails
 * @name: of the scenario
 * @closed: begins without a device
 * @sure: it does not fail, whatever of what it sets off does
 * @any: errors may be others than ENOMEM: those of requests
 * @before: what must have been done, with memory for everything
 * @run: 0 or a negative errno
 * @again: after a failure, with memory for everything; NULL: @run
 * @after: its success; the model and the device are brought together
 */
struct op {
	const char *name;
	bool closed;
	bool sure;
	bool any;
	void (*before)(struct chain *c);
	int (*run)(struct chain *c);
	int (*again)(struct chain *c);
	void (*after)(struct chain *c);
};

/* ---- the chain A <- B <- C <- E, and F for a snapshot ---- */

static struct layer *spare;

static struct layer *small_layer(const char *name)
{
	return layer_new_room(name, SIZE, LARGER, BS, LAYER_SEPARATE);
}

static struct chain *stage_new(void)
{
	struct chain *c = chain_new("chain", BS);

	chain_push(c, layer_raw_new("A", SIZE, BS));
	chain_push(c, small_layer("B"));
	chain_write(c, 0, SIZE / 2);
	chain_fill(c, 20);
	verify_all(c);
	chain_push(c, small_layer("C"));
	chain_write(c, SIZE / 4, SIZE / 2);
	chain_fill(c, 20);
	verify_all(c);
	chain_push(c, small_layer("E"));
	chain_fill(c, 10);
	verify_all(c);
	spare = small_layer("F");
	chain_close(c);
	verify_closed(c);
	return c;
}

/* ---- tables ---- */

static int create(struct chain *c)
{
	char *line = chain_line(c);
	struct dm_seg seg = { c->size / SECTOR, "chain", line };
	int r = dmd_try_create(c->dev, &seg, 1, false);

	free(line);
	if (!r)
		c->fd = dmd_open(c->dev, O_RDWR | O_DIRECT);
	ct_check(r || c->fd >= 0, "%s: %m", c->dev);
	return r;
}

static int load_own(struct chain *c)
{
	char *line = dmd_table(c->dev);
	int r = chain_load(c, line);

	free(line);
	return r;
}

static void forget_table(struct chain *c)
{
	int r = dmd_clear(c->dev);

	ct_check(!r, "clear: %s", strerror(-r));
}

static void must(int r, const char *what)
{
	ct_check(!r, "%s: %s", what, strerror(-r));
}

static void suspend(struct chain *c)
{
	must(dmd_suspend(c->dev, DMD_NOLOCKFS), "suspend");
}

static void loaded_and_suspended(struct chain *c)
{
	must(load_own(c), "load");
	suspend(c);
}

static int resume(struct chain *c)
{
	return dmd_resume(c->dev);
}

static int load_snapshot(struct chain *c)
{
	struct layer *with[5];
	char *line;
	int r;

	memcpy(with, c->layer, 4 * sizeof(with[0]));
	with[4] = spare;
	line = chain_params(with, 5, ct_str("3 format block_size %u",
					    BS / SECTOR));
	r = chain_load(c, line);
	free(line);
	return r;
}

static void snapshot_suspended(struct chain *c)
{
	must(load_snapshot(c), "load");
	suspend(c);
}

static void snapshot_made(struct chain *c)
{
	model_push(c, spare);
	chain_write(c, 5 * BS, 512);
}

static int load_larger(struct chain *c)
{
	char *line = chain_line(c);
	struct dm_seg seg = { LARGER / SECTOR, "chain", line };
	int r = dmd_load(c->dev, &seg, 1, false);

	free(line);
	return r;
}

static void larger_suspended(struct chain *c)
{
	must(load_larger(c), "load");
	suspend(c);
}

static void grown(struct chain *c)
{
	model_grow(c, LARGER);
	must_be_zero(c, SIZE, LARGER);
}

static void some_writes(struct chain *c)
{
	chain_fill(c, 10);
}

static int just_suspend(struct chain *c)
{
	return dmd_suspend(c->dev, DMD_NOLOCKFS);
}

static void resumed(struct chain *c)
{
	must(dmd_resume(c->dev), "resume");
}

static void about_to_close(struct chain *c)
{
	chain_fill(c, 10);
	model_freeze(c);
	close(c->fd);
	c->fd = -1;
}

static int just_remove(struct chain *c)
{
	return dmd_remove(c->dev);
}

/* ---- jobs ---- */

static void adopt_top(struct chain *c)
{
	chain_flush(c);
	disk_adopt(c->layer[3]);
}

static void job_started(struct chain *c)
{
	free(msg(c, "stream base A job J " SLOW
		 " auto-finalize off auto-dismiss off"));
	job_wait_status(c, "J", "running");
}

static void cancel_job(struct chain *c)
{
	char *status = job_text(c, "J", "status=");

	/* It may be on its way there, or have got there. */
	if (strcmp(status, "aborting") && strcmp(status, "concluded"))
		free(msg(c, "job J cancel"));
	free(status);
	job_wait_status(c, "J", "concluded");
	free(msg(c, "job J dismiss"));
	ct_check(!*msg(c, "jobs"), "jobs: %s", msg(c, "jobs"));
	adopt_top(c);
}

static int start_with_all(struct chain *c)
{
	return msg_try(c, "stream top E base A job J " SLOW
		       " on-error stop auto-finalize off auto-dismiss off verify on");
}

/* How a job ended; one that failed is forgotten. */
static int outcome(struct chain *c)
{
	u64 error;

	job_wait_status(c, "J", "concluded");
	error = job_num(c, "J", "error=");
	if (error)
		free(msg(c, "job J dismiss"));
	return -(int)error;
}

static int whole_job(struct chain *c)
{
	int r = msg_try(c, "stream job J auto-dismiss off");

	return r ? r : outcome(c);
}

static void streamed(struct chain *c)
{
	free(msg(c, "job J dismiss"));
	model_stream(c, 3, -1);
}

/* The masks leave no choice, if a job has failed before. */
static int whole_job_again(struct chain *c)
{
	adopt_top(c);
	return whole_job(c);
}

static int middle_job(struct chain *c)
{
	int r = msg_try(c, "stream top C base A job J auto-dismiss off");

	return r ? r : outcome(c);
}

static int middle_job_again(struct chain *c)
{
	chain_flush(c);
	disk_adopt(c->layer[2]);
	return middle_job(c);
}

static void middle_streamed(struct chain *c)
{
	free(msg(c, "job J dismiss"));
	model_stream(c, 2, 0);
}

static int pause_job(struct chain *c)
{
	return msg_try(c, "job J pause");
}

static void job_paused(struct chain *c)
{
	job_started(c);
	job_pause(c, "J");
}

static int resume_job(struct chain *c)
{
	return msg_try(c, "job J resume");
}

static int cancel_running(struct chain *c)
{
	return msg_try(c, "job J cancel");
}

static int set_all(struct chain *c)
{
	int r = msg_try(c, "job J set-speed 16");

	if (!r)
		r = msg_try(c, "job J set-floor 4");
	return r ? r : msg_try(c, "job J set-ceiling 1000");
}

static void job_pending(struct chain *c)
{
	free(msg(c, "stream job J auto-finalize off auto-dismiss off"));
	job_wait_status(c, "J", "pending");
}

static int finish(struct chain *c)
{
	int r = msg_try(c, "job J finalize");

	return r ? r : outcome(c);
}

/* What failed at its end is done once more. */
static int finish_again(struct chain *c)
{
	return job_live(c, "J") ? finish(c) : whole_job_again(c);
}

static void job_concluded(struct chain *c)
{
	must(whole_job(c), "job");
}

static int forget(struct chain *c)
{
	return msg_try(c, "job J dismiss");
}

static void dismissed(struct chain *c)
{
	model_stream(c, 3, -1);
}

static void recorded(struct chain *c)
{
	job_paused(c);
	adopt_top(c);
	chain_close(c);
}

static void revived(struct chain *c)
{
	ct_check(job_live(c, "J"), "the recorded job is not there");
	cancel_job(c);
}

/* ---- queries ---- */

static char *map_before;

static void know_the_map(struct chain *c)
{
	job_paused(c);
	map_before = msg(c, "map 0 %llu", c->size / SECTOR);
}

static int query(struct chain *c)
{
	static const char * const queries[] = {
		"layers", "jobs", "jobs last", "job J failed", "estimate",
		"estimate top C base A", "error",
	};
	char *reply;
	unsigned int i;
	int r;

	r = dmd_message(c->dev, ct_str("map 0 %llu", c->size / SECTOR), &reply);
	if (r)
		return r;
	ct_check(!strcmp(reply, map_before), "the map was \"%s\": \"%s\"",
		 map_before, reply);
	free(reply);
	for (i = 0; i < ARRAY_SIZE(queries); i++) {
		r = msg_try(c, "%s", queries[i]);
		if (r)
			return r;
	}
	free(dmd_status(c->dev));
	free(dmd_table(c->dev));
	return 0;
}

/* ---- reads and writes ---- */

static int try_io(struct chain *c, enum io_op op, u64 offset, u64 len)
{
	u32 tag = op == IO_WRITE ? pattern_new_tag() : 0;
	void *buf = io_buf(len + 1);
	int r;

	if (tag)
		pattern_fill(buf, tag, offset / SECTOR, len / SECTOR);
	r = io_do(c->fd, op, offset, len, buf);
	free(buf);
	if (r && len)
		verify_settle(c, offset, len, tag);
	else if (op == IO_WRITE)
		model_write(c, offset, len, tag);
	else if (op == IO_DISCARD)
		model_discard(c, offset, len);
	else if (op == IO_ZERO)
		model_zero(c, offset, len);
	return r;
}

/* Each kind of request that the active layer has to take a block for. */
static int requests(struct chain *c)
{
	static const struct {
		enum io_op op;
		u64 offset;
		u64 len;
	} io[] = {
		{ IO_WRITE, 3 * BS + 512, 1024 },
		{ IO_WRITE, 16 * BS, 4 * BS },
		{ IO_FLUSH, 0, 0 },
		{ IO_WRITE, 60 * BS + 1024, 2 * BS },
		{ IO_DISCARD, 17 * BS, 2 * BS },
		{ IO_DISCARD, 40 * BS, 4 * BS },
		{ IO_ZERO, 50 * BS + 512, 2 * BS },
		{ IO_WRITE, 41 * BS, 512 },
		{ IO_FLUSH, 0, 0 },
	};
	unsigned int i;
	int r, err = 0;

	for (i = 0; i < ARRAY_SIZE(io); i++) {
		r = try_io(c, io[i].op, io[i].offset, io[i].len);
		if (!err)
			err = r;
	}
	return err;
}

static void with_copy_on_read(struct chain *c)
{
	c->words = "1 copy_on_read";
	chain_open(c);
}

/* No read fails, whatever cannot be copied. */
static int read_all(struct chain *c)
{
	readcopy_all(c);
	return 0;
}

static void copied_on_read(struct chain *c)
{
	chain_close(c);
	c->words = "";
	disk_adopt(c->layer[3]);
	chain_open(c);
}

static const struct op ops[] = {
	{ .name = "create", .closed = true, .run = create },
	{ .name = "reload", .run = load_own, .after = forget_table },
	{ .name = "resume", .sure = true, .before = loaded_and_suspended,
	  .run = resume },
	{ .name = "snapshot-load", .run = load_snapshot,
	  .after = forget_table },
	{ .name = "snapshot-resume", .before = snapshot_suspended,
	  .run = resume, .after = snapshot_made },
	{ .name = "growth-load", .run = load_larger, .after = forget_table },
	{ .name = "growth-resume", .before = larger_suspended, .run = resume,
	  .after = grown },
	{ .name = "suspend", .before = some_writes, .run = just_suspend,
	  .after = resumed },
	{ .name = "remove", .before = about_to_close, .run = just_remove,
	  .after = chain_open },
	{ .name = "io", .any = true, .run = requests },
	{ .name = "copy-on-read", .closed = true, .before = with_copy_on_read,
	  .run = read_all, .after = copied_on_read },
	{ .name = "stream", .run = start_with_all, .after = cancel_job },
	{ .name = "job", .run = whole_job, .again = whole_job_again,
	  .after = streamed },
	{ .name = "middle-job", .run = middle_job, .again = middle_job_again,
	  .after = middle_streamed },
	{ .name = "job-pause", .before = job_started, .run = pause_job,
	  .after = cancel_job },
	{ .name = "job-resume", .before = job_paused, .run = resume_job,
	  .after = cancel_job },
	{ .name = "job-cancel", .before = job_started, .run = cancel_running,
	  .after = cancel_job },
	{ .name = "job-set", .sure = true, .before = job_started,
	  .run = set_all, .after = cancel_job },
	{ .name = "job-finalize", .before = job_pending, .run = finish,
	  .again = finish_again, .after = streamed },
	{ .name = "job-dismiss", .before = job_concluded, .run = forget,
	  .after = dismissed },
	{ .name = "recorded-job", .before = recorded, .run = create,
	  .after = revived },
	{ .name = "queries", .before = know_the_map, .run = query,
	  .after = cancel_job },
};

/* ---- one try ---- */

#define MORE	2	/* exit status of a try in which an allocation failed */

static void try(struct chain *c, const struct op *op, enum inject kind,
		unsigned int n)
{
	bool fired;
	int r;

	if (!op->closed)
		chain_open(c);
	if (op->before)
		op->before(c);
	inject_arm(kind, n);
	r = op->run(c);
	fired = inject_disarm(kind);
	ct_check(!r || fired, "it fails by itself: %s", strerror(-r));
	ct_check(!r || !op->sure, "it needs memory: %s", strerror(-r));
	ct_check(!r || op->any || r == -ENOMEM, "fails with \"%s\"", strerror(-r));
	if (r) {
		if (op->run != resume && c->fd >= 0)
			verify_view(c);
		r = op->again ? op->again(c) : op->run(c);
		ct_check(!r, "it does not succeed afterwards: %s", strerror(-r));
	}
	if (op->after)
		op->after(c);
	verify_all(c);
	chain_close(c);
	verify_closed(c);
	fflush(stdout);
	_exit(fired ? MORE : 0);
}

/* Return: did an allocation fail? */
static bool try_apart(struct chain *c, const struct op *op, enum inject kind,
		      unsigned int n)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	ct_check(pid >= 0, "fork: %m");
	if (!pid)
		try(c, op, kind, n);
	ct_part(pid);
	waitpid(pid, &status, 0);
	ct_check(WIFEXITED(status) &&
		 (!WEXITSTATUS(status) || WEXITSTATUS(status) == MORE),
		 "%s: allocation %u of kind %u", op->name, n, kind);
	return WEXITSTATUS(status) == MORE;
}

/* ---- devices as they were ---- */

static struct kept {
	struct slice *slice;
	void *data;
} kept[8];

static unsigned int nr_kept;

static void keep(struct slice *s)
{
	struct kept *k = &kept[nr_kept++];

	k->slice = s;
	k->data = io_buf(s->size);
	slice_read(s, 0, k->data, s->size);
}

/* What any of the operations writes to. */
static void keep_all(struct chain *c)
{
	unsigned int i;

	for (i = 1; i < 4; i++)
		keep(c->layer[i]->meta);
	keep(spare->meta);
	keep(c->layer[2]->data);
	keep(c->layer[3]->data);
}

static void restore_all(void)
{
	unsigned int i;

	for (i = 0; i < nr_kept; i++)
		slice_write(kept[i].slice, 0, kept[i].data, kept[i].slice->size);
}

/*
 * --step N: every N-th allocation only, beginning with one that --series says, or
 * a lower one if there are not that many. Return: how many.
 */
static unsigned int climb(struct chain *c, const struct op *op, enum inject kind)
{
	unsigned int n = 1 + ct_series % ct_step, count = 0;

	for (;;) {
		bool fired = try_apart(c, op, kind, n);

		restore_all();
		count += fired;
		if (fired)
			n += ct_step;
		else if (!count && n > 1)
			n /= 2;
		else
			return count;
	}
}

static void ladder(void)
{
	unsigned int count[NR_INJECT];
	const struct op *op = ops;
	struct chain *c;
	enum inject kind;

	while (strcmp(op->name, ct_scenario))
		op++;
	inject_init();
	c = stage_new();
	keep_all(c);
	for (kind = 0; kind < NR_INJECT; kind++)
		count[kind] = climb(c, op, kind);
	ct_note("%s: %u allocations failed, and %u of pages", op->name,
		count[INJECT_SLAB], count[INJECT_PAGE]);
	ct_check(op->sure || count[INJECT_SLAB] || count[INJECT_PAGE],
		 "no allocation has failed");
}

const struct scenario failnth_scenarios[] = {
	{ "failnth", "create", ladder },
	{ "failnth", "reload", ladder },
	{ "failnth", "resume", ladder },
	{ "failnth", "snapshot-load", ladder },
	{ "failnth", "snapshot-resume", ladder },
	{ "failnth", "growth-load", ladder },
	{ "failnth", "growth-resume", ladder },
	{ "failnth", "suspend", ladder },
	{ "failnth", "remove", ladder },
	{ "failnth", "io", ladder },
	{ "failnth", "copy-on-read", ladder },
	{ "failnth", "stream", ladder },
	{ "failnth", "job", ladder },
	{ "failnth", "middle-job", ladder },
	{ "failnth", "job-pause", ladder },
	{ "failnth", "job-resume", ladder },
	{ "failnth", "job-cancel", ladder },
	{ "failnth", "job-set", ladder },
	{ "failnth", "job-finalize", ladder },
	{ "failnth", "job-dismiss", ladder },
	{ "failnth", "recorded-job", ladder },
	{ "failnth", "queries", ladder },
	{ }
};
