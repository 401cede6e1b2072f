// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup uuid: a UUID of its own for a copied layer.
 *
 * Every page of the directory and the map carries the UUID, so they are all
 * written again. What was durable is never overwritten before what replaces it
 * is durable, too:
 *
 *	1. superblock: needs-check set, clean cleared
 *	2. the slot of every page that does not count: its content, new UUID
 *	3. superblock: new UUID
 *	4. the other slot of every page: the same
 *	5. superblock: needs-check cleared, clean set
 *
 * with a flush after each step. Interrupted, the layer is refused: it needs a
 * check, and a page of it carries a UUID that is not the superblock's. Then
 * this command is simply repeated, or, if it did not get to step 2, after a check.
 * In that state it takes of the two slots of a page the newer one that is intact,
 * whatever its UUID. That cannot pick up something foreign: of a page that the
 * directory names, both slots have been written by this layer.
 */
#include <errno.h>
#include <linux/string.h>
#include <uuid/uuid.h>

#include "json.h"

/* Do the superblock slots differ in their UUIDs? */
static bool supers_differ(const struct layer *layer)
{
	struct dm_chain_disk_super slots[2];
	void *page[2] = { &slots[0], &slots[1] };

	return !super_read_slots(&layer->meta, page, NULL) &&
	       dm_chain_slot_classify(page[0], DM_CHAIN_SB_MAGIC) ==
	       DM_CHAIN_SLOT_GOOD &&
	       dm_chain_slot_classify(page[1], DM_CHAIN_SB_MAGIC) ==
	       DM_CHAIN_SLOT_GOOD &&
	       !dm_chain_uuid_equal(slots[0].uuid, slots[1].uuid);
}

/*
 * Refuse a layer that is damaged or needs a check for another reason than that
 * this command was interrupted.
 */
static int check_layer(struct layer *layer, struct dm_chain_why *why)
{
	int ret = layer_load_map(layer, why);

	if (!(layer->sb.flags & DM_CHAIN_F_NEEDS_CHECK))
		return ret;
	if (!(layer->sb.flags & DM_CHAIN_F_CLEAN) &&
	    (ret || supers_differ(layer)))
		return 0;
	return dm_chain_refuse(why, -EUCLEAN,
			       "%s needs a check first: chainsetup check %s",
			       layer->meta.path, layer->meta.path);
}

/* The newer intact slot of a page, whatever its UUID. */
static int newer_slot(const struct layer *layer, const char *magic, u32 index,
		      struct dm_chain_disk_page *page[2], unsigned int *best,
		      struct dm_chain_why *why)
{
	const struct dm_chain_disk_page *both[2];
	struct dm_chain_why reason = { "" };
	unsigned int slot, unused;
	bool fell_back, found = false;
	int ret;

	ret = page_read_slots(layer, magic, index, page, why);
	if (ret)
		return ret;
	for (slot = 0; slot < 2; slot++) {
		both[0] = page[slot];
		both[1] = page[slot];
		ret = dm_chain_page_pick(both, magic, page[slot]->uuid, index,
					 true, &unused, &fell_back, &reason);
		if (ret)
			continue;
		if (!found || le64_to_cpu(page[slot]->head.seq) >
			      le64_to_cpu(page[*best]->head.seq))
			*best = slot;
		found = true;
	}
	if (!found)
		return dm_chain_refuse(why, -EBADMSG, "%s: %s",
				       layer->meta.path, reason.text);
	return 0;
}

/* Step 2 or 4 for one page: write the slot that does not carry @uuid yet. */
static int renew_page(const struct layer *layer, const char *magic, u32 index,
		      const u8 *uuid, struct dm_chain_disk_page *page[2],
		      unsigned int *best, struct dm_chain_why *why)
{
	struct dm_chain_disk_page *new;
	u64 seq;
	int ret;

	ret = newer_slot(layer, magic, index, page, best, why);
	if (ret)
		return ret;
	new = page[!*best];
	seq = le64_to_cpu(page[*best]->head.seq);
	memcpy(new, page[*best], sizeof(*new));
	dm_chain_page_seal(new, magic, uuid, index, seq + 1);
	return device_write(&layer->meta, new, sizeof(*new),
			    page_offset(layer, magic, index, !*best), why);
}

static int renew_pages(const struct layer *layer, const u8 *uuid,
		       struct dm_chain_why *why)
{
	struct dm_chain_disk_page buf[4], *dir[2] = { &buf[0], &buf[1] };
	struct dm_chain_disk_page *map[2] = { &buf[2], &buf[3] };
	unsigned int best, unused;
	u32 d, n, index;
	int ret;

