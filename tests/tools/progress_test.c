// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: the progress of jobs, for people.
 */
#include "tools_test.h"

#include <string.h>

#include "progress.h"

static void test_percent(void **state)
{
	struct progress progress = { .offset = 0, .len = 0 };

	assert_int_equal(progress_percent(&progress), 100);
	progress.len = 1000;
	assert_int_equal(progress_percent(&progress), 0);
	progress.offset = 500;
	assert_int_equal(progress_percent(&progress), 50);
	progress.offset = 999;
	assert_int_equal(progress_percent(&progress), 99);
	progress.len = ~0ULL;
	progress.offset = ~0ULL - 1;
	assert_int_equal(progress_percent(&progress), 99);
	progress.offset = ~0ULL;
	assert_int_equal(progress_percent(&progress), 100);
}

static const struct progress half = {
	.id = "E",
	.offset = 512 << 20,
	.len = 1024 << 20,
	.copied = 256 << 20,
	.rate = 64 << 20,
	.seconds_left = 3725,
};

static void test_plain(void **state)
{
	char text[512];

	assert_string_equal(progress_line(&half, 0, text, sizeof(text)),
			    "E:  50%  256M copied  64M/s  1:02:05 left");
}

static void test_unknown_rate(void **state)
{
	struct progress begun = half;
	char text[512];

	begun.rate = 0;
	begun.seconds_left = 0;
	assert_string_equal(progress_line(&begun, 0, text, sizeof(text)),
			    "E:  50%  256M copied  0B/s  -:-- left");
}

static void test_note(void **state)
{
	struct progress paused = half;
	char text[512];

	snprintf(paused.note, sizeof(paused.note), "paused: no space");
	assert_string_equal(progress_line(&paused, 0, text, sizeof(text)),
			    "E:  50%  256M copied  paused: no space");
}

static void test_bar(void **state)
{
	struct progress done = half;
	char text[512];

	assert_string_equal(progress_line(&half, 64, text, sizeof(text)),
			    "E [==========>         ]  50%  256M copied  64M/s  1:02:05 left");
	assert_true(strlen(text) < 64);
	progress_line(&half, 500, text, sizeof(text));
	assert_non_null(strstr(text, "[====================>                   ]"));
	/* All done: no arrow. */
	done.offset = done.len;
	progress_line(&done, 500, text, sizeof(text));
	assert_null(strchr(text, '>'));
}

/* Everything where there is room, the least important left out where not. */
static void test_rest(void **state)
{
	struct progress all = half;
	char text[512];

	all.failed = 2;
	all.remaining = 512 << 20;
	all.zeroed = 16 << 20;
	all.skipped = 240 << 20;
	assert_string_equal(progress_line(&all, 0, text, sizeof(text)),
			    "E:  50%  256M copied  64M/s  1:02:05 left  2 errors  512M remaining  16M zeroed  240M skipped");
	progress_line(&all, 200, text, sizeof(text));
	assert_non_null(strstr(text, "skipped"));
	assert_string_equal(progress_line(&all, 91, text, sizeof(text)),
			    "E [==========>          ]  50%  256M copied  64M/s  1:02:05 left  2 errors  512M remaining");
	/* It would fit, but the bar would become too short. */
	progress_line(&all, 82, text, sizeof(text));
	assert_null(strstr(text, "remaining"));
	progress_line(&all, 72, text, sizeof(text));
	assert_non_null(strstr(text, "left  2 errors"));
	assert_null(strstr(text, "remaining"));
	all.failed = 1;
	snprintf(all.note, sizeof(all.note), "paused");
	assert_string_equal(progress_line(&all, 0, text, sizeof(text)),
			    "E:  50%  256M copied  paused  1 error  512M remaining  16M zeroed  240M skipped");
}

/* No line is wider than the terminal: it would scroll. */
static void test_narrow(void **state)
{
	struct progress progress = half;
	unsigned int width;
	char text[512];

	progress.failed = 17;
	progress.remaining = 512 << 20;
	progress.zeroed = 1023 << 20;
	progress.skipped = 1023 << 10;
	for (width = 1; width < 300; width++)
		assert_true(strlen(progress_line(&progress, width, text,
						 sizeof(text))) < width);
	memset(progress.id, 'j', sizeof(progress.id) - 1);
	for (width = 1; width < 300; width++)
		assert_true(strlen(progress_line(&progress, width, text,
						 sizeof(text))) < width);
}

static void test_due(void **state)
{
	struct progress_pace pace = { .begun = false };
	struct progress progress = { .id = "E", .len = 100 };

	assert_true(progress_due(&pace, &progress, 10000));
	progress.offset = 4;
	assert_false(progress_due(&pace, &progress, 20000));
	progress.offset = 5;
	assert_false(progress_due(&pace, &progress, 10999));
	assert_true(progress_due(&pace, &progress, 11000));
	assert_false(progress_due(&pace, &progress, 30000));
	/* What stops the job is said at once. */
	snprintf(progress.note, sizeof(progress.note), "paused");
	assert_true(progress_due(&pace, &progress, 30001));
	assert_false(progress_due(&pace, &progress, 40000));
}

const struct CMUnitTest progress_tests[] = {
	cmocka_unit_test(test_percent),
	cmocka_unit_test(test_plain),
	cmocka_unit_test(test_unknown_rate),
	cmocka_unit_test(test_note),
	cmocka_unit_test(test_bar),
	cmocka_unit_test(test_rest),
	cmocka_unit_test(test_narrow),
	cmocka_unit_test(test_due),
};

const unsigned int nr_progress_tests = ARRAY_SIZE(progress_tests);
