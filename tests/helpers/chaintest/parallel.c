// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: several jobs of one chain at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"

#define BS	4096
#define NINE	9
#define FOUR	4

/*
 * A job by the names of its lowest and highest layer, and their positions when
 * it began.
 */
struct range {
	const char *bottom;
	const char *top;
	int low;
	int high;
};

/* How the jobs of a scenario are kept from ending before it is their turn. */
enum steer { BY_SPEED, BY_PAUSE, BY_FINALIZE };

static struct chain *nine(u64 size)
{
	struct chain *c = chain_new("chain", BS);
	unsigned int i;

	chain_push(c, layer_raw_new("L0", size, BS));
	for (i = 1; i < NINE; i++) {
		chain_push(c, layer_new(ct_str("L%u", i), size, BS, i % 2 ?
					LAYER_SEPARATE : LAYER_INLINE));
		chain_fill(c, 12);
		/* Masks that leave a choice would weaken the check. */
		verify_disk(c);
	}
	return c;
}

static struct range range(const struct chain *c, int low, int high)
{
	return (struct range) {
		.bottom = c->layer[low]->name,
		.top = c->layer[high]->name,
		.low = low,
		.high = high,
	};
}

/* The id is the top's name. */
static void start(struct chain *c, const struct range *r, const char *more)
{
	/* The same job, by its base or by its lowest layer. */
	if (r->low && ct_random(2))
		free(msg(c, "stream top %s base %s %s", r->top,
			 c->layer[r->low - 1]->name, more));
	else
		free(msg(c, "stream top %s bottom %s %s", r->top, r->bottom,
			 more));
}

static void start_steered(struct chain *c, const struct range *r,
			  enum steer by)
{
	if (by == BY_FINALIZE) {
		start(c, r, "auto-finalize off");
		return;
	}
	start(c, r, "speed 8");
	if (by == BY_PAUSE)
		job_pause(c, r->top);
}

static void let_end(struct chain *c, const struct range *r, enum steer by)
{
	if (by == BY_FINALIZE) {
		job_wait_status(c, r->top, "pending");
		free(msg(c, "job %s finalize", r->top));
		return;
	}
	free(msg(c, "job %s set-speed 0", r->top));
	if (by == BY_PAUSE)
		free(msg(c, "job %s resume", r->top));
}

/* The model follows a job that has ended well. */
static void ended(struct chain *c, const struct range *r)
{
	last_check(c, r->top, r->top, "completed", 0);
	model_stream(c, chain_find(c, r->top), chain_find(c, r->bottom) - 1);
}

/* Every start that would share a layer with one of the live jobs. */
static void overlaps(struct chain *c, const struct range *live, unsigned int nr)
{
	char layer[DM_CHAIN_NAME_LEN], job[DM_CHAIN_NAME_LEN];
	unsigned int i, tried = 0;
	int low, high, shared;
	char *why;

	for (high = 1; high < (int)c->nr; high++) {
		for (low = 0; low <= high; low++) {
			for (i = 0; i < nr; i++)
				if (live[i].low <= high && low <= live[i].high)
					break;
			if (i == nr)
				continue;
			why = must_refuse(c, EBUSY, NULL,
					  "stream top %s bottom %s job other",
					  c->layer[high]->name,
					  c->layer[low]->name);
			ct_check(sscanf(why, "layer '%63[^']' is in use by job '%63[^']'",
					layer, job) == 2, "the reason: \"%s\"",
				 why);
			shared = chain_find(c, layer);
			for (i = 0; i < nr && strcmp(live[i].top, job); i++)
				;
			ct_check(i < nr && low <= shared && shared <= high &&
				 live[i].low <= shared && shared <= live[i].high,
				 "%s to %s: \"%s\"", c->layer[low]->name,
				 c->layer[high]->name, why);
			free(why);
			tried++;
		}
	}
	ct_note("%u starts refused", tried);
}

