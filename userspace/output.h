/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: how things are printed: sizes, colours, characters.
 *
 * The options that every command has, --bytes and --color, decide it. What they
 * say holds for the whole program.
 */
#ifndef CHAINSETUP_OUTPUT_H
#define CHAINSETUP_OUTPUT_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct option;

/* What getopt_long() returns for the common options: no other option's value */
#define OPTION_BYTES	0x100
#define OPTION_COLOR	0x101

extern const struct option common_options[];
extern const unsigned int nr_common_options;

/**
 * common_option() - take one of the common options
 * @c: OPTION_*
 * @value: of the option, or NULL
 *
 * Return: false if the value is none that the option takes.
 */
bool common_option(int c, const char *value);

/* For people: "1.5G"; with --bytes the exact number. @text has room for 32 bytes. */
const char *human_size(u64 size, char *text);

/**
 * place_text() - an offset or a length for people who want to use it
 *
 * Exact, and no longer than it has to be: "5M", "4100K", "4194305". With --bytes
 * the number. @text has room for 32 bytes. Return: @text.
 */
const char *place_text(u64 place, char *text);

enum tint {
	TINT_NONE,
	TINT_HEADING,
	TINT_GOOD,
	TINT_ATTENTION,
	TINT_BAD,
	TINT_FAINT,
	TINT_FIRST_OF_SIX,	/* TINT_FIRST_OF_SIX + n % 6 tells layers apart */
};

/* What switches a tint on, and all of them off; "" where there are no colours. */
const char *tint_on(enum tint tint);
const char *tint_off(void);

/* May characters outside ASCII be printed? */
bool utf8_output(void);

/**
 * text_shown() - a text that can be shown, whatever bytes it has
 * @utf8: whoever gets it reads UTF-8
 *
 * A path is bytes, and one that is read from a superblock is anybody's. What is a
 * control character, or no character at all, becomes \xNN, byte by byte. A
 * backslash stays as it is, as names of device mapper have them.
 * Return: what to free().
 */
char *text_shown(const char *text, bool utf8);

/**
 * value_shown() - a text as the value in a line of key=value
 *
 * A blank ends a value: it becomes \x20, and all else what it is in other lines.
 * Return: what to free().
 */
char *value_shown(const char *text);

/* Print a line for people to stdout, shown as text_shown() does. */
__printf(1, 2) void say(const char *fmt, ...);

/* The same, but only on a terminal: why a list that scripts read is empty. */
void say_nothing(const char *text);

/* Columns that a text takes on a terminal; it can be shown. */
size_t text_width(const char *text);

/**
 * text_cut() - a text that takes no more than @width columns
 *
 * What is too much is left out of the middle: names begin alike, and paths end so.
 * Return: what to free().
 */
char *text_cut(const char *text, size_t width);

/* Columns of the terminal; 80 if stdout is none, or does not say. */
unsigned int terminal_width(void);

#endif
