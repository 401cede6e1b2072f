/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TOOLS_TEST_H
#define TOOLS_TEST_H

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

extern const struct CMUnitTest line_tests[], progress_tests[], reply_tests[];
extern const unsigned int nr_line_tests, nr_progress_tests, nr_reply_tests;

#endif
