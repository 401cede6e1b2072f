// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: copy on read: which blocks a read makes the active layer's.
 *
 * Whoever reads to verify copies too. So what was copied is looked at on the
 * devices first; only at the end the whole view is read, with a table that copies
 * nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "readcopy.h"

/* A raw base A, layers of these names, random content; few blocks in the last. */
struct chain *readcopy_chain(const char *names, u64 size, u32 block_size)
{
	struct chain *c = chain_new("chain", block_size);
	char name[2] = "";
	const char *p;

	chain_push(c, layer_raw_new("A", size, block_size));
	for (p = names; *p; p++) {
		name[0] = *p;
		chain_push(c, layer_new(name, size, block_size, p[1] ?
					LAYER_INLINE : LAYER_SEPARATE));
		chain_fill(c, p[1] ? 25 : 5);
	}
	verify_all(c);
	return c;
}

/* Another table for the chain as it is, with these feature words. */
void readcopy_table(struct chain *c, const char *words)
{
	char *line;

	c->words = words;
	line = chain_line(c);
	kmsg_mark();
	ct_check(!chain_load(c, line), "load of %s: %s", line, kmsg_read());
	ct_check(!dmd_suspend(c->dev, 0) && !dmd_resume(c->dev), "resume of %s: %s",
		 line, kmsg_read());
	c->nr_dropped = 0;
	free(line);
}

/* A read must succeed and show what it should. */
void readcopy_read(struct chain *c, u64 offset, u64 len)
{
	u8 *buf = io_buf(len);
	int r = io_do(c->fd, IO_READ, offset, len, buf);
	u64 i, s;

	ct_check(!r, "read of %llu at %llu: %s", len, offset, strerror(-r));
	for (i = 0; i < len / SECTOR; i++) {
		s = offset / SECTOR + i;
		ct_check(pattern_is(buf + i * SECTOR, c->view[s], s),
			 "sector %llu shows %s, expected write %u", s,
			 pattern_describe(buf + i * SECTOR), c->view[s]);
	}
	free(buf);
}

/* Index of the layer whose data a block of the view is; -1 if it is zero. */
static int source(const struct chain *c, u64 block)
{
	u64 limit = ~0ULL;
	int i;

	for (i = c->nr - 1; i >= 0; i--) {
		const struct layer *l = c->layer[i];

		if (i < (int)c->nr - 1)
			limit = min(limit, l->size);
		if (block * c->block_size >= limit)
			return -1;
		if (layer_raw(l))
			return i;
		if (!(l->may[block] & MAY_UNALLOC))
			return l->may[block] & MAY_DATA ? i : -1;
	}
	return -1;
}

static bool shows_zeros(const struct chain *c, u64 block)
{
	u64 end = min((block + 1) * c->block_size, c->size);
	u64 s;

	for (s = block * c->block_size / SECTOR; s < end / SECTOR; s++)
		if (c->view[s])
			return false;
	return true;
}

/* The blocks of a read that layers from @bottom up hold become E's. */
void readcopy_model(struct chain *c, int bottom, u64 offset, u64 len)
{
	struct layer *e = chain_active(c);
	u64 b;
	int i;

	for (b = offset / c->block_size; b * c->block_size < offset + len; b++) {
		if (!(e->may[b] & MAY_UNALLOC))
			continue;
		i = source(c, b);
		if (i >= bottom && i < (int)c->nr - 1)
			e->may[b] = shows_zeros(c, b) ? MAY_ZERO : MAY_DATA;
	}
}

static bool counts_match(struct chain *c)
{
	struct layer *e = chain_active(c);
	char *start = ct_str("name=%s", e->name);
	char *reply = msg(c, "layers");
	char *line = line_with(reply, start);
	u64 b, data = 0, zero = 0, full;
	bool match;

	for (b = 0; b < layer_blocks(e); b++) {
		data += e->may[b] == MAY_DATA;
		zero += e->may[b] == MAY_ZERO;
	}
	full = field_num(line, "allocated=") + field_num(line, "zero=");
	match = DIV_ROUND_UP(full, c->block_size) == data + zero;
	free(line);
	free(reply);
	free(start);
	return match;
}

/*
 * A read, and what it must copy. If it is of many runs not all of them may have
 * been noted: then it is read again.
 */
void readcopy_copies(struct chain *c, int bottom, u64 offset, u64 len)
{
	readcopy_model(c, bottom, offset, len);
	readcopy_read(c, offset, len);
	ct_wait(counts_match(c) || (readcopy_read(c, offset, len), false),
		"not what was read is copied: %s", msg(c, "layers"));
}

