// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what the target says: replies to messages, and its status line.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "reply.h"

static unsigned int count_words(const char *text, const char *separators)
{
	unsigned int n = 0;

	while (*(text += strspn(text, separators))) {
		n++;
		text += strcspn(text, separators);
	}
	return n;
}

static int parse_line(struct reply_line *line, char *text,
		      struct dm_chain_why *why)
{
	char *word, *value, *rest;

	line->pair = xalloc(count_words(text, " "), sizeof(*line->pair));
	for (word = strtok_r(text, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		value = strchr(word, '=');
		if (!value || value == word)
			return dm_chain_refuse(why, -EPROTO,
					       "the target answered \"%.64s\" where key=value was expected: is chainsetup older than the module?",
					       word);
		*value++ = 0;
		line->pair[line->nr].key = word;
		line->pair[line->nr++].value = value;
	}
	return 0;
}

int reply_parse(struct reply *reply, const char *text, struct dm_chain_why *why)
{
	char *line, *rest;
	int ret;

	reply->nr = 0;
	reply->text = xstrdup(text);
	reply->line = xalloc(count_words(text, "\n"), sizeof(*reply->line));
	for (line = strtok_r(reply->text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		ret = parse_line(&reply->line[reply->nr++], line, why);
		if (ret) {
			reply_free(reply);
			return ret;
		}
	}
	return 0;
}

void reply_free(struct reply *reply)
{
	while (reply->nr)
		free(reply->line[--reply->nr].pair);
	free(reply->line);
	free(reply->text);
	memset(reply, 0, sizeof(*reply));
}

const char *reply_get(const struct reply_line *line, const char *key)
{
	unsigned int i;

	for (i = 0; i < line->nr; i++)
		if (!strcmp(line->pair[i].key, key))
			return line->pair[i].value;
	return "";
}

/* Decimal digits and nothing else. */
static bool is_number(const char *text, u64 *number)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return !*end && !errno;
}

u64 reply_number(const struct reply_line *line, const char *key)
{
	u64 number;

	return is_number(reply_get(line, key), &number) ? number : 0;
}

const struct reply_line *reply_find(const struct reply *reply, const char *key,
				    const char *value)
{
	unsigned int i;

	for (i = 0; i < reply->nr; i++)
		if (!strcmp(reply_get(&reply->line[i], key), value))
			return &reply->line[i];
	return NULL;
}

/* A name may consist of digits, and is no number then. */
static bool is_text(const char *key)
{
	static const char *const text[] = {
		"name", "id", "job", "layer", "top", "base", "backing", "uuid",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(text); i++)
		if (!strcmp(text[i], key))
			return true;
	return false;
}

struct json_object *reply_json(const struct reply_line *line,
			       const char *device)
{
	struct json_object *object = json_object_new_object();
	unsigned int i;

	if (device)
		json_object_object_add(object, "device",
				       json_string(device));
	for (i = 0; i < line->nr; i++) {
		const struct reply_pair *pair = &line->pair[i];
		struct json_object *value;
		u64 number;

		if (!is_text(pair->key) && is_number(pair->value, &number))
			value = json_object_new_uint64(number);
		else
			value = json_string(pair->value);
		json_object_object_add(object, pair->key, value);
	}
	return object;
}

static int parse_run(char *text, struct map_run *run)
{
	char *word[3], *rest, *owner;
	unsigned int n;

	for (n = 0; n < 3; n++) {
		word[n] = strtok_r(n ? NULL : text, " ", &rest);
		if (!word[n])
			return -EPROTO;
	}
	if (strtok_r(NULL, " ", &rest) || !is_number(word[0], &run->start) ||
	    !is_number(word[1], &run->length) || !run->length)
		return -EPROTO;

	owner = word[2];
	run->zero = !strcmp(owner, "zero") || !strncmp(owner, "zero:", 5);
	if (run->zero)
		owner += owner[4] ? 5 : 4;
	if (strlen(owner) >= sizeof(run->layer))
		return -EPROTO;
	snprintf(run->layer, sizeof(run->layer), "%s", owner);
	return 0;
}

int map_parse(const char *text, struct map_run **run, unsigned int *nr,
	      u64 *next, struct dm_chain_why *why)
{
	char *copy = xstrdup(text), *line, *rest;
	int ret = 0;

	*run = xalloc(count_words(text, "\n"), sizeof(**run));
	*nr = 0;
	*next = 0;
	for (line = strtok_r(copy, "\n", &rest); line && !ret;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (*next)
			ret = -EPROTO;
		else if (!strncmp(line, "more ", 5))
			ret = is_number(line + 5, next) && *next ? 0 : -EPROTO;
		else
			ret = parse_run(line, &(*run)[(*nr)++]);
	}
	if (ret) {
		dm_chain_refuse(why, ret,
				"the target's answer to \"map\" is not understood: is chainsetup older than the module?");
		free(*run);
		*run = NULL;
	}
	free(copy);
	return ret;
}

/**
 * struct words - a line, read word by word
 * @bad: a word was missing or not what it should be; sticks
 */
struct words {
	const char *at;
	bool bad;
};

static void take_text(struct words *words, char *text, size_t size)
{
	size_t n;

	words->at += strspn(words->at, " ");
	n = strcspn(words->at, " ");
	if (!n || n >= size) {
		words->bad = true;
		n = 0;
	}
	memcpy(text, words->at, n);
	text[n] = 0;
	words->at += n;
}

static u64 take_number(struct words *words)
{
	u64 number = 0;
	char text[24];

	take_text(words, text, sizeof(text));
	if (!is_number(text, &number))
		words->bad = true;
	return number;
}

static void take_fraction(struct words *words, u64 *part, u64 *whole)
{
	char text[48], *slash;

	take_text(words, text, sizeof(text));
	slash = strchr(text, '/');
	if (slash)
		*slash++ = 0;
	if (!slash || !is_number(text, part) || !is_number(slash, whole))
		words->bad = true;
}

int status_parse(struct status *status, const char *params,
		 struct dm_chain_why *why)
{
	struct words words = { .at = params };
	char check[16] = "";
	u64 n;
	unsigned int i;

