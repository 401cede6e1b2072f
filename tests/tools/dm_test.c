// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: what is left of a device when device mapper fails in the middle, with
 * device mapper played in place of libdevmapper.
 */
#include "tools_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libdevmapper.h>
#include <linux/kernel.h>

#include "dm.h"

#define OLD	"2 A 7:1 - E 7:2 7:2"
#define NEW	"3 A 7:1 - E 7:2 7:2 S 7:3 7:3"
#define OTHER	"3 A 7:1 - E 7:2 7:2 T 7:4 7:4"
#define LEFT(first, second) \
	"vm is left SUSPENDED, and \"dmsetup resume vm\" tries again: " first \
	"; its old table does not resume: " second

struct dm_task {
	int type;
	const char *params;
	uint64_t sectors;
	bool read_only;
	bool inactive;
	bool cookie;
};

struct table {
	const char *params;
	uint64_t sectors;
	bool read_only;
};

/**
 * struct fault - a task that fails
 * @type: DM_DEVICE_*, 0: none
 * @nth: which of that type
 * @err: of the ioctl
 * @swapped: a resume, only when the new table has taken the old one's place
 */
struct fault {
	int type;
	unsigned int nth;
	int err;
	bool swapped;
};

/* The one device that there is, and what is to happen to it. */
static struct {
	bool exists;
	bool suspended;
	struct table live;
	struct table loaded;
	struct fault fault[3];
	unsigned int run[DM_DEVICE_ARM_POLL + 1];
	const char *meanwhile;	/* becomes live before the suspend */
	bool signal;		/* one comes when a table was loaded */
	bool no_cookie;
	unsigned int waiting;	/* cookies that nothing has completed */
	int err;
} device;

struct dm_task *dm_task_create(int type)
{
	struct dm_task *task = calloc(1, sizeof(*task));

	task->type = type;
	return task;
}

void dm_task_destroy(struct dm_task *task)
{
	free(task);
}

static const struct fault *fault_of(int type)
{
	unsigned int i, n = ++device.run[type];

	for (i = 0; i < ARRAY_SIZE(device.fault); i++)
		if (device.fault[i].type == type && device.fault[i].nth == n)
			return &device.fault[i];
	return NULL;
}

/* Whatever becomes of it, what was loaded is loaded no longer. */
static void resume(const struct fault *fault)
{
	if (device.loaded.params && (!fault || fault->swapped))
		device.live = device.loaded;
	device.loaded = (struct table){ };
	device.suspended = fault;
}

static void run(struct dm_task *task)
{
	switch (task->type) {
	case DM_DEVICE_CREATE:
		device.exists = true;
		break;
	case DM_DEVICE_REMOVE:
		device.exists = false;
		break;
	case DM_DEVICE_RELOAD:
		device.loaded = (struct table){ task->params, task->sectors, task->read_only };
		if (device.signal)
			raise(SIGTERM);
		break;
	case DM_DEVICE_CLEAR:
		device.loaded = (struct table){ };
		break;
	case DM_DEVICE_SUSPEND:
		device.suspended = true;
		if (device.meanwhile)
			device.live.params = device.meanwhile;
		break;
	case DM_DEVICE_RESUME:
		resume(NULL);
		break;
	}
}

int dm_task_run(struct dm_task *task)
{
	const struct fault *fault = fault_of(task->type);

	/* By udev, or by the library if it fails */
	device.waiting -= task->cookie;
	if (!fault) {
		run(task);
		return 1;
	}
	if (task->type == DM_DEVICE_RESUME)
		resume(fault);
	device.err = fault->err;
	return 0;
}

int dm_task_get_errno(struct dm_task *task)
{
	return device.err;
}

int dm_task_get_info(struct dm_task *task, struct dm_info *info)
{
	memset(info, 0, sizeof(*info));
	info->exists = device.exists;
	info->suspended = device.suspended;
	info->inactive_table = !!device.loaded.params;
	return 1;
}

