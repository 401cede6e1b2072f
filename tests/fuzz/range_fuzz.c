// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the range locks, against a list of who came when: nobody holds what
 * conflicts with another's, nobody waits for less, everybody has a turn.
 */
#include <stdlib.h>
#include <string.h>

#include "dm-chain-owner.h"
#include "dm-chain-range.h"
#include "fuzz.h"

#define RANGES	16
#define BLOCKS	24

/* Regions that come to one lock, or not. */
static const u64 regions[] = { 0, 1, 77, 1ULL << 40 };

/**
 * struct tracked - a range as its owner sees it
 * @arrival: 0 if it is neither held nor waits
 * @counted: it came when there was no exclusive one, by trylock
 * @unlock: to be unlocked by its grant function
 */
struct tracked {
	struct dm_chain_range range;
	u64 first;
	u64 last;
	u64 arrival;
	bool exclusive;
	bool held;
	bool counted;
	bool unlock;
};

static struct dm_chain_range_locks *locks;
static struct tracked tracked[RANGES];
static u64 arrivals;

static bool conflict(const struct tracked *a, const struct tracked *b)
{
	return (a->exclusive || b->exclusive) && a->first <= b->last &&
	       b->first <= a->last;
}

/* Does somebody who came before have to go first? */
static bool must_wait(const struct tracked *t)
{
	unsigned int i;

	for (i = 0; i < RANGES; i++)
		if (tracked[i].arrival && tracked[i].arrival < t->arrival &&
		    conflict(&tracked[i], t))
			return true;
	return false;
}

/* May it wait though nobody conflicts? For those that are only counted. */
static bool may_wait(const struct tracked *t)
{
	unsigned int i;

	for (i = 0; i < RANGES; i++)
		if (t->exclusive && tracked[i].arrival &&
		    tracked[i].arrival < t->arrival && tracked[i].counted)
			return true;
	return false;
}

/* All of them, whenever nothing is under way. */
static void check_all(void)
{
	const struct tracked *t;
	unsigned int i, n;

	for (i = 0; i < RANGES; i++) {
		t = &tracked[i];
		if (!t->arrival)
			continue;
		must(t->held == t->range.granted, "range %u: held %u", i, t->held);
		must(!t->held || !must_wait(t), "range %u is held before its turn", i);
		must(t->held || must_wait(t) || may_wait(t), "range %u waits for nobody", i);
		for (n = 0; n < i; n++)
			must(!t->held || !tracked[n].arrival || !tracked[n].held ||
			     !conflict(t, &tracked[n]), "%u and %u are both held", n, i);
	}
}

static void release(struct tracked *t)
{
	t->arrival = 0;
	t->held = false;
	dm_chain_range_unlock(locks, &t->range);
}

static void granted(struct dm_chain_range *r)
{
	struct tracked *t = container_of(r, struct tracked, range);

	must(t->arrival && !t->held && r->granted, "a grant that nobody waits for");
	t->held = true;
	if (t->unlock)
		release(t);
}

static void arrive(struct input *in, struct tracked *t)
{
	u64 start = regions[take_below(in, ARRAY_SIZE(regions))] << DM_CHAIN_REGION_SHIFT;
	u32 first = take_below(in, BLOCKS);
	u8 flags = take(in, 1);
	bool held;

	t->first = start + first;
	t->last = t->first + take_below(in, BLOCKS - first);
	t->exclusive = flags & 1;
	t->unlock = flags & 2;
	t->counted = false;
	t->held = false;
	dm_chain_range_init(&t->range, t->first, t->last, t->exclusive, granted);
	t->arrival = ++arrivals;
	if (flags & 4) {
		held = dm_chain_range_lock(locks, &t->range);
		must(held || must_wait(t) || may_wait(t), "it waits for nobody");
	} else {
		held = dm_chain_range_trylock(locks, &t->range);
		must(held || must_wait(t) || may_wait(t), "nobody is in the way");
		t->counted = held && t->range.counted;
		if (!held)
			t->arrival = 0;
	}
	must(!held || !must_wait(t), "it is held before its turn");
	if (t->arrival)
		t->held = held;
}

void fuzz_one(struct input *in)
{
	unsigned int i, round;
	struct tracked *t;

	memset(tracked, 0, sizeof(tracked));
	arrivals = 0;
	locks = dm_chain_range_locks_create();
	must(locks, "no memory");
	while (in->left) {
		t = &tracked[take_below(in, RANGES)];
		if (!t->arrival)
			arrive(in, t);
		else if (t->held)
			release(t);
		check_all();
	}
	for (round = 0; round < RANGES; round++)
		for (i = 0; i < RANGES; i++)
			if (tracked[i].arrival && tracked[i].held)
				release(&tracked[i]);
	for (i = 0; i < RANGES; i++)
		must(!tracked[i].arrival, "range %u never had a turn", i);
	dm_chain_range_locks_destroy(locks);
}
