// SPDX-License-Identifier: GPL-2.0
/*
 * Run the unit tests of chainsetup's parts and sum up.
 */
#include <stdio.h>

#include "tools_test.h"

static unsigned int passed, failed;

/* cmocka's own macro counts an array, and these are in other files. */
static void run(const char *name, const struct CMUnitTest *tests,
		unsigned int nr)
{
	int bad = _cmocka_run_group_tests(name, tests, nr, NULL, NULL);

	/* A negative number: the group did not run. */
	failed += bad < 0 ? nr : bad;
	passed += bad < 0 ? 0 : nr - bad;
}

int main(void)
{
	run("chaintab", chaintab_tests, nr_chaintab_tests);
	run("dm", dm_tests, nr_dm_tests);
	run("job-words", job_words_tests, nr_job_words_tests);
	run("json", json_tests, nr_json_tests);
	run("kernel-log", kernel_log_tests, nr_kernel_log_tests);
	run("line", line_tests, nr_line_tests);
	run("metrics", metrics_tests, nr_metrics_tests);
	run("progress", progress_tests, nr_progress_tests);
	run("rebuild", rebuild_tests, nr_rebuild_tests);
	run("reply", reply_tests, nr_reply_tests);
	run("resize", resize_tests, nr_resize_tests);
	run("room", room_tests, nr_room_tests);
	run("stream", stream_tests, nr_stream_tests);
	run("stream-check", stream_check_tests, nr_stream_check_tests);
	run("uevent", uevent_tests, nr_uevent_tests);
	run("picture", picture_tests, nr_picture_tests);
	run("tree", tree_tests, nr_tree_tests);
	run("output", output_tests, nr_output_tests);
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed;
}
