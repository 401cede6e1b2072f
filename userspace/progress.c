// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: how far a job is, for people.
 */
#include <linux/minmax.h>
#include <string.h>

#include "job-words.h"
#include "progress.h"

#define BAR_MIN		10
#define BAR_GOOD	20	/* not made shorter for what can be left out */
#define BAR_MAX		40
#define TAIL_SIZE	384U
#define PLAIN_STEP	5	/* percent */
#define PLAIN_PAUSE	1000	/* milliseconds */

unsigned int progress_percent(const struct progress *progress)
{
	unsigned int percent;

	if (progress->offset >= progress->len)
		return 100;
	/* In floating point nothing overflows, but it may round up. */
	percent = (double)progress->offset / progress->len * 100;
	return percent < 100 ? percent : 99;
}

static void draw_bar(unsigned int percent, unsigned int width, char *text)
{
	unsigned int done = percent * width / 100;

	memset(text, ' ', width);
	memset(text, '=', done);
	if (done < width)
		text[done] = '>';
	text[width] = 0;
}

/* How far, how much and, if it runs, how fast: what is never left out. */
static void begin_tail(const struct progress *progress, char *tail, size_t size)
{
	char copied[32], rate[32], left[32];
	unsigned int percent = progress_percent(progress);

	human_size(progress->copied, copied);
	if (progress->note[0]) {
		snprintf(tail, size, "%3u%%  %s copied  %s", percent, copied,
			 progress->note);
		return;
	}
	human_size(progress->rate, rate);
	if (progress->rate)
		duration_text(progress->seconds_left, left, sizeof(left));
	else
		snprintf(left, sizeof(left), "-:--");
	snprintf(tail, size, "%3u%%  %s copied  %s/s  %s left", percent, copied,
		 rate, left);
}

/* Add to @tail, which has room for @room bytes. False if it does not fit. */
static bool add_part(char *tail, size_t room, const char *part)
{
	if (strlen(tail) + strlen(part) >= room)
		return false;
	strcat(tail, part);
	return true;
}

static void add_errors(const struct progress *progress, char *tail, size_t room)
{
	char text[64];

	if (!progress->failed)
		return;
	snprintf(text, sizeof(text), "  %llu error%s", progress->failed,
		 progress->failed == 1 ? "" : "s");
	add_part(tail, room, text);
}

/* Add what is not 0, the most important first, as long as it fits. */
static void add_rest(const struct progress *progress, char *tail, size_t room)
{
	const struct {
		u64 size;
		const char *what;
	} rest[] = {
		{ progress->remaining, "remaining" },
		{ progress->zeroed, "zeroed" },
		{ progress->skipped, "skipped" },
	};
	char text[64], size[32];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rest); i++) {
		if (!rest[i].size)
			continue;
		snprintf(text, sizeof(text), "  %s %s",
			 human_size(rest[i].size, size), rest[i].what);
		if (!add_part(tail, room, text))
			return;
	}
}

/* What is left for the tail if the bar gets @bar columns. */
static size_t tail_room(unsigned int width, unsigned int frame, unsigned int bar)
{
	if (!width)
		return TAIL_SIZE;
	return width > frame + bar ? min(width - frame - bar, TAIL_SIZE) : 0;
}

const char *progress_line(const struct progress *progress, unsigned int width,
			  char *text, size_t size)
{
	/* "ID [bar] tail", and the last column stays free. */
	unsigned int frame = strlen(progress->id) + 5;
	char tail[TAIL_SIZE], bar[BAR_MAX + 1];
	unsigned int room;

	begin_tail(progress, tail, sizeof(tail));
	add_errors(progress, tail, tail_room(width, frame, BAR_MIN));
	add_rest(progress, tail, tail_room(width, frame, BAR_GOOD));

	frame += strlen(tail);
	room = width > frame ? width - frame : 0;
	if (room > BAR_MAX)
		room = BAR_MAX;
	if (room < BAR_MIN) {
		snprintf(text, size, "%s: %s", progress->id, tail);
		if (width && width < size)
			text[width - 1] = 0;
		return text;
	}
	draw_bar(progress_percent(progress), room, bar);
	snprintf(text, size, "%s [%s] %s", progress->id, bar, tail);
	return text;
}

bool progress_due(struct progress_pace *pace, const struct progress *progress,
		  u64 ms)
{
	unsigned int percent = progress_percent(progress);

	if (pace->begun && !strcmp(pace->note, progress->note) &&
	    (percent < pace->percent + PLAIN_STEP ||
	     ms < pace->ms + PLAIN_PAUSE))
		return false;
	pace->begun = true;
	pace->percent = percent;
	pace->ms = ms;
	snprintf(pace->note, sizeof(pace->note), "%s", progress->note);
	return true;
}
