// SPDX-License-Identifier: GPL-2.0
/*
 * chaintest: damaged superblocks, directory and map pages. Each is put there
 * with a right checksum unless that is what is wrong, must be refused with a
 * reason, and must lie there afterwards as before.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <linux/crc32c.h>

#include "ct.h"

#define BS	4096
#define PAGE	DM_CHAIN_PAGE_SIZE

/* A raw <- B <- E, closed. */
static struct chain *closed_chain(void)
{
	struct chain *c = chain_new("chain", BS);

	chain_push(c, layer_raw_new("A", MIB, BS));
	chain_push(c, layer_new("B", MIB, BS, LAYER_INLINE));
	chain_fill(c, 20);
	chain_push(c, layer_new("E", MIB, BS, LAYER_SEPARATE));
	chain_fill(c, 20);
	verify_all(c);
	chain_write(c, 0, BS);
	chain_close(c);
	return c;
}

static void seal(void *page)
{
	struct dm_chain_disk_head *head = page;
	u32 crc = crc32c(~0U, (u8 *)page + 12, PAGE - 12) ^ ~0U;

	head->crc = cpu_to_le32(crc);
}

/* Refused, with everything on the layer's devices as it was. */
static bool refused_unchanged(struct chain *c, const struct layer *l,
			      const char *names)
{
	u64 meta = slice_hash(l->meta, 0, l->meta->size);
	u64 data = slice_hash(l->data, 0, l->data->size);
	char *line = chain_line(c);
	bool ok = load_refused(line, MIB / SECTOR, names);

	if (slice_hash(l->meta, 0, l->meta->size) != meta ||
	    slice_hash(l->data, 0, l->data->size) != data) {
		ct_note("the layer was written");
		ok = false;
	}
	free(line);
	return ok;
}

struct field {
	size_t offset;
	size_t size;
};

#define FIELD(f)	{ offsetof(struct dm_chain_disk_super, f), \
			  sizeof(((struct dm_chain_disk_super *)0)->f) }
#define BACKING(f)	FIELD(backing.f)

static const struct {
	const char *what;
	struct field at;
	u64 value;		/* little-endian, zeros behind it */
	const char *names;
} edits[] = {
	{ "version 0", FIELD(head.version), 0, "version" },
	{ "version 2", FIELD(head.version), 2, "version" },
	{ "unknown incompat feature", FIELD(incompat), 1, "incompat" },
	{ "unknown flag", FIELD(flags), 1 << 30, "flag" },
	{ "null uuid", FIELD(uuid), 0, "UUID" },
	{ "empty name", FIELD(name), 0, "name" },
	{ "name with a slash", FIELD(name), 0x622f61, "name" },
	{ "name \"zero\"", FIELD(name), 0x6f72657a, "name" },
	{ "block size 0", FIELD(block_size), 0, "block size" },
	{ "block size 2048", FIELD(block_size), 2048, "block size" },
	{ "block size 12288", FIELD(block_size), 12288, "block size" },
	{ "block size 2 MiB", FIELD(block_size), 2 * MIB, "block size" },
	{ "block size of another chain", FIELD(block_size), 8192, "E" },
	{ "size 0", FIELD(size), 0, "size" },
	{ "size not of sectors", FIELD(size), MIB + 1, "size" },
	{ "size above max size", FIELD(size), 64 * MIB, "size" },
	{ "size longer than the table", FIELD(size), 2 * MIB, "E" },
	{ "max size 0", FIELD(max_size), 0, "size" },
	{ "max size not of sectors", FIELD(max_size), 4 * MIB + 8, "size" },
	{ "max size beyond any map", FIELD(max_size), 1ULL << 62, "size" },
	{ "max size beyond the device", FIELD(max_size), 1ULL << 40, "E" },
	{ "data offset not of sectors", FIELD(data_offset), 1, "data offset" },
	{ "data offset behind the device", FIELD(data_offset), 64 * MIB, "E" },
	{ "backing of unknown kind", BACKING(kind), 9, "backing" },
	{ "backing layer without uuid", BACKING(uuid), 0, "backing" },
	{ "another backing layer", BACKING(uuid), 0x1234567812345678, "78563412" },
	{ "another generation of the backing", BACKING(generation), 77, "77" },
	{ "unknown job type", FIELD(job.type), 9, "job" },
	{ "unknown result type", FIELD(result.type), 9, "last job" },
	{ "generation 0", FIELD(generation), 0, "generation" },
	{ "the last generation", FIELD(generation), U64_MAX, "generation 18446744073709551615" },
	{ "the last sequence number", FIELD(head.seq), U64_MAX,
	  "sequence number 18446744073709551615" },
	{ "a sequence number of 2^63", FIELD(head.seq), 1ULL << 63,
	  "sequence number 9223372036854775808" },
};

