// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what only the user can decide about damaged pages.
 */
#include <errno.h>
#include <stdlib.h>
#include <linux/string.h>

#include "repair.h"

static const struct {
	const char *word;
	const char *magic;
} pages[] = {
	{ "super", DM_CHAIN_SB_MAGIC },
	{ "dir", DM_CHAIN_DIR_MAGIC },
	{ "map", DM_CHAIN_MAP_MAGIC },
};

static const struct {
	const char *word;
	enum choice what;
	const char *magic;	/* NULL = of any page */
} choices[] = {
	{ "A", CHOICE_A, NULL },
	{ "B", CHOICE_B, NULL },
	{ "scan", CHOICE_SCAN, DM_CHAIN_DIR_MAGIC },
	{ "below", CHOICE_BELOW, DM_CHAIN_MAP_MAGIC },
	{ "data", CHOICE_DATA, DM_CHAIN_MAP_MAGIC },
	{ "zero", CHOICE_ZERO, DM_CHAIN_MAP_MAGIC },
};

static bool parse_page(const char *text, size_t len, struct chosen *chosen)
{
	unsigned long long index = 0;
	size_t i, word = strcspn(text, ":=");
	char *end;

	for (i = 0; i < ARRAY_SIZE(pages); i++)
		if (strlen(pages[i].word) == word &&
		    !strncmp(text, pages[i].word, word))
			chosen->magic = pages[i].magic;
	if (!chosen->magic)
		return false;
	if (!strcmp(chosen->magic, DM_CHAIN_SB_MAGIC)) {
		if (word < len)
			return false;
	} else {
		text += word + 1;
		index = strtoull(text, &end, 10);
		if (*text < '0' || *text > '9' || *end != '=' || index > ~0U)
			return false;
	}
	chosen->index = index;
	return true;
}

int parse_chosen(const char *text, struct chosen *chosen,
		 struct dm_chain_why *why)
{
	size_t len = strcspn(text, "="), i;

	*chosen = (struct chosen) { .text = text };
	if (text[len] && parse_page(text, len, chosen))
		for (i = 0; i < ARRAY_SIZE(choices); i++)
			if (!strcmp(text + len + 1, choices[i].word) &&
			    (!choices[i].magic ||
			     !strcmp(choices[i].magic, chosen->magic))) {
				chosen->what = choices[i].what;
				return 0;
			}
	return dm_chain_refuse(why, -EINVAL,
			       "--choose %s: write super=A or B, dir:N=A, B or scan, map:N=A, B, below, data or zero",
			       text);
}

/* Both slots alike, slot @first first. */
static int write_both(struct inspection *in, const struct finding *f,
		      const void *page, unsigned int first,
		      struct dm_chain_why *why)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < 2 && !ret; i++)
		ret = write_slot(in, f->magic, f->index, i ? !first : first,
				 page, why);
	return ret;
}

/* A torn write leaves the slot that was taken as the only good one. */
static int take_slot(struct inspection *in, const struct finding *f,
		     unsigned int slot, struct dm_chain_why *why)
{
	struct slots s;
	int ret = 0;

	slots_read(&in->layer, f->magic, f->index, &s);
	if (!slot_good(&s, slot))
		ret = write_slot(in, f->magic, f->index, slot, s.whole[slot],
				 why);
	if (ret)
		return ret;
	return write_slot(in, f->magic, f->index, !slot, s.whole[slot], why);
}

static int fill_states(struct inspection *in, const struct finding *f,
		       enum dm_chain_state state, struct dm_chain_why *why)
{
	u64 first = (u64)f->index * DM_CHAIN_BLOCKS_PER_PAGE;
	u64 blocks = layer_blocks(&in->layer);
	struct dm_chain_disk_page page = { };

	if (blocks > first)
		dm_chain_state_fill(page.payload, 0,
				    min_t(u64, blocks - first,
					  DM_CHAIN_BLOCKS_PER_PAGE), state);
	dm_chain_page_seal(&page, f->magic, in->layer.sb.uuid, f->index,
			   in->layer.sb.seq);
	return write_both(in, f, &page, f->usable & 1, why);
}

/*
 * A map page that is there was written by this layer, and before it everything
 * that it names: also one that a power cut kept from being named is right.
 */
static int scan_pages(struct inspection *in, const struct finding *f,
		      struct dm_chain_why *why)
{
	u32 first = f->index * DM_CHAIN_PAGES_PER_DIR, n, found = 0;
	const struct layer *layer = &in->layer;
	struct dm_chain_disk_page page = { };
	static struct slots s;

	for (n = 0; n < DM_CHAIN_PAGES_PER_DIR &&
	     first + n < layer->geo.map_pages; n++) {
		slots_read(layer, DM_CHAIN_MAP_MAGIC, first + n, &s);
		if (s.usable[0] || s.usable[1]) {
			dm_chain_dir_set(page.payload, n);
			found++;
			continue;
		}
		if (s.unreadable[0] || s.unreadable[1] ||
		    s.kind[0] == DM_CHAIN_SLOT_TORN ||
		    s.kind[1] == DM_CHAIN_SLOT_TORN)
			inspect_say(in,
				    "map page %u is not taken, though something of one is there",
				    first + n);
	}
	inspect_say(in, "directory page %u: %u map pages are there", f->index,
		    found);
	dm_chain_page_seal(&page, f->magic, layer->sb.uuid, f->index,
			   layer->sb.seq);
	return write_both(in, f, &page, f->usable & 1, why);
}

int repair_chosen(struct inspection *in, const struct finding *f,
		  struct chosen *chosen, struct dm_chain_why *why)
{
	static const enum dm_chain_state states[] = {
		[CHOICE_BELOW] = DM_CHAIN_UNALLOCATED,
		[CHOICE_DATA] = DM_CHAIN_DATA,
		[CHOICE_ZERO] = DM_CHAIN_ZERO,
	};
	unsigned int slot;

	switch (chosen->what) {
	case CHOICE_A:
	case CHOICE_B:
		slot = chosen->what == CHOICE_B;
		if (f->usable & 1 << slot)
			return take_slot(in, f, slot, why);
		return dm_chain_refuse(why, -EINVAL,
				       "--choose %s: that slot is damaged itself",
				       chosen->text);
	case CHOICE_SCAN:
		return scan_pages(in, f, why);
	default:
		return fill_states(in, f, states[chosen->what], why);
	}
}
