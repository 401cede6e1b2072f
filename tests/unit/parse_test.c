// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the grammar: what is understood, field by field, and what is
 * refused, with the words that name the fault.
 */
#include <kunit/test.h>

#include <linux/errno.h>
#include <linux/limits.h>

#include "dm-chain-codec.h"
#include "dm-chain-parse.h"
#include "random.h"

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
static void cut(struct parsed *p, const char *text)
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

static int parse_line(struct parsed *p, const char *text)
{
	cut(p, text);
	memset(&p->line, 0xa5, sizeof(p->line));
	memset(&p->why, 0, sizeof(p->why));
	return dm_chain_parse_line(p->argc, p->argv, &p->line, &p->why);
}

static int parse_message(struct parsed *p, const char *text)
{
	cut(p, text);
	memset(&p->msg, 0xa5, sizeof(p->msg));
	memset(&p->why, 0, sizeof(p->why));
	return dm_chain_parse_message(p->argc, p->argv, &p->msg, &p->why);
}

static int setup(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct parsed), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

struct bad {
	const char *text;
	const char *why;
};

static const struct bad bad_lines[] = {
	{ "", "layers: the number of layers is missing" },
	{ "\"\"", "layers: '' is not a number of layers" },
	{ "x", "layers: 'x' is not a number of layers" },
	{ "-1", "layers: '-1' is not a number of layers" },
	{ "+1 A a m", "layers: '+1' is not a number of layers" },
	{ "0x1 A a m", "layers: '0x1' is not a number of layers" },
	{ "1k A a m", "layers: '1k' is not a number of layers" },
	{ "0", "layers: '0' will not do" },
	{ "65", "layers: 65 is more than 64" },
	{ "18446744073709551615", "layers: 18446744073709551615 is more than 64" },
	{ "18446744073709551616", "layers: '18446744073709551616' is too large" },
	{ "99999999999999999999999999", "is too large" },
	{ "1", "layer 1 of 1: the name is missing" },
	{ "1 A", "layer 'A': the data device is missing" },
	{ "1 A a", "layer 'A': the metadata device is missing" },
	{ "2 A a -", "layer 2 of 2: the name is missing" },
	{ "2 A a - B", "layer 'B': the data device is missing" },
	{ "2 A a - B b", "layer 'B': the metadata device is missing" },
	{ "1 A a -", "layer 'A' is the active layer: it needs metadata, not '-'" },
	{ "2 A a - B b -", "layer 'B' is the active layer: it needs metadata, not '-'" },
	{ "3 A a m B b - C c n", "layer 'B' is not the lowest: it needs metadata, not '-'" },
	{ "3 A a - B b - C c n", "layer 'B' is not the lowest" },
	{ "2 A - m B b n", "layer 'A': '-' is not a data device" },
	{ "2 A \"\" m B b n", "layer 'A': '' is not a data device" },
	{ "2 A a \"\" B b n", "layer 'A': '' is not a metadata device" },
	{ "2 A a m A b n", "layer name 'A' given twice" },
	{ "3 A a - B b m A c n", "layer name 'A' given twice" },
	{ "1 zero a m", "layer 1 of 1: 'zero' is not a layer name" },
	{ "2 A a - zero b m", "layer 2 of 2: 'zero' is not a layer name" },
	{ "1 -A a m", "'-A' is not a layer name" },
	{ "1 .A a m", "'.A' is not a layer name" },
	{ "1 +A a m", "'+A' is not a layer name" },
	{ "1 A/B a m", "'A/B' is not a layer name" },
	{ "1 A=B a m", "'A=B' is not a layer name" },
	{ "1 \xc3\xa4 a m", "is not a layer name" },
	{ "1 " NAME_63 "4 a m", "is not a layer name" },
	{ "1 A\nB a m", "'A?B' is not a layer name" },
	{ "1 A\x1b[2J a m", "'A?[2J' is not a layer name" },
	{ "1 A a m x", "feature words: 'x' is not a number of words" },
	{ "1 A a m -1", "feature words: '-1' is not a number of words" },
	{ "1 A a m format", "feature words: 'format' is not a number of words" },
	{ "1 A a m 1", "feature words: 1 announced, but only 0 given" },
	{ "1 A a m 2 format", "feature words: 2 announced, but only 1 given" },
	{ "1 A a m 4294967297 format", "feature words: 4294967297 announced" },
	{ "1 A a m 0 format", "feature words: 0 announced, 'format' is a word too many" },
	{ "1 A a m 1 format read_only", "'read_only' is a word too many" },
	{ "1 A a m 1 foo", "unknown word 'foo'" },
	{ "1 A a m 1 \"\"", "unknown word ''" },
	{ "1 A a m 1 formats", "unknown word 'formats'" },
	{ "1 A a m 1 form", "unknown word 'form'" },
	{ "1 A a m 2 read_only foo", "unknown word 'foo'" },
	{ "1 A a m 2 format 8", "unknown word '8'" },
	{ "1 A a m 2 format format", "'format' given twice" },
	{ "1 A a m 2 read_only READ_ONLY", "'read_only' given twice" },
	{ "1 A a m 2 copy_on_read copy_on_read", "'copy_on_read' given twice" },
	{ "1 A a m 2 no_discard_passdown no_discard_passdown", "'no_discard_passdown' given twice" },
	{ "1 A a m 4 block_size 8 block_size 8", "'block_size' given twice" },
	{ "1 A a m 4 jobs paused jobs paused", "'jobs' given twice" },
	{ "2 A a - B b m 4 copy_on_read_bottom A copy_on_read_bottom B",
	  "'copy_on_read_bottom' given twice" },
	{ "1 A a m 1 block_size", "block_size: the number of sectors is missing" },
	{ "1 A a m 2 block_size x", "block_size: 'x' is not a number of sectors" },
	{ "1 A a m 2 block_size 4k", "block_size: '4k' is not a number of sectors" },
	{ "1 A a m 2 block_size 0", "block_size: 0 is not a power of two from 8 to 2048 sectors" },
	{ "1 A a m 2 block_size 4", "block_size: 4 is not a power of two" },
	{ "1 A a m 2 block_size 9", "block_size: 9 is not a power of two" },
	{ "1 A a m 2 block_size 4096", "block_size: 4096 is not a power of two" },
	{ "1 A a m 2 block_size 4294967304", "block_size: 4294967304 is not a power of two" },
	{ "1 A a m 2 block_size 36028797018963976",
	  "block_size: 36028797018963976 is not a power of two" },
	{ "1 A a m 1 copy_on_read_bottom", "copy_on_read_bottom: the layer is missing" },
	{ "1 A a m 2 copy_on_read_bottom B", "copy_on_read_bottom: there is no layer 'B'" },
	{ "1 A a m 2 copy_on_read_bottom a", "copy_on_read_bottom: there is no layer 'a'" },
	{ "1 A a m 2 copy_on_read_bottom -", "copy_on_read_bottom: '-' is not a layer name" },
	{ "1 A a m 1 jobs", "jobs: 'paused' is missing" },
	{ "1 A a m 2 jobs running", "jobs: 'running' is not 'paused'" },
};

