// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: replies to messages and the status line.
 */
#include "tools_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reply.h"

static void test_pairs(void **state)
{
	struct dm_chain_why why = { "" };
	struct reply reply;

	assert_int_equal(reply_parse(&reply,
				     "id=E type=stream top=E base=- offset=1048576 error=0\n"
				     "id=D copied=18446744073709551615 note=a=b empty=\n",
				     &why), 0);
	assert_int_equal(reply.nr, 2);
	assert_int_equal(reply.line[0].nr, 6);
	assert_string_equal(reply_get(&reply.line[0], "base"), "-");
	assert_int_equal(reply_number(&reply.line[0], "offset"), 1048576);
	assert_true(reply_number(&reply.line[1], "copied") == ~0ULL);
	assert_string_equal(reply_get(&reply.line[1], "note"), "a=b");
	assert_string_equal(reply_get(&reply.line[1], "empty"), "");
	/* Keys that this program does not know, or that are not there. */
	assert_string_equal(reply_get(&reply.line[0], "nothing"), "");
	assert_int_equal(reply_number(&reply.line[0], "nothing"), 0);
	assert_int_equal(reply_number(&reply.line[0], "type"), 0);
	reply_free(&reply);
}

static void test_no_lines(void **state)
{
	struct dm_chain_why why = { "" };
	struct reply reply;

	assert_int_equal(reply_parse(&reply, "", &why), 0);
	assert_int_equal(reply.nr, 0);
	assert_null(reply_find(&reply, "id", "E"));
	reply_free(&reply);
}

static void test_no_pair(void **state)
{
	struct dm_chain_why why = { "" };
	struct reply reply;

	assert_int_equal(reply_parse(&reply, "id=E\nid=F rubbish\n", &why),
			 -EPROTO);
	assert_non_null(strstr(why.text, "rubbish"));
	assert_int_equal(reply_parse(&reply, "=E\n", &why), -EPROTO);
}

static void test_find(void **state)
{
	struct dm_chain_why why = { "" };
	struct reply reply;

	assert_int_equal(reply_parse(&reply,
				     "name=A state=backing\nname=E state=active\n",
				     &why), 0);
	assert_ptr_equal(reply_find(&reply, "state", "active"),
			 &reply.line[1]);
	assert_null(reply_find(&reply, "state", "releasable"));
	reply_free(&reply);
}

static void test_json(void **state)
{
	struct dm_chain_why why = { "" };
	struct json_object *object, *member;
	struct reply reply;

	assert_int_equal(reply_parse(&reply,
				     "name=17 data=253:3 size=18446744073709551615 read-only=0 auto-finalize=on\n",
				     &why), 0);
	object = reply_json(&reply.line[0], "vm1");
	assert_string_equal(json_object_to_json_string_ext(object,
							   JSON_C_TO_STRING_PLAIN),
			    "{\"device\":\"vm1\",\"name\":\"17\",\"data\":\"253:3\",\"size\":18446744073709551615,\"read-only\":0,\"auto-finalize\":\"on\"}");
	assert_true(json_object_object_get_ex(object, "name", &member));
	assert_int_equal(json_object_get_type(member), json_type_string);
	json_object_put(object);
	reply_free(&reply);
}

static void test_map(void **state)
{
	struct dm_chain_why why = { "" };
	struct map_run *run;
	unsigned int nr;
	u64 next;

	assert_int_equal(map_parse("0 8 A\n8 16 zero\n24 8 zero:B\n32 8 zeros\n",
				   &run, &nr, &next, &why), 0);
	assert_int_equal(nr, 4);
	assert_int_equal(next, 0);
	assert_string_equal(run[0].layer, "A");
	assert_false(run[0].zero);
	assert_true(run[1].zero);
	assert_string_equal(run[1].layer, "");
	assert_true(run[2].zero);
	assert_string_equal(run[2].layer, "B");
	assert_int_equal(run[2].start, 24);
	assert_int_equal(run[2].length, 8);
	/* A layer's name may begin like the word. */
	assert_false(run[3].zero);
	assert_string_equal(run[3].layer, "zeros");
	free(run);
}