	for (d = 0; d < layer->geo.dir_pages; d++) {
		ret = renew_page(layer, DM_CHAIN_DIR_MAGIC, d, uuid, dir, &best,
				 why);
		if (ret)
			return ret;
		for (n = 0; n < DM_CHAIN_PAGES_PER_DIR; n++) {
			index = d * DM_CHAIN_PAGES_PER_DIR + n;
			if (index >= layer->geo.map_pages)
				break;
			if (!dm_chain_dir_get(dir[best]->payload, n))
				continue;
			ret = renew_page(layer, DM_CHAIN_MAP_MAGIC, index, uuid,
					 map, &unused, why);
			if (ret)
				return ret;
		}
	}
	return device_sync(&layer->meta, why);
}

static void replace_uuid(struct dm_chain_sb *sb, const u8 *uuid)
{
	/* The copy has the original's job, and rests on the same layers. */
	if (sb->job.type)
		memcpy(sb->job.top_uuid, uuid, DM_CHAIN_UUID_LEN);
	memcpy(sb->uuid, uuid, DM_CHAIN_UUID_LEN);
	/* The overlay rests on the original. */
	sb->flags &= ~DM_CHAIN_F_HAS_OVERLAY;
	memset(sb->overlay_uuid, 0, DM_CHAIN_UUID_LEN);
}

/* The copy's superblock still leads to the original's data device. */
static int set_data(struct layer *layer, const char *data,
		    struct dm_chain_why *why)
{
	struct device dev;
	int ret = layer_data_named(layer, data, "the copy's", why);

	if (ret || layer->sb.data_offset)
		return ret;
	if (device_is(&layer->meta, data))
		return dm_chain_refuse(why, -EINVAL,
				       "%s is the metadata device itself: name the copy's data device with --data",
				       data);
	ret = device_open(&dev, data, DEVICE_EXCL, why);
	if (ret)
		return ret;
	if (dev.size < layer->sb.data_offset + layer->sb.size)
		ret = dm_chain_refuse(why, -EINVAL,
				      "%s has %llu bytes, but the layer takes %llu: --data has to name a whole copy",
				      data, dev.size,
				      layer->sb.data_offset + layer->sb.size);
	else
		ret = super_set_path(layer->sb.data_path, dev.path, why);
	if (!ret)
		layer->sb.data_size = dev.size;
	device_close(&dev);
	return ret;
}

static int renew(struct layer *layer, const u8 *uuid, struct dm_chain_why *why)
{
	int ret;

	/* What is read as durable has to be. */
	ret = device_sync(&layer->meta, why);
	if (ret)
		return ret;
	layer->sb.flags |= DM_CHAIN_F_NEEDS_CHECK;
	layer->sb.flags &= ~DM_CHAIN_F_CLEAN;
	ret = super_write(layer, why);
	if (!ret)
		ret = renew_pages(layer, uuid, why);
	if (ret)
		return ret;
	replace_uuid(&layer->sb, uuid);
	ret = super_write(layer, why);
	if (!ret)
		ret = renew_pages(layer, uuid, why);
	if (ret)
		return ret;
	layer->sb.flags &= ~DM_CHAIN_F_NEEDS_CHECK;
	layer->sb.flags |= DM_CHAIN_F_CLEAN;
	return super_write(layer, why);
}

static void show_uuid(const struct layer *layer, const u8 *uuid, bool dry_run,
		      bool json)
{
	const char *job = layer->sb.job.type ? layer->sb.job.id : NULL;
	struct json_object *object;
	char text[DM_CHAIN_UUID_TEXT];

	if (json) {
		object = json_object_new_object();
		json_flag(object, "dry-run", dry_run);
		json_text(object, "device", layer->meta.path);
		json_uuid(object, "uuid", dry_run ? NULL : uuid);
		json_text(object, "unfinished-job", job);
		print_json(object);
		return;
	}
	dm_chain_uuid_format(dry_run ? layer->sb.uuid : uuid, text);
	if (dry_run)
		say("would give %s another UUID than %s",
		    layer->meta.path, text);
	else
		say("uuid=%s", text);
	if (job)
		say("the unfinished job %s goes on, unless opened with --jobs-paused",
		    job);
	if (dry_run)
		puts("nothing was changed");
}

int cmd_uuid(int argc, char **argv)
{
	struct dm_chain_why why = { "" };
	struct layer_command command = { };
	u8 uuid[DM_CHAIN_UUID_LEN];
	struct layer layer;
	int ret;

	if (layer_command(argc, argv, &command, &layer))
		return 1;
	ret = check_layer(&layer, &why);
	if (!ret)
		ret = set_data(&layer, command.data, &why);
	uuid_generate(uuid);
	if (!ret && !command.dry_run)
		ret = renew(&layer, uuid, &why);
	if (!ret)
		show_uuid(&layer, uuid, command.dry_run, command.json);
	layer_close(&layer);
	return ret ? complain_why(&why) : 0;
}