void *dm_get_next_target(struct dm_task *task, void *next, uint64_t *start,
			 uint64_t *length, char **type, char **params)
{
	const struct table *table = task->inactive ? &device.loaded : &device.live;

	*start = 0;
	*length = table->sectors;
	*type = table->params ? (char *)TARGET_NAME : NULL;
	*params = (char *)table->params;
	return NULL;
}

int dm_task_add_target(struct dm_task *task, uint64_t start, uint64_t sectors,
		       const char *type, const char *params)
{
	task->sectors = sectors;
	task->params = params;
	return 1;
}

int dm_task_set_ro(struct dm_task *task)
{
	return task->read_only = true;
}

int dm_task_query_inactive_table(struct dm_task *task)
{
	return task->inactive = true;
}

int dm_task_set_cookie(struct dm_task *task, uint32_t *cookie, uint16_t flags)
{
	if (device.no_cookie)
		return 0;
	device.waiting++;
	task->cookie = true;
	*cookie = 1;
	return 1;
}

int dm_udev_complete(uint32_t cookie)
{
	device.waiting -= !!cookie;
	return 1;
}

/* Else it would wait for ever. */
int dm_udev_wait(uint32_t cookie)
{
	assert_int_equal(device.waiting, 0);
	return 1;
}

const char *dm_task_get_uuid(const struct dm_task *task)
{
	return "CHAIN-x";
}

int dm_task_set_name(struct dm_task *task, const char *name)
{
	return 1;
}

int dm_task_set_uuid(struct dm_task *task, const char *uuid)
{
	return 1;
}

int dm_task_no_flush(struct dm_task *task)
{
	return 1;
}

int dm_task_no_open_count(struct dm_task *task)
{
	return 1;
}

int dm_task_skip_lockfs(struct dm_task *task)
{
	return 1;
}

int dm_task_retry_remove(struct dm_task *task)
{
	return 1;
}

void dm_task_update_nodes(void)
{
}

static volatile sig_atomic_t taken;

static void take(int number)
{
	taken++;
}

/* Signals are taken again: one that waited has been, if there was one. */
static void assert_released(bool signal)
{
	sigset_t blocked;

	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &blocked), 0);
	assert_false(sigismember(&blocked, SIGTERM));
	assert_int_equal(taken, signal);
	taken = 0;
}

static const struct {
	const char *what;
	struct fault fault[3];
	const char *meanwhile;
	bool signal, no_cookie;
	int ret;
	const char *why, *live;
	bool suspended;
} replacements[] = {
	{ "nothing", .why = "", .live = NEW },
	{ "load", .fault = { { DM_DEVICE_RELOAD, 1, EINVAL, false } },
	  .ret = -EINVAL, .why = "Invalid argument", .live = OLD },
	{ "load, without a number", .fault = { { DM_DEVICE_RELOAD, 1, 0, false } },
	  .ret = -EIO, .why = "device mapper: ", .live = OLD },
	{ "suspend", .fault = { { DM_DEVICE_SUSPEND, 1, ENXIO, false } },
	  .ret = -ENXIO, .why = "No such device or address", .live = OLD },
	{ "resume, of a new table that does not take the old one's place",
	  .fault = { { DM_DEVICE_RESUME, 1, EINVAL, false } },
	  .ret = -EINVAL, .why = "Invalid argument", .live = OLD },
	{ "resume, of a new table that does", .fault = { { DM_DEVICE_RESUME, 1, ESTALE, true } },
	  .ret = -ESTALE, .why = "Stale file handle", .live = OLD },
	{ "resume, and the old table's load",
	  .fault = { { DM_DEVICE_RESUME, 1, ESTALE, true },
		     { DM_DEVICE_RELOAD, 2, ENODEV, false } },
	  .ret = -ENOTRECOVERABLE, .live = NEW, .suspended = true,
	  .why = LEFT("Stale file handle", "No such device") },
	{ "resume, and the old table's resume",
	  .fault = { { DM_DEVICE_RESUME, 1, ESTALE, true },
		     { DM_DEVICE_RESUME, 2, EIO, true } },
	  .ret = -ENOTRECOVERABLE, .live = OLD, .suspended = true,
	  .why = LEFT("Stale file handle", "Input/output error") },
	{ "nothing, but somebody else changes it", .meanwhile = OTHER,
	  .ret = -EAGAIN, .why = "vm was changed by somebody else meanwhile", .live = OTHER },
	{ "resume of what somebody else has changed",
	  .fault = { { DM_DEVICE_RESUME, 1, EIO, false } },
	  .meanwhile = OTHER,
	  .ret = -ENOTRECOVERABLE, .live = OTHER, .suspended = true,
	  .why = LEFT("vm was changed by somebody else meanwhile: try again",
		      "Input/output error") },
	{ "udev's cookie", .no_cookie = true,
	  .ret = -EIO, .why = "device mapper: ", .live = OLD },
	{ "nothing, but a signal comes", .signal = true,
	  .ret = -EINTR, .why = "Terminated", .live = OLD },
};

