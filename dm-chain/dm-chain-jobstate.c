// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the life cycle of a job, as an enum and a table.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>

#include "dm-chain-jobstate.h"

static const char *const state_names[] = {
	[DM_CHAIN_JOB_NULL] = "null",
	[DM_CHAIN_JOB_CREATED] = "created",
	[DM_CHAIN_JOB_RUNNING] = "running",
	[DM_CHAIN_JOB_PAUSED] = "paused",
	[DM_CHAIN_JOB_PENDING] = "pending",
	[DM_CHAIN_JOB_ABORTING] = "aborting",
	[DM_CHAIN_JOB_CONCLUDED] = "concluded",
};

static const char *const verb_names[] = {
	[DM_CHAIN_VERB_PAUSE] = "pause",
	[DM_CHAIN_VERB_RESUME] = "resume",
	[DM_CHAIN_VERB_CANCEL] = "cancel",
	[DM_CHAIN_VERB_FINALIZE] = "finalize",
	[DM_CHAIN_VERB_DISMISS] = "dismiss",
	[DM_CHAIN_VERB_SET_SPEED] = "set-speed",
	[DM_CHAIN_VERB_SET_FLOOR] = "set-floor",
	[DM_CHAIN_VERB_SET_CEILING] = "set-ceiling",
};

static const char *const on_error_names[] = {
	[DM_CHAIN_ON_ERROR_REPORT] = "report",
	[DM_CHAIN_ON_ERROR_IGNORE] = "ignore",
	[DM_CHAIN_ON_ERROR_STOP] = "stop",
	[DM_CHAIN_ON_ERROR_ENOSPC] = "enospc",
};

static_assert(ARRAY_SIZE(state_names) == DM_CHAIN_NR_JOB_STATES);
static_assert(ARRAY_SIZE(verb_names) == DM_CHAIN_NR_VERBS);
static_assert(ARRAY_SIZE(on_error_names) == DM_CHAIN_NR_ON_ERROR);

#define CREATED		BIT(DM_CHAIN_JOB_CREATED)
#define RUNNING		BIT(DM_CHAIN_JOB_RUNNING)
#define PAUSED		BIT(DM_CHAIN_JOB_PAUSED)
#define PENDING		BIT(DM_CHAIN_JOB_PENDING)
#define ABORTING	BIT(DM_CHAIN_JOB_ABORTING)
#define CONCLUDED	BIT(DM_CHAIN_JOB_CONCLUDED)

/* The states in which a verb is accepted. */
static const unsigned long verb_states[DM_CHAIN_NR_VERBS] = {
	[DM_CHAIN_VERB_PAUSE] = CREATED | RUNNING,
	[DM_CHAIN_VERB_RESUME] = CREATED | PAUSED,
	[DM_CHAIN_VERB_CANCEL] = CREATED | RUNNING | PAUSED | PENDING,
	[DM_CHAIN_VERB_FINALIZE] = PENDING,
	[DM_CHAIN_VERB_DISMISS] = CONCLUDED,
	[DM_CHAIN_VERB_SET_SPEED] = CREATED | RUNNING | PAUSED,
	[DM_CHAIN_VERB_SET_FLOOR] = CREATED | RUNNING | PAUSED,
	[DM_CHAIN_VERB_SET_CEILING] = CREATED | RUNNING | PAUSED,
};

/* The states that may follow a state. A job finalized by itself skips pending. */
static const unsigned long next_states[DM_CHAIN_NR_JOB_STATES] = {
	[DM_CHAIN_JOB_NULL] = CREATED,
	[DM_CHAIN_JOB_CREATED] = RUNNING | ABORTING,
	[DM_CHAIN_JOB_RUNNING] = PAUSED | PENDING | ABORTING | CONCLUDED,
	[DM_CHAIN_JOB_PAUSED] = RUNNING | ABORTING,
	[DM_CHAIN_JOB_PENDING] = ABORTING | CONCLUDED,
	[DM_CHAIN_JOB_ABORTING] = CONCLUDED,
	[DM_CHAIN_JOB_CONCLUDED] = BIT(DM_CHAIN_JOB_NULL),
};

const char *dm_chain_job_state_name(enum dm_chain_job_state state)
{
	return (unsigned int)state < DM_CHAIN_NR_JOB_STATES ?
	       state_names[state] : "unknown";
}

const char *dm_chain_verb_name(enum dm_chain_verb verb)
{
	return (unsigned int)verb < DM_CHAIN_NR_VERBS ?
	       verb_names[verb] : "unknown";
}

const char *dm_chain_on_error_name(enum dm_chain_on_error policy)
{
	return (unsigned int)policy < DM_CHAIN_NR_ON_ERROR ?
	       on_error_names[policy] : "unknown";
}

bool dm_chain_verb_allowed(enum dm_chain_job_state state,
			   enum dm_chain_verb verb)
{
	return (unsigned int)state < DM_CHAIN_NR_JOB_STATES &&
	       (unsigned int)verb < DM_CHAIN_NR_VERBS &&
	       verb_states[verb] & BIT(state);
}

enum dm_chain_on_error dm_chain_error_action(enum dm_chain_on_error policy,
					     int error)
{
	if (policy != DM_CHAIN_ON_ERROR_ENOSPC)
		return policy;
	return error == ENOSPC ? DM_CHAIN_ON_ERROR_STOP :
	       DM_CHAIN_ON_ERROR_REPORT;
}

bool dm_chain_job_transition_allowed(enum dm_chain_job_state from,
				     enum dm_chain_job_state to)
{
	return (unsigned int)from < DM_CHAIN_NR_JOB_STATES &&
	       (unsigned int)to < DM_CHAIN_NR_JOB_STATES &&
	       next_states[from] & BIT(to);
}