static const struct bad bad_messages[] = {
	{ "", "the message is empty" },
	{ "\"\"", "unknown word ''" },
	{ "foo", "unknown word 'foo'" },
	{ "streams", "unknown word 'streams'" },
	{ "str", "unknown word 'str'" },
	{ "1", "unknown word '1'" },
	{ "a\tb", "unknown word 'a?b'" },
	{ "commit", "'commit' is reserved" },
	{ "commit top B", "'commit' is reserved" },
	{ "MIRROR", "'MIRROR' is reserved" },
	{ "backup", "'backup' is reserved" },
	{ "stream foo", "unknown word 'foo'" },
	{ "stream \"\"", "unknown word ''" },
	{ "stream A", "unknown word 'A'" },
	{ "stream base A foo", "unknown word 'foo'" },
	{ "stream base A B", "unknown word 'B'" },
	{ "stream base-node A", "unknown word 'base-node'" },
	{ "stream top", "top: the layer is missing" },
	{ "stream top -", "top: '-' is not a layer name" },
	{ "stream top zero", "top: 'zero' is not a layer name" },
	{ "stream top \"\"", "top: '' is not a layer name" },
	{ "stream top D top D", "'top' given twice" },
	{ "stream TOP D speed 1 Top D", "'top' given twice" },
	{ "stream base", "base: the layer is missing" },
	{ "stream base /dev/sda", "base: '/dev/sda' is not a layer name" },
	{ "stream base A base A", "'base' given twice" },
	{ "stream bottom", "bottom: the layer is missing" },
	{ "stream bottom A bottom B", "'bottom' given twice" },
	{ "stream base A bottom B", "'base' and 'bottom' exclude each other" },
	{ "stream bottom B top D base A", "'base' and 'bottom' exclude each other" },
	{ "stream job", "job: the id is missing" },
	{ "stream job a:b", "job: 'a:b' is not a job id" },
	{ "stream job j job k", "'job' given twice" },
	{ "stream speed", "speed: the number of bytes per second is missing" },
	{ "stream speed x", "speed: 'x' is not a number of bytes per second" },
	{ "stream speed \"\"", "speed: '' is not a number of bytes per second" },
	{ "stream speed -1", "speed: '-1' is not a number of bytes per second" },
	{ "stream speed +1", "speed: '+1' is not a number of bytes per second" },
	{ "stream speed 10M", "speed: '10M' is not a number of bytes per second" },
	{ "stream speed 0x10", "speed: '0x10' is not a number of bytes per second" },
	{ "stream speed 1.5", "speed: '1.5' is not a number of bytes per second" },
	{ "stream speed 18446744073709551616", "speed: '18446744073709551616' is too large" },
	{ "stream speed 184467440737095516150", "is too large" },
	{ "stream speed 1 speed 1", "'speed' given twice" },
	{ "stream on-error", "on-error: the policy is missing" },
	{ "stream on-error retry", "on-error: 'retry' is not one of report, ignore, stop, enospc" },
	{ "stream on-error 0", "on-error: '0' is not one of" },
	{ "stream on_error stop", "unknown word 'on_error'" },
	{ "stream on-error stop on-error stop", "'on-error' given twice" },
	{ "stream auto-finalize", "auto-finalize: 'on' or 'off' is missing" },
	{ "stream auto-finalize yes", "auto-finalize: 'yes' is neither 'on' nor 'off'" },
	{ "stream auto-finalize on auto-finalize on", "'auto-finalize' given twice" },
	{ "stream auto-dismiss", "auto-dismiss: 'on' or 'off' is missing" },
	{ "stream auto-dismiss 1", "auto-dismiss: '1' is neither 'on' nor 'off'" },
	{ "stream auto-dismiss off auto-dismiss on", "'auto-dismiss' given twice" },
	{ "stream verify", "verify: 'on' or 'off' is missing" },
	{ "stream verify true", "verify: 'true' is neither 'on' nor 'off'" },
	{ "stream verify on verify on", "'verify' given twice" },
	{ "job", "job: the id is missing" },
	{ "job -", "job: '-' is not a job id" },
	{ "job E", "job 'E': the verb is missing" },
	{ "job E foo", "job 'E': unknown word 'foo'" },
	{ "job E \"\"", "job 'E': unknown word ''" },
	{ "job E complete", "job 'E': unknown word 'complete'" },
	{ "job E pause now", "'now' is a word too many" },
	{ "job E resume resume", "'resume' is a word too many" },
	{ "job E cancel force", "'force' is a word too many" },
	{ "job E finalize 1", "'1' is a word too many" },
	{ "job E dismiss 1", "'1' is a word too many" },
	{ "job E failed 1", "'1' is a word too many" },
	{ "job E set-speed", "set-speed: the number of bytes per second is missing" },
	{ "job E set-speed fast", "set-speed: 'fast' is not a number of bytes per second" },
	{ "job E set-speed 1 2", "'2' is a word too many" },
	{ "job E set-floor", "set-floor: the number of bytes per second is missing" },
	{ "job E set-floor -5", "set-floor: '-5' is not a number of bytes per second" },
	{ "job E set-ceiling 1k", "set-ceiling: '1k' is not a number of bytes per second" },
	{ "job E set-ceiling 18446744073709551616", "set-ceiling: '18446744073709551616' is too large" },
	{ "estimate foo", "unknown word 'foo'" },
	{ "estimate speed 1", "unknown word 'speed'" },
	{ "estimate job j", "unknown word 'job'" },
	{ "estimate top", "top: the layer is missing" },
	{ "estimate top A top A", "'top' given twice" },
	{ "estimate base A bottom B", "'base' and 'bottom' exclude each other" },
	{ "jobs first", "jobs: unknown word 'first'" },
	{ "jobs last 5", "'5' is a word too many" },
	{ "layers all", "'all' is a word too many" },
	{ "error last", "'last' is a word too many" },
	{ "map", "map: the start sector is missing" },
	{ "map 0", "map: the number of sectors is missing" },
	{ "map x 8", "map: 'x' is not a start sector" },
	{ "map 0 -8", "map: '-8' is not a number of sectors" },
	{ "map 0 8 A", "'A' is a word too many" },
	{ "map 18446744073709551616 1", "map: '18446744073709551616' is too large" },
	{ "map 18446744073709551615 1", "are too large together" },
};