static unsigned long long blocks_held(struct chain *c)
{
	char *status = dmd_status(c->dev);
	unsigned long long n;

	ct_check(sscanf(status, "%llu/", &n) == 1, "status: %s", status);
	free(status);
	return n;
}

/*
 * The view is read until the active layer holds as many blocks as show something.
 * The model is not told. The status is what the target needs no memory for.
 */
void readcopy_all(struct chain *c)
{
	u64 b, blocks = 0;

	for (b = 0; b * c->block_size < c->size; b++)
		blocks += !shows_zeros(c, b);
	ct_wait(blocks_held(c) >= blocks || (readcopy_read(c, 0, c->size), false),
		"only %llu blocks of %llu are copied", blocks_held(c), blocks);
}

/* Once the target has suspended, no copy is on its way and none waits. */
void readcopy_settle(struct chain *c)
{
	ct_check(!dmd_suspend(c->dev, 0) && !dmd_resume(c->dev), "suspend");
}

/* Without reading the view. No copy is on its way. */
void readcopy_verify(struct chain *c)
{
	verify_disk(c);
	verify_map(c);
	verify_info(c);
}

/* The rest of the view is copied too; then everything, as ever. */
void readcopy_end(struct chain *c, int bottom)
{
	u64 offset, len;

	for (offset = 0; offset < c->size; offset += len) {
		len = min(c->size - offset, 8ULL * c->block_size);
		readcopy_copies(c, bottom, offset, len);
	}
	readcopy_verify(c);
	readcopy_table(c, "");
	verify_all(c);
	chain_close(c);
	verify_closed(c);
	chain_open(c);
	verify_all(c);
}

/* ---- scenarios ---- */

static void populates(u32 bs)
{
	u64 size = 32ULL * bs + (bs > 4096 ? 1536 : 0);
	struct chain *c = readcopy_chain("BCE", size, bs);
	unsigned int i;

	readcopy_table(c, "1 copy_on_read");
	/* Parts of a block, the end of one and the begin of the next. */
	readcopy_copies(c, 0, 512, 512);
	readcopy_copies(c, 0, bs - 512, 1024);
	readcopy_copies(c, 0, 3ULL * bs + 1024, 512);
	readcopy_verify(c);
	/* The last block, by its last sector. */
	readcopy_copies(c, 0, size - 512, 512);
	readcopy_verify(c);
	for (i = 0; i < 6; i++) {
		u64 offset = ct_random(size / SECTOR) * SECTOR;
		u64 len = (1 + ct_random(5 * bs / SECTOR)) * SECTOR;

		readcopy_copies(c, 0, offset, min(len, size - offset));
	}
	readcopy_verify(c);
	/* Over whatever there is by now. */
	chain_fill(c, 20);
	chain_flush(c);
	verify_disk(c);
	readcopy_end(c, 0);
}

static void populates_4k(void)
{
	populates(4096);
}

static void populates_64k(void)
{
	populates(65536);
}

static void populates_1m(void)
{
	struct chain *c = readcopy_chain("BE", 4 * MIB, MIB);

	readcopy_table(c, "1 copy_on_read");
	readcopy_copies(c, 0, MIB + 4096, 512);
	readcopy_verify(c);
	readcopy_end(c, 0);
}

/* Blocks that hold nothing but zeros, and those that are zero already. */
static void zeros(void)
{
	struct chain *c = chain_new("chain", 4096);
	struct layer *e;
	void *buf = io_buf(4 * 4096);
	u64 i;

	chain_push(c, layer_new("A", MIB, 4096, LAYER_INLINE));
	chain_write(c, 0, 16 * 4096);
	/* Zeros as data: the target does not look at what a guest writes. */
	ct_check(!io_do(c->fd, IO_WRITE, 4 * 4096, 4 * 4096, buf), "write");
	model_write(c, 4 * 4096, 4 * 4096, 0);
	chain_push(c, layer_new("B", MIB, 4096, LAYER_SEPARATE));
	chain_discard(c, 2 * 4096, 4096);
	chain_push(c, layer_new("E", MIB, 4096, LAYER_INLINE));
	verify_all(c);
	e = chain_active(c);

	readcopy_table(c, "1 copy_on_read");
	readcopy_copies(c, 0, 0, 32 * 4096);
	readcopy_verify(c);
	for (i = 0; i < 32; i++) {
		u8 expected = i == 2 || i >= 16 ? MAY_UNALLOC :
			      i >= 4 && i < 8 ? MAY_ZERO : MAY_DATA;

		ct_check(e->may[i] == expected, "block %llu is %x, expected %x",
			 i, e->may[i], expected);
	}
	readcopy_end(c, 0);
}

