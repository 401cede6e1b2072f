/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: JSON objects. What each command prints is described in
 * Documentation/chainsetup-json.rst.
 */
#ifndef CHAINSETUP_JSON_H
#define CHAINSETUP_JSON_H

#include <json-c/json.h>

#include "chainsetup.h"

/* A text; JSON is UTF-8, so it is as text_shown() makes it. */
struct json_object *json_string(const char *text);

/* Add a member. @text may be NULL: null. */
void json_text(struct json_object *object, const char *key, const char *text);
void json_number(struct json_object *object, const char *key, u64 number);
void json_flag(struct json_object *object, const char *key, bool flag);

/* Add a text to an array. */
void json_append(struct json_object *array, const char *text);

/* A UUID as text, null if it is NULL. */
void json_uuid(struct json_object *object, const char *key, const u8 *uuid);

/* Print a JSON value for people who read JSON, and forget it. */
void print_json(struct json_object *value);

#endif
