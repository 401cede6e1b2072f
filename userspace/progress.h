/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chainsetup: how far a job is, for people.
 */
#ifndef CHAINSETUP_PROGRESS_H
#define CHAINSETUP_PROGRESS_H

#include "chainsetup.h"

/**
 * struct progress - where the jobs that are waited for stand
 * @id: of the job, or how many there are
 * @note: "paused" and the like, "" while it runs
 * @offset: bytes gone over
 * @len: bytes to go over
 * @copied: bytes copied
 * @zeroed: bytes that became zero without being written
 * @skipped: bytes with nothing to copy
 * @remaining: bytes to copy
 * @failed: ranges that could not be copied
 * @rate: bytes per second
 * @seconds_left: estimate; unknown while @rate is 0
 */
struct progress {
	char id[DM_CHAIN_NAME_LEN];
	char note[64];
	u64 offset;
	u64 len;
	u64 copied;
	u64 zeroed;
	u64 skipped;
	u64 remaining;
	u64 failed;
	u64 rate;
	u64 seconds_left;
};

/* 0 to 100; 100 only when all is done, also for a job with nothing to do. */
unsigned int progress_percent(const struct progress *progress);

/**
 * progress_line() - a line of text, without a newline
 * @width: of the terminal: the line has a bar and fits in, and what is least
 *	important is left out for that; 0 = everything and no bar
 *
 * Return: @text.
 */
const char *progress_line(const struct progress *progress, unsigned int width,
			  char *text, size_t size);

/**
 * struct progress_pace - when to print a line where there is no terminal
 * @percent: that the last line said
 * @note: that the last line said
 * @ms: when that was
 * @begun: there was one
 */
struct progress_pace {
	unsigned int percent;
	char note[64];
	u64 ms;
	bool begun;
};

/* Is a line due: the first, another note, or 5 percent and a second later? */
bool progress_due(struct progress_pace *pace, const struct progress *progress,
		  u64 ms);

#endif
