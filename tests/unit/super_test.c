// SPDX-License-Identifier: GPL-2.0
/* The superblock: its place on disk, its limits, its two slots. */
#include <kunit/test.h>

#include "dm-chain-codec.h"
#include "random.h"
#include "sample.h"

#define PAGE	DM_CHAIN_PAGE_SIZE

/* Too large for a kernel's stack. */
struct super {
	struct dm_chain_sb sb;
	struct dm_chain_sb back;
	struct dm_chain_why why;
	u8 page[2][PAGE];
	u8 saved[PAGE];
};

static struct super *super_new(struct kunit *test)
{
	struct super *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	return s;
}

static int decode(struct super *s)
{
	s->why.text[0] = '\0';
	return dm_chain_sb_decode(s->page[0], &s->back, &s->why);
}

/* What is written is read back the same, and nothing of the page is left. */
static void expect_round_trip(struct kunit *test, struct super *s)
{
	memset(s->page[0], 0xff, PAGE);
	memset(&s->back, 0xff, sizeof(s->back));
	KUNIT_EXPECT_EQ_MSG(test, dm_chain_sb_check(&s->sb, &s->why), 0,
			    "%s", s->why.text);
	dm_chain_sb_encode(s->page[0], &s->sb);
	KUNIT_EXPECT_EQ_MSG(test, decode(s), 0, "%s", s->why.text);
	KUNIT_EXPECT_MEMEQ(test, &s->sb, &s->back, sizeof(s->sb));
	KUNIT_EXPECT_NULL(test, memchr_inv(s->page[0] + 1232, 0, PAGE - 1232));
}

static void round_trips(struct kunit *test)
{
	struct super *s = super_new(test);
	unsigned int kind;

	sample_minimal(&s->sb);
	expect_round_trip(test, s);
	sample_full(&s->sb);
	expect_round_trip(test, s);

	sample_full(&s->sb);
	memset(&s->sb.job, 0, sizeof(s->sb.job));
	expect_round_trip(test, s);
	memset(&s->sb.result, 0, sizeof(s->sb.result));
	expect_round_trip(test, s);

	sample_full(&s->sb);
	s->sb.job.flags |= DM_CHAIN_JOB_F_RAW_BOTTOM;
	memset(s->sb.job.bottom_uuid, 0, DM_CHAIN_UUID_LEN);
	expect_round_trip(test, s);

	for (kind = DM_CHAIN_BACKING_UNSET; kind <= DM_CHAIN_BACKING_LAYER; kind++) {
		sample_minimal(&s->sb);
		s->sb.backing.kind = kind;
		if (kind >= DM_CHAIN_BACKING_RAW)
			s->sb.backing.size = 512;
		if (kind == DM_CHAIN_BACKING_LAYER)
			sample_uuid(s->sb.backing.uuid, 0x77);
		expect_round_trip(test, s);
	}
}

/* Strings as long as they can be. */
static void longest_strings(struct kunit *test)
{
	struct super *s = super_new(test);

	sample_full(&s->sb);
	memset(s->sb.name, 'n', DM_CHAIN_NAME_LEN - 1);
	memset(s->sb.job.id, 'j', DM_CHAIN_NAME_LEN - 1);
	memset(s->sb.result.id, 'r', DM_CHAIN_NAME_LEN - 1);
	memset(s->sb.result.base, 'b', DM_CHAIN_NAME_LEN - 1);
	memset(s->sb.data_path, 0xc3, DM_CHAIN_PATH_LEN - 1);
	memset(s->sb.backing.path, '~', DM_CHAIN_PATH_LEN - 1);
	expect_round_trip(test, s);
}