static void test_map_more(void **state)
{
	struct dm_chain_why why = { "" };
	struct map_run *run;
	unsigned int nr;
	u64 next;

	assert_int_equal(map_parse("0 8 A\nmore 8\n", &run, &nr, &next, &why),
			 0);
	assert_int_equal(nr, 1);
	assert_int_equal(next, 8);
	free(run);
}

static void test_map_bad(void **state)
{
	static const char * const bad[] = {
		"0 8\n", "0 8 A B\n", "x 8 A\n", "0 0 A\n", "0 -8 A\n",
		"0 8 A\nmore\n", "0 8 A\nmore 0\n", "more 8\n0 8 A\n",
		"0 8 0123456789012345678901234567890123456789012345678901234567890123\n",
	};
	struct dm_chain_why why = { "" };
	struct map_run *run;
	unsigned int i, nr;
	u64 next;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(map_parse(bad[i], &run, &nr, &next, &why),
				 -EPROTO);
}

static void test_status(void **state)
{
	struct dm_chain_why why = { "" };
	struct status status;

	assert_int_equal(status_parse(&status,
				      "128/262144 rw - 8 3 A 262144/262144 B 10/262144 E 128/262144 1 E stream running E A 4096/1073741824",
				      &why), 0);
	assert_int_equal(status.allocated, 128);
	assert_int_equal(status.total, 262144);
	assert_string_equal(status.mode, "rw");
	assert_false(status.needs_check);
	assert_int_equal(status.block_size, 4096);
	assert_int_equal(status.nr_layers, 3);
	assert_string_equal(status.layer[2].name, "E");
	assert_int_equal(status.layer[1].allocated, 10);
	assert_int_equal(status.nr_jobs, 1);
	assert_string_equal(status.job[0].base, "A");
	assert_int_equal(status.job[0].offset, 4096);
	assert_int_equal(status.job[0].len, 1073741824);
	status_free(&status);
}

static void test_status_bad(void **state)
{
	static const char * const bad[] = {
		"",
		"1/2 rw - 8",
		"1/2 rw - 8 0 0",
		"1/2 rw - 8 65 A 1/2 0",
		"1/2 rw - 8 2 A 1/2 0",
		"1 rw - 8 1 A 1/2 0",
		"1/2 rw - eight 1 A 1/2 0",
		"1/2 rw - 8 1 A 1/2",
		"1/2 rw - 8 1 A 1/2 1",
		"1/2 rw - 8 1 A 1/2 1 E stream running E - 1",
		"1/2 rw - 8 1 A 1/2 4000000000 E",
		"1/2 read-write - 8 1 A 1/2 0",
	};
	struct dm_chain_why why = { "" };
	struct status status;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(status_parse(&status, bad[i], &why),
				 -EPROTO);
}

static void test_needs_check(void **state)
{
	struct dm_chain_why why = { "" };
	struct status status;

	assert_int_equal(status_parse(&status,
				      "0/2 ro needs_check 128 1 A 0/2 0", &why),
			 0);
	assert_true(status.needs_check);
	assert_string_equal(status.mode, "ro");
	assert_int_equal(status.block_size, 65536);
	status_free(&status);
}

const struct CMUnitTest reply_tests[] = {
	cmocka_unit_test(test_pairs),
	cmocka_unit_test(test_no_lines),
	cmocka_unit_test(test_no_pair),
	cmocka_unit_test(test_find),
	cmocka_unit_test(test_json),
	cmocka_unit_test(test_map),
	cmocka_unit_test(test_map_more),
	cmocka_unit_test(test_map_bad),
	cmocka_unit_test(test_status),
	cmocka_unit_test(test_status_bad),
	cmocka_unit_test(test_needs_check),
};

const unsigned int nr_reply_tests = ARRAY_SIZE(reply_tests);
