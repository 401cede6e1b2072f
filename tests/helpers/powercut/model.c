// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sector.h"
#include "model.h"

/*
 * One more element, all zeros, of an array that grows by doubling; @array
 * points to the pointer to it.
 */
static void *push(void *array, unsigned int *n, size_t size)
{
	void **start = array;
	void *last;

	if (!(*n & (*n - 1)))
		*start = realloc(*start, (*n ? 2 * *n : 1) * size);
	if (!*start)
		err(1, "model");
	last = (char *)*start + (*n)++ * size;
	return memset(last, 0, size);
}

static int device_index(const struct log *log, const char *name)
{
	unsigned int i;

	if (!strcmp(name, "-"))
		return -1;
	for (i = 0; i < log->devices; i++)
		if (!strcmp(log->device[i].name, name))
			return i;
	errx(1, "mark: no device %s", name);
}

static struct model_layer *layer_by_name(struct model *model, const char *name)
{
	unsigned int i;

	for (i = 0; i < model->layers; i++)
		if (!strcmp(model->layer[i].name, name))
			return &model->layer[i];
	errx(1, "mark: no layer %s", name);
}

static void add_layer(struct model *model, const struct log *log,
		      const char *text, long pos)
{
	struct model_layer *layer = &model->layer[model->layers];
	char data[LOG_NAME_LEN], meta[LOG_NAME_LEN];

	if (model->layers == MODEL_LAYERS ||
	    sscanf(text, "layer %63s %47s %47s", layer->name, data, meta) != 3)
		errx(1, "mark: %s", text);
	layer->data = device_index(log, data);
	layer->meta = device_index(log, meta);
	layer->declared = pos;
	layer->gone = MODEL_NEVER;
	layer->freezing = MODEL_NEVER;
	layer->frozen = MODEL_NEVER;
	model->layers++;
}

static struct model_chain *new_chain(struct model *model, bool only, long pos)
{
	struct model_chain *chain = push(&model->chain, &model->chains,
					 sizeof(*chain));

	chain->from = pos;
	chain->until = MODEL_NEVER;
	chain->sure = only;
	return chain;
}

static void add_chain(struct model *model, char *names, bool only, long pos)
{
	struct model_chain *chain;
	unsigned int i;
	char *name;

	for (i = 0; only && i < model->chains; i++)
		if (model->chain[i].until == MODEL_NEVER)
			model->chain[i].until = pos;
	chain = new_chain(model, only, pos);
	for (name = strtok(names, " "); name; name = strtok(NULL, " ")) {
		if (!strcmp(name, "|"))
			chain = new_chain(model, only, pos);
		else
			chain->bits |= 1U << (layer_by_name(model, name) -
					      model->layer);
	}
}

static void add_size(struct model *model, u64 bytes, bool only, long pos)
{
	struct model_size *size;
	unsigned int i;

	for (i = 0; only && i < model->grows; i++)
		if (model->grow[i].until == MODEL_NEVER)
			model->grow[i].until = pos;
	size = push(&model->grow, &model->grows, sizeof(*size));
	size->from = pos;
	size->until = MODEL_NEVER;
	size->bytes = bytes;
}

static struct model_op *op_by_seq(struct model *model, u64 seq)
{
	unsigned int i;

	/* nearly always one of the last */
	for (i = model->ops; i-- > 0;)
		if (model->op[i].seq == seq)
			return &model->op[i];
	errx(1, "mark: no operation %llu", (unsigned long long)seq);
}

static void add_op(struct model *model, const char *text, long pos)
{
	unsigned long long seq, sector;
	struct model_op *op;
	unsigned int count;
	char kind;

	if (sscanf(text, "%c %llu %llu %u", &kind, &seq, &sector, &count) != 4)
		errx(1, "mark: %s", text);
	op = push(&model->op, &model->ops, sizeof(*op));
	op->kind = kind;
	op->seq = seq;
	op->sector = sector;
	op->count = count;
	op->sent = pos;
	op->acked = MODEL_NEVER;
	op->durable = MODEL_NEVER;
}

