// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the job state table: every verb in every state, every transition.
 */
#include <kunit/test.h>

#include <linux/errno.h>

#include "dm-chain-jobstate.h"

/*
 * What is expected of each verb in each state: one row a verb, one column a
 * state, in the order null created running paused pending aborting concluded.
 */
static const char *const verb_rows[DM_CHAIN_NR_VERBS] = {
	[DM_CHAIN_VERB_PAUSE] =		".++....",
	[DM_CHAIN_VERB_RESUME] =	".+.+...",
	[DM_CHAIN_VERB_CANCEL] =	".++++..",
	[DM_CHAIN_VERB_FINALIZE] =	"....+..",
	[DM_CHAIN_VERB_DISMISS] =	"......+",
	[DM_CHAIN_VERB_SET_SPEED] =	".+++...",
	[DM_CHAIN_VERB_SET_FLOOR] =	".+++...",
	[DM_CHAIN_VERB_SET_CEILING] =	".+++...",
};

/* One row for each state that is left, one column for each that follows. */
static const char *const next_rows[DM_CHAIN_NR_JOB_STATES] = {
	[DM_CHAIN_JOB_NULL] =		".+.....",
	[DM_CHAIN_JOB_CREATED] =	"..+..+.",
	[DM_CHAIN_JOB_RUNNING] =	"...++++",
	[DM_CHAIN_JOB_PAUSED] =		"..+..+.",
	[DM_CHAIN_JOB_PENDING] =	".....++",
	[DM_CHAIN_JOB_ABORTING] =	"......+",
	[DM_CHAIN_JOB_CONCLUDED] =	"+......",
};

/*
 * The same as QEMU documents it, in its order of states: undefined created
 * running paused ready standby waiting pending aborting concluded null.
 */
enum {
	UNDEFINED, CREATED, RUNNING, PAUSED, READY, STANDBY, WAITING, PENDING,
	ABORTING, CONCLUDED, GONE, NR_QEMU
};

static const unsigned int qemu_state[DM_CHAIN_NR_JOB_STATES] = {
	[DM_CHAIN_JOB_NULL] = GONE,
	[DM_CHAIN_JOB_CREATED] = CREATED,
	[DM_CHAIN_JOB_RUNNING] = RUNNING,
	[DM_CHAIN_JOB_PAUSED] = PAUSED,
	[DM_CHAIN_JOB_PENDING] = PENDING,
	[DM_CHAIN_JOB_ABORTING] = ABORTING,
	[DM_CHAIN_JOB_CONCLUDED] = CONCLUDED,
};

static const char *const qemu_verbs[DM_CHAIN_NR_VERBS] = {
	[DM_CHAIN_VERB_PAUSE] =		".+++++.....",
	[DM_CHAIN_VERB_RESUME] =	".+++++.....",
	[DM_CHAIN_VERB_CANCEL] =	".+++++++...",
	[DM_CHAIN_VERB_FINALIZE] =	".......+...",
	[DM_CHAIN_VERB_DISMISS] =	".........+.",
	[DM_CHAIN_VERB_SET_SPEED] =	".+++++.....",
	/* QEMU has a speed only. */
	[DM_CHAIN_VERB_SET_FLOOR] =	".+++++.....",
	[DM_CHAIN_VERB_SET_CEILING] =	".+++++.....",
};

static const char *const qemu_next[NR_QEMU] = {
	[UNDEFINED] =	".+.........",
	[CREATED] =	"..+.....+.+",
	[RUNNING] =	"...++.+.+..",
	[PAUSED] =	"..+........",
	[READY] =	".....++.+..",
	[STANDBY] =	"....+......",
	[WAITING] =	".......++..",
	[PENDING] =	"........++.",
	[ABORTING] =	".........+.",
	[CONCLUDED] =	"..........+",
	[GONE] =	"...........",
};

/* What QEMU accepts by its table and then refuses for what the job is at. */
static bool refused_by_qemu_as_well(unsigned int verb, unsigned int state)
{
	return (verb == DM_CHAIN_VERB_PAUSE && state == DM_CHAIN_JOB_PAUSED) ||
	       (verb == DM_CHAIN_VERB_RESUME && state == DM_CHAIN_JOB_RUNNING);
}

/* The states of QEMU that a job is not seen in here. */
static bool qemu_passes(unsigned int from, unsigned int to)
{
	/* QEMU wakes a paused job so that it can abort. */
	if (from == PAUSED && to == ABORTING)
		return true;
	/* A job that cannot begin is never seen. */
	if (from == CREATED && to == GONE)
		return false;
	if (from == GONE)
		from = UNDEFINED;
	/* Waiting is for other jobs of a transaction, pending for finalize. */
	if (from == RUNNING && to == CONCLUDED)
		return qemu_next[RUNNING][WAITING] == '+' &&
		       qemu_next[WAITING][PENDING] == '+' &&
		       qemu_next[PENDING][CONCLUDED] == '+';
	if (from == RUNNING && to == PENDING)
		return qemu_next[RUNNING][WAITING] == '+' &&
		       qemu_next[WAITING][PENDING] == '+';
	return qemu_next[from][to] == '+';
}