/* Every field of the full sample where Documentation/format.rst has it. */
static void on_disk(struct kunit *test)
{
	static const struct {
		u16 offset;
		u8 width;
		u64 value;
	} row[] = {
		{ 12, 4, 1 }, { 16, 8, 0x0102030405060708ULL },
		{ 24, 4, 0 }, { 28, 4, 0x80000001 }, { 32, 4, 0 }, { 36, 4, 7 },
		{ 40, 8, 0x1111111111111111ULL }, { 48, 8, 0x1111111111111111ULL },
		{ 120, 4, 65536 }, { 124, 4, 0 },
		{ 128, 8, 10 * GIB + 512 }, { 136, 8, 40 * GIB + 1024 },
		{ 144, 8, 17 * MIB }, { 152, 8, 0x1112131415161718ULL },
		{ 160, 8, 0x2222222222222222ULL }, { 168, 8, 0x2222222222222222ULL },
		{ 176, 8, 50 * GIB },
		{ 440, 4, 3 }, { 444, 4, 0 },
		{ 448, 8, 0x3333333333333333ULL }, { 456, 8, 0x3333333333333333ULL },
		{ 464, 8, 9 * GIB }, { 472, 8, 0x2122232425262728ULL },
		{ 736, 4, 1 }, { 740, 4, 0x3e },
		{ 808, 8, 0x1111111111111111ULL }, { 816, 8, 0x1111111111111111ULL },
		{ 824, 8, 0x4444444444444444ULL }, { 832, 8, 0x4444444444444444ULL },
		{ 840, 8, 0x3132333435363738ULL }, { 848, 8, 0x4142434445464748ULL },
		{ 856, 8, 0x5152535455565758ULL }, { 864, 8, 3 * GIB },
		{ 872, 8, 0x6162636465666768ULL }, { 880, 8, 0x7172737475767778ULL },
		{ 888, 8, 0x8182838485868788ULL }, { 896, 8, 0x9192939495969798ULL },
		{ 904, 4, 3 }, { 908, 4, 28 }, { 912, 4, 2 },
		{ 976, 4, 1 }, { 980, 4, 3 },
		{ 1112, 8, 10 * GIB }, { 1120, 8, 7 * GIB },
		{ 1128, 8, 0xa1a2a3a4a5a6a7a8ULL }, { 1136, 8, 0xb1b2b3b4b5b6b7b8ULL },
		{ 1144, 8, 0xc1c2c3c4c5c6c7c8ULL }, { 1152, 8, 0xd1d2d3d4d5d6d7d8ULL },
		{ 1160, 8, 0xe1e2e3e4e5e6e7e8ULL }, { 1168, 8, 0xf1f2f3f4f5f6f7f8ULL },
		{ 1176, 4, 5 },
	};
	struct super *s = super_new(test);
	u8 *p = s->page[0];
	unsigned int i;

	sample_full(&s->sb);
	dm_chain_sb_encode(p, &s->sb);

	for (i = 0; i < ARRAY_SIZE(row); i++)
		KUNIT_EXPECT_EQ_MSG(test, sample_get(p, row[i].offset, row[i].width),
				    row[i].value, "offset %u", row[i].offset);

	KUNIT_EXPECT_MEMEQ(test, p, "DM-CHAIN", 8);
	KUNIT_EXPECT_EQ(test, sample_get(p, 8, 4), (u32)~crc32c(~0U, p + 12, 4084));
	KUNIT_EXPECT_STREQ(test, (char *)p + 56, "Layer_1.2+3-4");
	KUNIT_EXPECT_STREQ(test, (char *)p + 184, "/dev/disk/by-id/data");
	KUNIT_EXPECT_STREQ(test, (char *)p + 480, "/dev/vg/backing");
	KUNIT_EXPECT_STREQ(test, (char *)p + 744, "job-1");
	KUNIT_EXPECT_STREQ(test, (char *)p + 984, "job-0");
	KUNIT_EXPECT_STREQ(test, (char *)p + 1048, "A");
	KUNIT_EXPECT_NULL(test, memchr_inv(p + 916, 0, 60));
	KUNIT_EXPECT_NULL(test, memchr_inv(p + 1180, 0, 52));
}

/* One field of the full sample changed, the checksum made right again. */
struct change {
	u16 offset;
	u8 width;
	u64 value;
	int err;
	const char *word;	/* of the reason */
};

