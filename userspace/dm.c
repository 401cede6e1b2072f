// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: live chain devices, on libdevmapper.
 */
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <limits.h>
#include <linux/dm-ioctl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hold-signals.h"
#include "kernel-log.h"
#include "live.h"

/* The first error that libdevmapper reported since the last task was made. */
static char library_error[256];

static void library_log(int level, const char *file, int line, int code,
			const char *fmt, ...)
{
	va_list args;

	/* The level is in the low bits; 3 is an error, as in syslog(3). */
	if ((level & 7) > 3 || library_error[0])
		return;
	va_start(args, fmt);
	vsnprintf(library_error, sizeof(library_error), fmt, args);
	va_end(args);
}

static struct dm_task *task_new(int type, const char *name)
{
	struct dm_task *task;

	dm_log_with_errno_init(library_log);
	library_error[0] = 0;
	task = dm_task_create(type);
	if (!task || (name && !dm_task_set_name(task, name))) {
		complain("libdevmapper: %s", library_error[0] ? library_error :
			 "out of memory");
		exit(1);
	}
	return task;
}

/* Run a task. Return: 0 or a negative errno with the library's words. */
static int task_run(struct dm_task *task, struct dm_chain_why *why)
{
	int err;

	if (dm_task_run(task))
		return 0;
	err = dm_task_get_errno(task);
	if (!err)
		return dm_chain_refuse(why, -EIO, "device mapper: %s",
				       library_error);
	return dm_chain_refuse(why, -err, "%s", strerror(err));
}

/* By which dm_udev_wait() waits for what udev does about the task. */
static int task_cookie(struct dm_task *task, u32 *cookie,
		       struct dm_chain_why *why)
{
	if (dm_task_set_cookie(task, cookie, 0))
		return 0;
	return dm_chain_refuse(why, -EIO, "device mapper: %s", library_error);
}

static int device_info(const char *name, struct dm_info *info,
		       struct dm_chain_why *why)
{
	struct dm_task *task = task_new(DM_DEVICE_INFO, name);
	int ret = task_run(task, why);

	if (!ret && !dm_task_get_info(task, info))
		ret = dm_chain_refuse(why, -EIO, "device mapper: %s",
				      library_error);
	dm_task_destroy(task);
	return ret;
}

int live_exists(const char *name, struct dm_chain_why *why)
{
	struct dm_info info;
	int ret = device_info(name, &info, why);

	return ret ?: info.exists;
}

/**
 * target_query() - table or status of a device's only target
 * @type: DM_DEVICE_TABLE or DM_DEVICE_STATUS
 * @inactive: of the table that is not live
 * @params: gets a copy; NULL if there is no table at all
 * @sectors: gets the length, may be NULL
 */
static int target_query(const char *name, int type, bool inactive,
			char **params, u64 *sectors, struct dm_info *info,
			char **uuid, struct dm_chain_why *why)
{
	struct dm_task *task = task_new(type, name);
	char *target = NULL, *text = NULL;
	uint64_t start, length;
	void *next;
	int ret;

	*params = NULL;
	dm_task_no_flush(task);
	dm_task_no_open_count(task);
	if (inactive)
		dm_task_query_inactive_table(task);
	ret = task_run(task, why);
	if (ret || !dm_task_get_info(task, info)) {
		if (!ret || ret == -ENXIO)
			ret = dm_chain_refuse(why, -ENODEV,
					      "there is no device %s: \"chainsetup list\" shows all chains",
					      name);
		goto out;
	}
	if (!info->exists) {
		ret = dm_chain_refuse(why, -ENODEV,
				      "there is no device %s: \"chainsetup list\" shows all chains",
				      name);
		goto out;
	}

	next = dm_get_next_target(task, NULL, &start, &length, &target, &text);
	if (!target)
		goto out;
	if (next || strcmp(target, TARGET_NAME)) {
		ret = dm_chain_refuse(why, -EINVAL,
				      "%s is not a chain device: \"chainsetup list\" shows all chains",
				      name);
		goto out;
	}
	*params = xstrdup(text);
	if (sectors)
		*sectors = length;
	if (uuid)
		*uuid = xstrdup(dm_task_get_uuid(task) ?: "");
out:
	dm_task_destroy(task);
	return ret;
}

