// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: a raw device that gets content, see raw-target.h.
 */
#include <errno.h>
#include <linux/minmax.h>
#include <stdlib.h>
#include <string.h>

#include "new-layer.h"
#include "raw-target.h"

int raw_open(struct raw_target *t, const char *path, u64 size, bool whole,
	     bool force, struct dm_chain_why *why)
{
	struct dm_chain_sb sb;
	unsigned int slot;
	int ret;

	*t = (struct raw_target) { .whole = whole };
	ret = device_open(&t->dev, path, DEVICE_WRITE | DEVICE_EXCL, why);
	if (ret)
		return ret;
	if (whole && !force)
		ret = device_check_unused(&t->dev, why);
	else if (!whole && super_read(&t->dev, &sb, &slot, NULL) != -ENODATA)
		ret = dm_chain_refuse(why, -EEXIST,
				      "%s is a layer, and no raw device that could be changed",
				      path);
	if (ret)
		return ret;
	if (t->dev.size < size)
		return dm_chain_refuse(why, -ENOSPC,
				       "%s has %llu bytes, and %llu are needed",
				       path, t->dev.size, size);
	t->head_len = whole ? min_t(u64, size, RAW_HEAD) : 0;
	t->head = xalloc(1, RAW_HEAD);
	return 0;
}

void raw_close(struct raw_target *t)
{
	free(t->head);
	t->head = NULL;
	device_close(&t->dev);
}

int raw_start(struct raw_target *t, struct dm_chain_why *why)
{
	int ret = 0;

	if (t->head_len)
		ret = device_write(&t->dev, t->head, t->head_len, 0, why);
	return ret ? ret : device_sync(&t->dev, why);
}

int raw_write(struct raw_target *t, u64 offset, u64 len, const void *data,
	      struct dm_chain_why *why)
{
	if (offset < t->head_len) {
		u64 part = min(len, t->head_len - offset);

		/* Zeros are there already. */
		if (data)
			memcpy(t->head + offset, data, part);
		data = data ? data + part : NULL;
		offset += part;
		len -= part;
	}
	if (!len)
		return 0;
	return data ? device_write(&t->dev, data, len, offset, why) :
		      device_write_zeroes(&t->dev, offset, len, why);
}

int raw_finish(struct raw_target *t, struct dm_chain_why *why)
{
	int ret = device_sync(&t->dev, why);

	if (!ret && t->head_len)
		ret = device_write(&t->dev, t->head, t->head_len, 0, why);
	return ret ? ret : device_sync(&t->dev, why);
}
