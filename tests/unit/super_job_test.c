// SPDX-License-Identifier: GPL-2.0
/* The job record of a superblock: what a job may be, and what it may not. */
#include <kunit/test.h>

#include "dm-chain-codec.h"
#include "dm-chain-jobstate.h"
#include "sample.h"

/* Too large for a kernel's stack. */
struct record {
	struct dm_chain_sb sb;
	struct dm_chain_sb back;
	struct dm_chain_why why;
	u8 page[DM_CHAIN_PAGE_SIZE];
};

static int setup(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct record), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void expect_round_trip(struct kunit *test)
{
	struct record *s = test->priv;

	memset(s->page, 0xff, sizeof(s->page));
	memset(&s->back, 0xff, sizeof(s->back));
	KUNIT_EXPECT_EQ_MSG(test, dm_chain_sb_check(&s->sb, &s->why), 0, "%s", s->why.text);
	dm_chain_sb_encode(s->page, &s->sb);
	KUNIT_EXPECT_EQ_MSG(test, dm_chain_sb_decode(s->page, &s->back, &s->why), 0,
			    "%s", s->why.text);
	KUNIT_EXPECT_MEMEQ(test, &s->sb, &s->back, sizeof(s->sb));
}

static void every_set_of_flags(struct kunit *test)
{
	struct record *s = test->priv;
	struct dm_chain_job_record *job = &s->sb.job;
	u32 flags;

	for (flags = 0; flags <= DM_CHAIN_JOB_KNOWN_FLAGS; flags++) {
		sample_full(&s->sb);
		job->flags = flags;
		if (flags & DM_CHAIN_JOB_F_RAW_BOTTOM)
			sample_uuid(job->bottom_uuid, 0);
		expect_round_trip(test);
		KUNIT_EXPECT_EQ(test, s->back.job.flags, flags);
	}
}

static void every_error_state(struct kunit *test)
{
	struct record *s = test->priv;
	struct dm_chain_job_record *job = &s->sb.job;
	u32 policy, status;

	for (policy = 0; policy < DM_CHAIN_NR_ON_ERROR; policy++)
		for (status = 0; status < DM_CHAIN_NR_IO_STATUS; status++) {
			sample_full(&s->sb);
			job->on_error = policy;
			job->io_status = status;
			job->error = status == DM_CHAIN_IO_OK ? 0 : 5 + policy;
			expect_round_trip(test);
		}
}

/* A job that has just been started has no more than this. */
static void first_and_last_cursor(struct kunit *test)
{
	struct record *s = test->priv;
	struct dm_chain_job_record *job = &s->sb.job;

	sample_minimal(&s->sb);
	s->sb.size = GIB - 512;
	job->type = DM_CHAIN_JOB_STREAM;
	strscpy(job->id, "E", sizeof(job->id));
	sample_uuid(job->top_uuid, 0x11);
	sample_uuid(job->bottom_uuid, 0x44);
	expect_round_trip(test);
	job->cursor = s->sb.size;
	expect_round_trip(test);
	job->cursor = s->sb.size - 4096;
	expect_round_trip(test);
}

/* The sample with one thing changed must be refused, written or read. */
#define expect_bad(reason, ...)							\
do {										\
	sample_full(&s->sb);							\
	__VA_ARGS__;								\
	KUNIT_EXPECT_EQ(test, dm_chain_sb_check(&s->sb, &s->why), -EINVAL);	\
	KUNIT_EXPECT_STREQ(test, s->why.text, "superblock: " reason);		\
	dm_chain_sb_encode(s->page, &s->sb);					\
	KUNIT_EXPECT_EQ(test, dm_chain_sb_decode(s->page, &s->back, &s->why),	\
			-EINVAL);						\
	KUNIT_EXPECT_STREQ(test, s->why.text, "superblock: " reason);		\
} while (0)

static void bad_fields(struct kunit *test)
{
	struct record *s = test->priv;
	struct dm_chain_job_record *job = &s->sb.job;

	expect_bad("unknown type of job 2", job->type = 2);
	expect_bad("unknown job flags 0x40", job->flags |= 0x40);
	expect_bad("the job's id is not a name", job->id[0] = '\0');
	expect_bad("the job's id is not a name", job->id[1] = '/');
	expect_bad("the job's id is not a name", strscpy(job->id, "zero", sizeof(job->id)));
	expect_bad("the top of job job-1 is another layer", sample_uuid(job->top_uuid, 0x12));
	expect_bad("the top of job job-1 is another layer", sample_uuid(job->top_uuid, 0));
	expect_bad("the bottom of job job-1 lacks a UUID", sample_uuid(job->bottom_uuid, 0));
	expect_bad("the raw bottom of job job-1 has a UUID",
		   job->flags |= DM_CHAIN_JOB_F_RAW_BOTTOM);
	expect_bad("the bottom of job job-1 is its top", sample_uuid(job->bottom_uuid, 0x11));
	expect_bad("the cursor of job job-1, 10737418753, is behind the layer's end, 10737418752",
		   job->cursor = s->sb.size + 1);
	expect_bad("job job-1 has the unknown error policy 4",
		   job->on_error = DM_CHAIN_NR_ON_ERROR);
	expect_bad("job job-1 has the impossible error 4096", job->error = 4096);
	expect_bad("job job-1 has the impossible error 4294967291", job->error = -5);
	expect_bad("job job-1 has the unknown I/O status 3",
		   job->io_status = DM_CHAIN_NR_IO_STATUS);
}

/* A record and a result may be there together, or either, or neither. */
static void record_and_result(struct kunit *test)
{
	struct record *s = test->priv;
	unsigned int n;

	for (n = 0; n < 4; n++) {
		sample_full(&s->sb);
		if (n & 1)
			memset(&s->sb.job, 0, sizeof(s->sb.job));
		if (n & 2)
			memset(&s->sb.result, 0, sizeof(s->sb.result));
		expect_round_trip(test);
	}
}

static struct kunit_case super_job_cases[] = {
	KUNIT_CASE(every_set_of_flags),
	KUNIT_CASE(every_error_state),
	KUNIT_CASE(first_and_last_cursor),
	KUNIT_CASE(bad_fields),
	KUNIT_CASE(record_and_result),
	{}
};

static struct kunit_suite super_job_suite = {
	.name = "dm-chain-super-job",
	.init = setup,
	.test_cases = super_job_cases,
};

kunit_test_suite(super_job_suite);
