// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: would the target refuse a stream? See stream-check.h.
 */
#include <errno.h>
#include <string.h>

#include "job-words.h"
#include "stream-check.h"

struct range {
	int bottom;
	int top;
};

/* In the chain: what a job has dropped has no position. -1 if there is none. */
static int position(const struct reply *layers, const char *name)
{
	int n = 0;
	unsigned int i;

	for (i = 0; i < layers->nr; i++) {
		const struct reply_line *line = &layers->line[i];

		if (!strcmp(reply_get(line, "state"), "releasable"))
			continue;
		if (!strcmp(reply_get(line, "name"), name))
			return n;
		n++;
	}
	return -1;
}

/* Which of a job's layers is also one of the stream's; NULL if none is. */
static const char *shared_layer(const struct reply *layers,
				const struct reply_line *job,
				const struct range *range)
{
	/* Without a base: from the bottom of the chain. */
	int bottom = position(layers, reply_get(job, "base")) + 1;
	int top = position(layers, reply_get(job, "top"));
	unsigned int i;

	if (bottom < range->bottom)
		bottom = range->bottom;
	if (top > range->top)
		top = range->top;
	if (bottom > top)
		return NULL;
	for (i = 0; i < layers->nr; i++)
		if (position(layers, reply_get(&layers->line[i], "name")) == bottom)
			return reply_get(&layers->line[i], "name");
	return NULL;
}

static int check_writable(const struct reply_line *top,
			  const struct reply_line *active,
			  struct dm_chain_why *why)
{
	const char *name = reply_get(top, "name");

	if (reply_number(active, "read-only"))
		return dm_chain_refuse(why, -EROFS,
				       "the device is read-only: open it without --read-only, or see \"chainsetup status\" if it needs a check");
	if (!strcmp(reply_get(top, "metadata"), "-"))
		return dm_chain_refuse(why, -EROFS,
				       "top '%s' is a raw device without metadata: name a layer above it",
				       name);
	if (reply_number(top, "read-only"))
		return dm_chain_refuse(why, -EROFS,
				       "top '%s' cannot be written: its device is read-only, or it needs \"chainsetup check\" while it is closed",
				       name);
	return 0;
}

int stream_check(const struct stream_scope *scope, const struct reply *layers,
		 const struct reply *jobs, struct dm_chain_why *why)
{
	const struct reply_line *top = stream_top(layers, scope->top);
	const struct reply_line *active = stream_top(layers, NULL);
	struct range range = { 0 };
	const char *name, *shared;
	unsigned int i;
	int ret;

	/* They went since they were found: the attempt will tell. */
	if (!top || !active)
		return 0;
	name = reply_get(top, "name");
	if (reply_find(jobs, "id", scope->id))
		return dm_chain_refuse(why, -EEXIST,
				       "there is a job %s already: --job gives another id",
				       scope->id);
	ret = check_writable(top, active, why);
	if (ret)
		return ret;

	range.top = position(layers, name);
	if (scope->base)
		range.bottom = position(layers, scope->base) + 1;
	else if (scope->bottom)
		range.bottom = position(layers, scope->bottom);
	for (i = 0; i < jobs->nr; i++) {
		const struct reply_line *job = &jobs->line[i];

		shared = job_end_of(job) == JOB_LIVE ?
			 shared_layer(layers, job, &range) : NULL;
		if (shared)
			return dm_chain_refuse(why, -EBUSY,
					       "layer '%s' is in use by job '%s': let that end first, or cancel it",
					       shared, reply_get(job, "id"));
	}
	if (range.bottom < range.top && reply_number(top, "users") > 1)
		return dm_chain_refuse(why, -EBUSY,
				       "top '%s' is in use by another device too: \"chainsetup tree\" shows which",
				       name);
	return 0;
}
