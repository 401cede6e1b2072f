// SPDX-License-Identifier: GPL-2.0
/* chaintest: layers as they are on their devices, read with the codec. */
#include <stdlib.h>
#include <string.h>

#include "ct.h"

static const char * const state_name[] = {
	"unallocated", "data", "zero", "corrupt",
};

static void read_page(const struct layer *l, u64 offset, void *page)
{
	slice_read(l->meta, offset, page, DM_CHAIN_PAGE_SIZE);
}

static unsigned int pick_sb(const struct layer *l, struct dm_chain_sb *sb)
{
	void *page[2] = { io_buf(DM_CHAIN_PAGE_SIZE),
			  io_buf(DM_CHAIN_PAGE_SIZE) };
	struct dm_chain_why why;
	unsigned int slot;
	int r;

	read_page(l, DM_CHAIN_SB_OFFSET_A, page[0]);
	read_page(l, DM_CHAIN_SB_OFFSET_B, page[1]);
	r = dm_chain_sb_pick((const void **)page, sb, &slot, &why);
	ct_check(!r, "superblock of %s: %s", l->name, why.text);
	free(page[0]);
	free(page[1]);
	return slot;
}

void disk_read_sb(const struct layer *l, struct dm_chain_sb *sb)
{
	pick_sb(l, sb);
}

/* Both slots, with the next number. */
void disk_write_sb(const struct layer *l, const struct dm_chain_sb *sb)
{
	void *page = io_buf(DM_CHAIN_PAGE_SIZE);
	struct dm_chain_sb next = *sb;

	next.seq = sb->seq + 1;
	dm_chain_sb_encode(page, &next);
	slice_write(l->meta, DM_CHAIN_SB_OFFSET_A, page, DM_CHAIN_PAGE_SIZE);
	slice_write(l->meta, DM_CHAIN_SB_OFFSET_B, page, DM_CHAIN_PAGE_SIZE);
	free(page);
}

/*
 * The newer of the two slots of a map or directory page; zeros if the
 * superblock's flags allow none to be there yet.
 */
static void pick_page(const struct layer *l, const struct on_disk *d,
		      const char *magic, u32 index, u64 a, u64 b,
		      struct dm_chain_disk_page *result)
{
	const struct dm_chain_disk_page *page[2];
	bool clean = d->sb.flags & DM_CHAIN_F_CLEAN;
	struct dm_chain_disk_page *buf[2];
	struct dm_chain_why why;
	unsigned int slot;
	bool fell_back;
	int r;

	buf[0] = io_buf(DM_CHAIN_PAGE_SIZE);
	buf[1] = io_buf(DM_CHAIN_PAGE_SIZE);
	read_page(l, a, buf[0]);
	read_page(l, b, buf[1]);
	page[0] = buf[0];
	page[1] = buf[1];
	r = dm_chain_page_pick(page, magic, d->sb.uuid, index, clean, &slot,
			       &fell_back, &why);
	ct_check(!r, "layer %s: %s", l->name, why.text);
	memcpy(result, buf[slot], sizeof(*result));
	free(buf[0]);
	free(buf[1]);
}

/**
 * disk_load() - read and verify all metadata of a layer
 *
 * Fails the scenario if anything is wrong with it.
 */
struct on_disk *disk_load(const struct layer *l)
{
	struct dm_chain_disk_page *dir = io_buf(DM_CHAIN_PAGE_SIZE);
	struct dm_chain_disk_page *map = io_buf(DM_CHAIN_PAGE_SIZE);
	struct on_disk *d = ct_alloc(sizeof(*d));
	struct dm_chain_why why;
	u64 blocks, n;
	u32 p, i;
	int r;

	d->sb_slot = pick_sb(l, &d->sb);
	r = dm_chain_geometry_init(&d->geo, d->sb.block_size, d->sb.max_size,
				   &why);
	ct_check(!r, "layer %s: %s", l->name, why.text);
	blocks = DIV_ROUND_UP(d->sb.size, d->sb.block_size);
	d->state = ct_alloc(blocks);
	for (p = 0; p < d->geo.map_pages; p++) {
		if (p % DM_CHAIN_PAGES_PER_DIR == 0) {
			i = p / DM_CHAIN_PAGES_PER_DIR;
			pick_page(l, d, DM_CHAIN_DIR_MAGIC, i,
				  dm_chain_dir_offset(&d->geo, 0, i),
				  dm_chain_dir_offset(&d->geo, 1, i), dir);
		}
		if (!dm_chain_dir_get(dir->payload, p % DM_CHAIN_PAGES_PER_DIR))
			continue;
		pick_page(l, d, DM_CHAIN_MAP_MAGIC, p,
			  dm_chain_map_offset(&d->geo, 0, p),
			  dm_chain_map_offset(&d->geo, 1, p), map);
		for (i = 0; i < DM_CHAIN_BLOCKS_PER_PAGE; i++) {
			n = (u64)p * DM_CHAIN_BLOCKS_PER_PAGE + i;
			r = dm_chain_state_get(map->payload, i);
			if (n < blocks)
				d->state[n] = r;
			else
				ct_check(r == DM_CHAIN_UNALLOCATED || r == DM_CHAIN_ZERO,
					 "layer %s: block %llu behind the end is %s",
					 l->name, n, state_name[r]);
		}
	}
	free(dir);
	free(map);
	return d;
}