static void expect_refused(struct kunit *test, int err, const struct bad *bad)
{
	struct parsed *p = test->priv;

	KUNIT_EXPECT_EQ_MSG(test, err, -EINVAL, "\"%s\"", bad->text);
	KUNIT_EXPECT_TRUE_MSG(test, strstr(p->why.text, bad->why),
			      "\"%s\": \"%s\" instead of \"%s\"", bad->text,
			      p->why.text, bad->why);
}

static void refused_lines(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_GE(test, (int)ARRAY_SIZE(bad_lines), 60);
	for (i = 0; i < ARRAY_SIZE(bad_lines); i++)
		expect_refused(test, parse_line(test->priv, bad_lines[i].text), &bad_lines[i]);
}

static void refused_messages(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_GE(test, (int)ARRAY_SIZE(bad_messages), 60);
	for (i = 0; i < ARRAY_SIZE(bad_messages); i++)
		expect_refused(test, parse_message(test->priv, bad_messages[i].text),
			       &bad_messages[i]);
}

/* A refusal needs no place for its reason. */
static void no_reason_wanted(struct kunit *test)
{
	struct parsed *p = test->priv;

	cut(p, "1 A a m 1 foo");
	KUNIT_EXPECT_EQ(test, dm_chain_parse_line(p->argc, p->argv, &p->line, NULL), -EINVAL);
	cut(p, "foo");
	KUNIT_EXPECT_EQ(test, dm_chain_parse_message(p->argc, p->argv, &p->msg, NULL), -EINVAL);
}

