/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: blocks of a layer as a stream of bytes, which "export" writes and
 * "apply" reads. Documentation/format-stream.rst describes it.
 */
#ifndef CHAINSETUP_STREAM_H
#define CHAINSETUP_STREAM_H

#include <stdio.h>

#include "dm-chain-codec.h"

#define STREAM_MAGIC		"DMC-STRM"
#define STREAM_RECORD_MAGIC	"DMCR"
#define STREAM_VERSION		1

/* A record has at most so many bytes of data: the size of the largest block. */
#define STREAM_MOST		DM_CHAIN_MAX_BLOCK

struct stream_disk_header {
	__u8	magic[8];
	__le32	crc;			/* of the bytes 12 to 511 */
	__le32	version;
	__le32	block_size;
	__le32	flags;			/* none is defined */
	__le64	size;
	__u8	uuid[DM_CHAIN_UUID_LEN];
	__le64	generation;
	__u8	name[DM_CHAIN_NAME_LEN];
	__le32	base_kind;		/* enum dm_chain_backing_kind */
	__le32	pad;
	__u8	base_uuid[DM_CHAIN_UUID_LEN];
	__le64	base_size;
	__le64	base_generation;
	__le64	created;		/* seconds since the epoch */
	__u8	reserved[344];
} __packed;

enum stream_type {
	STREAM_UNOWNED	= 0,
	STREAM_DATA	= 1,
	STREAM_ZERO	= 2,
	STREAM_END	= 3,
};

struct stream_disk_record {
	__u8	magic[4];
	__le32	type;			/* enum stream_type */
	__le64	block;			/* the first */
	__le64	count;			/* blocks */
	__le32	length;			/* bytes that follow */
	__le32	crc;			/* of the bytes 0 to 27 and those */
} __packed;

/* What follows the end's record. */
struct stream_disk_end {
	__le64	blocks[3];		/* of each enum stream_type */
	__le64	records;		/* before this one */
	__le32	crc;			/* of the header and their heads */
	__le32	pad;
} __packed;

static_assert(sizeof(struct stream_disk_header) == 512);
static_assert(sizeof(struct stream_disk_record) == 32);
static_assert(sizeof(struct stream_disk_end) == 40);

/**
 * struct stream_header - what a stream is about
 * @block_size: bytes
 * @size: of the layer, bytes
 * @uuid: of the layer whose view the blocks are taken from
 * @generation: its content generation
 * @name: its name
 * @base: what it rests on: without a path
 * @created: seconds since the epoch
 */
struct stream_header {
	u32 block_size;
	u64 size;
	u8 uuid[DM_CHAIN_UUID_LEN];
	u64 generation;
	char name[DM_CHAIN_NAME_LEN];
	struct dm_chain_backing base;
	u64 created;
};

/* Blocks of the layer, the last of which may be partial. */
static inline u64 stream_blocks(const struct stream_header *header)
{
	return header->size / header->block_size +
	       !!(header->size % header->block_size);
}

/**
 * struct stream - one that is being written or read
 * @file: where to or from
 * @header: what it is about
 * @next: the block that the next record begins with
 * @blocks: how many there were, of each enum stream_type
 * @records: how many there were
 * @crc: of the header and their heads, not inverted yet
 * @at: bytes so far
 */
struct stream {
	FILE *file;
	struct stream_header header;
	u64 next;
	u64 blocks[3];
	u64 records;
	u32 crc;
	u64 at;
};

/* Begin to write a stream to @file. */
int stream_create(struct stream *stream, FILE *file,
		  const struct stream_header *header,
		  struct dm_chain_why *why);

/**
 * stream_put() - write a record
 * @type: not STREAM_END
 * @count: blocks, from @stream->next on, at least 1
 * @data: STREAM_DATA only: their content, at most STREAM_MOST bytes
 */
int stream_put(struct stream *stream, enum stream_type type, u64 count,
	       const void *data, struct dm_chain_why *why);

/* Write the end. All blocks have been put. Nothing is left in a buffer. */
int stream_end(struct stream *stream, struct dm_chain_why *why);

/**
 * struct stream_record - one that was read
 * @type: STREAM_END only if all that came before is what was written
 * @block: the first
 * @count: blocks
 * @length: bytes of @data: less than @count blocks only at the layer's end
 * @data: content, overwritten by the next one
 */
struct stream_record {
	enum stream_type type;
	u64 block;
	u64 count;
	u32 length;
	u8 data[STREAM_MOST];
};

/**
 * stream_open() - read the header of a stream
 *
 * What it says is possible: nobody needs to distrust a field.
 *
 * Return: 0; -ENODATA if it is no stream; -EBADMSG if it is damaged or ends;
 * -EOPNOTSUPP if it is of a later version; the error of a read.
 */
int stream_open(struct stream *stream, FILE *file, struct dm_chain_why *why);

/**
 * stream_get() - read the next record
 * @record: gets it, checked: it is where it belongs
 *
 * After STREAM_END there is no more. Return: 0, -EBADMSG or the error of a read.
 */
int stream_get(struct stream *stream, struct stream_record *record,
	       struct dm_chain_why *why);

struct json_object;

/* Print what a whole stream is about, to the end of the line; or add it to @object. */
void stream_print(const struct stream *stream);
void stream_json(const struct stream *stream, struct json_object *object);

#endif