/*
 * B ends early, inside a block, which it holds or not: zeros follow, whatever
 * lies below or behind on the device.
 */
static void short_layer(u32 bs, u64 b_size, bool held)
{
	u64 cut = round_down(b_size, bs);
	struct chain *c = chain_new("chain", bs);

	chain_push(c, layer_raw_new("A", 2 * MIB, bs));
	/* What A holds at the end of B is no hole. */
	while (!c->layer[0]->tag[b_size / SECTOR]) {
		free(c->layer[0]);
		c->layer[0] = layer_raw_new("A", 2 * MIB, bs);
	}
	chain_push(c, layer_new("B", b_size, bs, LAYER_SEPARATE));
	chain_write(c, cut - 4 * bs, 2 * bs);
	if (held)
		chain_write(c, cut, SECTOR);
	chain_push(c, layer_new("E", 2 * MIB, bs, LAYER_INLINE));
	verify_all(c);
	readcopy_table(c, "1 copy_on_read");
	/* A read of what is behind the end alone has nothing to copy. */
	readcopy_read(c, round_up(b_size, 4096), 4096);
	readcopy_read(c, b_size + bs, bs);
	readcopy_copies(c, 0, cut, 2 * bs);
	readcopy_verify(c);
	readcopy_copies(c, 0, cut - 5 * bs, 8 * bs);
	readcopy_verify(c);
	readcopy_end(c, 0);
}

static void short_4k(void)
{
	short_layer(4096, MIB + 512, false);
}

static void short_4k_held(void)
{
	short_layer(4096, MIB + 512, true);
}

static void short_64k(void)
{
	short_layer(65536, MIB + 8192, false);
}

static void short_64k_held(void)
{
	short_layer(65536, MIB + 8192, true);
}

static char *last_words(const struct chain *c)
{
	char *table = dmd_table(c->dev);
	char *bare = chain_params(c->layer, c->nr, "");
	char *words;

	ct_check(!strncmp(table, bare, strlen(bare)), "table: %s", table);
	words = ct_str("%s", table + strlen(bare));
	free(bare);
	free(table);
	return words;
}

static void check_words(const struct chain *c, const char *expected)
{
	char *words = last_words(c);

	ct_check(!strcmp(words, expected), "words \"%s\", expected \"%s\"",
		 words, expected);
	free(words);
}

/* Read every block that a layer below @bottom holds: nothing is copied. */
static void read_below(struct chain *c, int bottom)
{
	u64 b;
	u32 bs = c->block_size;
	int i;

	for (b = 0; b < layer_blocks(chain_active(c)); b++) {
		i = source(c, b);
		if (i >= 0 && i < bottom)
			readcopy_read(c, b * bs, bs);
	}
}

static void bottom(void)
{
	struct chain *c = readcopy_chain("BCDE", 2 * MIB, 4096);

	readcopy_table(c, "2 copy_on_read_bottom C");
	check_words(c, " 2 copy_on_read_bottom C");
	read_below(c, 2);
	readcopy_copies(c, 2, 512 * KIB, 512 * KIB);
	readcopy_settle(c);
	readcopy_verify(c);
	chain_reload(c, 0);
	check_words(c, " 2 copy_on_read_bottom C");
	readcopy_copies(c, 2, MIB, 64 * KIB);
	readcopy_verify(c);

	/* The active layer itself: nothing is copied. */
	readcopy_table(c, "2 copy_on_read_bottom E");
	readcopy_read(c, MIB, MIB);
	readcopy_settle(c);
	readcopy_verify(c);
	readcopy_table(c, "2 copy_on_read_bottom A");
	readcopy_end(c, 0);
}

static void table_words(void)
{
	struct chain *c = readcopy_chain("BE", MIB, 4096);

	readcopy_table(c, "1 Copy_On_Read");
	check_words(c, " 1 copy_on_read");
	chain_reload(c, 0);
	check_words(c, " 1 copy_on_read");
	readcopy_table(c, "3 copy_on_read_bottom B COPY_ON_READ");
	check_words(c, " 2 copy_on_read_bottom B");
	readcopy_table(c, "7 copy_on_read_bottom A jobs paused block_size 8 no_discard_passdown");
	check_words(c, " 7 block_size 8 copy_on_read_bottom A no_discard_passdown jobs paused");
	chain_reload(c, 0);
	check_words(c, " 7 block_size 8 copy_on_read_bottom A no_discard_passdown jobs paused");
	readcopy_table(c, "");
	check_words(c, "");
	readcopy_table(c, "1 copy_on_read");
	readcopy_end(c, 0);
}

