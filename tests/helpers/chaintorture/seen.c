// SPDX-License-Identifier: GPL-2.0
/*
 * chaintorture: what a read may show while other threads write.
 *
 * Each sector is written by one thread, one version after the other, and has a
 * number of those that began and of those that ended. A read that began after the
 * end of one and was through before the next but one began shows this one or the
 * next: nothing older, and nothing that nobody wrote there.
 */
#include <stdlib.h>

#include "torture.h"

#define VERSIONS	8

/**
 * struct seen - the versions of a sector
 * @begun: number of the last that began
 * @ended: of the last that ended
 * @tag: of the last ones that began, by number
 */
struct seen {
	u32 begun;
	u32 ended;
	u32 tag[VERSIONS];
};

void seen_init(struct run *r)
{
	u64 s;

	r->seen = ct_alloc(r->list->setup.room / SECTOR * sizeof(*r->seen));
	for (s = 0; s < r->c->size / SECTOR; s++)
		r->seen[s].tag[0] = r->c->view[s];
}

/* Bytes; by the thread that writes them, and before it does. */
void seen_begin(struct run *r, u64 from, u64 to, u32 tag)
{
	for (; from < to; from += SECTOR) {
		struct seen *v = &r->seen[from / SECTOR];
		u32 n = v->begun + 1;

		__atomic_store_n(&v->tag[n % VERSIONS], tag, __ATOMIC_RELAXED);
		__atomic_store_n(&v->begun, n, __ATOMIC_RELEASE);
	}
}

void seen_end(struct run *r, u64 from, u64 to)
{
	for (; from < to; from += SECTOR) {
		struct seen *v = &r->seen[from / SECTOR];

		__atomic_store_n(&v->ended, v->begun, __ATOMIC_RELEASE);
	}
}

/* What had ended before the read. */
u32 *seen_before(const struct run *r, u64 at, u64 len)
{
	u32 *before = ct_alloc(len / SECTOR * sizeof(*before));
	u64 i;

	for (i = 0; i < len / SECTOR; i++)
		before[i] = __atomic_load_n(&r->seen[at / SECTOR + i].ended,
					    __ATOMIC_ACQUIRE);
	return before;
}

static bool is_one_of(const struct seen *v, u32 from, u32 to, const u8 *buf,
		      u64 sector)
{
	for (; from != to + 1; from++)
		if (pattern_is(buf, __atomic_load_n(&v->tag[from % VERSIONS],
						    __ATOMIC_RELAXED), sector))
			return true;
	return false;
}

/**
 * seen_compare() - does a read show what it may?
 * @before: from seen_before(), when it began
 *
 * Return: NULL, or what is wrong.
 */
char *seen_compare(const struct run *r, u64 at, u64 len, const u8 *buf,
		   const u32 *before)
{
	u64 i;

	for (i = 0; i < len / SECTOR; i++) {
		u64 sector = at / SECTOR + i;
		const struct seen *v = &r->seen[sector];
		bool right;
		u32 begun;

		/* Again, if one more began while this looked. */
		do {
			begun = __atomic_load_n(&v->begun, __ATOMIC_ACQUIRE);
			right = begun - before[i] >= VERSIONS - 1 ||
				is_one_of(v, before[i], begun, buf + i * SECTOR,
					  sector);
		} while (!right && begun != __atomic_load_n(&v->begun,
							    __ATOMIC_ACQUIRE));
		if (right)
			continue;
		return ct_str("sector %llu (block %llu) shows %s, not write %u or %u later ones",
			      sector, sector * SECTOR / r->c->block_size,
			      pattern_describe(buf + i * SECTOR),
			      v->tag[before[i] % VERSIONS], begun - before[i]);
	}
	return NULL;
}
