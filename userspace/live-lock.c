// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: one command at a time changes a device's table.
 *
 * A command reads the live table, makes another one from it, maybe after
 * formatting a layer, and loads that. The kernel takes it, whatever has become
 * live since: a layer that came in between would be gone, and what was written to
 * it. So those commands exclude each other by a lock on a file, for each device
 * one. Against those who do not know it, live_replace() looks once more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live.h"

#define LOCK_DIR	"/run/chainsetup"

/* Return: a file descriptor or a negative errno. The file stays. */
static int lock_number(unsigned int major, unsigned int minor,
		       struct dm_chain_why *why)
{
	char *path = xasprintf(LOCK_DIR "/%u:%u", major, minor);
	int fd = -1, err = 0;

	if (!mkdir(LOCK_DIR, 0700) || errno == EEXIST)
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		err = errno;
	else
		while (flock(fd, LOCK_EX) && (err = errno) == EINTR)
			err = 0;
	if (err) {
		dm_chain_refuse(why, 0, "cannot lock %s: %s", path,
				strerror(err));
		if (fd >= 0)
			close(fd);
		fd = -err;
	}
	free(path);
	return fd;
}

int live_open_to_change(struct live *live, const char *name,
			struct dm_chain_why *why)
{
	unsigned int major, minor;
	int fd, ret;

	ret = live_open(live, name, why);
	if (ret)
		return ret;
	major = live->major;
	minor = live->minor;
	live_close(live);
	fd = lock_number(major, minor, why);
	if (fd < 0)
		return fd;

	/* What it shows now is what counts. */
	ret = live_open(live, name, why);
	if (ret) {
		close(fd);
		return ret;
	}
	live->locked = true;
	live->lock = fd;
	if (live->major != major || live->minor != minor)
		ret = dm_chain_refuse(why, -EAGAIN,
				      "%s has become another device: try again",
				      name);
	else
		ret = live_changeable(live, why);
	if (ret)
		live_close(live);
	return ret;
}

int live_open_for(struct live *live, const char *name, bool dry_run,
		  struct dm_chain_why *why)
{
	int ret;

	if (!dry_run)
		return live_open_to_change(live, name, why);
	ret = live_open(live, name, why);
	if (!ret)
		ret = live_changeable(live, why);
	if (ret)
		live_close(live);
	return ret;
}

/* Do two tables write the same layer? */
static bool same_active(const char *a, const char *b)
{
	struct line_words line[2];
	unsigned int top[2];
	bool same = false;

	if (line_split(&line[0], a, NULL))
		return false;
	if (!line_split(&line[1], b, NULL)) {
		top[0] = line[0].nr_layers - 1;
		top[1] = line[1].nr_layers - 1;
		same = !strcmp(line[0].layer[top[0]].data,
			       line[1].layer[top[1]].data) &&
		       !strcmp(line[0].layer[top[0]].meta,
			       line[1].layer[top[1]].meta);
		line_free(&line[1]);
	}
	line_free(&line[0]);
	return same;
}

int live_unchanged(const struct live *live, const char *table,
		   struct dm_chain_why *why)
{
	char *loaded = NULL;
	struct live now;
	bool same;

	same = !live_open(&now, live->name, NULL) &&
	       same_active(live->table, now.table) &&
	       !live_inactive_table(live->name, &loaded, NULL) &&
	       same_active(table, loaded);
	free(loaded);
	live_close(&now);
	if (same)
		return 0;
	return dm_chain_refuse(why, -EAGAIN,
			       "%s was changed by somebody else meanwhile: try again",
			       live->name);
}
