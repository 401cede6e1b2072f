// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup plain: make a layer that stands alone a plain disk image.
 *
 * Writes zeros to every block that is not data, which is what the layer shows
 * there anyway. The metadata is not touched, so that it can be interrupted and
 * repeated at any point.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

static int check_alone(const struct layer *layer, struct dm_chain_why *why)
{
	const struct dm_chain_backing *ref = &layer->sb.backing;
	char uuid[DM_CHAIN_UUID_TEXT];

	if (layer->sb.flags & DM_CHAIN_F_NEEDS_CHECK)
		return dm_chain_refuse(why, -EUCLEAN, "%s needs a check first: chainsetup check %s",
				       layer->meta.path, layer->meta.path);
	if (ref->kind == DM_CHAIN_BACKING_RAW)
		return dm_chain_refuse(why, -EINVAL,
				       "%s still rests on the raw base%s%s: stream it away first",
				       layer->meta.path, *ref->path ? " " : "",
				       ref->path);
	if (ref->kind == DM_CHAIN_BACKING_LAYER) {
		dm_chain_uuid_format(ref->uuid, uuid);
		return dm_chain_refuse(why, -EINVAL,
				       "%s still rests on the layer %s%s%s: stream it away first",
				       layer->meta.path, uuid,
				       *ref->path ? ", last seen at " : "",
				       ref->path);
	}
	return 0;
}

/*
 * Of a data device of its own nothing tells that it is the right one, but a
 * superblock there tells that it is not: none is left when a layer is formatted.
 * Unless what the layer shows begins with one, of a chain that its user has made.
 */
static int check_data(const struct layer *layer, bool force,
		      struct dm_chain_why *why)
{
	char uuid[DM_CHAIN_UUID_TEXT];
	struct dm_chain_sb sb;
	unsigned int slot;
	int ret;

	if (!layer->sep_meta)
		return force ? dm_chain_refuse(why, -EINVAL,
					       "%s keeps its data on the same device: --force does not apply",
					       layer->meta.path) : 0;
	ret = super_read(&layer->data, &sb, &slot, NULL);
	if (ret == -ENODATA || force)
		return 0;
	if (ret)
		return dm_chain_refuse(why, -EEXIST,
				       "%s carries a chain superblock, or a part of one, which would be lost: is it the data device of %s? --force says so",
				       layer->data.path, layer->meta.path);
	dm_chain_uuid_format(sb.uuid, uuid);
	return dm_chain_refuse(why, -EEXIST,
			       "%s is the layer %s, %s, which would be lost: name the data device of %s with --data; if this is it nevertheless, --force says so",
			       layer->data.path, sb.name, uuid, layer->meta.path);
}

/* What speaks against the data device, and proves nothing. */
static unsigned int note_data(const struct layer *layer, char *note[2])
{
	const struct dm_chain_sb *sb = &layer->sb;
	unsigned int nr = 0;

	if (!layer->sep_meta)
		return 0;
	if (*sb->data_path && !device_is(&layer->data, sb->data_path))
		note[nr++] = xasprintf("%s records %s as its data device, not %s",
				       layer->meta.path, sb->data_path,
				       layer->data.path);
	if (sb->data_size != layer->data.size)
		note[nr++] = xasprintf("%s has %llu bytes; %s was formatted or grown with %llu",
				       layer->data.path, layer->data.size,
				       layer->meta.path, sb->data_size);
	return nr;
}

/* @zeroed: gets the bytes that were written, or would be */
static int zero_rest(const struct layer *layer, bool dry_run, u64 *zeroed,
		     struct dm_chain_why *why)
{
	u64 blocks = layer_blocks(layer), block, run, start, end;
	int ret = 0;

	for (block = 0; block < blocks && !ret; block += run) {
		if (layer_state(layer, block, blocks - block, &run) ==
		    DM_CHAIN_DATA)
			continue;
		start = block * layer->sb.block_size;
		end = (block + run) * layer->sb.block_size;
		if (end > layer->sb.size)
			end = layer->sb.size;
		*zeroed += end - start;
		if (dry_run)
			continue;
		ret = device_write_zeroes(&layer->data,
					  layer->sb.data_offset + start,
					  end - start, why);
	}
	return ret || dry_run ? ret : device_sync(&layer->data, why);
}

static void show_plain(const struct layer *layer, u64 zeroed,
		       const struct layer_command *command,
		       char **note, unsigned int nr)
{
	bool dry_run = command->dry_run;
	struct json_object *object, *notes;
	char number[32], size[32];
	unsigned int i;
	char *table;

	table = xasprintf("0 %llu linear %s %llu", layer->sb.size / 512,
			  device_is_block(&layer->data) ?
			  device_number(&layer->data, number) :
			  layer->data.path, layer->sb.data_offset / 512);
	if (command->json) {
		object = json_object_new_object();
		json_flag(object, "dry-run", dry_run);
		json_text(object, "device", layer->data.path);
		json_number(object, "zeroed", zeroed);
		json_text(object, "table", table);
		notes = json_object_new_array();
		for (i = 0; i < nr; i++)
			json_append(notes, note[i]);
		json_object_object_add(object, "notes", notes);
		print_json(object);
	} else if (dry_run) {
		say("would write %s of zeros to %s",
		    human_size(zeroed, size), layer->data.path);
		say("would print: %s", table);
		puts("nothing was changed");
	} else {
		puts(table);
	}
	free(table);
}

int cmd_plain(int argc, char **argv)
{
	struct dm_chain_why why = { "" };
	struct layer_command command = { .may_force = true };
	unsigned int nr = 0, i;
	struct layer layer;
	char *note[2];
	u64 zeroed = 0;
	int ret;

	if (layer_command(argc, argv, &command, &layer))
		return 1;
	ret = check_alone(&layer, &why);
	/*
	 * Nothing on the data device tells that it is the right one, and the
	 * path in the superblock may mean another disk by now.
	 */
	if (!ret)
		ret = layer_data_named(&layer, command.data, "it", &why);
	if (!ret)
		ret = layer_open_data(&layer, command.data, command.flags, &why);
	if (!ret)
		ret = check_data(&layer, command.force, &why);
	if (!ret)
		ret = layer_load_map(&layer, &why);
	if (!ret)
		nr = note_data(&layer, note);
	/* Standard output is a table line, for dmsetup. */
	for (i = 0; i < nr && !command.json; i++)
		complain("note: %s", note[i]);
	if (!ret)
		ret = zero_rest(&layer, command.dry_run, &zeroed, &why);
	if (!ret)
		show_plain(&layer, zeroed, &command, note, nr);
	while (nr)
		free(note[--nr]);
	layer_close(&layer);
	return ret ? complain_why(&why) : 0;
}
