// SPDX-License-Identifier: GPL-2.0
/*
 * Cut the power at many points of a log and read the chain, each time, as one
 * that comes back to the disks would.
 *
 *	powercut replay [-s SEED] [-r OUTCOMES] [-n POINTS] [-x DIR [-k CUTS]]
 *			[-j PROCESSES] [-v] LOG
 *
 * OUTCOMES: how many outcomes of those in cut.h each point is tried with, by
 * chance (behind what was acknowledged also KEEP_NONE, around flushes also
 * KEEP_TORN); POINTS: how many points of a scenario are taken by chance, beside
 * those around each flush and behind each acknowledged one; DIR: gets the disks
 * of CUTS (1) of each scenario and of each set of states of its live jobs, for
 * others to open; PROCESSES (1) share the work, and each leaves that many. A test
 * is one kind of cut in one phase of one scenario; or that in one scenario no two
 * requests were under way over each other, because then what a disk holds is not
 * known to anybody. The line before the last says how many cuts there were. Exit
 * status: 0, 1 if a test failed, 2 if there was nothing to test.
 */
#include <err.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cut.h"
#include "layers.h"
#include "model.h"
#include "powercut.h"
#include "save.h"
#include "sector.h"

/* Failures that are printed, of each test. */
#define SHOWN	3

/* Where metadata ends on a device that has data behind it. */
#define INLINE_END	(1024 * 1024)

#define MAX_PROCESSES	64

enum cut_kind {
	CUT_ACKNOWLEDGED,
	CUT_FLUSH,
	CUT_RANDOM,
	NR_CUTS
};

static const char *const cut_names[NR_CUTS] = {
	[CUT_ACKNOWLEDGED]	= "behind what was acknowledged",
	[CUT_FLUSH]		= "around flushes and FUA writes",
	[CUT_RANDOM]		= "anywhere",
};

struct tally {
	unsigned long cuts;
	unsigned long failed;
};

struct replay {
	struct log log;
	struct disks disks;
	struct model model;
	struct region *region;
	struct tally (*tally)[NR_CUTS];	/* by phase, of this process */
	unsigned long *races;
	unsigned int process;
	unsigned int processes;
	u64 seed;
	unsigned int outcomes;
	unsigned int points;
	bool verbose;
	struct saver saver;

	/* the cut at hand */
	long pos;
	enum cut_kind kind;
	enum cut_keep keep;
	u64 cut_seed;
	unsigned int nth;		/* of those at this position */
	unsigned int phase;
	bool failed;
};

__attribute__((format(printf, 2, 3)))
static void complain(struct replay *rp, const char *fmt, ...)
{
	struct tally *tally = &rp->tally[rp->phase][rp->kind];
	va_list args;

	if (!rp->failed && tally->failed < SHOWN) {
		printf("# %s, %s: cut before record %ld, %s, seed %llu: ",
		       rp->model.name, rp->model.phase[rp->phase].name,
		       rp->pos, cut_keep_name(rp->keep),
		       (unsigned long long)rp->cut_seed);
		va_start(args, fmt);
		vprintf(fmt, args);
		va_end(args);
		putchar('\n');
	}
	if (!rp->failed)
		tally->failed++;
	rp->failed = true;
}

static void describe(const struct powercut_sector *s, char *text, size_t room)
{
	static const char *const kinds[] = {
		[POWERCUT_TAG] = "write", [POWERCUT_FILL] = "garbage of device",
		[POWERCUT_TRIM] = "garbage left by a discard on device",
	};

	if (powercut_sector_zero(s))
		snprintf(text, room, "zeros");
	else if (!powercut_sector_whole(s) || s->kind > POWERCUT_TRIM)
		snprintf(text, room, "a mangled sector");
	else if (s->kind == POWERCUT_TAG)
		snprintf(text, room, "write %llu of sector %llu", s->seq,
			 s->number);
	else
		snprintf(text, room, "%s %llu, sector %llu", kinds[s->kind],
			 s->owner, s->number);
}

