// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what a data device lies on, as far as that can run out of space.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "dm.h"
#include "room.h"

#define DEEPEST	16	/* devices on top of each other */

static void find(struct rooms *rooms, const char *devno, unsigned int depth);

static char *sys_path(const char *devno, const char *file)
{
	return xasprintf("/sys/dev/block/%s/%s", devno, file);
}

static bool sys_line(const char *devno, const char *file, char *text,
		     size_t size)
{
	char *path = sys_path(devno, file);
	bool ok = read_line(path, text, size);

	free(path);
	return ok;
}

static u64 devno_id(const char *devno)
{
	unsigned int major = 0, minor = 0;

	sscanf(devno, "%u:%u", &major, &minor);
	return makedev(major, minor);
}

/* Add the pool with the number @pool, of whose volume @held is the status. */
static bool find_pool(struct rooms *rooms, const char *pool, const char *held)
{
	char *type[2] = { NULL }, *params[2] = { NULL };
	struct room room = { .kind = ROOM_POOL, .id = devno_id(pool) };
	bool ok = !target_of(pool, false, &type[0], &params[0]) &&
		  !strcmp(type[0], "thin-pool") &&
		  !target_of(pool, true, &type[1], &params[1]);

	if (ok && !sys_line(pool, "dm/name", room.name, sizeof(room.name)))
		snprintf(room.name, sizeof(room.name), "%s", pool);
	ok = ok && !pool_room(&room, params[0], params[1], NULL) &&
	     (!held || !thin_room(&room, held, NULL));
	if (ok)
		rooms_add(rooms, &room);
	free(type[0]);
	free(type[1]);
	free(params[0]);
	free(params[1]);
	return ok;
}

/* Is @devno a volume of a thin pool, or a pool itself? It was added then. */
static bool find_thin(struct rooms *rooms, const char *devno)
{
	char *type = NULL, *params = NULL, *kind = NULL, *status = NULL;
	bool ok = false;

	if (target_of(devno, false, &type, &params))
		return false;
	if (!strcmp(type, "thin-pool")) {
		ok = find_pool(rooms, devno, NULL);
	} else if (!strcmp(type, "thin") &&
		   !target_of(devno, true, &kind, &status)) {
		params[strcspn(params, " ")] = 0;
		ok = find_pool(rooms, params, status);
	}
	free(type);
	free(params);
	free(kind);
	free(status);
	return ok;
}

/* Is @devno a loop device? What its file lies on was added then. */
static bool find_file(struct rooms *rooms, const char *devno,
		      unsigned int depth)
{
	struct room room = { .kind = ROOM_FILES };
	struct statvfs fs;
	struct stat st;

	if (!sys_line(devno, "loop/backing_file", room.name,
		      sizeof(room.name)) ||
	    stat(room.name, &st))
		return false;
	if (S_ISBLK(st.st_mode)) {
		char below[32];

		snprintf(below, sizeof(below), "%u:%u", major(st.st_rdev),
			 minor(st.st_rdev));
		find(rooms, below, depth + 1);
		return true;
	}
	/* A file system without a size, such as ramfs, is no limit. */
	if (!S_ISREG(st.st_mode) || statvfs(room.name, &fs) || !fs.f_blocks)
		return false;
	room.id = st.st_dev;
	/* Loop devices write as root, to whom no block is denied. */
	room.free = (u64)fs.f_bfree * fs.f_frsize;
	room.held = (u64)st.st_blocks * 512;
	rooms_add(rooms, &room);
	return true;
}

/* Is @devno a partition? The disk was looked at then. */
static bool find_disk(struct rooms *rooms, const char *devno,
		      unsigned int depth)
{
	char number[16], disk[32];

	if (!sys_line(devno, "partition", number, sizeof(number)) ||
	    !sys_line(devno, "../dev", disk, sizeof(disk)))
		return false;
	find(rooms, disk, depth + 1);
	return true;
}

/* What device mapper, md and the like are made of. False if of nothing. */
static bool find_parts(struct rooms *rooms, const char *devno,
		       unsigned int depth)
{
	char *path = sys_path(devno, "slaves"), number[32], *part;
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		part = xasprintf("slaves/%s/dev", entry->d_name);
		if (sys_line(devno, part, number, sizeof(number))) {
			find(rooms, number, depth + 1);
			found = true;
		}
		free(part);
	}
	if (dir)
		closedir(dir);
	free(path);
	return found;
}

static void find(struct rooms *rooms, const char *devno, unsigned int depth)
{
	if (depth < DEEPEST &&
	    (find_thin(rooms, devno) || find_file(rooms, devno, depth) ||
	     find_disk(rooms, devno, depth) || find_parts(rooms, devno, depth)))
		return;
	rooms->other = true;
}

void rooms_find(struct rooms *rooms, const char *devno)
{
	memset(rooms, 0, sizeof(*rooms));
	find(rooms, devno, 0);
}
