// SPDX-License-Identifier: GPL-2.0
/* chaintorture: other tables, new layers, layers that left. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "torture.h"

#define METADATA	MIB	/* more than any of these layers needs */

struct slot {
	struct slice *data;
	struct slice *meta;
	struct slot *next;
};

/* Devices with room for a layer: some that one has left, or new ones. */
static struct slot *slot_get(struct run *r, bool separate)
{
	struct slot **at = &r->free_slots, *slot;
	u64 room = r->list->setup.room;

	while (*at && ((*at)->meta != (*at)->data) != separate)
		at = &(*at)->next;
	slot = *at;
	if (slot) {
		*at = slot->next;
		slice_put(slot->meta, 0, METADATA, 0);
		return slot;
	}
	slot = ct_alloc(sizeof(*slot));
	slot->data = separate ? slice_new(0, room) : slice_new(METADATA, room);
	slot->meta = separate ? slice_new(METADATA, 0) : slot->data;
	return slot;
}

static struct layer *new_layer(struct run *r, int nr, u64 size, bool separate)
{
	struct slot *slot = slot_get(r, separate);
	char name[16];

	snprintf(name, sizeof(name), "L%d", nr);
	r->layer[nr] = layer_on(name, size, r->list->setup.block_size,
				slot->data, slot->meta);
	free(slot);
	progress->layers++;
	return r->layer[nr];
}

/* Layers are numbered as they are made. */
int table_number(const struct run *r, const struct layer *l)
{
	int i;

	for (i = 0; r->layer[i] != l; i++)
		;
	return i;
}

/* From now on, or no longer, each request takes a while. */
void table_slow(struct run *r, int layer, unsigned int ms)
{
	if (ms)
		slice_slow(r->layer[layer]->data, ms);
	else if (r->slow[layer])
		slice_mend(r->layer[layer]->data);
	r->slow[layer] = ms;
}

void table_all_fast(struct run *r)
{
	int i;

	for (i = 0; i < TORTURE_MADE; i++)
		if (r->slow[i])
			table_slow(r, i, 0);
}

/* Nobody may read from there any more, or write: everything becomes garbage. */
static void spoil(struct layer *l)
{
	slice_spoil(l->data);
	if (!layer_raw(l) && l->meta != l->data)
		slice_spoil(l->meta);
}

/* No table has it any more, and its devices are as fast as ever. */
static void left(struct run *r, struct layer *l)
{
	struct slot *slot;

	ct_check(slice_unused(l->data) && (layer_raw(l) || slice_unused(l->meta)),
		 "%s left the chain, but its device is still in use after another table",
		 l->name);
	ct_check(slice_is_spoilt(l->data) &&
		 (layer_raw(l) || slice_is_spoilt(l->meta)),
		 "%s was written after it had left the chain", l->name);
	if (layer_raw(l)) {
		r->free_raw = l->data;
		return;
	}
	slot = ct_alloc(sizeof(*slot));
	slot->data = l->data;
	slot->meta = l->meta;
	slot->next = r->free_slots;
	r->free_slots = slot;
}

static void left_fast(struct run *r, struct layer *l)
{
	table_slow(r, table_number(r, l), 0);
	left(r, l);
}

/* A job has dropped it; another table may have let it go already. */
void table_dropped(struct run *r, struct layer *l)
{
	char *start = ct_str("name=%s", l->name);
	char *layers, *line;

	spoil(l);
	layers = msg(r->c, "layers");
	line = line_with(layers, start);
	if (line)
		r->c->dropped[r->c->nr_dropped++] = l;
	else
		left_fast(r, l);
	free(line);
	free(layers);
	free(start);
}

static void all_left(struct run *r)
{
	unsigned int i;

	for (i = 0; i < r->c->nr_dropped; i++)
		left_fast(r, r->c->dropped[i]);
	r->c->nr_dropped = 0;
}

/*
 * @may_be_late: what the load has read, other threads may have changed before the
 * suspend; then it has to be loaded again
 */
static void another_table(struct run *r, u64 size, const char *line,
			  unsigned int how, bool may_be_late)
{
	struct dm_seg seg = { size / SECTOR, "chain", line };
	unsigned int i;
	int err;

	kmsg_mark();
	for (i = 0; i < (how & HOW_CLEAR ? 2 : 1); i++) {
		if (i)
			dmd_clear(r->c->dev);
		err = dmd_load(r->c->dev, &seg, 1, false);
		ct_check(!err, "load \"%s\": %s: %s", line, strerror(-err),
			 kmsg_read());
	}
	err = dmd_suspend(r->c->dev, how & (DMD_NOFLUSH | DMD_NOLOCKFS));
	ct_check(!err, "suspend: %s", strerror(-err));
	err = dmd_resume(r->c->dev);
	if (err == -ESTALE && may_be_late) {
		err = dmd_load(r->c->dev, &seg, 1, false);
		ct_check(!err, "load \"%s\" again: %s: %s", line, strerror(-err),
			 kmsg_read());
		err = dmd_resume(r->c->dev);
	}
	ct_check(!err, "resume with \"%s\": %s: %s", line, strerror(-err),
		 kmsg_read());
	all_left(r);
}

