// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: a raw device that gets content, see raw-target.h.
 */
#include <errno.h>

#include "new-layer.h"
#include "raw-target.h"

/* What is changed has to be there, and all of it. */
static int check_content(const struct device *dev, struct dm_chain_why *why)
{
	struct dm_chain_sb sb;
	unsigned int slot;
	int ret = super_read(dev, &sb, &slot, why);

	if (ret == -EUCLEAN)
		return ret;
	if (ret != -ENODATA)
		return dm_chain_refuse(why, -EEXIST,
				       "%s is a layer, and no raw device that could be changed",
				       dev->path);
	return 0;
}

int raw_open(struct raw_target *t, const char *path, u64 size, bool whole,
	     bool force, struct dm_chain_why *why)
{
	int ret;

	*t = (struct raw_target) { .whole = whole, .size = size };
	ret = device_open(&t->dev, path, DEVICE_WRITE | DEVICE_EXCL, why);
	if (!ret && !whole)
		ret = check_content(&t->dev, why);
	else if (!ret && !force)
		ret = device_check_unused(&t->dev, why);
	if (!ret && t->dev.size < size)
		ret = dm_chain_refuse(why, -ENOSPC,
				      "%s has %llu bytes, and %llu are needed",
				      path, t->dev.size, size);
	return ret;
}

void raw_close(struct raw_target *t)
{
	held_free(&t->held);
	device_close(&t->dev);
}

int raw_start(struct raw_target *t, struct dm_chain_why *why)
{
	return t->whole ? held_start(&t->held, &t->dev, t->size, why) : 0;
}

int raw_write(struct raw_target *t, u64 offset, u64 len, const void *data,
	      struct dm_chain_why *why)
{
	u64 part = held_take(&t->held, offset, len, data);

	offset += part;
	len -= part;
	if (!len)
		return 0;
	return data ? device_write(&t->dev, data + part, len, offset, why) :
		      device_write_zeroes(&t->dev, offset, len, why);
}

int raw_settle(struct raw_target *t, struct dm_chain_why *why)
{
	return device_sync(&t->dev, why);
}

int raw_finish(struct raw_target *t, struct dm_chain_why *why)
{
	return held_finish(&t->held, why);
}
