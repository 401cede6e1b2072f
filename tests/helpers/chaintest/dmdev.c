// SPDX-License-Identifier: GPL-2.0
/* chaintest: dm devices. With udevd running every change waits for it. */
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ct.h"

#define UDEV_FLAGS	(DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | \
			 DM_UDEV_DISABLE_DISK_RULES_FLAG | \
			 DM_UDEV_DISABLE_OTHER_RULES_FLAG)

/* Refusals are looked at here, not printed. */
static void no_log(int level, const char *file, int line, int err,
		   const char *fmt, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)err;
	(void)fmt;
}

void dmd_init(void)
{
	dm_log_with_errno_init(no_log);
}

static struct dm_task *task_new(int type, const char *name)
{
	struct dm_task *task = dm_task_create(type);

	ct_check(task && (!name || dm_task_set_name(task, name)),
		 "libdevmapper: no task");
	return task;
}

static int task_run(struct dm_task *task)
{
	int err;

	if (dm_task_run(task))
		return 0;
	err = dm_task_get_errno(task);
	return err ? -err : -EIO;
}

static int task_run_udev(struct dm_task *task)
{
	uint32_t cookie = 0;
	int r;

	if (!dm_task_set_cookie(task, &cookie, UDEV_FLAGS))
		ct_fail("libdevmapper: no udev cookie");
	r = task_run(task);
	dm_udev_wait(cookie);
	return r;
}

static void add_segments(struct dm_task *task, const struct dm_seg *seg,
			 unsigned int nr)
{
	u64 start = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		ct_check(dm_task_add_target(task, start, seg[i].sectors,
					    seg[i].target, seg[i].params),
			 "libdevmapper: target");
		start += seg[i].sectors;
	}
}

static int simple(int type, const char *name, bool udev)
{
	struct dm_task *task = task_new(type, name);
	int r = udev ? task_run_udev(task) : task_run(task);

	dm_task_destroy(task);
	dm_task_update_nodes();
	return r;
}

int dmd_load(const char *name, const struct dm_seg *seg, unsigned int nr,
	     bool read_only)
{
	struct dm_task *task = task_new(DM_DEVICE_RELOAD, name);
	int r;

	add_segments(task, seg, nr);
	if (read_only)
		dm_task_set_ro(task);
	r = task_run(task);
	dm_task_destroy(task);
	return r;
}

/* Without segments: a device without a table. */
int dmd_try_create(const char *name, const struct dm_seg *seg, unsigned int nr,
		   bool read_only)
{
	struct dm_task *task = task_new(DM_DEVICE_CREATE, name);
	int r;

	/* Without a table: the create ioctl alone. */
	r = task_run(task);
	dm_task_destroy(task);
	if (r || !nr)
		return r;
	r = dmd_load(name, seg, nr, read_only);
	if (!r)
		r = dmd_resume(name);
	if (r)
		dmd_remove(name);
	return r;
}

void dmd_create(const char *name, const struct dm_seg *seg, unsigned int nr)
{
	int r = dmd_try_create(name, seg, nr, false);

	ct_check(!r, "create %s (%s %s): %s", name, seg->target, seg->params,
		 strerror(-r));
}

int dmd_suspend(const char *name, unsigned int flags)
{
	struct dm_task *task = task_new(DM_DEVICE_SUSPEND, name);
	int r;

	if (flags & DMD_NOFLUSH)
		dm_task_no_flush(task);
	if (flags & DMD_NOLOCKFS)
		dm_task_skip_lockfs(task);
	r = task_run(task);
	dm_task_destroy(task);
	return r;
}

int dmd_resume(const char *name)
{
	return simple(DM_DEVICE_RESUME, name, true);
}

int dmd_clear(const char *name)
{
	return simple(DM_DEVICE_CLEAR, name, false);
}

int dmd_remove(const char *name)
{
	return simple(DM_DEVICE_REMOVE, name, true);
}

/* Another table for a device in use; its I/O waits meanwhile. */
void dmd_swap(const char *name, const struct dm_seg *seg, unsigned int nr)
{
	int r = dmd_load(name, seg, nr, false);

	if (!r)
		r = dmd_suspend(name, DMD_NOFLUSH | DMD_NOLOCKFS);
	if (!r)
		r = dmd_resume(name);
	ct_check(!r, "new table for %s: %s", name, strerror(-r));
}

int dmd_message(const char *name, const char *message, char **reply)
{
	struct dm_task *task = task_new(DM_DEVICE_TARGET_MSG, name);
	const char *text;
	int r;

	ct_check(dm_task_set_sector(task, 0) &&
		 dm_task_set_message(task, message), "libdevmapper: message");
	r = task_run(task);
	if (reply) {
		text = r ? NULL : dm_task_get_message_response(task);
		*reply = ct_str("%s", text ? text : "");
	}
	dm_task_destroy(task);
	return r;
}

static char *params(int type, const char *name, bool noflush)
{
	struct dm_task *task = task_new(type, name);
	char *target, *text, *copy;
	uint64_t start, len;

	if (noflush)
		dm_task_no_flush(task);
	ct_check(!task_run(task), "status of %s", name);
	dm_get_next_target(task, NULL, &start, &len, &target, &text);
	copy = ct_str("%s", text ? text : "");
	dm_task_destroy(task);
	return copy;
}

char *dmd_status(const char *name)
{
	return params(DM_DEVICE_STATUS, name, true);
}

