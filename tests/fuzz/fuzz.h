/* SPDX-License-Identifier: GPL-2.0 */
/* What the fuzzers share: the input, read as they need it, and the checks. */
#ifndef DM_CHAIN_FUZZ_H
#define DM_CHAIN_FUZZ_H

#include <linux/kernel.h>
#include <linux/types.h>

#include "dm-chain-why.h"

/**
 * struct input - what is left of a fuzzer's input
 *
 * Short inputs mean something, too: what is missing reads as zeros.
 */
struct input {
	const u8 *at;
	size_t left;
};

/* Of each fuzzer: one run over one input. Leaves nothing behind. */
void fuzz_one(struct input *in);

/* Of libFuzzer, which calls it. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* A little-endian number of @width bytes. */
u64 take(struct input *in, unsigned int width);

/* A number below @limit, which is not 0. Takes as few bytes as that needs. */
u32 take_below(struct input *in, u32 limit);

/* What is left, up to its first NUL, as a text; free() it. */
char *take_text(struct input *in);

/* Of a check that looks at much, and whose own paths are of no interest. */
#define PLAIN	__attribute__((no_sanitize("address", "undefined", "coverage")))

/* End the program, and so the run, with a message unless @cond holds. */
#define must(cond, fmt, ...) \
	do { \
		if (!(cond)) \
			fuzz_failed(__FILE__, __LINE__, #cond, fmt, \
				    ##__VA_ARGS__); \
	} while (0)

__printf(4, 5) __attribute__((__noreturn__))
void fuzz_failed(const char *file, int line, const char *cond,
		 const char *fmt, ...);

/*
 * The reason of a refusal is one line of printable text, and not empty. @why was
 * cleared by fuzz_why() before.
 */
void must_say_why(const struct dm_chain_why *why);
void fuzz_why(struct dm_chain_why *why);

#define MAX_WORDS	512

/**
 * struct words - a text cut into words
 * @argc: how many
 * @argv: each in memory of its own, so that reading past its end is found
 */
struct words {
	unsigned int argc;
	char *argv[MAX_WORDS + 1];
};

/* Cuts at blanks and newlines; the word "" is the empty word. */
void words_cut(struct words *words, const char *text);

/* Add a word that printf() makes. */
__printf(2, 3) void words_add(struct words *words, const char *fmt, ...);

/* Add a word of the grammar: in capitals if @upper. */
void words_key(struct words *words, const char *key, bool upper);

void words_free(struct words *words);

/* The words with a blank between two; free() it. */
char *words_join(const struct words *words);

/* Is @s one of the words, not only the same text? NULL is. */
bool words_own(const struct words *words, const char *s);

#endif