static const struct change changes[] = {
	{ 12, 4, 0, -EINVAL, "version 0" },
	{ 12, 4, 2, -EOPNOTSUPP, "version 2" },
	{ 12, 4, U32_MAX, -EOPNOTSUPP, "version" },
	{ 16, 8, 0, 0 },
	{ 16, 8, U64_MAX, 0 },
	{ 24, 4, U32_MAX, 0 },
	{ 28, 4, U32_MAX, 0 },
	{ 32, 4, 1, -EOPNOTSUPP, "features 0x1" },
	{ 32, 4, 0x80000000, -EOPNOTSUPP, "features 0x80000000" },
	{ 36, 4, 0, 0 },
	{ 36, 4, 8, -EINVAL, "flags 0x8" },
	{ 36, 4, 0x80000000, -EINVAL, "flags 0x80000000" },
	{ 56, 1, 0, -EINVAL, "name" },
	{ 56, 1, '-', -EINVAL, "name" },
	{ 56, 1, '/', -EINVAL, "name" },
	{ 57, 1, 0, 0 },
	{ 57, 1, '\n', -EINVAL, "name" },
	{ 56, 5, 0x006f72657aULL, -EINVAL, "name" },	/* "zero" */
	{ 120, 4, 0, -EINVAL, "block size 0" },
	{ 120, 4, 2048, -EINVAL, "block size 2048" },
	{ 120, 4, 4096, 0 },
	{ 120, 4, 12288, -EINVAL, "block size 12288" },
	{ 120, 4, 1048576, 0 },
	{ 120, 4, 2097152, -EINVAL, "block size 2097152" },
	{ 120, 4, 0x80000000, -EINVAL, "block size 2147483648" },
	{ 124, 4, U32_MAX, 0 },
	{ 128, 8, 0, -EINVAL, "size 0" },
	{ 128, 8, 511, -EINVAL, "size 511" },
	{ 128, 8, 3 * GIB - 512, -EINVAL, "cursor" },
	{ 128, 8, 3 * GIB, 0 },
	{ 128, 8, 10 * GIB + 1, -EINVAL, "size 10737418241" },
	{ 128, 8, 40 * GIB + 1024, 0 },
	{ 128, 8, 40 * GIB + 1536, -EINVAL, "above the maximal size" },
	{ 128, 8, 1ULL << 63, -EINVAL, "size 9223372036854775808" },
	{ 136, 8, 0, -EINVAL, "maximal size 0" },
	{ 136, 8, 10 * GIB, -EINVAL, "above the maximal size" },
	{ 136, 8, 10 * GIB + 512, 0 },
	{ 136, 8, 10 * GIB + 513, -EINVAL, "maximal size 10737418753" },
	/* 17 MiB are not enough for the map of 3 TiB. */
	{ 136, 8, 3 * TIB, -EINVAL, "in the metadata" },
	{ 136, 8, S64_MAX - 511, -EINVAL, "larger blocks" },
	{ 136, 8, 1ULL << 63, -EINVAL, "maximal size 9223372036854775808" },
	{ 136, 8, U64_MAX - 511, -EINVAL, "maximal size 18446744073709551104" },
	{ 144, 8, 0, 0 },
	{ 144, 8, 512, -EINVAL, "multiple of 1 MiB" },
	{ 144, 8, MIB, 0 },
	{ 144, 8, 17 * MIB + 4096, -EINVAL, "multiple of 1 MiB" },
	{ 144, 8, (1ULL << 63) - 41 * GIB, 0 },
	{ 144, 8, (1ULL << 63) - 40 * GIB, -EINVAL, "too large" },
	{ 144, 8, 1ULL << 63, -EINVAL, "too large" },
	{ 144, 8, -MIB, -EINVAL, "too large" },
	{ 152, 8, 0, -EINVAL, "generation 0" },
	{ 152, 8, 1, 0 },
	{ 152, 8, S64_MAX, 0 },
	{ 152, 8, 1ULL << 63, -EINVAL, "generation 9223372036854775808" },
	{ 152, 8, U64_MAX, -EINVAL, "leaves no room" },
	{ 176, 8, 0, 0 },
	{ 176, 8, 513, -EINVAL, "data device size 513" },
	{ 176, 8, 1ULL << 63, -EINVAL, "data device size" },
	{ 184, 1, 0, 0 },
	{ 185, 1, '\n', -EINVAL, "data device's path" },
	{ 185, 1, 0x1f, -EINVAL, "data device's path" },
	{ 185, 1, ' ', 0 },
	{ 185, 1, 0x7f, -EINVAL, "data device's path" },
	{ 185, 1, 0x80, 0 },
	{ 440, 4, 0, -EINVAL, "kind 0 has a UUID" },
	{ 440, 4, 1, -EINVAL, "kind 1 has a UUID" },
	{ 440, 4, 2, -EINVAL, "kind 2 has a UUID" },
	{ 440, 4, 4, -EINVAL, "kind of backing 4" },
	{ 440, 4, U32_MAX, -EINVAL, "kind of backing" },
	{ 444, 4, U32_MAX, 0 },
	{ 464, 8, 0, -EINVAL, "backing size 0" },
	{ 464, 8, 512, 0 },
	{ 464, 8, 511, -EINVAL, "backing size 511" },
	{ 464, 8, S64_MAX - 511, 0 },
	{ 464, 8, 1ULL << 63, -EINVAL, "backing size" },
	{ 472, 8, 0, 0 },
	{ 472, 8, U64_MAX, 0 },
	{ 480, 1, 0, 0 },
	{ 480, 1, '\t', -EINVAL, "backing's path" },
	{ 736, 4, 0, 0 },
	{ 736, 4, 2, -EINVAL, "type of job 2" },
	{ 736, 4, U32_MAX, -EINVAL, "type of job" },
	{ 740, 4, 0, 0 },
	{ 740, 4, 1, -EINVAL, "raw bottom of job job-1 has a UUID" },
	{ 740, 4, 0x40, -EINVAL, "job flags 0x40" },
	{ 740, 4, 0x80000000, -EINVAL, "job flags" },
	{ 744, 1, 0, -EINVAL, "job's id" },
	{ 744, 1, ' ', -EINVAL, "job's id" },
	{ 808, 1, 0x10, -EINVAL, "top of job job-1" },
	{ 823, 1, 0x10, -EINVAL, "top of job job-1" },
	{ 840, 8, U64_MAX, 0 },
	{ 848, 8, U64_MAX, 0 },
	{ 856, 8, U64_MAX, 0 },
	{ 864, 8, 10 * GIB + 512, 0 },
	{ 864, 8, 10 * GIB + 513, -EINVAL, "cursor of job job-1" },
	{ 864, 8, U64_MAX, -EINVAL, "cursor of job job-1" },
	{ 872, 8, U64_MAX, 0 },
	{ 880, 8, U64_MAX, 0 },
	{ 888, 8, U64_MAX, 0 },
	{ 896, 8, U64_MAX, 0 },
	{ 904, 4, 0, 0 },
	{ 904, 4, 4, -EINVAL, "error policy 4" },
	{ 908, 4, 4095, 0 },
	{ 908, 4, 4096, -EINVAL, "impossible error 4096" },
	{ 912, 4, 0, 0 },
	{ 912, 4, 3, -EINVAL, "I/O status 3" },
	{ 916, 8, U64_MAX, 0 },
	{ 976, 4, 0, 0 },
	{ 976, 4, 2, -EINVAL, "unknown type 2" },
	{ 980, 4, 0, -EINVAL, "unknown result 0" },
	{ 980, 4, 1, 0 },
	{ 980, 4, 4, -EINVAL, "unknown result 4" },
	{ 984, 1, '.', -EINVAL, "last job's id" },
	{ 1048, 1, 0, 0 },
	{ 1048, 1, '.', -EINVAL, "base of the last job" },
	{ 1112, 8, 7 * GIB, 0 },
	{ 1112, 8, 7 * GIB - 1, -EINVAL, "got to" },
	{ 1120, 8, 10 * GIB + 1, -EINVAL, "got to" },
	{ 1128, 8, U64_MAX, 0 },
	{ 1152, 8, U64_MAX, 0 },
	{ 1168, 8, 0, 0 },
	{ 1176, 4, 4095, 0 },
	{ 1176, 4, 4096, -EINVAL, "impossible error 4096" },
	{ 1180, 8, U64_MAX, 0 },
	{ 1232, 8, U64_MAX, 0 },
	{ 4088, 8, U64_MAX, 0 },
};

