// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the superblock: a good one is changed in both slots, with checksums
 * that are right or not. What is read of it must be what lies there, must be
 * within what the format allows and must be written the same again; and the slot
 * that is taken must be the one that the rules name.
 */
#include <linux/errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "edit.h"
#include "sample.h"

/* Superblocks to begin with. */
static void base_super(struct dm_chain_sb *sb, u32 which)
{
	if (which & 1)
		sample_full(sb);
	else
		sample_minimal(sb);
	switch (which >> 1) {
	case 1:
		sb->backing.kind = DM_CHAIN_BACKING_RAW;
		sb->backing.size = GIB;
		sb->backing.generation = 0;
		memset(sb->backing.uuid, 0, DM_CHAIN_UUID_LEN);
		break;
	case 2:
		sb->job.flags |= DM_CHAIN_JOB_F_RAW_BOTTOM;
		memset(sb->job.bottom_uuid, 0, DM_CHAIN_UUID_LEN);
		break;
	case 3:
		sb->block_size = DM_CHAIN_MAX_BLOCK;
		sb->flags = DM_CHAIN_F_CLEAN;
		break;
	}
}

/* Strings end with their fields, and what is behind the end counts for nothing. */
static void must_be_text(const void *page, u16 offset, u16 width,
			 const char *text)
{
	const char *at = (const char *)page + offset;

	must(strnlen(text, width) < width, "no end at byte %u", offset);
	must(!strcmp(text, at), "'%s' at byte %u", text, offset);
}

#define SUPER_OFFSET(member)	offsetof(struct dm_chain_disk_super, member)

#define must_be_number(page, sb, member) \
	must(sample_get(page, SUPER_OFFSET(member), sizeof((sb)->member)) == \
	     (sb)->member, "%llu", (u64)(sb)->member)

#define must_be_uuid(page, sb, member) \
	must(!memcmp((const u8 *)(page) + SUPER_OFFSET(member), (sb)->member, \
		     DM_CHAIN_UUID_LEN), "another UUID")

#define must_be_string(page, sb, member) \
	must_be_text(page, SUPER_OFFSET(member), sizeof((sb)->member), \
		     (sb)->member)

static void must_be_job(const void *page, const struct dm_chain_sb *sb)
{
	must_be_number(page, sb, job.flags);
	must_be_string(page, sb, job.id);
	must_be_uuid(page, sb, job.top_uuid);
	must_be_uuid(page, sb, job.bottom_uuid);
	must_be_number(page, sb, job.speed);
	must_be_number(page, sb, job.floor);
	must_be_number(page, sb, job.ceiling);
	must_be_number(page, sb, job.cursor);
	must_be_number(page, sb, job.copied);
	must_be_number(page, sb, job.zeroed);
	must_be_number(page, sb, job.skipped);
	must_be_number(page, sb, job.started);
	must_be_number(page, sb, job.on_error);
	must_be_number(page, sb, job.error);
	must_be_number(page, sb, job.io_status);
}

static void must_be_result(const void *page, const struct dm_chain_sb *sb)
{
	must_be_number(page, sb, result.status);
	must_be_string(page, sb, result.id);
	must_be_string(page, sb, result.base);
	must_be_number(page, sb, result.len);
	must_be_number(page, sb, result.offset);
	must_be_number(page, sb, result.copied);
	must_be_number(page, sb, result.zeroed);
	must_be_number(page, sb, result.skipped);
	must_be_number(page, sb, result.speed);
	must_be_number(page, sb, result.started);
	must_be_number(page, sb, result.finished);
	must_be_number(page, sb, result.error);
}

/* What was read is what lies there. */
static void must_be_page(const void *page, const struct dm_chain_sb *sb)
{
	must(sample_get(page, SUPER_OFFSET(head.seq), 8) == sb->seq, "sequence");
	must_be_number(page, sb, ro_compat);
	must_be_number(page, sb, incompat);
	must_be_number(page, sb, flags);
	must_be_uuid(page, sb, uuid);
	must_be_string(page, sb, name);
	must_be_number(page, sb, block_size);
	must_be_number(page, sb, size);
	must_be_number(page, sb, max_size);
	must_be_number(page, sb, data_offset);
	must_be_number(page, sb, generation);
	must_be_uuid(page, sb, overlay_uuid);
	must_be_number(page, sb, data_size);
	must_be_string(page, sb, data_path);
	must_be_number(page, sb, backing.kind);
	must_be_uuid(page, sb, backing.uuid);
	must_be_number(page, sb, backing.size);
	must_be_number(page, sb, backing.generation);
	must_be_string(page, sb, backing.path);
	must_be_number(page, sb, job.type);
	if (sb->job.type)
		must_be_job(page, sb);
	must_be_number(page, sb, result.type);
	if (sb->result.type)
		must_be_result(page, sb);
}

