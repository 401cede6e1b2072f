// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the list of ranges that a job could not copy, against a bit for each
 * place and kind: while all found room, the list says the same, in order and as
 * short as it can be; afterwards it never says more than what failed.
 */
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "dm-chain-fault.h"
#include "fuzz.h"

#define KINDS	6
#define PLACES	1024

static const char *const layers[] = { "A", "B", "Abcdefgh" };

static bool failed[KINDS][PLACES];

static u32 kind_of(const struct dm_chain_fault_range *r)
{
	u32 kind;

	for (kind = 0; kind < KINDS; kind++)
		if (!strcmp(r->layer, layers[kind / 2]) && r->error == 5 + (int)kind % 2 * 23)
			return kind;
	must(false, "layer '%s', error %d", r->layer, r->error);
}

/* Bytes of a place; the last place ends where numbers end. */
static u64 take_scale(struct input *in)
{
	return in->left && *in->at & 1 ? U64_MAX / PLACES + 1 : 4096;
}

static void check_list(const struct dm_chain_faults *f, u64 scale)
{
	static bool listed[KINDS][PLACES];
	u32 i, n, kind, first, last;

	must(f->nr <= DM_CHAIN_FAULTS, "%u ranges", f->nr);
	memset(listed, 0, sizeof(listed));
	for (i = 0; i < f->nr; i++) {
		const struct dm_chain_fault_range *r = &f->range[i];

		must(r->length && r->length <= U64_MAX - r->offset, "%llu + %llu", r->offset,
		     r->length);
		must(!i || r[-1].offset <= r->offset, "range %u is not behind the one before", i);
		must(!(r->offset % scale), "offset %llu", r->offset);
		kind = kind_of(r);
		first = r->offset / scale;
		last = (r->offset + r->length - 1) / scale;
		must(!first || !listed[kind][first - 1], "range %u touches another", i);
		must(last + 1 == PLACES || !listed[kind][last + 1], "range %u touches another", i);
		for (n = first; n <= last; n++) {
			must(!listed[kind][n], "range %u overlaps another", i);
			must(failed[kind][n], "place %u of kind %u did not fail", n, kind);
			listed[kind][n] = true;
		}
	}
	if (!f->lost)
		must(!memcmp(listed, failed, sizeof(failed)), "something is missing");
}

void fuzz_one(struct input *in)
{
	static struct dm_chain_faults f;
	u64 scale = take_scale(in), lost;
	u32 first, count, kind, nr;
	u8 what;

	memset(failed, 0, sizeof(failed));
	dm_chain_faults_clear(&f);
	take(in, 1);
	while (in->left) {
		what = take(in, 1);
		kind = what % KINDS;
		first = take_below(in, PLACES);
		/* Short ones by far the most: else there are never many. */
		count = what & 0x80 ? take_below(in, PLACES - first + 1) : 1;
		nr = f.nr;
		lost = f.lost;
		dm_chain_faults_add(&f, layers[kind / 2], first * scale,
				    count * scale ?: -(u64)!!count, 5 + kind % 2 * 23);
		must(f.lost == lost || (f.lost == lost + 1 && nr == DM_CHAIN_FAULTS &&
					f.nr == nr), "%llu are lost of %u", f.lost, nr);
		memset(&failed[kind][first], 1, count);
		check_list(&f, scale);
	}
}
