// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what a slot with a wrong checksum held, see rebuild.h.
 *
 * The checksum of what was written is still there, most likely. What has that
 * checksum is what was written: the slot with one bit inverted (a bit that has
 * rotted), or with some sectors replaced by those of the other slot (a sector
 * that cannot be read, was lost or hit by something else), of which most are
 * alike, because a commit changes few bits of a page.
 */
#include <linux/bitops.h>
#include <linux/crc32c.h>
#include <linux/string.h>

#include "rebuild.h"

#define SECTOR		512
#define SECTORS		(DM_CHAIN_PAGE_SIZE / SECTOR)
#define POLYNOMIAL	0x82f63b78

/* The checksum covers what is behind it. */
#define COVERED		offsetof(struct dm_chain_disk_head, version)

static u32 page_crc(const u8 *page)
{
	return ~crc32c(~0U, page + COVERED, DM_CHAIN_PAGE_SIZE - COVERED);
}

static u32 stored_crc(const u8 *page)
{
	return le32_to_cpu(((const struct dm_chain_disk_head *)page)->crc);
}

/*
 * A checksum is linear: that of a page with one bit inverted differs by what
 * that bit alone adds. From the last bit backwards, each adds what the one
 * behind it does, shifted once more.
 */
static bool rebuild_bit(u8 *page)
{
	u32 sought = page_crc(page) ^ stored_crc(page), adds = POLYNOMIAL;
	u32 bit;

	for (bit = DM_CHAIN_PAGE_SIZE * 8; bit-- > COVERED * 8; ) {
		if (adds == sought) {
			page[bit / 8] ^= 1 << bit % 8;
			return true;
		}
		adds = adds >> 1 ^ (adds & 1 ? POLYNOMIAL : 0);
	}
	/* A bit of the checksum itself. */
	if (!sought || sought & (sought - 1))
		return false;
	((struct dm_chain_disk_head *)page)->crc = cpu_to_le32(page_crc(page));
	return true;
}

static unsigned int wrong_bits(const u8 *page, const char *magic)
{
	unsigned int i, bits = 0;

	for (i = 0; i < DM_CHAIN_MAGIC_LEN; i++)
		bits += hweight64(page[i] ^ (u8)magic[i]);
	return bits;
}

/*
 * The checksum does not cover the magic, so a page of another kind, written to
 * the wrong place, would pass for one that has lost its magic.
 */
static bool may_be(const u8 *page, const char *magic)
{
	static const char * const magics[] = {
		DM_CHAIN_SB_MAGIC, DM_CHAIN_DIR_MAGIC, DM_CHAIN_MAP_MAGIC,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(magics); i++)
		if (strcmp(magics[i], magic) &&
		    wrong_bits(page, magics[i]) <= wrong_bits(page, magic))
			return false;
	return true;
}

/* What is the same in every such page cannot be wrong. */
static void restore_constants(u8 *page, const char *magic, const u8 *uuid,
			      u32 index)
{
	struct dm_chain_disk_page *disk = (void *)page;

	memcpy(disk->head.magic, magic, DM_CHAIN_MAGIC_LEN);
	disk->head.version = cpu_to_le32(DM_CHAIN_VERSION);
	if (!uuid)
		return;
	disk->index = cpu_to_le64(index);
	memcpy(disk->uuid, uuid, sizeof(disk->uuid));
	memset(disk->pad, 0, sizeof(disk->pad));
}

/* Bit n of @set: sector n of @page comes from @other, the seq and crc never. */
static void mix(u8 *page, const u8 *bad, const u8 *other, u32 set)
{
	const size_t head = sizeof(struct dm_chain_disk_head);
	u32 i;

	for (i = 0; i < SECTORS; i++)
		memcpy(page + i * SECTOR,
		       (set & 1 << i ? other : bad) + i * SECTOR, SECTOR);
	memcpy(page, bad, head);
}

enum rebuilt rebuild_slot(void *page, const void *other, const char *magic,
			  const u8 *uuid, u32 index)
{
	u8 bad[DM_CHAIN_PAGE_SIZE], new[DM_CHAIN_PAGE_SIZE];
	u32 set;

	memcpy(bad, page, sizeof(bad));
	memcpy(new, page, sizeof(new));
	if (dm_chain_slot_classify(bad, magic) == DM_CHAIN_SLOT_TORN &&
	    rebuild_bit(new)) {
		memcpy(page, new, sizeof(new));
		return REBUILT_BIT;
	}
	if (!may_be(bad, magic))
		return REBUILT_NOT;
	for (set = 0; set < (other ? 1 << SECTORS : 1); set++) {
		mix(new, bad, other, set);
		restore_constants(new, magic, uuid, index);
		if (page_crc(new) != stored_crc(new))
			continue;
		memcpy(page, new, sizeof(new));
		return REBUILT_SECTORS;
	}
	return REBUILT_NOT;
}
