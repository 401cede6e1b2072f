// SPDX-License-Identifier: GPL-2.0
/* Names, UUIDs, the layout of the metadata, map and directory pages. */
#include <kunit/test.h>

#include "dm-chain-codec.h"
#include "random.h"
#include "sample.h"

#define PAGE	DM_CHAIN_PAGE_SIZE
#define OUR_SEQ	41

static void name_form(struct kunit *test)
{
	static const char * const good[] = {
		"A", "a", "0", "_", "Z9", "_a", "a.b", "a+b", "a-b", "zero0",
		"Zero", "zer", "0123456789.+-_ABCDEFXYZabcdefxyz",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	static const char * const bad[] = {
		"", ".", "+", "-", ".a", "+a", "-a", "a b", "a/b", "a\n", "a:",
		"a=b", "a,b", "\x80", "a\xc3\xa4", " a", "zero",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	unsigned int i;

	KUNIT_ASSERT_EQ(test, strlen(good[ARRAY_SIZE(good) - 1]), 63);
	KUNIT_ASSERT_EQ(test, strlen(bad[ARRAY_SIZE(bad) - 1]), 64);

	for (i = 0; i < ARRAY_SIZE(good); i++)
		KUNIT_EXPECT_TRUE_MSG(test, dm_chain_name_valid(good[i]),
				      "'%s'", good[i]);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, dm_chain_name_valid(bad[i]),
				       "'%s'", bad[i]);
}

/* One character of every value, alone and as the second one. */
static void name_characters(struct kunit *test)
{
	char first[2] = "", second[3] = "a";
	unsigned int c;

	for (c = 1; c < 256; c++) {
		bool start = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			     (c >= '0' && c <= '9') || c == '_';
		bool rest = start || c == '.' || c == '+' || c == '-';

		first[0] = c;
		second[1] = c;
		KUNIT_EXPECT_EQ_MSG(test, dm_chain_name_valid(first), start,
				    "character %#x", c);
		KUNIT_EXPECT_EQ_MSG(test, dm_chain_name_valid(second), rest,
				    "character %#x", c);
	}
}

static void block_sizes(struct kunit *test)
{
	unsigned int shift;

	for (shift = 0; shift < 64; shift++) {
		u64 bytes = 1ULL << shift;
		bool valid = shift >= 12 && shift <= 20;

		KUNIT_EXPECT_EQ(test, dm_chain_block_size_valid(bytes), valid);
		KUNIT_EXPECT_FALSE(test, dm_chain_block_size_valid(bytes + 512));
	}
	KUNIT_EXPECT_FALSE(test, dm_chain_block_size_valid(0));
	KUNIT_EXPECT_FALSE(test, dm_chain_block_size_valid(4096 * 3));
	KUNIT_EXPECT_FALSE(test, dm_chain_block_size_valid((1ULL << 32) + 4096));
}

static void uuid_text(struct kunit *test)
{
	static const u8 bytes[] = {
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
		0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10,
	};
	static const char lower[] = "01234567-89ab-cdef-fedc-ba9876543210";
	static const char * const bad[] = {
		"", "0", "0123456789abcdeffedcba9876543210",
		"01234567-89ab-cdef-fedc-ba987654321",
		"01234567-89ab-cdef-fedc-ba98765432100",
		"01234567-89ab-cdef-fedc-ba987654321g",
		"0123456-789ab-cdef-fedc-ba9876543210",
		"01234567-89ab-cdef-fedcba-9876543210",
		"g1234567-89ab-cdef-fedc-ba9876543210",
		" 1234567-89ab-cdef-fedc-ba9876543210",
		"01234567+89ab-cdef-fedc-ba9876543210",
	};
	char text[DM_CHAIN_UUID_TEXT];
	u8 uuid[DM_CHAIN_UUID_LEN];
	unsigned int i;

	dm_chain_uuid_format(bytes, text);
	KUNIT_EXPECT_STREQ(test, text, lower);

	memset(uuid, 0xaa, sizeof(uuid));
	KUNIT_EXPECT_TRUE(test, dm_chain_uuid_parse(lower, uuid));
	KUNIT_EXPECT_MEMEQ(test, uuid, bytes, sizeof(bytes));
	memset(uuid, 0xaa, sizeof(uuid));
	KUNIT_EXPECT_TRUE(test, dm_chain_uuid_parse("01234567-89AB-CDEF-FEDC-BA9876543210", uuid));
	KUNIT_EXPECT_MEMEQ(test, uuid, bytes, sizeof(bytes));

	memset(uuid, 0xaa, sizeof(uuid));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, dm_chain_uuid_parse(bad[i], uuid),
				       "'%s'", bad[i]);
	KUNIT_EXPECT_NULL(test, memchr_inv(uuid, 0xaa, sizeof(uuid)));

	KUNIT_EXPECT_FALSE(test, dm_chain_uuid_is_null(bytes));
	memset(uuid, 0, sizeof(uuid));
	KUNIT_EXPECT_TRUE(test, dm_chain_uuid_is_null(uuid));
	uuid[15] = 1;
	KUNIT_EXPECT_FALSE(test, dm_chain_uuid_is_null(uuid));
}