static void field_ranges(struct kunit *test)
{
	struct super *s = super_new(test);
	unsigned int i;

	sample_full(&s->sb);
	dm_chain_sb_encode(s->saved, &s->sb);
	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *c = &changes[i];

		memcpy(s->page[0], s->saved, PAGE);
		sample_put(s->page[0], c->offset, c->width, c->value);
		sample_reseal(s->page[0]);
		KUNIT_EXPECT_EQ_MSG(test, decode(s), c->err,
				    "row %u, offset %u, value %llu: %s", i,
				    c->offset, c->value, s->why.text);
		if (c->err)
			KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(s->why.text, c->word),
						  "row %u, offset %u: %s", i,
						  c->offset, s->why.text);
		else
			KUNIT_EXPECT_STREQ(test, s->why.text, "");
	}
}

/* UUIDs that are missing or that of the layer itself. */
static void uuid_rules(struct kunit *test)
{
	static const struct {
		u16 offset;
		u8 byte;
		int err;
		const char *word;
	} row[] = {
		{ 40, 0x00, -EINVAL, "no UUID" },
		{ 160, 0x00, -EINVAL, "overlay" },
		{ 160, 0x11, -EINVAL, "overlay" },
		{ 448, 0x00, -EINVAL, "kind 3 lacks a UUID" },
		{ 448, 0x11, -EINVAL, "its own backing" },
		{ 824, 0x00, -EINVAL, "bottom of job job-1 lacks a UUID" },
		{ 824, 0x11, -EINVAL, "bottom of job job-1 is its top" },
		{ 824, 0x33, 0, NULL },
	};
	struct super *s = super_new(test);
	unsigned int i;

	sample_full(&s->sb);
	dm_chain_sb_encode(s->saved, &s->sb);
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		memcpy(s->page[0], s->saved, PAGE);
		memset(s->page[0] + row[i].offset, row[i].byte, DM_CHAIN_UUID_LEN);
		sample_reseal(s->page[0]);
		KUNIT_EXPECT_EQ_MSG(test, decode(s), row[i].err, "row %u: %s", i,
				    s->why.text);
		if (row[i].err)
			KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(s->why.text, row[i].word),
						  "row %u: %s", i, s->why.text);
	}

	/* Without the flag the overlay's UUID means nothing. */
	memcpy(s->page[0], s->saved, PAGE);
	memset(s->page[0] + 160, 0, DM_CHAIN_UUID_LEN);
	sample_put(s->page[0], 36, 4, 0);
	sample_reseal(s->page[0]);
	KUNIT_EXPECT_EQ(test, decode(s), 0);
}

