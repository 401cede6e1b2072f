// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the reader of streams: any bytes may be given to "apply". What it says of
 * them is written once more, and has to be the same bytes; what is refused says why;
 * records are where they belong. The checksums are made right, or nothing but a header
 * would be read.
 */
#include <linux/crc32c.h>
#include <linux/minmax.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "stream.h"

#define MOST	(64 * 1024)
#define HEAD	sizeof(struct stream_disk_header)
#define END	(sizeof(struct stream_disk_record) + sizeof(struct stream_disk_end))

/* What the input is made into: see make_bytes(). */
struct bytes {
	u8 at[MOST];
	size_t len;
};

static void add(struct bytes *b, const void *from, size_t len)
{
	len = min(len, sizeof(b->at) - b->len);
	memcpy(b->at + b->len, from, len);
	b->len += len;
}

static void take_bytes(struct input *in, void *to, size_t len)
{
	u8 *at = to;

	while (len--)
		*at++ = take(in, 1);
}

static void add_header(struct bytes *b, struct input *in)
{
	struct stream_disk_header disk = {
		.version = cpu_to_le32(STREAM_VERSION),
		.block_size = cpu_to_le32(4096 << take_below(in, 3)),
		.size = cpu_to_le64(take_below(in, 256) * 512),
		.uuid = { 1 },
		.generation = cpu_to_le64(1),
		.name = "E",
		.base_kind = cpu_to_le32(take_below(in, 4)),
	};
	u32 crc;

	memcpy(disk.magic, STREAM_MAGIC, sizeof(disk.magic));
	if (le32_to_cpu(disk.base_kind) >= DM_CHAIN_BACKING_RAW)
		disk.base_size = cpu_to_le64(4096);
	if (le32_to_cpu(disk.base_kind) == DM_CHAIN_BACKING_LAYER)
		disk.base_uuid[0] = 2;
	/* Anything else, somewhere. */
	if (take_below(in, 4) == 3) {
		u32 at = take_below(in, sizeof(disk) - 8);

		take_bytes(in, (u8 *)&disk + at, 1 + take_below(in, 8));
	}
	crc = ~crc32c(~0U, &disk.version, sizeof(disk) - 12);
	if (take_below(in, 16) != 15)
		disk.crc = cpu_to_le32(crc);
	add(b, &disk, sizeof(disk));
}

/* The next record, mostly as it has to be; false after the end. */
static bool add_record(struct bytes *b, struct input *in, u64 *next, u64 *count,
		       u32 *total)
{
	const struct stream_disk_header *header = (const void *)b->at;
	struct stream_disk_record disk = {
		.type = cpu_to_le32(take_below(in, 4)),
		.block = cpu_to_le64(*next),
		.count = cpu_to_le64(take_below(in, 16)),
	};
	u32 type = le32_to_cpu(disk.type), length = 0;
	u64 block_size = le32_to_cpu(header->block_size), start = *next * block_size;
	static u8 data[MOST];
	struct stream_disk_end end = { .crc = cpu_to_le32(~*total) };

	memcpy(disk.magic, STREAM_RECORD_MAGIC, sizeof(disk.magic));
	memset(data, take(in, 1), sizeof(data));
	if (type == STREAM_DATA && start < le64_to_cpu(header->size))
		length = min(min(le64_to_cpu(disk.count) * block_size,
				 le64_to_cpu(header->size) - start), (u64)sizeof(data));
	if (type == STREAM_END) {
		disk.count = 0;
		length = sizeof(end);
		for (type = 0; type < STREAM_END; type++)
			end.blocks[type] = cpu_to_le64(count[type]);
		end.records = cpu_to_le64(count[STREAM_END]);
		memcpy(data, &end, sizeof(end));
	}
	disk.length = cpu_to_le32(length);
	if (take_below(in, 16) == 15) {
		u32 at = take_below(in, sizeof(disk) + 40);

		if (at < sizeof(disk))
			((u8 *)&disk)[at] = take(in, 1);
		else
			data[at - sizeof(disk)] = take(in, 1);
	}
	if (take_below(in, 32) != 31)
		disk.crc = cpu_to_le32(~crc32c(crc32c(~0U, &disk, 28), data, length));
	add(b, &disk, sizeof(disk));
	add(b, data, length);
	if (le32_to_cpu(disk.type) >= STREAM_END)
		return false;
	*next += le64_to_cpu(disk.count);
	count[le32_to_cpu(disk.type)] += le64_to_cpu(disk.count);
	count[STREAM_END]++;
	*total = crc32c(*total, &disk, sizeof(disk));
	return true;
}

static void make_bytes(struct bytes *b, struct input *in)
{
	u64 next = 0, count[STREAM_END + 1] = { };
	u32 total;

	b->len = 0;
	add_header(b, in);
	total = crc32c(~0U, b->at, b->len);
	while (in->left && add_record(b, in, &next, count, &total))
		;
	/* It may end, and more may follow. */
	if (take_below(in, 8) == 7)
		b->len -= min(b->len, (size_t)take_below(in, 64));
	if (take_below(in, 8) == 7)
		add(b, "x", 1);
}

/* Read it, and write what was read. Return: it was complete. */
static bool copy(FILE *from, FILE *to)
{
	static struct stream_record record;
	struct stream in, out;
	struct dm_chain_why why;
	u64 blocks, next = 0;

	fuzz_why(&why);
	if (stream_open(&in, from, &why)) {
		must_say_why(&why);
		return false;
	}
	must(in.header.size && in.header.block_size >= DM_CHAIN_MIN_BLOCK, "size");
	must(!stream_create(&out, to, &in.header, &why), "create");
	blocks = stream_blocks(&in.header);
	for (;;) {
		if (stream_get(&in, &record, &why)) {
			must_say_why(&why);
			return false;
		}
		must(record.block == next, "block %llu, not %llu", record.block, next);
		if (record.type == STREAM_END)
			break;
		must(record.count && record.count <= blocks - next, "%llu blocks at %llu",
		     record.count, next);
		next += record.count;
		must(!stream_put(&out, record.type, record.count, record.data, &why), "put");
	}
	must(next == blocks, "it ends at %llu of %llu", next, blocks);
	must(!stream_end(&out, &why), "end");
	return true;
}

void fuzz_one(struct input *in)
{
	static struct bytes bytes;
	u8 *again = NULL;
	size_t len;
	FILE *from, *to;
	bool whole;

	make_bytes(&bytes, in);
	if (!bytes.len)
		return;
	from = fmemopen(bytes.at, bytes.len, "r");
	to = open_memstream((char **)&again, &len);
	must(from && to, "no memory");
	whole = copy(from, to);
	fclose(to);
	fclose(from);
	if (whole) {
		/* What has no name in the header is not kept; the end counts it. */
		must(len == bytes.len, "%zu bytes, not %zu", len, bytes.len);
		must(!memcmp(again + HEAD, bytes.at + HEAD, len - HEAD - END),
		     "the records are others");
	}
	free(again);
}
