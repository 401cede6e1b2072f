// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: the repair of one layer, rehearsed.
 *
 * Why no prefix of its writes makes it worse
 *	A slot that is rebuilt from its own checksum gets what it held. If its
 *	write is torn, its sectors are those of before or of after, and it can be
 *	rebuilt again. `clean` stays meanwhile: without it the other slot, which
 *	may be the older, would be taken as it is.
 *	A superblock is changed by writing the slot that does not count, with the
 *	next sequence number.
 *	A good map or directory page is changed only when none is damaged any
 *	more. Before the first one `needs-check` is set and `clean` cleared, so
 *	that a slot torn here is no damage; then the slot that does not count is
 *	written with the next sequence number, and the other one after it; in the
 *	end the flags come back.
 */
#include <errno.h>
#include <stdlib.h>
#include <linux/string.h>

#include "repair.h"

/* What uncovers something else is repaired in rounds, a few of them. */
#define MAX_ROUNDS	100

int write_slot(struct inspection *in, const char *magic, u32 index,
	       unsigned int slot, const void *page, struct dm_chain_why *why)
{
	return device_write(&in->layer.meta, page, DM_CHAIN_PAGE_SIZE,
			    slot_offset(&in->layer, magic, index, slot), why);
}

static bool about_page(const struct finding *f)
{
	return f->magic && strcmp(f->magic, DM_CHAIN_SB_MAGIC);
}

/* Is a map or directory page damaged, so that it is not known what it says? */
static bool pages_damaged(const struct inspection *in)
{
	const struct finding *f;

	for (f = in->findings; f; f = f->next)
		if (about_page(f) && (f->remedy == REMEDY_CHOICE ||
				      f->remedy == REMEDY_WRITE))
			return true;
	return in->unfinished;
}

static int begin_pages(struct repair *repair, struct dm_chain_why *why)
{
	struct layer *layer = &repair->in.layer;

	if (repair->begun)
		return 0;
	repair->begun = true;
	repair->flags = layer->sb.flags;
	layer->sb.flags |= DM_CHAIN_F_NEEDS_CHECK;
	layer->sb.flags &= ~DM_CHAIN_F_CLEAN;
	return super_write(layer, why);
}

static void clear_states(const struct layer *layer, u32 index, u8 *payload)
{
	u64 first = (u64)index * DM_CHAIN_BLOCKS_PER_PAGE;
	u64 blocks = layer_blocks(layer);
	u32 n = blocks > first ? blocks - first : 0;

	for (; n < DM_CHAIN_BLOCKS_PER_PAGE; n++)
		if (dm_chain_state_get(payload, n) == DM_CHAIN_DATA)
			dm_chain_state_set(payload, n, DM_CHAIN_ZERO);
}

static void clear_names(const struct layer *layer, u32 index, u8 *payload)
{
	u64 first = (u64)index * DM_CHAIN_PAGES_PER_DIR;
	u32 n = layer->geo.map_pages > first ? layer->geo.map_pages - first : 0;

	for (; n < DM_CHAIN_PAGES_PER_DIR; n++)
		payload[n / 8] &= ~(1 << n % 8);
}

static int change_page(struct repair *repair, const struct finding *f,
		       struct dm_chain_why *why)
{
	const struct layer *layer = &repair->in.layer;
	struct dm_chain_disk_page buf[2], *page[2] = { &buf[0], &buf[1] };
	bool fell_back;
	unsigned int slot;
	u64 seq;
	int ret;

	ret = begin_pages(repair, why);
	if (!ret)
		ret = page_read_slots(layer, f->magic, f->index, page, why);
	if (!ret)
		ret = dm_chain_page_pick((const struct dm_chain_disk_page **)page,
					 f->magic, layer->sb.uuid, f->index,
					 false, &slot, &fell_back, why);
	if (ret)
		return ret;
	if (f->remedy == REMEDY_STATES)
		clear_states(layer, f->index, buf[slot].payload);
	else if (f->remedy == REMEDY_NAMES)
		clear_names(layer, f->index, buf[slot].payload);
	seq = f->remedy == REMEDY_SEQ ? 1 : dm_chain_page_seq(&buf[slot]) + 1;
	dm_chain_page_seal(&buf[slot], f->magic, layer->sb.uuid, f->index, seq);
	ret = write_slot(&repair->in, f->magic, f->index, !slot, &buf[slot],
			 why);
	if (ret)
		return ret;
	return write_slot(&repair->in, f->magic, f->index, slot, &buf[slot],
			  why);
}

static int change_super(struct inspection *in, struct dm_chain_why *why)
{
	int ret = dm_chain_sb_check(&in->layer.sb, why);

	return ret ? ret : super_write(&in->layer, why);
}

/* What counts stays in one slot or the other, whichever is being written. */
static int lower_super_seq(struct inspection *in, struct dm_chain_why *why)
{
	struct layer *layer = &in->layer;
	u8 page[DM_CHAIN_PAGE_SIZE];
	int ret = dm_chain_sb_check(&layer->sb, why);

	if (ret)
		return ret;
	layer->sb.seq = 1;
	dm_chain_sb_encode(page, &layer->sb);
	ret = write_slot(in, DM_CHAIN_SB_MAGIC, 0, !layer->slot, page, why);
	if (ret)
		return ret;
	return write_slot(in, DM_CHAIN_SB_MAGIC, 0, layer->slot, page, why);
}

static struct chosen *find_chosen(struct repair *repair,
				  const struct finding *f)
{
	struct chosen *c;
	unsigned int i;

	for (i = 0; i < repair->nr_chosen && f->magic; i++) {
		c = &repair->chosen[i];
		if (!strcmp(c->magic, f->magic) && c->index == f->index)
			return c;
	}
	return NULL;
}