/*
 * A map page holds 4032 * 4 = 16128 blocks, a directory page 4032 * 8 = 32256
 * map pages. Area A begins at 192 KiB = 196608; L bytes long it ends at
 * 196608 + L; area B begins 64 KiB behind that, rounded up to 64 KiB.
 */
static void geometry_by_hand(struct kunit *test)
{
	static const struct {
		u64 max_size;
		u32 block_size;
		struct dm_chain_geometry geo;
	} row[] = {
		/*
		 * A layer of 1 GiB with room for 4: 4 GiB / 4 KiB = 1048576
		 * blocks, / 16128 = 65.02. L = (66 + 1) * 4096 = 274432. A ends
		 * at 471040, up to 8 * 65536 = 524288, B at 589824, its end at
		 * 864256: inline data begins at 1 MiB.
		 */
		{ 4 * GIB, 4096,
		  { 1048576, 66, 1, { 196608, 589824 }, 864256, MIB } },
		/*
		 * The least: L = 2 * 4096. A ends at 204800, up to 4 * 65536 =
		 * 262144, B at 327680.
		 */
		{ 4096, 4096,
		  { 1, 1, 1, { 196608, 327680 }, 335872, MIB } },
		{ 512, 1048576,
		  { 1, 1, 1, { 196608, 327680 }, 335872, MIB } },
		/* One map page full: 16128 * 4096 bytes; and a sector more. */
		{ 66060288, 4096,
		  { 16128, 1, 1, { 196608, 327680 }, 335872, MIB } },
		{ 66060800, 4096,
		  { 16129, 2, 1, { 196608, 327680 }, 339968, MIB } },
		/*
		 * One directory page full: 32256 * 16128 blocks, L = 32257 *
		 * 4096 = 132124672, A ends at 132321280, up to 2020 * 65536 =
		 * 132382720. B's end 264572928 / 1048576 = 252.3.
		 */
		{ 2130840649728, 4096,
		  { 520224768, 32256, 1, { 196608, 132448256 }, 264572928,
		    253 * MIB } },
		{ 2130840650240, 4096,
		  { 520224769, 32257, 2, { 196608, 132448256 }, 264581120,
		    253 * MIB } },
		/* 2^40 / 2^16 = 2^24 blocks, / 16128 = 1040.3. */
		{ TIB, 65536,
		  { 16777216, 1041, 1, { 196608, 4587520 }, 8855552, 9 * MIB } },
		/* 2^46 / 2^12 = 2^34 blocks, / 16128 = 1065220.1, / 32256 = 33.02. */
		{ 64 * TIB, 4096,
		  { 17179869184, 1065221, 34, { 196608, 4363583488 },
		    8726867968, 8323 * MIB } },
		/* 2^32 - 1 map pages, the most there can be. */
		{ 283726776458280960, 4096,
		  { 69269232533760, 4294967295U, 133153,
		    { 196608, 17592731697152 }, 35185463132160,
		    35185463656448 } },
		/* The largest size there is, in the largest blocks. */
		{ S64_MAX - 511, 1048576,
		  { 8796093022208, 545392673, 16909,
		    { 196608, 2233997918208 }, 4467995566080, 4467995967488 } },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		const struct dm_chain_geometry *want = &row[i].geo;
		struct dm_chain_geometry geo = { 0 };

		KUNIT_EXPECT_EQ(test, dm_chain_geometry_init(&geo, row[i].block_size,
							     row[i].max_size, NULL), 0);
		KUNIT_EXPECT_EQ_MSG(test, geo.blocks, want->blocks, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, geo.map_pages, want->map_pages, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, geo.dir_pages, want->dir_pages, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, geo.area[0], want->area[0], "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, geo.area[1], want->area[1], "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, geo.end, want->end, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, geo.data_offset, want->data_offset,
				    "row %u", i);
	}
}

