// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what is wrong with the directory and the map of a layer.
 */
#include <linux/string.h>

#include "inspect.h"

/* "bytes 0 to 66060287 of the layer": what a page says something about. */
static void page_extent(const struct layer *layer, const char *magic, u32 index,
			char *text, size_t size)
{
	u64 blocks = DM_CHAIN_BLOCKS_PER_PAGE, start, end;

	if (!strcmp(magic, DM_CHAIN_DIR_MAGIC))
		blocks *= DM_CHAIN_PAGES_PER_DIR;
	start = index * blocks * layer->sb.block_size;
	end = start + blocks * layer->sb.block_size;
	if (end > layer->sb.size)
		end = layer->sb.size;
	if (start >= end)
		snprintf(text, size, "nothing that shows: it is behind the layer's end");
	else
		snprintf(text, size, "bytes %llu to %llu of the layer", start,
			 end - 1);
}

static void choice(struct inspection *in, struct finding *f, const char *magic,
		   u32 index, const struct slots *slots)
{
	const char *word = strcmp(magic, DM_CHAIN_MAP_MAGIC) ? "dir" : "map";
	char extent[96];
	unsigned int slot;

	f->remedy = REMEDY_CHOICE;
	f->magic = magic;
	f->index = index;
	for (slot = 0; slot < 2; slot++)
		if (slots->usable[slot])
			f->usable |= 1 << slot;
	page_extent(&in->layer, magic, index, extent, sizeof(extent));
	if (f->usable == 3)
		advise(f,
		       "not repaired: which one is right is not known, slot A is taken meanwhile; --choose %s:%u=A or %s:%u=B settles it, for %s",
		       word, index, word, index, extent);
	else if (f->usable)
		advise(f,
		       "not repaired: the other slot may have been the newer; --choose %s:%u=%c takes slot %c; if that is the older, blocks written since show what they were before, in %s",
		       word, index, 'A' + !(f->usable & 1),
		       'A' + !(f->usable & 1), extent);
	else if (*word == 'm')
		advise(f,
		       "not repaired: which blocks the layer holds is not known, in %s; --choose map:%u=below reads there what lies below, map:%u=data what is on the data device, map:%u=zero zeros",
		       extent, index, index, index);
	else
		advise(f,
		       "not repaired: which map pages were written is not known, for %s; --choose dir:%u=scan takes those that are there",
		       extent, index);
}

static void text_bad(const struct slots *slots, const char *magic, u32 index,
		     char *text, size_t size)
{
	unsigned int slot;

	for (slot = 0; slot < 2; slot++) {
		if (!slots->unreadable[slot])
			continue;
		snprintf(text, size, "%s page %u: slot %c cannot be read: %s",
			 page_name(magic), index, 'A' + slot,
			 slots->why[slot].text);
		return;
	}
}

static bool inspect_rebuilt(struct inspection *in, const char *magic, u32 index,
			    const struct slots *slots, const char *text)
{
	bool any = false;
	unsigned int slot;
	struct finding *f;

	for (slot = 0; slot < 2; slot++) {
		if (!slots->rebuilt[slot])
			continue;
		if (text)
			f = finding(in, "%s", text);
		else
			f = finding(in, "%s page %u: slot %c has a wrong bit",
				    page_name(magic), index, 'A' + slot);
		finding_write(f, magic, index, slot, slots->whole[slot]);
		if (slots->rebuilt[slot] == REBUILT_BIT)
			advise(f,
			       "slot %c of %s page %u is written again with one bit inverted: then its checksum is right",
			       'A' + slot, page_name(magic), index);
		else
			advise(f,
			       "slot %c of %s page %u is written again as it was: its checksum proves what that is",
			       'A' + slot, page_name(magic), index);
		any = true;
	}
	return any;
}

/* A page with the UUID that the layer is about to get, or had? */
static bool renamed(const struct inspection *in, u32 index,
		    const struct slots *slots)
{
	unsigned int slot;

	if (!(in->layer.sb.flags & DM_CHAIN_F_NEEDS_CHECK) || inspect_clean(in))
		return false;
	for (slot = 0; slot < 2; slot++) {
		const struct dm_chain_disk_page *page =
			(const void *)slots->page[slot];

		if (slot_good(slots, slot) && le64_to_cpu(page->index) == index &&
		    !dm_chain_uuid_equal(page->uuid, in->layer.sb.uuid))
			return true;
	}
	return false;
}

/*
 * Both slots are bad, and only one could be rebuilt, in a layer that was not
 * closed: if that one were written, the other would pass for a torn one, and the
 * page for an intact one, though it may be the older.
 */
