// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: names, the layout of the metadata area, map and directory pages.
 * See dm-chain-codec.h; the superblock is in dm-chain-super.c.
 */
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>
#include <linux/types.h>

#include "dm-chain-codec.h"

/* What the checksum covers begins behind it. */
#define CRC_START	(offsetof(struct dm_chain_disk_head, crc) + sizeof(__le32))

static_assert(CRC_START == 12);
static_assert(offsetof(struct dm_chain_disk_page, payload) == 64);
static_assert(DM_CHAIN_PAYLOAD % sizeof(u64) == 0);

int dm_chain_geometry_init(struct dm_chain_geometry *geo, u32 block_size,
			   u64 max_size, struct dm_chain_why *why)
{
	u64 pages, len;

	if (max_size > S64_MAX)
		return dm_chain_refuse(why, -EINVAL,
				       "the maximal size %llu is larger than any device",
				       max_size);

	geo->blocks = DIV_ROUND_UP_ULL(max_size, block_size);
	pages = DIV_ROUND_UP_ULL(geo->blocks, DM_CHAIN_BLOCKS_PER_PAGE);
	if (pages > U32_MAX)
		return dm_chain_refuse(why, -EINVAL,
				       "the maximal size %llu needs larger blocks than %u bytes: the map would have %llu pages, the format has room for %u",
				       max_size, block_size, pages, U32_MAX);

	geo->map_pages = pages;
	geo->dir_pages = DIV_ROUND_UP_ULL(pages, DM_CHAIN_PAGES_PER_DIR);

	len = (pages + geo->dir_pages) * DM_CHAIN_PAGE_SIZE;
	geo->area[0] = DM_CHAIN_AREA_A;
	geo->area[1] = round_up(geo->area[0] + len, DM_CHAIN_AREA_GAP) +
		       DM_CHAIN_AREA_GAP;
	geo->end = geo->area[1] + len;
	geo->data_offset = round_up(geo->end, DM_CHAIN_DATA_ALIGN);
	return 0;
}

