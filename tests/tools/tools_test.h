/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TOOLS_TEST_H
#define TOOLS_TEST_H

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

extern const struct CMUnitTest chaintab_tests[], dm_tests[], job_words_tests[],
	json_tests[], kernel_log_tests[], line_tests[], metrics_tests[],
	output_tests[], picture_tests[], progress_tests[], rebuild_tests[],
	reply_tests[], resize_tests[], room_tests[], stream_check_tests[],
	stream_tests[], tree_tests[], uevent_tests[];
extern const unsigned int nr_chaintab_tests, nr_dm_tests, nr_job_words_tests,
	nr_json_tests, nr_kernel_log_tests, nr_line_tests,
	nr_metrics_tests, nr_output_tests, nr_picture_tests, nr_progress_tests,
	nr_rebuild_tests, nr_reply_tests, nr_resize_tests, nr_room_tests,
	nr_stream_check_tests, nr_stream_tests, nr_tree_tests, nr_uevent_tests;

#endif