static void geometry_refused(struct kunit *test)
{
	static const struct {
		u64 max_size;
		u32 block_size;
		const char *word;
	} row[] = {
		{ 283726776458280960 + 512, 4096, "larger blocks" },
		{ 1024 * 1024 * TIB, 4096, "larger blocks" },
		{ S64_MAX - 511, 65536, "larger blocks" },
		{ S64_MAX + 1ULL, 1048576, "any device" },
		{ U64_MAX - 511, 4096, "any device" },
		{ U64_MAX, 1048576, "any device" },
	};
	struct dm_chain_geometry geo;
	struct dm_chain_why why;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		why.text[0] = '\0';
		KUNIT_EXPECT_EQ_MSG(test, dm_chain_geometry_init(&geo, row[i].block_size,
								 row[i].max_size, &why),
				    -EINVAL, "row %u", i);
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(why.text, row[i].word),
					  "row %u: %s", i, why.text);
	}
}

/* Nothing overlaps, and the slots of one thing lie at least 64 KiB apart. */
static void geometry_apart(struct kunit *test)
{
	u64 max_size;
	u32 bs;

	for (bs = 4096; bs <= 1048576; bs *= 2) {
		for (max_size = 512; max_size < 1000 * TIB; max_size = max_size * 3 + 512) {
			struct dm_chain_geometry g;
			u64 last;

			KUNIT_ASSERT_EQ(test, dm_chain_geometry_init(&g, bs, max_size, NULL), 0);
			KUNIT_EXPECT_GE(test, dm_chain_sb_offset(1) - dm_chain_sb_offset(0),
					64 * KIB);
			KUNIT_EXPECT_GE(test, dm_chain_dir_offset(&g, 0, 0),
					dm_chain_sb_offset(1) + 4096);
			KUNIT_EXPECT_EQ(test, dm_chain_map_offset(&g, 0, 0),
					dm_chain_dir_offset(&g, 0, g.dir_pages - 1) + 4096);
			last = dm_chain_map_offset(&g, 0, g.map_pages - 1) + 4096;
			KUNIT_EXPECT_GE(test, dm_chain_dir_offset(&g, 1, 0), last + 64 * KIB);
			KUNIT_EXPECT_LT(test, dm_chain_dir_offset(&g, 1, 0), last + 128 * KIB);
			KUNIT_EXPECT_EQ(test, dm_chain_map_offset(&g, 1, g.map_pages - 1) + 4096,
					g.end);
			KUNIT_EXPECT_GE(test, g.data_offset, g.end);
			KUNIT_EXPECT_EQ(test, g.data_offset % MIB, 0);
			KUNIT_EXPECT_GE(test, g.blocks * bs, max_size);
			KUNIT_EXPECT_LT(test, (g.blocks - 1) * bs, max_size);
		}
	}
}

/* Two slots of a page, the index 7 of the layer 0x11, and what was found. */
struct slots {
	struct dm_chain_disk_page page[2];
	struct dm_chain_disk_page spare;
	struct dm_chain_why why;
	u8 uuid[DM_CHAIN_UUID_LEN];
	const char *magic;
	unsigned int slot;
	bool fell_back;
};

#define INDEX	7

static struct slots *slots_new(struct kunit *test, const char *magic)
{
	struct slots *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	sample_uuid(s->uuid, 0x11);
	s->magic = magic;
	return s;
}

/* Every other block `data`, every fourth `zero`. */
static void slots_fill(struct slots *s, unsigned int slot, u64 seq)
{
	memset(s->page[slot].pad, 0xff, sizeof(s->page[slot].pad));
	memset(s->page[slot].payload, 0x64, DM_CHAIN_PAYLOAD);
	dm_chain_page_seal(&s->page[slot], s->magic, s->uuid, INDEX, seq);
}

