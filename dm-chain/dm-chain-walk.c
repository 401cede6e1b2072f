// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: what a job has to copy.
 *
 * Into the active layer: the blocks that the owner map gives to a layer of the
 * job. It is looked up again under the range lock, because the guest may take
 * a block at any time.
 *
 * Into a layer below the active one: the layers above it hide blocks from the
 * owner map that it must get nevertheless. So its own view is computed, a map
 * page at a time, from the states of the layers of the job. These change by
 * nothing but the job, so the plan of a page stays true until the job is
 * through with it.
 *
 * What nobody holds costs next to nothing, however much it is: a look-up goes on
 * over regions that have one owner, and pages that no layer of the job has ever
 * written are not looked at.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dm-chain-job.h"

/* What one look-up passes over at most, so that nobody waits for long. */
#define SKIP_BLOCKS	((u64)DM_CHAIN_REGION_BLOCKS << 14)

int dm_chain_walk_init(struct dm_chain_walk *w)
{
	w->plan = kvmalloc(DM_CHAIN_BLOCKS_PER_PAGE, GFP_KERNEL);
	w->own = kmalloc(DM_CHAIN_PAYLOAD, GFP_KERNEL);
	w->states = kmalloc(DM_CHAIN_PAYLOAD, GFP_KERNEL);
	return w->plan && w->own && w->states ? 0 : -ENOMEM;
}

void dm_chain_walk_exit(struct dm_chain_walk *w)
{
	kvfree(w->plan);
	kfree(w->own);
	kfree(w->states);
}

void dm_chain_walk_aim(struct dm_chain_walk *w, struct dm_chain *chain,
		       unsigned int top, unsigned int bottom)
{
	u64 size[DM_CHAIN_MAX_LAYERS], limit[DM_CHAIN_MAX_LAYERS];
	sector_t cut;
	unsigned int i;

	lockdep_assert_held(&chain->lock);
	w->chain = chain;
	w->top_id = chain->order[top];
	w->top = chain->slot[w->top_id].layer;
	w->active = w->top_id == chain->active;
	w->nr = top;
	w->bottom = bottom;
	w->page = DM_CHAIN_NO_PAGE;

	for (i = 0; i <= top; i++)
		size[i] = dm_chain_layer_size(chain, i);
	if (w->active)
		size[top] = chain->size;
	w->size = size[top];
	w->blocks = dm_chain_nr_blocks(chain, w->size);

	dm_chain_limits(size, top + 1, limit);
	bitmap_zero(w->range, DM_CHAIN_ID_NOBODY + 1);
	bitmap_zero(w->below, DM_CHAIN_ID_NOBODY + 1);
	set_bit(DM_CHAIN_ID_NOBODY, w->below);
	cut = w->size;
	for (i = 0; i < top; i++) {
		u8 id = chain->order[i];

		w->id[i] = id;
		w->limit[id] = limit[i];
		w->held[id] = size[i];
		set_bit(id, w->below);
		if (i < bottom)
			continue;
		set_bit(id, w->range);
		cut = min_t(sector_t, cut, size[i]);
	}
	w->limit[DM_CHAIN_ID_NOBODY] = 0;
	w->cut = bottom && cut < w->size;
	w->cut_block = cut >> chain->block_shift;
	w->cut_inside = cut != w->cut_block << chain->block_shift;
}

u64 dm_chain_walk_bytes(const struct dm_chain_walk *w, u64 block, u64 count)
{
	unsigned int shift = w->chain->block_shift;
	u64 end = min_t(u64, (block + count) << shift, w->size);

	return (end - (block << shift)) << SECTOR_SHIFT;
}

/*
 * Let the blocks @from to before @to of the page be what the layer at @pos
 * holds of them, unless a layer above it does.
 */
static int walk_apply(struct dm_chain_walk *w, unsigned int pos, u32 from,
		      u32 to)
{
	struct dm_chain *chain = w->chain;
	u8 id = w->id[pos];
	struct dm_chain_layer *layer = chain->slot[id].layer;
	u64 first = (u64)w->page * DM_CHAIN_BLOCKS_PER_PAGE;
	u64 held = dm_chain_nr_blocks(chain, w->held[id]);
	u64 shown = dm_chain_nr_blocks(chain, w->limit[id]);
	bool raw = dm_chain_layer_raw(layer);
	u32 n, run;
	int r;

	if (!raw) {
		if (w->page >= layer->nr_pages ||
		    dm_chain_meta_next_states(layer, w->page) != w->page)
			return 0;
		r = dm_chain_meta_read_states(layer, w->page, w->states);
		if (r) {
			w->bad = id;
			return r;
		}
	}
	if (first >= held)
		return 0;
	to = min_t(u64, to, held - first);
	for (n = from; n < to; n += run) {
		enum dm_chain_state state = DM_CHAIN_DATA;
		u32 i;

		run = to - n;
		if (!raw) {
			state = dm_chain_state_get(w->states, n);
			run = dm_chain_state_run(w->states, n, run);
		}
		if (state == DM_CHAIN_UNALLOCATED)
			continue;
		for (i = n; i < n + run; i++) {
			if (w->plan[i] != DM_CHAIN_NOBODY)
				continue;
			w->plan[i] = id;
			if (state == DM_CHAIN_ZERO || first + i >= shown)
				w->plan[i] |= DM_CHAIN_OWNER_ZERO;
		}
	}
	return 0;
}

