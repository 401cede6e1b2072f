/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: the metadata codec. Pure: no I/O, no allocation, no sleeping; the
 * module, the tools, KUnit and the user-space tests all use this one.
 *
 * "Decoded" structures are in host byte order, sizes and offsets in bytes.
 */
#ifndef DM_CHAIN_CODEC_H
#define DM_CHAIN_CODEC_H

#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>

#include "dm-chain-format.h"
#include "dm-chain-why.h"

/* Decoded superblock parts; the fields are those of dm-chain-format.h. */
struct dm_chain_backing {
	u32 kind;			/* enum dm_chain_backing_kind */
	u8 uuid[DM_CHAIN_UUID_LEN];
	u64 size;
	u64 generation;
	char path[DM_CHAIN_PATH_LEN];
};

struct dm_chain_job_record {
	u32 type;			/* enum dm_chain_job_type */
	u32 flags;			/* DM_CHAIN_JOB_F_* */
	char id[DM_CHAIN_NAME_LEN];
	u8 top_uuid[DM_CHAIN_UUID_LEN];
	u8 bottom_uuid[DM_CHAIN_UUID_LEN];
	u64 speed;
	u64 floor;
	u64 ceiling;
	u64 cursor;
	u64 copied;
	u64 zeroed;
	u64 skipped;
	u64 started;
	u32 on_error;
	u32 error;
	u32 io_status;
};

struct dm_chain_job_result {
	u32 type;			/* enum dm_chain_job_type */
	u32 status;			/* enum dm_chain_result_status */
	char id[DM_CHAIN_NAME_LEN];
	char base[DM_CHAIN_NAME_LEN];
	u64 len;
	u64 offset;
	u64 copied;
	u64 zeroed;
	u64 skipped;
	u64 speed;
	u64 started;
	u64 finished;
	u32 error;
};

struct dm_chain_sb {
	u64 seq;
	u32 compat;
	u32 ro_compat;
	u32 incompat;
	u32 flags;			/* DM_CHAIN_F_* */
	u8 uuid[DM_CHAIN_UUID_LEN];
	char name[DM_CHAIN_NAME_LEN];
	u32 block_size;
	u64 size;
	u64 max_size;
	u64 data_offset;
	u64 generation;
	u8 overlay_uuid[DM_CHAIN_UUID_LEN];
	u64 data_size;
	char data_path[DM_CHAIN_PATH_LEN];
	struct dm_chain_backing backing;
	struct dm_chain_job_record job;
	struct dm_chain_job_result result;
};

/**
 * struct dm_chain_geometry - where everything lies on the metadata device
 * @blocks: blocks that the map has room for (max_size rounded up)
 * @map_pages: map pages for @blocks
 * @dir_pages: directory pages for @map_pages
 * @area: offset of each slot area, bytes; the directory pages come first
 * @end: end of the metadata, bytes
 * @data_offset: @end rounded up to 1 MiB: where inline data begins, bytes
 */
struct dm_chain_geometry {
	u64 blocks;
	u32 map_pages;
	u32 dir_pages;
	u64 area[2];
	u64 end;
	u64 data_offset;
};

/**
 * dm_chain_geometry_init() - lay out the metadata area
 * @geo: filled in
 * @block_size: bytes, a valid block size
 * @max_size: bytes, a multiple of 512, not 0
 * @why: gets the reason of a refusal
 *
 * Return: 0 or -EINVAL (too many map pages).
 */
int dm_chain_geometry_init(struct dm_chain_geometry *geo, u32 block_size,
			   u64 max_size, struct dm_chain_why *why);

/* Offsets on the metadata device, bytes. @slot is 0 (A) or 1 (B). */
static inline u64 dm_chain_sb_offset(unsigned int slot)
{
	return slot ? DM_CHAIN_SB_OFFSET_B : DM_CHAIN_SB_OFFSET_A;
}

static inline u64 dm_chain_dir_offset(const struct dm_chain_geometry *geo,
				      unsigned int slot, u32 index)
{
	return geo->area[slot] + (u64)index * DM_CHAIN_PAGE_SIZE;
}