/* Also where a zero follows the field by chance. */
static void strings_end(struct kunit *test)
{
	static const struct {
		u16 offset;
		u16 len;
		bool full;
	} row[] = {
		{ 56, 64, true }, { 184, 256, true }, { 480, 256, true },
		{ 744, 64, true }, { 984, 64, true }, { 1048, 64, true },
		{ 56, 64, false }, { 184, 256, false }, { 480, 256, false },
	};
	struct super *s = super_new(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		if (row[i].full) {
			sample_full(&s->sb);
		} else {
			sample_minimal(&s->sb);
			s->sb.backing.kind = DM_CHAIN_BACKING_UNSET;
		}
		dm_chain_sb_encode(s->saved, &s->sb);
		memcpy(s->page[0], s->saved, PAGE);
		memset(s->page[0] + row[i].offset, 'a', row[i].len);
		sample_reseal(s->page[0]);
		KUNIT_EXPECT_EQ_MSG(test, decode(s), -EINVAL, "offset %u", row[i].offset);

		s->page[0][row[i].offset + row[i].len - 1] = '\0';
		sample_reseal(s->page[0]);
		KUNIT_EXPECT_EQ_MSG(test, decode(s), 0, "offset %u: %s", row[i].offset,
				    s->why.text);
	}
}

