// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup map: which layer answers reads of which part of a chain.
 *
 * Of a chain in use the target says so, of one at rest the maps on disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "live.h"
#include "picture.h"
#include "text-table.h"

/**
 * struct map_output - where the runs go
 * @device: as the user named it, or the dm name
 * @array: JSON objects; NULL if not wanted
 * @picture: NULL if not wanted
 * @table: else
 */
struct map_output {
	const char *device;
	struct json_object *array;
	struct picture *picture;
	struct text_table *table;
};

/* What the user wants; show_devices() hands nothing through. */
static struct {
	bool picture;
	unsigned int width;
	const char *output;
} wanted;

/* @layer: NULL if nobody holds it; bytes. */
static void add_run(struct map_output *out, u64 start, u64 length,
		    const char *layer, bool zero)
{
	struct json_object *object;
	char a[32], b[32];

	if (out->picture) {
		picture_add(out->picture, start, length, zero ? NULL : layer);
	} else if (out->array) {
		object = json_object_new_object();
		json_text(object, "device", out->device);
		json_number(object, "start", start);
		json_number(object, "length", length);
		json_text(object, "layer", layer);
		json_flag(object, "zero", zero);
		json_object_array_add(out->array, object);
	} else {
		text_table_row(out->table, place_text(start, a),
			       place_text(length, b), layer ?: "-",
			       zero ? "zero" : "data");
	}
}

static int walk_live(const struct live *live, struct map_output *out,
		     struct dm_chain_why *why)
{
	char *message, *text;
	struct map_run *run;
	u64 start = 0, next;
	unsigned int i, nr;
	int ret;

	do {
		message = xasprintf("map %llu %llu", start,
				    live->sectors - start);
		ret = live_message(live->name, message, &text, why);
		free(message);
		if (ret)
			break;
		ret = map_parse(text, &run, &nr, &next, why);
		free(text);
		if (ret)
			break;
		for (i = 0; i < nr; i++)
			add_run(out, run[i].start << 9, run[i].length << 9,
				run[i].layer[0] ? run[i].layer : NULL,
				run[i].zero);
		free(run);
		/* A map that does not get on would never end. */
		if (next && (next <= start || next >= live->sectors))
			ret = dm_chain_refuse(why, -EPROTO,
					      "the map goes on at sector %llu of %llu",
					      next, live->sectors);
		start = next;
	} while (!ret && next);
	return ret;
}

static void walk_resting(const struct chain *chain, struct map_output *out)
{
	u64 size = layer_size(&chain->layer[chain->nr - 1]), start, run;
	char name[DM_CHAIN_NAME_LEN];
	int owner;

	for (start = 0; start < size; start += run) {
		chain_view_run(chain, start, size - start, &owner, &run);
		add_run(out, start, run, owner < 0 ? NULL :
			layer_name(&chain->layer[owner], name), owner < 0);
	}
}

static int write_picture(const struct picture *picture, const char *device,
			 struct dm_chain_why *why)
{
	const char *path = wanted.output;
	struct stat st;
	FILE *file;
	bool bad;

	/* A device would be overwritten as well as a file. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return dm_chain_refuse(why, -EINVAL,
				       "--output %s: that is no regular file: name one that ends in .svg",
				       path);
	file = fopen(path, "we");
	if (!file)
		return dm_chain_refuse(why, -errno, "--output %s: %s", path,
				       strerror(errno));
	picture_svg(picture, device, file);
	bad = ferror(file);
	bad |= fclose(file);
	if (bad)
		return dm_chain_refuse(why, -EIO, "--output %s: cannot write: %s",
				       path, strerror(errno));
	return 0;
}

/* Two columns of the terminal are for the letters. */
static unsigned int picture_columns(void)
{
	if (wanted.output)
		return PICTURE_FILE_COLUMNS;
	return (wanted.width ?: terminal_width()) - 2;
}

static int finish(struct map_output *out, struct dm_chain_why *why)
{
	if (out->picture && wanted.output)
		return write_picture(out->picture, out->device, why);
	if (out->picture)
		picture_print(out->picture, out->device);
	return 0;
}

static int show_live(const struct live *live, struct map_output *out,
		     struct dm_chain_why *why)
{
	struct status status;
	unsigned int i;
	char *params;
	int ret;

