// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: superblocks, directories and maps of layers on disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <linux/string.h>

#include "held.h"

int super_read_slots(const struct device *dev, void *page[2],
		     struct dm_chain_why *why)
{
	unsigned int slot;
	int ret;

	for (slot = 0; slot < 2; slot++) {
		u64 offset = dm_chain_sb_offset(slot);

		memset(page[slot], 0, DM_CHAIN_PAGE_SIZE);
		if (offset + DM_CHAIN_PAGE_SIZE > dev->size)
			continue;
		ret = device_read(dev, page[slot], DM_CHAIN_PAGE_SIZE, offset,
				  why);
		if (ret)
			return ret;
	}
	return 0;
}

int super_read(const struct device *dev, struct dm_chain_sb *sb,
	       unsigned int *slot, struct dm_chain_why *why)
{
	u8 buf[2][DM_CHAIN_PAGE_SIZE];
	void *page[2] = { buf[0], buf[1] };
	struct dm_chain_why reason = { "" };
	int ret;

	ret = super_read_slots(dev, page, why);
	if (ret)
		return ret;
	ret = dm_chain_sb_pick((const void **)page, sb, slot, &reason);
	if (ret == -ENODATA && held_is_mark(page[0]))
		return dm_chain_refuse(why, -EUCLEAN,
				       "%s is not complete: the \"chainsetup apply\" or \"convert\" that wrote to it was interrupted: do that again",
				       dev->path);
	if (ret)
		return dm_chain_refuse(why, ret, "%s: %s", dev->path,
				       reason.text);
	return 0;
}

int super_set_path(char *hint, const char *path, struct dm_chain_why *why)
{
	if (strlen(path) >= DM_CHAIN_PATH_LEN)
		return dm_chain_refuse(why, -ENAMETOOLONG,
				       "the path %s is longer than the %u bytes that a superblock has room for: use a shorter one",
				       path, DM_CHAIN_PATH_LEN - 1);
	if (!dm_chain_path_valid(path))
		return dm_chain_refuse(why, -EINVAL,
				       "the path %s has control characters, which a superblock does not hold: use another, a link will do",
				       path);
	strscpy(hint, path, DM_CHAIN_PATH_LEN);
	return 0;
}

int super_write(struct layer *layer, struct dm_chain_why *why)
{
	u8 page[DM_CHAIN_PAGE_SIZE];
	struct dm_chain_sb sb = layer->sb;
	struct dm_chain_why reason = { "" };
	unsigned int slot = !layer->slot;
	int ret;

	sb.seq++;
	/* What the format rules out could never be read again. */
	ret = dm_chain_sb_check(&sb, &reason);
	if (ret)
		return dm_chain_refuse(why, ret, "%s: %s", layer->meta.path,
				       reason.text);
	dm_chain_sb_encode(page, &sb);
	ret = device_write(&layer->meta, page, sizeof(page),
			   dm_chain_sb_offset(slot), why);
	if (!ret)
		ret = device_sync(&layer->meta, why);
	if (ret)
		return ret;
	layer->sb.seq = sb.seq;
	layer->slot = slot;
	return 0;
}

void cancel_job(struct dm_chain_sb *sb)
{
	const struct dm_chain_job_record *job = &sb->job;
	struct dm_chain_job_result *result = &sb->result;

	memset(result, 0, sizeof(*result));
	result->type = job->type;
	result->status = DM_CHAIN_RESULT_CANCELLED;
	memcpy(result->id, job->id, sizeof(result->id));
	result->len = sb->size;
	result->offset = job->cursor;
	result->copied = job->copied;
	result->zeroed = job->zeroed;
	result->skipped = job->skipped;
	result->speed = job->speed;
	result->started = job->started;
	result->finished = time(NULL);
	memset(&sb->job, 0, sizeof(sb->job));
}

u64 page_offset(const struct layer *layer, const char *magic, u32 index,
		unsigned int slot)
{
	if (!strcmp(magic, DM_CHAIN_DIR_MAGIC))
		return dm_chain_dir_offset(&layer->geo, slot, index);
	return dm_chain_map_offset(&layer->geo, slot, index);
}

