// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup convert: an image of QEMU and those that it rests on become a chain of
 * as many layers.
 */
#include <errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <stdlib.h>

#include "convert.h"
#include "disk-image.h"

/**
 * struct images - what is converted
 * @options: of the user
 * @info: of all images, the uppermost first
 * @nr: how many
 * @fill: what each becomes; not used of a raw base
 * @base: the raw base
 * @in_place: the raw base is the image itself, and stays as it is
 * @top: the uppermost image
 */
struct images {
	const struct convert_options *options;
	struct image_info *info;
	unsigned int nr;
	struct fill *fill;
	struct raw_target base;
	bool in_place;
	struct disk_image top;
};

static bool is_raw_base(const struct images *im, unsigned int i)
{
	return im->options->raw_base && i == im->nr - 1;
}

/* Names are those of the files, and differ within a chain. */
static void choose_name(const struct images *im, unsigned int i, char *name)
{
	char other[DM_CHAIN_NAME_LEN];
	unsigned int n;

	name_from_path(im->info[i].path, name);
	for (n = 0; n < im->nr; n++) {
		name_from_path(im->info[n].path, other);
		if (n == i || strcmp(name, other))
			continue;
		/* Base first, as they are counted. */
		snprintf(name, DM_CHAIN_NAME_LEN, "%.50s-%u", other, im->nr - i);
		return;
	}
}

/* A device of the new chain is none of the images. */
static int check_device(const struct images *im, const struct device *dev,
			struct dm_chain_why *why)
{
	unsigned int n;

	for (n = 0; n < im->nr; n++)
		if (device_is(dev, im->info[n].path))
			return dm_chain_refuse(why, -EINVAL,
					       "%s is the image %s, and cannot become a layer",
					       dev->path, im->info[n].path);
	return 0;
}

static u64 largest(const struct images *im)
{
	u64 size = 0;
	unsigned int i;

	for (i = 0; i < im->nr; i++)
		size = max(size, im->info[i].size);
	return size;
}

/* Is it the image itself? Then it is what it has to be, and others may use it. */
static int open_in_place(struct images *im, const char *path,
			 struct dm_chain_why *why)
{
	const struct image_info *info = &im->info[im->nr - 1];
	struct dm_chain_sb sb;
	unsigned int slot;
	int ret;

	if (strcmp(info->format, "raw"))
		return 0;
	ret = device_open(&im->base.dev, path, 0, why);
	im->in_place = !ret && device_is(&im->base.dev, info->path);
	if (ret || !im->in_place) {
		device_close(&im->base.dev);
		return ret;
	}
	if (im->base.dev.size != info->size)
		return dm_chain_refuse(why, -EINVAL,
				       "%s has %llu bytes, of which a raw base shows %llu: name another device for it",
				       path, info->size, im->base.dev.size);
	ret = super_read(&im->base.dev, &sb, &slot, why);
	if (ret && ret != -ENODATA)
		return ret;
	if (!ret)
		return dm_chain_refuse(why, -EINVAL, "%s is a layer, and no raw base",
				       path);
	return 0;
}

static int open_base(struct images *im, const char *path, struct dm_chain_why *why)
{
	int ret = open_in_place(im, path, why);

	if (ret || im->in_place)
		return ret;
	ret = raw_open(&im->base, path, im->info[im->nr - 1].size, true,
		       im->options->force, why);
	return ret ? ret : check_device(im, &im->base.dev, why);
}

/* All that can be refused is, before anything is written. */
static int open_targets(struct images *im, char **target, struct dm_chain_why *why)
{
	char name[DM_CHAIN_NAME_LEN];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < im->nr && !ret; i++) {
		struct new_layer *new = &im->fill[i].new;

		if (is_raw_base(im, i))
			return open_base(im, target[i], why);
		choose_name(im, i, name);
		ret = convert_open(&im->fill[i], target[i], name,
				   im->info[i].size, im->options, why);
		if (!ret)
			ret = check_device(im, &new->data, why);
		if (!ret && new->meta.fd >= 0)
			ret = check_device(im, &new->meta, why);
	}
	return ret;
}

static int bind(struct images *im, struct dm_chain_why *why)
{
	struct fill *lowest = &im->fill[im->nr - 1];
	unsigned int i;
	int ret = 0;

	if (!im->options->raw_base)
		lowest->new.sb.backing.kind = DM_CHAIN_BACKING_NONE;
	for (i = 0; i + 1 < im->nr && !ret; i++)
		ret = is_raw_base(im, i + 1) ?
		      convert_rest_on_raw(&im->fill[i], &im->base.dev, why) :
		      convert_rest_on(&im->fill[i], &im->fill[i + 1], why);
	return ret;
}

