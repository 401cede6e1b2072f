// SPDX-License-Identifier: GPL-2.0
/*
 * chaintorture: random operations on a chain, compared with a model.
 *
 *	chaintorture run [OPTION...] POOL	lists drawn from seeds, one after the other
 *	chaintorture replay [OPTION...] POOL FILE
 *	chaintorture show [OPTION...]		the list of a seed, not done
 *
 * --seed N	of the first list; the next one has N + 1
 * --runs N, --seconds N	how many lists, or for how long
 * --ops N	in a list; with several threads it is twice as many
 * --threads N	0: none besides the first; default: drawn
 * --times N	replay: so often, until it fails
 * --shrink N	seconds to look for a shorter list, default 60; 0: none is shown
 * --keep FILE	where the shortest list that fails goes
 * --module FILE	at the end of a list, unload the module; then load this
 * --tools	let "chainsetup check" look at every layer, too
 * --trace	name each list before it is done
 *
 * The device POOL is overwritten. The status is 1 if a list has failed.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "torture.h"

const char *unload_module = "";
bool use_tools;

static u64 seed = 1, runs, seconds, ops = 200, times = 1, shrink_seconds = 60;
static u64 threads = ~0ULL;
static const char *keep = "";
static bool trace;

static const struct number {
	const char *name;
	u64 *value;
} numbers[] = {
	{ "--seed", &seed }, { "--runs", &runs }, { "--seconds", &seconds },
	{ "--ops", &ops }, { "--threads", &threads }, { "--times", &times },
	{ "--shrink", &shrink_seconds },
};

static void __noreturn usage(void)
{
	fputs("usage: chaintorture run|replay|show [--seed N] [--runs N] [--seconds N] [--ops N]\n"
	      "       [--threads N] [--times N] [--shrink N] [--keep FILE] [--module FILE]\n"
	      "       [--tools] [--trace] [POOL [FILE]]\n", stderr);
	exit(2);
}

/* Return: how many words it took, 0 if it is no option. */
static int option(char **argv)
{
	unsigned int i;

	if (!strcmp(*argv, "--tools")) {
		use_tools = true;
		return 1;
	}
	if (!strcmp(*argv, "--trace")) {
		trace = true;
		return 1;
	}
	if (!argv[1] || strncmp(*argv, "--", 2))
		return 0;
	if (!strcmp(*argv, "--keep")) {
		keep = argv[1];
		return 2;
	}
	if (!strcmp(*argv, "--module")) {
		unload_module = argv[1];
		return 2;
	}
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(*argv, numbers[i].name) &&
		    !kstrtou64(argv[1], 10, numbers[i].value))
			return 2;
	usage();
}

static void show_failure(struct list *l, const char *pool, struct verdict *v)
{
	u64 start = ct_now_ms();
	unsigned int before = l->nr;
	struct list *shortest;
	FILE *f;

	printf("FAILED: seed %llu: operation %u of %u: %s\n", l->setup.seed,
	       v->at + 1, before, v->why);
	fflush(stdout);
	if (!shrink_seconds)
		return;
	shortest = shrink(l, pool, v, shrink_seconds);
	printf("# the shortest list found, %u operations, in %llu s\n", shortest->nr,
	       (ct_now_ms() - start) / 1000);
	printf("# write %u + N is by operation N\n", TORTURE_TAG);
	printf("# %s\n", v->why);
	list_save(shortest, stdout);
	fflush(stdout);
	if (*keep) {
		f = fopen(keep, "w");
		ct_check(f, "%s: %m", keep);
		list_save(shortest, f);
		fclose(f);
	}
	list_free(shortest);
}

static u64 done(bool changes_only)
{
	u64 n = 0;
	unsigned int i;

	for (i = changes_only ? OP_SNAPSHOT : 0; i < OP_KINDS; i++)
		n += progress->began[i];
	return n;
}

static void summary(u64 nr, u64 failed)
{
	const unsigned int *n = progress->began;

	printf("%llu lists, %llu operations (%u reads, %u writes, ", nr, done(false),
	       n[OP_READ], n[OP_WRITE] + n[OP_FUA]);
	printf("%u discards, %u write-zeroes, %u snapshots, %u streams, ",
	       n[OP_DISCARD], n[OP_ZERO], n[OP_SNAPSHOT], n[OP_STREAM]);
	printf("%llu of other kinds), seed %llu\n", done(true) + n[OP_FLUSH] -
	       n[OP_SNAPSHOT] - n[OP_STREAM], seed);
	printf("%llu passed, %llu failed\n", nr - failed, failed);
}

/* Return: whether one failed. */
static bool run(const char *pool)
{
	u64 end = ct_now_ms() + 1000 * seconds;
	struct verdict v = { };
	struct list *l;
	u64 nr = 0;

	while (!v.failed && (seconds ? ct_now_ms() < end : nr < max(runs, 1ULL))) {
		u64 start = ct_now_ms();

		l = plan(seed + nr, ops, (int)threads);
		if (trace) {
			printf("# seed %llu, blocks of %u, %llu bytes, %u threads\n",
			       l->setup.seed, l->setup.block_size,
			       l->setup.size, l->setup.threads);
			fflush(stdout);
		}
		judge(l, pool, &v);
		nr++;
		if (v.failed)
			show_failure(l, pool, &v);
		else if (trace)
			printf("# ok, %llu ms\n", ct_now_ms() - start);
		list_free(l);
	}
	summary(nr, v.failed);
	return v.failed;
}

static bool replay(const char *pool, const char *file)
{
	struct list *l = list_load(file);
	struct verdict v = { };
	u64 i;

	for (i = 0; i < times && !v.failed; i++)
		judge(l, pool, &v);
	if (v.failed)
		printf("FAILED: operation %u of %u, time %llu: %s\n", v.at + 1,
		       l->nr, i, v.why);
	printf("%llu passed, %u failed\n", i - v.failed, v.failed);
	list_free(l);
	return v.failed;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n;

	for (argv += min(argc, 2); *argv && (n = option(argv)); argv += n)
		;
	if (!strcmp(what, "show") && !*argv) {
		list_save(plan(seed, ops, (int)threads), stdout);
		return 0;
	}
	if (!*argv)
		usage();
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ct_check(progress != MAP_FAILED, "mmap: %m");
	/* Faults are dear in some virtual machines. */
	mallopt(M_MMAP_THRESHOLD, 64 * MIB);
	mallopt(M_TRIM_THRESHOLD, 256 * MIB);
	dmd_init();
	dmd_cleanup_devices(false);
	if (!strcmp(what, "run") && !argv[1])
		return run(argv[0]);
	if (!strcmp(what, "replay") && argv[1] && !argv[2])
		return replay(argv[0], argv[1]);
	usage();
}
