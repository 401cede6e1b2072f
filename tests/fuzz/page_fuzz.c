// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of map and directory pages: the arithmetic on block states against an
 * array of them, and the choice between two slots that may be damaged: what is
 * taken must be a page of this layer, with this index, and without impossible
 * states; what is refused must be damaged.
 */
#include <linux/errno.h>
#include <stdlib.h>
#include <string.h>

#include "edit.h"
#include "sample.h"

#define BLOCKS	DM_CHAIN_BLOCKS_PER_PAGE

/* A payload on its own, so that reading past its end is found. */
struct payload {
	u8 *bytes;
	u8 state[BLOCKS];
};

static void change_states(struct input *in, struct payload *p)
{
	u32 n = take_below(in, BLOCKS);
	u32 count = 1 + take_below(in, BLOCKS - n);
	enum dm_chain_state state = take_below(in, 3);

	if (count == 1)
		dm_chain_state_set(p->bytes, n, state);
	else
		dm_chain_state_fill(p->bytes, n, count, state);
	memset(p->state + n, state, count);
}

static PLAIN void check_states(struct input *in, const struct payload *p)
{
	u32 n, run, count[3] = { 0 }, data, zero, from, max;

	for (n = 0; n < BLOCKS; n++) {
		must(dm_chain_state_get(p->bytes, n) == p->state[n], "block %u", n);
		count[p->state[n]]++;
	}
	dm_chain_state_count(p->bytes, &data, &zero);
	must(data == count[DM_CHAIN_DATA], "%u and %u data", data, count[DM_CHAIN_DATA]);
	must(zero == count[DM_CHAIN_ZERO], "%u and %u zero", zero, count[DM_CHAIN_ZERO]);

	from = take_below(in, BLOCKS);
	max = 1 + take_below(in, BLOCKS - from);
	for (run = 1; run < max && p->state[from + run] == p->state[from]; run++)
		;
	n = dm_chain_state_run(p->bytes, from, max);
	must(n == run, "%u and %u blocks from %u, at most %u", n, run, from, max);
	/* All of it, run by run. */
	for (n = 0; n < BLOCKS; n += run) {
		run = dm_chain_state_run(p->bytes, n, BLOCKS - n);
		must(run && run <= BLOCKS - n, "a run of %u", run);
		must(n + run == BLOCKS || p->state[n + run] != p->state[n], "block %u", n);
	}
}

static void check_pick(const struct dm_chain_disk_page *page[2],
		       const char *magic, const u8 *uuid, u32 index, bool clean)
{
	bool right[2], sealed[2], fell_back = false;
	struct dm_chain_why why;
	unsigned int slot = 7, i;
	int err;

	for (i = 0; i < 2; i++) {
		right[i] = edit_page_right(page[i], magic, uuid, index);
		sealed[i] = !memcmp(page[i], magic, 8) && edit_crc_right(page[i]);
	}
	fuzz_why(&why);
	err = dm_chain_page_pick(page, magic, uuid, index, clean, &slot, &fell_back, &why);
	if (err) {
		must(err == -EBADMSG, "error %d", err);
		must_say_why(&why);
		must(!right[0] || !right[1], "two good slots are refused");
		/* Torn by a power cut: the other one counts. */
		must(clean || right[0] == right[1] || sealed[right[0]],
		     "a torn slot is no reason");
		return;
	}
	must(slot < 2 && right[slot], "slot %u is damaged", slot);
	if (right[!slot])
		must(slot == (dm_chain_page_seq(page[1]) > dm_chain_page_seq(page[0])),
		     "slot %u is not the newer", slot);
	else
		must(!clean && !sealed[!slot], "a damaged slot is passed over");
	must(fell_back == !right[!slot], "fell back: %u", fell_back);
}

#define RESEAL		1	/* of slot A; twice as much is of slot B */
#define CLEAN		4
#define DIRECTORY	8
#define NO_B		16

static void fuzz_pick(struct input *in, const struct payload *p)
{
	struct dm_chain_disk_page *page[2];
	u8 flags = take(in, 1), uuid[DM_CHAIN_UUID_LEN];
	const char *magic = flags & DIRECTORY ? DM_CHAIN_DIR_MAGIC : DM_CHAIN_MAP_MAGIC;
	u32 index = take(in, 4), i, n;
	u64 seq = take(in, 8);

	sample_uuid(uuid, 0x11);
	for (i = 0; i < 2; i++) {
		page[i] = malloc(DM_CHAIN_PAGE_SIZE);
		must(page[i], "no memory");
		memcpy(page[i]->payload, p->bytes, DM_CHAIN_PAYLOAD);
		dm_chain_page_seal(page[i], magic, uuid, index, seq + i);
		must(edit_page_right(page[i], magic, uuid, index), "it was sealed");
	}
	for (i = 0; i < 2; i++) {
		for (n = take_below(in, 8); n; n--)
			edit_page(in, page[i], page_fields, nr_page_fields);
		if (flags & (RESEAL << i))
			sample_reseal(page[i]);
	}
	if (flags & NO_B)
		memset(page[1], 0, DM_CHAIN_PAGE_SIZE);
	check_pick((const struct dm_chain_disk_page **)page, magic, uuid, index,
		   flags & CLEAN);
	free(page[0]);
	free(page[1]);
}

void fuzz_one(struct input *in)
{
	struct payload *p = calloc(1, sizeof(*p));
	u32 n;

	must(p, "no memory");
	p->bytes = aligned_alloc(64, DM_CHAIN_PAYLOAD);
	must(p->bytes, "no memory");
	memset(p->bytes, 0, DM_CHAIN_PAYLOAD);
	for (n = take_below(in, 16); n; n--)
		change_states(in, p);
	check_states(in, p);
	fuzz_pick(in, p);
	free(p->bytes);
	free(p);
}
