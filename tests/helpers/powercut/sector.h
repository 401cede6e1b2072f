/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the power-cut tests put into a sector: which write it came from, so
 * that a sector found after a cut tells its own story. Every byte follows from
 * the first five words; a sector in which one differs was torn or mangled.
 */
#ifndef POWERCUT_SECTOR_H
#define POWERCUT_SECTOR_H

#include <stdbool.h>
#include <string.h>

#define POWERCUT_SECTOR	512
#define POWERCUT_MAGIC	0x52544543545543ULL

enum powercut_kind {
	POWERCUT_TAG	= 1,	/* written by the load to the view */
	POWERCUT_FILL	= 2,	/* on the device before anything was written */
	POWERCUT_TRIM	= 3,	/* on the device after a discard */
};

/**
 * struct powercut_sector - the content of a sector
 * @magic: POWERCUT_MAGIC
 * @kind: enum powercut_kind
 * @owner: of a tag the scenario, else the device
 * @number: sector of the view or of the device
 * @seq: number of the write, 0 for what no write put there
 * @filler: follows from the others
 */
struct powercut_sector {
	unsigned long long magic;
	unsigned long long kind;
	unsigned long long owner;
	unsigned long long number;
	unsigned long long seq;
	unsigned long long filler[59];
};

static inline void powercut_sector_make(struct powercut_sector *s,
					enum powercut_kind kind,
					unsigned int owner,
					unsigned long long number,
					unsigned long long seq)
{
	unsigned long long x = number << 32 ^ seq << 8 ^ owner << 2 ^ kind;
	unsigned int i;

	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ULL;
	x ^= x >> 29;

	s->magic = POWERCUT_MAGIC;
	s->kind = kind;
	s->owner = owner;
	s->number = number;
	s->seq = seq;
	for (i = 0; i < 59; i++)
		s->filler[i] = x + i * 0xbf58476d1ce4e5b9ULL;
}

/* Is this, to the last byte, a sector that powercut_sector_make() made? */
static inline bool powercut_sector_whole(const struct powercut_sector *s)
{
	struct powercut_sector want;

	if (s->magic != POWERCUT_MAGIC)
		return false;
	powercut_sector_make(&want, s->kind, s->owner, s->number, s->seq);
	return !memcmp(s, &want, sizeof(want));
}

static inline bool powercut_sector_zero(const void *data)
{
	static const char zeros[POWERCUT_SECTOR];

	return !memcmp(data, zeros, sizeof(zeros));
}

_Static_assert(sizeof(struct powercut_sector) == POWERCUT_SECTOR,
	       "a sector has 512 bytes");

#endif