static void add_ack(struct model *model, long pos)
{
	*(long *)push(&model->ack, &model->acks, sizeof(long)) = pos;
}

static void acked(struct model *model, const char *text, long pos)
{
	struct model_op *op = op_by_seq(model, strtoull(text + 2, NULL, 10));

	op->acked = pos;
	if (op->kind == 'u') {
		op->durable = pos;
		add_ack(model, pos);
	}
}

/* What was acknowledged before this flush was sent is durable now. */
static void flushed(struct model *model, long sent, long pos)
{
	unsigned int i;

	for (i = 0; i < model->ops; i++)
		if (model->op[i].acked < sent &&
		    model->op[i].durable == MODEL_NEVER)
			model->op[i].durable = pos;
	add_ack(model, pos);
}

/* Flushes under way, by their number. */
struct flights {
	struct {
		u64 id;
		long sent;
	} flush[64];
	unsigned int n;
};

static void flight(struct model *model, struct flights *flights,
		   const char *text, long pos)
{
	u64 id = strtoull(text + 2, NULL, 10);
	unsigned int i;

	for (i = 0; i < flights->n && flights->flush[i].id != id; i++)
		;
	if (text[0] == 'f') {
		if (flights->n == 64)
			errx(1, "mark: too many flushes under way");
		flights->flush[flights->n].id = id;
		flights->flush[flights->n++].sent = pos;
		return;
	}
	/* a failed operation that is no flush just stays unacknowledged */
	if (i == flights->n)
		return;
	if (text[0] == 'F')
		flushed(model, flights->flush[i].sent, pos);
	flights->flush[i] = flights->flush[--flights->n];
}

static void add_window(struct model *model, const char *text)
{
	unsigned long long offset, length;

	if (model->windows == MODEL_WINDOWS ||
	    sscanf(text, "window %llu %llu", &offset, &length) != 2)
		errx(1, "mark: %s", text);
	model->window[model->windows].sector = offset / POWERCUT_SECTOR;
	model->window[model->windows++].count = length / POWERCUT_SECTOR;
	model->sectors += length / POWERCUT_SECTOR;
}

static void add_job(struct model *model, const char *text, long pos)
{
	char id[64], top[64], bottom[64];

	if (sscanf(text, "job %63s %63s %63s", id, top, bottom) != 3)
		errx(1, "mark: %s", text);
	jobs_add(&model->jobs, id, layer_by_name(model, top) - model->layer,
		 layer_by_name(model, bottom) - model->layer, pos);
}

/* Return: false if the mark is none of these. */
static bool chain_mark(struct model *model, const char *word, char *text,
		       long pos)
{
	bool only = !strcmp(word, "is") || !strcmp(word, "jobis") ||
		    !strcmp(word, "size");

	if (!strcmp(word, "job"))
		add_job(model, text, pos);
	else if (!strcmp(word, "is"))
		add_chain(model, text + 3, true, pos);
	else if (!strcmp(word, "may"))
		add_chain(model, text + 4, false, pos);
	else if (!strcmp(word, "jobis"))
		jobs_mark(&model->jobs, text + 6, true, pos);
	else if (!strcmp(word, "jobmay"))
		jobs_mark(&model->jobs, text + 7, false, pos);
	else if (!strcmp(word, "size"))
		add_size(model, strtoull(text + 5, NULL, 10), true, pos);
	else if (!strcmp(word, "maysize"))
		add_size(model, strtoull(text + 8, NULL, 10), false, pos);
	else
		return false;
	if (only)
		add_ack(model, pos);
	return true;
}

static void mark(struct model *model, const struct log *log,
		 struct flights *flights, char *text, long pos)
{
	unsigned long long size;
	char word[64] = "";

