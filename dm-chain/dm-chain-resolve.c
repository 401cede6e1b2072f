// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: which of the layers that were named make up the chain, see
 * dm-chain-resolve.h.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>

#include "dm-chain-resolve.h"

/*
 * Room for what an entry is, in words. Names have at most 63 characters; of a
 * path or a reason 64 are shown, so that a whole message always fits.
 */
#define ENTRY_TEXT	136

static void describe_entry(const struct dm_chain_candidate *c, char *text)
{
	char uuid[DM_CHAIN_UUID_TEXT];

	if (c->absent) {
		snprintf(text, ENTRY_TEXT, "%s (%.64s)", c->name,
			 c->absent_why ? c->absent_why : "cannot be used");
	} else if (c->raw) {
		snprintf(text, ENTRY_TEXT, "%s (a raw device)", c->name);
	} else {
		dm_chain_uuid_format(c->sb->uuid, uuid);
		snprintf(text, ENTRY_TEXT, "%s (layer %s)", c->name, uuid);
	}
}

/*
 * The overlay's reference cannot be followed: none of the entries below it is
 * the one. The right one was left out, or another device given in its place,
 * most likely right below.
 */
static int refuse_missing(const struct dm_chain_candidate *c,
			  unsigned int overlay, struct dm_chain_why *why)
{
	const struct dm_chain_backing *b = &c[overlay].sb->backing;
	char uuid[DM_CHAIN_UUID_TEXT] = "";
	char below[ENTRY_TEXT] = "nothing";

	if (b->kind == DM_CHAIN_BACKING_LAYER)
		dm_chain_uuid_format(b->uuid, uuid);
	if (overlay)
		describe_entry(&c[overlay - 1], below);

	return dm_chain_refuse(why, -ENODEV,
			       "%s rests on %s%s%s%.64s, which is missing; right below it the line has %s",
			       c[overlay].name,
			       uuid[0] ? "layer " : "a raw device", uuid,
			       b->path[0] ? ", last seen at " : "", b->path,
			       below);
}

static int refuse_changed(const struct dm_chain_candidate *c,
			  unsigned int overlay, unsigned int found,
			  struct dm_chain_why *why)
{
	char ours[DM_CHAIN_UUID_TEXT], theirs[DM_CHAIN_UUID_TEXT];

	dm_chain_uuid_format(c[overlay].sb->uuid, ours);
	dm_chain_uuid_format(c[found].sb->uuid, theirs);
	return dm_chain_refuse(why, -ESTALE,
			       "%s (layer %s) was changed behind the back of %s (layer %s): generation %llu was recorded, it has %llu; restore it, or rebase the overlay",
			       c[found].name, theirs, c[overlay].name, ours,
			       c[overlay].sb->backing.generation,
			       c[found].sb->generation);
}

static int check_size(const struct dm_chain_candidate *c, unsigned int overlay,
		      unsigned int found, u64 size, struct dm_chain_why *why)
{
	u64 recorded = c[overlay].sb->backing.size;

	if (size >= recorded)
		return 0;
	return dm_chain_refuse(why, -ESTALE,
			       "%s has shrunk: it has %llu bytes, but %s was made on %llu of them; give it its size back, or name the right device",
			       c[found].name, size, c[overlay].name, recorded);
}

/* The entry right below is taken as it is: any layer or raw device will do. */
static int find_unset(const struct dm_chain_candidate *c, unsigned int overlay,
		      unsigned int *found, struct dm_chain_why *why)
{
	char below[ENTRY_TEXT];

	*found = overlay - 1;
	if (!c[*found].absent)
		return 0;

	describe_entry(&c[*found], below);
	return dm_chain_refuse(why, -ENODEV,
			       "%s has not been given a backing yet, and what the line has below it cannot be one: %s",
			       c[overlay].name, below);
}

static int find_raw(const struct dm_chain_candidate *c, unsigned int overlay,
		    unsigned int *found, struct dm_chain_why *why)
{
	unsigned int i;

	for (i = overlay; i--; ) {
		if (!c[i].raw || c[i].absent)
			continue;
		*found = i;
		return check_size(c, overlay, i, c[i].size, why);
	}
	return refuse_missing(c, overlay, why);
}

static int find_layer(const struct dm_chain_candidate *c, unsigned int overlay,
		      unsigned int *found, struct dm_chain_why *why)
{
	const struct dm_chain_backing *b = &c[overlay].sb->backing;
	unsigned int i;

	for (i = overlay; i--; ) {
		if (c[i].raw || c[i].absent ||
		    !dm_chain_uuid_equal(c[i].sb->uuid, b->uuid))
			continue;
		*found = i;
		/* Not bound yet: any content will do. */
		if (b->generation && c[i].sb->generation != b->generation)
			return refuse_changed(c, overlay, i, why);
		return check_size(c, overlay, i, c[i].sb->size, why);
	}
	return refuse_missing(c, overlay, why);
}

/* Sets @found to what @overlay rests on, or to @overlay if it stands alone. */
static int find_backing(const struct dm_chain_candidate *c,
			unsigned int overlay, unsigned int *found,
			struct dm_chain_why *why)
{
	*found = overlay;
	switch (c[overlay].sb->backing.kind) {
	case DM_CHAIN_BACKING_UNSET:
		return overlay ? find_unset(c, overlay, found, why) : 0;
	case DM_CHAIN_BACKING_RAW:
		return find_raw(c, overlay, found, why);
	case DM_CHAIN_BACKING_LAYER:
		return find_layer(c, overlay, found, why);
	default:
		return 0;
	}
}

static int check_active(const struct dm_chain_candidate *c,
			struct dm_chain_why *why)
{
	if (c->absent)
		return dm_chain_refuse(why, -ENODEV,
				       "the active layer, %s: %.64s", c->name,
				       c->absent_why ? c->absent_why :
				       "cannot be used");
	if (c->raw)
		return dm_chain_refuse(why, -EINVAL,
				       "the active layer, %s, has no metadata: only the base may be raw",
				       c->name);
	return 0;
}

int dm_chain_resolve(const struct dm_chain_candidate *c, unsigned int n,
		     unsigned int *chain, unsigned int *nr,
		     struct dm_chain_why *why)
{
	unsigned int active = n - 1;
	unsigned int layer = active;
	unsigned int found, i;
	int r;

	r = check_active(&c[active], why);
	if (r)
		return r;

	/* From the end of @chain to its start: the lowest comes last. */
	i = n;
	for (;;) {
		chain[--i] = layer;
		if (c[layer].raw)
			break;
		if (c[layer].sb->block_size != c[active].sb->block_size)
			return dm_chain_refuse(why, -EINVAL,
					       "the blocks of %s have %u bytes, those of the active layer, %s, %u: a chain has one block size",
					       c[layer].name,
					       c[layer].sb->block_size,
					       c[active].name,
					       c[active].sb->block_size);
		r = find_backing(c, layer, &found, why);
		if (r)
			return r;
		if (found == layer)
			break;
		layer = found;
	}

	*nr = n - i;
	memmove(chain, chain + i, *nr * sizeof(*chain));
	return 0;
}

void dm_chain_limits(const u64 *size, unsigned int n, u64 *limit)
{
	unsigned int i = n - 1;

	limit[i] = size[i];
	while (i--)
		limit[i] = i + 2 < n ? min(size[i], limit[i + 1]) : size[i];
}
