/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the superblocks may say of jobs at a point of the log, from these marks:
 *
 *	job ID TOP BOTTOM	a job into the layer TOP from BOTTOM up; its id
 *				is used once in a scenario
 *	jobis ID STATE...	the superblock of its top says one of these
 *	jobmay ID STATE...	or one of these, until the next "jobis"
 *
 * A state is what the top's superblock has of the job: a record (running,
 * paused, stopped by an error, pending), its result (completed, cancelled,
 * failed) or neither (none).
 */
#ifndef POWERCUT_JOBS_H
#define POWERCUT_JOBS_H

#include <stdbool.h>
#include <stddef.h>

#include "layers.h"

#define JOBS_MAX	16

enum job_state {
	JOB_NONE,
	JOB_RUNNING,
	JOB_PAUSED,
	JOB_STOPPED,
	JOB_PENDING,
	JOB_COMPLETED,
	JOB_CANCELLED,
	JOB_FAILED,
	NR_JOB_STATES
};

#define JOBS_ENDED	(1U << JOB_COMPLETED | 1U << JOB_CANCELLED | \
			 1U << JOB_FAILED)

/**
 * struct job - a job of the scenario
 * @id: its id
 * @top: index of the layer that it fills
 * @bottom: of the lowest that it copies
 * @declared: position at which it was announced
 */
struct job {
	char id[DM_CHAIN_NAME_LEN];
	unsigned int top;
	unsigned int bottom;
	long declared;
};

/**
 * struct job_span - states that are possible for a while
 * @job: index
 * @states: bit n for state n
 * @from: position from which on
 * @until: position at which they became impossible
 */
struct job_span {
	unsigned int job;
	unsigned int states;
	long from;
	long until;
};

struct jobs {
	struct job job[JOBS_MAX];
	unsigned int n;
	struct job_span *span;
	unsigned int spans;
};

const char *job_state_name(enum job_state state);

/**
 * jobs_add() - take in a mark "job"
 * @jobs: grows
 * @id: of the job
 * @top: index of its top
 * @bottom: of its bottom
 * @pos: of the mark
 */
void jobs_add(struct jobs *jobs, const char *id, unsigned int top,
	      unsigned int bottom, long pos);

/**
 * jobs_mark() - take in a mark "jobis" or "jobmay"
 * @jobs: grows
 * @text: the words behind that; taken apart
 * @only: nothing else is possible any more
 * @pos: of the mark
 */
void jobs_mark(struct jobs *jobs, char *text, bool only, long pos);
void jobs_free(struct jobs *jobs);

/**
 * jobs_find() - what the superblocks say, and whether they may
 * @jobs: of the scenario
 * @pos: position of the cut
 * @layer: the layers of the scenario, by their index
 * @chain: some of them, as they were found
 * @state: gets the state of each job whose top is in the chain, else
 *	NR_JOB_STATES
 * @wrong: gets what is wrong
 * @room: for how many characters
 *
 * A record or a result has to be one of those that the marks allow; a record
 * names its layers, and its top holds, below the cursor, and everywhere once it
 * is pending, all that its other layers hold.
 *
 * Return: true if nothing is wrong.
 */
bool jobs_find(const struct jobs *jobs, long pos, const struct layer *layer,
	       const struct chain *chain, enum job_state *state, char *wrong,
	       size_t room);

/* Has it a record? */
static inline bool job_live(enum job_state state)
{
	return state >= JOB_RUNNING && state <= JOB_PENDING;
}

/**
 * jobs_text() - the live ones among the states found, for a file's name
 * @jobs: of the scenario
 * @state: what jobs_find() found
 * @text: gets "-running-paused", empty if none lives
 * @room: for how many characters
 */
void jobs_text(const struct jobs *jobs, const enum job_state *state, char *text,
	       size_t room);

#endif