static int slots_pick(struct slots *s, bool clean)
{
	const struct dm_chain_disk_page *page[2] = { &s->page[0], &s->page[1] };

	s->slot = 99;
	s->fell_back = false;
	s->why.text[0] = '\0';
	return dm_chain_page_pick(page, s->magic, s->uuid, INDEX, clean,
				  &s->slot, &s->fell_back, &s->why);
}

static void page_on_disk(struct kunit *test)
{
	static const char * const magic[] = { "DMC-DIR_", "DMC-MAP_" };
	unsigned int i;

	KUNIT_EXPECT_EQ(test, sizeof(struct dm_chain_disk_page), 4096);
	for (i = 0; i < ARRAY_SIZE(magic); i++) {
		struct slots *s = slots_new(test, magic[i]);
		u8 *p = (u8 *)&s->page[0];

		slots_fill(s, 0, 0x0102030405060708ULL);
		KUNIT_EXPECT_MEMEQ(test, p, magic[i], 8);
		KUNIT_EXPECT_EQ(test, sample_get(p, 8, 4),
				(u32)~crc32c(~0U, p + 12, 4084));
		KUNIT_EXPECT_EQ(test, sample_get(p, 12, 4), 1);
		KUNIT_EXPECT_EQ(test, sample_get(p, 16, 8), 0x0102030405060708ULL);
		KUNIT_EXPECT_EQ(test, sample_get(p, 24, 8), INDEX);
		KUNIT_EXPECT_MEMEQ(test, p + 32, s->uuid, 16);
		KUNIT_EXPECT_NULL(test, memchr_inv(p + 48, 0, 16));
		KUNIT_EXPECT_NULL(test, memchr_inv(p + 64, 0x64, 4032));
		KUNIT_EXPECT_EQ(test, dm_chain_slot_classify(p, magic[i]),
				DM_CHAIN_SLOT_GOOD);
		KUNIT_EXPECT_EQ(test, dm_chain_slot_classify(p, magic[!i]),
				DM_CHAIN_SLOT_FOREIGN);
	}
}

/* The check value of CRC-32C, and that of a page that is all zeros behind. */
static void checksum(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, (u32)~crc32c(~0U, "123456789", 9), 0xe3069283);
}

/*
 * One byte changed, whichever and however: never taken for good. So whatever a
 * power cut leaves of the newer slot, the older one is taken, and in a layer
 * that was closed cleanly the page is refused.
 */
static void page_every_byte(struct kunit *test)
{
	struct slots *s = slots_new(test, DM_CHAIN_MAP_MAGIC);
	static const u8 flip[] = { 0x01, 0x80, 0xff };
	unsigned int i, f, slot;

	slots_fill(s, 0, OUR_SEQ);
	slots_fill(s, 1, OUR_SEQ + 1);
	for (i = 0; i < PAGE; i++) {
		slot = i & 1;
		for (f = 0; f < ARRAY_SIZE(flip); f++) {
			u8 *byte = (u8 *)&s->page[slot] + i;

			*byte ^= flip[f];
			KUNIT_ASSERT_NE(test, dm_chain_slot_classify(&s->page[slot], s->magic),
					DM_CHAIN_SLOT_GOOD);
			KUNIT_ASSERT_EQ(test, slots_pick(s, false), 0);
			KUNIT_ASSERT_EQ(test, s->slot, !slot);
			KUNIT_ASSERT_TRUE(test, s->fell_back);
			if (f == 0)
				KUNIT_ASSERT_EQ(test, slots_pick(s, true), -EBADMSG);
			*byte ^= flip[f];
		}
	}
	KUNIT_EXPECT_EQ(test, slots_pick(s, true), 0);
}