/* What those who use a layer take for granted. */
static void check_promises(const struct dm_chain_sb *sb)
{
	u64 blocks = sb->max_size / sb->block_size + !!(sb->max_size % sb->block_size);
	struct dm_chain_geometry geo;

	must(sb->size && sb->size <= sb->max_size, "%llu of %llu", sb->size, sb->max_size);
	must(!((sb->size | sb->max_size) % 512), "half a sector");
	must(!(sb->block_size & (sb->block_size - 1)) && sb->block_size >= 4096 &&
	     sb->block_size <= MIB, "block size %u", sb->block_size);
	must(sb->flags < 8 && !sb->incompat, "flags %#x", sb->flags);
	must(sb->generation && !(sb->generation >> 63), "generation %llu", sb->generation);
	must(sb->job.cursor <= sb->size, "cursor %llu", sb->job.cursor);
	must(sb->result.offset <= sb->result.len, "offset %llu", sb->result.offset);

	must(!dm_chain_geometry_init(&geo, sb->block_size, sb->max_size, NULL),
	     "no geometry");
	must(geo.blocks == blocks, "%llu and %llu blocks", geo.blocks, blocks);
	must((u64)geo.map_pages * 16128 >= blocks &&
	     (u64)(geo.map_pages - 1) * 16128 < blocks, "%u pages", geo.map_pages);
	must((u64)geo.dir_pages * 32256 >= geo.map_pages &&
	     (u64)(geo.dir_pages - 1) * 32256 < geo.map_pages, "%u pages", geo.dir_pages);
	must(geo.area[0] >= 192 * KIB, "area A at %llu", geo.area[0]);
	must(dm_chain_map_offset(&geo, 0, geo.map_pages) + 64 * KIB <= geo.area[1],
	     "area B at %llu", geo.area[1]);
	must(dm_chain_map_offset(&geo, 1, geo.map_pages) == geo.end, "the end");
	must(geo.end <= geo.data_offset && !(geo.data_offset % MIB), "data at %llu",
	     geo.data_offset);
	must(!sb->data_offset || sb->data_offset >= geo.end, "data in the metadata");
	must(sb->data_offset + sb->max_size <= S64_MAX, "data at %llu", sb->data_offset);
}

/* Written and read again it is the same, to the last byte. */
static void check_round_trip(const struct dm_chain_sb *sb)
{
	u8 *page = malloc(DM_CHAIN_PAGE_SIZE), *again = malloc(DM_CHAIN_PAGE_SIZE);
	struct dm_chain_sb other;
	struct dm_chain_why why;

	must(page && again, "no memory");
	must(!dm_chain_sb_check(sb, NULL), "it does not pass a second time");
	memset(page, 0x5a, DM_CHAIN_PAGE_SIZE);
	dm_chain_sb_encode(page, sb);
	must(edit_crc_right(page), "a wrong checksum");
	fuzz_why(&why);
	must(!dm_chain_sb_decode(page, &other, &why), "%.384s", why.text);
	must_be_page(page, sb);
	must_be_page(page, &other);
	must(!other.compat, "compat %#x", other.compat);
	dm_chain_sb_encode(again, &other);
	must(!memcmp(page, again, DM_CHAIN_PAGE_SIZE), "another page");
	free(page);
	free(again);
}

/* A byte that is not what it was is found. */
static void check_bit(struct input *in, const u8 *page)
{
	u32 at = 8 + take_below(in, DM_CHAIN_PAGE_SIZE - 8);
	u8 *copy = malloc(DM_CHAIN_PAGE_SIZE);
	struct dm_chain_sb sb;

	must(copy, "no memory");
	memcpy(copy, page, DM_CHAIN_PAGE_SIZE);
	copy[at] ^= 1U << take_below(in, 8);
	must(dm_chain_sb_decode(copy, &sb, NULL) == -EBADMSG, "byte %u", at);
	free(copy);
}

static PLAIN bool is_zero(const u8 *page)
{
	unsigned int i;

	for (i = 0; i < DM_CHAIN_PAGE_SIZE; i++)
		if (page[i])
			return false;
	return true;
}

