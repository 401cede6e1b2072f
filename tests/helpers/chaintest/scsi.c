// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: a disk that can be taken out while it is in use, by scsi_debug, and put
 * in again with what it holds. While somebody still has the old one, it comes back
 * under another name.
 */
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ct.h"

#define HOST	"/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*"

/* Return: the first name that matches, or NULL. */
static char *first(const char *pattern)
{
	char *name = NULL;
	glob_t found;

	if (!glob(pattern, 0, NULL, &found))
		name = ct_str("%s", found.gl_pathv[0]);
	globfree(&found);
	return name;
}

static void tell(const char *pattern, const char *text)
{
	char *path = first(pattern);
	int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

	ct_check(fd >= 0 && write(fd, text, strlen(text)) > 0, "%s: %m", pattern);
	close(fd);
	free(path);
}

static char *disk(void)
{
	char *path = first(HOST "/target*/*:*/block/sd*");
	char *dev = path ? ct_str("/dev/%s", strrchr(path, '/') + 1) : NULL;
	int fd = dev ? open(dev, O_RDONLY | O_CLOEXEC) : -1;

	free(path);
	if (fd < 0) {
		/* It is about to come. */
		free(dev);
		return NULL;
	}
	close(fd);
	return dev;
}

/* Take the disk out. */
void scsi_remove(void)
{
	tell(HOST "/target*/*:*/delete", "1");
}

/**
 * scsi_insert() - put the disk in, if it is not there
 *
 * Skips the scenario where there is no scsi_debug.
 *
 * Return: its path.
 */
char *scsi_insert(void)
{
	char *dev = disk();

	if (dev)
		return dev;
	if (!first(HOST))
		ct_skip("no scsi_debug");
	tell(HOST "/scsi_host/host*/scan", "- - -");
	ct_wait((dev = disk()), "the disk does not come back");
	return dev;
}
