// SPDX-License-Identifier: GPL-2.0
/*
 * chaindm: how long device mapper takes for what is done to a device, without
 * the time that starting a program takes.
 *
 *	chaindm create NAME LINE
 *		a new device with that table line
 *	chaindm exchange NAME LINE
 *		another table for a live one; the pause is from before suspend to
 *		after resume
 *	chaindm stream NAME [WORD...]
 *		start a stream job of a chain and wait for its end
 *	chaindm hydrate NAME
 *		let a dm-clone hydrate and wait until it has
 *	chaindm beside NAME COMMAND [ARG...]
 *		run a command, and say how far the job or the hydration of the
 *		device came meanwhile
 *	chaindm during NAME FROM TO COMMAND [ARG...]
 *		the same for a time while it runs: milliseconds since its start
 *
 * The last line printed is key=value: load_ns= suspend_ns= resume_ns= pause_ns=
 * wait_ns= bytes= running=, those that the verb has.
 */
#include <errno.h>
#include <inttypes.h>
#include <libdevmapper.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define SECTOR		512
#define POLL_NS		1000000		/* dm-clone's end is no event */

static struct dm_task *task_new(int type, const char *name)
{
	struct dm_task *task = dm_task_create(type);

	if (!task || !dm_task_set_name(task, name))
		die("%s: no task", name);
	return task;
}

/* Return: what it took, ns. */
static uint64_t task_run(struct dm_task *task, const char *what)
{
	uint64_t begin = now(), end;

	if (!dm_task_run(task))
		die("%s: %s", what, strerror(dm_task_get_errno(task)));
	end = now();
	return end - begin;
}

static uint64_t simple(int type, const char *name, const char *what)
{
	struct dm_task *task = task_new(type, name);
	uint64_t ns = task_run(task, what);

	dm_task_destroy(task);
	return ns;
}

/* "START LENGTH TARGET PARAMETERS", one line. */
static uint64_t load(const char *name, const char *line)
{
	struct dm_task *task = task_new(DM_DEVICE_RELOAD, name);
	uint64_t start, length, ns;
	char target[16];
	int skip = 0;

	if (sscanf(line, "%" SCNu64 " %" SCNu64 " %15s %n", &start, &length,
		   target, &skip) < 3 || !skip)
		die("not a table line: %s", line);
	if (!dm_task_add_target(task, start, length, target, line + skip))
		die("%s: no target", name);
	ns = task_run(task, "load");
	dm_task_destroy(task);
	return ns;
}

static void create(const char *name, const char *line)
{
	uint64_t load_ns, resume_ns;

	/* Without a table that is the ioctl alone. */
	simple(DM_DEVICE_CREATE, name, "create");
	load_ns = load(name, line);
	resume_ns = simple(DM_DEVICE_RESUME, name, "resume");
	dm_task_update_nodes();
	printf("load_ns=%" PRIu64 " resume_ns=%" PRIu64 "\n", load_ns,
	       resume_ns);
}

static void exchange(const char *name, const char *line)
{
	uint64_t load_ns = load(name, line), begin = now();
	uint64_t suspend_ns = simple(DM_DEVICE_SUSPEND, name, "suspend");
	uint64_t resume_ns = simple(DM_DEVICE_RESUME, name, "resume");
	uint64_t end = now();

	dm_task_update_nodes();
	printf("load_ns=%" PRIu64 " suspend_ns=%" PRIu64 " resume_ns=%" PRIu64,
	       load_ns, suspend_ns, resume_ns);
	printf(" pause_ns=%" PRIu64 "\n", end - begin);
}

/* Return: the reply, to be freed, or NULL. */
static char *message(const char *name, const char *text)
{
	struct dm_task *task = task_new(DM_DEVICE_TARGET_MSG, name);
	const char *reply;
	char *copy = NULL;

	if (!dm_task_set_sector(task, 0) || !dm_task_set_message(task, text))
		die("%s: no message", name);
	task_run(task, text);
	reply = dm_task_get_message_response(task);
	if (reply && *reply)
		copy = strdup(reply);
	dm_task_destroy(task);
	return copy;
}

static uint32_t event_nr(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_INFO, name);
	struct dm_info info;

	task_run(task, "info");
	if (!dm_task_get_info(task, &info) || !info.exists)
		die("%s: no such device", name);
	dm_task_destroy(task);
	return info.event_nr;
}

static void wait_event(const char *name, uint32_t nr)
{
	struct dm_task *task = task_new(DM_DEVICE_WAITEVENT, name);

	if (!dm_task_set_event_nr(task, nr))
		die("%s: no event number", name);
	task_run(task, "wait");
	dm_task_destroy(task);
}

static uint64_t field(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	if (!at)
		die("no %s in: %s", key, line);
	return strtoull(at + strlen(key), NULL, 10);
}

