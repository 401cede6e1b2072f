// SPDX-License-Identifier: GPL-2.0
/*
 * dm-chain: the grammar of the table line and of the messages.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "dm-chain-codec.h"
#include "dm-chain-parse.h"

#define SECTOR_SIZE_SHIFT	9

/* The words not read yet. Refusals quote 80 characters of a word at most. */
struct words {
	unsigned int left;
	char **next;
	struct dm_chain_why *why;
};

#define refuse(w, fmt, ...) dm_chain_refuse((w)->why, -EINVAL, fmt, ##__VA_ARGS__)

static const char *take(struct words *w)
{
	if (!w->left)
		return NULL;
	w->left--;
	return *w->next++;
}

static bool same_word(const char *a, const char *b)
{
	return !strcasecmp(a, b);
}

/* Return: the index of @word among @names or -1. */
static int find_word(const char *const *names, unsigned int nr, const char *word)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (same_word(names[i], word))
			return i;
	return -1;
}

static int refuse_rest(struct words *w)
{
	return w->left ? refuse(w, "'%.80s' is a word too many", *w->next) : 0;
}

/* Control characters have no place in a log or a reply. */
static int finish(struct dm_chain_why *why, int err)
{
	char *c;

	if (err && why)
		for (c = why->text; *c; c++)
			if ((unsigned char)*c < ' ' || *c == 0x7f)
				*c = '?';
	return err;
}

/**
 * parse_number() - read a decimal number that fills 64 bits at most
 * @w: for the refusal
 * @what: whose number it is
 * @unit: "number of ..."
 * @word: digits, no sign and no suffix; NULL if there was no word left
 * @value: gets the number
 *
 * Return: 0 or -EINVAL.
 */
static int parse_number(struct words *w, const char *what, const char *unit,
			const char *word, u64 *value)
{
	const char *c;
	u64 n = 0;

	if (!word)
		return refuse(w, "%s: the %s is missing", what, unit);
	if (!*word)
		return refuse(w, "%s: '' is not a %s", what, unit);
	for (c = word; *c; c++)
		if (*c < '0' || *c > '9')
			return refuse(w, "%s: '%.80s' is not a %s", what, word, unit);
	for (c = word; *c; c++) {
		unsigned int digit = *c - '0';

		if (n > (U64_MAX - digit) / 10)
			return refuse(w, "%s: '%.80s' is too large", what, word);
		n = n * 10 + digit;
	}
	*value = n;
	return 0;
}

static int parse_layer_name(struct words *w, const char *what, const char *word,
			    const char **name)
{
	if (!word)
		return refuse(w, "%s: the layer is missing", what);
	if (!dm_chain_name_valid(word))
		return refuse(w, "%s: '%.80s' is not a layer name", what, word);
	*name = word;
	return 0;
}

enum feature {
	FEATURE_FORMAT,
	FEATURE_BLOCK_SIZE,
	FEATURE_READ_ONLY,
	FEATURE_COPY_ON_READ,
	FEATURE_COPY_ON_READ_BOTTOM,
	FEATURE_NO_DISCARD_PASSDOWN,
	FEATURE_JOBS,
	NR_FEATURES
};

static const char *const feature_names[NR_FEATURES] = {
	[FEATURE_FORMAT] = "format",
	[FEATURE_BLOCK_SIZE] = "block_size",
	[FEATURE_READ_ONLY] = "read_only",
	[FEATURE_COPY_ON_READ] = "copy_on_read",
	[FEATURE_COPY_ON_READ_BOTTOM] = "copy_on_read_bottom",
	[FEATURE_NO_DISCARD_PASSDOWN] = "no_discard_passdown",
	[FEATURE_JOBS] = "jobs",
};

static bool line_has_layer(const struct dm_chain_line *line, unsigned int nr,
			   const char *name)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(line->layer[i].name, name))
			return true;
	return false;
}

/* One layer of the line, the @n th from the base, 0 the first. */
static int parse_layer(struct words *w, struct dm_chain_line *line,
		       unsigned int n)
{
	struct dm_chain_line_layer *layer = &line->layer[n];

	layer->name = take(w);
	layer->data = take(w);
	layer->meta = take(w);
	if (!layer->name)
		return refuse(w, "layer %u of %u: the name is missing", n + 1,
			      line->nr_layers);
	if (!dm_chain_name_valid(layer->name))
		return refuse(w, "layer %u of %u: '%.80s' is not a layer name",
			      n + 1, line->nr_layers, layer->name);
	if (line_has_layer(line, n, layer->name))
		return refuse(w, "layer name '%s' given twice", layer->name);
	if (!layer->data)
		return refuse(w, "layer '%s': the data device is missing",
			      layer->name);
	if (!*layer->data || !strcmp(layer->data, "-"))
		return refuse(w, "layer '%s': '%s' is not a data device",
			      layer->name, layer->data);
	if (!layer->meta)
		return refuse(w, "layer '%s': the metadata device is missing",
			      layer->name);
	if (!*layer->meta)
		return refuse(w, "layer '%s': '' is not a metadata device",
			      layer->name);
	if (strcmp(layer->meta, "-"))
		return 0;
	layer->meta = NULL;
	if (n == line->nr_layers - 1)
		return refuse(w, "layer '%s' is the active layer: it needs metadata, not '-'",
			      layer->name);
	if (n)
		return refuse(w, "layer '%s' is not the lowest: it needs metadata, not '-'",
			      layer->name);
	return 0;
}

