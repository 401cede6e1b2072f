// SPDX-License-Identifier: GPL-2.0
/*
 * A small chain of layers in memory, see images.h. The layers are memory files
 * with descriptors, and so with paths, that are the same in each run.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edit.h"
#include "images.h"
#include "sample.h"

#define FIRST_FD	900
#define BLOCK		4096
#define DATA		(MIB + 4 * MIB)	/* metadata and data of a layer */
#define MAX_SIZE	(130 * MIB)	/* three map pages */

enum file { FILE_A, FILE_B, FILE_C, FILE_E_DATA, FILE_E_META, NR_FILES };

/**
 * struct image_file - a device
 * @bytes: its content
 * @size: as it was made
 * @shown: as it is shown
 */
struct image_file {
	char path[32];
	u8 *bytes;
	u64 size;
	u64 shown;
};

static struct image_file files[NR_FILES];
static struct dm_chain_geometry geo;
static u8 pristine[NR_IMAGES][IMAGE_PAGES][DM_CHAIN_PAGE_SIZE];
static unsigned int reads_left;	/* until one fails, 0: none does */
static bool io_failed;

static enum file meta_file(enum image_layer image)
{
	return image == IMAGE_E ? FILE_E_META : (enum file)image;
}

const char *image_path(enum image_layer image)
{
	return files[meta_file(image)].path;
}

const char *image_data_path(enum image_layer image)
{
	return image == IMAGE_E ? files[FILE_E_DATA].path : image_path(image);
}

void *image_page(enum image_layer image, unsigned int page)
{
	unsigned int slot = page % 2;
	u64 offset;

	if (page < IMAGE_DIR)
		offset = dm_chain_sb_offset(slot);
	else if (page < IMAGE_MAP)
		offset = dm_chain_dir_offset(&geo, slot, 0);
	else
		offset = dm_chain_map_offset(&geo, slot, (page - IMAGE_MAP) / 2);
	return files[meta_file(image)].bytes + offset;
}

static void make_file(enum file n, u64 size)
{
	struct image_file *file = &files[n];
	int fd = memfd_create("layer", MFD_CLOEXEC);

	must(fd >= 0 && dup2(fd, FIRST_FD + n) >= 0 && !ftruncate(fd, size), "no memory file");
	close(fd);
	file->size = size;
	file->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, FIRST_FD + n, 0);
	must(file->bytes != MAP_FAILED, "no memory");
	snprintf(file->path, sizeof(file->path), "/proc/self/fd/%u", FIRST_FD + n);
}

static void make_super(enum image_layer image, u64 size, struct dm_chain_sb *sb)
{
	sample_minimal(sb);
	snprintf(sb->name, sizeof(sb->name), "%c", "ABCE"[image]);
	sample_uuid(sb->uuid, 0x10 * image);
	sb->size = size;
	sb->max_size = MAX_SIZE;
	sb->flags = DM_CHAIN_F_CLEAN;
	sb->generation = 3;
	if (image == IMAGE_E) {
		sb->data_size = files[FILE_E_DATA].size;
		strcpy(sb->data_path, files[FILE_E_DATA].path);
	} else {
		sb->data_offset = MIB;
		sb->flags |= DM_CHAIN_F_HAS_OVERLAY;
		sample_uuid(sb->overlay_uuid, 0x10 * (image + 1));
	}
	strcpy(sb->backing.path, image_path(image - 1));
	if (image == IMAGE_B) {
		sb->backing.kind = DM_CHAIN_BACKING_RAW;
		sb->backing.size = files[FILE_A].size;
		return;
	}
	sb->backing.kind = DM_CHAIN_BACKING_LAYER;
	sb->backing.generation = 3;
	sb->backing.size = MIB;
	sample_uuid(sb->backing.uuid, 0x10 * (image - 1));
}

/* Some blocks of data, some zero ones; the first map page only. */
static void make_pages(enum image_layer image, const struct dm_chain_sb *sb)
{
	struct dm_chain_disk_page *page;
	unsigned int slot;

	for (slot = 0; slot < 2; slot++) {
		dm_chain_sb_encode(image_page(image, IMAGE_SUPER + slot), sb);
		page = image_page(image, IMAGE_DIR + slot);
		dm_chain_dir_set(page->payload, 0);
		dm_chain_page_seal(page, DM_CHAIN_DIR_MAGIC, sb->uuid, 0, 2 + slot);
		page = image_page(image, IMAGE_MAP + slot);
		dm_chain_state_fill(page->payload, 10 * image, 20, DM_CHAIN_DATA);
		dm_chain_state_fill(page->payload, 100 * image, 50, DM_CHAIN_ZERO);
		dm_chain_state_set(page->payload, 7, DM_CHAIN_DATA);
		dm_chain_page_seal(page, DM_CHAIN_MAP_MAGIC, sb->uuid, 0, 4 + slot);
	}
}

/* Each sector of each layer says where it is. */
static void make_data(enum file n, u64 start)
{
	u64 at;

	for (at = start; at < files[n].size; at += 512)
		sample_put(files[n].bytes, at, 8, (u64)(n + 1) << 56 | (at - start));
}

void images_reset_data(void)
{
	make_data(FILE_A, 0);
	make_data(FILE_B, MIB);
	make_data(FILE_C, MIB);
	make_data(FILE_E_DATA, 0);
}