/* The newer page arrived in part: its first or its last sectors. */
static void page_torn_by_sectors(struct kunit *test)
{
	struct slots *s = slots_new(test, DM_CHAIN_MAP_MAGIC);
	u8 *old = (u8 *)&s->page[0], *new = (u8 *)&s->spare;
	u8 *torn = (u8 *)&s->page[1];
	unsigned int cut;

	slots_fill(s, 1, OUR_SEQ + 2);
	s->page[1].payload[10] = 0;
	s->page[1].payload[4000] = 0;
	dm_chain_page_seal(&s->page[1], s->magic, s->uuid, INDEX, OUR_SEQ + 2);
	memcpy(new, torn, PAGE);
	slots_fill(s, 0, OUR_SEQ);

	for (cut = 512; cut < PAGE; cut += 512) {
		memcpy(torn, new, cut);
		memcpy(torn + cut, old + cut, PAGE - cut);
		KUNIT_EXPECT_EQ(test, slots_pick(s, false), 0);
		KUNIT_EXPECT_EQ(test, s->slot, 0);
		KUNIT_EXPECT_TRUE(test, s->fell_back);

		memcpy(torn, old, cut);
		memcpy(torn + cut, new + cut, PAGE - cut);
		KUNIT_EXPECT_EQ(test, slots_pick(s, false), 0);
		KUNIT_EXPECT_EQ(test, s->slot, 0);
		KUNIT_EXPECT_TRUE(test, s->fell_back);
	}

	memcpy(torn, new, PAGE);
	KUNIT_EXPECT_EQ(test, slots_pick(s, false), 0);
	KUNIT_EXPECT_EQ(test, s->slot, 1);
	KUNIT_EXPECT_FALSE(test, s->fell_back);
}

enum content { ZEROS, FOREIGN, TORN, SEQ_1, SEQ_2, SEQ_MAX };

static void slots_put(struct slots *s, unsigned int slot, enum content content)
{
	switch (content) {
	case ZEROS:
		memset(&s->page[slot], 0, PAGE);
		break;
	case FOREIGN:
		memset(&s->page[slot], 0x5a, PAGE);
		break;
	case TORN:
		slots_fill(s, slot, 1000);
		s->page[slot].payload[77] ^= 4;
		break;
	case SEQ_1:
		slots_fill(s, slot, 1);
		break;
	case SEQ_2:
		slots_fill(s, slot, 2);
		break;
	case SEQ_MAX:
		slots_fill(s, slot, U64_MAX);
		break;
	}
}

static void page_slot_choice(struct kunit *test)
{
	static const struct {
		enum content a, b;
		int slot;	/* of a layer that is not clean, -1 = refused */
		bool clean;	/* is it fine for a clean layer, too? */
	} row[] = {
		{ ZEROS, ZEROS, -1, false },
		{ ZEROS, FOREIGN, -1, false },
		{ ZEROS, TORN, -1, false },
		{ FOREIGN, FOREIGN, -1, false },
		{ FOREIGN, TORN, -1, false },
		{ TORN, ZEROS, -1, false },
		{ TORN, FOREIGN, -1, false },
		{ TORN, TORN, -1, false },
		{ SEQ_1, ZEROS, 0, false },
		{ SEQ_1, FOREIGN, 0, false },
		{ SEQ_1, TORN, 0, false },
		{ ZEROS, SEQ_1, 1, false },
		{ FOREIGN, SEQ_1, 1, false },
		{ TORN, SEQ_1, 1, false },
		{ SEQ_1, SEQ_1, 0, true },	/* the first commit */
		{ SEQ_1, SEQ_2, 1, true },
		{ SEQ_2, SEQ_1, 0, true },
		{ SEQ_2, SEQ_2, 0, true },
		{ SEQ_1, SEQ_MAX, 1, true },
		{ SEQ_MAX, SEQ_2, 0, true },
	};
	static const char * const magic[] = {
		DM_CHAIN_DIR_MAGIC, DM_CHAIN_MAP_MAGIC
	};
	struct slots *s;
	unsigned int i, m;

	for (m = 0; m < ARRAY_SIZE(magic); m++) {
		s = slots_new(test, magic[m]);
		for (i = 0; i < ARRAY_SIZE(row); i++) {
			int want = row[i].slot;

			slots_put(s, 0, row[i].a);
			slots_put(s, 1, row[i].b);

			KUNIT_EXPECT_EQ_MSG(test, slots_pick(s, false),
					    want < 0 ? -EBADMSG : 0, "row %u", i);
			if (want < 0) {
				KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(s->why.text, "page 7"),
							  "row %u: %s", i, s->why.text);
			} else {
				KUNIT_EXPECT_EQ_MSG(test, s->slot, want, "row %u", i);
				KUNIT_EXPECT_EQ_MSG(test, s->fell_back, !row[i].clean,
						    "row %u", i);
			}

			KUNIT_EXPECT_EQ_MSG(test, slots_pick(s, true),
					    row[i].clean ? 0 : -EBADMSG, "row %u", i);
			if (row[i].clean) {
				KUNIT_EXPECT_EQ_MSG(test, s->slot, want, "row %u", i);
				KUNIT_EXPECT_FALSE_MSG(test, s->fell_back, "row %u", i);
			}
		}
	}
}

