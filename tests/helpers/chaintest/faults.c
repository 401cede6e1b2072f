// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: every device of a chain misbehaves in every way. While it does, reads
 * are right where the data can be read, status says what is wrong, and nothing
 * that was flushed goes back; when it does no more, the steps of
 * Documentation/recovery.rst lead to a chain that works.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ct.h"

#define BS	16384
#define SIZE	MIB
#define SECTORS	(SIZE / SECTOR)
#define OPS	48
#define ALTS	12

enum role { BASE, MIDDLE, MIDDLE_MAP, TOP, TOP_MAP };

static const struct {
	const char *name;
	unsigned int layer;
	bool map;
} roles[] = {
	[BASE] = { "base-", 0, false },
	[MIDDLE] = { "middle-", 1, false },
	[MIDDLE_MAP] = { "middle-map-", 1, true },
	[TOP] = { "top-", 2, false },
	[TOP_MAP] = { "top-map-", 2, true },
};

struct scene;

/**
 * struct fault - how a device misbehaves
 * @prepare: before the chain is used, or NULL
 * @mend: NULL: the slice is mended
 * @reads, @writes: fail, in all places or some
 * @lies: writes are acknowledged and lost
 * @vanishes: until the chain has been closed
 */
struct fault {
	const char *name;
	void (*prepare)(struct scene *s);
	void (*begin)(struct scene *s);
	void (*mend)(struct scene *s);
	bool reads;
	bool writes;
	bool lies;
	bool vanishes;
};

/**
 * struct scene - the chain, what is wrong with it and what it may show
 * @alt: by sector: what it may show besides the model's view
 * @failed: by sector and alternative: of a request that failed; the others were
 *	taken back, which only a flush forbids
 * @lost: by block: its data may have been
 */
struct scene {
	struct chain *c;
	const struct fault *fault;
	enum role role;
	struct slice *slice;
	u32 alt[SECTORS][ALTS];
	bool failed[SECTORS][ALTS];
	u8 nr[SECTORS];
	bool lost[SIZE / BS];
};

static void may_show(struct scene *s, u64 sector, u32 tag, bool failed)
{
	u8 n = s->nr[sector]++;

	ct_check(n < ALTS, "too many writes of sector %llu", sector);
	s->alt[sector][n] = tag;
	s->failed[sector][n] = failed;
}

/* What was acknowledged before a flush must not go back. */
static void forbid_reverts(struct scene *s)
{
	u64 i;
	u8 n, kept;

	for (i = 0; i < SECTORS; i++) {
		kept = 0;
		for (n = 0; n < s->nr[i]; n++) {
			if (!s->failed[i][n])
				continue;
			s->alt[i][kept] = s->alt[i][n];
			s->failed[i][kept++] = true;
		}
		s->nr[i] = kept;
	}
}

static bool can_revert(const struct scene *s)
{
	return s->role >= TOP && (s->fault->lies || s->fault->vanishes);
}

/* A whole-block request unless it is a write. Return: its error. */
static int request(struct scene *s, enum io_op op, u64 offset, u64 len)
{
	u32 tag = op == IO_WRITE ? pattern_new_tag() : 0;
	struct chain *c = s->c;
	void *buf = io_buf(len);
	u64 i, b;
	int r;

	if (op == IO_WRITE)
		pattern_fill(buf, tag, offset / SECTOR, len / SECTOR);
	r = io_do(c->fd, op, offset, len, buf);
	free(buf);
	for (i = offset / SECTOR; i < (offset + len) / SECTOR; i++) {
		if (r)
			may_show(s, i, tag, true);
		else if (can_revert(s))
			may_show(s, i, c->view[i], false);
		else
			s->nr[i] = 0;
	}
	if (r) {
		for (b = offset / BS; b * BS < offset + len; b++)
			chain_active(c)->may[b] |= MAY_DATA | MAY_ZERO;
	} else if (op == IO_WRITE) {
		model_write(c, offset, len, tag);
	} else if (op == IO_DISCARD) {
		model_discard(c, offset, len);
	} else {
		model_zero(c, offset, len);
	}
	for (b = offset / BS; b * BS < offset + len; b++)
		s->lost[b] = s->fault->lies && s->role == TOP;
	return r;
}

