// SPDX-License-Identifier: GPL-2.0
/* chaintest: the model: what a chain shows and what its layers hold. */
#include <stdlib.h>
#include <string.h>

#include "ct.h"

/* A layer's block counts as what the strictest reading of its mask says. */
static unsigned int state_of(const struct layer *l, u64 block)
{
	if (l->may[block] & MAY_DATA)
		return DM_CHAIN_DATA;
	if (l->may[block] & MAY_ZERO)
		return DM_CHAIN_ZERO;
	return DM_CHAIN_UNALLOCATED;
}

/**
 * model_view() - what a chain shows, from what its layers hold
 * @layer: base first, the active one last
 * @nr: how many
 * @view: gets a tag for each sector of the active layer
 */
void model_view(struct layer *const *layer, unsigned int nr, u32 *view)
{
	u64 size = layer[nr - 1]->size;
	u64 s, limit, end;
	int i;

	for (s = 0; s < size / SECTOR; s++) {
		limit = size;
		view[s] = 0;
		for (i = nr - 1; i >= 0; i--) {
			const struct layer *l = layer[i];
			unsigned int state;

			end = l->size;
			limit = min(limit, end);
			/* The active layer does not cut those below it. */
			if (s * SECTOR >= limit)
				break;
			if (i == (int)nr - 1)
				limit = ~0ULL;
			state = layer_raw(l) ? DM_CHAIN_DATA :
				state_of(l, s * SECTOR / l->block_size);
			if (state == DM_CHAIN_UNALLOCATED)
				continue;
			if (state == DM_CHAIN_DATA)
				view[s] = l->tag[s];
			break;
		}
	}
}

static u64 block_end(const struct chain *c, u64 block)
{
	return min((block + 1) * c->block_size, c->size);
}

/* Calls @whole or @part for each block of a range. */
static void each_block(struct chain *c, u64 offset, u64 len, u8 whole, u8 part)
{
	u64 b = offset / c->block_size;
	u64 end = offset + len;
	u8 *may = chain_active(c)->may;
	bool is_whole;

	for (; b * c->block_size < end; b++) {
		is_whole = offset <= b * c->block_size &&
			   end >= block_end(c, b);
		if (is_whole && whole)
			may[b] = whole;
		else if (!is_whole && part && may[b] != MAY_DATA)
			may[b] = part;
	}
}

void model_write(struct chain *c, u64 offset, u64 len, u32 tag)
{
	u64 s;

	each_block(c, offset, len, MAY_DATA, MAY_DATA);
	for (s = offset / SECTOR; s < (offset + len) / SECTOR; s++)
		c->view[s] = tag;
}

/* Whole blocks become zero, others are left alone. */
void model_discard(struct chain *c, u64 offset, u64 len)
{
	u64 b = DIV_ROUND_UP(offset, c->block_size);
	u64 s;

	for (; b * c->block_size < c->size; b++) {
		if (block_end(c, b) > offset + len)
			break;
		chain_active(c)->may[b] = MAY_ZERO;
		for (s = b * c->block_size / SECTOR;
		     s < block_end(c, b) / SECTOR; s++)
			c->view[s] = 0;
	}
}

static bool view_is_zero(const struct chain *c, u64 block)
{
	u64 s;

	for (s = block * c->block_size / SECTOR;
	     s < block_end(c, block) / SECTOR; s++)
		if (c->view[s])
			return false;
	return true;
}

/*
 * Where the target takes write-zeroes, whole blocks become zero; a part of a
 * block may make it zero too if nothing else is in it. Otherwise pages of
 * zeros are written.
 */
void model_zero(struct chain *c, u64 offset, u64 len)
{
	u8 *may = chain_active(c)->may;
	u64 first = offset / c->block_size;
	u64 last = (offset + len - 1) / c->block_size;
	u8 before[2] = { may[first], may[last] };

	model_write(c, offset, len, 0);
	if (!c->wz)
		return;
	each_block(c, offset, len, MAY_ZERO, 0);
	if (may[first] == MAY_DATA && view_is_zero(c, first))
		may[first] |= MAY_ZERO | (before[0] & MAY_UNALLOC);
	if (may[last] == MAY_DATA && view_is_zero(c, last))
		may[last] |= MAY_ZERO | (before[1] & MAY_UNALLOC);
}

/* The active layer becomes one that nobody writes. */
void model_freeze(struct chain *c)
{
	memcpy(chain_active(c)->tag, c->view, c->size / SECTOR * sizeof(u32));
}

/* A new layer on top. */
void model_push(struct chain *c, struct layer *l)
{
	struct layer *below = c->nr ? chain_active(c) : NULL;
	u64 b;

	if (below && !layer_raw(below))
		model_freeze(c);
	c->layer[c->nr++] = l;
	c->size = l->size;
	free(c->view);
	c->view = ct_alloc(l->size / SECTOR * sizeof(u32));
	model_view(c->layer, c->nr, c->view);

	/* Larger than its backing: what is new may have been made zero. */
	for (b = 0; b < layer_blocks(l); b++) {
		l->may[b] = MAY_UNALLOC;
		if (!below || (b + 1) * l->block_size <= below->size)
			continue;
		l->may[b] |= MAY_ZERO;
		if (b * l->block_size < below->size)
			l->may[b] |= MAY_DATA;
	}
}