static inline u64 dm_chain_map_offset(const struct dm_chain_geometry *geo,
				      unsigned int slot, u32 index)
{
	return geo->area[slot] +
	       ((u64)geo->dir_pages + index) * DM_CHAIN_PAGE_SIZE;
}

bool dm_chain_name_valid(const char *name);
bool dm_chain_path_valid(const char *path);
bool dm_chain_block_size_valid(u64 bytes);
bool dm_chain_uuid_is_null(const u8 *uuid);

static inline bool dm_chain_uuid_equal(const u8 *a, const u8 *b)
{
	return !memcmp(a, b, DM_CHAIN_UUID_LEN);
}

/* Standard text form of a UUID: 36 characters and a NUL. */
#define DM_CHAIN_UUID_TEXT	37
void dm_chain_uuid_format(const u8 *uuid, char *text);
/* Return: true if @text (exactly 36 characters) was a UUID. */
bool dm_chain_uuid_parse(const char *text, u8 *uuid);

/**
 * enum dm_chain_slot_kind - what a slot was found to hold
 * @DM_CHAIN_SLOT_ZERO: nothing but zeros: never written
 * @DM_CHAIN_SLOT_FOREIGN: no magic of ours: something else, or torn
 * @DM_CHAIN_SLOT_TORN: our magic, a wrong checksum
 * @DM_CHAIN_SLOT_GOOD: checksum right
 */
enum dm_chain_slot_kind {
	DM_CHAIN_SLOT_ZERO,
	DM_CHAIN_SLOT_FOREIGN,
	DM_CHAIN_SLOT_TORN,
	DM_CHAIN_SLOT_GOOD,
};

/* Classify one 4 KiB slot by @magic (8 bytes) and its checksum. */
enum dm_chain_slot_kind dm_chain_slot_classify(const void *page,
					       const char *magic);

/* In words: "nothing but zeros", "a wrong checksum". */
const char *dm_chain_slot_text(enum dm_chain_slot_kind kind);

/**
 * dm_chain_head_seal() - fill in the common head of a page, its checksum last
 * @page: 4 KiB, everything behind the head already there
 * @magic: 8 bytes
 * @seq: sequence number
 */
void dm_chain_head_seal(void *page, const char *magic, u64 seq);

static inline u64 dm_chain_page_seq(const void *page)
{
	const struct dm_chain_disk_head *head = page;

	return le64_to_cpu(head->seq);
}

/*
 * A page with such a sequence number was not written by a layer's use: nothing
 * can write that often. The next number of a page has to be higher.
 */
#define DM_CHAIN_SEQ_END	(1ULL << 63)

/* The same of a superblock's generation, which is raised only. */
#define DM_CHAIN_GENERATION_END	(1ULL << 63)

/**
 * dm_chain_seq_check() - can a page that was read be written again?
 * @magic: of the page's kind
 * @index: of the page among its kind
 * @seq: its sequence number, of the slot that counts
 * @why: gets the reason of a refusal
 *
 * Return: 0 or -EBADMSG.
 */
int dm_chain_seq_check(const char *magic, u32 index, u64 seq,
		       struct dm_chain_why *why);

/**
 * dm_chain_sb_check() - check every field that the format restricts
 * @sb: what is to be written, or has been read
 * @why: gets the reason of a refusal
 *
 * What this passes can be encoded and is read back the same, except for a job
 * or result of type none (all zeros) and unknown compat bits (cleared).
 *
 * Return: 0, -EINVAL or, for unknown incompat features, -EOPNOTSUPP.
 */
int dm_chain_sb_check(const struct dm_chain_sb *sb, struct dm_chain_why *why);

/**
 * dm_chain_sb_encode() - write a superblock into a 4 KiB page
 * @page: the page; every byte is written
 * @sb: what to write; @sb->seq goes into the page
 */
void dm_chain_sb_encode(void *page, const struct dm_chain_sb *sb);

