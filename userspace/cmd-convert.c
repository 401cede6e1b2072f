// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup convert: see convert.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <linux/string.h>

#include "convert.h"

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

void convert_print(const struct fill *fill)
{
	const struct dm_chain_sb *sb = &fill->new.sb;
	char uuid[DM_CHAIN_UUID_TEXT];

	dm_chain_uuid_format(sb->uuid, uuid);
	printf("name=%s uuid=%s device=%s data-offset=%llu size=%llu ",
	       sb->name, uuid, new_layer_meta(&fill->new)->path, sb->data_offset,
	       sb->size);
	printf("block-size=%u data=%llu zero=%llu unowned=%llu\n",
	       sb->block_size, fill->blocks[DM_CHAIN_DATA],
	       fill->blocks[DM_CHAIN_ZERO],
	       fill->blocks[DM_CHAIN_UNALLOCATED]);
}

static const struct {
	const char *name;
	int (*convert)(int nr, char **words, const struct convert_options *options,
		       struct dm_chain_why *why);
} kinds[] = {
	{ "images", convert_images },
	{ "snapshot", convert_snapshot },
};

int cmd_convert(int argc, char **argv)
{
	static const struct option words[] = {
		{ "block-size", required_argument, NULL, 'b' },
		{ "raw-base", no_argument, NULL, 'r' },
		{ "force", no_argument, NULL, 'f' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ }
	};
	struct convert_options options = { .block_size = DM_CHAIN_MIN_BLOCK };
	struct dm_chain_why why = { "" };
	unsigned int i;
	int c;

	while ((c = next_option(argc, argv, words)) != -1) {
		switch (c) {
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
		default:
			return 1;
		}
	}
	if (!operands_ok(argc, argv, 3, 2 + DM_CHAIN_MAX_LAYERS))
		return 1;
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(argv[optind], kinds[i].name))
			continue;
		return kinds[i].convert(argc - optind - 1, argv + optind + 1,
					&options, &why) ? complain_why(&why) : 0;
	}
	return complain("convert: %s is no kind of chain: \"images\" and \"snapshot\" are",
			argv[optind]);
}
