/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of the grammar share. */
#ifndef DM_CHAIN_TEST_PARSED_H
#define DM_CHAIN_TEST_PARSED_H

#include <kunit/test.h>

#include <linux/errno.h>

#include "dm-chain-parse.h"

#define MAX_WORDS	256
#define NAME_63		"a23456789012345678901234567890123456789012345678901234567890123"

/* One text cut into words, and what came out of it. */
struct parsed {
	char text[4096];
	unsigned int argc;
	char *argv[MAX_WORDS];
	struct dm_chain_line line;
	struct dm_chain_msg msg;
	struct dm_chain_why why;
};

/* Cuts at blanks; the word "" is the empty word. */
static inline void cut(struct parsed *p, const char *text)
{
	char *c = p->text;

	snprintf(p->text, sizeof(p->text), "%s", text);
	p->argc = 0;
	for (;;) {
		while (*c == ' ')
			*c++ = '\0';
		if (!*c || p->argc == MAX_WORDS)
			return;
		p->argv[p->argc++] = c;
		while (*c && *c != ' ')
			c++;
		if (c - p->argv[p->argc - 1] == 2 && !strncmp(c - 2, "\"\"", 2))
			c[-2] = '\0';
	}
}

/* Of the suites: makes one of these @priv. */
static inline int parsed_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct parsed), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

#endif