static void page_refusals_name_the_page(struct kunit *test)
{
	struct slots *map = slots_new(test, DM_CHAIN_MAP_MAGIC);
	struct slots *dir = slots_new(test, DM_CHAIN_DIR_MAGIC);

	slots_put(map, 0, TORN);
	slots_put(map, 1, SEQ_1);
	slots_pick(map, true);
	KUNIT_EXPECT_STREQ(test, map->why.text,
			   "map page 7: slot A holds a wrong checksum, though the layer was closed cleanly");
	slots_put(map, 0, SEQ_1);
	slots_put(map, 1, FOREIGN);
	slots_pick(map, true);
	KUNIT_EXPECT_STREQ(test, map->why.text,
			   "map page 7: slot B holds something else, though the layer was closed cleanly");
	slots_put(dir, 0, ZEROS);
	slots_put(dir, 1, TORN);
	slots_pick(dir, false);
	KUNIT_EXPECT_STREQ(test, dir->why.text,
			   "directory page 7: slot A holds nothing but zeros, slot B a wrong checksum");
}

/*
 * A page whose checksum is right and that is not the one that belongs there is
 * damage, in either slot, newer or older, clean or not.
 */
static void page_from_elsewhere(struct kunit *test)
{
	struct slots *s = slots_new(test, DM_CHAIN_MAP_MAGIC);
	unsigned int slot, clean;
	u8 other[DM_CHAIN_UUID_LEN];
	u64 seq;

	sample_uuid(other, 0x99);
	for (slot = 0; slot < 2; slot++) {
		for (clean = 0; clean < 2; clean++) {
			for (seq = 1; seq < 4; seq += 2) {
				slots_fill(s, !slot, 2);
				dm_chain_page_seal(&s->page[slot], s->magic, s->uuid, 9, seq);
				KUNIT_EXPECT_EQ(test, slots_pick(s, clean), -EBADMSG);
				KUNIT_EXPECT_NOT_NULL(test, strstr(s->why.text, "map page 7"));
				KUNIT_EXPECT_NOT_NULL(test, strstr(s->why.text, "carries index 9"));

				dm_chain_page_seal(&s->page[slot], s->magic, other, INDEX, seq);
				KUNIT_EXPECT_EQ(test, slots_pick(s, clean), -EBADMSG);
				KUNIT_EXPECT_NOT_NULL(test, strstr(s->why.text, "99999999-9999-"));
				KUNIT_EXPECT_NOT_NULL(test, strstr(s->why.text, "11111111-1111-"));

				slots_fill(s, slot, seq);
				sample_put(&s->page[slot], 12, 4, 2);
				sample_reseal(&s->page[slot]);
				KUNIT_EXPECT_EQ(test, slots_pick(s, clean), -EBADMSG);
				KUNIT_EXPECT_NOT_NULL(test, strstr(s->why.text, "version 2"));

				slots_fill(s, slot, seq);
				/* index 7 + 2^32 */
				sample_put(&s->page[slot], 28, 4, 1);
				sample_reseal(&s->page[slot]);
				KUNIT_EXPECT_EQ(test, slots_pick(s, clean), -EBADMSG);
				KUNIT_EXPECT_NOT_NULL(test, strstr(s->why.text, "4294967303"));
			}
		}
	}
}

/* A directory page where a map page belongs does not pass for one. */
static void page_of_the_other_kind(struct kunit *test)
{
	struct slots *s = slots_new(test, DM_CHAIN_DIR_MAGIC);

	slots_fill(s, 0, 1);
	slots_fill(s, 1, 1);
	KUNIT_EXPECT_EQ(test, slots_pick(s, false), 0);
	s->magic = DM_CHAIN_MAP_MAGIC;
	KUNIT_EXPECT_EQ(test, slots_pick(s, false), -EBADMSG);
}