static void superblocks(void)
{
	struct chain *c = closed_chain();
	struct layer *e = chain_active(c);
	u8 *page = io_buf(PAGE), *good[2] = { io_buf(PAGE), io_buf(PAGE) };
	unsigned int i, bad = 0, slot;
	__le64 value;

	slice_read(e->meta, DM_CHAIN_SB_OFFSET_A, good[0], PAGE);
	slice_read(e->meta, DM_CHAIN_SB_OFFSET_B, good[1], PAGE);
	for (i = 0; i < ARRAY_SIZE(edits); i++) {
		for (slot = 0; slot < 2; slot++) {
			memcpy(page, good[slot], PAGE);
			memset(page + edits[i].at.offset, 0, edits[i].at.size);
			value = cpu_to_le64(edits[i].value);
			memcpy(page + edits[i].at.offset, &value,
			       min(edits[i].at.size, sizeof(value)));
			seal(page);
			slice_write(e->meta, dm_chain_sb_offset(slot), page, PAGE);
		}
		if (!refused_unchanged(c, e, edits[i].names)) {
			ct_note("superblock with %s", edits[i].what);
			bad++;
		}
	}
	ct_note("%zu superblocks", ARRAY_SIZE(edits));
	slice_write(e->meta, DM_CHAIN_SB_OFFSET_A, good[0], PAGE);
	slice_write(e->meta, DM_CHAIN_SB_OFFSET_B, good[1], PAGE);
	ct_check(!bad, "%u superblocks were not refused as they should be", bad);
	chain_open(c);
	verify_all(c);
	chain_close(c);
}

static void damage(const struct layer *l, u64 offset)
{
	u8 *page = io_buf(PAGE);

	slice_read(l->meta, offset, page, PAGE);
	page[2000] ^= 0x10;
	slice_write(l->meta, offset, page, PAGE);
	free(page);
}

/* One superblock slot may be torn, both may not. */
static void torn_superblocks(void)
{
	struct chain *c = closed_chain();
	struct layer *e = chain_active(c);
	u8 *good[2] = { io_buf(PAGE), io_buf(PAGE) };
	struct on_disk *d = disk_load(e);
	unsigned int slot;
	bool ok;

	for (slot = 0; slot < 2; slot++)
		slice_read(e->meta, dm_chain_sb_offset(slot), good[slot], PAGE);
	damage(e, dm_chain_sb_offset(0));
	damage(e, dm_chain_sb_offset(1));
	ok = refused_unchanged(c, e, "superblock");
	ct_check(ok, "two damaged superblocks are not refused as they should be");
	/* The older one alone: as good as none. */
	slice_write(e->meta, dm_chain_sb_offset(d->sb_slot), good[d->sb_slot],
		    PAGE);
	chain_open(c);
	verify_all(c);
	chain_close(c);
	verify_closed(c);
}

/* What a page can be made into; E has one map page and one directory page. */
enum page_damage {
	CHECKSUM, BOTH_CHECKSUMS, BAD_STATE, WRONG_INDEX, WRONG_UUID, WRONG_KIND,
	LAST_SEQ, ZEROS, BOTH_ZEROS, UNREADABLE, NR_DAMAGES
};

static const struct {
	const char *what;
	bool map_only;
} damages[NR_DAMAGES] = {
	[CHECKSUM] = { "a wrong checksum in the newer slot" },
	[BOTH_CHECKSUMS] = { "wrong checksums in both slots" },
	[BAD_STATE] = { "a block of state 3", true },
	[WRONG_INDEX] = { "the index of another" },
	[WRONG_UUID] = { "another layer's UUID" },
	[WRONG_KIND] = { "the magic of another kind" },
	[LAST_SEQ] = { "a sequence number above which there is none" },
	[ZEROS] = { "zeros in the newer slot" },
	[BOTH_ZEROS] = { "zeros in both slots" },
	[UNREADABLE] = { "a device that cannot be read" },
};

static void make_damage(const struct layer *l, enum page_damage kind, u64 newer,
			u64 older)
{
	struct dm_chain_disk_page *page = io_buf(PAGE);

	slice_read(l->meta, newer, page, PAGE);
	switch (kind) {
	case BOTH_CHECKSUMS:
		damage(l, older);
		fallthrough;
	case CHECKSUM:
		damage(l, newer);
		goto out;
	case BAD_STATE:
		page->payload[5] = 3;
		break;
	case WRONG_INDEX:
		page->index = cpu_to_le64(le64_to_cpu(page->index) + 1);
		break;
	case WRONG_UUID:
		page->uuid[3] ^= 1;
		break;
	case WRONG_KIND:
		page->head.magic[4] ^= 1;
		break;
	case LAST_SEQ:
		page->head.seq = cpu_to_le64(U64_MAX);
		break;
	case BOTH_ZEROS:
		memset(page, 0, PAGE);
		slice_write(l->meta, older, page, PAGE);
		fallthrough;
	case ZEROS:
		memset(page, 0, PAGE);
		slice_write(l->meta, newer, page, PAGE);
		goto out;
	default:
		goto out;
	}
	seal(page);
	slice_write(l->meta, newer, page, PAGE);
out:
	free(page);
}

