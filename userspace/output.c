// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: how things are printed, see output.h.
 */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/kernel.h>

#include "chainsetup.h"

const struct option common_options[] = {
	{ "bytes", no_argument, NULL, OPTION_BYTES },
	{ "color", required_argument, NULL, OPTION_COLOR },
};

const unsigned int nr_common_options = ARRAY_SIZE(common_options);

static bool exact_bytes;
static enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } color;

bool common_option(int c, const char *value)
{
	static const char * const words[] = { "auto", "always", "never" };
	unsigned int i;

	if (c == OPTION_BYTES) {
		exact_bytes = true;
		return true;
	}
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(value, words[i]))
			continue;
		color = i;
		return true;
	}
	return false;
}

const char *human_size(u64 size, char *text)
{
	static const char units[] = "BKMGTPE";
	double value = size;
	unsigned int i = 0;

	if (exact_bytes) {
		snprintf(text, 32, "%llu", size);
		return text;
	}
	/* 1023.95 would be rounded up to 1024.0. */
	while (value >= (i ? 1023.95 : 1024)) {
		value /= 1024;
		i++;
	}
	snprintf(text, 32, value == (u64)value ? "%.0f%c" : "%.1f%c", value,
		 units[i]);
	return text;
}

const char *place_text(u64 place, char *text)
{
	static const char units[] = "KMGT";
	unsigned int i = 0;

	if (exact_bytes || !place || place % 1024) {
		snprintf(text, 32, "%llu", place);
		return text;
	}
	for (place /= 1024; place % 1024 == 0 && i < 3; place /= 1024)
		i++;
	snprintf(text, 32, "%llu%c", place, units[i]);
	return text;
}

static bool in_color(void)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	if (color != COLOR_AUTO)
		return color == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && (!none || !*none) &&
	       (!term || strcmp(term, "dumb"));
}

const char *tint_on(enum tint tint)
{
	static const char * const on[] = {
		[TINT_NONE] = "",
		[TINT_HEADING] = "\033[1m",
		[TINT_GOOD] = "\033[32m",
		[TINT_ATTENTION] = "\033[33m",
		[TINT_BAD] = "\033[31m",
		[TINT_FAINT] = "\033[2m",
		[TINT_FIRST_OF_SIX] = "\033[34m",
		[TINT_FIRST_OF_SIX + 1] = "\033[32m",
		[TINT_FIRST_OF_SIX + 2] = "\033[33m",
		[TINT_FIRST_OF_SIX + 3] = "\033[35m",
		[TINT_FIRST_OF_SIX + 4] = "\033[36m",
		[TINT_FIRST_OF_SIX + 5] = "\033[31m",
	};

	return in_color() ? on[tint] : "";
}

const char *tint_off(void)
{
	return in_color() ? "\033[0m" : "";
}

char *tinted(enum tint tint, const char *text)
{
	return xasprintf("%s%s%s", tint_on(tint), text,
			 tint == TINT_NONE ? "" : tint_off());
}

bool utf8_output(void)
{
	static int utf8 = -1;

	if (utf8 < 0)
		utf8 = setlocale(LC_CTYPE, "") &&
		       !strcmp(nl_langinfo(CODESET), "UTF-8");
	return utf8;
}

size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++) {
		if (*text == '\033') {
			text += strcspn(text, "m");
			if (!*text)
				break;
		} else if ((*text & 0xc0) != 0x80) {
			/* Not one of the bytes behind the first of a character. */
			width++;
		}
	}
	return width;
}

unsigned int terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ||
	    size.ws_col < 20)
		return 80;
	return size.ws_col;
}
