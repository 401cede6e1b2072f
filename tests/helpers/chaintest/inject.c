// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: allocations that fail, by the kernel's fault injection: the n-th one
 * that the module asks for, in whatever thread, from a certain moment on.
 *
 * The kernel counts the allocations that a rule applies to and lets every
 * interval-th fail as long as "times" is not used up; where the count stands
 * nobody says. So the rule is armed once beforehand for allocations that do not
 * matter: when one of those has failed, the count is a multiple of the interval,
 * and stands still until "times" is written again.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ct.h"

static const char * const rules[] = {
	[INJECT_SLAB] = "failslab",
	[INJECT_PAGE] = "fail_page_alloc",
};

#define SYNC_DEV	PREFIX "sync"

static char *sync_line;
static u64 sync_size;

static char *knob_path(enum inject kind, const char *knob)
{
	return ct_str("/sys/kernel/debug/%s/%s", rules[kind], knob);
}

static void knob(enum inject kind, const char *name, const char *value)
{
	char *path = knob_path(kind, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ct_check(fd >= 0 && write(fd, value, strlen(value)) > 0, "%s: %m", path);
	close(fd);
	free(path);
}

static bool used_up(enum inject kind)
{
	char *path = knob_path(kind, "times");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	ct_check(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "%s: %m", path);
	close(fd);
	free(path);
	return !strtol(text, NULL, 10);
}

static unsigned long long module_number(const char *file, int base)
{
	char *path = ct_str("/sys/module/dm_chain/%s", file);
	FILE *f = fopen(path, "r");
	char text[64] = "";

	ct_check(f && fgets(text, sizeof(text), f), "%s: %m", path);
	fclose(f);
	free(path);
	return strtoull(text, NULL, base);
}

/*
 * Where a function of the kernel begins and ends. Parts of it that the compiler
 * has moved elsewhere are not of interest.
 */
static void function_range(const char *name, u64 *start, u64 *end)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	unsigned long long addr;
	char line[512], symbol[256];

	*start = 0;
	*end = ~0ULL;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%llx %*c %255s", &addr, symbol) == 2 &&
		    !strcmp(symbol, name))
			*start = addr;
	ct_check(f && *start, "/proc/kallsyms has no %s", name);
	rewind(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%llx %255s", &addr, symbol) == 2 &&
		    addr > *start)
			*end = min(*end, (u64)addr);
	fclose(f);
}

/* Skips the scenario where the kernel cannot do it. */
void inject_init(void)
{
	u64 start, size, slab_start, slab_end;
	struct layer *l;
	enum inject kind;
	int r;

	for (kind = 0; kind < NR_INJECT; kind++)
		if (access(knob_path(kind, "require-start"), W_OK))
			ct_skip("the kernel has no %s", rules[kind]);
	start = module_number("sections/.text", 16);
	size = module_number("coresize", 10);
	/* The kernel complains of each by itself, with a backtrace. */
	function_range("__kmem_cache_create_args", &slab_start, &slab_end);
	for (kind = 0; kind < NR_INJECT; kind++) {
		knob(kind, "probability", "0");
		knob(kind, "verbose", "0");
		knob(kind, "space", "0");
		knob(kind, "ignore-gfp-wait", "N");
		knob(kind, "stacktrace-depth", "32");
		/* debugfs takes these in decimal or with a prefix */
		knob(kind, "require-start", ct_str("%#llx", start));
		knob(kind, "require-end", ct_str("%#llx", start + size));
		knob(kind, "reject-start", ct_str("%#llx", slab_start));
		knob(kind, "reject-end", ct_str("%#llx", slab_end));
	}
	knob(INJECT_PAGE, "min-order", "0");
	knob(INJECT_PAGE, "ignore-gfp-highmem", "N");

	/* What can be loaded any time, and takes memory of each kind. */
	l = layer_new("S", 64 * KIB, 4096, LAYER_SEPARATE);
	sync_line = chain_params(&l, 1, "1 format");
	sync_size = l->size;
	r = dmd_try_create(SYNC_DEV, NULL, 0, false);
	ct_check(!r, "create %s: %s", SYNC_DEV, strerror(-r));
}

/* Load until the rule has been used. */
static void sync_count(enum inject kind)
{
	struct dm_seg seg = { sync_size / SECTOR, "chain", sync_line };
	unsigned int i;

	for (i = 0; !used_up(kind); i++) {
		dmd_load(SYNC_DEV, &seg, 1, false);
		dmd_clear(SYNC_DEV);
		ct_check(i < 2000, "nothing makes %s fail", rules[kind]);
	}
}

/* From now on the @n-th allocation fails, and no other. */
void inject_arm(enum inject kind, unsigned int n)
{
	knob(kind, "interval", ct_str("%u", n));
	knob(kind, "times", "1");
	knob(kind, "probability", "100");
	/* With an interval of 1 nothing is counted. */
	if (n > 1) {
		sync_count(kind);
		knob(kind, "times", "1");
	}
}

/* Return: has one failed since inject_arm()? */
bool inject_disarm(enum inject kind)
{
	bool fired = used_up(kind);

	knob(kind, "probability", "0");
	return fired;
}
