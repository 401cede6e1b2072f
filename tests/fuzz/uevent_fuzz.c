// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of chainsetup's reader of uevents: any bytes may arrive on the socket.
 * What it shows of them is one line of printable words, and one JSON object; a
 * plain look at the variables tells what it should be taken for.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "uevent.h"

/* The last of its name counts; NULL if there is none. */
static const char *variable(const char *message, size_t len, const char *name)
{
	const char *word, *found = NULL;
	size_t n = strlen(name);

	for (word = message; word < message + len; word += strlen(word) + 1)
		if (!strncmp(word, name, n) && word[n] == '=')
			found = word + n + 1;
	return found;
}

static bool is(const char *value, const char *expected)
{
	return value && !strcmp(value, expected);
}

/* May it be an event of a job, as far as the fixed variables tell? */
static bool looks_like_job(const char *message, size_t len)
{
	const char *event = variable(message, len, "DM_CHAIN_EVENT");

	return is(variable(message, len, "ACTION"), "change") &&
	       is(variable(message, len, "SUBSYSTEM"), "block") && event && *event;
}

static void check_text(const struct uevent *event)
{
	char *text = uevent_text(event, "T", "vm1"), *c;

	must(!strncmp(text, "T vm1 ", 6), "%s", text);
	for (c = text; *c; c++)
		must(*c >= ' ' && *c != 0x7f, "character %#x", *c);
	free(text);
}

static void check_json(const struct uevent *event)
{
	char *text = uevent_json(event, "T", "vm1"), *c;
	struct json_object *object = json_tokener_parse(text), *value;
	const struct reply_line *line = &event->line;
	unsigned int i;

	must(object, "no JSON: %s", text);
	for (c = text; *c; c++)
		must(*c != '\n', "more than one line");
	for (i = 0; i < line->nr; i++) {
		must(json_object_object_get_ex(object, line->pair[i].key, &value),
		     "%s is not in %s", line->pair[i].key, text);
		must(!isupper((unsigned char)line->pair[i].key[0]), "%s", line->pair[i].key);
	}
	json_object_put(object);
	free(text);
}

static void check_job(const struct uevent *event, const char *message,
		      size_t len)
{
	char devno[64];

	must(looks_like_job(message, len), "no event of a job");
	must(event->line.nr && event->line.nr <= UEVENT_WORDS, "%u words", event->line.nr);
	must(!strcmp(event->line.pair[0].key, "event"), "'%s' comes first",
	     event->line.pair[0].key);
	snprintf(devno, sizeof(devno), "%s:%s", variable(message, len, "MAJOR"),
		 variable(message, len, "MINOR"));
	must(!strcmp(event->devno, devno), "'%s' and '%s'", event->devno, devno);
	check_text(event);
	check_json(event);
}

void fuzz_one(struct input *in)
{
	struct uevent *event = malloc(sizeof(*event));
	size_t len = in->left;
	char *message = malloc(len ?: 1);

	must(event && message, "no memory");
	memcpy(message, in->at, len);
	uevent_parse(event, message, len);
	switch (event->kind) {
	case UEVENT_JOB:
		check_job(event, message, len);
		break;
	case UEVENT_REMOVED:
		must(is(variable(message, len, "ACTION"), "remove") &&
		     is(variable(message, len, "SUBSYSTEM"), "block") &&
		     is(variable(message, len, "DEVTYPE"), "disk"), "no disk is gone");
		break;
	default:
		must(event->kind == UEVENT_OTHER, "kind %u", event->kind);
		break;
	}
	free(message);
	free(event);
}
