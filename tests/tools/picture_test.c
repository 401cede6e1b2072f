// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: pictures of maps.
 */
#include "tools_test.h"

#include <stdlib.h>
#include <string.h>
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "picture.h"

#define ZEROS	DM_CHAIN_MAX_LAYERS

/* Of a model that knows the owner of every byte, the same in every column. */
static void test_columns(void **state)
{
	static const char * const names[] = { NULL, "A", "B", "C" };
	static const u64 sizes[] = { 512, 1000 * 512, 4096 * 77 };
	static const unsigned int columns[] = { 1, 7, 78, 800 };
	static const unsigned int place[] = { ZEROS, 0, 1, 2 };
	unsigned int s, c, n, i;
	struct picture picture;
	u64 at, end;
	u8 *owner;

	srand(1);
	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		owner = malloc(sizes[s]);
		for (at = 0; at < sizes[s]; at = end) {
			end = min(sizes[s], at + 512 * (1 + rand() % 40));
			memset(owner + at, rand() % 4, end - at);
		}
		for (c = 0; c < ARRAY_SIZE(columns); c++) {
			picture_init(&picture, sizes[s], columns[c]);
			for (i = 1; i < 4; i++)
				picture_add_layer(&picture, names[i]);
			for (at = 0; at < sizes[s]; at = end) {
				for (end = at + 1; end < sizes[s]; end++)
					if (owner[end] != owner[at])
						break;
				picture_add(&picture, at, end - at,
					    names[owner[at]]);
			}
			for (n = 0; n < columns[c]; n++) {
				u64 held[4] = { 0 };

				for (at = picture_column(&picture, n);
				     at < picture_column(&picture, n + 1); at++)
					held[owner[at]]++;
				for (i = 0; i < 4; i++)
					assert_int_equal(picture.layer[place[i]].column[n],
							 held[i]);
			}
			picture_free(&picture);
		}
		free(owner);
	}
}

/* Sizes at which a product would overflow */
static void test_large(void **state)
{
	struct picture picture;
	u64 sum = 0;
	unsigned int n;

	picture_init(&picture, 1ULL << 62, 777);
	assert_true(picture_column(&picture, 777) == 1ULL << 62);
	picture_add(&picture, 1ULL << 61, 1ULL << 62, "A");
	assert_true(picture.layer[0].data == 1ULL << 61);
	for (n = 0; n < 777; n++)
		sum += picture.layer[0].column[n];
	assert_true(sum == 1ULL << 61);
	assert_true(picture.layer[0].column[387] == 0);
	assert_true(picture.layer[0].column[776]);
	picture_free(&picture);
}

static void test_keys(void **state)
{
	struct picture picture;

	picture_init(&picture, 4096, 4);
	picture_add_layer(&picture, "base");
	picture_add_layer(&picture, "E");
	picture_add_layer(&picture, "Else");
	picture_add_layer(&picture, "_x");
	assert_int_equal(picture.layer[0].key, 'b');
	assert_int_equal(picture.layer[1].key, 'E');
	assert_int_equal(picture.layer[2].key, 'A');
	assert_int_equal(picture.layer[3].key, 'B');
	/* One that came on top meanwhile */
	picture_add(&picture, 0, 4096, "F");
	assert_int_equal(picture.nr, 5);
	assert_int_equal(picture.layer[4].key, 'F');
	picture_free(&picture);
}

const struct CMUnitTest picture_tests[] = {
	cmocka_unit_test(test_columns),
	cmocka_unit_test(test_large),
	cmocka_unit_test(test_keys),
};

const unsigned int nr_picture_tests = ARRAY_SIZE(picture_tests);
