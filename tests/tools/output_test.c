// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: sizes, colours and widths of what is printed.
 */
#include "tools_test.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <linux/kernel.h>

#include "chainsetup.h"

static void test_human(void **state)
{
	static const struct {
		u64 size;
		const char *text;
	} rows[] = {
		{ 0, "0B" }, { 1, "1B" }, { 1023, "1023B" }, { 1024, "1K" },
		{ 1536, "1.5K" }, { 1025, "1.0K" }, { 1048575, "1.0M" },
		{ 1048576, "1M" }, { 5ULL << 30, "5G" },
		{ (5ULL << 40) / 2, "2.5T" }, { 3ULL << 50, "3P" },
		{ ~0ULL, "16E" },
	};
	char text[32];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(human_size(rows[i].size, text),
				    rows[i].text);
}

/* What is printed is taken as a size again, and means the same. */
static void test_place(void **state)
{
	static const u64 places[] = {
		0, 1, 511, 512, 1023, 1024, 4096, 1048576, 1049088, 1052672,
		5ULL << 30, (5ULL << 30) + 4096, 7ULL << 40, 1ULL << 52,
		(1ULL << 40) + 1,
	};
	struct dm_chain_why why;
	char text[32];
	unsigned int i;
	u64 size;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		place_text(places[i], text);
		assert_int_equal(parse_size(text, &size, &why), 0);
		assert_true(size == places[i]);
	}
	assert_string_equal(place_text(1048576, text), "1M");
	assert_string_equal(place_text(1052672, text), "1028K");
	assert_string_equal(place_text(4097, text), "4097");
}

static void test_width(void **state)
{
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("\u2514\u2500a"), 3);
	/* A letter with an accent of its own, one of two columns */
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	assert_int_equal(text_width("e\u0301\u4e2d"), 3);
	assert_int_equal(text_width("\xff\xc3"), 2);
}

static void test_cut(void **state)
{
	static const struct {
		const char *text;
		size_t width;
		const char *head, *tail;	/* no tail: as it was */
	} rows[] = {
		{ "", 1, "", NULL }, { "abcdef", 6, "abcdef", NULL },
		{ "abcdef", 5, "ab", "ef" }, { "abcdef", 4, "ab", "f" },
		{ "abcdef", 2, "a", "" }, { "abcdef", 1, "", "" },
		/* One of two columns is left out whole. */
		{ "\u4e2d\u4e2d\u4e2d", 5, "\u4e2d", "\u4e2d" },
		{ "\u4e2d\u4e2d\u4e2d", 4, "\u4e2d", "" },
		{ "\u4e2d\u4e2d\u4e2d", 3, "", "\u4e2d" },
		{ "e\u0301bcde\u0301", 3, "e\u0301", "e\u0301" },
	};
	const char *gap = utf8_output() ? "\u2026" : "~";
	unsigned int i;

	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		char *expected = xasprintf("%s%s%s", rows[i].head,
					   rows[i].tail ? gap : "",
					   rows[i].tail ?: "");
		char *text = text_cut(rows[i].text, rows[i].width);

		assert_string_equal(text, expected);
		assert_true(text_width(text) <= rows[i].width);
		free(text);
		free(expected);
	}
}

static void assert_shown(const char *text, bool utf8, const char *expected)
{
	char *shown = text_shown(text, utf8);

	assert_string_equal(shown, expected);
	free(shown);
}

/* As the Unicode standard has it, table 3-7, and no control characters. */
static void test_shown(void **state)
{
	static const char * const kept[] = {
		"", " ~", "a\\b", "\\x41", "\xc2\xa0", "\u07ff", "\u0800", "\ud7ff",
		"\ue000", "\uffff", "\U00010000", "\U0010ffff", "/dev/\u00e4 \u4e2d",
	};
	static const char * const odd[][2] = {
		{ "\033[31mx\177\n", "\\x1b[31mx\\x7f\\x0a" },
		/* C1: a terminal may take it for the beginning of a sequence */
		{ "\xc2\x9b[31m", "\\xc2\\x9b[31m" },
		{ "\xc2\x80", "\\xc2\\x80" }, { "\xc2\x9f", "\\xc2\\x9f" },
		{ "a\x9bz", "a\\x9bz" }, { "\xff", "\\xff" },
		/* Overlong, surrogates, too large */
		{ "\xc0\xaf", "\\xc0\\xaf" }, { "\xc1\xbf", "\\xc1\\xbf" },
		{ "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },
		{ "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80" },
		/* Cut off, by the end and by another character */
		{ "\xe4\xb8", "\\xe4\\xb8" }, { "\xc3(", "\\xc3(" },
		{ "\xe4\xb8\u00e4", "\\xe4\\xb8\u00e4" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kept); i++)
		assert_shown(kept[i], true, kept[i]);
	for (i = 0; i < ARRAY_SIZE(odd); i++)
		assert_shown(odd[i][0], true, odd[i][1]);
	assert_shown("a\u00e4", false, "a\\xc3\\xa4");
}

/* A word, whatever it was. */
static void test_value(void **state)
{
	char *shown = value_shown("/dev/a b\tc\n \\x41");

	assert_string_equal(shown, "/dev/a\\x20b\\x09c\\x0a\\x20\\x41");
	free(shown);
}

static void test_color(void **state)
{
	assert_false(common_option(OPTION_COLOR, "sometimes"));
	/* The output of a test is no terminal. */
	assert_true(common_option(OPTION_COLOR, "auto"));
	assert_string_equal(tint_on(TINT_BAD), "");
	assert_true(common_option(OPTION_COLOR, "always"));
	assert_string_equal(tint_on(TINT_BAD), "\033[31m");
	assert_string_equal(tint_off(), "\033[0m");
	assert_true(common_option(OPTION_COLOR, "never"));
	assert_string_equal(tint_on(TINT_BAD), "");
	assert_string_equal(tint_off(), "");
}

/* The last one: it holds for the whole program. */
static void test_bytes(void **state)
{
	char text[32];

	assert_true(common_option(OPTION_BYTES, NULL));
	assert_string_equal(human_size(1536, text), "1536");
	assert_string_equal(place_text(1 << 20, text), "1048576");
}

const struct CMUnitTest output_tests[] = {
	cmocka_unit_test(test_human),
	cmocka_unit_test(test_place),
	cmocka_unit_test(test_width),
	cmocka_unit_test(test_cut),
	cmocka_unit_test(test_shown),
	cmocka_unit_test(test_value),
	cmocka_unit_test(test_color),
	cmocka_unit_test(test_bytes),
};

const unsigned int nr_output_tests = ARRAY_SIZE(output_tests);
