// SPDX-License-Identifier: GPL-2.0
/*
 * Writes images of metadata devices with the module's own codec, and beside
 * each of them how that codec reads it: DIR/NAME.img and DIR/NAME.expect, for
 * format_check.py.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dm-chain-codec.h"
#include "random.h"
#include "sample.h"

#define PAGE	DM_CHAIN_PAGE_SIZE

struct image {
	int fd;
	struct dm_chain_sb sb;
	struct dm_chain_geometry geo;
	struct dm_chain_disk_page page;
	u64 seq;
};

static void put_page(struct image *image, u64 offset, const void *page)
{
	if (pwrite(image->fd, page, PAGE, offset) != PAGE)
		err(1, "pwrite");
}

static void get_page(struct image *image, u64 offset, void *page)
{
	if (pread(image->fd, page, PAGE, offset) != PAGE)
		errx(1, "pread of %llu is short", offset);
}

/* Change bytes that have been written already. */
static void put_bytes(struct image *image, u64 offset, unsigned int width,
		      u64 value)
{
	u8 bytes[8];

	sample_put(bytes, 0, width, value);
	if (pwrite(image->fd, bytes, width, offset) != width)
		err(1, "pwrite");
}

static void reseal(struct image *image, u64 offset)
{
	u8 page[PAGE];

	get_page(image, offset, page);
	sample_reseal(page);
	put_page(image, offset, page);
}

static void put_sb(struct image *image, unsigned int slot)
{
	u8 page[PAGE];

	image->sb.seq = image->seq++;
	dm_chain_sb_encode(page, &image->sb);
	put_page(image, dm_chain_sb_offset(slot), page);
}

/* As formatting does it, for the superblock in @image. */
static void format(struct image *image)
{
	unsigned int slot;
	u32 i;

	if (dm_chain_geometry_init(&image->geo, image->sb.block_size,
				   image->sb.max_size, NULL))
		errx(1, "no geometry");
	if (ftruncate(image->fd, image->geo.end))
		err(1, "ftruncate");
	memset(&image->page, 0, PAGE);
	for (i = 0; i < image->geo.dir_pages; i++) {
		dm_chain_page_seal(&image->page, DM_CHAIN_DIR_MAGIC,
				   image->sb.uuid, i, 1);
		for (slot = 0; slot < 2; slot++)
			put_page(image, dm_chain_dir_offset(&image->geo, slot, i),
				 &image->page);
	}
	image->seq = 1;
	put_sb(image, 0);
	image->seq = 1;
	put_sb(image, 1);
}

static void name_page(struct image *image, u32 index, u64 seq)
{
	u32 d = index / DM_CHAIN_PAGES_PER_DIR;
	unsigned int slot;

	get_page(image, dm_chain_dir_offset(&image->geo, 0, d), &image->page);
	dm_chain_dir_set(image->page.payload, index % DM_CHAIN_PAGES_PER_DIR);
	for (slot = 0; slot < 2; slot++) {
		dm_chain_page_seal(&image->page, DM_CHAIN_DIR_MAGIC,
				   image->sb.uuid, d, seq + slot);
		put_page(image, dm_chain_dir_offset(&image->geo, slot, d),
			 &image->page);
	}
}

/* Different states in the two slots; slot B is the newer. */
static void put_map(struct image *image, u32 index, u64 seed)
{
	unsigned int slot;
	u32 n, len;

	for (slot = 0; slot < 2; slot++) {
		memset(&image->page, 0, PAGE);
		for (n = 0; n < DM_CHAIN_BLOCKS_PER_PAGE; ) {
			u8 state = random_below(&seed, 3);

			for (len = 1 + random_below(&seed, 2000);
			     len && n < DM_CHAIN_BLOCKS_PER_PAGE; len--, n++)
				dm_chain_state_set(image->page.payload, n, state);
		}
		dm_chain_page_seal(&image->page, DM_CHAIN_MAP_MAGIC,
				   image->sb.uuid, index, 10 + slot);
		put_page(image, dm_chain_map_offset(&image->geo, slot, index),
			 &image->page);
	}
	name_page(image, index, 20);
}

