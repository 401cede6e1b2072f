// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup resize: the active layer grows while it is in use.
 *
 * A longer table line is all that the target needs: load, suspend, resume.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "resize.h"

/*
 * The size that the layer may have at most is in its superblock only. Nobody
 * changes that of a layer in use, so it can be read beside the target.
 */
static int read_limits(struct resize *resize, const struct reply_line *active,
		       struct dm_chain_why *why)
{
	char *path = devno_path(reply_get(active, "metadata"));
	unsigned int slot;
	struct dm_chain_sb sb;
	struct device dev;
	int ret;

	ret = device_open(&dev, path, 0, why);
	if (!ret) {
		ret = super_read(&dev, &sb, &slot, why);
		device_close(&dev);
	}
	free(path);
	if (ret)
		return ret;
	resize->max_size = sb.max_size;
	resize->data_offset = sb.data_offset;

	ret = device_open(&dev, resize->device, 0, why);
	if (ret)
		return ret;
	resize->data_size = dev.size;
	device_close(&dev);
	return 0;
}

static int choose_size(const struct live *live, u64 wanted, u64 *size,
		       struct dm_chain_why *why)
{
	const struct reply_line *active;
	struct resize resize = { 0 };
	struct reply layers;
	char *path = NULL;
	int ret;

	ret = live_query(live->name, "layers", &layers, why);
	if (ret)
		return ret;
	active = reply_find(&layers, "state", "active");
	if (!active) {
		ret = dm_chain_refuse(why, -EPROTO,
				      "the target names no active layer");
	} else if (!strcmp(reply_get(active, "metadata"), "-")) {
		ret = dm_chain_refuse(why, -EROFS,
				      "layer %s is a raw device: it cannot grow: take a snapshot onto a layer of the size wanted",
				      reply_get(active, "name"));
	} else {
		path = devno_path(reply_get(active, "data"));
		resize.layer = reply_get(active, "name");
		resize.device = path;
		resize.now = live->sectors << 9;
		resize.wanted = wanted;
		ret = read_limits(&resize, active, why);
	}
	if (!ret)
		ret = resize_choose(&resize, size, why);
	free(path);
	reply_free(&layers);
	return ret;
}

/**
 * struct resize_options - what the user wants
 * @size: bytes; 0 = all there is room for
 * @dry_run: change nothing
 * @json: print an object
 */
struct resize_options {
	u64 size;
	bool dry_run;
	bool json;
};

static void show_resize(const char *name, u64 was, u64 size,
			const struct resize_options *options)
{
	struct json_object *object;
	char before[32], after[32];

	human_size(was, before);
	human_size(size, after);
	if (options->json) {
		object = json_object_new_object();
		json_flag(object, "dry-run", options->dry_run);
		json_text(object, "device", name);
		json_number(object, "size", size);
		json_number(object, "was", was);
		print_json(object);
	} else if (size == was) {
		say("%s: %s already", name, after);
	} else if (options->dry_run) {
		say("%s would be: %s, is %s", name, after, before);
		puts("nothing was changed");
	} else {
		say("%s: %s, was %s", name, after, before);
	}
}

static int resize_device(const char *name, const struct resize_options *options,
			 struct dm_chain_why *why)
{
	struct live live;
	u64 size = 0;
	int ret;

	ret = live_open_for(&live, name, options->dry_run, why);
	if (!ret && live.read_only)
		ret = dm_chain_refuse(why, -EROFS,
				      "it is read-only: close it, and open it without --read-only");
	if (!ret)
		ret = choose_size(&live, options->size, &size, why);
	if (!ret && size != live.sectors << 9 && !options->dry_run)
		ret = live_replace(&live, size >> 9, live.table, false, why);
	if (!ret)
		show_resize(name, live.sectors << 9, size, options);
	live_close(&live);
	return ret;
}

int cmd_resize(int argc, char **argv)
{
	static const struct option options[] = {
		{ "size", required_argument, NULL, 's' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct resize_options resize = { 0 };
	struct dm_chain_why why = { "" };
	int c, ret;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return 1;
		if (c == 's' && parse_device_size(optarg, &resize.size, &why))
			return complain_why(&why);
		resize.dry_run |= c == 'd';
		resize.json |= c == 'j';
	}
	if (!operands_ok(argc, argv, 1, 1))
		return 1;
	ret = target_available(&why);
	if (ret)
		return complain_why(&why);
	ret = resize_device(argv[optind], &resize, &why);
	if (ret == -ENOTRECOVERABLE || ret == -ENODEV)
		return complain_why(&why);
	if (ret)
		return complain("%s is unchanged: %s", argv[optind], why.text);
	return 0;
}