/* A backing that is not there, or that has no UUID, has nothing else. */
static void backing_rules(struct kunit *test)
{
	static const struct {
		u32 kind;
		u64 size;
		u64 generation;
		int err;
	} row[] = {
		{ DM_CHAIN_BACKING_UNSET, 0, 0, 0 },
		{ DM_CHAIN_BACKING_UNSET, 512, 0, -EINVAL },
		{ DM_CHAIN_BACKING_UNSET, 0, 1, -EINVAL },
		{ DM_CHAIN_BACKING_NONE, 0, 0, 0 },
		{ DM_CHAIN_BACKING_NONE, 512, 0, -EINVAL },
		{ DM_CHAIN_BACKING_NONE, 0, 1, -EINVAL },
		{ DM_CHAIN_BACKING_RAW, 512, 0, 0 },
		{ DM_CHAIN_BACKING_RAW, 0, 0, -EINVAL },
		{ DM_CHAIN_BACKING_RAW, 512, 1, -EINVAL },
	};
	struct super *s = super_new(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		sample_minimal(&s->sb);
		s->sb.backing.kind = row[i].kind;
		s->sb.backing.size = row[i].size;
		s->sb.backing.generation = row[i].generation;
		KUNIT_EXPECT_EQ_MSG(test, dm_chain_sb_check(&s->sb, &s->why),
				    row[i].err, "row %u", i);
		dm_chain_sb_encode(s->page[0], &s->sb);
		KUNIT_EXPECT_EQ_MSG(test, decode(s), row[i].err, "row %u", i);
	}
}

/* Where there is no job and no result, whatever lies there is not read. */
static void none_is_zeros(struct kunit *test)
{
	struct super *s = super_new(test);

	sample_minimal(&s->sb);
	dm_chain_sb_encode(s->page[0], &s->sb);
	memset(s->page[0] + 740, 0xff, 976 - 740);
	memset(s->page[0] + 980, 0xff, 1232 - 980);
	sample_reseal(s->page[0]);
	KUNIT_EXPECT_EQ(test, decode(s), 0);
	KUNIT_EXPECT_MEMEQ(test, &s->sb, &s->back, sizeof(s->sb));

	memset(&s->sb.job, 0xff, sizeof(s->sb.job));
	memset(&s->sb.result, 0xff, sizeof(s->sb.result));
	s->sb.job.type = DM_CHAIN_JOB_NONE;
	s->sb.result.type = DM_CHAIN_JOB_NONE;
	KUNIT_EXPECT_EQ(test, dm_chain_sb_check(&s->sb, NULL), 0);
	dm_chain_sb_encode(s->page[0], &s->sb);
	KUNIT_EXPECT_NULL(test, memchr_inv(s->page[0] + 736, 0, PAGE - 736));
}

/* Unknown compat bits are read, but not written. */
static void compat_is_cleared(struct kunit *test)
{
	struct super *s = super_new(test);

	sample_full(&s->sb);
	s->sb.compat = U32_MAX;
	dm_chain_sb_encode(s->page[0], &s->sb);
	KUNIT_EXPECT_EQ(test, sample_get(s->page[0], 24, 4), 0);
	KUNIT_EXPECT_EQ(test, sample_get(s->page[0], 28, 4), 0x80000001);

	sample_put(s->page[0], 24, 4, 0x40);
	sample_reseal(s->page[0]);
	KUNIT_EXPECT_EQ(test, decode(s), 0);
	KUNIT_EXPECT_EQ(test, s->back.compat, 0x40);
}

static void every_byte(struct kunit *test)
{
	static const u8 flip[] = { 0x01, 0x80, 0xff };
	struct super *s = super_new(test);
	unsigned int i, f;

	sample_full(&s->sb);
	dm_chain_sb_encode(s->page[0], &s->sb);
	for (i = 0; i < PAGE; i++) {
		int want = i < 8 ? -ENODATA : -EBADMSG;

		for (f = 0; f < ARRAY_SIZE(flip); f++) {
			s->page[0][i] ^= flip[f];
			KUNIT_ASSERT_EQ_MSG(test, decode(s), want, "byte %u", i);
			KUNIT_ASSERT_STRNEQ(test, s->why.text, "");
			s->page[0][i] ^= flip[f];
		}
	}
	KUNIT_EXPECT_EQ(test, decode(s), 0);
}

static void not_ours(struct kunit *test)
{
	struct super *s = super_new(test);

	KUNIT_EXPECT_EQ(test, decode(s), -ENODATA);
	KUNIT_EXPECT_NOT_NULL(test, strstr(s->why.text, "zeros"));
	s->page[0][4095] = 1;
	KUNIT_EXPECT_EQ(test, decode(s), -ENODATA);
	KUNIT_EXPECT_NOT_NULL(test, strstr(s->why.text, "something else"));
	memset(s->page[0], 0xff, PAGE);
	KUNIT_EXPECT_EQ(test, decode(s), -ENODATA);
	/* A superblock that was cut behind its first sector. */
	sample_full(&s->sb);
	dm_chain_sb_encode(s->page[0], &s->sb);
	memset(s->page[0] + 512, 0, PAGE - 512);
	KUNIT_EXPECT_EQ(test, decode(s), -EBADMSG);
	/* No reason asked for. */
	KUNIT_EXPECT_EQ(test, dm_chain_sb_decode(s->page[0], &s->back, NULL), -EBADMSG);
}