static void print_uuid(FILE *out, const char *field, const u8 *uuid)
{
	unsigned int i;

	fprintf(out, "%s=", field);
	for (i = 0; i < DM_CHAIN_UUID_LEN; i++)
		fprintf(out, "%02x", uuid[i]);
	fputc('\n', out);
}

static void print_int(FILE *out, const char *field, u64 value)
{
	fprintf(out, "%s=%llu\n", field, value);
}

static void print_job(FILE *out, const struct dm_chain_job_record *job)
{
	print_int(out, "job.type", job->type);
	if (job->type == DM_CHAIN_JOB_NONE)
		return;
	print_int(out, "job.flags", job->flags);
	fprintf(out, "job.id=%s\n", job->id);
	print_uuid(out, "job.top_uuid", job->top_uuid);
	print_uuid(out, "job.bottom_uuid", job->bottom_uuid);
	print_int(out, "job.speed", job->speed);
	print_int(out, "job.floor", job->floor);
	print_int(out, "job.ceiling", job->ceiling);
	print_int(out, "job.cursor", job->cursor);
	print_int(out, "job.copied", job->copied);
	print_int(out, "job.zeroed", job->zeroed);
	print_int(out, "job.skipped", job->skipped);
	print_int(out, "job.started", job->started);
	print_int(out, "job.on_error", job->on_error);
	print_int(out, "job.error", job->error);
	print_int(out, "job.io_status", job->io_status);
}

static void print_result(FILE *out, const struct dm_chain_job_result *result)
{
	print_int(out, "result.type", result->type);
	if (result->type == DM_CHAIN_JOB_NONE)
		return;
	print_int(out, "result.status", result->status);
	fprintf(out, "result.id=%s\n", result->id);
	fprintf(out, "result.base=%s\n", result->base);
	print_int(out, "result.len", result->len);
	print_int(out, "result.offset", result->offset);
	print_int(out, "result.copied", result->copied);
	print_int(out, "result.zeroed", result->zeroed);
	print_int(out, "result.skipped", result->skipped);
	print_int(out, "result.speed", result->speed);
	print_int(out, "result.started", result->started);
	print_int(out, "result.finished", result->finished);
	print_int(out, "result.error", result->error);
}

static void print_sb(FILE *out, const struct dm_chain_sb *sb)
{
	print_int(out, "seq", sb->seq);
	print_int(out, "compat", sb->compat);
	print_int(out, "ro_compat", sb->ro_compat);
	print_int(out, "incompat", sb->incompat);
	print_int(out, "flags", sb->flags);
	print_uuid(out, "uuid", sb->uuid);
	fprintf(out, "name=%s\n", sb->name);
	print_int(out, "block_size", sb->block_size);
	print_int(out, "size", sb->size);
	print_int(out, "max_size", sb->max_size);
	print_int(out, "data_offset", sb->data_offset);
	print_int(out, "generation", sb->generation);
	print_uuid(out, "overlay_uuid", sb->overlay_uuid);
	print_int(out, "data_size", sb->data_size);
	fprintf(out, "data_path=%s\n", sb->data_path);
	print_int(out, "backing.kind", sb->backing.kind);
	print_uuid(out, "backing.uuid", sb->backing.uuid);
	print_int(out, "backing.size", sb->backing.size);
	print_int(out, "backing.generation", sb->backing.generation);
	fprintf(out, "backing.path=%s\n", sb->backing.path);
	print_job(out, &sb->job);
	print_result(out, &sb->result);
}

static int pick(struct image *image, const char *magic, u32 index,
		struct dm_chain_disk_page *page)
{
	bool dir = !memcmp(magic, DM_CHAIN_DIR_MAGIC, DM_CHAIN_MAGIC_LEN);
	struct dm_chain_disk_page slots[2];
	const struct dm_chain_disk_page *both[2] = { &slots[0], &slots[1] };
	unsigned int slot;
	bool fell_back;
	int r;

