// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: which devices show what belongs to another one.
 *
 * Members of a RAID with metadata at their end, paths of a multipath device and what
 * LVM hides all show the superblock of a layer that lies on what they are part of.
 * Whoever writes there damages it, so they are known by what they carry, by what
 * uses them and by what udev says of them: the device on top may not be there yet.
 */
#include <blkid/blkid.h>
#include <fcntl.h>
#include <libudev.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "chainsetup.h"
#include "holders.h"

static const char lvm[] = "LVM-";
#define VG_LEN	(sizeof(lvm) - 1 + 32)	/* with the UUID of the group */

static bool begins(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* That of device mapper, of the device in the directory @sysfs; else empty. */
static void dm_uuid(const char *sysfs, char *text, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.3800s/dm/uuid", sysfs);
	if (!read_line(path, text, size))
		*text = 0;
}

/*
 * Is it used by md, multipath or dmraid, or, a volume of LVM's, by another one of its
 * group, as the halves of a mirror are? @uuid is its own.
 */
static bool has_taker(const char *sysfs, const char *uuid, char *text, size_t size)
{
	char path[PATH_MAX], attr[300], name[256], above[256];
	struct holders holders;
	const char *holder;
	bool found = false;

	holders_open(&holders, sysfs);
	while (!found && (holder = holders_next(&holders))) {
		snprintf(attr, sizeof(attr), "/sys/class/block/%s", holder);
		snprintf(name, sizeof(name), "%s", holder);
		snprintf(path, sizeof(path), "%s/md", attr);
		dm_uuid(attr, above, sizeof(above));
		found = !access(path, F_OK) || begins(above, "mpath-") ||
			begins(above, "DMRAID-") ||
			(begins(uuid, lvm) && !strncmp(uuid, above, VG_LEN));
		holder_dm_name(holder, name, sizeof(name));
	}
	holders_close(&holders);
	if (found)
		snprintf(text, size, "part of %s", name);
	return found;
}

static bool is_path(dev_t devno)
{
	struct udev *udev = udev_new();
	struct udev_device *dev = udev ?
		udev_device_new_from_devnum(udev, 'b', devno) : NULL;
	const char *value = dev ?
		udev_device_get_property_value(dev, "DM_MULTIPATH_DEVICE_PATH") : NULL;
	bool yes = value && !strcmp(value, "1");

	udev_device_unref(dev);
	udev_unref(udev);
	return yes;
}

static bool has_raid_metadata(const char *path, char *text, size_t size)
{
	/* libblkid's buffers do not suit direct I/O. */
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	blkid_probe probe = blkid_new_probe();
	const char *type;
	bool yes;

	if (!probe)
		exit(complain("out of memory"));
	yes = fd >= 0 && !blkid_probe_set_device(probe, fd, 0, 0) &&
	      !blkid_probe_enable_superblocks(probe, 1) &&
	      !blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE) &&
	      !blkid_probe_filter_superblocks_usage(probe, BLKID_FLTR_ONLYIN,
						    BLKID_USAGE_RAID) &&
	      !blkid_do_probe(probe) &&
	      !blkid_probe_lookup_value(probe, "TYPE", &type, NULL);
	if (yes)
		snprintf(text, size, "a %s", type);
	blkid_free_probe(probe);
	if (fd >= 0)
		close(fd);
	return yes;
}

/* Of a device, or the whole disk, with its directory in sysfs. */
static bool is_component(const char *sysfs, dev_t devno, const char *path, char *text,
			 size_t size)
{
	char uuid[256];

	dm_uuid(sysfs, uuid, sizeof(uuid));
	if (has_taker(sysfs, uuid, text, size))
		return true;
	/*
	 * Volumes of LVM's own have a suffix. That of a thin pool may show what its
	 * first volume begins with.
	 */
	if (begins(uuid, lvm) && strchr(uuid + strlen(lvm), '-')) {
		snprintf(text, size, "hidden by LVM");
		return true;
	}
	if (is_path(devno)) {
		snprintf(text, size, "a path of a multipath device");
		return true;
	}
	return path && has_raid_metadata(path, text, size);
}

bool device_is_component(const struct device *dev, u64 own, char *text, size_t size)
{
	char sysfs[PATH_MAX], path[PATH_MAX + 16], number[32], *name;
	unsigned int major, minor;

	if (!device_is_block(dev))
		return false;
	snprintf(path, sizeof(path), "/sys/dev/block/%s", device_number(dev, number));
	if (!realpath(path, sysfs))
		return false;
	if (is_component(sysfs, dev->devno, dev->size > own ? dev->path : NULL, text, size))
		return true;
	snprintf(path, sizeof(path), "%s/partition", sysfs);
	if (access(path, F_OK))
		return false;
	*strrchr(sysfs, '/') = 0;
	snprintf(path, sizeof(path), "%s/dev", sysfs);
	if (!read_line(path, number, sizeof(number)) ||
	    sscanf(number, "%u:%u", &major, &minor) != 2)
		return false;
	snprintf(path, sizeof(path), "/dev/%s", strrchr(sysfs, '/') + 1);
	for (name = path; *name; name++)
		if (*name == '!')
			*name = '/';
	return is_component(sysfs, makedev(major, minor), path, text, size);
}