static void test_replace(void **state)
{
	static const struct live live = { .name = "vm", .sectors = 8, .table = OLD };
	struct live now = live;
	struct dm_chain_why why;
	unsigned int i;
	int ret;

	for (i = 0; i < 2 * ARRAY_SIZE(replacements); i++) {
		const typeof(*replacements) *row = &replacements[i / 2];

		memset(&device, 0, sizeof(device));
		memcpy(device.fault, row->fault, sizeof(device.fault));
		device.exists = true;
		device.meanwhile = row->meanwhile;
		device.signal = row->signal;
		device.no_cookie = row->no_cookie;
		now.read_only = i % 2;
		device.live = (struct table){ OLD, live.sectors, now.read_only };
		why.text[0] = 0;

		ret = live_replace(&now, 16, NEW, false, &why);
		if (ret != row->ret || !strstr(why.text, row->why))
			fail_msg("%s fails: %d, %s", row->what, ret, why.text);
		if (strcmp(device.live.params, row->live) || device.loaded.params ||
		    device.suspended != row->suspended)
			fail_msg("%s fails: live: %s, loaded: %s, suspended: %d", row->what,
				 device.live.params, device.loaded.params, device.suspended);
		assert_int_equal(device.live.sectors, strcmp(row->live, NEW) ? 8 : 16);
		assert_int_equal(device.live.read_only, now.read_only);
		assert_int_equal(device.waiting, 0);
		assert_released(row->signal);
	}
}

static const struct {
	const char *what;
	struct fault fault[3];
	bool signal, no_cookie;
	int ret;
} creations[] = {
	{ .what = "nothing" },
	{ "create", .fault = { { DM_DEVICE_CREATE, 1, EBUSY, false } }, .ret = -EBUSY },
	{ "load", .fault = { { DM_DEVICE_RELOAD, 1, EINVAL, false } }, .ret = -EINVAL },
	{ "resume", .fault = { { DM_DEVICE_RESUME, 1, ESTALE, true } }, .ret = -ESTALE },
	{ "udev's cookie", .no_cookie = true, .ret = -EIO },
	{ "nothing, but a signal comes", .signal = true, .ret = -EINTR },
};

static void test_create(void **state)
{
	struct dm_chain_why why;
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(creations); i++) {
		const typeof(*creations) *row = &creations[i];

		memset(&device, 0, sizeof(device));
		memcpy(device.fault, row->fault, sizeof(device.fault));
		device.signal = row->signal;
		device.no_cookie = row->no_cookie;
		ret = live_create("vm", "CHAIN-x", 8, NEW, false, &why);
		if (ret != row->ret || device.exists != !ret)
			fail_msg("%s fails: %d, %s device", row->what, ret,
				 device.exists ? "a" : "no");
		assert_int_equal(device.waiting, 0);
		assert_released(row->signal);
	}
}

static int set_up(void **state)
{
	signal(SIGTERM, take);
	return 0;
}

static int tear_down(void **state)
{
	signal(SIGTERM, SIG_DFL);
	return 0;
}

const struct CMUnitTest dm_tests[] = {
	cmocka_unit_test_setup_teardown(test_replace, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_create, set_up, tear_down),
};

const unsigned int nr_dm_tests = ARRAY_SIZE(dm_tests);
