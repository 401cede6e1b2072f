// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: how far the active layer can grow.
 */
#include "tools_test.h"

#include <errno.h>
#include <string.h>

#include "resize.h"

#define MIB	(1024ULL * 1024)

static const struct resize layer = {
	.layer = "E", .device = "/dev/vg/e", .now = 8 * MIB,
	.max_size = 32 * MIB, .data_size = 21 * MIB, .data_offset = MIB,
};

static int choose(struct resize resize, u64 wanted, u64 *size,
		  struct dm_chain_why *why)
{
	resize.wanted = wanted;
	return resize_choose(&resize, size, why);
}

static void test_all(void **state)
{
	struct resize resize = layer;
	struct dm_chain_why why = { "" };
	u64 size;

	assert_int_equal(choose(resize, 0, &size, &why), 0);
	assert_int_equal(size, 20 * MIB);
	resize.data_size += 1000;
	assert_int_equal(choose(resize, 0, &size, &why), 0);
	assert_int_equal(size, 20 * MIB + 512);
	resize.data_size = 100 * MIB;
	assert_int_equal(choose(resize, 0, &size, &why), 0);
	assert_int_equal(size, 32 * MIB);
}

/* Nothing to gain is no error, and no reason to become smaller. */
static void test_no_more(void **state)
{
	struct resize resize = layer;
	struct dm_chain_why why = { "" };
	u64 size;

	resize.data_size = 9 * MIB;
	assert_int_equal(choose(resize, 0, &size, &why), 0);
	assert_int_equal(size, 8 * MIB);
	resize.data_size = 5 * MIB;
	assert_int_equal(choose(resize, 0, &size, &why), 0);
	assert_int_equal(size, 8 * MIB);
	resize.data_size = 0;
	assert_int_equal(choose(resize, 0, &size, &why), 0);
	assert_int_equal(size, 8 * MIB);
	assert_int_equal(choose(resize, 8 * MIB, &size, &why), 0);
	assert_int_equal(size, 8 * MIB);
}

static void test_given(void **state)
{
	struct dm_chain_why why = { "" };
	u64 size;

	assert_int_equal(choose(layer, 8 * MIB + 512, &size, &why), 0);
	assert_int_equal(size, 8 * MIB + 512);
	assert_int_equal(choose(layer, 20 * MIB, &size, &why), 0);
	assert_int_equal(size, 20 * MIB);
}

static void test_refused(void **state)
{
	struct dm_chain_why why = { "" };
	u64 size;

	assert_int_equal(choose(layer, 8 * MIB - 512, &size, &why), -EINVAL);
	assert_non_null(strstr(why.text, "layer E has 8388608 bytes (8M)"));
	assert_non_null(strstr(why.text, "not shrink to 8388096"));
	assert_int_equal(choose(layer, 20 * MIB + 512, &size, &why), -ENOSPC);
	assert_non_null(strstr(why.text, "/dev/vg/e has 20M"));
	assert_int_equal(choose(layer, 32 * MIB + 512, &size, &why), -ERANGE);
	assert_non_null(strstr(why.text, "at most 33554432 bytes (32M)"));
}

const struct CMUnitTest resize_tests[] = {
	cmocka_unit_test(test_all),
	cmocka_unit_test(test_no_more),
	cmocka_unit_test(test_given),
	cmocka_unit_test(test_refused),
};

const unsigned int nr_resize_tests = ARRAY_SIZE(resize_tests);