	for (slot = 0; slot < 2; slot++)
		get_page(image, dir ?
			 dm_chain_dir_offset(&image->geo, slot, index) :
			 dm_chain_map_offset(&image->geo, slot, index),
			 &slots[slot]);
	r = dm_chain_page_pick(both, magic, image->sb.uuid, index,
			       image->sb.flags & DM_CHAIN_F_CLEAN, &slot,
			       &fell_back, NULL);
	if (!r)
		*page = slots[slot];
	return r;
}

/* A run of blocks, of those that are not unallocated. */
struct run {
	u64 start;
	u64 len;
	enum dm_chain_state state;
};

static void print_run(FILE *out, struct run *run)
{
	if (run->len && run->state != DM_CHAIN_UNALLOCATED)
		fprintf(out, "%s %llu %llu\n",
			run->state == DM_CHAIN_DATA ? "data" : "zero",
			run->start, run->len);
}

static int print_map(FILE *out, struct image *image, u32 index, struct run *run)
{
	u64 first = (u64)index * DM_CHAIN_BLOCKS_PER_PAGE;
	u64 end = DIV_ROUND_UP(image->sb.size, image->sb.block_size);
	u32 n, len, blocks;
	int r;

	r = pick(image, DM_CHAIN_MAP_MAGIC, index, &image->page);
	if (r)
		return r;
	blocks = first < end ? min_t(u64, end - first, DM_CHAIN_BLOCKS_PER_PAGE) : 0;
	for (n = 0; n < blocks; n += len) {
		enum dm_chain_state state = dm_chain_state_get(image->page.payload, n);

		len = dm_chain_state_run(image->page.payload, n, blocks - n);
		if (run->start + run->len == first + n && run->state == state) {
			run->len += len;
			continue;
		}
		print_run(out, run);
		*run = (struct run){ first + n, len, state };
	}
	return 0;
}

/* Read it as an activation does. */
static int print_layer(FILE *out, struct image *image)
{
	struct dm_chain_disk_page dir;
	u8 slots[2][PAGE];
	const void *both[2] = { slots[0], slots[1] };
	struct run run = { 0 };
	unsigned int slot;
	u32 d, n;
	int r;

	for (slot = 0; slot < 2; slot++)
		get_page(image, dm_chain_sb_offset(slot), slots[slot]);
	r = dm_chain_sb_pick(both, &image->sb, &slot, NULL);
	if (!r)
		r = dm_chain_geometry_init(&image->geo, image->sb.block_size,
					   image->sb.max_size, NULL);
	if (r)
		return r;
	/* A superblock that was changed may ask for more than there is. */
	if (lseek(image->fd, 0, SEEK_END) < (off_t)image->geo.end)
		return -EIO;

	print_sb(out, &image->sb);
	fprintf(out, "area_b=%llu\nend=%llu\n", image->geo.area[1], image->geo.end);
	for (d = 0; d < image->geo.dir_pages; d++) {
		r = pick(image, DM_CHAIN_DIR_MAGIC, d, &dir);
		for (n = 0; !r && n < DM_CHAIN_PAGES_PER_DIR; n++) {
			u32 index = d * DM_CHAIN_PAGES_PER_DIR + n;

			if (!dm_chain_dir_get(dir.payload, n))
				continue;
			if (index >= image->geo.map_pages)
				return -EBADMSG;
			r = print_map(out, image, index, &run);
		}
		if (r)
			return r;
	}
	print_run(out, &run);
	return 0;
}

static FILE *open_expect(const char *dir, const char *name)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s.expect", dir, name);
	out = fopen(path, "w+");
	if (!out)
		err(1, "%s", path);
	return out;
}

static void open_image(struct image *image, const char *dir, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.img", dir, name);
	image->fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
	if (image->fd < 0)
		err(1, "%s", path);
}