/* Reads of all but the superblocks fail. */
static void break_pages(const struct slice *s, const struct slice *plain)
{
	struct dm_seg seg[2];

	seg[0].sectors = DM_CHAIN_AREA_A / SECTOR;
	seg[0].target = "linear";
	seg[0].params = ct_str("%s 0", dmd_devno(plain->name));
	seg[1].sectors = s->size / SECTOR - seg[0].sectors;
	seg[1].target = "error";
	seg[1].params = "";
	dmd_swap(s->name, seg, 2);
}

static void heal_pages(const struct slice *s, const struct slice *plain)
{
	struct dm_seg seg = { s->size / SECTOR, "linear", NULL };

	seg.params = ct_str("%s 0", dmd_devno(plain->name));
	dmd_swap(s->name, &seg, 1);
}

static void pages(bool map)
{
	struct chain *c = chain_new("chain", BS);
	struct slice *plain = slice_new(MIB, 0);
	struct slice *meta = slice_compose(1, &plain);
	u64 at[2], newer, older, seq[2];
	u8 *good[2] = { io_buf(PAGE), io_buf(PAGE) };
	struct on_disk *d;
	struct layer *e;
	unsigned int kind, slot, bad = 0, n = 0;

	chain_push(c, layer_raw_new("A", MIB, BS));
	e = layer_on("E", MIB, BS, slice_new(0, MIB), meta);
	chain_push(c, e);
	chain_fill(c, 20);
	chain_flush(c);
	chain_fill(c, 20);
	verify_all(c);
	chain_close(c);
	d = disk_load(e);
	for (slot = 0; slot < 2; slot++) {
		at[slot] = map ? dm_chain_map_offset(&d->geo, slot, 0) :
				 dm_chain_dir_offset(&d->geo, slot, 0);
		slice_read(meta, at[slot], good[slot], PAGE);
		seq[slot] = le64_to_cpu(((struct dm_chain_disk_page *)
					 good[slot])->head.seq);
	}
	newer = at[seq[1] > seq[0]];
	older = at[seq[1] <= seq[0]];

	for (kind = 0; kind < NR_DAMAGES; kind++) {
		bool ok;

		if (!map && damages[kind].map_only)
			continue;
		n++;
		if (kind == UNREADABLE) {
			char *line = chain_line(c);

			break_pages(meta, plain);
			ok = load_refused(line, MIB / SECTOR, "E");
			heal_pages(meta, plain);
			free(line);
		} else {
			make_damage(e, kind, newer, older);
			/* Kind and number of the page are named. */
			ok = refused_unchanged(c, e, map ? "map page 0" :
					       "directory page 0");
		}
		if (!ok) {
			ct_note("%s page with %s", map ? "map" : "directory",
				damages[kind].what);
			bad++;
		}
		for (slot = 0; slot < 2; slot++)
			slice_write(meta, at[slot], good[slot], PAGE);
	}
	ct_note("%u pages", n);
	ct_check(!bad, "%u pages were not refused as they should be", bad);
	chain_open(c);
	verify_end(c);
	disk_free(d);
}

static void map_pages(void)
{
	pages(true);
}

static void directory_pages(void)
{
	pages(false);
}

/* In a layer that was not closed a torn page falls back to the older one. */
static void torn_page(void)
{
	struct chain *c = closed_chain();
	struct layer *e = chain_active(c);
	struct dm_chain_disk_page *page = io_buf(PAGE);
	struct on_disk *d = disk_load(e);
	struct dm_chain_sb sb = d->sb;
	u64 at[2], seq[2];
	unsigned int slot;

	for (slot = 0; slot < 2; slot++) {
		at[slot] = dm_chain_map_offset(&d->geo, slot, 0);
		slice_read(e->meta, at[slot], page, PAGE);
		seq[slot] = le64_to_cpu(page->head.seq);
	}
	/* The same content with the next number, torn on its way. */
	slice_read(e->meta, at[seq[1] > seq[0]], page, PAGE);
	dm_chain_page_seal(page, DM_CHAIN_MAP_MAGIC, sb.uuid, 0,
			   max(seq[0], seq[1]) + 1);
	page->payload[4000] ^= 1;
	slice_write(e->meta, at[seq[1] <= seq[0]], page, PAGE);
	ct_check(refused_unchanged(c, e, "map page 0"),
		 "a bad slot in a clean layer is not refused");
	sb.flags &= ~DM_CHAIN_F_CLEAN;
	disk_write_sb(e, &sb);
	chain_open(c);
	verify_all(c);
	chain_close(c);
	/* Both slots are good again. */
	verify_closed(c);
	verify_tool(c);
}