static void line_layers(struct kunit *test)
{
	struct parsed *p = test->priv;
	const struct dm_chain_line *line = &p->line;

	KUNIT_ASSERT_EQ_MSG(test, parse_line(p, "3 A /dev/vg/gold - _b.1+2-3 /dev/vg/b /dev/vg/b "
						"Zero 253:1 253:2"), 0, "%s", p->why.text);
	KUNIT_EXPECT_EQ(test, line->nr_layers, 3U);
	KUNIT_EXPECT_STREQ(test, line->layer[0].name, "A");
	KUNIT_EXPECT_STREQ(test, line->layer[0].data, "/dev/vg/gold");
	KUNIT_EXPECT_NULL(test, line->layer[0].meta);
	KUNIT_EXPECT_STREQ(test, line->layer[1].name, "_b.1+2-3");
	KUNIT_EXPECT_STREQ(test, line->layer[1].data, "/dev/vg/b");
	KUNIT_EXPECT_STREQ(test, line->layer[1].meta, "/dev/vg/b");
	KUNIT_EXPECT_STREQ(test, line->layer[2].name, "Zero");
	KUNIT_EXPECT_STREQ(test, line->layer[2].data, "253:1");
	KUNIT_EXPECT_STREQ(test, line->layer[2].meta, "253:2");
	/* The strings are the words themselves. */
	KUNIT_EXPECT_PTR_EQ(test, line->layer[2].meta, (const char *)p->argv[9]);
	KUNIT_EXPECT_FALSE(test, line->format);
	KUNIT_EXPECT_EQ(test, line->block_size, 0U);
	KUNIT_EXPECT_FALSE(test, line->read_only);
	KUNIT_EXPECT_FALSE(test, line->copy_on_read);
	KUNIT_EXPECT_NULL(test, line->copy_on_read_bottom);
	KUNIT_EXPECT_FALSE(test, line->no_discard_passdown);
	KUNIT_EXPECT_FALSE(test, line->jobs_paused);
}

static void line_forms(struct kunit *test)
{
	static const char *const good[] = {
		"1 A a m",
		"1 A a a",
		"01 A a m",
		"1 " NAME_63 " a m",
		"1 9 a m",
		"2 a a - A b m",
		"2 A a m B b n",
		"1 A a m 0",
		"1 A a m 00",
		"1 A a m 01 format",
		"2 1 2 - 3 4 5 0",
		"1 format block_size read_only 1 format",
	};
	struct parsed *p = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		KUNIT_EXPECT_EQ_MSG(test, parse_line(p, good[i]), 0, "\"%s\": %s", good[i],
				    p->why.text);
}

