// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: where the layer with a UUID is.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chainsetup.h"

/* A device with the superblock that is sought. */
struct found {
	struct found *next;
	char *path;
	struct stat st;
};

static bool read_attr(const char *name, const char *attr, char *text,
		      size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/class/block/%s/%s", name, attr);
	return read_line(path, text, size);
}

/*
 * A chain device shows what its layers hold, never their superblocks; a
 * suspended device would let the search hang.
 */
static bool worth_reading(const char *name)
{
	char text[256];

	if (!read_attr(name, "size", text, sizeof(text)) || !strcmp(text, "0"))
		return false;
	if (read_attr(name, "dm/uuid", text, sizeof(text)) &&
	    !strncmp(text, "CHAIN-", 6))
		return false;
	return !read_attr(name, "dm/suspended", text, sizeof(text)) ||
	       !strcmp(text, "0");
}

/* The node in /dev of a device that sysfs calls @name. */
static char *node_path(const char *name)
{
	char text[256], *path, *p;

	if (read_attr(name, "dm/name", text, sizeof(text))) {
		path = xasprintf("/dev/mapper/%s", text);
		if (!access(path, F_OK))
			return path;
		free(path);
	}
	path = xasprintf("/dev/%s", name);
	for (p = path; *p; p++)
		if (*p == '!')
			*p = '/';
	return path;
}

/*
 * The superblock on a device; false if it has none. @part gets what the device is a
 * component of, if that has the superblock and not the device itself; else empty.
 */
static bool read_super(const char *path, struct dm_chain_sb *sb, char *part, size_t size)
{
	struct device dev;
	unsigned int slot;
	bool yes;

	if (device_open(&dev, path, 0, NULL))
		return false;
	yes = !super_read(&dev, sb, &slot, NULL);
	if (!yes || !device_is_component(&dev, sb->data_offset ? sb->data_size : 0, part,
					 size))
		*part = 0;
	device_close(&dev);
	return yes;
}

/* Is the device or file @lower what the block device @upper is made of? */
static bool made_of(const struct found *upper, const struct found *lower)
{
	char path[PATH_MAX], line[PATH_MAX], real[PATH_MAX];
	const char *name;
	struct stat st;

	if (!realpath(upper->path, path))
		return false;
	name = strrchr(path, '/') + 1;
	if (read_attr(name, "loop/backing_file", line, sizeof(line)))
		return realpath(lower->path, real) && !strcmp(line, real);
	if (!realpath(lower->path, real))
		return false;
	snprintf(path, sizeof(path), "/sys/class/block/%.255s/slaves/%.255s",
		 name, strrchr(real, '/') + 1);
	return S_ISBLK(lower->st.st_mode) && !stat(path, &st);
}

static bool same(const struct found *a, const struct found *b)
{
	if (S_ISBLK(a->st.st_mode) && S_ISBLK(b->st.st_mode))
		return a->st.st_rdev == b->st.st_rdev;
	return a->st.st_dev == b->st.st_dev && a->st.st_ino == b->st.st_ino;
}

/*
 * Keep one entry for what is the same storage: the first name that was given,
 * and of stacked devices the uppermost. Takes over @path. A component of another
 * device is left out; @skipped, if not NULL, gets words about it.
 */
static void add_found(struct found **list, char *path, const u8 *uuid, char **skipped)
{
	struct found *new = xalloc(1, sizeof(*new)), **p = list, *old;
	struct dm_chain_sb sb;
	char part[256];

	new->path = path;
	if (stat(path, &new->st) || !read_super(path, &sb, part, sizeof(part)) ||
	    !dm_chain_uuid_equal(sb.uuid, uuid))
		goto drop;
	if (*part) {
		if (skipped && !*skipped)
			*skipped = xasprintf("%s, which is %s", path, part);
		goto drop;
	}
	while ((old = *p)) {
		if (same(old, new) || made_of(old, new))
			goto drop;
		if (made_of(new, old)) {
			*p = old->next;
			free(old->path);
			free(old);
		} else {
			p = &old->next;
		}
	}
	*p = new;
	return;
drop:
	free(new->path);
	free(new);
}

static void scan_devices(struct found **list, const u8 *uuid, char **skipped)
{
	DIR *dir = opendir("/sys/class/block");
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && worth_reading(entry->d_name))
			add_found(list, node_path(entry->d_name), uuid, skipped);
	closedir(dir);
}

