// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: a chain of layers and its view, read from their devices.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chainsetup.h"

static const struct layer_hint *find_hint(const struct layer_hint *hints,
					  unsigned int nr, const u8 *uuid)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (dm_chain_uuid_equal(hints[i].uuid, uuid))
			return &hints[i];
	return NULL;
}

/* Open what @above rests on as @layer. */
static int open_backing(struct layer *layer, const struct layer *above,
			const struct layer_hint *hint, unsigned int flags,
			struct dm_chain_why *why)
{
	const struct dm_chain_backing *backing = &above->sb.backing;
	struct dm_chain_why reason = { "" };
	char *path;
	int ret;

	if (hint)
		return layer_open(layer, hint->meta ? hint->meta : hint->data,
				  hint->meta ? hint->data : NULL,
				  backing->kind == DM_CHAIN_BACKING_RAW ?
					flags | LAYER_ANY | LAYER_KNOWN_RAW : flags,
				  why);
	if (backing->kind == DM_CHAIN_BACKING_RAW) {
		ret = layer_open_raw(layer, backing, flags, &reason);
		if (ret)
			return dm_chain_refuse(why, ret,
					       "the raw base of %s: %s; if it has moved, say where with --layer raw=DEV or \"chainsetup rebase\"",
					       above->meta.path, reason.text);
		return 0;
	}
	ret = find_layer(backing->uuid, backing->path, &path, &reason);
	if (ret)
		return dm_chain_refuse(why, ret, "the backing of %s: %s",
				       above->meta.path, reason.text);
	ret = layer_open(layer, path, NULL, flags, why);
	free(path);
	return ret;
}

static int check_devices(const struct chain *chain, struct dm_chain_why *why)
{
	/* While collecting: the lowest so far is the last. */
	const struct layer *new = &chain->layer[chain->nr - 1], *old;
	unsigned int i;

	for (i = 0; i + 1 < chain->nr; i++) {
		old = &chain->layer[i];
		if (device_same(&old->meta, &new->meta) ||
		    (new->sep_meta && new->data.fd >= 0 &&
		     (device_same(&old->meta, &new->data) ||
		      (old->data.fd >= 0 && device_same(&old->data, &new->data)))))
			return dm_chain_refuse(why, -EINVAL,
					       "%s and the layer below it, %s, share a device: each needs one of its own, --layer says which",
					       old->meta.path, new->meta.path);
	}
	return 0;
}

/* The overlay whose backing is not what it was bound to, or NULL. */
static const struct layer *stale_overlay(const struct chain *chain)
{
	unsigned int i;

	for (i = 1; i < chain->nr; i++) {
		const struct dm_chain_backing *ref = &chain->layer[i].sb.backing;
		const struct layer *below = &chain->layer[i - 1];

		if (ref->kind == DM_CHAIN_BACKING_LAYER &&
		    (below->raw ||
		     !dm_chain_uuid_equal(ref->uuid, below->sb.uuid) ||
		     (ref->generation &&
		      ref->generation != below->sb.generation)))
			return &chain->layer[i];
	}
	return NULL;
}

int chain_check(struct chain *chain, struct dm_chain_why *why)
{
	struct dm_chain_candidate c[DM_CHAIN_MAX_LAYERS] = { };
	char name[DM_CHAIN_MAX_LAYERS][DM_CHAIN_NAME_LEN];
	unsigned int order[DM_CHAIN_MAX_LAYERS], nr, i;
	struct dm_chain_why reason = { "" };
	u64 size[DM_CHAIN_MAX_LAYERS];
	const struct layer *stale;
	int ret;

	for (i = 0; i < chain->nr; i++) {
		struct layer *layer = &chain->layer[i];

		c[i].name = layer_name(layer, name[i]);
		c[i].raw = layer->raw;
		c[i].sb = layer->raw ? NULL : &layer->sb;
		c[i].size = layer_size(layer);
		size[i] = layer_size(layer);
	}
	if (chain->nr > 1 && chain->layer[0].raw)
		size[0] = dm_chain_raw_shown(size[0], &chain->layer[1].sb.backing);
	ret = dm_chain_resolve(c, chain->nr, order, &nr, &reason);
	if (!ret) {
		dm_chain_limits(size, chain->nr, chain->limit);
		return 0;
	}
	stale = stale_overlay(chain);
	if (!stale)
		return dm_chain_refuse(why, ret, "%s", reason.text);
	return dm_chain_refuse(why, ret,
			       "%s; to accept it as it is: chainsetup rebase --unsafe %s %s",
			       reason.text, stale->meta.path,
			       stale[-1].meta.path);
}

/*
 * The user may have named the data device of the active layer, too, and its
 * path hint may lead nowhere: look at the UUID first.
 */