static void another(struct run *r, u64 size, const char *line, unsigned int how)
{
	another_table(r, size, line, how, false);
}

/* The table that the target prints. */
void table_swap(struct run *r, unsigned int how)
{
	char *line = dmd_table(r->c->dev);

	another(r, r->c->size, line, how);
	free(line);
}

void table_first(struct run *r)
{
	const struct setup *setup = &r->list->setup;

	r->c = chain_new("torture", setup->block_size);
	if (setup->raw) {
		r->layer[0] = layer_raw_new("raw", setup->raw,
					    setup->block_size);
		chain_push(r->c, r->layer[0]);
	}
	chain_push(r->c, new_layer(r, 1, setup->size, setup->separate));
}

/*
 * The new layer shows what was seen before, up to its end, and zeros behind: not
 * what model_push() computes from layers that jobs may have dropped already.
 */
static void push(struct run *r, struct layer *l)
{
	struct chain *c = r->c;
	u64 old = c->size;
	u32 *view;

	if (run_threaded(r)) {
		c->layer[c->nr++] = l;
		return;
	}
	view = ct_alloc(old / SECTOR * sizeof(u32));
	memcpy(view, c->view, old / SECTOR * sizeof(u32));
	model_push(c, l);
	memset(c->view, 0, l->size / SECTOR * sizeof(u32));
	memcpy(c->view, view, min(old, l->size) / SECTOR * sizeof(u32));
	free(view);
}

/* The feature words of a table line, with their number; "" if there are none. */
static char *feature_words(const struct run *r, const char *first, bool held)
{
	const struct shape *s = &r->shape;
	const char *bottom = s->copy_bottom < 0 ? "" : r->layer[s->copy_bottom]->name;
	unsigned int nr = 0;
	char *words;
	const char *p;

	words = ct_str("%s%s%s%s%s", first, !s->copy ? "" : *bottom ?
		       "copy_on_read_bottom " : "copy_on_read ",
		       s->copy ? bottom : "", s->copy && *bottom ? " " : "",
		       held ? "jobs paused " : "");
	for (p = words; *p; p++)
		nr += *p == ' ';
	return nr ? ct_str("%u %.*s", nr, (int)strlen(words) - 1, words) :
		    ct_str("%s", "");
}

void table_snapshot(struct run *r, const struct op *op)
{
	struct layer *l = new_layer(r, op->arg[SNAP_LAYER], op->arg[SNAP_SIZE],
				    op->arg[SNAP_SEPARATE]);
	struct chain *c = r->c;
	char *first, *words, *line;

	push(r, l);
	r->copied[op->arg[SNAP_LAYER]] = r->shape.copy;
	first = ct_str("format block_size %u ", c->block_size / SECTOR);
	words = feature_words(r, first, false);
	line = chain_params(c->layer, c->nr, words);
	another(r, l->size, line, op->arg[SNAP_HOW]);
	free(line);
	free(words);
	free(first);
}

void table_reopen(struct run *r, unsigned int how)
{
	struct chain *c = r->c;

	chain_close(c);
	all_left(r);
	c->words = feature_words(r, "", how & HOW_HELD);
	chain_open(c);
}

/* What model_grow() says of blocks below the end of layers that may be gone. */
void table_grow(struct run *r, u64 size)
{
	struct layer *e = chain_active(r->c);
	u64 b = e->size / e->block_size;
	char *line;

	r->c->words = feature_words(r, "", false);
	line = chain_line(r->c);
	another(r, size, line, 0);
	model_grow(r->c, size);
	for (; b < layer_blocks(e); b++)
		if (e->may[b] != MAY_DATA)
			e->may[b] |= MAY_UNALLOC | MAY_ZERO | MAY_DATA;
	free(line);
}

void table_copy(struct run *r, unsigned int how)
{
	struct chain *c = r->c;
	char *line;

	if (r->shape.copy)
		r->copied[r->shape.layer[r->shape.nr - 1]] = true;
	c->words = feature_words(r, "", how & HOW_HELD);
	line = chain_line(c);
	another(r, c->size, line, how);
	free(line);
}

/* Devices like those of the layer. */
static void take_other(struct run *r, struct layer *l)
{
	struct slot *slot;

	if (layer_raw(l)) {
		l->data = r->free_raw ?: slice_new(0, l->data->size);
		r->free_raw = NULL;
		return;
	}
	slot = slot_get(r, l->meta != l->data);
	l->data = slot->data;
	l->meta = slot->meta;
	free(slot);
}

/*
 * A copy takes the layer's place. For a raw one it is as if it were another base, so
 * that the new chain is built beside the live one.
 */
void table_move(struct run *r, int layer, unsigned int how)
{
	struct chain *c = r->c;
	struct layer *l = r->layer[layer], old;
	char *line;

	table_slow(r, layer, 0);
	r->moved[layer] = true;
	old = *l;
	take_other(r, l);
	slice_copy(old.data, l->data);
	if (l->meta != l->data && !layer_raw(l))
		slice_copy(old.meta, l->meta);
	c->words = feature_words(r, "", false);
	line = chain_line(c);
	another_table(r, c->size, line, how, run_threaded(r));
	free(line);
	spoil(&old);
	left(r, &old);
}
