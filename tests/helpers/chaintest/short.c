// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: a middle layer that is shorter than those around it, and blocks
 * that were discarded: what lay below must never show again.
 */
#include <stdlib.h>

#include "ct.h"

/* A <- B <- C with B ending early, streamed into C, then closed and opened. */
static void short_middle(u32 block_size, u64 b_size, bool raw_base, int base)
{
	struct chain *c = chain_new("chain", block_size);
	u64 size = 4 * MIB;

	if (raw_base) {
		chain_push(c, layer_raw_new("A", size, block_size));
	} else {
		chain_push(c, layer_new("A", size, block_size, LAYER_INLINE));
		chain_write(c, 0, 2 * MIB);
		chain_write(c, 2 * MIB, 2 * MIB);
	}
	/* A base under a shorter layer: B begins as a snapshot of it. */
	chain_push(c, layer_new("B", b_size, block_size, LAYER_SEPARATE));
	chain_write(c, 64 * KIB, 64 * KIB);
	chain_write(c, 1 * MIB + 512, 512);
	verify_all(c);
	chain_push(c, layer_new("C", size, block_size, LAYER_INLINE));
	verify_all(c);
	must_be_zero(c, b_size, size);
	chain_write(c, 3 * MIB, 4096);
	chain_write(c, 128 * KIB, 4096);
	verify_all(c);

	chain_stream(c, 2, base);
	verify_all(c);
	must_be_zero(c, b_size, 3 * MIB);
	must_be_zero(c, 3 * MIB + 4096, size);
	chain_release(c);
	chain_close(c);
	verify_closed(c);
	chain_open(c);
	verify_all(c);
	must_be_zero(c, b_size, 3 * MIB);
	chain_write(c, b_size - 512, 1024);
	chain_write(c, 3 * MIB + 64 * KIB + 512, 512);
	verify_end(c);
}

static void short_4k(void)
{
	short_middle(4096, 2 * MIB, true, 0);
}

static void short_formatted_base(void)
{
	short_middle(4096, 2 * MIB, false, 0);
}

static void short_64k(void)
{
	short_middle(65536, 2 * MIB, true, 0);
}

static void short_cut(void)
{
	short_middle(65536, 2 * MIB + 4096, true, 0);
}

static void short_cut_formatted(void)
{
	short_middle(65536, 2 * MIB + 4096, false, 0);
}

static void short_odd(void)
{
	short_middle(4096, 2 * MIB + 512, true, 0);
}

static void short_no_base(void)
{
	short_middle(65536, 2 * MIB + 4096, true, -1);
}

/* Two layers that end early, both inside a block, into one of them. */
static void short_intermediate(void)
{
	struct chain *c = chain_new("chain", 65536);

	chain_push(c, layer_raw_new("A", 4 * MIB, 65536));
	chain_push(c, layer_new("B", 1 * MIB + 512, 65536, LAYER_INLINE));
	chain_fill(c, 20);
	chain_push(c, layer_new("C", 3 * MIB + 4096, 65536, LAYER_SEPARATE));
	chain_fill(c, 20);
	chain_push(c, layer_new("D", 4 * MIB, 65536, LAYER_INLINE));
	chain_fill(c, 20);
	verify_all(c);
	chain_stream(c, 2, 0);
	verify_all(c);
	chain_stream(c, 2, 0);
	verify_reopened(c);
}

/* Discarded in the middle of the chain and on top; older data stays away. */
static void discarded(u32 block_size)
{
	struct chain *c = chain_new("chain", block_size);
	u64 bs = block_size;
	int i;

	chain_push(c, layer_raw_new("A", 2 * MIB, block_size));
	chain_push(c, layer_new("B", 2 * MIB, block_size, LAYER_INLINE));
	chain_write(c, 0, 16 * bs);
	chain_discard(c, 2 * bs, 2 * bs);
	chain_push(c, layer_new("C", 2 * MIB, block_size, LAYER_SEPARATE));
	chain_discard(c, 5 * bs, 3 * bs);
	chain_write(c, 10 * bs, bs);
	chain_push(c, layer_new("D", 2 * MIB, block_size, LAYER_INLINE));
	chain_discard(c, 10 * bs, bs);
	/* Of parts of blocks nothing is to be seen. */
	chain_discard(c, 12 * bs + 512, bs);
	chain_zero(c, 14 * bs + 512, 1024);
	for (i = 0; i < 3; i++) {
		must_be_zero(c, 2 * bs, 4 * bs);
		must_be_zero(c, 5 * bs, 8 * bs);
		must_be_zero(c, 10 * bs, 11 * bs);
		must_be_zero(c, 14 * bs + 512, 14 * bs + 1536);
		verify_all(c);
		if (i == 0) {
			chain_stream(c, 3, 0);
		} else if (i == 1) {
			chain_close(c);
			verify_closed(c);
			chain_open(c);
		}
	}
	/* A write into a block that is zero: its other sectors stay zeros. */
	chain_write(c, 5 * bs + 512, 512);
	must_be_zero(c, 5 * bs + 1024, 6 * bs);
	chain_stream(c, 1, -1);
	must_be_zero(c, 2 * bs, 4 * bs);
	must_be_zero(c, 6 * bs, 8 * bs);
	verify_end(c);
}

static void discarded_4k(void)
{
	discarded(4096);
}

static void discarded_64k(void)
{
	discarded(65536);
}

const struct scenario short_scenarios[] = {
	{ "short", "short-middle", short_4k },
	{ "short", "short-middle-formatted-base", short_formatted_base },
	{ "short", "short-middle-64k", short_64k },
	{ "short", "short-middle-cuts-a-block", short_cut },
	{ "short", "short-middle-cuts-a-block-formatted-base", short_cut_formatted },
	{ "short", "short-middle-odd-sectors", short_odd },
	{ "short", "short-middle-no-base", short_no_base },
	{ "short", "two-short-ones-into-an-intermediate", short_intermediate },
	{ "short", "discarded", discarded_4k },
	{ "short", "discarded-64k", discarded_64k },
	{ }
};
