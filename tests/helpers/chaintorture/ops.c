// SPDX-License-Identifier: GPL-2.0
/*
 * chaintorture: lists of operations as text. A line for what there is at first,
 * then one for each operation: its number, a thread if there are several, its name
 * and its arguments as key=value; what is 0 may be left out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torture.h"

#define LINE	512

const char *const op_name[OP_KINDS] = {
	[OP_READ] = "read",
	[OP_WRITE] = "write",
	[OP_FUA] = "write-fua",
	[OP_DISCARD] = "discard",
	[OP_ZERO] = "write-zeroes",
	[OP_FLUSH] = "flush",
	[OP_SNAPSHOT] = "snapshot",
	[OP_STREAM] = "stream",
	[OP_PAUSE] = "pause",
	[OP_RESUME] = "resume",
	[OP_SPEED] = "set-speed",
	[OP_FLOOR] = "set-floor",
	[OP_CEILING] = "set-ceiling",
	[OP_FINALIZE] = "finalize",
	[OP_CANCEL] = "cancel",
	[OP_END] = "end",
	[OP_SUSPEND] = "suspend",
	[OP_RELOAD] = "reload",
	[OP_REOPEN] = "reopen",
	[OP_GROW] = "grow",
	[OP_COPY] = "copy-on-read",
	[OP_MOVE] = "move",
	[OP_CHECK] = "check",
	[OP_SLOW] = "slow",
	[OP_IDLE] = "idle",
};

static const char *const op_text[OP_KINDS][TORTURE_ARGS] = {
	[OP_READ] = { "at", "len", "cut" },
	[OP_WRITE] = { "at", "len", "cut" },
	[OP_FUA] = { "at", "len", "cut" },
	[OP_DISCARD] = { "at", "len" },
	[OP_ZERO] = { "at", "len" },
	[OP_SNAPSHOT] = { "layer", "size", "separate", "how" },
	[OP_STREAM] = { "job", "top", "base", "options", "speed" },
	[OP_PAUSE] = { "job" },
	[OP_RESUME] = { "job" },
	[OP_SPEED] = { "job", "speed" },
	[OP_FLOOR] = { "job", "speed" },
	[OP_CEILING] = { "job", "speed" },
	[OP_FINALIZE] = { "job" },
	[OP_CANCEL] = { "job" },
	[OP_END] = { "job" },
	[OP_SUSPEND] = { "how", "at", "len" },
	[OP_RELOAD] = { "how" },
	[OP_REOPEN] = { "how" },
	[OP_GROW] = { "size" },
	[OP_COPY] = { "on", "how", "bottom" },
	[OP_MOVE] = { "layer", "how" },
	[OP_CHECK] = { "suspended" },
	[OP_SLOW] = { "layer", "ms" },
	[OP_IDLE] = { "ms" },
};

static void save_op(const struct op *op, FILE *f)
{
	unsigned int i;

	fprintf(f, "%u ", op->nr);
	if (op->thread)
		fprintf(f, "thread=%u ", op->thread);
	fputs(op_name[op->kind], f);
	for (i = 0; i < TORTURE_ARGS && op_text[op->kind][i]; i++)
		if (op->arg[i])
			fprintf(f, " %s=%lld", op_text[op->kind][i],
				op->arg[i]);
	fputc('\n', f);
}

void list_save(const struct list *l, FILE *f)
{
	const struct setup *s = &l->setup;
	unsigned int i;

	fprintf(f, "setup seed=%llu block-size=%u raw=%llu size=%llu room=%llu ",
		s->seed, s->block_size, s->raw, s->size, s->room);
	fprintf(f, "layers=%u separate=%u threads=%u chunk=%llu\n", s->layers,
		s->separate, s->threads, s->chunk);
	for (i = 0; i < l->nr; i++)
		save_op(&l->op[i], f);
}

static u64 setup_value(const char *line, const char *key)
{
	char *with = ct_str("%s=", key);
	u64 n = field_num(line, with);

	free(with);
	return n;
}

static void load_setup(struct setup *s, const char *line)
{
	s->seed = setup_value(line, "seed");
	s->block_size = setup_value(line, "block-size");
	s->raw = setup_value(line, "raw");
	s->size = setup_value(line, "size");
	s->room = setup_value(line, "room");
	s->layers = setup_value(line, "layers");
	s->separate = setup_value(line, "separate");
	s->threads = setup_value(line, "threads");
	s->chunk = setup_value(line, "chunk");
	ct_check(s->block_size >= SECTOR && s->size >= SECTOR &&
		 s->size <= s->room && s->layers <= TORTURE_LAYERS &&
		 s->threads <= TORTURE_THREADS &&
		 (!s->threads || s->chunk >= SECTOR), "setup: %s", line);
}

static void load_arg(struct op *op, const char *word, const char *line)
{
	const char *const *key = op_text[op->kind];
	size_t len;
	unsigned int i;

	for (i = 0; i < TORTURE_ARGS && key[i]; i++) {
		len = strlen(key[i]);
		if (!strncmp(word, key[i], len) && word[len] == '=') {
			op->arg[i] = strtoll(word + len + 1, NULL, 10);
			return;
		}
	}
	ct_fail("\"%s\" in \"%s\"", word, line);
}

static void load_op(struct op *op, const char *line)
{
	char *text = ct_str("%s", line);
	char *next = text, *word;
	unsigned int i;

	memset(op, 0, sizeof(*op));
	word = strsep(&next, " ");
	ct_check(!kstrtouint(word, 10, &op->nr), "no number: \"%s\"", line);
	word = strsep(&next, " ");
	if (word && sscanf(word, "thread=%u", &op->thread) == 1)
		word = strsep(&next, " ");
	ct_check(word && op->thread <= TORTURE_THREADS, "\"%s\"", line);
	for (i = 0; i < OP_KINDS && strcmp(word, op_name[i]); i++)
		;
	ct_check(i < OP_KINDS, "no operation %s: \"%s\"", word, line);
	op->kind = i;
	while ((word = strsep(&next, " ")))
		load_arg(op, word, line);
	free(text);
}

/* What list_save() wrote; ends the process if it is anything else. */
struct list *list_load(const char *path)
{
	struct list *l = ct_alloc(sizeof(*l));
	FILE *f = fopen(path, "r");
	bool setup = false;
	char line[LINE];

	ct_check(f, "%s: %m", path);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		if (!strncmp(line, "setup ", 6)) {
			load_setup(&l->setup, line + 6);
			setup = true;
			continue;
		}
		l->op = realloc(l->op, (l->nr + 1) * sizeof(*l->op));
		ct_check(l->op, "no memory");
		load_op(&l->op[l->nr++], line);
	}
	fclose(f);
	ct_check(setup, "%s: no setup", path);
	return l;
}

struct list *list_copy(const struct list *l)
{
	struct list *copy = ct_alloc(sizeof(*copy));

	*copy = *l;
	copy->op = ct_alloc((l->nr + 1) * sizeof(*l->op));
	memcpy(copy->op, l->op, l->nr * sizeof(*l->op));
	return copy;
}

void list_free(struct list *l)
{
	free(l->op);
	free(l);
}
