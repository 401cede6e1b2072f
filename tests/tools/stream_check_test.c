// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: would the target refuse a stream?
 */
#include "tools_test.h"

#include <errno.h>
#include <string.h>
#include <linux/kernel.h>

#include "stream-check.h"

#define DROPPED	"name=X metadata=7:9 state=releasable backing=- read-only=0 users=1\n"

/* A raw base, layers B to E; X was dropped. */
static const char plain[] =
	"name=A metadata=- state=backing backing=- read-only=1 users=2\n"
	"name=B metadata=7:1 state=backing backing=A read-only=0 users=2\n" DROPPED
	"name=C metadata=7:2 state=backing backing=B read-only=0 users=1\n"
	"name=D metadata=7:3 state=backing backing=C read-only=1 users=1\n"
	"name=E metadata=7:4 state=active backing=D read-only=0 users=1\n";
static const char read_only[] =
	"name=A metadata=- state=backing backing=- read-only=1 users=1\n"
	"name=E metadata=7:4 state=active backing=A read-only=1 users=1\n";
static const char job_of_c[] =
	"id=c status=running top=C base=A error=0\n"
	"id=old status=concluded top=E base=- error=0\n";
static const char job_of_e[] = "id=e status=running top=E base=C error=0\n";
static const char job_of_all[] = "id=all status=paused top=E base=- error=28\n";

static const struct {
	const char *layers;
	const char *jobs;
	struct stream_scope scope;
	int ret;
	const char *words;
} rows[] = {
	{ plain, "", { .id = "E" }, 0, "" },
	{ plain, "", { .id = "E", .base = "D" }, 0, "" },
	{ plain, job_of_c, { .id = "old" }, -EEXIST, "job old already" },
	{ plain, job_of_c, { .id = "c", .top = "D" }, -EEXIST, "job c already" },
	{ read_only, "", { .id = "E" }, -EROFS, "device is read-only" },
	{ read_only, "", { .id = "A", .top = "A" }, -EROFS, "device is read-only" },
	{ plain, "", { .id = "A", .top = "A" }, -EROFS, "'A' is a raw" },
	{ plain, job_of_c, { .id = "D", .top = "D" }, -EROFS, "'D' cannot be written" },
	/* What is said of a layer is said of the lowest that both have. */
	{ plain, job_of_c, { .id = "E" }, -EBUSY, "'B' is in use by job 'c'" },
	{ plain, job_of_c, { .id = "E", .base = "B" }, -EBUSY, "'C' is in use by job 'c'" },
	{ plain, job_of_c, { .id = "E", .bottom = "C" }, -EBUSY, "'C' is in use" },
	{ plain, job_of_c, { .id = "B", .top = "B", .base = "A" }, -EBUSY, "'B' is in use" },
	{ plain, job_of_all, { .id = "C", .top = "C", .base = "B" }, -EBUSY, "by job 'all'" },
	/* A base may be another job's top. */
	{ plain, job_of_c, { .id = "E", .base = "C" }, 0, "" },
	{ plain, job_of_c, { .id = "E", .bottom = "D" }, 0, "" },
	{ plain, job_of_e, { .id = "C", .top = "C", .base = "B" }, 0, "" },
	{ plain, "", { .id = "B", .top = "B" }, -EBUSY, "'B' is in use by another device" },
	/* Nothing is written there. */
	{ plain, "", { .id = "B", .top = "B", .base = "A" }, 0, "" },
	/* It has gone meanwhile. */
	{ plain, "", { .id = "Z", .top = "Z" }, 0, "" },
};

static void test_check(void **state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dm_chain_why why = { "" };
		struct reply layers, jobs;

		assert_int_equal(reply_parse(&layers, rows[i].layers, NULL), 0);
		assert_int_equal(reply_parse(&jobs, rows[i].jobs, NULL), 0);
		if (stream_check(&rows[i].scope, &layers, &jobs, &why) != rows[i].ret ||
		    !strstr(why.text, rows[i].words))
			fail_msg("row %u: %s", i, why.text);
		reply_free(&jobs);
		reply_free(&layers);
	}
}

const struct CMUnitTest stream_check_tests[] = {
	cmocka_unit_test(test_check),
};

const unsigned int nr_stream_check_tests = ARRAY_SIZE(stream_check_tests);
