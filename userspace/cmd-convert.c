// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup convert: see convert.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <linux/string.h>

#include "convert.h"
#include "json.h"

int convert_open(struct fill *fill, const char *target, const char *name,
		 u64 size, const struct convert_options *options,
		 struct dm_chain_why *why)
{
	char *data = xstrdup(target), *comma = strchr(data, ',');
	struct format_options format = {
		.data = data,
		.name = name,
		.size = size,
		.block_size = options->block_size,
		.force = options->force,
	};
	int ret;

	if (comma) {
		*comma = 0;
		format.meta = comma + 1;
	}
	ret = fill_open(fill, &format, why);
	free(data);
	return ret;
}

static int rest_on(struct fill *fill, const struct layer *below,
		   struct dm_chain_why *why)
{
	return backing_reference(&fill->new.sb.backing, below, why);
}

int convert_rest_on(struct fill *fill, struct fill *below,
		    struct dm_chain_why *why)
{
	struct layer layer = {
		.meta = *new_layer_meta(&below->new), .sb = below->new.sb,
	};

	below->new.sb.flags |= DM_CHAIN_F_HAS_OVERLAY;
	memcpy(below->new.sb.overlay_uuid, fill->new.sb.uuid,
	       sizeof(below->new.sb.overlay_uuid));
	return rest_on(fill, &layer, why);
}

int convert_rest_on_raw(struct fill *fill, const struct device *raw,
			struct dm_chain_why *why)
{
	struct layer layer = { .raw = true, .data = *raw, .meta = *raw };

	return rest_on(fill, &layer, why);
}

static void image_json(struct json_object *object, const struct image_info *image)
{
	json_text(object, "image", image ? image->path : NULL);
	json_text(object, "format", image ? image->format : NULL);
	json_flag(object, "format-guessed", image && image->guessed);
}

static void layer_json(const struct convert_options *options,
		       const struct fill *fill, const struct image_info *image)
{
	const struct dm_chain_sb *sb = &fill->new.sb;
	struct json_object *object = json_object_new_object();
	static const struct {
		const char *key;
		enum dm_chain_state state;
	} counts[] = {
		{ "data", DM_CHAIN_DATA },
		{ "zero", DM_CHAIN_ZERO },
		{ "unowned", DM_CHAIN_UNALLOCATED },
	};
	unsigned int i;

	json_text(object, "kind", "layer");
	json_text(object, "name", sb->name);
	json_uuid(object, "uuid", options->dry_run ? NULL : sb->uuid);
	json_text(object, "device", fill->new.data.path);
	json_text(object, "metadata", fill->new.meta.path);
	json_number(object, "data-offset", sb->data_offset);
	json_number(object, "size", sb->size);
	json_number(object, "block-size", sb->block_size);
	/* Before the images are read nobody knows. */
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		if (options->dry_run)
			json_text(object, counts[i].key, NULL);
		else
			json_number(object, counts[i].key,
				    fill->blocks[counts[i].state]);
	image_json(object, image);
	json_object_array_add(options->json->layers, object);
}

static void print_path(const char *key, const char *path)
{
	char *shown = value_shown(path);

	printf("%s=%s", key, shown);
	free(shown);
}

static void image_text(const struct image_info *image)
{
	if (image) {
		printf(" format=%s ", image->format);
		print_path("image", image->path);
	}
	putchar('\n');
}

void convert_show_layer(const struct convert_options *options,
			const struct fill *fill, const struct image_info *image)
{
	const struct dm_chain_sb *sb = &fill->new.sb;
	char uuid[DM_CHAIN_UUID_TEXT];

	if (options->json) {
		layer_json(options, fill, image);
		return;
	}
	dm_chain_uuid_format(sb->uuid, uuid);
	printf("name=%s uuid=%s ", sb->name, uuid);
	print_path("device", new_layer_meta(&fill->new)->path);
	printf(" data-offset=%llu size=%llu block-size=%u data=%llu zero=%llu unowned=%llu",
	       sb->data_offset, sb->size, sb->block_size,
	       fill->blocks[DM_CHAIN_DATA], fill->blocks[DM_CHAIN_ZERO],
	       fill->blocks[DM_CHAIN_UNALLOCATED]);
	image_text(image);
}

void convert_show_raw(const struct convert_options *options,
		      const struct device *raw, const struct image_info *image)
{
	struct json_object *object;

	if (!options->json) {
		print_path("raw", raw->path);
		printf(" size=%llu", raw->size);
		image_text(image);
		return;
	}
	object = json_object_new_object();
	json_text(object, "kind", "raw");
	json_text(object, "device", raw->path);
	json_number(object, "size", raw->size);
	image_json(object, image);
	json_object_array_add(options->json->layers, object);
}

void convert_note(const struct convert_options *options, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	if (options->json)
		json_append(options->json->notes, text);
	else
		say("%s", text);
	free(text);
}

static void print_object(const struct convert_options *options)
{
	struct json_object *object = json_object_new_object();

	json_flag(object, "dry-run", options->dry_run);
	json_object_object_add(object, "layers", options->json->layers);
	json_object_object_add(object, "notes", options->json->notes);
	print_json(object);
}

static const struct {
	const char *name;
	int (*convert)(int nr, char **words, const struct convert_options *options,
		       struct dm_chain_why *why);
} kinds[] = {
	{ "images", convert_images },
	{ "snapshot", convert_snapshot },
};

/* Convert what the first word says. Return: the exit status. */
static int convert(int nr, char **words, const struct convert_options *options)
{
	struct dm_chain_why why = { "" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(words[0], kinds[i].name))
			continue;
		if (kinds[i].convert(nr - 1, words + 1, options, &why))
			return complain_why(&why);
		if (options->json)
			print_object(options);
		return 0;
	}
	return complain("convert: %s is no kind of chain: \"images\" and \"snapshot\" are",
			words[0]);
}

int cmd_convert(int argc, char **argv)
{
	static const struct option words[] = {
		{ "format", required_argument, NULL, 'F' },
		{ "block-size", required_argument, NULL, 'b' },
		{ "raw-base", no_argument, NULL, 'r' },
		{ "force", no_argument, NULL, 'f' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ }
	};
	struct convert_options options = { .block_size = DM_CHAIN_MIN_BLOCK };
	struct dm_chain_why why = { "" };
	struct convert_json json;
	int c;

	while ((c = next_option(argc, argv, words)) != -1) {
		switch (c) {
		case 'F':
			options.format = optarg;
			break;
		case 'b':
			if (parse_device_size(optarg, &options.block_size, &why))
				return complain_why(&why);
			break;
		case 'r':
			options.raw_base = true;
			break;
		case 'f':
			options.force = true;
			break;
		case 'd':
			options.dry_run = true;
			break;
		case 'j':
			options.json = &json;
			break;
		default:
			return 1;
		}
	}
	if (!operands_ok(argc, argv, 3, 2 + DM_CHAIN_MAX_LAYERS))
		return 1;
	if (options.json) {
		json.layers = json_object_new_array();
		json.notes = json_object_new_array();
	}
	return convert(argc - optind, argv + optind, &options);
}
