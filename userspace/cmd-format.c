// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup format: a new, empty layer.
 */
#include <errno.h>
#include <linux/string.h>
#include <uuid/uuid.h>

#include "json.h"
#include "new-layer.h"
#include "stream.h"

/* What libblkid does not know, but stands on devices and is dear to somebody. */
static int check_image(const struct device *dev, struct dm_chain_why *why)
{
	static const struct {
		const char *magic;
		const char *name;
	} kinds[] = {
		{ "QFI\xfb", "an image of QEMU, qcow2" },
		{ "QED", "an image of QEMU, qed" },
		{ "KDMV", "an image of VMware" },
		{ "vhdxfile", "an image of Hyper-V" },
		{ STREAM_MAGIC, "a stream that \"chainsetup export\" wrote" },
	};
	u8 page[DM_CHAIN_PAGE_SIZE];
	unsigned int i;
	int ret;

	if (dev->size < sizeof(page))
		return 0;
	ret = device_read(dev, page, sizeof(page), 0, why);
	for (i = 0; !ret && i < ARRAY_SIZE(kinds); i++)
		if (!memcmp(page, kinds[i].magic, strlen(kinds[i].magic)))
			ret = dm_chain_refuse(why, -EEXIST,
					      "%s is %s; --force overwrites it",
					      dev->path, kinds[i].name);
	return ret;
}

int device_check_unused(const struct device *dev, struct dm_chain_why *why)
{
	char type[64], uuid[DM_CHAIN_UUID_TEXT];
	struct dm_chain_sb sb;
	unsigned int slot;
	int ret;

	ret = super_read(dev, &sb, &slot, NULL);
	/* Nobody can have put anything else there. */
	if (ret == -EUCLEAN)
		return 0;
	if (ret == 0) {
		dm_chain_uuid_format(sb.uuid, uuid);
		return dm_chain_refuse(why, -EEXIST,
				       "%s already is the layer %s, %s: --force overwrites it",
				       dev->path, sb.name, uuid);
	}
	if (ret != -ENODATA)
		return dm_chain_refuse(why, -EEXIST,
				       "%s carries a chain superblock that cannot be used: --force overwrites it",
				       dev->path);
	ret = device_signature(dev, type, sizeof(type), why);
	if (ret < 0)
		return ret;
	if (ret)
		return dm_chain_refuse(why, -EEXIST,
				       "%s carries a signature: %s; --force overwrites it",
				       dev->path, type);
	return check_image(dev, why);
}

int device_wipe_super(const struct device *dev, struct dm_chain_why *why)
{
	static const u8 zeros[DM_CHAIN_PAGE_SIZE];
	struct dm_chain_sb sb;
	unsigned int slot;
	int ret;

	if (super_read(dev, &sb, &slot, NULL) == -ENODATA)
		return 0;
	for (slot = 0, ret = 0; slot < 2 && !ret; slot++)
		if (dm_chain_sb_offset(slot) + sizeof(zeros) <= dev->size)
			ret = device_write(dev, zeros, sizeof(zeros),
					   dm_chain_sb_offset(slot), why);
	return ret ? ret : device_sync(dev, why);
}

static int open_devices(struct new_layer *t, const struct format_options *o,
			struct dm_chain_why *why)
{
	unsigned int flags = DEVICE_WRITE | DEVICE_EXCL |
			     (o->dry_run ? DEVICE_DRY : 0);
	int ret;

	ret = device_open(&t->data, o->data, flags, why);
	if (!ret && o->meta && device_is(&t->data, o->meta))
		return dm_chain_refuse(why, -EINVAL,
				       "%s cannot be a metadata device of its own for %s: leave that out for inline metadata",
				       o->meta, o->data);
	if (!ret && o->meta)
		ret = device_open(&t->meta, o->meta, flags, why);
	if (ret)
		return ret;
	if (o->force)
		why = o->overwrites;
	if (o->force && !why)
		return 0;
	ret = device_check_unused(&t->data, why);
	if (!ret && o->meta)
		ret = device_check_unused(&t->meta, why);
	return o->force ? 0 : ret;
}

int backing_reference(struct dm_chain_backing *ref, const struct layer *layer,
		      struct dm_chain_why *why)
{
	memset(ref, 0, sizeof(*ref));
	ref->kind = layer->raw ? DM_CHAIN_BACKING_RAW : DM_CHAIN_BACKING_LAYER;
	ref->size = layer_size(layer);
	if (!layer->raw) {
		memcpy(ref->uuid, layer->sb.uuid, DM_CHAIN_UUID_LEN);
		ref->generation = layer->sb.generation;
	}
	return super_set_path(ref->path, layer->meta.path, why);
}

