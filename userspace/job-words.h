/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: what the target says about a job, for people.
 */
#ifndef CHAINSETUP_JOB_WORDS_H
#define CHAINSETUP_JOB_WORDS_H

#include "reply.h"

/* The top's line of the answer to "layers"; NULL if there is no such layer. */
const struct reply_line *stream_top(const struct reply *layers,
				    const char *top);

/**
 * stream_id() - the id that a job will have, and whether there will be one
 * @layers: answer to "layers", before the stream
 * @top: as the user gave it, NULL = the active layer
 * @base: NULL = none given
 * @bottom: NULL = none given
 * @job: NULL = the top's name
 * @nothing: set if the stream has nothing to do: what it would copy is the top
 *	alone
 *
 * Return: the id, "" if there is no such top.
 */
const char *stream_id(const struct reply *layers, const char *top,
		      const char *base, const char *bottom, const char *job,
		      bool *nothing);

enum job_end { JOB_LIVE, JOB_COMPLETED, JOB_CANCELLED, JOB_FAILED };

/**
 * job_end_of() - how a job has ended
 * @line: of "jobs" or "jobs last"
 */
enum job_end job_end_of(const struct reply_line *line);

/* What an errno means for a job. */
const char *job_error_text(int error);

/* What keeps a live job from getting on: "paused: no space"; "" if nothing. */
const char *job_note(const struct reply_line *line, char *note, size_t size);

/**
 * job_hint() - what the admin has to do so that a live job gets on
 * @line: of "jobs"
 * @device: dm name
 *
 * Return: a line without a newline, free() it; NULL if there is nothing to do.
 */
char *job_hint(const struct reply_line *line, const char *device);

/* "1:02:03" or "2:03" */
const char *duration_text(u64 seconds, char *text, size_t size);

#endif
