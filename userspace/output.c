// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: how things are printed, see output.h.
 */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
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

bool utf8_output(void)
{
	static int utf8 = -1;

	if (utf8 < 0)
		utf8 = setlocale(LC_CTYPE, "") &&
		       !strcmp(nl_langinfo(CODESET), "UTF-8");
	return utf8;
}

/*
 * The character at the beginning of @text: its number of bytes, and its code. 0
 * bytes if it is none, as the Unicode standard has it: overlong, a surrogate, too
 * large.
 */
static unsigned int decode(const char *text, u32 *code)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const u8 *byte = (const u8 *)text;
	unsigned int n, i;

	n = *byte < 0x80 ? 1 : *byte < 0xc2 ? 0 : *byte < 0xe0 ? 2 :
	    *byte < 0xf0 ? 3 : *byte < 0xf5 ? 4 : 0;
	*code = n > 1 ? *byte & (0x7f >> n) : *byte;
	for (i = 1; i < n; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (byte[i] & 0x3f);
	}
	if (!n || *code < least[n] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return n;
}

static bool is_control(u32 code)
{
	return code < ' ' || (code >= 0x7f && code < 0xa0);
}

/* @least: characters below it are shown as control characters are */
static char *characters_shown(const char *text, bool utf8, u32 least)
{
	char *shown = xalloc(strlen(text) + 1, 4), *p = shown;
	unsigned int n;
	u32 code;

	while (*text) {
		n = decode(text, &code);
		if (n && code >= least && !is_control(code) && (n == 1 || utf8)) {
			p = mempcpy(p, text, n);
			text += n;
			continue;
		}
		for (n = n ?: 1; n; n--)
			p += sprintf(p, "\\x%02x", (u8)*text++);
	}
	return shown;
}

char *text_shown(const char *text, bool utf8)
{
	return characters_shown(text, utf8, 0);
}

char *value_shown(const char *text)
{
	return characters_shown(text, utf8_output(), ' ' + 1);
}

void say(const char *fmt, ...)
{
	char *text, *shown;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	shown = text_shown(text, utf8_output());
	puts(shown);
	free(shown);
	free(text);
}

void say_nothing(const char *text)
{
	if (isatty(STDOUT_FILENO))
		say("%s", text);
}

/* The columns of the character at the beginning of @text, of @n bytes. */
static unsigned int columns_of(const char *text, unsigned int *n)
{
	int columns;
	u32 code;

	*n = decode(text, &code) ?: 1;
	columns = wcwidth(code);
	return columns < 0 ? 1 : columns;
}

size_t text_width(const char *text)
{
	size_t width = 0;
	unsigned int n;

	for (; *text; text += n)
		width += columns_of(text, &n);
	return width;
}

char *text_cut(const char *text, size_t width)
{
	const char *gap = utf8_output() ? "\u2026" : "~", *head, *tail;
	size_t all = text_width(text), room, used;
	unsigned int n, columns;

	if (all <= width || !width)
		return xstrdup(text);
	room = width - 1;
	for (head = text, used = 0; ; head += n, used += columns) {
		columns = columns_of(head, &n);
		if (used + columns > (room + 1) / 2)
			break;
	}
	room -= used;
	for (tail = text; all > room; tail += n)
		all -= columns_of(tail, &n);
	return xasprintf("%.*s%s%s", (int)(head - text), text, gap, tail);
}

unsigned int terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ||
	    size.ws_col < 20)
		return 80;
	return size.ws_col;
}