static enum model_value classify(const struct replay *rp, u64 sector,
				 const struct powercut_sector *s)
{
	const struct model *model = &rp->model;

	if (powercut_sector_zero(s))
		return MODEL_ZERO;
	if (!powercut_sector_whole(s) || s->number != sector)
		return MODEL_OTHER;
	if (s->kind == POWERCUT_TAG && s->owner == model->owner)
		return MODEL_TAG;
	if (s->kind == POWERCUT_FILL && model->layer[0].meta < 0 &&
	    s->owner == (unsigned int)model->layer[0].data)
		return MODEL_BASE;
	return MODEL_OTHER;
}

static enum model_value initial(const struct replay *rp, u64 sector)
{
	const struct model_layer *base = &rp->model.layer[0];

	if (base->meta < 0 && sector * POWERCUT_SECTOR < rp->model.size &&
	    sector * POWERCUT_SECTOR < rp->log.device[base->data].size)
		return MODEL_BASE;
	return MODEL_ZERO;
}

/* Every sector that the load writes; @frozen is NULL for the active layer. */
static void check_view(struct replay *rp, const struct chain *chain,
		       const struct model_layer *frozen)
{
	const struct layer *upper = chain->layer[chain->nr - 1];
	const struct model *model = &rp->model;
	struct powercut_sector s;
	u64 n;

	for (n = 0; n < model->sectors && !rp->failed; n++) {
		u64 sector = model_sector(model, n);
		const struct layer *from = chain_read(chain, sector, &s);
		enum model_value first = initial(rp, sector);
		enum model_value value = classify(rp, sector, &s);
		char found[128], legal[512] = "";

		if (sector * POWERCUT_SECTOR >= layer_size(upper))
			continue;
		if (frozen ? model_legal_frozen(model, frozen, n, value, s.seq,
						first) :
			     model_legal(model, n, rp->pos, value, s.seq,
					 first))
			continue;
		describe(&s, found, sizeof(found));
		if (!frozen)
			model_explain(model, n, rp->pos, legal, sizeof(legal));
		complain(rp, "view from %s: sector %llu holds %s, out of %s; possible:%s",
			 upper->name, (unsigned long long)sector, found,
			 from ? from->name : "no layer",
			 frozen ? " what it held when it got an overlay" :
			 legal);
	}
}

/* No layer holds data where nobody ever wrote. */
static void check_cold(struct replay *rp, const struct layer *layer)
{
	u64 block = layer->sb.block_size / POWERCUT_SECTOR;
	u32 page, n, run;

	for (page = 0; page < layer->geo.map_pages && !rp->failed; page++) {
		const u8 *payload = layer->payload[page];

		for (n = 0; payload && n < DM_CHAIN_BLOCKS_PER_PAGE; n += run) {
			u64 at = (u64)page * DM_CHAIN_BLOCKS_PER_PAGE + n;

			run = dm_chain_state_run(payload, n,
						 DM_CHAIN_BLOCKS_PER_PAGE - n);
			if (dm_chain_state_get(payload, n) != DM_CHAIN_DATA)
				continue;
			if (!model_hot(&rp->model, at * block, block) ||
			    !model_hot(&rp->model, (at + run - 1) * block,
				       block))
				complain(rp, "%s holds data at block %llu, where nobody wrote",
					 layer->name, (unsigned long long)at);
		}
	}
}

static void names_of(const struct chain *chain, char *text, size_t room)
{
	size_t len = 0;
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i < chain->nr && len < room; i++)
		len += snprintf(text + len, room - len, " %s",
				chain->layer[i]->name);
}

/* What the disks say of the jobs; @state gets it. */
static void check_jobs(struct replay *rp, const struct layer *layer,
		       const struct chain *chain, enum job_state *state)
{
	const struct jobs *jobs = &rp->model.jobs;
	char wrong[256];
	unsigned int n;

	if (!jobs_find(jobs, rp->pos, layer, chain, state, wrong,
		       sizeof(wrong))) {
		complain(rp, "%s", wrong);
		return;
	}
	/* The layers of a job that is pending are not needed any more. */
	for (n = 0; n < jobs->n; n++) {
		struct chain left;

		if (state[n] != JOB_PENDING)
			continue;
		chain_without(&left, chain, &layer[jobs->job[n].bottom],
			      &layer[jobs->job[n].top]);
		check_view(rp, &left, NULL);
	}
}

