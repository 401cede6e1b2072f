// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: blocks of a layer as a stream of bytes, see stream.h.
 */
#include <errno.h>
#include <linux/crc32c.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <unistd.h>

#include "stream.h"

#define HEADER_COVERED	offsetof(struct stream_disk_header, version)
#define RECORD_COVERED	offsetof(struct stream_disk_record, crc)

static u32 header_crc(const struct stream_disk_header *disk)
{
	return ~crc32c(~0U, (const u8 *)disk + HEADER_COVERED,
		       sizeof(*disk) - HEADER_COVERED);
}

static u32 record_crc(const struct stream_disk_record *disk, const void *data)
{
	u32 crc = crc32c(~0U, disk, RECORD_COVERED);

	return ~crc32c(crc, data, le32_to_cpu(disk->length));
}

static int put_bytes(struct stream *stream, const void *buf, size_t len,
		     struct dm_chain_why *why)
{
	/* Without bytes there may be no buffer either. */
	if (len && fwrite(buf, len, 1, stream->file) != 1)
		return dm_chain_refuse(why, -errno, "the stream cannot be written: %s",
				       strerror(errno));
	stream->at += len;
	return 0;
}

int stream_create(struct stream *stream, FILE *file,
		  const struct stream_header *header, struct dm_chain_why *why)
{
	struct stream_disk_header disk = {
		.version = cpu_to_le32(STREAM_VERSION),
		.block_size = cpu_to_le32(header->block_size),
		.size = cpu_to_le64(header->size),
		.generation = cpu_to_le64(header->generation),
		.base_kind = cpu_to_le32(header->base.kind),
		.base_size = cpu_to_le64(header->base.size),
		.base_generation = cpu_to_le64(header->base.generation),
		.created = cpu_to_le64(header->created),
	};

	*stream = (struct stream) { .file = file, .header = *header };
	memcpy(disk.magic, STREAM_MAGIC, sizeof(disk.magic));
	memcpy(disk.uuid, header->uuid, sizeof(disk.uuid));
	memcpy(disk.base_uuid, header->base.uuid, sizeof(disk.base_uuid));
	strscpy((char *)disk.name, header->name, sizeof(disk.name));
	disk.crc = cpu_to_le32(header_crc(&disk));
	stream->crc = crc32c(~0U, &disk, sizeof(disk));
	return put_bytes(stream, &disk, sizeof(disk), why);
}

static int put_record(struct stream *stream, enum stream_type type, u64 count,
		      const void *data, u32 length, struct dm_chain_why *why)
{
	struct stream_disk_record disk = {
		.type = cpu_to_le32(type),
		.block = cpu_to_le64(stream->next),
		.count = cpu_to_le64(count),
		.length = cpu_to_le32(length),
	};
	int ret;

	memcpy(disk.magic, STREAM_RECORD_MAGIC, sizeof(disk.magic));
	disk.crc = cpu_to_le32(record_crc(&disk, data));
	ret = put_bytes(stream, &disk, sizeof(disk), why);
	if (!ret)
		ret = put_bytes(stream, data, length, why);
	stream->crc = crc32c(stream->crc, &disk, sizeof(disk));
	return ret;
}

/* Bytes of a run of blocks: the layer may end within the last. */
static u64 run_bytes(const struct stream_header *header, u64 block, u64 count)
{
	u64 start = block * header->block_size;

	return min(count * header->block_size, header->size - start);
}

int stream_put(struct stream *stream, enum stream_type type, u64 count,
	       const void *data, struct dm_chain_why *why)
{
	u32 length = type == STREAM_DATA ?
		     run_bytes(&stream->header, stream->next, count) : 0;
	int ret = put_record(stream, type, count, data, length, why);

	stream->next += count;
	stream->blocks[type] += count;
	stream->records++;
	return ret;
}

int stream_end(struct stream *stream, struct dm_chain_why *why)
{
	struct stream_disk_end end = {
		.records = cpu_to_le64(stream->records),
		.crc = cpu_to_le32(~stream->crc),
	};
	unsigned int type;
	int ret;

	for (type = 0; type < STREAM_END; type++)
		end.blocks[type] = cpu_to_le64(stream->blocks[type]);
	ret = put_record(stream, STREAM_END, 0, &end, sizeof(end), why);
	/* Some errors come only now; a pipe, or memory, has nothing to say to it. */
	if (!ret && (fflush(stream->file) ||
		     (fileno(stream->file) >= 0 &&
		      fsync(fileno(stream->file)) && errno != EINVAL &&
		      errno != EROFS && errno != ENOTSUP)))
		ret = dm_chain_refuse(why, -errno, "the stream cannot be written: %s",
				      strerror(errno));
	return ret;
}

static int get_bytes(struct stream *stream, void *buf, size_t len,
		     struct dm_chain_why *why)
{
	size_t n;

	if (!len)
		return 0;
	errno = 0;
	n = fread(buf, 1, len, stream->file);
	stream->at += n;
	if (n == len)
		return 0;
	if (ferror(stream->file))
		return dm_chain_refuse(why, -(errno ?: EIO),
				       "the stream cannot be read: %s",
				       strerror(errno ?: EIO));
	return dm_chain_refuse(why, -EBADMSG,
			       "the stream ends after %llu bytes, before its end: it was cut off",
			       stream->at);
}

