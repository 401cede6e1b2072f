// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: table lines.
 */
#include "tools_test.h"

#include <errno.h>
#include <string.h>

#include "live.h"

static void test_split(void **state)
{
	struct dm_chain_why why = { "" };
	struct line_words line;

	assert_int_equal(line_split(&line,
				    "2 A 7:0 - E 7:1 7:2 3 read_only jobs paused",
				    &why), 0);
	assert_int_equal(line.nr_layers, 2);
	assert_string_equal(line.layer[0].name, "A");
	assert_string_equal(line.layer[0].meta, "-");
	assert_string_equal(line.layer[1].data, "7:1");
	assert_string_equal(line.features, "3 read_only jobs paused");
	assert_true(line_uses(&line, 1, "7:2"));
	assert_true(line_uses(&line, 1, "7:1"));
	assert_false(line_uses(&line, 1, "7:0"));
	assert_false(line_uses(&line, 0, "7:1"));
	line_free(&line);

	assert_int_equal(line_split(&line, "1 E 7:1 7:1", &why), 0);
	assert_string_equal(line.features, "");
	line_free(&line);
}

static void test_split_bad(void **state)
{
	static const char * const bad[] = {
		"", "0", "x", "65 A 7:0 -", "1 A 7:0", "2 A 7:0 - E 7:1",
	};
	struct dm_chain_why why = { "" };
	struct line_words line;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(line_split(&line, bad[i], &why), -EPROTO);
}

static void test_unique(void **state)
{
	static const char * const taken[] = { "E-2", "base", "E", "E-4" };
	char free_name[DM_CHAIN_NAME_LEN] = "F";
	char name[DM_CHAIN_NAME_LEN] = "E";

	unique_name(taken, 4, free_name);
	assert_string_equal(free_name, "F");
	unique_name(taken, 0, name);
	assert_string_equal(name, "E");
	unique_name(taken, 4, name);
	assert_string_equal(name, "E-3");
}

/* A name of the greatest length stays one. */
static void test_unique_long(void **state)
{
	char name[DM_CHAIN_NAME_LEN], same[DM_CHAIN_NAME_LEN];
	const char * const taken[] = { same };

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	memcpy(same, name, sizeof(name));
	unique_name(taken, 1, name);
	assert_true(dm_chain_name_valid(name));
	assert_string_not_equal(name, same);
	assert_string_equal(name + strlen(name) - 3, "n-2");
}

const struct CMUnitTest line_tests[] = {
	cmocka_unit_test(test_split),
	cmocka_unit_test(test_split_bad),
	cmocka_unit_test(test_unique),
	cmocka_unit_test(test_unique_long),
};

const unsigned int nr_line_tests = ARRAY_SIZE(line_tests);