static void save(struct replay *rp, const struct layer *layer, unsigned int n,
		 const struct chain *chain, const enum job_state *state)
{
	const struct cut_found found = {
		.layer = layer, .layers = n, .chain = chain, .state = state,
	};
	char what[128];

	if (rp->failed)
		return;
	snprintf(what, sizeof(what), "%s: cut before record %ld, %s",
		 rp->model.phase[rp->phase].name, rp->pos,
		 cut_keep_name(rp->keep));
	saver_offer(&rp->saver, &rp->model, &rp->disks, &found, what);
}

static void check_chain(struct replay *rp, struct layer *layer, unsigned int n)
{
	const struct model *model = &rp->model;
	struct dm_chain_why why = { "" };
	enum job_state state[JOBS_MAX];
	struct chain chain, below;
	unsigned int i, bits = 0;
	char names[256];

	if (chain_resolve(&chain, layer, n, &why)) {
		complain(rp, "no chain: %s", why.text);
		return;
	}
	for (i = 0; i < chain.nr; i++)
		bits |= 1U << (chain.layer[i] - layer);
	if (!model_chain_legal(model, rp->pos, bits)) {
		names_of(&chain, names, sizeof(names));
		complain(rp, "the chain is%s", names);
		return;
	}
	for (i = 0; i < chain.nr; i++)
		if (chain.layer[i]->meta)
			check_cold(rp, chain.layer[i]);
	if (!model_size_legal(model, rp->pos, layer_size(&layer[n - 1])))
		complain(rp, "the view has %llu bytes",
			 (unsigned long long)layer_size(&layer[n - 1]));
	check_view(rp, &chain, NULL);
	if (!rp->failed)
		check_jobs(rp, layer, &chain, state);

	for (i = 0; i + 1 < chain.nr && !rp->failed; i++) {
		unsigned int index = chain.layer[i] - layer;

		if (!layer[index].meta || model->layer[index].frozen >= rp->pos)
			continue;
		if (chain_resolve(&below, layer, index + 1, &why))
			complain(rp, "no chain below: %s", why.text);
		else
			check_view(rp, &below, &model->layer[index]);
	}
	save(rp, layer, n, &chain, state);
}

/* Read everything back from the disks as the cut left them. */
static void check(struct replay *rp)
{
	const struct model *model = &rp->model;
	struct layer layer[MODEL_LAYERS] = {};
	unsigned int i, n = 0, loaded = 0;

	for (i = 0; i < model->layers; i++) {
		const struct model_layer *is = &model->layer[i];
		struct dm_chain_why why = { "" };
		int r;

		if (is->declared >= rp->pos)
			break;
		strcpy(layer[i].name, is->name);
		layer[i].data = &rp->disks.image[is->data];
		if (is->meta >= 0)
			layer[i].meta = &rp->disks.image[is->meta];
		layer[i].gone = is->gone < rp->pos;
		r = layer_load(&layer[i], &why);
		loaded = i + 1;
		if (r && !layer[i].gone &&
		    model_layer_sure(model, rp->pos, i))
			complain(rp, "layer %s: %s", is->name, why.text);
		if (r)
			layer[i].present = false;
		if (layer[i].present)
			n = i + 1;
	}
	if (!n)
		complain(rp, "no layer is left");
	if (!rp->failed)
		check_chain(rp, layer, n);
	for (i = 0; i < loaded; i++)
		layer_unload(&layer[i]);
}

static void cut(struct replay *rp, enum cut_kind kind, enum cut_keep keep)
{
	struct tally *tally = &rp->tally[rp->phase][kind];

	rp->kind = kind;
	rp->keep = keep;
	rp->cut_seed = rp->seed * 1000003 + rp->pos * 64 + rp->nth++;
	rp->failed = false;
	cut_make(&rp->disks, rp->region, keep, rp->cut_seed);
	check(rp);
	cut_undo(&rp->disks);
	tally->cuts++;
	if (rp->verbose)
		printf("# %ld %s %s\n", rp->pos, cut_names[kind],
		       cut_keep_name(keep));
}