static void line_features(struct kunit *test)
{
	struct parsed *p = test->priv;
	const struct dm_chain_line *line = &p->line;
	u32 sectors;

	KUNIT_ASSERT_EQ(test, parse_line(p, "1 A a m 1 format"), 0);
	KUNIT_EXPECT_TRUE(test, line->format);
	KUNIT_EXPECT_FALSE(test, line->read_only || line->copy_on_read ||
				 line->no_discard_passdown || line->jobs_paused);
	KUNIT_ASSERT_EQ(test, parse_line(p, "1 A a m 1 read_only"), 0);
	KUNIT_EXPECT_TRUE(test, line->read_only);
	KUNIT_EXPECT_FALSE(test, line->format || line->copy_on_read ||
				 line->no_discard_passdown || line->jobs_paused);
	KUNIT_ASSERT_EQ(test, parse_line(p, "1 A a m 1 copy_on_read"), 0);
	KUNIT_EXPECT_TRUE(test, line->copy_on_read);
	KUNIT_EXPECT_NULL(test, line->copy_on_read_bottom);
	KUNIT_ASSERT_EQ(test, parse_line(p, "1 A a m 1 no_discard_passdown"), 0);
	KUNIT_EXPECT_TRUE(test, line->no_discard_passdown);
	KUNIT_EXPECT_FALSE(test, line->copy_on_read);
	KUNIT_ASSERT_EQ(test, parse_line(p, "1 A a m 2 jobs paused"), 0);
	KUNIT_EXPECT_TRUE(test, line->jobs_paused);

	for (sectors = 8; sectors <= 2048; sectors *= 2) {
		char text[64];

		snprintf(text, sizeof(text), "1 A a m 2 block_size %u", sectors);
		KUNIT_ASSERT_EQ(test, parse_line(p, text), 0);
		KUNIT_EXPECT_EQ(test, line->block_size, sectors);
	}

	KUNIT_ASSERT_EQ_MSG(test, parse_line(p, "2 A a - B b m 9 Jobs PAUSED Copy_On_Read_Bottom A "
						"copy_ON_read NO_DISCARD_PASSDOWN BLOCK_size 128 "
						"FORMAT"), 0, "%s", p->why.text);
	KUNIT_EXPECT_TRUE(test, line->jobs_paused);
	KUNIT_EXPECT_TRUE(test, line->copy_on_read);
	KUNIT_EXPECT_STREQ(test, line->copy_on_read_bottom, "A");
	KUNIT_EXPECT_TRUE(test, line->no_discard_passdown);
	KUNIT_EXPECT_EQ(test, line->block_size, 128U);
	KUNIT_EXPECT_TRUE(test, line->format);
	KUNIT_EXPECT_FALSE(test, line->read_only);

	KUNIT_ASSERT_EQ(test, parse_line(p, "2 A a - B b m 2 copy_on_read_bottom B"), 0);
	KUNIT_EXPECT_TRUE(test, line->copy_on_read);
	KUNIT_EXPECT_STREQ(test, line->copy_on_read_bottom, "B");
}

/* A line of @nr layers, each "L<n> d<n> m<n>". */
static void long_line(char *text, size_t size, unsigned int nr)
{
	size_t len = scnprintf(text, size, "%u", nr);
	unsigned int i;

	for (i = 0; i < nr; i++)
		len += scnprintf(text + len, size - len, " L%u d%u m%u", i, i, i);
}

static void line_as_long_as_can_be(struct kunit *test)
{
	struct parsed *p = test->priv;
	char *text = kunit_kzalloc(test, sizeof(p->text), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, text);
	long_line(text, sizeof(p->text), DM_CHAIN_MAX_LAYERS);
	KUNIT_ASSERT_EQ_MSG(test, parse_line(p, text), 0, "%s", p->why.text);
	KUNIT_EXPECT_EQ(test, p->line.nr_layers, (unsigned int)DM_CHAIN_MAX_LAYERS);
	KUNIT_EXPECT_STREQ(test, p->line.layer[63].name, "L63");
	KUNIT_EXPECT_STREQ(test, p->line.layer[63].data, "d63");
	KUNIT_EXPECT_STREQ(test, p->line.layer[63].meta, "m63");

	long_line(text, sizeof(p->text), DM_CHAIN_MAX_LAYERS + 1);
	KUNIT_EXPECT_EQ(test, parse_line(p, text), -EINVAL);
	KUNIT_EXPECT_STREQ(test, p->why.text, "layers: 65 is more than 64");
}