static int set_backing(struct new_layer *t, const struct format_options *o,
		       struct dm_chain_why *why)
{
	int ret;

	if (!o->backing) {
		t->sb.backing.kind = DM_CHAIN_BACKING_UNSET;
		return 0;
	}
	ret = layer_open(&t->backing, o->backing, NULL,
			 LAYER_ANY | LAYER_META_ONLY, why);
	if (ret)
		return ret;
	ret = backing_reference(&t->sb.backing, &t->backing, why);
	/* Not bound yet: it may be in use, and still be written to. */
	t->sb.backing.generation = 0;
	if (!ret &&
	    (device_same(&t->backing.meta, &t->data) ||
	     (t->meta.fd >= 0 && device_same(&t->backing.meta, &t->meta))))
		ret = dm_chain_refuse(why, -EINVAL,
				      "%s cannot rest on itself: name another --backing",
				      o->backing);
	if (!ret && !t->backing.raw &&
	    !strcmp(t->backing.sb.data_path, t->data.path))
		ret = dm_chain_refuse(why, -EINVAL,
				      "%s is the data device of the backing %s: use another device",
				      o->data, o->backing);
	return ret;
}

static int set_block_size(struct new_layer *t, const struct format_options *o,
			  struct dm_chain_why *why)
{
	u64 size = o->block_size;
	bool given = t->sb.backing.kind == DM_CHAIN_BACKING_LAYER;

	if (!size)
		size = given ? t->backing.sb.block_size : DM_CHAIN_MIN_BLOCK;
	if (!dm_chain_block_size_valid(size))
		return dm_chain_refuse(why, -EINVAL,
				       "a block size of %llu bytes is not possible: a power of two from %u to %u is",
				       size, DM_CHAIN_MIN_BLOCK,
				       DM_CHAIN_MAX_BLOCK);
	if (given && size != t->backing.sb.block_size)
		return dm_chain_refuse(why, -EINVAL,
				       "a block size of %llu bytes does not fit the backing %s, which has %u: leave --block-size out",
				       size, o->backing,
				       t->backing.sb.block_size);
	t->sb.block_size = size;
	return 0;
}

/* The geometry, and the offset of the data, for a size. */
static int lay_out(struct new_layer *t, u64 size, u64 max_size,
		   struct dm_chain_why *why)
{
	int ret;

	if (!max_size)
		max_size = size > ~0ULL / 8 ? size : size * 4;
	ret = dm_chain_geometry_init(&t->geo, t->sb.block_size, max_size, why);
	t->sb.size = size;
	t->sb.max_size = max_size;
	t->sb.data_offset = t->meta.fd < 0 ? t->geo.data_offset : 0;
	return ret;
}

/*
 * The data device's size, less the metadata area, the size of which follows
 * from the size: begin with all and give way until both fit.
 */
static int lay_out_whole(struct new_layer *t, u64 max_size,
			 struct dm_chain_why *why)
{
	u64 size = t->data.size;
	int ret = 0;

	while (size) {
		ret = lay_out(t, size, max_size, why);
		if (ret || t->sb.data_offset + size <= t->data.size)
			break;
		size = t->data.size > t->sb.data_offset ?
		       t->data.size - t->sb.data_offset : 0;
	}
	if (ret || size)
		return ret;
	return dm_chain_refuse(why, -ENOSPC,
			       "%s has %llu bytes: too small for inline metadata and a block of data: use a larger one, or --metadata",
			       t->data.path, t->data.size);
}

static int set_sizes(struct new_layer *t, const struct format_options *o,
		     struct dm_chain_why *why)
{
	bool has_backing = t->sb.backing.kind != DM_CHAIN_BACKING_UNSET;
	u64 size = o->size, room;
	int ret;

