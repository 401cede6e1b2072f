// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: snapshot and release: the commands that reload a live chain.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"

#define DEVNO_TEXT	32	/* "major:minor", as device_number() wants it */

/**
 * struct snapshot - what the user wants
 * @device: dm name
 * @format: the new layer, and whether it is a dry run
 * @json: print an object
 */
struct snapshot {
	const char *device;
	struct format_options format;
	bool json;
};

/* "major:minor" of the device with the superblock of a line's last layer. */
static const char *active_meta(const struct line_words *line)
{
	return line->layer[line->nr_layers - 1].meta;
}

static int check_name(const struct line_words *line, const char *name,
		      struct dm_chain_why *why)
{
	unsigned int i;

	if (!dm_chain_name_valid(name))
		return dm_chain_refuse(why, -EINVAL,
				       "\"%.64s\" is no name for a layer: 1 to 63 letters, digits and _.+- are, the first a letter, digit or _",
				       name);
	for (i = 0; i < line->nr_layers; i++)
		if (!strcmp(line->layer[i].name, name))
			return dm_chain_refuse(why, -EEXIST,
					       "the chain has a layer %s already: choose another --name",
					       name);
	return 0;
}

/* Find out the device numbers that the table line has to name. */
static int new_layer_devices(const struct snapshot *snapshot, char *data,
			     char *meta, struct dm_chain_why *why)
{
	struct device dev;
	int ret;

	ret = device_open(&dev, snapshot->format.data, 0, why);
	if (ret)
		return ret;
	if (!device_is_block(&dev))
		ret = dm_chain_refuse(why, -ENOTBLK,
				      "%s is no block device: attach it with losetup",
				      snapshot->format.data);
	else
		device_number(&dev, data);
	device_close(&dev);
	if (ret)
		return ret;
	if (!snapshot->format.meta) {
		memcpy(meta, data, DEVNO_TEXT);
		return 0;
	}

	ret = device_open(&dev, snapshot->format.meta, 0, why);
	if (ret)
		return ret;
	if (!device_is_block(&dev))
		ret = dm_chain_refuse(why, -ENOTBLK,
				      "%s is no block device: attach it with losetup",
				      snapshot->format.meta);
	else
		device_number(&dev, meta);
	device_close(&dev);
	return ret;
}

/* The line with one more layer on top. */
static char *longer_line(const struct line_words *line, const char *name,
			 const char *data, const char *meta)
{
	char *text = xasprintf("%u", line->nr_layers + 1), *next;
	unsigned int i;

	for (i = 0; i < line->nr_layers; i++) {
		next = xasprintf("%s %s %s %s", text, line->layer[i].name,
				 line->layer[i].data, line->layer[i].meta);
		free(text);
		text = next;
	}
	next = xasprintf("%s %s %s %s%s%s", text, name, data, meta,
			 line->features[0] ? " " : "", line->features);
	free(text);
	return next;
}

static void show_snapshot(const struct snapshot *snapshot,
			  const struct live *live, const char *below,
			  const char *name, const struct dm_chain_sb *sb,
			  const char *table)
{
	const struct format_options *format = &snapshot->format;
	struct json_object *object;
	char size[32];

	if (snapshot->json) {
		object = json_object_new_object();
		json_flag(object, "dry-run", format->dry_run);
		json_text(object, "device", live->name);
		json_text(object, "layer", name);
		json_text(object, "backing", below);
		json_uuid(object, "uuid", format->dry_run ? NULL : sb->uuid);
		json_number(object, "size", sb->size);
		json_text(object, "overwrites", *format->overwrites->text ?
			  format->overwrites->text : NULL);
		print_json(object);
		return;
	}
	if (!format->dry_run) {
		say("%s: [%s] <- [%s], active", live->name, below, name);
		return;
	}
	say("would make %s the layer %s, size %s", format->data, name,
	    human_size(sb->size, size));
	if (*format->overwrites->text)
		say("would overwrite: %s", format->overwrites->text);
	say("would load: 0 %llu %s %s", sb->size >> 9, TARGET_NAME, table);
	say("%s would be: [%s] <- [%s], active", live->name, below, name);
	puts("nothing was changed");
}

static int snapshot_take(struct snapshot *snapshot, const struct live *live,
			 struct line_words *line, struct dm_chain_why *why)
{
	const char *taken[DM_CHAIN_MAX_LAYERS];
	char name[DM_CHAIN_NAME_LEN];
	char data[DEVNO_TEXT], meta[DEVNO_TEXT], *table, *backing;
	struct dm_chain_sb sb;
	unsigned int i;
	int ret = 0;

	if (line->nr_layers == DM_CHAIN_MAX_LAYERS)
		return dm_chain_refuse(why, -E2BIG,
				       "%s has %u layers, which is the most: stream first",
				       live->name, line->nr_layers);
	if (live->read_only)
		ret = dm_chain_refuse(why, -EROFS,
				      "%s is read-only: close it, and open it without --read-only",
				      live->name);
	if (!ret && snapshot->format.name)
		ret = check_name(line, snapshot->format.name, why);
	if (!ret && snapshot->format.size &&
	    snapshot->format.size < live->sectors << 9)
		ret = dm_chain_refuse(why, -EINVAL,
				      "the new layer would be smaller than %s, which has %llu bytes: give a larger --size, or none",
				      live->name, live->sectors << 9);
	if (!ret)
		ret = new_layer_devices(snapshot, data, meta, why);
	if (ret)
		return ret;

	if (!snapshot->format.size)
		snapshot->format.size = live->sectors << 9;
	backing = devno_path(active_meta(line));
	snapshot->format.backing = backing;
	ret = format_layer(&snapshot->format, &sb, why);
	free(backing);
	if (ret)
		return ret;