static void message_stream(struct kunit *test)
{
	struct parsed *p = test->priv;
	const struct dm_chain_msg *m = &p->msg;

	KUNIT_ASSERT_EQ(test, parse_message(p, "stream"), 0);
	KUNIT_EXPECT_EQ(test, (int)m->kind, DM_CHAIN_MSG_STREAM);
	KUNIT_EXPECT_NULL(test, m->top);
	KUNIT_EXPECT_NULL(test, m->base);
	KUNIT_EXPECT_NULL(test, m->bottom);
	KUNIT_EXPECT_NULL(test, m->job);
	KUNIT_EXPECT_EQ(test, m->speed, 0ULL);
	KUNIT_EXPECT_EQ(test, (int)m->on_error, DM_CHAIN_ON_ERROR_REPORT);
	KUNIT_EXPECT_TRUE(test, m->auto_finalize);
	KUNIT_EXPECT_TRUE(test, m->auto_dismiss);
	KUNIT_EXPECT_FALSE(test, m->verify);
	KUNIT_EXPECT_FALSE(test, dm_chain_msg_is_query(m));

	KUNIT_ASSERT_EQ_MSG(test, parse_message(p, "STREAM Verify ON auto-DISMISS off on-error Stop "
						   "speed 18446744073709551615 job j.1 base top "
						   "top base auto-finalize OFF"), 0,
			    "%s", p->why.text);
	KUNIT_EXPECT_STREQ(test, m->top, "base");
	KUNIT_EXPECT_STREQ(test, m->base, "top");
	KUNIT_EXPECT_NULL(test, m->bottom);
	KUNIT_EXPECT_STREQ(test, m->job, "j.1");
	KUNIT_EXPECT_EQ(test, m->speed, U64_MAX);
	KUNIT_EXPECT_EQ(test, (int)m->on_error, DM_CHAIN_ON_ERROR_STOP);
	KUNIT_EXPECT_FALSE(test, m->auto_finalize);
	KUNIT_EXPECT_FALSE(test, m->auto_dismiss);
	KUNIT_EXPECT_TRUE(test, m->verify);

	KUNIT_ASSERT_EQ(test, parse_message(p, "stream bottom B speed 000 verify off"), 0);
	KUNIT_EXPECT_STREQ(test, m->bottom, "B");
	KUNIT_EXPECT_NULL(test, m->base);
	KUNIT_EXPECT_EQ(test, m->speed, 0ULL);
	KUNIT_EXPECT_FALSE(test, m->verify);
}

static void message_on_error(struct kunit *test)
{
	static const struct {
		const char *text;
		enum dm_chain_on_error policy;
	} policies[] = {
		{ "stream on-error report", DM_CHAIN_ON_ERROR_REPORT },
		{ "stream on-error ignore", DM_CHAIN_ON_ERROR_IGNORE },
		{ "stream on-error stop", DM_CHAIN_ON_ERROR_STOP },
		{ "stream on-error enospc", DM_CHAIN_ON_ERROR_ENOSPC },
		{ "stream on-error AUTO", DM_CHAIN_ON_ERROR_ENOSPC },
	};
	struct parsed *p = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		KUNIT_ASSERT_EQ(test, parse_message(p, policies[i].text), 0);
		KUNIT_EXPECT_EQ_MSG(test, (int)p->msg.on_error, (int)policies[i].policy, "%s",
				    policies[i].text);
	}
}