static void speeds(struct chain *c, const struct range *r, unsigned int nr)
{
	static const u64 speed[] = { 16, 1, 64, 3, 8 };
	unsigned int i, k;

	/* At any of them the next unit would come after hours. */
	for (k = 0; k < nr; k++) {
		for (i = 0; i < ARRAY_SIZE(speed); i++) {
			free(msg(c, "job %s set-speed %llu", r[k].top, speed[i]));
			ct_check(job_num(c, r[k].top, "speed=") == speed[i],
				 "speed %llu: %s", speed[i],
				 job_line(c, r[k].top));
		}
	}
}

static const struct { int low, high; } cuts[][FOUR] = {
	{ { 0, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 } },
	{ { 0, 1 }, { 2, 4 }, { 5, 6 }, { 7, 8 } },
	{ { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 } },
	{ { 0, 1 }, { 2, 3 }, { 4, 5 }, { 6, 8 } },
};

/*
 * What threads write into the active layer its job need not copy: a speed does not
 * keep that one.
 */
static enum steer keeps(const struct range *r, enum steer by, bool writers)
{
	return writers && by == BY_SPEED && r->high == NINE - 1 ? BY_PAUSE :
	       by;
}

/**
 * four() - four jobs on nine layers, while threads write
 * @cut: which layers each has
 * @order: in which they end
 * @by: what keeps them
 */
static void four(unsigned int cut, const char *order, enum steer by,
		 bool writers)
{
	struct chain *c = nine(MIB);
	struct range r[FOUR], left[FOUR];
	struct writers *w = NULL;
	unsigned int i, k, n;

	verify_all(c);
	for (i = 0; i < FOUR; i++)
		r[i] = range(c, cuts[cut][i].low, cuts[cut][i].high);
	for (i = 0; i < FOUR; i++) {
		start_steered(c, &r[i], keeps(&r[i], by, writers));
		if (i != 2)
			overlaps(c, r, i + 1);
	}
	if (writers)
		w = writers_start(c);
	for (i = 0; i < FOUR; i++)
		if (by == BY_FINALIZE)
			job_wait_status(c, r[i].top, "pending");
	for (k = 0; k < FOUR; k++) {
		if (by == BY_SPEED && k == 2) {
			n = 0;
			for (i = k; i < FOUR; i++)
				left[n++] = r[order[i] - '0'];
			speeds(c, left, n);
		}
		i = order[k] - '0';
		ct_check(job_live(c, r[i].top), "job %s is over before its turn",
			 r[i].top);
		let_end(c, &r[i], keeps(&r[i], by, writers));
		job_wait(c, r[i].top);
		if (!w) {
			ended(c, &r[i]);
			verify_beside_jobs(c);
		}
	}
	if (w) {
		writers_stop(w);
		for (k = 0; k < FOUR; k++)
			ended(c, &r[order[k] - '0']);
	}
	verify_all(c);
	chain_release(c);
	verify_reopened(c);
}

static void upwards(void)
{
	four(0, "0123", BY_SPEED, true);
}

static void downwards(void)
{
	four(0, "3210", BY_PAUSE, true);
}

static void finalized(void)
{
	four(3, "2031", BY_FINALIZE, true);
}

static void finalized_downwards(void)
{
	four(1, "3120", BY_FINALIZE, false);
}

static void inside_out(void)
{
	four(2, "1203", BY_SPEED, false);
}

/* All at full speed, with nothing to order them. */
static void unordered(void)
{
	struct chain *c = nine(2 * MIB);
	struct range r[FOUR];
	struct writers *w;
	unsigned int i;

	verify_all(c);
	for (i = 0; i < FOUR; i++)
		r[i] = range(c, cuts[0][i].low, cuts[0][i].high);
	w = writers_start(c);
	for (i = 0; i < FOUR; i++)
		start(c, &r[i], i % 2 ? "speed 4000000" : "");
	for (i = 0; i < FOUR; i++)
		job_wait(c, r[i].top);
	writers_stop(w);
	for (i = 0; i < FOUR; i++)
		ended(c, &r[i]);
	verify_reopened(c);
}

