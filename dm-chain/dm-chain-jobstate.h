/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-chain: the life cycle of a job, as an enum and a table. Pure.
 *
 *	            pause            finalize off      finalize
 *	created -> running <-> paused   running -> pending -> concluded -> null
 *	   |          |          |         |          |          ^
 *	   +----------+----------+---------+----------+-> aborting
 *	                       cancel, error
 */
#ifndef DM_CHAIN_JOBSTATE_H
#define DM_CHAIN_JOBSTATE_H

#include <linux/types.h>

enum dm_chain_job_state {
	DM_CHAIN_JOB_NULL,	/* gone */
	DM_CHAIN_JOB_CREATED,
	DM_CHAIN_JOB_RUNNING,
	DM_CHAIN_JOB_PAUSED,
	DM_CHAIN_JOB_PENDING,
	DM_CHAIN_JOB_ABORTING,
	DM_CHAIN_JOB_CONCLUDED,
	DM_CHAIN_NR_JOB_STATES
};

enum dm_chain_verb {
	DM_CHAIN_VERB_PAUSE,
	DM_CHAIN_VERB_RESUME,
	DM_CHAIN_VERB_CANCEL,
	DM_CHAIN_VERB_FINALIZE,
	DM_CHAIN_VERB_DISMISS,
	DM_CHAIN_VERB_SET_SPEED,
	DM_CHAIN_VERB_SET_FLOOR,
	DM_CHAIN_VERB_SET_CEILING,
	DM_CHAIN_NR_VERBS
};

enum dm_chain_on_error {
	DM_CHAIN_ON_ERROR_REPORT,
	DM_CHAIN_ON_ERROR_IGNORE,
	DM_CHAIN_ON_ERROR_STOP,
	DM_CHAIN_ON_ERROR_ENOSPC,
	DM_CHAIN_NR_ON_ERROR
};

/* Names as they appear in replies, events and messages. */
const char *dm_chain_job_state_name(enum dm_chain_job_state state);
const char *dm_chain_verb_name(enum dm_chain_verb verb);
const char *dm_chain_on_error_name(enum dm_chain_on_error policy);

/*
 * May a job in @state be given @verb? (QEMU's table; pause in paused and
 * resume in running are refused too.)
 */
bool dm_chain_verb_allowed(enum dm_chain_job_state state,
			   enum dm_chain_verb verb);

/**
 * dm_chain_error_action() - what to do about an I/O error of a job
 * @policy: of the job
 * @error: a positive errno
 *
 * Under enospc only a lack of space, which somebody can mend, holds the job.
 *
 * Context: any. Return: report, ignore or stop, never enospc.
 */
enum dm_chain_on_error dm_chain_error_action(enum dm_chain_on_error policy,
					     int error);

/* May a job go from @from to @to? */
bool dm_chain_job_transition_allowed(enum dm_chain_job_state from,
				     enum dm_chain_job_state to);

#endif