	if (!size && has_backing)
		size = t->sb.backing.size;
	if (size && o->max_size && o->max_size < size)
		return dm_chain_refuse(why, -EINVAL,
				       "the maximal size of %llu bytes is below the size, %llu: give a larger --max-size, or none",
				       o->max_size, size);
	ret = size ? lay_out(t, size, o->max_size, why) :
		     lay_out_whole(t, o->max_size, why);
	if (ret)
		return ret;
	room = t->data.size > t->sb.data_offset ?
	       t->data.size - t->sb.data_offset : 0;
	if (t->sb.size > room && !o->size)
		return dm_chain_refuse(why, -ENOSPC,
				       "%s has room for %llu bytes of data, but the backing %s has %llu: use a larger device or --size",
				       o->data, room, o->backing,
				       t->sb.backing.size);
	if (t->sb.size > room)
		return dm_chain_refuse(why, -ENOSPC,
				       "%s has room for %llu bytes of data, not for %llu: use a larger device or a smaller --size",
				       o->data, room, t->sb.size);
	if (t->sb.max_size < t->sb.size)
		return dm_chain_refuse(why, -EINVAL,
				       "the maximal size of %llu bytes is below the size, %llu: give a larger --max-size, or none",
				       t->sb.max_size, t->sb.size);
	if (new_layer_meta(t)->size < t->geo.end)
		return dm_chain_refuse(why, -ENOSPC,
				       "%s has %llu bytes, but the metadata takes %llu: a lower --max-size takes less",
				       new_layer_meta(t)->path,
				       new_layer_meta(t)->size, t->geo.end);
	return 0;
}

static int set_names(struct new_layer *t, const struct format_options *o,
		     struct dm_chain_why *why)
{
	if (o->name && !dm_chain_name_valid(o->name))
		return dm_chain_refuse(why, -EINVAL,
				       "%s is not a layer name: 1 to 63 letters, digits and _.+- are, the first a letter, digit or _, and not \"zero\"",
				       *o->name ? o->name : "an empty word");
	if (o->name)
		strscpy(t->sb.name, o->name, sizeof(t->sb.name));
	else
		name_from_path(o->data, t->sb.name);
	if (t->meta.fd < 0)
		return 0;
	return super_set_path(t->sb.data_path, t->data.path, why);
}

int new_layer_open(struct new_layer *t, const struct format_options *options,
		   struct dm_chain_why *why)
{
	int ret;

	*t = (struct new_layer) {
		.data.fd = -1, .meta.fd = -1,
		.backing = { .data.fd = -1, .meta.fd = -1 },
		.sb = { .seq = 1, .generation = 1, .flags = DM_CHAIN_F_CLEAN },
	};
	uuid_generate(t->sb.uuid);
	ret = open_devices(t, options, why);
	if (!ret)
		ret = set_backing(t, options, why);
	if (!ret)
		ret = set_block_size(t, options, why);
	if (!ret)
		ret = set_sizes(t, options, why);
	if (!ret)
		ret = set_names(t, options, why);
	t->sb.data_size = t->data.size;
	return ret;
}

void new_layer_close(struct new_layer *t)
{
	layer_close(&t->backing);
	device_close(&t->data);
	device_close(&t->meta);
}

/* A page that was never there before: the same in both slots. */
static int write_slots(const struct new_layer *t, const char *magic, u32 index,
		       u8 *payload, struct dm_chain_why *why)
{
	bool map = !strcmp(magic, DM_CHAIN_MAP_MAGIC);
	struct dm_chain_disk_page page = { };
	unsigned int slot;
	int ret = 0;

	if (payload)
		memcpy(page.payload, payload, sizeof(page.payload));
	dm_chain_page_seal(&page, magic, t->sb.uuid, index, 1);
	for (slot = 0; slot < 2 && !ret; slot++)
		ret = device_write(new_layer_meta(t), &page, sizeof(page),
				   map ? dm_chain_map_offset(&t->geo, slot, index) :
					 dm_chain_dir_offset(&t->geo, slot, index),
				   why);
	return ret;
}

int new_layer_write_map(const struct new_layer *t, u8 **page,
			struct dm_chain_why *why)
{
	u8 names[DM_CHAIN_PAYLOAD];
	u32 d, n, index;
	int ret = 0;

	for (d = 0; d < t->geo.dir_pages && !ret; d++) {
		memset(names, 0, sizeof(names));
		for (n = 0; page && n < DM_CHAIN_PAGES_PER_DIR && !ret; n++) {
			index = d * DM_CHAIN_PAGES_PER_DIR + n;
			if (index == t->geo.map_pages)
				break;
			if (!page[index])
				continue;
			dm_chain_dir_set(names, n);
			ret = write_slots(t, DM_CHAIN_MAP_MAGIC, index,
					  page[index], why);
		}
		if (!ret)
			ret = write_slots(t, DM_CHAIN_DIR_MAGIC, d, names, why);
	}
	return ret ? ret : device_sync(new_layer_meta(t), why);
}