static void page_bad_state(struct kunit *test)
{
	struct slots *s = slots_new(test, DM_CHAIN_MAP_MAGIC);
	char want[64];
	unsigned int n;

	for (n = 0; n < DM_CHAIN_BLOCKS_PER_PAGE; n += n < 40 ? 1 : 997) {
		slots_fill(s, 0, 1);
		slots_fill(s, 1, 1);
		dm_chain_state_set(s->page[1].payload, n, DM_CHAIN_BAD_STATE);
		dm_chain_page_seal(&s->page[1], s->magic, s->uuid, INDEX, 1);
		KUNIT_EXPECT_EQ(test, slots_pick(s, true), -EBADMSG);
		KUNIT_EXPECT_EQ(test, slots_pick(s, false), -EBADMSG);
		snprintf(want, sizeof(want), "slot B: block %u is", 7 * 16128 + n);
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(s->why.text, want),
					  "%s: %s", want, s->why.text);
	}

	/* In a directory two bits side by side are nothing special. */
	s->magic = DM_CHAIN_DIR_MAGIC;
	slots_fill(s, 0, 1);
	slots_fill(s, 1, 1);
	memset(s->page[0].payload, 0xff, DM_CHAIN_PAYLOAD);
	dm_chain_page_seal(&s->page[0], s->magic, s->uuid, INDEX, 1);
	KUNIT_EXPECT_EQ(test, slots_pick(s, true), 0);
}

/* The last number that can be written to, and the first that cannot. */
static void sequence_numbers(struct kunit *test)
{
	static const struct {
		const char *magic;
		const char *names;
	} row[] = {
		{ DM_CHAIN_SB_MAGIC, "superblock: the sequence number 9223372036854775808" },
		{ DM_CHAIN_DIR_MAGIC, "directory page 7: the sequence number 9223372036854775808" },
		{ DM_CHAIN_MAP_MAGIC, "map page 7: the sequence number 9223372036854775808" },
	};
	struct dm_chain_why why;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		KUNIT_EXPECT_EQ(test, dm_chain_seq_check(row[i].magic, 7, S64_MAX, &why), 0);
		KUNIT_EXPECT_EQ(test, dm_chain_seq_check(row[i].magic, 7, U64_MAX, NULL), -EBADMSG);
		KUNIT_EXPECT_EQ(test, dm_chain_seq_check(row[i].magic, 7, S64_MAX + 1ULL, &why),
				-EBADMSG);
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(why.text, row[i].names), "%s", why.text);
	}
}

static void states_on_disk(struct kunit *test)
{
	struct slots *s = slots_new(test, DM_CHAIN_MAP_MAGIC);
	u8 *payload = s->page[0].payload;

	dm_chain_state_set(payload, 0, DM_CHAIN_DATA);
	dm_chain_state_set(payload, 1, DM_CHAIN_ZERO);
	dm_chain_state_set(payload, 3, DM_CHAIN_ZERO);
	dm_chain_state_set(payload, 6, DM_CHAIN_DATA);
	dm_chain_state_set(payload, 16127, DM_CHAIN_ZERO);
	KUNIT_EXPECT_EQ(test, payload[0], 0x89);
	KUNIT_EXPECT_EQ(test, payload[1], 0x10);
	KUNIT_EXPECT_EQ(test, payload[4031], 0x80);
	dm_chain_state_set(payload, 0, DM_CHAIN_ZERO);
	dm_chain_state_set(payload, 3, DM_CHAIN_UNALLOCATED);
	KUNIT_EXPECT_EQ(test, payload[0], 0x0a);

	payload = s->page[1].payload;
	dm_chain_dir_set(payload, 0);
	dm_chain_dir_set(payload, 11);
	dm_chain_dir_set(payload, 32255);
	KUNIT_EXPECT_EQ(test, payload[0], 0x01);
	KUNIT_EXPECT_EQ(test, payload[1], 0x08);
	KUNIT_EXPECT_EQ(test, payload[4031], 0x80);
	KUNIT_EXPECT_TRUE(test, dm_chain_dir_get(payload, 11));
	KUNIT_EXPECT_FALSE(test, dm_chain_dir_get(payload, 10));
	KUNIT_EXPECT_TRUE(test, dm_chain_dir_get(payload, 32255));
}

