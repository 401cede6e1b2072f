// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "sector.h"
#include "cut.h"

static const char *const keep_names[NR_KEEP] = {
	[KEEP_NONE]	= "nothing unflushed kept",
	[KEEP_ALL]	= "all kept",
	[KEEP_META]	= "only metadata kept",
	[KEEP_DATA]	= "only data kept",
	[KEEP_NEWEST]	= "only the newest write kept",
	[KEEP_TORN]	= "only half of each metadata write kept",
	[KEEP_RANDOM]	= "some kept",
};

const char *cut_keep_name(enum cut_keep keep)
{
	return keep_names[keep];
}

void disks_init(struct disks *disks, const struct log *log)
{
	unsigned int i;

	memset(disks, 0, sizeof(*disks));
	disks->log = log;
	disks->last = &disks->pending;
	disks->image = calloc(log->devices, sizeof(*disks->image));
	if (!disks->image)
		err(1, "disks");
	for (i = 0; i < log->devices; i++)
		image_init(&disks->image[i], i, log->device[i].size,
			   log->device[i].zeros);
}

void disks_free(struct disks *disks)
{
	struct pending *p;
	unsigned int i;

	while ((p = disks->pending)) {
		disks->pending = p->next;
		free(p->dead);
		free(p);
	}
	for (i = 0; i < disks->log->devices; i++)
		image_free(&disks->image[i]);
	free(disks->image);
	free(disks->undo);
	free(disks->order);
}

static const struct log_entry *entry_of(const struct disks *disks,
					const struct pending *p)
{
	return &disks->log->entry[p->entry];
}

/* What a request puts into its sector @n; NULL for garbage. */
static const void *content(const struct log_entry *e, u32 n)
{
	static const u8 zeros[POWERCUT_SECTOR];

	if (e->rec.op == LOG_WRITE)
		return e->data + n * POWERCUT_SECTOR;
	return e->rec.op == LOG_ZERO ? zeros : NULL;
}

static u64 first_sector(const struct log_entry *e)
{
	return e->rec.offset / POWERCUT_SECTOR;
}

static u32 nr_sectors(const struct log_entry *e)
{
	return e->rec.length / POWERCUT_SECTOR;
}

static bool overlap(const struct log_entry *a, const struct log_entry *b)
{
	return a->rec.device == b->rec.device &&
	       first_sector(a) < first_sector(b) + nr_sectors(b) &&
	       first_sector(b) < first_sector(a) + nr_sectors(a);
}

static void make_sure(struct disks *disks, const struct pending *p)
{
	const struct log_entry *e = entry_of(disks, p);
	u32 n;

	for (n = 0; n < nr_sectors(e); n++)
		if (!p->dead || !p->dead[n])
			image_write(&disks->image[e->rec.device],
				    first_sector(e) + n, content(e, n));
}

static void forget(struct disks *disks, struct pending **at)
{
	struct pending *p = *at;

	*at = p->next;
	if (!*at)
		disks->last = at;
	free(p->dead);
	free(p);
}

/* A flush was answered: what was answered before it was sent is there. */
static void flushed(struct disks *disks, unsigned int device, long sent)
{
	struct pending **at = &disks->pending;

	while (*at) {
		const struct log_entry *e = entry_of(disks, *at);

		if (e->rec.device == device && (*at)->done && e->peer < sent) {
			make_sure(disks, *at);
			forget(disks, at);
		} else {
			at = &(*at)->next;
		}
	}
}

/* The sectors of @e lie over those of an older request that was answered. */
static void cover(struct pending *p, const struct log_entry *old,
		  const struct log_entry *e)
{
	u64 from = first_sector(old), to = from + nr_sectors(old);
	u64 sector = first_sector(e), end = sector + nr_sectors(e);

	for (; sector < end; sector++) {
		if (sector < from || sector >= to)
			continue;
		if (!p->dead)
			p->dead = calloc(nr_sectors(old), sizeof(*p->dead));
		if (!p->dead)
			err(1, "pending");
		p->dead[sector - from] = true;
	}
}

/* An FUA write was answered: it is there, and nothing older over it. */
static void forced(struct disks *disks, struct pending **at)
{
	const struct log_entry *e = entry_of(disks, *at);
	struct pending *p;

	make_sure(disks, *at);
	for (p = disks->pending; p != *at; p = p->next) {
		const struct log_entry *old = entry_of(disks, p);

		if (old->rec.device == e->rec.device && p->done &&
		    old->peer < (*at)->entry)
			cover(p, old, e);
	}
	forget(disks, at);
}

static void answered(struct disks *disks, const struct log_entry *done)
{
	struct pending **at = &disks->pending;

	while (*at && (*at)->entry != done->peer)
		at = &(*at)->next;
	if (!*at)
		errx(1, "log: an answer without a request");
	if (done->rec.flags & LOG_F_FUA && !done->rec.error)
		forced(disks, at);
	else
		(*at)->done = true;
}