enum content { ZEROS, FOREIGN, TORN, FUTURE, OUT_OF_RANGE, SEQ_1, SEQ_2, SEQ_MAX };

static void put(struct super *s, unsigned int slot, enum content content)
{
	u8 *page = s->page[slot];

	sample_minimal(&s->sb);
	s->sb.name[0] = 'A' + slot;
	s->sb.seq = content == SEQ_1 ? 1 : content == SEQ_MAX ? U64_MAX : 2;
	dm_chain_sb_encode(page, &s->sb);

	switch (content) {
	case ZEROS:
		memset(page, 0, PAGE);
		break;
	case FOREIGN:
		memset(page, 0x5a, PAGE);
		break;
	case TORN:
		page[1000] ^= 1;
		break;
	case FUTURE:
		sample_put(page, 12, 4, 2);
		sample_reseal(page);
		break;
	case OUT_OF_RANGE:
		sample_put(page, 120, 4, 1);
		sample_reseal(page);
		break;
	default:
		break;
	}
}

/* FUTURE and OUT_OF_RANGE have the sequence number 2. */
static void slot_choice(struct kunit *test)
{
	static const struct {
		enum content a, b;
		int result;	/* the slot or an error */
	} row[] = {
		{ ZEROS, ZEROS, -ENODATA },
		{ ZEROS, FOREIGN, -ENODATA },
		{ FOREIGN, ZEROS, -ENODATA },
		{ FOREIGN, FOREIGN, -ENODATA },
		{ ZEROS, TORN, -EBADMSG },
		{ FOREIGN, TORN, -EBADMSG },
		{ TORN, ZEROS, -EBADMSG },
		{ TORN, FOREIGN, -EBADMSG },
		{ TORN, TORN, -EBADMSG },
		{ SEQ_1, ZEROS, 0 },
		{ SEQ_1, FOREIGN, 0 },
		{ SEQ_1, TORN, 0 },
		{ ZEROS, SEQ_1, 1 },
		{ FOREIGN, SEQ_1, 1 },
		{ TORN, SEQ_1, 1 },
		{ SEQ_1, SEQ_1, 0 },
		{ SEQ_1, SEQ_2, 1 },
		{ SEQ_2, SEQ_1, 0 },
		{ SEQ_1, SEQ_MAX, 1 },
		{ SEQ_MAX, SEQ_1, 0 },
		/* The newer one counts, also if it cannot be used. */
		{ SEQ_1, FUTURE, -EOPNOTSUPP },
		{ FUTURE, SEQ_1, -EOPNOTSUPP },
		{ SEQ_MAX, FUTURE, 0 },
		{ FUTURE, SEQ_MAX, 1 },
		{ TORN, FUTURE, -EOPNOTSUPP },
		{ SEQ_1, OUT_OF_RANGE, -EINVAL },
		{ OUT_OF_RANGE, SEQ_1, -EINVAL },
		{ SEQ_MAX, OUT_OF_RANGE, 0 },
		{ OUT_OF_RANGE, ZEROS, -EINVAL },
	};
	struct super *s = super_new(test);
	const void *page[2] = { s->page[0], s->page[1] };
	unsigned int i, slot;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		int want = row[i].result, r;

		put(s, 0, row[i].a);
		put(s, 1, row[i].b);
		slot = 99;
		s->why.text[0] = '\0';
		r = dm_chain_sb_pick(page, &s->back, &slot, &s->why);
		KUNIT_EXPECT_EQ_MSG(test, r, min(want, 0), "row %u: %s", i, s->why.text);
		if (want < 0) {
			KUNIT_EXPECT_STRNEQ(test, s->why.text, "");
		} else {
			KUNIT_EXPECT_EQ_MSG(test, slot, want, "row %u", i);
			KUNIT_EXPECT_EQ_MSG(test, s->back.name[0], 'A' + want, "row %u", i);
		}
	}

	put(s, 0, TORN);
	put(s, 1, FOREIGN);
	dm_chain_sb_pick(page, &s->back, &slot, &s->why);
	KUNIT_EXPECT_STREQ(test, s->why.text,
			   "superblock: damaged: slot A holds a wrong checksum, slot B something else");
}

