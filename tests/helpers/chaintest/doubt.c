// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: writes of a superblock that fail although they are done. What the
 * target believes of its flags, it has to make true before it relies on it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "readcopy.h"

#define BS	4096
#define SIZE	MIB

/* E's metadata device, and the part of it with the superblocks. */
#define META	(2 * MIB)
#define SUPERS	(192 * KIB)

/* A <- E, which holds the first blocks. */
static struct chain *a_and_e(struct slice *meta)
{
	struct chain *c = chain_new("chain", BS);

	chain_push(c, layer_raw_new("A", SIZE, BS));
	chain_push(c, layer_on("E", SIZE, BS, slice_new(0, SIZE), meta));
	chain_write(c, 0, 4 * BS);
	verify_all(c);
	return c;
}

/* The last sector of a superblock is nothing but zeros, before and after. */
static void supers_fail_late(const struct slice *s)
{
	static const u64 last[] = {
		DM_CHAIN_SB_OFFSET_A + DM_CHAIN_PAGE_SIZE - SECTOR,
		DM_CHAIN_SB_OFFSET_B + DM_CHAIN_PAGE_SIZE - SECTOR,
	};

	slice_sectors_fail(s, last, ARRAY_SIZE(last));
}

static u32 flags_on_disk(struct layer *l)
{
	struct dm_chain_sb sb;

	disk_read_sb(l, &sb);
	return sb.flags;
}

/* Frees @line. */
static void load(struct chain *c, char *line)
{
	kmsg_mark();
	ct_check(!chain_load(c, line), "load %s: %s", line, kmsg_read());
	free(line);
}

static void suspend(struct chain *c)
{
	ct_check(!dmd_suspend(c->dev, 0), "suspend");
}

static void resume(struct chain *c)
{
	kmsg_mark();
	ct_check(!dmd_resume(c->dev), "resume: %s", kmsg_read());
}

static void end(struct chain *c)
{
	verify_all(c);
	chain_fill(c, 10);
	verify_reopened(c);
}

/*
 * "clean" is written in vain as the device is suspended. No guest writes when it
 * is resumed, but the map changes: a torn page of it would be damage.
 */
static void clean(void)
{
	struct slice *meta = slice_new(META, 0);
	struct chain *c = a_and_e(meta);
	struct layer *e = chain_active(c);

	readcopy_table(c, "1 copy_on_read");
	chain_write(c, 4 * BS, BS);
	supers_fail_late(meta);
	suspend(c);
	slice_mend(meta);
	ct_check(flags_on_disk(e) & DM_CHAIN_F_CLEAN,
		 "the write that failed was not done");
	resume(c);
	readcopy_copies(c, 0, 0, SIZE / 4);
	chain_flush(c);
	ct_check(!(flags_on_disk(e) & DM_CHAIN_F_CLEAN),
		 "the map has changed, but E is clean");
	readcopy_table(c, "");
	end(c);
}

/* A commit fails, and so does saying so; the next one succeeds. */
static void needs_check(void)
{
	struct slice *part[2] = { slice_new(SUPERS, 0), slice_new(META, 0) };
	struct chain *c = a_and_e(slice_compose(2, part));

	chain_write(c, 0, BS);
	slice_break(part[1]);
	supers_fail_late(part[0]);
	chain_write(c, 8 * BS, BS);
	ct_check(io_do(c->fd, IO_FLUSH, 0, 0, NULL) == -EIO, "a flush succeeds");
	slice_mend(part[0]);
	slice_mend(part[1]);
	chain_flush(c);
	ct_check(!(flags_on_disk(chain_active(c)) & DM_CHAIN_F_NEEDS_CHECK),
		 "all is durable, but E needs a check");
	end(c);
}

/*
 * E is written behind F's back, it seems, but that fails; then F is on top again.
 * At the suspend in between nothing can be written at all.
 */
static void has_overlay(void)
{
	struct slice *meta = slice_new(META, 0);
	struct chain *c = a_and_e(meta);
	struct layer *e = chain_active(c);
	struct layer *f = layer_new("F", SIZE, BS, LAYER_INLINE);
	struct dm_chain_sb below, above;

	chain_push(c, f);
	c->nr--;
	readcopy_table(c, "");
	supers_fail_late(meta);
	ct_check(io_do(c->fd, IO_WRITE, 8 * BS, BS, io_buf(BS)) == -EIO,
		 "a write succeeds");
	slice_break(meta);
	suspend(c);
	slice_mend(meta);
	disk_read_sb(e, &below);
	disk_read_sb(f, &above);
	ct_check(above.backing.generation != below.generation,
		 "the write that failed was not done");
	c->nr++;
	load(c, chain_line(c));
	resume(c);
	disk_read_sb(e, &below);
	ct_check(below.flags & DM_CHAIN_F_HAS_OVERLAY &&
		 above.backing.generation == below.generation,
		 "F rests on generation %llu of E, which has %llu, flags %x",
		 above.backing.generation, below.generation, below.flags);
	end(c);
}

/* G is noted as E's overlay in the place of F, in vain; then F is on top again. */
static void another_overlay(void)
{
	struct slice *meta = slice_new(META, 0);
	struct chain *c = a_and_e(meta);
	struct layer *e = chain_active(c);
	struct layer *f = layer_new("F", SIZE, BS, LAYER_INLINE);
	struct layer *g = layer_new("G", SIZE, BS, LAYER_INLINE);
	struct dm_chain_sb below, above;

	chain_push(c, f);
	suspend(c);
	c->layer[c->nr - 1] = g;
	load(c, chain_params(c->layer, c->nr, "1 format"));
	supers_fail_late(meta);
	ct_check(dmd_resume(c->dev) == -EIO, "E has another overlay");
	slice_mend(meta);
	disk_read_sb(e, &below);
	disk_read_sb(g, &above);
	ct_check(dm_chain_uuid_equal(below.overlay_uuid, above.uuid),
		 "the write that failed was not done");
	c->layer[c->nr - 1] = f;
	load(c, chain_line(c));
	resume(c);
	disk_read_sb(e, &below);
	disk_read_sb(f, &above);
	ct_check(below.flags & DM_CHAIN_F_HAS_OVERLAY &&
		 dm_chain_uuid_equal(below.overlay_uuid, above.uuid),
		 "F rests on E, which says that another layer does");
	end(c);
}

const struct scenario doubt_scenarios[] = {
	{ "order", "doubtful-clean", clean },
	{ "order", "doubtful-needs-check", needs_check },
	{ "order", "doubtful-overlay", has_overlay },
	{ "order", "doubtful-overlay-uuid", another_overlay },
	{ }
};