/* Returns whether the codec could read what is in @image. */
static bool close_image(struct image *image, const char *dir, const char *name)
{
	FILE *out = open_expect(dir, name);
	bool readable = !print_layer(out, image);

	if (!readable) {
		rewind(out);
		if (ftruncate(fileno(out), 0))
			err(1, "ftruncate");
	}
	fprintf(out, "%s\n", readable ? "readable" : "refused");
	if (fclose(out) || close(image->fd))
		err(1, "%s", name);
	return readable;
}

/* What is done to an image of a layer with six pages in the map. */
enum change {
	NOTHING, NOT_CLEAN, SB_A_TORN, SB_BOTH_TORN, SB_B_NEWER, SB_B_FUTURE,
	SB_INCOMPAT, SB_ZEROS, MAP_A_TORN, MAP_B_TORN, MAP_BOTH_TORN,
	MAP_INDEX, MAP_UUID, MAP_STATE_3, MAP_IS_DIR, MAP_VERSION, DIR_A_TORN,
	DIR_B_TORN, DIR_BEYOND, UNNAMED_GARBAGE, HEAD_CRC, NR_CHANGES
};

static void change_image(struct image *image, enum change change)
{
	u64 dir[2], map[2];
	unsigned int slot;

	for (slot = 0; slot < 2; slot++) {
		dir[slot] = dm_chain_dir_offset(&image->geo, slot, 0);
		map[slot] = dm_chain_map_offset(&image->geo, slot, 3);
	}
	switch (change) {
	case SB_BOTH_TORN:
		put_bytes(image, DM_CHAIN_SB_OFFSET_B + 3000, 1, 1);
		put_bytes(image, 3000, 1, 1);
		break;
	case SB_A_TORN:
		put_bytes(image, 3000, 1, 1);
		break;
	case SB_B_NEWER:
		image->sb.name[0] = 'X';
		put_sb(image, 1);
		break;
	case SB_B_FUTURE:
		put_sb(image, 1);
		put_bytes(image, DM_CHAIN_SB_OFFSET_B + 12, 4, 2);
		reseal(image, DM_CHAIN_SB_OFFSET_B);
		break;
	case SB_INCOMPAT:
		image->sb.incompat = 0x100;
		put_sb(image, 0);
		break;
	case SB_ZEROS:
		memset(&image->page, 0, PAGE);
		put_page(image, DM_CHAIN_SB_OFFSET_A, &image->page);
		put_page(image, DM_CHAIN_SB_OFFSET_B, &image->page);
		break;
	case MAP_A_TORN:
		put_bytes(image, map[0] + 512, 8, 0x5555);
		break;
	case MAP_B_TORN:
		put_bytes(image, map[1] + 512, 8, 0x5555);
		break;
	case MAP_BOTH_TORN:
		put_bytes(image, map[0] + 512, 8, 0x5555);
		put_bytes(image, map[1], 8, 0);
		break;
	case MAP_INDEX:
		put_bytes(image, map[0] + 24, 8, 4);
		reseal(image, map[0]);
		break;
	case MAP_UUID:
		put_bytes(image, map[1] + 47, 1, 0);
		reseal(image, map[1]);
		break;
	case MAP_STATE_3:
		put_bytes(image, map[0] + 4095, 1, 0xc0);
		reseal(image, map[0]);
		break;
	case MAP_IS_DIR:
		put_bytes(image, map[0] + 4, 4, 0x5f524944);	/* "DIR_" */
		reseal(image, map[0]);
		break;
	case MAP_VERSION:
		put_bytes(image, map[0] + 12, 4, 0);
		reseal(image, map[0]);
		break;
	case DIR_A_TORN:
		put_bytes(image, dir[0] + 16, 8, 1000);
		break;
	case DIR_B_TORN:
		put_bytes(image, dir[1] + 64, 8, U64_MAX);
		break;
	case DIR_BEYOND:
		/* Map page 66, of 66. */
		put_bytes(image, dir[1] + 64 + 8, 1, 0x04);
		reseal(image, dir[1]);
		break;
	case UNNAMED_GARBAGE:
		memset(&image->page, 0xff, PAGE);
		put_page(image, dm_chain_map_offset(&image->geo, 0, 5), &image->page);
		dm_chain_page_seal(&image->page, DM_CHAIN_MAP_MAGIC,
				   image->sb.uuid, 9, 99);
		put_page(image, dm_chain_map_offset(&image->geo, 1, 5), &image->page);
		break;
	case HEAD_CRC:
		put_bytes(image, map[0] + 8, 4, 0);
		break;
	default:
		break;
	}
}

