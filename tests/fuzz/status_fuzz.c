// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of chainsetup's readers of the status line, of the answer to "map" and
 * of what a thin pool says: what they accept means the same when it is written
 * down and read again, what they refuse has a reason and leaves nothing behind.
 */
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "reply.h"
#include "room.h"

/* Opens a text for writing; text_done() gives it. */
struct text {
	FILE *file;
	char *bytes;
	size_t len;
};

static FILE *text_open(struct text *text)
{
	text->file = open_memstream(&text->bytes, &text->len);
	must(text->file, "no memory");
	return text->file;
}

static const char *text_done(struct text *text)
{
	fclose(text->file);
	return text->bytes;
}

static void write_status(FILE *f, const struct status *s)
{
	unsigned int i;

	fprintf(f, "%llu/%llu %s %s %u %u", s->allocated, s->total, s->mode,
		s->needs_check ? "needs_check" : "-", s->block_size >> 9,
		s->nr_layers);
	for (i = 0; i < s->nr_layers; i++)
		fprintf(f, " %s %llu/%llu", s->layer[i].name, s->layer[i].allocated,
			s->layer[i].total);
	fprintf(f, " %u", s->nr_jobs);
	for (i = 0; i < s->nr_jobs; i++)
		fprintf(f, " %s %s %s %s %s %llu/%llu", s->job[i].id, s->job[i].type,
			s->job[i].status, s->job[i].top, s->job[i].base,
			s->job[i].offset, s->job[i].len);
}

static void must_be_status(const struct status *a, const struct status *b)
{
	unsigned int i;

	must(a->allocated == b->allocated && a->total == b->total, "%llu/%llu",
	     b->allocated, b->total);
	must(!strcmp(a->mode, b->mode), "'%s' and '%s'", a->mode, b->mode);
	must(a->needs_check == b->needs_check, "needs_check");
	must(a->block_size == b->block_size, "%u and %u", a->block_size, b->block_size);
	must(a->nr_layers == b->nr_layers, "%u and %u", a->nr_layers, b->nr_layers);
	for (i = 0; i < a->nr_layers; i++)
		must(!strcmp(a->layer[i].name, b->layer[i].name) &&
		     a->layer[i].allocated == b->layer[i].allocated &&
		     a->layer[i].total == b->layer[i].total, "layer %u", i);
	must(a->nr_jobs == b->nr_jobs, "%u and %u", a->nr_jobs, b->nr_jobs);
	for (i = 0; i < a->nr_jobs; i++)
		must(!strcmp(a->job[i].id, b->job[i].id) &&
		     !strcmp(a->job[i].type, b->job[i].type) &&
		     !strcmp(a->job[i].status, b->job[i].status) &&
		     !strcmp(a->job[i].top, b->job[i].top) &&
		     !strcmp(a->job[i].base, b->job[i].base) &&
		     a->job[i].offset == b->job[i].offset &&
		     a->job[i].len == b->job[i].len, "job %u", i);
}

static void fuzz_status(const char *text)
{
	struct status *s = calloc(2, sizeof(*s));
	struct text written;
	struct dm_chain_why why;
	int err;

	must(s, "no memory");
	fuzz_why(&why);
	err = status_parse(&s[0], text, &why);
	if (err) {
		must(err == -EPROTO, "error %d", err);
		must(strnlen(why.text, sizeof(why.text)) < sizeof(why.text), "no end");
		must(!s[0].job, "left behind");
		free(s);
		return;
	}
	must(s->nr_layers && s->nr_layers <= DM_CHAIN_MAX_LAYERS, "%u layers",
	     s->nr_layers);
	write_status(text_open(&written), s);
	fuzz_why(&why);
	must(!status_parse(&s[1], text_done(&written), &why), "%.384s", why.text);
	must_be_status(&s[0], &s[1]);
	status_free(&s[0]);
	status_free(&s[1]);
	free(written.bytes);
	free(s);
}

static void write_map(FILE *f, const struct map_run *run, unsigned int nr,
		      u64 next)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		fprintf(f, "%llu %llu %s%s%s\n", run[i].start, run[i].length,
			run[i].zero ? "zero" : "",
			run[i].zero && run[i].layer[0] ? ":" : "", run[i].layer);
	if (next)
		fprintf(f, "more %llu\n", next);
}

static void fuzz_map(const char *text)
{
	struct map_run *run[2];
	unsigned int nr[2], i;
	struct dm_chain_why why;
	struct text written;
	u64 next[2];
	int err;

	fuzz_why(&why);
	err = map_parse(text, &run[0], &nr[0], &next[0], &why);
	if (err) {
		must(err == -EPROTO, "error %d", err);
		must_say_why(&why);
		must(!run[0], "left behind");
		return;
	}
	for (i = 0; i < nr[0]; i++)
		must(run[0][i].length, "an empty run");
	write_map(text_open(&written), run[0], nr[0], next[0]);
	err = map_parse(text_done(&written), &run[1], &nr[1], &next[1], &why);
	must(!err && nr[0] == nr[1] && next[0] == next[1], "error %d: %s", err,
	     written.bytes);
	for (i = 0; i < nr[0]; i++)
		must(run[0][i].start == run[1][i].start &&
		     run[0][i].length == run[1][i].length &&
		     run[0][i].zero == run[1][i].zero &&
		     !strcmp(run[0][i].layer, run[1][i].layer), "run %u", i);
	free(run[0]);
	free(run[1]);
	free(written.bytes);
}

/* The table, and behind a newline the status. */
static void fuzz_pool(char *text)
{
	struct room room = { .kind = ROOM_POOL, .name = "pool" };
	struct room_question question = { "E", "/dev/e", .free = U64_MAX };
	struct rooms rooms = { 0 };
	struct dm_chain_why why;
	char *status = strchr(text, '\n');
	u64 held, room_free;
	int err;

	if (status)
		*status++ = '\0';
	else
		status = text;
	fuzz_why(&why);
	err = pool_room(&room, text, status, &why);
	must(!err || err == -EPROTO, "error %d", err);
	if (!err)
		err = thin_room(&room, text, &why);
	must(!err || err == -EPROTO, "error %d", err);
	if (err) {
		must(strnlen(why.text, sizeof(why.text)) < sizeof(why.text) && *why.text,
		     "no reason");
		return;
	}
	must(!(room.free % 512) && !(room.held % 512), "half a sector");
	held = room.held;
	rooms_add(&rooms, &room);
	room_free = rooms_free(&rooms, held);
	must(room_free == room.free, "%llu and %llu", room_free, room.free);
	question.need = 1;
	question.held = held;
	must((room_check(&question, &rooms, NULL) == 0) ==
	     (!room.trouble[0] && room.free >= 1), "free %llu, '%s'", room.free,
	     room.trouble);
	free(room_text(&room));
}

void fuzz_one(struct input *in)
{
	u8 which = take(in, 1);
	char *text = take_text(in);

	/* The first letter tells, so that the corpora can be read. */
	if (which == 'm')
		fuzz_map(text);
	else if (which == 'p')
		fuzz_pool(text);
	else
		fuzz_status(text);
	free(text);
}