	for (i = 0; i < line->nr_layers; i++)
		taken[i] = line->layer[i].name;
	memcpy(name, sb.name, sizeof(name));
	unique_name(taken, line->nr_layers, name);

	table = longer_line(line, name, data, meta);
	if (!snapshot->format.dry_run)
		ret = live_replace(live, sb.size >> 9, table, true, why);
	if (!ret)
		show_snapshot(snapshot, live,
			      line->layer[line->nr_layers - 1].name, name, &sb,
			      table);
	free(table);
	if (!ret && !snapshot->format.dry_run && !snapshot->json)
		chaintab_outdated(live->name, sb.uuid);
	return ret;
}

int cmd_snapshot(int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "metadata", required_argument, NULL, 'm' },
		{ "size", required_argument, NULL, 's' },
		{ "force", no_argument, NULL, 'f' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct dm_chain_why overwrites = { "" };
	struct snapshot snapshot = { .format.overwrites = &overwrites };
	struct line_words line;
	struct dm_chain_why why;
	struct live live;
	int c, ret;

	while ((c = next_option(argc, argv, options)) != -1) {
		switch (c) {
		case 'n':
			snapshot.format.name = optarg;
			break;
		case 'm':
			snapshot.format.meta = optarg;
			break;
		case 's':
			if (parse_device_size(optarg, &snapshot.format.size,
					      &why))
				return complain_why(&why);
			break;
		case 'f':
			snapshot.format.force = true;
			break;
		case 'd':
			snapshot.format.dry_run = true;
			break;
		case 'j':
			snapshot.json = true;
			break;
		default:
			return 1;
		}
	}
	if (!operands_ok(argc, argv, 2, 2))
		return 1;
	snapshot.device = argv[optind];
	snapshot.format.data = argv[optind + 1];

	ret = target_available(&why);
	if (ret)
		return complain_why(&why);
	ret = live_open_for(&live, snapshot.device, snapshot.format.dry_run,
			    &why);
	if (!ret)
		ret = line_split(&line, live.table, &why);
	if (!ret) {
		ret = snapshot_take(&snapshot, &live, &line, &why);
		line_free(&line);
	}
	live_close(&live);
	if (ret == -ENOTRECOVERABLE)
		return complain_why(&why);
	if (ret)
		return complain("no snapshot, %s is unchanged: %s",
				snapshot.device, why.text);
	return 0;
}

/* Say of one device of a dropped layer whether it is free. */
static void report_device(const char *layer, const char *devno,
			  const struct release_options *options)
{
	struct json_object *object;
	struct dm_chain_why why = { "" };
	struct device dev;
	char *path = devno_path(devno);
	/* In a dry run this very device still has it. */
	bool unused = !options->dry_run &&
		      !device_open(&dev, path, DEVICE_EXCL, &why);

	if (options->array) {
		object = json_object_new_object();
		json_text(object, "layer", layer);
		json_text(object, "device", path);
		json_flag(object, "free", unused);
		json_text(object, "user", *why.text ? why.text : NULL);
		json_object_array_add(options->array, object);
	} else if (options->dry_run) {
		say("  %s  layer %s", path, layer);
	} else if (unused) {
		say("  %s  layer %s, free", path, layer);
	} else {
		say("  %s  layer %s, not free: %s", path, layer, why.text);
	}
	if (unused)
		device_close(&dev);
	free(path);
}

static void report_layer(const struct reply_line *line,
			 const struct release_options *options)
{
	const char *name = reply_get(line, "name");
	const char *data = reply_get(line, "data");
	const char *meta = reply_get(line, "metadata");

	report_device(name, data, options);
	if (strcmp(meta, "-") && strcmp(meta, data))
		report_device(name, meta, options);
}

int release_layers(const char *name, const struct release_options *options,
		   struct dm_chain_why *why)
{
	struct reply layers;
	struct live live;
	unsigned int i;
	int ret;

	memset(&live, 0, sizeof(live));
	ret = live_query(name, "layers", &layers, why);
	if (ret)
		return ret;
	if (!reply_find(&layers, "state", "releasable")) {
		if (!options->quiet && !options->array)
			say("%s: nothing to release", name);
		goto out;
	}

	/*
	 * The table that the target shows has only the layers it needs. Looked
	 * at after the list of layers, it has none of those called releasable.
	 */
	ret = live_open_for(&live, name, options->dry_run, why);
	if (!ret && !options->dry_run)
		ret = live_replace(&live, live.sectors, live.table, false, why);
	if (ret)
		goto out;
	if (!options->array)
		printf(options->dry_run ? "%s would let go of:\n" :
		       "%s: released\n", name);
	for (i = 0; i < layers.nr; i++)
		if (!strcmp(reply_get(&layers.line[i], "state"), "releasable"))
			report_layer(&layers.line[i], options);
	if (options->dry_run && !options->array)
		puts("nothing was changed");
out:
	reply_free(&layers);
	live_close(&live);
	return ret;
}

int cmd_release(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct release_options release = { 0 };
	struct json_object *object = NULL;
	struct dm_chain_why why;
	bool json = false;
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return 1;
		release.dry_run |= c == 'd';
		json |= c == 'j';
	}
	if (!operands_ok(argc, argv, 1, 1))
		return 1;
	if (json) {
		object = json_object_new_object();
		json_flag(object, "dry-run", release.dry_run);
		json_text(object, "device", argv[optind]);
		release.array = json_object_new_array();
		json_object_object_add(object, "released", release.array);
	}
	if (target_available(&why) ||
	    release_layers(argv[optind], &release, &why)) {
		json_object_put(object);
		return complain_why(&why);
	}
	if (json)
		print_json(object);
	return 0;
}
