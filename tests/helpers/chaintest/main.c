// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: run the scenarios of a suite.
 *
 *	chaintest list SUITE
 *	chaintest [OPTION...] run SUITE POOL [SCENARIO...]
 *
 * --plant view|states|data|map|counts makes the model wrong, --series N draws
 * other random numbers. --step N makes only every N-th of many similar tries.
 *
 * "run" prints "ok NAME", "not ok NAME" or "ok NAME # SKIP" for each scenario,
 * with "# ..." lines before it; it exits 0 unless it could not run them.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ct.h"

#define TIME_LIMIT_MS	400000

static const struct scenario *const all[] = {
	instrument_scenarios,
	matrix_scenarios,
	guestio_scenarios,
	short_scenarios,
	durable_scenarios,
	fua_scenarios,
	race_scenarios,
	order_scenarios,
	moved_scenarios,
	doubt_scenarios,
	pace_scenarios,
	sharing_scenarios,
	readcopy_scenarios,
	readrace_scenarios,
	badline_scenarios,
	badmeta_scenarios,
	grow_scenarios,
	growfail_scenarios,
	lifecycle_scenarios,
	parallel_scenarios,
	onerror_scenarios,
	nospace_scenarios,
	revive_scenarios,
	record_scenarios,
	failnth_scenarios,
	faults_scenarios,
};

static void usage(void)
{
	fputs("usage: chaintest list SUITE\n"
	      "       chaintest [--plant KIND] [--series N] [--step N] run SUITE POOL [SCENARIO...]\n",
	      stderr);
	exit(2);
}

/* The part of a scenario that runs; shared with its process. */
static struct {
	u64 start;
	pid_t pid;
} *part;

/**
 * ct_part() - a scenario has begun another of its parts
 * @pid: the process that does it; 0: the scenario's
 *
 * The time limit is that of a part.
 */
void ct_part(pid_t pid)
{
	part->start = ct_now_ms();
	part->pid = pid;
}

/* Return: the wait status, or -1 at the time limit. */
static int wait_for(pid_t pid)
{
	int status;

	while (!waitpid(pid, &status, WNOHANG)) {
		if (ct_now_ms() > part->start + TIME_LIMIT_MS)
			return -1;
		ct_sleep_ms(5);
	}
	return status;
}

/* Where its threads hang. */
static void show_stacks(pid_t pid)
{
	char *dir = ct_str("/proc/%d/task", pid);
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *path = ct_str("%s/%s/stack", dir, e->d_name);
		FILE *f = fopen(path, "r");
		char line[256];

		while (f && fgets(line, sizeof(line), f)) {
			line[strcspn(line, "\n")] = '\0';
			ct_note("%s: %s", e->d_name, line);
		}
		if (f)
			fclose(f);
		free(path);
	}
	if (d)
		closedir(d);
	free(dir);
}

static void run(const struct scenario *s, const char *pool)
{
	u64 start = ct_now_ms();
	int status;
	pid_t pid;

	fflush(stdout);
	ct_part(0);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (!pid) {
		ct_scenario = s->name;
		pool_init(pool);
		s->run();
		fflush(stdout);
		_exit(0);
	}
	status = wait_for(pid);
	if (status == -1) {
		ct_note("FAILED: no end within %d s", TIME_LIMIT_MS / 1000);
		show_stacks(part->pid ?: pid);
		/* What hangs in the kernel has to be let go first. */
		dmd_cleanup_devices(true);
		kill(pid, SIGKILL);
		if (part->pid)
			kill(part->pid, SIGKILL);
		waitpid(pid, NULL, 0);
	} else if (WIFSIGNALED(status)) {
		ct_note("FAILED: signal %d", WTERMSIG(status));
	}
	dmd_cleanup_devices(false);
	ct_note("%s: %llu ms", s->name, ct_now_ms() - start);
	if (status != -1 && WIFEXITED(status) && !WEXITSTATUS(status))
		printf("ok %s\n", s->name);
	else if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 4)
		printf("ok %s # SKIP\n", s->name);
	else
		printf("not ok %s\n", s->name);
}

static bool wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const struct scenario *s;
	bool list;
	unsigned int i, found = 0;

	while (argc > 2 && !strncmp(argv[1], "--", 2)) {
		if (!strcmp(argv[1], "--plant"))
			ct_plant = argv[2];
		else if (!strcmp(argv[1], "--step") &&
			 !kstrtouint(argv[2], 10, &ct_step) && ct_step)
			;
		else if (strcmp(argv[1], "--series") ||
			 kstrtouint(argv[2], 10, &ct_series))
			usage();
		argv += 2;
		argc -= 2;
	}
	if (argc < 3)
		usage();
	list = !strcmp(argv[1], "list");
	if (list ? argc != 3 : strcmp(argv[1], "run") || argc < 4)
		usage();

	setvbuf(stdout, NULL, _IOLBF, 0);
	part = mmap(NULL, sizeof(*part), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (part == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	dmd_init();
	if (!list)
		dmd_cleanup_devices(false);
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		for (s = all[i]; s->name; s++) {
			if (strcmp(s->suite, argv[2]) ||
			    (!list && !wanted(s->name, argv + 4)))
				continue;
			found++;
			if (list)
				puts(s->name);
			else
				run(s, argv[3]);
		}
	}
	if (!found)
		fprintf(stderr, "chaintest: nothing to run in %s\n", argv[2]);
	return !found;
}