/* Jobs drop the bottom: their top takes its place. */
static void dropped_bottom(void)
{
	struct chain *c = readcopy_chain("BCDE", 2 * MIB, 4096);
	char *line;

	readcopy_table(c, "2 copy_on_read_bottom C");
	/* What the table said before the job is still understood after it. */
	line = dmd_table(c->dev);
	chain_stream(c, 3, 0);
	check_words(c, " 2 copy_on_read_bottom D");
	readcopy_verify(c);
	read_below(c, 1);
	readcopy_copies(c, 1, 0, MIB);
	readcopy_settle(c);
	readcopy_verify(c);
	ct_check(!chain_load(c, line), "load of %s", line);
	free(line);
	readcopy_settle(c);
	c->nr_dropped = 0;
	check_words(c, " 2 copy_on_read_bottom D");
	read_below(c, 1);
	readcopy_copies(c, 1, MIB, 64 * KIB);
	readcopy_settle(c);
	readcopy_verify(c);

	chain_stream(c, 2, 0);
	check_words(c, " 2 copy_on_read_bottom E");
	readcopy_read(c, 0, 2 * MIB);
	readcopy_settle(c);
	readcopy_verify(c);
	chain_reload(c, 0);
	c->nr_dropped = 0;
	check_words(c, " 2 copy_on_read_bottom E");
	readcopy_table(c, "");
	verify_all(c);
}

/* Neither generation nor has-overlay change: what rests on E goes on to do so. */
static void not_a_write(void)
{
	struct chain *c = readcopy_chain("BE", MIB, 4096);
	struct layer *e = chain_active(c), *f;
	struct dm_chain_sb before, after;

	f = layer_new("F", MIB, 4096, LAYER_INLINE);
	chain_push(c, f);
	verify_all(c);
	chain_close(c);
	disk_read_sb(e, &before);
	ct_check(before.flags & DM_CHAIN_F_HAS_OVERLAY, "E has no overlay");

	c->nr--;
	c->words = "1 copy_on_read";
	chain_open(c);
	readcopy_copies(c, 0, 0, MIB);
	readcopy_verify(c);
	disk_read_sb(e, &after);
	ct_check(!(after.flags & DM_CHAIN_F_CLEAN), "E is clean while it is copied to");
	chain_close(c);
	verify_closed(c);
	disk_read_sb(e, &after);
	ct_check(after.generation == before.generation &&
		 after.flags == before.flags &&
		 dm_chain_uuid_equal(after.overlay_uuid, before.overlay_uuid),
		 "generation %llu and flags %x were %llu and %x",
		 after.generation, after.flags, before.generation, before.flags);

	c->layer[c->nr++] = f;
	c->words = "";
	chain_open(c);
	verify_all(c);
	chain_close(c);
}

static void read_only(void)
{
	struct chain *c = readcopy_chain("BE", MIB, 4096);
	u64 *hash;

	chain_close(c);
	hash = devices_hash(c);
	c->words = "2 read_only copy_on_read";
	chain_open(c);
	check_words(c, " 2 read_only copy_on_read");
	verify_view(c);
	verify_map(c);
	chain_reload(c, 0);
	verify_view(c);
	chain_close(c);
	verify_untouched(c, hash);
	free(hash);
	c->words = "";
	chain_open(c);
	verify_all(c);
	/* From here on it may be. */
	readcopy_table(c, "1 copy_on_read");
	readcopy_copies(c, 0, 0, 64 * KIB);
	readcopy_end(c, 0);
}

const struct scenario readcopy_scenarios[] = {
	{ "readcopy", "populates", populates_4k },
	{ "readcopy", "populates-64k", populates_64k },
	{ "readcopy", "populates-1-mib-blocks", populates_1m },
	{ "readcopy", "zeros", zeros },
	{ "readcopy", "short-layer", short_4k },
	{ "readcopy", "short-layer-64k", short_64k },
	{ "readcopy", "short-layer-holds-the-cut-block", short_4k_held },
	{ "readcopy", "short-layer-holds-the-cut-block-64k", short_64k_held },
	{ "readcopy", "bottom", bottom },
	{ "readcopy", "words-of-the-table", table_words },
	{ "readcopy", "job-drops-the-bottom", dropped_bottom },
	{ "readcopy", "generation-and-overlay-stay", not_a_write },
	{ "readcopy", "read-only-table", read_only },
	{ }
};