int layer_open_hinted(struct layer *layer, const char *path,
		      const struct layer_hint *hints, unsigned int nr_hints,
		      unsigned int flags, struct dm_chain_why *why)
{
	const struct layer_hint *hint = NULL;
	int ret;

	if (nr_hints) {
		ret = layer_open(layer, path, NULL, flags | LAYER_META_ONLY,
				 why);
		if (ret)
			return ret;
		hint = find_hint(hints, nr_hints, layer->sb.uuid);
		layer_close(layer);
	}
	return layer_open(layer, path, hint && hint->meta ? hint->data : NULL,
			  flags, why);
}

static bool rests_on_something(const struct layer *layer)
{
	return !layer->raw &&
	       (layer->sb.backing.kind == DM_CHAIN_BACKING_RAW ||
		layer->sb.backing.kind == DM_CHAIN_BACKING_LAYER);
}

int chain_collect(struct chain *chain, const char *path,
		  const struct layer_hint *hints, unsigned int nr_hints,
		  unsigned int top_flags, unsigned int flags,
		  struct dm_chain_why *why)
{
	const struct layer *above;
	unsigned int i;
	int ret;

	memset(chain, 0, sizeof(*chain));
	ret = layer_open_hinted(&chain->layer[0], path, hints, nr_hints,
				top_flags, why);
	if (ret)
		return ret;
	chain->nr = 1;

	/* From the active layer down; turned round at the end. */
	while (rests_on_something(above = chain_top(chain))) {
		if (chain->nr == DM_CHAIN_MAX_LAYERS)
			ret = dm_chain_refuse(why, -E2BIG,
					      "the chain of %s has more than %u layers: \"chainsetup dump\" shows what each rests on, \"rebase\" changes it",
					      path, DM_CHAIN_MAX_LAYERS);
		else
			ret = open_backing(&chain->layer[chain->nr], above,
					   find_hint(hints, nr_hints, above->sb.backing.uuid),
					   flags, why);
		if (ret)
			goto fail;
		chain->nr++;
		ret = check_devices(chain, why);
		if (ret)
			goto fail;
	}
	for (i = 0; i < chain->nr / 2; i++) {
		struct layer layer = chain->layer[i];

		chain->layer[i] = chain->layer[chain->nr - 1 - i];
		chain->layer[chain->nr - 1 - i] = layer;
	}
	return 0;
fail:
	chain_close(chain);
	return ret;
}

int chain_open(struct chain *chain, const char *path,
	       const struct layer_hint *hints, unsigned int nr_hints,
	       unsigned int top_flags, unsigned int flags,
	       struct dm_chain_why *why)
{
	int ret = chain_collect(chain, path, hints, nr_hints, top_flags, flags,
				why);

	if (ret)
		return ret;
	ret = chain_check(chain, why);
	if (ret)
		chain_close(chain);
	return ret;
}

void chain_close(struct chain *chain)
{
	while (chain->nr)
		layer_close(&chain->layer[--chain->nr]);
}

int chain_load_maps(struct chain *chain, struct dm_chain_why *why)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < chain->nr && !ret; i++)
		ret = layer_load_map(&chain->layer[i], why);
	return ret;
}

void chain_view_run(const struct chain *chain, u64 offset, u64 max, int *owner,
		    u64 *run)
{
	u64 block_size, block, blocks, rest;
	enum dm_chain_state state;
	int i;

	*run = max;
	for (i = chain->nr - 1; i >= 0; i--) {
		const struct layer *layer = &chain->layer[i];

		/* Limits never grow downwards: no lower layer shows here. */
		if (offset >= chain->limit[i])
			break;
		if (*run > chain->limit[i] - offset)
			*run = chain->limit[i] - offset;
		*owner = i;
		if (layer->raw)
			return;
		block_size = layer->sb.block_size;
		block = offset / block_size;
		rest = (*run + offset % block_size + block_size - 1) / block_size;
		state = layer_state(layer, block, rest, &blocks);
		rest = (block + blocks) * block_size - offset;
		if (*run > rest)
			*run = rest;
		if (state == DM_CHAIN_DATA)
			return;
		if (state == DM_CHAIN_ZERO)
			break;
	}
	*owner = -1;
}

int chain_view_read(const struct chain *chain, void *buf, size_t len,
		    u64 offset, struct dm_chain_why *why)
{
	int owner, ret = 0;
	u64 run;

	while (!ret && len) {
		chain_view_run(chain, offset, len, &owner, &run);
		if (owner < 0) {
			memset(buf, 0, run);
		} else {
			const struct layer *layer = &chain->layer[owner];
			u64 start = layer->raw ? 0 : layer->sb.data_offset;

			ret = device_read(&layer->data, buf, run,
					  start + offset, why);
		}
		buf += run;
		offset += run;
		len -= run;
	}
	return ret;
}