/* Usable for reading only: nothing is written, the status says so. */
static void reads_only(struct chain *c, const char *mode)
{
	struct layer *e = chain_active(c);
	u64 meta = slice_hash(e->meta, 0, e->meta->size);
	u64 data = slice_hash(e->data, 0, e->data->size);
	void *buf = io_buf(BS);
	char *status;

	chain_open(c);
	status = dmd_status(c->dev);
	ct_check(strstr(status, mode), "status is not \"%s\": %s", mode, status);
	verify_view(c);
	ct_check(io_do(c->fd, IO_WRITE, 0, BS, buf), "a write is taken");
	ct_check(io_do(c->fd, IO_DISCARD, 0, BS, NULL), "a discard is taken");
	ct_check(msg_try(c, "stream") == -EROFS, "stream: %s",
		 strerror(-msg_try(c, "stream")));
	verify_view(c);
	chain_close(c);
	ct_check(slice_hash(e->meta, 0, e->meta->size) == meta &&
		 slice_hash(e->data, 0, e->data->size) == data,
		 "the layer was written");
	free(buf);
}

static void needs_check(void)
{
	struct chain *c = closed_chain();
	struct layer *e = chain_active(c);
	struct dm_chain_sb sb;

	disk_read_sb(e, &sb);
	sb.flags |= DM_CHAIN_F_NEEDS_CHECK;
	disk_write_sb(e, &sb);
	reads_only(c, " ro needs_check ");
	disk_read_sb(e, &sb);
	sb.flags &= ~DM_CHAIN_F_NEEDS_CHECK;
	disk_write_sb(e, &sb);
	chain_open(c);
	chain_fill(c, 10);
	verify_all(c);
	chain_close(c);
}

static void ro_compat(void)
{
	struct chain *c = closed_chain();
	struct layer *e = chain_active(c);
	struct dm_chain_sb sb;

	disk_read_sb(e, &sb);
	sb.ro_compat = 1;
	disk_write_sb(e, &sb);
	reads_only(c, " ro ");
}

/* It can be read; the first write would need the next generation. */
static void last_generation(void)
{
	struct chain *c = closed_chain();
	struct layer *e = chain_active(c);
	void *buf = io_buf(BS);
	struct dm_chain_sb sb;
	u64 was;

	disk_read_sb(e, &sb);
	was = sb.generation;
	sb.generation = S64_MAX;
	disk_write_sb(e, &sb);
	chain_open(c);
	kmsg_mark();
	ct_check(io_do(c->fd, IO_WRITE, 0, BS, buf), "a write is taken");
	ct_check(strstr(kmsg_read(), "generation 9223372036854775807"),
		 "the log does not say why");
	ct_check(io_do(c->fd, IO_DISCARD, 0, BS, NULL), "a discard is taken");
	verify_view(c);
	chain_close(c);
	disk_read_sb(e, &sb);
	ct_check(sb.generation == S64_MAX, "the generation is %llu", sb.generation);
	sb.generation = was;
	disk_write_sb(e, &sb);
	chain_open(c);
	chain_fill(c, 10);
	verify_all(c);
	chain_close(c);
	free(buf);
}

/* An unknown compatible feature is nobody's business; who writes clears it. */
static void compat(void)
{
	struct chain *c = closed_chain();
	struct layer *e = chain_active(c);
	struct dm_chain_disk_super *page = io_buf(PAGE);
	struct dm_chain_sb sb;
	unsigned int slot;

	for (slot = 0; slot < 2; slot++) {
		slice_read(e->meta, dm_chain_sb_offset(slot), page, PAGE);
		page->compat = cpu_to_le32(0x80);
		seal(page);
		slice_write(e->meta, dm_chain_sb_offset(slot), page, PAGE);
	}
	disk_read_sb(e, &sb);
	ct_check(sb.compat == 0x80, "the feature was not set");
	chain_open(c);
	chain_fill(c, 10);
	verify_all(c);
	chain_close(c);
	disk_read_sb(e, &sb);
	ct_check(!sb.compat, "an unknown compatible feature outlived a writer");
}

const struct scenario badmeta_scenarios[] = {
	{ "badinput", "superblocks", superblocks },
	{ "badinput", "torn-superblocks", torn_superblocks },
	{ "badinput", "map-pages", map_pages },
	{ "badinput", "directory-pages", directory_pages },
	{ "badinput", "torn-page-of-an-unclean-layer", torn_page },
	{ "badinput", "needs-check", needs_check },
	{ "badinput", "last-generation", last_generation },
	{ "badinput", "unknown-ro-compat-feature", ro_compat },
	{ "badinput", "unknown-compat-feature", compat },
	{ }
};
