// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: JSON objects, see json.h.
 */
#include <stdlib.h>

#include "json.h"

struct json_object *json_string(const char *text)
{
	char *shown = text_shown(text, true);
	struct json_object *string = json_object_new_string(shown);

	free(shown);
	return string;
}

void json_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text ? json_string(text) : NULL);
}

void json_number(struct json_object *object, const char *key, u64 number)
{
	json_object_object_add(object, key, json_object_new_uint64(number));
}

void json_flag(struct json_object *object, const char *key, bool flag)
{
	json_object_object_add(object, key, json_object_new_boolean(flag));
}

void json_append(struct json_object *array, const char *text)
{
	json_object_array_add(array, json_string(text));
}

void json_uuid(struct json_object *object, const char *key, const u8 *uuid)
{
	char text[DM_CHAIN_UUID_TEXT];

	if (uuid)
		dm_chain_uuid_format(uuid, text);
	json_text(object, key, uuid ? text : NULL);
}

void print_json(struct json_object *value)
{
	puts(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_SPACED |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(value);
}