	sscanf(text, "%63s", word);
	if (!strcmp(word, "phase")) {
		struct model_phase *phase = push(&model->phase, &model->phases,
						 sizeof(*phase));

		sscanf(text, "phase %31s", phase->name);
		phase->from = pos;
	} else if (!strcmp(word, "view")) {
		if (sscanf(text, "view %llu %u", &size, &model->block) != 2)
			errx(1, "mark: %s", text);
		model->size = size;
		add_size(model, size, true, pos);
	} else if (!strcmp(word, "window")) {
		add_window(model, text);
	} else if (!strcmp(word, "layer")) {
		add_layer(model, log, text, pos);
	} else if (!strcmp(word, "gone")) {
		layer_by_name(model, text + 5)->gone = pos;
	} else if (!strcmp(word, "freezing")) {
		layer_by_name(model, text + 9)->freezing = pos;
	} else if (!strcmp(word, "frozen")) {
		struct model_layer *layer = layer_by_name(model, text + 7);

		/* the suspend committed what the layer had taken */
		layer->frozen = pos;
		flushed(model, layer->freezing, pos);
	} else if (chain_mark(model, word, text, pos)) {
		return;
	} else if (strlen(word) != 1 || !strchr("wudzafFx", word[0])) {
		if (word[0] != '@' && strcmp(word, "seed"))
			errx(1, "mark: %s", text);
	} else if (strchr("wudz", word[0])) {
		add_op(model, text, pos);
	} else if (word[0] == 'a') {
		acked(model, text, pos);
	} else {
		flight(model, flights, text, pos);
	}
}

static long hot_index(const struct model *model, u64 sector)
{
	u64 before = 0;
	unsigned int i;

	for (i = 0; i < model->windows; i++) {
		if (sector >= model->window[i].sector &&
		    sector - model->window[i].sector < model->window[i].count)
			return before + sector - model->window[i].sector;
		before += model->window[i].count;
	}
	return -1;
}

u64 model_sector(const struct model *model, u64 n)
{
	unsigned int i;

	for (i = 0; n >= model->window[i].count; i++)
		n -= model->window[i].count;
	return model->window[i].sector + n;
}

bool model_hot(const struct model *model, u64 sector, u64 count)
{
	unsigned int i;

	for (i = 0; i < model->windows; i++)
		if (sector < model->window[i].sector + model->window[i].count &&
		    model->window[i].sector < sector + count)
			return true;
	return false;
}

/* A discard takes whole blocks only; the last of the view may be short. */
static void clip_discard(const struct model *model, u64 *sector, u64 *end)
{
	u64 block = model->block / POWERCUT_SECTOR;

	*sector = (*sector + block - 1) / block * block;
	if (*end != model->size / POWERCUT_SECTOR)
		*end = *end / block * block;
}

static void index_ops(struct model *model)
{
	unsigned int i;

	model->sector = calloc(model->sectors, sizeof(*model->sector));
	if (!model->sector)
		err(1, "model");
	for (i = 0; i < model->ops; i++) {
		u64 sector = model->op[i].sector;
		u64 end = sector + model->op[i].count;

		if (model->op[i].kind == 'd')
			clip_discard(model, &sector, &end);
		for (; sector < end; sector++) {
			long n = hot_index(model, sector);
			struct model_sector *s;
			unsigned int *last;

			if (n < 0)
				errx(1, "mark: sector %llu outside the windows",
				     (unsigned long long)sector);
			s = &model->sector[n];
			last = push(&s->op, &s->ops, sizeof(*last));
			*last = i;
		}
	}
}

bool model_next(struct model *model, const struct log *log, long *pos)
{
	struct flights flights = { .n = 0 };
	bool inside = false;

	memset(model, 0, sizeof(*model));
	for (; *pos < (long)log->entries; (*pos)++) {
		const struct log_entry *e = &log->entry[*pos];
		char text[POWERCUT_SECTOR + 1];

		if (e->rec.device != LOG_MARK_DEVICE || !e->data)
			continue;
		memcpy(text, e->data, POWERCUT_SECTOR);
		text[POWERCUT_SECTOR] = '\0';
		if (!strncmp(text, "scenario ", 9)) {
			if (inside)
				break;
			if (sscanf(text, "scenario %31s %u", model->name,
				   &model->owner) != 2)
				errx(1, "mark: %s", text);
			model->first = *pos;
			inside = true;
		} else if (inside && !strcmp(text, "end")) {
			(*pos)++;
			break;
		} else if (inside) {
			mark(model, log, &flights, text, *pos);
		}
	}
	model->last = *pos;
	if (inside)
		index_ops(model);
	return inside;
}