/* Return: how many requests failed. */
static unsigned int requests(struct scene *s)
{
	unsigned int i, failed = 0;

	for (i = 0; i < OPS; i++) {
		u64 block = ct_random(SIZE / BS - 3), offset = block * BS;
		u64 len = (1 + ct_random(3)) * BS;
		enum io_op op = IO_WRITE;

		switch (ct_random(8)) {
		case 0:
			op = IO_DISCARD;
			break;
		case 1:
			op = IO_ZERO;
			break;
		case 2:
		case 3:
		case 4:
			offset += SECTOR;
			len -= 2 * SECTOR;
			break;
		}
		failed += !!request(s, op, offset, len);
		if (i % 12 == 11 && !io_do(s->c->fd, IO_FLUSH, 0, 0, NULL) &&
		    !s->fault->lies)
			forbid_reverts(s);
	}
	return failed;
}

/* Can a block be the afflicted layer's, as far as the model knows? */
static bool may_be_read_from(const struct scene *s, u64 block)
{
	unsigned int layer = roles[s->role].layer;
	unsigned int i;

	for (i = s->c->nr - 1; i > layer; i--)
		if (!(s->c->layer[i]->may[block] & MAY_UNALLOC))
			return false;
	return layer_raw(s->c->layer[layer]) ||
	       s->c->layer[layer]->may[block] & MAY_DATA;
}

static void begin_errors(struct scene *s)
{
	slice_break(s->slice);
}

static void begin_write_errors(struct scene *s)
{
	slice_writes_fail(s->slice);
}

static void begin_lost_writes(struct scene *s)
{
	slice_loses_writes(s->slice);
}

static void begin_slow(struct scene *s)
{
	slice_slow(s->slice, 3);
}

/* The first block that is read from there, or both slots of a map page. */
static void begin_bad_blocks(struct scene *s)
{
	struct on_disk *d;
	u64 b;

	if (!roles[s->role].map) {
		for (b = 0; !may_be_read_from(s, b); b++)
			;
		slice_bad_blocks(s->slice, b * BS, BS);
		return;
	}
	d = disk_load(s->c->layer[roles[s->role].layer]);
	slice_bad_blocks(s->slice, dm_chain_map_offset(&d->geo, 0, 0),
			 DM_CHAIN_PAGE_SIZE);
	slice_bad_blocks(s->slice, dm_chain_map_offset(&d->geo, 1, 0),
			 DM_CHAIN_PAGE_SIZE);
	disk_free(d);
}

/* From the slice to a disk that can be taken out. */
static void to_disk(struct scene *s)
{
	char *disk = scsi_insert();

	chain_close(s->c);
	slice_move(s->slice, disk);
	chain_open(s->c);
	/* As in the other scenes, it is not the first write that meets the fault. */
	chain_write(s->c, 0, BS);
	chain_flush(s->c);
}

static void begin_removed(struct scene *s)
{
	scsi_remove();
}

/* The chain still has what was removed: it is another disk now. */
static void insert(struct scene *s)
{
	char *old = s->slice->moved;
	char *disk = scsi_insert();

	ct_check(strcmp(old, disk), "it is %s again", disk);
	slice_moved(s->slice, disk);
	free(old);
}

static const struct fault faults[] = {
	{ .name = "errors", .begin = begin_errors, .reads = true,
	  .writes = true },
	{ .name = "write-errors", .begin = begin_write_errors, .writes = true },
	{ .name = "lost-writes", .begin = begin_lost_writes, .lies = true },
	{ .name = "bad-blocks", .begin = begin_bad_blocks, .reads = true },
	{ .name = "slow", .begin = begin_slow },
	{ .name = "read-only" },
	{ .name = "vanishes", .begin = begin_errors, .reads = true,
	  .writes = true, .vanishes = true },
	{ .name = "removed", .prepare = to_disk, .begin = begin_removed,
	  .mend = insert, .reads = true, .writes = true, .vanishes = true },
};

/* The model becomes what is found. */
static void check_sector(struct scene *s, u64 i, const u8 *sector)
{
	struct chain *c = s->c;
	u8 n;

	if (pattern_is(sector, c->view[i], i))
		return;
	for (n = 0; n < s->nr[i] && !pattern_is(sector, s->alt[i][n], i); n++)
		;
	ct_check(n < s->nr[i],
		 "sector %llu shows %s, expected write %u or one of %u others", i,
		 pattern_describe(sector), c->view[i], s->nr[i]);
	c->view[i] = s->alt[i][n];
	s->nr[i] = 0;
}

/*
 * Reads of what can be read. @now: nothing goes back as long as the chain is up,
 * whatever a device may have lost. Return: how many reads failed.
 */