	memset(status, 0, sizeof(*status));
	take_fraction(&words, &status->allocated, &status->total);
	take_text(&words, status->mode, sizeof(status->mode));
	take_text(&words, check, sizeof(check));
	status->needs_check = !strcmp(check, "needs_check");
	status->block_size = take_number(&words) << 9;
	n = take_number(&words);
	if (words.bad || !n || n > DM_CHAIN_MAX_LAYERS)
		goto bad;
	status->nr_layers = n;
	for (i = 0; i < n; i++) {
		struct status_layer *layer = &status->layer[i];

		take_text(&words, layer->name, sizeof(layer->name));
		take_fraction(&words, &layer->allocated, &layer->total);
	}
	n = take_number(&words);
	/* Bounds the memory: a job takes more than one character. */
	if (words.bad || n > strlen(words.at))
		goto bad;
	status->nr_jobs = n;
	status->job = xalloc(n, sizeof(*status->job));
	for (i = 0; i < n; i++) {
		struct status_job *job = &status->job[i];

		take_text(&words, job->id, sizeof(job->id));
		take_text(&words, job->type, sizeof(job->type));
		take_text(&words, job->status, sizeof(job->status));
		take_text(&words, job->top, sizeof(job->top));
		take_text(&words, job->base, sizeof(job->base));
		take_fraction(&words, &job->offset, &job->len);
	}
	if (!words.bad)
		return 0;
bad:
	status_free(status);
	return dm_chain_refuse(why, -EPROTO,
			       "the target's status is not understood, is chainsetup older than the module? %.200s",
			       params);
}

void status_free(struct status *status)
{
	free(status->job);
	status->job = NULL;
	status->nr_jobs = 0;
}