static void verbs_as_in_qemu(struct kunit *test)
{
	unsigned int verb, state;

	for (verb = 0; verb < DM_CHAIN_NR_VERBS; verb++)
		for (state = 0; state < DM_CHAIN_NR_JOB_STATES; state++)
			KUNIT_EXPECT_EQ_MSG(test, dm_chain_verb_allowed(state, verb),
					    qemu_verbs[verb][qemu_state[state]] == '+' &&
					    !refused_by_qemu_as_well(verb, state),
					    "%s in %s", dm_chain_verb_name(verb),
					    dm_chain_job_state_name(state));
}

static void transitions_as_in_qemu(struct kunit *test)
{
	unsigned int from, to;

	for (from = 0; from < DM_CHAIN_NR_JOB_STATES; from++)
		for (to = 0; to < DM_CHAIN_NR_JOB_STATES; to++)
			KUNIT_EXPECT_EQ_MSG(test, dm_chain_job_transition_allowed(from, to),
					    qemu_passes(qemu_state[from], qemu_state[to]),
					    "%s to %s", dm_chain_job_state_name(from),
					    dm_chain_job_state_name(to));
}

static void verbs_in_states(struct kunit *test)
{
	unsigned int verb, state;

	for (verb = 0; verb < DM_CHAIN_NR_VERBS; verb++)
		for (state = 0; state < DM_CHAIN_NR_JOB_STATES; state++)
			KUNIT_EXPECT_EQ_MSG(test, dm_chain_verb_allowed(state, verb),
					    verb_rows[verb][state] == '+', "%s in %s",
					    dm_chain_verb_name(verb),
					    dm_chain_job_state_name(state));
}

static void transitions(struct kunit *test)
{
	unsigned int from, to;

	for (from = 0; from < DM_CHAIN_NR_JOB_STATES; from++)
		for (to = 0; to < DM_CHAIN_NR_JOB_STATES; to++)
			KUNIT_EXPECT_EQ_MSG(test, dm_chain_job_transition_allowed(from, to),
					    next_rows[from][to] == '+', "%s to %s",
					    dm_chain_job_state_name(from),
					    dm_chain_job_state_name(to));
}

