// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: the target's words in the kernel's log.
 */
#include "tools_test.h"

#include <string.h>
#include <linux/kernel.h>

#include "kernel-log.h"

static void test_record(void **state)
{
	static const struct {
		const char *record;
		const char *words;
		bool own;
	} rows[] = {
		{ "4,1,2,-;device-mapper: chain: no;really\n SUBSYSTEM=x\n", "no;really", true },
		{ "3,1,2,-;device-mapper: table: 253:0: chain: gone (-ENODEV)",
		  "gone (-ENODEV)", false },
		/* As the kernel writes "a\\b \u00e4", and what is no such number */
		{ "4,1,2,-;device-mapper: chain: a\\x5cb \\xc3\\xa4\\xg1\\x1",
		  "a\\b \xc3\xa4\\xg1\\x1", true },
		{ "4,1,2,-;device-mapper: thin: chain of events", NULL, false },
		{ "4,1,2,-;device-mapper: ioctl: busy", NULL, false },
		{ "4,1,2,-;usb: chain: no", NULL, false },
		{ "device-mapper: chain: no", NULL, false },
		{ "", NULL, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		char record[128], *words;
		bool own = !rows[i].own;

		strcpy(record, rows[i].record);
		words = kernel_log_record(record, &own);
		if (!rows[i].words) {
			assert_null(words);
			continue;
		}
		assert_non_null(words);
		assert_string_equal(words, rows[i].words);
		assert_int_equal(own, rows[i].own);
	}
}

const struct CMUnitTest kernel_log_tests[] = {
	cmocka_unit_test(test_record),
};

const unsigned int nr_kernel_log_tests = ARRAY_SIZE(kernel_log_tests);