static void message_job(struct kunit *test)
{
	static const struct {
		const char *text;
		enum dm_chain_verb verb;
		u64 value;
	} verbs[] = {
		{ "job E pause", DM_CHAIN_VERB_PAUSE, 0 },
		{ "job E resume", DM_CHAIN_VERB_RESUME, 0 },
		{ "job E cancel", DM_CHAIN_VERB_CANCEL, 0 },
		{ "job E finalize", DM_CHAIN_VERB_FINALIZE, 0 },
		{ "job E dismiss", DM_CHAIN_VERB_DISMISS, 0 },
		{ "job E set-speed 1", DM_CHAIN_VERB_SET_SPEED, 1 },
		{ "job E set-floor 1048576", DM_CHAIN_VERB_SET_FLOOR, 1048576 },
		{ "Job E Set-Ceiling 18446744073709551615", DM_CHAIN_VERB_SET_CEILING, U64_MAX },
	};
	struct parsed *p = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		KUNIT_ASSERT_EQ_MSG(test, parse_message(p, verbs[i].text), 0, "%s", p->why.text);
		KUNIT_EXPECT_EQ(test, (int)p->msg.kind, DM_CHAIN_MSG_JOB);
		KUNIT_EXPECT_STREQ(test, p->msg.job, "E");
		KUNIT_EXPECT_EQ_MSG(test, (int)p->msg.verb, (int)verbs[i].verb, "%s", verbs[i].text);
		KUNIT_EXPECT_EQ_MSG(test, p->msg.value, verbs[i].value, "%s", verbs[i].text);
		KUNIT_EXPECT_FALSE(test, dm_chain_msg_is_query(&p->msg));
	}

	/* An id may be a keyword, and ids keep their case. */
	KUNIT_ASSERT_EQ(test, parse_message(p, "job Failed failed"), 0);
	KUNIT_EXPECT_EQ(test, (int)p->msg.kind, DM_CHAIN_MSG_JOB_FAILED);
	KUNIT_EXPECT_STREQ(test, p->msg.job, "Failed");
	KUNIT_EXPECT_TRUE(test, dm_chain_msg_is_query(&p->msg));
}

static void message_queries(struct kunit *test)
{
	static const struct {
		const char *text;
		enum dm_chain_msg_kind kind;
	} queries[] = {
		{ "jobs", DM_CHAIN_MSG_JOBS },
		{ "JOBS Last", DM_CHAIN_MSG_JOBS_LAST },
		{ "layers", DM_CHAIN_MSG_LAYERS },
		{ "map 0 0", DM_CHAIN_MSG_MAP },
		{ "error", DM_CHAIN_MSG_ERROR },
		{ "estimate", DM_CHAIN_MSG_ESTIMATE },
	};
	struct parsed *p = test->priv;
	const struct dm_chain_msg *m = &p->msg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(queries); i++) {
		KUNIT_ASSERT_EQ_MSG(test, parse_message(p, queries[i].text), 0, "%s", p->why.text);
		KUNIT_EXPECT_EQ_MSG(test, (int)m->kind, (int)queries[i].kind, "%s",
				    queries[i].text);
		KUNIT_EXPECT_TRUE(test, dm_chain_msg_is_query(m));
		KUNIT_EXPECT_NULL(test, m->top);
	}

	KUNIT_ASSERT_EQ(test, parse_message(p, "map 18446744073709551614 1"), 0);
	KUNIT_EXPECT_EQ(test, m->start, U64_MAX - 1);
	KUNIT_EXPECT_EQ(test, m->len, 1ULL);

	KUNIT_ASSERT_EQ(test, parse_message(p, "estimate base A top D"), 0);
	KUNIT_EXPECT_STREQ(test, m->top, "D");
	KUNIT_EXPECT_STREQ(test, m->base, "A");
	KUNIT_EXPECT_NULL(test, m->bottom);
	KUNIT_ASSERT_EQ(test, parse_message(p, "estimate bottom B"), 0);
	KUNIT_EXPECT_STREQ(test, m->bottom, "B");
}

/* Lines and messages that are understood, to be damaged below. */
static const char *const seeds[] = {
	"3 A a - B b m E e e 9 format block_size 8 copy_on_read_bottom A jobs paused "
	"no_discard_passdown copy_on_read",
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

static struct kunit_case parse_cases[] = {
	KUNIT_CASE(refused_lines),
	KUNIT_CASE(refused_messages),
	KUNIT_CASE(no_reason_wanted),
	KUNIT_CASE(line_layers),
	KUNIT_CASE(line_forms),
	KUNIT_CASE(line_features),
	KUNIT_CASE(line_as_long_as_can_be),
	KUNIT_CASE(message_stream),
	KUNIT_CASE(message_on_error),
	KUNIT_CASE(message_job),
	KUNIT_CASE(message_queries),
	KUNIT_CASE(damaged_words),
	{}
};

static struct kunit_suite parse_suite = {
	.name = "dm-chain-parse",
	.init = setup,
	.test_cases = parse_cases,
};

kunit_test_suite(parse_suite);
