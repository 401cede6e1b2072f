// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup probe: what udev's rules have to know of a device.
 *
 * It prints lines of KEY=VALUE, none for a device that chains have nothing to do
 * with. Nothing is taken for damage here: what cannot be read is no superblock.
 * Links of the view are there before its old layers are asked for with --copy: a
 * device's links come before what a rule lets run.
 */
#include <blkid/blkid.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "holders.h"
#include "live.h"

static const char chain_prefix[] = "CHAIN-";

/* The dm UUID of a device that sysfs calls @name. */
static bool dm_uuid(const char *name, char *text, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/class/block/%s/dm/uuid", name);
	return read_line(path, text, size);
}

/* Does the device's live table need the layer on @devno? */
static bool table_uses(const char *view, const char *devno)
{
	char path[PATH_MAX], number[32], *type, *params;
	struct line_words line;
	unsigned int i;
	bool uses = false;

	snprintf(path, sizeof(path), "/sys/class/block/%s/dev", view);
	if (!read_line(path, number, sizeof(number)) ||
	    target_of(number, false, &type, &params))
		return false;
	if (!strcmp(type, TARGET_NAME) && !line_split(&line, params, NULL)) {
		for (i = 0; i < line.nr_layers && !uses; i++)
			uses = line_uses(&line, i, devno);
		line_free(&line);
	}
	free(type);
	free(params);
	return uses;
}

/*
 * Which chain has a device among its layers, by the table that is in use: one that
 * is only loaded, and one that is about to go, hold it as well.
 */
static bool print_view(const char *sysfs, const char *devno)
{
	struct holders holders;
	const char *holder;
	bool found = false;
	char text[256];

	holders_open(&holders, sysfs);
	while (!found && (holder = holders_next(&holders))) {
		if (!dm_uuid(holder, text, sizeof(text)) ||
		    strncmp(text, chain_prefix, strlen(chain_prefix)))
			continue;
		found = table_uses(holder, devno);
		if (found && holder_dm_name(holder, text, sizeof(text)))
			printf("DM_CHAIN_VIEW=%s\n", text);
	}
	holders_close(&holders);
	return found;
}

/* A partition is hidden with its disk. */
static bool is_layer(const struct device *dev)
{
	char sysfs[PATH_MAX], path[PATH_MAX + 16], number[32];

	snprintf(path, sizeof(path), "/sys/dev/block/%s",
		 device_number(dev, number));
	if (!realpath(path, sysfs))
		return false;
	if (print_view(sysfs, number))
		return true;
	snprintf(path, sizeof(path), "%s/partition", sysfs);
	if (access(path, F_OK))
		return false;
	*strrchr(sysfs, '/') = 0;
	snprintf(path, sizeof(path), "%s/dev", sysfs);
	return read_line(path, number, sizeof(number)) &&
	       print_view(sysfs, number);
}

static bool print_superblock(const struct device *dev)
{
	char uuid[DM_CHAIN_UUID_TEXT];
	struct dm_chain_sb sb;
	unsigned int slot;

	if (super_read(dev, &sb, &slot, NULL))
		return false;
	dm_chain_uuid_format(sb.uuid, uuid);
	printf("DM_CHAIN_LAYER_UUID=%s\nDM_CHAIN_LAYER_NAME=%s\n", uuid,
	       sb.name);
	return true;
}

/* Does one of udev's links lead to what a chain shows, or to a partition of it? */
static bool print_copy_of(const char *link)
{
	char real[PATH_MAX], uuid[256], *view;

	if (!realpath(link, real) ||
	    !dm_uuid(strrchr(real, '/') + 1, uuid, sizeof(uuid)))
		return false;
	view = strstr(uuid, chain_prefix);
	if (view)
		printf("DM_CHAIN_COPY_OF=%s\n", view);
	return view;
}

/* Is the content the same as that of a chain, by its UUID? */
static bool is_copy(const struct device *dev)
{
	/* libblkid's buffers do not suit direct I/O. */
	int fd = open(dev->path, O_RDONLY | O_CLOEXEC);
	char encoded[512], link[PATH_MAX];
	blkid_probe probe = blkid_new_probe();
	const char *type, *uuid;
	bool copy = false;

	if (fd >= 0 && probe && !blkid_probe_set_device(probe, fd, 0, 0) &&
	    !blkid_probe_enable_superblocks(probe, 1) &&
	    !blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE |
					       BLKID_SUBLKS_UUID) &&
	    !blkid_do_safeprobe(probe) &&
	    !blkid_probe_lookup_value(probe, "TYPE", &type, NULL) &&
	    !blkid_probe_lookup_value(probe, "UUID", &uuid, NULL) &&
	    !blkid_encode_string(uuid, encoded, sizeof(encoded))) {
		snprintf(link, sizeof(link), "/dev/disk/%s%s",
			 strcmp(type, "LVM2_member") ? "by-uuid/" :
			 "by-id/lvm-pv-uuid-", encoded);
		copy = print_copy_of(link);
	}
	blkid_free_probe(probe);
	if (fd >= 0)
		close(fd);
	return copy;
}

int cmd_probe(int argc, char **argv)
{
	static const struct option options[] = {
		{ "copy", no_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 }
	};
	struct dm_chain_why why = { "" };
	struct device dev;
	bool copy = false, layer;
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c != 'c')
			return 1;
		copy = true;
	}
	if (!operands_ok(argc, argv, 1, 1))
		return 1;
	if (device_open(&dev, argv[optind], 0, &why))
		return complain_why(&why);
	if (copy) {
		layer = is_copy(&dev);
	} else {
		layer = print_superblock(&dev);
		layer |= device_is_block(&dev) && is_layer(&dev);
	}
	if (layer)
		puts("DM_CHAIN_IS_LAYER=1");
	device_close(&dev);
	return 0;
}