static void make_all(void)
{
	static const u64 size[] = { 0, MIB, MIB + 512, MIB + 256 * KIB };
	struct dm_chain_sb sb;
	unsigned int i, page;

	must(!dm_chain_geometry_init(&geo, BLOCK, MAX_SIZE, NULL), "no geometry");
	must(geo.map_pages == IMAGE_MAPS && geo.dir_pages == 1, "%u pages", geo.map_pages);
	make_file(FILE_A, MIB - 512);
	make_file(FILE_B, DATA);
	make_file(FILE_C, DATA);
	make_file(FILE_E_DATA, 4 * MIB);
	make_file(FILE_E_META, geo.end);
	images_reset_data();
	for (i = IMAGE_B; i <= IMAGE_E; i++) {
		make_super(i, size[i], &sb);
		must(!dm_chain_sb_check(&sb, NULL), "layer %u", i);
		make_pages(i, &sb);
		for (page = 0; page < IMAGE_PAGES; page++)
			memcpy(pristine[i][page], image_page(i, page), DM_CHAIN_PAGE_SIZE);
	}
}

void images_heal(void)
{
	unsigned int i;

	for (i = 0; i < NR_FILES; i++)
		files[i].shown = files[i].size;
	reads_left = 0;
	io_failed = false;
}

void images_reset(void)
{
	unsigned int i, page;

	if (!files[0].bytes)
		make_all();
	for (i = IMAGE_B; i <= IMAGE_E; i++)
		for (page = 0; page < IMAGE_PAGES; page++)
			memcpy(image_page(i, page), pristine[i][page], DM_CHAIN_PAGE_SIZE);
	images_heal();
}

bool images_io_failed(void)
{
	return io_failed;
}

enum damage {
	DAMAGE_FIELD,
	DAMAGE_SEALED,	/* a field, and the checksum is right */
	DAMAGE_BOTH,	/* the same in both slots */
	DAMAGE_WIPE,
	DAMAGE_COPY,	/* of any other page of any layer */
	DAMAGE_STATES,	/* as a commit has it that was the last one */
	DAMAGE_SHORT,	/* a device ends early */
	DAMAGE_READ,	/* a read fails */
	NR_DAMAGES
};

static void edit(struct input *in, u8 *at, unsigned int page)
{
	if (page < IMAGE_DIR)
		edit_page(in, at, super_fields, nr_super_fields);
	else
		edit_page(in, at, page_fields, nr_page_fields);
}

static void commit_states(struct input *in, enum image_layer image, unsigned int page)
{
	struct dm_chain_disk_page *map = image_page(image, page);
	struct dm_chain_disk_page *other = image_page(image, page ^ 1);
	u32 n = take_below(in, DM_CHAIN_BLOCKS_PER_PAGE);
	u32 count = take_below(in, DM_CHAIN_BLOCKS_PER_PAGE - n + 1);

	dm_chain_state_fill(map->payload, n, count, take_below(in, 3));
	dm_chain_page_seal(map, DM_CHAIN_MAP_MAGIC, pristine[image][0] + 40,
			   (page - IMAGE_MAP) / 2, dm_chain_page_seq(other) + 1);
}

static void damage_one(struct input *in)
{
	enum damage damage = take_below(in, NR_DAMAGES);
	enum image_layer image = IMAGE_B + take_below(in, 3);
	unsigned int page = take_below(in, IMAGE_PAGES);
	u8 *at = image_page(image, page);

	switch (damage) {
	case DAMAGE_FIELD:
		edit(in, at, page);
		break;
	case DAMAGE_SEALED:
		edit(in, at, page);
		sample_reseal(at);
		break;
	case DAMAGE_BOTH:
		edit(in, at, page);
		sample_reseal(at);
		memcpy(image_page(image, page ^ 1), at, DM_CHAIN_PAGE_SIZE);
		break;
	case DAMAGE_WIPE:
		memset(at, take(in, 1), DM_CHAIN_PAGE_SIZE);
		break;
	case DAMAGE_COPY:
		image = IMAGE_B + take_below(in, 3);
		memmove(at, image_page(image, take_below(in, IMAGE_PAGES)), DM_CHAIN_PAGE_SIZE);
		break;
	case DAMAGE_STATES:
		commit_states(in, image, IMAGE_MAP + page % (2 * IMAGE_MAPS));
		break;
	case DAMAGE_SHORT:
		page %= NR_FILES;
		files[page].shown = min(files[page].size, take(in, 2) * 512);
		break;
	default:
		reads_left = 1 + take(in, 1);
		break;
	}
}

void images_damage(struct input *in)
{
	unsigned int n;

	for (n = take_below(in, 8); n; n--)
		damage_one(in);
}

int __wrap_device_open(struct device *dev, const char *path, unsigned int flags,
		       struct dm_chain_why *why)
{
	unsigned int i;
	int ret;

	for (i = 0; i < NR_FILES && strcmp(path, files[i].path); i++)
		;
	if (i == NR_FILES) {
		*dev = (struct device) { .fd = -1 };
		return dm_chain_refuse(why, -ENOENT, "%s: %s", path, strerror(ENOENT));
	}
	ret = __real_device_open(dev, path, flags, why);
	if (!ret)
		dev->size = files[i].shown;
	return ret;
}

int __wrap_device_read(const struct device *dev, void *buf, size_t len,
		       u64 offset, struct dm_chain_why *why)
{
	if (reads_left && !--reads_left) {
		io_failed = true;
		return dm_chain_refuse(why, -EIO, "%s: read error at byte %llu", dev->path,
				       offset);
	}
	return __real_device_read(dev, buf, len, offset, why);
}

struct __dirstream *__wrap_opendir(const char *path)
{
	return strncmp(path, "/sys/", 5) ? __real_opendir(path) : NULL;
}