/* Every change, to a clean layer and to one that is not. */
static void changed_layers(const char *dir)
{
	static const u32 pages[] = { 0, 1, 2, 3, 64, 65 };
	char name[32];
	unsigned int i, clean, change;

	for (clean = 0; clean < 2; clean++) {
		for (change = 0; change < NR_CHANGES; change++) {
			struct image image = { 0 };

			snprintf(name, sizeof(name), "%s-%02u",
				 clean ? "clean" : "unclean", change);
			open_image(&image, dir, name);
			sample_minimal(&image.sb);
			image.sb.size = 4 * GIB - 10 * MIB - 512;
			image.sb.flags = clean ? DM_CHAIN_F_CLEAN : 0;
			format(&image);
			for (i = 0; i < ARRAY_SIZE(pages); i++)
				put_map(&image, pages[i], 5 + i);
			change_image(&image, change);
			close_image(&image, dir, name);
		}
	}
}

static void whole_layers(const char *dir)
{
	struct image image = { 0 };

	open_image(&image, dir, "full");
	sample_full(&image.sb);
	format(&image);
	put_map(&image, 0, 77);
	if (!close_image(&image, dir, "full"))
		errx(1, "the full sample cannot be read");

	/* Two directory pages, and pages at the end of one and of the map. */
	open_image(&image, dir, "large");
	sample_minimal(&image.sb);
	image.sb.size = 2130840650240;
	image.sb.max_size = 2130840650240;
	format(&image);
	put_map(&image, 32254, 1);
	put_map(&image, 32255, 2);
	put_map(&image, 32256, 3);
	if (!close_image(&image, dir, "large"))
		errx(1, "the large layer cannot be read");

	open_image(&image, dir, "small");
	sample_minimal(&image.sb);
	image.sb.size = 512;
	image.sb.max_size = 512;
	image.sb.block_size = MIB;
	format(&image);
	put_map(&image, 0, 4);
	if (!close_image(&image, dir, "small"))
		errx(1, "the small layer cannot be read");
}

/* Superblocks with any bytes changed and the checksum made right. */
static void damaged_superblocks(const char *dir, unsigned int count)
{
	unsigned int i, n, readable = 0;
	u64 seed = 99;
	char name[32];

	for (i = 0; i < count; i++) {
		struct image image = { 0 };

		snprintf(name, sizeof(name), "damaged-%03u", i);
		open_image(&image, dir, name);
		sample_full(&image.sb);
		image.sb.flags &= ~DM_CHAIN_F_CLEAN;
		format(&image);
		for (n = 1 + random_below(&seed, 2); n; n--) {
			unsigned int at = 24 + 4 * random_below(&seed, (1232 - 24) / 4);

			put_bytes(&image, at, 1 + random_below(&seed, 8),
				  random_below(&seed, 3) ? random_below(&seed, 8) :
				  random_next(&seed));
		}
		put_bytes(&image, 16, 8, 2);
		reseal(&image, 0);
		readable += close_image(&image, dir, name);
	}
	if (readable < count / 10 || readable > count / 10 * 9)
		errx(1, "%u of %u damaged superblocks can be read", readable, count);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(1, "usage: format_image DIR");
	whole_layers(argv[1]);
	changed_layers(argv[1]);
	damaged_superblocks(argv[1], 200);
	return 0;
}
