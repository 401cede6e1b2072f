// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: may anybody be writing to a device right now? Did anybody meanwhile?
 */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chainsetup.h"
#include "dm.h"
#include "holders.h"
#include "dm-chain-parse.h"

#define MAX_WORDS	(3 * DM_CHAIN_MAX_LAYERS + 16)
#define SETTLE		10	/* seconds */

/* Does a chain's table line leave the content of @number alone? */
static bool line_only_reads(char *params, const char *number)
{
	const struct dm_chain_line_layer *active;
	char *argv[MAX_WORDS], *word, *rest;
	struct dm_chain_line line;
	unsigned int argc = 0;

	for (word = strtok_r(params, " ", &rest); word && argc < MAX_WORDS;
	     word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	if (dm_chain_parse_line(argc, argv, &line, NULL))
		return false;
	if (line.read_only)
		return true;
	active = &line.layer[line.nr_layers - 1];
	return strcmp(active->data, number) && strcmp(active->meta, number);
}

/*
 * A job into a layer below the active one does not change what it shows. A
 * table that waits for its turn may.
 */
static bool holder_only_reads(const char *holder, const char *number)
{
	char name[256];
	struct live live;
	bool ok;

	if (!holder_dm_name(holder, name, sizeof(name)) ||
	    live_open(&live, name, NULL))
		return false;
	ok = !live.inactive && line_only_reads(live.table, number);
	live_close(&live);
	return ok;
}

bool device_may_change(const struct device *dev)
{
	char path[64], number[32];
	struct holders holders;
	const char *holder;
	struct device own;
	unsigned int nr = 0;
	bool change = false;

	if (!device_open(&own, dev->path, DEVICE_EXCL, NULL)) {
		device_close(&own);
		return false;
	}
	if (!device_is_block(dev))
		return true;
	snprintf(path, sizeof(path), "/sys/dev/block/%s",
		 device_number(dev, number));
	holders_open(&holders, path);
	while (!change && (holder = holders_next(&holders))) {
		nr++;
		change = !holder_only_reads(holder, number);
	}
	holders_close(&holders);
	return change || !nr;
}

/*
 * What the kernel counts of a block device: sectors that were written and discarded. A
 * flush counts as a write of none. @busy: some are on their way, flushes maybe.
 */
static bool block_mark(const struct device *dev, struct device_mark *mark, bool *busy)
{
	char path[64], number[32], line[512];
	u64 writes;

	device_number(dev, number);
	snprintf(path, sizeof(path), "/sys/dev/block/%s/stat", number);
	if (!read_line(path, line, sizeof(line)) ||
	    sscanf(line, "%*u %*u %*u %*u %*u %*u %llu %*u %*u %*u %*u %*u %*u %llu",
		   &mark->written, &mark->discarded) != 2)
		return false;
	snprintf(path, sizeof(path), "/sys/dev/block/%s/inflight", number);
	if (!read_line(path, line, sizeof(line)) ||
	    sscanf(line, "%*u %llu", &writes) != 1)
		return false;
	*busy = writes;
	return !ioctl(dev->fd, BLKGETSIZE64, &mark->size);
}

static bool file_mark(const struct device *dev, struct device_mark *mark)
{
	struct stat st;

	if (fstat(dev->fd, &st))
		return false;
	mark->size = st.st_size;
	mark->modified = st.st_mtim.tv_sec;
	mark->nanoseconds = st.st_mtim.tv_nsec;
	return true;
}

static bool take_mark(const struct device *dev, struct device_mark *mark, bool *busy)
{
	*mark = (struct device_mark) { };
	*busy = false;
	return device_is_block(dev) ? block_mark(dev, mark, busy) : file_mark(dev, mark);
}

int device_mark(const struct device *dev, struct device_mark *mark,
		struct dm_chain_why *why)
{
	bool busy;

	/* What somebody wrote before is written now, not when it is read. */
	if (fsync(dev->fd) && errno != EROFS && errno != EINVAL)
		return dm_chain_refuse(why, -errno, "%s: cannot flush: %s",
				       dev->path, strerror(errno));
	if (take_mark(dev, mark, &busy))
		return 0;
	return dm_chain_refuse(why, -EIO,
			       "%s: whether somebody writes to it cannot be known: no figures in /sys/dev/block",
			       dev->path);
}

bool device_changed(const struct device *dev, const struct device_mark *mark)
{
	unsigned int tries = SETTLE * 100;
	struct device_mark now;
	bool busy;

	/* What is only in memory is not counted yet. An error says nothing of that. */
	fsync(dev->fd);
	do {
		if (!take_mark(dev, &now, &busy) || memcmp(&now, mark, sizeof(now)))
			return true;
		if (!busy)
			return false;
		/* What is on its way is counted when it is there, but for a flush. */
		usleep(10000);
	} while (--tries);
	return true;
}