static void cuts(struct replay *rp, enum cut_kind kind)
{
	unsigned int i;

	if (kind == CUT_ACKNOWLEDGED)
		cut(rp, kind, KEEP_NONE);
	if (kind == CUT_FLUSH)
		cut(rp, kind, KEEP_TORN);
	for (i = 0; i < rp->outcomes; i++) {
		u64 number = cut_chance(rp->seed + rp->pos * 64 + i);
		unsigned int keep = number % (NR_KEEP + 2);

		/* a third of them random */
		cut(rp, kind, keep < NR_KEEP ? keep : KEEP_RANDOM);
	}
}

static void set_regions(struct replay *rp)
{
	const struct model *model = &rp->model;
	unsigned int i;

	memset(rp->region, 0, rp->log.devices * sizeof(*rp->region));
	for (i = 0; i < model->layers; i++) {
		const struct model_layer *layer = &model->layer[i];

		rp->region[layer->data].used = true;
		if (layer->meta < 0)
			continue;
		rp->region[layer->meta].used = true;
		rp->region[layer->meta].meta_end =
			layer->meta == layer->data ? INLINE_END :
			rp->log.device[layer->meta].size;
	}
}

/* Is the point behind record @pos one around a flush of these disks? */
static bool at_flush(const struct replay *rp, long pos)
{
	const struct log_record *rec = &rp->log.entry[pos].rec;
	const struct log_record *next = &rp->log.entry[pos + 1].rec;

	if (rp->region[rec->device].used && rec->type == LOG_DONE &&
	    (rec->op == LOG_FLUSH || rec->flags & LOG_F_FUA))
		return true;
	return pos + 1 < (long)rp->log.entries &&
	       rp->region[next->device].used && next->type == LOG_SUBMIT &&
	       (next->op == LOG_FLUSH || next->flags & LOG_F_FUA);
}

/* One process sees to it that the request at @pos overtakes no other one. */
static void check_race(struct replay *rp, long pos)
{
	const struct log_record *rec = &rp->log.entry[pos].rec;
	long other;

	if (rp->process || !rp->region[rec->device].used)
		return;
	other = disks_race(&rp->disks, pos);
	if (other < 0)
		return;
	if (++*rp->races <= SHOWN)
		printf("# %s, %s: record %ld comes over record %ld, which is under way\n",
		       rp->model.name, rp->log.device[rec->device].name, pos,
		       other);
}

static void replay_scenario(struct replay *rp)
{
	const struct model *model = &rp->model;
	unsigned long span = model->last - model->first;
	unsigned int ack = 0;
	long pos, start;

	start = model->chains ? model->chain[0].from + 1 : model->last;
	for (pos = model->first; pos < model->last; pos++) {
		check_race(rp, pos);
		disks_advance(&rp->disks, pos);
		/* the cut comes behind record @pos */
		rp->pos = pos + 1;
		while (rp->phase + 1 < model->phases &&
		       model->phase[rp->phase + 1].from < rp->pos)
			rp->phase++;
		while (ack < model->acks && model->ack[ack] < pos)
			ack++;
		if (pos < start || !model->phases ||
		    cut_chance(pos) % rp->processes != rp->process)
			continue;
		rp->nth = 0;
		if (ack < model->acks && model->ack[ack] == pos)
			cuts(rp, CUT_ACKNOWLEDGED);
		else if (at_flush(rp, pos))
			cuts(rp, CUT_FLUSH);
		if (cut_chance(rp->seed + pos) % span < rp->points)
			cuts(rp, CUT_RANDOM);
	}
}

static void add_up(struct replay *rp)
{
	unsigned int phases = rp->model.phases + 1;
	unsigned int i, kind;

	for (i = phases; i < phases * rp->processes; i++) {
		for (kind = 0; kind < NR_CUTS; kind++) {
			struct tally *sum = &rp->tally[i % phases][kind];

			sum->cuts += rp->tally[i][kind].cuts;
			sum->failed += rp->tally[i][kind].failed;
		}
	}
}

