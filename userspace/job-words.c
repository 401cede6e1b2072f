// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: what the target says about a job, for people.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "job-words.h"

const struct reply_line *stream_top(const struct reply *layers, const char *top)
{
	return top ? reply_find(layers, "name", top) :
		     reply_find(layers, "state", "active");
}

const char *stream_id(const struct reply *layers, const char *top,
		      const char *base, const char *bottom, const char *job,
		      bool *nothing)
{
	const struct reply_line *line = stream_top(layers, top);
	const char *backing;

	*nothing = false;
	if (!line)
		return "";
	backing = reply_get(line, "backing");
	if (base)
		*nothing = !strcmp(base, backing);
	else if (bottom)
		*nothing = !strcmp(bottom, reply_get(line, "name"));
	else
		*nothing = !strcmp(backing, "-");
	return job ?: reply_get(line, "name");
}

/* A concluded job that is still listed has no other word than its error. */
enum job_end job_end_of(const struct reply_line *line)
{
	const char *status = reply_get(line, "status");
	int error = reply_number(line, "error");

	if (!strcmp(status, "cancelled"))
		return JOB_CANCELLED;
	if (!strcmp(status, "completed"))
		return JOB_COMPLETED;
	if (!strcmp(status, "failed"))
		return JOB_FAILED;
	if (strcmp(status, "concluded"))
		return JOB_LIVE;
	if (error == ECANCELED)
		return JOB_CANCELLED;
	return error ? JOB_FAILED : JOB_COMPLETED;
}

const char *job_error_text(int error)
{
	if (error == EILSEQ)
		return "what was read back is not what was written";
	return strerror(error);
}

const char *job_note(const struct reply_line *line, char *note, size_t size)
{
	const char *status = reply_get(line, "status");

	if (!strcmp(reply_get(line, "io-status"), "nospace"))
		snprintf(note, size, "%s: no space", status);
	else if (!strcmp(reply_get(line, "io-status"), "failed"))
		snprintf(note, size, "%s: I/O error", status);
	else if (!strcmp(status, "pending"))
		snprintf(note, size, "pending: waits for \"job finalize\"");
	else if (!strcmp(status, "running") || !strcmp(status, "created"))
		note[0] = 0;
	else
		snprintf(note, size, "%.32s", status);
	return note;
}

/* What has to be done before a job that stopped for an error can go on. */
static const char *remedy(const struct reply_line *line)
{
	return strcmp(reply_get(line, "io-status"), "nospace") ?
	       "put the device right" : "make room";
}

static char *verb_text(const char *verb, const char *device, const char *id)
{
	return xasprintf("\"chainsetup job %s %s %s\"", verb, device, id);
}

char *job_hint(const struct reply_line *line, const char *device)
{
	const char *status = reply_get(line, "status");
	const char *id = reply_get(line, "id");
	char *verb = NULL, *cancel = NULL, *hint = NULL;

	if (!strcmp(status, "pending")) {
		cancel = verb_text("cancel", device, id);
		verb = verb_text("finalize", device, id);
		hint = xasprintf("job %s has copied everything: %s drops the layers, %s keeps them",
				 id, verb, cancel);
	} else if (!strcmp(status, "paused") &&
		   !strcmp(reply_get(line, "io-status"), "ok")) {
		verb = verb_text("resume", device, id);
		hint = xasprintf("job %s is paused: %s lets it go on", id, verb);
	} else if (!strcmp(status, "paused")) {
		cancel = verb_text("cancel", device, id);
		verb = verb_text("resume", device, id);
		hint = xasprintf("job %s is paused at byte %llu: %s; %s, then %s, or else %s",
				 id, reply_number(line, "offset"),
				 job_error_text(reply_number(line, "error")),
				 remedy(line), verb, cancel);
	}
	free(verb);
	free(cancel);
	return hint;
}

const char *duration_text(u64 seconds, char *text, size_t size)
{
	unsigned int s = seconds % 60, m = seconds / 60 % 60;
	unsigned long long h = seconds / 3600;

	if (h)
		snprintf(text, size, "%llu:%02u:%02u", h, m, s);
	else
		snprintf(text, size, "%u:%02u", m, s);
	return text;
}