int page_read_slots(const struct layer *layer, const char *magic, u32 index,
		    struct dm_chain_disk_page *page[2],
		    struct dm_chain_why *why)
{
	unsigned int slot;
	int ret;

	for (slot = 0; slot < 2; slot++) {
		ret = device_read(&layer->meta, page[slot], DM_CHAIN_PAGE_SIZE,
				  page_offset(layer, magic, index, slot), why);
		if (ret)
			return ret;
	}
	return 0;
}

static int open_separate(struct layer *layer, const char *data,
			 unsigned int flags, struct dm_chain_why *why)
{
	struct dm_chain_why reason = { "" };
	char uuid[DM_CHAIN_UUID_TEXT];
	int ret;

	dm_chain_uuid_format(layer->sb.uuid, uuid);
	if (!data && !layer->sb.data_path[0])
		return dm_chain_refuse(why, -ENODEV,
				       "%s does not say where its data device is: open the chain with --layer %s=DATA,%s",
				       layer->meta.path, uuid, layer->meta.path);
	if (device_is(&layer->meta, data ?: layer->sb.data_path))
		return dm_chain_refuse(why, -EINVAL,
				       "%s is named both as data and as metadata device of a layer that keeps them apart: name the one with the data",
				       data ?: layer->sb.data_path);
	ret = device_open(&layer->data, data ?: layer->sb.data_path,
			  flags & (DEVICE_WRITE | DEVICE_EXCL | DEVICE_DRY), &reason);
	if (ret && data)
		return dm_chain_refuse(why, ret, "the data device of %s: %s",
				       layer->meta.path, reason.text);
	if (ret)
		return dm_chain_refuse(why, ret,
				       "the data device of %s: %s; if it has moved, open the chain with --layer %s=DATA,%s",
				       layer->meta.path, reason.text, uuid,
				       layer->meta.path);
	return 0;
}

int layer_data_named(const struct layer *layer, const char *data,
		     const char *which, struct dm_chain_why *why)
{
	if (layer->sb.data_offset && data)
		return dm_chain_refuse(why, -EINVAL,
				       "%s keeps its data on the same device: --data does not apply",
				       layer->meta.path);
	if (!layer->sb.data_offset && !data)
		return dm_chain_refuse(why, -EINVAL,
				       "%s keeps its data on another device%s%s: name %s with --data",
				       layer->meta.path,
				       *layer->sb.data_path ? ", recorded as " : "",
				       layer->sb.data_path, which);
	return 0;
}

int layer_open_data(struct layer *layer, const char *data, unsigned int flags,
		    struct dm_chain_why *why)
{
	int ret = 0;

	layer->sep_meta = !layer->sb.data_offset;
	if (!layer->sep_meta && data)
		return dm_chain_refuse(why, -EINVAL,
				       "%s keeps its data on the same device: %s cannot be its data device",
				       layer->meta.path, data);
	if (!layer->sep_meta)
		layer->data = layer->meta;
	else if (!(flags & LAYER_META_ONLY))
		ret = open_separate(layer, data, flags, why);
	if (!ret && layer->data.fd >= 0 &&
	    layer->sb.data_offset + layer->sb.size > layer->data.size)
		ret = dm_chain_refuse(why, -EINVAL,
				      "%s has %llu bytes, but its layer takes %llu: the device was shrunk, or it is the wrong one",
				      layer->data.path, layer->data.size,
				      layer->sb.data_offset + layer->sb.size);
	return ret;
}

static int no_superblock(const char *path, struct dm_chain_why *why)
{
	return dm_chain_refuse(why, -ENODATA,
			       "%s carries no chain superblock: if the layer's metadata is on another device, name that one; what is left of a damaged one \"chainsetup check\" finds",
			       path);
}

static int open_meta(struct layer *layer, const char *path, unsigned int flags,
		     struct dm_chain_why *why)
{
	struct dm_chain_why reason = { "" };
	int ret;

