// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of chainsetup's reader of "key=value" answers ("jobs", "jobs last", "job
 * failed", "layers", "estimate") and of what it makes of them for people and for
 * programs: an answer that is accepted is the same when it is written down again,
 * and its JSON says what it says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "job-words.h"
#include "progress.h"
#include "reply.h"

static char *write_reply(const struct reply *reply)
{
	unsigned int i, n;
	size_t len;
	char *text;
	FILE *f = open_memstream(&text, &len);

	must(f, "no memory");
	for (i = 0; i < reply->nr; i++)
		for (n = 0; n < reply->line[i].nr; n++)
			fprintf(f, "%s=%s%c", reply->line[i].pair[n].key,
				reply->line[i].pair[n].value,
				n + 1 < reply->line[i].nr ? ' ' : '\n');
	fclose(f);
	return text;
}

/* The first of a key counts; JSON has room for one of each. */
static bool is_unique(const struct reply_line *line)
{
	unsigned int i;

	for (i = 0; i < line->nr; i++)
		if (reply_get(line, line->pair[i].key) != line->pair[i].value)
			return false;
	return true;
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static void check_text(const char *text, const char *value)
{
	char *shown = text_shown(value, true);

	must(!strcmp(text, shown), "'%s' instead of '%s'", text, shown);
	free(shown);
}

/* Read by another program: the same pairs, numbers with their value. */
static void check_json(const struct reply_line *line, const char *text)
{
	struct json_object *object = json_tokener_parse(text), *value;
	unsigned int i;

	must(object, "no JSON: %s", text);
	for (i = 0; i < line->nr; i++) {
		const struct reply_pair *pair = &line->pair[i];

		must(json_object_object_get_ex(object, pair->key, &value), "%s is not in %s",
		     pair->key, text);
		if (json_object_is_type(value, json_type_int))
			must(json_object_get_uint64(value) == reply_number(line, pair->key),
			     "%s=%s", pair->key, pair->value);
		else
			check_text(json_object_get_string(value), pair->value);
	}
	json_object_put(object);
}

static void show_json(const struct reply_line *line)
{
	struct json_object *object = reply_json(line, NULL);
	bool plain = is_unique(line);
	unsigned int i;

	for (i = 0; i < line->nr; i++)
		plain &= is_plain(line->pair[i].key) && is_plain(line->pair[i].value);
	if (plain)
		check_json(line, json_object_to_json_string(object));
	json_object_put(object);
}

/* A bar that fits into the terminal, whatever the job is called. */
static void show_progress(const struct reply_line *line, unsigned int width)
{
	struct progress progress = {
		.offset = reply_number(line, "offset"),
		.len = reply_number(line, "len"),
		.copied = reply_number(line, "copied"),
		.zeroed = reply_number(line, "zeroed"),
		.skipped = reply_number(line, "skipped"),
		.remaining = reply_number(line, "remaining"),
		.failed = reply_number(line, "failed"),
		.rate = reply_number(line, "rate"),
		.seconds_left = reply_number(line, "seconds-left"),
	};
	unsigned int percent = progress_percent(&progress);
	struct progress_pace pace = { 0 };
	char text[512];

	snprintf(progress.id, sizeof(progress.id), "%s", reply_get(line, "id"));
	job_note(line, progress.note, sizeof(progress.note));
	must(percent <= 100, "%u percent", percent);
	must((percent == 100) == (progress.offset >= progress.len), "%u percent of %llu",
	     percent, progress.len);
	progress_line(&progress, width, text, sizeof(text));
	must(!width || strlen(text) < width, "%zu in %u columns", strlen(text), width);
	must(progress_due(&pace, &progress, 0), "the first line is due");
	must(!progress_due(&pace, &progress, 0), "the same again is not");
}

static void show_line(const struct reply_line *line, unsigned int width)
{
	const char *id = reply_get(line, "id"), *status = reply_get(line, "status");
	char *hint = job_hint(line, "vm1"), text[32];
	enum job_end end = job_end_of(line);

	must(end <= JOB_FAILED, "end %u", end);
	must(!hint || end == JOB_LIVE, "a hint for a job that has ended");
	must(!hint || strstr(hint, id), "a hint without the job");
	must(!hint == (strcmp(status, "pending") && strcmp(status, "paused")),
	     "a hint for '%s': %s", status, hint ?: "none");
	free(hint);
	must(*job_error_text(reply_number(line, "error")), "an error without words");
	duration_text(reply_number(line, "seconds-left"), text, sizeof(text));
	show_json(line);
	show_progress(line, width);
}

static void check_pairs(const struct reply_line *line)
{
	unsigned int i;

	for (i = 0; i < line->nr; i++)
		must(*line->pair[i].key && !strpbrk(line->pair[i].key, "=\n ") &&
		     !strpbrk(line->pair[i].value, "\n "), "%s=%s", line->pair[i].key,
		     line->pair[i].value);
}

static void check_stream(const struct reply *reply)
{
	const struct reply_line *top = stream_top(reply, NULL);
	const char *id, *name = top ? reply_get(top, "name") : "";
	bool nothing;

	id = stream_id(reply, NULL, NULL, NULL, NULL, &nothing);
	must(!strcmp(id, name), "'%s' and '%s'", id, name);
	must(nothing == (top && !strcmp(reply_get(top, "backing"), "-")), "backing");
	id = stream_id(reply, NULL, NULL, NULL, "j", &nothing);
	must(!strcmp(id, top ? "j" : ""), "'%s'", id);
	must(!top || !strcmp(reply_get(top, "state"), "active"), "the top");
}

void fuzz_one(struct input *in)
{
	unsigned int width = take_below(in, 256), i;
	char *text = take_text(in), *written, *again;
	struct reply reply, other;
	struct dm_chain_why why;
	int err;

	fuzz_why(&why);
	err = reply_parse(&reply, text, &why);
	if (err) {
		must(err == -EPROTO, "error %d", err);
		must(strnlen(why.text, sizeof(why.text)) < sizeof(why.text), "no end");
		must(!reply.text && !reply.line && !reply.nr, "left behind");
		free(text);
		return;
	}
	written = write_reply(&reply);
	must(!reply_parse(&other, written, NULL), "refused: %s", written);
	again = write_reply(&other);
	must(!strcmp(written, again), "'%s' and '%s'", written, again);
	for (i = 0; i < reply.nr; i++) {
		check_pairs(&reply.line[i]);
		show_line(&reply.line[i], width);
	}
	check_stream(&reply);
	reply_free(&reply);
	reply_free(&other);
	free(again);
	free(written);
	free(text);
}