int new_layer_write_super(const struct new_layer *t, struct dm_chain_why *why)
{
	u8 page[DM_CHAIN_PAGE_SIZE];
	unsigned int slot;
	int ret = 0;

	dm_chain_sb_encode(page, &t->sb);
	for (slot = 0; slot < 2 && !ret; slot++)
		ret = device_write(new_layer_meta(t), page, sizeof(page),
				   dm_chain_sb_offset(slot), why);
	return ret ? ret : device_sync(new_layer_meta(t), why);
}

int format_layer(const struct format_options *options, struct dm_chain_sb *sb,
		 struct dm_chain_why *why)
{
	struct new_layer t;
	int ret = new_layer_open(&t, options, why);

	if (!ret && !options->dry_run)
		ret = device_wipe_super(&t.data, why);
	if (!ret && !options->dry_run && t.meta.fd >= 0)
		ret = device_wipe_super(&t.meta, why);
	if (!ret && !options->dry_run)
		ret = new_layer_write_map(&t, NULL, why);
	if (!ret && !options->dry_run)
		ret = new_layer_write_super(&t, why);
	*sb = t.sb;
	new_layer_close(&t);
	return ret;
}

static void format_json(const struct format_options *format,
			const struct dm_chain_sb *sb)
{
	struct json_object *object = json_object_new_object();

	json_flag(object, "dry-run", format->dry_run);
	json_text(object, "device", format->data);
	json_text(object, "metadata", format->meta);
	json_text(object, "name", sb->name);
	json_uuid(object, "uuid", format->dry_run ? NULL : sb->uuid);
	json_number(object, "data-offset", sb->data_offset);
	json_number(object, "size", sb->size);
	json_number(object, "max-size", sb->max_size);
	json_number(object, "block-size", sb->block_size);
	json_text(object, "backing", format->backing);
	json_text(object, "overwrites", *format->overwrites->text ?
		  format->overwrites->text : NULL);
	print_json(object);
}

static void format_text(const struct format_options *format,
			const struct dm_chain_sb *sb)
{
	char uuid[DM_CHAIN_UUID_TEXT], size[32], max[32], block[32], offset[32];

	dm_chain_uuid_format(sb->uuid, uuid);
	if (!format->dry_run) {
		say("name=%s uuid=%s data-offset=%llu size=%llu", sb->name,
		    uuid, sb->data_offset, sb->size);
		return;
	}
	say("would make %s the layer %s: size %s, %s at most, blocks of %s, data at %s",
	    format->data, sb->name, human_size(sb->size, size),
	    human_size(sb->max_size, max), human_size(sb->block_size, block),
	    place_text(sb->data_offset, offset));
	say("would write the metadata to %s", format->meta ?: format->data);
	if (format->backing)
		say("would rest on %s", format->backing);
	if (*format->overwrites->text)
		say("would overwrite: %s", format->overwrites->text);
	puts("nothing was changed");
}

int cmd_format(int argc, char **argv)
{
	static const struct option options[] = {
		{ "size", required_argument, NULL, 's' },
		{ "max-size", required_argument, NULL, 'x' },
		{ "block-size", required_argument, NULL, 'b' },
		{ "metadata", required_argument, NULL, 'm' },
		{ "backing", required_argument, NULL, 'B' },
		{ "name", required_argument, NULL, 'n' },
		{ "force", no_argument, NULL, 'f' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ }
	};
	struct dm_chain_why overwrites = { "" }, why;
	struct format_options format = { .overwrites = &overwrites };
	bool json = false;
	struct dm_chain_sb sb;
	int c, ret = 0;

	while ((c = next_option(argc, argv, options)) != -1) {
		switch (c) {
		case 's':
			ret = parse_device_size(optarg, &format.size, &why);
			break;
		case 'x':
			ret = parse_device_size(optarg, &format.max_size, &why);
			break;
		case 'b':
			ret = parse_device_size(optarg, &format.block_size, &why);
			break;
		case 'm':
			format.meta = optarg;
			break;
		case 'B':
			format.backing = optarg;
			break;
		case 'n':
			format.name = optarg;
			break;
		case 'f':
			format.force = true;
			break;
		case 'd':
			format.dry_run = true;
			break;
		case 'j':
			json = true;
			break;
		default:
			return 1;
		}
		if (ret)
			return complain_why(&why);
	}
	if (!operands_ok(argc, argv, 1, 1))
		return 1;
	format.data = argv[optind];
	if (format_layer(&format, &sb, &why))
		return complain_why(&why);
	if (json)
		format_json(&format, &sb);
	else
		format_text(&format, &sb);
	return 0;
}