/*
 * Any bytes changed to anything, with the right checksum: refused with a
 * reason, or read as something that can be written and read again.
 */
static void garbage(struct kunit *test)
{
	struct super *s = super_new(test);
	unsigned int i, n, accepted = 0, refused = 0;
	u64 seed = 20261121;

	for (i = 0; i < 20000; i++) {
		if (i & 1)
			sample_full(&s->sb);
		else
			sample_minimal(&s->sb);
		dm_chain_sb_encode(s->page[0], &s->sb);
		for (n = 1 + random_below(&seed, 3); n; n--) {
			unsigned int at = 12 + random_below(&seed, 1232 - 12);
			unsigned int len = 1 + random_below(&seed, 8);

			sample_put(s->page[0], at, len,
				   random_below(&seed, 3) ? random_next(&seed) :
				   random_below(&seed, 2) ? 0 : U64_MAX);
		}
		if (i % 16 == 0)
			for (n = 12; n < PAGE; n++)
				s->page[0][n] = random_next(&seed);
		sample_reseal(s->page[0]);

		if (decode(s)) {
			refused++;
			KUNIT_ASSERT_STRNEQ(test, s->why.text, "");
			continue;
		}
		accepted++;
		KUNIT_ASSERT_EQ(test, dm_chain_sb_check(&s->back, NULL), 0);
		dm_chain_sb_encode(s->page[0], &s->back);
		memcpy(&s->sb, &s->back, sizeof(s->sb));
		KUNIT_ASSERT_EQ(test, decode(s), 0);
		s->sb.compat = 0;
		KUNIT_ASSERT_EQ(test, s->back.size, s->sb.size);
		KUNIT_ASSERT_STREQ(test, s->back.name, s->sb.name);
		KUNIT_ASSERT_STREQ(test, s->back.backing.path, s->sb.backing.path);
	}
	KUNIT_EXPECT_GT(test, accepted, 1000);
	KUNIT_EXPECT_GT(test, refused, 1000);
}

/* One character of every value, and paths as long as there is room for. */
static void path_characters(struct kunit *test)
{
	char path[DM_CHAIN_PATH_LEN + 1] = "/";
	unsigned int c;

	KUNIT_EXPECT_TRUE(test, dm_chain_path_valid(""));
	for (c = 1; c < 256; c++) {
		path[1] = c;
		KUNIT_EXPECT_EQ_MSG(test, dm_chain_path_valid(path),
				    c >= ' ' && c != 0x7f, "character %#x", c);
	}
	memset(path, '/', DM_CHAIN_PATH_LEN);
	KUNIT_EXPECT_FALSE(test, dm_chain_path_valid(path));
	path[DM_CHAIN_PATH_LEN - 1] = 0;
	KUNIT_EXPECT_TRUE(test, dm_chain_path_valid(path));
	path[DM_CHAIN_PATH_LEN - 2] = '\n';
	KUNIT_EXPECT_FALSE(test, dm_chain_path_valid(path));
}

static struct kunit_case super_cases[] = {
	KUNIT_CASE(path_characters),
	KUNIT_CASE(round_trips),
	KUNIT_CASE(longest_strings),
	KUNIT_CASE(on_disk),
	KUNIT_CASE(field_ranges),
	KUNIT_CASE(uuid_rules),
	KUNIT_CASE(strings_end),
	KUNIT_CASE(backing_rules),
	KUNIT_CASE(none_is_zeros),
	KUNIT_CASE(compat_is_cleared),
	KUNIT_CASE(every_byte),
	KUNIT_CASE(not_ours),
	KUNIT_CASE(slot_choice),
	KUNIT_CASE(garbage),
	{}
};

static struct kunit_suite super_suite = {
	.name = "dm-chain-super",
	.test_cases = super_cases,
};

kunit_test_suite(super_suite);