	ret = super_read(&layer->meta, &layer->sb, &layer->slot, why);
	if ((ret == -ENODATA && flags & LAYER_ANY) ||
	    (ret == -EIO && flags & LAYER_KNOWN_RAW)) {
		layer->raw = true;
		layer->data = layer->meta;
		return 0;
	}
	if (ret == -ENODATA)
		return no_superblock(path, why);
	if (ret)
		return ret;
	if (flags & LAYER_WRITE)
		ret = dm_chain_seq_check(DM_CHAIN_SB_MAGIC, 0, layer->sb.seq,
					 &reason);
	if (ret)
		return dm_chain_refuse(why, ret, "%s: %s", path, reason.text);
	ret = dm_chain_geometry_init(&layer->geo, layer->sb.block_size,
				     layer->sb.max_size, &reason);
	if (ret)
		return dm_chain_refuse(why, ret, "%s: %s", path, reason.text);
	if (layer->geo.end > layer->meta.size)
		return dm_chain_refuse(why, -EINVAL,
				       "%s has %llu bytes, but the metadata of its layer takes %llu: it was shrunk, or it is the wrong device",
				       path, layer->meta.size, layer->geo.end);
	return 0;
}

int layer_open(struct layer *layer, const char *path, const char *data,
	       unsigned int flags, struct dm_chain_why *why)
{
	int ret;

	*layer = (struct layer) { .data.fd = -1 };
	ret = device_open(&layer->meta, path,
			  flags & (DEVICE_WRITE | DEVICE_EXCL | DEVICE_DRY), why);
	if (ret)
		return ret;
	ret = open_meta(layer, path, flags, why);
	if (!ret && !layer->raw)
		ret = layer_open_data(layer, data, flags, why);
	if (ret)
		layer_close(layer);
	return ret;
}

int layer_open_raw(struct layer *layer, const struct dm_chain_backing *ref,
		   unsigned int flags, struct dm_chain_why *why)
{
	/* A path is a hint: a repair may have had to leave it out. */
	if (*ref->path)
		return layer_open(layer, ref->path, NULL,
				  flags | LAYER_ANY | LAYER_KNOWN_RAW, why);
	*layer = (struct layer) { .data.fd = -1, .meta.fd = -1 };
	return dm_chain_refuse(why, -ENOENT, "no path to it is recorded");
}

static void free_map(struct layer *layer)
{
	u32 i;

	for (i = 0; layer->page && i < layer->geo.map_pages; i++)
		free(layer->page[i]);
	free(layer->page);
	free(layer->pick);
}

void layer_close(struct layer *layer)
{
	free_map(layer);
	if (layer->sep_meta && layer->data.fd >= 0)
		device_close(&layer->data);
	device_close(&layer->meta);
	*layer = (struct layer) { .data.fd = -1, .meta.fd = -1 };
}

const char *layer_name(const struct layer *layer, char *text)
{
	if (layer->raw)
		return name_from_path(layer->data.path, text);
	strscpy(text, layer->sb.name, DM_CHAIN_NAME_LEN);
	return text;
}

const char *name_from_path(const char *path, char *text)
{
	const char *base = strrchr(path, '/');
	unsigned int i;

	snprintf(text, DM_CHAIN_NAME_LEN, "%s", base ? base + 1 : path);
	for (i = 0; text[i]; i++) {
		char one[3] = { '_', text[i] };

		if (!dm_chain_name_valid(one))
			text[i] = '_';
	}
	/* A name begins with none of the signs that it may hold further on. */
	if (!dm_chain_name_valid(text))
		text[0] = '_';
	if (!dm_chain_name_valid(text))
		strscpy(text, "layer", DM_CHAIN_NAME_LEN);
	return text;
}

static int pick_page(struct layer *layer, const char *magic, u32 index,
		     struct dm_chain_disk_page *page[2], unsigned int *slot,
		     struct dm_chain_why *why)
{
	struct dm_chain_why reason = { "" };
	bool fell_back = false;
	int ret;