static int parse_block_size(struct words *w, u32 *sectors)
{
	u64 value;
	int err;

	err = parse_number(w, "block_size", "number of sectors", take(w), &value);
	if (err)
		return err;
	if (value > DM_CHAIN_MAX_BLOCK >> SECTOR_SIZE_SHIFT ||
	    !dm_chain_block_size_valid(value << SECTOR_SIZE_SHIFT))
		return refuse(w, "block_size: %llu is not a power of two from %u to %u sectors",
			      (unsigned long long)value,
			      DM_CHAIN_MIN_BLOCK >> SECTOR_SIZE_SHIFT,
			      DM_CHAIN_MAX_BLOCK >> SECTOR_SIZE_SHIFT);
	*sectors = value;
	return 0;
}

static int parse_copy_on_read_bottom(struct words *w, struct dm_chain_line *line)
{
	const char *what = feature_names[FEATURE_COPY_ON_READ_BOTTOM];
	int err;

	err = parse_layer_name(w, what, take(w), &line->copy_on_read_bottom);
	if (err)
		return err;
	if (!line_has_layer(line, line->nr_layers, line->copy_on_read_bottom))
		return refuse(w, "%s: there is no layer '%s' in this line", what,
			      line->copy_on_read_bottom);
	line->copy_on_read = true;
	return 0;
}

static int parse_jobs(struct words *w, struct dm_chain_line *line)
{
	const char *word = take(w);

	if (!word)
		return refuse(w, "jobs: 'paused' is missing");
	if (!same_word(word, "paused"))
		return refuse(w, "jobs: '%.80s' is not 'paused'", word);
	line->jobs_paused = true;
	return 0;
}

static int parse_feature(struct words *w, struct dm_chain_line *line,
			 enum feature feature)
{
	switch (feature) {
	case FEATURE_FORMAT:
		line->format = true;
		return 0;
	case FEATURE_BLOCK_SIZE:
		return parse_block_size(w, &line->block_size);
	case FEATURE_READ_ONLY:
		line->read_only = true;
		return 0;
	case FEATURE_COPY_ON_READ:
		line->copy_on_read = true;
		return 0;
	case FEATURE_COPY_ON_READ_BOTTOM:
		return parse_copy_on_read_bottom(w, line);
	case FEATURE_NO_DISCARD_PASSDOWN:
		line->no_discard_passdown = true;
		return 0;
	default:
		return parse_jobs(w, line);
	}
}

static int parse_features(struct words *w, struct dm_chain_line *line)
{
	unsigned long seen = 0;
	u64 announced;
	int err;

	if (!w->left)
		return 0;
	err = parse_number(w, "feature words", "number of words", take(w),
			   &announced);
	if (err)
		return err;
	if (announced > w->left)
		return refuse(w, "feature words: %llu announced, but only %u given",
			      (unsigned long long)announced, w->left);
	if (announced < w->left)
		return refuse(w, "feature words: %llu announced, '%.80s' is a word too many",
			      (unsigned long long)announced, w->next[announced]);
	while (w->left) {
		const char *word = take(w);
		int f = find_word(feature_names, NR_FEATURES, word);

		if (f < 0)
			return refuse(w, "unknown word '%.80s'", word);
		if (seen & BIT(f))
			return refuse(w, "'%s' given twice", feature_names[f]);
		seen |= BIT(f);
		err = parse_feature(w, line, f);
		if (err)
			return err;
	}
	return 0;
}

static int parse_line(struct words *w, struct dm_chain_line *line)
{
	unsigned int i;
	u64 layers;
	int err;

	memset(line, 0, sizeof(*line));
	err = parse_number(w, "layers", "number of layers", take(w), &layers);
	if (err)
		return err;
	if (!layers)
		return refuse(w, "layers: '0' will not do, a chain has at least one layer");
	if (layers > DM_CHAIN_MAX_LAYERS)
		return refuse(w, "layers: %llu is more than %u",
			      (unsigned long long)layers, DM_CHAIN_MAX_LAYERS);
	line->nr_layers = layers;
	for (i = 0; i < line->nr_layers; i++) {
		err = parse_layer(w, line, i);
		if (err)
			return err;
	}
	return parse_features(w, line);
}