	if (out->picture) {
		ret = live_status(live->name, &params, why);
		if (ret)
			return ret;
		ret = status_parse(&status, params, why);
		free(params);
		if (ret)
			return ret;
		picture_init(out->picture, live->sectors << 9,
			     picture_columns());
		for (i = 0; i < status.nr_layers; i++)
			picture_add_layer(out->picture, status.layer[i].name);
		status_free(&status);
	}
	ret = walk_live(live, out, why);
	return ret ?: finish(out, why);
}

static int show_resting(struct chain *chain, struct map_output *out,
			struct dm_chain_why *why)
{
	char name[DM_CHAIN_NAME_LEN];
	unsigned int i;
	int ret;

	ret = chain_load_maps(chain, why);
	if (ret)
		return ret;
	if (out->picture) {
		picture_init(out->picture, layer_size(chain_top(chain)),
			     picture_columns());
		for (i = 0; i < chain->nr; i++)
			picture_add_layer(out->picture,
					  layer_name(&chain->layer[i], name));
	}
	walk_resting(chain, out);
	return finish(out, why);
}

static int open_resting(struct chain *chain, const char *path,
			struct dm_chain_why *why)
{
	struct dm_chain_why reason = { "" };
	int ret = chain_open(chain, path, NULL, 0, LAYER_EXCL, 0, &reason);

	if (ret == -EBUSY)
		return dm_chain_refuse(why, ret,
				       "%s; of a chain in use give the name: chainsetup map NAME",
				       reason.text);
	return ret ? dm_chain_refuse(why, ret, "%s", reason.text) : 0;
}

static int show_map(const char *device, struct json_object *array,
		    struct dm_chain_why *why)
{
	struct picture *picture = xalloc(1, sizeof(*picture));
	struct chain *chain = xalloc(1, sizeof(*chain));
	struct text_table table;
	struct map_output out = {
		.device = device,
		.array = array,
		.picture = wanted.picture ? picture : NULL,
		.table = &table,
	};
	struct live live = { 0 };
	int ret;

	text_table_init(&table, "START LENGTH LAYER STATE", "");
	if (strchr(device, '/')) {
		ret = open_resting(chain, device, why);
		if (!ret)
			ret = show_resting(chain, &out, why);
		chain_close(chain);
	} else {
		ret = live_open(&live, device, why);
		if (!ret)
			ret = show_live(&live, &out, why);
		live_close(&live);
	}
	/* Half a map is none. */
	if (ret)
		text_table_free(&table);
	else
		text_table_print(&table);
	picture_free(picture);
	free(picture);
	free(chain);
	return ret;
}

static int check_output(const char *path)
{
	size_t len = strlen(path);

	if (len > 4 && !strcmp(path + len - 4, ".svg"))
		return 0;
	return complain("map: --output %s: only SVG can be written: let the name end in .svg",
			path);
}

int cmd_map(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "picture", no_argument, NULL, 'p' },
		{ "width", required_argument, NULL, 'w' },
		{ "output", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 }
	};
	struct dm_chain_why why = { "" };
	struct json_object *array;
	bool json = false;
	char *end;
	int c;

	while ((c = next_option(argc, argv, options)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'p':
			wanted.picture = true;
			break;
		case 'w':
			wanted.width = strtoul(optarg, &end, 10);
			if (*end || wanted.width < 12 || wanted.width > 10000)
				return complain("map: --width %s: give 12 to 10000 columns",
						optarg);
			break;
		case 'o':
			if (check_output(optarg))
				return 1;
			wanted.output = optarg;
			wanted.picture = true;
			break;
		default:
			return 1;
		}
	}
	if (!operands_ok(argc, argv, 0, 1))
		return 1;
	if (json && wanted.picture)
		return complain("map: --json prints no picture: leave --json out");
	if (wanted.output && optind == argc)
		return complain("map: --output takes the picture of one chain: name it");
	if (optind == argc || !strchr(argv[optind], '/'))
		return show_devices(argv[optind], show_map, json,
				    !wanted.picture);
	/* Layers at rest: the target is not needed. */
	array = json ? json_object_new_array() : NULL;
	if (show_map(argv[optind], array, &why)) {
		json_object_put(array);
		return complain_why(&why);
	}
	if (json)
		print_json(array);
	return 0;
}