void disk_free(struct on_disk *d)
{
	free(d->state);
	free(d);
}

static void check_sb(const struct layer *l, const struct on_disk *d)
{
	ct_check(!strcmp(d->sb.name, l->name), "layer %s is called %s on disk",
		 l->name, d->sb.name);
	ct_check(d->sb.size == l->size && d->sb.block_size == l->block_size,
		 "layer %s: size %llu, blocks of %u on disk", l->name,
		 d->sb.size, d->sb.block_size);
	ct_check(d->sb.data_offset == l->data_offset,
		 "layer %s: data offset %llu, expected %llu", l->name,
		 d->sb.data_offset, l->data_offset);
	ct_check(!(d->sb.flags & DM_CHAIN_F_NEEDS_CHECK),
		 "layer %s needs a check", l->name);
}

/* A block of state data, against @tag, the tags of all sectors. */
static void check_block(const struct layer *l, u64 block, const u32 *tag,
			const u8 *data)
{
	u64 s = block * l->block_size / SECTOR;
	u64 end = min((block + 1) * l->block_size, l->size) / SECTOR;

	for (; s < end; s++, data += SECTOR)
		ct_check(pattern_is(data, tag[s], s),
			 "layer %s block %llu: sector %llu on the device is %s, expected write %u",
			 l->name, block, s, pattern_describe(data), tag[s]);
}

/**
 * disk_check() - compare a layer on its devices with the model
 * @l: the layer; masks that left a choice become what was found
 * @tag: content of its data blocks, by sector
 */
void disk_check(struct layer *l, const u32 *tag)
{
	struct on_disk *d;
	u64 b, len;
	u8 *buf;

	if (layer_raw(l))
		return;
	d = disk_load(l);
	check_sb(l, d);
	buf = io_buf(l->block_size);
	for (b = 0; b < layer_blocks(l); b++) {
		ct_check(l->may[b] & 1 << d->state[b],
			 "layer %s block %llu is %s on disk, expected mask %x (1 unallocated, 2 data, 4 zero)",
			 l->name, b, state_name[d->state[b]], l->may[b]);
		l->may[b] = 1 << d->state[b];
		if (d->state[b] != DM_CHAIN_DATA)
			continue;
		len = min((b + 1) * l->block_size, l->size) - b * l->block_size;
		slice_read(l->data, l->data_offset + b * l->block_size, buf, len);
		check_block(l, b, tag, buf);
	}
	free(buf);
	disk_free(d);
}

/* Does the superblock of a layer name the one below it, or none for NULL? */
void disk_check_backing(const struct layer *l, const struct layer *below)
{
	struct dm_chain_sb sb, lower;
	u32 kind = DM_CHAIN_BACKING_NONE;

	if (below)
		kind = layer_raw(below) ? DM_CHAIN_BACKING_RAW :
		       DM_CHAIN_BACKING_LAYER;
	disk_read_sb(l, &sb);
	ct_check(sb.backing.kind == kind,
		 "the backing of %s is of kind %u on disk, expected %u", l->name,
		 sb.backing.kind, kind);
	if (kind != DM_CHAIN_BACKING_LAYER)
		return;
	disk_read_sb(below, &lower);
	ct_check(dm_chain_uuid_equal(sb.backing.uuid, lower.uuid),
		 "the backing of %s on disk is not %s", l->name, below->name);
}

/* What postsuspend has to leave behind. */
void disk_check_clean(const struct layer *l)
{
	struct on_disk *d;

	if (layer_raw(l))
		return;
	d = disk_load(l);
	ct_check(d->sb.flags & DM_CHAIN_F_CLEAN,
		 "layer %s was closed but is not clean", l->name);
	disk_free(d);
}

/* Make the model of a layer what is on its devices. */
void disk_adopt(struct layer *l)
{
	struct on_disk *d;
	u64 b, s, len;
	u8 *buf;

	if (layer_raw(l))
		return;
	d = disk_load(l);
	buf = io_buf(l->block_size);
	for (b = 0; b < layer_blocks(l); b++) {
		l->may[b] = 1 << d->state[b];
		if (d->state[b] != DM_CHAIN_DATA)
			continue;
		len = min((b + 1) * l->block_size, l->size) - b * l->block_size;
		slice_read(l->data, l->data_offset + b * l->block_size, buf, len);
		for (s = 0; s < len / SECTOR; s++) {
			u64 lba = b * l->block_size / SECTOR + s;

			l->tag[lba] = pattern_tag(buf + s * SECTOR, lba);
		}
	}
	free(buf);
	disk_free(d);
}