int dm_chain_parse_line(unsigned int argc, char **argv,
			struct dm_chain_line *line, struct dm_chain_why *why)
{
	struct words w = { .left = argc, .next = argv, .why = why };

	return finish(why, parse_line(&w, line));
}

/* The options of stream; those of estimate come first. */
enum option {
	OPTION_TOP,
	OPTION_BASE,
	OPTION_BOTTOM,
	NR_ESTIMATE_OPTIONS,
	OPTION_JOB = NR_ESTIMATE_OPTIONS,
	OPTION_SPEED,
	OPTION_ON_ERROR,
	OPTION_AUTO_FINALIZE,
	OPTION_AUTO_DISMISS,
	OPTION_VERIFY,
	NR_STREAM_OPTIONS
};

static const char *const option_names[NR_STREAM_OPTIONS] = {
	[OPTION_TOP] = "top",
	[OPTION_BASE] = "base",
	[OPTION_BOTTOM] = "bottom",
	[OPTION_JOB] = "job",
	[OPTION_SPEED] = "speed",
	[OPTION_ON_ERROR] = "on-error",
	[OPTION_AUTO_FINALIZE] = "auto-finalize",
	[OPTION_AUTO_DISMISS] = "auto-dismiss",
	[OPTION_VERIFY] = "verify",
};

static int parse_job_id(struct words *w, const char **id)
{
	const char *word = take(w);

	if (!word)
		return refuse(w, "job: the id is missing");
	if (!dm_chain_name_valid(word))
		return refuse(w, "job: '%.80s' is not a job id", word);
	*id = word;
	return 0;
}

static int parse_rate(struct words *w, const char *what, u64 *value)
{
	return parse_number(w, what, "number of bytes per second", take(w), value);
}

static int parse_switch(struct words *w, const char *what, bool *on)
{
	const char *word = take(w);

	if (!word)
		return refuse(w, "%s: 'on' or 'off' is missing", what);
	*on = same_word(word, "on");
	if (!*on && !same_word(word, "off"))
		return refuse(w, "%s: '%.80s' is neither 'on' nor 'off'", what, word);
	return 0;
}

static int parse_on_error(struct words *w, enum dm_chain_on_error *policy)
{
	const char *word = take(w);
	unsigned int i;

	if (!word)
		return refuse(w, "on-error: the policy is missing");
	if (same_word(word, "auto")) {
		*policy = DM_CHAIN_ON_ERROR_ENOSPC;
		return 0;
	}
	for (i = 0; i < DM_CHAIN_NR_ON_ERROR; i++) {
		if (same_word(word, dm_chain_on_error_name(i))) {
			*policy = i;
			return 0;
		}
	}
	return refuse(w, "on-error: '%.80s' is not one of report, ignore, stop, enospc, auto",
		      word);
}

static int parse_option(struct words *w, struct dm_chain_msg *msg,
			enum option option)
{
	const char *what = option_names[option];

	switch (option) {
	case OPTION_TOP:
		return parse_layer_name(w, what, take(w), &msg->top);
	case OPTION_BASE:
		return parse_layer_name(w, what, take(w), &msg->base);
	case OPTION_BOTTOM:
		return parse_layer_name(w, what, take(w), &msg->bottom);
	case OPTION_JOB:
		return parse_job_id(w, &msg->job);
	case OPTION_SPEED:
		return parse_rate(w, what, &msg->speed);
	case OPTION_ON_ERROR:
		return parse_on_error(w, &msg->on_error);
	case OPTION_AUTO_FINALIZE:
		return parse_switch(w, what, &msg->auto_finalize);
	case OPTION_AUTO_DISMISS:
		return parse_switch(w, what, &msg->auto_dismiss);
	default:
		return parse_switch(w, what, &msg->verify);
	}
}

static int parse_options(struct words *w, struct dm_chain_msg *msg,
			 unsigned int nr_options)
{
	unsigned long seen = 0;

	while (w->left) {
		const char *word = take(w);
		int o = find_word(option_names, nr_options, word);
		int err;

		if (o < 0)
			return refuse(w, "unknown word '%.80s'", word);
		if (seen & BIT(o))
			return refuse(w, "'%s' given twice", option_names[o]);
		seen |= BIT(o);
		err = parse_option(w, msg, o);
		if (err)
			return err;
	}
	if (msg->base && msg->bottom)
		return refuse(w, "'base' and 'bottom' exclude each other");
	return 0;
}