void model_free(struct model *model)
{
	u64 i;

	for (i = 0; i < model->sectors; i++)
		free(model->sector[i].op);
	free(model->sector);
	free(model->op);
	free(model->chain);
	free(model->phase);
	free(model->ack);
	free(model->grow);
	jobs_free(&model->jobs);
}

static bool same(const struct model_op *op, enum model_value value, u64 seq)
{
	if (op->kind == 'd' || op->kind == 'z')
		return value == MODEL_ZERO;
	return value == MODEL_TAG && seq == op->seq;
}

/* How many of the ops that touch this sector were about to be sent by @pos. */
static unsigned int ops_before(const struct model *model,
			       const struct model_sector *s, long pos)
{
	unsigned int from = 0, to = s->ops;

	while (from < to) {
		unsigned int mid = (from + to) / 2;

		if (model->op[s->op[mid]].sent < pos)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

bool model_legal(const struct model *model, u64 n, long pos,
		 enum model_value value, u64 seq, enum model_value initial)
{
	const struct model_sector *s = &model->sector[n];
	unsigned int i;

	for (i = ops_before(model, s, pos); i-- > 0;) {
		const struct model_op *op = &model->op[s->op[i]];

		if (same(op, value, seq))
			return true;
		if (op->durable < pos)
			return false;
	}
	return value == initial;
}

bool model_legal_frozen(const struct model *model,
			const struct model_layer *layer, u64 n,
			enum model_value value, u64 seq,
			enum model_value initial)
{
	const struct model_sector *s = &model->sector[n];
	unsigned int i;

	for (i = ops_before(model, s, layer->frozen); i-- > 0;) {
		const struct model_op *op = &model->op[s->op[i]];

		if (same(op, value, seq))
			return true;
		if (op->acked < layer->freezing)
			return false;
	}
	return value == initial;
}

bool model_layer_sure(const struct model *model, long pos, unsigned int layer)
{
	unsigned int i;

	for (i = 0; i < model->chains; i++)
		if (model->chain[i].sure && model->chain[i].bits & 1U << layer &&
		    model->chain[i].from < pos && model->chain[i].until >= pos)
			return true;
	return false;
}

bool model_chain_legal(const struct model *model, long pos, unsigned int bits)
{
	unsigned int i;

	for (i = 0; i < model->chains; i++)
		if (model->chain[i].bits == bits &&
		    model->chain[i].from < pos && model->chain[i].until >= pos)
			return true;
	return false;
}

bool model_size_legal(const struct model *model, long pos, u64 bytes)
{
	unsigned int i;

	for (i = 0; i < model->grows; i++)
		if (model->grow[i].bytes == bytes &&
		    model->grow[i].from < pos && model->grow[i].until >= pos)
			return true;
	return false;
}

void model_explain(const struct model *model, u64 n, long pos, char *text,
		   size_t room)
{
	const struct model_sector *s = &model->sector[n];
	size_t len = 0;
	unsigned int i;

	text[0] = '\0';
	for (i = ops_before(model, s, pos); i-- > 0 && len + 64 < room;) {
		const struct model_op *op = &model->op[s->op[i]];

		len += snprintf(text + len, room - len, " %c %llu%s;", op->kind,
				(unsigned long long)op->seq,
				op->durable < pos ? " durable" :
				op->acked < pos ? " acknowledged" : "");
		if (op->durable < pos)
			return;
	}
	snprintf(text + len, room - len, " what it held at first");
}
