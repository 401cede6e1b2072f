// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the resolution of a table line: any layers in any order, most of them
 * with references to each other. What is found must be a chain by the rules; what
 * is refused must have no other way.
 */
#include <linux/errno.h>
#include <stdlib.h>
#include <string.h>

#include "dm-chain-resolve.h"
#include "fuzz.h"
#include "sample.h"

#define ENTRIES	12

/**
 * struct entries - a table line's entries, base first
 * @name: of each
 */
struct entries {
	unsigned int n;
	struct dm_chain_candidate c[ENTRIES];
	struct dm_chain_sb sb[ENTRIES];
	char name[ENTRIES][8];
};

static void take_backing(struct input *in, struct dm_chain_backing *b)
{
	memset(b, 0, sizeof(*b));
	b->kind = take_below(in, 4);
	if (b->kind >= DM_CHAIN_BACKING_RAW)
		b->size = (1 + take_below(in, 4)) * MIB;
	if (b->kind == DM_CHAIN_BACKING_LAYER) {
		sample_uuid(b->uuid, 1 + take_below(in, ENTRIES));
		b->generation = take_below(in, 3);
	}
	if (b->kind >= DM_CHAIN_BACKING_RAW && take_below(in, 2))
		memset(b->path, 'p', DM_CHAIN_PATH_LEN - 1);
}

static void take_entries(struct input *in, struct entries *e)
{
	unsigned int i;

	memset(e, 0, sizeof(*e));
	e->n = 1 + take_below(in, ENTRIES);
	for (i = 0; i < e->n; i++) {
		struct dm_chain_candidate *c = &e->c[i];
		u8 kind = take(in, 1);

		snprintf(e->name[i], sizeof(e->name[i]), "L%u", i);
		c->name = e->name[i];
		c->size = (1 + take_below(in, 4)) * MIB;
		c->absent = !(kind & 7);
		c->absent_why = kind & 8 ? "it is gone" : NULL;
		c->raw = (kind & 0x70) == 0x70;
		if (c->absent || c->raw)
			continue;
		sample_minimal(&e->sb[i]);
		sample_uuid(e->sb[i].uuid, 1 + take_below(in, ENTRIES));
		e->sb[i].size = c->size;
		e->sb[i].generation = 1 + take_below(in, 2);
		if (kind == 0xff)
			e->sb[i].block_size = 8192;
		take_backing(in, &e->sb[i].backing);
		c->sb = &e->sb[i];
	}
}

/* Is entry @i the one that entry @above names? Its size is not looked at. */
static bool is_named(const struct entries *e, unsigned int above, unsigned int i)
{
	const struct dm_chain_backing *b = &e->sb[above].backing;

	if (e->c[i].absent)
		return false;
	if (b->kind == DM_CHAIN_BACKING_RAW)
		return e->c[i].raw;
	return !e->c[i].raw && !memcmp(e->sb[i].uuid, b->uuid, DM_CHAIN_UUID_LEN);
}

/* The index of what @above rests on, @above if on nothing, -1 if it is missing. */
static int below(const struct entries *e, unsigned int above)
{
	const struct dm_chain_backing *b = &e->sb[above].backing;
	int i;

	if (b->kind == DM_CHAIN_BACKING_NONE || (b->kind == DM_CHAIN_BACKING_UNSET && !above))
		return above;
	if (b->kind == DM_CHAIN_BACKING_UNSET)
		return e->c[above - 1].absent ? -1 : (int)above - 1;
	for (i = above - 1; i >= 0 && !is_named(e, above, i); i--)
		;
	return i;
}

static bool has_changed(const struct entries *e, unsigned int above, unsigned int i)
{
	const struct dm_chain_backing *b = &e->sb[above].backing;

	if (b->kind == DM_CHAIN_BACKING_LAYER && b->generation &&
	    b->generation != e->sb[i].generation)
		return true;
	return b->kind >= DM_CHAIN_BACKING_RAW && e->c[i].size < b->size;
}

/* By the rules: the chain into @chain, from the top, or the error. */
static int resolve(const struct entries *e, unsigned int *chain, unsigned int *nr)
{
	unsigned int layer = e->n - 1;
	int next;

	*nr = 0;
	if (e->c[layer].absent)
		return -ENODEV;
	if (e->c[layer].raw)
		return -EINVAL;
	for (;;) {
		chain[(*nr)++] = layer;
		if (e->c[layer].raw)
			return 0;
		if (e->sb[layer].block_size != e->sb[e->n - 1].block_size)
			return -EINVAL;
		next = below(e, layer);
		if (next < 0)
			return -ENODEV;
		if (next == (int)layer)
			return 0;
		if (has_changed(e, layer, next))
			return -ESTALE;
		layer = next;
	}
}

/* A layer shows no more than any above it, the active one excepted. */
static void check_limits(const struct entries *e, const unsigned int *chain,
			 unsigned int nr)
{
	u64 size[ENTRIES], limit[ENTRIES], least;
	unsigned int i, n;

	for (i = 0; i < nr; i++)
		size[i] = e->c[chain[i]].size;
	dm_chain_limits(size, nr, limit);
	for (i = 0; i < nr; i++) {
		least = size[i];
		for (n = i + 1; n + 1 < nr; n++)
			least = min(least, size[n]);
		must(limit[i] == least, "layer %u of %u: %llu, not %llu", i, nr, limit[i], least);
	}
}

void fuzz_one(struct input *in)
{
	unsigned int *chain, expected[ENTRIES], nr = 0, expected_nr, i;
	struct entries *e = malloc(sizeof(*e));
	struct dm_chain_why why;
	int err, expected_err;

	must(e, "no memory");
	take_entries(in, e);
	/* Exactly as long as it has to be. */
	chain = malloc(e->n * sizeof(*chain));
	must(chain, "no memory");
	fuzz_why(&why);
	err = dm_chain_resolve(e->c, e->n, chain, &nr, &why);
	expected_err = resolve(e, expected, &expected_nr);
	must(err == expected_err, "error %d, not %d", err, expected_err);
	if (err) {
		must_say_why(&why);
	} else {
		must(nr == expected_nr, "%u layers, not %u", nr, expected_nr);
		for (i = 0; i < nr; i++)
			must(chain[i] == expected[nr - 1 - i], "layer %u", i);
		check_limits(e, chain, nr);
	}
	free(chain);
	free(e);
}