/* The rules are those of a superblock with the same content. */
static int check_header(const struct stream_header *header,
			struct dm_chain_why *why)
{
	struct dm_chain_sb sb = {
		.block_size = header->block_size,
		.size = header->size,
		.max_size = header->size,
		.generation = header->generation,
		.backing = header->base,
	};
	struct dm_chain_why reason = { "" };
	int ret;

	memcpy(sb.uuid, header->uuid, sizeof(sb.uuid));
	memcpy(sb.name, header->name, sizeof(sb.name));
	ret = dm_chain_sb_check(&sb, &reason);
	if (ret)
		return dm_chain_refuse(why, -EBADMSG,
				       "the stream's header is impossible: %.300s",
				       reason.text);
	return 0;
}

int stream_open(struct stream *stream, FILE *file, struct dm_chain_why *why)
{
	struct stream_header *header = &stream->header;
	struct stream_disk_header disk = { };
	int ret;

	*stream = (struct stream) { .file = file };
	ret = get_bytes(stream, &disk, sizeof(disk), why);
	if (ret && ret != -EBADMSG)
		return ret;
	if (memcmp(disk.magic, STREAM_MAGIC, sizeof(disk.magic)))
		return dm_chain_refuse(why, -ENODATA,
				       "what is read is no stream of \"chainsetup export\"");
	if (ret)
		return ret;
	if (le32_to_cpu(disk.crc) != header_crc(&disk))
		return dm_chain_refuse(why, -EBADMSG,
				       "the stream's header has a wrong checksum: it is damaged");
	if (le32_to_cpu(disk.version) != STREAM_VERSION || disk.flags)
		return dm_chain_refuse(why, -EOPNOTSUPP,
				       "the stream has version %u and flags %#x: use a newer version of dm-chain",
				       le32_to_cpu(disk.version),
				       le32_to_cpu(disk.flags));
	stream->crc = crc32c(~0U, &disk, sizeof(disk));
	*header = (struct stream_header) {
		.block_size = le32_to_cpu(disk.block_size),
		.size = le64_to_cpu(disk.size),
		.generation = le64_to_cpu(disk.generation),
		.base.kind = le32_to_cpu(disk.base_kind),
		.base.size = le64_to_cpu(disk.base_size),
		.base.generation = le64_to_cpu(disk.base_generation),
		.created = le64_to_cpu(disk.created),
	};
	memcpy(header->uuid, disk.uuid, sizeof(header->uuid));
	memcpy(header->name, disk.name, sizeof(header->name));
	memcpy(header->base.uuid, disk.base_uuid, sizeof(header->base.uuid));
	return check_header(header, why);
}

static int bad_record(const struct stream *stream, struct dm_chain_why *why)
{
	return dm_chain_refuse(why, -EBADMSG,
			       "the stream is damaged: record %llu, behind block %llu and before byte %llu, is not what was written",
			       stream->records + 1, stream->next, stream->at);
}

/* Is the end what it is after what was read? */
static bool end_right(const struct stream *stream,
		      const struct stream_disk_end *end)
{
	unsigned int type;

	for (type = 0; type < STREAM_END; type++)
		if (le64_to_cpu(end->blocks[type]) != stream->blocks[type])
			return false;
	return le64_to_cpu(end->records) == stream->records &&
	       le32_to_cpu(end->crc) == ~stream->crc && !end->pad &&
	       stream->next == stream_blocks(&stream->header);
}

static bool record_right(const struct stream *stream,
			 const struct stream_record *record)
{
	u64 left = stream_blocks(&stream->header) - stream->next;
	u64 bytes = 0;

	if (record->block != stream->next)
		return false;
	if (record->type == STREAM_END)
		return !record->count &&
		       record->length == sizeof(struct stream_disk_end);
	if (record->type > STREAM_END || !record->count || record->count > left)
		return false;
	if (record->type == STREAM_DATA)
		bytes = run_bytes(&stream->header, record->block, record->count);
	return record->length == bytes;
}

static int nothing_follows(struct stream *stream, struct dm_chain_why *why)
{
	if (fgetc(stream->file) != EOF)
		return dm_chain_refuse(why, -EBADMSG,
				       "something follows the end of the stream, at byte %llu",
				       stream->at);
	return 0;
}

int stream_get(struct stream *stream, struct stream_record *record,
	       struct dm_chain_why *why)
{
	struct stream_disk_record disk = { };
	int ret = get_bytes(stream, &disk, sizeof(disk), why);

	if (ret)
		return ret;
	record->type = le32_to_cpu(disk.type);
	record->block = le64_to_cpu(disk.block);
	record->count = le64_to_cpu(disk.count);
	record->length = le32_to_cpu(disk.length);
	/* The checksum comes behind the data, which has to fit first. */
	if (memcmp(disk.magic, STREAM_RECORD_MAGIC, sizeof(disk.magic)) ||
	    record->length > sizeof(record->data) ||
	    !record_right(stream, record))
		return bad_record(stream, why);
	ret = get_bytes(stream, record->data, record->length, why);
	if (ret)
		return ret;
	if (le32_to_cpu(disk.crc) != record_crc(&disk, record->data))
		return bad_record(stream, why);
	if (record->type == STREAM_END) {
		if (!end_right(stream, (const void *)record->data))
			return bad_record(stream, why);
		return nothing_follows(stream, why);
	}
	stream->crc = crc32c(stream->crc, &disk, sizeof(disk));
	stream->next += record->count;
	stream->blocks[record->type] += record->count;
	stream->records++;
	return 0;
}