/**
 * dm_chain_sb_decode() - read one superblock slot
 * @page: the 4 KiB page
 * @sb: filled in on success
 * @why: gets the reason of a refusal
 *
 * Everything that the format rules out is refused here: nothing behind this
 * function needs to distrust a field.
 *
 * Return: 0; -ENODATA if the page holds no superblock of ours (zeros or
 * something else); -EBADMSG if the checksum is wrong; -EINVAL if a field is
 * out of range; -EOPNOTSUPP for a version or incompat feature from the future.
 */
int dm_chain_sb_decode(const void *page, struct dm_chain_sb *sb,
		       struct dm_chain_why *why);

/**
 * dm_chain_sb_pick() - choose between the two superblock slots
 * @page: the two pages
 * @sb: gets the newer valid one
 * @slot: gets its slot, 0 or 1
 * @why: gets the reason of a refusal
 *
 * A slot that fails its checksum was torn by a power cut: the other is taken.
 * One that reads well but cannot be used (future version, field out of range)
 * and is the newer is not passed over.
 *
 * Return: 0 or an error of dm_chain_sb_decode().
 */
int dm_chain_sb_pick(const void *page[2], struct dm_chain_sb *sb,
		     unsigned int *slot, struct dm_chain_why *why);

/**
 * dm_chain_page_seal() - fill in the header and checksum of a map or directory page
 * @page: the page, its payload already there
 * @magic: DM_CHAIN_MAP_MAGIC or DM_CHAIN_DIR_MAGIC
 * @uuid: the layer's
 * @index: of the page among its kind
 * @seq: commit number
 */
void dm_chain_page_seal(struct dm_chain_disk_page *page, const char *magic,
			const u8 *uuid, u32 index, u64 seq);

/**
 * dm_chain_page_pick() - choose between the two slots of a map or directory page
 * @page: the two pages
 * @magic: of their kind
 * @uuid: the layer's
 * @index: of the page
 * @clean: the superblock says that nothing can be torn
 * @slot: gets the slot of the newer valid page
 * @fell_back: set if the other slot was torn and has to be written again
 * @why: gets the reason of a refusal, with kind and index
 *
 * Map payloads are checked too: a block state of 3 is corruption.
 *
 * Return: 0; -EBADMSG if neither slot will do, or one is bad in a clean layer,
 * or a page with a good checksum belongs elsewhere.
 */
int dm_chain_page_pick(const struct dm_chain_disk_page *page[2],
		       const char *magic, const u8 *uuid, u32 index, bool clean,
		       unsigned int *slot, bool *fell_back,
		       struct dm_chain_why *why);

static inline enum dm_chain_state dm_chain_state_get(const u8 *payload, u32 n)
{
	return (payload[n / 4] >> (n % 4 * 2)) & 3;
}

static inline void dm_chain_state_set(u8 *payload, u32 n,
				      enum dm_chain_state state)
{
	unsigned int shift = n % 4 * 2;

	payload[n / 4] = (payload[n / 4] & ~(3 << shift)) | state << shift;
}

/**
 * dm_chain_state_run() - length of a run of blocks in one state
 * @payload: of a map page
 * @n: first block, within the page
 * @max: blocks to look at, at least 1; @n + @max does not pass the page's end
 *
 * Return: how many blocks from @n on share the state of @n, at most @max.
 */
u32 dm_chain_state_run(const u8 *payload, u32 n, u32 max);

/**
 * dm_chain_state_fill() - set a run of blocks to one state
 * @payload: of a map page
 * @n: first block, within the page
 * @count: how many; @n + @count does not pass the page's end
 * @state: their state
 */
void dm_chain_state_fill(u8 *payload, u32 n, u32 count,
			 enum dm_chain_state state);

/**
 * dm_chain_state_count() - count the blocks of a map page that are held
 * @payload: of a valid map page, aligned as a u64
 * @data: gets how many are data
 * @zero: gets how many are zero
 */
void dm_chain_state_count(const u8 *payload, u32 *data, u32 *zero);

static inline bool dm_chain_dir_get(const u8 *payload, u32 n)
{
	return payload[n / 8] & 1 << n % 8;
}

static inline void dm_chain_dir_set(u8 *payload, u32 n)
{
	payload[n / 8] |= 1 << n % 8;
}

#endif
