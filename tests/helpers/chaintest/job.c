// SPDX-License-Identifier: GPL-2.0
/* chaintest: messages, what they answer, and stream jobs. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ct.h"

/* Send a message that must be accepted. */
char *msg(const struct chain *c, const char *fmt, ...)
{
	char *why = NULL;
	char text[512];
	va_list args;
	char *reply;
	int r;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	r = dmd_message(c->dev, text, &reply);
	if (r) {
		dmd_message(c->dev, "error", &why);
		ct_fail("message \"%s\": %s: %s", text, strerror(-r), why);
	}
	return reply;
}

/* Send a message that may be refused. Return: 0 or a negative errno. */
int msg_try(const struct chain *c, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return dmd_message(c->dev, text, NULL);
}

/* The value of "key=" (with the equals sign) in a line. */
char *field(const char *line, const char *key)
{
	size_t len = strlen(key);
	const char *p = line;

	while (p && *p) {
		if (!strncmp(p, key, len))
			return ct_str("%.*s", (int)strcspn(p + len, "\n "),
				      p + len);
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	ct_fail("no %s in \"%s\"", key, line);
}

u64 field_num(const char *line, const char *key)
{
	char *text = field(line, key);
	u64 n;

	ct_check(!kstrtou64(text, 10, &n), "%s%s is no number", key, text);
	free(text);
	return n;
}

/* The line of a reply that begins with the word @start; NULL if none does. */
char *line_with(const char *text, const char *start)
{
	size_t len = strlen(start);

	while (text && *text) {
		if (!strncmp(text, start, len) &&
		    (text[len] == ' ' || text[len] == '\n' || !text[len]))
			return ct_str("%.*s", (int)strcspn(text, "\n"), text);
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return NULL;
}

/* The line of "jobs" about one, NULL if it is not there. */
char *job_line(const struct chain *c, const char *id)
{
	char *jobs = msg(c, "jobs");
	char *start = ct_str("id=%s", id);
	char *line = line_with(jobs, start);

	free(start);
	free(jobs);
	return line;
}

bool job_live(const struct chain *c, const char *id)
{
	char *line = job_line(c, id);

	free(line);
	return line;
}

/* A number from a live job's line. */
u64 job_num(const struct chain *c, const char *id, const char *key)
{
	char *line = job_line(c, id);
	u64 n;

	ct_check(line, "job %s is not there", id);
	n = field_num(line, key);
	free(line);
	return n;
}

/* A word from a live job's line. */
char *job_text(const struct chain *c, const char *id, const char *key)
{
	char *line = job_line(c, id);
	char *text;

	ct_check(line, "job %s is not there", id);
	text = field(line, key);
	free(line);
	return text;
}

bool job_is(const struct chain *c, const char *id, const char *key,
	    const char *value)
{
	char *text = job_text(c, id, key);
	bool is = !strcmp(text, value);

	free(text);
	return is;
}

void job_wait_status(const struct chain *c, const char *id, const char *status)
{
	ct_wait(job_is(c, id, "status=", status), "job %s does not become %s: %s",
		id, status, job_line(c, id));
}

/* After "paused" shows, what was copied is all there will be. */
void job_pause(const struct chain *c, const char *id)
{
	free(msg(c, "job %s pause", id));
	job_wait_status(c, id, "paused");
}

/* The recorded result of a layer's last job, NULL if there is none. */
char *last_line(const struct chain *c, const char *layer)
{
	char *last = msg(c, "jobs last");
	char *start = ct_str("layer=%s", layer);
	char *line = line_with(last, start);

	free(start);
	free(last);
	return line;
}

/* How a layer's last job ended. */
void last_check(const struct chain *c, const char *layer, const char *id,
		const char *status, int error)
{
	char *line = last_line(c, layer);

	ct_check(line, "no result of %s", layer);
	ct_check(!strcmp(field(line, "id="), id) &&
		 !strcmp(field(line, "status="), status) &&
		 field_num(line, "error=") == (u64)error,
		 "expected job %s %s with error %d: %s", id, status, error, line);
	free(line);
}

/**
 * must_refuse() - send a message that must be refused
 * @err: the errno expected, positive
 * @names: what the reason must name, NULL: anything
 *
 * Return: the reason.
 */
char *must_refuse(const struct chain *c, int err, const char *names,
		  const char *fmt, ...)
{
	char text[512];
	va_list args;
	char *why;
	int r;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	r = dmd_message(c->dev, text, NULL);
	ct_check(r, "message \"%s\" is accepted, expected %s", text,
		 strerror(err));
	why = msg(c, "error");
	ct_check(r == -err, "message \"%s\": %s, expected %s: %s", text,
		 strerror(-r), strerror(err), why);
	ct_check(*why && (!names || strstr(why, names)),
		 "message \"%s\": the reason does not name \"%s\": \"%s\"",
		 text, names ? names : "anything", why);
	return why;
}

void job_wait(const struct chain *c, const char *id)
{
	ct_wait(!job_live(c, id), "job %s does not end: %s", id,
		job_line(c, id));
}

/**
 * stream_start() - the message, with as many defaults as can be
 * @top: index of the destination
 * @base: index of the base, -1 for none
 * @more: further words
 */
void stream_start(struct chain *c, int top, int base, const char *more)
{
	char *words = ct_str("stream");
	char *longer;

	if (top != (int)c->nr - 1) {
		longer = ct_str("%s top %s", words, c->layer[top]->name);
		free(words);
		words = longer;
	}
	if (base >= 0) {
		/* The same job, by its lowest layer. */
		if (ct_random(2) && base + 1 < top)
			longer = ct_str("%s bottom %s", words,
					c->layer[base + 1]->name);
		else
			longer = ct_str("%s base %s", words,
					c->layer[base]->name);
		free(words);
		words = longer;
	}
	longer = ct_str("%s %s", words, more);
	free(msg(c, "%s", longer));
	free(words);
	free(longer);
}

/* Wait for it; check its recorded result; the model follows. */
void stream_done(struct chain *c, int top, int base)
{
	const char *name = c->layer[top]->name;
	char *line, *value;

	job_wait(c, name);
	if (base != top - 1) {
		line = last_line(c, name);
		ct_check(line, "no result of %s", name);
		ct_check(!field_num(line, "error="), "job failed: %s", line);
		value = field(line, "status=");
		ct_check(strcmp(value, "cancelled"), "cancelled: %s", line);
		ct_check(field_num(line, "offset=") == field_num(line, "len="),
			 "not at its end: %s", line);
		free(value);
		free(line);
	}
	model_stream(c, top, base);
}

void chain_stream(struct chain *c, int top, int base)
{
	/* Masks that leave a choice would weaken the check of the job. */
	verify_disk(c);
	stream_start(c, top, base, "");
	stream_done(c, top, base);
}
