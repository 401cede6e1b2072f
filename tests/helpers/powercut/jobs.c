// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"
#include "sector.h"

static const char *const state_names[NR_JOB_STATES] = {
	[JOB_NONE]	= "none",
	[JOB_RUNNING]	= "running",
	[JOB_PAUSED]	= "paused",
	[JOB_STOPPED]	= "stopped",
	[JOB_PENDING]	= "pending",
	[JOB_COMPLETED]	= "completed",
	[JOB_CANCELLED]	= "cancelled",
	[JOB_FAILED]	= "failed",
};

const char *job_state_name(enum job_state state)
{
	return state_names[state];
}

/* ---- the marks ---- */

static struct job_span *add_span(struct jobs *jobs, unsigned int job, long pos)
{
	struct job_span *span;

	jobs->span = realloc(jobs->span,
			     (jobs->spans + 1) * sizeof(*jobs->span));
	if (!jobs->span)
		err(1, "jobs");
	span = &jobs->span[jobs->spans++];
	*span = (struct job_span){ .job = job, .from = pos, .until = LONG_MAX };
	return span;
}

void jobs_add(struct jobs *jobs, const char *id, unsigned int top,
	      unsigned int bottom, long pos)
{
	struct job *job = &jobs->job[jobs->n];
	unsigned int i;

	for (i = 0; i < jobs->n; i++)
		if (!strcmp(jobs->job[i].id, id))
			errx(1, "mark: a second job %s", id);
	if (jobs->n == JOBS_MAX || strlen(id) >= sizeof(job->id))
		errx(1, "mark: job %s: too many, or too long", id);
	strcpy(job->id, id);
	job->top = top;
	job->bottom = bottom;
	job->declared = pos;
	add_span(jobs, jobs->n++, pos)->states = 1U << JOB_NONE;
}

static unsigned int job_by_id(const struct jobs *jobs, const char *id)
{
	unsigned int i;

	for (i = 0; i < jobs->n; i++)
		if (!strcmp(jobs->job[i].id, id))
			return i;
	errx(1, "mark: no job %s", id);
}

void jobs_mark(struct jobs *jobs, char *text, bool only, long pos)
{
	char *word = strtok(text, " ");
	unsigned int job = job_by_id(jobs, word ? word : "");
	struct job_span *span;
	unsigned int i;

	for (i = 0; only && i < jobs->spans; i++)
		if (jobs->span[i].job == job && jobs->span[i].until == LONG_MAX)
			jobs->span[i].until = pos;
	span = add_span(jobs, job, pos);
	while ((word = strtok(NULL, " "))) {
		for (i = 0; i < NR_JOB_STATES; i++)
			if (!strcmp(word, state_names[i]))
				break;
		if (i == NR_JOB_STATES)
			errx(1, "mark: no state %s", word);
		span->states |= 1U << i;
	}
}

void jobs_free(struct jobs *jobs)
{
	free(jobs->span);
}

static unsigned int legal_states(const struct jobs *jobs, unsigned int job,
				 long pos)
{
	unsigned int i, states = 0;

	for (i = 0; i < jobs->spans; i++)
		if (jobs->span[i].job == job && jobs->span[i].from < pos &&
		    jobs->span[i].until >= pos)
			states |= jobs->span[i].states;
	/* The result of the next job into that layer takes the place of its. */
	for (i = job + 1; i < jobs->n && states & JOBS_ENDED; i++)
		if (jobs->job[i].top == jobs->job[job].top &&
		    jobs->job[i].declared < pos)
			states |= 1U << JOB_NONE;
	return states;
}

/* ---- the disks ---- */

__attribute__((format(printf, 3, 4)))
static bool is_wrong(char *wrong, size_t room, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(wrong, room, fmt, args);
	va_end(args);
	return false;
}

static enum job_state state_of(const struct job *job,
			       const struct dm_chain_sb *sb)
{
	const struct dm_chain_job_record *record = &sb->job;

	if (record->type && !strcmp(record->id, job->id)) {
		if (record->flags & DM_CHAIN_JOB_F_PENDING)
			return JOB_PENDING;
		if (record->io_status != DM_CHAIN_IO_OK)
			return JOB_STOPPED;
		return record->flags & DM_CHAIN_JOB_F_PAUSED ? JOB_PAUSED :
							       JOB_RUNNING;
	}
	if (!sb->result.type || strcmp(sb->result.id, job->id))
		return JOB_NONE;
	switch (sb->result.status) {
	case DM_CHAIN_RESULT_COMPLETED:
		return JOB_COMPLETED;
	case DM_CHAIN_RESULT_CANCELLED:
		return JOB_CANCELLED;
	default:
		return JOB_FAILED;
	}
}

static bool check_state(const struct jobs *jobs, unsigned int job, long pos,
			enum job_state state, char *wrong, size_t room)
{
	unsigned int legal = legal_states(jobs, job, pos);
	char names[128] = "";
	unsigned int i;

	if (legal & 1U << state)
		return true;
	for (i = 0; i < NR_JOB_STATES; i++) {
		if (!(legal & 1U << i))
			continue;
		strcat(names, " ");
		strcat(names, state_names[i]);
	}
	return is_wrong(wrong, room, "job %s is found %s; possible:%s",
			jobs->job[job].id, state_names[state], names);
}