/* Blocks that no layer of the job holds: see dm_chain_walk_look(). */
static int walk_apply_rest(struct dm_chain_walk *w, u32 blocks)
{
	u64 first = (u64)w->page * DM_CHAIN_BLOCKS_PER_PAGE;
	u64 keep = w->cut ? w->cut_block : w->blocks;
	unsigned int pos;
	u32 n;
	int r;

	if (w->cut && w->cut_inside && w->cut_block >= first &&
	    w->cut_block - first < blocks) {
		n = w->cut_block - first;
		for (pos = w->bottom; pos--;) {
			r = walk_apply(w, pos, n, n + 1);
			if (r)
				return r;
		}
	}
	for (n = 0; n < blocks && first + n < keep; n++)
		if (w->plan[n] == DM_CHAIN_NOBODY)
			w->plan[n] = w->top_id;
	return 0;
}

static int walk_plan(struct dm_chain_walk *w)
{
	u64 first = (u64)w->page * DM_CHAIN_BLOCKS_PER_PAGE;
	u32 blocks = min_t(u64, w->blocks - first, DM_CHAIN_BLOCKS_PER_PAGE);
	unsigned int pos;
	u32 n, run;
	int r;

	r = dm_chain_meta_read_states(w->top, w->page, w->own);
	if (r) {
		w->bad = w->top_id;
		return r;
	}
	for (n = 0; n < blocks; n += run) {
		bool held = dm_chain_state_get(w->own, n) != DM_CHAIN_UNALLOCATED;

		run = dm_chain_state_run(w->own, n, blocks - n);
		memset(w->plan + n, held ? w->top_id : DM_CHAIN_NOBODY, run);
	}
	for (pos = w->nr; pos-- > w->bottom;) {
		r = walk_apply(w, pos, 0, blocks);
		if (r)
			return r;
	}
	return walk_apply_rest(w, blocks);
}

/*
 * The first page from @page on with something to do in it: a layer of the job
 * holds something there, or it is not before the cut.
 */
static u32 walk_next_page(struct dm_chain_walk *w, u32 page)
{
	struct dm_chain *chain = w->chain;
	u64 next = DIV_ROUND_UP_ULL(w->blocks, DM_CHAIN_BLOCKS_PER_PAGE);
	unsigned int pos;

	if (w->cut) {
		u32 cut = div_u64(w->cut_block, DM_CHAIN_BLOCKS_PER_PAGE);

		next = min_t(u64, next, max(page, cut));
	}
	for (pos = w->bottom; pos < w->nr && next > page; pos++) {
		u8 id = w->id[pos];
		struct dm_chain_layer *layer = chain->slot[id].layer;
		u64 held = dm_chain_nr_blocks(chain, w->held[id]);
		u32 states;

		if (dm_chain_layer_raw(layer)) {
			if ((u64)page * DM_CHAIN_BLOCKS_PER_PAGE < held)
				next = page;
			continue;
		}
		/* A smaller layer's map may end before. */
		states = dm_chain_meta_next_states(layer, page);
		if (states < layer->nr_pages)
			next = min_t(u64, next, states);
	}
	return next;
}

int dm_chain_walk_load(struct dm_chain_walk *w, u64 block)
{
	u32 page;
	int r;

	if (w->active)
		return 0;
	page = div_u64(block, DM_CHAIN_BLOCKS_PER_PAGE);
	if (w->page != DM_CHAIN_NO_PAGE && page >= w->page && page < w->next)
		return 0;

	w->page = page;
	w->next = walk_next_page(w, page);
	w->idle = w->next > page;
	if (w->idle)
		return 0;
	w->next = page + 1;
	r = walk_plan(w);
	if (r)
		w->page = DM_CHAIN_NO_PAGE;
	return r;
}