/* Against one byte a block; runs of all lengths, from all alignments. */
static void state_runs(struct kunit *test)
{
	struct slots *s = slots_new(test, DM_CHAIN_MAP_MAGIC);
	u8 *model = kunit_kzalloc(test, DM_CHAIN_BLOCKS_PER_PAGE, GFP_KERNEL);
	u8 *payload = s->page[0].payload;
	u64 seed = 1;
	u32 n, i;

	KUNIT_ASSERT_NOT_NULL(test, model);
	KUNIT_EXPECT_EQ(test, dm_chain_state_run(payload, 0, 16128), 16128);
	KUNIT_EXPECT_EQ(test, dm_chain_state_run(payload, 16127, 1), 1);

	for (n = 0; n < DM_CHAIN_BLOCKS_PER_PAGE; ) {
		u32 len = 1 + random_below(&seed, random_below(&seed, 4) ? 12 : 300);
		u8 state = random_below(&seed, 3);

		for (; len && n < DM_CHAIN_BLOCKS_PER_PAGE; len--, n++) {
			model[n] = state;
			dm_chain_state_set(payload, n, state);
		}
	}

	for (i = 0; i < 20000; i++) {
		u32 want, max;

		n = random_below(&seed, DM_CHAIN_BLOCKS_PER_PAGE);
		max = 1 + random_below(&seed, DM_CHAIN_BLOCKS_PER_PAGE - n);
		for (want = 1; want < max && model[n + want] == model[n]; )
			want++;
		KUNIT_ASSERT_EQ(test, dm_chain_state_get(payload, n), model[n]);
		KUNIT_ASSERT_EQ(test, dm_chain_state_run(payload, n, max), want);
	}
}

/* Fills from and to all alignments, and sums, against one byte a block. */
static void state_fills_and_counts(struct kunit *test)
{
	struct slots *s = slots_new(test, DM_CHAIN_MAP_MAGIC);
	u8 *model = kunit_kzalloc(test, DM_CHAIN_BLOCKS_PER_PAGE, GFP_KERNEL);
	u8 *payload = s->page[0].payload;
	u32 i, n, data, zero, sum[3];
	u64 seed = 7;

	KUNIT_ASSERT_NOT_NULL(test, model);
	for (i = 0; i < 300; i++) {
		u32 from = random_below(&seed, DM_CHAIN_BLOCKS_PER_PAGE);
		u32 max = DM_CHAIN_BLOCKS_PER_PAGE - from;
		u32 count = random_below(&seed, i % 2 ? min(max, 20U) : max + 1);
		u8 state = random_below(&seed, 3);

		dm_chain_state_fill(payload, from, count, state);
		memset(model + from, state, count);

		memset(sum, 0, sizeof(sum));
		for (n = 0; n < DM_CHAIN_BLOCKS_PER_PAGE; n++) {
			KUNIT_ASSERT_EQ(test, dm_chain_state_get(payload, n),
					model[n]);
			sum[model[n]]++;
		}
		dm_chain_state_count(payload, &data, &zero);
		KUNIT_ASSERT_EQ(test, data, sum[DM_CHAIN_DATA]);
		KUNIT_ASSERT_EQ(test, zero, sum[DM_CHAIN_ZERO]);
	}
}

static struct kunit_case codec_cases[] = {
	KUNIT_CASE(name_form),
	KUNIT_CASE(name_characters),
	KUNIT_CASE(block_sizes),
	KUNIT_CASE(uuid_text),
	KUNIT_CASE(geometry_by_hand),
	KUNIT_CASE(geometry_refused),
	KUNIT_CASE(geometry_apart),
	KUNIT_CASE(checksum),
	KUNIT_CASE(page_on_disk),
	KUNIT_CASE(page_every_byte),
	KUNIT_CASE(page_torn_by_sectors),
	KUNIT_CASE(page_slot_choice),
	KUNIT_CASE(page_refusals_name_the_page),
	KUNIT_CASE(page_from_elsewhere),
	KUNIT_CASE(page_of_the_other_kind),
	KUNIT_CASE(page_bad_state),
	KUNIT_CASE(sequence_numbers),
	KUNIT_CASE(states_on_disk),
	KUNIT_CASE(state_runs),
	KUNIT_CASE(state_fills_and_counts),
	{}
};

static struct kunit_suite codec_suite = {
	.name = "dm-chain-codec",
	.test_cases = codec_cases,
};

kunit_test_suite(codec_suite);
