// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: slots that are rebuilt from their checksums.
 */
#include "tools_test.h"

#include <linux/string.h>

#include "../unit/random.h"
#include "rebuild.h"

static const u8 uuid[DM_CHAIN_UUID_LEN] = "the layer's uuid";
static u64 random_state = 42;

static void fill(u8 *page, size_t len)
{
	while (len--)
		*page++ = random_next(&random_state);
}

/* A map page like any other. */
static void make_page(struct dm_chain_disk_page *page, u64 seq)
{
	fill(page->payload, sizeof(page->payload));
	dm_chain_page_seal(page, DM_CHAIN_MAP_MAGIC, uuid, 7, seq);
}

static enum rebuilt rebuild(void *page, const void *other)
{
	return rebuild_slot(page, other, DM_CHAIN_MAP_MAGIC, uuid, 7);
}

static void test_every_bit(void **state)
{
	struct dm_chain_disk_page page, bad;
	enum rebuilt how;
	u32 bit;

	make_page(&page, 5);
	for (bit = 0; bit < sizeof(page) * 8; bit++) {
		bad = page;
		((u8 *)&bad)[bit / 8] ^= 1 << bit % 8;
		how = rebuild(&bad, NULL);
		/* The magic is not covered, but known. */
		assert_int_equal(how, bit < 64 ? REBUILT_SECTORS : REBUILT_BIT);
		assert_memory_equal(&bad, &page, sizeof(page));
	}
}

static void test_sectors(void **state)
{
	struct dm_chain_disk_page page, other, bad;
	unsigned int set, i;

	make_page(&page, 5);
	for (set = 1; set < 256; set++) {
		/* The other slot is alike where this one is bad. */
		make_page(&other, 6);
		bad = page;
		for (i = 0; i < 8; i++) {
			size_t at = i ? i * 512 : 64;

			if (!(set & 1 << i))
				continue;
			memcpy((u8 *)&other + at, (u8 *)&page + at,
			       (i + 1) * 512 - at);
			fill((u8 *)&bad + at, (i + 1) * 512 - at);
		}
		assert_int_equal(rebuild(&bad, &other), REBUILT_SECTORS);
		assert_memory_equal(&bad, &page, sizeof(page));
	}
}

static void test_head(void **state)
{
	struct dm_chain_disk_page page, bad;

	make_page(&page, 5);
	bad = page;
	bad.head.magic[2] = 0;
	bad.head.magic[5] ^= 2;
	memset(bad.uuid, 0xff, sizeof(bad.uuid));
	bad.index = 0;
	assert_int_equal(rebuild(&bad, NULL), REBUILT_SECTORS);
	assert_memory_equal(&bad, &page, sizeof(page));
}

/* The page is not touched when nothing has its checksum. */
static void refuse(struct dm_chain_disk_page *bad, const void *other)
{
	struct dm_chain_disk_page before = *bad;

	assert_int_equal(rebuild(bad, other), REBUILT_NOT);
	assert_memory_equal(bad, &before, sizeof(before));
}

static void test_not(void **state)
{
	struct dm_chain_disk_page page, other, bad;
	unsigned int i;

	make_page(&page, 5);
	other = page;
	other.payload[1000] ^= 1;
	dm_chain_page_seal(&other, DM_CHAIN_MAP_MAGIC, uuid, 7, 6);

	/* Where they differ, the other slot is of no use. */
	bad = page;
	bad.payload[1000] ^= 2;
	bad.payload[1001] ^= 8;
	refuse(&bad, &other);

	/* A lost checksum or sequence number is not taken from the other slot. */
	bad = page;
	memset(&bad, 0, 512);
	refuse(&bad, &page);
	memset(&bad, 0, sizeof(bad));
	refuse(&bad, &page);
	for (i = 0; i < 200; i++) {
		fill((u8 *)&bad, sizeof(bad));
		memcpy(bad.head.magic, DM_CHAIN_MAP_MAGIC, DM_CHAIN_MAGIC_LEN);
		refuse(&bad, &page);
	}
}

/* A page of another kind, where a map page belongs: all but the magic is right. */
static void test_stray(void **state)
{
	struct dm_chain_disk_page page, stray = { };

	make_page(&page, 5);
	stray.payload[0] = 3;
	dm_chain_page_seal(&stray, DM_CHAIN_DIR_MAGIC, uuid, 7, 9);
	refuse(&stray, &page);
	/* Its magic damaged, too. */
	stray.head.magic[0] ^= 1;
	refuse(&stray, &page);
	memset(stray.head.magic, 0, sizeof(stray.head.magic));
	refuse(&stray, &page);
}

static void test_super(void **state)
{
	u8 page[DM_CHAIN_PAGE_SIZE] = { }, other[DM_CHAIN_PAGE_SIZE];
	u8 bad[DM_CHAIN_PAGE_SIZE];

	fill(page + 24, 1000);
	dm_chain_head_seal(page, DM_CHAIN_SB_MAGIC, 8);
	memcpy(other, page, sizeof(other));
	dm_chain_head_seal(other, DM_CHAIN_SB_MAGIC, 9);
	memcpy(bad, page, sizeof(bad));
	fill(bad + 24, 488);
	assert_int_equal(rebuild_slot(bad, other, DM_CHAIN_SB_MAGIC, NULL, 0),
			 REBUILT_SECTORS);
	assert_memory_equal(bad, page, sizeof(page));
}

const struct CMUnitTest rebuild_tests[] = {
	cmocka_unit_test(test_every_bit),
	cmocka_unit_test(test_sectors),
	cmocka_unit_test(test_head),
	cmocka_unit_test(test_not),
	cmocka_unit_test(test_stray),
	cmocka_unit_test(test_super),
};

const unsigned int nr_rebuild_tests = ARRAY_SIZE(rebuild_tests);