int live_open(struct live *live, const char *name, struct dm_chain_why *why)
{
	struct dm_info info;
	int ret;

	memset(live, 0, sizeof(*live));
	ret = target_query(name, DM_DEVICE_TABLE, false, &live->table,
			   &live->sectors, &info, &live->uuid, why);
	if (ret)
		return ret;
	if (!live->table)
		return dm_chain_refuse(why, -EINVAL,
				       "%s has no live table: \"dmsetup resume\" makes a loaded one live, \"dmsetup remove\" removes it",
				       name);
	live->name = xstrdup(name);
	live->major = info.major;
	live->minor = info.minor;
	live->read_only = info.read_only;
	live->suspended = info.suspended;
	live->inactive = info.inactive_table;
	return 0;
}

void live_close(struct live *live)
{
	free(live->name);
	free(live->uuid);
	free(live->table);
	if (live->locked)
		close(live->lock);
	memset(live, 0, sizeof(*live));
}

int live_status(const char *name, char **params, struct dm_chain_why *why)
{
	struct dm_info info;
	int ret;

	ret = target_query(name, DM_DEVICE_STATUS, false, params, NULL, &info,
			   NULL, why);
	if (!ret && !*params)
		ret = dm_chain_refuse(why, -EINVAL,
				      "%s has no live table: \"dmsetup resume\" makes a loaded one live, \"dmsetup remove\" removes it",
				      name);
	return ret;
}

int target_of(const char *devno, bool status, char **type, char **params)
{
	struct dm_task *task;
	unsigned int major, minor;
	char *target = NULL, *text = NULL;
	uint64_t start, length;
	struct dm_info info;
	int ret = -ENODEV;

	if (sscanf(devno, "%u:%u", &major, &minor) != 2)
		return ret;
	task = task_new(status ? DM_DEVICE_STATUS : DM_DEVICE_TABLE, NULL);
	dm_task_set_major(task, major);
	dm_task_set_minor(task, minor);
	dm_task_no_open_count(task);
	if (!task_run(task, NULL) && dm_task_get_info(task, &info) &&
	    info.exists) {
		ret = -EINVAL;
		if (!dm_get_next_target(task, NULL, &start, &length, &target,
					&text) && target) {
			*type = xstrdup(target);
			*params = xstrdup(text ?: "");
			ret = 0;
		}
	}
	dm_task_destroy(task);
	return ret;
}

int live_inactive_table(const char *name, char **params,
			struct dm_chain_why *why)
{
	struct dm_info info;
	int ret;

	ret = target_query(name, DM_DEVICE_TABLE, true, params, NULL, &info,
			   NULL, why);
	if (!ret && !*params)
		ret = dm_chain_refuse(why, -ENODATA, "%s has no table loaded",
				      name);
	return ret;
}

bool live_possible(void)
{
	return !access("/sys/class/misc/device-mapper", F_OK);
}

int live_list(struct live_names *names, struct dm_chain_why *why)
{
	struct dm_task *task = task_new(DM_DEVICE_LIST, NULL);
	struct dm_names *entry;
	u32 next = 0;
	int ret;

	memset(names, 0, sizeof(*names));
	ret = task_run(task, why);
	if (ret)
		goto out;
	entry = dm_task_get_names(task);
	if (!entry || !entry->dev)
		goto out;
	do {
		struct live live;

		entry = (struct dm_names *)((char *)entry + next);
		next = entry->next;
		if (!live_open(&live, entry->name, NULL)) {
			names->name = realloc(names->name, (names->nr + 1) *
					      sizeof(*names->name));
			if (!names->name) {
				complain("out of memory");
				exit(1);
			}
			names->name[names->nr++] = xstrdup(entry->name);
		}
		live_close(&live);
	} while (next);
out:
	dm_task_destroy(task);
	return ret;
}

