// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: blocks on their way, see blocks.h.
 */
#include <linux/minmax.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"

#define MOST	DM_CHAIN_MAX_BLOCK

static u64 nr_blocks(const struct block_source *source)
{
	return (source->size + source->block_size - 1) / source->block_size;
}

/* The state of a block, and of how many behind it. */
static int block_run(struct block_source *source, u64 block,
		     enum dm_chain_state *state, u64 *count,
		     struct dm_chain_why *why)
{
	u64 start = block * source->block_size, end, run;
	enum dm_chain_state other;
	int ret;

	ret = source->run(source, start, source->size - start, state, &run, why);
	*count = run / source->block_size;
	if (start + run == source->size)
		*count = nr_blocks(source) - block;
	if (ret || *count)
		return ret;
	*count = 1;
	end = min(start + source->block_size, source->size);
	for (start += run; start < end && !ret; start += run) {
		ret = source->run(source, start, end - start, &other, &run, why);
		if (!ret && other != *state)
			*state = DM_CHAIN_DATA;
	}
	return ret;
}

static bool is_zero(const u8 *data, size_t len)
{
	return !data[0] && !memcmp(data, data + 1, len - 1);
}

static int copy_data(struct block_source *source, block_sink sink, void *context,
		     u8 *data, u64 block, u64 count, struct dm_chain_why *why)
{
	u64 size = source->block_size, start = block * size, at, n;
	u64 len = min(count * size, source->size - start);
	bool zero;
	int ret = source->read(source, data, len, start, why);

	while (!ret && len) {
		zero = is_zero(data, min(len, size));
		for (n = 1, at = size; at < len; n++, at += size)
			if (is_zero(data + at, min(len - at, size)) != zero)
				break;
		ret = sink(context, zero ? DM_CHAIN_ZERO : DM_CHAIN_DATA, block,
			   n, data, why);
		at = min(at, len);
		block += n;
		data += at;
		len -= at;
	}
	return ret;
}

int blocks_copy(struct block_source *source, block_sink sink, void *context,
		struct dm_chain_why *why)
{
	u64 blocks = nr_blocks(source), block, count;
	u8 *data = xalloc(1, MOST);
	enum dm_chain_state state;
	int ret = 0;

	for (block = 0; block < blocks && !ret; block += count) {
		ret = block_run(source, block, &state, &count, why);
		if (ret)
			break;
		if (state != DM_CHAIN_DATA) {
			ret = sink(context, state, block, count, NULL, why);
			continue;
		}
		count = min(count, (u64)MOST / source->block_size);
		ret = copy_data(source, sink, context, data, block, count, why);
	}
	free(data);
	return ret;
}

int fill_sink(void *fill, enum dm_chain_state state, u64 block, u64 count,
	      const void *data, struct dm_chain_why *why)
{
	if (state == DM_CHAIN_DATA)
		return fill_data(fill, block, count, data, why);
	fill_state(fill, block, count, state);
	return 0;
}
