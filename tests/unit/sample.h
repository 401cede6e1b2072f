/* SPDX-License-Identifier: GPL-2.0 */
/* Superblocks that the unit tests begin with. */
#ifndef UNIT_SAMPLE_H
#define UNIT_SAMPLE_H

#include <linux/crc32c.h>
#include <linux/string.h>

#include "dm-chain-codec.h"

#define KIB	1024ULL
#define MIB	(1024 * KIB)
#define GIB	(1024 * MIB)
#define TIB	(1024 * GIB)

/* A UUID that is easily told from others: @n in every byte. */
static inline void sample_uuid(u8 *uuid, u8 n)
{
	memset(uuid, n, DM_CHAIN_UUID_LEN);
}

/* The least that a superblock has: a layer of 1 GiB that stands alone. */
static inline void sample_minimal(struct dm_chain_sb *sb)
{
	memset(sb, 0, sizeof(*sb));
	sb->seq = 1;
	sample_uuid(sb->uuid, 0x11);
	strscpy(sb->name, "E", sizeof(sb->name));
	sb->block_size = 4096;
	sb->size = GIB;
	sb->max_size = 4 * GIB;
	sb->generation = 1;
	sb->backing.kind = DM_CHAIN_BACKING_NONE;
}

/* All fields in use, each with a value of its own. */
static inline void sample_full(struct dm_chain_sb *sb)
{
	struct dm_chain_job_record *job = &sb->job;
	struct dm_chain_job_result *res = &sb->result;

	memset(sb, 0, sizeof(*sb));
	sb->seq = 0x0102030405060708ULL;
	sb->ro_compat = 0x80000001;
	sb->flags = DM_CHAIN_KNOWN_FLAGS;
	sample_uuid(sb->uuid, 0x11);
	strscpy(sb->name, "Layer_1.2+3-4", sizeof(sb->name));
	sb->block_size = 65536;
	sb->size = 10 * GIB + 512;
	sb->max_size = 40 * GIB + 1024;
	sb->data_offset = 17 * MIB;
	sb->generation = 0x1112131415161718ULL;
	sample_uuid(sb->overlay_uuid, 0x22);
	sb->data_size = 50 * GIB;
	strscpy(sb->data_path, "/dev/disk/by-id/data", sizeof(sb->data_path));

	sb->backing.kind = DM_CHAIN_BACKING_LAYER;
	sample_uuid(sb->backing.uuid, 0x33);
	sb->backing.size = 9 * GIB;
	sb->backing.generation = 0x2122232425262728ULL;
	strscpy(sb->backing.path, "/dev/vg/backing", sizeof(sb->backing.path));

	job->type = DM_CHAIN_JOB_STREAM;
	job->flags = DM_CHAIN_JOB_KNOWN_FLAGS & ~DM_CHAIN_JOB_F_RAW_BOTTOM;
	strscpy(job->id, "job-1", sizeof(job->id));
	sample_uuid(job->top_uuid, 0x11);
	sample_uuid(job->bottom_uuid, 0x44);
	job->speed = 0x3132333435363738ULL;
	job->floor = 0x4142434445464748ULL;
	job->ceiling = 0x5152535455565758ULL;
	job->cursor = 3 * GIB;
	job->copied = 0x6162636465666768ULL;
	job->zeroed = 0x7172737475767778ULL;
	job->skipped = 0x8182838485868788ULL;
	job->started = 0x9192939495969798ULL;
	job->on_error = 3;
	job->error = 28;
	job->io_status = DM_CHAIN_IO_NOSPACE;

	res->type = DM_CHAIN_JOB_STREAM;
	res->status = DM_CHAIN_RESULT_FAILED;
	strscpy(res->id, "job-0", sizeof(res->id));
	strscpy(res->base, "A", sizeof(res->base));
	res->len = 10 * GIB;
	res->offset = 7 * GIB;
	res->copied = 0xa1a2a3a4a5a6a7a8ULL;
	res->zeroed = 0xb1b2b3b4b5b6b7b8ULL;
	res->skipped = 0xc1c2c3c4c5c6c7c8ULL;
	res->speed = 0xd1d2d3d4d5d6d7d8ULL;
	res->started = 0xe1e2e3e4e5e6e7e8ULL;
	res->finished = 0xf1f2f3f4f5f6f7f8ULL;
	res->error = 5;
}

/* Little-endian integers of 1 to 8 bytes, whatever lies beside them. */
static inline void sample_put(void *page, unsigned int offset,
			      unsigned int width, u64 value)
{
	u8 *p = (u8 *)page + offset;

	for (; width; width--, value >>= 8)
		*p++ = value;
}

static inline u64 sample_get(const void *page, unsigned int offset,
			     unsigned int width)
{
	const u8 *p = (const u8 *)page + offset + width;
	u64 value = 0;

	for (; width; width--)
		value = value << 8 | *--p;
	return value;
}

/* The checksum as the document has it, written down once more. */
static inline void sample_reseal(void *page)
{
	sample_put(page, 8, 4, ~crc32c(~0U, (u8 *)page + 12, 4084));
}

#endif