	ret = page_read_slots(layer, magic, index, page, why);
	if (ret)
		return ret;
	ret = dm_chain_page_pick((const struct dm_chain_disk_page **)page,
				 magic, layer->sb.uuid, index,
				 layer->sb.flags & DM_CHAIN_F_CLEAN, slot,
				 &fell_back, &reason);
	if (!ret)
		ret = dm_chain_seq_check(magic, index,
					 dm_chain_page_seq(page[*slot]), &reason);
	if (ret)
		return dm_chain_refuse(why, ret, "%s: %s", layer->meta.path,
				       reason.text);
	layer->fell_back |= fell_back;
	return 0;
}

int layer_load_map(struct layer *layer, struct dm_chain_why *why)
{
	struct dm_chain_disk_page buf[4], *dir[2] = { &buf[0], &buf[1] };
	struct dm_chain_disk_page *map[2] = { &buf[2], &buf[3] };
	unsigned int dir_slot, slot;
	u32 d, n, index;
	int ret;

	if (layer->raw || layer->page)
		return 0;
	layer->page = xalloc(layer->geo.map_pages, sizeof(*layer->page));
	layer->pick = xalloc(layer->geo.map_pages, sizeof(*layer->pick));
	for (d = 0; d < layer->geo.dir_pages; d++) {
		ret = pick_page(layer, DM_CHAIN_DIR_MAGIC, d, dir, &dir_slot,
				why);
		if (ret)
			return ret;
		for (n = 0; n < DM_CHAIN_PAGES_PER_DIR; n++) {
			index = d * DM_CHAIN_PAGES_PER_DIR + n;
			if (!dm_chain_dir_get(dir[dir_slot]->payload, n))
				continue;
			if (index >= layer->geo.map_pages)
				return dm_chain_refuse(why, -EBADMSG,
						       "%s: directory page %u names map page %u, but there are %u: \"chainsetup repair\" says more",
						       layer->meta.path, d, index,
						       layer->geo.map_pages);
			ret = pick_page(layer, DM_CHAIN_MAP_MAGIC, index, map,
					&slot, why);
			if (ret)
				return ret;
			layer->page[index] = xalloc(1, DM_CHAIN_PAYLOAD);
			memcpy(layer->page[index], map[slot]->payload,
			       DM_CHAIN_PAYLOAD);
			layer->pick[index] = slot;
		}
	}
	return 0;
}

bool layer_readable(const struct device *meta)
{
	struct layer layer = { .meta = *meta };
	struct dm_chain_why why = { "" };
	bool readable;

	readable = !open_meta(&layer, meta->path, 0, &why) &&
		   !layer_load_map(&layer, &why);
	free_map(&layer);
	return readable;
}

/* The run within one map page. */
static enum dm_chain_state page_state(const struct layer *layer, u64 block,
				      u64 max, u64 *run)
{
	u32 index = block / DM_CHAIN_BLOCKS_PER_PAGE;
	u32 n = block % DM_CHAIN_BLOCKS_PER_PAGE;
	u64 rest = DM_CHAIN_BLOCKS_PER_PAGE - n;

	if (max > rest)
		max = rest;
	if (!layer->page[index]) {
		*run = max;
		return DM_CHAIN_UNALLOCATED;
	}
	*run = dm_chain_state_run(layer->page[index], n, max);
	return dm_chain_state_get(layer->page[index], n);
}

enum dm_chain_state layer_state(const struct layer *layer, u64 block, u64 max,
				u64 *run)
{
	enum dm_chain_state state;
	u64 more;

	if (layer->raw) {
		*run = max;
		return DM_CHAIN_DATA;
	}
	if (block >= layer->geo.blocks) {
		*run = max;
		return DM_CHAIN_UNALLOCATED;
	}
	if (max > layer->geo.blocks - block)
		max = layer->geo.blocks - block;
	state = page_state(layer, block, max, run);
	while (*run < max && (block + *run) % DM_CHAIN_BLOCKS_PER_PAGE == 0) {
		if (page_state(layer, block + *run, max - *run, &more) != state)
			break;
		*run += more;
	}
	return state;
}

u64 layer_blocks(const struct layer *layer)
{
	return (layer->sb.size + layer->sb.block_size - 1) /
	       layer->sb.block_size;
}
