// SPDX-License-Identifier: GPL-2.0
/*
 * What the fuzzers share, see fuzz.h.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { .at = data, .left = size };

	fuzz_one(&in);
	return 0;
}

void fuzz_failed(const char *file, int line, const char *cond,
		 const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "FAILED: %s:%d: not so: %s: ", file, line, cond);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

u64 take(struct input *in, unsigned int width)
{
	u64 value = 0;
	unsigned int i;

	for (i = 0; i < width && in->left; i++, in->left--)
		value |= (u64)*in->at++ << (8 * i);
	return value;
}

u32 take_below(struct input *in, u32 limit)
{
	unsigned int width = 1;

	while (width < 4 && limit >> (8 * width))
		width++;
	return take(in, width) % limit;
}

char *take_text(struct input *in)
{
	size_t len = strnlen((const char *)in->at, in->left);
	char *text = malloc(len + 1);

	must(text, "no memory");
	memcpy(text, in->at, len);
	text[len] = '\0';
	in->at += len;
	in->left -= len;
	return text;
}

void fuzz_why(struct dm_chain_why *why)
{
	/* Without an end, unless somebody writes one. */
	memset(why->text, 1, sizeof(why->text));
}

void must_say_why(const struct dm_chain_why *why)
{
	size_t len = strnlen(why->text, sizeof(why->text)), i;

	must(len, "a refusal without a reason");
	must(len < sizeof(why->text), "a reason without an end");
	for (i = 0; i < len; i++)
		must(!iscntrl((unsigned char)why->text[i]),
		     "control character %#x in \"%s\"", why->text[i], why->text);
}

static void add_word(struct words *words, const char *word, size_t len)
{
	char *own;

	must(words->argc < MAX_WORDS, "too many words");
	own = malloc(len + 1);
	must(own, "no memory");
	memcpy(own, word, len);
	own[len] = '\0';
	words->argv[words->argc++] = own;
	words->argv[words->argc] = NULL;
}

void words_cut(struct words *words, const char *text)
{
	size_t len;

	words->argc = 0;
	words->argv[0] = NULL;
	for (;;) {
		text += strspn(text, "\n ");
		len = strcspn(text, "\n ");
		/* Cut off, and not more. */
		if (!len || words->argc == MAX_WORDS)
			return;
		if (len == 2 && !strncmp(text, "\"\"", 2))
			add_word(words, text, 0);
		else
			add_word(words, text, len);
		text += len;
	}
}

void words_add(struct words *words, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	must(vasprintf(&text, fmt, args) >= 0, "no memory");
	va_end(args);
	add_word(words, text, strlen(text));
	free(text);
}

void words_key(struct words *words, const char *key, bool upper)
{
	char *c;

	add_word(words, key, strlen(key));
	for (c = words->argv[words->argc - 1]; upper && *c; c++)
		*c = toupper((unsigned char)*c);
}

void words_free(struct words *words)
{
	while (words->argc)
		free(words->argv[--words->argc]);
}

char *words_join(const struct words *words)
{
	size_t len = 1, at = 0, n;
	unsigned int i;
	char *text;

	for (i = 0; i < words->argc; i++)
		len += strlen(words->argv[i]) + 1;
	text = malloc(len);
	must(text, "no memory");
	for (i = 0; i < words->argc; i++) {
		if (i)
			text[at++] = ' ';
		n = strlen(words->argv[i]);
		memcpy(text + at, words->argv[i], n);
		at += n;
	}
	text[at] = '\0';
	return text;
}

bool words_own(const struct words *words, const char *s)
{
	unsigned int i;

	for (i = 0; i < words->argc; i++)
		if (words->argv[i] == s)
			return true;
	return !s;
}