static bool only_one(const struct inspection *in, const struct slots *slots)
{
	return !inspect_clean(in) && !slot_good(slots, 0) &&
	       !slot_good(slots, 1) && slots->usable[0] != slots->usable[1];
}

/* Return: the payload of a page, NULL if it is damaged. */
static const u8 *inspect_page(struct inspection *in, const char *magic,
			      u32 index, struct slots *slots)
{
	const struct dm_chain_disk_page *page[2] = {
		(const void *)slots->page[0], (const void *)slots->page[1],
	};
	struct dm_chain_why why = { "" };
	bool fell_back = false;
	unsigned int slot = 0;
	struct finding *f;
	int ret;

	slots_read(&in->layer, magic, index, slots);
	ret = dm_chain_page_pick(page, magic, in->layer.sb.uuid, index,
				 inspect_clean(in), &slot, &fell_back, &why);
	if (slots->unreadable[0] || slots->unreadable[1]) {
		text_bad(slots, magic, index, why.text, sizeof(why.text));
		ret = -1;
	}
	if (ret) {
		if (!only_one(in, slots) &&
		    inspect_rebuilt(in, magic, index, slots, why.text))
			return NULL;
		f = finding(in, "%s", why.text);
		in->unfinished |= renamed(in, index, slots);
		if (in->unfinished)
			advise(f, "\"chainsetup uuid\" was interrupted: repeat it");
		else
			choice(in, f, magic, index, slots);
		return NULL;
	}
	if (fell_back && slots->rebuilt[!slot] == REBUILT_BIT) {
		inspect_rebuilt(in, magic, index, slots, NULL);
	} else if (fell_back) {
		remark(in, "%s page %u: slot %c was torn by a power cut, slot %c is used",
		       page_name(magic), index, 'A' + !slot, 'A' + slot);
	} else if (dm_chain_page_seq(page[0]) == dm_chain_page_seq(page[1]) &&
		   memcmp(page[0]->payload, page[1]->payload, DM_CHAIN_PAYLOAD)) {
		f = finding(in,
			    "%s page %u: both slots have the sequence number %llu, but they differ",
			    page_name(magic), index, dm_chain_page_seq(page[0]));
		choice(in, f, magic, index, slots);
	}
	finding_seq(in, magic, index, dm_chain_page_seq(page[slot]));
	return page[slot]->payload;
}

static void inspect_states(struct inspection *in, u32 index, const u8 *payload)
{
	u64 first = (u64)index * DM_CHAIN_BLOCKS_PER_PAGE, blocks;
	struct finding *f;
	u32 n, run;

	/*
	 * Growing makes blocks zero before it records the new size; nothing
	 * writes data behind the end.
	 */
	blocks = layer_blocks(&in->layer);
	for (n = 0; n < DM_CHAIN_BLOCKS_PER_PAGE; n += run) {
		run = dm_chain_state_run(payload, n,
					 DM_CHAIN_BLOCKS_PER_PAGE - n);
		if (dm_chain_state_get(payload, n) != DM_CHAIN_DATA ||
		    first + n + run <= blocks)
			continue;
		f = finding(in,
			    "map page %u: block %llu has data, but the layer ends at block %llu",
			    index, first + n < blocks ? blocks : first + n,
			    blocks);
		f->remedy = REMEDY_STATES;
		f->magic = DM_CHAIN_MAP_MAGIC;
		f->index = index;
		advise(f,
		       "blocks of map page %u behind the layer's end that have data become zero; they show nothing",
		       index);
		return;
	}
}

void inspect_map(struct inspection *in)
{
	const struct layer *layer = &in->layer;
	static struct slots dir, map;
	const u8 *names, *states;
	struct finding *f;
	u32 d, n, index;

	for (d = 0; d < layer->geo.dir_pages; d++) {
		names = inspect_page(in, DM_CHAIN_DIR_MAGIC, d, &dir);
		for (n = 0; names && n < DM_CHAIN_PAGES_PER_DIR; n++) {
			index = d * DM_CHAIN_PAGES_PER_DIR + n;
			if (!dm_chain_dir_get(names, n))
				continue;
			if (index >= layer->geo.map_pages) {
				f = finding(in,
					    "directory page %u names map page %u, but there are %u",
					    d, index, layer->geo.map_pages);
				f->remedy = REMEDY_NAMES;
				f->magic = DM_CHAIN_DIR_MAGIC;
				f->index = d;
				advise(f,
				       "pages that there is no room for are removed from directory page %u",
				       d);
				break;
			}
			states = inspect_page(in, DM_CHAIN_MAP_MAGIC, index,
					      &map);
			if (states)
				inspect_states(in, index, states);
		}
	}
}
