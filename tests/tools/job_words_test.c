// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: what the target says about a job, for people.
 */
#include "tools_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "job-words.h"

static void parse(struct reply *reply, const char *text)
{
	assert_int_equal(reply_parse(reply, text, NULL), 0);
}

static void test_stream_id(void **state)
{
	static const struct {
		const char *top, *base, *bottom, *job;
		const char *id;
		bool nothing;
	} streams[] = {
		{ NULL, NULL, NULL, NULL, "E", false },
		{ NULL, NULL, NULL, "mine", "mine", false },
		{ NULL, "A", NULL, NULL, "E", false },
		{ NULL, "B", NULL, NULL, "E", true },
		{ NULL, NULL, "B", NULL, "E", false },
		{ NULL, NULL, "E", NULL, "E", true },
		{ "B", NULL, NULL, NULL, "B", false },
		{ "B", "A", NULL, "j", "j", true },
		{ "A", NULL, NULL, NULL, "A", true },
		{ "X", NULL, NULL, NULL, "", false },
		/* A layer that was dropped is still in the table. */
		{ "D", NULL, NULL, NULL, "D", true },
	};
	struct reply layers;
	unsigned int i;
	bool nothing;

	parse(&layers, "name=A state=backing backing=-\n"
		       "name=D state=releasable backing=-\n"
		       "name=B state=backing backing=A\n"
		       "name=E state=active backing=B\n");
	for (i = 0; i < ARRAY_SIZE(streams); i++) {
		assert_string_equal(stream_id(&layers, streams[i].top,
					      streams[i].base,
					      streams[i].bottom,
					      streams[i].job, &nothing),
				    streams[i].id);
		assert_int_equal(nothing, streams[i].nothing);
	}
	assert_string_equal(reply_get(stream_top(&layers, NULL), "name"), "E");
	assert_null(stream_top(&layers, "X"));
	reply_free(&layers);
}

static void test_end(void **state)
{
	static const struct {
		const char *line;
		enum job_end end;
	} ends[] = {
		{ "id=E status=created error=0", JOB_LIVE },
		{ "id=E status=running error=0", JOB_LIVE },
		{ "id=E status=paused error=28", JOB_LIVE },
		{ "id=E status=pending error=0", JOB_LIVE },
		{ "id=E status=aborting error=5", JOB_LIVE },
		{ "id=E status=concluded error=0", JOB_COMPLETED },
		{ "id=E status=concluded error=125", JOB_CANCELLED },
		{ "id=E status=concluded error=5", JOB_FAILED },
		{ "layer=E status=completed error=0", JOB_COMPLETED },
		{ "layer=E status=cancelled error=125", JOB_CANCELLED },
		{ "layer=E status=cancelled error=0", JOB_CANCELLED },
		{ "layer=E status=failed error=28", JOB_FAILED },
		{ "layer=E status=failed error=125", JOB_FAILED },
		{ "layer=E status=something", JOB_LIVE },
	};
	struct reply reply;
	unsigned int i;

	assert_int_equal(ECANCELED, 125);
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		parse(&reply, ends[i].line);
		assert_int_equal(job_end_of(&reply.line[0]), ends[i].end);
		reply_free(&reply);
	}
}

/* What a line of "jobs" makes wait say: in the progress, and once above it. */
static void test_note_and_hint(void **state)
{
	static const struct {
		const char *line;
		const char *note;
		const char *hint;
	} lines[] = {
		{ "id=E status=running io-status=ok", "", NULL },
		{ "id=E status=created io-status=ok", "", NULL },
		{ "id=E status=aborting io-status=ok", "aborting", NULL },
		{ "id=E status=paused io-status=ok error=0", "paused",
			"job E is paused: \"chainsetup job resume vm1 E\" lets it go on",
		},
		{ "id=E status=paused io-status=nospace error=28 offset=4096",
		  "paused: no space",
			"job E is paused at byte 4096: No space left on device; make room, then \"chainsetup job resume vm1 E\", or else \"chainsetup job cancel vm1 E\"",
		},
		{ "id=E status=paused io-status=failed error=5 offset=0",
		  "paused: I/O error",
			"job E is paused at byte 0: Input/output error; put the device right, then \"chainsetup job resume vm1 E\", or else \"chainsetup job cancel vm1 E\"",
		},
		{ "id=E status=pending io-status=ok",
		  "pending: waits for \"job finalize\"",
			"job E has copied everything: \"chainsetup job finalize vm1 E\" drops the layers, \"chainsetup job cancel vm1 E\" keeps them",
		},
	};
	char note[64], *hint;
	struct reply reply;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		parse(&reply, lines[i].line);
		assert_string_equal(job_note(&reply.line[0], note,
					     sizeof(note)), lines[i].note);
		hint = job_hint(&reply.line[0], "vm1");
		if (lines[i].hint)
			assert_string_equal(hint, lines[i].hint);
		else
			assert_null(hint);
		free(hint);
		reply_free(&reply);
	}
}

static void test_error(void **state)
{
	assert_string_equal(job_error_text(ENOSPC), "No space left on device");
	assert_non_null(strstr(job_error_text(EILSEQ), "read back"));
}

static void test_duration(void **state)
{
	char text[24];

	assert_string_equal(duration_text(0, text, sizeof(text)), "0:00");
	assert_string_equal(duration_text(59, text, sizeof(text)), "0:59");
	assert_string_equal(duration_text(3599, text, sizeof(text)), "59:59");
	assert_string_equal(duration_text(3600, text, sizeof(text)), "1:00:00");
}

const struct CMUnitTest job_words_tests[] = {
	cmocka_unit_test(test_stream_id),
	cmocka_unit_test(test_end),
	cmocka_unit_test(test_note_and_hint),
	cmocka_unit_test(test_error),
	cmocka_unit_test(test_duration),
};

const unsigned int nr_job_words_tests = ARRAY_SIZE(job_words_tests);