u8 dm_chain_walk_owner(const struct dm_chain_walk *w, u64 block, u64 max,
		       u64 *count)
{
	const struct dm_chain_owner_map *map = w->chain->map;
	u64 region = (block | (DM_CHAIN_REGION_BLOCKS - 1)) + 1;
	u8 entry;

	rcu_read_lock();
	entry = dm_chain_owner_lookup(map, block, min(max, region - block),
				      count);
	if (block + *count == region && *count < max &&
	    !dm_chain_walk_in_range(w, entry) &&
	    !(w->cut && block >= w->cut_block)) {
		u64 more;

		if (dm_chain_owner_lookup(map, region,
					  min_t(u64, max - *count, SKIP_BLOCKS),
					  &more) == entry)
			*count += more;
	}
	rcu_read_unlock();
	return entry;
}

static bool walk_look_plan(const struct dm_chain_walk *w, u64 block, u64 max,
			   u64 *count, u8 *entry)
{
	u32 n = block - (u64)w->page * DM_CHAIN_BLOCKS_PER_PAGE;
	const u8 *end;

	if (w->idle) {
		*entry = w->top_id;
		*count = min(max, (u64)w->next * DM_CHAIN_BLOCKS_PER_PAGE - block);
		return false;
	}
	max = min_t(u64, max, DM_CHAIN_BLOCKS_PER_PAGE - n);
	*entry = w->plan[n];
	end = memchr_inv(&w->plan[n], *entry, max);
	*count = end ? end - &w->plan[n] : max;
	return dm_chain_owner_id(*entry) != w->top_id;
}

static bool walk_look_map(const struct dm_chain_walk *w, u64 block, u64 max,
			  u64 *count, u8 *entry)
{
	u64 shown;

	*entry = dm_chain_walk_owner(w, block, max, count);
	if (dm_chain_owner_id(*entry) == w->top_id)
		return false;
	if (!dm_chain_walk_in_range(w, *entry)) {
		if (!w->cut)
			return false;
		if (block < w->cut_block) {
			*count = min(*count, w->cut_block - block);
			return false;
		}
		if (block > w->cut_block || !w->cut_inside) {
			*entry = DM_CHAIN_NOBODY;
			return true;
		}
		*count = 1;
	}
	if (!(*entry & DM_CHAIN_OWNER_ZERO)) {
		shown = dm_chain_nr_blocks(w->chain,
					   w->limit[dm_chain_owner_id(*entry)]);
		if (block >= shown)
			*entry |= DM_CHAIN_OWNER_ZERO;
		else
			*count = min(*count, shown - block);
	}
	return true;
}

bool dm_chain_walk_look(const struct dm_chain_walk *w, u64 block, u64 max,
			u64 *count, u8 *entry)
{
	u64 region = (block | (DM_CHAIN_REGION_BLOCKS - 1)) + 1;
	bool wanted;

	max = min(max, w->blocks - block);
	wanted = w->active ? walk_look_map(w, block, max, count, entry) :
			     walk_look_plan(w, block, max, count, entry);
	/* What is copied lies in one region. */
	if (wanted)
		*count = min(*count, region - block);
	return wanted;
}

u32 dm_chain_walk_extent(const struct dm_chain_walk *w, u64 block, u32 max,
			 u8 *what, u32 *data, u32 *holes)
{
	u64 region = (block | (DM_CHAIN_REGION_BLOCKS - 1)) + 1;
	u64 end = min3(block + max, region, w->blocks);
	u64 at, count, stop = block;

	if (!w->active)
		end = min(end, ((u64)w->page + 1) * DM_CHAIN_BLOCKS_PER_PAGE);
	*data = 0;
	*holes = 0;
	for (at = block; at < end; at += count) {
		u8 entry;

		if (!dm_chain_walk_look(w, at, end - at, &count, &entry)) {
			memset(what + (at - block), w->top_id, count);
			continue;
		}
		memset(what + (at - block), entry, count);
		if (!(entry & DM_CHAIN_OWNER_ZERO))
			*data += count;
		*holes += at - stop;
		stop = at + count;
	}
	return stop - block;
}

int dm_chain_walk_count(struct dm_chain_walk *w, u64 *data, u64 *zero)
{
	u64 block, count;

	*data = 0;
	*zero = 0;
	for (block = 0; block < w->blocks; block += count) {
		int r = dm_chain_walk_load(w, block);
		u64 bytes;
		u8 entry;

		if (r)
			return r;
		if (dm_chain_walk_look(w, block, w->blocks - block, &count,
				       &entry)) {
			bytes = dm_chain_walk_bytes(w, block, count);
			if (entry & DM_CHAIN_OWNER_ZERO)
				*zero += bytes;
			else
				*data += bytes;
		}
		cond_resched();
	}
	return 0;
}
