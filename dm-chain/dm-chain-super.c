// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the superblock, see dm-chain-codec.h.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>
#include <linux/types.h>

#include "dm-chain-codec.h"
#include "dm-chain-jobstate.h"

#define SECTOR_BYTES	512

/* The highest number that can be an errno. */
#define LAST_ERRNO	4095

static bool is_terminated(const char *text, size_t len)
{
	return strnlen(text, len) < len;
}

static bool is_name(const char *text)
{
	return is_terminated(text, DM_CHAIN_NAME_LEN) &&
	       dm_chain_name_valid(text);
}

/* A size of a device or a layer; 0 is not one. */
static bool is_size(u64 bytes)
{
	return bytes && bytes % SECTOR_BYTES == 0 && bytes <= S64_MAX;
}

#define bad_sb(why, fmt, ...) \
	dm_chain_refuse(why, -EINVAL, "superblock: " fmt, ##__VA_ARGS__)

static int check_layout(const struct dm_chain_sb *sb, struct dm_chain_why *why)
{
	struct dm_chain_geometry geo;
	int r;

	if (!dm_chain_block_size_valid(sb->block_size))
		return bad_sb(why, "block size %u is not a power of two from %u to %u",
			      sb->block_size, DM_CHAIN_MIN_BLOCK,
			      DM_CHAIN_MAX_BLOCK);
	if (!is_size(sb->size))
		return bad_sb(why, "size %llu is not a multiple of 512 bytes above 0",
			      sb->size);
	if (!is_size(sb->max_size))
		return bad_sb(why, "maximal size %llu is not a multiple of 512 bytes above 0",
			      sb->max_size);
	if (sb->size > sb->max_size)
		return bad_sb(why, "size %llu is above the maximal size %llu",
			      sb->size, sb->max_size);

	r = dm_chain_geometry_init(&geo, sb->block_size, sb->max_size, why);
	if (r)
		return r;

	if (sb->data_offset) {
		if (sb->data_offset % DM_CHAIN_DATA_ALIGN)
			return bad_sb(why, "data offset %llu is not a multiple of 1 MiB",
				      sb->data_offset);
		if (sb->data_offset < geo.data_offset)
			return bad_sb(why, "data offset %llu is in the metadata (up to %llu)",
				      sb->data_offset, geo.end);
		if (sb->data_offset > S64_MAX - sb->max_size)
			return bad_sb(why, "data offset %llu is too large for a layer of %llu",
				      sb->data_offset, sb->max_size);
	}
	if (sb->data_size % SECTOR_BYTES || sb->data_size > S64_MAX)
		return bad_sb(why, "data device size %llu is not a multiple of 512",
			      sb->data_size);
	if (!dm_chain_path_valid(sb->data_path))
		return bad_sb(why, "the data device's path is not a path");
	return 0;
}

static int check_backing(const struct dm_chain_sb *sb, struct dm_chain_why *why)
{
	const struct dm_chain_backing *b = &sb->backing;
	bool layer = b->kind == DM_CHAIN_BACKING_LAYER;
	bool bound = layer || b->kind == DM_CHAIN_BACKING_RAW;

	if (b->kind > DM_CHAIN_BACKING_LAYER)
		return bad_sb(why, "unknown kind of backing %u",  b->kind);
	if (dm_chain_uuid_is_null(b->uuid) == layer)
		return bad_sb(why, "a backing of kind %u %s a UUID",
			      b->kind,
			      layer ? "lacks" : "has");
	if (dm_chain_uuid_equal(b->uuid, sb->uuid))
		return bad_sb(why, "the layer is its own backing");
	if (bound ? !is_size(b->size) : b->size)
		return bad_sb(why, "backing size %llu is not one for a backing of kind %u",
			      b->size, b->kind);
	if (b->generation && !layer)
		return bad_sb(why, "a backing of kind %u has a generation",
			      b->kind);
	if (!dm_chain_path_valid(b->path))
		return bad_sb(why, "the backing's path is not a path");
	return 0;
}

static int check_job(const struct dm_chain_sb *sb, struct dm_chain_why *why)
{
	const struct dm_chain_job_record *job = &sb->job;
	bool raw = job->flags & DM_CHAIN_JOB_F_RAW_BOTTOM;

	if (job->type == DM_CHAIN_JOB_NONE)
		return 0;

	if (job->type != DM_CHAIN_JOB_STREAM)
		return bad_sb(why, "unknown type of job %u",  job->type);
	if (job->flags & ~DM_CHAIN_JOB_KNOWN_FLAGS)
		return bad_sb(why, "unknown job flags %#x",
			      job->flags & ~DM_CHAIN_JOB_KNOWN_FLAGS);
	if (!is_name(job->id))
		return bad_sb(why, "the job's id is not a name");
	if (!dm_chain_uuid_equal(job->top_uuid, sb->uuid))
		return bad_sb(why, "the top of job %s is another layer",
			      job->id);
	if (dm_chain_uuid_is_null(job->bottom_uuid) != raw)
		return bad_sb(why, "the %sbottom of job %s %s a UUID",
			      raw ? "raw " : "", job->id,
			      raw ? "has" : "lacks");
	if (dm_chain_uuid_equal(job->bottom_uuid, sb->uuid))
		return bad_sb(why, "the bottom of job %s is its top",  job->id);
	if (job->cursor > sb->size)
		return bad_sb(why, "the cursor of job %s, %llu, is behind the layer's end, %llu",
			      job->id, job->cursor, sb->size);
	if (job->on_error >= DM_CHAIN_NR_ON_ERROR)
		return bad_sb(why, "job %s has the unknown error policy %u",
			      job->id, job->on_error);
	if (job->error > LAST_ERRNO)
		return bad_sb(why, "job %s has the impossible error %u",
			      job->id, job->error);
	if (job->io_status >= DM_CHAIN_NR_IO_STATUS)
		return bad_sb(why, "job %s has the unknown I/O status %u",
			      job->id, job->io_status);
	return 0;
}

static int check_result(const struct dm_chain_job_result *res,
			struct dm_chain_why *why)
{
	if (res->type == DM_CHAIN_JOB_NONE)
		return 0;

	if (res->type != DM_CHAIN_JOB_STREAM)
		return bad_sb(why, "the last job has the unknown type %u",
			      res->type);
	if (res->status == DM_CHAIN_RESULT_NONE ||
	    res->status > DM_CHAIN_RESULT_FAILED)
		return bad_sb(why, "the last job has the unknown result %u",
			      res->status);
	if (!is_name(res->id))
		return bad_sb(why, "the last job's id is not a name");
	if (res->base[0] && !is_name(res->base))
		return bad_sb(why, "the base of the last job, %s, is not a name",
			      res->id);
	if (res->offset > res->len)
		return bad_sb(why, "the last job, %s, got to %llu of %llu",
			      res->id, res->offset, res->len);
	if (res->error > LAST_ERRNO)
		return bad_sb(why, "the last job, %s, has the impossible error %u",
			      res->id, res->error);
	return 0;
}

int dm_chain_sb_check(const struct dm_chain_sb *sb, struct dm_chain_why *why)
{
	int r;

	if (sb->incompat & ~DM_CHAIN_KNOWN_INCOMPAT)
		return dm_chain_refuse(why, -EOPNOTSUPP,
				       "superblock: unknown incompatible features %#x: use a newer version of dm-chain",
				       sb->incompat & ~DM_CHAIN_KNOWN_INCOMPAT);
	if (sb->flags & ~DM_CHAIN_KNOWN_FLAGS)
		return bad_sb(why, "unknown flags %#x",
			      sb->flags & ~DM_CHAIN_KNOWN_FLAGS);
	if (dm_chain_uuid_is_null(sb->uuid))
		return bad_sb(why, "the layer has no UUID");
	if (!is_name(sb->name))
		return bad_sb(why, "the layer's name is not a name");
	if (!sb->generation)
		return bad_sb(why, "there is no generation 0");
	if (sb->generation >= DM_CHAIN_GENERATION_END)
		return bad_sb(why, "generation %llu leaves no room for others",
			      sb->generation);
	if ((sb->flags & DM_CHAIN_F_HAS_OVERLAY) &&
	    (dm_chain_uuid_is_null(sb->overlay_uuid) ||
	     dm_chain_uuid_equal(sb->overlay_uuid, sb->uuid)))
		return bad_sb(why, "the overlay's UUID is not that of another layer");

	r = check_layout(sb, why);
	if (!r)
		r = check_backing(sb, why);
	if (!r)
		r = check_job(sb, why);
	if (!r)
		r = check_result(&sb->result, why);
	return r;
}

static void encode_backing(struct dm_chain_disk_backing *d,
			   const struct dm_chain_backing *b)
{
	d->kind = cpu_to_le32(b->kind);
	memcpy(d->uuid, b->uuid, sizeof(d->uuid));
	d->size = cpu_to_le64(b->size);
	d->generation = cpu_to_le64(b->generation);
	strscpy((char *)d->path, b->path, sizeof(d->path));
}

static void decode_backing(struct dm_chain_backing *b,
			   const struct dm_chain_disk_backing *d)
{
	b->kind = le32_to_cpu(d->kind);
	memcpy(b->uuid, d->uuid, sizeof(b->uuid));
	b->size = le64_to_cpu(d->size);
	b->generation = le64_to_cpu(d->generation);
	memcpy(b->path, d->path, sizeof(b->path));
}

static void encode_job(struct dm_chain_disk_job *d,
		       const struct dm_chain_job_record *job)
{
	d->type = cpu_to_le32(job->type);
	d->flags = cpu_to_le32(job->flags);
	strscpy((char *)d->id, job->id, sizeof(d->id));
	memcpy(d->top_uuid, job->top_uuid, sizeof(d->top_uuid));
	memcpy(d->bottom_uuid, job->bottom_uuid, sizeof(d->bottom_uuid));
	d->speed = cpu_to_le64(job->speed);
	d->floor = cpu_to_le64(job->floor);
	d->ceiling = cpu_to_le64(job->ceiling);
	d->cursor = cpu_to_le64(job->cursor);
	d->copied = cpu_to_le64(job->copied);
	d->zeroed = cpu_to_le64(job->zeroed);
	d->skipped = cpu_to_le64(job->skipped);
	d->started = cpu_to_le64(job->started);
	d->on_error = cpu_to_le32(job->on_error);
	d->error = cpu_to_le32(job->error);
	d->io_status = cpu_to_le32(job->io_status);
}

static void decode_job(struct dm_chain_job_record *job,
		       const struct dm_chain_disk_job *d)
{
	job->type = le32_to_cpu(d->type);
	job->flags = le32_to_cpu(d->flags);
	memcpy(job->id, d->id, sizeof(job->id));
	memcpy(job->top_uuid, d->top_uuid, sizeof(job->top_uuid));
	memcpy(job->bottom_uuid, d->bottom_uuid, sizeof(job->bottom_uuid));
	job->speed = le64_to_cpu(d->speed);
	job->floor = le64_to_cpu(d->floor);
	job->ceiling = le64_to_cpu(d->ceiling);
	job->cursor = le64_to_cpu(d->cursor);
	job->copied = le64_to_cpu(d->copied);
	job->zeroed = le64_to_cpu(d->zeroed);
	job->skipped = le64_to_cpu(d->skipped);
	job->started = le64_to_cpu(d->started);
	job->on_error = le32_to_cpu(d->on_error);
	job->error = le32_to_cpu(d->error);
	job->io_status = le32_to_cpu(d->io_status);
}

static void encode_result(struct dm_chain_disk_result *d,
			  const struct dm_chain_job_result *res)
{
	d->type = cpu_to_le32(res->type);
	d->status = cpu_to_le32(res->status);
	strscpy((char *)d->id, res->id, sizeof(d->id));
	strscpy((char *)d->base, res->base, sizeof(d->base));
	d->len = cpu_to_le64(res->len);
	d->offset = cpu_to_le64(res->offset);
	d->copied = cpu_to_le64(res->copied);
	d->zeroed = cpu_to_le64(res->zeroed);
	d->skipped = cpu_to_le64(res->skipped);
	d->speed = cpu_to_le64(res->speed);
	d->started = cpu_to_le64(res->started);
	d->finished = cpu_to_le64(res->finished);
	d->error = cpu_to_le32(res->error);
}

static void decode_result(struct dm_chain_job_result *res,
			  const struct dm_chain_disk_result *d)
{
	res->type = le32_to_cpu(d->type);
	res->status = le32_to_cpu(d->status);
	memcpy(res->id, d->id, sizeof(res->id));
	memcpy(res->base, d->base, sizeof(res->base));
	res->len = le64_to_cpu(d->len);
	res->offset = le64_to_cpu(d->offset);
	res->copied = le64_to_cpu(d->copied);
	res->zeroed = le64_to_cpu(d->zeroed);
	res->skipped = le64_to_cpu(d->skipped);
	res->speed = le64_to_cpu(d->speed);
	res->started = le64_to_cpu(d->started);
	res->finished = le64_to_cpu(d->finished);
	res->error = le32_to_cpu(d->error);
}

void dm_chain_sb_encode(void *page, const struct dm_chain_sb *sb)
{
	struct dm_chain_disk_super *d = page;

	memset(page, 0, DM_CHAIN_PAGE_SIZE);
	d->compat = cpu_to_le32(sb->compat & DM_CHAIN_KNOWN_COMPAT);
	d->ro_compat = cpu_to_le32(sb->ro_compat);
	d->incompat = cpu_to_le32(sb->incompat);
	d->flags = cpu_to_le32(sb->flags);
	memcpy(d->uuid, sb->uuid, sizeof(d->uuid));
	strscpy((char *)d->name, sb->name, sizeof(d->name));
	d->block_size = cpu_to_le32(sb->block_size);
	d->size = cpu_to_le64(sb->size);
	d->max_size = cpu_to_le64(sb->max_size);
	d->data_offset = cpu_to_le64(sb->data_offset);
	d->generation = cpu_to_le64(sb->generation);
	memcpy(d->overlay_uuid, sb->overlay_uuid, sizeof(d->overlay_uuid));
	d->data_size = cpu_to_le64(sb->data_size);
	strscpy((char *)d->data_path, sb->data_path, sizeof(d->data_path));
	encode_backing(&d->backing, &sb->backing);
	if (sb->job.type != DM_CHAIN_JOB_NONE)
		encode_job(&d->job, &sb->job);
	if (sb->result.type != DM_CHAIN_JOB_NONE)
		encode_result(&d->result, &sb->result);
	dm_chain_head_seal(page, DM_CHAIN_SB_MAGIC, sb->seq);
}

int dm_chain_sb_decode(const void *page, struct dm_chain_sb *sb,
		       struct dm_chain_why *why)
{
	const struct dm_chain_disk_super *d = page;
	u32 version;

	switch (dm_chain_slot_classify(page, DM_CHAIN_SB_MAGIC)) {
	case DM_CHAIN_SLOT_ZERO:
		return dm_chain_refuse(why, -ENODATA,
				       "no superblock: nothing but zeros");
	case DM_CHAIN_SLOT_FOREIGN:
		return dm_chain_refuse(why, -ENODATA,
				       "no superblock: something else lies there");
	case DM_CHAIN_SLOT_TORN:
		return dm_chain_refuse(why, -EBADMSG,
				       "superblock: the checksum is wrong");
	case DM_CHAIN_SLOT_GOOD:
		break;
	}

	version = le32_to_cpu(d->head.version);
	if (version > DM_CHAIN_VERSION)
		return dm_chain_refuse(why, -EOPNOTSUPP,
				       "superblock: format version %u is from the future, this is version %u: use a newer version of dm-chain",
				       version, DM_CHAIN_VERSION);
	if (!version)
		return bad_sb(why, "there is no format version 0");

	memset(sb, 0, sizeof(*sb));
	sb->seq = le64_to_cpu(d->head.seq);
	sb->compat = le32_to_cpu(d->compat);
	sb->ro_compat = le32_to_cpu(d->ro_compat);
	sb->incompat = le32_to_cpu(d->incompat);
	sb->flags = le32_to_cpu(d->flags);
	memcpy(sb->uuid, d->uuid, sizeof(sb->uuid));
	memcpy(sb->name, d->name, sizeof(sb->name));
	sb->block_size = le32_to_cpu(d->block_size);
	sb->size = le64_to_cpu(d->size);
	sb->max_size = le64_to_cpu(d->max_size);
	sb->data_offset = le64_to_cpu(d->data_offset);
	sb->generation = le64_to_cpu(d->generation);
	memcpy(sb->overlay_uuid, d->overlay_uuid, sizeof(sb->overlay_uuid));
	sb->data_size = le64_to_cpu(d->data_size);
	memcpy(sb->data_path, d->data_path, sizeof(sb->data_path));
	decode_backing(&sb->backing, &d->backing);
	if (d->job.type)
		decode_job(&sb->job, &d->job);
	if (d->result.type)
		decode_result(&sb->result, &d->result);

	return dm_chain_sb_check(sb, why);
}

int dm_chain_sb_pick(const void *page[2], struct dm_chain_sb *sb,
		     unsigned int *slot, struct dm_chain_why *why)
{
	enum dm_chain_slot_kind kind[2];
	unsigned int i;

	for (i = 0; i < 2; i++)
		kind[i] = dm_chain_slot_classify(page[i], DM_CHAIN_SB_MAGIC);

	if (kind[0] == DM_CHAIN_SLOT_GOOD && kind[1] == DM_CHAIN_SLOT_GOOD)
		i = dm_chain_page_seq(page[1]) > dm_chain_page_seq(page[0]);
	else if (kind[0] == DM_CHAIN_SLOT_GOOD)
		i = 0;
	else if (kind[1] == DM_CHAIN_SLOT_GOOD)
		i = 1;
	else if (kind[0] == DM_CHAIN_SLOT_TORN || kind[1] == DM_CHAIN_SLOT_TORN)
		return dm_chain_refuse(why, -EBADMSG,
				       "superblock: damaged: slot A holds %s, slot B %s",
				       dm_chain_slot_text(kind[0]), dm_chain_slot_text(kind[1]));
	else
		return dm_chain_sb_decode(page[kind[0] == DM_CHAIN_SLOT_ZERO],
					  sb, why);

	*slot = i;
	return dm_chain_sb_decode(page[i], sb, why);
}