static void free_found(struct found *list)
{
	struct found *entry;

	while ((entry = list)) {
		list = entry->next;
		free(entry->path);
		free(entry);
	}
}

static void report(const u8 *uuid,
		   void (*found)(const char *path, const struct dm_chain_sb *sb,
				 void *context),
		   void *context)
{
	struct found *list = NULL, *entry;
	struct dm_chain_sb sb;
	char part[256];

	scan_devices(&list, uuid, NULL);
	for (entry = list; entry; entry = entry->next)
		if (read_super(entry->path, &sb, part, sizeof(part)))
			found(entry->path, &sb, context);
	free_found(list);
}

void scan_layers(void (*found)(const char *path, const struct dm_chain_sb *sb,
			       void *context),
		 void *context)
{
	u8 (*uuid)[DM_CHAIN_UUID_LEN] = NULL;
	DIR *dir = opendir("/sys/class/block");
	unsigned int nr = 0, i;
	struct dm_chain_sb sb;
	struct dirent *entry;
	char *path, part[256];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !worth_reading(entry->d_name))
			continue;
		path = node_path(entry->d_name);
		if (read_super(path, &sb, part, sizeof(part)) && !*part) {
			for (i = 0; i < nr; i++)
				if (dm_chain_uuid_equal(uuid[i], sb.uuid))
					break;
			if (i == nr) {
				uuid = realloc(uuid, (nr + 1) * sizeof(*uuid));
				if (!uuid)
					exit(complain("out of memory"));
				memcpy(uuid[nr++], sb.uuid, sizeof(sb.uuid));
			}
		}
		free(path);
	}
	if (dir)
		closedir(dir);
	for (i = 0; i < nr; i++)
		report(uuid[i], found, context);
	free(uuid);
}

int find_layer(const u8 *uuid, const char *path_hint, char **path,
	       struct dm_chain_why *why)
{
	char text[DM_CHAIN_UUID_TEXT], *skipped = NULL;
	struct found *list = NULL;
	int ret = 0;

	dm_chain_uuid_format(uuid, text);
	*path = NULL;
	if (*path_hint)
		add_found(&list, xstrdup(path_hint), uuid, &skipped);
	scan_devices(&list, uuid, &skipped);
	if (!list && skipped)
		ret = dm_chain_refuse(why, -ENODEV,
				      "the layer %s is seen on %s: set up what that belongs to, or say where the layer is with --layer",
				      text, skipped);
	else if (!list)
		ret = dm_chain_refuse(why, -ENODEV,
				      "no device carries the layer %s%s%s: attach the device, or say where the layer is with --layer",
				      text, *path_hint ? ", last seen at " : "",
				      path_hint);
	else if (list->next)
		ret = dm_chain_refuse(why, -ENOTUNIQ,
				      "the layer %s is both on %s and on %s: give the copy a UUID of its own with \"chainsetup uuid\", or say which with --layer",
				      text, list->path, list->next->path);
	else
		*path = xstrdup(list->path);
	free_found(list);
	free(skipped);
	return ret;
}

int parse_layer_hint(const char *text, struct layer_hint *hint,
		     struct dm_chain_why *why)
{
	char uuid[DM_CHAIN_UUID_TEXT];
	size_t len = strcspn(text, "=");
	char *comma;

	memset(hint, 0, sizeof(*hint));
	snprintf(uuid, sizeof(uuid), "%.*s", (int)len, text);
	if ((len != DM_CHAIN_UUID_TEXT - 1 ||
	     !dm_chain_uuid_parse(uuid, hint->uuid)) &&
	    (len != 3 || strcmp(uuid, "raw")))
		return dm_chain_refuse(why, -EINVAL,
				       "--layer %s does not begin with a UUID: write UUID=DATA or UUID=DATA,META",
				       text);
	if (!text[len] || !text[len + 1])
		return dm_chain_refuse(why, -EINVAL,
				       "--layer %s names no device: write UUID=DATA or UUID=DATA,META",
				       text);
	hint->data = xstrdup(text + len + 1);
	comma = strchr(hint->data, ',');
	if (comma) {
		*comma = 0;
		if (!*hint->data || !comma[1]) {
			free(hint->data);
			hint->data = NULL;
			return dm_chain_refuse(why, -EINVAL,
					       "--layer %s leaves a device empty: write UUID=DATA or UUID=DATA,META",
					       text);
		}
		hint->meta = xstrdup(comma + 1);
	}
	return 0;
}