static int raw_sink(void *context, enum dm_chain_state state, u64 block,
		    u64 count, const void *data, struct dm_chain_why *why)
{
	struct images *im = context;
	u64 start = block * im->options->block_size;
	u64 end = start + count * im->options->block_size;

	return raw_write(&im->base, start,
			 min(end, im->info[im->nr - 1].size) - start,
			 state == DM_CHAIN_DATA ? data : NULL, why);
}

/*
 * A raw base shows all of its device, an image nothing behind its end.
 */
static int copy_base(struct images *im, struct disk_image *image,
		     struct dm_chain_why *why)
{
	u64 size = image->source.size, end = min(im->base.dev.size, largest(im));
	int ret = raw_start(&im->base, why);

	if (!ret)
		ret = blocks_copy(&image->source, raw_sink, im, why);
	if (!ret && end > size)
		ret = raw_write(&im->base, size, end - size, NULL, why);
	return ret ? ret : raw_settle(&im->base, why);
}

static int copy_image(struct images *im, unsigned int i, struct dm_chain_why *why)
{
	struct disk_image image;
	int ret;

	if (is_raw_base(im, i) && im->in_place)
		return 0;
	ret = disk_image_open(&image, &im->info[i], im->options->block_size,
			      why);
	if (!ret && is_raw_base(im, i)) {
		ret = copy_base(im, &image, why);
	} else if (!ret) {
		ret = fill_start(&im->fill[i], why);
		if (!ret)
			ret = blocks_copy(&image.source, fill_sink,
					  &im->fill[i], why);
		if (!ret)
			ret = fill_settle(&im->fill[i], why);
	}
	disk_image_close(&image);
	return ret;
}

static void print_all(const struct images *im)
{
	const struct convert_options *options = im->options;
	unsigned int i;

	for (i = im->nr; i-- > 0; ) {
		const struct image_info *info = &im->info[i];

		if (is_raw_base(im, i))
			convert_show_raw(options, &im->base.dev, info);
		else
			convert_show_layer(options, &im->fill[i], info);
		if (info->guessed && !i)
			convert_note(options,
				     "%s: note: its format was not given, and %s is a guess: --format says it",
				     info->path, info->format);
		else if (info->guessed)
			convert_note(options,
				     "%s: note: its format is not recorded, and %s is a guess: \"qemu-img rebase -u -b %s -F FORMAT %s\" records it",
				     info->path, info->format, info->path,
				     im->info[i - 1].path);
		if (info->snapshots)
			convert_note(options,
				     "%s: note: its %u internal snapshots are not converted",
				     info->path, info->snapshots);
	}
}

static int convert(struct images *im, char **target, struct dm_chain_why *why)
{
	unsigned int i;
	/* While the uppermost is open nobody can write to any of them. */
	int ret = disk_image_open(&im->top, &im->info[0],
				  im->options->block_size, why);

	if (!ret)
		ret = open_targets(im, target, why);
	if (!ret)
		ret = bind(im, why);
	if (ret || im->options->dry_run)
		return ret;
	for (i = im->nr; i-- > 0 && !ret; )
		ret = copy_image(im, i, why);
	for (i = im->nr; i-- > 0 && !ret; )
		ret = is_raw_base(im, i) ? raw_finish(&im->base, why) :
					   fill_finish(&im->fill[i], why);
	return ret;
}

int convert_images(int nr, char **words, const struct convert_options *options,
		   struct dm_chain_why *why)
{
	struct images im = { .options = options, .base.dev.fd = -1 };
	unsigned int i;
	char *text;
	int ret = images_info(words[0], options->format, &im.info, &im.nr, why);

	im.fill = xalloc(im.nr, sizeof(*im.fill));
	for (i = 0; i < im.nr; i++)
		fill_init(&im.fill[i]);
	if (!ret && im.nr > DM_CHAIN_MAX_LAYERS) {
		ret = dm_chain_refuse(why, -E2BIG,
				      "%s rests on %u images, of %u that are possible",
				      words[0], im.nr - 1, DM_CHAIN_MAX_LAYERS - 1);
	} else if (!ret && im.nr != nr - 1) {
		text = images_text(im.info, im.nr);
		ret = dm_chain_refuse(why, -EINVAL,
				      "there are %u images and %d devices: name one for each, in this order: %.250s",
				      im.nr, nr - 1, text);
		free(text);
	} else if (!ret && options->raw_base && im.nr == 1) {
		ret = dm_chain_refuse(why, -EINVAL,
				      "%s rests on nothing: with --raw-base no layer is left",
				      words[0]);
	}
	if (!ret)
		ret = convert(&im, words + 1, why);
	if (!ret)
		print_all(&im);
	for (i = 0; i < im.nr; i++)
		fill_close(&im.fill[i]);
	raw_close(&im.base);
	disk_image_close(&im.top);
	free(im.fill);
	images_free(im.info, im.nr);
	return ret;
}
