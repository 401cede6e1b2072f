// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: events of jobs, as the kernel's uevents carry them.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "uevent.h"

#define PREFIX	"DM_CHAIN_"

/* The value if @word is "@key=value". */
static const char *value_of(const char *word, const char *key)
{
	size_t n = strlen(key);

	return !strncmp(word, key, n) && word[n] == '=' ? word + n + 1 : NULL;
}

/* One word of one line, whatever comes. */
static char printable(char c)
{
	return isgraph((unsigned char)c) ? c : '?';
}

/* DM_CHAIN_IO_STATUS=ok becomes io-status and ok. False if it does not fit. */
static bool add_pair(struct uevent *event, size_t *used, const char *word)
{
	char *key = event->text + *used, *c;
	size_t n = strlen(word) + 1;
	struct reply_pair *pair;

	if (event->line.nr == UEVENT_WORDS || *used + n > sizeof(event->text))
		return false;
	memcpy(key, word, n);
	*used += n;
	for (c = key; *c && *c != '='; c++)
		*c = *c == '_' ? '-' : printable(tolower((unsigned char)*c));
	if (!*c || c == key)
		return false;
	*c++ = 0;
	pair = &event->pair[event->line.nr++];
	pair->key = key;
	pair->value = c;
	for (; *c; c++)
		*c = printable(*c);
	return true;
}

static bool is_name(const char *value)
{
	return value && *value;
}

void uevent_parse(struct uevent *event, const char *message, size_t len)
{
	const char *action = NULL, *subsystem = NULL, *devtype = NULL;
	const char *major = NULL, *minor = NULL, *name = NULL, *word;
	size_t used = 0;
	bool ok = true;

	memset(event, 0, sizeof(*event));
	event->line.pair = event->pair;
	if (!len || message[len - 1])
		return;
	for (word = message; word < message + len; word += strlen(word) + 1) {
		action = value_of(word, "ACTION") ?: action;
		subsystem = value_of(word, "SUBSYSTEM") ?: subsystem;
		devtype = value_of(word, "DEVTYPE") ?: devtype;
		major = value_of(word, "MAJOR") ?: major;
		minor = value_of(word, "MINOR") ?: minor;
		name = value_of(word, PREFIX "EVENT") ?: name;
		if (!strncmp(word, PREFIX, strlen(PREFIX)))
			ok &= add_pair(event, &used, word + strlen(PREFIX));
	}
	if (!is_name(action) || !is_name(subsystem) || !is_name(major) ||
	    !is_name(minor) || strcmp(subsystem, "block"))
		return;
	if ((size_t)snprintf(event->devno, sizeof(event->devno), "%s:%s",
			     major, minor) >= sizeof(event->devno))
		return;
	if (!strcmp(action, "change") && is_name(name) && ok &&
	    !strcmp(event->pair[0].key, "event"))
		event->kind = UEVENT_JOB;
	else if (!strcmp(action, "remove") && is_name(devtype) &&
		 !strcmp(devtype, "disk"))
		event->kind = UEVENT_REMOVED;
}

char *uevent_text(const struct uevent *event, const char *time,
		  const char *device)
{
	const struct reply_line *line = &event->line;
	char *text, *next;
	unsigned int i;

	text = xasprintf("%s %s %s", time, device, reply_get(line, "event"));
	for (i = 1; i < line->nr; i++) {
		next = xasprintf("%s %s=%s", text, line->pair[i].key,
				 line->pair[i].value);
		free(text);
		text = next;
	}
	return text;
}

char *uevent_json(const struct uevent *event, const char *time,
		  const char *device)
{
	struct json_object *object = json_object_new_object();
	struct json_object *members = reply_json(&event->line, device);
	char *text;

	json_object_object_add(object, "time", json_string(time));
	json_object_object_foreach(members, key, value)
		json_object_object_add(object, key, json_object_get(value));
	text = xstrdup(json_object_to_json_string_ext(object,
						      JSON_C_TO_STRING_PLAIN |
						      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(members);
	json_object_put(object);
	return text;
}