char *dmd_table(const char *name)
{
	return params(DM_DEVICE_TABLE, name, true);
}

static bool info(const char *name, struct dm_info *dmi)
{
	struct dm_task *task = task_new(DM_DEVICE_INFO, name);
	bool ok = !task_run(task) && dm_task_get_info(task, dmi) && dmi->exists;

	dm_task_destroy(task);
	return ok;
}

u32 dmd_events(const char *name)
{
	struct dm_info dmi;

	ct_check(info(name, &dmi), "no device %s", name);
	return dmi.event_nr;
}

char *dmd_devno(const char *name)
{
	struct dm_info dmi;

	ct_check(info(name, &dmi), "no device %s", name);
	return ct_str("%u:%u", dmi.major, dmi.minor);
}

/* Reads and writes that the device has taken and not answered. */
unsigned int dmd_in_flight(const char *name)
{
	char *devno = dmd_devno(name);
	char *path = ct_str("/sys/dev/block/%s/stat", devno);
	unsigned int n = 0;
	FILE *f = fopen(path, "r");

	ct_check(f && fscanf(f, "%*u %*u %*u %*u %*u %*u %*u %*u %u", &n) == 1,
		 "%s: %m", path);
	fclose(f);
	free(path);
	free(devno);
	return n;
}

/* Does the kernel have such a target? */
bool dmd_has_target(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_LIST_VERSIONS, NULL);
	struct dm_versions *v;
	bool found = false;
	u32 next = 0;

	ct_check(!task_run(task), "the list of targets");
	v = dm_task_get_versions(task);
	do {
		v = (void *)((char *)v + next);
		found = found || !strcmp(v->name, name);
		next = v->next;
	} while (next);
	dm_task_destroy(task);
	return found;
}

int dmd_open(const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	return open(path, flags | O_CLOEXEC);
}

/* A device whose table cannot be resumed: what waits for that fails instead. */
static void let_fail(const char *name)
{
	static const struct dm_seg error = { 1, "error", "" };

	if (!dmd_load(name, &error, 1, false))
		dmd_resume(name);
}

/*
 * What scenarios left behind: let everything go on that was held, and, unless
 * that is all, take it away. Devices on others go in a later pass than those.
 */
void dmd_cleanup_devices(bool only_release)
{
	struct dm_task *task;
	struct dm_names *names;
	struct dm_info dmi;
	bool left = true;
	u64 end = ct_now_ms() + 20000;
	u32 next;

	while (left && ct_now_ms() < end) {
		left = false;
		task = task_new(DM_DEVICE_LIST, NULL);
		if (task_run(task)) {
			dm_task_destroy(task);
			return;
		}
		names = dm_task_get_names(task);
		next = names->dev ? 0 : ~0U;
		while (next != ~0U) {
			names = (void *)((char *)names + next);
			next = names->next ? names->next : ~0U;
			if (strncmp(names->name, PREFIX, strlen(PREFIX)))
				continue;
			dmd_clear(names->name);
			if (info(names->name, &dmi) && dmi.suspended &&
			    dmd_resume(names->name))
				let_fail(names->name);
			if (!only_release && dmd_remove(names->name))
				left = true;
		}
		dm_task_destroy(task);
		if (left)
			ct_sleep_ms(10);
	}
}

/* Whether dmd_cleanup_devices() has not got them all. */
bool dmd_left_over(void)
{
	struct dm_task *task = task_new(DM_DEVICE_LIST, NULL);
	struct dm_names *names;
	bool left = false;
	u32 next;

	ct_check(!task_run(task), "the list of devices");
	names = dm_task_get_names(task);
	next = names->dev ? 0 : ~0U;
	while (next != ~0U) {
		names = (void *)((char *)names + next);
		next = names->next ? names->next : ~0U;
		left = left || !strncmp(names->name, PREFIX, strlen(PREFIX));
	}
	dm_task_destroy(task);
	return left;
}

/*
 * What has to wait while the scenario goes on is done by another process, because
 * libdevmapper is not for several threads. @what returns 0 or a negative errno.
 */
pid_t aside_start(int (*what)(struct chain *c), struct chain *c)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	ct_check(pid >= 0, "fork: %m");
	if (!pid)
		_exit(-what(c));
	return pid;
}

static bool sleeps_deeply(pid_t pid)
{
	char *path = ct_str("/proc/%d/stat", pid), *text, line[256] = "";
	FILE *f = fopen(path, "r");

	ct_check(f && fgets(line, sizeof(line), f), "%s: %m", path);
	fclose(f);
	free(path);
	text = strrchr(line, ')');
	return text && !strncmp(text, ") D", 3);
}

/* Wait until it waits in the kernel, and not only for a moment. */
void aside_hangs(pid_t pid)
{
	bool before = false, now = false;

	while (!(before && now)) {
		ct_check(!aside_ended(pid), "it does not wait for anything");
		before = now;
		ct_sleep_ms(CT_MUST_NOT_MS);
		now = sleeps_deeply(pid);
	}
}

/* It stays to be waited for. */
bool aside_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	ct_check(!waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT),
		 "waitid: %m");
	return info.si_pid;
}

/* Return: what it returned. */
int aside_end(pid_t pid)
{
	int status;

	ct_check(waitpid(pid, &status, 0) == pid, "waitpid: %m");
	ct_check(WIFEXITED(status), "it died: status %#x", status);
	return -WEXITSTATUS(status);
}