void live_list_free(struct live_names *names)
{
	while (names->nr)
		free(names->name[--names->nr]);
	free(names->name);
	names->name = NULL;
}

int live_for_each(int (*fn)(void *data, const char *name, struct dm_chain_why *why),
		  void *data, struct dm_chain_why *why)
{
	struct live_names names;
	unsigned int i;
	int ret;

	ret = live_list(&names, why);
	for (i = 0; !ret && i < names.nr; i++) {
		ret = fn(data, names.name[i], why);
		if (ret == -ENODEV)
			ret = 0;
	}
	live_list_free(&names);
	return ret;
}

static int send_message(const char *name, const char *message, char **reply,
			struct dm_chain_why *why)
{
	struct dm_task *task = task_new(DM_DEVICE_TARGET_MSG, name);
	const char *answer;
	int ret;

	if (reply)
		*reply = NULL;
	if (!dm_task_set_sector(task, 0) || !dm_task_set_message(task, message))
		ret = dm_chain_refuse(why, -ENOMEM, "device mapper: %s",
				      library_error);
	else
		ret = task_run(task, why);
	if (!ret && reply) {
		answer = dm_task_get_message_response(task);
		*reply = xstrdup(answer ?: "");
	}
	dm_task_destroy(task);
	return ret;
}

/* "stream", and "job" but for its failed ranges: what "error" remembers. */
static bool is_change(const char *message)
{
	static const char failed[] = " failed";
	size_t n = strlen(message);

	if (!strncmp(message, "job ", 4))
		return n < strlen(failed) ||
		       strcmp(message + n - strlen(failed), failed);
	return !strncmp(message, "stream", 6);
}

/* Why a query was refused: "<device>: message refused: <why>: error <errno>" */
static void query_reason(int log, struct dm_chain_why *why)
{
	static const char mark[] = "message refused: ";
	struct dm_chain_why line = { "" };
	char *text, *end, *next;

	kernel_log_reason(log, &line);
	text = strstr(line.text, mark);
	if (!text)
		return;
	text += strlen(mark);
	end = strstr(text, ": error ");
	while (end && (next = strstr(end + 1, ": error ")))
		end = next;
	if (end)
		*end = 0;
	dm_chain_refuse(why, 0, "%s", text);
}

int live_message(const char *name, const char *message, char **reply,
		 struct dm_chain_why *why)
{
	struct live live;
	int ret, log;
	char *text;

	/* Another target may understand the same words otherwise. */
	ret = live_open(&live, name, why);
	live_close(&live);
	if (ret)
		return ret;
	log = kernel_log_mark();
	ret = send_message(name, message, reply, why);
	if (ret && !is_change(message)) {
		query_reason(log, why);
		return ret;
	}
	kernel_log_forget(log);
	if (!ret || send_message(name, "error", &text, NULL))
		return ret;
	text[strcspn(text, "\n")] = 0;
	if (text[0])
		dm_chain_refuse(why, ret, "%s", text);
	free(text);
	return ret;
}

static int table_load(const char *name, u64 sectors, const char *table,
		      bool read_only, struct dm_chain_why *why)
{
	struct dm_task *task = task_new(DM_DEVICE_RELOAD, name);
	int log = kernel_log_mark();
	int ret;

	if (!dm_task_add_target(task, 0, sectors, TARGET_NAME, table) ||
	    (read_only && !dm_task_set_ro(task)))
		ret = dm_chain_refuse(why, -ENOMEM, "device mapper: %s",
				      library_error);
	else
		ret = task_run(task, why);
	if (ret && why)
		kernel_log_reason(log, why);
	else
		kernel_log_forget(log);
	dm_task_destroy(task);
	return ret;
}

