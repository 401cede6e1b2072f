// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup convert: a snapshot of dm-snapshot becomes a layer, and its origin, which
 * is not written to, a raw base.
 */
#include <errno.h>

#include "convert.h"
#include "snapshot-store.h"

/**
 * struct snapshot - what is converted
 * @origin: it becomes the raw base as it is
 * @origin_mark: whether it was written to meanwhile
 * @cow: what the snapshot has of its own
 * @cow_mark: whether that was
 * @store: the same, read
 * @fill: the layer
 */
struct snapshot {
	struct device origin;
	struct device_mark origin_mark;
	struct device cow;
	struct device_mark cow_mark;
	struct snapshot_store store;
	struct fill fill;
};

/* A chain superblock at the beginning would make another thing of the origin. */
static int check_origin(const struct snapshot *s, struct dm_chain_why *why)
{
	struct dm_chain_sb sb;
	unsigned int slot;
	int ret = super_read(&s->origin, &sb, &slot, why);

	if (ret)
		return ret == -ENODATA ? 0 : ret;
	return dm_chain_refuse(why, -EINVAL,
			       "%s is a layer, and cannot become a raw base",
			       s->origin.path);
}

/* Without its superblock the layer is none, and what it was made of is as it was. */
static int check_unchanged(const struct snapshot *s, struct dm_chain_why *why)
{
	const struct device *dev = device_changed(&s->origin, &s->origin_mark) ?
				   &s->origin : &s->cow;

	if (dev == &s->cow && !device_changed(dev, &s->cow_mark))
		return 0;
	return dm_chain_refuse(why, -EBUSY,
			       "%s was written to while it was read: %s is no layer yet; convert again when nobody writes to it",
			       dev->path, s->fill.new.data.path);
}

/* A snapshot that is in use changes; so does its origin. Not all who write say so. */
static int open_both(struct snapshot *s, char **words, struct dm_chain_why *why)
{
	int ret = device_open(&s->origin, words[0], DEVICE_EXCL, why);

	if (!ret)
		ret = device_open(&s->cow, words[1], DEVICE_EXCL, why);
	if (!ret)
		ret = device_mark(&s->origin, &s->origin_mark, why);
	return ret ? ret : device_mark(&s->cow, &s->cow_mark, why);
}

static int convert(struct snapshot *s, char **words,
		   const struct convert_options *options,
		   struct dm_chain_why *why)
{
	char name[DM_CHAIN_NAME_LEN];
	int ret = open_both(s, words, why);

	if (!ret)
		ret = snapshot_store_open(&s->store, &s->origin, &s->cow,
					  options->block_size, why);
	if (!ret)
		ret = convert_open(&s->fill, words[2],
				   name_from_path(words[1], name),
				   s->origin.size, options, why);
	if (!ret)
		ret = check_origin(s, why);
	if (!ret)
		ret = convert_rest_on_raw(&s->fill, &s->origin, why);
	if (ret || options->dry_run)
		return ret;
	ret = fill_start(&s->fill, why);
	if (!ret)
		ret = blocks_copy(&s->store.source, fill_sink, &s->fill, why);
	if (!ret)
		ret = fill_settle(&s->fill, why);
	if (!ret)
		ret = check_unchanged(s, why);
	return ret ? ret : fill_finish(&s->fill, why);
}

int convert_snapshot(int nr, char **words,
		     const struct convert_options *options,
		     struct dm_chain_why *why)
{
	struct snapshot s = { .origin.fd = -1, .cow.fd = -1 };
	int ret;

	if (nr != 3)
		return dm_chain_refuse(why, -EINVAL,
				       "convert snapshot: name the origin, the COW device and a device for the layer, and nothing else");
	if (options->raw_base)
		return dm_chain_refuse(why, -EINVAL,
				       "convert snapshot: the origin becomes the raw base as it is: --raw-base does not apply");
	if (options->format)
		return dm_chain_refuse(why, -EINVAL,
				       "convert snapshot: there is only one format of exception stores: --format does not apply");
	fill_init(&s.fill);
	ret = convert(&s, words, options, why);
	if (!ret)
		convert_show_layer(options, &s.fill, NULL);
	fill_close(&s.fill);
	snapshot_store_close(&s.store);
	device_close(&s.cow);
	device_close(&s.origin);
	return ret;
}