static unsigned int check_reads(struct scene *s, bool broken, bool now)
{
	unsigned int failed = 0;
	u8 *buf = io_buf(BS);
	u64 b, i;
	int r;

	for (b = 0; b < SIZE / BS; b++) {
		if (s->lost[b])
			continue;
		r = io_do(s->c->fd, IO_READ, b * BS, BS, buf);
		ct_check(!r || (broken && s->fault->reads &&
				!roles[s->role].map && may_be_read_from(s, b)),
			 "block %llu cannot be read: %s", b, strerror(-r));
		failed += !!r;
		for (i = 0; !r && i < BS / SECTOR; i++) {
			u64 sector = b * BS / SECTOR + i;

			if (now && can_revert(s))
				ct_check(pattern_is(buf + i * SECTOR,
						    s->c->view[sector], sector) ||
					 (s->nr[sector] && s->failed[sector][s->nr[sector] - 1]),
					 "sector %llu shows %s, expected write %u",
					 sector, pattern_describe(buf + i * SECTOR),
					 s->c->view[sector]);
			else
				check_sector(s, sector, buf + i * SECTOR);
		}
	}
	free(buf);
	return failed;
}

static bool mode_is(const struct chain *c, const char *mode)
{
	char *status = dmd_status(c->dev);
	char *text = ct_str(" %s ", mode);
	bool is = strstr(status, text);

	free(text);
	free(status);
	return is;
}

static struct scene *scene_new(void)
{
	struct scene *s = ct_alloc(sizeof(*s));
	struct chain *c = chain_new("chain", BS);
	const char *kind = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(roles); i++) {
		size_t len = strlen(roles[i].name);

		/* The longest one fits last. */
		if (strncmp(ct_scenario, roles[i].name, len))
			continue;
		s->role = i;
		kind = ct_scenario + len;
	}
	for (s->fault = faults; strcmp(s->fault->name, kind); s->fault++)
		;
	s->c = c;
	chain_push(c, layer_raw_new("A", SIZE, BS));
	chain_push(c, layer_new("B", SIZE, BS, LAYER_SEPARATE));
	chain_write(c, 8 * BS, 16 * BS);
	chain_fill(c, 30);
	verify_all(c);
	chain_push(c, layer_new("E", SIZE, BS, LAYER_SEPARATE));
	chain_write(c, 12 * BS, BS);
	chain_fill(c, 15);
	verify_all(c);
	s->slice = roles[s->role].map ? c->layer[roles[s->role].layer]->meta :
					c->layer[roles[s->role].layer]->data;
	if (s->fault->prepare)
		s->fault->prepare(s);
	return s;
}

static void mend(struct scene *s)
{
	if (s->fault->mend)
		s->fault->mend(s);
	else
		slice_mend(s->slice);
}

/* What is lost is written over, in whole blocks. */
static void write_over(struct scene *s)
{
	u64 b;

	for (b = 0; b < SIZE / BS; b++) {
		if (s->lost[b])
			chain_write(s->c, b * BS, BS);
		s->lost[b] = false;
	}
}

/* From here on all is as it was before. */
static void recovered(struct scene *s)
{
	struct chain *c = s->c;

	write_over(s);
	chain_flush(c);
	ct_check(mode_is(c, "rw") && !mode_is(c, "needs_check"), "status: %s",
		 dmd_status(c->dev));
	check_reads(s, false, false);
	verify_disk_view(c);
	chain_fill(c, 10);
	verify_all(c);
	chain_stream(c, c->nr - 1, -1);
	verify_all(c);
	chain_close(c);
	verify_closed(c);
	verify_tool(c);
	chain_open(c);
	verify_all(c);
	chain_close(c);
}

/*
 * The device is back, the chain is not: it may need a check, as recovery.rst
 * says.
 */
static void open_again(struct scene *s)
{
	struct chain *c = s->c;

	chain_open(c);
	if (!mode_is(c, "needs_check"))
		return;
	check_reads(s, false, false);
	model_freeze(c);
	close(c->fd);
	c->fd = -1;
	ct_check(!dmd_remove(c->dev), "remove");
	verify_tool(c);
	chain_open(c);
}

static void close_broken(struct scene *s)
{
	int r;

	close(s->c->fd);
	s->c->fd = -1;
	r = dmd_remove(s->c->dev);
	ct_check(!r, "remove: %s", strerror(-r));
}