/* Every order there is, on a small chain each. */
static void any_order(void)
{
	static const char * const orders[] = {
		"012", "021", "102", "120", "201", "210",
	};
	unsigned int i, k, n;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		struct chain *c = chain_new("chain", BS);
		struct range r[3];

		chain_push(c, layer_raw_new("L0", 256 * KIB, BS));
		for (k = 1; k < 7; k++) {
			chain_push(c, layer_new(ct_str("L%u", k), 256 * KIB, BS,
						LAYER_SEPARATE));
			chain_fill(c, 30);
			verify_disk(c);
		}
		r[0] = range(c, i % 2, 2);
		r[1] = range(c, 3, 4);
		r[2] = range(c, 5, 6);
		for (k = 0; k < 3; k++)
			start(c, &r[k], "auto-finalize off");
		for (k = 0; k < 3; k++) {
			n = orders[i][k] - '0';
			let_end(c, &r[n], BY_FINALIZE);
			job_wait(c, r[n].top);
			ended(c, &r[n]);
			verify_beside_jobs(c);
		}
		verify_all(c);
		chain_close(c);
		verify_closed(c);
		pool_reset();
	}
}

/*
 * What lies below the lowest layer at the end is the new backing: the layer
 * that was the base, resting on something else than at the start.
 */
static void base_changes(bool raw)
{
	struct chain *c = nine(MIB);
	struct range upper = range(c, 4, 8), lower = range(c, raw ? 1 : 0, 3);

	verify_all(c);
	start(c, &upper, "auto-finalize off");
	job_wait_status(c, "L8", "pending");
	ct_check(job_is(c, "L8", "base=", "L3"), "base: %s", job_line(c, "L8"));
	model_copied(c, 8, 3);
	start(c, &lower, "");
	job_wait(c, "L3");
	ended(c, &lower);
	chain_reload(c, 0);
	c->nr_dropped = 0;
	/* Once more below it: the base stands alone. */
	if (raw) {
		free(msg(c, "stream top L3"));
		job_wait(c, "L3");
		model_stream(c, chain_find(c, "L3"), -1);
	}
	verify_beside_jobs(c);
	free(msg(c, "job L8 finalize"));
	job_wait(c, "L8");
	ended(c, &upper);
	ct_check(c->nr == 2, "%u layers are left", c->nr);
	verify_reopened(c);
}

static void base_shortened(void)
{
	base_changes(true);
}

static void base_alone(void)
{
	base_changes(false);
}

/*
 * A raw layer, three that end early, each inside a block, and those they
 * shorten.
 */
static struct chain *with_short_layers(u32 bs)
{
	static const struct { const char *name; u64 size; } layer[] = {
		{ "B", MIB + 512 }, { "C", 3 * MIB + 4096 + 512 },
		{ "D", 4 * MIB }, { "E", 2 * MIB + 4096 + 1024 },
		{ "F", 4 * MIB },
	};
	struct chain *c = chain_new("chain", bs);
	unsigned int i;

	chain_push(c, layer_raw_new("A", 4 * MIB, bs));
	for (i = 0; i < ARRAY_SIZE(layer); i++) {
		chain_push(c, layer_new(layer[i].name, layer[i].size, bs, i % 2 ?
					LAYER_SEPARATE : LAYER_INLINE));
		if (*layer[i].name == 'B' || *layer[i].name == 'E') {
			chain_fill(c, 15);
			/* More than a job with a speed copies at once. */
			chain_write(c, 0, bs);
			chain_write(c, 896 * KIB, bs);
		} else {
			chain_write(c, 512 * KIB, bs);
			chain_write(c, 640 * KIB + 512, 512);
			chain_discard(c, 768 * KIB, bs);
		}
		verify_all(c);
	}
	return c;
}

/*
 * The block that E's end cuts is copied whoever holds it, and that may be a
 * layer that another job drops just then.
 */