/* Would the layers up to @base show data of a block at @from and behind? */
static bool shows_beyond(const struct chain *c, int base, u64 block, u64 from)
{
	u64 limit = ~0ULL;

	for (; base >= 0; base--) {
		const struct layer *l = c->layer[base];

		limit = min(limit, l->size);
		if (limit <= from)
			return false;
		if (layer_raw(l))
			return true;
		if (state_of(l, block) != DM_CHAIN_UNALLOCATED)
			return state_of(l, block) == DM_CHAIN_DATA;
	}
	return false;
}

/* What a stream makes of a block of its top that held nothing. */
static u8 streamed(const struct chain *c, unsigned int top, int base,
		   u64 block, const u32 *view)
{
	struct layer *t = c->layer[top];
	u64 begin = block * t->block_size;
	u64 end = min(begin + t->block_size, t->size);
	u64 limit = ~0ULL;
	u64 cut = ~0ULL;
	bool zero = true;
	bool held = false;
	int i;
	u64 s;

	for (s = begin / SECTOR; s < end / SECTOR; s++)
		zero = zero && !view[s];
	for (i = top - 1; i > base; i--) {
		const struct layer *l = c->layer[i];

		limit = min(limit, l->size);
		cut = limit;
		if (!held && begin < limit)
			held = layer_raw(l) ||
			       state_of(l, block) != DM_CHAIN_UNALLOCATED;
	}
	if (held)
		return zero ? MAY_ZERO : MAY_DATA;
	if (end <= cut)
		return MAY_UNALLOC;
	/* Cut, or behind the end of a layer that leaves. */
	if (shows_beyond(c, base, block, max(cut, begin)))
		return zero ? MAY_ZERO : MAY_DATA;
	return zero ? MAY_UNALLOC | MAY_ZERO : MAY_UNALLOC | MAY_DATA;
}

/**
 * model_stream() - a finished stream; no mask of the top leaves a choice
 * @c: the chain; the layers between are moved to c->dropped
 * @top: index of the destination
 * @base: index of the base, -1 for none
 */
void model_stream(struct chain *c, unsigned int top, int base)
{
	struct layer *t = c->layer[top];
	u32 *view = ct_alloc(t->size / SECTOR * sizeof(u32));
	u64 b, s, end;
	unsigned int i;

	if (base == (int)top - 1)
		return;
	if (top == c->nr - 1)
		model_freeze(c);
	model_view(c->layer, top + 1, view);
	for (b = 0; b < layer_blocks(t); b++) {
		if (state_of(t, b) != DM_CHAIN_UNALLOCATED)
			continue;
		t->may[b] = streamed(c, top, base, b, view);
		end = min((b + 1) * t->block_size, t->size);
		for (s = b * t->block_size / SECTOR; s < end / SECTOR; s++)
			t->tag[s] = view[s];
	}
	free(view);

	for (i = base + 1; i < top; i++)
		c->dropped[c->nr_dropped++] = c->layer[i];
	memmove(&c->layer[base + 1], &c->layer[top],
		(c->nr - top) * sizeof(c->layer[0]));
	c->nr -= top - base - 1;
}

static void *longer(void *old, size_t old_len, size_t len)
{
	void *p = ct_alloc(len);

	memcpy(p, old, old_len);
	free(old);
	return p;
}

/*
 * The active layer becomes larger: zeros where layers below would show, and the
 * block that its end cut is its own if one would show there.
 */
void model_grow(struct chain *c, u64 size)
{
	struct layer *e = chain_active(c);
	u64 old = e->size, blocks = layer_blocks(e), cut = old / e->block_size;
	u64 below = c->nr > 1 ? c->layer[c->nr - 2]->size : 0;
	u64 b;

	if (cut < blocks && state_of(e, cut) == DM_CHAIN_UNALLOCATED &&
	    shows_beyond(c, c->nr - 2, cut, old))
		e->may[cut] = view_is_zero(c, cut) ? MAY_DATA | MAY_ZERO :
						     MAY_DATA;
	e->size = size;
	c->size = size;
	e->may = longer(e->may, blocks, layer_blocks(e));
	e->tag = longer(e->tag, old / SECTOR * sizeof(u32),
			size / SECTOR * sizeof(u32));
	c->view = longer(c->view, old / SECTOR * sizeof(u32),
			 size / SECTOR * sizeof(u32));
	for (b = blocks; b < layer_blocks(e); b++)
		e->may[b] = b * e->block_size < below ? MAY_ZERO : MAY_UNALLOC;
}

/*
 * A stream that has copied everything and dropped nothing yet. From here on the
 * guest's writes go on top of it as if it had always been so.
 */
void model_copied(struct chain *c, unsigned int top, int base)
{
	struct chain after = *c;

	model_stream(&after, top, base);
}

/* What a stream would copy now, in bytes. */
u64 model_missing(struct chain *c, unsigned int top, int base)
{
	struct layer *t = c->layer[top];
	u8 *before = ct_alloc(layer_blocks(t));
	u32 *tag = ct_alloc(t->size / SECTOR * sizeof(u32));
	u64 b, bytes = 0;

	memcpy(before, t->may, layer_blocks(t));
	memcpy(tag, t->tag, t->size / SECTOR * sizeof(u32));
	model_copied(c, top, base);
	for (b = 0; b < layer_blocks(t); b++)
		if (before[b] != t->may[b])
			bytes += min(t->size - b * t->block_size,
				     (u64)t->block_size);
	memcpy(t->may, before, layer_blocks(t));
	memcpy(t->tag, tag, t->size / SECTOR * sizeof(u32));
	free(before);
	free(tag);
	return bytes;
}