void disks_advance(struct disks *disks, long pos)
{
	const struct log_entry *e = &disks->log->entry[pos];
	struct pending *p;

	if (e->rec.device == LOG_MARK_DEVICE)
		return;
	if (e->rec.op == LOG_FLUSH) {
		if (e->rec.type == LOG_DONE && !e->rec.error)
			flushed(disks, e->rec.device, e->peer);
		return;
	}
	/* an injected error: the request did nothing */
	if (e->rec.error)
		return;
	if (e->rec.type == LOG_DONE) {
		answered(disks, e);
		return;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		err(1, "pending");
	p->entry = pos;
	*disks->last = p;
	disks->last = &p->next;
}

long disks_race(const struct disks *disks, long pos)
{
	const struct log_entry *e = &disks->log->entry[pos];
	const struct pending *p;

	if (e->rec.device == LOG_MARK_DEVICE || e->rec.type != LOG_SUBMIT ||
	    e->rec.op == LOG_FLUSH || e->rec.error)
		return -1;
	for (p = disks->pending; p; p = p->next)
		if (!p->done && overlap(entry_of(disks, p), e))
			return p->entry;
	return -1;
}

/* The finalizer of splitmix64. */
u64 cut_chance(u64 seed)
{
	u64 x = seed * 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static u64 chance(u64 *state)
{
	return cut_chance(++*state);
}

static void put(struct disks *disks, const struct log_entry *e, u32 n)
{
	struct image *img = &disks->image[e->rec.device];
	struct undo *undo;

	if (disks->undos == disks->room) {
		disks->room = disks->room ? 2 * disks->room : 1024;
		disks->undo = realloc(disks->undo,
				      disks->room * sizeof(*disks->undo));
		if (!disks->undo)
			err(1, "undo");
	}
	undo = &disks->undo[disks->undos++];
	undo->device = e->rec.device;
	undo->sector = first_sector(e) + n;
	image_read(img, undo->sector, undo->data);
	image_write(img, undo->sector, content(e, n));
}

/*
 * How likely a random cut keeps a request, of 8: the same for all requests to
 * one region of one disk, so that a disk which lost everything meets one that
 * lost nothing.
 */
static unsigned int luck(u64 seed, unsigned int device, bool meta)
{
	static const unsigned int of_8[] = { 0, 1, 4, 4, 4, 7, 8, 8 };

	seed ^= device * 2 + meta + 1;
	return of_8[chance(&seed) % 8];
}

/* Was @a answered before @b was sent, over the same sectors? */
static bool comes_before(const struct disks *disks, const struct pending *a,
			 const struct pending *b)
{
	const struct log_entry *e = entry_of(disks, a);

	return a->done && e->peer < b->entry && overlap(e, entry_of(disks, b));
}

/*
 * Put the pending requests of these disks into @disks->order: as they were sent
 * or, with @state, in an order by chance out of those that are possible. Return:
 * how many.
 */
static unsigned long put_in_order(struct disks *disks,
				  const struct region *region, u64 *state)
{
	const struct pending *p;
	unsigned long n = 0, at;

	for (p = disks->pending; p; p = p->next) {
		if (!region[entry_of(disks, p)->rec.device].used)
			continue;
		if (n == disks->orders) {
			disks->orders = n ? 2 * n : 64;
			disks->order = realloc(disks->order, disks->orders *
					       sizeof(*disks->order));
			if (!disks->order)
				err(1, "order");
		}
		for (at = n; state && at && chance(state) % 4; at--) {
			if (comes_before(disks, disks->order[at - 1], p))
				break;
			disks->order[at] = disks->order[at - 1];
		}
		disks->order[at] = p;
		n++;
	}
	return n;
}

void cut_make(struct disks *disks, const struct region *region,
	      enum cut_keep keep, u64 seed)
{
	u64 state = seed, shuffle = ~seed;
	unsigned long nr, i;
	u32 n;

	nr = put_in_order(disks, region,
			  keep == KEEP_RANDOM ? &shuffle : NULL);
	for (i = 0; i < nr; i++) {
		const struct pending *p = disks->order[i];
		const struct log_entry *e = entry_of(disks, p);
		bool meta = e->rec.offset < region[e->rec.device].meta_end;
		bool whole = true, torn = false;

		switch (keep) {
		case KEEP_META:
			whole = meta;
			break;
		case KEEP_DATA:
			whole = !meta;
			break;
		case KEEP_NEWEST:
			whole = i + 1 == nr;
			break;
		case KEEP_TORN:
			torn = meta;
			whole = meta;
			break;
		case KEEP_RANDOM:
			whole = chance(&state) % 8 <
				luck(seed, e->rec.device, meta);
			torn = whole && chance(&state) % 4 == 0;
			break;
		default:
			whole = keep == KEEP_ALL;
			break;
		}
		for (n = 0; whole && n < nr_sectors(e); n++)
			if ((!p->dead || !p->dead[n]) &&
			    (!torn || chance(&state) & 1))
				put(disks, e, n);
	}
}

void cut_undo(struct disks *disks)
{
	while (disks->undos) {
		const struct undo *undo = &disks->undo[--disks->undos];

		image_write(&disks->image[undo->device], undo->sector,
			    undo->data);
	}
}