static bool is_name_start(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

/**
 * dm_chain_name_valid() - is this the form of a layer's name or a job's id?
 * @name: NUL-terminated
 *
 * Return: true for 1 to 63 of [A-Za-z0-9_.+-] that begin with a letter, a
 * digit or '_', except for the reserved "zero".
 */
bool dm_chain_name_valid(const char *name)
{
	size_t i;

	if (!is_name_start(name[0]))
		return false;
	for (i = 1; name[i]; i++) {
		if (i == DM_CHAIN_NAME_LEN - 1)
			return false;
		if (!is_name_start(name[i]) && name[i] != '.' &&
		    name[i] != '+' && name[i] != '-')
			return false;
	}
	return strcmp(name, "zero") != 0;
}

/**
 * dm_chain_path_valid() - can a superblock hold this path?
 * @path: the first DM_CHAIN_PATH_LEN bytes are looked at, or fewer up to a NUL
 *
 * A path is bytes. What is no ASCII is in whatever encoding its user had, and not
 * for showing as it is: 0x80 to 0x9f may be control characters or parts of others.
 *
 * Return: true if there is a NUL, and no control character of ASCII before it.
 */
bool dm_chain_path_valid(const char *path)
{
	const u8 *c = (const u8 *)path;
	unsigned int i;

	for (i = 0; i < DM_CHAIN_PATH_LEN && c[i]; i++)
		if (c[i] < ' ' || c[i] == 0x7f)
			return false;
	return i < DM_CHAIN_PATH_LEN;
}

/**
 * dm_chain_block_size_valid() - is this a size that blocks can have?
 * @bytes: the size
 *
 * Return: true for powers of two from 4 KiB to 1 MiB.
 */
bool dm_chain_block_size_valid(u64 bytes)
{
	return bytes >= DM_CHAIN_MIN_BLOCK && bytes <= DM_CHAIN_MAX_BLOCK &&
	       !(bytes & (bytes - 1));
}

/**
 * dm_chain_uuid_is_null() - is a UUID all zeros, that is: none?
 * @uuid: 16 bytes
 */
bool dm_chain_uuid_is_null(const u8 *uuid)
{
	return !memchr_inv(uuid, 0, DM_CHAIN_UUID_LEN);
}

/* A '-' comes before these bytes of a UUID's text form. */
static bool uuid_dash_before(unsigned int byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

/**
 * dm_chain_uuid_format() - the text form of a UUID
 * @uuid: 16 bytes
 * @text: gets DM_CHAIN_UUID_TEXT characters, the NUL included
 */
void dm_chain_uuid_format(const u8 *uuid, char *text)
{
	static const char digits[] = "0123456789abcdef";
	unsigned int i;

	for (i = 0; i < DM_CHAIN_UUID_LEN; i++) {
		if (uuid_dash_before(i))
			*text++ = '-';
		*text++ = digits[uuid[i] >> 4];
		*text++ = digits[uuid[i] & 15];
	}
	*text = '\0';
}

/**
 * dm_chain_uuid_parse() - read the text form of a UUID
 * @text: NUL-terminated
 * @uuid: gets 16 bytes; not touched if @text is not a UUID
 *
 * Return: true if @text was a UUID and nothing else.
 */
bool dm_chain_uuid_parse(const char *text, u8 *uuid)
{
	u8 bytes[DM_CHAIN_UUID_LEN];
	unsigned int i;

	if (strnlen(text, DM_CHAIN_UUID_TEXT) != DM_CHAIN_UUID_TEXT - 1)
		return false;

	for (i = 0; i < DM_CHAIN_UUID_LEN; i++) {
		int hi, lo;

		if (uuid_dash_before(i) && *text++ != '-')
			return false;
		hi = hex_to_bin(*text++);
		lo = hex_to_bin(*text++);
		if (hi < 0 || lo < 0)
			return false;
		bytes[i] = hi << 4 | lo;
	}
	memcpy(uuid, bytes, sizeof(bytes));
	return true;
}

static u32 page_crc(const void *page)
{
	return crc32c(~0, (const u8 *)page + CRC_START,
		      DM_CHAIN_PAGE_SIZE - CRC_START) ^ ~0;
}

void dm_chain_head_seal(void *page, const char *magic, u64 seq)
{
	struct dm_chain_disk_head *head = page;

	memcpy(head->magic, magic, DM_CHAIN_MAGIC_LEN);
	head->version = cpu_to_le32(DM_CHAIN_VERSION);
	head->seq = cpu_to_le64(seq);
	head->crc = cpu_to_le32(page_crc(page));
}

enum dm_chain_slot_kind dm_chain_slot_classify(const void *page,
					       const char *magic)
{
	const struct dm_chain_disk_head *head = page;

	if (memcmp(head->magic, magic, DM_CHAIN_MAGIC_LEN))
		return memchr_inv(page, 0, DM_CHAIN_PAGE_SIZE) ?
		       DM_CHAIN_SLOT_FOREIGN : DM_CHAIN_SLOT_ZERO;
	if (le32_to_cpu(head->crc) != page_crc(page))
		return DM_CHAIN_SLOT_TORN;
	return DM_CHAIN_SLOT_GOOD;
}

const char *dm_chain_slot_text(enum dm_chain_slot_kind kind)
{
	switch (kind) {
	case DM_CHAIN_SLOT_ZERO:
		return "nothing but zeros";
	case DM_CHAIN_SLOT_FOREIGN:
		return "something else";
	case DM_CHAIN_SLOT_TORN:
		return "a wrong checksum";
	case DM_CHAIN_SLOT_GOOD:
		break;
	}
	return "a good page";
}

static char slot_letter(unsigned int slot)
{
	return 'A' + slot;
}

void dm_chain_page_seal(struct dm_chain_disk_page *page, const char *magic,
			const u8 *uuid, u32 index, u64 seq)
{
	page->index = cpu_to_le64(index);
	memcpy(page->uuid, uuid, sizeof(page->uuid));
	memset(page->pad, 0, sizeof(page->pad));
	dm_chain_head_seal(page, magic, seq);
}

static const char *page_kind(const char *magic)
{
	return memcmp(magic, DM_CHAIN_DIR_MAGIC, DM_CHAIN_MAGIC_LEN) ?
	       "map" : "directory";
}

int dm_chain_seq_check(const char *magic, u32 index, u64 seq,
		       struct dm_chain_why *why)
{
	if (seq < DM_CHAIN_SEQ_END)
		return 0;
	if (!memcmp(magic, DM_CHAIN_SB_MAGIC, DM_CHAIN_MAGIC_LEN))
		return dm_chain_refuse(why, -EBADMSG,
				       "superblock: the sequence number %llu leaves no room for others",
				       seq);
	return dm_chain_refuse(why, -EBADMSG,
			       "%s page %u: the sequence number %llu leaves no room for others",
			       page_kind(magic), index, seq);
}

/* The number of the first block in state 3, or DM_CHAIN_BLOCKS_PER_PAGE. */
static u32 first_bad_state(const u8 *payload)
{
	const u64 low = 0x5555555555555555ULL;
	u32 i, n;
	u64 word;

	for (i = 0; i < DM_CHAIN_PAYLOAD; i += sizeof(word)) {
		memcpy(&word, payload + i, sizeof(word));
		if (!(word & (word >> 1) & low))
			continue;
		for (n = i * 4; ; n++)
			if (dm_chain_state_get(payload, n) == DM_CHAIN_BAD_STATE)
				return n;
	}
	return DM_CHAIN_BLOCKS_PER_PAGE;
}

/* A page whose checksum is right: is it what we would have written there? */
static int page_check(const struct dm_chain_disk_page *page, const char *magic,
		      const u8 *uuid, u32 index, unsigned int slot,
		      struct dm_chain_why *why)
{
	u32 version = le32_to_cpu(page->head.version);
	u32 n;

	if (version != DM_CHAIN_VERSION)
		return dm_chain_refuse(why, -EBADMSG,
				       "%s page %u, slot %c: format version %u in a layer of version %u",
				       page_kind(magic), index,
				       slot_letter(slot), version,
				       DM_CHAIN_VERSION);
	if (!dm_chain_uuid_equal(page->uuid, uuid)) {
		char ours[DM_CHAIN_UUID_TEXT], found[DM_CHAIN_UUID_TEXT];

		dm_chain_uuid_format(uuid, ours);
		dm_chain_uuid_format(page->uuid, found);
		return dm_chain_refuse(why, -EBADMSG,
				       "%s page %u, slot %c belongs to layer %s, this is layer %s",
				       page_kind(magic), index,
				       slot_letter(slot), found, ours);
	}
	if (le64_to_cpu(page->index) != index)
		return dm_chain_refuse(why, -EBADMSG,
				       "%s page %u, slot %c carries index %llu",
				       page_kind(magic), index,
				       slot_letter(slot),
				       le64_to_cpu(page->index));

	if (!memcmp(magic, DM_CHAIN_DIR_MAGIC, DM_CHAIN_MAGIC_LEN))
		return 0;
	n = first_bad_state(page->payload);
	if (n < DM_CHAIN_BLOCKS_PER_PAGE)
		return dm_chain_refuse(why, -EBADMSG,
				       "map page %u, slot %c: block %llu is in the impossible state 3",
				       index, slot_letter(slot),
				       (u64)index * DM_CHAIN_BLOCKS_PER_PAGE + n);
	return 0;
}

int dm_chain_page_pick(const struct dm_chain_disk_page *page[2],
		       const char *magic, const u8 *uuid, u32 index, bool clean,
		       unsigned int *slot, bool *fell_back,
		       struct dm_chain_why *why)
{
	enum dm_chain_slot_kind kind[2];
	bool good[2];
	unsigned int i;
	int r;

	for (i = 0; i < 2; i++) {
		kind[i] = dm_chain_slot_classify(page[i], magic);
		good[i] = kind[i] == DM_CHAIN_SLOT_GOOD;
		if (!good[i])
			continue;
		r = page_check(page[i], magic, uuid, index, i, why);
		if (r)
			return r;
	}

	if (!good[0] && !good[1])
		return dm_chain_refuse(why, -EBADMSG,
				       "%s page %u: slot A holds %s, slot B %s",
				       page_kind(magic), index,
				       dm_chain_slot_text(kind[0]), dm_chain_slot_text(kind[1]));
	if (clean && !(good[0] && good[1]))
		return dm_chain_refuse(why, -EBADMSG,
				       "%s page %u: slot %c holds %s, though the layer was closed cleanly",
				       page_kind(magic), index,
				       slot_letter(good[0]),
				       dm_chain_slot_text(kind[good[0]]));

	*fell_back = !(good[0] && good[1]);
	if (*fell_back)
		*slot = good[1];
	else
		*slot = dm_chain_page_seq(page[1]) > dm_chain_page_seq(page[0]);
	return 0;
}

u32 dm_chain_state_run(const u8 *payload, u32 n, u32 max)
{
	enum dm_chain_state state = dm_chain_state_get(payload, n);
	const u64 same = state * 0x5555555555555555ULL;
	u32 run = 1;
	u64 word;

	while (run < max) {
		u32 next = n + run;

		if (next % 32 == 0 && max - run >= 32) {
			memcpy(&word, payload + next / 4, sizeof(word));
			if (word == same) {
				run += 32;
				continue;
			}
		}
		if (next % 4 == 0 && max - run >= 4 &&
		    payload[next / 4] == (u8)same)
			run += 4;
		else if (dm_chain_state_get(payload, next) == state)
			run++;
		else
			break;
	}
	return run;
}

void dm_chain_state_fill(u8 *payload, u32 n, u32 count,
			 enum dm_chain_state state)
{
	u32 end = n + count;

	while (n < end && n % 4)
		dm_chain_state_set(payload, n++, state);
	memset(payload + n / 4, state * 0x55, (end - n) / 4);
	n += round_down(end - n, 4);
	while (n < end)
		dm_chain_state_set(payload, n++, state);
}

void dm_chain_state_count(const u8 *payload, u32 *data, u32 *zero)
{
	const u64 *word = (const u64 *)payload;
	const u64 low = 0x5555555555555555ULL;
	u32 i;

	static_assert(DM_CHAIN_DATA == 1 && DM_CHAIN_ZERO == 2);
	*data = 0;
	*zero = 0;
	/* The order of bytes does not matter to a sum. */
	for (i = 0; i < DM_CHAIN_PAYLOAD / sizeof(*word); i++) {
		if (!word[i])
			continue;
		*data += hweight64(word[i] & low);
		*zero += hweight64(word[i] & ~low);
	}
}
