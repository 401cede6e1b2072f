// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: texts in JSON.
 */
#include "tools_test.h"

#include <string.h>
#include <linux/kernel.h>

#include "json.h"

/* What is printed can be read, whatever bytes a path has. */
static void test_text(void **state)
{
	struct json_tokener *strict = json_tokener_new();
	struct json_object *object = json_object_new_object(), *again, *value;
	const char *text;

	json_text(object, "path", "/dev/\xff\u00e4\xc2\x9b\x01\"\\");
	json_text(object, "none", NULL);
	json_object_object_add(object, "names", json_object_new_array());
	json_append(json_object_object_get(object, "names"), "\xc3");

	json_tokener_set_flags(strict, JSON_TOKENER_VALIDATE_UTF8);
	text = json_object_to_json_string(object);
	again = json_tokener_parse_ex(strict, text, strlen(text));
	assert_non_null(again);
	assert_string_equal(json_object_get_string(json_object_object_get(again, "path")),
			    "/dev/\\xff\u00e4\\xc2\\x9b\\x01\"\\");
	assert_true(json_object_object_get_ex(again, "none", &value));
	assert_null(value);
	value = json_object_array_get_idx(json_object_object_get(again, "names"), 0);
	assert_string_equal(json_object_get_string(value), "\\xc3");
	json_object_put(again);
	json_object_put(object);
	json_tokener_free(strict);
}

const struct CMUnitTest json_tests[] = {
	cmocka_unit_test(test_text),
};

const unsigned int nr_json_tests = ARRAY_SIZE(json_tests);