static void report(const struct replay *rp, unsigned int *passed,
		   unsigned int *failed, unsigned long *total)
{
	const struct model *model = &rp->model;
	unsigned int i, kind;

	for (i = 0; i < model->phases; i++) {
		unsigned long all = 0;

		for (kind = 0; kind < NR_CUTS; kind++) {
			const struct tally *tally = &rp->tally[i][kind];

			all += tally->cuts;
			*total += tally->cuts;
			if (!tally->cuts)
				continue;
			if (tally->failed)
				(*failed)++;
			else
				(*passed)++;
			printf("%sok - %s, %s: %lu cuts %s",
			       tally->failed ? "not " : "", model->name,
			       model->phase[i].name, tally->cuts,
			       cut_names[kind]);
			if (tally->failed)
				printf(", %lu of them lost something",
				       tally->failed);
			putchar('\n');
		}
		if (!all) {
			(*failed)++;
			printf("not ok - %s, %s: no cuts\n", model->name,
			       model->phase[i].name);
		}
	}
	if (!model->phases) {
		(*failed)++;
		printf("not ok - %s: no cuts\n", model->name);
	}
	(*(*rp->races ? failed : passed))++;
	printf("%sok - %s: nothing under way over something else\n",
	       *rp->races ? "not " : "", model->name);
	fflush(stdout);
}

static void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(2, "memory");
	return p;
}

/* The scenario at hand, in several processes; the disks stay where they are. */
static void share_scenario(struct replay *rp)
{
	unsigned int i;
	int status;

	fflush(stdout);
	for (i = 0; i < rp->processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(2, "fork");
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		rp->process = i;
		rp->tally += i * (rp->model.phases + 1);
		saver_begin(&rp->saver, rp->seed, i * rp->saver.cuts);
		replay_scenario(rp);
		exit(0);
	}
	for (i = 0; i < rp->processes; i++)
		if (wait(&status) < 0 || status)
			errx(2, "%s: a process failed", rp->model.name);
}

int replay_main(int argc, char **argv)
{
	struct replay rp = { .seed = 1, .outcomes = 2, .points = 200,
			     .processes = 1, .saver.cuts = 1 };
	unsigned int passed = 0, failed = 0;
	unsigned long total = 0;
	size_t tallies;
	long pos = 0, from = 0;
	int opt;

	while ((opt = getopt(argc, argv, "s:r:n:x:k:j:v")) != -1) {
		switch (opt) {
		case 's':
			rp.seed = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			rp.outcomes = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			rp.points = strtoul(optarg, NULL, 0);
			break;
		case 'x':
			rp.saver.dir = optarg;
			break;
		case 'k':
			rp.saver.cuts = strtoul(optarg, NULL, 0);
			break;
		case 'j':
			rp.processes = strtoul(optarg, NULL, 0);
			break;
		case 'v':
			rp.verbose = true;
			break;
		default:
			return 2;
		}
	}
	if (optind + 1 != argc || !rp.processes ||
	    rp.processes > MAX_PROCESSES)
		errx(2, "usage: powercut replay [OPTION...] LOG, see replay.c");
	log_open(&rp.log, argv[optind]);
	disks_init(&rp.disks, &rp.log);
	rp.region = calloc(rp.log.devices, sizeof(*rp.region));
	if (!rp.region)
		err(2, "memory");
	rp.races = shared(sizeof(*rp.races));
	printf("# %lu records on %u devices, seed %llu\n", rp.log.entries,
	       rp.log.devices, (unsigned long long)rp.seed);

	while (model_next(&rp.model, &rp.log, &pos)) {
		for (; from < rp.model.first; from++)
			disks_advance(&rp.disks, from);
		tallies = (rp.model.phases + 1) * rp.processes *
			  sizeof(*rp.tally);
		rp.tally = shared(tallies);
		*rp.races = 0;
		set_regions(&rp);
		share_scenario(&rp);
		add_up(&rp);
		report(&rp, &passed, &failed, &total);
		munmap(rp.tally, tallies);
		model_free(&rp.model);
	}
	disks_free(&rp.disks);
	printf("# %lu cuts\n", total);
	printf("%u passed, %u failed\n", passed, failed);
	if (!passed && !failed)
		return 2;
	return failed ? 1 : 0;
}