static void cell(void)
{
	struct scene *s = scene_new();
	struct chain *c = s->c;
	bool refused = s->fault->writes && s->role >= TOP;
	bool unreadable = s->fault->reads && !roles[s->role].map;
	unsigned int failed;
	int r;

	s->fault->begin(s);
	failed = check_reads(s, true, true);
	ct_check(unreadable == !!failed, "%u reads fail", failed);
	failed = requests(s);
	r = io_do(c->fd, IO_FLUSH, 0, 0, NULL);
	if (!r && !s->fault->lies)
		forbid_reverts(s);
	ct_note("%u requests failed, flush: %s, status %s", failed, strerror(-r),
		dmd_status(c->dev));
	ct_check(refused ? failed : !failed || unreadable, "%u requests fail",
		 failed);
	/* With no write that it still owes, a flush needs no data device. */
	if (s->fault->writes && s->role == TOP_MAP)
		ct_check(r, "a flush without metadata");
	else
		ct_check(!r || refused, "flush: %s", strerror(-r));
	ct_check(mode_is(c, r ? "fail" : "rw"), "flush: %s, status %s",
		 strerror(-r), dmd_status(c->dev));
	check_reads(s, true, true);

	if (s->fault->vanishes || s->fault->lies) {
		if (s->fault->mend)
			mend(s);
		check_reads(s, true, true);
		close_broken(s);
		if (!s->fault->mend)
			mend(s);
		open_again(s);
		check_reads(s, false, false);
	} else {
		mend(s);
	}
	recovered(s);
}

/*
 * A device nobody may write to any more, from an activation on. Only the active
 * layer's matter to the device, and the top's to a job. When it may be written to
 * again, the table is loaded anew.
 */
static void read_only(void)
{
	struct scene *s = scene_new();
	struct chain *c = s->c;
	const char *mode = s->role >= TOP ? "ro" : "rw";
	unsigned int failed;

	chain_close(c);
	slice_set_ro(s->slice, true);
	chain_open(c);
	ct_check(mode_is(c, mode) && !mode_is(c, "needs_check"), "status: %s",
		 dmd_status(c->dev));
	check_reads(s, false, true);
	failed = requests(s);
	ct_check(failed == (s->role >= TOP ? OPS : 0), "%u requests fail", failed);
	check_reads(s, false, true);
	if (s->role == BASE)
		chain_stream(c, 1, -1);
	else
		must_refuse(c, EROFS, s->role >= TOP ? "read-only" : "B",
			    "stream top %s", s->role >= TOP ? "E" : "B");
	slice_set_ro(s->slice, false);
	chain_release(c);
	recovered(s);
}

/* What is written to a device that loses it is lost, if that is data. */
const struct scenario faults_scenarios[] = {
	{ "faults", "base-errors", cell },
	{ "faults", "base-write-errors", cell },
	{ "faults", "base-bad-blocks", cell },
	{ "faults", "base-slow", cell },
	{ "faults", "base-vanishes", cell },
	{ "faults", "base-removed", cell },
	{ "faults", "base-lost-writes", cell },
	{ "faults", "base-read-only", read_only },
	{ "faults", "middle-errors", cell },
	{ "faults", "middle-write-errors", cell },
	{ "faults", "middle-bad-blocks", cell },
	{ "faults", "middle-slow", cell },
	{ "faults", "middle-vanishes", cell },
	{ "faults", "middle-removed", cell },
	{ "faults", "middle-lost-writes", cell },
	{ "faults", "middle-read-only", read_only },
	{ "faults", "middle-map-errors", cell },
	{ "faults", "middle-map-write-errors", cell },
	{ "faults", "middle-map-bad-blocks", cell },
	{ "faults", "middle-map-slow", cell },
	{ "faults", "middle-map-vanishes", cell },
	{ "faults", "middle-map-removed", cell },
	{ "faults", "middle-map-lost-writes", cell },
	{ "faults", "middle-map-read-only", read_only },
	{ "faults", "top-errors", cell },
	{ "faults", "top-write-errors", cell },
	{ "faults", "top-bad-blocks", cell },
	{ "faults", "top-slow", cell },
	{ "faults", "top-vanishes", cell },
	{ "faults", "top-removed", cell },
	{ "faults", "top-lost-writes", cell },
	{ "faults", "top-read-only", read_only },
	{ "faults", "top-map-errors", cell },
	{ "faults", "top-map-write-errors", cell },
	{ "faults", "top-map-bad-blocks", cell },
	{ "faults", "top-map-slow", cell },
	{ "faults", "top-map-vanishes", cell },
	{ "faults", "top-map-removed", cell },
	{ "faults", "top-map-read-only", read_only },
	{ "faults", "top-map-lost-writes", cell },
	{ }
};
