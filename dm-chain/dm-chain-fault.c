// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the ranges that a job could not copy, and why.
 */
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "dm-chain-fault.h"

static bool same_kind(const struct dm_chain_fault_range *a,
		      const struct dm_chain_fault_range *b)
{
	return a->error == b->error && !strcmp(a->layer, b->layer);
}

static u64 range_end(const struct dm_chain_fault_range *r)
{
	return r->offset + r->length;
}

/*
 * Take out what @r touches and make it a part of @r. One pass is enough: those
 * of the same kind do not touch each other, so a range that @r has taken in
 * brings it no nearer to the ones before, and the ones behind are yet to come.
 */
static void take_in(struct dm_chain_faults *f, struct dm_chain_fault_range *r)
{
	unsigned int i, kept = 0;

	for (i = 0; i < f->nr; i++) {
		const struct dm_chain_fault_range *old = &f->range[i];
		u64 end = max(range_end(old), range_end(r));

		if (same_kind(old, r) && old->offset <= range_end(r) &&
		    r->offset <= range_end(old)) {
			r->offset = min(old->offset, r->offset);
			r->length = end - r->offset;
		} else {
			f->range[kept++] = *old;
		}
	}
	f->nr = kept;
}

static void insert(struct dm_chain_faults *f,
		   const struct dm_chain_fault_range *r)
{
	unsigned int i = f->nr;

	if (f->nr == DM_CHAIN_FAULTS) {
		f->lost++;
		return;
	}
	for (; i && f->range[i - 1].offset > r->offset; i--)
		f->range[i] = f->range[i - 1];
	f->range[i] = *r;
	f->nr++;
}

void dm_chain_faults_clear(struct dm_chain_faults *f)
{
	f->nr = 0;
	f->lost = 0;
}

void dm_chain_faults_add(struct dm_chain_faults *f, const char *layer,
			 u64 offset, u64 length, int error)
{
	struct dm_chain_fault_range r = {
		.offset = offset,
		.length = min(length, U64_MAX - offset),
		.error = error,
	};

	if (!r.length)
		return;
	strscpy(r.layer, layer, sizeof(r.layer));
	take_in(f, &r);
	insert(f, &r);
}
