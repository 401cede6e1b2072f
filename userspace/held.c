// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: the beginning of a device that gets its content, see held.h.
 */
#include <errno.h>
#include <linux/minmax.h>
#include <stdlib.h>
#include <string.h>

#include "held.h"
#include "new-layer.h"

static const char mark[] =
	"DMC-PART\n"
	"chainsetup was writing to this device: it is not complete.\n";

void held_mark(u8 page[DM_CHAIN_PAGE_SIZE])
{
	memset(page, 0, DM_CHAIN_PAGE_SIZE);
	memcpy(page, mark, sizeof(mark));
}

bool held_is_mark(const u8 page[DM_CHAIN_PAGE_SIZE])
{
	return !memcmp(page, mark, sizeof(mark));
}

/* What is written at once: it is there or not. */
static size_t first_sector(const struct held *held)
{
	return min_t(size_t, held->len, held->dev->align);
}

int held_start(struct held *held, const struct device *dev, u64 size,
	       struct dm_chain_why *why)
{
	u8 page[DM_CHAIN_PAGE_SIZE];
	struct dm_chain_sb sb;
	unsigned int slot;
	size_t first;
	int ret;

	*held = (struct held) {
		.dev = dev,
		.bytes = xalloc(1, HELD_MOST),
		.len = min_t(u64, size, HELD_MOST),
	};
	first = first_sector(held);
	held_mark(page);
	/* One that an interruption has left stays: what it says is so all along. */
	ret = super_read(dev, &sb, &slot, NULL);
	ret = ret == -EUCLEAN ? 0 : device_wipe_super(dev, why);
	if (!ret)
		ret = device_write(dev, page, first, 0, why);
	if (!ret)
		ret = device_sync(dev, why);
	if (!ret && held->len > first)
		ret = device_write(dev, held->bytes, held->len - first, first, why);
	return ret ? ret : device_sync(dev, why);
}

void held_free(struct held *held)
{
	free(held->bytes);
	*held = (struct held) { };
}

u64 held_take(struct held *held, u64 offset, u64 len, const void *data)
{
	u64 part = offset < held->len ? min(len, held->len - offset) : 0;

	if (part && data)
		memcpy(held->bytes + offset, data, part);
	else if (part)
		memset(held->bytes + offset, 0, part);
	return part;
}

int held_finish(struct held *held, struct dm_chain_why *why)
{
	size_t first;
	int ret = 0;

	if (!held->dev)
		return 0;
	first = first_sector(held);
	if (held->len > first)
		ret = device_write(held->dev, held->bytes + first,
				   held->len - first, first, why);
	if (!ret)
		ret = device_sync(held->dev, why);
	if (!ret)
		ret = device_write(held->dev, held->bytes, first, 0, why);
	return ret ? ret : device_sync(held->dev, why);
}