/*
 * How many bytes have been brought up, and if there is more to come.
 *
 * dm-clone: <metadata block size> <used>/<total> <region size, sectors>
 * <hydrated>/<total regions> ...
 */
static uint64_t progress(const char *name, bool *running)
{
	struct dm_task *task = task_new(DM_DEVICE_STATUS, name);
	uint64_t start, length, region, hydrated, total, bytes = 0;
	char *target, *params, *jobs;

	*running = false;
	task_run(task, "status");
	dm_get_next_target(task, NULL, &start, &length, &target, &params);
	if (!target)
		die("%s: no target", name);
	if (!strcmp(target, "clone")) {
		if (sscanf(params, "%*u %*u/%*u %" SCNu64 " %" SCNu64 "/%" SCNu64,
			   &region, &hydrated, &total) != 3)
			die("%s: status %s", name, params);
		*running = hydrated != total;
		bytes = hydrated * region * SECTOR;
	} else {
		jobs = message(name, "jobs");
		*running = jobs;
		if (jobs)
			bytes = field(jobs, " copied=") + field(jobs, " zeroed=");
		free(jobs);
	}
	dm_task_destroy(task);
	return bytes;
}

static void stream(const char *name, char **words)
{
	char text[1024] = "stream", *jobs;
	uint64_t begin, end;
	uint32_t nr;

	while (*words) {
		if (strlen(text) + strlen(*words) + 2 > sizeof(text))
			die("too many words");
		strcat(strcat(text, " "), *words++);
	}
	begin = now();
	free(message(name, text));
	for (;;) {
		nr = event_nr(name);
		jobs = message(name, "jobs");
		if (!jobs)
			break;
		free(jobs);
		wait_event(name, nr);
	}
	end = now();
	printf("wait_ns=%" PRIu64 "\n", end - begin);
}

static void hydrate(const char *name)
{
	struct timespec pause = { .tv_nsec = POLL_NS };
	uint64_t begin = now();
	bool running;

	free(message(name, "enable_hydration"));
	for (progress(name, &running); running; progress(name, &running))
		nanosleep(&pause, NULL);
	printf("wait_ns=%" PRIu64 "\n", now() - begin);
}

static pid_t run(char **command)
{
	pid_t pid = vfork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid) {
		execvp(command[0], command);
		_exit(127);
	}
	return pid;
}

static void wait_for(pid_t pid, char **command)
{
	int status;

	if (waitpid(pid, &status, 0) < 0 || status)
		die("%s failed", command[0]);
}

static void beside(const char *name, char **command)
{
	uint64_t bytes, begin, end;
	bool running;

	bytes = progress(name, &running);
	if (!running)
		die("%s: nothing runs that could be beside", name);
	begin = now();
	wait_for(run(command), command);
	end = now();
	bytes = progress(name, &running) - bytes;
	printf("wait_ns=%" PRIu64 " bytes=%" PRIu64 " running=%d\n",
	       end - begin, bytes, running);
}

/* While the command starts and ends, nobody would use the device. */
static void during(const char *name, const char *from, const char *to,
		   char **command)
{
	useconds_t skip = atoi(from) * 1000, span = atoi(to) * 1000 - skip;
	uint64_t bytes, begin, end;
	pid_t pid = run(command);
	bool running;

	usleep(skip);
	bytes = progress(name, &running);
	begin = now();
	usleep(span);
	bytes = progress(name, &running) - bytes;
	end = now();
	if (waitpid(pid, NULL, WNOHANG))
		die("%s ended before %s ms were over", command[0], to);
	wait_for(pid, command);
	printf("wait_ns=%" PRIu64 " bytes=%" PRIu64 " running=%d\n",
	       end - begin, bytes, running);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	struct dm_task *task = dm_task_create(DM_DEVICE_VERSION);

	/* libdevmapper opens its device now, not while we measure. */
	if (!task || !dm_task_run(task))
		die("no device mapper");
	dm_task_destroy(task);

	if (!strcmp(verb, "create") && argc == 4)
		create(argv[2], argv[3]);
	else if (!strcmp(verb, "exchange") && argc == 4)
		exchange(argv[2], argv[3]);
	else if (!strcmp(verb, "stream"))
		stream(argv[2], argv + 3);
	else if (!strcmp(verb, "hydrate") && argc == 3)
		hydrate(argv[2]);
	else if (!strcmp(verb, "beside") && argc > 3)
		beside(argv[2], argv + 3);
	else if (!strcmp(verb, "during") && argc > 5)
		during(argv[2], argv[3], argv[4], argv + 5);
	else
		die("usage: chaindm create|exchange|stream|hydrate|beside|during NAME ...");
	return 0;
}