/* A verb that is accepted must lead somewhere that the table allows. */
static void verbs_lead_somewhere(struct kunit *test)
{
	static const struct {
		enum dm_chain_verb verb;
		enum dm_chain_job_state from, to;
	} steps[] = {
		{ DM_CHAIN_VERB_PAUSE, DM_CHAIN_JOB_RUNNING, DM_CHAIN_JOB_PAUSED },
		{ DM_CHAIN_VERB_RESUME, DM_CHAIN_JOB_PAUSED, DM_CHAIN_JOB_RUNNING },
		{ DM_CHAIN_VERB_CANCEL, DM_CHAIN_JOB_CREATED, DM_CHAIN_JOB_ABORTING },
		{ DM_CHAIN_VERB_CANCEL, DM_CHAIN_JOB_RUNNING, DM_CHAIN_JOB_ABORTING },
		{ DM_CHAIN_VERB_CANCEL, DM_CHAIN_JOB_PAUSED, DM_CHAIN_JOB_ABORTING },
		{ DM_CHAIN_VERB_CANCEL, DM_CHAIN_JOB_PENDING, DM_CHAIN_JOB_ABORTING },
		{ DM_CHAIN_VERB_FINALIZE, DM_CHAIN_JOB_PENDING, DM_CHAIN_JOB_CONCLUDED },
		{ DM_CHAIN_VERB_DISMISS, DM_CHAIN_JOB_CONCLUDED, DM_CHAIN_JOB_NULL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		KUNIT_EXPECT_TRUE(test, dm_chain_verb_allowed(steps[i].from, steps[i].verb));
		KUNIT_EXPECT_TRUE(test, dm_chain_job_transition_allowed(steps[i].from,
									steps[i].to));
	}
}

/* From everywhere there is a way to the end. */
static void every_job_can_end(struct kunit *test)
{
	bool ends[DM_CHAIN_NR_JOB_STATES] = { [DM_CHAIN_JOB_NULL] = true };
	unsigned int round, from, to;

	for (round = 0; round < DM_CHAIN_NR_JOB_STATES; round++)
		for (from = 0; from < DM_CHAIN_NR_JOB_STATES; from++)
			for (to = 0; to < DM_CHAIN_NR_JOB_STATES; to++)
				if (ends[to] && dm_chain_job_transition_allowed(from, to))
					ends[from] = true;
	for (from = 0; from < DM_CHAIN_NR_JOB_STATES; from++)
		KUNIT_EXPECT_TRUE_MSG(test, ends[from], "%s",
				      dm_chain_job_state_name(from));
}

static void names(struct kunit *test)
{
	static const char *const states[] = { "null", "created", "running", "paused",
					      "pending", "aborting", "concluded" };
	static const char *const verbs[] = { "pause", "resume", "cancel", "finalize", "dismiss",
					     "set-speed", "set-floor", "set-ceiling" };
	static const char *const policies[] = { "report", "ignore", "stop", "enospc" };
	unsigned int i;

	KUNIT_ASSERT_EQ(test, (unsigned int)ARRAY_SIZE(states), DM_CHAIN_NR_JOB_STATES);
	KUNIT_ASSERT_EQ(test, (unsigned int)ARRAY_SIZE(verbs), DM_CHAIN_NR_VERBS);
	KUNIT_ASSERT_EQ(test, (unsigned int)ARRAY_SIZE(policies), DM_CHAIN_NR_ON_ERROR);
	for (i = 0; i < ARRAY_SIZE(states); i++)
		KUNIT_EXPECT_STREQ(test, dm_chain_job_state_name(i), states[i]);
	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		KUNIT_EXPECT_STREQ(test, dm_chain_verb_name(i), verbs[i]);
	for (i = 0; i < ARRAY_SIZE(policies); i++)
		KUNIT_EXPECT_STREQ(test, dm_chain_on_error_name(i), policies[i]);
}

/* Who decides about which error: the rest of QEMU's table is in what follows. */
static void error_actions(struct kunit *test)
{
	static const enum dm_chain_on_error R = DM_CHAIN_ON_ERROR_REPORT;
	static const enum dm_chain_on_error I = DM_CHAIN_ON_ERROR_IGNORE;
	static const enum dm_chain_on_error S = DM_CHAIN_ON_ERROR_STOP;
	static const int errors[] = { EIO, ENOSPC, EILSEQ, EROFS, ENOMEM };
	const enum dm_chain_on_error actions[DM_CHAIN_NR_ON_ERROR][ARRAY_SIZE(errors)] = {
		[DM_CHAIN_ON_ERROR_REPORT] = { R, R, R, R, R },
		[DM_CHAIN_ON_ERROR_IGNORE] = { I, I, I, I, I },
		[DM_CHAIN_ON_ERROR_STOP] = { S, S, S, S, S },
		[DM_CHAIN_ON_ERROR_ENOSPC] = { R, S, R, R, R },
	};
	unsigned int policy, i;

	for (policy = 0; policy < DM_CHAIN_NR_ON_ERROR; policy++)
		for (i = 0; i < ARRAY_SIZE(errors); i++)
			KUNIT_EXPECT_EQ_MSG(test, dm_chain_error_action(policy, errors[i]),
					    actions[policy][i], "%s, error %d",
					    dm_chain_on_error_name(policy), errors[i]);
}

/* Values that came from a disk may be anything. */
static void out_of_range(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, dm_chain_job_state_name(DM_CHAIN_NR_JOB_STATES), "unknown");
	KUNIT_EXPECT_STREQ(test, dm_chain_verb_name(-1), "unknown");
	KUNIT_EXPECT_STREQ(test, dm_chain_on_error_name(DM_CHAIN_NR_ON_ERROR), "unknown");
	KUNIT_EXPECT_FALSE(test, dm_chain_verb_allowed(-1, DM_CHAIN_VERB_CANCEL));
	KUNIT_EXPECT_FALSE(test, dm_chain_verb_allowed(DM_CHAIN_NR_JOB_STATES,
						       DM_CHAIN_VERB_CANCEL));
	KUNIT_EXPECT_FALSE(test, dm_chain_verb_allowed(DM_CHAIN_JOB_RUNNING, DM_CHAIN_NR_VERBS));
	KUNIT_EXPECT_FALSE(test, dm_chain_job_transition_allowed(DM_CHAIN_NR_JOB_STATES,
								 DM_CHAIN_JOB_NULL));
	KUNIT_EXPECT_FALSE(test, dm_chain_job_transition_allowed(DM_CHAIN_JOB_RUNNING, -1));
}

static struct kunit_case jobstate_cases[] = {
	KUNIT_CASE(verbs_in_states),
	KUNIT_CASE(transitions),
	KUNIT_CASE(verbs_as_in_qemu),
	KUNIT_CASE(transitions_as_in_qemu),
	KUNIT_CASE(verbs_lead_somewhere),
	KUNIT_CASE(every_job_can_end),
	KUNIT_CASE(names),
	KUNIT_CASE(error_actions),
	KUNIT_CASE(out_of_range),
	{}
};

static struct kunit_suite jobstate_suite = {
	.name = "dm-chain-jobstate",
	.test_cases = jobstate_cases,
};

kunit_test_suite(jobstate_suite);
