// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the grammar: what is understood, field by field, and what is
 * refused, with the words that name the fault.
 */
#include <kunit/test.h>

#include <linux/errno.h>
#include <linux/limits.h>

#include "parsed.h"

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

static void good_line(struct kunit *test, const char *text)
{
	struct parsed *p = test->priv;

	KUNIT_ASSERT_EQ_MSG(test, parse_line(p, text), 0, "\"%s\": %s", text, p->why.text);
}

static void good_message(struct kunit *test, const char *text)
{
	struct parsed *p = test->priv;

	KUNIT_ASSERT_EQ_MSG(test, parse_message(p, text), 0, "\"%s\": %s", text, p->why.text);
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
	{ "1 A a m 2 no_discard_passdown no_discard_passdown",
	  "'no_discard_passdown' given twice" },
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
	{ "job E set-ceiling 18446744073709551616",
	  "set-ceiling: '18446744073709551616' is too large" },
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

	good_line(test, "3 A /dev/gold - _b.1+2-3 /dev/b /dev/b Zero 253:1 253:2");
	KUNIT_EXPECT_EQ(test, line->nr_layers, 3U);
	KUNIT_EXPECT_STREQ(test, line->layer[0].name, "A");
	KUNIT_EXPECT_STREQ(test, line->layer[0].data, "/dev/gold");
	KUNIT_EXPECT_NULL(test, line->layer[0].meta);
	KUNIT_EXPECT_STREQ(test, line->layer[1].name, "_b.1+2-3");
	KUNIT_EXPECT_STREQ(test, line->layer[1].data, "/dev/b");
	KUNIT_EXPECT_STREQ(test, line->layer[1].meta, "/dev/b");
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
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		good_line(test, good[i]);
}

static void line_features(struct kunit *test)
{
	struct parsed *p = test->priv;
	const struct dm_chain_line *line = &p->line;
	u32 sectors;

	good_line(test, "1 A a m 1 format");
	KUNIT_EXPECT_TRUE(test, line->format);
	KUNIT_EXPECT_FALSE(test, line->read_only);
	KUNIT_EXPECT_FALSE(test, line->no_discard_passdown);
	good_line(test, "1 A a m 1 read_only");
	KUNIT_EXPECT_TRUE(test, line->read_only);
	KUNIT_EXPECT_FALSE(test, line->format);
	KUNIT_EXPECT_FALSE(test, line->jobs_paused);
	good_line(test, "1 A a m 1 copy_on_read");
	KUNIT_EXPECT_TRUE(test, line->copy_on_read);
	KUNIT_EXPECT_NULL(test, line->copy_on_read_bottom);
	good_line(test, "1 A a m 1 no_discard_passdown");
	KUNIT_EXPECT_TRUE(test, line->no_discard_passdown);
	KUNIT_EXPECT_FALSE(test, line->copy_on_read);
	good_line(test, "1 A a m 2 jobs paused");
	KUNIT_EXPECT_TRUE(test, line->jobs_paused);

	for (sectors = 8; sectors <= 2048; sectors *= 2) {
		char text[64];

		snprintf(text, sizeof(text), "1 A a m 2 block_size %u", sectors);
		good_line(test, text);
		KUNIT_EXPECT_EQ(test, line->block_size, sectors);
	}

	good_line(test, "2 A a - B b m 6 Jobs PAUSED BLOCK_size 128 FORMAT copy_ON_read");
	KUNIT_EXPECT_TRUE(test, line->jobs_paused);
	KUNIT_EXPECT_TRUE(test, line->copy_on_read);
	KUNIT_EXPECT_NULL(test, line->copy_on_read_bottom);
	KUNIT_EXPECT_FALSE(test, line->no_discard_passdown);
	KUNIT_EXPECT_EQ(test, line->block_size, 128U);
	KUNIT_EXPECT_TRUE(test, line->format);
	KUNIT_EXPECT_FALSE(test, line->read_only);

	good_line(test, "2 A a - B b m 3 copy_on_read Copy_On_Read_Bottom A");
	KUNIT_EXPECT_TRUE(test, line->copy_on_read);
	KUNIT_EXPECT_STREQ(test, line->copy_on_read_bottom, "A");
	good_line(test, "2 A a - B b m 2 copy_on_read_bottom B");
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
	good_line(test, text);
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

	good_message(test, "stream");
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

	good_message(test, "STREAM top base speed 18446744073709551615 base top");
	KUNIT_EXPECT_EQ(test, m->speed, U64_MAX);
	KUNIT_EXPECT_STREQ(test, m->top, "base");
	KUNIT_EXPECT_STREQ(test, m->base, "top");
	KUNIT_EXPECT_NULL(test, m->bottom);

	good_message(test, "stream Verify ON auto-DISMISS off on-error Stop job j.1");
	KUNIT_EXPECT_STREQ(test, m->job, "j.1");
	KUNIT_EXPECT_EQ(test, (int)m->on_error, DM_CHAIN_ON_ERROR_STOP);
	KUNIT_EXPECT_TRUE(test, m->auto_finalize);
	KUNIT_EXPECT_FALSE(test, m->auto_dismiss);
	KUNIT_EXPECT_TRUE(test, m->verify);

	good_message(test, "stream bottom B auto-finalize OFF speed 000");
	KUNIT_EXPECT_STREQ(test, m->bottom, "B");
	KUNIT_EXPECT_NULL(test, m->base);
	KUNIT_EXPECT_EQ(test, m->speed, 0ULL);
	KUNIT_EXPECT_FALSE(test, m->auto_finalize);
	KUNIT_EXPECT_TRUE(test, m->auto_dismiss);
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
		good_message(test, policies[i].text);
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
		good_message(test, verbs[i].text);
		KUNIT_EXPECT_EQ(test, (int)p->msg.kind, DM_CHAIN_MSG_JOB);
		KUNIT_EXPECT_STREQ(test, p->msg.job, "E");
		KUNIT_EXPECT_EQ_MSG(test, (int)p->msg.verb, (int)verbs[i].verb, "%s",
				    verbs[i].text);
		KUNIT_EXPECT_EQ_MSG(test, p->msg.value, verbs[i].value, "%s", verbs[i].text);
		KUNIT_EXPECT_FALSE(test, dm_chain_msg_is_query(&p->msg));
	}

	/* An id may be a keyword, and ids keep their case. */
	good_message(test, "job Failed failed");
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
		good_message(test, queries[i].text);
		KUNIT_EXPECT_EQ_MSG(test, (int)m->kind, (int)queries[i].kind, "%s",
				    queries[i].text);
		KUNIT_EXPECT_TRUE(test, dm_chain_msg_is_query(m));
		KUNIT_EXPECT_NULL(test, m->top);
	}

	good_message(test, "map 18446744073709551614 1");
	KUNIT_EXPECT_EQ(test, m->start, U64_MAX - 1);
	KUNIT_EXPECT_EQ(test, m->len, 1ULL);

	good_message(test, "estimate base A top D");
	KUNIT_EXPECT_STREQ(test, m->top, "D");
	KUNIT_EXPECT_STREQ(test, m->base, "A");
	KUNIT_EXPECT_NULL(test, m->bottom);
	good_message(test, "estimate bottom B");
	KUNIT_EXPECT_STREQ(test, m->bottom, "B");
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
	{}
};

static struct kunit_suite parse_suite = {
	.name = "dm-chain-parse",
	.init = parsed_init,
	.test_cases = parse_cases,
};

kunit_test_suite(parse_suite);
