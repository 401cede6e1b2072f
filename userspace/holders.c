// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what is built on a block device, see holders.h.
 */
#include <limits.h>

#include "chainsetup.h"
#include "holders.h"

void holders_open(struct holders *holders, const char *sysfs)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.3800s/holders", sysfs);
	holders->dir = opendir(path);
}

void holders_close(struct holders *holders)
{
	if (holders->dir)
		closedir(holders->dir);
	holders->dir = NULL;
}

const char *holders_next(struct holders *holders)
{
	struct dirent *entry;

	while (holders->dir && (entry = readdir(holders->dir)))
		if (entry->d_name[0] != '.')
			return entry->d_name;
	return NULL;
}

bool holder_dm_name(const char *holder, char *name, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/class/block/%s/dm/name", holder);
	return read_line(path, name, size);
}