static int parse_stream(struct words *w, struct dm_chain_msg *msg)
{
	msg->kind = DM_CHAIN_MSG_STREAM;
	msg->on_error = DM_CHAIN_ON_ERROR_REPORT;
	msg->auto_finalize = true;
	msg->auto_dismiss = true;
	return parse_options(w, msg, NR_STREAM_OPTIONS);
}

static int parse_estimate(struct words *w, struct dm_chain_msg *msg)
{
	msg->kind = DM_CHAIN_MSG_ESTIMATE;
	return parse_options(w, msg, NR_ESTIMATE_OPTIONS);
}

static bool verb_has_value(enum dm_chain_verb verb)
{
	return verb == DM_CHAIN_VERB_SET_SPEED ||
	       verb == DM_CHAIN_VERB_SET_FLOOR ||
	       verb == DM_CHAIN_VERB_SET_CEILING;
}

static int parse_job(struct words *w, struct dm_chain_msg *msg)
{
	const char *word;
	unsigned int i;
	int err;

	msg->kind = DM_CHAIN_MSG_JOB;
	err = parse_job_id(w, &msg->job);
	if (err)
		return err;
	word = take(w);
	if (!word)
		return refuse(w, "job '%s': the verb is missing", msg->job);
	if (same_word(word, "failed")) {
		msg->kind = DM_CHAIN_MSG_JOB_FAILED;
		return refuse_rest(w);
	}
	for (i = 0; i < DM_CHAIN_NR_VERBS; i++)
		if (same_word(word, dm_chain_verb_name(i)))
			break;
	if (i == DM_CHAIN_NR_VERBS)
		return refuse(w, "job '%s': unknown word '%.80s'", msg->job, word);
	msg->verb = i;
	if (verb_has_value(msg->verb)) {
		err = parse_rate(w, dm_chain_verb_name(i), &msg->value);
		if (err)
			return err;
	}
	return refuse_rest(w);
}

static int parse_jobs_query(struct words *w, struct dm_chain_msg *msg)
{
	const char *word = take(w);

	msg->kind = DM_CHAIN_MSG_JOBS;
	if (!word)
		return 0;
	if (!same_word(word, "last"))
		return refuse(w, "jobs: unknown word '%.80s'", word);
	msg->kind = DM_CHAIN_MSG_JOBS_LAST;
	return refuse_rest(w);
}

static int parse_layers(struct words *w, struct dm_chain_msg *msg)
{
	msg->kind = DM_CHAIN_MSG_LAYERS;
	return refuse_rest(w);
}

static int parse_map(struct words *w, struct dm_chain_msg *msg)
{
	int err;

	msg->kind = DM_CHAIN_MSG_MAP;
	err = parse_number(w, "map", "start sector", take(w), &msg->start);
	if (err)
		return err;
	err = parse_number(w, "map", "number of sectors", take(w), &msg->len);
	if (err)
		return err;
	if (msg->len > U64_MAX - msg->start)
		return refuse(w, "map: start sector %llu and %llu sectors are too large together",
			      (unsigned long long)msg->start,
			      (unsigned long long)msg->len);
	return refuse_rest(w);
}

static int parse_error(struct words *w, struct dm_chain_msg *msg)
{
	msg->kind = DM_CHAIN_MSG_ERROR;
	return refuse_rest(w);
}

static const struct {
	const char *name;
	int (*parse)(struct words *w, struct dm_chain_msg *msg);
} messages[] = {
	{ "stream", parse_stream },
	{ "job", parse_job },
	{ "estimate", parse_estimate },
	{ "jobs", parse_jobs_query },
	{ "layers", parse_layers },
	{ "map", parse_map },
	{ "error", parse_error },
};

static const char *const reserved_names[] = { "commit", "mirror", "backup" };

static int parse_message(struct words *w, struct dm_chain_msg *msg)
{
	const char *word = take(w);
	unsigned int i;

	memset(msg, 0, sizeof(*msg));
	if (!word)
		return refuse(w, "the message is empty");
	for (i = 0; i < ARRAY_SIZE(messages); i++)
		if (same_word(word, messages[i].name))
			return messages[i].parse(w, msg);
	if (find_word(reserved_names, ARRAY_SIZE(reserved_names), word) >= 0)
		return refuse(w, "'%s' is reserved for a later version", word);
	return refuse(w, "unknown word '%.80s'", word);
}

int dm_chain_parse_message(unsigned int argc, char **argv,
			   struct dm_chain_msg *msg, struct dm_chain_why *why)
{
	struct words w = { .left = argc, .next = argv, .why = why };

	return finish(why, parse_message(&w, msg));
}