void repair_print(struct repair *repair)
{
	struct inspection *in = &repair->in;
	struct finding *f;

	for (f = in->findings; f; f = f->next)
		if (f->remedy == REMEDY_CHOICE && find_chosen(repair, f))
			advise(f, "as it was chosen: %s",
			       find_chosen(repair, f)->text);
	inspect_print(in, true);
}

/* Return: 1 if something was written, 0 if there is nothing to be done. */
static int remedy(struct repair *repair, const struct finding *f,
		  struct dm_chain_why *why)
{
	struct inspection *in = &repair->in;
	struct chosen *chosen;
	int ret;

	switch (f->remedy) {
	case REMEDY_WRITE:
		ret = write_slot(in, f->magic, f->index, f->slot, f->page, why);
		break;
	case REMEDY_JOB:
		cancel_job(&in->layer.sb);
		ret = change_super(in, why);
		break;
	case REMEDY_FIELDS:
		ret = change_super(in, why);
		break;
	case REMEDY_SEQ:
		if (!in->known)
			return 0;
		if (!about_page(f)) {
			ret = lower_super_seq(in, why);
			break;
		}
		fallthrough;
	case REMEDY_STATES:
	case REMEDY_NAMES:
		if (pages_damaged(in))
			return 0;
		ret = change_page(repair, f, why);
		break;
	case REMEDY_CHOICE:
		chosen = find_chosen(repair, f);
		if (!chosen || chosen->used)
			return 0;
		chosen->used = true;
		ret = repair_chosen(in, f, chosen, why);
		break;
	default:
		return 0;
	}
	return ret ? ret : 1;
}

/* Torn slots, which were no damage while the layer was not clean. */
static int heal_torn(struct repair *repair, const char *magic, u32 index,
		     u8 *payload, struct dm_chain_why *why)
{
	const struct layer *layer = &repair->in.layer;
	struct dm_chain_disk_page buf[2], *page[2] = { &buf[0], &buf[1] };
	bool fell_back = false;
	unsigned int slot;
	int ret;

	ret = page_read_slots(layer, magic, index, page, why);
	if (!ret)
		ret = dm_chain_page_pick((const struct dm_chain_disk_page **)page,
					 magic, layer->sb.uuid, index, false,
					 &slot, &fell_back, why);
	if (!ret && fell_back)
		ret = write_slot(&repair->in, magic, index, !slot, &buf[slot],
				 why);
	if (!ret)
		memcpy(payload, buf[slot].payload, DM_CHAIN_PAYLOAD);
	return ret;
}

static int end_pages(struct repair *repair, struct dm_chain_why *why)
{
	u8 names[DM_CHAIN_PAYLOAD], states[DM_CHAIN_PAYLOAD];
	struct layer *layer = &repair->in.layer;
	u32 d, n, first;
	int ret = 0;

	for (d = 0; d < layer->geo.dir_pages && !ret; d++) {
		first = d * DM_CHAIN_PAGES_PER_DIR;
		ret = heal_torn(repair, DM_CHAIN_DIR_MAGIC, d, names, why);
		for (n = 0; n < DM_CHAIN_PAGES_PER_DIR && !ret; n++)
			if (dm_chain_dir_get(names, n))
				ret = heal_torn(repair, DM_CHAIN_MAP_MAGIC,
						first + n, states, why);
	}
	if (ret)
		return ret;
	/* A check that was needed before, and found more, still is. */
	layer->sb.flags |= DM_CHAIN_F_CLEAN;
	if (!(repair->flags & DM_CHAIN_F_NEEDS_CHECK) || !repair->in.nr)
		layer->sb.flags &= ~DM_CHAIN_F_NEEDS_CHECK;
	return super_write(layer, why);
}

/*
 * All that can be done about what the last inspection found, up to what changes
 * the superblock: the findings behind that rest on the one before. Return: 1 if
 * something was written, 0 if nothing is left to be done.
 */
static int remedy_all(struct repair *repair, struct dm_chain_why *why)
{
	const struct finding *f;
	bool any = false;
	int ret = 0;

	for (f = repair->in.findings; f && ret >= 0; f = f->next) {
		ret = remedy(repair, f, why);
		any |= ret > 0;
		if (ret && !about_page(f))
			break;
	}
	return ret < 0 ? ret : any;
}

int repair_rehearse(struct repair *repair, struct dm_chain_why *why)
{
	struct inspection *in = &repair->in;
	unsigned int rounds = 0;
	int ret;

	if (in->known && in->nr &&
	    in->layer.sb.ro_compat & ~DM_CHAIN_KNOWN_RO_COMPAT)
		return dm_chain_refuse(why, -EROFS,
				       "%s has features that allow reading only: only a version that knows them can repair it",
				       in->path);
	while ((ret = remedy_all(repair, why)) > 0) {
		if (++rounds == MAX_ROUNDS)
			return dm_chain_refuse(why, -ELOOP,
					       "%s: repairing it does not come to an end",
					       in->path);
		inspect(in);
	}
	if (ret)
		return ret;
	if (repair->begun) {
		ret = end_pages(repair, why);
	} else if (in->known && !in->nr &&
		   in->layer.sb.flags & DM_CHAIN_F_NEEDS_CHECK) {
		in->layer.sb.flags &= ~DM_CHAIN_F_NEEDS_CHECK;
		ret = super_write(&in->layer, why);
	} else {
		return 0;
	}
	inspect(in);
	return ret;
}
