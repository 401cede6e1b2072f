// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup: how far a job is, for people.
 */
#include <string.h>

#include "progress.h"

#define BAR_MIN		10
#define BAR_MAX		40
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

/* "1:02:03" or "2:03". */
static void duration(u64 seconds, char *text, size_t size)
{
	unsigned int s = seconds % 60, m = seconds / 60 % 60;
	unsigned long long h = seconds / 3600;

	if (h)
		snprintf(text, size, "%llu:%02u:%02u", h, m, s);
	else
		snprintf(text, size, "%u:%02u", m, s);
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

const char *progress_line(const struct progress *progress, unsigned int width,
			  char *text, size_t size)
{
	char copied[32], rate[32], left[32], tail[192], bar[BAR_MAX + 1];
	unsigned int percent = progress_percent(progress);
	unsigned int fixed, room;

	human_size(progress->copied, copied);
	if (progress->note[0]) {
		snprintf(tail, sizeof(tail), "%3u%%  %s copied  %s", percent,
			 copied, progress->note);
	} else {
		human_size(progress->rate, rate);
		if (progress->rate)
			duration(progress->seconds_left, left, sizeof(left));
		else
			snprintf(left, sizeof(left), "-:--");
		snprintf(tail, sizeof(tail), "%3u%%  %s copied  %s/s  %s left",
			 percent, copied, rate, left);
	}

	/* "ID [bar] tail", and the last column stays free. */
	fixed = strlen(progress->id) + strlen(tail) + 5;
	room = width > fixed ? width - fixed : 0;
	if (room > BAR_MAX)
		room = BAR_MAX;
	if (room < BAR_MIN) {
		snprintf(text, size, "%s: %s", progress->id, tail);
		if (width && width < size)
			text[width - 1] = 0;
		return text;
	}
	draw_bar(percent, room, bar);
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