static void short_layers(u32 bs, bool upper_first, bool writers)
{
	struct chain *c = with_short_layers(bs);
	struct range lower = range(c, 1, 2), upper = range(c, 4, 5);
	struct writers *w = NULL;

	start(c, upper_first ? &lower : &upper, "speed 8");
	overlaps(c, upper_first ? &lower : &upper, 1);
	if (writers)
		w = writers_start(c);
	start(c, upper_first ? &upper : &lower, "");
	if (!w) {
		job_wait(c, upper_first ? "F" : "C");
		ended(c, upper_first ? &upper : &lower);
		verify_beside_jobs(c);
		chain_reload(c, 0);
		c->nr_dropped = 0;
	}
	free(msg(c, "job %s set-speed 0", upper_first ? "C" : "F"));
	job_wait(c, "C");
	job_wait(c, "F");
	if (w) {
		writers_stop(w);
		ended(c, &lower);
		ended(c, &upper);
	} else {
		ended(c, upper_first ? &lower : &upper);
	}
	verify_all(c);
	chain_stream(c, 2, -1);
	verify_reopened(c);
}

/*
 * D, which a job is about to drop, ends inside a block. The job copies that block
 * from B, far below its bottom, and planned to before another job drops B.
 */
static void below_the_bottom(void)
{
	struct chain *c = chain_new("chain", BS);
	struct range lower, upper;

	chain_push(c, layer_raw_new("A", 4 * MIB, BS));
	chain_push(c, layer_new("B", 4 * MIB, BS, LAYER_SEPARATE));
	chain_write(c, 3 * MIB - BS, 4 * BS);
	chain_push(c, layer_new("C", 4 * MIB, BS, LAYER_INLINE));
	chain_write(c, 0, BS);
	chain_push(c, layer_new("D", 3 * MIB + 512, BS, LAYER_SEPARATE));
	chain_write(c, MIB, MIB);
	chain_push(c, layer_new("E", 4 * MIB, BS, LAYER_INLINE));
	chain_write(c, 5 * BS, BS);
	chain_push(c, layer_new("F", 4 * MIB, BS, LAYER_SEPARATE));
	verify_all(c);

	lower = range(c, 1, 2);
	upper = range(c, 3, 4);
	start(c, &upper, "speed 8");
	ct_wait(job_num(c, "E", "copied="), "the job does not begin");
	start(c, &lower, "");
	job_wait(c, "C");
	ended(c, &lower);
	verify_beside_jobs(c);
	free(msg(c, "job E set-speed 0"));
	job_wait(c, "E");
	ended(c, &upper);
	verify_reopened(c);
}

static void short_upper_first(void)
{
	short_layers(65536, true, false);
}

static void short_lower_first(void)
{
	short_layers(65536, false, false);
}

static void short_4k(void)
{
	short_layers(4096, true, false);
}

static void short_writers(void)
{
	short_layers(65536, true, true);
}

/* ---- at random ---- */

#define DEEP	9

static struct range live[DEEP];
static unsigned int nr_live;

/* Operations whose outcome leaves no choice. */
static void guest(struct chain *c)
{
	u64 blocks = c->size / BS;
	unsigned int i;

	for (i = 0; i < 30; i++) {
		u64 b = ct_random(blocks - 2);

		switch (ct_random(3)) {
		case 0:
			chain_write(c, b * BS, BS * (1 + ct_random(2)));
			break;
		case 1:
			chain_write(c, b * BS + 512, 1024);
			break;
		default:
			chain_discard(c, b * BS, BS);
		}
	}
}

static bool is_free(const struct chain *c, int low, int high)
{
	unsigned int i;

	for (i = 0; i < nr_live; i++)
		if (chain_find(c, live[i].bottom) <= high &&
		    low <= chain_find(c, live[i].top))
			return false;
	return true;
}

static void random_start(struct chain *c)
{
	static const char * const more[] = {
		"", "speed 8", "auto-finalize off", "speed 100000000",
		"auto-finalize off speed 8 verify on",
	};
	int high = 1 + ct_random(c->nr - 1);
	int low = ct_random(high);

	if (!is_free(c, low, high))
		return;
	live[nr_live] = range(c, low, high);
	start(c, &live[nr_live], more[ct_random(ARRAY_SIZE(more))]);
	nr_live++;
}

