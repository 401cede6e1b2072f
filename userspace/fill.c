// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: a new layer that gets its blocks before its superblock.
 *
 * Whatever stops it, what is left is no layer: the superblock is wiped, durably,
 * before anything else is written, and written last, when all that it leads to is
 * durable. Up to then no map page, torn or not, is read by anybody, so the order
 * of all other writes does not matter. A data device of its own begins with what the
 * layer shows, maybe a file system: that is held back as well.
 */
#include <linux/minmax.h>
#include <stdlib.h>
#include <string.h>

#include "new-layer.h"

void fill_init(struct fill *fill)
{
	*fill = (struct fill) {
		.new.data.fd = -1, .new.meta.fd = -1,
		.new.backing = { .data.fd = -1, .meta.fd = -1 },
	};
}

int fill_open(struct fill *fill, const struct format_options *options,
	      struct dm_chain_why *why)
{
	int ret;

	fill_init(fill);
	ret = new_layer_open(&fill->new, options, why);
	if (ret)
		return ret;
	fill->page = xalloc(fill->new.geo.map_pages, sizeof(*fill->page));
	fill->blocks[DM_CHAIN_UNALLOCATED] =
		(fill->new.sb.size + fill->new.sb.block_size - 1) /
		fill->new.sb.block_size;
	return 0;
}

void fill_close(struct fill *fill)
{
	u32 i;

	for (i = 0; fill->page && i < fill->new.geo.map_pages; i++)
		free(fill->page[i]);
	free(fill->page);
	fill->page = NULL;
	held_free(&fill->held);
	new_layer_close(&fill->new);
}

int fill_start(struct fill *fill, struct dm_chain_why *why)
{
	const struct device *meta = new_layer_meta(&fill->new);
	u8 page[DM_CHAIN_PAGE_SIZE];
	int ret;

	held_mark(page);
	ret = device_write(meta, page, sizeof(page), dm_chain_sb_offset(0), why);
	memset(page, 0, sizeof(page));
	if (!ret)
		ret = device_write(meta, page, sizeof(page),
				   dm_chain_sb_offset(1), why);
	if (!ret)
		ret = device_sync(meta, why);
	if (!ret && meta != &fill->new.data)
		ret = held_start(&fill->held, &fill->new.data,
				 fill->new.sb.size, why);
	return ret;
}

void fill_state(struct fill *fill, u64 block, u64 count,
		enum dm_chain_state state)
{
	fill->blocks[DM_CHAIN_UNALLOCATED] -= count;
	fill->blocks[state] += count;
	if (state == DM_CHAIN_UNALLOCATED)
		return;
	while (count) {
		u32 index = block / DM_CHAIN_BLOCKS_PER_PAGE;
		u32 n = block % DM_CHAIN_BLOCKS_PER_PAGE;
		u32 part = min(count, (u64)DM_CHAIN_BLOCKS_PER_PAGE - n);

		if (!fill->page[index])
			fill->page[index] = xalloc(1, DM_CHAIN_PAYLOAD);
		dm_chain_state_fill(fill->page[index], n, part, state);
		block += part;
		count -= part;
	}
}

int fill_data(struct fill *fill, u64 block, u64 count, const void *data,
	      struct dm_chain_why *why)
{
	const struct dm_chain_sb *sb = &fill->new.sb;
	u64 start = block * sb->block_size;
	u64 len = min(count * sb->block_size, sb->size - start);
	u64 part = held_take(&fill->held, start, len, data);

	fill_state(fill, block, count, DM_CHAIN_DATA);
	return device_write(&fill->new.data, data + part, len - part,
			    sb->data_offset + start + part, why);
}

int fill_settle(struct fill *fill, struct dm_chain_why *why)
{
	int ret = device_sync(&fill->new.data, why);

	return ret ? ret : new_layer_write_map(&fill->new, fill->page, why);
}

int fill_finish(struct fill *fill, struct dm_chain_why *why)
{
	int ret = held_finish(&fill->held, why);

	return ret ? ret : new_layer_write_super(&fill->new, why);
}
