// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the grammar with words that were changed, dropped, doubled and
 * swapped at random: what is understood keeps every promise, what is not gets
 * a reason.
 */
#include <kunit/test.h>

#include <linux/errno.h>
#include <linux/limits.h>

#include "dm-chain-codec.h"
#include "parsed.h"
#include "random.h"

/* Lines and messages that are understood, to be damaged below. */
static const char *const seeds[] = {
	"3 A a - B b m E e e 6 format block_size 8 copy_on_read_bottom A copy_on_read",
	"2 A a - E e m 3 jobs paused no_discard_passdown",
	"1 E e m 2 read_only format",
	"2 A a - E e m 0",
	"stream top D base A job j speed 5 on-error stop auto-finalize on verify off",
	"stream bottom B auto-dismiss off",
	"job j set-speed 17",
	"job j failed",
	"map 5 6",
	"jobs last",
	"estimate top D bottom B",
};

static const char *const odd_words[] = {
	"", "-", "0", "1", "2", "3", "64", "65", "18446744073709551616", "A", "B", "E", "zero",
	"stream", "job", "top", "base", "bottom", "speed", "format", "jobs", "paused", "last",
	"\n", "%s%n", NAME_63 NAME_63 NAME_63 NAME_63 NAME_63 NAME_63 NAME_63 NAME_63,
};

static bool is_one_of(const struct parsed *p, const char *s)
{
	unsigned int i;

	for (i = 0; i < p->argc; i++)
		if (p->argv[i] == s)
			return true;
	return false;
}

/* Change, drop, double or swap words. */
static void damage(struct parsed *p, u64 *seed, char *scribble)
{
	u32 at = random_below(seed, p->argc), other = random_below(seed, p->argc);
	size_t len;

	switch (random_below(seed, 5)) {
	case 0:
		p->argv[at] = (char *)odd_words[random_below(seed, ARRAY_SIZE(odd_words))];
		break;
	case 1:
		memmove(&p->argv[at], &p->argv[at + 1], (--p->argc - at) * sizeof(*p->argv));
		break;
	case 2:
		p->argv[p->argc++] = p->argv[at];
		break;
	case 3:
		swap(p->argv[at], p->argv[other]);
		break;
	default:
		len = strnlen(p->argv[at], 31);
		memcpy(scribble, p->argv[at], len);
		scribble[len] = '\0';
		if (len)
			scribble[random_below(seed, len)] = 1 + random_below(seed, 255);
		p->argv[at] = scribble;
		break;
	}
}

static void check_line(struct kunit *test, const struct parsed *p)
{
	const struct dm_chain_line *line = &p->line;
	unsigned int i;

	KUNIT_ASSERT_GE(test, line->nr_layers, 1U);
	KUNIT_ASSERT_LE(test, line->nr_layers, (unsigned int)DM_CHAIN_MAX_LAYERS);
	for (i = 0; i < line->nr_layers; i++) {
		KUNIT_ASSERT_TRUE(test, is_one_of(p, line->layer[i].name));
		KUNIT_ASSERT_TRUE(test, dm_chain_name_valid(line->layer[i].name));
		KUNIT_ASSERT_TRUE(test, is_one_of(p, line->layer[i].data));
		if (line->layer[i].meta)
			KUNIT_ASSERT_TRUE(test, is_one_of(p, line->layer[i].meta));
		else
			KUNIT_ASSERT_EQ(test, i, 0U);
	}
	KUNIT_ASSERT_NOT_NULL(test, line->layer[line->nr_layers - 1].meta);
	if (line->block_size)
		KUNIT_ASSERT_TRUE(test, dm_chain_block_size_valid(line->block_size * 512ULL));
	if (line->copy_on_read_bottom)
		KUNIT_ASSERT_TRUE(test, line->copy_on_read);
}

static void check_message(struct kunit *test, const struct parsed *p)
{
	const struct dm_chain_msg *m = &p->msg;
	const char *const names[] = { m->top, m->base, m->bottom, m->job };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!names[i])
			continue;
		KUNIT_ASSERT_TRUE(test, is_one_of(p, names[i]));
		KUNIT_ASSERT_TRUE(test, dm_chain_name_valid(names[i]));
	}
	KUNIT_ASSERT_FALSE(test, m->base && m->bottom);
	KUNIT_ASSERT_LE(test, (int)m->kind, DM_CHAIN_MSG_ERROR);
	KUNIT_ASSERT_LT(test, (int)m->on_error, DM_CHAIN_NR_ON_ERROR);
	KUNIT_ASSERT_LT(test, (int)m->verb, DM_CHAIN_NR_VERBS);
	KUNIT_ASSERT_LE(test, m->len, U64_MAX - m->start);
}

static void check_refusal(struct kunit *test, int err, const struct dm_chain_why *why)
{
	const char *c;

	KUNIT_ASSERT_EQ(test, err, -EINVAL);
	KUNIT_ASSERT_LT(test, strnlen(why->text, sizeof(why->text)), sizeof(why->text));
	KUNIT_ASSERT_NE(test, why->text[0], '\0');
	for (c = why->text; *c; c++)
		KUNIT_ASSERT_TRUE(test, (unsigned char)*c >= ' ' && *c != 0x7f);
}

static void damaged_words(struct kunit *test)
{
	struct parsed *p = test->priv;
	unsigned int good = 0, bad = 0, round, i;
	u64 seed = 20260101;
	char scribble[8][32];

	for (round = 0; round < 20000; round++) {
		unsigned int damages = random_below(&seed, ARRAY_SIZE(scribble) + 1);
		int err;

		cut(p, seeds[random_below(&seed, ARRAY_SIZE(seeds))]);
		for (i = 0; i < damages && p->argc; i++)
			damage(p, &seed, scribble[i]);

		memset(&p->why, 0, sizeof(p->why));
		err = dm_chain_parse_line(p->argc, p->argv, &p->line, &p->why);
		if (err)
			check_refusal(test, err, &p->why);
		else
			check_line(test, p);
		*(err ? &bad : &good) += 1;

		memset(&p->why, 0, sizeof(p->why));
		err = dm_chain_parse_message(p->argc, p->argv, &p->msg, &p->why);
		if (err)
			check_refusal(test, err, &p->why);
		else
			check_message(test, p);
		*(err ? &bad : &good) += 1;
	}
	/* Neither side may be all there is. */
	KUNIT_EXPECT_GT(test, good, 3000U);
	KUNIT_EXPECT_GT(test, bad, 3000U);
}

static struct kunit_case parse_damage_cases[] = {
	KUNIT_CASE(damaged_words),
	{}
};

static struct kunit_suite parse_damage_suite = {
	.name = "dm-chain-parse-damage",
	.init = parsed_init,
	.test_cases = parse_damage_cases,
};

kunit_test_suite(parse_damage_suite);