static void table_clear(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_CLEAR, name);

	task_run(task, NULL);
	dm_task_destroy(task);
}

int live_remove(const char *name, bool *later, struct dm_chain_why *why)
{
	struct dm_task *task = task_new(DM_DEVICE_REMOVE, name);
	struct dm_info info;
	u32 cookie = 0;
	int ret;

	if (later)
		dm_task_deferred_remove(task);
	else
		dm_task_retry_remove(task);
	/* Without one it goes nevertheless, and nobody waits for udev. */
	task_cookie(task, &cookie, NULL);
	ret = task_run(task, why);
	dm_udev_wait(cookie);
	dm_task_update_nodes();
	if (!ret && later)
		*later = dm_task_get_info(task, &info) && info.exists &&
			 info.deferred_remove;
	dm_task_destroy(task);
	return ret;
}

/* Load a table and let it run. @cookie: of the resume, to wait for */
static int table_start(const char *name, u64 sectors, const char *table,
		       bool read_only, const sigset_t *old, u32 *cookie,
		       struct dm_chain_why *why)
{
	struct dm_task *task;
	int log, ret;

	ret = table_load(name, sectors, table, read_only, why);
	if (!ret)
		ret = held_signals(old, why);
	if (ret)
		return ret;
	log = kernel_log_mark();
	task = task_new(DM_DEVICE_RESUME, name);
	ret = task_cookie(task, cookie, why);
	if (!ret)
		ret = task_run(task, why);
	dm_task_destroy(task);
	if (ret)
		kernel_log_reason(log, why);
	else
		kernel_log_forget(log);
	return ret;
}

int live_create(const char *name, const char *uuid, u64 sectors,
		const char *table, bool read_only, struct dm_chain_why *why)
{
	struct dm_task *task = task_new(DM_DEVICE_CREATE, name);
	sigset_t old;
	u32 cookie = 0;
	int ret;

	/* Nobody could do anything with a device that has no table. */
	hold_signals(&old);
	if (!dm_task_set_uuid(task, uuid))
		ret = dm_chain_refuse(why, -EINVAL, "device mapper: %s",
				      library_error);
	else
		ret = task_run(task, why);
	dm_task_destroy(task);
	if (!ret) {
		ret = table_start(name, sectors, table, read_only, &old,
				  &cookie, why);
		if (ret)
			live_remove(name, NULL, NULL);
	}
	release_signals(&old);
	dm_udev_wait(cookie);
	dm_task_update_nodes();
	return ret;
}

/* Give a suspended device its old table back and let it run. */
static int table_restore(const struct live *live, struct dm_chain_why *why)
{
	struct dm_task *task;
	int ret;

	ret = table_load(live->name, live->sectors, live->table,
			 live->read_only, why);
	if (ret)
		return ret;
	task = task_new(DM_DEVICE_RESUME, live->name);
	ret = task_run(task, why);
	dm_task_destroy(task);
	return ret;
}