/* Make the model what became of jobs that are over. */
static void reap(struct chain *c)
{
	unsigned int i = 0;

	while (i < nr_live) {
		if (job_live(c, live[i].top)) {
			i++;
			continue;
		}
		ended(c, &live[i]);
		live[i] = live[--nr_live];
	}
}

static void random_verb(struct chain *c)
{
	static const char * const verbs[] = {
		"pause", "resume", "finalize", "set-speed 0", "set-speed 8",
		"set-floor 1000000", "set-ceiling 100000000",
	};

	/* They may just not do in its state. */
	if (nr_live)
		msg_try(c, "job %s %s", live[ct_random(nr_live)].top,
			verbs[ct_random(ARRAY_SIZE(verbs))]);
}

static void random_cancel(struct chain *c)
{
	unsigned int i;
	char *status;

	if (!nr_live)
		return;
	i = ct_random(nr_live);
	if (msg_try(c, "job %s cancel", live[i].top))
		return;
	job_wait(c, live[i].top);
	status = field(last_line(c, live[i].top), "status=");
	ct_check(!strcmp(status, "cancelled"), "%s is %s", live[i].top, status);
	free(status);
	chain_flush(c);
	disk_adopt(c->layer[chain_find(c, live[i].top)]);
	live[i] = live[--nr_live];
}

static void random_jobs(void)
{
	struct chain *c = chain_new("chain", BS);
	unsigned int i, n = 0, most = 0;

	nr_live = 0;
	chain_push(c, layer_raw_new("raw", MIB, BS));
	for (i = 0; i < 120; i++) {
		if (c->nr < 4 || (c->nr < DEEP && !ct_random(5))) {
			chain_push(c, layer_new(ct_str("N%u", n), MIB, BS,
						n % 2 ? LAYER_SEPARATE :
							LAYER_INLINE));
			n++;
		}
		guest(c);
		if (ct_random(2))
			random_start(c);
		random_verb(c);
		most = max(most, nr_live);
		if (!ct_random(6))
			random_cancel(c);
		if (!ct_random(8)) {
			chain_reload(c, ct_random(2) ? DMD_NOFLUSH : 0);
			reap(c);
			if (ct_random(2))
				verify_view(c);
		}
		reap(c);
		c->nr_dropped = 0;
	}
	ct_note("%u layers were added, up to %u jobs at once", n, most);
	while (nr_live) {
		const char *id = live[0].top;

		msg_try(c, "job %s set-speed 0", id);
		msg_try(c, "job %s resume", id);
		if (job_live(c, id) && job_is(c, id, "status=", "pending"))
			msg_try(c, "job %s finalize", id);
		ct_sleep_ms(2);
		reap(c);
	}
	chain_reload(c, 0);
	c->nr_dropped = 0;
	verify_reopened(c);
}

const struct scenario parallel_scenarios[] = {
	{ "parallel", "four-jobs-end-upwards", upwards },
	{ "parallel", "four-jobs-end-downwards", downwards },
	{ "parallel", "four-jobs-finalized", finalized },
	{ "parallel", "four-jobs-finalized-downwards", finalized_downwards },
	{ "parallel", "four-jobs-end-inside-out", inside_out },
	{ "parallel", "four-jobs-unordered", unordered },
	{ "parallel", "three-jobs-in-any-order", any_order },
	{ "parallel", "base-is-shortened", base_shortened },
	{ "parallel", "base-comes-to-stand-alone", base_alone },
	{ "parallel", "short-layers-upper-first", short_upper_first },
	{ "parallel", "short-layers-lower-first", short_lower_first },
	{ "parallel", "short-layers-4k", short_4k },
	{ "parallel", "layer-below-the-bottom-leaves", below_the_bottom },
	{ "parallel", "short-layers-under-load", short_writers },
	{ "parallel", "at-random", random_jobs },
	{ }
};