/* Return: what dm_chain_sb_decode() says. */
static int check_slot(struct input *in, const u8 *page)
{
	bool ours = !memcmp(page, "DM-CHAIN", 8), right = edit_crc_right(page);
	enum dm_chain_slot_kind kind = dm_chain_slot_classify(page, DM_CHAIN_SB_MAGIC);
	u8 *before = malloc(DM_CHAIN_PAGE_SIZE);
	struct dm_chain_why why;
	struct dm_chain_sb sb;
	int err;

	must(before, "no memory");
	memcpy(before, page, DM_CHAIN_PAGE_SIZE);
	must((kind == DM_CHAIN_SLOT_GOOD) == (ours && right) &&
	     (kind == DM_CHAIN_SLOT_TORN) == (ours && !right) &&
	     (kind == DM_CHAIN_SLOT_ZERO) == is_zero(page), "kind %u", kind);
	fuzz_why(&why);
	err = dm_chain_sb_decode(page, &sb, &why);
	must(!memcmp(before, page, DM_CHAIN_PAGE_SIZE), "the page was changed");
	free(before);
	switch (err) {
	case 0:
		must(ours && right, "a page that is none");
		must_be_page(page, &sb);
		check_promises(&sb);
		check_round_trip(&sb);
		check_bit(in, page);
		return 0;
	case -ENODATA:
		must(!ours, "ours");
		break;
	case -EBADMSG:
		must(ours && !right, "the checksum is right");
		break;
	case -EINVAL:
		must(ours && right, "no reason to look at fields");
		break;
	case -EOPNOTSUPP:
		must(sample_get(page, SUPER_OFFSET(head.version), 4) > 1 ||
		     sample_get(page, SUPER_OFFSET(incompat), 4), "of today");
		break;
	default:
		must(false, "error %d", err);
	}
	must_say_why(&why);
	return err;
}

/* The newer of two good ones; one that is not counts as not there. */
static int expected_slot(const u8 *page[2])
{
	bool good[2];
	int i;

	for (i = 0; i < 2; i++)
		good[i] = !memcmp(page[i], "DM-CHAIN", 8) && edit_crc_right(page[i]);
	if (good[0] && good[1])
		return sample_get(page[1], 16, 8) > sample_get(page[0], 16, 8);
	return good[0] ? 0 : good[1] ? 1 : -1;
}

static void check_pick(const u8 *page[2], const int err[2])
{
	int expected = expected_slot(page), ret;
	struct dm_chain_sb sb, other;
	struct dm_chain_why why;
	unsigned int slot = 7;

	fuzz_why(&why);
	ret = dm_chain_sb_pick((const void **)page, &sb, &slot, &why);
	if (expected < 0) {
		must(ret == -ENODATA || ret == -EBADMSG, "error %d", ret);
		must((ret == -ENODATA) == (err[0] == -ENODATA && err[1] == -ENODATA),
		     "error %d of %d and %d", ret, err[0], err[1]);
	} else {
		must(ret == err[expected], "error %d, not %d", ret, err[expected]);
	}
	if (ret) {
		must_say_why(&why);
		return;
	}
	must(slot == expected, "slot %u, not %d", slot, expected);
	must(!dm_chain_sb_decode(page[slot], &other, NULL), "error");
	must(!memcmp(&sb, &other, sizeof(sb)), "another superblock");
}

#define RESEAL	1	/* of slot A; twice as much is of slot B */
#define SAME	4	/* slot B is a copy of slot A as it is in the end */
#define NEWER	8	/* slot B has the next sequence number */
#define NO_B	16	/* slot B was never written */

void fuzz_one(struct input *in)
{
	u8 *page[2] = { malloc(DM_CHAIN_PAGE_SIZE), malloc(DM_CHAIN_PAGE_SIZE) };
	u8 flags = take(in, 1);
	struct dm_chain_sb sb;
	int err[2], i, n;

	must(page[0] && page[1], "no memory");
	base_super(&sb, take_below(in, 8));
	for (i = 0; i < 2; i++) {
		dm_chain_sb_encode(page[i], &sb);
		sb.seq += !!(flags & NEWER);
	}
	for (i = 0; i < 2; i++) {
		for (n = take_below(in, 8); n; n--)
			edit_page(in, page[i], super_fields, nr_super_fields);
		if (flags & (RESEAL << i))
			sample_reseal(page[i]);
	}
	if (flags & SAME)
		memcpy(page[1], page[0], DM_CHAIN_PAGE_SIZE);
	if (flags & NO_B)
		memset(page[1], 0, DM_CHAIN_PAGE_SIZE);
	for (i = 0; i < 2; i++)
		err[i] = check_slot(in, page[i]);
	check_pick((const u8 **)page, err);
	free(page[0]);
	free(page[1]);
}