int live_replace(const struct live *live, u64 sectors, const char *table,
		 bool freeze, struct dm_chain_why *why)
{
	struct dm_task *suspend, *resume;
	struct dm_chain_why restore_why;
	int ret, restore_ret = 0, log;
	sigset_t old;
	u32 cookie = 0;

	/* A table that is loaded, but not live, keeps others from loading theirs. */
	hold_signals(&old);
	ret = table_load(live->name, sectors, table, live->read_only, why);
	resume = task_new(DM_DEVICE_RESUME, live->name);
	if (!ret) {
		ret = held_signals(&old, why);
		if (!ret)
			ret = task_cookie(resume, &cookie, why);
		if (ret)
			table_clear(live->name);
	}
	if (ret) {
		dm_task_destroy(resume);
		release_signals(&old);
		return ret;
	}

	suspend = task_new(DM_DEVICE_SUSPEND, live->name);
	if (!freeze)
		dm_task_skip_lockfs(suspend);
	log = kernel_log_mark();

	/* This program or what it needs may lie on the device. */
	mlockall(MCL_CURRENT | MCL_FUTURE);

	ret = task_run(suspend, why);
	if (ret) {
		table_clear(live->name);
		/* Nobody else will: there is no event to wait for. */
		dm_udev_complete(cookie);
	} else {
		ret = live_unchanged(live, table, why);
		if (ret) {
			table_clear(live->name);
			restore_ret = task_run(resume, &restore_why);
		} else {
			ret = task_run(resume, why);
			if (ret)
				restore_ret = table_restore(live, &restore_why);
		}
	}

	munlockall();
	release_signals(&old);

	if (ret && ret != -EAGAIN)
		kernel_log_reason(log, why);
	else
		kernel_log_forget(log);
	dm_udev_wait(cookie);
	dm_task_update_nodes();
	dm_task_destroy(suspend);
	dm_task_destroy(resume);
	if (restore_ret) {
		struct dm_chain_why first = *why;

		ret = dm_chain_refuse(why, -ENOTRECOVERABLE,
				      "%s is left SUSPENDED, and \"dmsetup resume %s\" tries again: %.120s; its old table does not resume: %.120s",
				      live->name, live->name, first.text,
				      restore_why.text);
	}
	return ret;
}

static void load_module(void)
{
	static char *const argv[] = { "modprobe", "-q", "dm-chain", NULL };
	static char *const envp[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL
	};
	pid_t pid;

	if (!posix_spawnp(&pid, argv[0], NULL, NULL, argv, envp))
		waitpid(pid, NULL, 0);
}

int target_available(struct dm_chain_why *why)
{
	static const char dm_mod[] = "/sys/module/dm_mod";
	struct dm_task *task;
	int ret;

	if (geteuid())
		return dm_chain_refuse(why, -EPERM,
				       "only root can use device mapper: become root");
	/* libdevmapper remembers it if there was no device mapper once. */
	if (access(dm_mod, F_OK))
		load_module();
	if (access(dm_mod, F_OK))
		return dm_chain_refuse(why, -ENODEV,
				       "there is no device mapper: neither dm-mod nor dm-chain can be loaded: install the module, or a kernel with them");

	/* The question alone makes the kernel load dm-chain. */
	task = task_new(DM_DEVICE_GET_TARGET_VERSION, TARGET_NAME);
	ret = task_run(task, NULL);
	dm_task_destroy(task);
	if (ret)
		return dm_chain_refuse(why, -ENODEV,
				       "the kernel has no target \"%s\": is the module dm-chain installed for it?",
				       TARGET_NAME);
	return 0;
}

int events_open(struct dm_chain_why *why)
{
	char *path = xasprintf("%s/control", dm_dir());
	int fd;

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fd = dm_chain_refuse(why, -errno, "%s: %s", path,
				     strerror(errno));
	free(path);
	return fd;
}

/* libdevmapper can arm only a file of its own, which it does not hand out. */
int events_arm(int fd, struct dm_chain_why *why)
{
	struct dm_ioctl arg = {
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = sizeof(arg),
	};

	if (ioctl(fd, DM_DEV_ARM_POLL, &arg))
		return dm_chain_refuse(why, -errno, "device mapper events: %s",
				       strerror(errno));
	return 0;
}

char *devno_path(const char *devno)
{
	unsigned int major, minor;
	char name[PATH_MAX], *c;

	if (sscanf(devno, "%u:%u", &major, &minor) != 2 ||
	    !dm_device_get_name(major, minor, 0, name, sizeof(name)))
		return xstrdup(devno);
	if (dm_is_dm_major(major))
		return xasprintf("%s/%s", dm_dir(), name);
	for (c = name; *c; c++)
		if (*c == '!')
			*c = '/';
	return xasprintf("/dev/%s", name);
}