/* Position of a layer in the chain, -1 if it is not there. */
static int place_of(const struct chain *chain, const struct layer *layer)
{
	unsigned int i;

	for (i = 0; i < chain->nr; i++)
		if (chain->layer[i] == layer)
			return i;
	return -1;
}

/* Is a record the one of this job? */
static bool check_record(const struct job *job, const struct layer *layer,
			 char *wrong, size_t room)
{
	const struct dm_chain_sb *sb = &layer[job->top].sb;
	const struct layer *bottom = &layer[job->bottom];
	bool raw = sb->job.flags & DM_CHAIN_JOB_F_RAW_BOTTOM;

	if (!dm_chain_uuid_equal(sb->job.top_uuid, sb->uuid))
		return is_wrong(wrong, room, "job %s: the top's UUID is not %s's",
				job->id, layer[job->top].name);
	if (raw == !!bottom->meta ||
	    (!raw && !dm_chain_uuid_equal(sb->job.bottom_uuid,
					  bottom->sb.uuid)))
		return is_wrong(wrong, room, "job %s: its bottom is not %s",
				job->id, bottom->name);
	return true;
}

static bool holds(const struct layer *layer, u64 block)
{
	return !layer->meta || layer_state(layer, block) != DM_CHAIN_UNALLOCATED;
}

/*
 * The top, at place @top, holds each block below @end bytes that a layer from
 * place @bottom up shows.
 */
static bool check_copied(const struct job *job, const struct chain *chain,
			 int bottom, int top, u64 end, char *wrong, size_t room)
{
	u64 size = chain->block * POWERCUT_SECTOR;
	u64 block;
	int i;

	for (block = 0; block * size < end; block++) {
		if (holds(chain->layer[top], block))
			continue;
		for (i = bottom; i < top; i++)
			if (block * chain->block < chain->limit[i] &&
			    holds(chain->layer[i], block))
				return is_wrong(wrong, room,
						"job %s: block %llu of %s is not in %s; all below byte %llu should be",
						job->id,
						(unsigned long long)block,
						chain->layer[i]->name,
						chain->layer[top]->name,
						(unsigned long long)end);
	}
	return true;
}

static bool check_job(const struct jobs *jobs, unsigned int n, long pos,
		      const struct layer *layer, const struct chain *chain,
		      enum job_state *state, char *wrong, size_t room)
{
	const struct job *job = &jobs->job[n];
	const struct layer *top_layer = &layer[job->top];
	int top = place_of(chain, top_layer);
	int bottom = place_of(chain, &layer[job->bottom]);
	const struct dm_chain_sb *sb = &top_layer->sb;

	*state = NR_JOB_STATES;
	if (top < 0)
		return true;
	*state = state_of(job, sb);
	if (!check_state(jobs, n, pos, *state, wrong, room))
		return false;
	if (*state == JOB_COMPLETED && bottom >= 0)
		return is_wrong(wrong, room, "job %s completed, with %s in the chain",
				job->id, layer[job->bottom].name);
	if (!job_live(*state))
		return true;
	if (bottom < 0 || bottom >= top)
		return is_wrong(wrong, room, "job %s is %s, without %s in the chain",
				job->id, state_names[*state],
				layer[job->bottom].name);
	return check_record(job, layer, wrong, room) &&
	       check_copied(job, chain, bottom, top,
			    *state == JOB_PENDING ? sb->size : sb->job.cursor,
			    wrong, room);
}

/* No record but of the jobs that there are. */
static bool check_strays(const struct jobs *jobs, long pos,
			 const struct layer *layer, const struct chain *chain,
			 char *wrong, size_t room)
{
	unsigned int i, n;

	for (i = 0; i < chain->nr; i++) {
		const struct layer *top = chain->layer[i];

		if (!top->meta || !top->sb.job.type)
			continue;
		for (n = 0; n < jobs->n; n++)
			if (&layer[jobs->job[n].top] == top &&
			    jobs->job[n].declared < pos &&
			    !strcmp(jobs->job[n].id, top->sb.job.id))
				break;
		if (n == jobs->n)
			return is_wrong(wrong, room, "%s has a record of a job %s",
					top->name, top->sb.job.id);
	}
	return true;
}

bool jobs_find(const struct jobs *jobs, long pos, const struct layer *layer,
	       const struct chain *chain, enum job_state *state, char *wrong,
	       size_t room)
{
	unsigned int n;

	for (n = 0; n < jobs->n; n++) {
		state[n] = NR_JOB_STATES;
		if (jobs->job[n].declared < pos &&
		    !check_job(jobs, n, pos, layer, chain, &state[n], wrong,
			       room))
			return false;
	}
	return check_strays(jobs, pos, layer, chain, wrong, room);
}

void jobs_text(const struct jobs *jobs, const enum job_state *state, char *text,
	       size_t room)
{
	size_t len = 0;
	unsigned int n;

	text[0] = '\0';
	for (n = 0; n < jobs->n && len < room; n++)
		if (job_live(state[n]))
			len += snprintf(text + len, room - len, "-%s",
					state_names[state[n]]);
}
