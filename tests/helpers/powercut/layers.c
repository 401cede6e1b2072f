// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sector.h"
#include "layers.h"

/* Both slots of a page. */
struct slots {
	u8 buf[2][DM_CHAIN_PAGE_SIZE] __aligned(8);
	const void *page[2];
};

static void read_slots(struct slots *slots, const struct image *img, u64 a,
		       u64 b)
{
	slots->page[0] = image_page(img, a, slots->buf[0]);
	slots->page[1] = image_page(img, b, slots->buf[1]);
}

/* Pick a directory or map page. Return: its payload, NULL after a refusal. */
static const u8 *pick(const struct layer *layer, const char *magic, u32 index,
		      struct slots *slots, struct dm_chain_why *why)
{
	const struct dm_chain_disk_page *page[2] = {
		slots->page[0], slots->page[1],
	};
	unsigned int slot;
	bool fell_back;

	if (dm_chain_page_pick(page, magic, layer->sb.uuid, index,
			       layer->sb.flags & DM_CHAIN_F_CLEAN, &slot,
			       &fell_back, why))
		return NULL;
	return page[slot]->payload;
}

static int load_map(struct layer *layer, u32 dir, const u8 *names,
		    struct dm_chain_why *why)
{
	const struct dm_chain_geometry *geo = &layer->geo;
	struct slots slots;
	const u8 *payload;
	u32 n, index;

	for (n = 0; n < DM_CHAIN_PAGES_PER_DIR; n++) {
		index = dir * DM_CHAIN_PAGES_PER_DIR + n;
		if (index >= geo->map_pages)
			break;
		if (!dm_chain_dir_get(names, n))
			continue;
		read_slots(&slots, layer->meta,
			   dm_chain_map_offset(geo, 0, index),
			   dm_chain_map_offset(geo, 1, index));
		payload = pick(layer, DM_CHAIN_MAP_MAGIC, index, &slots, why);
		if (!payload)
			return -EBADMSG;
		layer->payload[index] = malloc(DM_CHAIN_PAYLOAD);
		if (!layer->payload[index])
			err(1, "map");
		memcpy(layer->payload[index], payload, DM_CHAIN_PAYLOAD);
	}
	return 0;
}

int layer_load(struct layer *layer, struct dm_chain_why *why)
{
	struct slots slots;
	const u8 *payload;
	unsigned int slot;
	u32 i;
	int r;

	layer->present = false;
	layer->payload = NULL;
	if (layer->gone)
		return -ENODATA;
	if (!layer->meta) {
		layer->present = true;
		return 0;
	}
	read_slots(&slots, layer->meta, dm_chain_sb_offset(0),
		   dm_chain_sb_offset(1));
	r = dm_chain_sb_pick(slots.page, &layer->sb, &slot, why);
	if (r)
		return r;
	r = dm_chain_geometry_init(&layer->geo, layer->sb.block_size,
				   layer->sb.max_size, why);
	if (r)
		return r;
	if (layer->geo.end > layer->meta->size)
		return dm_chain_refuse(why, -EINVAL,
				       "the map is larger than its device");
	layer->present = true;
	layer->payload = calloc(layer->geo.map_pages, sizeof(u8 *));
	if (!layer->payload)
		err(1, "map");
	for (i = 0; i < layer->geo.dir_pages && !r; i++) {
		read_slots(&slots, layer->meta,
			   dm_chain_dir_offset(&layer->geo, 0, i),
			   dm_chain_dir_offset(&layer->geo, 1, i));
		payload = pick(layer, DM_CHAIN_DIR_MAGIC, i, &slots, why);
		r = payload ? load_map(layer, i, payload, why) : -EBADMSG;
	}
	return r;
}

void layer_unload(struct layer *layer)
{
	u32 i;

	if (!layer->payload)
		return;
	for (i = 0; i < layer->geo.map_pages; i++)
		free(layer->payload[i]);
	free(layer->payload);
	layer->payload = NULL;
}

enum dm_chain_state layer_state(const struct layer *layer, u64 block)
{
	u64 page = block / DM_CHAIN_BLOCKS_PER_PAGE;

	if (page >= layer->geo.map_pages || !layer->payload[page])
		return DM_CHAIN_UNALLOCATED;
	return dm_chain_state_get(layer->payload[page],
				  block % DM_CHAIN_BLOCKS_PER_PAGE);
}

u64 layer_size(const struct layer *layer)
{
	return layer->meta ? layer->sb.size : layer->data->size;
}

static void set_limits(struct chain *chain)
{
	u64 size[LAYERS_MAX];
	unsigned int i;

	for (i = 0; i < chain->nr; i++)
		size[i] = layer_size(chain->layer[i]) / POWERCUT_SECTOR;
	dm_chain_limits(size, chain->nr, chain->limit);
}

int chain_resolve(struct chain *chain, const struct layer *layer,
		  unsigned int n, struct dm_chain_why *why)
{
	struct dm_chain_candidate c[LAYERS_MAX] = {};
	unsigned int order[LAYERS_MAX];
	unsigned int i;
	int r;

	for (i = 0; i < n; i++) {
		c[i].name = layer[i].name;
		c[i].raw = !layer[i].meta && !layer[i].gone;
		c[i].absent = !layer[i].present;
		c[i].sb = layer[i].present && layer[i].meta ? &layer[i].sb :
							      NULL;
		c[i].size = layer[i].data->size;
	}
	r = dm_chain_resolve(c, n, order, &chain->nr, why);
	if (r)
		return r;
	for (i = 0; i < chain->nr; i++)
		chain->layer[i] = &layer[order[i]];
	set_limits(chain);
	chain->block = layer[n - 1].meta ? layer[n - 1].sb.block_size /
					   POWERCUT_SECTOR : 1;
	return 0;
}

void chain_without(struct chain *left, const struct chain *chain,
		   const struct layer *from, const struct layer *to)
{
	bool leaves = false;
	unsigned int i;

	left->nr = 0;
	left->block = chain->block;
	for (i = 0; i < chain->nr; i++) {
		if (chain->layer[i] == from)
			leaves = true;
		if (chain->layer[i] == to)
			leaves = false;
		if (!leaves)
			left->layer[left->nr++] = chain->layer[i];
	}
	set_limits(left);
}

const struct layer *chain_read(const struct chain *chain, u64 sector,
			       void *data)
{
	unsigned int i;

	for (i = chain->nr; i-- > 0;) {
		const struct layer *layer = chain->layer[i];

		if (sector >= chain->limit[i])
			break;
		if (!layer->meta) {
			image_read(layer->data, sector, data);
			return layer;
		}
		switch (layer_state(layer, sector / chain->block)) {
		case DM_CHAIN_DATA:
			image_read(layer->data, layer->sb.data_offset /
				   POWERCUT_SECTOR + sector, data);
			return layer;
		case DM_CHAIN_ZERO:
			memset(data, 0, POWERCUT_SECTOR);
			return layer;
		default:
			break;
		}
	}
	memset(data, 0, POWERCUT_SECTOR);
	return NULL;
}
